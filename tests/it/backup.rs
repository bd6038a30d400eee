//! A restore is rehearsed: what a server was, it is again, on the same engine and on the other.

use std::path::Path;

use sitewarden_server::backup;
use sitewarden_server::db::Db;
use sitewarden_server::keys::Keys;
use sitewarden_tests::database::{Database, ENGINES, Engine};
use sitewarden_tests::world::World;

const PASSPHRASE: &str = "four words and a comma, then some";

/// A world in which something has happened, and its backup.
async fn lived(engine: Engine, folder: &Path) -> (World, std::path::PathBuf, u64) {
    let mut world = World::usual(engine).await;
    world.device_with("North Gate", "switch", None).await;
    let switch = world.device_id("switch");
    world.device_with("North Gate", "gate-cam-3", Some(&switch)).await;
    world.forward_minutes(10).await;
    let file = folder.join("one.backup");
    let rows = backup::write(&world.app.db, &world.app.keys, &file, PASSPHRASE, world.now()).await.unwrap();
    (world, file, rows)
}

async fn counts(db: &Db) -> Vec<(&'static str, i64)> {
    let mut conn = db.read().await.unwrap();
    let mut counts = Vec::new();
    for table in [
        "customer",
        "site",
        "account",
        "audit",
        "gateway",
        "gateway_epoch",
        "device",
        "device_state",
        "metric_block",
    ] {
        let query = sqlx::AssertSqlSafe(format!("SELECT CAST(COUNT(*) AS BIGINT) FROM {table}"));
        let count: i64 = sqlx::query_scalar(query).fetch_one(&mut *conn).await.unwrap();
        counts.push((table, count));
    }
    counts
}

async fn devices(db: &Db) -> Vec<(String, Option<String>, Vec<u8>)> {
    let mut conn = db.read().await.unwrap();
    sqlx::query_as("SELECT name, parent_id, checks FROM device ORDER BY id")
        .fetch_all(&mut *conn)
        .await
        .unwrap()
}

async fn rehearse(from: Engine, to: Engine) {
    let folder = tempfile::tempdir().unwrap();
    let (world, file, rows) = lived(from, folder.path()).await;
    let (fresh, data) = (Database::fresh(to).await, folder.path().join("new"));
    let restored = backup::restore(&file, PASSPHRASE, &data, &fresh.url).await.unwrap();
    assert_eq!(restored, rows);
    let db = Db::open(&fresh.url).await.unwrap();
    assert_eq!(counts(&db).await, counts(&world.app.db).await);
    let back = devices(&db).await;
    assert_eq!(back, devices(&world.app.db).await);
    assert!(back.iter().any(|(_, parent, _)| parent.is_some()), "{back:?}");
    // The keys are the same keys: credentials open, gateways know the authority and the command key.
    let keys = Keys::open_or_create(&data, world.now()).unwrap();
    assert!(String::from_utf8(keys.open(&back[0].2).unwrap()).unwrap().contains("[[check]]"));
    assert_eq!(keys.ca().fingerprint(), world.app.keys.ca().fingerprint());
    assert_eq!(keys.command_public_key(), world.app.keys.command_public_key());
    // Nothing is overwritten: not the folder, not the database, not the file.
    let again = backup::restore(&file, PASSPHRASE, &data, &fresh.url).await.unwrap_err();
    assert!(again.to_string().contains("already holds keys"), "{again:#}");
    let again =
        backup::restore(&file, PASSPHRASE, &folder.path().join("third"), &fresh.url).await.unwrap_err();
    assert!(again.to_string().contains("already holds rows"), "{again:#}");
    let again = backup::write(&db, &keys, &file, PASSPHRASE, world.now()).await.unwrap_err();
    assert!(again.to_string().contains("exists"), "{again:#}");
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlite_to_sqlite() {
    Box::pin(rehearse(ENGINES[0], ENGINES[0])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlite_to_postgres() {
    Box::pin(rehearse(ENGINES[0], ENGINES[1])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_postgres_to_sqlite() {
    Box::pin(rehearse(ENGINES[1], ENGINES[0])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_passphrase_and_a_torn_file_touch_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (_world, file, _) = lived(ENGINES[0], folder.path()).await;
    let (fresh, data) = (Database::fresh(ENGINES[0]).await, folder.path().join("new"));
    let wrong = backup::restore(&file, "something else", &data, &fresh.url).await.unwrap_err();
    assert!(format!("{wrong:#}").contains("passphrase is wrong"), "{wrong:#}");
    let whole = std::fs::read(&file).unwrap();
    let torn = folder.path().join("torn.backup");
    std::fs::write(&torn, &whole[..whole.len() - 3]).unwrap();
    assert!(backup::restore(&torn, PASSPHRASE, &data, &fresh.url).await.is_err());
    assert!(!data.exists());
    backup::restore(&file, PASSPHRASE, &data, &fresh.url).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_master_key_opens_every_device() {
    for engine in ENGINES {
        let folder = tempfile::tempdir().unwrap();
        let (world, _, _) = lived(engine, folder.path()).await;
        let (db, keys) = (&world.app.db, &world.app.keys);
        let before = devices(db).await;
        assert_eq!(sitewarden_server::gateway::reseal::rotate(db, keys).await.unwrap(), before.len());
        for ((_, _, old), (_, _, new)) in before.iter().zip(&devices(db).await) {
            assert_ne!(old, new);
            assert_eq!(Keys::sealed_with(new), Some(2));
            assert_eq!(keys.open(old).unwrap(), keys.open(new).unwrap());
        }
    }
}
