//! SQL for devices, their standing faults, their events and the timeline of their states.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sitewarden_proto::id::{DeviceId, GatewayId};

use super::State;
use crate::db::Conn;
use crate::user::Scope;

pub mod many;
pub mod parent;
pub mod timeline;
pub mod topology;

/// One device as it is stored, with the names a person needs beside it. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Row {
    pub id: String,
    pub gateway_id: String,
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub zone: String,
    pub parent_id: Option<String>,
    pub name: String,
    pub class: String,
    pub address: String,
    pub place: String,
    pub model: String,
    pub serial: String,
    pub firmware: String,
    pub check_list: String,
    pub enabled: i64,
    pub state: String,
    pub state_since: i64,
    pub known_at: Option<i64>,
    pub created_at: i64,
}

const SELECT: &str = "SELECT d.id, d.gateway_id, d.site_id, s.name AS site_name, s.name_zh AS site_name_zh, s.zone, \
     d.parent_id, d.name, d.class, d.address, d.place, d.model, d.serial, d.firmware, d.check_list, d.enabled, \
     d.state, d.state_since, d.known_at, d.created_at FROM device d JOIN site s ON s.id = d.site_id WHERE d.removed_at IS NULL \
     AND (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1)";

/// One device that the viewer may see.
pub async fn find(conn: &mut Conn, scope: &Scope, id: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} AND d.id = $2")))
        .bind(scope.customer())
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// What a list of devices is narrowed by; `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only devices of this site.
    pub site_id: Option<String>,
    /// Only devices of this gateway.
    pub gateway_id: Option<String>,
    /// Part of the name, address, place or serial number, any case.
    pub q: Option<String>,
}

/// Devices that the viewer may see, in their order on the site; at most `limit`.
pub async fn list(conn: &mut Conn, scope: &Scope, filter: &Filter, limit: i64) -> sqlx::Result<Vec<Row>> {
    let pattern = filter.q.as_ref().map(|q| format!("%{}%", q.to_lowercase().replace(['%', '_'], "")));
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} AND (CAST($2 AS TEXT) IS NULL OR d.site_id = $2) AND (CAST($3 AS TEXT) IS NULL OR d.gateway_id = $3) \
         AND (CAST($4 AS TEXT) IS NULL OR LOWER(d.name) LIKE $4 OR LOWER(d.address) LIKE $4 OR LOWER(d.place) LIKE $4 \
         OR LOWER(d.serial) LIKE $4) ORDER BY s.name, d.position, d.id LIMIT $5"
    )))
    .bind(scope.customer())
    .bind(&filter.site_id)
    .bind(&filter.gateway_id)
    .bind(pattern)
    .bind(limit)
    .fetch_all(conn)
    .await
}

/// What a person may set on a device. `checks` is sealed text.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Fields {
    pub name: String,
    pub class: String,
    pub address: String,
    pub place: String,
    pub model: String,
    pub serial: String,
    pub firmware: String,
    pub checks: Vec<u8>,
    pub check_list: String,
    pub confirm_ms: i64,
    pub enabled: bool,
}

/// Adds a device at the end of its site. It is unknown until its gateway reports.
pub async fn insert(
    conn: &mut Conn,
    id: &DeviceId,
    gateway: &str,
    site: &str,
    fields: &Fields,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO device (id, gateway_id, site_id, confirm_ms, name, class, address, place, model, serial, firmware, \
         checks, check_list, position, enabled, created_at, state, state_since) \
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, \
         COALESCE((SELECT MAX(position) FROM device WHERE site_id = $3), 0) + 1, $14, $15, 'unknown', $15",
    )
    .bind(id.as_ref())
    .bind(gateway)
    .bind(site)
    .bind(fields.confirm_ms)
    .bind(&fields.name)
    .bind(&fields.class)
    .bind(&fields.address)
    .bind(&fields.place)
    .bind(&fields.model)
    .bind(&fields.serial)
    .bind(&fields.firmware)
    .bind(&fields.checks)
    .bind(&fields.check_list)
    .bind(i64::from(fields.enabled))
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Replaces what a person may set. A device that is switched on or off is unknown until the next report.
pub async fn update(conn: &mut Conn, id: &str, fields: &Fields) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE device SET confirm_ms = $2, name = $3, class = $4, address = $5, place = $6, model = $7, serial = $8, \
         firmware = $9, checks = $10, check_list = $11, \
         known_at = CASE WHEN enabled = $12 THEN known_at ELSE NULL END, enabled = $12 WHERE id = $1",
    )
    .bind(id)
    .bind(fields.confirm_ms)
    .bind(&fields.name)
    .bind(&fields.class)
    .bind(&fields.address)
    .bind(&fields.place)
    .bind(&fields.model)
    .bind(&fields.serial)
    .bind(&fields.firmware)
    .bind(&fields.checks)
    .bind(&fields.check_list)
    .bind(i64::from(fields.enabled))
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes a device out of service. Its record stays; its children hang off its parents from now on.
pub async fn remove(conn: &mut Conn, id: &str, now: Timestamp) -> sqlx::Result<()> {
    parent::bridge(conn, id).await?;
    sqlx::query("UPDATE device SET removed_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await?;
    sqlx::query("DELETE FROM device_fault WHERE device_id = $1").bind(id).execute(conn).await?;
    Ok(())
}

/// The sealed check text of one device.
pub async fn checks(conn: &mut Conn, id: &str) -> sqlx::Result<Vec<u8>> {
    sqlx::query_scalar("SELECT checks FROM device WHERE id = $1").bind(id).fetch_one(conn).await
}

/// The sealed check text of every device, by id.
pub async fn list_sealed(conn: &mut Conn) -> sqlx::Result<Vec<(String, Vec<u8>)>> {
    sqlx::query_as("SELECT id, checks FROM device ORDER BY id").fetch_all(conn).await
}

/// Replaces the sealed check text of one device, when the sealing key has changed.
pub async fn reseal(conn: &mut Conn, id: &str, checks: Vec<u8>) -> sqlx::Result<()> {
    sqlx::query("UPDATE device SET checks = $2 WHERE id = $1").bind(id).bind(checks).execute(conn).await?;
    Ok(())
}

/// What a gateway is told about one device.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct ForConfig {
    pub id: String,
    pub name: String,
    pub class: String,
    pub address: String,
    pub parent_id: Option<String>,
    pub checks: Vec<u8>,
}

/// The enabled devices of a gateway, in an order that only depends on the devices.
pub async fn list_for_config(conn: &mut Conn, gateway: &GatewayId) -> sqlx::Result<Vec<ForConfig>> {
    sqlx::query_as(
        "SELECT id, name, class, address, parent_id, checks FROM device \
         WHERE gateway_id = $1 AND removed_at IS NULL AND enabled = 1 ORDER BY position, id",
    )
    .bind(gateway.as_ref())
    .fetch_all(conn)
    .await
}

/// The devices on the way up from `id` (not in the list) to the gateway, nearest first. A loop in the
/// parents ends the walk: wrong topology must not hide anything.
pub async fn list_parents(conn: &mut Conn, id: &str) -> sqlx::Result<Vec<(String, String, String)>> {
    let mut up: Vec<(String, String, String)> = Vec::new();
    let mut at = id.to_owned();
    while up.len() < 16 {
        let parent: Option<(String, String, String)> = sqlx::query_as(
            "SELECT p.id, p.name, p.state FROM device d JOIN device p ON p.id = d.parent_id \
             WHERE d.id = $1 AND p.removed_at IS NULL",
        )
        .bind(&at)
        .fetch_optional(&mut *conn)
        .await?;
        let Some(parent) = parent else { break };
        if parent.0 == id || up.iter().any(|(seen, _, _)| *seen == parent.0) {
            break;
        }
        at.clone_from(&parent.0);
        up.push(parent);
    }
    Ok(up)
}

/// A fault that stands on a device.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Fault {
    pub code: String,
    pub raised_at: i64,
    pub last_good_at: Option<i64>,
    pub first_bad_at: Option<i64>,
    pub check_name: String,
    pub evidence: String,
    pub flapping: i64,
    pub incident_id: Option<String>,
    pub ticket_id: Option<String>,
}

/// The faults that stand on a device, oldest first.
pub async fn list_faults(conn: &mut Conn, id: &str) -> sqlx::Result<Vec<Fault>> {
    sqlx::query_as(
        "SELECT f.code, f.raised_at, f.last_good_at, f.first_bad_at, f.check_name, f.evidence, f.flapping, \
         i.id AS incident_id, i.ticket_id FROM device_fault f JOIN device d ON d.id = f.device_id \
         LEFT JOIN incident i ON i.gateway_id = d.gateway_id AND COALESCE(i.device_id, '') = f.device_id \
         AND i.code = f.code AND i.closed_at IS NULL WHERE f.device_id = $1 ORDER BY f.raised_at, f.code",
    )
    .bind(id)
    .fetch_all(conn)
    .await
}

/// Notes that a fault stands. False when it stood already: the first start is kept.
pub async fn raise(conn: &mut Conn, event: &Event<'_>) -> sqlx::Result<bool> {
    let fresh = sqlx::query(
        "INSERT INTO device_fault (device_id, code, raised_at, last_good_at, first_bad_at, check_name, evidence, flapping) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 0) ON CONFLICT (device_id, code) DO NOTHING",
    )
    .bind(event.device.as_ref())
    .bind(event.code)
    .bind(event.at.as_millisecond())
    .bind(event.last_good_at.map(Timestamp::as_millisecond))
    .bind(event.first_bad_at.map(Timestamp::as_millisecond))
    .bind(event.check)
    .bind(event.evidence)
    .execute(conn)
    .await?;
    Ok(fresh.rows_affected() == 1)
}

/// Notes that a fault is gone. False when it did not stand.
pub async fn clear(conn: &mut Conn, device: &str, code: &str) -> sqlx::Result<bool> {
    let gone = sqlx::query("DELETE FROM device_fault WHERE device_id = $1 AND code = $2")
        .bind(device)
        .bind(code)
        .execute(conn)
        .await?;
    Ok(gone.rows_affected() == 1)
}

/// Notes that a standing fault flaps, or has become steady.
pub async fn set_flapping(conn: &mut Conn, device: &str, code: &str, flapping: bool) -> sqlx::Result<()> {
    sqlx::query("UPDATE device_fault SET flapping = $3 WHERE device_id = $1 AND code = $2")
        .bind(device)
        .bind(code)
        .bind(i64::from(flapping))
        .execute(conn)
        .await?;
    Ok(())
}

/// One transition as a gateway reported it.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Event<'a> {
    pub device: &'a DeviceId,
    pub gateway: &'a GatewayId,
    pub epoch: &'a str,
    pub seq: i64,
    pub code: &'a str,
    pub transition: &'a str,
    pub check: &'a str,
    pub evidence: &'a str,
    pub at: Timestamp,
    pub last_good_at: Option<Timestamp>,
    pub first_bad_at: Option<Timestamp>,
    pub received_at: Timestamp,
    pub clock_offset_ms: i64,
}

/// Appends one event to the device's record.
pub async fn insert_event(conn: &mut Conn, event: &Event<'_>) -> sqlx::Result<()> {
    many::insert_events(conn, std::slice::from_ref(event)).await
}

/// One event of a device's record.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct EventRow {
    pub id: String,
    pub at: i64,
    pub received_at: i64,
    pub code: String,
    pub transition: String,
    pub check_name: String,
    pub last_good_at: Option<i64>,
    pub first_bad_at: Option<i64>,
    pub evidence: String,
    pub clock_offset_ms: i64,
}

/// The record of a device, newest first, from just before `before`.
pub async fn list_events(conn: &mut Conn, id: &str, before: i64, limit: i64) -> sqlx::Result<Vec<EventRow>> {
    sqlx::query_as(
        "SELECT id, at, received_at, code, transition, check_name, last_good_at, first_bad_at, evidence, clock_offset_ms \
         FROM device_event WHERE device_id = $1 AND at < $2 ORDER BY at DESC, id DESC LIMIT $3",
    )
    .bind(id)
    .bind(before)
    .bind(limit)
    .fetch_all(conn)
    .await
}

/// The devices of a gateway by id, name and address.
pub async fn list_addresses(
    conn: &mut Conn,
    gateway: &GatewayId,
) -> sqlx::Result<Vec<(String, String, String)>> {
    sqlx::query_as(
        "SELECT id, name, address FROM device WHERE gateway_id = $1 AND removed_at IS NULL ORDER BY id",
    )
    .bind(gateway.as_ref())
    .fetch_all(conn)
    .await
}

/// The devices in service of a gateway.
pub async fn list_ids(conn: &mut Conn, gateway: &GatewayId) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT id FROM device WHERE gateway_id = $1 AND removed_at IS NULL ORDER BY position, id",
    )
    .bind(gateway.as_ref())
    .fetch_all(conn)
    .await
}

/// Every device that a gateway ever had, and whether it is in service.
pub async fn list_own(conn: &mut Conn, gateway: &GatewayId) -> sqlx::Result<Vec<(String, bool)>> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT id, CASE WHEN removed_at IS NULL THEN 1 ELSE 0 END FROM device WHERE gateway_id = $1",
    )
    .bind(gateway.as_ref())
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|(id, in_service)| (id, in_service == 1)).collect())
}

/// Notes the first report about a device.
pub async fn set_known(conn: &mut Conn, id: &str, at: Timestamp) -> sqlx::Result<()> {
    sqlx::query("UPDATE device SET known_at = $2 WHERE id = $1 AND known_at IS NULL")
        .bind(id)
        .bind(at.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// Works a device's state out again and appends a change to its timeline. True when it changed.
pub async fn refresh_state(
    conn: &mut Conn,
    id: &str,
    gateway_heard: bool,
    at: Timestamp,
) -> sqlx::Result<bool> {
    let one = BTreeMap::from([(id, at)]);
    Ok(!many::refresh(conn, &one, gateway_heard, false).await?.is_empty())
}

/// The timeline of a device from `from` to `to`, beginning with the state that stood at `from`.
/// Before the first entry the device is unknown.
pub async fn list_states(
    conn: &mut Conn,
    id: &str,
    from: i64,
    to: i64,
) -> sqlx::Result<Vec<(i64, String, String)>> {
    let before: Option<(i64, String, String)> = sqlx::query_as(
        "SELECT at, state, because FROM device_state WHERE device_id = $1 AND at <= $2 ORDER BY at DESC, id DESC LIMIT 1",
    )
    .bind(id)
    .bind(from)
    .fetch_optional(&mut *conn)
    .await?;
    let mut states = vec![before.map_or_else(
        || (from, State::Unknown.as_str().to_owned(), String::new()),
        |(_, state, because)| (from, state, because),
    )];
    let rest: Vec<(i64, String, String)> = sqlx::query_as(
        "SELECT at, state, because FROM device_state WHERE device_id = $1 AND at > $2 AND at <= $3 \
         ORDER BY at, id LIMIT 5000",
    )
    .bind(id)
    .bind(from)
    .bind(to)
    .fetch_all(conn)
    .await?;
    states.extend(rest);
    Ok(states)
}
