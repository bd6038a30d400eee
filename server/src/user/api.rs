//! Signing in, one's own account, and the people of the installation.

pub mod contact;
pub mod skill;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{OpenApi, ToSchema};

use super::login::{Asking, Attempt, Signed};
use super::permission::acts_of;
use super::store::{self, Account, NewAccount};
use super::{
    AccountId, Act, Language, Role, SESSION_ABSOLUTE_MS, Viewer, login, login_fault, password, password_fault,
};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::customer::{self, CustomerId};
use crate::db::is_conflict;
use crate::error::ApiError;
use crate::router::input::line;
use crate::router::{COOKIE, Items, Peer, Routes};

/// Who is signing in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The login name.
    pub login: String,
    /// The password.
    pub password: String,
}

/// The person behind this session.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// The account.
    pub id: AccountId,
    /// The login name.
    pub login: String,
    /// The name others read.
    pub name: String,
    /// What the person is.
    pub role: Role,
    /// Whose rows a customer sees.
    pub customer_id: Option<String>,
    /// What the person reads.
    pub language: Language,
    /// True when the password must be changed before anything else.
    pub must_change: bool,
    /// What to send as `x-csrf-token` on everything that writes.
    pub csrf: String,
    /// What this person may do.
    #[schema(value_type = Vec<String>)]
    pub acts: Vec<&'static str>,
}

/// What one may change of oneself.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MeChange {
    /// What the person reads.
    pub language: Option<Language>,
    /// The name others read.
    pub name: Option<String>,
}

/// A change of password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The present one.
    pub old: String,
    /// The next one: 12 to 128 characters.
    pub new: String,
}

/// One of the people.
#[derive(Debug, Serialize, ToSchema)]
pub struct User {
    /// The account.
    pub id: AccountId,
    /// The login name.
    pub login: String,
    /// The name others read.
    pub name: String,
    /// What the person is.
    pub role: String,
    /// Whose rows a customer sees.
    pub customer_id: Option<String>,
    /// What the person reads.
    pub language: String,
    /// True when the account may not sign in.
    pub disabled: bool,
    /// True until the person has chosen its own password.
    pub must_change: bool,
    /// Unix milliseconds.
    pub created_at: i64,
}

/// A new account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The login name: a-z, 0-9 and . - _ @.
    pub login: String,
    /// The name others read.
    pub name: String,
    /// What the person is.
    pub role: Role,
    /// Whose rows a customer sees; only with the role customer, and then required.
    pub customer_id: Option<String>,
    /// What the person reads.
    #[serde(default)]
    pub language: Language,
    /// A first password; one is made up when it is not given. It must be changed at the first login.
    pub password: Option<String>,
}

/// What changes of an account.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// The name others read.
    pub name: Option<String>,
    /// What the person is.
    pub role: Option<Role>,
    /// True when the account may not sign in.
    pub disabled: Option<bool>,
    /// What the person reads.
    pub language: Option<Language>,
    /// Whose rows a customer sees.
    pub customer_id: Option<String>,
    /// A new password; it must be changed at the next login.
    pub password: Option<String>,
}

/// An account that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedUser {
    /// The account.
    pub user: User,
    /// The password that was made up; shown this once.
    pub password: Option<String>,
}

/// The routes.
pub fn routes() -> Routes {
    Routes::new()
        .post("/api/v1/session", Act::Public, sign_in)
        .delete("/api/v1/session", Act::OwnAccount, sign_out)
        .get("/api/v1/me", Act::OwnAccount, me)
        .patch("/api/v1/me", Act::OwnAccount, change_me)
        .post("/api/v1/me/password", Act::OwnAccount, change_password)
        .get("/api/v1/users", Act::SeePeople, list)
        .post("/api/v1/users", Act::EditPeople, create)
        .patch("/api/v1/users/{id}", Act::EditPeople, change)
        .with(contact::routes())
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(sign_in, sign_out, me, change_me, change_password, list, create, change))]
pub struct Doc;

impl From<Account> for User {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            login: account.login,
            name: account.name,
            role: account.role,
            customer_id: account.customer_id,
            language: account.language,
            disabled: account.disabled != 0,
            must_change: account.must_change != 0,
            created_at: account.created_at,
        }
    }
}

fn describe(account: Account, role: Role, csrf: &str) -> Me {
    Me {
        id: account.id,
        login: account.login,
        name: account.name,
        role,
        customer_id: account.customer_id,
        language: Language::parse(&account.language),
        must_change: account.must_change != 0,
        csrf: csrf.to_owned(),
        acts: acts_of(role),
    }
}

fn cookie(app: &App, secret: &str, age_s: i64) -> HeaderValue {
    let secure = if app.config.is_secure() { "; Secure" } else { "" };
    let text = format!("{COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age_s}{secure}");
    let mut value = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// Signs in: sets the session's cookie and answers who is signed in.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = Credentials,
    responses((status = 200, body = Me), (status = 401), (status = 429)))]
async fn sign_in(
    State(app): State<App>,
    peer: Peer,
    headers: HeaderMap,
    Json(given): Json<Credentials>,
) -> Result<Response, ApiError> {
    let client = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let asking = Asking {
        login: given.login,
        password: given.password,
        address: peer.address,
        local: peer.local,
        client: client.to_owned(),
    };
    match login::sign_in(&app.db, &app.logins, asking, app.clock.now()).await? {
        Attempt::Opened(opened) => {
            tracing::info!(account = %opened.account.id, address = %peer.address, "signed in");
            let role = Role::parse(&opened.account.role).ok_or_else(ApiError::unauthorized)?;
            let cookie = cookie(&app, &opened.secret, SESSION_ABSOLUTE_MS / 1000);
            let me = describe(opened.account, role, &opened.csrf);
            Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), Json(me)).into_response())
        }
        Attempt::Wrong => {
            // The login name is not logged: people type passwords into that field.
            tracing::warn!(address = %peer.address, "a login was refused");
            Err(ApiError::new(
                StatusCode::UNAUTHORIZED,
                "wrong_login",
                "the login name or the password is wrong",
            )
            .hint("check both; an administrator can set a new password"))
        }
        Attempt::TooMany(seconds) => {
            tracing::warn!(address = %peer.address, "a login was not looked at: too many failures");
            Err(ApiError::too_many("too many logins have failed", seconds))
        }
        Attempt::NotLocal => Err(ApiError::forbidden(
            "first_login_local",
            "no administrator has chosen a password yet, so the first login must come from the server itself",
        )
        .hint("sign in on the server (or through an SSH tunnel to it) and choose a password")),
    }
}

/// Signs out: ends the session and removes its cookie.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses((status = 204)))]
async fn sign_out(State(app): State<App>, signed: Signed) -> Result<Response, ApiError> {
    let mut tx = app.db.write().await?;
    store::delete_session(&mut tx, &signed.token_hash).await?;
    tx.commit().await?;
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(header::SET_COOKIE, cookie(&app, "", 0))])).into_response())
}

/// Who is signed in, and what that person may do.
#[utoipa::path(get, path = "/api/v1/me", tag = "session", responses((status = 200, body = Me)))]
async fn me(State(app): State<App>, viewer: Viewer, signed: Signed) -> Result<Json<Me>, ApiError> {
    let account = own_account(&mut *app.db.read().await?, &viewer).await?;
    Ok(Json(describe(account, viewer.role, &signed.csrf)))
}

/// Changes one's own name or language.
#[utoipa::path(patch, path = "/api/v1/me", tag = "session", request_body = MeChange,
    responses((status = 200, body = Me)))]
async fn change_me(
    State(app): State<App>,
    viewer: Viewer,
    signed: Signed,
    Json(change): Json<MeChange>,
) -> Result<Json<Me>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let mut account = own_account(&mut tx, &viewer).await?;
    if let Some(name) = change.name {
        account.name = line("name", &name, 1..=80)?;
    }
    if let Some(language) = change.language {
        language.as_str().clone_into(&mut account.language);
    }
    store::update_account(&mut tx, &account).await?;
    let detail = json!({ "name": account.name, "language": account.language });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "user.change", account.id.as_str(), detail))
        .await?;
    tx.commit().await?;
    Ok(Json(describe(account, viewer.role, &signed.csrf)))
}

/// Changes one's own password; every other session of the account ends.
#[utoipa::path(post, path = "/api/v1/me/password", tag = "session", request_body = PasswordChange,
    responses((status = 204), (status = 400), (status = 429)))]
async fn change_password(
    State(app): State<App>,
    viewer: Viewer,
    signed: Signed,
    Json(change): Json<PasswordChange>,
) -> Result<StatusCode, ApiError> {
    let now = app.clock.now();
    let account = own_account(&mut *app.db.read().await?, &viewer).await?;
    let right = app.logins.confirm(&account, change.old.clone(), now).await?;
    match right {
        Ok(true) => {}
        Ok(false) => {
            return Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "wrong_password",
                "old: it is not the present password",
            )
            .hint("type the password you signed in with"));
        }
        Err(seconds) => return Err(ApiError::too_many("too many wrong passwords", seconds)),
    }
    let new = accepted(&change.new, &account.login, "new")?;
    if change.old == new {
        return Err(ApiError::bad_request("new", "it is the present password", "choose another one"));
    }
    let hash = app.logins.hashing.hash(new).await?;
    let mut tx = app.db.write().await?;
    store::set_password(&mut tx, &account.id, &hash, false, now).await?;
    store::delete_sessions(&mut tx, &account.id, &signed.token_hash).await?;
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "user.password", account.id.as_str(), json!({})))
        .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The people of this installation, by name.
#[utoipa::path(get, path = "/api/v1/users", tag = "people", responses((status = 200, body = Items<User>)))]
async fn list(State(app): State<App>) -> Result<Json<Items<User>>, ApiError> {
    let rows = store::list_accounts(&mut *app.db.read().await?).await?;
    Ok(Json(Items::all(rows.into_iter().map(User::from).collect())))
}

/// Adds a person.
#[utoipa::path(post, path = "/api/v1/users", tag = "people", request_body = NewUser,
    responses((status = 201, body = CreatedUser), (status = 409)))]
async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewUser>,
) -> Result<(StatusCode, Json<CreatedUser>), ApiError> {
    let now = app.clock.now();
    let login = new.login.trim().to_lowercase();
    if let Some(fault) = login_fault(&login) {
        return Err(ApiError::bad_request("login", fault, "for example `li.wei`"));
    }
    let name = line("name", &new.name, 1..=80)?;
    let invented = new.password.is_none().then(password::invent);
    let chosen = match &new.password {
        Some(password) => accepted(password, &login, "password")?,
        None => invented.clone().unwrap_or_default(),
    };
    let password_hash = app.logins.hashing.hash(chosen).await?;

    let mut tx = app.db.write().await?;
    let customer_id = customer_for(&mut tx, &viewer, new.role, new.customer_id).await?;
    let row = NewAccount {
        login: login.clone(),
        name,
        role: new.role,
        customer_id: customer_id.map(CustomerId::from),
        password_hash,
        must_change: true,
        language: new.language,
    };
    let id = store::insert_account(&mut tx, &row, now).await.map_err(|error| {
        if is_conflict(&error) {
            ApiError::conflict("login_taken", format!("login: `{login}` is taken"))
                .hint("choose another login name")
        } else {
            error.into()
        }
    })?;
    let detail = json!({ "login": login, "name": row.name, "role": row.role });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "user.create", id.as_str(), detail)).await?;
    let account = store::find_account(&mut tx, id.as_str()).await?;
    tx.commit().await?;
    let account = account.ok_or_else(|| ApiError::not_found("person", &id))?;
    Ok((StatusCode::CREATED, Json(CreatedUser { user: account.into(), password: invented })))
}

/// Changes a person: name, role, password, or whether it may sign in.
#[utoipa::path(patch, path = "/api/v1/users/{id}", tag = "people", params(("id" = String, Path)),
    request_body = UserChange, responses((status = 200, body = User), (status = 404), (status = 409)))]
async fn change(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(change): Json<UserChange>,
) -> Result<Json<User>, ApiError> {
    let now = app.clock.now();
    let found = store::find_account(&mut *app.db.read().await?, &id).await?;
    let login = found.ok_or_else(|| ApiError::not_found("person", &id))?.login;
    let hash = match &change.password {
        Some(password) => Some(app.logins.hashing.hash(accepted(password, &login, "password")?).await?),
        None => None,
    };

    let mut tx = app.db.write().await?;
    let mut account =
        store::find_account(&mut tx, &id).await?.ok_or_else(|| ApiError::not_found("person", &id))?;
    let role = change.role.or_else(|| Role::parse(&account.role)).unwrap_or(Role::Customer);
    let narrower =
        role.as_str() != account.role || change.disabled == Some(true) || change.customer_id.is_some();
    let named = change.customer_id.or(account.customer_id.take()).filter(|_| role == Role::Customer);
    account.customer_id = customer_for(&mut tx, &viewer, role, named).await?;
    role.as_str().clone_into(&mut account.role);
    if let Some(name) = change.name {
        account.name = line("name", &name, 1..=80)?;
    }
    if let Some(disabled) = change.disabled {
        account.disabled = i64::from(disabled);
    }
    if let Some(language) = change.language {
        language.as_str().clone_into(&mut account.language);
    }
    store::update_account(&mut tx, &account).await?;
    if store::count_administrators(&mut tx).await? == 0 {
        return Err(ApiError::conflict(
            "last_administrator",
            "this is the last administrator who can sign in",
        )
        .hint("make somebody else an administrator first"));
    }
    if let Some(hash) = &hash {
        store::set_password(&mut tx, &account.id, hash, true, now).await?;
        account.must_change = 1;
    }
    if narrower || hash.is_some() {
        store::delete_sessions(&mut tx, &account.id, "").await?;
    }
    let detail = json!({
        "name": account.name, "role": account.role, "disabled": account.disabled != 0, "password": hash.is_some(),
    });
    audit::store::insert(&mut tx, &Entry::by(&viewer, now, "user.change", &id, detail)).await?;
    tx.commit().await?;
    Ok(Json(account.into()))
}

async fn own_account(conn: &mut crate::db::Conn, viewer: &Viewer) -> Result<Account, ApiError> {
    store::find_account(conn, viewer.account.as_str()).await?.ok_or_else(ApiError::unauthorized)
}

/// The customer an account belongs to: one that exists for a customer, none for anybody else.
async fn customer_for(
    conn: &mut crate::db::Conn,
    viewer: &Viewer,
    role: Role,
    given: Option<String>,
) -> Result<Option<String>, ApiError> {
    match (role, given) {
        (Role::Customer, Some(id)) => {
            let found = customer::store::find(conn, &viewer.scope, &id).await?;
            Ok(Some(found.ok_or_else(|| ApiError::not_found("customer", &id))?.id.to_string()))
        }
        (Role::Customer, None) => Err(ApiError::bad_request(
            "customer_id",
            "it is missing",
            "name the customer whose sites this person may see",
        )),
        (Role::Administrator | Role::Noc | Role::Technician, None) => Ok(None),
        (Role::Administrator | Role::Noc | Role::Technician, Some(_)) => {
            Err(ApiError::bad_request("customer_id", "only the role customer has one", "leave it out"))
        }
    }
}

fn accepted(password: &str, login: &str, field: &str) -> Result<String, ApiError> {
    match password_fault(password, login) {
        Some(fault) => {
            Err(ApiError::bad_request(field, fault, "choose 12 to 128 characters that nobody would guess"))
        }
        None => Ok(password.to_owned()),
    }
}
