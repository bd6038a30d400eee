//! Rotas on the API: what there is, who is on duty, the plan and its versions.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, OpenApi, ToSchema};

use super::plan::Plan;
use super::store::{self, NewVersion, Row};
use super::{Rota, RotaId, SPAN_DAYS_MAX, TeamId, Version};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::clock::from_ms;
use crate::db::Conn;
use crate::error::ApiError;
use crate::router::input::{line, prose};
use crate::router::{Items, Routes};
use crate::user::{self, Act, Role, Viewer};
use shape::{GapView, Names, OverrideView, RotaDetail, RotaSummary, ShiftView};

pub mod change;
pub mod feed;
pub mod log;
pub mod pay;
pub mod shape;
pub mod sheet;
pub mod swap;
pub mod team;

/// A new rota.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRota {
    /// Whose it is.
    pub team_id: String,
    /// What people call it; no two have the same name.
    pub name: String,
    /// Free text.
    #[serde(default)]
    pub note: String,
    /// Who takes turns.
    pub plan: Plan,
}

/// What changes of a rota besides its plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotaChange {
    /// What people call it.
    pub name: Option<String>,
    /// Free text.
    pub note: Option<String>,
    /// `true` ends it now, `false` keeps it on. Its past stays.
    pub archived: Option<bool>,
}

/// A new version of a rota's plan.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPlan {
    /// Who takes turns.
    pub plan: Plan,
    /// From when it holds, Unix ms; `null` is now. What is past does not change.
    pub from_at: Option<i64>,
    /// Why, in a few words.
    #[serde(default)]
    pub reason: String,
}

/// A plan to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The rota that it would change; `null` for a new one.
    pub rota_id: Option<String>,
    /// Who takes turns.
    pub plan: Plan,
    /// From when, Unix ms; `null` is now.
    pub from_at: Option<i64>,
    /// Until when, Unix ms.
    pub to_at: i64,
}

/// From when to when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Between {
    /// Unix ms.
    pub from_at: i64,
    /// Unix ms, at most 400 days later.
    pub to_at: i64,
}

/// When.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct At {
    /// Unix ms; now when it is not given.
    pub at: Option<i64>,
}

/// What a rota is between two instants.
#[derive(Debug, Serialize, ToSchema)]
pub struct Layout {
    /// The shifts that have a part in it, each whole, in order.
    pub shifts: Vec<ShiftView>,
    /// Where nobody is on duty; of what is past, accounts that are disabled today count as there.
    pub gaps: Vec<GapView>,
    /// What differs from the plan, removed overrides too.
    pub overrides: Vec<OverrideView>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/rotas", Act::SeeRota, list)
        .post("/api/v1/rotas", Act::EditRota, create)
        .post("/api/v1/rotas/preview", Act::EditRota, preview)
        .get("/api/v1/rotas/{id}", Act::SeeRota, get)
        .patch("/api/v1/rotas/{id}", Act::EditRota, update)
        .put("/api/v1/rotas/{id}/plan", Act::EditRota, set_plan)
        .get("/api/v1/rotas/{id}/shifts", Act::SeeRota, shifts)
        .get("/api/v1/rotas/{id}/on_duty", Act::SeeRota, on_duty)
        .with(team::routes())
        .with(change::routes())
        .with(swap::routes())
        .with(feed::routes())
        .with(log::routes())
        .with(sheet::routes())
        .with(pay::routes())
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, create, preview, get, update, set_plan, shifts, on_duty))]
pub struct Doc;

/// The description of everything about duty.
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Doc::openapi();
    for part in [
        team::Doc::openapi(),
        change::Doc::openapi(),
        swap::Doc::openapi(),
        feed::Doc::openapi(),
        log::Doc::openapi(),
        sheet::Doc::openapi(),
        pay::Doc::openapi(),
    ] {
        document.merge(part);
    }
    document
}

/// Every rota, with who is on duty now and the gaps of the next 14 days.
#[utoipa::path(get, path = "/api/v1/rotas", tag = "rota", responses((status = 200, body = Items<RotaSummary>)))]
async fn list(State(app): State<App>) -> Result<Json<Items<RotaSummary>>, ApiError> {
    let now = app.clock.now();
    let mut conn = app.db.read().await?;
    let mut items = Vec::new();
    for row in store::list(&mut conn).await? {
        items.push(detail(&mut conn, row, now).await?.rota);
    }
    Ok(Json(Items::all(items)))
}

/// One rota with its plan and its versions.
#[utoipa::path(get, path = "/api/v1/rotas/{id}", tag = "rota", params(("id" = String, Path)),
    responses((status = 200, body = RotaDetail), (status = 404)))]
async fn get(State(app): State<App>, Path(id): Path<String>) -> Result<Json<RotaDetail>, ApiError> {
    let mut conn = app.db.read().await?;
    let row = get_row(&mut conn, &id).await?;
    Ok(Json(detail(&mut conn, row, app.clock.now()).await?))
}

/// Adds a rota.
#[utoipa::path(post, path = "/api/v1/rotas", tag = "rota", request_body = NewRota,
    responses((status = 201, body = RotaDetail), (status = 409, description = "the name is taken")))]
async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewRota>,
) -> Result<(StatusCode, Json<RotaDetail>), ApiError> {
    let name = line("name", &new.name, 1..=80)?;
    let note = prose("note", &new.note, 0..=4000)?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    check_plan(&mut tx, &new.plan).await?;
    let team = store::team::find(&mut tx, &new.team_id).await?.filter(|team| team.archived_at.is_none());
    let team: TeamId = team.ok_or_else(|| ApiError::not_found("team", &new.team_id))?.id;
    let id = store::insert(&mut tx, &team, &name, &note, now).await?.ok_or_else(|| taken(&name))?;
    let version =
        NewVersion { plan: &new.plan, from: now, reason: "", account: &viewer.account, actor: &viewer.name };
    store::insert_version(&mut tx, &id, &version, now).await?;
    let entry =
        Entry::by(&viewer, now, "rota.create", id.as_str(), json!({ "name": name, "plan": new.plan }));
    audit::store::insert(&mut tx, &entry).await?;
    let row = get_row(&mut tx, id.as_str()).await?;
    let made = detail(&mut tx, row, now).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Changes name, note or end of a rota.
#[utoipa::path(patch, path = "/api/v1/rotas/{id}", tag = "rota", params(("id" = String, Path)),
    request_body = RotaChange, responses((status = 200, body = RotaDetail), (status = 404), (status = 409)))]
async fn update(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(change): Json<RotaChange>,
) -> Result<Json<RotaDetail>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let mut row = get_row(&mut tx, &id).await?;
    if let Some(name) = &change.name {
        row.name = line("name", name, 1..=80)?;
    }
    if let Some(note) = &change.note {
        row.note = prose("note", note, 0..=4000)?;
    }
    match (change.archived, row.archived_at) {
        (Some(true), None) => row.archived_at = Some(now.as_millisecond()),
        // Keeping it on again does not fill the time in which it was not kept: the plan holds anew from now.
        (Some(false), Some(_)) => {
            return Err(ApiError::conflict(
                "archived",
                "an ended rota stays ended, because its past must not change",
            )
            .hint("make a new rota; the plan of this one can be copied"));
        }
        (Some(true), Some(_)) | (Some(false), None) | (None, _) => {}
    }
    if !store::update(&mut tx, &row).await? {
        return Err(taken(&row.name));
    }
    let what = json!({ "name": row.name, "archived": row.archived_at.is_some() });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "rota.change", &id, what)).await?;
    let changed = detail(&mut tx, row, now).await?;
    tx.commit().await?;
    Ok(Json(changed))
}

/// Gives a rota a new plan, from now on or from later; what is past stays as it was.
#[utoipa::path(put, path = "/api/v1/rotas/{id}/plan", tag = "rota", params(("id" = String, Path)),
    request_body = NewPlan, responses((status = 200, body = RotaDetail), (status = 404), (status = 409)))]
async fn set_plan(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewPlan>,
) -> Result<Json<RotaDetail>, ApiError> {
    let reason = line("reason", &new.reason, 0..=200)?;
    let now = app.clock.now();
    let from = later(new.from_at, now)?;
    let mut tx = app.db.write().await?;
    let row = get_row(&mut tx, &id).await?;
    must_be_kept(&row)?;
    check_plan(&mut tx, &new.plan).await?;
    let version =
        NewVersion { plan: &new.plan, from, reason: &reason, account: &viewer.account, actor: &viewer.name };
    let number = store::insert_version(&mut tx, &row.id, &version, now).await?;
    let what =
        json!({ "version": number, "from_at": from.as_millisecond(), "reason": reason, "plan": new.plan });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "rota.plan", &id, what)).await?;
    let changed = detail(&mut tx, row, now).await?;
    tx.commit().await?;
    Ok(Json(changed))
}

/// What a plan would make of the time to come. Nothing is kept.
#[utoipa::path(post, path = "/api/v1/rotas/preview", tag = "rota", request_body = Draft,
    responses((status = 200, body = Layout), (status = 400)))]
async fn preview(State(app): State<App>, Json(draft): Json<Draft>) -> Result<Json<Layout>, ApiError> {
    let now = app.clock.now();
    let from = later(draft.from_at, now)?;
    let (from, to) = bounds(from.as_millisecond(), draft.to_at)?;
    let mut conn = app.db.read().await?;
    let layers = check_plan(&mut conn, &draft.plan).await?;
    let mut rota = match &draft.rota_id {
        Some(id) => get_loaded(&mut conn, id, from, to).await?.1,
        None => Rota::default(),
    };
    rota.versions.push(Version { from, layers });
    layout(&mut conn, &rota, Vec::new(), from, to, now).await.map(Json)
}

/// The shifts, gaps and overrides of a rota between two instants.
#[utoipa::path(get, path = "/api/v1/rotas/{id}/shifts", tag = "rota", params(("id" = String, Path), Between),
    responses((status = 200, body = Layout), (status = 400), (status = 404)))]
async fn shifts(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(between): Query<Between>,
) -> Result<Json<Layout>, ApiError> {
    let (from, to) = bounds(between.from_at, between.to_at)?;
    let mut conn = app.db.read().await?;
    let (row, rota) = get_loaded(&mut conn, &id, from, to).await?;
    let changes = store::change::list(&mut conn, &row.id, between.from_at, between.to_at).await?;
    layout(&mut conn, &rota, changes, from, to, app.clock.now()).await.map(Json)
}

/// Who is on duty at an instant, first line first.
#[utoipa::path(get, path = "/api/v1/rotas/{id}/on_duty", tag = "rota", params(("id" = String, Path), At),
    responses((status = 200, body = Items<ShiftView>), (status = 404)))]
async fn on_duty(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(at): Query<At>,
) -> Result<Json<Items<ShiftView>>, ApiError> {
    let at = at.at.map_or(app.clock.now(), from_ms);
    let mut conn = app.db.read().await?;
    let (_, rota) = get_loaded(&mut conn, &id, at, at).await?;
    let names = Names::load(&mut conn).await?;
    Ok(Json(Items::all(rota.on_duty(at).iter().map(|shift| names.shift(shift)).collect())))
}

async fn layout(
    conn: &mut Conn,
    rota: &Rota,
    changes: Vec<store::change::Row>,
    from: Timestamp,
    to: Timestamp,
    now: Timestamp,
) -> Result<Layout, ApiError> {
    let names = Names::load(conn).await?;
    let gone = store::list_gone(conn).await?;
    let middle = now.clamp(from, to);
    let mut gaps = rota.gaps(from, middle, &BTreeSet::new());
    gaps.extend(rota.gaps(middle, to, &gone));
    Ok(Layout {
        shifts: rota.shifts(from, to).iter().map(|shift| names.shift(shift)).collect(),
        gaps: gaps.into_iter().map(GapView::from).collect(),
        overrides: changes.into_iter().map(|row| names.change(row)).collect(),
    })
}

async fn detail(conn: &mut Conn, row: Row, now: Timestamp) -> Result<RotaDetail, ApiError> {
    let until = now + SignedDuration::from_hours(24 * super::GAPS_DAYS);
    let versions = store::list_versions(conn, &row.id).await?;
    let missing = || ApiError::not_found("plan of the rota", &row.id);
    let plan = shape::holding(&versions, now).ok_or_else(missing)?.plan()?;
    let rota = store::load(conn, &row.id, now, until).await?.ok_or_else(missing)?;
    let (names, gone) = (Names::load(conn).await?, store::list_gone(conn).await?);
    let versions: Vec<_> = versions.iter().map(shape::version).collect::<sqlx::Result<_>>()?;
    let people: BTreeSet<&str> = versions.iter().flat_map(|version| version.plan.people()).collect();
    let people = people.into_iter().map(|id| names.person(id)).collect();
    Ok(RotaDetail { rota: shape::summary(row, &rota, &plan, &names, &gone, now), plan, versions, people })
}

async fn get_row(conn: &mut Conn, id: &str) -> Result<Row, ApiError> {
    store::find(conn, id).await?.ok_or_else(|| ApiError::not_found("rota", id))
}

async fn get_loaded(
    conn: &mut Conn,
    id: &str,
    from: Timestamp,
    to: Timestamp,
) -> Result<(Row, Rota), ApiError> {
    let row = get_row(conn, id).await?;
    let rota = store::load(conn, &RotaId::from(id), from, to).await?;
    Ok((row, rota.ok_or_else(|| ApiError::not_found("rota", id))?))
}

/// Whether a plan can be kept: its form, and that everybody in it is one of us.
async fn check_plan(conn: &mut Conn, plan: &Plan) -> Result<Vec<super::Layer>, ApiError> {
    let wrong = |fault: super::plan::Fault| {
        ApiError::bad_request(&format!("plan.{}", fault.place), fault.text, "correct it")
    };
    let layers = plan.build().map_err(wrong)?;
    for id in plan.people() {
        get_staff(conn, id).await?;
    }
    Ok(layers)
}

/// A person who may be on duty: an account that can sign in and is no customer's.
async fn get_staff(conn: &mut Conn, id: &str) -> Result<user::store::Account, ApiError> {
    let account = user::store::find_account(conn, id).await?;
    let account = account.filter(|account| Role::parse(&account.role) != Some(Role::Customer));
    let account = account.ok_or_else(|| ApiError::not_found("person", id))?;
    if account.disabled != 0 {
        let text = format!("{} cannot sign in any more", account.name);
        return Err(
            ApiError::conflict("gone", text).hint("choose somebody else, or enable the account first")
        );
    }
    Ok(account)
}

fn must_be_kept(row: &Row) -> Result<(), ApiError> {
    match row.archived_at {
        None => Ok(()),
        Some(_) => {
            Err(ApiError::conflict("archived", format!("{} has ended", row.name)).hint("make a new rota"))
        }
    }
}

/// An instant that is not past; `None` is now.
fn later(at_ms: Option<i64>, now: Timestamp) -> Result<Timestamp, ApiError> {
    let at = at_ms.map_or(now, from_ms);
    if at < now {
        return Err(ApiError::bad_request(
            "from_at",
            "it is past, and what is past does not change",
            "leave it out for now",
        ));
    }
    Ok(at)
}

/// Two instants that are not too far apart.
fn bounds(from_ms_: i64, to_ms_: i64) -> Result<(Timestamp, Timestamp), ApiError> {
    let most = SPAN_DAYS_MAX * 86_400_000;
    if to_ms_ <= from_ms_ || to_ms_.saturating_sub(from_ms_) > most {
        let text = format!("it is not within {SPAN_DAYS_MAX} days after from_at");
        return Err(ApiError::bad_request("to_at", text, "ask for less at once"));
    }
    Ok((from_ms(from_ms_), from_ms(to_ms_)))
}

fn taken(name: &str) -> ApiError {
    ApiError::conflict("name_taken", format!("there is a rota `{name}` already")).hint("choose another name")
}
