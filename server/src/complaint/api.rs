//! Complaints on the API: taking one down, what becomes of it, and what a month's complaints come to.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use jiff::tz::TimeZone;
use serde::Deserialize;
use utoipa::{IntoParams, OpenApi};

use super::Total;
use super::store::{self, Filter, MONTH_MAX};
use crate::app::App;
use crate::clock::from_ms;
use crate::db::Conn;
use crate::error::ApiError;
use crate::follow::api::{around, month_of};
use crate::router::{Items, Routes};
use crate::ticket;
use crate::user::{Act, Viewer};

pub mod shape;
mod take;
mod work;

use shape::{Complaint, ComplaintEvent, ComplaintMonth, ComplaintStory, ComplaintTotal};

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/complaints", Act::SeeComplaints, list)
        .get("/api/v1/complaints/{id}", Act::SeeComplaints, get)
        .put("/api/v1/complaints/{id}", Act::WorkComplaints, take::take)
        .put("/api/v1/complaints/{id}/steps/{step}", Act::WorkComplaints, work::step)
        .get("/api/v1/complaint-figures", Act::SeeComplaints, figures)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, get, take::take, work::step, figures))]
pub struct Doc;

/// Which ones.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ComplaintQuery {
    /// Closed ones, too.
    #[serde(default)]
    all: bool,
    /// Only those that stand on this ticket, by id or number.
    ticket_id: Option<String>,
}

/// Complaints: first those that wait for an answer, the one due first first. At most 500.
#[utoipa::path(get, path = "/api/v1/complaints", tag = "follow", params(ComplaintQuery),
    responses((status = 200, body = Items<Complaint>), (status = 404)))]
async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<ComplaintQuery>,
) -> Result<Json<Items<Complaint>>, ApiError> {
    let now = app.clock.now();
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
    Ok(Json(Items::all(rows.into_iter().map(|row| Complaint::new(row, &viewer, now)).collect())))
}

/// A complaint with its record.
#[utoipa::path(get, path = "/api/v1/complaints/{id}", tag = "follow", params(("id" = String, Path)),
    responses((status = 200, body = ComplaintStory), (status = 404)))]
async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<ComplaintStory>, ApiError> {
    let now = app.clock.now();
    Ok(Json(story(&mut *app.db.read().await?, &viewer, &id, now).await?))
}

async fn story(
    conn: &mut Conn,
    viewer: &Viewer,
    id: &str,
    now: jiff::Timestamp,
) -> Result<ComplaintStory, ApiError> {
    let row = store::find(conn, &viewer.scope, id).await?;
    let row = row.ok_or_else(|| ApiError::not_found("complaint", id))?;
    let events = store::list_events(conn, &row.id).await?;
    let events = events.into_iter().filter_map(|event| ComplaintEvent::new(event, viewer)).collect();
    Ok(ComplaintStory { complaint: Complaint::new(row, viewer, now), events })
}

/// Which month.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct FiguresQuery {
    /// `2026-11`; this month in UTC, where it is not given.
    month: Option<String>,
}

/// What became of the complaints of a month, by subject and by customer.
#[utoipa::path(get, path = "/api/v1/complaint-figures", tag = "follow", params(FiguresQuery),
    responses((status = 200, body = ComplaintMonth), (status = 400)))]
async fn figures(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<FiguresQuery>,
) -> Result<Json<ComplaintMonth>, ApiError> {
    let now = app.clock.now();
    let first = month_of(query.month.as_deref(), now)?;
    let rows = store::list_received(&mut *app.db.read().await?, &viewer.scope, around(first)).await?;
    if rows.len() > MONTH_MAX {
        let text = format!("more than {MONTH_MAX} complaints came in this month");
        return Err(ApiError::conflict("too_many", text).hint("count them from the database"));
    }
    let mut all = Total::default();
    let (mut subjects, mut customers) = (BTreeMap::new(), BTreeMap::new());
    for row in &rows {
        let zone = TimeZone::get(&row.zone).unwrap_or(TimeZone::UTC);
        if zone.to_datetime(from_ms(row.received_at)).date().first_of_month() != first {
            continue;
        }
        let by_subject: &mut Total = subjects.entry(row.subject.as_str()).or_default();
        let by_customer: &mut Total = customers.entry(row.customer.as_str()).or_default();
        for total in [&mut all, by_subject, by_customer] {
            total.add(from_ms(row.first_due_at), row.answered_at.map(from_ms), now);
        }
    }
    let named = |totals: BTreeMap<&str, Total>| {
        totals.into_iter().map(|(name, total)| ComplaintTotal::new(name, total)).collect()
    };
    Ok(Json(ComplaintMonth {
        month: format!("{:04}-{:02}", first.year(), first.month()),
        all: ComplaintTotal::new("", all),
        subjects: named(subjects),
        customers: named(customers),
    }))
}
