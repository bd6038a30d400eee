//! Who is sent: everybody who may go, the best first, each with what speaks for and against.

use axum::http::Method;
use serde_json::{Value, json};
use sitewarden_tests::client::Client;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

use super::visit::{account, made, plan, promised, take, ticket};

stories![
    the_best_of_those_who_may_go_is_proposed_with_reasons,
    a_certificate_that_runs_out_before_the_visit_is_none,
    nobody_is_proposed_where_nobody_is_fit_and_the_manager_is_named,
];

/// What somebody can do, and how far north of the North Gate the person lives, km.
async fn is(w: &World, login: &str, skills: Value, km: f64) {
    let body = json!({ "skills": skills, "lat": 22.0 + km / 111.195, "lon": 113.5, "datum": "wgs84" });
    w.admin.put(&format!("/api/v1/users/{}/skills", account(w, login).await), &body).await.ok();
}

/// The site gets a position, and two more technicians are there.
async fn placed(w: &mut World) {
    let place = json!({ "lat": 22.0, "lon": 113.5, "datum": "wgs84" });
    let site = format!("/api/v1/sites/{}", w.site_id("North Gate"));
    w.admin.send(Method::PATCH, &site, Some(&place)).await.ok();
    w.person("zhao.lei", "technician", None).await;
    w.person("sun.jie", "technician", None).await;
}

async fn asked(by: &Client, query: &str) -> Value {
    by.get(&format!("/api/v1/tickets/1001/dispatch{query}")).await.ok()
}

/// Names with whether nothing speaks against them, in order.
fn order(answer: &Value) -> Vec<(String, bool)> {
    let people = answer["items"].as_array().unwrap();
    people.iter().map(|one| (text(one, "/account"), one["fit"] == true)).collect()
}

fn those(people: &[(&str, bool)]) -> Vec<(String, bool)> {
    people.iter().map(|(name, fit)| ((*name).to_owned(), *fit)).collect()
}

fn of<'a>(answer: &'a Value, who: &str) -> &'a Value {
    answer["items"].as_array().unwrap().iter().find(|one| one["account"] == who).unwrap()
}

async fn the_best_of_those_who_may_go_is_proposed_with_reasons(engine: Engine) {
    let mut w = promised(engine, "\"gateway_code\"").await;
    placed(&mut w).await;
    w.device("North Gate", "cam-3").await;
    w.device_goes_down("cam-3");
    w.forward_minutes(3).await;
    w.pager.expect("li.wei", &["#1001", "cam-3"]);
    let li = w.as_person("li.wei").await;

    // Nobody here calls anything by the camera's name: no skill is asked for, and the nearest goes; whoever is on duty
    // goes before.
    is(&w, "wang.min", json!([]), 2.0).await;
    is(&w, "zhao.lei", json!([]), 6.0).await;
    let answer = asked(&li, "").await;
    assert_eq!((&answer["skills"], &answer["placed"]), (&json!([]), &json!(true)));
    let all = [("li.wei", true), ("wang.min", true), ("zhao.lei", true), ("sun.jie", true)];
    assert_eq!(order(&answer), those(&all));
    assert_eq!(of(&answer, "li.wei")["on_duty"], true);
    let zhao = of(&answer, "zhao.lei");
    assert_eq!((&zhao["km"], &zhao["from"], &zhao["late"]), (&json!(6.0), &json!("home"), &json!(false)));
    // 6 km are 8.4 by road at 25 km/h: 20 min 10 s, after ten to set out.
    let takes = zhao["there_at"].as_i64().unwrap() - w.now().as_millisecond();
    assert_eq!(takes / 1000, 600 + 1210);
    assert_eq!(
        (&of(&answer, "sun.jie")["km"], &of(&answer, "sun.jie")["late"]),
        (&Value::Null, &Value::Null)
    );

    // Somebody who can, with a certificate that holds, before all who are nearer.
    is(&w, "zhao.lei", json!([{ "skill": "CCTV", "certificate": "AF-77", "expires_at": null }]), 6.0).await;
    is(&w, "sun.jie", json!([{ "skill": "Fire", "certificate": "", "expires_at": null }]), 1.0).await;
    let answer = asked(&li, "").await;
    assert_eq!(answer["skills"], json!(["CCTV"]));
    let able = [("zhao.lei", true), ("li.wei", false), ("sun.jie", false), ("wang.min", false)];
    assert_eq!(order(&answer), those(&able));
    assert_eq!(of(&answer, "zhao.lei")["skill"]["certificate"], "AF-77");
    assert_eq!(of(&answer, "wang.min")["skill"]["state"], "missing");
    assert_eq!(order(&asked(&li, "?skill=Fire").await)[0], ("sun.jie".to_owned(), true));

    // The customer's own engineer before whoever is on duty or nearer.
    let customers = items(&w.admin.get("/api/v1/customers").await.ok());
    let engineer =
        |customer: Value| json!({ "kind": "engineer", "account_id": null, "customer_id": customer });
    let mut new = engineer(customers[0]["id"].clone());
    new["account_id"] = json!(account(&w, "zhao.lei").await);
    w.admin.post("/api/v1/escalation/people", &new).await.ok();
    new["customer_id"] = Value::Null;
    let refused = w.admin.post("/api/v1/escalation/people", &new).await;
    assert_eq!(refused.status, 400, "an engineer of everybody is nobody's own: {}", refused.text);
    let answer = asked(&li, "?skill=").await;
    assert_eq!(order(&answer)[0], ("zhao.lei".to_owned(), true));
    assert_eq!(of(&answer, "zhao.lei")["engineer"], true);

    // Whoever is on the way elsewhere is taken for now; of the visit in question that is not said.
    let elsewhere =
        json!({ "site_id": w.site_id("North Gate"), "title": "Barrier arm bent", "severity": "minor" });
    li.post("/api/v1/tickets", &elsewhere).await.ok();
    w.settle().await;
    plan(&w, &li, 1, 1002, "zhao.lei").await;
    let zhao = w.as_person("zhao.lei").await;
    take(&zhao, 1, 11, &json!({ "kind": "accepted" })).await;
    take(&zhao, 1, 12, &json!({ "kind": "departed" })).await;
    let answer = asked(&li, "?skill=").await;
    assert_eq!(*order(&answer).last().unwrap(), ("zhao.lei".to_owned(), false));
    assert_eq!(
        (&of(&answer, "zhao.lei")["taken_by"], &of(&answer, "zhao.lei")["visits"]),
        (&json!(1002), &json!(1))
    );
    let answer = asked(&li, &format!("?skill=&visit={}", made(1))).await;
    assert_eq!(of(&answer, "zhao.lei")["taken_by"], Value::Null);

    // Technicians and customers do not send anybody.
    assert_eq!(zhao.get("/api/v1/tickets/1001/dispatch").await.status, 403);
    w.forward_seconds(30).await;
}

async fn a_certificate_that_runs_out_before_the_visit_is_none(engine: Engine) {
    let mut w = promised(engine, "\"gateway_code\"").await;
    placed(&mut w).await;
    let li = ticket(&mut w, 1001).await;
    let tomorrow = w.now().as_millisecond() + 86_400_000;
    let until = tomorrow - 3_600_000;
    is(&w, "zhao.lei", json!([{ "skill": "barriers", "certificate": "B-9", "expires_at": until }]), 3.0)
        .await;
    let now = asked(&li, "?skill=barriers").await;
    assert_eq!(order(&now)[0], ("zhao.lei".to_owned(), true));
    let then = asked(&li, &format!("?skill=barriers&at={tomorrow}")).await;
    let skill = &of(&then, "zhao.lei")["skill"];
    assert_eq!((&skill["state"], &skill["expires_at"]), (&json!("expired"), &json!(until)));
    assert_eq!(of(&then, "zhao.lei")["fit"], false);
    w.forward_seconds(30).await;
}

async fn nobody_is_proposed_where_nobody_is_fit_and_the_manager_is_named(engine: Engine) {
    let mut w = promised(engine, "\"gateway_code\"").await;
    placed(&mut w).await;
    let li = ticket(&mut w, 1001).await;
    w.person("chen.jing", "noc", None).await;
    let manager = json!({ "kind": "manager", "account_id": account(&w, "chen.jing").await });
    w.admin.post("/api/v1/escalation/people", &manager).await.ok();
    assert_eq!(asked(&li, "").await["managers"], json!([]), "somebody is fit");

    // An hour is promised; 80 km take 24 + 102 minutes.
    for who in ["wang.min", "zhao.lei", "sun.jie", "li.wei"] {
        is(&w, who, json!([]), 80.0).await;
    }
    let answer = asked(&li, "").await;
    assert!(order(&answer).iter().all(|(_, fit)| !fit), "{answer}");
    assert_eq!((&of(&answer, "sun.jie")["late"], &answer["managers"]), (&json!(true), &json!(["chen.jing"])));
    w.forward_seconds(30).await;
}
