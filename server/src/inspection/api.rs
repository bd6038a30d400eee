//! Inspections on the API: what is owed, when, and in which state; what they are counted from; which devices were looked
//! at. What people do with one is in [`act`].

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, OpenApi};

use super::Window;
use super::life::State as Stands;
use super::step::replan;
use super::store::plan::{self, Closure};
use super::store::{self, Filter, coverage};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::contract;
use crate::contract::store::Shelf;
use crate::db::Conn;
use crate::error::ApiError;
use crate::id::uuid_v7;
use crate::router::input::line;
use crate::router::{Items, Routes};
use crate::site;
use crate::user::{Act, Scope, Viewer};

pub mod act;
pub mod hand;
pub mod report;
pub mod shape;
pub mod sheet;
pub mod suit;

use shape::{
    Inspection, InspectionAnchor, InspectionCoverage, InspectionPlan, InspectionStory, KnownAnchor,
    NewSiteClosure, SiteClosure,
};

/// Which inspections.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct InspectionQuery {
    /// The first day, `2026-01-01`.
    from: Option<String>,
    /// The last day.
    to: Option<String>,
    /// Only at this site.
    site_id: Option<String>,
    /// Only under this contract.
    contract_id: Option<String>,
    /// Only in this state; without one, all but `dropped`.
    state: Option<String>,
}

/// Which month.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct CoverageQuery {
    /// `2026-11`; this month in UTC, where it is not given.
    month: Option<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/inspections", Act::SeeInspections, list)
        .post("/api/v1/inspections", Act::PlanInspections, hand::plan_one)
        .get("/api/v1/inspections/plans", Act::SeeInspections, plans)
        .get("/api/v1/inspections/coverage", Act::SeeInspections, covered)
        .put("/api/v1/inspections/anchors", Act::PlanInspections, anchor)
        .get("/api/v1/inspections/{id}", Act::SeeInspections, get)
        .get("/api/v1/inspections/{id}/days", Act::PlanInspections, suit::days)
        .post("/api/v1/inspections/{id}/agree", Act::AgreeInspections, act::agree)
        .post("/api/v1/inspections/{id}/move", Act::AgreeInspections, act::move_to)
        .post("/api/v1/inspections/{id}/waive", Act::PlanInspections, act::waive)
        .post("/api/v1/inspections/{id}/withdraw", Act::PlanInspections, hand::withdraw)
        .post("/api/v1/inspections/{id}/done", Act::WorkVisits, act::done)
        .post("/api/v1/inspections/{id}/devices", Act::WorkVisits, act::devices)
        .get("/api/v1/inspections/{id}/sheet", Act::SeeInspections, sheet::get)
        .get("/api/v1/inspections/{id}/report.pdf", Act::SeeInspections, report::get)
        .put("/api/v1/inspections/{id}/sheet", Act::WorkVisits, sheet::answer)
        .get("/api/v1/sites/{id}/closures", Act::SeeInspections, closures)
        .post("/api/v1/sites/{id}/closures", Act::PlanInspections, close)
        .delete("/api/v1/sites/{id}/closures/{closure}", Act::PlanInspections, open)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, plans, covered, anchor, get, closures, close, open))]
pub struct Doc;

fn day(field: &str, text: &str) -> Result<Date, ApiError> {
    let day = text.trim().parse::<Date>().ok().filter(|day| (1970..=9000).contains(&day.year()));
    day.ok_or_else(|| ApiError::bad_request(field, format!("`{text}` is no date"), "write it as 2026-01-31"))
}

/// The inspections of some days, the earliest first; at most 3,000.
#[utoipa::path(get, path = "/api/v1/inspections", tag = "inspections", params(InspectionQuery),
    responses((status = 200, body = Items<Inspection>), (status = 400)))]
async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<InspectionQuery>,
) -> Result<Json<Items<Inspection>>, ApiError> {
    let from = query.from.as_deref().map(|text| day("from", text)).transpose()?;
    let to = query.to.as_deref().map(|text| day("to", text)).transpose()?;
    if let Some(state) = query.state.as_deref().filter(|state| Stands::parse(state).is_none()) {
        let all = Stands::ALL.map(Stands::as_str).join(", ");
        return Err(ApiError::bad_request(
            "state",
            format!("`{state}` is unknown"),
            format!("use one of {all}"),
        ));
    }
    let days = (from.is_some() || to.is_some())
        .then(|| (from.unwrap_or(Date::constant(1970, 1, 1)), to.unwrap_or(Date::constant(9000, 1, 1))));
    let filter = Filter { site_id: query.site_id, contract_id: query.contract_id, state: query.state, days };
    let rows = store::list(&mut *app.db.read().await?, &viewer.scope, &filter).await?;
    Ok(Json(Items::all(rows.into_iter().map(Into::into).collect())))
}

/// One inspection with its record.
#[utoipa::path(get, path = "/api/v1/inspections/{id}", tag = "inspections", params(("id" = String, Path)),
    responses((status = 200, body = InspectionStory), (status = 404)))]
async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<InspectionStory>, ApiError> {
    Ok(Json(story(&mut *app.db.read().await?, &viewer.scope, &id).await?))
}

async fn story(conn: &mut Conn, scope: &Scope, id: &str) -> Result<InspectionStory, ApiError> {
    let row = store::find(conn, scope, id).await?.ok_or_else(|| ApiError::not_found("inspection", id))?;
    let carried = store::list_carried(conn, id).await?;
    Ok(InspectionStory {
        devices: coverage::count(conn, id).await?,
        events: store::list_events(conn, id).await?.into_iter().map(Into::into).collect(),
        carries: carried.into_iter().map(|(id, rule, n)| shape::CarriedInspection { id, rule, n }).collect(),
        inspection: row.into(),
    })
}

/// What is planned where: what it is counted from, what it waits for, and days without anything owed.
#[utoipa::path(get, path = "/api/v1/inspections/plans", tag = "inspections",
    responses((status = 200, body = Items<InspectionPlan>)))]
async fn plans(State(app): State<App>, viewer: Viewer) -> Result<Json<Items<InspectionPlan>>, ApiError> {
    let mut conn = app.db.read().await?;
    let rows = plan::list(&mut conn, &viewer.scope).await?;
    let anchors = plan::list_anchors(&mut conn, &viewer.scope).await?;
    let of = |contract: &str, site: &str| -> Vec<KnownAnchor> {
        let here = anchors.iter().filter(|anchor| anchor.0 == contract && anchor.1 == site);
        let known = here.map(|(_, _, event, day, by, at)| KnownAnchor {
            event: event.clone(),
            day: day.clone(),
            set_by: by.clone(),
            set_at: *at,
        });
        known.collect()
    };
    let told = rows.into_iter().map(|row| {
        let anchors = of(&row.contract_id, &row.site_id);
        InspectionPlan::new(row, anchors)
    });
    Ok(Json(Items::all(told.collect())))
}

/// Says from which day the inspections of a contract at a site are counted.
#[utoipa::path(put, path = "/api/v1/inspections/anchors", tag = "inspections", request_body = InspectionAnchor,
    responses((status = 200, body = Items<InspectionPlan>), (status = 400), (status = 404)))]
async fn anchor(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<InspectionAnchor>,
) -> Result<Json<Items<InspectionPlan>>, ApiError> {
    let (event, on) = (line("event", &new.event, 1..=40)?, day("day", &new.day)?);
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if contract::store::find(&mut tx, &viewer.scope, &new.contract_id).await?.is_none() {
        return Err(ApiError::not_found("contract", &new.contract_id));
    }
    let covered = contract::store::list_sites(&mut tx, &new.contract_id).await?;
    if !covered.iter().any(|site| site.site_id == new.site_id) {
        return Err(ApiError::not_found("site under this contract", &new.site_id));
    }
    let place = (new.contract_id.as_str(), new.site_id.as_str());
    plan::set_anchor(&mut tx, place, (&event, on), &viewer.name, now).await?;
    Box::pin(replan(&mut tx, &mut Shelf::default(), place.0, place.1, now)).await?;
    let detail = json!({ "site": new.site_id, "event": event, "day": on.to_string() });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "contract.anchor", place.0, detail)).await?;
    tx.commit().await?;
    plans(State(app), viewer).await
}

/// Which devices of each site somebody looked at in a month.
#[utoipa::path(get, path = "/api/v1/inspections/coverage", tag = "inspections", params(CoverageQuery),
    responses((status = 200, body = Items<InspectionCoverage>), (status = 400)))]
async fn covered(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<CoverageQuery>,
) -> Result<Json<Items<InspectionCoverage>>, ApiError> {
    let month = match &query.month {
        Some(text) => day("month", &format!("{text}-01"))?,
        None => super::step::date_in("UTC", app.clock.now()).first_of_month(),
    };
    let last = month.saturating_add(1.month()).yesterday().unwrap_or(month);
    let rows = coverage::list(&mut *app.db.read().await?, &viewer.scope, (month, last)).await?;
    Ok(Json(Items::all(rows.into_iter().map(Into::into).collect())))
}

async fn seen(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<(), ApiError> {
    let site = site::store::find(conn, &viewer.scope, id).await?;
    site.map(|_| ()).ok_or_else(|| ApiError::not_found("site", id))
}

/// When a site is closed.
#[utoipa::path(get, path = "/api/v1/sites/{id}/closures", tag = "inspections", params(("id" = String, Path)),
    responses((status = 200, body = Items<SiteClosure>), (status = 404)))]
async fn closures(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<Items<SiteClosure>>, ApiError> {
    let mut conn = app.db.read().await?;
    seen(&mut conn, &viewer, &id).await?;
    let rows = plan::list_closures(&mut conn, &id).await?;
    Ok(Json(Items::all(rows.into_iter().map(Into::into).collect())))
}

/// Closures of one site that stand.
const CLOSURES_MAX: usize = 400;
/// Days of one closure.
const CLOSED_MAX: i32 = 366;

/// Says that a site is closed on some days; nobody inspects it then.
#[utoipa::path(post, path = "/api/v1/sites/{id}/closures", tag = "inspections", params(("id" = String, Path)),
    request_body = NewSiteClosure, responses((status = 201, body = Items<SiteClosure>), (status = 404)))]
async fn close(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewSiteClosure>,
) -> Result<(StatusCode, Json<Items<SiteClosure>>), ApiError> {
    let (from, to) = (day("from", &new.from)?, day("to", &new.to)?);
    if to < from || (to - from).get_days() >= CLOSED_MAX {
        return Err(ApiError::bad_request("to", "it is before the first day, or a year later", "correct it"));
    }
    let reason = line("reason", &new.reason, 1..=200)?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    seen(&mut tx, &viewer, &id).await?;
    if plan::list_closures(&mut tx, &id).await?.len() >= CLOSURES_MAX {
        return Err(ApiError::conflict("too_many", "this site has too many closures").hint("remove old ones"));
    }
    let window = Window { from, until: to.tomorrow().unwrap_or(to) };
    let closure = Closure {
        id: uuid_v7(now),
        site_id: id.clone(),
        from_day: window.from.to_string(),
        until_day: window.until.to_string(),
        reason: reason.clone(),
        made_by: viewer.name.clone(),
        made_at: now.as_millisecond(),
    };
    plan::insert_closure(&mut tx, &closure).await?;
    plan::mark_site(&mut tx, &id).await?;
    let detail = json!({ "from": new.from, "to": new.to, "reason": reason });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "site.closure", &id, detail)).await?;
    let rows = plan::list_closures(&mut tx, &id).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok((StatusCode::CREATED, Json(Items::all(rows.into_iter().map(Into::into).collect()))))
}

/// A site is not closed after all.
#[utoipa::path(delete, path = "/api/v1/sites/{id}/closures/{closure}", tag = "inspections",
    params(("id" = String, Path), ("closure" = String, Path)), responses((status = 204), (status = 404)))]
async fn open(
    State(app): State<App>,
    viewer: Viewer,
    Path((id, closure)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    seen(&mut tx, &viewer, &id).await?;
    if !plan::revoke_closure(&mut tx, &id, &closure, now).await? {
        return Err(ApiError::not_found("closure of this site", &closure));
    }
    plan::mark_site(&mut tx, &id).await?;
    let entry = Entry::by(&viewer, now, "site.closure_revoke", &id, json!({ "closure": closure }));
    audit::store::insert(&mut tx, &entry).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(StatusCode::NO_CONTENT)
}
