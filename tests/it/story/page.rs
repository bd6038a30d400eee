//! Pages that do not get through, senders that die, people who come on duty late.

use serde_json::json;
use sitewarden_proto::wire::CommandResult;
use sitewarden_proto::wire::command_result::Status;
use sitewarden_server::gateway::command;
use sitewarden_server::page::store::send as store;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::World;

stories![
    a_sender_that_died_is_followed_by_another_and_the_page_says_so,
    whoever_comes_on_duty_is_told_once_of_what_nobody_has_taken,
    a_page_that_does_not_get_through_goes_to_others_and_is_still_tried,
    a_page_that_reaches_nobody_is_on_the_record,
    a_page_refused_while_its_ticket_closes_is_on_the_record,
    a_command_whose_gateway_left_ends,
];

async fn down(engine: Engine) -> World {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.device_goes_down("cam-3");
    w
}

async fn a_sender_that_died_is_followed_by_another_and_the_page_says_so(engine: Engine) {
    let mut w = down(engine).await;
    w.pager.refuse(true);
    w.forward_minutes(3).await;
    // The one that holds it now is never heard of again.
    let mut tx = w.app.db.write().await.unwrap();
    let soon = w.now() + jiff::SignedDuration::from_mins(10);
    let held = store::claim(&mut tx, w.app.db.engine(), soon, 32).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(held.len(), 1);
    w.pager.refuse(false);
    w.forward_minutes(10).await;
    w.pager.expect_nothing_else();
    w.forward_minutes(2).await;
    let page = w.pager.expect("li.wei", &["#1001"]);
    assert_eq!((page.word("/repeat"), page.word("/key")), ("true".to_owned(), held[0].idem_key.clone()));
}

async fn whoever_comes_on_duty_is_told_once_of_what_nobody_has_taken(engine: Engine) {
    let mut w = down(engine).await;
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001"]);
    w.person("wang.min", "technician", None).await;
    w.forward_minutes(1).await;
    w.duty("wang.min", None).await;
    w.forward_minutes(10).await;
    w.pager.expect("wang.min", &["#1001", "cam-3"]);
    w.pager.expect_nothing_else();
    w.restart_server().await;
    w.forward_minutes(1).await;
    w.pager.expect_nothing_else();

    w.as_person("wang.min").await.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    w.person("zhao.lei", "technician", None).await;
    w.duty("zhao.lei", None).await;
    w.forward_minutes(3).await;
    w.pager.expect_nothing_else();
}

async fn a_page_that_does_not_get_through_goes_to_others_and_is_still_tried(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.person("wang.min", "technician", None).await;
    w.duty("wang.min", Some("North Gate")).await;
    w.device("North Gate", "cam-3").await;
    w.pager.refuse_for("wang.min", true);
    w.device_goes_down("cam-3");
    w.forward_minutes(18).await;
    w.pager.expect_nothing_else();
    w.forward_minutes(12).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
    let story = ["opened", "page_queued", "page_failed", "page_queued", "page_sent"];
    assert_eq!(w.story(1001).await, story, "after ten attempts the general duty is told");
    w.pager.refuse_for("wang.min", false);
    w.forward_minutes(40).await;
    w.pager.expect("wang.min", &["#1001", "cam-3"]);
}

async fn a_page_that_reaches_nobody_is_on_the_record(engine: Engine) {
    let mut w = down(engine).await;
    w.pager.refuse(true);
    w.forward_minutes(30).await;
    assert_eq!(w.story(1001).await, ["opened", "page_queued", "page_failed", "nobody_to_page"]);
    assert_eq!(w.ticket(1001).await["pages"][0]["state"], "queued", "it is tried for a day more");
    let mut tx = w.app.db.write().await.unwrap();
    sqlx::query("UPDATE page SET attempts = 57").execute(&mut *tx).await.unwrap();
    tx.commit().await.unwrap();
    w.forward_minutes(40).await;
    let page = w.ticket(1001).await["pages"][0].clone();
    assert_eq!((&page["state"], &page["attempts"]), (&json!("failed"), &json!(58)));
    w.pager.refuse(false);
    w.forward_minutes(60).await;
    w.pager.expect_nothing_else();
}

async fn a_page_refused_while_its_ticket_closes_is_on_the_record(engine: Engine) {
    let mut w = down(engine).await;
    w.pager.refuse(true);
    w.forward_minutes(3).await;
    let mut tx = w.app.db.write().await.unwrap();
    let soon = w.now() + jiff::SignedDuration::from_mins(10);
    let held = store::claim(&mut tx, w.app.db.engine(), soon, 32).await.unwrap();
    tx.commit().await.unwrap();
    w.admin.post("/api/v1/tickets/1001/close", &json!({ "reason": "the mast is being moved" })).await.ok();
    assert_eq!(w.story(1001).await, ["opened", "page_queued", "closed"], "it is on its way");
    // Its sender is gone; the next attempt is refused, and that is the end of it.
    w.forward_minutes(15).await;
    assert_eq!(w.story(1001).await, ["opened", "page_queued", "closed", "not_paged"]);
    assert_eq!(held.len(), 1);
}

async fn a_command_whose_gateway_left_ends(engine: Engine) {
    let mut w = World::usual(engine).await;
    let device = w.device("North Gate", "cam-3").await;
    w.cut("North Gate").await;
    let sent = w.admin.post(&format!("/api/v1/devices/{device}/probe"), &json!({})).await.ok();
    let id = sent["command_id"].as_str().unwrap().to_owned();
    let running =
        CommandResult { command_id: id.clone(), status: Status::Running.into(), ..CommandResult::default() };
    let gateway = w.gateway_mut("North Gate").id.clone();
    let mut tx = w.app.db.write().await.unwrap();
    assert!(command::record_result(&mut tx, &gateway, &running, w.now()).await.unwrap());
    tx.commit().await.unwrap();
    let path = format!("/api/v1/commands/{id}");
    w.forward_minutes(10).await;
    assert_eq!(w.admin.get(&path).await.ok()["state"], "running", "a late answer still counts");
    w.forward_minutes(10).await;
    assert_eq!(w.admin.get(&path).await.ok()["state"], "expired");
    w.pager.expect("li.wei", &["#1001", "gw North Gate"]);
}
