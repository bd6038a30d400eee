//! Where time acts on pages: deciding who is told, and sending what is due.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::channel::{Outgoing, Senders};
use super::store::{self, Claimed, Outcome};
use super::{Facts, Purpose, compose, evidence_words};
use crate::app::App;
use crate::db::Conn;
use crate::text::Language;
use crate::ticket::Actor;
use crate::user::Scope;
use crate::{clock, incident, ticket};

const CLAIM_AT_ONCE: i64 = 32;
/// An attempt begins so long after its claim at most: it then ends before the claim and the engine's step do.
const BEGIN_WITHIN: Duration = Duration::from_secs(30);

/// Queues the pages that the tickets as they stand call for, and says on their record when there is a
/// reason not to page. Returns the tickets touched.
pub async fn plan(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<String>> {
    let mut touched = Vec::new();
    for due in ticket::store::list_unpaged(conn, now).await? {
        if !ticket::store::set_paged(conn, &due.id, &due.severity).await? {
            continue;
        }
        touched.push(due.id.clone());
        if !incident::wakes(&due.severity) {
            let why = json!({ "reason": "minor" });
            ticket::store::append(conn, &due.id, "not_paged", &Actor::System, &why, now, now).await?;
            continue;
        }
        let targets = store::list_targets(conn, &due.site_id).await?;
        if targets.is_empty() {
            ticket::store::append(conn, &due.id, "nobody_to_page", &Actor::System, &json!({}), now, now)
                .await?;
            continue;
        }
        queue(conn, &due.id, &due.severity, targets, now).await?;
    }
    Ok(touched)
}

/// Queues pages for those who came on duty after the people were told of a ticket that nobody has taken.
/// Whoever has a page of it already gets none. Returns the tickets touched.
pub async fn plan_latecomers(conn: &mut Conn, now: Timestamp) -> sqlx::Result<Vec<String>> {
    let mut touched = Vec::new();
    for due in ticket::store::list_untaken(conn).await? {
        if !incident::wakes(&due.severity) {
            continue;
        }
        let targets = store::list_targets(conn, &due.site_id).await?;
        if queue(conn, &due.id, &due.severity, targets, now).await? > 0 {
            touched.push(due.id);
        }
    }
    Ok(touched)
}

/// Queues a page to each of `targets` who has none of this round and severity; how many.
async fn queue(
    conn: &mut Conn,
    ticket: &str,
    severity: &str,
    targets: Vec<store::Target>,
    now: Timestamp,
) -> sqlx::Result<usize> {
    let round = store::count_rounds(conn, ticket).await?;
    let mut queued = 0;
    for to in targets {
        let key = format!("{ticket}/{round}/opened/{severity}/{}", to.contact_id);
        if store::insert(conn, &key, ticket, Purpose::Opened, &to, now).await? {
            let body = json!({ "account": to.account, "channel": to.channel, "purpose": "opened" });
            ticket::store::append(conn, ticket, "page_queued", &Actor::System, &body, now, now).await?;
            queued += 1;
        }
    }
    Ok(queued)
}

/// A page does not get through: whoever else is on duty is told. If nobody is left and nobody was reached,
/// the record says so.
async fn widen(conn: &mut Conn, ticket: &str, now: Timestamp) -> sqlx::Result<()> {
    let Some(row) = ticket::store::find(conn, &Scope::All, ticket).await? else { return Ok(()) };
    let others = store::list_others(conn, ticket).await?;
    let queued = queue(conn, ticket, &row.severity, others, now).await?;
    if queued == 0 && !store::is_anybody_told(conn, ticket).await? {
        let why = json!({ "reason": "not_reached" });
        ticket::store::append(conn, ticket, "nobody_to_page", &Actor::System, &why, now, now).await?;
    }
    Ok(())
}

/// Withdraws what nobody has been sent yet. Called in the transaction that closes a ticket.
pub async fn withdraw(conn: &mut Conn, ticket: &str, now: Timestamp) -> sqlx::Result<()> {
    if store::withhold(conn, ticket).await? > 0 {
        let why = json!({ "reason": "over" });
        ticket::store::append(conn, ticket, "not_paged", &Actor::System, &why, now, now).await?;
    }
    Ok(())
}

/// Tells those who were paged that the trouble is over, and withdraws what nobody has been sent yet.
/// Called in the transaction in which the machine closes a ticket.
pub async fn all_clear(conn: &mut Conn, ticket: &str, now: Timestamp) -> sqlx::Result<()> {
    withdraw(conn, ticket, now).await?;
    let round = store::count_rounds(conn, ticket).await?;
    for to in store::list_paged(conn, ticket).await? {
        let key = format!("{ticket}/{round}/closed/{}", to.contact_id);
        if store::insert(conn, &key, ticket, Purpose::Closed, &to, now).await? {
            let body = json!({ "account": to.account, "channel": to.channel, "purpose": "closed" });
            ticket::store::append(conn, ticket, "page_queued", &Actor::System, &body, now, now).await?;
        }
    }
    Ok(())
}

/// Sends what is due: claim, call, record. After `stop` nothing is begun; what was claimed is given back.
/// Returns the tickets whose record grew.
pub async fn send_due(
    app: &App,
    senders: &Senders,
    now: Timestamp,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<String>> {
    let mut tx = app.db.write().await?;
    let mut claimed = store::claim(&mut tx, app.db.engine(), now, CLAIM_AT_ONCE).await?;
    tx.commit().await?;
    // What goes to one address goes one after the other, in the order in which it was decided.
    claimed.sort_by(|a, b| a.id.cmp(&b.id));
    let mut queues: BTreeMap<(String, String), Vec<Claimed>> = BTreeMap::new();
    for page in claimed {
        queues.entry((page.channel.clone(), page.address.clone())).or_default().push(page);
    }
    let sent = queues.into_values().map(|queue| send_in_order(app, senders, queue, now, stop));
    let mut touched = Vec::new();
    let mut failed = None;
    for done in futures_util::future::join_all(sent).await {
        match done {
            Ok(tickets) => touched.extend(tickets),
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(touched), Err)
}

/// Sends what goes to one address and records each answer before the next attempt, so that an address that
/// is slow costs no answer of another page. What cannot be begun while the claim stands is given back; one
/// refusal is answer enough for all: a dead relay costs one time-out.
async fn send_in_order(
    app: &App,
    senders: &Senders,
    queue: Vec<Claimed>,
    claimed_at: Timestamp,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<String>> {
    let mut touched = Vec::new();
    let mut refused = false;
    for page in queue {
        let late = app.clock.now().duration_since(claimed_at).unsigned_abs() > BEGIN_WITHIN;
        if late || stop.is_cancelled() {
            let mut tx = app.db.write().await?;
            store::give_back(&mut tx, &page).await?;
            tx.commit().await?;
            continue;
        }
        let result = if refused {
            Err("not tried: this address did not take the page before it".to_owned())
        } else {
            attempt(app, senders, &page).await
        };
        refused = result.is_err();
        record(app, &page, &result).await?;
        touched.push(page.ticket_id);
    }
    Ok(touched)
}

async fn record(app: &App, page: &Claimed, result: &Result<String, String>) -> anyhow::Result<()> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let outcome = store::record(&mut tx, page, result, now).await?;
    let kind = match outcome {
        Outcome::Sent => Some("page_sent"),
        Outcome::Again | Outcome::Withheld => None,
        Outcome::Stuck | Outcome::Failed => Some("page_failed"),
    };
    app.metrics.page(&page.channel, kind.unwrap_or("page_again"));
    if let Some(kind) = kind {
        let to: Option<String> = crate::user::store::name_of(&mut tx, &page.account_id).await?;
        let (Ok(answer) | Err(answer)) = result;
        let body = json!({
            "account": to.unwrap_or_default(), "channel": page.channel, "purpose": page.purpose,
            "attempts": page.attempts, "answer": answer.chars().take(200).collect::<String>(),
        });
        ticket::store::append(&mut tx, &page.ticket_id, kind, &Actor::System, &body, now, now).await?;
    }
    match outcome {
        Outcome::Stuck => widen(&mut tx, &page.ticket_id, now).await?,
        Outcome::Withheld => {
            let why = json!({ "reason": "over" });
            ticket::store::append(&mut tx, &page.ticket_id, "not_paged", &Actor::System, &why, now, now)
                .await?;
        }
        Outcome::Sent | Outcome::Again | Outcome::Failed => {}
    }
    tx.commit().await?;
    if let Err(error) = result {
        tracing::warn!(
            page = page.id,
            channel = page.channel,
            attempt = page.attempts,
            error,
            "page not sent"
        );
    }
    Ok(())
}

async fn attempt(app: &App, senders: &Senders, page: &Claimed) -> Result<String, String> {
    let outgoing =
        prepare(app, page).await.map_err(|error| format!("cannot put the page together: {error:#}"))?;
    match tokio::time::timeout(super::SEND_TIMEOUT, senders.send(&outgoing)).await {
        Ok(result) => result,
        Err(_) => Err(format!("no answer within {} s", super::SEND_TIMEOUT.as_secs())),
    }
}

async fn prepare(app: &App, page: &Claimed) -> anyhow::Result<Outgoing> {
    let mut conn = app.db.read().await?;
    let ticket = ticket::store::find(&mut conn, &Scope::All, &page.ticket_id)
        .await?
        .ok_or_else(|| anyhow::anyhow!("its ticket is gone"))?;
    let filter = incident::store::Filter { ticket_id: Some(ticket.id.clone()), ..Default::default() };
    let incidents = incident::store::list(&mut conn, &Scope::All, &filter, 20).await?;
    drop(conn);
    let cause = incidents.iter().find(|i| i.code == ticket.code);
    let language = Language::parse(&page.language);
    let evidence = cause.map(|i| evidence_words(language, &i.code, &i.evidence)).unwrap_or_default();
    let began = cause.map_or(ticket.opened_at, |i| i.first_bad_at.unwrap_or(i.opened_at));
    let purpose = Purpose::parse(&page.purpose);
    let link = match purpose {
        Purpose::Opened => super::ack::link(app, &ticket.id, &page.account_id, app.clock.now()),
        Purpose::Closed => String::new(),
    };
    let since = match purpose {
        Purpose::Opened => site_time(began, &ticket.zone),
        Purpose::Closed => format!(
            "{} – {}",
            site_time(began, &ticket.zone),
            site_time(ticket.closed_at.unwrap_or(ticket.changed_at), &ticket.zone)
        ),
    };
    let facts = Facts {
        purpose,
        number: ticket.number,
        severity: &ticket.severity,
        code: &ticket.code,
        title: &ticket.title,
        site: &ticket.site_name,
        site_zh: &ticket.site_name_zh,
        subject: ticket
            .device_name
            .as_deref()
            .or(ticket.gateway_name.as_deref())
            .unwrap_or(&ticket.site_name),
        since,
        evidence: &evidence,
        link: &link,
        repeat: page.repeat == 1,
    };
    let message = compose(language, &facts);
    let payload = json!({
        "key": page.idem_key, "purpose": page.purpose, "repeat": page.repeat == 1, "language": page.language,
        "subject": message.subject, "text": message.text, "link": link,
        "ticket": { "id": ticket.id, "number": ticket.number, "severity": ticket.severity, "state": ticket.state,
            "code": ticket.code, "opened_at": ticket.opened_at },
        "site": { "id": ticket.site_id, "name": ticket.site_name, "name_zh": ticket.site_name_zh },
        "device": ticket.device_name, "began_at": began,
    });
    Ok(Outgoing {
        channel: page.channel.clone(),
        address: page.address.clone(),
        template: page.template.clone(),
        key: page.idem_key.clone(),
        message,
        link,
        payload,
    })
}

/// An instant in a site's zone, with the zone's offset so that nobody has to guess.
fn site_time(ms: i64, zone: &str) -> String {
    let at = clock::from_ms(ms);
    at.in_tz(zone)
        .map_or_else(|_| at.to_string(), |zoned| zoned.strftime("%Y-%m-%d %H:%M:%S %:z").to_string())
}
