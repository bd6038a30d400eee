//! A step whose people cannot be reached is not waited for; experts who owe measures are not waited for either.

use serde_json::json;
use sitewarden_server::user::store::contact;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::text;

use super::{Crew, person, step};

stories![
    who_cannot_be_reached_is_not_waited_for,
    a_step_of_two_waits_for_the_one_who_was_reached,
    a_plan_without_anybody_further_goes_to_the_duty_list,
    experts_who_do_not_begin_are_the_managers_to_know,
    experts_who_have_begun_are_not_late,
];

async fn who_cannot_be_reached_is_not_waited_for(engine: Engine) {
    let mut c = Crew::open(engine).await;
    // li.wei is on the general duty list too: it is the plan's next step that is asked.
    c.plan(&json!({ "steps": [step(0, &[person(&c.wang)]), step(240, &[person(&c.zhao)])] })).await;
    c.w.pager.refuse_for("wang.min", true);
    c.camera_dies().await;
    c.w.forward_minutes(15).await;
    c.w.pager.expect_nothing_else();
    c.w.restart_server().await;
    c.w.forward_minutes(15).await;
    c.w.pager.expect("zhao.lei", &["#1001"]);
    let story = ["opened", "escalated", "step_asked", "page_queued", "page_failed", "not_reached"];
    let then = ["step_asked", "page_queued", "page_sent"];
    assert_eq!(c.w.story(1001).await, [&story[..], &then].concat());
    // The one who could not be reached is still tried, and the step is not asked a second time.
    c.w.pager.refuse_for("wang.min", false);
    c.w.pass_hours(1).await;
    c.w.pager.expect("wang.min", &["#1001"]);
    c.w.pass_hours(4).await;
}

async fn a_step_of_two_waits_for_the_one_who_was_reached(engine: Engine) {
    let mut c = Crew::open(engine).await;
    let both = [person(&c.wang), person(&c.zhao)];
    let sun = c.w.person("sun.hao", "technician", None).await;
    c.plan(&json!({ "steps": [step(0, &both), step(60, &[person(&sun)])] })).await;
    c.w.pager.refuse_for("wang.min", true);
    c.camera_dies().await;
    c.w.pager.expect("zhao.lei", &["#1001"]);
    c.w.forward_minutes(50).await;
    c.w.pager.expect_nothing_else();
    c.w.forward_minutes(10).await;
    c.w.pager.expect("sun.hao", &["#1001"]);
}

async fn a_plan_without_anybody_further_goes_to_the_duty_list(engine: Engine) {
    let mut c = Crew::open(engine).await;
    c.plan(&json!({ "steps": [step(0, &[person(&c.wang)])] })).await;
    c.w.pager.refuse_for("wang.min", true);
    c.camera_dies().await;
    c.w.forward_minutes(27).await;
    c.w.pager.expect("li.wei", &["#1001"]);
}

async fn experts_who_do_not_begin_are_the_managers_to_know(engine: Engine) {
    let mut c = Crew::open(engine).await;
    c.name("expert", &c.zhao).await;
    c.name("manager", &c.wang).await;
    c.camera_dies().await;
    c.w.pager.expect("li.wei", &["#1001"]);
    let li = c.w.as_person("li.wei").await;
    li.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    li.post("/api/v1/tickets/1001/experts", &json!({ "reason": "the array is lost" })).await.ok();
    c.w.pass_hours(3).await;
    c.w.forward_minutes(55).await;
    c.w.pager.expect("zhao.lei", &["#1001"]);
    c.w.pager.expect_nothing_else();
    c.w.restart_server().await;
    c.w.forward_minutes(6).await;
    c.w.pager.expect("wang.min", &["#1001"]);
    let ticket = c.w.ticket(1001).await;
    let late: Vec<String> = ticket["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|event| event["kind"] == "experts_late")
        .map(|event| text(event, "/body/people/0"))
        .collect();
    assert_eq!(late, ["wang.min"]);
    assert_eq!(ticket["acked_by"], "li.wei", "whoever has the ticket keeps it");
    c.w.pass_hours(1).await;
    c.w.pager.expect_nothing_else();

    // The manager has no way any more: the administrators are next in line, once the panel is called again.
    c.reach_administrator().await;
    let mut tx = c.w.app.db.write().await.unwrap();
    let (address, now) = (c.w.pager.address("wang.min"), c.w.now());
    assert!(contact::set_gone(&mut tx, &c.wang, "webhook", &address, "gone", now).await.unwrap());
    tx.commit().await.unwrap();
    let li = c.w.as_person("li.wei").await;
    li.post("/api/v1/tickets/1001/experts", &json!({ "reason": "it is lost again" })).await.ok();
    c.w.pass_hours(5).await;
    c.w.pager.expect("zhao.lei", &["#1001"]);
    c.w.pager.expect("chen.yu", &["#1001"]);
}

async fn experts_who_have_begun_are_not_late(engine: Engine) {
    let mut c = Crew::open(engine).await;
    c.name("expert", &c.zhao).await;
    c.name("manager", &c.wang).await;
    c.camera_dies().await;
    c.w.pager.expect("li.wei", &["#1001"]);
    let li = c.w.as_person("li.wei").await;
    li.post("/api/v1/tickets/1001/experts", &json!({ "reason": "the array is lost" })).await.ok();
    c.w.forward_minutes(5).await;
    c.w.pager.expect("zhao.lei", &["#1001"]);
    let zhao = c.w.as_person("zhao.lei").await;
    zhao.post("/api/v1/tickets/1001/note", &json!({ "text": "rebuilding it from the spare" })).await.ok();
    let owed = c.w.ticket(1001).await["escalation"]["experts_until"].as_i64().unwrap();
    assert!(owed > c.w.now().as_millisecond());
    c.w.pass_hours(5).await;
    assert_eq!(c.w.ticket(1001).await["escalation"]["experts_until"], json!(null));
}
