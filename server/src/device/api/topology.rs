//! Where devices hang, on the API: the port of a device, and parents that the switches show.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::{find, gateway_name, parent, touched};
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::db::Conn;
use crate::device::parent::{Link, Need, Source};
use crate::device::store::parent as above;
use crate::device::store::topology::{self as store, Recorded};
use crate::error::ApiError;
use crate::gateway;
use crate::router::input::line;
use crate::router::{Items, Routes};
use crate::user::{Act, Viewer};

/// The port that a device hangs on. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
pub struct DevicePort {
    /// The switch.
    pub switch_id: String,
    /// Its name.
    pub switch_name: String,
    /// The port's name.
    pub name: String,
    /// `pethPsePortGroupIndex`.
    pub poe_group: i64,
    /// `pethPsePortIndex`; 0 = no PoE, or nobody knows.
    pub poe_port: i64,
    /// How many addresses are on that port.
    pub macs: i64,
    /// The other end says that it is a switch.
    pub trunk: bool,
    /// When it was seen there first, or recorded.
    pub first_seen_at: i64,
    /// When it was seen there last, or recorded.
    pub seen_at: i64,
    /// A person has recorded it.
    pub recorded: bool,
    /// Who; empty when switches show it.
    pub recorded_by: String,
}

/// A parent that the switches show and that is not recorded. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the names of a device, a switch and the recorded parent")]
pub struct ParentProposal {
    pub id: String,
    pub device_id: String,
    pub device_name: String,
    pub site_id: String,
    pub switch_id: String,
    pub switch_name: String,
    pub port: String,
    /// What is recorded now; `null` = nothing.
    pub recorded_id: Option<String>,
    pub recorded_name: Option<String>,
    pub created_at: i64,
    pub seen_at: i64,
}

/// Where a device hangs.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeviceTopology {
    /// The recorded port first, then those where it was seen, the newest first.
    pub ports: Vec<DevicePort>,
    /// A parent that contradicts what is recorded.
    pub proposals: Vec<ParentProposal>,
}

/// The port of a device as a person records it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PortChange {
    /// The switch.
    pub switch_id: String,
    /// The port's name.
    pub name: String,
    /// `pethPsePortGroupIndex`, mostly 1.
    pub poe_group: i64,
    /// `pethPsePortIndex`, mostly the port's number; 0 = no PoE.
    pub poe_port: i64,
}

/// What is proposed where.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ProposalQuery {
    /// Only of this site.
    site_id: Option<String>,
}

/// What a person says to proposals.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposalAnswer {
    /// These are right: the devices hang there from now on.
    #[serde(default)]
    pub accept: Vec<String>,
    /// These are not, and are not proposed again.
    #[serde(default)]
    pub dismiss: Vec<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/devices/{id}/topology", Act::SeeDevices, get)
        .put("/api/v1/devices/{id}/port", Act::EditDevices, record)
        .delete("/api/v1/devices/{id}/port", Act::EditDevices, forget)
        .get("/api/v1/topology/proposals", Act::SeeDevices, proposals)
        .post("/api/v1/topology/proposals", Act::EditDevices, answer)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(get, record, forget, proposals, answer))]
pub struct Doc;

impl From<store::Port> for DevicePort {
    fn from(port: store::Port) -> Self {
        Self {
            recorded: port.is_recorded(),
            trunk: port.trunk == 1,
            switch_id: port.switch_id,
            switch_name: port.switch_name,
            name: port.name,
            poe_group: port.poe_group,
            poe_port: port.poe_port,
            macs: port.macs,
            first_seen_at: port.first_seen_at,
            seen_at: port.seen_at,
            recorded_by: port.recorded_by,
        }
    }
}

impl From<store::Proposal> for ParentProposal {
    fn from(row: store::Proposal) -> Self {
        Self {
            id: row.id,
            device_id: row.device_id,
            device_name: row.device_name,
            site_id: row.site_id,
            switch_id: row.switch_id,
            switch_name: row.switch_name,
            port: row.port,
            recorded_id: row.recorded_id,
            recorded_name: row.recorded_name,
            created_at: row.created_at,
            seen_at: row.seen_at,
        }
    }
}

/// Where a device hangs, as recorded and as seen.
#[utoipa::path(get, path = "/api/v1/devices/{id}/topology", tag = "devices", params(("id" = String, Path)),
    responses((status = 200, body = DeviceTopology), (status = 404)))]
async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<DeviceTopology>, ApiError> {
    let mut conn = app.db.read().await?;
    find(&mut conn, &viewer, &id).await?;
    let ports = store::list_ports(&mut conn, &id).await?;
    let proposals = store::list_proposals(&mut conn, &viewer.scope, None, Some(&id)).await?;
    Ok(Json(DeviceTopology {
        ports: ports.into_iter().map(DevicePort::from).collect(),
        proposals: proposals.into_iter().map(ParentProposal::from).collect(),
    }))
}

/// Records by hand on which port a device hangs; it counts more than what switches show.
#[utoipa::path(put, path = "/api/v1/devices/{id}/port", tag = "devices", params(("id" = String, Path)),
    request_body = PortChange, responses((status = 204), (status = 400), (status = 404)))]
async fn record(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(change): Json<PortChange>,
) -> Result<StatusCode, ApiError> {
    let name = line("name", &change.name, 1..=64)?;
    let index = 0..=1_000_000;
    if !index.contains(&change.poe_group) || !index.contains(&change.poe_port) {
        let hint = "give the indexes of the switch's PoE table, mostly 1 and the port's number";
        return Err(ApiError::bad_request("poe_group, poe_port", "they are out of range", hint));
    }
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let device = find(&mut tx, &viewer, &id).await?;
    let switch = find(&mut tx, &viewer, &change.switch_id).await?;
    if switch.gateway_id != device.gateway_id || switch.id == device.id || switch.class != "switch" {
        let hint = "choose a switch behind the same gateway";
        return Err(ApiError::bad_request("switch_id", "the device cannot hang there", hint));
    }
    let recorded = Recorded {
        switch_id: &switch.id,
        name: &name,
        poe_group: change.poe_group,
        poe_port: change.poe_port,
        by: &viewer.name,
    };
    store::record_port(&mut tx, &id, &recorded, now).await?;
    let detail = json!({ "switch": switch.name, "port": name, "poe": [change.poe_group, change.poe_port] });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "device.port", &id, detail)).await?;
    tx.commit().await?;
    app.touched(&touched(&id));
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets the port recorded by hand: what switches show counts again.
#[utoipa::path(delete, path = "/api/v1/devices/{id}/port", tag = "devices", params(("id" = String, Path)),
    responses((status = 204), (status = 404)))]
async fn forget(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    find(&mut tx, &viewer, &id).await?;
    store::forget_port(&mut tx, &id).await?;
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "device.port", &id, json!({}))).await?;
    tx.commit().await?;
    app.touched(&touched(&id));
    Ok(StatusCode::NO_CONTENT)
}

/// Parents that the switches show and nobody has answered; contradictions first.
#[utoipa::path(get, path = "/api/v1/topology/proposals", tag = "devices", params(ProposalQuery),
    responses((status = 200, body = Items<ParentProposal>)))]
async fn proposals(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<ProposalQuery>,
) -> Result<Json<Items<ParentProposal>>, ApiError> {
    let site = query.site_id.as_deref();
    let rows = store::list_proposals(&mut *app.db.read().await?, &viewer.scope, site, None).await?;
    Ok(Json(Items::all(rows.into_iter().map(ParentProposal::from).collect())))
}

/// Answers proposals, many at a time. What would make a device hang off itself stays open.
#[utoipa::path(post, path = "/api/v1/topology/proposals", tag = "devices", request_body = ProposalAnswer,
    responses((status = 200, body = Items<ParentProposal>)))]
async fn answer(
    State(app): State<App>,
    viewer: Viewer,
    Json(answer): Json<ProposalAnswer>,
) -> Result<Json<Items<ParentProposal>>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let open = store::list_proposals(&mut tx, &viewer.scope, None, None).await?;
    let (mut changed, mut gateways) = (Touched::default(), std::collections::BTreeSet::new());
    for row in &open {
        let accepted = answer.accept.contains(&row.id);
        if !accepted && !answer.dismiss.contains(&row.id) {
            continue;
        }
        if accepted {
            let links = with_switch(&mut tx, row).await?;
            if parent::allow(&mut tx, &viewer, &row.device_id, &row.gateway_id, &links).await.is_err() {
                continue;
            }
            parent::record(&mut tx, &row.device_id, &row.site_id, &links).await?;
            gateways.insert(row.gateway_id.clone());
        }
        let word = if accepted { "accepted" } else { "dismissed" };
        store::decide(&mut tx, &row.id, word, &viewer.name, now).await?;
        let detail = json!({ "answer": word, "switch": row.switch_name, "port": row.port, "before": row.recorded_name });
        audit::store::insert(&mut tx, &Entry::by(&viewer, now, "device.parent", &row.device_id, detail))
            .await?;
        changed.devices.insert(row.device_id.clone());
    }
    for gateway in &gateways {
        gateway::store::bump_config(&mut tx, &gateway_name(gateway)?).await?;
    }
    let left = store::list_proposals(&mut tx, &viewer.scope, None, None).await?;
    tx.commit().await?;
    app.touched(&changed);
    Ok(Json(Items::all(left.into_iter().map(ParentProposal::from).collect())))
}

/// A device's recorded parents with the switch in the place of the one it hung off; power and redundant ways stay.
async fn with_switch(conn: &mut Conn, row: &store::Proposal) -> sqlx::Result<Vec<Link>> {
    let mut links = vec![Link { parent: row.switch_id.clone(), need: Need::Reach, group: String::new() }];
    for old in above::list(conn, above::Child::Device(&row.device_id)).await? {
        let Some(need) = Need::parse(&old.kind) else { continue };
        let stays = need == Need::Power || !old.group_name.is_empty();
        if stays && old.source == Source::Recorded.as_str() && old.parent_id != row.switch_id {
            links.push(Link { parent: old.parent_id, need, group: old.group_name });
        }
    }
    Ok(links)
}
