//! Tickets on the API.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::store::{self, Filter};
use super::{Actor, State as TicketState, Step, apply};
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::db::{Conn, Tx};
use crate::error::ApiError;
use crate::incident::api::Incident;
use crate::router::input::{line, prose};
use crate::router::{Items, Routes};
use crate::user::{Act, Role, Viewer};
use crate::{device, escalation, incident, page, site, user};

pub mod shape;

pub use shape::{Ticket, TicketEscalation, TicketEvent, TicketHold, TicketPage, TicketStory};

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// `open`, `acked`, `closed`, `standing` (not closed) or `all` (the default).
    state: Option<String>,
    /// Only of this site.
    site_id: Option<String>,
    /// Only of this device.
    device_id: Option<String>,
    /// Words in the title, the device's or the site's name, or a number.
    q: Option<String>,
    /// Only numbers below this one.
    before: Option<i64>,
}

/// A ticket opened by hand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTicket {
    /// Where.
    pub site_id: String,
    /// The device, if it is about one.
    pub device_id: Option<String>,
    /// What is wrong, in one line.
    pub title: String,
    /// `critical`, `major` or `minor`.
    pub severity: String,
    /// More words.
    pub note: Option<String>,
}

/// Taking a ticket, with a word if there is one.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Taking {
    /// The word.
    pub note: Option<String>,
}

/// What is written into a ticket.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// The words.
    pub text: String,
}

/// Why a ticket is closed or opened again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// The words.
    pub reason: String,
}

/// Whom to hand a ticket to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assignee {
    /// The account.
    pub account_id: String,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/tickets", Act::SeeTickets, list)
        .post("/api/v1/tickets", Act::OpenTickets, create)
        .get("/api/v1/tickets/{id}", Act::SeeTickets, get)
        .post("/api/v1/tickets/{id}/ack", Act::AckTickets, ack)
        .post("/api/v1/tickets/{id}/note", Act::NoteTickets, note)
        .post("/api/v1/tickets/{id}/assign", Act::AssignTickets, assign)
        .post("/api/v1/tickets/{id}/close", Act::CloseTickets, close)
        .post("/api/v1/tickets/{id}/reopen", Act::CloseTickets, reopen)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, create, get, ack, note, assign, close, reopen))]
pub struct Doc;

const PAGE: i64 = 100;

/// Tickets, highest number first, 100 at a time.
#[utoipa::path(get, path = "/api/v1/tickets", tag = "tickets", params(ListQuery),
    responses((status = 200, body = Items<Ticket>)))]
async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Json<Items<Ticket>>, ApiError> {
    let state = match query.state.as_deref() {
        None | Some("all") => None,
        Some(known @ ("open" | "acked" | "closed" | "standing")) => Some(known.to_owned()),
        Some(other) => {
            let hint = "use open, acked, closed, standing or all";
            return Err(ApiError::bad_request("state", format!("`{other}` is unknown"), hint));
        }
    };
    let filter = Filter {
        state,
        site_id: query.site_id,
        device_id: query.device_id,
        q: query.q,
        before: query.before,
    };
    let rows = store::list(&mut *app.db.read().await?, &viewer.scope, &filter, PAGE).await?;
    let next = (rows.len() as i64 == PAGE).then(|| rows.last().map(|row| row.number.to_string())).flatten();
    let items = rows.into_iter().map(|row| Ticket::new(row, Vec::new())).collect();
    Ok(Json(Items { items, next }))
}

/// One ticket with its record, by id or by number.
#[utoipa::path(get, path = "/api/v1/tickets/{id}", tag = "tickets", params(("id" = String, Path)),
    responses((status = 200, body = TicketStory), (status = 404)))]
async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<TicketStory>, ApiError> {
    Ok(Json(story(&mut *app.db.read().await?, &viewer, &id).await?))
}

pub(crate) async fn story(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<TicketStory, ApiError> {
    let row = store::find(conn, &viewer.scope, id).await?.ok_or_else(|| ApiError::not_found("ticket", id))?;
    let filter = incident::store::Filter { ticket_id: Some(row.id.clone()), ..Default::default() };
    let incidents = incident::store::list(conn, &viewer.scope, &filter, 1000).await?;
    let events = store::list_events(conn, &row.id).await?;
    let pages = page::store::list(conn, &row.id).await?;
    let holds = store::hold::list(conn, &row.id).await?;
    let escalation = escalation::store::find_shown(conn, &row.id).await?;
    let customer = viewer.role == Role::Customer;
    Ok(TicketStory {
        ticket: Ticket::new(row, incidents.into_iter().map(Incident::from).collect()),
        events: events.into_iter().map(TicketEvent::from).collect(),
        pages: pages.into_iter().map(|page| TicketPage::new(page, customer)).collect(),
        holds: holds.into_iter().map(TicketHold::from).collect(),
        escalation: escalation.map(TicketEscalation::from),
    })
}

/// Opens a ticket by hand.
#[utoipa::path(post, path = "/api/v1/tickets", tag = "tickets", request_body = NewTicket,
    responses((status = 201, body = TicketStory)))]
async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewTicket>,
) -> Result<(StatusCode, Json<TicketStory>), ApiError> {
    let title = line("title", &new.title, 1..=200)?;
    let note = prose("note", new.note.as_deref().unwrap_or_default(), 0..=8000)?;
    if incident::rank(&new.severity) == 0 {
        let hint = "use critical, major or minor";
        return Err(ApiError::bad_request("severity", format!("`{}` is unknown", new.severity), hint));
    }
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let site = site::store::find(&mut tx, &viewer.scope, &new.site_id).await?;
    if site.is_none() {
        return Err(ApiError::not_found("site", &new.site_id));
    }
    if let Some(id) = &new.device_id {
        let device = device::store::find(&mut tx, &viewer.scope, id).await?;
        if device.is_none_or(|device| device.site_id != new.site_id) {
            return Err(ApiError::not_found("device on this site", id));
        }
    }
    let opening = store::New {
        site_id: &new.site_id,
        gateway_id: None,
        device_id: new.device_id.as_deref(),
        origin: "person",
        code: "",
        title: &title,
        severity: &new.severity,
        opened_at: now,
    };
    let (id, number) = store::insert(&mut tx, &opening, now).await?;
    let body = json!({ "title": title, "severity": new.severity, "text": note });
    store::append(&mut tx, id.as_str(), "opened", &person(&viewer), &body, now, now).await?;
    let entry = Entry::by(&viewer, now, "ticket.create", id.as_str(), json!({ "number": number }));
    audit::store::insert(&mut tx, &entry).await?;
    escalation::step::step(&mut tx, now).await?;
    let story = story(&mut tx, &viewer, id.as_str()).await?;
    tx.commit().await?;
    app.touched(&Touched::ticket(id.as_str()));
    Ok((StatusCode::CREATED, Json(story)))
}

/// Takes a ticket.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/ack", tag = "tickets", params(("id" = String, Path)),
    request_body = Taking, responses((status = 200, body = TicketStory), (status = 404), (status = 409)))]
async fn ack(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(words): Json<Taking>,
) -> Result<Json<TicketStory>, ApiError> {
    let text = prose("note", words.note.as_deref().unwrap_or_default(), 0..=8000)?;
    let (mut tx, ticket, now) = begin(&app, &viewer, &id, &Step::Ack).await?;
    store::set_acked(&mut tx, &ticket, &viewer.name, now).await?;
    finish(&app, tx, &viewer, &ticket, "acked", json!({ "by": "page", "text": text }), now).await
}

/// Writes into a ticket.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/note", tag = "tickets", params(("id" = String, Path)),
    request_body = Note, responses((status = 200, body = TicketStory), (status = 404)))]
async fn note(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(words): Json<Note>,
) -> Result<Json<TicketStory>, ApiError> {
    let text = prose("text", &words.text, 1..=8000)?;
    let (tx, ticket, now) = begin(&app, &viewer, &id, &Step::Note).await?;
    finish(&app, tx, &viewer, &ticket, "note", json!({ "text": text }), now).await
}

/// Hands a ticket to a person.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/assign", tag = "tickets", params(("id" = String, Path)),
    request_body = Assignee, responses((status = 200, body = TicketStory), (status = 404), (status = 409)))]
async fn assign(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(to): Json<Assignee>,
) -> Result<Json<TicketStory>, ApiError> {
    let (mut tx, ticket, now) = begin(&app, &viewer, &id, &Step::Assign).await?;
    let name = user::store::name_of(&mut tx, &to.account_id)
        .await?
        .ok_or_else(|| ApiError::not_found("account", &to.account_id))?;
    store::set_assignee(&mut tx, &ticket, &to.account_id, now).await?;
    let body = json!({ "account_id": to.account_id, "account": name });
    finish(&app, tx, &viewer, &ticket, "assigned", body, now).await
}

/// Closes a ticket, with a reason.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/close", tag = "tickets", params(("id" = String, Path)),
    request_body = Reason, responses((status = 200, body = TicketStory), (status = 404), (status = 409)))]
async fn close(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(words): Json<Reason>,
) -> Result<Json<TicketStory>, ApiError> {
    let text = prose("reason", &words.reason, 1..=8000)?;
    let (mut tx, ticket, now) = begin(&app, &viewer, &id, &Step::Close).await?;
    let standing = incident::store::count_open(&mut tx, &ticket).await?;
    store::set_closed(&mut tx, &ticket, now, now).await?;
    page::step::withdraw(&mut tx, &ticket, "over", now).await?;
    let body = json!({ "reason": "person", "text": text, "faults_standing": standing });
    finish(&app, tx, &viewer, &ticket, "closed", body, now).await
}

/// Opens a closed ticket again, with a reason.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/reopen", tag = "tickets", params(("id" = String, Path)),
    request_body = Reason, responses((status = 200, body = TicketStory), (status = 404), (status = 409)))]
async fn reopen(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(words): Json<Reason>,
) -> Result<Json<TicketStory>, ApiError> {
    let text = prose("reason", &words.reason, 1..=8000)?;
    let (mut tx, ticket, now) = begin(&app, &viewer, &id, &Step::Reopen).await?;
    store::set_reopened(&mut tx, &ticket, now).await?;
    finish(&app, tx, &viewer, &ticket, "reopened", json!({ "text": text }), now).await
}

fn person(viewer: &Viewer) -> Actor {
    Actor::Person { id: viewer.account.to_string(), name: viewer.name.clone() }
}

/// Begins a step on a ticket that the viewer may see, if the ticket's state allows it.
pub(crate) async fn begin(
    app: &App,
    viewer: &Viewer,
    id: &str,
    step: &Step,
) -> Result<(Tx, String, Timestamp), ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let row =
        store::find(&mut tx, &viewer.scope, id).await?.ok_or_else(|| ApiError::not_found("ticket", id))?;
    let state = TicketState::parse(&row.state).unwrap_or(TicketState::Open);
    apply(state, step)
        .map_err(|why| ApiError::conflict("not_possible", format!("#{}: {why}", row.number)))?;
    Ok((tx, row.id, now))
}

/// Writes the step down, commits and tells everybody.
pub(crate) async fn finish(
    app: &App,
    mut tx: Tx,
    viewer: &Viewer,
    ticket: &str,
    kind: &'static str,
    body: Value,
    now: Timestamp,
) -> Result<Json<TicketStory>, ApiError> {
    store::append(&mut tx, ticket, kind, &person(viewer), &body, now, now).await?;
    let action = match kind {
        "acked" => "ticket.ack",
        "note" => "ticket.note",
        "assigned" => "ticket.assign",
        "closed" => "ticket.close",
        "handed_back" => "ticket.hand_back",
        "taken_over" => "ticket.take_over",
        "rerouted" => "ticket.reroute",
        "experts_called" => "ticket.experts",
        _ => "ticket.reopen",
    };
    audit::store::insert(&mut tx, &Entry::by(viewer, now, action, ticket, json!({}))).await?;
    escalation::step::step(&mut tx, now).await?;
    let story = story(&mut tx, viewer, ticket).await?;
    tx.commit().await?;
    app.touched(&Touched::ticket(ticket));
    Ok(Json(story))
}
