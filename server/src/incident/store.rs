//! SQL for incidents.

use jiff::Timestamp;

use crate::db::Conn;
use crate::id::id;
use crate::user::Scope;

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

/// Closes the open incident of this code; its id and its ticket, or `None` when none was open.
pub async fn close(
    conn: &mut Conn,
    gateway: &str,
    device: Option<&str>,
    code: &str,
    at: Timestamp,
) -> sqlx::Result<Option<(IncidentId, Option<String>)>> {
    let closed: Option<(String, Option<String>)> = sqlx::query_as(
        "UPDATE incident SET closed_at = CASE WHEN opened_at > $4 THEN opened_at ELSE $4 END \
         WHERE gateway_id = $1 AND COALESCE(device_id, '') = $2 AND code = $3 AND closed_at IS NULL \
         RETURNING id, ticket_id",
    )
    .bind(gateway)
    .bind(device.unwrap_or_default())
    .bind(code)
    .bind(at.as_millisecond())
    .fetch_optional(conn)
    .await?;
    Ok(closed.map(|(id, ticket)| (IncidentId::from(id), ticket)))
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
}

const SELECT: &str = "SELECT i.id, i.site_id, s.name AS site_name, s.name_zh AS site_name_zh, s.customer_id, \
     i.gateway_id, g.name AS gateway_name, i.device_id, d.name AS device_name, d.class, i.code, i.severity, \
     i.opened_at, i.last_good_at, i.first_bad_at, i.closed_at, i.evidence, i.ticket_id, t.number AS ticket_number, \
     CASE WHEN i.code = 'gateway_silent' AND i.closed_at IS NULL THEN (SELECT CAST(COUNT(*) AS BIGINT) FROM device u \
       WHERE u.gateway_id = i.gateway_id AND u.removed_at IS NULL AND u.state = 'unknown') \
     ELSE CAST(0 AS BIGINT) END AS unknown_devices \
     FROM incident i JOIN site s ON s.id = i.site_id JOIN gateway g ON g.id = i.gateway_id \
     LEFT JOIN device d ON d.id = i.device_id LEFT JOIN ticket t ON t.id = i.ticket_id \
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
    /// Only of this site.
    pub site_id: Option<String>,
    /// Only of this device.
    pub device_id: Option<String>,
    /// Only of this ticket.
    pub ticket_id: Option<String>,
}

/// Incidents that the viewer may see, newest first; at most `limit`.
pub async fn list(conn: &mut Conn, scope: &Scope, filter: &Filter, limit: i64) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} AND (CAST($2 AS BIGINT) IS NULL OR $2 = CASE WHEN i.closed_at IS NULL THEN 1 ELSE 0 END) \
         AND (CAST($3 AS TEXT) IS NULL OR i.site_id = $3) AND (CAST($4 AS TEXT) IS NULL OR i.device_id = $4) \
         AND (CAST($5 AS TEXT) IS NULL OR i.ticket_id = $5) ORDER BY i.opened_at DESC, i.id DESC LIMIT $6"
    )))
    .bind(scope.customer())
    .bind(filter.open.map(i64::from))
    .bind(&filter.site_id)
    .bind(&filter.device_id)
    .bind(&filter.ticket_id)
    .bind(limit)
    .fetch_all(conn)
    .await
}
