//! SQL for what an operator sees of the wire. Reads, but for the time since which a clock is wrong.

use jiff::Timestamp;

use crate::db::Conn;
use crate::gateway::wire::{CERTIFICATE_ENDS, HELD_AFTER, RECENT};
use crate::user::Scope;

/// How one gateway's wire is. Times are Unix ms.
#[derive(Clone, Debug, Default, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the query, by their names")]
pub struct Row {
    pub id: String,
    pub queue_oldest_at: Option<i64>,
    pub refused_packets: Option<i64>,
    pub clock_wrong_at: Option<i64>,
    pub disk_trouble: Option<String>,
    pub disk_wrong_at: Option<i64>,
    pub replay_to: Option<i64>,
    pub upto: Option<i64>,
    pub newest_at: Option<i64>,
    pub late_ms: Option<i64>,
    pub gaps: Option<i64>,
    pub gaps_day: Option<i64>,
    pub lost_records: Option<i64>,
    pub last_gap_at: Option<i64>,
    pub last_gap_reason: Option<String>,
    pub state: String,
    pub queue_records: Option<i64>,
    pub dropped_records: Option<i64>,
    pub clock_offset_ms: Option<i64>,
    pub last_heard_at: Option<i64>,
    pub cert_not_after: Option<i64>,
}

/// The wires of the gateways that the viewer may see: of one gateway, of one site, or of all.
pub async fn list(
    conn: &mut Conn,
    scope: &Scope,
    gateway: Option<&str>,
    site: Option<&str>,
    now: Timestamp,
) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "SELECT g.id, g.queue_oldest_at, g.refused_packets, g.clock_wrong_at, g.disk_trouble, g.disk_wrong_at, \
         g.replay_to, e.upto, \
         (SELECT MAX(b.end_at) FROM metric_block b WHERE b.gateway_id = g.id) AS newest_at, \
         (SELECT CASE WHEN b.end_at > 0 THEN b.received_at - b.end_at END FROM metric_block b WHERE b.gateway_id = g.id \
           ORDER BY b.end_at DESC LIMIT 1) AS late_ms, \
         r.gaps, r.gaps_day, r.lost_records, r.last_gap_at, \
         (SELECT x.reason FROM record_gap x WHERE x.gateway_id = g.id ORDER BY x.received_at DESC, x.from_seq DESC \
           LIMIT 1) AS last_gap_reason, \
         g.state, g.queue_records, g.dropped_records, g.clock_offset_ms, g.last_heard_at, g.cert_not_after \
         FROM gateway g JOIN site s ON s.id = g.site_id \
         LEFT JOIN gateway_epoch e ON e.gateway_id = g.id AND e.epoch = g.epoch \
         LEFT JOIN (SELECT gateway_id, CAST(COUNT(*) AS BIGINT) AS gaps, \
           CAST(SUM(CASE WHEN received_at > $4 THEN 1 ELSE 0 END) AS BIGINT) AS gaps_day, \
           CAST(SUM(to_seq - from_seq + 1) AS BIGINT) AS lost_records, MAX(received_at) AS last_gap_at \
           FROM record_gap GROUP BY gateway_id) r ON r.gateway_id = g.id \
         WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) AND (CAST($2 AS TEXT) IS NULL OR g.id = $2) \
         AND (CAST($3 AS TEXT) IS NULL OR g.site_id = $3) ORDER BY g.id",
    )
    .bind(scope.customer())
    .bind(gateway)
    .bind(site)
    .bind(now.as_millisecond() - RECENT.as_millis() as i64)
    .fetch_all(conn)
    .await
}

/// The wire in sums. Times are Unix ms.
#[derive(Clone, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the query, by their names")]
pub struct Sums {
    pub holding: i64,
    pub records_held: i64,
    pub oldest_held_at: Option<i64>,
    pub replaying: i64,
    pub gaps_day: i64,
    pub lost_day: i64,
    pub clocks_wrong: i64,
    pub disks_wrong: i64,
    pub certificates_ending: i64,
}

/// The wires of all gateways that the viewer may see, in sums.
pub async fn sums(conn: &mut Conn, scope: &Scope, now: Timestamp) -> sqlx::Result<Sums> {
    let now = now.as_millisecond();
    sqlx::query_as(
        "SELECT CAST(COALESCE(SUM(h.held), 0) AS BIGINT) AS holding, \
         CAST(COALESCE(SUM(CASE WHEN h.held = 1 THEN h.queue_records ELSE 0 END), 0) AS BIGINT) AS records_held, \
         MIN(CASE WHEN h.held = 1 THEN h.queue_oldest_at END) AS oldest_held_at, \
         CAST(COALESCE(SUM(h.replaying), 0) AS BIGINT) AS replaying, \
         CAST(COALESCE(SUM(h.gaps), 0) AS BIGINT) AS gaps_day, CAST(COALESCE(SUM(h.lost), 0) AS BIGINT) AS lost_day, \
         CAST(COALESCE(SUM(CASE WHEN h.clock_wrong_at IS NULL THEN 0 ELSE 1 END), 0) AS BIGINT) AS clocks_wrong, \
         CAST(COALESCE(SUM(CASE WHEN h.disk_wrong_at IS NULL THEN 0 ELSE 1 END), 0) AS BIGINT) AS disks_wrong, \
         CAST(COALESCE(SUM(h.ending), 0) AS BIGINT) AS certificates_ending FROM ( \
         SELECT g.queue_oldest_at, COALESCE(g.queue_records, 0) AS queue_records, g.clock_wrong_at, g.disk_wrong_at, \
         CASE WHEN g.state IN ('online', 'suspect') AND g.queue_oldest_at < $2 THEN 1 ELSE 0 END AS held, \
         CASE WHEN g.state IN ('online', 'suspect') AND g.replay_to IS NOT NULL THEN 1 ELSE 0 END AS replaying, \
         CASE WHEN g.cert_not_after < $3 THEN 1 ELSE 0 END AS ending, r.gaps, r.lost \
         FROM gateway g JOIN site s ON s.id = g.site_id LEFT JOIN (SELECT gateway_id, COUNT(*) AS gaps, \
           SUM(to_seq - from_seq + 1) AS lost FROM record_gap WHERE received_at > $4 GROUP BY gateway_id) r \
           ON r.gateway_id = g.id \
         WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) AND g.state <> 'revoked') h",
    )
    .bind(scope.customer())
    .bind(now - HELD_AFTER.as_millis() as i64)
    .bind(now + CERTIFICATE_ENDS.as_millis() as i64)
    .bind(now - RECENT.as_millis() as i64)
    .fetch_one(conn)
    .await
}

/// A gap in a gateway's record, and between which times what was lost was written. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the query, by their names")]
pub struct Gap {
    pub received_at: i64,
    pub records: i64,
    pub reason: String,
    pub before_at: Option<i64>,
    pub after_at: Option<i64>,
}

/// The gaps of a gateway of which the server learned since `since`, newest first. What was lost lies between
/// its neighbours in the record.
pub async fn list_gaps(conn: &mut Conn, gateway: &str, since: i64, limit: i64) -> sqlx::Result<Vec<Gap>> {
    sqlx::query_as(
        "SELECT r.received_at, r.to_seq - r.from_seq + 1 AS records, r.reason, \
         (SELECT b.end_at FROM metric_block b WHERE b.gateway_id = r.gateway_id AND b.epoch = r.epoch \
           AND b.seq < r.from_seq ORDER BY b.seq DESC LIMIT 1) AS before_at, \
         (SELECT b.start_at FROM metric_block b WHERE b.gateway_id = r.gateway_id AND b.epoch = r.epoch \
           AND b.seq > r.to_seq ORDER BY b.seq LIMIT 1) AS after_at \
         FROM record_gap r WHERE r.gateway_id = $1 AND r.received_at >= $2 \
         ORDER BY r.received_at DESC, r.from_seq DESC LIMIT $3",
    )
    .bind(gateway)
    .bind(since)
    .bind(limit)
    .fetch_all(conn)
    .await
}

/// Notes whose clock is further off than `limit_ms` and whose is right again, as far as they are heard.
pub async fn note_clocks(conn: &mut Conn, limit_ms: i64, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE gateway SET clock_wrong_at = CASE WHEN clock_wrong_at IS NULL THEN $2 ELSE NULL END \
         WHERE state IN ('online', 'suspect') AND (clock_wrong_at IS NULL) = (clock_offset_ms > $1 OR clock_offset_ms < 0 - $1)",
    )
    .bind(limit_ms)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether [`note_clocks`] has anything to note.
pub async fn clocks_turned(conn: &mut Conn, limit_ms: i64) -> sqlx::Result<bool> {
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT CAST(1 AS BIGINT) FROM gateway WHERE state IN ('online', 'suspect') \
         AND (clock_wrong_at IS NULL) = (clock_offset_ms > $1 OR clock_offset_ms < 0 - $1) LIMIT 1",
    )
    .bind(limit_ms)
    .fetch_optional(conn)
    .await?;
    Ok(found.is_some())
}

/// Gateways whose clock has been wrong since before `before` and that have no incident for it, or that have one
/// and whose clock is right: (id, wrong since, how far ahead in ms).
pub async fn list_clock_changes(
    conn: &mut Conn,
    code: &str,
    before: Timestamp,
) -> sqlx::Result<Vec<(String, Option<i64>, i64)>> {
    sqlx::query_as(
        "SELECT g.id, g.clock_wrong_at, COALESCE(g.clock_offset_ms, 0) FROM gateway g \
         LEFT JOIN incident i ON i.gateway_id = g.id AND i.device_id IS NULL AND i.code = $1 AND i.closed_at IS NULL \
         WHERE g.state <> 'revoked' AND ((i.id IS NULL AND g.clock_wrong_at <= $2) \
         OR (i.id IS NOT NULL AND g.clock_wrong_at IS NULL)) ORDER BY g.id",
    )
    .bind(code)
    .bind(before.as_millisecond())
    .fetch_all(conn)
    .await
}

/// Gateways whose disk takes nothing and that have no incident for it, or that have one and whose disk is well:
/// (id, since when, its word).
pub async fn list_disk_changes(
    conn: &mut Conn,
    code: &str,
) -> sqlx::Result<Vec<(String, Option<i64>, Option<String>)>> {
    sqlx::query_as(
        "SELECT g.id, g.disk_wrong_at, g.disk_trouble FROM gateway g \
         LEFT JOIN incident i ON i.gateway_id = g.id AND i.device_id IS NULL AND i.code = $1 AND i.closed_at IS NULL \
         WHERE g.state <> 'revoked' AND (i.id IS NULL) = (g.disk_wrong_at IS NOT NULL) ORDER BY g.id",
    )
    .bind(code)
    .fetch_all(conn)
    .await
}
