//! SQL for what is sent to customers' sites: the lists, what was packed, and what they can be made of.

use jiff::Timestamp;

use crate::db::{Conn, pieces, places};
use crate::user::Scope;

/// What is sent, with the names a person needs beside it. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Row {
    pub id: String,
    pub purpose: String,
    pub supply: String,
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub customer_id: String,
    pub customer: String,
    pub ticket_id: Option<String>,
    pub ticket_number: Option<i64>,
    pub months: i64,
    pub due_on: String,
    pub due_at: Option<i64>,
    pub note: String,
    pub state: String,
    pub made_at: i64,
    pub made_by: String,
    pub from_id: Option<String>,
    pub waybill: String,
    pub carrier: String,
    pub released_at: Option<i64>,
    pub released_by: String,
    pub ended_at: Option<i64>,
    pub ended_by: String,
    pub received_by: String,
    pub end_note: String,
}

/// A line of a list.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Line {
    pub consignment_id: String,
    pub kind_id: String,
    pub number: String,
    pub name: String,
    pub name_zh: String,
    pub installed: i64,
    pub rate_bp: i64,
    pub quantity: i64,
    pub price_fen: i64,
}

/// Something that was packed.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Packed {
    pub consignment_id: String,
    pub kind_id: String,
    pub quantity: i64,
    pub serial: String,
}

const SELECT: &str = "SELECT c.id, c.purpose, c.supply, c.site_id, s.name AS site_name, s.name_zh AS site_name_zh, s.customer_id, \
     u.name AS customer, c.ticket_id, t.number AS ticket_number, c.months, c.due_on, c.due_at, c.note, c.state, c.made_at, c.made_by, \
     c.from_id, c.waybill, c.carrier, c.released_at, c.released_by, c.ended_at, c.ended_by, c.received_by, c.end_note \
     FROM consignment c JOIN site s ON s.id = c.site_id JOIN customer u ON u.id = s.customer_id LEFT JOIN ticket t ON t.id = c.ticket_id \
     WHERE (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1)";

/// Those that the viewer may see: what is not over first, by the day on which it is due; only that, or all. At most 200.
pub async fn list(conn: &mut Conn, scope: &Scope, all: bool) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} AND ($2 = 1 OR c.state IN ('open', 'released')) \
         ORDER BY CASE WHEN c.state IN ('open', 'released') THEN 0 ELSE 1 END, CASE WHEN c.due_on = '' THEN 1 ELSE 0 END, c.due_on, \
         c.made_at DESC, c.id LIMIT 200"
    )))
    .bind(scope.customer())
    .bind(i64::from(all))
    .fetch_all(conn)
    .await
}

/// One that the viewer may see.
pub async fn find(conn: &mut Conn, scope: &Scope, id: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{SELECT} AND c.id = $2")))
        .bind(scope.customer())
        .bind(id)
        .fetch_optional(conn)
        .await
}

/// What stands on these lists, in its order.
pub async fn list_lines(conn: &mut Conn, ids: &[&str]) -> sqlx::Result<Vec<Line>> {
    let mut found = Vec::new();
    for piece in pieces(ids) {
        let text = format!(
            "SELECT l.consignment_id, l.kind_id, k.number, k.name, k.name_zh, l.installed, l.rate_bp, l.quantity, l.price_fen \
             FROM consignment_line l JOIN part_kind k ON k.id = l.kind_id WHERE l.consignment_id IN {} \
             ORDER BY l.consignment_id, l.position",
            places(conn, 1, piece.len())
        );
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text));
        for id in piece {
            query = query.bind(*id);
        }
        found.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(found)
}

/// What was packed for these, likewise.
pub async fn list_packed(conn: &mut Conn, ids: &[&str]) -> sqlx::Result<Vec<Packed>> {
    let mut found = Vec::new();
    for piece in pieces(ids) {
        let text = format!(
            "SELECT consignment_id, kind_id, quantity, serial FROM consignment_packed WHERE consignment_id IN {} \
             ORDER BY consignment_id, position",
            places(conn, 1, piece.len())
        );
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text));
        for id in piece {
            query = query.bind(*id);
        }
        found.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(found)
}

/// A list as it is written.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct New<'a> {
    pub id: &'a str,
    pub purpose: &'a str,
    pub supply: &'a str,
    pub site_id: &'a str,
    pub ticket_id: Option<&'a str>,
    pub months: i64,
    pub due_on: &'a str,
    pub due_at: Option<i64>,
    pub note: &'a str,
    pub made_by: &'a str,
}

/// A line as it is written: the kind, how many are in use, the rate, how many are sent, and the price.
pub type NewLine = (String, i64, i64, i64, i64);

/// Writes a list, new or changed; false when it has gone, or is over. Another day is announced anew when it is past.
pub async fn put(conn: &mut Conn, new: &New<'_>, lines: &[NewLine], now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "INSERT INTO consignment (id, purpose, supply, site_id, ticket_id, months, due_on, due_at, note, state, made_at, made_by, \
         waybill, carrier, released_by, ended_by, received_by, end_note) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open', $10, $11, '', '', '', '', '', '') \
         ON CONFLICT (id) DO UPDATE SET purpose = $2, supply = $3, site_id = $4, ticket_id = $5, months = $6, due_on = $7, \
         due_at = $8, note = $9, told_at = CASE WHEN consignment.due_on = $7 THEN consignment.told_at END \
         WHERE consignment.state = 'open'",
    )
    .bind(new.id)
    .bind(new.purpose)
    .bind(new.supply)
    .bind(new.site_id)
    .bind(new.ticket_id)
    .bind(new.months)
    .bind(new.due_on)
    .bind(new.due_at)
    .bind(new.note)
    .bind(now.as_millisecond())
    .bind(new.made_by)
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("DELETE FROM consignment_line WHERE consignment_id = $1")
        .bind(new.id)
        .execute(&mut *conn)
        .await?;
    for (position, (kind, installed, rate_bp, quantity, price_fen)) in (0_i64..).zip(lines) {
        sqlx::query(
            "INSERT INTO consignment_line (consignment_id, position, kind_id, installed, rate_bp, quantity, price_fen) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(new.id)
        .bind(position)
        .bind(kind)
        .bind(installed)
        .bind(rate_bp)
        .bind(quantity)
        .bind(price_fen)
        .execute(&mut *conn)
        .await?;
    }
    Ok(true)
}

/// Writes down that it goes, with what was packed; false when it has gone before, or is over.
pub async fn release(
    conn: &mut Conn,
    id: &str,
    (from, waybill, carrier): (&str, &str, &str),
    packed: &[(&str, i64, &str)],
    (by, now): (&str, Timestamp),
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE consignment SET state = 'released', from_id = $2, waybill = $3, carrier = $4, released_at = $5, released_by = $6 \
         WHERE id = $1 AND state = 'open'",
    )
    .bind(id)
    .bind(from)
    .bind(waybill)
    .bind(carrier)
    .bind(now.as_millisecond())
    .bind(by)
    .execute(&mut *conn)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    for (position, (kind, quantity, serial)) in (0_i64..).zip(packed) {
        sqlx::query(
            "INSERT INTO consignment_packed (consignment_id, position, kind_id, quantity, serial) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(id)
        .bind(position)
        .bind(kind)
        .bind(quantity)
        .bind(serial)
        .execute(&mut *conn)
        .await?;
    }
    Ok(true)
}

/// Writes down how it ended; false when it was no longer in that state.
pub async fn end(
    conn: &mut Conn,
    id: &str,
    (was, becomes): (&str, &str),
    (received_by, note): (&str, &str),
    (by, now): (&str, Timestamp),
) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE consignment SET state = $3, received_by = $4, end_note = $5, ended_at = $6, ended_by = $7 \
         WHERE id = $1 AND state = $2",
    )
    .bind(id)
    .bind(was)
    .bind(becomes)
    .bind(received_by)
    .bind(note)
    .bind(now.as_millisecond())
    .bind(by)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Those whose day is over, that are not with the customer, and that were not announced.
pub async fn list_late(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "{SELECT} AND c.told_at IS NULL AND c.state IN ('open', 'released') AND c.due_at <= $2 ORDER BY c.due_at, c.id LIMIT 100"
    )))
    .bind(Scope::All.customer())
    .bind(now.as_millisecond())
    .fetch_all(conn)
    .await
}

/// Writes down that it was announced; false when it was before, or is over.
pub async fn set_told(conn: &mut Conn, id: &str, now: Timestamp) -> sqlx::Result<bool> {
    let done = sqlx::query(
        "UPDATE consignment SET told_at = $2 WHERE id = $1 AND state IN ('open', 'released') AND told_at IS NULL",
    )
    .bind(id)
    .bind(now.as_millisecond())
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// A kind of part that is in use at a site: a device's model is the kind's number.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Fitting {
    pub kind_id: String,
    pub number: String,
    pub name: String,
    pub name_zh: String,
    pub price_fen: i64,
    /// In use at the site.
    pub installed: i64,
    /// In use at all sites that the viewer may see.
    pub everywhere: i64,
    /// Used at all of these since the instant.
    pub used: i64,
    /// The first device of it is known since then.
    pub since: i64,
}

/// The kinds of which devices are in use at a site, and how many were used since an instant.
pub async fn list_fitting(
    conn: &mut Conn,
    scope: &Scope,
    site: &str,
    since: i64,
) -> sqlx::Result<Vec<Fitting>> {
    sqlx::query_as(
        "SELECT k.id AS kind_id, k.number, k.name, k.name_zh, k.price_fen, \
         CAST(SUM(CASE WHEN d.site_id = $2 THEN 1 ELSE 0 END) AS BIGINT) AS installed, CAST(COUNT(*) AS BIGINT) AS everywhere, \
         CAST(COALESCE((SELECT SUM(m.quantity) FROM part_move m LEFT JOIN ticket t ON t.id = m.ticket_id LEFT JOIN site p ON p.id = t.site_id \
           WHERE m.kind_id = k.id AND m.why = 'used' AND m.occurred_at >= $3 \
           AND (CAST($1 AS TEXT) IS NULL OR p.customer_id = $1)), 0) AS BIGINT) AS used, \
         CAST(MIN(d.created_at) AS BIGINT) AS since \
         FROM part_kind k JOIN device d ON lower(d.model) = lower(k.number) JOIN site s ON s.id = d.site_id \
         WHERE d.removed_at IS NULL AND (CAST($1 AS TEXT) IS NULL OR s.customer_id = $1) \
         GROUP BY k.id, k.number, k.name, k.name_zh, k.price_fen \
         HAVING SUM(CASE WHEN d.site_id = $2 THEN 1 ELSE 0 END) > 0 ORDER BY k.number LIMIT 200",
    )
    .bind(scope.customer())
    .bind(site)
    .bind(since)
    .fetch_all(conn)
    .await
}
