//! Parts lie somewhere, and each movement is written once: bought, fetched, used on a visit from a phone that was
//! offline, customers' own kept apart, and nothing ever below zero.

use serde_json::{Value, json};
use sitewarden_tests::client::{Answer, Client};
use sitewarden_tests::database::Engine;
use sitewarden_tests::promise::promise;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![
    parts_are_bought_fetched_and_used_on_a_visit_and_the_sums_are_right,
    nothing_falls_below_zero_and_a_serial_number_is_at_one_place,
    what_is_a_customers_is_used_for_no_other,
];

const CONTRACT: &str = "[contract]\nid = \"HT-9\"\nname = \"Harbour\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n\
    [[clock]]\nname = \"restore\"\ntitle = \"Restored\"\nstart = \"reported\"\nstop = \"restored\"\ntarget = \"48h\"\n\
    [[consent]]\noperation = \"replace_part\"\nfrom = [\"owner\"]\n\
    [warranty]\nlength = \"1y\"\n[[warranty.anchor]]\nevent = \"acceptance\"\n\
    [warranty.on_replace]\nlength = \"1y\"\nfrom = \"replaced\"\n";

/// The id of the nth thing that somebody makes.
fn made(n: u64) -> String {
    format!("9a270000-0000-4000-8000-{n:012}")
}

const PSU: u64 = 1;
const CABLE: u64 = 2;
const DEPOT: u64 = 11;
const VAN: u64 = 12;
const OTHER_VAN: u64 = 13;

/// A promised site, two technicians with a van each, two kinds of parts and a depot.
async fn stocked(engine: Engine) -> World {
    let mut w = World::usual(engine).await;
    w.person("wang.min", "technician", None).await;
    w.person("zhao.lei", "technician", None).await;
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    promise(&w.app, &text(&customers[0], "/id"), &w.site_id("North Gate"), CONTRACT, w.now()).await;
    let psu = json!({ "number": "PSU-12V5A", "name": "Power supply 12 V 5 A", "name_zh": "电源 12V5A", "by_serial": true,
        "price_fen": 8_800, "reorder_at": 2, "lead_days": 7 });
    let cable =
        json!({ "number": "CAT6", "name": "Cat 6 cable, metre", "name_zh": "六类线，米", "price_fen": 300 });
    for (n, kind) in [(PSU, psu), (CABLE, cable)] {
        w.admin.put(&format!("/api/v1/parts/kinds/{}", made(n)), &kind).await.ok();
    }
    let (wang, zhao) = (account(&w, "wang.min").await, account(&w, "zhao.lei").await);
    for (n, place) in [
        (DEPOT, json!({ "kind": "depot", "name": "Main depot" })),
        (VAN, json!({ "kind": "van", "account_id": wang })),
        (OTHER_VAN, json!({ "kind": "van", "account_id": zhao })),
    ] {
        w.admin.put(&format!("/api/v1/parts/places/{}", made(n)), &place).await.ok();
    }
    w
}

async fn account(w: &World, login: &str) -> String {
    let users = items(&w.admin.get("/api/v1/users").await.ok());
    text(users.iter().find(|user| user["login"] == login).unwrap(), "/id")
}

async fn send(by: &Client, n: u64, kind: u64, (from, to): (&str, &str), more: Value) -> Answer {
    let mut body = json!({ "kind_id": made(kind), "from_id": from, "to_id": to });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    by.put(&format!("/api/v1/parts/moves/{}", made(n)), &body).await
}

/// What lies where, as "kind at place": quantity, the company's own only.
async fn lies(w: &World, kind: u64, place: u64) -> (i64, Vec<String>) {
    let stock = items(&w.admin.get(&format!("/api/v1/parts?place_id={}", made(place))).await.ok());
    let row = stock.iter().find(|row| row["kind_id"] == made(kind) && row["owner_id"].is_null());
    row.map_or((0, Vec::new()), |row| {
        let serials = row["serials"].as_array().unwrap();
        (row["quantity"].as_i64().unwrap(), serials.iter().map(|one| text(one, "")).collect())
    })
}

/// A ticket by hand, with a visit of `wang.min` who has arrived and works.
async fn at_work(w: &mut World) -> Client {
    let li = w.as_person("li.wei").await;
    let new = json!({ "site_id": w.site_id("North Gate"), "title": "Barrier dead", "severity": "major" });
    li.post("/api/v1/tickets", &new).await.ok();
    w.settle().await;
    w.pager.expect("li.wei", &["#1001"]);
    let wang = w.as_person("wang.min").await;
    let plan = json!({ "ticket_id": "1001", "members": [account(w, "wang.min").await] });
    li.put(&format!("/api/v1/visits/{}", made(100)), &plan).await.ok();
    for (n, kind) in [(101, "accepted"), (102, "departed")] {
        step(&wang, n, kind).await;
    }
    wang
}

async fn step(wang: &Client, n: u64, kind: &str) {
    let path = format!("/api/v1/visits/{}/steps/{}", made(100), made(n));
    wang.put(&path, &json!({ "kind": kind })).await.ok();
}

async fn spend(by: &Client, n: u64, body: &Value) -> Answer {
    by.put(&format!("/api/v1/visits/{}/parts/{}", made(100), made(n)), body).await
}

async fn done(w: &mut World, by: &Client) {
    by.post("/api/v1/tickets/1001/facts", &json!({ "what": "restored", "evidence": ["customer"] }))
        .await
        .ok();
    w.forward_minutes(5).await;
}

async fn parts_are_bought_fetched_and_used_on_a_visit_and_the_sums_are_right(engine: Engine) {
    let mut w = stocked(engine).await;
    assert!(items(&w.admin.get("/api/v1/parts").await.ok()).is_empty(), "nothing lies anywhere yet");
    for (n, serial) in [(21, "P-1"), (22, "P-2")] {
        let bought =
            send(&w.admin, n, PSU, ("supplier", &made(DEPOT)), json!({ "serial": serial })).await.ok();
        assert_eq!(text(&bought, "/why"), "bought");
    }
    send(&w.admin, 23, CABLE, ("supplier", &made(DEPOT)), json!({ "quantity": 305, "note": "one drum" }))
        .await
        .ok();
    let wang = at_work(&mut w).await;
    // The technician fetches what is needed; a phone that sends it twice fetches it once.
    for _ in 0..2 {
        send(&wang, 24, CABLE, (&made(DEPOT), &made(VAN)), json!({ "quantity": 50 })).await.ok();
        send(&wang, 25, PSU, (&made(DEPOT), &made(VAN)), json!({ "serial": "P-1" })).await.ok();
    }
    assert_eq!((lies(&w, CABLE, DEPOT).await.0, lies(&w, CABLE, VAN).await.0), (255, 50));
    let other = send(&wang, 24, CABLE, (&made(DEPOT), &made(VAN)), json!({ "quantity": 51 })).await;
    assert_eq!(other.code(), "other_move", "{}", other.text);

    let psu = json!({ "kind_id": made(PSU), "serial": "P-1", "component": "psu", "consent": "Ms Zhou" });
    let early = spend(&wang, 31, &psu).await;
    assert_eq!(early.code(), "not_possible", "nobody has arrived: {}", early.text);
    step(&wang, 103, "arrived").await;
    step(&wang, 104, "working").await;
    let without = json!({ "kind_id": made(PSU), "serial": "P-1", "component": "psu" });
    let refused = spend(&wang, 31, &without).await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    assert!(refused.text.contains("consent") && refused.text.contains("owner"), "{}", refused.text);
    // The phone was offline and did not hear the answer: it sends the same again.
    let once = spend(&wang, 31, &psu).await.ok();
    w.forward_minutes(7).await;
    assert_eq!(spend(&wang, 31, &psu).await.ok(), once, "the same once more changes nothing");
    let cable = json!({ "kind_id": made(CABLE), "quantity": 12, "consent": "Ms Zhou" });
    spend(&wang, 32, &cable).await.ok();
    assert_eq!((lies(&w, PSU, VAN).await.0, lies(&w, CABLE, VAN).await.0), (0, 38));
    assert_eq!(lies(&w, PSU, DEPOT).await, (1, vec!["P-2".to_owned()]));

    // The lineage of the device and the slip know it from the same line.
    let deal = w.admin.get("/api/v1/tickets/1001/deal").await.ok();
    let parts = deal["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 2, "{deal}");
    assert_eq!([text(&parts[0], "/component"), text(&parts[0], "/with")], ["psu", "P-1"]);
    assert_eq!((parts[1]["quantity"].clone(), text(&parts[1], "/name_zh")), (12.into(), "六类线，米".into()));
    let asked =
        json!({ "what": "coverage", "cause": "wear", "anchored_on": "2026-01-05", "component": "P-1" });
    let deal = w.admin.post("/api/v1/tickets/1001/deal", &asked).await.ok();
    assert_eq!(
        deal["coverage"]["rights"].as_array().unwrap().len(),
        2,
        "a new part has its own term: {deal}"
    );
    let moves = items(&w.admin.get(&format!("/api/v1/parts/moves?visit_id={}", made(100))).await.ok());
    let told: Vec<_> =
        moves.iter().map(|one| (text(one, "/number"), text(one, "/why"), text(one, "/actor"))).collect();
    let by = |number: &str| (number.to_owned(), "used".to_owned(), "wang.min".to_owned());
    assert_eq!(told, [by("CAT6"), by("PSU-12V5A")]);
    done(&mut w, &wang).await;
}

async fn nothing_falls_below_zero_and_a_serial_number_is_at_one_place(engine: Engine) {
    let mut w = stocked(engine).await;
    send(&w.admin, 21, PSU, ("supplier", &made(DEPOT)), json!({ "serial": "P-1" })).await.ok();
    send(&w.admin, 22, CABLE, ("supplier", &made(DEPOT)), json!({ "quantity": 10 })).await.ok();
    let wang = w.as_person("wang.min").await;
    for (n, kind, ways, more, code) in [
        (41, CABLE, (made(DEPOT), made(VAN)), json!({ "quantity": 11 }), "not_enough"),
        (42, CABLE, (made(VAN), made(VAN)), json!({ "quantity": 1 }), "nowhere"),
        (43, CABLE, (made(DEPOT), made(VAN)), json!({ "quantity": 0 }), "quantity"),
        (44, CABLE, (made(DEPOT), made(VAN)), json!({ "serial": "x" }), "has_no_serial"),
        (45, PSU, (made(DEPOT), made(VAN)), json!({}), "needs_serial"),
        (46, PSU, (made(DEPOT), made(VAN)), json!({ "serial": "P-9" }), "elsewhere"),
        (47, PSU, ("supplier".into(), made(VAN)), json!({ "serial": "P-1" }), "not_yours"),
        (48, PSU, (made(DEPOT), made(OTHER_VAN)), json!({ "serial": "P-1" }), "not_yours"),
    ] {
        let refused = send(&wang, n, kind, (&ways.0, &ways.1), more.clone()).await;
        assert_eq!(refused.code(), code, "{more}: {}", refused.text);
    }
    let twice = send(&w.admin, 49, PSU, ("supplier", &made(VAN)), json!({ "serial": "P-1" })).await;
    assert_eq!(twice.code(), "elsewhere", "it was bought once: {}", twice.text);
    // Two want the last: one gets it, whoever comes first.
    let zhao = w.as_person("zhao.lei").await;
    let (depot, van, other) = (made(DEPOT), made(VAN), made(OTHER_VAN));
    let last = json!({ "serial": "P-1" });
    let (a, b) = tokio::join!(
        send(&wang, 51, PSU, (&depot, &van), last.clone()),
        send(&zhao, 52, PSU, (&depot, &other), last.clone()),
    );
    let won = [&a, &b].into_iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1, "{} {}", a.text, b.text);
    let lost = [&a, &b].into_iter().find(|answer| answer.status != 200).unwrap();
    assert_eq!(lost.code(), "elsewhere", "{}", lost.text);
    // Counting corrects what was wrong, and stays visible as what it was.
    let found =
        send(&w.admin, 53, CABLE, (&made(DEPOT), "lost"), json!({ "quantity": 3, "note": "counted" }))
            .await
            .ok();
    assert_eq!(text(&found, "/why"), "lost");
    assert_eq!(lies(&w, CABLE, DEPOT).await.0, 7);
    w.settle().await;
}

async fn what_is_a_customers_is_used_for_no_other(engine: Engine) {
    let mut w = stocked(engine).await;
    let bravo = w.admin.post("/api/v1/customers", &json!({ "name": "Bravo" })).await.ok();
    let bravo = text(&bravo, "/id");
    let own = json!({ "quantity": 4, "owner_id": bravo });
    send(&w.admin, 61, CABLE, ("supplier", &made(VAN)), own).await.ok();
    send(&w.admin, 62, CABLE, ("supplier", &made(VAN)), json!({ "quantity": 6 })).await.ok();
    assert_eq!(lies(&w, CABLE, VAN).await.0, 6, "kept apart");
    let wang = at_work(&mut w).await;
    step(&wang, 103, "arrived").await;
    let theirs = json!({ "kind_id": made(CABLE), "quantity": 1, "owner_id": bravo, "consent": "Ms Zhou" });
    let refused = spend(&wang, 63, &theirs).await;
    assert_eq!(refused.code(), "not_theirs", "{}", refused.text);
    let seven = json!({ "kind_id": made(CABLE), "quantity": 7, "consent": "Ms Zhou" });
    let refused = spend(&wang, 64, &seven).await;
    assert_eq!(refused.code(), "not_enough", "what is another's fills no gap: {}", refused.text);
    spend(&wang, 65, &json!({ "kind_id": made(CABLE), "quantity": 6, "consent": "Ms Zhou" })).await.ok();
    let mine = items(&wang.get("/api/v1/parts?mine=true").await.ok());
    assert_eq!(mine.len(), 1, "{mine:?}");
    assert_eq!((text(&mine[0], "/owner"), mine[0]["quantity"].clone()), ("Bravo".to_owned(), 4.into()));
    done(&mut w, &wang).await;
}
