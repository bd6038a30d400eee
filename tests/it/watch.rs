//! Two installations watch each other, as they are installed: two server processes, one on each database, each with a
//! heartbeat to the other. One is killed; the other pages its own people, and says when it is heard again.

use std::time::Duration;

use serde_json::{Value, json};
use sitewarden_tests::database::{Database, Engine};
use sitewarden_tests::pager::Pager;
use sitewarden_tests::sim::demo::client::Client;
use sitewarden_tests::sim::demo::install::{ADMIN, Installation, Programs, Settings, free_address};
use sitewarden_tests::sim::demo::process::Process;
use sitewarden_tests::sim::demo::setup::{on_duty, premises};
use sitewarden_tests::{binary, until};

const PASSWORD: &str = "copper otter lantern";
/// The shortest silence that counts.
const SILENCE_S: u64 = 90;
const LIMIT: Duration = Duration::from_secs(90);

/// One installation with somebody on duty.
struct House {
    place: Installation,
    server: Process,
    api: Client,
    people: Pager,
    site: String,
    _database: Database,
}

impl House {
    async fn build(engine: Engine) -> Self {
        let database = Database::fresh(engine).await;
        // Outside of the range from which the system takes ports: it must be free again after the kill.
        let port = || free_address(rand::random_range(20_000..30_000)).unwrap();
        let settings = Settings {
            http: port(),
            mqtt: port(),
            smtp: ([127, 0, 0, 1], 9).into(),
            database: Some(database.url.clone()),
            heartbeat_s: 60,
        };
        // No agent runs here.
        let programs = Programs { server: binary("sitewarden"), agent: binary("sitewarden") };
        let place = Installation::prepare(programs, &settings).unwrap();
        let server = place.start_server().await.unwrap();
        let api = place.first_login(&server, PASSWORD).await.unwrap();
        premises(&api).await.unwrap();
        let people = Pager::start().await;
        on_duty(&api, "lantern otter copper", &[("webhook", &people.address("li.wei"))]).await.unwrap();
        let site = api.list("/sites").await.unwrap()[0]["id"].as_str().unwrap().to_owned();
        Self { place, server, api, people, site, _database: database }
    }

    /// Hears `name` from now on; the address for its heartbeats.
    async fn hears(&self, name: &str) -> Value {
        let new = json!({ "name": name, "site_id": self.site, "limit_s": SILENCE_S });
        self.api.post("/pager/peers", &new).await.unwrap()["address"].clone()
    }

    /// Ends as under `kill -9`, and comes back on the same files; it audits itself and beats at once.
    async fn starts_again(&mut self) {
        self.server.kill().await.unwrap();
        self.server = self.place.start_server().await.unwrap();
        self.api = Client::log_in(self.place.base(), ADMIN, PASSWORD).await.unwrap();
    }

    async fn has_heard(&self) -> bool {
        let pager = self.api.get("/pager").await.unwrap();
        pager["peers"][0]["heard_at"].is_number() && pager["peers"][0]["silent_since"].is_null()
    }

    async fn ticket(&self) -> Value {
        let list = self.api.list("/tickets").await.unwrap();
        list.first().cloned().unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_installations_watch_each_other_and_the_one_that_lives_pages() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut north = House::build(Engine::Sqlite).await;
    let mut south = House::build(Engine::Postgres).await;
    let to_south = south.hears("North").await;
    let to_north = north.hears("South").await;
    let beat = |address: Value| json!({ "name": "The other house", "address": address });
    north.api.post("/pager/heartbeats", &beat(to_south)).await.unwrap();
    south.api.post("/pager/heartbeats", &beat(to_north)).await.unwrap();
    north.starts_again().await;
    south.starts_again().await;
    until("each has heard the other", LIMIT, async || north.has_heard().await && south.has_heard().await)
        .await;

    south.server.kill().await.unwrap();
    let patience = Duration::from_secs(SILENCE_S) + LIMIT;
    until("the one that lives opens a ticket", patience, async || north.ticket().await["state"] == "open")
        .await;
    until("its people are paged", LIMIT, async || {
        let number = north.ticket().await["number"].clone();
        let ticket = north.api.get(&format!("/tickets/{number}")).await.unwrap();
        ticket["pages"][0]["state"] == "sent"
    })
    .await;
    let page = north.people.expect("li.wei", &["#1001", "South"]);
    assert_eq!(page.word("/ticket/code"), "peer_silent");

    // It comes back, is heard, and does not take the other for silent because it could not hear itself.
    south.server = south.place.start_server().await.unwrap();
    south.api = Client::log_in(south.place.base(), ADMIN, PASSWORD).await.unwrap();
    until("it is heard again", LIMIT, async || north.ticket().await["state"] == "closed").await;
    until("its people hear so", LIMIT, async || {
        let ticket = north.api.get("/tickets/1001").await.unwrap();
        ticket["pages"].as_array().is_some_and(|pages| pages.iter().all(|page| page["state"] == "sent"))
    })
    .await;
    north.people.expect("li.wei", &["#1001", "over"]);
    for house in [&north, &south] {
        house.people.expect_nothing_else();
    }
    assert_eq!(south.ticket().await, Value::Null);
}
