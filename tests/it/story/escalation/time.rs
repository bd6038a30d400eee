//! Escalations while time does odd things: a hold in the middle, a rota that hands over, a foresight that comes true.

use jiff::SignedDuration;
use serde_json::json;
use sitewarden_server::ticket::Hold;
use sitewarden_server::ticket::store::hold;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::text;

use super::{Crew, person, step};

stories![
    a_hold_in_the_middle_stops_the_clock,
    the_next_step_asks_whoever_is_on_duty_then,
    whoever_comes_on_duty_after_the_last_step_is_told_once,
    two_people_on_one_shift_are_both_asked_and_a_gap_costs_no_time,
    what_was_foreseen_happens,
];

async fn a_hold_in_the_middle_stops_the_clock(engine: Engine) {
    let mut c = Crew::open(engine).await;
    c.plan(&json!({ "steps": [step(0, &[person(&c.li)]), step(10, &[person(&c.wang)])] })).await;
    c.camera_dies().await;
    c.w.pager.expect("li.wei", &["#1001"]);
    let id = text(&c.w.tickets().await[0], "/id");
    let mut tx = c.w.app.db.write().await.unwrap();
    let until = c.w.now() + SignedDuration::from_mins(60);
    hold::hold(&mut tx, &id, Hold::Cause, &json!({}), Some(until), c.w.now()).await.unwrap();
    tx.commit().await.unwrap();
    c.w.forward_minutes(30).await;
    assert_eq!(c.w.ticket(1001).await["next_at"], json!(null), "nothing comes while it is held");
    c.w.restart_server().await;
    c.w.forward_minutes(32).await;
    c.w.pager.expect_nothing_else();
    c.w.forward_minutes(8).await;
    c.w.pager.expect("wang.min", &["#1001"]);
}

async fn daily(c: &Crew, handover: &str) -> String {
    let team = json!({ "name": "City crew", "members": [c.wang, c.zhao] });
    let team = text(&c.w.admin.post("/api/v1/teams", &team).await.ok(), "/id");
    let layer = json!({ "name": "First line", "handover": handover, "start": "2026-11-18",
        "every": { "unit": "day", "count": 1 }, "order": [[c.wang], [c.zhao]] });
    let plan = json!({ "zone": "Asia/Shanghai", "layers": [layer] });
    let new = json!({ "team_id": team, "name": "City", "plan": plan });
    text(&c.w.admin.post("/api/v1/rotas", &new).await.ok(), "/id")
}

async fn the_next_step_asks_whoever_is_on_duty_then(engine: Engine) {
    let mut c = Crew::open(engine).await;
    let rota = daily(&c, "03:20").await;
    let on = json!({ "kind": "rota", "rota_id": rota });
    c.plan(&json!({ "steps": [step(0, std::slice::from_ref(&on)), step(30, &[on])] })).await;
    c.camera_dies().await;
    c.w.pager.expect("wang.min", &["#1001"]);
    assert_eq!(text(&c.w.ticket(1001).await, "/next_who"), "zhao.lei", "the shift ends before");
    c.w.forward_minutes(25).await;
    c.w.pager.expect_nothing_else();
    c.w.forward_minutes(5).await;
    c.w.pager.expect("zhao.lei", &["#1001"]);
    c.w.forward_minutes(30).await;
}

async fn whoever_comes_on_duty_after_the_last_step_is_told_once(engine: Engine) {
    let mut c = Crew::open(engine).await;
    let rota = daily(&c, "03:20").await;
    c.plan(&json!({ "steps": [step(0, &[json!({ "kind": "rota", "rota_id": rota, "layer": 0 })])] })).await;
    c.camera_dies().await;
    c.w.pager.expect("wang.min", &["#1001"]);
    c.w.forward_minutes(20).await;
    c.w.pager.expect("zhao.lei", &["#1001"]);
    c.w.forward_minutes(60).await;
}

async fn two_people_on_one_shift_are_both_asked_and_a_gap_costs_no_time(engine: Engine) {
    let mut c = Crew::open(engine).await;
    let team = json!({ "name": "City crew", "members": [c.wang, c.zhao] });
    let team = text(&c.w.admin.post("/api/v1/teams", &team).await.ok(), "/id");
    let layer = json!({ "name": "First line", "handover": "08:00", "start": "2026-11-18",
        "every": { "unit": "day", "count": 1 }, "order": [[c.wang, c.zhao]] });
    let new =
        json!({ "team_id": team, "name": "City", "plan": { "zone": "Asia/Shanghai", "layers": [layer] } });
    let rota = text(&c.w.admin.post("/api/v1/rotas", &new).await.ok(), "/id");
    let on = json!({ "kind": "rota", "rota_id": rota });
    c.plan(&json!({ "steps": [step(0, &[on]), step(30, &[person(&c.li)])] })).await;
    c.camera_dies().await;
    c.w.pager.expect("wang.min", &["#1001"]);
    c.w.pager.expect("zhao.lei", &["#1001"]);
    c.w.as_person("zhao.lei").await.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();

    // Both are let out: the next trouble falls into the gap and goes on to the next step at once.
    let (from, to) = (c.w.now().as_millisecond(), c.w.now().as_millisecond() + 3_600_000);
    for out in [&c.wang, &c.zhao] {
        let away = json!({ "out_id": out, "from_at": from, "to_at": to, "reason": "training" });
        c.w.admin.post(&format!("/api/v1/rotas/{rota}/overrides"), &away).await.ok();
    }
    c.w.device("North Gate", "cam-4").await;
    c.w.device_goes_down("cam-4");
    c.w.forward_minutes(3).await;
    c.w.pager.expect("li.wei", &["#1002"]);
    assert_eq!(c.w.story(1002).await[2..4], ["step_empty", "step_asked"]);
}

async fn what_was_foreseen_happens(engine: Engine) {
    let mut c = Crew::open(engine).await;
    c.name("manager", &c.zhao).await;
    let rota = daily(&c, "03:20").await;
    let steps = [step(0, &[person(&c.li)]), step(20, &[json!({ "kind": "rota", "rota_id": rota })])];
    c.plan(&json!({ "steps": steps, "answer_s": 600 })).await;
    let device = c.w.device_id("cam-3");
    let ask = format!("/api/v1/escalation/forecast?device_id={device}&fault=unreachable");
    let foreseen = c.w.as_person("li.wei").await.get(&ask).await.ok();
    let told: Vec<(String, String)> = foreseen["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (text(one, "/kind"), text(one, "/people/0/account")))
        .collect();
    let expected = [
        ("step_asked", "li.wei"),
        ("step_asked", "zhao.lei"),
        ("manager_asked", "zhao.lei"),
        ("nobody_left", ""),
    ];
    assert_eq!(told, expected.map(|(kind, who)| (kind.to_owned(), who.to_owned())));
    assert_eq!(foreseen["plan"], "Everyday");
    c.w.pager.expect_nothing_else();
    c.camera_dies().await;
    c.w.pager.expect("li.wei", &["#1001"]);
    c.w.forward_minutes(20).await;
    c.w.pager.expect("zhao.lei", &["#1001"]);
    c.w.forward_minutes(10).await;
    c.w.pager.expect("zhao.lei", &["#1001"]);
    c.w.forward_minutes(30).await;
    let kinds = c.w.story(1001).await;
    let asked: Vec<&str> = kinds
        .iter()
        .map(String::as_str)
        .filter(|kind| kind.ends_with("asked") || *kind == "nobody_left")
        .collect();
    assert_eq!(asked, expected.map(|(kind, _)| kind), "the same rule did it");
    let minor =
        c.w.admin
            .get(&format!("/api/v1/escalation/forecast?device_id={device}&fault=tls_expiring"))
            .await
            .ok();
    assert_eq!((text(&minor, "/withheld/0/reason"), &minor["steps"]), ("minor".into(), &json!([])));
}
