//! Sites in the database.

use jiff::Timestamp;
use sqlx::FromRow;

use super::SiteId;
use crate::db::Conn;
use crate::user::Scope;

/// A row of `site` with its customer's name.
#[derive(Clone, Debug, FromRow)]
pub struct Row {
    /// Names it.
    pub id: SiteId,
    /// Whose.
    pub customer_id: String,
    /// The customer's name.
    pub customer_name: String,
    /// What people call it, in English or any one language.
    pub name: String,
    /// What people call it in Chinese; may be empty.
    pub name_zh: String,
    /// Where it is.
    pub address: String,
    /// IANA time zone.
    pub zone: String,
    /// Map datum of `lat` and `lon`.
    pub datum: String,
    /// Degrees north.
    pub lat: Option<f64>,
    /// Degrees east.
    pub lon: Option<f64>,
    /// Whom to call there.
    pub contact_name: String,
    /// Under which number.
    pub contact_phone: String,
    /// What whoever goes there should know before; for our own people.
    pub notes: String,
    /// Unix milliseconds.
    pub created_at: i64,
}

/// Inserts a site; `row.id`, `row.customer_name` and `row.created_at` are not looked at.
pub async fn insert(conn: &mut Conn, row: &Row, now: Timestamp) -> sqlx::Result<SiteId> {
    let id = SiteId::new(now);
    sqlx::query(
        "INSERT INTO site (id, customer_id, name, name_zh, address, zone, datum, lat, lon, contact_name, \
         contact_phone, notes, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(id.as_str().to_owned())
    .bind(row.customer_id.clone())
    .bind(row.name.clone())
    .bind(row.name_zh.clone())
    .bind(row.address.clone())
    .bind(row.zone.clone())
    .bind(row.datum.clone())
    .bind(row.lat)
    .bind(row.lon)
    .bind(row.contact_name.clone())
    .bind(row.contact_phone.clone())
    .bind(row.notes.clone())
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(id)
}

/// The sites in scope, by name; or the one named `id`.
pub async fn list(conn: &mut Conn, scope: &Scope, id: Option<&str>) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "SELECT s.id, s.customer_id, c.name AS customer_name, s.name, s.name_zh, s.address, s.zone, s.datum, \
         s.lat, s.lon, s.contact_name, s.contact_phone, s.notes, s.created_at \
         FROM site s JOIN customer c ON c.id = s.customer_id \
         WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) AND (CAST($2 AS TEXT) IS NULL OR s.id = $2) \
         ORDER BY s.name, s.id LIMIT 10000",
    )
    .bind(scope.customer().map(str::to_owned))
    .bind(id.map(str::to_owned))
    .fetch_all(conn)
    .await
}

/// The site named `id`, when it is in scope.
pub async fn find(conn: &mut Conn, scope: &Scope, id: &str) -> sqlx::Result<Option<Row>> {
    Ok(list(conn, scope, Some(id)).await?.pop())
}

/// Writes what may change of a site. A site never moves to another customer.
pub async fn update(conn: &mut Conn, row: &Row) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE site SET name = $2, name_zh = $3, address = $4, zone = $5, datum = $6, lat = $7, lon = $8, \
         contact_name = $9, contact_phone = $10, notes = $11 WHERE id = $1",
    )
    .bind(row.id.as_str().to_owned())
    .bind(row.name.clone())
    .bind(row.name_zh.clone())
    .bind(row.address.clone())
    .bind(row.zone.clone())
    .bind(row.datum.clone())
    .bind(row.lat)
    .bind(row.lon)
    .bind(row.contact_name.clone())
    .bind(row.contact_phone.clone())
    .bind(row.notes.clone())
    .execute(conn)
    .await?;
    Ok(())
}
