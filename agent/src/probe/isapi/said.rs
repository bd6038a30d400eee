//! What Hikvision's ISAPI answers, read into what a recorder is. Pure; the names are those of Hikvision's documents and
//! of recordings of real devices, whose spelling mistakes are part of the protocol.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime, Weekday};

use super::super::tree::{Node, truth};
use crate::model::integrity;
use crate::model::recorder::{Disk, DiskState};

const LIST_MAX: usize = 1_024;

/// What `deviceType` of `System/deviceInfo` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// NVR, DVR, Hybrid DVR: recording is its job.
    Recorder,
    /// IPCamera, IPDome, IPZoom and their kin.
    Camera,
    /// ACS: a door controller.
    Access,
    /// Anything else, or not told.
    Other,
}

impl Sort {
    /// Reads the word.
    pub fn of(word: Option<&str>) -> Self {
        let word = word.unwrap_or_default().to_ascii_uppercase();
        if word.contains("NVR") || word.contains("DVR") {
            Self::Recorder
        } else if word.starts_with("ACS") || word.contains("ACCESS") {
            Self::Access
        } else if word.starts_with("IP") {
            Self::Camera
        } else {
            Self::Other
        }
    }
}

/// `ContentMgmt/Storage`; None when it is no such answer.
pub fn disks(said: &Node) -> Option<Vec<Disk>> {
    if said.find("hddList").is_none() && said.name != "storage" {
        return None;
    }
    let mut disks = Vec::new();
    for (element, prefix) in [("hdd", ""), ("ssd", "ssd "), ("nas", "nas ")] {
        for node in said.all(element) {
            let Some(word) = node.word("status") else { continue };
            let number = node.word("id").or(node.word("hddName")).unwrap_or("?");
            let is_empty = node.number("capacity").is_some_and(|capacity| capacity <= 0.0);
            disks.push(Disk {
                id: format!("{prefix}{number}"),
                word: word.to_owned(),
                state: disk_state(word, is_empty),
                free_mb: node.number("freeSpace"),
            });
        }
    }
    disks.truncate(LIST_MAX);
    Some(disks)
}

/// `status` of a disk. A slot for a card that holds none says "offline" with no capacity.
fn disk_state(word: &str, is_empty: bool) -> DiskState {
    let plain: String = word.chars().filter(char::is_ascii_alphanumeric).collect();
    match plain.to_ascii_lowercase().as_str() {
        "ok" | "normal" | "idle" | "sleeping" => DiskState::Fine,
        "repairing" | "initializing" | "formating" | "formatting" => DiskState::Passing,
        "unformatted" | "uninitialized" => DiskState::Unformatted,
        "notexist" => DiskState::Absent,
        "offline" if is_empty => DiskState::Absent,
        "offline" | "error" | "abnormal" | "smartfailed" | "mismatch" | "bad" => DiskState::Failed,
        _ => DiskState::Strange,
    }
}

/// One entry of `ContentMgmt/InputProxy/channels`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// The channel's number.
    pub id: String,
    /// Its name, empty without one.
    pub name: String,
}

/// `ContentMgmt/InputProxy/channels`; None when it is no such answer.
pub fn proxies(said: &Node) -> Option<Vec<Proxy>> {
    let list = said.find("InputProxyChannelList")?.all("InputProxyChannel");
    let proxy = |node: &&Node| {
        let id = node.child("id")?.text.clone();
        let name = node.child("name").map_or_else(String::new, |name| name.text.clone());
        Some(Proxy { id, name })
    };
    Some(list.iter().filter_map(proxy).take(LIST_MAX).collect())
}

/// What is said of a channel's connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// The channel's number.
    pub id: String,
    /// Its camera is connected.
    pub online: Option<bool>,
    /// `chanDetectResult`, unless it says "connect".
    pub why: String,
}

/// `ContentMgmt/InputProxy/channels/status`; None when it is no such answer.
pub fn links(said: &Node) -> Option<Vec<Link>> {
    let list = said.find("InputProxyChannelStatusList")?.all("InputProxyChannelStatus");
    let link = |node: &&Node| {
        let why = node.word("chanDetectResult").filter(|word| *word != "connect").unwrap_or_default();
        let id = node.child("id")?.text.clone();
        Some(Link { id, online: node.flag("online"), why: why.to_owned() })
    };
    Some(list.iter().filter_map(link).take(LIST_MAX).collect())
}

/// One channel of `System/workingstatus`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// `chanNo`.
    pub id: String,
    /// It is set up.
    pub enabled: Option<bool>,
    /// Its camera is connected.
    pub online: Option<bool>,
    /// It records.
    pub records: Option<bool>,
    /// It has a picture signal; the device says 0 for yes.
    pub signal: Option<bool>,
}

/// `System/workingstatus?format=json`, in any of the shapes that devices give it; with `devStatus`, whose 2 is failed
/// hardware. None when it is no such answer.
pub fn work(said: &Node) -> Option<(Option<bool>, Vec<Work>)> {
    let mut nodes = Vec::new();
    with_number(said, &mut nodes);
    let one = |node: &Node| Work {
        id: node.child("chanNo").map_or_else(String::new, |number| number.text.clone()),
        enabled: node.flag("enable"),
        online: node.flag("online"),
        records: node.flag("record"),
        signal: node.flag("signal").map(|lost| !lost),
    };
    let channels: Vec<Work> = nodes.into_iter().map(one).take(LIST_MAX).collect();
    let defective = said.number("devStatus").map(|status| status.round() as i64 == 2);
    (defective.is_some() || !channels.is_empty()).then_some((defective, channels))
}

fn with_number<'n>(node: &'n Node, found: &mut Vec<&'n Node>) {
    if node.child("chanNo").is_some() {
        found.push(node);
    } else {
        node.children.iter().for_each(|child| with_number(child, found));
    }
}

/// One track of `ContentMgmt/record/tracks`: a stream that can be recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Track {
    /// The channel's number: track 101 is the main stream of channel 1.
    pub channel: String,
    /// Recording is switched on: `CustomExtension/enableSchedule`. `Track/Enable` says nothing of it.
    pub scheduled: Option<bool>,
    /// When it records without a break, minutes of the week from Monday; the end lies behind.
    pub spans: Vec<(u32, u32)>,
    /// A plan was there to be read.
    pub has_plan: bool,
}

const DAY: u32 = 24 * 60;
const WEEK: u32 = 7 * DAY;

/// `ContentMgmt/record/tracks`: the main streams. None when it is no such answer.
pub fn tracks(said: &Node) -> Option<Vec<Track>> {
    let list = said.find("TrackList")?.all("Track");
    let track = |node: &&Node| {
        let id: u32 = node.child("id")?.text.parse().ok()?;
        if id % 100 != 1 {
            return None;
        }
        let actions = node.all("ScheduleAction");
        let spans = actions.iter().filter_map(|action| {
            let (from, to) = (
                minute(action.child("ScheduleActionStartTime")?)?,
                minute(action.child("ScheduleActionEndTime")?)?,
            );
            // Continuous recording; motion, alarm and their mixtures owe nothing.
            let is_continuous = action.word("ActionRecordingMode")?.eq_ignore_ascii_case("CMR");
            is_continuous.then_some((from, if to <= from { to + WEEK } else { to }))
        });
        Some(Track {
            channel: (id / 100).to_string(),
            scheduled: node.flag("enableSchedule"),
            spans: spans.collect(),
            has_plan: !actions.is_empty(),
        })
    };
    Some(list.iter().filter_map(track).take(LIST_MAX).collect())
}

fn minute(node: &Node) -> Option<u32> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let word = node.word("DayOfWeek")?.to_ascii_lowercase();
    let day = match word.parse::<u32>() {
        Ok(number) => number.checked_sub(1).filter(|day| *day < 7)?,
        Err(_) => u32::try_from(DAYS.iter().position(|day| word.starts_with(day))?).ok()?,
    };
    let mut parts = node.word("TimeOfDay")?.split(':').map(|part| part.parse::<u32>().ok());
    let (hour, minute) = (parts.next()??, parts.next()??);
    (hour <= 24 && minute < 60).then_some(day * DAY + hour * 60 + minute)
}

impl Track {
    /// Whether the plan wants a record at this moment of the device's own time.
    pub fn is_due(&self, wall: DateTime) -> Option<bool> {
        let day = u32::try_from(wall.weekday().since(Weekday::Monday)).ok()?;
        let at = day * DAY + u32::try_from(wall.hour()).ok()? * 60 + u32::try_from(wall.minute()).ok()?;
        let holds =
            |(from, to): &(u32, u32)| (*from..*to).contains(&at) || (*from..*to).contains(&(at + WEEK));
        self.has_plan.then(|| self.spans.iter().any(holds))
    }

    /// Whether the plan wants records on every day of the week.
    pub fn is_daily(&self) -> Option<bool> {
        let on = |day: u32| {
            let touches = |from: u32, to: u32, start: u32| from < start + DAY && to > start;
            self.spans
                .iter()
                .any(|(from, to)| touches(*from, *to, day * DAY) || touches(*from, *to, day * DAY + WEEK))
        };
        self.has_plan.then(|| (0..7).all(on))
    }

    /// What it records without a break on a day, seconds of the day.
    pub fn owed(&self, date: Date) -> Vec<(u32, u32)> {
        let Ok(day) = u32::try_from(date.weekday().since(Weekday::Monday)) else { return Vec::new() };
        let start = day * DAY;
        // A span over the end of the week may touch the day at both of its ends.
        let part = |(from, to, start): (u32, u32, u32)| {
            let (from, to) = (from.max(start), to.min(start + DAY));
            (from < to).then(|| ((from - start) * 60, (to - start) * 60))
        };
        self.spans
            .iter()
            .flat_map(|(from, to)| [(*from, *to, start), (*from, *to, start + WEEK)])
            .filter_map(part)
            .collect()
    }
}

/// A page of `ContentMgmt/search`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The stretches of the day that was asked for, in its seconds.
    pub found: Vec<(u32, u32)>,
    /// How many were listed.
    pub listed: usize,
    /// There are more.
    pub more: bool,
}

/// Reads a page of `ContentMgmt/search`. Times are local, whatever their `Z` says. None when it is no such answer.
pub fn stretches(said: &Node, date: Date) -> Option<Page> {
    let result = said.find("CMSearchResult")?;
    let word = result.word("responseStatusStrg")?.to_ascii_uppercase();
    if word.starts_with("NO") {
        return Some(Page::default());
    }
    let items: Vec<&Node> = result.all("searchMatchItem").into_iter().take(LIST_MAX).collect();
    let time = |item: &Node, name: &str| {
        let text = item.find("timeSpan")?.word(name)?;
        text.get(..19)?.parse::<DateTime>().ok()
    };
    let stretch = |item: &&Node| integrity::on(date, time(item, "startTime")?, time(item, "endTime")?);
    let found = items.iter().filter_map(stretch).collect();
    Some(Page { found, listed: items.len(), more: word == "MORE" })
}

/// `record/tracks/…/dailyDistribution`: the days of the month that have a record. None when it is no such answer.
pub fn recorded_days(said: &Node) -> Option<BTreeSet<i8>> {
    let list = said.find("dayList")?.all("day");
    let day = |node: &&Node| {
        let day = node.number("dayOfMonth").filter(|day| (1.0..=31.0).contains(day))? as i8;
        node.child("record").and_then(|record| truth(&record.text)).filter(|yes| *yes).map(|_| day)
    };
    Some(list.iter().filter_map(day).collect())
}

/// `deviceUpTime`: seconds, or on roadside cameras days, hours, minutes and seconds in Chinese.
pub fn uptime_s(text: &str) -> Option<f64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Some(seconds).filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    }
    let (mut total, mut number, mut units) = (0.0, String::new(), 0);
    for letter in text.chars() {
        let unit = match letter {
            '0'..='9' if number.len() < 9 => {
                number.push(letter);
                continue;
            }
            '天' | '日' => 86_400.0,
            '时' => 3_600.0,
            '分' => 60.0,
            '秒' => 1.0,
            '小' | '钟' => continue,
            _ => return None,
        };
        total += number.parse::<f64>().ok()? * unit;
        number.clear();
        units += 1;
    }
    (units > 0 && number.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests;
