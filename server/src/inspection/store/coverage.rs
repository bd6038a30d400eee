//! SQL for which devices somebody looked at in a month. A read model over devices and inspections.

use jiff::civil::Date;

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

/// The sites in scope that have devices and inspections, by name: how many devices there are, how many of them somebody
/// looked at from `from` to `to`, how many nobody knows the state of; how many inspections were done, and how many of
/// these say nothing about devices.
pub async fn list(conn: &mut Conn, scope: &Scope, (from, to): (Date, Date)) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "SELECT s.id AS site_id, s.name AS site_name, s.name_zh AS site_name_zh, \
         (SELECT CAST(COUNT(*) AS BIGINT) FROM device d WHERE d.site_id = s.id AND d.removed_at IS NULL) AS devices, \
         (SELECT CAST(COUNT(DISTINCT x.device_id) AS BIGINT) FROM occurrence_device x JOIN device d ON d.id = x.device_id \
          WHERE d.site_id = s.id AND d.removed_at IS NULL AND x.day >= $2 AND x.day <= $3) AS checked, \
         (SELECT CAST(COUNT(*) AS BIGINT) FROM device d WHERE d.site_id = s.id AND d.removed_at IS NULL \
          AND d.state = 'unknown') AS unknown, \
         (SELECT CAST(COUNT(*) AS BIGINT) FROM occurrence o WHERE o.site_id = s.id AND o.state = 'done' \
          AND o.done_on >= $2 AND o.done_on <= $3) AS done, \
         (SELECT CAST(COUNT(*) AS BIGINT) FROM occurrence o WHERE o.site_id = s.id AND o.state = 'done' \
          AND o.merged_id IS NULL AND o.done_on >= $2 AND o.done_on <= $3 \
          AND NOT EXISTS (SELECT 1 FROM occurrence_device x WHERE x.occurrence_id = o.id)) AS unstated \
         FROM site s WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) \
         AND EXISTS (SELECT 1 FROM inspection_plan p WHERE p.site_id = s.id) ORDER BY s.name, s.id LIMIT 5000",
    )
    .bind(scope.customer())
    .bind(from.to_string())
    .bind(to.to_string())
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
