//! SQL for metric blocks and gaps in a gateway's record.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use sitewarden_proto::envelope::decode;
use sitewarden_proto::metrics::visit;
use sitewarden_proto::wire::MetricBlock;
use sitewarden_proto::wire::envelope::Body;
use sqlx::AssertSqlSafe;

use super::HOUR_MS;
use crate::db::{Conn, pieces, places};
use crate::ingest::Sender;

pub mod day;

/// A metric block as it is stored.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Block {
    pub gateway_id: String,
    pub epoch: String,
    pub seq: i64,
    pub start_at: i64,
    pub end_at: i64,
    pub shift_ms: i64,
    pub received_at: i64,
    pub samples: i64,
    pub body: bytes::Bytes,
}

/// Stores blocks as they came and notes the hours that have to be rolled up anew.
///
/// The note comes with the block, in one transaction, and counts up when it is there already: who rolls an hour
/// up takes the note away only as it was read, and so never overlooks a block.
pub(crate) async fn insert_blocks(conn: &mut Conn, blocks: &[Block]) -> sqlx::Result<()> {
    for piece in pieces(blocks) {
        let text = format!(
            "INSERT INTO metric_block (gateway_id, epoch, seq, start_at, end_at, shift_ms, received_at, samples, body) \
             VALUES {} ON CONFLICT DO NOTHING",
            places(conn, piece.len(), 9)
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for block in piece {
            query = query
                .bind(&block.gateway_id)
                .bind(&block.epoch)
                .bind(block.seq)
                .bind(block.start_at)
                .bind(block.end_at)
                .bind(block.shift_ms)
                .bind(block.received_at)
                .bind(block.samples)
                .bind(&block.body[..]);
        }
        query.execute(&mut *conn).await?;
    }
    // In the order of the key, because two transactions that lock rows in two orders stop each other.
    let mut hours: BTreeMap<(&str, i64), i64> = BTreeMap::new();
    for block in blocks {
        let first = block.start_at.div_euclid(HOUR_MS);
        for hour in first..=block.end_at.div_euclid(HOUR_MS) {
            hours.insert((&block.gateway_id, hour.saturating_mul(HOUR_MS)), block.received_at);
        }
    }
    let hours: Vec<_> = hours.into_iter().collect();
    for piece in pieces(&hours) {
        let text = format!(
            "INSERT INTO rollup_due (gateway_id, hour_at, marked_at) VALUES {} \
             ON CONFLICT (gateway_id, hour_at) DO UPDATE SET marked_at = \
             CASE WHEN excluded.marked_at > rollup_due.marked_at THEN excluded.marked_at \
             ELSE rollup_due.marked_at + 1 END",
            places(conn, piece.len(), 3)
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for ((gateway, hour), marked_at) in piece {
            query = query.bind(*gateway).bind(*hour).bind(*marked_at);
        }
        query.execute(&mut *conn).await?;
    }
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
    let mut samples = Samples::new();
    each_block(conn, gateway, from, to, |shift, block| {
        let _ = visit(&block, |name, points| {
            if name.device != device {
                return;
            }
            let points = points.iter().map(|&(at, value)| (at.saturating_add(shift), value));
            samples
                .entry((name.check.to_owned(), name.metric.to_owned()))
                .or_default()
                .extend(points.filter(|(at, _)| (from..=to).contains(at)));
        });
    })
    .await?;
    Ok(samples)
}

/// Shows every readable block of a gateway that touches `from..=to`, with what its times are to be shifted by.
/// One at a time: a day on which somebody watched has thousands.
pub(super) async fn each_block(
    conn: &mut Conn,
    gateway: &str,
    from: i64,
    to: i64,
    mut each: impl FnMut(i64, MetricBlock),
) -> sqlx::Result<()> {
    let mut rows = sqlx::query_as::<_, (i64, Vec<u8>)>(
        "SELECT shift_ms, body FROM metric_block WHERE gateway_id = $1 AND end_at >= $2 AND start_at <= $3 \
         ORDER BY end_at",
    )
    .bind(gateway)
    .bind(from)
    .bind(to)
    .fetch(conn);
    while let Some((shift, body)) = rows.try_next().await? {
        let Ok(envelope) = decode(&body) else { continue };
        if let Some(Body::Metrics(block)) = envelope.body {
            each(shift, block);
        }
    }
    Ok(())
}
