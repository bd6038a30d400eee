//! A conversation with a device's own web interface, one question after the other, that only reads.
//!
//! Each question may be refused for itself: a firmware lacks it, the user has no right to it, the answer is a login page. That
//! makes one part of the device unknown and says nothing about its health. A login that is not accepted ends the
//! conversation at once, and so does an account that is locked, before a password is sent: cameras lock an account after
//! a handful of tries, for half an hour.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use tokio::time::Instant;

use super::OutcomeState::Rejected;
use super::http::{Http, digest_challenge, unanswered};
use super::tree::{self, BYTES_MAX, Node};
use super::{Reading, clip, resolve};
use crate::config::HttpAuth;

/// For one question and its whole answer.
const WAIT: Duration = Duration::from_secs(8);
/// Bytes of a refusal that are read for its reason.
const REFUSAL_MAX: usize = 16 * 1024;
/// Answers to challenges: the first, and one more if the device calls its nonce stale.
const ANSWERS: u32 = 2;

/// What one question came to.
#[derive(Debug)]
pub(crate) enum Part<T> {
    /// The device's answer.
    Said(T),
    /// Why there is none; nobody knows.
    Unknown(String),
}

/// Nothing further may be asked, and this is what the run came to.
#[derive(Debug)]
pub(crate) struct Ended(pub(crate) Box<Reading>);

/// The conversation.
pub(crate) struct Web<'a> {
    base: String,
    port: u16,
    target: SocketAddr,
    auth: &'a HttpAuth,
    http: &'a Http,
    deadline: Instant,
    has_answered: bool,
    uses_digest: bool,
}

/// What is asked.
struct Question<'q> {
    method: Method,
    port: u16,
    path: &'q str,
    content_type: &'q str,
    body: &'q str,
    logs_in: bool,
}

/// A question in SOAP 1.2.
#[derive(Clone, Copy)]
pub(crate) struct Soap<'q> {
    /// Another port than the device's own.
    pub(crate) port: Option<u16>,
    /// Path and query.
    pub(crate) path: &'q str,
    /// Some devices look at nothing else.
    pub(crate) action: &'q str,
    /// The envelope.
    pub(crate) body: &'q str,
    /// Whether a challenge is answered; else a device that asks for a login leaves the answer unknown.
    pub(crate) logs_in: bool,
}

impl<'a> Web<'a> {
    /// Prepares one that is over at `deadline`; nothing is sent yet.
    pub(crate) async fn new(
        (address, port, tls): (&str, u16, bool),
        auth: &'a HttpAuth,
        http: &'a Http,
        deadline: Instant,
    ) -> Result<Self, Ended> {
        let target = match resolve(address, port).await {
            Ok(target) => target,
            Err(failure) => return Err(Ended(Box::new(failure.into_reading("http_silent")))),
        };
        let scheme = if tls { "https" } else { "http" };
        let host = if address.contains(':') && !address.starts_with('[') {
            format!("[{address}]")
        } else {
            address.to_owned()
        };
        let base = format!("{scheme}://{host}");
        Ok(Self { base, port, target, auth, http, deadline, has_answered: false, uses_digest: false })
    }

    /// Gets a document in XML or JSON.
    pub(crate) async fn tree(&mut self, path: &str) -> Result<Part<Node>, Ended> {
        let port = self.port;
        let question =
            Question { method: Method::GET, port, path, content_type: "", body: "", logs_in: true };
        self.document(&question).await
    }

    /// Gets an answer that is no document: lines of text. `Error: …` is one, whatever its status.
    pub(crate) async fn text(&mut self, path: &str) -> Result<Part<Vec<u8>>, Ended> {
        let port = self.port;
        let question =
            Question { method: Method::GET, port, path, content_type: "", body: "", logs_in: true };
        Ok(match self.bytes(&question).await? {
            Part::Said((status, bytes)) if status.is_success() || bytes.starts_with(b"Error: ") => {
                Part::Said(bytes)
            }
            Part::Said((status, _)) => Part::Unknown(format!("status {}", status.as_u16())),
            Part::Unknown(why) => Part::Unknown(why),
        })
    }

    /// Asks with a body in XML for a document; for questions that change nothing.
    pub(crate) async fn query(&mut self, path: &str, body: &str) -> Result<Part<Node>, Ended> {
        let (port, content_type) = (self.port, "application/xml; charset=UTF-8");
        self.document(&Question { method: Method::POST, port, path, content_type, body, logs_in: true }).await
    }

    /// Asks in SOAP. A fault is an answer, and comes with any status.
    pub(crate) async fn soap(&mut self, asked: &Soap<'_>) -> Result<Part<Node>, Ended> {
        let content_type = format!("application/soap+xml; charset=utf-8; action=\"{}\"", asked.action);
        let question = Question {
            method: Method::POST,
            port: asked.port.unwrap_or(self.port),
            path: asked.path,
            content_type: &content_type,
            body: asked.body,
            logs_in: asked.logs_in,
        };
        Ok(match self.bytes(&question).await? {
            Part::Said((status, bytes)) => match tree::parse(&bytes) {
                Ok(said) => Part::Said(said),
                Err(_) if !status.is_success() => Part::Unknown(format!("status {}", status.as_u16())),
                Err(broken) => Part::Unknown(broken.to_string()),
            },
            Part::Unknown(why) => Part::Unknown(why),
        })
    }

    /// The device has asked for HTTP Digest, and nothing else counts for it.
    pub(crate) fn uses_digest(&self) -> bool {
        self.uses_digest
    }

    async fn document(&mut self, question: &Question<'_>) -> Result<Part<Node>, Ended> {
        Ok(match self.bytes(question).await? {
            Part::Said((status, bytes)) => match tree::parse(&bytes) {
                // Devices say "not supported" with any status, the good one included.
                Ok(said) if status.is_success() && !is_refusal(&said) => Part::Said(said),
                Ok(said) => Part::Unknown(reason(status, &said)),
                Err(_) if !status.is_success() => Part::Unknown(format!("status {}", status.as_u16())),
                Err(broken) => Part::Unknown(broken.to_string()),
            },
            Part::Unknown(why) => Part::Unknown(why),
        })
    }

    async fn bytes(&mut self, question: &Question<'_>) -> Result<Part<(StatusCode, Vec<u8>)>, Ended> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(Part::Unknown("there was no time left to ask".to_owned()));
        }
        let wait = WAIT.min(left);
        match tokio::time::timeout(wait, self.ask(question)).await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(ended))) => Err(ended),
            Ok(Err(error)) if self.has_answered => Ok(Part::Unknown(clip(&format!("it broke off: {error}")))),
            Ok(Err(error)) => Err(Ended(Box::new(unanswered(&error, self.target)))),
            Err(_) if self.has_answered => {
                Ok(Part::Unknown(format!("no whole answer within {} ms", wait.as_millis())))
            }
            Err(_) => {
                let text = format!("{} gave no answer within {} ms", self.target, wait.as_millis());
                let silent = super::OutcomeState::Silent;
                let reason = [("reason", Value::from("timeout"))];
                Err(Ended(Box::new(Reading::good().fault(silent, "http_silent", &text, reason))))
            }
        }
    }

    /// Asks once, answering a challenge.
    async fn ask(
        &mut self,
        question: &Question<'_>,
    ) -> reqwest::Result<Result<Part<(StatusCode, Vec<u8>)>, Ended>> {
        let url = format!("{}:{}{}", self.base, question.port, question.path);
        let request = || {
            let request = self.http.client().request(question.method.clone(), &url);
            if question.body.is_empty() {
                request
            } else {
                request.header(CONTENT_TYPE, question.content_type).body(question.body.to_owned())
            }
        };
        let mut response = match self.auth {
            HttpAuth::None | HttpAuth::Digest { .. } => request().send().await?,
            HttpAuth::Basic { user, password } => {
                request().basic_auth(user, Some(password.reveal())).send().await?
            }
        };
        for answered in 0..=ANSWERS {
            if response.status() != StatusCode::UNAUTHORIZED {
                let status = response.status();
                let body = body(response, BYTES_MAX).await?;
                self.has_answered = true;
                return Ok(Ok(match body {
                    Some(body) => Part::Said((status, body)),
                    None => Part::Unknown(tree::Broken::TooLarge.to_string()),
                }));
            }
            if !question.logs_in {
                self.has_answered = true;
                return Ok(Ok(Part::Unknown("the device asks for a login".to_owned())));
            }
            let mut challenge = digest_challenge(response.headers());
            // What the device says of the account stands in the refusal itself.
            let said = body(response, REFUSAL_MAX).await.ok().flatten();
            let said = said.and_then(|bytes| tree::parse(&bytes).ok()).unwrap_or_default();
            if is_locked(&said) {
                return Ok(Err(locked(&said)));
            }
            let refused = |text| Ok(Err(refused(text, &said)));
            let (user, password) = match self.auth {
                HttpAuth::None => {
                    return refused("the device asks for a user and password, and the check has none");
                }
                HttpAuth::Basic { .. } => {
                    return refused("the device does not accept the user or the password");
                }
                HttpAuth::Digest { user, password } => (user, password.reveal()),
            };
            let Some(challenge) = challenge.as_mut() else {
                return refused("the device offers no Digest sign-in; does it want Basic?");
            };
            if answered == ANSWERS || (answered > 0 && !challenge.is_stale()) {
                return refused("the device does not accept the user or the password");
            }
            let Some(authorization) =
                challenge.answer(user, password, question.method.as_str(), question.path)
            else {
                return refused("the device's Digest challenge cannot be answered");
            };
            self.uses_digest = true;
            response = request().header(AUTHORIZATION, authorization).send().await?;
        }
        Ok(Err(refused("the device does not accept the user or the password", &Node::default())))
    }
}

/// A whole body, or None when it is longer than `limit`.
async fn body(mut response: Response, limit: usize) -> reqwest::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > limit {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

/// `ResponseStatus` of ISAPI with anything but OK (1), in XML or in JSON.
fn is_refusal(said: &Node) -> bool {
    let code = said.child("statusCode").map(|code| code.text.as_str());
    (said.name == "ResponseStatus" || (said.name.is_empty() && said.children.len() <= 6))
        && code.is_some_and(|code| code != "1")
}

fn reason(status: StatusCode, said: &Node) -> String {
    let words = said.word("subStatusCode").or(said.word("statusString")).unwrap_or_default();
    clip(format!("status {} {words}", status.as_u16()).trim_end())
}

/// ISAPI `Security/userCheck`: `lockStatus` is lock or unlock, `unlockTime` the seconds until it is free.
fn is_locked(said: &Node) -> bool {
    said.word("lockStatus").is_some_and(|word| matches!(word, "lock" | "locked"))
}

fn locked(said: &Node) -> Ended {
    let unlock_s = said.number("unlockTime").map(|seconds| seconds.round() as i64);
    let text = match unlock_s {
        Some(seconds) => format!("the device has locked the account for another {seconds} s"),
        None => "the device has locked the account".to_owned(),
    };
    let evidence = [("unlock_s", Value::from(unlock_s))];
    Ended(Box::new(Reading::good().fault(Rejected, "account_locked", &text, evidence)))
}

fn refused(text: &str, said: &Node) -> Ended {
    let left = said.number("retryLoginTime").map(|tries| tries.round() as i64);
    let evidence = [("status", Value::from(401)), ("tries_left", Value::from(left))];
    Ended(Box::new(Reading::good().fault(Rejected, "http_auth_rejected", text, evidence)))
}
