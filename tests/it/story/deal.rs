//! What is settled with a customer over a ticket: who pays, plan and fee before work, consents, a substitute device, who
//! goes on at the end of a shift, and what a breach costs; and what a machine may say of a ticket that a person opened.

use serde_json::{Value, json};
use sitewarden_tests::client::Client;
use sitewarden_tests::database::Engine;
use sitewarden_tests::promise::promise;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![
    a_fee_is_agreed_before_work_and_a_wrong_diagnosis_is_ours,
    a_substitute_device_is_owed_by_a_clock_and_comes_back_after_the_repair,
    work_that_may_not_stop_needs_a_named_successor,
    a_breach_is_estimated_and_a_person_grants_it,
    what_works_again_by_measurement_is_confirmed_by_a_person,
];

const CONTRACT: &str = "[contract]\nid = \"HT-1\"\nname = \"Harbour\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\ntotal = \"100000.00\"\n\
    [[clock]]\nname = \"arrive\"\ntitle = \"On site\"\nstart = \"reported\"\nstop = \"arrived\"\ntarget = \"30m\"\n\
    [[clock]]\nname = \"restore\"\ntitle = \"Restored\"\nstart = \"reported\"\nstop = \"restored\"\ntarget = \"48h\"\n\
    [work]\ncontinuous_until_restored = true\n\
    [warranty]\nlength = \"1y\"\n[[warranty.anchor]]\nevent = \"acceptance\"\n\
    [warranty.on_replace]\nlength = \"1y\"\nfrom = \"replaced\"\n\
    [[warranty.exclude]]\ncause = \"misuse\"\ncharge = \"list\"\n\
    [loaner]\nafter = \"restore > 2h\"\nreturn_after = [\"repaired\", \"burn_in\"]\ncustomer_liable = true\n\
    [letter]\nrounds = 3\nmisdiagnosis = \"ours\"\n\
    [prices]\ntax = \"excluded\"\n\
    [[price]]\nitem = \"labour\"\ntitle = \"Labour\"\nunit = \"started_hour\"\namount = \"200.00\"\n\
    [penalties]\ncap = \"2%\"\napproval = \"manager\"\n\
    [[penalties.rule]]\nclock = \"arrive\"\nrate = \"1%\"\nof = \"contract_total\"\nper = \"case\"\n";

/// A promised ticket that `li.wei` opened and has.
async fn ticket(engine: Engine) -> (World, Client) {
    let mut w = World::usual(engine).await;
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    promise(&w.app, &text(&customers[0], "/id"), &w.site_id("North Gate"), CONTRACT, w.now()).await;
    let li = another(&mut w, None).await;
    (w, li)
}

async fn another(w: &mut World, device: Option<&str>) -> Client {
    let li = w.as_person("li.wei").await;
    let new = json!({ "site_id": w.site_id("North Gate"), "device_id": device, "title": "Barrier arm bent", "severity": "major" });
    let number = li.post("/api/v1/tickets", &new).await.ok()["number"].as_i64().unwrap();
    w.settle().await;
    w.pager.expect("li.wei", &[&format!("#{number}")]);
    li.post(&format!("/api/v1/tickets/{number}/ack"), &json!({})).await.ok();
    li
}

async fn deal(who: &Client, body: &Value) -> Value {
    who.post("/api/v1/tickets/1001/deal", body).await.ok()
}

async fn refused(who: &Client, body: &Value, code: &str) {
    let answer = who.post("/api/v1/tickets/1001/deal", body).await;
    assert_eq!(answer.code(), code, "{body}: {}", answer.text);
}

async fn say(who: &Client, what: &str) -> Value {
    let fact = json!({ "what": what, "evidence": ["customer"] });
    who.post("/api/v1/tickets/1001/facts", &fact).await.ok()
}

async fn done(w: &mut World, li: &Client) {
    say(li, "arrived").await;
    say(li, "restored").await;
    w.forward_minutes(5).await;
}

fn offer(plan: &str) -> Value {
    json!({ "what": "offer", "plan": plan, "lines": [{ "item": "labour", "time": "2h30m" }] })
}

async fn a_fee_is_agreed_before_work_and_a_wrong_diagnosis_is_ours(engine: Engine) {
    let (mut w, li) = ticket(engine).await;
    refused(&li, &offer("a new arm"), "coverage_open").await;
    // Nobody knows why it broke: the contract does not decide that, a person does.
    let asked = json!({ "what": "coverage", "cause": "unknown", "anchored_on": "2026-01-05" });
    let now = deal(&li, &asked).await;
    assert_eq!(text(&now, "/coverage/outcome"), "needs_person", "{now}");
    refused(&li, &offer("a new arm"), "coverage_open").await;
    let worn = json!({ "what": "coverage", "cause": "wear", "anchored_on": "2026-01-05" });
    assert_eq!(text(&deal(&li, &worn).await, "/coverage/outcome"), "free");
    refused(&li, &offer("a new arm"), "free").await;
    // A lorry drove into it.
    let misuse =
        json!({ "what": "coverage", "cause": "misuse", "anchored_on": "2026-01-05", "component": "arm" });
    let now = deal(&li, &misuse).await;
    assert_eq!(text(&now, "/coverage/outcome"), "chargeable", "{now}");
    assert_eq!(text(&now, "/coverage/rights/0/until"), "2027-01-05");

    let now = deal(&li, &offer("a new arm")).await;
    assert_eq!((now["offers"][0]["fee_fen"].clone(), now["owed_fen"].clone()), (60_000.into(), Value::Null));
    refused(&li, &offer("another"), "waits").await;
    let no = json!({ "accepted": false, "by": "Ms Zhou", "evidence": "call" });
    li.post("/api/v1/tickets/1001/deal/answer", &no).await.ok();
    let again = li.post("/api/v1/tickets/1001/deal/answer", &no).await;
    assert_eq!(again.code(), "no_offer", "{}", again.text);
    deal(&li, &offer("straighten it")).await;
    // The customer says it in their own name.
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    w.person("zhou", "customer", Some(&text(&customers[0], "/id"))).await;
    let zhou = w.as_person("zhou").await;
    let yes = json!({ "accepted": true, "by": "somebody else" });
    let now = zhou.post("/api/v1/tickets/1001/deal/answer", &yes).await.ok();
    assert_eq!(
        [text(&now, "/offers/1/answer/by"), text(&now, "/offers/1/answer/evidence")],
        ["zhou", "account"]
    );
    assert_eq!(now["owed_fen"], 60_000);

    // No part without a consent; what was replaced has its own term.
    let part = json!({ "what": "replaced", "component": "arm", "with": "arm-2" });
    let answer = li.post("/api/v1/tickets/1001/deal", &part).await;
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert!(answer.text.contains("consent"), "{}", answer.text);
    let part = json!({ "what": "replaced", "component": "arm", "with": "arm-2", "consent": "Ms Zhou" });
    deal(&li, &part).await;
    let next =
        json!({ "what": "coverage", "cause": "wear", "anchored_on": "2026-01-05", "component": "arm-2" });
    let now = deal(&li, &next).await;
    let rights = now["coverage"]["rights"].as_array().unwrap();
    assert_eq!(rights.len(), 2, "the term of the device and that of the new part: {now}");
    let wrong = json!({ "what": "misdiagnosis", "reason": "it was the cable" });
    assert_eq!(deal(&li, &wrong).await["owed_fen"], 0);
    // What a person decides stands over what the contract said.
    let ruling = json!({ "what": "coverage", "outcome": "chargeable", "reason": "lightning" });
    let now = w.admin.post("/api/v1/tickets/1001/deal/ruling", &ruling).await.ok();
    assert_eq!(
        (now["coverage"]["ruled"].clone(), text(&now, "/coverage/cause")),
        (true.into(), "wear".into())
    );
    done(&mut w, &li).await;
}

async fn a_substitute_device_is_owed_by_a_clock_and_comes_back_after_the_repair(engine: Engine) {
    let (mut w, li) = ticket(engine).await;
    say(&li, "arrived").await;
    let clocks = w.admin.get("/api/v1/tickets/1001/clocks").await.ok();
    let loaner = clocks["clocks"].as_array().unwrap().iter().find(|one| one["name"] == "loaner").unwrap();
    assert_eq!(loaner["budget_s"], 7_200, "its clock is part of the contract: {loaner}");
    for (minutes, share) in [(60, "50 %"), (30, "75 %"), (18, "90 %")] {
        w.forward_minutes(minutes).await;
        w.pager.expect("li.wei", &["#1001", "Substitute device", share]);
    }
    w.forward_minutes(13).await;
    w.pager.expect("li.wei", &["#1001", "overdue", "Substitute device"]);
    let now = w.admin.get("/api/v1/tickets/1001/deal").await.ok();
    assert!(now["loaner"]["owed_at"].is_i64(), "{now}");
    refused(&li, &json!({ "what": "loaner_back" }), "not_possible").await;
    let now = deal(&li, &json!({ "what": "loaner_out", "device": "spare-7" })).await;
    assert_eq!(
        (now["loaner"]["is_out"].clone(), now["loaner"]["owed_at"].clone()),
        (true.into(), Value::Null)
    );
    refused(&li, &json!({ "what": "loaner_out", "device": "spare-8" }), "not_possible").await;
    refused(&li, &json!({ "what": "loaner_back" }), "not_yet").await;
    say(&li, "repaired").await;
    say(&li, "burn_in").await;
    let now = deal(&li, &json!({ "what": "loaner_back", "damaged": true })).await;
    assert_eq!(
        (
            now["loaner"]["is_out"].clone(),
            now["loaner"]["liable"].clone(),
            text(&now, "/loaner/moves/1/device")
        ),
        (false.into(), true.into(), "spare-7".into())
    );
    done(&mut w, &li).await;
}

async fn work_that_may_not_stop_needs_a_named_successor(engine: Engine) {
    let (mut w, li) = ticket(engine).await;
    say(&li, "arrived").await;
    let back = json!({ "reason": "my shift is over" });
    let answer = li.post("/api/v1/tickets/1001/hand-back", &back).await;
    assert_eq!(answer.code(), "successor_needed", "{}", answer.text);
    assert_eq!(li.get("/api/v1/tickets/1001/deal").await.ok()["must_go_on"], true);
    let chen = w.person("chen.yu", "technician", None).await;
    deal(&li, &json!({ "what": "successor", "account_id": chen })).await;
    assert_eq!(text(&w.ticket(1001).await, "/assignee"), "chen.yu");
    say(&li, "restored").await;
    assert_eq!(li.get("/api/v1/tickets/1001/deal").await.ok()["must_go_on"], false);
    w.forward_minutes(5).await;
}

async fn a_breach_is_estimated_and_a_person_grants_it(engine: Engine) {
    let (mut w, li) = ticket(engine).await;
    for (minutes, share) in [(15, "50 %"), (8, "75 %"), (5, "90 %")] {
        w.forward_minutes(minutes).await;
        w.pager.expect("li.wei", &["#1001", "On site", share]);
    }
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "overdue", "On site"]);
    let now = li.get("/api/v1/tickets/1001/deal").await.ok();
    let penalty = &now["penalties"][0];
    // 1 % of 100,000 yuan is 1,000.
    assert_eq!(
        (penalty["fen"].clone(), text(penalty, "/approval")),
        (100_000.into(), "manager".into()),
        "{now}"
    );
    assert!(text(penalty, "/evidence").contains("was due at"), "{now}");
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    w.person("zhou", "customer", Some(&text(&customers[0], "/id"))).await;
    let zhou = w.as_person("zhou").await;
    let seen = zhou.get("/api/v1/tickets/1001/deal").await.ok();
    assert_eq!(seen["penalties"], json!([]), "an estimate is nobody's but ours");
    let ruling = json!({ "what": "penalty", "of": "arrive", "granted": true, "reason": "we were late" });
    let more =
        json!({ "what": "penalty", "of": "arrive", "granted": true, "fen": 100_001, "reason": "more" });
    assert_eq!(w.admin.post("/api/v1/tickets/1001/deal/ruling", &more).await.status, 400);
    let now = w.admin.post("/api/v1/tickets/1001/deal/ruling", &ruling).await.ok();
    assert_eq!(now["penalties"][0]["decision"]["fen"], 100_000, "{now}");
    let seen = zhou.get("/api/v1/tickets/1001/deal").await.ok();
    assert_eq!(seen["penalties"][0]["decision"]["granted"], true);
    done(&mut w, &li).await;
}

async fn what_works_again_by_measurement_is_confirmed_by_a_person(engine: Engine) {
    let (mut w, _) = ticket(engine).await;
    let li = w.as_person("li.wei").await;
    done(&mut w, &li).await;
    let device = w.device("North Gate", "cam-3").await;
    another(&mut w, Some(&device)).await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1003", "cam-3"]);
    w.device_comes_back("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1003", "over"]);
    let now = w.admin.get("/api/v1/tickets/1002/clocks").await.ok();
    assert_eq!(text(&w.ticket(1002).await, "/state"), "acked", "a machine closes nobody's ticket");
    let since = now["works_since"].as_i64().unwrap_or_else(|| panic!("{now}"));
    let restore = |now: &Value| {
        let clocks = now["clocks"].as_array().unwrap();
        clocks.iter().find(|one| one["name"] == "restore").unwrap().clone()
    };
    assert_eq!(text(&restore(&now), "/state"), "running", "a person confirms it first");
    let confirm = json!({ "what": "restored", "occurred_at": since, "evidence": ["telemetry", "customer"] });
    let now = li.post("/api/v1/tickets/1002/facts", &confirm).await.ok();
    assert_eq!(
        (restore(&now)["stopped_at"].clone(), now["works_since"].clone()),
        (since.into(), Value::Null)
    );
    say(&li, "arrived").await;
    let arrived = json!({ "what": "arrived" });
    li.post("/api/v1/tickets/1002/facts", &arrived).await.ok();
    w.forward_minutes(5).await;
}
