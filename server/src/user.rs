//! People: accounts, what they may see, how they sign in and how they are reached.
//!
//! A person is an account with one role. A session is a random secret in a cookie, of which the
//! database keeps only the hash; it ends when it has been idle for half a day or after a week. What
//! a person may do is one table ([`permission`]); which rows a person may see is its [`Scope`],
//! which every query that returns rows takes.

use jiff::Timestamp;

use crate::customer::CustomerId;
use crate::id::id;

pub mod api;
pub mod login;
pub mod password;
pub mod permission;
pub mod store;
pub mod throttle;

pub use permission::{Act, Role, allows};

id! {
    /// Names an account.
    AccountId
}

/// The language a person reads.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

impl Language {
    /// `en` or `zh`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }

    /// The language stored as `text`; English for anything unknown.
    pub fn parse(text: &str) -> Self {
        if text == "zh" { Self::Zh } else { Self::En }
    }
}

/// Which rows a viewer may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every customer's.
    All,
    /// One customer's.
    Customer(CustomerId),
}

impl Scope {
    /// The scope of an account; `None` for a customer that nobody has been named for.
    pub fn of(role: Role, customer_id: Option<&str>) -> Option<Self> {
        match role {
            Role::Administrator | Role::Noc | Role::Technician => Some(Self::All),
            Role::Customer => customer_id.map(|id| Self::Customer(CustomerId::from(id))),
        }
    }

    /// The customer to bind in `WHERE (CAST($1 AS TEXT) IS NULL OR site.customer_id = $1)`.
    pub fn customer(&self) -> Option<&str> {
        match self {
            Self::All => None,
            Self::Customer(id) => Some(id.as_str()),
        }
    }

    /// Whether rows of `customer_id` are in it.
    pub fn covers(&self, customer_id: &str) -> bool {
        self.customer().is_none_or(|own| own == customer_id)
    }
}

/// The person behind a request; handlers take it as an argument.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// Whose account.
    pub account: AccountId,
    /// The name others read.
    pub name: String,
    /// What the person is.
    pub role: Role,
    /// Which rows the person may see.
    pub scope: Scope,
    /// What the person reads.
    pub language: Language,
}

/// How long a session lives without a request.
pub const SESSION_IDLE_MS: i64 = 12 * 3_600_000;
/// How long a session lives at most.
pub const SESSION_ABSOLUTE_MS: i64 = 7 * 24 * 3_600_000;
/// How stale `seen_at` may become before a request writes it again.
pub const SESSION_TOUCH_MS: i64 = 5 * 60_000;

/// Whether a session last seen at `seen_at` that ends at `expires_at` still stands.
pub fn session_stands(seen_at: i64, expires_at: i64, now: Timestamp) -> bool {
    let now = now.as_millisecond();
    now < expires_at && now - seen_at < SESSION_IDLE_MS
}

/// The shortest password that is accepted, in characters.
pub const PASSWORD_MIN: usize = 12;
/// The longest, so that hashing is bounded.
pub const PASSWORD_MAX: usize = 128;

/// Why a password is not accepted, and what to choose instead.
pub fn password_fault(password: &str, login: &str) -> Option<&'static str> {
    let length = password.chars().count();
    if length < PASSWORD_MIN {
        return Some(
            "it is shorter than 12 characters; three or four words that do not belong together do well",
        );
    }
    if length > PASSWORD_MAX {
        return Some("it is longer than 128 characters");
    }
    let lower = password.to_lowercase();
    if login.len() >= 3 && lower.contains(&login.to_lowercase()) {
        return Some("it contains the login name");
    }
    let mut seen: Vec<char> = lower.chars().collect();
    seen.sort_unstable();
    seen.dedup();
    if seen.len() < 5 {
        return Some("it repeats too few characters");
    }
    let guessed = ["password", "sitewarden", "12345678", "qwertyui", "administrator", "letmein"];
    let rest = guessed.iter().fold(lower, |text, word| text.replace(word, ""));
    if rest.chars().count() < 6 {
        return Some("it is mostly a word that everybody tries first");
    }
    None
}

/// The longest login name, in characters.
pub const LOGIN_MAX: usize = 64;

/// Why a login name is not accepted.
pub fn login_fault(login: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | '@');
    if login.is_empty() || login.len() > LOGIN_MAX {
        return Some("it must have 1 to 64 characters");
    }
    if !login.chars().all(plain) {
        return Some("only a-z, 0-9 and . - _ @ are allowed");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_judged_with_a_reason() {
        for bad in [
            "short",
            "password1234",
            "aaaaaaaaaaaaaa",
            "li.wei-li.wei",
            &"x1y2z3".repeat(40),
            "sitewarden123",
        ] {
            assert!(password_fault(bad, "li.wei").is_some(), "{bad}");
        }
        for good in ["copper otter lantern", "七个字不够多但是十二个字就够了", "vN7#kq2!pLw9"]
        {
            assert_eq!(password_fault(good, "li.wei"), None, "{good}");
        }
    }

    #[test]
    fn a_session_ends_idle_or_old() {
        let at = |ms| crate::clock::from_ms(1_000_000_000_000 + ms);
        let start = at(0).as_millisecond();
        let end = start + SESSION_ABSOLUTE_MS;
        assert!(session_stands(start, end, at(SESSION_IDLE_MS - 1)));
        assert!(!session_stands(start, end, at(SESSION_IDLE_MS)));
        assert!(session_stands(end - 5, end, at(SESSION_ABSOLUTE_MS - 1)));
        assert!(!session_stands(end - 5, end, at(SESSION_ABSOLUTE_MS)));
    }
}
