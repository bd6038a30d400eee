//! SQL for what else is planned on the days of an inspection.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::clock::from_ms;
use crate::db::Conn;
use crate::inspection::Window;
use crate::inspection::step::date_in;
use crate::inspection::suit::Other;
use crate::site::place::wgs84;

/// Visits and inspections that are looked at.
const OTHERS_MAX: i64 = 5_000;
const DAY_MS: i64 = 86_400_000;

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    name: String,
    name_zh: String,
    lat: Option<f64>,
    lon: Option<f64>,
    datum: Option<String>,
    zone: String,
    planned_at: Option<i64>,
    day: Option<String>,
}

/// Visits that are planned for these days and not over, and inspections by visit whose day is still to be agreed; not the one
/// itself, and not its visit.
pub async fn list_others(
    conn: &mut Conn,
    (inspection, visit): (&str, Option<&str>),
    days: Window,
) -> sqlx::Result<Vec<Other>> {
    let visits: Vec<Row> = sqlx::query_as(
        "SELECT s.id, s.name, s.name_zh, s.lat, s.lon, s.datum, s.zone, v.planned_at, CAST(NULL AS TEXT) AS day \
         FROM visit v JOIN site s ON s.id = v.site_id \
         WHERE v.planned_at IS NOT NULL AND v.state IN ('planned', 'assigned', 'accepted') AND v.id <> $1 \
         AND v.planned_at >= $2 AND v.planned_at < $3 ORDER BY v.planned_at LIMIT $4",
    )
    .bind(visit.unwrap_or_default())
    // No zone is further from UTC than a day.
    .bind(midnight(days.from) - DAY_MS)
    .bind(midnight(days.until) + DAY_MS)
    .bind(OTHERS_MAX)
    .fetch_all(&mut *conn)
    .await?;
    let inspections: Vec<Row> = sqlx::query_as(
        "SELECT s.id, s.name, s.name_zh, s.lat, s.lon, s.datum, s.zone, CAST(NULL AS BIGINT) AS planned_at, o.day \
         FROM occurrence o JOIN site s ON s.id = o.site_id \
         WHERE o.state IN ('due', 'proposed') AND o.way = 'visit' AND o.id <> $1 AND o.day >= $2 AND o.day < $3 \
         ORDER BY o.day LIMIT $4",
    )
    .bind(inspection)
    .bind(days.from.to_string())
    .bind(days.until.to_string())
    .bind(OTHERS_MAX)
    .fetch_all(conn)
    .await?;
    Ok(visits
        .into_iter()
        .chain(inspections)
        .filter_map(other)
        .filter(|other| days.holds(other.day))
        .collect())
}

/// When a day begins in UTC, Unix ms.
fn midnight(day: Date) -> i64 {
    day.to_zoned(TimeZone::UTC).map_or(0, |at| at.timestamp().as_millisecond())
}

fn other(row: Row) -> Option<Other> {
    let day: Date = match row.planned_at {
        Some(at) => date_in(&row.zone, from_ms(at)),
        None => row.day?.parse().ok()?,
    };
    let place = row.datum.and_then(|datum| wgs84(&datum, row.lat?, row.lon?));
    Some(Other {
        day,
        site_id: row.id,
        site_name: row.name,
        site_name_zh: row.name_zh,
        place,
        is_visit: row.planned_at.is_some(),
    })
}

/// Technicians who can be sent.
pub async fn count_people(conn: &mut Conn) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM account WHERE role = 'technician' AND disabled = 0",
    )
    .fetch_one(conn)
    .await
}
