//! How the pager itself is: what its audit finds, where its heartbeat goes, whose it hears.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::app::App;
use crate::audit::{self, Entry};
use crate::error::ApiError;
use crate::escalation::store::{finding, peer};
use crate::id::uuid_v7;
use crate::keys::random;
use crate::page::channel::heartbeat;
use crate::router::Routes;
use crate::router::input::line;
use crate::site;
use crate::user::login::hash_of;
use crate::user::{Act, Scope, Viewer};

/// Heartbeats go to so many places at most.
const HEARTBEATS_MAX: usize = 20;
/// So many installations are heard at most.
const PEERS_MAX: usize = 100;

/// How the pager is. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pager {
    /// When the last audit was made.
    pub audited_at: Option<i64>,
    /// When one was last passed.
    pub passed_at: Option<i64>,
    /// Everything that keeps people from being paged, as far as is known.
    pub findings: Vec<PagerFinding>,
    /// Where the heartbeat goes.
    pub heartbeats: Vec<HeartbeatTo>,
    /// Whose heartbeats are heard.
    pub peers: Vec<PeerHeard>,
}

/// Something that keeps people from being paged.
#[derive(Debug, Serialize, ToSchema)]
pub struct PagerFinding {
    /// `no_next_step`, `overdue`, `unsent`, `site_to_nobody`, `device_to_nobody`, `rota_gap` or `channel_failed`.
    pub kind: String,
    /// Names what it is about, within its kind.
    pub subject: String,
    /// What people call that.
    pub label: String,
    /// More words, as they are.
    pub detail: String,
    /// Since when it is known, Unix ms.
    pub since: i64,
}

/// A place that hears this server's heartbeat. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeartbeatTo {
    /// Names it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The address without what may be secret in it.
    pub host: String,
    /// `GET` or `POST`.
    pub method: String,
    /// When it was last tried.
    pub tried_at: Option<i64>,
    /// When it was last taken.
    pub sent_at: Option<i64>,
    /// What was answered.
    pub last_answer: String,
}

/// A new place.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewHeartbeat {
    /// What people call it.
    pub name: String,
    /// An http(s) URL.
    pub address: String,
    /// `GET` or `POST`.
    pub method: Option<String>,
}

/// Another installation. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeerHeard {
    /// Names it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Where a ticket is opened when it falls silent.
    pub site_id: String,
    /// After so many seconds of silence.
    pub limit_s: i64,
    /// When it was last heard.
    pub heard_at: Option<i64>,
    /// Since when it is silent.
    pub silent_since: Option<i64>,
    /// The ticket about that.
    pub ticket_id: Option<String>,
}

/// A new installation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPeer {
    /// What people call it.
    pub name: String,
    /// Where a ticket is opened when it falls silent.
    pub site_id: String,
    /// After so many seconds of silence; 300 when it is not given.
    pub limit_s: Option<i64>,
}

/// What the other installation is told, once.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeerAddress {
    /// The installation.
    pub id: String,
    /// The address its heartbeat goes to; the token in it is not shown again.
    pub address: String,
}

/// Who speaks.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Token {
    /// The secret that was shown when the installation was added.
    token: String,
}

/// The routes.
pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/pager", Act::SeeEscalation, get)
        .post("/api/v1/pager/heartbeats", Act::EditPager, add_heartbeat)
        .delete("/api/v1/pager/heartbeats/{id}", Act::EditPager, remove_heartbeat)
        .post("/api/v1/pager/peers", Act::EditPager, add_peer)
        .delete("/api/v1/pager/peers/{id}", Act::EditPager, remove_peer)
        .get("/api/v1/heartbeat", Act::Public, hear)
        .post("/api/v1/heartbeat", Act::Public, hear_post)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(get, add_heartbeat, remove_heartbeat, add_peer, remove_peer, hear, hear_post))]
pub struct Doc;

/// How the pager is.
#[utoipa::path(get, path = "/api/v1/pager", tag = "escalation", responses((status = 200, body = Pager)))]
async fn get(State(app): State<App>) -> Result<Json<Pager>, ApiError> {
    let mut conn = app.db.read().await?;
    let (audited_at, passed_at) = finding::audited(&mut conn).await?;
    let findings = finding::list(&mut conn).await?;
    let heartbeats = peer::list_heartbeats(&mut conn).await?;
    let peers = peer::list_peers(&mut conn).await?;
    Ok(Json(Pager {
        audited_at,
        passed_at,
        findings: findings
            .into_iter()
            .map(|row| PagerFinding {
                kind: row.kind,
                subject: row.subject,
                label: row.label,
                detail: row.detail,
                since: row.since,
            })
            .collect(),
        heartbeats: heartbeats
            .into_iter()
            .map(|row| HeartbeatTo {
                host: host(&row.address),
                id: row.id,
                name: row.name,
                method: row.method,
                tried_at: row.tried_at,
                sent_at: row.sent_at,
                last_answer: row.last_answer,
            })
            .collect(),
        peers: peers
            .into_iter()
            .map(|row| PeerHeard {
                id: row.id,
                name: row.name,
                site_id: row.site_id,
                limit_s: row.limit_s,
                heard_at: row.heard_at,
                silent_since: row.silent_since,
                ticket_id: row.ticket_id,
            })
            .collect(),
    }))
}

/// Scheme and host of an address: its path or its query may be the secret.
fn host(address: &str) -> String {
    address.splitn(4, '/').take(3).collect::<Vec<_>>().join("/")
}

/// Adds a place to which a heartbeat goes every minute while the pager's audit is passed.
#[utoipa::path(post, path = "/api/v1/pager/heartbeats", tag = "escalation", request_body = NewHeartbeat,
    responses((status = 201)))]
async fn add_heartbeat(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewHeartbeat>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let address = line("address", &new.address, 8..=500)?;
    heartbeat::check(&address).map_err(|fault| {
        ApiError::bad_request("address", fault, "write a URL such as https://hc-ping.com/…")
    })?;
    let method = new.method.unwrap_or_else(|| "GET".to_owned()).to_uppercase();
    if !["GET", "POST"].contains(&method.as_str()) {
        return Err(ApiError::bad_request("method", format!("`{method}` is unknown"), "use GET or POST"));
    }
    let row = peer::Heartbeat {
        id: uuid_v7(now),
        name: line("name", &new.name, 1..=120)?,
        address,
        method,
        tried_at: None,
        sent_at: None,
        last_answer: String::new(),
    };
    let mut tx = app.db.write().await?;
    if peer::list_heartbeats(&mut tx).await?.len() >= HEARTBEATS_MAX {
        return Err(
            ApiError::conflict("too_many", "there are 20 already").hint("remove one that is not used")
        );
    }
    peer::insert_heartbeat(&mut tx, &row, now).await?;
    let detail = json!({ "name": row.name, "host": host(&row.address) });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "pager.heartbeat_add", &row.id, detail)).await?;
    tx.commit().await?;
    Ok(StatusCode::CREATED)
}

/// Removes such a place.
#[utoipa::path(delete, path = "/api/v1/pager/heartbeats/{id}", tag = "escalation", params(("id" = String, Path)),
    responses((status = 204), (status = 404)))]
async fn remove_heartbeat(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if !peer::delete_heartbeat(&mut tx, &id).await? {
        return Err(ApiError::not_found("heartbeat", &id));
    }
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "pager.heartbeat_remove", &id, json!({}))).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Adds another installation whose heartbeats are heard here; the answer holds the address for it, once.
#[utoipa::path(post, path = "/api/v1/pager/peers", tag = "escalation", request_body = NewPeer,
    responses((status = 201, body = PeerAddress), (status = 404)))]
async fn add_peer(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewPeer>,
) -> Result<(StatusCode, Json<PeerAddress>), ApiError> {
    let now = app.clock.now();
    let limit_s = new.limit_s.unwrap_or(300);
    if !(90..=86_400).contains(&limit_s) {
        let hint = "a heartbeat comes every minute: write 90 to 86400 seconds";
        return Err(ApiError::bad_request("limit_s", "out of bounds", hint));
    }
    let mut tx = app.db.write().await?;
    if site::store::find(&mut tx, &Scope::All, &new.site_id).await?.is_none() {
        return Err(ApiError::not_found("site", &new.site_id));
    }
    if peer::list_peers(&mut tx).await?.len() >= PEERS_MAX {
        return Err(ApiError::conflict("too_many", "there are 100 already").hint("remove one that is gone"));
    }
    let token = URL_SAFE_NO_PAD.encode(random::<32>());
    let row = peer::Peer {
        id: uuid_v7(now),
        name: line("name", &new.name, 1..=120)?,
        site_id: new.site_id,
        limit_s,
        created_at: now.as_millisecond(),
        heard_at: None,
        silent_since: None,
        ticket_id: None,
    };
    peer::insert_peer(&mut tx, &row, &hash_of(&token)).await?;
    let detail = json!({ "name": row.name });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "pager.peer_add", &row.id, detail)).await?;
    tx.commit().await?;
    let address = format!("{}/api/v1/heartbeat?token={token}", app.config.public_url());
    Ok((StatusCode::CREATED, Json(PeerAddress { id: row.id, address })))
}

/// Removes another installation.
#[utoipa::path(delete, path = "/api/v1/pager/peers/{id}", tag = "escalation", params(("id" = String, Path)),
    responses((status = 204), (status = 404)))]
async fn remove_peer(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if !peer::delete_peer(&mut tx, &id).await? {
        return Err(ApiError::not_found("peer", &id));
    }
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "pager.peer_remove", &id, json!({}))).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Another installation says that its pager is well.
#[utoipa::path(get, path = "/api/v1/heartbeat", tag = "escalation", params(Token),
    responses((status = 204), (status = 404, description = "not a token of ours")))]
async fn hear(State(app): State<App>, Query(token): Query<Token>) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if !peer::hear(&mut tx, &hash_of(&token.token), now).await? {
        return Err(ApiError::not_found("installation with this token", "…"));
    }
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The same, for those who POST.
#[utoipa::path(post, path = "/api/v1/heartbeat", tag = "escalation", params(Token),
    responses((status = 204), (status = 404, description = "not a token of ours")))]
async fn hear_post(state: State<App>, token: Query<Token>) -> Result<StatusCode, ApiError> {
    hear(state, token).await
}
