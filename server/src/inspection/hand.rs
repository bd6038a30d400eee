//! Inspections that somebody plans by hand since no rule of a contract owes them: the customer asks for a watch on a
//! day, a sample test, a training session, an upgrade. They live as the others do and stand beside the plan, which never
//! touches them: their days are their own, and move with them.

use jiff::civil::Date;
use jiff::{Span, ToSpan};

use super::Window;
use super::kind;
use super::life::State;
use crate::contract::Way;

/// What tells them from what a rule owes, whatever that rule is called.
pub const SERIES: &str = "by hand";
/// So far ahead one may be planned.
pub const AHEAD_MAX: i32 = 400;
/// So many days one may last.
pub const DAYS_MAX: i32 = 60;

/// Why one cannot be planned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum No {
    /// A kind that nobody plans by hand.
    #[error("`{0}` is not planned by hand")]
    Kind(String),
    /// It is done in a way that does not fit its kind.
    #[error("somebody stays only where a contract says so")]
    Way,
    /// Its day has passed, or is too far.
    #[error("the day has passed, or lies too far ahead")]
    Day,
    /// Its last day lies before its first, or too far behind it.
    #[error("the last day lies before the first, or too far behind it")]
    Until,
}

/// What somebody wants planned.
#[derive(Clone, Debug)]
pub struct Wish<'a> {
    /// Its kind.
    pub kind: &'a str,
    /// How, where that is said.
    pub way: Option<&'a str>,
    /// Its first day.
    pub day: Date,
    /// Its last day.
    pub until: Option<Date>,
}

/// How it is done, and within which days.
pub fn admit(wish: &Wish<'_>, today: Date) -> Result<(Way, Window), No> {
    let usual = kind::find(wish.kind).and_then(|kind| kind.by_hand);
    let usual = usual.ok_or_else(|| No::Kind(wish.kind.to_owned()))?;
    let way = match wish.way {
        None => usual,
        Some(word) => [Way::Visit, Way::Phone, Way::Remote]
            .into_iter()
            .find(|way| way.as_str() == word)
            .ok_or(No::Way)?,
    };
    if wish.day < today || (wish.day - today).get_days() > AHEAD_MAX {
        return Err(No::Day);
    }
    let last = wish.until.unwrap_or(wish.day);
    if last < wish.day || (last - wish.day).get_days() >= DAYS_MAX {
        return Err(No::Until);
    }
    Ok((way, Window { from: wish.day, until: last.tomorrow().map_err(|_| No::Until)? }))
}

/// Its days when it begins on another one: as many as before.
pub fn moved(window: Window, day: Date) -> Window {
    let length: Span = (window.until - window.from).get_days().days();
    Window { from: day, until: day.saturating_add(length) }
}

/// Whether its days are over and it did not take place.
pub fn is_missed(state: State, window: Window, today: Date) -> bool {
    state.is_ahead() && today >= window.until
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn admitted(kind: &str, way: Option<&str>, from: &str, until: Option<&str>) -> Result<(Way, Window), No> {
        let wish = Wish { kind, way, day: day(from), until: until.map(day) };
        admit(&wish, day("2026-11-19"))
    }

    #[test]
    fn a_kind_has_its_usual_way_and_days_that_are_ahead() {
        let one = Window { from: day("2026-11-19"), until: day("2026-11-20") };
        assert_eq!(admitted("training", None, "2026-11-19", None), Ok((Way::Visit, one)));
        assert_eq!(admitted("upgrade", None, "2026-11-19", None), Ok((Way::Remote, one)));
        assert_eq!(admitted("upgrade", Some("visit"), "2026-11-19", None), Ok((Way::Visit, one)));
        let three = Window { from: day("2026-12-30"), until: day("2027-01-02") };
        assert_eq!(admitted("event_watch", None, "2026-12-30", Some("2027-01-01")), Ok((Way::Visit, three)));
        assert_eq!(admitted("resident", None, "2026-11-19", None), Err(No::Kind("resident".into())));
        assert_eq!(admitted("party", None, "2026-11-19", None), Err(No::Kind("party".into())));
        assert_eq!(admitted("training", Some("resident"), "2026-11-19", None), Err(No::Way));
        assert_eq!(admitted("training", None, "2026-11-18", None), Err(No::Day));
        assert_eq!(admitted("training", None, "2027-12-25", None), Err(No::Day));
        assert_eq!(admitted("training", None, "2026-11-20", Some("2026-11-19")), Err(No::Until));
        assert_eq!(admitted("training", None, "2026-11-20", Some("2027-01-19")), Err(No::Until));
    }

    #[test]
    fn its_days_move_along_and_are_over_after_the_last() {
        let watch = Window { from: day("2026-12-30"), until: day("2027-01-02") };
        let later = moved(watch, day("2027-02-27"));
        assert_eq!(later, Window { from: day("2027-02-27"), until: day("2027-03-02") });
        assert!(!is_missed(State::Agreed, watch, day("2027-01-01")));
        assert!(is_missed(State::Agreed, watch, day("2027-01-02")));
        for over in [State::Done, State::Waived, State::Dropped, State::Missed] {
            assert!(!is_missed(over, watch, day("2027-01-02")));
        }
    }
}
