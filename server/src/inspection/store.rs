//! SQL for inspections: the rows that stand, and what became of each.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::Date;

use super::Window;
use super::keep::{Planned, Standing};
use super::life::State;
use crate::db::{Conn, narrow};
use crate::user::Scope;

pub mod coverage;
pub mod hand;
pub mod plan;
pub mod sheet;
pub mod suit;
pub mod year;

/// An inspection with what a person needs beside it. Days are text, times Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Row {
    pub id: String,
    pub contract_id: String,
    pub contract: String,
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub zone: String,
    pub rule: String,
    pub series: String,
    pub n: i64,
    pub version: i64,
    pub way: String,
    pub kinds: String,
    pub checklist: String,
    pub window_from: String,
    pub window_until: String,
    pub planned: String,
    pub day: String,
    pub tell_by: Option<String>,
    pub provisional: i64,
    pub state: String,
    pub merged_id: Option<String>,
    pub ticket_id: Option<String>,
    pub ticket_number: Option<i64>,
    pub visit_id: Option<String>,
    pub visit_state: Option<String>,
    pub done_on: Option<String>,
    pub changed_at: i64,
    pub made_by: Option<String>,
    pub asked_by: String,
    pub asked_how: String,
    pub why: String,
}

impl Row {
    /// The days within which it is owed, or wanted.
    pub fn window(&self) -> Option<Window> {
        Some(Window { from: self.window_from.parse().ok()?, until: self.window_until.parse().ok()? })
    }
}

const SELECT: &str = "SELECT o.id, o.contract_id, c.name AS contract, o.site_id, s.name AS site_name, s.name_zh AS site_name_zh, \
     s.zone, o.rule, o.series, o.n, o.version, o.way, o.kinds, o.checklist, o.window_from, o.window_until, o.planned, o.day, \
     o.tell_by, o.provisional, o.state, o.merged_id, o.ticket_id, t.number AS ticket_number, o.visit_id, v.state AS visit_state, \
     o.done_on, o.changed_at, o.made_by, o.asked_by, o.asked_how, o.why FROM occurrence o JOIN contract c ON c.id = o.contract_id JOIN site s ON s.id = o.site_id \
     LEFT JOIN ticket t ON t.id = o.ticket_id LEFT JOIN visit v ON v.id = o.visit_id \
     WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1)";

/// What a list of inspections is narrowed by; `None` does not narrow.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Filter {
    pub site_id: Option<String>,
    pub contract_id: Option<String>,
    pub state: Option<String>,
    /// The first and the last day.
    pub days: Option<(Date, Date)>,
}

/// Inspections of one answer.
pub const LIST_MAX: usize = 3_000;

/// Inspections in scope by their days, those that were dropped only where they are asked for.
pub async fn list(conn: &mut Conn, scope: &Scope, filter: &Filter) -> sqlx::Result<Vec<Row>> {
    let mut text = SELECT.to_owned();
    let days = filter.days.map(|(from, to)| (from.to_string(), to.to_string()));
    let by = [
        ("o.site_id", filter.site_id.as_deref()),
        ("o.contract_id", filter.contract_id.as_deref()),
        ("o.state", filter.state.as_deref()),
    ];
    let mut values = narrow(&mut text, 2, by);
    if filter.state.is_none() {
        text.push_str(" AND o.state <> 'dropped'");
    }
    if let Some((from, to)) = &days {
        let place = values.len() + 2;
        // Writing to a text cannot fail.
        let _ = write!(text, " AND o.day >= ${place} AND o.day <= ${}", place + 1);
        values.extend([from.as_str(), to.as_str()]);
    }
    let _ = write!(text, " ORDER BY o.day, s.name, o.rule, o.n, o.id LIMIT {LIST_MAX}");
    let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text)).bind(scope.customer());
    for value in values {
        query = query.bind(value.to_owned());
    }
    query.fetch_all(conn).await
}

/// One inspection, when it is in scope.
pub async fn find(conn: &mut Conn, scope: &Scope, id: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} AND o.id = $2")))
        .bind(scope.customer())
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// The inspections whose work one's visit does.
pub async fn list_carried(conn: &mut Conn, id: &str) -> sqlx::Result<Vec<(String, String, i64)>> {
    sqlx::query_as("SELECT id, rule, n FROM occurrence WHERE merged_id = $1 AND state IN ('merged', 'done') ORDER BY rule, n")
        .bind(id)
        .fetch_all(conn)
        .await
}

fn day(text: &str) -> Date {
    text.parse().unwrap_or(Date::ZERO)
}

/// What stands under a contract at a site by its rules, without what was planned by hand. Whether a row says what its plan says is found in `planned`.
pub async fn list_standing(
    conn: &mut Conn,
    contract: &str,
    site: &str,
    planned: &[Planned],
) -> sqlx::Result<Vec<Standing>> {
    type Raw = (
        String,
        String,
        String,
        i64,
        String,
        String,
        String,
        String,
        String,
        Option<String>,
        Option<String>,
        String,
    );
    let rows: Vec<Raw> = sqlx::query_as(
        "SELECT id, rule, series, n, state, window_from, window_until, planned, day, merged_id, done_on, \
         CAST(version AS TEXT) || ' ' || way || ' ' || kinds || ' ' || checklist || ' ' || COALESCE(tell_by, '') || ' ' || \
         CAST(provisional AS TEXT) FROM occurrence WHERE contract_id = $1 AND site_id = $2 AND made_by IS NULL \
         ORDER BY rule, n, series",
    )
    .bind(contract)
    .bind(site)
    .fetch_all(conn)
    .await?;
    let standing = rows.into_iter().filter_map(
        |(id, rule, series, n, state, from, until, plan, on, merged_id, done, says)| {
            let n = u32::try_from(n).ok()?;
            let window = Window { from: day(&from), until: day(&until) };
            let found = planned
                .iter()
                .find(|one| one.one.key.n == n && one.one.key.rule == rule && one.one.series == series);
            let is_current = found.is_none_or(|one| one.one.window == window && words(one) == says);
            Some(Standing {
                id,
                rule,
                series,
                n,
                state: State::parse(&state)?,
                window,
                planned: day(&plan),
                day: day(&on),
                merged_id,
                done_on: done.as_deref().map(day),
                is_current,
            })
        },
    );
    Ok(standing.collect())
}

/// The columns that a plan alone fills, but for its days.
fn words(planned: &Planned) -> String {
    let one = &planned.one;
    let tell = one.tell_by.map(|by| by.to_string()).unwrap_or_default();
    format!(
        "{} {} {} {} {tell} {}",
        planned.version,
        one.way.as_str(),
        list_text(&one.kinds),
        list_text(&one.checklist),
        i64::from(one.provisional)
    )
}

fn list_text(list: &[String]) -> String {
    serde_json::to_string(list).unwrap_or_default()
}

/// Writes an inspection down; false where it has a row already.
pub async fn insert(
    conn: &mut Conn,
    id: &str,
    (contract, site): (&str, &str),
    planned: &Planned,
    on: Date,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let one = &planned.one;
    let done = sqlx::query(
        "INSERT INTO occurrence (id, contract_id, site_id, rule, series, n, version, way, kinds, checklist, window_from, \
         window_until, planned, day, tell_by, provisional, state, changed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 'due', $17) \
         ON CONFLICT (contract_id, site_id, rule, series, n) DO NOTHING",
    )
    .bind(id)
    .bind(contract)
    .bind(site)
    .bind(&one.key.rule)
    .bind(&one.series)
    .bind(i64::from(one.key.n))
    .bind(planned.version)
    .bind(one.way.as_str())
    .bind(list_text(&one.kinds))
    .bind(list_text(&one.checklist))
    .bind(one.window.from.to_string())
    .bind(one.window.until.to_string())
    .bind(one.day.to_string())
    .bind(on.to_string())
    .bind(one.tell_by.map(|by| by.to_string()))
    .bind(i64::from(one.provisional))
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Writes what the plan says of a row now, and the day that stands.
pub async fn rewrite(
    conn: &mut Conn,
    id: &str,
    planned: &Planned,
    on: Date,
    now: Timestamp,
) -> sqlx::Result<()> {
    let one = &planned.one;
    sqlx::query(
        "UPDATE occurrence SET version = $2, way = $3, kinds = $4, checklist = $5, window_from = $6, window_until = $7, \
         planned = $8, day = $9, tell_by = $10, provisional = $11, changed_at = $12 WHERE id = $1",
    )
    .bind(id)
    .bind(planned.version)
    .bind(one.way.as_str())
    .bind(list_text(&one.kinds))
    .bind(list_text(&one.checklist))
    .bind(one.window.from.to_string())
    .bind(one.window.until.to_string())
    .bind(one.day.to_string())
    .bind(on.to_string())
    .bind(one.tell_by.map(|by| by.to_string()))
    .bind(i64::from(one.provisional))
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Where an inspection stands.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Stand<'a> {
    pub state: State,
    pub day: Date,
    pub merged_id: Option<&'a str>,
    pub done_on: Option<Date>,
}

/// Writes where an inspection stands.
pub async fn set(conn: &mut Conn, id: &str, stand: &Stand<'_>, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE occurrence SET state = $2, day = $3, merged_id = $4, done_on = $5, changed_at = $6 WHERE id = $1",
    )
    .bind(id)
    .bind(stand.state.as_str())
    .bind(stand.day.to_string())
    .bind(stand.merged_id)
    .bind(stand.done_on.map(|on| on.to_string()))
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes which visit it has, and on which ticket.
pub async fn set_visit(
    conn: &mut Conn,
    id: &str,
    visit: Option<(&str, &str)>,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query("UPDATE occurrence SET ticket_id = $2, visit_id = $3, changed_at = $4 WHERE id = $1")
        .bind(id)
        .bind(visit.map(|visit| visit.0))
        .bind(visit.map(|visit| visit.1))
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// One thing that happened to an inspection.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Event {
    pub seq: i64,
    pub kind: String,
    pub at: i64,
    pub actor: String,
    pub body: String,
}

/// Appends to an inspection's record. `by` is account and name, both missing for the machine.
pub async fn append(
    conn: &mut Conn,
    id: &str,
    kind: &str,
    (account, actor): (Option<&str>, &str),
    body: &serde_json::Value,
    now: Timestamp,
) -> sqlx::Result<()> {
    // The row lock keeps two writers from taking the same number.
    sqlx::query("UPDATE occurrence SET changed_at = $2 WHERE id = $1")
        .bind(id)
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await?;
    sqlx::query(
        "INSERT INTO occurrence_event (occurrence_id, seq, kind, at, actor_id, actor, body) \
         SELECT $1, COALESCE(MAX(seq), 0) + 1, $2, $3, $4, $5, $6 FROM occurrence_event WHERE occurrence_id = $1",
    )
    .bind(id)
    .bind(kind)
    .bind(now.as_millisecond())
    .bind(account)
    .bind(actor)
    .bind(body.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// An inspection's record without the answers of its sheet, oldest first; at most 1,000.
pub async fn list_events(conn: &mut Conn, id: &str) -> sqlx::Result<Vec<Event>> {
    sqlx::query_as(
        "SELECT seq, kind, at, actor, body FROM occurrence_event WHERE occurrence_id = $1 AND kind <> 'checked' ORDER BY seq LIMIT 1000",
    )
    .bind(id)
    .fetch_all(conn)
    .await
}

/// Inspections whose visit is over and that do not say so: id, contract, site, zone, what became of the visit (`done` or
/// `cancelled`) and when.
pub async fn list_visited(
    conn: &mut Conn,
) -> sqlx::Result<Vec<(String, String, String, String, String, i64)>> {
    sqlx::query_as(
        "SELECT o.id, o.contract_id, o.site_id, s.zone, e.kind, MIN(e.occurred_at) FROM occurrence o \
         JOIN visit v ON v.id = o.visit_id JOIN visit_event e ON e.visit_id = v.id JOIN site s ON s.id = o.site_id \
         WHERE o.visit_id IS NOT NULL AND o.state IN ('agreed', 'moved', 'missed') \
         AND ((e.kind = 'done' AND v.state IN ('done', 'signed', 'unsigned', 'called_back', 'filed')) \
         OR (e.kind = 'cancelled' AND v.state = 'cancelled')) \
         GROUP BY o.id, o.contract_id, o.site_id, s.zone, e.kind ORDER BY o.id LIMIT 200",
    )
    .fetch_all(conn)
    .await
}
