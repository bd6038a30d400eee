//! The clocks of many tickets at once, for making all of them again.

use std::collections::BTreeMap;

use super::{COLUMNS, Case, HEADS, Heads, Library, Row, case};
use crate::contract::store::{Covering, list_covering};
use crate::db::{Conn, pieces, places};
use crate::ticket;

/// Takes the rows of tickets, so that nobody else writes to them until the transaction ends.
pub async fn lock_only(conn: &mut Conn, tickets: &[String]) -> sqlx::Result<()> {
    for piece in pieces(tickets) {
        let text =
            format!("UPDATE ticket SET changed_at = changed_at WHERE id IN {}", places(conn, 1, piece.len()));
        let mut query = sqlx::query(sqlx::AssertSqlSafe(text));
        for id in piece {
            query = query.bind(id.as_str());
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// Those of the tickets that a contract governs, as [`super::find_case`] finds each of them.
pub async fn list_cases(
    conn: &mut Conn,
    library: &mut Library,
    tickets: &[String],
) -> sqlx::Result<Vec<Case>> {
    let Some(mut lines) = ticket::store::fact::list_many(conn, tickets).await? else {
        let mut cases = Vec::new();
        for ticket in tickets {
            cases.extend(super::find_case(conn, library, ticket).await?);
        }
        return Ok(cases);
    };
    let mut covering: BTreeMap<String, Vec<Covering>> = BTreeMap::new();
    let mut cases = Vec::with_capacity(tickets.len());
    for heads in list_heads(conn, tickets).await?.into_iter().filter(Heads::may_be_promised) {
        if !covering.contains_key(&heads.site_id) {
            covering.insert(heads.site_id.clone(), list_covering(conn, &heads.site_id).await?);
        }
        let covering = covering.get(&heads.site_id).map(Vec::as_slice).unwrap_or_default();
        let lines = lines.remove(&heads.id).unwrap_or_default();
        cases.extend(case(conn, library, heads, lines, covering).await?);
    }
    Ok(cases)
}

async fn list_heads(conn: &mut Conn, tickets: &[String]) -> sqlx::Result<Vec<Heads>> {
    let mut found = Vec::with_capacity(tickets.len());
    for piece in pieces(tickets) {
        let text = format!("{HEADS} WHERE t.id IN {} ORDER BY t.id", places(conn, 1, piece.len()));
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text));
        for id in piece {
            query = query.bind(id.as_str());
        }
        let rows: Vec<Heads> = query.fetch_all(&mut *conn).await?;
        found.extend(rows);
    }
    Ok(found)
}

/// Puts rows in the place of all that stand for these tickets.
pub async fn replace(conn: &mut Conn, tickets: &[String], rows: &[Row]) -> sqlx::Result<()> {
    for piece in pieces(tickets) {
        let text = format!("DELETE FROM clock WHERE ticket_id IN {}", places(conn, 1, piece.len()));
        let mut query = sqlx::query(sqlx::AssertSqlSafe(text));
        for id in piece {
            query = query.bind(id.as_str());
        }
        query.execute(&mut *conn).await?;
    }
    insert(conn, rows).await
}

/// Adds rows.
pub(super) async fn insert(conn: &mut Conn, rows: &[Row]) -> sqlx::Result<()> {
    for piece in pieces(rows) {
        let text = format!("INSERT INTO clock ({COLUMNS}) VALUES {}", places(conn, piece.len(), 24));
        let mut query = sqlx::query(sqlx::AssertSqlSafe(text));
        for row in piece {
            query = row.bind_to(query);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}
