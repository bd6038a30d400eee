//! When anybody is on duty: always, in spans of the week, outside of office hours, or both.
//!
//! 08:00–22:30 outside of office hours and on holidays, as a service rule has it, is a span of every day without
//! the working time of the office's calendar: on a make-up Saturday the office works, so nobody is on duty then.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::turn::instants;
use crate::calendar::{Calendar, DAY_S, Span};

/// When a layer is in force.
#[derive(Clone, Debug, Default)]
pub struct Window {
    /// The spans of Monday to Sunday, in the layer's zone; `None` is always.
    pub week: Option<[Vec<Span>; 7]>,
    /// The office whose working time is left out.
    pub outside: Option<Calendar>,
}

impl Window {
    /// Whether somebody has to be on duty at `at`, and a stretch of time around it for which that holds.
    pub(super) fn around(&self, zone: &TimeZone, at: Timestamp) -> (bool, Timestamp, Timestamp) {
        let mut stretch = Stretch { at, begin: Timestamp::MIN, end: Timestamp::MAX };
        let in_week = self.week.as_ref().is_none_or(|week| within(week, zone, &mut stretch));
        let at_work = self.outside.as_ref().is_some_and(|office| works(office, &mut stretch));
        (in_week && !at_work, stretch.begin, stretch.end)
    }
}

/// The time around an instant.
struct Stretch {
    at: Timestamp,
    begin: Timestamp,
    end: Timestamp,
}

impl Stretch {
    fn cut(&mut self, edge: Timestamp) {
        if edge <= self.at {
            self.begin = self.begin.max(edge);
        } else {
            self.end = self.end.min(edge);
        }
    }
}

/// Whether `stretch.at` lies in a span; each begins at the first instant of its beginning and ends at the last of its
/// end, so a change of the clocks leaves no hole in a night.
fn within(week: &[Vec<Span>; 7], zone: &TimeZone, stretch: &mut Stretch) -> bool {
    let today = zone.to_datetime(stretch.at).date();
    let mut inside = false;
    // A span may be two days long, and a change of the clocks may move it by one more.
    for date in (-3..=2).map(|days: i64| today.saturating_add(days.days())) {
        for span in &week[usize::from(date.weekday().to_monday_zero_offset().unsigned_abs())] {
            let (begin, end) = (instants(zone, date, span.from_s).0, instants(zone, date, span.to_s).1);
            inside |= begin <= stretch.at && stretch.at < end;
            stretch.cut(begin);
            stretch.cut(end);
        }
    }
    cut_at_midnights(zone, stretch);
    inside
}

/// Whether the office works at `stretch.at`, as its calendar counts: second by second of local time.
fn works(office: &Calendar, stretch: &mut Stretch) -> bool {
    let zone = office.zone();
    let today = zone.to_datetime(stretch.at).date();
    for date in (-3..=2).map(|days: i64| today.saturating_add(days.days())) {
        for span in office.spans(date) {
            for second in [span.from_s, span.to_s] {
                let (first, last) = instants(zone, date, second);
                stretch.cut(first);
                stretch.cut(last);
            }
        }
    }
    cut_at_midnights(zone, stretch);
    office.is_working(stretch.at)
}

/// Nothing was looked at beyond the midnights around, and a change of the clocks may show old times again.
fn cut_at_midnights(zone: &TimeZone, stretch: &mut Stretch) {
    let today = zone.to_datetime(stretch.at).date();
    for second in [0, DAY_S] {
        let (first, last) = instants(zone, today, second);
        stretch.cut(first);
        stretch.cut(last);
    }
    let after = Timestamp::from_nanosecond(stretch.at.as_nanosecond() + 1).unwrap_or(stretch.at);
    for change in zone.preceding(after).take(1).chain(zone.following(stretch.at).take(1)) {
        stretch.cut(change.timestamp());
    }
}
