//! SQL for many incidents at once.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use super::{IncidentId, New, Row, SELECT};
use crate::db::{Conn, pieces, places, typed_places};
use crate::incident::severity_of;
use crate::user::Scope;

/// An incident that opens.
#[derive(Debug)]
pub struct Opening<'e> {
    /// Where.
    pub site: &'e str,
    /// What is known of it.
    pub new: New<'e>,
    /// It is judged at the end of this transaction; else it has a ticket at once.
    pub is_judged: bool,
}

/// Opens incidents. Returns the ids of those that did not stand, in the places of `new`.
pub async fn open(conn: &mut Conn, new: &[Opening<'_>], now: Timestamp) -> sqlx::Result<Vec<Option<String>>> {
    let rows: Vec<(String, &Opening<'_>)> =
        new.iter().map(|one| (IncidentId::new(now).to_string(), one)).collect();
    let mut opened: BTreeSet<String> = BTreeSet::new();
    for piece in pieces(&rows) {
        let text = format!(
            "INSERT INTO incident (id, site_id, gateway_id, device_id, code, severity, opened_at, last_good_at, \
             first_bad_at, recorded_at, evidence, settle_at) VALUES {} ON CONFLICT DO NOTHING",
            places(conn, piece.len(), 12)
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (id, Opening { site, new, is_judged }) in piece {
            query = query
                .bind(id)
                .bind(*site)
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
        let done = query.execute(&mut *conn).await?;
        let ids: Vec<&str> = piece.iter().map(|(id, _)| id.as_str()).collect();
        // Nearly always none of them stood, and nothing has to be asked.
        if done.rows_affected() == ids.len() as u64 {
            opened.extend(ids.into_iter().map(str::to_owned));
        } else {
            opened.extend(list_known(&mut *conn, &ids).await?);
        }
    }
    Ok(rows.into_iter().map(|(id, _)| opened.contains(&id).then_some(id)).collect())
}

/// Those of these ids under which there is an incident.
async fn list_known(conn: &mut Conn, ids: &[&str]) -> sqlx::Result<Vec<String>> {
    let text = format!("SELECT id FROM incident WHERE id IN {}", places(conn, 1, ids.len()));
    let mut query = sqlx::query_scalar(AssertSqlSafe(text));
    for id in ids {
        query = query.bind(*id);
    }
    query.fetch_all(conn).await
}

/// Those of `devices` that hang off nothing, and that nothing hangs off. In a storm these are the few.
pub async fn list_alone(conn: &mut Conn, devices: &[&str]) -> sqlx::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for piece in pieces(devices) {
        let text = format!(
            "WITH v(id) AS (VALUES {}) SELECT v.id FROM v WHERE NOT EXISTS (SELECT 1 FROM device_parent p WHERE p.device_id = v.id) \
             AND NOT EXISTS (SELECT 1 FROM device_parent p WHERE p.parent_id = v.id) \
             AND NOT EXISTS (SELECT 1 FROM gateway_parent p WHERE p.parent_id = v.id)",
            typed_places(conn, piece.len(), &["TEXT"])
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

/// A symptom that somebody is told about.
#[derive(Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Symptom {
    pub id: String,
    pub device_id: Option<String>,
    pub ticket_id: Option<String>,
    pub is_over: i64,
    pub customer_id: String,
}

/// Those of these incidents that are under a cause.
pub async fn list_symptoms(conn: &mut Conn, ids: &BTreeSet<String>) -> sqlx::Result<Vec<Symptom>> {
    let ids: Vec<&String> = ids.iter().collect();
    let mut rows = Vec::new();
    for piece in pieces(&ids) {
        let text = format!(
            "SELECT i.id, i.device_id, i.ticket_id, CASE WHEN i.closed_at IS NULL THEN CAST(0 AS BIGINT) ELSE CAST(1 AS BIGINT) END \
             AS is_over, s.customer_id FROM incident i JOIN site s ON s.id = i.site_id \
             WHERE i.cause_id IS NOT NULL AND i.id IN {}",
            places(conn, 1, piece.len())
        );
        let mut query = sqlx::query_as(AssertSqlSafe(text));
        for id in piece {
            query = query.bind(id.as_str());
        }
        rows.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(rows)
}

/// Those of these incidents that are causes of their own, as far as it is known, as the API shows them.
pub async fn list_causes(conn: &mut Conn, ids: &BTreeSet<String>) -> sqlx::Result<Vec<Row>> {
    let ids: Vec<&String> = ids.iter().collect();
    let mut rows = Vec::new();
    for piece in pieces(&ids) {
        let text: Vec<String> = (2..piece.len() + 2).map(|at| format!("${at}")).collect();
        let text = format!("{SELECT} AND i.cause_id IS NULL AND i.id IN ({})", text.join(", "));
        let mut query = sqlx::query_as(AssertSqlSafe(text)).bind(Scope::All.customer());
        for id in piece {
            query = query.bind(id.as_str());
        }
        rows.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(rows)
}

/// What stands on tickets, as the API shows it: causes first, then what failed first; at most `limit` of each ticket.
pub async fn list_standing(
    conn: &mut Conn,
    tickets: &BTreeSet<String>,
    limit: i64,
) -> sqlx::Result<Vec<Row>> {
    let tickets: Vec<&String> = tickets.iter().collect();
    let mut rows = Vec::new();
    for piece in pieces(&tickets) {
        let text: Vec<String> = (3..piece.len() + 3).map(|at| format!("${at}")).collect();
        // Chosen before anything is joined: a ticket may have hundreds.
        let order = |of: &str| {
            format!(
                "CASE WHEN {of}cause_id IS NULL THEN 0 ELSE 1 END, COALESCE({of}first_bad_at, {of}opened_at), {of}id"
            )
        };
        let text = format!(
            "{SELECT} AND i.id IN (SELECT n.id FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY ticket_id ORDER BY {}) AS place \
             FROM incident WHERE closed_at IS NULL AND ticket_id IN ({})) n WHERE n.place <= $2) ORDER BY {}",
            order(""),
            text.join(", "),
            order("i.")
        );
        let mut query = sqlx::query_as(AssertSqlSafe(text)).bind(Scope::All.customer()).bind(limit);
        for id in piece {
            query = query.bind(id.as_str());
        }
        rows.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(rows)
}

/// How many symptoms stand on each of these tickets that has any.
pub async fn count_symptoms(
    conn: &mut Conn,
    tickets: &BTreeSet<String>,
) -> sqlx::Result<HashMap<String, i64>> {
    let tickets: Vec<&String> = tickets.iter().collect();
    let mut counts = HashMap::new();
    for piece in pieces(&tickets) {
        let text = format!(
            "SELECT ticket_id, CAST(COUNT(*) AS BIGINT) FROM incident WHERE closed_at IS NULL AND cause_id IS NOT NULL \
             AND ticket_id IN (VALUES {}) GROUP BY ticket_id",
            places(conn, piece.len(), 1)
        );
        let mut query = sqlx::query_as::<_, (String, i64)>(AssertSqlSafe(text));
        for id in piece {
            query = query.bind(id.as_str());
        }
        counts.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(counts)
}
