//! SQL for who is going where, and for the clocks that run meanwhile.

use jiff::Timestamp;

use crate::clock::from_ms;
use crate::db::{Conn, pieces, places};
use crate::site::place::{distance_km, wgs84};
use crate::sla::travel::Way;

/// Somebody who goes on an accepted visit. Times are Unix ms.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Going {
    pub ticket_id: String,
    pub visit_id: String,
    pub number: i64,
    pub account_id: String,
    pub account: String,
    pub planned_at: Option<i64>,
    pub accepted_at: Option<i64>,
    pub departed_at: Option<i64>,
    pub changed_at: i64,
    pub lat: Option<f64>,
    pub lon: Option<f64>,
    pub datum: String,
    pub home_lat: Option<f64>,
    pub home_lon: Option<f64>,
    pub home_datum: Option<String>,
}

impl Going {
    /// How far it is and since when the person goes.
    pub fn way(&self) -> Way {
        let site = self.lat.zip(self.lon).and_then(|(lat, lon)| wgs84(&self.datum, lat, lon));
        let home = self.home_lat.zip(self.home_lon).zip(self.home_datum.as_deref());
        let home = home.and_then(|((lat, lon), datum)| wgs84(datum, lat, lon));
        Way {
            km: site.zip(home).map(|(site, home)| distance_km(site, home)),
            accepted_at: from_ms(self.accepted_at.unwrap_or(self.changed_at)),
            departed_at: self.departed_at.map(from_ms),
            planned_at: self.planned_at.map(from_ms),
        }
    }
}

/// Everybody who has accepted a visit and is not there yet, or only those of one ticket.
pub async fn list_going(conn: &mut Conn, ticket: Option<&str>) -> sqlx::Result<Vec<Going>> {
    let narrowed = if ticket.is_some() { "AND v.ticket_id = $1" } else { "" };
    let text = format!(
        "SELECT v.ticket_id, v.id AS visit_id, v.number, m.account_id, a.name AS account, v.planned_at, v.changed_at, s.lat, s.lon, s.datum, \
         h.lat AS home_lat, h.lon AS home_lon, h.datum AS home_datum, \
         (SELECT MIN(e.occurred_at) FROM visit_event e WHERE e.visit_id = v.id AND e.kind = 'accepted') AS accepted_at, \
         (SELECT MIN(e.occurred_at) FROM visit_event e WHERE e.visit_id = v.id AND e.kind = 'departed') AS departed_at \
         FROM visit v JOIN site s ON s.id = v.site_id JOIN visit_member m ON m.visit_id = v.id \
         JOIN account a ON a.id = m.account_id LEFT JOIN account_home h ON h.account_id = m.account_id \
         WHERE v.state IN ('accepted', 'departed') {narrowed} ORDER BY v.ticket_id, v.number, a.name, a.id"
    );
    let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text));
    if let Some(ticket) = ticket {
        query = query.bind(ticket.to_owned());
    }
    query.fetch_all(conn).await
}

/// A clock that runs.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Running {
    pub ticket_id: String,
    pub name: String,
    pub run: i64,
    pub due_at: i64,
    /// How often it was told that somebody comes too late, and that it is not so after all.
    pub turns: i64,
}

impl Running {
    /// When it is due.
    pub fn due(&self) -> Timestamp {
        from_ms(self.due_at)
    }

    /// Whether it stands foreseen that somebody comes too late.
    pub fn is_foreseen(&self) -> bool {
        self.turns % 2 == 1
    }
}

/// The clocks that run on these tickets, of those that are ours to keep.
pub async fn list_running(conn: &mut Conn, tickets: &[&str]) -> sqlx::Result<Vec<Running>> {
    let mut found = Vec::new();
    for piece in pieces(tickets) {
        let text = format!(
            "SELECT c.ticket_id, c.name, c.run, c.due_at, (SELECT CAST(COUNT(*) AS BIGINT) FROM clock_notice n \
             WHERE n.ticket_id = c.ticket_id AND n.name = c.name AND n.run = c.run AND n.share = 0) AS turns \
             FROM clock c WHERE c.state = 'running' AND c.supplier = 0 AND c.due_at IS NOT NULL AND c.ticket_id IN {} \
             ORDER BY c.ticket_id, c.name, c.run",
            places(conn, 1, piece.len())
        );
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(text));
        for id in piece {
            query = query.bind(*id);
        }
        let rows: Vec<Running> = query.fetch_all(&mut *conn).await?;
        found.extend(rows);
    }
    Ok(found)
}
