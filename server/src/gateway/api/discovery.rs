//! Looking what hangs in a network of a site: asked of its gateway, and what came of the last time.

use std::collections::HashMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sitewarden_proto::id::{DeviceId, GatewayId};
use utoipa::{OpenApi, ToSchema};

use crate::app::App;
use crate::audit::{self, Entry};
use crate::db::Conn;
use crate::device;
use crate::error::ApiError;
use crate::gateway::command::{self, Action, DISCOVER};
use crate::gateway::discovery::{self, Discovered};
use crate::gateway::store;
use crate::router::{Items, Routes};
use crate::user::{Act, Viewer};

/// A look around in a network of a site.
#[derive(Debug, Serialize, ToSchema)]
pub struct Discovery {
    /// Names its command.
    pub id: String,
    /// The network.
    pub network: String,
    /// `queued`, `sent`, `accepted`, `running`, `done`, `failed`, `rejected`, `expired` or `cancelled`.
    pub state: String,
    /// Unix milliseconds.
    pub asked_at: i64,
    /// Who asked for it.
    pub asked_by: Option<String>,
    /// Unix milliseconds.
    pub ended_at: Option<i64>,
    /// Steps that are done, while it runs.
    pub done: u32,
    /// Of how many.
    pub all: u32,
    /// Addresses that were asked.
    pub addresses: u32,
    /// Every address was asked; else its time was over.
    pub complete: bool,
    /// How many more answered than a gateway can tell at once.
    pub left_out: u32,
    /// Why nothing came of it.
    pub error: Option<String>,
    /// What answered, what is worth watching first.
    pub found: Vec<DiscoveredDevice>,
}

/// Something that answered, and whether it is watched already.
#[derive(Debug, Serialize, ToSchema)]
pub struct DiscoveredDevice {
    /// What it is.
    #[serde(flatten)]
    pub found: Discovered,
    /// The device of this gateway with that address.
    pub device_id: Option<String>,
    /// Its name.
    pub device_name: Option<String>,
}

/// What is to be looked at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DiscoveryWish {
    /// A private network of the site of 4,096 addresses at most, such as `192.168.1.0/24`.
    pub net: String,
    /// SNMP is asked the way this device of the gateway is; without one SNMP is not asked.
    pub snmp_like: Option<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new().get("/api/v1/gateways/{id}/discoveries", Act::EditDevices, last).post(
        "/api/v1/gateways/{id}/discoveries",
        Act::EditDevices,
        begin,
    )
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(last, begin))]
pub struct Doc;

async fn find(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<GatewayId, ApiError> {
    let found = store::find_in(conn, &viewer.scope, id).await?;
    found.ok_or_else(|| ApiError::not_found("gateway", id))?;
    Ok(GatewayId::try_from(id.to_owned()).map_err(anyhow::Error::from)?)
}

/// The last look around of a gateway, or none.
#[utoipa::path(get, path = "/api/v1/gateways/{id}/discoveries", tag = "gateways", params(("id" = String, Path)),
    responses((status = 200, body = Items<Discovery>), (status = 404)))]
async fn last(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<Items<Discovery>>, ApiError> {
    let mut conn = app.db.read().await?;
    let id = find(&mut conn, &viewer, &id).await?;
    let items = shown(&mut conn, &id).await?.into_iter().collect();
    Ok(Json(Items::all(items)))
}

/// Asks a gateway to look what hangs in a network. One at a time; nothing is watched before somebody takes it over.
#[utoipa::path(post, path = "/api/v1/gateways/{id}/discoveries", tag = "gateways", params(("id" = String, Path)),
    request_body = DiscoveryWish, responses((status = 202, body = Discovery), (status = 404), (status = 409)))]
async fn begin(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(wish): Json<DiscoveryWish>,
) -> Result<(StatusCode, Json<Discovery>), ApiError> {
    let now = app.clock.now();
    let net = discovery::network(&wish.net).map_err(|(why, hint)| ApiError::bad_request("net", why, hint))?;
    let mut tx = app.db.write().await?;
    let id = find(&mut tx, &viewer, &id).await?;
    if store::command::find_pending(&mut tx, &id, None, DISCOVER, now).await?.is_some() {
        let hint = "wait until it has ended; it takes some minutes";
        return Err(ApiError::conflict("looking_already", "the gateway is looking around already").hint(hint));
    }
    let snmp_like = match wish.snmp_like.filter(|like| !like.is_empty()) {
        None => None,
        Some(like) => {
            let own = device::store::list_ids(&mut tx, &id).await?;
            if !own.contains(&like) {
                return Err(ApiError::not_found("device", &like));
            }
            Some(DeviceId::try_from(like).map_err(anyhow::Error::from)?)
        }
    };
    let detail = json!({ "net": net, "snmp_like": snmp_like.as_ref().map(ToString::to_string) });
    let action = Action::Discover { net, snmp_like };
    command::issue(&mut tx, &app.keys, &id, &action, Some(&viewer.account), now).await?;
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "gateway.discover", id.as_ref(), detail)).await?;
    let begun = shown(&mut tx, &id).await?.ok_or_else(|| ApiError::not_found("look around", id.as_ref()))?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok((StatusCode::ACCEPTED, Json(begun)))
}

async fn shown(conn: &mut Conn, id: &GatewayId) -> Result<Option<Discovery>, ApiError> {
    let Some(row) = store::command::find_last(conn, id, DISCOVER).await? else { return Ok(None) };
    let known: HashMap<String, (String, String)> = device::store::list_addresses(conn, id)
        .await?
        .into_iter()
        .map(|(id, name, address)| (address, (id, name)))
        .collect();
    let far = discovery::progress(&row.result);
    let outcome = (row.state == "done").then(|| discovery::outcome(&row.result)).flatten();
    let unread = row.state == "done" && outcome.is_none();
    let outcome = outcome.unwrap_or_default();
    let error = match row.state.as_str() {
        _ if unread => Some("what the gateway told cannot be read".to_owned()),
        "failed" | "rejected" | "expired" if !row.result.is_empty() => Some(row.result),
        _ => None,
    };
    let found = outcome.found.into_iter().map(|found| {
        let (device_id, device_name) = known.get(&found.address).cloned().unzip();
        DiscoveredDevice { found, device_id, device_name }
    });
    Ok(Some(Discovery {
        id: row.id,
        network: command::network_of(&row.body).unwrap_or_default(),
        state: row.state,
        asked_at: row.issued_at,
        asked_by: row.asked_by,
        ended_at: row.done_at,
        done: far.done,
        all: far.all,
        addresses: outcome.addresses,
        complete: outcome.complete,
        left_out: outcome.left_out,
        error,
        found: found.collect(),
    }))
}
