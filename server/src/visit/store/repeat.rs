//! SQL for tickets of the same fault on the same device.

use crate::db::Conn;

/// An earlier ticket: its number, when it was opened and closed (Unix ms), how many of its visits were done, and what was written on
/// the last of them (JSON).
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Earlier {
    pub number: i64,
    pub opened_at: i64,
    pub closed_at: Option<i64>,
    pub repairs: i64,
    pub form: Option<String>,
}

/// Tickets with that code on that device that were opened from `since` on and before `until`, the newest first; at most fifty.
pub async fn list_earlier(
    conn: &mut Conn,
    (device, code): (&str, &str),
    (since, until): (i64, i64),
) -> sqlx::Result<Vec<Earlier>> {
    const DONE: &str =
        "v.ticket_id = t.id AND v.state IN ('done', 'signed', 'unsigned', 'called_back', 'filed')";
    let text = format!(
        "SELECT t.number, t.opened_at, t.closed_at, \
         (SELECT CAST(COUNT(*) AS BIGINT) FROM visit v WHERE {DONE}) AS repairs, \
         (SELECT v.form FROM visit v WHERE {DONE} ORDER BY v.number DESC LIMIT 1) AS form \
         FROM ticket t WHERE t.device_id = $1 AND t.code = $2 AND t.opened_at >= $3 AND t.opened_at < $4 \
         ORDER BY t.opened_at DESC, t.number DESC LIMIT 50"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(device)
        .bind(code)
        .bind(since)
        .bind(until)
        .fetch_all(conn)
        .await
}
