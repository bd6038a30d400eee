//! The slow reference of what is to be told of a clock: every share of its budget once, and that a breach is undone
//! when evidence that came late disproves it, walked through everything that was ever known.

use jiff::Timestamp;

use crate::sla::event::Event;
use crate::sla::{Undecided, Version, project};

/// One thing to tell, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fact {
    /// The clock.
    pub(super) clock: String,
    /// Which run of it.
    pub(super) run: u32,
    /// The share of the budget, per cent.
    pub(super) threshold: u8,
    /// The version of the contract.
    pub(super) version: String,
    /// Whether the share was reached; otherwise it turned out that it was not.
    pub(super) reached: bool,
    /// The instant at which it was reached.
    pub(super) at: Timestamp,
    /// When that was known.
    pub(super) known_at: Timestamp,
}

/// Everything that was to be told of a clock up to `until`, in the order in which it was known.
pub(super) fn facts(
    versions: &[Version<'_>],
    name: &str,
    events: &[Event],
    until: Timestamp,
) -> Result<Vec<Fact>, Undecided> {
    let mut heard: Vec<Timestamp> =
        events.iter().map(|event| event.recorded_at).filter(|at| *at <= until).collect();
    heard.sort_unstable();
    heard.dedup();
    let mut facts: Vec<Fact> = Vec::new();
    for (index, since) in heard.iter().enumerate() {
        let horizon = heard.get(index + 1).copied().unwrap_or(until);
        let known: Vec<Event> = events.iter().filter(|event| event.recorded_at <= *since).cloned().collect();
        let runs = match project(versions, name, &known, horizon) {
            Ok(runs) => runs,
            // Not all of the terms are known yet.
            Err(error) if index + 1 == heard.len() => return Err(error),
            Err(_) => continue,
        };
        let mut now: Vec<(u32, u8, String, Timestamp)> = Vec::new();
        for run in &runs {
            let version = run.segments.last().map_or_else(String::new, |segment| segment.version.clone());
            now.extend(run.crossed.iter().map(|(share, at)| (run.run, *share, version.clone(), *at)));
        }
        let undone: Vec<Fact> = standing(&facts)
            .filter(|fact| {
                // It is undone where it never happens, or only happens later.
                let again = now.iter().find(|now| now.0 == fact.run && now.1 == fact.threshold);
                again.is_none_or(|again| again.3 > *since && again.3 != fact.at)
            })
            .map(|fact| Fact { reached: false, known_at: *since, ..fact.clone() })
            .collect();
        facts.extend(undone);
        let mut fresh = Vec::new();
        for (run, threshold, version, at) in now {
            let told = standing(&facts).any(|fact| fact.run == run && fact.threshold == threshold);
            if !told {
                let known_at = at.max(*since);
                fresh.push(Fact {
                    clock: name.to_owned(),
                    run,
                    threshold,
                    version,
                    reached: true,
                    at,
                    known_at,
                });
            }
        }
        fresh.sort_by_key(|fact| (fact.known_at, fact.run, fact.threshold));
        facts.extend(fresh);
    }
    Ok(facts)
}

/// The facts that nothing has undone since.
fn standing(facts: &[Fact]) -> impl Iterator<Item = &Fact> {
    facts.iter().enumerate().filter_map(move |(index, fact)| {
        let same = |later: &Fact| later.run == fact.run && later.threshold == fact.threshold;
        let undone = facts[index + 1..].iter().any(|later| same(later) && !later.reached);
        (fact.reached && !undone).then_some(fact)
    })
}
