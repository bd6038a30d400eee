//! What a person wants of a channel: a limit that loses nothing, quiet hours, a test that tells the truth; what
//! happens when an address is gone; other programs that are told.

use serde_json::{Value, json};
use sitewarden_tests::database::Engine;
use sitewarden_tests::gateway::Condition;
use sitewarden_tests::peer::Providers;
use sitewarden_tests::stories_in_parallel;
use sitewarden_tests::world::{World, items, text};

stories_in_parallel![
    what_a_limit_holds_back_comes_in_one_page,
    quiet_hours_wait_for_the_morning_and_critical_trouble_does_not,
    a_test_says_what_the_provider_said,
    a_push_is_nobodys_only_channel,
    a_subscription_that_is_gone_is_not_used_again_and_others_are_told,
    what_is_set_for_a_channel_is_sealed_and_never_shown,
    receivers_are_told_what_stands_and_what_ended,
];

/// The contacts of a person: the path, and the first of them.
async fn contact_of(w: &World, login: &str) -> (String, String) {
    let users = items(&w.admin.get("/api/v1/users").await.ok());
    let user = users.iter().find(|user| user["login"] == login).unwrap();
    let path = format!("/api/v1/users/{}/contacts", text(user, "/id"));
    let contacts = items(&w.admin.get(&path).await.ok());
    let first = contacts.first().map(|contact| text(contact, "/id")).unwrap_or_default();
    (path, first)
}

async fn wish(w: &World, login: &str, wishes: &Value) {
    let (path, id) = contact_of(w, login).await;
    let method = axum::http::Method::PATCH;
    w.admin.send(method, &format!("{path}/{id}"), Some(wishes)).await.ok();
}

async fn what_a_limit_holds_back_comes_in_one_page(engine: Engine) {
    let mut w = World::usual(engine).await;
    for n in 1..=6 {
        w.device_with("North Gate", &format!("cam-{n}"), None).await;
    }
    w.forward_minutes(2).await;
    wish(&w, "li.wei", &json!({ "limit_pages": 3, "limit_minutes": 10 })).await;
    for n in 1..=5 {
        w.device_goes_down(&format!("cam-{n}"));
    }
    w.forward_minutes(3).await;
    // Whatever was found by then came in three messages, the last of which carried all that was left.
    let mut told = 0;
    for _ in 0..3 {
        told += pages_in(&w.pager.expect("li.wei", &["#100"]));
    }
    w.pager.expect_nothing_else();
    // A sixth one waits until the first has left the ten minutes, and its record says so.
    w.device_goes_down("cam-6");
    w.forward_minutes(3).await;
    w.pager.expect_nothing_else();
    let story = w.ticket(1006).await;
    let held = story["events"].as_array().unwrap().iter().find(|event| event["kind"] == "page_held").unwrap();
    assert_eq!(held["body"]["reason"], "limit");
    w.forward_minutes(8).await;
    told += pages_in(&w.pager.expect("li.wei", &["#100"]));
    assert_eq!(told, 6, "none is lost");
}

/// How many tickets a page speaks of.
fn pages_in(page: &sitewarden_tests::pager::Received) -> usize {
    page.payload["pages"].as_array().map_or(1, Vec::len)
}

async fn quiet_hours_wait_for_the_morning_and_critical_trouble_does_not(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.device("North Gate", "cam-4").await;
    // It is three in the morning in Shanghai.
    wish(&w, "li.wei", &json!({ "quiet_from": 1320, "quiet_to": 420, "zone": "Asia/Shanghai" })).await;
    w.condition("cam-3", Condition::Faulty { check: "http".into(), code: "http_status".into() });
    w.forward_minutes(3).await;
    w.pager.expect_nothing_else();
    assert_eq!(w.story(1001).await, ["opened", "page_queued", "page_held"]);
    w.device_goes_down("cam-4");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1002", "cam-4"]);
    w.pass_hours(4).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
}

async fn a_test_says_what_the_provider_said(engine: Engine) {
    let w = World::usual(engine).await;
    let providers = Providers::start().await;
    providers.moods(&[]).await;
    let values = json!({ "values": { "base_url": format!("{}/dingtalk", providers.base), "access_token": "ding-token",
        "secret": "SECding" } });
    let put = axum::http::Method::PUT;
    w.admin.send(put.clone(), "/api/v1/channels/dingtalk", Some(&values)).await.ok();
    let (path, _) = contact_of(&w, "li.wei").await;
    let new = json!({ "channel": "dingtalk", "address": "+8613800000000" });
    let id = text(&w.admin.post(&path, &new).await.ok(), "/id");
    let tested = w.admin.post(&format!("{path}/{id}/test"), &json!({})).await.ok();
    assert!(text(&tested, "/test_answer").contains("\"errcode\": 0"), "{tested}");
    assert_eq!(providers.seen().await.len(), 1);
    let wrong = json!({ "values": { "secret": "SECwrong" } });
    w.admin.send(put, "/api/v1/channels/dingtalk", Some(&wrong)).await.ok();
    let tested = w.admin.post(&format!("{path}/{id}/test"), &json!({})).await.ok();
    assert!(text(&tested, "/test_error").contains("sign not match"), "{tested}");
}

async fn a_push_is_nobodys_only_channel(engine: Engine) {
    let w = World::usual(engine).await;
    let (path, webhook) = contact_of(&w, "li.wei").await;
    let push = json!({ "channel": "ntfy", "address": "north-gate" });
    let id = text(&w.admin.post(&path, &push).await.ok(), "/id");
    let delete = axum::http::Method::DELETE;
    let refused = w.admin.send(delete.clone(), &format!("{path}/{webhook}"), None).await;
    assert_eq!(
        (refused.status.as_u16(), text(&refused.json(), "/error/code")),
        (409, "push_alone".to_owned())
    );
    let patch = axum::http::Method::PATCH;
    let off = json!({ "enabled": false });
    let refused = w.admin.send(patch, &format!("{path}/{webhook}"), Some(&off)).await;
    assert_eq!(refused.status.as_u16(), 409);
    w.admin.send(delete.clone(), &format!("{path}/{id}"), None).await.ok();
    w.admin.send(delete, &format!("{path}/{webhook}"), None).await.ok();
    assert_eq!(w.admin.post(&path, &push).await.status.as_u16(), 409);
    let channels = w.admin.get("/api/v1/channels").await.ok();
    assert_eq!(channels["push_alone"], json!([]));
}

async fn a_subscription_that_is_gone_is_not_used_again_and_others_are_told(engine: Engine) {
    let mut w = World::usual(engine).await;
    let providers = Providers::start().await;
    let values = json!({ "values": { "subject": "mailto:ops@example.com" } });
    let put = axum::http::Method::PUT;
    w.admin.send(put, "/api/v1/channels/web_push", Some(&values)).await.ok();
    w.admin.get("/api/v1/push-key").await.ok();
    let (path, _) = contact_of(&w, "li.wei").await;
    let new = json!({ "channel": "web_push", "address": providers.subscription().await });
    let made = w.admin.post(&path, &new).await.ok();
    assert!(!text(&made, "/address").contains("p256dh"), "{made}");
    providers.moods(&[]).await;
    w.device("North Gate", "cam-3").await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001"]);
    assert!(text(&providers.seen().await[0], "/text").contains("#1001"));
    providers.moods(&[("push", "gone")]).await;
    w.device_comes_back("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    let contacts = items(&w.admin.get(&path).await.ok());
    let gone = contacts.iter().find(|contact| contact["channel"] == "web_push").unwrap();
    assert_eq!(gone["enabled"], false);
    assert!(text(gone, "/gone_why").contains("410"), "{gone}");
    let failed = items(&w.admin.get("/api/v1/deliveries?channel=web_push&failed=true").await.ok());
    assert_eq!(
        (failed.len(), &failed[0]["attempt"]),
        (1, &json!(1)),
        "it is not asked ten times: {failed:?}"
    );
}

async fn what_is_set_for_a_channel_is_sealed_and_never_shown(engine: Engine) {
    let w = World::new(engine).await;
    let put = axum::http::Method::PUT;
    let values =
        json!({ "values": { "corp_id": "ww1", "agent_id": "1000002", "secret": "keep-this-quiet" } });
    let answer = w.admin.send(put.clone(), "/api/v1/channels/wecom_app", Some(&values)).await;
    assert!(!answer.text.contains("keep-this-quiet"));
    let list = w.admin.get("/api/v1/channels").await;
    assert!(!list.text.contains("keep-this-quiet") && list.text.contains("ww1"));
    let mut conn = w.app.db.read().await.unwrap();
    let stored: Vec<(Vec<u8>,)> =
        sqlx::query_as("SELECT sealed FROM provider").fetch_all(&mut *conn).await.unwrap();
    drop(conn);
    assert!(!String::from_utf8_lossy(&stored[0].0).contains("quiet"));
    assert!(!w.admin.get("/api/v1/audit").await.text.contains("keep-this-quiet"));
    let sealed = sitewarden_server::gateway::reseal::rotate(&w.app.db, &w.app.keys).await.unwrap();
    assert_eq!(sealed, 1);
    // A secret that is not sent again stays.
    let other = json!({ "values": { "corp_id": "ww2", "secret": "" } });
    let changed = w.admin.send(put.clone(), "/api/v1/channels/wecom_app", Some(&other)).await.ok();
    assert_eq!(changed["is_ready"], true);
    let wrong = json!({ "values": { "corpid": "ww2" } });
    let refused = w.admin.send(put, "/api/v1/channels/wecom_app", Some(&wrong)).await;
    assert!(refused.text.contains("corp_id"), "{}", refused.text);
}

async fn receivers_are_told_what_stands_and_what_ended(engine: Engine) {
    let mut w = World::usual(engine).await;
    let providers = Providers::start().await;
    providers.moods(&[("pagerduty", "limit")]).await;
    let key = "R".repeat(32);
    for (kind, path, secret) in [
        ("pagerduty", "pagerduty", key.as_str()),
        ("alertmanager", "alertmanager", ""),
        ("webhook", "signed/x", "hook-secret"),
    ] {
        let new = json!({ "name": kind, "kind": kind, "url": format!("{}/{path}", providers.base), "secret": secret,
            "severity": "major" });
        w.admin.post("/api/v1/receivers", &new).await.ok();
    }
    w.device("North Gate", "cam-3").await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001"]);
    let list = items(&w.admin.get("/api/v1/receivers").await.ok());
    let late = list.iter().find(|one| one["kind"] == "pagerduty").unwrap();
    assert_eq!(late["waiting"], 1, "{late}");
    assert!(late["failed_at"].is_number() && text(late, "/last_answer").contains("throttle"), "{late}");
    let seen = providers.seen().await;
    assert_eq!(names(&seen), ["alertmanager", "signed"], "{seen:?}");
    providers.moods(&[]).await;
    w.as_person("li.wei").await.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    w.forward_minutes(3).await;
    let seen = providers.seen().await;
    // What was not told yet is told as it stands now: acknowledged.
    let duty: Vec<&Value> = seen.iter().filter(|one| one["provider"] == "pagerduty").collect();
    assert_eq!((duty.len(), &duty[0]["action"]), (1, &json!("acknowledge")), "{seen:?}");
    providers.moods(&[]).await;
    w.device_comes_back("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    let seen = providers.seen().await;
    let ends: Vec<&Value> = seen.iter().filter(|one| one["provider"] == "pagerduty").collect();
    assert_eq!((ends.len(), &ends[0]["action"]), (1, &json!("resolve")), "{seen:?}");
    assert!(names(&seen).contains(&"signed".to_owned()) && names(&seen).contains(&"alertmanager".to_owned()));
    w.forward_minutes(10).await;
    let after = providers.seen().await;
    assert_eq!(after.len(), seen.len(), "what is over is told once: {after:?}");
}

fn names(seen: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = seen.iter().map(|one| text(one, "/provider")).collect();
    names.sort();
    names.dedup();
    names
}
