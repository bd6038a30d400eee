//! A server is lost and comes back from last night's backup, while its gateways have moved on.

use serde_json::Value;
use sitewarden_server::backup;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::World;

stories![what_stands_is_told_again_and_what_is_over_is_closed];

const PASSPHRASE: &str = "four words and a comma, then some";

async fn what_stands_is_told_again_and_what_is_over_is_closed(engine: Engine) {
    let mut w = World::usual(engine).await;
    for name in ["cam-1", "cam-2", "cam-3", "cam-4"] {
        w.device_with("North Gate", name, None).await;
    }
    w.forward_minutes(3).await;
    for name in ["cam-1", "cam-4"] {
        w.device_goes_down(name);
        w.forward_minutes(3).await;
    }
    w.pager.expect("li.wei", &["#1001", "cam-1"]);
    w.pager.expect("li.wei", &["#1002", "cam-4"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("night.backup");
    backup::write(&w.app.db, &w.app.keys, &file, PASSPHRASE, w.now()).await.unwrap();
    let known = numbers(&w).await;

    // The day that will be lost.
    w.device_comes_back("cam-1");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "over", "cam-1"]);
    w.device_goes_down("cam-2");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1003", "cam-2"]);
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1004", "cam-3"]);
    w.device_comes_back("cam-3");
    w.pass_hours(1).await;
    w.pager.expect("li.wei", &["#1004", "over", "cam-3"]);
    w.pager.expect_nothing_else();
    assert_eq!(w.gateway_mut("North Gate").waiting(), 0, "everything was acknowledged");

    w.restore_server(&file, PASSPHRASE).await;
    w.forward_minutes(3).await;
    let states =
        [w.state("cam-1").await, w.state("cam-2").await, w.state("cam-3").await, w.state("cam-4").await];
    assert_eq!(states, ["ok", "down", "ok", "down"]);
    // What stands is told first, then what is quiet.
    w.pager.expect("li.wei", &["#1003", "cam-2"]);
    w.pager.expect("li.wei", &["#1001", "over", "cam-1"]);
    w.pager.expect_nothing_else();
    assert_eq!(open(&w).await, ["cam-2", "cam-4"]);
    let mut conn = w.app.db.read().await.unwrap();
    let gaps: Vec<(i64, String)> =
        sqlx::query_as("SELECT from_seq, reason FROM record_gap").fetch_all(&mut *conn).await.unwrap();
    drop(conn);
    assert_eq!(gaps, [(known + 1, "already_deleted".to_owned())], "what is lost is said");

    // And life goes on.
    w.device_comes_back("cam-2");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1003", "over", "cam-2"]);
    w.device_comes_back("cam-4");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1002", "over", "cam-4"]);
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1004", "cam-3"]);
    assert_eq!(open(&w).await, ["cam-3"]);
    w.forward_minutes(6).await;
    assert_eq!(w.gateway_mut("North Gate").waiting(), 0);
}

/// How far the server has the gateway's numbers.
async fn numbers(w: &World) -> i64 {
    let mut conn = w.app.db.read().await.unwrap();
    sqlx::query_scalar("SELECT upto FROM gateway_epoch").fetch_one(&mut *conn).await.unwrap()
}

/// The devices with an open incident.
async fn open(w: &World) -> Vec<String> {
    let incidents = w.incidents("open").await;
    let mut names: Vec<String> =
        incidents.iter().filter_map(|i: &Value| i["device_name"].as_str().map(str::to_owned)).collect();
    names.sort();
    names
}
