//! Major requests on the API: raising one, what each side answers, the work, and what a month's come to.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use jiff::tz::TimeZone;
use serde::Deserialize;
use utoipa::{IntoParams, OpenApi};

use super::store::{self, Filter, MONTH_MAX, Row};
use super::{Standing, State as Stands, Step, Total, read};
use crate::app::App;
use crate::clock::from_ms;
use crate::db::Conn;
use crate::error::ApiError;
use crate::follow::api::{around, month_of};
use crate::router::{Items, Routes};
use crate::ticket;
use crate::user::{Act, Viewer};

mod act;
pub mod shape;

use shape::{MajorConsent, MajorEvent, MajorMonth, MajorRequest, MajorStory, MajorTotal};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/major-requests", Act::SeeMajors, list)
        .get("/api/v1/major-requests/{id}", Act::SeeMajors, get)
        .put("/api/v1/major-requests/{id}", Act::WorkMajors, act::raise)
        .put("/api/v1/major-requests/{id}/answers/{step}", Act::AnswerMajors, act::answer)
        .put("/api/v1/major-requests/{id}/work/{step}", Act::WorkMajors, act::work)
        .get("/api/v1/major-figures", Act::SeeMajors, figures)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, get, act::raise, act::answer, act::work, figures))]
pub struct Doc;

/// Which ones.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct MajorQuery {
    /// Those that are done or refused, too.
    #[serde(default)]
    all: bool,
    /// Only those of this ticket, by id or number.
    ticket_id: Option<String>,
}

/// Major requests: first those that are not over, the one that waits longest first. At most 500.
#[utoipa::path(get, path = "/api/v1/major-requests", tag = "follow", params(MajorQuery),
    responses((status = 200, body = Items<MajorRequest>), (status = 404)))]
async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<MajorQuery>,
) -> Result<Json<Items<MajorRequest>>, ApiError> {
    let mut conn = app.db.read().await?;
    let ticket = match &query.ticket_id {
        Some(id) => {
            let found = ticket::store::find(&mut conn, &viewer.scope, id).await?;
            Some(found.ok_or_else(|| ApiError::not_found("ticket", id))?.id)
        }
        None => None,
    };
    let filter = Filter { all: query.all, ticket: ticket.as_deref() };
    let rows = store::list(&mut conn, &viewer.scope, filter).await?;
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let mut records: BTreeMap<String, Vec<store::Event>> = BTreeMap::new();
    for event in store::list_events_of(&mut conn, &ids).await? {
        records.entry(event.request_id.clone()).or_default().push(event);
    }
    let told = rows.into_iter().map(|row| {
        let standing = standing(records.get(&row.id).map(Vec::as_slice).unwrap_or_default());
        MajorRequest::new(row, &standing)
    });
    Ok(Json(Items::all(told.collect())))
}

/// A major request with its consents and its record.
#[utoipa::path(get, path = "/api/v1/major-requests/{id}", tag = "follow", params(("id" = String, Path)),
    responses((status = 200, body = MajorStory), (status = 404)))]
async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<MajorStory>, ApiError> {
    let mut conn = app.db.read().await?;
    let row = seen(&mut conn, &viewer, &id).await?;
    Ok(Json(story(&mut conn, &viewer, row).await?))
}

async fn seen(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<Row, ApiError> {
    let row = store::find(conn, &viewer.scope, id).await?;
    row.ok_or_else(|| ApiError::not_found("major request", id))
}

/// What the record of a request comes to.
fn standing(events: &[store::Event]) -> Standing {
    read(events.iter().filter_map(|event| {
        Step::parse(&event.kind, &event.side).map(|step| (step, event.actor_id.as_str()))
    }))
}

async fn story(conn: &mut Conn, viewer: &Viewer, row: Row) -> Result<MajorStory, ApiError> {
    let events = store::list_events(conn, &row.id).await?;
    let standing = standing(&events);
    let own = row.raised_by_id == viewer.account.as_str();
    let events: Vec<MajorEvent> = events.into_iter().map(MajorEvent::from).collect();
    let consents = MajorConsent::all(&standing, &events);
    Ok(MajorStory { request: MajorRequest::new(row, &standing), consents, own, events })
}

/// Which month.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct MajorFiguresQuery {
    /// `2026-11`; this month in UTC, where it is not given.
    month: Option<String>,
}

/// What became of the major requests of a month, by kind, by cause and by customer.
#[utoipa::path(get, path = "/api/v1/major-figures", tag = "follow", params(MajorFiguresQuery),
    responses((status = 200, body = MajorMonth), (status = 400)))]
async fn figures(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<MajorFiguresQuery>,
) -> Result<Json<MajorMonth>, ApiError> {
    let first = month_of(query.month.as_deref(), app.clock.now())?;
    let rows = store::list_raised(&mut *app.db.read().await?, &viewer.scope, around(first)).await?;
    if rows.len() > MONTH_MAX {
        let text = format!("more than {MONTH_MAX} major requests were raised in this month");
        return Err(ApiError::conflict("too_many", text).hint("count them from the database"));
    }
    let mut all = Total::default();
    let (mut kinds, mut causes, mut customers) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for row in &rows {
        let zone = TimeZone::get(&row.zone).unwrap_or(TimeZone::UTC);
        if zone.to_datetime(from_ms(row.raised_at)).date().first_of_month() != first {
            continue;
        }
        let state = Stands::parse(&row.state).unwrap_or(Stands::Raised);
        let by_kind: &mut Total = kinds.entry(row.kind.as_str()).or_default();
        let by_cause: &mut Total = causes.entry(row.cause.as_str()).or_default();
        let by_customer: &mut Total = customers.entry(row.customer.as_str()).or_default();
        for total in [&mut all, by_kind, by_cause, by_customer] {
            total.add(state, &row.outcome);
        }
    }
    let named = |totals: BTreeMap<&str, Total>| {
        totals.into_iter().map(|(name, total)| MajorTotal::new(name, total)).collect()
    };
    Ok(Json(MajorMonth {
        month: format!("{:04}-{:02}", first.year(), first.month()),
        all: MajorTotal::new("", all),
        kinds: named(kinds),
        causes: named(causes),
        customers: named(customers),
    }))
}
