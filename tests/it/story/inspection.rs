//! Inspections that a contract owes, from the day they are counted from to the day they are done, missed or waived. The
//! server may be down for days, the contract be written anew, the customer move a day, the site be closed: each is owed
//! once, and none is lost.

mod act;
mod hand;
mod sheet;
mod year;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sitewarden_server::contract::template;
use sitewarden_tests::client::Client;
use sitewarden_tests::database::Engine;
use sitewarden_tests::promise::{another, promise};
use sitewarden_tests::stories;
use sitewarden_tests::world::{PASSWORD, World, items, text};

stories![
    phases_from_the_31st_wait_for_their_day_and_show_their_gap,
    a_leap_day_and_the_last_of_december_do_not_drift,
    days_without_the_server_lose_nothing_and_double_nothing,
    one_visit_does_the_work_of_two_rules,
    a_plan_that_is_edited_in_mid_year_owes_nothing_twice,
    a_renewed_contract_goes_on_counting,
    a_site_that_is_closed_is_inspected_when_it_opens,
];

const HEAD: &str =
    "[contract]\nid = \"HT-9\"\nname = \"Harbour\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n";

/// A customer with a site and no gateway, since the server is away for days here; Thursday 19 November 2026.
async fn quiet(engine: Engine) -> World {
    let mut w = World::new(engine).await;
    let customer = w.customer("Harbour Office").await;
    w.site(&customer, "North Gate", "北门站").await;
    w.person("li.wei", "noc", None).await;
    w
}

/// A contract at the North Gate whose rules are counted from a day.
async fn owed(w: &mut World, text_of: &str, commissioned: &str) -> String {
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    let contract =
        promise(&w.app, &text(&customers[0], "/id"), &w.site_id("North Gate"), text_of, w.now()).await;
    soon(w).await;
    if !commissioned.is_empty() {
        anchor(w, &contract, commissioned).await;
    }
    contract
}

async fn anchor(w: &World, contract: &str, day: &str) -> Vec<Value> {
    let body = json!({ "contract_id": contract, "site_id": w.site_id("North Gate"), "event": "commissioned", "day": day });
    items(&w.admin.put("/api/v1/inspections/anchors", &body).await.ok())
}

fn monthly(more: &str) -> String {
    format!("{HEAD}[[inspect]]\nname = \"m\"\nfrom = \"commissioned\"\nevery = \"1mo\"\n{more}")
}

/// A minute later the engine has looked.
async fn soon(w: &mut World) {
    w.app.clock.set(w.now() + SignedDuration::from_secs(61));
    w.settle().await;
}

/// The server was away until then; whoever was signed in signs in again.
async fn away_until(w: &mut World, then: &str) {
    w.app.clock.set(then.parse::<Timestamp>().unwrap());
    w.settle().await;
    w.admin = w.nobody.sign_in("admin", PASSWORD).await;
}

async fn list(w: &World, more: &str) -> Vec<Value> {
    items(&w.admin.get(&format!("/api/v1/inspections{more}")).await.ok())
}

/// `rule n state day (window)`.
fn line(one: &Value) -> String {
    let part = |key: &str| text(one, key);
    format!(
        "{} {} {} {} ({} to {})",
        part("/rule"),
        one["n"],
        part("/state"),
        part("/day"),
        part("/window_from"),
        part("/window_to")
    )
}

async fn lines(w: &World, contract: &str) -> Vec<String> {
    list(w, &format!("?contract_id={contract}")).await.iter().map(line).collect()
}

async fn one(w: &World, contract: &str, rule: &str, n: i64) -> Value {
    let all = list(w, &format!("?contract_id={contract}")).await;
    all.into_iter().find(|one| one["rule"] == rule && one["n"] == n).unwrap()
}

async fn told(w: &World, one: &Value) -> Value {
    w.admin.get(&format!("/api/v1/inspections/{}", text(one, "/id"))).await.ok()
}

fn kinds(story: &Value) -> Vec<String> {
    story["events"].as_array().unwrap().iter().map(|event| text(event, "/kind")).collect()
}

async fn act(by: &Client, one: &Value, step: &str, body: Value) -> Value {
    by.post(&format!("/api/v1/inspections/{}/{step}", text(one, "/id")), &body).await.ok()
}

async fn refused(by: &Client, one: &Value, step: &str, body: Value) -> String {
    let answer = by.post(&format!("/api/v1/inspections/{}/{step}", text(one, "/id")), &body).await;
    assert!(!answer.status.is_success(), "{}", answer.text);
    answer.code()
}

async fn phases_from_the_31st_wait_for_their_day_and_show_their_gap(engine: Engine) {
    let mut w = quiet(engine).await;
    let contract = owed(&mut w, template::find("intelligent-building").unwrap().text, "").await;
    let plans = items(&w.admin.get("/api/v1/inspections/plans").await.ok());
    let waiting: Vec<String> =
        plans[0]["waiting"].as_array().unwrap().iter().map(|one| text(one, "/rule")).collect();
    assert_eq!(waiting, ["first_month", "second_month", "monthly", "half_year", "annual"]);
    // What needs no day of commissioning is planned: three months from when service began.
    assert_eq!(lines(&w, &contract).await, ["quarterly 1 due 2027-01-19 (2026-11-19 to 2027-02-18)"]);

    let plans = anchor(&w, &contract, "2026-10-31").await;
    assert!(plans[0]["waiting"].as_array().unwrap().is_empty());
    assert_eq!(
        plans[0]["gaps"],
        json!([{ "from": "2026-12-26", "to": "2026-12-30", "after": "second_month", "before": "monthly" }])
    );
    assert_eq!(
        lines(&w, &contract).await,
        [
            // It has begun and goes on: from today on.
            "first_month 1 proposed 2026-11-19 (2026-10-31 to 2026-11-27)",
            "second_month 1 proposed 2026-11-30 (2026-11-28 to 2026-12-04)",
            "second_month 2 due 2026-12-07 (2026-12-05 to 2026-12-11)",
            "second_month 3 due 2026-12-14 (2026-12-12 to 2026-12-18)",
            "second_month 4 due 2026-12-21 (2026-12-19 to 2026-12-25)",
            "monthly 1 due 2026-12-31 (2026-12-31 to 2027-01-30)",
            // The first monthly visit lies within the quarter and does its work.
            "quarterly 1 merged 2026-12-31 (2026-11-19 to 2027-02-18)",
            // 31 January is a Sunday.
            "monthly 2 due 2027-02-01 (2027-01-31 to 2027-02-27)",
        ]
    );
    let quarter = told(&w, &one(&w, &contract, "quarterly", 1).await).await;
    assert_eq!(kinds(&quarter), ["planned", "replanned", "merged"]);
    let host = told(&w, &one(&w, &contract, "monthly", 1).await).await;
    assert_eq!(text(&host, "/carries/0/rule"), "quarterly");
}

async fn a_leap_day_and_the_last_of_december_do_not_drift(engine: Engine) {
    let mut w = quiet(engine).await;
    let leap = owed(&mut w, &monthly(""), "2024-02-29").await;
    assert_eq!(
        lines(&w, &leap).await,
        [
            "m 33 proposed 2026-11-19 (2026-10-29 to 2026-11-28)",
            "m 34 proposed 2026-11-30 (2026-11-29 to 2026-12-28)",
            "m 35 due 2026-12-29 (2026-12-29 to 2027-01-28)",
            "m 36 due 2027-01-29 (2027-01-29 to 2027-02-27)",
        ]
    );
    let last = owed(&mut w, &monthly(""), "2025-12-31").await;
    assert_eq!(
        lines(&w, &last).await,
        [
            "m 11 proposed 2026-11-19 (2026-10-31 to 2026-11-29)",
            "m 12 proposed 2026-11-30 (2026-11-30 to 2026-12-30)",
            "m 13 due 2026-12-31 (2026-12-31 to 2027-01-30)",
            "m 14 due 2027-02-01 (2027-01-31 to 2027-02-27)",
        ]
    );
    // A hundred days later more is seen, and what was seen before is the same row.
    let before = list(&w, &format!("?contract_id={leap}")).await;
    away_until(&mut w, "2026-12-20T04:00:00Z").await;
    let after = list(&w, &format!("?contract_id={leap}")).await;
    assert!(after.len() > before.len());
    for (was, is) in before.iter().zip(&after) {
        assert_eq!((&was["id"], &was["n"], &was["window_from"]), (&is["id"], &is["n"], &is["window_from"]));
    }
    assert_eq!(line(&after[4]), "m 37 due 2027-03-01 (2027-02-28 to 2027-03-28)");
}

async fn days_without_the_server_lose_nothing_and_double_nothing(engine: Engine) {
    let mut w = quiet(engine).await;
    let weekly = format!("{HEAD}[[inspect]]\nname = \"w\"\nfrom = \"commissioned\"\nevery = \"1w\"\n");
    let contract = owed(&mut w, &weekly, "2026-11-02").await;
    // Mondays from 23 November to 22 February, and the week that had begun.
    let numbers = async |w: &World| -> Vec<i64> {
        let all = list(w, &format!("?contract_id={contract}")).await;
        all.iter().filter_map(|one| one["n"].as_i64()).collect()
    };
    assert_eq!(numbers(&w).await, (3..=17).collect::<Vec<_>>());

    away_until(&mut w, "2026-11-22T18:00:00Z").await;
    assert_eq!(line(&one(&w, &contract, "w", 3).await), "w 3 missed 2026-11-19 (2026-11-16 to 2026-11-22)");
    away_until(&mut w, "2026-12-03T02:00:00Z").await;
    assert_eq!(numbers(&w).await, (3..=19).collect::<Vec<_>>());
    let all = lines(&w, &contract).await;
    assert_eq!(
        all[..5],
        [
            "w 3 missed 2026-11-19 (2026-11-16 to 2026-11-22)",
            "w 4 missed 2026-11-23 (2026-11-23 to 2026-11-29)",
            // Its day has passed, its week has not.
            "w 5 proposed 2026-11-30 (2026-11-30 to 2026-12-06)",
            "w 6 proposed 2026-12-07 (2026-12-07 to 2026-12-13)",
            "w 7 proposed 2026-12-14 (2026-12-14 to 2026-12-20)",
        ]
    );
    for _ in 0..3 {
        soon(&mut w).await;
        assert_eq!(lines(&w, &contract).await, all);
    }
    // Away for longer than was planned ahead: every week has its row, and the empty ones say that they were missed.
    away_until(&mut w, "2027-06-02T02:00:00Z").await;
    let all = list(&w, &format!("?contract_id={contract}")).await;
    let numbers: Vec<i64> = all.iter().filter_map(|one| one["n"].as_i64()).collect();
    assert_eq!(numbers, (3..=45).collect::<Vec<_>>());
    let missed = all.iter().filter(|one| one["state"] == "missed").count();
    // The week of 31 May goes on.
    assert_eq!(missed, (3..=30).count());
    assert_eq!(kinds(&told(&w, &all[25]).await), ["planned", "missed"]);
}

async fn one_visit_does_the_work_of_two_rules(engine: Engine) {
    let mut w = quiet(engine).await;
    w.person("wang.min", "technician", None).await;
    let rules =
        monthly("[[inspect]]\nname = \"q\"\nfrom = \"commissioned\"\nevery = \"3mo\"\nkind = \"upkeep\"\n");
    let contract = owed(&mut w, &rules, "2026-12-01").await;
    assert_eq!(
        lines(&w, &contract).await,
        [
            "m 1 proposed 2026-12-01 (2026-12-01 to 2026-12-31)",
            "m 2 due 2027-01-01 (2027-01-01 to 2027-01-31)",
            "m 3 due 2027-02-01 (2027-02-01 to 2027-02-28)",
            "q 1 merged 2027-02-01 (2026-12-01 to 2027-02-28)",
        ]
    );
    let quarter = one(&w, &contract, "q", 1).await;
    let li = w.as_person("li.wei").await;
    assert_eq!(refused(&li, &quarter, "done", json!({ "on": "2026-12-01" })).await, "not_possible");
    let third = one(&w, &contract, "m", 3).await;
    assert_eq!(refused(&li, &third, "agree", json!({})).await, "bad_request", "nobody consented");
    let yes = json!({ "by": "Ms Zhou", "evidence": "call", "day": "2027-02-01" });
    let agreed = act(&li, &third, "agree", yes.clone()).await;
    assert_eq!((text(&agreed, "/state"), text(&agreed, "/visit_state")), ("agreed".into(), "planned".into()));
    assert_eq!(text(&agreed, "/carries/0/id"), text(&quarter, "/id"));
    let record = agreed["events"].as_array().unwrap();
    let event = record.iter().rfind(|event| event["kind"] == "agreed").unwrap();
    assert_eq!(
        [text(event, "/actor"), text(event, "/body/by"), text(event, "/body/evidence")],
        ["li.wei", "Ms Zhou", "call"]
    );
    // A ticket of its own, that wakes nobody and on which no clock runs.
    let number = agreed["ticket_number"].as_i64().unwrap();
    let ticket = w.ticket(number).await;
    assert_eq!((text(&ticket, "/origin"), text(&ticket, "/severity")), ("inspection".into(), "minor".into()));
    assert!(text(&ticket, "/title").contains("m 3 + q 1"), "{ticket}");
    assert_eq!(w.story(number).await, ["inspection_due", "visit", "not_paged"]);
    assert_eq!(refused(&li, &third, "agree", yes).await, "not_possible");

    away_until(&mut w, "2027-02-01T02:00:00Z").await;
    let wang = w.as_person("wang.min").await;
    let visit = format!("/api/v1/visits/{}", text(&agreed, "/visit_id"));
    let planned = wang.get(&visit).await.ok();
    // Nine in the morning at the site.
    assert_eq!(planned["planned_at"], "2027-02-01T01:00:00Z".parse::<Timestamp>().unwrap().as_millisecond());
    let proof = json!([{ "kind": "customer", "by": "Ms Zhou" }]);
    let steps = [
        ("accepted", json!([])),
        ("departed", json!([])),
        ("arrived", proof),
        ("working", json!([])),
        ("done", json!([])),
    ];
    for (at, (kind, evidence)) in steps.into_iter().enumerate() {
        let step = format!("{visit}/steps/5f0e0000-0000-4000-8000-{at:012}");
        wang.put(&step, &json!({ "kind": kind, "evidence": evidence })).await.ok();
    }
    soon(&mut w).await;
    assert_eq!(
        lines(&w, &contract).await[..4],
        [
            "m 1 missed 2026-12-01 (2026-12-01 to 2026-12-31)",
            "m 2 missed 2027-01-01 (2027-01-01 to 2027-01-31)",
            "m 3 done 2027-02-01 (2027-02-01 to 2027-02-28)",
            "q 1 done 2027-02-01 (2026-12-01 to 2027-02-28)",
        ]
    );
    assert_eq!(kinds(&told(&w, &quarter).await), ["planned", "merged", "done"]);
}

async fn a_plan_that_is_edited_in_mid_year_owes_nothing_twice(engine: Engine) {
    let mut w = quiet(engine).await;
    let quarterly = monthly("").replace("1mo", "3mo");
    let contract = owed(&mut w, &quarterly, "2026-12-01").await;
    let kept = owed(&mut w, &quarterly, "2026-12-01").await;
    let before = ["m 1 due 2027-02-01 (2026-12-01 to 2027-02-28)"];
    assert_eq!(lines(&w, &contract).await, before);
    let li = w.as_person("li.wei").await;
    act(&li, &one(&w, &kept, "m", 1).await, "agree", json!({ "by": "Ms Zhou", "evidence": "call" })).await;

    let from = "2026-12-31T16:00:00Z".parse().unwrap();
    for contract in [&contract, &kept] {
        another(&w.app, contract, &monthly(""), from).await;
    }
    soon(&mut w).await;
    let anew =
        ["m 2 due 2027-01-01 (2027-01-01 to 2027-01-31)", "m 3 due 2027-02-01 (2027-02-01 to 2027-02-28)"];
    assert_eq!(lines(&w, &contract).await, anew);
    let dropped = list(&w, &format!("?contract_id={contract}&state=dropped")).await;
    assert_eq!(
        dropped.iter().map(line).collect::<Vec<_>>(),
        ["m 1 dropped 2027-02-01 (2026-12-01 to 2027-02-28)"]
    );
    // What the customer had agreed to stays.
    let standing = lines(&w, &kept).await;
    assert_eq!(standing.len(), 3);
    assert!(
        standing.contains(&"m 1 agreed 2027-02-01 (2026-12-01 to 2027-02-28)".to_owned()),
        "{standing:?}"
    );
    // The old text again, from the same day on: the row that was dropped stands again, and the others go.
    another(&w.app, &contract, &quarterly, from).await;
    soon(&mut w).await;
    assert_eq!(lines(&w, &contract).await, before);
    assert_eq!(list(&w, &format!("?contract_id={contract}&state=dropped")).await.len(), 2);
    let back = told(&w, &one(&w, &contract, "m", 1).await).await;
    assert_eq!(kinds(&back), ["planned", "dropped", "restored"]);
}

async fn a_renewed_contract_goes_on_counting(engine: Engine) {
    let mut w = quiet(engine).await;
    let until = |last: &str| {
        monthly("")
            .replace("zone = \"Asia/Shanghai\"\n", &format!("zone = \"Asia/Shanghai\"\nends = \"{last}\"\n"))
    };
    let contract = owed(&mut w, &until("2026-12-31"), "2026-10-10").await;
    let first = [
        "m 2 proposed 2026-11-19 (2026-11-10 to 2026-12-09)",
        "m 3 due 2026-12-10 (2026-12-10 to 2026-12-31)",
    ];
    assert_eq!(lines(&w, &contract).await, first);
    let ids: Vec<Value> =
        list(&w, &format!("?contract_id={contract}")).await.iter().map(|one| one["id"].clone()).collect();
    another(&w.app, &contract, &until("2027-12-31"), "2026-12-31T16:00:00Z".parse().unwrap()).await;
    soon(&mut w).await;
    let all = list(&w, &format!("?contract_id={contract}")).await;
    assert_eq!(
        all.iter().map(line).collect::<Vec<_>>(),
        [
            first[0],
            first[1],
            "m 4 due 2027-01-11 (2027-01-10 to 2027-02-09)",
            "m 5 due 2027-02-10 (2027-02-10 to 2027-03-09)",
        ]
    );
    assert_eq!([&all[0]["id"], &all[1]["id"]], [&ids[0], &ids[1]]);
}

async fn a_site_that_is_closed_is_inspected_when_it_opens(engine: Engine) {
    let mut w = quiet(engine).await;
    let weekly = format!("{HEAD}[[inspect]]\nname = \"w\"\nfrom = \"commissioned\"\nevery = \"1w\"\n");
    let contract = owed(&mut w, &weekly, "2026-11-23").await;
    let li = w.as_person("li.wei").await;
    let third = one(&w, &contract, "w", 3).await;
    act(&li, &third, "agree", json!({ "by": "Ms Zhou", "evidence": "call" })).await;
    let path = format!("/api/v1/sites/{}/closures", w.site_id("North Gate"));
    let closed = json!({ "from": "2026-11-30", "to": "2026-12-08", "reason": "stocktaking" });
    let made = items(&li.post(&path, &closed).await.ok());
    soon(&mut w).await;
    let second = one(&w, &contract, "w", 2).await;
    assert_eq!(line(&second), "w 2 proposed 2026-12-09 (2026-11-30 to 2026-12-06)");
    assert_eq!(second["outside"], true);
    // What the customer agreed to is the customer's to move.
    assert_eq!(text(&one(&w, &contract, "w", 3).await, "/day"), "2026-12-07");
    let events = told(&w, &second).await;
    let last = events["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((text(&last, "/kind"), text(&last, "/body/was")), ("replanned".into(), "2026-11-30".into()));
    let other = json!({ "from": "2026-12-08", "to": "2026-12-01", "reason": "none" });
    assert_eq!(li.post(&path, &other).await.status.as_u16(), 400);
    let revoke = format!("{path}/{}", text(&made[0], "/id"));
    assert_eq!(li.send(axum::http::Method::DELETE, &revoke, None).await.status.as_u16(), 204);
    soon(&mut w).await;
    assert_eq!(line(&one(&w, &contract, "w", 2).await), "w 2 proposed 2026-11-30 (2026-11-30 to 2026-12-06)");
    assert_eq!(
        list(&w, &format!("?contract_id={contract}")).await.iter().filter(|one| one["n"] == 2).count(),
        1
    );
}
