//! Visits on the API. Whatever is written has an id made by its writer and is a PUT, so that a phone may send it again
//! until it hears that it was taken: the same once more changes nothing, something else under the same id is refused.

use axum::Json;
use axum::extract::{Path, Query, State};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, OpenApi};

use super::store::{self, Filter};
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::db::Conn;
use crate::error::ApiError;
use crate::router::input::line;
use crate::router::{Items, Routes};
use crate::ticket::{self, Actor};
use crate::user::{Act, Viewer, allows};

pub mod briefing;
mod join;
pub mod photo;
pub mod proof;
pub mod repeat;
pub mod shape;
pub mod slip;
pub mod step;
pub mod tag;
mod window;

use shape::{NewVisit, Visit, VisitStory};

/// Which visits.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct VisitQuery {
    /// Only those that I go on.
    #[serde(default)]
    mine: bool,
    /// Those that are filed or cancelled, too.
    #[serde(default)]
    all: bool,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/tickets/{id}/visits", Act::SeeVisits, of_ticket)
        .get("/api/v1/tickets/{id}/repeats", Act::SeeVisits, repeat::get)
        .get("/api/v1/visits", Act::SeeVisits, list)
        .get("/api/v1/briefing", Act::WorkVisits, briefing::get)
        .get("/api/v1/visits/{id}", Act::SeeVisits, get)
        .get("/api/v1/visits/{id}/slip.pdf", Act::SeeVisits, slip::get)
        .put("/api/v1/visits/{id}", Act::WorkVisits, plan)
        .put("/api/v1/visits/{id}/steps/{step}", Act::WorkVisits, step::take)
        .get("/api/v1/visits/{id}/photos/{photo}", Act::SeeVisits, photo::get)
        .put("/api/v1/visits/{id}/photos/{photo}", Act::WorkVisits, photo::put)
        .get("/api/v1/sites/{id}/tags", Act::SeeVisits, tag::list)
        .get("/api/v1/sites/{id}/tags.pdf", Act::EditSites, tag::sheet)
        .post("/api/v1/sites/{id}/tags", Act::EditSites, tag::create)
        .delete("/api/v1/sites/{id}/tags/{tag}", Act::EditSites, tag::revoke)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(of_ticket, list, get, plan))]
pub struct Doc;

/// The visits of a ticket with their logs, the first one first.
#[utoipa::path(get, path = "/api/v1/tickets/{id}/visits", tag = "visits", params(("id" = String, Path)),
    responses((status = 200, body = Items<VisitStory>), (status = 404)))]
async fn of_ticket(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<Items<VisitStory>>, ApiError> {
    let mut conn = app.db.read().await?;
    let ticket = ticket::store::find(&mut conn, &viewer.scope, &id)
        .await?
        .ok_or_else(|| ApiError::not_found("ticket", &id))?;
    let filter = Filter { ticket_id: Some(ticket.id.clone()), ..Filter::default() };
    let rows = store::list(&mut conn, &viewer.scope, &filter).await?;
    let members = members(&mut conn, &rows).await?;
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        let events = store::list_events(&mut conn, &row.id).await?;
        let events = events.into_iter().map(Into::into).collect();
        items.push(VisitStory { visit: Visit::new(row, &members), events });
    }
    Ok(Json(Items::all(items)))
}

/// Visits that stand, of the newest ticket first; at most 500.
#[utoipa::path(get, path = "/api/v1/visits", tag = "visits", params(VisitQuery),
    responses((status = 200, body = Items<Visit>)))]
async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<VisitQuery>,
) -> Result<Json<Items<Visit>>, ApiError> {
    let mut conn = app.db.read().await?;
    let member = query.mine.then(|| viewer.account.to_string());
    let filter = Filter { ticket_id: None, member, standing: !query.all };
    let rows = store::list(&mut conn, &viewer.scope, &filter).await?;
    let members = members(&mut conn, &rows).await?;
    Ok(Json(Items::all(rows.into_iter().map(|row| Visit::new(row, &members)).collect())))
}

/// One visit with its log.
#[utoipa::path(get, path = "/api/v1/visits/{id}", tag = "visits", params(("id" = String, Path)),
    responses((status = 200, body = VisitStory), (status = 404)))]
async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<VisitStory>, ApiError> {
    Ok(Json(story(&mut *app.db.read().await?, &viewer, &id).await?))
}

/// Who goes on these visits.
async fn members(conn: &mut Conn, rows: &[store::Row]) -> sqlx::Result<Vec<(String, String, String)>> {
    store::list_members(conn, &rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>()).await
}

/// A visit that the viewer may see, with its log.
pub(crate) async fn story(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<VisitStory, ApiError> {
    let row = store::find(conn, &viewer.scope, id).await?.ok_or_else(|| ApiError::not_found("visit", id))?;
    let members = store::list_members(conn, &[&row.id]).await?;
    let events = store::list_events(conn, id).await?.into_iter().map(Into::into).collect();
    Ok(VisitStory { visit: Visit::new(row, &members), events })
}

/// Plans a visit. The same once more is answered with the visit as it stands.
#[utoipa::path(put, path = "/api/v1/visits/{id}", tag = "visits", params(("id" = String, Path)),
    request_body = NewVisit, responses((status = 200, body = VisitStory), (status = 404), (status = 409)))]
async fn plan(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewVisit>,
) -> Result<Json<VisitStory>, ApiError> {
    let id = own_id("id", &id)?;
    let purpose = line("purpose", &new.purpose, 0..=200)?;
    if new.members.len() > MEMBERS_MAX {
        return Err(ApiError::bad_request("members", "more than twenty", "plan several visits"));
    }
    let others = new.members.iter().any(|member| *member != viewer.account.as_str());
    if others && !allows(viewer.role, Act::PlanVisits) {
        return Err(ApiError::forbidden("not_permitted", "only the desk sends others")
            .hint("plan it for yourself, or ask the duty desk"));
    }
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let ticket = ticket::store::find(&mut tx, &viewer.scope, &new.ticket_id)
        .await?
        .ok_or_else(|| ApiError::not_found("ticket", &new.ticket_id))?;
    let asked = serde_json::to_string(&new).unwrap_or_default();
    if let Some(known) = store::find(&mut tx, &viewer.scope, &id).await? {
        if known.asked == asked {
            return Ok(Json(story(&mut tx, &viewer, &id).await?));
        }
        return Err(ApiError::conflict("other_visit", format!("there is another visit `{id}`"))
            .hint("make a new id for what is new"));
    }
    if let Some(follows) = &new.follows_id {
        let before = store::find(&mut tx, &viewer.scope, follows).await?;
        if before.is_none_or(|before| before.ticket_id != ticket.id) {
            return Err(ApiError::not_found("visit of this ticket", follows));
        }
    }
    let visit = store::New {
        id: &id,
        ticket_id: &ticket.id,
        site_id: &ticket.site_id,
        follows_id: new.follows_id.as_deref(),
        purpose: &purpose,
        planned_at: new.planned_at,
        created_by: &viewer.name,
        asked: &asked,
    };
    let number = store::insert(&mut tx, &visit, now).await?;
    let body = json!({ "visit": number, "step": "planned", "title": purpose, "at": new.planned_at });
    ticket::store::append(&mut tx, &ticket.id, "visit", &person(&viewer), &body, now, now).await?;
    if !new.members.is_empty() {
        let first = format!("{id}.1");
        let assigned = shape::NewVisitStep {
            kind: "assigned".into(),
            members: new.members.clone(),
            ..Default::default()
        };
        let mut row = store::find(&mut tx, &viewer.scope, &id)
            .await?
            .ok_or_else(|| ApiError::not_found("visit", &id))?;
        step::apply_to(&app, &mut tx, &viewer, &mut row, &first, &assigned, now).await?;
    }
    let detail = json!({ "ticket": ticket.number, "number": number });
    finish(&app, tx, &viewer, &ticket.id, &id, ("visit.plan", detail), now).await
}

const MEMBERS_MAX: usize = 20;

async fn finish(
    app: &App,
    mut tx: crate::db::Tx,
    viewer: &Viewer,
    ticket: &str,
    id: &str,
    (action, detail): (&'static str, serde_json::Value),
    now: Timestamp,
) -> Result<Json<VisitStory>, ApiError> {
    audit::store::insert(&mut tx, &Entry::by(viewer, now, action, id, detail)).await?;
    crate::escalation::step::step(&mut tx, now).await?;
    crate::sla::step::count_now(&mut tx, ticket, now).await?;
    let story = story(&mut tx, viewer, id).await?;
    tx.commit().await?;
    app.touched(&Touched::ticket(ticket));
    Ok(Json(story))
}

fn person(viewer: &Viewer) -> Actor {
    Actor::Person { id: viewer.account.to_string(), name: viewer.name.clone() }
}

/// An id that somebody else made: a UUID, written in one way.
pub(crate) fn own_id(field: &str, text: &str) -> Result<String, ApiError> {
    let id = uuid::Uuid::try_parse(text).ok().filter(|id| !id.is_nil());
    id.map(|id| id.to_string())
        .ok_or_else(|| ApiError::bad_request(field, "it is no UUID", "make a random UUID"))
}
