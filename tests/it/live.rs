//! The live page's stream: a snapshot, numbered deltas, a new snapshot when the page must be built anew,
//! and for each viewer its own rows only.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt as _;
use serde_json::{Value, json};
use sitewarden_server::app::Touched;
use sitewarden_server::live::Pump;
use sitewarden_server::user::Role;
use sitewarden_tests::client::Client;
use sitewarden_tests::database::{ENGINES, Engine};
use sitewarden_tests::desk::Desk;

/// A page that is open.
struct Page {
    stream: BodyDataStream,
    read: String,
}

impl Page {
    async fn open(client: &Client) -> Self {
        let (answer, body): (_, Body) = client.open("/api/v1/live").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        Self { stream: body.into_data_stream(), read: String::new() }
    }

    /// The next event that is not a beat; `None` when the stream is over.
    async fn next(&mut self) -> Option<(String, Value)> {
        let limit = Duration::from_secs(20);
        tokio::time::timeout(limit, self.read_event()).await.expect("an event within 20 s")
    }

    async fn read_event(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, _)) = self.read.split_once("\n\n") {
                let field = |name: &str| {
                    event
                        .lines()
                        .find_map(|line| line.strip_prefix(name))
                        .unwrap_or_default()
                        .trim()
                        .to_owned()
                };
                let (kind, body) = (field("event:"), field("data:"));
                let end = event.len() + 2;
                self.read.drain(..end);
                if kind != "beat" {
                    return Some((kind, serde_json::from_str(&body).unwrap()));
                }
                continue;
            }
            let chunk = self.stream.next().await?;
            self.read.push_str(&String::from_utf8_lossy(&chunk.unwrap()));
        }
    }
}

async fn set_state(desk: &Desk, device: &str, state: &str) {
    let mut tx = desk.app.db.write().await.unwrap();
    sqlx::query("UPDATE device SET state = $2, state_since = $3 WHERE id = $1")
        .bind(device)
        .bind(state)
        .bind(desk.app.clock.now().as_millisecond())
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let touched = Touched { devices: [device.to_owned()].into(), ..Touched::default() };
    desk.app.live.publish(&touched);
}

async fn add_device(admin: &Client, customer: &str) -> (String, String, String) {
    let id = |value: &Value| value.as_str().unwrap().to_owned();
    let owner = id(&admin.post("/api/v1/customers", &json!({ "name": customer })).await.ok()["id"]);
    let site = json!({ "customer_id": owner, "name": format!("{customer} Site"), "zone": "Asia/Shanghai" });
    let site = id(&admin.post("/api/v1/sites", &site).await.ok()["id"]);
    let gateway = json!({ "site_id": site, "name": "gw" });
    let gateway = id(&admin.post("/api/v1/gateways", &gateway).await.ok()["gateway"]["id"]);
    let device = json!({ "gateway_id": gateway, "name": "cam-1", "class": "camera", "address": "10.0.0.1",
        "checks": "[[check]]\nkind = \"icmp\"\n" });
    let device = id(&admin.post("/api/v1/devices", &device).await.ok()["id"]);
    (owner, gateway, device)
}

async fn a_page_follows(engine: Engine) {
    let desk = Desk::open(engine).await;
    let admin = desk.person("root", Role::Administrator, None).await;
    let (alpha, _, cam_a) = add_device(&admin, "Alpha").await;
    let (_, gateway_b, cam_b) = add_device(&admin, "Bravo").await;
    let boss = desk.person("boss", Role::Customer, Some(&alpha)).await;
    let mut pump = Pump::default();
    pump.step(&desk.app).await.unwrap();

    let (mut noc, mut own) = (Page::open(&admin).await, Page::open(&boss).await);
    assert_eq!(desk.app.live.streams(), 2);
    let (kind, board) = noc.next().await.unwrap();
    assert_eq!((kind.as_str(), &board["counts"]["devices"]), ("snapshot", &json!(2)));
    assert_eq!(board["counts"]["leads_to_nobody"], json!(2));
    assert_eq!(board["sites"][0]["devices"][0][1], json!("cam-1"));
    let (_, board) = own.next().await.unwrap();
    assert_eq!(board["counts"]["devices"], json!(1));

    // What changes between two steps is one delta; each viewer gets its part, and none when it has none.
    set_state(&desk, &cam_b, "down").await;
    pump.step(&desk.app).await.unwrap();
    set_state(&desk, &cam_a, "degraded").await;
    set_state(&desk, &cam_b, "ok").await;
    pump.step(&desk.app).await.unwrap();
    let (kind, first) = noc.next().await.unwrap();
    let (_, second) = noc.next().await.unwrap();
    assert_eq!(kind, "delta");
    assert_eq!(second["seq"].as_u64().unwrap(), first["seq"].as_u64().unwrap() + 1);
    assert_eq!(first["devices"][0]["state"], json!("down"));
    assert_eq!(second["devices"].as_array().unwrap().len(), 2);
    let (_, only) = own.next().await.unwrap();
    assert_eq!(only["seq"], second["seq"]);
    assert_eq!(only["devices"].as_array().unwrap().len(), 1);
    assert_eq!(only["devices"][0]["id"], json!(cam_a));

    // A device that pages do not know yet makes them fetch everything.
    let new = json!({ "gateway_id": gateway_b, "name": "cam-2", "class": "camera", "address": "10.0.0.2",
        "checks": "[[check]]\nkind = \"icmp\"\n" });
    let new = admin.post("/api/v1/devices", &new).await.ok();
    pump.step(&desk.app).await.unwrap();
    let (kind, board) = noc.next().await.unwrap();
    assert_eq!((kind.as_str(), &board["counts"]["devices"]), ("snapshot", &json!(3)));
    assert_eq!(own.next().await.unwrap().1["counts"]["devices"], json!(1));
    // And once they know it, it changes by deltas like any other; so does one that is removed, once.
    set_state(&desk, new["id"].as_str().unwrap(), "down").await;
    pump.step(&desk.app).await.unwrap();
    assert_eq!(noc.next().await.unwrap().0, "delta");

    // A page that lags too far is given a snapshot instead of a gap.
    for n in 0..80 {
        set_state(&desk, &cam_a, if n % 2 == 0 { "down" } else { "ok" }).await;
        pump.step(&desk.app).await.unwrap();
    }
    let (kind, board) = own.next().await.unwrap();
    assert_eq!(kind, "snapshot");
    assert_eq!(board["seq"].as_u64(), Some(desk.app.live.seq()));

    drop((noc, own));
    assert_eq!(desk.app.live.streams(), 0);
}

#[tokio::test]
async fn pages_follow() {
    for engine in ENGINES {
        a_page_follows(engine).await;
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_session() {
    let desk = Desk::open(Engine::Sqlite).await;
    let admin = desk.person("root", Role::Administrator, None).await;
    let boss = desk.person("li.wei", Role::Noc, None).await;
    let mut page = Page::open(&boss).await;
    page.next().await.unwrap();
    let id = boss.get("/api/v1/me").await.ok()["id"].as_str().unwrap().to_owned();
    let off = json!({ "disabled": true });
    admin.send(axum::http::Method::PATCH, &format!("/api/v1/users/{id}"), Some(&off)).await.ok();
    assert!(page.next().await.is_none());
}

#[tokio::test]
async fn ten_thousand_devices_fit() {
    let desk = Desk::open(Engine::Sqlite).await;
    let admin = desk.person("root", Role::Administrator, None).await;
    let (_, gateway, device) = add_device(&admin, "Alpha").await;
    let mut tx = desk.app.db.write().await.unwrap();
    sqlx::query(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999) \
         INSERT INTO device (id, gateway_id, site_id, parent_id, name, class, address, place, model, serial, firmware, checks, \
         position, check_list, enabled, created_at, removed_at, state, state_since, known_at) \
         SELECT 'd' || i, gateway_id, site_id, parent_id, 'cam ' || i, class, address, place, model, \
         serial, firmware, checks, i, check_list, enabled, created_at, removed_at, state, state_since, known_at \
         FROM n JOIN device ON device.id = $1 AND gateway_id = $2",
    )
    .bind(&device)
    .bind(&gateway)
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let board = admin.get("/api/v1/board").await.ok();
    assert_eq!(board["counts"]["devices"], json!(10_000));
    // A storm of changes is one order to fetch, not ten thousand rows in memory.
    let mut page = Page::open(&admin).await;
    page.next().await.unwrap();
    let all: Touched =
        Touched { devices: (1..9999).map(|n| format!("d{n}")).collect(), ..Touched::default() };
    desk.app.live.publish(&all);
    Pump::default().step(&desk.app).await.unwrap();
    assert_eq!(page.next().await.unwrap().0, "snapshot");
}
