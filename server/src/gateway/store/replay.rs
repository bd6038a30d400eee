//! SQL for the sender of a report: whether it may speak, and whether it is still telling its history.
//!
//! A gateway that was cut off brings a queue. Until the queue is in, what it says is about the past:
//! facts are recorded, nobody is paged for what is already over.

use jiff::Timestamp;
use sitewarden_proto::id::GatewayId;

use crate::db::Conn;
use crate::gateway::{REPLAY_LIMIT, State};

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

/// Notes up to where a gateway's history goes, or that it is in. A hold that is still running goes on from
/// its first start: a link that breaks every minute must not hold the pages back for ever.
pub async fn set(conn: &mut Conn, id: &GatewayId, to: Option<i64>, now: Timestamp) -> sqlx::Result<()> {
    let now = now.as_millisecond();
    sqlx::query(
        "UPDATE gateway SET replay_to = $2, replay_from_at = CASE WHEN CAST($2 AS BIGINT) IS NULL THEN NULL \
         WHEN replay_from_at > $4 THEN replay_from_at ELSE $3 END WHERE id = $1",
    )
    .bind(id.as_str())
    .bind(to)
    .bind(now)
    .bind(now - REPLAY_LIMIT.as_millis() as i64)
    .execute(conn)
    .await?;
    Ok(())
}

/// Gateways that are heard and whose history has not come to its end since before `began_before`.
pub async fn list_stuck(conn: &mut Conn, began_before: Timestamp) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT id FROM gateway WHERE replay_to IS NOT NULL AND replay_from_at < $1 AND state = 'online' ORDER BY id",
    )
    .bind(began_before.as_millisecond())
    .fetch_all(conn)
    .await
}

/// The site that a gateway stands at.
pub async fn site_of(conn: &mut Conn, id: &str) -> sqlx::Result<String> {
    sqlx::query_scalar("SELECT site_id FROM gateway WHERE id = $1").bind(id).fetch_one(conn).await
}
