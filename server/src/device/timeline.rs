//! The timeline of a device, told again when a gateway that was taken for silent has brought its history: what
//! was unknown for as long as nobody spoke is now known, as far as the history goes. Pure.
//!
//! A fault that was confirmed stands until it is cleared. Where nothing stands the device was fine if its
//! gateway was measuring at that time, and unknown if it was not: off, or its records are lost.

use std::collections::BTreeSet;

use super::{Known, State, state};

/// Blocks that are further apart than this leave a time in which nobody measured.
const MEASURING_MS: i64 = 15 * 60_000;

/// A change of one fault of the device, as it was reported: when, which, and whether it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Unix ms.
    pub at: i64,
    /// The fault code; empty when every fault is over.
    pub code: String,
    /// It began; else it ended.
    pub began: bool,
}

/// A state from `at` on, and the fault code that decided it.
pub type Entry = (i64, State, String);

/// The states from `from` to `to`. `standing` are the faults that stand at `to`; `changes` are in order;
/// `measured` are the first and last times of the gateway's blocks, in order.
pub fn retold(
    from: i64,
    to: i64,
    standing: &[String],
    changes: &[Change],
    measured: &[(i64, i64)],
) -> Vec<Entry> {
    let mut stood = before(standing, changes);
    let stretches = stretches(from, to, measured);
    let mut times: BTreeSet<i64> = changes.iter().map(|change| change.at).collect();
    times.extend(stretches.iter().flat_map(|(begin, end)| [*begin, *end]));
    times.insert(from);
    let mut entries: Vec<Entry> = Vec::new();
    let mut changes = changes.iter().peekable();
    for at in times.into_iter().filter(|at| (from..to).contains(at)) {
        while let Some(change) = changes.next_if(|change| change.at <= at) {
            apply(&mut stood, change);
        }
        let is_measured = stretches.iter().any(|(begin, end)| (*begin..*end).contains(&at));
        let codes: Vec<String> = stood.iter().cloned().collect();
        let known = Known {
            gateway_heard: is_measured || !codes.is_empty(),
            in_maintenance: false,
            reported: true,
            standing: &codes,
        };
        let (state, because) = state(&known);
        if entries.last().is_none_or(|last| (last.1, &last.2) != (state, &because)) {
            entries.push((at, state, because));
        }
    }
    entries
}

/// What stood before the changes: the first word about a fault says how it was until then.
fn before(standing: &[String], changes: &[Change]) -> BTreeSet<String> {
    let mut stood: BTreeSet<String> = standing.iter().cloned().collect();
    for change in changes.iter().rev() {
        if change.code.is_empty() {
            // All was over at that time; what it ended has no name here.
            stood.clear();
        } else if change.began {
            stood.remove(&change.code);
        } else {
            stood.insert(change.code.clone());
        }
    }
    stood
}

fn apply(stood: &mut BTreeSet<String>, change: &Change) {
    if change.code.is_empty() {
        stood.clear();
    } else if change.began {
        stood.insert(change.code.clone());
    } else {
        stood.remove(&change.code);
    }
}

/// The times in which the gateway measured, within `from..to`.
fn stretches(from: i64, to: i64, measured: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut stretches: Vec<(i64, i64)> = Vec::new();
    for &(begin, end) in measured {
        match stretches.last_mut() {
            Some(last) if begin - last.1 <= MEASURING_MS => last.1 = last.1.max(end),
            Some(_) | None => stretches.push((begin, end)),
        }
    }
    for stretch in &mut stretches {
        // The block that is open at either end is not in yet.
        if stretch.0 - from <= MEASURING_MS {
            stretch.0 = from;
        }
        if to - stretch.1 <= MEASURING_MS {
            stretch.1 = to;
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: i64 = 60_000;

    #[track_caller]
    fn check(
        standing: &[&str],
        changes: &[(i64, &str, bool)],
        measured: &[(i64, i64)],
        expected: &[(i64, State, &str)],
    ) {
        let standing: Vec<String> = standing.iter().map(|code| (*code).to_owned()).collect();
        let change =
            |&(at, code, began): &(i64, &str, bool)| Change { at: at * MIN, code: code.into(), began };
        let changes: Vec<Change> = changes.iter().map(change).collect();
        let measured: Vec<(i64, i64)> = measured.iter().map(|(a, b)| (a * MIN, b * MIN)).collect();
        let told = retold(0, 1000 * MIN, &standing, &changes, &measured);
        let told: Vec<(i64, State, &str)> =
            told.iter().map(|(at, s, because)| (at / MIN, *s, because.as_str())).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn what_was_measured_is_known_and_what_was_not_is_not() {
        check(&[], &[], &[], &[(0, State::Unknown, "gateway_silent")]);
        check(&[], &[], &[(2, 500), (505, 995)], &[(0, State::Ok, "")]);
        check(
            &[],
            &[],
            &[(2, 300), (400, 600)],
            &[
                (0, State::Ok, ""),
                (300, State::Unknown, "gateway_silent"),
                (400, State::Ok, ""),
                (600, State::Unknown, "gateway_silent"),
            ],
        );
    }

    #[test]
    fn faults_have_their_true_times() {
        let all = [(0, 1000)];
        check(
            &[],
            &[(100, "unreachable", true), (200, "unreachable", false)],
            &all,
            &[(0, State::Ok, ""), (100, State::Down, "unreachable"), (200, State::Ok, "")],
        );
        check(
            &["unreachable"],
            &[(100, "unreachable", true)],
            &all,
            &[(0, State::Ok, ""), (100, State::Down, "unreachable")],
        );
        check(
            &[],
            &[(100, "unreachable", false)],
            &all,
            &[(0, State::Down, "unreachable"), (100, State::Ok, "")],
        );
        check(&["unreachable"], &[], &all, &[(0, State::Down, "unreachable")]);
        check(
            &[],
            &[(100, "port_closed", true), (150, "unreachable", true), (200, "", false)],
            &all,
            &[
                (0, State::Ok, ""),
                (100, State::Degraded, "port_closed"),
                (150, State::Down, "unreachable"),
                (200, State::Ok, ""),
            ],
        );
    }

    #[test]
    fn a_fault_stands_although_nothing_else_was_measured() {
        check(
            &["unreachable"],
            &[(100, "unreachable", true)],
            &[(0, 101)],
            &[(0, State::Ok, ""), (100, State::Down, "unreachable")],
        );
    }
}
