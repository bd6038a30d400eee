//! SQL for which devices somebody looked at in a month. A read model over devices and inspections.

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::db::Conn;
use crate::user::Scope;

/// A site in a month.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "what the fields of the API say")]
pub struct Row {
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub devices: i64,
    pub checked: i64,
    pub unknown: i64,
    pub done: i64,
    pub unstated: i64,
}

/// The sites in scope that have devices and inspections, by name: how many devices were there from `from` to `to`, how
/// many of them somebody looked at then, how many of those that are there still nobody knows the state of; how many
/// inspections were done, and how many of these say nothing about devices. The days are the site's own.
pub async fn list(conn: &mut Conn, scope: &Scope, (from, to): (Date, Date)) -> sqlx::Result<Vec<Row>> {
    let zones: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT s.zone FROM site s WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) \
         AND EXISTS (SELECT 1 FROM inspection_plan p WHERE p.site_id = s.id) ORDER BY s.zone",
    )
    .bind(scope.customer())
    .fetch_all(&mut *conn)
    .await?;
    let mut rows = Vec::new();
    for zone in zones {
        rows.extend(list_in(conn, scope, &zone, (from, to)).await?);
    }
    rows.sort_by(|a, b| (&a.site_name, &a.site_id).cmp(&(&b.site_name, &b.site_id)));
    Ok(rows)
}

/// The midnight with which a day begins, Unix ms.
fn begins(zone: &TimeZone, day: Date) -> i64 {
    zone.to_ambiguous_zoned(day.at(0, 0, 0, 0)).compatible().map_or(0, |at| at.timestamp().as_millisecond())
}

async fn list_in(
    conn: &mut Conn,
    scope: &Scope,
    name: &str,
    (from, to): (Date, Date),
) -> sqlx::Result<Vec<Row>> {
    let zone = TimeZone::get(name).unwrap_or(TimeZone::UTC);
    let after = to.tomorrow().unwrap_or(to);
    sqlx::query_as(
        "SELECT s.id AS site_id, s.name AS site_name, s.name_zh AS site_name_zh, \
         (SELECT CAST(COUNT(*) AS BIGINT) FROM device d WHERE d.site_id = s.id AND d.created_at < $6 \
          AND (d.removed_at IS NULL OR d.removed_at >= $5)) AS devices, \
         (SELECT CAST(COUNT(DISTINCT x.device_id) AS BIGINT) FROM occurrence_device x JOIN device d ON d.id = x.device_id \
          WHERE d.site_id = s.id AND d.created_at < $6 AND (d.removed_at IS NULL OR d.removed_at >= $5) \
          AND x.day >= $2 AND x.day <= $3) AS checked, \
         (SELECT CAST(COUNT(*) AS BIGINT) FROM device d WHERE d.site_id = s.id AND d.created_at < $6 \
          AND d.removed_at IS NULL AND d.state = 'unknown') AS unknown, \
         (SELECT CAST(COUNT(*) AS BIGINT) FROM occurrence o WHERE o.site_id = s.id AND o.state = 'done' \
          AND o.done_on >= $2 AND o.done_on <= $3) AS done, \
         (SELECT CAST(COUNT(*) AS BIGINT) FROM occurrence o WHERE o.site_id = s.id AND o.state = 'done' \
          AND o.merged_id IS NULL AND o.done_on >= $2 AND o.done_on <= $3 \
          AND NOT EXISTS (SELECT 1 FROM occurrence_device x WHERE x.occurrence_id = o.id)) AS unstated \
         FROM site s WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) AND s.zone = $4 \
         AND EXISTS (SELECT 1 FROM inspection_plan p WHERE p.site_id = s.id) ORDER BY s.name, s.id LIMIT 5000",
    )
    .bind(scope.customer())
    .bind(from.to_string())
    .bind(to.to_string())
    .bind(name)
    .bind(begins(&zone, from))
    .bind(begins(&zone, after))
    .fetch_all(conn)
    .await
}

/// Writes down that somebody looked at devices of the site in an inspection; how many that are new.
pub async fn check(
    conn: &mut Conn,
    id: &str,
    (site, on): (&str, Date),
    devices: Option<&[String]>,
) -> sqlx::Result<u64> {
    let Some(devices) = devices else {
        let done = sqlx::query(
            "INSERT INTO occurrence_device (occurrence_id, device_id, day) \
             SELECT $1, d.id, $3 FROM device d WHERE d.site_id = $2 AND d.removed_at IS NULL \
             ON CONFLICT (occurrence_id, device_id) DO NOTHING",
        );
        let done = done.bind(id).bind(site).bind(on.to_string()).execute(conn).await?;
        return Ok(done.rows_affected());
    };
    let mut count = 0;
    for device in devices {
        let done = sqlx::query(
            "INSERT INTO occurrence_device (occurrence_id, device_id, day) \
             SELECT $1, d.id, $3 FROM device d WHERE d.site_id = $2 AND d.id = $4 AND d.removed_at IS NULL \
             ON CONFLICT (occurrence_id, device_id) DO NOTHING",
        );
        let done = done.bind(id).bind(site).bind(on.to_string()).bind(device).execute(&mut *conn).await?;
        count += done.rows_affected();
    }
    Ok(count)
}

/// How many devices somebody looked at in an inspection.
pub async fn count(conn: &mut Conn, id: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT CAST(COUNT(*) AS BIGINT) FROM occurrence_device WHERE occurrence_id = $1")
        .bind(id)
        .fetch_one(conn)
        .await
}
