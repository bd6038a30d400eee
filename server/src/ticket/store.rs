//! SQL for tickets and their log.

use jiff::Timestamp;

use super::Actor;
use crate::db::Conn;
use crate::gateway::REPLAY_LIMIT;
use crate::id::id;
use crate::user::Scope;

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
         AND (device_id IS NOT NULL OR code = $3) AND state IN ('open', 'acked') ORDER BY opened_at LIMIT 1",
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
    sqlx::query("UPDATE ticket SET changed_at = $2 WHERE id = $1")
        .bind(ticket)
        .bind(now.as_millisecond())
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

/// Closes a ticket.
pub async fn set_closed(conn: &mut Conn, id: &str, at: Timestamp, now: Timestamp) -> sqlx::Result<()> {
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

/// Tickets that stand and whose severity is not the one that people were paged with. A gateway that is
/// still replaying its history holds its devices' tickets back until it has caught up, but no longer than
/// five minutes: a page may come late, never not at all.
pub async fn list_unpaged(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<Unpaged>> {
    sqlx::query_as(
        "SELECT t.id, t.site_id, t.severity, t.paged_severity FROM ticket t LEFT JOIN gateway g ON g.id = t.gateway_id \
         LEFT JOIN gateway_epoch e ON e.gateway_id = g.id AND e.epoch = g.epoch \
         WHERE t.state IN ('open', 'acked') AND t.paged_severity <> t.severity \
         AND NOT (t.device_id IS NOT NULL AND g.replay_to IS NOT NULL AND e.upto < g.replay_to AND g.replay_from_at > $1) \
         ORDER BY t.number LIMIT 500",
    )
    .bind(now.as_millisecond() - REPLAY_LIMIT.as_millis() as i64)
    .fetch_all(conn)
    .await
}

/// Tickets that nobody has taken and of which the people on duty have been told, newest first; at most 5,000.
pub async fn list_untaken(conn: &mut Conn) -> sqlx::Result<Vec<Unpaged>> {
    sqlx::query_as(
        "SELECT id, site_id, severity, paged_severity FROM ticket WHERE state = 'open' \
         AND paged_severity = severity ORDER BY number DESC LIMIT 5000",
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
}

const SELECT: &str = "SELECT t.id, t.number, t.site_id, s.name AS site_name, s.name_zh AS site_name_zh, s.zone, \
     s.customer_id, t.device_id, d.name AS device_name, g.name AS gateway_name, t.origin, t.code, t.title, t.severity, \
     t.state, t.opened_at, t.acked_at, t.acked_by, t.assignee_id, a.name AS assignee, t.closed_at, t.changed_at \
     FROM ticket t JOIN site s ON s.id = t.site_id LEFT JOIN device d ON d.id = t.device_id \
     LEFT JOIN gateway g ON g.id = t.gateway_id LEFT JOIN account a ON a.id = t.assignee_id \
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

/// Whether a ticket is not closed.
pub async fn is_standing(conn: &mut Conn, id: &str) -> sqlx::Result<bool> {
    let standing: Option<i64> =
        sqlx::query_scalar("SELECT number FROM ticket WHERE id = $1 AND state <> 'closed'")
            .bind(id)
            .fetch_optional(conn)
            .await?;
    Ok(standing.is_some())
}
