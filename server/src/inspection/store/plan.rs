//! SQL for what inspections are counted from, when a site is closed, and when each plan was looked at last.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::db::Conn;
use crate::inspection::Window;
use crate::user::Scope;

/// A contract at a site, as far as its inspections ask. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Cover {
    pub zone: String,
    pub changed_at: i64,
    pub service_at: Option<i64>,
    pub ended_at: Option<i64>,
    /// Whether the contract still covers the site.
    pub covered: i64,
}

/// What is known of a contract at a site.
pub async fn find_cover(conn: &mut Conn, contract: &str, site: &str) -> sqlx::Result<Option<Cover>> {
    sqlx::query_as(
        "SELECT s.zone, c.changed_at, c.service_at, c.ended_at, \
         (SELECT CAST(COUNT(*) AS BIGINT) FROM contract_site x WHERE x.contract_id = c.id AND x.site_id = s.id) AS covered \
         FROM contract c JOIN site s ON s.id = $2 WHERE c.id = $1",
    )
    .bind(contract)
    .bind(site)
    .fetch_optional(conn)
    .await
}

/// Contracts and sites that are to be looked at: never planned, changed since, a new day there, or not covered any more.
pub async fn list_due(conn: &mut Conn, now: Timestamp, limit: i64) -> sqlx::Result<Vec<(String, String)>> {
    sqlx::query_as(
        "SELECT s.contract_id, s.site_id FROM contract_site s JOIN contract c ON c.id = s.contract_id \
         LEFT JOIN inspection_plan p ON p.contract_id = s.contract_id AND p.site_id = s.site_id \
         WHERE c.service_at IS NOT NULL AND (p.contract_id IS NULL OR p.seen <> c.changed_at OR p.next_at IS NULL \
         OR p.next_at <= $1) \
         UNION ALL SELECT p.contract_id, p.site_id FROM inspection_plan p JOIN contract c ON c.id = p.contract_id \
         WHERE p.seen <> c.changed_at AND NOT EXISTS \
         (SELECT 1 FROM contract_site s WHERE s.contract_id = p.contract_id AND s.site_id = p.site_id) \
         ORDER BY 1, 2 LIMIT $2",
    )
    .bind(now.as_millisecond())
    .bind(limit)
    .fetch_all(conn)
    .await
}

/// Holds a plan until the transaction ends, so that two who look at it come one after the other.
pub async fn hold(conn: &mut Conn, contract: &str, site: &str) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO inspection_plan (contract_id, site_id, seen, next_at, waiting, gaps) VALUES ($1, $2, 0, NULL, '[]', '[]') \
         ON CONFLICT (contract_id, site_id) DO UPDATE SET next_at = NULL",
    )
    .bind(contract)
    .bind(site)
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes when a plan is looked at next, what it waits for and where nothing is owed.
pub async fn save(
    conn: &mut Conn,
    (contract, site): (&str, &str),
    (seen, next): (i64, Timestamp),
    (waiting, gaps): (&str, &str),
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE inspection_plan SET seen = $3, next_at = $4, waiting = $5, gaps = $6 WHERE contract_id = $1 AND site_id = $2",
    )
    .bind(contract)
    .bind(site)
    .bind(seen)
    .bind(next.as_millisecond())
    .bind(waiting)
    .bind(gaps)
    .execute(conn)
    .await?;
    Ok(())
}

/// The plans of a site are looked at again.
pub async fn mark_site(conn: &mut Conn, site: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE inspection_plan SET next_at = NULL WHERE site_id = $1")
        .bind(site)
        .execute(conn)
        .await?;
    Ok(())
}

/// A plan with what a person needs beside it.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct PlanRow {
    pub contract_id: String,
    pub contract: String,
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub waiting: String,
    pub gaps: String,
}

/// The plans in scope, by site and contract.
pub async fn list(conn: &mut Conn, scope: &Scope) -> sqlx::Result<Vec<PlanRow>> {
    sqlx::query_as(
        "SELECT p.contract_id, c.name AS contract, p.site_id, s.name AS site_name, s.name_zh AS site_name_zh, p.waiting, p.gaps \
         FROM inspection_plan p JOIN contract c ON c.id = p.contract_id JOIN site s ON s.id = p.site_id \
         WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) AND c.state = 'in_service' \
         ORDER BY s.name, c.name, p.contract_id LIMIT 5000",
    )
    .bind(scope.customer())
    .fetch_all(conn)
    .await
}

/// The days that a contract's inspections at a site are counted from.
pub async fn anchors(conn: &mut Conn, contract: &str, site: &str) -> sqlx::Result<BTreeMap<String, Date>> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT event, day FROM inspection_anchor WHERE contract_id = $1 AND site_id = $2")
            .bind(contract)
            .bind(site)
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().filter_map(|(event, day)| Some((event, day.parse().ok()?))).collect())
}

/// An anchor of a plan: contract, site, event, day, who wrote it down and when.
pub type AnchorRow = (String, String, String, String, String, i64);

/// All anchors in scope.
pub async fn list_anchors(conn: &mut Conn, scope: &Scope) -> sqlx::Result<Vec<AnchorRow>> {
    sqlx::query_as(
        "SELECT a.contract_id, a.site_id, a.event, a.day, a.set_by, a.set_at FROM inspection_anchor a \
         JOIN site s ON s.id = a.site_id WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) \
         ORDER BY a.contract_id, a.site_id, a.event LIMIT 20000",
    )
    .bind(scope.customer())
    .fetch_all(conn)
    .await
}

/// Writes from which day inspections are counted.
pub async fn set_anchor(
    conn: &mut Conn,
    (contract, site): (&str, &str),
    (event, day): (&str, Date),
    by: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO inspection_anchor (contract_id, site_id, event, day, set_by, set_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (contract_id, site_id, event) DO UPDATE SET day = excluded.day, set_by = excluded.set_by, \
         set_at = excluded.set_at",
    )
    .bind(contract)
    .bind(site)
    .bind(event)
    .bind(day.to_string())
    .bind(by)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Days on which a site is closed.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Closure {
    pub id: String,
    pub site_id: String,
    pub from_day: String,
    pub until_day: String,
    pub reason: String,
    pub made_by: String,
    pub made_at: i64,
}

/// When a site is closed, the first days first. The caller has checked that the viewer may see the site.
pub async fn list_closures(conn: &mut Conn, site: &str) -> sqlx::Result<Vec<Closure>> {
    sqlx::query_as(
        "SELECT id, site_id, from_day, until_day, reason, made_by, made_at FROM site_closure \
         WHERE site_id = $1 AND revoked_at IS NULL ORDER BY from_day, id LIMIT 500",
    )
    .bind(site)
    .fetch_all(conn)
    .await
}

/// The same as windows.
pub async fn closed(conn: &mut Conn, site: &str) -> sqlx::Result<Vec<Window>> {
    let rows = list_closures(conn, site).await?;
    let windows = rows.into_iter().filter_map(|row| {
        Some(Window { from: row.from_day.parse().ok()?, until: row.until_day.parse().ok()? })
    });
    Ok(windows.collect())
}

/// Writes down that a site is closed.
pub async fn insert_closure(conn: &mut Conn, closure: &Closure) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO site_closure (id, site_id, from_day, until_day, reason, made_by, made_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&closure.id)
    .bind(&closure.site_id)
    .bind(&closure.from_day)
    .bind(&closure.until_day)
    .bind(&closure.reason)
    .bind(&closure.made_by)
    .bind(closure.made_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// A site is not closed after all; false where there is no such closure.
pub async fn revoke_closure(conn: &mut Conn, site: &str, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE site_closure SET revoked_at = $3 WHERE site_id = $1 AND id = $2 AND revoked_at IS NULL",
    )
    .bind(site)
    .bind(id)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
