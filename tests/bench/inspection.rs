//! What it costs to plan the inspections of many sites for years: each has its own anchor and its own plan of the
//! richest contract there is, with phases, a stay, a half year, a year and a quarter that the monthly visit carries.
//!
//! Run with `cargo bench -p sitewarden-tests --bench inspection`; a number behind `--` is the number of sites.

use std::time::Instant;

use jiff::ToSpan;
use jiff::civil::Date;
use sitewarden_server::contract::{document, template};
use sitewarden_server::inspection::{Anchors, Plan, Window};

const YEARS: i32 = 5;
const LIMIT_S: f64 = 2.0;

fn main() {
    let sites: i32 = std::env::args().filter_map(|arg| arg.parse().ok()).next_back().unwrap_or(2_000);
    let Some(template) = template::find("intelligent-building") else { return };
    // Five years are owed, not three.
    let Some(contract) = document::read(&template.text.replace("\"36mo\"", "\"60mo\"")).contract else {
        return;
    };
    let first = Date::constant(2026, 1, 1);

    let since = Instant::now();
    let (mut occurrences, mut visits, mut gaps) = (0, 0, 0);
    for site in 0..sites {
        let anchor = first.saturating_add((site % 1_461).days());
        let events = contract.inspections.iter().filter_map(|rule| rule.from.clone());
        let anchors = Anchors { events: events.map(|event| (event, anchor)).collect(), begins: Some(anchor) };
        let from = anchor.saturating_add(200.days());
        let closed = [Window { from, until: from.saturating_add(9.days()) }];
        let Ok(plan) = Plan::new(&contract, &anchors, None, &closed) else { continue };
        let horizon = anchor.saturating_add(YEARS.years());
        let found = plan.up_to(horizon);
        visits += found.iter().filter(|one| one.merged_into.is_none()).count();
        occurrences += found.len();
        gaps += plan.gaps(horizon).len();
    }
    let seconds = since.elapsed().as_secs_f64();
    println!(
        "{sites} sites for {YEARS} years: {occurrences} inspections in {visits} visits, {gaps} gaps: {seconds:.2} s, \
         {:.2} µs an inspection (limit {LIMIT_S} s for 2,000 sites)",
        seconds * 1e6 / f64::from(occurrences.max(1) as u32)
    );
    assert!(sites > 2_000 || seconds < LIMIT_S, "planning takes too long");
}
