//! The record of changes on the API.

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::store;
use crate::app::App;
use crate::error::ApiError;
use crate::router::{Items, Routes};
use crate::user::Act;

/// One change made by a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// Names it.
    pub id: String,
    /// Unix milliseconds.
    pub at: i64,
    /// Whose account; `null` at the command line.
    pub account_id: Option<String>,
    /// The person's name then.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// What kind of thing was changed.
    pub subject_kind: String,
    /// Which one.
    pub subject_id: String,
    /// What changed.
    pub detail: serde_json::Value,
}

/// Which part of the record.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// Entries older than this one.
    pub before: Option<String>,
    /// How many, 1 to 1000.
    pub limit: Option<i64>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new().get("/api/v1/audit", Act::SeeAudit, list)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list))]
pub struct Doc;

/// What people changed, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "people", params(Part),
    responses((status = 200, body = Items<AuditEntry>)))]
async fn list(State(app): State<App>, Query(part): Query<Part>) -> Result<Json<Items<AuditEntry>>, ApiError> {
    let limit = part.limit.unwrap_or(100).clamp(1, 1000);
    let rows = store::list(&mut *app.db.read().await?, part.before.as_deref(), limit).await?;
    let next = (rows.len() as i64 == limit).then(|| rows.last().map(|row| row.id.clone())).flatten();
    let items = rows
        .into_iter()
        .map(|row| AuditEntry {
            id: row.id,
            at: row.at,
            account_id: row.account_id,
            actor: row.actor,
            action: row.action,
            subject_kind: row.subject_kind,
            subject_id: row.subject_id,
            detail: serde_json::from_str(&row.detail).unwrap_or(serde_json::Value::Null),
        })
        .collect();
    Ok(Json(Items { items, next }))
}
