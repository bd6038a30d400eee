//! SQL for what a site allows, and for consents.

use jiff::Timestamp;

use super::{mode, rule};
use crate::db::Conn;
use crate::id::uuid_v7;
use crate::remedy::{ConsentMode, Rule};

/// What a site allows. Without a row it is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Remedies at all: the switch that ends them.
    pub enabled: bool,
    /// Whether the customer is asked.
    pub consent: ConsentMode,
    /// From which minute of the site's day to which; equal = always.
    pub hours: (i64, i64),
    /// When that was last changed, Unix ms; 0 = never.
    pub changed_at: i64,
    /// By whom.
    pub changed_by: String,
}

/// What a site allows.
pub async fn find(conn: &mut Conn, site: &str) -> sqlx::Result<Settings> {
    let row: Option<(i64, String, i64, i64, i64, String)> = sqlx::query_as(
        "SELECT enabled, consent, from_minute, to_minute, changed_at, changed_by FROM remedy_site WHERE site_id = $1",
    )
    .bind(site)
    .fetch_optional(conn)
    .await?;
    let nothing = (0, ConsentMode::None.as_str().to_owned(), 0, 0, 0, String::new());
    let (enabled, consent, from, to, changed_at, changed_by) = row.unwrap_or(nothing);
    let consent = mode(&consent);
    Ok(Settings { enabled: enabled == 1, consent, hours: (from, to), changed_at, changed_by })
}

/// The rules of a site, by class and kind.
pub async fn list_rules(conn: &mut Conn, site: &str) -> sqlx::Result<Vec<Rule>> {
    let rows = sqlx::query_as(
        "SELECT class, kind, automatic, codes, daily_limit, wait_s, days_limit FROM remedy_rule WHERE site_id = $1 \
         ORDER BY class, kind",
    )
    .bind(site)
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(rule).collect())
}

/// Replaces what a site allows.
pub async fn replace(
    conn: &mut Conn,
    site: &str,
    settings: &Settings,
    rules: &[Rule],
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO remedy_site (site_id, enabled, consent, from_minute, to_minute, changed_at, changed_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (site_id) DO UPDATE SET enabled = excluded.enabled, \
         consent = excluded.consent, from_minute = excluded.from_minute, to_minute = excluded.to_minute, \
         changed_at = excluded.changed_at, changed_by = excluded.changed_by",
    )
    .bind(site)
    .bind(i64::from(settings.enabled))
    .bind(settings.consent.as_str())
    .bind(settings.hours.0)
    .bind(settings.hours.1)
    .bind(now.as_millisecond())
    .bind(&settings.changed_by)
    .execute(&mut *conn)
    .await?;
    sqlx::query("DELETE FROM remedy_rule WHERE site_id = $1").bind(site).execute(&mut *conn).await?;
    for rule in rules {
        sqlx::query(
            "INSERT INTO remedy_rule (site_id, class, kind, automatic, codes, daily_limit, wait_s, days_limit) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(site)
        .bind(&rule.class)
        .bind(rule.kind.as_str())
        .bind(i64::from(rule.automatic))
        .bind(rule.codes.join(" "))
        .bind(rule.daily_limit)
        .bind(rule.wait_s)
        .bind(rule.days_limit)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// A consent on record. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Consent {
    pub id: String,
    pub standing: i64,
    pub given_by: String,
    pub words: String,
    pub given_at: i64,
    pub until_at: Option<i64>,
    pub recorded_by: String,
    pub revoked_at: Option<i64>,
    pub revoked_by: String,
}

const SELECT: &str = "SELECT id, standing, given_by, words, given_at, until_at, recorded_by, revoked_at, revoked_by \
     FROM remedy_consent";

/// The standing consents of a site, newest first; at most 100.
pub async fn list_consents(conn: &mut Conn, site: &str) -> sqlx::Result<Vec<Consent>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} WHERE site_id = $1 AND standing = 1 ORDER BY given_at DESC, id DESC LIMIT 100"
    )))
    .bind(site)
    .fetch_all(conn)
    .await
}

/// The standing consent of a site that holds now.
pub async fn find_standing(conn: &mut Conn, site: &str, now: Timestamp) -> sqlx::Result<Option<Consent>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} WHERE site_id = $1 AND standing = 1 AND revoked_at IS NULL AND given_at <= $2 \
         AND (until_at IS NULL OR until_at > $2) ORDER BY given_at DESC, id DESC LIMIT 1"
    )))
    .bind(site)
    .bind(now.as_millisecond())
    .fetch_optional(conn)
    .await
}

/// What is recorded of a consent.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct NewConsent<'a> {
    pub site_id: &'a str,
    pub standing: bool,
    pub given_by: &'a str,
    pub words: &'a str,
    pub until_at: Option<i64>,
    pub recorded_by: &'a str,
}

/// Records who agreed, in which words; its id.
pub async fn insert_consent(conn: &mut Conn, new: &NewConsent<'_>, now: Timestamp) -> sqlx::Result<String> {
    let id = uuid_v7(now);
    sqlx::query(
        "INSERT INTO remedy_consent (id, site_id, standing, given_by, words, given_at, until_at, recorded_by, revoked_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '')",
    )
    .bind(&id)
    .bind(new.site_id)
    .bind(i64::from(new.standing))
    .bind(new.given_by)
    .bind(new.words)
    .bind(now.as_millisecond())
    .bind(new.until_at)
    .bind(new.recorded_by)
    .execute(conn)
    .await?;
    Ok(id)
}

/// Takes a standing consent of a site back; false when there is none that stands.
pub async fn revoke(conn: &mut Conn, site: &str, id: &str, by: &str, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE remedy_consent SET revoked_at = $3, revoked_by = $4 WHERE id = $1 AND site_id = $2 AND standing = 1 \
         AND revoked_at IS NULL",
    )
    .bind(id)
    .bind(site)
    .bind(now.as_millisecond())
    .bind(by)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
