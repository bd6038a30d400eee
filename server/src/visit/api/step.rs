//! Taking a step of a visit: what it does to the visit, to its ticket's record, and so to the clocks.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use utoipa::OpenApi;

use super::join;
use super::proof::{self, Proved};
use super::shape::{NewVisitStep, VisitField, VisitSignature, VisitStory};
use super::{finish, own_id, person, story, window};
use crate::app::App;
use crate::clock::from_ms;
use crate::db::Conn;
use crate::error::ApiError;
use crate::router::input::{line, prose};
use crate::ticket;
use crate::ticket::store::fact;
use crate::user::{self, Act, Viewer, allows};
use crate::visit::moment::{Moment, Said};
use crate::visit::signature::Signature;
use crate::visit::store::{self, Event, Row};
use crate::visit::{FIELDS, NoStep, STEPS, State as VisitState, Step, apply, needs_reason};

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(take))]
pub struct Doc;

/// A step may lie so long before the ticket: whoever is there already has arrived.
const BEFORE: SignedDuration = SignedDuration::from_hours(24);

/// Takes a step of a visit. The same once more is answered with the visit as it stands.
#[utoipa::path(put, path = "/api/v1/visits/{id}/steps/{step}", tag = "visits",
    params(("id" = String, Path), ("step" = String, Path)), request_body = NewVisitStep,
    responses((status = 200, body = VisitStory), (status = 404), (status = 409)))]
pub(super) async fn take(
    State(app): State<App>,
    viewer: Viewer,
    Path((id, step)): Path<(String, String)>,
    Json(new): Json<NewVisitStep>,
) -> Result<Json<VisitStory>, ApiError> {
    let step = own_id("step", &step)?;
    let now = app.clock.now();
    let mut tx = app.db.write_in_turn().await?;
    let mut row =
        store::find(&mut tx, &viewer.scope, &id).await?.ok_or_else(|| ApiError::not_found("visit", &id))?;
    if let Some(known) = store::find_event(&mut tx, &step).await? {
        if known.visit_id == row.id && known.asked == asked(&new) {
            return Ok(Json(story(&mut tx, &viewer, &row.id).await?));
        }
        return Err(ApiError::conflict("other_step", format!("there is another step `{step}`"))
            .hint("make a new id for what is new"));
    }
    Box::pin(apply_to(&app, &mut tx, &viewer, &mut row, &step, &new, now)).await?;
    let detail = json!({ "ticket": row.ticket_number, "number": row.number, "step": new.kind });
    finish(&app, tx, &viewer, &row.ticket_id, &row.id, ("visit.step", detail), now).await
}

/// The request by which a repetition is known: all of it but what the clock shows while it is sent.
fn asked(new: &NewVisitStep) -> String {
    serde_json::to_string(&NewVisitStep { device_now: None, ..new.clone() }).unwrap_or_default()
}

/// Takes a step in the caller's transaction; `row` is as it stands afterwards.
pub(crate) async fn apply_to(
    app: &App,
    conn: &mut Conn,
    viewer: &Viewer,
    row: &mut Row,
    id: &str,
    new: &NewVisitStep,
    now: Timestamp,
) -> Result<(), ApiError> {
    let reason = prose("reason", new.reason.as_deref().unwrap_or_default(), 0..=500)?;
    let step = Step::parse(&new.kind, &reason).map_err(|why| match why {
        NoStep::Unknown => {
            let hint = format!("use one of {}", STEPS.join(", "));
            ApiError::bad_request("kind", format!("`{}`: {why}", new.kind), hint)
        }
        NoStep::Reason(_) => ApiError::bad_request("reason", why, "say why"),
    })?;
    let members = store::list_members(conn, &[&row.id]).await?;
    let goes = members.iter().any(|member| member.1 == viewer.account.as_str());
    admit(viewer, &step, goes)?;
    let before = VisitState::parse(&row.state, &row.reason).unwrap_or(VisitState::Planned);
    let after = apply(&before, &step).map_err(|why| {
        ApiError::conflict("not_possible", format!("visit {} of #{}: {why}", row.number, row.ticket_number))
            .hint(format!("it is {}; look at it anew", row.state))
    })?;
    let said = Said {
        occurred_at: new.occurred_at.map(from_ms),
        device_at: new.device_at.map(from_ms),
        device_now: new.device_now.map(from_ms),
        skew_before_ms: new.skew_before_ms,
    };
    let earliest = earliest(row);
    if said.device_at.is_none() && said.occurred_at.is_some_and(|at| at > now || at < earliest) {
        let hint = "give a time between a day before the ticket and now";
        return Err(ApiError::bad_request(
            "occurred_at",
            "it lies in the future, or long before the ticket",
            hint,
        ));
    }
    let mut moment = Moment::read(said, earliest, now);
    let mut body = json!({});
    for (key, words) in
        [("reason", &reason), ("text", &prose("note", new.note.as_deref().unwrap_or_default(), 0..=2000)?)]
    {
        if !words.is_empty() {
            body[key] = words.as_str().into();
        }
    }
    if let Some(who) = &new.who {
        body["who"] = line("who", who, 1..=80)?.into();
    }
    let mut proved = None;
    if new.signature.is_some() && step != Step::Sign {
        return Err(ApiError::bad_request("signature", "this step has none", "send it with `signed`"));
    }
    match &step {
        Step::Assign => assign(conn, row, &new.members, &mut body).await?,
        Step::Accept => {
            store::add_member(conn, &row.id, viewer.account.as_str()).await?;
        }
        Step::Arrive => {
            let found = proof::look(app, conn, viewer, row, (&new.evidence, goes), moment, now).await?;
            moment = found.moment;
            body["evidence"] = found.pieces.clone().into();
            body["level"] = found.level().into();
            if proof::rank(found.level()) < proof::rank(&row.level) {
                found.level().clone_into(&mut row.level);
                row.arrived_at = Some(moment.at.as_millisecond());
            }
            proved = Some(found);
        }
        Step::Finish => {
            let state = row.device_state.clone().unwrap_or_default();
            if needs_reason(&state) && reason.is_empty() {
                let what = row.device_name.clone().unwrap_or_default();
                return Err(ApiError::conflict("still_down", format!("{what} is still down"))
                    .hint("wait until it is measured to work, or say why the work is done all the same"));
            }
            body["device_state"] = state.into();
        }
        Step::Sign => {
            if new.who.is_none() {
                return Err(ApiError::bad_request("who", "it is missing", "say who signed"));
            }
            if let Some(drawn) = &new.signature {
                body["signature"] = read_signature(drawn)?;
            }
            if !new.fields.is_empty() {
                body["fields"] = read_fields(new)?;
            }
            body["satisfied"] = read_satisfied(new)?;
        }
        Step::CallBack => body["satisfied"] = read_satisfied(new)?,
        Step::Write => body["fields"] = read_fields(new)?,
        Step::Call
        | Step::Depart
        | Step::Work
        | Step::Pause(_)
        | Step::Leave(_)
        | Step::File
        | Step::Cancel(_) => {}
    }
    if let Value::Object(told) = &mut body {
        told.retain(|_, value| !value.is_null());
    }
    if moment.unusable {
        body["clock_unusable"] = true.into();
    }
    if let Some(or_at) = moment.or_at {
        body["clock_was_set"] = or_at.as_millisecond().into();
    }
    let event = Event {
        id: id.to_owned(),
        visit_id: row.id.clone(),
        seq: 0,
        kind: new.kind.clone(),
        occurred_at: moment.at.as_millisecond(),
        recorded_at: now.as_millisecond(),
        device_at: new.device_at,
        skew_ms: moment.skew_ms,
        actor_id: Some(viewer.account.to_string()),
        actor: viewer.name.clone(),
        source: source(new)?,
        body: body.to_string(),
        asked: asked(new),
    };
    let seq = store::append(conn, &event).await?;
    if body.get("fields").is_some() {
        write(conn, viewer, row, new, seq).await?;
    }
    after.as_str().clone_into(&mut row.state);
    after.reason().clone_into(&mut row.reason);
    store::update(conn, row, now).await?;
    tell(conn, viewer, row, (&step, &before, &after), (moment, &body, proved.as_ref()), now).await?;
    if proved.is_some_and(|proved| proved.holds()) {
        window::open(conn, row, moment.at, now).await?;
    } else if matches!(step, Step::Finish | Step::Cancel(_)) && before != after {
        window::close(conn, row, &viewer.name, now).await?;
    }
    Ok(())
}

/// What lies before that is not believed.
pub(crate) fn earliest(row: &Row) -> Timestamp {
    from_ms(row.opened_at).saturating_sub(BEFORE).unwrap_or(Timestamp::MIN)
}

/// Only those who lead take some steps; the others are for those who go, and for those who lead.
fn admit(viewer: &Viewer, step: &Step, goes: bool) -> Result<(), ApiError> {
    let leads = allows(viewer.role, Act::PlanVisits);
    if leads || (!step.is_led() && (goes || matches!(step, Step::Accept))) {
        return Ok(());
    }
    let hint = if step.is_led() { "ask the duty desk" } else { "accept the visit first" };
    Err(ApiError::forbidden("not_yours", "this step is not yours to take").hint(hint))
}

fn source(new: &NewVisitStep) -> Result<String, ApiError> {
    match new.source.as_deref() {
        None => Ok(if new.device_at.is_some() { "phone" } else { "desk" }.to_owned()),
        Some(known @ ("phone" | "desk" | "paper")) => Ok(known.to_owned()),
        Some(other) => {
            Err(ApiError::bad_request("source", format!("`{other}` is unknown"), "use phone, desk or paper"))
        }
    }
}

async fn assign(conn: &mut Conn, row: &Row, members: &[String], body: &mut Value) -> Result<(), ApiError> {
    if members.is_empty() || members.len() > super::MEMBERS_MAX {
        return Err(ApiError::bad_request("members", "nobody, or too many", "name one to twenty people"));
    }
    let mut names = Vec::new();
    for member in members {
        let account = user::store::find_account(conn, member).await?;
        let account = account
            .filter(|account| account.disabled == 0 && account.role != "customer")
            .ok_or_else(|| ApiError::not_found("account that may go", member))?;
        store::add_member(conn, &row.id, member).await?;
        names.push(account.name);
    }
    body["people"] = names.into();
    Ok(())
}

fn read_satisfied(new: &NewVisitStep) -> Result<Value, ApiError> {
    match new.satisfied {
        Some(satisfied) if !(1..=5).contains(&satisfied) => {
            Err(ApiError::bad_request("satisfied", "it goes from 1 to 5", "leave it out"))
        }
        satisfied => Ok(satisfied.into()),
    }
}

fn read_signature(drawn: &VisitSignature) -> Result<Value, ApiError> {
    let VisitSignature { width, height, strokes } = drawn.clone();
    Signature { width, height, strokes }
        .check()
        .map_err(|why| ApiError::bad_request("signature", why, "have it drawn anew"))?;
    Ok(json!(drawn))
}

fn read_fields(new: &NewVisitStep) -> Result<Value, ApiError> {
    if new.fields.is_empty() {
        return Err(ApiError::bad_request("fields", "nothing is written", "write at least one field"));
    }
    let mut read = BTreeMap::new();
    for (field, text) in &new.fields {
        if !FIELDS.contains(&field.as_str()) {
            let hint = format!("use one of {}", FIELDS.join(", "));
            return Err(ApiError::bad_request("fields", format!("`{field}` is unknown"), hint));
        }
        read.insert(field, prose("fields", text, 0..=4000)?);
    }
    Ok(json!(read))
}

/// Writes into the form. What somebody else has written since the writer looked is not overwritten.
async fn write(
    conn: &mut Conn,
    viewer: &Viewer,
    row: &mut Row,
    new: &NewVisitStep,
    seq: i64,
) -> Result<(), ApiError> {
    let mut form: BTreeMap<String, VisitField> = serde_json::from_str(&row.form).unwrap_or_default();
    let log = store::list_events(conn, &row.id).await?;
    let seen = new.seen.unwrap_or(i64::MAX);
    let is_own = |seq: i64| {
        let event = log.iter().find(|event| event.seq == seq);
        event.is_some_and(|event| event.actor_id.as_deref() == Some(viewer.account.as_str()))
    };
    for (field, text) in &new.fields {
        let text = prose("fields", text, 0..=4000)?;
        if let Some(there) = form.get(field)
            && there.seq > seen
            && !is_own(there.seq)
            && there.text != text
        {
            let what = format!("{} has written into `{field}` since: {}", there.by, there.text);
            return Err(ApiError::conflict("field_changed", what).hint("look at both, then write it again"));
        }
        form.insert(field.clone(), VisitField { text, by: viewer.name.clone(), seq });
    }
    row.form = serde_json::to_string(&form).unwrap_or_default();
    Ok(())
}

/// Tells the ticket's record what its reader wants to know, and its clocks what they count.
async fn tell(
    conn: &mut Conn,
    viewer: &Viewer,
    row: &Row,
    (step, before, after): (&Step, &VisitState, &VisitState),
    (moment, body, proved): (Moment, &Value, Option<&Proved>),
    now: Timestamp,
) -> Result<(), ApiError> {
    let (by, ticket) = (person(viewer), row.ticket_id.as_str());
    let what = match step {
        Step::Arrive => Some("arrived"),
        Step::Assign if *before == VisitState::Planned => Some("onsite_assigned"),
        Step::Work if *before == VisitState::Arrived => Some("visit_started"),
        Step::Finish if before != after => Some("visit_ended"),
        Step::Write | Step::Call => return Ok(()),
        _ if before == after => return Ok(()),
        Step::Assign
        | Step::Accept
        | Step::Depart
        | Step::Work
        | Step::Pause(_)
        | Step::Finish
        | Step::Sign
        | Step::Leave(_)
        | Step::CallBack
        | Step::File
        | Step::Cancel(_) => None,
    };
    let Some(what) = what else {
        let mut line = json!({ "visit": row.number, "step": after.as_str() });
        for key in ["reason", "text", "who"] {
            if let Some(words) = body.get(key) {
                line[key] = words.clone();
            }
        }
        join::tell(conn, ticket, &by, (step, before, after), (moment, &mut line), now).await?;
        ticket::store::append(conn, ticket, "visit", &by, &line, moment.at, now).await?;
        if *step == Step::Accept && row.ticket_state == "open" {
            ticket::store::set_acked(conn, ticket, &viewer.name, now).await?;
            let line = json!({ "by": "visit", "visit": row.number });
            ticket::store::append(conn, ticket, "acked", &by, &line, moment.at, now).await?;
        }
        return Ok(());
    };
    let mut line = json!({ "what": what, "visit": row.number });
    for key in ["reason", "text", "who", "people", "device_state"] {
        if let Some(words) = body.get(key).filter(|words| **words != json!("")) {
            line[key] = words.clone();
        }
    }
    line["evidence"] = match proved {
        Some(proved) => json!(proved.evidence()),
        None => json!([]),
    };
    if let Some(proved) = proved.filter(|proved| !proved.claims.is_empty()) {
        line["claimed"] = proved.claims.clone().into();
    }
    join::tell(conn, ticket, &by, (step, before, after), (moment, &mut line), now).await?;
    let new = fact::New {
        actor: &by,
        body: &line,
        occurred_at: moment.at,
        device: moment.device(),
        supersedes: None,
    };
    fact::append(conn, ticket, &new, now).await?;
    Ok(())
}
