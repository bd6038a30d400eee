//! From a service's death to the webhook: the real agent, the real server, a real receiver, on both
//! databases. Every device is a TCP service of its own, asked each second and believed dead after three
//! silent answers of three; it dies once, at a moment that has nothing to do with the rhythm of its check.
//!
//! The limit is arithmetic: half a second on average until the next probe, then two more seconds. What is
//! above it is ours. Run with `cargo bench -p sitewarden-tests --bench reaction`.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde_json::{Value, json};
use sitewarden_server::clock::Clock;
use sitewarden_tests::binary;
use sitewarden_tests::database::{Database, ENGINES, Engine};
use sitewarden_tests::sim::demo::client::Client;
use sitewarden_tests::sim::demo::install::{Installation, Programs, Settings, free_address};
use sitewarden_tests::sim::demo::setup::{on_duty, premises};
use sitewarden_tests::sim::demo::story::until;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

const DEVICES: usize = 24;
/// Between two deaths; no multiple of the check's rhythm.
const BETWEEN: Duration = Duration::from_millis(437);
const GOAL_S: f64 = 3.3;
const LIMIT_S: f64 = 2.5;
const PAGE_LIMIT: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    for engine in ENGINES {
        measure(engine).await;
    }
}

async fn measure(engine: Engine) {
    let programs = Programs { server: binary("sitewarden"), agent: binary("sitewarden-agent") };
    let database = Database::fresh(engine).await;
    let (hook, mut pages) = receiver().await;
    let settings = Settings {
        http: free_address(0).expect("a port"),
        mqtt: free_address(0).expect("a port"),
        smtp: (Ipv4Addr::LOCALHOST, 9).into(),
        database: Some(database.url.clone()),
        heartbeat_s: 60,
    };
    let place = Installation::prepare(programs, &settings).expect("files");
    let server = place.start_server().await.expect("a server");
    let api = place.first_login(&server, "copper otter lantern").await.expect("a login");
    let (gateway, token) = premises(&api).await.expect("a gateway");
    place.enrol(&token).await.expect("enrolled");
    let agent = place.start_agent().expect("an agent");
    on_duty(&api, "lantern otter copper", &[("webhook", hook.as_str())]).await.expect("somebody on duty");

    let mut services = Vec::new();
    for number in 0..DEVICES {
        let name = format!("Service {number}");
        services.push((name.clone(), Service::start(&api, &gateway, &name).await));
    }
    until("every service ok", async || {
        let all = api.list(&format!("/devices?gateway_id={gateway}")).await?;
        Ok((all.iter().filter(|device| device["state"] == "ok").count() == DEVICES).then_some(()))
    })
    .await
    .expect("every service is seen");

    let mut died: BTreeMap<String, Timestamp> = BTreeMap::new();
    let mut rhythm = tokio::time::interval(BETWEEN);
    for (name, service) in services {
        rhythm.tick().await;
        died.insert(name, service.die().await);
    }
    let mut arrived: BTreeMap<String, Timestamp> = BTreeMap::new();
    while arrived.len() < DEVICES {
        let page = timeout(PAGE_LIMIT, pages.recv()).await.expect("every death is paged").expect("a page");
        arrived.entry(page.0).or_insert(page.1);
    }
    let mut parts: [Vec<f64>; 5] = Default::default();
    for ticket in api.list("/tickets").await.expect("tickets") {
        let name = ticket["device_name"].as_str().unwrap_or_default();
        let (Some(died), Some(arrived)) = (died.get(name), arrived.get(name)) else { continue };
        let story = api.get(&format!("/tickets/{}", ticket["number"])).await.expect("a ticket");
        let opened = &story["events"][0];
        let at = [
            died.as_millisecond(),
            opened["occurred_at"].as_i64().expect("when it happened"),
            opened["recorded_at"].as_i64().expect("when it was recorded"),
            story["pages"][0]["created_at"].as_i64().expect("when a page was decided"),
            arrived.as_millisecond(),
        ];
        parts[0].push(seconds(at[4] - at[0]));
        for (part, pair) in parts[1..].iter_mut().zip(at.windows(2)) {
            part.push(seconds(pair[1] - pair[0]));
        }
    }
    let [total, confirmed, committed, planned, sent] = parts.map(Spread::of);
    println!(
        "{engine:?}: from death to webhook over {DEVICES} deaths: median {:.2} s, p90 {:.2} s \
         (goal {GOAL_S} s: {}; limit {LIMIT_S} s, ratio {:.2})",
        total.median,
        total.p90,
        if total.median < GOAL_S { "reached" } else { "missed" },
        total.median / LIMIT_S,
    );
    for (part, what) in [
        (confirmed, "until confirmed by the third silent probe"),
        (committed, "until recorded by the server"),
        (planned, "until a page was decided"),
        (sent, "until the webhook had it"),
    ] {
        println!("  {:>6.3} s median, {:>6.3} s p90  {what}", part.median, part.p90);
    }
    for process in [&agent, &server] {
        process.ask_to_end().await.expect("it hears");
    }
}

struct Spread {
    median: f64,
    p90: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values.get(((values.len() as f64 - 1.0) * share).round() as usize).copied();
        Self { median: at(0.5).unwrap_or(f64::NAN), p90: at(0.9).unwrap_or(f64::NAN) }
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

/// Something that accepts connections until it dies.
struct Service {
    accepting: JoinSet<()>,
}

impl Service {
    async fn start(api: &Client, gateway: &str, name: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let mut accepting = JoinSet::new();
        accepting.spawn(async move { while listener.accept().await.is_ok() {} });
        let checks = format!(
            "[[check]]\nkind = \"tcp\"\nport = {port}\nevery = \"1s\"\ntimeout = \"1s\"\nconfirm = \"3/3\"\nclear = 2\n"
        );
        let device = json!({ "gateway_id": gateway, "name": name, "class": "server", "address": "127.0.0.1",
            "place": "", "parent_id": null, "checks": checks });
        api.post("/devices", &device).await.expect("a device");
        Self { accepting }
    }

    /// Closes the port; when that was.
    async fn die(mut self) -> Timestamp {
        self.accepting.shutdown().await;
        Clock::System.now()
    }
}

/// A web server that takes pages: its address, and who each page is about and when it came.
async fn receiver() -> (String, mpsc::Receiver<(String, Timestamp)>) {
    let (sender, pages) = mpsc::channel(4 * DEVICES);
    let take = async |State(sender): State<mpsc::Sender<(String, Timestamp)>>, Json(page): Json<Value>| {
        let device = page["device"].as_str().unwrap_or_default().to_owned();
        let _ = sender.send((device, Clock::System.now())).await;
    };
    let app = axum::Router::new().route("/page", axum::routing::post(take)).with_state(sender);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}/page"), pages)
}
