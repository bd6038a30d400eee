//! What a confirmed change does: faults, incidents, tickets and states, in the caller's transaction.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use sitewarden_proto::id::GatewayId;

use crate::app::Touched;
use crate::db::Conn;
use crate::device::store::Event;
use crate::gateway::wire::GATEWAY_CLOCK_WRONG;
use crate::incident::{self, GATEWAY_SILENT, rank, severity_of};
use crate::ticket::{self, Actor};
use crate::{device, gateway, page};

/// A fault has been confirmed on a device: it stands, an incident opens, and the device's ticket
/// learns of it. A fault that stood already keeps its first start.
pub(super) async fn fault_raised(conn: &mut Conn, event: &Event<'_>) -> sqlx::Result<Touched> {
    let mut touched = Touched::default();
    if !device::store::raise(conn, event).await? {
        return Ok(touched);
    }
    let (gateway, device) = (event.gateway.as_str(), event.device.as_str());
    let new = incident::store::New {
        gateway_id: gateway,
        device_id: Some(device),
        code: event.code,
        opened_at: event.at,
        last_good_at: event.last_good_at,
        first_bad_at: event.first_bad_at,
        evidence: event.evidence,
    };
    let now = event.received_at;
    let Some(id) = incident::store::open(conn, &new, now).await? else { return Ok(touched) };
    device::store::set_incident(conn, device, event.code, id.as_str()).await?;
    let ticket = ticket_for(conn, &new, now).await?;
    incident::store::set_ticket(conn, &id, &ticket).await?;
    touched.incidents.insert(id.to_string());
    touched.tickets.insert(ticket);
    Ok(touched)
}

/// The machine's ticket for a new incident: the one that stands for this device, made graver if need
/// be, or a new one.
async fn ticket_for(conn: &mut Conn, new: &incident::store::New<'_>, now: Timestamp) -> sqlx::Result<String> {
    let severity = severity_of(new.code).as_str();
    let fact = json!({ "code": new.code, "severity": severity, "last_good_at": new.last_good_at.map(Timestamp::as_millisecond),
        "first_bad_at": new.first_bad_at.map(Timestamp::as_millisecond),
        "evidence": serde_json::from_str::<Value>(new.evidence).unwrap_or_default() });
    if let Some((id, stands)) =
        ticket::store::find_machine(conn, new.gateway_id, new.device_id, new.code).await?
    {
        if rank(severity) > rank(&stands) {
            ticket::store::worsen(conn, &id, new.code, severity, now).await?;
        }
        ticket::store::append(conn, &id, "fault_raised", &Actor::Machine, &fact, new.opened_at, now).await?;
        return Ok(id);
    }
    let site = gateway::store::replay::site_of(conn, new.gateway_id).await?;
    let opening = ticket::store::New {
        site_id: &site,
        gateway_id: Some(new.gateway_id),
        device_id: new.device_id,
        origin: "machine",
        code: new.code,
        title: "",
        severity,
        opened_at: new.opened_at,
    };
    let (id, _) = ticket::store::insert(conn, &opening, now).await?;
    ticket::store::append(conn, id.as_str(), "opened", &Actor::Machine, &fact, new.opened_at, now).await?;
    Ok(id.to_string())
}

/// A fault has been confirmed to be gone: its incident closes, and with the last one the ticket.
pub(super) async fn fault_cleared(
    conn: &mut Conn,
    gateway: &GatewayId,
    device: &str,
    code: &str,
    at: Timestamp,
    now: Timestamp,
) -> sqlx::Result<Touched> {
    device::store::clear(conn, device, code).await?;
    close(conn, gateway.as_str(), Some(device), code, at, now).await
}

/// Takes a device's faults away when the device leaves service, with what hangs on them.
pub async fn device_removed(
    conn: &mut Conn,
    gateway: &GatewayId,
    device: &str,
    now: Timestamp,
) -> sqlx::Result<Touched> {
    let mut touched = Touched::default();
    for fault in device::store::list_faults(conn, device).await? {
        touched.add(fault_cleared(conn, gateway, device, &fault.code, now, now).await?);
    }
    Ok(touched)
}

async fn close(
    conn: &mut Conn,
    gateway: &str,
    device: Option<&str>,
    code: &str,
    at: Timestamp,
    now: Timestamp,
) -> sqlx::Result<Touched> {
    let mut touched = Touched::default();
    let Some((id, ticket)) = incident::store::close(conn, gateway, device, code, at).await? else {
        return Ok(touched);
    };
    touched.incidents.insert(id.to_string());
    let Some(ticket) = ticket else { return Ok(touched) };
    ticket::store::append(conn, &ticket, "fault_cleared", &Actor::Machine, &json!({ "code": code }), at, now)
        .await?;
    let standing = incident::store::count_open(conn, &ticket).await?;
    if standing == 0 && ticket::store::is_standing(conn, &ticket).await? {
        ticket::store::set_closed(conn, &ticket, at, now).await?;
        let why = json!({ "reason": "machine" });
        ticket::store::append(conn, &ticket, "closed", &Actor::Machine, &why, at, now).await?;
        page::step::all_clear(conn, &ticket, now).await?;
    }
    touched.tickets.insert(ticket);
    Ok(touched)
}

/// A gateway has missed its heartbeats: one incident at the gateway, and its devices are unknown.
pub async fn gateway_silent(
    conn: &mut Conn,
    gateway: &GatewayId,
    last_heard_at: Option<Timestamp>,
    now: Timestamp,
) -> sqlx::Result<Touched> {
    let mut touched = Touched { gateways: BTreeSet::from([gateway.to_string()]), ..Touched::default() };
    gateway::store::set_state(conn, gateway, gateway::State::Silent, now).await?;
    for device in device::store::list_ids(conn, gateway).await? {
        if device::store::refresh_state(conn, &device, false, now).await? {
            touched.devices.insert(device);
        }
    }
    let evidence = json!({ "devices": touched.devices.len() }).to_string();
    let new = incident::store::New {
        gateway_id: gateway.as_str(),
        device_id: None,
        code: GATEWAY_SILENT,
        opened_at: now,
        last_good_at: last_heard_at,
        first_bad_at: None,
        evidence: &evidence,
    };
    touched.add(at_gateway(conn, &new, now).await?);
    Ok(touched)
}

/// A gateway's clock has been wrong since `wrong_at`, or is right again: one incident at the gateway.
pub async fn gateway_clock(
    conn: &mut Conn,
    gateway: &GatewayId,
    wrong_at: Option<Timestamp>,
    evidence: &Value,
    now: Timestamp,
) -> sqlx::Result<Touched> {
    let Some(wrong_at) = wrong_at else {
        return close(conn, gateway.as_str(), None, GATEWAY_CLOCK_WRONG, now, now).await;
    };
    let evidence = evidence.to_string();
    let new = incident::store::New {
        gateway_id: gateway.as_str(),
        device_id: None,
        code: GATEWAY_CLOCK_WRONG,
        opened_at: now,
        last_good_at: None,
        first_bad_at: Some(wrong_at),
        evidence: &evidence,
    };
    at_gateway(conn, &new, now).await
}

/// Opens an incident at a gateway itself, with its ticket, unless it stands.
async fn at_gateway(
    conn: &mut Conn,
    new: &incident::store::New<'_>,
    now: Timestamp,
) -> sqlx::Result<Touched> {
    let mut touched = Touched::default();
    if let Some(id) = incident::store::open(conn, new, now).await? {
        let ticket = ticket_for(conn, new, now).await?;
        incident::store::set_ticket(conn, &id, &ticket).await?;
        touched.incidents.insert(id.to_string());
        touched.tickets.insert(ticket);
    }
    Ok(touched)
}

/// A gateway was revoked: nobody waits to hear it any more, and what its devices are nobody can know.
pub async fn gateway_revoked(conn: &mut Conn, gateway: &GatewayId, now: Timestamp) -> sqlx::Result<Touched> {
    let mut touched = Touched { gateways: BTreeSet::from([gateway.to_string()]), ..Touched::default() };
    gateway::store::replay::set(conn, gateway, None, now).await?;
    for code in [GATEWAY_SILENT, GATEWAY_CLOCK_WRONG] {
        touched.add(close(conn, gateway.as_str(), None, code, now, now).await?);
    }
    for device in device::store::list_ids(conn, gateway).await? {
        if device::store::refresh_state(conn, &device, false, now).await? {
            touched.devices.insert(device);
        }
    }
    Ok(touched)
}

/// A gateway is heard. If it was not, its incident closes; its devices are known again as soon as its
/// history is in.
pub(super) async fn gateway_heard(
    conn: &mut Conn,
    gateway: &GatewayId,
    now: Timestamp,
) -> sqlx::Result<Touched> {
    let mut touched = Touched::default();
    let Some(known) = gateway::store::replay::find_sender(conn, gateway).await? else { return Ok(touched) };
    if known.state == gateway::State::Online {
        return Ok(touched);
    }
    gateway::store::set_state(conn, gateway, gateway::State::Online, now).await?;
    touched.gateways.insert(gateway.to_string());
    touched.add(close(conn, gateway.as_str(), None, GATEWAY_SILENT, now, now).await?);
    if known.replay_to.is_none() {
        touched.add(caught_up(conn, gateway, now).await?);
    }
    Ok(touched)
}

/// A gateway's history is in: what its devices are now is known, and what they were while it was silent.
pub async fn caught_up(conn: &mut Conn, gateway: &GatewayId, now: Timestamp) -> sqlx::Result<Touched> {
    let mut touched = Touched::default();
    gateway::store::replay::set(conn, gateway, None, now).await?;
    let silenced = device::store::timeline::list_silenced(conn, gateway.as_str()).await?;
    if let Some(from) = silenced.iter().map(|(_, since)| *since).min() {
        let measured = device::store::timeline::list_measured(conn, gateway.as_str(), from).await?;
        for (device, since) in silenced {
            device::store::timeline::retell(conn, &device, since, &measured, now).await?;
            touched.devices.insert(device);
        }
    }
    for device in device::store::list_ids(conn, gateway).await? {
        if device::store::refresh_state(conn, &device, true, now).await? {
            touched.devices.insert(device);
        }
    }
    Ok(touched)
}
