//! What is wrong with the ports of a switch. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Known, Packets, Port, Seen};
use crate::probe::OutcomeState::Bad;
use crate::probe::Reading;

/// One damaged packet in so many is a bad cable; fewer than so many damaged ones are chance.
const ERRORS_PER: u64 = 1_000;
const ERRORS_MIN: u64 = 10;
/// A counter that went forward by more has been set back.
const RESET: u32 = 1 << 31;
/// A link that changed at so many looks within [`FLAP_S`] comes and goes.
const FLAPS: usize = 4;
const FLAP_S: i64 = 3_600;
/// So many links that change at once are the switch's own doing.
const AT_ONCE: usize = 4;
/// Ports that are remembered.
const PORTS_MAX: usize = 512;

/// Counters of one port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Count {
    errors: [Option<u32>; 2],
    packets: [Option<Packets>; 2],
    changed_at: Option<u32>,
    is_up: Option<bool>,
}

/// All that one look says of the ports.
pub(super) fn judge(
    reading: Reading,
    seen: &Seen,
    wanted: &[String],
    (known, counted): (&mut Known, &mut BTreeMap<String, Count>),
    runs_on: bool,
    now: Timestamp,
) -> Reading {
    let Some(ports) = &seen.ports else {
        let codes = ["port_down", "port_errors", "port_half_duplex", "port_slow", "port_flapping"];
        return codes.into_iter().fold(reading, Reading::blind);
    };
    let up = ports.iter().filter(|port| port.is_up == Some(true)).count();
    let reading = reading
        .value("ports", f64::from(u32::try_from(ports.len()).unwrap_or(u32::MAX)))
        .value("ports_up", f64::from(u32::try_from(up).unwrap_or(u32::MAX)));
    let reading = down(reading, seen, ports, wanted);
    let reading = errors(reading, seen, counted, runs_on);
    let reading = flapping(reading, seen, (&mut known.changes, counted), runs_on, now);
    let reading = half(reading, seen, ports);
    let reading = slow(reading, seen, ports, &mut known.fastest);
    if counted.len() > PORTS_MAX {
        counted.clear();
    }
    for port in ports {
        let Port { errors, packets, changed_at, is_up, .. } = *port;
        counted.insert(port.name.clone(), Count { errors, packets, changed_at, is_up });
    }
    reading
}

impl Port {
    fn is_called(&self, name: &str) -> bool {
        [&self.name, &self.descr, &self.alias].into_iter().any(|own| own.trim().eq_ignore_ascii_case(name))
    }

    /// What it is called on screens.
    pub(super) fn label(&self) -> String {
        let alias = self.alias.trim();
        if alias.is_empty() || alias == self.name {
            self.name.clone()
        } else {
            format!("{} ({alias})", self.name)
        }
    }
}

/// The fault of some ports; with none, and some that were not looked at, what stood goes on.
fn told(reading: Reading, code: &'static str, bad: &[String], text: &str, is_whole: bool) -> Reading {
    if bad.is_empty() {
        return if is_whole { reading } else { reading.blind(code) };
    }
    let ports = bad.join(", ");
    reading.fault(Bad, code, &format!("{text}: {ports}"), [("ports", Value::from(ports))])
}

fn down(reading: Reading, seen: &Seen, ports: &[Port], wanted: &[String]) -> Reading {
    let mut bad = Vec::new();
    let mut is_whole = true;
    for name in wanted {
        match ports.iter().find(|port| port.is_called(name)).map(|port| (port, port.is_up)) {
            Some((_, Some(true))) => {}
            Some((port, Some(false))) => bad.push(port.label()),
            None if !seen.is_cut => bad.push(name.clone()),
            Some((_, None)) | None => is_whole = false,
        }
    }
    told(reading, "port_down", &bad, "no link where one has to be", is_whole)
}

fn half(reading: Reading, seen: &Seen, ports: &[Port]) -> Reading {
    let up = || ports.iter().filter(|port| port.is_up == Some(true));
    let bad: Vec<String> = up().filter(|port| port.is_half == Some(true)).map(Port::label).collect();
    let is_whole = !seen.is_cut && up().any(|port| port.is_half.is_some());
    told(reading, "port_half_duplex", &bad, "half duplex", is_whole)
}

fn slow(reading: Reading, seen: &Seen, ports: &[Port], fastest: &mut BTreeMap<String, u32>) -> Reading {
    let mut bad = Vec::new();
    let mut is_told = false;
    for port in ports {
        let (Some(true), Some(speed)) = (port.is_up, port.speed_mbps.filter(|speed| *speed > 0)) else {
            continue;
        };
        is_told = true;
        if fastest.len() >= PORTS_MAX && !fastest.contains_key(&port.name) {
            continue;
        }
        let best = fastest.entry(port.name.clone()).or_insert(speed);
        *best = speed.max(*best);
        if speed < *best {
            bad.push(format!("{} {speed}/{best} Mbit/s", port.label()));
        }
    }
    told(reading, "port_slow", &bad, "slower than before", is_told && !seen.is_cut)
}

fn errors(reading: Reading, seen: &Seen, counted: &BTreeMap<String, Count>, runs_on: bool) -> Reading {
    let mut bad = Vec::new();
    let mut is_near = false;
    let mut is_told = false;
    for port in seen.ports.iter().flatten() {
        let Some(before) = counted.get(&port.name).filter(|_| runs_on) else { continue };
        for (side, direction) in ["in", "out"].into_iter().enumerate() {
            let pair =
                port.errors.get(side).copied().flatten().zip(before.errors.get(side).copied().flatten());
            let Some(errors) = pair.map(|(now, before)| now.wrapping_sub(before)).filter(|e| *e < RESET)
            else {
                continue;
            };
            is_told = true;
            let errors = u64::from(errors);
            let well =
                well(port.packets.get(side).copied().flatten(), before.packets.get(side).copied().flatten());
            let all = well.unwrap_or(0).saturating_add(errors);
            if errors >= ERRORS_MIN && errors.saturating_mul(ERRORS_PER) >= all {
                bad.push(format!("{} {direction} {errors}/{all}", port.label()));
            } else if errors >= ERRORS_MIN && errors.saturating_mul(ERRORS_PER) >= all / 2 {
                is_near = true;
            }
        }
    }
    told(reading, "port_errors", &bad, "damaged packets", is_told && !is_near && !seen.is_cut)
}

/// Packets since the look before; None when the counter was set back or changed its width.
fn well(now: Option<Packets>, before: Option<Packets>) -> Option<u64> {
    match (now?, before?) {
        (Packets::Wide(now), Packets::Wide(before)) => now.checked_sub(before),
        (Packets::Narrow(now), Packets::Narrow(before)) => Some(u64::from(now.wrapping_sub(before))),
        (Packets::Wide(_), Packets::Narrow(_)) | (Packets::Narrow(_), Packets::Wide(_)) => None,
    }
}

fn flapping(
    reading: Reading,
    seen: &Seen,
    (changes, counted): (&mut BTreeMap<String, Vec<i64>>, &BTreeMap<String, Count>),
    runs_on: bool,
    now: Timestamp,
) -> Reading {
    let now_s = now.as_second();
    let mut is_told = false;
    let mut moved = Vec::new();
    for port in seen.ports.iter().flatten() {
        let Some(before) = counted.get(&port.name).filter(|_| runs_on) else { continue };
        is_told = true;
        let is_other = match (port.changed_at, before.changed_at) {
            (Some(now), Some(before)) if now != before => true,
            _ => port.is_up.is_some() && before.is_up.is_some() && port.is_up != before.is_up,
        };
        if is_other && !port.is_off {
            moved.push(port.name.as_str());
        }
    }
    // Some give every port the same moving time, and a module that is drawn takes many links with it.
    let count = seen.ports.iter().flatten().count();
    if moved.len() < AT_ONCE || moved.len() * 2 <= count {
        for name in moved {
            if changes.len() < PORTS_MAX || changes.contains_key(name) {
                changes.entry(name.to_owned()).or_default().push(now_s);
            }
        }
    }
    for times in changes.values_mut() {
        times.retain(|at| (now_s - FLAP_S..=now_s).contains(at));
    }
    changes.retain(|_, times| !times.is_empty());
    let bad: Vec<String> = seen
        .ports
        .iter()
        .flatten()
        .filter_map(|port| {
            let times = changes.get(&port.name).map_or(0, Vec::len);
            (times >= FLAPS).then(|| format!("{} {times}×", port.label()))
        })
        .collect();
    told(reading, "port_flapping", &bad, "comes and goes", is_told && !seen.is_cut)
}
