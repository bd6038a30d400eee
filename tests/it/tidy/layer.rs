//! Who may depend on whom: the crates, the layers inside a domain, and the order of the domains.

use super::Complaint;
use super::source::{File, names};

/// The server's domains; each may know the types of those before it.
const ORDER: [&str; 25] = [
    "user",
    "audit",
    "calendar",
    "customer",
    "site",
    "gateway",
    "device",
    "incident",
    "maintenance",
    "remedy",
    "ticket",
    "contract",
    "sla",
    "deal",
    "rota",
    "part",
    "visit",
    "inspection",
    "complaint",
    "major",
    "escalation",
    "page",
    "quality",
    "report",
    "retention",
];

/// Files without IO and without async, besides the server's domains.
const PURE: [&str; 6] = [
    "agent/src/schedule.rs",
    "agent/src/verdict.rs",
    "agent/src/session.rs",
    "agent/src/model.rs",
    "agent/src/core.rs",
    "server/src/user/permission.rs",
];
const IO: [&str; 10] = [
    "sqlx",
    "axum",
    "tokio",
    "reqwest",
    "rumqttc",
    "rumqttd",
    "lettre",
    "std::fs",
    "std::net::TcpStream",
    "std::process",
];

/// `proto` is below `agent` and `server`, which never see each other.
pub(super) fn crates(file: &File) -> Vec<Complaint> {
    let strangers: &[&str] = match file.path.split('/').next() {
        Some("proto") => &["sitewarden_agent", "sitewarden_server", "sitewarden_tests"],
        Some("agent") => &["sitewarden_server", "sitewarden_tests"],
        Some("server") => &["sitewarden_agent", "sitewarden_tests"],
        _ => return Vec::new(),
    };
    let mut found = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for stranger in strangers {
            let manifest = file.path.ends_with("Cargo.toml") && line.starts_with(&stranger.replace('_', "-"));
            if manifest || (file.kind() == "rs" && names(line, stranger)) {
                found.push(Complaint::new(&file.path, number + 1, format!("must not know {stranger}")));
            }
        }
    }
    found
}

/// Inside a domain: `api → store → domain type`; the type's file is pure.
pub(super) fn domains(file: &File) -> Vec<Complaint> {
    if file.kind() != "rs" || !file.is_product() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut complain = |number, what: String| found.push(Complaint::new(&file.path, number, what));
    let inside = file.path.strip_prefix("server/src/").unwrap_or("");
    let rank = ORDER.iter().position(|domain| inside == format!("{domain}.rs"));
    let pure = rank.is_some() || PURE.contains(&file.path.as_str()) || file.path.starts_with("proto/src/");
    let store = ORDER.iter().any(|domain| inside == format!("{domain}/store.rs"));
    for (number, line) in file.code() {
        if pure && let Some(io) = IO.iter().find(|io| names(line, io)) {
            complain(number, format!("`{io}` in a file that must be pure"));
        }
        if let Some(rank) = rank {
            for later in &ORDER[rank + 1..] {
                if names(line, &format!("crate::{later}")) && !is_id(line) {
                    complain(number, format!("a domain knows only those above it, not `{later}`"));
                }
            }
            if line.contains("store::") || line.contains("api::") {
                complain(number, "the domain's types do not know its store or api".into());
            }
        }
        if store && (line.contains("api::") || names(line, "axum")) {
            complain(number, "a store does not know the api".into());
        }
    }
    found
}

/// An identifier is only a name; it may be spoken anywhere.
fn is_id(line: &str) -> bool {
    let words = line.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| word.starts_with(char::is_uppercase)).all(|word| word.ends_with("Id"))
}
