//! A substitute device out of our stock: lent for a ticket whose contract offers one, overdue and announced once, back
//! whole, damaged with somebody liable, or lost; at each moment it is at exactly one place.

use serde_json::{Value, json};
use sitewarden_tests::client::{Answer, Client};
use sitewarden_tests::database::Engine;
use sitewarden_tests::promise::promise;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![
    a_loaner_goes_out_is_overdue_once_and_comes_back,
    damage_and_loss_name_who_is_liable,
    without_a_word_in_the_contract_none_is_lent,
];

fn contract(loaner: &str) -> String {
    format!(
        "[contract]\nid = \"HT-3\"\nname = \"Harbour\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n\
         [[clock]]\nname = \"restore\"\ntitle = \"Restored\"\nstart = \"reported\"\nstop = \"restored\"\ntarget = \"48h\"\n{loaner}"
    )
}

const OFFERED: &str =
    "[loaner]\nafter = \"restore > 24h\"\nreturn_after = [\"repaired\"]\ncustomer_liable = true\n";
const HOUR: i64 = 3_600_000;

fn made(n: u64) -> String {
    format!("10a40000-0000-4000-8000-{n:012}")
}

/// A depot with two recorders, and a ticket that `li.wei` has.
async fn world(engine: Engine, loaner: &str) -> (World, Client) {
    let mut w = World::usual(engine).await;
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    promise(&w.app, &text(&customers[0], "/id"), &w.site_id("North Gate"), &contract(loaner), w.now()).await;
    let kind = json!({ "number": "NVR-16", "name": "Recorder, 16 channels", "name_zh": "16 路录像机", "by_serial": true });
    w.admin.put(&format!("/api/v1/parts/kinds/{}", made(1)), &kind).await.ok();
    w.admin
        .put(&format!("/api/v1/parts/places/{}", made(2)), &json!({ "kind": "depot", "name": "Main depot" }))
        .await
        .ok();
    for (n, serial) in [(3, "N-1"), (4, "N-2")] {
        let bought = json!({ "kind_id": made(1), "from_id": "supplier", "to_id": made(2), "serial": serial });
        w.admin.put(&format!("/api/v1/parts/moves/{}", made(n)), &bought).await.ok();
    }
    let li = w.as_person("li.wei").await;
    let new = json!({ "site_id": w.site_id("North Gate"), "title": "Recorder dead", "severity": "major" });
    li.post("/api/v1/tickets", &new).await.ok();
    w.settle().await;
    w.pager.expect("li.wei", &["#1001"]);
    li.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    (w, li)
}

async fn lend(w: &World, by: &Client, n: u64, serial: &str, hours: i64) -> Answer {
    let due_at = w.now().as_millisecond() + hours * HOUR;
    let body = json!({ "ticket_id": "1001", "kind_id": made(1), "serial": serial, "due_at": due_at });
    by.put(&format!("/api/v1/loaners/{}", made(n)), &body).await
}

async fn end(by: &Client, n: u64, body: &Value) -> Answer {
    by.post(&format!("/api/v1/loaners/{}/end", made(n)), body).await
}

/// At which kind of place a recorder is.
async fn place_of(w: &World, serial: &str) -> Option<String> {
    let stock = items(&w.admin.get("/api/v1/parts").await.ok());
    let has = |row: &&Value| row["serials"].as_array().unwrap().contains(&json!(serial));
    let at: Vec<String> = stock.iter().filter(has).map(|row| text(row, "/place_id")).collect();
    assert!(at.len() < 2, "{serial} is at {at:?}");
    let places = items(&w.admin.get("/api/v1/parts/places").await.ok());
    at.first().map(|id| text(places.iter().find(|place| place["id"] == id.as_str()).unwrap(), "/kind"))
}

async fn fact(by: &Client, what: &str) {
    by.post("/api/v1/tickets/1001/facts", &json!({ "what": what, "evidence": ["customer"] })).await.ok();
}

async fn a_loaner_goes_out_is_overdue_once_and_comes_back(engine: Engine) {
    let (mut w, li) = world(engine, OFFERED).await;
    let once = lend(&w, &li, 5, "N-1", 1).await.ok();
    assert_eq!(lend(&w, &li, 5, "N-1", 1).await.ok(), once, "the same once more changes nothing");
    assert_eq!((text(&once, "/state"), once["overdue"].clone()), ("out".to_owned(), false.into()));
    assert_eq!(place_of(&w, "N-1").await.as_deref(), Some("site"));
    let second = lend(&w, &li, 6, "N-2", 1).await;
    assert_eq!(second.code(), "not_possible", "one is out already: {}", second.text);
    let deal = w.admin.get("/api/v1/tickets/1001/deal").await.ok();
    assert_eq!(
        (deal["loaner"]["is_out"].clone(), text(&deal, "/loaner/moves/0/device")),
        (true.into(), "NVR-16 N-1".into())
    );
    // By the ticket's own form it does not come back: the stock would not know.
    let by_hand = li.post("/api/v1/tickets/1001/deal", &json!({ "what": "loaner_back" })).await;
    assert_eq!(by_hand.code(), "from_stock", "{}", by_hand.text);

    w.forward_minutes(59).await;
    assert!(items(&w.admin.get("/api/v1/tickets").await.ok()).len() == 1, "it is not due yet");
    w.forward_minutes(2).await;
    let late = w.ticket(1002).await;
    assert_eq!((text(&late, "/severity"), late["state"].clone()), ("minor".to_owned(), "open".into()));
    assert!(text(&late, "/title").contains("NVR-16 N-1"), "{late}");
    let out = items(&w.admin.get("/api/v1/loaners").await.ok());
    assert_eq!((out.len(), out[0]["overdue"].clone()), (1, true.into()));
    w.forward_minutes(120).await;
    assert_eq!(items(&w.admin.get("/api/v1/tickets").await.ok()).len(), 2, "it is said once");

    let back = json!({ "outcome": "returned", "to_id": made(2) });
    let early = end(&li, 5, &back).await;
    assert_eq!(early.code(), "not_yet", "the original is not repaired: {}", early.text);
    fact(&li, "repaired").await;
    let nowhere = end(&li, 5, &json!({ "outcome": "returned", "to_id": "used" })).await;
    assert_eq!(nowhere.status, 400, "{}", nowhere.text);
    assert_eq!(text(&end(&li, 5, &back).await.ok(), "/state"), "returned");
    assert_eq!(place_of(&w, "N-1").await.as_deref(), Some("depot"));
    assert_eq!(end(&li, 5, &back).await.code(), "over");
    assert!(items(&w.admin.get("/api/v1/loaners").await.ok()).is_empty());
    let moves = items(&w.admin.get(&format!("/api/v1/parts/moves?kind_id={}", made(1))).await.ok());
    let told: Vec<String> = moves.iter().map(|one| text(one, "/why")).collect();
    assert_eq!(told, ["back", "lent", "bought", "bought"]);
    fact(&li, "restored").await;
    w.forward_minutes(5).await;
}

async fn damage_and_loss_name_who_is_liable(engine: Engine) {
    let (mut w, li) = world(engine, OFFERED).await;
    fact(&li, "repaired").await;
    lend(&w, &li, 5, "N-1", 3).await.ok();
    let unsaid = end(&li, 5, &json!({ "outcome": "damaged" })).await;
    assert_eq!(unsaid.code(), "not_liable", "{}", unsaid.text);
    let broken = json!({ "outcome": "damaged", "liable": "customer", "note": "water" });
    let told = end(&li, 5, &broken).await.ok();
    assert_eq!([text(&told, "/liable"), text(&told, "/note")], ["customer", "water"]);
    assert_eq!(place_of(&w, "N-1").await.as_deref(), Some("workshop"));
    let deal = w.admin.get("/api/v1/tickets/1001/deal").await.ok();
    assert_eq!(
        (deal["loaner"]["is_out"].clone(), deal["loaner"]["moves"][1]["damaged"].clone()),
        (false.into(), true.into())
    );
    lend(&w, &li, 6, "N-2", 3).await.ok();
    end(&li, 6, &json!({ "outcome": "lost", "liable": "us" })).await.ok();
    assert_eq!(place_of(&w, "N-2").await, None, "it is nowhere of ours");
    let again = lend(&w, &li, 7, "N-2", 3).await;
    assert_eq!(again.code(), "elsewhere", "{}", again.text);
    fact(&li, "restored").await;
    w.forward_minutes(4 * 60).await;
    assert_eq!(items(&w.admin.get("/api/v1/tickets").await.ok()).len(), 1, "what is back is not overdue");
}

async fn without_a_word_in_the_contract_none_is_lent(engine: Engine) {
    let (mut w, li) = world(engine, "").await;
    let refused = lend(&w, &li, 5, "N-1", 3).await;
    assert_eq!(refused.code(), "no_loaner", "{}", refused.text);
    assert_eq!(place_of(&w, "N-1").await.as_deref(), Some("depot"), "nothing was moved");
    fact(&li, "restored").await;
    w.forward_minutes(5).await;
}
