//! What was taken out of a customer's system: repaired, run in, refitted, with the factory's own work order where it was
//! there; nothing goes back before it has run, and its warranty begins anew with the day it is back.

use serde_json::{Value, json};
use sitewarden_tests::client::{Answer, Client};
use sitewarden_tests::database::Engine;
use sitewarden_tests::promise::promise;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![
    a_removed_part_is_repaired_runs_in_and_its_warranty_begins_anew,
    a_factory_returns_its_work_order_and_what_is_given_up_is_gone,
    what_is_used_and_how_long_orders_take_says_what_to_order,
];

const CONTRACT: &str = "[contract]\nid = \"HT-4\"\nname = \"Harbour\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n\
    [[clock]]\nname = \"restore\"\ntitle = \"Restored\"\nstart = \"reported\"\nstop = \"restored\"\ntarget = \"48h\"\n\
    [warranty]\nlength = \"1y\"\n[[warranty.anchor]]\nevent = \"acceptance\"\n\
    [warranty.on_replace]\nlength = \"1y\"\nfrom = \"reinstalled_and_accepted\"\n";

fn made(n: u64) -> String {
    format!("4e9a0000-0000-4000-8000-{n:012}")
}

/// A kind, a depot, a ticket that `li.wei` has.
async fn world(engine: Engine) -> (World, Client) {
    let mut w = World::usual(engine).await;
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    promise(&w.app, &text(&customers[0], "/id"), &w.site_id("North Gate"), CONTRACT, w.now()).await;
    let arm =
        json!({ "number": "ARM-6M", "name": "Barrier arm drive", "name_zh": "道闸机芯", "by_serial": true });
    let plug = json!({ "number": "RJ45", "name": "Plug", "name_zh": "水晶头", "reorder_at": 10, "lead_days": 10, "price_fen": 45 });
    for (n, kind) in [(1, arm), (2, plug)] {
        w.admin.put(&format!("/api/v1/parts/kinds/{}", made(n)), &kind).await.ok();
    }
    w.admin
        .put(&format!("/api/v1/parts/places/{}", made(9)), &json!({ "kind": "depot", "name": "Main depot" }))
        .await
        .ok();
    let li = w.as_person("li.wei").await;
    let new = json!({ "site_id": w.site_id("North Gate"), "title": "Barrier dead", "severity": "major" });
    li.post("/api/v1/tickets", &new).await.ok();
    w.settle().await;
    w.pager.expect("li.wei", &["#1001"]);
    li.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    (w, li)
}

async fn open(by: &Client, n: u64, serial: &str, level: &str) -> Answer {
    let body = json!({ "ticket_id": "1001", "kind_id": made(1), "serial": serial, "component": "drive", "level": level });
    by.put(&format!("/api/v1/repairs/{}", made(n)), &body).await
}

async fn step(by: &Client, n: u64, body: &Value) -> Answer {
    by.post(&format!("/api/v1/repairs/{}/steps", made(n)), body).await
}

async fn restored(w: &mut World, by: &Client) {
    by.post("/api/v1/tickets/1001/facts", &json!({ "what": "restored", "evidence": ["customer"] }))
        .await
        .ok();
    w.forward_minutes(5).await;
}

/// How many of a kind lie in the workshop.
async fn in_workshop(w: &World) -> usize {
    items(&w.admin.get("/api/v1/parts?place_id=workshop").await.ok()).len()
}

async fn a_removed_part_is_repaired_runs_in_and_its_warranty_begins_anew(engine: Engine) {
    let (mut w, li) = world(engine).await;
    let once = open(&li, 11, "A-1", "l2").await.ok();
    assert_eq!(open(&li, 11, "A-1", "l2").await.ok(), once, "the same once more changes nothing");
    let twice = open(&li, 12, "A-1", "l2").await;
    assert_eq!(twice.code(), "elsewhere", "it is in the workshop already: {}", twice.text);
    let stock = items(&w.admin.get("/api/v1/parts?place_id=workshop").await.ok());
    assert!(stock.len() == 1 && stock[0]["owner_id"].is_string(), "the customer's own: {stock:?}");
    let early = step(&li, 11, &json!({ "step": "refitted" })).await;
    assert_eq!(early.code(), "not_yet", "{}", early.text);
    let mute = step(&li, 11, &json!({ "step": "repaired" })).await;
    assert_eq!(mute.status, 400, "what was done is said: {}", mute.text);
    step(&li, 11, &json!({ "step": "repaired", "work": "new bearing" })).await.ok();
    step(&li, 11, &json!({ "step": "failed", "note": "stops when warm" })).await.ok();
    step(&li, 11, &json!({ "step": "repaired", "work": "new board" })).await.ok();
    let unsaid = step(&li, 11, &json!({ "step": "burn_in" })).await;
    assert_eq!(unsaid.status, 400, "{}", unsaid.text);
    step(&li, 11, &json!({ "step": "burn_in", "hours": 72 })).await.ok();
    let told = step(&li, 11, &json!({ "step": "refitted" })).await.ok();
    let log: Vec<String> =
        told["events"].as_array().unwrap().iter().map(|event| text(event, "/kind")).collect();
    assert_eq!(log, ["opened", "repaired", "failed", "repaired", "burn_in", "refitted"]);
    assert_eq!(in_workshop(&w).await, 0);
    assert_eq!(step(&li, 11, &json!({ "step": "scrapped", "note": "x" })).await.code(), "over");

    // Its term was nearly over; what was refitted today has a year from today.
    let asked =
        json!({ "what": "coverage", "cause": "wear", "anchored_on": "2025-06-01", "component": "drive" });
    let deal = li.post("/api/v1/tickets/1001/deal", &asked).await.ok();
    let rights = deal["coverage"]["rights"].as_array().unwrap();
    assert_eq!(rights.len(), 2, "{deal}");
    let today = w.now().to_zoned(jiff::tz::TimeZone::get("Asia/Shanghai").unwrap()).date();
    let until = today.saturating_add(jiff::ToSpan::years(1)).to_string();
    assert_eq!([text(&rights[0], "/until"), text(&rights[1], "/until")], ["2026-06-01".to_owned(), until]);
    restored(&mut w, &li).await;
}

async fn a_factory_returns_its_work_order_and_what_is_given_up_is_gone(engine: Engine) {
    let (mut w, li) = world(engine).await;
    open(&li, 21, "A-1", "l1").await.ok();
    let passed = step(&li, 21, &json!({ "step": "passed", "level": "factory" })).await.ok();
    assert_eq!(text(&passed, "/level"), "factory");
    let lacks = step(&li, 21, &json!({ "step": "repaired", "work": "new drive" })).await;
    assert_eq!(lacks.code(), "no_order", "{}", lacks.text);
    let done = json!({ "step": "repaired", "work": "new drive, new belt", "factory_order": "WX-2026-118" });
    assert_eq!(text(&step(&li, 21, &done).await.ok(), "/factory_order"), "WX-2026-118");
    let mute = step(&li, 21, &json!({ "step": "scrapped" })).await;
    assert_eq!(mute.status, 400, "why is said: {}", mute.text);
    step(&li, 21, &json!({ "step": "scrapped", "note": "cracked housing" })).await.ok();
    assert!(items(&w.admin.get("/api/v1/repairs").await.ok()).is_empty());
    assert_eq!(items(&w.admin.get("/api/v1/repairs?all=true").await.ok()).len(), 1);
    assert_eq!(in_workshop(&w).await, 0);
    restored(&mut w, &li).await;
}

async fn what_is_used_and_how_long_orders_take_says_what_to_order(engine: Engine) {
    let (mut w, li) = world(engine).await;
    let send = async |n: u64, from: &str, to: &str, quantity: i64| {
        let body = json!({ "kind_id": made(2), "from_id": from, "to_id": to, "quantity": quantity });
        w.admin.put(&format!("/api/v1/parts/moves/{}", made(n)), &body).await.ok();
    };
    let depot = made(9);
    send(31, "supplier", &depot, 40).await;
    let list = items(&w.admin.get("/api/v1/parts/reorder").await.ok());
    let plug = list.iter().find(|row| row["number"] == "RJ45").unwrap();
    assert_eq!((plug["order"].clone(), plug["lasts_days"].clone()), (0.into(), Value::Null), "{plug}");
    send(32, &depot, "used", 30).await;
    let list = items(&w.admin.get("/api/v1/parts/reorder").await.ok());
    let plug = list.iter().find(|row| row["number"] == "RJ45").unwrap();
    // 30 in 30 days is one a day: 10 until an order comes, 40 with the month after it, and 10 that are always wanted.
    assert_eq!((plug["used"].clone(), plug["used_days"].clone()), (30.into(), 30.into()), "{plug}");
    assert_eq!(
        (plug["lies"].clone(), plug["order_at"].clone(), plug["order"].clone()),
        (10.into(), 10.into(), 40.into())
    );
    assert_eq!((plug["lasts_days"].clone(), plug["cost_fen"].clone()), (10.into(), 1_800.into()));
    restored(&mut w, &li).await;
}
