//! How a gateway pages people by itself while it cannot reach the server.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sitewarden_proto::id::GatewayId;
use utoipa::{OpenApi, ToSchema};

use crate::app::App;
use crate::audit::{self, Entry};
use crate::error::ApiError;
use crate::gateway::local::{LocalPerson, people};
use crate::gateway::store;
use crate::gateway::store::local::{self, Row};
use crate::page::channel;
use crate::router::Routes;
use crate::router::input::{line, prose};
use crate::user::{Act, Viewer};

/// So many people at most.
const PEOPLE_MAX: usize = 32;

/// How a gateway pages by itself.
#[derive(Debug, Serialize, ToSchema)]
pub struct LocalPage {
    /// Where its requests go: a modem for text messages, a webhook on the site's own network. Empty is nowhere.
    pub url: String,
    /// Whether a template is set; it may hold a key and is not shown again.
    pub has_template: bool,
    /// Faults from this severity on.
    pub severity: String,
    /// So many minutes after the server was last heard.
    pub after_minutes: i64,
    /// Whom it pages.
    pub people: Vec<LocalPerson>,
}

/// What is to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalPageChange {
    /// Where its requests go.
    pub url: String,
    /// TOML with `method`, `body` and `[headers]`; `{{to}}`, `{{name}}`, `{{subject}}`, `{{text}}` and `{{key}}` stand
    /// for the page's words. Absent stays, empty is JSON of ours.
    pub template: Option<String>,
    /// `critical`, `major` or `minor`.
    pub severity: String,
    /// 1 to 1440.
    pub after_minutes: i64,
    /// Whom it pages.
    pub people: Vec<LocalPerson>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/gateways/{id}/local-page", Act::EditGateways, show)
        .put("/api/v1/gateways/{id}/local-page", Act::EditGateways, change)
        .delete("/api/v1/gateways/{id}/local-page", Act::EditGateways, remove)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(show, change, remove))]
pub struct Doc;

fn shown(app: &App, row: Option<Row>) -> Result<Json<LocalPage>, ApiError> {
    let Some(row) = row else {
        let (url, severity) = (String::new(), "major".to_owned());
        return Ok(Json(LocalPage {
            url,
            has_template: false,
            severity,
            after_minutes: 10,
            people: Vec::new(),
        }));
    };
    let has_template = !app.keys.open(&row.sealed).map_err(anyhow::Error::from)?.is_empty();
    let people = people(&row.people);
    Ok(Json(LocalPage {
        url: row.url,
        has_template,
        severity: row.severity,
        after_minutes: row.after_minutes,
        people,
    }))
}

async fn gateway(conn: &mut crate::db::Conn, viewer: &Viewer, id: &str) -> Result<GatewayId, ApiError> {
    let found = store::find_in(conn, &viewer.scope, id).await?;
    found.ok_or_else(|| ApiError::not_found("gateway", id))?;
    Ok(GatewayId::try_from(id.to_owned()).map_err(anyhow::Error::from)?)
}

/// How a gateway pages by itself.
#[utoipa::path(get, path = "/api/v1/gateways/{id}/local-page", tag = "gateways", params(("id" = String, Path)),
    responses((status = 200, body = LocalPage), (status = 404)))]
async fn show(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<LocalPage>, ApiError> {
    let mut conn = app.db.read().await?;
    let id = gateway(&mut conn, &viewer, &id).await?;
    shown(&app, local::find(&mut conn, &id).await?)
}

/// Sets how a gateway pages by itself; it is told at once.
#[utoipa::path(put, path = "/api/v1/gateways/{id}/local-page", tag = "gateways", params(("id" = String, Path)),
    request_body = LocalPageChange, responses((status = 200, body = LocalPage), (status = 404)))]
async fn change(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(change): Json<LocalPageChange>,
) -> Result<Json<LocalPage>, ApiError> {
    let now = app.clock.now();
    let url = line("url", &change.url, 8..=500)?;
    channel::check("webhook", &url, "").map_err(|fault| {
        ApiError::bad_request("url", fault, "write the address on the site's own network")
    })?;
    if !["critical", "major", "minor"].contains(&change.severity.as_str()) {
        return Err(ApiError::bad_request("severity", "it is unknown", "write critical, major or minor"));
    }
    if !(1..=1440).contains(&change.after_minutes) {
        return Err(ApiError::bad_request("after_minutes", "it is out of bounds", "write 1 to 1440"));
    }
    if change.people.is_empty() || change.people.len() > PEOPLE_MAX {
        return Err(ApiError::bad_request("people", "there is nobody, or too many", "name 1 to 32 people"));
    }
    let mut tx = app.db.write().await?;
    let id = gateway(&mut tx, &viewer, &id).await?;
    for person in &change.people {
        line("people.address", &person.address, 1..=128)?;
        let account = crate::user::store::find_account(&mut tx, &person.account_id).await?;
        account.ok_or_else(|| ApiError::not_found("person", &person.account_id))?;
    }
    let before = local::find(&mut tx, &id).await?;
    let sealed = match &change.template {
        Some(text) => {
            let text = prose("template", text, 0..=4000)?;
            if let Err(error) = text.parse::<toml::Table>() {
                let why = format!("it is not TOML: {}", error.message());
                return Err(ApiError::bad_request("template", why, "write `method`, `body` and `[headers]`"));
            }
            app.keys.seal(text.as_bytes())
        }
        None => before.map_or_else(|| app.keys.seal(b""), |row| row.sealed),
    };
    let row = Row {
        url,
        sealed,
        severity: change.severity,
        after_minutes: change.after_minutes,
        people: json!(change.people).to_string(),
        changed_at: now.as_millisecond(),
    };
    local::put(&mut tx, &id, &row, now).await?;
    store::bump_config(&mut tx, &id).await?;
    let detail = json!({ "url": row.url, "people": change.people.len() });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "gateway.local_page", id.as_ref(), detail))
        .await?;
    tx.commit().await?;
    app.wake.notify_one();
    shown(&app, Some(row))
}

/// The gateway pages nobody by itself any more.
#[utoipa::path(delete, path = "/api/v1/gateways/{id}/local-page", tag = "gateways", params(("id" = String, Path)),
    responses((status = 204), (status = 404)))]
async fn remove(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let id = gateway(&mut tx, &viewer, &id).await?;
    if local::delete(&mut tx, &id).await? {
        store::bump_config(&mut tx, &id).await?;
        let entry = Entry::by(&viewer, now, "gateway.local_page_remove", id.as_ref(), json!({}));
        audit::store::insert(&mut tx, &entry).await?;
    }
    tx.commit().await?;
    app.wake.notify_one();
    Ok(StatusCode::NO_CONTENT)
}
