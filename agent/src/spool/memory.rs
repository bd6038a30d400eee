//! The same queue without a disk, and the ways of records between the two.

use std::io::ErrorKind;
use std::path::Path;

use sitewarden_proto::wire::DiskTrouble;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection, SqliteConnection};

use super::{SCHEMA, Spool, insert, put};
use crate::config::Queue;
use crate::core::Size;
use crate::seal::Seal;
use crate::session::Record;

/// Primary result codes of SQLite that say nothing about what is in the file, only that nothing can be written to
/// it now: PERM, BUSY, LOCKED, READONLY, IOERR, FULL, CANTOPEN, AUTH.
const REFUSALS: [i32; 8] = [3, 5, 6, 8, 10, 13, 14, 23];

const READ_ONLY: i32 = 8;
const FULL: i32 = 13;
/// Extended codes among them that mean damage after all: a file that is cut short, a damaged file system.
const DAMAGE: [i32; 2] = [522, 8458];
/// Starts of the agent that a configuration on trial may see.
const TRIAL_STARTS: i64 = 2;

/// Whether the disk takes nothing: it is full, read-only, broken or not there. Damage of the file is another
/// matter.
pub fn takes_nothing(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| match cause.downcast_ref::<sqlx::Error>() {
        Some(sqlx::Error::Database(error)) => error
            .code()
            .and_then(|code| code.parse::<i32>().ok())
            .is_some_and(|code| REFUSALS.contains(&(code & 0xff)) && !DAMAGE.contains(&code)),
        Some(sqlx::Error::Io(_)) => true,
        Some(_) | None => cause.is::<std::io::Error>(),
    })
}

/// Why it takes nothing.
pub fn trouble_of(error: &anyhow::Error) -> DiskTrouble {
    let by_cause = |cause: &(dyn std::error::Error + 'static)| {
        let code = match cause.downcast_ref::<sqlx::Error>() {
            Some(sqlx::Error::Database(error)) => error.code()?.parse::<i32>().ok()? & 0xff,
            _ => match cause.downcast_ref::<std::io::Error>()?.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FULL,
                ErrorKind::ReadOnlyFilesystem => READ_ONLY,
                _ => return None,
            },
        };
        match code {
            FULL => Some(DiskTrouble::Full),
            READ_ONLY => Some(DiskTrouble::ReadOnly),
            _ => None,
        }
    };
    error.chain().find_map(by_cause).unwrap_or(DiskTrouble::Failing)
}

impl Spool {
    /// A queue in memory whose next number is `head + 1`.
    pub async fn in_memory(seal: Seal, bounds: Queue, epoch: u64, head: u64) -> anyhow::Result<Self> {
        let options = SqliteConnectOptions::new().in_memory(true);
        let mut db = SqliteConnection::connect_with(&options).await?;
        for statement in SCHEMA {
            sqlx::query(*statement).execute(&mut db).await?;
        }
        put(&mut db, "epoch", epoch as i64, b"").await?;
        put(&mut db, "head", head as i64, b"").await?;
        Self::begin(Path::new(":memory:"), db, seal, bounds).await
    }

    /// What is in a file to which nothing can be written.
    pub async fn read_only(path: &Path, seal: Seal, bounds: Queue) -> anyhow::Result<Self> {
        let read = SqliteConnectOptions::new().filename(path).read_only(true);
        for options in [read.clone(), read.immutable(true)] {
            let Ok(db) = SqliteConnection::connect_with(&options).await else { continue };
            let size = Size::default();
            let (seal, path) = (seal.clone(), path.to_owned());
            let mut spool = Self { path, db, seal, bounds, size, line: None, earlier: Vec::new() };
            if spool.measure().await.is_ok() {
                return Ok(spool);
            }
        }
        anyhow::bail!("{} cannot even be read", path.display())
    }

    /// Everything, in order.
    pub async fn all(&mut self) -> anyhow::Result<Vec<Record>> {
        let mut all: Vec<Record> = Vec::new();
        loop {
            let more = self.read(all.last().map_or(0, |record| record.last + 1)).await?;
            if more.is_empty() {
                return Ok(all);
            }
            all.extend(more);
        }
    }

    /// The records get new numbers from 1 on, of another epoch; the newest of them.
    pub async fn renumber(&mut self, epoch: u64) -> anyhow::Result<u64> {
        let mut records = self.all().await?;
        let mut next = 1;
        for record in &mut records {
            let span = record.last - record.seq;
            (record.seq, record.last) = (next, next + span);
            next = record.last + 1;
        }
        self.replace(epoch, next - 1, &records).await?;
        Ok(next - 1)
    }

    /// These records and no others are the queue now.
    pub async fn replace(&mut self, epoch: u64, head: u64, records: &[Record]) -> anyhow::Result<()> {
        let mut tx = self.db.begin().await?;
        sqlx::query("DELETE FROM record").execute(&mut *tx).await?;
        sqlx::query("DELETE FROM sample").execute(&mut *tx).await?;
        put(&mut tx, "epoch", epoch as i64, b"").await?;
        put(&mut tx, "head", head as i64, b"").await?;
        for record in records {
            insert(&mut tx, record).await?;
        }
        tx.commit().await?;
        self.measure().await
    }

    /// Takes over records that waited in memory since `base`; `head` is the newest number. An attempt that broke
    /// off may be repeated.
    pub async fn take_over(&mut self, records: &[Record], base: u64, head: u64) -> anyhow::Result<()> {
        let mut tx = self.db.begin().await?;
        sqlx::query("DELETE FROM record WHERE seq > $1").bind(base as i64).execute(&mut *tx).await?;
        for record in records {
            insert(&mut tx, record).await?;
        }
        put(&mut tx, "head", head as i64, b"").await?;
        tx.commit().await?;
        self.measure().await
    }

    /// So many records were dropped elsewhere.
    pub async fn count_dropped(&mut self, dropped: u64) -> anyhow::Result<()> {
        self.size.dropped += dropped;
        self.put("dropped", self.size.dropped as i64, b"").await
    }

    /// Counts a start with the configuration on trial. One that saw [`TRIAL_STARTS`] of them and never proved
    /// itself probably ends the agent: it goes, and its version is returned.
    pub async fn count_trial(&mut self) -> anyhow::Result<Option<u64>> {
        let Some((version, _)) = self.get("trial").await? else { return Ok(None) };
        let counted = self.get("trial_starts").await?;
        let starts = counted.filter(|(_, of)| *of == version.to_le_bytes()).map_or(0, |(starts, _)| starts);
        if starts >= TRIAL_STARTS {
            sqlx::query("DELETE FROM kept WHERE name IN ('trial', 'trial_starts')")
                .execute(&mut self.db)
                .await?;
            return Ok(Some(version as u64));
        }
        self.put("trial_starts", starts + 1, &version.to_le_bytes()).await?;
        Ok(None)
    }

    /// The epoch, and the newest number.
    pub async fn numbers(&mut self) -> anyhow::Result<(u64, u64)> {
        let epoch = self.number("epoch").await?.unwrap_or(1) as u64;
        Ok((epoch, self.number("head").await?.unwrap_or(0) as u64))
    }
}
