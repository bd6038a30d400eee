//! SQL for how a gateway pages by itself while it is cut off.

use jiff::Timestamp;
use sitewarden_proto::id::GatewayId;

use crate::db::Conn;

/// What is set for a gateway.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Row {
    pub url: String,
    /// The template, sealed.
    pub sealed: Vec<u8>,
    /// From this severity on.
    pub severity: String,
    pub after_minutes: i64,
    /// A JSON list of `{account_id, address}`.
    pub people: String,
    pub changed_at: i64,
}

/// What is set for a gateway, if anything is.
pub async fn find(conn: &mut Conn, gateway: &GatewayId) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(
        "SELECT url, sealed, severity, after_minutes, people, changed_at FROM local_page WHERE gateway_id = $1",
    )
    .bind(gateway.as_ref())
    .fetch_optional(conn)
    .await
}

/// Sets it.
pub async fn put(conn: &mut Conn, gateway: &GatewayId, row: &Row, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO local_page (gateway_id, url, sealed, severity, after_minutes, people, changed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (gateway_id) DO UPDATE SET url = excluded.url, \
         sealed = excluded.sealed, severity = excluded.severity, after_minutes = excluded.after_minutes, \
         people = excluded.people, changed_at = excluded.changed_at",
    )
    .bind(gateway.as_ref())
    .bind(&row.url)
    .bind(row.sealed.clone())
    .bind(&row.severity)
    .bind(row.after_minutes)
    .bind(&row.people)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets it; false when nothing was set.
pub async fn delete(conn: &mut Conn, gateway: &GatewayId) -> sqlx::Result<bool> {
    let done = sqlx::query("DELETE FROM local_page WHERE gateway_id = $1")
        .bind(gateway.as_ref())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// The sealed templates, with their gateways.
pub async fn list_sealed(conn: &mut Conn) -> sqlx::Result<Vec<(String, Vec<u8>)>> {
    sqlx::query_as("SELECT gateway_id, sealed FROM local_page ORDER BY gateway_id").fetch_all(conn).await
}

/// Seals a row anew.
pub async fn reseal(conn: &mut Conn, gateway: &str, sealed: Vec<u8>) -> sqlx::Result<()> {
    sqlx::query("UPDATE local_page SET sealed = $2 WHERE gateway_id = $1")
        .bind(gateway)
        .bind(sealed)
        .execute(conn)
        .await?;
    Ok(())
}
