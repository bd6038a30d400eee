//! How people are reached, and who is on duty for which site.
//!
//! Everybody looks after their own contacts; an administrator after everybody's.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use crate::app::App;
use crate::audit::{self, Entry};
use crate::error::ApiError;
use crate::id::uuid_v7;
use crate::page;
use crate::page::channel::settings::Kind;
use crate::page::channel::{self, Outgoing, Refusal, Senders};
use crate::page::step::send;
use crate::router::input::{line, prose};
use crate::router::{Items, Routes};
use crate::site;
use crate::text::text;
use crate::user::store::contact::{
    Contact, delete_contact, find_contact, insert_contact, list_contacts, record_test, set_gone,
    update_contact,
};
use crate::user::store::{self, Duty};
use crate::user::{AccountId, Act, Language, Viewer, allows};

/// How many contacts one person may have.
const CONTACTS_MAX: usize = 16;

/// A new contact.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewContact {
    /// A channel by its name, as `GET /api/v1/channels` lists them.
    pub channel: String,
    /// Where the person is reached on it; for `web_push` the JSON that the browser gave.
    pub address: String,
    /// The body that the channel `http` sends.
    #[serde(default)]
    pub template: String,
    /// See [`ContactChange`].
    #[serde(default)]
    pub limit_pages: Option<i64>,
    /// See [`ContactChange`].
    #[serde(default)]
    pub limit_minutes: Option<i64>,
    /// See [`ContactChange`].
    #[serde(default)]
    pub quiet_from: Option<i64>,
    /// See [`ContactChange`].
    #[serde(default)]
    pub quiet_to: Option<i64>,
    /// See [`ContactChange`].
    #[serde(default)]
    pub zone: Option<String>,
}

/// What changes of a contact.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactChange {
    /// Where the person is reached on the channel.
    pub address: Option<String>,
    /// The body that the channel `http` sends.
    pub template: Option<String>,
    /// Whether it is used.
    pub enabled: Option<bool>,
    /// So many pages at most in `limit_minutes`, 0 to 1000; more are put together into one. 0 is no limit.
    pub limit_pages: Option<i64>,
    /// 1 to 1440.
    pub limit_minutes: Option<i64>,
    /// Quiet hours begin at this minute of the day, 0 to 1439. The same as `quiet_to` is none.
    pub quiet_from: Option<i64>,
    /// Quiet hours end at this minute of the day.
    pub quiet_to: Option<i64>,
    /// The person's IANA zone, in which the quiet hours are.
    pub zone: Option<String>,
}

/// Who is to be paged.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDuty {
    /// For which site; `null` is every site that has no duty of its own.
    pub site_id: Option<String>,
    /// Who.
    pub account_id: String,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .get("/api/v1/users/{id}/contacts", Act::OwnContacts, list)
        .post("/api/v1/users/{id}/contacts", Act::OwnContacts, create)
        .patch("/api/v1/users/{id}/contacts/{cid}", Act::OwnContacts, change)
        .delete("/api/v1/users/{id}/contacts/{cid}", Act::OwnContacts, remove)
        .post("/api/v1/users/{id}/contacts/{cid}/test", Act::OwnContacts, test)
        .get("/api/v1/duty", Act::SeeDuty, list_duty)
        .post("/api/v1/duty", Act::EditDuty, create_duty)
        .delete("/api/v1/duty/{id}", Act::EditDuty, remove_duty)
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(list, create, change, remove, test, list_duty, create_duty, remove_duty))]
pub struct Doc;

/// Takes over what changes of a contact, and says what cannot be.
fn apply(contact: &mut Contact, change: &ContactChange) -> Result<(), ApiError> {
    let address = change.address.as_deref().unwrap_or(&contact.address);
    let template = change.template.as_deref().unwrap_or(&contact.template);
    (contact.address, contact.template) = accept(&contact.channel, address, template)?;
    if let Some(enabled) = change.enabled {
        contact.enabled = i64::from(enabled);
    }
    let bounded = |name: &str, value: i64, range: std::ops::RangeInclusive<i64>| {
        if range.contains(&value) {
            Ok(value)
        } else {
            let hint = format!("write {} to {}", range.start(), range.end());
            Err(ApiError::bad_request(name, format!("{value} is out of bounds"), hint))
        }
    };
    if let Some(pages) = change.limit_pages {
        contact.limit_pages = bounded("limit_pages", pages, 0..=1000)?;
    }
    if let Some(minutes) = change.limit_minutes {
        contact.limit_minutes = bounded("limit_minutes", minutes, 1..=1440)?;
    }
    if let (Some(from), Some(to)) = (change.quiet_from, change.quiet_to) {
        let (from, to) = (bounded("quiet_from", from, 0..=1439)?, bounded("quiet_to", to, 0..=1439)?);
        (contact.quiet_from, contact.quiet_to) =
            if from == to { (None, None) } else { (Some(from), Some(to)) };
    } else if change.quiet_from.is_some() || change.quiet_to.is_some() {
        return Err(ApiError::bad_request(
            "quiet_from",
            "quiet hours have a beginning and an end",
            "send both",
        ));
    }
    if let Some(zone) = &change.zone {
        contact.zone = line("zone", zone, 0..=64)?;
    }
    if contact.quiet_from.is_some() && jiff::tz::TimeZone::get(&contact.zone).is_err() {
        return Err(ApiError::bad_request(
            "zone",
            format!("`{}` is not a time zone", contact.zone),
            "write for example `Asia/Shanghai`",
        ));
    }
    Ok(())
}

/// A push may get lost on its way to a phone without anybody's notice, so it is nobody's only channel. `others` are
/// the person's contacts as they would be.
fn refuse_push_alone(contacts: &[Contact]) -> Result<(), ApiError> {
    let is_push = |contact: &&Contact| channel::settings::find(&contact.channel).is_some_and(Kind::is_push);
    let mut used = contacts.iter().filter(|contact| contact.enabled != 0).peekable();
    if used.peek().is_none() || !used.all(|contact| is_push(&contact)) {
        return Ok(());
    }
    Err(ApiError::conflict(
        "push_alone",
        "a push may get lost on its way to a phone without anybody's notice, so it must not be somebody's only channel",
    )
    .hint("add e-mail, a text message, a call or a chat first; take away the push before the last of these"))
}

/// A contact as it may be seen.
fn shown(mut contact: Contact) -> Json<Contact> {
    contact.address = channel::shown(&contact.channel, &contact.address);
    Json(contact)
}

/// Checks what a contact leads to.
fn accept(channel: &str, address: &str, template: &str) -> Result<(String, String), ApiError> {
    let address = line("address", address, 1..=1500)?;
    let template = prose("template", template, 0..=4000)?;
    channel::check(channel, &address, &template).map_err(|fault| {
        ApiError::bad_request("address or template", fault, "correct it, then send a test page")
    })?;
    Ok((address, template))
}

/// Whether `viewer` may look after the contacts of `account`.
fn may_edit(viewer: &Viewer, account: &str) -> Result<(), ApiError> {
    if viewer.account.as_str() == account || allows(viewer.role, Act::EditPeople) {
        Ok(())
    } else {
        Err(ApiError::forbidden("not_yours", "these are somebody else's contacts")
            .hint("ask an administrator"))
    }
}

/// The contacts of a person.
#[utoipa::path(get, path = "/api/v1/users/{id}/contacts", tag = "people", params(("id" = String, Path)),
    responses((status = 200, body = Items<Contact>)))]
async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<Items<Contact>>, ApiError> {
    may_edit(&viewer, &id)?;
    let mut conn = app.db.read().await?;
    store::find_account(&mut conn, &id).await?.ok_or_else(|| ApiError::not_found("person", &id))?;
    let contacts = list_contacts(&mut conn, &AccountId::from(id)).await?;
    Ok(Json(Items::all(contacts.into_iter().map(|contact| shown(contact).0).collect())))
}

/// Adds a contact.
#[utoipa::path(post, path = "/api/v1/users/{id}/contacts", tag = "people", params(("id" = String, Path)),
    request_body = NewContact, responses((status = 201, body = Contact)))]
async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(new): Json<NewContact>,
) -> Result<(StatusCode, Json<Contact>), ApiError> {
    may_edit(&viewer, &id)?;
    let now = app.clock.now();
    let account_id = AccountId::from(id);
    let kind = channel::settings::find(&new.channel);
    let mut contact = Contact {
        id: uuid_v7(now),
        account_id: account_id.clone(),
        channel: new.channel,
        address: new.address,
        template: new.template,
        enabled: 1,
        created_at: now.as_millisecond(),
        tested_at: None,
        test_error: None,
        test_answer: None,
        limit_pages: kind.map_or(0, |kind| kind.limit),
        limit_minutes: 10,
        quiet_from: None,
        quiet_to: None,
        zone: String::new(),
        gone_at: None,
        gone_why: None,
    };
    let wishes = ContactChange {
        address: None,
        template: None,
        enabled: None,
        limit_pages: new.limit_pages,
        limit_minutes: new.limit_minutes,
        quiet_from: new.quiet_from,
        quiet_to: new.quiet_to,
        zone: new.zone,
    };
    apply(&mut contact, &wishes)?;
    let mut tx = app.db.write().await?;
    let account = store::find_account(&mut tx, account_id.as_str()).await?;
    account.ok_or_else(|| ApiError::not_found("person", &account_id))?;
    let mut contacts = list_contacts(&mut tx, &account_id).await?;
    if contacts.len() >= CONTACTS_MAX {
        return Err(ApiError::conflict("too_many_contacts", "a person has 16 contacts at most")
            .hint("remove one that is no longer used"));
    }
    contacts.push(contact.clone());
    if kind.is_some_and(Kind::is_push) {
        refuse_push_alone(&contacts)?;
    }
    insert_contact(&mut tx, &contact).await?;
    let detail = json!({ "channel": contact.channel, "contact": contact.id });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "user.contact_add", account_id.as_str(), detail))
        .await?;
    tx.commit().await?;
    app.live.refetch();
    Ok((StatusCode::CREATED, shown(contact)))
}

/// Changes a contact.
#[utoipa::path(patch, path = "/api/v1/users/{id}/contacts/{cid}", tag = "people",
    params(("id" = String, Path), ("cid" = String, Path)), request_body = ContactChange,
    responses((status = 200, body = Contact), (status = 404)))]
async fn change(
    State(app): State<App>,
    viewer: Viewer,
    Path((id, cid)): Path<(String, String)>,
    Json(change): Json<ContactChange>,
) -> Result<Json<Contact>, ApiError> {
    may_edit(&viewer, &id)?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let mut contact = get_contact(&mut tx, &id, &cid).await?;
    apply(&mut contact, &change)?;
    if change.enabled.is_some() {
        let mut contacts = list_contacts(&mut tx, &contact.account_id).await?;
        for other in contacts.iter_mut().filter(|other| other.id == cid) {
            *other = contact.clone();
        }
        refuse_push_alone(&contacts)?;
    }
    update_contact(&mut tx, &contact).await?;
    let detail = json!({ "channel": contact.channel, "contact": cid, "enabled": contact.enabled != 0 });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "user.contact_change", &id, detail)).await?;
    tx.commit().await?;
    app.live.refetch();
    // One that is used again is no longer gone.
    let contact = get_contact(&mut *app.db.read().await?, &id, &cid).await?;
    Ok(shown(contact))
}

/// Removes a contact.
#[utoipa::path(delete, path = "/api/v1/users/{id}/contacts/{cid}", tag = "people",
    params(("id" = String, Path), ("cid" = String, Path)), responses((status = 204), (status = 404)))]
async fn remove(
    State(app): State<App>,
    viewer: Viewer,
    Path((id, cid)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    may_edit(&viewer, &id)?;
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let contact = get_contact(&mut tx, &id, &cid).await?;
    let mut contacts = list_contacts(&mut tx, &contact.account_id).await?;
    contacts.retain(|other| other.id != cid);
    if contact.enabled != 0 {
        refuse_push_alone(&contacts)?;
    }
    delete_contact(&mut tx, &cid).await?;
    let detail = json!({ "channel": contact.channel, "contact": cid });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "user.contact_remove", &id, detail)).await?;
    tx.commit().await?;
    app.live.refetch();
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a page to this contact that says it is a test, and answers what became of it.
///
/// The person waits for the answer, so this page is sent at once and is not kept as a page.
#[utoipa::path(post, path = "/api/v1/users/{id}/contacts/{cid}/test", tag = "people",
    params(("id" = String, Path), ("cid" = String, Path)),
    responses((status = 200, body = Contact, description = "`tested_at` or `test_error` says how it went"),
    (status = 404)))]
async fn test(
    State(app): State<App>,
    viewer: Viewer,
    Path((id, cid)): Path<(String, String)>,
) -> Result<Json<Contact>, ApiError> {
    may_edit(&viewer, &id)?;
    let now = app.clock.now();
    let (contact, language) = {
        let mut conn = app.db.read().await?;
        let contact = get_contact(&mut conn, &id, &cid).await?;
        let account = store::find_account(&mut conn, &id).await?;
        (contact, account.map_or(viewer.language, |account| Language::parse(&account.language)))
    };
    let args = [("name", viewer.name.as_str())];
    let message = page::Message {
        subject: text(language, "mail.test.subject", &args),
        text: text(language, "mail.test.first", &args),
    };
    let outgoing = Outgoing {
        channel: contact.channel.clone(),
        address: contact.address.clone(),
        template: contact.template.clone(),
        settings: send::settings(&app, &contact.channel).await?,
        key: format!("test/{cid}/{}", now.as_millisecond()),
        language,
        urgent: false,
        ticket: String::new(),
        payload: json!({ "purpose": "test", "subject": message.subject, "text": message.text }),
        message,
        link: String::new(),
    };
    let answer = Senders::new(&app.config)?.send(&outgoing, now).await;
    let words = answer.as_ref().map(String::as_str).map_err(Refusal::words);
    let mut tx = app.db.write().await?;
    record_test(&mut tx, &cid, words, now).await?;
    if let Err(Refusal::Gone(words)) = &answer {
        set_gone(&mut tx, &id, &contact.channel, &contact.address, words, now).await?;
    }
    let detail = json!({ "channel": contact.channel, "contact": cid, "sent": answer.is_ok() });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "user.contact_test", &id, detail)).await?;
    let contact = get_contact(&mut tx, &id, &cid).await?;
    tx.commit().await?;
    Ok(shown(contact))
}

/// Who is paged for which site.
#[utoipa::path(get, path = "/api/v1/duty", tag = "people", responses((status = 200, body = Items<Duty>)))]
async fn list_duty(State(app): State<App>) -> Result<Json<Items<Duty>>, ApiError> {
    Ok(Json(Items::all(store::list_duty(&mut *app.db.read().await?).await?)))
}

/// Puts somebody on duty, for one site or for every site without a duty of its own.
#[utoipa::path(post, path = "/api/v1/duty", tag = "people", request_body = NewDuty,
    responses((status = 201, body = Duty), (status = 409)))]
async fn create_duty(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewDuty>,
) -> Result<(StatusCode, Json<Duty>), ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let account = store::find_account(&mut tx, &new.account_id).await?;
    let account = account.ok_or_else(|| ApiError::not_found("person", &new.account_id))?;
    if let Some(site) = &new.site_id {
        let found = site::store::find(&mut tx, &viewer.scope, site).await?;
        found.ok_or_else(|| ApiError::not_found("site", site))?;
    }
    let id = uuid_v7(now);
    if !store::insert_duty(&mut tx, &id, new.site_id.as_deref(), account.id.as_str(), now).await? {
        return Err(ApiError::conflict(
            "on_duty_already",
            format!("{} is on duty there already", account.name),
        ));
    }
    let detail = json!({ "site": new.site_id, "account": account.name });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "duty.create", &id, detail)).await?;
    let duty = store::list_duty(&mut tx).await?.into_iter().find(|duty| duty.id == id);
    tx.commit().await?;
    app.live.refetch();
    Ok((StatusCode::CREATED, Json(duty.ok_or_else(|| ApiError::not_found("duty", &id))?)))
}

/// Takes somebody off duty.
#[utoipa::path(delete, path = "/api/v1/duty/{id}", tag = "people", params(("id" = String, Path)),
    responses((status = 204), (status = 404)))]
async fn remove_duty(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    if !store::delete_duty(&mut tx, &id).await? {
        return Err(ApiError::not_found("duty", &id));
    }
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "duty.remove", &id, json!({}))).await?;
    tx.commit().await?;
    app.live.refetch();
    Ok(StatusCode::NO_CONTENT)
}

async fn get_contact(conn: &mut crate::db::Conn, account: &str, id: &str) -> Result<Contact, ApiError> {
    find_contact(conn, account, id).await?.ok_or_else(|| ApiError::not_found("contact", id))
}
