//! How fast packets may leave: a bucket that fills evenly and holds one burst. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// A bound on packets per second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Packets per second; 0 is no bound.
    per_second: u32,
    burst: f64,
    held: f64,
    filled_at: Instant,
}

impl Pace {
    /// A burst is what a twentieth of a second allows, and at least one packet.
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        let burst = (f64::from(per_second) / 20.0).max(1.0);
        Self { per_second, burst, held: burst, filled_at: now }
    }

    /// How many packets may leave now.
    pub(super) fn allowed(&mut self, now: Instant) -> usize {
        if self.per_second == 0 {
            return usize::MAX;
        }
        let passed = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.held = (self.held + passed * f64::from(self.per_second)).min(self.burst);
        self.filled_at = now;
        self.held as usize
    }

    /// So many left.
    pub(super) fn spend(&mut self, packets: usize) {
        self.held = (self.held - packets as f64).max(0.0);
    }

    /// When the next packet may leave.
    pub(super) fn next(&self) -> Instant {
        let missing = (1.0 - self.held).max(0.0);
        self.filled_at + Duration::from_secs_f64(missing / f64::from(self.per_second.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_burst_packets_leave_evenly_and_idleness_saves_nothing() {
        let start = Instant::now();
        let mut pace = Pace::new(1_000, start);
        assert_eq!(pace.allowed(start), 50);
        pace.spend(50);
        assert_eq!(pace.allowed(start), 0);
        assert_eq!(pace.next(), start + Duration::from_millis(1));
        let mut left = 50;
        for ms in 1..=1_000 {
            let allowed = pace.allowed(start + Duration::from_millis(ms));
            pace.spend(allowed);
            left += allowed;
        }
        assert!((1_049..=1_050).contains(&left), "{left} in the first second");
        assert_eq!(pace.allowed(start + Duration::from_hours(1)), 50);
    }

    #[test]
    fn a_slow_pace_still_moves_and_none_at_all_does_not_hold() {
        let start = Instant::now();
        let mut slow = Pace::new(2, start);
        assert_eq!(slow.allowed(start), 1);
        slow.spend(1);
        assert_eq!(slow.next(), start + Duration::from_millis(500));
        assert_eq!(slow.allowed(slow.next()), 1);
        assert_eq!(Pace::new(0, start).allowed(start), usize::MAX);
    }
}
