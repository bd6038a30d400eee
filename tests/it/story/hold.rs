//! A ticket's pages are held back for a reason, and the record says so; once nothing holds them, what the people
//! do not know yet is said once.

use jiff::SignedDuration;
use serde_json::json;
use sitewarden_server::ticket::Hold;
use sitewarden_server::ticket::store::hold;
use sitewarden_tests::database::Engine;
use sitewarden_tests::gateway::Condition;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, text};

stories![
    what_is_held_is_paged_once_when_nothing_holds_it,
    a_hold_ends_by_itself,
    a_resolution_is_never_withheld
];

async fn hold_first(w: &World, reason: Hold, minutes: Option<i64>) -> bool {
    let (ticket, now) = (text(&w.tickets().await[0], "/id"), w.now());
    let until = minutes.map(|minutes| now + SignedDuration::from_mins(minutes));
    let mut tx = w.app.db.write().await.unwrap();
    let new = hold::hold(&mut tx, &ticket, reason, &json!({ "who": "chen.yu" }), until, now).await.unwrap();
    tx.commit().await.unwrap();
    new
}

async fn release_first(w: &World, reason: Hold) -> bool {
    let ticket = text(&w.tickets().await[0], "/id");
    let mut tx = w.app.db.write().await.unwrap();
    let done = hold::release(&mut tx, &ticket, reason, w.now()).await.unwrap();
    tx.commit().await.unwrap();
    done
}

fn faulty(check: &str, code: &str) -> Condition {
    Condition::Faulty { check: check.into(), code: code.into() }
}

/// A camera with a minor fault, whose ticket pages nobody, on hold for two reasons while it becomes graver.
async fn what_is_held_is_paged_once_when_nothing_holds_it(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.condition("cam-3", faulty("http", "tls_expiring"));
    w.forward_minutes(3).await;
    assert!(hold_first(&w, Hold::Remedy, None).await);
    assert!(hold_first(&w, Hold::Cause, None).await);
    assert!(!hold_first(&w, Hold::Cause, None).await, "a second time it only gets new particulars");
    w.device_goes_down("cam-3");
    w.forward_minutes(5).await;
    assert!(release_first(&w, Hold::Remedy).await);
    w.forward_minutes(5).await;
    w.duty("li.wei", Some("North Gate")).await;
    w.forward_minutes(1).await;
    w.pager.expect_nothing_else();
    let ticket = w.ticket(1001).await;
    assert_eq!(ticket["severity"], "critical");
    assert_eq!(
        (ticket["holds"][0]["reason"].as_str(), ticket["holds"].as_array().unwrap().len()),
        (Some("cause"), 1)
    );

    assert!(release_first(&w, Hold::Cause).await);
    assert!(!release_first(&w, Hold::Cause).await, "it is released once");
    w.forward_minutes(1).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
    w.restart_server().await;
    w.forward_minutes(30).await;
    w.pager.expect_nothing_else();
    let ticket = w.ticket(1001).await;
    let told: Vec<(String, String)> = ticket["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "withheld" || event["kind"] == "released")
        .map(|event| (text(event, "/kind"), text(event, "/body/reason")))
        .collect();
    let word = |kind: &str, reason: &str| (kind.to_owned(), reason.to_owned());
    assert_eq!(
        told,
        [
            word("withheld", "remedy"),
            word("withheld", "cause"),
            word("released", "remedy"),
            word("released", "cause")
        ]
    );
    assert_eq!(ticket["holds"], json!([]));
}

async fn a_hold_ends_by_itself(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.condition("cam-3", faulty("http", "tls_expiring"));
    w.forward_minutes(3).await;
    hold_first(&w, Hold::Remedy, Some(10)).await;
    w.device_goes_down("cam-3");
    w.forward_minutes(8).await;
    w.restart_server().await;
    w.forward_minutes(1).await;
    w.pager.expect_nothing_else();
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
}

async fn a_resolution_is_never_withheld(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
    hold_first(&w, Hold::Cause, None).await;
    w.device_comes_back("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    assert_eq!(w.ticket(1001).await["holds"], json!([]));
}
