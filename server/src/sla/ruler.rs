//! What a clock is measured with: the working seconds of a calendar, or seconds that pass.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::calendar::Calendar;
use crate::contract::measure::Amount;
use crate::contract::{Calendars, ClockRule};

/// A ruler.
#[derive(Clone, Copy, Debug)]
pub enum Ruler<'c> {
    /// Every second counts.
    Always,
    /// Working seconds do.
    Calendar(&'c Calendar),
}

/// Days that are looked through for the n-th working day.
const DAYS_MAX: usize = 4_000;

impl<'c> Ruler<'c> {
    /// The ruler of a clock, of its amount.
    pub fn of(rule: &ClockRule, amount: Amount, calendars: &'c Calendars) -> Self {
        match amount {
            Amount::Elapsed(_) | Amount::Agreed => Self::Always,
            Amount::Working(_) | Amount::WorkingDays(_) | Amount::EndOfWorkingDay(_) => {
                calendars.find(&rule.calendar).map_or(Self::Always, Self::Calendar)
            }
        }
    }

    /// Seconds between two instants, the later one second.
    pub fn elapsed_s(self, from: Timestamp, to: Timestamp) -> i64 {
        match self {
            Self::Always => to.as_second() - from.as_second(),
            Self::Calendar(calendar) => calendar.elapsed(from, to).as_secs(),
        }
    }

    /// When so many seconds have passed.
    pub fn add(self, from: Timestamp, seconds: i64) -> Option<Timestamp> {
        match self {
            Self::Always => from.checked_add(SignedDuration::from_secs(seconds.max(0))).ok(),
            Self::Calendar(calendar) => calendar.add(from, SignedDuration::from_secs(seconds)),
        }
    }

    /// Whether an instant lies beyond what is known of its holidays.
    pub fn is_provisional(self, at: Timestamp) -> bool {
        match self {
            Self::Always => false,
            Self::Calendar(calendar) => calendar.is_provisional(at),
        }
    }

    /// Until when, at most `to`, time goes on as it does at `from`: whether it counts, and the end.
    pub fn stretch(self, from: Timestamp, to: Timestamp) -> (bool, Timestamp) {
        let Self::Calendar(calendar) = self else { return (true, to) };
        if !calendar.is_working(from) {
            let one = calendar.add(from, SignedDuration::from_secs(1));
            let opens = one.map_or(to, |at| at - SignedDuration::from_secs(1));
            return (false, opens.min(to));
        }
        let whole = |seconds: i64| {
            let end = from + SignedDuration::from_secs(seconds);
            calendar.elapsed(from, end).as_secs() == seconds
        };
        // The first length that is not all working time, by doubling and halving.
        let length = to.as_second() - from.as_second();
        if whole(length) {
            return (true, to);
        }
        let mut low = 1;
        while low * 2 < length && whole(low * 2) {
            low *= 2;
        }
        let mut high = (low * 2).min(length);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if whole(middle) { low = middle } else { high = middle }
        }
        (true, from + SignedDuration::from_secs(low))
    }
}

/// When an amount is over that is counted from `start` on a calendar of this name, and whether that lies beyond what is
/// known of its holidays; `None` where there is no such instant.
pub fn over_at(
    amount: Amount,
    calendar: &str,
    calendars: &Calendars,
    start: Timestamp,
) -> Option<(Timestamp, bool)> {
    let ruler = match amount {
        Amount::Elapsed(_) | Amount::Agreed => Ruler::Always,
        Amount::Working(_) | Amount::WorkingDays(_) | Amount::EndOfWorkingDay(_) => {
            calendars.find(calendar).map_or(Ruler::Always, Ruler::Calendar)
        }
    };
    let at = match amount {
        Amount::Working(length) | Amount::Elapsed(length) => ruler.add(start, length.as_secs())?,
        Amount::WorkingDays(count) => same_time_later(ruler, start, count)?,
        Amount::EndOfWorkingDay(count) => end_of_day(ruler, start, count, false)?,
        Amount::Agreed => return None,
    };
    Some((at, ruler.is_provisional(at)))
}

/// The budget of an amount from a start on, in seconds of its ruler; `None` where there is no such instant.
pub fn budget_s(
    rule: &ClockRule,
    amount: Amount,
    ruler: Ruler<'_>,
    start: Timestamp,
    agreed: Option<Timestamp>,
) -> Option<i64> {
    let until = match amount {
        Amount::Working(length) | Amount::Elapsed(length) => return Some(length.as_secs()),
        Amount::Agreed => agreed?,
        Amount::WorkingDays(count) => same_time_later(ruler, start, count)?,
        Amount::EndOfWorkingDay(count) => end_of_day(ruler, start, count, rule.count_start_day)?,
    };
    Some(ruler.elapsed_s(start, until).max(0))
}

/// The close of the n-th working day. The day of the start is not counted, as the civil code counts days, unless
/// the contract says so and that day is not over.
fn end_of_day(ruler: Ruler<'_>, start: Timestamp, count: u16, count_start_day: bool) -> Option<Timestamp> {
    let Ruler::Calendar(calendar) = ruler else {
        return start.checked_add(SignedDuration::from_hours(24 * i64::from(count))).ok();
    };
    let today = calendar.zone().to_datetime(start).date();
    let closes = |date: Date| {
        let last = calendar.spans(date).iter().map(|span| span.to_s).max()?;
        let local = date.at(0, 0, 0, 0).checked_add(last.seconds()).ok()?;
        calendar.zone().to_timestamp(local).ok()
    };
    let counted = count_start_day && closes(today).is_some_and(|close| close > start);
    let first = if counted { today } else { today.tomorrow().ok()? };
    let days = first.series(1.day()).take(DAYS_MAX);
    days.filter_map(closes).nth(usize::from(count) - 1)
}

/// The same time of day, so many working days after the day on which work on it can begin.
fn same_time_later(ruler: Ruler<'_>, start: Timestamp, count: u16) -> Option<Timestamp> {
    let Ruler::Calendar(calendar) = ruler else {
        return start.checked_add(SignedDuration::from_hours(24 * i64::from(count))).ok();
    };
    let second = SignedDuration::from_secs(1);
    let begins = if calendar.is_working(start) { start } else { calendar.add(start, second)? - second };
    let local = calendar.zone().to_datetime(begins);
    let days = local.date().tomorrow().ok()?.series(1.day()).take(DAYS_MAX);
    let date = days.filter(|date| !calendar.spans(*date).is_empty()).nth(usize::from(count) - 1)?;
    calendar.zone().to_timestamp(date.to_datetime(local.time())).ok()
}
