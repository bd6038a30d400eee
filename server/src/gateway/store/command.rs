//! Rows of commands: the outbox to the gateways, and what became of each.

use jiff::Timestamp;
use sitewarden_proto::id::GatewayId;

use crate::db::Conn;
use crate::user::Scope;

/// How long a sent command may stay unanswered before it is sent again; the gateway knows it by its id.
const AGAIN_AFTER_MS: i64 = 30_000;

/// How long after its end a command that was begun may still be answered.
const RUN_LIMIT_MS: i64 = 600_000;

/// A command that waits to be sent.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Waiting {
    pub id: String,
    pub gateway_id: String,
    pub body: Vec<u8>,
}

/// What became of a command.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Outcome {
    pub id: String,
    pub kind: String,
    pub device_id: Option<String>,
    pub gateway_id: String,
    pub state: String,
    pub issued_at: i64,
    pub expires_at: i64,
    pub done_at: Option<i64>,
    pub result: String,
}

/// A new row of the outbox.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct New<'a> {
    pub id: &'a str,
    pub gateway: &'a GatewayId,
    pub device_id: Option<&'a str>,
    pub kind: &'a str,
    pub body: &'a [u8],
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub account_id: Option<&'a str>,
}

/// Puts a signed command into the outbox.
pub async fn insert(conn: &mut Conn, new: &New<'_>) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO command (id, gateway_id, device_id, kind, body, issued_at, expires_at, state, result, account_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'queued', '', $8)",
    )
    .bind(new.id)
    .bind(new.gateway.as_ref())
    .bind(new.device_id)
    .bind(new.kind)
    .bind(new.body)
    .bind(new.issued_at.as_millisecond())
    .bind(new.expires_at.as_millisecond())
    .bind(new.account_id)
    .execute(conn)
    .await?;
    Ok(())
}

/// A command of that kind for that gateway, about that device if it is about one, that may still be carried out.
pub async fn find_pending(
    conn: &mut Conn,
    gateway: &GatewayId,
    device_id: Option<&str>,
    kind: &str,
    now: Timestamp,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(
        "SELECT id FROM command WHERE gateway_id = $1 AND kind = $3 AND expires_at > $4 \
         AND (device_id = $2 OR (device_id IS NULL AND CAST($2 AS TEXT) IS NULL)) \
         AND state IN ('queued', 'sent', 'accepted', 'running') ORDER BY issued_at DESC LIMIT 1",
    )
    .bind(gateway.as_ref())
    .bind(device_id)
    .bind(kind)
    .bind(now.as_millisecond())
    .fetch_optional(conn)
    .await
}

/// A look around, as its command tells it.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Look {
    pub id: String,
    pub state: String,
    pub body: Vec<u8>,
    pub issued_at: i64,
    pub done_at: Option<i64>,
    pub result: String,
    pub asked_by: Option<String>,
}

/// The last command of that kind for that gateway.
pub async fn find_last(conn: &mut Conn, gateway: &GatewayId, kind: &str) -> sqlx::Result<Option<Look>> {
    sqlx::query_as(
        "SELECT c.id, c.state, c.body, c.issued_at, c.done_at, c.result, a.name AS asked_by FROM command c \
         LEFT JOIN account a ON a.id = c.account_id WHERE c.gateway_id = $1 AND c.kind = $2 \
         ORDER BY c.issued_at DESC, c.id DESC LIMIT 1",
    )
    .bind(gateway.as_ref())
    .bind(kind)
    .fetch_optional(conn)
    .await
}

/// Commands to send now: queued ones, and sent ones that stayed unanswered. At most 256.
pub async fn list_waiting(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<Waiting>> {
    sqlx::query_as(
        "SELECT id, gateway_id, body FROM command WHERE expires_at > $1 \
         AND (state = 'queued' OR (state = 'sent' AND sent_at < $2)) ORDER BY issued_at LIMIT 256",
    )
    .bind(now.as_millisecond())
    .bind(now.as_millisecond() - AGAIN_AFTER_MS)
    .fetch_all(conn)
    .await
}

/// Notes that a command went out.
pub async fn record_sent(conn: &mut Conn, id: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE command SET state = 'sent', sent_at = $2 WHERE id = $1 AND state IN ('queued', 'sent')",
    )
    .bind(id)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether [`expire`] would find something; a look that takes no write lock.
pub async fn any_expired(conn: &mut Conn, now: Timestamp) -> sqlx::Result<bool> {
    let row: Option<i64> = sqlx::query_scalar(
        "SELECT expires_at FROM command WHERE (expires_at <= $1 AND state IN ('queued', 'sent')) \
         OR (expires_at <= $2 AND state IN ('accepted', 'running')) LIMIT 1",
    )
    .bind(now.as_millisecond())
    .bind(now.as_millisecond() - RUN_LIMIT_MS)
    .fetch_optional(conn)
    .await?;
    Ok(row.is_some())
}

/// Ends what ran out of time, and what was begun and never answered because its gateway or its device left;
/// returns how many.
pub async fn expire(conn: &mut Conn, now: Timestamp) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "UPDATE command SET state = 'expired', done_at = $1 WHERE (expires_at <= $1 AND state IN ('queued', 'sent')) \
         OR (expires_at <= $2 AND state IN ('accepted', 'running'))",
    )
    .bind(now.as_millisecond())
    .bind(now.as_millisecond() - RUN_LIMIT_MS)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Takes back what no gateway has answered yet: it is not sent any more. One that is on its way can only be refused
/// by the gateway, when its time is over. False when it was begun, or is over.
pub async fn cancel(conn: &mut Conn, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE command SET state = 'cancelled', done_at = $2 WHERE id = $1 AND state IN ('queued', 'sent')",
    )
    .bind(id)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Takes down a gateway's answer, however late: that a command has expired, or was taken back, is what the server
/// thinks; what the gateway has done is a fact. False when it answers what it was never asked, or again.
pub async fn record_result(
    conn: &mut Conn,
    gateway: &GatewayId,
    id: &str,
    state: &str,
    result: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let ended = !matches!(state, "accepted" | "running");
    let done = sqlx::query(
        "UPDATE command SET state = $3, result = $4, done_at = $5 WHERE id = $1 AND gateway_id = $2 \
         AND (state IN ('queued', 'sent', 'accepted', 'running') \
         OR (state IN ('expired', 'cancelled') AND CAST($3 AS TEXT) <> 'expired'))",
    )
    .bind(id)
    .bind(gateway.as_ref())
    .bind(state)
    .bind(result)
    .bind(ended.then_some(now.as_millisecond()))
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A command whose site the viewer may see.
pub async fn find_in(conn: &mut Conn, scope: &Scope, id: &str) -> sqlx::Result<Option<Outcome>> {
    sqlx::query_as(
        "SELECT c.id, c.kind, c.device_id, c.gateway_id, c.state, c.issued_at, c.expires_at, c.done_at, c.result \
         FROM command c JOIN gateway g ON g.id = c.gateway_id JOIN site s ON s.id = g.site_id \
         WHERE c.id = $2 AND (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1)",
    )
    .bind(scope.customer())
    .bind(id)
    .fetch_optional(conn)
    .await
}
