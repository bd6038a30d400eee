//! Remedies: bounded remote actions before anyone travels. A PoE port goes off and on again, a device restarts, a
//! recorder takes a channel up anew; each only by a command that the server signed, once per command, so often a
//! day at most, and one at a time on the whole site.
//!
//! Whether it may begin is decided by the core, which writes it down first. This file holds what is to be done and
//! what came of it; [`act`] does it, with one protocol per file. Before a port is switched off, the disk knows that
//! it must be switched on again, and whoever wakes up with that knowledge does so.

pub mod dahua;
pub mod isapi;
pub mod onvif;
pub mod poe;
pub mod web;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sitewarden_proto::id::DeviceId;
use tokio::sync::watch;

use crate::config::{Login, Protocol, SnmpWrite};
use crate::probe::Context;

/// What may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A PoE port goes off and on again.
    PoeCycle,
    /// The device restarts.
    Reboot,
    /// A recorder takes a channel up anew.
    ReaddChannel,
}

impl Kind {
    /// Its word on the wire and on screens.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PoeCycle => "poe_cycle",
            Self::Reboot => "reboot",
            Self::ReaddChannel => "readd_channel",
        }
    }
}

/// A PoE port: indexes of `pethPsePortTable` (RFC 3621).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// The switch.
    pub switch: DeviceId,
    /// `pethPsePortGroupIndex`.
    pub group: u32,
    /// `pethPsePortIndex`.
    pub port: u32,
}

/// What the disk remembers of a remedy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The command.
    pub id: String,
    /// Whom it was to help.
    pub device: DeviceId,
    /// What.
    pub kind: Kind,
    /// When it began, in true time as far as it was known, Unix ms.
    pub at_ms: i64,
    /// How far it is.
    pub state: Stage,
    /// The configuration it began with: credentials that were refused are refused until there is another one.
    pub config_version: u64,
}

/// How far a remedy is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nothing has been written to any device yet, or nothing that has to be undone.
    Begun,
    /// This port may be off and must be switched on.
    PortOff(Port),
    /// Over.
    Ended,
    /// Over: the device did not accept the login.
    Unauthorized,
}

/// One thing to do outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Is the port on, and does it exist?
    LookAtPort(poe::Place),
    /// Off, a pause, on.
    CyclePort {
        /// Where.
        place: poe::Place,
        /// The pause.
        off: Duration,
    },
    /// On.
    SwitchOn(poe::Place),
    /// Restart.
    Reboot {
        /// Host name or address.
        address: String,
        /// How to log in.
        login: Login,
    },
    /// Take a channel up anew.
    ReaddChannel {
        /// The recorder.
        address: String,
        /// How to log in.
        login: Login,
        /// From 1.
        channel: u32,
    },
}

/// What came of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The outcome.
    pub end: End,
    /// What was seen and done, for the record.
    pub said: BTreeMap<String, Value>,
    /// Why it did not work, as a sentence; empty when it did.
    pub error: String,
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The port is on and may be cycled.
    Ready,
    /// Done.
    Done,
    /// Not done; nothing was changed, or it is as before.
    Failed,
    /// Not done: the device did not accept the login. Never to be tried again with it.
    Unauthorized,
    /// The port is off and could not be switched on again.
    PortOff,
}

impl Report {
    /// An outcome without words.
    pub fn new(end: End) -> Self {
        Self { end, said: BTreeMap::new(), error: String::new() }
    }

    /// It did not work.
    pub fn failed(error: impl Into<String>) -> Self {
        Self { error: error.into(), ..Self::new(End::Failed) }
    }

    /// The login was not accepted.
    pub fn unauthorized(error: impl Into<String>) -> Self {
        Self { error: error.into(), ..Self::new(End::Unauthorized) }
    }

    /// Adds what was seen.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.said.insert(key.to_owned(), value.into());
        self
    }
}

/// Does it. When `hurry` turns true, pauses end at once, because the agent is about to end.
pub async fn act(job: Job, context: &Context, hurry: watch::Receiver<bool>) -> Report {
    match job {
        Job::LookAtPort(place) => poe::look(&place, context).await,
        Job::CyclePort { place, off } => poe::cycle(&place, off, context, hurry).await,
        Job::SwitchOn(place) => poe::switch_on(&place, context).await,
        Job::Reboot { address, login } => match login.protocol {
            Protocol::Onvif => onvif::reboot(&address, &login, context).await,
            Protocol::Isapi => isapi::reboot(&address, &login, context).await,
            Protocol::Dahua => dahua::reboot(&address, &login, context).await,
        },
        Job::ReaddChannel { address, login, channel } => {
            isapi::readd(&address, &login, channel, context).await
        }
    }
}

/// What is needed to write to a port.
pub(crate) fn place(address: &str, access: &SnmpWrite, group: u32, port: u32) -> poe::Place {
    poe::Place { address: address.to_owned(), access: access.clone(), group, port }
}
