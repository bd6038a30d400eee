//! Maintenance windows on the API: who plans one, extends it, ends it, says that somebody has arrived.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::store::{self, New, Row};
use super::{Kind, LONGEST, Phase, SHORTEST, WINDOWS_MAX, Window, step};
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::db::{Conn, Tx};
use crate::error::ApiError;
use crate::router::input::line;
use crate::router::{Items, Routes};
use crate::user::{Act, Viewer};
use crate::{device, escalation, gateway, site};

/// A time in which pages about something wait. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
#[expect(missing_docs, reason = "the columns of the tables, by their names")]
pub struct Maintenance {
    pub id: String,
    pub site_id: String,
    pub site_name: String,
    pub site_name_zh: String,
    pub zone: String,
    pub gateway_id: Option<String>,
    pub gateway_name: Option<String>,
    pub device_id: Option<String>,
    pub device_name: Option<String>,
    /// The only fault that it is about; empty for any.
    pub code: String,
    /// `fixed`, `flexible` (opened by a fault) or `visit` (opened by an arrival).
    pub kind: String,
    /// `planned`, `waiting`, `running` or `over`.
    pub state: String,
    pub starts_at: i64,
    pub ends_at: i64,
    pub length_ms: Option<i64>,
    pub began_at: Option<i64>,
    /// When it ends or has ended.
    pub until: i64,
    pub reason: String,
    pub creator: String,
    pub created_at: i64,
    /// Who ended it early; empty when nobody did.
    pub ended_by: String,
}

impl From<Row> for Maintenance {
    fn from(row: Row) -> Self {
        let window = row.window();
        let last =
            window.began_at.zip(window.length_ms).map_or(window.ends_at, |(began, length)| began + length);
        Self {
            until: window.ended_at.unwrap_or(last),
            id: row.id,
            site_id: row.site_id,
            site_name: row.site_name,
            site_name_zh: row.site_name_zh,
            zone: row.zone,
            gateway_id: row.gateway_id,
            gateway_name: row.gateway_name,
            device_id: row.device_id,
            device_name: row.device_name,
            code: row.code,
            kind: row.kind,
            state: row.state,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            length_ms: row.length_ms,
            began_at: row.began_at,
            reason: row.reason,
            creator: row.creator,
            created_at: row.created_at,
            ended_by: row.ended_by,
        }
    }
}

/// A new window.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMaintenance {
    /// Where.
    pub site_id: String,
    /// Only this gateway and its devices.
    pub gateway_id: Option<String>,
    /// Only this device.
    pub device_id: Option<String>,
    /// Only this fault.
    #[serde(default)]
    pub code: String,
    /// `fixed` (the default), `flexible` or `visit`.
    #[serde(default)]
    pub kind: String,
    /// When it, or its frame, begins.
    pub starts_at: i64,
    /// When it, or its frame, ends; at most 14 days later.
    pub ends_at: i64,
    /// How long it runs once it was opened: for `flexible` and `visit`.
    pub length_ms: Option<i64>,
    /// Why, in a line.
    pub reason: String,
}

/// Another end.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// When it ends from now on.
    pub until: i64,
}

/// What to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Only of this site.
    site_id: Option<String>,
    /// `current` (not over; the default) or `all`.
    state: Option<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/maintenance", Act::SeeDevices, list)
        .post("/api/v1/maintenance", Act::EditMaintenance, create)
        .post("/api/v1/maintenance/{id}/end", Act::EditMaintenance, end)
        .post("/api/v1/maintenance/{id}/extend", Act::EditMaintenance, extend)
        .post("/api/v1/maintenance/{id}/arrive", Act::EditMaintenance, arrive)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, create, end, extend, arrive))]
pub struct Doc;

/// Windows, those that end last first; at most 500.
#[utoipa::path(get, path = "/api/v1/maintenance", tag = "maintenance", params(ListQuery),
    responses((status = 200, body = Items<Maintenance>)))]
async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<ListQuery>,
) -> Result<Json<Items<Maintenance>>, ApiError> {
    let over = query.state.as_deref() == Some("all");
    let mut conn = app.db.read().await?;
    let rows = store::list(&mut conn, &viewer.scope, query.site_id.as_deref(), over).await?;
    Ok(Json(Items::all(rows.into_iter().map(Maintenance::from).collect())))
}

/// Plans a window, or begins one now.
#[utoipa::path(post, path = "/api/v1/maintenance", tag = "maintenance", request_body = NewMaintenance,
    responses((status = 201, body = Maintenance), (status = 400), (status = 404)))]
async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewMaintenance>,
) -> Result<(StatusCode, Json<Maintenance>), ApiError> {
    let now = app.clock.now();
    let reason = line("reason", &new.reason, 1..=200)?;
    let code = line("code", &new.code, 0..=60)?;
    let word = if new.kind.is_empty() { "fixed" } else { &new.kind };
    let kind = Kind::parse(word).ok_or_else(|| {
        ApiError::bad_request("kind", format!("`{word}` is unknown"), "use fixed, flexible or visit")
    })?;
    let length_ms = if kind == Kind::Fixed { None } else { new.length_ms };
    let window = Window {
        kind,
        starts_at: new.starts_at,
        ends_at: new.ends_at,
        length_ms,
        began_at: None,
        ended_at: None,
    };
    allow(&window, now)?;
    let mut tx = app.db.write_in_turn().await?;
    let site = site::store::find(&mut tx, &viewer.scope, &new.site_id).await?;
    let site = site.ok_or_else(|| ApiError::not_found("site", &new.site_id))?;
    if let Some(id) = &new.gateway_id {
        let found = gateway::store::find_in(&mut tx, &viewer.scope, id).await?;
        if found.is_none_or(|found| found.site_id != new.site_id) {
            return Err(ApiError::not_found("gateway on this site", id));
        }
    }
    if let Some(id) = &new.device_id {
        let found = device::store::find(&mut tx, &viewer.scope, id).await?;
        if found.is_none_or(|found| found.site_id != new.site_id) {
            return Err(ApiError::not_found("device on this site", id));
        }
    }
    if store::count_current(&mut tx, &new.site_id).await? >= WINDOWS_MAX {
        let hint = "end those that nobody needs";
        return Err(ApiError::bad_request(
            "site_id",
            format!("{WINDOWS_MAX} windows are not over yet"),
            hint,
        ));
    }
    let row = New {
        site_id: &new.site_id,
        gateway_id: new.gateway_id.as_deref(),
        device_id: new.device_id.as_deref(),
        code: &code,
        window,
        reason: &reason,
        account_id: viewer.account.as_str(),
        account: &viewer.name,
    };
    let id = store::insert(&mut tx, &row, now).await?;
    let detail = json!({ "site": site.name, "kind": kind.as_str(), "reason": reason });
    let made = finish(&app, tx, &viewer, id.as_str(), "maintenance.create", detail, now).await?;
    Ok((StatusCode::CREATED, made))
}

/// Ends a window now. What the people do not know yet is paged.
#[utoipa::path(post, path = "/api/v1/maintenance/{id}/end", tag = "maintenance", params(("id" = String, Path)),
    responses((status = 200, body = Maintenance), (status = 404), (status = 409)))]
async fn end(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<Maintenance>, ApiError> {
    let (mut tx, window, now) = begin(&app, &viewer, &id).await?;
    let window = Window { ended_at: Some(now.as_millisecond()), ..window };
    store::set(&mut tx, &id, &window, &viewer.name, now).await?;
    finish(&app, tx, &viewer, &id, "maintenance.end", json!({}), now).await
}

/// Gives a window another end.
#[utoipa::path(post, path = "/api/v1/maintenance/{id}/extend", tag = "maintenance", params(("id" = String, Path)),
    request_body = Extension, responses((status = 200, body = Maintenance), (status = 400), (status = 404), (status = 409)))]
async fn extend(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(to): Json<Extension>,
) -> Result<Json<Maintenance>, ApiError> {
    let (mut tx, window, now) = begin(&app, &viewer, &id).await?;
    if to.until <= now.as_millisecond() {
        return Err(ApiError::bad_request(
            "until",
            "it has passed",
            "choose a later time, or end the window",
        ));
    }
    let longer = match window.began_at {
        Some(began) if window.kind != Kind::Fixed => {
            Window { length_ms: Some(to.until.saturating_sub(began)), ..window }
        }
        Some(_) | None => Window { ends_at: to.until, ..window },
    };
    allow(&longer, now)?;
    store::set(&mut tx, &id, &longer, "", now).await?;
    finish(&app, tx, &viewer, &id, "maintenance.extend", json!({ "until": to.until }), now).await
}

/// Somebody has arrived: a window that waits for a visit runs from now on.
#[utoipa::path(post, path = "/api/v1/maintenance/{id}/arrive", tag = "maintenance", params(("id" = String, Path)),
    responses((status = 200, body = Maintenance), (status = 404), (status = 409)))]
async fn arrive(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<Maintenance>, ApiError> {
    let (mut tx, window, now) = begin(&app, &viewer, &id).await?;
    if window.kind != Kind::Visit || window.phase(now.as_millisecond()) != Phase::Waiting {
        let what = "it does not wait for an arrival";
        return Err(ApiError::conflict("not_possible", what));
    }
    let window = Window { began_at: Some(now.as_millisecond()), ..window };
    store::set(&mut tx, &id, &window, "", now).await?;
    finish(&app, tx, &viewer, &id, "maintenance.arrive", json!({}), now).await
}

/// The bounds of a window.
fn allow(window: &Window, now: Timestamp) -> Result<(), ApiError> {
    let (longest, shortest) = (LONGEST.as_millis() as i64, SHORTEST.as_millis() as i64);
    let fits = |length: i64| (shortest..=longest).contains(&length);
    if !fits(window.ends_at.saturating_sub(window.starts_at)) {
        let hint = format!("between {} min and {} days", shortest / 60_000, longest / 86_400_000);
        return Err(ApiError::bad_request("ends_at", "the window is too short or too long", hint));
    }
    if window.kind != Kind::Fixed && !window.length_ms.is_some_and(fits) {
        let hint = format!("between {} min and {} days", shortest / 60_000, longest / 86_400_000);
        return Err(ApiError::bad_request(
            "length_ms",
            "how long it runs is missing, too short or too long",
            hint,
        ));
    }
    if matches!(window.phase(now.as_millisecond()), Phase::Over { .. }) {
        return Err(ApiError::bad_request("ends_at", "it has passed", "choose a later time"));
    }
    Ok(())
}

async fn begin(app: &App, viewer: &Viewer, id: &str) -> Result<(Tx, Window, Timestamp), ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let row =
        store::find(&mut tx, &viewer.scope, id).await?.ok_or_else(|| ApiError::not_found("window", id))?;
    let window = row.window();
    if matches!(window.phase(now.as_millisecond()), Phase::Over { .. }) {
        return Err(ApiError::conflict("not_possible", "the window is over; plan a new one"));
    }
    Ok((tx, window, now))
}

/// Lets it take effect, with the pages that follow, commits and tells everybody.
async fn finish(
    app: &App,
    mut tx: Tx,
    viewer: &Viewer,
    id: &str,
    action: &'static str,
    detail: Value,
    now: Timestamp,
) -> Result<Json<Maintenance>, ApiError> {
    audit::store::insert(&mut tx, &Entry::by(viewer, now, action, id, detail)).await?;
    let mut touched = step::step(&mut tx, now).await?;
    touched.add(Touched::tickets(escalation::step::step(&mut tx, now).await?));
    let row = one(&mut tx, viewer, id).await?;
    tx.commit().await?;
    app.touched(&touched);
    Ok(Json(row))
}

async fn one(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<Maintenance, ApiError> {
    let row = store::find(conn, &viewer.scope, id).await?;
    Ok(row.ok_or_else(|| ApiError::not_found("window", id))?.into())
}
