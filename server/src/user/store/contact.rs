//! How people are reached, in the database.

use jiff::Timestamp;
use sqlx::FromRow;

use super::as_bool;
use crate::db::Conn;
use crate::user::AccountId;

/// A row of `contact_method`.
#[derive(Clone, Debug, FromRow, serde::Serialize, utoipa::ToSchema)]
pub struct Contact {
    /// Names it.
    pub id: String,
    /// Whose.
    pub account_id: AccountId,
    /// A channel by its name, as `GET /api/v1/channels` lists them.
    pub channel: String,
    /// Where the person is reached on it. Of a browser's subscription only the push service is shown.
    pub address: String,
    /// The body that the `http` channel sends.
    pub template: String,
    /// 0 or 1.
    #[serde(serialize_with = "as_bool")]
    #[schema(value_type = bool)]
    pub enabled: i64,
    /// Unix milliseconds.
    pub created_at: i64,
    /// When a test page last got through, Unix milliseconds.
    pub tested_at: Option<i64>,
    /// What the last test page that failed ran into.
    pub test_error: Option<String>,
    /// What the provider answered to the last test page that it took.
    pub test_answer: Option<String>,
    /// So many pages at most in `limit_minutes`; more are put together into one. 0 is no limit.
    pub limit_pages: i64,
    /// See `limit_pages`.
    pub limit_minutes: i64,
    /// Quiet hours begin at this minute of the day; `null` is none.
    pub quiet_from: Option<i64>,
    /// Quiet hours end at this minute of the day.
    pub quiet_to: Option<i64>,
    /// The person's zone, in which the quiet hours are.
    pub zone: String,
    /// When the provider said that the address has ceased to exist, Unix milliseconds; it is not used since.
    pub gone_at: Option<i64>,
    /// What the provider said then.
    pub gone_why: Option<String>,
}

const CONTACT: &str = "id, account_id, channel, address, template, enabled, created_at, tested_at, test_error, test_answer, \
     limit_pages, limit_minutes, quiet_from, quiet_to, zone, gone_at, gone_why";

/// Inserts a contact.
pub async fn insert_contact(conn: &mut Conn, contact: &Contact) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO contact_method (id, account_id, channel, address, template, enabled, created_at, limit_pages, \
         limit_minutes, quiet_from, quiet_to, zone) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(contact.id.clone())
    .bind(contact.account_id.as_str().to_owned())
    .bind(contact.channel.clone())
    .bind(contact.address.clone())
    .bind(contact.template.clone())
    .bind(contact.enabled)
    .bind(contact.created_at)
    .bind(contact.limit_pages)
    .bind(contact.limit_minutes)
    .bind(contact.quiet_from)
    .bind(contact.quiet_to)
    .bind(contact.zone.clone())
    .execute(conn)
    .await?;
    Ok(())
}

/// The contacts of an account, oldest first.
pub async fn list_contacts(conn: &mut Conn, account: &AccountId) -> sqlx::Result<Vec<Contact>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {CONTACT} FROM contact_method WHERE account_id = $1 ORDER BY id"
    )))
    .bind(account.as_str().to_owned())
    .fetch_all(conn)
    .await
}

/// One contact of an account.
pub async fn find_contact(conn: &mut Conn, account: &str, id: &str) -> sqlx::Result<Option<Contact>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {CONTACT} FROM contact_method WHERE account_id = $1 AND id = $2"
    )))
    .bind(account.to_owned())
    .bind(id.to_owned())
    .fetch_optional(conn)
    .await
}

/// The contact that a page goes to, if it still stands.
pub async fn find_contact_at(
    conn: &mut Conn,
    account: &str,
    channel: &str,
    address: &str,
) -> sqlx::Result<Option<Contact>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {CONTACT} FROM contact_method WHERE account_id = $1 AND channel = $2 AND address = $3 ORDER BY id LIMIT 1"
    )))
    .bind(account.to_owned())
    .bind(channel.to_owned())
    .bind(address.to_owned())
    .fetch_optional(conn)
    .await
}

/// Writes what may change of a contact. One that is used again is no longer gone.
pub async fn update_contact(conn: &mut Conn, contact: &Contact) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE contact_method SET address = $2, template = $3, enabled = $4, limit_pages = $5, limit_minutes = $6, \
         quiet_from = $7, quiet_to = $8, zone = $9, gone_at = CASE WHEN $4 = 1 THEN NULL ELSE gone_at END, \
         gone_why = CASE WHEN $4 = 1 THEN NULL ELSE gone_why END WHERE id = $1",
    )
    .bind(contact.id.clone())
    .bind(contact.address.clone())
    .bind(contact.template.clone())
    .bind(contact.enabled)
    .bind(contact.limit_pages)
    .bind(contact.limit_minutes)
    .bind(contact.quiet_from)
    .bind(contact.quiet_to)
    .bind(contact.zone.clone())
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes a contact.
pub async fn delete_contact(conn: &mut Conn, id: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM contact_method WHERE id = $1").bind(id.to_owned()).execute(conn).await?;
    Ok(())
}

/// Notes how a test page went: the provider's answer, or what it ran into.
pub async fn record_test(
    conn: &mut Conn,
    id: &str,
    result: Result<&str, &str>,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE contact_method SET test_error = $2, test_answer = COALESCE($3, test_answer), \
         tested_at = CASE WHEN CAST($2 AS TEXT) IS NULL THEN $4 ELSE tested_at END WHERE id = $1",
    )
    .bind(id.to_owned())
    .bind(result.err().map(str::to_owned))
    .bind(result.ok().map(str::to_owned))
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes an address out of use that the provider calls gone; false when it was so already.
pub async fn set_gone(
    conn: &mut Conn,
    account: &str,
    channel: &str,
    address: &str,
    why: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE contact_method SET enabled = 0, gone_at = $4, gone_why = $5 \
         WHERE account_id = $1 AND channel = $2 AND address = $3 AND enabled = 1",
    )
    .bind(account.to_owned())
    .bind(channel.to_owned())
    .bind(address.to_owned())
    .bind(now.as_millisecond())
    .bind(why.to_owned())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// People who are reached by nothing but pushes, by id and name: a push may be lost on the way to a phone without
/// anybody's notice.
pub async fn list_push_alone(conn: &mut Conn) -> sqlx::Result<Vec<(String, String)>> {
    sqlx::query_as(
        "SELECT a.id, a.name FROM account a WHERE a.disabled = 0 AND EXISTS (SELECT 1 FROM contact_method c \
         WHERE c.account_id = a.id AND c.enabled = 1) AND NOT EXISTS (SELECT 1 FROM contact_method c WHERE \
         c.account_id = a.id AND c.enabled = 1 AND c.channel NOT IN ('web_push', 'ntfy')) ORDER BY a.name",
    )
    .fetch_all(conn)
    .await
}
