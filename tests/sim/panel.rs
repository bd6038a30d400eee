//! The panel: a page on its own loopback port on which a person breaks devices, and sees the pages
//! that were sent to people. The product knows nothing of it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::Site;
use super::device::Device;
use super::trouble::Trouble;

/// A device with what is wrong with it.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The simulator's id.
    pub id: String,
    /// For people.
    pub name: String,
    /// The device class.
    pub class: &'static str,
    /// Its loopback address.
    pub address: String,
    /// The id of the device it hangs off.
    pub parent: Option<String>,
    /// The ways in which it can break.
    pub ways: Vec<Trouble>,
    /// What was done to it.
    pub troubles: Vec<Trouble>,
    /// True while nothing of it answers.
    pub off: bool,
}

/// What to do to a device.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Break {
    /// The word of a way to break it, for example `unplug`.
    pub how: String,
}

impl Row {
    fn of(device: &Device) -> Self {
        Self {
            id: device.id().into(),
            name: device.blueprint().name.clone(),
            class: device.blueprint().class,
            address: device.address().to_string(),
            parent: device.parent().map(str::to_owned),
            ways: device.ways(),
            troubles: device.troubles(),
            off: device.is_off(),
        }
    }
}

/// Serves the panel until it is dropped.
pub async fn serve(listener: TcpListener, site: Arc<Site>) {
    let router = router(site);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::warn!(%error, "the panel ended");
    }
}

/// The panel's routes.
pub fn router(site: Arc<Site>) -> Router {
    Router::new()
        .route("/", get(async || Html(include_str!("panel.html"))))
        .route("/panel.js", get(script))
        .route("/devices", get(list))
        .route("/devices/{id}/break", post(break_device))
        .route("/devices/{id}/mend", post(mend_device))
        .route("/pages", get(pages))
        .route("/webhook", post(webhook))
        .with_state(site)
}

async fn script() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("panel.js"))
}

async fn list(State(site): State<Arc<Site>>) -> Json<Vec<Row>> {
    Json(site.devices().iter().map(|device| Row::of(device)).collect())
}

async fn break_device(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Json(wish): Json<Break>,
) -> Response {
    let done = wish.how.parse().and_then(|trouble| site.break_device(&id, trouble));
    answer(&site, &id, done)
}

/// A JSON body, be it `{}`, is demanded so that no other page in the browser can send the request.
async fn mend_device(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    Json(_): Json<serde_json::Value>,
) -> Response {
    let done = site.mend_device(&id);
    answer(&site, &id, done)
}

fn answer(site: &Site, id: &str, done: anyhow::Result<()>) -> Response {
    match (done, site.device(id)) {
        (Ok(()), Some(device)) => Json(Row::of(device)).into_response(),
        (Err(error), Some(_)) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
        (_, None) => (StatusCode::NOT_FOUND, format!("there is no device `{id}`\n")).into_response(),
    }
}

async fn pages(State(site): State<Arc<Site>>) -> impl IntoResponse {
    Json(site.sink().pages())
}

async fn webhook(State(site): State<Arc<Site>>, body: String) -> StatusCode {
    site.sink().push("webhook", "/webhook".into(), String::new(), body);
    StatusCode::NO_CONTENT
}
