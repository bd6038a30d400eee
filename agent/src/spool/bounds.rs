//! Keeping the queue within its age and size: metric blocks first, then everything else, oldest first. What is
//! dropped becomes a gap record over the same numbers; gaps that touch become one.

use prost::Message;
use sitewarden_proto::wire::{Gap, gap};
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;

use super::{Spool, kind_number, put};
use crate::session::RecordKind;

/// Records dropped in one transaction.
const CHUNK: i64 = 200;
/// The size is brought this far below its bound, so that not every append has to drop.
const SLACK: f64 = 0.98;

impl Spool {
    /// Drops what lies beyond the bounds.
    pub(super) async fn keep_bounds(&mut self, now_ms: i64) -> anyhow::Result<()> {
        let max_age_ms = i64::try_from(self.bounds.max_age.as_millis()).unwrap_or(i64::MAX / 2);
        // Records lie in the order of their clocks, and each clock has its own bound.
        let old = "SELECT seq, last, LENGTH(bytes) FROM record WHERE kind <> $1 AND at_ms < $2 \
             AND clock = (SELECT clock FROM record WHERE kind <> $1 ORDER BY seq LIMIT 1) ORDER BY seq LIMIT $3";
        while let Some((clock, at_ms)) = self.oldest().await? {
            let bound = self.age_bound(i64::from(clock), now_ms, max_age_ms);
            if at_ms >= bound || self.drop_some(old, bound, gap::Reason::TooOld).await? == 0 {
                break;
            }
        }
        if self.size.bytes <= self.bounds.max_bytes {
            return Ok(());
        }
        let target = (self.bounds.max_bytes as f64 * SLACK) as u64;
        let blocks = "SELECT seq, last, LENGTH(bytes) FROM record WHERE kind <> $1 AND kind = $2 ORDER BY seq LIMIT $3";
        let facts = "SELECT seq, last, LENGTH(bytes) FROM record WHERE kind <> $1 AND kind <> $2 ORDER BY seq LIMIT $3";
        for choice in [blocks, facts] {
            while self.size.bytes > target
                && self.drop_some(choice, kind_number(RecordKind::Metrics), gap::Reason::QueueFull).await? > 0
            {
            }
        }
        Ok(())
    }

    async fn drop_some(
        &mut self,
        choice: &'static str,
        bound: i64,
        reason: gap::Reason,
    ) -> anyhow::Result<usize> {
        let is_full = matches!(reason, gap::Reason::QueueFull);
        let target = (self.bounds.max_bytes as f64 * SLACK) as u64;
        let rows: Vec<(i64, i64, i64)> = sqlx::query_as(choice)
            .bind(kind_number(RecordKind::Gap))
            .bind(bound)
            .bind(CHUNK)
            .fetch_all(&mut self.db)
            .await?;
        let mut tx = self.db.begin().await?;
        let mut dropped = 0;
        let mut freed = 0_u64;
        for (seq, last, bytes) in rows {
            if is_full && self.size.bytes.saturating_sub(freed) <= target {
                break;
            }
            replace_by_gap(&mut tx, seq, last, reason).await?;
            freed += bytes.unsigned_abs();
            dropped += 1;
        }
        if dropped > 0 {
            put(&mut tx, "dropped", (self.size.dropped + dropped as u64) as i64, b"").await?;
        }
        tx.commit().await?;
        if dropped > 0 {
            tracing::warn!(
                dropped,
                reason = reason.as_str_name(),
                "the queue dropped records; a gap says so"
            );
            self.measure().await?;
        }
        Ok(dropped)
    }

    /// A gap takes the place of records that the server will never read.
    pub async fn refuse(&mut self, from: u64, to: u64) -> anyhow::Result<()> {
        let query = "SELECT seq, last FROM record WHERE kind <> $1 AND seq >= $2 AND last <= $3 ORDER BY seq";
        let mut tx = self.db.begin().await?;
        let rows: Vec<(i64, i64)> = sqlx::query_as(query)
            .bind(kind_number(RecordKind::Gap))
            .bind(from as i64)
            .bind(to as i64)
            .fetch_all(&mut *tx)
            .await?;
        for (seq, last) in &rows {
            replace_by_gap(&mut tx, *seq, *last, gap::Reason::Refused).await?;
        }
        put(&mut tx, "dropped", (self.size.dropped + rows.len() as u64) as i64, b"").await?;
        tx.commit().await?;
        self.measure().await
    }
}

async fn replace_by_gap(
    db: &mut SqliteConnection,
    seq: i64,
    last: i64,
    reason: gap::Reason,
) -> anyhow::Result<()> {
    let kind = kind_number(RecordKind::Gap);
    let before: Option<(i64,)> = sqlx::query_as("SELECT seq FROM record WHERE last = $1 AND kind = $2")
        .bind(seq - 1)
        .bind(kind)
        .fetch_optional(&mut *db)
        .await?;
    let after: Option<(i64,)> = sqlx::query_as("SELECT last FROM record WHERE seq = $1 AND kind = $2")
        .bind(last + 1)
        .bind(kind)
        .fetch_optional(&mut *db)
        .await?;
    let from = before.map_or(seq, |row| row.0);
    let to = after.map_or(last, |row| row.0);
    sqlx::query("DELETE FROM record WHERE seq >= $1 AND last <= $2")
        .bind(from)
        .bind(to)
        .execute(&mut *db)
        .await?;
    let gap = Gap { from_seq: from as u64, to_seq: to as u64, reason: reason.into() };
    sqlx::query("INSERT INTO record (seq, last, kind, at_ms, bytes) VALUES ($1, $2, $3, 0, $4)")
        .bind(from)
        .bind(to)
        .bind(kind)
        .bind(gap.encode_to_vec())
        .execute(&mut *db)
        .await?;
    Ok(())
}
