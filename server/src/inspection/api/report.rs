//! The report of an inspection as PDF.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use utoipa::OpenApi;

use super::{sheet, story};
use crate::app::App;
use crate::contract::store::Shelf;
use crate::db::Conn;
use crate::error::ApiError;
use crate::inspection::report::{Followed, Report, number};
use crate::inspection::store;
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
        now: app.clock.now(),
    };
    let name = format!("inspection-{}", number(&told, &sheet));
    // A rule's name may be Chinese; a header may not.
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    answer(&app.press, report.paper(), &name).await
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
