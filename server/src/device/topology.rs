//! Which port does a device hang on? Each switch tells which addresses it has learned on which port, who the
//! neighbour there is, and, where it routes, which IP address has which MAC. Joined over all switches of a gateway,
//! a device hangs on the port that knows its MAC and the fewest others; a port behind which another switch announces
//! itself only leads there.

use std::collections::{BTreeMap, BTreeSet};

/// A MAC address.
pub type Mac = [u8; 6];

/// What one switch has shown.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The switch.
    pub switch: String,
    /// When, Unix ms.
    pub seen_at: i64,
    /// Its ports with what is known of them.
    pub ports: Vec<Port>,
    /// IP address → MAC.
    pub arp: Vec<(String, Mac)>,
    /// Its own MAC.
    pub chassis: Option<Mac>,
}

/// A port of a switch.
#[derive(Clone, Debug, Default)]
pub struct Port {
    /// `ifIndex`.
    pub if_index: u32,
    /// What people call it.
    pub name: String,
    /// Addresses learned there.
    pub macs: Vec<Mac>,
    /// The neighbour says that it is a switch or a router.
    pub is_trunk: bool,
    /// The neighbour's own MAC.
    pub neighbour: Option<Mac>,
    /// Indexes of `pethPsePortTable`; 0 = no PoE.
    pub poe: (u32, u32),
}

/// A device hangs on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The device.
    pub device: String,
    /// The switch.
    pub switch: String,
    /// `ifIndex`.
    pub if_index: u32,
    /// The port's name.
    pub name: String,
    /// PoE group and port; 0 = none.
    pub poe: (u32, u32),
    /// The device's MAC.
    pub mac: Mac,
    /// How many addresses are on that port.
    pub macs: usize,
    /// The neighbour there is a switch.
    pub is_trunk: bool,
    /// When the switch showed it.
    pub seen_at: i64,
}

/// Joins views: `devices` are (id, IP address), `known` the MACs under which devices were seen before, for those that
/// no table tells any more. A device that no port shows has no link: where it hung before is kept elsewhere.
pub fn join(views: &[View], devices: &[(String, String)], known: &BTreeMap<String, Mac>) -> Vec<Link> {
    let mut arp: BTreeMap<&str, (i64, Mac)> = BTreeMap::new();
    for view in views {
        for (address, mac) in &view.arp {
            let newest = arp.entry(address).or_insert((view.seen_at, *mac));
            if view.seen_at > newest.0 {
                *newest = (view.seen_at, *mac);
            }
        }
    }
    let own: BTreeMap<&str, Mac> =
        views.iter().filter_map(|view| Some((view.switch.as_str(), view.chassis?))).collect();
    let chassis: BTreeSet<Mac> = own.values().copied().collect();
    let mut links = Vec::new();
    for (device, address) in devices {
        let told = arp.get(address.as_str()).map(|(_, mac)| *mac).or_else(|| known.get(device).copied());
        let Some(mac) = own.get(device.as_str()).copied().or(told) else { continue };
        let best = views
            .iter()
            .filter(|view| view.switch != *device)
            .flat_map(|view| view.ports.iter().map(move |port| (view, port)))
            .filter_map(|(view, port)| {
                let is_neighbour = port.neighbour == Some(mac);
                let leads_on = port.is_trunk || port.neighbour.is_some_and(|other| chassis.contains(&other));
                let shows = port.macs.contains(&mac) && !leads_on;
                (is_neighbour || shows).then_some((view, port, !is_neighbour))
            })
            .min_by_key(|(view, port, learned)| {
                (*learned, port.macs.len(), std::cmp::Reverse(view.seen_at), &view.switch, port.if_index)
            });
        let Some((view, port, _)) = best else { continue };
        links.push(Link {
            device: device.clone(),
            switch: view.switch.clone(),
            if_index: port.if_index,
            name: port.name.clone(),
            poe: port.poe,
            mac,
            macs: port.macs.len(),
            is_trunk: port.is_trunk,
            seen_at: view.seen_at,
        });
    }
    links
}

/// A MAC as people write it.
pub fn mac_text(mac: &Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// Reads it back.
pub fn parse_mac(text: &str) -> Option<Mac> {
    let bytes: Vec<u8> =
        text.split(':').map(|byte| u8::from_str_radix(byte, 16)).collect::<Result<_, _>>().ok()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(last: u8) -> Mac {
        [2, 0, 0, 0, 0, last]
    }

    fn port(if_index: u32, macs: &[u8]) -> Port {
        Port {
            if_index,
            name: format!("GE0/{if_index}"),
            macs: macs.iter().map(|last| mac(*last)).collect(),
            poe: (1, if_index),
            ..Port::default()
        }
    }

    /// A core switch that routes, an access switch behind its port 1, two cameras and a phone with a PC behind it.
    fn site() -> Vec<View> {
        let uplink = Port { neighbour: Some(mac(100)), is_trunk: true, ..port(24, &[9, 100]) };
        let down = Port { neighbour: Some(mac(101)), is_trunk: true, ..port(1, &[11, 12, 13, 101]) };
        let arp = [11, 12, 13].map(|last| (format!("10.0.0.{last}"), mac(last))).to_vec();
        vec![
            View {
                switch: "core".into(),
                seen_at: 100,
                ports: vec![down, port(2, &[9])],
                arp,
                chassis: Some(mac(100)),
            },
            View {
                switch: "access".into(),
                seen_at: 200,
                ports: vec![uplink, port(7, &[11]), port(8, &[12, 13, 14])],
                arp: Vec::new(),
                chassis: Some(mac(101)),
            },
        ]
    }

    fn devices() -> Vec<(String, String)> {
        let device = |id: &str, address: &str| (id.to_owned(), address.to_owned());
        vec![
            device("cam-11", "10.0.0.11"),
            device("cam-12", "10.0.0.12"),
            device("access", "10.0.0.2"),
            device("nobody", "10.0.0.99"),
        ]
    }

    fn places(links: &[Link]) -> Vec<(&str, &str, u32, usize)> {
        links.iter().map(|l| (l.device.as_str(), l.switch.as_str(), l.if_index, l.macs)).collect()
    }

    #[test]
    fn a_device_hangs_where_the_fewest_others_are_and_not_on_the_way_there() {
        let links = join(&site(), &devices(), &BTreeMap::new());
        let expected = [("cam-11", "access", 7, 1), ("cam-12", "access", 8, 3), ("access", "core", 1, 4)];
        assert_eq!(places(&links), expected);
        assert_eq!((links[0].poe, links[0].is_trunk), ((1, 7), false));
        assert!(links[2].is_trunk, "a switch hangs on a trunk");
    }

    #[test]
    fn a_mac_that_was_known_serves_when_no_table_tells_it() {
        let mut views = site();
        views[0].arp.clear();
        let known = BTreeMap::from([("cam-11".to_owned(), mac(11))]);
        assert_eq!(places(&join(&views, &devices()[..1], &known)), [("cam-11", "access", 7, 1)]);
        assert!(join(&views, &devices()[1..2], &BTreeMap::new()).is_empty());
    }

    #[test]
    fn a_device_that_no_port_shows_has_no_link() {
        let mut views = site();
        views[1].ports[1].macs.clear();
        assert!(join(&views, &devices()[..1], &BTreeMap::new()).is_empty(), "only a trunk still knows it");
    }

    #[test]
    fn one_that_moved_is_found_where_it_was_seen_last() {
        let mut views = site();
        views[0].ports[1].macs = vec![mac(11)];
        views[0].seen_at = 300;
        assert_eq!(places(&join(&views, &devices()[..1], &BTreeMap::new())), [("cam-11", "core", 2, 1)]);
    }

    #[test]
    fn macs_are_written_and_read() {
        assert_eq!(mac_text(&mac(10)), "02:00:00:00:00:0a");
        assert_eq!(parse_mac("02:00:00:00:00:0a"), Some(mac(10)));
        assert_eq!(parse_mac("02:00"), None);
    }
}
