//! SQL for the sender of a report: whether it may speak, and whether it is still telling its history.
//!
//! A gateway that was cut off brings a queue. Until the queue is in, what it says is about the past:
//! facts are recorded, nobody is paged for what is already over. The hold lasts while the mark moves; a
//! history that stands still for [`REPLAY_LIMIT`], or takes longer than [`REPLAY_MAX`], holds nothing any more.

use jiff::Timestamp;
use sitewarden_proto::id::GatewayId;

use crate::db::Conn;
use crate::gateway::{REPLAY_LIMIT, REPLAY_MAX, State};

/// The sender of a report.
#[derive(Clone, Debug)]
pub struct Sender {
    /// Where it stands.
    pub state: State,
    /// The session that it opened last.
    pub session_id: Option<String>,
    /// The sequence number at which its history ends, while it is telling it.
    pub replay_to: Option<i64>,
}

/// A gateway that may speak: known, and not revoked.
pub async fn find_sender(conn: &mut Conn, id: &GatewayId) -> sqlx::Result<Option<Sender>> {
    let row: Option<(String, Option<String>, Option<i64>)> = sqlx::query_as(
        "SELECT state, session_id, replay_to FROM gateway WHERE id = $1 AND revoked_at IS NULL",
    )
    .bind(id.as_str())
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|(state, session_id, replay_to)| Sender {
        state: State::parse(&state).unwrap_or(State::Silent),
        session_id,
        replay_to,
    }))
}

/// Until when (Unix ms) a hold must have begun, and its mark have moved, to be given up.
pub fn limits(now: Timestamp) -> (i64, i64) {
    let ms = now.as_millisecond();
    (ms - REPLAY_MAX.as_millis() as i64, ms - REPLAY_LIMIT.as_millis() as i64)
}

/// Notes up to where a gateway's history goes, or that it is in. A hold that is still running goes on from
/// its first start: a link that breaks every minute must not hold the pages back for ever.
pub async fn set(conn: &mut Conn, id: &GatewayId, to: Option<i64>, now: Timestamp) -> sqlx::Result<()> {
    let (began, moved) = limits(now);
    sqlx::query(
        "UPDATE gateway SET replay_to = $2, replay_from_at = CASE WHEN CAST($2 AS BIGINT) IS NULL THEN NULL \
         WHEN replay_from_at > $4 AND (replay_from_at > $5 OR EXISTS (SELECT 1 FROM gateway_epoch e WHERE \
         e.gateway_id = gateway.id AND e.moved_at > $5)) THEN replay_from_at ELSE $3 END WHERE id = $1",
    )
    .bind(id.as_str())
    .bind(to)
    .bind(now.as_millisecond())
    .bind(began)
    .bind(moved)
    .execute(conn)
    .await?;
    Ok(())
}

/// Gateways that are heard and whose history comes in no more, or for too long.
pub async fn list_stuck(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<String>> {
    let (began, moved) = limits(now);
    sqlx::query_scalar(
        "SELECT g.id FROM gateway g LEFT JOIN gateway_epoch e ON e.gateway_id = g.id AND e.epoch = g.epoch \
         WHERE g.replay_to IS NOT NULL AND g.state = 'online' AND (g.replay_from_at <= $1 OR \
         (g.replay_from_at <= $2 AND COALESCE(e.moved_at, 0) <= $2)) ORDER BY g.id",
    )
    .bind(began)
    .bind(moved)
    .fetch_all(conn)
    .await
}

/// The site that a gateway stands at.
pub async fn site_of(conn: &mut Conn, id: &str) -> sqlx::Result<String> {
    sqlx::query_scalar("SELECT site_id FROM gateway WHERE id = $1").bind(id).fetch_one(conn).await
}
