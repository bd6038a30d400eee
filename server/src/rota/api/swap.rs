//! Swaps on the API: who is on duty asks a colleague, and the colleague answers.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::shape::{Names, Person};
use super::{bounds, get_loaded, get_row, get_staff, must_be_kept};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::clock::from_ms;
use crate::db::Conn;
use crate::error::ApiError;
use crate::rota::store::{change, swap as store};
use crate::rota::swap::{Answer, Refused, State as SwapState, answer};
use crate::router::input::line;
use crate::router::{Items, Routes};
use crate::user::{AccountId, Act, Viewer};

/// Time on duty in one layer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    /// 0 is the first line.
    pub layer: usize,
    /// Unix ms.
    pub from_at: i64,
    /// Unix ms, itself not included.
    pub to_at: i64,
}

/// A request to swap.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSwap {
    /// The time of one's own that the other takes over.
    pub mine: Stretch,
    /// Who is asked.
    pub other_id: String,
    /// The time of the other's that one takes over in return; `null` is nothing.
    pub theirs: Option<Stretch>,
    /// Why.
    pub reason: String,
}

/// A word with an answer.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SwapAnswer {
    /// What to tell who asked; may be empty.
    #[serde(default)]
    pub note: String,
}

/// A swap.
#[derive(Debug, Serialize, ToSchema)]
pub struct Swap {
    /// Names it.
    pub id: String,
    /// In which rota.
    pub rota_id: String,
    /// What people call it.
    pub rota: String,
    /// Who asks.
    pub asker: Person,
    /// What is given.
    pub mine: Stretch,
    /// Who is asked.
    pub other: Person,
    /// What is taken in return.
    pub theirs: Option<Stretch>,
    /// Why.
    pub reason: String,
    /// `requested`, `accepted`, `declined`, `withdrawn`, or `lapsed`: a shift was over before the answer.
    pub state: &'static str,
    /// Unix ms.
    pub asked_at: i64,
    /// Unix ms.
    pub answered_at: Option<i64>,
    /// What was said with the answer.
    pub answer: String,
}

/// Which swaps.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Of {
    /// Of this rota only.
    pub rota_id: Option<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/swaps", Act::SeeRota, list)
        .post("/api/v1/rotas/{id}/swaps", Act::SwapShifts, create)
        .post("/api/v1/swaps/{id}/accept", Act::SwapShifts, accept)
        .post("/api/v1/swaps/{id}/decline", Act::SwapShifts, decline)
        .post("/api/v1/swaps/{id}/withdraw", Act::SwapShifts, withdraw)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, create, accept, decline, withdraw))]
pub struct Doc;

impl Stretch {
    fn instants(&self) -> Result<(Timestamp, Timestamp), ApiError> {
        bounds(self.from_at, self.to_at)
    }
}

/// Swaps, newest first.
#[utoipa::path(get, path = "/api/v1/swaps", tag = "rota", params(Of), responses((status = 200, body = Items<Swap>)))]
async fn list(State(app): State<App>, Query(of): Query<Of>) -> Result<Json<Items<Swap>>, ApiError> {
    let now = app.clock.now();
    let mut conn = app.db.read().await?;
    let rows = store::list(&mut conn, of.rota_id.as_deref()).await?;
    let names = Names::load(&mut conn).await?;
    Ok(Json(Items::all(rows.into_iter().map(|row| view(row, &names, now)).collect())))
}

/// Asks a colleague to take over time of one's own.
#[utoipa::path(post, path = "/api/v1/rotas/{id}/swaps", tag = "rota", params(("id" = String, Path)),
    request_body = NewSwap, responses((status = 201, body = Swap), (status = 404), (status = 409)))]
async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewSwap>,
) -> Result<(StatusCode, Json<Swap>), ApiError> {
    let reason = line("reason", &new.reason, 1..=200)?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let row = get_row(&mut tx, &id).await?;
    must_be_kept(&row)?;
    let other = get_staff(&mut tx, &new.other_id).await?.id;
    if other == viewer.account {
        return Err(ApiError::bad_request("other_id", "that is yourself", "name a colleague"));
    }
    must_be_theirs(&mut tx, &id, &viewer.account, &new.mine, now).await?;
    if let Some(theirs) = &new.theirs {
        must_be_theirs(&mut tx, &id, &other, theirs, now).await?;
    }
    let swap = store::Row {
        id: String::new(),
        rota_id: row.id,
        rota: row.name,
        asker_id: viewer.account.clone(),
        asker_layer: new.mine.layer as i64,
        asker_from_at: new.mine.from_at,
        asker_to_at: new.mine.to_at,
        other_id: other,
        other_layer: new.theirs.as_ref().map(|theirs| theirs.layer as i64),
        other_from_at: new.theirs.as_ref().map(|theirs| theirs.from_at),
        other_to_at: new.theirs.as_ref().map(|theirs| theirs.to_at),
        reason,
        state: SwapState::Requested.as_str().to_owned(),
        asked_at: now.as_millisecond(),
        answered_at: None,
        answer: String::new(),
    };
    let made = store::insert(&mut tx, &swap, now).await?;
    let what = json!({ "rota": id, "other": swap.other_id, "mine": new.mine, "theirs": new.theirs, "reason": swap.reason });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "swap.request", &made, what)).await?;
    let names = Names::load(&mut tx).await?;
    let swap = view(get(&mut tx, &made).await?, &names, now);
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(swap)))
}

/// Agrees to a swap: from now on each is on duty in the other's time.
#[utoipa::path(post, path = "/api/v1/swaps/{id}/accept", tag = "rota", params(("id" = String, Path)),
    request_body = SwapAnswer, responses((status = 200, body = Swap), (status = 403), (status = 404), (status = 409)))]
async fn accept(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(words): Json<SwapAnswer>,
) -> Result<Json<Swap>, ApiError> {
    settle(&app, &viewer, &id, Answer::Accept, &words.note).await
}

/// Does not agree to a swap.
#[utoipa::path(post, path = "/api/v1/swaps/{id}/decline", tag = "rota", params(("id" = String, Path)),
    request_body = SwapAnswer, responses((status = 200, body = Swap), (status = 403), (status = 404), (status = 409)))]
async fn decline(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(words): Json<SwapAnswer>,
) -> Result<Json<Swap>, ApiError> {
    settle(&app, &viewer, &id, Answer::Decline, &words.note).await
}

/// Takes one's own request back.
#[utoipa::path(post, path = "/api/v1/swaps/{id}/withdraw", tag = "rota", params(("id" = String, Path)),
    request_body = SwapAnswer, responses((status = 200, body = Swap), (status = 403), (status = 404), (status = 409)))]
async fn withdraw(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(words): Json<SwapAnswer>,
) -> Result<Json<Swap>, ApiError> {
    settle(&app, &viewer, &id, Answer::Withdraw, &words.note).await
}

async fn settle(
    app: &App,
    viewer: &Viewer,
    id: &str,
    given: Answer,
    note: &str,
) -> Result<Json<Swap>, ApiError> {
    let note = line("note", note, 0..=200)?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let row = get(&mut tx, id).await?;
    let (may, action) = match given {
        Answer::Accept => (&row.other_id, "swap.accept"),
        Answer::Decline => (&row.other_id, "swap.decline"),
        Answer::Withdraw => (&row.asker_id, "swap.withdraw"),
    };
    if *may != viewer.account {
        return Err(ApiError::forbidden("not_yours", "this swap is for somebody else to answer"));
    }
    let state = SwapState::parse(&row.state).unwrap_or(SwapState::Withdrawn);
    let ends: Vec<Timestamp> =
        [Some(row.asker_to_at), row.other_to_at].into_iter().flatten().map(from_ms).collect();
    let state = answer(state, given, &ends, now)
        .map_err(|why| ApiError::conflict("not_possible", why.to_string()))?;
    if !store::set_state(&mut tx, id, state.as_str(), &note, now).await? {
        return Err(ApiError::conflict("not_possible", Refused::Answered.to_string()));
    }
    if state == SwapState::Accepted {
        exchange(&mut tx, viewer, &row, now).await?;
    }
    audit::store::insert(&mut tx, &Entry::by(viewer, now, action, id, json!({ "note": note }))).await?;
    let names = Names::load(&mut tx).await?;
    let swap = view(get(&mut tx, id).await?, &names, now);
    tx.commit().await?;
    Ok(Json(swap))
}

/// Puts each in the other's place, in the layer and for what is left of the time that was agreed.
async fn exchange(
    conn: &mut Conn,
    viewer: &Viewer,
    row: &store::Row,
    now: Timestamp,
) -> Result<(), ApiError> {
    must_be_kept(&get_row(conn, row.rota_id.as_str()).await?)?;
    let mine = mine(row);
    let theirs = theirs(row);
    // Both are looked at before either is changed.
    must_be_theirs(conn, row.rota_id.as_str(), &row.asker_id, &mine, now).await?;
    if let Some(theirs) = &theirs {
        must_be_theirs(conn, row.rota_id.as_str(), &row.other_id, theirs, now).await?;
    }
    let given = std::iter::once((&mine, &row.asker_id, &row.other_id));
    for (stretch, out, by) in given.chain(theirs.iter().map(|theirs| (theirs, &row.other_id, &row.asker_id)))
    {
        let new = change::New {
            rota: &row.rota_id,
            layer: Some(stretch.layer),
            out: Some(out.as_str()),
            by: Some(by.as_str()),
            from: from_ms(stretch.from_at).max(now),
            to: from_ms(stretch.to_at),
            reason: &row.reason,
            swap: Some(&row.id),
            account: viewer.account.as_str(),
            actor: &viewer.name,
        };
        change::insert(conn, &new, now).await?;
    }
    Ok(())
}

/// Whether `account` is on duty somewhere in what is still to come of a stretch.
async fn must_be_theirs(
    conn: &mut Conn,
    rota: &str,
    account: &AccountId,
    stretch: &Stretch,
    now: Timestamp,
) -> Result<(), ApiError> {
    let (from, to) = stretch.instants()?;
    let from = from.max(now);
    let (_, loaded) = get_loaded(conn, rota, from, to).await?;
    let shifts = if from < to { loaded.shifts(from, to) } else { Vec::new() };
    if shifts.iter().any(|shift| shift.layer == stretch.layer && shift.account == *account) {
        return Ok(());
    }
    let name = Names::load(conn).await?.person(account.as_str()).name;
    Err(ApiError::conflict("not_on_duty", format!("{name} has no shift in that time that is still to come"))
        .hint("look at the rota again: it may have changed"))
}

async fn get(conn: &mut Conn, id: &str) -> Result<store::Row, ApiError> {
    store::find(conn, id).await?.ok_or_else(|| ApiError::not_found("swap", id))
}

fn mine(row: &store::Row) -> Stretch {
    Stretch { layer: row.asker_layer as usize, from_at: row.asker_from_at, to_at: row.asker_to_at }
}

fn theirs(row: &store::Row) -> Option<Stretch> {
    let (layer, from_at, to_at) = (row.other_layer?, row.other_from_at?, row.other_to_at?);
    Some(Stretch { layer: layer as usize, from_at, to_at })
}

fn view(row: store::Row, names: &Names, now: Timestamp) -> Swap {
    let state = SwapState::parse(&row.state).unwrap_or(SwapState::Withdrawn);
    let over =
        [Some(row.asker_to_at), row.other_to_at].into_iter().flatten().any(|end| end <= now.as_millisecond());
    Swap {
        mine: mine(&row),
        theirs: theirs(&row),
        asker: names.person(row.asker_id.as_str()),
        other: names.person(row.other_id.as_str()),
        state: if state == SwapState::Requested && over { "lapsed" } else { state.as_str() },
        id: row.id,
        rota_id: row.rota_id.to_string(),
        rota: row.rota,
        reason: row.reason,
        asked_at: row.asked_at,
        answered_at: row.answered_at,
        answer: row.answer,
    }
}
