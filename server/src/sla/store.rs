//! The clocks of real tickets: what a ticket's log, its contract and the calendar make of them, and the rows that
//! others read. The rows can be thrown away and made again; what was told of a clock cannot, and lies apart.
//!
//! A row says how a clock stood when it last changed, not now: nothing in it moves with time, so whoever makes it
//! again at any later moment gets the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::event::{Event, What, effective};
use super::record::{self, Heading, Line};
use super::{Clock, State, Undecided, Version, project};
use crate::clock::from_ms;
use crate::contract::store::{Covering, Governing, Shelf, Subject, govern, list_covering};
use crate::contract::{Calendars, Contract};
use crate::db::Conn;
use crate::ticket;

pub mod board;
pub mod many;
pub mod notice;
pub mod travel;

/// Contracts and their calendars, read once.
#[derive(Debug, Default)]
pub struct Library {
    shelf: Shelf,
    calendars: BTreeMap<(String, i64, String), Arc<Calendars>>,
}

impl Library {
    const MOST: usize = 500;

    fn calendars(
        &mut self,
        contract: &Contract,
        id: &str,
        number: i64,
        zone: &str,
    ) -> Option<Arc<Calendars>> {
        let key = (id.to_owned(), number, zone.to_owned());
        if let Some(known) = self.calendars.get(&key) {
            return Some(Arc::clone(known));
        }
        if self.calendars.len() >= Self::MOST {
            self.calendars.clear();
        }
        let zone = TimeZone::get(zone).ok();
        let made = Arc::new(contract.calendars(zone.as_ref()).ok()?);
        self.calendars.insert(key, Arc::clone(&made));
        Some(made)
    }
}

/// A ticket as far as its clocks ask. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Heads {
    pub id: String,
    pub number: i64,
    pub site_id: String,
    pub zone: String,
    pub origin: String,
    pub state: String,
    pub class: String,
    pub device: String,
    pub serial: String,
}

/// A ticket under a contract, with everything its clocks are counted from.
#[derive(Clone, Debug)]
pub struct Case {
    /// The ticket.
    pub heads: Heads,
    /// What governs it.
    pub governing: Governing,
    /// Its events.
    pub events: Vec<Event>,
    /// The names and the calendars of the versions, in their order.
    ids: Vec<String>,
    calendars: Vec<Arc<Calendars>>,
}

/// The clocks of a ticket, each with all its runs, and what cannot be told.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The runs.
    pub clocks: Vec<Clock>,
    /// The clocks that cannot be told, with the reason.
    pub undecided: Vec<(String, Undecided)>,
}

impl Case {
    /// The version that governs.
    pub fn contract(&self) -> &Contract {
        &self.governing.versions[self.governing.index].1
    }

    /// Its number.
    pub fn version(&self) -> i64 {
        self.governing.versions[self.governing.index].0.number
    }

    /// The versions its clocks may be under. The one in force at the report holds until an event names another,
    /// whatever comes into force meanwhile.
    fn versions(&self) -> Vec<Version<'_>> {
        let mut versions = Vec::with_capacity(1);
        for (index, (_, contract)) in self.governing.versions.iter().enumerate() {
            let governs = index == self.governing.index;
            let id = self.ids[index].as_str();
            let is_named = |event: &Event| matches!(&event.what, What::Contract(named) if named == id);
            if governs || self.events.iter().any(is_named) {
                let from = if governs { Timestamp::MIN } else { Timestamp::MAX };
                versions.push(Version { id, from, contract, calendars: &self.calendars[index] });
            }
        }
        versions.sort_by_key(|version| version.from);
        versions
    }

    /// Every clock of the contract as known at `now`.
    pub fn clocks(&self, now: Timestamp) -> Told {
        let versions = self.versions();
        let mut told = Told::default();
        for rule in &self.contract().clocks {
            match project(&versions, &rule.name, &self.events, now) {
                Ok(runs) => told.clocks.extend(runs),
                Err(why) => told.undecided.push((rule.name.clone(), why)),
            }
        }
        told
    }

    /// Whether somebody is at work on it who may not leave it before it is restored, by the contract: at the end of a
    /// shift it goes to a named successor.
    pub fn must_go_on(&self, now: Timestamp) -> bool {
        const BEGINS: [&str; 3] = ["arrived", "arrived_with_part", "visit_started"];
        const ENDS: [&str; 3] = ["restored", "resolved", "closed"];
        if !self.contract().continuous {
            return false;
        }
        let mut at_work = false;
        for event in effective(&self.events, now) {
            if let What::Step(step) = &event.what {
                at_work = (at_work || BEGINS.contains(&step.as_str())) && !ENDS.contains(&step.as_str());
            }
        }
        at_work
    }

    /// Whether work waits, as the last line about that says.
    pub fn is_paused(&self) -> bool {
        let last = self.events.iter().rfind(|event| matches!(event.what, What::Pause { .. } | What::Resume));
        last.is_some_and(|event| matches!(event.what, What::Pause { .. }))
    }

    /// One run of a clock as known at `now`.
    fn run(&self, name: &str, run: u32, now: Timestamp) -> Option<Clock> {
        let runs = project(&self.versions(), name, &self.events, now).ok()?;
        runs.into_iter().find(|one| one.run == run)
    }
}

const HEADS: &str = "SELECT t.id, t.number, t.site_id, s.zone, t.origin, t.state, COALESCE(d.class, '') AS class, \
     COALESCE(d.name, '') AS device, COALESCE(d.serial, '') AS serial \
     FROM ticket t JOIN site s ON s.id = t.site_id LEFT JOIN device d ON d.id = t.device_id";

/// One ticket's heads; `None` when there is no such ticket.
pub async fn find_heads(conn: &mut Conn, ticket: &str) -> sqlx::Result<Option<Heads>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{HEADS} WHERE t.id = $1")))
        .bind(ticket)
        .fetch_optional(conn)
        .await
}

/// A ticket with its contract; `None` where none governs it. Trouble of our own gateways is nobody's claim.
pub async fn find_case(conn: &mut Conn, library: &mut Library, ticket: &str) -> sqlx::Result<Option<Case>> {
    let Some(heads) = find_heads(conn, ticket).await?.filter(Heads::may_be_promised) else { return Ok(None) };
    let lines = ticket::store::fact::list(conn, ticket).await?;
    let covering = list_covering(conn, &heads.site_id).await?;
    case(conn, library, heads, lines, &covering).await
}

impl Heads {
    fn may_be_promised(&self) -> bool {
        self.origin != "machine" || !self.device.is_empty()
    }
}

/// What governs a ticket, and its events.
async fn case(
    conn: &mut Conn,
    library: &mut Library,
    heads: Heads,
    lines: Vec<ticket::store::fact::Row>,
    covering: &[Covering],
) -> sqlx::Result<Option<Case>> {
    let lines: Vec<Line> = lines.into_iter().map(line).collect();
    let Some(reported_at) =
        lines.iter().filter(|line| line.kind == "opened").map(|line| line.recorded_at).min()
    else {
        return Ok(None);
    };
    let numbers = [&heads.device, &heads.serial].into_iter().filter(|one| !one.is_empty()).cloned().collect();
    let subject = Subject { class: heads.class.clone(), numbers };
    let found = govern(covering, &mut library.shelf, &subject, reported_at);
    let Some(governing) = found else { return Ok(None) };
    let mut calendars = Vec::with_capacity(governing.versions.len());
    for (row, contract) in &governing.versions {
        let made = library.calendars(contract, &row.contract_id, row.number, &heads.zone);
        let Some(made) = made else { return Ok(None) };
        calendars.push(made);
    }
    let mut reported = Vec::new();
    for line in lines.iter().filter(|line| line.kind == "merged") {
        let from = line.body["from"].as_i64().unwrap_or_default();
        if from != heads.number
            && let Some(at) = ticket::store::fact::reported_at(conn, from).await?
        {
            reported.push((from, from_ms(at)));
        }
    }
    let events = {
        let contract = &governing.versions[governing.index].1;
        let heading = Heading { number: heads.number, zone: &governing.zone, contract, reported: &reported };
        record::events(&lines, heading)
    };
    let ids = governing.versions.iter().map(|one| one.0.number.to_string()).collect();
    Ok(Some(Case { heads, governing, events, ids, calendars }))
}

fn line(row: ticket::store::fact::Row) -> Line {
    Line {
        seq: row.seq,
        kind: row.kind,
        occurred_at: from_ms(row.occurred_at),
        recorded_at: from_ms(row.recorded_at),
        device_at: row.device_at.map(from_ms),
        skew_ms: row.skew_ms.unwrap_or_default(),
        actor: row.actor,
        source: row.source,
        body: serde_json::from_str(&row.body).unwrap_or_default(),
        supersedes: row.supersedes,
    }
}

/// A clock as a row. Times are Unix ms.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Row {
    pub ticket_id: String,
    pub name: String,
    pub run: i64,
    pub site_id: String,
    pub contract_id: String,
    pub version: i64,
    pub title: String,
    pub state: String,
    pub reason: String,
    pub approver: String,
    pub supplier: i64,
    pub repeat: i64,
    pub counts: i64,
    pub started_at: Option<i64>,
    pub stopped_at: Option<i64>,
    pub due_at: Option<i64>,
    pub breached_at: Option<i64>,
    pub provisional: i64,
    pub budget_s: i64,
    pub used_s: i64,
    pub paused_s: i64,
    pub share: i64,
    pub next_at: Option<i64>,
    pub counted_at: i64,
}

const COLUMNS: &str = "ticket_id, name, run, site_id, contract_id, version, title, state, reason, approver, supplier, repeat, \
     counts, started_at, stopped_at, due_at, breached_at, provisional, budget_s, used_s, paused_s, share, next_at, counted_at";

/// The rows of one ticket.
pub async fn list(conn: &mut Conn, ticket: &str) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM clock WHERE ticket_id = $1 ORDER BY name, run"
    )))
    .bind(ticket)
    .fetch_all(conn)
    .await
}

/// The rows that a case comes to at `now`: each clock as it stood when it last changed, by an event or by time.
pub fn rows(case: &Case, now: Timestamp) -> Vec<Row> {
    let heard = case.events.iter().map(|event| event.recorded_at).filter(|at| *at <= now).max();
    let mut rows = Vec::new();
    for clock in case.clocks(now).clocks {
        let counted_at = clock.turned_at.max(heard).unwrap_or(now).min(now);
        let then = if counted_at == now { Some(clock) } else { case.run(&clock.name, clock.run, counted_at) };
        rows.extend(then.and_then(|clock| row(case, &clock, counted_at)));
    }
    rows.sort_by(|a, b| (&a.name, a.run).cmp(&(&b.name, b.run)));
    rows
}

/// What a clock of a ticket has reached: the shares of its budget that were used, the whole only where its time was
/// up before it was stopped.
pub fn reached(clock: &Clock) -> impl Iterator<Item = (u8, Timestamp)> {
    let breached_at = clock.breached_at;
    let before = clock.crossed.iter().copied().filter(|crossed| crossed.0 < 100);
    before.chain(breached_at.map(|at| (100, at)))
}

fn row(case: &Case, clock: &Clock, counted_at: Timestamp) -> Option<Row> {
    let started_at = clock.started_at?;
    let rule = case.contract().find_clock(&clock.name)?;
    let (reason, approver) = match &clock.state {
        State::Paused { reason } => (reason.clone(), String::new()),
        State::Void { reason, approver } => (reason.clone(), approver.clone()),
        State::NotStarted | State::Running | State::Met | State::BreachedRunning | State::BreachedMet => {
            (String::new(), String::new())
        }
    };
    let ms = |at: Option<Timestamp>| at.map(Timestamp::as_millisecond);
    let version = clock.segments.last().and_then(|segment| segment.version.parse().ok());
    Some(Row {
        ticket_id: case.heads.id.clone(),
        name: clock.name.clone(),
        run: i64::from(clock.run),
        site_id: case.heads.site_id.clone(),
        contract_id: case.governing.contract_id.clone(),
        version: version.unwrap_or_else(|| case.version()),
        title: rule.title.clone(),
        state: clock.state.as_str().to_owned(),
        reason,
        approver,
        supplier: i64::from(rule.supplier),
        repeat: i64::from(clock.repeat),
        counts: i64::from(clock.counts),
        started_at: Some(started_at.as_millisecond()),
        stopped_at: ms(clock.stopped_at),
        due_at: ms(clock.due_at),
        breached_at: ms(clock.breached_at),
        provisional: i64::from(clock.provisional),
        budget_s: clock.budget_s,
        used_s: clock.used_s,
        paused_s: clock.paused_s,
        share: reached(clock).map(|one| i64::from(one.0)).max().unwrap_or(0),
        next_at: ms(clock.next_at),
        counted_at: counted_at.as_millisecond(),
    })
}

/// Puts a ticket's rows in the place of those that stand; whether anything changed.
pub async fn replace(conn: &mut Conn, ticket: &str, rows: &[Row]) -> sqlx::Result<bool> {
    let before = list(conn, ticket).await?;
    if before == rows {
        return Ok(false);
    }
    if !before.is_empty() {
        sqlx::query("DELETE FROM clock WHERE ticket_id = $1").bind(ticket).execute(&mut *conn).await?;
    }
    many::insert(conn, rows).await?;
    Ok(true)
}

/// A statement that is written for one kind of database or the other.
type Statement<'q> = sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>;

impl Row {
    /// Binds the columns in their order.
    fn bind_to<'q>(&'q self, query: Statement<'q>) -> Statement<'q> {
        query
            .bind(&self.ticket_id)
            .bind(&self.name)
            .bind(self.run)
            .bind(&self.site_id)
            .bind(&self.contract_id)
            .bind(self.version)
            .bind(&self.title)
            .bind(&self.state)
            .bind(&self.reason)
            .bind(&self.approver)
            .bind(self.supplier)
            .bind(self.repeat)
            .bind(self.counts)
            .bind(self.started_at)
            .bind(self.stopped_at)
            .bind(self.due_at)
            .bind(self.breached_at)
            .bind(self.provisional)
            .bind(self.budget_s)
            .bind(self.used_s)
            .bind(self.paused_s)
            .bind(self.share)
            .bind(self.next_at)
            .bind(self.counted_at)
    }
}

/// Throws every row away; how many there were.
pub async fn clear(conn: &mut Conn) -> sqlx::Result<u64> {
    Ok(sqlx::query("DELETE FROM clock").execute(conn).await?.rows_affected())
}

/// The tickets with a clock that changes by time alone up to `now`, longest due first.
pub async fn list_due(conn: &mut Conn, now: Timestamp, most: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT ticket_id FROM clock WHERE next_at IS NOT NULL AND next_at <= $1 ORDER BY next_at LIMIT $2",
    )
    .bind(now.as_millisecond())
    .bind(most)
    .fetch_all(conn)
    .await
}

/// Tickets by their ids, after one of them.
pub async fn list_after(conn: &mut Conn, after: &str, most: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT id FROM ticket WHERE id > $1 ORDER BY id LIMIT $2")
        .bind(after)
        .bind(most)
        .fetch_all(conn)
        .await
}

/// Takes a ticket's row, so that nobody else writes to it until the transaction ends.
pub async fn lock_only(conn: &mut Conn, ticket: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE ticket SET changed_at = changed_at WHERE id = $1").bind(ticket).execute(conn).await?;
    Ok(())
}

/// Takes a ticket's mark and its row, so that nobody else counts or writes to it until the transaction ends.
pub async fn lock(conn: &mut Conn, ticket: &str) -> sqlx::Result<()> {
    ticket::store::recount::unmark(conn, ticket).await
}
