//! SQL for pages, their attempts and the people they go to.

use jiff::Timestamp;

use super::Purpose;
use crate::db::Conn;
use crate::id::id;

pub mod outlet;
pub mod provider;
pub mod send;
pub mod told;

id! {
    /// Names a page.
    PageId
}

/// Where a person can be paged.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Target {
    pub contact_id: String,
    pub account_id: String,
    pub account: String,
    pub channel: String,
    pub address: String,
    pub template: String,
    pub language: String,
}

const TARGET: &str = "SELECT DISTINCT c.id AS contact_id, a.id AS account_id, a.name AS account, c.channel, c.address, \
     c.template, a.language FROM contact_method c JOIN account a ON a.id = c.account_id";

/// The ways by which a person can be paged.
pub async fn list_ways(conn: &mut Conn, account: &str) -> sqlx::Result<Vec<Target>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{TARGET} WHERE a.id = $1 AND a.disabled = 0 AND c.enabled = 1 ORDER BY contact_id"
    )))
    .bind(account)
    .fetch_all(conn)
    .await
}

/// The people on the general duty list to whom no page about this ticket has gone.
pub async fn list_others(conn: &mut Conn, ticket: &str) -> sqlx::Result<Vec<Target>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{TARGET} JOIN duty ON duty.account_id = a.id WHERE a.disabled = 0 AND c.enabled = 1 AND duty.site_id IS NULL \
         AND NOT EXISTS (SELECT 1 FROM page p WHERE p.ticket_id = $1 AND p.account_id = a.id AND p.channel = c.channel \
         AND p.address = c.address) ORDER BY account, contact_id"
    )))
    .bind(ticket)
    .fetch_all(conn)
    .await
}

/// One way to one person on one duty list.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct OnDuty {
    pub site_id: Option<String>,
    pub contact_id: String,
    pub address: String,
}

/// Everybody who can be paged because of a duty.
pub async fn list_on_duty(conn: &mut Conn) -> sqlx::Result<Vec<OnDuty>> {
    sqlx::query_as(
        "SELECT d.site_id, c.id AS contact_id, c.address FROM duty d JOIN account a ON a.id = d.account_id \
         JOIN contact_method c ON c.account_id = a.id WHERE a.disabled = 0 AND c.enabled = 1 \
         ORDER BY d.id, c.id",
    )
    .fetch_all(conn)
    .await
}

/// Whether anybody was reached about a ticket.
pub async fn is_anybody_told(conn: &mut Conn, ticket: &str) -> sqlx::Result<bool> {
    let told: Option<String> = sqlx::query_scalar(
        "SELECT id FROM page WHERE ticket_id = $1 AND purpose = 'opened' AND state = 'sent' LIMIT 1",
    )
    .bind(ticket)
    .fetch_optional(conn)
    .await?;
    Ok(told.is_some())
}

/// The people who were paged about a ticket, or may have been (an attempt without a good answer can have
/// arrived all the same), each way once.
pub async fn list_paged(conn: &mut Conn, ticket: &str) -> sqlx::Result<Vec<Target>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{TARGET} JOIN page p ON p.account_id = a.id AND p.channel = c.channel AND p.address = c.address \
         WHERE p.ticket_id = $1 AND p.purpose = 'opened' AND (p.state IN ('claimed', 'sent') \
         OR (p.state = 'withheld' AND p.attempts > 0)) AND a.disabled = 0 AND c.enabled = 1 ORDER BY account, contact_id"
    )))
    .bind(ticket)
    .fetch_all(conn)
    .await
}

/// Queues a page about one clock of a ticket, whose particulars it keeps; false when one with this key is queued
/// already.
pub async fn insert_about(
    conn: &mut Conn,
    key: &str,
    ticket: &str,
    purpose: Purpose,
    to: &Target,
    about: &serde_json::Value,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let is_new = insert(conn, key, ticket, purpose, to, now).await?;
    if is_new {
        sqlx::query("UPDATE page SET about = $2 WHERE idem_key = $1")
            .bind(key)
            .bind(about.to_string())
            .execute(conn)
            .await?;
    }
    Ok(is_new)
}

/// Whom the pages of a ticket went to whose keys begin like this, each once.
pub async fn list_keyed(conn: &mut Conn, ticket: &str, beginning: &str) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT DISTINCT account_id FROM page WHERE ticket_id = $1 AND SUBSTR(idem_key, 1, LENGTH($2)) = $2 \
         ORDER BY account_id",
    )
    .bind(ticket)
    .bind(beginning)
    .fetch_all(conn)
    .await
}

/// Queues a page; false when one with this key is queued already.
pub async fn insert(
    conn: &mut Conn,
    key: &str,
    ticket: &str,
    purpose: Purpose,
    to: &Target,
    now: Timestamp,
) -> sqlx::Result<bool> {
    // Whom a gateway has told by itself while it was cut off is not told again of the same.
    let told_at = told::find(conn, ticket, purpose, to, now).await?;
    let (state, answer) = if told_at.is_some() { ("sent", told::ANSWER) } else { ("queued", "") };
    let done = sqlx::query(
        "INSERT INTO page (id, idem_key, ticket_id, account_id, channel, address, template, purpose, language, state, \
         created_at, due_at, attempts, sent_at, last_answer) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $11, $10, $10, 0, CAST($12 AS BIGINT), $13) \
         ON CONFLICT (idem_key) DO NOTHING",
    )
    .bind(PageId::new(now).as_str())
    .bind(key)
    .bind(ticket)
    .bind(&to.account_id)
    .bind(&to.channel)
    .bind(&to.address)
    .bind(&to.template)
    .bind(purpose.as_str())
    .bind(&to.language)
    .bind(now.as_millisecond())
    .bind(state)
    .bind(told_at)
    .bind(answer)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Withdraws pages about a trouble that is over before they were sent; how many.
pub async fn withhold(conn: &mut Conn, ticket: &str) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "UPDATE page SET state = 'withheld', last_answer = 'over before it was sent' \
         WHERE ticket_id = $1 AND purpose IN ('opened', 'informed', 'at_risk', 'breached') AND state = 'queued'",
    )
    .bind(ticket)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// How many times a ticket has been opened again: pages of a new round have new keys.
pub async fn count_rounds(conn: &mut Conn, ticket: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM ticket_event WHERE ticket_id = $1 AND kind = 'reopened'",
    )
    .bind(ticket)
    .fetch_one(conn)
    .await
}

/// A page as people see it.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Row {
    pub id: String,
    pub ticket_id: String,
    pub account_id: String,
    pub account: String,
    pub channel: String,
    pub address: String,
    pub purpose: String,
    pub state: String,
    pub created_at: i64,
    pub sent_at: Option<i64>,
    pub attempts: i64,
    pub last_answer: String,
    /// Why it waits: `limit` or `quiet`; empty when it does not.
    pub held: String,
    pub due_at: i64,
}

/// The pages about a ticket, oldest first. The caller has checked that the viewer may see the ticket.
pub async fn list(conn: &mut Conn, ticket: &str) -> sqlx::Result<Vec<Row>> {
    let mut rows: Vec<Row> = sqlx::query_as(
        "SELECT p.id, p.ticket_id, p.account_id, a.name AS account, p.channel, p.address, p.purpose, p.state, \
         p.created_at, p.sent_at, p.attempts, p.last_answer, p.held, p.due_at FROM page p JOIN account a ON a.id = p.account_id \
         WHERE p.ticket_id = $1 ORDER BY p.created_at, p.id LIMIT 500",
    )
    .bind(ticket)
    .fetch_all(conn)
    .await?;
    for row in &mut rows {
        row.address = super::channel::shown(&row.channel, &row.address);
    }
    Ok(rows)
}

/// When the next page is due, if any waits.
pub async fn next_due(conn: &mut Conn) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar(
        "SELECT MIN(CASE WHEN state = 'queued' THEN due_at ELSE claimed_until END) FROM page \
         WHERE state IN ('queued', 'claimed')",
    )
    .fetch_one(conn)
    .await
}

/// A person's name, language and whether the account is disabled.
pub async fn find_person(conn: &mut Conn, account: &str) -> sqlx::Result<Option<(String, String, i64)>> {
    sqlx::query_as("SELECT name, language, disabled FROM account WHERE id = $1")
        .bind(account)
        .fetch_optional(conn)
        .await
}
