//! SQL for visits, their people, their events, the codes that were used, and the tags that hang at sites.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::db::{Conn, narrow, pieces, places};
use crate::user::Scope;

pub mod briefing;
pub mod photo;
pub mod proof;
pub mod repeat;

/// A visit with what a person needs beside it. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Row {
    pub id: String,
    pub ticket_id: String,
    pub ticket_number: i64,
    pub ticket_state: String,
    pub title: String,
    pub code: String,
    pub severity: String,
    pub opened_at: i64,
    pub device_id: Option<String>,
    pub device_name: Option<String>,
    pub device_state: Option<String>,
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub zone: String,
    pub address: String,
    pub contact_name: String,
    pub contact_phone: String,
    pub number: i64,
    pub follows_id: Option<String>,
    pub purpose: String,
    pub planned_at: Option<i64>,
    pub state: String,
    pub reason: String,
    pub level: String,
    pub arrived_at: Option<i64>,
    pub form: String,
    pub created_by: String,
    pub created_at: i64,
    pub changed_at: i64,
    pub asked: String,
    /// How many photos it has.
    pub photos: i64,
    /// The inspection whose work it is.
    pub inspection_id: Option<String>,
    /// The clock of the ticket that is due next.
    pub due_at: Option<i64>,
    /// What its contract calls it.
    pub due_what: Option<String>,
}

const NEXT_CLOCK: &str = "FROM clock k WHERE k.ticket_id = v.ticket_id AND k.supplier = 0 AND k.due_at IS NOT NULL \
     AND k.state IN ('running', 'paused', 'breached_running') ORDER BY k.due_at, k.name, k.run LIMIT 1";

const SELECT: &str = "SELECT v.id, v.ticket_id, t.number AS ticket_number, t.state AS ticket_state, t.title, t.code, t.severity, \
     t.opened_at, t.device_id, d.name AS device_name, d.state AS device_state, v.site_id, s.name AS site_name, \
     s.name_zh AS site_name_zh, s.zone, s.address, s.contact_name, s.contact_phone, v.number, v.follows_id, v.purpose, \
     v.planned_at, v.state, v.reason, v.level, v.arrived_at, v.form, v.created_by, v.created_at, v.changed_at, v.asked, \
     (SELECT CAST(COUNT(*) AS BIGINT) FROM visit_photo p WHERE p.visit_id = v.id) AS photos, \
     (SELECT MIN(o.id) FROM occurrence o WHERE o.visit_id = v.id) AS inspection_id";

const FROM: &str = "FROM visit v JOIN ticket t ON t.id = v.ticket_id JOIN site s ON s.id = v.site_id \
     LEFT JOIN device d ON d.id = t.device_id WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1)";

fn select() -> String {
    format!(
        "{SELECT}, (SELECT k.due_at {NEXT_CLOCK}) AS due_at, (SELECT k.title {NEXT_CLOCK}) AS due_what {FROM}"
    )
}

/// One visit that the viewer may see.
pub async fn find(conn: &mut Conn, scope: &Scope, id: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{} AND v.id = $2", select())))
        .bind(scope.customer())
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// What a list of visits is narrowed by; `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this ticket.
    pub ticket_id: Option<String>,
    /// Only those that this account goes on.
    pub member: Option<String>,
    /// Only those that are neither filed nor cancelled.
    pub standing: bool,
}

/// Visits that the viewer may see, the earliest first; at most 500.
pub async fn list(conn: &mut Conn, scope: &Scope, filter: &Filter) -> sqlx::Result<Vec<Row>> {
    let mut text = select();
    let narrowing = narrow(&mut text, 2, [("v.ticket_id", filter.ticket_id.as_deref())]);
    if filter.standing {
        text.push_str(" AND v.state NOT IN ('filed', 'cancelled')");
    }
    if filter.member.is_some() {
        let place = narrowing.len() + 2;
        let member = "EXISTS (SELECT 1 FROM visit_member m WHERE m.visit_id = v.id AND m.account_id";
        let _ = write!(text, " AND {member} = ${place})");
    }
    text.push_str(" ORDER BY t.number DESC, v.number LIMIT 500");
    let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text)).bind(scope.customer());
    for id in narrowing.into_iter().chain(filter.member.as_deref()) {
        query = query.bind(id.to_owned());
    }
    query.fetch_all(conn).await
}

/// What plans a visit.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct New<'a> {
    pub id: &'a str,
    pub ticket_id: &'a str,
    pub site_id: &'a str,
    pub follows_id: Option<&'a str>,
    pub purpose: &'a str,
    pub planned_at: Option<i64>,
    pub created_by: &'a str,
    pub asked: &'a str,
}

/// Writes a planned visit down; its number on the ticket.
pub async fn insert(conn: &mut Conn, new: &New<'_>, now: Timestamp) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "INSERT INTO visit (id, ticket_id, site_id, number, follows_id, purpose, planned_at, state, reason, level, form, \
         created_by, created_at, changed_at, asked) \
         SELECT $1, $2, $3, COALESCE(MAX(number), 0) + 1, $4, $5, $6, 'planned', '', '', '{}', $7, $8, $8, $9 \
         FROM visit WHERE ticket_id = $2 RETURNING number",
    )
    .bind(new.id)
    .bind(new.ticket_id)
    .bind(new.site_id)
    .bind(new.follows_id)
    .bind(new.purpose)
    .bind(new.planned_at)
    .bind(new.created_by)
    .bind(now.as_millisecond())
    .bind(new.asked)
    .fetch_one(conn)
    .await
}

/// Writes for when a visit is planned.
pub async fn set_planned(conn: &mut Conn, id: &str, at: Option<i64>, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("UPDATE visit SET planned_at = $2, changed_at = $3 WHERE id = $1")
        .bind(id)
        .bind(at)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes down what a visit's log comes to.
pub async fn update(conn: &mut Conn, row: &Row, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE visit SET state = $2, reason = $3, level = $4, arrived_at = $5, form = $6, changed_at = $7 WHERE id = $1",
    )
    .bind(&row.id)
    .bind(&row.state)
    .bind(&row.reason)
    .bind(&row.level)
    .bind(row.arrived_at)
    .bind(&row.form)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Adds somebody to a visit; false when that person goes already.
pub async fn add_member(conn: &mut Conn, visit: &str, account: &str) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO visit_member (visit_id, account_id) VALUES ($1, $2) ON CONFLICT (visit_id, account_id) DO NOTHING",
    )
    .bind(visit)
    .bind(account)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Who goes on these visits: visit, account, name.
pub async fn list_members(conn: &mut Conn, visits: &[&str]) -> sqlx::Result<Vec<(String, String, String)>> {
    let mut found = Vec::new();
    for piece in pieces(visits) {
        let text = format!(
            "SELECT m.visit_id, m.account_id, a.name FROM visit_member m JOIN account a ON a.id = m.account_id \
             WHERE m.visit_id IN {} ORDER BY a.name, a.id",
            places(conn, 1, piece.len())
        );
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text));
        for id in piece {
            query = query.bind(*id);
        }
        found.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(found)
}

/// One event of a visit. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Event {
    pub id: String,
    pub visit_id: String,
    pub seq: i64,
    pub kind: String,
    pub occurred_at: i64,
    pub recorded_at: i64,
    pub device_at: Option<i64>,
    pub skew_ms: Option<i64>,
    pub actor_id: Option<String>,
    pub actor: String,
    pub source: String,
    pub body: String,
    pub asked: String,
}

const EVENT: &str = "SELECT id, visit_id, seq, kind, occurred_at, recorded_at, device_at, skew_ms, actor_id, actor, source, \
     body, asked FROM visit_event";

/// The event of that id, of whichever visit.
pub async fn find_event(conn: &mut Conn, id: &str) -> sqlx::Result<Option<Event>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{EVENT} WHERE id = $1"))).bind(id).fetch_optional(conn).await
}

/// A visit's log, oldest first; at most 2,000.
pub async fn list_events(conn: &mut Conn, visit: &str) -> sqlx::Result<Vec<Event>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{EVENT} WHERE visit_id = $1 ORDER BY seq LIMIT 2000")))
        .bind(visit)
        .fetch_all(conn)
        .await
}

/// Appends an event, whose `seq` is not looked at; its place in the log. The visit's row is held, so that no two
/// writers take one place.
pub async fn append(conn: &mut Conn, event: &Event) -> sqlx::Result<i64> {
    sqlx::query("UPDATE visit SET changed_at = $2 WHERE id = $1")
        .bind(&event.visit_id)
        .bind(event.recorded_at)
        .execute(&mut *conn)
        .await?;
    sqlx::query_scalar(
        "INSERT INTO visit_event (id, visit_id, seq, kind, occurred_at, recorded_at, device_at, skew_ms, actor_id, actor, \
         source, body, asked) SELECT $1, $2, COALESCE(MAX(seq), 0) + 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 \
         FROM visit_event WHERE visit_id = $2 RETURNING seq",
    )
    .bind(&event.id)
    .bind(&event.visit_id)
    .bind(&event.kind)
    .bind(event.occurred_at)
    .bind(event.recorded_at)
    .bind(event.device_at)
    .bind(event.skew_ms)
    .bind(&event.actor_id)
    .bind(&event.actor)
    .bind(&event.source)
    .bind(&event.body)
    .bind(&event.asked)
    .fetch_one(conn)
    .await
}
