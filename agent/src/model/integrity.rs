//! How much of what its plan wants a channel has recorded: the stretches of one day, united, against the plan. Pure.
//!
//! Recorders cut their recordings into files, of an hour or half of one, which touch or overlap; so stretches that lie a few
//! seconds apart are one. A day is told in the device's own local time. Where clocks are put forward that night, an hour
//! is missing that never was.

use jiff::civil::{Date, DateTime};
use serde::{Deserialize, Serialize};

/// Stretches that lie so close together are one, seconds.
const JOINT_S: u32 = 5;
/// Gaps that are remembered of a day, the longest ones.
const GAPS_MAX: usize = 6;
const DAY_S: u32 = 86_400;

/// Seconds of a day; the end lies behind.
pub(crate) type Stretch = (u32, u32);

/// What one channel has of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Day {
    /// Which, by the device's own calendar.
    pub(crate) date: Date,
    /// What the plan wants, seconds.
    pub(crate) owed_s: u32,
    /// What of it there is, seconds.
    pub(crate) kept_s: u32,
    /// The longest gaps, in their order.
    pub(crate) gaps: Vec<Stretch>,
}

impl Day {
    /// Counts a day: `owed` by the plan, `found` as the device lists it.
    pub(crate) fn count(date: Date, owed: &[Stretch], found: &[Stretch]) -> Self {
        let found = united(found, JOINT_S);
        let mut gaps = Vec::new();
        let owed = united(owed, 0);
        for (from, to) in &owed {
            let mut at = *from;
            for (begin, end) in found.iter().filter(|(begin, end)| begin < to && end > from) {
                if *begin > at {
                    gaps.push((at, *begin));
                }
                at = at.max(*end);
            }
            if at < *to {
                gaps.push((at, *to));
            }
        }
        // An edge that is a few seconds off is none.
        gaps.retain(|(from, to)| to - from > JOINT_S);
        let length = |all: &[Stretch]| all.iter().map(|(from, to)| to - from).sum::<u32>();
        let (owed_s, lost_s) = (length(&owed), length(&gaps));
        gaps.sort_by_key(|(from, to)| std::cmp::Reverse(to - from));
        gaps.truncate(GAPS_MAX);
        gaps.sort_unstable();
        Self { date, owed_s, kept_s: owed_s - lost_s, gaps }
    }

    /// What there is of what is wanted, percent; nothing was wanted: all of it.
    pub(crate) fn percent(&self) -> f64 {
        if self.owed_s == 0 { 100.0 } else { 100.0 * f64::from(self.kept_s) / f64::from(self.owed_s) }
    }

    /// `91.7 % (02:10–04:10)`.
    pub(crate) fn words(&self) -> String {
        let clock = |second: u32| format!("{:02}:{:02}", second / 3_600, second / 60 % 60);
        let gaps: Vec<String> =
            self.gaps.iter().map(|(from, to)| format!("{}–{}", clock(*from), clock(*to))).collect();
        // Rounded down: what lacks something is never whole.
        format!("{:.1} % ({})", (self.percent() * 10.0).floor() / 10.0, gaps.join(", "))
    }
}

/// The part of a stretch that lies on `date`.
pub(crate) fn on(date: Date, from: DateTime, to: DateTime) -> Option<Stretch> {
    let second = |at: DateTime| {
        if at.date() < date {
            return Some(0);
        }
        if at.date() > date {
            return Some(DAY_S);
        }
        let time = at.time();
        u32::try_from(
            i32::from(time.hour()) * 3_600 + i32::from(time.minute()) * 60 + i32::from(time.second()),
        )
        .ok()
    };
    let (from, to) = (second(from)?, second(to)?);
    (from < to).then_some((from, to))
}

fn united(stretches: &[Stretch], joint_s: u32) -> Vec<Stretch> {
    let mut sorted: Vec<Stretch> = stretches.iter().filter(|(from, to)| from < to).copied().collect();
    sorted.sort_unstable();
    let mut all: Vec<Stretch> = Vec::new();
    for (from, to) in sorted {
        match all.last_mut() {
            Some((_, end)) if from <= *end + joint_s => *end = to.max(*end),
            Some(_) | None => all.push((from, to)),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const H: u32 = 3_600;

    #[test]
    fn files_that_touch_or_overlap_are_one_and_what_is_between_is_a_gap() {
        let whole: Vec<Stretch> = (0..24).map(|hour| (hour * H, (hour * H + H + 2).min(DAY_S))).collect();
        let day = Day::count(date(2026, 11, 19), &[(0, DAY_S)], &whole);
        assert_eq!((day.percent().to_bits(), day.gaps.len()), (100.0_f64.to_bits(), 0));
        let mut holed = whole.clone();
        holed.retain(|(from, _)| !(2 * H..4 * H).contains(from));
        let day = Day::count(date(2026, 11, 19), &[(0, DAY_S)], &holed);
        assert_eq!((day.kept_s, &day.gaps[..]), (22 * H + 2, &[(2 * H + 2, 4 * H)][..]));
        assert_eq!(day.words(), "91.6 % (02:00–04:00)");
    }

    #[test]
    fn only_what_the_plan_wants_is_owed() {
        let office = [(8 * H, 18 * H)];
        let day = Day::count(date(2026, 11, 19), &office, &[(7 * H, 12 * H), (12 * H + 4, 17 * H)]);
        assert_eq!((day.owed_s, day.kept_s, &day.gaps[..]), (10 * H, 9 * H, &[(17 * H, 18 * H)][..]));
        let day = Day::count(date(2026, 11, 19), &office, &[(0, 3 * H)]);
        assert_eq!((day.kept_s, &day.gaps[..]), (0, &office[..]));
        let day = Day::count(date(2026, 11, 19), &[], &[]);
        assert_eq!(day.percent().to_bits(), 100.0_f64.to_bits());
    }

    #[test]
    fn the_longest_gaps_are_remembered_and_all_are_counted() {
        let found: Vec<Stretch> = (0..24).map(|hour| (hour * H, hour * H + H - 60 - hour)).collect();
        let day = Day::count(date(2026, 11, 19), &[(0, DAY_S)], &found);
        assert_eq!(day.owed_s - day.kept_s, 24 * 60 + (0..24).sum::<u32>());
        assert_eq!((day.gaps.len(), day.gaps[0].1), (GAPS_MAX, 19 * H));
    }

    #[test]
    fn a_stretch_is_cut_at_midnight() {
        let day = date(2026, 11, 19);
        let at = |day: i8, hour: i8| date(2026, 11, day).at(hour, 0, 0, 0);
        assert_eq!(on(day, at(18, 23), at(19, 1)), Some((0, H)));
        assert_eq!(on(day, at(19, 23), at(20, 1)), Some((23 * H, DAY_S)));
        assert_eq!(on(day, at(18, 1), at(20, 1)), Some((0, DAY_S)));
        assert_eq!(on(day, at(20, 1), at(20, 2)), None);
        assert_eq!(on(day, at(19, 2), at(19, 1)), None);
    }
}
