//! The database gets into trouble while reports flow, and out of it again.
//!
//! A disk that is full is made without root by a limit on the size of the server's files: a write beyond it
//! fails as on a full disk. The server is started with the signal ignored that the system would send besides.

use std::time::Duration;

use anyhow::{Result, ensure};
use rand::Rng as _;
use rand::rngs::StdRng;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use tokio::process::Command;

use super::scene::Scene;

/// Longer than the server waits for a lock before it gives up once.
const LOCKED: Duration = Duration::from_secs(20);
const FULL: Duration = Duration::from_secs(8);
/// Less than what the server's log holds by then, so its log cannot be written either.
const FILE_BYTES: &str = "4096";

/// One trouble, from its beginning to its end.
pub(super) async fn strike(scene: &mut Scene, random: &mut StdRng, say: &impl Fn(&str)) -> Result<()> {
    let file = scene.database.file().map(ToOwned::to_owned);
    match file {
        None => {
            let away = Duration::from_millis(random.random_range(500..6_000));
            say(&format!("PostgreSQL crashes and stays away for {} ms", away.as_millis()));
            scene.database.crash();
            tokio::time::sleep(away).await;
            scene.database.start_again();
        }
        Some(file) if scene.troubles_seen.is_multiple_of(2) => {
            say(&format!("another program locks the database for {} s", LOCKED.as_secs()));
            let options = SqliteConnectOptions::new().filename(file).busy_timeout(Duration::from_secs(30));
            let mut other = SqliteConnection::connect_with(&options).await?;
            sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await?;
            tokio::time::sleep(LOCKED).await;
            sqlx::query("ROLLBACK").execute(&mut other).await?;
            other.close().await?;
        }
        Some(_) => {
            say(&format!("the disk is full for {} s", FULL.as_secs()));
            limit_files(scene, FILE_BYTES).await?;
            tokio::time::sleep(FULL).await;
            limit_files(scene, "unlimited").await?;
        }
    }
    scene.troubles_seen += 1;
    scene.nobody_has_died()
}

/// Bounds the files that the running server writes.
async fn limit_files(scene: &Scene, bytes: &str) -> Result<()> {
    let Some(id) = scene.server.id() else { return Ok(()) };
    let mut prlimit = Command::new("prlimit");
    // Only the soft limit, so that it can be lifted again.
    let done = prlimit.args(["--pid", &id.to_string()]).arg(format!("--fsize={bytes}:")).status().await?;
    ensure!(done.success(), "prlimit of util-linux could not bound the server's files");
    Ok(())
}
