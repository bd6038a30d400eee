//! Remedies at their edges: the line breaks, time runs out, the switch is turned off on the way, a command comes twice.
//! What a gateway has done is on record however late it says so, and what it has not begun in time it does not begin.

use serde_json::{Value, json};
use sitewarden_agent::remedy::Job;
use sitewarden_proto::envelope::{Codec, decode_message, encode_message};
use sitewarden_proto::topic::Down;
use sitewarden_proto::wire::DesiredConfig;
use sitewarden_server::gateway::{desired, store};
use sitewarden_tests::database::Engine;
use sitewarden_tests::gateway::Deed;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, text};

use super::{allow, last, remedies, rule, site_with_poe, why_not};

stories![
    what_was_done_while_cut_off_counts_although_it_is_told_late,
    what_healed_while_cut_off_healed,
    what_does_not_arrive_in_time_is_not_begun,
    what_waits_for_the_line_is_taken_back_with_the_switch,
    what_was_on_its_way_when_the_switch_was_turned_off_is_told,
    a_command_that_comes_twice_is_carried_out_once,
    where_somebody_works_nothing_is_tried,
    a_fault_that_opens_a_window_starts_no_remedy,
    a_camera_with_a_recorded_parent_is_healed,
    what_hangs_off_the_cause_is_left_alone,
    an_older_agent_watches_on_and_learns_of_remedies_when_it_is_updated,
];

const SITE: &str = "North Gate";

async fn press(w: &World) {
    let li = w.as_person("li.wei").await;
    let path = format!("/api/v1/devices/{}/remedies", w.device_id("cam-7"));
    li.post(&path, &json!({ "kind": "poe_cycle" })).await.ok();
}

async fn switch_off(w: &World) {
    let site = w.site_id(SITE);
    let off = json!({ "enabled": false, "consent": "none", "from_minute": 0, "to_minute": 0, "rules": [rule(false)] });
    w.admin.put(&format!("/api/v1/sites/{site}/remedies"), &off).await.ok();
}

fn done(w: &mut World) -> usize {
    w.gateway_mut(SITE).deeds.len()
}

async fn what_was_done_while_cut_off_counts_although_it_is_told_late(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    let mut once = rule(false);
    once["daily_limit"] = json!(1);
    allow(&w, "none", &[once]).await;
    press(&w).await;
    let pressed_at = w.now().as_millisecond();
    w.cut_after_orders(SITE).await;
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "gw North Gate"]);
    assert_eq!(last(&w).await, ("refused".into(), "late".into()), "as far as anybody knows");
    assert_eq!(done(&mut w), 1);
    w.reconnect(SITE).await;
    w.forward_minutes(1).await;
    w.pager.expect("li.wei", &["#1001 over"]);
    assert_eq!(last(&w).await, ("not_healed".into(), "told_late".into()));
    let record = remedies(&w).await["record"][0].clone();
    let begun_at = record["begun_at"].as_i64().unwrap();
    assert!((pressed_at..pressed_at + 10_000).contains(&begun_at), "{record}");
    assert!(record["done_at"].as_i64() >= Some(begun_at), "{record}");
    // It was one of today's.
    let li = w.as_person("li.wei").await;
    let path = format!("/api/v1/devices/{}/remedies", w.device_id("cam-7"));
    assert_eq!(li.post(&path, &json!({ "kind": "poe_cycle" })).await.code(), "limit");
}

async fn what_healed_while_cut_off_healed(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    allow(&w, "none", &[rule(false)]).await;
    w.device_goes_down("cam-7");
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1001", "cam-7"]);
    w.gateway_mut(SITE).deed = Deed::Heals(w.device_id("cam-7"));
    press(&w).await;
    w.cut_after_orders(SITE).await;
    w.forward_minutes(4).await;
    w.pager.expect("li.wei", &["#1002", "gw North Gate"]);
    assert_eq!(last(&w).await, ("refused".into(), "late".into()));
    w.reconnect(SITE).await;
    w.forward_minutes(2).await;
    let mut over = [w.pager.expect("li.wei", &["over"]), w.pager.expect("li.wei", &["over"])]
        .map(|page| page.word("/subject").contains("#1001"));
    over.sort_unstable();
    assert_eq!(over, [false, true]);
    assert_eq!(last(&w).await, ("healed".into(), "told_late".into()));
    let story: Vec<String> =
        w.story(1001).await.into_iter().filter(|kind| !kind.starts_with("page")).collect();
    let late =
        ["remedy_not_tried", "remedy_begun", "remedy_done", "fault_cleared", "remedy_healed", "closed"];
    assert_eq!(story[story.len() - late.len()..], late, "{story:?}");
    // When it happened and when it was learned are both on record.
    let ticket = w.ticket(1001).await;
    let events = ticket["events"].as_array().unwrap();
    let done = events.iter().find(|event| event["kind"] == "remedy_done").unwrap();
    let (at, learned) = (done["occurred_at"].as_i64().unwrap(), done["recorded_at"].as_i64().unwrap());
    assert!(learned - at > 120_000, "{done}");
}

async fn what_does_not_arrive_in_time_is_not_begun(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    allow(&w, "none", &[rule(false)]).await;
    w.stall(SITE, true);
    press(&w).await;
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "gw North Gate"]);
    assert_eq!(last(&w).await, ("refused".into(), "late".into()));
    // It comes out of a long line in the end, and is refused there.
    let late = body(&w).await;
    w.stall(SITE, false);
    let now = w.now();
    w.gateway_mut(SITE).receive(now, Down::Command, &late);
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1001 over"]);
    assert_eq!(done(&mut w), 0);
    assert_eq!(last(&w).await, ("refused".into(), "late".into()));
}

/// The last remedy command as it goes over the wire.
async fn body(w: &World) -> Vec<u8> {
    let mut conn = w.app.db.read().await.unwrap();
    sqlx::query_scalar("SELECT body FROM command WHERE kind = 'poe_cycle' ORDER BY issued_at DESC LIMIT 1")
        .fetch_one(&mut *conn)
        .await
        .unwrap()
}

async fn what_waits_for_the_line_is_taken_back_with_the_switch(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    allow(&w, "none", &[rule(false)]).await;
    w.stall(SITE, true);
    press(&w).await;
    w.forward_seconds(20).await;
    assert_eq!(last(&w).await.0, "sent");
    switch_off(&w).await;
    assert_eq!(last(&w).await, ("refused".into(), "off".into()));
    w.stall(SITE, false);
    w.forward_minutes(2).await;
    assert_eq!(done(&mut w), 0);
    assert_eq!(last(&w).await, ("refused".into(), "off".into()));
}

async fn what_was_on_its_way_when_the_switch_was_turned_off_is_told(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    allow(&w, "none", &[rule(false)]).await;
    press(&w).await;
    w.cut_after_orders(SITE).await;
    switch_off(&w).await;
    assert_eq!(last(&w).await, ("refused".into(), "off".into()));
    w.reconnect(SITE).await;
    w.forward_minutes(1).await;
    assert_eq!(last(&w).await, ("not_healed".into(), "told_late".into()));
    assert_eq!(done(&mut w), 1);
}

async fn a_command_that_comes_twice_is_carried_out_once(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    allow(&w, "none", &[rule(false)]).await;
    press(&w).await;
    w.forward_seconds(15).await;
    assert_eq!(done(&mut w), 1);
    let (again, now) = (body(&w).await, w.now());
    w.gateway_mut(SITE).receive(now, Down::Command, &again);
    w.forward_seconds(15).await;
    let now = w.now();
    w.gateway_mut(SITE).restart(now);
    w.reconnect(SITE).await;
    w.gateway_mut(SITE).receive(now, Down::Command, &again);
    w.forward_seconds(30).await;
    assert!(matches!(w.gateway_mut(SITE).deeds[..], [Job::CyclePort { .. }]));
    assert_eq!(last(&w).await.0, "done");
}

async fn window(w: &World, more: Value) {
    let now = w.now().as_millisecond();
    let mut new = json!({ "site_id": w.site_id(SITE), "starts_at": now, "ends_at": now + 1_800_000, "reason": "new fibre" });
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    w.admin.post("/api/v1/maintenance", &new).await.ok();
}

async fn where_somebody_works_nothing_is_tried(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    allow(&w, "none", &[rule(true)]).await;
    window(&w, json!({})).await;
    w.forward_seconds(10).await;
    w.device_goes_down("cam-7");
    w.forward_minutes(5).await;
    assert_eq!(done(&mut w), 0);
    assert_eq!(w.story(1001).await, ["opened", "remedy_not_tried", "withheld"]);
    assert_eq!(why_not(&w, 1001).await, "maintenance");
    w.device_comes_back("cam-7");
    w.forward_minutes(2).await;
}

async fn a_fault_that_opens_a_window_starts_no_remedy(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    allow(&w, "none", &[rule(true)]).await;
    window(&w, json!({ "kind": "flexible", "length_ms": 1_200_000 })).await;
    w.forward_seconds(10).await;
    w.device_goes_down("cam-7");
    w.forward_minutes(5).await;
    assert_eq!(done(&mut w), 0);
    assert_eq!(last(&w).await, ("refused".into(), "maintenance".into()));
    w.device_comes_back("cam-7");
    w.forward_minutes(2).await;
}

async fn a_camera_with_a_recorded_parent_is_healed(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    w.parents("cam-7", &[("SW-3", "reach", "")]).await;
    allow(&w, "none", &[rule(true)]).await;
    w.gateway_mut(SITE).deed = Deed::Heals(w.device_id("cam-7"));
    w.device_goes_down("cam-7");
    w.forward_minutes(6).await;
    assert_eq!(w.state("cam-7").await, "ok");
    assert_eq!(last(&w).await.0, "healed");
    let story =
        ["opened", "withheld", "remedy_begun", "remedy_done", "fault_cleared", "remedy_healed", "closed"];
    assert_eq!(w.story(1001).await, story);
    let opened = w.ticket(1001).await["events"][0].clone();
    assert_eq!(text(&opened, "/body/code"), "unreachable");
}

async fn what_hangs_off_the_cause_is_left_alone(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    w.parents("cam-7", &[("SW-3", "reach", "")]).await;
    allow(&w, "none", &[rule(true)]).await;
    w.device_goes_down("SW-3");
    w.device_goes_down("cam-7");
    w.forward_minutes(6).await;
    w.pager.expect("li.wei", &["#1001", "SW-3"]);
    assert_eq!(done(&mut w), 0);
    assert!(remedies(&w).await["record"].as_array().unwrap().is_empty());
    w.device_comes_back("SW-3");
    w.device_comes_back("cam-7");
    w.forward_minutes(4).await;
    w.pager.expect("li.wei", &["#1001 over"]);
    assert_eq!(done(&mut w), 0);
}

async fn an_older_agent_watches_on_and_learns_of_remedies_when_it_is_updated(engine: Engine) {
    let mut w = site_with_poe(engine).await;
    allow(&w, "none", &[rule(false)]).await;
    // What an agent sees that does not know `more`: the same without it.
    let id = w.gateway_mut(SITE).id.clone();
    let mut tx = w.app.db.write().await.unwrap();
    store::bump_config(&mut tx, &id).await.unwrap();
    let (_, packet) = desired::packet(&mut tx, &w.app.keys, &id).await.unwrap();
    tx.commit().await.unwrap();
    let mut old: DesiredConfig = decode_message(&packet).unwrap();
    let body = String::from_utf8(old.body.clone()).unwrap();
    assert!(!body.contains("remedy") && body.contains("icmp"), "{body}");
    (old.more, old.more_sha256) = (Vec::new(), Vec::new());
    let now = w.now();
    w.gateway_mut(SITE).receive(now, Down::DesiredConfig, &encode_message(&old, Codec::Zstd).unwrap());
    w.forward_minutes(2).await;
    let gateway = w.admin.get(&format!("/api/v1/gateways/{id}")).await.ok();
    assert_eq!((&gateway["config_status"], &gateway["config_error"]), (&"applied".into(), &"".into()));
    assert_eq!(w.state("cam-7").await, "ok");
    press(&w).await;
    w.forward_seconds(20).await;
    assert_eq!(last(&w).await, ("refused".into(), "no_rights".into()));
    // Another release is at work there now.
    let mut tx = w.app.db.write().await.unwrap();
    sqlx::query("UPDATE gateway SET agent_version = '0.0.1'").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    w.cut(SITE).await;
    w.reconnect(SITE).await;
    w.forward_seconds(20).await;
    press(&w).await;
    w.forward_seconds(20).await;
    assert_eq!(last(&w).await.0, "done");
    assert_eq!(done(&mut w), 1);
    // That was told once, and what follows is a heartbeat like any other.
    let version = w.admin.get(&format!("/api/v1/gateways/{id}")).await.ok()["config_version"].clone();
    w.forward_minutes(2).await;
    let gateway = w.admin.get(&format!("/api/v1/gateways/{id}")).await.ok();
    assert_eq!((&gateway["config_version"], &gateway["config_reported_version"]), (&version, &version));
}
