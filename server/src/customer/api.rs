//! Customers on the API.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::store;
use crate::app::App;
use crate::audit::{self, Entry};
use crate::error::ApiError;
use crate::router::input::{line, prose};
use crate::router::{Items, Routes};
use crate::user::{Act, Viewer};

/// Who pays.
#[derive(Debug, Serialize, ToSchema)]
pub struct Customer {
    /// Names it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Free text.
    pub note: String,
    /// Unix milliseconds.
    pub created_at: i64,
    /// How many sites it has.
    pub sites: i64,
}

/// A new customer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCustomer {
    /// What people call it.
    pub name: String,
    /// Free text.
    #[serde(default)]
    pub note: String,
}

/// What changes of a customer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerChange {
    /// What people call it.
    pub name: Option<String>,
    /// Free text.
    pub note: Option<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/customers", Act::SeeCustomers, list)
        .post("/api/v1/customers", Act::EditCustomers, create)
        .get("/api/v1/customers/{id}", Act::SeeCustomers, get)
        .patch("/api/v1/customers/{id}", Act::EditCustomers, change)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, create, get, change))]
pub struct Doc;

impl From<store::Row> for Customer {
    fn from(row: store::Row) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name,
            note: row.note,
            created_at: row.created_at,
            sites: row.sites,
        }
    }
}

/// All customers, by name.
#[utoipa::path(get, path = "/api/v1/customers", tag = "customers",
    responses((status = 200, body = Items<Customer>)))]
async fn list(State(app): State<App>, viewer: Viewer) -> Result<Json<Items<Customer>>, ApiError> {
    let rows = store::list(&mut *app.db.read().await?, &viewer.scope, None).await?;
    Ok(Json(Items::all(rows.into_iter().map(Customer::from).collect())))
}

/// One customer.
#[utoipa::path(get, path = "/api/v1/customers/{id}", tag = "customers", params(("id" = String, Path)),
    responses((status = 200, body = Customer), (status = 404)))]
async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<Customer>, ApiError> {
    let found = store::find(&mut *app.db.read().await?, &viewer.scope, &id).await?;
    Ok(Json(found.ok_or_else(|| ApiError::not_found("customer", &id))?.into()))
}

/// Adds a customer.
#[utoipa::path(post, path = "/api/v1/customers", tag = "customers", request_body = NewCustomer,
    responses((status = 201, body = Customer)))]
async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewCustomer>,
) -> Result<(StatusCode, Json<Customer>), ApiError> {
    let name = line("name", &new.name, 1..=120)?;
    let note = prose("note", &new.note, 0..=4000)?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let id = store::insert(&mut tx, &name, &note, now).await?;
    let entry = Entry::by(&viewer, now, "customer.create", id.as_str(), json!({ "name": name }));
    audit::store::insert(&mut tx, &entry).await?;
    tx.commit().await?;
    Ok((
        StatusCode::CREATED,
        Json(Customer { id: id.to_string(), name, note, created_at: now.as_millisecond(), sites: 0 }),
    ))
}

/// Changes a customer.
#[utoipa::path(patch, path = "/api/v1/customers/{id}", tag = "customers", params(("id" = String, Path)),
    request_body = CustomerChange, responses((status = 200, body = Customer), (status = 404)))]
async fn change(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(change): Json<CustomerChange>,
) -> Result<Json<Customer>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let found = store::find(&mut tx, &viewer.scope, &id).await?;
    let mut row = found.ok_or_else(|| ApiError::not_found("customer", &id))?;
    if let Some(name) = change.name {
        row.name = line("name", &name, 1..=120)?;
    }
    if let Some(note) = change.note {
        row.note = prose("note", &note, 0..=4000)?;
    }
    store::update(&mut tx, &row).await?;
    let entry = Entry::by(&viewer, now, "customer.change", &id, json!({ "name": row.name }));
    audit::store::insert(&mut tx, &entry).await?;
    tx.commit().await?;
    Ok(Json(row.into()))
}
