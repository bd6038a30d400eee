//! The periods of one rule, each found from its number alone.

use std::fmt::Write as _;

use jiff::ToSpan;
use jiff::civil::Date;

use super::{InspectRule, Phase, When, Window};

/// Inspections of one rule: a daily one for some fifty years.
const MOST: u32 = 20_000;
/// In a period of days, the last so many are where its inspection is aimed at.
const LAST_DAYS: i32 = 28;

/// The periods of a rule.
#[derive(Debug)]
pub(super) struct Series<'c> {
    pub(super) rule: &'c InspectRule,
    pub(super) anchor: Date,
    /// The day after the last on which anything is owed.
    pub(super) ends: Option<Date>,
    /// Which of the plan's calendars it is on.
    pub(super) days: usize,
    /// From what and how it is counted.
    pub(super) text: String,
    shape: Shape,
    /// The end of its phase, or of the contract where that comes first.
    until: Option<Date>,
}

/// How periods follow each other.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// Period n: `every` months, `first` months after the anchor.
    Months { first: i32, every: i32 },
    /// Period n: `every` days from a day on.
    Days { start: Date, every: i32 },
    /// `count` of them in each span of `months`, as even as whole days allow.
    Share { count: i32, months: i32 },
    /// One.
    Once(Window),
}

/// One period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) n: u32,
    pub(super) window: Window,
    pub(super) aim: Date,
}

impl<'c> Series<'c> {
    pub(super) fn new(rule: &'c InspectRule, anchor: Date, ends: Option<Date>, days: usize) -> Self {
        let (shape, phase, share) = match rule.when {
            When::Stay(phase) => {
                let (from, until) = span(anchor, phase);
                let window = Window { from, until: until.unwrap_or(from) };
                (Shape::Once(window), Some(phase), None)
            }
            When::Months { every, phase } => {
                (Shape::Months { first: phase.map_or(0, |phase| phase.first - 1), every }, phase, None)
            }
            When::Days { every, phase } => {
                let start = phase.map_or(anchor, |phase| span(anchor, phase).0);
                (Shape::Days { start, every }, phase, None)
            }
            When::Month(month) => {
                let window = Window { from: months_on(anchor, month - 1), until: months_on(anchor, month) };
                (Shape::Once(window), None, None)
            }
            When::Share { count, months, once } => {
                let share = once.then(|| months_on(anchor, months));
                let shape = if months % count == 0 {
                    Shape::Months { first: 0, every: months / count }
                } else {
                    Shape::Share { count, months }
                };
                (shape, None, share)
            }
        };
        let phase_ends = phase.and_then(|phase| span(anchor, phase).1).or(share);
        let until = [phase_ends, ends].into_iter().flatten().min();
        Self { rule, anchor, ends, days, text: text(rule, anchor), shape, until }
    }

    pub(super) fn name(&self) -> &'c str {
        &self.rule.name
    }

    /// Whether it is a phase: a stretch of weeks or months.
    pub(super) fn is_phase(&self) -> bool {
        match self.rule.when {
            When::Stay(_) => true,
            When::Months { phase, .. } | When::Days { phase, .. } => phase.is_some(),
            When::Month(_) | When::Share { .. } => false,
        }
    }

    /// The more frequent rule comes first, then what recurs, then the shorter.
    pub(super) fn rank(&self) -> (i32, bool, &'c str) {
        let (days, once) = match self.shape {
            Shape::Months { every, .. } => (every.saturating_mul(30), false),
            Shape::Days { every, .. } => (every, false),
            Shape::Share { count, months } => (months.saturating_mul(30) / count, false),
            Shape::Once(_) => match self.rule.when {
                When::Month(_) => (30, true),
                _ => (i32::MAX, true),
            },
        };
        (days, once, self.name())
    }

    /// The periods from number `n` on.
    pub(super) fn slots(&self, n: u32) -> impl Iterator<Item = Slot> + '_ {
        (n.max(1)..=MOST).map_while(|n| self.slot(n))
    }

    /// Period `n`, where something is owed in it: its aim lies before the end. What the end cuts off of a period is
    /// still owed; the rest of a period that is too short for its aim is not.
    pub(super) fn slot(&self, n: u32) -> Option<Slot> {
        if n == 0 || n > MOST {
            return None;
        }
        let (whole, aim) = self.whole(n)?;
        if self.until.is_some_and(|until| aim >= until) {
            return None;
        }
        let until = self.until.map_or(whole.until, |until| whole.until.min(until));
        Some(Slot { n, window: Window { from: whole.from, until }, aim })
    }

    fn whole(&self, n: u32) -> Option<(Window, Date)> {
        let index = i32::try_from(n).ok()? - 1;
        match self.shape {
            Shape::Once(window) => {
                (index == 0 && window.from < window.until).then_some((window, window.from))
            }
            Shape::Months { first, every } => {
                let begin = first.checked_add(index.checked_mul(every)?)?;
                let window = Window {
                    from: try_months_on(self.anchor, begin)?,
                    until: try_months_on(self.anchor, begin.checked_add(every)?)?,
                };
                Some((window, try_months_on(self.anchor, begin + every - 1)?))
            }
            Shape::Days { start, every } => {
                let from = start.checked_add(index.checked_mul(every)?.days()).ok()?;
                last_of(Window { from, until: from.checked_add(every.days()).ok()? })
            }
            Shape::Share { count, months } => {
                let (span, part) = (index / count, index % count);
                let begin = try_months_on(self.anchor, span.checked_mul(months)?)?;
                let end = try_months_on(self.anchor, span.checked_add(1)?.checked_mul(months)?)?;
                let length = i64::from((end - begin).get_days());
                let edge = |part: i32| {
                    let day = length * i64::from(part) / i64::from(count);
                    begin.checked_add(day.days()).ok()
                };
                let window = Window { from: edge(part)?, until: edge(part + 1)? };
                last_of(window)
            }
        }
    }

    /// The periods around a day: at most three.
    pub(super) fn near(&self, day: Date) -> Vec<Slot> {
        let guess = self.guess(day);
        let from = guess.saturating_sub(2).max(1);
        let around: Vec<Slot> = (from..=guess.saturating_add(2)).filter_map(|n| self.slot(n)).collect();
        let at =
            around.iter().position(|slot| slot.window.until > day).unwrap_or(around.len().saturating_sub(1));
        around.into_iter().skip(at.saturating_sub(1)).take(3).collect()
    }

    /// The number of the period that holds a day, within one or two.
    fn guess(&self, day: Date) -> u32 {
        let months = |from: Date| {
            (i32::from(day.year()) - i32::from(from.year())) * 12 + i32::from(day.month())
                - i32::from(from.month())
        };
        let days = |from: Date| (day - from).get_days();
        let index = match self.shape {
            Shape::Once(_) => 0,
            Shape::Months { first, every } => (months(self.anchor) - first).div_euclid(every),
            Shape::Days { start, every } => days(start).div_euclid(every),
            Shape::Share { count, months: span } => {
                let length = i64::from(span) * 3_044 / 100;
                let index = i64::from(days(self.anchor)) * i64::from(count) / length.max(1);
                i32::try_from(index).unwrap_or(0)
            }
        };
        u32::try_from(index.saturating_add(1)).unwrap_or(1)
    }

    /// From the first day on which something is owed to the day after the last; `None` there goes on.
    pub(super) fn owed(&self) -> Option<(Date, Option<Date>)> {
        let first = self.slot(1)?;
        let Some(until) = self.until else {
            let once = matches!(self.shape, Shape::Once(_));
            return Some((first.window.from, once.then_some(first.window.until)));
        };
        if let Shape::Once(_) = self.shape {
            return Some((first.window.from, Some(first.window.until)));
        }
        let last = self.near(until).into_iter().map(|slot| slot.window.until).max();
        Some((first.window.from, Some(last.unwrap_or(until))))
    }
}

/// The aim in a period of days.
fn last_of(window: Window) -> Option<(Window, Date)> {
    let back = window.until.checked_sub(LAST_DAYS.days()).ok()?;
    Some((window, back.max(window.from)))
}

/// The first day of a phase and the day after its last.
fn span(anchor: Date, phase: Phase) -> (Date, Option<Date>) {
    let on = |count: i32| {
        if phase.weeks { anchor.saturating_add((count * 7).days()) } else { months_on(anchor, count) }
    };
    (on(phase.first - 1), phase.last.map(on))
}

/// So many months later, counted from the anchor; the end of a month that is too short.
fn months_on(anchor: Date, months: i32) -> Date {
    anchor.saturating_add(months.months())
}

fn try_months_on(anchor: Date, months: i32) -> Option<Date> {
    anchor.checked_add(months.months()).ok()
}

/// What tells one row of inspections from another of the same rule's name.
fn text(rule: &InspectRule, anchor: Date) -> String {
    let mut text = format!("{anchor}");
    let phase = |text: &mut String, phase: Option<Phase>| {
        if let Some(phase) = phase {
            let last = phase.last.map(|last| last.to_string()).unwrap_or_default();
            let _ = write!(text, " {} {}-{last}", if phase.weeks { "weeks" } else { "months" }, phase.first);
        }
    };
    match rule.when {
        When::Stay(stay) => {
            phase(&mut text, Some(stay));
            text.push_str(" stay");
        }
        When::Months { every, phase: within } => {
            phase(&mut text, within);
            let _ = write!(text, " every {every}mo");
        }
        When::Days { every, phase: within } => {
            phase(&mut text, within);
            let _ = write!(text, " every {every}d");
        }
        When::Month(month) => {
            let _ = write!(text, " month {month}");
        }
        When::Share { count, months, once } => {
            let _ = write!(text, " {count} in {months}mo{}", if once { " once" } else { "" });
        }
    }
    text
}
