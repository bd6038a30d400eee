//! Does a device's web service answer as it should? HTTP and HTTPS, with Basic or Digest credentials.
//!
//! Digest begins with a 401 that only hands out a nonce (RFC 7616). A second 401, one that answers our
//! credentials, is final: the password is wrong, and asking again would lock the account on many cameras.
//! The single exception is `stale=true`, by which the device says that only the nonce was too old.
//! Certificates of devices are not verified; what they say is kept as facts.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, SERVER, WWW_AUTHENTICATE};
use reqwest::{Client, Response, StatusCode, redirect, tls::TlsInfo};
use serde_json::Value;
use tokio::time::Instant;

use super::digest::Challenge;
use super::tls::{Certificate, Tls, is_obsolete};
use super::{Failure, OutcomeState, Reading, clip, resolve};
use crate::config::{self, HttpAuth};

/// Bytes of a page that are read in search of the expected text; the rest is left unread.
const MAX_BODY: usize = 1 << 20;
/// Digest answers sent in one run: the first, and one more if the device calls the nonce stale.
const MAX_ANSWERS: u32 = 2;
/// Idle connections are dropped after this time: small web servers have few slots.
const IDLE: Duration = Duration::from_secs(5);

/// The HTTP client all probes share.
#[derive(Debug)]
pub(crate) struct Http {
    client: Client,
}

impl Http {
    /// The client itself: no redirects, no proxy, no verification of certificates.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn new(tls: &Tls) -> anyhow::Result<Self> {
        let client = Client::builder()
            .tls_backend_preconfigured((*tls.config).clone())
            .tls_info(true)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(IDLE)
            .user_agent(concat!("sitewarden-agent/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client })
    }
}

/// Asks for one page.
///
/// Values: `response_ms`, `status`. Facts: `server`, and of an HTTPS device its certificate's.
/// Faults: `http_silent`, `http_status`, `http_auth_rejected`, `http_text_missing`, `tls_obsolete`.
pub(crate) async fn read(address: &str, asked: &config::Http, http: &Http) -> Reading {
    let target = match resolve(address, asked.port).await {
        Ok(target) => target,
        Err(failure) => return failure.into_reading("http_silent"),
    };
    let started = Instant::now();
    let answer = match ask(&url(address, asked), asked, http).await {
        Ok(answer) => answer,
        Err(error) => return unanswered(&error, target),
    };
    let response = match answer {
        Answer::Page(response) => response,
        Answer::Refused { response, text } => {
            let status = Value::from(response.status().as_u16());
            return facts(Reading::good(), &response).fault(
                OutcomeState::Rejected,
                "http_auth_rejected",
                text,
                [("status", status)],
            );
        }
    };
    let status = response.status().as_u16();
    let reading = facts(Reading::good(), &response)
        .value("response_ms", started.elapsed().as_secs_f64() * 1_000.0)
        .value("status", f64::from(status));
    if status != asked.expect_status {
        let text = format!("the device answered with status {status}, expected {}", asked.expect_status);
        let evidence = [("status", Value::from(status)), ("expected", Value::from(asked.expect_status))];
        return reading.fault(OutcomeState::Bad, "http_status", &text, evidence);
    }
    match &asked.expect_text {
        Some(wanted) => find_text(reading, response, wanted).await,
        None => reading,
    }
}

/// How a device answered, credentials considered.
pub(super) enum Answer {
    Page(Response),
    Refused { response: Response, text: &'static str },
}

pub(super) async fn ask(url: &str, asked: &config::Http, http: &Http) -> reqwest::Result<Answer> {
    let get = || http.client.get(url);
    let mut response = match &asked.auth {
        HttpAuth::None | HttpAuth::Digest { .. } => get().send().await?,
        HttpAuth::Basic { user, password } => get().basic_auth(user, Some(password.reveal())).send().await?,
    };
    // A check may expect the 401 itself: then it is the page that was asked for.
    let unauthorized = |response: &Response| {
        response.status() == StatusCode::UNAUTHORIZED
            && (asked.expect_status != 401 || !matches!(asked.auth, HttpAuth::None))
    };
    if !unauthorized(&response) {
        return Ok(Answer::Page(response));
    }
    let (user, password) = match &asked.auth {
        HttpAuth::None => {
            let text = "the device asks for a user and password, and the check has none";
            return Ok(Answer::Refused { response, text });
        }
        HttpAuth::Basic { .. } => {
            return Ok(Answer::Refused {
                response,
                text: "the device does not accept the user or the password",
            });
        }
        HttpAuth::Digest { user, password } => (user.as_str(), password.reveal()),
    };
    for answered in 0..MAX_ANSWERS {
        let Some(mut challenge) = digest_challenge(response.headers()) else {
            let text = "the device offers no Digest sign-in; does it want Basic?";
            return Ok(Answer::Refused { response, text });
        };
        if answered > 0 && !challenge.is_stale() {
            return Ok(Answer::Refused {
                response,
                text: "the device does not accept the user or the password",
            });
        }
        let Some(authorization) = challenge.answer(user, password, "GET", &asked.path) else {
            return Ok(Answer::Refused {
                response,
                text: "the device's Digest challenge cannot be answered",
            });
        };
        response = get().header(AUTHORIZATION, authorization).send().await?;
        if !unauthorized(&response) {
            return Ok(Answer::Page(response));
        }
    }
    Ok(Answer::Refused { response, text: "the device does not accept the user or the password" })
}

/// The strongest Digest challenge of an answer.
pub(crate) fn digest_challenge(headers: &HeaderMap) -> Option<Challenge> {
    Challenge::strongest(headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|header| header.to_str().ok()))
}

/// Looks for the expected text within the first [`MAX_BODY`] bytes of a page.
async fn find_text(reading: Reading, mut response: Response, wanted: &str) -> Reading {
    let mut body: Vec<u8> = Vec::new();
    let mut broken = None;
    while body.len() < MAX_BODY {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(MAX_BODY - body.len())]),
            Ok(None) => break,
            Err(error) => {
                broken = Some(error.to_string());
                break;
            }
        }
    }
    let page = String::from_utf8_lossy(&body);
    if page.contains(wanted) {
        return reading;
    }
    let evidence = [
        ("expected", Value::from(wanted)),
        ("page_start", Value::from(clip(&page))),
        ("bytes_read", Value::from(body.len())),
        ("broken_off", Value::from(broken)),
    ];
    reading.fault(
        OutcomeState::Bad,
        "http_text_missing",
        "the page does not contain the expected text",
        evidence,
    )
}

fn facts(mut reading: Reading, response: &Response) -> Reading {
    if let Some(server) = response.headers().get(SERVER).and_then(|server| server.to_str().ok()) {
        reading = reading.fact("server", server);
    }
    let shown = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
    match shown.and_then(Certificate::parse) {
        Some(certificate) => certificate.facts(reading),
        None => reading,
    }
}

/// Names what went wrong before there was a status to judge.
pub(super) fn unanswered(error: &reqwest::Error, target: std::net::SocketAddr) -> Reading {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut io = None;
    let mut last = error.to_string();
    while let Some(inner) = cause {
        last = inner.to_string();
        if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
            return failed_tls(tls, target);
        }
        // A socket error hides what it wraps from `source`, which names only what lies below that.
        let found = inner.downcast_ref::<std::io::Error>();
        io = found.or(io);
        cause = match found.and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => inner.source(),
        };
    }
    if let Some(io) = io {
        return Failure::from_io(io, target).into_reading("http_silent");
    }
    let text = format!("{target} gave no valid HTTP answer: {last}");
    Reading::good().fault(OutcomeState::Bad, "http_silent", &text, [("reason", Value::from("invalid"))])
}

fn failed_tls(error: &rustls::Error, target: std::net::SocketAddr) -> Reading {
    let words = [("error", Value::from(error.to_string()))];
    if is_obsolete(error) {
        let text = format!("{target} speaks no TLS version or cipher that is still accepted");
        return Reading::good().fault(OutcomeState::Bad, "tls_obsolete", &text, words);
    }
    let text = format!("{target} answered, but not with HTTPS");
    Reading::good().fault(OutcomeState::Bad, "http_silent", &text, words)
}

pub(super) fn url(address: &str, asked: &config::Http) -> String {
    let scheme = if asked.tls { "https" } else { "http" };
    let host = if address.contains(':') && !address.starts_with('[') {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    format!("{scheme}://{host}:{}{}", asked.port, asked.path)
}
