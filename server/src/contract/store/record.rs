//! SQL for what people did with a contract, and for what its newest version says of its own term.

use jiff::Timestamp;
use sqlx::FromRow;

use crate::db::Conn;
use crate::user::Scope;

/// A step of a contract's life.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Row {
    pub seq: i64,
    /// `registered`, `version`, `sites`, `accepted`, `withdrawn`, `in_service`, `ended`, `renewal`.
    pub kind: String,
    pub at: i64,
    pub actor_id: Option<String>,
    pub actor: String,
    /// JSON.
    pub detail: String,
}

/// Who did something: account and name; no account for the machine.
pub type Who<'a> = (Option<&'a str>, &'a str);

/// Holds a contract's row until the transaction ends, so that two who change it come one after the other.
pub async fn hold(conn: &mut Conn, id: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE contract SET changed_at = changed_at WHERE id = $1").bind(id).execute(conn).await?;
    Ok(())
}

/// Adds a step. The caller has written the contract's row in this transaction, which keeps others away.
pub async fn append(
    conn: &mut Conn,
    id: &str,
    kind: &str,
    (account, actor): Who<'_>,
    detail: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO contract_record (contract_id, seq, kind, at, actor_id, actor, detail) \
         SELECT $1, COALESCE(MAX(seq), 0) + 1, $2, $3, $4, $5, $6 FROM contract_record WHERE contract_id = $1",
    )
    .bind(id)
    .bind(kind)
    .bind(now.as_millisecond())
    .bind(account)
    .bind(actor)
    .bind(detail)
    .execute(conn)
    .await?;
    Ok(())
}

/// Everything that was done with a contract, in order. The caller has checked that the viewer may see it.
pub async fn list(conn: &mut Conn, id: &str) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(
        "SELECT seq, kind, at, actor_id, actor, detail FROM contract_record WHERE contract_id = $1 ORDER BY seq",
    )
    .bind(id)
    .fetch_all(conn)
    .await
}

/// What the newest version says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Term {
    pub contract_id: String,
    /// The contract's own number.
    pub number: String,
    pub kind: String,
    /// The first day, `2026-01-01`.
    pub begins: Option<String>,
    /// The last day.
    pub ends: Option<String>,
    pub remind_at: Option<i64>,
    pub reminded_at: Option<i64>,
}

/// Writes what a new version says. A reminder is given again only where its time has changed.
pub async fn set_term(conn: &mut Conn, term: &Term) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO contract_term (contract_id, number, kind, begins, ends, remind_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (contract_id) DO UPDATE SET number = excluded.number, kind = excluded.kind, \
         begins = excluded.begins, ends = excluded.ends, remind_at = excluded.remind_at, \
         reminded_at = CASE WHEN contract_term.remind_at = excluded.remind_at THEN contract_term.reminded_at END",
    )
    .bind(&term.contract_id)
    .bind(&term.number)
    .bind(&term.kind)
    .bind(&term.begins)
    .bind(&term.ends)
    .bind(term.remind_at)
    .execute(conn)
    .await?;
    Ok(())
}

const TERM: &str = "SELECT t.contract_id, t.number, t.kind, t.begins, t.ends, t.remind_at, t.reminded_at \
     FROM contract_term t JOIN contract c ON c.id = t.contract_id";

/// What the contracts in scope say of themselves.
pub async fn list_terms(conn: &mut Conn, scope: &Scope) -> sqlx::Result<Vec<Term>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{TERM} WHERE (CAST($1 AS TEXT) IS NULL OR c.customer_id = $1) LIMIT 10000"
    )))
    .bind(scope.customer())
    .fetch_all(conn)
    .await
}

/// What one contract says of itself. The caller has checked that the viewer may see it.
pub async fn find_term(conn: &mut Conn, id: &str) -> sqlx::Result<Option<Term>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{TERM} WHERE t.contract_id = $1")))
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// Contracts in service whose end is to be announced now.
pub async fn list_due(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<Term>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{TERM} WHERE t.remind_at IS NOT NULL AND t.reminded_at IS NULL AND t.remind_at <= $1 \
         AND c.state = 'in_service' ORDER BY t.remind_at, t.contract_id LIMIT 100"
    )))
    .bind(now.as_millisecond())
    .fetch_all(conn)
    .await
}

/// Takes down that the reminder was given.
pub async fn set_reminded(conn: &mut Conn, id: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query("UPDATE contract_term SET reminded_at = $2 WHERE contract_id = $1")
        .bind(id)
        .bind(now.as_millisecond())
        .execute(conn)
        .await?;
    Ok(())
}

/// How many contracts a customer has.
pub async fn count_of(conn: &mut Conn, customer: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT CAST(COUNT(*) AS BIGINT) FROM contract WHERE customer_id = $1")
        .bind(customer)
        .fetch_one(conn)
        .await
}
