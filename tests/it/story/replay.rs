//! What a gateway recorded while it was cut off becomes the true record, and pages only what still stands.

use jiff::SignedDuration;
use sitewarden_proto::envelope::{Codec, encode};
use sitewarden_proto::topic::Up;
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::gap::Reason;
use sitewarden_proto::wire::{Envelope, Gap};
use sitewarden_server::ingest;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::World;

stories![
    what_is_over_is_history,
    a_history_of_half_an_hour_pages_only_what_stands,
    a_history_that_stalls_holds_nothing_back_for_long,
    a_history_without_end_pages_after_an_hour,
    what_still_stands_is_paged_once,
    a_clock_that_is_wrong_does_not_bend_the_record,
    a_gap_counts_only_what_is_lost,
    a_site_that_is_taken_for_silent_on_a_standing_connection_tells_history
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
        ["opened", "withheld", "fault_cleared", "closed"],
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

/// A site that was cut off for `hours`, and whose line then takes 20 s for each packet. Early on cam-1 fails for
/// hours, and is well before the line is back; cam-2 fails and stays so; cam-9 is well.
async fn slowly_back(engine: Engine, hours: i64) -> World {
    let mut w = World::usual(engine).await;
    for device in ["cam-1", "cam-2", "cam-9"] {
        w.device_with("North Gate", device, None).await;
    }
    w.forward_minutes(6).await;
    w.cut("North Gate").await;
    w.forward_minutes(5).await;
    w.pager.expect("li.wei", &["#1001", "gw North Gate"]);
    w.device_goes_down("cam-1");
    w.forward_minutes(3).await;
    w.device_goes_down("cam-2");
    w.pass_hours(hours).await;
    w.device_comes_back("cam-1");
    w.forward_minutes(5).await;
    let now = w.now();
    w.gateway_mut("North Gate").slow(now, SignedDuration::from_secs(20));
    w.reconnect("North Gate").await;
    w.forward_seconds(10).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    w
}

async fn a_history_of_half_an_hour_pages_only_what_stands(engine: Engine) {
    let mut w = slowly_back(engine, 6).await;
    w.forward_minutes(20).await;
    let open = w.tickets().await.iter().filter(|ticket| ticket["state"] == "open").count();
    assert_eq!(open, 2, "both are told, and the end of one is still on its way");
    w.pager.expect_nothing_else();
    w.forward_minutes(12).await;
    assert_eq!(w.gateway_mut("North Gate").waiting(), 0, "everything is in");
    assert_eq!((w.state("cam-1").await, w.state("cam-2").await), ("ok".into(), "down".into()));
    w.pager.expect("li.wei", &["#100", "cam-2"]);
    assert_eq!(w.story(1002).await, ["opened", "withheld", "fault_cleared", "closed"]);
    assert_eq!(w.story(1003).await, ["opened", "withheld", "released", "page_queued", "page_sent"]);
}

async fn a_history_that_stalls_holds_nothing_back_for_long(engine: Engine) {
    let mut w = slowly_back(engine, 6).await;
    w.forward_minutes(8).await;
    w.pager.expect_nothing_else();
    // Heartbeats still come, and not one record more.
    let now = w.now();
    w.gateway_mut("North Gate").slow(now + SignedDuration::from_hours(9), SignedDuration::from_secs(1));
    w.forward_minutes(4).await;
    w.pager.expect_nothing_else();
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#100", "cam-1"]);
    w.pager.expect("li.wei", &["#100", "cam-2"]);
}

async fn a_history_without_end_pages_after_an_hour(engine: Engine) {
    let mut w = slowly_back(engine, 20).await;
    w.forward_minutes(59).await;
    w.pager.expect_nothing_else();
    w.forward_minutes(2).await;
    assert!(w.gateway_mut("North Gate").waiting() > 10, "it is still on its way");
    w.pager.expect("li.wei", &["#100", "cam-1"]);
    w.pager.expect("li.wei", &["#100", "cam-2"]);
    w.forward_minutes(60).await;
    w.pager.expect("li.wei", &["#100", "cam-1", "over"]);
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

async fn a_gap_counts_only_what_is_lost(engine: Engine) {
    let mut w = World::usual(engine).await;
    let id = w.gateway_mut("North Gate").id.clone();
    // The first answer was lost, and the gap grew meanwhile.
    for to_seq in [2, 5] {
        let gap = Gap { from_seq: 1, to_seq, reason: Reason::QueueFull.into() };
        let sent_at_ms = w.now().as_millisecond();
        let body = Some(Body::Gap(gap));
        let envelope = Envelope {
            epoch: 8,
            first_seq: 1,
            count: to_seq as u32,
            sent_at_ms,
            session_id: 1,
            body,
            clock: 0,
        };
        let packet = encode(&envelope, Codec::None).unwrap();
        ingest::receive(&w.app, &id, Up::Events, &packet, w.now()).await.unwrap();
    }
    let mut conn = w.app.db.read().await.unwrap();
    let gaps: Vec<(i64, i64)> = sqlx::query_as("SELECT from_seq, to_seq FROM record_gap ORDER BY from_seq")
        .fetch_all(&mut *conn)
        .await
        .unwrap();
    assert_eq!(gaps, [(1, 2), (3, 5)]);
}

async fn a_site_that_is_taken_for_silent_on_a_standing_connection_tells_history(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.stall("North Gate", true);
    w.device_goes_down("cam-3");
    w.forward_minutes(5).await;
    w.device_comes_back("cam-3");
    w.forward_minutes(5).await;
    w.pager.expect("li.wei", &["#1001", "gw North Gate"]);
    w.stall("North Gate", false);
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    assert_eq!(w.state("cam-3").await, "ok");
    assert_eq!(
        w.story(1002).await,
        ["opened", "withheld", "fault_cleared", "closed"],
        "nobody is woken for what is over"
    );
}
