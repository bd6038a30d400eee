//! From events to clocks: finds the runs of a clock, its phases and its segments, and has them measured.

use jiff::Timestamp;

use crate::contract::{Chooser, ClockRule, Reopen};

use super::event::{Event, What, effective};
use super::phase::{Kind, Open, Phase, measure};
use super::ruler::{Ruler, budget_s};
use super::{Clock, Segment, State, Undecided, Version, amount};

/// What a ticket is under at an instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Terms {
    chosen: Option<String>,
    assessed: Option<String>,
    zone: Option<String>,
    version: usize,
    agreed: Option<Timestamp>,
}

/// Every run of a clock, as known at `now`, in order. `versions` are those of the ticket's contract by their
/// beginning; the one in force when the clock starts holds until an event says otherwise.
pub fn project(
    versions: &[Version<'_>],
    name: &str,
    events: &[Event],
    now: Timestamp,
) -> Result<Vec<Clock>, Undecided> {
    let known = effective(events, now);
    let Some((start, after)) = find_start(versions, name, &known)? else {
        return Ok(vec![Clock::not_started(name)]);
    };
    let mut runs = Vec::new();
    let mut begin = Some((start, after, false));
    while let Some((start, after, repeat)) = begin {
        let number = u32::try_from(runs.len()).unwrap_or(u32::MAX).saturating_add(1);
        let (clock, next) = one_run(versions, name, &known, Run { start, after, number, repeat }, now)?;
        runs.push(clock);
        begin = next;
    }
    Ok(runs)
}

/// Which run, from when, and the first event that may follow its start.
#[derive(Clone, Copy)]
struct Run {
    start: Timestamp,
    after: usize,
    number: u32,
    repeat: bool,
}

type Next = Option<(Timestamp, usize, bool)>;

fn version_at(versions: &[Version<'_>], at: Timestamp) -> usize {
    versions.iter().rposition(|version| version.from <= at).unwrap_or(0)
}

fn rule_of<'v>(versions: &[Version<'v>], index: usize, name: &str) -> Result<&'v ClockRule, Undecided> {
    let version = versions.get(index).ok_or_else(|| Undecided::NoClock(name.to_owned()))?;
    version.contract.find_clock(name).ok_or_else(|| Undecided::NoClock(name.to_owned()))
}

fn step(event: &Event) -> Option<&str> {
    match &event.what {
        What::Step(step) => Some(step),
        What::Agreed { .. } => Some("agreed_time_set"),
        What::Absorbed { .. }
        | What::Priority { .. }
        | What::Zone(_)
        | What::Contract(_)
        | What::Pause { .. }
        | What::Resume
        | What::MergedInto(_)
        | What::Reopened
        | What::Void { .. }
        | What::Withdrawn => None,
    }
}

/// The first start: the earliest event that starts it, or the earliest report that was merged into this one.
fn find_start(
    versions: &[Version<'_>],
    name: &str,
    known: &[&Event],
) -> Result<Option<(Timestamp, usize)>, Undecided> {
    let mut first: Option<(Timestamp, usize)> = None;
    for (index, event) in known.iter().enumerate() {
        let at = match &event.what {
            What::Absorbed { reported_at } => *reported_at,
            _ => event.happened_at(),
        };
        let rule = rule_of(versions, version_at(versions, at), name)?;
        let starts = match &event.what {
            What::Absorbed { .. } => {
                rule.start.iter().any(|start| start == "reported" || start == "notified")
            }
            _ => step(event).is_some_and(|step| rule.start.iter().any(|start| start == step)),
        };
        let needed = rule.only_if.as_deref();
        let wanted = needed.is_none_or(|needed| known.iter().any(|event| step(event) == Some(needed)));
        if starts && wanted && first.is_none_or(|(before, _)| at < before) {
            // Events from here on may stop or pause it; an absorbed report may lie before all of them.
            let after = known.iter().position(|event| event.happened_at() >= at).unwrap_or(index);
            first = Some((at, after));
        }
    }
    Ok(first)
}

/// The terms before a run's first event.
fn terms_before(
    versions: &[Version<'_>],
    name: &str,
    known: &[&Event],
    run: Run,
) -> Result<Terms, Undecided> {
    let mut terms = Terms { version: version_at(versions, run.start), ..Terms::default() };
    for event in &known[..run.after] {
        let rule = rule_of(versions, terms.version, name)?;
        change(&mut terms, versions, rule, event);
    }
    Ok(terms)
}

/// Applies an event to the terms; false where it changes none, or may not.
fn change(terms: &mut Terms, versions: &[Version<'_>], rule: &ClockRule, event: &Event) -> bool {
    let before = terms.clone();
    match &event.what {
        What::Priority { level, assessed: true } => terms.assessed = Some(level.clone()),
        What::Priority { level, assessed: false } => terms.chosen = Some(level.clone()),
        What::Zone(zone) => terms.zone = Some(zone.clone()),
        What::Contract(id) => {
            if let Some(index) = versions.iter().position(|version| version.id == id) {
                terms.version = index;
            }
        }
        What::Agreed { at, consent } => {
            if terms.agreed.is_none() || rule.reset_needs.is_none() || consent.is_some() {
                terms.agreed = Some(*at);
            }
        }
        What::Step(_)
        | What::Pause { .. }
        | What::Resume
        | What::Absorbed { .. }
        | What::MergedInto(_)
        | What::Reopened
        | What::Void { .. }
        | What::Withdrawn => {}
    }
    *terms != before
}

impl Terms {
    /// The priority that governs: the customer's own where the customer chooses, and the assessed one beside it;
    /// otherwise the assessed one first.
    fn priority(&self, chooser: Chooser) -> Option<&str> {
        let (first, second) = match chooser {
            Chooser::Customer => (&self.chosen, &self.assessed),
            Chooser::Desk | Chooser::Company | Chooser::Rule | Chooser::Monitoring | Chooser::None => {
                (&self.assessed, &self.chosen)
            }
        };
        first.as_deref().or(second.as_deref())
    }
}

/// A run being lived through.
struct Life {
    since: Timestamp,
    kind: Kind,
    phases: Vec<Phase>,
    terms: Vec<(Timestamp, Terms)>,
}

impl Life {
    fn cut(&mut self, at: Timestamp) {
        if at > self.since {
            let segment = self.terms.len() - 1;
            self.phases.push(Phase { from: self.since, to: at, kind: self.kind.clone(), segment });
            self.since = at;
        }
    }

    fn turn(&mut self, at: Timestamp, kind: Kind) {
        self.cut(at);
        self.kind = kind;
    }

    fn come_under(&mut self, at: Timestamp, terms: &Terms) {
        self.cut(at);
        match self.terms.last_mut() {
            Some(last) if last.0 == at => last.1 = terms.clone(),
            Some(last) if last.1 == *terms => {}
            Some(_) | None => self.terms.push((at, terms.clone())),
        }
    }
}

fn one_run(
    versions: &[Version<'_>],
    name: &str,
    known: &[&Event],
    run: Run,
    now: Timestamp,
) -> Result<(Clock, Next), Undecided> {
    let mut terms = terms_before(versions, name, known, run)?;
    let mut life = Life {
        since: run.start,
        kind: Kind::Running,
        phases: Vec::new(),
        terms: vec![(run.start, terms.clone())],
    };
    let (mut stopped_at, mut void, mut next, mut counts, mut left_open) = (None, None, None, true, false);
    let mut claimed = Vec::new();
    if run.number == 1 && was_there_before(versions, name, known, run)? {
        stopped_at = Some(run.start);
        life.kind = Kind::Stopped;
    }
    for (index, event) in known.iter().enumerate().skip(run.after) {
        let at = event.happened_at().max(run.start);
        let rule = rule_of(versions, terms.version, name)?;
        if change(&mut terms, versions, rule, event) && stopped_at.is_none() {
            life.come_under(at, &terms);
        }
        match &event.what {
            What::Pause { reason, approver } if life.kind == Kind::Running => {
                let allowed = rule.pauses.iter().any(|pause| {
                    pause.reason == *reason && (pause.approver == "none" || pause.approver == *approver)
                });
                let kind = if allowed { Kind::Paused(reason.clone()) } else { Kind::Refused(reason.clone()) };
                life.turn(at, kind);
            }
            What::Resume if stopped_at.is_none() => life.turn(at, Kind::Running),
            What::Step(step) if stopped_at.is_none() && rule.stop.contains(step) => {
                if is_proved(rule, event) {
                    life.turn(at, Kind::Stopped);
                    stopped_at = Some(at);
                } else {
                    claimed.push(event.id.clone());
                }
            }
            // What can only happen while the ticket stands is not owed any more.
            What::Step(step)
                if stopped_at.is_none()
                    && step == "closed"
                    && rule.stop.iter().all(|stop| ends_with_ticket(stop)) =>
            {
                life.turn(at, Kind::Stopped);
                (stopped_at, left_open) = (Some(at), true);
            }
            What::Reopened => {
                let Some(stop) = stopped_at else { continue };
                let in_time = rule.reopen_within.is_none_or(|within| at.duration_since(stop) <= within);
                match rule.reopen {
                    Reopen::Continue if in_time => {
                        life.turn(at, Kind::Running);
                        life.come_under(at, &terms);
                        (stopped_at, left_open) = (None, false);
                    }
                    Reopen::Restart if in_time => {
                        counts = false;
                        next = Some((at, index + 1, run.repeat));
                        break;
                    }
                    Reopen::Continue | Reopen::Restart | Reopen::RepeatFault => {
                        next = Some((at, index + 1, true));
                        break;
                    }
                }
            }
            What::Void { clock, reason, approver } if clock == name || clock.is_empty() => {
                void = Some((at, reason.clone(), approver.clone()));
                break;
            }
            What::MergedInto(ticket) => {
                void = Some((at, format!("merged into {ticket}"), "rule".to_owned()));
                break;
            }
            What::Pause { .. }
            | What::Resume
            | What::Step(_)
            | What::Void { .. }
            | What::Priority { .. }
            | What::Zone(_)
            | What::Contract(_)
            | What::Agreed { .. }
            | What::Absorbed { .. }
            | What::Withdrawn => {}
        }
    }
    if stopped_at.is_none() {
        let end = void.as_ref().map_or(now, |void| void.0);
        life.cut(end);
    }
    let open = (stopped_at.is_none() && void.is_none()).then_some(now);
    let ended = Ended { stopped_at, void, counts, claimed, left_open, open };
    Ok((tell(versions, name, run, &life, ended)?, next))
}

/// How a run ended.
struct Ended {
    stopped_at: Option<Timestamp>,
    void: Option<(Timestamp, String, String)>,
    counts: bool,
    claimed: Vec<String>,
    /// Its ticket was closed before it was stopped.
    left_open: bool,
    /// Nothing has ended it at this instant.
    open: Option<Timestamp>,
}

/// Whether an event has the evidence that a clock demands. What is only claimed has none.
fn is_proved(rule: &ClockRule, event: &Event) -> bool {
    let claimed = event.evidence.iter().any(|own| own == super::record::CLAIMED);
    !claimed && (rule.evidence.is_empty() || event.evidence.iter().any(|own| rule.evidence.contains(own)))
}

/// Whether what stops the clock had happened before the report: whoever is there already has arrived.
fn was_there_before(
    versions: &[Version<'_>],
    name: &str,
    known: &[&Event],
    run: Run,
) -> Result<bool, Undecided> {
    let rule = rule_of(versions, version_at(versions, run.start), name)?;
    if !rule.start.iter().any(|start| start == "reported" || start == "notified") {
        return Ok(false);
    }
    let stops = |event: &&Event| step(event).is_some_and(|step| rule.stop.iter().any(|stop| stop == step));
    let mut before = known[..run.after].iter().filter(|event| event.happened_at() < run.start);
    let last = before.rfind(|event| stops(event) || event.what == What::Reopened);
    Ok(last.is_some_and(|event| stops(event) && is_proved(rule, event)))
}

fn tell(
    versions: &[Version<'_>],
    name: &str,
    run: Run,
    life: &Life,
    ended: Ended,
) -> Result<Clock, Undecided> {
    let mut segments = Vec::with_capacity(life.terms.len());
    let mut rulers = Vec::with_capacity(life.terms.len());
    let mut last = Err(Undecided::NoClock(name.to_owned()));
    for (from, terms) in &life.terms {
        let rule = rule_of(versions, terms.version, name)?;
        let version = versions[terms.version];
        let priority = terms.priority(version.contract.chooser);
        let here = under(rule, version, priority, terms, run.start);
        segments.push(Segment {
            from: *from,
            priority: priority.map(str::to_owned),
            zone: terms.zone.clone(),
            version: version.id.to_owned(),
            budget_s: here.as_ref().ok().map(|here| here.1),
        });
        rulers.push(here.as_ref().ok().map(|here| here.0));
        last = here.map(|here| (rule, here.0, here.1));
    }
    let (rule, ruler, budget_s) = last?;
    let rulers: Vec<Ruler<'_>> =
        rulers.into_iter().map(|own| if rule.from_change { own.unwrap_or(ruler) } else { ruler }).collect();
    let open = ended.open.map(|at| Open { kind: &life.kind, at });
    let sum = measure(rule, &life.phases, &rulers, budget_s, open);
    let due_at = sum.due_at.or_else(|| ruler.add(run.start, budget_s));
    let breached = sum.breached_at.is_some();
    let state = match (ended.void, ended.stopped_at, &life.kind) {
        (Some((_, reason, approver)), _, _) => State::Void { reason, approver },
        (None, Some(_), _) if breached => State::BreachedMet,
        (None, Some(_), _) if ended.left_open => {
            let why = if ended.claimed.is_empty() { "closed" } else { "closed_unproved" };
            State::Void { reason: why.to_owned(), approver: "rule".to_owned() }
        }
        (None, Some(_), _) => State::Met,
        (None, None, _) if breached => State::BreachedRunning,
        (None, None, Kind::Paused(reason)) if !sum.pause_over => State::Paused { reason: reason.clone() },
        (None, None, _) => State::Running,
    };
    Ok(Clock {
        name: name.to_owned(),
        run: run.number,
        repeat: run.repeat,
        counts: ended.counts && !matches!(state, State::Void { .. }),
        state,
        started_at: Some(run.start),
        stopped_at: ended.stopped_at,
        due_at,
        breached_at: sum.breached_at,
        provisional: due_at.is_some_and(|due| ruler.is_provisional(due)),
        budget_s,
        used_s: sum.used_s,
        paused_s: sum.paused_s,
        segments,
        ledger: sum.ledger,
        crossed: sum.crossed,
        claimed: ended.claimed,
        turned_at: sum.turned_at,
        next_at: sum.next_at,
    })
}

/// Whether something can only happen while a ticket stands, so that its closing ends the waiting for it.
fn ends_with_ticket(event: &str) -> bool {
    const ENDING: [&str; 17] = [
        "first_human_reply",
        "resolved_remote",
        "onsite_assigned",
        "arrived",
        "arrived_with_part",
        "diagnosed_hardware",
        "solution_ready",
        "measures_taken",
        "restored",
        "resolved",
        "repaired",
        "service_arranged",
        "plan_approved",
        "parts_ordered",
        "visit_started",
        "visit_ended",
        "software_cause",
    ];
    ENDING.contains(&event)
}

/// The ruler and the budget under some terms. Whether a start lies within hours is decided by the start alone.
fn under<'c>(
    rule: &ClockRule,
    version: Version<'c>,
    priority: Option<&str>,
    terms: &Terms,
    start: Timestamp,
) -> Result<(Ruler<'c>, i64), Undecided> {
    let hours = rule.hours.as_deref().and_then(|hours| version.calendars.find(hours));
    let in_hours = hours.is_none_or(|hours| hours.is_working(start));
    let amount = amount(rule, priority, terms.zone.as_deref(), in_hours)?;
    let ruler = Ruler::of(rule, amount, version.calendars);
    let budget_s = budget_s(rule, amount, ruler, start, terms.agreed);
    budget_s.map(|budget_s| (ruler, budget_s)).ok_or_else(|| Undecided::NoInstant(rule.name.clone()))
}

impl Clock {
    fn not_started(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            run: 1,
            repeat: false,
            counts: true,
            state: State::NotStarted,
            started_at: None,
            stopped_at: None,
            due_at: None,
            breached_at: None,
            provisional: false,
            budget_s: 0,
            used_s: 0,
            paused_s: 0,
            segments: Vec::new(),
            ledger: Vec::new(),
            crossed: Vec::new(),
            claimed: Vec::new(),
            turned_at: None,
            next_at: None,
        }
    }
}
