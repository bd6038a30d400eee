//! The server's program when it is asked to end, when its database is away, and what it tells systemd.

use std::net::Ipv4Addr;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::routing::post;
use serde_json::{Value, json};
use sitewarden_tests::database::{Database, Engine};
use sitewarden_tests::sim::demo::client::Client;
use sitewarden_tests::sim::demo::install::{Installation, Programs, Settings, free_address};
use sitewarden_tests::sim::demo::process::Process;
use sitewarden_tests::sim::demo::setup::{on_duty, premises};
use sitewarden_tests::{binary, stories, until};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

stories![a_page_on_its_way_is_recorded_before_the_server_ends];

/// TimeoutStopSec of the unit.
const STOP_LIMIT: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(90);

fn install(database: &Database) -> Installation {
    let _ = rustls::crypto::ring::default_provider().install_default();
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
    Installation::prepare(programs, &settings).unwrap()
}

/// Asks the server to end; it says that all is well, and is in time.
async fn ends_well(mut server: Process) {
    server.ask_to_end().await.unwrap();
    let ended = tokio::time::timeout(STOP_LIMIT, server.wait()).await;
    let status = ended.unwrap_or_else(|_| panic!("it does not end:\n{}", server.last_lines())).unwrap();
    assert!(status.success(), "{status}:\n{}", server.last_lines());
}

/// A receiver of pages that answers when it is let.
struct Slow {
    address: String,
    keys: Arc<Mutex<Vec<String>>>,
    answers: Arc<Semaphore>,
}

impl Slow {
    async fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let (keys, answers) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Semaphore::new(0)));
        let (noted, let_go) = (Arc::clone(&keys), Arc::clone(&answers));
        let take = move |Json(page): Json<Value>| async move {
            noted.lock().unwrap().push(page["key"].to_string());
            let_go.acquire().await.unwrap().forget();
        };
        let app = axum::Router::new().route("/", post(take));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, keys, answers }
    }

    fn count(&self) -> usize {
        self.keys.lock().unwrap().len()
    }
}

async fn tell(api: &Client, site: &str, title: &str) {
    let new =
        json!({ "site_id": site, "device_id": null, "title": title, "severity": "critical", "note": null });
    api.post("/tickets", &new).await.unwrap();
}

async fn a_page_on_its_way_is_recorded_before_the_server_ends(engine: Engine) {
    let database = Database::fresh(engine).await;
    let place = install(&database);
    let server = place.start_server().await.unwrap();
    let api = place.first_login(&server, "copper otter lantern").await.unwrap();
    premises(&api).await.unwrap();
    let site = api.list("/sites").await.unwrap()[0]["id"].as_str().unwrap().to_owned();
    let slow = Slow::open().await;
    on_duty(&api, "lantern otter copper", &[("webhook", slow.address.as_str())]).await.unwrap();
    for title in ["first", "second", "third"] {
        tell(&api, &site, title).await;
    }
    until("the first page is on its way", LIMIT, async || slow.count() == 1).await;
    server.ask_to_end().await.unwrap();
    let answers = Arc::clone(&slow.answers);
    until("the server has begun to end", LIMIT, async || {
        // It takes nobody in any more, and the page is still on its way.
        tokio::net::TcpStream::connect(place.base().trim_start_matches("http://")).await.is_err()
    })
    .await;
    answers.add_permits(1);
    ends_well(server).await;
    assert_eq!(slow.count(), 1, "nothing is begun after the word to end");

    answers.add_permits(100);
    let server = place.start_server().await.unwrap();
    until("the others are told", LIMIT, async || slow.count() >= 3).await;
    ends_well(server).await;
    let mut keys = slow.keys.lock().unwrap().clone();
    assert_eq!(keys.len(), 3, "the first one is not repeated: {keys:?}");
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_database_is_away_ends_in_time_and_starts_again() {
    let mut database = Database::apart(Engine::Postgres).await;
    let place = install(&database);
    let server = place.start_server().await.unwrap();
    let api = place.first_login(&server, "copper otter lantern").await.unwrap();
    database.crash();
    ends_well(server).await;
    database.start_again();
    let mut started = None;
    // The unit starts it again until the database is there.
    until("the server runs again", LIMIT, async || {
        started = place.start_server().await.ok();
        started.is_some()
    })
    .await;
    assert!(api.list("/sites").await.unwrap().is_empty(), "the session and the rows are still there");
    ends_well(started.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_that_it_is_ready_that_it_lives_and_that_it_ends() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(format!("notify-{}", RUNS.fetch_add(1, Ordering::Relaxed)));
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut heard: Vec<String> = Vec::new();
    let listen = |heard: &mut Vec<String>| {
        let mut bytes = [0; 256];
        while let Ok(length) = socket.recv(&mut bytes) {
            heard.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
        }
    };
    let mut server = tokio::process::Command::new(binary("sitewarden"))
        .args(["serve", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--data"])
        .arg(folder.path().join("data"))
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "300000")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    until("it is ready and has said three times that it lives", LIMIT, async || {
        listen(&mut heard);
        heard.iter().filter(|word| *word == "WATCHDOG=1").count() >= 3
    })
    .await;
    assert_eq!(heard[0], "READY=1");
    let id = server.id().unwrap().to_string();
    assert!(tokio::process::Command::new("kill").arg(id).status().await.unwrap().success());
    assert!(tokio::time::timeout(STOP_LIMIT, server.wait()).await.unwrap().unwrap().success());
    listen(&mut heard);
    assert_eq!(heard.last().unwrap(), "STOPPING=1");
}
