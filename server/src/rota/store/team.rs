//! Teams in the database: who is in them and whom they serve.

use jiff::Timestamp;
use sqlx::FromRow;

use crate::db::Conn;
use crate::id::uuid_v7;
use crate::rota::TeamId;
use crate::user::AccountId;

/// A row of `team`.
#[derive(Clone, Debug, FromRow)]
pub struct Row {
    /// Names it.
    pub id: TeamId,
    /// What people call it.
    pub name: String,
    /// Free text.
    pub note: String,
    /// Unix ms.
    pub created_at: i64,
    /// Unix ms.
    pub archived_at: Option<i64>,
}

/// Somebody in a team.
#[derive(Clone, Debug, FromRow)]
pub struct Member {
    /// In which team.
    pub team_id: TeamId,
    /// Who.
    pub account_id: AccountId,
    /// What others read.
    pub name: String,
    /// 1 when the account cannot sign in.
    pub disabled: i64,
}

/// Whom a team serves: a customer with all of its sites, or one site.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Serves {
    pub team_id: TeamId,
    pub customer_id: Option<String>,
    pub customer: Option<String>,
    pub site_id: Option<String>,
    pub site: Option<String>,
    pub site_zh: Option<String>,
}

/// Every team, by name; at most 1,000.
pub async fn list(conn: &mut Conn) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as("SELECT id, name, note, created_at, archived_at FROM team ORDER BY name LIMIT 1000")
        .fetch_all(conn)
        .await
}

/// One team.
pub async fn find(conn: &mut Conn, id: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as("SELECT id, name, note, created_at, archived_at FROM team WHERE id = $1")
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// Adds a team; `None` when the name is taken.
pub async fn insert(conn: &mut Conn, name: &str, note: &str, now: Timestamp) -> sqlx::Result<Option<TeamId>> {
    let id = TeamId::new(now);
    let done = sqlx::query(
        "INSERT INTO team (id, name, note, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING",
    )
    .bind(id.as_str())
    .bind(name)
    .bind(note)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok((done.rows_affected() == 1).then_some(id))
}

/// Writes name, note and end of a team; `false` when the name is taken.
pub async fn update(conn: &mut Conn, row: &Row) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE team SET name = $2, note = $3, archived_at = CAST($4 AS BIGINT) WHERE id = $1 \
         AND NOT EXISTS (SELECT 1 FROM team o WHERE o.name = $2 AND o.id <> $1)",
    )
    .bind(row.id.as_str())
    .bind(&row.name)
    .bind(&row.note)
    .bind(row.archived_at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Everybody in a team, or in all of them, by name.
pub async fn list_members(conn: &mut Conn, team: Option<&str>) -> sqlx::Result<Vec<Member>> {
    sqlx::query_as(
        "SELECT m.team_id, m.account_id, a.name, a.disabled FROM team_member m JOIN account a ON a.id = m.account_id \
         WHERE (CAST($1 AS TEXT) IS NULL OR m.team_id = $1) ORDER BY a.name, a.id",
    )
    .bind(team)
    .fetch_all(conn)
    .await
}

/// Whom a team, or all of them, serve.
pub async fn list_served(conn: &mut Conn, team: Option<&str>) -> sqlx::Result<Vec<Serves>> {
    sqlx::query_as(
        "SELECT t.team_id, t.customer_id, c.name AS customer, t.site_id, s.name AS site, s.name_zh AS site_zh \
         FROM team_serves t LEFT JOIN customer c ON c.id = t.customer_id LEFT JOIN site s ON s.id = t.site_id \
         WHERE (CAST($1 AS TEXT) IS NULL OR t.team_id = $1) ORDER BY c.name, s.name, t.id",
    )
    .bind(team)
    .fetch_all(conn)
    .await
}

/// Makes these people the team.
pub async fn set_members(
    conn: &mut Conn,
    team: &TeamId,
    people: &[String],
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM team_member WHERE team_id = $1").bind(team.as_str()).execute(&mut *conn).await?;
    for account in people {
        sqlx::query(
            "INSERT INTO team_member (team_id, account_id, created_at) VALUES ($1, $2, $3) \
             ON CONFLICT (team_id, account_id) DO NOTHING",
        )
        .bind(team.as_str())
        .bind(account)
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Makes these customers and sites the ones that a team serves.
pub async fn set_served(
    conn: &mut Conn,
    team: &TeamId,
    customers: &[String],
    sites: &[String],
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM team_serves WHERE team_id = $1").bind(team.as_str()).execute(&mut *conn).await?;
    let served = customers.iter().map(|id| (Some(id), None)).chain(sites.iter().map(|id| (None, Some(id))));
    for (customer, site) in served {
        sqlx::query("INSERT INTO team_serves (id, team_id, customer_id, site_id) VALUES ($1, $2, $3, $4)")
            .bind(uuid_v7(now))
            .bind(team.as_str())
            .bind(customer)
            .bind(site)
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}
