//! The duty log on the API: each call with its result and length; and facts about who was on duty. A wrong entry is
//! corrected by a new one that names it, and a fact is taken back with a reason: nothing that was recorded is lost.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::shape::{Names, Person};
use super::{get_row, get_staff};
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::db::Conn;
use crate::error::ApiError;
use crate::rota::pay::FactKind;
use crate::rota::store::log as store;
use crate::router::input::{line, prose};
use crate::router::{Items, Routes};
use crate::site;
use crate::ticket::{self, Actor};
use crate::user::{Act, Viewer, allows};

/// The longest call, seconds.
const CALL_MAX_S: i64 = 86_400;
/// How long after it happened something may be recorded, ms.
const LATE_MAX_MS: i64 = 400 * 86_400_000;
/// The longest stretch of overtime in one entry, ms.
const OVERTIME_MAX_MS: i64 = 48 * 3_600_000;

/// A call as somebody on duty writes it down.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCall {
    /// Who took it: an account id; `null` is oneself. Only who leads the tickets may write for others.
    pub account_id: Option<String>,
    /// On duty in which rota.
    pub rota_id: Option<String>,
    /// Who called.
    pub caller: String,
    /// From which number; may be empty.
    #[serde(default)]
    pub phone: String,
    /// About which site.
    pub site_id: Option<String>,
    /// About which ticket: its number or its id.
    pub ticket: Option<String>,
    /// What it was about.
    pub matter: String,
    /// How it was dealt with.
    pub result: String,
    /// When it began, Unix ms.
    pub started_at: i64,
    /// How long it took, seconds.
    pub length_s: i64,
}

/// A call.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Call {
    /// Names it.
    pub id: String,
    /// Who took it.
    pub account_id: String,
    /// What others read.
    pub name: String,
    /// On duty in which rota.
    pub rota_id: Option<String>,
    /// Who called.
    pub caller: String,
    /// From which number.
    pub phone: String,
    /// About which site.
    pub site_id: Option<String>,
    /// What people call it.
    pub site: Option<String>,
    /// The same in Chinese.
    pub site_zh: Option<String>,
    /// About which ticket.
    pub ticket_number: Option<i64>,
    /// What it was about.
    pub matter: String,
    /// How it was dealt with.
    pub result: String,
    /// When it began, Unix ms.
    pub started_at: i64,
    /// How long it took, seconds.
    pub length_s: i64,
    /// Who wrote it down.
    pub recorded_by: String,
    /// Unix ms.
    pub recorded_at: i64,
    /// Whether it corrects an earlier entry.
    pub corrected: bool,
}

/// Which calls.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Calls {
    /// Begun at or after, Unix ms.
    pub from_at: Option<i64>,
    /// Begun before, Unix ms.
    pub to_at: Option<i64>,
    /// Taken by.
    pub account_id: Option<String>,
    /// Of this ticket, by its id.
    pub ticket_id: Option<String>,
}

/// A new fact.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFact {
    /// About whom.
    pub account_id: String,
    /// What.
    pub kind: FactKind,
    /// When, or from when, Unix ms.
    pub from_at: i64,
    /// Until when; overtime needs it.
    pub to_at: Option<i64>,
    /// Of which ticket: its number or its id.
    pub ticket: Option<String>,
    /// What happened.
    pub note: String,
}

/// A fact about somebody on duty.
#[derive(Debug, Serialize, ToSchema)]
pub struct DutyFact {
    /// Names it.
    pub id: String,
    /// About whom.
    pub person: Person,
    /// What.
    pub kind: FactKind,
    /// When, or from when, Unix ms.
    pub from_at: i64,
    /// Until when, Unix ms.
    pub to_at: Option<i64>,
    /// Of which ticket.
    pub ticket_number: Option<i64>,
    /// What happened.
    pub note: String,
    /// Who wrote it down.
    pub recorded_by: String,
    /// Unix ms.
    pub recorded_at: i64,
    /// When it was taken back, Unix ms; it does not count then.
    pub withdrawn_at: Option<i64>,
    /// Who took it back.
    pub withdrawn_by: Option<String>,
    /// Why.
    pub withdrawn_why: Option<String>,
}

/// Which facts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Unix ms.
    pub from_at: i64,
    /// Unix ms.
    pub to_at: i64,
    /// About whom.
    pub account_id: Option<String>,
}

/// Why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Why {
    /// In a few words.
    pub reason: String,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/calls", Act::SeeRota, list)
        .post("/api/v1/calls", Act::LogDuty, create)
        .post("/api/v1/calls/{id}/correct", Act::LogDuty, correct)
        .get("/api/v1/duty_facts", Act::LogDuty, list_facts)
        .post("/api/v1/duty_facts", Act::LogDuty, create_fact)
        .post("/api/v1/duty_facts/{id}/withdraw", Act::LogDuty, withdraw)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, create, correct, list_facts, create_fact, withdraw))]
pub struct Doc;

impl Call {
    /// A call as people read it.
    pub fn new(row: store::Call, names: &Names) -> Self {
        Self {
            name: names.person(&row.account_id).name,
            recorded_by: names.person(&row.recorded_by).name,
            id: row.id,
            account_id: row.account_id,
            rota_id: row.rota_id,
            caller: row.caller,
            phone: row.phone,
            site_id: row.site_id,
            site: row.site,
            site_zh: row.site_zh,
            ticket_number: row.ticket_number,
            matter: row.matter,
            result: row.result,
            started_at: row.started_at,
            length_s: row.length_s,
            recorded_at: row.recorded_at,
            corrected: row.corrects_id.is_some(),
        }
    }
}

/// Calls, newest first; the newest 500.
#[utoipa::path(get, path = "/api/v1/calls", tag = "rota", params(Calls), responses((status = 200, body = Items<Call>)))]
async fn list(State(app): State<App>, Query(calls): Query<Calls>) -> Result<Json<Items<Call>>, ApiError> {
    let mut conn = app.db.read().await?;
    let filter = store::Filter {
        from_at: calls.from_at,
        to_at: calls.to_at,
        account: calls.account_id.as_deref(),
        ticket: calls.ticket_id.as_deref(),
        id: None,
    };
    let rows = store::list_calls(&mut conn, &filter, 500).await?;
    let names = Names::load(&mut conn).await?;
    Ok(Json(Items::all(rows.into_iter().map(|row| Call::new(row, &names)).collect())))
}

/// Writes a call down; a ticket that it names says so in its story.
#[utoipa::path(post, path = "/api/v1/calls", tag = "rota", request_body = NewCall,
    responses((status = 201, body = Call), (status = 400), (status = 404)))]
async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewCall>,
) -> Result<(StatusCode, Json<Call>), ApiError> {
    keep(&app, &viewer, new, None).await
}

/// Corrects a call. The entry as it was stays on the record, and the new one names it.
#[utoipa::path(post, path = "/api/v1/calls/{id}/correct", tag = "rota", params(("id" = String, Path)),
    request_body = NewCall, responses((status = 201, body = Call), (status = 403), (status = 404)))]
async fn correct(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewCall>,
) -> Result<(StatusCode, Json<Call>), ApiError> {
    keep(&app, &viewer, new, Some(id)).await
}

async fn keep(
    app: &App,
    viewer: &Viewer,
    new: NewCall,
    corrects: Option<String>,
) -> Result<(StatusCode, Json<Call>), ApiError> {
    let now = app.clock.now();
    if !(0..=CALL_MAX_S).contains(&new.length_s) {
        return Err(ApiError::bad_request(
            "length_s",
            "a call takes 0 to 86400 seconds",
            "give its length in seconds",
        ));
    }
    must_be_past("started_at", new.started_at, now)?;
    let mut tx = app.db.write().await?;
    if let Some(id) = &corrects {
        let filter = store::Filter { id: Some(id), ..store::Filter::default() };
        let old = store::list_calls(&mut tx, &filter, 1).await?.pop();
        let old = old.ok_or_else(|| ApiError::not_found("call that stands", id))?;
        must_be_own(viewer, &old.account_id)?;
    }
    let account_id = new.account_id.unwrap_or_else(|| viewer.account.to_string());
    must_be_own(viewer, &account_id)?;
    get_staff(&mut tx, &account_id).await?;
    if let Some(rota) = &new.rota_id {
        get_row(&mut tx, rota).await?;
    }
    let ticket = find_ticket(&mut tx, viewer, new.ticket.as_deref()).await?;
    let site_id =
        new.site_id.filter(|id| !id.is_empty()).or(ticket.as_ref().map(|ticket| ticket.site_id.clone()));
    if let Some(site) = &site_id {
        let found = site::store::find(&mut tx, &viewer.scope, site).await?;
        found.ok_or_else(|| ApiError::not_found("site", site))?;
    }
    let call = store::Call {
        id: String::new(),
        account_id,
        rota_id: new.rota_id,
        caller: line("caller", &new.caller, 1..=80)?,
        phone: line("phone", &new.phone, 0..=40)?,
        site_id,
        site: None,
        site_zh: None,
        ticket_id: ticket.as_ref().map(|ticket| ticket.id.clone()),
        ticket_number: None,
        matter: prose("matter", &new.matter, 1..=2000)?,
        result: prose("result", &new.result, 1..=2000)?,
        started_at: new.started_at,
        length_s: new.length_s,
        recorded_by: viewer.account.to_string(),
        recorded_at: now.as_millisecond(),
        corrects_id: corrects,
    };
    let id = store::insert_call(&mut tx, &call, now).await?;
    if let Some(ticket) = &ticket {
        let actor = Actor::Person { id: viewer.account.to_string(), name: viewer.name.clone() };
        let text = format!("{}\n{}", call.matter, call.result);
        let body = json!({ "call": id, "caller": call.caller, "length_s": call.length_s, "text": text });
        ticket::store::append(
            &mut tx,
            &ticket.id,
            "call",
            &actor,
            &body,
            crate::clock::from_ms(call.started_at),
            now,
        )
        .await?;
    }
    let action = if call.corrects_id.is_some() { "call.correct" } else { "call.record" };
    let what =
        json!({ "corrects": call.corrects_id, "started_at": call.started_at, "length_s": call.length_s });
    audit::store::insert(&mut tx, &Entry::by(viewer, now, action, &id, what)).await?;
    let filter = store::Filter { id: Some(&id), ..store::Filter::default() };
    let row = store::list_calls(&mut tx, &filter, 1)
        .await?
        .pop()
        .ok_or_else(|| ApiError::not_found("call", &id))?;
    let made = Call::new(row, &Names::load(&mut tx).await?);
    tx.commit().await?;
    if let Some(ticket) = &ticket {
        app.touched(&Touched::ticket(&ticket.id));
    }
    Ok((StatusCode::CREATED, Json(made)))
}

/// Facts between two instants; who does not lead the people sees only the own ones.
#[utoipa::path(get, path = "/api/v1/duty_facts", tag = "rota", params(Facts),
    responses((status = 200, body = Items<DutyFact>)))]
async fn list_facts(
    State(app): State<App>,
    viewer: Viewer,
    Query(facts): Query<Facts>,
) -> Result<Json<Items<DutyFact>>, ApiError> {
    let leads = allows(viewer.role, Act::EditRota);
    let account = if leads { facts.account_id } else { Some(viewer.account.to_string()) };
    let mut conn = app.db.read().await?;
    let rows = store::list_facts(&mut conn, account.as_deref(), facts.from_at, facts.to_at).await?;
    let names = Names::load(&mut conn).await?;
    Ok(Json(Items::all(rows.into_iter().map(|row| fact(row, &names)).collect())))
}

/// Records a fact. Overtime is recorded by who worked it, everything else by who leads the rota.
#[utoipa::path(post, path = "/api/v1/duty_facts", tag = "rota", request_body = NewFact,
    responses((status = 201, body = DutyFact), (status = 400), (status = 403), (status = 404)))]
async fn create_fact(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewFact>,
) -> Result<(StatusCode, Json<DutyFact>), ApiError> {
    let note = prose("note", &new.note, 1..=1000)?;
    let now = app.clock.now();
    let own = new.kind == FactKind::Overtime && new.account_id == viewer.account.as_str();
    if !own && !allows(viewer.role, Act::EditRota) {
        return Err(
            ApiError::forbidden("not_yours", "this is recorded by who leads the rota").hint("ask the NOC")
        );
    }
    must_be_past("from_at", new.from_at, now)?;
    match (new.kind, new.to_at) {
        (FactKind::Overtime, None) => {
            return Err(ApiError::bad_request("to_at", "overtime has an end", "give both"));
        }
        (_, Some(to))
            if to <= new.from_at || to - new.from_at > OVERTIME_MAX_MS || to > now.as_millisecond() =>
        {
            return Err(ApiError::bad_request(
                "to_at",
                "it is not within 48 hours after from_at, or not past",
                "make two entries of it",
            ));
        }
        (_, Some(_) | None) => {}
    }
    let mut tx = app.db.write().await?;
    let names = Names::load(&mut tx).await?;
    if !names.knows(&new.account_id) {
        return Err(ApiError::not_found("person", &new.account_id));
    }
    let ticket = find_ticket(&mut tx, &viewer, new.ticket.as_deref()).await?;
    let row = store::FactRow {
        id: String::new(),
        account_id: new.account_id,
        kind: new.kind.as_str().to_owned(),
        from_at: new.from_at,
        to_at: new.to_at,
        ticket_number: ticket.as_ref().map(|ticket| ticket.number),
        ticket_id: ticket.map(|ticket| ticket.id),
        note,
        recorded_by: viewer.account.to_string(),
        recorded_at: now.as_millisecond(),
        withdrawn_at: None,
        withdrawn_by: None,
        withdrawn_why: None,
    };
    let id = store::insert_fact(&mut tx, &row, now).await?;
    let what = json!({ "kind": row.kind, "person": names.person(&row.account_id).name, "from_at": row.from_at, "to_at": row.to_at });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "fact.record", &id, what)).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(fact(store::FactRow { id, ..row }, &names))))
}

/// Takes a fact back: it stays on the record and counts no more.
#[utoipa::path(post, path = "/api/v1/duty_facts/{id}/withdraw", tag = "rota", params(("id" = String, Path)),
    request_body = Why, responses((status = 204), (status = 403), (status = 404), (status = 409)))]
async fn withdraw(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(why): Json<Why>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let reason = line("reason", &why.reason, 1..=200)?;
    let mut tx = app.db.write().await?;
    let found = store::find_fact(&mut tx, &id).await?;
    let (account, kind) = found.ok_or_else(|| ApiError::not_found("fact", &id))?;
    let own = kind == FactKind::Overtime.as_str() && account == viewer.account.as_str();
    if !own && !allows(viewer.role, Act::EditRota) {
        return Err(
            ApiError::forbidden("not_yours", "this is taken back by who leads the rota").hint("ask the NOC")
        );
    }
    if !store::withdraw_fact(&mut tx, &id, &viewer.name, &reason, now).await? {
        return Err(ApiError::conflict("withdrawn", "it was taken back before"));
    }
    audit::store::insert(
        &mut tx,
        &Entry::by(&viewer, now, "fact.withdraw", &id, json!({ "reason": reason })),
    )
    .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether somebody may write in the log for `account`.
fn must_be_own(viewer: &Viewer, account: &str) -> Result<(), ApiError> {
    if viewer.account.as_str() == account || allows(viewer.role, Act::EditRota) {
        return Ok(());
    }
    Err(ApiError::forbidden("not_yours", "this is somebody else's entry").hint("ask the person, or the NOC"))
}

fn must_be_past(field: &str, at_ms: i64, now: Timestamp) -> Result<(), ApiError> {
    let now = now.as_millisecond();
    if at_ms > now || at_ms < now - LATE_MAX_MS {
        return Err(ApiError::bad_request(
            field,
            "it lies ahead, or more than 400 days back",
            "give the time as it was",
        ));
    }
    Ok(())
}

async fn find_ticket(
    conn: &mut Conn,
    viewer: &Viewer,
    named: Option<&str>,
) -> Result<Option<ticket::store::Row>, ApiError> {
    let Some(named) = named.map(str::trim).filter(|named| !named.is_empty()) else { return Ok(None) };
    let found = ticket::store::find(conn, &viewer.scope, named).await?;
    found.map(Some).ok_or_else(|| ApiError::not_found("ticket", named))
}

fn fact(row: store::FactRow, names: &Names) -> DutyFact {
    DutyFact {
        person: names.person(&row.account_id),
        kind: FactKind::parse(&row.kind).unwrap_or(FactKind::Complaint),
        recorded_by: names.person(&row.recorded_by).name,
        id: row.id,
        from_at: row.from_at,
        to_at: row.to_at,
        ticket_number: row.ticket_number,
        note: row.note,
        recorded_at: row.recorded_at,
        withdrawn_at: row.withdrawn_at,
        withdrawn_by: row.withdrawn_by,
        withdrawn_why: row.withdrawn_why,
    }
}
