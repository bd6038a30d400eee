//! What people do with the escalation of a ticket: hand back, take over, hand on, call the experts.

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::db::{Conn, Tx};
use crate::error::ApiError;
use crate::escalation::plan::Target;
use crate::escalation::step::hand;
use crate::escalation::store::plan::Applies;
use crate::escalation::store::{self, Case, plan as plans};
use crate::rota;
use crate::router::Routes;
use crate::router::input::prose;
use crate::sla;
use crate::ticket::api::{Reason, Taking, TicketStory, begin, finish, story};
use crate::ticket::{self, Actor, Step};
use crate::user::{self, Act, Viewer};

/// To whom a ticket is handed on: one of the three.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reroute {
    /// A person.
    pub account_id: Option<String>,
    /// Everybody of a team.
    pub team_id: Option<String>,
    /// Another plan, from its first step.
    pub plan_id: Option<String>,
    /// Why.
    pub reason: String,
}

/// The routes.
pub(super) fn routes() -> Routes {
    Routes::new()
        .post("/api/v1/tickets/{id}/hand-back", Act::AckTickets, hand_back)
        .post("/api/v1/tickets/{id}/take-over", Act::AckTickets, take_over)
        .post("/api/v1/tickets/{id}/reroute", Act::AckTickets, reroute)
        .post("/api/v1/tickets/{id}/experts", Act::AckTickets, experts)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(hand_back, take_over, reroute, experts))]
pub struct Doc;

/// Gives a ticket back that somebody has taken: the escalation goes on with its next step at once.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/hand-back", tag = "tickets", params(("id" = String, Path)),
    request_body = Reason, responses((status = 200, body = TicketStory), (status = 404), (status = 409)))]
async fn hand_back(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(words): Json<Reason>,
) -> Result<Json<TicketStory>, ApiError> {
    let text = prose("reason", &words.reason, 1..=8000)?;
    let (mut tx, id, now) = begin(&app, &viewer, &id, &Step::Assign).await?;
    let case = case(&mut tx, &id).await?;
    if case.state != "acked" {
        return Err(ApiError::conflict("not_possible", format!("nobody has #{}", case.number))
            .hint("there is nothing to hand back; the escalation is going on"));
    }
    let promised = sla::store::find_case(&mut tx, &mut sla::store::Library::default(), &id).await?;
    if promised.is_some_and(|promised| promised.must_go_on(now)) {
        let why = format!("by the contract the work on #{} goes on until it is restored", case.number);
        return Err(ApiError::conflict("successor_needed", why)
            .hint("name who goes on with it, or say that it is restored"));
    }
    ticket::store::set_untaken(&mut tx, &id, now).await?;
    let body = json!({ "text": text, "account": case.acked_by });
    finish(&app, tx, &viewer, &id, "handed_back", body, now).await
}

/// Takes a ticket over from whoever has it.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/take-over", tag = "tickets", params(("id" = String, Path)),
    request_body = Taking, responses((status = 200, body = TicketStory), (status = 404), (status = 409)))]
async fn take_over(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(words): Json<Taking>,
) -> Result<Json<TicketStory>, ApiError> {
    let text = prose("note", words.note.as_deref().unwrap_or_default(), 0..=8000)?;
    let (mut tx, id, now) = begin(&app, &viewer, &id, &Step::Ack).await?;
    let before = case(&mut tx, &id).await?.acked_by;
    ticket::store::set_taken_over(&mut tx, &id, &viewer.name, now).await?;
    let body = json!({ "text": text, "account": before });
    finish(&app, tx, &viewer, &id, "taken_over", body, now).await
}

/// Hands a ticket on to a person, a team or another plan, whose escalation begins at once.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/reroute", tag = "tickets", params(("id" = String, Path)),
    request_body = Reroute, responses((status = 200, body = TicketStory), (status = 404), (status = 409)))]
async fn reroute(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(to): Json<Reroute>,
) -> Result<Json<TicketStory>, ApiError> {
    let text = prose("reason", &to.reason, 1..=8000)?;
    let (mut tx, id, now) = begin(&app, &viewer, &id, &Step::Assign).await?;
    let case = case(&mut tx, &id).await?;
    let (name, plan) = destination(&mut tx, &case, &to).await?;
    let body = json!({ "text": text, "to": name });
    ticket::store::append(&mut tx, &id, "rerouted", &actor(&viewer), &body, now, now).await?;
    hand::reroute(&mut tx, &case, &plan, now).await?;
    conclude(&app, tx, &viewer, &id, "ticket.reroute").await
}

/// Says that this is a major technical problem: the expert panel is asked, and its measures are owed within 4 hours.
#[utoipa::path(post, path = "/api/v1/tickets/{id}/experts", tag = "tickets", params(("id" = String, Path)),
    request_body = Reason, responses((status = 200, body = TicketStory), (status = 404), (status = 409)))]
async fn experts(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(words): Json<Reason>,
) -> Result<Json<TicketStory>, ApiError> {
    let text = prose("reason", &words.reason, 1..=8000)?;
    let (mut tx, id, now) = begin(&app, &viewer, &id, &Step::Assign).await?;
    let case = case(&mut tx, &id).await?;
    if hand::experts(&mut tx, &case, &actor(&viewer), &text, now).await? == 0 {
        return Err(ApiError::conflict("no_experts", "nobody of the expert panel can be paged")
            .hint("name experts for this site, its customer or all on the page of escalation plans"));
    }
    conclude(&app, tx, &viewer, &id, "ticket.experts").await
}

async fn case(conn: &mut Conn, id: &str) -> Result<Case, ApiError> {
    store::find(conn, id).await?.ok_or_else(|| ApiError::not_found("ticket", id))
}

fn actor(viewer: &Viewer) -> Actor {
    Actor::Person { id: viewer.account.to_string(), name: viewer.name.clone() }
}

async fn destination(conn: &mut Conn, case: &Case, to: &Reroute) -> Result<(String, Applies), ApiError> {
    match (&to.account_id, &to.team_id, &to.plan_id) {
        (Some(id), None, None) => {
            let account = user::store::find_account(conn, id).await?.filter(|one| one.disabled == 0);
            let account = account.ok_or_else(|| ApiError::not_found("person", id))?;
            Ok((account.name, hand::one_step(case, Target::Person { account_id: id.clone() })))
        }
        (None, Some(id), None) => {
            let team = rota::store::team::find(conn, id).await?;
            let team = team.ok_or_else(|| ApiError::not_found("team", id))?;
            Ok((team.name, hand::one_step(case, Target::Team { team_id: id.clone() })))
        }
        (None, None, Some(id)) => {
            let row = plans::find(conn, id).await?.ok_or_else(|| ApiError::not_found("plan", id))?;
            let plan = row.plan().ok_or_else(|| ApiError::not_found("readable plan", id))?;
            Ok((row.name.clone(), Applies { name: row.name, text: row.body, plan }))
        }
        _ => {
            let hint = "give one of account_id, team_id and plan_id";
            Err(ApiError::bad_request("account_id, team_id, plan_id", "none, or more than one", hint))
        }
    }
}

async fn conclude(
    app: &App,
    mut tx: Tx,
    viewer: &Viewer,
    id: &str,
    action: &'static str,
) -> Result<Json<TicketStory>, ApiError> {
    let now = app.clock.now();
    audit::store::insert(&mut tx, &Entry::by(viewer, now, action, id, json!({}))).await?;
    let story = story(&mut tx, viewer, id).await?;
    tx.commit().await?;
    app.touched(&Touched::ticket(id));
    Ok(Json(story))
}
