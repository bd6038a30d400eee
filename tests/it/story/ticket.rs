//! Tickets by hand, and what people do with tickets.

use serde_json::json;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::World;

stories![
    a_ticket_by_hand_lives_and_pages,
    a_ticket_closed_by_a_person_stays_closed_and_knows_what_stands,
    what_is_not_possible_is_said
];

async fn a_ticket_by_hand_lives_and_pages(engine: Engine) {
    let mut w = World::usual(engine).await;
    let site = w.site_id("North Gate");
    let li = w.as_person("li.wei").await;
    let new = json!({ "site_id": site, "title": "Barrier arm bent", "severity": "major", "note": "Seen by the guard" });
    let ticket = li.post("/api/v1/tickets", &new).await.ok();
    assert_eq!((&ticket["number"], &ticket["origin"]), (&1001.into(), &"person".into()));
    w.settle().await;
    w.pager.expect("li.wei", &["#1001", "Barrier arm bent", "North Gate"]);

    li.post("/api/v1/tickets/1001/ack", &json!({ "note": "on my way" })).await.ok();
    li.post("/api/v1/tickets/1001/note", &json!({ "text": "arm replaced" })).await.ok();
    li.post("/api/v1/tickets/1001/close", &json!({ "reason": "arm replaced and tested" })).await.ok();
    li.post("/api/v1/tickets/1001/reopen", &json!({ "reason": "bent again" })).await.ok();
    w.settle().await;
    w.pager.expect("li.wei", &["#1001"]);
    let story = [
        "opened",
        "page_queued",
        "page_sent",
        "acked",
        "note",
        "closed",
        "reopened",
        "page_queued",
        "page_sent",
    ];
    assert_eq!(w.story(1001).await, story);
    let minor = json!({ "site_id": site, "title": "Label missing", "severity": "minor" });
    li.post("/api/v1/tickets", &minor).await.ok();
    w.settle().await;
    assert_eq!(w.story(1002).await, ["opened", "not_paged"]);
}

async fn a_ticket_closed_by_a_person_stays_closed_and_knows_what_stands(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001"]);
    let li = w.as_person("li.wei").await;
    let closed =
        li.post("/api/v1/tickets/1001/close", &json!({ "reason": "camera is being replaced" })).await.ok();
    let last = closed["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["body"]["faults_standing"], 1, "closing over a standing fault is on the record");
    w.device_comes_back("cam-3");
    w.forward_minutes(3).await;
    assert!(w.incidents("open").await.is_empty(), "the machine's facts go on");
    assert_eq!(w.story(1001).await.last().map(String::as_str), Some("fault_cleared"));
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1002"]);
}

async fn what_is_not_possible_is_said(engine: Engine) {
    let w = World::usual(engine).await;
    let site = w.site_id("North Gate");
    let post = async |path: &str, body| w.admin.post(path, &body).await;
    let bad = post("/api/v1/tickets", json!({ "site_id": site, "title": " ", "severity": "major" })).await;
    assert_eq!(bad.status, 400);
    let bad = post("/api/v1/tickets", json!({ "site_id": site, "title": "x", "severity": "huge" })).await;
    assert!(bad.text.contains("huge") && bad.text.contains("critical"), "{}", bad.text);
    assert_eq!(
        post("/api/v1/tickets", json!({ "site_id": "no", "title": "x", "severity": "minor" })).await.status,
        404
    );
    post("/api/v1/tickets", json!({ "site_id": site, "title": "x", "severity": "minor" })).await.ok();
    let early = post("/api/v1/tickets/1001/reopen", json!({ "reason": "why" })).await;
    assert_eq!((early.status.as_u16(), early.text.contains("not closed")), (409, true), "{}", early.text);
    assert_eq!(post("/api/v1/tickets/1001/close", json!({ "reason": "" })).await.status, 400);
    post("/api/v1/tickets/1001/close", json!({ "reason": "done" })).await.ok();
    let late = post("/api/v1/tickets/1001/ack", json!({})).await;
    assert_eq!((late.status.as_u16(), late.text.contains("open it again")), (409, true), "{}", late.text);
}
