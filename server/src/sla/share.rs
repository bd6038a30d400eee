//! How many clocks were kept, for a promise that speaks of a share: every rate with what it was made of.

use super::{Clock, State};

/// What a period's clocks come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Kept.
    pub met: u32,
    /// Broken, stopped or not.
    pub breached: u32,
    /// Not decided yet: they run, or are paused, within their time.
    pub running: u32,
    /// Not counted: void.
    pub void: u32,
    /// Not counted: begun again by a run that counts.
    pub begun_again: u32,
}

impl Share {
    /// Of some clocks.
    pub fn of<'c>(clocks: impl IntoIterator<Item = &'c Clock>) -> Self {
        let mut share = Self::default();
        for clock in clocks {
            let place = match (&clock.state, clock.counts) {
                (State::Void { .. }, _) => &mut share.void,
                (_, false) => &mut share.begun_again,
                (State::Met, true) => &mut share.met,
                (State::BreachedMet | State::BreachedRunning, true) => &mut share.breached,
                (State::Running | State::Paused { .. }, true) => &mut share.running,
                (State::NotStarted, true) => continue,
            };
            *place += 1;
        }
        share
    }

    /// The kept ones of all that are decided, in parts of ten thousand; `None` where nothing is decided.
    pub fn per_10_000(self) -> Option<u32> {
        let decided = self.met + self.breached;
        (self.met * 10_000).checked_div(decided)
    }
}
