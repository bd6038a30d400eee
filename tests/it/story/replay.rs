//! What a gateway recorded while it was cut off becomes the true record, and pages only what still stands.

use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::World;

stories![
    what_is_over_is_history,
    what_still_stands_is_paged_once,
    a_clock_that_is_wrong_does_not_bend_the_record
];

async fn what_is_over_is_history(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    let cut_at = w.now().as_millisecond();
    w.cut("North Gate").await;
    w.forward_minutes(5).await;
    w.pager.expect("li.wei", &["#1001", "gw North Gate"]);
    w.device_goes_down("cam-3");
    w.forward_minutes(5).await;
    w.device_comes_back("cam-3");
    w.forward_minutes(5).await;
    let back_at = w.now().as_millisecond();
    w.reconnect("North Gate").await;
    w.forward_seconds(30).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    assert_eq!(w.state("cam-3").await, "ok");
    let all = w.incidents("all").await;
    let outage = all.iter().find(|i| i["code"] == "unreachable").expect("the outage is on the record");
    let (opened, closed) = (outage["opened_at"].as_i64().unwrap(), outage["closed_at"].as_i64().unwrap());
    assert!(cut_at < opened && opened < closed && closed < back_at, "with its true times: {outage}");
    assert_eq!(
        w.story(1002).await,
        ["opened", "fault_cleared", "closed"],
        "nobody was woken for what is over"
    );
    assert_eq!(w.gateway_mut("North Gate").waiting(), 0, "everything was acknowledged");
}

async fn what_still_stands_is_paged_once(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.cut("North Gate").await;
    w.forward_minutes(5).await;
    w.pager.expect("li.wei", &["#1001", "gw North Gate"]);
    w.device_goes_down("cam-3");
    w.forward_minutes(10).await;
    w.reconnect("North Gate").await;
    w.forward_minutes(2).await;
    assert_eq!(w.state("cam-3").await, "down");
    w.pager.expect("li.wei", &["#1001", "over"]);
    w.pager.expect("li.wei", &["#1002", "cam-3"]);
}

async fn a_clock_that_is_wrong_does_not_bend_the_record(engine: Engine) {
    let mut w = World::usual(engine).await;
    let customer = w.customer("Tunnel Company").await;
    w.site(&customer, "Tunnel East", "东隧道").await;
    w.gateway_behind("Tunnel East", 3 * 3_600_000).await;
    w.device("Tunnel East", "cam-3").await;
    let before = w.now().as_millisecond();
    w.device_goes_down("cam-3");
    w.forward_minutes(4).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
    let incident = &w.incidents("open").await[0];
    let opened = incident["opened_at"].as_i64().unwrap();
    assert!((before..=w.now().as_millisecond()).contains(&opened), "three hours were taken out: {incident}");
    let gateways = w.admin.get("/api/v1/gateways").await.ok();
    let offsets: Vec<i64> =
        gateways["items"].as_array().unwrap().iter().filter_map(|g| g["clock_offset_ms"].as_i64()).collect();
    assert!(offsets.contains(&(-3 * 3_600_000)), "and the offset is shown: {offsets:?}");
}
