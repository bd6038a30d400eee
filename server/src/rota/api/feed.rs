//! Calendar feeds: an address that is its own proof, one for each rota and one for a person's own shifts.
//!
//! The address is shown once and kept as a hash. Asking again makes a new one and ends the old one. It ends with the
//! account, and shows nothing but shifts and the names of who is on duty.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::get_row;
use super::shape::Names;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::error::ApiError;
use crate::rota::feed::{Event, write};
use crate::rota::store::{self, swap as feeds};
use crate::rota::{RotaId, Shift};
use crate::router::{Items, Routes};
use crate::text::text;
use crate::user::login::{hash_of, random_text};
use crate::user::{self, Act, Language, Viewer};

/// How far back a feed reaches, days.
const PAST_DAYS: i64 = 31;
/// How far ahead, days.
const AHEAD_DAYS: i64 = 120;
/// The most events in one feed; the soonest of what is to come are kept.
const EVENTS_MAX: usize = 2_000;

/// Which feed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFeed {
    /// Everybody's shifts in this rota; `null` is one's own shifts in every rota.
    pub rota_id: Option<String>,
}

/// A feed that one has.
#[derive(Debug, Serialize, ToSchema)]
pub struct Feed {
    /// Of which rota; `null` is one's own shifts in every rota.
    pub rota_id: Option<String>,
    /// When its address was made, Unix ms.
    pub created_at: i64,
}

/// A feed's address.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeedAddress {
    /// What a calendar program subscribes to; shown this once. Whoever has it can read the shifts.
    pub url: String,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/feeds", Act::SeeRota, list)
        .post("/api/v1/feeds", Act::SeeRota, renew)
        .delete("/api/v1/feeds/{id}", Act::SeeRota, end)
        .get("/c/{token}", Act::Public, show)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, renew, end, show))]
pub struct Doc;

/// One's own feeds, without their addresses.
#[utoipa::path(get, path = "/api/v1/feeds", tag = "rota", responses((status = 200, body = Items<Feed>)))]
async fn list(State(app): State<App>, viewer: Viewer) -> Result<Json<Items<Feed>>, ApiError> {
    let rows = feeds::list_feeds(&mut *app.db.read().await?, &viewer.account).await?;
    let feed =
        |row: feeds::Feed| Feed { rota_id: row.rota_id.map(|id| id.to_string()), created_at: row.created_at };
    Ok(Json(Items::all(rows.into_iter().map(feed).collect())))
}

/// Makes the address of a feed; the one it had ends.
#[utoipa::path(post, path = "/api/v1/feeds", tag = "rota", request_body = NewFeed,
    responses((status = 201, body = FeedAddress), (status = 404)))]
async fn renew(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewFeed>,
) -> Result<(StatusCode, Json<FeedAddress>), ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if let Some(rota) = &new.rota_id {
        get_row(&mut tx, rota).await?;
    }
    let secret = random_text();
    feeds::renew_feed(&mut tx, &viewer.account, new.rota_id.as_deref(), &hash_of(&secret), now).await?;
    let subject = new.rota_id.as_deref().unwrap_or("own");
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "feed.renew", subject, json!({}))).await?;
    tx.commit().await?;
    let url = format!("{}/c/{secret}.ics", app.config.public_url().trim_end_matches('/'));
    Ok((StatusCode::CREATED, Json(FeedAddress { url })))
}

/// Ends a feed: of the rota `id`, or `own`.
#[utoipa::path(delete, path = "/api/v1/feeds/{id}", tag = "rota", params(("id" = String, Path)),
    responses((status = 204), (status = 404)))]
async fn end(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let rota = (id != "own").then_some(id.as_str());
    if !feeds::delete_feed(&mut tx, &viewer.account, rota).await? {
        return Err(ApiError::not_found("feed", &id));
    }
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "feed.end", &id, json!({}))).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The feed as a calendar program reads it (RFC 5545).
#[utoipa::path(get, path = "/c/{token}", tag = "rota", params(("token" = String, Path, description = "from the address")),
    responses((status = 200, content_type = "text/calendar"), (status = 404, description = "no such feed, or it has ended")))]
async fn show(State(app): State<App>, Path(token): Path<String>) -> Result<Response, ApiError> {
    let now = app.clock.now();
    let (from, to) =
        (now - SignedDuration::from_hours(24 * PAST_DAYS), now + SignedDuration::from_hours(24 * AHEAD_DAYS));
    let unknown =
        || ApiError::new(StatusCode::NOT_FOUND, "not_found", "there is no such calendar, or it has ended");
    let secret = token.strip_suffix(".ics").unwrap_or(&token);
    let mut conn = app.db.read().await?;
    let feed = feeds::find_feed(&mut conn, &hash_of(secret)).await?.ok_or_else(unknown)?;
    let account =
        user::store::find_account(&mut conn, feed.account_id.as_str()).await?.ok_or_else(unknown)?;
    let language = Language::parse(&account.language);
    let names = Names::load(&mut conn).await?;
    let rows = match &feed.rota_id {
        Some(id) => vec![store::find(&mut conn, id.as_str()).await?.ok_or_else(unknown)?],
        None => store::list(&mut conn).await?,
    };
    let mut shifts: Vec<(RotaId, String, String, Shift)> = Vec::new();
    for row in rows {
        let Some(rota) = store::load(&mut conn, &row.id, from, to).await? else { continue };
        for shift in rota.shifts(from, to) {
            if feed.rota_id.is_some() || shift.account == feed.account_id {
                let layer = rota.layer_name(&shift).to_owned();
                shifts.push((row.id.clone(), row.name.clone(), layer, shift));
            }
        }
    }
    shifts.sort_by_key(|(_, _, _, shift)| shift.start);
    shifts.truncate(EVENTS_MAX);
    let own = feed.rota_id.is_none();
    let events: Vec<Event<'_>> = shifts
        .iter()
        .map(|(id, rota, layer, shift)| {
            let name = names.person(shift.account.as_str()).name;
            let planned = shift.instead_of.as_ref().map(|id| names.person(id.as_str()).name);
            let description = planned.map(|who| text(language, "mail.feed.instead", &[("who", &who)]));
            let key = if own { "mail.feed.own" } else { "mail.feed.shift" };
            Event {
                shift,
                rota_id: id.as_str(),
                summary: text(language, key, &[("who", &name), ("rota", rota), ("layer", layer)]),
                description: description.unwrap_or_default(),
            }
        })
        .collect();
    let name = match (&feed.rota_id, shifts.first()) {
        (Some(_), Some((_, rota, _, _))) => text(language, "mail.feed.rota", &[("rota", rota)]),
        (Some(_), None) | (None, _) => text(language, "mail.feed.name", &[("who", &account.name)]),
    };
    let body = write(&name, &events, now);
    Ok((
        [
            (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
            (header::CACHE_CONTROL, "private, max-age=300"),
        ],
        body,
    )
        .into_response())
}
