//! Who is asked next, until somebody has the ticket: steps, rounds, conditions, what people do by hand.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use sitewarden_server::db::{self, Tx};
use sitewarden_tests::database::Engine;
use sitewarden_tests::gateway::Condition;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, text};

mod hand;
mod reach;
mod time;

stories![
    steps_come_one_after_the_other_and_an_edit_changes_none_of_a_ticket_that_has_begun,
    two_that_look_at_one_moment_ask_once,
    a_round_is_repeated_then_the_manager_then_the_administrators,
    what_leads_to_nobody_costs_no_time_and_ends_with_the_administrators,
    a_step_outside_of_its_hours_is_passed_over,
    a_step_in_quiet_hours_waits_for_their_end,
    people_are_asked_by_skill_and_distance,
    whoever_is_named_twice_has_one_page,
    the_plan_of_the_site_wins_over_the_customers,
    the_customer_hears_of_it_once_and_that_it_is_over,
];

/// The usual world with two technicians; what people are called and their accounts.
pub(super) struct Crew {
    pub w: World,
    pub li: String,
    pub wang: String,
    pub zhao: String,
}

impl Crew {
    pub(super) async fn open(engine: Engine) -> Self {
        let mut w = World::usual(engine).await;
        let li = account(&w, "li.wei").await;
        let wang = w.person("wang.min", "technician", None).await;
        let zhao = w.person("zhao.lei", "technician", None).await;
        w.device("North Gate", "cam-3").await;
        Self { w, li, wang, zhao }
    }

    /// Adds a plan for all; its id.
    pub(super) async fn plan(&self, plan: &Value) -> String {
        let new = json!({ "name": "Everyday", "plan": plan });
        text(&self.w.admin.post("/api/v1/escalation/plans", &new).await.ok(), "/id")
    }

    /// The camera dies, and three minutes pass: the first step has been done.
    pub(super) async fn camera_dies(&mut self) {
        self.w.device_goes_down("cam-3");
        self.w.forward_minutes(3).await;
    }

    pub(super) async fn name(&self, kind: &str, account: &str) {
        let new = json!({ "kind": kind, "account_id": account });
        self.w.admin.post("/api/v1/escalation/people", &new).await.ok();
    }

    /// The administrator of the story can be paged.
    pub(super) async fn reach_administrator(&self) {
        let id = account(&self.w, "admin").await;
        let contact =
            json!({ "channel": "webhook", "address": self.w.pager.address("chen.yu"), "template": "" });
        self.w.admin.post(&format!("/api/v1/users/{id}/contacts"), &contact).await.ok();
    }

    pub(super) async fn phase(&self) -> String {
        text(&self.w.ticket(1001).await, "/escalation/phase")
    }
}

pub(super) async fn account(w: &World, login: &str) -> String {
    let users = w.admin.get("/api/v1/users").await.ok();
    let user = users["items"].as_array().into_iter().flatten().find(|user| user["login"] == login);
    text(user.expect("a person of this story"), "/id")
}

pub(super) fn person(account: &str) -> Value {
    json!({ "kind": "person", "account_id": account })
}

pub(super) fn step(after_minutes: i64, targets: &[Value]) -> Value {
    json!({ "after_s": after_minutes * 60, "targets": targets })
}

async fn steps_come_one_after_the_other_and_an_edit_changes_none_of_a_ticket_that_has_begun(engine: Engine) {
    let mut c = Crew::open(engine).await;
    let steps = [step(0, &[person(&c.li)]), step(10, &[person(&c.wang)]), step(10, &[person(&c.zhao)])];
    let id = c.plan(&json!({ "steps": steps })).await;
    c.camera_dies().await;
    c.w.pager.expect("li.wei", &["#1001"]);
    let ticket = c.w.ticket(1001).await;
    assert_eq!(
        (text(&ticket, "/next_who"), text(&ticket, "/escalation/plan")),
        ("wang.min".into(), "Everyday".into())
    );
    let next = ticket["next_at"].as_i64().unwrap() - c.w.now().as_millisecond();
    assert!((420_000..600_000).contains(&next), "{next}");

    let other = json!({ "name": "Everyday", "plan": { "steps": [step(0, &[person(&c.li)])] } });
    c.w.admin.send(Method::PUT, &format!("/api/v1/escalation/plans/{id}"), Some(&other)).await.ok();
    c.w.forward_minutes(10).await;
    c.w.pager.expect("wang.min", &["#1001"]);
    c.w.restart_server().await;
    c.w.forward_minutes(5).await;
    c.w.pager.expect_nothing_else();
    c.w.forward_minutes(5).await;
    c.w.pager.expect("zhao.lei", &["#1001"]);
    assert_eq!(c.phase().await, "rest");
    let told = ["opened", "escalated", "step_asked", "page_queued", "page_sent"];
    let again = ["step_asked", "page_queued", "page_sent"];
    let story = [&told[..], &again, &again].concat();
    assert_eq!(c.w.story(1001).await, story);
    c.w.as_person("zhao.lei").await.post("/api/v1/tickets/1001/ack", &json!({})).await.ok();
    c.w.forward_minutes(60).await;
}

/// The engine and reports that come in act at one moment, or a server that was killed has a transaction under way
/// in the database when the next one starts.
async fn two_that_look_at_one_moment_ask_once(engine: Engine) {
    let mut c = Crew::open(engine).await;
    c.plan(&json!({ "steps": [step(0, &[person(&c.li)]), step(10, &[person(&c.wang)])] })).await;
    c.camera_dies().await;
    c.w.pager.expect("li.wei", &["#1001"]);
    let (db, due) = (c.w.app.db.clone(), c.w.now() + Duration::from_mins(10));
    let act = async |tx: &mut Tx| sitewarden_server::escalation::step::step(tx, due).await.unwrap().len();
    let mut first = db.write_in_turn().await.unwrap();
    assert_eq!(act(&mut first).await, 1);
    let waiting = tokio::spawn({
        let db = db.clone();
        async move { db.write_in_turn().await.unwrap() }
    });
    if engine == Engine::Postgres {
        let mut reports = db.write().await.unwrap();
        assert!(
            !db::try_turn(&mut reports).await.unwrap(),
            "whoever holds rows does not wait, and does not act"
        );
        reports.rollback().await.unwrap();
        assert!(!waiting.is_finished());
    }
    first.commit().await.unwrap();
    let mut second = waiting.await.unwrap();
    assert_eq!(act(&mut second).await, 0);
    assert!(db::try_turn(&mut second).await.unwrap(), "it is its turn already");
    second.commit().await.unwrap();
    c.w.forward_minutes(11).await;
    c.w.pager.expect("wang.min", &["#1001"]);
    let asked = c.w.story(1001).await.iter().filter(|kind| *kind == "step_asked").count();
    assert_eq!(asked, 2);
}

async fn a_round_is_repeated_then_the_manager_then_the_administrators(engine: Engine) {
    let mut c = Crew::open(engine).await;
    c.name("manager", &c.wang).await;
    c.reach_administrator().await;
    let steps = [step(0, &[person(&c.li)])];
    c.plan(&json!({ "steps": steps, "rounds": 2, "round_every_s": 900, "answer_s": 600 })).await;
    c.camera_dies().await;
    let first = c.w.pager.expect("li.wei", &["#1001"]);
    c.w.forward_minutes(15).await;
    let second = c.w.pager.expect("li.wei", &["#1001"]);
    assert_ne!(first.word("/key"), second.word("/key"), "a round is no repeat");
    assert_eq!(second.word("/repeat"), "false");
    c.w.forward_minutes(10).await;
    c.w.pager.expect("wang.min", &["#1001"]);
    c.w.forward_minutes(10).await;
    c.w.pager.expect("chen.yu", &["#1001"]);
    assert_eq!(c.phase().await, "spent");
    c.w.forward_minutes(120).await;
}

async fn what_leads_to_nobody_costs_no_time_and_ends_with_the_administrators(engine: Engine) {
    let mut c = Crew::open(engine).await;
    let team = text(&c.w.admin.post("/api/v1/teams", &json!({ "name": "Empty" })).await.ok(), "/id");
    let nobody = json!({ "kind": "team", "team_id": team });
    let steps = [step(0, std::slice::from_ref(&nobody)), step(30, &[nobody])];
    c.plan(&json!({ "steps": steps, "answer_s": 600 })).await;
    c.camera_dies().await;
    assert_eq!(c.w.story(1001).await, ["opened", "escalated", "step_empty", "step_empty", "nobody_to_page"]);

    // The next one has an administrator who can be paged.
    c.reach_administrator().await;
    c.w.device("North Gate", "cam-4").await;
    c.w.device_goes_down("cam-4");
    c.w.forward_minutes(3).await;
    c.w.pager.expect("chen.yu", &["#1002"]);
}

fn office() -> Value {
    json!({ "days": [1, 2, 3, 4, 5], "from": "08:30", "to": "18:00", "holidays": true })
}

async fn a_step_outside_of_its_hours_is_passed_over(engine: Engine) {
    let mut c = Crew::open(engine).await;
    let by_day = json!({ "targets": [person(&c.li)], "when": { "hours": office() } });
    c.plan(&json!({ "steps": [by_day, step(10, &[person(&c.wang)])] })).await;
    c.camera_dies().await;
    c.w.pager.expect("wang.min", &["#1001"]);
    let passed = c.w.ticket(1001).await["events"][2].clone();
    assert_eq!(
        (text(&passed, "/kind"), text(&passed, "/body/reason")),
        ("step_passed".into(), "hours".into())
    );
    c.w.forward_minutes(30).await;
}

async fn a_step_in_quiet_hours_waits_for_their_end(engine: Engine) {
    let mut c = Crew::open(engine).await;
    let quiet = json!({ "days": [1, 2, 3, 4, 5, 6, 7], "from": "22:00", "to": "03:30" });
    c.plan(&json!({ "steps": [{ "targets": [person(&c.li)], "quiet": quiet }] })).await;
    c.w.condition("cam-3", Condition::Faulty { check: "http".into(), code: "http_status".into() });
    c.w.forward_minutes(20).await;
    assert_eq!(c.w.story(1001).await, ["opened", "escalated", "step_waits"]);
    c.w.pager.expect_nothing_else();
    c.w.forward_minutes(10).await;
    c.w.pager.expect("li.wei", &["#1001"]);
}

async fn people_are_asked_by_skill_and_distance(engine: Engine) {
    let mut c = Crew::open(engine).await;
    let sun = c.w.person("sun.hao", "technician", None).await;
    let site = c.w.site_id("North Gate");
    // As a Chinese map gives it: some 500 m from the same numbers of GPS.
    let place = json!({ "lat": 22.2736, "lon": 113.5721, "datum": "GCJ-02" });
    c.w.admin.send(Method::PATCH, &format!("/api/v1/sites/{site}"), Some(&place)).await.ok();
    let hour_ago = c.w.now().as_millisecond() - 3_600_000;
    for (who, lat, expires_at) in
        [(&c.li, 22.30, None), (&c.wang, 22.28, Some(hour_ago)), (&c.zhao, 23.13, None), (&sun, 22.25, None)]
    {
        let skill = if who == &sun { "fibre" } else { "high voltage" };
        let able = json!({ "skills": [{ "skill": skill, "certificate": "ZH-118", "expires_at": expires_at }],
            "lat": lat, "lon": 113.57, "datum": "wgs84" });
        c.w.admin.send(Method::PUT, &format!("/api/v1/users/{who}/skills"), Some(&able)).await.ok();
    }
    let skilled = json!({ "kind": "skill", "skill": "high voltage", "within_km": 30.0 });
    c.plan(&json!({ "steps": [step(0, &[skilled])] })).await;
    c.camera_dies().await;
    // wang.min's certificate has run out, zhao.lei lives 90 km away, sun.hao can do something else.
    c.w.pager.expect("li.wei", &["#1001"]);
}

async fn whoever_is_named_twice_has_one_page(engine: Engine) {
    let mut c = Crew::open(engine).await;
    let twice = [person(&c.li), json!({ "kind": "duty" }), person(&c.li)];
    c.plan(&json!({ "steps": [step(0, &twice)] })).await;
    c.camera_dies().await;
    c.w.pager.expect("li.wei", &["#1001"]);
}

async fn the_plan_of_the_site_wins_over_the_customers(engine: Engine) {
    let mut c = Crew::open(engine).await;
    c.plan(&json!({ "steps": [step(0, &[person(&c.li)])] })).await;
    let site = c.w.site_id("North Gate");
    let customer = text(&c.w.admin.get(&format!("/api/v1/sites/{site}")).await.ok(), "/customer_id");
    let new = |name: &str, key: &str, id: &str, who: &str, class: &str| json!({ "name": name, key: id, "plan": { "when": { "classes": [class] }, "steps": [step(0, &[person(who)])] } });
    for plan in [
        new("Customer", "customer_id", &customer, &c.wang, "camera"),
        new("Site, switches", "site_id", &site, &c.zhao, "switch"),
    ] {
        c.w.admin.post("/api/v1/escalation/plans", &plan).await.ok();
    }
    c.camera_dies().await;
    // The site's own plan is for switches only, so the customer's is the most specific that fits.
    c.w.pager.expect("wang.min", &["#1001"]);
}

async fn the_customer_hears_of_it_once_and_that_it_is_over(engine: Engine) {
    let mut c = Crew::open(engine).await;
    let site = c.w.site_id("North Gate");
    let customer = text(&c.w.admin.get(&format!("/api/v1/sites/{site}")).await.ok(), "/customer_id");
    let boss = c.w.person("boss", "customer", Some(&customer)).await;
    let new = json!({ "kind": "contact", "customer_id": customer, "account_id": boss });
    c.w.admin.post("/api/v1/escalation/people", &new).await.ok();
    c.plan(&json!({ "steps": [step(0, &[person(&c.li)]), step(10, &[person(&c.wang)])] })).await;
    c.camera_dies().await;
    c.w.pager.expect("li.wei", &["#1001"]);
    let told = c.w.pager.expect("boss", &["#1001", "North Gate"]);
    assert_eq!((told.link(), told.word("/purpose")), (String::new(), "informed".to_owned()));
    c.w.forward_minutes(10).await;
    c.w.pager.expect("wang.min", &["#1001"]);
    c.w.device_comes_back("cam-3");
    c.w.forward_minutes(5).await;
    let told = c.w.pager.expect("boss", &["#1001"]);
    assert_eq!(told.word("/purpose"), "informed_over");
    c.w.pager.expect("li.wei", &["#1001"]);
    c.w.pager.expect("wang.min", &["#1001"]);
}
