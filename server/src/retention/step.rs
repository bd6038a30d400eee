//! Deleting by the rules, a bounded number of rows in a transaction.

use jiff::Timestamp;

use super::{Rule, rules};
use crate::app::App;

const ROWS_AT_ONCE: i64 = 500;

/// Deletes what is due; at most [`ROWS_AT_ONCE`] rows of each table in one go. True when there is more.
pub async fn step(app: &App, now: Timestamp) -> anyhow::Result<bool> {
    let mut more = false;
    for rule in rules(&app.config.retention) {
        let mut tx = app.db.write().await?;
        let gone = delete(&mut tx, &rule, now).await?;
        tx.commit().await?;
        more |= gone == ROWS_AT_ONCE as u64;
    }
    Ok(more)
}

async fn delete(conn: &mut crate::db::Conn, rule: &Rule, now: Timestamp) -> sqlx::Result<u64> {
    let done = sqlx::query(sqlx::AssertSqlSafe(rule.statement()))
        .bind(now.as_millisecond() - rule.age_ms)
        .bind(ROWS_AT_ONCE)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}
