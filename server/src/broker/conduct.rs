//! How much a gateway may send in a second, how many packets of it may be refused in a minute, and what
//! follows. Pure: `now` is an argument.
//!
//! What is too fast is not dropped: the gateway is read more slowly until its debt is paid, and TCP tells it
//! so. What is refused too often ends the connection and locks the gateway out, ten seconds at first and
//! twice as long each time, up to five minutes. It is kept per gateway, not per connection, so that coming
//! again does not wash anything off.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::config::Limits;

/// Places of one gateway in the channel towards ingest, which has [`super::UPSTREAM_LENGTH`] for all.
const PLACES: usize = 16;
/// A gateway that comes back after a cut sends at once what it may send in this time.
const BURST: f64 = 10.0;
/// The first lock-out, the longest one, and the good conduct after which the next is the first again.
const LOCK_FIRST: Duration = Duration::from_secs(10);
const LOCK_MAX: Duration = Duration::from_secs(300);
const LOCK_FORGOTTEN: Duration = Duration::from_secs(900);

/// An allowance that fills up again by time.
#[derive(Debug)]
struct Bucket {
    per_s: f64,
    most: f64,
    level: f64,
    at: Instant,
}

/// What is known about how one gateway behaves.
#[derive(Debug)]
pub(super) struct Conduct {
    /// Its places in the channel towards ingest.
    pub places: Arc<Semaphore>,
    /// Packets refused since the start.
    pub refused: u64,
    bytes: Bucket,
    packets: Bucket,
    refusals: Bucket,
    strikes: u32,
    locked_until: Option<Instant>,
}

impl Bucket {
    fn new(per_s: f64, most: f64, now: Instant) -> Self {
        Self { per_s, most, level: most, at: now }
    }

    /// Takes `amount`, into debt if it must be; how long until the debt is paid.
    fn take(&mut self, amount: f64, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.level = (self.level + passed * self.per_s).min(self.most) - amount;
        self.at = now;
        if self.level >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-self.level / self.per_s) }
    }
}

impl Conduct {
    pub(super) fn new(limits: &Limits, now: Instant) -> Self {
        let rate = |per_s: u32| Bucket::new(f64::from(per_s), f64::from(per_s) * BURST, now);
        let refusals = f64::from(limits.gateway_refusals_per_min);
        Self {
            places: Arc::new(Semaphore::new(PLACES)),
            refused: 0,
            bytes: rate(limits.gateway_bytes_per_s),
            packets: rate(limits.gateway_packets_per_s),
            refusals: Bucket::new(refusals / 60.0, refusals, now),
            strikes: 0,
            locked_until: None,
        }
    }

    /// A packet of so many bytes was read; how long the next one has to wait.
    pub(super) fn sent(&mut self, bytes: usize, now: Instant) -> Duration {
        self.bytes.take(bytes as f64, now).max(self.packets.take(1.0, now))
    }

    /// Something was refused; true when that was once too often, and the gateway is locked out from now on.
    pub(super) fn offended(&mut self, now: Instant) -> bool {
        if self.is_locked(now) || self.refusals.take(1.0, now).is_zero() {
            return false;
        }
        if self.locked_until.is_some_and(|end| now.saturating_duration_since(end) >= LOCK_FORGOTTEN) {
            self.strikes = 0;
        }
        let lock = LOCK_FIRST.saturating_mul(1 << self.strikes.min(10)).min(LOCK_MAX);
        self.strikes += 1;
        self.locked_until = Some(now + lock);
        self.refusals.level = self.refusals.most;
        true
    }

    pub(super) fn is_locked(&self, now: Instant) -> bool {
        self.locked_until.is_some_and(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> (Conduct, Instant) {
        let limits = Limits {
            gateway_bytes_per_s: 1000,
            gateway_packets_per_s: 10,
            gateway_refusals_per_min: 3,
            ..Limits::default()
        };
        let now = Instant::now();
        (Conduct::new(&limits, now), now)
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let (mut conduct, now) = start();
        assert_eq!(conduct.sent(10_000, now), Duration::ZERO);
        assert_eq!(conduct.sent(500, now), Duration::from_millis(500));
        // A packet larger than what is left is taken whole, and waited for afterwards.
        assert_eq!(conduct.sent(1000, now + Duration::from_secs(1)), Duration::from_millis(500));
        assert_eq!(conduct.sent(0, now + Duration::from_secs(9)), Duration::ZERO);
        let (mut conduct, now) = start();
        for _ in 0..100 {
            assert_eq!(conduct.sent(1, now), Duration::ZERO);
        }
        assert_eq!(conduct.sent(1, now), Duration::from_millis(100), "a hundred small ones are a burst too");
    }

    #[test]
    fn too_many_refusals_lock_out_longer_each_time() {
        let (mut conduct, mut now) = start();
        for seconds in [10, 20, 40, 80, 160, 300, 300] {
            for _ in 0..3 {
                assert!(!conduct.offended(now));
            }
            assert!(conduct.offended(now));
            assert!(!conduct.offended(now), "it is locked out already");
            now += Duration::from_millis(seconds * 1000 - 1);
            assert!(conduct.is_locked(now), "{seconds} s");
            now += Duration::from_millis(1);
            assert!(!conduct.is_locked(now), "{seconds} s");
        }
        now += LOCK_FORGOTTEN;
        for _ in 0..4 {
            conduct.offended(now);
        }
        assert!(conduct.is_locked(now + Duration::from_secs(9)));
        assert!(!conduct.is_locked(now + Duration::from_secs(10)), "good conduct is rewarded");
    }

    #[test]
    fn a_refusal_now_and_then_is_nothing() {
        let (mut conduct, mut now) = start();
        for _ in 0..100 {
            assert!(!conduct.offended(now));
            now += Duration::from_secs(20);
        }
    }
}
