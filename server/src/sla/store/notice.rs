//! What was told of clocks: each share of a budget once, and that it turned out otherwise. A notice is a fact; no
//! rebuilding takes it back.

use jiff::Timestamp;

use crate::db::Conn;

/// In the place of a share: that whoever goes there is expected too late.
pub const FORESEEN: i64 = 0;

/// A notice. Times are Unix ms.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Row {
    pub ticket_id: String,
    pub name: String,
    pub run: i64,
    /// Per cent of the budget, or [`FORESEEN`].
    pub share: i64,
    /// 1 = the share was reached, 2 = it turned out that it was not, 3 = it was after all, ….
    pub turn: i64,
    pub contract_id: String,
    pub version: i64,
    /// When the share was reached.
    pub at: i64,
    /// When that was known.
    pub known_at: i64,
    /// When people heard of it, or it was settled that they do not; `None` = still to be told.
    pub told_at: Option<i64>,
    /// `paged`; or why nobody was: `together`, `over`, `before_contract`, `minor`, `nobody`, `not_told`.
    pub outcome: String,
}

impl Row {
    /// Whether the share was reached; otherwise it turned out that it was not.
    pub fn is_reached(&self) -> bool {
        self.turn % 2 == 1
    }
}

const COLUMNS: &str =
    "ticket_id, name, run, share, turn, contract_id, version, at, known_at, told_at, outcome";

/// What was told of a ticket's clocks, in the order in which it was known.
pub async fn list(conn: &mut Conn, ticket: &str) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM clock_notice WHERE ticket_id = $1 ORDER BY known_at, name, run, share, turn"
    )))
    .bind(ticket)
    .fetch_all(conn)
    .await
}

/// Writes a notice down; false when it is there already.
pub async fn insert(conn: &mut Conn, row: &Row) -> sqlx::Result<bool> {
    let done = sqlx::query(sqlx::AssertSqlSafe(format!(
        "INSERT INTO clock_notice ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING"
    )))
    .bind(&row.ticket_id)
    .bind(&row.name)
    .bind(row.run)
    .bind(row.share)
    .bind(row.turn)
    .bind(&row.contract_id)
    .bind(row.version)
    .bind(row.at)
    .bind(row.known_at)
    .bind(row.told_at)
    .bind(&row.outcome)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Tickets of which something is to be told and that nothing holds, those that have waited longest first.
pub async fn list_untold(conn: &mut Conn, most: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT n.ticket_id FROM clock_notice n WHERE n.told_at IS NULL \
         AND NOT EXISTS (SELECT 1 FROM ticket_hold h WHERE h.ticket_id = n.ticket_id) \
         GROUP BY n.ticket_id ORDER BY MIN(n.known_at), n.ticket_id LIMIT $1",
    )
    .bind(most)
    .fetch_all(conn)
    .await
}

/// Says what became of a notice.
pub async fn settle(conn: &mut Conn, row: &Row, outcome: &str, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE clock_notice SET told_at = $6, outcome = $7 WHERE ticket_id = $1 AND name = $2 AND run = $3 AND share = $4 \
         AND turn = $5",
    )
    .bind(&row.ticket_id)
    .bind(&row.name)
    .bind(row.run)
    .bind(row.share)
    .bind(row.turn)
    .bind(now.as_millisecond())
    .bind(outcome)
    .execute(conn)
    .await?;
    Ok(())
}
