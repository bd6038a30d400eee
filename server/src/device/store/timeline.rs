//! SQL for telling a device's timeline again, once its gateway's history is in.

use jiff::Timestamp;

use crate::db::Conn;
use crate::device::timeline::{Change, retold};
use crate::id::uuid_v7;

/// Marks a device as lying in a maintenance window, or takes the mark away.
pub async fn set_maintenance(conn: &mut Conn, id: &str, covered: bool) -> sqlx::Result<()> {
    let covered = i64::from(covered);
    sqlx::query("UPDATE device SET in_maintenance = $2 WHERE id = $1")
        .bind(id)
        .bind(covered)
        .execute(conn)
        .await?;
    Ok(())
}

/// The times in which a gateway measured since `from`: first and last sample of its blocks, in order.
pub async fn list_measured(conn: &mut Conn, gateway: &str, from: i64) -> sqlx::Result<Vec<(i64, i64)>> {
    sqlx::query_as(
        "SELECT start_at, end_at FROM metric_block WHERE gateway_id = $1 AND end_at >= $2 ORDER BY start_at",
    )
    .bind(gateway)
    .bind(from)
    .fetch_all(conn)
    .await
}

/// The devices of a gateway that are unknown because it was silent, and since when.
pub async fn list_silenced(conn: &mut Conn, gateway: &str) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as(
        "SELECT d.id, d.state_since FROM device d JOIN device_state s ON s.device_id = d.id AND s.at = d.state_since \
         WHERE d.gateway_id = $1 AND d.removed_at IS NULL AND d.enabled = 1 AND d.known_at IS NOT NULL \
         AND d.state = 'unknown' AND s.state = 'unknown' AND s.because = 'gateway_silent' ORDER BY d.position, d.id",
    )
    .bind(gateway)
    .fetch_all(conn)
    .await
}

/// Puts what is known by now in the place of the silence that a device's timeline ends with.
pub async fn retell(
    conn: &mut Conn,
    device: &str,
    since: i64,
    measured: &[(i64, i64)],
    now: Timestamp,
) -> sqlx::Result<()> {
    let now = now.as_millisecond();
    let standing: Vec<String> =
        sqlx::query_scalar("SELECT code FROM device_fault WHERE device_id = $1 ORDER BY code")
            .bind(device)
            .fetch_all(&mut *conn)
            .await?;
    let events: Vec<(i64, String, String)> = sqlx::query_as(
        "SELECT at, code, transition FROM device_event WHERE device_id = $1 AND at >= $2 AND at <= $3 \
         AND transition IN ('raised', 'cleared', 'baseline') ORDER BY at, seq",
    )
    .bind(device)
    .bind(since)
    .bind(now)
    .fetch_all(&mut *conn)
    .await?;
    let change = |(at, code, transition): (i64, String, String)| match transition.as_str() {
        "baseline" => Change { at, code: String::new(), began: false },
        word => Change { at, code, began: word == "raised" },
    };
    let changes: Vec<Change> = events.into_iter().map(change).collect();
    let mut told = retold(since, now, &standing, &changes, measured);
    let before: Option<(i64, String, String)> = sqlx::query_as(
        "SELECT at, state, because FROM device_state WHERE device_id = $1 AND at < $2 ORDER BY at DESC, id DESC LIMIT 1",
    )
    .bind(device)
    .bind(since)
    .fetch_optional(&mut *conn)
    .await?;
    // What goes on from before the silence began then.
    if let (Some(first), Some((at, state, because))) = (told.first_mut(), before)
        && (first.1.as_str(), &first.2) == (&state, &because)
    {
        first.0 = at;
    }
    let Some((last_at, last, _)) = told.last().cloned() else { return Ok(()) };
    let since = told.first().map_or(since, |first| first.0);
    sqlx::query("DELETE FROM device_state WHERE device_id = $1 AND at >= $2")
        .bind(device)
        .bind(since)
        .execute(&mut *conn)
        .await?;
    for (at, state, because) in told {
        sqlx::query(
            "INSERT INTO device_state (id, device_id, at, state, because) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(uuid_v7(crate::clock::from_ms(at)))
        .bind(device)
        .bind(at)
        .bind(state.as_str())
        .bind(because)
        .execute(&mut *conn)
        .await?;
    }
    sqlx::query("UPDATE device SET state = $2, state_since = $3 WHERE id = $1")
        .bind(device)
        .bind(last.as_str())
        .bind(last_at)
        .execute(conn)
        .await?;
    Ok(())
}
