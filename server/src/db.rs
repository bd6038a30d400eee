//! Two databases, one text: SQLite in one file by default, PostgreSQL for scale.
//!
//! Reads and writes have their own door. SQLite has one writer, so its write door is a pool of one
//! connection that starts every transaction with `BEGIN IMMEDIATE`: writers queue fairly in this
//! process and never upgrade a read lock. On PostgreSQL both doors are the same pool.

use std::fmt::Write as _;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Executor, Transaction};

/// Which engine a database is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// One file, embedded.
    Sqlite,
    /// A PostgreSQL server, version 15 or later.
    Postgres,
}

/// An open database. Cloning shares the pools.
#[derive(Clone, Debug)]
pub struct Db {
    engine: Engine,
    read: AnyPool,
    write: AnyPool,
}

/// A transaction; the caller that began it commits it.
pub type Tx = Transaction<'static, Any>;
/// A connection on which the `store` modules run.
pub type Conn = AnyConnection;

const READERS: u32 = 8;
/// The advisory lock of whoever lets time act.
const TURN: i64 = 0x7369_7465_7761_7264;
const SQLITE_PRAGMAS: &str = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; \
     PRAGMA busy_timeout=10000; PRAGMA temp_store=MEMORY;";

/// Plans are kept and used again, since making one for a join of seven tables takes longer than running it. A plan that
/// was made while next to nothing stood would then read whole tables in a storm, so whole tables are read only where
/// no index serves; that makes such a read look so dear that it would be compiled first, which takes longer still.
const POSTGRES_SETTINGS: &str = "SET enable_seqscan = off; SET jit = off;";

impl Db {
    /// Opens `url` (`sqlite:PATH` or `postgres://…`) and brings its schema up to date.
    ///
    /// Fails with a clear word when the database was written by a newer release.
    pub async fn open(url: &str) -> Result<Self> {
        let db = Self::connect(url).await?;
        db.migrate().await?;
        Ok(db)
    }

    /// Opens `url` without touching its schema.
    pub async fn connect(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let engine = if url.starts_with("sqlite:") {
            Engine::Sqlite
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Engine::Postgres
        } else {
            bail!("database url `{url}`: it must begin with `sqlite:` or `postgres://`");
        };
        match engine {
            Engine::Sqlite => {
                let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
                let path = path.split('?').next().unwrap_or(path);
                if let Some(folder) = Path::new(path).parent() {
                    std::fs::create_dir_all(folder)
                        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
                }
                let options = AnyConnectOptions::from_str(&format!("sqlite://{path}?mode=rwc"))?;
                let write = sqlite_pool(1).connect_with(options.clone()).await.with_context(|| {
                    format!("cannot open the database {path}; check that the folder is writable")
                })?;
                let read = sqlite_pool(READERS).connect_with(options).await?;
                Ok(Self { engine, read, write })
            }
            Engine::Postgres => {
                let pool = AnyPoolOptions::new()
                    .max_connections(READERS)
                    .acquire_timeout(Duration::from_secs(30))
                    .after_connect(|conn, _| {
                        Box::pin(async move {
                            conn.execute(POSTGRES_SETTINGS).await?;
                            Ok(())
                        })
                    })
                    .connect(url)
                    .await
                    .context("cannot reach PostgreSQL; check the url, the server and the password")?;
                Ok(Self { engine, read: pool.clone(), write: pool })
            }
        }
    }

    /// Applies the migrations that are missing.
    pub async fn migrate(&self) -> Result<()> {
        let migrator = match self.engine {
            Engine::Sqlite => sqlx::migrate!("migrations/sqlite"),
            Engine::Postgres => sqlx::migrate!("migrations/postgres"),
        };
        migrator.run(&self.write).await.map_err(|error| match error {
            sqlx::migrate::MigrateError::VersionMissing(version) => anyhow::anyhow!(
                "the database holds migration {version}, which this release does not know: it was written by a \
                 newer release; start that release, or restore the backup made before the upgrade"
            ),
            sqlx::migrate::MigrateError::VersionMismatch(version) => anyhow::anyhow!(
                "migration {version} in the database differs from the one in this release; a landed migration \
                 never changes, so one of the two is not an original"
            ),
            other => anyhow::Error::new(other).context("cannot bring the database schema up to date"),
        })
    }

    /// Which engine this is.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// A connection for reading.
    pub async fn read(&self) -> sqlx::Result<PoolConnection<Any>> {
        self.read.acquire().await
    }

    /// A transaction for writing. On SQLite it holds the write lock from its first statement on.
    pub async fn write(&self) -> sqlx::Result<Tx> {
        match self.engine {
            Engine::Sqlite => self.write.begin_with("BEGIN IMMEDIATE").await,
            Engine::Postgres => self.write.begin().await,
        }
    }

    /// A transaction in which time acts: it begins escalations, asks whoever is next, settles incidents. One at a
    /// time, over all connections and servers: two that look at the same moment would both ask. On SQLite every
    /// writer is alone; on PostgreSQL it waits here, before it holds anything that another could want.
    pub async fn write_in_turn(&self) -> sqlx::Result<Tx> {
        let mut tx = self.write().await?;
        if self.engine == Engine::Postgres {
            sqlx::query("SELECT CAST(pg_advisory_xact_lock($1) AS TEXT)")
                .bind(TURN)
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx)
    }

    /// Closes all connections; the last one checkpoints SQLite's log.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// Takes the turn of [`Db::write_in_turn`] for the rest of this transaction, if nobody has it: whoever holds rows
/// already must not wait. False when somebody has it; what is due then is theirs, or the engine's next tick.
pub async fn try_turn(conn: &mut Conn) -> sqlx::Result<bool> {
    if conn.backend_name() != "PostgreSQL" {
        return Ok(true);
    }
    sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)").bind(TURN).fetch_one(conn).await
}

fn sqlite_pool(size: u32) -> AnyPoolOptions {
    AnyPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(Duration::from_secs(30))
        .after_connect(|conn, _| {
            Box::pin(async move {
                conn.execute(SQLITE_PRAGMAS).await?;
                Ok(())
            })
        })
        // On a full disk SQLite rolls back by itself; sqlx then counts a transaction that is over, and no other
        // could ever begin on this connection.
        .after_release(|conn, _| {
            Box::pin(async move {
                if conn.is_in_transaction() {
                    // The rollback that a dropped transaction asked for may still be under way.
                    conn.ping().await?;
                }
                Ok(!conn.is_in_transaction())
            })
        })
}

/// What the operator can do about an error of the database.
pub fn remedy(error: &sqlx::Error) -> &'static str {
    let words = error.to_string();
    let says = |word: &str| words.contains(word);
    if says("locked") {
        "another program holds the database; end it"
    } else if says("disk is full") || says("disk I/O error") || says("No space left") {
        "the disk of the database is full or broken; make room"
    } else if says("readonly") || says("read-only") {
        "the database cannot be written; look at the rights of its file and at the file system"
    } else {
        "look whether the database runs and can be reached"
    }
}

/// True when `error` is a violated UNIQUE or PRIMARY KEY constraint: the database refereed a race.
pub fn is_conflict(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|e| e.kind() == sqlx::error::ErrorKind::UniqueViolation)
}

/// What a failure of the database says about the work that it was asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The database is away, busy, full or broken. The same work may succeed later.
    Outage,
    /// The work itself can never be done: a value that no column takes, a rule of the schema.
    Unfit,
    /// Anything else, a mistake in a statement among it.
    Other,
}

/// Tells a database in trouble from work that no database would do.
pub fn failure(error: &sqlx::Error) -> Failure {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Failure::Outage,
        sqlx::Error::Encode(_) => Failure::Unfit,
        sqlx::Error::Database(error) => error.code().map_or(Failure::Other, |code| failure_of(&code)),
        _ => Failure::Other,
    }
}

/// By PostgreSQL's code of five letters (appendix A of its manual) or SQLite's result code (its low byte).
fn failure_of(code: &str) -> Failure {
    if code.len() == 5 {
        return match &code[..2] {
            "08" | "25" | "40" | "53" | "55" | "57" | "58" => Failure::Outage,
            "22" | "23" | "54" => Failure::Unfit,
            _ => Failure::Other,
        };
    }
    match code.parse::<u32>().map(|code| code & 0xff) {
        // Busy, locked, no memory, read-only, input and output, corrupt, full, cannot open, protocol, no database.
        Ok(5 | 6 | 7 | 8 | 10 | 11 | 13 | 14 | 15 | 26) => Failure::Outage,
        // Too big, constraint, mismatch.
        Ok(18..=20) => Failure::Unfit,
        Ok(_) | Err(_) => Failure::Other,
    }
}

/// The most rows that one statement writes.
const ROWS_AT_ONCE: usize = 128;

/// Rows in pieces whose lengths are powers of two or thrice such, the long ones first: so a statement over many
/// rows has few texts, and each is prepared once.
pub fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    let is_round = |length: usize| {
        length.is_power_of_two() || (length.is_multiple_of(3) && (length / 3).is_power_of_two())
    };
    std::iter::from_fn(move || {
        let length = (0..=rows.len().min(ROWS_AT_ONCE)).rev().find(|length| is_round(*length))?;
        let (piece, rest) = rows.split_at(length);
        rows = rest;
        Some(piece)
    })
}

/// Adds ` AND column = $n` for each column that is given a value, from the place `first` on; the values in that order.
/// Only what narrows gets into the text, because no index serves a condition that may be void.
pub fn narrow<'a, const N: usize>(
    text: &mut String,
    first: usize,
    by: [(&str, Option<&'a str>); N],
) -> Vec<&'a str> {
    let mut values = Vec::new();
    for (column, value) in by {
        let Some(value) = value else { continue };
        // Writing to a text cannot fail.
        let _ = write!(text, " AND {column} = ${}", first + values.len());
        values.push(value);
    }
    values
}

/// `($1, $2), ($3, $4)`: the places of so many rows of so many columns, each value bound once and in this order.
///
/// On SQLite they are `(?, ?), (?, ?)`: there, whoever binds a value finds a place with a number only by going through
/// the names of all of them, which is most of the work of a long statement.
pub fn places(conn: &Conn, rows: usize, columns: usize) -> String {
    let engine = engine_of(conn);
    list(rows, columns, |text, place, _| put(text, engine, place))
}

/// The same with the types of the columns, where nothing else says them: `(CAST($1 AS TEXT), CAST($2 AS BIGINT))`.
pub fn typed_places(conn: &Conn, rows: usize, types: &[&str]) -> String {
    let engine = engine_of(conn);
    list(rows, types.len(), |text, place, column| {
        text.push_str("CAST(");
        put(text, engine, place);
        text.push_str(" AS ");
        text.push_str(types[column]);
        text.push(')');
    })
}

/// `($1, $2, $3)` on both: the places of one row that a statement names more than once.
pub fn named_places(columns: usize) -> String {
    list(1, columns, |text, place, _| put(text, Engine::Postgres, place))
}

fn engine_of(conn: &Conn) -> Engine {
    if conn.backend_name() == "SQLite" { Engine::Sqlite } else { Engine::Postgres }
}

fn put(text: &mut String, engine: Engine, place: usize) {
    match engine {
        Engine::Sqlite => text.push('?'),
        // Writing to a text cannot fail.
        Engine::Postgres => _ = write!(text, "${place}"),
    }
}

/// Rows in brackets; `put` writes the value at its place, from 1 on, in its column, from 0 on.
fn list(rows: usize, columns: usize, put: impl Fn(&mut String, usize, usize)) -> String {
    let mut text = String::with_capacity(rows * columns * 7);
    for row in 0..rows {
        text.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            text.push_str(if column == 0 { "" } else { ", " });
            put(&mut text, row * columns + column + 1, column);
        }
        text.push(')');
    }
    text
}

/// The clause that lets several replicas claim rows side by side. SQLite has one writer and needs none.
pub fn skip_locked(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "",
        Engine::Postgres => "FOR UPDATE SKIP LOCKED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_few_lengths_and_leave_nothing_out() {
        let rows: Vec<usize> = (0..300).collect();
        let lengths: Vec<usize> = pieces(&rows).map(<[usize]>::len).collect();
        assert_eq!(lengths, [128, 128, 32, 12]);
        assert_eq!(pieces(&rows).flatten().copied().collect::<Vec<_>>(), rows);
        assert_eq!(pieces::<u8>(&[]).count(), 0);
    }

    #[test]
    fn places_are_numbered_row_by_row() {
        let of = |engine| list(2, 3, |text, place, _| put(text, engine, place));
        assert_eq!(of(Engine::Postgres), "($1, $2, $3), ($4, $5, $6)");
        assert_eq!(of(Engine::Sqlite), "(?, ?, ?), (?, ?, ?)");
        assert_eq!(named_places(2), "($1, $2)");
    }

    #[tokio::test]
    async fn a_connection_says_how_places_are_written() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let db = Db::open(&format!("sqlite:{}", folder.path().join("a.db").display())).await?;
        let conn = &mut *db.read().await?;
        assert_eq!(places(conn, 1, 2), "(?, ?)");
        assert_eq!(typed_places(conn, 1, &["TEXT", "BIGINT"]), "(CAST(? AS TEXT), CAST(? AS BIGINT))");
        Ok(())
    }

    #[test]
    fn an_outage_is_not_the_works_fault() {
        for code in ["08006", "53100", "57P01", "40P01", "5", "13", "2570"] {
            assert_eq!(failure_of(code), Failure::Outage, "{code}");
        }
        for code in ["22021", "23505", "787", "2067"] {
            assert_eq!(failure_of(code), Failure::Unfit, "{code}");
        }
        assert_eq!(failure_of("42601"), Failure::Other);
        assert_eq!(failure_of("1"), Failure::Other);
        assert_eq!(failure(&sqlx::Error::PoolTimedOut), Failure::Outage);
    }
}
