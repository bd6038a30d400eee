//! Rows of gateways, their epochs and their enrolment tokens. Numbers that the wire sends as 64 random bits
//! (epoch, session) are kept as 16 hex digits, because the databases' integers have a sign.

use jiff::Timestamp;
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::wire::Session;

use crate::broker::{Mark, Standing};
use crate::clock::from_ms;
use crate::db::Conn;
use crate::tls::Issued;
use crate::user::Scope;

use super::wire::{disk_word, oldest_at};
use super::{State, bound_heartbeat};

pub mod batch;
pub mod command;
pub mod local;
pub mod replay;
pub mod wire;

/// A gateway as it stands in the database, with its site's name and customer.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Record {
    pub id: String,
    pub site_id: String,
    pub site_name: String,
    pub customer_id: String,
    pub name: String,
    pub created_at: i64,
    pub enrolled_at: Option<i64>,
    pub revoked_at: Option<i64>,
    pub cert_serial: Option<String>,
    pub cert_not_after: Option<i64>,
    pub state: String,
    pub state_since: i64,
    pub last_heard_at: Option<i64>,
    pub session_id: Option<String>,
    pub session_started_at: Option<i64>,
    pub epoch: Option<String>,
    pub clock_offset_ms: Option<i64>,
    pub heartbeat_s: i64,
    pub agent_version: Option<String>,
    pub wire_version: Option<i64>,
    pub queue_records: Option<i64>,
    pub queue_bytes: Option<i64>,
    pub dropped_records: Option<i64>,
    pub config_version: i64,
    pub config_reported_version: i64,
    pub config_status: String,
    pub config_error: String,
}

impl Record {
    /// The state as its type; a word that this release does not know is *silent*, so that nothing is believed.
    pub fn state(&self) -> State {
        State::parse(&self.state).unwrap_or(State::Silent)
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT g.id, g.site_id, s.name AS site_name, s.customer_id, g.name, g.created_at, g.enrolled_at, \
             g.revoked_at, g.cert_serial, g.cert_not_after, g.state, g.state_since, g.last_heard_at, \
             g.session_id, g.session_started_at, g.epoch, g.clock_offset_ms, g.heartbeat_s, g.agent_version, \
             g.wire_version, g.queue_records, g.queue_bytes, g.dropped_records, g.config_version, \
             g.config_reported_version, g.config_status, g.config_error \
             FROM gateway g JOIN site s ON s.id = g.site_id ",
            $rest
        )
    };
}

/// A 64-bit name of the wire as the database keeps it.
pub fn hex_u64(number: u64) -> String {
    format!("{number:016x}")
}

/// Adds a gateway that has no certificate yet.
pub async fn insert(
    conn: &mut Conn,
    id: &GatewayId,
    site_id: &str,
    name: &str,
    heartbeat_s: u32,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO gateway (id, site_id, name, created_at, state, state_since, heartbeat_s, config_version, \
         config_reported_version, config_status, config_error) VALUES ($1, $2, $3, $4, $5, $4, $6, 0, 0, '', '')",
    )
    .bind(id.as_ref())
    .bind(site_id)
    .bind(name)
    .bind(now.as_millisecond())
    .bind(State::Never.as_str())
    .bind(i64::from(heartbeat_s))
    .execute(conn)
    .await?;
    Ok(())
}

/// A gateway for the server's own use.
pub async fn find(conn: &mut Conn, id: &GatewayId) -> sqlx::Result<Option<Record>> {
    find_in(conn, &Scope::All, id.as_ref()).await
}

/// A gateway that the viewer may see.
pub async fn find_in(conn: &mut Conn, scope: &Scope, id: &str) -> sqlx::Result<Option<Record>> {
    sqlx::query_as(select!("WHERE g.id = $2 AND (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1)"))
        .bind(scope.customer())
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// The gateways that the viewer may see, by site and name; at most 1,000.
pub async fn list(conn: &mut Conn, scope: &Scope, site_id: Option<&str>) -> sqlx::Result<Vec<Record>> {
    sqlx::query_as(select!(
        "WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) AND (CAST($2 AS TEXT) IS NULL OR g.site_id = $2) \
         ORDER BY s.name, g.name, g.id LIMIT 1000"
    ))
    .bind(scope.customer())
    .bind(site_id)
    .fetch_all(conn)
    .await
}

/// Gateways that count as heard but have said nothing for three heartbeats.
pub async fn list_overdue(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<Record>> {
    sqlx::query_as(select!(
        "WHERE g.state IN ('online', 'suspect') AND g.last_heard_at + g.heartbeat_s * 3000 < $1 ORDER BY g.id"
    ))
    .bind(now.as_millisecond())
    .fetch_all(conn)
    .await
}

/// Moves a gateway to `state`; true when it was in another one. A revoked gateway stays revoked: only a new
/// enrolment admits it again.
pub async fn set_state(conn: &mut Conn, id: &GatewayId, state: State, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE gateway SET state = $2, state_since = $3 WHERE id = $1 AND state <> $2 AND state <> 'revoked'",
    )
    .bind(id.as_ref())
    .bind(state.as_str())
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A count that a gateway names, bounded so that no sum over gateways leaves the database's integers.
fn bound(count: u64) -> i64 {
    const MOST: i64 = 1 << 48;
    i64::try_from(count).unwrap_or(MOST).min(MOST)
}

/// Takes down what a birth or a heartbeat says. A birth (a session id not seen before) also says which
/// configuration the gateway runs, so that one that lost its data folder is told again; an agent of another release
/// may understand more or less of it, so it is told again under a new number. `ahead_ms` is by how much its clock is
/// ahead.
pub async fn record_session(
    conn: &mut Conn,
    id: &GatewayId,
    session: &Session,
    ahead_ms: i64,
    received_at: Timestamp,
) -> sqlx::Result<()> {
    let version: String = session.agent_version.chars().take(64).collect();
    sqlx::query(
        "UPDATE gateway SET config_reported_version = CASE WHEN session_id = $2 THEN config_reported_version \
         ELSE $3 END, \
         config_version = config_version + CASE WHEN agent_version <> $8 THEN 1 ELSE 0 END, session_id = $2, session_started_at = $4, epoch = $5, clock_offset_ms = $6, \
         heartbeat_s = $7, agent_version = $8, wire_version = $9, queue_records = $10, queue_bytes = $11, \
         dropped_records = $12, last_heard_at = $13, queue_oldest_at = $14, refused_packets = $15, disk_trouble = $16, \
         disk_wrong_at = CASE WHEN CAST($16 AS TEXT) IS NULL THEN NULL ELSE COALESCE(disk_wrong_at, $13) END WHERE id = $1",
    )
    .bind(id.as_ref())
    .bind(hex_u64(session.session_id))
    .bind(session.config_version as i64)
    .bind(session.started_at_ms)
    .bind(hex_u64(session.epoch))
    .bind(ahead_ms)
    .bind(bound_heartbeat(i64::from(session.heartbeat_s)))
    .bind(version)
    .bind(i64::from(session.wire_version))
    .bind(bound(session.queue_records))
    .bind(bound(session.queue_bytes))
    .bind(bound(session.dropped_records))
    .bind(received_at.as_millisecond())
    .bind(oldest_at(session.sent_at_ms, session.oldest_at_ms, received_at.as_millisecond()))
    .bind(bound(session.refused_packets))
    .bind(disk_word(session.disk_trouble()))
    .execute(conn)
    .await?;
    Ok(())
}

/// Notes that a gateway was heard. How wrong its clock is, a Session says: what it sends again may be told by
/// another clock of its own.
pub async fn record_heard(conn: &mut Conn, id: &GatewayId, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("UPDATE gateway SET last_heard_at = $2 WHERE id = $1")
        .bind(id.as_ref())
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// Takes down what a gateway says about its configuration: `applied`, `rejected` or `reverted`.
pub async fn record_config(
    conn: &mut Conn,
    id: &GatewayId,
    version: u64,
    status: &str,
    error: &str,
) -> sqlx::Result<()> {
    let error: String = error.chars().take(2000).collect();
    sqlx::query(
        "UPDATE gateway SET config_reported_version = $2, config_status = $3, config_error = $4 WHERE id = $1",
    )
    .bind(id.as_ref())
    .bind(version as i64)
    .bind(status)
    .bind(error)
    .execute(conn)
    .await?;
    Ok(())
}

/// Says that a gateway's devices have changed, so that it is told; returns the new version.
pub async fn bump_config(conn: &mut Conn, id: &GatewayId) -> sqlx::Result<u64> {
    let version: i64 = sqlx::query_scalar(
        "UPDATE gateway SET config_version = config_version + 1 WHERE id = $1 RETURNING config_version",
    )
    .bind(id.as_ref())
    .fetch_one(conn)
    .await?;
    Ok(version.unsigned_abs())
}

/// Gateways that should run another configuration than the one they last spoke of, with its version.
pub async fn list_behind(conn: &mut Conn) -> sqlx::Result<Vec<(GatewayId, u64)>> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT id, config_version FROM gateway WHERE config_version <> config_reported_version \
         AND state IN ('online', 'suspect') ORDER BY id",
    )
    .fetch_all(conn)
    .await?;
    let typed = |(id, version): (String, i64)| Some((id.try_into().ok()?, version.unsigned_abs()));
    Ok(rows.into_iter().filter_map(typed).collect())
}

/// The version that a gateway should run, and the one it said it runs.
pub async fn config_versions(conn: &mut Conn, id: &GatewayId) -> sqlx::Result<Option<(u64, u64)>> {
    let row: Option<(i64, i64)> =
        sqlx::query_as("SELECT config_version, config_reported_version FROM gateway WHERE id = $1")
            .bind(id.as_ref())
            .fetch_optional(conn)
            .await?;
    Ok(row.map(|(desired, reported)| (desired.unsigned_abs(), reported.unsigned_abs())))
}

/// Up to which sequence number an epoch of a gateway is committed; `None` when the epoch is new.
pub async fn epoch_upto(conn: &mut Conn, id: &GatewayId, epoch: u64) -> sqlx::Result<Option<u64>> {
    let upto: Option<i64> =
        sqlx::query_scalar("SELECT upto FROM gateway_epoch WHERE gateway_id = $1 AND epoch = $2")
            .bind(id.as_ref())
            .bind(hex_u64(epoch))
            .fetch_optional(conn)
            .await?;
    Ok(upto.map(i64::unsigned_abs))
}

/// Moves the high-water mark of an epoch. It never moves down.
pub async fn set_upto(
    conn: &mut Conn,
    id: &GatewayId,
    epoch: u64,
    upto: u64,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO gateway_epoch (gateway_id, epoch, upto, session_started_at, first_seen_at, moved_at) \
         VALUES ($1, $2, $3, COALESCE((SELECT session_started_at FROM gateway WHERE id = $1), $4), $4, $4) \
         ON CONFLICT (gateway_id, epoch) DO UPDATE SET upto = excluded.upto, moved_at = excluded.moved_at \
         WHERE excluded.upto > gateway_epoch.upto",
    )
    .bind(id.as_ref())
    .bind(hex_u64(epoch))
    .bind(upto as i64)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Voids every certificate of a gateway; false when it was revoked already.
pub async fn revoke(conn: &mut Conn, id: &GatewayId, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE gateway SET revoked_at = $2, state = 'revoked', state_since = $2 \
         WHERE id = $1 AND revoked_at IS NULL",
    )
    .bind(id.as_ref())
    .bind(now.as_millisecond())
    .execute(&mut *conn)
    .await?;
    sqlx::query("UPDATE enrol_token SET expires_at = $2 WHERE gateway_id = $1 AND used_at IS NULL AND expires_at > $2")
        .bind(id.as_ref())
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Who may connect: every enrolled gateway, whether it is revoked, and since when its certificates count.
pub async fn standings(conn: &mut Conn) -> sqlx::Result<Vec<(GatewayId, Standing)>> {
    let rows: Vec<(String, Option<i64>, i64)> =
        sqlx::query_as("SELECT id, revoked_at, enrolled_at FROM gateway WHERE enrolled_at IS NOT NULL")
            .fetch_all(conn)
            .await?;
    Ok(rows
        .into_iter()
        .filter_map(|(id, revoked_at, enrolled_at)| {
            let standing = Standing { revoked: revoked_at.is_some(), since: from_ms(enrolled_at) };
            Some((id.try_into().ok()?, standing))
        })
        .collect())
}

/// What [`standings`] amounts to, so that it need not be read while nothing changes: how many are enrolled, the sum of
/// when they were, the sum of when they were revoked.
pub async fn standings_mark(conn: &mut Conn) -> sqlx::Result<Mark> {
    sqlx::query_as(
        "SELECT CAST(COUNT(*) AS BIGINT), CAST(COALESCE(SUM(enrolled_at), 0) AS BIGINT), \
         CAST(COALESCE(SUM(revoked_at), 0) AS BIGINT) FROM gateway WHERE enrolled_at IS NOT NULL",
    )
    .fetch_one(conn)
    .await
}

/// Adds a token by its hash; tokens of the same gateway that were not used yet end.
pub async fn insert_token(
    conn: &mut Conn,
    hash: &str,
    id: &GatewayId,
    now: Timestamp,
    expires_at: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM enrol_token WHERE gateway_id = $1 AND used_at IS NULL")
        .bind(id.as_ref())
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "INSERT INTO enrol_token (token_hash, gateway_id, created_at, expires_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(hash)
    .bind(id.as_ref())
    .bind(now.as_millisecond())
    .bind(expires_at.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Uses a token up. One statement decides, so that of two callers one gets the gateway.
pub async fn use_token(conn: &mut Conn, hash: &str, now: Timestamp) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(
        "UPDATE enrol_token SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2 \
         RETURNING gateway_id",
    )
    .bind(hash)
    .bind(now.as_millisecond())
    .fetch_optional(conn)
    .await
}

/// Takes down an enrolment: certificates issued before it no longer count, and a revocation ends. The configuration is
/// another one, because the key of the gateway's arrival codes is; one
/// that has none yet gets it with its first device.
pub async fn record_enrolment(
    conn: &mut Conn,
    id: &GatewayId,
    issued: &Issued,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE gateway SET enrolled_at = $2, revoked_at = NULL, \
         config_version = CASE WHEN config_version = 0 THEN 0 ELSE config_version + 1 END, \
         state_since = CASE WHEN state = 'revoked' THEN $2 ELSE state_since END, \
         state = CASE WHEN state = 'revoked' THEN 'never' ELSE state END WHERE id = $1",
    )
    .bind(id.as_ref())
    .bind(now.as_millisecond())
    .execute(&mut *conn)
    .await?;
    record_certificate(conn, id, issued).await
}

/// Takes down the newest certificate of a gateway.
pub async fn record_certificate(conn: &mut Conn, id: &GatewayId, issued: &Issued) -> sqlx::Result<()> {
    sqlx::query("UPDATE gateway SET cert_serial = $2, cert_not_after = $3, public_key = $4 WHERE id = $1")
        .bind(id.as_ref())
        .bind(&issued.identity.serial)
        .bind(issued.identity.not_after.as_millisecond())
        .bind(&issued.public_key)
        .execute(conn)
        .await?;
    Ok(())
}
