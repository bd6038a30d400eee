//! What is sent to a customer's site: a list from what is in use and how often it was replaced, released only when what was
//! packed is the list, and late announced once. At each moment each piece is at one place and has one owner.

use axum::http::Method;
use jiff::SignedDuration;
use serde_json::{Value, json};
use sitewarden_tests::client::{Answer, Client};
use sitewarden_tests::database::Engine;
use sitewarden_tests::desk::PASSWORD;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![
    spares_are_listed_compared_released_and_delivered,
    what_is_late_is_said_once_for_its_day,
    what_is_rented_stays_ours_and_what_comes_back_is_whole,
    parts_for_a_ticket_are_on_its_record,
];

fn made(n: u64) -> String {
    format!("c0a50000-0000-4000-8000-{n:012}")
}

const CAMERA: u64 = 1;
const PSU: u64 = 2;
const DEPOT: u64 = 11;
const LIST: u64 = 21;

/// Four cameras of one model at North Gate, one of which was replaced; a depot with cameras and power supplies.
async fn stocked(engine: Engine) -> World {
    let mut w = World::usual(engine).await;
    for n in 1..=4 {
        let id = w.device("North Gate", &format!("cam-0{n}")).await;
        let model = json!({ "model": "ds-2cd" });
        w.admin.send(Method::PATCH, &format!("/api/v1/devices/{id}"), Some(&model)).await.ok();
    }
    for (n, kind) in [
        (
            CAMERA,
            json!({ "number": "DS-2CD", "name": "Bullet camera", "name_zh": "枪机", "by_serial": true, "price_fen": 45_000 }),
        ),
        (PSU, json!({ "number": "PSU-12V5A", "name": "Power supply", "name_zh": "电源" })),
    ] {
        w.admin.put(&format!("/api/v1/parts/kinds/{}", made(n)), &kind).await.ok();
    }
    let depot = json!({ "kind": "depot", "name": "Main depot" });
    w.admin.put(&format!("/api/v1/parts/places/{}", made(DEPOT)), &depot).await.ok();
    for (n, serial) in [(31, "C-1"), (32, "C-2"), (33, "C-3")] {
        buy(&w, n, json!({ "kind_id": made(CAMERA), "serial": serial })).await;
    }
    buy(&w, 34, json!({ "kind_id": made(PSU), "quantity": 5 })).await;
    w
}

/// So many days go by, in which nothing happens.
async fn later(w: &mut World, days: i64) {
    w.app.clock.set(w.now() + SignedDuration::from_hours(24 * days));
    w.admin = w.admin.sign_in("admin", PASSWORD).await;
}

async fn buy(w: &World, n: u64, mut what: Value) {
    let way = json!({ "from_id": "supplier", "to_id": made(DEPOT) });
    what.as_object_mut().unwrap().extend(way.as_object().unwrap().clone());
    w.admin.put(&format!("/api/v1/parts/moves/{}", made(n)), &what).await.ok();
}

fn list(w: &World, more: &Value) -> Value {
    let mut body = json!({ "purpose": "spares", "supply": "included", "site_id": w.site_id("North Gate"), "months": 24,
        "lines": [{ "kind_id": made(CAMERA), "installed": 4, "rate_bp": 2500, "quantity": 2, "price_fen": 45_000 },
            { "kind_id": made(PSU), "quantity": 3 }] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

async fn write(by: &Client, body: &Value) -> Answer {
    by.put(&format!("/api/v1/consignments/{}", made(LIST)), body).await
}

async fn release(by: &Client, packed: &[(u64, i64, &str)]) -> Answer {
    let packed: Vec<Value> = packed
        .iter()
        .map(|(kind, n, serial)| json!({ "kind_id": made(*kind), "quantity": n, "serial": serial }))
        .collect();
    let body = json!({ "from_id": made(DEPOT), "waybill": "SF1037", "carrier": "SF", "packed": packed });
    by.post(&format!("/api/v1/consignments/{}/release", made(LIST)), &body).await
}

async fn end(by: &Client, outcome: &str, more: Value) -> Answer {
    let mut body = json!({ "outcome": outcome });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    by.post(&format!("/api/v1/consignments/{}/end", made(LIST)), &body).await
}

/// What lies where: kind of place, number, owner, how many, serial numbers.
async fn stock(w: &World) -> Vec<String> {
    let (kinds, places) = (
        items(&w.admin.get("/api/v1/parts/kinds").await.ok()),
        items(&w.admin.get("/api/v1/parts/places").await.ok()),
    );
    let mut all: Vec<String> = items(&w.admin.get("/api/v1/parts").await.ok())
        .iter()
        .map(|row| {
            let place = places.iter().find(|one| one["id"] == row["place_id"]).unwrap();
            let kind = kinds.iter().find(|one| one["id"] == row["kind_id"]).unwrap();
            let serials: Vec<&str> =
                row["serials"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
            let owner = row["owner"].as_str().unwrap_or("ours");
            format!(
                "{} {} {owner} {} {}",
                text(place, "/kind"),
                text(kind, "/number"),
                row["quantity"],
                serials.join(",")
            )
        })
        .collect();
    all.sort();
    all
}

const PACKED: [(u64, i64, &str); 3] = [(CAMERA, 1, "C-1"), (CAMERA, 1, "C-3"), (PSU, 3, "")];

async fn spares_are_listed_compared_released_and_delivered(engine: Engine) {
    let mut w = stocked(engine).await;
    // One of four cameras is replaced; after half a year that is half of them in a year.
    let used = json!({ "kind_id": made(CAMERA), "from_id": made(DEPOT), "to_id": "used", "serial": "C-2" });
    w.admin.put(&format!("/api/v1/parts/moves/{}", made(40)), &used).await.ok();
    let path = format!("/api/v1/consignments/proposal?site_id={}", w.site_id("North Gate"));
    let young = items(&w.admin.get(&path).await.ok());
    assert_eq!(
        (young.len(), young[0]["rate_bp"].clone(), young[0]["quantity"].clone()),
        (1, Value::Null, 0.into())
    );
    later(&mut w, 182).await;
    let need = items(&w.admin.get(&path).await.ok());
    let told = |key: &str| need[0][key].as_i64();
    assert_eq!(
        (told("installed"), told("used"), told("rate_bp"), told("quantity")),
        (Some(4), Some(1), Some(5013), Some(5))
    );
    let one_year = items(&w.admin.get(&format!("{path}&months=12")).await.ok());
    assert_eq!(one_year[0]["quantity"], 3);

    let listed = write(&w.admin, &list(&w, &json!({ "due_on": "2099-01-01" }))).await.ok();
    assert_eq!((text(&listed, "/state"), text(&listed, "/lines/0/number")), ("open".into(), "DS-2CD".into()));
    assert_eq!(
        write(&w.admin, &list(&w, &json!({ "due_on": "2099-01-01" }))).await.ok(),
        listed,
        "once more changes nothing"
    );

    let short = release(&w.admin, &[(CAMERA, 1, "C-1"), (PSU, 4, "")]).await;
    assert_eq!(short.code(), "differs");
    assert!(
        short.text.contains("DS-2CD: 2 listed, 1 packed; PSU-12V5A: 3 listed, 4 packed"),
        "{}",
        short.text
    );
    let foreign = release(&w.admin, &[(CAMERA, 1, "C-1"), (CAMERA, 1, "C-2"), (PSU, 3, "")]).await;
    assert_eq!(foreign.code(), "elsewhere", "C-2 is used: {}", foreign.text);
    let nameless = release(&w.admin, &[(CAMERA, 2, ""), (PSU, 3, "")]).await;
    assert_eq!(nameless.code(), "needs_serial", "{}", nameless.text);
    assert_eq!(
        stock(&w).await,
        ["depot DS-2CD ours 2 C-1,C-3", "depot PSU-12V5A ours 5 "],
        "nothing half moved"
    );

    let gone = release(&w.admin, &PACKED).await.ok();
    assert_eq!(
        (text(&gone, "/state"), text(&gone, "/waybill"), gone["packed"].as_array().unwrap().len()),
        ("released".into(), "SF1037".into(), 3)
    );
    assert_eq!(
        stock(&w).await,
        [
            "depot PSU-12V5A ours 2 ",
            "site DS-2CD Harbour Office 2 C-1,C-3",
            "site PSU-12V5A Harbour Office 3 "
        ]
    );
    assert_eq!(release(&w.admin, &PACKED).await.code(), "over");
    assert_eq!(
        write(&w.admin, &list(&w, &json!({}))).await.code(),
        "over",
        "what has gone is not written anew"
    );
    assert_eq!(end(&w.admin, "dropped", json!({ "note": "no" })).await.code(), "over");

    w.person("wang.min", "technician", None).await;
    let wang = w.as_person("wang.min").await;
    assert_eq!(end(&wang, "returned", json!({ "note": "nobody there" })).await.status, 403);
    assert_eq!(end(&wang, "delivered", json!({})).await.status, 400, "somebody took it");
    let there = end(&wang, "delivered", json!({ "received_by": "Ms Zhou" })).await.ok();
    assert_eq!(
        (text(&there, "/state"), text(&there, "/received_by")),
        ("delivered".into(), "Ms Zhou".into())
    );
    assert!(items(&w.admin.get("/api/v1/consignments").await.ok()).is_empty());
    assert_eq!(items(&w.admin.get("/api/v1/consignments?all=true").await.ok()).len(), 1);
    w.pager.expect_nothing_else();
}

async fn what_is_late_is_said_once_for_its_day(engine: Engine) {
    let mut w = stocked(engine).await;
    // Where the day ends within the hour.
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    let new = json!({ "customer_id": customers[0]["id"], "name": "West Gate", "name_zh": "西门", "address": "",
        "zone": "Asia/Dubai", "datum": "WGS-84", "contact_name": "", "contact_phone": "" });
    let site = text(&w.admin.post("/api/v1/sites", &new).await.ok(), "/id");
    let due = |day: &str| list(&w, &json!({ "site_id": site, "due_on": day }));
    let (wrong, today, yesterday) = (due("2026-02-30"), due("2026-11-18"), due("2026-11-17"));
    let wrong = write(&w.admin, &wrong).await;
    assert!(wrong.status == 400 && wrong.text.contains("YYYY-MM-DD"), "{}", wrong.text);
    assert_eq!(write(&w.admin, &today).await.ok()["late"], false);
    let midnight: jiff::Timestamp = "2026-11-18T20:00:00Z".parse().unwrap();
    w.forward_seconds(midnight.as_second() - w.now().as_second() - 60).await;
    assert!(w.tickets().await.is_empty(), "the day is not over");
    w.forward_minutes(2).await;
    let late = w.ticket(1001).await;
    assert_eq!(
        (text(&late, "/severity"), text(&late, "/title")),
        ("minor".into(), "2026-11-18 · 备件到期未交, spares late".into())
    );
    assert_eq!(items(&w.admin.get("/api/v1/consignments").await.ok())[0]["late"], true);
    assert_eq!(write(&w.admin, &today).await.ok()["late"], true, "the same day is no news");
    w.forward_minutes(10).await;
    assert_eq!(w.tickets().await.len(), 1, "it is said once");
    // It was another day; that one is past, too, and the goods are only on their way.
    write(&w.admin, &yesterday).await.ok();
    assert_eq!(release(&w.admin, &PACKED).await.ok()["late"], true);
    w.forward_minutes(2).await;
    assert_eq!(w.tickets().await.len(), 2);
    let told = w.story(1002).await;
    assert!(told.iter().any(|line| line.contains("parts_late")), "{told:?}");
    let there = end(&w.admin, "delivered", json!({ "received_by": "Ms Zhou" })).await.ok();
    assert_eq!(there["late"], false);
    w.forward_minutes(2).await;
    assert_eq!(w.tickets().await.len(), 2);
    w.pager.expect_nothing_else();
}

async fn what_is_rented_stays_ours_and_what_comes_back_is_whole(engine: Engine) {
    let w = stocked(engine).await;
    let before = stock(&w).await;
    for (n, supply, owner) in [(51, "rental", "ours"), (52, "sale", "Harbour Office")] {
        let path = format!("/api/v1/consignments/{}", made(n));
        w.admin.put(&path, &list(&w, &json!({ "supply": supply }))).await.ok();
        let packed: Vec<Value> = PACKED
            .iter()
            .map(|(kind, n, serial)| json!({ "kind_id": made(*kind), "quantity": n, "serial": serial }))
            .collect();
        let body = json!({ "from_id": made(DEPOT), "waybill": "SF1", "packed": packed });
        w.admin.post(&format!("{path}/release"), &body).await.ok();
        assert!(stock(&w).await.contains(&format!("site DS-2CD {owner} 2 C-1,C-3")), "{:?}", stock(&w).await);
        let back = json!({ "outcome": "returned", "note": "nobody there" });
        w.admin.post(&format!("{path}/end"), &back).await.ok();
        assert_eq!(stock(&w).await, before, "all of it is back, and ours");
    }
    // What is used at the site before it is taken back cannot come back.
    write(&w.admin, &list(&w, &json!({ "supply": "rental" }))).await.ok();
    release(&w.admin, &PACKED).await.ok();
    let places = items(&w.admin.get("/api/v1/parts/places").await.ok());
    let site = text(places.iter().find(|one| one["kind"] == "site").unwrap(), "/id");
    let used = json!({ "kind_id": made(CAMERA), "from_id": site, "to_id": "used", "serial": "C-3" });
    w.admin.put(&format!("/api/v1/parts/moves/{}", made(60)), &used).await.ok();
    let refused = end(&w.admin, "returned", json!({ "note": "wrong address" })).await;
    assert_eq!(refused.code(), "elsewhere", "{}", refused.text);
    assert!(stock(&w).await.contains(&"site PSU-12V5A ours 3 ".to_owned()), "nothing half came back");
    // A list that is not needed is given up with a reason.
    let path = format!("/api/v1/consignments/{}", made(53));
    w.admin.put(&path, &list(&w, &json!({}))).await.ok();
    assert_eq!(w.admin.post(&format!("{path}/end"), &json!({ "outcome": "dropped" })).await.status, 400);
    w.admin
        .post(&format!("{path}/end"), &json!({ "outcome": "dropped", "note": "the site is given up" }))
        .await
        .ok();
    assert_eq!(w.admin.post(&format!("{path}/end"), &json!({ "outcome": "open" })).await.status, 400);
    w.pager.expect_nothing_else();
}

async fn parts_for_a_ticket_are_on_its_record(engine: Engine) {
    let mut w = stocked(engine).await;
    let li = w.as_person("li.wei").await;
    let new = json!({ "site_id": w.site_id("North Gate"), "title": "Barrier dead", "severity": "major" });
    li.post("/api/v1/tickets", &new).await.ok();
    w.settle().await;
    w.pager.expect("li.wei", &["#1001"]);
    let parts = json!({ "purpose": "parts", "lines": [{ "kind_id": made(PSU), "quantity": 1 }] });
    assert_eq!(write(&li, &list(&w, &parts)).await.status, 404, "for which ticket");
    let mut named = parts;
    named["ticket_id"] = "1001".into();
    assert_eq!(write(&li, &list(&w, &named)).await.ok()["ticket_number"], 1001);
    let customer = w.customer("Museum").await;
    let other = w.site(&customer, "Old Hall", "老馆").await;
    named["site_id"] = other.into();
    assert_eq!(write(&li, &list(&w, &named)).await.status, 404, "a ticket of another site");
    release(&li, &[(PSU, 1, "")]).await.ok();
    end(&li, "delivered", json!({ "received_by": "Ms Zhou" })).await.ok();
    let told = w.story(1001).await;
    assert!(
        told.iter().any(|line| line.contains("parts_sent"))
            && told.iter().any(|line| line.contains("parts_arrived")),
        "{told:?}"
    );
    for (wrong, why) in [
        (json!({ "lines": [] }), "1 to 200"),
        (json!({ "lines": [{ "kind_id": made(PSU), "quantity": 0 }] }), "none is sent"),
        (
            json!({ "lines": [{ "kind_id": made(PSU), "quantity": 1 }, { "kind_id": made(PSU), "quantity": 1 }] }),
            "twice",
        ),
        (json!({ "months": 0 }), "months"),
        (json!({ "supply": "gift" }), "included, sale or rental"),
        (json!({ "purpose": "party" }), "spares or parts"),
    ] {
        let answer = li.put(&format!("/api/v1/consignments/{}", made(70)), &list(&w, &wrong)).await;
        assert!(answer.status == 400 && answer.text.contains(why), "{why}: {}", answer.text);
    }
    w.pager.expect_nothing_else();
}
