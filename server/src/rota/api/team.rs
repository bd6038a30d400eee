//! Teams on the API.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::get_staff;
use super::shape::Person;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::customer;
use crate::db::Conn;
use crate::error::ApiError;
use crate::rota::store::team as store;
use crate::router::input::{line, prose};
use crate::router::{Items, Routes};
use crate::site;
use crate::user::{Act, Viewer};

/// Members of one team.
const MEMBERS_MAX: usize = 200;
/// Customers and sites that one team serves.
const SERVED_MAX: usize = 2_000;

/// A team.
#[derive(Debug, Serialize, ToSchema)]
pub struct Team {
    /// Names it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Free text.
    pub note: String,
    /// Unix ms; it is not used any more.
    pub archived_at: Option<i64>,
    /// Who is in it.
    pub members: Vec<Person>,
    /// The customers all of whose sites it serves.
    pub customers: Vec<Served>,
    /// Single sites that it serves.
    pub sites: Vec<Served>,
}

/// A customer or a site.
#[derive(Debug, Serialize, ToSchema)]
pub struct Served {
    /// Names it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The same in Chinese; empty where there is none.
    pub name_zh: String,
}

/// A new team.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTeam {
    /// What people call it; no two have the same name.
    pub name: String,
    /// Free text.
    #[serde(default)]
    pub note: String,
    /// Account ids.
    #[serde(default)]
    pub members: Vec<String>,
    /// Ids of customers all of whose sites it serves.
    #[serde(default)]
    pub customers: Vec<String>,
    /// Ids of single sites that it serves.
    #[serde(default)]
    pub sites: Vec<String>,
}

/// What changes of a team.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TeamChange {
    /// What people call it.
    pub name: Option<String>,
    /// Free text.
    pub note: Option<String>,
    /// Everybody in it from now on.
    pub members: Option<Vec<String>>,
    /// Every customer that it serves from now on; comes together with `sites`.
    pub customers: Option<Vec<String>>,
    /// Every single site that it serves from now on; comes together with `customers`.
    pub sites: Option<Vec<String>>,
    /// `true` takes it out of use, `false` brings it back.
    pub archived: Option<bool>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new().get("/api/v1/teams", Act::SeeRota, list).post("/api/v1/teams", Act::EditRota, create).patch(
        "/api/v1/teams/{id}",
        Act::EditRota,
        change,
    )
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, create, change))]
pub struct Doc;

/// Every team, with its people and whom it serves.
#[utoipa::path(get, path = "/api/v1/teams", tag = "rota", responses((status = 200, body = Items<Team>)))]
async fn list(State(app): State<App>) -> Result<Json<Items<Team>>, ApiError> {
    let mut conn = app.db.read().await?;
    let rows = store::list(&mut conn).await?;
    let members = store::list_members(&mut conn, None).await?;
    let served = store::list_served(&mut conn, None).await?;
    Ok(Json(Items::all(rows.into_iter().map(|row| view(row, &members, &served)).collect())))
}

/// Adds a team.
#[utoipa::path(post, path = "/api/v1/teams", tag = "rota", request_body = NewTeam,
    responses((status = 201, body = Team), (status = 409, description = "the name is taken")))]
async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewTeam>,
) -> Result<(StatusCode, Json<Team>), ApiError> {
    let name = line("name", &new.name, 1..=80)?;
    let note = prose("note", &new.note, 0..=4000)?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    check_members(&mut tx, &new.members).await?;
    check_served(&mut tx, &viewer, &new.customers, &new.sites).await?;
    let id = store::insert(&mut tx, &name, &note, now).await?.ok_or_else(|| taken(&name))?;
    store::set_members(&mut tx, &id, &new.members, now).await?;
    store::set_served(&mut tx, &id, &new.customers, &new.sites, now).await?;
    let what =
        json!({ "name": name, "members": new.members, "customers": new.customers, "sites": new.sites });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "team.create", id.as_str(), what)).await?;
    let team = get_view(&mut tx, id.as_str()).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(team)))
}

/// Changes a team.
#[utoipa::path(patch, path = "/api/v1/teams/{id}", tag = "rota", params(("id" = String, Path)),
    request_body = TeamChange, responses((status = 200, body = Team), (status = 404), (status = 409)))]
async fn change(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(change): Json<TeamChange>,
) -> Result<Json<Team>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let mut row = store::find(&mut tx, &id).await?.ok_or_else(|| ApiError::not_found("team", &id))?;
    if let Some(name) = &change.name {
        row.name = line("name", name, 1..=80)?;
    }
    if let Some(note) = &change.note {
        row.note = prose("note", note, 0..=4000)?;
    }
    if let Some(archived) = change.archived {
        row.archived_at = archived.then(|| row.archived_at.unwrap_or(now.as_millisecond()));
    }
    if !store::update(&mut tx, &row).await? {
        return Err(taken(&row.name));
    }
    if let Some(members) = &change.members {
        check_members(&mut tx, members).await?;
        store::set_members(&mut tx, &row.id, members, now).await?;
    }
    match (&change.customers, &change.sites) {
        (Some(customers), Some(sites)) => {
            check_served(&mut tx, &viewer, customers, sites).await?;
            store::set_served(&mut tx, &row.id, customers, sites, now).await?;
        }
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => {
            return Err(ApiError::bad_request(
                "customers",
                "it comes together with `sites`",
                "send both lists",
            ));
        }
    }
    let what = json!({ "name": row.name, "members": change.members, "customers": change.customers,
        "sites": change.sites, "archived": row.archived_at.is_some() });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "team.change", &id, what)).await?;
    let team = get_view(&mut tx, &id).await?;
    tx.commit().await?;
    Ok(Json(team))
}

async fn get_view(conn: &mut Conn, id: &str) -> Result<Team, ApiError> {
    let row = store::find(conn, id).await?.ok_or_else(|| ApiError::not_found("team", id))?;
    let members = store::list_members(conn, Some(id)).await?;
    Ok(view(row, &members, &store::list_served(conn, Some(id)).await?))
}

fn view(row: store::Row, members: &[store::Member], served: &[store::Serves]) -> Team {
    let members = members.iter().filter(|member| member.team_id == row.id).map(|member| Person {
        id: member.account_id.to_string(),
        name: member.name.clone(),
        gone: member.disabled != 0,
    });
    let mut team = Team {
        id: row.id.to_string(),
        name: row.name,
        note: row.note,
        archived_at: row.archived_at,
        members: members.collect(),
        customers: Vec::new(),
        sites: Vec::new(),
    };
    for one in served.iter().filter(|one| one.team_id == row.id) {
        if let (Some(id), Some(name)) = (&one.customer_id, &one.customer) {
            team.customers.push(Served { id: id.clone(), name: name.clone(), name_zh: String::new() });
        }
        if let (Some(id), Some(name)) = (&one.site_id, &one.site) {
            let name_zh = one.site_zh.clone().unwrap_or_default();
            team.sites.push(Served { id: id.clone(), name: name.clone(), name_zh });
        }
    }
    team
}

async fn check_members(conn: &mut Conn, members: &[String]) -> Result<(), ApiError> {
    if members.len() > MEMBERS_MAX {
        return Err(ApiError::bad_request(
            "members",
            format!("at most {MEMBERS_MAX}"),
            "make two teams of it",
        ));
    }
    for id in members {
        get_staff(conn, id).await?;
    }
    Ok(())
}

async fn check_served(
    conn: &mut Conn,
    viewer: &Viewer,
    customers: &[String],
    sites: &[String],
) -> Result<(), ApiError> {
    if customers.len() + sites.len() > SERVED_MAX {
        let text = format!("at most {SERVED_MAX} customers and sites");
        return Err(ApiError::bad_request("sites", text, "name the customer instead of each site"));
    }
    for id in customers {
        let found = customer::store::find(conn, &viewer.scope, id).await?;
        found.ok_or_else(|| ApiError::not_found("customer", id))?;
    }
    for id in sites {
        let found = site::store::find(conn, &viewer.scope, id).await?;
        found.ok_or_else(|| ApiError::not_found("site", id))?;
    }
    Ok(())
}

fn taken(name: &str) -> ApiError {
    ApiError::conflict("name_taken", format!("there is a team `{name}` already")).hint("choose another name")
}
