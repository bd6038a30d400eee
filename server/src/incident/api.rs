//! Incidents on the API.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::store::{self, Filter, Row};
use crate::app::App;
use crate::device::effect_of;
use crate::error::ApiError;
use crate::router::{Items, Routes};
use crate::user::{Act, Viewer};

/// Machine-observed trouble with one cause. Times are Unix ms.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Incident {
    /// Names it.
    pub id: String,
    /// Where.
    pub site_id: String,
    /// The site's name.
    pub site_name: String,
    /// The site's name in Chinese; may be empty.
    pub site_name_zh: String,
    /// The gateway that saw it, or that is silent.
    pub gateway_id: String,
    /// The gateway's name.
    pub gateway_name: String,
    /// The device; none when the gateway itself is the cause.
    pub device_id: Option<String>,
    /// The device's name.
    pub device_name: Option<String>,
    /// The device's class.
    pub class: Option<String>,
    /// The fault code.
    pub code: String,
    /// `critical`, `major` or `minor`.
    pub severity: String,
    /// The state that it puts the device in.
    pub effect: String,
    /// When it was confirmed.
    pub opened_at: i64,
    /// The last good sample before it.
    pub last_good_at: Option<i64>,
    /// The first bad sample.
    pub first_bad_at: Option<i64>,
    /// When it was confirmed to be gone.
    pub closed_at: Option<i64>,
    /// What was measured.
    #[schema(value_type = Object)]
    pub evidence: serde_json::Value,
    /// Its ticket.
    pub ticket_id: Option<String>,
    /// The ticket's number.
    pub ticket_number: Option<i64>,
    /// How many devices are unknown because of it.
    pub unknown_devices: i64,
    /// The incident that causes it; none for one that is a cause itself.
    pub cause_id: Option<String>,
    /// The device or gateway that causes it.
    pub cause_name: Option<String>,
    /// Until when it waits for word of what it hangs off, before it has a ticket.
    pub waits_until: Option<i64>,
}

impl From<Row> for Incident {
    fn from(row: Row) -> Self {
        Self {
            effect: effect_of(&row.code).as_str().to_owned(),
            evidence: serde_json::from_str(&row.evidence).unwrap_or_default(),
            id: row.id,
            site_id: row.site_id,
            site_name: row.site_name,
            site_name_zh: row.site_name_zh,
            gateway_id: row.gateway_id,
            gateway_name: row.gateway_name,
            device_id: row.device_id,
            device_name: row.device_name,
            class: row.class,
            code: row.code,
            severity: row.severity,
            opened_at: row.opened_at,
            last_good_at: row.last_good_at,
            first_bad_at: row.first_bad_at,
            closed_at: row.closed_at,
            ticket_number: row.ticket_number,
            unknown_devices: row.unknown_devices,
            waits_until: row.settle_at.filter(|_| row.ticket_id.is_none()),
            cause_id: row.cause_id,
            cause_name: row.cause_name,
            ticket_id: row.ticket_id,
        }
    }
}

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// `open` (the default), `closed` or `all`.
    state: Option<String>,
    /// Only of this site.
    site_id: Option<String>,
    /// Only of this device.
    device_id: Option<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new().get("/api/v1/incidents", Act::SeeIncidents, list).get(
        "/api/v1/incidents/{id}",
        Act::SeeIncidents,
        get,
    )
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, get))]
pub struct Doc;

/// Incidents, newest first; at most 1,000.
#[utoipa::path(get, path = "/api/v1/incidents", tag = "incidents", params(ListQuery),
    responses((status = 200, body = Items<Incident>)))]
async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Json<Items<Incident>>, ApiError> {
    let open = match query.state.as_deref() {
        None | Some("open") => Some(true),
        Some("closed") => Some(false),
        Some("all") => None,
        Some(other) => {
            return Err(ApiError::bad_request(
                "state",
                format!("`{other}` is unknown"),
                "use open, closed or all",
            ));
        }
    };
    let filter = Filter { open, site_id: query.site_id, device_id: query.device_id, ..Filter::default() };
    let rows = store::list(&mut *app.db.read().await?, &viewer.scope, &filter, 1000).await?;
    Ok(Json(Items::all(rows.into_iter().map(Incident::from).collect())))
}

/// One incident.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", tag = "incidents", params(("id" = String, Path)),
    responses((status = 200, body = Incident), (status = 404)))]
async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<Incident>, ApiError> {
    let found = store::find(&mut *app.db.read().await?, &viewer.scope, &id).await?;
    Ok(Json(found.ok_or_else(|| ApiError::not_found("incident", &id))?.into()))
}
