//! Devices on the API: their file, their faults, their record, their charts.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sitewarden_proto::id::{DeviceId, GatewayId};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::store::{self, Fields, Filter, Row};
use super::{CLASSES, confirm_ms, effect_of, parse_checks};
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::db::Conn;
use crate::error::ApiError;
use crate::gateway::command::{self, Action};
use crate::id::uuid_v7;
use crate::ingest::effect;
use crate::router::input::line;
use crate::router::{Items, Routes};
use crate::user::{Act, Viewer};
use crate::{gateway, incident};

pub mod parent;
mod record;
pub mod topology;
mod usual;

pub use parent::{NewParent, Parent};

/// A check of a device, without its settings, which may hold a password.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct CheckName {
    /// Unique within the device.
    pub name: String,
    /// Which probe runs it.
    pub kind: String,
}

/// A fault that stands on a device. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
pub struct StandingFault {
    /// From the catalogue.
    pub code: String,
    /// `critical`, `major` or `minor`.
    pub severity: String,
    /// The state that it puts the device in.
    pub effect: String,
    /// When it was confirmed.
    pub raised_at: i64,
    /// The last good sample before it.
    pub last_good_at: Option<i64>,
    /// The first bad sample.
    pub first_bad_at: Option<i64>,
    /// The check that saw it.
    pub check: String,
    /// What was measured.
    #[schema(value_type = Object)]
    pub evidence: Value,
    /// It comes and goes.
    pub flapping: bool,
    /// Its incident.
    pub incident_id: Option<String>,
    /// Its ticket.
    pub ticket_id: Option<String>,
}

/// One link of the way from the gateway to a device.
#[derive(Debug, Serialize, ToSchema)]
pub struct Link {
    /// `gateway` or `device`.
    pub kind: String,
    /// Names it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its state.
    pub state: String,
}

/// A thing that is watched. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the columns of the table, by their names")]
pub struct Device {
    pub id: String,
    pub gateway_id: String,
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub zone: String,
    /// The first parent for reach.
    pub parent_id: Option<String>,
    /// What it hangs off; only for a single device.
    pub parents: Vec<Parent>,
    pub name: String,
    pub class: String,
    pub address: String,
    pub place: String,
    pub model: String,
    pub serial: String,
    pub firmware: String,
    pub enabled: bool,
    pub state: String,
    pub state_since: i64,
    pub known_at: Option<i64>,
    pub checks: Vec<CheckName>,
    pub faults: Vec<StandingFault>,
    /// From the gateway down to the device; only for a single device.
    pub chain: Vec<Link>,
}

/// A new device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields of a device, by their names")]
pub struct NewDevice {
    pub gateway_id: String,
    pub name: String,
    pub class: String,
    pub address: String,
    #[serde(default)]
    pub place: String,
    #[serde(default)]
    pub model: String,
    #[serde(default)]
    pub serial: String,
    #[serde(default)]
    pub firmware: String,
    /// A parent for reach; `parents` says more.
    pub parent_id: Option<String>,
    /// What it hangs off, for reach and for power.
    pub parents: Option<Vec<NewParent>>,
    /// TOML: `[[check]]` tables; empty is what is usual for the class and the maker.
    #[serde(default)]
    pub checks: String,
    /// Who made it, for the usual checks; see `GET /api/v1/usual-checks`.
    #[serde(default)]
    pub maker: String,
    /// Whom the usual checks log in as; sealed with them.
    #[serde(default)]
    pub user: String,
    #[serde(default)]
    pub password: String,
    /// What the usual checks read SNMP with.
    #[serde(default)]
    pub community: String,
}

/// What changes of a device; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields of a device, by their names")]
pub struct DeviceChange {
    pub name: Option<String>,
    pub class: Option<String>,
    pub address: Option<String>,
    pub place: Option<String>,
    pub model: Option<String>,
    pub serial: Option<String>,
    pub firmware: Option<String>,
    /// Another parent for reach in place of all; the empty string for none. `parents` says more.
    pub parent_id: Option<String>,
    /// What it hangs off from now on, for reach and for power.
    pub parents: Option<Vec<NewParent>>,
    /// TOML: `[[check]]` tables.
    pub checks: Option<String>,
    pub enabled: Option<bool>,
}

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Only devices of this site.
    site_id: Option<String>,
    /// Only devices of this gateway.
    gateway_id: Option<String>,
    /// Part of the name, address, place or serial number.
    q: Option<String>,
}

/// A command that is on its way to a gateway.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommandSent {
    /// Ask for its result with it.
    pub command_id: String,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/devices", Act::SeeDevices, list)
        .post("/api/v1/devices", Act::EditDevices, create)
        .get("/api/v1/usual-checks", Act::SeeDevices, usual::list)
        .get("/api/v1/devices/{id}", Act::SeeDevices, get)
        .patch("/api/v1/devices/{id}", Act::EditDevices, change)
        .delete("/api/v1/devices/{id}", Act::EditDevices, remove)
        .post("/api/v1/devices/{id}/probe", Act::ProbeDevices, probe)
        .get("/api/v1/devices/{id}/events", Act::SeeDevices, record::events)
        .get("/api/v1/devices/{id}/states", Act::SeeDevices, record::states)
        .get("/api/v1/devices/{id}/history", Act::SeeDevices, record::history)
        .get("/api/v1/gateways/{id}/parents", Act::SeeGateways, parent::of_gateway)
        .put("/api/v1/gateways/{id}/parents", Act::EditDevices, parent::set_gateway)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(
    list,
    create,
    get,
    change,
    remove,
    probe,
    record::events,
    record::states,
    record::history,
    parent::of_gateway,
    parent::set_gateway,
    usual::list
))]
pub struct Doc;

impl From<Row> for Device {
    fn from(row: Row) -> Self {
        Self {
            checks: serde_json::from_str(&row.check_list).unwrap_or_default(),
            id: row.id,
            gateway_id: row.gateway_id,
            site_id: row.site_id,
            site_name: row.site_name,
            site_name_zh: row.site_name_zh,
            zone: row.zone,
            parent_id: row.parent_id,
            parents: Vec::new(),
            name: row.name,
            class: row.class,
            address: row.address,
            place: row.place,
            model: row.model,
            serial: row.serial,
            firmware: row.firmware,
            enabled: row.enabled == 1,
            state: row.state,
            state_since: row.state_since,
            known_at: row.known_at,
            faults: Vec::new(),
            chain: Vec::new(),
        }
    }
}

/// Devices in their order on the site; at most 20,000.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices", params(ListQuery),
    responses((status = 200, body = Items<Device>)))]
async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Json<Items<Device>>, ApiError> {
    let filter = Filter { site_id: query.site_id, gateway_id: query.gateway_id, q: query.q };
    let rows = store::list(&mut *app.db.read().await?, &viewer.scope, &filter, 20_000).await?;
    Ok(Json(Items::all(rows.into_iter().map(Device::from).collect())))
}

/// One device with its faults and its way to the gateway.
#[utoipa::path(get, path = "/api/v1/devices/{id}", tag = "devices", params(("id" = String, Path)),
    responses((status = 200, body = Device), (status = 404)))]
async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<Device>, ApiError> {
    Ok(Json(whole(&mut *app.db.read().await?, &viewer, &id).await?))
}

async fn find(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<Row, ApiError> {
    store::find(conn, &viewer.scope, id).await?.ok_or_else(|| ApiError::not_found("device", id))
}

async fn whole(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<Device, ApiError> {
    let row = find(conn, viewer, id).await?;
    let gateway = gateway::store::find_in(conn, &viewer.scope, &row.gateway_id).await?;
    let mut chain: Vec<Link> = Vec::new();
    if let Some(gateway) = gateway {
        chain.push(Link { kind: "gateway".into(), id: gateway.id, name: gateway.name, state: gateway.state });
    }
    let parents = store::list_parents(conn, &row.id).await?;
    chain.extend(parents.into_iter().rev().map(|(id, name, state)| Link {
        kind: "device".into(),
        id,
        name,
        state,
    }));
    let own = (row.id.clone(), row.name.clone(), row.state.clone());
    chain.push(Link { kind: "device".into(), id: own.0, name: own.1, state: own.2 });
    let faults = store::list_faults(conn, &row.id).await?;
    let parents = store::parent::list(conn, store::parent::Child::Device(&row.id)).await?;
    Ok(Device {
        chain,
        parents: parents.into_iter().map(Parent::from).collect(),
        faults: faults
            .into_iter()
            .map(|fault| StandingFault {
                severity: incident::severity_of(&fault.code).as_str().to_owned(),
                effect: effect_of(&fault.code).as_str().to_owned(),
                evidence: serde_json::from_str(&fault.evidence).unwrap_or_default(),
                code: fault.code,
                raised_at: fault.raised_at,
                last_good_at: fault.last_good_at,
                first_bad_at: fault.first_bad_at,
                check: fault.check_name,
                flapping: fault.flapping == 1,
                incident_id: fault.incident_id,
                ticket_id: fault.ticket_id,
            })
            .collect(),
        ..Device::from(row)
    })
}

/// Adds a device. Its gateway is told, and reports within the check's interval.
#[utoipa::path(post, path = "/api/v1/devices", tag = "devices", request_body = NewDevice,
    responses((status = 201, body = Device), (status = 400), (status = 404)))]
async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewDevice>,
) -> Result<(StatusCode, Json<Device>), ApiError> {
    let text = usual::of_new(&new)?;
    let (checks, check_list) = checks(&app, &text)?;
    let links = parent::read(new.parents, new.parent_id)?.unwrap_or_default();
    let fields = Fields {
        confirm_ms: confirm_ms(&text),
        name: line("name", &new.name, 1..=120)?,
        class: class(&new.class)?,
        address: line("address", &new.address, 1..=255)?,
        place: line("place", &new.place, 0..=200)?,
        model: line("model", &new.model, 0..=120)?,
        serial: line("serial", &new.serial, 0..=120)?,
        firmware: line("firmware", &new.firmware, 0..=120)?,
        checks,
        check_list,
        enabled: true,
    };
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let gateway = gateway::store::find_in(&mut tx, &viewer.scope, &new.gateway_id)
        .await?
        .ok_or_else(|| ApiError::not_found("gateway", &new.gateway_id))?;
    let gateway_id = gateway_name(&gateway.id)?;
    let id = DeviceId::try_from(uuid_v7(now)).map_err(anyhow::Error::from)?;
    parent::allow(&mut tx, &viewer, id.as_str(), &gateway.id, &links).await?;
    store::insert(&mut tx, &id, &gateway.id, &gateway.site_id, &fields, now).await?;
    parent::record(&mut tx, id.as_str(), &gateway.site_id, &links).await?;
    gateway::store::bump_config(&mut tx, &gateway_id).await?;
    let entry = Entry::by(&viewer, now, "device.create", id.as_str(), json!({ "name": fields.name }));
    audit::store::insert(&mut tx, &entry).await?;
    let device = whole(&mut tx, &viewer, id.as_str()).await?;
    tx.commit().await?;
    app.touched(&touched(id.as_str()));
    Ok((StatusCode::CREATED, Json(device)))
}

/// Changes a device.
#[utoipa::path(patch, path = "/api/v1/devices/{id}", tag = "devices", params(("id" = String, Path)),
    request_body = DeviceChange, responses((status = 200, body = Device), (status = 400), (status = 404)))]
async fn change(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(change): Json<DeviceChange>,
) -> Result<Json<Device>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let row = find(&mut tx, &viewer, &id).await?;
    let (sealed, check_list) = match &change.checks {
        Some(text) => checks(&app, text)?,
        None => (store::checks(&mut tx, &id).await?, row.check_list),
    };
    let confirm = match &change.checks {
        Some(text) => confirm_ms(text),
        None => store::parent::confirm_ms(&mut tx, &id).await?,
    };
    let links = parent::read(change.parents, change.parent_id)?;
    let text = |field, new: Option<String>, old: String, length| match new {
        Some(new) => line(field, &new, length),
        None => Ok(old),
    };
    let fields = Fields {
        confirm_ms: confirm,
        name: text("name", change.name, row.name, 1..=120)?,
        class: change.class.as_deref().map_or(Ok(row.class), class)?,
        address: text("address", change.address, row.address, 1..=255)?,
        place: text("place", change.place, row.place, 0..=200)?,
        model: text("model", change.model, row.model, 0..=120)?,
        serial: text("serial", change.serial, row.serial, 0..=120)?,
        firmware: text("firmware", change.firmware, row.firmware, 0..=120)?,
        checks: sealed,
        check_list,
        enabled: change.enabled.unwrap_or(row.enabled == 1),
    };
    store::update(&mut tx, &id, &fields).await?;
    if let Some(links) = links {
        parent::allow(&mut tx, &viewer, &id, &row.gateway_id, &links).await?;
        parent::record(&mut tx, &id, &row.site_id, &links).await?;
    }
    let gateway = gateway_name(&row.gateway_id)?;
    if fields.enabled != (row.enabled == 1) {
        let sender = gateway::store::replay::find_sender(&mut tx, &gateway).await?;
        let heard = sender.is_some_and(|sender| sender.state.is_heard() && sender.replay_to.is_none());
        store::refresh_state(&mut tx, &id, heard, now).await?;
    }
    gateway::store::bump_config(&mut tx, &gateway).await?;
    let entry = Entry::by(&viewer, now, "device.change", &id, json!({ "name": fields.name }));
    audit::store::insert(&mut tx, &entry).await?;
    let device = whole(&mut tx, &viewer, &id).await?;
    tx.commit().await?;
    app.touched(&touched(&id));
    Ok(Json(device))
}

/// Takes a device out of service. Its record stays, its tickets close.
#[utoipa::path(delete, path = "/api/v1/devices/{id}", tag = "devices", params(("id" = String, Path)),
    responses((status = 204), (status = 404)))]
async fn remove(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let row = find(&mut tx, &viewer, &id).await?;
    let gateway = gateway_name(&row.gateway_id)?;
    let mut changed = effect::device_removed(&mut tx, &gateway, &id, now).await?;
    store::remove(&mut tx, &id, now).await?;
    incident::store::cause::unsettle(&mut tx, &row.site_id).await?;
    gateway::store::bump_config(&mut tx, &gateway).await?;
    audit::store::insert(
        &mut tx,
        &Entry::by(&viewer, now, "device.remove", &id, json!({ "name": row.name })),
    )
    .await?;
    tx.commit().await?;
    changed.add(touched(&id));
    app.touched(&changed);
    Ok(StatusCode::NO_CONTENT)
}

/// Asks the gateway to run every check of a device now.
#[utoipa::path(post, path = "/api/v1/devices/{id}/probe", tag = "devices", params(("id" = String, Path)),
    responses((status = 202, body = CommandSent), (status = 404)))]
async fn probe(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<CommandSent>), ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let row = find(&mut tx, &viewer, &id).await?;
    let gateway = gateway_name(&row.gateway_id)?;
    let device = DeviceId::try_from(row.id).map_err(anyhow::Error::from)?;
    let action = Action::Probe { device };
    let command = command::issue(&mut tx, &app.keys, &gateway, &action, Some(&viewer.account), now).await?;
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "device.probe", &id, json!({}))).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok((StatusCode::ACCEPTED, Json(CommandSent { command_id: command.to_string() })))
}

fn touched(id: &str) -> Touched {
    Touched { devices: [id.to_owned()].into(), ..Touched::default() }
}

fn gateway_name(id: &str) -> Result<GatewayId, ApiError> {
    Ok(GatewayId::try_from(id.to_owned()).map_err(anyhow::Error::from)?)
}

fn class(word: &str) -> Result<String, ApiError> {
    if CLASSES.contains(&word) {
        Ok(word.to_owned())
    } else {
        let hint = format!("use one of {}", CLASSES.join(", "));
        Err(ApiError::bad_request("class", format!("`{word}` is unknown"), hint))
    }
}

fn checks(app: &App, text: &str) -> Result<(Vec<u8>, String), ApiError> {
    let hint = "the text holds [[check]] tables, for example: [[check]] kind = \"icmp\"";
    let names = parse_checks(text).map_err(|error| ApiError::bad_request("checks", error, hint))?;
    let list: Vec<CheckName> =
        names.into_iter().map(|check| CheckName { name: check.name, kind: check.kind }).collect();
    let list = serde_json::to_string(&list).map_err(anyhow::Error::from)?;
    Ok((app.keys.seal(text.as_bytes()), list))
}
