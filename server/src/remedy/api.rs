//! Remedies on the API: what a site allows, consents, and the button.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};

use super::step::{self, BY_HAND_WAIT, begin};
use super::store::settings::{self, NewConsent, Settings};
use super::store::{self, New};
use super::{ConsentMode, Kind, No, rule_fault};
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::db::Conn;
use crate::error::ApiError;
use crate::router::Routes;
use crate::router::input::{line, prose};
use crate::user::{Act, Viewer};
use crate::{device, site};

pub mod shape;

pub use shape::{Consent, DeviceRemedies, Offer, Remedy, RemedyRule, SiteRemedies};

/// What a site allows from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteRemediesChange {
    /// Remedies at all.
    pub enabled: bool,
    /// `none`, `standing` or `each`.
    pub consent: String,
    /// From which minute of the site's day.
    pub from_minute: i64,
    /// To which; the same = always.
    pub to_minute: i64,
    /// What is allowed, per class and kind.
    pub rules: Vec<RemedyRule>,
}

/// A consent to record.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConsentGiven {
    /// Who agreed.
    pub given_by: String,
    /// In which words, or where they are written.
    pub words: String,
    /// Until when, Unix ms; absent = until it is taken back.
    pub until_at: Option<i64>,
}

/// A remedy that a person presses.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Press {
    /// `poe_cycle`, `reboot` or `readd_channel`.
    pub kind: String,
    /// The recorder's channel, for `readd_channel`.
    pub channel: Option<u32>,
    /// Who agreed, where the site wants to be asked each time.
    pub consent_by: Option<String>,
    /// In which words.
    pub consent_words: Option<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/sites/{id}/remedies", Act::SeeRemedies, get)
        .put("/api/v1/sites/{id}/remedies", Act::EditRemedies, change)
        .post("/api/v1/sites/{id}/remedies/consents", Act::EditRemedies, consent)
        .delete("/api/v1/sites/{id}/remedies/consents/{consent}", Act::EditRemedies, revoke)
        .get("/api/v1/devices/{id}/remedies", Act::SeeRemedies, list)
        .post("/api/v1/devices/{id}/remedies", Act::PressRemedies, press)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(get, change, consent, revoke, list, press))]
pub struct Doc;

async fn site_named(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<(), ApiError> {
    let found = site::store::find(conn, &viewer.scope, id).await?;
    found.map(|_| ()).ok_or_else(|| ApiError::not_found("site", id))
}

async fn whole(conn: &mut Conn, id: &str, now: Timestamp) -> Result<SiteRemedies, ApiError> {
    let settings = settings::find(conn, id).await?;
    let rules = settings::list_rules(conn, id).await?;
    let consents = settings::list_consents(conn, id).await?;
    Ok(SiteRemedies::new(settings, rules, consents, now))
}

/// What a site allows, and who agreed.
#[utoipa::path(get, path = "/api/v1/sites/{id}/remedies", tag = "remedies", params(("id" = String, Path)),
    responses((status = 200, body = SiteRemedies), (status = 404)))]
async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<SiteRemedies>, ApiError> {
    let mut conn = app.db.read().await?;
    site_named(&mut conn, &viewer, &id).await?;
    Ok(Json(whole(&mut conn, &id, app.clock.now()).await?))
}

/// Replaces what a site allows. Switched off, nothing new begins; what waits or is on its way to a gateway is taken
/// back, what a gateway has begun it ends.
#[utoipa::path(put, path = "/api/v1/sites/{id}/remedies", tag = "remedies", params(("id" = String, Path)),
    request_body = SiteRemediesChange, responses((status = 200, body = SiteRemedies), (status = 400), (status = 404)))]
async fn change(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(change): Json<SiteRemediesChange>,
) -> Result<Json<SiteRemedies>, ApiError> {
    let Some(consent) = ConsentMode::parse(&change.consent) else {
        let what = format!("`{}` is unknown", change.consent);
        return Err(ApiError::bad_request("consent", what, "use none, standing or each"));
    };
    let minutes = 0..=1440;
    if !minutes.contains(&change.from_minute) || !minutes.contains(&change.to_minute) {
        let hint = "give minutes of the day from 0 to 1440; the same twice means always";
        return Err(ApiError::bad_request("from_minute, to_minute", "they are out of range", hint));
    }
    let mut rules = Vec::new();
    for rule in change.rules {
        let rule = rule.parse()?;
        if let Some(fault) = rule_fault(&rule) {
            return Err(ApiError::bad_request("rules", fault, "change the rule or leave it out"));
        }
        if rules.iter().any(|other: &super::Rule| other.class == rule.class && other.kind == rule.kind) {
            let what = format!("{} for `{}` is there twice", rule.kind.as_str(), rule.class);
            return Err(ApiError::bad_request("rules", what, "keep one of them"));
        }
        rules.push(rule);
    }
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    site_named(&mut tx, &viewer, &id).await?;
    let settings = Settings {
        enabled: change.enabled,
        consent,
        hours: (change.from_minute, change.to_minute),
        changed_at: now.as_millisecond(),
        changed_by: viewer.name.clone(),
    };
    settings::replace(&mut tx, &id, &settings, &rules, now).await?;
    let touched =
        if settings.enabled { Touched::default() } else { step::switched_off(&mut tx, &id, now).await? };
    let allowed: Vec<String> = rules
        .iter()
        .map(|rule| format!("{} {} {}", rule.class, rule.kind.as_str(), rule.automatic))
        .collect();
    let detail = json!({ "enabled": change.enabled, "consent": consent.as_str(), "rules": allowed });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "remedy.allow", &id, detail)).await?;
    let whole = whole(&mut tx, &id, now).await?;
    tx.commit().await?;
    app.touched(&touched);
    Ok(Json(whole))
}

/// Records a standing consent: who agreed, in which words, until when.
#[utoipa::path(post, path = "/api/v1/sites/{id}/remedies/consents", tag = "remedies", params(("id" = String, Path)),
    request_body = NewConsentGiven, responses((status = 201, body = SiteRemedies), (status = 400), (status = 404)))]
async fn consent(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(given): Json<NewConsentGiven>,
) -> Result<(StatusCode, Json<SiteRemedies>), ApiError> {
    let now = app.clock.now();
    let given_by = line("given_by", &given.given_by, 1..=120)?;
    let words = prose("words", &given.words, 1..=2000)?;
    if given.until_at.is_some_and(|at| at <= now.as_millisecond()) {
        return Err(ApiError::bad_request("until_at", "it has passed", "give a time to come, or none"));
    }
    let mut tx = app.db.write().await?;
    site_named(&mut tx, &viewer, &id).await?;
    let new = NewConsent {
        site_id: &id,
        standing: true,
        given_by: &given_by,
        words: &words,
        until_at: given.until_at,
        recorded_by: &viewer.name,
    };
    settings::insert_consent(&mut tx, &new, now).await?;
    let detail = json!({ "given_by": given_by, "words": words, "until_at": given.until_at });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "remedy.consent", &id, detail)).await?;
    let whole = whole(&mut tx, &id, now).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(whole)))
}

/// Takes a standing consent back. It stays on record.
#[utoipa::path(delete, path = "/api/v1/sites/{id}/remedies/consents/{consent}", tag = "remedies",
    params(("id" = String, Path), ("consent" = String, Path)), responses((status = 204), (status = 404)))]
async fn revoke(
    State(app): State<App>,
    viewer: Viewer,
    Path((id, consent)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    site_named(&mut tx, &viewer, &id).await?;
    if !settings::revoke(&mut tx, &id, &consent, &viewer.name, now).await? {
        return Err(ApiError::not_found("consent that stands", &consent));
    }
    let detail = json!({ "consent": consent });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "remedy.revoke", &id, detail)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What may be done for a device now, why not, and what was done.
#[utoipa::path(get, path = "/api/v1/devices/{id}/remedies", tag = "remedies", params(("id" = String, Path)),
    responses((status = 200, body = DeviceRemedies), (status = 404)))]
async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<DeviceRemedies>, ApiError> {
    Ok(Json(of_device(&app, &mut *app.db.read().await?, &viewer, &id).await?))
}

async fn of_device(
    app: &App,
    conn: &mut Conn,
    viewer: &Viewer,
    id: &str,
) -> Result<DeviceRemedies, ApiError> {
    let found = device::store::find(conn, &viewer.scope, id).await?;
    let device = found.ok_or_else(|| ApiError::not_found("device", id))?;
    let now = app.clock.now();
    let consent = consent_mode(conn, id, now).await?;
    let rules = settings::list_rules(conn, &device.site_id).await?;
    let mut offers = Vec::new();
    for kind in Kind::ALL {
        let Some(rule) = rules.iter().find(|rule| rule.class == device.class && rule.kind == kind) else {
            continue;
        };
        let (no, today, target) = may(app, conn, id, kind, &Value::Null, true, now).await?;
        offers.push(Offer {
            kind: kind.as_str().to_owned(),
            no: no.map(|no| no.as_str().to_owned()),
            needs_consent: consent == ConsentMode::Each,
            today,
            daily_limit: rule.daily_limit,
            switch: text(&target, "switch"),
            port: text(&target, "port"),
        });
    }
    let record = store::list(conn, &viewer.scope, id, 50).await?;
    Ok(DeviceRemedies { offers, record: record.into_iter().map(Remedy::from).collect() })
}

fn text(target: &Value, key: &str) -> Option<String> {
    target.get(key).and_then(Value::as_str).map(str::to_owned)
}

/// Which consent the site or the contract demands.
async fn consent_mode(conn: &mut Conn, device: &str, now: Timestamp) -> sqlx::Result<ConsentMode> {
    let Some(at) = store::find_where(conn, device).await? else { return Ok(ConsentMode::Each) };
    Ok(step::terms(conn, &at, now).await?.consent)
}

/// Whether a person may do this now; how many there were today; what it would act on.
async fn may(
    app: &App,
    conn: &mut Conn,
    device: &str,
    kind: Kind,
    asked: &Value,
    consented: bool,
    now: Timestamp,
) -> Result<(Option<No>, i64, Value), ApiError> {
    let Some(at) = store::find_where(conn, device).await? else {
        return Ok((Some(No::Offline), 0, Value::Null));
    };
    let settings = step::terms(conn, &at, now).await?;
    let rules = settings::list_rules(conn, &at.site_id).await?;
    let (rule, seen) = step::look(conn, device, &at, &rules, &settings, kind, now).await?;
    let rule = rule.map(|index| &rules[index]);
    let each = consented && settings.consent == ConsentMode::Each;
    if let Err(no) = seen.decide(&settings, rule, None, each, false) {
        return Ok((Some(no), seen.today, Value::Null));
    }
    if at.gateway_state != "online" {
        return Ok((Some(No::Offline), seen.today, Value::Null));
    }
    // Which channel is asked with the button.
    let any = json!({ "channel": 1 });
    let asked = if asked.is_null() && kind == Kind::ReaddChannel { &any } else { asked };
    Ok(match begin::aim(conn, &app.keys, device, &at, kind, asked).await? {
        Ok((_, target)) => (None, seen.today, target),
        Err(no) => (Some(no), seen.today, Value::Null),
    })
}

/// Does something for a device from afar. It begins within a second or two; the device's record and its ticket tell
/// what comes of it.
#[utoipa::path(post, path = "/api/v1/devices/{id}/remedies", tag = "remedies", params(("id" = String, Path)),
    request_body = Press, responses((status = 202, body = DeviceRemedies), (status = 400), (status = 404), (status = 409)))]
async fn press(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(press): Json<Press>,
) -> Result<(StatusCode, Json<DeviceRemedies>), ApiError> {
    let Some(kind) = Kind::parse(&press.kind) else {
        let hint = "use poe_cycle, reboot or readd_channel";
        return Err(ApiError::bad_request("kind", format!("`{}` is unknown", press.kind), hint));
    };
    if kind == Kind::ReaddChannel && press.channel.is_none_or(|channel| channel == 0) {
        return Err(ApiError::bad_request("channel", "it is missing", "give the recorder's channel, from 1"));
    }
    let by = line("consent_by", press.consent_by.as_deref().unwrap_or_default(), 0..=120)?;
    let words = prose("consent_words", press.consent_words.as_deref().unwrap_or_default(), 0..=2000)?;
    let consented = !by.is_empty() && !words.is_empty();
    let asked = press.channel.map_or(Value::Null, |channel| json!({ "channel": channel }));
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let found = device::store::find(&mut tx, &viewer.scope, &id).await?;
    let device = found.ok_or_else(|| ApiError::not_found("device", &id))?;
    let (no, _, _) = may(&app, &mut tx, &id, kind, &asked, consented, now).await?;
    if let Some(no) = no {
        let what = format!("{} of {}: not now ({})", kind.as_str(), device.name, no.as_str());
        return Err(ApiError::conflict(no.as_str(), what).hint(no.hint()));
    }
    let mode = consent_mode(&mut tx, &id, now).await?;
    let consent = match mode {
        ConsentMode::None => None,
        ConsentMode::Standing => {
            settings::find_standing(&mut tx, &device.site_id, now).await?.map(|consent| consent.id)
        }
        ConsentMode::Each => {
            let new = NewConsent {
                site_id: &device.site_id,
                standing: false,
                given_by: &by,
                words: &words,
                until_at: None,
                recorded_by: &viewer.name,
            };
            Some(settings::insert_consent(&mut tx, &new, now).await?)
        }
    };
    let ticket = store::standing_ticket(&mut tx, &id).await?;
    let new = New {
        site_id: &device.site_id,
        device_id: &id,
        kind,
        target: &asked,
        ticket_id: ticket.as_deref(),
        code: "",
        automatic: false,
        actor: &viewer.name,
        consent_id: consent.as_deref(),
        until: now + BY_HAND_WAIT,
    };
    let remedy = store::insert(&mut tx, &new, now).await?;
    let detail = json!({ "kind": kind.as_str(), "remedy": remedy, "consent_by": by });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "remedy.press", &id, detail)).await?;
    let whole = of_device(&app, &mut tx, &viewer, &id).await?;
    tx.commit().await?;
    let mut touched = Touched { devices: [id].into(), ..Touched::default() };
    touched.tickets.extend(ticket);
    app.touched(&touched);
    Ok((StatusCode::ACCEPTED, Json(whole)))
}
