//! Local time as one straight line of seconds from a Monday, and the working seconds up to any point of it.
//!
//! Every week is like the other but for the days that differ; their difference is kept as a prefix sum. A span
//! that runs over midnight works on the next day too, so a day that differs may change two days of the line.

use std::collections::BTreeMap;

use super::{DAY_S, Span};

const WEEK_DAYS: i64 = 7;

/// The working seconds of the line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Monday to Sunday: what is worked between midnight and midnight, overlaps counted once, in order.
    week: [Vec<Span>; 7],
    /// Working seconds of the week before each of its days; the last is the whole week.
    before: [i64; 8],
    /// Days whose work is not that of their weekday, in order.
    odd: Vec<Odd>,
}

#[derive(Clone, Debug)]
struct Odd {
    day: i64,
    spans: Vec<Span>,
    /// How many seconds more than their weekdays the odd days before this one work.
    more_before: i64,
    /// The same with this one.
    more_after: i64,
}

impl Line {
    /// A line of such weeks, but for `differing` days by their number on the line.
    pub(super) fn new(week: &[Vec<Span>; 7], differing: &BTreeMap<i64, Vec<Span>>) -> Self {
        let worked: [Vec<Span>; 7] = std::array::from_fn(|day| within_day(&week[(day + 6) % 7], &week[day]));
        let mut before = [0; 8];
        for day in 0..7 {
            before[day + 1] = before[day] + length(&worked[day]);
        }
        let begin_on = |day: i64| differing.get(&day).unwrap_or(&week[weekday(day)]);
        let mut touched: Vec<i64> = differing.keys().flat_map(|day| [*day, day + 1]).collect();
        touched.dedup();
        let mut odd: Vec<Odd> = Vec::with_capacity(touched.len());
        let mut more = 0;
        for day in touched {
            let spans = within_day(begin_on(day - 1), begin_on(day));
            let more_before = more;
            more += length(&spans) - length(&worked[weekday(day)]);
            odd.push(Odd { day, spans, more_before, more_after: more });
        }
        Self { week: worked, before, odd }
    }

    /// Working seconds of an ordinary week.
    pub(super) fn week_s(&self) -> i64 {
        self.before[7]
    }

    /// Working seconds before the second `at` of the line.
    pub(super) fn sum(&self, at: i64) -> i64 {
        let (day, second) = (at.div_euclid(DAY_S), at.rem_euclid(DAY_S));
        let weeks = day.div_euclid(WEEK_DAYS) * self.week_s() + self.before[weekday(day)];
        let (spans, more) = self.day(day);
        let today: i64 = spans.iter().map(|span| (second.min(span.to_s) - span.from_s).max(0)).sum();
        weeks + more + today
    }

    /// The first second of `from..=to` before which `wanted` working seconds of the line lie, more than before
    /// `from`; `to` must be late enough. The day is found by doubling, since most of what is asked for lies near.
    pub(super) fn find(&self, wanted: i64, from: i64, to: i64) -> i64 {
        let is_over = |day: i64| self.sum((day + 1) * DAY_S) >= wanted;
        let (first, last) = (from.div_euclid(DAY_S), to.div_euclid(DAY_S));
        let (mut low, mut high, mut step) = (first, first, 1);
        while high < last && !is_over(high) {
            low = high + 1;
            high = (high + step).min(last);
            step *= 2;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if is_over(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        let midnight = low * DAY_S;
        let mut left = wanted - self.sum(midnight);
        for span in self.day(low).0 {
            let length = span.to_s - span.from_s;
            if left <= length {
                return (midnight + span.from_s + left).clamp(from, to);
            }
            left -= length;
        }
        to
    }

    /// What is worked on a day, and how many seconds more than their weekdays the odd days before it work.
    fn day(&self, day: i64) -> (&[Span], i64) {
        let next = self.odd.partition_point(|odd| odd.day < day);
        let more = next.checked_sub(1).map_or(0, |last| self.odd[last].more_after);
        match self.odd.get(next) {
            Some(odd) if odd.day == day => {
                debug_assert_eq!(odd.more_before, more);
                (&odd.spans, more)
            }
            Some(_) | None => (&self.week[weekday(day)], more),
        }
    }
}

fn weekday(day: i64) -> usize {
    usize::try_from(day.rem_euclid(WEEK_DAYS)).unwrap_or(0)
}

fn length(spans: &[Span]) -> i64 {
    spans.iter().map(|span| span.to_s - span.from_s).sum()
}

/// What is worked between two midnights: what begins on the day, and what is left of the day before. Spans that
/// touch or overlap become one.
fn within_day(before: &[Span], today: &[Span]) -> Vec<Span> {
    let left = before.iter().map(|span| Span { from_s: span.from_s - DAY_S, to_s: span.to_s - DAY_S });
    let mut spans: Vec<Span> = left
        .chain(today.iter().copied())
        .map(|span| Span { from_s: span.from_s.max(0), to_s: span.to_s.min(DAY_S) })
        .filter(|span| span.from_s < span.to_s)
        .collect();
    spans.sort_unstable();
    let mut joined: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match joined.last_mut() {
            Some(last) if span.from_s <= last.to_s => last.to_s = last.to_s.max(span.to_s),
            Some(_) | None => joined.push(span),
        }
    }
    joined
}
