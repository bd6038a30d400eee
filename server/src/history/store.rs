//! SQL for metric blocks, rollups and gaps in a gateway's record.

use std::collections::BTreeMap;

use sitewarden_proto::envelope::decode;
use sitewarden_proto::metrics::{Series, read};
use sitewarden_proto::wire::envelope::Body;

use super::{Bucket, HOUR_MS, buckets};
use crate::db::Conn;
use crate::ingest::Sender;

/// Rollups written by one statement; eight values each, well under both databases' bounds.
const ROWS_AT_ONCE: usize = 100;

/// Stores a block as it came, and adds its samples to the rollups.
pub(crate) async fn insert_block(
    conn: &mut Conn,
    sender: &Sender<'_>,
    seq: i64,
    series: &[Series],
    packet: &[u8],
) -> sqlx::Result<()> {
    let times = || series.iter().flat_map(|series| series.points.iter().map(|point| point.0));
    let (Some(start), Some(end)) = (times().min(), times().max()) else { return Ok(()) };
    let shift = sender.offset_ms;
    let samples: usize = series.iter().map(|series| series.points.len()).sum();
    sqlx::query(
        "INSERT INTO metric_block (gateway_id, epoch, seq, start_at, end_at, shift_ms, received_at, samples, body) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
    )
    .bind(sender.id.as_str())
    .bind(&sender.epoch)
    .bind(seq)
    .bind(start + shift)
    .bind(end + shift)
    .bind(shift)
    .bind(sender.now.as_millisecond())
    .bind(samples as i64)
    .bind(packet)
    .execute(&mut *conn)
    .await?;
    // A sender that names a series twice adds to one row twice, which one statement may not.
    let mut rollups: BTreeMap<(&str, &str, &str, i64), Bucket> = BTreeMap::new();
    for series in series {
        let points: Vec<(i64, f64)> = series.points.iter().map(|&(at, value)| (at + shift, value)).collect();
        for (hour, bucket) in buckets(&points, HOUR_MS) {
            let key = (series.device.as_str(), series.check.as_str(), series.metric.as_str(), hour);
            rollups.entry(key).and_modify(|all| all.add(bucket)).or_insert(bucket);
        }
    }
    let rows: Vec<_> = rollups.into_iter().collect();
    for rows in rows.chunks(ROWS_AT_ONCE) {
        add_rollups(conn, rows).await?;
    }
    Ok(())
}

/// What a block adds to one hour of one series: device, check, metric, hour, samples.
type Row<'a> = ((&'a str, &'a str, &'a str, i64), Bucket);

/// Adds to rollups that stand, in one statement: a round trip and a parse for each row would cost more
/// than the rows.
async fn add_rollups(conn: &mut Conn, rows: &[Row<'_>]) -> sqlx::Result<()> {
    let places: Vec<String> = (0..rows.len())
        .map(|row| {
            let place: Vec<String> = (1..=8).map(|column| format!("${}", row * 8 + column)).collect();
            format!("({})", place.join(", "))
        })
        .collect();
    let statement = format!(
        "INSERT INTO rollup (device_id, check_name, metric, hour_at, min, max, sum, samples) VALUES {} \
         ON CONFLICT (device_id, check_name, metric, hour_at) DO UPDATE SET \
         min = CASE WHEN excluded.min < rollup.min THEN excluded.min ELSE rollup.min END, \
         max = CASE WHEN excluded.max > rollup.max THEN excluded.max ELSE rollup.max END, \
         sum = rollup.sum + excluded.sum, samples = rollup.samples + excluded.samples",
        places.join(", ")
    );
    let mut query = sqlx::query(sqlx::AssertSqlSafe(statement));
    for ((device, check, metric, hour), bucket) in rows {
        query = query
            .bind(*device)
            .bind(*check)
            .bind(*metric)
            .bind(*hour)
            .bind(bucket.min)
            .bind(bucket.max)
            .bind(bucket.sum)
            .bind(bucket.samples);
    }
    query.execute(conn).await?;
    Ok(())
}

/// Notes that records of a gateway are lost for good.
pub(crate) async fn insert_gap(
    conn: &mut Conn,
    sender: &Sender<'_>,
    from: i64,
    to: i64,
    reason: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO record_gap (gateway_id, epoch, from_seq, to_seq, reason, received_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(sender.id.as_str())
    .bind(&sender.epoch)
    .bind(from)
    .bind(to)
    .bind(reason)
    .bind(sender.now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// The samples of one device by (check, metric).
pub type Samples = BTreeMap<(String, String), Vec<(i64, f64)>>;

/// The samples of a device from the blocks of its gateway. A block that cannot be read is left out.
pub async fn list_samples(
    conn: &mut Conn,
    gateway: &str,
    device: &str,
    from: i64,
    to: i64,
) -> sqlx::Result<Samples> {
    let blocks: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "SELECT shift_ms, body FROM metric_block WHERE gateway_id = $1 AND end_at >= $2 AND start_at <= $3 \
         ORDER BY start_at LIMIT 2000",
    )
    .bind(gateway)
    .bind(from)
    .bind(to)
    .fetch_all(conn)
    .await?;
    let mut samples = Samples::new();
    for (shift, body) in blocks {
        let Ok(envelope) = decode(&body) else { continue };
        let Some(Body::Metrics(block)) = envelope.body else { continue };
        let Ok(all) = read(&block) else { continue };
        for series in all.into_iter().filter(|series| series.device == device) {
            let points = series.points.into_iter().map(|(at, value)| (at + shift, value));
            samples
                .entry((series.check, series.metric))
                .or_default()
                .extend(points.filter(|(at, _)| (from..=to).contains(at)));
        }
    }
    Ok(samples)
}

/// The rollups of a device, by (check, metric) and hour.
pub async fn list_rollups(
    conn: &mut Conn,
    device: &str,
    from: i64,
    to: i64,
) -> sqlx::Result<BTreeMap<(String, String), BTreeMap<i64, Bucket>>> {
    let rows: Vec<(String, String, i64, f64, f64, f64, i64)> = sqlx::query_as(
        "SELECT check_name, metric, hour_at, min, max, sum, samples FROM rollup \
         WHERE device_id = $1 AND hour_at >= $2 AND hour_at <= $3 ORDER BY check_name, metric, hour_at LIMIT 100000",
    )
    .bind(device)
    .bind(from)
    .bind(to)
    .fetch_all(conn)
    .await?;
    let mut series: BTreeMap<(String, String), BTreeMap<i64, Bucket>> = BTreeMap::new();
    for (check, metric, hour, min, max, sum, samples) in rows {
        series.entry((check, metric)).or_default().insert(hour, Bucket { min, max, sum, samples });
    }
    Ok(series)
}
