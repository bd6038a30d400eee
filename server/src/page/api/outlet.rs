//! Receivers of events: other programs that are told what stands and what ended.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use crate::app::App;
use crate::audit::{self, Entry};
use crate::customer;
use crate::error::ApiError;
use crate::id::uuid_v7;
use crate::page::channel::outlet::{self, Event};
use crate::page::channel::{Refusal, Senders};
use crate::page::step::outlet::opened;
use crate::page::store::outlet::{self as store, Row};
use crate::router::input::line;
use crate::router::{Items, Routes};
use crate::user::{Act, Viewer};

/// A receiver of events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Receiver)]
pub struct Receiver {
    /// Names it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// `alertmanager`, `pagerduty` or `webhook`.
    pub kind: String,
    /// Its base address, or of a webhook the whole.
    pub url: String,
    /// Of this customer's sites only; `null` is all.
    pub customer_id: Option<String>,
    /// From this severity on: `minor`, `major` or `critical`.
    pub severity: String,
    /// Whether it is told.
    pub enabled: bool,
    /// When it last took an event.
    pub told_at: Option<i64>,
    /// When it last did not.
    pub failed_at: Option<i64>,
    /// What it said last.
    pub last_answer: String,
    /// Tickets of which it is still to be told.
    pub waiting: i64,
    /// Tickets of which it could not be told.
    pub failed: i64,
}

/// A new receiver, or what changes of one.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiverChange {
    /// What people call it.
    pub name: Option<String>,
    /// `alertmanager`, `pagerduty` or `webhook`; does not change.
    pub kind: Option<String>,
    /// Its base address, or of a webhook the whole.
    pub url: Option<String>,
    /// Bearer token, routing key or what the webhook is signed with; not shown again. Empty stays.
    pub secret: Option<String>,
    /// Of this customer's sites only; empty is all.
    pub customer_id: Option<String>,
    /// From this severity on.
    pub severity: Option<String>,
    /// Whether it is told.
    pub enabled: Option<bool>,
}

/// How a test went.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReceiverTest {
    /// Whether the receiver took it.
    pub ok: bool,
    /// What it said.
    pub answer: String,
}

impl From<Row> for Receiver {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            name: row.name,
            kind: row.kind,
            url: row.url,
            customer_id: row.customer_id,
            severity: row.severity,
            enabled: row.enabled != 0,
            told_at: row.told_at,
            failed_at: row.failed_at,
            last_answer: row.last_answer,
            waiting: row.waiting,
            failed: row.failed,
        }
    }
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/receivers", Act::EditChannels, list)
        .post("/api/v1/receivers", Act::EditChannels, create)
        .patch("/api/v1/receivers/{id}", Act::EditChannels, change)
        .delete("/api/v1/receivers/{id}", Act::EditChannels, remove)
        .post("/api/v1/receivers/{id}/test", Act::EditChannels, test)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, create, change, remove, test))]
pub struct Doc;

/// The receivers and how it goes with each.
#[utoipa::path(get, path = "/api/v1/receivers", tag = "pages", responses((status = 200, body = Items<Receiver>)))]
async fn list(State(app): State<App>) -> Result<Json<Items<Receiver>>, ApiError> {
    let rows = store::list(&mut *app.db.read().await?).await?;
    Ok(Json(Items::all(rows.into_iter().map(Receiver::from).collect())))
}

/// Adds a receiver. It is told at once what stands.
#[utoipa::path(post, path = "/api/v1/receivers", tag = "pages", request_body = ReceiverChange,
    responses((status = 201, body = Receiver)))]
async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<ReceiverChange>,
) -> Result<(StatusCode, Json<Receiver>), ApiError> {
    let now = app.clock.now();
    let blank = Row {
        id: uuid_v7(now),
        name: String::new(),
        kind: new.kind.clone().unwrap_or_default(),
        url: String::new(),
        sealed: app.keys.seal(b""),
        customer_id: None,
        severity: "major".into(),
        enabled: 1,
        created_at: now.as_millisecond(),
        told_at: None,
        failed_at: None,
        last_answer: String::new(),
        waiting: 0,
        failed: 0,
    };
    let row = save(&app, &viewer, blank, new, "receiver.create").await?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

/// Changes a receiver.
#[utoipa::path(patch, path = "/api/v1/receivers/{id}", tag = "pages", params(("id" = String, Path)),
    request_body = ReceiverChange, responses((status = 200, body = Receiver), (status = 404)))]
async fn change(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(change): Json<ReceiverChange>,
) -> Result<Json<Receiver>, ApiError> {
    let row = get(&app, &id).await?;
    Ok(Json(save(&app, &viewer, row, change, "receiver.change").await?.into()))
}

async fn save(
    app: &App,
    viewer: &Viewer,
    mut row: Row,
    change: ReceiverChange,
    action: &'static str,
) -> Result<Row, ApiError> {
    if let Some(name) = &change.name {
        row.name = line("name", name, 1..=120)?;
    }
    if let Some(url) = &change.url {
        row.url = line("url", url, 8..=500)?;
    }
    if let Some(secret) = change.secret.as_deref().filter(|secret| !secret.is_empty()) {
        row.sealed = app.keys.seal(line("secret", secret, 1..=500)?.as_bytes());
    }
    if let Some(severity) = change.severity {
        if !["minor", "major", "critical"].contains(&severity.as_str()) {
            return Err(ApiError::bad_request("severity", "it is unknown", "write minor, major or critical"));
        }
        row.severity = severity;
    }
    if let Some(customer) = change.customer_id {
        row.customer_id = Some(customer).filter(|customer| !customer.is_empty());
    }
    if let Some(enabled) = change.enabled {
        row.enabled = i64::from(enabled);
    }
    line("name", &row.name, 1..=120)?;
    let receiver = opened(app, &row)?;
    outlet::check(&receiver)
        .map_err(|fault| ApiError::bad_request("receiver", fault, "correct it, then send a test event"))?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if let Some(customer) = &row.customer_id {
        let found = customer::store::find(&mut tx, &viewer.scope, customer).await?;
        found.ok_or_else(|| ApiError::not_found("customer", customer))?;
    }
    store::put(&mut tx, &row).await?;
    let detail = json!({ "name": row.name, "kind": row.kind, "enabled": row.enabled != 0 });
    audit::store::insert(&mut tx, &Entry::by(viewer, now, action, &row.id, detail)).await?;
    tx.commit().await?;
    app.wake.notify_one();
    Ok(row)
}

/// Removes a receiver. What it was told stays with it.
#[utoipa::path(delete, path = "/api/v1/receivers/{id}", tag = "pages", params(("id" = String, Path)),
    responses((status = 204), (status = 404)))]
async fn remove(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if !store::delete(&mut tx, &id).await? {
        return Err(ApiError::not_found("receiver", &id));
    }
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "receiver.remove", &id, json!({}))).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tells a receiver of an invented ticket that begins and ends at once, and answers what it said.
#[utoipa::path(post, path = "/api/v1/receivers/{id}/test", tag = "pages", params(("id" = String, Path)),
    responses((status = 200, body = ReceiverTest), (status = 404)))]
async fn test(State(app): State<App>, Path(id): Path<String>) -> Result<Json<ReceiverTest>, ApiError> {
    let now = app.clock.now();
    let receiver = opened(&app, &get(&app, &id).await?)?;
    let senders = Senders::new(&app.config)?;
    let mut answer = Ok(String::new());
    for state in ["open", "closed"] {
        let event = Event {
            key: format!("test/{id}/{}/{state}", now.as_millisecond()),
            state: state.into(),
            number: 0,
            code: "test".into(),
            severity: "minor".into(),
            told_severity: String::new(),
            summary: "Sitewarden: this is a test".into(),
            site: String::new(),
            customer: String::new(),
            device: String::new(),
            opened_at: now.as_millisecond(),
            closed_at: (state == "closed").then_some(now.as_millisecond()),
            acked_by: String::new(),
            link: app.config.public_url(),
        };
        answer = senders.tell(&receiver, &event, now).await;
        if answer.is_err() {
            break;
        }
    }
    let ok = answer.is_ok();
    let answer = answer.as_ref().map_or_else(Refusal::words, String::as_str).to_owned();
    Ok(Json(ReceiverTest { ok, answer }))
}

async fn get(app: &App, id: &str) -> Result<Row, ApiError> {
    let found = store::find(&mut *app.db.read().await?, id).await?;
    found.ok_or_else(|| ApiError::not_found("receiver", id))
}
