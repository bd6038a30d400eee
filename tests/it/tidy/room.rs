//! Third-party names live in one room each, and clocks are read in one file of each crate.

use super::Complaint;
use super::source::{File, names};

/// A name, and where product code may speak it: a path, or its beginning when it ends with `/`; after
/// a `*`, the end of a path or a folder in it.
const ROOMS: [(&str, &[&str]); 13] = [
    (
        "sqlx",
        &[
            "*/store.rs",
            "*/store/",
            "*/step.rs",
            "server/src/db.rs",
            "server/src/id.rs",
            "server/src/backup.rs",
            "server/src/backup/",
            "server/src/error.rs",
            "agent/src/spool.rs",
            "agent/src/spool/",
        ],
    ),
    (
        "axum",
        &[
            "*/api.rs",
            "*/api/",
            "server/src/router.rs",
            "server/src/router/",
            "server/src/error.rs",
            "server/src/live.rs",
            "server/src/live/",
            "server/src/assets.rs",
            "server/src/serve.rs",
            "server/src/gateway/enrol.rs",
            "server/src/page/ack.rs",
            "server/src/metrics.rs",
            "server/src/openapi.rs",
            "agent/src/local.rs",
        ],
    ),
    ("rumqttd", &["server/src/broker.rs", "server/src/broker/"]),
    ("rumqttc", &["agent/src/uplink.rs"]),
    (
        "rustls",
        &[
            "*/tls.rs",
            "*/enrol.rs",
            "*/main.rs",
            "agent/src/probe/",
            "agent/src/uplink.rs",
            "server/src/broker.rs",
            "server/src/broker/",
        ],
    ),
    ("rcgen", &["*/tls.rs", "*/enrol.rs"]),
    (
        "reqwest",
        &[
            "agent/src/probe/",
            "agent/src/remedy/",
            "agent/src/enrol.rs",
            "agent/src/local.rs",
            "server/src/page/channel.rs",
            "server/src/page/channel/",
        ],
    ),
    ("lettre", &["server/src/page/channel/email.rs"]),
    ("sysinfo", &["agent/src/probe/host.rs"]),
    ("krilla", &["server/src/paper/ink.rs"]),
    ("harfrust", &["server/src/paper/face.rs"]),
    ("skrifa", &["server/src/paper/face.rs"]),
    ("icu_segmenter", &["server/src/paper/line.rs"]),
];

/// What a store answers with may be spoken of anywhere; a query may not.
const ANSWERS: [&str; 2] = ["sqlx::Result", "sqlx::Error"];

const CLOCKS: [&str; 4] = ["Timestamp::now(", "Zoned::now(", "SystemTime::now(", "Instant::now("];
const SQL_CLOCKS: [&str; 4] = ["CURRENT_TIMESTAMP", "unixepoch(", "strftime('", "now()"];
/// Where a stopwatch may run: it measures how long something takes, or ends a wait, and nothing that
/// is kept depends on it.
const STOPWATCHES: [&str; 7] = [
    "agent/src/probe.rs",
    "agent/src/probe/",
    "agent/src/probe_once.rs",
    "server/src/broker/",
    "server/src/live.rs",
    "server/src/serve/",
    "tests/harness/until.rs",
];

fn lies_in(path: &str, rooms: &[&str]) -> bool {
    rooms.iter().any(|room| match room.strip_prefix('*') {
        Some(folder) if folder.ends_with('/') => path.contains(folder),
        Some(end) => path.ends_with(end),
        None => path == *room || (room.ends_with('/') && path.starts_with(room)),
    })
}

/// Third-party names outside their rooms.
pub(super) fn rooms(file: &File) -> Vec<Complaint> {
    if file.kind() != "rs" || !file.is_product() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, line) in file.code() {
        let line = ANSWERS.iter().fold(line.to_owned(), |line, answer| line.replace(answer, ""));
        for (name, rooms) in ROOMS {
            if names(&line, name) && !lies_in(&file.path, rooms) {
                found.push(Complaint::new(&file.path, number, format!("`{name}` lives in {rooms:?}")));
            }
        }
    }
    found
}

/// Clocks read outside `clock.rs`, in Rust or in SQL.
pub(super) fn clocks(file: &File) -> Vec<Complaint> {
    let ours =
        file.is_product() || file.path.starts_with("tests/harness/") || file.path.starts_with("tests/sim/");
    let code = ours && file.kind() == "rs" || file.kind() == "sql";
    if !code || file.path.ends_with("/clock.rs") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (number, line) in file.code() {
        let query = file.kind() == "sql"
            || ["SELECT ", "INSERT ", "UPDATE ", "WHERE "].iter().any(|w| line.contains(w));
        let clock = CLOCKS.iter().find(|clock| line.contains(**clock));
        let stopwatch = clock == Some(&"Instant::now(") && lies_in(&file.path, &STOPWATCHES);
        let clock = clock.filter(|_| !stopwatch);
        if let Some(clock) = clock.or(SQL_CLOCKS.iter().find(|clock| query && line.contains(**clock))) {
            found.push(Complaint::new(&file.path, number, format!("`{clock}…` outside clock.rs")));
        }
    }
    found
}
