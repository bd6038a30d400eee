//! What follows a visit: the customer is called the same day and asked whether it is done, how satisfied he or she is,
//! and for an opinion; and what those answers come to in a month.
//!
//! A call-back is owed by every visit that is done, on the day at the site on which it was done. It is no row: it is owed
//! while nobody was reached and fewer than three calls went unanswered. The scale is the contract's; where it has none, words are
//! kept without points, because what "dissatisfied" costs is for the contract to say and not for us.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

pub mod api;
pub mod store;

/// Calls that nobody answers, after which no further one is owed.
pub const TRIES_MAX: usize = 3;
/// So long after a call that nobody answered the next one may follow.
pub const PAUSE: SignedDuration = SignedDuration::from_mins(30);

/// The words that are asked for where the contract has no scale, best first; each is a key of the texts.
pub const WORDS: [&str; 5] = ["very_satisfied", "satisfied", "average", "no_statement", "dissatisfied"];

/// The day on which the customer is called: that on which the visit was done, at the site.
pub fn due_on(done_at: Timestamp, zone: &TimeZone) -> Date {
    zone.to_datetime(done_at).date()
}

/// Why nobody calls now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody answered a moment ago.
    #[error("nobody answered less than {} minutes ago", PAUSE.as_mins())]
    TooSoon(Timestamp),
    /// Nobody answered often enough.
    #[error("nobody answered {TRIES_MAX} times")]
    GivenUp,
}

/// Whether another unanswered call counts after those before, which are sorted.
pub fn may_try(tries: &[Timestamp], now: Timestamp) -> Result<(), Refused> {
    if tries.len() >= TRIES_MAX {
        return Err(Refused::GivenUp);
    }
    let next = tries.last().and_then(|last| last.checked_add(PAUSE).ok());
    match next.filter(|next| now < *next) {
        Some(next) => Err(Refused::TooSoon(next)),
        None => Ok(()),
    }
}

/// The words that may be answered, best first, with what each is worth where a contract says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scale(Vec<(String, Option<i64>)>);

impl Scale {
    /// The scale of a contract; [`WORDS`] without points where it is empty.
    pub fn of(csat: &[(String, i64)]) -> Self {
        if csat.is_empty() {
            return Self(WORDS.map(|word| (word.to_owned(), None)).to_vec());
        }
        Self(csat.iter().map(|(word, points)| (word.clone(), Some(*points))).collect())
    }

    /// Its words with their points.
    pub fn words(&self) -> &[(String, Option<i64>)] {
        &self.0
    }

    /// What a word is worth; the outer `None` where it is none of the scale.
    pub fn points(&self, word: &str) -> Option<Option<i64>> {
        self.0.iter().find(|known| known.0 == word).map(|known| known.1)
    }
}

/// What asking about one visit came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A word of the scale, with its points.
    Answer(String, Option<i64>),
    /// Somebody was reached and said nothing of it on the scale.
    Silent,
    /// Nobody was reached.
    NotReached,
    /// A call is still owed.
    Owed,
}

impl Asked {
    /// What calls came to: how many went unanswered, and whether somebody was reached and with which word.
    pub fn read(unanswered: i64, is_over: bool, answer: Option<(String, Option<i64>)>) -> Self {
        match answer {
            Some((word, points)) => Self::Answer(word, points),
            None if is_over => Self::Silent,
            None if usize::try_from(unanswered).is_ok_and(|n| n >= TRIES_MAX) => Self::NotReached,
            None => Self::Owed,
        }
    }

    /// The word of the API.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Answer(..) => "answer",
            Self::Silent => "silent",
            Self::NotReached => "not_reached",
            Self::Owed => "owed",
        }
    }
}

/// What was said of many visits. `visits` is the sum of `answered`, `silent`, `not_reached` and `owed`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Visits that were done.
    pub visits: i64,
    /// Those of which a word of the scale was said.
    pub answered: i64,
    /// Of the answered those whose contract has no scale, so that they have no points.
    pub unscored: i64,
    /// The sum of the points; it is over `answered - unscored` answers.
    pub points: i64,
    /// Those of which nothing was said on the scale though somebody was reached.
    pub silent: i64,
    /// Those after which nobody was reached.
    pub not_reached: i64,
    /// Those after which a call is still owed.
    pub owed: i64,
    /// How often each word was said.
    pub words: BTreeMap<String, i64>,
}

impl Total {
    /// Counts one visit.
    pub fn add(&mut self, asked: &Asked) {
        self.visits += 1;
        match asked {
            Asked::Answer(word, points) => {
                self.answered += 1;
                *self.words.entry(word.clone()).or_default() += 1;
                match points {
                    Some(points) => self.points = self.points.saturating_add(*points),
                    None => self.unscored += 1,
                }
            }
            Asked::Silent => self.silent += 1,
            Asked::NotReached => self.not_reached += 1,
            Asked::Owed => self.owed += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_day_is_the_sites() {
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        let day = |text| due_on(at(text), &zone).to_string();
        assert_eq!(day("2026-11-19T15:59:59Z"), "2026-11-19");
        assert_eq!(day("2026-11-19T16:00:00Z"), "2026-11-20", "midnight belongs to the new day");
    }

    #[test]
    fn unanswered_calls_are_spaced_and_bounded() {
        let noon = at("2026-11-19T12:00:00Z");
        let later = |minutes| noon + SignedDuration::from_mins(minutes);
        assert_eq!(may_try(&[], noon), Ok(()));
        assert_eq!(may_try(&[noon], later(29)), Err(Refused::TooSoon(later(30))));
        assert_eq!(may_try(&[noon], later(30)), Ok(()));
        assert_eq!(may_try(&[noon, later(30), later(60)], later(600)), Err(Refused::GivenUp));
    }

    #[test]
    fn points_are_the_contracts_or_none() {
        let scale = Scale::of(&[("很满意".into(), 5), ("不满意".into(), -5)]);
        assert_eq!(scale.points("不满意"), Some(Some(-5)));
        assert_eq!(scale.points("dissatisfied"), None);
        assert_eq!(Scale::of(&[]).points("dissatisfied"), Some(None), "nobody has set what it costs");
    }

    #[test]
    fn a_total_accounts_for_every_visit() {
        let mut total = Total::default();
        let word = |word: &str, points| Some((word.to_owned(), points));
        for asked in [
            Asked::read(0, true, word("很满意", Some(5))),
            Asked::read(2, true, word("不满意", Some(-5))),
            Asked::read(0, true, word("average", None)),
            Asked::read(1, true, None),
            Asked::read(3, false, None),
            Asked::read(2, false, None),
        ] {
            total.add(&asked);
        }
        assert_eq!((total.points, total.answered, total.unscored), (0, 3, 1));
        assert_eq!((total.silent, total.not_reached, total.owed), (1, 1, 1));
        assert_eq!(total.visits, total.answered + total.silent + total.not_reached + total.owed);
        assert_eq!(total.words.values().sum::<i64>(), total.answered);
    }
}
