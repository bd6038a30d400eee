//! SQL for maintenance windows: what they are, what lies in them, what they change.

use jiff::Timestamp;

use super::{Kind, Window};
use crate::db::Conn;
use crate::id::id;
use crate::user::Scope;

id! {
    /// Names a maintenance window.
    MaintenanceId
}

/// A window with the names a person needs beside it. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Row {
    pub id: String,
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub zone: String,
    pub gateway_id: Option<String>,
    pub gateway_name: Option<String>,
    pub device_id: Option<String>,
    pub device_name: Option<String>,
    pub code: String,
    pub kind: String,
    pub state: String,
    pub starts_at: i64,
    pub ends_at: i64,
    pub length_ms: Option<i64>,
    pub began_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub reason: String,
    pub creator: String,
    pub created_at: i64,
    pub ended_by: String,
}

impl Row {
    /// As time sees it.
    pub fn window(&self) -> Window {
        Window {
            kind: Kind::parse(&self.kind).unwrap_or(Kind::Fixed),
            starts_at: self.starts_at,
            ends_at: self.ends_at,
            length_ms: self.length_ms,
            began_at: self.began_at,
            ended_at: self.ended_at,
        }
    }
}

const SELECT: &str = "SELECT m.id, m.site_id, s.name AS site_name, s.name_zh AS site_name_zh, s.zone, m.gateway_id, \
     g.name AS gateway_name, m.device_id, d.name AS device_name, m.code, m.kind, m.state, m.starts_at, m.ends_at, m.length_ms, \
     m.began_at, m.ended_at, m.reason, m.creator, m.created_at, m.ended_by FROM maintenance m JOIN site s ON s.id = m.site_id \
     LEFT JOIN gateway g ON g.id = m.gateway_id LEFT JOIN device d ON d.id = m.device_id \
     WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1)";

/// One window that the viewer may see.
pub async fn find(conn: &mut Conn, scope: &Scope, id: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} AND m.id = $2")))
        .bind(scope.customer())
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// Windows that the viewer may see, those that end last first; of one site, of a device with what lies around it.
pub async fn list(conn: &mut Conn, scope: &Scope, site: Option<&str>, over: bool) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} AND (CAST($2 AS TEXT) IS NULL OR m.site_id = $2) AND ($3 = 1 OR m.state <> 'over') \
         ORDER BY m.ends_at DESC, m.id LIMIT 500"
    )))
    .bind(scope.customer())
    .bind(site)
    .bind(i64::from(over))
    .fetch_all(conn)
    .await
}

/// Windows that are not over and cover a fault of a device, those that begin first first.
pub async fn list_covering(
    conn: &mut Conn,
    site: &str,
    gateway: &str,
    device: &str,
    code: &str,
) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} AND m.state <> 'over' AND m.site_id = $2 AND (m.gateway_id IS NULL OR m.gateway_id = $3) \
         AND (m.device_id IS NULL OR m.device_id = $4) AND (m.code = '' OR m.code = $5) ORDER BY m.starts_at, m.id LIMIT 500"
    )))
    .bind(Scope::All.customer())
    .bind(site)
    .bind(gateway)
    .bind(device)
    .bind(code)
    .fetch_all(conn)
    .await
}

/// How many windows of a site are not over.
pub async fn count_current(conn: &mut Conn, site: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM maintenance WHERE site_id = $1 AND state IN ('planned', 'waiting', 'running')",
    )
    .bind(site)
    .fetch_one(conn)
    .await
}

/// A new window.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct New<'a> {
    pub site_id: &'a str,
    pub gateway_id: Option<&'a str>,
    pub device_id: Option<&'a str>,
    pub code: &'a str,
    pub window: Window,
    pub reason: &'a str,
    pub account_id: &'a str,
    pub account: &'a str,
}

/// Adds a window; the next step looks at it.
pub async fn insert(conn: &mut Conn, new: &New<'_>, now: Timestamp) -> sqlx::Result<MaintenanceId> {
    let id = MaintenanceId::new(now);
    sqlx::query(
        "INSERT INTO maintenance (id, site_id, gateway_id, device_id, code, kind, state, starts_at, ends_at, length_ms, \
         next_at, reason, created_by, creator, created_at, ended_by) \
         VALUES ($1, $2, $3, $4, $5, $6, 'planned', $7, $8, $9, $10, $11, $12, $13, $10, '')",
    )
    .bind(id.as_str())
    .bind(new.site_id)
    .bind(new.gateway_id)
    .bind(new.device_id)
    .bind(new.code)
    .bind(new.window.kind.as_str())
    .bind(new.window.starts_at)
    .bind(new.window.ends_at)
    .bind(new.window.length_ms)
    .bind(now.as_millisecond())
    .bind(new.reason)
    .bind(new.account_id)
    .bind(new.account)
    .execute(conn)
    .await?;
    Ok(id)
}

/// Writes down what a person or an event changed; the next step looks at it.
pub async fn set(
    conn: &mut Conn,
    id: &str,
    window: &Window,
    ended_by: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE maintenance SET ends_at = $2, length_ms = $3, began_at = $4, ended_at = $5, ended_by = $6, next_at = $7 \
         WHERE id = $1",
    )
    .bind(id)
    .bind(window.ends_at)
    .bind(window.length_ms)
    .bind(window.began_at)
    .bind(window.ended_at)
    .bind(ended_by)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes down where a window stands, and when to look at it again.
pub async fn set_state(conn: &mut Conn, id: &str, state: &str, next_at: Option<i64>) -> sqlx::Result<()> {
    sqlx::query("UPDATE maintenance SET state = $2, next_at = $3 WHERE id = $1")
        .bind(id)
        .bind(state)
        .bind(next_at)
        .execute(conn)
        .await?;
    Ok(())
}

/// Windows that change now.
pub async fn list_due(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} AND m.next_at IS NOT NULL AND m.next_at <= $2 ORDER BY m.next_at, m.id LIMIT 500"
    )))
    .bind(Scope::All.customer())
    .bind(now.as_millisecond())
    .fetch_all(conn)
    .await
}

/// What a window covers: a row of `t` with these columns.
const COVERS: &str = "m.site_id = t.site_id AND (m.gateway_id IS NULL OR m.gateway_id = t.gateway_id) \
     AND (m.device_id IS NULL OR m.device_id = t.device_id) AND (m.code = '' OR m.code = t.code)";

/// The first fault in the frame of each flexible window that waits: the window, and when the fault was confirmed.
pub async fn list_opened(conn: &mut Conn) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT m.id, MIN(t.opened_at) FROM maintenance m JOIN incident t ON {COVERS} \
         WHERE m.state = 'waiting' AND m.kind = 'flexible' AND t.closed_at IS NULL AND t.opened_at >= m.starts_at \
         AND t.opened_at < m.ends_at GROUP BY m.id"
    )))
    .fetch_all(conn)
    .await
}

/// Standing tickets of the machine in a window that runs, and not held for it yet: ticket and window.
pub async fn list_unheld(conn: &mut Conn) -> sqlx::Result<Vec<(String, String)>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT t.id, MIN(m.id) FROM maintenance m JOIN ticket t ON {COVERS} WHERE m.state = 'running' \
         AND t.state <> 'closed' AND t.origin = 'machine' \
         AND NOT EXISTS (SELECT 1 FROM ticket_hold h WHERE h.ticket_id = t.id AND h.reason = 'maintenance') GROUP BY t.id"
    )))
    .fetch_all(conn)
    .await
}

/// Whether a window that runs covers a ticket.
pub async fn covers(conn: &mut Conn, ticket: &str) -> sqlx::Result<bool> {
    let one: Option<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "SELECT m.id FROM maintenance m JOIN ticket t ON {COVERS} WHERE m.state = 'running' AND t.id = $1 LIMIT 1"
    )))
    .bind(ticket)
    .fetch_optional(conn)
    .await?;
    Ok(one.is_some())
}

/// Tickets held for maintenance that no window covers any more.
pub async fn list_uncovered(conn: &mut Conn) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "SELECT t.id FROM ticket_hold h JOIN ticket t ON t.id = h.ticket_id WHERE h.reason = 'maintenance' \
         AND NOT EXISTS (SELECT 1 FROM maintenance m WHERE m.state = 'running' AND {COVERS}) ORDER BY t.number"
    )))
    .fetch_all(conn)
    .await
}

/// Devices of a window's site whose mark does not say whether a window for any fault runs over them:
/// the device, its gateway, and whether one does.
pub async fn list_unmarked(conn: &mut Conn, site: &str) -> sqlx::Result<Vec<(String, String, i64)>> {
    sqlx::query_as(
        "SELECT id, gateway_id, covered FROM (SELECT d.id, d.gateway_id, d.in_maintenance, CASE WHEN EXISTS (SELECT 1 \
         FROM maintenance m WHERE m.state = 'running' AND m.code = '' AND m.site_id = d.site_id \
         AND (m.gateway_id IS NULL OR m.gateway_id = d.gateway_id) AND (m.device_id IS NULL OR m.device_id = d.id)) \
         THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END AS covered FROM device d WHERE d.site_id = $1 \
         AND d.removed_at IS NULL) marked WHERE covered <> in_maintenance ORDER BY id",
    )
    .bind(site)
    .fetch_all(conn)
    .await
}
