//! Which tickets' clocks are to be counted anew. Whatever may move them leaves a mark on the ticket in its own
//! transaction, and whoever counts takes the mark away in the transaction of the counting, so none is lost.

use jiff::Timestamp;

use crate::db::{Conn, Engine, skip_locked};

/// Marks every ticket of a site.
pub async fn mark_site(conn: &mut Conn, site: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("UPDATE ticket SET recount_at = $2 WHERE site_id = $1")
        .bind(site)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// Marks every ticket there is.
pub async fn mark_all(conn: &mut Conn, now: Timestamp) -> sqlx::Result<u64> {
    let done =
        sqlx::query("UPDATE ticket SET recount_at = $1").bind(now.as_millisecond()).execute(conn).await?;
    Ok(done.rows_affected())
}

/// Marks these tickets.
pub async fn mark(conn: &mut Conn, ticket: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("UPDATE ticket SET recount_at = $2 WHERE id = $1")
        .bind(ticket)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether any ticket is marked.
pub async fn is_any(conn: &mut Conn) -> sqlx::Result<bool> {
    let one: Option<i64> =
        sqlx::query_scalar("SELECT recount_at FROM ticket WHERE recount_at IS NOT NULL LIMIT 1")
            .fetch_optional(conn)
            .await?;
    Ok(one.is_some())
}

/// Takes the marks of at most `most` tickets, those that have waited longest first; their ids. What another
/// transaction is writing to stays marked, and its turn comes with the next call.
pub async fn take(conn: &mut Conn, engine: Engine, most: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "UPDATE ticket SET recount_at = NULL WHERE id IN (SELECT id FROM ticket WHERE recount_at IS NOT NULL \
         ORDER BY recount_at LIMIT $1 {}) RETURNING id",
        skip_locked(engine)
    )))
    .bind(most)
    .fetch_all(conn)
    .await
}

/// Takes the mark of one ticket, and its row with it until the transaction ends.
pub async fn unmark(conn: &mut Conn, ticket: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE ticket SET recount_at = NULL WHERE id = $1").bind(ticket).execute(conn).await?;
    Ok(())
}
