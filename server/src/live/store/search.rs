//! One box that finds devices, sites and tickets: by a part of a name, an address, a serial number,
//! or a ticket's number. Ten of each at most.

use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use crate::db::Conn;
use crate::user::Scope;

const FOUND_MAX: i64 = 10;

/// What was found.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Found {
    /// Devices.
    pub devices: Vec<FoundDevice>,
    /// Sites.
    pub sites: Vec<FoundSite>,
    /// Tickets.
    pub tickets: Vec<FoundTicket>,
}

/// A device that was found.
#[derive(Debug, FromRow, Serialize, ToSchema)]
pub struct FoundDevice {
    /// Names it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is.
    pub class: String,
    /// Its state.
    pub state: String,
    /// Its address.
    pub address: String,
    /// Where.
    pub site_id: String,
    /// The site's name.
    pub site_name: String,
}

/// A site that was found.
#[derive(Debug, FromRow, Serialize, ToSchema)]
pub struct FoundSite {
    /// Names it.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its name in Chinese; may be empty.
    pub name_zh: String,
}

/// A ticket that was found.
#[derive(Debug, FromRow, Serialize, ToSchema)]
pub struct FoundTicket {
    /// Names it.
    pub id: String,
    /// Its number.
    pub number: i64,
    /// What a person wrote; empty when the machine opened it.
    pub title: String,
    /// The fault code; empty when a person opened it.
    pub code: String,
    /// The device's name.
    pub device_name: Option<String>,
    /// Its state.
    pub state: String,
}

/// Looks for `q`, which is in lower case and not empty.
pub async fn find(conn: &mut Conn, scope: &Scope, q: &str) -> sqlx::Result<Found> {
    // The characters that LIKE gives a meaning are taken for themselves.
    let escaped: String =
        q.chars().flat_map(|c| if matches!(c, '%' | '_' | '!') { vec!['!', c] } else { vec![c] }).collect();
    let pattern = format!("%{escaped}%");
    let number = q.trim_start_matches('#').parse::<i64>().unwrap_or(-1);
    let devices = sqlx::query_as(
        "SELECT d.id, d.name, d.class, d.state, d.address, d.site_id, s.name AS site_name \
         FROM device d JOIN site s ON s.id = d.site_id \
         WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) AND d.removed_at IS NULL \
         AND (LOWER(d.name) LIKE $2 ESCAPE '!' OR LOWER(d.address) LIKE $2 ESCAPE '!' \
           OR LOWER(d.serial) LIKE $2 ESCAPE '!' OR LOWER(d.place) LIKE $2 ESCAPE '!') ORDER BY d.name, d.id LIMIT $3",
    )
    .bind(scope.customer())
    .bind(&pattern)
    .bind(FOUND_MAX)
    .fetch_all(&mut *conn)
    .await?;
    let sites = sqlx::query_as(
        "SELECT s.id, s.name, s.name_zh FROM site s WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) \
         AND (LOWER(s.name) LIKE $2 ESCAPE '!' OR s.name_zh LIKE $2 ESCAPE '!' OR LOWER(s.address) LIKE $2 ESCAPE '!') \
         ORDER BY s.name, s.id LIMIT $3",
    )
    .bind(scope.customer())
    .bind(&pattern)
    .bind(FOUND_MAX)
    .fetch_all(&mut *conn)
    .await?;
    let tickets = sqlx::query_as(
        "SELECT t.id, t.number, t.title, t.code, d.name AS device_name, t.state FROM ticket t \
         JOIN site s ON s.id = t.site_id LEFT JOIN device d ON d.id = t.device_id \
         WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) AND (t.number = $4 \
           OR LOWER(t.title) LIKE $2 ESCAPE '!' OR LOWER(d.name) LIKE $2 ESCAPE '!') ORDER BY t.number DESC LIMIT $3",
    )
    .bind(scope.customer())
    .bind(&pattern)
    .bind(FOUND_MAX)
    .bind(number)
    .fetch_all(conn)
    .await?;
    Ok(Found { devices, sites, tickets })
}
