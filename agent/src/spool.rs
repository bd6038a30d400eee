//! The disk queue: records until the server has them, the samples of the open block, and the few things the
//! gateway must remember over a restart. One SQLite file, one owner, one transaction per batch.
//!
//! The queue is bounded by age and size. When it must drop, metric blocks go before facts, oldest first, and
//! a gap record takes their place, so the loss is visible. A damaged file is put aside, what can still be read
//! of it is taken over, and the new file begins a new epoch, so that no number is ever used twice.

mod bounds;
mod clocks;
mod memory;
mod remedies;
mod repair;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use prost::Message;
use sitewarden_proto::wire::{Gap, gap};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection, Row};

use crate::config::Queue;
use crate::core::{Batch, ConfigChange, Kept, Size};
use crate::gather::Sample;
use crate::seal::Seal;
use crate::session::{Record, RecordKind};
use crate::timeline::Clocks;

pub use clocks::Line;
pub use memory::{takes_nothing, trouble_of};

/// Records handed out by one read.
const READ_RECORDS: i64 = 2_000;
/// Bytes handed out by one read, at least one record.
const READ_BYTES: usize = 2 * 1024 * 1024;
/// Command ids that are remembered; a command lives a day at most.
const JOURNAL_DAYS: i64 = 7;

const SCHEMA: &[&str] = &[
    "CREATE TABLE IF NOT EXISTS record (seq INTEGER PRIMARY KEY, last INTEGER NOT NULL, kind INTEGER NOT NULL, \
     at_ms INTEGER NOT NULL, bytes BLOB NOT NULL, clock INTEGER NOT NULL DEFAULT 0, sum INTEGER)",
    "CREATE INDEX IF NOT EXISTS record_by_kind ON record (kind, seq)",
    "CREATE TABLE IF NOT EXISTS sample (at_ms INTEGER NOT NULL, body TEXT NOT NULL, \
     clock INTEGER NOT NULL DEFAULT 0)",
    clocks::TABLE,
    "CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, number INTEGER NOT NULL, body BLOB NOT NULL, \
     sum INTEGER)",
    "CREATE TABLE IF NOT EXISTS remedy (id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, body TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS journal (id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, is_final INTEGER NOT NULL)",
];

/// What the file of an earlier release lacks.
const ADDED: &[(&str, &str, &str)] = &[
    ("record", "clock", "ALTER TABLE record ADD COLUMN clock INTEGER NOT NULL DEFAULT 0"),
    ("record", "sum", "ALTER TABLE record ADD COLUMN sum INTEGER"),
    ("sample", "clock", "ALTER TABLE sample ADD COLUMN clock INTEGER NOT NULL DEFAULT 0"),
    ("kept", "sum", "ALTER TABLE kept ADD COLUMN sum INTEGER"),
];

/// The queue on disk.
#[derive(Debug)]
pub struct Spool {
    path: PathBuf,
    db: SqliteConnection,
    seal: Seal,
    bounds: Queue,
    size: Size,
    /// The time line of this boot, once it has begun.
    line: Option<clocks::Stored>,
    /// Those of earlier boots.
    earlier: Vec<clocks::Stored>,
}

impl Spool {
    /// Opens the queue, or makes it; whatever state the file is in, there is a queue afterwards. Fails when the
    /// disk takes nothing.
    pub async fn open(path: &Path, seal: Seal, bounds: Queue, now: Timestamp) -> anyhow::Result<Self> {
        match Self::open_sound(path).await {
            Ok(db) => Self::begin(path, db, seal, bounds).await,
            Err(error) if takes_nothing(&error) => Err(error),
            Err(error) => {
                tracing::error!(%error, path = %path.display(), "the queue is damaged, taking over what can be read");
                repair::replace(path, seal, bounds, now).await
            }
        }
    }

    async fn begin(path: &Path, db: SqliteConnection, seal: Seal, bounds: Queue) -> anyhow::Result<Self> {
        let mut spool = Self {
            path: path.to_owned(),
            db,
            seal,
            bounds,
            size: Size::default(),
            line: None,
            earlier: vec![],
        };
        if spool.number("epoch").await?.is_none() {
            spool.put("epoch", random_epoch() as i64, b"").await?;
        }
        spool.measure().await?;
        Ok(spool)
    }

    async fn connect(path: &Path) -> Result<SqliteConnection, sqlx::Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5));
        SqliteConnection::connect_with(&options).await
    }

    async fn open_sound(path: &Path) -> anyhow::Result<SqliteConnection> {
        let mut db = Self::connect(path).await?;
        let verdict: String = sqlx::query("PRAGMA quick_check(1)").fetch_one(&mut db).await?.try_get(0)?;
        anyhow::ensure!(verdict == "ok", "{verdict}");
        for statement in SCHEMA {
            sqlx::query(*statement).execute(&mut db).await?;
        }
        for (table, column, statement) in ADDED {
            let known = "SELECT 1 FROM pragma_table_info($1) WHERE name = $2";
            if sqlx::query(known).bind(*table).bind(*column).fetch_optional(&mut db).await?.is_none() {
                sqlx::query(*statement).execute(&mut db).await?;
            }
        }
        for name in ["epoch", "head"] {
            anyhow::ensure!(is_intact(&mut db, name).await?, "the {name} of the queue's numbers is damaged");
        }
        Ok(db)
    }

    /// What the queue remembers, for the core to wake up with `clocks`. A stored configuration that cannot be opened
    /// is left out: the server sends it again.
    pub async fn kept(&mut self, clocks: Clocks) -> anyhow::Result<Kept> {
        let epoch = self.number("epoch").await?.unwrap_or(1) as u64;
        let head = self.number("head").await?.unwrap_or(0) as u64;
        let first: Option<i64> =
            sqlx::query("SELECT MIN(seq) FROM record").fetch_one(&mut self.db).await?.try_get(0)?;
        let tail = first.map_or(head + 1, |seq| seq as u64);
        let mut samples = Vec::new();
        let query = "SELECT clock, body FROM sample ORDER BY rowid";
        for (clock, body) in sqlx::query_as::<_, (u32, String)>(query).fetch_all(&mut self.db).await? {
            let staged = serde_json::from_str::<Vec<Sample>>(&body).unwrap_or_default();
            samples.extend(staged.into_iter().map(|sample| (clock, sample)));
        }
        let standing = match self.get("standing").await? {
            Some((_, body)) => serde_json::from_slice(&body).unwrap_or_default(),
            None => Vec::new(),
        };
        let mut commands = BTreeMap::new();
        for row in sqlx::query("SELECT id, is_final FROM journal").fetch_all(&mut self.db).await? {
            commands.insert(row.try_get(0)?, row.try_get::<i64, _>(1)? != 0);
        }
        let remedies = self.remedies().await?;
        let config = self.get_config("config").await?;
        let trial = self.get_config("trial").await?;
        let alone = self.get("alone").await?.and_then(|(_, body)| String::from_utf8(body).ok());
        Ok(Kept {
            epoch,
            tail,
            head,
            clocks,
            samples,
            standing,
            config,
            trial,
            failed: None,
            commands,
            alone,
            remedies,
        })
    }

    /// Commits a batch in one transaction and keeps the bounds; returns the newest number.
    pub async fn append(&mut self, batch: &Batch) -> anyhow::Result<u64> {
        let config = match &batch.config {
            Some(ConfigChange::Trial(version, text)) => Some((*version, self.seal.seal(text)?)),
            Some(ConfigChange::Confirm | ConfigChange::Revert) | None => None,
        };
        let mut tx = self.db.begin().await?;
        for record in &batch.records {
            insert(&mut tx, record).await?;
        }
        if let Some(last) = batch.records.last() {
            put(&mut tx, "head", last.last as i64, b"").await?;
        }
        if batch.drop_samples {
            sqlx::query("DELETE FROM sample").execute(&mut *tx).await?;
        }
        if !batch.samples.is_empty() {
            sqlx::query("INSERT INTO sample (at_ms, clock, body) VALUES ($1, $2, $3)")
                .bind(batch.at_ms)
                .bind(i64::from(batch.clock))
                .bind(serde_json::to_string(&batch.samples)?)
                .execute(&mut *tx)
                .await?;
        }
        if let Some(alone) = &batch.alone {
            put(&mut tx, "alone", 0, alone.as_bytes()).await?;
        }
        if let Some(standing) = &batch.standing {
            put(&mut tx, "standing", 0, &serde_json::to_vec(standing)?).await?;
        }
        if let Some((version, sealed)) = config {
            put(&mut tx, "trial", version as i64, &sealed).await?;
        }
        match &batch.config {
            Some(ConfigChange::Confirm) => {
                for statement in [
                    "DELETE FROM kept WHERE name = 'config' AND EXISTS (SELECT 1 FROM kept WHERE name = 'trial')",
                    "UPDATE kept SET name = 'config' WHERE name = 'trial'",
                ] {
                    sqlx::query(statement).execute(&mut *tx).await?;
                }
            }
            Some(ConfigChange::Revert) => {
                sqlx::query("DELETE FROM kept WHERE name = 'trial'").execute(&mut *tx).await?;
            }
            Some(ConfigChange::Trial(..)) | None => {}
        }
        for (id, is_final) in &batch.journal {
            sqlx::query(
                "INSERT INTO journal (id, at_ms, is_final) VALUES ($1, $2, $3) \
                 ON CONFLICT (id) DO UPDATE SET is_final = excluded.is_final",
            )
            .bind(id.as_str())
            .bind(batch.at_ms)
            .bind(i64::from(*is_final))
            .execute(&mut *tx)
            .await?;
        }
        if !batch.journal.is_empty() {
            // What lies far ahead was stamped by a clock that was wrong.
            sqlx::query("DELETE FROM journal WHERE at_ms < $1 OR at_ms > $2")
                .bind(batch.at_ms - JOURNAL_DAYS * 86_400_000)
                .bind(batch.at_ms + JOURNAL_DAYS * 86_400_000)
                .execute(&mut *tx)
                .await?;
        }
        remedies::put(&mut tx, &batch.remedies).await?;
        tx.commit().await.context("cannot write the queue: is the disk full?")?;
        for record in &batch.records {
            self.size.records += 1;
            self.size.bytes += record.bytes.len() as u64;
        }
        // What was committed stays committed; the bounds are looked after with the next batch.
        if let Err(error) = self.keep_bounds(batch.at_ms).await {
            tracing::warn!(error = format!("{error:#}"), "the bounds of the queue could not be kept");
        }
        self.size.oldest = self.oldest().await?;
        Ok(self.number("head").await?.unwrap_or(0) as u64)
    }

    /// Records from `from` on, in order; a bounded number of them.
    pub async fn read(&mut self, from: u64) -> anyhow::Result<Vec<Record>> {
        use futures_util::TryStreamExt;
        let mut rows = sqlx::query(
            "SELECT seq, last, kind, at_ms, clock, bytes, sum FROM record WHERE last >= $1 ORDER BY seq LIMIT $2",
        )
        .bind(from as i64)
        .bind(READ_RECORDS)
        .fetch(&mut self.db);
        let mut records = Vec::new();
        let mut bytes = 0;
        while let Some(row) = rows.try_next().await? {
            let record = record(&row)?.unwrap_or_else(corrupt);
            bytes += record.bytes.len();
            records.push(record);
            if bytes >= READ_BYTES {
                break;
            }
        }
        Ok(records)
    }

    /// Deletes what the server has.
    pub async fn delete(&mut self, upto: u64) -> anyhow::Result<()> {
        let (records, bytes): (i64, i64) =
            sqlx::query_as("SELECT COUNT(*), COALESCE(SUM(LENGTH(bytes)), 0) FROM record WHERE last <= $1")
                .bind(upto as i64)
                .fetch_one(&mut self.db)
                .await?;
        sqlx::query("DELETE FROM record WHERE last <= $1").bind(upto as i64).execute(&mut self.db).await?;
        self.size.records = self.size.records.saturating_sub(records.unsigned_abs());
        self.size.bytes = self.size.bytes.saturating_sub(bytes.unsigned_abs());
        self.size.oldest = self.oldest().await?;
        Ok(())
    }

    /// The numbers belong to this epoch from now on.
    pub async fn new_epoch(&mut self, epoch: u64) -> anyhow::Result<()> {
        self.put("epoch", epoch as i64, b"").await
    }

    /// A time that has certainly passed, for gateways whose clock forgets.
    pub async fn put_time(&mut self, now: Timestamp) -> anyhow::Result<()> {
        self.put("time", now.as_millisecond(), b"").await
    }

    /// What the queue holds.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Where the queue lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes the file in order.
    pub async fn close(self) -> anyhow::Result<()> {
        Ok(self.db.close().await?)
    }

    async fn measure(&mut self) -> anyhow::Result<()> {
        let (records, bytes): (i64, i64) =
            sqlx::query_as("SELECT COUNT(*), COALESCE(SUM(LENGTH(bytes)), 0) FROM record")
                .fetch_one(&mut self.db)
                .await?;
        let dropped = self.number("dropped").await?.unwrap_or(0).unsigned_abs();
        let oldest = self.oldest().await?;
        self.size = Size {
            records: records.unsigned_abs(),
            bytes: bytes.unsigned_abs(),
            dropped,
            oldest,
            ..Size::default()
        };
        Ok(())
    }

    async fn get(&mut self, name: &str) -> anyhow::Result<Option<(i64, Vec<u8>)>> {
        let row = sqlx::query_as("SELECT number, body, sum FROM kept WHERE name = $1").bind(name);
        let row: Option<(i64, Vec<u8>, Option<i64>)> = row.fetch_optional(&mut self.db).await?;
        let intact =
            row.filter(|(number, body, sum)| sum.is_none_or(|sum| sum == checksum(&[*number], body)));
        Ok(intact.map(|(number, body, _)| (number, body)))
    }

    async fn number(&mut self, name: &str) -> anyhow::Result<Option<i64>> {
        Ok(self.get(name).await?.map(|(number, _)| number))
    }

    async fn get_config(&mut self, name: &str) -> anyhow::Result<Option<(u64, String)>> {
        let Some((version, sealed)) = self.get(name).await? else { return Ok(None) };
        match self.seal.open(&sealed) {
            Ok(text) => Ok(Some((version as u64, text))),
            Err(error) => {
                tracing::warn!(%error, "the stored configuration cannot be opened, waiting for the server's");
                Ok(None)
            }
        }
    }

    async fn put(&mut self, name: &str, number: i64, body: &[u8]) -> anyhow::Result<()> {
        put(&mut self.db, name, number, body).await
    }
}

async fn put(db: &mut SqliteConnection, name: &str, number: i64, body: &[u8]) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO kept (name, number, body, sum) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (name) DO UPDATE SET number = excluded.number, body = excluded.body, sum = excluded.sum",
    )
    .bind(name)
    .bind(number)
    .bind(body)
    .bind(checksum(&[number], body))
    .execute(db)
    .await?;
    Ok(())
}

async fn is_intact(db: &mut SqliteConnection, name: &str) -> anyhow::Result<bool> {
    let row = sqlx::query_as("SELECT number, body, sum FROM kept WHERE name = $1").bind(name);
    let row: Option<(i64, Vec<u8>, Option<i64>)> = row.fetch_optional(db).await?;
    Ok(row.is_none_or(|(number, body, sum)| sum.is_none_or(|sum| sum == checksum(&[number], &body))))
}

/// FNV-1a, 64 bit: SQLite does not notice a flipped bit inside of a value.
fn checksum(numbers: &[i64], body: &[u8]) -> i64 {
    let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
    let step = |sum: u64, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    numbers.chain(body.iter().copied()).fold(0xcbf2_9ce4_8422_2325, step) as i64
}

/// A gap where a record cannot be read.
fn corrupt((seq, last): (u64, u64)) -> Record {
    let gap = Gap { from_seq: seq, to_seq: last, reason: gap::Reason::Corrupt.into() };
    Record { seq, last, kind: RecordKind::Gap, at_ms: 0, clock: 0, bytes: gap.encode_to_vec() }
}

/// A random epoch, never 0, that fits a signed column.
pub fn random_epoch() -> u64 {
    rand::random_range(1..=i64::MAX as u64)
}

/// The record of a row, or the numbers of one that is not what was written.
fn record(row: &sqlx::sqlite::SqliteRow) -> anyhow::Result<Result<Record, (u64, u64)>> {
    let (seq, last): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    let read = || {
        let (kind, at_ms, clock) = (row.try_get(2)?, row.try_get(3)?, row.try_get::<i64, _>(4)?);
        let (bytes, sum): (Vec<u8>, Option<i64>) = (row.try_get(5)?, row.try_get(6)?);
        let is_intact = sum.is_none_or(|sum| sum == checksum(&[seq, last, kind, at_ms, clock], &bytes));
        anyhow::ensure!(is_intact, "record {seq} is not what was written");
        let (seq, last, clock) = (seq as u64, last as u64, u32::try_from(clock)?);
        Ok(Record { seq, last, kind: kind_of(kind)?, at_ms, clock, bytes })
    };
    Ok(read().map_err(|error: anyhow::Error| {
        tracing::error!(%error, "a record is lost; a gap says so");
        (seq as u64, last as u64)
    }))
}

async fn insert(db: &mut SqliteConnection, record: &Record) -> anyhow::Result<()> {
    let (seq, last, clock) = (record.seq as i64, record.last as i64, i64::from(record.clock));
    let kind = kind_number(record.kind);
    sqlx::query(
        "INSERT INTO record (seq, last, kind, at_ms, clock, bytes, sum) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(seq)
    .bind(last)
    .bind(kind)
    .bind(record.at_ms)
    .bind(clock)
    .bind(record.bytes.as_slice())
    .bind(checksum(&[seq, last, kind, record.at_ms, clock], &record.bytes))
    .execute(db)
    .await?;
    Ok(())
}

/// Numbers on disk; they never change.
fn kind_number(kind: RecordKind) -> i64 {
    match kind {
        RecordKind::Event => 1,
        RecordKind::Metrics => 2,
        RecordKind::CommandResult => 3,
        RecordKind::ReportedConfig => 4,
        RecordKind::Discovered => 5,
        RecordKind::Gap => 6,
    }
}

fn kind_of(number: i64) -> anyhow::Result<RecordKind> {
    match number {
        1 => Ok(RecordKind::Event),
        2 => Ok(RecordKind::Metrics),
        3 => Ok(RecordKind::CommandResult),
        4 => Ok(RecordKind::ReportedConfig),
        5 => Ok(RecordKind::Discovered),
        6 => Ok(RecordKind::Gap),
        other => anyhow::bail!("the queue holds a record of kind {other}, which a newer agent wrote"),
    }
}
