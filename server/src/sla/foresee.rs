//! What a contract promises to somebody who calls at an instant: every clock, when it would be due, and why.
//!
//! Clocks that begin with something later (an engineer is ordered, hardware is found to be the cause) are told as if
//! that happened at the same instant, and say so: nobody knows yet when it will.

use jiff::Timestamp;

use super::event::{Event, What};
use super::{Clock, Undecided, Version, project};
use crate::contract::remark::{Words, words};
use crate::contract::{Calendars, ClockRule, Contract};

/// A call.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// When.
    pub at: Timestamp,
    /// Of which priority.
    pub priority: Option<&'a str>,
    /// In which zone of the contract.
    pub zone: Option<&'a str>,
}

/// What is promised.
#[derive(Clone, Debug)]
pub struct Promise<'c> {
    /// The rule.
    pub rule: &'c ClockRule,
    /// Whether the call itself begins it.
    pub with_call: bool,
    /// The clock as it stands when its time is up, or why it cannot be told.
    pub clock: Result<Clock, Undecided>,
}

/// Events that a call is.
const CALLS: [&str; 2] = ["reported", "notified"];

/// Every promise, the ones that begin with the call first, then by when they are due.
pub fn foresee<'c>(contract: &'c Contract, calendars: &Calendars, call: &Call<'_>) -> Vec<Promise<'c>> {
    let version = Version { id: &contract.id, from: Timestamp::MIN, contract, calendars };
    let mut promises: Vec<Promise<'c>> = contract
        .clocks
        .iter()
        .map(|rule| Promise {
            rule,
            with_call: rule.start.iter().any(|event| CALLS.contains(&event.as_str())),
            clock: told(&version, rule, call),
        })
        .collect();
    promises.sort_by_key(|promise| {
        let due = promise.clock.as_ref().ok().and_then(|clock| clock.due_at);
        (!promise.with_call, due.is_none(), due)
    });
    promises
}

fn told(version: &Version<'_>, rule: &ClockRule, call: &Call<'_>) -> Result<Clock, Undecided> {
    let mut events = Vec::new();
    let mut add = |what| {
        events.push(Event {
            id: events.len().to_string(),
            what,
            occurred_at: call.at,
            recorded_at: call.at,
            device_at: None,
            skew_s: 0,
            actor: String::new(),
            evidence: Vec::new(),
            supersedes: None,
        });
    };
    if let Some(level) = call.priority {
        add(What::Priority { level: level.to_owned(), assessed: false });
    }
    if let Some(zone) = call.zone {
        add(What::Zone(zone.to_owned()));
    }
    if let Some(first) = rule.start.first() {
        add(What::Step(first.clone()));
    }
    if let Some(needed) = &rule.only_if {
        add(What::Step(needed.clone()));
    }
    let first = |now| {
        let runs = project(std::slice::from_ref(version), &rule.name, &events, now)?;
        runs.into_iter().next().ok_or_else(|| Undecided::NoClock(rule.name.clone()))
    };
    let clock = first(call.at)?;
    match clock.due_at {
        Some(due) => first(due),
        None => Ok(clock),
    }
}

impl Undecided {
    /// Why a clock cannot be told, and what to do, for whoever looks at a contract.
    pub fn words(&self) -> Words {
        match self {
            Self::NoClock(_) => words("The contract has no such clock", "合同里没有这个计时"),
            Self::NoCase { on: "priority", .. } => {
                words("It depends on the priority: choose one", "取决于优先级：请选择")
            }
            Self::NoCase { on: "zone", .. } => {
                words("It depends on the zone of the site: choose one", "取决于站点所属区域：请选择")
            }
            Self::NoCase { .. } => words(
                "It depends on the hours, and the contract names no calendar for them",
                "取决于时段，但合同没有写判断时段的日历",
            ),
            Self::NoInstant(_) => words(
                "Due at the time that both sides agree on; none is agreed yet",
                "以双方约定的时间为准，尚未约定",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{document, template};

    fn due(name: &str, at: &str, priority: Option<&str>, zone: Option<&str>) -> Vec<String> {
        let contract = document::read(template::find(name).unwrap().text).contract.unwrap();
        let calendars = contract.calendars(None).unwrap();
        let call = Call { at: at.parse().unwrap(), priority, zone };
        let promises = foresee(&contract, &calendars, &call);
        let told = promises.iter().map(|promise| {
            let when = match &promise.clock {
                Ok(clock) => {
                    let ledger_s: i64 = clock.ledger.iter().map(|entry| entry.counted_s).sum();
                    assert_eq!(ledger_s, clock.budget_s, "the ledger is the whole budget");
                    let at = clock.due_at.unwrap().to_zoned(contract.zone.clone());
                    let open = if clock.provisional { "?" } else { "" };
                    format!("{}{open}", at.strftime("%m-%d %H:%M"))
                }
                Err(why) => why.words().en,
            };
            let later = if promise.with_call { "" } else { "later " };
            format!("{later}{} {when}", promise.rule.name)
        });
        told.collect()
    }

    #[test]
    fn a_call_on_friday_night_before_the_spring_festival() {
        // Friday 13 February 2026, 22:40 in Shanghai; Saturday is a make-up day, the holiday ends with 23 February.
        let call = "2026-02-13T14:40:00Z";
        assert_eq!(due("regional", call, None, Some("city")), ["respond 02-14 14:00", "arrive 02-14 14:00"]);
        assert_eq!(
            due("regional", call, None, Some("province")),
            ["respond 02-14 14:00", "arrive 02-24 18:00"]
        );
        assert_eq!(
            due("regional", call, None, None),
            ["respond 02-14 14:00", "arrive It depends on the zone of the site: choose one"]
        );
        // Nobody has announced the holidays of 2027 yet.
        assert_eq!(due("regional", "2027-02-05T02:00:00Z", None, Some("city"))[0], "respond 02-05 15:30?");
    }

    #[test]
    fn what_begins_later_says_so() {
        let told = due("intelligent-building", "2026-03-02T01:00:00Z", Some("urgent"), None);
        assert_eq!(told[0], "phone 03-02 09:05");
        assert!(told.iter().any(|line| line.starts_with("later ")), "{told:?}");
        let agreed = due("it-service", "2026-03-02T01:00:00Z", None, None);
        assert!(agreed.iter().any(|line| line.ends_with("none is agreed yet")), "{agreed:?}");
    }
}
