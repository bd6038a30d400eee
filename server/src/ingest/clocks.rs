//! How far the clocks of gateways are off.
//!
//! Every packet says when it was sent, by its sender's clock; the door notes when it was read, by ours. The
//! difference is the clock's offset plus the packet's way, and a way only ever adds. So the smallest
//! difference of the recent packets is the estimate. A sender names its clock and gives it another name
//! whenever it is set, so estimates of one session and clock never mix with another's. A sender that names
//! none is taken at its word, packet by packet.
//!
//! All of it is kept in memory and begins afresh with the process. At most [`CLOCKS_MAX`] clocks of a gateway
//! and [`GATEWAYS_MAX`] gateways are remembered; what was not heard for the longest time is forgotten first,
//! which costs nothing but the estimate's finesse.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use sitewarden_proto::id::GatewayId;

/// How long a packet counts as recent, at least; at most twice as long.
const RECENT_MS: i64 = 600_000;
/// A gateway that tells the history of several starts uses a few at once.
const CLOCKS_MAX: usize = 8;
const GATEWAYS_MAX: usize = 20_000;
/// Below this a clock counts as right: a report's way may take so long.
const TOLERATED_MS: i64 = 5_000;

/// A clock of a sender: which session, and which of its clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// The connection.
    pub session: u64,
    /// The sender's number for its clock; 0 where it names none.
    pub clock: u32,
}

/// What is known about the clocks of gateways.
#[derive(Debug, Default)]
pub struct Clocks(Mutex<HashMap<GatewayId, Vec<Estimate>>>);

#[derive(Debug)]
struct Estimate {
    name: Name,
    heard_at: i64,
    since: i64,
    /// The smallest difference since `since`.
    least: i64,
    /// The smallest one of the stretch before.
    before: Option<i64>,
}

impl Clocks {
    /// Takes down a packet that was sent at `sent_at_ms` by the sender's clock; returns what has to be added to
    /// that clock's times, ms.
    pub fn observe(&self, gateway: &GatewayId, name: Name, sent_at_ms: i64, received_at: Timestamp) -> i64 {
        let now = received_at.as_millisecond();
        let difference = now.saturating_sub(sent_at_ms);
        if name.clock == 0 {
            return difference;
        }
        // An estimate that a panic left behind is still an estimate.
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= GATEWAYS_MAX && !all.contains_key(gateway) {
            let heard = |clocks: &Vec<Estimate>| clocks.iter().map(|one| one.heard_at).max();
            let oldest = all.iter().min_by_key(|(_, clocks)| heard(clocks)).map(|(id, _)| id.clone());
            oldest.map(|id| all.remove(&id));
        }
        let clocks = all.entry(gateway.clone()).or_default();
        if let Some(known) = clocks.iter_mut().find(|known| known.name == name) {
            return known.add(difference, now);
        }
        if clocks.len() >= CLOCKS_MAX {
            let oldest = clocks.iter().enumerate().min_by_key(|(_, known)| known.heard_at);
            oldest.map(|(index, _)| index).map(|index| clocks.swap_remove(index));
        }
        clocks.push(Estimate { name, heard_at: now, since: now, least: difference, before: None });
        difference
    }
}

impl Estimate {
    fn add(&mut self, difference: i64, now: i64) -> i64 {
        let age = now.saturating_sub(self.since);
        if age >= RECENT_MS {
            self.before = (age < 2 * RECENT_MS).then_some(self.least);
            (self.since, self.least) = (now, difference);
        }
        self.heard_at = now;
        self.least = self.least.min(difference);
        self.before.map_or(self.least, |before| before.min(self.least))
    }
}

/// What is taken out of a sender's times: nothing while its clock counts as right.
pub fn correction(estimate_ms: i64) -> i64 {
    if estimate_ms.saturating_abs() > TOLERATED_MS { estimate_ms } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn at(ms: i64) -> Timestamp {
        crate::clock::from_ms(1_700_000_000_000 + ms)
    }

    fn gateway(number: usize) -> GatewayId {
        format!("gw-clocks-{number:05}").try_into().unwrap()
    }

    /// What the estimate is after a packet that was sent at `sent` and took `way` ms, by a clock that is so far behind.
    fn packet(clocks: &Clocks, name: Name, behind: i64, sent: i64, way: i64) -> i64 {
        clocks.observe(&gateway(1), name, at(sent - behind).as_millisecond(), at(sent + way))
    }

    #[test]
    fn a_delay_does_not_bend_the_estimate() {
        let (clocks, name) = (Clocks::default(), Name { session: 1, clock: 1 });
        assert_eq!(packet(&clocks, name, 3 * HOUR, 0, 9_000), 3 * HOUR + 9_000);
        assert_eq!(packet(&clocks, name, 3 * HOUR, 10_000, 20), 3 * HOUR + 20);
        assert_eq!(packet(&clocks, name, 3 * HOUR, 20_000, 60_000), 3 * HOUR + 20);
    }

    #[test]
    fn a_clock_that_drifts_is_followed() {
        let (clocks, name) = (Clocks::default(), Name { session: 1, clock: 1 });
        for minute in 0..300 {
            // It loses a tenth of a second a minute.
            let drift = minute * 100;
            let estimate = packet(&clocks, name, HOUR + drift, minute * 60_000, 10);
            assert!((HOUR + drift - estimate).abs() <= 2_100, "minute {minute}: {estimate}");
        }
    }

    #[test]
    fn each_clock_and_session_has_its_own_estimate() {
        let clocks = Clocks::default();
        let (old, new) = (Name { session: 1, clock: 1 }, Name { session: 1, clock: 2 });
        assert_eq!(packet(&clocks, old, 0, 0, 10), 10);
        assert_eq!(packet(&clocks, new, 5 * HOUR, 1_000, 10), 5 * HOUR + 10);
        assert_eq!(packet(&clocks, old, 0, 2_000, 500), 10);
        let next = Name { session: 2, clock: 2 };
        assert_eq!(packet(&clocks, next, 2 * HOUR, 3_000, 10), 2 * HOUR + 10);
    }

    #[test]
    fn a_clock_without_a_name_is_taken_at_its_word() {
        let (clocks, name) = (Clocks::default(), Name { session: 1, clock: 0 });
        assert_eq!(packet(&clocks, name, 0, 0, 10), 10);
        assert_eq!(packet(&clocks, name, 3 * HOUR, 1_000, 10), 3 * HOUR + 10);
        assert_eq!(packet(&clocks, name, 0, 2_000, 10), 10);
    }

    #[test]
    fn memory_is_bounded_and_forgets_who_was_not_heard() {
        let clocks = Clocks::default();
        for clock in 1..100 {
            packet(&clocks, Name { session: 1, clock }, 0, i64::from(clock), 5);
        }
        let name = Name { session: 1, clock: 1 };
        for number in 0..GATEWAYS_MAX + 10 {
            let ms = 1_000 + number as i64;
            clocks.observe(&gateway(number), name, at(ms).as_millisecond(), at(ms));
        }
        let all = clocks.0.lock().unwrap();
        assert_eq!(all.len(), GATEWAYS_MAX);
        assert!(all.values().all(|clocks| clocks.len() <= CLOCKS_MAX));
        assert!(!all.contains_key(&gateway(0)) && all.contains_key(&gateway(GATEWAYS_MAX + 9)));
    }

    #[test]
    fn what_lies_within_a_reports_way_is_no_offset() {
        assert_eq!(correction(TOLERATED_MS), 0);
        assert_eq!(correction(-TOLERATED_MS - 1), -TOLERATED_MS - 1);
        assert_eq!(correction(i64::MIN), i64::MIN);
    }
}
