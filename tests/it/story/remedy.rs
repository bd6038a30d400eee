//! Remote first: a remedy is tried before anybody is paged, within what the site allows, and the record tells it.

use serde_json::{Value, json};
use sitewarden_agent::remedy::Job;
use sitewarden_tests::database::Engine;
use sitewarden_tests::gateway::Deed;
use sitewarden_tests::promise::promise;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

mod edge;

stories![
    a_remedy_heals_and_nobody_is_paged,
    a_remedy_that_does_not_heal_is_told_with_the_page,
    without_permission_nothing_is_tried,
    a_consent_that_is_demanded_must_stand,
    a_consent_can_be_asked_each_time,
    a_consent_that_the_contract_demands_is_asked_for_although_the_site_asks_for_none,
    the_servers_limit_of_a_day_holds,
    the_gateways_own_limit_holds_although_the_server_asks,
    a_device_that_needs_it_day_after_day_is_not_cured,
    an_agent_killed_while_a_port_is_off_switches_it_on,
    a_site_that_switches_remedies_off_stops_what_waits,
    a_refused_login_ends_the_remedy_at_once,
    a_person_presses_the_button_and_a_restart_wakes_nobody,
    a_port_with_more_than_the_device_is_left_alone,
];

const PING: &str = "[[check]]\nkind = \"icmp\"\nevery = \"30s\"\nconfirm = \"2/3\"\nclear = 2\n";

/// A camera behind port 7 of a switch that the gateway may write to.
pub(super) async fn site_with_poe(engine: Engine) -> World {
    let mut w = World::usual(engine).await;
    let switch = format!("{PING}[remedy.snmp]\ncommunity = \"writes\"\n");
    let switch = w.device_of("North Gate", "SW-3", "switch", None, &switch).await;
    let camera = format!("{PING}[remedy.http]\nprotocol = \"onvif\"\nuser = \"u\"\npassword = \"p\"\n");
    let camera = w.device_of("North Gate", "cam-7", "camera", None, &camera).await;
    let port = json!({ "switch_id": switch, "name": "GE0/7", "poe_group": 1, "poe_port": 7 });
    w.admin.put(&format!("/api/v1/devices/{camera}/port"), &port).await.ok();
    w.forward_seconds(120).await;
    w
}

fn rule(automatic: bool) -> Value {
    json!({ "class": "camera", "kind": "poe_cycle", "automatic": automatic, "codes": ["unreachable"], "daily_limit": 2,
        "wait_s": 240, "days_limit": 3 })
}

async fn allow(w: &World, consent: &str, rules: &[Value]) {
    let site = w.site_id("North Gate");
    let allowed =
        json!({ "enabled": true, "consent": consent, "from_minute": 0, "to_minute": 0, "rules": rules });
    w.admin.put(&format!("/api/v1/sites/{site}/remedies"), &allowed).await.ok();
}

async fn remedies(w: &World) -> Value {
    w.admin.get(&format!("/api/v1/devices/{}/remedies", w.device_id("cam-7"))).await.ok()
}

/// The last remedy: its state and the word for why.
async fn last(w: &World) -> (String, String) {
    let all = remedies(w).await;
    (text(&all, "/record/0/state"), text(&all, "/record/0/reason"))
}

/// Why the last remedy on a ticket was not tried.
async fn why_not(w: &World, number: i64) -> String {
    let ticket = w.ticket(number).await;
    let events = ticket["events"].as_array().cloned().unwrap_or_default();
    let event = events.iter().rev().find(|event| event["kind"] == "remedy_not_tried");
    event.map(|event| text(event, "/body/reason")).unwrap_or_default()
}

async fn a_remedy_heals_and_nobody_is_paged(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    allow(&w, "none", &[rule(true)]).await;
    w.gateway_mut("North Gate").deed = Deed::Heals(w.device_id("cam-7"));
    w.device_goes_down("cam-7");
    w.forward_minutes(4).await;
    assert_eq!(w.state("cam-7").await, "ok");
    let story =
        ["opened", "withheld", "remedy_begun", "remedy_done", "fault_cleared", "remedy_healed", "closed"];
    assert_eq!(w.story(1001).await, story);
    assert_eq!(last(&w).await, ("healed".into(), String::new()));
    let closed = w.ticket(1001).await["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(closed["body"]["reason"], "remedy");
    assert!(matches!(w.gateway_mut("North Gate").deeds[..], [Job::CyclePort { .. }]));
    assert!(items(&w.admin.get("/api/v1/incidents?state=open").await.ok()).is_empty());
}

async fn a_remedy_that_does_not_heal_is_told_with_the_page(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    allow(&w, "none", &[rule(true)]).await;
    w.device_goes_down("cam-7");
    w.forward_minutes(4).await;
    w.pager.expect_nothing_else();
    w.forward_minutes(3).await;
    let page = w.pager.expect("li.wei", &["#1001", "cam-7"]);
    assert!(page.word("/text").contains("power of its port off and on: done, no better"), "{page:?}");
    let story = [
        "opened",
        "withheld",
        "remedy_begun",
        "remedy_done",
        "remedy_not_healed",
        "released",
        "page_queued",
        "page_sent",
    ];
    assert_eq!(w.story(1001).await, story);
    assert_eq!(last(&w).await.0, "not_healed");
    w.device_comes_back("cam-7");
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1001 over"]);
}

async fn without_permission_nothing_is_tried(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    w.device_goes_down("cam-7");
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1001"]);
    assert!(w.gateway_mut("North Gate").deeds.is_empty());
    let li = w.as_person("li.wei").await;
    let press = format!("/api/v1/devices/{}/remedies", w.device_id("cam-7"));
    assert_eq!(li.post(&press, &json!({ "kind": "poe_cycle" })).await.code(), "off");
    // Allowed for other faults only: nothing to say, and nothing is done.
    let mut other = rule(true);
    other["codes"] = json!(["http_silent"]);
    allow(&w, "none", &[other]).await;
    w.device_comes_back("cam-7");
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1001 over"]);
    w.device_goes_down("cam-7");
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1002"]);
    assert_eq!(w.story(1002).await, ["opened", "page_queued", "page_sent"]);
}

async fn a_consent_that_is_demanded_must_stand(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    allow(&w, "standing", &[rule(true)]).await;
    w.device_goes_down("cam-7");
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1001"]);
    assert_eq!(why_not(&w, 1001).await, "consent");
    w.device_comes_back("cam-7");
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1001 over"]);

    let consents = format!("/api/v1/sites/{}/remedies/consents", w.site_id("North Gate"));
    let until = w.now().as_millisecond() + 600_000;
    let given =
        json!({ "given_by": "Mr Zhao, property office", "words": "Letter of 2026-11-01", "until_at": until });
    w.admin.post(&consents, &given).await.ok();
    w.gateway_mut("North Gate").deed = Deed::Heals(w.device_id("cam-7"));
    w.device_goes_down("cam-7");
    w.forward_minutes(4).await;
    assert_eq!(last(&w).await.0, "healed");
    assert_eq!(remedies(&w).await["record"][0]["consent_by"], "Mr Zhao, property office");
    // It has run out by now.
    w.forward_minutes(10).await;
    w.device_goes_down("cam-7");
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1003"]);
    assert_eq!(why_not(&w, 1003).await, "consent");
    w.device_comes_back("cam-7");
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1003 over"]);
}

async fn a_consent_can_be_asked_each_time(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    allow(&w, "each", &[rule(false)]).await;
    let li = w.as_person("li.wei").await;
    let press = format!("/api/v1/devices/{}/remedies", w.device_id("cam-7"));
    assert_eq!(li.post(&press, &json!({ "kind": "poe_cycle" })).await.code(), "consent");
    let asked =
        json!({ "kind": "poe_cycle", "consent_by": "guard Wu", "consent_words": "yes, go on (telephone)" });
    li.post(&press, &asked).await.ok();
    w.forward_seconds(30).await;
    assert_eq!(w.gateway_mut("North Gate").deeds.len(), 1);
    assert_eq!(last(&w).await.0, "done");
    let record = remedies(&w).await["record"][0].clone();
    assert_eq!((&record["actor"], &record["consent_by"]), (&"li.wei".into(), &"guard Wu".into()));
}

async fn a_consent_that_the_contract_demands_is_asked_for_although_the_site_asks_for_none(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    allow(&w, "none", &[rule(true)]).await;
    let promised = "[contract]\nid = \"HT-9\"\nname = \"Harbour\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n\
        [[consent]]\noperation = \"maintenance\"\nfrom = [\"customer\"]\n\
        [[clock]]\nname = \"restore\"\nstart = \"reported\"\nstop = \"restored\"\ntarget = \"90h\"\n";
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    promise(&w.app, &text(&customers[0], "/id"), &w.site_id("North Gate"), promised, w.now()).await;
    w.device_goes_down("cam-7");
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1001"]);
    assert_eq!(why_not(&w, 1001).await, "consent");
    assert!(w.gateway_mut("North Gate").deeds.is_empty());
    // By hand it is asked each time.
    let li = w.as_person("li.wei").await;
    let press = format!("/api/v1/devices/{}/remedies", w.device_id("cam-7"));
    assert_eq!(li.post(&press, &json!({ "kind": "poe_cycle" })).await.code(), "consent");
    assert_eq!(remedies(&w).await["offers"][0]["needs_consent"], true);
    w.device_comes_back("cam-7");
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1001 over"]);

    // The customer agrees to what the machine does by itself.
    let consents = format!("/api/v1/sites/{}/remedies/consents", w.site_id("North Gate"));
    let given = json!({ "given_by": "Mr Zhao, property office", "words": "Letter of 2026-11-01" });
    w.admin.post(&consents, &given).await.ok();
    w.gateway_mut("North Gate").deed = Deed::Heals(w.device_id("cam-7"));
    w.device_goes_down("cam-7");
    w.forward_minutes(4).await;
    assert_eq!(last(&w).await.0, "healed");
    assert_eq!(remedies(&w).await["record"][0]["consent_by"], "Mr Zhao, property office");
}

async fn the_servers_limit_of_a_day_holds(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    let mut once = rule(true);
    once["daily_limit"] = json!(1);
    allow(&w, "none", &[once]).await;
    w.gateway_mut("North Gate").deed = Deed::Heals(w.device_id("cam-7"));
    w.device_goes_down("cam-7");
    w.forward_minutes(4).await;
    w.device_goes_down("cam-7");
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1002"]);
    assert_eq!(why_not(&w, 1002).await, "limit");
    assert_eq!(w.gateway_mut("North Gate").deeds.len(), 1);
}

async fn the_gateways_own_limit_holds_although_the_server_asks(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    let mut often = rule(true);
    often["daily_limit"] = json!(5);
    allow(&w, "none", &[often]).await;
    for _ in 0..2 {
        w.gateway_mut("North Gate").deed = Deed::Heals(w.device_id("cam-7"));
        w.device_goes_down("cam-7");
        w.forward_minutes(4).await;
    }
    w.device_goes_down("cam-7");
    w.forward_minutes(2).await;
    let page = w.pager.expect("li.wei", &["#1003"]);
    assert!(page.word("/text").contains("this gateway takes 2"), "{page:?}");
    assert_eq!(last(&w).await, ("refused".into(), "limit".into()));
    assert_eq!(w.gateway_mut("North Gate").deeds.len(), 2);
}

async fn a_device_that_needs_it_day_after_day_is_not_cured(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    // Where midnight is half an hour away.
    let zone = json!({ "zone": "Asia/Kabul" });
    let site = format!("/api/v1/sites/{}", w.site_id("North Gate"));
    w.admin.send(axum::http::Method::PATCH, &site, Some(&zone)).await.ok();
    let mut two_days = rule(true);
    two_days["days_limit"] = json!(2);
    allow(&w, "none", &[two_days]).await;
    w.gateway_mut("North Gate").deed = Deed::Heals(w.device_id("cam-7"));
    w.device_goes_down("cam-7");
    w.forward_minutes(4).await;
    assert_eq!(last(&w).await.0, "healed");
    w.forward_minutes(30).await;
    w.device_goes_down("cam-7");
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1002"]);
    assert_eq!(why_not(&w, 1002).await, "no_cure");
}

async fn an_agent_killed_while_a_port_is_off_switches_it_on(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    allow(&w, "none", &[rule(true)]).await;
    w.gateway_mut("North Gate").deed = Deed::Lost;
    w.device_goes_down("cam-7");
    w.forward_seconds(60).await;
    assert!(matches!(w.gateway_mut("North Gate").deeds[..], [Job::CyclePort { .. }]));
    let now = w.now();
    w.gateway_mut("North Gate").restart(now);
    w.device_comes_back("cam-7");
    w.reconnect("North Gate").await;
    w.forward_minutes(3).await;
    assert!(matches!(w.gateway_mut("North Gate").deeds[..], [Job::CyclePort { .. }, Job::SwitchOn(_)]));
    assert_eq!(last(&w).await.0, "healed");
}

async fn a_site_that_switches_remedies_off_stops_what_waits(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    allow(&w, "none", &[rule(false)]).await;
    let li = w.as_person("li.wei").await;
    let press = format!("/api/v1/devices/{}/remedies", w.device_id("cam-7"));
    li.post(&press, &json!({ "kind": "poe_cycle" })).await.ok();
    let site = w.site_id("North Gate");
    let off = json!({ "enabled": false, "consent": "none", "from_minute": 0, "to_minute": 0, "rules": [rule(false)] });
    w.admin.put(&format!("/api/v1/sites/{site}/remedies"), &off).await.ok();
    w.forward_seconds(30).await;
    assert!(w.gateway_mut("North Gate").deeds.is_empty());
    assert_eq!(last(&w).await, ("refused".into(), "off".into()));
}

async fn a_refused_login_ends_the_remedy_at_once(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    allow(&w, "none", &[rule(true)]).await;
    w.gateway_mut("North Gate").deed = Deed::Unauthorized;
    w.device_goes_down("cam-7");
    w.forward_minutes(2).await;
    let page = w.pager.expect("li.wei", &["#1001"]);
    assert!(page.word("/text").contains("does not accept the password"), "{page:?}");
    assert_eq!(last(&w).await, ("failed".into(), "unauthorized".into()));
}

async fn a_person_presses_the_button_and_a_restart_wakes_nobody(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    let restart = json!({ "class": "camera", "kind": "reboot", "automatic": false, "codes": [], "daily_limit": 2,
        "wait_s": 240, "days_limit": 0 });
    allow(&w, "none", &[restart]).await;
    let li = w.as_person("li.wei").await;
    let press = format!("/api/v1/devices/{}/remedies", w.device_id("cam-7"));
    li.post(&press, &json!({ "kind": "reboot" })).await.ok();
    assert_eq!(li.post(&press, &json!({ "kind": "reboot" })).await.code(), "busy");
    w.device_goes_down("cam-7");
    w.gateway_mut("North Gate").deed = Deed::Lost;
    w.forward_minutes(2).await;
    assert_eq!(w.story(1001).await, ["opened", "withheld"]);
    w.device_comes_back("cam-7");
    w.forward_minutes(2).await;
    assert_eq!(w.state("cam-7").await, "ok");
    assert!(matches!(w.gateway_mut("North Gate").deeds[..], [Job::Reboot { .. }]));
}

async fn a_port_with_more_than_the_device_is_left_alone(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    allow(&w, "none", &[rule(true)]).await;
    let other = w.device_of("North Gate", "phone-1", "phone", None, PING).await;
    let switch = w.device_id("SW-3");
    let port = json!({ "switch_id": switch, "name": "GE0/7", "poe_group": 1, "poe_port": 7 });
    w.admin.put(&format!("/api/v1/devices/{other}/port"), &port).await.ok();
    w.device_goes_down("cam-7");
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1001"]);
    assert_eq!(why_not(&w, 1001).await, "shared_port");
    assert!(w.gateway_mut("North Gate").deeds.is_empty());
}
