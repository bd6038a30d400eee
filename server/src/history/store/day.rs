//! SQL for hours that are due and the days they go into.

use std::collections::{BTreeMap, BTreeSet};

use sitewarden_proto::metrics::visit;
use sqlx::AssertSqlSafe;

use super::{each_block, list_samples};
use crate::db::{Conn, pieces, places};
use crate::history::day::{Day, HOURS, LINES_MAX, unpack};
use crate::history::{Bucket, DAY_MS, HOUR_MS, buckets};

/// An hour of a gateway whose blocks have changed since it was rolled up.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Due {
    /// Whose.
    pub gateway_id: String,
    /// When the hour begins.
    pub hour_at: i64,
    /// When a block of it came last; another number with every block.
    pub marked_at: i64,
}

/// Hours that began before `over` and into which no block has come since `settled`; those of one gateway stand
/// together.
pub async fn list_due(conn: &mut Conn, over: i64, settled: i64, limit: i64) -> sqlx::Result<Vec<Due>> {
    sqlx::query_as(
        "SELECT gateway_id, hour_at, marked_at FROM rollup_due WHERE hour_at < $1 AND marked_at < $2 \
         ORDER BY gateway_id, hour_at LIMIT $3",
    )
    .bind(over)
    .bind(settled)
    .bind(limit)
    .fetch_all(conn)
    .await
}

/// Takes the note of an hour away; false when a block has come since it was read.
pub async fn settle(conn: &mut Conn, due: &Due) -> sqlx::Result<bool> {
    let done =
        sqlx::query("DELETE FROM rollup_due WHERE gateway_id = $1 AND hour_at = $2 AND marked_at = $3")
            .bind(&due.gateway_id)
            .bind(due.hour_at)
            .bind(due.marked_at)
            .execute(conn)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// The hours of a gateway that are due and touch `from..=to`.
async fn list_due_of(conn: &mut Conn, gateway: &str, from: i64, to: i64) -> sqlx::Result<BTreeSet<i64>> {
    let hours: Vec<i64> = sqlx::query_scalar(
        "SELECT hour_at FROM rollup_due WHERE gateway_id = $1 AND hour_at > $2 AND hour_at <= $3",
    )
    .bind(gateway)
    .bind(from - HOUR_MS)
    .bind(to)
    .fetch_all(conn)
    .await?;
    Ok(hours.into_iter().collect())
}

/// Hours of the day at `day_at` as the blocks tell them, for those of `devices` that were measured. Metrics beyond
/// [`LINES_MAX`] of a device are left out.
pub async fn roll_up(
    conn: &mut Conn,
    gateway: &str,
    day_at: i64,
    hours: &BTreeSet<i64>,
    devices: &BTreeSet<String>,
) -> sqlx::Result<BTreeMap<String, Day>> {
    let mut days: BTreeMap<String, Day> = BTreeMap::new();
    let (Some(first), Some(last)) = (hours.first(), hours.last()) else { return Ok(days) };
    each_block(conn, gateway, *first, last + HOUR_MS - 1, |shift, block| {
        // It was judged whole when it came.
        let _ = visit(&block, |name, points| {
            let points = points.iter().map(|&(at, value)| (at.saturating_add(shift), value));
            let mut points = points.filter(|(at, _)| hours.contains(&hour_of(*at))).peekable();
            if points.peek().is_none() || !devices.contains(name.device) {
                return;
            }
            let day = days.entry(name.device.to_owned()).or_default();
            let key = (name.check.to_owned(), name.metric.to_owned());
            if day.len() >= LINES_MAX && !day.contains_key(&key) {
                return;
            }
            let line = day.entry(key).or_insert([None; HOURS]);
            for (at, value) in points {
                let Some(place) = line.get_mut(((at - day_at) / HOUR_MS) as usize) else { continue };
                match place {
                    Some(bucket) => bucket.add(Bucket::of(value)),
                    None => *place = Some(Bucket::of(value)),
                }
            }
        });
    })
    .await?;
    Ok(days)
}

fn hour_of(at: i64) -> i64 {
    at.div_euclid(HOUR_MS).saturating_mul(HOUR_MS)
}

/// The packed days of devices.
pub async fn list_days(
    conn: &mut Conn,
    devices: &[&str],
    day_at: i64,
) -> sqlx::Result<Vec<(String, Vec<u8>)>> {
    let mut all = Vec::with_capacity(devices.len());
    for piece in pieces(devices) {
        let text = format!(
            "SELECT device_id, body FROM device_day WHERE (device_id, day_at) IN (VALUES {})",
            places(conn, piece.len(), 2)
        );
        let mut query = sqlx::query_as(AssertSqlSafe(text));
        for device in piece {
            query = query.bind(*device).bind(day_at);
        }
        all.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(all)
}

/// Writes packed days of devices.
pub async fn set_days(conn: &mut Conn, day_at: i64, days: &[(String, Vec<u8>)]) -> sqlx::Result<()> {
    for piece in pieces(days) {
        let text = format!(
            "INSERT INTO device_day (device_id, day_at, body) VALUES {} \
             ON CONFLICT (device_id, day_at) DO UPDATE SET body = excluded.body",
            places(conn, piece.len(), 3)
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (device, body) in piece {
            query = query.bind(device).bind(day_at).bind(body.as_slice());
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// The hours of a device by (check, metric) and hour: from its days, and from the blocks of the hours that are
/// due. A day that cannot be read is left out.
pub async fn list_hours(
    conn: &mut Conn,
    gateway: &str,
    device: &str,
    from: i64,
    to: i64,
) -> sqlx::Result<BTreeMap<(String, String), BTreeMap<i64, Bucket>>> {
    // First what is due, then the days: an hour that is rolled up in between is read twice, not missed.
    let due = list_due_of(conn, gateway, from, to).await?;
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT day_at, body FROM device_day WHERE device_id = $1 AND day_at > $2 AND day_at <= $3 ORDER BY day_at",
    )
    .bind(device)
    .bind(from - DAY_MS)
    .bind(to)
    .fetch_all(&mut *conn)
    .await?;
    let mut all: BTreeMap<(String, String), BTreeMap<i64, Bucket>> = BTreeMap::new();
    for (day_at, body) in rows {
        let day = match unpack(&body) {
            Ok(day) => day,
            Err(error) => {
                tracing::error!(device, day_at, %error, "a day of rollups cannot be read");
                continue;
            }
        };
        for (key, hours) in day {
            let hours = (day_at..).step_by(HOUR_MS as usize).zip(hours);
            let wanted = hours.filter(|(at, _)| *at > from - HOUR_MS && *at <= to);
            all.entry(key).or_default().extend(wanted.filter_map(|(at, bucket)| Some((at, bucket?))));
        }
    }
    for (first, last) in runs(&due) {
        for (key, samples) in list_samples(conn, gateway, device, first, last + HOUR_MS - 1).await? {
            all.entry(key).or_default().extend(buckets(&samples, HOUR_MS));
        }
    }
    all.retain(|_, hours| !hours.is_empty());
    Ok(all)
}

/// Hours that follow each other, as (first, last).
fn runs(hours: &BTreeSet<i64>) -> Vec<(i64, i64)> {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for &hour in hours {
        match runs.last_mut() {
            Some((_, last)) if *last + HOUR_MS == hour => *last = hour,
            Some(_) | None => runs.push((hour, hour)),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_in_a_row_are_read_at_once() {
        let hours = BTreeSet::from([0, HOUR_MS, 2 * HOUR_MS, 5 * HOUR_MS]);
        assert_eq!(runs(&hours), [(0, 2 * HOUR_MS), (5 * HOUR_MS, 5 * HOUR_MS)]);
    }
}
