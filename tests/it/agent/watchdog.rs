//! What systemd hears of the agent, on a socket as systemd would open it: that it is ready, that it lives as long
//! as its loop turns and the disk answers, that it ends.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use sitewarden_tests::binary;
use sitewarden_tests::sim::demo::process::Process;
use sqlx::Connection as _;

const LIMIT: Duration = Duration::from_secs(60);
/// The watchdog hears from the agent three times in this.
const WATCHDOG_US: u32 = 600_000;

/// A machine that was enrolled at a server which is not there.
fn enrolled(folder: &Path) {
    let data = folder.join("agent");
    std::fs::create_dir(&data).unwrap();
    let key = KeyPair::generate().unwrap();
    let pem = CertificateParams::default().self_signed(&key).unwrap().pem();
    let server = json!({ "gateway_id": "gw-0123456789", "url": "http://127.0.0.1:9", "mqtt": "127.0.0.1:9",
        "server_name": "localhost", "command_key": "", "heartbeat_s": 30 });
    std::fs::write(data.join("ca.pem"), &pem).unwrap();
    std::fs::write(data.join("identity.pem"), format!("{pem}\n{}", key.serialize_pem())).unwrap();
    std::fs::write(data.join("server.json"), server.to_string()).unwrap();
    let device = "[[device]]\nid = \"d1\"\naddress = \"127.0.0.1\"\n\
                  check = [{ kind = \"tcp\", port = 9, every = \"1s\", timeout = \"500ms\" }]\n";
    std::fs::write(folder.join("agent.toml"), format!("data_dir = \"{}\"\n{device}", data.display()))
        .unwrap();
}

/// The next message, or None when there is none in time.
fn next(socket: &UnixDatagram, limit: Duration) -> Option<String> {
    socket.set_read_timeout(Some(limit)).unwrap();
    let mut bytes = [0; 256];
    let length = socket.recv(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes[..length]).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_from_the_agent_while_loop_and_disk_go_on() {
    let agent = binary("sitewarden-agent").display().to_string();
    let folder = tempfile::tempdir().unwrap();
    enrolled(folder.path());
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let (notify, watchdog) =
        (format!("NOTIFY_SOCKET={}", path.display()), format!("WATCHDOG_USEC={WATCHDOG_US}"));
    let config = folder.path().join("agent.toml").display().to_string();
    let arguments = [&notify, &watchdog, &agent, "run", "--config", &config];
    let log = folder.path().join("agent.log");
    let mut agent = Process::start("agent", Path::new("/usr/bin/env"), &arguments, log).unwrap();
    assert_eq!(next(&socket, LIMIT).as_deref(), Some("READY=1"), "{}", agent.last_lines());
    for _ in 0..5 {
        assert_eq!(next(&socket, LIMIT).as_deref(), Some("WATCHDOG=1"), "{}", agent.last_lines());
    }

    // Somebody holds the queue: what the agent writes does not get there, and the agent waits for it.
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("agent/queue.db"));
    let mut held = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let locked = held.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let silence = Duration::from_micros(u64::from(WATCHDOG_US) * 3);
    let mut heard = 0;
    while next(&socket, silence).is_some() {
        heard += 1;
        assert!(heard < 300, "the agent says that it lives while its disk does not answer");
    }
    locked.rollback().await.unwrap();
    for _ in 0..5 {
        assert_eq!(next(&socket, LIMIT).as_deref(), Some("WATCHDOG=1"), "{}", agent.last_lines());
    }

    agent.ask_to_end().await.unwrap();
    let mut last = String::new();
    while last != "STOPPING=1" {
        last = next(&socket, LIMIT).expect("it says that it ends");
    }
    assert!(agent.wait().await.unwrap().success(), "{}", agent.last_lines());
}
