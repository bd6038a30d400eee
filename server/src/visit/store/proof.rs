//! SQL for what proves an arrival: the codes that were used, and the tags that hang at sites.

use jiff::Timestamp;

use crate::db::Conn;
use crate::user::Scope;

/// Whether a code was used already by somebody on another visit, or by this person on this one.
pub async fn is_used(
    conn: &mut Conn,
    gateway: &str,
    step: i64,
    visit: &str,
    account: &str,
) -> sqlx::Result<bool> {
    let one: Option<i64> = sqlx::query_scalar(
        "SELECT step FROM visit_code WHERE gateway_id = $1 AND step = $2 AND (visit_id <> $3 OR account_id = $4) LIMIT 1",
    )
    .bind(gateway)
    .bind(step)
    .bind(visit)
    .bind(account)
    .fetch_optional(conn)
    .await?;
    Ok(one.is_some())
}

/// How often a person has told of an arrival since then with a piece that has this doubt.
pub async fn count_doubts(
    conn: &mut Conn,
    account: &str,
    doubt: &str,
    since: Timestamp,
) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM visit_event \
         WHERE actor_id = $1 AND recorded_at >= $2 AND kind = 'arrived' AND body LIKE $3",
    )
    .bind(account)
    .bind(since.as_millisecond())
    .bind(format!("%\"doubt\":\"{doubt}\"%"))
    .fetch_one(conn)
    .await
}

/// Uses a code.
pub async fn take(
    conn: &mut Conn,
    gateway: &str,
    step: i64,
    visit: &str,
    account: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO visit_code (gateway_id, step, visit_id, account_id, used_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (gateway_id, step, visit_id, account_id) DO NOTHING",
    )
    .bind(gateway)
    .bind(step)
    .bind(visit)
    .bind(account)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// The gateways of a site that may show codes, with when each was enrolled, Unix ms.
pub async fn list_gateways(conn: &mut Conn, site: &str) -> sqlx::Result<Vec<(String, Option<i64>)>> {
    sqlx::query_as(
        "SELECT id, enrolled_at FROM gateway WHERE site_id = $1 AND revoked_at IS NULL ORDER BY id LIMIT 100",
    )
    .bind(site)
    .fetch_all(conn)
    .await
}

/// A tag that hangs at a site. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Tag {
    pub id: String,
    pub site_id: String,
    pub code: String,
    pub place: String,
    pub made_by: String,
    pub made_at: i64,
    pub revoked_at: Option<i64>,
}

/// The tags of a site that the viewer may see, newest first.
pub async fn list_tags(conn: &mut Conn, scope: &Scope, site: &str) -> sqlx::Result<Vec<Tag>> {
    sqlx::query_as(
        "SELECT g.id, g.site_id, g.code, g.place, g.made_by, g.made_at, g.revoked_at FROM site_tag g \
         JOIN site s ON s.id = g.site_id WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) AND g.site_id = $2 \
         ORDER BY g.made_at DESC, g.id LIMIT 500",
    )
    .bind(scope.customer())
    .bind(site)
    .fetch_all(conn)
    .await
}

/// Hangs a tag up.
pub async fn insert_tag(conn: &mut Conn, tag: &Tag) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO site_tag (id, site_id, code, place, made_by, made_at, revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&tag.id)
    .bind(&tag.site_id)
    .bind(&tag.code)
    .bind(&tag.place)
    .bind(&tag.made_by)
    .bind(tag.made_at)
    .bind(tag.revoked_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes a tag out of use; false when there is none that counts.
pub async fn revoke_tag(conn: &mut Conn, site: &str, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE site_tag SET revoked_at = $3 WHERE site_id = $1 AND id = $2 AND revoked_at IS NULL",
    )
    .bind(site)
    .bind(id)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Whether the tag of that code at that site still counts; `None` where there is none.
pub async fn find_tag(conn: &mut Conn, site: &str, code: &str) -> sqlx::Result<Option<bool>> {
    let row: Option<(Option<i64>,)> =
        sqlx::query_as("SELECT revoked_at FROM site_tag WHERE site_id = $1 AND code = $2")
            .bind(site)
            .bind(code)
            .fetch_optional(conn)
            .await?;
    Ok(row.map(|row| row.0.is_none()))
}
