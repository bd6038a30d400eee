//! SQL for what a site allows, consents, and remedies.

use jiff::Timestamp;
use serde_json::Value;

use super::{ConsentMode, Kind, Rule};
use crate::db::Conn;
use crate::id::id;
use crate::user::Scope;

pub mod settings;

id! {
    /// Names a remedy.
    RemedyId
}

/// A remedy that is asked for.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct New<'a> {
    pub site_id: &'a str,
    pub device_id: &'a str,
    pub kind: Kind,
    pub target: &'a Value,
    pub ticket_id: Option<&'a str>,
    pub code: &'a str,
    pub automatic: bool,
    pub actor: &'a str,
    pub consent_id: Option<&'a str>,
    pub until: Timestamp,
}

/// Writes down that a remedy is wanted; it begins when its turn comes.
pub async fn insert(conn: &mut Conn, new: &New<'_>, now: Timestamp) -> sqlx::Result<RemedyId> {
    let id = RemedyId::new(now);
    sqlx::query(
        "INSERT INTO remedy (id, site_id, device_id, kind, target, ticket_id, code, automatic, actor, consent_id, state, \
         reason, asked_at, until_at, result) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'asked', '', $11, $12, '')",
    )
    .bind(id.as_str())
    .bind(new.site_id)
    .bind(new.device_id)
    .bind(new.kind.as_str())
    .bind(new.target.to_string())
    .bind(new.ticket_id)
    .bind(new.code)
    .bind(i64::from(new.automatic))
    .bind(new.actor)
    .bind(new.consent_id)
    .bind(now.as_millisecond())
    .bind(new.until.as_millisecond())
    .execute(conn)
    .await?;
    Ok(id)
}

/// A remedy that is not over, with how its command and its fault stand.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Open {
    pub id: String,
    pub site_id: String,
    pub device_id: String,
    pub gateway_id: String,
    pub kind: String,
    pub target: String,
    pub ticket_id: Option<String>,
    pub code: String,
    pub automatic: i64,
    pub state: String,
    pub asked_at: i64,
    pub begun_at: Option<i64>,
    pub until_at: i64,
    pub command_id: Option<String>,
    pub command_state: Option<String>,
    pub command_result: Option<String>,
    /// Faults that stand on the device: the one that it is for, or any when a person pressed.
    pub standing: i64,
    pub is_gone: i64,
}

const OPEN: &str = "SELECT r.id, r.site_id, r.device_id, d.gateway_id, r.kind, r.target, r.ticket_id, r.code, r.automatic, \
     r.state, r.asked_at, r.begun_at, r.until_at, r.command_id, c.state AS command_state, c.result AS command_result, \
     (SELECT CAST(COUNT(*) AS BIGINT) FROM device_fault f WHERE f.device_id = r.device_id \
     AND (r.code = '' OR f.code = r.code)) AS standing, \
     CASE WHEN d.removed_at IS NULL THEN CAST(0 AS BIGINT) ELSE CAST(1 AS BIGINT) END AS is_gone \
     FROM remedy r JOIN device d ON d.id = r.device_id LEFT JOIN command c ON c.id = r.command_id";

/// Remedies that are not over, the oldest first; at most 500.
pub async fn list_open(conn: &mut Conn) -> sqlx::Result<Vec<Open>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{OPEN} WHERE r.ended_at IS NULL ORDER BY r.id LIMIT 500")))
        .fetch_all(conn)
        .await
}

/// Those of a site.
pub async fn list_open_of_site(conn: &mut Conn, site: &str) -> sqlx::Result<Vec<Open>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{OPEN} WHERE r.ended_at IS NULL AND r.site_id = $1 ORDER BY r.id LIMIT 500"
    )))
    .bind(site)
    .fetch_all(conn)
    .await
}

/// The remedy of a command, if there is one; whether it is over.
pub async fn find_by_command(conn: &mut Conn, command: &str) -> sqlx::Result<Option<(Open, bool)>> {
    let open: Option<Open> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{OPEN} WHERE r.command_id = $1")))
        .bind(command)
        .fetch_optional(&mut *conn)
        .await?;
    let Some(open) = open else { return Ok(None) };
    let ended: Option<i64> = sqlx::query_scalar("SELECT ended_at FROM remedy WHERE id = $1")
        .bind(&open.id)
        .fetch_one(conn)
        .await?;
    Ok(Some((open, ended.is_some())))
}

/// Whether a remedy is under way: a look that takes no write lock.
pub async fn any_open(conn: &mut Conn) -> sqlx::Result<bool> {
    let one: Option<String> = sqlx::query_scalar("SELECT id FROM remedy WHERE ended_at IS NULL LIMIT 1")
        .fetch_optional(conn)
        .await?;
    Ok(one.is_some())
}

/// The open remedy of a ticket or of a device, if there is one.
pub async fn find_open(conn: &mut Conn, device: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} AND r.device_id = $2 AND r.ended_at IS NULL LIMIT 1"
    )))
    .bind(Scope::All.customer())
    .bind(device)
    .fetch_optional(conn)
    .await
}

/// How many of a site are asked for or under way.
pub async fn count_open(conn: &mut Conn, site: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT CAST(COUNT(*) AS BIGINT) FROM remedy WHERE site_id = $1 AND ended_at IS NULL")
        .bind(site)
        .fetch_one(conn)
        .await
}

/// When a device had a remedy of this kind that was begun, since `from`.
pub async fn list_begun(
    conn: &mut Conn,
    device: &str,
    kind: Kind,
    from: Timestamp,
) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar(
        "SELECT begun_at FROM remedy WHERE device_id = $1 AND kind = $2 AND begun_at >= $3 ORDER BY begun_at LIMIT 500",
    )
    .bind(device)
    .bind(kind.as_str())
    .bind(from.as_millisecond())
    .fetch_all(conn)
    .await
}

/// Whether a ticket has had an automatic remedy: it gets one.
pub async fn has_automatic(conn: &mut Conn, ticket: &str) -> sqlx::Result<bool> {
    let one: Option<String> =
        sqlx::query_scalar("SELECT id FROM remedy WHERE ticket_id = $1 AND automatic = 1 LIMIT 1")
            .bind(ticket)
            .fetch_optional(conn)
            .await?;
    Ok(one.is_some())
}

/// Its command is on the way.
pub async fn set_sent(conn: &mut Conn, id: &str, command: &str, target: &Value) -> sqlx::Result<()> {
    sqlx::query("UPDATE remedy SET state = 'sent', command_id = $2, target = $3 WHERE id = $1")
        .bind(id)
        .bind(command)
        .bind(target.to_string())
        .execute(conn)
        .await?;
    Ok(())
}

/// The gateway has begun; true when that is news.
pub async fn set_begun(conn: &mut Conn, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    let done =
        sqlx::query("UPDATE remedy SET state = 'running', begun_at = $2 WHERE id = $1 AND begun_at IS NULL")
            .bind(id)
            .bind(now.as_millisecond())
            .execute(conn)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// The gateway has done it; true when that is news. Whether it helps shows later.
pub async fn set_done(conn: &mut Conn, id: &str, result: &str, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE remedy SET state = 'done', done_at = $3, result = $2, begun_at = COALESCE(begun_at, $3) \
         WHERE id = $1 AND done_at IS NULL",
    )
    .bind(id)
    .bind(result)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// It is over: `healed`, `not_healed`, `done`, `failed`, `refused` or `not_needed`. False when it was over already.
pub async fn end(
    conn: &mut Conn,
    id: &str,
    state: &str,
    reason: &str,
    result: Option<&str>,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE remedy SET state = $2, reason = $3, result = COALESCE($4, result), ended_at = $5 \
         WHERE id = $1 AND ended_at IS NULL",
    )
    .bind(id)
    .bind(state)
    .bind(reason)
    .bind(result)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// What a gateway has said of a remedy that was over, because its word came late.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Late<'a> {
    pub state: &'a str,
    pub reason: &'a str,
    pub begun_at: Option<Timestamp>,
    pub done_at: Option<Timestamp>,
    pub result: Option<&'a str>,
}

/// Takes that down. When it began and when it was done is written once.
pub async fn amend(conn: &mut Conn, id: &str, late: &Late<'_>) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE remedy SET state = $2, reason = $3, begun_at = COALESCE(begun_at, $4), done_at = COALESCE(done_at, $5), \
         result = COALESCE($6, result) WHERE id = $1",
    )
    .bind(id)
    .bind(late.state)
    .bind(late.reason)
    .bind(late.begun_at.map(Timestamp::as_millisecond))
    .bind(late.done_at.map(Timestamp::as_millisecond))
    .bind(late.result)
    .execute(conn)
    .await?;
    Ok(())
}

/// One remedy with the names a person needs beside it. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Row {
    pub id: String,
    pub site_id: String,
    pub device_id: String,
    pub device_name: String,
    pub kind: String,
    pub target: String,
    pub ticket_id: Option<String>,
    pub ticket_number: Option<i64>,
    pub code: String,
    pub automatic: i64,
    pub actor: String,
    pub consent_by: Option<String>,
    pub state: String,
    pub reason: String,
    pub asked_at: i64,
    pub begun_at: Option<i64>,
    pub done_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub until_at: i64,
    pub result: String,
}

const SELECT: &str = "SELECT r.id, r.site_id, r.device_id, d.name AS device_name, r.kind, r.target, r.ticket_id, \
     t.number AS ticket_number, r.code, r.automatic, r.actor, k.given_by AS consent_by, r.state, r.reason, r.asked_at, \
     r.begun_at, r.done_at, r.ended_at, r.until_at, r.result FROM remedy r JOIN device d ON d.id = r.device_id \
     JOIN site s ON s.id = r.site_id LEFT JOIN ticket t ON t.id = r.ticket_id \
     LEFT JOIN remedy_consent k ON k.id = r.consent_id WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1)";

/// The remedies of a device, newest first; at most `limit`.
pub async fn list(conn: &mut Conn, scope: &Scope, device: &str, limit: i64) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} AND r.device_id = $2 ORDER BY r.id DESC LIMIT $3")))
        .bind(scope.customer())
        .bind(device)
        .bind(limit)
        .fetch_all(conn)
        .await
}

/// What was tried for a ticket, oldest first.
pub async fn list_of_ticket(conn: &mut Conn, ticket: &str) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} AND r.ticket_id = $2 ORDER BY r.id LIMIT 20")))
        .bind(Scope::All.customer())
        .bind(ticket)
        .fetch_all(conn)
        .await
}

/// Where a device stands: its site, zone, class, gateway, that gateway's state, and the state of what it hangs off.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Where {
    pub site_id: String,
    pub zone: String,
    pub class: String,
    pub gateway_id: String,
    pub gateway_state: String,
    pub parent_state: Option<String>,
    pub state: String,
}

/// Where a device in service stands.
pub async fn find_where(conn: &mut Conn, device: &str) -> sqlx::Result<Option<Where>> {
    sqlx::query_as(
        "SELECT d.site_id, s.zone, d.class, d.gateway_id, g.state AS gateway_state, p.state AS parent_state, d.state \
         FROM device d JOIN site s ON s.id = d.site_id JOIN gateway g ON g.id = d.gateway_id \
         LEFT JOIN device p ON p.id = d.parent_id AND p.removed_at IS NULL \
         WHERE d.id = $1 AND d.removed_at IS NULL AND d.enabled = 1",
    )
    .bind(device)
    .fetch_optional(conn)
    .await
}

/// The ticket of the machine that stands for a device.
pub async fn standing_ticket(conn: &mut Conn, device: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(
        "SELECT id FROM ticket WHERE device_id = $1 AND origin = 'machine' AND state <> 'closed' ORDER BY number LIMIT 1",
    )
    .bind(device)
    .fetch_optional(conn)
    .await
}

fn rule(row: (String, String, i64, String, i64, i64, i64)) -> Option<Rule> {
    let (class, kind, automatic, codes, daily_limit, wait_s, days_limit) = row;
    Some(Rule {
        class,
        kind: Kind::parse(&kind)?,
        automatic: automatic == 1,
        codes: codes.split_whitespace().map(str::to_owned).collect(),
        daily_limit,
        wait_s,
        days_limit,
    })
}

fn mode(word: &str) -> ConsentMode {
    // A word of a newer release asks for more, never for less.
    ConsentMode::parse(word).unwrap_or(ConsentMode::Each)
}
