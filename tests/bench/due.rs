//! What it costs to find which clocks are due among a hundred thousand open tickets with three clocks each, on both
//! databases: nothing due, a hundred due at once, and the first part of the board.
//!
//! Run with `cargo bench -p sitewarden-tests --bench due`; a number behind `--` is the number of tickets.

use std::time::Instant;

use jiff::SignedDuration;
use sitewarden_server::db::Engine;
use sitewarden_server::sla::step::step;
use sitewarden_server::sla::store::{Library, board, list_due, notice};
use sitewarden_server::ticket::store::recount;
use sitewarden_server::user::Scope;
use sitewarden_tests::database::ENGINES;
use sitewarden_tests::promise::promise;
use sitewarden_tests::world::{World, items, text};

const CONTRACT: &str = "[contract]\nid = \"HT-1\"\nname = \"Harbour\"\nkind = \"annual\"\nzone = \"Asia/Shanghai\"\n\
    [[clock]]\nname = \"answer\"\nstart = \"reported\"\nstop = \"first_human_reply\"\ntarget = \"2h\"\n\
    [[clock]]\nname = \"arrive\"\nstart = \"reported\"\nstop = \"arrived\"\ntarget = \"4h\"\n\
    [[clock]]\nname = \"restore\"\nstart = \"reported\"\nstop = \"restored\"\ntarget = \"8h\"\n";
/// So many tickets reach half of their first clock in the same second.
const AT_ONCE: i64 = 100;
const LOOKS: u32 = 200;
const LIMIT_MS: f64 = 50.0;

#[tokio::main]
async fn main() {
    let tickets = std::env::args().filter_map(|arg| arg.parse().ok()).next_back().unwrap_or(100_000);
    for engine in ENGINES {
        measure(engine, tickets).await;
    }
}

async fn measure(engine: Engine, tickets: i64) {
    let world = World::usual(engine).await;
    let customers = items(&world.admin.get("/api/v1/customers").await.ok());
    let site = world.site_id("North Gate");
    let now = world.now();
    let since = now - SignedDuration::from_hours(48);
    let contract = promise(&world.app, &text(&customers[0], "/id"), &site, CONTRACT, since).await;
    fill(&world, &site, &contract, tickets).await;

    let begin = Instant::now();
    for _ in 0..LOOKS {
        let mut conn = world.app.db.read().await.expect("a connection");
        let marked = recount::is_any(&mut conn).await.expect("an answer");
        let due = list_due(&mut conn, now, 200).await.expect("what is due");
        let untold = notice::list_untold(&mut conn, 1).await.expect("what is untold");
        assert!(!marked && due.is_empty() && untold.is_empty(), "nothing is due yet");
    }
    let look = begin.elapsed().as_secs_f64() * 1e3 / f64::from(LOOKS);

    let later = now + SignedDuration::from_secs(60);
    let begin = Instant::now();
    let mut conn = world.app.db.read().await.expect("a connection");
    let due = list_due(&mut conn, later, 200).await.expect("what is due");
    drop(conn);
    let find = begin.elapsed().as_secs_f64() * 1e3;
    assert_eq!(due.len() as i64, AT_ONCE);

    world.app.clock.set(later);
    let begin = Instant::now();
    step(&world.app, &mut Library::default(), later).await.expect("a step");
    let all = begin.elapsed().as_secs_f64() * 1e3;
    let mut conn = world.app.db.read().await.expect("a connection");
    assert!(list_due(&mut conn, later, 1).await.expect("what is due").is_empty());

    let begin = Instant::now();
    let rows = board::list(&mut conn, &Scope::All, &board::Filter::default(), 100).await.expect("the board");
    let page = begin.elapsed().as_secs_f64() * 1e3;
    assert_eq!(rows.len(), 100);
    println!(
        "{engine:?}: {tickets} open tickets, {} clocks: finding that nothing is due {look:.2} ms, finding {AT_ONCE} that \
         are {find:.2} ms (limit {LIMIT_MS}); counting and telling these {all:.0} ms; the board's first hundred {page:.1} ms",
        tickets * 3
    );
    assert!(look < LIMIT_MS && find < LIMIT_MS, "finding what is due takes too long");
}

/// Tickets, each with its first line and three running clocks. The first hundred reach half of a clock in a minute.
async fn fill(world: &World, site: &str, contract: &str, tickets: i64) {
    let now = world.now().as_millisecond();
    let numbers =
        "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $1)";
    // An hour ago less a minute; the others later, a second apart, over half an hour.
    let opened = format!("CASE WHEN i <= {AT_ONCE} THEN $2 - 59 * 60000 ELSE $2 - (i % 1800) * 1000 END");
    let mut texts = vec![
        format!(
            "INSERT INTO ticket (id, number, site_id, origin, code, title, severity, state, opened_at, paged_severity, \
             changed_at) {numbers} SELECT 't' || CAST(i AS TEXT), 2000 + i, $3, 'person', '', 'Gate', 'major', 'open', \
             {opened}, 'major', $2 FROM n"
        ),
        format!(
            "INSERT INTO ticket_event (ticket_id, seq, kind, occurred_at, recorded_at, actor, source, body) {numbers} \
             SELECT 't' || CAST(i AS TEXT), 1, 'opened', {opened}, {opened}, '', 'person', \
             CASE WHEN $3 = '' THEN '' ELSE '{{\"severity\":\"major\"}}' END FROM n"
        ),
    ];
    for (name, hours) in [("answer", 2), ("arrive", 4), ("restore", 8)] {
        let budget_s = hours * 3600;
        texts.push(format!(
            "INSERT INTO clock (ticket_id, name, run, site_id, contract_id, version, title, state, reason, approver, supplier, \
             repeat, counts, started_at, due_at, provisional, budget_s, used_s, paused_s, share, next_at, counted_at) {numbers} \
             SELECT 't' || CAST(i AS TEXT), '{name}', 1, $3, '{contract}', 1, '{name}', 'running', '', '', 0, 0, 1, {opened}, \
             {opened} + {budget_s} * 1000, 0, {budget_s}, 0, 0, 0, {opened} + {budget_s} * 500, {opened} FROM n"
        ));
    }
    let mut tx = world.app.db.write().await.expect("a transaction");
    for text in texts {
        let query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(tickets).bind(now).bind(site);
        query.execute(&mut *tx).await.expect("rows");
    }
    tx.commit().await.expect("a commit");
    let mut tx = world.app.db.write().await.expect("a transaction");
    sqlx::query("ANALYZE").execute(&mut *tx).await.expect("statistics");
    tx.commit().await.expect("a commit");
}
