//! The HTTP shell: every route names the act it is, and passes one guard before its handler.
//!
//! The guard turns the cookie into a [`Viewer`], checks the cross-site header on everything that
//! writes, looks the act up in the permission table and bounds the time a request may take. Around
//! it lie the layers that concern every answer: request id and log line, security headers,
//! compression, and one JSON shape for every refusal. The path of a request is logged as its route,
//! never as it was typed, because some paths carry a secret.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, FromRequestParts, MatchedPath, Request, State};
use axum::handler::Handler;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tracing::Level;

use crate::app::App;
use crate::error::ApiError;
use crate::user::login::Signed;
use crate::user::{Act, Viewer, allows, login};

pub mod input;
pub mod peer;

pub use input::Items;
pub use peer::Peer;

/// How long a request may take; the live stream is the exception.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// The largest request body, bytes.
const BODY_MAX: usize = 1 << 20;
/// How much of a foreign refusal is carried into ours, bytes.
const REFUSAL_MAX: usize = 4096;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The header that carries `Me.csrf` on everything that writes.
pub static CSRF: HeaderName = HeaderName::from_static("x-csrf-token");

/// A list of routes, each with the act it is.
#[derive(Default)]
pub struct Routes {
    list: Vec<Route>,
}

struct Route {
    method: Method,
    path: &'static str,
    act: Act,
    endless: bool,
    handler: MethodRouter<App>,
}

impl Routes {
    /// No routes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a `GET`.
    #[must_use]
    pub fn get<H: Handler<T, App>, T: 'static>(self, path: &'static str, act: Act, handler: H) -> Self {
        self.add(Method::GET, path, act, false, on(MethodFilter::GET, handler))
    }

    /// Adds a `GET` whose answer has no end, so that no time limit applies.
    #[must_use]
    pub fn stream<H: Handler<T, App>, T: 'static>(self, path: &'static str, act: Act, handler: H) -> Self {
        self.add(Method::GET, path, act, true, on(MethodFilter::GET, handler))
    }

    /// Adds a `POST`.
    #[must_use]
    pub fn post<H: Handler<T, App>, T: 'static>(self, path: &'static str, act: Act, handler: H) -> Self {
        self.add(Method::POST, path, act, false, on(MethodFilter::POST, handler))
    }

    /// Adds a `PUT`.
    #[must_use]
    pub fn put<H: Handler<T, App>, T: 'static>(self, path: &'static str, act: Act, handler: H) -> Self {
        self.add(Method::PUT, path, act, false, on(MethodFilter::PUT, handler))
    }

    /// Adds a `PATCH`.
    #[must_use]
    pub fn patch<H: Handler<T, App>, T: 'static>(self, path: &'static str, act: Act, handler: H) -> Self {
        self.add(Method::PATCH, path, act, false, on(MethodFilter::PATCH, handler))
    }

    /// Adds a `DELETE`.
    #[must_use]
    pub fn delete<H: Handler<T, App>, T: 'static>(self, path: &'static str, act: Act, handler: H) -> Self {
        self.add(Method::DELETE, path, act, false, on(MethodFilter::DELETE, handler))
    }

    /// Adds all of `other`.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.list.extend(other.list);
        self
    }

    /// What there is: method, path and act of every route.
    pub fn table(&self) -> Vec<(Method, &'static str, Act)> {
        self.list.iter().map(|route| (route.method.clone(), route.path, route.act)).collect()
    }

    /// The service that answers them, with every layer.
    pub fn into_router(self, app: App) -> Router {
        let mut router = Router::new();
        for route in self.list {
            let guard = from_fn_with_state(
                Guarded { app: app.clone(), act: route.act, endless: route.endless },
                guard,
            );
            router = router.route(route.path, route.handler.route_layer(guard));
        }
        router
            .fallback(crate::assets::fallback)
            .layer(DefaultBodyLimit::max(BODY_MAX))
            .layer(from_fn(speak_json))
            .layer(CatchPanicLayer::custom(|panic: Box<dyn std::any::Any + Send>| {
                let why = panic.downcast_ref::<String>().map(String::as_str);
                let why = why.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or_default();
                tracing::error!(why, "a handler panicked");
                ApiError::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "internal",
                    "the server failed on this request",
                )
                .into_response()
            }))
            .layer(CompressionLayer::new())
            .layer(from_fn_with_state(app.clone(), secure_headers))
            .layer(
                TraceLayer::new_for_http()
                    .make_span_with(span)
                    .on_response(DefaultOnResponse::new().level(Level::DEBUG)),
            )
            .layer(from_fn(request_id))
            .with_state(app)
    }

    fn add(
        mut self,
        method: Method,
        path: &'static str,
        act: Act,
        endless: bool,
        handler: MethodRouter<App>,
    ) -> Self {
        self.list.push(Route { method, path, act, endless, handler });
        self
    }
}

/// Every route of the server.
pub fn routes() -> Routes {
    Routes::new()
        .with(crate::user::api::routes())
        .with(crate::audit::api::routes())
        .with(crate::customer::api::routes())
        .with(crate::site::api::routes())
        .with(crate::gateway::api::routes())
        .with(crate::device::api::routes())
        .with(crate::device::api::topology::routes())
        .with(crate::incident::api::routes())
        .with(crate::remedy::api::routes())
        .with(crate::maintenance::api::routes())
        .with(crate::ticket::api::routes())
        .with(crate::calendar::api::routes())
        .with(crate::contract::api::routes())
        .with(crate::sla::api::routes())
        .with(crate::visit::api::routes())
        .with(crate::dispatch::api::routes())
        .with(crate::knowledge::api::routes())
        .with(crate::part::api::routes())
        .with(crate::follow::api::routes())
        .with(crate::complaint::api::routes())
        .with(crate::major::api::routes())
        .with(crate::inspection::api::routes())
        .with(crate::deal::api::routes())
        .with(crate::rota::api::routes())
        .with(crate::user::api::skill::routes())
        .with(crate::escalation::api::routes())
        .with(crate::page::api::routes())
        .with(crate::live::api::routes())
        .get("/api/v1/openapi.json", Act::Public, async || axum::Json(crate::openapi::document()))
}

/// The whole HTTP service.
pub fn router(app: App) -> Router {
    routes().into_router(app)
}

#[derive(Clone)]
struct Guarded {
    app: App,
    act: Act,
    endless: bool,
}

async fn guard(State(route): State<Guarded>, request: Request, next: Next) -> Result<Response, ApiError> {
    let endless = route.endless;
    let work = async {
        let request = admit(&route.app, route.act, request).await?;
        Ok(next.run(request).await)
    };
    if endless {
        return work.await;
    }
    tokio::time::timeout(REQUEST_LIMIT, work).await.unwrap_or_else(|_late| {
        tracing::warn!(limit_s = REQUEST_LIMIT.as_secs(), "a request was given up");
        Err(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_slow",
            "the answer took longer than 30 seconds",
        )
        .hint("ask for less at once, or try again when the server is less busy"))
    })
}

/// Lets a request through to its handler, with its viewer, or says why not.
async fn admit(app: &App, act: Act, request: Request) -> Result<Request, ApiError> {
    let (mut parts, body) = request.into_parts();
    let writes = !matches!(parts.method, Method::GET | Method::HEAD);
    if writes && parts.headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") {
        return Err(ApiError::forbidden("cross_site", "another site's page sent this request"));
    }
    match act {
        Act::Public => return Ok(Request::from_parts(parts, body)),
        Act::Scrape => {
            peer::admit_scraper(app, &parts).await?;
            return Ok(Request::from_parts(parts, body));
        }
        act => {
            let now = app.clock.now();
            let secret = session_secret(&parts.headers);
            let (viewer, signed) =
                login::resume(&app.db, secret, now).await?.ok_or_else(ApiError::unauthorized)?;
            if writes && !same_text(parts.headers.get(&CSRF), &signed.csrf) {
                return Err(ApiError::forbidden("wrong_csrf", "the x-csrf-token header is missing or wrong")
                    .hint("send the `csrf` of GET /api/v1/me in the header x-csrf-token"));
            }
            if signed.must_change && act != Act::OwnAccount {
                return Err(ApiError::forbidden(
                    "must_change_password",
                    "this account's password must be changed",
                )
                .hint("choose a password with POST /api/v1/me/password"));
            }
            if !allows(viewer.role, act) {
                return Err(ApiError::forbidden(
                    "not_permitted",
                    format!("the role {} may not do this ({})", viewer.role.as_str(), act.as_str()),
                )
                .hint("ask an administrator"));
            }
            parts.extensions.insert(viewer);
            parts.extensions.insert(signed);
        }
    }
    Ok(Request::from_parts(parts, body))
}

/// The name of the session cookie.
pub const COOKIE: &str = "sw_session";

/// The secret in the session cookie.
fn session_secret(headers: &HeaderMap) -> &str {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
        .unwrap_or_default()
}

/// Compares a secret by its hash, so that the time taken says nothing about it.
fn same_text(given: Option<&HeaderValue>, expected: &str) -> bool {
    let hash = |bytes: &[u8]| ring::digest::digest(&ring::digest::SHA256, bytes).as_ref().to_vec();
    given.is_some_and(|given| hash(given.as_bytes()) == hash(expected.as_bytes()))
}

impl<S: Send + Sync> FromRequestParts<S> for Viewer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::unauthorized)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Signed {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(ApiError::unauthorized)
    }
}

async fn request_id(mut request: Request, next: Next) -> Response {
    let id = HeaderValue::from_str(&uuid::Uuid::new_v4().simple().to_string())
        .unwrap_or(HeaderValue::from_static("none"));
    request.headers_mut().insert(&REQUEST_ID, id.clone());
    let mut response = next.run(request).await;
    response.headers_mut().insert(&REQUEST_ID, id);
    response
}

fn span<B>(request: &axum::http::Request<B>) -> tracing::Span {
    let id = request.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let route = request.extensions().get::<MatchedPath>().map_or("-", MatchedPath::as_str);
    tracing::info_span!("request", id, method = %request.method(), route)
}

async fn secure_headers(State(app): State<App>, request: Request, next: Next) -> Response {
    let api = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; object-src 'none'; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), microphone=(), geolocation=(self)"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if app.config.is_secure() {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    if api {
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    }
    response
}

/// Gives the refusals of the framework (no such route, not JSON, too large) the shape of ours.
async fn speak_json(uri: Uri, request: Request, next: Next) -> Result<Response, Infallible> {
    let response = next.run(request).await;
    let status = response.status();
    let ours = is_json(response.headers());
    if ours || !uri.path().starts_with("/api/") || !(status.is_client_error() || status.is_server_error()) {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let text = to_bytes(body, REFUSAL_MAX).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let (code, hint) = match status {
        StatusCode::NOT_FOUND => ("no_such_route", "GET /api/v1/openapi.json lists every route"),
        StatusCode::METHOD_NOT_ALLOWED => ("no_such_method", "GET /api/v1/openapi.json lists every route"),
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "the body may have one mebibyte at most"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("not_json", "send JSON with content-type: application/json"),
        _ => ("bad_request", "GET /api/v1/openapi.json describes what each route takes"),
    };
    let message = match (text.is_empty(), status) {
        (false, _) => text,
        (true, StatusCode::NOT_FOUND) => format!("there is nothing at {}", uri.path()),
        (true, status) => status.canonical_reason().unwrap_or("refused").to_lowercase(),
    };
    let mut response = ApiError::new(status, code, message).hint(hint).into_response();
    for (name, value) in &parts.headers {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            response.headers_mut().insert(name.clone(), value.clone());
        }
    }
    Ok(response.map(Body::new))
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/json"))
}
