//! The tags that hang at a site, on the API.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use qrcodegen::{QrCode, QrCodeEcc};
use serde_json::json;
use utoipa::OpenApi;

use super::shape::{NewSiteTag, SiteTag};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::db::Conn;
use crate::error::ApiError;
use crate::id::uuid_v7;
use crate::keys::random;
use crate::paper::api::{PaperQuery, answer};
use crate::paper::scribe::Scribe;
use crate::paper::{Code, Part};
use crate::router::Items;
use crate::router::input::line;
use crate::site;
use crate::user::Viewer;
use crate::visit::store::proof::{self, Tag};

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, create, revoke, sheet))]
pub struct Doc;

/// The tags of a site, newest first.
#[utoipa::path(get, path = "/api/v1/sites/{id}/tags", tag = "visits", params(("id" = String, Path)),
    responses((status = 200, body = Items<SiteTag>), (status = 404)))]
pub(super) async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<Items<SiteTag>>, ApiError> {
    let mut conn = app.db.read().await?;
    seen(&mut conn, &viewer, &id).await?;
    let tags = proof::list_tags(&mut conn, &viewer.scope, &id).await?;
    Ok(Json(Items::all(tags.into_iter().map(Into::into).collect())))
}

/// The tags of a site that are in use, to be printed, cut out and hung up. A phone that reads one opens the technician's
/// page with it; it counts beside a position.
#[utoipa::path(get, path = "/api/v1/sites/{id}/tags.pdf", tag = "visits", params(("id" = String, Path), PaperQuery),
    responses((status = 200, content_type = "application/pdf"), (status = 404),
        (status = 503, description = "there is no font to write it with")))]
pub(super) async fn sheet(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Query(query): Query<PaperQuery>,
) -> Result<Response, ApiError> {
    let scribe = |zone: &str| query.language(&viewer).map(|language| Scribe::new(language, zone));
    let mut conn = app.db.read().await?;
    let site = site::store::find(&mut conn, &viewer.scope, &id).await?;
    let site = site.ok_or_else(|| ApiError::not_found("site", &id))?;
    let tags = proof::list_tags(&mut conn, &viewer.scope, &id).await?;
    drop(conn);
    let scribe = scribe(&site.zone)?;
    let door = format!("{}/tech#tag=", app.config.public_url().trim_end_matches('/'));
    let mut codes = Vec::new();
    for tag in tags.iter().filter(|tag| tag.revoked_at.is_none()) {
        codes.push(code(&format!("{door}{}", tag.code), &scribe, &site, tag)?);
    }
    let parts = if codes.is_empty() {
        vec![Part::Words(scribe.word("paper.tags.none"))]
    } else {
        vec![Part::Words(scribe.word("paper.tags.how")), Part::Codes(codes)]
    };
    let name = scribe.name(&site.name, &site.name_zh).to_owned();
    let paper = scribe.paper("paper.tags", name, String::new(), app.clock.now(), parts);
    answer(&app.press, paper, "tags").await
}

/// A tag as a QR code of quarter redundancy, so that a scratched one is still read.
fn code(text: &str, scribe: &Scribe, site: &site::store::Row, tag: &Tag) -> Result<Code, ApiError> {
    let qr = QrCode::encode_text(text, QrCodeEcc::Quartile)
        .map_err(|why| ApiError::from(anyhow::anyhow!("no QR code holds the tag's address: {why}")))?;
    let side = qr.size();
    let all = (0..side).flat_map(|row| (0..side).map(move |column| (column, row)));
    let dark = all.filter(|(column, row)| qr.get_module(*column, *row));
    let lines = vec![
        scribe.name(&site.name, &site.name_zh).to_owned(),
        tag.place.clone(),
        scribe.word("paper.tags.read"),
        tag.code.clone(),
    ];
    let dark = dark.map(|(column, row)| (column as usize, row as usize)).collect();
    Ok(Code { side: side as usize, dark, lines })
}

async fn seen(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<(), ApiError> {
    let site = site::store::find(conn, &viewer.scope, id).await?;
    site.map(|_| ()).ok_or_else(|| ApiError::not_found("site", id))
}

/// Makes a tag, to be printed as a QR code or written to an NFC tag.
#[utoipa::path(post, path = "/api/v1/sites/{id}/tags", tag = "visits", params(("id" = String, Path)),
    request_body = NewSiteTag, responses((status = 201, body = SiteTag), (status = 404)))]
pub(super) async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewSiteTag>,
) -> Result<(StatusCode, Json<SiteTag>), ApiError> {
    let place = line("place", &new.place, 1..=200)?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    seen(&mut tx, &viewer, &id).await?;
    let tag = Tag {
        id: uuid_v7(now),
        site_id: id.clone(),
        code: format!("SW-TAG:{}", URL_SAFE_NO_PAD.encode(random::<16>())),
        place,
        made_by: viewer.name.clone(),
        made_at: now.as_millisecond(),
        revoked_at: None,
    };
    proof::insert_tag(&mut tx, &tag).await?;
    let detail = json!({ "tag": tag.id, "place": tag.place });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "site.tag", &id, detail)).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(tag.into())))
}

/// Takes a tag out of use: it was copied, or it is gone.
#[utoipa::path(delete, path = "/api/v1/sites/{id}/tags/{tag}", tag = "visits",
    params(("id" = String, Path), ("tag" = String, Path)), responses((status = 204), (status = 404)))]
pub(super) async fn revoke(
    State(app): State<App>,
    viewer: Viewer,
    Path((id, tag)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    seen(&mut tx, &viewer, &id).await?;
    if !proof::revoke_tag(&mut tx, &id, &tag, now).await? {
        return Err(ApiError::not_found("tag in use", &tag));
    }
    let entry = Entry::by(&viewer, now, "site.tag_revoke", &id, json!({ "tag": tag }));
    audit::store::insert(&mut tx, &entry).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
