//! Customers in the database.

use jiff::Timestamp;
use sqlx::FromRow;

use super::CustomerId;
use crate::db::Conn;
use crate::user::Scope;

/// A row of `customer` with the number of its sites.
#[derive(Clone, Debug, FromRow)]
pub struct Row {
    /// Names it.
    pub id: CustomerId,
    /// What people call it.
    pub name: String,
    /// Free text.
    pub note: String,
    /// Unix milliseconds.
    pub created_at: i64,
    /// How many sites it has.
    pub sites: i64,
}

/// Inserts a customer.
pub async fn insert(conn: &mut Conn, name: &str, note: &str, now: Timestamp) -> sqlx::Result<CustomerId> {
    let id = CustomerId::new(now);
    sqlx::query("INSERT INTO customer (id, name, note, created_at) VALUES ($1, $2, $3, $4)")
        .bind(id.as_str().to_owned())
        .bind(name.to_owned())
        .bind(note.to_owned())
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(id)
}

/// The customers in scope, by name; or the one named `id`.
pub async fn list(conn: &mut Conn, scope: &Scope, id: Option<&str>) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "SELECT c.id, c.name, c.note, c.created_at, \
         (SELECT CAST(COUNT(*) AS BIGINT) FROM site s WHERE s.customer_id = c.id) AS sites FROM customer c \
         WHERE (CAST($1 AS TEXT) IS NULL OR c.id = $1) AND (CAST($2 AS TEXT) IS NULL OR c.id = $2) \
         ORDER BY c.name, c.id LIMIT 10000",
    )
    .bind(scope.customer().map(str::to_owned))
    .bind(id.map(str::to_owned))
    .fetch_all(conn)
    .await
}

/// The customer named `id`, when it is in scope.
pub async fn find(conn: &mut Conn, scope: &Scope, id: &str) -> sqlx::Result<Option<Row>> {
    Ok(list(conn, scope, Some(id)).await?.pop())
}

/// Writes what may change of a customer.
pub async fn update(conn: &mut Conn, row: &Row) -> sqlx::Result<()> {
    sqlx::query("UPDATE customer SET name = $2, note = $3 WHERE id = $1")
        .bind(row.id.as_str().to_owned())
        .bind(row.name.clone())
        .bind(row.note.clone())
        .execute(conn)
        .await?;
    Ok(())
}
