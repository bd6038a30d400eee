//! SQL for what is settled with a customer: the lines of a ticket's record that say it, and those of its device's and
//! its contract's other tickets.

use jiff::Timestamp;
use serde_json::Value;

use super::Line;
use crate::clock::from_ms;
use crate::db::Conn;
use crate::ticket::{self, Actor};

type Read = (i64, String, String);

fn line((at, actor, body): Read) -> Line {
    Line { at: from_ms(at), actor, body: serde_json::from_str(&body).unwrap_or_default() }
}

/// What was settled over a ticket, oldest first.
pub async fn list(conn: &mut Conn, ticket: &str) -> sqlx::Result<Vec<Line>> {
    let rows: Vec<Read> = sqlx::query_as(
        "SELECT recorded_at, actor, body FROM ticket_event WHERE ticket_id = $1 AND kind = 'deal' ORDER BY seq LIMIT 500",
    )
    .bind(ticket)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(line).collect())
}

/// What was settled over all tickets of a device, with when each was closed.
pub async fn list_of_device(conn: &mut Conn, device: &str) -> sqlx::Result<Vec<(Line, Option<Timestamp>)>> {
    let rows: Vec<(i64, String, String, Option<i64>)> = sqlx::query_as(
        "SELECT e.recorded_at, e.actor, e.body, t.closed_at FROM ticket t JOIN ticket_event e ON e.ticket_id = t.id \
         WHERE t.device_id = $1 AND e.kind = 'deal' ORDER BY e.recorded_at, e.seq LIMIT 2000",
    )
    .bind(device)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(at, actor, body, closed)| (line((at, actor, body)), closed.map(from_ms)))
        .collect())
}

/// What was decided about penalties of a contract on its other tickets, oldest first, with the ticket.
pub async fn list_penalties(conn: &mut Conn, contract: &str, but: &str) -> sqlx::Result<Vec<(String, Line)>> {
    let rows: Vec<(String, i64, String, String)> = sqlx::query_as(
        "SELECT e.ticket_id, e.recorded_at, e.actor, e.body FROM ticket_event e WHERE e.kind = 'deal' AND e.ticket_id <> $2 \
         AND e.ticket_id IN (SELECT c.ticket_id FROM clock c WHERE c.contract_id = $1 AND c.breached_at IS NOT NULL) \
         ORDER BY e.recorded_at, e.seq LIMIT 10000",
    )
    .bind(contract)
    .bind(but)
    .fetch_all(conn)
    .await?;
    let all = rows.into_iter().map(|(ticket, at, actor, body)| (ticket, line((at, actor, body))));
    Ok(all.filter(|(_, line)| line.body["what"] == "penalty").collect())
}

/// Writes down what was settled.
pub async fn append(
    conn: &mut Conn,
    ticket: &str,
    by: &Actor,
    body: &Value,
    now: Timestamp,
) -> sqlx::Result<()> {
    ticket::store::append(conn, ticket, "deal", by, body, now, now).await
}
