//! The pager audits itself: what it finds, when its heartbeat leaves, and two servers that watch each other.

use axum::http::Method;
use serde_json::json;
use sitewarden_server::contract::life::Life;
use sitewarden_server::contract::store as contract;
use sitewarden_server::escalation::store::finding;
use sitewarden_server::user::store::contact;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, text};

stories![
    a_heartbeat_leaves_only_while_the_audit_is_passed,
    the_audit_names_what_leads_to_nobody,
    a_gap_of_a_rota_fails_the_audit_until_somebody_fills_it,
    a_contract_without_anybody_on_duty_is_found,
    a_step_and_a_page_that_nobody_does_are_found,
    a_way_that_failed_its_test_fails_the_audit_until_it_is_mended,
    the_audit_names_who_is_left_with_pushes_alone_and_whose_address_is_gone,
    a_ticket_for_which_nothing_more_happens_is_found,
    another_installation_that_falls_silent_is_trouble,
    nobody_is_silent_while_this_server_could_not_hear,
];

async fn kinds(w: &World) -> Vec<String> {
    let pager = w.admin.get("/api/v1/pager").await.ok();
    pager["findings"].as_array().into_iter().flatten().map(|one| text(one, "/kind")).collect()
}

/// The heartbeats that have arrived; nothing else may have.
fn beats(w: &World) -> usize {
    let mut count = 0;
    while w.pager.beat("watchdog") {
        count += 1;
    }
    count
}

async fn a_heartbeat_leaves_only_while_the_audit_is_passed(engine: Engine) {
    let mut w = World::usual(engine).await;
    // Before anybody was on duty the audit failed; that is looked at again.
    w.forward_minutes(2).await;
    let to = json!({ "name": "Watchdog", "address": w.pager.beats_at("watchdog") });
    assert_eq!(w.admin.post("/api/v1/pager/heartbeats", &to).await.status, 201);
    w.forward_minutes(5).await;
    assert!((4..=6).contains(&beats(&w)), "one a minute");
    assert_eq!(kinds(&w).await, Vec::<String>::new());

    // The only person on duty cannot be paged any more: the pager is ill, and falls silent.
    let duty = w.admin.get("/api/v1/duty").await.ok();
    let id = text(&duty, "/items/0/id");
    w.admin.send(Method::DELETE, &format!("/api/v1/duty/{id}"), None).await;
    w.forward_minutes(11).await;
    assert_eq!(kinds(&w).await, ["site_to_nobody"]);
    beats(&w);
    w.forward_minutes(5).await;
    assert_eq!(beats(&w), 0, "an audit that fails sends none");
    w.duty("li.wei", None).await;
    w.forward_minutes(12).await;
    assert!(beats(&w) >= 1);
    let pager = w.admin.get("/api/v1/pager").await.ok();
    assert_eq!(text(&pager, "/heartbeats/0/last_answer"), "HTTP 200");
}

async fn the_audit_names_what_leads_to_nobody(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    let team = text(&w.admin.post("/api/v1/teams", &json!({ "name": "Empty" })).await.ok(), "/id");
    let step = json!({ "targets": [{ "kind": "team", "team_id": team }] });
    let plan = json!({ "name": "Cameras", "plan": { "when": { "classes": ["camera"] }, "steps": [step] } });
    w.admin.post("/api/v1/escalation/plans", &plan).await.ok();
    // The gateway's own trouble goes to the duty list; its cameras' to nobody. That is found at night.
    w.forward_minutes(11).await;
    assert_eq!(kinds(&w).await, Vec::<String>::new());
    w.restart_server().await;
    w.forward_minutes(1).await;
    let pager = w.admin.get("/api/v1/pager").await.ok();
    assert_eq!(
        (text(&pager, "/findings/0/kind"), text(&pager, "/findings/0/detail")),
        ("device_to_nobody".into(), "1 × camera".into())
    );
    let draft = json!({ "plan": plan["plan"] });
    let check = w.admin.post("/api/v1/escalation/check", &draft).await.ok();
    assert_eq!(check["leads_to_nobody"], json!(["North Gate"]));
    let metrics = w.nobody.get("/metrics").await;
    assert!(metrics.status != 200 || metrics.text.contains("pager_findings"), "{}", metrics.text);
}

async fn a_gap_of_a_rota_fails_the_audit_until_somebody_fills_it(engine: Engine) {
    let mut w = World::usual(engine).await;
    let wang = w.person("wang.min", "technician", None).await;
    let team = json!({ "name": "City crew", "members": [wang] });
    let team = text(&w.admin.post("/api/v1/teams", &team).await.ok(), "/id");
    let layer = json!({ "name": "First line", "handover": "08:00", "start": "2026-11-18",
        "every": { "unit": "day", "count": 1 }, "order": [[wang]] });
    let new =
        json!({ "team_id": team, "name": "City", "plan": { "zone": "Asia/Shanghai", "layers": [layer] } });
    let rota = text(&w.admin.post("/api/v1/rotas", &new).await.ok(), "/id");
    w.forward_minutes(11).await;
    assert_eq!(kinds(&w).await, Vec::<String>::new());
    // On the thirteenth day from now nobody is there from eight to noon.
    let noon: jiff::Timestamp = "2026-12-01T04:00:00Z".parse().unwrap();
    let (from, to) = (noon.as_millisecond() - 4 * 3_600_000, noon.as_millisecond());
    let away = json!({ "out_id": wang, "from_at": from, "to_at": to, "reason": "leave" });
    let path = format!("/api/v1/rotas/{rota}/overrides");
    w.admin.post(&path, &away).await.ok();
    w.forward_minutes(11).await;
    let pager = w.admin.get("/api/v1/pager").await.ok();
    assert_eq!(
        (text(&pager, "/findings/0/kind"), text(&pager, "/findings/0/label")),
        ("rota_gap".into(), "City".into()),
        "{pager}"
    );
    let li = super::escalation::account(&w, "li.wei").await;
    let by = json!({ "by_id": li, "from_at": from, "to_at": to, "reason": "stands in" });
    w.admin.post(&path, &by).await.ok();
    w.forward_minutes(2).await;
    assert_eq!(kinds(&w).await, Vec::<String>::new());
}

async fn a_contract_without_anybody_on_duty_is_found(engine: Engine) {
    let mut w = World::usual(engine).await;
    // Every trouble is paged by a plan that names li.wei; that is no rota.
    let li = super::escalation::account(&w, "li.wei").await;
    let step = json!({ "targets": [{ "kind": "person", "account_id": li }] });
    let plan = json!({ "name": "Everyday", "plan": { "steps": [step] } });
    w.admin.post("/api/v1/escalation/plans", &plan).await.ok();
    let site = w.site_id("North Gate");
    let customer = text(&w.admin.get(&format!("/api/v1/sites/{site}")).await.ok(), "/customer_id");
    let mut tx = w.app.db.write().await.unwrap();
    let id = contract::add(&mut tx, &customer, "Harbour 2026", w.now()).await.unwrap();
    let covered = contract::Covered { site_id: site.clone(), zone: String::new() };
    contract::set_sites(&mut tx, id.as_str(), &[covered], w.now()).await.unwrap();
    contract::set_state(&mut tx, id.as_str(), Life::InService, w.now()).await.unwrap();
    tx.commit().await.unwrap();
    w.forward_minutes(11).await;
    assert_eq!(kinds(&w).await, Vec::<String>::new(), "the general duty list is somebody");
    let duty = text(&w.admin.get("/api/v1/duty").await.ok(), "/items/0/id");
    w.admin.send(Method::DELETE, &format!("/api/v1/duty/{duty}"), None).await;
    w.forward_minutes(11).await;
    let pager = w.admin.get("/api/v1/pager").await.ok();
    let found = ["/findings/0/kind", "/findings/0/label", "/findings/0/detail"].map(|at| text(&pager, at));
    assert_eq!(found, ["contract_without_rota", "Harbour 2026", "North Gate"]);
    let team = json!({ "name": "City crew", "members": [li], "sites": [site] });
    let team = text(&w.admin.post("/api/v1/teams", &team).await.ok(), "/id");
    let layer = json!({ "name": "First line", "handover": "08:00", "start": "2026-11-18",
        "every": { "unit": "day", "count": 1 }, "order": [[li]] });
    let new =
        json!({ "team_id": team, "name": "City", "plan": { "zone": "Asia/Shanghai", "layers": [layer] } });
    w.admin.post("/api/v1/rotas", &new).await.ok();
    w.forward_minutes(2).await;
    assert_eq!(kinds(&w).await, Vec::<String>::new());
}

async fn a_step_and_a_page_that_nobody_does_are_found(engine: Engine) {
    let mut c = super::escalation::Crew::open(engine).await;
    let (li, wang) = (c.li.clone(), c.wang.clone());
    let step = |who: &str, after_s: i64| json!({ "after_s": after_s, "targets": [{ "kind": "person", "account_id": who }] });
    c.plan(&json!({ "steps": [step(&li, 0), step(&wang, 300)] })).await;
    c.w.device_goes_down("cam-3");
    c.w.until_a_page().await;
    c.w.decide_only().await;
    // Ten minutes in which the engine does nothing.
    let later = c.w.now() + jiff::SignedDuration::from_mins(10);
    let mut conn = c.w.app.db.read().await.unwrap();
    let found = finding::list_open(&mut conn, later).await.unwrap();
    drop(conn);
    let found: Vec<(&str, &str)> = found.iter().map(|one| (one.kind.as_str(), one.label.as_str())).collect();
    assert_eq!(found, [("overdue", "#1001"), ("unsent", "1")]);
    c.w.app.clock.set(later);
    c.w.settle().await;
    c.w.forward_minutes(1).await;
    for who in ["li.wei", "wang.min"] {
        c.w.pager.expect(who, &["#1001"]);
    }
    assert_eq!(kinds(&c.w).await, Vec::<String>::new(), "what was late is done");
}

async fn a_way_that_failed_its_test_fails_the_audit_until_it_is_mended(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.forward_minutes(2).await;
    let li = super::escalation::account(&w, "li.wei").await;
    let path = format!("/api/v1/users/{li}/contacts");
    let id = text(&w.admin.get(&path).await.ok(), "/items/0/id");
    w.pager.refuse_for("li.wei", true);
    w.admin.post(&format!("{path}/{id}/test"), &json!({})).await.ok();
    w.forward_minutes(11).await;
    let pager = w.admin.get("/api/v1/pager").await.ok();
    assert_eq!(
        (text(&pager, "/findings/0/kind"), text(&pager, "/findings/0/label")),
        ("channel_failed".into(), "li.wei · webhook".into())
    );
    w.pager.refuse_for("li.wei", false);
    w.admin.post(&format!("{path}/{id}/test"), &json!({})).await.ok();
    w.pager.expect("li.wei", &[]);
    w.forward_minutes(2).await;
    assert_eq!(kinds(&w).await, Vec::<String>::new());
}

async fn the_audit_names_who_is_left_with_pushes_alone_and_whose_address_is_gone(engine: Engine) {
    let mut w = World::usual(engine).await;
    let wang = w.person("wang.min", "technician", None).await;
    let path = format!("/api/v1/users/{wang}/contacts");
    let push = json!({ "channel": "ntfy", "address": "north-gate" });
    w.admin.post(&path, &push).await.ok();
    w.forward_minutes(2).await;
    assert_eq!(kinds(&w).await, Vec::<String>::new());
    // What the sender does when a provider calls an address gone.
    let mut tx = w.app.db.write().await.unwrap();
    let gone =
        contact::set_gone(&mut tx, &wang, "webhook", &w.pager.address("wang.min"), "HTTP 410", w.now()).await;
    assert!(gone.unwrap());
    tx.commit().await.unwrap();
    w.forward_minutes(11).await;
    let pager = w.admin.get("/api/v1/pager").await.ok();
    let mut found: Vec<(String, String)> = pager["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| (text(one, "/kind"), text(one, "/label")))
        .collect();
    found.sort();
    let word = |kind: &str, label: &str| (kind.to_owned(), label.to_owned());
    assert_eq!(found, [word("address_gone", "wang.min · webhook"), word("push_alone", "wang.min")]);
    // Taking the address into use again mends both.
    let contacts = w.admin.get(&path).await.ok();
    let webhook =
        contacts["items"].as_array().unwrap().iter().find(|one| one["channel"] == "webhook").unwrap();
    let again = json!({ "enabled": true });
    w.admin.send(Method::PATCH, &format!("{path}/{}", text(webhook, "/id")), Some(&again)).await.ok();
    w.forward_minutes(2).await;
    assert_eq!(kinds(&w).await, Vec::<String>::new());
}

async fn a_ticket_for_which_nothing_more_happens_is_found(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    let li = super::escalation::account(&w, "li.wei").await;
    let step = json!({ "targets": [{ "kind": "person", "account_id": li }] });
    let plan = json!({ "name": "Everyday", "plan": { "steps": [step], "answer_s": 600 } });
    w.admin.post("/api/v1/escalation/plans", &plan).await.ok();
    w.device_goes_down("cam-3");
    w.forward_minutes(10).await;
    w.pager.expect("li.wei", &["#1001"]);
    assert_eq!(kinds(&w).await, Vec::<String>::new());
    w.forward_minutes(20).await;
    let pager = w.admin.get("/api/v1/pager").await.ok();
    assert_eq!(
        (text(&pager, "/findings/0/kind"), text(&pager, "/findings/0/label")),
        ("no_next_step".into(), "#1001".into())
    );
    w.as_person("li.wei").await.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    w.forward_minutes(2).await;
    assert_eq!(kinds(&w).await, Vec::<String>::new());
}

/// Adds an installation that is heard here; the path its heartbeats go to.
async fn peer(w: &World) -> String {
    let new = json!({ "name": "Harbour II", "site_id": w.site_id("North Gate"), "limit_s": 300 });
    let address = text(&w.admin.post("/api/v1/pager/peers", &new).await.ok(), "/address");
    address[address.find("/api/").unwrap()..].to_owned()
}

async fn another_installation_that_falls_silent_is_trouble(engine: Engine) {
    let mut w = World::usual(engine).await;
    let path = peer(&w).await;
    assert_eq!(w.nobody.get("/api/v1/heartbeat?token=guessed").await.status, 404);
    for _ in 0..10 {
        assert_eq!(w.nobody.get(&path).await.status, 204);
        w.forward_minutes(1).await;
    }
    w.pager.expect_nothing_else();
    w.forward_minutes(5).await;
    w.pager.expect("li.wei", &["#1001", "Harbour II"]);
    w.forward_minutes(30).await;
    w.pager.expect_nothing_else();
    assert_eq!(w.nobody.post(&path, &json!({})).await.status, 204);
    w.forward_minutes(1).await;
    w.pager.expect("li.wei", &["#1001", "Harbour II"]);
    let ticket = w.ticket(1001).await;
    assert_eq!((text(&ticket, "/state"), text(&ticket, "/code")), ("closed".into(), "peer_silent".into()));
}

async fn nobody_is_silent_while_this_server_could_not_hear(engine: Engine) {
    let mut w = World::usual(engine).await;
    let path = peer(&w).await;
    w.nobody.get(&path).await;
    w.cut("North Gate").await;
    let later = w.now() + jiff::SignedDuration::from_mins(60);
    w.app.clock.set(later);
    w.restart_server().await;
    w.reconnect("North Gate").await;
    w.forward_minutes(4).await;
    w.nobody.get(&path).await;
    w.forward_minutes(4).await;
    w.pager.expect_nothing_else();
}
