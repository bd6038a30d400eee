//! How clocks look on the API.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::contract::{ALWAYS, ClockRule, Contract};
use crate::sla::event::{Event, What, effective};
use crate::sla::store::travel::Going;
use crate::sla::store::{Case, notice};
use crate::sla::{Clock, State};

pub mod board;

/// The clocks of a ticket as they stand at `now`. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
pub struct TicketClocks {
    /// When that was.
    pub now: i64,
    /// The contract that governs it; `null` where none does, and then nothing else is there.
    pub contract: Option<ClockContract>,
    /// Every run of every clock.
    pub clocks: Vec<TicketClock>,
    /// The clocks that cannot be told, with the reason.
    pub undecided: Vec<UndecidedClock>,
    /// What was told of them, in the order in which it was known.
    pub notices: Vec<ClockNotice>,
    /// Since when its device works again by measurement, where a person opened it and nobody has said yet that it is
    /// restored: somebody confirms it.
    pub works_since: Option<i64>,
    /// Who has accepted a visit and is not there yet; a customer is not told.
    pub on_the_way: Vec<OnTheWay>,
    /// What may be said of the work.
    pub choices: FactChoices,
}

/// Somebody who goes to the site of a ticket. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
pub struct OnTheWay {
    /// The visit.
    pub visit_id: String,
    /// Its number on the ticket.
    pub number: i64,
    /// Who.
    pub name: String,
    /// The distance over ground from the person's home to the site, km; `null` where nobody knows it.
    pub km: Option<f64>,
    /// For when the visit is planned.
    pub planned_at: Option<i64>,
    /// Since when somebody is on the way.
    pub departed_at: Option<i64>,
    /// When the person can be there, as it looks now; `null` where nobody knows how far it is.
    pub arrives_at: Option<i64>,
    /// When the person must set out so that the next clock that an arrival stops is kept.
    pub leave_by: Option<i64>,
}

/// The contract that governs a ticket.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClockContract {
    /// Names it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The version in force when the ticket was reported.
    pub version: i64,
    /// All its usable versions.
    pub versions: Vec<i64>,
}

/// One run of a clock. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "a shape of the wire, not a state")]
pub struct TicketClock {
    /// The rule's name.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Which run of it; 1 is the first.
    pub run: u32,
    /// Whether this run is of a repeated fault.
    pub repeat: bool,
    /// Whether it counts for a goal.
    pub counts: bool,
    /// Whether a supplier owes it to us.
    pub supplier: bool,
    /// `not_started`, `running`, `paused`, `met`, `breached_running`, `breached_met` or `void`.
    pub state: String,
    /// Why it is paused or void; empty otherwise.
    pub reason: String,
    /// Who said that it is void; empty otherwise.
    pub approver: String,
    /// When it began.
    pub started_at: Option<i64>,
    /// When it was stopped.
    pub stopped_at: Option<i64>,
    /// When it is due; where it is paused, if it went on now.
    pub due_at: Option<i64>,
    /// When its time was up, where it ran on.
    pub breached_at: Option<i64>,
    /// Whether a day that is not announced yet may move it.
    pub provisional: bool,
    /// The budget, seconds on its ruler.
    pub budget_s: i64,
    /// What was used of it.
    pub used_s: i64,
    /// What is left; negative after a breach.
    pub remaining_s: i64,
    /// Paused seconds.
    pub paused_s: i64,
    /// The calendar it counts on; `always` is around the clock.
    pub calendar: String,
    /// The share of tickets that must keep it, per cent.
    pub goal_percent: u8,
    /// The events that start it.
    pub start: Vec<String>,
    /// The events that stop it.
    pub stop: Vec<String>,
    /// The evidence of which one kind must prove its stop; empty is any.
    pub evidence: Vec<String>,
    /// The terms it ran under.
    pub segments: Vec<ClockSegment>,
    /// Every second since its start.
    pub ledger: Vec<LedgerEntry>,
    /// When 50, 75, 90 and 100 per cent were used, as far as that has happened.
    pub crossed: Vec<CrossedShare>,
    /// Lines of the record that claim its stop without the evidence that is demanded.
    pub claimed: Vec<i64>,
}

/// Under which terms a clock ran from an instant on.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClockSegment {
    /// Since when.
    pub from: i64,
    /// The priority that governed.
    pub priority: Option<String>,
    /// The contract's zone.
    pub zone: Option<String>,
    /// The version of the contract.
    pub version: String,
    /// The budget under these terms, seconds; `null` where the contract does not decide.
    pub budget_s: Option<i64>,
}

/// An interval of a ledger, half open.
#[derive(Debug, Serialize, ToSchema)]
pub struct LedgerEntry {
    /// Its first millisecond.
    pub from: i64,
    /// The one after its last.
    pub to: i64,
    /// How many of its seconds were used.
    pub counted_s: i64,
    /// `working`, `closed`, `paused`, `pause_refused`, `pause_used_up`, `stopped` or `summed`.
    pub why: String,
    /// The pause's reason; empty otherwise.
    pub reason: String,
}

/// A share of a budget and when it was used.
#[derive(Debug, Serialize, ToSchema)]
pub struct CrossedShare {
    /// Per cent.
    pub share: u8,
    /// When.
    pub at: i64,
}

/// A clock that cannot be told.
#[derive(Debug, Serialize, ToSchema)]
pub struct UndecidedClock {
    /// The rule's name.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Why.
    pub why: String,
}

/// What was told of a clock. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
pub struct ClockNotice {
    /// The clock.
    pub name: String,
    /// Which run of it.
    pub run: i64,
    /// The share of its budget, per cent; 0 = whoever goes there is expected too late.
    pub share: i64,
    /// Whether it was reached; otherwise it turned out that it was not.
    pub reached: bool,
    /// When it was reached.
    pub at: i64,
    /// When that was known.
    pub known_at: i64,
    /// When people heard of it, or it was settled that they do not.
    pub told_at: Option<i64>,
    /// `paged`; or why nobody was: `together`, `over`, `before_contract`, `minor`, `nobody`, `not_told`; empty while it waits.
    pub outcome: String,
}

/// What may be said of the work on a ticket.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct FactChoices {
    /// The events that its clocks start and stop with.
    pub events: Vec<String>,
    /// The pauses that its contract allows.
    pub pauses: Vec<PauseChoice>,
    /// Whether it is paused now.
    pub is_paused: bool,
    /// The evidence that its contract speaks of.
    pub evidence: Vec<String>,
    /// Its contract's priorities, the most urgent first.
    pub priorities: Vec<PriorityChoice>,
    /// The priority that governs now.
    pub priority: Option<String>,
}

/// A pause that a contract allows.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
pub struct PauseChoice {
    /// Why.
    pub reason: String,
    /// Who must approve it; `none` where nobody must.
    pub approver: String,
    /// At most so long, seconds.
    pub most_s: Option<i64>,
}

/// A priority of a contract.
#[derive(Debug, Serialize, ToSchema)]
pub struct PriorityChoice {
    /// Its key.
    pub name: String,
    /// What people call it.
    pub title: String,
}

impl OnTheWay {
    /// How somebody who goes looks at `now`; `due` is when the arrival is.
    pub fn new(going: Going, due: Option<Timestamp>, now: Timestamp) -> Self {
        let way = going.way();
        let is_known =
            way.km.is_some() || way.planned_at.is_some_and(|at| at > now && way.departed_at.is_none());
        Self {
            visit_id: going.visit_id,
            number: going.number,
            name: going.account,
            km: way.km.map(|km| (km * 10.0).round() / 10.0),
            planned_at: going.planned_at,
            departed_at: going.departed_at,
            arrives_at: is_known.then(|| way.arrives_at(now).as_millisecond()),
            leave_by: due.and_then(|due| way.leave_by(due)).map(Timestamp::as_millisecond),
        }
    }
}

impl TicketClocks {
    /// The clocks of a case. A customer does not see what suppliers owe us.
    pub fn new(
        case: Option<&Case>,
        name: Option<String>,
        notices: Vec<notice::Row>,
        works: Option<Timestamp>,
        for_customer: bool,
        now: Timestamp,
    ) -> Self {
        let mut shown = Self {
            now: now.as_millisecond(),
            contract: None,
            clocks: Vec::new(),
            undecided: Vec::new(),
            notices: Vec::new(),
            works_since: None,
            on_the_way: Vec::new(),
            choices: FactChoices::default(),
        };
        let Some(case) = case else { return shown };
        let contract = case.contract();
        let hidden: BTreeSet<&str> = contract
            .clocks
            .iter()
            .filter(|rule| for_customer && rule.supplier)
            .map(|rule| rule.name.as_str())
            .collect();
        shown.contract = Some(ClockContract {
            id: case.governing.contract_id.clone(),
            name: name.unwrap_or_else(|| contract.name.clone()),
            version: case.version(),
            versions: case.governing.versions.iter().map(|one| one.0.number).collect(),
        });
        let is_said = |at: Timestamp| {
            let restored = |event: &&Event| matches!(&event.what, What::Step(step) if step == "restored");
            effective(&case.events, now).into_iter().filter(restored).any(|event| event.happened_at() >= at)
        };
        shown.works_since = works.filter(|at| !is_said(*at)).map(Timestamp::as_millisecond);
        let told = case.clocks(now);
        shown.choices = choices(case, contract, &told.clocks);
        for clock in told.clocks {
            if let Some(rule) = contract.find_clock(&clock.name)
                && !hidden.contains(clock.name.as_str())
            {
                shown.clocks.push(TicketClock::new(clock, rule));
            }
        }
        for (name, why) in told.undecided {
            if !hidden.contains(name.as_str()) {
                let title =
                    contract.find_clock(&name).map_or_else(|| name.clone(), |rule| rule.title.clone());
                shown.undecided.push(UndecidedClock { name, title, why: why.to_string() });
            }
        }
        let notices = notices.into_iter().filter(|one| {
            !hidden.contains(one.name.as_str()) && (!for_customer || one.share != notice::FORESEEN)
        });
        shown.notices = notices.map(ClockNotice::from).collect();
        shown
    }
}

fn choices(case: &Case, contract: &Contract, clocks: &[Clock]) -> FactChoices {
    let mut pauses: Vec<PauseChoice> = contract
        .clocks
        .iter()
        .flat_map(|rule| &rule.pauses)
        .map(|pause| PauseChoice {
            reason: pause.reason.clone(),
            approver: pause.approver.clone(),
            most_s: pause.most.map(|most| most.as_secs()),
        })
        .collect();
    pauses.sort();
    pauses.dedup();
    let of_work = |name: &&String| !["reported", "notified", "closed"].contains(&name.as_str());
    let mut events: Vec<String> = Vec::new();
    for rule in &contract.clocks {
        for name in rule.only_if.iter().chain(&rule.start).chain(&rule.stop).filter(of_work) {
            if !events.contains(name) {
                events.push(name.clone());
            }
        }
    }
    let evidence: BTreeSet<String> = contract.clocks.iter().flat_map(|rule| rule.evidence.clone()).collect();
    let running = clocks.iter().rev().find(|clock| clock.stopped_at.is_none() && clock.started_at.is_some());
    FactChoices {
        events,
        pauses,
        is_paused: case.is_paused(),
        evidence: evidence.into_iter().collect(),
        priorities: contract
            .priorities
            .iter()
            .map(|level| PriorityChoice { name: level.name.clone(), title: level.title.clone() })
            .collect(),
        priority: running
            .or_else(|| clocks.iter().find(|clock| clock.started_at.is_some()))
            .and_then(|clock| clock.segments.last()?.priority.clone()),
    }
}

impl TicketClock {
    fn new(clock: Clock, rule: &ClockRule) -> Self {
        let ms = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
        let (reason, approver) = match &clock.state {
            State::Paused { reason } => (reason.clone(), String::new()),
            State::Void { reason, approver } => (reason.clone(), approver.clone()),
            State::NotStarted | State::Running | State::Met | State::BreachedRunning | State::BreachedMet => {
                (String::new(), String::new())
            }
        };
        Self {
            title: rule.title.clone(),
            supplier: rule.supplier,
            calendar: if rule.calendar.is_empty() { ALWAYS.to_owned() } else { rule.calendar.clone() },
            goal_percent: rule.goal_percent,
            start: rule.start.clone(),
            stop: rule.stop.clone(),
            evidence: rule.evidence.clone(),
            run: clock.run,
            repeat: clock.repeat,
            counts: clock.counts,
            state: clock.state.as_str().to_owned(),
            reason,
            approver,
            started_at: ms(clock.started_at),
            stopped_at: ms(clock.stopped_at),
            due_at: ms(clock.due_at),
            breached_at: ms(clock.breached_at),
            provisional: clock.provisional,
            budget_s: clock.budget_s,
            used_s: clock.used_s,
            remaining_s: clock.remaining_s(),
            paused_s: clock.paused_s,
            segments: clock
                .segments
                .into_iter()
                .map(|segment| ClockSegment {
                    from: segment.from.as_millisecond(),
                    priority: segment.priority,
                    zone: segment.zone,
                    version: segment.version,
                    budget_s: segment.budget_s,
                })
                .collect(),
            ledger: clock
                .ledger
                .iter()
                .map(|entry| {
                    let (why, reason) = entry.why.words();
                    LedgerEntry {
                        from: entry.from.as_millisecond(),
                        to: entry.to.as_millisecond(),
                        counted_s: entry.counted_s,
                        why: why.to_owned(),
                        reason: reason.unwrap_or_default().to_owned(),
                    }
                })
                .collect(),
            crossed: clock
                .crossed
                .iter()
                .map(|(share, at)| CrossedShare { share: *share, at: at.as_millisecond() })
                .collect(),
            claimed: clock.claimed.iter().filter_map(|id| id.parse().ok()).collect(),
            name: clock.name,
        }
    }
}

impl From<notice::Row> for ClockNotice {
    fn from(row: notice::Row) -> Self {
        Self {
            reached: row.is_reached(),
            name: row.name,
            run: row.run,
            share: row.share,
            at: row.at,
            known_at: row.known_at,
            told_at: row.told_at,
            outcome: row.outcome,
        }
    }
}
