//! A plan as people write it, and as a ticket keeps it: steps one after the other, each with the people it asks,
//! gone through as a whole once or several times, and what happens when nobody answers.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::calendar::holiday::Holidays;
use crate::calendar::{Calendar, DAY_S, Parts, Span};
use crate::incident::rank;

/// Steps of one round.
pub const STEPS_MAX: usize = 20;
/// Targets of one step.
pub const TARGETS_MAX: usize = 20;
/// Rounds.
pub const ROUNDS_MAX: u32 = 50;
/// The longest wait, seconds.
pub const WAIT_MAX_S: u32 = 7 * 24 * 3600;
/// How far ahead the end of quiet hours is looked for.
const QUIET_MAX: SignedDuration = SignedDuration::from_hours(8 * 24);

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = EscalationPlan)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// For which trouble; of several plans of one place the first that fits is taken.
    #[serde(default)]
    pub when: When,
    /// What is done, one after the other.
    pub steps: Vec<Step>,
    /// How often the whole is gone through, at least once.
    #[serde(default = "once")]
    pub rounds: u32,
    /// How long after the last step the next round begins, seconds.
    #[serde(default)]
    pub round_every_s: u32,
    /// How long after the last step of the last round the manager is asked, and so long after that the
    /// administrators, seconds; `null` asks nobody further.
    pub answer_s: Option<u32>,
    /// How long whoever has taken the ticket may be silent before being asked again, and so long after that the
    /// escalation goes on, seconds; `null` trusts for ever.
    pub ack_s: Option<u32>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = EscalationStep)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// How long after the step before, seconds; the first one's is counted from the beginning.
    #[serde(default)]
    pub after_s: u32,
    /// Who is asked, all at once.
    pub targets: Vec<Target>,
    /// Without this the step is passed over, which the record says.
    #[serde(default)]
    pub when: When,
    /// In these hours the step waits for their end, unless the trouble is critical.
    pub quiet: Option<Hours>,
}

/// Whom a step asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = EscalationTarget)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Target {
    /// One person.
    Person {
        /// Who.
        account_id: String,
    },
    /// The site's duty list, or the general one where it has none.
    Duty {},
    /// Whoever is on duty in a rota at that moment.
    Rota {
        /// Which.
        rota_id: String,
        /// Only this layer, from 0; all of them when it is not given.
        layer: Option<u32>,
    },
    /// Everybody of a team.
    Team {
        /// Which.
        team_id: String,
    },
    /// People with a skill whose certificate is good, nearest first.
    Skill {
        /// Which.
        skill: String,
        /// Only those who live this near to the site.
        within_km: Option<f64>,
    },
    /// The manager of the site, else of the customer, else of all.
    Manager {},
    /// The expert panel of the site, else of the customer, else of all.
    Experts {},
}

/// A condition; what is empty does not restrict.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = EscalationCondition)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// `critical`, `major`.
    pub severities: Vec<String>,
    /// Device classes; a gateway's own trouble is of the class `gateway`.
    pub classes: Vec<String>,
    /// Customers by id.
    pub customers: Vec<String>,
    /// Sites by id.
    pub sites: Vec<String>,
    /// Only in these hours.
    pub hours: Option<Hours>,
}

/// Hours of a week in the site's zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = EscalationHours)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// Days of the week, 1 is Monday, 7 is Sunday.
    pub days: Vec<u8>,
    /// `HH:MM`, included.
    pub from: String,
    /// `HH:MM`, not included; what is not after `from` is on the next day, and `24:00` is the end of the day.
    pub to: String,
    /// Whether Chinese public holidays are off and their make-up days are worked.
    #[serde(default)]
    pub holidays: bool,
    /// Everything but these hours.
    #[serde(default)]
    pub outside: bool,
}

fn once() -> u32 {
    1
}

/// What a condition is held against.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "named as on screen")]
pub struct Trouble {
    pub severity: String,
    pub class: String,
    pub customer_id: String,
    pub site_id: String,
    pub zone: TimeZone,
}

/// Why a condition does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Another severity.
    Severity,
    /// Another class of device.
    Class,
    /// Another customer.
    Customer,
    /// Another site.
    Site,
    /// Not at this time.
    Hours,
}

impl Why {
    /// The word on the record.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Severity => "severity",
            Self::Class => "class",
            Self::Customer => "customer",
            Self::Site => "site",
            Self::Hours => "hours",
        }
    }
}

/// What is wrong with a plan: where, what, and what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Fault {
    /// As in `steps[1].targets`.
    pub place: String,
    /// What is wrong.
    pub what: String,
    /// What would do.
    pub hint: &'static str,
}

impl When {
    /// Why it does not hold; `None` when it does.
    pub fn fails(&self, trouble: &Trouble, at: Timestamp) -> Option<Why> {
        let lacks = |list: &[String], word: &str| !list.is_empty() && !list.iter().any(|one| one == word);
        if lacks(&self.severities, &trouble.severity) {
            return Some(Why::Severity);
        }
        if lacks(&self.classes, &trouble.class) {
            return Some(Why::Class);
        }
        if lacks(&self.customers, &trouble.customer_id) {
            return Some(Why::Customer);
        }
        if lacks(&self.sites, &trouble.site_id) {
            return Some(Why::Site);
        }
        let outside = self.hours.as_ref().is_some_and(|hours| !hours.hold(&trouble.zone, at));
        outside.then_some(Why::Hours)
    }

    fn check(&self, place: &str) -> Result<(), Fault> {
        let fault = |key: &str, what: String, hint| Fault { place: format!("{place}.{key}"), what, hint };
        if let Some(word) = self.severities.iter().find(|word| rank(word) < 2) {
            let hint = "use critical and major; minor trouble pages nobody";
            return Err(fault("severities", format!("`{word}` is not paged"), hint));
        }
        if let Some(word) = self.classes.iter().find(|word| !crate::device::CLASSES.contains(&word.as_str()))
        {
            return Err(fault(
                "classes",
                format!("`{word}` is no class of device"),
                "see the list of classes",
            ));
        }
        let lists = [&self.severities, &self.classes, &self.customers, &self.sites];
        if lists.iter().any(|list| list.len() > 500) {
            return Err(fault("lists", "one is too long".into(), "name at most 500"));
        }
        self.hours.as_ref().map_or(Ok(()), |hours| hours.check(&format!("{place}.hours")))
    }
}

impl Hours {
    /// Whether `at` lies in them.
    pub fn hold(&self, zone: &TimeZone, at: Timestamp) -> bool {
        // What cannot be read restricts nothing: a step too many is better than none.
        self.calendar(zone).is_none_or(|calendar| calendar.is_working(at) != self.outside)
    }

    /// When they end, if they hold at `at`; at most eight days later.
    pub fn end(&self, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
        let calendar = self.calendar(zone)?;
        let minute = SignedDuration::from_mins(1);
        let mut next = Timestamp::from_second(at.as_second().div_euclid(60) * 60).ok()?;
        while next < at.checked_add(QUIET_MAX).ok()? {
            next = next.checked_add(minute).ok()?;
            if calendar.is_working(next) == self.outside {
                return Some(next);
            }
        }
        None
    }

    fn span(&self) -> Option<Span> {
        let from_s = seconds(&self.from)?;
        let to_s = seconds(&self.to)?;
        Some(Span { from_s, to_s: if to_s > from_s { to_s } else { to_s + DAY_S } })
    }

    fn calendar(&self, zone: &TimeZone) -> Option<Calendar> {
        let span = self.span()?;
        let mut week: [Vec<Span>; 7] = Default::default();
        for day in &self.days {
            week.get_mut(usize::from(*day).checked_sub(1)?)?.push(span);
        }
        let parts = Parts {
            name: String::new(),
            zone: zone.clone(),
            week,
            work_day: None,
            overrides: std::collections::BTreeMap::new(),
            holidays: self.holidays.then(Holidays::china),
            make_up_days: true,
        };
        Calendar::new(parts).ok()
    }

    fn check(&self, place: &str) -> Result<(), Fault> {
        if self.calendar(&TimeZone::UTC).is_some() {
            return Ok(());
        }
        let hint = "write days from 1 (Monday) to 7, and times as 08:30; 24:00 ends the day";
        Err(Fault { place: place.to_owned(), what: "they cannot be read".to_owned(), hint })
    }
}

fn seconds(text: &str) -> Option<i64> {
    if text == "24:00" {
        return Some(DAY_S);
    }
    let time: Time = text.parse().ok().filter(|_| text.len() == 5)?;
    Some(i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60)
}

impl Plan {
    /// The built-in plan: everybody on the site's duty list at once, on every channel, and whoever comes on duty
    /// later; nobody further.
    pub fn built_in() -> Self {
        let step = Step { after_s: 0, targets: vec![Target::Duty {}], when: When::default(), quiet: None };
        Self {
            when: When::default(),
            steps: vec![step],
            rounds: 1,
            round_every_s: 0,
            answer_s: None,
            ack_s: None,
        }
    }

    /// One step for one target, and then the manager: what a person asks for by hand.
    pub fn by_hand(target: Target, answer_s: Option<u32>, ack_s: Option<u32>) -> Self {
        let step = Step { targets: vec![target], ..Self::built_in().steps.remove(0) };
        Self { steps: vec![step], answer_s, ack_s, ..Self::built_in() }
    }

    /// Whether everything is within its bounds and can be read.
    pub fn check(&self) -> Result<(), Fault> {
        let fault = |place: String, what: &str, hint| Fault { place, what: what.to_owned(), hint };
        self.when.check("when")?;
        if !(1..=STEPS_MAX).contains(&self.steps.len()) {
            return Err(fault("steps".into(), "there are none, or too many", "write 1 to 20 steps"));
        }
        if !(1..=ROUNDS_MAX).contains(&self.rounds) {
            return Err(fault("rounds".into(), "out of bounds", "write 1 to 50"));
        }
        if self.rounds > 1 && self.round_every_s < 60 {
            let hint = "write at least 60 seconds between two rounds";
            return Err(fault("round_every_s".into(), "too short", hint));
        }
        let waits = [Some(self.round_every_s), self.answer_s, self.ack_s];
        let steps = self.steps.iter().map(|step| Some(step.after_s));
        if waits.into_iter().chain(steps).flatten().any(|wait| wait > WAIT_MAX_S) {
            return Err(fault("waits".into(), "one is longer than a week", "write at most 604800 seconds"));
        }
        if self.ack_s.is_some_and(|wait| wait < 60) || self.answer_s.is_some_and(|wait| wait < 60) {
            return Err(fault("answer_s, ack_s".into(), "too short", "give people at least 60 seconds"));
        }
        for (index, step) in self.steps.iter().enumerate() {
            let place = format!("steps[{index}]");
            if !(1..=TARGETS_MAX).contains(&step.targets.len()) {
                return Err(fault(format!("{place}.targets"), "none, or too many", "name 1 to 20"));
            }
            step.when.check(&format!("{place}.when"))?;
            if let Some(quiet) = &step.quiet {
                quiet.check(&format!("{place}.quiet"))?;
            }
            for target in &step.targets {
                if let Target::Skill { skill, within_km } = target
                    && (skill.trim().is_empty()
                        || within_km.is_some_and(|km| !(0.1..=20_000.0).contains(&km)))
                {
                    let hint = "name the skill, and a distance between 0.1 and 20000 km or none";
                    return Err(fault(format!("{place}.targets"), "the skill or its distance", hint));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(days: &[u8], from: &str, to: &str) -> Hours {
        Hours { days: days.to_vec(), from: from.into(), to: to.into(), holidays: true, outside: false }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn hours_go_over_midnight_and_know_holidays() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let night = hours(&[1, 2, 3, 4, 5], "22:00", "06:00");
        assert!(night.hold(&zone, at("2026-11-23T14:00:00Z")), "Monday 22:00");
        assert!(night.hold(&zone, at("2026-11-23T21:59:59Z")), "Tuesday 05:59:59");
        assert!(!night.hold(&zone, at("2026-11-23T22:00:00Z")), "half open");
        let office = hours(&[1, 2, 3, 4, 5], "08:30", "18:00");
        assert!(!office.hold(&zone, at("2026-10-01T02:00:00Z")), "National Day is a Thursday");
        assert_eq!(office.end(&zone, at("2026-11-23T02:10:30Z")), Some(at("2026-11-23T10:00:00Z")));
        let rest = Hours { outside: true, ..office };
        assert!(rest.hold(&zone, at("2026-10-01T02:00:00Z")));
        assert_eq!(rest.end(&zone, at("2026-11-21T02:00:00Z")), Some(at("2026-11-23T00:30:00Z")));
    }

    #[test]
    fn a_plan_is_refused_with_its_place() {
        let good = Plan::built_in();
        assert_eq!(good.check(), Ok(()));
        let bad = Plan { rounds: 3, ..good.clone() };
        assert_eq!(bad.check().unwrap_err().place, "round_every_s");
        let mut bad = good.clone();
        bad.steps[0].quiet = Some(hours(&[8], "08:30", "09:00"));
        assert_eq!(bad.check().unwrap_err().place, "steps[0].quiet");
        let mut bad = good;
        bad.when.severities = vec!["minor".into()];
        assert_eq!(bad.check().unwrap_err().place, "when.severities");
    }
}
