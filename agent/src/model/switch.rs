//! What is wrong with a switch, whoever tells it. Pure, and of no vendor.
//!
//! What it does not say is unknown. Counters are compared with those of the look before, so the first look, and the first one
//! after a restart, tell nothing of them.

mod ports;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::health::{self, Past};
use crate::config;
use crate::probe::OutcomeState::Bad;
use crate::probe::Reading;

/// Between a limit and so much below it what stood goes on.
const BAND_PERCENT: f64 = 5.0;
const BAND_C: f64 = 3.0;
/// Its power budget is used up from here on.
const BUDGET_PERCENT: f64 = 95.0;
/// After 2^32 hundredths of a second, 497 days, the usual uptime begins anew.
const WRAP_S: f64 = 4_294_967_296.0 / 100.0;
/// How far a wrapped uptime may be off what was remembered.
const WRAP_SLACK_S: f64 = 600.0;
/// Parts that are remembered.
const PARTS_MAX: usize = 256;

/// What one run has seen; None is not told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// What it says that it is.
    pub model: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Of the chassis.
    pub serial: Option<String>,
    /// The longest of the uptimes that it tells, seconds; it may have begun anew after 497 days.
    pub uptime_s: Option<f64>,
    /// Load of its busiest processor.
    pub cpu_percent: Option<f64>,
    /// Use of its fullest memory.
    pub memory_percent: Option<f64>,
    /// Its sensors.
    pub heats: Vec<Heat>,
    /// Its fans.
    pub fans: Vec<Part>,
    /// Its power supplies.
    pub supplies: Vec<Part>,
    /// Its ports; None is not told at all.
    pub ports: Option<Vec<Port>>,
    /// Not every row was read.
    pub is_cut: bool,
    /// Ports that feed.
    pub feeds: Vec<Feed>,
    /// What feeds them.
    pub budgets: Vec<Budget>,
}

/// A temperature.
#[derive(Clone, Debug, PartialEq)]
pub struct Heat {
    /// Where.
    pub part: String,
    /// Degrees Celsius.
    pub degrees_c: f64,
    /// Its own limit.
    pub limit_c: Option<f64>,
    /// Its own verdict.
    pub is_hot: Option<bool>,
}

/// A fan or a power supply.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its name.
    pub name: String,
    /// How it is.
    pub state: PartState,
}

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartState {
    /// It works.
    Well,
    /// It does not.
    Failed,
    /// There is none, which is a fault only where there was one.
    Absent,
    /// Not told.
    Unknown,
}

/// One port.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Port {
    /// Its short name.
    pub name: String,
    /// Its long name.
    pub descr: String,
    /// What somebody wrote to it.
    pub alias: String,
    /// It has a link.
    pub is_up: Option<bool>,
    /// Somebody switched it off.
    pub is_off: bool,
    /// Mbit/s.
    pub speed_mbps: Option<u32>,
    /// It speaks or listens, not both at once.
    pub is_half: Option<bool>,
    /// Damaged packets in and out, a counter of 32 bits each.
    pub errors: [Option<u32>; 2],
    /// Packets in and out that were well.
    pub packets: [Option<Packets>; 2],
    /// When its link changed last, hundredths of a second of the switch's own uptime.
    pub changed_at: Option<u32>,
}

/// A counter of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Packets {
    /// 64 bits.
    Wide(u64),
    /// 32 bits, which begins anew.
    Narrow(u32),
}

/// Power over Ethernet at one port.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// The port.
    pub port: String,
    /// It says that something is wrong, and what.
    pub fault: Option<&'static str>,
    /// It told how it is.
    pub is_told: bool,
    /// Watts.
    pub power_w: Option<f64>,
    /// How often power was denied, a counter.
    pub denied: Option<u32>,
}

/// What feeds some ports.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// Its number.
    pub name: String,
    /// What it can give.
    pub power_w: Option<f64>,
    /// What it gives.
    pub used_w: Option<f64>,
    /// It has failed.
    pub is_faulty: Option<bool>,
}

/// What is remembered of a switch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Known {
    device: Past,
    /// Fans and power supplies that worked once.
    parts: BTreeSet<String>,
    /// The highest speed of each port, Mbit/s.
    fastest: BTreeMap<String, u32>,
    /// When the link of a port was seen to have changed, Unix seconds.
    changes: BTreeMap<String, Vec<i64>>,
}

/// The counters of the last look.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Counted {
    uptime_s: f64,
    ports: BTreeMap<String, ports::Count>,
    denied: BTreeMap<String, u32>,
}

/// Turns what was seen into faults.
pub(crate) fn judge(
    seen: &Seen,
    asked: &config::Switch,
    (known, counted): (&mut Known, &mut Counted),
    now: Timestamp,
) -> Reading {
    let mut reading = Reading::good();
    for (name, text) in [("model", &seen.model), ("name", &seen.name)] {
        if let Some(text) = text {
            reading = reading.fact(name, text);
        }
    }
    reading = health::identity(reading, &mut known.device, None, seen.serial.as_deref());
    let uptime_s = seen.uptime_s.map(|told| unwrapped(&known.device, told, now));
    reading = health::reboots(reading, &mut known.device, uptime_s, now);
    let limit = f64::from(asked.max_cpu_percent);
    reading = used(reading, ("switch_cpu_high", "cpu_percent"), seen.cpu_percent, limit);
    let limit = f64::from(asked.max_memory_percent);
    reading = used(reading, ("switch_memory_high", "memory_percent"), seen.memory_percent, limit);
    reading = warm(reading, &seen.heats, f64::from(asked.max_temperature_c));
    reading = parts(reading, "fan_failed", &seen.fans, &mut known.parts);
    reading = parts(reading, "power_supply_failed", &seen.supplies, &mut known.parts);
    // Without an uptime nobody knows whether counters began anew.
    let runs_on = uptime_s.is_some_and(|uptime_s| counted.uptime_s > 0.0 && uptime_s >= counted.uptime_s);
    reading = ports::judge(reading, seen, &asked.up, (known, &mut counted.ports), runs_on, now);
    reading = feeds(reading, seen, &mut counted.denied, runs_on);
    counted.uptime_s = uptime_s.unwrap_or(0.0);
    reading
}

/// The uptime without the wrap, if what is remembered says that it ran all the while.
fn unwrapped(past: &Past, told_s: f64, now: Timestamp) -> f64 {
    let Some(booted_s) = past.booted_at_s else { return told_s };
    let expected_s = (now.as_second() - booted_s) as f64;
    let wraps = ((expected_s - told_s) / WRAP_S).round();
    let whole_s = told_s + wraps * WRAP_S;
    if wraps >= 1.0 && (whole_s - expected_s).abs() <= WRAP_SLACK_S { whole_s } else { told_s }
}

fn used(reading: Reading, (code, metric): (&'static str, &str), percent: Option<f64>, limit: f64) -> Reading {
    let Some(percent) = percent else { return reading.blind(code) };
    let reading = reading.value(metric, percent);
    if percent >= limit {
        let text = format!("{} % are used, the limit is {limit} %", percent.round());
        let evidence = [("measured", Value::from(percent.round())), ("limit", Value::from(limit))];
        return reading.fault(Bad, code, &text, evidence);
    }
    if percent > limit - BAND_PERCENT { reading.blind(code) } else { reading }
}

fn warm(reading: Reading, heats: &[Heat], usual_c: f64) -> Reading {
    let code = "temperature_high";
    let Some(warmest) = heats.iter().map(|heat| heat.degrees_c).reduce(f64::max) else {
        return reading.blind(code);
    };
    let reading = reading.value("temperature_c", warmest);
    let margin = |heat: &Heat| heat.degrees_c - heat.limit_c.unwrap_or(usual_c);
    let hot = heats
        .iter()
        .filter(|heat| heat.is_hot.unwrap_or(margin(heat) >= 0.0))
        .max_by(|a, b| margin(a).total_cmp(&margin(b)));
    if let Some(heat) = hot {
        let limit_c = heat.limit_c.unwrap_or(usual_c);
        let text = format!("{}: {} °C, the limit is {limit_c} °C", heat.part, heat.degrees_c);
        let evidence = [
            ("part", Value::from(heat.part.as_str())),
            ("measured", Value::from(heat.degrees_c)),
            ("limit", Value::from(limit_c)),
        ];
        return reading.fault(Bad, code, &text, evidence);
    }
    let is_near = heats.iter().any(|heat| heat.is_hot.is_none() && margin(heat) > -BAND_C);
    if is_near { reading.blind(code) } else { reading }
}

fn parts(reading: Reading, code: &'static str, parts: &[Part], known: &mut BTreeSet<String>) -> Reading {
    let mut bad = Vec::new();
    let mut is_told = false;
    for part in parts {
        // A fan and a power supply may bear the same number.
        let key = format!("{code} {}", part.name);
        match part.state {
            PartState::Well => {
                is_told = true;
                if known.len() < PARTS_MAX {
                    known.insert(key);
                }
            }
            PartState::Failed => bad.push(part.name.as_str()),
            PartState::Absent if known.contains(&key) => bad.push(part.name.as_str()),
            PartState::Absent | PartState::Unknown => {}
        }
    }
    if bad.is_empty() {
        return if is_told { reading } else { reading.blind(code) };
    }
    let names = bad.join(", ");
    reading.fault(Bad, code, &format!("failed: {names}"), [("parts", Value::from(names.clone()))])
}

fn feeds(reading: Reading, seen: &Seen, denied: &mut BTreeMap<String, u32>, runs_on: bool) -> Reading {
    let used_w: Option<f64> = sum(seen.budgets.iter().filter_map(|budget| budget.used_w))
        .or_else(|| sum(seen.feeds.iter().filter_map(|feed| feed.power_w)));
    let mut reading = match used_w {
        Some(used_w) => reading.value("poe_w", used_w),
        None => reading,
    };
    reading = port_faults(reading, seen);
    let code = "poe_supply_failed";
    let bad: Vec<&str> =
        seen.budgets.iter().filter(|b| b.is_faulty == Some(true)).map(|b| b.name.as_str()).collect();
    if !bad.is_empty() {
        let names = bad.join(", ");
        reading =
            reading.fault(Bad, code, "what feeds its ports has failed", [("parts", Value::from(names))]);
    } else if !seen.budgets.iter().any(|budget| budget.is_faulty == Some(false)) {
        reading = reading.blind(code);
    }
    budget(reading, seen, denied, runs_on)
}

fn port_faults(reading: Reading, seen: &Seen) -> Reading {
    let code = "poe_port_fault";
    let bad: Vec<String> = seen
        .feeds
        .iter()
        .filter_map(|feed| feed.fault.map(|fault| format!("{} ({fault})", feed.port)))
        .collect();
    if bad.is_empty() {
        let is_told = !seen.is_cut && seen.feeds.iter().any(|feed| feed.is_told);
        return if is_told { reading } else { reading.blind(code) };
    }
    let ports = bad.join(", ");
    let text = format!("power over Ethernet has failed at {ports}");
    reading.fault(Bad, code, &text, [("ports", Value::from(ports))])
}

/// Is there power left for one more device?
fn budget(mut reading: Reading, seen: &Seen, denied: &mut BTreeMap<String, u32>, runs_on: bool) -> Reading {
    let code = "poe_budget_high";
    let share = |budget: &Budget| {
        let power_w = budget.power_w.filter(|power_w| *power_w > 0.0)?;
        Some((budget.used_w? / power_w * 100.0, budget.used_w?, power_w))
    };
    let fullest = seen.budgets.iter().filter_map(share).max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((percent, ..)) = fullest {
        reading = reading.value("poe_percent", percent);
    }
    let mut refused = Vec::new();
    for feed in &seen.feeds {
        let Some(count) = feed.denied else { continue };
        let before = denied.insert(feed.port.clone(), count);
        if runs_on && before.is_some_and(|before| (1..1 << 31).contains(&count.wrapping_sub(before))) {
            refused.push(feed.port.as_str());
        }
    }
    match fullest {
        Some((percent, used_w, power_w)) if percent >= BUDGET_PERCENT || !refused.is_empty() => {
            let text = format!("{used_w} W of {power_w} W are used");
            let evidence = [
                ("used_w", Value::from(used_w)),
                ("budget_w", Value::from(power_w)),
                ("ports", Value::from(refused.join(", "))),
            ];
            reading.fault(Bad, code, &text, evidence)
        }
        Some((percent, ..)) if percent > BUDGET_PERCENT - BAND_PERCENT => reading.blind(code),
        Some(_) => reading,
        None => reading.blind(code),
    }
}

fn sum(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let numbers: Vec<f64> = numbers.collect();
    (!numbers.is_empty()).then(|| numbers.iter().sum())
}

impl Seen {
    /// It said something about how it is.
    pub fn is_anything(&self) -> bool {
        self.ports.is_some() || self.cpu_percent.is_some() || self.memory_percent.is_some()
    }
}

#[cfg(test)]
mod tests;
