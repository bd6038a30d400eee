//! What a simulated switch tells of itself by the standard's tables: ports (RFC 2863, RFC 3635), the bridge (RFC 4188, RFC 4363),
//! power over Ethernet (RFC 3621), processor and memory (RFC 2790), sensors, fans and supplies (RFC 6933, RFC 3433, RFC 4268).

use async_snmp::{Oid, Value, oid};

use super::device::Device;
use super::snmp::text;
use super::trouble::Trouble;

/// Ports to devices, and two uplinks behind them.
pub const PORTS: u32 = 26;
const UPLINKS: u32 = 2;
const GIGABIT: u32 = 1_000_000_000;
/// What all its feeds may take, watts, and what one takes.
const BUDGET_W: u32 = 370;
const FEED_W: u32 = 7;
/// Of its memory: units of 4,096 bytes.
const MEMORY_UNITS: i32 = 131_072;
/// Packets of a port in a second, and damaged ones while it damages them.
const PACKETS_PER_S: u64 = 400;
const DAMAGED_PER_S: u64 = 500;
/// Numbers of its entities: a sensor, a fan, two supplies.
const SENSOR: u32 = 11;
const FAN: u32 = 12;
const SUPPLIES: [u32; 2] = [13, 14];

/// All rows but the system group, `ticks` hundredths of a second after it began to run.
pub fn rows(device: &Device, ticks: u32) -> Vec<(Oid, Value)> {
    let mut rows = Vec::new();
    ports(device, ticks, &mut rows);
    feeds(device, &mut rows);
    inside(device, &mut rows);
    rows
}

/// Ports 1… carry the devices behind the switch in their order; the last two are uplinks and up.
fn ports(device: &Device, ticks: u32, rows: &mut Vec<(Oid, Value)>) {
    let links = device.links();
    let seconds = u64::from(ticks / 100);
    rows.push((oid!(1, 3, 6, 1, 2, 1, 2, 1, 0), Value::Integer(PORTS as i32)));
    for port in 1..=PORTS {
        let is_uplink = port > PORTS - UPLINKS;
        let is_first = port == 1;
        let linked = links.get(port as usize - 1).copied().unwrap_or(links.is_empty());
        let up = is_uplink || (linked && !(is_first && device.has(Trouble::Port)));
        let octets = if up { ticks.wrapping_mul(1000 + port) } else { 0 };
        let packets = if up { seconds * PACKETS_PER_S } else { 0 };
        let damaged = if up && is_first { device.damaged(DAMAGED_PER_S) } else { 0 };
        let half = up && is_first && device.has(Trouble::Duplex);
        let mac = vec![2, 0, 0, 0, device.address().octets()[3], port as u8];
        let columns = [
            (1, Value::Integer(port as i32)),
            (2, text(format!("GigabitEthernet0/{port}"))),
            (3, Value::Integer(6)),
            (4, Value::Integer(1500)),
            (5, Value::Gauge32(GIGABIT)),
            (6, Value::OctetString(mac.into())),
            (7, Value::Integer(1)),
            (8, Value::Integer(if up { 1 } else { 2 })),
            (9, Value::TimeTicks(0)),
            (10, Value::Counter32(octets)),
            (11, Value::Counter32(packets as u32)),
            (14, Value::Counter32(damaged as u32)),
            (16, Value::Counter32(octets)),
            (17, Value::Counter32(packets as u32)),
            (20, Value::Counter32(0)),
        ];
        rows.extend(columns.map(|(column, value)| (oid!(1, 3, 6, 1, 2, 1, 2, 2, 1, column, port), value)));
        let more = [
            (1, text(format!("Gi0/{port}"))),
            (6, Value::Counter64(u64::from(octets))),
            (7, Value::Counter64(packets)),
            (10, Value::Counter64(u64::from(octets))),
            (11, Value::Counter64(packets)),
            (15, Value::Gauge32(1000)),
            (18, text(if is_uplink { "uplink" } else { "" })),
        ];
        rows.extend(more.map(|(column, value)| (oid!(1, 3, 6, 1, 2, 1, 31, 1, 1, 1, column, port), value)));
        rows.push((oid!(1, 3, 6, 1, 2, 1, 10, 7, 2, 1, 19, port), Value::Integer(if half { 2 } else { 3 })));
        rows.push((oid!(1, 3, 6, 1, 2, 1, 17, 1, 4, 1, 2, port), Value::Integer(port as i32)));
    }
}

/// Every port to a device may feed it.
fn feeds(device: &Device, rows: &mut Vec<(Oid, Value)>) {
    let links = device.links();
    let mut used_w = 0;
    for port in 1..=PORTS - UPLINKS {
        let fails = port == 1 && device.has(Trouble::Feed);
        let feeds = links.get(port as usize - 1).copied().unwrap_or_default() && !fails;
        // Searching, delivering, fault.
        let status = if fails { 4 } else { 2 + i32::from(feeds) };
        used_w += if feeds { FEED_W } else { 0 };
        let columns = [(3, Value::Integer(1)), (6, Value::Integer(status)), (12, Value::Counter32(0))];
        rows.extend(
            columns.map(|(column, value)| (oid!(1, 3, 6, 1, 2, 1, 105, 1, 1, 1, column, 1, port), value)),
        );
    }
    let used_w = if device.has(Trouble::Budget) { BUDGET_W - 2 } else { used_w };
    let budget = [(2, Value::Gauge32(BUDGET_W)), (3, Value::Integer(1)), (4, Value::Gauge32(used_w))];
    rows.extend(budget.map(|(column, value)| (oid!(1, 3, 6, 1, 2, 1, 105, 1, 3, 1, 1, column, 1), value)));
}

/// Processor and memory, and the entities: a sensor, a fan, two supplies.
fn inside(device: &Device, rows: &mut Vec<(Oid, Value)>) {
    let load = if device.has(Trouble::Load) { 98 } else { 14 };
    let used = if device.has(Trouble::Memory) { MEMORY_UNITS - MEMORY_UNITS / 50 } else { MEMORY_UNITS / 3 };
    let ram = oid!(1, 3, 6, 1, 2, 1, 25, 2, 1, 2);
    rows.extend([
        (oid!(1, 3, 6, 1, 2, 1, 25, 3, 3, 1, 2, 1), Value::Integer(load)),
        (oid!(1, 3, 6, 1, 2, 1, 25, 2, 3, 1, 2, 1), Value::ObjectIdentifier(ram)),
        (oid!(1, 3, 6, 1, 2, 1, 25, 2, 3, 1, 3, 1), text("RAM")),
        (oid!(1, 3, 6, 1, 2, 1, 25, 2, 3, 1, 4, 1), Value::Integer(4_096)),
        (oid!(1, 3, 6, 1, 2, 1, 25, 2, 3, 1, 5, 1), Value::Integer(MEMORY_UNITS)),
        (oid!(1, 3, 6, 1, 2, 1, 25, 2, 3, 1, 6, 1), Value::Integer(used)),
    ]);
    // entPhysicalClass: chassis 3, power supply 6, fan 7, sensor 8; entStateOper: disabled 2, enabled 3.
    let serial = device.serial();
    let mut entity = |number: u32, class: i32, name: &str, serial: &str| {
        let columns = [(5, Value::Integer(class)), (7, text(name)), (11, text(serial))];
        rows.extend(
            columns.map(|(column, value)| (oid!(1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1, column, number), value)),
        );
    };
    entity(1, 3, "Chassis", &serial);
    entity(SENSOR, 8, "Inlet", "");
    entity(FAN, 7, "Fan 1", "");
    entity(SUPPLIES[0], 6, "Supply 1", "");
    entity(SUPPLIES[1], 6, "Supply 2", "");
    let well = |trouble| Value::Integer(if device.has(trouble) { 2 } else { 3 });
    let state = |number: u32| oid!(1, 3, 6, 1, 2, 1, 131, 1, 1, 1, 3, number);
    rows.extend([
        (state(FAN), well(Trouble::Fan)),
        (state(SUPPLIES[0]), well(Trouble::Supply)),
        (state(SUPPLIES[1]), Value::Integer(3)),
    ]);
    // Celsius 8, units 9, no decimal places, the value, OK 1.
    let degrees = if device.has(Trouble::Heat) { 88 } else { 41 };
    for (column, value) in [(1, 8), (2, 9), (3, 0), (4, degrees), (5, 1)] {
        rows.push((oid!(1, 3, 6, 1, 2, 1, 99, 1, 1, 1, column, SENSOR), Value::Integer(value)));
    }
}
