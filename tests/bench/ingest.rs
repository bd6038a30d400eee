//! What a value costs from the wire to the commit: 1,000 gateways over real TLS send blocks of 50 devices with 6
//! metrics and 5 one-minute samples to the real program, while 20 people have the live page open and one more
//! gateway reports changes of state. On both databases, which keep their promises to the disk.
//!
//! The load is made in this process, so its cost is apart. Its limits in the same run: the same packets by bare inserts
//! in transactions of 128, and on PostgreSQL one plain row for each value by COPY.
//! `cargo bench -p sitewarden-tests --bench ingest [-- sqlite|postgres]`; a name that begins with `--` is cargo's own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use serde_json::json;
use sitewarden_proto::envelope::{Codec, encode};
use sitewarden_proto::metrics::{Series, pack};
use sitewarden_proto::wire::Envelope;
use sitewarden_proto::wire::envelope::Body;
use sitewarden_server::clock::{Clock, from_ms};
use sitewarden_server::config::Limits;
use sitewarden_server::db::{Db, pieces, places};
use sitewarden_server::{history, id};
use sitewarden_tests::crowd::{Honest, connect_all};
use sitewarden_tests::database::{ENGINES, Engine, be_durable};
use sitewarden_tests::fleet::Fleet;
use sitewarden_tests::meter::{cpu_s, postgres_cpu_s};
use sitewarden_tests::peer::free_tcp_port;
use sitewarden_tests::raw::{Pass, Raw, birth, subscribe};
use sitewarden_tests::{binary, until};
use sqlx::{AssertSqlSafe, Executor};
use tokio::task::JoinSet;

const GATEWAYS: usize = 1_000;
const DEVICES: usize = 50;
const METRICS: [&str; 6] =
    ["rtt_ms", "loss_percent", "cpu_percent", "memory_percent", "temperature_c", "offset_ms"];
const MINUTES: i64 = 5;
const VALUES: usize = DEVICES * METRICS.len() * MINUTES as usize;
/// Blocks of each gateway: an hour and forty minutes of its site.
const BLOCKS: usize = 20;
/// Blocks of one gateway that are on their way uncommitted.
const WINDOW: usize = 4;
const DASHBOARDS: usize = 20;

#[tokio::main]
async fn main() {
    be_durable();
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    for engine in ENGINES {
        let name = format!("{engine:?}").to_lowercase();
        if wanted.is_empty() || wanted.contains(&name) {
            run(engine, &name).await;
        }
    }
}

async fn run(engine: Engine, name: &str) {
    let limits = Limits { handshakes_per_address: 256, ..Limits::default() };
    let fleet = Fleet::enrolled(engine, GATEWAYS + 1, limits).await;
    let app = &fleet.desk.app;
    let start = Clock::System.now().as_millisecond() - BLOCKS as i64 * MINUTES * 60_000;
    let (honest, passes) = fleet.passes.split_first().expect("a fleet");
    let devices = add_devices(&app.db, passes).await;
    let packets: Vec<Vec<Vec<u8>>> = devices
        .iter()
        .map(|own| (0..BLOCKS as u64).map(|block| packet(own, start, block)).collect())
        .collect();
    let bytes: usize = packets.iter().flatten().map(Vec::len).sum();
    let values = (GATEWAYS * BLOCKS * VALUES) as f64;
    let folder = postgres_folder(fleet.desk.database_url());
    let database_s = || folder.as_deref().map_or(0.0, postgres_cpu_s);
    let before = size(&app.db, engine).await;

    let server = Server::start(&fleet).await;
    let gateways = connect(server.door, passes).await;
    let beats = watch(server.http).await;
    let honest = Honest::connect(server.door, honest, &fleet.device).await;
    let own_s = || cpu_s(std::process::id());
    let (own, its, databases) = (own_s(), cpu_s(server.pid()), database_s());
    let began = Instant::now();
    let mut pouring = JoinSet::new();
    for (raw, packets) in gateways.into_iter().zip(packets.iter().cloned()) {
        pouring.spawn(pour(raw, packets));
    }
    let over = Arc::new(AtomicU64::new(0));
    let reporting = tokio::spawn(report(honest, Arc::clone(&over)));
    while let Some(done) = pouring.join_next().await {
        done.expect("a gateway sends everything");
    }
    let poured = began.elapsed();
    let (own, its, databases) = (own_s() - own, cpu_s(server.pid()) - its, database_s() - databases);
    over.store(1, Ordering::Relaxed);
    let mut reports = reporting.await.expect("reports");
    reports.sort();
    println!(
        "{name}: {:.0} values/s until committed ({:.1} s for {:.0} million); server {:.3} µs, database {:.3} µs, load \
         generator {:.3} µs of processor per value; {:.0} values for each processor second of server and database; \
         {:.1} bytes a value on the wire; {} pieces on {DASHBOARDS} live pages; {} changes of state \
         committed in {:?} each, the slowest in {:?}",
        values / poured.as_secs_f64(),
        poured.as_secs_f64(),
        values / 1e6,
        its / values * 1e6,
        databases / values * 1e6,
        own / values * 1e6,
        values / (its + databases),
        bytes as f64 / values,
        beats.load(Ordering::Relaxed),
        reports.len(),
        reports[reports.len() / 2],
        reports[reports.len() - 1],
    );
    server.stop().await;
    let after = size(&app.db, engine).await;
    println!(
        "{name}: {:.2} bytes on disk for each value, indexes and due hours included",
        (after - before) / values
    );

    let (own, databases, began) = (own_s(), database_s(), Instant::now());
    let later = from_ms(Clock::System.now().as_millisecond() + 2 * 3_600_000);
    while history::step::step(app, later).await.expect("hours are rolled up") {}
    println!(
        "{name}: rolling up costs {:.3} µs of processor per value on top, {:.0} values/s",
        (own_s() - own + database_s() - databases) / values * 1e6,
        values / began.elapsed().as_secs_f64(),
    );
    bare_inserts(&app.db, engine, name, &packets, database_s).await;
    if engine == Engine::Postgres {
        copy(fleet.desk.database_url(), database_s).await;
    }
}

/// Changes of state, one after the other; how long each took until it was committed.
async fn report(mut honest: Honest, over: Arc<AtomicU64>) -> Vec<Duration> {
    let mut all = Vec::new();
    while all.is_empty() || over.load(Ordering::Relaxed) == 0 {
        let began = Instant::now();
        honest.report().await;
        all.push(began.elapsed());
    }
    all
}

/// Sends the blocks of one gateway, a few ahead of what is committed.
async fn pour(mut raw: Raw, packets: Vec<Vec<u8>>) {
    for (sent, packet) in packets.iter().enumerate() {
        if sent >= WINDOW {
            raw.committed((sent + 1 - WINDOW) as u64).await;
        }
        raw.publish("u/m", packet).await;
    }
    raw.committed(packets.len() as u64).await;
}

async fn connect(door: SocketAddr, passes: &[Pass]) -> Vec<Raw> {
    let mut all = connect_all(door, passes).await;
    let now_ms = Clock::System.now().as_millisecond();
    for raw in &mut all {
        raw.send(&subscribe(&format!("v1/{}/d/+", raw.id), 0)).await;
        raw.publish("s", &birth(0, now_ms)).await;
        raw.committed(0).await;
    }
    all.sort_by(|a, b| a.id.as_str().cmp(b.id.as_str()));
    all
}

/// People with the live page open; counts the lines that they are sent.
async fn watch(http: SocketAddr) -> Arc<AtomicU64> {
    let client = reqwest::Client::new();
    let sign_in = json!({ "login": "admin", "password": sitewarden_tests::desk::PASSWORD });
    let url = format!("http://{http}/api/v1/session");
    let body = sign_in.to_string();
    let answer = client.post(url).header("content-type", "application/json").body(body).send().await;
    let answer = answer.expect("somebody signs in");
    let cookie = answer.headers()["set-cookie"].to_str().expect("a cookie").to_owned();
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let count = Arc::new(AtomicU64::new(0));
    let ready = Arc::new(AtomicU64::new(0));
    for _ in 0..DASHBOARDS {
        let live = client.get(format!("http://{http}/api/v1/live")).header("cookie", &cookie).send().await;
        let live = live.expect("the live page opens");
        assert!(live.status().is_success(), "{}", live.status());
        let (count, ready) = (Arc::clone(&count), Arc::clone(&ready));
        tokio::spawn(async move {
            let mut lines = live.bytes_stream();
            // The whole board comes first; it is no part of what is measured.
            while let Some(Ok(piece)) = lines.next().await {
                if piece.ends_with(b"\n\n") {
                    ready.fetch_add(1, Ordering::Relaxed);
                    break;
                }
            }
            while let Some(Ok(_)) = lines.next().await {
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    let limit = Duration::from_secs(120);
    until("every page has its board", limit, async || ready.load(Ordering::Relaxed) == DASHBOARDS as u64)
        .await;
    count
}

/// The real program.
struct Server {
    child: Child,
    door: SocketAddr,
    http: SocketAddr,
}

impl Server {
    async fn start(fleet: &Fleet) -> Self {
        let [http, door] =
            [free_tcp_port(), free_tcp_port()].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let file = fleet.config_file(http, door);
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(binary("sitewarden"))
            .arg("serve")
            .arg("--config")
            .arg(file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the server starts");
        let limit = Duration::from_secs(60);
        until("the server listens", limit, async || tokio::net::TcpStream::connect(door).await.is_ok()).await;
        Self { child, door, http }
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    async fn stop(mut self) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().is_ok_and(|status| status.success()));
        until("the server has ended", Duration::from_secs(60), async || {
            self.child.try_wait().expect("a child").is_some()
        })
        .await;
    }
}

/// Gives each gateway its devices; their ids.
async fn add_devices(db: &Db, passes: &[Pass]) -> Vec<Vec<String>> {
    let now = Clock::System.now();
    let mut tx = db.write().await.expect("a transaction");
    let site: String = sqlx::query_scalar("SELECT id FROM site").fetch_one(&mut *tx).await.expect("the site");
    let mut all = Vec::with_capacity(passes.len());
    for pass in passes {
        let own: Vec<String> = (0..DEVICES).map(|_| id::uuid_v7(now)).collect();
        for piece in pieces(&own) {
            let text = format!(
                "INSERT INTO device (id, gateway_id, site_id, name, class, address, place, model, serial, firmware, \
                 checks, check_list, position, enabled, created_at, state, state_since) \
                 SELECT d.column1, d.column2, d.column3, 'cam', 'camera', '10.0.0.1', '', '', '', '', d.column4, '', 1, 1, \
                 0, 'ok', 0 FROM (VALUES {}) AS d",
                places(&tx, piece.len(), 4)
            );
            let mut query = sqlx::query(AssertSqlSafe(text));
            for device in piece {
                query = query.bind(device).bind(pass.id.as_str()).bind(&site).bind(&b"x"[..]);
            }
            query.execute(&mut *tx).await.expect("devices");
        }
        all.push(own);
    }
    tx.commit().await.expect("a commit");
    all
}

/// The limit: the same packets, 128 in a transaction, and nothing else.
async fn bare_inserts(
    db: &Db,
    engine: Engine,
    name: &str,
    packets: &[Vec<Vec<u8>>],
    database_s: impl Fn() -> f64,
) {
    let blob = if engine == Engine::Sqlite { "BLOB" } else { "BYTEA" };
    let mut tx = db.write().await.expect("a transaction");
    let table = format!("CREATE TABLE bare (number BIGINT PRIMARY KEY, body {blob} NOT NULL)");
    tx.execute(AssertSqlSafe(table)).await.expect("a table");
    tx.commit().await.expect("a commit");
    let all: Vec<&Vec<u8>> = packets.iter().flatten().collect();
    let (own, databases, began) = (cpu_s(std::process::id()), database_s(), Instant::now());
    let mut number = 0_i64;
    for piece in pieces(&all) {
        let mut tx = db.write().await.expect("a transaction");
        let text = format!("INSERT INTO bare (number, body) VALUES {}", places(&tx, piece.len(), 2));
        let mut query = sqlx::query(AssertSqlSafe(text));
        for packet in piece {
            query = query.bind(number).bind(packet.as_slice());
            number += 1;
        }
        query.execute(&mut *tx).await.expect("an insert");
        tx.commit().await.expect("a commit");
    }
    let values = (all.len() * VALUES) as f64;
    println!(
        "{name}: limit, bare inserts of the packets: {:.0} values/s, {:.3} µs of processor per value",
        values / began.elapsed().as_secs_f64(),
        (cpu_s(std::process::id()) - own + database_s() - databases) / values * 1e6,
    );
}

/// The limit of plain rows.
async fn copy(url: &str, database_s: impl Fn() -> f64) {
    use sqlx::Connection as _;
    const ROWS: usize = 1_000_000;
    let mut conn = sqlx::PgConnection::connect(url).await.expect("PostgreSQL");
    conn.execute("CREATE TABLE plain (device INT, metric INT, at BIGINT, value DOUBLE PRECISION)")
        .await
        .expect("a table");
    let mut text = String::new();
    for row in 0..ROWS {
        use std::fmt::Write as _;
        let _ = writeln!(
            text,
            "{}\t{}\t{}\t{}.{}",
            row % 50_000,
            row % 6,
            1_700_000_000_000_i64 + row as i64,
            row % 97,
            row % 10
        );
    }
    let (databases, began) = (database_s(), Instant::now());
    let mut stream = conn.copy_in_raw("COPY plain FROM STDIN").await.expect("COPY");
    for chunk in text.as_bytes().chunks(256 * 1024) {
        stream.send(chunk).await.expect("rows");
    }
    stream.finish().await.expect("rows are in");
    println!(
        "postgres: limit of plain rows, COPY: {:.0} values/s, {:.3} µs of the database's processor per value",
        ROWS as f64 / began.elapsed().as_secs_f64(),
        (database_s() - databases) / ROWS as f64 * 1e6,
    );
}

fn postgres_folder(url: &str) -> Option<PathBuf> {
    url.split_once("?host=").map(|(_, folder)| PathBuf::from(folder))
}

/// Bytes of the database on disk.
async fn size(db: &Db, engine: Engine) -> f64 {
    let text = match engine {
        Engine::Sqlite => "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        Engine::Postgres => "SELECT pg_database_size(current_database())",
    };
    let mut conn = db.read().await.expect("a connection");
    let bytes: i64 = sqlx::query_scalar(text).fetch_one(&mut *conn).await.expect("a size");
    bytes as f64
}

/// Values that drift and jitter as real ones do, from a fixed sequence, so that every run packs the same.
fn packet(devices: &[String], start: i64, block: u64) -> Vec<u8> {
    let mut state = block.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut jitter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % 1000) as f64 / 1000.0
    };
    let mut series = Vec::with_capacity(devices.len() * METRICS.len());
    for device in devices {
        for metric in METRICS {
            let points = (0..MINUTES).map(|minute| {
                let at = start + (block as i64 * MINUTES + minute) * 60_000;
                (at, ((20.0 + 3.0 * jitter()) * 10.0).round() / 10.0)
            });
            series.push(Series {
                device: device.clone(),
                check: "icmp".to_owned(),
                metric: metric.to_owned(),
                points: points.collect(),
            });
        }
    }
    let envelope = Envelope {
        epoch: 7,
        first_seq: block + 1,
        count: 1,
        sent_at_ms: Clock::System.now().as_millisecond(),
        session_id: 1,
        clock: 1,
        body: Some(Body::Metrics(pack(&series).expect("a block"))),
    };
    encode(&envelope, Codec::Zstd).expect("a packet")
}
