//! What a gateway costs that is connected and says nothing: memory of the server for each of 5,000, beside a
//! bare tokio-rustls acceptor with nothing behind it; how long 2,000 gateways take to be back after the server
//! was killed; what 200,000 distinct topics leave behind.
//! Run with `cargo bench -p sitewarden-tests --bench idle`. This process is the gateways; the server and the
//! acceptor have processes of their own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use sitewarden_server::clock::Clock;
use sitewarden_server::config::Limits;
use sitewarden_server::keys::Keys;
use sitewarden_tests::crowd::rush;
use sitewarden_tests::database::{ENGINES, Engine};
use sitewarden_tests::fleet::Fleet;
use sitewarden_tests::peer::free_tcp_port;
use sitewarden_tests::raw::{Pass, Raw, publish};
use sitewarden_tests::sim::demo::process::Process;
use sitewarden_tests::until;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const GATEWAYS: usize = 5000;
const RECONNECTING: usize = 2000;
const WARM: usize = 200;
const AT_ONCE: usize = 100;
const GOAL_KB: f64 = 40.0;
const TOPICS: u32 = 200_000;
const SOON: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--acceptor") {
        return accept(Path::new(&arguments[at + 1]), arguments[at + 2].parse().expect("an address")).await;
    }
    let own = std::process::id().to_string();
    let raised = Command::new("prlimit").args(["--pid", &own, "--nofile=12000:"]).status();
    assert!(raised.is_ok_and(|done| done.success()), "12000 open files are needed");
    let limits = Limits { gateways: GATEWAYS + 100, gateway_refusals_per_min: u32::MAX, ..Limits::default() };
    let limits = Limits { gateway_packets_per_s: u32::MAX, gateway_bytes_per_s: u32::MAX, ..limits };
    for engine in ENGINES {
        let fleet = Fleet::enrolled(engine, GATEWAYS, limits).await;
        let each = idle(&fleet).await;
        if engine == Engine::Sqlite {
            let bare = bare(&fleet).await;
            println!(
                "{engine:?}: {each:.1} kB of server memory for each of {GATEWAYS} idle TLS gateways (goal {GOAL_KB} kB); \
                 a bare acceptor {bare:.1} kB, ratio {:.2}",
                each / bare
            );
            println!("{engine:?}: {TOPICS} distinct topics: memory grows by {} kB", topics(&fleet).await);
        } else {
            println!("{engine:?}: {each:.1} kB of server memory for each of {GATEWAYS} idle TLS gateways");
        }
        restart(engine, &fleet).await;
    }
}

/// Connects all but the first few, which warm everything up; the memory of each, kB.
async fn idle(fleet: &Fleet) -> f64 {
    let server = fleet.start().await;
    let mut seated = rush(server.door, &fleet.passes[..WARM]).await;
    let before = server.process.resident_kb();
    for some in fleet.passes[WARM..].chunks(AT_ONCE) {
        seated.extend(rush(server.door, some).await);
    }
    let after = server.process.resident_kb();
    assert_eq!(seated.len(), GATEWAYS);
    after.saturating_sub(before) as f64 / (GATEWAYS - WARM) as f64
}

/// The same connections to something that does nothing but TLS.
async fn bare(fleet: &Fleet) -> f64 {
    let address = SocketAddr::from(([127, 0, 0, 1], free_tcp_port()));
    let folder = fleet.desk.app.config.data_dir.clone();
    let (program, text) =
        (std::env::current_exe().expect("a program knows where it lies"), address.to_string());
    let arguments = ["--acceptor", folder.to_str().expect("a plain path"), text.as_str()];
    let acceptor = Process::start("acceptor", &program, &arguments, folder.join("acceptor.log"));
    let acceptor = acceptor.expect("the acceptor starts");
    until("the acceptor listens", SOON, async || TcpStream::connect(address).await.is_ok()).await;
    let mut held = dial(address, &fleet.passes[..WARM]).await;
    let before = acceptor.resident_kb();
    held.extend(dial(address, &fleet.passes[WARM..]).await);
    acceptor.resident_kb().saturating_sub(before) as f64 / (held.len() - WARM) as f64
}

async fn dial(address: SocketAddr, passes: &[Pass]) -> Vec<Raw> {
    let mut held = Vec::with_capacity(passes.len());
    for pass in passes {
        held.push(pass.dial(address).await);
    }
    held
}

async fn accept(data_dir: &Path, address: SocketAddr) {
    let now = Clock::System.now();
    let keys = Keys::open_or_create(data_dir, now).expect("keys");
    let acceptor = TlsAcceptor::from(keys.ca().wire_config(&[], now).expect("TLS"));
    let listener = TcpListener::bind(address).await.expect("a port");
    loop {
        let Ok((socket, _)) = listener.accept().await else { continue };
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(mut stream) = acceptor.accept(socket).await else { return };
            let mut bytes = [0; 64];
            while stream.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
        });
    }
}

/// Kills the server under 2,000 gateways, which all come again the moment it listens.
async fn restart(engine: Engine, fleet: &Fleet) {
    let passes = &fleet.passes[..RECONNECTING];
    let mut server = fleet.start().await;
    let mut seated = Vec::new();
    for some in passes.chunks(AT_ONCE) {
        seated.extend(rush(server.door, some).await);
    }
    server.process.kill().await.expect("it can be killed");
    drop(seated);
    let began = Instant::now();
    let server = fleet.start().await;
    let listens = began.elapsed();
    let seated = rush(server.door, passes).await;
    println!(
        "{engine:?}: {} gateways at once after a restart: all seated and their births answered {:.1} s after it, of \
         which {:.1} s until the server listens",
        seated.len(),
        began.elapsed().as_secs_f64(),
        listens.as_secs_f64()
    );
}

/// Publishes to topics that are not there; how much memory that leaves, kB.
async fn topics(fleet: &Fleet) -> i64 {
    let server = fleet.start().await;
    let mut raw = fleet.passes[0].dial(server.door).await;
    assert!(raw.greet(600, None).await);
    let mut before = 0;
    for batch in 0..TOPICS / 1000 {
        let names = (0..1000).map(|n| format!("v1/{}/u/{}", raw.id, batch * 1000 + n));
        let bytes: Vec<u8> = names.flat_map(|topic| publish(topic.as_bytes(), b"x", 1, 5, false)).collect();
        raw.send(&bytes).await;
        for _ in 0..1000 {
            assert_eq!(raw.packet().await.expect("an answer")[3], 0x87);
        }
        if batch == 0 {
            before = server.process.resident_kb();
        }
    }
    server.process.resident_kb() as i64 - before as i64
}
