//! Overrides on the API: one person in another's place, somebody besides, somebody let out.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::shape::{Names, OverrideView};
use super::{bounds, get_row, get_staff, later, must_be_kept};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::clock::from_ms;
use crate::error::ApiError;
use crate::rota::LAYERS_MAX;
use crate::rota::store::change::{self, New};
use crate::router::Routes;
use crate::router::input::line;
use crate::user::{Act, Viewer};

/// A new override.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOverride {
    /// Who is let out: an account id. Without it, somebody is added.
    pub out_id: Option<String>,
    /// Who is on duty instead, or besides. Without it, nobody stands in, and a gap may open.
    pub by_id: Option<String>,
    /// In which layer, 0 is the first line; `null` is all of them, and the first for who is added.
    pub layer: Option<usize>,
    /// Unix ms; what lies in the past begins now.
    pub from_at: i64,
    /// Unix ms, itself not included.
    pub to_at: i64,
    /// Why.
    pub reason: String,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new().post("/api/v1/rotas/{id}/overrides", Act::EditRota, create).delete(
        "/api/v1/rotas/{id}/overrides/{cid}",
        Act::EditRota,
        remove,
    )
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(create, remove))]
pub struct Doc;

/// Changes who is on duty for a span. What is past does not change: a span that has begun begins now.
#[utoipa::path(post, path = "/api/v1/rotas/{id}/overrides", tag = "rota", params(("id" = String, Path)),
    request_body = NewOverride, responses((status = 201, body = OverrideView), (status = 400), (status = 404)))]
async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewOverride>,
) -> Result<(StatusCode, Json<OverrideView>), ApiError> {
    let reason = line("reason", &new.reason, 1..=200)?;
    let now = app.clock.now();
    let from = later(Some(new.from_at.max(now.as_millisecond())), now)?;
    bounds(from.as_millisecond(), new.to_at)?;
    if new.out_id == new.by_id {
        return Err(ApiError::bad_request(
            "by_id",
            "it is who is let out, or nobody at all",
            "name two people, or one",
        ));
    }
    if new.layer.is_some_and(|layer| layer >= LAYERS_MAX) {
        return Err(ApiError::bad_request("layer", "there is no such layer", "0 is the first line"));
    }
    let mut tx = app.db.write().await?;
    let row = get_row(&mut tx, &id).await?;
    must_be_kept(&row)?;
    if let Some(by) = &new.by_id {
        get_staff(&mut tx, by).await?;
    }
    let names = Names::load(&mut tx).await?;
    if let Some(out) = new.out_id.as_deref().filter(|out| !names.knows(out)) {
        return Err(ApiError::not_found("person", out));
    }
    let made = New {
        rota: &row.id,
        layer: new.layer,
        out: new.out_id.as_deref(),
        by: new.by_id.as_deref(),
        from,
        to: from_ms(new.to_at),
        reason: &reason,
        swap: None,
        account: viewer.account.as_str(),
        actor: &viewer.name,
    };
    let made = change::insert(&mut tx, &made, now).await?;
    let what = json!({ "override": made, "out": new.out_id, "by": new.by_id, "layer": new.layer,
        "from_at": from.as_millisecond(), "to_at": new.to_at, "reason": reason });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "rota.override", &id, what)).await?;
    let row = change::find(&mut tx, &row.id, made.as_str()).await?;
    tx.commit().await?;
    let row = row.ok_or_else(|| ApiError::not_found("override", &made))?;
    Ok((StatusCode::CREATED, Json(names.change(row))))
}

/// Removes an override: as if it had never been, or, when it has begun, from now on.
#[utoipa::path(delete, path = "/api/v1/rotas/{id}/overrides/{cid}", tag = "rota",
    params(("id" = String, Path), ("cid" = String, Path)), responses((status = 204), (status = 404), (status = 409)))]
async fn remove(
    State(app): State<App>,
    viewer: Viewer,
    Path((id, cid)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let row = get_row(&mut tx, &id).await?;
    if !change::remove(&mut tx, &row.id, &cid, &viewer.name, now).await? {
        change::find(&mut tx, &row.id, &cid).await?.ok_or_else(|| ApiError::not_found("override", &cid))?;
        return Err(ApiError::conflict(
            "over",
            "the override is over or removed, and what is past does not change",
        ));
    }
    audit::store::insert(
        &mut tx,
        &Entry::by(&viewer, now, "rota.override_remove", &id, json!({ "override": cid })),
    )
    .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
