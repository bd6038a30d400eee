//! How often one may fail, per key, in a window of time.
//!
//! Pure: `now` is an argument. A key that has failed `limit` times within the window is turned
//! away until the oldest of these failures has left it. The number of keys is bounded; when it is
//! reached the keys that failed longest ago are forgotten first, which errs towards letting in.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;

/// Counts failures per key.
#[derive(Debug)]
pub struct Throttle {
    limit: usize,
    window_ms: i64,
    keys_max: usize,
    failures: HashMap<String, VecDeque<i64>>,
}

impl Throttle {
    /// Allows `limit` failures of one key in `window_ms`, and remembers `keys_max` keys.
    pub fn new(limit: usize, window_ms: i64, keys_max: usize) -> Self {
        Self { limit, window_ms, keys_max, failures: HashMap::new() }
    }

    /// Whether `key` may try now; otherwise the whole seconds until it may.
    pub fn check(&mut self, key: &str, now: Timestamp) -> Result<(), u64> {
        let now = now.as_millisecond();
        let Some(times) = self.failures.get_mut(key) else { return Ok(()) };
        times.retain(|at| now - at < self.window_ms && *at <= now);
        match times.front() {
            Some(oldest) if times.len() >= self.limit => {
                Err(u64::try_from((oldest + self.window_ms - now).max(1)).unwrap_or(1).div_ceil(1000))
            }
            Some(_) => Ok(()),
            None => {
                self.failures.remove(key);
                Ok(())
            }
        }
    }

    /// Records a failure of `key`.
    pub fn failed(&mut self, key: &str, now: Timestamp) {
        let now = now.as_millisecond();
        if !self.failures.contains_key(key) && self.failures.len() >= self.keys_max {
            let window = self.window_ms;
            self.failures.retain(|_, times| times.back().is_some_and(|at| now - at < window));
            if self.failures.len() >= self.keys_max {
                let oldest = self.failures.iter().min_by_key(|(_, times)| times.back().copied());
                if let Some(key) = oldest.map(|(key, _)| key.clone()) {
                    self.failures.remove(&key);
                }
            }
        }
        let times = self.failures.entry(key.to_owned()).or_default();
        times.push_back(now);
        while times.len() > self.limit {
            times.pop_front();
        }
    }

    /// Forgets the failures of `key`, because it has succeeded.
    pub fn succeeded(&mut self, key: &str) {
        self.failures.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: i64) -> Timestamp {
        crate::clock::from_ms(1_700_000_000_000 + s * 1000)
    }

    #[test]
    fn the_third_failure_closes_the_door_for_the_window() {
        let mut throttle = Throttle::new(3, 60_000, 10);
        for s in [0, 10, 20] {
            assert_eq!(throttle.check("li.wei", at(s)), Ok(()));
            throttle.failed("li.wei", at(s));
        }
        assert_eq!(throttle.check("li.wei", at(21)), Err(39));
        assert_eq!(throttle.check("wang.min", at(21)), Ok(()));
        assert_eq!(throttle.check("li.wei", at(60)), Ok(()));
        throttle.failed("li.wei", at(60));
        assert_eq!(throttle.check("li.wei", at(61)), Err(9));
        throttle.succeeded("li.wei");
        assert_eq!(throttle.check("li.wei", at(61)), Ok(()));
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let mut throttle = Throttle::new(2, 60_000, 3);
        for n in 0..50 {
            throttle.failed(&format!("key {n}"), at(n / 10));
        }
        assert!(throttle.failures.len() <= 3);
    }

    #[test]
    fn a_clock_that_went_back_does_not_lock_anybody_out() {
        let mut throttle = Throttle::new(1, 60_000, 3);
        throttle.failed("k", at(10_000));
        assert_eq!(throttle.check("k", at(0)), Ok(()));
    }
}
