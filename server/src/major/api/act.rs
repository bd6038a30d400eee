//! Raising a major request, answering it and working on it. Each is a line of its record, written by whoever has the turn, so
//! that a consent that is taken back in the same moment is taken back before the work begins, or not at all.

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde_json::json;

use super::shape::{MajorStory, MajorWords, NewMajorAnswer, NewMajorRequest, NewMajorWork};
use super::{seen, standing, story};
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::db::Conn;
use crate::error::ApiError;
use crate::major::store::{self, Event, New, Row};
use crate::major::{CAUSES, HOW, KINDS, No, OUTCOMES, SIGNED_IN, Side, Step, may};
use crate::router::input::{line, one_of, prose};
use crate::ticket::{self, Actor};
use crate::user::{Role, Viewer};
use crate::visit::api::own_id;

/// So long ago the customer's leader may have answered, ms: thirty days.
const AGO_MAX_MS: i64 = 30 * 86_400_000;
/// Lines of one record: a request on which people change their minds more often is raised anew.
const LINES_MAX: usize = 200;

/// Raises a major request on a ticket. The same once more is answered as it stands.
#[utoipa::path(put, path = "/api/v1/major-requests/{id}", tag = "follow", params(("id" = String, Path)),
    request_body = NewMajorRequest,
    responses((status = 200, body = MajorStory), (status = 400), (status = 404), (status = 409)))]
pub(super) async fn raise(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewMajorRequest>,
) -> Result<Json<MajorStory>, ApiError> {
    let id = own_id("id", &id)?;
    let now = app.clock.now();
    let asked = serde_json::to_string(&new).unwrap_or_default();
    let mut tx = app.db.write_in_turn().await?;
    if let Some(known) = store::find(&mut tx, &viewer.scope, &id).await? {
        if known.asked == asked {
            return Ok(Json(story(&mut tx, &viewer, known).await?));
        }
        return Err(ApiError::conflict("other_request", format!("there is another major request `{id}`"))
            .hint("make a new id for what is new"));
    }
    let kind = one_of("kind", &new.kind, &KINDS)?;
    let cause = one_of("cause", &new.cause, &CAUSES)?;
    let report = prose("report", &new.report, 1..=8000)?;
    let plan = prose("plan", &new.plan, 1..=4000)?;
    let ticket = ticket::store::find(&mut tx, &viewer.scope, &new.ticket_id)
        .await?
        .ok_or_else(|| ApiError::not_found("ticket", &new.ticket_id))?;
    let site = crate::site::store::find(&mut tx, &viewer.scope, &ticket.site_id)
        .await?
        .ok_or_else(|| ApiError::not_found("site", &ticket.site_id))?;
    let row = New {
        id: &id,
        customer_id: &site.customer_id,
        site_id: &ticket.site_id,
        ticket_id: &ticket.id,
        kind,
        cause,
        report: &report,
        plan: &plan,
        raised_by_id: viewer.account.as_str(),
        raised_by: &viewer.name,
        asked: &asked,
    };
    store::insert(&mut tx, &row, now).await?;
    let row = seen(&mut tx, &viewer, &id).await?;
    let first = Wanted { step: &id, asked: "", said: MajorWords::default() };
    write(&mut tx, &viewer, &row, ("raised", None), &first, now).await?;
    let told = story(&mut tx, &viewer, row).await?;
    tx.commit().await?;
    app.touched(&Touched::ticket(&ticket.id));
    Ok(Json(told))
}

/// Writes down what a side answers: it consents, refuses, or takes its consent back before the work begins. The same once
/// more is answered as it stands.
#[utoipa::path(put, path = "/api/v1/major-requests/{id}/answers/{step}", tag = "follow",
    params(("id" = String, Path), ("step" = String, Path)), request_body = NewMajorAnswer,
    responses((status = 200, body = MajorStory), (status = 400), (status = 403), (status = 404), (status = 409)))]
pub(super) async fn answer(
    State(app): State<App>,
    viewer: Viewer,
    Path((id, step)): Path<(String, String)>,
    Json(new): Json<NewMajorAnswer>,
) -> Result<Json<MajorStory>, ApiError> {
    let key = own_id("step", &step)?;
    let asked = serde_json::to_string(&new).unwrap_or_default();
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let row = seen(&mut tx, &viewer, &id).await?;
    if is_known(&mut tx, &row, &key, &asked).await? {
        return Ok(Json(story(&mut tx, &viewer, row).await?));
    }
    let side = Side::parse(&new.side).ok_or_else(|| {
        let all = Side::ALL.map(Side::as_str).join(", ");
        ApiError::bad_request("side", format!("`{}` is no side", new.side), format!("use one of {all}"))
    })?;
    let step = match new.kind.as_str() {
        "consent" => Step::Consent(side),
        "withdrawn" => Step::Withdraw(side),
        "refused" => Step::Refuse(side),
        other => {
            let hint = "use one of consent, withdrawn, refused";
            return Err(ApiError::bad_request("kind", format!("`{other}` is no answer"), hint));
        }
    };
    let said = words(&viewer, &new, side, step, now)?;
    let wanted = Wanted { step: &key, asked: &asked, said };
    let told = take(&mut tx, &viewer, &row, step, &wanted, now).await?;
    tx.commit().await?;
    app.touched(&Touched::ticket(&told.request.ticket_id));
    Ok(Json(told))
}

/// Begins the work, which is refused unless all three consents stand; or writes down how it ended. The same once more is
/// answered as it stands.
#[utoipa::path(put, path = "/api/v1/major-requests/{id}/work/{step}", tag = "follow",
    params(("id" = String, Path), ("step" = String, Path)), request_body = NewMajorWork,
    responses((status = 200, body = MajorStory), (status = 400), (status = 404), (status = 409)))]
pub(super) async fn work(
    State(app): State<App>,
    viewer: Viewer,
    Path((id, step)): Path<(String, String)>,
    Json(new): Json<NewMajorWork>,
) -> Result<Json<MajorStory>, ApiError> {
    let key = own_id("step", &step)?;
    let asked = serde_json::to_string(&new).unwrap_or_default();
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let row = seen(&mut tx, &viewer, &id).await?;
    if is_known(&mut tx, &row, &key, &asked).await? {
        return Ok(Json(story(&mut tx, &viewer, row).await?));
    }
    let mut said = MajorWords { who: viewer.name.clone(), ..MajorWords::default() };
    let text = new.text.as_deref().unwrap_or_default();
    let step = match new.kind.as_str() {
        "begun" => {
            said.text = prose("text", text, 0..=2000)?;
            Step::Begin
        }
        "done" => {
            said.text = prose("text", text, 1..=8000)?;
            let outcome = new.outcome.as_deref().unwrap_or_default();
            one_of("outcome", outcome, &OUTCOMES)?.clone_into(&mut said.outcome);
            Step::Finish
        }
        other => {
            let hint = "use one of begun, done";
            return Err(ApiError::bad_request("kind", format!("`{other}` is no step of the work"), hint));
        }
    };
    let wanted = Wanted { step: &key, asked: &asked, said };
    let told = take(&mut tx, &viewer, &row, step, &wanted, now).await?;
    tx.commit().await?;
    app.touched(&Touched::ticket(&told.request.ticket_id));
    Ok(Json(told))
}

/// A line that is to be written.
struct Wanted<'a> {
    step: &'a str,
    asked: &'a str,
    said: MajorWords,
}

/// Whether a step was taken before; another one of its id is a mistake.
async fn is_known(conn: &mut Conn, row: &Row, step: &str, asked: &str) -> Result<bool, ApiError> {
    match store::find_event(conn, step).await? {
        None => Ok(false),
        Some(known) if known.request_id == row.id && known.asked == asked => Ok(true),
        Some(_) => Err(ApiError::conflict("other_step", format!("there is another step `{step}`"))
            .hint("make a new id for what is new")),
    }
}

/// Takes a step, where the record allows it.
async fn take(
    conn: &mut Conn,
    viewer: &Viewer,
    row: &Row,
    step: Step,
    wanted: &Wanted<'_>,
    now: Timestamp,
) -> Result<MajorStory, ApiError> {
    let events = store::list_events(conn, &row.id).await?;
    may(&standing(&events), &row.raised_by_id, step, viewer.account.as_str()).map_err(|why| no(row, &why))?;
    if events.len() >= LINES_MAX {
        let text = format!("major request {} was changed too often", row.number);
        return Err(ApiError::conflict("too_long", text).hint("raise another one"));
    }
    write(conn, viewer, row, (step.kind(), step.side()), wanted, now).await?;
    let row = seen(conn, viewer, &row.id).await?;
    story(conn, viewer, row).await
}

fn no(row: &Row, why: &No) -> ApiError {
    ApiError::conflict(why.code(), format!("major request {}: {why}", row.number)).hint(why.hint())
}

/// Writes a line on the record, what the record comes to then, and that there is one on the ticket.
async fn write(
    conn: &mut Conn,
    viewer: &Viewer,
    row: &Row,
    (kind, side): (&str, Option<Side>),
    wanted: &Wanted<'_>,
    now: Timestamp,
) -> Result<(), ApiError> {
    let outcome =
        if wanted.said.outcome.is_empty() { row.outcome.clone() } else { wanted.said.outcome.clone() };
    let side = side.map_or("", Side::as_str);
    let event = Event {
        request_id: row.id.clone(),
        seq: 0,
        id: wanted.step.to_owned(),
        kind: kind.to_owned(),
        side: side.to_owned(),
        at: now.as_millisecond(),
        actor_id: viewer.account.to_string(),
        actor: viewer.name.clone(),
        body: serde_json::to_string(&wanted.said).unwrap_or_default(),
        asked: wanted.asked.to_owned(),
    };
    store::append(conn, &event).await?;
    let state = standing(&store::list_events(conn, &row.id).await?).state;
    store::update(conn, &row.id, (state.as_str(), &outcome), now).await?;
    let by = Actor::Person { id: viewer.account.to_string(), name: viewer.name.clone() };
    let body = json!({ "major": row.id, "number": row.number, "step": kind, "side": side });
    ticket::store::append(conn, &row.ticket_id, "major", &by, &body, now, now).await?;
    let detail = json!({ "number": row.number, "step": kind, "side": side });
    audit::store::insert(conn, &Entry::by(viewer, now, "major_request.step", &row.id, detail)).await?;
    Ok(())
}

/// Reads what an answer says, and by whose word.
fn words(
    viewer: &Viewer,
    new: &NewMajorAnswer,
    side: Side,
    step: Step,
    now: Timestamp,
) -> Result<MajorWords, ApiError> {
    let is_customer = viewer.role == Role::Customer;
    if is_customer && side != Side::Customer {
        let text = "a customer answers for its own side only";
        return Err(ApiError::forbidden("not_permitted", text).hint("answer for the side `customer`"));
    }
    let least = usize::from(!matches!(step, Step::Consent(_)));
    let mut said = MajorWords {
        text: prose("text", new.text.as_deref().unwrap_or_default(), least..=2000)?,
        who: viewer.name.clone(),
        ..MajorWords::default()
    };
    if is_customer {
        SIGNED_IN.clone_into(&mut said.how);
    } else if side == Side::Customer {
        said.who = line("who", new.who.as_deref().unwrap_or_default(), 1..=80)?;
        one_of("how", new.how.as_deref().unwrap_or_default(), &HOW)?.clone_into(&mut said.how);
        let ago = now.as_millisecond().saturating_sub(new.given_at.unwrap_or(now.as_millisecond()));
        if !(0..=AGO_MAX_MS).contains(&ago) {
            let hint = "give the time at which it was said, within the last thirty days";
            return Err(ApiError::bad_request("given_at", "it is ahead, or long ago", hint));
        }
        said.given_at = new.given_at;
    }
    Ok(said)
}
