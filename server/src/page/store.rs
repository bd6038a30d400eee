//! SQL for pages, their attempts and the people they go to.

use jiff::Timestamp;

use super::{ATTEMPTS_END, ATTEMPTS_MAX, CLAIM, Purpose, backoff};
use crate::db::Conn;
use crate::id::id;

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

/// The people on duty for a site: its own duty list, or else the one for every site without its own.
pub async fn list_targets(conn: &mut Conn, site: &str) -> sqlx::Result<Vec<Target>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{TARGET} JOIN duty ON duty.account_id = a.id WHERE a.disabled = 0 AND c.enabled = 1 AND \
         (duty.site_id = $1 OR (duty.site_id IS NULL AND NOT EXISTS (SELECT 1 FROM duty own WHERE own.site_id = $1))) \
         ORDER BY account, contact_id"
    )))
    .bind(site)
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

/// Queues a page; false when one with this key is queued already.
pub async fn insert(
    conn: &mut Conn,
    key: &str,
    ticket: &str,
    purpose: Purpose,
    to: &Target,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO page (id, idem_key, ticket_id, account_id, channel, address, template, purpose, language, state, \
         created_at, due_at, attempts, last_answer) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'queued', $10, $10, 0, '') ON CONFLICT (idem_key) DO NOTHING",
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
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Withdraws pages about a trouble that is over before they were sent; how many.
pub async fn withhold(conn: &mut Conn, ticket: &str) -> sqlx::Result<u64> {
    let done = sqlx::query(
        "UPDATE page SET state = 'withheld', last_answer = 'over before it was sent' \
         WHERE ticket_id = $1 AND purpose = 'opened' AND state = 'queued'",
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

/// A page that a sender holds.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Claimed {
    pub id: String,
    pub idem_key: String,
    pub ticket_id: String,
    pub account_id: String,
    pub channel: String,
    pub address: String,
    pub template: String,
    pub purpose: String,
    pub language: String,
    pub attempts: i64,
    pub repeat: i64,
}

/// Takes the pages that are due, in the order in which they were decided, and those whose sender did not come back. `attempts` counts this one.
pub async fn claim(
    conn: &mut Conn,
    engine: crate::db::Engine,
    now: Timestamp,
    limit: i64,
) -> sqlx::Result<Vec<Claimed>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "UPDATE page SET state = 'claimed', repeat = CASE WHEN state = 'claimed' THEN 1 ELSE repeat END, \
         claimed_until = $2, attempts = attempts + 1 WHERE id IN (SELECT id FROM page WHERE \
         (state = 'queued' AND due_at <= $1) OR (state = 'claimed' AND claimed_until <= $1) \
         ORDER BY created_at, id LIMIT $3 {}) \
         RETURNING id, idem_key, ticket_id, account_id, channel, address, template, purpose, language, attempts, repeat",
        crate::db::skip_locked(engine)
    )))
    .bind(now.as_millisecond())
    .bind(now.as_millisecond() + CLAIM.as_millis() as i64)
    .bind(limit)
    .fetch_all(conn)
    .await
}

/// Gives a page back untried, as if it had not been claimed.
pub async fn give_back(conn: &mut Conn, page: &Claimed) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE page SET state = 'queued', attempts = attempts - 1, claimed_until = NULL \
         WHERE id = $1 AND state = 'claimed' AND attempts = $2",
    )
    .bind(&page.id)
    .bind(page.attempts)
    .execute(conn)
    .await?;
    Ok(())
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The provider took it.
    Sent,
    /// It will be tried again.
    Again,
    /// It does not get through: it will be tried again, but others must be told.
    Stuck,
    /// It was tried as often as allowed.
    Failed,
    /// It is over, so it will not be tried again.
    Withheld,
}

/// Records an attempt and what follows from it. What was refused is not tried again once the ticket has been
/// closed meanwhile.
pub async fn record(
    conn: &mut Conn,
    page: &Claimed,
    result: &Result<String, String>,
    now: Timestamp,
) -> sqlx::Result<Outcome> {
    let (ok, answer) = match result {
        Ok(answer) => (1_i64, answer),
        Err(error) => (0, error),
    };
    let answer: String = answer.chars().take(500).collect();
    sqlx::query(
        "INSERT INTO page_attempt (page_id, attempt, at, ok, answer) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(&page.id)
    .bind(page.attempts)
    .bind(now.as_millisecond())
    .bind(ok)
    .bind(&answer)
    .execute(&mut *conn)
    .await?;
    let is_opened = page.purpose == Purpose::Opened.as_str();
    let ticket = lock_ticket(&mut *conn, &page.ticket_id).await?;
    // Who has the ticket knows of it.
    let last = if is_opened && ticket == "open" { ATTEMPTS_END } else { ATTEMPTS_MAX };
    let outcome = if ok == 1 {
        Outcome::Sent
    } else if is_opened && ticket == "closed" {
        Outcome::Withheld
    } else if page.attempts >= last {
        Outcome::Failed
    } else if page.attempts == ATTEMPTS_MAX {
        Outcome::Stuck
    } else {
        Outcome::Again
    };
    let (state, sent_at) = match outcome {
        Outcome::Sent => ("sent", Some(now.as_millisecond())),
        Outcome::Again | Outcome::Stuck => ("queued", None),
        Outcome::Failed => ("failed", None),
        Outcome::Withheld => ("withheld", None),
    };
    // Up to a quarter more, different for each page, so that a provider that comes back is not stormed.
    let wait = backoff(page.attempts).as_millis() as i64;
    let jitter = i64::from(page.id.bytes().fold(0_u8, u8::wrapping_add)) * wait / 1024;
    sqlx::query(
        "UPDATE page SET state = $2, sent_at = COALESCE($3, sent_at), due_at = $4, claimed_until = NULL, \
         last_answer = $5 WHERE id = $1",
    )
    .bind(&page.id)
    .bind(state)
    .bind(sent_at)
    .bind(now.as_millisecond() + wait + jitter)
    .bind(answer)
    .execute(conn)
    .await?;
    Ok(outcome)
}

/// The state of a ticket, which nobody changes until the transaction ends: a page that goes back into the
/// queue is seen by whoever closes the ticket.
async fn lock_ticket(conn: &mut Conn, ticket: &str) -> sqlx::Result<String> {
    sqlx::query_scalar("UPDATE ticket SET changed_at = changed_at WHERE id = $1 RETURNING state")
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
}

/// The pages about a ticket, oldest first. The caller has checked that the viewer may see the ticket.
pub async fn list(conn: &mut Conn, ticket: &str) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "SELECT p.id, p.ticket_id, p.account_id, a.name AS account, p.channel, p.address, p.purpose, p.state, \
         p.created_at, p.sent_at, p.attempts, p.last_answer FROM page p JOIN account a ON a.id = p.account_id \
         WHERE p.ticket_id = $1 ORDER BY p.created_at, p.id LIMIT 500",
    )
    .bind(ticket)
    .fetch_all(conn)
    .await
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
