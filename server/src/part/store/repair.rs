//! SQL for what was taken out to be repaired, and its log.

use jiff::Timestamp;
use serde_json::Value;

use crate::db::Conn;
use crate::user::Scope;

/// A repair with the names a person needs beside it. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Row {
    pub id: String,
    pub ticket_id: String,
    pub ticket_number: i64,
    pub site_name: String,
    pub site_name_zh: String,
    pub kind_id: String,
    pub number: String,
    pub name: String,
    pub name_zh: String,
    pub serial: String,
    pub owner_id: String,
    pub component: String,
    pub level: String,
    pub factory_order: String,
    pub state: String,
    pub changed_at: i64,
    pub asked: String,
}

const SELECT: &str = "SELECT r.id, r.ticket_id, t.number AS ticket_number, s.name AS site_name, s.name_zh AS site_name_zh, \
     r.kind_id, k.number, k.name, k.name_zh, r.serial, r.owner_id, r.component, r.level, r.factory_order, r.state, r.changed_at, r.asked \
     FROM repair r JOIN ticket t ON t.id = r.ticket_id JOIN site s ON s.id = t.site_id JOIN part_kind k ON k.id = r.kind_id \
     WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1)";

/// Those that the viewer may see, the ones changed last first; only those that are not over, or all. At most 500.
pub async fn list(conn: &mut Conn, scope: &Scope, all: bool) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} AND ($2 = 1 OR r.state NOT IN ('refitted', 'scrapped')) ORDER BY r.changed_at DESC, r.id LIMIT 500"
    )))
    .bind(scope.customer())
    .bind(i64::from(all))
    .fetch_all(conn)
    .await
}

/// One that the viewer may see.
pub async fn find(conn: &mut Conn, scope: &Scope, id: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} AND r.id = $2")))
        .bind(scope.customer())
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// What was taken out.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct New<'a> {
    pub id: &'a str,
    pub ticket_id: &'a str,
    pub kind_id: &'a str,
    pub serial: &'a str,
    pub owner_id: &'a str,
    pub component: &'a str,
    pub level: &'a str,
    pub asked: &'a str,
}

/// Writes down that something was taken out.
pub async fn insert(conn: &mut Conn, new: &New<'_>, now: Timestamp) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO repair (id, ticket_id, kind_id, serial, owner_id, component, level, factory_order, state, changed_at, asked) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, '', 'repair', $8, $9)",
    )
    .bind(new.id)
    .bind(new.ticket_id)
    .bind(new.kind_id)
    .bind(new.serial)
    .bind(new.owner_id)
    .bind(new.component)
    .bind(new.level)
    .bind(now.as_millisecond())
    .bind(new.asked)
    .execute(conn)
    .await?;
    Ok(())
}

/// Writes where it stands now.
pub async fn update(
    conn: &mut Conn,
    id: &str,
    (state, level, order): (&str, &str, &str),
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "UPDATE repair SET state = $2, level = $3, factory_order = $4, changed_at = $5 WHERE id = $1",
    )
    .bind(id)
    .bind(state)
    .bind(level)
    .bind(order)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(())
}

/// One line of a repair's log. `at` is Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Event {
    pub repair_id: String,
    pub seq: i64,
    pub kind: String,
    pub at: i64,
    pub actor: String,
    pub body: String,
}

/// Appends to its log.
pub async fn append(
    conn: &mut Conn,
    id: &str,
    (kind, actor, body): (&str, &str, &Value),
    now: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO repair_event (repair_id, seq, kind, at, actor, body) \
         SELECT $1, COALESCE(MAX(seq), 0) + 1, $2, $3, $4, $5 FROM repair_event WHERE repair_id = $1",
    )
    .bind(id)
    .bind(kind)
    .bind(now.as_millisecond())
    .bind(actor)
    .bind(body.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// The logs of repairs, each oldest first.
pub async fn list_events(conn: &mut Conn, scope: &Scope, id: Option<&str>) -> sqlx::Result<Vec<Event>> {
    sqlx::query_as(
        "SELECT e.repair_id, e.seq, e.kind, e.at, e.actor, e.body FROM repair_event e JOIN repair r ON r.id = e.repair_id \
         JOIN ticket t ON t.id = r.ticket_id JOIN site s ON s.id = t.site_id \
         WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) AND (CAST($2 AS TEXT) IS NULL OR r.id = $2) \
         ORDER BY e.repair_id, e.seq LIMIT 5000",
    )
    .bind(scope.customer())
    .bind(id)
    .fetch_all(conn)
    .await
}
