//! What a day of one site costs: 50 devices with 6 metrics each, a sample a minute, in blocks of five
//! minutes, through the real ingest on both databases.
//!
//! The limit it is held against is the same packets stored by bare inserts, one transaction each, in
//! the same database: what is left between the two is decoding, rollups and bookkeeping.
//! Run with `cargo bench -p sitewarden-tests --bench ingest`.

use std::time::{Duration, Instant};

use sitewarden_proto::envelope::{Codec, encode};
use sitewarden_proto::metrics::{Series, build};
use sitewarden_proto::topic::Up;
use sitewarden_proto::wire::Envelope;
use sitewarden_proto::wire::envelope::Body;
use sitewarden_server::ingest;
use sitewarden_tests::database::{ENGINES, Engine};
use sitewarden_tests::world::World;
use sqlx::Executor;

const DEVICES: usize = 50;
const METRICS: [&str; 6] =
    ["rtt_ms", "loss_percent", "cpu_percent", "memory_percent", "temperature_c", "offset_ms"];
const BLOCKS: u64 = 288;
const MINUTES: i64 = 5;

#[tokio::main]
async fn main() {
    for engine in ENGINES {
        let mut world = World::usual(engine).await;
        let mut devices = Vec::with_capacity(DEVICES);
        for number in 0..DEVICES {
            devices.push(world.device_with("North Gate", &format!("cam-{number}"), None).await);
        }
        let gateway = world.gateway_mut("North Gate").id.clone();
        let start = world.now().as_millisecond();
        let packets: Vec<Vec<u8>> = (0..BLOCKS).map(|block| packet(&devices, start, block)).collect();
        let bytes: usize = packets.iter().map(Vec::len).sum();

        let mut tx = world.app.db.write().await.expect("a transaction");
        let table = match engine {
            Engine::Sqlite => "CREATE TABLE bare (number BIGINT PRIMARY KEY, body BLOB NOT NULL)",
            Engine::Postgres => "CREATE TABLE bare (number BIGINT PRIMARY KEY, body BYTEA NOT NULL)",
        };
        tx.execute(table).await.expect("a table");
        tx.commit().await.expect("a commit");
        let began = Instant::now();
        for (number, packet) in packets.iter().enumerate() {
            let mut tx = world.app.db.write().await.expect("a transaction");
            sqlx::query("INSERT INTO bare (number, body) VALUES ($1, $2)")
                .bind(number as i64)
                .bind(packet.as_slice())
                .execute(&mut *tx)
                .await
                .expect("an insert");
            tx.commit().await.expect("a commit");
        }
        let bare = began.elapsed();

        let began = Instant::now();
        for (block, packet) in packets.iter().enumerate() {
            let at = start + (block as i64 + 1) * MINUTES * 60_000;
            world.app.clock.set(sitewarden_server::clock::from_ms(at));
            let now = world.app.clock.now();
            ingest::receive(&world.app, &gateway, Up::Metrics, packet, now).await.expect("it is taken");
        }
        report(&format!("{engine:?}"), bytes, bare, began.elapsed());
    }
}

fn report(engine: &str, bytes: usize, bare: Duration, ingest: Duration) {
    let each = |total: Duration| total.as_secs_f64() * 1000.0 / BLOCKS as f64;
    println!(
        "{engine}: {:.1} KiB per device and day on the wire; a block of {DEVICES} × {} × {MINUTES}: bare insert {:.2} ms, \
         ingest {:.2} ms, ratio {:.1}",
        bytes as f64 / 1024.0 / DEVICES as f64,
        METRICS.len(),
        each(bare),
        each(ingest),
        ingest.as_secs_f64() / bare.as_secs_f64(),
    );
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
        epoch: 77,
        first_seq: block + 1,
        count: 1,
        sent_at_ms: start + (block as i64 + 1) * MINUTES * 60_000,
        session_id: 1,
        body: Some(Body::Metrics(build(&series).expect("a block"))),
        ..Envelope::default()
    };
    encode(&envelope, Codec::Zstd).expect("a packet")
}
