//! What people do with an escalation: take and fall silent, hand back, take over, hand on, call the experts.

use serde_json::json;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::text;

use super::{Crew, person, step};

stories![
    whoever_takes_it_and_is_silent_is_asked_again_and_then_it_goes_on,
    a_ticket_handed_back_goes_to_the_next_step_at_once,
    another_takes_it_over,
    it_is_handed_on_to_a_person_and_to_a_plan,
    the_experts_are_called_and_owe_measures,
];

async fn whoever_takes_it_and_is_silent_is_asked_again_and_then_it_goes_on(engine: Engine) {
    let mut c = Crew::open(engine).await;
    let steps = [step(0, &[person(&c.li)]), step(10, &[person(&c.wang)])];
    c.plan(&json!({ "steps": steps, "ack_s": 1800 })).await;
    c.camera_dies().await;
    c.w.pager.expect("li.wei", &["#1001"]);
    let li = c.w.as_person("li.wei").await;
    li.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    c.w.forward_minutes(20).await;
    li.post("/api/v1/tickets/1001/note", &json!({ "text": "on my way" })).await.ok();
    c.w.forward_minutes(29).await;
    c.w.pager.expect_nothing_else();
    c.w.forward_minutes(2).await;
    c.w.pager.expect("li.wei", &["#1001"]);
    assert_eq!(c.phase().await, "reminded");
    c.w.forward_minutes(28).await;
    c.w.pager.expect_nothing_else();
    c.w.forward_minutes(3).await;
    c.w.pager.expect("wang.min", &["#1001"]);
    let ticket = c.w.ticket(1001).await;
    assert_eq!((&ticket["state"], &ticket["acked_by"]), (&json!("open"), &json!(null)));
    c.w.forward_minutes(60).await;
}

async fn a_ticket_handed_back_goes_to_the_next_step_at_once(engine: Engine) {
    let mut c = Crew::open(engine).await;
    let steps = [step(0, &[person(&c.li)]), step(60, &[person(&c.wang)])];
    c.plan(&json!({ "steps": steps })).await;
    c.camera_dies().await;
    c.w.pager.expect("li.wei", &["#1001"]);
    let li = c.w.as_person("li.wei").await;
    let back = json!({ "reason": "no key to the mast" });
    assert_eq!(li.post("/api/v1/tickets/1001/hand-back", &back).await.status, 409, "nobody has it");
    li.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    c.w.forward_minutes(5).await;
    li.post("/api/v1/tickets/1001/hand-back", &back).await.ok();
    c.w.forward_minutes(1).await;
    c.w.pager.expect("wang.min", &["#1001"]);
    // The last step was handed back too: everybody is asked anew.
    let wang = c.w.as_person("wang.min").await;
    wang.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    wang.post("/api/v1/tickets/1001/hand-back", &back).await.ok();
    c.w.forward_minutes(1).await;
    c.w.pager.expect("li.wei", &["#1001"]);
    c.w.as_person("li.wei").await.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    c.w.forward_minutes(90).await;
}

async fn another_takes_it_over(engine: Engine) {
    let mut c = Crew::open(engine).await;
    c.camera_dies().await;
    c.w.pager.expect("li.wei", &["#1001"]);
    c.w.as_person("li.wei").await.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    c.w.as_person("wang.min").await.post("/api/v1/tickets/1001/take-over", &json!({})).await.ok();
    assert_eq!(c.w.ticket(1001).await["acked_by"], "wang.min");
    assert_eq!(c.w.story(1001).await.last().unwrap(), "taken_over");
    c.w.forward_minutes(30).await;
}

async fn it_is_handed_on_to_a_person_and_to_a_plan(engine: Engine) {
    let mut c = Crew::open(engine).await;
    let plan =
        c.plan(&json!({ "when": { "severities": ["major"] }, "steps": [step(0, &[person(&c.zhao)])] })).await;
    c.camera_dies().await;
    c.w.pager.expect("li.wei", &["#1001"]);
    let li = c.w.as_person("li.wei").await;
    li.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    let to = json!({ "account_id": c.wang, "reason": "he lives next door" });
    li.post("/api/v1/tickets/1001/reroute", &to).await.ok();
    c.w.forward_minutes(1).await;
    c.w.pager.expect("wang.min", &["#1001"]);
    assert_eq!(c.w.ticket(1001).await["state"], "open", "until he takes it, nobody has it");
    let to = json!({ "plan_id": plan, "reason": "a case for the fibre people" });
    li.post("/api/v1/tickets/1001/reroute", &to).await.ok();
    c.w.forward_minutes(1).await;
    c.w.pager.expect("zhao.lei", &["#1001"]);
    let both = json!({ "plan_id": plan, "account_id": c.wang, "reason": "x" });
    assert_eq!(li.post("/api/v1/tickets/1001/reroute", &both).await.status, 400);
    c.w.forward_minutes(60).await;
    assert_eq!(c.phase().await, "rest");
}

async fn the_experts_are_called_and_owe_measures(engine: Engine) {
    let mut c = Crew::open(engine).await;
    c.camera_dies().await;
    c.w.pager.expect("li.wei", &["#1001"]);
    let li = c.w.as_person("li.wei").await;
    let why = json!({ "reason": "the recorder loses its array at every restart" });
    assert_eq!(li.post("/api/v1/tickets/1001/experts", &why).await.status, 409, "there is no panel yet");
    c.name("expert", &c.zhao).await;
    li.post("/api/v1/tickets/1001/experts", &why).await.ok();
    c.w.forward_minutes(1).await;
    c.w.pager.expect("zhao.lei", &["#1001"]);
    let ticket = c.w.ticket(1001).await;
    let owed = ticket["escalation"]["experts_until"].as_i64().unwrap() - c.w.now().as_millisecond();
    assert!((14_300_000..=14_400_000).contains(&owed), "four hours: {owed}");
    let called = ticket["events"].as_array().unwrap().iter().find(|event| event["kind"] == "experts_called");
    assert_eq!(text(called.unwrap(), "/body/people/0"), "zhao.lei");
}
