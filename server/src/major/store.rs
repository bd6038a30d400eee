//! SQL for major requests and their record.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::db::{Conn, narrow, pieces, places};
use crate::user::Scope;

/// A request with the names a person needs beside it. Times are Unix ms.
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
    pub kind: String,
    pub cause: String,
    pub report: String,
    pub plan: String,
    pub raised_by_id: String,
    pub raised_by: String,
    pub raised_at: i64,
    pub state: String,
    pub outcome: String,
    pub changed_at: i64,
    pub asked: String,
}

const SELECT: &str = "SELECT m.id, m.number, m.customer_id, k.name AS customer, m.site_id, s.name AS site_name, \
     s.name_zh AS site_name_zh, s.zone, m.ticket_id, t.number AS ticket_number, t.title AS ticket_title, m.kind, m.cause, m.report, \
     m.plan, m.raised_by_id, m.raised_by, m.raised_at, m.state, m.outcome, m.changed_at, m.asked FROM major_request m \
     JOIN customer k ON k.id = m.customer_id JOIN site s ON s.id = m.site_id JOIN ticket t ON t.id = m.ticket_id \
     WHERE (CAST($1 AS TEXT) IS NULL OR m.customer_id = $1)";

/// Requests of one answer.
pub const LIST_MAX: usize = 500;

/// What a list is narrowed by.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Those that are over, too.
    pub all: bool,
    /// Only of this ticket.
    pub ticket: Option<&'a str>,
}

/// Those that the viewer may see: the ones that are not over first, the one that waits longest first; then the others, the
/// newest first. At most [`LIST_MAX`].
pub async fn list(conn: &mut Conn, scope: &Scope, filter: Filter<'_>) -> sqlx::Result<Vec<Row>> {
    let mut text = SELECT.to_owned();
    let narrowing = narrow(&mut text, 2, [("m.ticket_id", filter.ticket)]);
    if !filter.all {
        text.push_str(" AND m.state NOT IN ('done', 'refused')");
    }
    let _ = write!(
        text,
        " ORDER BY CASE WHEN m.state IN ('done', 'refused') THEN 1 ELSE 0 END, \
         CASE WHEN m.state IN ('done', 'refused') THEN -m.changed_at ELSE m.raised_at END, m.number LIMIT {LIST_MAX}"
    );
    let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text)).bind(scope.customer());
    for id in narrowing {
        query = query.bind(id);
    }
    query.fetch_all(conn).await
}

/// One that the viewer may see.
pub async fn find(conn: &mut Conn, scope: &Scope, id: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} AND m.id = $2")))
        .bind(scope.customer())
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// Requests of one month's answer.
pub const MONTH_MAX: usize = 5_000;

/// Those that were raised from one instant to another; one more than [`MONTH_MAX`] at most.
pub async fn list_raised(
    conn: &mut Conn,
    scope: &Scope,
    (from, until): (Timestamp, Timestamp),
) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} AND m.raised_at >= $2 AND m.raised_at < $3 ORDER BY m.raised_at, m.number LIMIT {}",
        MONTH_MAX + 1
    )))
    .bind(scope.customer())
    .bind(from.as_millisecond())
    .bind(until.as_millisecond())
    .fetch_all(conn)
    .await
}

/// A request as it is raised.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct New<'a> {
    pub id: &'a str,
    pub customer_id: &'a str,
    pub site_id: &'a str,
    pub ticket_id: &'a str,
    pub kind: &'a str,
    pub cause: &'a str,
    pub report: &'a str,
    pub plan: &'a str,
    pub raised_by_id: &'a str,
    pub raised_by: &'a str,
    pub asked: &'a str,
}

/// Writes a request down; its number.
pub async fn insert(conn: &mut Conn, new: &New<'_>, now: Timestamp) -> sqlx::Result<i64> {
    let number: i64 = sqlx::query_scalar(
        "INSERT INTO counter (name, value) VALUES ('major_request', 1) \
         ON CONFLICT (name) DO UPDATE SET value = counter.value + 1 RETURNING value",
    )
    .fetch_one(&mut *conn)
    .await?;
    sqlx::query(
        "INSERT INTO major_request (id, number, customer_id, site_id, ticket_id, kind, cause, report, plan, raised_by_id, \
         raised_by, raised_at, state, outcome, changed_at, asked) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'raised', '', $12, $13)",
    )
    .bind(new.id)
    .bind(number)
    .bind(new.customer_id)
    .bind(new.site_id)
    .bind(new.ticket_id)
    .bind(new.kind)
    .bind(new.cause)
    .bind(new.report)
    .bind(new.plan)
    .bind(new.raised_by_id)
    .bind(new.raised_by)
    .bind(now.as_millisecond())
    .bind(new.asked)
    .execute(conn)
    .await?;
    Ok(number)
}

/// Writes down what the record comes to.
pub async fn update(
    conn: &mut Conn,
    id: &str,
    (state, outcome): (&str, &str),
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query("UPDATE major_request SET state = $2, outcome = $3, changed_at = $4 WHERE id = $1")
        .bind(id)
        .bind(state)
        .bind(outcome)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// A line of a request's record. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Event {
    pub request_id: String,
    pub seq: i64,
    pub id: String,
    pub kind: String,
    pub side: String,
    pub at: i64,
    pub actor_id: String,
    pub actor: String,
    pub body: String,
    pub asked: String,
}

const EVENT: &str =
    "SELECT request_id, seq, id, kind, side, at, actor_id, actor, body, asked FROM major_event";

/// The record of a request, oldest first. The caller has checked that the viewer may see it. It is read whole: what may be
/// done follows from it.
pub async fn list_events(conn: &mut Conn, request: &str) -> sqlx::Result<Vec<Event>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{EVENT} WHERE request_id = $1 ORDER BY seq")))
        .bind(request)
        .fetch_all(conn)
        .await
}

/// The records of several requests, each oldest first. The caller has checked that the viewer may see them.
pub async fn list_events_of(conn: &mut Conn, requests: &[&str]) -> sqlx::Result<Vec<Event>> {
    let mut found = Vec::new();
    for piece in pieces(requests) {
        let text =
            format!("{EVENT} WHERE request_id IN {} ORDER BY request_id, seq", places(conn, 1, piece.len()));
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text));
        for id in piece {
            query = query.bind(*id);
        }
        found.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(found)
}

/// The step of that id, of whichever request.
pub async fn find_event(conn: &mut Conn, id: &str) -> sqlx::Result<Option<Event>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{EVENT} WHERE id = $1"))).bind(id).fetch_optional(conn).await
}

/// Appends to the record, whose `seq` is not looked at. The caller's transaction has its turn.
pub async fn append(conn: &mut Conn, event: &Event) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO major_event (request_id, seq, id, kind, side, at, actor_id, actor, body, asked) \
         SELECT $1, COALESCE(MAX(seq), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9 FROM major_event WHERE request_id = $1",
    )
    .bind(&event.request_id)
    .bind(&event.id)
    .bind(&event.kind)
    .bind(&event.side)
    .bind(event.at)
    .bind(&event.actor_id)
    .bind(&event.actor)
    .bind(&event.body)
    .bind(&event.asked)
    .execute(conn)
    .await?;
    Ok(())
}
