//! SQL for heartbeats: where this server's go, and from whom it hears some.

use jiff::Timestamp;

use crate::db::Conn;

/// Where this server says that its pager is well. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Heartbeat {
    pub id: String,
    pub name: String,
    pub address: String,
    pub method: String,
    pub tried_at: Option<i64>,
    pub sent_at: Option<i64>,
    pub last_answer: String,
}

/// Another installation that says so here. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Peer {
    pub id: String,
    pub name: String,
    pub site_id: String,
    pub limit_s: i64,
    pub created_at: i64,
    pub heard_at: Option<i64>,
    pub silent_since: Option<i64>,
    pub ticket_id: Option<String>,
}

/// Every address of a heartbeat, by name.
pub async fn list_heartbeats(conn: &mut Conn) -> sqlx::Result<Vec<Heartbeat>> {
    sqlx::query_as(
        "SELECT id, name, address, method, tried_at, sent_at, last_answer FROM heartbeat ORDER BY name, id LIMIT 20",
    )
    .fetch_all(conn)
    .await
}

/// Adds an address.
pub async fn insert_heartbeat(conn: &mut Conn, row: &Heartbeat, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO heartbeat (id, name, address, method, created_at, last_answer) VALUES ($1, $2, $3, $4, $5, '')",
    )
    .bind(&row.id)
    .bind(&row.name)
    .bind(&row.address)
    .bind(&row.method)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes an address; `false` when there was none.
pub async fn delete_heartbeat(conn: &mut Conn, id: &str) -> sqlx::Result<bool> {
    let done = sqlx::query("DELETE FROM heartbeat WHERE id = $1").bind(id).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// Takes down what became of a heartbeat.
pub async fn record_heartbeat(
    conn: &mut Conn,
    id: &str,
    result: &Result<String, String>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let (Ok(answer) | Err(answer)) = result;
    sqlx::query(
        "UPDATE heartbeat SET tried_at = $2, sent_at = CASE WHEN $3 = 1 THEN $2 ELSE sent_at END, last_answer = $4 \
         WHERE id = $1",
    )
    .bind(id)
    .bind(now.as_millisecond())
    .bind(i64::from(result.is_ok()))
    .bind(answer)
    .execute(conn)
    .await?;
    Ok(())
}

const PEER: &str =
    "SELECT id, name, site_id, limit_s, created_at, heard_at, silent_since, ticket_id FROM peer";

/// Every installation that is heard here, by name.
pub async fn list_peers(conn: &mut Conn) -> sqlx::Result<Vec<Peer>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{PEER} ORDER BY name, id LIMIT 100"))).fetch_all(conn).await
}

/// Adds an installation; its token is kept as a hash.
pub async fn insert_peer(conn: &mut Conn, row: &Peer, token_hash: &str) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO peer (id, name, token_hash, site_id, limit_s, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&row.id)
    .bind(&row.name)
    .bind(token_hash)
    .bind(&row.site_id)
    .bind(row.limit_s)
    .bind(row.created_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes an installation; `false` when there was none.
pub async fn delete_peer(conn: &mut Conn, id: &str) -> sqlx::Result<bool> {
    let done = sqlx::query("DELETE FROM peer WHERE id = $1").bind(id).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}

/// An installation is heard; `false` when no token has this hash.
pub async fn hear(conn: &mut Conn, token_hash: &str, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query("UPDATE peer SET heard_at = $2 WHERE token_hash = $1")
        .bind(token_hash)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// Since when an installation is silent, and the ticket about it; `None` when it is heard.
pub async fn set_silent(conn: &mut Conn, id: &str, silent: Option<(Timestamp, &str)>) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE peer SET silent_since = CAST($2 AS BIGINT), ticket_id = CAST($3 AS TEXT) WHERE id = $1",
    )
    .bind(id)
    .bind(silent.map(|(since, _)| since.as_millisecond()))
    .bind(silent.map(|(_, ticket)| ticket))
    .execute(conn)
    .await?;
    Ok(())
}
