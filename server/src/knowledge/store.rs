//! SQL for what finished visits say.

use super::{Case, Trouble};
use crate::db::Conn;
use crate::user::Scope;
use crate::visit::form::Form;

/// Visits that are looked through, the newest.
const LOOKED_MAX: i64 = 2_000;
/// Rows that the manual can have, with what was passed over.
pub const ITEMS_MAX: i64 = 2_000;

#[derive(sqlx::FromRow)]
struct Row {
    ticket_number: i64,
    title: String,
    code: String,
    device_id: Option<String>,
    device: Option<String>,
    class: Option<String>,
    model: Option<String>,
    site: String,
    site_zh: String,
    form: String,
    changed_at: i64,
}

const SELECT: &str = "SELECT t.number AS ticket_number, t.title, t.code, t.device_id, d.name AS device, d.class, d.model, \
     s.name AS site, s.name_zh AS site_zh, v.form, v.changed_at FROM visit v JOIN ticket t ON t.id = v.ticket_id \
     JOIN site s ON s.id = v.site_id LEFT JOIN device d ON d.id = t.device_id \
     WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) AND v.form LIKE '%\"solution\"%' \
     AND v.state IN ('done', 'signed', 'unsigned', 'called_back', 'filed')";

/// Cases of the same fault or the same device as a ticket's, its own left out; the newest first.
pub async fn list_near(
    conn: &mut Conn,
    scope: &Scope,
    ticket: &str,
    trouble: &Trouble,
) -> sqlx::Result<Vec<Case>> {
    let text = format!(
        "{SELECT} AND v.ticket_id <> $2 AND ((t.code <> '' AND t.code = $3) OR t.device_id = $4) \
         ORDER BY v.changed_at DESC, v.id DESC LIMIT $5"
    );
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(scope.customer())
        .bind(ticket)
        .bind(&trouble.code)
        .bind(trouble.device_id.as_deref())
        .bind(LOOKED_MAX)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().filter_map(case).collect())
}

/// All cases, the newest first.
pub async fn list(conn: &mut Conn, scope: &Scope) -> sqlx::Result<Vec<Case>> {
    let text = format!("{SELECT} ORDER BY v.changed_at DESC, v.id DESC LIMIT $2");
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(scope.customer())
        .bind(LOOKED_MAX)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().filter_map(case).collect())
}

/// None where nobody has said what was done.
fn case(row: Row) -> Option<Case> {
    let form = Form::read(&row.form);
    let solution = form.said("solution");
    (!solution.is_empty()).then(|| Case {
        ticket_number: row.ticket_number,
        title: row.title,
        code: row.code,
        device_id: row.device_id,
        device: row.device.unwrap_or_default(),
        class: row.class.unwrap_or_default(),
        model: row.model.unwrap_or_default(),
        site: row.site,
        site_zh: row.site_zh,
        symptom: form.said("symptom"),
        cause: form.said("cause"),
        solution,
        at: row.changed_at,
    })
}

/// A row of the manual.
#[derive(sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns, as the migration says")]
pub struct ItemRow {
    pub id: String,
    pub cause_key: String,
    pub state: String,
    pub code: String,
    pub class: String,
    pub model: String,
    pub symptom: String,
    pub cause: String,
    pub solution: String,
    pub times: i64,
    pub made_by: String,
    pub made_at: i64,
    pub changed_by: String,
    pub changed_at: i64,
}

/// The whole manual with what was passed over, the newest first.
pub async fn list_items(conn: &mut Conn) -> sqlx::Result<Vec<ItemRow>> {
    sqlx::query_as("SELECT * FROM knowledge_item ORDER BY changed_at DESC, id DESC LIMIT $1")
        .bind(ITEMS_MAX)
        .fetch_all(conn)
        .await
}

/// Rows of the manual, in any state.
pub async fn count_items(conn: &mut Conn) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT COUNT(*) FROM knowledge_item").fetch_one(conn).await
}

/// One row.
pub async fn find_item(conn: &mut Conn, id: &str) -> sqlx::Result<Option<ItemRow>> {
    sqlx::query_as("SELECT * FROM knowledge_item WHERE id = $1").bind(id).fetch_optional(conn).await
}

/// Writes a row. Of each cause there is one at most.
pub async fn insert_item(conn: &mut Conn, row: &ItemRow) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO knowledge_item (id, cause_key, state, code, class, model, symptom, cause, solution, times, made_by, \
         made_at, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(&row.id)
    .bind(&row.cause_key)
    .bind(&row.state)
    .bind(&row.code)
    .bind(&row.class)
    .bind(&row.model)
    .bind(&row.symptom)
    .bind(&row.cause)
    .bind(&row.solution)
    .bind(row.times)
    .bind(&row.made_by)
    .bind(row.made_at)
    .bind(&row.changed_by)
    .bind(row.changed_at)
    .execute(conn)
    .await
    .map(drop)
}

/// Writes what a row says from now on.
pub async fn update_item(conn: &mut Conn, row: &ItemRow) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE knowledge_item SET code = $1, class = $2, model = $3, symptom = $4, cause = $5, solution = $6, \
         changed_by = $7, changed_at = $8 WHERE id = $9",
    )
    .bind(&row.code)
    .bind(&row.class)
    .bind(&row.model)
    .bind(&row.symptom)
    .bind(&row.cause)
    .bind(&row.solution)
    .bind(&row.changed_by)
    .bind(row.changed_at)
    .bind(&row.id)
    .execute(conn)
    .await
    .map(drop)
}

/// Removes a row; what it said stands in the audit.
pub async fn delete_item(conn: &mut Conn, id: &str) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM knowledge_item WHERE id = $1").bind(id).execute(conn).await.map(drop)
}
