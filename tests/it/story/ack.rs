//! Taking a ticket by the link in a page, without a login.

use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::World;

stories![
    only_the_button_takes_the_ticket,
    a_link_is_bound_to_its_words_and_ends,
    the_second_taker_is_on_the_record_too
];

async fn down(engine: Engine) -> World {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w
}

fn path(link: &str) -> String {
    link.find("/a/").map(|at| link[at..].to_owned()).expect("a link to take the ticket")
}

async fn only_the_button_takes_the_ticket(engine: Engine) {
    let w = down(engine).await;
    let link = path(&w.pager.expect("li.wei", &["#1001"]).link());
    for _ in 0..3 {
        let shown = w.nobody.get(&link).await;
        assert_eq!(shown.status, 200);
        assert!(
            shown.text.contains("cam-3") && shown.text.contains("<form method=\"post\""),
            "{}",
            shown.text
        );
    }
    assert_eq!(w.ticket(1001).await["state"], "open", "a mail scanner opens every link");
    let taken = w.nobody.post(&link, &serde_json::Value::Null).await;
    assert_eq!(taken.status, 200);
    let ticket = w.ticket(1001).await;
    assert_eq!((&ticket["state"], &ticket["acked_by"]), (&"acked".into(), &"li.wei".into()));
    w.nobody.post(&link, &serde_json::Value::Null).await.ok();
    let acks = w.story(1001).await.iter().filter(|kind| *kind == "acked").count();
    assert_eq!(acks, 1, "pressing twice is one step");
}

async fn a_link_is_bound_to_its_words_and_ends(engine: Engine) {
    let w = down(engine).await;
    let link = path(&w.pager.expect("li.wei", &["#1001"]).link());
    let mut bent = link.clone();
    let last = bent.pop().expect("a character");
    bent.push(if last == 'A' { 'B' } else { 'A' });
    for wrong in [bent.as_str(), "/a/x", "/a/x.y", "/a/%00"] {
        assert_eq!(w.nobody.get(wrong).await.status, 404, "{wrong}");
        assert_eq!(w.nobody.post(wrong, &serde_json::Value::Null).await.status, 404, "{wrong}");
    }
    let week = jiff::SignedDuration::from_hours(7 * 24);
    w.app.clock.set(w.now() + week);
    assert_eq!(w.nobody.get(&link).await.status, 410);
    assert_eq!(w.nobody.post(&link, &serde_json::Value::Null).await.status, 410);
    let admin = w.nobody.sign_in("admin", sitewarden_tests::world::PASSWORD).await;
    assert_eq!(admin.get("/api/v1/tickets/1001").await.ok()["state"], "open");
}

async fn the_second_taker_is_on_the_record_too(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.person("wang.min", "technician", None).await;
    w.duty("wang.min", None).await;
    w.device("North Gate", "cam-3").await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    let first = path(&w.pager.expect("li.wei", &["#1001"]).link());
    let second = path(&w.pager.expect("wang.min", &["#1001"]).link());
    w.nobody.post(&first, &serde_json::Value::Null).await.ok();
    assert!(w.nobody.get(&second).await.text.contains("li.wei"), "the second one sees who has it");
    w.nobody.post(&second, &serde_json::Value::Null).await.ok();
    let ticket = w.ticket(1001).await;
    assert_eq!(ticket["acked_by"], "li.wei", "the first taker stays");
    let actors: Vec<&str> = ticket["events"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| e["kind"] == "acked")
        .filter_map(|e| e["actor"].as_str())
        .collect();
    assert_eq!(actors, ["li.wei", "wang.min"]);
}
