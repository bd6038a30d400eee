//! What is done with a complaint: each step once, in order, and only ever added to its record.

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::json;

use super::shape::{ComplaintStory, ComplaintWords, NewComplaintStep};
use super::story;
use super::take::promised;
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::complaint::step::note;
use crate::complaint::store::{self, Event, Row};
use crate::complaint::{CHANNELS, Due, No, State as Stands, Step, apply, may_judge};
use crate::db::Conn;
use crate::error::ApiError;
use crate::router::input::{line, one_of, prose};
use crate::ticket::{self, Actor};
use crate::user::{self, Act, Role, Viewer, allows};
use crate::visit::{self, api::own_id};
use crate::{page, sla};

/// Does something with a complaint: who looks into it, what was found, the answer, what is to be better, or that it is
/// opened again, with a new time. The same once more is answered as it stands.
#[utoipa::path(put, path = "/api/v1/complaints/{id}/steps/{step}", tag = "follow",
    params(("id" = String, Path), ("step" = String, Path)), request_body = NewComplaintStep,
    responses((status = 200, body = ComplaintStory), (status = 400), (status = 404), (status = 409)))]
pub(super) async fn step(
    State(app): State<App>,
    viewer: Viewer,
    Path((id, step)): Path<(String, String)>,
    Json(new): Json<NewComplaintStep>,
) -> Result<Json<ComplaintStory>, ApiError> {
    let step = own_id("step", &step)?;
    let now = app.clock.now();
    let asked = serde_json::to_string(&new).unwrap_or_default();
    let mut tx = app.db.write_in_turn().await?;
    let row = store::find(&mut tx, &viewer.scope, &id).await?;
    let mut row = row.ok_or_else(|| ApiError::not_found("complaint", &id))?;
    if let Some(known) = store::find_event(&mut tx, &step).await? {
        if known.complaint_id == row.id && known.asked == asked {
            return Ok(Json(story(&mut tx, &viewer, &row.id, now).await?));
        }
        return Err(ApiError::conflict("other_step", format!("there is another step `{step}`"))
            .hint("make a new id for what is new"));
    }
    let kind = Step::parse(&new.kind).ok_or_else(|| {
        let all = Step::ALL.map(Step::as_str).join(", ");
        ApiError::bad_request("kind", format!("`{}` is no step", new.kind), format!("use one of {all}"))
    })?;
    let before = Stands::parse(&row.state).unwrap_or(Stands::Raised);
    let after = apply(before, kind).map_err(|why| no(&row, why))?;
    let mut said = words(kind, &new)?;
    judge(&mut tx, &viewer, kind, &new, &mut row).await?;
    if kind == Step::Investigate {
        said.holder = row.holder.clone().unwrap_or_default();
    }
    after.as_str().clone_into(&mut row.state);
    let again = if kind == Step::Reopen { Some(anew(&mut tx, &mut row, now).await?) } else { None };
    said.due_at = again.as_ref().map(|due| due.at.as_millisecond());
    store::update(&mut tx, &row, again.as_ref(), now).await?;
    let event = Event {
        complaint_id: row.id.clone(),
        seq: 0,
        id: step,
        kind: kind.as_str().to_owned(),
        run: row.run + i64::from(again.is_some()),
        at: now.as_millisecond(),
        actor_id: Some(viewer.account.to_string()),
        actor: viewer.name.clone(),
        body: serde_json::to_string(&said).unwrap_or_default(),
        asked,
    };
    store::append(&mut tx, &event).await?;
    let by = Actor::Person { id: viewer.account.to_string(), name: viewer.name.clone() };
    note(&mut tx, &row, kind.as_str(), &by, now).await?;
    own_ticket(&mut tx, &row, kind, &by, now).await?;
    let detail = json!({ "number": row.number, "step": kind.as_str() });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "complaint.step", &row.id, detail)).await?;
    let told = story(&mut tx, &viewer, &row.id, now).await?;
    tx.commit().await?;
    app.touched(&Touched::ticket(&row.ticket_id));
    Ok(Json(told))
}

fn no(row: &Row, why: No) -> ApiError {
    ApiError::conflict(why.code(), format!("complaint {}: {why}", row.number)).hint(why.hint())
}

/// Reads what a step says.
fn words(kind: Step, new: &NewComplaintStep) -> Result<ComplaintWords, ApiError> {
    let mut said = ComplaintWords::default();
    let least = usize::from(kind != Step::Investigate);
    said.text = prose("text", new.text.as_deref().unwrap_or_default(), least..=4000)?;
    if kind == Step::Answer {
        said.who = line("who", new.who.as_deref().unwrap_or_default(), 1..=80)?;
        one_of("how", new.how.as_deref().unwrap_or_default(), &CHANNELS)?.clone_into(&mut said.how);
    }
    if kind == Step::Close {
        said.improvement = prose("improvement", new.improvement.as_deref().unwrap_or_default(), 1..=2000)?;
        said.responsible = line("responsible", new.responsible.as_deref().unwrap_or_default(), 1..=80)?;
        let day = line("by_day", new.by_day.as_deref().unwrap_or_default(), 0..=10)?;
        if !day.is_empty() && day.parse::<Date>().is_err() {
            let hint = "write it as 2026-12-31, or leave it out";
            return Err(ApiError::bad_request("by_day", format!("`{day}` is no day"), hint));
        }
        said.by_day = day;
    }
    Ok(said)
}

/// Who looks into it, into the row; and whether that person, or whoever answers, may.
async fn judge(
    conn: &mut Conn,
    viewer: &Viewer,
    kind: Step,
    new: &NewComplaintStep,
    row: &mut Row,
) -> Result<(), ApiError> {
    let who = match (kind, &new.holder_id) {
        (Step::Investigate, Some(holder)) => {
            let found = user::store::find_account(conn, holder).await?;
            let found = found.filter(|one| one.disabled == 0);
            let may = found.as_ref().and_then(|one| Role::parse(&one.role));
            if !may.is_some_and(|role| allows(role, Act::WorkComplaints)) {
                let hint = "name an administrator or somebody of the duty desk";
                return Err(ApiError::bad_request("holder_id", "nobody who may look into it", hint));
            }
            row.holder = found.map(|one| one.name);
            row.holder_id = Some(holder.clone());
            holder.clone()
        }
        (Step::Investigate, None) => {
            row.holder = Some(viewer.name.clone());
            row.holder_id = Some(viewer.account.to_string());
            viewer.account.to_string()
        }
        (Step::Note | Step::Answer | Step::Close | Step::Reopen, _) => viewer.account.to_string(),
    };
    if matches!(kind, Step::Investigate | Step::Answer)
        && let Some(visit) = &row.visit_id
    {
        let members = visit::store::list_members(conn, &[visit.as_str()]).await?;
        let went: Vec<&str> = members.iter().map(|member| member.1.as_str()).collect();
        may_judge(&went, &who).map_err(|why| no(row, why))?;
    }
    Ok(())
}

/// It is to be answered once more, until a time that is counted from now.
async fn anew(conn: &mut Conn, row: &mut Row, now: Timestamp) -> Result<Due, ApiError> {
    let (due, by) = promised(conn, &row.site_id, &row.ticket_id, now).await?;
    row.holder_id = None;
    (row.contract_id, row.version) = by.map_or((None, None), |(id, version)| (Some(id), Some(version)));
    Ok(due)
}

/// A ticket that was opened for a complaint is closed with it, and opened again with it.
async fn own_ticket(
    conn: &mut Conn,
    row: &Row,
    kind: Step,
    by: &Actor,
    now: Timestamp,
) -> Result<(), ApiError> {
    let Some(ticket) = ticket::store::find(conn, &user::Scope::All, &row.ticket_id).await? else {
        return Ok(());
    };
    if row.own_ticket == 0 {
        return Ok(());
    }
    let body = json!({ "reason": "complaint" });
    if kind == Step::Close && ticket.state != "closed" {
        ticket::store::set_closed(conn, &ticket.id, now, now).await?;
        page::step::withdraw(conn, &ticket.id, "over", now).await?;
        ticket::store::append(conn, &ticket.id, "closed", by, &body, now, now).await?;
    } else if kind == Step::Reopen && ticket.state == "closed" {
        ticket::store::set_reopened(conn, &ticket.id, now).await?;
        ticket::store::append(conn, &ticket.id, "reopened", by, &body, now, now).await?;
    }
    sla::step::count_now(conn, &ticket.id, now).await?;
    Ok(())
}
