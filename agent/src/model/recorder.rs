//! What is wrong with a recorder, or with a camera that records, by what it says of itself. Pure, and of no vendor.
//!
//! A full disk is no fault, nor is a bay that never held one. A channel that is offline is told as that and not as
//! a channel that does not record; with no disk left in working order, the disks are told. What a device does not say stays
//! unknown: it raises nothing, and what stood before goes on standing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::access;
use super::archive::Archive;
use super::health::{self, Past};
use super::integrity::Day;
use crate::config;
use crate::probe::OutcomeState::Bad;
use crate::probe::Reading;

/// A day's answer about the days of a channel counts for two days.
const DAYS_FRESH_S: i64 = 2 * 86_400;

/// What one run has seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) model: Option<String>,
    pub(crate) firmware: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) uptime_s: Option<f64>,
    pub(crate) cpu_percent: Option<f64>,
    pub(crate) temperature_c: Option<f64>,
    /// How far its clock is ahead, ms.
    pub(crate) offset_ms: Option<i64>,
    /// It says that its own hardware has failed.
    pub(crate) is_defective: Option<bool>,
    pub(crate) disks: Option<Vec<Disk>>,
    /// Those that are set up.
    pub(crate) channels: Vec<Channel>,
    /// Whether recording is its job, so that not to record is a fault; None while nobody knows what it is.
    pub(crate) records: Option<bool>,
    /// The last complete day, by its own calendar.
    pub(crate) yesterday: Option<Date>,
    /// What a door controller says of its doors.
    pub(crate) doors: Option<access::Seen>,
    /// Questions that came to nothing, and why.
    pub(crate) unknown: BTreeMap<&'static str, String>,
    /// Questions that were answered.
    pub(crate) answered: u32,
}

/// One disk or card.
#[derive(Clone, Debug, PartialEq)]
pub struct Disk {
    /// Its number or path.
    pub id: String,
    /// How it is, in the device's word.
    pub word: String,
    /// What that means.
    pub state: DiskState,
    /// Free space, MB.
    pub free_mb: Option<f64>,
}

/// How a disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskState {
    /// In use, asleep or full.
    Fine,
    /// Being repaired or prepared: not yet, and not for ever.
    Passing,
    /// It has failed, or says that it is about to.
    Failed,
    /// It cannot be written to before somebody formats it.
    Unformatted,
    /// There is none.
    Absent,
    /// A word that nobody knows.
    Strange,
}

/// One channel; None is not told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Channel {
    /// Its number.
    pub id: String,
    /// Its name, if it has one.
    pub name: String,
    /// Its camera is connected.
    pub online: Option<bool>,
    /// Why not, in the device's word.
    pub why: String,
    /// It has a picture signal.
    pub signal: Option<bool>,
    /// Recording is switched on.
    pub scheduled: Option<bool>,
    /// By its plan it records at this moment without a break.
    pub due: Option<bool>,
    /// By its plan it records without a break on every day of the week, for a part of it at least.
    pub daily: Option<bool>,
    /// It records.
    pub recording: Option<bool>,
    /// What it was to record yesterday without a break, seconds of the day.
    pub owed: Vec<(u32, u32)>,
}

impl Channel {
    fn label(&self) -> String {
        let Self { id, name, .. } = self;
        if name.is_empty() || name == id { id.clone() } else { format!("{id} {name}") }
    }
}

/// What is remembered of a recorder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Known {
    pub(crate) past: Past,
    /// Disks that have worked.
    pub(crate) disks: BTreeSet<String>,
    /// Of a door controller.
    pub(crate) access: access::Known,
    /// By the channel's number.
    pub(crate) archives: BTreeMap<String, Archive>,
    /// Likewise, how much there is of the day that was counted last.
    pub(crate) counted: BTreeMap<String, Day>,
}

/// Turns what was seen into faults, and remembers what has to be.
pub(crate) fn judge(seen: &Seen, asked: &config::Recorder, known: &mut Known, now: Timestamp) -> Reading {
    let mut reading = Reading::good();
    for (name, fact) in [("model", &seen.model), ("firmware", &seen.firmware)] {
        if let Some(fact) = fact {
            reading = reading.fact(name, fact);
        }
    }
    for (part, why) in &seen.unknown {
        reading = reading.note(format!("unknown.{part}"), why);
    }
    reading = reading.value("parts_unknown", seen.unknown.len() as f64);
    for (name, value) in [("cpu_percent", seen.cpu_percent), ("temperature_c", seen.temperature_c)] {
        if let Some(value) = value {
            reading = reading.value(name, value);
        }
    }
    reading = health::identity(reading, &mut known.past, asked.serial.as_deref(), seen.serial.as_deref());
    reading = health::reboots(reading, &mut known.past, seen.uptime_s, now);
    reading = health::clock(reading, seen.offset_ms, asked.max_offset_ms);
    reading = match seen.is_defective {
        Some(true) => {
            reading.fault(Bad, "device_defective", "the device says that its own hardware has failed", [])
        }
        Some(false) => reading,
        None => reading.blind("device_defective"),
    };
    let (reading, can_record) = disks(reading, seen.disks.as_deref(), asked, &mut known.disks);
    let channels: Vec<&Channel> =
        seen.channels.iter().filter(|channel| !asked.spare.contains(&channel.id)).collect();
    let reading = connections(reading, &channels);
    match seen.records {
        Some(true) => {}
        Some(false) => return reading,
        None => return reading.blind("recording_off").blind("recording_stopped"),
    }
    let reading = recording(reading, &channels, can_record);
    let reading = days(reading, &channels, asked.keep_days, &known.archives, now);
    integrity(reading, &channels, asked.min_integrity_percent, seen.yesterday, known)
}

/// Says what is wrong with the disks, and whether anything can be recorded.
fn disks(
    reading: Reading,
    disks: Option<&[Disk]>,
    asked: &config::Recorder,
    known: &mut BTreeSet<String>,
) -> (Reading, bool) {
    let Some(disks) = disks else {
        let reading =
            ["disk_failed", "disk_unformatted", "disk_missing"].into_iter().fold(reading, Reading::blind);
        return (reading, true);
    };
    let in_state = |state: DiskState| disks.iter().filter(move |disk| disk.state == state);
    let list = |state: DiskState| {
        let words: Vec<String> = in_state(state).map(|disk| format!("{} {}", disk.id, disk.word)).collect();
        words.join(", ")
    };
    let fitted = disks.iter().filter(|disk| disk.state != DiskState::Absent).count();
    let fine = in_state(DiskState::Fine).count();
    let mut reading = reading.value("disks", fitted as f64).value("disks_fine", fine as f64);
    for disk in disks {
        if let Some(free_mb) = disk.free_mb.filter(|_| disk.state == DiskState::Fine) {
            reading = reading.value(format!("disk_free_mb.{}", disk.id), free_mb);
        }
    }
    known.extend(in_state(DiskState::Fine).map(|disk| disk.id.clone()));
    let is_there = |id: &String| disks.iter().any(|disk| disk.id == *id && disk.state != DiskState::Absent);
    let gone: Vec<&str> = known.iter().filter(|id| !is_there(id)).map(String::as_str).collect();
    for (state, code) in [(DiskState::Failed, "disk_failed"), (DiskState::Unformatted, "disk_unformatted")] {
        let count = in_state(state).count();
        if count > 0 {
            let list = list(state);
            let text = format!("{count} of {fitted} disks: {list}");
            let evidence = [("disks", Value::from(list)), ("count", count.into()), ("of", fitted.into())];
            reading = reading.fault(Bad, code, &text, evidence);
        } else if in_state(DiskState::Strange).count() > 0 {
            reading = reading.note("disk_word", &list(DiskState::Strange)).blind(code);
        }
    }
    let wanted = usize::from(asked.disks).max(if asked.disks == 0 { fitted + gone.len() } else { 0 });
    if fitted < wanted {
        let text = format!("{fitted} disks are there, {wanted} should be; gone: {}", gone.join(", "));
        let evidence = [
            ("found", Value::from(fitted)),
            ("expected", Value::from(wanted)),
            ("gone", Value::from(gone.join(", "))),
        ];
        reading = reading.fault(Bad, "disk_missing", &text, evidence);
    }
    let is_lost = fine == 0 && in_state(DiskState::Strange).count() == 0 && (fitted > 0 || wanted > 0);
    (reading, !is_lost)
}

/// Tells the channels of which `is_bad` holds; a channel that does not say keeps what stood.
fn told(
    reading: Reading,
    code: &'static str,
    channels: &[&Channel],
    is_bad: impl Fn(&Channel) -> Option<bool>,
    label: impl Fn(&Channel) -> String,
    words: &str,
) -> Reading {
    let bad: Vec<&&Channel> = channels.iter().filter(|channel| is_bad(channel) == Some(true)).collect();
    if bad.is_empty() {
        let is_unsaid = channels.is_empty() || channels.iter().any(|channel| is_bad(channel).is_none());
        return if is_unsaid { reading.blind(code) } else { reading };
    }
    let list: Vec<String> = bad.iter().map(|channel| label(channel)).collect();
    let list = list.join(", ");
    let text = format!("{} of {} channels {words}: {list}", bad.len(), channels.len());
    let evidence =
        [("channels", Value::from(list)), ("count", bad.len().into()), ("of", channels.len().into())];
    reading.fault(Bad, code, &text, evidence)
}

fn connections(mut reading: Reading, channels: &[&Channel]) -> Reading {
    let count = |is: fn(&Channel) -> Option<bool>| {
        let told = channels.iter().filter_map(|channel| is(channel));
        told.fold(None, |count, yes| Some(count.unwrap_or(0.0) + f64::from(u8::from(yes))))
    };
    if !channels.is_empty() {
        reading = reading.value("channels", channels.len() as f64);
    }
    for (name, count) in
        [("channels_online", count(|c| c.online)), ("channels_recording", count(|c| c.recording))]
    {
        if let Some(count) = count {
            reading = reading.value(name, count);
        }
    }
    let offline = |channel: &Channel| {
        let label = channel.label();
        if channel.why.is_empty() { label } else { format!("{label} ({})", channel.why) }
    };
    reading = told(reading, "channel_offline", channels, |c| c.online.map(|on| !on), offline, "are offline");
    let dark = |channel: &Channel| match (channel.online, channel.signal) {
        (Some(false), _) => Some(false),
        (Some(true) | None, signal) => signal.map(|signal| !signal),
    };
    told(reading, "channel_no_signal", channels, dark, Channel::label, "have no picture signal")
}

fn recording(reading: Reading, channels: &[&Channel], can_record: bool) -> Reading {
    let off = |channel: &Channel| channel.scheduled.map(|on| !on);
    let reading =
        told(reading, "recording_off", channels, off, Channel::label, "have recording switched off");
    if !can_record {
        // The disks are the cause, and are told.
        return reading.blind("recording_stopped");
    }
    let idle = |channel: &Channel| match (channel.online, channel.scheduled, channel.due) {
        (Some(false), _, _) | (_, Some(false), _) | (_, _, Some(false)) => Some(false),
        (Some(true) | None, Some(true), Some(true)) => channel.recording.map(|records| !records),
        (Some(true) | None, None | Some(true), None) | (Some(true) | None, None, Some(true)) => None,
    };
    told(reading, "recording_stopped", channels, idle, Channel::label, "do not record")
}

fn days(
    mut reading: Reading,
    channels: &[&Channel],
    keep: u16,
    archives: &BTreeMap<String, Archive>,
    now: Timestamp,
) -> Reading {
    if keep == 0 {
        return reading;
    }
    let fresh = |channel: &Channel| {
        let archive = archives.get(&channel.id)?;
        (now.as_second() - archive.asked_at_s <= DAYS_FRESH_S).then_some(archive)
    };
    let judged: Vec<&Channel> =
        channels.iter().filter(|channel| channel.scheduled != Some(false)).copied().collect();
    let kept = judged.iter().filter_map(|channel| Some(fresh(channel)?.kept)).min();
    if let Some(kept) = kept {
        reading = reading.value("days_kept", f64::from(kept));
    }
    let short = |channel: &Channel| fresh(channel).map(|archive| archive.is_short(keep));
    let label = |channel: &Channel| {
        format!("{}: {}", channel.label(), fresh(channel).map_or(0, |archive| archive.kept))
    };
    let words = format!("keep fewer than {keep} days");
    reading = told(reading, "recording_days_short", &judged, short, label, &words);
    // Only who records without a break owes something of every day.
    let holes = |channel: &Channel| match channel.daily {
        Some(true) => fresh(channel).map(|archive| !archive.missing.is_empty()),
        Some(false) => Some(false),
        None => None,
    };
    let label = |channel: &Channel| {
        let days = fresh(channel).map(|archive| archive.missing.iter().map(ToString::to_string).collect());
        format!("{}: {}", channel.label(), days.map_or_else(String::new, |days: Vec<String>| days.join(" ")))
    };
    told(reading, "recording_day_missing", &judged, holes, label, "lack whole days")
}

/// Of yesterday: what there is of what the plans want, over all channels that were counted (录像完整率), how many of them were,
/// and who lacks more than it may.
fn integrity(
    mut reading: Reading,
    channels: &[&Channel],
    least_percent: u8,
    yesterday: Option<Date>,
    known: &Known,
) -> Reading {
    if least_percent == 0 {
        return reading;
    }
    let owing: Vec<&Channel> = channels
        .iter()
        .filter(|channel| channel.scheduled != Some(false) && !channel.owed.is_empty())
        .copied()
        .collect();
    let counted = |channel: &Channel| {
        known.counted.get(&channel.id).filter(|day| Some(day.date) == yesterday && day.owed_s > 0)
    };
    let days: Vec<&Day> = owing.iter().filter_map(|channel| counted(channel)).collect();
    let (kept_s, owed_s) = days
        .iter()
        .fold((0.0, 0.0), |(kept, owed), day| (kept + f64::from(day.kept_s), owed + f64::from(day.owed_s)));
    if owed_s > 0.0 {
        reading = reading
            .value("recording_integrity_percent", 100.0 * kept_s / owed_s)
            .value("recording_counted_percent", 100.0 * days.len() as f64 / owing.len() as f64);
    }
    if channels.iter().all(|channel| channel.scheduled == Some(false) || channel.daily == Some(false)) {
        // Nobody owes every day something, so nothing is to be waited for.
        return reading;
    }
    let lacks = |channel: &Channel| {
        let day = counted(channel)?;
        // Its first day is not whole, and a whole day without anything is told as that.
        let begun = known.archives.get(&channel.id).and_then(|archive| archive.oldest);
        let is_first = begun.is_some_and(|begun| begun >= day.date);
        let is_told =
            known.archives.get(&channel.id).is_some_and(|archive| archive.missing.contains(&day.date));
        Some(!is_first && !is_told && day.percent() < f64::from(least_percent))
    };
    let label = |channel: &Channel| {
        format!("{}: {}", channel.label(), counted(channel).map_or_else(String::new, Day::words))
    };
    told(reading, "recording_gaps", &owing, lacks, label, "have gaps in yesterday's recordings")
}

#[cfg(test)]
mod tests;
