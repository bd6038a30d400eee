//! The HTTP part of a check: where, how to log in, and what is expected.

use super::device::{Secret, port};
use super::reader::{Error, Table};

/// Parameters of an HTTP check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// The port.
    pub port: u16,
    /// HTTPS instead of HTTP; the certificate is not verified, see the tls check.
    pub tls: bool,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// How to log in.
    pub auth: HttpAuth,
    /// The status that counts as good.
    pub expect_status: u16,
    /// A text that the body must hold.
    pub expect_text: Option<String>,
}

/// How an HTTP check logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpAuth {
    /// It does not.
    None,
    /// RFC 7617.
    Basic {
        /// User name.
        user: String,
        /// Password.
        password: Secret,
    },
    /// RFC 7616.
    Digest {
        /// User name.
        user: String,
        /// Password.
        password: Secret,
    },
}

pub(super) fn read(table: &mut Table<'_>) -> Result<Http, Error> {
    #[derive(Clone, Copy)]
    enum Auth {
        None,
        Basic,
        Digest,
    }
    let tls = table.flag("tls", false)?;
    let port = port(table, Some(if tls { 443 } else { 80 }))?;
    let path = match table.text("path", "\"/\"")? {
        None => "/".to_owned(),
        Some(found) if found.value.starts_with('/') && found.value.bytes().all(|c| c.is_ascii_graphic()) => {
            found.value
        }
        Some(found) => {
            return Err(table.error(
                found.at,
                "`path` is not a path".into(),
                "Begin with / and encode blanks and non-ASCII as %XX",
            ));
        }
    };
    let auth =
        table.word("auth", &[("none", Auth::None), ("basic", Auth::Basic), ("digest", Auth::Digest)])?;
    let auth = match auth.map_or(Auth::None, |found| found.value) {
        Auth::None => HttpAuth::None,
        Auth::Basic => {
            let (user, password) = login(table)?;
            HttpAuth::Basic { user, password }
        }
        Auth::Digest => {
            let (user, password) = login(table)?;
            HttpAuth::Digest { user, password }
        }
    };
    let expect_status = table.number("expect_status", 100..=599, 200)?;
    let expect_text = table.text("expect_text", "\"Welcome\"")?.map(|found| found.value);
    Ok(Http { port, tls, path, auth, expect_status, expect_text })
}

fn login(table: &mut Table<'_>) -> Result<(String, Secret), Error> {
    let user = table.required_text("user", "\"monitor\"")?.value;
    let password = table.required_text("password", "\"…\"")?.value;
    Ok((user, Secret::new(password)))
}
