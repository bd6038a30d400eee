//! The only place that reads a clock. Everything that decides takes `now` as an argument.
//!
//! A gateway without a clock battery boots in 1970. Its time therefore has a floor: the day this program was
//! released, the last time that was stored, or what the server said; above the floor it runs on by the
//! monotonic clock until the system's clock overtakes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use jiff::Timestamp;

/// 2026-11-01T00:00:00Z, Unix milliseconds: no gateway ran this program before.
const RELEASED_MS: i64 = 1_793_491_200_000;

/// Where `now` comes from: the system, or a hand that a test turns. Clones share it.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    System { started: Instant, floor_ms: AtomicI64 },
    Manual(AtomicI64),
}

impl Clock {
    /// The machine's clock, never below its floor.
    pub fn system() -> Self {
        Self(Arc::new(Source::System { started: Instant::now(), floor_ms: AtomicI64::new(RELEASED_MS) }))
    }

    /// A clock that stands still until it is set.
    pub fn manual(at: Timestamp) -> Self {
        Self(Arc::new(Source::Manual(AtomicI64::new(at.as_millisecond()))))
    }

    /// The time, cut to whole milliseconds.
    pub fn now(&self) -> Timestamp {
        from_ms(match &*self.0 {
            Source::System { started, floor_ms } => system_ms().max(floor(*started, floor_ms)),
            Source::Manual(ms) => ms.load(Ordering::SeqCst),
        })
    }

    /// True while the system's clock is below the floor, so that the time is only a guess.
    pub fn is_guess(&self) -> bool {
        match &*self.0 {
            Source::System { started, floor_ms } => system_ms() < floor(*started, floor_ms),
            Source::Manual(_) => false,
        }
    }

    /// It is at least `at` now.
    pub fn raise_floor(&self, at: Timestamp) {
        match &*self.0 {
            Source::System { started, floor_ms } => {
                let at_start = at.as_millisecond() - elapsed_ms(*started);
                floor_ms.fetch_max(at_start, Ordering::SeqCst);
            }
            Source::Manual(_) => {}
        }
    }

    /// Moves a manual clock; a system clock does not move.
    pub fn set(&self, at: Timestamp) {
        match &*self.0 {
            Source::System { .. } => {}
            Source::Manual(ms) => ms.store(at.as_millisecond(), Ordering::SeqCst),
        }
    }
}

fn floor(started: Instant, floor_ms: &AtomicI64) -> i64 {
    floor_ms.load(Ordering::SeqCst) + elapsed_ms(started)
}

fn elapsed_ms(started: Instant) -> i64 {
    i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX / 2)
}

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn system_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// A timestamp from Unix milliseconds; what lies outside jiff's range is clamped to it.
pub fn from_ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

/// `at` + `by`, clamped to jiff's range.
pub fn after(at: Timestamp, by: std::time::Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_only_rises() {
        let clock = Clock::system();
        let far = from_ms(4_000_000_000_000);
        clock.raise_floor(far);
        assert!(clock.now() >= far && clock.is_guess());
        clock.raise_floor(from_ms(0));
        assert!(clock.now() >= far);
    }
}
