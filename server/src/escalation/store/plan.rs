//! SQL for plans, and which of them applies.

use jiff::Timestamp;

use crate::db::Conn;
use crate::escalation::PlanId;
use crate::escalation::plan::{Plan, Trouble};

/// A row of `escalation_plan` with the names it needs.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Row {
    pub id: String,
    pub name: String,
    pub site_id: Option<String>,
    pub site_name: Option<String>,
    pub customer_id: Option<String>,
    pub customer_name: Option<String>,
    pub position: i64,
    pub body: String,
    pub changed_at: i64,
}

impl Row {
    /// What it says; `None` when this release cannot read it.
    pub fn plan(&self) -> Option<Plan> {
        serde_json::from_str(&self.body).ok()
    }
}

/// The plan that applies to a trouble.
#[derive(Clone, Debug)]
pub struct Applies {
    /// What people call it; empty for the built-in one.
    pub name: String,
    /// Its JSON; empty for the built-in one.
    pub text: String,
    /// What it says.
    pub plan: Plan,
}

const SELECT: &str = "SELECT p.id, p.name, p.site_id, s.name AS site_name, p.customer_id, c.name AS customer_name, \
     p.position, p.body, p.changed_at FROM escalation_plan p LEFT JOIN site s ON s.id = p.site_id \
     LEFT JOIN customer c ON c.id = p.customer_id";
/// The order in which plans are looked at: the site's, the customer's, the general ones.
const ORDER: &str = "ORDER BY CASE WHEN p.site_id IS NOT NULL THEN 0 WHEN p.customer_id IS NOT NULL THEN 1 ELSE 2 END, \
     p.position, p.name";

/// The plan for a trouble: the first that fits of the site's, else of the customer's, else of the general ones,
/// else the built-in one.
pub async fn applies(conn: &mut Conn, trouble: &Trouble, at: Timestamp) -> sqlx::Result<Applies> {
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} WHERE p.site_id = $1 OR p.customer_id = $2 OR (p.site_id IS NULL AND p.customer_id IS NULL) {ORDER}"
    )))
    .bind(&trouble.site_id)
    .bind(&trouble.customer_id)
    .fetch_all(conn)
    .await?;
    for row in rows {
        if let Some(plan) = row.plan()
            && plan.when.fails(trouble, at).is_none()
        {
            return Ok(Applies { name: row.name, text: row.body, plan });
        }
    }
    Ok(Applies { name: String::new(), text: String::new(), plan: Plan::built_in() })
}

/// Every plan in the order in which they are looked at; at most 1,000.
pub async fn list(conn: &mut Conn) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} {ORDER} LIMIT 1000"))).fetch_all(conn).await
}

/// One plan.
pub async fn find(conn: &mut Conn, id: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} WHERE p.id = $1")))
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// Adds a plan; `None` when its name is taken. `row.id` is not looked at.
pub async fn insert(conn: &mut Conn, row: &Row, now: Timestamp) -> sqlx::Result<Option<PlanId>> {
    let id = PlanId::new(now);
    let done = sqlx::query(
        "INSERT INTO escalation_plan (id, name, site_id, customer_id, position, body, created_at, changed_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (name) DO NOTHING",
    )
    .bind(id.as_str())
    .bind(&row.name)
    .bind(&row.site_id)
    .bind(&row.customer_id)
    .bind(row.position)
    .bind(&row.body)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok((done.rows_affected() == 1).then_some(id))
}

/// Writes a plan anew; `false` when its name is taken. Tickets keep the plan with which they began.
pub async fn update(conn: &mut Conn, row: &Row, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE escalation_plan SET name = $2, site_id = CAST($3 AS TEXT), customer_id = CAST($4 AS TEXT), position = $5, \
         body = $6, changed_at = $7 WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM escalation_plan o WHERE o.name = $2 AND o.id <> $1)",
    )
    .bind(&row.id)
    .bind(&row.name)
    .bind(&row.site_id)
    .bind(&row.customer_id)
    .bind(row.position)
    .bind(&row.body)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes a plan; `false` when there was none.
pub async fn delete(conn: &mut Conn, id: &str) -> sqlx::Result<bool> {
    let done = sqlx::query("DELETE FROM escalation_plan WHERE id = $1").bind(id).execute(conn).await?;
    Ok(done.rows_affected() == 1)
}
