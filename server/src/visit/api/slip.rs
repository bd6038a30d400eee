//! The slip of a visit as PDF.

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::{IntoParams, OpenApi};

use super::story;
use crate::app::App;
use crate::customer;
use crate::deal;
use crate::error::ApiError;
use crate::paper::{FONT_REMEDY, Unprinted};
use crate::sla::api::shape::TicketClocks;
use crate::sla::store::{Library, find_case};
use crate::ticket;
use crate::user::{Language, Viewer};
use crate::visit::slip::{Slip, number};
use crate::visit::store;

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(get))]
pub struct Doc;

/// How the slip is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SlipQuery {
    /// `en` or `zh`; the viewer's own language where it is not given.
    lang: Option<String>,
}

/// The slip of a visit: everything that is known of it now, to be printed or filed.
#[utoipa::path(get, path = "/api/v1/visits/{id}/slip.pdf", tag = "visits",
    params(("id" = String, Path), SlipQuery),
    responses((status = 200, content_type = "application/pdf"), (status = 404),
        (status = 503, description = "there is no font to write it with")))]
pub(super) async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Query(query): Query<SlipQuery>,
) -> Result<Response, ApiError> {
    let language = match query.lang.as_deref() {
        None => viewer.language,
        Some(known @ ("en" | "zh")) => Language::parse(known),
        Some(other) => {
            return Err(ApiError::bad_request("lang", format!("`{other}` is unknown"), "use en or zh"));
        }
    };
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
    let mut files = Vec::new();
    for event in told.events.iter().filter(|event| event.kind == "photo") {
        let file = store::photo::find(&mut conn, &viewer.scope, &told.visit.id, &event.id, false).await?;
        files.extend(file.map(|file| (event.id.clone(), file)));
    }
    drop(conn);
    let slip = Slip {
        language,
        story: &told,
        customer: customer.as_ref().map_or("", |row| row.name.as_str()),
        contract: case.as_ref().map(|case| case.contract().id.as_str()),
        clocks: &clocks,
        deal: &deal,
        photos: files,
        now,
    };
    let name = format!("inline; filename=\"slip-{}.pdf\"", number(&told.visit));
    let pdf = app.press.print(slip.paper()).await.map_err(|why| match why {
        Unprinted::Font { .. } => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "no_font", why.to_string()).hint(FONT_REMEDY)
        }
        Unprinted::Pages(_) => ApiError::from(anyhow::Error::new(why)),
    })?;
    let headers = [
        (header::CONTENT_TYPE, "application/pdf".to_owned()),
        (header::CONTENT_DISPOSITION, name),
        (header::CACHE_CONTROL, "private, no-store".to_owned()),
        // The page's policy forbids plug-ins, which is what a browser shows a PDF with.
        (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'".to_owned()),
    ];
    Ok((headers, pdf).into_response())
}
