//! One request that changes something, over HTTP with Digest login (RFC 7616). The first answer only hands out a
//! nonce; a 401 that answers our credentials is final, because devices lock an account after a few of them.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, StatusCode};

use super::Report;
use crate::config::Login;
use crate::probe::http::digest_challenge;
use crate::probe::{Context, clip};

/// Bytes of an answer that are read.
const BODY_MAX: usize = 64 * 1024;
/// For one request and its answer.
const WAIT: Duration = Duration::from_secs(10);
/// Answers to challenges: the first, and one more if the device calls its nonce stale.
const ANSWERS: u32 = 2;

/// What is asked.
pub(super) struct Request<'a> {
    pub method: Method,
    /// Path and query.
    pub path: &'a str,
    pub content_type: &'a str,
    pub body: &'a str,
}

/// What the device answered.
pub(super) struct Answer {
    pub status: u16,
    pub body: String,
    /// All of the body was read.
    pub whole: bool,
}

impl Answer {
    /// The beginning of what it said, for the record.
    pub(super) fn words(&self) -> String {
        clip(&self.body)
    }
}

/// Why there is no answer that counts.
pub(super) enum Failure {
    /// The login was not accepted.
    Unauthorized(String),
    /// The connection broke off after the request had been sent with our credentials: it may have worked.
    BrokenOff,
    /// Anything else.
    Other(String),
}

impl From<Failure> for Report {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Unauthorized(text) => Self::unauthorized(text),
            Failure::BrokenOff => Self::failed("the device broke the connection off without an answer"),
            Failure::Other(text) => Self::failed(text),
        }
    }
}

/// Where a login's device listens, without a path.
pub(super) fn base(address: &str, login: &Login) -> String {
    let scheme = if login.tls { "https" } else { "http" };
    let host = if address.contains(':') && !address.starts_with('[') {
        format!("[{address}]")
    } else {
        address.to_owned()
    };
    format!("{scheme}://{host}:{}", login.port)
}

/// Asks, answering a Digest challenge.
pub(super) async fn ask(
    address: &str,
    login: &Login,
    asked: &Request<'_>,
    context: &Context,
) -> Result<Answer, Failure> {
    let url = format!("{}{}", base(address, login), asked.path);
    let request = |with_body: bool| {
        let request = context.http().client().request(asked.method.clone(), &url).timeout(WAIT);
        if with_body && !asked.body.is_empty() {
            request.header(CONTENT_TYPE, asked.content_type).body(asked.body.to_owned())
        } else {
            request
        }
    };
    let mut response = send(request(true), false).await?;
    for answered in 0..ANSWERS {
        if response.status() != StatusCode::UNAUTHORIZED {
            return read(response).await;
        }
        let Some(mut challenge) = digest_challenge(response.headers()) else {
            return Err(Failure::Unauthorized("the device offers no Digest sign-in".to_owned()));
        };
        if answered > 0 && !challenge.is_stale() {
            break;
        }
        let (user, password) = (login.user.as_str(), login.password.reveal());
        let Some(authorization) = challenge.answer(user, password, asked.method.as_str(), asked.path) else {
            return Err(Failure::Unauthorized("the device's Digest challenge cannot be answered".to_owned()));
        };
        response = send(request(true).header(AUTHORIZATION, authorization), true).await?;
    }
    if response.status() != StatusCode::UNAUTHORIZED {
        return read(response).await;
    }
    Err(Failure::Unauthorized("the device does not accept the user or the password".to_owned()))
}

/// Sends one request. `with_login`: it may have been obeyed even if no answer comes.
pub(super) async fn send(request: RequestBuilder, with_login: bool) -> Result<reqwest::Response, Failure> {
    request.send().await.map_err(|error| {
        if with_login && !error.is_connect() && !error.is_timeout() {
            Failure::BrokenOff
        } else if error.is_timeout() {
            Failure::Other("the device did not answer in time".to_owned())
        } else {
            Failure::Other(format!("the device cannot be asked: {}", cause(&error)))
        }
    })
}

/// Reads a bounded body.
pub(super) async fn read(mut response: reqwest::Response) -> Result<Answer, Failure> {
    let status = response.status().as_u16();
    let (mut body, mut whole) = (Vec::new(), false);
    while body.len() < BODY_MAX {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk[..chunk.len().min(BODY_MAX - body.len())]),
            Ok(None) => {
                whole = true;
                break;
            }
            // A device that restarts at once often does not finish its sentence.
            Err(_) => break,
        }
    }
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned(), whole })
}

fn cause(error: &reqwest::Error) -> String {
    let mut last: &(dyn std::error::Error + 'static) = error;
    while let Some(inner) = last.source() {
        last = inner;
    }
    last.to_string()
}

/// The text of the first element of that name, whatever its namespace. Enough for answers of a few fields; nothing
/// is expanded, nothing nested is followed.
pub(super) fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let mut rest = xml;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let end = rest.find('>')?;
        let tag = rest[..end].split_whitespace().next().unwrap_or_default();
        let local = tag.rsplit(':').next().unwrap_or_default();
        rest = &rest[end + 1..];
        if local == name && !tag.starts_with('/') {
            return rest.find('<').map(|close| rest[..close].trim());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found_whatever_their_namespace() {
        let xml = "<?xml version=\"1.0\"?><s:A xmlns:s=\"u\"><tt:Hour>10</tt:Hour><Minute a=\"1\"> 7 </Minute></s:A>";
        assert_eq!(element(xml, "Hour"), Some("10"));
        assert_eq!(element(xml, "Minute"), Some("7"));
        assert_eq!(element(xml, "Second"), None);
        assert_eq!(element("<Hour", "Hour"), None);
        assert_eq!(element("<Hour>1", "Hour"), None);
    }
}
