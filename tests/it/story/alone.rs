//! A gateway that is cut off pages by itself, and the server, when it hears of it, tells nobody twice and leaves
//! nobody untold.

use serde_json::json;
use sitewarden_proto::topic::Down;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![
    a_cut_off_gateway_tells_its_people_and_the_server_does_not_tell_them_again,
    what_began_and_ended_during_the_cut_is_told_by_the_gateway_alone,
    a_local_channel_that_takes_nothing_leaves_it_to_the_server,
    what_the_server_knew_before_the_cut_is_not_told_again,
];

/// The usual world with two cameras and a gateway that may page li.wei by itself after five minutes.
async fn ready(engine: Engine) -> World {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-1").await;
    w.device("North Gate", "cam-2").await;
    let users = items(&w.admin.get("/api/v1/users").await.ok());
    let li_wei = users.iter().find(|user| user["login"] == "li.wei").unwrap();
    let page = json!({ "url": "http://10.20.7.5/sms", "template": "body = '{\"to\":\"{{to}}\",\"text\":\"{{text}}\"}'",
        "severity": "major", "after_minutes": 5,
        "people": [{ "account_id": text(li_wei, "/id"), "address": "+8613800000000" }] });
    let id = w.gateway_mut("North Gate").id.clone();
    let path = format!("/api/v1/gateways/{id}/local-page");
    let shown = w.admin.send(axum::http::Method::PUT, &path, Some(&page)).await.ok();
    assert_eq!((&shown["has_template"], shown.get("template")), (&json!(true), None));
    let mut conn = w.app.db.read().await.unwrap();
    let packet = sitewarden_server::gateway::desired::packet(&mut conn, &w.app.keys, &id).await.unwrap().1;
    drop(conn);
    let now = w.now();
    w.gateway_mut("North Gate").receive(now, Down::DesiredConfig, &packet);
    w.forward_minutes(2).await;
    assert_eq!(w.gateway_mut("North Gate").told.len(), 0);
    w
}

async fn silent(w: &mut World) {
    w.cut("North Gate").await;
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "gw North Gate"]);
}

async fn a_cut_off_gateway_tells_its_people_and_the_server_does_not_tell_them_again(engine: Engine) {
    let mut w = ready(engine).await;
    w.person("wang.min", "technician", None).await;
    w.duty("wang.min", None).await;
    silent(&mut w).await;
    w.pager.expect("wang.min", &["#1001", "gw North Gate"]);
    w.device_goes_down("cam-1");
    w.device_goes_down("cam-2");
    w.forward_minutes(10).await;
    let told = w.gateway_mut("North Gate").told.clone();
    assert_eq!(told.len(), 1, "both in one message: {told:?}");
    assert!(told[0].subject.contains("North Gate") && told[0].text.contains("cam-2"), "{told:?}");
    // The agent starts again while it is cut off: nobody is told twice.
    w.restart_agent("North Gate").await;
    w.forward_minutes(10).await;
    assert_eq!(w.gateway_mut("North Gate").told.len(), 1);

    w.reconnect("North Gate").await;
    w.forward_minutes(2).await;
    for person in ["li.wei", "wang.min"] {
        w.pager.expect(person, &["#1001", "over"]);
    }
    // Who was not told by the gateway is told by the server.
    w.pager.expect("wang.min", &["#", "cam-"]);
    w.pager.expect("wang.min", &["#", "cam-"]);
    w.pager.expect_nothing_else();
    let number =
        w.tickets().await.iter().find(|t| t["device_name"] == "cam-1").unwrap()["number"].as_i64().unwrap();
    let ticket = w.ticket(number).await;
    let events = ticket["events"].as_array().unwrap();
    let said = events.iter().find(|event| event["kind"] == "told_by_gateway").unwrap();
    assert_eq!((&said["body"]["account"], &said["source"]), (&json!("li.wei"), &json!("machine")));
    assert!(said["occurred_at"].as_i64() < said["recorded_at"].as_i64());

    // The end is told to both, by the server.
    w.device_comes_back("cam-1");
    w.device_comes_back("cam-2");
    w.forward_minutes(3).await;
    for person in ["li.wei", "wang.min"] {
        w.pager.expect(person, &["over"]);
        w.pager.expect(person, &["over"]);
    }
    assert_eq!(w.gateway_mut("North Gate").told.len(), 1);
}

async fn what_began_and_ended_during_the_cut_is_told_by_the_gateway_alone(engine: Engine) {
    let mut w = ready(engine).await;
    silent(&mut w).await;
    w.device_goes_down("cam-1");
    w.forward_minutes(10).await;
    w.device_comes_back("cam-1");
    w.forward_minutes(5).await;
    let told = w.gateway_mut("North Gate").told.clone();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].subject.contains("over"), "{told:?}");
    w.reconnect("North Gate").await;
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    w.pager.expect_nothing_else();
    let number =
        w.tickets().await.iter().find(|t| t["device_name"] == "cam-1").unwrap()["number"].as_i64().unwrap();
    let story = w.story(number).await;
    assert_eq!(story.iter().filter(|kind| *kind == "told_by_gateway").count(), 2, "{story:?}");

    // Told of the trouble by the gateway and of its end by nobody: the server does it.
    w.cut("North Gate").await;
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#", "gw North Gate"]);
    w.device_goes_down("cam-2");
    w.forward_minutes(10).await;
    assert_eq!(w.gateway_mut("North Gate").told.len(), 3);
    w.gateway_mut("North Gate").modem_refuses = Some("no carrier");
    w.device_comes_back("cam-2");
    w.forward_minutes(3).await;
    w.reconnect("North Gate").await;
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["over"]);
    w.pager.expect("li.wei", &["over"]);
}

async fn a_local_channel_that_takes_nothing_leaves_it_to_the_server(engine: Engine) {
    let mut w = ready(engine).await;
    silent(&mut w).await;
    w.gateway_mut("North Gate").modem_refuses = Some("no carrier");
    w.device_goes_down("cam-1");
    w.forward_minutes(20).await;
    assert_eq!(w.gateway_mut("North Gate").told.len(), 0);
    w.reconnect("North Gate").await;
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    w.pager.expect("li.wei", &["#1002", "cam-1"]);
}

async fn what_the_server_knew_before_the_cut_is_not_told_again(engine: Engine) {
    let mut w = ready(engine).await;
    w.device_goes_down("cam-1");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "cam-1"]);
    w.cut("North Gate").await;
    w.forward_minutes(20).await;
    w.pager.expect("li.wei", &["#1002", "gw North Gate"]);
    assert_eq!(w.gateway_mut("North Gate").told.len(), 0);
    w.reconnect("North Gate").await;
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1002", "over"]);
}
