//! What people change of a contract: its text, its sites, where it stands. Each change is on the contract's record and
//! in the audit, in the transaction that makes it.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::civil::{Date, time};
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};

use super::text::{ContractRefusal, Refused, usable};
use super::{ContractDetail, detail, lacks, newest, numbered, shown};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::clock::from_ms;
use crate::contract::Contract;
use crate::contract::life::Life;
use crate::contract::measure::Length;
use crate::contract::store::record::{self, Term};
use crate::contract::store::{self, Covered};
use crate::db::{Conn, Tx};
use crate::error::ApiError;
use crate::router::input::line;
use crate::user::Viewer;
use crate::{customer, site};

/// Contracts of one customer.
const CONTRACTS_MAX: i64 = 500;
/// Versions of one contract.
const VERSIONS_MAX: i64 = 500;
/// Sites of one contract.
const SITES_MAX: usize = 2_000;
/// How long before its end a contract that says nothing about it is announced.
const REMINDER: Length = Length::Months(2);

/// A site to be covered.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CoverSite {
    /// The site; one of the contract's customer.
    pub site_id: String,
    /// The contract's zone that it lies in; left out where the contract has none.
    #[serde(default)]
    pub zone: String,
}

/// A new contract.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewContract {
    /// Whose.
    pub customer_id: String,
    /// Its text.
    pub text: String,
    /// The sites it covers.
    #[serde(default)]
    pub sites: Vec<CoverSite>,
}

/// A new version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewContractVersion {
    /// Its text.
    pub text: String,
    /// The version on which it was made. Where another was saved since, this one is refused.
    pub base: i64,
    /// From when on it holds, Unix ms; without it from the contract's first day, or from now where it is in service.
    pub valid_from: Option<i64>,
    /// Why, in a line.
    pub note: String,
}

/// The sites of a contract.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CoverSites {
    /// All of them.
    pub sites: Vec<CoverSite>,
}

/// A document that was handed in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandedIn {
    /// What it is: `completion_form`.
    pub kind: String,
    /// Its number, or where it lies.
    pub number: String,
}

/// The acceptance of a contract.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ContractAcceptance)]
pub struct Acceptance {
    /// The day of the acceptance, `2026-03-10`.
    pub accepted_on: String,
    /// What was handed in.
    #[serde(default)]
    pub documents: Vec<HandedIn>,
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContractReason {
    /// In a line.
    pub reason: String,
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(register, save, cover, accept, withdraw, serve, end))]
pub struct Doc;

/// Registers a contract. A text that cannot be used is refused with all its remarks.
#[utoipa::path(post, path = "/api/v1/contracts", tag = "contracts", request_body = NewContract,
    responses((status = 201, body = ContractDetail), (status = 404), (status = 422, body = ContractRefusal)))]
pub(super) async fn register(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewContract>,
) -> Result<(StatusCode, Json<ContractDetail>), Refused> {
    let now = app.clock.now();
    let contract = usable(new.text.clone()).await?;
    let mut tx = app.db.write().await?;
    let known = customer::store::find(&mut tx, &viewer.scope, &new.customer_id).await?;
    known.ok_or_else(|| ApiError::not_found("customer", &new.customer_id))?;
    if record::count_of(&mut tx, &new.customer_id).await? >= CONTRACTS_MAX {
        let hint = "write another version of one that exists";
        let text = format!("{CONTRACTS_MAX} contracts exist");
        return Err(ApiError::bad_request("customer_id", text, hint).into());
    }
    let id = store::add(&mut tx, &new.customer_id, &contract.name, now).await?;
    let id = id.as_str();
    let from = first_day(&contract).unwrap_or(now);
    store::add_version(&mut tx, id, &new.text, from, (&viewer.name, ""), now).await?;
    record::set_term(&mut tx, &term(id, &contract)).await?;
    let detail = json!({ "number": contract.id, "name": contract.name });
    note(&mut tx, &viewer, id, "registered", "contract.register", detail, now).await?;
    if !new.sites.is_empty() {
        set_sites(&mut tx, &viewer, id, &contract, &new.sites, now).await?;
    }
    Ok((StatusCode::CREATED, finish(tx, &viewer, id, now).await?))
}

/// Saves a new version. The versions before it stay as they are.
#[utoipa::path(post, path = "/api/v1/contracts/{id}/versions", tag = "contracts", params(("id" = String, Path)),
    request_body = NewContractVersion, responses((status = 201, body = ContractDetail), (status = 404), (status = 409),
    (status = 422, body = ContractRefusal)))]
pub(super) async fn save(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewContractVersion>,
) -> Result<(StatusCode, Json<ContractDetail>), Refused> {
    let now = app.clock.now();
    let why = line("note", &new.note, 1..=200)?;
    let contract = usable(new.text.clone()).await?;
    let mut tx = app.db.write().await?;
    let life = begin(&mut tx, &viewer, &id).await?;
    if life == Life::Ended {
        return Err(ApiError::conflict("not_possible", "the contract has ended")
            .hint("register a new contract for its renewal")
            .into());
    }
    let begins = first_day(&contract).filter(|_| life != Life::InService);
    let from = new.valid_from.map_or_else(|| begins.unwrap_or(now), from_ms);
    if life == Life::InService && from < now {
        let hint = "let it hold from now on; what was promised until then stays";
        return Err(ApiError::bad_request("valid_from", "it has passed, and clocks run", hint).into());
    }
    for site in store::list_sites(&mut tx, &id).await? {
        if !site.zone.is_empty() && !contract.zones.iter().any(|zone| zone.name == site.zone) {
            let text =
                format!("{} lies in the zone `{}`, which this version does not have", site.name, site.zone);
            let hint =
                "keep the zone, say where the sites lie now, and take it out with the version after this one";
            return Err(ApiError::conflict("zone_in_use", text).hint(hint).into());
        }
    }
    let number = store::add_version(&mut tx, &id, &new.text, from, (&viewer.name, &why), now).await?;
    if number != new.base + 1 {
        // Nothing of this is kept: the transaction ends here.
        let last = numbered(&mut tx, &id, number - 1).await?;
        let text = format!("version {} was saved by {} after this text was begun", last.number, last.author);
        let hint = "look at what it changed, then save yours on top of it";
        return Err(ApiError::conflict("saved_over", text).hint(hint).into());
    }
    if number > VERSIONS_MAX {
        let text = format!("{VERSIONS_MAX} versions exist");
        return Err(ApiError::bad_request("text", text, "register a new contract").into());
    }
    store::rename(&mut tx, &id, &contract.name, now).await?;
    record::set_term(&mut tx, &term(&id, &contract)).await?;
    let detail = json!({ "version": number, "note": why, "valid_from": from.as_millisecond() });
    note(&mut tx, &viewer, &id, "version", "contract.save", detail, now).await?;
    Ok((StatusCode::CREATED, finish(tx, &viewer, &id, now).await?))
}

/// Says which sites a contract covers.
#[utoipa::path(put, path = "/api/v1/contracts/{id}/sites", tag = "contracts", params(("id" = String, Path)),
    request_body = CoverSites, responses((status = 200, body = ContractDetail), (status = 400), (status = 404)))]
pub(super) async fn cover(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<CoverSites>,
) -> Result<Json<ContractDetail>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if begin(&mut tx, &viewer, &id).await? == Life::Ended {
        return Err(ApiError::conflict("not_possible", "the contract has ended"));
    }
    let (_, contract) = newest(&mut tx, &id).await?;
    set_sites(&mut tx, &viewer, &id, &contract, &new.sites, now).await?;
    finish(tx, &viewer, &id, now).await
}

async fn set_sites(
    tx: &mut Tx,
    viewer: &Viewer,
    id: &str,
    contract: &Contract,
    wanted: &[CoverSite],
    now: Timestamp,
) -> Result<(), ApiError> {
    if wanted.len() > SITES_MAX {
        let hint = format!("a contract covers at most {SITES_MAX} sites");
        return Err(ApiError::bad_request("sites", "there are too many", hint));
    }
    let (row, _) = shown(tx, viewer, id).await?;
    let mut names = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, covered) in wanted.iter().enumerate() {
        let field = format!("sites[{index}]");
        let found = site::store::find(tx, &viewer.scope, &covered.site_id).await?;
        let found = found.filter(|site| site.customer_id == row.customer_id);
        let found = found.ok_or_else(|| ApiError::not_found("site of this customer", &covered.site_id))?;
        if !seen.insert(covered.site_id.as_str()) {
            return Err(ApiError::bad_request(
                &field,
                format!("{} is there twice", found.name),
                "keep one of the two",
            ));
        }
        let zones: Vec<&str> = contract.zones.iter().map(|zone| zone.name.as_str()).collect();
        let fits =
            if zones.is_empty() { covered.zone.is_empty() } else { zones.contains(&covered.zone.as_str()) };
        if !fits {
            let hint = if zones.is_empty() {
                "the contract has no zones; leave it out".to_owned()
            } else {
                format!("use one of: {}", zones.join(", "))
            };
            let text = format!("the contract has no zone `{}` for {}", covered.zone, found.name);
            return Err(ApiError::bad_request(&field, text, hint));
        }
        names.push(found.name);
    }
    let covered: Vec<Covered> = wanted
        .iter()
        .map(|site| Covered { site_id: site.site_id.clone(), zone: site.zone.clone() })
        .collect();
    store::set_sites(tx, id, &covered, now).await?;
    names.truncate(20);
    let detail = json!({ "count": covered.len(), "names": names });
    note(tx, viewer, id, "sites", "contract.sites", detail, now).await
}

/// Accepts a contract whose customer's file is complete; otherwise everything that is lacking is said.
#[utoipa::path(post, path = "/api/v1/contracts/{id}/accept", tag = "contracts", params(("id" = String, Path)),
    request_body = Acceptance, responses((status = 200, body = ContractDetail), (status = 400), (status = 404),
    (status = 409, body = ContractRefusal)))]
pub(super) async fn accept(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(acceptance): Json<Acceptance>,
) -> Result<Json<ContractDetail>, Refused> {
    let now = app.clock.now();
    let on: Date = acceptance.accepted_on.trim().parse().map_err(|_| {
        let text = format!("`{}` is no date", acceptance.accepted_on);
        ApiError::bad_request("accepted_on", text, "write it as 2026-03-10")
    })?;
    let mut handed_in = Vec::new();
    for (index, document) in acceptance.documents.iter().take(50).enumerate() {
        let field = format!("documents[{index}]");
        let kind = line(&field, &document.kind, 1..=60)?;
        let number = line(&field, &document.number, 0..=200)?;
        if !number.is_empty() {
            handed_in.push(HandedIn { kind, number });
        }
    }
    let mut tx = app.db.write().await?;
    step(&mut tx, &viewer, &id, Life::Accepted, now).await?;
    let (_, contract) = newest(&mut tx, &id).await?;
    if on > now.to_zoned(contract.zone.clone()).date() {
        return Err(ApiError::bad_request("accepted_on", "it lies ahead", "accept it on that day").into());
    }
    let kinds: Vec<String> = handed_in.iter().map(|document| document.kind.clone()).collect();
    let lacks = lacks(&mut tx, &viewer, &contract, &id, &kinds).await?;
    if !lacks.is_empty() {
        return Err(Refused::Lacks(lacks));
    }
    let detail = json!({ "accepted_on": on.to_string(), "documents": handed_in });
    note(&mut tx, &viewer, &id, "accepted", "contract.accept", detail, now).await?;
    Ok(finish(tx, &viewer, &id, now).await?)
}

/// Takes an acceptance back, before the contract is in service.
#[utoipa::path(post, path = "/api/v1/contracts/{id}/withdraw", tag = "contracts", params(("id" = String, Path)),
    request_body = ContractReason, responses((status = 200, body = ContractDetail), (status = 404), (status = 409)))]
pub(super) async fn withdraw(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(why): Json<ContractReason>,
) -> Result<Json<ContractDetail>, ApiError> {
    let reason = line("reason", &why.reason, 1..=200)?;
    let detail = json!({ "reason": reason });
    go(&app, &viewer, &id, Life::Registered, ("withdrawn", "contract.withdraw"), detail).await
}

/// Puts an accepted contract in service: its clocks run from now on.
#[utoipa::path(post, path = "/api/v1/contracts/{id}/serve", tag = "contracts", params(("id" = String, Path)),
    responses((status = 200, body = ContractDetail), (status = 404), (status = 409, body = ContractRefusal)))]
pub(super) async fn serve(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<ContractDetail>, Refused> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    step(&mut tx, &viewer, &id, Life::InService, now).await?;
    let (_, contract) = newest(&mut tx, &id).await?;
    // What was complete when it was accepted must be so still; the documents are on record with the acceptance.
    let kinds = contract.terms.needs.clone();
    let lacks = lacks(&mut tx, &viewer, &contract, &id, &kinds).await?;
    if !lacks.is_empty() {
        return Err(Refused::Lacks(lacks));
    }
    note(&mut tx, &viewer, &id, "in_service", "contract.serve", json!({}), now).await?;
    Ok(finish(tx, &viewer, &id, now).await?)
}

/// Ends a contract. What was opened before still runs under it.
#[utoipa::path(post, path = "/api/v1/contracts/{id}/end", tag = "contracts", params(("id" = String, Path)),
    request_body = ContractReason, responses((status = 200, body = ContractDetail), (status = 404), (status = 409)))]
pub(super) async fn end(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(why): Json<ContractReason>,
) -> Result<Json<ContractDetail>, ApiError> {
    let reason = line("reason", &why.reason, 1..=200)?;
    let detail = json!({ "reason": reason });
    go(&app, &viewer, &id, Life::Ended, ("ended", "contract.end"), detail).await
}

async fn go(
    app: &App,
    viewer: &Viewer,
    id: &str,
    to: Life,
    (kind, action): (&str, &'static str),
    detail: Value,
) -> Result<Json<ContractDetail>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    step(&mut tx, viewer, id, to, now).await?;
    note(&mut tx, viewer, id, kind, action, detail, now).await?;
    finish(tx, viewer, id, now).await
}

/// Holds the contract's row against others and says where it stands.
async fn begin(tx: &mut Tx, viewer: &Viewer, id: &str) -> Result<Life, ApiError> {
    record::hold(tx, id).await?;
    let (row, _) = shown(tx, viewer, id).await?;
    Life::parse(&row.state).ok_or_else(|| ApiError::conflict("not_possible", "its state is not known"))
}

/// Lets a contract take a step of its life.
async fn step(tx: &mut Tx, viewer: &Viewer, id: &str, to: Life, now: Timestamp) -> Result<(), ApiError> {
    let from = begin(tx, viewer, id).await?;
    let to = from.step(to).map_err(|refused| ApiError::conflict("not_possible", refused.to_string()))?;
    store::set_state(tx, id, to, now).await?;
    Ok(())
}

/// The first instant of the contract's first day.
fn first_day(contract: &Contract) -> Option<Timestamp> {
    let day = contract.begins?.to_zoned(contract.zone.clone()).ok()?;
    Some(day.timestamp())
}

/// What a version says of itself. A reminder is given at nine in the morning, or at once where that has passed.
fn term(id: &str, contract: &Contract) -> Term {
    let before = contract.terms.reminder.unwrap_or(REMINDER);
    let remind_at = contract.ends.and_then(|ends| {
        let day = match before {
            Length::Days(days) => ends.saturating_sub(days.days()),
            Length::Months(months) => ends.saturating_sub(months.months()),
            Length::Life => return None,
        };
        let at = day.to_datetime(time(9, 0, 0, 0)).to_zoned(contract.zone.clone()).ok()?;
        Some(at.timestamp().as_millisecond())
    });
    Term {
        contract_id: id.to_owned(),
        number: contract.id.clone(),
        kind: contract.kind.clone(),
        begins: contract.begins.map(|date| date.to_string()),
        ends: contract.ends.map(|date| date.to_string()),
        remind_at,
        reminded_at: None,
    }
}

async fn note(
    conn: &mut Conn,
    viewer: &Viewer,
    id: &str,
    kind: &str,
    action: &'static str,
    detail: Value,
    now: Timestamp,
) -> Result<(), ApiError> {
    let who = (Some(viewer.account.as_str()), viewer.name.as_str());
    record::append(conn, id, kind, who, &detail.to_string(), now).await?;
    audit::store::insert(conn, &Entry::by(viewer, now, action, id, detail)).await?;
    Ok(())
}

async fn finish(
    mut tx: Tx,
    viewer: &Viewer,
    id: &str,
    now: Timestamp,
) -> Result<Json<ContractDetail>, ApiError> {
    let told = detail(&mut tx, viewer, id, now).await?;
    tx.commit().await?;
    Ok(Json(told))
}
