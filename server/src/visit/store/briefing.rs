//! SQL for what a technician should know before a visit.

use crate::db::Conn;

/// The form of a ticket's last visit on which something was written, JSON.
pub async fn last_form(conn: &mut Conn, ticket: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(
        "SELECT form FROM visit WHERE ticket_id = $1 AND form <> '{}' ORDER BY number DESC LIMIT 1",
    )
    .bind(ticket)
    .fetch_optional(conn)
    .await
}

/// Devices of a site besides one that do not work, the worst and the longest first: name, class, state, since when
/// (Unix ms). At most 500.
pub async fn list_around(
    conn: &mut Conn,
    site: &str,
    but: Option<&str>,
) -> sqlx::Result<Vec<(String, String, String, i64)>> {
    sqlx::query_as(
        "SELECT name, class, state, state_since FROM device WHERE site_id = $1 AND removed_at IS NULL AND enabled = 1 \
         AND state IN ('down', 'degraded', 'unknown') AND id <> $2 \
         ORDER BY CASE state WHEN 'down' THEN 0 WHEN 'degraded' THEN 1 ELSE 2 END, state_since, name LIMIT 500",
    )
    .bind(site)
    .bind(but.unwrap_or_default())
    .fetch_all(conn)
    .await
}
