//! What would happen is answered by the rule that does it: windows, remedies, quiet hours and limits count, and what was
//! foreseen is what happens. The command line says it in words that can be read aloud.

use axum::http::Method;
use serde_json::{Value, json};
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

use super::escalation::{Crew, account, person, step};

stories![
    a_window_to_come_is_waited_for,
    a_window_in_the_middle_stops_the_wait_as_it_will,
    a_window_that_the_fault_opens_and_one_for_a_visit,
    quiet_hours_and_limits_count,
    a_remedy_is_tried_first,
    what_hangs_off_a_trouble_that_stands_pages_nobody,
    the_command_line_says_it_in_words,
    the_command_line_says_who_is_on_duty,
];

const MINUTE: i64 = 60_000;

async fn ask(w: &World, fault: &str, when: &str) -> Value {
    let device = w.device_id("cam-3");
    w.admin.get(&format!("/api/v1/escalation/forecast?device_id={device}&fault={fault}&{when}")).await.ok()
}

/// Each thing foreseen: minutes after `from`, what, and who.
fn told(forecast: &Value, from: i64) -> Vec<(i64, String, String)> {
    let steps = forecast["steps"].as_array().cloned().unwrap_or_default();
    let one = |step: &Value| (step["at"].as_i64().unwrap() - from) / MINUTE;
    steps.iter().map(|step| (one(step), text(step, "/kind"), text(step, "/people/0/account"))).collect()
}

fn asked(minutes: i64, who: &str) -> (i64, String, String) {
    (minutes, "step_asked".to_owned(), who.to_owned())
}

async fn window(w: &World, kind: &str, from: i64, to: i64, length: Option<i64>) {
    let now = w.now().as_millisecond();
    let new = json!({ "site_id": w.site_id("North Gate"), "kind": kind, "starts_at": now + from * MINUTE,
        "ends_at": now + to * MINUTE, "length_ms": length.map(|length| length * MINUTE), "reason": "new fibre" });
    w.admin.post("/api/v1/maintenance", &new).await.ok();
}

async fn a_window_to_come_is_waited_for(engine: Engine) {
    let c = Crew::open(engine).await;
    c.plan(&json!({ "steps": [step(0, &[person(&c.li)]), step(10, &[person(&c.wang)])] })).await;
    let now = c.w.now().as_millisecond();
    window(&c.w, "fixed", 60, 120, None).await;
    window(&c.w, "fixed", 110, 150, None).await;
    let at = now + 90 * MINUTE;
    let foreseen = ask(&c.w, "unreachable", &format!("at={at}")).await;
    assert_eq!(foreseen["begins_at"], now + 150 * MINUTE, "one window ends when the next runs");
    assert_eq!(told(&foreseen, now), [asked(150, "li.wei"), asked(160, "wang.min")]);
    let why = &foreseen["withheld"][0];
    assert_eq!((text(why, "/reason"), text(why, "/detail")), ("maintenance".into(), "new fibre".into()));
    assert_eq!((&why["from"], &why["until"]), (&json!(now + 60 * MINUTE), &json!(now + 120 * MINUTE)));
    // By the clock at the site, whatever the clock of whoever asks; and before the windows nothing waits.
    let foreseen = ask(&c.w, "unreachable", "local=2026-11-19T03:20").await;
    assert_eq!((&foreseen["at"], &foreseen["begins_at"]), (&foreseen["begins_at"], &foreseen["at"]));
    assert_eq!(foreseen["withheld"], json!([]));
    let path = format!(
        "/api/v1/escalation/forecast?device_id={}&fault=unreachable&local=soon",
        c.w.device_id("cam-3")
    );
    assert_eq!(c.w.admin.get(&path).await.status, 400);
}

async fn a_window_in_the_middle_stops_the_wait_as_it_will(engine: Engine) {
    let mut c = Crew::open(engine).await;
    c.plan(&json!({ "steps": [step(0, &[person(&c.li)]), step(20, &[person(&c.wang)])] })).await;
    window(&c.w, "fixed", 10, 40, None).await;
    c.camera_dies().await;
    c.w.pager.expect("li.wei", &["#1001"]);
    let opened = c.w.ticket(1001).await["opened_at"].as_i64().unwrap();
    let foreseen = ask(&c.w, "unreachable", &format!("at={opened}")).await;
    let expected = told(&foreseen, opened);
    assert_eq!(expected, [asked(0, "li.wei"), asked(50, "wang.min")]);
    c.w.forward_minutes(60).await;
    c.w.pager.expect("wang.min", &["#1001"]);
    let ticket = c.w.ticket(1001).await;
    let happened: Vec<i64> = ticket["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "step_asked")
        .map(|event| event["occurred_at"].as_i64().unwrap())
        .collect();
    for (step, at) in foreseen["steps"].as_array().unwrap().iter().zip(happened) {
        let apart = (step["at"].as_i64().unwrap() - at).abs();
        assert!(apart <= 10_000, "foreseen and done {apart} ms apart");
    }
}

async fn a_window_that_the_fault_opens_and_one_for_a_visit(engine: Engine) {
    let c = Crew::open(engine).await;
    let now = c.w.now().as_millisecond();
    window(&c.w, "flexible", 0, 600, Some(45)).await;
    window(&c.w, "visit", 0, 600, Some(120)).await;
    let foreseen = ask(&c.w, "unreachable", &format!("at={}", now + 30 * MINUTE)).await;
    assert_eq!(told(&foreseen, now), [asked(75, "li.wei")], "nobody knows whether somebody arrives");
    assert_eq!(foreseen["withheld"].as_array().map(Vec::len), Some(1));
}

async fn quiet_hours_and_limits_count(engine: Engine) {
    let c = Crew::open(engine).await;
    let steps = [step(0, &[person(&c.li)])];
    c.plan(&json!({ "steps": steps, "rounds": 3, "round_every_s": 900 })).await;
    let path = format!("/api/v1/users/{}/contacts", c.li);
    let id = text(&items(&c.w.admin.get(&path).await.ok())[0], "/id");
    let wish = async |wish: Value| {
        c.w.admin.send(Method::PATCH, &format!("{path}/{id}"), Some(&wish)).await.ok();
    };
    wish(json!({ "quiet_from": 1320, "quiet_to": 420, "zone": "Asia/Shanghai" })).await;
    let night = "local=2026-11-20T03:00";
    let seven: jiff::Timestamp = "2026-11-19T23:00:00Z".parse().unwrap();
    let major = ask(&c.w, "http_status", night).await;
    assert_eq!(
        major["steps"][0]["people"][0]["waits"],
        json!([{ "channel": "webhook", "reason": "quiet", "until": seven.as_millisecond() }])
    );
    let critical = ask(&c.w, "unreachable", night).await;
    assert_eq!(critical["steps"][0]["people"][0]["waits"], json!([]), "critical trouble passes them");

    wish(json!({ "quiet_from": null, "quiet_to": null, "limit_pages": 2, "limit_minutes": 60 })).await;
    let limited = ask(&c.w, "unreachable", night).await;
    let waits: Vec<Value> =
        (0..3).map(|round| limited["steps"][round]["people"][0]["waits"].clone()).collect();
    let free = limited["at"].as_i64().unwrap() + 60 * MINUTE;
    assert_eq!((&waits[0], &waits[1]), (&json!([]), &json!([])));
    assert_eq!(waits[2], json!([{ "channel": "webhook", "reason": "limit", "until": free }]));
}

async fn what_hangs_off_a_trouble_that_stands_pages_nobody(engine: Engine) {
    let mut c = Crew::open(engine).await;
    c.w.device("North Gate", "cam-4").await;
    let (switch, camera) = (c.w.device_id("cam-3"), c.w.device_id("cam-4"));
    let hangs = json!({ "parents": [{ "device_id": switch }] });
    c.w.admin.send(Method::PATCH, &format!("/api/v1/devices/{camera}"), Some(&hangs)).await.ok();
    let path = |fault: &str, at: i64| {
        format!("/api/v1/escalation/forecast?device_id={camera}&fault={fault}&at={at}")
    };
    let now = c.w.now().as_millisecond();
    let before = c.w.admin.get(&path("unreachable", now)).await.ok();
    assert_eq!(told(&before, now), [asked(0, "li.wei")], "its parent works, so it is a trouble of its own");
    c.camera_dies().await;
    c.w.pager.expect("li.wei", &["#1001"]);
    let at = c.w.now().as_millisecond() + 10 * MINUTE;
    let under = c.w.admin.get(&path("unreachable", at)).await.ok();
    assert_eq!((&under["steps"], &under["reaches_somebody"]), (&json!([]), &json!(true)));
    let why = &under["withheld"][0];
    assert_eq!((text(why, "/reason"), text(why, "/detail")), ("under".into(), "cam-3".into()));
    assert_eq!(why["ticket"], 1001, "whoever asks is led to the ticket that stands");
    let told_itself = c.w.admin.get(&path("tls_expired", at)).await.ok();
    assert_ne!(told_itself["withheld"][0]["reason"], "under", "what it says of itself is its own trouble");
}

async fn a_remedy_is_tried_first(engine: Engine) {
    let w = super::remedy::site_with_poe(engine).await;
    let site = w.site_id("North Gate");
    let rule = json!({ "class": "camera", "kind": "poe_cycle", "automatic": true, "codes": ["unreachable"],
        "daily_limit": 2, "wait_s": 240, "days_limit": 3 });
    let allowed =
        json!({ "enabled": true, "consent": "none", "from_minute": 0, "to_minute": 0, "rules": [rule] });
    w.admin.put(&format!("/api/v1/sites/{site}/remedies"), &allowed).await.ok();
    let device = w.device_id("cam-7");
    let now = w.now().as_millisecond();
    let path = format!("/api/v1/escalation/forecast?device_id={device}&fault=unreachable&at={now}");
    let foreseen = w.admin.get(&path).await.ok();
    assert_eq!(told(&foreseen, now), [asked(4, "li.wei")]);
    let why = &foreseen["withheld"][0];
    assert_eq!((text(why, "/reason"), text(why, "/detail")), ("remedy".into(), "poe_cycle".into()));
    let other = w.admin.get(&path.replace("unreachable", "http_status")).await.ok();
    assert_eq!(told(&other, now), [asked(0, "li.wei")]);
}

async fn the_command_line_says_it_in_words(engine: Engine) {
    let c = Crew::open(engine).await;
    c.name("manager", &c.zhao).await;
    let by_day = json!({ "days": [1, 2, 3, 4, 5], "from": "08:30", "to": "18:00" });
    let steps =
        json!([{ "targets": [person(&c.li)], "when": { "hours": by_day } }, step(5, &[person(&c.wang)])]);
    c.plan(&json!({ "steps": steps, "answer_s": 900 })).await;
    let starts: jiff::Timestamp = "2026-11-28T18:00:00Z".parse().unwrap();
    let new = json!({ "site_id": c.w.site_id("North Gate"), "kind": "fixed", "starts_at": starts.as_millisecond(),
        "ends_at": starts.as_millisecond() + 90 * MINUTE, "reason": "new fibre" });
    c.w.admin.post("/api/v1/maintenance", &new).await.ok();
    let path = format!("/api/v1/users/{}/contacts", c.wang);
    let id = text(&items(&c.w.admin.get(&path).await.ok())[0], "/id");
    let quiet = json!({ "quiet_from": 1320, "quiet_to": 420, "zone": "Asia/Shanghai" });
    c.w.admin.send(Method::PATCH, &format!("{path}/{id}"), Some(&quiet)).await.ok();
    let device = c.w.device_id("cam-3");
    let ask = ["page", "what-if", "--device", &device, "--fault", "http_status", "--at", "2026-11-29T03:00"];
    let told = c.w.sitewarden(&ask);
    assert_eq!(
        told.trim_end(),
        "cam-3 at North Gate: Web service reports an error (http_status, major)\n\
         confirmed on Sun 2026-11-29 03:00 (Asia/Shanghai)\n\
         plan: Everyday\n\
         nobody is paged: maintenance from Sun 2026-11-29 02:00 until Sun 2026-11-29 03:30 (new fibre)\n\
         if it still stands on Sun 2026-11-29 03:30, people are paged:\n\
         \n\
         Sun 2026-11-29 03:30  step 1 of 2 is passed over, because of its condition on hours\n\
         Sun 2026-11-29 03:30  step 2 of 2 asks\n                        \
         wang.min (named by the plan): webhook only on Sun 2026-11-29 07:00 (quiet hours); in English\n\
         Sun 2026-11-29 03:45  nobody has answered, the manager is asked\n                        \
         zhao.lei (manager): webhook; in English\n\
         Sun 2026-11-29 04:00  nobody has answered, and there is nobody left to ask",
    );
    let json: Value = serde_json::from_str(&c.w.sitewarden(&[&ask[..], &["--json"]].concat())).unwrap();
    assert_eq!(json["steps"].as_array().map(Vec::len), Some(4));
    let minor =
        ["page", "what-if", "--device", &device, "--fault", "tls_expiring", "--at", "2026-11-29T12:00"];
    assert!(c.w.sitewarden(&minor).ends_with("Nobody would be paged.\n"));
    let wrong = c.w.sitewarden(&["page", "what-if", "--device", "cam-3", "--fault", "unreachable"]);
    assert!(wrong.contains("there is no device `cam-3`"), "{wrong}");
}

async fn the_command_line_says_who_is_on_duty(engine: Engine) {
    let c = Crew::open(engine).await;
    let team = json!({ "name": "City crew", "members": [c.wang, c.zhao] });
    let team = text(&c.w.admin.post("/api/v1/teams", &team).await.ok(), "/id");
    let layer = json!({ "name": "First line", "handover": "08:00", "start": "2026-11-18",
        "every": { "unit": "day", "count": 1 }, "order": [[c.wang], [c.zhao]] });
    let new =
        json!({ "team_id": team, "name": "City", "plan": { "zone": "Asia/Shanghai", "layers": [layer] } });
    let rota = text(&c.w.admin.post("/api/v1/rotas", &new).await.ok(), "/id");
    let nine: jiff::Timestamp = "2026-11-21T01:00:00Z".parse().unwrap();
    let away = json!({ "out_id": c.zhao, "from_at": nine.as_millisecond(),
        "to_at": nine.as_millisecond() + 60 * MINUTE, "reason": "ill" });
    c.w.admin.post(&format!("/api/v1/rotas/{rota}/overrides"), &away).await.ok();
    let who = c.w.sitewarden(&["rota", "who", "--at", "2026-11-20T12:00"]);
    assert_eq!(who, "City · City crew\n  wang.min (First line) until Sat 2026-11-21 08:00\n");
    let show = c.w.sitewarden(&[
        "rota",
        "show",
        "--name",
        "City",
        "--from",
        "2026-11-20T12:00",
        "--to",
        "2026-11-22T08:00",
    ]);
    assert_eq!(
        show,
        "City · City crew (Asia/Shanghai)\n\
         Fri 2026-11-20 08:00 – Sat 2026-11-21 08:00  wang.min (First line)\n\
         Sat 2026-11-21 08:00 – Sat 2026-11-21 09:00  zhao.lei (First line)\n\
         Sat 2026-11-21 09:00 – Sat 2026-11-21 10:00  NOBODY (First line: let out, and nobody stands in)\n\
         Sat 2026-11-21 10:00 – Sun 2026-11-22 08:00  zhao.lei (First line)\n",
    );
    let at = account(&c.w, "li.wei").await;
    let wrong = c.w.sitewarden(&["rota", "who", "--id", &at]);
    assert!(wrong.contains("there is no rota"), "{wrong}");
}
