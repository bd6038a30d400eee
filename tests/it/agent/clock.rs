//! Gateways whose clocks are wrong, are set, or begin in 1970: what they recorded stands at its true time.

use jiff::Timestamp;
use serde_json::Value;
use sitewarden_agent::clock::from_ms;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::World;

stories![
    a_gateway_that_boots_in_1970_and_gets_the_time_later_has_its_record_right,
    a_gateway_that_never_learns_the_time_by_itself_has_its_record_right,
    a_clock_that_jumps_while_connected_bends_nothing,
    a_clock_that_jumps_while_cut_off_bends_nothing,
    records_of_an_earlier_boot_keep_their_times
];

const SITE: &str = "North Gate";
const HOUR_MS: i64 = 3_600_000;
/// What the record may be off by: the server takes an offset of less for the way of the packet.
const SECONDS_MS: i64 = 6_000;
/// Two of three outcomes every 30 s raise, two clear.
const CONFIRM_MS: i64 = 95_000;

async fn cut_off(engine: Engine) -> World {
    let mut w = World::usual(engine).await;
    w.device(SITE, "cam-3").await;
    w.cut(SITE).await;
    w.forward_minutes(4).await;
    w.pager.expect("li.wei", &["#1001", "gw North Gate"]);
    w
}

/// The camera fails for five minutes; when it began and ended.
async fn an_outage(w: &mut World) -> (Timestamp, Timestamp) {
    let began = w.now();
    w.device_goes_down("cam-3");
    w.forward_minutes(5).await;
    let ended = w.now();
    w.device_comes_back("cam-3");
    w.forward_minutes(5).await;
    (began, ended)
}

/// The outages on the record are these, in true time.
async fn the_record_tells(w: &World, outages: &[(Timestamp, Timestamp)]) {
    let mut told: Vec<Value> =
        w.incidents("all").await.into_iter().filter(|i| i["code"] == "unreachable").collect();
    told.sort_by_key(|incident| incident["opened_at"].as_i64());
    assert_eq!(told.len(), outages.len(), "{told:#?}");
    for (incident, (began, ended)) in told.iter().zip(outages) {
        for (field, at) in [("opened_at", began), ("closed_at", ended)] {
            let late = incident[field].as_i64().unwrap() - at.as_millisecond();
            assert!(
                (-SECONDS_MS..CONFIRM_MS + SECONDS_MS).contains(&late),
                "{field} is {late} ms late: {incident}"
            );
        }
    }
}

async fn back_and_over(w: &mut World) {
    w.reconnect(SITE).await;
    w.forward_seconds(40).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    assert_eq!(w.state("cam-3").await, "ok");
    assert_eq!(w.gateway_mut(SITE).waiting(), 0, "everything was acknowledged");
}

async fn a_gateway_that_boots_in_1970_and_gets_the_time_later_has_its_record_right(engine: Engine) {
    let mut w = cut_off(engine).await;
    let now = w.now();
    w.gateway_mut(SITE).reboot(now, from_ms(30_000));
    let outage = an_outage(&mut w).await;
    let now = w.now();
    w.gateway_mut(SITE).set_clock(now, now);
    w.forward_minutes(5).await;
    back_and_over(&mut w).await;
    the_record_tells(&w, &[outage]).await;
    let gateways = w.admin.get("/api/v1/gateways").await.ok();
    let offset = gateways["items"][0]["clock_offset_ms"].as_i64().unwrap();
    assert!(offset.abs() < SECONDS_MS, "its clock is right now: {offset}");
}

async fn a_gateway_that_never_learns_the_time_by_itself_has_its_record_right(engine: Engine) {
    let mut w = cut_off(engine).await;
    // It was without power for a month, and comes up at the last time that it stored.
    let now = w.now();
    w.gateway_mut(SITE).reboot(now, from_ms(0));
    let first = an_outage(&mut w).await;
    back_and_over(&mut w).await;
    let second = an_outage(&mut w).await;
    w.forward_minutes(2).await;
    for (number, word) in [("#1003", "cam-3"), ("#1003", "over")] {
        w.pager.expect("li.wei", &[number, word]);
    }
    the_record_tells(&w, &[first, second]).await;
}

async fn a_clock_that_jumps_while_connected_bends_nothing(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device(SITE, "cam-3").await;
    let mut outages = Vec::new();
    // Ticket #1002 is the clock's own, and wakes nobody.
    for (number, jump_ms) in [("#1001", 3 * HOUR_MS), ("#1003", -3 * HOUR_MS)] {
        let now = w.now();
        w.gateway_mut(SITE).set_clock(now, from_ms(now.as_millisecond() + jump_ms));
        outages.push(an_outage(&mut w).await);
        w.pager.expect("li.wei", &[number, "cam-3"]);
        w.pager.expect("li.wei", &[number, "over"]);
    }
    the_record_tells(&w, &outages).await;
    let open = w.incidents("open").await;
    assert_eq!(open.iter().map(|incident| &incident["code"]).collect::<Vec<_>>(), ["gateway_clock_wrong"]);
}

async fn a_clock_that_jumps_while_cut_off_bends_nothing(engine: Engine) {
    let mut w = cut_off(engine).await;
    let mut outages = Vec::new();
    for jump_ms in [3 * HOUR_MS, -3 * HOUR_MS] {
        outages.push(an_outage(&mut w).await);
        let now = w.now();
        w.gateway_mut(SITE).set_clock(now, from_ms(now.as_millisecond() + jump_ms));
    }
    outages.push(an_outage(&mut w).await);
    back_and_over(&mut w).await;
    the_record_tells(&w, &outages).await;
}

async fn records_of_an_earlier_boot_keep_their_times(engine: Engine) {
    let mut w = cut_off(engine).await;
    let first = an_outage(&mut w).await;
    let now = w.now();
    w.gateway_mut(SITE).reboot(now, from_ms(now.as_millisecond() + 80 * 8_766 * HOUR_MS));
    let second = an_outage(&mut w).await;
    let now = w.now();
    w.gateway_mut(SITE).reboot(now, from_ms(0));
    let third = an_outage(&mut w).await;
    back_and_over(&mut w).await;
    the_record_tells(&w, &[first, second, third]).await;
}
