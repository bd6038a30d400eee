//! The report of an inspection as PDF.

use std::collections::HashSet;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use utoipa::OpenApi;

use super::{shape, sheet, story};
use crate::app::App;
use crate::contract::store::Shelf;
use crate::db::Conn;
use crate::error::ApiError;
use crate::inspection::report::{ANNUAL, Followed, Report, number};
use crate::inspection::step::date_in;
use crate::inspection::store::{self, Row, year as figures};
use crate::inspection::year::{Year, uptime, year};
use crate::paper::api::{PaperQuery, answer};
use crate::paper::scribe::Scribe;
use crate::user::Viewer;
use crate::{contract, site, ticket, visit};

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(get))]
pub struct Doc;

/// The report of an inspection: everything that is known of it now, to be printed or filed. One that is done in another
/// one's visit is in that one's report.
#[utoipa::path(get, path = "/api/v1/inspections/{id}/report.pdf", tag = "inspections",
    params(("id" = String, Path), PaperQuery),
    responses((status = 200, content_type = "application/pdf"), (status = 404),
        (status = 503, description = "there is no font to write it with")))]
pub(super) async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Query(query): Query<PaperQuery>,
) -> Result<Response, ApiError> {
    let language = query.language(&viewer)?;
    let missing = || ApiError::not_found("inspection", &id);
    let mut conn = app.db.read().await?;
    let mut row = store::find(&mut conn, &viewer.scope, &id).await?.ok_or_else(missing)?;
    if let Some(host) = &row.merged_id {
        row = store::find(&mut conn, &viewer.scope, host).await?.ok_or_else(missing)?;
    }
    let told = story(&mut conn, &viewer.scope, &row.id).await?;
    let sheet = Box::pin(sheet::whole(&mut conn, &viewer, &row)).await?;
    let place = site::store::find(&mut conn, &viewer.scope, &row.site_id).await?.ok_or_else(missing)?;
    let visit = match &row.visit_id {
        Some(id) => Some(visit::api::story(&mut conn, &viewer, id).await?),
        None => None,
    };
    let photos = match &visit {
        Some(visit) => visit::api::slip::photos(&mut conn, &viewer, visit).await?,
        None => Vec::new(),
    };
    let version = contract::store::find_version(&mut conn, &row.contract_id, row.version).await?;
    let contract = version.and_then(|version| Shelf::default().read(&version));
    let tickets = followed(&mut conn, &viewer, &sheet).await?;
    let mut kinds = told.inspection.kinds.clone();
    for carried in &told.carries {
        let other = store::find(&mut conn, &viewer.scope, &carried.id).await?;
        kinds.extend(other.map(|other| shape::Inspection::from(other).kinds).unwrap_or_default());
    }
    let now = app.clock.now();
    let is_annual = kinds.iter().any(|kind| kind == ANNUAL);
    let year = if is_annual { Some(year_of(&mut conn, &row, &sheet, now).await?) } else { None };
    drop(conn);
    let report = Report {
        scribe: Scribe::new(language, &row.zone),
        story: &told,
        contract: contract.as_ref().map_or("", |contract| contract.id.as_str()),
        sheet: &sheet,
        customer: &place.customer_name,
        address: &place.address,
        visit: visit.as_ref(),
        photos,
        tickets,
        kinds,
        year,
        now,
    };
    let name = format!("inspection-{}", number(&told, &sheet));
    // A rule's name may be Chinese; a header may not.
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    answer(&app.press, report.paper(), &name).await
}

/// The year of the site that ends with the inspection: with the day on which it was done, else with its day, if that has
/// come.
async fn year_of(
    conn: &mut Conn,
    row: &Row,
    sheet: &sheet::InspectionChecklist,
    now: Timestamp,
) -> sqlx::Result<Year> {
    let today = date_in(&row.zone, now);
    let day = row.done_on.as_ref().unwrap_or(&row.day).parse::<Date>().unwrap_or(today).min(today);
    let zone = TimeZone::get(&row.zone).unwrap_or(TimeZone::UTC);
    let (first, stretch) = year(day, &zone, now.as_millisecond());
    let looked_at: HashSet<String> = figures::list_looked_at(conn, &row.id).await?.into_iter().collect();
    let is_bad = |item: &&sheet::SheetItem| item.answer.as_ref().is_some_and(|said| said.answer == "bad");
    let wrong: HashSet<&str> =
        sheet.items.iter().filter(is_bad).map(|item| item.device_id.as_str()).collect();
    let states = figures::list_states(conn, &row.site_id, stretch).await?;
    let told = figures::list_devices(conn, &row.site_id, stretch).await?.into_iter().map(|device| {
        let changes = states.changes.get(&device.id).map(Vec::as_slice).unwrap_or_default();
        let changes: Vec<(i64, &str)> = changes.iter().map(|(at, state)| (*at, state.as_str())).collect();
        let before = states.before.get(&device.id).map(String::as_str);
        let time = uptime(device.there(stretch), before, &changes);
        let (looked, bad) = (looked_at.contains(&device.id), wrong.contains(device.id.as_str()));
        (device, time, looked, bad)
    });
    Ok(Year {
        first,
        last: day,
        stretch,
        devices: told.collect(),
        faults: figures::list_faults(conn, &row.site_id, stretch, false).await?,
        worst: figures::list_faults(conn, &row.site_id, stretch, true).await?,
        tickets: figures::list_tickets(conn, &row.site_id, stretch).await?,
        parts: figures::list_parts(conn, &row.site_id, stretch).await?,
        inspections: figures::list_inspections(conn, &row.site_id, (first, day)).await?,
    })
}

/// The tickets that findings became.
async fn followed(
    conn: &mut Conn,
    viewer: &Viewer,
    sheet: &sheet::InspectionChecklist,
) -> sqlx::Result<Vec<Followed>> {
    let mut tickets = Vec::new();
    for number in sheet.items.iter().filter_map(|item| item.answer.as_ref()?.ticket_number) {
        let row = ticket::store::find(conn, &viewer.scope, &number.to_string()).await?;
        tickets.extend(row.map(|row| Followed { number, state: row.state, closed_at: row.closed_at }));
    }
    Ok(tickets)
}
