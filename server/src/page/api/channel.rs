//! The channels: which there are, what each needs, what an administrator has set, how deliveries went. A secret is
//! written and never read again.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, OpenApi, ToSchema};

use crate::app::App;
use crate::audit::{self, Entry};
use crate::error::ApiError;
use crate::page::channel::settings::{self, Kind};
use crate::page::channel::{KINDS, Settings, web_push};
use crate::page::step::send;
use crate::page::store::provider;
use crate::page::store::send::{Delivery, list_deliveries};
use crate::router::input::line;
use crate::router::{Items, Routes};
use crate::user::store::contact;
use crate::user::{Act, Viewer, allows};

/// One setting of a channel.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChannelField {
    /// Its name.
    pub name: &'static str,
    /// It is never shown again.
    pub secret: bool,
    /// It may stay empty.
    pub optional: bool,
    /// What it is while nothing is set.
    pub default: &'static str,
    /// What is set; empty for a secret and for who may not change it.
    pub value: String,
    /// Whether something is set.
    pub is_set: bool,
}

/// A channel.
#[derive(Debug, Serialize, ToSchema)]
pub struct Channel {
    /// Its name.
    pub name: &'static str,
    /// What a person's address on it looks like: `mail`, `url`, `phone`, `id`, `mention`, `topic`, `subscription`.
    pub address: &'static str,
    /// A push may get lost unnoticed: it is never a person's only channel.
    pub is_push: bool,
    /// Whether everything that it needs is set.
    pub is_ready: bool,
    /// What is set or can be.
    pub fields: Vec<ChannelField>,
    /// When it was set, Unix milliseconds.
    pub changed_at: Option<i64>,
    /// How many people are reached on it.
    pub people: i64,
    /// The limit that a new contact gets, in ten minutes; 0 is none.
    pub limit: i64,
}

/// All channels.
#[derive(Debug, Serialize, ToSchema)]
pub struct Channels {
    /// The channels.
    pub items: Vec<Channel>,
    /// People who are reached by nothing but pushes.
    pub push_alone: Vec<String>,
}

/// What an administrator sets.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChannelChange {
    /// Texts by name. A secret that is not named or empty stays; anything else that is empty takes its default.
    pub values: BTreeMap<String, String>,
}

/// Which deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeliveryFilter {
    /// On this channel only.
    pub channel: Option<String>,
    /// Only those that failed.
    #[serde(default)]
    pub failed: bool,
}

/// The key to which a browser's subscription is bound.
#[derive(Debug, Serialize, ToSchema)]
pub struct PushKey {
    /// An uncompressed point of P-256 in URL-safe base64, as the Push API takes it.
    pub public_key: String,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/channels", Act::SeeChannels, list)
        .put("/api/v1/channels/{channel}", Act::EditChannels, change)
        .delete("/api/v1/channels/{channel}", Act::EditChannels, remove)
        .get("/api/v1/push-key", Act::OwnContacts, push_key)
        .get("/api/v1/deliveries", Act::SeeDeliveries, deliveries)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, change, remove, push_key, deliveries))]
pub struct Doc;

/// The channels, whether each is set up, and for administrators what is set.
#[utoipa::path(get, path = "/api/v1/channels", tag = "pages", responses((status = 200, body = Channels)))]
async fn list(State(app): State<App>, viewer: Viewer) -> Result<Json<Channels>, ApiError> {
    let may_see = allows(viewer.role, Act::EditChannels);
    let people: BTreeMap<String, i64> =
        provider::count_people(&mut *app.db.read().await?).await?.into_iter().collect();
    let mut items = Vec::new();
    for kind in KINDS {
        items.push(shown(&app, kind, may_see, people.get(kind.name).copied().unwrap_or(0)).await?);
    }
    let push_alone = contact::list_push_alone(&mut *app.db.read().await?).await?;
    let push_alone = push_alone.into_iter().map(|(_, name)| name).collect();
    Ok(Json(Channels { items, push_alone }))
}

async fn shown(app: &App, kind: &'static Kind, may_see: bool, people: i64) -> Result<Channel, ApiError> {
    let found = provider::find(&mut *app.db.read().await?, kind.name).await?;
    let settings = send::settings(app, kind.name).await?;
    let set = |name: &str| settings.values().get(name).filter(|value| !value.is_empty());
    let is_ready =
        if kind.name == "email" { app.config.smtp.is_some() } else { settings_missing(kind, &settings) };
    let fields = kind.fields.iter().filter(|field| field.name != "private_key").map(|field| ChannelField {
        name: field.name,
        secret: field.secret,
        optional: field.optional,
        default: field.default,
        value: set(field.name).filter(|_| may_see && !field.secret).cloned().unwrap_or_default(),
        is_set: set(field.name).is_some(),
    });
    Ok(Channel {
        name: kind.name,
        address: kind.address.as_str(),
        is_push: kind.is_push(),
        is_ready,
        fields: fields.collect(),
        changed_at: found.map(|(_, at)| at),
        people,
        limit: kind.limit,
    })
}

fn settings_missing(kind: &Kind, settings: &Settings) -> bool {
    kind.fields.is_empty() || settings.missing().is_empty()
}

fn known(name: &str) -> Result<&'static Kind, ApiError> {
    let kind = settings::find(name).ok_or_else(|| ApiError::not_found("channel", name))?;
    if kind.fields.is_empty() {
        return Err(ApiError::conflict("nothing_to_set", format!("the channel {name} has no settings here"))
            .hint("e-mail is set up in the server's own file under [smtp]"));
    }
    Ok(kind)
}

/// Sets up a channel. Its secrets are sealed and not shown again.
#[utoipa::path(put, path = "/api/v1/channels/{channel}", tag = "pages", params(("channel" = String, Path)),
    request_body = ChannelChange, responses((status = 200, body = Channel), (status = 404)))]
async fn change(
    State(app): State<App>,
    viewer: Viewer,
    Path(channel): Path<String>,
    Json(change): Json<ChannelChange>,
) -> Result<Json<Channel>, ApiError> {
    let kind = known(&channel)?;
    let now = app.clock.now();
    let mut values = send::settings(&app, kind.name).await?.values().clone();
    for (name, value) in &change.values {
        let field = kind.fields.iter().find(|field| field.name == name && field.name != "private_key");
        let field = field.ok_or_else(|| {
            let names: Vec<&str> = kind.fields.iter().map(|field| field.name).collect();
            ApiError::bad_request(
                name,
                "this channel has no such setting",
                format!("set {}", names.join(", ")),
            )
        })?;
        let value = line(name, value, 0..=2000)?;
        if name.ends_with("_url") && !value.is_empty() {
            crate::page::channel::check("webhook", &value, "")
                .map_err(|fault| ApiError::bad_request(name, fault, "write `https://host`"))?;
        }
        if !(field.secret && value.is_empty()) {
            values.insert(name.clone(), value);
        }
    }
    if kind.name == "web_push" {
        let subject = values.get("subject").map(String::as_str).unwrap_or_default();
        if !subject.starts_with("mailto:") && !subject.starts_with("https://") {
            return Err(ApiError::bad_request(
                "subject",
                "push services want to know whom to ask",
                "write `mailto:` and an address of yours, or an `https://` page",
            ));
        }
        if !values.contains_key("private_key") {
            let key = web_push::new_key().ok_or_else(|| anyhow::anyhow!("no random numbers for a key"))?;
            values.insert("private_key".to_owned(), key);
        }
    }
    let missing = Settings::new(kind.name, values.clone()).missing();
    if !missing.is_empty() {
        return Err(ApiError::bad_request(
            missing[0],
            "it is missing",
            "set everything that is not optional",
        ));
    }
    let sealed = app.keys.seal(&serde_json::to_vec(&values).map_err(anyhow::Error::from)?);
    let mut tx = app.db.write().await?;
    provider::put(&mut tx, kind.name, sealed, now).await?;
    let detail = json!({ "set": change.values.keys().collect::<Vec<_>>() });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "channel.change", kind.name, detail)).await?;
    tx.commit().await?;
    Ok(Json(shown(&app, kind, true, 0).await?))
}

/// Forgets what is set for a channel. Pages on it fail until it is set up again, and say so.
#[utoipa::path(delete, path = "/api/v1/channels/{channel}", tag = "pages", params(("channel" = String, Path)),
    responses((status = 204), (status = 404)))]
async fn remove(
    State(app): State<App>,
    viewer: Viewer,
    Path(channel): Path<String>,
) -> Result<StatusCode, ApiError> {
    let kind = known(&channel)?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if !provider::delete(&mut tx, kind.name).await? {
        return Err(ApiError::not_found("setting of channel", kind.name));
    }
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "channel.remove", kind.name, json!({}))).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The key that a browser needs to subscribe.
#[utoipa::path(get, path = "/api/v1/push-key", tag = "pages",
    responses((status = 200, body = PushKey), (status = 409, description = "web_push is not set up")))]
async fn push_key(State(app): State<App>) -> Result<Json<PushKey>, ApiError> {
    let settings = send::settings(&app, "web_push").await?;
    let public_key = web_push::public_key(settings.get("private_key")).ok_or_else(|| {
        ApiError::conflict("not_set_up", "pushes to browsers are not set up")
            .hint("an administrator sets them up on the page Channels")
    })?;
    Ok(Json(PushKey { public_key }))
}

/// How the newest attempts to deliver pages went.
#[utoipa::path(get, path = "/api/v1/deliveries", tag = "pages", params(DeliveryFilter),
    responses((status = 200, body = Items<Delivery>)))]
async fn deliveries(
    State(app): State<App>,
    Query(filter): Query<DeliveryFilter>,
) -> Result<Json<Items<Delivery>>, ApiError> {
    let mut conn = app.db.read().await?;
    Ok(Json(Items::all(list_deliveries(&mut conn, filter.channel.as_deref(), filter.failed).await?)))
}
