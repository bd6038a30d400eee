//! The duty log, facts about people on duty, and hand-over sheets in the database.

use jiff::Timestamp;
use sqlx::FromRow;

use crate::db::Conn;
use crate::id::uuid_v7;

/// A row of `duty_call` with the names beside it.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Call {
    pub id: String,
    pub account_id: String,
    pub rota_id: Option<String>,
    pub caller: String,
    pub phone: String,
    pub site_id: Option<String>,
    pub site: Option<String>,
    pub site_zh: Option<String>,
    pub ticket_id: Option<String>,
    pub ticket_number: Option<i64>,
    pub matter: String,
    pub result: String,
    pub started_at: i64,
    pub length_s: i64,
    pub recorded_by: String,
    pub recorded_at: i64,
    pub corrects_id: Option<String>,
}

/// Which calls; `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter<'a> {
    /// Begun at or after, Unix ms.
    pub from_at: Option<i64>,
    /// Begun before, Unix ms.
    pub to_at: Option<i64>,
    /// Taken by.
    pub account: Option<&'a str>,
    /// Of this ticket.
    pub ticket: Option<&'a str>,
    /// The one.
    pub id: Option<&'a str>,
}

/// Adds a call, or a correction of one.
pub async fn insert_call(conn: &mut Conn, call: &Call, now: Timestamp) -> sqlx::Result<String> {
    let id = uuid_v7(now);
    sqlx::query(
        "INSERT INTO duty_call (id, account_id, rota_id, caller, phone, site_id, ticket_id, matter, result, started_at, \
         length_s, recorded_by, recorded_at, corrects_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(&id)
    .bind(&call.account_id)
    .bind(&call.rota_id)
    .bind(&call.caller)
    .bind(&call.phone)
    .bind(&call.site_id)
    .bind(&call.ticket_id)
    .bind(&call.matter)
    .bind(&call.result)
    .bind(call.started_at)
    .bind(call.length_s)
    .bind(&call.recorded_by)
    .bind(now.as_millisecond())
    .bind(&call.corrects_id)
    .execute(conn)
    .await?;
    Ok(id)
}

/// Calls as they were last corrected, newest first; at most `limit`.
pub async fn list_calls(conn: &mut Conn, filter: &Filter<'_>, limit: i64) -> sqlx::Result<Vec<Call>> {
    sqlx::query_as(
        "SELECT c.id, c.account_id, c.rota_id, c.caller, c.phone, c.site_id, s.name AS site, s.name_zh AS site_zh, \
         c.ticket_id, t.number AS ticket_number, c.matter, c.result, c.started_at, c.length_s, c.recorded_by, \
         c.recorded_at, c.corrects_id FROM duty_call c LEFT JOIN site s ON s.id = c.site_id \
         LEFT JOIN ticket t ON t.id = c.ticket_id \
         WHERE NOT EXISTS (SELECT 1 FROM duty_call n WHERE n.corrects_id = c.id) \
         AND (CAST($1 AS BIGINT) IS NULL OR c.started_at >= $1) AND (CAST($2 AS BIGINT) IS NULL OR c.started_at < $2) \
         AND (CAST($3 AS TEXT) IS NULL OR c.account_id = $3) AND (CAST($4 AS TEXT) IS NULL OR c.ticket_id = $4) \
         AND (CAST($5 AS TEXT) IS NULL OR c.id = $5) ORDER BY c.started_at DESC, c.id DESC LIMIT $6",
    )
    .bind(filter.from_at)
    .bind(filter.to_at)
    .bind(filter.account)
    .bind(filter.ticket)
    .bind(filter.id)
    .bind(limit)
    .fetch_all(conn)
    .await
}

/// A row of `duty_fact`.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct FactRow {
    pub id: String,
    pub account_id: String,
    pub kind: String,
    pub from_at: i64,
    pub to_at: Option<i64>,
    pub ticket_id: Option<String>,
    pub ticket_number: Option<i64>,
    pub note: String,
    pub recorded_by: String,
    pub recorded_at: i64,
    pub withdrawn_at: Option<i64>,
    pub withdrawn_by: Option<String>,
    pub withdrawn_why: Option<String>,
}

/// Adds a fact.
pub async fn insert_fact(conn: &mut Conn, fact: &FactRow, now: Timestamp) -> sqlx::Result<String> {
    let id = uuid_v7(now);
    sqlx::query(
        "INSERT INTO duty_fact (id, account_id, kind, from_at, to_at, ticket_id, note, recorded_by, recorded_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&id)
    .bind(&fact.account_id)
    .bind(&fact.kind)
    .bind(fact.from_at)
    .bind(fact.to_at)
    .bind(&fact.ticket_id)
    .bind(&fact.note)
    .bind(&fact.recorded_by)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(id)
}

/// Facts that touch `from_ms..to_ms`, of one person or of everybody, oldest first, withdrawn ones too; at most 2,000.
pub async fn list_facts(
    conn: &mut Conn,
    account: Option<&str>,
    from_ms: i64,
    to_ms: i64,
) -> sqlx::Result<Vec<FactRow>> {
    sqlx::query_as(
        "SELECT f.id, f.account_id, f.kind, f.from_at, f.to_at, f.ticket_id, t.number AS ticket_number, f.note, \
         f.recorded_by, f.recorded_at, f.withdrawn_at, f.withdrawn_by, f.withdrawn_why FROM duty_fact f \
         LEFT JOIN ticket t ON t.id = f.ticket_id WHERE (CAST($1 AS TEXT) IS NULL OR f.account_id = $1) \
         AND f.from_at < $3 AND COALESCE(f.to_at, f.from_at + 1) > $2 ORDER BY f.from_at, f.id LIMIT 2000",
    )
    .bind(account)
    .bind(from_ms)
    .bind(to_ms)
    .fetch_all(conn)
    .await
}

/// One fact: whose, and which kind.
pub async fn find_fact(conn: &mut Conn, id: &str) -> sqlx::Result<Option<(String, String)>> {
    sqlx::query_as("SELECT account_id, kind FROM duty_fact WHERE id = $1").bind(id).fetch_optional(conn).await
}

/// Takes a fact back, with a reason; it stays on the record. `false` when it was taken back before.
pub async fn withdraw_fact(
    conn: &mut Conn,
    id: &str,
    who: &str,
    why: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE duty_fact SET withdrawn_at = $2, withdrawn_by = $3, withdrawn_why = $4 \
         WHERE id = $1 AND withdrawn_at IS NULL",
    )
    .bind(id)
    .bind(now.as_millisecond())
    .bind(who)
    .bind(why)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A row of `duty_handover`.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Sheet {
    pub id: String,
    pub rota_id: String,
    pub rota: String,
    pub from_id: String,
    pub to_id: String,
    pub from_at: i64,
    pub to_at: i64,
    pub state: String,
    pub note: String,
    pub body: String,
    pub created_at: i64,
    pub handed_at: Option<i64>,
    pub accepted_at: Option<i64>,
    pub accept_note: String,
}

const SHEET: &str = "SELECT h.id, h.rota_id, r.name AS rota, h.from_id, h.to_id, h.from_at, h.to_at, h.state, h.note, \
     h.body, h.created_at, h.handed_at, h.accepted_at, h.accept_note FROM duty_handover h JOIN rota r ON r.id = h.rota_id";

/// Adds a sheet that is handed over; `None` when there is one of the same turn.
pub async fn insert_sheet(conn: &mut Conn, sheet: &Sheet, now: Timestamp) -> sqlx::Result<Option<String>> {
    let id = uuid_v7(now);
    let done = sqlx::query(
        "INSERT INTO duty_handover (id, rota_id, from_id, to_id, from_at, to_at, state, note, body, created_at, handed_at, \
         accept_note) VALUES ($1, $2, $3, $4, $5, $6, 'handed', $7, $8, $9, $9, '') \
         ON CONFLICT (rota_id, from_id, from_at) DO NOTHING",
    )
    .bind(&id)
    .bind(&sheet.rota_id)
    .bind(&sheet.from_id)
    .bind(&sheet.to_id)
    .bind(sheet.from_at)
    .bind(sheet.to_at)
    .bind(&sheet.note)
    .bind(&sheet.body)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok((done.rows_affected() == 1).then_some(id))
}

/// The newest 200 sheets, of one rota or of all, newest turn first.
pub async fn list_sheets(conn: &mut Conn, rota: Option<&str>) -> sqlx::Result<Vec<Sheet>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SHEET} WHERE (CAST($1 AS TEXT) IS NULL OR h.rota_id = $1) ORDER BY h.to_at DESC, h.id DESC LIMIT 200"
    )))
    .bind(rota)
    .fetch_all(conn)
    .await
}

/// One sheet.
pub async fn find_sheet(conn: &mut Conn, id: &str) -> sqlx::Result<Option<Sheet>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SHEET} WHERE h.id = $1")))
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// Accepts a sheet, which nothing changes any more; `false` when it is not handed over.
pub async fn accept_sheet(conn: &mut Conn, id: &str, note: &str, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE duty_handover SET state = 'accepted', accepted_at = $2, accept_note = $3 WHERE id = $1 AND state = 'handed'",
    )
    .bind(id)
    .bind(now.as_millisecond())
    .bind(note)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes back a sheet that is not accepted; `false` when it is.
pub async fn delete_sheet(conn: &mut Conn, id: &str) -> sqlx::Result<bool> {
    let done = sqlx::query("DELETE FROM duty_handover WHERE id = $1 AND state = 'handed'")
        .bind(id)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// A ticket that is not closed, for a sheet.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Unsolved {
    pub id: String,
    pub number: i64,
    pub title: String,
    pub code: String,
    pub severity: String,
    pub state: String,
    pub site: String,
    pub site_zh: String,
    pub device: Option<String>,
    pub opened_at: i64,
    pub owner: Option<String>,
}

/// What stands in a person's name, because it was assigned to the person or the person took it first: it stays so
/// after the hand-over until it is solved. With it, what nobody has taken at the sites that the rota's team serves.
pub async fn list_unsolved(conn: &mut Conn, account: &str, rota: &str) -> sqlx::Result<Vec<Unsolved>> {
    sqlx::query_as(
        "SELECT t.id, t.number, t.title, t.code, t.severity, t.state, s.name AS site, s.name_zh AS site_zh, \
         d.name AS device, t.opened_at, COALESCE(a.name, t.acked_by) AS owner FROM ticket t JOIN site s ON s.id = t.site_id \
         LEFT JOIN device d ON d.id = t.device_id LEFT JOIN account a ON a.id = t.assignee_id \
         WHERE t.state <> 'closed' AND (t.assignee_id = $1 \
         OR (t.assignee_id IS NULL AND t.acked_by = (SELECT name FROM account WHERE id = $1) AND EXISTS \
         (SELECT 1 FROM ticket_event e WHERE e.ticket_id = t.id AND e.kind = 'acked' AND e.actor_id = $1)) \
         OR (t.assignee_id IS NULL AND t.acked_by IS NULL AND EXISTS (SELECT 1 FROM team_serves v \
         JOIN rota r ON r.team_id = v.team_id WHERE r.id = $2 AND (v.site_id = t.site_id OR v.customer_id = s.customer_id)))) \
         ORDER BY t.number LIMIT 1000",
    )
    .bind(account)
    .bind(rota)
    .fetch_all(conn)
    .await
}
