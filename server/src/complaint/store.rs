//! SQL for complaints and what became of them.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::db::{Conn, narrow};
use crate::user::Scope;

/// A complaint with the names a person needs beside it. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Row {
    pub id: String,
    pub number: i64,
    pub customer_id: String,
    pub customer: String,
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub zone: String,
    pub ticket_id: String,
    pub ticket_number: i64,
    pub ticket_title: String,
    /// 1 = the ticket was opened for it.
    pub own_ticket: i64,
    pub visit_id: Option<String>,
    pub visit_number: Option<i64>,
    pub subject: String,
    pub channel: String,
    pub who: String,
    pub reach: String,
    pub words: String,
    pub received_at: i64,
    pub raised_at: i64,
    pub raised_by: String,
    pub state: String,
    pub holder_id: Option<String>,
    pub holder: Option<String>,
    pub run: i64,
    pub due_at: i64,
    pub first_due_at: i64,
    pub contract_id: Option<String>,
    pub version: Option<i64>,
    pub promise: String,
    pub provisional: i64,
    pub told_at: Option<i64>,
    pub changed_at: i64,
    pub asked: String,
    /// When the customer had the first answer.
    pub answered_at: Option<i64>,
}

const SELECT: &str = "SELECT p.id, p.number, p.customer_id, k.name AS customer, p.site_id, s.name AS site_name, \
     s.name_zh AS site_name_zh, s.zone, p.ticket_id, t.number AS ticket_number, t.title AS ticket_title, p.own_ticket, p.visit_id, \
     v.number AS visit_number, p.subject, p.channel, p.who, p.reach, p.words, p.received_at, p.raised_at, p.raised_by, p.state, \
     p.holder_id, h.name AS holder, p.run, p.due_at, p.first_due_at, p.contract_id, p.version, p.promise, p.provisional, p.told_at, \
     p.changed_at, p.asked, (SELECT MIN(e.at) FROM complaint_event e WHERE e.complaint_id = p.id AND e.kind = 'answered') AS answered_at \
     FROM complaint p JOIN customer k ON k.id = p.customer_id JOIN site s ON s.id = p.site_id JOIN ticket t ON t.id = p.ticket_id \
     LEFT JOIN visit v ON v.id = p.visit_id LEFT JOIN account h ON h.id = p.holder_id \
     WHERE (CAST($1 AS TEXT) IS NULL OR p.customer_id = $1)";

const WAITING: &str = "('raised', 'investigating', 'reopened')";

/// Complaints of one answer.
pub const LIST_MAX: usize = 500;

/// What a list is narrowed by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Closed ones, too.
    pub all: bool,
    /// Only of this ticket.
    pub ticket: Option<&'a str>,
}

/// Those that the viewer may see: first those that wait for an answer, the one due first first; then what is to be summed
/// up; then the closed ones, the newest first. At most [`LIST_MAX`].
pub async fn list(conn: &mut Conn, scope: &Scope, filter: Filter<'_>) -> sqlx::Result<Vec<Row>> {
    let mut text = SELECT.to_owned();
    let narrowing = narrow(&mut text, 2, [("p.ticket_id", filter.ticket)]);
    if !filter.all {
        text.push_str(" AND p.state <> 'closed'");
    }
    let _ = write!(
        text,
        " ORDER BY CASE WHEN p.state IN {WAITING} THEN 0 WHEN p.state = 'answered' THEN 1 ELSE 2 END, \
         CASE WHEN p.state IN {WAITING} THEN p.due_at ELSE -p.changed_at END, p.number LIMIT {LIST_MAX}"
    );
    let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text)).bind(scope.customer());
    for id in narrowing {
        query = query.bind(id);
    }
    query.fetch_all(conn).await
}

/// One that the viewer may see.
pub async fn find(conn: &mut Conn, scope: &Scope, id: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} AND p.id = $2")))
        .bind(scope.customer())
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// Complaints of one month's answer.
pub const MONTH_MAX: usize = 5_000;

/// Those that came from one instant to another; one more than [`MONTH_MAX`] at most.
pub async fn list_received(
    conn: &mut Conn,
    scope: &Scope,
    (from, until): (Timestamp, Timestamp),
) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} AND p.received_at >= $2 AND p.received_at < $3 ORDER BY p.received_at, p.number LIMIT {}",
        MONTH_MAX + 1
    )))
    .bind(scope.customer())
    .bind(from.as_millisecond())
    .bind(until.as_millisecond())
    .fetch_all(conn)
    .await
}

/// Those that wait for an answer whose time is up, and nobody was told of it.
pub async fn list_late(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} AND p.state IN {WAITING} AND p.told_at IS NULL AND p.due_at <= $2 ORDER BY p.due_at, p.number LIMIT 100"
    )))
    .bind(Scope::All.customer())
    .bind(now.as_millisecond())
    .fetch_all(conn)
    .await
}

/// Writes down that this run is told to be late; false when it was, or is not any more.
pub async fn set_told(conn: &mut Conn, row: &Row, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(sqlx::AssertSqlSafe(format!(
        "UPDATE complaint SET told_at = $3 WHERE id = $1 AND run = $2 AND state IN {WAITING} AND told_at IS NULL"
    )))
    .bind(&row.id)
    .bind(row.run)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A complaint as it is taken down. Times are Unix ms.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct New<'a> {
    pub id: &'a str,
    pub customer_id: &'a str,
    pub site_id: &'a str,
    pub ticket_id: &'a str,
    pub own_ticket: bool,
    pub visit_id: Option<&'a str>,
    pub subject: &'a str,
    pub channel: &'a str,
    pub who: &'a str,
    pub reach: &'a str,
    pub words: &'a str,
    pub received_at: i64,
    pub raised_by: &'a str,
    pub due_at: i64,
    pub promised: Option<(&'a str, i64)>,
    pub promise: &'a str,
    pub provisional: bool,
    pub asked: &'a str,
}

/// The number of the next complaint.
pub async fn next_number(conn: &mut Conn) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "INSERT INTO counter (name, value) VALUES ('complaint', 1) \
         ON CONFLICT (name) DO UPDATE SET value = counter.value + 1 RETURNING value",
    )
    .fetch_one(conn)
    .await
}

/// Takes one down.
pub async fn insert(conn: &mut Conn, new: &New<'_>, number: i64, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO complaint (id, number, customer_id, site_id, ticket_id, own_ticket, visit_id, subject, channel, who, reach, \
         words, received_at, raised_at, raised_by, state, run, due_at, first_due_at, contract_id, version, promise, provisional, \
         changed_at, asked) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 'raised', 1, $16, $16, \
         $17, $18, $19, $20, $14, $21)",
    )
    .bind(new.id)
    .bind(number)
    .bind(new.customer_id)
    .bind(new.site_id)
    .bind(new.ticket_id)
    .bind(i64::from(new.own_ticket))
    .bind(new.visit_id)
    .bind(new.subject)
    .bind(new.channel)
    .bind(new.who)
    .bind(new.reach)
    .bind(new.words)
    .bind(new.received_at)
    .bind(now.as_millisecond())
    .bind(new.raised_by)
    .bind(new.due_at)
    .bind(new.promised.map(|one| one.0))
    .bind(new.promised.map(|one| one.1))
    .bind(new.promise)
    .bind(i64::from(new.provisional))
    .bind(new.asked)
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes down where a complaint stands now; with `due` it is to be answered once more, until then.
pub async fn update(
    conn: &mut Conn,
    row: &Row,
    due: Option<&super::Due>,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query("UPDATE complaint SET state = $2, holder_id = $3, changed_at = $4 WHERE id = $1")
        .bind(&row.id)
        .bind(&row.state)
        .bind(&row.holder_id)
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await?;
    if let Some(due) = due {
        sqlx::query(
            "UPDATE complaint SET run = run + 1, due_at = $2, promise = $3, provisional = $4, contract_id = $5, version = $6, \
             told_at = NULL WHERE id = $1",
        )
        .bind(&row.id)
        .bind(due.at.as_millisecond())
        .bind(&due.promise)
        .bind(i64::from(due.provisional))
        .bind(&row.contract_id)
        .bind(row.version)
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// What became of a complaint. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Event {
    pub complaint_id: String,
    pub seq: i64,
    pub id: String,
    pub kind: String,
    /// The nth time that it was to be answered.
    pub run: i64,
    pub at: i64,
    pub actor_id: Option<String>,
    pub actor: String,
    pub body: String,
    pub asked: String,
}

const EVENT: &str =
    "SELECT complaint_id, seq, id, kind, run, at, actor_id, actor, body, asked FROM complaint_event";

/// The record of a complaint, oldest first. The caller has checked that the viewer may see it.
pub async fn list_events(conn: &mut Conn, complaint: &str) -> sqlx::Result<Vec<Event>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{EVENT} WHERE complaint_id = $1 ORDER BY seq LIMIT 500")))
        .bind(complaint)
        .fetch_all(conn)
        .await
}

/// The step of that id, of whichever complaint.
pub async fn find_event(conn: &mut Conn, id: &str) -> sqlx::Result<Option<Event>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{EVENT} WHERE id = $1"))).bind(id).fetch_optional(conn).await
}

/// Appends to the record, whose `seq` is not looked at. The caller's transaction has its turn.
pub async fn append(conn: &mut Conn, event: &Event) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO complaint_event (complaint_id, seq, id, kind, run, at, actor_id, actor, body, asked) \
         SELECT $1, COALESCE(MAX(seq), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9 FROM complaint_event WHERE complaint_id = $1",
    )
    .bind(&event.complaint_id)
    .bind(&event.id)
    .bind(&event.kind)
    .bind(event.run)
    .bind(event.at)
    .bind(&event.actor_id)
    .bind(&event.actor)
    .bind(&event.body)
    .bind(&event.asked)
    .execute(conn)
    .await?;
    Ok(())
}
