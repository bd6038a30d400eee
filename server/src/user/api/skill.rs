//! What people can do, with which certificate, and where they live: whom an escalation asks by skill and distance.

use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use crate::app::App;
use crate::audit::{self, Entry};
use crate::error::ApiError;
use crate::router::input::line;
use crate::router::{Items, Routes};
use crate::site::{DATUMS, position_fault};
use crate::user::store::skill::{self as store, Home, Skill};
use crate::user::{Act, Viewer, store as users};

/// The most skills of one person.
const SKILLS_MAX: usize = 50;

/// One skill.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SkillEntry {
    /// What people call it; the same word everywhere.
    pub skill: String,
    /// The certificate that says so.
    #[serde(default)]
    pub certificate: String,
    /// When it runs out, Unix ms; from then on the person is not asked for it.
    pub expires_at: Option<i64>,
}

/// What a person can do and where the person lives.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Abilities {
    /// The skills.
    pub skills: Vec<SkillEntry>,
    /// Degrees north of the home.
    pub lat: Option<f64>,
    /// Degrees east.
    pub lon: Option<f64>,
    /// The datum of both: `wgs84`, `gcj02` or `bd09`.
    pub datum: Option<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/users/{id}/skills", Act::EditPeople, get)
        .put("/api/v1/users/{id}/skills", Act::EditPeople, put)
        .get("/api/v1/skills", Act::SeePeople, names)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(get, put, names))]
pub struct Doc;

/// What a person can do and where the person lives.
#[utoipa::path(get, path = "/api/v1/users/{id}/skills", tag = "people", params(("id" = String, Path)),
    responses((status = 200, body = Abilities), (status = 404)))]
async fn get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Abilities>, ApiError> {
    let mut conn = app.db.read().await?;
    users::find_account(&mut conn, &id).await?.ok_or_else(|| ApiError::not_found("person", &id))?;
    let skills = store::list(&mut conn, &id).await?;
    let home = store::find_home(&mut conn, &id).await?;
    Ok(Json(Abilities {
        skills: skills
            .into_iter()
            .map(|one| SkillEntry {
                skill: one.skill,
                certificate: one.certificate,
                expires_at: one.expires_at,
            })
            .collect(),
        lat: home.as_ref().map(|home| home.lat),
        lon: home.as_ref().map(|home| home.lon),
        datum: home.map(|home| home.datum),
    }))
}

/// Writes what a person can do and where the person lives, as a whole.
#[utoipa::path(put, path = "/api/v1/users/{id}/skills", tag = "people", params(("id" = String, Path)),
    request_body = Abilities, responses((status = 200, body = Abilities), (status = 404)))]
async fn put(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(given): Json<Abilities>,
) -> Result<Json<Abilities>, ApiError> {
    let now = app.clock.now();
    if given.skills.len() > SKILLS_MAX {
        return Err(ApiError::bad_request("skills", "too many", "a person has 50 skills at most"));
    }
    let mut skills = Vec::new();
    for one in &given.skills {
        skills.push(Skill {
            skill: line("skill", &one.skill, 1..=60)?,
            certificate: line("certificate", &one.certificate, 0..=120)?,
            expires_at: one.expires_at,
        });
    }
    if let Some(fault) = position_fault(given.lat, given.lon) {
        return Err(ApiError::bad_request("lat, lon", fault, "give both in degrees, or neither"));
    }
    let datum = given.datum.as_deref().unwrap_or(DATUMS[0]).to_lowercase().replace('-', "");
    if !DATUMS.contains(&datum.as_str()) {
        return Err(ApiError::bad_request("datum", "it is not known", "use wgs84, gcj02 or bd09"));
    }
    let home = given.lat.zip(given.lon).map(|(lat, lon)| Home { lat, lon, datum });
    let mut tx = app.db.write().await?;
    users::find_account(&mut tx, &id).await?.ok_or_else(|| ApiError::not_found("person", &id))?;
    store::set(&mut tx, &id, &skills, home.as_ref(), now).await?;
    let words: Vec<&str> = skills.iter().map(|one| one.skill.as_str()).collect();
    let detail = json!({ "skills": words, "home": home.is_some() });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "user.skills", &id, detail)).await?;
    tx.commit().await?;
    get(State(app), Path(id)).await
}

/// Every skill that anybody has.
#[utoipa::path(get, path = "/api/v1/skills", tag = "people", responses((status = 200, body = Items<String>)))]
async fn names(State(app): State<App>) -> Result<Json<Items<String>>, ApiError> {
    Ok(Json(Items::all(store::list_names(&mut *app.db.read().await?).await?)))
}
