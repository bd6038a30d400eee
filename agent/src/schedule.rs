//! Which check is due. Pure: it is told the time and what became of each run.
//!
//! The first runs of a site are spread over some seconds, each later run keeps its own rhythm. A device is
//! asked by one probe at a time, with a pause between two, because cheap devices serve one or two requests.
//! A silent check is asked less often up to a limit; rejected credentials are left alone for an hour and
//! longer, because devices lock an account after a few wrong passwords.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sitewarden_proto::id::DeviceId;

use crate::clock::after;
use crate::config::{Check, Device};

/// Between the end of one probe and the begin of the next on the same device.
const SPACING: Duration = Duration::from_millis(250);
/// Over which the first runs are spread.
const SPREAD: Duration = Duration::from_secs(10);
/// Silent runs before a check is asked less often.
const PATIENCE: u32 = 5;
/// Longest pause that silence makes of a shorter rhythm.
const SILENT_MAX: Duration = Duration::from_mins(2);
/// Pause after rejected credentials; doubles each time.
const REJECTED_MIN: Duration = Duration::from_hours(1);
const REJECTED_MAX: Duration = Duration::from_hours(24);
/// A run that was never reported as finished blocks its device no longer than this over its time-out.
const LOST_AFTER: Duration = Duration::from_mins(2);

/// What became of a run, as far as the next one depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ran {
    /// The device answered, well or badly.
    Answered,
    /// It did not.
    Silent,
    /// It refused our credentials.
    Rejected,
}

/// The plan of all checks.
#[derive(Debug, Default)]
pub struct Schedule {
    devices: BTreeMap<DeviceId, Slot>,
}

#[derive(Debug)]
struct Slot {
    checks: BTreeMap<String, Plan>,
    running: Option<Running>,
    free_at: Timestamp,
}

#[derive(Debug)]
struct Running {
    check: String,
    lost_at: Timestamp,
}

#[derive(Debug)]
struct Plan {
    check: Check,
    due_at: Timestamp,
    silent: u32,
    rejected: u32,
    /// When it was last asked beyond its rhythm.
    extra_at: Option<Timestamp>,
}

impl Plan {
    fn new(device: &DeviceId, check: &Check, now: Timestamp) -> Self {
        let spread = SPREAD.min(check.every).as_millis().max(1) as u64;
        let phase = hash(&[device.as_str(), &check.name]) % spread;
        Self {
            check: check.clone(),
            due_at: after(now, Duration::from_millis(phase)),
            silent: 0,
            rejected: 0,
            extra_at: None,
        }
    }

    fn pause(&self) -> Duration {
        if self.rejected > 0 {
            let doubled = REJECTED_MIN * 2_u32.pow((self.rejected - 1).min(10));
            return doubled.min(REJECTED_MAX).max(self.check.every);
        }
        let over = self.silent.saturating_sub(PATIENCE).min(10);
        (self.check.every * 2_u32.pow(over)).min(SILENT_MAX.max(self.check.every))
    }
}

impl Schedule {
    /// Follows a new configuration. A check that did not change keeps its rhythm and its back-off.
    pub fn replace(&mut self, now: Timestamp, devices: &[Device]) {
        let mut before = std::mem::take(&mut self.devices);
        for device in devices {
            let mut old = before.remove(&device.id);
            let mut checks = BTreeMap::new();
            for check in &device.checks {
                let kept = old.as_mut().and_then(|slot| slot.checks.remove(&check.name));
                let plan = match kept {
                    Some(plan) if plan.check == *check => plan,
                    Some(_) | None => Plan::new(&device.id, check, now),
                };
                checks.insert(check.name.clone(), plan);
            }
            let (running, free_at) = old.map_or((None, now), |slot| (slot.running, slot.free_at));
            self.devices.insert(device.id.clone(), Slot { checks, running, free_at });
        }
    }

    /// The checks to run now, at most one of each device, the longest overdue first; they count as running
    /// until [`Schedule::finished`].
    pub fn start_due(&mut self, now: Timestamp) -> Vec<(DeviceId, String)> {
        let mut due = Vec::new();
        for (id, slot) in &mut self.devices {
            if slot.start_at() > now {
                continue;
            }
            let Some(plan) = slot.checks.values().min_by_key(|p| p.due_at).filter(|p| p.due_at <= now) else {
                continue;
            };
            let name = plan.check.name.clone();
            slot.running =
                Some(Running { check: name.clone(), lost_at: after(now, plan.check.timeout + LOST_AFTER) });
            due.push((plan.due_at, id.clone(), name));
        }
        due.sort();
        due.into_iter().map(|(_, device, check)| (device, check)).collect()
    }

    /// A run ended. Unknown devices and checks are ignored: the configuration may have changed meanwhile.
    pub fn finished(&mut self, now: Timestamp, device: &DeviceId, check: &str, ran: Ran) {
        let Some(slot) = self.devices.get_mut(device) else { return };
        if slot.running.as_ref().is_some_and(|running| running.check == check) {
            slot.running = None;
        }
        slot.free_at = after(now, SPACING);
        let Some(plan) = slot.checks.get_mut(check) else { return };
        match ran {
            Ran::Answered => (plan.silent, plan.rejected) = (0, 0),
            Ran::Silent => plan.silent = plan.silent.saturating_add(1),
            Ran::Rejected => (plan.silent, plan.rejected) = (0, plan.rejected.saturating_add(1)),
        }
        let next = after(plan.due_at, plan.pause());
        // What was missed is not made up for, but the rhythm is kept where it can be.
        plan.due_at = if next > now { next } else { after(now, plan.pause()) };
    }

    /// Runs these checks of a device soon, because another one says that something changed; checks whose
    /// credentials were rejected stay where they are.
    pub fn hurry(&mut self, now: Timestamp, device: &DeviceId, checks: &[String]) {
        let Some(slot) = self.devices.get_mut(device) else { return };
        for plan in slot.checks.values_mut().filter(|p| p.rejected == 0 && checks.contains(&p.check.name)) {
            plan.due_at = plan.due_at.min(now);
        }
    }

    /// Runs a check now, beyond its rhythm, because of what hangs off its device; once in each of its intervals at
    /// most, however much that is. True when it will run.
    pub fn extra(&mut self, now: Timestamp, device: &DeviceId, check: &str) -> bool {
        let plan = self.devices.get_mut(device).and_then(|slot| slot.checks.get_mut(check));
        let Some(plan) = plan.filter(|plan| plan.rejected == 0) else { return false };
        if plan.extra_at.is_some_and(|at| after(at, plan.check.every) > now) {
            return false;
        }
        plan.extra_at = Some(now);
        plan.due_at = plan.due_at.min(now);
        true
    }

    /// Runs every check of a device now, rejected credentials included: a person asked.
    pub fn run_now(&mut self, now: Timestamp, device: &DeviceId) {
        let Some(slot) = self.devices.get_mut(device) else { return };
        for plan in slot.checks.values_mut() {
            plan.due_at = plan.due_at.min(now);
        }
    }

    /// When [`Schedule::start_due`] has something to say next.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.devices
            .values()
            .filter_map(|slot| Some(slot.checks.values().map(|p| p.due_at).min()?.max(slot.start_at())))
            .min()
    }
}

impl Slot {
    fn start_at(&self) -> Timestamp {
        self.running.as_ref().map_or(self.free_at, |running| running.lost_at)
    }
}

/// FNV-1a, 64 bit: the same on every gateway and every start.
fn hash(parts: &[&str]) -> u64 {
    parts
        .iter()
        .flat_map(|part| part.bytes().chain([0]))
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::from_ms;
    use crate::config::parse_devices;

    fn devices(n: usize, every: &str) -> Vec<Device> {
        let one = |i| {
            format!(
                "[[device]]\nid = \"d{i}\"\naddress = \"h\"\ncheck = [{{ kind = \"icmp\", every = \"{every}\" }}, {{ kind = \"tcp\", port = 1, every = \"{every}\" }}]\n"
            )
        };
        parse_devices(&(0..n).map(one).collect::<String>(), "f").unwrap()
    }

    /// Plays `seconds` of a site where each run takes `took`; returns (at, device, check) of each start.
    fn play(
        schedule: &mut Schedule,
        seconds: u64,
        took: Duration,
        ran: Ran,
    ) -> Vec<(Timestamp, DeviceId, String)> {
        let mut now = from_ms(0);
        let end = after(now, Duration::from_secs(seconds));
        let mut running: Vec<(Timestamp, DeviceId, String)> = Vec::new();
        let mut started = Vec::new();
        while now < end {
            running.retain(|(at, device, check)| {
                if *at <= now {
                    schedule.finished(now, device, check, ran);
                }
                *at > now
            });
            for (device, check) in schedule.start_due(now) {
                assert!(!running.iter().any(|r| r.1 == device), "two probes at once on {device}");
                running.push((after(now, took), device.clone(), check.clone()));
                started.push((now, device, check));
            }
            let next = running.iter().map(|r| r.0).chain(schedule.next_due()).min().unwrap();
            now = next.max(after(now, Duration::from_millis(1)));
        }
        started
    }

    fn started(n: usize, every: &str, seconds: u64, ran: Ran) -> Vec<(Timestamp, DeviceId, String)> {
        let mut schedule = Schedule::default();
        schedule.replace(from_ms(0), &devices(n, every));
        play(&mut schedule, seconds, Duration::from_millis(100), ran)
    }

    #[test]
    fn everything_runs_in_its_rhythm_and_spread() {
        let runs = started(100, "30s", 300, Ran::Answered);
        assert!((2000..=2200).contains(&runs.len()), "{}", runs.len());
        let first_second = runs.iter().filter(|r| r.0 < from_ms(1000)).count();
        assert!(first_second < 60, "{first_second} probes in the first second");
    }

    #[test]
    fn what_hangs_off_a_device_asks_it_once_an_interval_beyond_its_rhythm() {
        let (mut schedule, id) = (Schedule::default(), DeviceId::try_from("d0".to_owned()).unwrap());
        schedule.replace(from_ms(0), &devices(1, "5m"));
        let asked: Vec<i64> = (0..600).filter(|s| schedule.extra(from_ms(s * 1000), &id, "icmp")).collect();
        assert_eq!(asked, [0, 300]);
        assert!(!schedule.extra(from_ms(900_000), &id, "nothing"));
        schedule.finished(from_ms(900_000), &id, "icmp", Ran::Rejected);
        assert!(!schedule.extra(from_ms(900_000), &id, "icmp"), "rejected credentials are left alone");
    }

    #[test]
    fn silence_slows_down_to_a_limit() {
        let runs = started(1, "10s", 3600, Ran::Silent);
        let icmp: Vec<i64> = runs.iter().filter(|r| r.2 == "icmp").map(|r| r.0.as_second()).collect();
        assert!(icmp[4] < 60, "{icmp:?}");
        assert!(icmp.windows(2).all(|w| w[1] - w[0] <= 121), "{icmp:?}");
        assert!(icmp.len() < 50, "{}", icmp.len());
    }

    #[test]
    fn a_rejected_password_is_left_alone() {
        let runs = started(1, "10s", 24 * 3600, Ran::Rejected);
        let icmp: Vec<i64> = runs.iter().filter(|r| r.2 == "icmp").map(|r| r.0.as_second()).collect();
        assert!(icmp.len() <= 5 && icmp[1] - icmp[0] >= 3600, "{icmp:?}");
    }

    #[test]
    fn hurry_spares_rejected_credentials_and_run_now_does_not() {
        let now = from_ms(100_000);
        let mut schedule = Schedule::default();
        let all = devices(1, "1h");
        let id = all[0].id.clone();
        schedule.replace(from_ms(0), &all);
        for (check, ran) in [("icmp", Ran::Rejected), ("tcp", Ran::Answered)] {
            schedule.finished(now, &id, check, ran);
        }
        let later = from_ms(101_000);
        schedule.hurry(later, &id, &["icmp".to_owned(), "tcp".to_owned()]);
        assert_eq!(schedule.start_due(later), [(id.clone(), "tcp".to_owned())]);
        schedule.finished(later, &id, "tcp", Ran::Answered);
        schedule.run_now(later, &id);
        assert_eq!(schedule.start_due(from_ms(102_000)).len(), 1);
    }

    #[test]
    fn a_new_configuration_keeps_what_did_not_change() {
        let mut schedule = Schedule::default();
        schedule.replace(from_ms(0), &devices(2, "1h"));
        let now = from_ms(20_000);
        while let Some((device, check)) = schedule.start_due(after(now, Duration::from_secs(9))).pop() {
            schedule.finished(now, &device, &check, Ran::Answered);
        }
        let before = schedule.next_due();
        schedule.replace(now, &devices(2, "1h"));
        assert_eq!(schedule.next_due(), before);
        schedule.replace(now, &devices(3, "1h"));
        assert!(schedule.next_due() < before);
        schedule.replace(now, &[]);
        assert_eq!(schedule.next_due(), None);
    }

    proptest! {
        #[test]
        fn nothing_starves_and_no_device_is_asked_twice_at_once(n in 1_usize..8, took_ms in 1_u64..5000, every in 1_u64..20) {
            let mut schedule = Schedule::default();
            schedule.replace(from_ms(0), &devices(n, &format!("{every}s")));
            let runs = play(&mut schedule, 120, Duration::from_millis(took_ms), Ran::Answered);
            for device in devices(n, "9s") {
                for check in &device.checks {
                    prop_assert!(runs.iter().filter(|r| r.1 == device.id && r.2 == check.name).count() >= 3);
                }
            }
        }
    }
}
