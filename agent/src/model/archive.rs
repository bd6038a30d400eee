//! How far back recordings reach, by the days on which there are any. Pure.
//!
//! A disk that is full is no fault: a recorder overwrites its oldest day for ever. What a contract promises is days, so days
//! are counted. A new recorder fills up, and has fewer days than promised for as long; it is told from one that
//! loses them by its oldest day, which stays where it is until something is overwritten.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Complete days behind today that are looked at for holes; an older hole is known, and nobody can fill it.
const RECENT_DAYS: i32 = 3;

/// What is remembered of one channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Archive {
    /// When it was last asked, Unix seconds.
    pub(crate) asked_at_s: i64,
    /// The oldest day with a record, as far back as anybody cares.
    pub(crate) oldest: Option<Date>,
    /// Its oldest day has moved on: it has been overwritten or lost.
    pub(crate) has_lost: bool,
    /// Days from the oldest to today.
    pub(crate) kept: i32,
    /// Complete days of late without any record.
    pub(crate) missing: Vec<Date>,
}

impl Archive {
    /// Takes in which days have a record. `today` is the device's own, `keep` how many days are owed.
    pub(crate) fn observe(&mut self, days: &BTreeSet<Date>, today: Date, keep: u16, now_s: i64) {
        let oldest = days.iter().find(|day| **day <= today).copied();
        let moved = match (self.oldest, oldest) {
            (Some(before), Some(after)) => after > before,
            (Some(_), None) => true,
            (None, Some(_) | None) => false,
        };
        let is_empty_for_good = oldest.is_none() && self.asked_at_s != 0;
        self.has_lost |= moved || is_empty_for_good;
        self.kept = oldest.map_or(0, |oldest| days_between(oldest, today));
        if self.kept >= i32::from(keep) {
            self.has_lost = false;
        }
        let recent =
            (1..=RECENT_DAYS).filter_map(|back| today.checked_sub(jiff::Span::new().days(back)).ok());
        self.missing =
            recent.filter(|day| oldest.is_some_and(|oldest| *day > oldest) && !days.contains(day)).collect();
        self.missing.sort();
        (self.oldest, self.asked_at_s) = (oldest, now_s);
    }

    /// Its recordings do not reach back as far as they have to, and not because it is new.
    pub(crate) fn is_short(&self, keep: u16) -> bool {
        self.has_lost && self.kept < i32::from(keep)
    }
}

/// Months that have to be asked for to see `keep` days back from today, the oldest first: (year, month).
pub(crate) fn months(today: Date, keep: u16) -> Vec<(i16, i8)> {
    let back = today.checked_sub(jiff::Span::new().days(i32::from(keep))).unwrap_or(today);
    let mut months = Vec::new();
    let (mut year, mut month) = (back.year(), back.month());
    while (year, month) <= (today.year(), today.month()) {
        months.push((year, month));
        (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    }
    months
}

fn days_between(from: Date, to: Date) -> i32 {
    from.until(to).map_or(0, |span| span.get_days())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn run(archive: &mut Archive, from: Date, today: Date) -> bool {
        let days = from.series(jiff::Span::new().days(1)).take_while(|day| *day <= today).collect();
        archive.observe(&days, today, 30, 1_000);
        archive.is_short(30)
    }

    #[test]
    fn a_new_recorder_fills_and_an_old_one_forgets() {
        let mut new = Archive::default();
        for day in 1..=28 {
            assert!(!run(&mut new, date(2026, 2, 1), date(2026, 2, day)), "day {day}");
        }
        assert_eq!((new.kept, new.has_lost), (27, false));
        assert!(run(&mut new, date(2026, 2, 10), date(2026, 3, 1)), "it has lost nine days");
        assert!(run(&mut new, date(2026, 2, 10), date(2026, 3, 11)));
        assert!(!run(&mut new, date(2026, 2, 10), date(2026, 3, 12)), "thirty days again");
        let mut full = Archive::default();
        assert!(!run(&mut full, date(2026, 1, 1), date(2026, 2, 28)));
        assert!(!run(&mut full, date(2026, 1, 10), date(2026, 3, 1)), "more than is owed");
    }

    #[test]
    fn holes_of_late_are_told_and_today_is_none() {
        let mut archive = Archive::default();
        let today = date(2026, 3, 2);
        let days = [date(2026, 2, 1), date(2026, 2, 27), date(2026, 3, 1)].into_iter().collect();
        archive.observe(&days, today, 30, 1_000);
        assert_eq!(archive.missing, [date(2026, 2, 28)]);
        archive.observe(&[date(2026, 3, 1)].into_iter().collect(), today, 30, 1_000);
        assert_eq!(archive.missing, Vec::<Date>::new(), "nothing is missing before its first day");
    }

    #[test]
    fn an_empty_archive_is_short_when_it_stays_so() {
        let mut archive = Archive::default();
        archive.observe(&BTreeSet::new(), date(2026, 3, 2), 30, 1_000);
        assert!(!archive.is_short(30));
        archive.observe(&BTreeSet::new(), date(2026, 3, 3), 30, 90_000);
        assert!(archive.is_short(30));
    }

    #[test]
    fn months_reach_back_over_new_year() {
        assert_eq!(months(date(2026, 1, 5), 30), [(2025, 12), (2026, 1)]);
        assert_eq!(months(date(2026, 3, 31), 0), [(2026, 3)]);
        assert_eq!(months(date(2026, 3, 31), 366).len(), 13);
    }
}
