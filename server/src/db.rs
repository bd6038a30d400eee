//! Two databases, one text: SQLite in one file by default, PostgreSQL for scale.
//!
//! Reads and writes have their own door. SQLite has one writer, so its write door is a pool of one
//! connection that starts every transaction with `BEGIN IMMEDIATE`: writers queue fairly in this
//! process and never upgrade a read lock. On PostgreSQL both doors are the same pool.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Executor, Transaction};

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
const SQLITE_PRAGMAS: &str = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; \
     PRAGMA busy_timeout=10000; PRAGMA temp_store=MEMORY;";

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

    /// Closes all connections; the last one checkpoints SQLite's log.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

fn sqlite_pool(size: u32) -> AnyPoolOptions {
    AnyPoolOptions::new().max_connections(size).acquire_timeout(Duration::from_secs(30)).after_connect(
        |conn, _| {
            Box::pin(async move {
                conn.execute(SQLITE_PRAGMAS).await?;
                Ok(())
            })
        },
    )
}

/// True when `error` is a violated UNIQUE or PRIMARY KEY constraint: the database refereed a race.
pub fn is_conflict(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|e| e.kind() == sqlx::error::ErrorKind::UniqueViolation)
}

/// The clause that lets several replicas claim rows side by side. SQLite has one writer and needs none.
pub fn skip_locked(engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => "",
        Engine::Postgres => "FOR UPDATE SKIP LOCKED",
    }
}
