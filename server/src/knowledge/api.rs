//! What helped before, on the API.

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::{Known, Trouble, found, offered, store};
use crate::app::App;
use crate::db::Conn;
use crate::error::ApiError;
use crate::router::{Items, Routes};
use crate::user::{Act, Viewer};
use crate::{device, ticket};

pub mod item;

/// The most characters that are looked for.
const WORDS_MAX: usize = 100;

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct KnowledgeQuery {
    /// Words in whatever order, of a symptom, a cause, a solution, a fault code, a model; without them the newest.
    #[serde(default)]
    q: String,
}

/// What helped.
#[derive(Debug, Serialize, ToSchema)]
pub struct KnownCase {
    /// Why it is shown: `again` the same fault on the same device, `model` on the same model, `class` on the same class of
    /// device, `device` another trouble of the same device, `words` it holds what was looked for.
    pub why: &'static str,
    /// How many finished visits say the same.
    pub times: usize,
    /// The ticket of the newest of them.
    pub ticket_number: i64,
    /// What a person wrote as its title; may be empty.
    pub title: String,
    /// Its fault code; may be empty.
    pub code: String,
    /// Its device; may be empty.
    pub device: String,
    /// The device's class; may be empty.
    pub class: String,
    /// The device's model; may be empty.
    pub model: String,
    /// Its site.
    pub site: String,
    /// The site's name in Chinese; may be empty.
    pub site_zh: String,
    /// What was seen; may be empty.
    pub symptom: String,
    /// What was wrong; may be empty.
    pub cause: String,
    /// What was done.
    pub solution: String,
    /// When it was written down, Unix ms.
    pub at: i64,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/tickets/{id}/knowledge", Act::SeeVisits, near)
        .get("/api/v1/knowledge", Act::SeeVisits, list)
        .get("/api/v1/knowledge/proposals", Act::SeeVisits, item::proposals)
        .get("/api/v1/knowledge/items", Act::SeeVisits, item::list)
        .post("/api/v1/knowledge/items", Act::EditKnowledge, item::create)
        .put("/api/v1/knowledge/items/{id}", Act::EditKnowledge, item::change)
        .delete("/api/v1/knowledge/items/{id}", Act::EditKnowledge, item::remove)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(
    paths(near, list, item::proposals, item::list, item::create, item::change, item::remove),
    components(schemas(KnownCase))
)]
pub struct Doc;

/// What helped on tickets that look like this one, the nearest first; at most twenty.
#[utoipa::path(get, path = "/api/v1/tickets/{id}/knowledge", tag = "knowledge", params(("id" = String, Path)),
    responses((status = 200, body = Items<KnownCase>), (status = 404)))]
async fn near(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<Items<KnownCase>>, ApiError> {
    let mut conn = app.db.read().await?;
    let (ticket, trouble) = trouble(&mut conn, &viewer, &id).await?;
    let cases = store::list_near(&mut conn, &viewer.scope, &ticket, &trouble).await?;
    Ok(Json(Items::all(offered(cases, &trouble).into_iter().map(KnownCase::from).collect())))
}

/// What helped in visits whose words hold all that is looked for, the newest of each; at most twenty.
#[utoipa::path(get, path = "/api/v1/knowledge", tag = "knowledge", params(KnowledgeQuery),
    responses((status = 200, body = Items<KnownCase>)))]
async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<KnowledgeQuery>,
) -> Result<Json<Items<KnownCase>>, ApiError> {
    bounded(&query.q)?;
    let cases = store::list(&mut *app.db.read().await?, &viewer.scope).await?;
    Ok(Json(Items::all(found(cases, &query.q).into_iter().map(KnownCase::from).collect())))
}

/// The trouble that a ticket is about.
async fn trouble(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<(String, Trouble), ApiError> {
    let row = ticket::store::find(conn, &viewer.scope, id).await?;
    let row = row.ok_or_else(|| ApiError::not_found("ticket", id))?;
    let about = match &row.device_id {
        Some(device) => device::store::find(conn, &viewer.scope, device).await?,
        None => None,
    };
    let (class, model) = about.map(|device| (device.class, device.model)).unwrap_or_default();
    Ok((row.id, Trouble { device_id: row.device_id, class, model, code: row.code }))
}

fn bounded(words: &str) -> Result<(), ApiError> {
    if words.chars().count() > WORDS_MAX {
        let text = format!("it has more than {WORDS_MAX} characters");
        return Err(ApiError::bad_request("q", text, "look for fewer words"));
    }
    Ok(())
}

impl From<Known> for KnownCase {
    fn from(known: Known) -> Self {
        let Known { why, case, times } = known;
        Self {
            why: why.as_str(),
            times,
            ticket_number: case.ticket_number,
            title: case.title,
            code: case.code,
            device: case.device,
            class: case.class,
            model: case.model,
            site: case.site,
            site_zh: case.site_zh,
            symptom: case.symptom,
            cause: case.cause,
            solution: case.solution,
            at: case.at,
        }
    }
}
