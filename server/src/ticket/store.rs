//! SQL for tickets and their log.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{Actor, moves_clocks};
use crate::db::{Conn, pieces};
use crate::id::id;
use crate::user::Scope;

pub mod fact;
pub mod hold;
pub mod recount;

id! {
    /// Names a ticket.
    TicketId
}

/// What opens a ticket.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct New<'a> {
    pub site_id: &'a str,
    pub gateway_id: Option<&'a str>,
    pub device_id: Option<&'a str>,
    pub origin: &'a str,
    pub code: &'a str,
    pub title: &'a str,
    pub severity: &'a str,
    pub opened_at: Timestamp,
}

/// Opens a ticket with the next number.
pub async fn insert(conn: &mut Conn, new: &New<'_>, now: Timestamp) -> sqlx::Result<(TicketId, i64)> {
    let number: i64 = sqlx::query_scalar(
        "INSERT INTO counter (name, value) VALUES ('ticket', 1001) \
         ON CONFLICT (name) DO UPDATE SET value = counter.value + 1 RETURNING value",
    )
    .fetch_one(&mut *conn)
    .await?;
    let id = TicketId::new(now);
    sqlx::query(
        "INSERT INTO ticket (id, number, site_id, gateway_id, device_id, origin, code, title, severity, state, opened_at, \
         paged_severity, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open', $10, '', $11)",
    )
    .bind(id.as_str())
    .bind(number)
    .bind(new.site_id)
    .bind(new.gateway_id)
    .bind(new.device_id)
    .bind(new.origin)
    .bind(new.code)
    .bind(new.title)
    .bind(new.severity)
    .bind(new.opened_at.as_millisecond())
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok((id, number))
}

/// The machine's ticket that is not closed yet for this device, whatever the fault; or for this fault of the
/// gateway itself: its silence and its wrong clock have different causes and end apart.
pub async fn find_machine(
    conn: &mut Conn,
    gateway: &str,
    device: Option<&str>,
    code: &str,
) -> sqlx::Result<Option<(String, String)>> {
    sqlx::query_as(
        "SELECT id, severity FROM ticket WHERE gateway_id = $1 AND COALESCE(device_id, '') = $2 AND origin = 'machine' \
         AND (device_id IS NOT NULL OR code = $3) AND state <> 'closed' ORDER BY opened_at LIMIT 1",
    )
    .bind(gateway)
    .bind(device.unwrap_or_default())
    .bind(code)
    .fetch_optional(conn)
    .await
}

/// Makes a ticket graver: its code and severity become those of the worse fault.
pub async fn worsen(
    conn: &mut Conn,
    id: &str,
    code: &str,
    severity: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query("UPDATE ticket SET code = $2, severity = $3, changed_at = $4 WHERE id = $1")
        .bind(id)
        .bind(code)
        .bind(severity)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// Appends to a ticket's log. `occurred_at` is when it happened, `now` when we learned of it.
pub async fn append(
    conn: &mut Conn,
    ticket: &str,
    kind: &str,
    actor: &Actor,
    body: &serde_json::Value,
    occurred_at: Timestamp,
    now: Timestamp,
) -> sqlx::Result<()> {
    let (actor_id, name) = match actor {
        Actor::Machine | Actor::System => (None, ""),
        Actor::Person { id, name } => (Some(id.as_str()), name.as_str()),
    };
    // The row lock on the ticket keeps two writers from taking the same sequence number.
    sqlx::query(
        "UPDATE ticket SET changed_at = $2, recount_at = CASE WHEN CAST($3 AS BIGINT) = 1 THEN $2 ELSE recount_at END \
         WHERE id = $1",
    )
    .bind(ticket)
    .bind(now.as_millisecond())
    .bind(i64::from(moves_clocks(kind)))
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "INSERT INTO ticket_event (ticket_id, seq, kind, occurred_at, recorded_at, actor_id, actor, source, body) \
         SELECT $1, COALESCE(MAX(seq), 0) + 1, $2, $3, $4, $5, $6, $7, $8 FROM ticket_event WHERE ticket_id = $1",
    )
    .bind(ticket)
    .bind(kind)
    .bind(occurred_at.as_millisecond())
    .bind(now.as_millisecond())
    .bind(actor_id)
    .bind(name)
    .bind(actor.source())
    .bind(body.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes a ticket: the first taker stays its name.
pub async fn set_acked(conn: &mut Conn, id: &str, who: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE ticket SET state = 'acked', acked_at = COALESCE(acked_at, $3), acked_by = COALESCE(acked_by, $2), \
         changed_at = $3 WHERE id = $1 AND state <> 'closed'",
    )
    .bind(id)
    .bind(who)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Nobody has a ticket any more that somebody had taken; it stays open.
pub async fn set_untaken(conn: &mut Conn, id: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE ticket SET state = 'open', acked_at = NULL, acked_by = NULL, assignee_id = NULL, changed_at = $2 \
         WHERE id = $1 AND state = 'acked'",
    )
    .bind(id)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Another person takes a ticket from whoever had it.
pub async fn set_taken_over(conn: &mut Conn, id: &str, who: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE ticket SET state = 'acked', acked_at = COALESCE(acked_at, $3), acked_by = $2, assignee_id = NULL, \
         changed_at = $3 WHERE id = $1 AND state <> 'closed'",
    )
    .bind(id)
    .bind(who)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Closes a ticket. Nothing holds its pages back any more: a resolution is never withheld.
pub async fn set_closed(conn: &mut Conn, id: &str, at: Timestamp, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM ticket_hold WHERE ticket_id = $1").bind(id).execute(&mut *conn).await?;
    sqlx::query("UPDATE ticket SET state = 'closed', closed_at = $2, changed_at = $3 WHERE id = $1")
        .bind(id)
        .bind(at.as_millisecond())
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// Opens a closed ticket again: nobody has it, and nobody has been paged for it.
pub async fn set_reopened(conn: &mut Conn, id: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE ticket SET state = 'open', closed_at = NULL, acked_at = NULL, acked_by = NULL, paged_severity = '', \
         changed_at = $2 WHERE id = $1",
    )
    .bind(id)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Hands a ticket to a person.
pub async fn set_assignee(conn: &mut Conn, id: &str, account: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("UPDATE ticket SET assignee_id = $2, changed_at = $3 WHERE id = $1")
        .bind(id)
        .bind(account)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// Remembers at which severity people have been paged; false when somebody else has just done so.
pub async fn set_paged(conn: &mut Conn, id: &str, severity: &str) -> sqlx::Result<bool> {
    let done = sqlx::query("UPDATE ticket SET paged_severity = $2 WHERE id = $1 AND paged_severity <> $2")
        .bind(id)
        .bind(severity)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// A ticket that stands and whose severity is not yet known to the people on duty.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Unpaged {
    pub id: String,
    pub site_id: String,
    pub severity: String,
    pub paged_severity: String,
}

/// Tickets that stand, that nothing holds, and whose severity is not the one that people were paged with: what
/// is said in the end is the difference to what was said last, once.
pub async fn list_unpaged(conn: &mut Conn) -> sqlx::Result<Vec<Unpaged>> {
    sqlx::query_as(
        "SELECT t.id, t.site_id, t.severity, t.paged_severity FROM ticket t \
         WHERE t.state <> 'closed' AND t.paged_severity <> t.severity \
         AND NOT EXISTS (SELECT 1 FROM ticket_hold h WHERE h.ticket_id = t.id) \
         ORDER BY t.number LIMIT 500",
    )
    .fetch_all(conn)
    .await
}

/// A ticket with the names a person needs beside it. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Row {
    pub id: String,
    pub number: i64,
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub zone: String,
    pub customer_id: String,
    pub device_id: Option<String>,
    pub device_name: Option<String>,
    pub gateway_name: Option<String>,
    pub origin: String,
    pub code: String,
    pub title: String,
    pub severity: String,
    pub state: String,
    pub opened_at: i64,
    pub acked_at: Option<i64>,
    pub acked_by: Option<String>,
    pub assignee_id: Option<String>,
    pub assignee: Option<String>,
    pub closed_at: Option<i64>,
    pub changed_at: i64,
    pub next_at: Option<i64>,
    pub next_who: Option<String>,
    /// The reason of the hold that has stood longest.
    pub held: Option<String>,
    /// Its particulars, JSON.
    pub held_detail: Option<String>,
}

const SELECT: &str = "SELECT t.id, t.number, t.site_id, s.name AS site_name, s.name_zh AS site_name_zh, s.zone, \
     s.customer_id, t.device_id, d.name AS device_name, g.name AS gateway_name, t.origin, t.code, t.title, t.severity, \
     t.state, t.opened_at, t.acked_at, t.acked_by, t.assignee_id, a.name AS assignee, t.closed_at, t.changed_at, \
     CASE WHEN e.held_since IS NULL THEN e.due_at END AS next_at, e.next_who, \
     (SELECT h.reason FROM ticket_hold h WHERE h.ticket_id = t.id ORDER BY h.since, h.reason LIMIT 1) AS held, \
     (SELECT h.detail FROM ticket_hold h WHERE h.ticket_id = t.id ORDER BY h.since, h.reason LIMIT 1) AS held_detail \
     FROM ticket t JOIN site s ON s.id = t.site_id LEFT JOIN device d ON d.id = t.device_id \
     LEFT JOIN escalation e ON e.ticket_id = t.id LEFT JOIN gateway g ON g.id = t.gateway_id LEFT JOIN account a ON a.id = t.assignee_id \
     WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1)";

/// One ticket that the viewer may see, by its id or by its number.
pub async fn find(conn: &mut Conn, scope: &Scope, id_or_number: &str) -> sqlx::Result<Option<Row>> {
    let number: i64 = id_or_number.trim_start_matches('#').parse().unwrap_or(-1);
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} AND (t.id = $2 OR t.number = $3)")))
        .bind(scope.customer())
        .bind(id_or_number)
        .bind(number)
        .fetch_optional(conn)
        .await
}

/// Tickets by their ids.
pub async fn list_by_ids(conn: &mut Conn, ids: &BTreeSet<String>) -> sqlx::Result<Vec<Row>> {
    let ids: Vec<&String> = ids.iter().collect();
    let mut rows = Vec::new();
    for piece in pieces(&ids) {
        let text: Vec<String> = (2..piece.len() + 2).map(|at| format!("${at}")).collect();
        let text = format!("{SELECT} AND t.id IN ({}) ORDER BY t.number", text.join(", "));
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text)).bind(Scope::All.customer());
        for id in piece {
            query = query.bind(id.as_str());
        }
        rows.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(rows)
}

/// What a list of tickets is narrowed by; `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// `open`, `acked`, `closed`, or `standing` for everything that is not closed.
    pub state: Option<String>,
    /// Only of this site.
    pub site_id: Option<String>,
    /// Only of this device.
    pub device_id: Option<String>,
    /// Part of the title, the device's or the site's name, any case, or the number.
    pub q: Option<String>,
    /// Only numbers below this one: the next page of a list.
    pub before: Option<i64>,
}

/// Tickets that the viewer may see, highest number first; at most `limit`.
pub async fn list(conn: &mut Conn, scope: &Scope, filter: &Filter, limit: i64) -> sqlx::Result<Vec<Row>> {
    let pattern = filter.q.as_ref().map(|q| format!("%{}%", q.to_lowercase().replace(['%', '_', '#'], "")));
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} AND (CAST($2 AS TEXT) IS NULL OR t.state = $2 OR ($2 = 'standing' AND t.state <> 'closed')) \
         AND (CAST($3 AS TEXT) IS NULL OR t.site_id = $3) AND (CAST($4 AS TEXT) IS NULL OR t.device_id = $4) \
         AND (CAST($5 AS TEXT) IS NULL OR LOWER(t.title) LIKE $5 OR LOWER(d.name) LIKE $5 OR LOWER(s.name) LIKE $5 \
         OR s.name_zh LIKE $5 OR CAST(t.number AS TEXT) LIKE $5) \
         AND (CAST($6 AS BIGINT) IS NULL OR t.number < $6) ORDER BY t.number DESC LIMIT $7"
    )))
    .bind(scope.customer())
    .bind(&filter.state)
    .bind(&filter.site_id)
    .bind(&filter.device_id)
    .bind(pattern)
    .bind(filter.before)
    .bind(limit)
    .fetch_all(conn)
    .await
}

/// One event of a ticket's log.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct EventRow {
    pub seq: i64,
    pub kind: String,
    pub occurred_at: i64,
    pub recorded_at: i64,
    pub actor: String,
    pub source: String,
    pub body: String,
}

/// A ticket's log, oldest first.
pub async fn list_events(conn: &mut Conn, id: &str) -> sqlx::Result<Vec<EventRow>> {
    sqlx::query_as(
        "SELECT seq, kind, occurred_at, recorded_at, actor, source, body FROM ticket_event WHERE ticket_id = $1 \
         ORDER BY seq LIMIT 2000",
    )
    .bind(id)
    .fetch_all(conn)
    .await
}

/// The tickets about a device that a person had opened by `at` and that are not closed.
pub async fn list_by_hand(conn: &mut Conn, device: &str, at: Timestamp) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT id FROM ticket WHERE device_id = $1 AND origin = 'person' AND state <> 'closed' AND opened_at <= $2 \
         ORDER BY number LIMIT 100",
    )
    .bind(device)
    .bind(at.as_millisecond())
    .fetch_all(conn)
    .await
}

/// A ticket's number.
pub async fn number_of(conn: &mut Conn, id: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT number FROM ticket WHERE id = $1").bind(id).fetch_one(conn).await
}

/// A ticket's trouble began at `at` already, by what one of its symptoms says.
pub async fn set_begun(conn: &mut Conn, id: &str, at: i64) -> sqlx::Result<()> {
    sqlx::query("UPDATE ticket SET opened_at = $2 WHERE id = $1 AND opened_at > $2")
        .bind(id)
        .bind(at)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether a ticket is not closed.
pub async fn is_standing(conn: &mut Conn, id: &str) -> sqlx::Result<bool> {
    let standing: Option<i64> =
        sqlx::query_scalar("SELECT number FROM ticket WHERE id = $1 AND state <> 'closed'")
            .bind(id)
            .fetch_optional(conn)
            .await?;
    Ok(standing.is_some())
}
