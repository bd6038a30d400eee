//! After a visit the customer is called the same day, and asked in the words of the contract.

use axum::http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sitewarden_tests::client::{Answer, Client};
use sitewarden_tests::database::Engine;
use sitewarden_tests::promise::promise;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![
    a_call_the_same_day_files_the_visit_and_counts_in_its_month,
    who_is_not_reached_is_called_again_and_not_for_ever,
    what_the_customer_says_is_not_done_is_not_filed,
    without_a_scale_words_have_no_points,
];

const HEAD: &str =
    "[contract]\nid = \"HT-3\"\nname = \"Harbour\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n";
const SCALE: &str = "[csat]\ncallback = \"same_day\"\n\
    [[csat.scale]]\nword = \"很满意\"\nscore = 5\n[[csat.scale]]\nword = \"一般\"\nscore = 2\n\
    [[csat.scale]]\nword = \"不满意\"\nscore = -5\n";

fn made(n: u64) -> String {
    format!("5f0e0000-0000-4000-8000-{n:012}")
}

/// A site without a gateway under a contract, with a ticket for each visit that is done; Thursday 19 November 2026.
async fn after(engine: Engine, more: &str, visits: u64) -> (World, Client) {
    let mut w = World::new(engine).await;
    let customer = w.customer("Harbour Office").await;
    w.site(&customer, "North Gate", "北门站").await;
    w.person("li.wei", "noc", None).await;
    let wang = w.person("wang.min", "technician", None).await;
    promise(&w.app, &customer, &w.site_id("North Gate"), &format!("{HEAD}{more}"), w.now()).await;
    let li_wei = w.as_person("li.wei").await;
    let new = json!({ "site_id": w.site_id("North Gate"), "title": "Barrier arm bent", "severity": "minor" });
    li_wei.post("/api/v1/tickets", &new).await.ok();
    let goes = w.as_person("wang.min").await;
    for n in 1..=visits {
        visit((&li_wei, &goes), &wang, n).await;
    }
    (w, li_wei)
}

/// A visit of somebody that is done.
async fn visit((by, goes): (&Client, &Client), who: &str, n: u64) {
    let new = json!({ "ticket_id": "1001", "members": [who], "purpose": "Straighten it" });
    by.put(&format!("/api/v1/visits/{}", made(n)), &new).await.ok();
    for (step, kind) in (0..).zip(["accepted", "departed", "arrived", "working", "done"]) {
        take(goes, n, step, &json!({ "kind": kind })).await;
    }
}

async fn take(by: &Client, visit: u64, step: u64, body: &Value) -> Value {
    by.put(&format!("/api/v1/visits/{}/steps/{}", made(visit), made(visit * 100 + step)), body).await.ok()
}

async fn call(by: &Client, visit: u64, call: u64, body: &Value) -> Answer {
    by.put(&format!("/api/v1/visits/{}/call-backs/{}", made(visit), made(10_000 + call)), body).await
}

async fn owed(by: &Client) -> Vec<Value> {
    items(&by.get("/api/v1/call-backs").await.ok())
}

async fn month(by: &Client, month: &str) -> Value {
    by.get(&format!("/api/v1/satisfaction?month={month}")).await.ok()
}

/// visits, answered, unscored, points, silent, not reached, owed.
fn figures(total: &Value) -> Vec<i64> {
    ["visits", "answered", "unscored", "points", "silent", "not_reached", "owed"]
        .map(|key| total[key].as_i64().unwrap())
        .to_vec()
}

async fn later(w: &mut World, minutes: i64) -> Client {
    w.app.clock.set(w.now() + SignedDuration::from_mins(minutes));
    w.settle().await;
    w.as_person("li.wei").await
}

fn nothing_else(w: &World) {
    w.pager.expect_nothing_else();
}

async fn a_call_the_same_day_files_the_visit_and_counts_in_its_month(engine: Engine) {
    let (w, li) = after(engine, SCALE, 2).await;
    take(&li, 1, 50, &json!({ "kind": "signed", "who": "Ms Zhou" })).await;
    let all = owed(&li).await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!([text(&all[0], "/due_on"), text(&all[0], "/visit_state")], ["2026-11-19", "signed"]);
    assert_eq!((&all[0]["overdue"], &all[0]["unanswered"]), (&json!(false), &json!(0)));

    let asked = li.get(&format!("/api/v1/visits/{}/call-backs", made(1))).await.ok();
    assert_eq!(
        asked["scale"],
        json!([{ "word": "很满意", "points": 5 }, { "word": "一般", "points": 2 }, { "word": "不满意", "points": -5 }])
    );
    let other = json!({ "reached": true, "who": "Ms Zhou", "word": "satisfied", "completed": true });
    let other = call(&li, 1, 1, &other).await;
    assert!(other.status == 400 && other.text.contains("很满意"), "{}", other.text);
    let bare = call(&li, 1, 1, &json!({ "reached": true, "who": "Ms Zhou", "word": "很满意" })).await;
    assert_eq!(bare.status, 400, "whether it is done was not said: {}", bare.text);

    let happy =
        json!({ "reached": true, "who": "Ms Zhou", "word": "很满意", "completed": true, "opinion": "quick" });
    let told = call(&li, 1, 1, &happy).await.ok();
    assert_eq!(text(&told, "/visit_state"), "filed");
    assert_eq!(call(&li, 1, 1, &happy).await.ok(), told, "the same once more changes nothing");
    let changed = json!({ "reached": true, "who": "Ms Zhou", "word": "一般", "completed": true });
    assert_eq!(call(&li, 1, 1, &changed).await.code(), "other_call");
    assert_eq!(call(&li, 1, 2, &changed).await.code(), "not_possible", "it is filed");
    let story = li.get(&format!("/api/v1/visits/{}", made(1))).await.ok();
    let kinds: Vec<String> =
        story["events"].as_array().unwrap().iter().map(|event| text(event, "/kind")).collect();
    assert_eq!(kinds[kinds.len() - 3..], ["signed", "called_back", "filed"]);

    // Nobody has signed the second one, which has to be said.
    let angry = json!({ "reached": true, "who": "Mr Qian", "word": "不满意", "completed": true });
    let unsigned = call(&li, 2, 3, &angry).await;
    assert!(unsigned.status == 400 && unsigned.text.contains("nobody has signed"), "{}", unsigned.text);
    let angry = json!({ "reached": true, "who": "Mr Qian", "word": "不满意", "completed": true,
        "unsigned": "the gate was shut" });
    assert_eq!(text(&call(&li, 2, 3, &angry).await.ok(), "/visit_state"), "filed");
    assert!(owed(&li).await.is_empty());

    let november = month(&li, "2026-11").await;
    for total in
        [&november["all"], &november["sites"][0], &november["customers"][0], &november["technicians"][0]]
    {
        assert_eq!(figures(total), [2, 2, 0, 0, 0, 0, 0], "5 and -5: {total}");
    }
    assert_eq!(november["technicians"][0]["name"], "wang.min");
    assert_eq!(
        november["all"]["words"],
        json!([{ "word": "不满意", "count": 1 }, { "word": "很满意", "count": 1 }])
    );
    assert_eq!(figures(&month(&li, "2026-12").await["all"]), [0; 7]);
    assert_eq!(li.get("/api/v1/satisfaction?month=2026-13").await.status, 400);
    let wang = w.as_person("wang.min").await;
    let own = call(&wang, 2, 9, &angry).await;
    assert_eq!(own.status, 403, "whoever went does not ask about himself: {}", own.text);
    nothing_else(&w);
}

async fn who_is_not_reached_is_called_again_and_not_for_ever(engine: Engine) {
    let (mut w, li) = after(engine, SCALE, 1).await;
    let nobody = json!({ "reached": false });
    let said = call(&li, 1, 1, &json!({ "reached": false, "word": "很满意" })).await;
    assert_eq!(said.status, 400, "{}", said.text);
    call(&li, 1, 1, &nobody).await.ok();
    let soon = call(&li, 1, 2, &nobody).await;
    assert_eq!(soon.code(), "too_soon", "{}", soon.text);
    let li = later(&mut w, 31).await;
    call(&li, 1, 2, &nobody).await.ok();
    assert_eq!(owed(&li).await[0]["unanswered"], 2);
    // After midnight at the site it is late, whatever UTC says.
    let midnight: Timestamp = "2026-11-19T16:00:00Z".parse().unwrap();
    let minutes = midnight.duration_since(w.now()).as_mins() + 1;
    let li = later(&mut w, minutes).await;
    let late = owed(&li).await;
    assert_eq!((&late[0]["overdue"], text(&late[0], "/due_on")), (&json!(true), "2026-11-19".to_owned()));
    call(&li, 1, 3, &nobody).await.ok();
    assert!(owed(&li).await.is_empty(), "three times is enough");
    let li = later(&mut w, 60).await;
    assert_eq!(call(&li, 1, 4, &nobody).await.code(), "given_up");
    let november = month(&li, "2026-11").await;
    assert_eq!(figures(&november["all"]), [1, 0, 0, 0, 0, 1, 0]);
    assert_eq!([text(&november, "/unasked/0/why")], ["not_reached"]);
    // The customer calls by himself: that counts.
    let own =
        json!({ "reached": true, "who": "Ms Zhou", "word": "一般", "completed": true, "unsigned": "away" });
    assert_eq!(text(&call(&li, 1, 5, &own).await.ok(), "/visit_state"), "filed");
    assert_eq!(figures(&month(&li, "2026-11").await["all"]), [1, 1, 0, 2, 0, 0, 0]);
    nothing_else(&w);
}

async fn what_the_customer_says_is_not_done_is_not_filed(engine: Engine) {
    let (w, li) = after(engine, SCALE, 1).await;
    take(&li, 1, 50, &json!({ "kind": "signed", "who": "Ms Zhou" })).await;
    let not = json!({ "reached": true, "who": "Ms Zhou", "completed": false, "opinion": "it still sticks" });
    assert_eq!(text(&call(&li, 1, 1, &not).await.ok(), "/visit_state"), "called_back");
    let all = owed(&li).await;
    assert_eq!(
        [text(&all[0], "/visit_state"), text(&all[0], "/opinion")],
        ["called_back", "it still sticks"]
    );
    assert_eq!(figures(&month(&li, "2026-11").await["all"]), [1, 0, 0, 0, 1, 0, 0], "nothing on the scale");
    let now = json!({ "reached": true, "who": "Ms Zhou", "word": "很满意", "completed": true });
    assert_eq!(text(&call(&li, 1, 2, &now).await.ok(), "/visit_state"), "filed");
    assert!(owed(&li).await.is_empty());
    assert_eq!(figures(&month(&li, "2026-11").await["all"]), [1, 1, 0, 5, 0, 0, 0]);
    let calls = li.get(&format!("/api/v1/visits/{}/call-backs", made(1))).await.ok();
    assert_eq!(calls["calls"].as_array().unwrap().len(), 2, "both stand on the record");
    let missing = li.send(Method::GET, &format!("/api/v1/visits/{}/call-backs", made(77)), None).await;
    assert_eq!(missing.status, 404);
    nothing_else(&w);
}

async fn without_a_scale_words_have_no_points(engine: Engine) {
    let (w, li) = after(engine, "", 1).await;
    let asked = li.get(&format!("/api/v1/visits/{}/call-backs", made(1))).await.ok();
    assert_eq!(asked["contract_id"], Value::Null);
    assert_eq!(asked["scale"][4], json!({ "word": "dissatisfied", "points": null }));
    let said = json!({ "reached": true, "who": "Ms Zhou", "word": "dissatisfied", "completed": true, "unsigned": "away" });
    call(&li, 1, 1, &said).await.ok();
    let all = &month(&li, "2026-11").await["all"];
    assert_eq!(figures(all), [1, 1, 1, 0, 0, 0, 0], "answered, and worth what nobody has said");
    nothing_else(&w);
}
