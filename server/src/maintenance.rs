//! A maintenance window is a time in which somebody works on a site, a gateway or a device by arrangement: pages about
//! it wait, facts do not. At its end what the people do not know yet is paged, once.
//!
//! A fixed window runs from its beginning to its end. A flexible one runs for a length, from the first fault in its
//! frame on; one for a visit, from the arrival on. A window whose frame passes unused is over.

pub mod api;
pub mod step;
pub mod store;

use std::time::Duration;

/// The longest window, and the longest frame.
pub const LONGEST: Duration = Duration::from_hours(14 * 24);
/// The shortest one.
pub const SHORTEST: Duration = Duration::from_mins(1);
/// The most windows of one site that are not over.
pub const WINDOWS_MAX: i64 = 200;

/// What opens a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its time.
    Fixed,
    /// The first fault in its frame.
    Flexible,
    /// An arrival in its frame.
    Visit,
}

impl Kind {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Flexible => "flexible",
            Self::Visit => "visit",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Fixed, Self::Flexible, Self::Visit].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// A window as time sees it. Times are Unix ms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// What opens it.
    pub kind: Kind,
    /// The beginning of its time or of its frame.
    pub starts_at: i64,
    /// Their end.
    pub ends_at: i64,
    /// How long it runs once it was opened; a fixed one has none.
    pub length_ms: Option<i64>,
    /// When it was opened.
    pub began_at: Option<i64>,
    /// When somebody ended it.
    pub ended_at: Option<i64>,
}

/// Where a window stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its time or its frame has not begun.
    Planned,
    /// Its frame has begun, and nothing has opened it yet.
    Waiting,
    /// It runs until then.
    Running {
        /// Unix ms.
        until: i64,
    },
    /// It is over since then.
    Over {
        /// Unix ms.
        since: i64,
    },
}

impl Phase {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Waiting => "waiting",
            Self::Running { .. } => "running",
            Self::Over { .. } => "over",
        }
    }
}

impl Window {
    /// Where it stands at `now`. From its beginning on it runs, at its end it does not.
    pub fn phase(&self, now: i64) -> Phase {
        if let Some(ended) = self.ended_at {
            return Phase::Over { since: ended };
        }
        if now < self.starts_at {
            return Phase::Planned;
        }
        let began = if self.kind == Kind::Fixed { Some(self.starts_at) } else { self.began_at };
        let end = match began {
            None => self.ends_at,
            Some(began) => self.length_ms.map_or(self.ends_at, |length| began.saturating_add(length)),
        };
        if now >= end {
            Phase::Over { since: end }
        } else if began.is_some() {
            Phase::Running { until: end }
        } else {
            Phase::Waiting
        }
    }

    /// From when to when it would hold back the pages of a fault that is confirmed at `at` and stands; `None` when it
    /// would not, because it is over by then, or because nothing opens it.
    pub fn holds_back(&self, at: i64) -> Option<(i64, i64)> {
        if self.ended_at.is_some() {
            return None;
        }
        let began = match (self.kind, self.began_at) {
            (Kind::Fixed, _) => self.starts_at,
            (Kind::Flexible | Kind::Visit, Some(began)) => began,
            (Kind::Flexible, None) if (self.starts_at..self.ends_at).contains(&at) => at,
            (Kind::Flexible | Kind::Visit, None) => return None,
        };
        let end = self.length_ms.map_or(self.ends_at, |length| began.saturating_add(length));
        (end > at).then_some((began, end))
    }

    /// When it changes by itself next.
    pub fn next_change(&self, now: i64) -> Option<i64> {
        match self.phase(now) {
            Phase::Planned => Some(self.starts_at),
            Phase::Waiting => Some(self.ends_at),
            Phase::Running { until } => Some(until),
            Phase::Over { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(kind: Kind, began_at: Option<i64>) -> Window {
        let length_ms = (kind != Kind::Fixed).then_some(30);
        Window { kind, starts_at: 100, ends_at: 200, length_ms, began_at, ended_at: None }
    }

    #[test]
    fn a_fixed_window_runs_from_its_beginning_to_its_end() {
        let fixed = window(Kind::Fixed, None);
        let phases = [99, 100, 199, 200].map(|now| fixed.phase(now));
        let running = Phase::Running { until: 200 };
        assert_eq!(phases, [Phase::Planned, running, running, Phase::Over { since: 200 }]);
        assert_eq!([99, 100, 200].map(|now| fixed.next_change(now)), [Some(100), Some(200), None]);
        let ended = Window { ended_at: Some(150), ..fixed };
        assert_eq!(ended.phase(160), Phase::Over { since: 150 });
    }

    #[test]
    fn the_others_wait_in_their_frame_and_run_for_their_length() {
        for kind in [Kind::Flexible, Kind::Visit] {
            let waiting = window(kind, None);
            assert_eq!(
                [99, 100, 199].map(|now| waiting.phase(now)),
                [Phase::Planned, Phase::Waiting, Phase::Waiting]
            );
            assert_eq!(waiting.phase(200), Phase::Over { since: 200 }, "nothing has opened it");
            let opened = window(kind, Some(190));
            assert_eq!(opened.phase(205), Phase::Running { until: 220 }, "it may outlast its frame");
            assert_eq!(opened.phase(220), Phase::Over { since: 220 });
        }
    }

    #[test]
    fn a_fault_to_come_knows_the_windows_to_come() {
        let fixed = window(Kind::Fixed, None);
        assert_eq!([50, 150, 200].map(|at| fixed.holds_back(at)), [Some((100, 200)), Some((100, 200)), None]);
        let flexible = window(Kind::Flexible, None);
        assert_eq!([50, 190, 200].map(|at| flexible.holds_back(at)), [None, Some((190, 220)), None]);
        let visit = window(Kind::Visit, None);
        assert_eq!(visit.holds_back(150), None, "nobody knows whether somebody arrives");
        assert_eq!(window(Kind::Visit, Some(150)).holds_back(160), Some((150, 180)));
        assert_eq!(Window { ended_at: Some(120), ..fixed }.holds_back(150), None);
    }
}
