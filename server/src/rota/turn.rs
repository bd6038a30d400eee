//! Turns: when one person hands over to the next.
//!
//! Turn `n` begins at the hand-over time of a day that is counted from the first one, never from the turn before: a
//! month's end clamps (the 31st is the 30th in April) without drifting, and 29 February comes back in four years.

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Span, Timestamp, ToSpan};

/// The most days, weeks or months of one turn.
pub const COUNT_MAX: u16 = 52;
/// By how many turns a number is guessed too low at most.
const GUESS_MISS_MAX: i64 = 8;

/// After how long a turn ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// So many days.
    Days(u16),
    /// So many weeks, on a weekday.
    Weeks(u16, Weekday),
    /// So many months, on a day of the month; where a month is shorter, on its last.
    Months(u16, i8),
}

/// How turns follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turns {
    /// After how long.
    pub every: Every,
    /// At what time of the day.
    pub handover: Time,
    /// The first turn begins on this day, or on the first suitable one after it.
    pub start: Date,
}

/// One turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Counted from 0.
    pub number: i64,
    /// When it begins.
    pub begin: Timestamp,
    /// When it is handed over.
    pub end: Timestamp,
}

impl Turns {
    /// The turn at `at`, and until when that answer holds; before the first hand-over there is none.
    pub fn at(&self, zone: &TimeZone, at: Timestamp) -> (Option<Turn>, Timestamp) {
        let first = self.begin(zone, 0);
        if at < first {
            return (None, first);
        }
        let mut number = self.guess(zone.to_datetime(at).date());
        while number > 0 && self.begin(zone, number) > at {
            number -= 1;
        }
        // A turn has no length where a change of the clocks left its day out.
        for number in number..number + GUESS_MISS_MAX {
            let (begin, end) = (self.begin(zone, number), self.begin(zone, number + 1));
            if at < end {
                return (Some(Turn { number, begin, end }), end);
            }
        }
        (None, Timestamp::MAX)
    }

    /// When turn `number` begins.
    pub fn begin(&self, zone: &TimeZone, number: i64) -> Timestamp {
        first(zone, self.day(number), second_of(self.handover))
    }

    /// The day on which turn `number` begins.
    fn day(&self, number: i64) -> Date {
        match self.every {
            Every::Days(count) => plus(self.start, number * i64::from(count)),
            Every::Weeks(count, weekday) => {
                let wait = self.start.weekday().until(weekday);
                plus(self.start, i64::from(wait) + 7 * number * i64::from(count))
            }
            Every::Months(count, day) => {
                let month = self.start.first_of_month();
                let late = i64::from(clamped(month, day) < self.start);
                let months = (late + number * i64::from(count)).min(12 * 20_000);
                clamped(month.saturating_add(Span::new().months(months)), day)
            }
        }
    }

    /// A number near the turn of a date, from below or one too high.
    fn guess(&self, date: Date) -> i64 {
        let days = i64::from((date - self.start).get_days());
        let months =
            i64::from(date.year() - self.start.year()) * 12 + i64::from(date.month() - self.start.month());
        let number = match self.every {
            Every::Days(count) => days.div_euclid(i64::from(count.max(1))),
            Every::Weeks(count, _) => days.div_euclid(7 * i64::from(count.max(1))),
            Every::Months(count, _) => months.div_euclid(i64::from(count.max(1))),
        };
        (number - 1).max(0)
    }
}

fn clamped(month: Date, day: i8) -> Date {
    let day = day.clamp(1, month.days_in_month());
    Date::new(month.year(), month.month(), day).unwrap_or(month)
}

fn plus(date: Date, days: i64) -> Date {
    date.saturating_add(days.clamp(-4_000_000, 4_000_000).days())
}

fn second_of(time: Time) -> i64 {
    i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second())
}

/// The first instant at which a clock in `zone` shows this second after the midnight of `date`, or a later one.
pub(super) fn first(zone: &TimeZone, date: Date, second: i64) -> Timestamp {
    instants(zone, date, second).0
}

/// The first and the last instant at which a clock in `zone` passes this second after the midnight of `date`: they
/// differ where a change of the clocks repeats it. One that a change skips is the instant of the change.
pub(super) fn instants(zone: &TimeZone, date: Date, second: i64) -> (Timestamp, Timestamp) {
    let local = date.at(0, 0, 0, 0).saturating_add(Span::new().seconds(second));
    let with = |offset: jiff::tz::Offset| offset.to_timestamp(local).unwrap_or(Timestamp::MAX);
    match zone.to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { offset } => (with(offset), with(offset)),
        AmbiguousOffset::Fold { before, after } => (with(before), with(after)),
        AmbiguousOffset::Gap { before, after } => {
            let change = zone.following(with(after)).find(|change| change.offset() == after);
            let at = change.map_or(with(before), |change| change.timestamp());
            (at, at)
        }
    }
}
