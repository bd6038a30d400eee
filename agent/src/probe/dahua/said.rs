//! What the answers of a Dahua device mean: lines of `key=value`, with indices in the keys. Pure.
//!
//! Source: Dahua, *HTTP API for IPC / NVR / ASI*; recordings of real devices for what it leaves out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime};

use crate::model::access::{self, Door};
use crate::model::recorder::{Channel, Disk, DiskState};
use crate::probe::tree;

/// Lines that are read; a recorder of 256 channels tells some thousands.
const LINES_MAX: usize = 20_000;
/// Disks and channels that are read.
const LIST_MAX: usize = 1_024;
const MB: f64 = 1_000_000.0;

/// An answer, by its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table(BTreeMap<String, String>);

impl Table {
    /// Reads an answer. None when it is an error, or no such answer at all: `Error`, a page, a login form.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = tree::text(bytes);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).take(LINES_MAX);
        let mut table = BTreeMap::new();
        for line in lines {
            if line.starts_with("Error") || line.starts_with('<') {
                return None;
            }
            if let Some((key, value)) = line.split_once('=') {
                table.insert(key.trim().to_owned(), value.trim().to_owned());
            }
        }
        (!table.is_empty()).then_some(Self(table))
    }

    /// One value; None where it is empty.
    pub fn word(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|word| !word.is_empty())
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.word(key)?.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// The numbers in brackets behind `prefix`, in their order: `list.info[0].Name` has 0 behind `list.info`.
    fn indices(&self, prefix: &str) -> BTreeSet<usize> {
        let start = format!("{prefix}[");
        self.0
            .range(start.clone()..)
            .take_while(|(key, _)| key.starts_with(&start))
            .filter_map(|(key, _)| key[start.len()..].split(']').next()?.parse().ok())
            .take(LINES_MAX)
            .collect::<BTreeSet<usize>>()
            .into_iter()
            .take(LIST_MAX)
            .collect()
    }
}

/// `storageDevice.cgi?action=getDeviceAllInfo`: each device once, by the worst that it or a part of it says. None when it is
/// no such answer; a recorder without a disk lists none.
pub fn disks(said: &Table) -> Vec<Disk> {
    let disk = |index: usize| {
        let key = |name: &str| format!("list.info[{index}].{name}");
        let word = said.word(&key("State")).unwrap_or_default().to_owned();
        let parts = said.indices(&key("Detail"));
        let part = |part: usize, name: &str| said.word(&format!("{}[{part}].{name}", key("Detail")));
        let fails = parts.iter().any(|at| part(*at, "IsError").and_then(tree::truth) == Some(true));
        let sum = |name: &str| -> Option<f64> {
            let each: Vec<f64> = parts
                .iter()
                .filter_map(|at| said.number(&format!("{}[{at}].{name}", key("Detail"))))
                .collect();
            (!each.is_empty()).then(|| each.iter().sum())
        };
        let state = match word.to_ascii_lowercase().as_str() {
            _ if fails => DiskState::Failed,
            "success" | "running" | "active" | "sleep" => DiskState::Fine,
            "failure" | "failed" | "error" | "degraded" | "offline" | "inactive" => DiskState::Failed,
            "initializing" | "recovering" | "resync" | "rebuild" | "formatting" => DiskState::Passing,
            "unformat" | "unformatted" => DiskState::Unformatted,
            "notexist" | "removed" | "unknown" => DiskState::Absent,
            _ => DiskState::Strange,
        };
        let free_mb =
            sum("TotalBytes").zip(sum("UsedBytes")).map(|(total, used)| (total - used).max(0.0) / MB);
        let id = said.word(&key("Name")).map_or_else(|| (index + 1).to_string(), str::to_owned);
        let word = if fails && word.eq_ignore_ascii_case("success") { "IsError".to_owned() } else { word };
        Disk { id, word, state, free_mb }
    };
    said.indices("list.info").into_iter().map(disk).collect()
}

/// `LogicDeviceManager.cgi?action=getCameraState`: channels that have a camera, by their numbers as people count them.
pub fn cameras(said: &Table) -> Vec<Channel> {
    let channel = |index: usize| {
        let word = said.word(&format!("states[{index}].connectionState")).unwrap_or_default();
        let number = said.number(&format!("states[{index}].channel")).map_or(index, |number| number as usize);
        let online = match word.to_ascii_lowercase().as_str() {
            "connected" => Some(true),
            "unconnect" | "unconnected" | "disconnected" | "disconnect" => Some(false),
            // It is about to be known.
            "connecting" => None,
            // No camera is set up here.
            _ => return None,
        };
        let why = if online == Some(false) { word.to_owned() } else { String::new() };
        Some(Channel { id: (number + 1).to_string(), online, why, ..Channel::default() })
    };
    said.indices("states").into_iter().filter_map(channel).collect()
}

/// `configManager.cgi?action=getConfig&name=ChannelTitle`: names by the channels' numbers.
pub fn titles(said: &Table) -> BTreeMap<String, String> {
    let title = |index: usize| {
        let name = said.word(&format!("table.ChannelTitle[{index}].Name"))?;
        Some(((index + 1).to_string(), name.to_owned()))
    };
    said.indices("table.ChannelTitle").into_iter().filter_map(title).collect()
}

/// `configManager.cgi?action=getConfig&name=RecordMode`: by the channels' numbers, whether recording is switched on. Mode 0 follows
/// the plan, 1 records always, 2 never.
pub fn modes(said: &Table) -> BTreeMap<String, bool> {
    let mode = |index: usize| {
        let mode = said.number(&format!("table.RecordMode[{index}].Mode"))?;
        Some(((index + 1).to_string(), mode < 2.0))
    };
    said.indices("table.RecordMode").into_iter().filter_map(mode).collect()
}

/// `configManager.cgi?action=getConfig&name=Record`: by the channels' numbers, whether the plan records without a break on every
/// day of the week, for a part of it at least. `TimeSection[DAY][n]=MASK FROM-TO`; bit 0 of the mask is the ordinary record.
pub fn daily(said: &Table) -> BTreeMap<String, bool> {
    let day_is_on = |channel: usize, day: usize| {
        let key = format!("table.Record[{channel}].TimeSection[{day}]");
        said.indices(&key).iter().any(|at| {
            let Some((mask, span)) = said.word(&format!("{key}[{at}]")).and_then(|text| text.split_once(' '))
            else {
                return false;
            };
            let is_ordinary = mask.parse::<u32>().is_ok_and(|mask| mask & 1 == 1);
            is_ordinary && span.split_once('-').is_some_and(|(from, to)| from.trim() != to.trim())
        })
    };
    let channel = |index: usize| {
        let told = said.indices(&format!("table.Record[{index}].TimeSection"));
        (!told.is_empty()).then(|| ((index + 1).to_string(), (0..7).all(|day| day_is_on(index, day))))
    };
    said.indices("table.Record").into_iter().filter_map(channel).collect()
}

/// `eventManager.cgi?action=getEventIndexes`: the numbers of the channels on which an event stands. `Error: No Events` is none.
pub fn events(bytes: &[u8]) -> Option<BTreeSet<String>> {
    let text = tree::text(bytes);
    if text.trim() == "Error: No Events" {
        return Some(BTreeSet::new());
    }
    let said = Table::parse(bytes)?;
    let channels = said.indices("channels");
    let number =
        |at: &usize| said.number(&format!("channels[{at}]")).map(|index| (index as usize + 1).to_string());
    (!channels.is_empty()).then(|| channels.iter().filter_map(number).collect())
}

/// `accessControl.cgi?action=getDoorStatus`: one door. `Break` is a door that was forced open.
pub fn door(said: &Table) -> Option<Door> {
    let is_open = match said.word("Info.status")?.to_ascii_lowercase().as_str() {
        "open" | "break" => Some(true),
        "close" | "closed" => Some(false),
        _ => None,
    };
    Some(Door { is_open, ..Door::default() })
}

/// Doors as a controller would tell them all at once.
pub fn doors(doors: Vec<Door>) -> access::Seen {
    access::Seen { doors, ..access::Seen::default() }
}

/// A page of `mediaFileFind.cgi?action=findNextFile`: how many files are on it, and the days that they touch, by the
/// recorder's own clock.
pub fn files(said: &Table) -> Option<(usize, BTreeSet<Date>)> {
    let found = said.number("found")?.max(0.0) as usize;
    let mut days = BTreeSet::new();
    for index in said.indices("items") {
        let time = |name: &str| said.word(&format!("items[{index}].{name}")).and_then(wall);
        let (Some(from), until) = (time("StartTime"), time("EndTime")) else { continue };
        days.insert(from.date());
        // One that ends at midnight has nothing of the day that begins then.
        let last = until.and_then(|until| until.checked_sub(jiff::Span::new().seconds(1)).ok());
        days.extend(last.filter(|last| *last > from).map(DateTime::date));
    }
    Some((found, days))
}

/// `2026-07-02 19:09:25`; hours and days may come without a leading zero.
pub fn wall(text: &str) -> Option<DateTime> {
    let (day, time) = text.trim().split_once(' ')?;
    let numbers = |text: &str, mark| -> Option<[i16; 3]> {
        let mut all = text.split(mark).map(|part: &str| part.parse().ok());
        Some([all.next()??, all.next()??, all.next()??])
    };
    let ([year, month, day], [hour, minute, second]) = (numbers(day, '-')?, numbers(time, ':')?);
    let narrow = |number: i16| i8::try_from(number).ok();
    DateTime::new(year, narrow(month)?, narrow(day)?, narrow(hour)?, narrow(minute)?, narrow(second)?, 0).ok()
}

#[cfg(test)]
mod tests;
