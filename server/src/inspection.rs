//! Preventive inspections: what is looked at before it breaks, when, and in which visit.
//!
//! A contract's rules ([`InspectRule`]) owe one inspection in each of their periods. A period is counted from the
//! anchor itself and never from the inspection before it, so a month that is too short moves one inspection and no
//! other. Inspection `n` of a rule is known by the rule's name and `n`, whatever day it is planned for: moving it, or
//! looking further ahead, makes no other one. The day is the first one of the period's last month (of a shorter
//! period, of the period) that is worked and on which the site is open. A rarer inspection is done by the visit of a
//! more frequent one that lies within its period.
//!
//! Everything here is a function of the contract, the anchors, the calendar and the days on which a site is closed;
//! looking further ahead adds inspections at the end and changes none.

pub mod answer;
pub mod api;
pub mod checklist;
mod day;
pub mod hand;
pub mod keep;
pub mod kind;
pub mod late;
pub mod life;
pub mod report;
mod series;
pub mod step;
pub mod store;
pub mod suit;
pub mod year;

use std::collections::{BTreeMap, HashMap};

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::calendar::Fault;
use crate::contract::measure::Length;
use crate::contract::{Contract, InspectRule, Phase, Way, When};
pub use day::Days;
pub use kind::kind_zh;
use series::{Series, Slot};

/// Days from the first to the day after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The first day.
    pub from: Date,
    /// The day after the last one.
    pub until: Date,
}

impl Window {
    /// Whether a day lies in it.
    pub fn holds(self, day: Date) -> bool {
        self.from <= day && day < self.until
    }

    /// Whether another lies in it whole.
    pub fn covers(self, other: Self) -> bool {
        self.from <= other.from && other.until <= self.until
    }

    /// Its last day.
    pub fn last(self) -> Date {
        self.until.yesterday().unwrap_or(self.until)
    }
}

/// Names an inspection within a plan: the `n`-th of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The rule.
    pub rule: String,
    /// Which one, from 1.
    pub n: u32,
}

/// What the rules of a site are counted from.
#[derive(Clone, Debug, Default)]
pub struct Anchors {
    /// The days of events such as `commissioned`.
    pub events: BTreeMap<String, Date>,
    /// The day for rules that name no event, where the contract names no first day.
    pub begins: Option<Date>,
}

/// A rule that cannot be planned yet, since the day it is counted from is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The rule.
    pub rule: String,
    /// The event whose day is asked for; `begins` is the contract's first day.
    pub event: String,
}

/// An inspection that is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Which one it is.
    pub key: Key,
    /// From what and how it is counted: another text is another row of inspections under the same name.
    pub series: String,
    /// Where it takes place.
    pub way: Way,
    /// What kinds of work it is.
    pub kinds: Vec<String>,
    /// What is looked at.
    pub checklist: Vec<String>,
    /// The report that it ends with.
    pub report: Option<String>,
    /// The days within which it is owed.
    pub window: Window,
    /// The day it would be on if every day were worked.
    pub aim: Date,
    /// The day it is planned for; of a merged one, that of its visit.
    pub day: Date,
    /// Whether no day of its window is worked and open, so that the day lies after it.
    pub outside: bool,
    /// Whether the day may yet change, since its holidays are not announced.
    pub provisional: bool,
    /// The inspection whose visit does this one's work.
    pub merged_into: Option<Key>,
    /// The inspections whose work is done with this one.
    pub carries: Vec<Key>,
    /// By when a change of the day must be told.
    pub tell_by: Option<Date>,
}

/// Days on which nothing is owed though the contract runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first of them.
    pub from: Date,
    /// The day after the last; `None` goes on.
    pub until: Option<Date>,
    /// The rule that ended before it.
    pub after: Option<String>,
    /// The rule that begins after it.
    pub before: Option<String>,
}

/// The inspections of one site under one contract.
#[derive(Debug)]
pub struct Plan<'c> {
    series: Vec<Series<'c>>,
    waiting: Vec<Waiting>,
    days: Vec<Days>,
}

/// The days on which somebody may come for a rule of a contract: its calendar, or the usual one; not while the site is closed.
pub fn open_days(
    contract: Option<&Contract>,
    rule: &str,
    zone: &TimeZone,
    closed: &[Window],
) -> Result<Days, Fault> {
    let rule = contract.and_then(|contract| contract.inspections.iter().find(|one| one.name == rule));
    let name = rule.and_then(|rule| rule.calendar.as_deref());
    let own = match (contract, name) {
        (Some(contract), Some(name)) => contract.calendars(Some(zone))?.find(name).cloned(),
        _ => None,
    };
    Days::new(name, own, zone, closed)
}

impl<'c> Plan<'c> {
    /// A plan for a site in `zone` that is closed on some days. Rules whose anchor is not known wait.
    pub fn new(
        contract: &'c Contract,
        anchors: &Anchors,
        zone: Option<&TimeZone>,
        closed: &[Window],
    ) -> Result<Self, Fault> {
        let calendars = contract.calendars(zone)?;
        let (mut series, mut waiting, mut days) = (Vec::new(), Vec::new(), Vec::<Days>::new());
        for rule in &contract.inspections {
            let anchor = match &rule.from {
                Some(event) => anchors.events.get(event).copied(),
                None => contract.begins.or(anchors.begins),
            };
            let Some(anchor) = anchor else {
                let event = rule.from.clone().unwrap_or_else(|| "begins".to_owned());
                waiting.push(Waiting { rule: rule.name.clone(), event });
                continue;
            };
            let name = rule.calendar.as_deref();
            let at = match days.iter().position(|days| days.name() == name) {
                Some(at) => at,
                None => {
                    let own = name.and_then(|name| calendars.find(name)).cloned();
                    let zone = zone.unwrap_or(&contract.zone);
                    days.push(Days::new(name, own, zone, closed)?);
                    days.len() - 1
                }
            };
            series.push(Series::new(rule, anchor, end_of(contract, anchor), at));
        }
        Ok(Self { series, waiting, days })
    }

    /// The rules that cannot be planned yet.
    pub fn waiting(&self) -> &[Waiting] {
        &self.waiting
    }

    /// The last day of what is owed under the rule that runs longest; `None` where one has no end.
    pub fn last_day(&self) -> Option<Date> {
        let ends: Option<Vec<Date>> = self.series.iter().map(|series| series.ends).collect();
        ends?.into_iter().max()?.yesterday().ok()
    }

    /// Every inspection that is planned for a day up to `horizon`, in the order of the days.
    pub fn up_to(&self, horizon: Date) -> Vec<Occurrence> {
        let mut found = Vec::new();
        for (at, series) in self.series.iter().enumerate() {
            for slot in series.slots(1).take_while(|slot| slot.window.from <= horizon) {
                found.push((at, self.occurrence(at, &slot)));
            }
        }
        found.retain(|(_, occurrence)| occurrence.day <= horizon);
        found.sort_by(|(a, x), (b, y)| (x.day, a, x.key.n).cmp(&(y.day, b, y.key.n)));
        let mut all: Vec<Occurrence> = found.into_iter().map(|(_, occurrence)| occurrence).collect();
        carry(&mut all);
        all
    }

    /// The first open day for an inspection from a day on: within its window, else after it.
    pub fn day_from(&self, one: &Occurrence, from: Date) -> Date {
        let series = self.series.iter().find(|series| series.rule.name == one.key.rule);
        series.map_or(from, |series| self.days[series.days].first(from))
    }

    fn occurrence(&self, at: usize, slot: &Slot) -> Occurrence {
        let series = &self.series[at];
        let choose = |at: usize, slot: &Slot| self.days[self.series[at].days].choose(slot.window, slot.aim);
        let (mut host_at, mut host) = self.visit_of(at, *slot);
        let mut chosen = choose(host_at, &host);
        if !slot.window.holds(chosen.day) {
            // The other's visit was moved out of this one's window: it has one of its own.
            (host_at, host) = (at, *slot);
            chosen = choose(at, slot);
        }
        let merged = (host_at, host.n) != (at, slot.n);
        let rule = series.rule;
        Occurrence {
            key: Key { rule: rule.name.clone(), n: slot.n },
            series: series.text.clone(),
            way: rule.way,
            kinds: rule.kinds.clone(),
            checklist: rule.checklist.clone(),
            report: rule.report.clone(),
            window: slot.window,
            aim: slot.aim,
            day: chosen.day,
            outside: !slot.window.holds(chosen.day),
            provisional: chosen.provisional,
            merged_into: merged.then(|| Key { rule: self.series[host_at].rule.name.clone(), n: host.n }),
            carries: Vec::new(),
            tell_by: rule.notice.and_then(|notice| before(chosen.day, notice)),
        }
    }

    /// The inspection that takes a visit for this one's work: itself, or one that lies within its window.
    fn visit_of(&self, at: usize, slot: Slot) -> (usize, Slot) {
        let mut here = (at, slot);
        // A host is more frequent than its guest or named by it; the circle of names was refused when it was read.
        for _ in 0..self.series.len() {
            let Some(host) = self.host(here.0, &here.1) else { break };
            here = host;
        }
        here
    }

    fn host(&self, at: usize, slot: &Slot) -> Option<(usize, Slot)> {
        let guest = &self.series[at];
        let hosts =
            self.series.iter().enumerate().filter(|(other, host)| *other != at && may_carry(host, guest));
        let nearest = hosts.filter_map(|(other, host)| {
            let near = host.near(slot.aim).into_iter().filter(|near| slot.window.covers(near.window));
            let near = near.min_by_key(|near| (days_between(near.aim, slot.aim), near.n))?;
            Some((days_between(near.aim, slot.aim), other, near))
        });
        nearest.min_by_key(|(far, other, _)| (*far, *other)).map(|(_, other, near)| (other, near))
    }

    /// The days up to `horizon` on which nothing is owed, whole. Where a contract speaks of phases, days between these
    /// count though something rarer runs through them.
    pub fn gaps(&self, horizon: Date) -> Vec<Gap> {
        let phased = self.series.iter().any(Series::is_phase);
        let counted = || self.series.iter().filter(|series| !phased || series.is_phase());
        let Some(begins) = counted().map(|series| series.anchor).min() else { return Vec::new() };
        let ends: Option<Vec<Date>> = counted().map(|series| series.ends).collect();
        let ends = ends.and_then(|ends| ends.into_iter().max());
        let mut spans: Vec<(Date, Option<Date>, &str)> = counted()
            .filter_map(|series| series.owed().map(|(from, until)| (from, until, series.name())))
            .collect();
        spans.sort_unstable();
        let mut gaps = Vec::new();
        let (mut covered, mut after) = (Some(begins), None);
        for (from, until, rule) in spans {
            let Some(day) = covered else { break };
            if from > day {
                gaps.push(Gap { from: day, until: Some(from), after, before: Some(rule.to_owned()) });
                after = None;
            }
            if until.is_none_or(|until| until > day) {
                covered = until;
                after = Some(rule.to_owned());
            }
        }
        if let Some(day) = covered.filter(|day| ends.is_none_or(|ends| *day < ends)) {
            gaps.push(Gap { from: day, until: ends, after, before: None });
        }
        gaps.retain(|gap| gap.from <= horizon);
        gaps
    }
}

/// Whether the visits of one rule may do the other's work.
fn may_carry(host: &Series<'_>, guest: &Series<'_>) -> bool {
    let both_visit = host.rule.way == Way::Visit && guest.rule.way == Way::Visit;
    if !both_visit || guest.rule.own_visit || host.rule.own_visit {
        return false;
    }
    match &guest.rule.satisfied_by {
        Some(name) => *name == host.rule.name,
        None => host.rule.satisfied_by.is_none() && host.rank() < guest.rank(),
    }
}

/// Says of each visit whose work it does.
fn carry(all: &mut [Occurrence]) {
    let mut guests: HashMap<Key, Vec<Key>> = HashMap::new();
    for occurrence in all.iter() {
        if let Some(host) = &occurrence.merged_into {
            guests.entry(host.clone()).or_default().push(occurrence.key.clone());
        }
    }
    for occurrence in all {
        occurrence.carries = guests.remove(&occurrence.key).unwrap_or_default();
    }
}

/// The day after the last on which anything is owed: the contract's, else its warranty's.
fn end_of(contract: &Contract, anchor: Date) -> Option<Date> {
    match (contract.ends, contract.warranty.as_ref()) {
        (Some(last), _) => last.tomorrow().ok(),
        (None, Some(warranty)) if contract.kind == "warranty" => warranty.length.after(anchor),
        (None, _) => None,
    }
}

fn days_between(a: Date, b: Date) -> u64 {
    a.duration_since(b).as_secs().unsigned_abs() / 86_400
}

fn before(day: Date, length: Length) -> Option<Date> {
    match length {
        Length::Days(days) => day.checked_sub(days.days()).ok(),
        Length::Months(months) => day.checked_sub(months.months()).ok(),
        Length::Life => None,
    }
}

#[cfg(test)]
mod daily;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
