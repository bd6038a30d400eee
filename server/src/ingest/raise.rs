//! Many faults raised in one report, such as those of a switch and of all that hangs off it: the same effects as one by
//! one, in a few statements for all of them.

use std::collections::BTreeMap;

use sitewarden_proto::id::GatewayId;

use super::effect;
use crate::app::Touched;
use crate::db::Conn;
use crate::device::store::{Event, many};
use crate::gateway;
use crate::incident::{self, cause};

/// Applies faults that were raised on different devices of one gateway, in the order in which it tells them.
pub(super) async fn raised(
    conn: &mut Conn,
    gateway: &GatewayId,
    events: &[Event<'_>],
    is_current: bool,
) -> sqlx::Result<Touched> {
    let Some(now) = events.first().map(|event| event.received_at) else { return Ok(Touched::default()) };
    let mut touched = Touched::default();
    many::insert_events(conn, events).await?;
    let fresh = many::raise(conn, events).await?;
    let ids: Vec<&str> = events.iter().map(|event| event.device.as_str()).collect();
    let topology = incident::store::many::list_in_topology(conn, &ids).await?;
    let is_judged =
        |event: &Event<'_>| cause::is_silence(event.code) && topology.contains(event.device.as_str());
    let new: Vec<_> = events
        .iter()
        .filter(|event| fresh.contains(&(event.device.to_string(), event.code.to_owned())))
        .map(|event| (effect::incident_of(event), is_judged(event)))
        .collect();
    let site = gateway::store::replay::site_of(conn, gateway.as_str()).await?;
    let opened = incident::store::many::open(conn, &site, &new, now).await?;
    for ((new, is_judged), id) in new.iter().zip(&opened) {
        let Some(id) = id else { continue };
        touched.incidents.insert(id.clone());
        if !is_judged {
            touched.add(effect::has_ticket(conn, id, new, now).await?);
        }
    }
    let reports: BTreeMap<_, _> = events.iter().map(|event| (event.device.as_str(), event.at)).collect();
    many::refresh_states(conn, &reports, is_current).await?;
    touched.devices.extend(ids.into_iter().map(str::to_owned));
    Ok(touched)
}
