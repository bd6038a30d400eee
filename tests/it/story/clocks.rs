//! A promise and the tickets it is about: clocks run, warn once, are paused, broken and, when evidence comes late,
//! were not broken after all.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sitewarden_tests::client::Client;
use sitewarden_tests::database::Engine;
use sitewarden_tests::promise::{another, promise};
use sitewarden_tests::rows::all_rows;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![
    a_ticket_runs_its_clocks_and_each_share_is_told_once,
    a_pause_moves_what_is_due_and_late_evidence_undoes_a_breach,
    the_machine_starts_and_restores_and_a_site_without_a_contract_has_no_clocks,
    a_ticket_stays_under_its_version_until_somebody_decides_otherwise,
    what_is_thrown_away_comes_back_the_same,
    a_hold_withholds_warnings_and_the_largest_is_told_at_its_end,
    what_was_over_before_the_contract_was_entered_wakes_nobody,
    what_cannot_be_is_refused_with_a_word,
];

const CONTRACT: &str = "[contract]\nid = \"HT-1\"\nname = \"Harbour\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n\
    [[clock]]\nname = \"answer\"\ntitle = \"Answer\"\nstart = \"reported\"\nstop = \"first_human_reply\"\ntarget = \"5m\"\n\
    [[clock]]\nname = \"arrive\"\ntitle = \"On site\"\nstart = \"reported\"\nstop = \"arrived\"\ntarget = \"1h\"\n\
    pauses = [{ reason = \"access\", approver = \"customer\" }]\n\
    [[clock]]\nname = \"restore\"\ntitle = \"Restored\"\nstart = \"reported\"\nstop = \"restored\"\ntarget = \"4h\"\n\
    pauses = [{ reason = \"access\", approver = \"customer\" }]\n";

/// The usual world whose North Gate was promised something; the contract.
async fn promised(engine: Engine) -> (World, String) {
    let w = World::usual(engine).await;
    let id = contract(&w, w.now()).await;
    (w, id)
}

async fn contract(w: &World, valid_from: Timestamp) -> String {
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    promise(&w.app, &text(&customers[0], "/id"), &w.site_id("North Gate"), CONTRACT, valid_from).await
}

/// `li.wei` opens a ticket by hand and has it.
async fn ticket(w: &mut World) -> Client {
    let li = w.as_person("li.wei").await;
    let new = json!({ "site_id": w.site_id("North Gate"), "title": "Barrier arm bent", "severity": "major" });
    let number = li.post("/api/v1/tickets", &new).await.ok()["number"].as_i64().unwrap();
    w.settle().await;
    w.pager.expect("li.wei", &[&format!("#{number}")]);
    li
}

async fn say(client: &Client, number: i64, fact: &Value) -> Value {
    client.post(&format!("/api/v1/tickets/{number}/facts"), fact).await.ok()
}

async fn clocks(w: &World, number: i64) -> Value {
    w.admin.get(&format!("/api/v1/tickets/{number}/clocks")).await.ok()
}

/// A clock of what the API answered.
fn clock<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let mut all = answer["clocks"].as_array().unwrap().iter();
    all.find(|clock| clock["name"] == name).unwrap_or_else(|| panic!("no clock {name}: {answer}"))
}

fn state(answer: &Value, name: &str) -> String {
    text(clock(answer, name), "/state")
}

/// Minutes from the start of a clock until it is due.
fn due_after(answer: &Value, name: &str) -> i64 {
    let clock = clock(answer, name);
    (clock["due_at"].as_i64().unwrap() - clock["started_at"].as_i64().unwrap()) / 60_000
}

async fn board(w: &World, query: &str) -> Vec<(i64, String, String)> {
    let list = items(&w.admin.get(&format!("/api/v1/clocks{query}")).await.ok());
    list.iter()
        .map(|one| (one["number"].as_i64().unwrap(), text(one, "/name"), text(one, "/state")))
        .collect()
}

async fn a_ticket_runs_its_clocks_and_each_share_is_told_once(engine: Engine) {
    let (mut w, _) = promised(engine).await;
    let li = ticket(&mut w).await;
    let now = clocks(&w, 1001).await;
    assert_eq!(
        [due_after(&now, "answer"), due_after(&now, "arrive"), due_after(&now, "restore")],
        [5, 60, 240]
    );
    let names: Vec<String> = board(&w, "").await.into_iter().map(|one| one.1).collect();
    assert_eq!(names, ["answer", "arrive", "restore"], "the least time left comes first");

    w.forward_minutes(1).await;
    li.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    assert_eq!(state(&clocks(&w, 1001).await, "answer"), "met", "whoever takes it has answered");
    for (minute, share) in [(30, "50 %"), (45, "75 %"), (54, "90 %")] {
        w.forward_minutes(minute - minutes(&w, 1001).await).await;
        let told = w.pager.expect("li.wei", &["#1001", "On site", share]);
        assert_eq!(told.word("/purpose"), "at_risk");
        w.restart_server().await;
    }
    let li = w.as_person("li.wei").await;
    w.forward_minutes(6).await;
    assert_eq!(
        state(&clocks(&w, 1001).await, "arrive"),
        "running",
        "the last second of its time is still in time"
    );
    w.forward_seconds(5).await;
    let told = w.pager.expect("li.wei", &["#1001", "overdue", "On site"]);
    assert_eq!(told.word("/purpose"), "breached");
    let now = clocks(&w, 1001).await;
    assert_eq!(state(&now, "arrive"), "breached_running");
    assert_eq!(
        board(&w, "?state=breached_running").await,
        [(1001, "arrive".into(), "breached_running".into())]
    );
    w.forward_minutes(60).await;
    w.pager.expect("li.wei", &["#1001", "Restored", "50 %"]);

    let done = say(&li, 1001, &json!({ "what": "restored", "evidence": ["customer"] })).await;
    assert_eq!(state(&done, "restore"), "met");
    li.post("/api/v1/tickets/1001/close", &json!({ "reason": "arm replaced" })).await.ok();
    w.forward_minutes(60).await;
    let end = clocks(&w, 1001).await;
    assert_eq!(state(&end, "arrive"), "breached_met", "nobody waits for an arrival any more");
    assert!(board(&w, "").await.is_empty());
    let story = w.story(1001).await;
    let told = |kind: &str| story.iter().filter(|one| *one == kind).count();
    assert_eq!((told("clock_used"), told("clock_breached")), (4, 1), "{story:?}");
    // Every second is explained, and used and left are the budget.
    for clock in end["clocks"].as_array().unwrap() {
        let ledger = clock["ledger"].as_array().unwrap();
        let used: i64 = ledger.iter().map(|entry| entry["counted_s"].as_i64().unwrap()).sum();
        assert_eq!(used, clock["used_s"].as_i64().unwrap(), "{clock}");
        assert_eq!(ledger[0]["from"], clock["started_at"]);
        assert!(ledger.windows(2).all(|two| two[0]["to"] == two[1]["from"]), "{clock}");
        assert_eq!(
            clock["used_s"].as_i64().unwrap() + clock["remaining_s"].as_i64().unwrap(),
            clock["budget_s"].as_i64().unwrap()
        );
    }
}

/// Minutes since a ticket was opened.
async fn minutes(w: &World, number: i64) -> i64 {
    (w.now().as_millisecond() - w.ticket(number).await["opened_at"].as_i64().unwrap()) / 60_000
}

async fn a_pause_moves_what_is_due_and_late_evidence_undoes_a_breach(engine: Engine) {
    let (mut w, _) = promised(engine).await;
    let li = ticket(&mut w).await;
    li.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    w.forward_minutes(20).await;
    let pause =
        json!({ "what": "paused", "reason": "access", "approver": "customer", "approved_by": "Ms Zhou" });
    let now = say(&li, 1001, &pause).await;
    assert_eq!((state(&now, "arrive"), now["choices"]["is_paused"].clone()), ("paused".into(), true.into()));
    w.forward_minutes(30).await;
    assert_eq!(board(&w, "?state=paused").await.len(), 2);
    assert!(board(&w, "").await.is_empty(), "what is paused is not late");
    let now = say(&li, 1001, &json!({ "what": "resumed" })).await;
    assert_eq!((due_after(&now, "arrive"), clock(&now, "arrive")["paused_s"].clone()), (90, 1800.into()));
    // A pause that nobody may approve does not stop the clock, and the ledger says so.
    let refused = json!({ "what": "paused", "reason": "weather", "approver": "none" });
    let now = say(&li, 1001, &refused).await;
    assert_eq!(state(&now, "arrive"), "running");
    w.forward_minutes(1).await;
    say(&li, 1001, &json!({ "what": "resumed" })).await;
    let now = clocks(&w, 1001).await;
    let why: Vec<String> =
        clock(&now, "arrive")["ledger"].as_array().unwrap().iter().map(|entry| text(entry, "/why")).collect();
    assert_eq!(why[..3], ["working", "paused", "pause_refused"], "{why:?}");

    w.forward_minutes(9).await;
    w.pager.expect("li.wei", &["On site", "50 %"]);
    w.forward_minutes(15).await;
    w.pager.expect("li.wei", &["On site", "75 %"]);
    w.forward_minutes(9).await;
    w.pager.expect("li.wei", &["On site", "90 %"]);
    w.forward_minutes(7).await;
    w.pager.expect("li.wei", &["overdue", "On site"]);
    w.forward_minutes(30).await;
    let before = clocks(&w, 1001).await;
    assert_eq!(state(&before, "arrive"), "breached_running");

    // A phone that was eleven minutes fast uploads an arrival that was in time.
    let (arrived, now) = (w.now() - SignedDuration::from_mins(45), w.now());
    let fast = 11 * 60_000;
    let fact = json!({ "what": "arrived", "evidence": ["qr"], "device_at": arrived.as_millisecond() + fast,
        "device_now": now.as_millisecond() + fast });
    let after = say(&li, 1001, &fact).await;
    assert_eq!(
        (state(&after, "arrive"), clock(&after, "arrive")["stopped_at"].clone()),
        ("met".into(), arrived.as_millisecond().into())
    );
    w.settle().await;
    let told = w.pager.expect("li.wei", &["#1001", "kept after all", "On site"]);
    assert_eq!(told.word("/purpose"), "kept");
    let story = w.story(1001).await;
    assert!(
        story.contains(&"clock_breached".to_owned()) && story.contains(&"clock_kept_after_all".to_owned()),
        "both facts stay: {story:?}"
    );
    // It was a mistake after all: the line is replaced, and the breach stands again.
    let events = w.ticket(1001).await["events"].clone();
    let line =
        events.as_array().unwrap().iter().rfind(|event| event["kind"] == "fact").unwrap()["seq"].clone();
    let fact = json!({ "what": "arrived", "evidence": ["qr"], "supersedes": line });
    let after = say(&li, 1001, &fact).await;
    assert_eq!(state(&after, "arrive"), "breached_met");
    w.settle().await;
    let answer = li.post("/api/v1/tickets/1001/facts", &fact).await;
    assert_eq!(answer.code(), "superseded", "{}", answer.text);
    say(&li, 1001, &json!({ "what": "restored" })).await;
    w.forward_minutes(30).await;
}

async fn the_machine_starts_and_restores_and_a_site_without_a_contract_has_no_clocks(engine: Engine) {
    let (mut w, _) = promised(engine).await;
    w.device("North Gate", "cam-3").await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
    let li = w.as_person("li.wei").await;
    li.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    w.device_comes_back("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    let now = clocks(&w, 1001).await;
    let states = ["answer", "arrive", "restore"].map(|name| state(&now, name));
    assert_eq!(states, ["met", "void", "met"], "nobody had to travel");
    assert_eq!(text(clock(&now, "arrive"), "/reason"), "closed");

    let customer = text(&w.ticket(1001).await, "/site_id");
    assert_eq!(customer, w.site_id("North Gate"));
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    let site = w.site(&text(&customers[0], "/id"), "Bare Field", "空地").await;
    let new = json!({ "site_id": site, "title": "Gate stuck", "severity": "major" });
    li.post("/api/v1/tickets", &new).await.ok();
    w.settle().await;
    w.pager.expect("li.wei", &["#1002"]);
    li.post("/api/v1/tickets/1002/ack", &json!({})).await.ok();
    let none = clocks(&w, 1002).await;
    assert_eq!((none["contract"].clone(), none["clocks"].clone()), (Value::Null, json!([])));
    w.forward_minutes(10).await;
    assert!(board(&w, "").await.is_empty());
}

async fn a_ticket_stays_under_its_version_until_somebody_decides_otherwise(engine: Engine) {
    let (mut w, id) = promised(engine).await;
    let li = ticket(&mut w).await;
    li.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    let longer = CONTRACT.replace("target = \"1h\"", "target = \"2h\"");
    w.forward_minutes(10).await;
    assert_eq!(another(&w.app, &id, &longer, w.now()).await, 2);
    w.settle().await;
    let now = clocks(&w, 1001).await;
    assert_eq!((now["contract"]["version"].clone(), due_after(&now, "arrive")), (1.into(), 60));
    ticket(&mut w).await.post("/api/v1/tickets/1002/ack", &json!({})).await.ok();
    let other = clocks(&w, 1002).await;
    assert_eq!((other["contract"]["version"].clone(), due_after(&other, "arrive")), (2.into(), 120));

    let ruling = json!({ "what": "contract", "version": 2, "reason": "agreed with the customer" });
    let now = li.post("/api/v1/tickets/1001/ruling", &ruling).await.ok();
    let arrive = clock(&now, "arrive");
    assert_eq!((due_after(&now, "arrive"), arrive["segments"].as_array().unwrap().len()), (120, 2));
    let void = json!({ "what": "void", "clock": "arrive", "reason": "the customer moved it to next week" });
    let now = li.post("/api/v1/tickets/1001/ruling", &void).await.ok();
    let arrive = clock(&now, "arrive");
    assert_eq!([text(arrive, "/state"), text(arrive, "/approver")], ["void", "li.wei"]);
    for number in [1001, 1002] {
        for what in ["arrived", "restored"] {
            say(&li, number, &json!({ "what": what })).await;
        }
    }
    w.forward_minutes(10).await;
}

async fn what_is_thrown_away_comes_back_the_same(engine: Engine) {
    let (mut w, _) = promised(engine).await;
    let li = ticket(&mut w).await;
    li.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    w.forward_minutes(31).await;
    w.pager.expect("li.wei", &["50 %"]);
    let pause =
        json!({ "what": "paused", "reason": "access", "approver": "customer", "approved_by": "Ms Zhou" });
    say(&li, 1001, &pause).await;
    w.forward_minutes(7).await;
    ticket(&mut w).await.post("/api/v1/tickets/1002/close", &json!({ "reason": "double" })).await.ok();
    w.forward_minutes(13).await;
    let before = rows(&w, engine).await;
    // Whatever they are made on, the rows are these.
    let start = w.ticket(1001).await["opened_at"].as_i64().unwrap();
    let told: Vec<String> =
        before.iter().filter(|row| row.starts_with("clock ")).map(|row| plain(row, start)).collect();
    let expected = [
        "answer met due +300 used 0 share 0 next - counted +1860",
        "answer void due +2580 used 0 share 0 next - counted +2280",
        "arrive paused due +3600 used 1860 share 50 next - counted +1860",
        "arrive void due +5880 used 0 share 0 next - counted +2280",
        "restore paused due +14400 used 1860 share 0 next - counted +1860",
        "restore met due +16680 used 0 share 0 next - counted +2280",
    ];
    let (mut told, mut expected) = (told, expected.map(str::to_owned).to_vec());
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
    let (tickets, clocks) = sitewarden_server::sla::step::rebuild(&w.app.db, w.now()).await.unwrap();
    assert_eq!((tickets, clocks), (2, 6));
    assert_eq!(rows(&w, engine).await, before);
    w.settle().await;
    assert_eq!(rows(&w, engine).await, before);
    let later = w.now() + SignedDuration::from_hours(1);
    sitewarden_server::sla::step::rebuild(&w.app.db, later).await.unwrap();
    assert_eq!(rows(&w, engine).await, before, "nothing in a row moves with time while it is paused");
    say(&li, 1001, &json!({ "what": "arrived" })).await;
    say(&li, 1001, &json!({ "what": "restored" })).await;
}

async fn rows(w: &World, engine: Engine) -> Vec<String> {
    let all = all_rows(&w.app.db, engine).await;
    all.into_iter().filter(|row| row.starts_with("clock ") || row.starts_with("clock_notice ")).collect()
}

/// A row without what differs from run to run, its times in seconds from `start`.
fn plain(row: &str, start: i64) -> String {
    let value = |key: &str| {
        let from = row.find(&format!(" {key}="))? + key.len() + 2;
        row[from..].split(' ').next().map(str::to_owned)
    };
    let after = |key: &str| {
        value(key).map_or("-".to_owned(), |ms| format!("+{}", (ms.parse::<i64>().unwrap() - start) / 1000))
    };
    let is = |key: &str| value(key).unwrap_or_default();
    format!(
        "{} {} due {} used {} share {} next {} counted {}",
        is("name"),
        is("state"),
        after("due_at"),
        is("used_s"),
        is("share"),
        after("next_at"),
        after("counted_at")
    )
}

async fn a_hold_withholds_warnings_and_the_largest_is_told_at_its_end(engine: Engine) {
    let (mut w, _) = promised(engine).await;
    w.device("North Gate", "cam-3").await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001"]);
    let li = w.as_person("li.wei").await;
    li.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    let begin = clock(&clocks(&w, 1001).await, "arrive")["started_at"].as_i64().unwrap();
    let now = w.now().as_millisecond();
    let window = json!({ "site_id": w.site_id("North Gate"), "starts_at": now, "ends_at": begin + 50 * 60_000, "reason": "new fibre" });
    w.admin.post("/api/v1/maintenance", &window).await.ok();
    w.forward_seconds(48 * 60 - (now - begin) / 1000).await;
    w.pager.expect_nothing_else();
    let notices = clocks(&w, 1001).await["notices"].clone();
    assert_eq!(notices.as_array().unwrap().len(), 2, "the facts are on the record: {notices}");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["On site", "75 %"]);
    let told: Vec<String> = clocks(&w, 1001).await["notices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| text(one, "/outcome"))
        .collect();
    assert_eq!(told, ["together", "paged"]);
    say(&li, 1001, &json!({ "what": "arrived" })).await;
    w.device_comes_back("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    w.forward_minutes(10).await;
}

async fn what_was_over_before_the_contract_was_entered_wakes_nobody(engine: Engine) {
    let mut w = World::usual(engine).await;
    let begin = w.now();
    let li = ticket(&mut w).await;
    li.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    w.forward_minutes(100).await;
    assert_eq!(clocks(&w, 1001).await["contract"], Value::Null);
    contract(&w, begin).await;
    w.settle().await;
    let now = clocks(&w, 1001).await;
    assert_eq!(
        ["answer", "arrive", "restore"].map(|name| state(&now, name)),
        ["met", "breached_running", "running"]
    );
    let told: Vec<String> =
        now["notices"].as_array().unwrap().iter().map(|one| text(one, "/outcome")).collect();
    assert_eq!(told, ["before_contract"; 4], "{now}");
    w.pager.expect_nothing_else();
    w.forward_minutes(21).await;
    w.pager.expect("li.wei", &["Restored", "50 %"]);
    say(&li, 1001, &json!({ "what": "restored" })).await;
}

async fn what_cannot_be_is_refused_with_a_word(engine: Engine) {
    let (mut w, _) = promised(engine).await;
    let li = ticket(&mut w).await;
    let future = w.now().as_millisecond() + 60_000;
    let cases = [
        (json!({ "what": "flew" }), "flew"),
        (json!({ "what": "closed" }), "close the ticket"),
        (json!({ "what": "arrived", "occurred_at": future }), "future"),
        (json!({ "what": "paused", "reason": "access", "approver": "customer" }), "approved_by"),
        (json!({ "what": "withdrawn" }), "supersedes"),
        (json!({ "what": "arrived", "supersedes": 1 }), "no fact"),
        (json!({ "what": "priority", "level": "urgent" }), "urgent"),
    ];
    for (fact, word) in cases {
        let answer = li.post("/api/v1/tickets/1001/facts", &fact).await;
        assert_eq!(answer.status, 400, "{fact}: {}", answer.text);
        assert!(answer.text.contains(word), "{fact}: {}", answer.text);
    }
    let answer = li
        .post("/api/v1/tickets/1001/ruling", &json!({ "what": "void", "clock": "dinner", "reason": "x" }))
        .await;
    assert_eq!(answer.status, 404, "{}", answer.text);
    assert_eq!(w.admin.get("/api/v1/clocks?state=asleep").await.status, 400);
    li.post("/api/v1/tickets/1001/close", &json!({ "reason": "done" })).await.ok();
}
