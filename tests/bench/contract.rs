//! What contracts cost: working time over ten years of a calendar with holidays, and the clocks of a million tickets
//! told from their events.
//!
//! Run with `cargo bench -p sitewarden-tests --bench contract`; a number behind `--` is the number of tickets.

use std::hint::black_box;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use sitewarden_server::contract::{document, template};
use sitewarden_server::sla::event::{Event, What};
use sitewarden_server::sla::{Version, project};

/// Monday 2 March 2026, 08:00 in Shanghai.
const BEGIN_S: i64 = 1_772_409_600;
/// Additions, a few working hours each, spread over ten years.
const ADDITIONS: i64 = 2_000_000;
const TEN_YEARS_S: i64 = 10 * 365 * 86_400;

fn main() {
    let tickets = std::env::args().filter_map(|arg| arg.parse().ok()).next_back().unwrap_or(1_000_000);
    let Some(text) = template::find("regional") else { return };
    let Some(contract) = document::read(text.text).contract else { return };
    let Ok(calendars) = contract.calendars(None) else { return };
    let Some(work) = calendars.find("work") else { return };

    let since = Instant::now();
    for number in 0..ADDITIONS {
        let from = at(BEGIN_S - TEN_YEARS_S + number * (TEN_YEARS_S / ADDITIONS));
        black_box(work.add(from, SignedDuration::from_hours(1 + number % 40)));
    }
    let each = since.elapsed().as_secs_f64() / ADDITIONS as f64;
    println!("add on a calendar with holidays over ten years: {:.0} ns (limit 1000)", each * 1e9);

    let version = Version { id: "v1", from: Timestamp::MIN, contract: &contract, calendars: &calendars };
    let since = Instant::now();
    let mut breached = 0_u64;
    for number in 0..tickets {
        let events = life(BEGIN_S + number % 31_536_000, number);
        let now = at(BEGIN_S + number % 31_536_000 + 86_400);
        let runs = project(&[version], "arrive", &events, now).unwrap_or_default();
        breached += u64::from(runs.iter().any(sitewarden_server::sla::Clock::is_breached));
    }
    let seconds = since.elapsed().as_secs_f64();
    let each = seconds / tickets.max(1) as f64;
    println!(
        "{tickets} tickets of six events each: {seconds:.1} s, {:.1} µs a ticket, {breached} late",
        each * 1e6
    );
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(Timestamp::MIN)
}

/// A zone, a report, a pause with its end, a note and an arrival.
fn life(begin_s: i64, number: i64) -> Vec<Event> {
    let zone = if number % 3 == 0 { "province" } else { "city" };
    let steps = [
        (0, What::Zone(zone.into())),
        (0, What::Step("reported".into())),
        (1_800, What::Pause { reason: "access".into(), approver: "customer".into() }),
        (3_600, What::Resume),
        (5_400, What::Step("onsite_assigned".into())),
        (7_200 + number % 40_000, What::Step("arrived".into())),
    ];
    let told = steps.into_iter().enumerate().map(|(index, (after, what))| Event {
        id: index.to_string(),
        what,
        occurred_at: at(begin_s + after),
        recorded_at: at(begin_s + after),
        device_at: None,
        skew_s: 0,
        actor: String::new(),
        evidence: Vec::new(),
        supersedes: None,
    });
    told.collect()
}
