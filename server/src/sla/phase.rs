//! The life of a clock cut into phases, and what each of them used.

use jiff::{SignedDuration, Timestamp};

use crate::contract::ClockRule;

use super::ruler::Ruler;
use super::{Entry, THRESHOLDS, Why};

/// Entries of one ledger; what goes beyond is summed up phase by phase.
const ENTRIES_MAX: usize = 2_000;

/// What goes on in a phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Running,
    /// A pause was asked for and is not allowed.
    Refused(String),
    Paused(String),
    Stopped,
}

/// A piece of a clock's life under one set of terms.
#[derive(Clone, Debug)]
pub(super) struct Phase {
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) kind: Kind,
    /// The segment whose ruler it is measured with.
    pub(super) segment: usize,
}

/// What the phases come to.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub(super) used_s: i64,
    pub(super) paused_s: i64,
    pub(super) due_at: Option<Timestamp>,
    pub(super) breached_at: Option<Timestamp>,
    pub(super) crossed: Vec<(u8, Timestamp)>,
    pub(super) ledger: Vec<Entry>,
    /// When something changed last, and changes next, by time alone.
    pub(super) turned_at: Option<Timestamp>,
    pub(super) next_at: Option<Timestamp>,
    /// The pause that is asked for at the end has lasted as long as it may.
    pub(super) pause_over: bool,
}

/// What goes on at the end of the phases of a clock that nothing has stopped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open<'k> {
    pub(super) kind: &'k Kind,
    pub(super) at: Timestamp,
}

/// Time is up, or a pause is, once a second has gone by beyond it.
const BEYOND: SignedDuration = SignedDuration::from_secs(1);

/// Measures the phases against a budget. `rulers` are those of the segments.
pub(super) fn measure(
    rule: &ClockRule,
    phases: &[Phase],
    rulers: &[Ruler<'_>],
    budget_s: i64,
    open: Option<Open<'_>>,
) -> Sum {
    let mut sum = Sum::default();
    let mut paused_by: Vec<(&str, i64)> = Vec::new();
    // When the pause of the last phase is over, where it has an end.
    let mut pause_end = None;
    for phase in phases {
        let ruler = rulers[phase.segment];
        (sum.pause_over, pause_end) = (false, None);
        match &phase.kind {
            Kind::Running => run(&mut sum, phase.from, phase.to, ruler, budget_s, &Why::Working),
            Kind::Refused(reason) => {
                run(&mut sum, phase.from, phase.to, ruler, budget_s, &Why::PauseRefused(reason.clone()));
            }
            Kind::Stopped => sum.ledger.push(entry(phase.from, phase.to, 0, Why::Stopped)),
            Kind::Paused(reason) => {
                let left = pause_left_s(rule, &paused_by, reason);
                let over = left.and_then(|left| ruler.add(phase.from, left));
                let end = over.map_or(phase.to, |over| over.min(phase.to));
                (sum.pause_over, pause_end) = (end < phase.to, over);
                let paused = ruler.elapsed_s(phase.from, end);
                sum.paused_s += paused;
                match paused_by.iter_mut().find(|by| by.0 == reason) {
                    Some(by) => by.1 += paused,
                    None => paused_by.push((reason, paused)),
                }
                if end > phase.from {
                    sum.ledger.push(entry(phase.from, end, 0, Why::Paused(reason.clone())));
                    if sum.breached_at.is_none() {
                        // As if it went on when the pause ends, or now.
                        sum.due_at = ruler.add(end, budget_s - sum.used_s);
                    }
                }
                if end < phase.to {
                    sum.turn(end + BEYOND);
                    run(&mut sum, end, phase.to, ruler, budget_s, &Why::PauseUsedUp(reason.clone()));
                }
            }
        }
    }
    if let (Some(open), Some(ruler)) = (open, rulers.last()) {
        sum.next_at = match open.kind {
            Kind::Running | Kind::Refused(_) => sum.next_share(open.at, *ruler, budget_s),
            Kind::Stopped => None,
            Kind::Paused(_) if sum.pause_over => sum.next_share(open.at, *ruler, budget_s),
            Kind::Paused(reason) => {
                let left = pause_left_s(rule, &paused_by, reason);
                let over = pause_end.or_else(|| left.and_then(|left| ruler.add(open.at, left)));
                over.map(|over| over + BEYOND)
            }
        };
    }
    sum
}

/// How much longer a reason may pause the clock; `None` is as long as it takes.
fn pause_left_s(rule: &ClockRule, paused_by: &[(&str, i64)], reason: &str) -> Option<i64> {
    let most = rule.pauses.iter().find(|pause| pause.reason == reason)?.most?;
    let before = paused_by.iter().find(|by| by.0 == reason).map_or(0, |by| by.1);
    Some((most.as_secs() - before).max(0))
}

impl Sum {
    /// Something changed by time alone, at an instant that has come.
    fn turn(&mut self, at: Timestamp) {
        self.turned_at = self.turned_at.max(Some(at));
    }

    /// When the next share of the budget is used up, if it goes on from here.
    fn next_share(&self, from: Timestamp, ruler: Ruler<'_>, budget_s: i64) -> Option<Timestamp> {
        if self.breached_at.is_some() {
            return None;
        }
        let next =
            THRESHOLDS.into_iter().find(|share| !self.crossed.iter().any(|crossed| crossed.0 == *share));
        match next {
            Some(share) if share < 100 => ruler.add(from, wanted_s(budget_s, share) - self.used_s),
            _ => ruler.add(from, (budget_s - self.used_s).max(0)).map(|due| due + BEYOND),
        }
    }
}

/// The seconds of a share, rounded up.
fn wanted_s(budget_s: i64, share: u8) -> i64 {
    (budget_s * i64::from(share) + 99) / 100
}

fn entry(from: Timestamp, to: Timestamp, counted_s: i64, why: Why) -> Entry {
    Entry { from, to, counted_s, why }
}

fn run(sum: &mut Sum, from: Timestamp, to: Timestamp, ruler: Ruler<'_>, budget_s: i64, why: &Why) {
    let here = ruler.elapsed_s(from, to);
    let left = budget_s - sum.used_s;
    for share in THRESHOLDS {
        let wanted = wanted_s(budget_s, share);
        let done = sum.crossed.iter().any(|crossed| crossed.0 == share);
        if !done
            && sum.used_s + here >= wanted
            && let Some(at) = ruler.add(from, wanted - sum.used_s)
        {
            sum.crossed.push((share, at));
            if share < 100 {
                sum.turn(at);
            }
        }
    }
    if sum.breached_at.is_none() {
        sum.due_at = ruler.add(from, left.max(0));
        // A deadline is over once time goes by beyond it, working time or not.
        if let Some(due) = sum.due_at.filter(|due| to.as_second() > due.as_second()) {
            sum.breached_at = Some(due);
            sum.turn(due + BEYOND);
        }
    }
    sum.used_s += here;
    let mut at = from;
    while at < to {
        if sum.ledger.len() >= ENTRIES_MAX {
            sum.ledger.push(entry(at, to, ruler.elapsed_s(at, to), Why::Summed));
            return;
        }
        let (counts, end) = ruler.stretch(at, to);
        let counted = if counts { end.as_second() - at.as_second() } else { 0 };
        sum.ledger.push(entry(at, end, counted, if counts { why.clone() } else { Why::Closed }));
        at = end;
    }
}
