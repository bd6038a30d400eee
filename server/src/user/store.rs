//! Accounts, sessions, contacts and duty in the database.

use jiff::Timestamp;
use sqlx::{FromRow, Row};

use super::{AccountId, Language, Role, SESSION_IDLE_MS};
use crate::customer::CustomerId;
use crate::db::Conn;

pub mod contact;
pub mod skill;

pub use contact::Contact;

/// A row of `account`.
#[derive(Clone, Debug, FromRow)]
pub struct Account {
    /// Names it.
    pub id: AccountId,
    /// What the person types to sign in.
    pub login: String,
    /// What others read.
    pub name: String,
    /// A [`Role`] by its name.
    pub role: String,
    /// Whose rows a customer sees.
    pub customer_id: Option<String>,
    /// PHC string.
    pub password_hash: String,
    /// 1 until the person has chosen its own password.
    pub must_change: i64,
    /// 1 when it may not sign in.
    pub disabled: i64,
    /// A [`Language`] by its name.
    pub language: String,
    /// Unix milliseconds.
    pub created_at: i64,
}

/// A new account.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// What the person types to sign in, lower case.
    pub login: String,
    /// What others read.
    pub name: String,
    /// What the person is.
    pub role: Role,
    /// Whose rows a customer sees; `None` for every other role.
    pub customer_id: Option<CustomerId>,
    /// PHC string, from [`super::password`].
    pub password_hash: String,
    /// Whether the password was chosen by somebody else.
    pub must_change: bool,
    /// What the person reads.
    pub language: Language,
}

/// A new session.
#[derive(Debug)]
pub struct NewSession {
    /// SHA-256 of the secret, hex.
    pub token_hash: String,
    /// Whose.
    pub account: AccountId,
    /// What the caller must repeat in a header when it writes.
    pub csrf: String,
    /// When.
    pub now: Timestamp,
    /// When it ends at the latest, Unix milliseconds.
    pub expires_at: i64,
    /// The program, as it names itself.
    pub client: String,
}

/// A session with its account.
#[derive(Debug, FromRow)]
pub struct SessionRow {
    /// What the caller must repeat in a header when it writes.
    pub csrf: String,
    /// Unix milliseconds.
    pub seen_at: i64,
    /// Unix milliseconds.
    pub expires_at: i64,
    /// Whose.
    pub account_id: String,
    /// What others read.
    pub name: String,
    /// A [`Role`] by its name.
    pub role: String,
    /// Whose rows a customer sees.
    pub customer_id: Option<String>,
    /// A [`Language`] by its name.
    pub language: String,
    /// 1 until the person has chosen its own password.
    pub must_change: i64,
    /// 1 when it may not sign in.
    pub disabled: i64,
}

/// A row of `duty` with the names it needs.
#[derive(Clone, Debug, FromRow, serde::Serialize, utoipa::ToSchema)]
pub struct Duty {
    /// Names it.
    pub id: String,
    /// For which site; `null` is every site that has no duty of its own.
    pub site_id: Option<String>,
    /// The site's name.
    pub site_name: Option<String>,
    /// Who is paged.
    pub account_id: String,
    /// The person's name.
    pub account: String,
    /// Unix milliseconds.
    pub created_at: i64,
}

/// Serialises a flag of the database as a truth value.
pub fn as_bool<S: serde::Serializer>(flag: &i64, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bool(*flag != 0)
}

const ACCOUNT: &str =
    "id, login, name, role, customer_id, password_hash, must_change, disabled, language, created_at";
/// Inserts an account; a login that is taken is a conflict.
pub async fn insert_account(conn: &mut Conn, new: &NewAccount, now: Timestamp) -> sqlx::Result<AccountId> {
    let id = AccountId::new(now);
    let changed_at = (!new.must_change).then(|| now.as_millisecond());
    sqlx::query(
        "INSERT INTO account (id, login, name, role, customer_id, password_hash, must_change, disabled, language, \
         created_at, password_changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10)",
    )
    .bind(id.as_str())
    .bind(&new.login)
    .bind(&new.name)
    .bind(new.role.as_str())
    .bind(new.customer_id.as_ref().map(CustomerId::as_str))
    .bind(&new.password_hash)
    .bind(i64::from(new.must_change))
    .bind(new.language.as_str())
    .bind(now.as_millisecond())
    .bind(changed_at)
    .execute(conn)
    .await?;
    Ok(id)
}

/// The account with that login.
pub async fn find_by_login(conn: &mut Conn, login: &str) -> sqlx::Result<Option<Account>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("SELECT {ACCOUNT} FROM account WHERE login = $1")))
        .bind(login.to_owned())
        .fetch_optional(conn)
        .await
}

/// The account of that id.
pub async fn find_account(conn: &mut Conn, id: &str) -> sqlx::Result<Option<Account>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("SELECT {ACCOUNT} FROM account WHERE id = $1")))
        .bind(id.to_owned())
        .fetch_optional(conn)
        .await
}

/// All accounts, by name.
pub async fn list_accounts(conn: &mut Conn) -> sqlx::Result<Vec<Account>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("SELECT {ACCOUNT} FROM account ORDER BY name, login")))
        .fetch_all(conn)
        .await
}

/// How many accounts there are.
pub async fn count_accounts(conn: &mut Conn) -> sqlx::Result<i64> {
    sqlx::query("SELECT CAST(COUNT(*) AS BIGINT) FROM account").fetch_one(conn).await?.try_get(0)
}

/// How many administrators can sign in.
pub async fn count_administrators(conn: &mut Conn) -> sqlx::Result<i64> {
    sqlx::query("SELECT CAST(COUNT(*) AS BIGINT) FROM account WHERE role = 'administrator' AND disabled = 0")
        .fetch_one(conn)
        .await?
        .try_get(0)
}

/// Whether some administrator has a password that only it knows.
pub async fn administrator_is_settled(conn: &mut Conn) -> sqlx::Result<bool> {
    let row = sqlx::query(
        "SELECT 1 FROM account WHERE role = 'administrator' AND password_changed_at IS NOT NULL LIMIT 1",
    );
    Ok(row.fetch_optional(conn).await?.is_some())
}

/// Writes everything of `account` that may change, except its password.
pub async fn update_account(conn: &mut Conn, account: &Account) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE account SET name = $2, role = $3, customer_id = $4, disabled = $5, language = $6 WHERE id = $1",
    )
    .bind(account.id.as_str().to_owned())
    .bind(account.name.clone())
    .bind(account.role.clone())
    .bind(account.customer_id.clone())
    .bind(account.disabled)
    .bind(account.language.clone())
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes a password. One chosen by somebody else must be changed at the next login.
pub async fn set_password(
    conn: &mut Conn,
    id: &AccountId,
    hash: &str,
    must_change: bool,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE account SET password_hash = $2, must_change = $3, \
         password_changed_at = CASE WHEN $3 = 0 THEN $4 ELSE password_changed_at END WHERE id = $1",
    )
    .bind(id.as_str().to_owned())
    .bind(hash.to_owned())
    .bind(i64::from(must_change))
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Inserts a session.
pub async fn insert_session(conn: &mut Conn, new: &NewSession) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO login_session (token_hash, account_id, csrf, created_at, seen_at, expires_at, client) \
         VALUES ($1, $2, $3, $4, $4, $5, $6)",
    )
    .bind(new.token_hash.clone())
    .bind(new.account.as_str().to_owned())
    .bind(new.csrf.clone())
    .bind(new.now.as_millisecond())
    .bind(new.expires_at)
    .bind(new.client.clone())
    .execute(conn)
    .await?;
    Ok(())
}

/// The session of that secret's hash.
pub async fn find_session(conn: &mut Conn, token_hash: &str) -> sqlx::Result<Option<SessionRow>> {
    sqlx::query_as(
        "SELECT s.csrf, s.seen_at, s.expires_at, s.account_id, a.name, a.role, a.customer_id, a.language, \
         a.must_change, a.disabled FROM login_session s JOIN account a ON a.id = s.account_id \
         WHERE s.token_hash = $1",
    )
    .bind(token_hash.to_owned())
    .fetch_optional(conn)
    .await
}

/// Notes that a session was used.
pub async fn touch_session(conn: &mut Conn, token_hash: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("UPDATE login_session SET seen_at = $2 WHERE token_hash = $1")
        .bind(token_hash.to_owned())
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends one session.
pub async fn delete_session(conn: &mut Conn, token_hash: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM login_session WHERE token_hash = $1")
        .bind(token_hash.to_owned())
        .execute(conn)
        .await?;
    Ok(())
}

/// Ends every session of an account, except one.
pub async fn delete_sessions(conn: &mut Conn, account: &AccountId, except: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM login_session WHERE account_id = $1 AND token_hash <> $2")
        .bind(account.as_str().to_owned())
        .bind(except.to_owned())
        .execute(conn)
        .await?;
    Ok(())
}

/// Removes the sessions that have ended by themselves.
pub async fn delete_ended_sessions(conn: &mut Conn, now: Timestamp) -> sqlx::Result<()> {
    let now = now.as_millisecond();
    sqlx::query("DELETE FROM login_session WHERE expires_at <= $1 OR seen_at <= $2")
        .bind(now)
        .bind(now - SESSION_IDLE_MS)
        .execute(conn)
        .await?;
    Ok(())
}

/// The name others read of an account.
pub async fn name_of(conn: &mut Conn, id: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("SELECT name FROM account WHERE id = $1")
        .bind(id.to_owned())
        .fetch_optional(conn)
        .await
}

/// All duty, the common one first.
pub async fn list_duty(conn: &mut Conn) -> sqlx::Result<Vec<Duty>> {
    sqlx::query_as(
        "SELECT d.id, d.site_id, s.name AS site_name, d.account_id, a.name AS account, d.created_at \
         FROM duty d JOIN account a ON a.id = d.account_id LEFT JOIN site s ON s.id = d.site_id \
         ORDER BY CASE WHEN d.site_id IS NULL THEN 0 ELSE 1 END, s.name, a.name",
    )
    .fetch_all(conn)
    .await
}

/// Puts somebody on duty; `false` when it is so already.
pub async fn insert_duty(
    conn: &mut Conn,
    id: &str,
    site: Option<&str>,
    account: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO duty (id, site_id, account_id, created_at) SELECT $1, CAST($2 AS TEXT), $3, CAST($4 AS BIGINT) WHERE NOT EXISTS \
         (SELECT 1 FROM duty WHERE account_id = $3 AND COALESCE(site_id, '') = COALESCE(CAST($2 AS TEXT), ''))",
    )
    .bind(id.to_owned())
    .bind(site.map(str::to_owned))
    .bind(account.to_owned())
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes somebody off duty; `false` when there was no such row.
pub async fn delete_duty(conn: &mut Conn, id: &str) -> sqlx::Result<bool> {
    let done = sqlx::query("DELETE FROM duty WHERE id = $1").bind(id.to_owned()).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}
