//! SQL for a year of a site in figures. A read model over devices, incidents, tickets, parts and inspections; the caller
//! has checked that the viewer may see the site.

use std::collections::HashMap;

use jiff::civil::Date;

use crate::db::Conn;
use crate::inspection::year::{Device, Faults, Inspections, Part, Stretch, Tickets};

/// Devices of one report.
const DEVICES_MAX: i64 = 5_000;
/// Devices with the most faults.
const WORST_MAX: i64 = 10;

/// The devices that were there in a stretch of time, by class and place.
pub async fn list_devices(conn: &mut Conn, site: &str, year: Stretch) -> sqlx::Result<Vec<Device>> {
    type Raw = (String, String, String, String, i64, Option<i64>);
    let rows: Vec<Raw> = sqlx::query_as(
        "SELECT id, name, class, state, created_at, removed_at FROM device WHERE site_id = $1 AND created_at < $3 \
         AND (removed_at IS NULL OR removed_at >= $2) ORDER BY class, position, id LIMIT $4",
    )
    .bind(site)
    .bind(year.from)
    .bind(year.until)
    .bind(DEVICES_MAX)
    .fetch_all(conn)
    .await?;
    let device = |(id, name, class, state, created_at, removed_at)| Device {
        id,
        name,
        class,
        state,
        created_at,
        removed_at,
    };
    Ok(rows.into_iter().map(device).collect())
}

/// The states of each device of a site: the one before the stretch, where it is still on record, and those within it in
/// their order.
#[derive(Debug, Default)]
pub struct States {
    /// What stood when the stretch began.
    pub before: HashMap<String, String>,
    /// What came, by the device.
    pub changes: HashMap<String, Vec<(i64, String)>>,
}

/// The states of a site's devices in a stretch of time.
pub async fn list_states(conn: &mut Conn, site: &str, year: Stretch) -> sqlx::Result<States> {
    let before: Vec<(String, String)> = sqlx::query_as(
        "SELECT d.id, (SELECT s.state FROM device_state s WHERE s.device_id = d.id AND s.at < $2 \
         ORDER BY s.at DESC, s.id DESC LIMIT 1) AS state FROM device d WHERE d.site_id = $1 \
         AND EXISTS (SELECT 1 FROM device_state s WHERE s.device_id = d.id AND s.at < $2)",
    )
    .bind(site)
    .bind(year.from)
    .fetch_all(&mut *conn)
    .await?;
    let rows: Vec<(String, i64, String)> = sqlx::query_as(
        "SELECT s.device_id, s.at, s.state FROM device d JOIN device_state s ON s.device_id = d.id \
         WHERE d.site_id = $1 AND s.at >= $2 AND s.at < $3 ORDER BY s.device_id, s.at, s.id",
    )
    .bind(site)
    .bind(year.from)
    .bind(year.until)
    .fetch_all(conn)
    .await?;
    let mut states = States { before: before.into_iter().collect(), ..States::default() };
    for (device, at, state) in rows {
        states.changes.entry(device).or_default().push((at, state));
    }
    Ok(states)
}

/// The faults that stood in a stretch of time, by code or by device, the most first.
pub async fn list_faults(
    conn: &mut Conn,
    site: &str,
    year: Stretch,
    by_device: bool,
) -> sqlx::Result<Vec<Faults>> {
    let (of, most) = if by_device { ("device_id", WORST_MAX) } else { ("code", 200) };
    let text = format!(
        "SELECT {of}, CAST(COUNT(*) AS BIGINT), \
         CAST(SUM(CASE WHEN closed_at IS NULL OR closed_at >= $3 THEN 1 ELSE 0 END) AS BIGINT), \
         CAST(SUM(CASE WHEN closed_at IS NULL OR closed_at >= $3 THEN $3 ELSE closed_at END \
         - CASE WHEN opened_at < $2 THEN $2 ELSE opened_at END) AS BIGINT) FROM incident \
         WHERE site_id = $1 AND opened_at < $3 AND (closed_at IS NULL OR closed_at > $2) AND {of} IS NOT NULL \
         GROUP BY {of} ORDER BY 2 DESC, 4 DESC, 1 LIMIT {most}"
    );
    let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(site)
        .bind(year.from)
        .bind(year.until)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|(of, count, standing, ms)| Faults { of, count, standing, ms }).collect())
}

/// The tickets that were opened in a stretch of time, by code and origin.
pub async fn list_tickets(conn: &mut Conn, site: &str, year: Stretch) -> sqlx::Result<Vec<Tickets>> {
    let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
        "SELECT code, origin, CAST(COUNT(*) AS BIGINT), CAST(SUM(CASE WHEN state = 'closed' THEN 1 ELSE 0 END) AS BIGINT) \
         FROM ticket WHERE site_id = $1 AND opened_at >= $2 AND opened_at < $3 GROUP BY code, origin \
         ORDER BY code, origin LIMIT 500",
    )
    .bind(site)
    .bind(year.from)
    .bind(year.until)
    .fetch_all(conn)
    .await?;
    let tickets = |(code, origin, opened, closed)| Tickets { code, origin, opened, closed };
    Ok(rows.into_iter().map(tickets).collect())
}

/// The parts that were used on tickets of a site in a stretch of time, by kind, less those that were taken out again.
pub async fn list_parts(conn: &mut Conn, site: &str, year: Stretch) -> sqlx::Result<Vec<Part>> {
    let rows: Vec<(String, String, String, i64, i64)> = sqlx::query_as(
        "SELECT k.number, k.name, k.name_zh, \
         CAST(SUM(CASE WHEN t.kind = 'used' THEN m.quantity ELSE 0 - m.quantity END) AS BIGINT), \
         CAST(COUNT(DISTINCT m.ticket_id) AS BIGINT) FROM part_move m JOIN part_kind k ON k.id = m.kind_id \
         JOIN part_place f ON f.id = m.from_id JOIN part_place t ON t.id = m.to_id JOIN ticket w ON w.id = m.ticket_id \
         WHERE w.site_id = $1 AND m.occurred_at >= $2 AND m.occurred_at < $3 AND (f.kind = 'used') <> (t.kind = 'used') \
         GROUP BY k.number, k.name, k.name_zh ORDER BY k.number LIMIT 500",
    )
    .bind(site)
    .bind(year.from)
    .bind(year.until)
    .fetch_all(conn)
    .await?;
    let part = |(number, name, name_zh, quantity, tickets)| Part { number, name, name_zh, quantity, tickets };
    Ok(rows.into_iter().map(part).filter(|part| part.quantity != 0).collect())
}

/// The inspections of a site whose day lies between two, by rule; those that are not owed any more are left out.
pub async fn list_inspections(
    conn: &mut Conn,
    site: &str,
    (first, last): (Date, Date),
) -> sqlx::Result<Vec<Inspections>> {
    let rows: Vec<(String, i64, i64, i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT rule, CAST(CASE WHEN made_by IS NULL THEN 0 ELSE 1 END AS BIGINT) AS by_hand, CAST(COUNT(*) AS BIGINT), \
         CAST(SUM(CASE WHEN state = 'done' THEN 1 ELSE 0 END) AS BIGINT), \
         CAST(SUM(CASE WHEN state = 'done' AND done_on >= window_until THEN 1 ELSE 0 END) AS BIGINT), \
         CAST(SUM(CASE WHEN state = 'missed' THEN 1 ELSE 0 END) AS BIGINT), \
         CAST(SUM(CASE WHEN state = 'waived' THEN 1 ELSE 0 END) AS BIGINT) FROM occurrence \
         WHERE site_id = $1 AND day >= $2 AND day <= $3 AND state <> 'dropped' \
         GROUP BY 1, 2 ORDER BY 2, 1 LIMIT 500",
    )
    .bind(site)
    .bind(first.to_string())
    .bind(last.to_string())
    .fetch_all(conn)
    .await?;
    let inspections = |(rule, by_hand, owed, done, late, missed, waived)| Inspections {
        rule,
        by_hand: by_hand == 1,
        owed,
        done,
        late,
        missed,
        waived,
    };
    Ok(rows.into_iter().map(inspections).collect())
}

/// The devices that somebody looked at in an inspection.
pub async fn list_looked_at(conn: &mut Conn, id: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT device_id FROM occurrence_device WHERE occurrence_id = $1")
        .bind(id)
        .fetch_all(conn)
        .await
}
