//! The gateway looks at itself: processor, memory, disk, heat, clock, way out.
//!
//! Nothing leaves the machine. The numbers come from the operating system; the thresholds are those at which
//! a small box starts to lose data. A fault needs the check's confirmation like any other, so one busy
//! moment raises nothing.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use sysinfo::{Components, Disks, System};

use super::{OutcomeState, Reading};

/// Processor use that counts as too high, in percent over all cores, if in the last minute also so many
/// programs per core wanted to run: a short burst is what a processor is for.
const CPU_HIGH_PERCENT: f64 = 97.0;
const LOAD_HIGH_PER_CORE: f64 = 2.0;
/// Memory use that counts as too high, in percent.
const MEMORY_HIGH_PERCENT: f64 = 95.0;
/// Disk use that counts as full, in percent; the disk queue needs the rest.
const DISK_FULL_PERCENT: f64 = 95.0;
/// Heat that counts as too high, in degrees Celsius, where the sensor names no limit of its own.
const TEMPERATURE_HIGH_C: f64 = 85.0;
/// The kernel's answer to adjtimex(2) when no time source steers the clock.
const TIME_ERROR: i32 = 5;

/// Remembers the last processor counters, so that the share is taken over the time between two runs.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    system: Arc<Mutex<Option<System>>>,
}

/// Reads the machine once.
///
/// Values: `cpu_percent`, `memory_percent`, `memory_available_mb`, `disk_percent` (fullest), `load1`,
/// `uptime_s`, `temperature_c` (hottest). Facts: `clock_synchronised`, `uplink`, `os`, `kernel`.
/// Faults: `host_cpu_high`, `host_memory_high`, `host_disk_full`, `host_temperature_high`,
/// `clock_unsynchronised`, `uplink_lost`.
pub(crate) async fn read(meter: &Meter) -> Reading {
    let first = {
        let mut system = meter.system.lock().unwrap_or_else(PoisonError::into_inner);
        let first = system.is_none();
        if first {
            system.get_or_insert_with(System::new).refresh_cpu_usage();
        }
        first
    };
    if first {
        // Use is a difference of two readings; the very first run has to wait for its second.
        tokio::time::sleep(sysinfo::MINIMUM_CPU_UPDATE_INTERVAL + Duration::from_millis(50)).await;
    }
    let system = Arc::clone(&meter.system);
    match tokio::task::spawn_blocking(move || {
        let mut system = system.lock().unwrap_or_else(PoisonError::into_inner);
        Snapshot::take(system.get_or_insert_with(System::new))
    })
    .await
    {
        Ok(snapshot) => judge(&snapshot),
        // The runtime is shutting down; there is nothing to report to anybody.
        Err(_) => Reading { state: OutcomeState::NotPermitted, ..Reading::good() },
    }
}

/// What the machine says at one moment.
#[derive(Debug, Clone, Default)]
struct Snapshot {
    cpu_percent: f64,
    memory_percent: f64,
    memory_available_mb: f64,
    /// The fullest writable file system and where it is mounted.
    disk: Option<(String, f64)>,
    /// The hottest sensor: its label, its reading, its own limit.
    temperature: Option<(String, f64, f64)>,
    load1: f64,
    cores: usize,
    uptime_s: u64,
    clock: ClockState,
    has_default_route: bool,
    os: String,
    kernel: String,
}

/// Whether a time source steers the machine's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum ClockState {
    Synchronised,
    Unsynchronised,
    /// Inside a container the clock belongs to the host, which keeps it without telling us.
    #[default]
    Unknown,
}

impl Snapshot {
    fn take(system: &mut System) -> Self {
        system.refresh_cpu_usage();
        system.refresh_memory();
        let total = system.total_memory().max(1) as f64;
        let available = system.available_memory() as f64;
        Self {
            cpu_percent: f64::from(system.global_cpu_usage()),
            memory_percent: 100.0 * (1.0 - available / total),
            memory_available_mb: available / 1_048_576.0,
            disk: fullest_disk(),
            temperature: hottest_sensor(),
            load1: System::load_average().one,
            cores: system.cpus().len().max(1),
            uptime_s: System::uptime(),
            clock: clock_state(),
            has_default_route: has_default_route(
                &std::fs::read_to_string("/proc/net/route").unwrap_or_default(),
                &std::fs::read_to_string("/proc/net/ipv6_route").unwrap_or_default(),
            ),
            os: System::long_os_version().unwrap_or_default(),
            kernel: System::kernel_version().unwrap_or_default(),
        }
    }
}

fn judge(snapshot: &Snapshot) -> Reading {
    let mut reading = Reading::good()
        .value("cpu_percent", snapshot.cpu_percent)
        .value("memory_percent", snapshot.memory_percent)
        .value("memory_available_mb", snapshot.memory_available_mb)
        .value("load1", snapshot.load1)
        .value("uptime_s", snapshot.uptime_s as f64)
        .fact("os", &snapshot.os)
        .fact("kernel", &snapshot.kernel)
        .fact("uplink", if snapshot.has_default_route { "yes" } else { "no" });
    if snapshot.cpu_percent > CPU_HIGH_PERCENT && snapshot.load1 > LOAD_HIGH_PER_CORE * snapshot.cores as f64
    {
        reading = high(
            reading,
            "host_cpu_high",
            "the processor is",
            "percent",
            snapshot.cpu_percent,
            CPU_HIGH_PERCENT,
        );
    }
    if snapshot.memory_percent > MEMORY_HIGH_PERCENT {
        let percent = snapshot.memory_percent;
        reading = high(reading, "host_memory_high", "the memory is", "percent", percent, MEMORY_HIGH_PERCENT);
    }
    if let Some((mount, percent)) = &snapshot.disk {
        reading = reading.value("disk_percent", *percent);
        if *percent > DISK_FULL_PERCENT {
            let what = format!("the disk {mount} is");
            reading = high(reading, "host_disk_full", &what, "percent", *percent, DISK_FULL_PERCENT);
        }
    }
    if let Some((label, celsius, limit)) = &snapshot.temperature {
        reading = reading.value("temperature_c", *celsius);
        if celsius > limit {
            let what = format!("the sensor {label} is");
            reading = high(reading, "host_temperature_high", &what, "celsius", *celsius, *limit);
        }
    }
    if !snapshot.has_default_route {
        let text = "the gateway has no default route; check its network cable and its address";
        reading = reading.fault(OutcomeState::Bad, "uplink_lost", text, []);
    }
    match snapshot.clock {
        ClockState::Synchronised => reading.fact("clock_synchronised", "yes"),
        ClockState::Unknown => reading.fact("clock_synchronised", "unknown"),
        ClockState::Unsynchronised => reading.fact("clock_synchronised", "no").fault(
            OutcomeState::Bad,
            "clock_unsynchronised",
            "no time source steers the gateway's clock; name a reachable NTP server in timesyncd or chrony",
            [],
        ),
    }
}

fn high(reading: Reading, code: &str, what: &str, unit: &str, measured: f64, limit: f64) -> Reading {
    let text = format!("{what} at {measured:.0} {unit}, above {limit:.0}");
    let evidence =
        [("measured", Value::from(measured.round() as i64)), ("limit", Value::from(limit.round() as i64))];
    reading.fault(OutcomeState::Bad, code, &text, evidence)
}

/// The fullest file system that can fill up: read-only images are always full and never matter.
fn fullest_disk() -> Option<(String, f64)> {
    Disks::new_with_refreshed_list()
        .list()
        .iter()
        .filter(|disk| !disk.is_read_only() && !disk.is_removable() && disk.total_space() > 0)
        .map(|disk| {
            let free = disk.available_space() as f64 / disk.total_space() as f64;
            (disk.mount_point().display().to_string(), 100.0 * (1.0 - free))
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

fn hottest_sensor() -> Option<(String, f64, f64)> {
    Components::new_with_refreshed_list()
        .list()
        .iter()
        .filter_map(|sensor| {
            let celsius = f64::from(sensor.temperature()?);
            // Sensors that report no critical point, or a nonsensical one, get the general limit.
            let own_limit = sensor.critical().map(f64::from).filter(|limit| (40.0..150.0).contains(limit));
            celsius.is_finite().then(|| {
                (
                    sensor.label().to_owned(),
                    celsius,
                    own_limit.unwrap_or(TEMPERATURE_HIGH_C).min(TEMPERATURE_HIGH_C),
                )
            })
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))
}

/// Whether a time source steers the machine's clock, as far as the kernel tells.
pub fn is_clock_steered() -> bool {
    matches!(clock_state(), ClockState::Synchronised)
}

/// Asks the kernel whether the clock is steered; see adjtimex(2).
fn clock_state() -> ClockState {
    let in_container = ["/.dockerenv", "/run/.containerenv", "/run/systemd/container"]
        .iter()
        .any(|mark| Path::new(mark).exists());
    if in_container {
        return ClockState::Unknown;
    }
    // SAFETY: `timex` is plain numbers, for which zero is valid; with `modes` 0 the call only reads, and it
    // writes nothing but the struct it is given, which outlives the call.
    #[expect(unsafe_code, reason = "the standard library has no way to ask for the clock's state")]
    let answer = unsafe {
        let mut state: libc::timex = std::mem::zeroed();
        libc::adjtimex(&raw mut state)
    };
    match answer {
        TIME_ERROR => ClockState::Unsynchronised,
        0..TIME_ERROR => ClockState::Synchronised,
        _ => ClockState::Unknown,
    }
}

/// Reads the kernel's routing tables (`/proc/net/route`, `/proc/net/ipv6_route`).
fn has_default_route(v4: &str, v6: &str) -> bool {
    const UP: u32 = 1;
    let up = |flags: Option<&str>| {
        flags.and_then(|hex| u32::from_str_radix(hex, 16).ok()).is_some_and(|f| f & UP != 0)
    };
    let by_v4 = v4.lines().skip(1).any(|line| {
        let mut columns = line.split_whitespace().skip(1);
        columns.next() == Some("00000000") && up(columns.nth(1))
    });
    let by_v6 = v6.lines().any(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        columns.len() >= 10
            && columns[0].bytes().all(|digit| digit == b'0')
            && columns[1] == "00"
            && columns[9] != "lo"
            && up(Some(columns[8]))
    });
    by_v4 || by_v6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn healthy() -> Snapshot {
        Snapshot {
            cores: 2,
            load1: 0.5,
            cpu_percent: 5.0,
            memory_percent: 40.0,
            has_default_route: true,
            ..Snapshot::default()
        }
    }

    fn codes(snapshot: &Snapshot) -> Vec<String> {
        judge(snapshot).faults.into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn a_healthy_gateway_has_no_faults() {
        assert_eq!(codes(&healthy()), Vec::<String>::new());
        let burst = Snapshot { cpu_percent: 100.0, load1: 1.0, ..healthy() };
        assert_eq!(codes(&burst), Vec::<String>::new());
    }

    #[test]
    fn every_trouble_has_its_own_code() {
        let worst = Snapshot {
            cpu_percent: 100.0,
            load1: 6.0,
            memory_percent: 99.0,
            disk: Some(("/".to_owned(), 98.5)),
            temperature: Some(("cpu".to_owned(), 91.0, 85.0)),
            clock: ClockState::Unsynchronised,
            has_default_route: false,
            ..healthy()
        };
        assert_eq!(
            codes(&worst),
            [
                "host_cpu_high",
                "host_memory_high",
                "host_disk_full",
                "host_temperature_high",
                "uplink_lost",
                "clock_unsynchronised"
            ]
        );
    }

    #[test]
    fn default_routes_are_found_in_both_tables() {
        let header = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n";
        let local = format!("{header}eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n");
        assert!(!has_default_route(&local, ""));
        assert!(has_default_route(&format!("{local}eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\n"), ""));
        let zeros = "0".repeat(32);
        let v6 = |device: &str, flags: &str| {
            format!("{zeros} 00 {zeros} 00 fe800000000000000000000000000001 00000400 0 0 {flags} {device}\n")
        };
        assert!(has_default_route("", &v6("eth0", "00000003")));
        assert!(!has_default_route("", &v6("lo", "00200201")));
        assert!(!has_default_route("", &v6("eth0", "00000002")));
    }
}
