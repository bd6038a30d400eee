//! Events for other programs: rows first, then a sender. What stands is told, not every step on the way.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::page::channel::outlet::{Event, Outlet};
use crate::page::channel::{Refusal, Senders, Sent};
use crate::page::store::outlet::{self as store, Claimed, Row};
use crate::page::{backoff, store as pages};
use crate::ticket;
use crate::user::Scope;

const CLAIM_AT_ONCE: i64 = 32;
/// A receiver is asked so often about one change: some eight hours.
const ATTEMPTS_MAX: i64 = 24;
/// Alertmanager forgets what it is not told again.
const REFRESH_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// An attempt begins so long after its claim at most.
const BEGIN_WITHIN: Duration = Duration::from_secs(30);

/// Queues what receivers do not know yet.
pub async fn plan(app: &App, now: Timestamp) -> anyhow::Result<()> {
    let mut conn = app.db.read().await?;
    if pages::outlet::list(&mut conn).await?.iter().all(|outlet| outlet.enabled == 0) {
        return Ok(());
    }
    let news = store::list_news(&mut conn).await?;
    drop(conn);
    let mut tx = app.db.write().await?;
    for (outlet, ticket, state, severity) in news {
        store::want(&mut tx, &outlet, &ticket, &state, &severity, now).await?;
    }
    let before = now.saturating_sub(REFRESH_AFTER)?.as_millisecond();
    store::refresh(&mut tx, before, now).await?;
    tx.commit().await?;
    Ok(())
}

/// Tells what is due, each receiver on its own, so that a slow one keeps no other waiting.
pub async fn send_due(
    app: &App,
    senders: &Senders,
    now: Timestamp,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let mut conn = app.db.read().await?;
    let outlets: BTreeMap<String, Row> =
        store::list(&mut conn).await?.into_iter().map(|row| (row.id.clone(), row)).collect();
    drop(conn);
    if outlets.values().all(|outlet| outlet.waiting == 0) {
        return Ok(());
    }
    let mut tx = app.db.write().await?;
    let claimed = store::claim(&mut tx, app.db.engine(), now, CLAIM_AT_ONCE).await?;
    tx.commit().await?;
    let mut queues: BTreeMap<String, Vec<Claimed>> = BTreeMap::new();
    for event in claimed {
        queues.entry(event.outlet_id.clone()).or_default().push(event);
    }
    let told = queues.into_iter().filter_map(|(id, queue)| {
        let outlet = outlets.get(&id)?;
        Some(tell_in_order(app, senders, outlet, queue, now, stop))
    });
    for done in futures_util::future::join_all(told).await {
        done?;
    }
    Ok(())
}

async fn tell_in_order(
    app: &App,
    senders: &Senders,
    outlet: &Row,
    queue: Vec<Claimed>,
    claimed_at: Timestamp,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let receiver = opened(app, outlet)?;
    for event in queue {
        let late = app.clock.now().duration_since(claimed_at).unsigned_abs() > BEGIN_WITHIN;
        if late || stop.is_cancelled() {
            // Its claim runs out, and it is told then.
            return Ok(());
        }
        let result = match find(app, &event).await? {
            Some(told) => senders.tell(&receiver, &told, app.clock.now()).await,
            None => Ok("its ticket is gone".to_owned()),
        };
        let now = app.clock.now();
        let again = again_at(&event, &result, now);
        app.metrics.page(&outlet.kind, if result.is_ok() { "told" } else { "not_told" });
        let words = result.as_ref().map(String::as_str).map_err(Refusal::words);
        let mut tx = app.db.write().await?;
        store::record(&mut tx, &event, words, again, now).await?;
        tx.commit().await?;
        if let Err(refusal) = &result {
            tracing::warn!(
                outlet = outlet.name,
                ticket = event.ticket_id,
                error = refusal.words(),
                "event not told"
            );
            if matches!(refusal, Refusal::Later { .. }) {
                // A receiver that is away is not asked for each of its events; their claims run out.
                return Ok(());
            }
        }
    }
    Ok(())
}

fn again_at(event: &Claimed, result: &Sent, now: Timestamp) -> Option<i64> {
    match result {
        Err(Refusal::Later { after, .. }) if event.attempts < ATTEMPTS_MAX => {
            let wait = backoff(event.attempts).max(after.unwrap_or_default());
            Some(now.as_millisecond() + wait.as_millis() as i64)
        }
        _ => None,
    }
}

/// A receiver with its secret opened.
pub fn opened(app: &App, outlet: &Row) -> anyhow::Result<Outlet> {
    let secret = String::from_utf8(app.keys.open(&outlet.sealed)?)?;
    Ok(Outlet { kind: outlet.kind.clone(), url: outlet.url.clone(), secret })
}

async fn find(app: &App, claimed: &Claimed) -> anyhow::Result<Option<Event>> {
    let mut conn = app.db.read().await?;
    let Some(ticket) = ticket::store::find(&mut conn, &Scope::All, &claimed.ticket_id).await? else {
        return Ok(None);
    };
    let site = crate::site::store::find(&mut conn, &Scope::All, &ticket.site_id).await?;
    let device = ticket.device_name.clone().or(ticket.gateway_name.clone()).unwrap_or_default();
    let what = if ticket.title.is_empty() {
        let title = sitewarden_proto::fault::find(&ticket.code).map(|fault| fault.title.get("en"));
        format!("{device}: {}", title.unwrap_or(&ticket.code))
    } else {
        ticket.title.clone()
    };
    Ok(Some(Event {
        key: format!("{}/{}/{}", claimed.outlet_id, claimed.ticket_id, claimed.version),
        state: claimed.want_state.clone(),
        number: ticket.number,
        code: ticket.code,
        severity: claimed.want_severity.clone(),
        told_severity: claimed.told_severity.clone(),
        summary: format!("#{} {}: {what}", ticket.number, ticket.site_name),
        site: ticket.site_name,
        customer: site.map(|site| site.customer_name).unwrap_or_default(),
        device,
        opened_at: ticket.opened_at,
        closed_at: ticket.closed_at,
        acked_by: ticket.acked_by.unwrap_or_default(),
        link: format!("{}/tickets/{}", app.config.public_url().trim_end_matches('/'), ticket.number),
    }))
}
