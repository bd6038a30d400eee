//! What a device or a gateway hangs off, on the API.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::db::Conn;
use crate::device::parent::{Link, Need, PARENTS_MAX, Source};
use crate::device::store::{self, parent as links};
use crate::error::ApiError;
use crate::router::Items;
use crate::router::input::line;
use crate::user::Viewer;
use crate::{gateway, incident};

/// A thing that a device or a gateway hangs off.
#[derive(Debug, Serialize, ToSchema)]
pub struct Parent {
    /// The device.
    pub device_id: String,
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: String,
    /// `reach` or `power`.
    pub kind: String,
    /// Of the parents that share this name, one that works is enough; empty when it stands alone.
    pub group: String,
    /// `recorded` by a person or `learned` from a switch.
    pub source: String,
}

/// A parent as it is written down.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewParent {
    /// A device of the same gateway; for a gateway, of the same site.
    pub device_id: String,
    /// `reach` (the default) or `power`.
    #[serde(default)]
    pub kind: String,
    /// Of the parents that share this name, one that works is enough; leave it empty for one that stands alone.
    #[serde(default)]
    pub group: String,
}

impl From<links::Row> for Parent {
    fn from(row: links::Row) -> Self {
        Self {
            device_id: row.parent_id,
            name: row.name,
            state: row.state,
            kind: row.kind,
            group: row.group_name,
            source: row.source,
        }
    }
}

/// What a request says about parents; `None` when it says nothing.
pub fn read(list: Option<Vec<NewParent>>, single: Option<String>) -> Result<Option<Vec<Link>>, ApiError> {
    let Some(list) = list else {
        let link = |id: String| Link { parent: id, need: Need::Reach, group: String::new() };
        return Ok(single.map(|id| if id.is_empty() { Vec::new() } else { vec![link(id)] }));
    };
    if list.len() > PARENTS_MAX {
        let hint = format!("name at most {PARENTS_MAX}");
        return Err(ApiError::bad_request("parents", "too many parents", hint));
    }
    let mut links: Vec<Link> = Vec::with_capacity(list.len());
    for parent in list {
        let kind = if parent.kind.is_empty() { "reach" } else { &parent.kind };
        let need = Need::parse(kind).ok_or_else(|| {
            ApiError::bad_request("parents", format!("`{kind}` is unknown"), "use reach or power")
        })?;
        let group = line("group", &parent.group, 0..=60)?;
        if links.iter().any(|link| link.parent == parent.device_id && link.need == need) {
            let hint = "name each parent once for reach and once for power";
            return Err(ApiError::bad_request(
                "parents",
                format!("`{}` is named twice", parent.device_id),
                hint,
            ));
        }
        links.push(Link { parent: parent.device_id, need, group });
    }
    Ok(Some(links))
}

/// A parent must hang off the same gateway, and not off the device itself.
pub(super) async fn allow(
    conn: &mut Conn,
    viewer: &Viewer,
    id: &str,
    gateway: &str,
    links: &[Link],
) -> Result<(), ApiError> {
    for link in links {
        let row = store::find(conn, &viewer.scope, &link.parent).await?;
        if row.is_none_or(|row| row.gateway_id != gateway) {
            let hint = "choose a device of the same gateway";
            return Err(ApiError::bad_request(
                "parent_id",
                format!("there is no device `{}` here", link.parent),
                hint,
            ));
        }
        let above = links::list_above(conn, &link.parent).await?;
        if link.parent == id || above.iter().any(|above| above == id) {
            let hint = "choose a device that does not hang off this one";
            return Err(ApiError::bad_request("parent_id", "the device would hang off itself", hint));
        }
    }
    Ok(())
}

/// Writes a device's parents down; what stands at the site is judged again.
pub(super) async fn record(conn: &mut Conn, id: &str, site: &str, links: &[Link]) -> Result<(), ApiError> {
    links::replace(conn, links::Child::Device(id), links, Source::Recorded).await?;
    incident::store::cause::unsettle(conn, site).await?;
    Ok(())
}

/// What a gateway hangs off: what it needs to reach us, and its power.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GatewayParents {
    /// Devices of the gateway's site, whoever watches them.
    pub parents: Vec<NewParent>,
}

/// What a gateway hangs off.
#[utoipa::path(get, path = "/api/v1/gateways/{id}/parents", tag = "gateways", params(("id" = String, Path)),
    responses((status = 200, body = Items<Parent>), (status = 404)))]
pub(super) async fn of_gateway(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<Items<Parent>>, ApiError> {
    let mut conn = app.db.read().await?;
    let found = gateway::store::find_in(&mut conn, &viewer.scope, &id).await?;
    found.ok_or_else(|| ApiError::not_found("gateway", &id))?;
    let rows = links::list(&mut conn, links::Child::Gateway(&id)).await?;
    Ok(Json(Items::all(rows.into_iter().map(Parent::from).collect())))
}

/// Writes down what a gateway hangs off, in place of what stood there.
#[utoipa::path(put, path = "/api/v1/gateways/{id}/parents", tag = "gateways", params(("id" = String, Path)),
    request_body = GatewayParents, responses((status = 200, body = Items<Parent>), (status = 400), (status = 404)))]
pub(super) async fn set_gateway(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<GatewayParents>,
) -> Result<Json<Items<Parent>>, ApiError> {
    let links = read(Some(new.parents), None)?.unwrap_or_default();
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let found = gateway::store::find_in(&mut tx, &viewer.scope, &id).await?;
    let site = found.ok_or_else(|| ApiError::not_found("gateway", &id))?.site_id;
    for link in &links {
        let row = store::find(&mut tx, &viewer.scope, &link.parent).await?;
        if row.is_none_or(|row| row.site_id != site) {
            let hint = "choose a device of the same site";
            return Err(ApiError::bad_request(
                "parents",
                format!("there is no device `{}` here", link.parent),
                hint,
            ));
        }
    }
    links::replace(&mut tx, links::Child::Gateway(&id), &links, Source::Recorded).await?;
    incident::store::cause::unsettle(&mut tx, &site).await?;
    let detail = json!({ "parents": links.iter().map(|link| &link.parent).collect::<Vec<_>>() });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "gateway.parents", &id, detail)).await?;
    let rows = links::list(&mut tx, links::Child::Gateway(&id)).await?;
    tx.commit().await?;
    app.touched(&Touched { gateways: [id].into(), ..Touched::default() });
    Ok(Json(Items::all(rows.into_iter().map(Parent::from).collect())))
}
