//! What a provider answers, and what follows from it. A status of 200 is not yet a success: many providers put
//! their refusal into the body, so each channel reads its own.

use std::time::Duration;

use serde_json::Value;

/// How much of an answer is read; the rest is not needed to know what happened.
const ANSWER_MAX: usize = 16 * 1024;
/// How much of it is kept, in characters.
const WORDS_MAX: usize = 300;
/// The longest wait that a provider may ask for.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// Why a page was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It may be taken later; the provider may have said when.
    Later {
        /// The provider's words.
        words: String,
        /// Not before this has passed.
        after: Option<Duration>,
    },
    /// It will not be taken until somebody changes a setting or the address.
    Never(String),
    /// The address has ceased to exist: a subscription that ended, a chat that was left.
    Gone(String),
}

impl Refusal {
    /// It may be taken later.
    pub fn later(words: impl Into<String>) -> Self {
        Self::Later { words: words.into(), after: None }
    }

    /// The provider's words.
    pub fn words(&self) -> &str {
        match self {
            Self::Later { words, .. } | Self::Never(words) | Self::Gone(words) => words,
        }
    }
}

/// What became of one page: the provider's words, or why it was not taken.
pub type Sent = Result<String, Refusal>;

/// An answer over HTTP.
#[derive(Clone, Debug, Default)]
pub(super) struct Answer {
    pub status: u16,
    /// `Retry-After` (RFC 9110 section 10.2.3), where it is a number of seconds.
    pub retry_after: Option<Duration>,
    pub body: String,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Status and body on one line.
    pub fn words(&self) -> String {
        let body = self.body.split_whitespace().collect::<Vec<_>>().join(" ");
        let words = format!("HTTP {} {body}", self.status);
        words.trim_end().chars().take(WORDS_MAX).collect()
    }

    /// It may be taken later, no sooner than the answer says, else after `otherwise`.
    pub fn later(&self, otherwise: Option<Duration>) -> Refusal {
        Refusal::Later { words: self.words(), after: self.retry_after.or(otherwise) }
    }

    /// It will not be taken as it is.
    pub fn never(&self) -> Refusal {
        Refusal::Never(self.words())
    }

    /// What the status alone says, for a provider that is known to use statuses as RFC 9110 means them.
    pub fn by_status(&self) -> Sent {
        match self.status {
            200..=299 => Ok(self.words()),
            408 | 409 | 425 | 429 | 500..=599 => Err(self.later(None)),
            _ => Err(self.never()),
        }
    }
}

/// Sends a request and reads its answer. What a URL or a header holds may be secret and appears in no error.
pub(super) async fn fetch(request: reqwest::RequestBuilder) -> Result<Answer, Refusal> {
    let failed = |error: reqwest::Error| Refusal::later(super::chain(&error.without_url()));
    let mut response = request.send().await.map_err(failed)?;
    let status = response.status().as_u16();
    let retry_after = response
        .headers()
        .get(reqwest::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(|seconds| Duration::from_secs(seconds).min(WAIT_MAX));
    let mut body = Vec::new();
    while body.len() < ANSWER_MAX {
        match response.chunk().await {
            Ok(Some(part)) => body.extend_from_slice(&part[..part.len().min(ANSWER_MAX - body.len())]),
            Ok(None) => break,
            // The status was said; a body that breaks off says nothing more.
            Err(_) => break,
        }
    }
    Ok(Answer { status, retry_after, body: String::from_utf8_lossy(&body).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, body: body.into(), ..Answer::default() }
    }

    #[test]
    fn a_status_says_whether_to_try_again() {
        assert!(answer(201, "").by_status().is_ok());
        for status in [408, 429, 500, 503] {
            assert!(matches!(answer(status, "").by_status(), Err(Refusal::Later { .. })), "{status}");
        }
        for status in [302, 400, 401, 403, 404] {
            assert!(matches!(answer(status, "").by_status(), Err(Refusal::Never(_))), "{status}");
        }
        let asked = Answer { retry_after: Some(Duration::from_secs(30)), ..answer(429, "slow\n down") };
        let expected = Refusal::Later { words: "HTTP 429 slow down".into(), after: asked.retry_after };
        assert_eq!(asked.by_status(), Err(expected));
    }
}
