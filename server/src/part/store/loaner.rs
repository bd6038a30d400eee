//! SQL for substitute devices at customers.

use jiff::Timestamp;

use crate::db::Conn;
use crate::user::Scope;

/// A substitute device with the names a person needs beside it. Times are Unix ms.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Row {
    pub id: String,
    pub kind_id: String,
    pub number: String,
    pub name: String,
    pub name_zh: String,
    pub serial: String,
    pub ticket_id: String,
    pub ticket_number: i64,
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub zone: String,
    pub customer: String,
    pub out_at: i64,
    pub due_at: i64,
    pub out_by: String,
    pub state: String,
    pub liable: String,
    pub ended_at: Option<i64>,
    pub ended_by: String,
    pub note: String,
    pub told_at: Option<i64>,
    pub asked: String,
}

const SELECT: &str = "SELECT l.id, l.kind_id, k.number, k.name, k.name_zh, l.serial, l.ticket_id, t.number AS ticket_number, \
     l.site_id, s.name AS site_name, s.name_zh AS site_name_zh, s.zone, c.name AS customer, l.out_at, l.due_at, l.out_by, l.state, \
     l.liable, l.ended_at, l.ended_by, l.note, l.told_at, l.asked FROM loaner l JOIN part_kind k ON k.id = l.kind_id \
     JOIN ticket t ON t.id = l.ticket_id JOIN site s ON s.id = l.site_id JOIN customer c ON c.id = s.customer_id \
     WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1)";

/// Those that the viewer may see, the ones due first first; only those that are out, or all. At most 500.
pub async fn list(conn: &mut Conn, scope: &Scope, all: bool) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} AND ($2 = 1 OR l.state = 'out') ORDER BY CASE WHEN l.state = 'out' THEN 0 ELSE 1 END, l.due_at, l.id LIMIT 500"
    )))
    .bind(scope.customer())
    .bind(i64::from(all))
    .fetch_all(conn)
    .await
}

/// One that the viewer may see.
pub async fn find(conn: &mut Conn, scope: &Scope, id: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} AND l.id = $2")))
        .bind(scope.customer())
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// Whether one of our stock is out for a ticket.
pub async fn is_out(conn: &mut Conn, ticket: &str) -> sqlx::Result<bool> {
    let found: Option<String> =
        sqlx::query_scalar("SELECT id FROM loaner WHERE ticket_id = $1 AND state = 'out' LIMIT 1")
            .bind(ticket)
            .fetch_optional(conn)
            .await?;
    Ok(found.is_some())
}

/// What goes out.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct New<'a> {
    pub id: &'a str,
    pub kind_id: &'a str,
    pub serial: &'a str,
    pub ticket_id: &'a str,
    pub site_id: &'a str,
    pub due_at: i64,
    pub out_by: &'a str,
    pub asked: &'a str,
}

/// Writes down that one goes out.
pub async fn insert(conn: &mut Conn, new: &New<'_>, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO loaner (id, kind_id, serial, ticket_id, site_id, out_at, due_at, out_by, state, liable, ended_by, note, asked) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'out', '', '', '', $9)",
    )
    .bind(new.id)
    .bind(new.kind_id)
    .bind(new.serial)
    .bind(new.ticket_id)
    .bind(new.site_id)
    .bind(now.as_millisecond())
    .bind(new.due_at)
    .bind(new.out_by)
    .bind(new.asked)
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes down how one ended; false when it had ended before.
pub async fn end(
    conn: &mut Conn,
    id: &str,
    (state, liable): (&str, &str),
    (by, note): (&str, &str),
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE loaner SET state = $2, liable = $3, ended_by = $4, note = $5, ended_at = $6 WHERE id = $1 AND state = 'out'",
    )
    .bind(id)
    .bind(state)
    .bind(liable)
    .bind(by)
    .bind(note)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes another day by which one is to be back; it is announced anew when that is over.
pub async fn set_due(conn: &mut Conn, id: &str, due_at: i64) -> sqlx::Result<bool> {
    let done = sqlx::query("UPDATE loaner SET due_at = $2, told_at = NULL WHERE id = $1 AND state = 'out'")
        .bind(id)
        .bind(due_at)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Those that should be back by now and were not announced.
pub async fn list_overdue(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} AND l.state = 'out' AND l.told_at IS NULL AND l.due_at <= $2 ORDER BY l.due_at, l.id LIMIT 100"
    )))
    .bind(Scope::All.customer())
    .bind(now.as_millisecond())
    .fetch_all(conn)
    .await
}

/// Writes down that it was announced; false when it was before, or is back.
pub async fn set_told(conn: &mut Conn, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    let done =
        sqlx::query("UPDATE loaner SET told_at = $2 WHERE id = $1 AND state = 'out' AND told_at IS NULL")
            .bind(id)
            .bind(now.as_millisecond())
            .execute(conn)
            .await?;
    Ok(done.rows_affected() == 1)
}
