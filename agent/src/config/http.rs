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

/// Parameters of a picture check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Where the snapshot is.
    pub http: Http,
    /// Another number makes the gateway learn anew what this camera shows: it was turned on purpose.
    pub baseline: u16,
}

/// How a check logs in where it does not say.
#[derive(Clone, Copy)]
pub(super) enum Usual {
    None,
    Basic,
    Digest,
}

/// How a check logs in; `usual` where it does not say.
pub(super) fn auth(table: &mut Table<'_>, usual: Usual) -> Result<HttpAuth, Error> {
    let words = [("none", Usual::None), ("basic", Usual::Basic), ("digest", Usual::Digest)];
    Ok(match table.word("auth", &words)?.map_or(usual, |found| found.value) {
        Usual::None => HttpAuth::None,
        Usual::Basic => {
            let (user, password) = login(table)?;
            HttpAuth::Basic { user, password }
        }
        Usual::Digest => {
            let (user, password) = login(table)?;
            HttpAuth::Digest { user, password }
        }
    })
}

pub(super) fn read_picture(table: &mut Table<'_>) -> Result<Picture, Error> {
    let tls = table.flag("tls", false)?;
    let port = port(table, Some(if tls { 443 } else { 80 }))?;
    if table.peek("path").is_none() {
        return Err(table.error_here(
            "`path` is missing".into(),
            "Add the snapshot's, for example: path = \"/ISAPI/Streaming/channels/101/picture\"",
        ));
    }
    let path = path(table)?;
    let usual = if table.peek("user").is_some() { Usual::Digest } else { Usual::None };
    let auth = auth(table, usual)?;
    let http = Http { port, tls, path, auth, expect_status: 200, expect_text: None };
    Ok(Picture { http, baseline: table.number("baseline", 0..=u16::MAX, 1)? })
}

pub(super) fn read(table: &mut Table<'_>) -> Result<Http, Error> {
    let tls = table.flag("tls", false)?;
    let port = port(table, Some(if tls { 443 } else { 80 }))?;
    let path = path(table)?;
    let auth = auth(table, Usual::None)?;
    let expect_status = table.number("expect_status", 100..=599, 200)?;
    let expect_text = table.text("expect_text", "\"Welcome\"")?.map(|found| found.value);
    Ok(Http { port, tls, path, auth, expect_status, expect_text })
}

/// Path and query.
pub(super) fn path(table: &mut Table<'_>) -> Result<String, Error> {
    match table.text("path", "\"/\"")? {
        None => Ok("/".to_owned()),
        Some(found) if found.value.starts_with('/') && found.value.bytes().all(|c| c.is_ascii_graphic()) => {
            Ok(found.value)
        }
        Some(found) => Err(table.error(
            found.at,
            "`path` is not a path".into(),
            "Begin with / and encode blanks and non-ASCII as %XX",
        )),
    }
}

pub(super) fn login(table: &mut Table<'_>) -> Result<(String, Secret), Error> {
    let user = table.required_text("user", "\"monitor\"")?.value;
    let password = table.required_text("password", "\"…\"")?.value;
    Ok((user, Secret::new(password)))
}
