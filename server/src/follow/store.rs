//! SQL for calls to customers after visits, and for which visits owe one.

use jiff::Timestamp;

use super::TRIES_MAX;
use crate::db::Conn;
use crate::user::Scope;

/// A call as it was made. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Call {
    pub id: String,
    pub visit_id: String,
    pub n: i64,
    pub reached: i64,
    pub at: i64,
    pub actor_id: String,
    pub actor: String,
    pub who: String,
    pub word: Option<String>,
    pub points: Option<i64>,
    pub contract_id: Option<String>,
    pub version: Option<i64>,
    pub completed: Option<i64>,
    pub opinion: String,
    pub asked: String,
}

const CALL: &str = "SELECT id, visit_id, n, reached, at, actor_id, actor, who, word, points, contract_id, version, completed, opinion, \
     asked FROM call_back";

/// The call of that id, of whichever visit.
pub async fn find(conn: &mut Conn, id: &str) -> sqlx::Result<Option<Call>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{CALL} WHERE id = $1"))).bind(id).fetch_optional(conn).await
}

/// The calls after a visit, the first one first. The caller has checked that the viewer may see the visit.
pub async fn list(conn: &mut Conn, visit: &str) -> sqlx::Result<Vec<Call>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{CALL} WHERE visit_id = $1 ORDER BY n LIMIT 100")))
        .bind(visit)
        .fetch_all(conn)
        .await
}

/// Writes a call down, whose `n` is not looked at. The caller's transaction has its turn.
pub async fn insert(conn: &mut Conn, call: &Call) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO call_back (id, visit_id, n, reached, at, actor_id, actor, who, word, points, contract_id, version, completed, \
         opinion, asked) SELECT $1, $2, COALESCE(MAX(n), 0) + 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14 \
         FROM call_back WHERE visit_id = $2",
    )
    .bind(&call.id)
    .bind(&call.visit_id)
    .bind(call.reached)
    .bind(call.at)
    .bind(&call.actor_id)
    .bind(&call.actor)
    .bind(&call.who)
    .bind(&call.word)
    .bind(call.points)
    .bind(&call.contract_id)
    .bind(call.version)
    .bind(call.completed)
    .bind(&call.opinion)
    .bind(&call.asked)
    .execute(conn)
    .await?;
    Ok(())
}

/// A visit that was done, with what the calls after it came to. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Row {
    pub visit_id: String,
    pub visit_number: i64,
    pub visit_state: String,
    pub ticket_id: String,
    pub ticket_number: i64,
    pub title: String,
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub zone: String,
    pub contact_name: String,
    pub contact_phone: String,
    pub customer_id: String,
    pub customer: String,
    pub done_at: i64,
    /// Calls that nobody answered.
    pub unanswered: i64,
    pub last_at: Option<i64>,
    pub reached: i64,
    pub word: Option<String>,
    pub points: Option<i64>,
    /// What the customer said of it last: 0 = it is not done.
    pub completed: Option<i64>,
    pub opinion: Option<String>,
}

const DONE: &str = "SELECT v.id AS visit_id, v.number AS visit_number, v.state AS visit_state, v.ticket_id, t.number AS ticket_number, \
     t.title, v.site_id, s.name AS site_name, s.name_zh AS site_name_zh, s.zone, s.contact_name, s.contact_phone, s.customer_id, \
     k.name AS customer, e.occurred_at AS done_at, \
     (SELECT CAST(COUNT(*) AS BIGINT) FROM call_back c WHERE c.visit_id = v.id AND c.reached = 0) AS unanswered, \
     (SELECT MAX(c.at) FROM call_back c WHERE c.visit_id = v.id) AS last_at, \
     (SELECT CAST(COUNT(*) AS BIGINT) FROM call_back c WHERE c.visit_id = v.id AND c.reached = 1) AS reached, \
     a.word, a.points, a.completed, a.opinion \
     FROM visit_event e JOIN visit v ON v.id = e.visit_id JOIN ticket t ON t.id = v.ticket_id JOIN site s ON s.id = v.site_id \
     JOIN customer k ON k.id = s.customer_id \
     LEFT JOIN call_back a ON a.visit_id = v.id AND a.n = \
     (SELECT MAX(c.n) FROM call_back c WHERE c.visit_id = v.id AND c.reached = 1) \
     WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) AND e.kind = 'done' \
     AND NOT EXISTS (SELECT 1 FROM visit_event b WHERE b.visit_id = e.visit_id AND b.kind = 'done' AND b.seq < e.seq)";

/// Visits of one answer.
pub const OWED_MAX: usize = 500;

/// The visits after which somebody is to be called, and those of which the customer said that they are not done; the
/// one that waits longest first; at most [`OWED_MAX`].
pub async fn list_owed(conn: &mut Conn, scope: &Scope) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{DONE} AND ((v.state IN ('done', 'signed', 'unsigned') AND \
         (SELECT COUNT(*) FROM call_back c WHERE c.visit_id = v.id AND c.reached = 0) < {TRIES_MAX}) \
         OR (v.state = 'called_back' AND a.completed = 0)) ORDER BY e.occurred_at, v.id LIMIT {OWED_MAX}"
    )))
    .bind(scope.customer())
    .fetch_all(conn)
    .await
}

/// Visits of one month's answer.
pub const MONTH_MAX: usize = 20_000;

/// The visits that were done from one instant to another; one more than [`MONTH_MAX`] at most.
pub async fn list_done(
    conn: &mut Conn,
    scope: &Scope,
    (from, until): (Timestamp, Timestamp),
) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{DONE} AND e.occurred_at >= $2 AND e.occurred_at < $3 AND v.state <> 'cancelled' \
         ORDER BY e.occurred_at, v.id LIMIT {}",
        MONTH_MAX + 1
    )))
    .bind(scope.customer())
    .bind(from.as_millisecond())
    .bind(until.as_millisecond())
    .fetch_all(conn)
    .await
}
