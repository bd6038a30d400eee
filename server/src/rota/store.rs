//! Rotas in the database: loading one for computing, who is on duty, gaps, versions and overrides.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use sqlx::FromRow;

use super::plan::Plan;
use super::{Change, GAPS_DAYS, Override, OverrideId, Rota, RotaId, SPAN_DAYS_MAX, TeamId, Version, Why};
use crate::clock::from_ms;
use crate::db::Conn;
use crate::user::AccountId;

pub mod change;
pub mod log;
pub mod pay;
pub mod swap;
pub mod team;

/// A person who is on duty now and whose account can sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDutyPerson {
    /// Who.
    pub account_id: AccountId,
    /// In which layer: 0 is the first line.
    pub layer: usize,
    /// Since when.
    pub shift_start: Timestamp,
    /// Until when, itself not included.
    pub shift_end: Timestamp,
}

/// A gap of some rota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotaGap {
    /// Of which rota.
    pub rota_id: RotaId,
    /// What people call it.
    pub rota: String,
    /// Whose it is.
    pub team_id: TeamId,
    /// Which layer.
    pub layer: usize,
    /// From when.
    pub from: Timestamp,
    /// Until when, itself not included.
    pub to: Timestamp,
    /// Why nobody is there.
    pub why: Why,
}

/// A row of `rota` with what a list shows beside it.
#[derive(Clone, Debug, FromRow)]
pub struct Row {
    /// Names it.
    pub id: RotaId,
    /// Whose it is.
    pub team_id: TeamId,
    /// What people call the team.
    pub team: String,
    /// What people call it.
    pub name: String,
    /// Free text.
    pub note: String,
    /// Unix ms.
    pub created_at: i64,
    /// Unix ms; from then on it is not kept any more.
    pub archived_at: Option<i64>,
}

/// A row of `rota_version`.
#[derive(Clone, Debug, FromRow)]
pub struct VersionRow {
    /// From 1.
    pub version: i64,
    /// Unix ms.
    pub from_at: i64,
    /// A [`Plan`] as JSON.
    pub body: String,
    /// Why it was made.
    pub reason: String,
    /// Who made it, by name then.
    pub actor: String,
    /// Unix ms.
    pub created_at: i64,
}

impl VersionRow {
    /// What it says.
    pub fn plan(&self) -> sqlx::Result<Plan> {
        serde_json::from_str(&self.body).map_err(|error| sqlx::Error::Decode(Box::new(error)))
    }
}

/// Everybody on duty in a rota now, first line first; nobody twice in a layer, and nobody whose account is disabled.
pub async fn list_on_duty(conn: &mut Conn, rota: &RotaId, now: Timestamp) -> sqlx::Result<Vec<OnDutyPerson>> {
    let Some(loaded) = load(conn, rota, now, now).await? else { return Ok(Vec::new()) };
    let gone = list_gone(conn).await?;
    let mut people: Vec<OnDutyPerson> = Vec::new();
    for shift in loaded.on_duty(now) {
        let known = people.iter().any(|one| one.layer == shift.layer && one.account_id == shift.account);
        if !known && !gone.contains(&shift.account) {
            people.push(OnDutyPerson {
                account_id: shift.account,
                layer: shift.layer,
                shift_start: shift.start,
                shift_end: shift.end,
            });
        }
    }
    Ok(people)
}

/// The gaps of every kept rota in the next 14 days, soonest first.
pub async fn list_gaps(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<RotaGap>> {
    let until = now + SignedDuration::from_hours(24 * GAPS_DAYS);
    let gone = list_gone(conn).await?;
    let mut gaps = Vec::new();
    for row in list(conn).await?.into_iter().filter(|row| row.archived_at.is_none()) {
        let Some(rota) = load(conn, &row.id, now, until).await? else { continue };
        gaps.extend(rota.gaps(now, until, &gone).into_iter().map(|gap| RotaGap {
            rota_id: row.id.clone(),
            rota: row.name.clone(),
            team_id: row.team_id.clone(),
            layer: gap.layer,
            from: gap.from,
            to: gap.to,
            why: gap.why,
        }));
    }
    gaps.sort_by(|a, b| (a.from, &a.rota_id, a.layer).cmp(&(b.from, &b.rota_id, b.layer)));
    Ok(gaps)
}

/// The kept rotas of the teams that serve a site, itself or through its customer.
pub async fn list_for_site(conn: &mut Conn, site: &str) -> sqlx::Result<Vec<RotaId>> {
    sqlx::query_scalar(
        "SELECT r.id FROM rota r WHERE r.archived_at IS NULL AND EXISTS (SELECT 1 FROM team_serves t \
         JOIN site s ON s.id = $1 WHERE t.team_id = r.team_id AND (t.site_id = s.id OR t.customer_id = s.customer_id)) \
         ORDER BY r.name",
    )
    .bind(site)
    .fetch_all(conn)
    .await
}

/// A rota ready for computing what happens around `from..to`; `None` when there is no such rota.
pub async fn load(
    conn: &mut Conn,
    id: &RotaId,
    from: Timestamp,
    to: Timestamp,
) -> sqlx::Result<Option<Rota>> {
    let Some(row) = find(conn, id.as_str()).await? else { return Ok(None) };
    let mut versions = Vec::new();
    for row in list_versions(conn, id).await? {
        let layers = row.plan()?.build().map_err(|fault| sqlx::Error::Decode(Box::new(fault)))?;
        versions.push(Version { from: from_ms(row.from_at), layers });
    }
    let reach = SignedDuration::from_hours(24 * SPAN_DAYS_MAX).as_millis() as i64;
    let rows = change::list(conn, id, from.as_millisecond() - reach, to.as_millisecond() + reach).await?;
    let overrides = rows.iter().filter_map(change::Row::as_override).collect();
    Ok(Some(Rota { versions, overrides, ends_at: row.archived_at.map(from_ms) }))
}

/// Accounts that cannot sign in.
pub async fn list_gone(conn: &mut Conn) -> sqlx::Result<BTreeSet<AccountId>> {
    let ids: Vec<AccountId> =
        sqlx::query_scalar("SELECT id FROM account WHERE disabled = 1").fetch_all(conn).await?;
    Ok(ids.into_iter().collect())
}

const SELECT: &str = "SELECT r.id, r.team_id, t.name AS team, r.name, r.note, r.created_at, r.archived_at FROM rota r \
     JOIN team t ON t.id = r.team_id";

/// Every rota, by team and name; at most 1,000.
pub async fn list(conn: &mut Conn) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} ORDER BY t.name, r.name LIMIT 1000")))
        .fetch_all(conn)
        .await
}

/// One rota by its id.
pub async fn find(conn: &mut Conn, id: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE r.id = $1")))
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// One rota by its name.
pub async fn find_by_name(conn: &mut Conn, name: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE r.name = $1")))
        .bind(name)
        .fetch_optional(conn)
        .await
}

/// Adds a rota without a version; `None` when the name is taken.
pub async fn insert(
    conn: &mut Conn,
    team: &TeamId,
    name: &str,
    note: &str,
    now: Timestamp,
) -> sqlx::Result<Option<RotaId>> {
    let id = RotaId::new(now);
    let done = sqlx::query(
        "INSERT INTO rota (id, team_id, name, note, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO NOTHING",
    )
    .bind(id.as_str())
    .bind(team.as_str())
    .bind(name)
    .bind(note)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok((done.rows_affected() == 1).then_some(id))
}

/// Writes name, note and end of a rota; `false` when the name is taken.
pub async fn update(conn: &mut Conn, row: &Row) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE rota SET name = $2, note = $3, archived_at = CAST($4 AS BIGINT) WHERE id = $1 \
         AND NOT EXISTS (SELECT 1 FROM rota o WHERE o.name = $2 AND o.id <> $1)",
    )
    .bind(row.id.as_str())
    .bind(&row.name)
    .bind(&row.note)
    .bind(row.archived_at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A new version of a rota.
#[derive(Clone, Debug)]
pub struct NewVersion<'a> {
    /// What it says.
    pub plan: &'a Plan,
    /// From when it holds.
    pub from: Timestamp,
    /// Why it is made.
    pub reason: &'a str,
    /// Whose account.
    pub account: &'a AccountId,
    /// The person's name.
    pub actor: &'a str,
}

/// Adds a version with the next number, and returns that.
pub async fn insert_version(
    conn: &mut Conn,
    rota: &RotaId,
    new: &NewVersion<'_>,
    now: Timestamp,
) -> sqlx::Result<i64> {
    let body = serde_json::to_string(new.plan).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
    // The row lock on the rota keeps two writers from taking the same number.
    sqlx::query("UPDATE rota SET note = note WHERE id = $1").bind(rota.as_str()).execute(&mut *conn).await?;
    sqlx::query_scalar(
        "INSERT INTO rota_version (rota_id, version, from_at, body, reason, account_id, actor, created_at) \
         SELECT $1, COALESCE(MAX(version), 0) + 1, $2, $3, $4, $5, $6, $7 FROM rota_version WHERE rota_id = $1 \
         RETURNING version",
    )
    .bind(rota.as_str())
    .bind(new.from.as_millisecond())
    .bind(body)
    .bind(new.reason)
    .bind(new.account.as_str())
    .bind(new.actor)
    .bind(now.as_millisecond())
    .fetch_one(conn)
    .await
}

/// The versions of a rota, oldest first; the newest 500.
pub async fn list_versions(conn: &mut Conn, rota: &RotaId) -> sqlx::Result<Vec<VersionRow>> {
    sqlx::query_as(
        "SELECT version, from_at, body, reason, actor, created_at FROM (SELECT version, from_at, body, reason, actor, \
         created_at FROM rota_version WHERE rota_id = $1 ORDER BY version DESC LIMIT 500) v ORDER BY version",
    )
    .bind(rota.as_str())
    .fetch_all(conn)
    .await
}

/// A [`Change`] from its columns; `None` for a row that says nothing.
fn change_of(out: Option<&str>, by: Option<&str>) -> Option<Change> {
    match (out, by) {
        (Some(out), Some(by)) => Some(Change::Replace { out: out.into(), by: by.into() }),
        (None, Some(by)) => Some(Change::Add { by: by.into() }),
        (Some(out), None) => Some(Change::Remove { out: out.into() }),
        (None, None) => None,
    }
}
