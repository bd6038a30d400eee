//! What people say of the work on a ticket: when it happened, when we heard of it, what the device's clock showed,
//! and which line it stands instead of. A line is never changed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::db::{Conn, pieces, places};
use crate::ticket::{Actor, MOVING};

/// A fact to be written down.
#[derive(Clone, Debug)]
pub struct New<'a> {
    /// Who says so.
    pub actor: &'a Actor,
    /// `what` and its particulars.
    pub body: &'a Value,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// What the clock of the device showed that recorded it, and how far that was ahead, ms.
    pub device: Option<(Timestamp, i64)>,
    /// The line it stands instead of.
    pub supersedes: Option<i64>,
}

/// Appends a fact; its place in the log.
pub async fn append(conn: &mut Conn, ticket: &str, new: &New<'_>, now: Timestamp) -> sqlx::Result<i64> {
    super::append(conn, ticket, "fact", new.actor, new.body, new.occurred_at, now).await?;
    sqlx::query_scalar(
        "UPDATE ticket_event SET device_at = $2, skew_ms = $3, supersedes = $4 WHERE ticket_id = $1 \
         AND seq = (SELECT MAX(seq) FROM ticket_event WHERE ticket_id = $1) RETURNING seq",
    )
    .bind(ticket)
    .bind(new.device.map(|device| device.0.as_millisecond()))
    .bind(new.device.map(|device| device.1))
    .bind(new.supersedes)
    .fetch_one(conn)
    .await
}

/// A line of the log that may move clocks. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Row {
    pub seq: i64,
    pub kind: String,
    pub occurred_at: i64,
    pub recorded_at: i64,
    pub device_at: Option<i64>,
    pub skew_ms: Option<i64>,
    pub actor: String,
    pub source: String,
    pub body: String,
    pub supersedes: Option<i64>,
}

/// The lines of a ticket's log that may move clocks, oldest first; at most 5,000.
pub async fn list(conn: &mut Conn, ticket: &str) -> sqlx::Result<Vec<Row>> {
    let kinds = MOVING.map(|kind| format!("'{kind}'")).join(", ");
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT seq, kind, occurred_at, recorded_at, device_at, skew_ms, actor, source, body, supersedes \
         FROM ticket_event WHERE ticket_id = $1 AND kind IN ({kinds}) ORDER BY seq LIMIT 5000"
    )))
    .bind(ticket)
    .fetch_all(conn)
    .await
}

/// The lines of these tickets, by ticket, as [`list`] gives them; `None` where there are so many that one ticket after
/// the other has to be asked.
pub async fn list_many(
    conn: &mut Conn,
    tickets: &[String],
) -> sqlx::Result<Option<BTreeMap<String, Vec<Row>>>> {
    #[derive(sqlx::FromRow)]
    struct Of {
        ticket_id: String,
        #[sqlx(flatten)]
        row: Row,
    }
    let kinds = MOVING.map(|kind| format!("'{kind}'")).join(", ");
    let mut found: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for piece in pieces(tickets) {
        let text = format!(
            "SELECT ticket_id, seq, kind, occurred_at, recorded_at, device_at, skew_ms, actor, source, body, supersedes \
             FROM ticket_event WHERE ticket_id IN {} AND kind IN ({kinds}) ORDER BY ticket_id, seq LIMIT 5001",
            places(conn, 1, piece.len())
        );
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text));
        for id in piece {
            query = query.bind(id.as_str());
        }
        let rows: Vec<Of> = query.fetch_all(&mut *conn).await?;
        if rows.len() > 5000 {
            return Ok(None);
        }
        for Of { ticket_id, row } in rows {
            found.entry(ticket_id).or_default().push(row);
        }
    }
    Ok(Some(found))
}

/// The kind of a line and what it says, where there is such a line.
pub async fn find(conn: &mut Conn, ticket: &str, seq: i64) -> sqlx::Result<Option<Row>> {
    Ok(list(conn, ticket).await?.into_iter().find(|row| row.seq == seq))
}

/// Since when a ticket's device works again by measurement, where no fault of it stands now. Unix ms.
pub async fn works_since(conn: &mut Conn, ticket: &str) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar(
        "SELECT MAX(e.occurred_at) FROM ticket_event e JOIN ticket t ON t.id = e.ticket_id \
         WHERE e.ticket_id = $1 AND e.kind = 'works_again' AND t.state <> 'closed' \
         AND NOT EXISTS (SELECT 1 FROM device_fault f WHERE f.device_id = t.device_id)",
    )
    .bind(ticket)
    .fetch_one(conn)
    .await
}

/// When a ticket was reported, by its number.
pub async fn reported_at(conn: &mut Conn, number: i64) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar(
        "SELECT MIN(e.recorded_at) FROM ticket_event e JOIN ticket t ON t.id = e.ticket_id \
         WHERE t.number = $1 AND e.kind = 'opened'",
    )
    .bind(number)
    .fetch_one(conn)
    .await
}
