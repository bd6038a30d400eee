//! Photos of a visit: sent by the phone as often as it takes, kept once, shown small and whole.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, OpenApi};

use super::shape::VisitStory;
use super::step::earliest;
use super::{finish, own_id, story};
use crate::app::App;
use crate::clock::from_ms;
use crate::error::ApiError;
use crate::router::input::line;
use crate::user::{Act, Viewer, allows};
use crate::visit::moment::{Moment, Said};
use crate::visit::photo::{self, PHOTOS_MAX};
use crate::visit::store::{self, Event};
use crate::visit::{State as VisitState, Step, apply};

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(put, get))]
pub struct Doc;

/// What is said of a photo.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PhotoQuery {
    /// What the clock of the phone showed when it was taken, Unix ms.
    device_at: Option<i64>,
    /// What that clock shows while it is sent.
    device_now: Option<i64>,
    /// How far it was ahead when the phone last heard of us before, ms.
    skew_before_ms: Option<i64>,
    /// What it shows, in one line.
    #[serde(default)]
    caption: String,
    /// The item of the inspection's sheet that it shows, by its key.
    #[serde(default)]
    item: String,
    /// That item's device; empty for the site.
    #[serde(default)]
    device_id: String,
}

/// Which photo.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SizeQuery {
    /// `small` for lists; the whole one where it is not given.
    size: Option<String>,
}

/// Keeps a photo: JPEG of at most 400 KiB and 1600 pixels a side, 20 of a visit. Its id is made by whoever takes it; the
/// same once more is answered with the visit as it stands.
#[utoipa::path(put, path = "/api/v1/visits/{id}/photos/{photo}", tag = "visits",
    params(("id" = String, Path), ("photo" = String, Path), PhotoQuery),
    request_body(content_type = "image/jpeg", description = "the photo"),
    responses((status = 200, body = VisitStory), (status = 400), (status = 404), (status = 409)))]
pub(super) async fn put(
    State(app): State<App>,
    viewer: Viewer,
    Path((id, photo)): Path<(String, String)>,
    Query(said): Query<PhotoQuery>,
    file: Bytes,
) -> Result<Json<VisitStory>, ApiError> {
    let photo = own_id("photo", &photo)?;
    let caption = line("caption", &said.caption, 0..=200)?;
    let item = (line("item", &said.item, 0..=200)?, line("device_id", &said.device_id, 0..=64)?);
    // All by which a repetition is known: the photo, and what was said of it but what the clock shows while it is sent.
    let digest = ring::digest::digest(&ring::digest::SHA256, &file);
    let digest: String =
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let mut asked = json!([digest, said.device_at, said.skew_before_ms, caption]);
    if let (false, Some(asked)) = (item.0.is_empty(), asked.as_array_mut()) {
        asked.extend([json!(item.0), json!(item.1)]);
    }
    let asked = asked.to_string();
    {
        let mut conn = app.db.read().await?;
        let row = store::find(&mut conn, &viewer.scope, &id).await?;
        let row = row.ok_or_else(|| ApiError::not_found("visit", &id))?;
        // A phone that did not hear the answer sends it once more: what is here is not decoded again.
        let known = store::find_event(&mut conn, &photo).await?;
        if known.is_some_and(|known| known.visit_id == row.id && known.asked == asked) {
            return Ok(Json(story(&mut conn, &viewer, &row.id).await?));
        }
    }
    let (looked, file) = look(file).await?;
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let row =
        store::find(&mut tx, &viewer.scope, &id).await?.ok_or_else(|| ApiError::not_found("visit", &id))?;
    if let Some(known) = store::find_event(&mut tx, &photo).await? {
        if known.visit_id == row.id && known.asked == asked {
            return Ok(Json(story(&mut tx, &viewer, &row.id).await?));
        }
        return Err(ApiError::conflict("other_photo", format!("there is something else under `{photo}`"))
            .hint("make a new id for what is new"));
    }
    let members = store::list_members(&mut tx, &[&row.id]).await?;
    let goes = members.iter().any(|member| member.1 == viewer.account.as_str());
    if !goes && !allows(viewer.role, Act::PlanVisits) {
        return Err(
            ApiError::forbidden("not_yours", "this visit is not yours").hint("accept the visit first")
        );
    }
    // As long as somebody may write, somebody may show.
    let state = VisitState::parse(&row.state, &row.reason).unwrap_or(VisitState::Planned);
    apply(&state, &Step::Write).map_err(|why| {
        ApiError::conflict("not_possible", format!("visit {} of #{}: {why}", row.number, row.ticket_number))
            .hint(format!("it is {}; look at it anew", row.state))
    })?;
    if store::photo::count(&mut tx, &row.id).await? >= PHOTOS_MAX {
        return Err(ApiError::conflict(
            "too_many_photos",
            format!("a visit has at most {PHOTOS_MAX} photos"),
        )
        .hint("plan another visit, or leave this one out"));
    }
    let at = |ms: Option<i64>| ms.map(from_ms);
    let clock = Said {
        occurred_at: None,
        device_at: at(said.device_at),
        device_now: at(said.device_now),
        skew_before_ms: said.skew_before_ms,
    };
    let moment = Moment::read(clock, earliest(&row), now);
    let mut body = json!({ "width": looked.width, "height": looked.height, "bytes": file.len() });
    if !caption.is_empty() {
        body["text"] = caption.into();
    }
    if !item.0.is_empty() {
        (body["item"], body["device_id"]) = (item.0.into(), item.1.into());
    }
    if moment.unusable {
        body["clock_unusable"] = true.into();
    }
    let event = Event {
        id: photo.clone(),
        visit_id: row.id.clone(),
        seq: 0,
        kind: "photo".into(),
        occurred_at: moment.at.as_millisecond(),
        recorded_at: now.as_millisecond(),
        device_at: said.device_at,
        skew_ms: moment.skew_ms,
        actor_id: Some(viewer.account.to_string()),
        actor: viewer.name.clone(),
        source: if said.device_at.is_some() { "phone" } else { "desk" }.into(),
        body: body.to_string(),
        asked,
    };
    store::append(&mut tx, &event).await?;
    store::photo::insert(&mut tx, &row.id, &photo, &file, &looked.small).await?;
    let detail = json!({ "ticket": row.ticket_number, "number": row.number, "photo": photo });
    finish(&app, tx, &viewer, &row.ticket_id, &row.id, ("visit.photo", detail), now).await
}

async fn look(file: Bytes) -> Result<(photo::Photo, Bytes), ApiError> {
    let work = tokio::task::spawn_blocking(move || (photo::look(&file), file));
    let (looked, file) = work.await.map_err(|why| ApiError::from(anyhow::Error::new(why)))?;
    let hint = "send a JPEG of at most 400 KiB and 1600 pixels a side";
    Ok((looked.map_err(|why| ApiError::bad_request("photo", why, hint))?, file))
}

/// A photo of a visit.
#[utoipa::path(get, path = "/api/v1/visits/{id}/photos/{photo}", tag = "visits",
    params(("id" = String, Path), ("photo" = String, Path), SizeQuery),
    responses((status = 200, content_type = "image/jpeg"), (status = 404)))]
pub(super) async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path((id, photo)): Path<(String, String)>,
    Query(query): Query<SizeQuery>,
) -> Result<Response, ApiError> {
    let is_small = match query.size.as_deref() {
        None => false,
        Some("small") => true,
        Some(other) => {
            return Err(ApiError::bad_request(
                "size",
                format!("`{other}` is unknown"),
                "use small, or leave it out",
            ));
        }
    };
    let mut conn = app.db.read().await?;
    let file = store::photo::find(&mut conn, &viewer.scope, &id, &photo, is_small)
        .await?
        .ok_or_else(|| ApiError::not_found("photo of this visit", &photo))?;
    // A photo never changes under its id.
    let headers =
        [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "private, max-age=604800, immutable")];
    Ok((headers, file).into_response())
}
