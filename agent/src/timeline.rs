//! Which clock a record was stamped by, and what that clock shows now. Pure.
//!
//! Each boot of the machine has a time line of its own, with a number. A packet carries that number and what
//! that line shows at the moment of sending, so the server can turn its times into true ones. For a line of
//! an earlier boot that takes two offsets, both learnt from the server's acks: what that line lacked to the true
//! time, and what ours lacks. A line that never learnt its offset is taken for right, as far as it can be: it
//! began no earlier than the last stored time, and it ended before the next one began. So its records keep
//! their place between the boots around them, and only the time without power may be missing.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::{after, shifted};

/// A delayed ack makes the offset too small, never too large: for so long the largest counts.
const BEST_OF: Duration = Duration::from_mins(10);
/// A system clock that moved this far against the time line was set.
const STEP_MS: i64 = 1000;
/// Numbers of the system's clock in Sessions lie above those of time lines.
const WALL: u32 = 1 << 31;

/// The time lines of this boot and of those before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clocks {
    /// The line of this boot.
    pub number: u32,
    /// What it showed when it began, Unix milliseconds.
    pub began_ms: i64,
    /// True time minus this line; None until the server told it.
    pub offset_ms: Option<i64>,
    /// Lines of which there may still be records, oldest first.
    pub earlier: Vec<Earlier>,
    learnt_at: Option<Timestamp>,
}

/// The line of an earlier boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earlier {
    /// Its number.
    pub number: u32,
    /// What it showed when it began, Unix milliseconds.
    pub began_ms: i64,
    /// The last that it is known to have shown.
    pub shown_ms: i64,
    /// True time minus the line, by the server.
    pub told_ms: Option<i64>,
    /// The same by a system clock that was plausible.
    pub wall_ms: Option<i64>,
}

impl Clocks {
    /// The line `number`, with what is known of it and of earlier ones.
    pub fn new(number: u32, began_ms: i64, offset_ms: Option<i64>, earlier: Vec<Earlier>) -> Self {
        Self { number, began_ms, offset_ms, earlier, learnt_at: None }
    }

    /// What a line shows now; None as long as it is an earlier one and the server has not told the time.
    pub fn shows(&self, clock: u32, now: Timestamp) -> Option<Timestamp> {
        if clock == self.number {
            return Some(now);
        }
        let own_ms = self.offset_ms?;
        Some(shifted(now, own_ms.saturating_sub(self.offset_of(clock, own_ms))))
    }

    /// True time minus an earlier line.
    fn offset_of(&self, clock: u32, own_ms: i64) -> i64 {
        let mut next_began_ms = self.began_ms.saturating_add(own_ms);
        for line in self.earlier.iter().rev() {
            let latest_ms = next_began_ms.saturating_sub(line.shown_ms);
            let offset_ms = line.told_ms.unwrap_or_else(|| line.wall_ms.unwrap_or_default().min(latest_ms));
            if line.number == clock {
                return offset_ms;
            }
            next_began_ms = line.began_ms.saturating_add(offset_ms);
        }
        0
    }

    /// The server says its time. Returns the offset if that is news.
    pub fn hear(&mut self, now: Timestamp, server_at: Timestamp) -> Option<i64> {
        let heard = server_at.as_millisecond().saturating_sub(now.as_millisecond());
        let is_stale = self.learnt_at.is_none_or(|at| after(at, BEST_OF) <= now);
        if self.offset_ms.is_some_and(|known| heard <= known) && !is_stale {
            return None;
        }
        let is_news = self.learnt_at.is_none() || self.offset_ms != Some(heard);
        (self.offset_ms, self.learnt_at) = (Some(heard), Some(now));
        is_news.then_some(heard)
    }
}

/// The system's clock as the Sessions tell it: another number whenever somebody set it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wall {
    /// It minus the time line.
    pub shift_ms: i64,
    /// It shows a time that has certainly passed.
    pub is_guess: bool,
    steps: u32,
}

impl Wall {
    /// Looks at the clock; true if it was set since the last look.
    pub fn look(&mut self, now: Timestamp, wall: Timestamp, is_guess: bool) -> bool {
        let shift_ms = wall.as_millisecond().saturating_sub(now.as_millisecond());
        let is_step = (shift_ms - self.shift_ms).abs() > STEP_MS;
        // Small differences are followed without a new name, so they cannot add up to a step.
        self.shift_ms = shift_ms;
        self.is_guess = is_guess;
        self.steps = self.steps.wrapping_add(u32::from(is_step)) & !WALL;
        is_step
    }

    /// The name of this clock on the wire.
    pub fn number(&self) -> u32 {
        WALL | self.steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::from_ms;

    #[test]
    fn an_earlier_line_shows_its_own_time_once_the_server_told_ours() {
        let line = |number, began_ms, shown_ms| Earlier { number, began_ms, shown_ms, ..Earlier::default() };
        let told = Earlier { told_ms: Some(1_000_000), ..line(3, 0, 9_000) };
        let wall = Earlier { wall_ms: Some(900_000), ..line(5, 200_000, 300_000) };
        // One that began in another century, though its system's clock was plausible.
        let ahead = Earlier { wall_ms: Some(0), ..line(6, 90_000_000, 90_400_000) };
        let mut clocks = Clocks::new(7, 40_000, None, vec![told, line(4, 1_100_000, 1_150_000), wall, ahead]);
        let now = from_ms(50_000);
        assert_eq!(clocks.shows(7, now), Some(now));
        assert_eq!(clocks.shows(3, now), None);
        assert_eq!(clocks.hear(now, from_ms(3_050_000)), Some(3_000_000));
        let offset = |clock| 3_050_000 - clocks.shows(clock, now).unwrap().as_millisecond();
        assert_eq!(offset(3), 1_000_000);
        assert_eq!(offset(4), -50_000, "it ended when the next began");
        assert_eq!(offset(5), 900_000);
        assert_eq!(offset(6), 3_040_000 - 90_400_000, "it ended when ours began");
        assert_eq!(offset(2), 0, "nothing known");
    }

    #[test]
    fn delayed_acks_do_not_bend_the_offset_and_a_corrected_server_is_followed() {
        let mut clocks = Clocks::new(1, 0, None, Vec::new());
        assert_eq!(clocks.hear(from_ms(0), from_ms(7_000)), Some(7_000));
        assert_eq!(clocks.hear(from_ms(9_000), from_ms(12_000)), None, "four seconds late");
        assert_eq!(clocks.hear(from_ms(10_000), from_ms(17_020)), Some(7_020));
        assert_eq!(
            clocks.hear(from_ms(620_000), from_ms(621_000)),
            Some(1_000),
            "the server's clock was set"
        );
    }

    #[test]
    fn a_step_of_the_wall_is_another_clock_and_a_drift_is_not() {
        let mut wall = Wall::default();
        wall.look(from_ms(0), from_ms(500), false);
        let first = wall.number();
        for second in 1..100 {
            assert!(!wall.look(from_ms(second * 1000), from_ms(second * 1100 + 500), false));
        }
        assert_eq!(wall.number(), first);
        assert!(wall.look(from_ms(100_000), from_ms(10_900_000), false));
        assert_ne!(wall.number(), first);
        assert!(wall.look(from_ms(101_000), from_ms(110_000), false));
    }
}
