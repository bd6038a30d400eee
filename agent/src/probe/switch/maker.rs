//! What the makers' own tables of a switch mean. Pure. The object ids are those of the makers' published MIBs.

use std::collections::BTreeMap;

use super::said::{OBJECT, Said};
use crate::model::switch::{Budget, Feed, Heat, Part, PartState, Seen};

/// Whose tables a switch has, by the number under `enterprises` in sysObjectID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    Huawei,
    H3c,
    Cisco,
    Ruijie,
    TpLink,
    Other,
}

/// HUAWEI-ENTITY-EXTENT-MIB: hwEntityCpuUsage, hwEntityMemUsage, hwEntityTemperature, hwEntityTemperatureThreshold,
/// hwEntityFan{Present,State}, hwEntityPwr{Present,State}; HUAWEI-POE-MIB: hwPoePortConsumingPower.
const HUAWEI: [&str; 9] = [
    "1.3.6.1.4.1.2011.5.25.31.1.1.1.1.5",
    "1.3.6.1.4.1.2011.5.25.31.1.1.1.1.7",
    "1.3.6.1.4.1.2011.5.25.31.1.1.1.1.11",
    "1.3.6.1.4.1.2011.5.25.31.1.1.1.1.12",
    "1.3.6.1.4.1.2011.5.25.31.1.1.10.1.6",
    "1.3.6.1.4.1.2011.5.25.31.1.1.10.1.7",
    "1.3.6.1.4.1.2011.5.25.31.1.1.18.1.5",
    "1.3.6.1.4.1.2011.5.25.31.1.1.18.1.6",
    "1.3.6.1.4.1.2011.5.25.195.3.1.10",
];
/// HH3C-ENTITY-EXT-MIB: hh3cEntityExtCpuUsage, …MemUsage, …Temperature, …TemperatureThreshold; HH3C-LswDEVM-MIB:
/// hh3cDevMFanStatus, hh3cDevMPowerStatus; HH3C-POWER-ETH-EXT-MIB: hh3cPsePortCurrentPower. Then the first four where
/// switches of the years with 3Com have them, A3COM-HUAWEI-ENTITY-EXT-MIB: an E528 has an H3C object id and only these.
const H3C: [&str; 11] = [
    "1.3.6.1.4.1.25506.2.6.1.1.1.1.6",
    "1.3.6.1.4.1.25506.2.6.1.1.1.1.8",
    "1.3.6.1.4.1.25506.2.6.1.1.1.1.12",
    "1.3.6.1.4.1.25506.2.6.1.1.1.1.13",
    "1.3.6.1.4.1.25506.8.35.9.1.1.1.2",
    "1.3.6.1.4.1.25506.8.35.9.1.2.1.2",
    "1.3.6.1.4.1.25506.2.14.1.1.5",
    "1.3.6.1.4.1.2011.10.2.6.1.1.1.1.6",
    "1.3.6.1.4.1.2011.10.2.6.1.1.1.1.8",
    "1.3.6.1.4.1.2011.10.2.6.1.1.1.1.12",
    "1.3.6.1.4.1.2011.10.2.6.1.1.1.1.13",
];
/// CISCO-PROCESS-MIB: cpmCPUTotal5minRev; CISCO-MEMORY-POOL-MIB: ciscoMemoryPool{Used,Free}; CISCO-ENVMON-MIB:
/// ciscoEnvMonTemperatureStatus{Descr,Value}, …Threshold, …State, fan and supply descr and state; CISCO-POWER-ETHERNET-EXT-MIB:
/// cpeExtPsePortPwrConsumption.
const CISCO: [&str; 12] = [
    "1.3.6.1.4.1.9.9.109.1.1.1.1.8",
    "1.3.6.1.4.1.9.9.48.1.1.1.5",
    "1.3.6.1.4.1.9.9.48.1.1.1.6",
    "1.3.6.1.4.1.9.9.13.1.3.1.2",
    "1.3.6.1.4.1.9.9.13.1.3.1.3",
    "1.3.6.1.4.1.9.9.13.1.3.1.4",
    "1.3.6.1.4.1.9.9.13.1.3.1.6",
    "1.3.6.1.4.1.9.9.13.1.4.1.2",
    "1.3.6.1.4.1.9.9.13.1.4.1.3",
    "1.3.6.1.4.1.9.9.13.1.5.1.2",
    "1.3.6.1.4.1.9.9.13.1.5.1.3",
    "1.3.6.1.4.1.9.9.402.1.2.1.9",
];
/// RUIJIE-PROCESS-MIB and RUIJIE-MEMORY-MIB by node, RUIJIE-SYSTEM-MIB: ruijieSystemTemperature{Name,Current},
/// …WarningValue, ruijieSystemElectricalSourceIsNormal and its name, ruijieSystemFanIsNormal and its name.
const RUIJIE: [&str; 9] = [
    "1.3.6.1.4.1.4881.1.1.10.2.36.1.2.1.5",
    "1.3.6.1.4.1.4881.1.1.10.2.35.1.2.1.3",
    "1.3.6.1.4.1.4881.1.1.10.2.1.1.23.1.2",
    "1.3.6.1.4.1.4881.1.1.10.2.1.1.23.1.3",
    "1.3.6.1.4.1.4881.1.1.10.2.1.1.23.1.4",
    "1.3.6.1.4.1.4881.1.1.10.2.1.1.18.1.2",
    "1.3.6.1.4.1.4881.1.1.10.2.1.1.18.1.3",
    "1.3.6.1.4.1.4881.1.1.10.2.1.1.21.1.2",
    "1.3.6.1.4.1.4881.1.1.10.2.1.1.21.1.3",
];
/// TPLINK-SYSMONITOR-MIB: tpSysMonitorCpu1Minute, tpSysMonitorMemoryUtilization; TPLINK-POWER-OVER-ETHERNET-MIB:
/// tpPoePowerLimit, tpPoePowerConsumption (0.1 W), tpPoePortStatus, tpPoePower.
const TP_LINK: [&str; 6] = [
    "1.3.6.1.4.1.11863.6.4.1.1.1.1.2",
    "1.3.6.1.4.1.11863.6.4.1.2.1.1.2",
    "1.3.6.1.4.1.11863.6.56.1.1.1.1",
    "1.3.6.1.4.1.11863.6.56.1.1.1.3",
    "1.3.6.1.4.1.11863.6.56.1.1.2.1.1.7",
    "1.3.6.1.4.1.11863.6.56.1.1.2.1.1.11",
];

impl Maker {
    pub(super) fn of(said: &Said) -> Self {
        let object = said.object(OBJECT).unwrap_or_default();
        match object.strip_prefix(&[1, 3, 6, 1, 4, 1]).and_then(|rest| rest.first()) {
            Some(2011) => Self::Huawei,
            Some(25506) => Self::H3c,
            Some(9) => Self::Cisco,
            Some(4881) => Self::Ruijie,
            Some(11863) => Self::TpLink,
            _ => Self::Other,
        }
    }

    /// Its tables are indexed by entities, whose names are wanted.
    pub(super) fn names_entities(self) -> bool {
        matches!(self, Self::Huawei | Self::H3c)
    }

    /// The columns of its own.
    pub(super) fn tables(self) -> &'static [&'static str] {
        match self {
            Self::Huawei => &HUAWEI,
            Self::H3c => &H3C,
            Self::Cisco => &CISCO,
            Self::Ruijie => &RUIJIE,
            Self::TpLink => &TP_LINK,
            Self::Other => &[],
        }
    }

    pub(super) fn seen(self, said: &Said) -> Seen {
        match self {
            Self::Huawei => huawei(said),
            Self::H3c => h3c(said),
            Self::Cisco => cisco(said),
            Self::Ruijie => ruijie(said),
            Self::TpLink => tp_link(said),
            Self::Other => Seen::default(),
        }
    }
}

/// The greatest percentage of a column; entities without one say 0, or something that is none.
fn greatest(said: &Said, column: &str) -> Option<f64> {
    let percents = said.numbers(column).into_values().filter(|percent| (0..=100).contains(percent));
    percents.max().map(|percent| percent as f64)
}

/// 0, 65535 and 2147483647 stand for "no sensor".
fn degrees(number: i64) -> Option<f64> {
    (number != 0 && (-50..=180).contains(&number)).then_some(number as f64)
}

fn heats(said: &Said, value: &str, limit: &str) -> Vec<Heat> {
    let limits = said.numbers(limit);
    let heat = |(index, number): (Vec<u32>, i64)| {
        let limit_c = limits.get(&index).copied().and_then(degrees).filter(|limit| *limit >= 30.0);
        Some(Heat { part: said.entity(&index), degrees_c: degrees(number)?, limit_c, is_hot: None })
    };
    said.numbers(value).into_iter().filter_map(heat).collect()
}

fn parts(
    said: &Said,
    (state, name): (&str, Option<&str>),
    mean: impl Fn(&Vec<u32>, i64) -> PartState,
) -> Vec<Part> {
    let names = name.map(|name| said.texts(name)).unwrap_or_default();
    let part = |(index, number): (Vec<u32>, i64)| {
        let numbers: Vec<String> = index.iter().map(ToString::to_string).collect();
        let name = names.get(&index).cloned().unwrap_or_else(|| numbers.join("/"));
        Part { name, state: mean(&index, number) }
    };
    said.numbers(state).into_iter().map(part).collect()
}

/// hwEntityFanState normal 1, abnormal 2; hwEntityPwrState supply 1, not supply 2, sleep 3, unknown 4; present 1, absent 2.
fn huawei(said: &Said) -> Seen {
    let [cpu, memory, heat, limit, fan_there, fan, supply_there, supply, poe] = HUAWEI;
    let (fans, supplies) = (said.numbers(fan_there), said.numbers(supply_there));
    let is_absent = |there: &BTreeMap<Vec<u32>, i64>, index: &Vec<u32>| there.get(index) == Some(&2);
    Seen {
        cpu_percent: greatest(said, cpu),
        memory_percent: greatest(said, memory),
        heats: heats(said, heat, limit),
        fans: parts(said, (fan, None), |index, state| match state {
            _ if is_absent(&fans, index) => PartState::Absent,
            1 => PartState::Well,
            2 => PartState::Failed,
            _ => PartState::Unknown,
        }),
        supplies: parts(said, (supply, None), |index, state| match state {
            _ if is_absent(&supplies, index) => PartState::Absent,
            // One that sleeps stands by.
            1 | 3 => PartState::Well,
            2 => PartState::Failed,
            _ => PartState::Unknown,
        }),
        feeds: watts(said, poe, 1_000.0),
        ..Seen::default()
    }
}

/// Active 1, deactive 2, not installed 3, unsupported 4.
fn h3c(said: &Said) -> Seen {
    let [cpu, memory, heat, limit, fan, supply, poe, old_cpu, old_memory, old_heat, old_limit] = H3C;
    let mean = |_: &Vec<u32>, state| match state {
        1 => PartState::Well,
        2 => PartState::Failed,
        3 => PartState::Absent,
        _ => PartState::Unknown,
    };
    Seen {
        cpu_percent: greatest(said, cpu).or_else(|| greatest(said, old_cpu)),
        memory_percent: greatest(said, memory).or_else(|| greatest(said, old_memory)),
        heats: [heats(said, heat, limit), heats(said, old_heat, old_limit)].concat(),
        fans: parts(said, (fan, None), mean),
        supplies: parts(said, (supply, None), mean),
        feeds: watts(said, poe, 1_000.0),
        ..Seen::default()
    }
}

/// CiscoEnvMonState: normal 1, warning 2, critical 3, shutdown 4, not present 5, not functioning 6.
fn cisco(said: &Said) -> Seen {
    let [cpu, used, free, heat_name, heat, limit, hot, fan_name, fan, supply_name, supply, poe] = CISCO;
    // The first pool is the processor's; the others are small, and full by design.
    let pools = (said.numbers(used), said.numbers(free));
    let pool = pools.0.iter().next().and_then(|(index, used)| Some((*used, *pools.1.get(index)?)));
    let names = said.texts(heat_name);
    let states = said.numbers(hot);
    let heats = heats(said, heat, limit)
        .into_iter()
        .zip(said.numbers(heat).into_iter().filter(|(_, n)| degrees(*n).is_some()));
    let mean = |_: &Vec<u32>, state| match state {
        1 => PartState::Well,
        3 | 4 | 6 => PartState::Failed,
        5 => PartState::Absent,
        _ => PartState::Unknown,
    };
    Seen {
        cpu_percent: greatest(said, cpu),
        memory_percent: pool
            .filter(|(used, free)| used + free > 0)
            .map(|(used, free)| used as f64 / (used + free) as f64 * 100.0),
        heats: heats
            .map(|(heat, (index, _))| Heat {
                part: names.get(&index).cloned().unwrap_or(heat.part),
                is_hot: states.get(&index).filter(|state| (1..=4).contains(*state)).map(|state| *state > 1),
                ..heat
            })
            .collect(),
        fans: parts(said, (fan, Some(fan_name)), mean),
        supplies: parts(said, (supply, Some(supply_name)), mean),
        feeds: watts(said, poe, 1_000.0),
        ..Seen::default()
    }
}

/// Not there 1, without power 2, ready 3, normal 4, abnormal 5, unknown 6.
fn ruijie(said: &Said) -> Seen {
    let [cpu, memory, heat_name, heat, limit, supply, supply_name, fan, fan_name] = RUIJIE;
    let names = said.texts(heat_name);
    let mean = |_: &Vec<u32>, state| match state {
        1 => PartState::Absent,
        3 | 4 => PartState::Well,
        2 | 5 => PartState::Failed,
        _ => PartState::Unknown,
    };
    let mut heats = heats(said, heat, limit);
    for heat in &mut heats {
        let index: Vec<u32> = heat.part.split('/').filter_map(|part| part.parse().ok()).collect();
        heat.part = names.get(&index).cloned().unwrap_or_else(|| heat.part.clone());
    }
    Seen {
        cpu_percent: greatest(said, cpu),
        memory_percent: greatest(said, memory),
        heats,
        fans: parts(said, (fan, Some(fan_name)), mean),
        supplies: parts(said, (supply, Some(supply_name)), mean),
        ..Seen::default()
    }
}

/// tpPoePortStatus: off 0, turning on 1, on 2, overload 3, short 4, nonstandard 5, voltage high 6, low 7, hardware 8, hot 9.
fn tp_link(said: &Said) -> Seen {
    let [cpu, memory, limit, used, power, status] = TP_LINK;
    let tenth = |column: &str| said.numbers(column).into_values().next().map(|tenths| tenths as f64 / 10.0);
    let powers = said.numbers(power);
    let mut feeds = Vec::new();
    for (index, state) in said.numbers(status) {
        let fault = match state {
            3 => Some("overload"),
            4 => Some("short circuit"),
            5 => Some("nonstandard device"),
            6 | 7 => Some("voltage"),
            8 => Some("hardware"),
            9 => Some("too hot"),
            _ => None,
        };
        let port = index.iter().map(ToString::to_string).collect::<Vec<_>>().join("/");
        let power_w = powers.get(&index).map(|tenths| *tenths as f64 / 10.0);
        feeds.push(Feed { port, fault, is_told: (0..=9).contains(&state), power_w, denied: None });
    }
    let budget = Budget { name: "1".into(), power_w: tenth(limit), used_w: tenth(used), is_faulty: None };
    let budgets = if budget.power_w.is_some() { vec![budget] } else { Vec::new() };
    let (cpu_percent, memory_percent) = (greatest(said, cpu), greatest(said, memory));
    Seen { cpu_percent, memory_percent, feeds, budgets, ..Seen::default() }
}

/// What each port gives; how it is stands elsewhere.
fn watts(said: &Said, column: &str, of_a_watt: f64) -> Vec<Feed> {
    let feed = |(index, number): (Vec<u32>, i64)| {
        let port = index.iter().map(ToString::to_string).collect::<Vec<_>>().join("/");
        let power_w = (0..200_000).contains(&number).then_some(number as f64 / of_a_watt);
        Feed { port, fault: None, is_told: false, power_w, denied: None }
    };
    said.numbers(column).into_iter().map(feed).collect()
}
