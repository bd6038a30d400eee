//! What people on duty do: swap, subscribe, write the log, hand over, and see what it is worth.

use axum::http::Method;
use serde_json::{Value, json};
use sitewarden_tests::client::Client;
use sitewarden_tests::database::Engine;
use sitewarden_tests::peer::read_calendar;
use sitewarden_tests::promise::promise;
use sitewarden_tests::stories;
use sitewarden_tests::world::{items, text};

use super::{Duty, ms};

stories![
    two_people_swap_when_both_agree,
    a_calendar_program_reads_the_shifts_until_the_address_is_renewed,
    an_independent_reader_finds_the_shifts_that_the_page_shows,
    a_turn_is_handed_over_with_its_calls_and_what_is_not_solved,
    work_that_may_not_stop_is_handed_over_to_a_named_successor,
    a_month_has_a_statement_with_the_basis_of_each_line,
];

async fn two_people_swap_when_both_agree(engine: Engine) {
    let duty = Duty::open(engine).await;
    let (wang, zhao, sun) = (
        duty.w.as_person("wang.min").await,
        duty.w.as_person("zhao.lei").await,
        duty.w.as_person("sun.hao").await,
    );
    let path = format!("/api/v1/rotas/{}/swaps", duty.rota);
    let day = |from: &str, to: &str| json!({ "layer": 0, "from_at": ms(from), "to_at": ms(to) });
    let mine = day("2026-11-21T08:00:00+08:00", "2026-11-22T08:00:00+08:00");
    let theirs = day("2026-11-25T08:00:00+08:00", "2026-11-26T08:00:00+08:00");
    let ask =
        json!({ "mine": mine, "other_id": duty.people[1], "theirs": theirs, "reason": "school meeting" });
    // Only one's own time can be given.
    let foreign = sun.post(&path, &ask).await;
    assert_eq!(
        (foreign.status.as_u16(), foreign.text.contains("sun.hao has no shift")),
        (409, true),
        "{}",
        foreign.text
    );
    let made = wang.post(&path, &ask).await.ok();
    assert_eq!(text(&made, "/state"), "requested");
    assert_eq!(duty.who("2026-11-21T12:00:00+08:00").await, ["wang.min"], "asking changes nothing");
    let answer = async |who: &Client, word: &str| {
        who.post(&format!("/api/v1/swaps/{}/{word}", text(&made, "/id")), &json!({ "note": "fine" })).await
    };
    assert_eq!(answer(&sun, "accept").await.status, 403);
    assert_eq!(answer(&duty.w.admin, "accept").await.status, 403, "nobody agrees for somebody else");
    assert_eq!(text(&answer(&zhao, "accept").await.ok(), "/state"), "accepted");
    assert_eq!(answer(&zhao, "accept").await.status, 409);
    assert_eq!(answer(&wang, "withdraw").await.status, 409);
    assert_eq!(duty.who("2026-11-21T12:00:00+08:00").await, ["zhao.lei"]);
    assert_eq!(duty.who("2026-11-22T08:00:00+08:00").await, ["wang.min"]);
    assert_eq!(duty.who("2026-11-25T12:00:00+08:00").await, ["wang.min"]);
    let ask = json!({ "mine": day("2026-11-22T08:00:00+08:00", "2026-11-22T20:00:00+08:00"),
        "other_id": duty.people[2], "theirs": Value::Null, "reason": "a favour" });
    let favour = wang.post(&path, &ask).await.ok();
    duty.w.app.clock.set(super::at("2026-11-22T20:00:00+08:00"));
    let sun = duty.w.as_person("sun.hao").await;
    let late = sun.post(&format!("/api/v1/swaps/{}/accept", text(&favour, "/id")), &json!({})).await;
    assert!(late.status == 409 && late.text.contains("over"), "{}", late.text);
    assert_eq!(text(&sun.get("/api/v1/swaps").await.ok(), "/items/0/state"), "lapsed");
}

async fn a_calendar_program_reads_the_shifts_until_the_address_is_renewed(engine: Engine) {
    let duty = Duty::open(engine).await;
    let wang = duty.w.as_person("wang.min").await;
    let path =
        |made: &Value| text(made, "/url").split_once("/c/").map(|(_, rest)| format!("/c/{rest}")).unwrap();
    let first = path(&wang.post("/api/v1/feeds", &json!({ "rota_id": null })).await.ok());
    let feed = duty.w.nobody.get(&first).await;
    assert_eq!(feed.status, 200);
    assert!(feed.headers["content-type"].to_str().unwrap().starts_with("text/calendar"));
    assert!(feed.text.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"), "{}", feed.text);
    assert!(feed.text.contains("DTSTART:20261118T190000Z\r\nDTEND:20261123T000000Z\r\n"), "{}", feed.text);
    assert!(
        feed.text.contains("DTSTART:20261207T000000Z\r\n") && !feed.text.contains("DTSTART:20261123T000000Z")
    );
    let uids = |text: &str| {
        text.lines().filter(|line| line.starts_with("UID:")).map(str::to_owned).collect::<Vec<_>>()
    };
    duty.w.app.clock.set(super::at("2026-11-20T12:00:00+08:00"));
    let later = duty.w.nobody.get(&first).await.text;
    assert_eq!(uids(&later)[..3], uids(&feed.text)[..3], "the names of events stay");
    let wang = duty.w.as_person("wang.min").await;
    let second = path(&wang.post("/api/v1/feeds", &json!({ "rota_id": null })).await.ok());
    assert_eq!(duty.w.nobody.get(&first).await.status, 404, "the old address has ended");
    let whole = path(&wang.post("/api/v1/feeds", &json!({ "rota_id": duty.rota })).await.ok());
    assert!(duty.w.nobody.get(&whole).await.text.contains("SUMMARY:zhao.lei"));
    assert_eq!(items(&wang.get("/api/v1/feeds").await.ok()).len(), 2);
    assert_eq!(wang.send(Method::DELETE, "/api/v1/feeds/own", None).await.status, 204);
    assert_eq!(duty.w.nobody.get(&second).await.status, 404);
    let admin = duty.w.nobody.sign_in("admin", sitewarden_tests::world::PASSWORD).await;
    let user = format!("/api/v1/users/{}", duty.people[0]);
    admin.send(Method::PATCH, &user, Some(&json!({ "disabled": true }))).await.ok();
    assert_eq!(duty.w.nobody.get(&whole).await.status, 404, "it ends with the account");
}

async fn an_independent_reader_finds_the_shifts_that_the_page_shows(engine: Engine) {
    let duty = Duty::open(engine).await;
    // A name that has to be escaped and folded, and a day on which somebody stands in.
    let name = "一线；北门, 东门; 隧道\\匝道 ".repeat(2).trim().to_owned();
    let mut plan = super::weekly(&[&duty.people[0], &duty.people[1]]);
    plan["layers"][0]["name"] = json!(name);
    let team = json!({ "team_id": duty.team, "name": "城区值班", "plan": plan });
    let rota = text(&duty.w.admin.post("/api/v1/rotas", &team).await.ok(), "/id");
    let stand_in = json!({ "out_id": duty.people[0], "by_id": duty.people[2], "from_at": ms("2026-11-21T00:00:00+08:00"),
        "to_at": ms("2026-11-22T00:00:00+08:00"), "reason": "ill" });
    duty.w.admin.post(&format!("/api/v1/rotas/{rota}/overrides"), &stand_in).await.ok();
    let url = text(&duty.w.admin.post("/api/v1/feeds", &json!({ "rota_id": rota })).await.ok(), "/url");
    let feed = duty.w.nobody.get(&url[url.find("/c/").unwrap()..]).await.text;
    let read = read_calendar(&feed);
    assert!(text(&read, "/name").contains("城区值班"), "{read}");
    let events = read["events"].as_array().unwrap();
    let path = format!(
        "/api/v1/rotas/{rota}/shifts?from_at={}&to_at={}",
        ms("2026-11-19T03:00:00+08:00"),
        ms("2026-12-14T00:00:00+08:00")
    );
    let shown = duty.w.admin.get(&path).await.ok();
    for shift in shown["shifts"].as_array().unwrap() {
        let same = |event: &&Value| {
            let summary = text(event, "/summary");
            event["start_at"] == shift["start_at"]
                && summary.contains(&name)
                && summary.contains(&text(shift, "/name"))
        };
        let event = events.iter().find(same).unwrap_or_else(|| panic!("no event of {shift}: {read}"));
        // The page shows what lies in its span; the calendar shows the whole shift.
        assert!(event["end_at"].as_i64() >= shift["end_at"].as_i64(), "{event} {shift}");
    }
    assert!(shown["shifts"].as_array().unwrap().len() >= 5, "{shown}");
}

async fn a_turn_is_handed_over_with_its_calls_and_what_is_not_solved(engine: Engine) {
    let mut duty = Duty::open(engine).await;
    let site = duty.w.site_id("North Gate");
    for title in ["Barrier arm bent", "Door does not lock", "Label missing"] {
        let new = json!({ "site_id": site, "title": title, "severity": "minor" });
        duty.w.admin.post("/api/v1/tickets", &new).await.ok();
    }
    let wang = duty.w.as_person("wang.min").await;
    wang.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    let sun = json!({ "account_id": duty.people[2] });
    duty.w.admin.post("/api/v1/tickets/1003/assign", &sun).await.ok();
    let call = json!({ "caller": "Guard Chen", "phone": "0756-123", "ticket": "1001", "matter": "arm is bent",
        "result": "told to keep it open", "started_at": duty.w.now().as_millisecond() - 60_000, "length_s": 95 });
    let made = wang.post("/api/v1/calls", &call).await.ok();
    assert_eq!((text(&made, "/name"), text(&made, "/site")), ("wang.min".into(), "North Gate".into()));
    assert!(duty.w.story(1001).await.contains(&"call".to_owned()));
    let mut better = call.clone();
    better["length_s"] = json!(125);
    let sun = duty.w.as_person("sun.hao").await;
    let correct = format!("/api/v1/calls/{}/correct", text(&made, "/id"));
    assert_eq!(sun.post(&correct, &better).await.status, 403, "somebody else's entry");
    wang.post(&correct, &better).await.ok();
    assert_eq!(wang.post(&correct, &better).await.status, 404, "it is the corrected one that stands");
    let calls = items(&wang.get("/api/v1/calls").await.ok());
    assert_eq!((calls.len(), &calls[0]["length_s"], &calls[0]["corrected"]), (1, &json!(125), &json!(true)));

    let turn = json!({ "rota_id": duty.rota, "from_at": ms("2026-11-16T08:00:00+08:00"),
        "to_at": ms("2026-11-23T08:00:00+08:00"), "to_id": duty.people[1], "note": "the guard has a key" });
    assert_eq!(sun.post("/api/v1/handovers", &turn).await.status, 409, "no shift of sun.hao's");
    let sheet = wang.post("/api/v1/handovers", &turn).await.ok();
    let unsolved = |sheet: &Value| {
        let list = items(&json!({ "items": sheet["body"]["unsolved"] }));
        list.iter().map(|one| format!("{} {}", one["number"], one["owner"])).collect::<Vec<_>>()
    };
    assert_eq!(unsolved(&sheet), ["1001 \"wang.min\"", "1002 null"], "by name, and what nobody has taken");
    assert_eq!((&sheet["body"]["calls_s"], text(&sheet, "/state")), (&json!(125), "handed".into()));
    let path = format!("/api/v1/handovers/{}", text(&sheet, "/id"));
    assert_eq!(wang.post(&format!("{path}/accept"), &json!({})).await.status, 403, "not by oneself");
    assert_eq!(wang.send(Method::DELETE, &path, None).await.status, 204, "it can be taken back");
    let sheet = wang.post("/api/v1/handovers", &turn).await.ok();
    let path = format!("/api/v1/handovers/{}", text(&sheet, "/id"));
    let zhao = duty.w.as_person("zhao.lei").await;
    let accepted = zhao.post(&format!("{path}/accept"), &json!({ "note": "seen" })).await.ok();
    assert_eq!(text(&accepted, "/state"), "accepted");
    // Solved afterwards: the sheet says what it said, and the ticket was in the technician's name to the end.
    let closed = wang.post("/api/v1/tickets/1001/close", &json!({ "reason": "arm replaced" })).await.ok();
    assert_eq!(text(&closed, "/acked_by"), "wang.min");
    let frozen = zhao.get(&path).await.ok();
    assert_eq!(frozen["body"], accepted["body"]);
    assert_eq!(wang.send(Method::DELETE, &path, None).await.status, 409);
    assert_eq!(wang.post("/api/v1/handovers", &turn).await.status, 409);
    duty.w.settle().await;
}

async fn work_that_may_not_stop_is_handed_over_to_a_named_successor(engine: Engine) {
    let mut duty = Duty::open(engine).await;
    let site = duty.w.site_id("North Gate");
    let promised = "[contract]\nid = \"HT-5\"\nname = \"Harbour\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n\
        [work]\ncontinuous_until_restored = true\n\
        [[clock]]\nname = \"restore\"\nstart = \"reported\"\nstop = \"restored\"\ntarget = \"90h\"\n";
    let customers = items(&duty.w.admin.get("/api/v1/customers").await.ok());
    promise(&duty.w.app, &text(&customers[0], "/id"), &site, promised, duty.w.now()).await;
    let new = json!({ "site_id": site, "title": "Barrier arm bent", "severity": "minor" });
    duty.w.admin.post("/api/v1/tickets", &new).await.ok();
    let wang = duty.w.as_person("wang.min").await;
    wang.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    let turn = json!({ "rota_id": duty.rota, "from_at": ms("2026-11-16T08:00:00+08:00"),
        "to_at": ms("2026-11-23T08:00:00+08:00"), "to_id": duty.people[1], "note": "" });
    let drafted = async || {
        let (from, to) = (&turn["from_at"], &turn["to_at"]);
        let path = format!("/api/v1/handovers/draft?rota_id={}&from_at={from}&to_at={to}", duty.rota);
        wang.get(&path).await.ok()["body"]["unsolved"].clone()
    };
    assert_eq!(drafted().await[0]["needs_successor"], false, "nobody has begun");
    let there = json!({ "what": "arrived", "evidence": ["customer"] });
    wang.post("/api/v1/tickets/1001/facts", &there).await.ok();
    assert_eq!(drafted().await[0]["needs_successor"], true);
    let refused = wang.post("/api/v1/handovers", &turn).await;
    assert_eq!(refused.code(), "successor_needed", "{}", refused.text);
    assert!(refused.text.contains("#1001"), "{}", refused.text);
    let zhao = json!({ "what": "successor", "account_id": duty.people[1] });
    wang.post("/api/v1/tickets/1001/deal", &zhao).await.ok();
    assert_eq!(drafted().await, json!([]), "it stands in the name of whoever goes on with it");
    wang.post("/api/v1/handovers", &turn).await.ok();
    duty.w.settle().await;
}

async fn a_month_has_a_statement_with_the_basis_of_each_line(engine: Engine) {
    let mut duty = Duty::open(engine).await;
    let statement = async |who: &Client| who.get("/api/v1/statements?month=2026-11").await.ok();
    let wang = duty.w.as_person("wang.min").await;
    assert_eq!(statement(&wang).await["items"], json!([]), "without terms there is nothing to read");
    let office = "name = \"Office\"\nzone = \"Asia/Shanghai\"\nholidays = \"CN\"\n[week]\nmonday = [\"08:30-18:00\"]\n\
                  tuesday = [\"08:30-18:00\"]\nwednesday = [\"08:30-18:00\"]\nthursday = [\"08:30-18:00\"]\nfriday = [\"08:30-18:00\"]";
    let mut terms = json!({ "allowance_fen": 30_000, "allowance_by_share": false, "complaint_fen": 5_000,
        "absence_fen": 20_000, "unreachable_fen": 10_000, "ordinary_hour_fen": 4_500, "rest_hour_fen": 6_000,
        "statutory_hour_fen": 9_000, "calendar": office });
    let set = async |admin: &Client, terms: &Value, account: Option<&str>| {
        let new = json!({ "account_id": account, "from_month": "2026-11", "terms": terms });
        admin.post("/api/v1/duty_terms", &new).await
    };
    assert_eq!(set(&duty.w.admin, &terms, None).await.status, 204);
    duty.turn_to("2026-11-22T00:30:00+08:00").await;
    let wang = duty.w.as_person("wang.min").await;
    // Friday 23:00 to Saturday 00:30: an hour of a working day, half an hour of a rest day.
    let fact = |kind: &str, from: &str, to: Option<&str>| json!({ "account_id": duty.people[0], "kind": kind, "from_at": ms(from), "to_at": to.map(ms), "note": "as agreed" });
    let overtime = fact("overtime", "2026-11-20T23:00:00+08:00", Some("2026-11-21T00:30:00+08:00"));
    wang.post("/api/v1/duty_facts", &overtime).await.ok();
    let off = fact("unreachable", "2026-11-21T10:00:00+08:00", None);
    assert_eq!(wang.post("/api/v1/duty_facts", &off).await.status, 403, "recorded by who leads the rota");
    let off = duty.w.admin.post("/api/v1/duty_facts", &off).await.ok();
    let complaint = fact("complaint", "2026-11-21T12:00:00+08:00", None);
    duty.w.admin.post("/api/v1/duty_facts", &complaint).await.ok();
    let amounts = |statement: &Value| -> Vec<(String, i64)> {
        let lines = items(&json!({ "items": statement["items"][0]["lines"] }));
        lines.iter().map(|line| (text(line, "/kind"), line["amount_fen"].as_i64().unwrap())).collect()
    };
    let now = statement(&wang).await;
    let told = [
        ("allowance", 30_000),
        ("overtime_ordinary", 4_500),
        ("overtime_rest", 3_000),
        ("unreachable", -10_000),
        ("complaint", -5_000),
    ];
    assert_eq!(amounts(&now), told.map(|(kind, fen)| (kind.to_owned(), fen)));
    assert_eq!(
        (&now["items"][0]["total_fen"], &now["items"][0]["provisional"]),
        (&json!(22_500), &json!(true))
    );
    assert_eq!(
        items(&statement(&duty.w.admin).await).len(),
        4,
        "the administrator sees all, and an own empty one"
    );

    let withdraw = format!("/api/v1/duty_facts/{}/withdraw", text(&off, "/id"));
    duty.w.admin.post(&withdraw, &json!({ "reason": "the network was down" })).await;
    let close = format!("/api/v1/statements/{}/close?month=2026-11", duty.people[0]);
    assert_eq!(duty.w.admin.post(&close, &json!({})).await.status, 409, "the month is not over");
    duty.turn_to("2026-12-02T00:00:00+08:00").await;
    assert_eq!(duty.w.admin.post(&close, &json!({})).await.ok()["total_fen"], 32_500);
    assert_eq!(duty.w.admin.post(&close, &json!({})).await.status, 409);
    terms["allowance_fen"] = json!(1);
    assert_eq!(set(&duty.w.admin, &terms, None).await.status, 204);
    let wang = duty.w.as_person("wang.min").await;
    assert_eq!(statement(&wang).await["items"][0]["total_fen"], 32_500, "closed is closed");
    terms["rest_hour_fen"] = json!(-1);
    assert_eq!(set(&duty.w.admin, &terms, None).await.status, 400);
}
