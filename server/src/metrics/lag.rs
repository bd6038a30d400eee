//! How long a report waits here, from the door that read it to its commit: a histogram for a scraper, and the
//! worst of the last minute or two for people.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use prometheus_client::metrics::histogram::Histogram;

/// Upper ends of the histogram's buckets, seconds.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];
/// The worst is remembered for this minute and the one before.
const MINUTE_MS: i64 = 60_000;

/// The lag of reports.
#[derive(Clone, Debug)]
pub struct Lag {
    histogram: Histogram,
    worst: Arc<Mutex<[(i64, u64); 2]>>,
}

impl Default for Lag {
    fn default() -> Self {
        Self { histogram: Histogram::new(BUCKETS), worst: Arc::default() }
    }
}

impl Lag {
    /// Takes down a report that was read at `received_at` and committed at `now`.
    pub fn observe(&self, received_at: Timestamp, now: Timestamp) {
        let ms = now.as_millisecond().saturating_sub(received_at.as_millisecond()).max(0).unsigned_abs();
        self.histogram.observe(ms as f64 / 1000.0);
        let minute = now.as_millisecond().div_euclid(MINUTE_MS);
        let mut worst = self.worst.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut worst[usize::from(minute % 2 != 0)];
        if slot.0 == minute {
            slot.1 = slot.1.max(ms);
        } else {
            *slot = (minute, ms);
        }
    }

    /// The longest of the last minute or two, ms.
    pub fn worst_ms(&self, now: Timestamp) -> u64 {
        let minute = now.as_millisecond().div_euclid(MINUTE_MS);
        let worst = self.worst.lock().unwrap_or_else(PoisonError::into_inner);
        worst.iter().filter(|slot| slot.0 + 1 >= minute).map(|slot| slot.1).max().unwrap_or(0)
    }

    /// For a scraper.
    pub fn histogram(&self) -> Histogram {
        self.histogram.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::from_ms;

    #[test]
    fn the_worst_is_forgotten_after_two_minutes() {
        let lag = Lag::default();
        let minute = |n: i64| from_ms(n * MINUTE_MS + 1);
        lag.observe(minute(10), from_ms(10 * MINUTE_MS + 5_001));
        lag.observe(minute(10), minute(10));
        assert_eq!(lag.worst_ms(minute(10)), 5_000);
        lag.observe(minute(11), from_ms(11 * MINUTE_MS + 41));
        assert_eq!((lag.worst_ms(minute(11)), lag.worst_ms(minute(12))), (5_000, 40));
        assert_eq!(lag.worst_ms(minute(13)), 0);
        lag.observe(minute(14), minute(13));
        assert_eq!(lag.worst_ms(minute(14)), 0, "a clock that was set back is no lag");
    }
}
