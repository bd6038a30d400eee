//! What a switch shows of who hangs on its ports: kept, joined with what the others have shown, and noted. Where it
//! contradicts what is recorded, a person is asked.

use std::collections::BTreeMap;

use prost::Message as _;
use sitewarden_proto::wire::{DiscoveredDevices, SwitchView};

use super::Sender;
use super::batch::Done;
use super::devices::Own;
use crate::app::Touched;
use crate::db::Conn;
use crate::device::store::topology::{self as store, Sighting};
use crate::device::topology::{Mac, Port, View, join, mac_text, parse_mac};

/// Views older than this, counted from the newest, take no part in a join.
const FRESH_MS: i64 = 24 * 3_600_000;

pub(super) async fn apply(
    conn: &mut Conn,
    done: &mut Done,
    sender: &Sender<'_>,
    own: &Own,
    found: &DiscoveredDevices,
) -> sqlx::Result<Touched> {
    let mut touched = Touched::default();
    let mut any = false;
    for view in &found.switches {
        if own.get(&view.device_id) != Some(&true) {
            done.turn_away("foreign_device", 1);
            continue;
        }
        let at = sender.time(view.at_ms).unwrap_or(sender.now).min(sender.now).as_millisecond();
        store::put_view(conn, &view.device_id, at, &view.encode_to_vec()).await?;
        any = true;
    }
    if any {
        rejoin(conn, sender, &mut touched).await?;
    }
    Ok(touched)
}

async fn rejoin(conn: &mut Conn, sender: &Sender<'_>, touched: &mut Touched) -> sqlx::Result<()> {
    let gateway = sender.id.as_str();
    let mut views: Vec<View> = store::list_views(conn, gateway)
        .await?
        .into_iter()
        .filter_map(|(switch, at, body)| Some(view(switch, at, &SwitchView::decode(body.as_slice()).ok()?)))
        .collect();
    let newest = views.iter().map(|view| view.seen_at).max().unwrap_or(0);
    views.retain(|view| view.seen_at > newest - FRESH_MS);
    let rows = store::list_addresses(conn, gateway).await?;
    let recorded: BTreeMap<String, Option<String>> =
        rows.iter().map(|(id, _, parent)| (id.clone(), parent.clone())).collect();
    let devices: Vec<(String, String)> = rows.into_iter().map(|(id, address, _)| (id, address)).collect();
    let known: BTreeMap<String, Mac> = store::list_macs(conn, gateway)
        .await?
        .into_iter()
        .filter_map(|(device, mac)| Some((device, parse_mac(&mac)?)))
        .collect();
    for link in join(&views, &devices, &known) {
        let mac = mac_text(&link.mac);
        let sighting = Sighting {
            device_id: &link.device,
            switch_id: &link.switch,
            if_index: i64::from(link.if_index),
            name: &link.name,
            poe_group: i64::from(link.poe.0),
            poe_port: i64::from(link.poe.1),
            mac: &mac,
            macs: i64::try_from(link.macs).unwrap_or(i64::MAX),
            trunk: link.is_trunk,
        };
        store::see(conn, &sighting, link.seen_at).await?;
        if recorded.get(&link.device).and_then(Option::as_ref) == Some(&link.switch) {
            store::settle(conn, &link.device).await?;
        } else {
            store::propose(conn, &link.device, &link.switch, &link.name, sender.now).await?;
        }
        touched.devices.insert(link.device);
    }
    Ok(())
}

fn view(switch: String, seen_at: i64, wire: &SwitchView) -> View {
    let mac = |bytes: &Vec<u8>| Mac::try_from(bytes.as_slice()).ok();
    View {
        switch,
        seen_at,
        ports: wire
            .ports
            .iter()
            .map(|port| Port {
                if_index: port.if_index,
                name: port.name.clone(),
                macs: port.macs.iter().filter_map(mac).collect(),
                is_trunk: port.is_trunk,
                neighbour: mac(&port.neighbour_mac),
                poe: (port.poe_group, port.poe_port),
            })
            .collect(),
        arp: wire.arp.iter().filter_map(|row| Some((row.address.clone(), mac(&row.mac)?))).collect(),
        chassis: mac(&wire.chassis_mac),
    }
}
