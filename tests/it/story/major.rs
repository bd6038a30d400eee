//! A major request: reported on a ticket, consented to by two departments and the customer's leader, and only then begun.

use axum::http::Method;
use serde_json::{Value, json};
use sitewarden_tests::client::{Answer, Client};
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![
    nothing_runs_without_all_three_consents,
    a_consent_taken_back_or_refused_stops_it_before_the_work,
    the_customers_leader_consents_in_person_and_sees_no_others,
    a_month_counts_each_over_all,
];

fn made(n: u64) -> String {
    format!("3a700000-0000-4000-8000-{n:012}")
}

/// A site with a ticket; `li.wei` raises, `wang.fang` and `zhao.lei` may approve, `sun.yi` does the work.
struct Desk {
    w: World,
    customer: String,
    li: Client,
    wang: Client,
    zhao: Client,
    sun: Client,
}

async fn desk(engine: Engine) -> Desk {
    let mut w = World::new(engine).await;
    let customer = w.customer("Harbour Office").await;
    w.site(&customer, "North Gate", "北门站").await;
    for (login, role) in
        [("li.wei", "noc"), ("wang.fang", "noc"), ("zhao.lei", "administrator"), ("sun.yi", "technician")]
    {
        w.person(login, role, None).await;
    }
    let li = w.as_person("li.wei").await;
    let new = json!({ "site_id": w.site_id("North Gate"), "title": "Recorder dead", "severity": "minor" });
    li.post("/api/v1/tickets", &new).await.ok();
    let (wang, zhao) = (w.as_person("wang.fang").await, w.as_person("zhao.lei").await);
    let sun = w.as_person("sun.yi").await;
    Desk { w, customer, li, wang, zhao, sun }
}

async fn raise(by: &Client, n: u64, more: Value) -> Answer {
    let mut body = json!({ "ticket_id": "1001", "kind": "restoration", "cause": "hardware",
        "report": "The array has failed; three weeks cannot be read", "plan": "Copy the disks, rebuild, restore" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    by.put(&format!("/api/v1/major-requests/{}", made(n)), &body).await
}

async fn answer(by: &Client, n: u64, step: u64, kind: &str, side: &str, more: Value) -> Answer {
    let mut body = json!({ "kind": kind, "side": side });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    by.put(&format!("/api/v1/major-requests/{}/answers/{}", made(n), made(n * 100 + step)), &body).await
}

async fn work(by: &Client, n: u64, step: u64, body: &Value) -> Answer {
    by.put(&format!("/api/v1/major-requests/{}/work/{}", made(n), made(n * 100 + 50 + step)), body).await
}

fn begun() -> Value {
    json!({ "kind": "begun" })
}

fn done(outcome: &str) -> Value {
    json!({ "kind": "done", "text": "Two of three weeks are back", "outcome": outcome })
}

fn leader() -> Value {
    json!({ "who": "Director Qian", "how": "form" })
}

fn reason() -> Value {
    json!({ "text": "Not before the audit" })
}

fn kinds(story: &Value) -> Vec<String> {
    let events = story["events"].as_array().unwrap().iter();
    events
        .map(|event| format!("{} {}", text(event, "/kind"), text(event, "/side")).trim().to_owned())
        .collect()
}

async fn nothing_runs_without_all_three_consents(engine: Engine) {
    let Desk { mut w, li, wang, zhao, sun, .. } = desk(engine).await;
    let raised = raise(&li, 1, json!({})).await.ok();
    assert_eq!((text(&raised, "/state"), &raised["ticket_number"]), ("raised".to_owned(), &json!(1001)));
    assert_eq!(raise(&li, 1, json!({})).await.ok(), raised, "the same once more changes nothing");
    assert_eq!(raise(&li, 1, json!({ "cause": "misuse" })).await.code(), "other_request");
    for (more, field) in [
        (json!({ "kind": "small" }), "kind"),
        (json!({ "cause": "weather" }), "cause"),
        (json!({ "report": "" }), "report"),
        (json!({ "plan": "" }), "plan"),
    ] {
        let refused = raise(&li, 9, more).await;
        assert!(refused.status == 400 && refused.text.contains(field), "{}", refused.text);
    }

    // Whoever raised it, and whoever does the work, does not approve; nobody approves for both departments.
    assert_eq!(answer(&li, 1, 1, "consent", "technical", json!({})).await.code(), "own_request");
    assert_eq!(answer(&sun, 1, 1, "consent", "technical", json!({})).await.status, 403);
    let early = work(&sun, 1, 1, &begun()).await;
    assert!(
        early.code() == "lacking" && early.text.contains("technical, business, customer"),
        "{}",
        early.text
    );
    answer(&wang, 1, 1, "consent", "technical", json!({})).await.ok();
    assert_eq!(answer(&wang, 1, 2, "consent", "business", json!({})).await.code(), "same_person");
    assert_eq!(answer(&zhao, 1, 2, "consent", "technical", json!({})).await.code(), "given");
    assert_eq!(work(&sun, 1, 1, &begun()).await.code(), "lacking");
    let only_at_night = json!({ "text": "only at night" });
    let story = answer(&zhao, 1, 2, "consent", "business", only_at_night.clone()).await.ok();
    assert_eq!(
        answer(&zhao, 1, 2, "consent", "business", only_at_night).await.ok(),
        story,
        "sent twice, given once"
    );
    let unsaid = answer(&li, 1, 3, "consent", "customer", json!({ "how": "phone" })).await;
    assert!(unsaid.status == 400 && unsaid.text.contains("who"), "{}", unsaid.text);
    let ahead = json!({ "who": "Director Qian", "how": "form", "given_at": w.now().as_millisecond() + 1 });
    assert_eq!(answer(&li, 1, 3, "consent", "customer", ahead).await.status, 400);
    let waits = items(&li.get("/api/v1/major-requests").await.ok());
    assert_eq!(waits[0]["lacking"], json!(["customer"]));
    let early = work(&sun, 1, 1, &begun()).await;
    assert!(early.code() == "lacking" && early.text.contains("still to consent: customer"), "{}", early.text);
    assert_eq!(work(&sun, 1, 1, &done("solved")).await.code(), "not_begun");

    // What stands is on record: a server that is killed now knows who has consented.
    w.restart_server().await;
    let (li, sun) = (w.as_person("li.wei").await, w.as_person("sun.yi").await);
    assert_eq!(work(&sun, 1, 1, &begun()).await.code(), "lacking");
    let story = answer(&li, 1, 3, "consent", "customer", leader()).await.ok();
    assert_eq!(text(&story, "/state"), "granted");
    assert_eq!([text(&story, "/consents/2/who"), text(&story, "/consents/2/how")], ["Director Qian", "form"]);
    assert_eq!(text(&work(&sun, 1, 1, &begun()).await.ok(), "/state"), "executing");
    assert_eq!(work(&sun, 1, 2, &begun()).await.code(), "begun");
    let late = answer(&w.as_person("wang.fang").await, 1, 4, "withdrawn", "technical", reason()).await;
    assert_eq!(late.code(), "begun", "{}", late.text);
    let bare = work(&sun, 1, 2, &json!({ "kind": "done", "text": "done" })).await;
    assert!(bare.status == 400 && bare.text.contains("outcome"), "{}", bare.text);
    let story = work(&sun, 1, 2, &done("partly")).await.ok();
    assert_eq!([text(&story, "/state"), text(&story, "/outcome")], ["done", "partly"]);
    assert_eq!(
        kinds(&story),
        ["raised", "consent technical", "consent business", "consent customer", "begun", "done"]
    );
    let on_ticket = w.story(1001).await.into_iter().filter(|kind| kind == "major").count();
    assert_eq!(on_ticket, 6, "each step is on the ticket's record");
    assert!(items(&li.get("/api/v1/major-requests").await.ok()).is_empty());
    assert_eq!(items(&li.get("/api/v1/major-requests?all=true&ticket_id=1001").await.ok()).len(), 1);
    w.settle().await;
    w.pager.expect_nothing_else();
}

async fn a_consent_taken_back_or_refused_stops_it_before_the_work(engine: Engine) {
    let Desk { mut w, li, wang, zhao, sun, .. } = desk(engine).await;
    raise(&li, 1, json!({})).await.ok();
    answer(&wang, 1, 1, "consent", "technical", json!({})).await.ok();
    answer(&zhao, 1, 2, "consent", "business", json!({})).await.ok();
    answer(&li, 1, 3, "consent", "customer", leader()).await.ok();
    let unsaid = answer(&wang, 1, 4, "withdrawn", "technical", json!({})).await;
    assert!(unsaid.status == 400 && unsaid.text.contains("text"), "{}", unsaid.text);
    assert_eq!(answer(&zhao, 1, 4, "withdrawn", "technical", reason()).await.code(), "anothers");
    let story = answer(&wang, 1, 4, "withdrawn", "technical", reason()).await.ok();
    assert_eq!(
        (text(&story, "/state"), &story["consents"][0]["given"]),
        ("raised".to_owned(), &json!(false))
    );
    assert_eq!(work(&sun, 1, 1, &begun()).await.code(), "lacking");
    // Another one of the department consents; what was taken back stays on record.
    let chen = w.admin.clone();
    assert_eq!(text(&answer(&chen, 1, 5, "consent", "technical", json!({})).await.ok(), "/state"), "granted");
    let mut no = leader();
    no["text"] = json!("We do it ourselves");
    let story = answer(&li, 1, 6, "refused", "customer", no).await.ok();
    assert_eq!(text(&story, "/state"), "refused");
    assert_eq!(text(&story, "/events/6/text"), "We do it ourselves");
    assert_eq!(
        kinds(&story)[1..],
        [
            "consent technical",
            "consent business",
            "consent customer",
            "withdrawn technical",
            "consent technical",
            "refused customer"
        ]
    );
    for (n, kind) in (7..).zip(["consent", "refused", "withdrawn"]) {
        let mut body = leader();
        body["text"] = json!("after all");
        assert_eq!(answer(&li, 1, n, kind, "customer", body).await.code(), "refused");
    }
    assert_eq!(work(&sun, 1, 2, &begun()).await.code(), "refused", "nothing may be executed");
    assert_eq!(work(&sun, 1, 3, &done("solved")).await.code(), "refused");

    // Of a consent that is taken back and a beginning in the same moment, one is refused.
    raise(&li, 2, json!({})).await.ok();
    answer(&wang, 2, 1, "consent", "technical", json!({})).await.ok();
    answer(&zhao, 2, 2, "consent", "business", json!({})).await.ok();
    answer(&li, 2, 3, "consent", "customer", leader()).await.ok();
    let begins = begun();
    let (back, begin) =
        tokio::join!(answer(&wang, 2, 4, "withdrawn", "technical", reason()), work(&sun, 2, 1, &begins));
    let codes = [back.status.as_u16(), begin.status.as_u16()];
    assert!(codes == [200, 409] || codes == [409, 200], "{codes:?}: {} {}", back.text, begin.text);
    let story = li.get(&format!("/api/v1/major-requests/{}", made(2))).await.ok();
    let (state, last) = (text(&story, "/state"), kinds(&story).pop().unwrap());
    assert!(
        (state == "raised" && last == "withdrawn technical") || (state == "executing" && last == "begun"),
        "{state} {last}"
    );
    w.settle().await;
    w.pager.expect_nothing_else();
}

async fn the_customers_leader_consents_in_person_and_sees_no_others(engine: Engine) {
    let Desk { mut w, customer, li, .. } = desk(engine).await;
    raise(&li, 1, json!({})).await.ok();
    w.person("qian.yu", "customer", Some(&customer)).await;
    let qian = w.as_person("qian.yu").await;
    let list = items(&qian.get("/api/v1/major-requests").await.ok());
    assert_eq!(text(&list[0], "/report"), "The array has failed; three weeks cannot be read");
    assert_eq!(answer(&qian, 1, 1, "consent", "technical", json!({})).await.status, 403, "its own side only");
    let story = answer(&qian, 1, 1, "consent", "customer", json!({})).await.ok();
    assert_eq!([text(&story, "/consents/2/who"), text(&story, "/consents/2/how")], ["qian.yu", "signed_in"]);
    assert_eq!(work(&qian, 1, 1, &begun()).await.status, 403);
    answer(&qian, 1, 2, "withdrawn", "customer", reason()).await.ok();

    let other = w.customer("Museum").await;
    w.person("zhou.min", "customer", Some(&other)).await;
    let zhou = w.as_person("zhou.min").await;
    assert!(items(&zhou.get("/api/v1/major-requests?all=true").await.ok()).is_empty());
    let one = format!("/api/v1/major-requests/{}", made(1));
    assert_eq!(zhou.send(Method::GET, &one, None).await.status, 404);
    assert_eq!(answer(&zhou, 1, 3, "consent", "customer", json!({})).await.status, 404);
    assert_eq!(text(&li.get(&one).await.ok(), "/state"), "raised");
    w.settle().await;
    w.pager.expect_nothing_else();
}

/// raised, waiting, refused, executing, done, solved, partly, failed.
fn figures(total: &Value) -> Vec<i64> {
    ["raised", "waiting", "refused", "executing", "done", "solved", "partly", "failed"]
        .map(|key| total[key].as_i64().unwrap())
        .to_vec()
}

async fn a_month_counts_each_over_all(engine: Engine) {
    let Desk { mut w, li, wang, zhao, sun, .. } = desk(engine).await;
    for (n, kind, cause) in [
        (1, "restoration", "hardware"),
        (2, "restoration", "hardware"),
        (3, "serious", "network"),
        (4, "misoperation", "misuse"),
        (5, "serious", "network"),
    ] {
        raise(&li, n, json!({ "kind": kind, "cause": cause })).await.ok();
    }
    for n in 1..=3 {
        answer(&wang, n, 1, "consent", "technical", json!({})).await.ok();
        answer(&zhao, n, 2, "consent", "business", json!({})).await.ok();
        answer(&li, n, 3, "consent", "customer", leader()).await.ok();
        work(&sun, n, 1, &begun()).await.ok();
    }
    work(&sun, 1, 2, &done("solved")).await.ok();
    work(&sun, 2, 2, &done("failed")).await.ok();
    answer(&zhao, 4, 1, "refused", "business", reason()).await.ok();
    let month = async |by: &Client, at: &str| by.get(&format!("/api/v1/major-figures?month={at}")).await.ok();
    let november = month(&li, "2026-11").await;
    assert_eq!(figures(&november["all"]), [5, 1, 1, 1, 2, 1, 0, 1]);
    let named = |list: &str| -> Vec<(String, Vec<i64>)> {
        november[list].as_array().unwrap().iter().map(|one| (text(one, "/name"), figures(one))).collect()
    };
    assert_eq!(
        named("kinds"),
        [
            ("misoperation".to_owned(), vec![1, 0, 1, 0, 0, 0, 0, 0]),
            ("restoration".to_owned(), vec![2, 0, 0, 0, 2, 1, 0, 1]),
            ("serious".to_owned(), vec![2, 1, 0, 1, 0, 0, 0, 0]),
        ]
    );
    let causes: Vec<String> = named("causes").into_iter().map(|one| one.0).collect();
    assert_eq!(causes, ["hardware", "misuse", "network"]);
    assert_eq!(named("customers")[0].1, figures(&november["all"]));
    assert_eq!(figures(&month(&li, "2026-12").await["all"]), [0; 8]);
    assert_eq!(li.get("/api/v1/major-figures?month=2026-13").await.status, 400);
    w.settle().await;
    w.pager.expect_nothing_else();
}
