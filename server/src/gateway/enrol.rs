//! How a gateway becomes one: a token that a person made, a key that never leaves the box, a certificate.
//!
//! The token is `sw1-<secret>-<fingerprint>`: 256 random bits in base64url, and the SHA-256 of the wire's
//! authority, so that the gateway can tell this server from another at first contact. The database keeps
//! only the secret's hash. It works once, for a day. A gateway with a certificate, even an expired one,
//! gets the next by signing the new request with the old key, unless it was revoked.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sitewarden_proto::id::GatewayId;
use utoipa::ToSchema;

use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::broker::Standing;
use crate::db::Conn;
use crate::error::ApiError;
use crate::keys::{Keys, random};
use crate::router::{Peer, Routes};
use crate::tls::{Issued, hex};
use crate::user::Act;

use super::store;

/// Life of a token.
pub const TOKEN_LIFE: SignedDuration = SignedDuration::from_hours(24);
/// A request with the largest key that the wire uses takes about 600 bytes.
const PEM_MAX: usize = 8 * 1024;

/// A gateway's first request.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// The token that a person made for this gateway.
    pub token: String,
    /// PKCS #10 certificate request, PEM.
    pub csr_pem: String,
}

/// A gateway's request for its next certificate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// PKCS #10 certificate request for the new key, PEM.
    pub csr_pem: String,
    /// The certificate that the gateway holds, PEM; it may have expired.
    pub cert_pem: String,
    /// Base64 of the signature over the bytes of `csr_pem`, made with the old certificate's key: ECDSA P-256
    /// with SHA-256 (ASN.1) or Ed25519.
    pub signature: String,
}

/// What a gateway needs to connect.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Enrolled {
    /// Its id: common name, client id and topic segment.
    pub gateway_id: String,
    /// Its certificate, PEM.
    pub cert_pem: String,
    /// The wire's authority, PEM.
    pub ca_pem: String,
    /// `host:port` of the gateways' door.
    pub mqtt: String,
    /// The name in the server's certificate.
    pub server_name: String,
    /// Base64 of the Ed25519 key that signs commands.
    pub command_key: String,
    /// Seconds between heartbeats.
    pub heartbeat_s: u32,
}

/// The routes. Both are open: a token or a signature is the permission.
pub fn routes() -> Routes {
    Routes::new().post("/api/v1/enrol", Act::Public, enrol).post("/api/v1/enrol/renew", Act::Public, renew)
}

/// Makes a token for `gateway`, replacing one that was not used. It is shown once and never stored.
pub async fn make_token(
    conn: &mut Conn,
    keys: &Keys,
    gateway: &GatewayId,
    now: Timestamp,
) -> sqlx::Result<String> {
    let secret = URL_SAFE_NO_PAD.encode(random::<32>());
    store::insert_token(conn, &hash_of(&secret), gateway, now, now + TOKEN_LIFE).await?;
    Ok(format!("sw1-{secret}-{}", keys.ca().fingerprint()))
}

/// What a person types on the gateway.
pub fn command_line(public_url: &str, token: &str) -> String {
    format!("sitewarden-agent enrol --server {public_url} --token {token}")
}

/// Gives a gateway its first certificate.
#[utoipa::path(post, path = "/api/v1/enrol", tag = "gateways", request_body = Enrol,
    responses((status = 200, body = Enrolled), (status = 400), (status = 403), (status = 429)))]
pub(super) async fn enrol(
    State(app): State<App>,
    peer: Peer,
    Json(asked): Json<Enrol>,
) -> Result<Json<Enrolled>, ApiError> {
    let now = app.clock.now();
    let address = peer.address.to_string();
    admit(&app, &address, now)?;
    bounded("csr_pem", &asked.csr_pem)?;
    let refused = || {
        app.gateways.enrolments().failed(&address, now);
        ApiError::new(
            StatusCode::FORBIDDEN,
            "wrong_token",
            "the token is unknown, used up or older than a day",
        )
        .hint("make a new one on the gateways page or with `sitewarden gateway token ID`")
    };
    let secret = secret_of(&asked.token, &app.keys.ca().fingerprint()).ok_or_else(refused)?;
    let mut tx = app.db.write().await?;
    let id = store::use_token(&mut tx, &hash_of(secret), now).await?.ok_or_else(refused)?;
    let gateway = GatewayId::try_from(id).map_err(anyhow::Error::from)?;
    // A request that cannot be signed leaves the token unused: the transaction is dropped.
    let issued = sign(&app, &asked.csr_pem, &gateway, now)?;
    store::record_enrolment(&mut tx, &gateway, &issued, now).await?;
    let record =
        store::find(&mut tx, &gateway).await?.ok_or_else(|| ApiError::not_found("gateway", &gateway))?;
    note(&mut tx, &gateway, "gateway.enrol", &record.name, &issued, now).await?;
    tx.commit().await?;
    app.gateways.set_standing(gateway.clone(), Standing { revoked: false, since: now });
    app.touched(&Touched { gateways: [gateway.to_string()].into(), ..Touched::default() });
    tracing::info!(%gateway, "a gateway was enrolled");
    Ok(Json(answer(&app, &gateway, issued, record.heartbeat_s)))
}

/// Gives a gateway its next certificate.
#[utoipa::path(post, path = "/api/v1/enrol/renew", tag = "gateways", request_body = Renew,
    responses((status = 200, body = Enrolled), (status = 400), (status = 403), (status = 429)))]
pub(super) async fn renew(
    State(app): State<App>,
    peer: Peer,
    Json(asked): Json<Renew>,
) -> Result<Json<Enrolled>, ApiError> {
    let now = app.clock.now();
    let address = peer.address.to_string();
    admit(&app, &address, now)?;
    bounded("csr_pem", &asked.csr_pem)?;
    bounded("cert_pem", &asked.cert_pem)?;
    let refused = |reason: String| {
        app.gateways.enrolments().failed(&address, now);
        ApiError::new(StatusCode::FORBIDDEN, "renewal_refused", reason)
            .hint("enrol the gateway again with a new token")
    };
    let signature = STANDARD.decode(asked.signature.trim()).map_err(|_| {
        ApiError::bad_request("signature", "it is not base64", "send the signature in base64")
    })?;
    let identity = app
        .keys
        .ca()
        .verify_holder(&asked.cert_pem, asked.csr_pem.as_bytes(), &signature)
        .map_err(|error| refused(error.to_string()))?;
    let gateway = identity.gateway;
    let mut tx = app.db.write().await?;
    let record = store::find(&mut tx, &gateway).await?;
    let record = record.ok_or_else(|| refused("there is no such gateway any more".to_owned()))?;
    let since = record.enrolled_at.map_or(Timestamp::MAX, crate::clock::from_ms);
    let standing = Standing { revoked: record.revoked_at.is_some(), since };
    if !standing.accepts(identity.not_before) {
        return Err(refused("the gateway was revoked, or enrolled again since".to_owned()));
    }
    let issued = sign(&app, &asked.csr_pem, &gateway, now)?;
    store::record_certificate(&mut tx, &gateway, &issued).await?;
    note(&mut tx, &gateway, "gateway.renew", &record.name, &issued, now).await?;
    tx.commit().await?;
    tracing::info!(%gateway, "a gateway's certificate was renewed");
    Ok(Json(answer(&app, &gateway, issued, record.heartbeat_s)))
}

fn admit(app: &App, address: &str, now: Timestamp) -> Result<(), ApiError> {
    app.gateways
        .enrolments()
        .check(address, now)
        .map_err(|seconds| ApiError::too_many("too many failed enrolments from this address", seconds))
}

fn bounded(field: &str, pem: &str) -> Result<(), ApiError> {
    if pem.len() <= PEM_MAX {
        return Ok(());
    }
    Err(ApiError::bad_request(field, format!("it has {} bytes", pem.len()), "send one PEM block"))
}

fn sign(app: &App, csr_pem: &str, gateway: &GatewayId, now: Timestamp) -> Result<Issued, ApiError> {
    app.keys
        .ca()
        .sign_gateway(csr_pem, gateway, now)
        .map_err(|error| ApiError::bad_request("csr_pem", error, "let `sitewarden-agent` make the request"))
}

fn answer(app: &App, gateway: &GatewayId, issued: Issued, heartbeat_s: i64) -> Enrolled {
    Enrolled {
        gateway_id: gateway.to_string(),
        cert_pem: issued.pem,
        ca_pem: app.keys.ca().pem().to_owned(),
        mqtt: app.config.mqtt_advertised(),
        server_name: app.config.mqtt_host(),
        command_key: STANDARD.encode(app.keys.command_public_key()),
        heartbeat_s: super::bound_heartbeat(heartbeat_s) as u32,
    }
}

async fn note(
    conn: &mut Conn,
    gateway: &GatewayId,
    action: &'static str,
    name: &str,
    issued: &Issued,
    now: Timestamp,
) -> sqlx::Result<()> {
    let not_after = issued.identity.not_after.to_string();
    let detail = json!({ "name": name, "serial": issued.identity.serial, "not_after": not_after });
    let entry = Entry { actor: name.to_owned(), ..Entry::at_console(now, action, gateway.as_ref(), detail) };
    audit::store::insert(conn, &entry).await
}

/// The secret of a token that names this server's authority. Both parts have a fixed length, because the
/// secret's alphabet holds the separator.
fn secret_of<'t>(token: &'t str, fingerprint: &str) -> Option<&'t str> {
    let rest = token.trim().strip_prefix("sw1-")?;
    let secret = rest.strip_suffix(fingerprint)?.strip_suffix('-')?;
    (secret.len() == 43).then_some(secret)
}

fn hash_of(secret: &str) -> String {
    hex(digest(&SHA256, secret.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_apart_by_length() {
        let fingerprint = "ab".repeat(32);
        let secret = "a-b_".repeat(10) + "abc";
        let token = format!("sw1-{secret}-{fingerprint}");
        assert_eq!(secret_of(&token, &fingerprint), Some(secret.as_str()));
        assert_eq!(secret_of(&format!(" {token}\n"), &fingerprint), Some(secret.as_str()));
        assert_eq!(secret_of(&token, &"cd".repeat(32)), None);
        assert_eq!(secret_of("sw1-", &fingerprint), None);
        assert_eq!(secret_of(&token[1..], &fingerprint), None);
    }
}
