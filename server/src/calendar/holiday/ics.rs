//! All-day events of an iCalendar file (RFC 5545, sections 3.1 and 3.6.1). An event is a free day unless its summary
//! says that it is worked (班, 补班, 上班, "workday").
//!
//! A rule that repeats is refused: a holiday that moves would be wrong, and one that does not is quickly written
//! out. Events with a time of day are no holidays and are left out.

use std::collections::BTreeMap;

use jiff::civil::Date;

use super::{Day, Holidays, Kind, Refused};

/// Days of one event.
const LENGTH_MAX: i32 = 60;

pub(super) fn read(text: &str) -> Result<Holidays, Refused> {
    let mut days = BTreeMap::new();
    let mut event: Option<Event> = None;
    for (number, line) in unfold(text) {
        let Some((head, value)) = line.split_once(':') else { continue };
        let name = head.split(';').next().unwrap_or_default().to_ascii_uppercase();
        let refuse = |what: &str| Refused(format!("line {number}: {what}"));
        match (name.as_str(), &mut event) {
            ("BEGIN", _) if value.eq_ignore_ascii_case("VEVENT") => event = Some(Event::default()),
            ("END", Some(done)) if value.eq_ignore_ascii_case("VEVENT") => {
                done.put(&mut days).map_err(|what| refuse(&what))?;
                event = None;
            }
            ("SUMMARY", Some(event)) => event.summary = unescape(value),
            ("DTSTART", Some(event)) if value.contains('T') => event.is_timed = true,
            ("DTSTART", Some(event)) => {
                event.first = Some(day(value).ok_or_else(|| refuse("DTSTART is no date"))?);
            }
            ("DTEND", Some(event)) if !value.contains('T') => {
                event.end = Some(day(value).ok_or_else(|| refuse("DTEND is no date"))?);
            }
            ("RRULE" | "RDATE", Some(_)) => {
                return Err(refuse("an event that repeats; export the single days instead"));
            }
            _ => {}
        }
    }
    let Some(last) = days.keys().next_back().copied() else {
        return Err(Refused("no all-day event in the file".to_owned()));
    };
    Ok(Holidays { days, known_until: last })
}

#[derive(Default)]
struct Event {
    summary: String,
    first: Option<Date>,
    /// The day after the last (section 3.6.1: DTEND is not part of the event).
    end: Option<Date>,
    is_timed: bool,
}

impl Event {
    fn put(&self, days: &mut BTreeMap<Date, Day>) -> Result<(), String> {
        if self.is_timed {
            return Ok(());
        }
        let Some(first) = self.first else { return Err("an event without DTSTART".to_owned()) };
        let end = match self.end {
            Some(end) => end,
            None => first.tomorrow().map_err(|_| "DTSTART is out of range".to_owned())?,
        };
        if end <= first || (end - first).get_days() > LENGTH_MAX {
            return Err(format!("an event lasts from one to {LENGTH_MAX} days"));
        }
        let lower = self.summary.to_lowercase();
        let is_worked = self.summary.contains('班') || lower.contains("workday");
        let kind = if is_worked { Kind::Work } else { Kind::Off { statutory: false } };
        let named = Day { kind, name: self.summary.clone(), name_zh: self.summary.clone() };
        let dates = first.series(jiff::Span::new().days(1)).take_while(|day| *day < end);
        days.extend(dates.map(|date| (date, named.clone())));
        Ok(())
    }
}

fn day(value: &str) -> Option<Date> {
    let value = value.trim();
    Date::strptime("%Y%m%d", value).ok().filter(|_| value.len() == 8)
}

/// Lines put together again where they were folded (section 3.1), with the number at which each begins.
fn unfold(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some((_, before))) => before.push_str(rest),
            (Some(_) | None, _) => lines.push((index + 1, line.to_owned())),
        }
    }
    lines
}

/// Section 3.3.11.
fn unescape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n' | 'N') => text.push(' '),
                Some(other) => text.push(other),
                None => {}
            },
            other => text.push(other),
        }
    }
    text
}
