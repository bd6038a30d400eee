//! A device fails, somebody is told, it comes back, the same person is told.

use sitewarden_tests::database::Engine;
use sitewarden_tests::gateway::Condition;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, text};

stories![
    confirm_and_clear,
    a_single_bad_answer_is_no_trouble,
    a_worse_fault_joins_the_ticket_and_pages_again,
    a_silent_gateway_is_one_incident_and_its_devices_are_unknown,
    wrong_credentials_are_not_a_dead_device,
    nobody_on_duty_is_on_the_record,
    a_removed_device_closes_what_hung_on_it,
    a_page_that_is_refused_is_tried_again_and_comes_once,
    a_page_that_nobody_took_is_not_sent_when_it_is_over,
    a_device_that_is_switched_off_is_unknown,
    a_revoked_gateway_is_waited_for_no_more_and_its_devices_are_unknown,
    a_template_speaks_the_language_of_another_provider,
];

async fn confirm_and_clear(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    assert_eq!(w.state("cam-3").await, "ok");

    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    assert_eq!(w.state("cam-3").await, "down");
    let incident = &w.incidents("open").await[0];
    assert_eq!(incident["code"], "unreachable");
    let (good, bad) = (incident["last_good_at"].as_i64(), incident["first_bad_at"].as_i64());
    assert!(good.is_some() && good < bad, "the start is two facts: {incident}");
    let page = w.pager.expect("li.wei", &["#1001", "North Gate", "cam-3"]);
    assert_eq!(page.word("/ticket/code"), "unreachable");

    w.device_comes_back("cam-3");
    w.forward_minutes(3).await;
    assert_eq!(w.state("cam-3").await, "ok");
    assert!(w.incidents("open").await.is_empty());
    w.pager.expect("li.wei", &["#1001", "over", "cam-3"]);
    let story = ["opened", "page_queued", "page_sent", "fault_cleared", "closed", "page_queued", "page_sent"];
    assert_eq!(w.story(1001).await, story);

    let id = w.device_id("cam-3");
    let events = w.admin.get(&format!("/api/v1/devices/{id}/events")).await.ok();
    let kinds: Vec<String> =
        events["items"].as_array().unwrap().iter().map(|e| text(e, "/transition")).collect();
    assert_eq!(kinds, ["cleared", "raised", "baseline"]);
    let now = w.now().as_millisecond();
    let states =
        w.admin.get(&format!("/api/v1/devices/{id}/states?from={}&to={now}", now - 3_600_000)).await.ok();
    let states: Vec<String> = states["items"].as_array().unwrap().iter().map(|s| text(s, "/state")).collect();
    assert_eq!(states, ["unknown", "ok", "down", "ok"]);
    w.forward_minutes(10).await;
    let history = w.admin.get(&format!("/api/v1/devices/{id}/history?from={}", now - 1_800_000)).await.ok();
    let series = history["series"].as_array().unwrap();
    assert_eq!(series.len(), 2, "one series for each check: {history}");
    let points = series[0]["points"].as_array().unwrap();
    assert!(points.iter().any(|point| point[1].is_null()), "the outage is a gap: {points:?}");
}

async fn a_single_bad_answer_is_no_trouble(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.device_goes_down("cam-3");
    w.forward_seconds(5).await;
    w.device_comes_back("cam-3");
    w.forward_minutes(10).await;
    assert_eq!(w.state("cam-3").await, "ok");
    assert!(w.incidents("all").await.is_empty());
}

async fn a_worse_fault_joins_the_ticket_and_pages_again(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    let faulty = Condition::Faulty { check: "http".into(), code: "http_status".into() };
    w.condition("cam-3", faulty);
    w.forward_minutes(3).await;
    assert_eq!(w.state("cam-3").await, "degraded");
    w.pager.expect("li.wei", &["#1001", "major"]);

    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    assert_eq!(w.state("cam-3").await, "down");
    w.pager.expect("li.wei", &["#1001", "critical"]);
    assert_eq!(w.tickets().await.len(), 1, "one device, one ticket");

    w.device_comes_back("cam-3");
    w.forward_minutes(3).await;
    assert_eq!(w.tickets().await[0]["state"], "closed");
    w.pager.expect("li.wei", &["#1001", "over"]);
}

async fn a_silent_gateway_is_one_incident_and_its_devices_are_unknown(engine: Engine) {
    let mut w = World::usual(engine).await;
    for name in ["cam-1", "cam-2", "cam-3"] {
        w.device("North Gate", name).await;
    }
    w.cut("North Gate").await;
    w.forward_seconds(60).await;
    assert_eq!(w.state("cam-1").await, "ok", "two missed heartbeats are not silence");
    w.forward_seconds(60).await;
    for name in ["cam-1", "cam-2", "cam-3"] {
        assert_eq!(w.state(name).await, "unknown");
    }
    let incidents = w.incidents("open").await;
    assert_eq!(incidents.len(), 1);
    assert_eq!(
        (&incidents[0]["code"], &incidents[0]["unknown_devices"]),
        (&"gateway_silent".into(), &3.into())
    );
    w.pager.expect("li.wei", &["#1001", "gw North Gate"]);

    w.forward_minutes(20).await;
    w.reconnect("North Gate").await;
    w.forward_seconds(30).await;
    for name in ["cam-1", "cam-2", "cam-3"] {
        assert_eq!(w.state(name).await, "ok");
    }
    assert!(w.incidents("open").await.is_empty());
    w.pager.expect("li.wei", &["#1001", "over"]);
}

async fn wrong_credentials_are_not_a_dead_device(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.condition("cam-3", Condition::Rejects { check: "http".into(), code: "http_auth_rejected".into() });
    w.forward_minutes(30).await;
    let device = w.look("cam-3").await;
    assert_eq!(device["state"], "unknown", "it answers, but nobody can look inside");
    assert_eq!(device["faults"][0]["code"], "http_auth_rejected");
    let ticket = w.ticket(1001).await;
    assert_eq!((&ticket["code"], &ticket["severity"]), (&"http_auth_rejected".into(), &"minor".into()));
    assert_eq!(w.story(1001).await, ["opened", "not_paged"], "a password can wait for office hours");

    w.device_comes_back("cam-3");
    w.forward_minutes(60).await;
    assert_eq!(w.state("cam-3").await, "ok");
    assert_eq!(w.ticket(1001).await["state"], "closed");
}

async fn nobody_on_duty_is_on_the_record(engine: Engine) {
    let mut w = World::new(engine).await;
    let customer = w.customer("Harbour Office").await;
    w.site(&customer, "North Gate", "").await;
    w.gateway("North Gate").await;
    w.device("North Gate", "cam-3").await;
    let board = w.admin.get("/api/v1/board").await.ok();
    assert_eq!(board["counts"]["leads_to_nobody"], 1, "a site without duty is said before anything breaks");
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    assert_eq!(w.story(1001).await, ["opened", "nobody_to_page"]);
}

async fn a_removed_device_closes_what_hung_on_it(engine: Engine) {
    let mut w = World::usual(engine).await;
    let id = w.device("North Gate", "cam-3").await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001"]);
    let gone = w.admin.send(axum::http::Method::DELETE, &format!("/api/v1/devices/{id}"), None).await;
    assert_eq!(gone.status, 204);
    w.settle().await;
    assert_eq!(w.ticket(1001).await["state"], "closed");
    assert_eq!(w.admin.get(&format!("/api/v1/devices/{id}")).await.status, 404);
    w.pager.expect("li.wei", &["#1001", "over"]);
}

async fn a_page_that_is_refused_is_tried_again_and_comes_once(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.pager.refuse(true);
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    assert!(w.pager.refused() >= 2, "it is tried again");
    w.pager.expect_nothing_else();
    let page = &w.ticket(1001).await["pages"][0];
    assert_eq!(page["state"], "queued");
    assert!(text(page, "/last_answer").contains("503"), "{page}");
    w.pager.refuse(false);
    w.forward_minutes(6).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
    assert_eq!(w.ticket(1001).await["pages"][0]["state"], "sent");
}

async fn a_page_that_nobody_took_is_not_sent_when_it_is_over(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.pager.refuse(true);
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.device_comes_back("cam-3");
    w.forward_minutes(3).await;
    w.pager.refuse(false);
    w.forward_minutes(10).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    assert_eq!(w.ticket(1001).await["pages"][0]["state"], "withheld");

    // The same when a person closes the ticket.
    w.pager.refuse(true);
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    let close = serde_json::json!({ "reason": "the mast is being moved" });
    w.admin.post("/api/v1/tickets/1002/close", &close).await.ok();
    w.pager.refuse(false);
    w.forward_minutes(10).await;
    assert_eq!(w.ticket(1002).await["pages"][0]["state"], "withheld");
}

async fn a_device_that_is_switched_off_is_unknown(engine: Engine) {
    let mut w = World::usual(engine).await;
    let path = format!("/api/v1/devices/{}", w.device("North Gate", "cam-3").await);
    let switch = |on: bool| serde_json::json!({ "enabled": on });
    w.admin.send(axum::http::Method::PATCH, &path, Some(&switch(false))).await.ok();
    assert_eq!(w.state("cam-3").await, "unknown");
    w.device_goes_down("cam-3");
    w.forward_minutes(5).await;
    assert_eq!(w.state("cam-3").await, "unknown", "nobody looks at it");
    w.device_comes_back("cam-3");
    w.admin.send(axum::http::Method::PATCH, &path, Some(&switch(true))).await.ok();
    assert_eq!(w.state("cam-3").await, "unknown", "until the first report");
    w.forward_minutes(3).await;
    assert_eq!(w.state("cam-3").await, "ok");
}

async fn a_revoked_gateway_is_waited_for_no_more_and_its_devices_are_unknown(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    let id = w.gateway_mut("North Gate").id.to_string();
    w.cut("North Gate").await;
    w.forward_minutes(5).await;
    w.pager.expect("li.wei", &["#1001", "gw North Gate"]);
    w.admin.post(&format!("/api/v1/gateways/{id}/revoke"), &serde_json::json!({})).await.ok();
    w.settle().await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    assert!(w.incidents("open").await.is_empty());

    let customer = w.customer("Tunnel Company").await;
    w.site(&customer, "Tunnel East", "东隧道").await;
    w.gateway("Tunnel East").await;
    w.device("Tunnel East", "cam-4").await;
    let id = w.gateway_mut("Tunnel East").id.to_string();
    w.cut("Tunnel East").await;
    assert_eq!(w.state("cam-4").await, "ok");
    w.admin.post(&format!("/api/v1/gateways/{id}/revoke"), &serde_json::json!({})).await.ok();
    assert_eq!(w.state("cam-4").await, "unknown", "whoever spoke for it is not believed any more");
}

async fn a_template_speaks_the_language_of_another_provider(engine: Engine) {
    let mut w = World::usual(engine).await;
    let person = w.person("wang.min", "technician", None).await;
    let contact = |template: &str| serde_json::json!({ "channel": "http", "address": w.pager.address("sms"), "template": template });
    let contacts = format!("/api/v1/users/{person}/contacts");
    let bad = w.admin.post(&contacts, &contact("body = \"{{wording}}\"")).await;
    assert_eq!((bad.status.as_u16(), bad.text.contains("wording")), (400, true), "{}", bad.text);
    let good = "body = '{\"to\":\"+86 100\",\"subject\":\"{{subject}}\",\"link\":\"{{link}}\"}'";
    w.admin.post(&contacts, &contact(good)).await.ok();
    w.duty("wang.min", Some("North Gate")).await;
    w.device("North Gate", "cam \"3\"").await;
    w.device_goes_down("cam \"3\"");
    w.forward_minutes(3).await;
    w.pager.expect("wang.min", &["#1001"]);
    let message = w.pager.expect("sms", &["#1001", "cam \"3\""]);
    assert_eq!(message.word("/to"), "+86 100");
    assert!(message.link().contains("/a/"));
}
