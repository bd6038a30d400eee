//! What it costs to throw the clocks of a million tickets away and to make them again from their records, on both
//! databases; and whether the rows are the same after it, after it once more an hour later, and on both.
//!
//! Run with `cargo bench -p sitewarden-tests --bench rebuild`; a number behind `--` is the number of tickets.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use jiff::SignedDuration;
use sitewarden_server::db::Engine;
use sitewarden_server::sla::step::rebuild;
use sitewarden_tests::database::ENGINES;
use sitewarden_tests::promise::promise;
use sitewarden_tests::world::{World, items, text};

const CONTRACT: &str = "[contract]\nid = \"HT-1\"\nname = \"Harbour\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n\
    [calendar.work]\nworkdays = [\"08:30-12:00\", \"13:30-18:00\"]\nholidays = \"CN\"\nmake_up_days = true\n\
    [[clock]]\nname = \"answer\"\nstart = \"reported\"\nstop = \"first_human_reply\"\ntarget = \"30m\"\n\
    [[clock]]\nname = \"arrive\"\nstart = \"reported\"\nstop = \"arrived\"\ntarget = \"4h\"\n\
    pauses = [{ reason = \"access\", approver = \"customer\" }]\n\
    [[clock]]\nname = \"restore\"\nstart = \"reported\"\nstop = \"restored\"\ncalendar = \"work\"\ntarget = \"16h\"\n\
    pauses = [{ reason = \"access\", approver = \"customer\" }]\n";
/// The clocks of a ticket, compared without what is made anew for each run: the contract and the site.
const ROWS: &str = "SELECT ticket_id || ' ' || name || ' ' || CAST(run AS TEXT) || ' ' || state || ' ' || \
    CAST(started_at AS TEXT) || ' ' || COALESCE(CAST(stopped_at AS TEXT), '-') || ' ' || COALESCE(CAST(due_at AS TEXT), '-') \
    || ' ' || COALESCE(CAST(breached_at AS TEXT), '-') || ' ' || CAST(budget_s AS TEXT) || ' ' || CAST(used_s AS TEXT) || ' ' \
    || CAST(paused_s AS TEXT) || ' ' || CAST(share AS TEXT) || ' ' || COALESCE(CAST(next_at AS TEXT), '-') || ' ' || \
    CAST(counted_at AS TEXT) FROM clock WHERE ticket_id > $1 AND ticket_id <= $2 ORDER BY 1";

#[tokio::main]
async fn main() {
    let tickets = std::env::args().filter_map(|arg| arg.parse().ok()).next_back().unwrap_or(1_000_000);
    let mut hashes = Vec::new();
    for engine in ENGINES {
        hashes.push(measure(engine, tickets).await);
    }
    assert!(hashes.windows(2).all(|two| two[0] == two[1]), "both databases hold the same rows");
    println!("the rows are the same on both databases");
}

async fn measure(engine: Engine, tickets: i64) -> u64 {
    let world = World::usual(engine).await;
    let customers = items(&world.admin.get("/api/v1/customers").await.ok());
    let site = world.site_id("North Gate");
    let since = world.now() - SignedDuration::from_hours(24 * 400);
    promise(&world.app, &text(&customers[0], "/id"), &site, CONTRACT, since).await;
    fill(&world, &site, tickets).await;

    let begin = Instant::now();
    let made = rebuild(&world.app.db, world.now()).await.expect("clocks");
    let first = begin.elapsed().as_secs_f64();
    assert_eq!(made, (tickets as u64, 3 * tickets as u64));
    let before = hash(&world, tickets).await;
    let begin = Instant::now();
    // Everything is closed or paused, so an hour changes nothing.
    let later = world.now() + SignedDuration::from_hours(1);
    rebuild(&world.app.db, later).await.expect("clocks");
    let again = begin.elapsed().as_secs_f64();
    assert_eq!(hash(&world, tickets).await, before, "what is thrown away comes back the same");
    println!(
        "{engine:?}: {tickets} tickets of seven events, {} clocks, made in {first:.1} s ({:.0} tickets/s), once more in {again:.1} s; \
         the same rows",
        made.1,
        tickets as f64 / first
    );
    before
}

/// Every row, in order, a part at a time.
async fn hash(world: &World, tickets: i64) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut rows = 0;
    let mut conn = world.app.db.read().await.expect("a connection");
    for part in 0..=tickets / 10_000 {
        let (after, until) = (id(part * 10_000), id((part + 1) * 10_000));
        let list: Vec<String> =
            sqlx::query_scalar(ROWS).bind(after).bind(until).fetch_all(&mut *conn).await.expect("rows");
        rows += list.len();
        list.hash(&mut hasher);
    }
    assert_eq!(rows as i64, tickets * 3);
    hasher.finish()
}

fn id(number: i64) -> String {
    format!("t{}", 10_000_000 + number)
}

/// Tickets spread over a year, each taken, paused and gone on with, arrived at, restored and, but for one in ten that
/// is paused still, closed.
async fn fill(world: &World, site: &str, tickets: i64) {
    let now = world.now().as_millisecond();
    let numbers =
        "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $1)";
    let id = "'t' || CAST(10000000 + i AS TEXT)";
    let opened = "$2 - 86400000 - (i % 31536) * 1000000";
    let mut texts = vec![format!(
        "INSERT INTO ticket (id, number, site_id, origin, code, title, severity, state, opened_at, paged_severity, \
         changed_at) {numbers} SELECT {id}, 2000 + i, $3, 'person', '', 'Gate', 'major', \
         CASE WHEN i % 10 = 0 THEN 'acked' ELSE 'closed' END, {opened}, 'major', $2 FROM n"
    )];
    let lines = [
        ("opened", "0", r#"{"severity":"major"}"#),
        ("acked", "(i % 45) * 60000", "{}"),
        ("fact", "3600000", r#"{"what":"paused","reason":"access","approver":"customer"}"#),
        ("fact", "7200000", r#"{"what":"resumed"}"#),
        ("fact", "7200000 + (i % 300) * 60000", r#"{"what":"arrived","evidence":["qr"]}"#),
        ("fact", "28800000 + (i % 500) * 60000", r#"{"what":"restored","evidence":["customer"]}"#),
        ("closed", "64800000", "{}"),
    ];
    for (seq, (kind, after, body)) in lines.iter().enumerate() {
        // One in ten has only been paused.
        let part = if seq > 2 { "WHERE i % 10 <> 0" } else { "" };
        texts.push(format!(
            "INSERT INTO ticket_event (ticket_id, seq, kind, occurred_at, recorded_at, actor, source, body) {numbers} \
             SELECT {id}, {}, '{kind}', {opened} + {after}, {opened} + {after}, 'li.wei', 'person', \
             CASE WHEN $3 = '' THEN '' ELSE '{body}' END FROM n {part}",
            seq + 1
        ));
    }
    for text in texts {
        let mut tx = world.app.db.write().await.expect("a transaction");
        let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(tickets).bind(now).bind(site);
        query.execute(&mut *tx).await.expect("rows");
        tx.commit().await.expect("a commit");
    }
    let mut tx = world.app.db.write().await.expect("a transaction");
    sqlx::query("ANALYZE").execute(&mut *tx).await.expect("statistics");
    tx.commit().await.expect("a commit");
}
