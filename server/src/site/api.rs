//! Sites on the API.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::{DATUMS, SiteId, position_fault, store, zone_fault};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::error::ApiError;
use crate::router::input::{line, prose};
use crate::router::{Items, Routes};
use crate::user::{Act, Viewer};

/// One place.
#[derive(Debug, Serialize, ToSchema)]
pub struct Site {
    /// Names it.
    pub id: String,
    /// Whose.
    pub customer_id: String,
    /// The customer's name.
    pub customer_name: String,
    /// What people call it.
    pub name: String,
    /// What people call it in Chinese; may be empty.
    pub name_zh: String,
    /// Where it is.
    pub address: String,
    /// IANA time zone.
    pub zone: String,
    /// Map datum of `lat` and `lon`: `wgs84`, `gcj02` or `bd09`.
    pub datum: String,
    /// Degrees north.
    pub lat: Option<f64>,
    /// Degrees east.
    pub lon: Option<f64>,
    /// Whom to call there.
    pub contact_name: String,
    /// Under which number.
    pub contact_phone: String,
    /// What whoever goes there should know before: access, rules, hazards. For our own people; empty for a customer.
    pub notes: String,
    /// Unix milliseconds.
    pub created_at: i64,
}

/// A new site.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSite {
    /// Whose.
    pub customer_id: String,
    /// What people call it.
    pub name: String,
    /// What people call it in Chinese.
    #[serde(default)]
    pub name_zh: String,
    /// Where it is.
    #[serde(default)]
    pub address: String,
    /// IANA time zone, for example `Asia/Shanghai`.
    pub zone: String,
    /// Map datum of `lat` and `lon`; `wgs84` when it is not given.
    pub datum: Option<String>,
    /// Degrees north.
    pub lat: Option<f64>,
    /// Degrees east.
    pub lon: Option<f64>,
    /// Whom to call there.
    #[serde(default)]
    pub contact_name: String,
    /// Under which number.
    #[serde(default)]
    pub contact_phone: String,
    /// What whoever goes there should know before.
    #[serde(default)]
    pub notes: String,
}

/// What changes of a site.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteChange {
    /// What people call it.
    pub name: Option<String>,
    /// What people call it in Chinese.
    pub name_zh: Option<String>,
    /// Where it is.
    pub address: Option<String>,
    /// IANA time zone, for example `Asia/Shanghai`.
    pub zone: Option<String>,
    /// Map datum of `lat` and `lon`: `wgs84`, `gcj02` or `bd09`.
    pub datum: Option<String>,
    /// Degrees north.
    pub lat: Option<f64>,
    /// Degrees east.
    pub lon: Option<f64>,
    /// Whom to call there.
    pub contact_name: Option<String>,
    /// Under which number.
    pub contact_phone: Option<String>,
    /// What whoever goes there should know before: access, rules, hazards; several lines.
    pub notes: Option<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/sites", Act::SeeSites, list)
        .post("/api/v1/sites", Act::EditSites, create)
        .get("/api/v1/sites/{id}", Act::SeeSites, get)
        .patch("/api/v1/sites/{id}", Act::EditSites, change)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, create, get, change))]
pub struct Doc;

impl Site {
    /// A site as the viewer may see it.
    fn new(row: store::Row, viewer: &Viewer) -> Self {
        let is_ours = viewer.scope.customer().is_none();
        Self {
            id: row.id.to_string(),
            customer_id: row.customer_id,
            customer_name: row.customer_name,
            name: row.name,
            name_zh: row.name_zh,
            address: row.address,
            zone: row.zone,
            datum: row.datum,
            lat: row.lat,
            lon: row.lon,
            contact_name: row.contact_name,
            contact_phone: row.contact_phone,
            notes: if is_ours { row.notes } else { String::new() },
            created_at: row.created_at,
        }
    }
}

impl SiteChange {
    /// Writes what is given into `row`, checked.
    fn apply(self, row: &mut store::Row) -> Result<(), ApiError> {
        if let Some(name) = self.name {
            row.name = line("name", &name, 1..=120)?;
        }
        if let Some(name) = self.name_zh {
            row.name_zh = line("name_zh", &name, 0..=120)?;
        }
        if let Some(address) = self.address {
            row.address = line("address", &address, 0..=400)?;
        }
        if let Some(zone) = self.zone {
            if let Some(fault) = zone_fault(&zone) {
                return Err(ApiError::bad_request("zone", fault, "write it as in `Asia/Shanghai`"));
            }
            row.zone = zone;
        }
        if let Some(datum) = self.datum {
            // People write the official names: WGS-84, GCJ-02, BD-09.
            let datum = datum.to_lowercase().replace('-', "");
            if !DATUMS.contains(&datum.as_str()) {
                return Err(ApiError::bad_request("datum", "it is not known", "use wgs84, gcj02 or bd09"));
            }
            row.datum = datum;
        }
        row.lat = self.lat.or(row.lat);
        row.lon = self.lon.or(row.lon);
        if let Some(fault) = position_fault(row.lat, row.lon) {
            return Err(ApiError::bad_request("lat, lon", fault, "give both in degrees, or neither"));
        }
        if let Some(name) = self.contact_name {
            row.contact_name = line("contact_name", &name, 0..=120)?;
        }
        if let Some(phone) = self.contact_phone {
            row.contact_phone = line("contact_phone", &phone, 0..=40)?;
        }
        if let Some(notes) = self.notes {
            row.notes = prose("notes", &notes, 0..=2000)?;
        }
        Ok(())
    }
}

/// All sites that the viewer may see, by name.
#[utoipa::path(get, path = "/api/v1/sites", tag = "sites", responses((status = 200, body = Items<Site>)))]
async fn list(State(app): State<App>, viewer: Viewer) -> Result<Json<Items<Site>>, ApiError> {
    let rows = store::list(&mut *app.db.read().await?, &viewer.scope, None).await?;
    Ok(Json(Items::all(rows.into_iter().map(|row| Site::new(row, &viewer)).collect())))
}

/// One site.
#[utoipa::path(get, path = "/api/v1/sites/{id}", tag = "sites", params(("id" = String, Path)),
    responses((status = 200, body = Site), (status = 404)))]
async fn get(State(app): State<App>, viewer: Viewer, Path(id): Path<String>) -> Result<Json<Site>, ApiError> {
    let found = store::find(&mut *app.db.read().await?, &viewer.scope, &id).await?;
    let row = found.ok_or_else(|| ApiError::not_found("site", &id))?;
    Ok(Json(Site::new(row, &viewer)))
}

/// Adds a site to a customer.
#[utoipa::path(post, path = "/api/v1/sites", tag = "sites", request_body = NewSite,
    responses((status = 201, body = Site)))]
async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewSite>,
) -> Result<(StatusCode, Json<Site>), ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let customer = crate::customer::store::find(&mut tx, &viewer.scope, &new.customer_id).await?;
    let customer = customer.ok_or_else(|| ApiError::not_found("customer", &new.customer_id))?;
    let mut row = store::Row {
        id: SiteId::from(""),
        customer_id: new.customer_id,
        customer_name: customer.name,
        name: String::new(),
        name_zh: String::new(),
        address: String::new(),
        zone: String::new(),
        datum: DATUMS[0].to_owned(),
        lat: None,
        lon: None,
        contact_name: String::new(),
        contact_phone: String::new(),
        notes: String::new(),
        created_at: now.as_millisecond(),
    };
    let given = SiteChange {
        name: Some(new.name),
        name_zh: Some(new.name_zh),
        address: Some(new.address),
        zone: Some(new.zone),
        datum: new.datum,
        lat: new.lat,
        lon: new.lon,
        contact_name: Some(new.contact_name),
        contact_phone: Some(new.contact_phone),
        notes: Some(new.notes),
    };
    given.apply(&mut row)?;
    row.id = store::insert(&mut tx, &row, now).await?;
    let detail = json!({ "name": row.name, "customer": row.customer_name });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "site.create", row.id.as_str(), detail)).await?;
    tx.commit().await?;
    app.live.refetch();
    Ok((StatusCode::CREATED, Json(Site::new(row, &viewer))))
}

/// Changes a site. It never moves to another customer.
#[utoipa::path(patch, path = "/api/v1/sites/{id}", tag = "sites", params(("id" = String, Path)),
    request_body = SiteChange, responses((status = 200, body = Site), (status = 404)))]
async fn change(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(change): Json<SiteChange>,
) -> Result<Json<Site>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let found = store::find(&mut tx, &viewer.scope, &id).await?;
    let mut row = found.ok_or_else(|| ApiError::not_found("site", &id))?;
    change.apply(&mut row)?;
    store::update(&mut tx, &row).await?;
    let entry = Entry::by(&viewer, now, "site.change", &id, json!({ "name": row.name }));
    audit::store::insert(&mut tx, &entry).await?;
    tx.commit().await?;
    app.live.refetch();
    Ok(Json(Site::new(row, &viewer)))
}
