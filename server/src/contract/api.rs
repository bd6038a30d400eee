//! Contracts on the API: what there is, in which version, what was done with it, and every step of its life.
//!
//! A version is never changed. Who saves one says on which version it was made, so that nobody writes over another's
//! work unseen; a text that cannot be used is refused with everything that is wrong with it.

use axum::Json;
use axum::extract::{Path, Query, State};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::file::{self, File, Lack};
use super::life::Life;
use super::store::record::{self, Term};
use super::store::{self, Row, VersionRow};
use super::{Contract, document};
use crate::app::App;
use crate::db::Conn;
use crate::error::ApiError;
use crate::router::{Items, Routes};
use crate::user::{Act, Scope, Viewer};
use crate::{device, site};
use text::{ContractName, DifferenceRow, Said};

pub mod ask;
pub mod change;
pub mod text;

/// A contract, as its newest version says. Times are Unix ms.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContractEntry {
    /// Names it.
    pub id: String,
    /// Whose.
    pub customer_id: String,
    /// The customer's name.
    pub customer: String,
    /// What people call it.
    pub name: String,
    /// Its own number.
    pub number: String,
    /// `warranty`, `annual`, `per_visit`, `retail`, `construction` or `supplier`.
    pub kind: String,
    /// `registered`, `accepted`, `in_service` or `ended`.
    pub state: String,
    /// The newest version.
    pub version: i64,
    /// How many sites it covers.
    pub sites: i64,
    /// Its first day.
    pub begins: Option<String>,
    /// Its last day.
    pub ends: Option<String>,
    /// When its end is announced.
    pub remind_at: Option<i64>,
    /// When it was written down.
    pub created_at: i64,
    /// When something of it changed last.
    pub changed_at: i64,
    /// When it was put in service.
    pub service_at: Option<i64>,
    /// When it was ended.
    pub ended_at: Option<i64>,
}

/// A site that a contract covers.
#[derive(Debug, Serialize, ToSchema)]
pub struct CoveredSite {
    /// The site.
    pub site_id: String,
    /// Its name.
    pub name: String,
    /// Its Chinese name; may be empty.
    pub name_zh: String,
    /// The contract's own zone that it lies in; empty where it has none.
    pub zone: String,
    /// Its time zone.
    pub time_zone: String,
}

/// A version without its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContractVersionHead {
    /// From 1.
    pub number: i64,
    /// In force from then on, until a later one is. Unix ms.
    pub valid_from: i64,
    /// Who saved it.
    pub author: String,
    /// Why.
    pub note: String,
    /// When. Unix ms.
    pub created_at: i64,
}

/// A version with its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContractVersionText {
    /// The version.
    #[serde(flatten)]
    pub head: ContractVersionHead,
    /// Its text.
    pub text: String,
}

/// A step of a contract's life.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContractStep {
    /// From 1.
    pub seq: i64,
    /// `registered`, `version`, `sites`, `accepted`, `withdrawn`, `in_service`, `ended` or `renewal`.
    pub kind: String,
    /// When. Unix ms.
    pub at: i64,
    /// Who; empty for the machine.
    pub actor: String,
    /// What was said or handed in.
    pub detail: Value,
}

/// Something that keeps a contract from being accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Lacking {
    /// `sites`, `address`, `contact`, `devices`, `listed_devices`, `begins`, `ends` or `document`.
    pub code: String,
    /// The site or the document it is about.
    pub about: Option<String>,
    /// What is lacking, and where it is written.
    pub words: Said,
}

impl From<Lack> for Lacking {
    fn from(lack: Lack) -> Self {
        Self { code: lack.code.to_owned(), about: lack.about, words: lack.words.into() }
    }
}

/// A contract with everything around it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContractDetail {
    /// The contract.
    #[serde(flatten)]
    pub entry: ContractEntry,
    /// The text of the newest version.
    pub text: String,
    /// Its versions, the newest first.
    pub versions: Vec<ContractVersionHead>,
    /// The version that is in force now; `null` before the first is.
    pub in_force: Option<i64>,
    /// The sites it covers.
    pub covered: Vec<CoveredSite>,
    /// Its zones, for saying where a site lies.
    pub zones: Vec<ContractName>,
    /// Documents that accepting it needs.
    pub needs: Vec<String>,
    /// What keeps it from being accepted, documents left aside.
    pub lacks: Vec<Lacking>,
    /// Everything that was done with it, the newest first.
    pub record: Vec<ContractStep>,
}

/// Which contracts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ContractsQuery {
    /// Only those that cover this site.
    site_id: Option<String>,
    /// Only this customer's.
    customer_id: Option<String>,
}

/// Which versions to compare.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DifferenceQuery {
    /// The earlier version.
    before: i64,
    /// The later one.
    after: i64,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/contracts", Act::SeeContracts, list)
        .post("/api/v1/contracts", Act::EditContracts, change::register)
        .post("/api/v1/contracts/check", Act::CheckContracts, text::check)
        .post("/api/v1/contracts/compare", Act::CheckContracts, text::compare_texts)
        .post("/api/v1/contracts/preview", Act::CheckContracts, ask::preview)
        .post("/api/v1/contracts/quote", Act::CheckContracts, ask::quote_lines)
        .get("/api/v1/contracts/templates", Act::CheckContracts, text::templates)
        .get("/api/v1/contracts/templates/{name}", Act::CheckContracts, text::template_text)
        .get("/api/v1/contracts/{id}", Act::SeeContracts, get)
        .post("/api/v1/contracts/{id}/versions", Act::EditContracts, change::save)
        .get("/api/v1/contracts/{id}/versions/{number}", Act::SeeContracts, version)
        .get("/api/v1/contracts/{id}/difference", Act::SeeContracts, difference)
        .put("/api/v1/contracts/{id}/sites", Act::EditContracts, change::cover)
        .post("/api/v1/contracts/{id}/accept", Act::EditContracts, change::accept)
        .post("/api/v1/contracts/{id}/withdraw", Act::EditContracts, change::withdraw)
        .post("/api/v1/contracts/{id}/serve", Act::EditContracts, change::serve)
        .post("/api/v1/contracts/{id}/end", Act::EditContracts, change::end)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, get, version, difference))]
pub struct Doc;

/// Whether a viewer may see a contract in scope at all: a customer neither sees one that is being written, nor what
/// a supplier owes us.
fn is_shown(viewer: &Viewer, row: &Row, term: Option<&Term>) -> bool {
    match viewer.scope {
        Scope::All => true,
        Scope::Customer(_) => {
            row.state != Life::Registered.as_str() && term.is_some_and(|term| term.kind != "supplier")
        }
    }
}

fn entry(row: Row, term: Option<&Term>) -> ContractEntry {
    let term = term.cloned().unwrap_or_default();
    ContractEntry {
        id: row.id,
        customer_id: row.customer_id,
        customer: row.customer,
        name: row.name,
        number: term.number,
        kind: term.kind,
        state: row.state,
        version: row.version,
        sites: row.sites,
        begins: term.begins,
        ends: term.ends,
        remind_at: term.remind_at,
        created_at: row.created_at,
        changed_at: row.changed_at,
        service_at: row.service_at,
        ended_at: row.ended_at,
    }
}

/// Contracts by customer and name.
#[utoipa::path(get, path = "/api/v1/contracts", tag = "contracts", params(ContractsQuery),
    responses((status = 200, body = Items<ContractEntry>)))]
async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<ContractsQuery>,
) -> Result<Json<Items<ContractEntry>>, ApiError> {
    let mut conn = app.db.read().await?;
    let of_site = match &query.site_id {
        Some(site) => Some(store::list_of_site(&mut conn, site).await?),
        None => None,
    };
    let wanted = |row: &Row| {
        query.customer_id.as_ref().is_none_or(|customer| *customer == row.customer_id)
            && of_site.as_ref().is_none_or(|of| of.contains(&row.id))
    };
    let rows = store::list(&mut conn, &viewer.scope, None).await?;
    let terms = record::list_terms(&mut conn, &viewer.scope).await?;
    let terms: std::collections::BTreeMap<&str, &Term> =
        terms.iter().map(|term| (term.contract_id.as_str(), term)).collect();
    let entries = rows.into_iter().filter(wanted).filter_map(|row| {
        let term = terms.get(row.id.as_str()).copied();
        is_shown(&viewer, &row, term).then(|| entry(row, term))
    });
    Ok(Json(Items::all(entries.collect())))
}

/// A contract with its newest text, its versions, sites and record.
#[utoipa::path(get, path = "/api/v1/contracts/{id}", tag = "contracts", params(("id" = String, Path)),
    responses((status = 200, body = ContractDetail), (status = 404)))]
async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<ContractDetail>, ApiError> {
    let mut conn = app.db.read().await?;
    Ok(Json(detail(&mut conn, &viewer, &id, app.clock.now()).await?))
}

/// One version with its text.
#[utoipa::path(get, path = "/api/v1/contracts/{id}/versions/{number}", tag = "contracts",
    params(("id" = String, Path), ("number" = i64, Path)),
    responses((status = 200, body = ContractVersionText), (status = 404)))]
async fn version(
    State(app): State<App>,
    viewer: Viewer,
    Path((id, number)): Path<(String, String)>,
) -> Result<Json<ContractVersionText>, ApiError> {
    let mut conn = app.db.read().await?;
    shown(&mut conn, &viewer, &id).await?;
    let row = numbered(&mut conn, &id, number.parse().unwrap_or(0)).await?;
    let text = row.document.clone();
    Ok(Json(ContractVersionText { head: head(&row), text }))
}

/// The lines in which two versions differ.
#[utoipa::path(get, path = "/api/v1/contracts/{id}/difference", tag = "contracts",
    params(("id" = String, Path), DifferenceQuery),
    responses((status = 200, body = Items<DifferenceRow>), (status = 404)))]
async fn difference(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Query(query): Query<DifferenceQuery>,
) -> Result<Json<Items<DifferenceRow>>, ApiError> {
    let mut conn = app.db.read().await?;
    shown(&mut conn, &viewer, &id).await?;
    let before = numbered(&mut conn, &id, query.before).await?;
    let after = numbered(&mut conn, &id, query.after).await?;
    drop(conn);
    Ok(Json(Items::all(text::difference(before.document, after.document).await?)))
}

async fn numbered(conn: &mut Conn, id: &str, number: i64) -> Result<VersionRow, ApiError> {
    let found = store::find_version(conn, id, number).await?;
    found.ok_or_else(|| ApiError::not_found("version of this contract", number))
}

/// The contract's row, when the viewer may see it.
async fn shown(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<(Row, Option<Term>), ApiError> {
    let missing = || ApiError::not_found("contract", id);
    let row = store::find(conn, &viewer.scope, id).await?.ok_or_else(missing)?;
    let term = record::find_term(conn, id).await?;
    if is_shown(viewer, &row, term.as_ref()) { Ok((row, term)) } else { Err(missing()) }
}

/// The newest text of a contract that the viewer may see.
pub(crate) async fn shown_text(conn: &mut Conn, viewer: &Viewer, id: &str) -> Result<String, ApiError> {
    shown(conn, viewer, id).await?;
    let versions = store::list_versions(conn, id).await?;
    let newest = versions.into_iter().max_by_key(|version| version.number);
    Ok(newest.map(|version| version.document).unwrap_or_default())
}

fn head(row: &VersionRow) -> ContractVersionHead {
    ContractVersionHead {
        number: row.number,
        valid_from: row.valid_from,
        author: row.author.clone(),
        note: row.note.clone(),
        created_at: row.created_at,
    }
}

/// Everything around a contract.
async fn detail(
    conn: &mut Conn,
    viewer: &Viewer,
    id: &str,
    now: Timestamp,
) -> Result<ContractDetail, ApiError> {
    let (row, term) = shown(conn, viewer, id).await?;
    let mut versions = store::list_versions(conn, id).await?;
    let in_force = versions.iter().rfind(|version| version.valid_from <= now.as_millisecond());
    let in_force = in_force.map(|version| version.number);
    versions.sort_by_key(|version| std::cmp::Reverse(version.number));
    let text = versions.first().map(|version| version.document.clone()).unwrap_or_default();
    let contract = text::read(text.clone()).await?.contract;
    let covered = store::list_sites(conn, id).await?;
    let registered = row.state == Life::Registered.as_str();
    let lacks = match &contract {
        Some(contract) if registered => {
            let mut lacks = lacks(conn, viewer, contract, id, &[]).await?;
            lacks.retain(|lack| lack.code != "document");
            lacks
        }
        Some(_) | None => Vec::new(),
    };
    let record = record::list(conn, id).await?.into_iter().rev().map(|step| ContractStep {
        seq: step.seq,
        kind: step.kind,
        at: step.at,
        actor: step.actor,
        detail: serde_json::from_str(&step.detail).unwrap_or_default(),
    });
    let outline = contract.as_ref().map(text::ContractOutline::of);
    let (zones, needs) = outline.map(|outline| (outline.zones, outline.needs)).unwrap_or_default();
    Ok(ContractDetail {
        entry: entry(row, term.as_ref()),
        text,
        versions: versions.iter().map(head).collect(),
        in_force,
        covered: covered
            .into_iter()
            .map(|site| CoveredSite {
                site_id: site.site_id,
                name: site.name,
                name_zh: site.name_zh,
                zone: site.zone,
                time_zone: site.time_zone,
            })
            .collect(),
        zones,
        needs,
        lacks,
        record: record.collect(),
    })
}

/// What the customer's file lacks for this contract.
async fn lacks(
    conn: &mut Conn,
    viewer: &Viewer,
    contract: &Contract,
    id: &str,
    documents: &[String],
) -> Result<Vec<Lacking>, ApiError> {
    let mut places = Vec::new();
    for covered in store::list_sites(conn, id).await? {
        let Some(site) = site::store::find(conn, &viewer.scope, &covered.site_id).await? else { continue };
        let filter = device::store::Filter {
            site_id: Some(covered.site_id.clone()),
            ..device::store::Filter::default()
        };
        let devices = device::store::list(conn, &viewer.scope, &filter, 10_000).await?;
        let filled = |text: &str| !text.trim().is_empty();
        places.push(file::Place {
            id: covered.site_id,
            name: covered.name,
            has_address: filled(&site.address),
            has_contact: filled(&site.contact_name) && filled(&site.contact_phone),
            devices: devices.into_iter().map(|device| device.serial).collect(),
        });
    }
    let file = File { contract, sites: &places, documents };
    Ok(file::lacks(&file).into_iter().map(Lacking::from).collect())
}

/// The newest version of a contract, read.
async fn newest(conn: &mut Conn, id: &str) -> Result<(VersionRow, Contract), ApiError> {
    let versions = store::list_versions(conn, id).await?;
    let newest = versions.into_iter().max_by_key(|version| version.number);
    let newest = newest.ok_or_else(|| ApiError::not_found("version of contract", id))?;
    let contract = document::read(&newest.document).contract.ok_or_else(|| {
        ApiError::conflict("not_possible", "its newest version cannot be used any more")
            .hint("save a version that has no errors and no open questions")
    })?;
    Ok((newest, contract))
}
