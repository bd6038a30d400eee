//! Audit rows in the database.

use sqlx::FromRow;

use super::Entry;
use crate::db::Conn;

/// A row of `audit`.
#[derive(Debug, FromRow)]
pub struct Row {
    /// Names it; later ones sort after earlier ones.
    pub id: String,
    /// Unix milliseconds.
    pub at: i64,
    /// Whose account.
    pub account_id: Option<String>,
    /// The person's name then.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// What kind of thing was changed.
    pub subject_kind: String,
    /// Which one.
    pub subject_id: String,
    /// JSON text.
    pub detail: String,
}

/// Adds an entry, in the transaction of the change it records.
pub async fn insert(conn: &mut Conn, entry: &Entry) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO audit (id, at, account_id, actor, action, subject_kind, subject_id, detail) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(crate::id::uuid_v7(entry.at))
    .bind(entry.at.as_millisecond())
    .bind(entry.account.as_ref().map(|id| id.as_str().to_owned()))
    .bind(entry.actor.clone())
    .bind(entry.action)
    .bind(entry.subject_kind)
    .bind(entry.subject_id.clone())
    .bind(entry.detail.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// The newest entries before the one named `before`, newest first.
pub async fn list(conn: &mut Conn, before: Option<&str>, limit: i64) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "SELECT id, at, account_id, actor, action, subject_kind, subject_id, detail FROM audit \
         WHERE (CAST($1 AS TEXT) IS NULL OR id < $1) ORDER BY id DESC LIMIT $2",
    )
    .bind(before.map(str::to_owned))
    .bind(limit)
    .fetch_all(conn)
    .await
}
