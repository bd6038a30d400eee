//! Who is on duty: rotas, overrides, gaps, and what a change never touches.

mod duty;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sitewarden_server::rota::store::{list_for_site, list_gaps, list_on_duty};
use sitewarden_server::rota::{RotaId, Why};
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::{PASSWORD, World, items, text};

stories![
    a_team_takes_turns_and_everybody_sees_who_is_on,
    a_changed_plan_and_a_removed_override_leave_the_past_alone,
    gaps_are_seen_fourteen_days_ahead,
    what_cannot_be_kept_is_refused_with_its_place,
];

/// A world with three technicians in a team, and the rota of whoever is named: weekly from Monday 08:00 in Shanghai.
pub(super) struct Duty {
    pub w: World,
    pub people: Vec<String>,
    pub team: String,
    pub rota: String,
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn ms(text: &str) -> i64 {
    at(text).as_millisecond()
}

pub(super) fn weekly(order: &[&str]) -> Value {
    let order: Vec<[&str; 1]> = order.iter().map(|person| [*person]).collect();
    json!({ "zone": "Asia/Shanghai", "layers": [{ "name": "First line", "handover": "08:00", "start": "2026-11-16",
        "every": { "unit": "week", "count": 1, "weekday": 1 }, "order": order }] })
}

impl Duty {
    pub(super) async fn open(engine: Engine) -> Self {
        let mut w = World::usual(engine).await;
        let mut people = Vec::new();
        for login in ["wang.min", "zhao.lei", "sun.hao"] {
            people.push(w.person(login, "technician", None).await);
        }
        let site = w.site_id("North Gate");
        let team = json!({ "name": "City crew", "members": people, "sites": [site] });
        let team = text(&w.admin.post("/api/v1/teams", &team).await.ok(), "/id");
        let order: Vec<&str> = people.iter().map(String::as_str).collect();
        let new = json!({ "team_id": team, "name": "City", "plan": weekly(&order) });
        let rota = text(&w.admin.post("/api/v1/rotas", &new).await.ok(), "/id");
        Self { w, people, team, rota }
    }

    /// The names on duty at an instant.
    pub(super) async fn who(&self, when: &str) -> Vec<String> {
        let path = format!("/api/v1/rotas/{}/on_duty?at={}", self.rota, ms(when));
        items(&self.w.admin.get(&path).await.ok()).iter().map(|shift| text(shift, "/name")).collect()
    }

    /// Days later, for which the administrator signs in anew.
    pub(super) async fn turn_to(&mut self, when: &str) {
        self.w.app.clock.set(at(when));
        self.w.admin = self.w.nobody.sign_in("admin", PASSWORD).await;
    }

    /// Shifts, gaps and overrides between two instants.
    pub(super) async fn layout(&self, from: &str, to: &str) -> Value {
        let path = format!("/api/v1/rotas/{}/shifts?from_at={}&to_at={}", self.rota, ms(from), ms(to));
        self.w.admin.get(&path).await.ok()
    }
}

async fn a_team_takes_turns_and_everybody_sees_who_is_on(engine: Engine) {
    let duty = Duty::open(engine).await;
    // Thursday 19 November, 03:00: the week that began on the 16th is the first in the order.
    assert_eq!(duty.who("2026-11-19T03:00:00+08:00").await, ["wang.min"]);
    assert_eq!(duty.who("2026-11-23T07:59:59+08:00").await, ["wang.min"]);
    assert_eq!(duty.who("2026-11-23T08:00:00+08:00").await, ["zhao.lei"]);
    assert_eq!(duty.who("2026-12-07T08:00:00+08:00").await, ["wang.min"]);
    // Nothing was kept before the rota was there.
    assert_eq!(duty.who("2026-11-18T12:00:00+08:00").await, Vec::<String>::new());

    let technician = duty.w.as_person("sun.hao").await;
    let list = technician.get("/api/v1/rotas").await.ok();
    let city = &list["items"][0];
    assert_eq!(
        (text(city, "/on_duty/0/name"), text(city, "/next/0/name")),
        ("wang.min".into(), "zhao.lei".into())
    );
    assert_eq!(city["on_duty"][0]["end_at"], ms("2026-11-23T08:00:00+08:00"));
    assert_eq!(city["gaps"], json!([]));

    // What the rest of the server asks.
    let mut conn = duty.w.app.db.read().await.unwrap();
    let rota = RotaId::from(duty.rota.as_str());
    let on = list_on_duty(&mut conn, &rota, at("2026-11-24T00:00:00Z")).await.unwrap();
    assert_eq!(on.len(), 1);
    assert_eq!((on[0].account_id.as_str(), on[0].layer), (duty.people[1].as_str(), 0));
    assert_eq!(on[0].shift_end, at("2026-11-30T08:00:00+08:00"));
    let site = duty.w.site_id("North Gate");
    assert_eq!(list_for_site(&mut conn, &site).await.unwrap(), [rota]);
}

async fn a_changed_plan_and_a_removed_override_leave_the_past_alone(engine: Engine) {
    let mut duty = Duty::open(engine).await;
    let admin = &duty.w.admin;
    let new = json!({ "out_id": duty.people[0], "by_id": duty.people[2], "from_at": ms("2026-11-20T18:00:00+08:00"),
        "to_at": ms("2026-11-24T18:00:00+08:00"), "reason": "wedding" });
    let path = format!("/api/v1/rotas/{}/overrides", duty.rota);
    let made = admin.post(&path, &new).await.ok();
    // It crosses the hand-over of Monday and touches only whom it names.
    assert_eq!(duty.who("2026-11-20T18:00:00+08:00").await, ["sun.hao"]);
    assert_eq!(duty.who("2026-11-23T08:00:00+08:00").await, ["zhao.lei"]);

    duty.turn_to("2026-11-21T12:00:00+08:00").await;
    let admin = &duty.w.admin;
    let past = |layout: Value| {
        let past = items(&json!({ "items": layout["shifts"] }));
        past.into_iter()
            .filter(|shift| shift["end_at"].as_i64() <= Some(ms("2026-11-21T12:00:00+08:00")))
            .collect::<Vec<_>>()
    };
    let (from, to) = ("2026-11-19T00:00:00+08:00", "2026-12-20T00:00:00+08:00");
    let before = past(duty.layout(from, to).await);
    assert_eq!(before.len(), 1, "{before:?}");
    let remove = format!("{path}/{}", text(&made, "/id"));
    let gone = admin.send(axum::http::Method::DELETE, &remove, None).await;
    assert_eq!(gone.status, 204, "{}", gone.text);
    assert_eq!(admin.send(axum::http::Method::DELETE, &remove, None).await.status, 409);
    assert_eq!(duty.who("2026-11-21T11:59:59+08:00").await, ["sun.hao"], "it stood until it was removed");
    assert_eq!(duty.who("2026-11-21T12:00:00+08:00").await, ["wang.min"]);

    let plan = weekly(&[&duty.people[2], &duty.people[1]]);
    let path = format!("/api/v1/rotas/{}/plan", duty.rota);
    let early = json!({ "plan": plan, "from_at": ms("2026-11-21T11:00:00+08:00") });
    assert_eq!(admin.send(axum::http::Method::PUT, &path, Some(&early)).await.status, 400);
    let new = json!({ "plan": plan, "reason": "wang.min leaves" });
    let changed = admin.send(axum::http::Method::PUT, &path, Some(&new)).await.ok();
    assert_eq!(changed["versions"].as_array().map(Vec::len), Some(2));
    assert_eq!(duty.who("2026-11-21T12:00:00+08:00").await, ["sun.hao"]);
    assert_eq!(duty.who("2026-11-20T12:00:00+08:00").await, ["wang.min"]);
    let after = past(duty.layout(from, to).await);
    assert_eq!(&after[..before.len()], before, "what is past is as it was");
    let audit = admin.get("/api/v1/audit").await.ok().to_string();
    for action in ["rota.create", "rota.override", "rota.override_remove", "rota.plan"] {
        assert!(audit.contains(action), "{action}");
    }
}

async fn gaps_are_seen_fourteen_days_ahead(engine: Engine) {
    let duty = Duty::open(engine).await;
    let admin = &duty.w.admin;
    let gaps = async || list_gaps(&mut duty.w.app.db.read().await.unwrap(), duty.w.now()).await.unwrap();
    assert_eq!(gaps().await, []);
    let path = format!("/api/v1/rotas/{}/overrides", duty.rota);
    let ill = json!({ "out_id": duty.people[1], "from_at": ms("2026-11-25T08:00:00+08:00"),
        "to_at": ms("2026-11-26T08:00:00+08:00"), "reason": "ill" });
    let ill = admin.post(&path, &ill).await.ok();
    let found = gaps().await;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].rota.as_str(), found[0].why), ("City", Why::LetOut));
    assert_eq!(found[0].to - found[0].from, jiff::Span::new().seconds(86_400).fieldwise());
    let shown = duty.layout("2026-11-19T00:00:00+08:00", "2026-12-03T00:00:00+08:00").await;
    assert_eq!(shown["gaps"][0]["from_at"], ms("2026-11-25T08:00:00+08:00"));
    let fill = json!({ "by_id": duty.people[2], "from_at": ms("2026-11-25T08:00:00+08:00"),
        "to_at": ms("2026-11-26T08:00:00+08:00"), "reason": "stands in" });
    admin.post(&path, &fill).await.ok();
    assert_eq!(gaps().await, []);
    admin.send(axum::http::Method::DELETE, &format!("{path}/{}", text(&ill, "/id")), None).await;

    // Somebody who cannot sign in any more is nobody, from now on.
    let off = json!({ "disabled": true });
    let user = format!("/api/v1/users/{}", duty.people[1]);
    admin.send(axum::http::Method::PATCH, &user, Some(&off)).await.ok();
    let found = gaps().await;
    assert!(found.iter().all(|gap| gap.why == Why::Gone) && !found.is_empty(), "{found:?}");
    assert_eq!(found[0].from, at("2026-11-23T08:00:00+08:00"));
    let mut conn = duty.w.app.db.read().await.unwrap();
    let monday = at("2026-11-23T08:00:00+08:00");
    assert_eq!(list_on_duty(&mut conn, &RotaId::from(duty.rota.as_str()), monday).await.unwrap(), []);

    // A plan can be tried before it is kept.
    let until = (duty.w.now() + SignedDuration::from_hours(24 * 14)).as_millisecond();
    let draft =
        json!({ "rota_id": duty.rota, "plan": weekly(&[&duty.people[0], &duty.people[2]]), "to_at": until });
    let tried = admin.post("/api/v1/rotas/preview", &draft).await.ok();
    assert_eq!((&tried["gaps"], tried["shifts"].as_array().map(Vec::len)), (&json!([]), Some(4)), "{tried}");
    assert!(!gaps().await.is_empty(), "nothing was kept");
    // Once it has ended, nobody misses anybody.
    let end = json!({ "archived": true });
    let path = format!("/api/v1/rotas/{}", duty.rota);
    admin.send(axum::http::Method::PATCH, &path, Some(&end)).await.ok();
    assert_eq!(gaps().await, []);
}

async fn what_cannot_be_kept_is_refused_with_its_place(engine: Engine) {
    let mut duty = Duty::open(engine).await;
    let customer = duty.w.customer("Mall").await;
    let boss = duty.w.person("mall.boss", "customer", Some(&customer)).await;
    let post = async |plan: Value| {
        let new = json!({ "team_id": duty.team, "name": "Other", "plan": plan });
        duty.w.admin.post("/api/v1/rotas", &new).await
    };
    let edited = |pointer: &str, value: Value| {
        let mut plan = weekly(&[&duty.people[0]]);
        *plan.pointer_mut(pointer).unwrap() = value;
        plan
    };
    for (pointer, value, word) in [
        ("/zone", json!("Mars/Base"), "Asia/Shanghai"),
        ("/layers", json!([]), "1 to 8 layers"),
        ("/layers/0/handover", json!("8 am"), "layers[0].handover: `8 am`"),
        ("/layers/0/start", json!("2026-02-30"), "layers[0].start"),
        ("/layers/0/every/weekday", json!(8), "1 (Monday) to 7"),
        ("/layers/0/every/count", json!(0), "1 to 52"),
        ("/layers/0/order", json!([[]]), "1 to 8 different people"),
        ("/layers/0/order", json!([["nobody"]]), "there is no person `nobody`"),
    ] {
        let refused = post(edited(pointer, value)).await;
        assert!(refused.status.is_client_error() && refused.text.contains(word), "{word}: {}", refused.text);
    }
    let mut windowed = weekly(&[&duty.people[0]]);
    windowed["layers"][0]["week"] = json!([[], [], [], [], [], [], ["22:00-08:00"]]);
    let refused = post(windowed).await;
    assert!(refused.text.contains("layers[0].week"), "{}", refused.text);
    let taken = json!({ "team_id": duty.team, "name": "City", "plan": weekly(&[]) });
    assert_eq!(duty.w.admin.post("/api/v1/rotas", &taken).await.status, 409);
    let refused = post(weekly(&[&boss])).await;
    assert_eq!(refused.status, 404, "a customer is never on duty: {}", refused.text);
}
