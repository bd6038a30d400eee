//! A calendar as people write it: TOML, an unknown key is an error, every complaint names the key.
//!
//! ```toml
//! name = "Office"
//! zone = "Asia/Shanghai"
//! holidays = "CN"        # or left out: the week runs through
//! make_up_days = true    # 调休 weekends are worked
//! [week]
//! monday = ["08:30-12:00", "13:30-18:00"]
//! friday = ["08:30-12:00", "20:00-30:00"]   # until six the next morning
//! [[day]]
//! date = "2026-12-24"
//! spans = ["08:30-12:00"]                   # or `off = true`, or `work = true`
//! ```

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::holiday::Holidays;
use super::{Calendar, Override, Parts, Span};

/// The largest calendar file, bytes.
pub const FILE_MAX: usize = 256 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    zone: String,
    holidays: Option<String>,
    #[serde(default = "yes")]
    make_up_days: bool,
    work_day: Option<Vec<String>>,
    #[serde(default)]
    week: Week,
    #[serde(default)]
    day: Vec<Day>,
}

fn yes() -> bool {
    true
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Week {
    monday: Vec<String>,
    tuesday: Vec<String>,
    wednesday: Vec<String>,
    thursday: Vec<String>,
    friday: Vec<String>,
    saturday: Vec<String>,
    sunday: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Day {
    date: Date,
    until: Option<Date>,
    #[serde(default)]
    off: bool,
    #[serde(default)]
    work: bool,
    spans: Option<Vec<String>>,
}

/// Reads a calendar; the error says where it is wrong and what to write.
pub fn read(text: &str) -> Result<Calendar, String> {
    if text.len() > FILE_MAX {
        return Err(format!("the file is larger than {FILE_MAX} bytes"));
    }
    let file: File = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let zone = TimeZone::get(&file.zone)
        .map_err(|_| format!("zone: `{}` is not known; write it as Asia/Shanghai", file.zone))?;
    let holidays = match file.holidays.as_deref() {
        None => None,
        Some("CN") => Some(Holidays::china()),
        Some(other) => return Err(format!("holidays: `{other}` is not known; \"CN\" is, or leave it out")),
    };
    let week = [
        ("week.monday", &file.week.monday),
        ("week.tuesday", &file.week.tuesday),
        ("week.wednesday", &file.week.wednesday),
        ("week.thursday", &file.week.thursday),
        ("week.friday", &file.week.friday),
        ("week.saturday", &file.week.saturday),
        ("week.sunday", &file.week.sunday),
    ];
    let mut days = Vec::with_capacity(week.len());
    for (key, texts) in week {
        days.push(spans(key, texts)?);
    }
    let week = days.try_into().unwrap_or_default();
    let work_day = file.work_day.map(|texts| spans("work_day", &texts)).transpose()?;
    let parts = Parts {
        name: file.name,
        zone,
        week,
        work_day,
        overrides: overrides(file.day)?,
        holidays,
        make_up_days: file.make_up_days,
    };
    Calendar::new(parts).map_err(|fault| fault.to_string())
}

fn overrides(days: Vec<Day>) -> Result<BTreeMap<Date, Override>, String> {
    let mut overrides = BTreeMap::new();
    for day in days {
        let key = format!("day {}", day.date);
        let what = match (day.off, day.work, day.spans) {
            (true, false, None) => Override::Off,
            (false, true, None) => Override::Work,
            (false, false, Some(texts)) => Override::Custom(spans(&key, &texts)?),
            _ => return Err(format!("{key}: give one of `off = true`, `work = true`, `spans = […]`")),
        };
        let until = day.until.unwrap_or(day.date);
        if until < day.date || (until - day.date).get_days() > 400 {
            return Err(format!("{key}: `until` is its last day, at most 400 days later"));
        }
        for date in day.date.series(jiff::Span::new().days(1)).take_while(|date| *date <= until) {
            if overrides.insert(date, what.clone()).is_some() {
                return Err(format!("{key}: {date} is there twice; keep one of the two"));
            }
        }
    }
    Ok(overrides)
}

/// Reads spans of a day, each as `08:30-18:00`; the error names `key` and the text.
pub fn spans(key: &str, texts: &[String]) -> Result<Vec<Span>, String> {
    texts.iter().map(|text| span(text).ok_or_else(|| complaint(key, text))).collect()
}

fn complaint(key: &str, text: &str) -> String {
    format!("{key}: `{text}` is no span; write it as 08:30-18:00, 00:00-24:00 or, over midnight, 22:00-30:00")
}

/// `08:30-18:00`; with seconds where they are given.
pub(crate) fn span(text: &str) -> Option<Span> {
    let (from, to) = text.split_once('-')?;
    Some(Span { from_s: second(from.trim())?, to_s: second(to.trim())? })
}

fn second(text: &str) -> Option<i64> {
    let mut parts = text.split(':').map(|part| {
        let digits = !part.is_empty() && part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| part.parse::<i64>().ok()).flatten()
    });
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = match parts.next() {
        Some(second) => second?,
        None => 0,
    };
    let sound = hour <= 48 && minute < 60 && second < 60 && parts.next().is_none();
    sound.then_some(hour * 3600 + minute * 60 + second)
}
