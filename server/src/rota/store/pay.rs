//! Terms and closed statements in the database.

use jiff::Timestamp;
use sqlx::FromRow;

use crate::db::Conn;
use crate::id::uuid_v7;
use crate::user::AccountId;

/// A row of `duty_terms`.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Row {
    pub id: String,
    pub account_id: Option<String>,
    pub from_month: String,
    pub body: String,
    pub created_by: String,
    pub created_at: i64,
}

const SELECT: &str = "SELECT id, account_id, from_month, body, created_by, created_at FROM duty_terms";

/// Adds terms.
pub async fn insert(
    conn: &mut Conn,
    account: Option<&str>,
    from_month: &str,
    body: &str,
    who: &AccountId,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO duty_terms (id, account_id, from_month, body, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(uuid_v7(now))
    .bind(account)
    .bind(from_month)
    .bind(body)
    .bind(who.as_str())
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// All terms, newest first; at most 1,000.
pub async fn list(conn: &mut Conn) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} ORDER BY from_month DESC, id DESC LIMIT 1000")))
        .fetch_all(conn)
        .await
}

/// The terms of a person in a month: the latest of the person's own, else the latest of everybody's.
pub async fn find(conn: &mut Conn, account: &str, month: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} WHERE from_month <= $2 AND (account_id = $1 OR account_id IS NULL) \
         ORDER BY CASE WHEN account_id IS NULL THEN 1 ELSE 0 END, from_month DESC, id DESC LIMIT 1"
    )))
    .bind(account)
    .bind(month)
    .fetch_optional(conn)
    .await
}

/// Closes a statement with what it says; `false` when it is closed.
pub async fn close(
    conn: &mut Conn,
    account: &str,
    month: &str,
    body: &str,
    who: &AccountId,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO duty_statement (account_id, month, body, closed_at, closed_by) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (account_id, month) DO NOTHING",
    )
    .bind(account)
    .bind(month)
    .bind(body)
    .bind(now.as_millisecond())
    .bind(who.as_str())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What a closed statement says, and when it was closed.
pub async fn find_closed(conn: &mut Conn, account: &str, month: &str) -> sqlx::Result<Option<(String, i64)>> {
    sqlx::query_as("SELECT body, closed_at FROM duty_statement WHERE account_id = $1 AND month = $2")
        .bind(account)
        .bind(month)
        .fetch_optional(conn)
        .await
}
