//! An arrival that is proved opens the maintenance windows that wait for one at its site, and the end of the visit closes
//! what it opened: pages wait while somebody works there, and no longer.

use jiff::Timestamp;

use crate::db::Conn;
use crate::maintenance::store;
use crate::maintenance::{Kind, Phase, Window};
use crate::user::Scope;
use crate::visit::store::{Row, list_events};

/// Opens what waits. A window about a device is opened by a visit about that device, or about none; the length of each
/// is counted from the arrival, however late that is told.
pub(super) async fn open(conn: &mut Conn, row: &Row, at: Timestamp, now: Timestamp) -> sqlx::Result<()> {
    for one in store::list(conn, &Scope::All, Some(&row.site_id), false).await? {
        let (window, is_theirs) = (one.window(), one.device_id.is_none() || row.device_id.is_none());
        let waits = window.kind == Kind::Visit && window.phase(now.as_millisecond()) == Phase::Waiting;
        if waits && (is_theirs || one.device_id == row.device_id) {
            let began_at = Some(at.as_millisecond().max(window.starts_at));
            store::set(conn, &one.id, &Window { began_at, ..window }, "", now).await?;
        }
    }
    Ok(())
}

/// Closes what this visit's arrivals opened and still runs.
pub(super) async fn close(conn: &mut Conn, row: &Row, who: &str, now: Timestamp) -> sqlx::Result<()> {
    let arrivals: Vec<i64> = list_events(conn, &row.id)
        .await?
        .into_iter()
        .filter(|event| event.kind == "arrived")
        .map(|event| event.occurred_at)
        .collect();
    for one in store::list(conn, &Scope::All, Some(&row.site_id), false).await? {
        let window = one.window();
        let runs = matches!(window.phase(now.as_millisecond()), Phase::Running { .. });
        let is_ours = arrivals.iter().any(|at| window.began_at == Some(*at.max(&window.starts_at)));
        if window.kind == Kind::Visit && runs && is_ours {
            let ended_at = Some(now.as_millisecond());
            store::set(conn, &one.id, &Window { ended_at, ..window }, who, now).await?;
        }
    }
    Ok(())
}
