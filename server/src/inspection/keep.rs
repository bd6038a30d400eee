//! Keeping what stands in step with what is planned: a function of the plan, of the rows and of today, so that looking
//! once a day, every minute or again after days comes to the same rows.
//!
//! The day of an inspection that nobody has agreed to follows the plan. One that was agreed stays, whatever the plan
//! says now. A merged one follows its visit; where that does not come, it finds another, or has one of its own.

use std::collections::{HashMap, HashSet};

use jiff::ToSpan;
use jiff::civil::Date;

use super::life::State;
use super::{Occurrence, Plan, Window};

/// So long before its day an inspection is proposed; where the customer must hear of changes earlier, so much before
/// that day.
const PROPOSE_DAYS: i32 = 14;
const BEFORE_TELL_DAYS: i32 = 7;

/// An inspection as a version of the contract plans it.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Which version.
    pub version: i64,
    /// What it plans.
    pub one: Occurrence,
}

/// A version of the contract with what it plans.
#[derive(Debug)]
pub struct Version<'c> {
    /// Its number.
    pub number: i64,
    /// From which day on it holds.
    pub from: Date,
    /// What was over by this day is not owed: it was entered then.
    pub since: Date,
    /// Its plan.
    pub plan: Plan<'c>,
}

/// What the versions plan up to `horizon`, each for the days on which it holds; nothing from `ends` on.
pub fn across(versions: &[Version<'_>], horizon: Date, ends: Option<Date>) -> Vec<Planned> {
    let mut all = Vec::new();
    for (at, version) in versions.iter().enumerate() {
        let next = versions.get(at + 1).map(|next| next.from);
        let until = [next, ends].into_iter().flatten().min();
        let holds = |one: &Occurrence| {
            let begun = if at == 0 { one.window.until > version.from } else { one.aim >= version.from };
            begun && until.is_none_or(|until| one.aim < until) && one.window.until > version.since
        };
        let planned = version.plan.up_to(horizon).into_iter().filter(holds);
        all.extend(planned.map(|one| Planned { version: version.number, one }));
    }
    all
}

/// A row: what stands of an inspection.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Standing {
    pub id: String,
    pub rule: String,
    pub series: String,
    pub n: u32,
    pub state: State,
    pub window: Window,
    pub planned: Date,
    pub day: Date,
    pub merged_id: Option<String>,
    pub done_on: Option<Date>,
    /// Whether the other columns say what the plan says.
    pub is_current: bool,
}

/// What becomes of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The plan says something else of it; its day may have changed.
    Replan {
        /// The day that stands.
        day: Date,
    },
    /// It stands otherwise.
    Set {
        /// Where.
        state: State,
        /// On which day.
        day: Date,
        /// In whose visit.
        merged_id: Option<String>,
        /// The day on which it was done.
        done_on: Option<Date>,
    },
}

/// Names a row.
type Name<'a> = (&'a str, &'a str, u32);

fn name(one: &Occurrence) -> Name<'_> {
    (&one.key.rule, &one.series, one.key.n)
}

/// What is planned up to `horizon` and has no row yet, with the day it gets: not one that has passed while its window
/// goes on.
pub fn missing<'p>(
    planned: &'p [Planned],
    standing: &[Standing],
    (today, horizon): (Date, Date),
    later: impl Fn(&Planned, Date) -> Date,
) -> Vec<(&'p Planned, Date)> {
    let known: HashSet<Name<'_>> =
        standing.iter().map(|row| (row.rule.as_str(), row.series.as_str(), row.n)).collect();
    let new = planned.iter().filter(|one| one.one.day <= horizon && !known.contains(&name(&one.one)));
    new.map(|one| (one, ahead(one, today, &later))).collect()
}

/// The planned day, or the first open one from today on where that has passed and the window still has one.
fn ahead(plan: &Planned, today: Date, later: &impl Fn(&Planned, Date) -> Date) -> Date {
    let one = &plan.one;
    if one.day >= today || one.window.until <= today {
        return one.day;
    }
    let next = later(plan, today);
    if one.window.holds(next) { next } else { one.day }
}

/// What becomes of the rows. `later` gives an inspection a day of its own from a day on.
pub fn settle(
    planned: &[Planned],
    standing: &[Standing],
    today: Date,
    later: impl Fn(&Planned, Date) -> Date,
) -> Vec<(String, Change)> {
    let plans: HashMap<Name<'_>, &Planned> = planned.iter().map(|one| (name(&one.one), one)).collect();
    let mut changes = Vec::new();
    // Hosts before guests, so that a guest sees what became of its host.
    let mut rows: Vec<Standing> = standing.to_vec();
    for pass in [false, true] {
        for at in 0..rows.len() {
            let row = rows[at].clone();
            let plan = plans.get(&(row.rule.as_str(), row.series.as_str(), row.n)).copied();
            let guest = plan.is_some_and(|plan| plan.one.merged_into.is_some());
            if guest != pass {
                continue;
            }
            let Some(plan) = plan else {
                let over = matches!(row.state, State::Agreed | State::Moved)
                    && today > row.day.max(row.window.last());
                if row.state.is_open() || over {
                    let state = if over { State::Missed } else { State::Dropped };
                    set(&mut rows, at, (state, row.day, None, None), &mut changes);
                }
                continue;
            };
            follow(&mut rows, at, plan, (today, &later), &mut changes);
            if pass {
                join(&mut rows, at, plan, &plans, (today, &later), &mut changes);
            }
            by_time(&mut rows, at, plan, today, &mut changes);
        }
    }
    changes
}

type Now<'l, L> = (Date, &'l L);

fn set(
    rows: &mut [Standing],
    at: usize,
    (state, day, merged_id, done_on): (State, Date, Option<String>, Option<Date>),
    changes: &mut Vec<(String, Change)>,
) {
    let row = &mut rows[at];
    if (row.state, row.day, &row.merged_id, row.done_on) == (state, day, &merged_id, done_on) {
        return;
    }
    (row.state, row.day, row.merged_id, row.done_on) = (state, day, merged_id.clone(), done_on);
    changes.push((row.id.clone(), Change::Set { state, day, merged_id, done_on }));
}

/// The plan's own words, and its day where nobody has agreed to one. What was dropped and is owed again stands again.
fn follow(
    rows: &mut [Standing],
    at: usize,
    plan: &Planned,
    (today, later): Now<'_, impl Fn(&Planned, Date) -> Date>,
    changes: &mut Vec<(String, Change)>,
) {
    let row = &mut rows[at];
    if row.state == State::Dropped {
        let day = ahead(plan, today, later);
        set(rows, at, (State::Due, day, None, None), changes);
        return;
    }
    let anew = row.planned != plan.one.day;
    if !anew && row.is_current {
        return;
    }
    if anew && matches!(row.state, State::Due | State::Proposed) {
        row.day = ahead(plan, today, later);
    }
    row.window = plan.one.window;
    changes.push((row.id.clone(), Change::Replan { day: row.day }));
}

/// An inspection whose work another's visit does.
fn join(
    rows: &mut [Standing],
    at: usize,
    plan: &Planned,
    plans: &HashMap<Name<'_>, &Planned>,
    (today, later): Now<'_, impl Fn(&Planned, Date) -> Date>,
    changes: &mut Vec<(String, Change)>,
) {
    let row = rows[at].clone();
    let Some(host_key) = plan.one.merged_into.as_ref().filter(|_| row.state.is_open()) else { return };
    let of_rule = rows.iter().filter(|other| other.rule == host_key.rule && other.id != row.id);
    let fits = |other: &&Standing| {
        let day = other.done_on.unwrap_or(other.day);
        // A visit that is over did the work of those that were in it, not of others.
        let with = other.n == host_key.n || row.merged_id.as_ref() == Some(&other.id);
        let stands = other.state.is_ahead() || (other.state == State::Done && with);
        let current = plans.contains_key(&(other.rule.as_str(), other.series.as_str(), other.n));
        stands && row.window.holds(day) && (current || other.n == host_key.n)
    };
    let mut hosts: Vec<&Standing> = of_rule.filter(fits).collect();
    // The one that the plan names, else the next that comes, else one that came.
    hosts.sort_by_key(|other| (other.n != host_key.n, other.state == State::Done, other.day));
    let ahead_or_named =
        |other: &&Standing| other.n == host_key.n || other.state == State::Done || other.day >= today;
    match hosts.into_iter().find(ahead_or_named) {
        Some(host) if host.state == State::Done => {
            let on = host.done_on.unwrap_or(host.day);
            let id = Some(host.id.clone());
            set(rows, at, (State::Done, on, id, Some(on)), changes);
        }
        Some(host) => {
            let (id, day) = (Some(host.id.clone()), host.day);
            set(rows, at, (State::Merged, day, id, None), changes);
        }
        None if row.state == State::Merged => {
            let day = later(plan, today.max(plan.one.window.from));
            set(rows, at, (State::Due, day, None, None), changes);
        }
        None => {}
    }
}

/// What time alone does: it is proposed, or its days are over.
fn by_time(
    rows: &mut [Standing],
    at: usize,
    plan: &Planned,
    today: Date,
    changes: &mut Vec<(String, Change)>,
) {
    let row = &rows[at];
    if !row.state.is_ahead() {
        return;
    }
    // A day that nobody agreed to keeps nothing alive but where the plan itself found none within the window.
    let agreed = matches!(row.state, State::Agreed | State::Moved);
    let last = plan.one.window.last().max(if agreed { row.day } else { plan.one.day });
    if today > last {
        set(rows, at, (State::Missed, row.day, None, None), changes);
        return;
    }
    let tell = plan.one.tell_by.map(|by| by.saturating_sub(BEFORE_TELL_DAYS.days()));
    let from = tell.unwrap_or_else(|| row.day.min(plan.one.day).saturating_sub(PROPOSE_DAYS.days()));
    if row.state == State::Due && today >= from {
        set(rows, at, (State::Proposed, row.day, None, None), changes);
    }
}
