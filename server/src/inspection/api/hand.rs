//! Planning by hand what no rule of a contract owes, and taking back what was planned so by mistake.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::json;
use utoipa::OpenApi;

use super::act::{Desk, open, visit_on};
use super::shape::{InspectionStory, InspectionWithdrawal, NewInspection};
use super::{day, story};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::contract::store::Shelf;
use crate::db::Conn;
use crate::error::ApiError;
use crate::id::uuid_v7;
use crate::inspection::hand::{self, No, Wish};
use crate::inspection::kind::KINDS;
use crate::inspection::life::Step;
use crate::inspection::step::{date_in, replan};
use crate::inspection::store::{self, plan};
use crate::router::input::line;
use crate::user::Viewer;
use crate::{contract, site};

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(plan_one, withdraw))]
pub struct Doc;

/// Lines of what is looked at.
const LINES_MAX: usize = 30;

fn refusal(no: &No) -> ApiError {
    let (field, hint) = match no {
        No::Kind(_) => {
            let by_hand = KINDS.iter().filter(|kind| kind.by_hand.is_some());
            ("kind", format!("use one of {}", by_hand.map(|kind| kind.word).collect::<Vec<_>>().join(", ")))
        }
        No::Way => ("way", "use visit, phone or remote".to_owned()),
        No::Day => ("day", format!("choose a day from today on, at most {} days ahead", hand::AHEAD_MAX)),
        No::Until => ("until", format!("choose a last day within {} days", hand::DAYS_MAX)),
    };
    ApiError::bad_request(field, no.to_string(), hint)
}

/// The contract that an inspection at a site is planned under, and its version.
async fn contract_at(
    conn: &mut Conn,
    viewer: &Viewer,
    new: &NewInspection,
    now: Timestamp,
) -> Result<(String, i64), ApiError> {
    let all = store::hand::list_contracts(conn, &new.site_id, now).await?;
    if let Some(id) = &new.contract_id {
        if contract::store::find(conn, &viewer.scope, id).await?.is_none() {
            return Err(ApiError::not_found("contract", id));
        }
        return all
            .into_iter()
            .find(|one| one.0 == *id)
            .ok_or_else(|| ApiError::not_found("site under this contract", &new.site_id));
    }
    all.into_iter().next().ok_or_else(|| {
        ApiError::conflict("no_contract", "no contract covers this site")
            .hint("put the site under a contract first")
    })
}

/// Plans one that no rule of the contract owes.
#[utoipa::path(post, path = "/api/v1/inspections", tag = "inspections", request_body = NewInspection,
    responses((status = 201, body = InspectionStory), (status = 400), (status = 404), (status = 409)))]
pub(super) async fn plan_one(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewInspection>,
) -> Result<(StatusCode, Json<InspectionStory>), ApiError> {
    let first = day("day", &new.day)?;
    let last = new.until.as_deref().map(|text| day("until", text)).transpose()?;
    let by = line("by", &new.by, 1..=80).map_err(|why| why.hint("name who of the customer asked for it"))?;
    let evidence = line("evidence", &new.evidence, 1..=40)
        .map_err(|why| why.hint("say how that is proved: call, mail, paper"))?;
    let why = line("why", &new.why, 1..=400)?;
    let lines = new.checklist.iter().map(|text| line("checklist", text, 1..=120));
    let checklist = lines.collect::<Result<Vec<_>, _>>()?;
    if checklist.len() > LINES_MAX {
        let hint = format!("write at most {LINES_MAX} lines");
        return Err(ApiError::bad_request("checklist", "it has too many lines", hint));
    }
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let place = site::store::find(&mut tx, &viewer.scope, &new.site_id)
        .await?
        .ok_or_else(|| ApiError::not_found("site", &new.site_id))?;
    let today = date_in(&place.zone, now);
    let wish = Wish { kind: &new.kind, way: new.way.as_deref(), day: first, until: last };
    let (way, window) = hand::admit(&wish, today).map_err(|no| refusal(&no))?;
    let (contract, version) = contract_at(&mut tx, &viewer, &new, now).await?;
    plan::hold(&mut tx, &contract, &new.site_id).await?;
    let id = uuid_v7(now);
    let row = store::hand::New {
        id: &id,
        contract: (&contract, version),
        site: &new.site_id,
        kind: &new.kind,
        way,
        checklist: &checklist,
        window,
        made_by: &viewer.name,
        asked_by: &by,
        asked_how: &evidence,
        why: &why,
    };
    store::hand::insert(&mut tx, &row, now).await?;
    let who = (Some(viewer.account.as_str()), viewer.name.as_str());
    let said = json!({ "day": first.to_string(), "until": window.last().to_string(), "by": by, "evidence": evidence, "reason": why });
    store::append(&mut tx, &id, "asked", who, &said, now).await?;
    let mut detail = said;
    detail["site"] = new.site_id.as_str().into();
    detail["kind"] = new.kind.as_str().into();
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "inspection.plan", &id, detail)).await?;
    if new.agreed {
        let row = store::find(&mut tx, &viewer.scope, &id)
            .await?
            .ok_or_else(|| ApiError::not_found("inspection", &id))?;
        let mut desk = Desk { tx, row, today, now };
        let stands = desk.step(Step::Agree)?;
        desk.set(stands, first, None).await?;
        visit_on(&mut desk, &viewer, first).await?;
        let body = json!({ "day": first.to_string(), "by": by, "evidence": evidence, "reason": "" });
        let told = desk.finish(&app, &viewer, ("agreed", "inspection.agree"), body).await?;
        return Ok((StatusCode::CREATED, told));
    }
    Box::pin(replan(&mut tx, &mut Shelf::default(), &contract, &new.site_id, now)).await?;
    let told = story(&mut tx, &viewer.scope, &id).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(told)))
}

/// Takes back what was planned by hand and by mistake.
#[utoipa::path(post, path = "/api/v1/inspections/{id}/withdraw", tag = "inspections", params(("id" = String, Path)),
    request_body = InspectionWithdrawal, responses((status = 200, body = InspectionStory), (status = 404), (status = 409)))]
pub(super) async fn withdraw(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(said): Json<InspectionWithdrawal>,
) -> Result<Json<InspectionStory>, ApiError> {
    let reason = line("reason", &said.reason, 1..=400)?;
    let mut desk = open(&app, &viewer, &id).await?;
    if desk.row.made_by.is_none() {
        return Err(ApiError::conflict("not_by_hand", "the contract owes it")
            .hint("move it, or write down that the customer does without it"));
    }
    let stands = desk.step(Step::Withdraw)?;
    if desk.row.visit_state.as_deref().is_some_and(|state| !matches!(state, "filed" | "cancelled")) {
        return Err(ApiError::conflict("has_visit", "its visit is planned").hint("cancel that visit first"));
    }
    let on = day("day", &desk.row.day)?;
    desk.set(stands, on, None).await?;
    desk.finish(&app, &viewer, ("withdrawn", "inspection.withdraw"), json!({ "reason": reason })).await
}
