//! A remedy begins: everything that may have changed since it was asked for is looked at again, its target is found,
//! and the command goes into the outbox.

use anyhow::Result;
use jiff::Timestamp;
use serde_json::{Value, json};
use sitewarden_proto::id::{DeviceId, GatewayId};

use super::{Over, look, over};
use crate::db::Conn;
use crate::device;
use crate::gateway::command::{self, Action, RemedyAction};
use crate::keys::Keys;
use crate::remedy::store::settings;
use crate::remedy::store::{self, Open, Where};
use crate::remedy::{Kind, No, Rights, rights};
use crate::ticket::{self, Hold};

/// The seconds for which a PoE port is off.
const OFF_S: u32 = 10;

/// Begins a remedy, or says why not. True when its command is on the way.
pub(super) async fn begin(
    conn: &mut Conn,
    keys: &Keys,
    remedy: &Open,
    is_busy: bool,
    now: Timestamp,
) -> Result<bool> {
    let no = match plan(conn, keys, remedy, is_busy, now).await? {
        Plan::Go(gateway, action, target, limit) => {
            let until = crate::clock::from_ms(remedy.until_at);
            let action = Action::Remedy(RemedyAction { limit, until, ..action });
            let id = command::issue(conn, keys, &gateway, &action, None, now).await?;
            store::set_sent(conn, &remedy.id, id.as_str(), &target).await?;
            return Ok(true);
        }
        Plan::Wait => return Ok(false),
        Plan::NotNeeded => {
            let how = Over { state: "not_needed", reason: "", event: "", body: Value::Null };
            over(conn, remedy, how, None, now).await?;
            return Ok(false);
        }
        Plan::No(no) => no,
    };
    let body = json!({ "reason": no.as_str() });
    let how = Over { state: "refused", reason: no.as_str(), event: "remedy_not_tried", body };
    over(conn, remedy, how, None, now).await?;
    Ok(false)
}

enum Plan {
    Go(GatewayId, RemedyAction, Value, u32),
    Wait,
    NotNeeded,
    No(No),
}

async fn plan(conn: &mut Conn, keys: &Keys, remedy: &Open, is_busy: bool, now: Timestamp) -> Result<Plan> {
    let Some(at) = store::find_where(conn, &remedy.device_id).await?.filter(|_| remedy.is_gone == 0) else {
        return Ok(Plan::NotNeeded);
    };
    let Some(kind) = Kind::parse(&remedy.kind) else { return Ok(Plan::No(No::NotAllowed)) };
    let settings = settings::find(conn, &at.site_id).await?;
    let rules = settings::list_rules(conn, &at.site_id).await?;
    let Some(rule) = rules.iter().find(|rule| rule.class == at.class && rule.kind == kind) else {
        return Ok(Plan::No(if settings.enabled { No::NotAllowed } else { No::Off }));
    };
    if !settings.enabled {
        return Ok(Plan::No(No::Off));
    }
    if remedy.automatic == 1 && remedy.standing == 0 {
        return Ok(Plan::NotNeeded);
    }
    if now.as_millisecond() >= remedy.until_at {
        return Ok(Plan::No(if is_busy { No::Busy } else { No::Late }));
    }
    if remedy.automatic == 1
        && let Some(ticket) = &remedy.ticket_id
    {
        let holds = ticket::store::hold::list(conn, ticket).await?;
        if holds.iter().any(|hold| hold.reason == Hold::Maintenance.as_str()) {
            return Ok(Plan::No(No::Maintenance));
        }
        // Whether what it hangs off is the cause is not known yet.
        if holds.iter().any(|hold| hold.reason == Hold::Cause.as_str()) {
            return Ok(Plan::Wait);
        }
        if at.parent_state.as_deref() == Some("down") {
            return Ok(Plan::No(No::Parent));
        }
    }
    if is_busy {
        return Ok(Plan::Wait);
    }
    let (_, seen) = look(conn, &remedy.device_id, &at, &rules, &settings, kind, now).await?;
    if seen.today >= rule.daily_limit {
        return Ok(Plan::No(No::Limit));
    }
    let Ok(gateway) = GatewayId::try_from(at.gateway_id.clone()) else { return Ok(Plan::No(No::Offline)) };
    if at.gateway_state != "online" {
        return Ok(Plan::No(No::Offline));
    }
    let asked: Value = serde_json::from_str(&remedy.target).unwrap_or_default();
    Ok(match aim(conn, keys, &remedy.device_id, &at, kind, &asked).await? {
        Ok((action, target)) => {
            Plan::Go(gateway, action, target, u32::try_from(rule.daily_limit).unwrap_or(1))
        }
        Err(no) => Plan::No(no),
    })
}

/// What a remedy would act on, and with which command. `asked` holds what a person has chosen.
pub async fn aim(
    conn: &mut Conn,
    keys: &Keys,
    device: &str,
    at: &Where,
    kind: Kind,
    asked: &Value,
) -> Result<Result<(RemedyAction, Value), No>> {
    let id = DeviceId::try_from(device.to_owned())?;
    let own = rights_of(conn, keys, device).await?;
    let deed = match kind {
        Kind::Reboot if own.reboot => command::Deed::Reboot,
        Kind::ReaddChannel if own.isapi => {
            let channel = asked.get("channel").and_then(Value::as_u64).and_then(|n| u32::try_from(n).ok());
            let Some(channel) = channel else { return Ok(Err(No::NoPort)) };
            command::Deed::ReaddChannel { channel }
        }
        Kind::Reboot | Kind::ReaddChannel => return Ok(Err(No::NoRights)),
        Kind::PoeCycle => {
            let Some(port) = device::store::topology::find_port(conn, device).await? else {
                return Ok(Err(No::NoPort));
            };
            if port.poe_port == 0 {
                return Ok(Err(No::NoPort));
            }
            if !port.is_recorded() && (port.macs > 1 || port.trunk == 1) {
                return Ok(Err(No::SharedPort));
            }
            if device::store::topology::is_shared(conn, device, &port).await? {
                return Ok(Err(No::SharedPort));
            }
            if port.switch_gateway_id != at.gateway_id || !rights_of(conn, keys, &port.switch_id).await?.snmp
            {
                return Ok(Err(No::NoRights));
            }
            let target =
                json!({ "switch_id": port.switch_id, "switch": port.switch_name, "port": port.name });
            let deed = command::Deed::PoeCycle {
                switch: DeviceId::try_from(port.switch_id)?,
                group: u32::try_from(port.poe_group).unwrap_or(0),
                port: u32::try_from(port.poe_port).unwrap_or(0),
                off_s: OFF_S,
            };
            return Ok(Ok((RemedyAction { device: id, limit: 0, until: Timestamp::MAX, deed }, target)));
        }
    };
    let target = asked.get("channel").map_or(Value::Null, |channel| json!({ "channel": channel }));
    Ok(Ok((RemedyAction { device: id, limit: 0, until: Timestamp::MAX, deed }, target)))
}

async fn rights_of(conn: &mut Conn, keys: &Keys, device: &str) -> Result<Rights> {
    let sealed = device::store::checks(conn, device).await?;
    // What does not open gives no right.
    let text = keys.open(&sealed).ok().and_then(|text| String::from_utf8(text).ok());
    Ok(text.map_or_else(Rights::default, |text| rights(&text)))
}
