//! SQL for what administrators have set for the channels, sealed as a whole.

use jiff::Timestamp;

use crate::db::Conn;

/// What is set for a channel, and since when.
pub async fn find(conn: &mut Conn, channel: &str) -> sqlx::Result<Option<(Vec<u8>, i64)>> {
    sqlx::query_as("SELECT sealed, changed_at FROM provider WHERE channel = $1")
        .bind(channel)
        .fetch_optional(conn)
        .await
}

/// Everything that is sealed here, with its key.
pub async fn list(conn: &mut Conn) -> sqlx::Result<Vec<(String, Vec<u8>)>> {
    sqlx::query_as("SELECT channel, sealed FROM provider ORDER BY channel").fetch_all(conn).await
}

/// Sets a channel.
pub async fn put(conn: &mut Conn, channel: &str, sealed: Vec<u8>, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO provider (channel, sealed, changed_at) VALUES ($1, $2, $3) \
         ON CONFLICT (channel) DO UPDATE SET sealed = excluded.sealed, changed_at = excluded.changed_at",
    )
    .bind(channel)
    .bind(sealed)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Seals a row anew.
pub async fn reseal(conn: &mut Conn, channel: &str, sealed: Vec<u8>) -> sqlx::Result<()> {
    sqlx::query("UPDATE provider SET sealed = $2 WHERE channel = $1")
        .bind(channel)
        .bind(sealed)
        .execute(conn)
        .await?;
    Ok(())
}

/// Forgets what was set for a channel; false when nothing was.
pub async fn delete(conn: &mut Conn, channel: &str) -> sqlx::Result<bool> {
    let done = sqlx::query("DELETE FROM provider WHERE channel = $1").bind(channel).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}

/// How many people are reached on each channel.
pub async fn count_people(conn: &mut Conn) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as(
        "SELECT c.channel, CAST(COUNT(DISTINCT c.account_id) AS BIGINT) FROM contact_method c \
         JOIN account a ON a.id = c.account_id WHERE c.enabled = 1 AND a.disabled = 0 GROUP BY c.channel",
    )
    .fetch_all(conn)
    .await
}
