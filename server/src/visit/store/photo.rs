//! SQL for the photos of visits. What is said of a photo lies in the event that bears its id.

use crate::db::Conn;
use crate::user::Scope;

/// Keeps a photo and the small one of it.
pub async fn insert(conn: &mut Conn, visit: &str, id: &str, jpeg: &[u8], small: &[u8]) -> sqlx::Result<()> {
    sqlx::query("INSERT INTO visit_photo (id, visit_id, jpeg, small) VALUES ($1, $2, $3, $4)")
        .bind(id)
        .bind(visit)
        .bind(jpeg.to_vec())
        .bind(small.to_vec())
        .execute(conn)
        .await?;
    Ok(())
}

/// How many photos a visit has.
pub async fn count(conn: &mut Conn, visit: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT CAST(COUNT(*) AS BIGINT) FROM visit_photo WHERE visit_id = $1")
        .bind(visit)
        .fetch_one(conn)
        .await
}

/// A photo that the viewer may see, whole or small.
pub async fn find(
    conn: &mut Conn,
    scope: &Scope,
    visit: &str,
    id: &str,
    is_small: bool,
) -> sqlx::Result<Option<Vec<u8>>> {
    let column = if is_small { "p.small" } else { "p.jpeg" };
    sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
        "SELECT {column} FROM visit_photo p JOIN visit v ON v.id = p.visit_id JOIN site s ON s.id = v.site_id \
         WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) AND p.visit_id = $2 AND p.id = $3"
    )))
    .bind(scope.customer())
    .bind(visit)
    .bind(id)
    .fetch_optional(conn)
    .await
}

/// When the photo of that id was taken, Unix ms, if this person has sent it for this visit.
pub async fn taken_at(conn: &mut Conn, visit: &str, id: &str, account: &str) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar(
        "SELECT e.occurred_at FROM visit_photo p JOIN visit_event e ON e.id = p.id \
         WHERE p.visit_id = $1 AND p.id = $2 AND e.actor_id = $3",
    )
    .bind(visit)
    .bind(id)
    .bind(account)
    .fetch_optional(conn)
    .await
}
