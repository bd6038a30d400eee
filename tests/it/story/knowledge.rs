//! The manual of frequent faults: three tickets of the same cause are proposed once, a person decides, and the next ticket is
//! offered what was accepted.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use sitewarden_tests::client::Client;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

use super::visit::{plan, promised, take};

stories![a_cause_that_comes_again_is_proposed_accepted_and_offered];

const ITEMS: &str = "/api/v1/knowledge/items";

/// A camera fails, somebody goes there, finds out why, and it works again.
async fn repaired(w: &mut World, nth: u64, cause: &str, solution: &str) {
    let (camera, number) = (format!("cam-{}", nth + 2), 1000 + i64::try_from(nth).unwrap());
    let wang = w.as_person("wang.min").await;
    let li = w.as_person("li.wei").await;
    w.device_goes_down(&camera);
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &[&format!("#{number}"), &camera]);
    plan(w, &li, nth, number, "wang.min").await;
    for (step, kind) in ["accepted", "departed", "arrived", "working"].into_iter().enumerate() {
        take(&wang, nth, 10 * nth + step as u64, &json!({ "kind": kind })).await;
    }
    let found = json!({ "kind": "written", "fields": { "cause": cause, "solution": solution }, "seen": 0 });
    take(&wang, nth, 10 * nth + 4, &found).await;
    w.device_comes_back(&camera);
    w.forward_minutes(10).await;
    w.pager.expect("li.wei", &[&format!("#{number}"), "over"]);
    take(&wang, nth, 10 * nth + 5, &json!({ "kind": "done" })).await;
}

async fn proposals(by: &Client) -> Vec<Value> {
    items(&by.get("/api/v1/knowledge/proposals").await.ok())
}

async fn solutions(by: &Client, query: &str) -> Vec<String> {
    let said = by.get(&format!("{ITEMS}?{query}")).await.ok();
    items(&said).iter().map(|one| text(one, "/words/solution")).collect()
}

async fn a_cause_that_comes_again_is_proposed_accepted_and_offered(engine: Engine) {
    let mut w = promised(engine, "\"gateway_code\"").await;
    for nth in 1..=5 {
        w.device("North Gate", &format!("cam-{}", nth + 2)).await;
    }
    repaired(&mut w, 1, "Water in the plug.", "new plug").await;
    repaired(&mut w, 2, "water in the plug", "dried and sealed").await;
    let wang = w.as_person("wang.min").await;
    assert_eq!(proposals(&wang).await, Vec::<Value>::new(), "twice is not often");
    repaired(&mut w, 3, "WATER in the plug", "New plug!").await;

    let [proposal] = &proposals(&wang).await[..] else { panic!("one proposal") };
    assert_eq!(proposal["tickets"], json!([1003, 1002, 1001]));
    assert_eq!(proposal["solutions"], json!(["New plug!", "dried and sealed"]));
    assert_eq!([text(proposal, "/words/code"), text(proposal, "/words/class")], ["unreachable", "camera"]);

    // A person decides: it is said in better words, and nobody is asked again.
    let words = |solution: &str| {
        json!({ "code": "unreachable", "class": "camera", "model": "", "symptom": "no picture after rain",
            "cause": "Water in the plug of the camera", "solution": solution })
    };
    let key = &proposal["cause_key"];
    let nothing = w.admin.post(ITEMS, &json!({ "cause_key": "" })).await;
    assert!(nothing.text.contains("words: they are missing"), "{}", nothing.text);
    let fits_nothing = json!({ "words": { "code": "", "class": "", "model": "", "symptom": "", "cause": "rust", "solution": "paint" } });
    let refused = w.admin.post(ITEMS, &fits_nothing).await;
    assert!(refused.text.contains("it fits nothing"), "{}", refused.text);
    let passed = w.admin.post(ITEMS, &json!({ "cause_key": key })).await.ok();
    assert_eq!((text(&passed, "/state"), proposals(&wang).await), ("passed".to_owned(), vec![]));
    assert_eq!(solutions(&wang, "").await, Vec::<String>::new(), "what is passed over is no page");
    // Undone, it is proposed again.
    let undone = w.admin.send(Method::DELETE, &format!("{ITEMS}/{}", text(&passed, "/id")), None).await;
    assert_eq!(undone.status, StatusCode::NO_CONTENT, "{}", undone.text);
    let new = json!({ "cause_key": key, "words": words("Fit a gel-filled plug.") });
    let page = w.admin.post(ITEMS, &new).await.ok();
    assert_eq!((&page["times"], proposals(&wang).await), (&json!(3), vec![]));
    let again = w.admin.post(ITEMS, &new).await;
    assert_eq!(
        (again.status, again.text.contains("open no more")),
        (StatusCode::CONFLICT, true),
        "{}",
        again.text
    );

    // Whoever changes a page that somebody else has changed meanwhile is told so.
    let at = format!("{ITEMS}/{}", text(&page, "/id"));
    let change =
        json!({ "seen": page["changed_at"], "words": words("Fit a gel-filled plug, look at the seal.") });
    w.admin.put(&at, &change).await.ok();
    let late = w.admin.put(&at, &change).await;
    assert_eq!(
        (late.status, late.text.contains("has changed it since")),
        (StatusCode::CONFLICT, true),
        "{}",
        late.text
    );

    // The next ticket that looks like these is offered the page; one of another class is not.
    w.device_goes_down("cam-6");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1004", "cam-6"]);
    let best = vec!["Fit a gel-filled plug, look at the seal.".to_owned()];
    assert_eq!(solutions(&wang, "ticket=1004").await, best);
    assert_eq!(solutions(&wang, "q=SEAL%20rain").await, best);
    assert_eq!(solutions(&wang, "q=lightning").await, Vec::<String>::new());
    let gone = w.admin.send(Method::DELETE, &at, None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.text);
    assert_eq!((solutions(&wang, "ticket=1004").await, proposals(&wang).await.len()), (vec![], 1));
    let log = w.admin.get("/api/v1/audit?limit=50").await.ok();
    let done: Vec<String> = items(&log)
        .iter()
        .map(|one| text(one, "/action"))
        .filter(|one| one.starts_with("knowledge."))
        .collect();
    let told = ["remove", "change", "add", "remove", "add"].map(|one| format!("knowledge.{one}"));
    assert_eq!(done, told);
    w.forward_seconds(30).await;
}
