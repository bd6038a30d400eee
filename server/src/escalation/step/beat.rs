//! Heartbeats. Out: only while the audit is passed, so that whoever listens hears silence when the pager is ill. In:
//! another installation that falls silent is trouble at the site that was named for it.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::app::{App, Touched};
use crate::clock::from_ms;
use crate::escalation::store::{finding, peer};
use crate::page::channel::heartbeat::Beats;
use crate::ticket::{self, Actor};
use crate::{incident, page};

/// The fault code of another installation that is not heard any more.
pub const PEER_SILENT: &str = "peer_silent";
const EVERY_MS: i64 = 60_000;
/// An audit older than this says nothing any more.
const FRESH: SignedDuration = SignedDuration::from_mins(3);

/// Sends the heartbeats that are due, if the last audit was passed.
pub async fn send(app: &App, beats: &Beats, now: Timestamp) -> anyhow::Result<()> {
    let mut conn = app.db.read().await?;
    let due: Vec<_> = peer::list_heartbeats(&mut conn)
        .await?
        .into_iter()
        .filter(|one| one.tried_at.is_none_or(|at| now.as_millisecond() - at >= EVERY_MS))
        .collect();
    let (audited, passed) = finding::audited(&mut conn).await?;
    drop(conn);
    let is_well = passed.is_some_and(|at| Some(at) == audited && now.duration_since(from_ms(at)) <= FRESH);
    if due.is_empty() || !is_well {
        return Ok(());
    }
    let sent = due.iter().map(|one| beats.send(&one.method, &one.address));
    let results = futures_util::future::join_all(sent).await;
    let mut tx = app.db.write().await?;
    for (one, result) in due.iter().zip(results) {
        if let Err(error) = &result {
            tracing::warn!(heartbeat = one.name, error, "a heartbeat was not taken");
        }
        peer::record_heartbeat(&mut tx, &one.id, &result, now).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Opens a ticket for each installation that has fallen silent, and closes it when it is heard again. Nobody is
/// silent while this server could not hear.
pub async fn listen(app: &App, listening_since: Timestamp, now: Timestamp) -> anyhow::Result<()> {
    let peers = peer::list_peers(&mut *app.db.read().await?).await?;
    for one in peers {
        let heard = from_ms(one.heard_at.unwrap_or(one.created_at)).max(listening_since);
        let silent = now.duration_since(heard) > SignedDuration::from_secs(one.limit_s);
        let touched = match (silent, one.silent_since) {
            (true, None) => open(app, &one, heard, now).await?,
            (false, Some(since)) if one.heard_at.is_some_and(|at| at > since) => {
                close(app, &one, now).await?
            }
            (true, Some(_)) | (false, _) => continue,
        };
        app.touched(&touched);
    }
    Ok(())
}

async fn open(app: &App, one: &peer::Peer, heard: Timestamp, now: Timestamp) -> anyhow::Result<Touched> {
    let severity = incident::severity_of(PEER_SILENT).as_str();
    let opening = ticket::store::New {
        site_id: &one.site_id,
        gateway_id: None,
        device_id: None,
        origin: "machine",
        code: PEER_SILENT,
        title: &one.name,
        severity,
        opened_at: now,
    };
    let mut tx = app.db.write().await?;
    let (id, _) = ticket::store::insert(&mut tx, &opening, now).await?;
    let fact = json!({ "code": PEER_SILENT, "severity": severity, "last_good_at": heard.as_millisecond(),
        "evidence": { "name": one.name, "limit_s": one.limit_s } });
    ticket::store::append(&mut tx, id.as_str(), "opened", &Actor::System, &fact, now, now).await?;
    peer::set_silent(&mut tx, &one.id, Some((now, id.as_str()))).await?;
    tx.commit().await?;
    Ok(Touched::ticket(id.as_str()))
}

async fn close(app: &App, one: &peer::Peer, now: Timestamp) -> anyhow::Result<Touched> {
    let mut tx = app.db.write().await?;
    peer::set_silent(&mut tx, &one.id, None).await?;
    let ticket = one.ticket_id.clone().unwrap_or_default();
    if ticket::store::is_standing(&mut tx, &ticket).await? {
        let cleared = json!({ "code": PEER_SILENT });
        ticket::store::append(&mut tx, &ticket, "fault_cleared", &Actor::System, &cleared, now, now).await?;
        ticket::store::set_closed(&mut tx, &ticket, now, now).await?;
        let why = json!({ "reason": "machine" });
        ticket::store::append(&mut tx, &ticket, "closed", &Actor::System, &why, now, now).await?;
        page::step::all_clear(&mut tx, &ticket, now).await?;
    }
    tx.commit().await?;
    Ok(Touched::ticket(&ticket))
}
