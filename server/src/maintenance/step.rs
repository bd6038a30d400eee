//! Where time acts on maintenance windows: they begin, are opened and end; tickets are held and released; devices are
//! marked. Runs in the transaction that plans the pages, before them.

use jiff::Timestamp;
use serde_json::json;
use sitewarden_proto::id::GatewayId;

use super::store;
use crate::app::Touched;
use crate::db::Conn;
use crate::ticket::Hold;
use crate::{device, gateway, ticket};

/// Takes every window that is due to where it stands, and holds what lies in those that run.
pub async fn step(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Touched> {
    let mut touched = Touched::default();
    for (id, at) in store::list_opened(conn).await? {
        if let Some(row) = store::find(conn, &crate::user::Scope::All, &id).await? {
            let window = super::Window { began_at: Some(at.max(row.starts_at)), ..row.window() };
            store::set(conn, &id, &window, "", now).await?;
        }
    }
    for row in store::list_due(conn, now).await? {
        let (window, at) = (row.window(), now.as_millisecond());
        let phase = window.phase(at);
        store::set_state(conn, &row.id, phase.as_str(), window.next_change(at)).await?;
        touched.add(mark(conn, &row.site_id, now).await?);
    }
    for (ticket, window) in store::list_unheld(conn).await? {
        let Some(row) = store::find(conn, &crate::user::Scope::All, &window).await? else { continue };
        let body = json!({ "maintenance": row.id, "why": row.reason, "by": row.creator });
        ticket::store::hold::hold(conn, &ticket, Hold::Maintenance, &body, None, now).await?;
        touched.tickets.insert(ticket);
    }
    for ticket in store::list_uncovered(conn).await? {
        ticket::store::hold::release(conn, &ticket, Hold::Maintenance, now).await?;
        touched.tickets.insert(ticket);
    }
    Ok(touched)
}

/// Brings the marks of a site's devices up to date; their states follow.
async fn mark(conn: &mut Conn, site: &str, now: Timestamp) -> sqlx::Result<Touched> {
    let mut touched = Touched::default();
    for (id, gateway, covered) in store::list_unmarked(conn, site).await? {
        device::store::timeline::set_maintenance(conn, &id, covered == 1).await?;
        let Ok(gateway) = GatewayId::try_from(gateway) else { continue };
        let sender = gateway::store::replay::find_sender(conn, &gateway).await?;
        let heard = sender.is_some_and(|sender| sender.state.is_heard() && sender.replay_to.is_none());
        if device::store::refresh_state(conn, &id, heard, now).await? {
            touched.devices.insert(id);
        }
    }
    Ok(touched)
}
