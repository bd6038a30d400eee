//! What a switch's tables say about who hangs on its ports. Pure: rows in, one view out; which device hangs where is
//! joined by the server, which sees all switches.
//!
//! Tables and their sources: LLDP (IEEE 802.1AB), CDP (CISCO-CDP-MIB), learned addresses (RFC 4188 and RFC 4363),
//! ports (RFC 2863), PoE (RFC 3621), ARP of a switch that routes (RFC 4293's older `ipNetToMediaTable`).

use std::collections::{BTreeMap, BTreeSet};

use sitewarden_proto::limits::{VIEW_MACS_MAX, VIEW_PORTS_MAX};
use sitewarden_proto::wire::{Neighbour, SwitchPort, SwitchView};

/// A row's index below its column, and its value.
pub type Row = (Vec<u32>, Cell);

/// A value as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// A number.
    Number(i64),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// The columns that were walked, empty where the switch has none.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the columns by the names of their tables")]
pub struct Tables {
    pub if_name: Vec<Row>,
    pub if_descr: Vec<Row>,
    pub base_port_if_index: Vec<Row>,
    pub q_fdb_port: Vec<Row>,
    pub fdb_port: Vec<Row>,
    pub lldp_chassis_subtype: Vec<Row>,
    pub lldp_chassis: Vec<Row>,
    pub lldp_port_subtype: Vec<Row>,
    pub lldp_port: Vec<Row>,
    pub lldp_name: Vec<Row>,
    pub lldp_caps: Vec<Row>,
    pub lldp_local_port: Vec<Row>,
    pub cdp_name: Vec<Row>,
    pub cdp_caps: Vec<Row>,
    pub poe_admin: Vec<Row>,
    pub arp: Vec<Row>,
    /// `lldpLocChassisId`, where it is a MAC.
    pub chassis: Vec<u8>,
    /// A walk was cut short.
    pub truncated: bool,
}

/// `LldpSystemCapabilitiesMap`: bridge is bit 2, router bit 4, counted from the most significant.
const LLDP_FORWARDS: u8 = 0b0010_1000;
/// `cdpCacheCapabilities`: router, transparent and source-route bridge, switch.
const CDP_FORWARDS: u32 = 0x01 | 0x02 | 0x04 | 0x08;
/// `LldpChassisIdSubtype` and `LldpPortIdSubtype` of a MAC address.
const CHASSIS_MAC: i64 = 4;
const PORT_MAC: i64 = 3;

#[derive(Default)]
struct Port {
    macs: BTreeSet<Vec<u8>>,
    neighbour: String,
    neighbour_mac: Vec<u8>,
    is_trunk: bool,
}

/// Puts the tables together.
pub fn view(tables: &Tables) -> SwitchView {
    let names = names(tables);
    let to_index = numbers(&tables.base_port_if_index);
    let index_of = |port: u32| to_index.get(&port).copied().unwrap_or(port);
    let mut ports: BTreeMap<u32, Port> = BTreeMap::new();
    let mut truncated = tables.truncated;
    let mut count = 0;
    // Addresses by VLAN where the switch has that table, else the plain one; a few have both.
    for (index, cell) in tables.q_fdb_port.iter().chain(&tables.fdb_port) {
        let (Some(mac), Cell::Number(port)) = (mac_of(index), cell) else { continue };
        // Port 0 stands for the switch itself and for what it does not know.
        let Some(port) = u32::try_from(*port).ok().filter(|port| *port > 0) else { continue };
        if mac[0] & 1 == 1 {
            continue;
        }
        if count >= VIEW_MACS_MAX {
            truncated = true;
            break;
        }
        count += usize::from(ports.entry(index_of(port)).or_default().macs.insert(mac));
    }
    neighbours(tables, &names, &index_of, &mut ports);
    let poe_ports: Vec<(u32, u32)> = tables
        .poe_admin
        .iter()
        .filter_map(|(index, _)| match index.as_slice() {
            [group, port] => Some((*group, *port)),
            _ => None,
        })
        .collect();
    let poe = poe(&poe_ports, &names, &to_index);
    for index in poe.keys() {
        ports.entry(*index).or_default();
    }
    truncated |= ports.len() > VIEW_PORTS_MAX;
    let ports = ports.into_iter().take(VIEW_PORTS_MAX).map(|(if_index, port)| {
        let (poe_group, poe_port) = poe.get(&if_index).copied().unwrap_or_default();
        SwitchPort {
            if_index,
            name: names.get(&if_index).cloned().unwrap_or_else(|| if_index.to_string()),
            macs: port.macs.into_iter().collect(),
            neighbour: port.neighbour,
            is_trunk: port.is_trunk,
            poe_group,
            poe_port,
            neighbour_mac: port.neighbour_mac,
        }
    });
    SwitchView {
        ports: ports.collect(),
        arp: arp(tables),
        truncated,
        chassis_mac: tables.chassis.clone(),
        ..SwitchView::default()
    }
}

fn names(tables: &Tables) -> BTreeMap<u32, String> {
    let mut names = BTreeMap::new();
    for (index, cell) in tables.if_descr.iter().chain(&tables.if_name) {
        if let ([index], Cell::Bytes(bytes)) = (index.as_slice(), cell) {
            let name = crate::probe::clip(&String::from_utf8_lossy(bytes));
            if !name.is_empty() {
                names.insert(*index, name);
            }
        }
    }
    names
}

/// One number for each last arc.
fn numbers(rows: &[Row]) -> BTreeMap<u32, u32> {
    let pair = |(index, cell): &Row| match cell {
        Cell::Number(number) => Some((*index.last()?, u32::try_from(*number).ok()?)),
        Cell::Bytes(_) => None,
    };
    rows.iter().filter_map(pair).collect()
}

/// The last six arcs as a MAC.
fn mac_of(index: &[u32]) -> Option<Vec<u8>> {
    let tail = index.get(index.len().checked_sub(6)?..)?;
    tail.iter().map(|arc| u8::try_from(*arc).ok()).collect()
}

fn neighbours(
    tables: &Tables,
    names: &BTreeMap<u32, String>,
    index_of: &impl Fn(u32) -> u32,
    ports: &mut BTreeMap<u32, Port>,
) {
    let text = |cell: &Cell| match cell {
        Cell::Bytes(bytes) => crate::probe::clip(&String::from_utf8_lossy(bytes)),
        Cell::Number(number) => number.to_string(),
    };
    let find =
        |rows: &[Row], at: &[u32]| rows.iter().find(|(index, _)| index == at).map(|(_, cell)| cell.clone());
    // LLDP counts its own ports; their ids mostly are names of interfaces.
    let local: BTreeMap<u32, u32> = tables
        .lldp_local_port
        .iter()
        .filter_map(|(index, cell)| {
            let id = text(cell);
            let found = names.iter().find(|(_, name)| **name == id).map(|(index, _)| *index);
            Some((
                *index.last()?,
                found.or_else(|| id.parse().ok().filter(|index| names.contains_key(index)))?,
            ))
        })
        .collect();
    for (index, cell) in &tables.lldp_chassis {
        // Time mark, local port, remote index.
        let [_, local_port, _] = index.as_slice() else { continue };
        let port = local.get(local_port).copied().unwrap_or_else(|| index_of(*local_port));
        let port = ports.entry(port).or_default();
        let is = |rows: &[Row], subtype: i64| find(rows, index) == Some(Cell::Number(subtype));
        let bytes = |cell: Option<Cell>| match cell {
            Some(Cell::Bytes(bytes)) if bytes.len() == 6 => Some(bytes),
            Some(_) | None => None,
        };
        let chassis = bytes(Some(cell.clone())).filter(|_| is(&tables.lldp_chassis_subtype, CHASSIS_MAC));
        let own = bytes(find(&tables.lldp_port, index)).filter(|_| is(&tables.lldp_port_subtype, PORT_MAC));
        port.neighbour = find(&tables.lldp_name, index).map(|cell| text(&cell)).unwrap_or_default();
        port.neighbour_mac = chassis.or(own).unwrap_or_default();
        if let Some(Cell::Bytes(caps)) = find(&tables.lldp_caps, index) {
            port.is_trunk |= caps.first().is_some_and(|caps| caps & LLDP_FORWARDS != 0);
        }
    }
    for (index, cell) in &tables.cdp_name {
        let [if_index, _] = index.as_slice() else { continue };
        let port = ports.entry(*if_index).or_default();
        if port.neighbour.is_empty() {
            port.neighbour = text(cell);
        }
        if let Some(Cell::Bytes(caps)) = find(&tables.cdp_caps, index) {
            let caps = caps.iter().fold(0_u32, |all, byte| all << 8 | u32::from(*byte));
            port.is_trunk |= caps & CDP_FORWARDS != 0;
        }
    }
}

/// Which interface a PoE port is: by its number as an interface, as a bridge port, or as the last number of a name.
pub(crate) fn poe(
    ports: &[(u32, u32)],
    names: &BTreeMap<u32, String>,
    to_index: &BTreeMap<u32, u32>,
) -> BTreeMap<u32, (u32, u32)> {
    // One rule for the whole switch: a port that only happens to fit another one must not be switched off.
    let by_name = |(group, port): (u32, u32)| {
        let mut fits = names.iter().filter(|(_, name)| {
            let digits: Vec<u32> =
                name.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
            let slot = digits.len() < 3 || digits[0] == group;
            digits.last() == Some(&port)
                && slot
                && name.starts_with(|c: char| c.is_alphabetic())
                && !is_virtual(name)
        });
        let first = fits.next().map(|(index, _)| *index);
        if fits.next().is_some() { None } else { first }
    };
    let rules: [&dyn Fn((u32, u32)) -> Option<u32>; 3] = [
        &|(_, port)| to_index.get(&port).copied(),
        &|(_, port)| {
            names
                .contains_key(&port)
                .then_some(port)
                .filter(|port| names.get(port).is_some_and(|n| !is_virtual(n)))
        },
        &by_name,
    ];
    for rule in rules {
        let found: Vec<Option<u32>> = ports.iter().map(|port| rule(*port)).collect();
        let different: BTreeSet<u32> = found.iter().flatten().copied().collect();
        if !ports.is_empty() && different.len() == ports.len() {
            return found.into_iter().flatten().zip(ports.iter().copied()).collect();
        }
    }
    BTreeMap::new()
}

fn is_virtual(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["vlan", "loop", "null", "cpu", "mgmt", "meth", "inloop"].iter().any(|word| name.contains(word))
}

fn arp(tables: &Tables) -> Vec<Neighbour> {
    let row = |(index, cell): &Row| {
        let ([_, a, b, c, d], Cell::Bytes(mac)) = (index.as_slice(), cell) else { return None };
        (mac.len() == 6).then(|| Neighbour { address: format!("{a}.{b}.{c}.{d}"), mac: mac.clone() })
    };
    tables.arp.iter().filter_map(row).take(VIEW_MACS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(index: &[u32], number: i64) -> Row {
        (index.to_vec(), Cell::Number(number))
    }

    fn bytes(index: &[u32], bytes: &[u8]) -> Row {
        (index.to_vec(), Cell::Bytes(bytes.to_vec()))
    }

    /// Interfaces 101… are named GE0/1…, bridge ports are 1…, as on many switches.
    fn tables() -> Tables {
        let mut tables = Tables {
            if_name: (1..=4_u32).map(|n| bytes(&[100 + n], format!("GE0/{n}").as_bytes())).collect(),
            base_port_if_index: (1..=4_u32).map(|n| number(&[n], i64::from(100 + n))).collect(),
            poe_admin: (1..=3_u32).map(|n| number(&[1, n], 1)).collect(),
            ..Tables::default()
        };
        tables.q_fdb_port = vec![
            number(&[1, 2, 0, 0, 0, 0, 11], 1),
            number(&[1, 2, 0, 0, 0, 0, 12], 4),
            number(&[1, 2, 0, 0, 0, 0, 13], 4),
            number(&[1, 1, 0, 94, 0, 0, 1], 1),
            number(&[1, 2, 0, 0, 0, 0, 99], 0),
        ];
        tables.fdb_port = vec![number(&[2, 0, 0, 0, 0, 11], 1)];
        tables.lldp_chassis = vec![bytes(&[0, 4, 1], &[2, 0, 0, 0, 1, 0])];
        tables.lldp_chassis_subtype = vec![number(&[0, 4, 1], CHASSIS_MAC)];
        tables.lldp_name = vec![bytes(&[0, 4, 1], b"core")];
        tables.lldp_caps = vec![bytes(&[0, 4, 1], &[0b0010_0000, 0])];
        tables.arp = vec![bytes(&[1, 10, 0, 0, 11], &[2, 0, 0, 0, 0, 11])];
        tables
    }

    #[test]
    fn tables_become_one_view_by_interface() {
        let view = view(&tables());
        let short: Vec<_> = view
            .ports
            .iter()
            .map(|p| (p.if_index, p.name.as_str(), p.macs.len(), p.is_trunk, p.poe_group, p.poe_port))
            .collect();
        let expected = [
            (101, "GE0/1", 1, false, 1, 1),
            (102, "GE0/2", 0, false, 1, 2),
            (103, "GE0/3", 0, false, 1, 3),
            (104, "GE0/4", 2, true, 0, 0),
        ];
        assert_eq!(short, expected);
        assert_eq!(
            (view.ports[3].neighbour.as_str(), &view.ports[3].neighbour_mac[..]),
            ("core", &[2, 0, 0, 0, 1, 0][..])
        );
        assert_eq!(view.arp[0].address, "10.0.0.11");
        assert!(!view.truncated);
    }

    #[test]
    fn poe_ports_that_fit_no_interface_are_nobodys() {
        let mut tables = tables();
        tables.poe_admin = vec![number(&[1, 1], 1), number(&[1, 77], 1)];
        assert!(view(&tables).ports.iter().all(|port| port.poe_port == 0));
    }

    #[test]
    fn a_phone_that_bridges_for_nobody_is_no_trunk() {
        let mut tables = tables();
        tables.lldp_caps = vec![bytes(&[0, 4, 1], &[0b0000_0100, 0])];
        assert!(!view(&tables).ports[3].is_trunk);
    }

    #[test]
    fn hostile_tables_do_no_harm() {
        let mut tables = tables();
        tables.q_fdb_port = vec![number(&[1], 1), number(&[], -4), number(&[1, 2, 0, 0, 0, 0, 999], 1)];
        tables.lldp_chassis = vec![bytes(&[1], &[1]), bytes(&[0, 9, 9, 9], &[])];
        tables.arp = vec![bytes(&[1, 2], &[0; 6]), bytes(&[1, 10, 0, 0, 1], &[0; 3])];
        assert!(view(&tables).arp.is_empty());
    }
}
