//! A complaint: taken down, told once, looked into, answered in time or late, and summed up with what is to be better.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sitewarden_tests::client::{Answer, Client};
use sitewarden_tests::database::Engine;
use sitewarden_tests::promise::promise;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![
    it_is_looked_into_answered_and_summed_up,
    a_late_one_is_told_once_though_the_server_was_killed,
    its_time_is_the_contracts_at_the_site_or_the_houses,
    one_about_no_ticket_has_a_minor_one_that_goes_with_it,
    nobody_judges_their_own_visit_and_a_customer_reads_its_own,
];

const PROMISED: &str =
    "[calendar.office]\nworkdays = [\"09:00-18:00\"]\n[complaint]\nanswer = \"8h\"\ncalendar = \"office\"\n";

fn contract(more: &str) -> String {
    format!(
        "[contract]\nid = \"HT-3\"\nname = \"Harbour\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n{more}"
    )
}

fn made(n: u64) -> String {
    format!("c0a10000-0000-4000-8000-{n:012}")
}

/// A site under a contract with a ticket, and `wang.fang` who is the manager of everything; Thursday 19 November 2026, 03:00.
async fn world(engine: Engine, more: &str) -> (World, Client, String) {
    let mut w = World::new(engine).await;
    let customer = w.customer("Harbour Office").await;
    w.site(&customer, "North Gate", "北门站").await;
    w.person("li.wei", "noc", None).await;
    let manager = w.person("wang.fang", "noc", None).await;
    let named = json!({ "kind": "manager", "account_id": manager });
    w.admin.post("/api/v1/escalation/people", &named).await.ok();
    promise(&w.app, &customer, &w.site_id("North Gate"), &contract(more), w.now()).await;
    let li = w.as_person("li.wei").await;
    let new = json!({ "site_id": w.site_id("North Gate"), "title": "Barrier arm bent", "severity": "minor" });
    li.post("/api/v1/tickets", &new).await.ok();
    (w, li, customer)
}

fn said(about: &Value) -> Value {
    let mut body = json!({ "subject": "attitude", "channel": "phone", "who": "Ms Zhou", "reach": "+86 10 5555 0101",
        "words": "He hung up on me" });
    body.as_object_mut().unwrap().extend(about.as_object().unwrap().clone());
    body
}

async fn take(by: &Client, n: u64, about: Value) -> Answer {
    by.put(&format!("/api/v1/complaints/{}", made(n)), &said(&about)).await
}

async fn step(by: &Client, n: u64, step: u64, body: &Value) -> Answer {
    by.put(&format!("/api/v1/complaints/{}/steps/{}", made(n), made(n * 100 + step)), body).await
}

async fn one(by: &Client, n: u64) -> Value {
    by.get(&format!("/api/v1/complaints/{}", made(n))).await.ok()
}

fn looks() -> Value {
    json!({ "kind": "investigating" })
}

fn answer() -> Value {
    json!({ "kind": "answered", "who": "Ms Zhou", "how": "phone", "text": "We are sorry; he was spoken to" })
}

fn close() -> Value {
    json!({ "kind": "closed", "text": "Three calls at once, one person", "improvement": "A second person from 09:00 on",
        "responsible": "wang.fang", "by_day": "2026-12-01" })
}

fn kinds(story: &Value) -> Vec<String> {
    story["events"].as_array().unwrap().iter().map(|event| text(event, "/kind")).collect()
}

/// raised, in time, late, waiting.
async fn month(by: &Client, at: &str) -> Vec<i64> {
    let told = by.get(&format!("/api/v1/complaint-figures?month={at}")).await.ok();
    ["raised", "in_time", "late", "waiting"].map(|key| told["all"][key].as_i64().unwrap()).to_vec()
}

/// Goes on to an instant; nobody stays signed in for so long.
async fn until(w: &mut World, at: &str) -> Client {
    w.app.clock.set(at.parse().unwrap());
    w.settle().await;
    w.as_person("li.wei").await
}

fn at(story: &Value, pointer: &str) -> Timestamp {
    Timestamp::from_millisecond(story.pointer(pointer).unwrap().as_i64().unwrap()).unwrap()
}

async fn it_is_looked_into_answered_and_summed_up(engine: Engine) {
    let (mut w, li, _) = world(engine, PROMISED).await;
    let told = take(&li, 1, json!({ "ticket_id": "1001" })).await.ok();
    assert_eq!([text(&told, "/state"), text(&told, "/promise")], ["raised", "8h"]);
    assert_eq!(at(&told, "/due_at").to_string(), "2026-11-19T09:00:00Z", "17:00 at the site");
    assert_eq!(told["events"][0]["told"], json!(["wang.fang"]));
    assert_eq!(
        take(&li, 1, json!({ "ticket_id": "1001" })).await.ok(),
        told,
        "the same once more changes nothing"
    );
    assert_eq!(
        take(&li, 1, json!({ "ticket_id": "1001", "who": "Mr Qian" })).await.code(),
        "other_complaint"
    );
    w.settle().await;
    let page = w.pager.expect("wang.fang", &["Complaint 1", "attitude", "North Gate"]);
    assert!(page.link().ends_with(&format!("/follow?view=complaints&open={}", made(1))), "{}", page.link());
    w.pager.expect_nothing_else();
    for (body, field) in [
        (json!({ "ticket_id": "1001", "subject": "weather" }), "subject"),
        (json!({ "ticket_id": "1001", "channel": "fax" }), "channel"),
        (json!({ "ticket_id": "1001", "words": " " }), "words"),
        (json!({ "ticket_id": "1001", "site_id": w.site_id("North Gate") }), "ticket_id"),
        (json!({}), "ticket_id"),
    ] {
        let refused = take(&li, 2, body).await;
        assert!(refused.status == 400 && refused.text.contains(field), "{}", refused.text);
    }

    assert_eq!(step(&li, 1, 1, &answer()).await.code(), "not_investigated");
    assert_eq!(step(&li, 1, 1, &close()).await.code(), "not_answered");
    let story = step(&li, 1, 1, &looks()).await.ok();
    assert_eq!([text(&story, "/state"), text(&story, "/holder")], ["investigating", "li.wei"]);
    assert_eq!(step(&li, 1, 1, &looks()).await.ok(), story, "the same once more changes nothing");
    assert_eq!(step(&li, 1, 1, &answer()).await.code(), "other_step");
    let found = json!({ "kind": "note", "text": "The call list shows three calls at 14:02" });
    step(&li, 1, 2, &found).await.ok();
    let bare = step(&li, 1, 3, &json!({ "kind": "answered", "text": "sorry" })).await;
    assert!(bare.status == 400 && bare.text.contains("who"), "{}", bare.text);
    assert_eq!(month(&li, "2026-11").await, [1, 0, 0, 1]);
    let story = step(&li, 1, 3, &answer()).await.ok();
    assert_eq!((text(&story, "/state"), &story["overdue"]), ("answered".to_owned(), &json!(false)));
    assert_eq!(month(&li, "2026-11").await, [1, 1, 0, 0]);
    let empty = step(&li, 1, 4, &json!({ "kind": "closed", "text": "spoken to" })).await;
    assert!(empty.status == 400 && empty.text.contains("improvement"), "{}", empty.text);
    let story = step(&li, 1, 4, &close()).await.ok();
    assert_eq!(kinds(&story), ["raised", "investigating", "note", "answered", "closed"]);
    assert_eq!(text(&story, "/events/4/improvement"), "A second person from 09:00 on");
    assert_eq!(step(&li, 1, 5, &found).await.code(), "closed");
    assert!(items(&li.get("/api/v1/complaints").await.ok()).is_empty());
    let all = items(&li.get("/api/v1/complaints?all=true&ticket_id=1001").await.ok());
    assert_eq!([text(&all[0], "/id"), text(&all[0], "/state")], [made(1), "closed".to_owned()]);
    let told: Vec<String> = w.story(1001).await.into_iter().filter(|kind| kind == "complaint").collect();
    assert_eq!(told.len(), 5, "each step is on the ticket's record");
    // Answered in time, nobody is told that it was late.
    until(&mut w, "2026-11-19T12:00:00Z").await;
    w.pager.expect_nothing_else();
}

async fn a_late_one_is_told_once_though_the_server_was_killed(engine: Engine) {
    let (mut w, li, _) = world(engine, PROMISED).await;
    take(&li, 1, json!({ "ticket_id": "1001" })).await.ok();
    // Killed between the decision and the page.
    w.restart_server().await;
    w.settle().await;
    w.pager.expect("wang.fang", &["Complaint 1"]);
    let li = w.as_person("li.wei").await;
    step(&li, 1, 1, &looks()).await.ok();
    let li = until(&mut w, "2026-11-19T08:59:59Z").await;
    w.pager.expect_nothing_else();
    assert_eq!(one(&li, 1).await["overdue"], false);
    // Killed while its time runs out.
    w.app.clock.set("2026-11-19T09:00:00Z".parse().unwrap());
    w.restart_server().await;
    w.settle().await;
    for who in ["wang.fang", "li.wei"] {
        w.pager.expect(who, &["Complaint 1", "not answered", "attitude"]);
    }
    w.restart_server().await;
    let li = until(&mut w, "2026-11-19T09:30:00Z").await;
    w.pager.expect_nothing_else();
    let story = one(&li, 1).await;
    assert_eq!(kinds(&story), ["raised", "investigating", "late"]);
    assert_eq!(
        (&story["overdue"], &story["events"][2]["told"]),
        (&json!(true), &json!(["wang.fang", "li.wei"]))
    );
    step(&li, 1, 2, &answer()).await.ok();
    assert_eq!(month(&li, "2026-11").await, [1, 0, 1, 0], "an answer that is late stays late");

    // Not content: it is answered anew, until a time of its own, and the month counts the first answer.
    let again = json!({ "kind": "reopened", "text": "That is no answer" });
    let story = step(&li, 1, 3, &again).await.ok();
    assert_eq!(
        (text(&story, "/state"), &story["run"], &story["holder"]),
        ("reopened".to_owned(), &json!(2), &Value::Null)
    );
    assert_eq!(
        at(&story, "/due_at").to_string(),
        "2026-11-20T08:30:00Z",
        "half an hour today, the rest tomorrow"
    );
    assert_eq!(step(&li, 1, 4, &answer()).await.code(), "not_investigated");
    let li = until(&mut w, "2026-11-20T08:31:00Z").await;
    w.pager.expect("wang.fang", &["Complaint 1", "not answered"]);
    w.settle().await;
    step(&li, 1, 5, &looks()).await.ok();
    step(&li, 1, 6, &answer()).await.ok();
    step(&li, 1, 7, &close()).await.ok();
    assert_eq!(month(&li, "2026-11").await, [1, 0, 1, 0]);
    until(&mut w, "2026-11-21T09:00:00Z").await;
    w.pager.expect_nothing_else();
}

async fn its_time_is_the_contracts_at_the_site_or_the_houses(engine: Engine) {
    let (mut w, li, customer) = world(engine, PROMISED).await;
    let berlin = json!({ "customer_id": customer, "name": "Kiel Quay", "zone": "Europe/Berlin" });
    let berlin = text(&w.admin.post("/api/v1/sites", &berlin).await.ok(), "/id");
    promise(&w.app, &customer, &berlin, &contract(PROMISED), w.now()).await;
    let told = take(&li, 1, json!({ "site_id": berlin })).await.ok();
    // 20:00 on Wednesday in Berlin: eight hours of Thursday there.
    assert_eq!(at(&told, "/due_at").to_string(), "2026-11-19T16:00:00Z");
    let other = w.customer("Museum").await;
    let museum = w.site(&other, "Museum", "博物馆").await;
    let told = take(&li, 2, json!({ "site_id": museum })).await.ok();
    assert_eq!((text(&told, "/promise"), &told["contract_id"]), (String::new(), &Value::Null));
    assert_eq!(at(&told, "/due_at"), w.now() + SignedDuration::from_hours(24), "the house's own time");
    // Its clock begins when it came, not when somebody wrote it down.
    let came = w.now().as_millisecond() - 3_600_000;
    let told = take(&li, 3, json!({ "site_id": museum, "received_at": came })).await.ok();
    assert_eq!(at(&told, "/due_at"), w.now() + SignedDuration::from_hours(23));
    let ahead = json!({ "site_id": museum, "received_at": w.now().as_millisecond() + 1 });
    assert_eq!(take(&li, 4, ahead).await.status, 400);
    let list = items(&li.get("/api/v1/complaints").await.ok());
    let order: Vec<i64> = list.iter().map(|row| row["number"].as_i64().unwrap()).collect();
    assert_eq!(order, [1, 3, 2], "the one due first first");
    w.settle().await;
    for _ in 0..3 {
        w.pager.expect("wang.fang", &["Complaint"]);
    }
    w.pager.expect_nothing_else();
}

async fn one_about_no_ticket_has_a_minor_one_that_goes_with_it(engine: Engine) {
    let (mut w, li, customer) = world(engine, PROMISED).await;
    w.duty("li.wei", None).await;
    let told = take(&li, 1, json!({ "customer_id": customer, "subject": "fees" })).await.ok();
    assert_eq!((&told["own_ticket"], &told["ticket_number"]), (&json!(true), &json!(1002)));
    w.settle().await;
    w.pager.expect("wang.fang", &["Complaint 1", "fees"]);
    w.pager.expect_nothing_else();
    let ticket = w.ticket(1002).await;
    assert_eq!([text(&ticket, "/severity"), text(&ticket, "/state")], ["minor", "open"]);
    assert!(!text(&ticket, "/title").contains("fees"), "what it is about stands with the complaint");
    for (n, body) in (1..).zip([looks(), answer(), close()]) {
        step(&li, 1, n, &body).await.ok();
    }
    assert_eq!(text(&w.ticket(1002).await, "/state"), "closed");
    step(&li, 1, 4, &json!({ "kind": "reopened", "text": "The bill came again" })).await.ok();
    assert_eq!(text(&w.ticket(1002).await, "/state"), "open");
    let nothing = w.customer("Empty").await;
    assert_eq!(take(&li, 2, json!({ "customer_id": nothing })).await.code(), "no_site");
    let stranger = take(&li, 2, json!({ "customer_id": made(9) })).await;
    assert_eq!(stranger.status, 404, "{}", stranger.text);
    w.settle().await;
    w.pager.expect_nothing_else();
}

async fn nobody_judges_their_own_visit_and_a_customer_reads_its_own(engine: Engine) {
    let (mut w, li, customer) = world(engine, PROMISED).await;
    let users = items(&w.admin.get("/api/v1/users").await.ok());
    let id = |login: &str| text(users.iter().find(|user| user["login"] == login).unwrap(), "/id");
    let visit = json!({ "ticket_id": "1001", "members": [id("li.wei")], "purpose": "Straighten it" });
    li.put(&format!("/api/v1/visits/{}", made(50)), &visit).await.ok();
    let told = take(&li, 1, json!({ "visit_id": made(50) })).await.ok();
    assert_eq!((&told["ticket_number"], &told["visit_number"]), (&json!(1001), &json!(1)));
    assert_eq!(step(&li, 1, 1, &looks()).await.code(), "own_visit");
    let by = |who: String| json!({ "kind": "investigating", "holder_id": who });
    assert_eq!(step(&li, 1, 1, &by(id("li.wei"))).await.code(), "own_visit");
    let technician = w.person("zhao.lei", "technician", None).await;
    assert_eq!(step(&li, 1, 1, &by(technician)).await.status, 400, "a technician looks into none");
    let story = step(&li, 1, 1, &by(id("wang.fang"))).await.ok();
    assert_eq!(text(&story, "/holder"), "wang.fang");
    assert_eq!(step(&li, 1, 2, &answer()).await.code(), "own_visit", "nor answers it");
    let wang = w.as_person("wang.fang").await;
    step(&wang, 1, 2, &json!({ "kind": "note", "text": "He says that he was driving" })).await.ok();
    step(&wang, 1, 3, &answer()).await.ok();
    step(&wang, 1, 4, &close()).await.ok();

    w.person("zhou.min", "customer", Some(&customer)).await;
    let zhou = w.as_person("zhou.min").await;
    let read = one(&zhou, 1).await;
    assert_eq!(kinds(&read), ["raised", "investigating", "answered", "closed"]);
    let shown = read.to_string();
    assert!(shown.contains("We are sorry") && shown.contains("A second person"), "{shown}");
    for ours in ["driving", "Three calls at once"] {
        assert!(!shown.contains(ours), "`{ours}` is ours alone: {shown}");
    }
    assert_eq!((&read["holder"], &read["events"][0]["told"]), (&Value::Null, &json!([])));
    assert_eq!(step(&zhou, 1, 5, &answer()).await.status, 403);
    let other = w.customer("Museum").await;
    w.person("qian.yu", "customer", Some(&other)).await;
    let qian = w.as_person("qian.yu").await;
    assert_eq!(qian.get(&format!("/api/v1/complaints/{}", made(1))).await.status, 404);
    assert!(items(&qian.get("/api/v1/complaints?all=true").await.ok()).is_empty());
    assert_eq!(month(&qian, "2026-11").await, [0, 0, 0, 0]);
    w.settle().await;
    w.pager.expect("wang.fang", &["Complaint 1"]);
    w.pager.expect_nothing_else();
}
