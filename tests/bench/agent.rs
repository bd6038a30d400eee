//! What the agent takes while it watches 200 devices (or as many as a number says), each by ping and by a TCP port once a minute, with its
//! default settings: memory, processor, and bytes on the wire, counted on a relay in front of the server.
//!
//! Before that, a month of a site in fast motion shows whether what the agent holds grows with time.
//!
//! The real agent reports to the real server. Ten minutes are measured, which hold two blocks of five minutes,
//! and scaled to a day. Run with `cargo bench -p sitewarden-tests --bench agent -- $PWD/target/gateway/sitewarden-agent`
//! after `cargo build --profile gateway --bin sitewarden-agent`; without a path the release build is measured.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use sitewarden_tests::binary;
use sitewarden_tests::meter::{cpu_s, most_resident_mb, resident_mb};
use sitewarden_tests::sim::demo::install::{Installation, Programs, Settings, free_address};
use sitewarden_tests::sim::demo::setup::premises;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Devices, and the limits of their memory, MB.
const USUAL: (usize, f64) = (200, 20.0);
const MANY: (usize, f64) = (300, 30.0);
const WARM: Duration = Duration::from_secs(90);
const MEASURED: Duration = Duration::from_secs(600);
/// IPv4 and TCP with time stamps, for a segment and the ack that answers it.
const HEADERS: u64 = 52 * 2;

#[derive(Default)]
struct Counted {
    bytes: AtomicU64,
    segments: AtomicU64,
}

#[tokio::main]
async fn main() {
    let held = sitewarden_tests::month::play(30, 1);
    println!("a month of 50 devices, what the agent's mind holds on days 1, 7, 14, 21, 28, 30 (characters):");
    println!("               {:?}", [0, 6, 13, 20, 27, 29].map(|day: usize| held[day].0));
    let week = |days: std::ops::Range<usize>| held[days].iter().map(|day| day.0).sum::<usize>() as f64;
    println!("week 4 / week 2 {:.3} (limit 1.05)", week(21..28) / week(7..14));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let devices = words.iter().find_map(|word| word.parse::<usize>().ok()).unwrap_or(USUAL.0);
    let limit_mb = if devices <= USUAL.0 { USUAL.1 } else { MANY.1 * devices as f64 / MANY.0 as f64 };
    let named = words.iter().find(|word| word.parse::<usize>().is_err()).map(PathBuf::from);
    let agent = named.unwrap_or_else(|| binary("sitewarden-agent"));
    let programs = Programs { server: binary("sitewarden"), agent };
    let target = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await.expect("a free port");
    let port = target.local_addr().expect("bound").port();
    tokio::spawn(async move { while target.accept().await.is_ok() {} });
    let mqtt = free_address(0).expect("an address");
    let settings = Settings {
        http: free_address(0).expect("an address"),
        mqtt,
        smtp: free_address(0).expect("an address"),
        database: None,
        // The server's default.
        heartbeat_s: 60,
    };
    let place = Installation::prepare(programs, &settings).expect("an installation");
    let server = place.start_server().await.expect("a server");
    let api = place.first_login(&server, "copper otter lantern").await.expect("a login");
    let (gateway, token) = premises(&api).await.expect("a gateway");
    place.enrol(&token).await.expect("an enrolment");
    let checks = format!(
        "[[check]]\nkind = \"icmp\"\nevery = \"60s\"\n[[check]]\nkind = \"tcp\"\nport = {port}\nevery = \"60s\"\n"
    );
    for number in 0..devices {
        let new = json!({ "gateway_id": gateway, "name": format!("cam-{number}"), "class": "camera",
            "address": format!("127.88.{}.{}", number / 250, number % 250 + 1), "place": "", "parent_id": null,
            "checks": checks });
        api.post("/devices", &new).await.expect("a device");
    }
    let counted = Arc::new(Counted::default());
    let relay = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let config = place.folder().join("agent.toml");
    let text = std::fs::read_to_string(&config).expect("the agent's file");
    let address = relay.local_addr().expect("bound");
    std::fs::write(&config, format!("{text}server = \"{address}\"\n")).expect("the agent's file");
    tokio::spawn(pass_on(relay, mqtt, Arc::clone(&counted)));
    let agent = place.start_agent().expect("an agent");
    let pid = agent.id().expect("it runs");
    tokio::time::sleep(WARM).await;
    let count = || (counted.bytes.load(Ordering::SeqCst), counted.segments.load(Ordering::SeqCst));
    let (before, cpu_before) = (count(), cpu_s(pid));
    tokio::time::sleep(MEASURED).await;
    let (after, cpu_after) = (count(), cpu_s(pid));
    let seconds = MEASURED.as_secs_f64();
    let day = |bytes: u64| bytes as f64 * 86_400.0 / seconds / devices as f64 / 1024.0;
    let (bytes, segments) = (after.0 - before.0, after.1 - before.1);
    println!("{devices} devices, 2 checks each a minute, {seconds} s measured:");
    println!(
        "resident       {:.1} MB, at most {:.1} MB (limit {limit_mb:.0})",
        resident_mb(pid),
        most_resident_mb(pid)
    );
    println!("processor      {:.2} % of a core (limit 1)", (cpu_after - cpu_before) / seconds * 100.0);
    println!("TCP payload    {:.2} KiB per device and day", day(bytes));
    println!("with headers   {:.2} KiB per device and day (limit 15)", day(bytes + segments * HEADERS));
    agent.stop().await;
    server.stop().await;
}

async fn pass_on(relay: TcpListener, server: std::net::SocketAddr, counted: Arc<Counted>) {
    while let Ok((near, _)) = relay.accept().await {
        let Ok(far) = TcpStream::connect(server).await else { continue };
        let (near, far) = (near.into_split(), far.into_split());
        tokio::spawn(copy(near.0, far.1, Arc::clone(&counted)));
        tokio::spawn(copy(far.0, near.1, Arc::clone(&counted)));
    }
}

async fn copy(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    counted: Arc<Counted>,
) {
    let mut bytes = [0; 1460];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        counted.bytes.fetch_add(length as u64, Ordering::SeqCst);
        counted.segments.fetch_add(1, Ordering::SeqCst);
        if to.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
