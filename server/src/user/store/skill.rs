//! SQL for what people can do and where they live.

use jiff::Timestamp;

use crate::db::Conn;
use crate::id::uuid_v7;

/// A skill of a person. Times are Unix ms.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Skill {
    /// Which.
    pub skill: String,
    /// The certificate that says so; may be empty.
    pub certificate: String,
    /// When it runs out; `None` = never.
    pub expires_at: Option<i64>,
}

/// Where a person lives.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct Home {
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// The datum of both.
    pub datum: String,
}

/// Somebody with a skill, and where the person lives if that is known.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Skilled {
    pub account_id: String,
    pub lat: Option<f64>,
    pub lon: Option<f64>,
    pub datum: Option<String>,
}

/// The people with a skill whose certificate is good at `at` and who can sign in.
pub async fn list_skilled(conn: &mut Conn, skill: &str, at: Timestamp) -> sqlx::Result<Vec<Skilled>> {
    sqlx::query_as(
        "SELECT s.account_id, h.lat, h.lon, h.datum FROM account_skill s JOIN account a ON a.id = s.account_id \
         LEFT JOIN account_home h ON h.account_id = a.id WHERE s.skill = $1 AND a.disabled = 0 \
         AND (s.expires_at IS NULL OR s.expires_at > $2) ORDER BY a.name, a.id LIMIT 1000",
    )
    .bind(skill)
    .bind(at.as_millisecond())
    .fetch_all(conn)
    .await
}

/// The skills of a person, by name.
pub async fn list(conn: &mut Conn, account: &str) -> sqlx::Result<Vec<Skill>> {
    sqlx::query_as(
        "SELECT skill, certificate, expires_at FROM account_skill WHERE account_id = $1 ORDER BY skill",
    )
    .bind(account)
    .fetch_all(conn)
    .await
}

/// Every skill that anybody has, by name; at most 500.
pub async fn list_names(conn: &mut Conn) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar("SELECT DISTINCT skill FROM account_skill ORDER BY skill LIMIT 500")
        .fetch_all(conn)
        .await
}

/// Where a person lives, if it is known.
pub async fn find_home(conn: &mut Conn, account: &str) -> sqlx::Result<Option<Home>> {
    sqlx::query_as("SELECT lat, lon, datum FROM account_home WHERE account_id = $1")
        .bind(account)
        .fetch_optional(conn)
        .await
}

/// Makes these the skills of a person, and this the home.
pub async fn set(
    conn: &mut Conn,
    account: &str,
    skills: &[Skill],
    home: Option<&Home>,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM account_skill WHERE account_id = $1").bind(account).execute(&mut *conn).await?;
    for skill in skills {
        sqlx::query(
            "INSERT INTO account_skill (id, account_id, skill, certificate, expires_at, created_at) \
             VALUES ($1, $2, $3, $4, CAST($5 AS BIGINT), $6) ON CONFLICT (account_id, skill) DO NOTHING",
        )
        .bind(uuid_v7(now))
        .bind(account)
        .bind(&skill.skill)
        .bind(&skill.certificate)
        .bind(skill.expires_at)
        .bind(now.as_millisecond())
        .execute(&mut *conn)
        .await?;
    }
    sqlx::query("DELETE FROM account_home WHERE account_id = $1").bind(account).execute(&mut *conn).await?;
    if let Some(home) = home {
        sqlx::query("INSERT INTO account_home (account_id, lat, lon, datum) VALUES ($1, $2, $3, $4)")
            .bind(account)
            .bind(home.lat)
            .bind(home.lon)
            .bind(&home.datum)
            .execute(conn)
            .await?;
    }
    Ok(())
}
