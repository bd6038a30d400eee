//! SQL for many devices of one gateway at once: a switch that fails takes all that hangs off it along, and so many
//! changes one by one would keep everybody else waiting for the one who writes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sitewarden_proto::id::GatewayId;
use sqlx::AssertSqlSafe;

use super::Event;
use crate::clock::from_ms;
use crate::db::{Conn, pieces, places, typed_places};
use crate::device::{Known, state};
use crate::id::uuid_v7;

/// Appends events to the records of their devices.
pub async fn insert_events(conn: &mut Conn, events: &[Event<'_>]) -> sqlx::Result<()> {
    for piece in pieces(events) {
        let text = format!(
            "INSERT INTO device_event (id, device_id, gateway_id, epoch, seq, code, transition, at, last_good_at, \
             first_bad_at, received_at, clock_offset_ms, check_name, evidence) VALUES {}",
            places(conn, piece.len(), 14)
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for event in piece {
            query = query
                .bind(uuid_v7(event.received_at))
                .bind(event.device.as_ref())
                .bind(event.gateway.as_ref())
                .bind(event.epoch)
                .bind(event.seq)
                .bind(event.code)
                .bind(event.transition)
                .bind(event.at.as_millisecond())
                .bind(event.last_good_at.map(Timestamp::as_millisecond))
                .bind(event.first_bad_at.map(Timestamp::as_millisecond))
                .bind(event.received_at.as_millisecond())
                .bind(event.clock_offset_ms)
                .bind(event.check)
                .bind(event.evidence);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// The faults that stand on devices, by device.
pub type Standing = BTreeMap<String, Vec<String>>;

/// The faults that stand on these devices, each device's by code.
pub async fn list_standing(conn: &mut Conn, devices: &[&str]) -> sqlx::Result<Standing> {
    let mut standing = Standing::new();
    for piece in pieces(devices) {
        let text = format!(
            "SELECT device_id, code FROM device_fault WHERE device_id IN {} ORDER BY code",
            places(conn, 1, piece.len())
        );
        let mut query = sqlx::query_as::<_, (String, String)>(AssertSqlSafe(text));
        for id in piece {
            query = query.bind(*id);
        }
        for (id, code) in query.fetch_all(&mut *conn).await? {
            standing.entry(id).or_default().push(code);
        }
    }
    Ok(standing)
}

/// Notes that faults stand, unless they stood before.
pub async fn raise(conn: &mut Conn, events: &[&Event<'_>]) -> sqlx::Result<()> {
    for piece in pieces(events) {
        let text = format!(
            "INSERT INTO device_fault (device_id, code, raised_at, last_good_at, first_bad_at, check_name, evidence, flapping) \
             VALUES {} ON CONFLICT (device_id, code) DO NOTHING",
            places(conn, piece.len(), 8)
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for event in piece {
            query = query
                .bind(event.device.as_ref())
                .bind(event.code)
                .bind(event.at.as_millisecond())
                .bind(event.last_good_at.map(Timestamp::as_millisecond))
                .bind(event.first_bad_at.map(Timestamp::as_millisecond))
                .bind(event.check)
                .bind(event.evidence)
                .bind(0_i64);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    state: String,
    state_since: i64,
    known_at: Option<i64>,
    enabled: i64,
    in_maintenance: i64,
}

/// Works the states of devices out again after a report about each, at its time, from the faults that stand on them, and
/// appends the changes to their timelines.
pub async fn refresh_states(
    conn: &mut Conn,
    reports: &BTreeMap<&str, Timestamp>,
    standing: &Standing,
    gateway_heard: bool,
) -> sqlx::Result<()> {
    refresh_from(conn, reports, standing, gateway_heard, true).await?;
    Ok(())
}

/// The same for all devices of a gateway at `at`, which nothing was reported about. Those that changed.
pub async fn refresh_gateway(
    conn: &mut Conn,
    gateway: &GatewayId,
    gateway_heard: bool,
    at: Timestamp,
) -> sqlx::Result<Vec<String>> {
    let ids = super::list_ids(conn, gateway).await?;
    let all = ids.iter().map(|id| (id.as_str(), at)).collect();
    refresh(conn, &all, gateway_heard, false).await
}

/// The same for some devices, each at its time; `reported` says that there was a report about each. Those that changed.
pub(super) async fn refresh(
    conn: &mut Conn,
    reports: &BTreeMap<&str, Timestamp>,
    gateway_heard: bool,
    reported: bool,
) -> sqlx::Result<Vec<String>> {
    let ids: Vec<&str> = reports.keys().copied().collect();
    let standing = list_standing(conn, &ids).await?;
    refresh_from(conn, reports, &standing, gateway_heard, reported).await
}

async fn refresh_from(
    conn: &mut Conn,
    reports: &BTreeMap<&str, Timestamp>,
    standing: &Standing,
    gateway_heard: bool,
    reported: bool,
) -> sqlx::Result<Vec<String>> {
    let ids: Vec<&str> = reports.keys().copied().collect();
    let mut changes: Vec<(String, &'static str, i64, String)> = Vec::new();
    for piece in pieces(&ids) {
        let place = places(conn, 1, piece.len());
        let text = format!(
            "SELECT id, state, state_since, known_at, enabled, in_maintenance FROM device WHERE id IN {place}"
        );
        let mut query = sqlx::query_as::<_, Row>(AssertSqlSafe(text));
        for id in piece {
            query = query.bind(*id);
        }
        let rows = query.fetch_all(&mut *conn).await?;
        for row in rows {
            let Some(at) = reports.get(row.id.as_str()) else { continue };
            if reported && row.known_at.is_none() {
                super::set_known(conn, &row.id, *at).await?;
            }
            let (now_is, because) = state(&Known {
                gateway_heard,
                in_maintenance: row.in_maintenance == 1,
                reported: row.enabled == 1 && (reported || row.known_at.is_some()),
                standing: standing.get(&row.id).map(Vec::as_slice).unwrap_or_default(),
            });
            if now_is.as_str() != row.state {
                // What arrives late is still appended in order: the timeline never runs backwards.
                changes.push((row.id, now_is.as_str(), at.as_millisecond().max(row.state_since), because));
            }
        }
    }
    for piece in pieces(&changes) {
        let text = format!(
            "WITH v(id, state, at) AS (VALUES {}) UPDATE device SET state = v.state, state_since = v.at FROM v \
             WHERE device.id = v.id",
            typed_places(conn, piece.len(), &["TEXT", "TEXT", "BIGINT"])
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (id, state, at, _) in piece {
            query = query.bind(id).bind(*state).bind(*at);
        }
        query.execute(&mut *conn).await?;
        let text = format!(
            "INSERT INTO device_state (id, device_id, at, state, because) VALUES {}",
            places(conn, piece.len(), 5)
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (id, state, at, because) in piece {
            query = query.bind(uuid_v7(from_ms(*at))).bind(id).bind(*at).bind(*state).bind(because);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(changes.into_iter().map(|(id, ..)| id).collect())
}
