//! Escalation on the API: plans and whether they lead to somebody, the people they name, what would happen.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::forecast::{self, Forecast, ForeseenPerson};
use super::plan::Plan;
use super::store::people::{self, Named};
use super::store::{plan as store, subject};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::clock::from_ms;
use crate::db::Conn;
use crate::error::ApiError;
use crate::id::uuid_v7;
use crate::router::input::line;
use crate::router::{Items, Routes};
use crate::user::{self, Act, Role, Scope, Viewer};
use crate::{customer, site};

pub mod pager;
pub mod ticket;

/// A plan, and for which place it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanEntry {
    /// Names it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// For this site.
    pub site_id: Option<String>,
    /// Its name.
    pub site_name: Option<String>,
    /// For this customer; for all where neither is given.
    pub customer_id: Option<String>,
    /// Its name.
    pub customer_name: Option<String>,
    /// Of several for one place the lower one is looked at first.
    pub position: i64,
    /// What it says; `null` when this release cannot read it.
    pub plan: Option<Plan>,
    /// Unix ms.
    pub changed_at: i64,
}

/// A plan as it is written.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPlanEntry {
    /// What people call it; no two have the same name.
    pub name: String,
    /// For this site.
    pub site_id: Option<String>,
    /// For this customer; for all where neither is given.
    pub customer_id: Option<String>,
    /// Of several for one place the lower one is looked at first.
    #[serde(default)]
    pub position: i64,
    /// What it says.
    pub plan: Plan,
}

/// A plan to look at.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanDraft {
    /// For this site.
    pub site_id: Option<String>,
    /// For this customer.
    pub customer_id: Option<String>,
    /// What it says.
    pub plan: Plan,
}

/// Whom a plan would ask now.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlanCheck {
    /// For each step, whom it would ask at the first of the sites.
    pub steps: Vec<Vec<ForeseenPerson>>,
    /// That site's name; empty when there is none.
    pub site: String,
    /// How many sites it is for.
    pub sites: usize,
    /// Sites at which no step would ask anybody; at most 50 names.
    pub leads_to_nobody: Vec<String>,
}

/// Somebody whom plans name by what the person is to a place.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlaceRole {
    /// Names it.
    pub id: String,
    /// `manager`, `expert`, `engineer`: the one of the place's own, or `contact`: an account of the customer that is told.
    pub kind: String,
    /// Of this site.
    pub site_id: Option<String>,
    /// Its name.
    pub site_name: Option<String>,
    /// Of this customer; of all where neither is given.
    pub customer_id: Option<String>,
    /// Its name.
    pub customer_name: Option<String>,
    /// Who.
    pub account_id: String,
    /// The person's name.
    pub account: String,
}

/// Somebody to name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPlaceRole {
    /// `manager`, `expert`, `engineer` (of a site or a customer) or `contact`.
    pub kind: String,
    /// Of this site.
    pub site_id: Option<String>,
    /// Of this customer; of all where neither is given.
    pub customer_id: Option<String>,
    /// Who.
    pub account_id: String,
}

/// What to foresee.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// Which device fails.
    device_id: String,
    /// With which fault code.
    fault: String,
    /// When, Unix ms; now when neither this nor `local` is given.
    at: Option<i64>,
    /// When, by the clock at the site, `2026-11-29T03:00`.
    local: Option<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/escalation/plans", Act::SeeEscalation, list)
        .post("/api/v1/escalation/plans", Act::EditEscalation, create)
        .put("/api/v1/escalation/plans/{id}", Act::EditEscalation, change)
        .delete("/api/v1/escalation/plans/{id}", Act::EditEscalation, remove)
        .post("/api/v1/escalation/check", Act::SeeEscalation, check)
        .get("/api/v1/escalation/people", Act::SeeEscalation, list_people)
        .post("/api/v1/escalation/people", Act::EditEscalation, name)
        .delete("/api/v1/escalation/people/{id}", Act::EditEscalation, unname)
        .get("/api/v1/escalation/forecast", Act::SeeEscalation, foresee)
        .with(ticket::routes())
        .with(pager::routes())
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, create, change, remove, check, list_people, name, unname, foresee))]
pub struct Doc;

impl From<store::Row> for PlanEntry {
    fn from(row: store::Row) -> Self {
        Self {
            plan: row.plan(),
            id: row.id,
            name: row.name,
            site_id: row.site_id,
            site_name: row.site_name,
            customer_id: row.customer_id,
            customer_name: row.customer_name,
            position: row.position,
            changed_at: row.changed_at,
        }
    }
}

/// Every plan, in the order in which they are looked at.
#[utoipa::path(get, path = "/api/v1/escalation/plans", tag = "escalation",
    responses((status = 200, body = Items<PlanEntry>)))]
async fn list(State(app): State<App>) -> Result<Json<Items<PlanEntry>>, ApiError> {
    let rows = store::list(&mut *app.db.read().await?).await?;
    Ok(Json(Items::all(rows.into_iter().map(PlanEntry::from).collect())))
}

/// Checks what a plan says and where it is for.
async fn accept(conn: &mut Conn, id: &str, new: NewPlanEntry) -> Result<store::Row, ApiError> {
    new.plan.check().map_err(|fault| {
        let hint = fault.hint;
        ApiError::bad_request(&format!("plan.{}", fault.place), fault.what, hint)
    })?;
    place(conn, new.site_id.as_deref(), new.customer_id.as_deref()).await?;
    Ok(store::Row {
        id: id.to_owned(),
        name: line("name", &new.name, 1..=120)?,
        site_id: new.site_id,
        site_name: None,
        customer_id: new.customer_id,
        customer_name: None,
        position: new.position.clamp(0, 1_000_000),
        body: serde_json::to_string(&new.plan).map_err(anyhow::Error::from)?,
        changed_at: 0,
    })
}

async fn place(conn: &mut Conn, site: Option<&str>, customer: Option<&str>) -> Result<(), ApiError> {
    match (site, customer) {
        (Some(_), Some(_)) => {
            Err(ApiError::bad_request("site_id, customer_id", "both are given", "give one, or neither"))
        }
        (Some(id), None) => {
            let found = site::store::find(conn, &Scope::All, id).await?;
            found.map(drop).ok_or_else(|| ApiError::not_found("site", id))
        }
        (None, Some(id)) => {
            let found = customer::store::find(conn, &Scope::All, id).await?;
            found.map(drop).ok_or_else(|| ApiError::not_found("customer", id))
        }
        (None, None) => Ok(()),
    }
}

fn taken(name: &str) -> ApiError {
    ApiError::conflict("name_taken", format!("another plan is called `{name}`")).hint("choose another name")
}

async fn get(conn: &mut Conn, id: &str) -> Result<Json<PlanEntry>, ApiError> {
    let row = store::find(conn, id).await?.ok_or_else(|| ApiError::not_found("plan", id))?;
    Ok(Json(row.into()))
}

/// Adds a plan.
#[utoipa::path(post, path = "/api/v1/escalation/plans", tag = "escalation", request_body = NewPlanEntry,
    responses((status = 201, body = PlanEntry), (status = 409)))]
async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewPlanEntry>,
) -> Result<(StatusCode, Json<PlanEntry>), ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let row = accept(&mut tx, "", new).await?;
    let id = store::insert(&mut tx, &row, now).await?.ok_or_else(|| taken(&row.name))?;
    let detail = json!({ "name": row.name });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "escalation.create", id.as_str(), detail)).await?;
    let shown = get(&mut tx, id.as_str()).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, shown))
}

/// Writes a plan anew. Tickets whose escalation has begun keep the plan with which it began.
#[utoipa::path(put, path = "/api/v1/escalation/plans/{id}", tag = "escalation", params(("id" = String, Path)),
    request_body = NewPlanEntry, responses((status = 200, body = PlanEntry), (status = 404), (status = 409)))]
async fn change(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewPlanEntry>,
) -> Result<Json<PlanEntry>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    store::find(&mut tx, &id).await?.ok_or_else(|| ApiError::not_found("plan", &id))?;
    let row = accept(&mut tx, &id, new).await?;
    if !store::update(&mut tx, &row, now).await? {
        return Err(taken(&row.name));
    }
    let detail = json!({ "name": row.name });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "escalation.change", &id, detail)).await?;
    let shown = get(&mut tx, &id).await?;
    tx.commit().await?;
    Ok(shown)
}

/// Removes a plan. Tickets whose escalation has begun keep it.
#[utoipa::path(delete, path = "/api/v1/escalation/plans/{id}", tag = "escalation", params(("id" = String, Path)),
    responses((status = 204), (status = 404)))]
async fn remove(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if !store::delete(&mut tx, &id).await? {
        return Err(ApiError::not_found("plan", &id));
    }
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "escalation.remove", &id, json!({}))).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whom a plan that may not be kept yet would ask now, and at which of its sites it leads to nobody.
#[utoipa::path(post, path = "/api/v1/escalation/check", tag = "escalation", request_body = PlanDraft,
    responses((status = 200, body = PlanCheck)))]
async fn check(State(app): State<App>, Json(draft): Json<PlanDraft>) -> Result<Json<PlanCheck>, ApiError> {
    draft.plan.check().map_err(|fault| {
        let hint = fault.hint;
        ApiError::bad_request(&format!("plan.{}", fault.place), fault.what, hint)
    })?;
    let now = app.clock.now();
    let mut conn = app.db.read().await?;
    let sites: Vec<_> = site::store::list(&mut conn, &Scope::All, draft.site_id.as_deref())
        .await?
        .into_iter()
        .filter(|site| draft.customer_id.as_ref().is_none_or(|id| *id == site.customer_id))
        .collect();
    let mut found = PlanCheck {
        steps: Vec::new(),
        site: sites.first().map(|site| site.name.clone()).unwrap_or_default(),
        sites: sites.len(),
        leads_to_nobody: Vec::new(),
    };
    for (index, site) in sites.iter().take(200).enumerate() {
        let mut reached = BTreeSet::new();
        for step in &draft.plan.steps {
            let people = people::resolve(&mut conn, &step.targets, site.id.as_str(), now).await?;
            reached.extend(people.iter().filter(|one| one.is_reachable()).map(|one| one.account_id.clone()));
            if index == 0 {
                found.steps.push(people.iter().map(ForeseenPerson::from).collect());
            }
        }
        if reached.is_empty() && found.leads_to_nobody.len() < 50 {
            found.leads_to_nobody.push(site.name.clone());
        }
    }
    Ok(Json(found))
}

impl From<Named> for PlaceRole {
    fn from(row: Named) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            site_id: row.site_id,
            site_name: row.site_name,
            customer_id: row.customer_id,
            customer_name: row.customer_name,
            account_id: row.account_id,
            account: row.account,
        }
    }
}

/// Managers, experts and the customers' contact persons.
#[utoipa::path(get, path = "/api/v1/escalation/people", tag = "escalation",
    responses((status = 200, body = Items<PlaceRole>)))]
async fn list_people(State(app): State<App>) -> Result<Json<Items<PlaceRole>>, ApiError> {
    let rows = people::list_named(&mut *app.db.read().await?).await?;
    Ok(Json(Items::all(rows.into_iter().map(PlaceRole::from).collect())))
}

/// Names a manager, an expert, a customer's or a site's own engineer, who is proposed first for its visits, or a contact
/// person of a customer, who is then told of its trouble.
#[utoipa::path(post, path = "/api/v1/escalation/people", tag = "escalation", request_body = NewPlaceRole,
    responses((status = 201, body = PlaceRole), (status = 409)))]
async fn name(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewPlaceRole>,
) -> Result<(StatusCode, Json<PlaceRole>), ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    place(&mut tx, new.site_id.as_deref(), new.customer_id.as_deref()).await?;
    let account = user::store::find_account(&mut tx, &new.account_id).await?;
    let account = account.ok_or_else(|| ApiError::not_found("person", &new.account_id))?;
    let is_customer = account.role == Role::Customer.as_str();
    match (new.kind.as_str(), is_customer) {
        ("manager" | "expert", false) => {}
        ("engineer", false) if new.site_id.is_some() || new.customer_id.is_some() => {}
        ("engineer", false) => {
            let hint = "name the customer or the site";
            return Err(ApiError::bad_request("customer_id", "an engineer is somebody's own", hint));
        }
        ("contact", true) => contact_of(&mut tx, &new, account.customer_id.as_deref()).await?,
        ("contact", false) => {
            let hint = "name an account with the role customer";
            return Err(ApiError::bad_request("account_id", "this account is not the customer's", hint));
        }
        ("manager" | "expert" | "engineer", true) => {
            let hint = "name one of your own people";
            return Err(ApiError::bad_request("account_id", "this account is a customer's", hint));
        }
        (other, _) => {
            let hint = "use manager, expert, engineer or contact";
            return Err(ApiError::bad_request("kind", format!("`{other}` is unknown"), hint));
        }
    }
    let row = Named {
        id: uuid_v7(now),
        kind: new.kind,
        site_id: new.site_id,
        site_name: None,
        customer_id: new.customer_id,
        customer_name: None,
        account_id: new.account_id,
        account: account.name,
    };
    if !people::insert_named(&mut tx, &row, now).await? {
        return Err(ApiError::conflict("named_already", format!("{} is that already", row.account)));
    }
    let detail =
        json!({ "kind": row.kind, "account": row.account, "site": row.site_id, "customer": row.customer_id });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "escalation.name", &row.id, detail)).await?;
    let shown = people::list_named(&mut tx).await?.into_iter().find(|one| one.id == row.id).unwrap_or(row);
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(shown.into())))
}

/// A contact person hears of the own customer's trouble only.
async fn contact_of(conn: &mut Conn, new: &NewPlaceRole, own: Option<&str>) -> Result<(), ApiError> {
    let of = match (&new.site_id, &new.customer_id) {
        (Some(id), _) => site::store::find(conn, &Scope::All, id).await?.map(|site| site.customer_id),
        (None, of) => of.clone(),
    };
    if of.is_some() && of.as_deref() == own {
        return Ok(());
    }
    let hint = "name the account's own customer, or one of its sites";
    Err(ApiError::bad_request("customer_id, site_id", "it is not the account's own", hint))
}

/// Takes such a name away.
#[utoipa::path(delete, path = "/api/v1/escalation/people/{id}", tag = "escalation", params(("id" = String, Path)),
    responses((status = 204), (status = 404)))]
async fn unname(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if !people::delete_named(&mut tx, &id).await? {
        return Err(ApiError::not_found("role", &id));
    }
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "escalation.unname", &id, json!({}))).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who would be asked, and when, if a device failed; the answer of the rule that does it.
#[utoipa::path(get, path = "/api/v1/escalation/forecast", tag = "escalation", params(Asked),
    responses((status = 200, body = Forecast), (status = 404)))]
async fn foresee(
    State(app): State<App>,
    viewer: Viewer,
    Query(asked): Query<Asked>,
) -> Result<Json<Forecast>, ApiError> {
    if sitewarden_proto::fault::find(&asked.fault).is_none() {
        let hint = "GET /api/v1/faults lists the codes";
        return Err(ApiError::bad_request("fault", format!("`{}` is unknown", asked.fault), hint));
    }
    let mut conn = app.db.read().await?;
    let found = subject(&mut conn, &viewer.scope, &asked.device_id).await?;
    let found = found.ok_or_else(|| ApiError::not_found("device", &asked.device_id))?;
    let at = match asked.local.as_deref() {
        Some(local) => forecast::instant(local, &found.zone).ok_or_else(|| {
            let hint = "write a time that the site's clock shows, as 2026-11-29T03:00";
            ApiError::bad_request("local", format!("`{local}` is no time there"), hint)
        })?,
        None => asked.at.map_or_else(|| app.clock.now(), from_ms),
    };
    Ok(Json(forecast::foresee(&mut conn, &asked.device_id, found, &asked.fault, at).await?))
}
