//! Working time: weekly spans, days that differ, holidays with their make-up days, in a zone.
//!
//! A duration that a contract promises is counted in working seconds of a calendar. Two questions follow:
//! how many working seconds lie between two instants ([`Calendar::elapsed`]), and when so many of them have
//! passed ([`Calendar::add`]). Both are exact to the second and never step through days: on one offset from
//! UTC, local time is a straight line of seconds, so a span of weeks is a multiplication, days that differ
//! are a prefix sum, and the two or so times a year when the offset changes cut the line into pieces.
//!
//! A span is half open: 08:00–18:00 includes 08:00:00 and not 18:00:00, 24:00 is the end of a day, and
//! 22:00–30:00 ends at six the next morning and belongs to the day on which it begins. An hour that a change of
//! the clocks skips is no working time; one that it repeats counts twice.

pub mod api;
pub mod file;
pub mod holiday;
mod line;

use std::collections::BTreeMap;
use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use holiday::{Day, Holidays, Kind};
use line::Line;

/// One day, seconds.
pub const DAY_S: i64 = 86_400;
/// The latest end of a span, seconds after the midnight on which its day begins.
pub const SPAN_END_MAX_S: i64 = 2 * DAY_S;
/// Spans of one day.
pub const SPANS_MAX: usize = 16;
/// Days of a calendar that differ from its week.
pub const OVERRIDES_MAX: usize = 4_000;

/// A half-open piece of working time, in seconds after the midnight on which its day begins; at most two days
/// long, so that a night shift is one span of the day on which it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First second.
    pub from_s: i64,
    /// The second after the last.
    pub to_s: i64,
}

impl fmt::Display for Span {
    /// As people write it: `08:30-18:00`, `22:00-30:00` over midnight.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |f: &mut fmt::Formatter<'_>, second: i64| {
            write!(f, "{:02}:{:02}", second / 3600, second / 60 % 60)?;
            if second % 60 == 0 { Ok(()) } else { write!(f, ":{:02}", second % 60) }
        };
        clock(f, self.from_s)?;
        f.write_str("-")?;
        clock(f, self.to_s)
    }
}

/// How a day differs from its weekday.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Override {
    /// 休: nobody works.
    Off,
    /// 班: like an ordinary working day.
    Work,
    /// Its own spans.
    Custom(Vec<Span>),
}

/// What a calendar is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    /// What people call it.
    pub name: String,
    /// Where its spans are local time.
    pub zone: TimeZone,
    /// The spans of Monday to Sunday.
    pub week: [Vec<Span>; 7],
    /// What a make-up day is like, and a day that is overridden to `Work`: the spans of the first weekday that
    /// has any, where this is `None`.
    pub work_day: Option<Vec<Span>>,
    /// Days that differ, stronger than holidays.
    pub overrides: BTreeMap<Date, Override>,
    /// Public holidays; `None` where the week runs through them.
    pub holidays: Option<Holidays>,
    /// Whether a weekend that a notice turns into a working day is one here.
    pub make_up_days: bool,
}

/// Why a calendar cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A span that ends before it begins, or lies outside of its bounds.
    #[error("{place}: a span runs from 00:00 to at most 48:00 and ends after it begins")]
    Span {
        /// The day.
        place: String,
    },
    /// More than a calendar may hold.
    #[error("{place}: at most {limit}")]
    TooMany {
        /// Of what.
        place: String,
        /// How many are allowed.
        limit: usize,
    },
    /// A clock on it would never be due.
    #[error("no week of it has working time, so nothing would ever be due; give at least one day a span")]
    Empty,
}

/// A calendar that was checked.
#[derive(Clone, Debug)]
pub struct Calendar {
    parts: Parts,
    line: Line,
}

impl Calendar {
    /// Checks the parts and lays them out for counting.
    pub fn new(parts: Parts) -> Result<Self, Fault> {
        const DAYS: [&str; 7] =
            ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
        for (spans, day) in parts.week.iter().zip(DAYS) {
            check(spans, day)?;
        }
        if let Some(spans) = &parts.work_day {
            check(spans, "a working day")?;
        }
        if parts.overrides.len() > OVERRIDES_MAX {
            return Err(Fault::TooMany { place: "days that differ".to_owned(), limit: OVERRIDES_MAX });
        }
        for (date, day) in &parts.overrides {
            if let Override::Custom(spans) = day {
                check(spans, &date.to_string())?;
            }
        }
        let line = Line::new(&parts.week, &days_that_differ(&parts));
        if line.week_s() == 0 {
            return Err(Fault::Empty);
        }
        Ok(Self { parts, line })
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// Its zone.
    pub fn zone(&self) -> &TimeZone {
        &self.parts.zone
    }

    /// Whether `at` is working time.
    pub fn is_working(&self, at: Timestamp) -> bool {
        let local = local_s(at.as_second(), self.offset_s(at));
        self.line.sum(local + 1) > self.line.sum(local)
    }

    /// The working seconds in `from..to`; negative when `to` is the earlier one.
    pub fn elapsed(&self, from: Timestamp, to: Timestamp) -> SignedDuration {
        if to < from {
            return -self.elapsed(to, from);
        }
        let mut seconds = 0;
        for piece in self.pieces(from.as_second()) {
            let end = piece.end.min(to.as_second());
            seconds +=
                self.line.sum(local_s(end, piece.offset)) - self.line.sum(local_s(piece.begin, piece.offset));
            if end == to.as_second() {
                break;
            }
        }
        SignedDuration::from_secs(seconds)
    }

    /// The first instant at which `working` seconds have passed since `from`: the end of a working day rather
    /// than the beginning of the next. `None` when that lies beyond the year 9999.
    pub fn add(&self, from: Timestamp, working: SignedDuration) -> Option<Timestamp> {
        let mut left = working.as_secs();
        if left <= 0 {
            return Some(from);
        }
        for piece in self.pieces(from.as_second()) {
            let begin = local_s(piece.begin, piece.offset);
            let end = local_s(piece.end, piece.offset);
            let before = self.line.sum(begin);
            let there = self.line.sum(end) - before;
            if there >= left {
                let local = self.line.find(before + left, begin, end);
                return Timestamp::from_second(local - piece.offset - LOCAL_ZERO_S).ok();
            }
            left -= there;
        }
        None
    }

    /// The last date up to which it is known which days are holidays; `None` where that does not matter.
    pub fn known_until(&self) -> Option<Date> {
        self.parts.holidays.as_ref().map(Holidays::known_until)
    }

    /// Whether an instant lies beyond the announced holidays, so that what was computed for it may yet change.
    pub fn is_provisional(&self, at: Timestamp) -> bool {
        self.known_until().is_some_and(|until| self.parts.zone.to_datetime(at).date() > until)
    }

    /// The spans of a date, as they begin on it.
    pub fn spans(&self, date: Date) -> &[Span] {
        match (self.parts.overrides.get(&date), self.public(date)) {
            (Some(Override::Off), _) => &[],
            (Some(Override::Work), _) => self.work_day(),
            (Some(Override::Custom(spans)), _) => spans,
            (None, Some(Kind::Off { .. })) => &[],
            (None, Some(Kind::Work)) => self.work_day(),
            (None, None) => &self.parts.week[weekday(date)],
        }
    }

    /// Whether a date is one that the calendar names by itself.
    pub fn is_own(&self, date: Date) -> bool {
        self.parts.overrides.contains_key(&date)
    }

    /// The holiday that a notice gives a date, as far as this calendar follows it.
    pub fn holiday(&self, date: Date) -> Option<&Day> {
        self.public(date).and(self.parts.holidays.as_ref()?.day(date))
    }

    /// What the notices say of a date, as far as this calendar follows them.
    pub fn public(&self, date: Date) -> Option<Kind> {
        public(&self.parts, date)
    }

    fn work_day(&self) -> &[Span] {
        work_day(&self.parts)
    }

    fn offset_s(&self, at: Timestamp) -> i64 {
        i64::from(self.parts.zone.to_offset(at).seconds())
    }

    /// The pieces of time with one offset, from `begin_s` on.
    fn pieces(&self, begin_s: i64) -> impl Iterator<Item = Piece> + '_ {
        let begin = Timestamp::from_second(begin_s).unwrap_or(Timestamp::MIN);
        let first = Piece { begin: begin_s, end: 0, offset: self.offset_s(begin) };
        let changes = self
            .parts
            .zone
            .following(begin)
            .map(|change| (change.timestamp().as_second(), i64::from(change.offset().seconds())))
            .chain(std::iter::once((Timestamp::MAX.as_second(), 0)));
        changes.scan(first, |piece, (at, offset_s)| {
            let done = Piece { end: at, ..*piece };
            *piece = Piece { begin: at, end: 0, offset: offset_s };
            Some(done)
        })
    }
}

/// Unix seconds with one offset from UTC.
#[derive(Clone, Copy, Debug)]
struct Piece {
    begin: i64,
    end: i64,
    offset: i64,
}

/// Seconds from the Monday on which the local line begins (Monday 1 January of the year 1) to 1970.
const LOCAL_ZERO_S: i64 = 719_162 * DAY_S;

/// Local seconds on the line.
fn local_s(at_s: i64, offset_s: i64) -> i64 {
    at_s + offset_s + LOCAL_ZERO_S
}

/// The number of a date's day on the line.
fn day_of(date: Date) -> i64 {
    let since = date.duration_since(Date::constant(1, 1, 1));
    since.as_secs() / DAY_S
}

fn weekday(date: Date) -> usize {
    usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0)
}

fn public(parts: &Parts, date: Date) -> Option<Kind> {
    let kind = parts.holidays.as_ref()?.find(date)?;
    (parts.make_up_days || kind != Kind::Work).then_some(kind)
}

fn work_day(parts: &Parts) -> &[Span] {
    match &parts.work_day {
        Some(spans) => spans,
        None => parts.week.iter().find(|spans| !spans.is_empty()).map_or(&[], Vec::as_slice),
    }
}

/// Every date whose spans are not those of its weekday, with them.
fn days_that_differ(parts: &Parts) -> BTreeMap<i64, Vec<Span>> {
    let mut days = BTreeMap::new();
    for (date, kind) in parts.holidays.iter().flat_map(Holidays::days) {
        match kind {
            Kind::Off { .. } => days.insert(day_of(date), Vec::new()),
            Kind::Work if parts.make_up_days => days.insert(day_of(date), work_day(parts).to_vec()),
            Kind::Work => None,
        };
    }
    for (date, day) in &parts.overrides {
        let spans = match day {
            Override::Off => Vec::new(),
            Override::Work => work_day(parts).to_vec(),
            Override::Custom(spans) => spans.clone(),
        };
        days.insert(day_of(*date), spans);
    }
    days
}

/// Whether spans are sound and few enough; `place` is what a complaint names.
pub fn check(spans: &[Span], place: &str) -> Result<(), Fault> {
    if spans.len() > SPANS_MAX {
        return Err(Fault::TooMany { place: format!("{place}: spans"), limit: SPANS_MAX });
    }
    let sound = |span: &Span| 0 <= span.from_s && span.from_s < span.to_s && span.to_s <= SPAN_END_MAX_S;
    if spans.iter().all(sound) { Ok(()) } else { Err(Fault::Span { place: place.to_owned() }) }
}

#[cfg(test)]
mod tests;
