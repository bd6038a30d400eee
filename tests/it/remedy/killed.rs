//! The whole chain with real programs: somebody presses the button, the server signs, the agent writes to a switch,
//! and is killed while the port is off. It comes back, and the port is on; it was one remedy, and it is not begun again.

use std::time::Duration;

use serde_json::{Value, json};
use sitewarden_server::clock::Clock;
use sitewarden_tests::database::Engine;
use sitewarden_tests::peer::Snmpd;
use sitewarden_tests::{stories_in_parallel, until};

use crate::agent::certificate::Scene;

stories_in_parallel![an_agent_killed_between_off_and_on];

const LIMIT: Duration = Duration::from_secs(90);

async fn device(scene: &Scene, name: &str, class: &str, checks: &str) -> String {
    let new = json!({ "gateway_id": scene.gateway, "name": name, "class": class, "address": "127.0.0.1", "place": "",
        "parent_id": null, "checks": checks });
    scene.api.post("/devices", &new).await.unwrap()["id"].as_str().unwrap().to_owned()
}

async fn an_agent_killed_between_off_and_on(engine: Engine) {
    let switch = Snmpd::with_poe().await;
    let mut scene = Scene::set(engine).await;
    let port = switch.port;
    let checks = format!(
        "[[check]]\nkind = \"snmp\"\nport = {port}\ncommunity = \"{}\"\nevery = \"5s\"\ntimeout = \"2s\"\n\
         [remedy.snmp]\nport = {port}\ncommunity = \"{}\"\n",
        Snmpd::COMMUNITY,
        Snmpd::WRITER
    );
    let switch_id = device(&scene, "SW-3", "switch", &checks).await;
    let camera = device(&scene, "cam-7", "camera", "[[check]]\nkind = \"host\"\n").await;
    let hangs = json!({ "switch_id": switch_id, "name": "GE0/7", "poe_group": 1, "poe_port": 7 });
    scene.api.put(&format!("/devices/{camera}/port"), &hangs).await.unwrap();
    let gateway = scene.api.get(&format!("/gateways/{}", scene.gateway)).await.unwrap();
    let site = gateway["site_id"].as_str().unwrap();
    let rule = json!({ "class": "camera", "kind": "poe_cycle", "automatic": false, "codes": [], "daily_limit": 1,
        "wait_s": 240, "days_limit": 0 });
    let allow =
        json!({ "enabled": true, "consent": "none", "from_minute": 0, "to_minute": 0, "rules": [rule] });
    scene.api.put(&format!("/sites/{site}/remedies"), &allow).await.unwrap();
    scene.start_agent();
    until("the switch is known", LIMIT, async || {
        let device = scene.api.get(&format!("/devices/{switch_id}")).await;
        device.is_ok_and(|device| device["state"] == "ok")
    })
    .await;

    let remedies = format!("/devices/{camera}/remedies");
    scene.api.post(&remedies, &json!({ "kind": "poe_cycle" })).await.unwrap();
    until("the port is off", LIMIT, async || switch.poe() == 2).await;
    scene.kill_agent().await;
    assert_eq!(switch.poe(), 2, "it was killed in time");
    let dead_at = Clock::System.now();
    scene.start_agent();
    until("the port is on again", LIMIT, async || switch.poe() == 1).await;
    scene.gateway_is("online", dead_at).await;

    let last =
        async || scene.api.get(&remedies).await.map(|all| all["record"][0].clone()).unwrap_or_default();
    until("the record says what became of it", LIMIT, async || !last().await["ended_at"].is_null()).await;
    let all = scene.api.get(&remedies).await.unwrap();
    let record = all["record"].as_array().unwrap();
    assert_eq!(record.len(), 1, "{record:#?}");
    assert_eq!(record[0]["state"], "done", "{record:#?}");
    assert_eq!(record[0]["result"]["switched_on_late"], true, "{record:#?}");
    let offer: &Value = &all["offers"][0];
    assert_eq!((&offer["today"], &offer["no"]), (&json!(1), &json!("limit")), "{offer}");
    assert_eq!(switch.poe_sets(), [2, 1], "one cycle, and nothing after it");
}
