//! What a confirmed change does: faults, incidents, tickets and states, in the caller's transaction.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};
use sitewarden_proto::id::GatewayId;

use crate::app::Touched;
use crate::db::Conn;
use crate::device::store::Event;
use crate::gateway::wire::{GATEWAY_CLOCK_WRONG, GATEWAY_DISK};
use crate::incident::{self, GATEWAY_SILENT, cause, step};
use crate::ticket::{self, Actor};
use crate::{device, gateway, page, remedy};

/// A fault has been confirmed on a device: it stands, an incident opens, and the device's ticket
/// learns of it. A fault that stood already keeps its first start.
pub(super) async fn fault_raised(conn: &mut Conn, event: &Event<'_>) -> sqlx::Result<Touched> {
    let mut touched = Touched::default();
    if !device::store::raise(conn, event).await? {
        return Ok(touched);
    }
    let new = incident_of(event);
    let now = event.received_at;
    let Some(id) = incident::store::open(conn, &new, now).await? else { return Ok(touched) };
    touched.add(opened(conn, id.as_str(), &new, now).await?);
    Ok(touched)
}

/// The incident that a raised fault opens.
pub(super) fn incident_of<'e>(event: &'e Event<'_>) -> incident::store::New<'e> {
    incident::store::New {
        gateway_id: event.gateway.as_str(),
        device_id: Some(event.device.as_str()),
        code: event.code,
        opened_at: event.at,
        last_good_at: event.last_good_at,
        first_bad_at: event.first_bad_at,
        evidence: event.evidence,
    }
}

/// An incident has opened: it has its ticket at once, unless its cause may lie elsewhere or others hang off it; then
/// it is judged together with what else stands, at the end of this transaction.
async fn opened(
    conn: &mut Conn,
    id: &str,
    new: &incident::store::New<'_>,
    now: Timestamp,
) -> sqlx::Result<Touched> {
    if cause::is_silence(new.code)
        && incident::store::cause::is_in_topology(conn, new.gateway_id, new.device_id).await?
    {
        incident::store::cause::set_settle(conn, id, Some(0)).await?;
        return Ok(Touched { incidents: BTreeSet::from([id.to_owned()]), ..Touched::default() });
    }
    has_ticket(conn, id, new, now).await
}

/// An incident that is a cause of its own gets its ticket.
pub(super) async fn has_ticket(
    conn: &mut Conn,
    id: &str,
    new: &incident::store::New<'_>,
    now: Timestamp,
) -> sqlx::Result<Touched> {
    let mut touched = Touched { incidents: BTreeSet::from([id.to_owned()]), ..Touched::default() };
    let ticket = step::ticket_for(conn, new, &json!({}), now).await?;
    incident::store::cause::place(conn, id, None, &ticket).await?;
    if let Some(device) = new.device_id {
        remedy::step::consider(conn, device, new.code, &ticket, new.opened_at, now).await?;
    }
    // Raised once more while it comes and goes: it has to keep still from now on.
    if step::is_held(conn, &ticket, ticket::Hold::Flapping).await? {
        step::hold_flapping(conn, &ticket, new.code, now).await?;
        if let Some(device) = new.device_id {
            device::store::set_flapping(conn, device, new.code, true).await?;
        }
    }
    touched.tickets.insert(ticket);
    Ok(touched)
}

/// A fault comes and goes, or has kept still. What hangs on it waits, or is told.
pub(super) async fn flaps(conn: &mut Conn, event: &Event<'_>, began: bool) -> sqlx::Result<Touched> {
    let now = event.received_at;
    let (gateway, device) = (event.gateway.as_str(), event.device.as_str());
    device::store::set_flapping(conn, device, event.code, began).await?;
    let mut touched = Touched::default();
    let ticket = match incident::store::find_open(conn, gateway, Some(device), event.code).await? {
        Some((id, _, ticket)) => {
            let is_root = incident::store::cause::is_root(conn, &id).await?;
            touched.incidents.insert(id);
            ticket.filter(|_| is_root)
        }
        // It keeps still and is gone: only the hold keeps the ticket open.
        None => ticket::store::find_machine(conn, gateway, Some(device), event.code).await?.map(|(id, _)| id),
    };
    if let Some(ticket) = ticket {
        if began {
            step::hold_flapping(conn, &ticket, event.code, now).await?;
        } else {
            step::release_flapping(conn, &ticket, now).await?;
        }
        touched.tickets.insert(ticket);
    }
    Ok(touched)
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

/// The last fault of a device is gone. A ticket about it that a person opened learns that by measurement it works
/// again: that closes nothing and stops no clock, since a machine does not see everything that a customer does. A
/// person confirms it.
pub(super) async fn works_again(
    conn: &mut Conn,
    device: &str,
    at: Timestamp,
    now: Timestamp,
) -> sqlx::Result<Touched> {
    let mut touched = Touched::default();
    if !device::store::list_faults(conn, device).await?.is_empty() {
        return Ok(touched);
    }
    for ticket in ticket::store::list_by_hand(conn, device, at).await? {
        let what = json!({});
        ticket::store::append(conn, &ticket, "works_again", &Actor::Machine, &what, at, now).await?;
        touched.tickets.insert(ticket);
    }
    Ok(touched)
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
    // What is over before it was judged is judged now, as long as it stands.
    if let Some((_, site, None)) = incident::store::find_open(conn, gateway, device, code).await? {
        touched.add(step::settle_sites(conn, &[site], now).await?);
        if let Some((id, _, None)) = incident::store::find_open(conn, gateway, device, code).await? {
            touched.add(step::stands_alone(conn, &id, now).await?);
        }
    }
    let Some(closed) = incident::store::close(conn, gateway, device, code, at).await? else {
        return Ok(touched);
    };
    touched.incidents.insert(closed.id.clone());
    let Some(ticket) = closed.ticket_id else { return Ok(touched) };
    // The end of a symptom is on the symptom; the ticket tells of its causes.
    if closed.cause_id.is_none() {
        let fact = json!({ "code": code });
        ticket::store::append(conn, &ticket, "fault_cleared", &Actor::Machine, &fact, at, now).await?;
        incident::store::cause::await_recovery(conn, &closed.id, now).await?;
    }
    step::close_if_done(conn, &ticket, now).await?;
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
    touched.devices.extend(device::store::many::refresh_gateway(conn, gateway, false, now).await?);
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
    // One that comes and goes all the time is one trouble.
    let from = now.saturating_sub(step::SILENCES_WITHIN).unwrap_or(now).as_millisecond();
    if incident::store::cause::count_silences(conn, gateway.as_str(), from).await? >= step::SILENCES
        && let Some((_, _, Some(ticket))) =
            incident::store::find_open(conn, gateway.as_str(), None, GATEWAY_SILENT).await?
    {
        step::hold_flapping(conn, &ticket, GATEWAY_SILENT, now).await?;
    }
    Ok(touched)
}

/// A gateway's clock or disk has been wrong since `wrong_at`, or is right again: one incident at the gateway.
pub async fn gateway_fault(
    conn: &mut Conn,
    gateway: &GatewayId,
    code: &str,
    wrong_at: Option<Timestamp>,
    evidence: &Value,
    now: Timestamp,
) -> sqlx::Result<Touched> {
    let Some(wrong_at) = wrong_at else {
        return close(conn, gateway.as_str(), None, code, now, now).await;
    };
    let evidence = evidence.to_string();
    let new = incident::store::New {
        gateway_id: gateway.as_str(),
        device_id: None,
        code,
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
        touched.add(opened(conn, id.as_str(), new, now).await?);
    }
    Ok(touched)
}

/// A gateway was revoked: nobody waits to hear it any more, and what its devices are nobody can know.
pub async fn gateway_revoked(conn: &mut Conn, gateway: &GatewayId, now: Timestamp) -> sqlx::Result<Touched> {
    let mut touched = Touched { gateways: BTreeSet::from([gateway.to_string()]), ..Touched::default() };
    gateway::store::replay::set(conn, gateway, None, now).await?;
    for code in [GATEWAY_SILENT, GATEWAY_CLOCK_WRONG, GATEWAY_DISK] {
        touched.add(close(conn, gateway.as_str(), None, code, now, now).await?);
    }
    touched.devices.extend(device::store::many::refresh_gateway(conn, gateway, false, now).await?);
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
    touched.devices.extend(device::store::many::refresh_gateway(conn, gateway, true, now).await?);
    Ok(touched)
}

/// Cut off, a gateway has paged a person by itself about a fault: the ticket says so, and the same person is not
/// paged again for it.
pub(super) async fn told_alone(conn: &mut Conn, event: &device::store::Event<'_>) -> sqlx::Result<Touched> {
    let evidence: Value = serde_json::from_str(event.evidence).unwrap_or_default();
    let word = |name: &str| evidence[name].as_str().unwrap_or_default();
    let (gateway, device) = (event.gateway.as_str(), event.device.as_str());
    let Some(ticket) = incident::store::latest_ticket(conn, gateway, device, event.code, event.at).await?
    else {
        return Ok(Touched::default());
    };
    let purpose = page::Purpose::parse(word("purpose"));
    let key = format!("told/{gateway}/{}/{}", event.epoch, event.seq);
    let told = page::store::told::Told {
        key: &key,
        ticket: &ticket,
        account: word("account_id"),
        address: word("address"),
        code: event.code,
        purpose,
        answer: word("answer"),
        at: event.at,
    };
    if page::store::told::insert(conn, &told, event.received_at).await? {
        let body = json!({ "account": word("to"), "purpose": purpose.as_str(), "code": event.code,
            "answer": word("answer") });
        ticket::store::append(
            conn,
            &ticket,
            "told_by_gateway",
            &Actor::Machine,
            &body,
            event.at,
            event.received_at,
        )
        .await?;
    }
    Ok(Touched::ticket(&ticket))
}
