//! Taking a ticket from a phone, by a link that is its own proof.
//!
//! The link names the ticket, the person and an expiry, under a MAC of the server. Opening it shows
//! the ticket; only the button takes it, because mail scanners open every link they see.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::json;

use crate::app::App;
use crate::error::ApiError;
use crate::text::text;
use crate::ticket::{self, Actor, State as TicketState, Step};
use crate::user::{Language, Scope};

/// How long a link works.
const LIFE_MS: i64 = 7 * 24 * 3600 * 1000;

/// The address at which `account` takes `ticket`.
pub fn link(app: &App, ticket: &str, account: &str, now: Timestamp) -> String {
    let token = token(app, ticket, account, now.as_millisecond() + LIFE_MS);
    format!("{}/a/{token}", app.config.public_url().trim_end_matches('/'))
}

fn token(app: &App, ticket: &str, account: &str, expires_at: i64) -> String {
    let claim = format!("{ticket}.{account}.{expires_at}");
    let mac = app.keys.sign_link(claim.as_bytes());
    format!("{}.{}", URL_SAFE_NO_PAD.encode(&claim), URL_SAFE_NO_PAD.encode(mac))
}

/// What a valid link says.
#[derive(Debug, PartialEq, Eq)]
struct Claim {
    ticket: String,
    account: String,
    expired: bool,
}

fn read(app: &App, token: &str, now: Timestamp) -> Option<Claim> {
    let (claim, mac) = token.split_once('.')?;
    let claim = String::from_utf8(URL_SAFE_NO_PAD.decode(claim).ok()?).ok()?;
    let mac = URL_SAFE_NO_PAD.decode(mac).ok()?;
    if !app.keys.verify_link(claim.as_bytes(), &mac) {
        return None;
    }
    let mut parts = claim.splitn(3, '.');
    let (ticket, account, expires) = (parts.next()?, parts.next()?, parts.next()?);
    let expired = expires.parse::<i64>().ok()? <= now.as_millisecond();
    Some(Claim { ticket: ticket.to_owned(), account: account.to_owned(), expired })
}

/// Shows the ticket and a button. Changes nothing.
#[utoipa::path(get, path = "/a/{token}", tag = "pages", params(("token" = String, Path,
    description = "the link of a page")), responses((status = 200, description = "the ticket and a button"),
    (status = 404, description = "not a link of ours"), (status = 410, description = "the link has expired")))]
pub(super) async fn show(State(app): State<App>, Path(token): Path<String>) -> Result<Response, ApiError> {
    let Some(known) = look_up(&app, &token).await? else {
        return Ok(refused(StatusCode::NOT_FOUND, "ack.invalid"));
    };
    if known.expired {
        return Ok(refused(StatusCode::GONE, "ack.expired"));
    }
    Ok(page(&known, &body(&known, &token)))
}

/// Takes the ticket for the person whom the link names.
#[utoipa::path(post, path = "/a/{token}", tag = "pages", params(("token" = String, Path,
    description = "the link of a page")), responses((status = 200, description = "the ticket is taken"),
    (status = 404, description = "not a link of ours"), (status = 410, description = "the link has expired")))]
pub(super) async fn take(State(app): State<App>, Path(token): Path<String>) -> Result<Response, ApiError> {
    let Some(known) = look_up(&app, &token).await? else {
        return Ok(refused(StatusCode::NOT_FOUND, "ack.invalid"));
    };
    if known.expired {
        return Ok(refused(StatusCode::GONE, "ack.expired"));
    }
    let now = app.clock.now();
    let state = TicketState::parse(&known.ticket.state);
    let step = state.map(|state| ticket::apply(state, &Step::Ack));
    if let Some(Ok(_)) = step
        && known.ticket.acked_by.as_deref() != Some(known.name.as_str())
    {
        let actor = Actor::Person { id: known.account.clone(), name: known.name.clone() };
        let mut tx = app.db.write().await?;
        ticket::store::set_acked(&mut tx, &known.ticket.id, &known.name, now).await?;
        let how = json!({ "by": "link" });
        ticket::store::append(&mut tx, &known.ticket.id, "acked", &actor, &how, now, now).await?;
        tx.commit().await?;
        app.touched(&crate::app::Touched::ticket(&known.ticket.id));
    }
    let Some(known) = look_up(&app, &token).await? else {
        return Ok(refused(StatusCode::NOT_FOUND, "ack.invalid"));
    };
    Ok(page(&known, &body(&known, &token)))
}

struct Known {
    account: String,
    name: String,
    language: Language,
    expired: bool,
    ticket: ticket::store::Row,
}

async fn look_up(app: &App, token: &str) -> Result<Option<Known>, ApiError> {
    let Some(claim) = read(app, token, app.clock.now()) else { return Ok(None) };
    let mut conn = app.db.read().await?;
    let person: Option<(String, String, i64)> = super::store::find_person(&mut conn, &claim.account).await?;
    let Some((name, language, disabled)) = person else { return Ok(None) };
    let ticket = ticket::store::find(&mut conn, &Scope::All, &claim.ticket).await?;
    Ok(ticket.map(|ticket| Known {
        account: claim.account,
        name,
        language: Language::parse(&language),
        expired: claim.expired || disabled != 0,
        ticket,
    }))
}

fn body(known: &Known, token: &str) -> String {
    let ticket = &known.ticket;
    let say = |key: &str| {
        escape(&text(
            known.language,
            key,
            &[("name", &known.name), ("taker", ticket.acked_by.as_deref().unwrap_or_default())],
        ))
    };
    let fault = sitewarden_proto::fault::find(&ticket.code);
    let lang = known.language.as_str();
    let title = if ticket.title.is_empty() {
        fault.map_or(ticket.code.as_str(), |fault| fault.title.get(lang))
    } else {
        &ticket.title
    };
    let site = match known.language {
        Language::Zh if !ticket.site_name_zh.is_empty() => &ticket.site_name_zh,
        Language::Zh | Language::En => &ticket.site_name,
    };
    let subject = ticket.device_name.as_deref().or(ticket.gateway_name.as_deref()).unwrap_or_default();
    let remedy = fault.map(|fault| escape(fault.remedy.get(lang))).unwrap_or_default();
    let action = match TicketState::parse(&ticket.state) {
        Some(TicketState::Closed) => format!("<p class=\"done\">{}</p>", say("ack.closed")),
        Some(TicketState::Acked) if ticket.acked_by.as_deref() == Some(known.name.as_str()) => {
            format!("<p class=\"done\">{}</p>", say("ack.yours"))
        }
        Some(TicketState::Acked) => format!(
            "<p class=\"done\">{}</p><form method=\"post\" action=\"/a/{token}\"><button>{}</button></form>",
            say("ack.taken"),
            say("ack.too")
        ),
        Some(TicketState::Open) | None => {
            format!("<form method=\"post\" action=\"/a/{token}\"><button>{}</button></form>", say("ack.take"))
        }
    };
    format!(
        "<p class=\"site\">{} · #{}</p><h1>{} {}</h1><p>{remedy}</p>{action}<p class=\"foot\">{}</p>",
        escape(site),
        ticket.number,
        escape(subject),
        escape(title),
        say("ack.for")
    )
}

fn page(known: &Known, body: &str) -> Response {
    document(StatusCode::OK, known.language, body)
}

fn refused(status: StatusCode, key: &str) -> Response {
    let words = format!(
        "<h1>{}</h1><p>{}</p>",
        escape(&text(Language::En, key, &[])),
        escape(&text(Language::Zh, key, &[]))
    );
    document(status, Language::En, &words)
}

fn document(status: StatusCode, language: Language, body: &str) -> Response {
    let lang = match language {
        Language::En => "en",
        Language::Zh => "zh-CN",
    };
    let html = format!(
        "<!doctype html><html lang=\"{lang}\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><meta name=\"robots\" content=\"noindex\"><title>Sitewarden</title>\
         <style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    );
    (status, [(header::CACHE_CONTROL, "no-store")], Html(html)).into_response()
}

const STYLE: &str = ":root{color-scheme:dark light}body{margin:0;background:#0d1013;color:#e8ecef;font:16px/1.45 system-ui,\
\"PingFang SC\",\"Microsoft YaHei\",\"Noto Sans SC\",sans-serif}main{max-width:28rem;margin:0 auto;padding:24px 16px}\
h1{font-size:20px;line-height:1.2}.site,.foot{color:#aab4bd}.foot{font-size:13px}.done{font-weight:600}\
button{width:100%;min-height:64px;border:0;border-radius:8px;background:#e8ecef;color:#0d1013;font:600 18px system-ui,sans-serif}\
button:focus-visible{outline:3px solid #7db2ff;outline-offset:3px}";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
