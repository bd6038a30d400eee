//! Remedies on disk: what began, and which port may be off. They count against the bound of a day, so they stay
//! for a few.

use sqlx::SqliteConnection;

use super::Spool;
use crate::remedy::{Entry, Stage};
use std::collections::BTreeMap;

/// How long a remedy that is over is remembered.
const DAYS_MS: i64 = 7 * 86_400_000;

impl Spool {
    /// What the disk remembers. A row that cannot be read is left out.
    pub(super) async fn remedies(&mut self) -> anyhow::Result<BTreeMap<String, Entry>> {
        match read(&mut self.db).await {
            // A file of an earlier release to which nothing can be written.
            Err(sqlx::Error::Database(_)) => Ok(BTreeMap::new()),
            read => Ok(read?),
        }
    }
}

/// Everything that can be read.
pub(super) async fn read(db: &mut SqliteConnection) -> sqlx::Result<BTreeMap<String, Entry>> {
    let rows: Vec<(String,)> = sqlx::query_as("SELECT body FROM remedy").fetch_all(db).await?;
    let entries = rows.iter().filter_map(|(body,)| serde_json::from_str::<Entry>(body).ok());
    Ok(entries.map(|entry| (entry.id.clone(), entry)).collect())
}

/// Writes what began or went on. What is over goes after some days; what may have left a port off never does.
pub(super) async fn put(db: &mut SqliteConnection, entries: &[Entry]) -> anyhow::Result<()> {
    for entry in entries {
        sqlx::query(
            "INSERT INTO remedy (id, at_ms, body) VALUES ($1, $2, $3) \
             ON CONFLICT (id) DO UPDATE SET body = excluded.body, at_ms = excluded.at_ms",
        )
        .bind(entry.id.as_str())
        .bind(match entry.state {
            Stage::PortOff(_) => i64::MAX,
            Stage::Begun | Stage::Ended | Stage::Unauthorized => entry.at_ms,
        })
        .bind(serde_json::to_string(entry)?)
        .execute(&mut *db)
        .await?;
    }
    if let Some(newest) = entries.iter().map(|entry| entry.at_ms).max() {
        sqlx::query("DELETE FROM remedy WHERE at_ms < $1").bind(newest - DAYS_MS).execute(&mut *db).await?;
    }
    Ok(())
}
