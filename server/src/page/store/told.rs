//! SQL for pages that a gateway has sent by itself while it was cut off. Such a page is a row like any other, on
//! the channel `gateway`; what the server would page of the same trouble to the same person counts as sent.

use jiff::Timestamp;

use super::{PageId, TARGET, Target};
use crate::db::Conn;
use crate::page::Purpose;

/// The channel of such pages.
pub const CHANNEL: &str = "gateway";
/// What stands for the provider's answer on a page that was not sent because the gateway had told it.
pub const ANSWER: &str = "told by the gateway while it was cut off";

/// What a gateway says that it has told.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "named as on the wire")]
pub struct Told<'a> {
    pub key: &'a str,
    pub ticket: &'a str,
    pub account: &'a str,
    pub address: &'a str,
    pub code: &'a str,
    pub purpose: Purpose,
    pub answer: &'a str,
    pub at: Timestamp,
}

/// Takes it down; false when it is known already.
pub async fn insert(conn: &mut Conn, told: &Told<'_>, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO page (id, idem_key, ticket_id, account_id, channel, address, template, purpose, language, state, \
         created_at, due_at, attempts, sent_at, last_answer, told, told_open) SELECT $1, $2, $3, id, $5, $6, '', $7, language, \
         'sent', $8, $8, 1, $8, $9, $10, $11 FROM account WHERE id = $4 ON CONFLICT (idem_key) DO NOTHING",
    )
    .bind(PageId::new(now).as_str())
    .bind(told.key)
    .bind(told.ticket)
    .bind(told.account)
    .bind(CHANNEL)
    .bind(told.address)
    .bind(told.purpose.as_str())
    .bind(told.at.as_millisecond())
    .bind(told.answer.chars().take(500).collect::<String>())
    .bind(told.code)
    .bind(i64::from(told.purpose == Purpose::Opened))
    .execute(&mut *conn)
    .await?;
    if told.purpose == Purpose::Closed {
        settle(conn, told.ticket, told.account).await?;
    }
    Ok(done.rows_affected() == 1)
}

/// Nothing more is to be told to this person of what the gateway told.
pub async fn settle(conn: &mut Conn, ticket: &str, account: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE page SET told_open = 0 WHERE told_open = 1 AND ticket_id = $1 AND account_id = $2")
        .bind(ticket)
        .bind(account)
        .execute(conn)
        .await?;
    Ok(())
}

/// When the gateway told a person what is now to be paged, if this is the first that the server has to say to
/// that person about the ticket: what escalates later, or has become another fault, is paged.
pub async fn find(
    conn: &mut Conn,
    ticket: &str,
    purpose: Purpose,
    to: &Target,
    now: Timestamp,
) -> sqlx::Result<Option<i64>> {
    if purpose != Purpose::Opened {
        return Ok(None);
    }
    let told: Option<i64> = sqlx::query_scalar(
        "SELECT MAX(p.sent_at) FROM page p JOIN ticket t ON t.id = p.ticket_id WHERE p.ticket_id = $1 \
         AND p.account_id = $2 AND p.told = t.code AND p.purpose = 'opened' AND p.told_open = 1 AND NOT EXISTS \
         (SELECT 1 FROM page own WHERE own.ticket_id = $1 AND own.account_id = $2 AND own.told IS NULL \
         AND own.purpose = 'opened' AND own.created_at < $3)",
    )
    .bind(ticket)
    .bind(&to.account_id)
    .bind(now.as_millisecond())
    .fetch_one(conn)
    .await?;
    Ok(told)
}

/// People whom a gateway has told of trouble that is over, with nobody having told them so: the ticket, and each
/// way to each of them.
pub async fn list_untold_ends(conn: &mut Conn) -> sqlx::Result<Vec<(String, String)>> {
    sqlx::query_as(
        "SELECT DISTINCT p.ticket_id, p.account_id FROM page p JOIN ticket t ON t.id = p.ticket_id \
         LEFT JOIN gateway g ON g.id = t.gateway_id WHERE p.told_open = 1 AND t.state = 'closed' \
         AND g.replay_to IS NULL ORDER BY p.ticket_id, p.account_id LIMIT 100",
    )
    .fetch_all(conn)
    .await
}

/// Every way to a person.
pub async fn list_ways(conn: &mut Conn, account: &str) -> sqlx::Result<Vec<Target>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{TARGET} WHERE a.id = $1 AND a.disabled = 0 AND c.enabled = 1 ORDER BY account, contact_id"
    )))
    .bind(account)
    .fetch_all(conn)
    .await
}
