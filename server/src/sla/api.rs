//! Clocks on the API: those of a ticket with every second explained, the board of those that run, and what people say
//! of the work: answered, arrived, restored, paused, with when it happened and when we heard of it.

use axum::Json;
use axum::extract::{Path, Query, State};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::step::{self, late::ends_with_arrival};
use super::store::{self, Library, board, notice, travel};
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::clock::from_ms;
use crate::db::{Conn, Tx};
use crate::error::ApiError;
use crate::router::input::{line, prose};
use crate::router::{Items, Routes};
use crate::ticket::store::fact;
use crate::ticket::{self, Actor};
use crate::user::{Act, Role, Viewer, allows};

pub mod shape;

use shape::board::{BoardClock, ClockBoard};
use shape::{OnTheWay, TicketClocks};

/// What is said of the work on a ticket.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTicketFact)]
pub struct NewFact {
    /// An event by its name in contracts (`first_human_reply`, `arrived`, `restored`, …), or `paused`, `resumed`,
    /// `priority`, `agreed`, `withdrawn`.
    pub what: String,
    /// When it happened, Unix ms; now where it is not given.
    pub occurred_at: Option<i64>,
    /// What proves it: `call`, `qr`, `gateway_code`, `customer`, `photo`, ….
    #[serde(default)]
    pub evidence: Vec<String>,
    /// Why work cannot go on, for `paused`.
    pub reason: Option<String>,
    /// Whose approval the contract asks for, for `paused`: `customer`, `manager`, `none`, ….
    pub approver: Option<String>,
    /// Who that was, by name.
    pub approved_by: Option<String>,
    /// Which priority, for `priority`.
    pub level: Option<String>,
    /// For when, for `agreed`, Unix ms.
    pub at: Option<i64>,
    /// Who consented to moving it.
    pub consent: Option<String>,
    /// The line of the record that this one stands instead of.
    pub supersedes: Option<i64>,
    /// What the clock of the device showed that recorded it, Unix ms.
    pub device_at: Option<i64>,
    /// What that clock shows while it is sent: the difference to ours corrects `device_at`.
    pub device_now: Option<i64>,
    /// More words.
    pub note: Option<String>,
}

/// What somebody decides about the clocks of a ticket.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Ruling {
    /// `void`: a clock does not count; `contract`: the ticket goes under another version of its contract.
    pub what: String,
    /// Which clock, for `void`; without it, all.
    pub clock: Option<String>,
    /// Which version, for `contract`.
    pub version: Option<i64>,
    /// Why.
    pub reason: String,
}

/// Which part of the board.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct BoardQuery {
    /// `running`, `breached_running` or `paused`; without it, all that run, whether their time is up or not.
    state: Option<String>,
    /// Only of this site.
    site_id: Option<String>,
    /// Only clocks of this name.
    name: Option<String>,
    /// Where the part before ended: its `next`.
    after: Option<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/clocks", Act::SeeTickets, list)
        .get("/api/v1/tickets/{id}/clocks", Act::SeeTickets, get)
        .post("/api/v1/tickets/{id}/facts", Act::RecordFacts, say)
        .post("/api/v1/tickets/{id}/ruling", Act::JudgeClocks, rule)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, get, say, rule), components(schemas(BoardClock)))]
pub struct Doc;

const PAGE: i64 = 100;
/// A fact may lie so long before the report: whoever is there already has arrived.
const BEFORE: SignedDuration = SignedDuration::from_hours(24);
const EVIDENCE_MAX: usize = 10;

/// The clocks that run, the one with the least time left first, 100 at a time.
#[utoipa::path(get, path = "/api/v1/clocks", tag = "clocks", params(BoardQuery),
    responses((status = 200, body = ClockBoard)))]
async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<BoardQuery>,
) -> Result<Json<ClockBoard>, ApiError> {
    if let Some(state) = &query.state
        && !["running", "breached_running", "paused"].contains(&state.as_str())
    {
        let hint = "use running, breached_running or paused";
        return Err(ApiError::bad_request("state", format!("`{state}` is unknown"), hint));
    }
    let after = match &query.after {
        None => None,
        Some(text) => Some(place(text).ok_or_else(|| {
            ApiError::bad_request(
                "after",
                "it is no place on the board",
                "send the `next` of the part before",
            )
        })?),
    };
    let filter = board::Filter {
        site_id: query.site_id,
        name: query.name,
        state: query.state,
        after,
        for_customer: viewer.role == Role::Customer,
    };
    let mut conn = app.db.read().await?;
    let rows = board::list(&mut conn, &viewer.scope, &filter, PAGE).await?;
    let counts = board::count(&mut conn, &viewer.scope, filter.for_customer).await?;
    let next = rows.last().filter(|_| rows.len() as i64 == PAGE).map(board::Row::place);
    let items = rows.into_iter().map(BoardClock::from).collect();
    Ok(Json(ClockBoard { list: Items { items, next }, counts: counts.into_iter().collect() }))
}

/// Reads what [`board::Row::place`] wrote.
fn place(text: &str) -> Option<board::Place> {
    let mut parts = text.splitn(4, '.');
    let (due, run) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((due, parts.next()?.to_owned(), parts.next()?.to_owned(), run))
}

/// The clocks of a ticket as they stand now.
#[utoipa::path(get, path = "/api/v1/tickets/{id}/clocks", tag = "clocks", params(("id" = String, Path)),
    responses((status = 200, body = TicketClocks), (status = 404)))]
async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<TicketClocks>, ApiError> {
    let mut conn = app.db.read().await?;
    let row = seen(&mut conn, &viewer, &id).await?;
    Ok(Json(clocks(&mut conn, &viewer, &row.id, app.clock.now()).await?))
}

async fn seen(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<ticket::store::Row, ApiError> {
    ticket::store::find(conn, &viewer.scope, id).await?.ok_or_else(|| ApiError::not_found("ticket", id))
}

async fn clocks(
    conn: &mut Conn,
    viewer: &Viewer,
    ticket: &str,
    now: Timestamp,
) -> Result<TicketClocks, ApiError> {
    let case = store::find_case(conn, &mut Library::default(), ticket).await?;
    let notices = notice::list(conn, ticket).await?;
    let name = match &case {
        Some(case) => {
            let id = &case.governing.contract_id;
            crate::contract::store::find(conn, &viewer.scope, id).await?.map(|row| row.name)
        }
        None => None,
    };
    let works = fact::works_since(conn, ticket).await?.map(from_ms);
    let for_customer = viewer.role == Role::Customer;
    let mut shown = TicketClocks::new(case.as_ref(), name, notices, works, for_customer, now);
    if !for_customer {
        let going = travel::list_going(conn, Some(ticket)).await?;
        let arrivals = shown.clocks.iter().filter(|clock| {
            clock.state == "running" && case.as_ref().is_some_and(|case| ends_with_arrival(case, &clock.name))
        });
        let due = arrivals.filter_map(|clock| clock.due_at).min().map(from_ms);
        shown.on_the_way = going.into_iter().map(|one| OnTheWay::new(one, due, now)).collect();
    }
    Ok(shown)
}

/// Writes down what is said of the work on a ticket; its clocks follow at once.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/facts", tag = "clocks", params(("id" = String, Path)),
    request_body = NewFact, responses((status = 200, body = TicketClocks), (status = 404), (status = 409)))]
async fn say(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewFact>,
) -> Result<Json<TicketClocks>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let row = seen(&mut tx, &viewer, &id).await?;
    let case = store::find_case(&mut tx, &mut Library::default(), &row.id).await?;
    let body = read(&new, case.as_ref())?;
    let occurred_at = match new.occurred_at {
        None => now,
        Some(at) => from_ms(at),
    };
    let earliest = from_ms(row.opened_at).saturating_sub(BEFORE).unwrap_or(Timestamp::MIN);
    if occurred_at > now || occurred_at < earliest {
        let hint = "give a time between a day before the ticket and now";
        return Err(ApiError::bad_request(
            "occurred_at",
            "it lies in the future, or long before the ticket",
            hint,
        ));
    }
    if let Some(seq) = new.supersedes {
        supersede(&mut tx, &viewer, &row.id, seq).await?;
    } else if new.what == "withdrawn" {
        return Err(ApiError::bad_request("supersedes", "it is missing", "name the line that is withdrawn"));
    }
    let device = match (new.device_at, new.device_now) {
        (Some(at), Some(shows)) => Some((from_ms(at), shows - now.as_millisecond())),
        (Some(at), None) => Some((from_ms(at), 0)),
        (None, _) => None,
    };
    let by = Actor::Person { id: viewer.account.to_string(), name: viewer.name.clone() };
    let fact = fact::New { actor: &by, body: &body, occurred_at, device, supersedes: new.supersedes };
    let seq = fact::append(&mut tx, &row.id, &fact, now).await?;
    let detail = json!({ "what": new.what, "line": seq });
    finish(&app, tx, &viewer, &row.id, ("ticket.fact", detail), now).await
}

/// What a fact says, checked.
fn read(new: &NewFact, case: Option<&store::Case>) -> Result<Value, ApiError> {
    let need =
        |field: &'static str, text: Option<&String>| line(field, text.map_or("", String::as_str), 1..=80);
    let mut body = json!({ "what": new.what, "evidence": evidence(&new.evidence)? });
    match new.what.as_str() {
        "paused" => {
            let approver = need("approver", new.approver.as_ref())?;
            if approver != "none" {
                body["approved_by"] = need("approved_by", new.approved_by.as_ref())?.into();
            }
            body["reason"] = need("reason", new.reason.as_ref())?.into();
            body["approver"] = approver.into();
        }
        "resumed" | "withdrawn" => {}
        "priority" => {
            let level = need("level", new.level.as_ref())?;
            let known: Vec<&str> = case
                .map(|case| case.contract().priorities.iter().map(|one| one.name.as_str()).collect())
                .unwrap_or_default();
            if !known.contains(&level.as_str()) {
                let hint = format!("the contract has: {}", known.join(", "));
                return Err(ApiError::bad_request("level", format!("`{level}` is unknown"), hint));
            }
            body["level"] = level.into();
        }
        "agreed" => {
            let at = new.at.ok_or_else(|| ApiError::bad_request("at", "it is missing", "say for when"))?;
            body["at"] = at.into();
            if let Some(consent) = &new.consent {
                body["consent"] = line("consent", consent, 1..=80)?.into();
            }
        }
        "closed" => {
            let hint = "close the ticket itself";
            return Err(ApiError::bad_request("what", "a fact does not close a ticket", hint));
        }
        step => {
            let known = crate::contract::EVENTS.contains(&step)
                || case.is_some_and(|case| case.contract().tells(step));
            if !known {
                let hint =
                    "use an event that the contract names, paused, resumed, priority, agreed or withdrawn";
                return Err(ApiError::bad_request("what", format!("`{step}` is unknown"), hint));
            }
        }
    }
    if let Some(note) = &new.note {
        body["text"] = prose("note", note, 0..=2000)?.into();
    }
    Ok(body)
}

fn evidence(given: &[String]) -> Result<Vec<String>, ApiError> {
    if given.len() > EVIDENCE_MAX {
        return Err(ApiError::bad_request("evidence", "more than ten kinds", "name the strongest ones"));
    }
    given.iter().map(|one| line("evidence", one, 1..=40)).collect()
}

/// A line may be replaced by whoever wrote it, and by those who judge.
async fn supersede(conn: &mut Conn, viewer: &Viewer, ticket: &str, seq: i64) -> Result<(), ApiError> {
    let lines = fact::list(conn, ticket).await?;
    let Some(row) = lines.iter().find(|row| row.seq == seq && row.kind == "fact") else {
        let hint = "only facts are replaced, and only by their number in the record";
        return Err(ApiError::bad_request(
            "supersedes",
            format!("line {seq} is no fact of this ticket"),
            hint,
        ));
    };
    if lines.iter().any(|other| other.supersedes == Some(seq)) {
        return Err(ApiError::conflict("superseded", format!("line {seq} has been replaced already"))
            .hint("replace the line that stands instead of it"));
    }
    if row.actor != viewer.name && !allows(viewer.role, Act::JudgeClocks) {
        return Err(ApiError::conflict("not_yours", format!("line {seq} is {}'s", row.actor))
            .hint("ask whoever wrote it, or the duty desk"));
    }
    Ok(())
}

/// Decides that a clock does not count, or under which version of the contract a ticket goes.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/ruling", tag = "clocks", params(("id" = String, Path)),
    request_body = Ruling, responses((status = 200, body = TicketClocks), (status = 404), (status = 409)))]
async fn rule(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(ruling): Json<Ruling>,
) -> Result<Json<TicketClocks>, ApiError> {
    let reason = prose("reason", &ruling.reason, 1..=2000)?;
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let row = seen(&mut tx, &viewer, &id).await?;
    let case = store::find_case(&mut tx, &mut Library::default(), &row.id).await?.ok_or_else(|| {
        ApiError::conflict("no_contract", format!("no contract governs #{}", row.number))
            .hint("put a contract that covers this site into service")
    })?;
    let mut body = json!({ "what": ruling.what, "reason": reason, "approver": viewer.name });
    match ruling.what.as_str() {
        "void" => {
            let clock = ruling.clock.unwrap_or_default();
            if !clock.is_empty() && case.contract().find_clock(&clock).is_none() {
                return Err(ApiError::not_found("clock", &clock));
            }
            body["clock"] = clock.into();
        }
        "contract" => {
            let number = ruling.version.unwrap_or_default();
            if !case.governing.versions.iter().any(|one| one.0.number == number) {
                return Err(ApiError::not_found("usable version", number));
            }
            body["version"] = number.into();
        }
        other => {
            return Err(ApiError::bad_request(
                "what",
                format!("`{other}` is unknown"),
                "use void or contract",
            ));
        }
    }
    let by = Actor::Person { id: viewer.account.to_string(), name: viewer.name.clone() };
    let fact = fact::New { actor: &by, body: &body, occurred_at: now, device: None, supersedes: None };
    fact::append(&mut tx, &row.id, &fact, now).await?;
    finish(&app, tx, &viewer, &row.id, ("ticket.ruling", body), now).await
}

async fn finish(
    app: &App,
    mut tx: Tx,
    viewer: &Viewer,
    ticket: &str,
    (action, detail): (&'static str, Value),
    now: Timestamp,
) -> Result<Json<TicketClocks>, ApiError> {
    audit::store::insert(&mut tx, &Entry::by(viewer, now, action, ticket, detail)).await?;
    step::count_now(&mut tx, ticket, now).await?;
    let clocks = clocks(&mut tx, viewer, ticket, now).await?;
    tx.commit().await?;
    app.touched(&Touched::ticket(ticket));
    Ok(Json(clocks))
}
