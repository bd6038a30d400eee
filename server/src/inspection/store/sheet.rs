//! SQL for the sheet of an inspection: its number, and what was answered. Answers are lines of the inspection's record, so
//! that one that is corrected stays beside its correction.

use jiff::Timestamp;

use super::Event;
use crate::db::Conn;

/// The answers, oldest first; of two to one item the later one holds. At most 20,000.
pub async fn list_answers(conn: &mut Conn, id: &str) -> sqlx::Result<Vec<Event>> {
    sqlx::query_as(
        "SELECT seq, kind, at, actor, body FROM occurrence_event WHERE occurrence_id = $1 AND kind = 'checked' \
         ORDER BY seq LIMIT 20000",
    )
    .bind(id)
    .fetch_all(conn)
    .await
}

/// The number of a sheet, once it has one.
pub async fn find_number(conn: &mut Conn, id: &str) -> sqlx::Result<Option<String>> {
    let body: Option<String> = sqlx::query_scalar(
        "SELECT body FROM occurrence_event WHERE occurrence_id = $1 AND kind = 'sheet' ORDER BY seq LIMIT 1",
    )
    .bind(id)
    .fetch_optional(conn)
    .await?;
    let body = body.and_then(|body| serde_json::from_str::<serde_json::Value>(&body).ok());
    Ok(body.and_then(|body| body["number"].as_str().map(str::to_owned)))
}

/// The next number of a sheet, `XJ-2026-0001`; counted over all years, so that none is there twice.
pub async fn next_number(conn: &mut Conn, now: Timestamp, zone: &jiff::tz::TimeZone) -> sqlx::Result<String> {
    let number: i64 = sqlx::query_scalar(
        "INSERT INTO counter (name, value) VALUES ('inspection_sheet', 1) \
         ON CONFLICT (name) DO UPDATE SET value = counter.value + 1 RETURNING value",
    )
    .fetch_one(conn)
    .await?;
    Ok(format!("XJ-{}-{number:04}", zone.to_datetime(now).year()))
}
