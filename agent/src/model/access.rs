//! What is wrong with a door controller by what it says of itself. Pure.
//!
//! Controllers list more doors than they have, and readers in two ways; what a door's contact says counts only where there is
//! one, which shows by its having said both. A door that stays open by order is nobody's fault.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config;
use crate::probe::OutcomeState::Bad;
use crate::probe::Reading;

/// A lead battery of twelve volts below this carries no door for long.
const BATTERY_MIN_V: f64 = 11.5;
/// All codes of a controller.
const CODES: [&str; 7] = [
    "access_on_battery",
    "access_battery_low",
    "access_tampered",
    "reader_offline",
    "door_ajar",
    "door_held_open",
    "fire_input_fault",
];

/// What one run has seen; None is not told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// As many as it lists, which may be more than it has.
    pub doors: Vec<Door>,
    /// Numbers of the readers that answer.
    pub readers: Option<BTreeSet<u32>>,
    /// Its case has been opened.
    pub is_tampered: Option<bool>,
    /// Numbers of readers whose case has been opened, among those that answer.
    pub tampered_readers: Vec<u32>,
    /// It runs from its battery.
    pub on_battery: Option<bool>,
    /// It says that the battery is low.
    pub is_low: Option<bool>,
    /// Volts.
    pub battery_v: Option<f64>,
    /// How the line of the fire alarm is: normal, shortCircuit, break.
    pub fire_line: Option<String>,
}

/// One door.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Door {
    /// Its lock is commanded to hold.
    pub is_locked: Option<bool>,
    /// Its contact says that it is open.
    pub is_open: Option<bool>,
    /// It stays open by order.
    pub stays_open: bool,
}

/// What is remembered of a controller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Known {
    /// Names of its doors, as many as it has.
    pub(crate) doors: Vec<String>,
    /// Readers that have answered.
    pub(crate) readers: BTreeSet<u32>,
    /// Doors whose contact has said that they are closed.
    pub(crate) have_closed: BTreeSet<usize>,
}

/// Since when each door is open, Unix seconds; forgotten with a restart.
pub(crate) type OpenSince = BTreeMap<usize, i64>;

/// Says what is wrong with the doors, the readers and the supply.
pub(crate) fn judge(
    mut reading: Reading,
    seen: Option<&Seen>,
    asked: &config::Recorder,
    (known, since): (&mut Known, &mut OpenSince),
    now: Timestamp,
) -> Reading {
    let Some(seen) = seen else {
        return CODES.into_iter().fold(reading, Reading::blind);
    };
    if let Some(volts) = seen.battery_v {
        reading = reading.value("battery_v", volts);
    }
    let low_v = seen.battery_v.map(|volts| volts < BATTERY_MIN_V);
    let is_low = match (seen.is_low, low_v) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), _) | (_, Some(false)) => Some(false),
        (None, None) => None,
    };
    let volts = [("battery_v", Value::from(seen.battery_v))];
    reading = flag(reading, "access_on_battery", seen.on_battery, "it runs from its battery", volts.clone());
    reading = flag(reading, "access_battery_low", is_low, "its battery is low", volts);
    let readers: Vec<String> =
        seen.tampered_readers.iter().map(|number| format!("reader {number}")).collect();
    let case = (seen.is_tampered == Some(true)).then(|| "controller".to_owned());
    let opened: Vec<String> = case.into_iter().chain(readers).collect();
    let is_tampered = if opened.is_empty() { seen.is_tampered } else { Some(true) };
    let opened = opened.join(", ");
    let text = format!("a case has been opened: {opened}");
    reading = flag(reading, "access_tampered", is_tampered, &text, [("opened", Value::from(opened))]);
    let is_cut = seen.fire_line.as_ref().map(|word| matches!(word.as_str(), "shortCircuit" | "break"));
    let word = seen.fire_line.clone().unwrap_or_default();
    let text = format!("the line of the fire alarm: {word}");
    reading = flag(reading, "fire_input_fault", is_cut, &text, [("word", Value::from(word))]);
    reading = silent_readers(reading, seen.readers.as_ref(), known);
    doors(reading, seen, asked, known, since, now)
}

fn flag<const N: usize>(
    reading: Reading,
    code: &'static str,
    is_bad: Option<bool>,
    text: &str,
    evidence: [(&str, Value); N],
) -> Reading {
    match is_bad {
        Some(true) => reading.fault(Bad, code, text, evidence),
        Some(false) => reading,
        None => reading.blind(code),
    }
}

fn silent_readers(reading: Reading, online: Option<&BTreeSet<u32>>, known: &mut Known) -> Reading {
    let Some(online) = online else { return reading.blind("reader_offline") };
    known.readers.extend(online);
    let gone: Vec<String> = known.readers.difference(online).map(ToString::to_string).collect();
    let reading = reading.value("readers_online", online.len() as f64);
    if gone.is_empty() {
        return reading;
    }
    let (count, of, gone) = (gone.len(), known.readers.len(), gone.join(", "));
    let text = format!("{count} of {of} readers do not answer: {gone}");
    let evidence = [("readers", Value::from(gone)), ("count", count.into()), ("of", of.into())];
    reading.fault(Bad, "reader_offline", &text, evidence)
}

fn doors(
    mut reading: Reading,
    seen: &Seen,
    asked: &config::Recorder,
    known: &mut Known,
    since: &mut OpenSince,
    now: Timestamp,
) -> Reading {
    let count = if asked.doors > 0 { usize::from(asked.doors) } else { known.doors.len() };
    if count == 0 || seen.doors.len() < count {
        return reading.blind("door_ajar").blind("door_held_open");
    }
    let now_s = now.as_second();
    let (mut ajar, mut held) = (Vec::new(), Vec::new());
    let mut is_unsaid = false;
    for (index, door) in seen.doors.iter().take(count).enumerate() {
        let Some(is_open) = door.is_open else {
            is_unsaid = true;
            continue;
        };
        if !is_open {
            known.have_closed.insert(index);
            since.remove(&index);
            continue;
        }
        // A contact that has never said anything else is none.
        if !known.have_closed.contains(&index) || door.stays_open {
            since.remove(&index);
            continue;
        }
        let open_s = now_s - *since.entry(index).or_insert(now_s);
        let name = known.doors.get(index).filter(|name| !name.is_empty());
        let label = name.map_or_else(|| (index + 1).to_string(), |name| format!("{} {name}", index + 1));
        if open_s >= i64::from(asked.held_open_s) {
            held.push(format!("{label} ({} min)", open_s / 60));
        } else if door.is_locked == Some(true) && open_s > 0 {
            ajar.push(label);
        }
    }
    reading = reading.value("doors", count as f64);
    for (code, list, text) in [
        ("door_ajar", ajar, "their locks hold nothing, they are open"),
        ("door_held_open", held, "they have been open for too long"),
    ] {
        if list.is_empty() {
            reading = if is_unsaid { reading.blind(code) } else { reading };
            continue;
        }
        let (bad, list) = (list.len(), list.join(", "));
        let text = format!("{bad} of {count} doors, {text}: {list}");
        let evidence = [("doors", Value::from(list)), ("count", bad.into()), ("of", count.into())];
        reading = reading.fault(Bad, code, &text, evidence);
    }
    reading
}
