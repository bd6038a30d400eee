//! The record of what people changed: who, when, what, on which thing. Rows are only ever added.

use jiff::Timestamp;
use serde_json::Value;

use crate::user::{AccountId, Viewer};

pub mod api;
pub mod store;

/// One change made by a person (or by somebody at the command line).
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// Whose account; `None` at the command line.
    pub account: Option<AccountId>,
    /// The person's name then.
    pub actor: String,
    /// What was done: `site.change`, `ticket.ack`.
    pub action: &'static str,
    /// What kind of thing was changed: `site`.
    pub subject_kind: &'static str,
    /// Which one.
    pub subject_id: String,
    /// What changed; never a secret.
    pub detail: Value,
}

impl Entry {
    /// A change made by `viewer`. The kind of thing is the first word of `action`.
    pub fn by(
        viewer: &Viewer,
        now: Timestamp,
        action: &'static str,
        subject_id: impl Into<String>,
        detail: Value,
    ) -> Self {
        Self {
            at: now,
            account: Some(viewer.account.clone()),
            actor: viewer.name.clone(),
            action,
            subject_kind: kind_of(action),
            subject_id: subject_id.into(),
            detail,
        }
    }

    /// A change made at the command line of the server's own machine.
    pub fn at_console(
        now: Timestamp,
        action: &'static str,
        subject_id: impl Into<String>,
        detail: Value,
    ) -> Self {
        Self {
            at: now,
            account: None,
            actor: "console".to_owned(),
            action,
            subject_kind: kind_of(action),
            subject_id: subject_id.into(),
            detail,
        }
    }
}

fn kind_of(action: &'static str) -> &'static str {
    action.split('.').next().unwrap_or(action)
}
