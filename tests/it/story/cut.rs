//! Three days without an uplink: what the gateway wrote down becomes the record, with its true times, its
//! order and its charts, whatever breaks while it is told; and nobody is paged for what is over.

use serde_json::Value;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![three_days_of_cut_network, a_queue_that_overflows_keeps_facts_and_says_what_is_lost];

const HOUR: i64 = 3_600_000;
const MINUTE: i64 = 60_000;
/// A check runs every 30 s and two of three runs confirm; days pass in steps of 10 s.
const CONFIRMED: i64 = 3 * MINUTE;

/// (began, ended) of a fault by what the story did.
type Truth = (&'static str, i64, Option<i64>);

async fn three_days_of_cut_network(engine: Engine) {
    let mut w = World::usual(engine).await;
    let customer = w.customer("Tunnel Company").await;
    for name in ["cam-1", "cam-2", "cam-3"] {
        w.device_with("North Gate", name, None).await;
    }
    w.forward_minutes(10).await;
    let cut_at = w.now().as_millisecond();
    w.cut("North Gate").await;
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "gw North Gate"]);

    let mut truth: Vec<Truth> = Vec::new();
    // cam-1 dies on the first day and is mended on the second.
    w.pass_hours(10).await;
    let began = w.now().as_millisecond();
    w.device_goes_down("cam-1");
    w.pass_hours(20).await;
    truth.push(("cam-1", began, Some(w.now().as_millisecond())));
    w.device_comes_back("cam-1");
    // cam-2 goes and comes, an hour each.
    for _ in 0..3 {
        let began = w.now().as_millisecond();
        w.device_goes_down("cam-2");
        w.pass_hours(1).await;
        truth.push(("cam-2", began, Some(w.now().as_millisecond())));
        w.device_comes_back("cam-2");
        w.pass_hours(1).await;
    }
    // The agent is killed on the third day; cam-3 dies and stays dead.
    w.pass_hours(20).await;
    w.restart_agent("North Gate").await;
    w.pass_hours(1).await;
    let began = w.now().as_millisecond();
    w.device_goes_down("cam-3");
    truth.push(("cam-3", began, None));
    w.pass_hours(15).await;

    // Another site is watched and paged at once all the while.
    w.site(&customer, "Tunnel East", "东隧道").await;
    w.gateway("Tunnel East").await;
    w.device("Tunnel East", "gate-9").await;
    w.device_goes_down("gate-9");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1002", "gate-9"]);

    // The uplink comes back, and whatever can break breaks in the middle of the telling.
    let waiting = w.gateway_mut("North Gate").waiting();
    assert!(waiting > 800, "three days of blocks wait: {waiting}");
    w.reconnect_for("North Gate", 20).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    w.forward_seconds(10).await;
    w.restart_agent("North Gate").await;
    w.reconnect_for("North Gate", 20).await;
    w.restart_server().await;
    w.forward_seconds(10).await;
    assert!(w.gateway_mut("North Gate").waiting() > 400, "the story breaks it in the middle");
    assert_eq!(w.state("cam-1").await, "unknown", "until the history is in");
    w.reconnect("North Gate").await;
    w.forward_minutes(1).await;

    // One page for what stands, one that the silence is over; nothing for what is over.
    assert_eq!(w.gateway_mut("North Gate").waiting(), 0, "everything is acknowledged");
    w.pager.expect("li.wei", &["#", "cam-3"]);
    w.pager.expect_nothing_else();
    for (device, state) in [("cam-1", "ok"), ("cam-2", "ok"), ("cam-3", "down")] {
        assert_eq!(w.state(device).await, state);
    }
    check_incidents(&w, &truth).await;
    check_tickets(&w, &truth).await;
    check_events(&w, &truth).await;
    check_states(&w, &truth, cut_at).await;
    check_charts(&mut w, cut_at).await;
}

/// The timeline of each device is what it was, not that nobody knew it at the time.
async fn check_states(w: &World, truth: &[Truth], cut_at: i64) {
    for device in ["cam-1", "cam-2", "cam-3"] {
        let mut told = vec![("ok".to_owned(), cut_at)];
        for (_, began, ended) in truth.iter().filter(|(name, _, _)| *name == device) {
            told.push(("down".to_owned(), *began));
            told.extend(ended.map(|ended| ("ok".to_owned(), ended)));
        }
        let seen = states(w, device, cut_at).await;
        let words: Vec<&String> = seen.iter().map(|(state, _)| state).collect();
        assert_eq!(words, told.iter().map(|(state, _)| state).collect::<Vec<_>>(), "{device}: {seen:?}");
        for ((_, at), (_, truly)) in seen.iter().zip(&told) {
            assert!((*truly..truly + CONFIRMED).contains(at), "{device}: {seen:?}, in truth {told:?}");
        }
    }
}

/// A device's timeline from `from` on: state and since when.
async fn states(w: &World, device: &str, from: i64) -> Vec<(String, i64)> {
    let (id, to) = (w.device_id(device), w.now().as_millisecond());
    let states = items(&w.admin.get(&format!("/api/v1/devices/{id}/states?from={from}&to={to}")).await.ok());
    states.iter().map(|state| (text(state, "/state"), state["at"].as_i64().unwrap())).collect()
}

/// Every outage is one incident with its true times, and in the order in which they happened.
async fn check_incidents(w: &World, truth: &[Truth]) {
    let mut seen: Vec<Value> = w.incidents("all").await;
    seen.retain(|i| i["code"] == "unreachable" && i["site_name"] == "North Gate");
    seen.sort_by_key(|incident| incident["opened_at"].as_i64());
    assert_eq!(seen.len(), truth.len(), "{seen:#?}");
    for ((device, began, ended), incident) in truth.iter().zip(&seen) {
        assert_eq!(incident["device_name"], *device);
        let opened = incident["opened_at"].as_i64().unwrap();
        assert!((*began..*began + CONFIRMED).contains(&opened), "{device}: {began} {incident}");
        let (good, bad) = (incident["last_good_at"].as_i64(), incident["first_bad_at"].as_i64());
        assert!(good < bad && good > Some(began - CONFIRMED), "{incident}");
        match ended {
            Some(ended) => {
                let closed = incident["closed_at"].as_i64().unwrap();
                assert!((*ended..*ended + CONFIRMED).contains(&closed), "{device}: {ended} {incident}");
            }
            None => assert!(incident["closed_at"].is_null(), "{incident}"),
        }
    }
}

/// What is over is a closed ticket that woke nobody; what stands is one ticket with one page.
async fn check_tickets(w: &World, truth: &[Truth]) {
    let mut tickets = w.tickets().await;
    tickets.retain(|t| t["code"] == "unreachable" && t["site_name"] == "North Gate");
    tickets.reverse();
    assert_eq!(tickets.len(), truth.len());
    for ((_, began, ended), ticket) in truth.iter().zip(&tickets) {
        let number = ticket["number"].as_i64().unwrap();
        let story = w.story(number).await;
        let opened = ticket["opened_at"].as_i64().unwrap();
        assert!((*began..*began + CONFIRMED).contains(&opened), "{ticket}");
        if ended.is_some() {
            assert_eq!(story, ["opened", "withheld", "fault_cleared", "closed"], "#{number}");
            assert!(ticket["closed_at"].as_i64() < Some(ended.unwrap() + CONFIRMED), "{ticket}");
        } else {
            assert_eq!(story, ["opened", "withheld", "released", "page_queued", "page_sent"], "#{number}");
        }
    }
}

/// Every transition is on the record once, in its order.
async fn check_events(w: &World, truth: &[Truth]) {
    for device in ["cam-1", "cam-2", "cam-3"] {
        let id = w.device_id(device);
        let events = items(&w.admin.get(&format!("/api/v1/devices/{id}/events")).await.ok());
        let mut seen: Vec<String> = events.iter().map(|event| text(event, "/transition")).collect();
        seen.reverse();
        seen.retain(|transition| transition == "raised" || transition == "cleared");
        let mut told = Vec::new();
        for (_, _, ended) in truth.iter().filter(|(name, _, _)| *name == device) {
            told.push("raised");
            told.extend(ended.map(|_| "cleared"));
        }
        assert_eq!(seen, told, "{device}: {events:#?}");
    }
}

/// A device that answered all the time has a value for every step, however the chart is cut, and before as
/// well as after the server has condensed the blocks.
async fn check_charts(w: &mut World, cut_at: i64) {
    let now = w.now().as_millisecond();
    let id = w.device_id("cam-3");
    let died = cut_at + 57 * HOUR;
    for round in ["at once", "after the hours were condensed"] {
        for (from, to) in
            [(cut_at - 5 * MINUTE, cut_at + 25 * HOUR), (cut_at + 30 * HOUR, died), (cut_at, died)]
        {
            let path = format!("/api/v1/devices/{id}/history?from={from}&to={to}&points=300");
            let history = w.admin.get(&path).await.ok();
            let series = history["series"].as_array().unwrap();
            assert_eq!(series.len(), 2, "{round}");
            for series in series {
                let step = series["step_ms"].as_i64().unwrap();
                let points = series["points"].as_array().unwrap();
                let holes: Vec<&Value> = points.iter().filter(|p| !p[1].is_number()).collect();
                assert!(holes.is_empty(), "{round}: holes in {from}..{to}, step {step}: {holes:?}");
                let times: Vec<i64> = points.iter().filter_map(|p| p[0].as_i64()).collect();
                let jump = times.windows(2).find(|t| t[1] - t[0] != step);
                assert!(jump.is_none(), "{round}: {from}..{to}, step {step}: {jump:?}");
                let (first, last) = (times[0], times[times.len() - 1]);
                let whole = first <= from + step && last + step >= to - step;
                assert!(whole, "{round}: {from}..{to}, step {step}: from {first} to {last} only");
            }
        }
        w.forward_minutes(3).await;
    }
    assert!(w.now().as_millisecond() > now);
}

async fn a_queue_that_overflows_keeps_facts_and_says_what_is_lost(engine: Engine) {
    let mut w = World::usual(engine).await;
    for name in ["cam-1", "cam-2"] {
        w.device_with("North Gate", name, None).await;
    }
    w.forward_minutes(10).await;
    w.cut("North Gate").await;
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "gw North Gate"]);
    w.gateway_mut("North Gate").disk.set_bound(60);
    let began = w.now().as_millisecond();
    w.device_goes_down("cam-1");
    w.pass_hours(1).await;
    let ended = w.now().as_millisecond();
    w.device_comes_back("cam-1");
    w.pass_hours(1).await;
    w.pass_hours(10).await;
    let late = w.now().as_millisecond();
    w.device_goes_down("cam-2");
    w.pass_hours(1).await;
    let disk = &mut w.gateway_mut("North Gate").disk;
    disk.set_bound(usize::MAX);
    let lost = disk.gaps();
    assert!(!lost.is_empty(), "ten hours of blocks do not fit");

    w.reconnect("North Gate").await;
    w.forward_minutes(2).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    w.pager.expect("li.wei", &["#", "cam-2"]);
    w.pager.expect_nothing_else();
    // The facts are older than every block that was dropped, and there all the same.
    let truth = [("cam-1", began, Some(ended)), ("cam-2", late, None)];
    check_incidents(&w, &truth).await;
    let mut conn = w.app.db.read().await.unwrap();
    let gaps: Vec<(i64, i64, String)> =
        sqlx::query_as("SELECT from_seq, to_seq, reason FROM record_gap ORDER BY from_seq")
            .fetch_all(&mut *conn)
            .await
            .unwrap();
    let told: Vec<(i64, i64, String)> =
        lost.iter().map(|(from, to)| (*from as i64, *to as i64, "queue_full".to_owned())).collect();
    assert_eq!(gaps, told);
    drop(conn);
    // After a gap what stands is told again: said twice, one incident, one ticket, one page.
    let id = w.device_id("cam-2");
    let events = items(&w.admin.get(&format!("/api/v1/devices/{id}/events")).await.ok());
    let raised = events.iter().filter(|event| event["transition"] == "raised").count();
    assert!(raised >= 2, "{events:#?}");
    assert_eq!(w.tickets().await.iter().filter(|t| t["device_name"] == "cam-2").count(), 1);
    // Where blocks were lost nobody can say that all was well; a fault stood from its first to its last word.
    let seen = states(&w, "cam-1", began).await;
    let words: Vec<&str> = seen.iter().map(|(state, _)| state.as_str()).collect();
    assert!(words.starts_with(&["ok", "down"]) || words.starts_with(&["unknown", "down"]), "{seen:?}");
    assert!(words.contains(&"unknown") && words.ends_with(&["ok"]), "{seen:?}");
    // The chart says what was lost, as one loss.
    let to = w.now().as_millisecond();
    let chart = w.admin.get(&format!("/api/v1/devices/{id}/history?from={began}&to={to}")).await.ok();
    let said = chart["lost"].as_array().unwrap();
    assert!((1..=2).contains(&said.len()), "{said:?}");
    let records: i64 = said.iter().filter_map(|one| one["records"].as_i64()).sum();
    assert_eq!(records, lost.iter().map(|(from, to)| (to - from + 1) as i64).sum::<i64>());
}
