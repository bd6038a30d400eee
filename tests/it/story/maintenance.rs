//! Somebody works there by arrangement: pages wait, facts do not, and at the end what is not known yet is said once.

use axum::http::Method;
use serde_json::{Value, json};
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![
    a_window_holds_pages_and_says_the_difference_once,
    what_is_over_when_the_window_ends_wakes_nobody,
    a_window_is_ended_early_and_extended,
    a_fault_opens_a_flexible_window_and_an_arrival_one_for_a_visit,
    windows_cover_what_they_name_and_nothing_else,
    windows_have_bounds,
];

const MINUTE: i64 = 60_000;

async fn plan(w: &World, minutes: (i64, i64), more: Value) -> String {
    let now = w.now().as_millisecond();
    let mut new = json!({ "site_id": w.site_id("North Gate"), "starts_at": now + minutes.0 * MINUTE,
        "ends_at": now + minutes.1 * MINUTE, "reason": "new fibre" });
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    text(&w.admin.post("/api/v1/maintenance", &new).await.ok(), "/id")
}

async fn windows(w: &World) -> Vec<(String, String)> {
    let list = items(&w.admin.get("/api/v1/maintenance?state=all").await.ok());
    list.iter().map(|window| (text(window, "/kind"), text(window, "/state"))).collect()
}

async fn a_window_holds_pages_and_says_the_difference_once(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    plan(&w, (5, 65), json!({})).await;
    w.forward_minutes(6).await;
    assert_eq!(w.state("cam-3").await, "maintenance");
    w.device_goes_down("cam-3");
    w.forward_minutes(10).await;
    assert_eq!(w.incidents("open").await.len(), 1, "facts are on the record");
    assert_eq!(w.story(1001).await, ["opened", "withheld"]);
    assert_eq!(w.ticket(1001).await["holds"][0]["detail"]["why"], "new fibre");
    w.restart_server().await;
    w.forward_minutes(40).await;
    w.pager.expect_nothing_else();
    w.forward_minutes(10).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
    assert_eq!(w.story(1001).await, ["opened", "withheld", "released", "page_queued", "page_sent"]);
    assert_eq!(w.state("cam-3").await, "down");
    assert_eq!(windows(&w).await, [("fixed".to_owned(), "over".to_owned())]);
    w.restart_server().await;
    w.forward_minutes(10).await;
}

async fn what_is_over_when_the_window_ends_wakes_nobody(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
    plan(&w, (0, 60), json!({})).await;
    // A resolution is never withheld.
    w.device_comes_back("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    w.device_goes_down("cam-3");
    w.forward_minutes(20).await;
    w.device_comes_back("cam-3");
    w.forward_minutes(50).await;
    assert_eq!(w.state("cam-3").await, "ok");
    assert_eq!(w.story(1002).await, ["opened", "withheld", "fault_cleared", "closed"]);
}

async fn a_window_is_ended_early_and_extended(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    let id = plan(&w, (0, 20), json!({ "device_id": w.device_id("cam-3") })).await;
    w.device_goes_down("cam-3");
    w.forward_minutes(15).await;
    let until = json!({ "until": w.now().as_millisecond() + 60 * MINUTE });
    w.admin.post(&format!("/api/v1/maintenance/{id}/extend"), &until).await.ok();
    w.forward_minutes(30).await;
    w.pager.expect_nothing_else();
    w.admin.post(&format!("/api/v1/maintenance/{id}/end"), &json!({})).await.ok();
    w.forward_minutes(1).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
    let again = w.admin.post(&format!("/api/v1/maintenance/{id}/end"), &json!({})).await;
    assert_eq!(again.status.as_u16(), 409, "{}", again.text);
    let audit = items(&w.admin.get("/api/v1/audit").await.ok());
    let acts: Vec<String> = audit.iter().map(|entry| text(entry, "/action")).collect();
    for act in ["maintenance.create", "maintenance.extend", "maintenance.end"] {
        assert!(acts.iter().any(|done| done == act), "{act}: {acts:?}");
    }
}

async fn a_fault_opens_a_flexible_window_and_an_arrival_one_for_a_visit(engine: Engine) {
    let mut w = World::usual(engine).await;
    for name in ["cam-3", "cam-4"] {
        w.device_with("North Gate", name, None).await;
    }
    w.forward_minutes(2).await;
    let (first, second) = (w.device_id("cam-3"), w.device_id("cam-4"));
    plan(&w, (0, 600), json!({ "kind": "flexible", "length_ms": 30 * MINUTE, "device_id": first })).await;
    let visit =
        plan(&w, (0, 600), json!({ "kind": "visit", "length_ms": 30 * MINUTE, "device_id": second })).await;
    w.forward_minutes(60).await;
    assert_eq!(windows(&w).await.iter().filter(|(_, state)| state == "waiting").count(), 2);
    assert_eq!(w.state("cam-3").await, "ok");
    w.device_goes_down("cam-3");
    w.forward_minutes(20).await;
    w.pager.expect_nothing_else();
    assert_eq!(w.state("cam-3").await, "maintenance");
    w.forward_minutes(15).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
    w.admin.post(&format!("/api/v1/maintenance/{visit}/arrive"), &json!({})).await.ok();
    assert_eq!(w.state("cam-4").await, "maintenance");
    let twice = w.admin.post(&format!("/api/v1/maintenance/{visit}/arrive"), &json!({})).await;
    assert_eq!(twice.status.as_u16(), 409);
    w.device_goes_down("cam-4");
    w.forward_minutes(25).await;
    w.pager.expect_nothing_else();
    w.forward_minutes(10).await;
    w.pager.expect("li.wei", &["#1002", "cam-4"]);
}

async fn windows_cover_what_they_name_and_nothing_else(engine: Engine) {
    let mut w = World::usual(engine).await;
    for name in ["cam-3", "cam-4"] {
        w.device_with("North Gate", name, None).await;
    }
    w.forward_minutes(2).await;
    plan(&w, (0, 60), json!({ "device_id": w.device_id("cam-3"), "code": "tls_expired" })).await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
    assert_eq!(w.state("cam-3").await, "down", "one fault only, and not this one");
    plan(&w, (0, 60), json!({ "device_id": w.device_id("cam-3") })).await;
    w.device_goes_down("cam-4");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1002", "cam-4"]);
    // The gateway falls silent in a window of its site.
    plan(&w, (0, 60), json!({})).await;
    w.cut("North Gate").await;
    w.forward_minutes(10).await;
    assert_eq!(w.state("cam-3").await, "maintenance");
    w.pager.expect_nothing_else();
    w.reconnect("North Gate").await;
    w.forward_minutes(60).await;
    w.pager.expect_nothing_else();
}

async fn windows_have_bounds(engine: Engine) {
    let w = World::usual(engine).await;
    let now = w.now().as_millisecond();
    let new = |from: i64, to: i64, more: Value| {
        let mut new = json!({ "site_id": w.site_id("North Gate"), "starts_at": now + from, "ends_at": now + to, "reason": "r" });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        new
    };
    for (bad, word) in [
        (new(0, 15 * 24 * 3_600_000, json!({})), "14 days"),
        (new(0, 1000, json!({})), "1 min"),
        (new(-3_600_000, -1, json!({})), "passed"),
        (new(0, 3_600_000, json!({ "reason": "" })), "reason"),
        (new(0, 3_600_000, json!({ "kind": "visit" })), "length_ms"),
        (new(0, 3_600_000, json!({ "kind": "sometimes" })), "flexible"),
    ] {
        let answer = w.admin.post("/api/v1/maintenance", &bad).await;
        assert_eq!(
            (answer.status.as_u16(), answer.text.contains(word)),
            (400, true),
            "{bad} {}",
            answer.text
        );
    }
    let gone = w.admin.send(Method::POST, "/api/v1/maintenance/none/end", Some(&json!({}))).await;
    assert_eq!(gone.status.as_u16(), 404);
}
