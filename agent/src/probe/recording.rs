//! What the probes of recorders have in common, whatever their devices speak: from what one run has seen to its reading, and
//! whose days are asked for next.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use serde_json::Value;
use tokio::time::Instant;

use super::memory::Whose;
use super::web::{Ended, Web};
use super::{Context, OutcomeState, Reading};
use crate::config;
use crate::model::access::{self, OpenSince};
use crate::model::health::Shown;
use crate::model::integrity::Stretch;
use crate::model::recorder::{Channel, Known, Seen, judge};

/// Channels whose days are asked for in one run.
const DAYS_A_RUN: usize = 4;
/// How long an answer about days is not asked for again.
const DAYS_AGAIN_S: i64 = 6 * 3_600;

/// Channels whose day is counted in one run: each is several questions.
const COUNTED_A_RUN: usize = 2;
/// The hour of the device's own day from which on yesterday is complete: its last file has been closed by then.
const CLOSED_H: i8 = 2;

/// Of the check's time limit, so that what came in is kept.
const SHARE: f64 = 0.9;

/// What is remembered of a device, and under which name.
pub(super) struct Past {
    whose: Whose,
    pub(super) known: Known,
}

/// Begins a run: the device's web interface, not asked yet, and what is remembered. Device and check name that.
pub(super) async fn begin<'c>(
    (device, check, address): (&str, &str, &str),
    asked: &'c config::Recorder,
    limit: Duration,
    context: &'c Context,
) -> Result<(Web<'c>, Past), Ended> {
    let whose = Whose { device: device.to_owned(), check: check.to_owned(), baseline: asked.baseline };
    let known: Known = context.memory().recall(&whose);
    let deadline = Instant::now() + limit.mul_f64(SHARE);
    let place = (address, asked.port, asked.tls);
    let web = Web::new(place, &asked.auth, context.http(), deadline).await?;
    Ok((web, Past { whose, known }))
}

impl Past {
    /// The reading of a run; what it has taught is kept.
    pub(super) fn judge(
        mut self,
        seen: Result<Seen, Ended>,
        asked: &config::Recorder,
        context: &Context,
    ) -> Reading {
        let seen = match seen {
            Ok(seen) => seen,
            Err(Ended(reading)) => return *reading,
        };
        let now = context.clock().now();
        let Self { whose, known } = &mut self;
        let mut reading = judge(&seen, asked, known, now);
        // A controller that does not say what it is today has been one before.
        if seen.doors.is_some() || asked.doors > 0 || !known.access.doors.is_empty() {
            let briefly = Whose { check: format!("{} doors", whose.check), ..whose.clone() };
            let mut since: OpenSince = context.memory().recall(&briefly);
            let remembered = (&mut known.access, &mut since);
            reading = access::judge(reading, seen.doors.as_ref(), asked, remembered, now);
            context.memory().keep_briefly(&briefly, &since);
        }
        if seen.answered == 0 {
            let why: Vec<String> = seen.unknown.iter().map(|(part, why)| format!("{part}: {why}")).collect();
            let text = "the device answers, and none of what was asked";
            let why = [("why", Value::from(why.join("; ")))];
            reading = reading.fault(OutcomeState::Bad, "health_unclear", text, why);
        } else {
            context.memory().keep(whose, known);
        }
        reading
    }
}

/// How far a clock is ahead that was shown between two moments, ms.
pub(super) fn offset_ms(
    shown: Shown,
    (asked_at, answered_at): (Timestamp, Timestamp),
    limit_ms: i64,
) -> Option<i64> {
    // The device tells whole seconds, so on the average it is half of one ahead of what it says.
    let middle_ms =
        i64::midpoint(asked_at.as_millisecond(), answered_at.as_millisecond()).saturating_sub(500);
    let middle = Timestamp::from_millisecond(middle_ms).ok()?;
    Some(shown.offset_ms(middle, limit_ms))
}

/// The channels whose days are asked for now: a few of those that were asked longest ago.
pub(super) fn due_for_days(
    seen: &Seen,
    asked: &config::Recorder,
    known: &mut Known,
    now: Timestamp,
) -> Vec<String> {
    let now_s = now.as_second();
    let is_there = |id: &String| seen.channels.iter().any(|channel| channel.id == *id);
    if !seen.channels.is_empty() {
        known.archives.retain(|id, _| is_there(id));
    }
    let age = |channel: &Channel| known.archives.get(&channel.id).map(|seen| seen.asked_at_s);
    let mut due: Vec<(Option<i64>, String)> = seen
        .channels
        .iter()
        .filter(|channel| channel.scheduled != Some(false) && !asked.spare.contains(&channel.id))
        .map(|channel| (age(channel), channel.id.clone()))
        .filter(|(asked_at_s, _)| asked_at_s.is_none_or(|at| (now_s - at).abs() >= DAYS_AGAIN_S))
        .collect();
    due.sort();
    due.into_iter().take(DAYS_A_RUN).map(|(_, id)| id).collect()
}

/// The day that can be counted now, by the device's own clock.
pub(super) fn yesterday(wall: DateTime) -> Option<Date> {
    wall.date().yesterday().ok()
}

/// The channels whose yesterday is counted now, with what they owe.
pub(super) fn due_for_counting(
    seen: &Seen,
    asked: &config::Recorder,
    known: &mut Known,
    wall: DateTime,
) -> Vec<(String, Vec<Stretch>)> {
    if !seen.channels.is_empty() {
        known.counted.retain(|id, _| seen.channels.iter().any(|channel| channel.id == *id));
    }
    if asked.min_integrity_percent == 0 || wall.hour() < CLOSED_H {
        return Vec::new();
    }
    let is_counted = |channel: &Channel| {
        known.counted.get(&channel.id).is_some_and(|day| Some(day.date) == seen.yesterday)
    };
    seen.channels
        .iter()
        .filter(|channel| channel.scheduled != Some(false) && !channel.owed.is_empty())
        .filter(|channel| !asked.spare.contains(&channel.id) && !is_counted(channel))
        .map(|channel| (channel.id.clone(), channel.owed.clone()))
        .take(COUNTED_A_RUN)
        .collect()
}
