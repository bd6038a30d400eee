//! Somebody goes there: visits from plan to file, and what proves that somebody has arrived, in time and out of it.

use axum::http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sitewarden_proto::arrival::step_at;
use sitewarden_server::visit::arrival::code_in;
use sitewarden_tests::client::{Answer, Client};
use sitewarden_tests::database::Engine;
use sitewarden_tests::promise::promise;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![
    a_visit_lives_from_plan_to_file,
    an_arrival_told_hours_late_by_a_wrong_clock_undoes_the_breach,
    what_speaks_against_an_arrival_is_kept_as_a_claim_and_the_clock_runs_on,
    two_people_write_and_nothing_is_overwritten,
    who_comes_too_late_by_the_distance_is_told_while_somebody_nearer_can_go,
    work_that_waits_pauses_what_the_contract_lets_wait_once_somebody_agreed,
];

/// The usual world with a technician, under a contract whose arrival is proved by `evidence`.
pub(super) async fn promised(engine: Engine, evidence: &str) -> World {
    let mut w = World::usual(engine).await;
    w.person("wang.min", "technician", None).await;
    let text_of = format!(
        "[contract]\nid = \"HT-7\"\nname = \"Harbour\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n\
         [[clock]]\nname = \"arrive\"\ntitle = \"On site\"\nstart = \"reported\"\nstop = \"arrived\"\ntarget = \"1h\"\n\
         evidence = [{evidence}]\n"
    );
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    promise(&w.app, &text(&customers[0], "/id"), &w.site_id("North Gate"), &text_of, w.now()).await;
    w
}

/// `li.wei` opens a ticket by hand.
pub(super) async fn ticket(w: &mut World, number: i64) -> Client {
    let li = w.as_person("li.wei").await;
    let new = json!({ "site_id": w.site_id("North Gate"), "title": "Barrier arm bent", "severity": "major" });
    let opened = li.post("/api/v1/tickets", &new).await.ok();
    assert_eq!(opened["number"], number);
    w.settle().await;
    w.pager.expect("li.wei", &[&format!("#{number}")]);
    li
}

/// The id of the nth thing that a phone makes.
pub(super) fn made(n: u64) -> String {
    format!("5f0e0000-0000-4000-8000-{n:012}")
}

pub(super) async fn account(w: &World, login: &str) -> String {
    let users = items(&w.admin.get("/api/v1/users").await.ok());
    text(users.iter().find(|user| user["login"] == login).unwrap(), "/id")
}

/// Plans a visit for somebody.
pub(super) async fn plan(w: &World, by: &Client, visit: u64, number: i64, login: &str) -> Value {
    let new = json!({ "ticket_id": number.to_string(), "members": [account(w, login).await], "purpose": "Straighten it" });
    by.put(&format!("/api/v1/visits/{}", made(visit)), &new).await.ok()
}

async fn send(by: &Client, visit: u64, step: u64, body: &Value) -> Answer {
    by.put(&format!("/api/v1/visits/{}/steps/{}", made(visit), made(step)), body).await
}

/// Takes a step, twice: the second time is the phone's that did not hear the answer.
pub(super) async fn take(by: &Client, visit: u64, step: u64, body: &Value) -> Value {
    let once = send(by, visit, step, body).await.ok();
    let twice = send(by, visit, step, body).await.ok();
    assert_eq!(once, twice, "the same once more changes nothing");
    once
}

/// What the site's gateway showed so many minutes ago.
fn shown(w: &mut World, ago: i64) -> String {
    let at = w.now() - SignedDuration::from_mins(ago);
    let gateway = w.gateway_mut("North Gate").id.to_string();
    let key = w.app.keys.arrival_key(&gateway, None);
    code_in(&key, &gateway, step_at(at.as_second()))
}

async fn clock(w: &World, number: i64) -> Value {
    w.admin.get(&format!("/api/v1/tickets/{number}/clocks")).await.ok()["clocks"][0].clone()
}

/// The doubts about the last arrival, by kind.
fn doubts(story: &Value) -> Vec<(String, String)> {
    let arrived =
        story["events"].as_array().unwrap().iter().rfind(|event| event["kind"] == "arrived").unwrap();
    let pieces = arrived["body"]["evidence"].as_array().unwrap();
    pieces.iter().map(|piece| (text(piece, "/kind"), text(piece, "/doubt"))).collect()
}

async fn a_visit_lives_from_plan_to_file(engine: Engine) {
    let mut w = promised(engine, "\"gateway_code\", \"customer\"").await;
    w.person("zhao.lei", "technician", None).await;
    w.device("North Gate", "cam-3").await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
    let (li, wang) = (w.as_person("li.wei").await, w.as_person("wang.min").await);
    let zhao = w.as_person("zhao.lei").await;

    let planned = plan(&w, &li, 1, 1001, "wang.min").await;
    assert_eq!([text(&planned, "/state"), text(&planned, "/members/0/name")], ["assigned", "wang.min"]);
    assert_eq!(plan(&w, &li, 1, 1001, "wang.min").await, planned, "planning it twice is planning it once");
    let mine = items(&wang.get("/api/v1/visits?mine=true").await.ok());
    assert_eq!((mine.len(), text(&mine[0], "/due_what")), (1, "On site".to_owned()));
    assert!(items(&zhao.get("/api/v1/visits?mine=true").await.ok()).is_empty());
    let other = send(&zhao, 1, 90, &json!({ "kind": "departed" })).await;
    assert_eq!(other.code(), "not_yours", "{}", other.text);
    let sent = json!({ "ticket_id": "1001", "members": [account(&w, "zhao.lei").await] });
    let refused = wang.put(&format!("/api/v1/visits/{}", made(9)), &sent).await;
    assert_eq!(refused.status, 403, "a technician sends nobody: {}", refused.text);

    take(&wang, 1, 11, &json!({ "kind": "accepted" })).await;
    assert_eq!(w.ticket(1001).await["acked_by"], "wang.min", "whoever goes has the ticket");
    let early = send(&wang, 1, 12, &json!({ "kind": "working" })).await;
    assert_eq!(early.code(), "not_possible", "{}", early.text);
    take(
        &wang,
        1,
        13,
        &json!({ "kind": "called", "who": "Ms Zhou", "note": "at the side gate in ten minutes" }),
    )
    .await;
    take(&wang, 1, 14, &json!({ "kind": "departed" })).await;
    take(&zhao, 1, 15, &json!({ "kind": "accepted" })).await;
    w.forward_minutes(10).await;
    let code = shown(&mut w, 1);
    let then = w.now() - SignedDuration::from_mins(1);
    assert_eq!(
        w.gateway_mut("North Gate").arrival_code(then),
        Some(code.clone()),
        "the gateway shows the same"
    );
    let proof = json!({ "kind": "arrived", "evidence": [{ "kind": "gateway_code", "code": code }] });
    let there = take(&wang, 1, 16, &proof).await;
    assert_eq!([text(&there, "/state"), text(&there, "/level")], ["arrived", "gateway_code"]);
    assert_eq!(clock(&w, 1001).await["state"], "met");
    // Two people before one display type the same digits.
    let both = take(&zhao, 1, 17, &proof).await;
    assert_eq!(doubts(&both), [("gateway_code".into(), String::new())]);

    take(&wang, 1, 18, &json!({ "kind": "working" })).await;
    take(&wang, 1, 19, &json!({ "kind": "paused", "reason": "parts", "note": "the plug is in the van" }))
        .await;
    take(&wang, 1, 20, &json!({ "kind": "working" })).await;
    let form = json!({ "kind": "written", "seen": 0,
        "fields": { "symptom": "no picture", "cause": "water in the plug", "solution": "new plug", "readings": "52.1 V" } });
    let written = take(&wang, 1, 21, &form).await;
    assert_eq!(text(&written, "/form/cause/text"), "water in the plug");
    let down = send(&wang, 1, 22, &json!({ "kind": "done" })).await;
    assert_eq!(down.code(), "still_down", "{}", down.text);
    w.device_comes_back("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    let done = take(&wang, 1, 22, &json!({ "kind": "done" })).await;
    assert_eq!(text(&done, "/state"), "done");
    let nobody = send(&wang, 1, 23, &json!({ "kind": "signed" })).await;
    assert_eq!(nobody.status, 400, "{}", nobody.text);
    take(&wang, 1, 24, &json!({ "kind": "unsigned", "reason": "nobody at the gate" })).await;
    let signed = json!({ "kind": "signed", "who": "Ms Zhou", "source": "paper",
        "occurred_at": (w.now() - SignedDuration::from_mins(1)).as_millisecond() });
    let signed = take(&wang, 1, 25, &signed).await;
    assert_eq!([text(&signed, "/state"), text(&signed, "/reason")], ["signed", ""]);
    let led = send(&wang, 1, 26, &json!({ "kind": "called_back" })).await;
    assert_eq!(led.code(), "not_yours", "{}", led.text);
    take(&li, 1, 27, &json!({ "kind": "called_back", "who": "Ms Zhou", "satisfied": 5 })).await;
    let filed = take(&li, 1, 28, &json!({ "kind": "filed" })).await;
    assert_eq!(filed["events"].as_array().unwrap().len(), 16, "{filed}");
    let late = send(&wang, 1, 29, &json!({ "kind": "written", "fields": { "cause": "salt" } })).await;
    assert_eq!(late.code(), "not_possible", "{}", late.text);

    // It comes again: the second visit follows the first.
    let again = json!({ "ticket_id": "1001", "follows_id": made(1), "purpose": "Exchange the cable" });
    let again = wang.put(&format!("/api/v1/visits/{}", made(2)), &again).await.ok();
    assert_eq!((again["number"].clone(), text(&again, "/state")), (2.into(), "planned".into()));
    take(&li, 2, 40, &json!({ "kind": "cancelled", "reason": "the cable is the builder's" })).await;
    assert_eq!(items(&li.get("/api/v1/tickets/1001/visits").await.ok()).len(), 2);
    assert!(items(&li.get("/api/v1/visits").await.ok()).is_empty(), "neither stands");
    w.forward_minutes(5).await;
}

async fn an_arrival_told_hours_late_by_a_wrong_clock_undoes_the_breach(engine: Engine) {
    let mut w = promised(engine, "\"gateway_code\"").await;
    let li = ticket(&mut w, 1001).await;
    plan(&w, &li, 1, 1001, "wang.min").await;
    let wang = w.as_person("wang.min").await;
    take(&wang, 1, 11, &json!({ "kind": "accepted" })).await;
    for (minute, share) in [(30, "50 %"), (15, "75 %"), (9, "90 %")] {
        w.forward_minutes(minute).await;
        w.pager.expect("wang.min", &["#1001", "On site", share]);
    }
    // He stands before the gateway, without a signal and with a phone that is eleven minutes fast.
    let arrived = w.now();
    let code = shown(&mut w, 0);
    let fast = 11 * 60_000;
    w.forward_minutes(7).await;
    w.pager.expect("wang.min", &["overdue", "On site"]);
    w.forward_minutes(4 * 60 - 7).await;
    assert_eq!(clock(&w, 1001).await["state"], "breached_running");
    // Four hours later there is a signal; the phone has set its clock meanwhile.
    let wang = w.as_person("wang.min").await;
    let upload = json!({ "kind": "arrived", "device_at": arrived.as_millisecond() + fast,
        "device_now": w.now().as_millisecond(), "skew_before_ms": fast,
        "evidence": [{ "kind": "gateway_code", "code": code }] });
    let story = take(&wang, 1, 12, &upload).await;
    assert_eq!(text(&story, "/level"), "gateway_code");
    let event = story["events"].as_array().unwrap().last().unwrap();
    assert_eq!(
        [&event["occurred_at"], &event["recorded_at"], &event["device_at"], &event["skew_ms"]],
        [
            &json!(arrived.as_millisecond()),
            &json!(w.now().as_millisecond()),
            &json!(arrived.as_millisecond() + fast),
            &json!(0)
        ],
        "every time is kept: {event}"
    );
    let now = clock(&w, 1001).await;
    assert_eq!(
        (text(&now, "/state"), now["stopped_at"].clone()),
        ("met".into(), arrived.as_millisecond().into())
    );
    w.settle().await;
    let told = w.pager.expect("wang.min", &["#1001", "kept after all", "On site"]);
    assert_eq!(told.word("/purpose"), "kept");
    let kinds = w.story(1001).await;
    for fact in ["clock_breached", "fact", "clock_kept_after_all"] {
        assert!(kinds.iter().any(|kind| kind == fact), "both facts stay: {kinds:?}");
    }
    w.forward_minutes(30).await;
}

async fn what_speaks_against_an_arrival_is_kept_as_a_claim_and_the_clock_runs_on(engine: Engine) {
    let mut w = promised(engine, "").await;
    let site = w.site_id("North Gate");
    let (lat, lon) = (31.2304, 121.4737);
    let place = json!({ "lat": lat, "lon": lon, "datum": "wgs84" });
    w.admin.send(axum::http::Method::PATCH, &format!("/api/v1/sites/{site}"), Some(&place)).await.ok();
    let tag =
        w.admin.post(&format!("/api/v1/sites/{site}/tags"), &json!({ "place": "Gate house" })).await.ok();
    let tag = text(&tag, "/code");
    let li = ticket(&mut w, 1001).await;
    ticket(&mut w, 1002).await;
    plan(&w, &li, 1, 1001, "wang.min").await;
    plan(&w, &li, 2, 1002, "li.wei").await;
    let wang = w.as_person("wang.min").await;
    take(&wang, 1, 11, &json!({ "kind": "accepted" })).await;
    take(&li, 2, 12, &json!({ "kind": "accepted" })).await;
    w.forward_minutes(5).await;

    let arrive = |evidence: Value| json!({ "kind": "arrived", "evidence": evidence });
    let gps = |lat: f64, lon: f64| json!({ "kind": "geofence", "lat": lat, "lon": lon, "accuracy_m": 30.0 });
    // What a Chinese map shows for the site, taken for GPS.
    let map = (31.228_458, 121.478_223);
    let mixed =
        json!({ "kind": "geofence", "lat": map.0, "lon": map.1, "accuracy_m": 20.0, "datum": "wgs84" });
    let (used, old) = (shown(&mut w, 0), shown(&mut w, 20));
    let at_2 = take(&li, 2, 13, &arrive(json!([{ "kind": "gateway_code", "code": used }]))).await;
    assert_eq!(text(&at_2, "/level"), "gateway_code");
    for (n, evidence, told) in [
        (
            20,
            json!([{ "kind": "qr", "code": tag }, gps(31.30, lon)]),
            vec![("qr", "far"), ("geofence", "far")],
        ),
        (21, json!([gps(lat + 0.006, lon)]), vec![("geofence", "far")]),
        (22, json!([mixed]), vec![("geofence", "other_datum")]),
        (23, json!([{ "kind": "gateway_code", "code": used }]), vec![("gateway_code", "code_used")]),
        (24, json!([{ "kind": "gateway_code", "code": old }]), vec![("gateway_code", "wrong_code")]),
        (25, json!([{ "kind": "qr", "code": "SW-TAG:another" }]), vec![("qr", "other_tag")]),
    ] {
        let story = take(&wang, 1, n, &arrive(evidence)).await;
        let told: Vec<(String, String)> = told.into_iter().map(|(a, b)| (a.into(), b.into())).collect();
        assert_eq!(doubts(&story), told);
        assert_eq!(text(&story, "/level"), "claimed");
        assert_eq!(clock(&w, 1001).await["state"], "running", "{n}");
    }
    assert_eq!(clock(&w, 1001).await["claimed"].as_array().unwrap().len(), 6, "each is shown as a claim");
    // The same numbers, said to be a map's, and the tag beside them.
    let right =
        json!({ "kind": "geofence", "lat": map.0, "lon": map.1, "accuracy_m": 20.0, "datum": "gcj02" });
    let story = take(&wang, 1, 30, &arrive(json!([{ "kind": "qr", "code": tag }, right]))).await;
    assert_eq!(text(&story, "/level"), "qr");
    let piece = &story["events"].as_array().unwrap().last().unwrap()["body"]["evidence"][1];
    assert_eq!([&piece["datum"], &piece["lat"]], [&json!("gcj02"), &json!(map.0)], "kept as it was given");
    assert_eq!(clock(&w, 1001).await["state"], "met");
    // Guessing ends soon.
    for n in 40..50 {
        let guess = json!([{ "kind": "gateway_code", "code": "000000" }]);
        take(&wang, 1, n, &arrive(guess)).await;
    }
    let now = shown(&mut w, 0);
    let story = take(&wang, 1, 50, &arrive(json!([{ "kind": "gateway_code", "code": now }]))).await;
    assert_eq!(doubts(&story), [("gateway_code".into(), "too_many_tries".into())]);
    // Another visit is no new beginning, and one step takes one code.
    plan(&w, &li, 3, 1002, "wang.min").await;
    take(&wang, 3, 60, &json!({ "kind": "accepted" })).await;
    let code = json!({ "kind": "gateway_code", "code": now });
    let story = take(&wang, 3, 61, &arrive(json!([code]))).await;
    assert_eq!(doubts(&story), [("gateway_code".into(), "too_many_tries".into())]);
    assert_eq!(send(&wang, 3, 62, &arrive(json!([code, code]))).await.status, 400);
    // Whoever goes is not the desk, whatever else that person is.
    let story = take(&li, 2, 63, &arrive(json!([{ "kind": "call" }]))).await;
    assert_eq!(doubts(&story), [("call".into(), "own_word".into())]);
    w.forward_minutes(5).await;
}

async fn two_people_write_and_nothing_is_overwritten(engine: Engine) {
    let mut w = promised(engine, "").await;
    w.person("zhao.lei", "technician", None).await;
    let li = ticket(&mut w, 1001).await;
    plan(&w, &li, 1, 1001, "wang.min").await;
    let (wang, zhao) = (w.as_person("wang.min").await, w.as_person("zhao.lei").await);
    take(&wang, 1, 11, &json!({ "kind": "accepted" })).await;
    let seen = take(&zhao, 1, 12, &json!({ "kind": "accepted" })).await["events"].as_array().unwrap().len();
    let write = |cause: &str| json!({ "kind": "written", "seen": seen, "fields": { "cause": cause } });
    take(&wang, 1, 13, &write("water")).await;
    take(&wang, 1, 14, &write("water in the plug")).await;
    let conflict = send(&zhao, 1, 15, &write("salt")).await;
    assert_eq!(conflict.code(), "field_changed");
    assert!(conflict.text.contains("water in the plug"), "both are shown: {}", conflict.text);
    let seen =
        zhao.get(&format!("/api/v1/visits/{}", made(1))).await.ok()["events"].as_array().unwrap().len();
    let over = json!({ "kind": "written", "seen": seen, "fields": { "cause": "salt water" } });
    let story = take(&zhao, 1, 16, &over).await;
    assert_eq!(
        [text(&story, "/form/cause/text"), text(&story, "/form/cause/by")],
        ["salt water", "zhao.lei"]
    );
    // An id is used once.
    let taken = send(&zhao, 1, 16, &write("something else")).await;
    assert_eq!(taken.code(), "other_step");
    let stranger = send(&zhao, 1, 17, &json!({ "kind": "arrived", "evidence": [{ "kind": "smell" }] })).await;
    assert_eq!(stranger.status, 400, "{}", stranger.text);
    let stated = take(&wang, 1, 18, &json!({ "kind": "arrived" })).await;
    assert_eq!(text(&stated, "/level"), "stated");
    assert_eq!(clock(&w, 1001).await["state"], "met", "the contract asks for no proof");
    w.forward_minutes(5).await;
}

/// Somebody lives so far north of the North Gate, km.
async fn lives(w: &World, login: &str, km: f64) {
    let home = json!({ "skills": [], "lat": 22.0 + km / 111.195, "lon": 113.5, "datum": "wgs84" });
    let path = format!("/api/v1/users/{}/skills", account(w, login).await);
    w.admin.put(&path, &home).await.ok();
}

fn foreseen(clocks: &Value) -> Vec<bool> {
    let notices = clocks["notices"].as_array().unwrap();
    let of_way = notices.iter().filter(|notice| notice["share"] == 0);
    of_way.map(|notice| notice["reached"] == true).collect()
}

async fn who_comes_too_late_by_the_distance_is_told_while_somebody_nearer_can_go(engine: Engine) {
    let mut w = promised(engine, "\"gateway_code\"").await;
    w.person("zhao.lei", "technician", None).await;
    let place = json!({ "lat": 22.0, "lon": 113.5, "datum": "wgs84" });
    let site = format!("/api/v1/sites/{}", w.site_id("North Gate"));
    w.admin.send(Method::PATCH, &site, Some(&place)).await.ok();
    let li = ticket(&mut w, 1001).await;
    let (wang, zhao) = (w.as_person("wang.min").await, w.as_person("zhao.lei").await);
    let reported = w.ticket(1001).await["opened_at"].as_i64().unwrap();
    let minute = |ms: &Value| (ms.as_i64().unwrap() - reported + 30_000).div_euclid(60_000);
    let clocks = async |w: &World| w.admin.get("/api/v1/tickets/1001/clocks").await.ok();

    // Nobody knows where wang.min lives: it may be near.
    plan(&w, &li, 1, 1001, "wang.min").await;
    take(&wang, 1, 11, &json!({ "kind": "accepted" })).await;
    w.settle().await;
    let now = clocks(&w).await;
    assert_eq!(
        (&now["on_the_way"][0]["km"], &now["on_the_way"][0]["arrives_at"]),
        (&Value::Null, &Value::Null)
    );
    assert!(foreseen(&now).is_empty());

    // 50 km are 70 by road: 24 minutes for the first ten, an hour for the rest. Ten minutes pass before.
    lives(&w, "wang.min", 50.0).await;
    w.forward_seconds(2).await;
    for person in ["wang.min", "li.wei"] {
        let page = w.pager.expect(person, &["#1001", "On site"]);
        assert!(page.word("/text").contains("wang.min") && page.word("/text").contains("50 "), "{page:?}");
    }
    let now = clocks(&w).await;
    assert_eq!(foreseen(&now), [true]);
    assert_eq!(
        (&now["on_the_way"][0]["km"], minute(&now["on_the_way"][0]["arrives_at"])),
        (&json!(50.0), 94)
    );
    assert_eq!(minute(&now["on_the_way"][0]["leave_by"]), 60 - 84, "too late from the beginning");
    let board = items(&w.admin.get("/api/v1/clocks").await.ok());
    assert_eq!(board[0]["foreseen"], true);
    w.forward_minutes(2).await;

    // 5 km are 7 by road, 16 min 48 s: in time after all, as long as zhao.lei is off by 43:12.
    lives(&w, "zhao.lei", 5.0).await;
    take(&zhao, 1, 12, &json!({ "kind": "accepted" })).await;
    w.settle().await;
    let now = clocks(&w).await;
    assert_eq!(foreseen(&now), [true, false]);
    let zhaos = now["on_the_way"].as_array().unwrap().iter().find(|one| one["name"] == "zhao.lei").unwrap();
    assert_eq!(minute(&zhaos["leave_by"]), 43);
    w.forward_minutes(29).await;
    w.pager.expect("wang.min", &["50"]);
    w.forward_minutes(11).await;
    assert_eq!(foreseen(&clocks(&w).await), [true, false], "42 minutes after the report");
    w.forward_minutes(2).await;
    assert_eq!(foreseen(&clocks(&w).await), [true, false, true]);
    for person in ["wang.min", "li.wei", "zhao.lei"] {
        let page = w.pager.expect(person, &["#1001", "On site"]);
        assert!(page.word("/text").contains("zhao.lei") && page.word("/text").contains("5 "), "{page:?}");
    }
    let told = w.ticket(1001).await;
    let lines = told["events"].as_array().unwrap().iter().filter(|event| event["kind"] == "clock_foreseen");
    assert_eq!(lines.count(), 2);

    // Whoever is there is awaited no longer.
    let code = shown(&mut w, 0);
    take(&zhao, 1, 13, &json!({ "kind": "arrived", "evidence": [{ "kind": "gateway_code", "code": code }] }))
        .await;
    let now = clocks(&w).await;
    assert_eq!((&now["clocks"][0]["state"], &now["on_the_way"]), (&json!("met"), &json!([])));
    w.forward_minutes(30).await;
}

async fn work_that_waits_pauses_what_the_contract_lets_wait_once_somebody_agreed(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.person("wang.min", "technician", None).await;
    let promised = "[contract]\nid = \"HT-8\"\nname = \"Harbour\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n\
        [[consent]]\noperation = \"maintenance\"\nfrom = [\"customer\"]\n\
        [[clock]]\nname = \"restore\"\nstart = \"reported\"\nstop = \"restored\"\ntarget = \"4h\"\n\
        pauses = [{ reason = \"access\", approver = \"customer\" }]\n";
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    promise(&w.app, &text(&customers[0], "/id"), &w.site_id("North Gate"), promised, w.now()).await;
    let li = ticket(&mut w, 1001).await;
    plan(&w, &li, 1, 1001, "wang.min").await;
    let wang = w.as_person("wang.min").await;
    let last = async |w: &World, kind: &str| {
        let events = w.ticket(1001).await["events"].as_array().unwrap().clone();
        let of_kind = |event: &&Value| event["kind"] == kind;
        events.iter().rfind(of_kind).map(|event| event["body"].clone()).unwrap_or_default()
    };
    take(&wang, 1, 11, &json!({ "kind": "accepted" })).await;
    take(&wang, 1, 12, &json!({ "kind": "arrived" })).await;
    take(&wang, 1, 13, &json!({ "kind": "working" })).await;
    assert_eq!(
        last(&w, "fact").await["without_consent"],
        json!(["customer"]),
        "begun without the word of anybody"
    );

    // Nobody's word: the clock runs on, and the record says whose is missing.
    w.forward_minutes(10).await;
    take(&wang, 1, 14, &json!({ "kind": "paused", "reason": "access" })).await;
    assert_eq!(
        (&clock(&w, 1001).await["state"], last(&w, "visit").await["not_approved"].clone()),
        (&json!("running"), json!("customer"))
    );
    take(&wang, 1, 15, &json!({ "kind": "working" })).await;
    // With it the clock waits, for as long as the work does.
    w.forward_minutes(10).await;
    take(&wang, 1, 16, &json!({ "kind": "paused", "reason": "access", "who": "Ms Zhou" })).await;
    assert_eq!(clock(&w, 1001).await["state"], "paused");
    assert_eq!(last(&w, "fact").await["approved_by"], "Ms Zhou");
    w.forward_minutes(60).await;
    take(&wang, 1, 17, &json!({ "kind": "working", "who": "Ms Zhou" })).await;
    let now = clock(&w, 1001).await;
    assert_eq!((&now["state"], &now["paused_s"]), (&json!("running"), &json!(3600)));
    assert!((1200..1220).contains(&now["used_s"].as_i64().unwrap()), "{now}");
    // What the contract lets nobody wait for changes nothing.
    take(&wang, 1, 18, &json!({ "kind": "paused", "reason": "parts", "who": "Ms Zhou" })).await;
    assert_eq!(clock(&w, 1001).await["state"], "running");
    w.forward_minutes(5).await;
}
