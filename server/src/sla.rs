//! Clocks: what a contract promised against what happened to a ticket.
//!
//! A clock is a pure function of the ticket's events, the contract's version and the calendar; nothing about it is
//! stored that could go stale. It is measured on one ruler: working seconds of its calendar, or seconds that pass.
//! A pause consumes none of the budget and so moves the instant it is due by exactly as many working seconds as it
//! lasted. A change of priority, zone or contract makes a new segment; nothing that was used is lost. Used and
//! remaining are always the budget, and every second since the start stands in the ledger with its reason.
//!
//! What is due and what has been used are both told, since people confuse them. A breach that later evidence
//! disproves is gone from the clock, and both facts stay ([`store::notice`]).

pub mod api;
pub mod event;
pub mod foresee;
mod phase;
pub mod record;
pub mod ruler;
pub mod share;
pub mod step;
pub mod store;
pub mod travel;
mod walk;

use jiff::Timestamp;

use crate::contract::measure::Amount;
use crate::contract::{Axis, Calendars, ClockRule, Contract, Target};

pub use walk::project;

/// How a clock stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing has started it.
    NotStarted,
    /// It runs.
    Running,
    /// Something that may stop it does.
    Paused {
        /// What.
        reason: String,
    },
    /// It was kept.
    Met,
    /// Its time is up and it still runs.
    BreachedRunning,
    /// It was stopped after its time was up.
    BreachedMet,
    /// It does not count.
    Void {
        /// Why.
        reason: String,
        /// Who said so.
        approver: String,
    },
}

impl State {
    /// The word in JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotStarted => "not_started",
            Self::Running => "running",
            Self::Paused { .. } => "paused",
            Self::Met => "met",
            Self::BreachedRunning => "breached_running",
            Self::BreachedMet => "breached_met",
            Self::Void { .. } => "void",
        }
    }
}

/// Why an interval counts or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// Working time: it counts.
    Working,
    /// Out of the calendar's hours.
    Closed,
    /// An allowed pause.
    Paused(String),
    /// It counts, though a pause was asked for: the reason or the approver is not on the list.
    PauseRefused(String),
    /// It counts, since the pause has lasted as long as it may.
    PauseUsedUp(String),
    /// Stopped, until the ticket was opened again.
    Stopped,
    /// A long stretch whose hours are not listed one by one.
    Summed,
}

impl Why {
    /// The word in JSON, and the pause's reason.
    pub fn words(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Working => ("working", None),
            Self::Closed => ("closed", None),
            Self::Paused(reason) => ("paused", Some(reason)),
            Self::PauseRefused(reason) => ("pause_refused", Some(reason)),
            Self::PauseUsedUp(reason) => ("pause_used_up", Some(reason)),
            Self::Stopped => ("stopped", None),
            Self::Summed => ("summed", None),
        }
    }
}

/// An interval of the ledger, half open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its first second.
    pub from: Timestamp,
    /// The second after its last.
    pub to: Timestamp,
    /// How many of its seconds were used.
    pub counted_s: i64,
    /// Why.
    pub why: Why,
}

/// Under which terms a clock ran from an instant on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Since when.
    pub from: Timestamp,
    /// The priority that governed.
    pub priority: Option<String>,
    /// The zone.
    pub zone: Option<String>,
    /// The version of the contract.
    pub version: String,
    /// The budget under these terms, on their ruler, seconds; `None` where the contract does not decide.
    pub budget_s: Option<i64>,
}

/// A clock as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    /// The rule's name.
    pub name: String,
    /// Which run of it; 1 is the first.
    pub run: u32,
    /// Whether this run is of a repeated fault.
    pub repeat: bool,
    /// Whether it counts for a goal; a run that was begun again does not.
    pub counts: bool,
    /// How it stands.
    pub state: State,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it was stopped.
    pub stopped_at: Option<Timestamp>,
    /// When it is due; where it is paused, if it went on now.
    pub due_at: Option<Timestamp>,
    /// When its time was up, where it ran on.
    pub breached_at: Option<Timestamp>,
    /// Whether a day that is not announced yet may move it.
    pub provisional: bool,
    /// The budget, seconds on its ruler.
    pub budget_s: i64,
    /// What was used of it.
    pub used_s: i64,
    /// Paused seconds, on the ruler.
    pub paused_s: i64,
    /// The terms it ran under.
    pub segments: Vec<Segment>,
    /// Every second since its start.
    pub ledger: Vec<Entry>,
    /// When 50, 75, 90 and 100 per cent were used, as far as that has happened.
    pub crossed: Vec<(u8, Timestamp)>,
    /// What was claimed and does not count: events without the evidence that is demanded.
    pub claimed: Vec<String>,
    /// When something about it changed last by time alone: a share of the budget was used, its time was up, a pause
    /// had lasted as long as it may.
    pub turned_at: Option<Timestamp>,
    /// When something changes next by time alone.
    pub next_at: Option<Timestamp>,
}

impl Clock {
    /// What is left of the budget; negative after a breach.
    pub fn remaining_s(&self) -> i64 {
        self.budget_s - self.used_s
    }

    /// Whether its time was up before it was stopped.
    pub fn is_breached(&self) -> bool {
        self.breached_at.is_some()
    }
}

/// Shares of the budget that are told, per cent.
pub const THRESHOLDS: [u8; 4] = [50, 75, 90, 100];

/// A version of a contract at a site.
#[derive(Clone, Copy, Debug)]
pub struct Version<'c> {
    /// Its name.
    pub id: &'c str,
    /// Since when it is in force.
    pub from: Timestamp,
    /// What it says.
    pub contract: &'c Contract,
    /// Its calendars in the site's zone.
    pub calendars: &'c Calendars,
}

/// Why a clock cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// No contract was in force, or it has no such clock.
    #[error("no version of the contract that was in force has a clock `{0}`")]
    NoClock(String),
    /// The target depends on something that is not known.
    #[error("the target of `{clock}` depends on the {on}, and none is given that it knows")]
    NoCase {
        /// The clock.
        clock: String,
        /// What it depends on.
        on: &'static str,
    },
    /// The agreed time is not known, or a day lies beyond every calendar.
    #[error("`{0}` has no instant to be due at: no time was agreed, or the calendar has no such day")]
    NoInstant(String),
}

/// The target for a ticket. `in_hours` is whether the start lies within hours.
pub fn amount(
    rule: &ClockRule,
    priority: Option<&str>,
    zone: Option<&str>,
    in_hours: bool,
) -> Result<Amount, Undecided> {
    let mut target = &rule.target;
    loop {
        match target {
            Target::Same(amount) => return Ok(*amount),
            Target::By { axis, cases, other } => {
                let (on, wanted) = match axis {
                    Axis::Priority => ("priority", priority),
                    Axis::Zone => ("zone", zone),
                    Axis::Hours => ("hours", Some(if in_hours { "in_hours" } else { "out_of_hours" })),
                };
                let hit = cases.iter().find(|case| Some(case.0.as_str()) == wanted).map(|case| &case.1);
                // `other` stands for values that the contract knows, not for one that nobody gave.
                let rest = if wanted.is_some() { other.as_deref() } else { None };
                target = hit.or(rest).ok_or(Undecided::NoCase { clock: rule.name.clone(), on })?;
            }
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
