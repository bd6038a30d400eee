//! Swaps and calendar feeds in the database.

use jiff::Timestamp;
use sqlx::FromRow;

use crate::db::Conn;
use crate::id::uuid_v7;
use crate::rota::RotaId;
use crate::user::AccountId;

/// A row of `rota_swap`.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Row {
    pub id: String,
    pub rota_id: RotaId,
    pub rota: String,
    pub asker_id: AccountId,
    pub asker_layer: i64,
    pub asker_from_at: i64,
    pub asker_to_at: i64,
    pub other_id: AccountId,
    pub other_layer: Option<i64>,
    pub other_from_at: Option<i64>,
    pub other_to_at: Option<i64>,
    pub reason: String,
    pub state: String,
    pub asked_at: i64,
    pub answered_at: Option<i64>,
    pub answer: String,
}

const SELECT: &str = "SELECT s.id, s.rota_id, r.name AS rota, s.asker_id, s.asker_layer, s.asker_from_at, s.asker_to_at, \
     s.other_id, s.other_layer, s.other_from_at, s.other_to_at, s.reason, s.state, s.asked_at, s.answered_at, s.answer \
     FROM rota_swap s JOIN rota r ON r.id = s.rota_id";

/// Adds a request.
pub async fn insert(conn: &mut Conn, row: &Row, now: Timestamp) -> sqlx::Result<String> {
    let id = uuid_v7(now);
    sqlx::query(
        "INSERT INTO rota_swap (id, rota_id, asker_id, asker_layer, asker_from_at, asker_to_at, other_id, other_layer, \
         other_from_at, other_to_at, reason, state, asked_at, answer) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'requested', $12, '')",
    )
    .bind(&id)
    .bind(row.rota_id.as_str())
    .bind(row.asker_id.as_str())
    .bind(row.asker_layer)
    .bind(row.asker_from_at)
    .bind(row.asker_to_at)
    .bind(row.other_id.as_str())
    .bind(row.other_layer)
    .bind(row.other_from_at)
    .bind(row.other_to_at)
    .bind(&row.reason)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(id)
}

/// One swap.
pub async fn find(conn: &mut Conn, id: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE s.id = $1")))
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// The newest 500 swaps, or those of one rota, newest first.
pub async fn list(conn: &mut Conn, rota: Option<&str>) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} WHERE (CAST($1 AS TEXT) IS NULL OR s.rota_id = $1) ORDER BY s.id DESC LIMIT 500"
    )))
    .bind(rota)
    .fetch_all(conn)
    .await
}

/// Answers a request; `false` when somebody was quicker.
pub async fn set_state(
    conn: &mut Conn,
    id: &str,
    state: &str,
    answer: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE rota_swap SET state = $2, answer = $3, answered_at = $4 WHERE id = $1 AND state = 'requested'",
    )
    .bind(id)
    .bind(state)
    .bind(answer)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A row of `rota_feed`.
#[derive(Clone, Debug, FromRow)]
pub struct Feed {
    /// Whose address it is.
    pub account_id: AccountId,
    /// Of which rota; `None` is the account's own shifts in all of them.
    pub rota_id: Option<RotaId>,
    /// Unix ms.
    pub created_at: i64,
}

/// Gives an account a feed of one rota, or of its own shifts; the address that it had before ends.
pub async fn renew_feed(
    conn: &mut Conn,
    account: &AccountId,
    rota: Option<&str>,
    token_hash: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    delete_feed(conn, account, rota).await?;
    sqlx::query(
        "INSERT INTO rota_feed (token_hash, account_id, rota_id, created_at) VALUES ($1, $2, $3, $4)",
    )
    .bind(token_hash)
    .bind(account.as_str())
    .bind(rota)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends a feed; `false` when there is none.
pub async fn delete_feed(conn: &mut Conn, account: &AccountId, rota: Option<&str>) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "DELETE FROM rota_feed WHERE account_id = $1 AND COALESCE(rota_id, '') = COALESCE(CAST($2 AS TEXT), '')",
    )
    .bind(account.as_str())
    .bind(rota)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// The feeds of an account.
pub async fn list_feeds(conn: &mut Conn, account: &AccountId) -> sqlx::Result<Vec<Feed>> {
    sqlx::query_as(
        "SELECT account_id, rota_id, created_at FROM rota_feed WHERE account_id = $1 ORDER BY created_at",
    )
    .bind(account.as_str())
    .fetch_all(conn)
    .await
}

/// The feed behind an address, while its account can sign in.
pub async fn find_feed(conn: &mut Conn, token_hash: &str) -> sqlx::Result<Option<Feed>> {
    sqlx::query_as(
        "SELECT f.account_id, f.rota_id, f.created_at FROM rota_feed f JOIN account a ON a.id = f.account_id \
         WHERE f.token_hash = $1 AND a.disabled = 0",
    )
    .bind(token_hash)
    .fetch_optional(conn)
    .await
}
