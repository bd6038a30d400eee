//! The JSON in which the notices are collected: one file a year, `{"year", "days": [{"name", "date", "isOffDay"}]}`.
//!
//! The year is the notice's: its days may lie in the December before. A file without days says that the notice
//! is not out, not that there are no holidays.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::Deserialize;

use super::{Day, Holidays, Kind, Refused, date};

#[derive(Deserialize)]
struct File {
    year: i16,
    days: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: String,
    date: String,
    is_off_day: bool,
}

pub(super) fn read(text: &str) -> Result<Holidays, Refused> {
    let file: File = serde_json::from_str(text)
        .map_err(|error| Refused(format!("not the JSON of a year's notice ({error})")))?;
    let year = |year: i16, month, day| {
        Date::new(year, month, day).map_err(|_| Refused(format!("{year} is no year of a notice")))
    };
    let known_until =
        if file.days.is_empty() { year(file.year - 1, 12, 24)? } else { year(file.year, 12, 24)? };
    let mut days = BTreeMap::new();
    for entry in file.days {
        let kind = if entry.is_off_day { Kind::Off { statutory: false } } else { Kind::Work };
        let day = Day { kind, name: entry.name.clone(), name_zh: entry.name.clone() };
        days.insert(date(&entry.date, &entry.name)?, day);
    }
    Ok(Holidays { days, known_until })
}
