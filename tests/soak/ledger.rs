//! The record against the truth: every change of every target exactly once and at its time, one ticket for
//! each trouble, no page lost and none about nothing, high-water marks that agree, nothing left in a queue.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::Result;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use super::scene::Scene;
use super::target::{Change, Mood};

/// A gateway may report its configuration so often; these numbers leave no row.
const REPORTS_MAX: usize = 12;
/// A ticket that stood longer was paged.
const UNPAGED_MS: i64 = 30_000;
/// How far a gateway's own time line may be from this machine's clock.
const EARLY_MS: i64 = 200;

/// What was found.
#[derive(Debug, Default)]
pub struct Ledger {
    /// What is wrong; empty is good.
    pub complaints: Vec<String>,
    changes: usize,
    tickets: usize,
    blocks: usize,
    pages: usize,
    repeats: usize,
    withheld: usize,
    acked: usize,
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changes, tickets, blocks, pages, repeats, withheld, acked, complaints } = self;
        write!(
            f,
            "{changes} changes, {tickets} tickets, {blocks} blocks, {pages} pages ({repeats} of them repeated, \
             {withheld} withheld, {acked} taken by link), {} complaints",
            complaints.len()
        )
    }
}

impl Ledger {
    /// Compares anew.
    pub(super) async fn compare(&mut self, scene: &Scene) -> Result<()> {
        *self = Self::default();
        self.facts(scene).await?;
        self.tickets(scene).await?;
        self.pages(scene).await?;
        for number in 0..scene.gateways.len() {
            self.numbers(scene, number).await?;
        }
        Ok(())
    }

    fn wrong(&mut self, words: String) {
        if self.complaints.len() < 40 {
            self.complaints.push(words);
        }
    }

    /// Device by device: the facts are the changes, in order, each within its time.
    async fn facts(&mut self, scene: &Scene) -> Result<()> {
        let mut conn = scene.db.read().await?;
        for watched in &scene.watched {
            let rows: Vec<(String, i64)> = sqlx::query_as(
                "SELECT transition, at FROM device_event WHERE device_id = $1 AND \
                 transition IN ('raised', 'cleared') ORDER BY seq",
            )
            .bind(&watched.device)
            .fetch_all(&mut *conn)
            .await?;
            let truth = watched.target.changes();
            self.changes += truth.len();
            let told: Vec<&str> = rows.iter().map(|(transition, _)| transition.as_str()).collect();
            let expected: Vec<&str> = truth.iter().map(|change| word(*change)).collect();
            if told != expected {
                self.wrong(format!(
                    "{}: {} facts for {} changes: {told:?}",
                    watched.target.name,
                    told.len(),
                    truth.len()
                ));
                continue;
            }
            for (index, (transition, at)) in rows.iter().enumerate() {
                let until = truth.get(index + 1).map_or(i64::MAX, |next| next.at);
                if *at < truth[index].at - EARLY_MS || *at > until.saturating_add(EARLY_MS) {
                    self.wrong(format!(
                        "{}: {transition} at {at}, but it happened between {} and {until}",
                        watched.target.name, truth[index].at
                    ));
                }
            }
        }
        Ok(())
    }

    /// One incident and one ticket for each trouble, opened once, closed once.
    async fn tickets(&mut self, scene: &Scene) -> Result<()> {
        let mut conn = scene.db.read().await?;
        let tickets: Vec<(String, Option<String>, String)> =
            sqlx::query_as("SELECT id, device_id, state FROM ticket ORDER BY number")
                .fetch_all(&mut *conn)
                .await?;
        let incidents: Vec<(Option<String>, Option<i64>)> =
            sqlx::query_as("SELECT device_id, closed_at FROM incident").fetch_all(&mut *conn).await?;
        self.tickets = tickets.len();
        let faults: i64 = sqlx::query_scalar("SELECT CAST(COUNT(*) AS BIGINT) FROM device_fault")
            .fetch_one(&mut *conn)
            .await?;
        if faults != 0 {
            self.wrong(format!("{faults} faults stand although everything is well"));
        }
        for watched in &scene.watched {
            let device = Some(watched.device.as_str());
            let troubles = watched.target.changes().iter().filter(|change| change.to != Mood::Well).count();
            let own = tickets.iter().filter(|(_, id, _)| id.as_deref() == device);
            let (all, open) = own
                .fold((0, 0), |(all, open), (_, _, state)| (all + 1, open + usize::from(state != "closed")));
            let seen = incidents.iter().filter(|(id, _)| id.as_deref() == device).count();
            let standing =
                incidents.iter().filter(|(id, closed)| id.as_deref() == device && closed.is_none()).count();
            if (all, open, seen, standing) != (troubles, 0, troubles, 0) {
                self.wrong(format!(
                    "{}: {troubles} troubles, {all} tickets of which {open} open, {seen} incidents of which {standing} open",
                    watched.target.name
                ));
            }
        }
        if let Some((id, _, _)) = tickets.iter().find(|(_, device, _)| device.is_none()) {
            self.wrong(format!("ticket {id} is about no device"));
        }
        let odd: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT ticket_id, kind, CAST(COUNT(*) AS BIGINT) FROM ticket_event WHERE kind IN \
             ('opened', 'closed', 'fault_cleared', 'acked', 'reopened', 'fault_raised') GROUP BY ticket_id, kind \
             HAVING COUNT(*) <> 1 OR kind IN ('reopened', 'fault_raised')",
        )
        .fetch_all(&mut *conn)
        .await?;
        for (ticket, kind, count) in odd {
            self.wrong(format!("ticket {ticket} has {count} times {kind}"));
        }
        let taken: Vec<String> =
            sqlx::query_scalar("SELECT ticket_id FROM ticket_event WHERE kind = 'acked'")
                .fetch_all(&mut *conn)
                .await?;
        for ticket in scene.desk.acked() {
            self.acked += 1;
            let closed_first =
                "SELECT acked_at FROM ticket WHERE id = $1 AND acked_at IS NULL AND state = 'closed'";
            let untaken: Option<Option<i64>> =
                sqlx::query_scalar(closed_first).bind(&ticket).fetch_optional(&mut *conn).await?;
            // Whoever presses after the end is told that it is over, and that is no ack.
            if !taken.contains(&ticket) && untaken.is_none() {
                self.wrong(format!("ticket {ticket} was taken, the server said so and forgot it"));
            }
        }
        Ok(())
    }

    /// Pages: each ended, each sent one was received, none came that is not on record, repeats say so.
    async fn pages(&mut self, scene: &Scene) -> Result<()> {
        let mut conn = scene.db.read().await?;
        let rows: Vec<(String, String, String, String)> =
            sqlx::query_as("SELECT idem_key, ticket_id, purpose, state FROM page")
                .fetch_all(&mut *conn)
                .await?;
        let receipts = scene.desk.receipts();
        self.pages = rows.len();
        let keys: BTreeSet<&str> = rows.iter().map(|(key, ..)| key.as_str()).collect();
        let mut times: BTreeMap<&str, usize> = BTreeMap::new();
        for receipt in receipts.iter().filter(|receipt| receipt.is_taken) {
            let before = times.entry(&receipt.key).or_default();
            *before += 1;
            if *before > 1 {
                self.repeats += 1;
                if !receipt.is_repeat {
                    self.wrong(format!("page {} came again and did not say so", receipt.key));
                }
            }
            if !keys.contains(receipt.key.as_str()) {
                self.wrong(format!("page {} is not on record", receipt.key));
            }
        }
        let mut told: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (key, ticket, purpose, state) in &rows {
            match state.as_str() {
                "sent" => {
                    *told.entry((ticket, purpose)).or_default() += 1;
                    if !times.contains_key(key.as_str()) {
                        self.wrong(format!("page {key} is on record as sent and never came"));
                    }
                }
                "withheld" => self.withheld += 1,
                other => self.wrong(format!("page {key} is {other}")),
            }
        }
        for ((ticket, purpose), count) in &told {
            if *count != 1 {
                self.wrong(format!("ticket {ticket}: {count} pages sent that say {purpose}"));
            }
            if *purpose == "opened" && !told.contains_key(&(*ticket, "closed")) {
                self.wrong(format!("ticket {ticket}: nobody was told that it is over"));
            }
        }
        // Who is not told, is not told for a reason that stands on the record.
        let silent: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT ticket_id FROM page WHERE state = 'withheld' AND ticket_id NOT IN \
             (SELECT ticket_id FROM ticket_event WHERE kind = 'not_paged')",
        )
        .fetch_all(&mut *conn)
        .await?;
        for ticket in silent {
            self.wrong(format!("ticket {ticket}: a page was withheld, and the record does not say why"));
        }
        // Trouble that is told in a replay waits for its end, which a kill may put off.
        let late: Vec<(String, i64, i64)> = sqlx::query_as(
            "SELECT o.ticket_id, o.recorded_at, c.recorded_at FROM ticket_event o JOIN ticket_event c ON \
             c.ticket_id = o.ticket_id AND c.kind = 'closed' WHERE o.kind = 'opened' AND \
             c.recorded_at - o.recorded_at > $1 AND o.ticket_id NOT IN (SELECT ticket_id FROM page)",
        )
        .bind(UNPAGED_MS)
        .fetch_all(&mut *conn)
        .await?;
        for (ticket, from, to) in late {
            self.wrong(format!("ticket {ticket} stood for {} ms and was never paged", to - from));
        }
        Ok(())
    }

    /// One epoch, the same head on both sides, every number used once, nothing waiting.
    async fn numbers(&mut self, scene: &Scene, number: usize) -> Result<()> {
        let gateway = scene.gateways[number].id.as_str();
        let options = SqliteConnectOptions::new().filename(scene.queue(number)).read_only(false);
        let mut queue = SqliteConnection::connect_with(&options).await?;
        let waiting: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM record").fetch_one(&mut queue).await?;
        let head: Option<i64> = sqlx::query_scalar("SELECT number FROM kept WHERE name = 'head'")
            .fetch_optional(&mut queue)
            .await?;
        queue.close().await?;
        let mut conn = scene.db.read().await?;
        let marks: Vec<(String, i64)> =
            sqlx::query_as("SELECT epoch, upto FROM gateway_epoch WHERE gateway_id = $1")
                .bind(gateway)
                .fetch_all(&mut *conn)
                .await?;
        let [(epoch, upto)] = marks.as_slice() else {
            self.wrong(format!("gateway {number}: {} epochs", marks.len()));
            return Ok(());
        };
        if waiting != 0 || head.unwrap_or_default() != *upto {
            self.wrong(format!(
                "gateway {number}: {waiting} records wait, its head is {}, the server has {upto}",
                head.unwrap_or_default()
            ));
        }
        let seqs = |table: &str| {
            sqlx::AssertSqlSafe(format!("SELECT seq FROM {table} WHERE gateway_id = $1 AND epoch = $2"))
        };
        let mut used: Vec<i64> = Vec::new();
        for table in ["device_event", "metric_block"] {
            let rows: Vec<i64> =
                sqlx::query_scalar(seqs(table)).bind(gateway).bind(epoch).fetch_all(&mut *conn).await?;
            if table == "metric_block" {
                self.blocks += rows.len();
            }
            used.extend(rows);
        }
        let all = used.len();
        let used: BTreeSet<i64> = used.into_iter().collect();
        let holes = usize::try_from(*upto).unwrap_or_default().saturating_sub(used.len());
        if used.len() != all || used.last().is_some_and(|last| last > upto) || holes > REPORTS_MAX {
            self.wrong(format!(
                "gateway {number}: {all} rows with {} numbers up to {:?} of {upto}, {holes} without a row",
                used.len(),
                used.last()
            ));
        }
        let gaps: i64 =
            sqlx::query_scalar("SELECT CAST(COUNT(*) AS BIGINT) FROM record_gap WHERE gateway_id = $1")
                .bind(gateway)
                .fetch_one(&mut *conn)
                .await?;
        if gaps != 0 {
            self.wrong(format!("gateway {number}: {gaps} gaps, and nothing was lost"));
        }
        Ok(())
    }
}

fn word(change: Change) -> &'static str {
    match change.to {
        Mood::Well => "cleared",
        Mood::Refuses | Mood::Silent => "raised",
    }
}
