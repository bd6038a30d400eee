//! Public holidays and their make-up days, from our own file, from an iCalendar file (RFC 5545) or from the JSON
//! that the Chinese notices are collected in.
//!
//! A day that no notice names is an ordinary day only up to `known_until`; beyond it nobody knows yet, and what is
//! computed there is provisional.

mod ics;
mod json;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::Date;
use serde::Deserialize;

/// The largest file of holidays that is read, bytes.
pub const FILE_MAX: usize = 1024 * 1024;
/// Days of one set of holidays.
pub const DAYS_MAX: usize = 10_000;
/// What the State Council announced since 2018.
const CHINA: &str = include_str!("holidays_cn.toml");

/// What a notice makes of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 休: a free day.
    Off {
        /// A holiday by the regulation itself, not a day shifted to it: work on it is paid threefold.
        statutory: bool,
    },
    /// 班: a make-up day, worked though it is a weekend.
    Work,
}

/// A day of a set of holidays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Day {
    /// What it is.
    pub kind: Kind,
    /// Of which holiday, English.
    pub name: String,
    /// The same in Chinese.
    pub name_zh: String,
}

/// A set of holidays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holidays {
    days: BTreeMap<Date, Day>,
    known_until: Date,
}

/// Why a file of holidays is refused; the text names the place and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    known_until: String,
    #[serde(default)]
    holiday: Vec<Holiday>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Holiday {
    name: String,
    name_zh: Option<String>,
    off: Option<[String; 2]>,
    #[serde(default)]
    statutory: Vec<String>,
    #[serde(default)]
    work: Vec<String>,
}

impl Holidays {
    /// Mainland China's, as far as they are announced.
    ///
    /// # Panics
    /// Never: a test reads the file that is built in.
    pub fn china() -> Self {
        static READ: LazyLock<Holidays> = LazyLock::new(|| {
            Holidays::read(CHINA).unwrap_or_else(|_| unreachable!("a test reads the file that is built in"))
        });
        READ.clone()
    }

    /// Reads a file: TOML of our own, JSON of the collected notices, or iCalendar, told apart by how it begins.
    pub fn read(text: &str) -> Result<Self, Refused> {
        if text.len() > FILE_MAX {
            return Err(Refused(format!("the file is larger than {FILE_MAX} bytes; split it by years")));
        }
        let begin = text.trim_start_matches('\u{feff}').trim_start();
        let read = if begin.starts_with('{') {
            json::read(begin)?
        } else if begin.get(..15).is_some_and(|first| first.eq_ignore_ascii_case("BEGIN:VCALENDAR")) {
            ics::read(begin)?
        } else {
            own(text)?
        };
        if read.days.len() > DAYS_MAX {
            return Err(Refused(format!("the file names more than {DAYS_MAX} days")));
        }
        Ok(read)
    }

    /// What a date is; `None` for an ordinary one, and for one that nobody knows yet.
    pub fn find(&self, date: Date) -> Option<Kind> {
        self.days.get(&date).map(|day| day.kind)
    }

    /// The day's entry.
    pub fn day(&self, date: Date) -> Option<&Day> {
        self.days.get(&date)
    }

    /// Every day that is named, in order.
    pub fn days(&self) -> impl Iterator<Item = (Date, Kind)> + '_ {
        self.days.iter().map(|(date, day)| (*date, day.kind))
    }

    /// The last date about which everything is known.
    pub fn known_until(&self) -> Date {
        self.known_until
    }

    /// Takes over a later notice: where both name a date, the later one holds.
    pub fn merge(&mut self, later: Self) {
        self.days.extend(later.days);
        self.known_until = self.known_until.max(later.known_until);
    }

    /// The same facts as a file of our own, a day a holiday.
    pub fn write(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!("known_until = \"{}\"\n", self.known_until);
        for (date, day) in &self.days {
            let _ = write!(text, "\n[[holiday]]\nname = {:?}\nname_zh = {:?}\n", day.name, day.name_zh);
            let _ = match day.kind {
                Kind::Off { statutory: false } => writeln!(text, "off = [\"{date}\", \"{date}\"]"),
                Kind::Off { statutory: true } => {
                    writeln!(text, "off = [\"{date}\", \"{date}\"]\nstatutory = [\"{date}\"]")
                }
                Kind::Work => writeln!(text, "work = [\"{date}\"]"),
            };
        }
        text
    }
}

fn own(text: &str) -> Result<Holidays, Refused> {
    let file: File =
        toml::from_str(text).map_err(|error| Refused(error.to_string().trim_end().to_owned()))?;
    let known_until = date(&file.known_until, "known_until")?;
    let mut days = BTreeMap::new();
    for holiday in file.holiday {
        let name_zh = holiday.name_zh.unwrap_or_else(|| holiday.name.clone());
        let of = |kind| Day { kind, name: holiday.name.clone(), name_zh: name_zh.clone() };
        if let Some([first, last]) = &holiday.off {
            let (first, last) = (date(first, &holiday.name)?, date(last, &holiday.name)?);
            if last < first || (last - first).get_days() > 60 {
                let name = &holiday.name;
                return Err(Refused(format!(
                    "{name}: `off` runs from its first to its last day, at most 60"
                )));
            }
            for day in first.series(jiff::Span::new().days(1)).take_while(|day| *day <= last) {
                days.insert(day, of(Kind::Off { statutory: false }));
            }
        }
        for day in &holiday.statutory {
            let day = date(day, &holiday.name)?;
            if days.insert(day, of(Kind::Off { statutory: true })).is_none() {
                let name = &holiday.name;
                return Err(Refused(format!("{name}: {day} is statutory but not within `off`")));
            }
        }
        for day in &holiday.work {
            days.insert(date(day, &holiday.name)?, of(Kind::Work));
        }
    }
    Ok(Holidays { days, known_until })
}

fn date(text: &str, place: &str) -> Result<Date, Refused> {
    text.parse().map_err(|_| Refused(format!("{place}: `{text}` is no date; write it as 2026-02-17")))
}

#[cfg(test)]
mod tests;
