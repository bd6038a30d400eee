//! Overrides in the database. One that is removed after it began stood until then.

use jiff::Timestamp;
use sqlx::FromRow;

use super::{Override, OverrideId, change_of};
use crate::clock::from_ms;
use crate::db::Conn;
use crate::rota::RotaId;

/// A row of `rota_override`.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Row {
    pub id: OverrideId,
    pub layer: Option<i64>,
    pub out_id: Option<String>,
    pub by_id: Option<String>,
    pub from_at: i64,
    pub to_at: i64,
    pub reason: String,
    pub swap_id: Option<String>,
    pub actor: String,
    pub created_at: i64,
    pub removed_at: Option<i64>,
    pub removed_by: Option<String>,
}

impl Row {
    /// What it changes; `None` when it was removed before it began.
    pub fn as_override(&self) -> Option<Override> {
        let to_at = self.removed_at.map_or(self.to_at, |removed| removed.min(self.to_at));
        let change = change_of(self.out_id.as_deref(), self.by_id.as_deref())?;
        (self.from_at < to_at).then(|| Override {
            id: self.id.clone(),
            layer: self.layer.and_then(|layer| usize::try_from(layer).ok()),
            change,
            from: from_ms(self.from_at),
            to: from_ms(to_at),
        })
    }
}

/// A new override.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct New<'a> {
    pub rota: &'a RotaId,
    pub layer: Option<usize>,
    pub out: Option<&'a str>,
    pub by: Option<&'a str>,
    pub from: Timestamp,
    pub to: Timestamp,
    pub reason: &'a str,
    pub swap: Option<&'a str>,
    pub account: &'a str,
    pub actor: &'a str,
}

/// Adds an override.
pub async fn insert(conn: &mut Conn, new: &New<'_>, now: Timestamp) -> sqlx::Result<OverrideId> {
    let id = OverrideId::new(now);
    sqlx::query(
        "INSERT INTO rota_override (id, rota_id, layer, out_id, by_id, from_at, to_at, reason, swap_id, account_id, actor, \
         created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(id.as_str())
    .bind(new.rota.as_str())
    .bind(new.layer.map(|layer| layer as i64))
    .bind(new.out)
    .bind(new.by)
    .bind(new.from.as_millisecond())
    .bind(new.to.as_millisecond())
    .bind(new.reason)
    .bind(new.swap)
    .bind(new.account)
    .bind(new.actor)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(id)
}

const COLUMNS: &str =
    "id, layer, out_id, by_id, from_at, to_at, reason, swap_id, actor, created_at, removed_at, removed_by";

/// One override.
pub async fn find(conn: &mut Conn, rota: &RotaId, id: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM rota_override WHERE rota_id = $1 AND id = $2"
    )))
    .bind(rota.as_str())
    .bind(id)
    .fetch_optional(conn)
    .await
}

/// The overrides that touch `from_ms..to_ms`, in the order in which they were made, removed ones too; the newest 5,000.
pub async fn list(conn: &mut Conn, rota: &RotaId, from_ms: i64, to_ms: i64) -> sqlx::Result<Vec<Row>> {
    let mut rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM rota_override WHERE rota_id = $1 AND to_at > $2 AND from_at < $3 \
         ORDER BY id DESC LIMIT 5000"
    )))
    .bind(rota.as_str())
    .bind(from_ms)
    .bind(to_ms)
    .fetch_all(conn)
    .await?;
    rows.reverse();
    Ok(rows)
}

/// Removes an override that is not over: it never was, or it ends now. `false` when there is none such.
pub async fn remove(
    conn: &mut Conn,
    rota: &RotaId,
    id: &str,
    who: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE rota_override SET removed_at = $3, removed_by = $4 \
         WHERE rota_id = $1 AND id = $2 AND removed_at IS NULL AND to_at > $3",
    )
    .bind(rota.as_str())
    .bind(id)
    .bind(now.as_millisecond())
    .bind(who)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
