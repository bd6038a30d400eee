//! The tags that hang at a site, on the API.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use utoipa::OpenApi;

use super::shape::{NewSiteTag, SiteTag};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::db::Conn;
use crate::error::ApiError;
use crate::id::uuid_v7;
use crate::keys::random;
use crate::router::Items;
use crate::router::input::line;
use crate::site;
use crate::user::Viewer;
use crate::visit::store::proof::{self, Tag};

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, create, revoke))]
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
