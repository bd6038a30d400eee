//! Where time acts on remedies: one begins when its turn comes, is followed while it runs, and is over when it has
//! healed, when it could not be done, or when its time is up. Only then are the ticket's pages free again.

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::store::settings::{self, Settings};
use super::store::{self, Late, New, Open, Where};
use super::{Case, ConsentMode, Kind, No, Rule, days_in_row, decide};
use crate::app::{App, Touched};
use crate::clock::from_ms;
use crate::contract::store::{Shelf, Subject, version_at};
use crate::db::Conn;
use crate::text::{Language, text};
use crate::ticket::{self, Actor, Hold};
use crate::{gateway, maintenance};

pub mod answer;
pub mod begin;

/// A fault that is older than this when we learn of it has waited on a gateway; it starts no remedy.
const FRESH: SignedDuration = SignedDuration::from_mins(10);
/// How long a remedy that a person pressed is followed.
pub const BY_HAND_WAIT: SignedDuration = SignedDuration::from_mins(5);

/// Everything that a decision is made of, for one device and kind.
pub async fn look(
    conn: &mut Conn,
    device: &str,
    at: &Where,
    rules: &[Rule],
    settings: &Settings,
    kind: Kind,
    now: Timestamp,
) -> sqlx::Result<(Option<usize>, Seen)> {
    let rule = rules.iter().position(|rule| rule.class == at.class && rule.kind == kind);
    let zone = jiff::tz::TimeZone::get(&at.zone).unwrap_or(jiff::tz::TimeZone::UTC);
    let local = now.to_zoned(zone.clone());
    let from = now.saturating_sub(SignedDuration::from_hours(24 * 40)).unwrap_or(now);
    let begun = store::list_begun(conn, device, kind, from).await?;
    let days: Vec<_> = begun.iter().map(|at| from_ms(*at).to_zoned(zone.clone()).date()).collect();
    let today = days.iter().filter(|day| **day == local.date()).count() as i64;
    let standing = settings::find_standing(conn, &at.site_id, now).await?;
    Ok((
        rule,
        Seen {
            minute: i64::from(local.hour()) * 60 + i64::from(local.minute()),
            hours: settings.hours,
            today,
            days_before: days_in_row(&days.into_iter().collect(), local.date()),
            waiting: store::count_open(conn, &at.site_id).await?,
            consent: standing.map(|consent| consent.id),
        },
    ))
}

/// What a site allows, as far as the contract that governs the device agrees: where that demands consent to maintenance
/// and the site does not, a consent that stands is needed, or one each time.
pub async fn terms(conn: &mut Conn, at: &Where, now: Timestamp) -> sqlx::Result<Settings> {
    let mut settings = settings::find(conn, &at.site_id).await?;
    if settings.enabled && settings.consent == ConsentMode::None {
        let subject = Subject { class: at.class.clone(), numbers: Vec::new() };
        let governing = version_at(conn, &mut Shelf::default(), &at.site_id, &subject, now).await?;
        let contract = governing.as_ref().map(|found| &found.versions[found.index].1);
        if contract.is_some_and(|contract| !contract.consent_to("maintenance").is_empty()) {
            let stands = settings::find_standing(conn, &at.site_id, now).await?.is_some();
            settings.consent = if stands { ConsentMode::Standing } else { ConsentMode::Each };
        }
    }
    Ok(settings)
}

/// What [`look`] has found.
#[derive(Clone, Debug)]
pub struct Seen {
    minute: i64,
    hours: (i64, i64),
    /// How many of this kind the device had today.
    pub today: i64,
    days_before: i64,
    waiting: i64,
    /// The consent that stands.
    pub consent: Option<String>,
}

impl Seen {
    /// Decides by the rules of the site.
    pub fn decide(
        &self,
        settings: &Settings,
        rule: Option<&Rule>,
        code: Option<&str>,
        consented: bool,
        maintenance: bool,
    ) -> Result<(), No> {
        decide(&Case {
            enabled: settings.enabled,
            rule,
            code,
            mode: settings.consent,
            consented: consented || (settings.consent == ConsentMode::Standing && self.consent.is_some()),
            minute: self.minute,
            hours: self.hours,
            today: self.today,
            days_before: self.days_before,
            waiting: self.waiting,
            maintenance,
        })
    }
}

/// A fault has opened on a device: if its site allows a remedy for it, one is wanted and the ticket's pages wait for
/// it. Called in the transaction that opens the fault, so that nobody is paged in between.
pub async fn consider(
    conn: &mut Conn,
    device: &str,
    code: &str,
    ticket: &str,
    opened_at: Timestamp,
    now: Timestamp,
) -> sqlx::Result<()> {
    if let Some(open) = store::find_open(conn, device).await? {
        // What the remedy itself brings about, such as a restart, is no news to anybody yet.
        let detail = json!({ "kind": open.kind, "remedy_id": open.id });
        ticket::store::hold::hold(conn, ticket, Hold::Remedy, &detail, Some(from_ms(open.until_at)), now)
            .await?;
        return Ok(());
    }
    let Some(at) = store::find_where(conn, device).await? else { return Ok(()) };
    let settings = terms(conn, &at, now).await?;
    if !settings.enabled || now.duration_since(opened_at) > FRESH {
        return Ok(());
    }
    if store::has_automatic(conn, ticket).await? {
        return Ok(());
    }
    let rules = settings::list_rules(conn, &at.site_id).await?;
    let maintenance = maintenance::store::covers(conn, ticket).await?;
    let mut why = None;
    for kind in Kind::ALL {
        let (rule, seen) = look(conn, device, &at, &rules, &settings, kind, now).await?;
        let Some(rule) = rule.map(|index| &rules[index]) else { continue };
        match seen.decide(&settings, Some(rule), Some(code), false, maintenance) {
            Ok(()) => {
                let until = now + SignedDuration::from_secs(rule.wait_s);
                let new = New {
                    site_id: &at.site_id,
                    device_id: device,
                    kind,
                    target: &Value::Null,
                    ticket_id: Some(ticket),
                    code,
                    automatic: true,
                    actor: "",
                    consent_id: seen.consent.as_deref().filter(|_| settings.consent == ConsentMode::Standing),
                    until,
                };
                let id = store::insert(conn, &new, now).await?;
                let detail = json!({ "kind": kind.as_str(), "remedy_id": id });
                ticket::store::hold::hold(conn, ticket, Hold::Remedy, &detail, Some(until), now).await?;
                return Ok(());
            }
            // Not allowed by itself for this code is no news.
            Err(No::ByHand | No::NotAllowed) => {}
            Err(no) => why = Some((kind, no)),
        }
    }
    if let Some((kind, no)) = why {
        let body = json!({ "kind": kind.as_str(), "reason": no.as_str() });
        ticket::store::append(conn, ticket, "remedy_not_tried", &Actor::System, &body, now, now).await?;
    }
    Ok(())
}

/// What would be tried by itself, and for how long pages would wait for it, if a fault opened on a device at `at`.
pub async fn foresee(
    conn: &mut Conn,
    device: &str,
    code: &str,
    maintenance: bool,
    at: Timestamp,
) -> sqlx::Result<Option<(Kind, SignedDuration)>> {
    let Some(place) = store::find_where(conn, device).await? else { return Ok(None) };
    let settings = terms(conn, &place, at).await?;
    if !settings.enabled {
        return Ok(None);
    }
    let rules = settings::list_rules(conn, &place.site_id).await?;
    for kind in Kind::ALL {
        let (rule, seen) = look(conn, device, &place, &rules, &settings, kind, at).await?;
        let Some(rule) = rule.map(|index| &rules[index]) else { continue };
        if seen.decide(&settings, Some(rule), Some(code), false, maintenance).is_ok() {
            return Ok(Some((kind, SignedDuration::from_secs(rule.wait_s))));
        }
    }
    Ok(None)
}

/// The ticket's last fault is gone. If a remedy was at work, that is what is said, and nobody is told who was not
/// told before. Called in the transaction that closes the ticket.
pub async fn heal(
    conn: &mut Conn,
    ticket: &str,
    at: Timestamp,
    now: Timestamp,
) -> sqlx::Result<Option<Value>> {
    let tried = store::list_of_ticket(conn, ticket).await?;
    let end = at.as_millisecond();
    let Some(open) = tried.iter().find(|remedy| remedy.ended_at.is_none()) else {
        // One whose gateway was cut off meanwhile may have healed in its time; people were told long ago.
        let in_time = |remedy: &&store::Row| {
            remedy.reason == answer::TOLD_LATE
                && remedy.done_at.is_some_and(|done| done <= end && end <= remedy.until_at)
        };
        if let Some(late) = tried.iter().find(in_time) {
            let healed =
                Late { state: "healed", reason: &late.reason, begun_at: None, done_at: None, result: None };
            store::amend(conn, &late.id, &healed).await?;
            healed_on_record(conn, ticket, late, late.begun_at.unwrap_or(end), at, now).await?;
        }
        return Ok(None);
    };
    let Some(begun_at) = open.begun_at else {
        store::end(conn, &open.id, "not_needed", "", None, now).await?;
        return Ok(None);
    };
    store::end(conn, &open.id, "healed", "", None, now).await?;
    healed_on_record(conn, ticket, open, begun_at, at, now).await?;
    Ok(Some(json!({ "reason": "remedy", "kind": open.kind })))
}

async fn healed_on_record(
    conn: &mut Conn,
    ticket: &str,
    remedy: &store::Row,
    begun_at: i64,
    at: Timestamp,
    now: Timestamp,
) -> sqlx::Result<()> {
    let took_ms = (at.as_millisecond() - begun_at).max(0);
    let body = json!({ "kind": remedy.kind, "remedy_id": remedy.id, "took_ms": took_ms });
    ticket::store::append(conn, ticket, "remedy_healed", &Actor::System, &body, at, now).await
}

/// The site's switch was turned off: what no gateway has begun yet does not begin. A command that is on its way is
/// not sent again, and its time is short; should its gateway have acted all the same, it says so, and that is
/// written down.
pub async fn switched_off(conn: &mut Conn, site: &str, now: Timestamp) -> Result<Touched> {
    let mut touched = Touched::default();
    for remedy in store::list_open_of_site(conn, site).await? {
        let begun = match &remedy.command_id {
            Some(command) => !gateway::store::command::cancel(conn, command, now).await?,
            None => false,
        };
        if begun {
            continue;
        }
        let body = json!({ "reason": No::Off.as_str() });
        let how = Over { state: "refused", reason: No::Off.as_str(), event: "remedy_not_tried", body };
        over(conn, &remedy, how, None, now).await?;
        touched.devices.insert(remedy.device_id);
        touched.tickets.extend(remedy.ticket_id);
    }
    Ok(touched)
}

/// Follows what runs. Before pages are planned: a page says what was tried, and how it ended.
pub async fn watch(app: &App, now: Timestamp) -> Result<()> {
    for remedy in list_open(app).await?.into_iter().filter(|remedy| remedy.state != "asked") {
        let mut tx = app.db.write().await?;
        follow(&mut tx, &remedy, now, now).await?;
        tx.commit().await?;
        tell(app, remedy);
    }
    Ok(())
}

/// Begins what is due. After causes and maintenance windows were looked at: both keep a remedy from being begun.
pub async fn begin_due(app: &App, now: Timestamp) -> Result<()> {
    let open = list_open(app).await?;
    // One at a time on a site: who is at work keeps the others waiting.
    let mut busy: Vec<String> =
        open.iter().filter(|remedy| remedy.state != "asked").map(|remedy| remedy.site_id.clone()).collect();
    for remedy in open.into_iter().filter(|remedy| remedy.state == "asked") {
        let mut tx = app.db.write().await?;
        if begin::begin(&mut tx, &app.keys, &remedy, busy.contains(&remedy.site_id), now).await? {
            busy.push(remedy.site_id.clone());
        }
        tx.commit().await?;
        tell(app, remedy);
    }
    Ok(())
}

async fn list_open(app: &App) -> sqlx::Result<Vec<Open>> {
    let mut conn = app.db.read().await?;
    if store::any_open(&mut conn).await? { store::list_open(&mut conn).await } else { Ok(Vec::new()) }
}

fn tell(app: &App, remedy: Open) {
    let mut touched = Touched::default();
    touched.devices.insert(remedy.device_id);
    touched.tickets.extend(remedy.ticket_id);
    app.touched_quietly(&touched);
}

/// Takes down how far a remedy is that is not over; what its gateway has said of it, it said at `at`.
async fn follow(conn: &mut Conn, remedy: &Open, at: Timestamp, now: Timestamp) -> sqlx::Result<()> {
    let said = said(remedy);
    match remedy.command_state.as_deref() {
        Some("accepted" | "running") => {
            if store::set_begun(conn, &remedy.id, at).await? {
                say(conn, remedy, "remedy_begun", json!({}), at, now).await?;
            }
        }
        Some("done") => {
            if remedy.begun_at.is_none() && store::set_begun(conn, &remedy.id, at).await? {
                say(conn, remedy, "remedy_begun", json!({}), at, now).await?;
            }
            if store::set_done(conn, &remedy.id, &said.to_string(), at).await? {
                say(conn, remedy, "remedy_done", json!({ "result": said }), at, now).await?;
            }
        }
        Some(state @ ("rejected" | "failed")) => {
            let (end, event, reason) = answer::not_done(state, &said);
            let body = answer::by_gateway(reason, &said);
            return over(conn, remedy, Over { state: end, reason, event, body }, Some(&said), now).await;
        }
        Some("expired" | "cancelled") | None if remedy.begun_at.is_none() => {
            return over(conn, remedy, too_late(), None, now).await;
        }
        Some("queued" | "sent") if now.as_millisecond() >= remedy.until_at => {
            return over(conn, remedy, too_late(), None, now).await;
        }
        Some(_) | None => {}
    }
    let begun = remedy.begun_at.is_some() || matches!(remedy.command_state.as_deref(), Some("done"));
    if begun && remedy.standing == 0 && remedy.command_state.as_deref() == Some("done") {
        // A ticket that closes says so itself; this one has other faults, or there is none.
        let state = if remedy.code.is_empty() { "done" } else { "healed" };
        let took_ms = remedy.begun_at.map(|at| now.as_millisecond() - at);
        let event = if remedy.code.is_empty() { "" } else { "remedy_healed" };
        let body = json!({ "took_ms": took_ms });
        return over(conn, remedy, Over { state, reason: "", event, body }, None, now).await;
    }
    if now.as_millisecond() >= remedy.until_at {
        let body = json!({ "waited_ms": remedy.begun_at.map(|at| now.as_millisecond() - at) });
        let over_ = Over { state: "not_healed", reason: "", event: "remedy_not_healed", body };
        return over(conn, remedy, over_, None, now).await;
    }
    Ok(())
}

/// What the gateway has said of it, as an object.
fn said(remedy: &Open) -> Value {
    let result = remedy.command_result.clone().unwrap_or_default();
    serde_json::from_str(&result).unwrap_or_else(|_| json!({ "error": result }))
}

/// Nothing is known of its having begun, and its time is over.
fn too_late() -> Over<'static> {
    let reason = No::Late.as_str();
    Over { state: "refused", reason, event: "remedy_not_tried", body: json!({ "reason": reason }) }
}

/// How a remedy ends.
pub(super) struct Over<'a> {
    /// Its last state.
    pub state: &'a str,
    /// A word for it.
    pub reason: &'a str,
    /// What the ticket's record calls it; empty = nothing is written there.
    pub event: &'a str,
    /// More about it.
    pub body: Value,
}

/// A remedy is over: the record says how, and the ticket's pages are free.
pub(super) async fn over(
    conn: &mut Conn,
    remedy: &Open,
    how: Over<'_>,
    result: Option<&Value>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let result = result.map(Value::to_string);
    if !store::end(conn, &remedy.id, how.state, how.reason, result.as_deref(), now).await? {
        return Ok(());
    }
    if !how.event.is_empty() {
        say(conn, remedy, how.event, how.body, now, now).await?;
    }
    for ticket in tickets(conn, remedy).await? {
        ticket::store::hold::release(conn, &ticket, Hold::Remedy, now).await?;
    }
    Ok(())
}

/// The remedy's ticket, and the one that stands for its device by now.
async fn tickets(conn: &mut Conn, remedy: &Open) -> sqlx::Result<Vec<String>> {
    let standing = store::standing_ticket(conn, &remedy.device_id).await?;
    let mut tickets: Vec<String> = remedy.ticket_id.iter().cloned().collect();
    tickets.extend(standing.filter(|id| Some(id) != remedy.ticket_id.as_ref()));
    Ok(tickets)
}

/// Writes into the remedy's ticket what happened at `at`.
pub(super) async fn say(
    conn: &mut Conn,
    remedy: &Open,
    event: &str,
    mut body: Value,
    at: Timestamp,
    now: Timestamp,
) -> sqlx::Result<()> {
    let Some(ticket) = &remedy.ticket_id else { return Ok(()) };
    if let Value::Object(map) = &mut body {
        map.insert("kind".to_owned(), remedy.kind.as_str().into());
        map.insert("remedy_id".to_owned(), remedy.id.as_str().into());
        let target: Value = serde_json::from_str(&remedy.target).unwrap_or_default();
        if !target.is_null() {
            map.insert("target".to_owned(), target);
        }
    }
    ticket::store::append(conn, ticket, event, &Actor::System, &body, at, now).await
}

/// What was tried for a ticket, in words for a page; empty when nothing was.
pub async fn tried(conn: &mut Conn, ticket: &str, language: Language) -> sqlx::Result<String> {
    let mut words = Vec::new();
    for remedy in store::list_of_ticket(conn, ticket).await? {
        let kind = text(language, &format!("mail.remedy.{}", remedy.kind), &[]);
        let took_s = remedy.begun_at.map_or(0, |at| (remedy.ended_at.unwrap_or(at) - at) / 1000);
        let how @ ("healed" | "not_healed" | "failed" | "refused" | "done") = remedy.state.as_str() else {
            continue;
        };
        let took = took_s.to_string();
        let said: Value = serde_json::from_str(&remedy.result).unwrap_or_default();
        let why = said.get("error").and_then(Value::as_str).unwrap_or(&remedy.reason);
        let args = [("kind", kind.as_str()), ("seconds", took.as_str()), ("why", why)];
        words.push(text(language, &format!("mail.remedy.how.{how}"), &args));
    }
    Ok(words.join(" "))
}
