//! SQL for what holds a ticket's pages back. Holding and releasing are on the ticket's record; facts, resolution
//! and everything that people do go on meanwhile.

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::append;
use crate::db::Conn;
use crate::gateway::store::replay;
use crate::ticket::{Actor, Hold};

/// What holds a ticket's pages back. Times are Unix ms.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Row {
    /// A word of [`Hold`].
    pub reason: String,
    /// Since when.
    pub since: i64,
    /// When it ends by itself at the latest; `None` = when it is released.
    pub until_at: Option<i64>,
    /// The particulars as a JSON object.
    pub detail: String,
}

/// Holds a ticket's pages back, until `until` at the latest. A hold of this reason that stands gets the new
/// end and particulars, and nothing is written down; a ticket that is closed is not held. True when it is new.
pub async fn hold(
    conn: &mut Conn,
    ticket: &str,
    reason: Hold,
    detail: &Value,
    until: Option<Timestamp>,
    now: Timestamp,
) -> sqlx::Result<bool> {
    if !super::is_standing(conn, ticket).await? {
        return Ok(false);
    }
    let (end, particulars) = (until.map(Timestamp::as_millisecond), detail.to_string());
    let fresh = sqlx::query(
        "INSERT INTO ticket_hold (ticket_id, reason, since, until_at, detail) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (ticket_id, reason) DO NOTHING",
    )
    .bind(ticket)
    .bind(reason.as_str())
    .bind(now.as_millisecond())
    .bind(end)
    .bind(&particulars)
    .execute(&mut *conn)
    .await?;
    if fresh.rows_affected() == 0 {
        sqlx::query("UPDATE ticket_hold SET until_at = $3, detail = $4 WHERE ticket_id = $1 AND reason = $2")
            .bind(ticket)
            .bind(reason.as_str())
            .bind(end)
            .bind(&particulars)
            .execute(conn)
            .await?;
        return Ok(false);
    }
    let mut body = json!({ "reason": reason.as_str(), "until": end });
    add(&mut body, &particulars);
    append(conn, ticket, "withheld", &Actor::System, &body, now, now).await?;
    Ok(true)
}

/// Ends a hold of a ticket. Once none is left, what the people do not know yet is paged. True when there was one.
pub async fn release(conn: &mut Conn, ticket: &str, reason: Hold, now: Timestamp) -> sqlx::Result<bool> {
    end(conn, ticket, reason.as_str(), now).await
}

/// Ends every hold whose time is over; the tickets.
pub async fn release_due(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<String>> {
    let due: Vec<(String, String)> = sqlx::query_as(
        "SELECT ticket_id, reason FROM ticket_hold WHERE until_at <= $1 ORDER BY ticket_id, reason LIMIT 2000",
    )
    .bind(now.as_millisecond())
    .fetch_all(&mut *conn)
    .await?;
    let mut released = Vec::new();
    for (ticket, reason) in due {
        if end(conn, &ticket, &reason, now).await? {
            released.push(ticket);
        }
    }
    released.dedup();
    Ok(released)
}

/// Whether the gateway `g` of the ticket `t` is telling its history, in its epoch `e`: its mark ($2) moves, and it
/// did not begin too long ago ($1).
const TELLING: &str = "t.device_id IS NOT NULL AND g.replay_to IS NOT NULL AND COALESCE(e.upto, 0) < g.replay_to \
     AND g.replay_from_at > $1 AND (g.replay_from_at > $2 OR COALESCE(e.moved_at, 0) > $2)";

/// Holds what a gateway tells of its past while its history comes in, and releases it when that is in, stands
/// still or takes too long: a page may come late, never not at all. The tickets.
pub async fn histories(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<String>> {
    let (began, moved) = replay::limits(now);
    let joined = "LEFT JOIN gateway g ON g.id = t.gateway_id \
         LEFT JOIN gateway_epoch e ON e.gateway_id = g.id AND e.epoch = g.epoch";
    let told = format!(
        "SELECT h.ticket_id FROM ticket_hold h JOIN ticket t ON t.id = h.ticket_id {joined} \
         WHERE h.reason = 'replay' AND CASE WHEN {TELLING} THEN 1 ELSE 0 END = 0 ORDER BY h.ticket_id"
    );
    let telling = format!(
        "SELECT t.id FROM ticket t {joined} WHERE t.state <> 'closed' AND t.paged_severity <> t.severity AND {TELLING} \
         AND NOT EXISTS (SELECT 1 FROM ticket_hold h WHERE h.ticket_id = t.id AND h.reason = 'replay') \
         ORDER BY t.number LIMIT 500"
    );
    let mut touched = Vec::new();
    for (query, is_over) in [(told, true), (telling, false)] {
        let tickets: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(query)).bind(began).bind(moved).fetch_all(&mut *conn).await?;
        for ticket in tickets {
            if is_over {
                release(conn, &ticket, Hold::Replay, now).await?;
            } else {
                hold(conn, &ticket, Hold::Replay, &json!({}), None, now).await?;
            }
            touched.push(ticket);
        }
    }
    Ok(touched)
}

/// What holds a ticket's pages back, oldest first.
pub async fn list(conn: &mut Conn, ticket: &str) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "SELECT reason, since, until_at, detail FROM ticket_hold WHERE ticket_id = $1 ORDER BY since, reason",
    )
    .bind(ticket)
    .fetch_all(conn)
    .await
}

/// What holds the tickets of a device that stand, with their numbers.
pub async fn list_of_device(conn: &mut Conn, device: &str) -> sqlx::Result<Vec<(i64, Row)>> {
    #[derive(sqlx::FromRow)]
    struct Numbered {
        number: i64,
        #[sqlx(flatten)]
        row: Row,
    }
    let found: Vec<Numbered> = sqlx::query_as(
        "SELECT t.number, h.reason, h.since, h.until_at, h.detail FROM ticket_hold h JOIN ticket t ON t.id = h.ticket_id \
         WHERE t.device_id = $1 AND t.state <> 'closed' ORDER BY t.number, h.since, h.reason LIMIT 50",
    )
    .bind(device)
    .fetch_all(conn)
    .await?;
    Ok(found.into_iter().map(|one| (one.number, one.row)).collect())
}

async fn end(conn: &mut Conn, ticket: &str, reason: &str, now: Timestamp) -> sqlx::Result<bool> {
    let held: Option<(i64, String)> = sqlx::query_as(
        "DELETE FROM ticket_hold WHERE ticket_id = $1 AND reason = $2 RETURNING since, detail",
    )
    .bind(ticket)
    .bind(reason)
    .fetch_optional(&mut *conn)
    .await?;
    let Some((since, detail)) = held else { return Ok(false) };
    let left: Vec<String> = list(conn, ticket).await?.into_iter().map(|row| row.reason).collect();
    let mut body = json!({ "reason": reason, "since": since, "left": left });
    add(&mut body, &detail);
    append(conn, ticket, "released", &Actor::System, &body, now, now).await?;
    Ok(true)
}

/// The particulars beside what the record says anyway, which wins.
fn add(body: &mut Value, detail: &str) {
    let (Value::Object(body), Ok(Value::Object(more))) = (body, serde_json::from_str(detail)) else { return };
    for (key, value) in more {
        body.entry(key).or_insert(value);
    }
}
