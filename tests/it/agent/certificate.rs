//! A gateway whose certificate ran out while it was cut off, and whose clock is a guess besides: it comes back by
//! itself. And one that was revoked: it stays away, and does not keep asking.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateParams, KeyPair};
use sitewarden_server::clock::Clock;
use sitewarden_server::db::Db;
use sitewarden_server::tls::Ca;
use sitewarden_tests::database::{Database, Engine};
use sitewarden_tests::sim::demo::client::Client;
use sitewarden_tests::sim::demo::install::{Installation, Programs, Settings, free_address};
use sitewarden_tests::sim::demo::process::Process;
use sitewarden_tests::sim::demo::setup::premises;
use sitewarden_tests::{binary, stories_in_parallel, until};
use sqlx::Connection as _;

stories_in_parallel![
    an_expired_certificate_on_a_gateway_that_does_not_know_the_time_is_renewed,
    a_revoked_gateway_stops_asking
];

const LIMIT: Duration = Duration::from_secs(60);

/// The real programs, and a gateway that is enrolled and does not run yet.
pub(crate) struct Scene {
    agent: Option<Process>,
    server: Process,
    place: Installation,
    pub(crate) api: Client,
    pub(crate) gateway: String,
    database: Database,
    door: SocketAddr,
}

impl Scene {
    pub(crate) async fn set(engine: Engine) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let programs = Programs { server: binary("sitewarden"), agent: binary("sitewarden-agent") };
        let database = Database::fresh(engine).await;
        let port = || rand::random_range(20_000..30_000);
        let settings = Settings {
            http: free_address(port()).unwrap(),
            mqtt: free_address(port()).unwrap(),
            smtp: free_address(port()).unwrap(),
            database: Some(database.url.clone()),
            heartbeat_s: 5,
        };
        let place = Installation::prepare(programs, &settings).unwrap();
        let server = place.start_server().await.unwrap();
        let api = place.first_login(&server, "copper otter lantern").await.unwrap();
        let (gateway, token) = premises(&api).await.unwrap();
        place.enrol(&token).await.unwrap();
        Self { agent: None, server, place, api, gateway, database, door: settings.mqtt }
    }

    pub(super) fn door(&self) -> SocketAddr {
        self.door
    }

    /// The agent's way to the server leads there.
    pub(super) fn agent_speaks_to(&self, address: SocketAddr) {
        let path = self.place.folder().join("agent.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, format!("{text}server = \"{address}\"\n")).unwrap();
    }

    pub(crate) fn start_agent(&mut self) {
        self.agent = Some(self.place.start_agent().unwrap());
    }

    /// The agent is gone at once, in the middle of whatever it did.
    pub(crate) async fn kill_agent(&mut self) {
        if let Some(agent) = &mut self.agent {
            agent.kill().await.unwrap();
        }
    }

    /// The same by a name, `host:port`.
    pub(super) fn agent_speaks_to_name(&self, address: &str) {
        let path = self.place.folder().join("agent.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(path, format!("{text}server = {address:?}\n")).unwrap();
    }

    /// The agent begins with file systems of its own.
    pub(super) fn start_agent_apart(&mut self, setup: &str) {
        let config = self.file("agent.toml").display().to_string();
        let (agent, log) = (binary("sitewarden-agent"), self.file("agent.log"));
        let started = Process::start_apart("agent", &agent, &["run", "--config", &config], log, setup);
        self.agent = Some(started.unwrap());
    }

    /// A file of the installation.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.place.file(name)
    }

    /// The same file as the running agent sees it.
    pub(super) fn file_inside(&self, name: &str) -> PathBuf {
        self.agent.as_ref().and_then(|agent| agent.sees(&self.file(name))).expect("the agent runs")
    }

    fn agent_said(&self) -> String {
        self.agent.as_ref().map(Process::said).unwrap_or_default()
    }

    pub(crate) async fn gateway_is(&self, state: &str, since: Timestamp) {
        let path = format!("/gateways/{}", self.gateway);
        let what = format!("the gateway is {state}");
        until(&what, LIMIT, async || {
            let Ok(gateway) = self.api.get(&path).await else { return false };
            let heard = gateway["last_heard_at"].as_i64().is_some_and(|at| at > since.as_millisecond());
            gateway["state"] == state && heard
        })
        .await;
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for process in self.agent.iter().chain([&self.server]) {
                eprintln!("--- the {} said last:\n{}", process.name(), process.last_lines());
            }
        }
    }
}

/// As if the machine had been enrolled 200 days ago and cut off since: its certificate lived 90 days.
async fn cut_off_for_long(scene: &Scene) {
    let long_ago = Clock::System.now() - SignedDuration::from_hours(200 * 24);
    let keys = scene.place.folder().join("server/keys");
    let read = |name| std::fs::read_to_string(keys.join(name)).unwrap();
    let ca = Ca::from_pem(&read("ca.pem"), &read("ca.key")).unwrap();
    let key = KeyPair::generate().unwrap();
    let csr = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
    let gateway = scene.gateway.parse().unwrap();
    let issued = ca.sign_gateway(&csr, &gateway, long_ago).unwrap();
    let identity = scene.place.folder().join("agent/identity.pem");
    std::fs::write(identity, format!("{}\n{}", issued.pem.trim_end(), key.serialize_pem())).unwrap();
    let db = Db::open(&scene.database.url).await.unwrap();
    let mut tx = db.write().await.unwrap();
    sqlx::query("UPDATE gateway SET enrolled_at = $2 WHERE id = $1")
        .bind(scene.gateway.as_str())
        .bind(long_ago.as_millisecond() - 1000)
        .execute(&mut *tx)
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// The queue remembers a time in the next century, so the agent takes its clock for a guess.
async fn forget_the_time(scene: &Scene) {
    let path = scene.place.folder().join("agent/queue.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut db = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("UPDATE kept SET number = 4200000000000, sum = NULL WHERE name = 'time'")
        .execute(&mut db)
        .await
        .unwrap();
    sqlx::query("UPDATE clock SET boot = 'another'").execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

async fn an_expired_certificate_on_a_gateway_that_does_not_know_the_time_is_renewed(engine: Engine) {
    let mut scene = Scene::set(engine).await;
    scene.start_agent();
    scene.gateway_is("online", Timestamp::UNIX_EPOCH).await;
    let agent = scene.agent.take().unwrap();
    agent.stop().await;
    cut_off_for_long(&scene).await;
    forget_the_time(&scene).await;
    let cut_at = Clock::System.now();
    scene.start_agent();
    scene.gateway_is("online", cut_at).await;
    let said = scene.agent_said();
    assert!(said.contains("the certificate was renewed"), "{said}");
    assert!(said.contains("the renewed certificate is in use"), "{said}");
    let gateway = scene.api.get(&format!("/gateways/{}", scene.gateway)).await.unwrap();
    assert!(gateway["cert_not_after"].as_i64().unwrap() > cut_at.as_millisecond(), "{gateway}");
}

async fn a_revoked_gateway_stops_asking(engine: Engine) {
    let mut scene = Scene::set(engine).await;
    scene.start_agent();
    scene.gateway_is("online", Timestamp::UNIX_EPOCH).await;
    let path = format!("/gateways/{}/revoke", scene.gateway);
    scene.api.post(&path, &serde_json::json!({})).await.unwrap();
    until("the agent knows that it may not speak", LIMIT, async || {
        scene.agent_said().contains("this gateway was revoked")
    })
    .await;
    let said = scene.agent_said();
    // The pause after a refusal is a minute at least, so there is only one so far.
    assert_eq!(said.matches("this gateway was revoked").count(), 1, "{said}");
}
