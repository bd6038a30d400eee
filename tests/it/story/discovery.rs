//! A site's network is looked at from the desk: its gateway looks, what it found is shown, and somebody takes it over.

use serde_json::{Value, json};
use sitewarden_proto::wire::CommandResult;
use sitewarden_proto::wire::command_result::Status;
use sitewarden_server::gateway::command;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![
    a_network_is_looked_at_and_what_was_found_is_taken_over,
    what_cannot_be_looked_at_is_refused_with_what_to_do,
    a_gateway_that_is_away_or_tells_nonsense_ends_the_look_around,
];

fn path(w: &mut World) -> String {
    format!("/api/v1/gateways/{}/discoveries", w.gateway_mut("North Gate").id)
}

async fn last(w: &mut World) -> Value {
    let path = path(w);
    items(&w.admin.get(&path).await.ok()).pop().expect("a look around")
}

/// The gateway answers the last look around.
async fn answer(w: &mut World, status: Status, result_json: &str) {
    let id = text(&last(w).await, "/id");
    let result = CommandResult {
        command_id: id,
        status: status.into(),
        result_json: result_json.to_owned(),
        ..CommandResult::default()
    };
    let gateway = w.gateway_mut("North Gate").id.clone();
    let mut tx = w.app.db.write().await.unwrap();
    assert!(command::record_result(&mut tx, &gateway, &result, w.now()).await.unwrap());
    tx.commit().await.unwrap();
}

async fn a_network_is_looked_at_and_what_was_found_is_taken_over(engine: Engine) {
    let mut w = World::usual(engine).await;
    let gateway = w.gateway_mut("North Gate").id.to_string();
    let hall = json!({ "gateway_id": gateway, "name": "sw-hall", "class": "switch", "address": "10.20.7.2",
        "checks": "[[check]]\nkind = \"topology\"\ncommunity = \"reads\"\nevery = \"10m\"\n" });
    let switch = w.device_as("North Gate", "sw-hall", &hall).await;
    let path = path(&mut w);
    assert_eq!(items(&w.admin.get(&path).await.ok()).len(), 0, "nobody has looked yet");
    w.gateway_mut("North Gate").finds = Some(Ok(json!({ "network": "10.20.7.0/24", "addresses": 254,
        "complete": true, "left_out": 0, "found": [
        { "address": "10.20.7.9", "name": "DS-2CD2T47 10.20.7.9", "mac": "44:19:b6:01:02:03", "maker": "hikvision",
          "model": "DS-2CD2T47", "class": "camera", "certainty": "certain", "is_noise": false, "is_proposed": true,
          "parent": "10.20.7.2", "why": ["WS-Discovery names the model"], "checks": ["icmp"] },
        { "address": "10.20.7.2", "name": "sw", "class": "switch", "certainty": "likely", "is_proposed": true },
        { "address": "10.20.7.77", "name": "other 10.20.7.77", "class": "other", "certainty": "none" },
    ]})));
    let begun = w.admin.post(&path, &json!({ "net": "10.20.7.0/24", "snmp_like": switch })).await.ok();
    assert_eq!((text(&begun, "/state"), text(&begun, "/network")), ("queued".into(), "10.20.7.0/24".into()));
    w.forward_minutes(1).await;
    let looked = &w.gateway_mut("North Gate").looked;
    assert_eq!((looked.len(), looked[0].1.net.as_str()), (1, "10.20.7.0/24"));
    assert!(looked[0].1.snmp.is_some(), "as the switch is asked");

    let told = last(&mut w).await;
    assert_eq!((text(&told, "/state"), &told["complete"]), ("done".into(), &json!(true)));
    assert!(told["asked_by"].is_string() && told["error"].is_null(), "{told}");
    let found = told["found"].as_array().unwrap();
    assert_eq!(
        found.iter().map(|one| &one["device_name"]).collect::<Vec<_>>(),
        [&json!(null), &json!("sw-hall"), &json!(null)]
    );
    let taken = json!({ "gateway_id": gateway, "name": found[0]["name"], "class": "camera",
        "address": "10.20.7.9", "model": "DS-2CD2T47", "parent_id": switch, "maker": "hikvision",
        "user": "viewer", "password": "a b c" });
    let camera = text(&w.admin.post("/api/v1/devices", &taken).await.ok(), "/id");
    assert_eq!(last(&mut w).await["found"][0]["device_id"], camera);
    w.forward_minutes(2).await;
    assert_eq!(w.tickets().await.len(), 0);
    // Nothing else was sent: the pager has been told nothing.
}

async fn what_cannot_be_looked_at_is_refused_with_what_to_do(engine: Engine) {
    let mut w = World::usual(engine).await;
    let path = path(&mut w);
    for (net, what) in
        [("8.8.8.0/24", "no private network"), ("10.0.0.0/8", "more than 4,096"), ("the hall", "no network")]
    {
        let refused = w.admin.post(&path, &json!({ "net": net })).await;
        assert_eq!(refused.status, 400, "{net}");
        assert!(refused.text.contains(what), "{}", refused.text);
    }
    let other = json!({ "net": "10.20.7.0/24", "snmp_like": "dev-none" });
    assert_eq!(w.admin.post(&path, &other).await.status, 404);
    w.admin.post(&path, &json!({ "net": "10.20.7.0/24" })).await.ok();
    let again = w.admin.post(&path, &json!({ "net": "10.20.8.0/24" })).await;
    assert_eq!(again.status, 409);
    assert!(again.text.contains("looking_already"), "{}", again.text);
    w.forward_minutes(1).await;
    assert_eq!(w.gateway_mut("North Gate").looked.len(), 1, "no other was ordered");
    assert!(
        w.gateway_mut("North Gate").looked[0].1.snmp.is_none(),
        "SNMP is not asked unless somebody says how"
    );
}

async fn a_gateway_that_is_away_or_tells_nonsense_ends_the_look_around(engine: Engine) {
    let mut w = World::usual(engine).await;
    let path = path(&mut w);
    let net = json!({ "net": "10.20.7.0/24" });
    w.admin.post(&path, &net).await.ok();
    w.forward_minutes(1).await;
    answer(&mut w, Status::Running, "{\"done\": 200, \"all\": 508}").await;
    let told = last(&mut w).await;
    assert_eq!(
        (text(&told, "/state"), &told["done"], &told["all"]),
        ("running".into(), &json!(200), &json!(508))
    );
    answer(&mut w, Status::Done, "{\"found\": \"everything\"}").await;
    assert!(text(&last(&mut w).await, "/error").contains("cannot be read"));

    w.cut("North Gate").await;
    w.admin.post(&path, &net).await.ok();
    w.forward_minutes(20).await;
    assert_eq!(text(&last(&mut w).await, "/state"), "expired");
    w.pager.expect("li.wei", &["#1001", "gw North Gate"]);
}
