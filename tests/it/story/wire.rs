//! What an operator sees of the wire: queues and their age, gaps, clocks that are wrong, in the API and in the
//! figures for a scraper.

use serde_json::Value;
use sitewarden_proto::envelope::{Codec, encode, encode_message};
use sitewarden_proto::topic::Up;
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::gap::Reason;
use sitewarden_proto::wire::{DiskTrouble, Envelope, Gap, Session};
use sitewarden_server::ingest;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items};

stories![
    a_clock_that_stays_wrong_is_one_incident_and_wakes_nobody,
    a_disk_that_takes_nothing_is_one_incident,
    the_queue_and_its_age_are_seen,
    what_is_lost_is_seen,
    figures_of_a_hostile_gateway_break_no_page,
];

async fn a_clock_that_stays_wrong_is_one_incident_and_wakes_nobody(engine: Engine) {
    let mut w = World::usual(engine).await;
    let customer = w.customer("Tunnel Company").await;
    w.site(&customer, "Tunnel East", "东隧道").await;
    w.gateway_behind("Tunnel East", 20_000).await;
    w.forward_minutes(8).await;
    assert!(w.incidents("open").await.is_empty(), "20 s are taken out and are no fault");
    w.site(&customer, "Tunnel West", "西隧道").await;
    w.gateway_behind("Tunnel West", 2 * 3_600_000).await;
    w.forward_minutes(4).await;
    assert!(w.incidents("open").await.is_empty(), "it may be corrected in the next minutes");
    w.forward_minutes(3).await;
    let incidents = w.incidents("open").await;
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    let incident = &incidents[0];
    assert_eq!((&incident["code"], &incident["severity"]), (&"gateway_clock_wrong".into(), &"minor".into()));
    assert_eq!(
        (&incident["evidence"]["offset_s"], &incident["unknown_devices"]),
        (&(-7200).into(), &0.into())
    );
    assert_eq!(w.story(1001).await, ["opened", "not_paged"]);
    assert_eq!(wire(&w, "Tunnel West").await["clock_wrong_at"], incident["first_bad_at"]);
    assert_eq!(sums(&w).await["clocks_wrong"], 1);

    // Its silence is another cause with a ticket of its own, which is over when it is heard again.
    w.cut("Tunnel West").await;
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1002", "gw Tunnel West"]);
    w.reconnect("Tunnel West").await;
    w.forward_minutes(1).await;
    w.pager.expect("li.wei", &["#1002", "over"]);
    assert_eq!(w.incidents("open").await.len(), 1, "the clock is still wrong");

    w.gateway_mut("Tunnel West").set_behind(0);
    w.forward_minutes(2).await;
    assert!(w.incidents("open").await.is_empty());
    assert_eq!(w.story(1001).await, ["opened", "not_paged", "fault_cleared", "closed"]);
}

async fn a_disk_that_takes_nothing_is_one_incident(engine: Engine) {
    let mut w = World::usual(engine).await;
    let now = w.now();
    w.gateway_mut("North Gate").disk_trouble(now, DiskTrouble::Full);
    w.forward_seconds(5).await;
    let seen = wire(&w, "North Gate").await;
    assert_eq!(seen["disk_trouble"], "full", "it is told at once, not with the next heartbeat");
    assert_eq!(sums(&w).await["disks_wrong"], 1);
    let incidents = w.incidents("open").await;
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    assert_eq!(incidents[0]["code"], "gateway_disk");
    assert_eq!(incidents[0]["evidence"]["trouble"], "full");
    let now = w.now();
    w.gateway_mut("North Gate").disk_trouble(now, DiskTrouble::ReadOnly);
    w.forward_minutes(2).await;
    let since = seen["disk_wrong_at"].clone();
    let seen = wire(&w, "North Gate").await;
    assert_eq!((&seen["disk_trouble"], &seen["disk_wrong_at"]), (&"read_only".into(), &since));
    assert_eq!(w.incidents("open").await.len(), 1, "it is the same trouble");
    let now = w.now();
    w.gateway_mut("North Gate").disk_trouble(now, DiskTrouble::Unspecified);
    w.forward_seconds(5).await;
    assert!(w.incidents("open").await.is_empty());
    assert_eq!(w.story(1001).await, ["opened", "not_paged", "fault_cleared", "closed"]);
}

async fn the_queue_and_its_age_are_seen(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    let quiet = sums(&w).await;
    for (key, value) in quiet.as_object().unwrap() {
        assert!(value.is_null() || *value == 0, "{key} says something while all is well: {value}");
    }
    // Its clock is an hour ahead, and it has held 1,200 records since two hours.
    let now = w.now().as_millisecond();
    let sent_at_ms = now + 3_600_000;
    let session = Session {
        online: true,
        session_id: 77,
        epoch: 9,
        head_seq: 1_200,
        tail_seq: 1,
        sent_at_ms,
        oldest_at_ms: sent_at_ms - 7_200_000,
        queue_records: 1_200,
        queue_bytes: 90_000,
        refused_packets: 3,
        heartbeat_s: 30,
        ..Session::default()
    };
    say(&mut w, Up::Session, encode_message(&session, Codec::None).unwrap()).await;
    let wire = wire(&w, "North Gate").await;
    assert_eq!(wire["queue_oldest_at"], now - 7_200_000, "by the server's clock: {wire}");
    assert_eq!((&wire["replay_left"], &wire["refused_by_agent"]), (&1_200.into(), &3.into()));
    let sums = sums(&w).await;
    assert_eq!(
        (&sums["holding"], &sums["records_held"], &sums["replaying"]),
        (&1.into(), &1_200.into(), &1.into())
    );
    assert_eq!(sums["oldest_held_at"], now - 7_200_000);
    let id = w.gateway_mut("North Gate").id.to_string();
    let metrics = w.nobody.get("/metrics").await.text;
    for line in [
        format!("sitewarden_gateway_queue_records{{gateway=\"{id}\"}} 1200"),
        format!("sitewarden_gateway_queue_age_seconds{{gateway=\"{id}\"}} 7200"),
        format!("sitewarden_gateway_clock_offset_milliseconds{{gateway=\"{id}\"}} 3600000"),
        "sitewarden_gateways_holding 1".to_owned(),
        "sitewarden_gateways_replaying 1".to_owned(),
        "sitewarden_ingest_lag_seconds_count 0".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line} is missing in\n{metrics}");
    }
}

async fn what_is_lost_is_seen(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-1").await;
    w.forward_minutes(10).await;
    w.cut("North Gate").await;
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001"]);
    w.gateway_mut("North Gate").disk.set_bound(20);
    let cut_at = w.now().as_millisecond();
    w.pass_hours(6).await;
    let back_at = w.now().as_millisecond();
    w.reconnect("North Gate").await;
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1001", "over"]);

    let wire = wire(&w, "North Gate").await;
    let lost = wire["lost_records"].as_i64().unwrap();
    assert!(lost > 40 && wire["gaps_day"].as_i64() >= Some(1), "{wire}");
    assert_eq!(wire["last_gap_reason"], "queue_full");
    assert_eq!(sums(&w).await["lost_day"], lost);
    let id = w.gateway_mut("North Gate").id.to_string();
    let gaps = items(&w.admin.get(&format!("/api/v1/gateways/{id}/gaps")).await.ok());
    assert_eq!(gaps.iter().filter_map(|gap| gap["records"].as_i64()).sum::<i64>(), lost);
    for gap in &gaps {
        let (from, to) = (gap["from"].as_i64().unwrap(), gap["to"].as_i64().unwrap());
        assert!(
            from < to && cut_at - 900_000 < from && to < back_at,
            "it names the time that is lost: {gap}"
        );
    }
    // Two days later it is old news in the strip, and still on the gateway's row.
    w.cut("North Gate").await;
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1002"]);
    w.pass_hours(25).await;
    assert_eq!(sums(&w).await["gaps_day"], 0);
}

async fn figures_of_a_hostile_gateway_break_no_page(engine: Engine) {
    let mut w = World::usual(engine).await;
    let session = Session {
        online: true,
        session_id: 78,
        epoch: 10,
        head_seq: u64::MAX,
        sent_at_ms: i64::MIN,
        oldest_at_ms: i64::MAX,
        queue_records: u64::MAX,
        queue_bytes: u64::MAX,
        dropped_records: u64::MAX,
        refused_packets: u64::MAX,
        heartbeat_s: u32::MAX,
        ..Session::default()
    };
    say(&mut w, Up::Session, encode_message(&session, Codec::None).unwrap()).await;
    for epoch in [11, 12] {
        let gap = Gap { from_seq: 1, to_seq: u64::from(u32::MAX), reason: Reason::Corrupt.into() };
        let body = Some(Body::Gap(gap));
        let envelope = Envelope {
            epoch,
            first_seq: 1,
            count: u32::MAX,
            sent_at_ms: i64::MAX,
            body,
            ..Envelope::default()
        };
        say(&mut w, Up::Events, encode(&envelope, Codec::None).unwrap()).await;
    }
    w.forward_minutes(1).await;
    wire(&w, "North Gate").await;
    sums(&w).await;
    let metrics = w.nobody.get("/metrics").await;
    assert!(
        metrics.status.is_success() && metrics.text.contains("sitewarden_gateways_holding"),
        "{}",
        metrics.text
    );
}

async fn say(w: &mut World, up: Up, packet: Vec<u8>) {
    let id = w.gateway_mut("North Gate").id.clone();
    let _ = ingest::receive(&w.app, &id, up, &packet, w.now()).await;
}

/// The wire of a site's gateway as the API shows it.
async fn wire(w: &World, site: &str) -> Value {
    let gateways = items(&w.admin.get("/api/v1/gateways").await.ok());
    gateways.iter().find(|gateway| gateway["site_name"] == site).expect("a gateway")["wire"].clone()
}

async fn sums(w: &World) -> Value {
    w.admin.get("/api/v1/wire").await.ok()
}
