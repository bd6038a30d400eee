//! The only place that reads a clock. Everything that decides takes `now` as an argument.
//!
//! There are three times. The **time line** ([`Clock::steady`]) begins with a boot of the machine and only
//! runs on: no step of the system's clock moves it, restarts of the agent neither. Records are stamped and
//! timers run by it, so a clock that is set stalls nothing and bends nothing; the server learns with every
//! packet what the line shows now, and turns its times into true ones. The **wall** ([`Clock::wall`]) is the
//! system's clock as it is, told to the server so that somebody notices a wrong one. The **best idea of the
//! true time** ([`Clock::now`]) is for probes, certificates and expiry.
//!
//! A gateway without a clock battery boots in 1970. Its line then begins at the floor: the day this program was
//! released, or the last time that was stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Instant;

use jiff::Timestamp;

/// 2026-11-01T00:00:00Z, Unix milliseconds: no gateway ran this program before.
const RELEASED_MS: i64 = 1_793_491_200_000;
/// The server's word comes with a delay; a system clock this close to it is the better of the two.
const AGREES_MS: i64 = 5_000;
/// How often the machine's boot is looked at before the best look counts, and what is good enough.
const LOOKS: usize = 8;
const ONE_MOMENT_MS: i64 = 2;
/// No server has told the time yet.
const UNHEARD: i64 = i64::MIN;

/// Where time comes from: the system, or a hand that a test turns. Clones share it.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    System(System),
    Manual(AtomicI64),
}

/// Times are what the line, the floor and so on showed when `started` was taken.
#[derive(Debug)]
struct System {
    started: Instant,
    /// Of the machine, at `started`; what it slept since is in it.
    uptime_ms: AtomicI64,
    line_ms: AtomicI64,
    floor_ms: AtomicI64,
    /// True time minus line, by the server.
    offset_ms: AtomicI64,
    is_synchronised: AtomicBool,
}

/// One boot of the machine, and how long it has lasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boot {
    /// The kernel's id of it; empty where there is none, and then every start counts as a boot.
    pub id: String,
    /// Since then, sleep included, milliseconds.
    pub uptime_ms: i64,
}

impl Boot {
    /// The running one.
    pub fn current() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let id = read("/proc/sys/kernel/random/boot_id").trim().to_owned();
        Self { id, uptime_ms: parse_uptime(&read("/proc/uptime")).unwrap_or_default() }
    }
}

fn parse_uptime(text: &str) -> Option<i64> {
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some((seconds * 1000.0) as i64)
}

impl Clock {
    /// The machine's clock. Its line begins at the system's time, or at the floor if that is later.
    pub fn system() -> Self {
        let started = Instant::now();
        let begin = AtomicI64::new(system_ms().max(RELEASED_MS));
        Self(Arc::new(Source::System(System {
            started,
            uptime_ms: AtomicI64::new(Boot::current().uptime_ms),
            line_ms: begin,
            floor_ms: AtomicI64::new(RELEASED_MS),
            offset_ms: AtomicI64::new(UNHEARD),
            is_synchronised: AtomicBool::new(false),
        })))
    }

    /// A clock that stands still until it is set.
    pub fn manual(at: Timestamp) -> Self {
        Self(Arc::new(Source::Manual(AtomicI64::new(at.as_millisecond()))))
    }

    /// The time line, cut to whole milliseconds.
    pub fn steady(&self) -> Timestamp {
        from_ms(match &*self.0 {
            Source::System(system) => system.steady_ms(),
            Source::Manual(ms) => ms.load(Ordering::SeqCst),
        })
    }

    /// What the system's clock shows.
    pub fn wall(&self) -> Timestamp {
        from_ms(match &*self.0 {
            Source::System(_) => system_ms(),
            Source::Manual(ms) => ms.load(Ordering::SeqCst),
        })
    }

    /// The best idea of the true time: the system's clock unless the server contradicts it, or it shows less
    /// than has certainly passed and nothing synchronises it.
    pub fn now(&self) -> Timestamp {
        from_ms(match &*self.0 {
            Source::System(system) => system.best_ms(system_ms()),
            Source::Manual(ms) => ms.load(Ordering::SeqCst),
        })
    }

    /// True while the system's clock shows a time that has certainly passed.
    pub fn is_guess(&self) -> bool {
        match &*self.0 {
            Source::System(system) => !system.trusts(system_ms()),
            Source::Manual(_) => false,
        }
    }

    /// The machine's boot, and what the line shows at the same moment: looked at again when the machine was too
    /// busy to make that one moment.
    pub fn boot(&self) -> (Boot, Timestamp) {
        let mut best: Option<(i64, Boot, Timestamp)> = None;
        for _ in 0..LOOKS {
            let before = self.steady();
            let boot = Boot::current();
            let took = self.steady().as_millisecond() - before.as_millisecond();
            if best.as_ref().is_none_or(|(least, _, _)| took < *least) {
                best = Some((took, boot, before));
            }
            if took <= ONE_MOMENT_MS {
                break;
            }
        }
        best.map_or_else(|| (Boot::current(), self.steady()), |(_, boot, at)| (boot, at))
    }

    /// The line goes on from `line`, as it was told to this machine's boot before; at least `floor` is certain.
    pub fn begin(&self, line: Timestamp, floor: Timestamp) {
        if let Source::System(system) = &*self.0 {
            let elapsed = system.elapsed_ms();
            system.line_ms.store(line.as_millisecond() - elapsed, Ordering::SeqCst);
            let floor = floor.as_millisecond().max(RELEASED_MS);
            system.floor_ms.store(floor - elapsed, Ordering::SeqCst);
        }
    }

    /// The server says what is true: that minus the line.
    pub fn heard(&self, offset_ms: i64) {
        if let Source::System(system) = &*self.0 {
            system.offset_ms.store(offset_ms, Ordering::SeqCst);
            // What the server says outweighs what was stored: the floor comes down as well as up.
            let floor = system.line_ms.load(Ordering::SeqCst).saturating_add(offset_ms);
            system.floor_ms.store(floor, Ordering::SeqCst);
        }
    }

    /// What the machine knows: whether a time source steers its clock, and how long it is up. A machine that
    /// slept lets the line catch up.
    pub fn look(&self, is_synchronised: bool, boot: &Boot) {
        if let Source::System(system) = &*self.0 {
            system.is_synchronised.store(is_synchronised, Ordering::SeqCst);
            let slept = boot.uptime_ms - system.uptime_ms.load(Ordering::SeqCst) - elapsed_ms(system.started);
            if slept > 1000 {
                system.uptime_ms.fetch_add(slept, Ordering::SeqCst);
                system.line_ms.fetch_add(slept, Ordering::SeqCst);
                system.floor_ms.fetch_add(slept, Ordering::SeqCst);
            }
        }
    }

    /// Moves a manual clock; a system clock does not move.
    pub fn set(&self, at: Timestamp) {
        match &*self.0 {
            Source::System(_) => {}
            Source::Manual(ms) => ms.store(at.as_millisecond(), Ordering::SeqCst),
        }
    }
}

impl System {
    fn elapsed_ms(&self) -> i64 {
        elapsed_ms(self.started)
    }

    fn steady_ms(&self) -> i64 {
        self.line_ms.load(Ordering::SeqCst) + self.elapsed_ms()
    }

    fn trusts(&self, wall_ms: i64) -> bool {
        let floor = self.floor_ms.load(Ordering::SeqCst) + self.elapsed_ms();
        wall_ms >= floor - AGREES_MS
            || (self.is_synchronised.load(Ordering::SeqCst) && wall_ms >= RELEASED_MS)
    }

    fn best_ms(&self, wall_ms: i64) -> i64 {
        match self.offset_ms.load(Ordering::SeqCst) {
            UNHEARD if self.trusts(wall_ms) => wall_ms,
            UNHEARD => self.steady_ms().max(self.floor_ms.load(Ordering::SeqCst) + self.elapsed_ms()),
            offset_ms => {
                let told = self.steady_ms().saturating_add(offset_ms);
                if (wall_ms - told).abs() <= AGREES_MS { wall_ms } else { told }
            }
        }
    }
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

/// `at` + so many milliseconds, clamped to jiff's range.
pub fn shifted(at: Timestamp, by_ms: i64) -> Timestamp {
    from_ms(at.as_millisecond().saturating_add(by_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR_MS: i64 = 365 * 86_400_000;

    fn system() -> System {
        System {
            started: Instant::now(),
            uptime_ms: AtomicI64::new(0),
            line_ms: AtomicI64::new(RELEASED_MS),
            floor_ms: AtomicI64::new(RELEASED_MS),
            offset_ms: AtomicI64::new(UNHEARD),
            is_synchronised: AtomicBool::new(false),
        }
    }

    /// `best` is about `ms`: the test itself takes time.
    #[track_caller]
    fn about(best: i64, ms: i64) {
        assert!((best - ms).abs() < 60_000, "{best} is not about {ms}");
    }

    #[test]
    fn a_clock_that_starts_in_1970_is_a_guess_until_somebody_tells() {
        let clock = system();
        assert!(!clock.trusts(5_000));
        about(clock.best_ms(5_000), RELEASED_MS);
        clock.offset_ms.store(YEAR_MS, Ordering::SeqCst);
        about(clock.best_ms(5_000), RELEASED_MS + YEAR_MS);
        let wall = RELEASED_MS + YEAR_MS + 2_000;
        assert_eq!(clock.best_ms(wall), wall, "a system clock that agrees is the finer one");
    }

    #[test]
    fn a_time_far_ahead_does_not_stay_for_ever() {
        let clock = Clock(Arc::new(Source::System(system())));
        let Source::System(inner) = &*clock.0 else { unreachable!() };
        clock.begin(from_ms(RELEASED_MS + 70 * YEAR_MS), from_ms(RELEASED_MS + 70 * YEAR_MS));
        let right = RELEASED_MS + YEAR_MS;
        assert!(!inner.trusts(right));
        inner.is_synchronised.store(true, Ordering::SeqCst);
        assert_eq!(inner.best_ms(right), right, "NTP says otherwise");
        inner.is_synchronised.store(false, Ordering::SeqCst);
        clock.heard(-69 * YEAR_MS);
        about(inner.best_ms(5_000), right);
        assert!(inner.trusts(right + 60_000), "the server says otherwise");
    }

    #[test]
    fn the_line_sleeps_with_nobody() {
        let clock = Clock::system();
        let before = clock.steady();
        let boot = Boot::current();
        clock.look(false, &Boot { uptime_ms: boot.uptime_ms + 3_600_000, ..boot.clone() });
        assert!(clock.steady() >= shifted(before, 3_599_000));
        let after = clock.steady();
        clock.look(false, &Boot { uptime_ms: boot.uptime_ms + 3_600_000, ..boot });
        assert!(clock.steady() < shifted(after, 60_000), "once");
        assert_eq!(parse_uptime("12.34 5.6\n"), Some(12_340));
    }
}
