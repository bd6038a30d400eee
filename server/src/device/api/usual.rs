//! What a class is usually watched by, so that nobody needs to write checks.

use axum::Json;
use serde::Serialize;
use sitewarden_proto::usual::{self, Credentials, MAKERS, Takes};
use utoipa::ToSchema;

use super::NewDevice;
use crate::error::ApiError;
use crate::router::Items;
use crate::router::input::line;

/// The most letters of a user, a password or a community.
const WORD_MAX: usize = 128;

/// One usual check.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsualCheck {
    /// Unique within the device.
    pub name: String,
    /// Which probe runs it.
    pub kind: String,
    /// Without these it is left out: `login` (user and password), `community`, or empty.
    pub takes: String,
}

/// What devices of a class and a maker are watched by.
#[derive(Debug, Serialize, ToSchema)]
pub struct UsualChecks {
    /// The class.
    pub class: String,
    /// The maker; empty for all that have none of their own.
    pub maker: String,
    /// The checks.
    pub checks: Vec<UsualCheck>,
}

/// The usual checks by class and maker; a class that is not here is watched as `other` is.
#[utoipa::path(get, path = "/api/v1/usual-checks", tag = "devices",
    responses((status = 200, body = Items<UsualChecks>)))]
pub(super) async fn list() -> Json<Items<UsualChecks>> {
    let check = |check: &usual::Check| UsualCheck {
        name: check.name.clone(),
        kind: check.kind.clone(),
        takes: match check.takes {
            Takes::Login => "login",
            Takes::Snmp => "community",
            Takes::Nothing | Takes::PerhapsLogin => "",
        }
        .to_owned(),
    };
    let row = |row: &usual::Usual| UsualChecks {
        class: row.class.clone(),
        maker: row.maker.clone(),
        checks: row.checks.iter().map(check).collect(),
    };
    Json(Items::all(usual::all().iter().map(row).collect()))
}

/// The checks of a new device: what was written, or else what is usual.
pub(super) fn of_new(new: &NewDevice) -> Result<String, ApiError> {
    let maker = line("maker", &new.maker, 0..=40)?;
    if !maker.is_empty() && !MAKERS.contains(&maker.as_str()) {
        let hint = format!("use one of {}", MAKERS.join(", "));
        return Err(ApiError::bad_request("maker", format!("`{maker}` is unknown"), hint));
    }
    for (field, word) in [("user", &new.user), ("password", &new.password), ("community", &new.community)] {
        if word.chars().count() > WORD_MAX || word.chars().any(char::is_control) {
            let text = format!("at most {WORD_MAX} letters on one line");
            return Err(ApiError::bad_request(field, text, "copy it again"));
        }
    }
    if new.user.is_empty() != new.password.is_empty() {
        let field = if new.user.is_empty() { "user" } else { "password" };
        return Err(ApiError::bad_request(field, "it is missing", "give a user and a password, or neither"));
    }
    if !new.checks.trim().is_empty() {
        return Ok(new.checks.clone());
    }
    let credentials = Credentials {
        login: (!new.user.is_empty()).then_some((new.user.as_str(), new.password.as_str())),
        community: (!new.community.is_empty()).then_some(new.community.as_str()),
    };
    Ok(usual::text(&new.class, &maker, credentials).0)
}
