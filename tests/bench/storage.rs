//! What a device costs on disk: fifty devices of one site with six metrics each, a sample a minute, some trouble
//! every day, through the real ingest, the hours rolled up and the rules of retention applied; then the size of
//! every table with its indexes, on both databases, without VACUUM.
//!
//! Run with `cargo bench -p sitewarden-tests --bench storage`; a number behind `--` is the number of days.

use std::collections::BTreeMap;

use sitewarden_proto::envelope::{Codec, encode};
use sitewarden_proto::metrics::{Series, pack};
use sitewarden_proto::topic::Up;
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::{Envelope, Event, EventBatch, Transition};
use sitewarden_server::clock::from_ms;
use sitewarden_server::db::Engine;
use sitewarden_server::{history, ingest, retention};
use sitewarden_tests::database::ENGINES;
use sitewarden_tests::world::World;

const DEVICES: usize = 50;
const METRICS: [&str; 6] =
    ["rtt_ms", "loss_percent", "cpu_percent", "memory_percent", "temperature_c", "offset_ms"];
const MINUTES: i64 = 5;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// Changes of faults of the whole site in a day: a begin and an end each.
const TROUBLES_A_DAY: i64 = 10;

#[tokio::main]
async fn main() {
    let days = std::env::args().filter_map(|arg| arg.parse().ok()).next_back().unwrap_or(30);
    for engine in ENGINES {
        measure(engine, days).await;
    }
}

async fn measure(engine: Engine, days: i64) {
    let mut world = World::usual(engine).await;
    let mut devices = Vec::with_capacity(DEVICES);
    for number in 0..DEVICES {
        devices.push(world.device_with("North Gate", &format!("cam-{number}"), None).await);
    }
    let gateway = world.gateway_mut("North Gate").id.clone();
    let empty = sizes(&world, engine).await;
    let start = (world.now().as_millisecond() / DAY_MS + 1) * DAY_MS;
    let mut sender = Sender { seq: 0, noise: 0x9e37_79b9_7f4a_7c15 };
    for block in 0..days * DAY_MS / (MINUTES * MINUTE_MS) {
        let at = start + block * MINUTES * MINUTE_MS;
        let now = from_ms(at + MINUTES * MINUTE_MS);
        world.app.clock.set(now);
        let mut packets = vec![(Up::Metrics, sender.block(&devices, at))];
        let troubles = 24 * 60 / MINUTES / TROUBLES_A_DAY;
        if block % troubles < 2 {
            let device = &devices[(block / troubles) as usize % DEVICES];
            packets.push((Up::Events, sender.event(device, block % troubles == 0, at)));
        }
        for (up, packet) in packets {
            ingest::receive(&world.app, &gateway, up, &packet, now).await.expect("it is taken");
        }
        if at % DAY_MS == 0 {
            while history::step::step(&world.app, now).await.expect("hours are rolled up") {}
            while retention::step::step(&world.app, now).await.expect("old rows go") {}
        }
    }
    while history::step::step(&world.app, world.now()).await.expect("hours are rolled up") {}
    report(engine, days, &empty, &sizes(&world, engine).await);
}

fn report(engine: Engine, days: i64, empty: &BTreeMap<String, i64>, full: &BTreeMap<String, i64>) {
    // Days for which a table keeps its rows by default; tickets and incidents are kept for ever: ten years.
    let kept = |table: &str| match table {
        "metric_block" => 90.0,
        "device_day" | "device_event" | "device_state" => 1100.0,
        "page" | "page_attempt" => 400.0,
        _ => 3650.0,
    };
    println!("{engine:?}: {DEVICES} devices × {} metrics, {days} days", METRICS.len());
    let (mut a_year, mut at_last) = (0.0, 0.0);
    for (table, bytes) in full {
        let grown = (bytes - empty.get(table).copied().unwrap_or(0)).max(0) as f64;
        let day = grown / DEVICES as f64 / days as f64;
        if day >= 1.0 {
            println!(
                "  {table:<14} {day:>9.0} B per device and day, {:>9.0} kB kept by default",
                day * kept(table) / 1e3
            );
        }
        a_year += day * f64::min(365.0, kept(table));
        at_last += day * kept(table);
    }
    println!("  a device after its first year {:.1} MB, at most {:.1} MB", a_year / 1e6, at_last / 1e6);
}

/// Bytes of each table with its indexes.
async fn sizes(world: &World, engine: Engine) -> BTreeMap<String, i64> {
    let sql = match engine {
        Engine::Sqlite => {
            "SELECT m.tbl_name, CAST(SUM(d.pgsize) AS BIGINT) FROM dbstat d JOIN sqlite_schema m ON m.name = d.name \
             GROUP BY m.tbl_name"
        }
        Engine::Postgres => {
            "SELECT CAST(relname AS TEXT), pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' \
             AND relnamespace = 'public'::regnamespace"
        }
    };
    let mut conn = world.app.db.read().await.expect("a connection");
    let rows: Vec<(String, i64)> = sqlx::query_as(sql).fetch_all(&mut *conn).await.expect("sizes");
    rows.into_iter().collect()
}

/// Packs what the site's gateway would send. Values drift and jitter as real ones do, from a fixed sequence.
struct Sender {
    seq: u64,
    noise: u64,
}

impl Sender {
    fn block(&mut self, devices: &[String], at: i64) -> Vec<u8> {
        let mut series = Vec::with_capacity(devices.len() * METRICS.len());
        for device in devices {
            for metric in METRICS {
                let mut point = |minute| {
                    self.noise ^= self.noise << 13;
                    self.noise ^= self.noise >> 7;
                    self.noise ^= self.noise << 17;
                    let jitter = (self.noise % 1000) as f64 / 1000.0;
                    (at + minute * MINUTE_MS, ((20.0 + 3.0 * jitter) * 10.0).round() / 10.0)
                };
                let points = (0..MINUTES).map(&mut point).collect();
                let (check, metric) = ("icmp".to_owned(), metric.to_owned());
                series.push(Series { device: device.clone(), check, metric, points });
            }
        }
        let body = Body::Metrics(pack(&series).expect("a block"));
        self.packet(body, at + MINUTES * MINUTE_MS)
    }

    fn event(&mut self, device: &str, begins: bool, at: i64) -> Vec<u8> {
        let transition = if begins { Transition::Raised } else { Transition::Cleared };
        let evidence =
            r#"{"address":"10.20.7.11","checks":{"http":"timed out after 5 s","icmp":"3 of 3 lost"}}"#;
        let event = Event {
            device_id: device.to_owned(),
            fault_code: "unreachable".to_owned(),
            transition: transition.into(),
            at_ms: at,
            last_good_at_ms: at - 60_000,
            first_bad_at_ms: at - 30_000,
            check: "icmp".to_owned(),
            evidence_json: evidence.to_owned(),
        };
        self.packet(Body::Events(EventBatch { events: vec![event] }), at + MINUTE_MS)
    }

    fn packet(&mut self, body: Body, sent_at_ms: i64) -> Vec<u8> {
        self.seq += 1;
        let body = Some(body);
        let envelope = Envelope {
            epoch: 77,
            first_seq: self.seq,
            count: 1,
            sent_at_ms,
            session_id: 1,
            body,
            ..Envelope::default()
        };
        encode(&envelope, Codec::Zstd).expect("a packet")
    }
}
