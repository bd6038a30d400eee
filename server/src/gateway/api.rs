//! Gateways on the API, and what became of commands.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sitewarden_proto::id::GatewayId;
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::{enrol, store};

pub mod discovery;
pub mod local;
pub mod wire;

use crate::app::App;
use crate::audit::{self, Entry};
use crate::broker::Standing;
use crate::error::ApiError;
use crate::ingest::effect;
use crate::router::input::line;
use crate::router::{Items, Routes};
use crate::user::{Act, Viewer};
use wire::GatewayWire;

/// The box on a site that runs our agent.
#[derive(Debug, Serialize, ToSchema)]
pub struct Gateway {
    /// Names it: certificate, client id and topic segment.
    pub id: String,
    /// Where it stands.
    pub site_id: String,
    /// The site's name.
    pub site_name: String,
    /// What people call it.
    pub name: String,
    /// `never`, `online`, `suspect`, `silent` or `revoked`.
    pub state: String,
    /// Unix milliseconds.
    pub state_since: i64,
    /// Unix milliseconds.
    pub last_heard_at: Option<i64>,
    /// Unix milliseconds.
    pub enrolled_at: Option<i64>,
    /// Unix milliseconds.
    pub revoked_at: Option<i64>,
    /// End of its newest certificate, Unix milliseconds.
    pub cert_not_after: Option<i64>,
    /// How far its clock is ahead, milliseconds.
    pub clock_offset_ms: Option<i64>,
    /// The agent's release.
    pub agent_version: Option<String>,
    /// Records that wait on its disk.
    pub queue_records: Option<i64>,
    /// Bytes that wait on its disk.
    pub queue_bytes: Option<i64>,
    /// Records that it had to drop since its queue was made.
    pub dropped_records: Option<i64>,
    /// The configuration it should run.
    pub config_version: i64,
    /// The configuration it last spoke of.
    pub config_reported_version: i64,
    /// `applied`, `rejected`, `reverted`, or empty before the first word.
    pub config_status: String,
    /// Why it rejected or reverted.
    pub config_error: String,
    /// Seconds between its heartbeats.
    pub heartbeat_s: i64,
    /// How its wire is.
    pub wire: GatewayWire,
}

/// A new gateway.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGateway {
    /// Where it will stand.
    pub site_id: String,
    /// What people call it.
    pub name: String,
}

/// A gateway with the token that admits it.
#[derive(Debug, Serialize, ToSchema)]
pub struct GatewayToken {
    /// The gateway.
    pub gateway: Gateway,
    /// Shown once; works once, for a day.
    pub token: String,
    /// What to type on the gateway.
    pub command: String,
}

/// What became of a command.
#[derive(Debug, Serialize, ToSchema)]
pub struct Command {
    /// Names it.
    pub id: String,
    /// `queued`, `sent`, `accepted`, `running`, `done`, `rejected`, `expired` or `failed`.
    pub state: String,
    /// What the gateway answered: an object, a text, or `null` while it has not.
    #[schema(value_type = Option<Object>)]
    pub result: serde_json::Value,
}

/// Which gateways.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Only those of this site.
    pub site_id: Option<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/gateways", Act::SeeGateways, list)
        .post("/api/v1/gateways", Act::EditGateways, create)
        .get("/api/v1/gateways/{id}", Act::SeeGateways, get)
        .get("/api/v1/gateways/{id}/gaps", Act::SeeGateways, wire::gaps)
        .get("/api/v1/wire", Act::SeeGateways, wire::sums)
        .post("/api/v1/gateways/{id}/token", Act::EditGateways, token)
        .post("/api/v1/gateways/{id}/revoke", Act::EditGateways, revoke)
        .get("/api/v1/commands/{id}", Act::ProbeDevices, command)
        .with(enrol::routes())
        .with(local::routes())
        .with(discovery::routes())
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(
    list,
    create,
    get,
    token,
    revoke,
    command,
    wire::sums,
    wire::gaps,
    enrol::enrol,
    enrol::renew
))]
pub struct Doc;

impl From<store::Record> for Gateway {
    fn from(record: store::Record) -> Self {
        Self {
            id: record.id,
            site_id: record.site_id,
            site_name: record.site_name,
            name: record.name,
            state: record.state,
            state_since: record.state_since,
            last_heard_at: record.last_heard_at,
            enrolled_at: record.enrolled_at,
            revoked_at: record.revoked_at,
            cert_not_after: record.cert_not_after,
            clock_offset_ms: record.clock_offset_ms,
            agent_version: record.agent_version,
            queue_records: record.queue_records,
            queue_bytes: record.queue_bytes,
            dropped_records: record.dropped_records,
            config_version: record.config_version,
            config_reported_version: record.config_reported_version,
            config_status: record.config_status,
            config_error: record.config_error,
            heartbeat_s: record.heartbeat_s,
            wire: GatewayWire::default(),
        }
    }
}

/// All gateways that the viewer may see, by site and name.
#[utoipa::path(get, path = "/api/v1/gateways", tag = "gateways", params(Wanted),
    responses((status = 200, body = Items<Gateway>)))]
async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Items<Gateway>>, ApiError> {
    let mut conn = app.db.read().await?;
    let site = wanted.site_id.as_deref();
    let rows = store::list(&mut conn, &viewer.scope, site).await?;
    let mut wires = wire::read(&app, &mut conn, &viewer.scope, None, site).await?;
    let gateway = |row: store::Record| {
        let wire = wires.remove(&row.id).unwrap_or_default();
        Gateway { wire, ..row.into() }
    };
    Ok(Json(Items::all(rows.into_iter().map(gateway).collect())))
}

/// One gateway.
#[utoipa::path(get, path = "/api/v1/gateways/{id}", tag = "gateways", params(("id" = String, Path)),
    responses((status = 200, body = Gateway), (status = 404)))]
async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<Gateway>, ApiError> {
    let mut conn = app.db.read().await?;
    let found = store::find_in(&mut conn, &viewer.scope, &id).await?;
    let found = found.ok_or_else(|| ApiError::not_found("gateway", &id))?;
    let wire = wire::read(&app, &mut conn, &viewer.scope, Some(&id), None).await?.remove(&id);
    Ok(Json(Gateway { wire: wire.unwrap_or_default(), ..found.into() }))
}

/// Adds a gateway to a site and makes its token.
#[utoipa::path(post, path = "/api/v1/gateways", tag = "gateways", request_body = NewGateway,
    responses((status = 201, body = GatewayToken), (status = 404)))]
async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewGateway>,
) -> Result<(StatusCode, Json<GatewayToken>), ApiError> {
    let now = app.clock.now();
    let name = line("name", &new.name, 1..=120)?;
    let mut tx = app.db.write().await?;
    let site = crate::site::store::find(&mut tx, &viewer.scope, &new.site_id).await?;
    let site = site.ok_or_else(|| ApiError::not_found("site", &new.site_id))?;
    let id = super::new_id(now);
    store::insert(&mut tx, &id, site.id.as_str(), &name, app.config.mqtt.heartbeat_s, now).await?;
    let token = enrol::make_token(&mut tx, &app.keys, &id, now).await?;
    let detail = json!({ "name": name, "site": site.name });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "gateway.create", id.as_ref(), detail)).await?;
    let gateway = store::find(&mut tx, &id).await?.ok_or_else(|| ApiError::not_found("gateway", &id))?;
    tx.commit().await?;
    app.live.refetch();
    Ok((StatusCode::CREATED, Json(with_token(&app, gateway, token))))
}

/// Makes a new token for a gateway, for its first enrolment or for a box that replaces it. The certificates
/// of the old box end when the new one is enrolled.
#[utoipa::path(post, path = "/api/v1/gateways/{id}/token", tag = "gateways", params(("id" = String, Path)),
    responses((status = 200, body = GatewayToken), (status = 404)))]
async fn token(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<GatewayToken>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let found = store::find_in(&mut tx, &viewer.scope, &id).await?;
    let record = found.ok_or_else(|| ApiError::not_found("gateway", &id))?;
    let gateway = GatewayId::try_from(id).map_err(anyhow::Error::from)?;
    let token = enrol::make_token(&mut tx, &app.keys, &gateway, now).await?;
    let entry = Entry::by(&viewer, now, "gateway.token", gateway.as_ref(), json!({ "name": record.name }));
    audit::store::insert(&mut tx, &entry).await?;
    tx.commit().await?;
    Ok(Json(with_token(&app, record, token)))
}

/// Voids a gateway's certificates and ends its connection. Its devices become unknown.
#[utoipa::path(post, path = "/api/v1/gateways/{id}/revoke", tag = "gateways", params(("id" = String, Path)),
    responses((status = 200, body = Gateway), (status = 404)))]
async fn revoke(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<Gateway>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let found = store::find_in(&mut tx, &viewer.scope, &id).await?;
    found.ok_or_else(|| ApiError::not_found("gateway", &id))?;
    let gateway = GatewayId::try_from(id).map_err(anyhow::Error::from)?;
    let changed = store::revoke(&mut tx, &gateway, now).await?;
    let touched = effect::gateway_revoked(&mut tx, &gateway, now).await?;
    let record =
        store::find(&mut tx, &gateway).await?.ok_or_else(|| ApiError::not_found("gateway", &gateway))?;
    if changed {
        let entry =
            Entry::by(&viewer, now, "gateway.revoke", gateway.as_ref(), json!({ "name": record.name }));
        audit::store::insert(&mut tx, &entry).await?;
    }
    tx.commit().await?;
    app.gateways.set_standing(gateway.clone(), Standing { revoked: true, since: now });
    app.touched(&touched);
    Ok(Json(record.into()))
}

/// What became of a command.
#[utoipa::path(get, path = "/api/v1/commands/{id}", tag = "gateways", params(("id" = String, Path)),
    responses((status = 200, body = Command), (status = 404)))]
async fn command(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<Command>, ApiError> {
    let found = store::command::find_in(&mut *app.db.read().await?, &viewer.scope, &id).await?;
    let found = found.ok_or_else(|| ApiError::not_found("command", &id))?;
    let result = match found.result.as_str() {
        "" => serde_json::Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
    };
    Ok(Json(Command { id: found.id, state: found.state, result }))
}

fn with_token(app: &App, record: store::Record, token: String) -> GatewayToken {
    let command = enrol::command_line(&app.config.public_url(), &token);
    GatewayToken { gateway: record.into(), token, command }
}
