//! The slip of a visit as PDF.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use utoipa::OpenApi;

use super::shape::VisitStory;
use super::story;
use crate::app::App;
use crate::customer;
use crate::db::Conn;
use crate::deal;
use crate::error::ApiError;
use crate::paper::api::{PaperQuery, answer};
use crate::paper::scribe::Scribe;
use crate::sla::api::shape::TicketClocks;
use crate::sla::store::{Library, find_case};
use crate::ticket;
use crate::user::Viewer;
use crate::visit::slip::{Slip, number};
use crate::visit::store;

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(get))]
pub struct Doc;

/// The slip of a visit: everything that is known of it now, to be printed or filed.
#[utoipa::path(get, path = "/api/v1/visits/{id}/slip.pdf", tag = "visits",
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
    let now = app.clock.now();
    let mut conn = app.db.read().await?;
    let told = story(&mut conn, &viewer, &id).await?;
    let ticket = ticket::store::find(&mut conn, &viewer.scope, &told.visit.ticket_id)
        .await?
        .ok_or_else(|| ApiError::not_found("visit", &id))?;
    let customer = customer::store::find(&mut conn, &viewer.scope, &ticket.customer_id).await?;
    let case = find_case(&mut conn, &mut Library::default(), &ticket.id).await?;
    // A customer reads it: what suppliers owe us stays with us.
    let clocks = TicketClocks::new(case.as_ref(), None, Vec::new(), None, true, now);
    let deal = deal::read(&deal::store::list(&mut conn, &ticket.id).await?);
    let photos = photos(&mut conn, &viewer, &told).await?;
    drop(conn);
    let slip = Slip {
        scribe: Scribe::new(language, &told.visit.zone),
        story: &told,
        customer: customer.as_ref().map_or("", |row| row.name.as_str()),
        contract: case.as_ref().map(|case| case.contract().id.as_str()),
        clocks: &clocks,
        deal: &deal,
        photos,
        now,
    };
    answer(&app.press, slip.paper(), &format!("slip-{}", number(&told.visit))).await
}

/// The photos of a visit, by the ids of their events.
pub(crate) async fn photos(
    conn: &mut Conn,
    viewer: &Viewer,
    told: &VisitStory,
) -> sqlx::Result<Vec<(String, Vec<u8>)>> {
    let mut photos = Vec::new();
    for event in told.events.iter().filter(|event| event.kind == "photo") {
        let file = store::photo::find(conn, &viewer.scope, &told.visit.id, &event.id, false).await?;
        photos.extend(file.map(|file| (event.id.clone(), file)));
    }
    Ok(photos)
}
