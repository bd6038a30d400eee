//! Maintenance windows that wait for somebody: a proved arrival of a visit opens them, a claimed one does not, and the
//! end of the visit closes what it opened.

use serde_json::{Value, json};
use sitewarden_tests::client::Client;
use sitewarden_tests::database::Engine;
use sitewarden_tests::stories;
use sitewarden_tests::world::{World, items, text};

stories![a_proved_arrival_opens_what_waits_for_it_and_leaving_closes_it];

fn made(n: u64) -> String {
    format!("31d00000-0000-4000-8000-{n:012}")
}

async fn step(by: &Client, n: u64, body: &Value) {
    by.put(&format!("/api/v1/visits/{}/steps/{}", made(1), made(n)), body).await.ok();
}

async fn states(w: &World) -> Vec<String> {
    let list = items(&w.admin.get("/api/v1/maintenance?state=all").await.ok());
    let mut told: Vec<(String, String)> =
        list.iter().map(|one| (text(one, "/reason"), text(one, "/state"))).collect();
    told.sort();
    told.into_iter().map(|(_, state)| state).collect()
}

async fn a_proved_arrival_opens_what_waits_for_it_and_leaving_closes_it(engine: Engine) {
    let mut w = World::usual(engine).await;
    w.device("North Gate", "cam-3").await;
    w.device("North Gate", "cam-4").await;
    let start = w.now().as_millisecond();
    for (reason, kind, device) in [
        ("1 site", "visit", None),
        ("2 other device", "visit", Some("cam-4")),
        ("3 fault", "flexible", Some("cam-3")),
    ] {
        let device = device.map(|name| w.device_id(name));
        let new = json!({ "site_id": w.site_id("North Gate"), "device_id": device, "kind": kind, "starts_at": start,
            "ends_at": start + 8 * 3_600_000, "length_ms": 2 * 3_600_000, "reason": reason });
        w.admin.post("/api/v1/maintenance", &new).await.ok();
    }
    let li = w.as_person("li.wei").await;
    let new = json!({ "site_id": w.site_id("North Gate"), "device_id": w.device_id("cam-3"), "title": "Lens dirty", "severity": "minor" });
    li.post("/api/v1/tickets", &new).await.ok();
    w.settle().await;
    assert_eq!(states(&w).await, ["waiting", "waiting", "waiting"]);
    li.put(&format!("/api/v1/visits/{}", made(1)), &json!({ "ticket_id": "1001" })).await.ok();
    step(&li, 2, &json!({ "kind": "accepted" })).await;
    // Who only says so opens nothing: what is not proved withholds no page.
    step(&li, 3, &json!({ "kind": "arrived" })).await;
    w.settle().await;
    assert_eq!(states(&w).await, ["waiting", "waiting", "waiting"]);
    let proof = json!({ "kind": "arrived", "evidence": [{ "kind": "customer", "by": "Ms Zhou" }] });
    w.admin.put(&format!("/api/v1/visits/{}/steps/{}", made(1), made(4)), &proof).await.ok();
    w.settle().await;
    assert_eq!(states(&w).await, ["running", "waiting", "waiting"]);

    // While somebody works there, what goes down wakes nobody.
    w.device_goes_down("cam-4");
    w.forward_minutes(5).await;
    step(&li, 5, &json!({ "kind": "working" })).await;
    w.device_comes_back("cam-4");
    w.forward_minutes(10).await;
    step(&li, 6, &json!({ "kind": "done" })).await;
    w.settle().await;
    let list = items(&w.admin.get("/api/v1/maintenance?state=all").await.ok());
    let first = list.iter().find(|one| one["reason"] == "1 site").unwrap();
    assert_eq!([text(first, "/state"), text(first, "/ended_by")], ["over", "li.wei"]);
    w.forward_minutes(5).await;
}
