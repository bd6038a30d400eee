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
use crate::page::channel::{self, Outgoing, Senders};
use crate::router::input::{line, prose};
use crate::router::{Items, Routes};
use crate::site;
use crate::text::text;
use crate::user::store::{self, Contact, Duty};
use crate::user::{AccountId, Act, Language, Viewer, allows};

/// How many contacts one person may have.
const CONTACTS_MAX: usize = 16;

/// A way of reaching somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Mail.
    Email,
    /// A POST of our JSON.
    Webhook,
    /// A POST of a body that the person writes as a template.
    Http,
}

/// A new contact.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewContact {
    /// How.
    pub channel: Channel,
    /// A mail address, or an http(s) URL.
    pub address: String,
    /// The body that the channel `http` sends.
    #[serde(default)]
    pub template: String,
}

/// What changes of a contact.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactChange {
    /// A mail address, or an http(s) URL.
    pub address: Option<String>,
    /// The body that the channel `http` sends.
    pub template: Option<String>,
    /// Whether it is used.
    pub enabled: Option<bool>,
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

impl Channel {
    /// The name it is stored under.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
            Self::Http => "http",
        }
    }
}

/// Checks what a contact leads to.
fn accept(channel: &str, address: &str, template: &str) -> Result<(String, String), ApiError> {
    let address = line("address", address, 3..=500)?;
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
    Ok(Json(Items::all(store::list_contacts(&mut conn, &AccountId::from(id)).await?)))
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
    let (address, template) = accept(new.channel.as_str(), &new.address, &new.template)?;
    let contact = Contact {
        id: uuid_v7(now),
        account_id: account_id.clone(),
        channel: new.channel.as_str().to_owned(),
        address,
        template,
        enabled: 1,
        created_at: now.as_millisecond(),
        tested_at: None,
        test_error: None,
    };
    let mut tx = app.db.write().await?;
    let account = store::find_account(&mut tx, account_id.as_str()).await?;
    account.ok_or_else(|| ApiError::not_found("person", &account_id))?;
    if store::list_contacts(&mut tx, &account_id).await?.len() >= CONTACTS_MAX {
        return Err(ApiError::conflict("too_many_contacts", "a person has 16 contacts at most")
            .hint("remove one that is no longer used"));
    }
    store::insert_contact(&mut tx, &contact).await?;
    let detail = json!({ "channel": contact.channel, "contact": contact.id });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "user.contact_add", account_id.as_str(), detail))
        .await?;
    tx.commit().await?;
    app.live.refetch();
    Ok((StatusCode::CREATED, Json(contact)))
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
    let address = change.address.unwrap_or(contact.address);
    let template = change.template.unwrap_or(contact.template);
    (contact.address, contact.template) = accept(&contact.channel, &address, &template)?;
    if let Some(enabled) = change.enabled {
        contact.enabled = i64::from(enabled);
    }
    store::update_contact(&mut tx, &contact).await?;
    let detail = json!({ "channel": contact.channel, "contact": cid, "enabled": contact.enabled != 0 });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "user.contact_change", &id, detail)).await?;
    tx.commit().await?;
    app.live.refetch();
    Ok(Json(contact))
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
    store::delete_contact(&mut tx, &cid).await?;
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
        key: format!("test/{cid}/{}", now.as_millisecond()),
        payload: json!({ "purpose": "test", "subject": message.subject, "text": message.text }),
        message,
        link: String::new(),
    };
    let answer = Senders::new(&app.config)?.send(&outgoing).await;
    let mut tx = app.db.write().await?;
    store::record_test(&mut tx, &cid, answer.as_ref().err().map(String::as_str), now).await?;
    let detail = json!({ "channel": contact.channel, "contact": cid, "sent": answer.is_ok() });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "user.contact_test", &id, detail)).await?;
    let contact = get_contact(&mut tx, &id, &cid).await?;
    tx.commit().await?;
    Ok(Json(contact))
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
    store::find_contact(conn, account, id).await?.ok_or_else(|| ApiError::not_found("contact", id))
}
