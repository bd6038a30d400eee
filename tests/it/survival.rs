//! The server's program when it is asked to end, when its database is away, when its disk is full, and what it tells
//! systemd.

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
use sitewarden_tests::disk::fill;
use sitewarden_tests::door::Door;
use sitewarden_tests::sim::demo::client::Client;
use sitewarden_tests::sim::demo::install::{Installation, Programs, Settings, free_address};
use sitewarden_tests::sim::demo::process::Process;
use sitewarden_tests::sim::demo::setup::{on_duty, premises};
use sitewarden_tests::{binary, stories, until};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

stories![a_page_on_its_way_is_recorded_before_the_server_ends];

/// TimeoutStopSec of the unit.
const STOP_LIMIT: Duration = Duration::from_secs(30);
const LIMIT: Duration = Duration::from_secs(90);

fn install(database: &Database) -> Installation {
    install_on(Some(database.url.clone()))
}

fn install_on(database: Option<String>) -> Installation {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let port = || free_address(rand::random_range(20_000..30_000)).unwrap();
    let settings =
        Settings { http: port(), mqtt: port(), smtp: ([127, 0, 0, 1], 9).into(), database, heartbeat_s: 60 };
    let programs = Programs { server: binary("sitewarden"), agent: binary("sitewarden-agent") };
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

/// How many facts wait on the gateway's disk.
async fn facts_waiting(place: &Installation) -> i64 {
    let options = SqliteConnectOptions::new().filename(place.file("agent/queue.db"));
    let mut queue = SqliteConnection::connect_with(&options).await.unwrap();
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM record WHERE kind = 1").fetch_one(&mut queue).await;
    queue.close().await.unwrap();
    count.unwrap()
}

/// A file system of 24 MiB that holds all of the server's data, its database among it. While nothing more fits on it, a
/// device fails and recovers: the gateway keeps both, the page is still served, and once there is room again the record
/// is whole and nobody has restarted anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_disk_is_really_full_goes_on_by_itself() {
    let place = install_on(None);
    let data = place.file("server");
    std::fs::create_dir_all(&data).unwrap();
    let setup = format!("mount -t tmpfs -o size=24m,mode=700 tmpfs {:?}", data.display().to_string());
    let mut server = place.start_server_apart(&setup).await.unwrap();
    let api = place.first_login(&server, "copper otter lantern").await.unwrap();
    let (gateway, token) = premises(&api).await.unwrap();
    place.enrol(&token).await.unwrap();
    let mut door = Door::watched(&api, &gateway).await;
    let _agent = place.start_agent().unwrap();
    door.is(&api, "ok", LIMIT).await;

    let filler = server.sees(&data.join("filler")).unwrap();
    fill(&filler);
    door.closes();
    until("the gateway has written down that it failed", LIMIT, async || facts_waiting(&place).await >= 1)
        .await;
    until("the server says what is wrong and what to do", LIMIT, async || {
        server.said().contains("the disk of the database is full or broken; make room")
    })
    .await;
    let shown = api.get(&format!("/devices/{}", door.device)).await.unwrap();
    assert_eq!(shown["state"], "ok", "what is not committed is not shown, and the page is served");
    door.opens().await;
    until("the gateway has written down that it works again", LIMIT, async || {
        facts_waiting(&place).await >= 2
    })
    .await;

    std::fs::remove_file(&filler).unwrap();
    until("nothing waits any more", LIMIT, async || facts_waiting(&place).await == 0).await;
    let incidents = async || api.list("/incidents?state=all").await.unwrap();
    until("the incident is over", LIMIT, async || {
        let all = incidents().await;
        all.iter().any(|one| one["device_id"] == door.device.as_str() && one["closed_at"].is_i64())
    })
    .await;
    door.closes();
    door.is(&api, "down", LIMIT).await;
    door.opens().await;
    door.is(&api, "ok", LIMIT).await;
    let own = incidents().await.into_iter().filter(|one| one["device_id"] == door.device.as_str()).count();
    assert_eq!(own, 2, "each failure once");
    assert!(server.has_ended().is_none(), "{}", server.last_lines());
    ends_well(server).await;
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
