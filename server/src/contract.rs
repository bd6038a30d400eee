//! What was promised to a customer: a contract is a document that people write, read and argue about, and from
//! which the machine computes what is due, what is free and what it costs.
//!
//! A contract is checked as a whole before it may be used ([`document::read`]): what contradicts itself is refused,
//! what looks like a slip of the pen or was left open must be decided by a person, and the decision stands in the
//! contract. After that every question has one answer. Which event starts a clock, which stops it, on which calendar
//! it runs and what may pause it are data; so are warranty, prices, penalties, inspections and consents. No number
//! of any promise is a constant of the program.

pub mod api;
mod calendars;
mod clauses;
mod clock;
pub mod compare;
pub mod document;
pub mod file;
mod inspect;
pub mod life;
pub mod measure;
pub mod penalty;
mod price;
pub mod quote;
mod reader;
pub mod remark;
mod rights;
pub mod step;
pub mod store;
pub mod template;
pub mod tier;
pub mod warranty;

use std::collections::BTreeMap;

use jiff::SignedDuration;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::calendar::{Calendar, Fault, Parts};
use measure::{Amount, Fen, Length};

pub use clock::EVENTS;
pub use inspect::{InspectRule, Phase, Way, When};
pub use price::{Price, PriceTerms, Rate, Unit};

/// A contract that was checked.
#[derive(Clone, Debug)]
pub struct Contract {
    /// Its number.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What kind of contract it is: `warranty`, `annual`, `per_visit`, `retail`, `construction`, `supplier`.
    pub kind: String,
    /// The zone of its calendars, where a site has none of its own.
    pub zone: TimeZone,
    /// The whole price, of which penalties are a share.
    pub total: Option<Fen>,
    /// First and last day.
    pub begins: Option<Date>,
    /// Last day.
    pub ends: Option<Date>,
    /// Who is who: role and name.
    pub parties: Vec<(String, String)>,
    /// Devices, classes or work items it covers; empty is everything of the customer.
    pub scope: Scope,
    /// Who chooses the priority.
    pub chooser: Chooser,
    /// Its priorities, the most urgent first.
    pub priorities: Vec<Level>,
    /// Its zones.
    pub zones: Vec<Level>,
    /// Its calendars by name; `always` is there without being written.
    pub calendars: BTreeMap<String, Parts>,
    /// Its clocks.
    pub clocks: Vec<ClockRule>,
    /// Stages of coverage by kind of service.
    pub coverage: Vec<Stage>,
    /// Its warranty.
    pub warranty: Option<Warranty>,
    /// Return, exchange and repair windows.
    pub windows: Vec<Window>,
    /// Its rules for parts.
    pub parts: PartTerms,
    /// Its prices.
    pub prices: Vec<Price>,
    /// What holds for all prices.
    pub price_terms: PriceTerms,
    /// Its penalties.
    pub penalties: Penalties,
    /// Its substitute devices.
    pub loaner: Option<Loaner>,
    /// Its scale of satisfaction, best first.
    pub csat: Vec<(String, i64)>,
    /// By when a complaint is answered.
    pub complaint: Option<AnswerTime>,
    /// Consents that are needed, by operation.
    pub consents: Vec<Consent>,
    /// At most so many rounds of plan and fee before work, and whether our misdiagnosis is our cost.
    pub letter: Option<Letter>,
    /// What is inspected how often, in the order of the text.
    pub inspections: Vec<InspectRule>,
    /// Whether work goes on until restored, so that the end of a shift needs a named successor.
    pub continuous: bool,
    /// What accepting it needs, and when its end is announced.
    pub terms: file::Terms,
}

/// What a contract covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Serial or national numbers.
    pub devices: Vec<String>,
    /// Classes of devices.
    pub classes: Vec<String>,
    /// Works without devices.
    pub work_items: Vec<String>,
    /// Whether only what is named is covered.
    pub only_listed: bool,
}

/// Who chooses the priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chooser {
    /// The customer; an assessed one stands beside it.
    Customer,
    /// Whoever takes the call.
    Desk,
    /// The company.
    Company,
    /// A rule.
    Rule,
    /// What was measured.
    Monitoring,
    /// There are no priorities.
    None,
}

/// A priority or a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// Its key.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// When it is this one; for a zone, its places.
    pub when: Vec<String>,
}

/// A promise with a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClockRule {
    /// Its name.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Whether a supplier owes it to us.
    pub supplier: bool,
    /// The events that start it, whichever comes first.
    pub start: Vec<String>,
    /// The events that stop it.
    pub stop: Vec<String>,
    /// An event without which it does not run.
    pub only_if: Option<String>,
    /// The calendar it counts on.
    pub calendar: String,
    /// The calendar that says whether the start lies within hours.
    pub hours: Option<String>,
    /// How long it may run.
    pub target: Target,
    /// Whether the day of the start is the first of the working days that are counted.
    pub count_start_day: bool,
    /// What may pause it.
    pub pauses: Vec<PauseRule>,
    /// The share of tickets that must keep it, per cent; 100 is each.
    pub goal_percent: u8,
    /// What a change of priority, zone or contract does to the time already used.
    pub from_change: bool,
    /// What becomes of it when a ticket is opened again.
    pub reopen: Reopen,
    /// Until how long after the stop a ticket may be opened again; afterwards it is a repeat fault.
    pub reopen_within: Option<SignedDuration>,
    /// The evidence of which one kind must prove its stop; empty is any.
    pub evidence: Vec<String>,
    /// Who is called when it breaks.
    pub escalate: Option<String>,
    /// Who must consent before an agreed time is moved.
    pub reset_needs: Option<String>,
}

/// The target, by what it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The same for all.
    Same(Amount),
    /// By a property of the ticket.
    By {
        /// Which one.
        axis: Axis,
        /// Of each value.
        cases: Vec<(String, Target)>,
        /// Of all other values.
        other: Option<Box<Target>>,
    },
}

/// What a target depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// The priority.
    Priority,
    /// The zone of the site.
    Zone,
    /// Whether the start lies within hours: cases `in_hours` and `out_of_hours`.
    Hours,
}

/// A reason that may pause a clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PauseRule {
    /// The reason.
    pub reason: String,
    /// Who must have approved it; `none` where nobody must.
    pub approver: String,
    /// At most so long, on the clock's own ruler.
    pub most: Option<SignedDuration>,
}

/// What becomes of a clock when its ticket is opened again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reopen {
    /// It goes on where it stopped; the time between does not count.
    Continue,
    /// It begins again; both runs count for a goal as one.
    Restart,
    /// A new clock runs for a repeated fault, and counts by itself.
    RepeatFault,
}

/// Until when which kind of service is free; the stages of one service follow each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The service.
    pub service: String,
    /// Only these classes or work items; empty is all.
    pub only: Vec<String>,
    /// How long; the last one may be a life.
    pub length: Length,
    /// What parts cost.
    pub parts: Basis,
    /// What labour costs.
    pub labour: Basis,
    /// What travel costs.
    pub travel: Basis,
}

/// On which basis something is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Not at all.
    Free,
    /// What it costs us.
    Cost,
    /// What the contract was sold for.
    Deal,
    /// The price list.
    List,
    /// Negotiated case by case: a person.
    Agree,
    /// Not offered.
    None,
}

impl Basis {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Cost => "cost",
            Self::Deal => "deal",
            Self::List => "list",
            Self::Agree => "agree",
            Self::None => "none",
        }
    }
}

/// When a warranty begins, how long it lasts, and what it excludes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warranty {
    /// The events it may begin with, the strongest first, each with the evidence of which one is needed.
    pub anchors: Vec<(String, Vec<String>)>,
    /// It begins so many days after its anchor.
    pub offset_days: i32,
    /// Its length.
    pub length: Length,
    /// Other lengths by class of part or work item.
    pub classes: Vec<(Vec<String>, Length)>,
    /// Whether a maker's longer term wins.
    pub maker_extends: bool,
    /// What a replacement begins.
    pub on_replace: Option<Restart>,
    /// How long a part of a paid repair is covered.
    pub paid_repair: Option<Length>,
    /// Whether a right that was there is never shortened.
    pub longest_wins: bool,
    /// Whether the same fault of a repaired device is free after the warranty, and for how long.
    pub repeat_fault: Option<Length>,
    /// Causes it does not cover.
    pub exclusions: Vec<Exclusion>,
    /// Evidence that a claim needs.
    pub demands: Vec<Demand>,
    /// The card that keeps the lifelong service: within so long of the anchor.
    pub registration: Option<Length>,
    /// Stocks that warranty parts are never taken from.
    pub not_from: Vec<String>,
}

/// What a replacement begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// The length that begins.
    pub length: Length,
    /// The event it begins with.
    pub from: String,
}

/// A cause that a warranty does not cover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion {
    /// The cause.
    pub cause: String,
    /// What its parts cost.
    pub parts: Basis,
    /// What its labour costs.
    pub labour: Basis,
}

/// Evidence that a claim needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The evidence.
    pub evidence: String,
    /// Whether the claim fails without it; otherwise a person decides.
    pub fails: bool,
}

/// A right of the first days after a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// `return`, `exchange` or `repair`.
    pub right: String,
    /// First day after the anchor; the day of the anchor is 0.
    pub from_day: i32,
    /// Last day; `None` is until the end of the warranty.
    pub to_day: Option<i32>,
    /// Who must confirm it.
    pub confirm_by: String,
}

/// What holds for parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartTerms {
    /// A part up to this price, it included, is free.
    pub free_up_to: Option<Fen>,
    /// Whether the boundary itself is not free.
    pub boundary_charged: bool,
}

/// Penalties and what bounds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Penalties {
    /// The rules.
    pub rules: Vec<PenaltyRule>,
    /// All of them together at most so much of the total, in parts of ten thousand.
    pub cap_per_10_000: Option<i64>,
    /// Who approves an estimate.
    pub approval: String,
}

/// A penalty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PenaltyRule {
    /// The clock whose breach it is for; `None` for an event.
    pub clock: Option<String>,
    /// The event it is for.
    pub event: Option<String>,
    /// Parts of ten thousand of the total.
    pub per_10_000: i64,
    /// Whether each started day counts, not only the case.
    pub per_started_day: bool,
}

/// Substitute devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaner {
    /// The clock and how much of its time must be used.
    pub after: Option<(String, Amount)>,
    /// Events that demand one.
    pub events: Vec<String>,
    /// What must have happened before the original comes back.
    pub return_after: Vec<String>,
    /// Whether the customer is liable for damage.
    pub liable: bool,
}

/// A consent that an operation needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// The operation.
    pub operation: String,
    /// Everyone who must consent.
    pub from: Vec<String>,
}

/// How long the answer to a complaint may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerTime {
    /// How long, as it is written.
    pub words: String,
    /// How long.
    pub amount: Amount,
    /// The calendar on which that is counted.
    pub calendar: String,
}

/// Plan and fee before work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letter {
    /// At most so many rounds.
    pub rounds: i64,
    /// Whether what we diagnosed wrongly is our own cost.
    pub misdiagnosis_ours: bool,
}

/// The calendars of a contract at a site.
#[derive(Clone, Debug)]
pub struct Calendars(BTreeMap<String, Calendar>);

impl Calendars {
    /// A calendar; `None` for `always`.
    pub fn find(&self, name: &str) -> Option<&Calendar> {
        self.0.get(name)
    }
}

impl Contract {
    /// Its calendars in a site's zone, or in its own.
    pub fn calendars(&self, zone: Option<&TimeZone>) -> Result<Calendars, Fault> {
        let calendars = self.calendars.iter().map(|(name, parts)| {
            let parts = match zone {
                Some(zone) => Parts { zone: zone.clone(), ..parts.clone() },
                None => parts.clone(),
            };
            Calendar::new(parts).map(|calendar| (name.clone(), calendar))
        });
        calendars.collect::<Result<_, _>>().map(Calendars)
    }

    /// The clock of a name.
    pub fn find_clock(&self, name: &str) -> Option<&ClockRule> {
        self.clocks.iter().find(|clock| clock.name == name)
    }

    /// Whether any of its clocks starts, stops or waits for an event of this name.
    pub fn tells(&self, event: &str) -> bool {
        let named = |rule: &ClockRule| {
            rule.start.iter().chain(&rule.stop).chain(&rule.only_if).any(|name| name == event)
        };
        self.clocks.iter().any(named)
    }

    /// Everyone who must consent to an operation.
    pub fn consent_to(&self, operation: &str) -> Vec<&str> {
        let wanted = self.consents.iter().filter(|consent| consent.operation == operation);
        wanted.flat_map(|consent| consent.from.iter().map(String::as_str)).collect()
    }
}

/// The calendar that is always open.
pub const ALWAYS: &str = "always";

#[cfg(test)]
mod tests;
