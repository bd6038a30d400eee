//! How is a switch? SNMP: the standard tables of ports, power over Ethernet, entities and hosts, and the maker's own.
//!
//! Each table is one bounded walk, and which of them are walked depends on the maker that sysObjectID names; what that maker does
//! not tell is looked for in the standard's tables. A table that is not there, or that the user may not read, is unknown.

mod maker;
mod said;

use std::time::Duration;

use async_snmp::{Oid, WalkOptions};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::memory::Whose;
use super::snmp::{self, Met, Session};
use super::{Context, OutcomeState, Reading};
use crate::config;
use crate::model::switch::{Counted, Known, Seen, judge};
use maker::Maker;
use said::Said;

/// Rows of one column: the ports of a stack, or the entities of a large chassis.
const ROWS_MAX: usize = 512;
const ROWS_PER_REQUEST: u32 = 25;
/// The walks end before the check's timeout does, so that what came in is kept.
const WALK_SHARE: f64 = 0.9;

/// Reads all tables, one question at a time.
///
/// Values: `cpu_percent`, `memory_percent`, `temperature_c`, `uptime_s`, `ports`, `ports_up`, `poe_w`, `poe_percent`,
/// `answer_ms`. Faults: those of [`crate::model::switch`], `health_unclear`, and those of [`super::snmp`].
pub(crate) async fn read(
    (device, check, address): (&str, &str, &str),
    asked: &config::Switch,
    limit: Duration,
    context: &Context,
) -> Reading {
    let whose = Whose { device: device.to_owned(), check: check.to_owned(), baseline: asked.baseline };
    let briefly = Whose { check: format!("{check} counters"), ..whose.clone() };
    let started = Instant::now();
    let first =
        config::Snmp { get: said::SCALARS.iter().map(ToString::to_string).collect(), ..asked.snmp.clone() };
    let Met { session, rows, .. } = match snmp::ask(address, &first, limit, context.snmp()).await {
        Ok(met) => met,
        Err(reading) => return *reading,
    };
    let answer_ms = started.elapsed().as_secs_f64() * 1_000.0;
    let mut said = Said::default();
    said.add(rows);
    let mut walks = Walks { session, said, deadline: started + limit.mul_f64(WALK_SHARE) };
    let seen = walks.all().await;
    let now = context.clock().now();
    let mut known: Known = context.memory().recall(&whose);
    let mut counted: Counted = context.memory().recall(&briefly);
    let reading = judge(&seen, asked, (&mut known, &mut counted), now).value("answer_ms", answer_ms);
    if !seen.is_anything() {
        let why = "it has none of the tables of a switch, or this user may not read them";
        return reading.fault(OutcomeState::Bad, "health_unclear", why, [("why", Value::from(why))]);
    }
    context.memory().keep(&whose, &known);
    context.memory().keep_briefly(&briefly, &counted);
    if seen.is_cut { reading.note("tables_truncated", "not every row was read") } else { reading }
}

/// One run over a switch.
struct Walks {
    session: Session,
    said: Said,
    deadline: Instant,
}

impl Walks {
    async fn all(&mut self) -> Seen {
        let maker = Maker::of(&self.said);
        self.walk(said::PORTS).await;
        // Counters of 64 bits where there are some.
        for (wide, narrow) in said::PACKETS {
            self.walk(&[wide]).await;
            if !self.said.has(wide) {
                self.walk(&[narrow]).await;
            }
        }
        self.walk(said::POE).await;
        if maker.names_entities() {
            self.walk(&[said::ENTITY_NAME]).await;
        }
        self.walk(maker.tables()).await;
        let mut seen = maker.seen(&self.said);
        if seen.cpu_percent.is_none() || seen.memory_percent.is_none() {
            self.walk(said::HOST).await;
        }
        if seen.heats.is_empty() || seen.fans.is_empty() || seen.supplies.is_empty() {
            self.walk(said::ENTITIES).await;
        }
        self.said.standard(&mut seen);
        seen
    }

    /// Walks columns; one that breaks off is remembered as cut.
    async fn walk(&mut self, columns: &[&'static str]) {
        for column in columns {
            let Ok(root) = column.parse::<Oid>() else { continue };
            if self.said.has(column) {
                continue;
            }
            let options = WalkOptions {
                max_repetitions: ROWS_PER_REQUEST,
                result_limit: Some(ROWS_MAX),
                ..WalkOptions::default()
            };
            let Ok(mut found) = self.session.walk_with(root, options) else { continue };
            let mut rows = Vec::new();
            loop {
                match timeout_at(self.deadline, found.next()).await {
                    Ok(Some(Ok(row))) => rows.push(row),
                    Ok(None) => break,
                    Ok(Some(Err(_))) | Err(_) => {
                        self.said.is_cut = true;
                        break;
                    }
                }
            }
            self.said.is_cut |= rows.len() >= ROWS_MAX;
            self.said.add(rows);
        }
    }
}
