//! The only place that reads a clock. Everything that decides takes `now` as an argument.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// Where `now` comes from: the system, or a hand that a story turns.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that stands still until it is set; Unix milliseconds.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that only [`Clock::set`] moves.
    pub fn manual(at: Timestamp) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(at.as_millisecond())))
    }

    /// The time, cut to whole milliseconds, which is what the database keeps.
    #[expect(clippy::disallowed_methods, reason = "this is the one place")]
    pub fn now(&self) -> Timestamp {
        let ms = match self {
            Self::System => Timestamp::now().as_millisecond(),
            Self::Manual(ms) => ms.load(Ordering::SeqCst),
        };
        from_ms(ms)
    }

    /// Moves a manual clock; a system clock does not move.
    pub fn set(&self, at: Timestamp) {
        match self {
            Self::System => {}
            Self::Manual(ms) => ms.store(at.as_millisecond(), Ordering::SeqCst),
        }
    }
}

/// A timestamp from Unix milliseconds; what lies outside jiff's range is clamped to it.
pub fn from_ms(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(if ms < 0 { Timestamp::MIN } else { Timestamp::MAX })
}
