//! The live page on the API: its snapshot, its stream, the fault catalogue, and what a watchdog asks.

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::Stream;
use serde::{Deserialize, Serialize};
use sitewarden_proto::fault;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Interval, MissedTickBehavior};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::board::{Board, DeviceDelta, GatewayDelta};
use super::store::search::{self, Found};
use super::{Frame, store};
use crate::app::App;
use crate::error::ApiError;
use crate::router::{Items, Routes};
use crate::user::login::{self, Signed};
use crate::user::{Act, Viewer};

/// How often a quiet stream says that it lives, and looks whether its session still stands.
const BEAT: Duration = Duration::from_secs(5);

/// A text in both languages.
#[derive(Debug, Serialize, ToSchema)]
pub struct BothLanguages {
    /// English.
    pub en: &'static str,
    /// Simplified Chinese.
    pub zh: &'static str,
}

/// One entry of the fault catalogue.
#[derive(Debug, Serialize, ToSchema)]
pub struct FaultText {
    /// Its name in every record.
    pub code: &'static str,
    /// `critical`, `major` or `minor`.
    pub severity: &'static str,
    /// `down`, `degraded` or `unknown`.
    pub effect: &'static str,
    /// A few words.
    pub title: BothLanguages,
    /// What was observed.
    pub meaning: BothLanguages,
    /// What to do next.
    pub remedy: BothLanguages,
    /// What was measured, with `{key}` for values of the evidence; null where the gateway's own text stands.
    pub evidence: Option<BothLanguages>,
}

/// A sign of life.
#[derive(Debug, Serialize, ToSchema)]
pub struct Beat {
    /// Unix milliseconds.
    pub at: i64,
    /// The number of the last delta.
    pub seq: u64,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/board", Act::SeeBoard, board)
        .stream("/api/v1/live", Act::SeeBoard, live)
        .get("/api/v1/faults", Act::SeeBoard, faults)
        .get("/api/v1/search", Act::SeeBoard, look)
        .get("/healthz", Act::Public, healthz)
        .get("/metrics", Act::Scrape, metrics)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(
    paths(board, live, faults, look, healthz, metrics),
    components(schemas(Beat, DeviceDelta, GatewayDelta))
)]
pub struct Doc;

/// Everything the live page shows.
#[utoipa::path(get, path = "/api/v1/board", tag = "live", responses((status = 200, body = Board)))]
async fn board(State(app): State<App>, viewer: Viewer) -> Result<Json<Board>, ApiError> {
    let seq = app.live.seq();
    Ok(Json(store::read_board(&mut *app.db.read().await?, &viewer.scope, seq, app.clock.now()).await?))
}

/// The live page as server-sent events: `snapshot` (a Board), then `delta` with a number, and `beat`.
#[utoipa::path(get, path = "/api/v1/live", tag = "live",
    responses((status = 200, content_type = "text/event-stream", body = String), (status = 503)))]
async fn live(State(app): State<App>, viewer: Viewer, signed: Signed) -> Result<Response, ApiError> {
    let seat = app.live.take_seat().ok_or_else(|| {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams", "too many live pages are open")
            .hint("close pages that nobody looks at")
    })?;
    let frames = app.live.open(&mut *app.db.read().await?).await?;
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat.reset();
    let page = OpenPage { app, viewer, signed, frames, beat, behind: true, _seat: seat };
    // A proxy must not hold back what is meant to be seen now.
    let head = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((head, Body::from_stream(events(page))).into_response())
}

struct OpenPage {
    app: App,
    viewer: Viewer,
    signed: Signed,
    frames: Receiver<Frame>,
    beat: Interval,
    /// The next thing to send is a snapshot.
    behind: bool,
    _seat: OwnedSemaphorePermit,
}

fn events(page: OpenPage) -> impl Stream<Item = Result<Bytes, Infallible>> {
    futures_util::stream::unfold(page, |mut page| async move {
        match page.next().await {
            Ok(Some(event)) => Some((Ok(event), page)),
            Ok(None) => None,
            Err(error) => {
                tracing::error!(%error, "a live stream ended; its page connects again");
                None
            }
        }
    })
}

impl OpenPage {
    /// The next thing to send; `None` when the stream is over.
    async fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
        loop {
            if std::mem::take(&mut self.behind) {
                let (seq, now) = (self.app.live.seq(), self.app.clock.now());
                let mut conn = self.app.db.read().await?;
                let board = store::read_board(&mut conn, &self.viewer.scope, seq, now).await?;
                return Ok(Some(event("snapshot", &json(&board))));
            }
            tokio::select! {
                frame = self.frames.recv() => match frame {
                    Ok(Frame::Delta(delta)) => {
                        if let Some(event) = delta.event(&self.viewer.scope) {
                            return Ok(Some(event));
                        }
                    }
                    Ok(Frame::Refetch) => self.behind = true,
                    Err(RecvError::Lagged(_)) => {
                        self.app.metrics.stream_refetched();
                        self.behind = true;
                    }
                    Ok(Frame::End) | Err(RecvError::Closed) => return Ok(None),
                },
                _ = self.beat.tick() => {
                    let now = self.app.clock.now();
                    if !login::keep(&self.app.db, &self.signed.token_hash, &self.viewer, now).await? {
                        return Ok(None);
                    }
                    let beat = Beat { at: now.as_millisecond(), seq: self.app.live.seq() };
                    return Ok(Some(event("beat", &json(&beat))));
                }
            }
        }
    }
}

/// One event of the stream (WHATWG HTML, server-sent events). JSON as it is written here has no line breaks.
pub(super) fn event(name: &str, json: &str) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {json}\n\n"))
}

fn json<T: Serialize>(body: &T) -> String {
    serde_json::to_string(body).unwrap_or_default()
}

/// Every fault that a device can have, in words.
#[utoipa::path(get, path = "/api/v1/faults", tag = "live", responses((status = 200, body = Items<FaultText>)))]
async fn faults() -> Json<Items<FaultText>> {
    fn both(text: &'static fault::Text) -> BothLanguages {
        BothLanguages { en: &text.en, zh: &text.zh }
    }
    let entry = |fault: &'static fault::Fault| FaultText {
        code: fault.code.as_str(),
        severity: fault.severity.as_str(),
        effect: fault.effect.as_str(),
        title: both(&fault.title),
        meaning: both(&fault.meaning),
        remedy: both(&fault.remedy),
        evidence: fault.evidence.as_ref().map(both),
    };
    Json(Items::all(fault::catalogue().iter().map(entry).collect()))
}

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// A part of a name, an address, a serial number, or a ticket's number.
    pub q: String,
}

/// Looks for devices, sites and tickets.
#[utoipa::path(get, path = "/api/v1/search", tag = "live", params(Wanted),
    responses((status = 200, body = Found)))]
async fn look(
    State(app): State<App>,
    viewer: Viewer,
    Query(wanted): Query<Wanted>,
) -> Result<Json<Found>, ApiError> {
    let q = wanted.q.trim().to_lowercase();
    if q.is_empty() {
        return Ok(Json(Found::default()));
    }
    if q.chars().count() > 100 {
        return Err(ApiError::bad_request(
            "q",
            "it has more than 100 characters",
            "look for a part of a name",
        ));
    }
    Ok(Json(search::find(&mut *app.db.read().await?, &viewer.scope, &q).await?))
}

/// Whether this server answers and reaches its database.
#[utoipa::path(get, path = "/healthz", tag = "operation",
    responses((status = 200, body = String), (status = 503)))]
async fn healthz(State(app): State<App>) -> Response {
    let reached = async { store::ping(&mut *app.db.read().await?).await };
    match reached.await {
        Ok(()) => "ok\n".into_response(),
        Err(error) => {
            tracing::error!(%error, "the database does not answer");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

/// What a Prometheus reads, from this machine or with the configured token.
#[utoipa::path(get, path = "/metrics", tag = "operation",
    responses((status = 200, content_type = "application/openmetrics-text", body = String), (status = 401)))]
async fn metrics(State(app): State<App>) -> Result<Response, ApiError> {
    let mut now = store::read_gauges(&mut *app.db.read().await?, app.clock.now()).await?;
    now.streams = app.live.streams() as i64;
    now.connected = app.gateways.connected().len() as i64;
    now.door_refused = app.gateways.counters();
    for gateway in &mut now.each_gateway {
        let refused = gateway.id.parse().map_or(0, |id| app.gateways.refusals(&id));
        gateway.refused = i64::try_from(refused).unwrap_or(i64::MAX);
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], app.metrics.render(&now)).into_response())
}
