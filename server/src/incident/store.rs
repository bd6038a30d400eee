//! SQL for incidents.

use jiff::Timestamp;

use crate::db::{Conn, narrow};
use crate::id::id;
use crate::user::Scope;

pub mod cause;
pub mod many;

id! {
    /// Names an incident.
    IncidentId
}

/// What opens an incident.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct New<'a> {
    pub gateway_id: &'a str,
    pub device_id: Option<&'a str>,
    pub code: &'a str,
    pub opened_at: Timestamp,
    pub last_good_at: Option<Timestamp>,
    pub first_bad_at: Option<Timestamp>,
    pub evidence: &'a str,
}

/// Opens an incident, or returns `None` when one for this code already stands: the database's unique
/// index is the referee.
pub async fn open(conn: &mut Conn, new: &New<'_>, now: Timestamp) -> sqlx::Result<Option<IncidentId>> {
    let id = IncidentId::new(now);
    let severity = super::severity_of(new.code);
    let done = sqlx::query(
        "INSERT INTO incident (id, site_id, gateway_id, device_id, code, severity, opened_at, last_good_at, first_bad_at, \
         recorded_at, evidence) SELECT $1, g.site_id, g.id, $3, $4, $5, $6, $7, $8, $9, $10 FROM gateway g WHERE g.id = $2 \
         ON CONFLICT DO NOTHING",
    )
    .bind(id.as_str())
    .bind(new.gateway_id)
    .bind(new.device_id)
    .bind(new.code)
    .bind(severity.as_str())
    .bind(new.opened_at.as_millisecond())
    .bind(new.last_good_at.map(Timestamp::as_millisecond))
    .bind(new.first_bad_at.map(Timestamp::as_millisecond))
    .bind(now.as_millisecond())
    .bind(new.evidence)
    .execute(conn)
    .await?;
    Ok((done.rows_affected() == 1).then_some(id))
}

/// The open incident of this code: its id, its site and its ticket.
pub async fn find_open(
    conn: &mut Conn,
    gateway: &str,
    device: Option<&str>,
    code: &str,
) -> sqlx::Result<Option<(String, String, Option<String>)>> {
    sqlx::query_as(
        "SELECT id, site_id, ticket_id FROM incident WHERE gateway_id = $1 AND COALESCE(device_id, '') = $2 AND code = $3 \
         AND closed_at IS NULL",
    )
    .bind(gateway)
    .bind(device.unwrap_or_default())
    .bind(code)
    .fetch_optional(conn)
    .await
}

/// Closes the open incident of this code; its id, its ticket and its cause, or `None` when none was open.
pub async fn close(
    conn: &mut Conn,
    gateway: &str,
    device: Option<&str>,
    code: &str,
    at: Timestamp,
) -> sqlx::Result<Option<Closed>> {
    sqlx::query_as(
        "UPDATE incident SET settle_at = NULL, closed_at = CASE WHEN opened_at > $4 THEN opened_at ELSE $4 END \
         WHERE gateway_id = $1 AND COALESCE(device_id, '') = $2 AND code = $3 AND closed_at IS NULL \
         RETURNING id, ticket_id, cause_id",
    )
    .bind(gateway)
    .bind(device.unwrap_or_default())
    .bind(code)
    .bind(at.as_millisecond())
    .fetch_optional(conn)
    .await
}

/// An incident that has just been closed.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Closed {
    pub id: String,
    pub ticket_id: Option<String>,
    pub cause_id: Option<String>,
}

/// Ties an incident to its ticket.
pub async fn set_ticket(conn: &mut Conn, id: &IncidentId, ticket: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE incident SET ticket_id = $2 WHERE id = $1")
        .bind(id.as_str())
        .bind(ticket)
        .execute(conn)
        .await?;
    Ok(())
}

/// How many incidents of a ticket are still open.
pub async fn count_open(conn: &mut Conn, ticket: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM incident WHERE ticket_id = $1 AND closed_at IS NULL",
    )
    .bind(ticket)
    .fetch_one(conn)
    .await
}

/// An incident with the names a person needs beside it. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Row {
    pub id: String,
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub customer_id: String,
    pub gateway_id: String,
    pub gateway_name: String,
    pub device_id: Option<String>,
    pub device_name: Option<String>,
    pub class: Option<String>,
    pub code: String,
    pub severity: String,
    pub opened_at: i64,
    pub last_good_at: Option<i64>,
    pub first_bad_at: Option<i64>,
    pub closed_at: Option<i64>,
    pub evidence: String,
    pub ticket_id: Option<String>,
    pub ticket_number: Option<i64>,
    pub unknown_devices: i64,
    pub cause_id: Option<String>,
    pub cause_name: Option<String>,
    pub settle_at: Option<i64>,
}

pub(super) const SELECT: &str = "SELECT i.id, i.site_id, s.name AS site_name, s.name_zh AS site_name_zh, s.customer_id, \
     i.gateway_id, g.name AS gateway_name, i.device_id, d.name AS device_name, d.class, i.code, i.severity, \
     i.opened_at, i.last_good_at, i.first_bad_at, i.closed_at, i.evidence, i.ticket_id, t.number AS ticket_number, \
     CASE WHEN i.code = 'gateway_silent' AND i.closed_at IS NULL THEN (SELECT CAST(COUNT(*) AS BIGINT) FROM device u \
       WHERE u.gateway_id = i.gateway_id AND u.removed_at IS NULL AND u.state = 'unknown') \
     ELSE CAST(0 AS BIGINT) END AS unknown_devices, \
     i.cause_id, COALESCE(cd.name, cg.name) AS cause_name, CASE WHEN i.closed_at IS NULL THEN i.settle_at END AS settle_at \
     FROM incident i JOIN site s ON s.id = i.site_id JOIN gateway g ON g.id = i.gateway_id \
     LEFT JOIN device d ON d.id = i.device_id LEFT JOIN ticket t ON t.id = i.ticket_id \
     LEFT JOIN incident c ON c.id = i.cause_id LEFT JOIN device cd ON cd.id = c.device_id \
     LEFT JOIN gateway cg ON cg.id = c.gateway_id \
     WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1)";

/// One incident that the viewer may see.
pub async fn find(conn: &mut Conn, scope: &Scope, id: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} AND i.id = $2")))
        .bind(scope.customer())
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// What a list of incidents is narrowed by; `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Open only, closed only, or both.
    pub open: Option<bool>,
    /// Only causes of their own, as far as it is known.
    pub is_cause: bool,
    /// Only of this site.
    pub site_id: Option<String>,
    /// Only of this device.
    pub device_id: Option<String>,
    /// Only of this ticket.
    pub ticket_id: Option<String>,
}

/// The ids of what stands under a cause, as far as the viewer may see it, newest first; at most `limit`.
pub async fn list_symptom_ids(conn: &mut Conn, scope: &Scope, limit: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT i.id FROM incident i JOIN site s ON s.id = i.site_id WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) \
         AND i.closed_at IS NULL AND i.cause_id IS NOT NULL ORDER BY i.opened_at DESC, i.id DESC LIMIT $2",
    )
    .bind(scope.customer())
    .bind(limit)
    .fetch_all(conn)
    .await
}

/// Incidents that the viewer may see, newest first; at most `limit`.
pub async fn list(conn: &mut Conn, scope: &Scope, filter: &Filter, limit: i64) -> sqlx::Result<Vec<Row>> {
    let mut text = SELECT.to_owned();
    match filter.open {
        Some(true) => text.push_str(" AND i.closed_at IS NULL"),
        Some(false) => text.push_str(" AND i.closed_at IS NOT NULL"),
        None => {}
    }
    if filter.is_cause {
        text.push_str(" AND i.cause_id IS NULL");
    }
    let by = [
        ("i.site_id", filter.site_id.as_deref()),
        ("i.device_id", filter.device_id.as_deref()),
        ("i.ticket_id", filter.ticket_id.as_deref()),
    ];
    let narrowing = narrow(&mut text, 3, by);
    text.push_str(" ORDER BY i.opened_at DESC, i.id DESC LIMIT $2");
    let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text)).bind(scope.customer()).bind(limit);
    for id in narrowing {
        query = query.bind(id.to_owned());
    }
    query.fetch_all(conn).await
}

/// What a page says of a ticket's trouble. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Told {
    pub evidence: String,
    pub opened_at: i64,
    pub first_bad_at: Option<i64>,
}

/// The trouble of this code on a ticket: a cause of its own rather than a symptom, and the newest of them.
pub async fn find_told(conn: &mut Conn, ticket: &str, code: &str) -> sqlx::Result<Option<Told>> {
    sqlx::query_as(
        "SELECT evidence, opened_at, first_bad_at FROM incident WHERE ticket_id = $1 AND code = $2 \
         ORDER BY CASE WHEN cause_id IS NULL THEN 0 ELSE 1 END, opened_at DESC, id DESC LIMIT 1",
    )
    .bind(ticket)
    .bind(code)
    .fetch_optional(conn)
    .await
}

/// The ticket of the newest incident of a fault of a device that had begun at `at`.
pub async fn latest_ticket(
    conn: &mut Conn,
    gateway: &str,
    device: &str,
    code: &str,
    at: Timestamp,
) -> sqlx::Result<Option<String>> {
    let found: Option<Option<String>> = sqlx::query_scalar(
        "SELECT ticket_id FROM incident WHERE gateway_id = $1 AND device_id = $2 AND code = $3 AND opened_at <= $4 \
         ORDER BY opened_at DESC LIMIT 1",
    )
    .bind(gateway)
    .bind(device)
    .bind(code)
    .bind(at.as_millisecond())
    .fetch_optional(conn)
    .await?;
    Ok(found.flatten())
}
