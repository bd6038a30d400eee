//! Cameras that answer and show nothing.

use sitewarden_tests::database::Engine;
use sitewarden_tests::gateway::{Condition, SNAPSHOT};
use sitewarden_tests::stories;
use sitewarden_tests::world::World;

stories![
    a_camera_that_answers_ping_but_gives_no_picture_is_seen,
    a_picture_that_proves_a_fault_is_kept_and_shown_with_it,
    what_a_stream_check_cannot_see_is_unknown_and_wakes_nobody,
    a_camera_of_which_only_class_maker_and_login_are_said_is_watched_by_the_right_checks
];

const CHECKS: &str = "[[check]]\nkind = \"icmp\"\nevery = \"30s\"\n\
    [[check]]\nkind = \"rtsp\"\nevery = \"30s\"\npath = \"/Streaming/Channels/101\"\nuser = \"viewer\"\n\
    password = \"secret\"\n";

fn faulty(code: &str) -> Condition {
    Condition::Faulty { check: "rtsp".into(), code: code.into() }
}

async fn a_camera_that_answers_ping_but_gives_no_picture_is_seen(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device_of("North Gate", "cam-3", "camera", None, CHECKS).await;
    w.forward_minutes(2).await;
    assert_eq!(w.state("cam-3").await, "ok");

    w.condition("cam-3", faulty("rtsp_no_packets"));
    w.forward_minutes(3).await;
    assert_eq!(w.state("cam-3").await, "down");
    w.pager.expect("li.wei", &["#1001", "cam-3", "Stream stands still"]);

    w.condition("cam-3", Condition::Fine);
    w.forward_minutes(3).await;
    assert_eq!(w.state("cam-3").await, "ok");
    assert!(w.incidents("open").await.is_empty());
    w.pager.expect("li.wei", &["#1001", "over"]);
}

async fn a_picture_that_proves_a_fault_is_kept_and_shown_with_it(engine: Engine) {
    let mut w = World::usual(engine).await;
    let checks = "[[check]]\nkind = \"icmp\"\nevery = \"30s\"\n\
        [[check]]\nkind = \"picture\"\nevery = \"30s\"\npath = \"/snapshot\"\nconfirm = \"3/4\"\n";
    w.device_of("North Gate", "cam-3", "camera", None, checks).await;
    w.forward_minutes(2).await;
    w.condition("cam-3", Condition::Faulty { check: "picture".into(), code: "picture_covered".into() });
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "cam-3", "Lens covered"]);
    let device = w.look("cam-3").await;
    assert_eq!(device["faults"][0]["evidence"]["picture_jpeg"], SNAPSHOT, "{device:#}");

    w.condition("cam-3", Condition::Fine);
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    // It is over, and what proved it is kept.
    let incidents = w.incidents("all").await;
    assert_eq!(incidents[0]["evidence"]["picture_jpeg"], SNAPSHOT, "{incidents:#?}");
}

async fn what_a_stream_check_cannot_see_is_unknown_and_wakes_nobody(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device_of("North Gate", "cam-3", "camera", None, CHECKS).await;
    w.forward_minutes(2).await;
    for code in ["rtsp_busy", "rtsp_unclear"] {
        w.condition("cam-3", faulty(code));
        w.forward_minutes(3).await;
        assert_eq!(w.state("cam-3").await, "unknown", "{code}");
        w.condition("cam-3", Condition::Fine);
        w.forward_minutes(3).await;
        assert_eq!(w.state("cam-3").await, "ok", "{code}");
    }
}

async fn a_camera_of_which_only_class_maker_and_login_are_said_is_watched_by_the_right_checks(
    engine: Engine,
) {
    let mut w = World::usual(engine).await;
    let new = serde_json::json!({ "gateway_id": w.gateway_mut("North Gate").id.as_str(), "name": "cam-9",
        "class": "camera", "address": "10.20.7.19", "maker": "hikvision", "user": "viewer", "password": "s3cret-word" });
    for (key, wrong) in [("maker", "hikvison"), ("password", "")] {
        let mut bad = new.clone();
        bad[key] = wrong.into();
        let answer = w.admin.post("/api/v1/devices", &bad).await;
        assert_eq!(answer.status, 400, "{key}: {}", answer.text);
        assert!(answer.text.contains(key), "{}", answer.text);
    }
    w.device_as("North Gate", "cam-9", &new).await;
    w.forward_minutes(12).await;
    let device = w.look("cam-9").await;
    let kinds: Vec<&str> =
        device["checks"].as_array().unwrap().iter().map(|check| check["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["icmp", "isapi", "rtsp", "picture"], "{device:#}");
    assert!(!device.to_string().contains("s3cret-word"), "a password is shown");
    assert_eq!(device["state"], "ok", "{device:#}");

    w.condition("cam-9", faulty("rtsp_no_packets"));
    w.forward_minutes(6).await;
    assert_eq!(w.state("cam-9").await, "down");
    w.pager.expect("li.wei", &["#1001", "cam-9", "Stream stands still"]);
    w.condition("cam-9", Condition::Fine);
    w.forward_minutes(8).await;
    assert_eq!(w.state("cam-9").await, "ok");
    w.pager.expect("li.wei", &["#1001", "over"]);
}
