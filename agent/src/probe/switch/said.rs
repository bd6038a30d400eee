//! What a switch answers, and what the standard's tables of it mean. Pure.

use std::collections::{BTreeMap, BTreeSet};

use async_snmp::{Value, VarBind};

use crate::model::switch::{Budget, Feed, Heat, Packets, Part, PartState, Port, Seen};
use crate::topology;

/// sysDescr, sysObjectID, sysUpTime, sysName (RFC 3418), hrSystemUptime (RFC 2790), snmpEngineTime (RFC 3411).
pub(super) const SCALARS: &[&str] = &[DESCR, OBJECT, UPTIME, NAME, HOST_UPTIME, ENGINE_TIME];
const DESCR: &str = "1.3.6.1.2.1.1.1.0";
pub(super) const OBJECT: &str = "1.3.6.1.2.1.1.2.0";
const UPTIME: &str = "1.3.6.1.2.1.1.3.0";
const NAME: &str = "1.3.6.1.2.1.1.5.0";
const HOST_UPTIME: &str = "1.3.6.1.2.1.25.1.1.0";
const ENGINE_TIME: &str = "1.3.6.1.6.3.10.2.1.3.0";

/// ifDescr, ifType, ifSpeed, ifAdminStatus, ifOperStatus, ifLastChange, ifInErrors, ifOutErrors, ifName, ifHighSpeed, ifAlias
/// (RFC 2863), dot3StatsDuplexStatus (RFC 3635), dot1dBasePortIfIndex (RFC 4188).
pub(super) const PORTS: &[&str] = &[
    IF_DESCR,
    IF_TYPE,
    IF_SPEED,
    IF_ADMIN,
    IF_OPER,
    IF_CHANGE,
    IF_IN_ERRORS,
    IF_OUT_ERRORS,
    IF_NAME,
    IF_HIGH_SPEED,
    IF_ALIAS,
    DUPLEX,
    BRIDGE_PORT,
];
const IF_DESCR: &str = "1.3.6.1.2.1.2.2.1.2";
const IF_TYPE: &str = "1.3.6.1.2.1.2.2.1.3";
const IF_SPEED: &str = "1.3.6.1.2.1.2.2.1.5";
const IF_ADMIN: &str = "1.3.6.1.2.1.2.2.1.7";
const IF_OPER: &str = "1.3.6.1.2.1.2.2.1.8";
const IF_CHANGE: &str = "1.3.6.1.2.1.2.2.1.9";
const IF_IN_ERRORS: &str = "1.3.6.1.2.1.2.2.1.14";
const IF_OUT_ERRORS: &str = "1.3.6.1.2.1.2.2.1.20";
const IF_NAME: &str = "1.3.6.1.2.1.31.1.1.1.1";
const IF_HIGH_SPEED: &str = "1.3.6.1.2.1.31.1.1.1.15";
const IF_ALIAS: &str = "1.3.6.1.2.1.31.1.1.1.18";
const DUPLEX: &str = "1.3.6.1.2.1.10.7.2.1.19";
const BRIDGE_PORT: &str = "1.3.6.1.2.1.17.1.4.1.2";
/// ifHCInUcastPkts, ifHCOutUcastPkts, and the same in 32 bits.
pub(super) const PACKETS: [(&str, &str); 2] =
    [("1.3.6.1.2.1.31.1.1.1.7", "1.3.6.1.2.1.2.2.1.11"), ("1.3.6.1.2.1.31.1.1.1.11", "1.3.6.1.2.1.2.2.1.17")];
/// ifType of Ethernet: ethernetCsmacd, and two that old switches use.
const ETHERNET: [i64; 3] = [6, 62, 117];

/// RFC 3621: pethPsePortAdminEnable, pethPsePortDetectionStatus, pethPsePortPowerDeniedCounter, pethMainPsePower,
/// pethMainPseOperStatus, pethMainPseConsumptionPower.
pub(super) const POE: &[&str] = &[POE_ADMIN, POE_STATUS, POE_DENIED, POE_POWER, POE_OPER, POE_USED];
const POE_ADMIN: &str = "1.3.6.1.2.1.105.1.1.1.3";
const POE_STATUS: &str = "1.3.6.1.2.1.105.1.1.1.6";
const POE_DENIED: &str = "1.3.6.1.2.1.105.1.1.1.12";
const POE_POWER: &str = "1.3.6.1.2.1.105.1.3.1.1.2";
const POE_OPER: &str = "1.3.6.1.2.1.105.1.3.1.1.3";
const POE_USED: &str = "1.3.6.1.2.1.105.1.3.1.1.4";

/// hrProcessorLoad, hrStorageType, hrStorageDescr, hrStorageSize, hrStorageUsed (RFC 2790).
pub(super) const HOST: &[&str] = &[LOAD, STORE_TYPE, STORE_DESCR, STORE_SIZE, STORE_USED];
const LOAD: &str = "1.3.6.1.2.1.25.3.3.1.2";
const STORE_TYPE: &str = "1.3.6.1.2.1.25.2.3.1.2";
const STORE_DESCR: &str = "1.3.6.1.2.1.25.2.3.1.3";
const STORE_SIZE: &str = "1.3.6.1.2.1.25.2.3.1.5";
const STORE_USED: &str = "1.3.6.1.2.1.25.2.3.1.6";
/// hrStorageRam.
const RAM: [u32; 10] = [1, 3, 6, 1, 2, 1, 25, 2, 1, 2];

/// entPhysicalName (RFC 6933).
pub(super) const ENTITY_NAME: &str = "1.3.6.1.2.1.47.1.1.1.1.7";
/// entPhysicalClass, entPhysicalSerialNum, entPhysicalName, entPhySensor{Type,Scale,Precision,Value,OperStatus} (RFC 3433),
/// entStateOper (RFC 4268).
pub(super) const ENTITIES: &[&str] = &[
    CLASS,
    SERIAL,
    ENTITY_NAME,
    SENSOR_TYPE,
    SENSOR_SCALE,
    SENSOR_PRECISION,
    SENSOR_VALUE,
    SENSOR_STATUS,
    STATE_OPER,
];
const CLASS: &str = "1.3.6.1.2.1.47.1.1.1.1.5";
const SERIAL: &str = "1.3.6.1.2.1.47.1.1.1.1.11";
const SENSOR_TYPE: &str = "1.3.6.1.2.1.99.1.1.1.1";
const SENSOR_SCALE: &str = "1.3.6.1.2.1.99.1.1.1.2";
const SENSOR_PRECISION: &str = "1.3.6.1.2.1.99.1.1.1.3";
const SENSOR_VALUE: &str = "1.3.6.1.2.1.99.1.1.1.4";
const SENSOR_STATUS: &str = "1.3.6.1.2.1.99.1.1.1.5";
const STATE_OPER: &str = "1.3.6.1.2.1.131.1.1.1.3";
/// entPhysicalClass of a chassis, a power supply, a fan.
const CHASSIS: i64 = 3;
const SUPPLY: i64 = 6;
const FAN: i64 = 7;
/// EntitySensorDataType of degrees Celsius and of turns per minute.
const CELSIUS: i64 = 8;
const RPM: i64 = 10;

/// All rows that were read.
#[derive(Debug, Default)]
pub(super) struct Said {
    rows: BTreeMap<Vec<u32>, Value>,
    /// Not every row was read.
    pub(super) is_cut: bool,
}

pub(super) fn arcs(object: &str) -> Vec<u32> {
    object.split('.').filter_map(|arc| arc.parse().ok()).collect()
}

pub(super) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(i64::from(*number)),
        Value::Gauge32(number) | Value::Counter32(number) | Value::UInteger32(number) => {
            Some(i64::from(*number))
        }
        Value::TimeTicks(ticks) => Some(i64::from(*ticks)),
        Value::Counter64(number) => i64::try_from(*number).ok(),
        _ => None,
    }
}

fn text(value: &Value) -> Option<String> {
    let Value::OctetString(bytes) = value else { return None };
    let text = String::from_utf8_lossy(bytes).trim_matches(['\0', ' ', '\r', '\n']).to_owned();
    (!text.is_empty()).then_some(text)
}

impl Said {
    pub(super) fn add(&mut self, rows: Vec<VarBind>) {
        let is_there = |value: &Value| {
            !matches!(value, Value::NoSuchObject | Value::NoSuchInstance | Value::EndOfMibView)
        };
        self.rows.extend(
            rows.into_iter()
                .filter(|row| is_there(&row.value))
                .map(|row| (row.oid.arcs().to_vec(), row.value)),
        );
    }

    /// The rows of a column by their index.
    pub(super) fn column(&self, column: &str) -> BTreeMap<Vec<u32>, &Value> {
        let root = arcs(column);
        self.rows
            .range(root.clone()..)
            .take_while(|(oid, _)| oid.starts_with(&root))
            .map(|(oid, value)| (oid.get(root.len()..).unwrap_or_default().to_vec(), value))
            .collect()
    }

    /// The column holds something.
    pub(super) fn has(&self, column: &str) -> bool {
        let root = arcs(column);
        self.rows.range(root.clone()..).next().is_some_and(|(oid, _)| oid.starts_with(&root))
    }

    pub(super) fn numbers(&self, column: &str) -> BTreeMap<Vec<u32>, i64> {
        self.column(column).into_iter().filter_map(|(index, value)| Some((index, number(value)?))).collect()
    }

    pub(super) fn texts(&self, column: &str) -> BTreeMap<Vec<u32>, String> {
        self.column(column).into_iter().filter_map(|(index, value)| Some((index, text(value)?))).collect()
    }

    pub(super) fn one(&self, object: &str) -> Option<i64> {
        number(self.rows.get(&arcs(object))?)
    }

    /// The object identifier that stands there.
    pub(super) fn object(&self, object: &str) -> Option<Vec<u32>> {
        match self.rows.get(&arcs(object))? {
            Value::ObjectIdentifier(oid) => Some(oid.arcs().to_vec()),
            _ => None,
        }
    }

    /// What a thing with this index is called; by its number where it has no name.
    pub(super) fn entity(&self, index: &[u32]) -> String {
        let named = index.last().and_then(|last| self.rows.get(&[arcs(ENTITY_NAME), vec![*last]].concat()));
        let numbers: Vec<String> = index.iter().map(ToString::to_string).collect();
        named.and_then(text).unwrap_or_else(|| numbers.join("/"))
    }

    /// Fills in what the standard's tables tell and the maker's did not.
    pub(super) fn standard(&self, seen: &mut Seen) {
        seen.is_cut = self.is_cut;
        seen.model = self.rows.get(&arcs(DESCR)).and_then(text);
        seen.name = self.rows.get(&arcs(NAME)).and_then(text);
        let ticks = |object| self.one(object).map(|ticks| ticks as f64 / 100.0);
        // The one that began last says when the agent began, not when the switch did.
        seen.uptime_s = [ticks(UPTIME), ticks(HOST_UPTIME), self.one(ENGINE_TIME).map(|s| s as f64)]
            .into_iter()
            .flatten()
            .reduce(f64::max);
        self.host(seen);
        self.entities(seen);
        self.ports(seen);
    }

    fn host(&self, seen: &mut Seen) {
        let loads = self.numbers(LOAD);
        if seen.cpu_percent.is_none() && !loads.is_empty() {
            let sum: i64 = loads.values().filter(|load| (0..=100).contains(*load)).sum();
            seen.cpu_percent = Some(sum as f64 / loads.len() as f64);
        }
        if seen.memory_percent.is_some() {
            return;
        }
        let (kinds, names) = (self.column(STORE_TYPE), self.texts(STORE_DESCR));
        let (sizes, useds) = (self.numbers(STORE_SIZE), self.numbers(STORE_USED));
        let is_ram = |value: &Value| matches!(value, Value::ObjectIdentifier(oid) if oid.arcs() == RAM);
        let Some(index) = kinds.iter().find(|(_, kind)| is_ram(kind)).map(|(index, _)| index) else { return };
        let (Some(size), Some(used)) = (sizes.get(index), useds.get(index)) else { return };
        // What a Linux uses to remember files is free to whoever needs it.
        let lent: i64 = names
            .iter()
            .filter(|(_, name)| ["Cached memory", "Memory buffers"].contains(&name.as_str()))
            .filter_map(|(index, _)| useds.get(index))
            .sum();
        if *size > 0 {
            seen.memory_percent = Some((used - lent).clamp(0, *size) as f64 / *size as f64 * 100.0);
        }
    }

    fn entities(&self, seen: &mut Seen) {
        let classes = self.numbers(CLASS);
        let serials = self.texts(SERIAL);
        let mut chassis =
            classes.iter().filter(|(_, class)| **class == CHASSIS).filter_map(|(i, _)| serials.get(i));
        // In a stack the one with the lowest number may be another one tomorrow.
        let first = chassis.next().cloned();
        seen.serial = if chassis.next().is_none() { first } else { None };
        let (kinds, status) = (self.numbers(SENSOR_TYPE), self.numbers(SENSOR_STATUS));
        let (scales, precisions) = (self.numbers(SENSOR_SCALE), self.numbers(SENSOR_PRECISION));
        if seen.heats.is_empty() {
            for (index, value) in self.numbers(SENSOR_VALUE) {
                let is_it = kinds.get(&index) == Some(&CELSIUS) && status.get(&index) == Some(&1);
                // EntitySensorDataScale counts in thousands, 9 is one.
                let scale = scales.get(&index).map_or(0, |scale| (scale - 9) * 3);
                let power = scale - precisions.get(&index).copied().unwrap_or(0);
                let degrees_c = value as f64 * 10_f64.powi(i32::try_from(power).unwrap_or(0));
                if is_it && degrees_c != 0.0 && (-60.0..=200.0).contains(&degrees_c) {
                    seen.heats.push(Heat {
                        part: self.entity(&index),
                        degrees_c,
                        limit_c: None,
                        is_hot: None,
                    });
                }
            }
        }
        let oper = self.numbers(STATE_OPER);
        let parts = |class: i64| -> Vec<Part> {
            let of_class = classes.iter().filter(|(_, found)| **found == class);
            of_class
                .map(|(index, _)| {
                    let state = match oper.get(index) {
                        Some(2) => PartState::Failed,
                        Some(3) => PartState::Well,
                        _ => PartState::Unknown,
                    };
                    Part { name: self.entity(index), state }
                })
                .collect()
        };
        if seen.fans.is_empty() {
            seen.fans = parts(FAN);
            // A fan that turns tells its speed; one that does not is nonoperational.
            for (index, _) in kinds.iter().filter(|(_, kind)| **kind == RPM) {
                let state = match status.get(index) {
                    Some(1) => PartState::Well,
                    Some(3) => PartState::Failed,
                    _ => PartState::Unknown,
                };
                seen.fans.push(Part { name: self.entity(index), state });
            }
        }
        if seen.supplies.is_empty() {
            seen.supplies = parts(SUPPLY);
        }
    }

    fn ports(&self, seen: &mut Seen) {
        let by_one = |column: &str| -> BTreeMap<u32, i64> {
            let rows = self.numbers(column).into_iter();
            rows.filter_map(|(index, number)| Some((*index.first().filter(|_| index.len() == 1)?, number)))
                .collect()
        };
        let (descrs, names, aliases) = (self.texts(IF_DESCR), self.texts(IF_NAME), self.texts(IF_ALIAS));
        let (admin, oper, changed) = (by_one(IF_ADMIN), by_one(IF_OPER), by_one(IF_CHANGE));
        let (speed, high) = (by_one(IF_SPEED), by_one(IF_HIGH_SPEED));
        let (errors_in, errors_out) = (by_one(IF_IN_ERRORS), by_one(IF_OUT_ERRORS));
        let duplex = by_one(DUPLEX);
        let packets = PACKETS.map(|(wide, narrow)| (self.packets(wide), self.packets(narrow)));
        let mut labels = BTreeMap::new();
        let mut ports = Vec::new();
        let mut taken = BTreeSet::new();
        for (index, kind) in by_one(IF_TYPE) {
            if !ETHERNET.contains(&kind) {
                continue;
            }
            let descr = descrs.get(&vec![index]).cloned().unwrap_or_default();
            let name = names.get(&vec![index]).cloned().unwrap_or_else(|| descr.clone());
            // Some give all ports one name.
            let name =
                if name.is_empty() || !taken.insert(name.clone()) { format!("{name}#{index}") } else { name };
            let u32_of = |rows: &BTreeMap<u32, i64>| u32::try_from(*rows.get(&index)?).ok();
            let told =
                packets.each_ref().map(|(wide, narrow)| wide.get(&index).or(narrow.get(&index)).copied());
            let port = Port {
                is_up: oper.get(&index).and_then(|status| match status {
                    1 => Some(true),
                    2 | 6 | 7 => Some(false),
                    _ => None,
                }),
                is_off: admin.get(&index) == Some(&2),
                speed_mbps: u32_of(&high)
                    .filter(|mbps| *mbps > 0)
                    .or(u32_of(&speed).map(|bps| bps / 1_000_000)),
                is_half: duplex.get(&index).and_then(|state| match state {
                    2 => Some(true),
                    3 => Some(false),
                    _ => None,
                }),
                errors: [u32_of(&errors_in), u32_of(&errors_out)],
                packets: told,
                changed_at: u32_of(&changed),
                alias: aliases.get(&vec![index]).cloned().unwrap_or_default(),
                descr,
                name,
            };
            labels.insert(index, port.name.clone());
            ports.push(port);
        }
        self.feeds(seen, &labels, &by_one(BRIDGE_PORT));
        seen.ports = (!ports.is_empty()).then_some(ports);
    }

    fn packets(&self, column: &str) -> BTreeMap<u32, Packets> {
        let rows = self.column(column).into_iter();
        rows.filter_map(|(index, value)| {
            let packets = match value {
                Value::Counter64(number) => Packets::Wide(*number),
                Value::Counter32(number) | Value::Gauge32(number) => Packets::Narrow(*number),
                _ => return None,
            };
            Some((*index.first()?, packets))
        })
        .collect()
    }

    /// pethPsePortDetectionStatus: disabled 1, searching 2, delivering 3, fault 4, test 5, other fault 6; pethMainPseOperStatus:
    /// on 1, off 2, faulty 3.
    fn feeds(&self, seen: &mut Seen, labels: &BTreeMap<u32, String>, bridge: &BTreeMap<u32, i64>) {
        let two = |index: &Vec<u32>| match index.as_slice() {
            [group, port] => Some((*group, *port)),
            _ => None,
        };
        let (admin, status, denied) =
            (self.numbers(POE_ADMIN), self.numbers(POE_STATUS), self.numbers(POE_DENIED));
        let places: Vec<(u32, u32)> = status.keys().filter_map(two).collect();
        let bridge =
            bridge.iter().filter_map(|(port, index)| Some((*port, u32::try_from(*index).ok()?))).collect();
        let found = topology::poe(&places, labels, &bridge);
        let names: BTreeMap<(u32, u32), &String> =
            found.iter().filter_map(|(index, place)| Some((*place, labels.get(index)?))).collect();
        for (index, state) in &status {
            let Some(place) = two(index) else { continue };
            let port =
                names.get(&place).map_or_else(|| format!("PoE {}/{}", place.0, place.1), ToString::to_string);
            // What the maker says of the port goes before.
            if seen.feeds.iter().any(|feed| feed.port == port && feed.is_told) {
                continue;
            }
            let is_on = admin.get(index) != Some(&2);
            let fault = match state {
                4 if is_on => Some("fault"),
                6 if is_on => Some("other fault"),
                _ => None,
            };
            let power_w = seen.feeds.iter().find(|feed| feed.port == port).and_then(|feed| feed.power_w);
            seen.feeds.retain(|feed| feed.port != port);
            let denied = denied.get(index).and_then(|count| u32::try_from(*count).ok());
            seen.feeds.push(Feed { port, fault, is_told: (1..=6).contains(state), power_w, denied });
        }
        if !seen.budgets.is_empty() {
            return;
        }
        let (oper, used) = (self.numbers(POE_OPER), self.numbers(POE_USED));
        for (index, power) in self.numbers(POE_POWER) {
            let is_faulty = match oper.get(&index) {
                Some(3) => Some(true),
                Some(1 | 2) => Some(false),
                _ => None,
            };
            let name = index.iter().map(ToString::to_string).collect::<Vec<_>>().join("/");
            let watts = |watts: i64| (0..=20_000).contains(&watts).then_some(watts as f64);
            let used_w = used.get(&index).copied().and_then(watts);
            seen.budgets.push(Budget { name, power_w: watts(power), used_w, is_faulty });
        }
    }
}
