//! SQL for many incidents at once.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use super::{IncidentId, New, Row, SELECT};
use crate::db::{Conn, pieces, places};
use crate::incident::severity_of;
use crate::user::Scope;

/// Opens incidents of one site that are to be judged at the end of this transaction (`true`) or have a ticket at once.
/// Returns the ids of those that did not stand, in the places of `new`.
pub async fn open(
    conn: &mut Conn,
    site: &str,
    new: &[(New<'_>, bool)],
    now: Timestamp,
) -> sqlx::Result<Vec<Option<String>>> {
    let rows: Vec<(String, &(New<'_>, bool))> =
        new.iter().map(|one| (IncidentId::new(now).to_string(), one)).collect();
    let mut opened: BTreeSet<String> = BTreeSet::new();
    for piece in pieces(&rows) {
        let text = format!(
            "INSERT INTO incident (id, site_id, gateway_id, device_id, code, severity, opened_at, last_good_at, \
             first_bad_at, recorded_at, evidence, settle_at) VALUES {} ON CONFLICT DO NOTHING RETURNING id",
            places(piece.len(), 12)
        );
        let mut query = sqlx::query_scalar(AssertSqlSafe(text));
        for (id, (new, is_judged)) in piece {
            query = query
                .bind(id)
                .bind(site)
                .bind(new.gateway_id)
                .bind(new.device_id)
                .bind(new.code)
                .bind(severity_of(new.code).as_str())
                .bind(new.opened_at.as_millisecond())
                .bind(new.last_good_at.map(Timestamp::as_millisecond))
                .bind(new.first_bad_at.map(Timestamp::as_millisecond))
                .bind(now.as_millisecond())
                .bind(new.evidence)
                .bind(is_judged.then_some(0_i64));
        }
        let ids: Vec<String> = query.fetch_all(&mut *conn).await?;
        opened.extend(ids);
    }
    Ok(rows.into_iter().map(|(id, _)| opened.contains(&id).then_some(id)).collect())
}

/// Those of `devices` that hang off anything, or that anything hangs off.
pub async fn list_in_topology(conn: &mut Conn, devices: &[&str]) -> sqlx::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for piece in pieces(devices) {
        let place = places(1, piece.len());
        let text = format!(
            "SELECT device_id FROM device_parent WHERE device_id IN {place} \
             UNION SELECT parent_id FROM device_parent WHERE parent_id IN {place} \
             UNION SELECT parent_id FROM gateway_parent WHERE parent_id IN {place}"
        );
        let mut query = sqlx::query_scalar(AssertSqlSafe(text));
        for id in piece {
            query = query.bind(*id);
        }
        let ids: Vec<String> = query.fetch_all(&mut *conn).await?;
        found.extend(ids);
    }
    Ok(found)
}

/// Puts incidents under one cause, on its ticket. They are settled.
pub async fn place(conn: &mut Conn, ids: &[&str], cause: &str, ticket: &str) -> sqlx::Result<()> {
    for piece in pieces(ids) {
        let text: Vec<String> = (3..piece.len() + 3).map(|at| format!("${at}")).collect();
        let text = format!(
            "UPDATE incident SET cause_id = $1, ticket_id = $2, settle_at = NULL WHERE id IN ({})",
            text.join(", ")
        );
        let mut query = sqlx::query(AssertSqlSafe(text)).bind(cause).bind(ticket);
        for id in piece {
            query = query.bind(*id);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// Incidents by their ids, as the API shows them.
pub async fn list(conn: &mut Conn, ids: &BTreeSet<String>) -> sqlx::Result<Vec<Row>> {
    let ids: Vec<&String> = ids.iter().collect();
    let mut rows = Vec::new();
    for piece in pieces(&ids) {
        let text: Vec<String> = (2..piece.len() + 2).map(|at| format!("${at}")).collect();
        let text = format!("{SELECT} AND i.id IN ({})", text.join(", "));
        let mut query = sqlx::query_as(AssertSqlSafe(text)).bind(Scope::All.customer());
        for id in piece {
            query = query.bind(id.as_str());
        }
        rows.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(rows)
}

/// What stands on tickets, as the API shows it, newest first; at most `limit` of each ticket.
pub async fn list_standing(
    conn: &mut Conn,
    tickets: &BTreeSet<String>,
    limit: i64,
) -> sqlx::Result<Vec<Row>> {
    let tickets: Vec<&String> = tickets.iter().collect();
    let mut rows = Vec::new();
    for piece in pieces(&tickets) {
        let text: Vec<String> = (3..piece.len() + 3).map(|at| format!("${at}")).collect();
        let text = format!(
            "SELECT n.* FROM (SELECT w.*, ROW_NUMBER() OVER (PARTITION BY w.ticket_id ORDER BY w.opened_at DESC, w.id DESC) \
             AS place FROM ({SELECT} AND i.closed_at IS NULL AND i.ticket_id IN ({})) w) n WHERE n.place <= $2 \
             ORDER BY n.opened_at DESC, n.id DESC",
            text.join(", ")
        );
        let mut query = sqlx::query_as(AssertSqlSafe(text)).bind(Scope::All.customer()).bind(limit);
        for id in piece {
            query = query.bind(id.as_str());
        }
        rows.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(rows)
}
