//! What programs cost: their time on the processors, as Linux counts it in `/proc`.

use std::fs;
use std::path::Path;

/// Ticks a second in `/proc/PID/stat`; the same on every Linux that we run on.
const TICKS: f64 = 100.0;

/// The processor time of a program, seconds, with that of its children that have ended. 0 when it is gone.
pub fn cpu_s(pid: u32) -> f64 {
    stat(pid).map_or(0.0, |fields| fields[11..15].iter().sum::<f64>() / TICKS)
}

/// What a program has in memory, MB. 0 when it is gone.
pub fn resident_mb(pid: u32) -> f64 {
    memory_mb(pid, "VmRSS:")
}

/// The most that a program has had in memory, MB. 0 when it is gone.
pub fn most_resident_mb(pid: u32) -> f64 {
    memory_mb(pid, "VmHWM:")
}

fn memory_mb(pid: u32, name: &str) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    let kib: f64 = line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).unwrap_or_default();
    kib * 1024.0 / 1e6
}

/// The processor time of a PostgreSQL server and all of its processes, by the folder of its socket.
pub fn postgres_cpu_s(folder: &Path) -> f64 {
    let words = fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
    let Some(postmaster) = words.lines().next().and_then(|line| line.parse::<u32>().ok()) else { return 0.0 };
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let children = pids.filter(|pid| stat(*pid).is_some_and(|fields| fields[1] as u32 == postmaster));
    cpu_s(postmaster) + children.map(cpu_s).sum::<f64>()
}

/// The numbers of `/proc/PID/stat` from its third field on, which is the state and counts as 0.
fn stat(pid: u32) -> Option<Vec<f64>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold blanks, and ends with the last parenthesis.
    let rest = text.rsplit_once(')')?.1;
    let fields: Vec<f64> = rest.split_whitespace().map(|word| word.parse().unwrap_or(0.0)).collect();
    (fields.len() > 15).then_some(fields)
}
