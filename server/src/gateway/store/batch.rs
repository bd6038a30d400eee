//! SQL for the senders of many packets at once: one statement for all of them instead of some for each.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use sitewarden_proto::id::GatewayId;
use sqlx::AssertSqlSafe;

use crate::db::{Conn, pieces, places};
use crate::gateway::State;

/// A gateway that may speak, as ingest has to know it.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Where it stands.
    pub state: State,
    /// The epoch that it named last, as text.
    pub epoch: Option<String>,
    /// When its session began, by its own clock.
    pub session_started_at: Option<i64>,
    /// The sequence number at which its history ends, while it is telling it.
    pub replay_to: Option<i64>,
    /// The configuration that it should run; grows whenever its devices change.
    pub config_version: i64,
}

type Row = (String, String, Option<String>, Option<i64>, Option<i64>, i64);

/// The gateways among `ids` that are known and not revoked.
pub async fn list_standings(
    conn: &mut Conn,
    ids: &[&GatewayId],
) -> sqlx::Result<HashMap<GatewayId, Standing>> {
    let mut all = HashMap::with_capacity(ids.len());
    for piece in pieces(ids) {
        let text = format!(
            "SELECT id, state, epoch, session_started_at, replay_to, config_version FROM gateway \
             WHERE revoked_at IS NULL AND id IN (VALUES {})",
            places(conn, piece.len(), 1)
        );
        let mut query = sqlx::query_as::<_, Row>(AssertSqlSafe(text));
        for id in piece {
            query = query.bind(id.as_str());
        }
        for (id, state, epoch, session_started_at, replay_to, config_version) in
            query.fetch_all(&mut *conn).await?
        {
            let Ok(id) = id.try_into() else { continue };
            let state = State::parse(&state).unwrap_or(State::Silent);
            all.insert(id, Standing { state, epoch, session_started_at, replay_to, config_version });
        }
    }
    Ok(all)
}

/// Up to which sequence number epochs of gateways are committed; those that are new are left out.
pub async fn list_marks(
    conn: &mut Conn,
    epochs: &[(&GatewayId, String)],
) -> sqlx::Result<Vec<(String, String, i64)>> {
    let mut all = Vec::with_capacity(epochs.len());
    for piece in pieces(epochs) {
        let text = format!(
            "SELECT gateway_id, epoch, upto FROM gateway_epoch WHERE (gateway_id, epoch) IN (VALUES {})",
            places(conn, piece.len(), 2)
        );
        let mut query = sqlx::query_as(AssertSqlSafe(text));
        for (id, epoch) in piece {
            query = query.bind(id.as_str()).bind(epoch);
        }
        all.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(all)
}

/// How far an epoch has come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Whose.
    pub gateway: GatewayId,
    /// Of the epoch, as text.
    pub epoch: String,
    /// The last sequence number that is committed.
    pub upto: i64,
    /// When the session that brought it began.
    pub session_started_at: i64,
}

/// Moves the high-water marks of epochs. None of them moves down.
pub async fn set_marks(conn: &mut Conn, marks: &[Mark], now: Timestamp) -> sqlx::Result<()> {
    for piece in pieces(marks) {
        let text = format!(
            "INSERT INTO gateway_epoch (gateway_id, epoch, upto, session_started_at, first_seen_at, moved_at) VALUES {} \
             ON CONFLICT (gateway_id, epoch) DO UPDATE SET upto = excluded.upto, moved_at = excluded.moved_at \
             WHERE excluded.upto > gateway_epoch.upto",
            places(conn, piece.len(), 6)
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for mark in piece {
            query = query
                .bind(mark.gateway.as_str())
                .bind(&mark.epoch)
                .bind(mark.upto)
                .bind(mark.session_started_at)
                .bind(now.as_millisecond())
                .bind(now.as_millisecond());
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// Notes that gateways were heard, and when (Unix ms).
pub async fn record_heard(conn: &mut Conn, heard: &[(GatewayId, i64)]) -> sqlx::Result<()> {
    for piece in pieces(heard) {
        // Both databases name the columns of VALUES like this.
        let text = format!(
            "UPDATE gateway SET last_heard_at = heard.column2 FROM (VALUES {}) AS heard \
             WHERE gateway.id = heard.column1",
            places(conn, piece.len(), 2)
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (gateway, at) in piece {
            query = query.bind(gateway.as_str()).bind(*at);
        }
        query.execute(&mut *conn).await?;
    }
    Ok(())
}

/// The sites at which gateways stand, by the gateways.
pub async fn list_sites(conn: &mut Conn, gateways: &BTreeSet<&str>) -> sqlx::Result<HashMap<String, String>> {
    let gateways: Vec<&str> = gateways.iter().copied().collect();
    let mut sites = HashMap::with_capacity(gateways.len());
    for piece in pieces(&gateways) {
        let text =
            format!("SELECT id, site_id FROM gateway WHERE id IN (VALUES {})", places(conn, piece.len(), 1));
        let mut query = sqlx::query_as::<_, (String, String)>(AssertSqlSafe(text));
        for id in piece {
            query = query.bind(*id);
        }
        sites.extend(query.fetch_all(&mut *conn).await?);
    }
    Ok(sites)
}
