//! Taking a complaint down: what it is about, until when it is answered, and who hears of it, in one transaction.

use axum::Json;
use axum::extract::{Path, State};
use jiff::Timestamp;
use serde_json::json;
use sitewarden_proto::fault::Severity;

use super::shape::{ComplaintStory, ComplaintWords, NewComplaint};
use super::story;
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::clock::from_ms;
use crate::complaint::step::{note, tell};
use crate::complaint::store::{self, Event, New};
use crate::complaint::{CHANNELS, Due, SUBJECTS, due};
use crate::contract::store::{Shelf, Subject, version_at};
use crate::db::Conn;
use crate::error::ApiError;
use crate::page::Purpose;
use crate::router::input::{line, one_of, prose};
use crate::site;
use crate::sla::store::{Library, find_case};
use crate::ticket::{self, Actor};
use crate::user::{Scope, Viewer};
use crate::visit::{self, api::own_id};

/// So long ago a complaint may have come, ms: thirty days.
const AGO_MAX_MS: i64 = 30 * 86_400_000;

/// Takes a complaint down and tells the manager. The same once more is answered as it stands.
#[utoipa::path(put, path = "/api/v1/complaints/{id}", tag = "follow", params(("id" = String, Path)),
    request_body = NewComplaint,
    responses((status = 200, body = ComplaintStory), (status = 400), (status = 404), (status = 409)))]
pub(super) async fn take(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewComplaint>,
) -> Result<Json<ComplaintStory>, ApiError> {
    let id = own_id("id", &id)?;
    let now = app.clock.now();
    let asked = serde_json::to_string(&new).unwrap_or_default();
    let mut tx = app.db.write_in_turn().await?;
    if let Some(known) = store::find(&mut tx, &viewer.scope, &id).await? {
        if known.asked == asked {
            return Ok(Json(story(&mut tx, &viewer, &id, now).await?));
        }
        return Err(ApiError::conflict("other_complaint", format!("there is another complaint `{id}`"))
            .hint("make a new id for what is new"));
    }
    let subject = one_of("subject", &new.subject, &SUBJECTS)?;
    let channel = one_of("channel", &new.channel, &CHANNELS)?;
    let who = line("who", &new.who, 1..=80)?;
    let reach = line("reach", &new.reach, 0..=120)?;
    let words = prose("words", &new.words, 1..=4000)?;
    let received = received(new.received_at, now)?;
    let number = store::next_number(&mut tx).await?;
    let about = about(&mut tx, &viewer, &new, number, now).await?;
    let (until, by) = promised(&mut tx, &about.site_id, &about.ticket_id, received).await?;
    let row = New {
        id: &id,
        customer_id: &about.customer_id,
        site_id: &about.site_id,
        ticket_id: &about.ticket_id,
        own_ticket: about.own,
        visit_id: about.visit_id.as_deref(),
        subject,
        channel,
        who: &who,
        reach: &reach,
        words: &words,
        received_at: received.as_millisecond(),
        raised_by: &viewer.name,
        due_at: until.at.as_millisecond(),
        promised: by.as_ref().map(|(contract, version)| (contract.as_str(), *version)),
        promise: &until.promise,
        provisional: until.provisional,
        asked: &asked,
    };
    store::insert(&mut tx, &row, number, now).await?;
    begin(&mut tx, &viewer, &id, now).await?;
    let detail = json!({ "number": number, "subject": subject, "channel": channel });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "complaint.take", &id, detail)).await?;
    let told = story(&mut tx, &viewer, &id, now).await?;
    tx.commit().await?;
    app.touched(&Touched::ticket(&about.ticket_id));
    Ok(Json(told))
}

/// Tells of a new complaint, and writes that on its record and on its ticket's.
async fn begin(conn: &mut Conn, viewer: &Viewer, id: &str, now: Timestamp) -> Result<(), ApiError> {
    let row = store::find(conn, &viewer.scope, id).await?;
    let row = row.ok_or_else(|| ApiError::not_found("complaint", id))?;
    let by = Actor::Person { id: viewer.account.to_string(), name: viewer.name.clone() };
    note(conn, &row, "raised", &by, now).await?;
    let told = tell(conn, &row, Purpose::Complaint, now).await?;
    let said = ComplaintWords { told, due_at: Some(row.due_at), ..ComplaintWords::default() };
    let event = Event {
        complaint_id: row.id.clone(),
        seq: 0,
        id: row.id,
        kind: "raised".to_owned(),
        run: row.run,
        at: now.as_millisecond(),
        actor_id: Some(viewer.account.to_string()),
        actor: viewer.name.clone(),
        body: serde_json::to_string(&said).unwrap_or_default(),
        asked: String::new(),
    };
    store::append(conn, &event).await?;
    Ok(())
}

fn received(at: Option<i64>, now: Timestamp) -> Result<Timestamp, ApiError> {
    let Some(at) = at else { return Ok(now) };
    let ago = now.as_millisecond().saturating_sub(at);
    if (0..=AGO_MAX_MS).contains(&ago) {
        return Ok(from_ms(at));
    }
    let hint = "give the time at which it came, within the last thirty days";
    Err(ApiError::bad_request("received_at", "it is ahead, or long ago", hint))
}

/// What a complaint is about.
struct About {
    customer_id: String,
    site_id: String,
    ticket_id: String,
    own: bool,
    visit_id: Option<String>,
}

async fn about(
    conn: &mut Conn,
    viewer: &Viewer,
    new: &NewComplaint,
    number: i64,
    now: Timestamp,
) -> Result<About, ApiError> {
    let scope = &viewer.scope;
    match (&new.visit_id, &new.ticket_id, &new.site_id, &new.customer_id) {
        (Some(visit), None, None, None) => {
            let visit = visit::store::find(conn, scope, visit)
                .await?
                .ok_or_else(|| ApiError::not_found("visit", visit))?;
            let site = at_site(conn, scope, &visit.site_id).await?;
            Ok(About { ticket_id: visit.ticket_id, visit_id: Some(visit.id), ..site })
        }
        (None, Some(ticket), None, None) => {
            let ticket = ticket::store::find(conn, scope, ticket)
                .await?
                .ok_or_else(|| ApiError::not_found("ticket", ticket))?;
            let site = at_site(conn, scope, &ticket.site_id).await?;
            Ok(About { ticket_id: ticket.id, ..site })
        }
        (None, None, Some(site), None) => {
            let site = at_site(conn, scope, site).await?;
            Ok(About { ticket_id: open(conn, &site.site_id, number, now).await?, own: true, ..site })
        }
        (None, None, None, Some(customer)) => {
            let site = first_site(conn, scope, customer).await?;
            Ok(About { ticket_id: open(conn, &site.site_id, number, now).await?, own: true, ..site })
        }
        _ => Err(ApiError::bad_request(
            "ticket_id",
            "it is about none, or about several things",
            "name one of visit_id, ticket_id, site_id and customer_id",
        )),
    }
}

async fn at_site(conn: &mut Conn, scope: &Scope, id: &str) -> Result<About, ApiError> {
    let site = site::store::find(conn, scope, id).await?.ok_or_else(|| ApiError::not_found("site", id))?;
    Ok(About {
        customer_id: site.customer_id,
        site_id: site.id.to_string(),
        ticket_id: String::new(),
        own: false,
        visit_id: None,
    })
}

/// Where a complaint about nothing in particular stands.
async fn first_site(conn: &mut Conn, scope: &Scope, customer: &str) -> Result<About, ApiError> {
    if !scope.covers(customer) || crate::customer::store::find(conn, scope, customer).await?.is_none() {
        return Err(ApiError::not_found("customer", customer));
    }
    let own = Scope::Customer(customer.into());
    let first = site::store::list(conn, &own, None).await?.into_iter().next();
    let first = first.ok_or_else(|| {
        ApiError::conflict("no_site", "this customer has no site")
            .hint("add one: what is done stands on a ticket of a site")
    })?;
    at_site(conn, scope, first.id.as_str()).await
}

/// Opens the ticket of a complaint that is about none. It is minor: it lies in the list and wakes nobody.
async fn open(conn: &mut Conn, site: &str, number: i64, now: Timestamp) -> Result<String, ApiError> {
    let new = ticket::store::New {
        site_id: site,
        gateway_id: None,
        device_id: None,
        origin: "person",
        code: "",
        title: &format!("投诉 {number}, complaint"),
        severity: Severity::Minor.as_str(),
        opened_at: now,
    };
    let (id, _) = ticket::store::insert(conn, &new, now).await?;
    Ok(id.to_string())
}

/// Until when a complaint of `from` is answered, and by which version of which contract: the one that governs its ticket's
/// device at the site then.
pub(super) async fn promised(
    conn: &mut Conn,
    site: &str,
    ticket: &str,
    from: Timestamp,
) -> Result<(Due, Option<(String, i64)>), ApiError> {
    let heads = find_case(conn, &mut Library::default(), ticket).await?.map(|case| case.heads);
    let zone = site::store::find(conn, &Scope::All, site).await?.map(|site| site.zone).unwrap_or_default();
    let subject = heads.map_or_else(Subject::default, |heads| Subject {
        class: heads.class,
        numbers: [heads.device, heads.serial].into_iter().filter(|one| !one.is_empty()).collect(),
    });
    let Some(found) = version_at(conn, &mut Shelf::default(), site, &subject, from).await? else {
        return Ok((due(from, None), None));
    };
    let (version, contract) = &found.versions[found.index];
    let calendars = contract.calendars(jiff::tz::TimeZone::get(&zone).ok().as_ref()).ok();
    let until = due(from, contract.complaint.as_ref().zip(calendars.as_ref()));
    let by = (!until.promise.is_empty()).then(|| (found.contract_id.clone(), version.number));
    Ok((until, by))
}
