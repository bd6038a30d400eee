//! Whom a gateway pages by itself while it cannot reach the server. Pure.

use serde::{Deserialize, Serialize};

/// One person and where the local channel reaches it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LocalPerson {
    /// The account.
    pub account_id: String,
    /// What the local channel takes as an address: a phone number for a modem.
    pub address: String,
}

/// The people as the database keeps them.
pub fn people(json: &str) -> Vec<LocalPerson> {
    serde_json::from_str(json).unwrap_or_default()
}
