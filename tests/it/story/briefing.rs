//! What a technician takes along: shifts, notes of the site, the device as it is, what was wrong with it before and what helped.

use axum::http::Method;
use serde_json::{Value, json};
use sitewarden_tests::database::Engine;
use sitewarden_tests::paper;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

use super::visit::{plan, promised, take};

stories![
    a_day_on_the_road_is_briefed_with_what_helps_there,
    what_our_people_should_know_of_a_site_no_customer_reads,
    tags_are_printed_as_codes_that_open_the_technicians_page,
];

async fn briefing(w: &World, login: &str) -> Value {
    w.as_person(login).await.get("/api/v1/briefing").await.ok()
}

async fn a_day_on_the_road_is_briefed_with_what_helps_there(engine: Engine) {
    let mut w = promised(engine, "\"gateway_code\"").await;
    assert_eq!(
        briefing(&w, "wang.min").await,
        json!({ "shifts": [], "items": [] }),
        "nothing planned, nothing to know"
    );
    let site = format!("/api/v1/sites/{}", w.site_id("North Gate"));
    let known = json!({ "notes": "Key at the guard house.\nDog in the yard.", "lat": 22.274, "lon": 113.571, "datum": "gcj02" });
    w.admin.send(Method::PATCH, &site, Some(&known)).await.ok();
    for device in ["cam-3", "cam-4"] {
        w.device("North Gate", device).await;
    }
    let li = w.as_person("li.wei").await;
    let wang = w.as_person("wang.min").await;

    // The first time: water in the plug.
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
    plan(&w, &li, 1, 1001, "wang.min").await;
    take(&wang, 1, 11, &json!({ "kind": "accepted" })).await;
    take(&wang, 1, 12, &json!({ "kind": "departed" })).await;
    take(&wang, 1, 13, &json!({ "kind": "arrived" })).await;
    take(&wang, 1, 14, &json!({ "kind": "working" })).await;
    let found = json!({ "cause": "water in the plug", "solution": "new plug, gel-filled" });
    take(&wang, 1, 15, &json!({ "kind": "written", "fields": found, "seen": 0 })).await;
    w.device_comes_back("cam-3");
    w.forward_minutes(10).await;
    w.pager.expect("li.wei", &["#1001", "over"]);
    take(&wang, 1, 16, &json!({ "kind": "done" })).await;

    // Later again, and another camera with it.
    w.forward_minutes(60).await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1002", "cam-3"]);
    w.device_goes_down("cam-4");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1003", "cam-4"]);
    plan(&w, &li, 2, 1002, "wang.min").await;
    let told = briefing(&w, "wang.min").await;
    let one = told["items"].as_array().unwrap().iter().find(|one| one["history"] != json!([])).unwrap();
    assert_eq!(one["notes"], "Key at the guard house.\nDog in the yard.");
    // What a Chinese map gave is some hundreds of metres off in WGS-84.
    let (lat, lon) = (one["lat"].as_f64().unwrap(), one["lon"].as_f64().unwrap());
    assert!((lat - 22.2767).abs() < 0.001 && (lon - 113.5656).abs() < 0.001, "{lat}, {lon}");
    assert_eq!([text(one, "/device/state"), text(one, "/device/faults/0/code")], ["down", "unreachable"]);
    let before: Vec<[String; 3]> = one["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| [one["number"].to_string(), text(one, "/cause"), text(one, "/solution")])
        .collect();
    assert_eq!(before, [["1001".to_owned(), "water in the plug".into(), "new plug, gel-filled".into()]]);
    assert_eq!((text(one, "/around/0/name"), &one["around_more"]), ("cam-4".to_owned(), &json!(0)));

    // What helped is offered on the next tickets that look like it, and found by its words; a customer sees none of it.
    let near = async |number: i64| {
        let said = wang.get(&format!("/api/v1/tickets/{number}/knowledge")).await.ok();
        items(&said).iter().map(|one| [text(one, "/why"), text(one, "/solution")]).collect::<Vec<_>>()
    };
    let plug = |why: &str| vec![[why.to_owned(), "new plug, gel-filled".to_owned()]];
    assert_eq!([near(1002).await, near(1003).await], [plug("again"), plug("class")]);
    assert_eq!(near(1001).await, Vec::<[String; 2]>::new(), "not what it says itself");
    for (words, count) in [("PLUG%20water", 1), ("unreachable%20gel", 1), ("lightning", 0), ("", 1)] {
        let found = wang.get(&format!("/api/v1/knowledge?q={words}")).await.ok();
        assert_eq!(items(&found).len(), count, "{words}: {found}");
    }
    // A ticket says which one it repeats, and that the repair did not hold; another camera's fault repeats nothing.
    let repeats = async |number: i64| wang.get(&format!("/api/v1/tickets/{number}/repeats")).await.ok();
    let again = repeats(1002).await;
    assert_eq!((&again["after_repair"], items(&again).len()), (&json!(1001), 1), "{again}");
    let before = &items(&again)[0];
    assert_eq!(
        (&before["repaired"], text(before, "/solution")),
        (&json!(true), "new plug, gel-filled".to_owned())
    );
    for number in [1001, 1003] {
        assert_eq!(repeats(number).await, json!({ "items": [], "after_repair": null }));
    }
    let long = wang.get(&format!("/api/v1/knowledge?q={}", "x".repeat(101))).await;
    assert!(long.text.contains("more than 100 characters"), "{}", long.text);

    // Others are briefed of their own visits alone.
    assert_eq!(briefing(&w, "li.wei").await["items"], json!([]));
    w.forward_seconds(30).await;
}

async fn what_our_people_should_know_of_a_site_no_customer_reads(engine: Engine) {
    let mut w = World::usual(engine).await;
    let site = format!("/api/v1/sites/{}", w.site_id("North Gate"));
    w.admin.send(Method::PATCH, &site, Some(&json!({ "notes": "Key under the third pot" }))).await.ok();
    assert_eq!(w.admin.get(&site).await.ok()["notes"], "Key under the third pot");
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    w.person("zhou.hua", "customer", Some(&text(&customers[0], "/id"))).await;
    let zhou = w.as_person("zhou.hua").await;
    assert_eq!(zhou.get(&site).await.ok()["notes"], "");
    let sites = zhou.get("/api/v1/sites").await.ok();
    assert!(!sites.to_string().contains("third pot"), "{sites}");
    let bad = json!({ "notes": "x".repeat(2001) });
    let refused = w.admin.send(Method::PATCH, &site, Some(&bad)).await;
    assert!(refused.text.contains("notes") && refused.text.contains("2001"), "{}", refused.text);
}

async fn tags_are_printed_as_codes_that_open_the_technicians_page(engine: Engine) {
    let w = World::usual(engine).await;
    let tags = format!("/api/v1/sites/{}/tags", w.site_id("North Gate"));
    let print = async |lang: &str| {
        let (kind, sheet) = w.admin.file(&format!("{tags}.pdf?lang={lang}")).await;
        assert_eq!(kind, "application/pdf");
        sheet
    };
    assert!(paper::sheets(&print("en").await)[0].contains("no tag in use"));
    let made = w.admin.post(&tags, &json!({ "place": "Door of the plant room" })).await.ok();
    let gone = w.admin.post(&tags, &json!({ "place": "Guard house" })).await.ok();
    w.admin.send(Method::DELETE, &format!("{tags}/{}", text(&gone, "/id")), None).await;
    let sheet = print("zh").await;
    let address = format!("{}/tech#tag={}", w.app.config.public_url(), text(&made, "/code"));
    assert_eq!(paper::codes(&sheet), [address], "only what is in use");
    let said = paper::sheets(&sheet)[0].clone();
    assert!(said.contains("北门站") && said.contains("Door of the plant room"), "{said}");
    assert!(!said.contains("Guard house"), "{said}");
}
