//! Sending what is due: claim, look at what the person wants, call, record.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::widen;
use crate::app::App;
use crate::db::Conn;
use crate::page::channel::{Outgoing, Refusal, Senders, Sent, Settings};
use crate::page::hold::{self, Verdict, Waiting, Wishes};
use crate::page::store::provider;
use crate::page::store::send::{self as store, Claimed, Outcome};
use crate::page::{
    ClockFacts, ComplaintFacts, Facts, LateFacts, Message, Purpose, ack, bundle, channel, compose,
    evidence_words,
};
use crate::text::Language;
use crate::ticket::{self, Actor};
use crate::user::Scope;
use crate::user::store::contact;
use crate::{clock, incident, remedy};

const CLAIM_AT_ONCE: i64 = 32;
/// So many pages go in one message at most; more go in the next one.
const TOGETHER_MAX: i64 = 200;
/// An attempt begins so long after its claim at most: it then ends before the claim and the engine's step do.
const BEGIN_WITHIN: Duration = Duration::from_secs(30);

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
    let mut queues: BTreeMap<(String, String, String), Vec<Claimed>> = BTreeMap::new();
    for page in claimed {
        let to = (page.channel.clone(), page.address.clone(), page.account_id.clone());
        queues.entry(to).or_default().push(page);
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

/// Sends what goes to one person's address and records each answer before the next attempt, so that an address
/// that is slow costs no answer of another page. What cannot be begun while the claim stands is given back; one
/// refusal is answer enough for all: a dead relay costs one time-out.
async fn send_in_order(
    app: &App,
    senders: &Senders,
    queue: Vec<Claimed>,
    claimed_at: Timestamp,
    stop: &CancellationToken,
) -> anyhow::Result<Vec<String>> {
    let mut touched: Vec<String> = queue.iter().map(|page| page.ticket_id.clone()).collect();
    let messages = sort(app, queue, claimed_at).await?;
    touched.extend(messages.iter().flatten().map(|page| page.ticket_id.clone()));
    let mut refused = None;
    for pages in messages {
        let late = app.clock.now().duration_since(claimed_at).unsigned_abs() > BEGIN_WITHIN;
        if late || stop.is_cancelled() {
            let mut tx = app.db.write().await?;
            for page in &pages {
                store::give_back(&mut tx, page).await?;
            }
            tx.commit().await?;
            continue;
        }
        let result = match &refused {
            Some(refusal) => Err(not_tried(refusal)),
            None => attempt(app, senders, &pages).await,
        };
        refused = result.as_ref().err().cloned();
        record(app, &pages, &result).await?;
    }
    touched.sort_unstable();
    touched.dedup();
    Ok(touched)
}

/// What the refusal of one page means for the next one to the same address.
fn not_tried(refusal: &Refusal) -> Refusal {
    let words = "not tried: this address did not take the page before it";
    match refusal {
        Refusal::Gone(_) => Refusal::Gone(words.into()),
        Refusal::Later { after, .. } => Refusal::Later { words: words.into(), after: *after },
        // What was wrong may have been that one page.
        Refusal::Never(_) => Refusal::later(words),
    }
}

/// Puts aside what the person does not want now, and the rest into messages, each of one page or of several.
async fn sort(app: &App, queue: Vec<Claimed>, now: Timestamp) -> anyhow::Result<Vec<Vec<Claimed>>> {
    let Some(first) = queue.first() else { return Ok(Vec::new()) };
    let mut conn = app.db.read().await?;
    let (account, channel, address) = (&first.account_id, &first.channel, &first.address);
    let wishes = wishes(&mut conn, account, channel, address).await?;
    if wishes.limit_pages == 0 && wishes.quiet.is_none() {
        return Ok(queue.into_iter().map(|page| vec![page]).collect());
    }
    let since = now.as_millisecond() - wishes.limit_minutes * 60_000;
    let sent = store::list_sent_since(&mut conn, account, channel, address, since).await?;
    let mut waiting = Vec::new();
    for page in &queue {
        let ticket = ticket::store::find(&mut conn, &Scope::All, &page.ticket_id).await?;
        let critical = ticket.is_some_and(|ticket| ticket.severity == "critical");
        waiting.push(Waiting { critical, was_held: page.held == "limit" });
    }
    drop(conn);
    let verdicts = hold::judge(&waiting, &wishes, &sent, now);
    let (mut messages, mut together) = (Vec::new(), Vec::new());
    let mut tx = app.db.write().await?;
    for (page, verdict) in queue.into_iter().zip(verdicts) {
        let (why, until) = match verdict {
            Verdict::Alone => {
                messages.push(vec![page]);
                continue;
            }
            Verdict::Together => {
                together.push(page);
                continue;
            }
            Verdict::Limit(until) => ("limit", until),
            Verdict::Quiet(until) => ("quiet", until),
        };
        store::hold(&mut tx, &page, why, until).await?;
        if page.held != why {
            let to = crate::user::store::name_of(&mut tx, &page.account_id).await?;
            let body = json!({ "account": to.unwrap_or_default(), "channel": page.channel, "purpose": page.purpose,
                "reason": why, "until": until.as_millisecond() });
            ticket::store::append(&mut tx, &page.ticket_id, "page_held", &Actor::System, &body, now, now)
                .await?;
        }
    }
    if let Some(lead) = together.first() {
        let more = store::claim_held(&mut tx, app.db.engine(), lead, now, TOGETHER_MAX).await?;
        together.extend(more);
        together.sort_by(|a, b| a.id.cmp(&b.id));
        messages.push(together);
    }
    tx.commit().await?;
    Ok(messages)
}

/// What a person wants of a channel.
pub async fn wishes(conn: &mut Conn, account: &str, channel: &str, address: &str) -> sqlx::Result<Wishes> {
    let found = contact::find_contact_at(conn, account, channel, address).await?;
    Ok(found.map_or_else(Wishes::default, |found| Wishes {
        limit_pages: found.limit_pages,
        limit_minutes: found.limit_minutes,
        quiet: found.quiet_from.zip(found.quiet_to),
        zone: found.zone,
    }))
}

async fn record(app: &App, pages: &[Claimed], result: &Sent) -> anyhow::Result<()> {
    let now = app.clock.now();
    let lead = pages.first().filter(|_| pages.len() > 1).map(|page| page.id.clone());
    let mut tx = app.db.write().await?;
    for page in pages {
        record_one(app, &mut tx, page, result, lead.as_deref(), now).await?;
    }
    if let (Err(Refusal::Gone(words)), Some(page)) = (result, pages.first()) {
        contact::set_gone(&mut tx, &page.account_id, &page.channel, &page.address, words, now).await?;
    }
    tx.commit().await?;
    if let Err(refusal) = result {
        for page in pages {
            let (page, attempt, channel) = (&page.id, page.attempts, &page.channel);
            tracing::warn!(page, channel, attempt, error = refusal.words(), "page not sent");
        }
    }
    Ok(())
}

async fn record_one(
    app: &App,
    conn: &mut Conn,
    page: &Claimed,
    result: &Sent,
    bundle: Option<&str>,
    now: Timestamp,
) -> anyhow::Result<()> {
    let outcome = store::record(conn, page, result, bundle, now).await?;
    let kind = match outcome {
        Outcome::Sent => Some("page_sent"),
        Outcome::Again | Outcome::Withheld => None,
        Outcome::Stuck | Outcome::Failed | Outcome::Refused => Some("page_failed"),
    };
    app.metrics.page(&page.channel, kind.unwrap_or("page_again"));
    if let Some(kind) = kind {
        let to: Option<String> = crate::user::store::name_of(conn, &page.account_id).await?;
        let answer = result.as_ref().map_or_else(Refusal::words, String::as_str);
        let mut body = json!({
            "account": to.unwrap_or_default(), "channel": page.channel, "purpose": page.purpose,
            "attempts": page.attempts, "answer": answer.chars().take(200).collect::<String>(),
        });
        if bundle.is_some() {
            body["bundled"] = Value::Bool(true);
        }
        if outcome == Outcome::Refused {
            body["gone"] = Value::Bool(true);
        }
        ticket::store::append(conn, &page.ticket_id, kind, &Actor::System, &body, now, now).await?;
    }
    match outcome {
        Outcome::Stuck | Outcome::Refused => widen(conn, &page.ticket_id, now).await?,
        Outcome::Withheld => {
            let why = json!({ "reason": "over" });
            ticket::store::append(conn, &page.ticket_id, "not_paged", &Actor::System, &why, now, now).await?;
        }
        Outcome::Sent | Outcome::Again | Outcome::Failed => {}
    }
    Ok(())
}

async fn attempt(app: &App, senders: &Senders, pages: &[Claimed]) -> Sent {
    let outgoing = prepare(app, pages)
        .await
        .map_err(|error| Refusal::later(format!("cannot put the page together: {error:#}")))?;
    senders.send(&outgoing, app.clock.now()).await
}

/// What is set for a channel, opened.
pub async fn settings(app: &App, channel: &str) -> anyhow::Result<Settings> {
    if channel::settings::find(channel).is_none_or(|kind| kind.fields.is_empty()) {
        return Ok(Settings::default());
    }
    let found = provider::find(&mut *app.db.read().await?, channel).await?;
    let values = match found {
        Some((sealed, _)) => serde_json::from_slice(&app.keys.open(&sealed)?)?,
        None => BTreeMap::new(),
    };
    Ok(Settings::new(channel, values))
}

async fn prepare(app: &App, pages: &[Claimed]) -> anyhow::Result<Outgoing> {
    let mut ready = Vec::new();
    for page in pages {
        ready.push(prepare_one(app, page).await?);
    }
    let mut first = ready.first().cloned().ok_or_else(|| anyhow::anyhow!("no page"))?;
    if ready.len() > 1 {
        let repeat = pages.iter().any(|page| page.repeat == 1);
        let parts: Vec<(Message, String)> =
            ready.iter().map(|page| (page.message.clone(), page.link.clone())).collect();
        first.message = bundle::compose(first.language, &parts, repeat);
        first.key = format!("together/{}", first.key);
        first.urgent = ready.iter().any(|page| page.urgent);
        first.payload = json!({
            "key": first.key, "purpose": "together", "repeat": repeat, "subject": first.message.subject,
            "text": first.message.text, "ticket": first.payload["ticket"], "site": first.payload["site"],
            "pages": ready.iter().map(|page| page.payload.clone()).collect::<Vec<_>>(),
        });
    }
    first.settings = settings(app, &first.channel).await?;
    Ok(first)
}

async fn prepare_one(app: &App, page: &Claimed) -> anyhow::Result<Outgoing> {
    let mut conn = app.db.read().await?;
    let ticket = ticket::store::find(&mut conn, &Scope::All, &page.ticket_id)
        .await?
        .ok_or_else(|| anyhow::anyhow!("its ticket is gone"))?;
    let cause = incident::store::find_told(&mut conn, &ticket.id, &ticket.code).await?;
    let language = Language::parse(&page.language);
    let tried = remedy::step::tried(&mut conn, &ticket.id, language).await?;
    drop(conn);
    let evidence =
        cause.as_ref().map(|i| evidence_words(language, &ticket.code, &i.evidence)).unwrap_or_default();
    let began = cause.as_ref().map_or(ticket.opened_at, |i| i.first_bad_at.unwrap_or(i.opened_at));
    let purpose = Purpose::parse(&page.purpose);
    let about: Value = serde_json::from_str(&page.about).unwrap_or_default();
    let link = match purpose {
        Purpose::Opened | Purpose::AtRisk | Purpose::Breached => {
            ack::link(app, &ticket.id, &page.account_id, app.clock.now())
        }
        Purpose::Complaint | Purpose::ComplaintLate => {
            let base = app.config.public_url();
            let one = about["complaint"].as_str().unwrap_or_default();
            format!("{}/follow?view=complaints&open={one}", base.trim_end_matches('/'))
        }
        Purpose::Closed | Purpose::Informed | Purpose::InformedOver | Purpose::Kept => String::new(),
    };
    let since = match purpose {
        Purpose::Opened
        | Purpose::Informed
        | Purpose::AtRisk
        | Purpose::Breached
        | Purpose::Kept
        | Purpose::Complaint
        | Purpose::ComplaintLate => site_time(began, &ticket.zone),
        Purpose::Closed | Purpose::InformedOver => format!(
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
        tried: &tried,
        link: &link,
        repeat: page.repeat == 1,
        clock: ClockFacts {
            title: about["title"].as_str().unwrap_or_default(),
            share: about["share"].as_i64().unwrap_or_default(),
            due: about["due_at"].as_i64().map(|due| site_time(due, &ticket.zone)).unwrap_or_default(),
            late: about["arrives_at"].as_i64().map(|there| LateFacts {
                who: about["who"].as_str().unwrap_or_default(),
                km: about["km"].as_f64().map(|km| km.to_string()).unwrap_or_default(),
                there: site_time(there, &ticket.zone),
            }),
        },
        complaint: ComplaintFacts {
            number: about["number"].as_i64().unwrap_or_default(),
            subject: about["subject"].as_str().unwrap_or_default(),
            who: about["who"].as_str().unwrap_or_default(),
        },
    };
    let message = compose(language, &facts);
    let payload = json!({
        "key": page.idem_key, "purpose": page.purpose, "repeat": page.repeat == 1, "language": page.language,
        "subject": message.subject, "text": message.text, "link": link,
        "ticket": { "id": ticket.id, "number": ticket.number, "severity": ticket.severity, "state": ticket.state,
            "code": ticket.code, "opened_at": ticket.opened_at },
        "site": { "id": ticket.site_id, "name": ticket.site_name, "name_zh": ticket.site_name_zh },
        "device": ticket.device_name, "began_at": began, "clock": about,
    });
    Ok(Outgoing {
        channel: page.channel.clone(),
        address: page.address.clone(),
        template: page.template.clone(),
        settings: Settings::default(),
        key: page.idem_key.clone(),
        language,
        urgent: matches!(purpose, Purpose::Opened | Purpose::Breached) && ticket.severity == "critical",
        ticket: ticket.id.clone(),
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
