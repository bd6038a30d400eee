//! The house rules, enforced over the source text: who may depend on whom, which third-party crate
//! lives in which room, where a clock is read, how long a file gets, and what may be linked in.
//!
//! Every rule is a function of a file's path and text that returns complaints. Each is tried on a
//! broken example, so a rule that has gone blind fails too.

mod layer;
mod licence;
mod room;
mod shape;
mod source;

use source::File;

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq)]
struct Complaint {
    path: String,
    line: usize,
    what: String,
}

impl Complaint {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

type Rule = fn(&File) -> Vec<Complaint>;

fn check(rule: Rule) {
    let complaints: Vec<Complaint> = source::all().iter().flat_map(rule).collect();
    assert!(complaints.is_empty(), "\n{}", listing(&complaints));
}

fn listing(complaints: &[Complaint]) -> String {
    let lines: Vec<String> =
        complaints.iter().map(|c| format!("{}:{}: {}", c.path, c.line, c.what)).collect();
    lines.join("\n")
}

/// How many complaints `rule` has about a made-up file.
fn complaints(rule: Rule, path: &str, text: &str) -> usize {
    rule(&File::new(path, text)).len()
}

#[test]
fn third_party_names_stay_in_their_rooms() {
    check(room::rooms);
    assert_eq!(complaints(room::rooms, "server/src/ticket.rs", "use sqlx::Row;\n"), 1);
    assert_eq!(complaints(room::rooms, "server/src/ticket/store.rs", "use sqlx::Row;\n"), 0);
    assert_eq!(complaints(room::rooms, "server/src/ingest.rs", "fn f(c: rumqttd::Config) {}\n"), 1);
    assert_eq!(complaints(room::rooms, "server/src/ingest.rs", "// not rumqttd::Config\n"), 0);
    assert_eq!(complaints(room::rooms, "agent/src/run.rs", "use rumqttc::v5::Event;\n"), 1);
    assert_eq!(
        complaints(room::rooms, "server/src/page.rs", "#[cfg(test)]\nmod tests {\n use reqwest::Url;\n}\n"),
        0
    );
}

#[test]
fn agent_and_server_never_see_each_other() {
    check(layer::crates);
    assert_eq!(complaints(layer::crates, "agent/src/run.rs", "use sitewarden_server::db::Db;\n"), 1);
    assert_eq!(complaints(layer::crates, "server/src/app.rs", "let x = sitewarden_agent::run;\n"), 1);
    assert_eq!(complaints(layer::crates, "proto/src/id.rs", "use sitewarden_server::id;\n"), 1);
    assert_eq!(
        complaints(layer::crates, "agent/Cargo.toml", "sitewarden-server = { workspace = true }\n"),
        1
    );
    assert_eq!(complaints(layer::crates, "tests/harness/lib.rs", "use sitewarden_server::db::Db;\n"), 0);
}

#[test]
fn a_domain_is_pure_and_imports_only_what_stands_above_it() {
    check(layer::domains);
    assert_eq!(complaints(layer::domains, "server/src/site.rs", "use crate::ticket::Ticket;\n"), 1);
    assert_eq!(complaints(layer::domains, "server/src/ticket.rs", "use crate::site::SiteId;\n"), 0);
    assert_eq!(complaints(layer::domains, "server/src/ticket.rs", "use crate::ticket::store::find;\n"), 1);
    assert_eq!(complaints(layer::domains, "server/src/ticket.rs", "async fn f() { tokio::spawn(x); }\n"), 1);
    assert_eq!(complaints(layer::domains, "server/src/ticket/store.rs", "use super::api::Body;\n"), 1);
    assert_eq!(complaints(layer::domains, "agent/src/verdict.rs", "use tokio::fs;\n"), 1);
    assert_eq!(complaints(layer::domains, "proto/src/id.rs", "use tokio::fs;\n"), 1);
}

#[test]
fn only_clock_files_read_a_clock() {
    check(room::clocks);
    assert_eq!(complaints(room::clocks, "server/src/ticket.rs", "let t = Timestamp::now();\n"), 1);
    assert_eq!(
        complaints(room::clocks, "server/src/ticket.rs", "let t = std::time::SystemTime::now();\n"),
        1
    );
    assert_eq!(complaints(room::clocks, "agent/src/schedule.rs", "let t = Instant::now();\n"), 1);
    assert_eq!(complaints(room::clocks, "server/src/ticket/store.rs", "\"SELECT CURRENT_TIMESTAMP\"\n"), 1);
    assert_eq!(complaints(room::clocks, "server/src/clock.rs", "let t = Timestamp::now();\n"), 0);
}

#[test]
fn tests_wait_for_conditions_and_are_never_ignored() {
    check(shape::tests);
    assert_eq!(complaints(shape::tests, "tests/it/story.rs", "tokio::time::sleep(SECOND).await;\n"), 1);
    assert_eq!(complaints(shape::tests, "tests/it/story.rs", concat!("#[", "ignore]\n")), 1);
}

#[test]
fn files_are_short_named_for_what_they_hold_and_begin_with_a_story() {
    check(shape::files);
    assert_eq!(complaints(shape::files, "server/src/utils.rs", "//! x\n"), 1);
    assert_eq!(complaints(shape::files, "server/src/ticket/mod.rs", "//! x\n"), 1);
    assert_eq!(complaints(shape::files, "server/web/src/helper.ts", "\n"), 1);
    assert_eq!(complaints(shape::files, "server/src/ticket.rs", &format!("//! x\n{}", "x\n".repeat(500))), 1);
    assert_eq!(complaints(shape::files, "server/web/src/a.svelte", &"x\n".repeat(501)), 1);
    assert_eq!(complaints(shape::files, "server/src/ticket.rs", "use std::fmt;\n"), 1);
    assert_eq!(complaints(shape::files, "server/src/ticket.rs", "//! Tickets.\n"), 0);
}

#[test]
fn nothing_is_left_for_later_and_no_type_has_an_empty_name() {
    check(shape::words);
    assert_eq!(complaints(shape::words, "server/src/a.rs", concat!("// TO", "DO: later\n")), 1);
    assert_eq!(complaints(shape::words, "server/src/a.rs", "pub struct TicketManager;\n"), 1);
    assert_eq!(complaints(shape::words, "server/src/a.rs", "enum Util { A }\n"), 1);
    assert_eq!(complaints(shape::words, "server/src/a.rs", "pub struct Ticket;\n"), 0);
}

#[test]
fn both_databases_get_the_same_migrations() {
    let (sqlite, postgres) = (source::migrations("sqlite"), source::migrations("postgres"));
    assert!(!sqlite.is_empty(), "there are no migrations");
    assert_eq!(shape::unlike(&sqlite, &postgres), Vec::<String>::new());
    let one = |name: &str, text: &str| vec![(name.to_owned(), text.to_owned())];
    assert_eq!(shape::unlike(&one("1.sql", "a BLOB"), &one("1.sql", "a  BYTEA")).len(), 0);
    assert_eq!(shape::unlike(&one("1.sql", "a TEXT"), &one("1.sql", "b TEXT")).len(), 1);
    assert_eq!(shape::unlike(&one("1.sql", ""), &[]).len(), 1);
}

#[test]
fn the_top_level_holds_what_the_house_has_and_nothing_else() {
    let names = source::top_level();
    assert_eq!(shape::strangers(&names), Vec::<&str>::new());
    assert_eq!(shape::strangers(&["scripts".to_owned(), "agent".to_owned()]), ["scripts"]);
}

#[test]
fn only_permitted_crates_from_permitted_places_are_linked() {
    let rules = licence::Rules::read();
    let crates = licence::linked();
    assert!(crates.len() > 100, "cargo metadata names only {} crates", crates.len());
    assert_eq!(rules.complaints(&crates), Vec::<String>::new());
    let stranger = |name: &str, licence: &str, source: &str| {
        let one = licence::Linked { name: name.into(), licence: licence.into(), source: Some(source.into()) };
        rules.complaints(&[one]).len()
    };
    let registry = "registry+https://github.com/rust-lang/crates.io-index";
    assert_eq!(stranger("a", "MIT", registry), 0);
    assert_eq!(stranger("a", "GPL-3.0-only", registry), 1);
    assert_eq!(stranger("a", "MIT", "git+https://example.com/a"), 1);
    assert_eq!(stranger("aws-lc-sys", "ISC", registry), 1);
}
