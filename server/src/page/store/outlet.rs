//! SQL for events to other programs: the receivers, and for each ticket what a receiver should know and was told.
//! One row for a receiver and a ticket: what changes before it is told is told once, as it stands then.

use jiff::Timestamp;
use sqlx::FromRow;

use crate::db::{Conn, Engine};
use crate::page::CLAIM;

/// A receiver.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Row {
    pub id: String,
    pub name: String,
    pub kind: String,
    pub url: String,
    pub sealed: Vec<u8>,
    pub customer_id: Option<String>,
    pub severity: String,
    pub enabled: i64,
    pub created_at: i64,
    pub told_at: Option<i64>,
    pub failed_at: Option<i64>,
    pub last_answer: String,
    /// Tickets of which it is still to be told.
    pub waiting: i64,
    /// Tickets of which it could not be told.
    pub failed: i64,
}

const ROW: &str = "SELECT o.id, o.name, o.kind, o.url, o.sealed, o.customer_id, o.severity, o.enabled, o.created_at, o.told_at, \
     o.failed_at, o.last_answer, CAST((SELECT COUNT(*) FROM outlet_ticket x WHERE x.outlet_id = o.id \
     AND x.state IN ('queued', 'claimed')) AS BIGINT) AS waiting, CAST((SELECT COUNT(*) FROM outlet_ticket x \
     WHERE x.outlet_id = o.id AND x.state = 'failed') AS BIGINT) AS failed FROM outlet o";

/// All receivers by name.
pub async fn list(conn: &mut Conn) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{ROW} ORDER BY o.name, o.id"))).fetch_all(conn).await
}

/// One receiver.
pub async fn find(conn: &mut Conn, id: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{ROW} WHERE o.id = $1"))).bind(id).fetch_optional(conn).await
}

/// Adds a receiver, or changes it.
pub async fn put(conn: &mut Conn, row: &Row) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO outlet (id, name, kind, url, sealed, customer_id, severity, enabled, created_at, last_answer) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '') ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
         url = excluded.url, sealed = excluded.sealed, customer_id = excluded.customer_id, severity = excluded.severity, \
         enabled = excluded.enabled",
    )
    .bind(&row.id)
    .bind(&row.name)
    .bind(&row.kind)
    .bind(&row.url)
    .bind(row.sealed.clone())
    .bind(&row.customer_id)
    .bind(&row.severity)
    .bind(row.enabled)
    .bind(row.created_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Seals a row anew.
pub async fn reseal(conn: &mut Conn, id: &str, sealed: Vec<u8>) -> sqlx::Result<()> {
    sqlx::query("UPDATE outlet SET sealed = $2 WHERE id = $1").bind(id).bind(sealed).execute(conn).await?;
    Ok(())
}

/// Removes a receiver with what it was to be told.
pub async fn delete(conn: &mut Conn, id: &str) -> sqlx::Result<bool> {
    sqlx::query("DELETE FROM outlet_ticket WHERE outlet_id = $1").bind(id).execute(&mut *conn).await?;
    let done = sqlx::query("DELETE FROM outlet WHERE id = $1").bind(id).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}

const RANK: &str = "WHEN 'critical' THEN 3 WHEN 'major' THEN 2 WHEN 'minor' THEN 1 ELSE 0 END";

/// What receivers do not know yet, as (receiver, ticket, state, severity): tickets that stand and were looked at by
/// the pager, and the end of those that they know. Costs what stands, not what there is.
pub async fn list_news(conn: &mut Conn) -> sqlx::Result<Vec<(String, String, String, String)>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT o.id, t.id, t.state, t.severity FROM outlet o JOIN ticket t ON t.state IN ('open', 'acked') \
         JOIN site s ON s.id = t.site_id LEFT JOIN outlet_ticket x ON x.outlet_id = o.id AND x.ticket_id = t.id \
         WHERE o.enabled = 1 AND t.paged_severity <> '' AND (o.customer_id IS NULL OR o.customer_id = s.customer_id) \
         AND CASE t.severity {RANK} >= CASE o.severity {RANK} \
         AND (x.want_state IS NULL OR x.want_state <> t.state OR x.want_severity <> t.severity) \
         UNION ALL SELECT x.outlet_id, t.id, t.state, t.severity FROM outlet_ticket x JOIN ticket t ON t.id = x.ticket_id \
         WHERE x.want_state IN ('open', 'acked') AND t.state = 'closed' LIMIT 500"
    )))
    .fetch_all(conn)
    .await
}

/// Queues what a receiver should know of a ticket.
pub async fn want(
    conn: &mut Conn,
    outlet: &str,
    ticket: &str,
    state: &str,
    severity: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO outlet_ticket (outlet_id, ticket_id, want_state, want_severity, told_severity, version, state, due_at, \
         attempts, last_answer) VALUES ($1, $2, $3, $4, '', 1, 'queued', $5, 0, '') \
         ON CONFLICT (outlet_id, ticket_id) DO UPDATE SET want_state = excluded.want_state, \
         want_severity = excluded.want_severity, version = outlet_ticket.version + 1, state = 'queued', \
         due_at = excluded.due_at, attempts = 0, claimed_until = NULL",
    )
    .bind(outlet)
    .bind(ticket)
    .bind(state)
    .bind(severity)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Queues what Alertmanager would otherwise take for over, because it was told before `before`.
pub async fn refresh(conn: &mut Conn, before: i64, now: Timestamp) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "UPDATE outlet_ticket SET state = 'queued', due_at = $2, attempts = 0 WHERE want_state IN ('open', 'acked') \
         AND told_at <= $1 AND state = 'sent' AND outlet_id IN (SELECT id FROM outlet WHERE kind = 'alertmanager' AND enabled = 1)",
    )
    .bind(before)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// An event that a sender holds.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Claimed {
    pub outlet_id: String,
    pub ticket_id: String,
    pub want_state: String,
    pub want_severity: String,
    pub told_severity: String,
    pub version: i64,
    pub attempts: i64,
}

/// Takes the events that are due, of receivers that are in use, and those whose sender did not come back.
pub async fn claim(
    conn: &mut Conn,
    engine: Engine,
    now: Timestamp,
    limit: i64,
) -> sqlx::Result<Vec<Claimed>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "UPDATE outlet_ticket SET state = 'claimed', claimed_until = $2, attempts = attempts + 1 \
         WHERE (outlet_id, ticket_id) IN (SELECT outlet_id, ticket_id FROM outlet_ticket WHERE \
         ((state = 'queued' AND due_at <= $1) OR (state = 'claimed' AND claimed_until <= $1)) \
         AND outlet_id IN (SELECT id FROM outlet WHERE enabled = 1) ORDER BY due_at, ticket_id LIMIT $3 {}) \
         RETURNING outlet_id, ticket_id, want_state, want_severity, told_severity, version, attempts",
        crate::db::skip_locked(engine)
    )))
    .bind(now.as_millisecond())
    .bind(now.as_millisecond() + CLAIM.as_millis() as i64)
    .bind(limit)
    .fetch_all(conn)
    .await
}

/// What became of an attempt: told, to be tried again at `again_at`, or failed.
pub async fn record(
    conn: &mut Conn,
    event: &Claimed,
    result: Result<&str, &str>,
    again_at: Option<i64>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let (Ok(answer) | Err(answer)) = result;
    let answer: String = answer.chars().take(500).collect();
    let state = match (result, again_at) {
        (Ok(_), _) => "sent",
        (Err(_), Some(_)) => "queued",
        (Err(_), None) => "failed",
    };
    // What changed meanwhile stays queued.
    sqlx::query(
        "UPDATE outlet_ticket SET state = CASE WHEN version = $3 THEN $4 ELSE state END, \
         told_severity = CASE WHEN $4 = 'sent' THEN $5 ELSE told_severity END, \
         told_at = CASE WHEN $4 = 'sent' THEN $6 ELSE told_at END, due_at = COALESCE(CAST($7 AS BIGINT), due_at), \
         claimed_until = NULL, last_answer = $8 WHERE outlet_id = $1 AND ticket_id = $2",
    )
    .bind(&event.outlet_id)
    .bind(&event.ticket_id)
    .bind(event.version)
    .bind(state)
    .bind(&event.want_severity)
    .bind(now.as_millisecond())
    .bind(again_at)
    .bind(&answer)
    .execute(&mut *conn)
    .await?;
    let column = if result.is_ok() { "told_at" } else { "failed_at" };
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE outlet SET {column} = $2, last_answer = $3 WHERE id = $1"
    )))
    .bind(&event.outlet_id)
    .bind(now.as_millisecond())
    .bind(&answer)
    .execute(conn)
    .await?;
    Ok(())
}
