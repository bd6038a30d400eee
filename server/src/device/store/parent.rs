//! SQL for what a device or a gateway hangs off, for reach and for power. The first recorded parent for reach is
//! also the device's own column: its gateway and the live page go by it.

use crate::db::Conn;
use crate::device::parent::{Link, Need, Source};

/// Whose parents.
#[derive(Clone, Copy, Debug)]
pub enum Child<'a> {
    /// Of a device.
    Device(&'a str),
    /// Of a gateway.
    Gateway(&'a str),
}

impl Child<'_> {
    fn parts(&self) -> (&'static str, &'static str, &str) {
        match self {
            Self::Device(id) => ("device_parent", "device_id", id),
            Self::Gateway(id) => ("gateway_parent", "gateway_id", id),
        }
    }
}

/// A parent with the names a person needs beside it.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Row {
    pub parent_id: String,
    pub name: String,
    pub state: String,
    pub kind: String,
    pub group_name: String,
    pub source: String,
}

/// What a device or a gateway hangs off; parents out of service are left out.
pub async fn list(conn: &mut Conn, child: Child<'_>) -> sqlx::Result<Vec<Row>> {
    let (table, column, id) = child.parts();
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT l.parent_id, p.name, p.state, l.kind, l.group_name, l.source FROM {table} l JOIN device p ON p.id = l.parent_id \
         WHERE l.{column} = $1 AND p.removed_at IS NULL ORDER BY l.kind DESC, l.group_name, p.name, p.id"
    )))
    .bind(id)
    .fetch_all(conn)
    .await
}

/// Replaces what is known of the parents from `source`. What another source says of the same parent stays.
pub async fn replace(conn: &mut Conn, child: Child<'_>, links: &[Link], source: Source) -> sqlx::Result<()> {
    let (table, column, id) = child.parts();
    sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table} WHERE {column} = $1 AND source = $2")))
        .bind(id)
        .bind(source.as_str())
        .execute(&mut *conn)
        .await?;
    for link in links {
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "INSERT INTO {table} ({column}, parent_id, kind, group_name, source) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT ({column}, parent_id, kind) DO NOTHING"
        )))
        .bind(id)
        .bind(&link.parent)
        .bind(link.need.as_str())
        .bind(&link.group)
        .bind(source.as_str())
        .execute(&mut *conn)
        .await?;
    }
    let Child::Device(device) = child else { return Ok(()) };
    let first = links.iter().find(|link| link.need == Need::Reach).map(|link| link.parent.as_str());
    if source == Source::Recorded {
        sqlx::query("UPDATE device SET parent_id = $2 WHERE id = $1")
            .bind(device)
            .bind(first)
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// What hangs off a device that leaves service hangs off its parents from now on.
pub async fn bridge(conn: &mut Conn, id: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE device SET parent_id = (SELECT p.parent_id FROM device p WHERE p.id = $1) WHERE parent_id = $1")
        .bind(id)
        .execute(&mut *conn)
        .await?;
    for (table, column) in [("device_parent", "device_id"), ("gateway_parent", "gateway_id")] {
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "INSERT INTO {table} ({column}, parent_id, kind, group_name, source) \
             SELECT c.{column}, up.parent_id, c.kind, c.group_name, c.source FROM {table} c JOIN device_parent up \
             ON up.device_id = c.parent_id AND up.kind = c.kind WHERE c.parent_id = $1 AND c.{column} <> up.parent_id \
             ON CONFLICT ({column}, parent_id, kind) DO NOTHING"
        )))
        .bind(id)
        .execute(&mut *conn)
        .await?;
        sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table} WHERE parent_id = $1")))
            .bind(id)
            .execute(&mut *conn)
            .await?;
    }
    sqlx::query("DELETE FROM device_parent WHERE device_id = $1").bind(id).execute(conn).await?;
    Ok(())
}

/// How long its slowest check takes to confirm a fault.
pub async fn confirm_ms(conn: &mut Conn, id: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT confirm_ms FROM device WHERE id = $1").bind(id).fetch_one(conn).await
}

/// Everything above `id`, itself left out unless it hangs off itself.
pub async fn list_above(conn: &mut Conn, id: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "WITH RECURSIVE above(id) AS (SELECT parent_id FROM device_parent WHERE device_id = $1 \
         UNION SELECT l.parent_id FROM device_parent l JOIN above a ON l.device_id = a.id) SELECT id FROM above",
    )
    .bind(id)
    .fetch_all(conn)
    .await
}
