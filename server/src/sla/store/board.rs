//! The clocks that run, by the time they have left, for whoever must keep them.

use crate::db::Conn;
use crate::user::Scope;

/// A running clock with what a person needs beside it. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Row {
    pub ticket_id: String,
    pub number: i64,
    pub title: String,
    pub code: String,
    pub severity: String,
    pub ticket_state: String,
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub zone: String,
    pub device_name: Option<String>,
    pub acked_by: Option<String>,
    pub assignee: Option<String>,
    pub name: String,
    pub run: i64,
    pub clock: String,
    pub state: String,
    pub reason: String,
    pub supplier: i64,
    pub due_at: i64,
    pub provisional: i64,
    pub budget_s: i64,
    pub used_s: i64,
    pub share: i64,
    /// How often it was told that somebody comes too late, and that it is not so after all.
    pub foreseen: i64,
    pub counted_at: i64,
}

/// Where a part of the board ends: due at, ticket, name, run.
pub type Place = (i64, String, String, i64);

/// What the board is narrowed by; `None` does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this site.
    pub site_id: Option<String>,
    /// Only clocks of this name.
    pub name: Option<String>,
    /// `running`, `paused` or `breached_running`; without it, all but the paused ones.
    pub state: Option<String>,
    /// Only what comes after this one.
    pub after: Option<Place>,
    /// Without what suppliers owe us.
    pub for_customer: bool,
}

impl Row {
    /// Its place on the board in words, for the part that follows.
    pub fn place(&self) -> String {
        format!("{}.{}.{}.{}", self.due_at, self.run, self.ticket_id, self.name)
    }
}

/// Clocks that nothing has stopped and that the viewer may see, the one with the least time left first; at most
/// `limit`.
pub async fn list(conn: &mut Conn, scope: &Scope, filter: &Filter, limit: i64) -> sqlx::Result<Vec<Row>> {
    let (due, ticket, name, run) =
        filter.after.clone().unwrap_or((i64::MIN, String::new(), String::new(), 0));
    sqlx::query_as(
        "SELECT c.ticket_id, t.number, t.title, t.code, t.severity, t.state AS ticket_state, c.site_id, \
         s.name AS site_name, s.name_zh AS site_name_zh, s.zone, d.name AS device_name, t.acked_by, a.name AS assignee, \
         c.name, c.run, c.title AS clock, c.state, c.reason, c.supplier, c.due_at, c.provisional, c.budget_s, c.used_s, \
         c.share, c.counted_at, (SELECT CAST(COUNT(*) AS BIGINT) FROM clock_notice n WHERE n.ticket_id = c.ticket_id \
         AND n.name = c.name AND n.run = c.run AND n.share = 0 AND c.state = 'running' AND $10 = 1) AS foreseen FROM clock c JOIN ticket t ON t.id = c.ticket_id JOIN site s ON s.id = c.site_id \
         LEFT JOIN device d ON d.id = t.device_id LEFT JOIN account a ON a.id = t.assignee_id \
         WHERE c.state IN ('running', 'paused', 'breached_running') AND c.due_at >= $5 \
         AND (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) AND (CAST($2 AS TEXT) IS NULL OR c.site_id = $2) \
         AND (CAST($3 AS TEXT) IS NULL OR c.name = $3) \
         AND (c.state = $4 OR (CAST($4 AS TEXT) IS NULL AND c.state <> 'paused')) \
         AND c.supplier <= $10 AND (c.due_at > $5 OR c.ticket_id > $6 OR (c.ticket_id = $6 AND (c.name > $7 OR (c.name = $7 AND c.run > $8)))) \
         ORDER BY c.due_at, c.ticket_id, c.name, c.run LIMIT $9",
    )
    .bind(scope.customer())
    .bind(&filter.site_id)
    .bind(&filter.name)
    .bind(&filter.state)
    .bind(due)
    .bind(ticket)
    .bind(name)
    .bind(run)
    .bind(limit)
    .bind(i64::from(!filter.for_customer))
    .fetch_all(conn)
    .await
}

/// How many clocks of the viewer nothing has stopped, by state.
pub async fn count(conn: &mut Conn, scope: &Scope, for_customer: bool) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as(
        "SELECT c.state, CAST(COUNT(*) AS BIGINT) FROM clock c JOIN site s ON s.id = c.site_id \
         WHERE c.state IN ('running', 'paused', 'breached_running') AND (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) \
         AND c.supplier <= $2 GROUP BY c.state",
    )
    .bind(scope.customer())
    .bind(i64::from(!for_customer))
    .fetch_all(conn)
    .await
}
