//! Hand-over sheets (值班记录表): what a turn was, handed to the next person, who accepts it.
//!
//! A sheet says what it said when it was handed over: its calls, and every ticket that is not solved with the name it
//! stands in. Those names stay after the hand-over, until the ticket is solved. An accepted sheet never changes. Work
//! that a contract lets nobody leave before it is restored is handed over to a named successor first.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::log::Call;
use super::shape::{Names, Person};
use super::{bounds, get_loaded, get_staff};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::db::Conn;
use crate::error::ApiError;
use crate::rota::store::log as store;
use crate::router::input::prose;
use crate::router::{Items, Routes};
use crate::sla::store::{Library, find_case};
use crate::user::{Act, Viewer, allows};

/// Calls on one sheet.
const CALLS_MAX: i64 = 2_000;

/// Of which turn.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// In which rota.
    pub rota_id: String,
    /// Whose turn; oneself when it is not given.
    pub from_id: Option<String>,
    /// Its beginning, Unix ms.
    pub from_at: i64,
    /// Its end, Unix ms.
    pub to_at: i64,
}

/// A sheet to hand over.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSheet {
    /// In which rota.
    pub rota_id: String,
    /// Whose turn; `null` is oneself. Only who leads the rota may hand over for others.
    pub from_id: Option<String>,
    /// To whom.
    pub to_id: String,
    /// The turn's beginning, Unix ms.
    pub from_at: i64,
    /// The turn's end, Unix ms.
    pub to_at: i64,
    /// What the next person should know.
    #[serde(default)]
    pub note: String,
}

/// A word on accepting.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// What was missing or is doubted; may be empty.
    #[serde(default)]
    pub note: String,
}

/// What a sheet says, frozen when it is handed over.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SheetBody {
    /// Where its times are local.
    pub zone: String,
    /// Seconds on duty in the turn.
    pub duty_s: i64,
    /// Shifts in the turn.
    pub shifts: i64,
    /// Seconds of all calls.
    pub calls_s: i64,
    /// The calls, oldest first.
    pub calls: Vec<Call>,
    /// What is not solved.
    pub unsolved: Vec<UnsolvedTicket>,
}

/// A ticket that is not solved.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UnsolvedTicket {
    /// Names it.
    pub id: String,
    /// What people call it.
    pub number: i64,
    /// What it is about; empty where the fault code says it.
    pub title: String,
    /// The fault; empty on a ticket by hand.
    pub code: String,
    /// `critical`, `major` or `minor`.
    pub severity: String,
    /// `open` or `acked`.
    pub state: String,
    /// Where.
    pub site: String,
    /// The same in Chinese.
    pub site_zh: String,
    /// At which device.
    pub device: Option<String>,
    /// Unix ms.
    pub opened_at: i64,
    /// In whose name it stands until it is solved; `null`: nobody has taken it.
    pub owner: Option<String>,
    /// By the contract its work goes on over the end of the turn, and nobody is named who goes on with it.
    #[serde(default)]
    pub needs_successor: bool,
}

/// A hand-over sheet.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sheet {
    /// Names it; empty on a draft.
    pub id: String,
    /// In which rota.
    pub rota_id: String,
    /// What people call it.
    pub rota: String,
    /// Who hands over.
    pub from: Person,
    /// To whom; `null` on a draft.
    pub to: Option<Person>,
    /// The turn's beginning, Unix ms.
    pub from_at: i64,
    /// The turn's end, Unix ms.
    pub to_at: i64,
    /// `draft`, `handed` or `accepted`.
    pub state: String,
    /// What the next person should know.
    pub note: String,
    /// What it says.
    pub body: SheetBody,
    /// Unix ms.
    pub handed_at: Option<i64>,
    /// Unix ms.
    pub accepted_at: Option<i64>,
    /// What was said on accepting.
    pub accept_note: String,
}

/// Which sheets.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Of {
    /// Of this rota only.
    pub rota_id: Option<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/handovers", Act::SeeRota, list)
        .get("/api/v1/handovers/draft", Act::SeeRota, draft)
        .post("/api/v1/handovers", Act::LogDuty, create)
        .get("/api/v1/handovers/{id}", Act::SeeRota, get)
        .post("/api/v1/handovers/{id}/accept", Act::LogDuty, accept)
        .delete("/api/v1/handovers/{id}", Act::LogDuty, withdraw)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, draft, create, get, accept, withdraw))]
pub struct Doc;

/// Sheets, newest turn first.
#[utoipa::path(get, path = "/api/v1/handovers", tag = "rota", params(Of), responses((status = 200, body = Items<Sheet>)))]
async fn list(State(app): State<App>, Query(of): Query<Of>) -> Result<Json<Items<Sheet>>, ApiError> {
    let mut conn = app.db.read().await?;
    let rows = store::list_sheets(&mut conn, of.rota_id.as_deref()).await?;
    let names = Names::load(&mut conn).await?;
    Ok(Json(Items::all(rows.into_iter().map(|row| view(row, &names)).collect())))
}

/// What a sheet would say if it were handed over now.
#[utoipa::path(get, path = "/api/v1/handovers/draft", tag = "rota", params(Turn),
    responses((status = 200, body = Sheet), (status = 400), (status = 404)))]
async fn draft(
    State(app): State<App>,
    viewer: Viewer,
    Query(turn): Query<Turn>,
) -> Result<Json<Sheet>, ApiError> {
    let mut conn = app.db.read().await?;
    let names = Names::load(&mut conn).await?;
    let from_id = turn.from_id.unwrap_or_else(|| viewer.account.to_string());
    let (rota, body) =
        gather(&mut conn, &names, (&turn.rota_id, &from_id), (turn.from_at, turn.to_at), app.clock.now())
            .await?;
    Ok(Json(Sheet {
        id: String::new(),
        rota_id: turn.rota_id,
        rota,
        from: names.person(&from_id),
        to: None,
        from_at: turn.from_at,
        to_at: turn.to_at,
        state: "draft".to_owned(),
        note: String::new(),
        body,
        handed_at: None,
        accepted_at: None,
        accept_note: String::new(),
    }))
}

/// Hands a turn over to the next person.
#[utoipa::path(post, path = "/api/v1/handovers", tag = "rota", request_body = NewSheet,
    responses((status = 201, body = Sheet), (status = 403), (status = 404), (status = 409)))]
async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewSheet>,
) -> Result<(StatusCode, Json<Sheet>), ApiError> {
    let note = prose("note", &new.note, 0..=4000)?;
    let now = app.clock.now();
    let from_id = new.from_id.unwrap_or_else(|| viewer.account.to_string());
    must_be(&viewer, &from_id)?;
    if new.to_id == from_id {
        return Err(ApiError::bad_request("to_id", "nobody hands over to oneself", "name the next person"));
    }
    let mut tx = app.db.write().await?;
    get_staff(&mut tx, &new.to_id).await?;
    let names = Names::load(&mut tx).await?;
    let (rota, body) =
        gather(&mut tx, &names, (&new.rota_id, &from_id), (new.from_at, new.to_at), now).await?;
    if body.shifts == 0 {
        let text = format!("{} has no shift in that turn", names.person(&from_id).name);
        return Err(ApiError::conflict("not_on_duty", text).hint("choose the turn that ends"));
    }
    let left: Vec<String> = body
        .unsolved
        .iter()
        .filter(|one| one.needs_successor)
        .map(|one| format!("#{}", one.number))
        .collect();
    if !left.is_empty() {
        let text = format!("by the contract the work goes on until it is restored: {}", left.join(", "));
        return Err(ApiError::conflict("successor_needed", text)
            .hint("name on each ticket who goes on with it, then hand over"));
    }
    let sheet = store::Sheet {
        id: String::new(),
        rota_id: new.rota_id,
        rota,
        from_id,
        to_id: new.to_id,
        from_at: new.from_at,
        to_at: new.to_at,
        state: "handed".to_owned(),
        note,
        body: serde_json::to_string(&body).map_err(anyhow::Error::from)?,
        created_at: now.as_millisecond(),
        handed_at: None,
        accepted_at: None,
        accept_note: String::new(),
    };
    let Some(id) = store::insert_sheet(&mut tx, &sheet, now).await? else {
        return Err(ApiError::conflict("handed_over", "this turn has a sheet already")
            .hint("while it is not accepted it can be taken back and handed over anew"));
    };
    let what = json!({ "rota": sheet.rota_id, "to": names.person(&sheet.to_id).name, "unsolved": body.unsolved.len() });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "handover.hand", &id, what)).await?;
    let made = view(get_sheet(&mut tx, &id).await?, &names);
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// One sheet.
#[utoipa::path(get, path = "/api/v1/handovers/{id}", tag = "rota", params(("id" = String, Path)),
    responses((status = 200, body = Sheet), (status = 404)))]
async fn get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Sheet>, ApiError> {
    let mut conn = app.db.read().await?;
    let row = get_sheet(&mut conn, &id).await?;
    Ok(Json(view(row, &Names::load(&mut conn).await?)))
}

/// The next person accepts a sheet; from then on nothing changes it.
#[utoipa::path(post, path = "/api/v1/handovers/{id}/accept", tag = "rota", params(("id" = String, Path)),
    request_body = Acceptance, responses((status = 200, body = Sheet), (status = 403), (status = 404), (status = 409)))]
async fn accept(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(words): Json<Acceptance>,
) -> Result<Json<Sheet>, ApiError> {
    let note = prose("note", &words.note, 0..=1000)?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let row = get_sheet(&mut tx, &id).await?;
    // The person's own word: nobody, whatever the role, accepts for somebody else.
    if row.to_id != viewer.account.as_str() {
        return Err(ApiError::forbidden("not_yours", "a sheet is accepted by the person it is handed to"));
    }
    if !store::accept_sheet(&mut tx, &id, &note, now).await? {
        return Err(ApiError::conflict("accepted", "the sheet is accepted already"));
    }
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "handover.accept", &id, json!({ "note": note })))
        .await?;
    let sheet = view(get_sheet(&mut tx, &id).await?, &Names::load(&mut tx).await?);
    tx.commit().await?;
    Ok(Json(sheet))
}

/// Takes back a sheet that is not accepted yet.
#[utoipa::path(delete, path = "/api/v1/handovers/{id}", tag = "rota", params(("id" = String, Path)),
    responses((status = 204), (status = 403), (status = 404), (status = 409)))]
async fn withdraw(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let row = get_sheet(&mut tx, &id).await?;
    must_be(&viewer, &row.from_id)?;
    if !store::delete_sheet(&mut tx, &id).await? {
        return Err(ApiError::conflict("accepted", "the sheet is accepted, and stays as it is"));
    }
    let what = json!({ "from_at": row.from_at, "to": row.to_id });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "handover.take_back", &id, what)).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn must_be(viewer: &Viewer, account: &str) -> Result<(), ApiError> {
    if viewer.account.as_str() == account || allows(viewer.role, Act::EditRota) {
        return Ok(());
    }
    Err(ApiError::forbidden("not_yours", "this is somebody else's turn").hint("ask the person, or the NOC"))
}

async fn get_sheet(conn: &mut Conn, id: &str) -> Result<store::Sheet, ApiError> {
    store::find_sheet(conn, id).await?.ok_or_else(|| ApiError::not_found("hand-over sheet", id))
}

/// What is known of a turn now, and the rota's name.
async fn gather(
    conn: &mut Conn,
    names: &Names,
    (rota_id, account): (&str, &str),
    (from_at, to_at): (i64, i64),
    now: Timestamp,
) -> Result<(String, SheetBody), ApiError> {
    let (from, to) = bounds(from_at, to_at)?;
    let (row, rota) = get_loaded(conn, rota_id, from, to).await?;
    let zone = rota.version(from).or(rota.versions.last()).and_then(|version| version.layers.first());
    let zone = zone.and_then(|layer| layer.zone.iana_name()).unwrap_or("UTC").to_owned();
    let shifts: Vec<_> =
        rota.shifts(from, to).into_iter().filter(|shift| shift.account.as_str() == account).collect();
    let duty_s =
        shifts.iter().map(|shift| shift.end.min(to).duration_since(shift.start.max(from)).as_secs()).sum();
    let filter = store::Filter {
        from_at: Some(from_at),
        to_at: Some(to_at),
        account: Some(account),
        ..store::Filter::default()
    };
    let mut calls = store::list_calls(conn, &filter, CALLS_MAX).await?;
    calls.reverse();
    let unsolved = store::list_unsolved(conn, account, rota_id).await?;
    let mut unsolved: Vec<UnsolvedTicket> = unsolved.into_iter().map(UnsolvedTicket::from).collect();
    let mut library = Library::default();
    for one in unsolved.iter_mut().filter(|one| one.owner.is_some()) {
        let case = find_case(conn, &mut library, &one.id).await?;
        one.needs_successor = case.is_some_and(|case| case.must_go_on(now));
    }
    let body = SheetBody {
        zone,
        duty_s,
        shifts: shifts.len() as i64,
        calls_s: calls.iter().map(|call| call.length_s).sum(),
        calls: calls.into_iter().map(|call| Call::new(call, names)).collect(),
        unsolved,
    };
    Ok((row.name, body))
}

impl From<store::Unsolved> for UnsolvedTicket {
    fn from(row: store::Unsolved) -> Self {
        Self {
            id: row.id,
            number: row.number,
            title: row.title,
            code: row.code,
            severity: row.severity,
            state: row.state,
            site: row.site,
            site_zh: row.site_zh,
            device: row.device,
            opened_at: row.opened_at,
            owner: row.owner,
            needs_successor: false,
        }
    }
}

fn view(row: store::Sheet, names: &Names) -> Sheet {
    Sheet {
        from: names.person(&row.from_id),
        to: Some(names.person(&row.to_id)),
        // What was written by an earlier release is shown as far as it is understood.
        body: serde_json::from_str(&row.body).unwrap_or_default(),
        id: row.id,
        rota_id: row.rota_id,
        rota: row.rota,
        from_at: row.from_at,
        to_at: row.to_at,
        state: row.state,
        note: row.note,
        handed_at: row.handed_at,
        accepted_at: row.accepted_at,
        accept_note: row.accept_note,
    }
}
