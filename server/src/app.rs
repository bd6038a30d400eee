//! What every part of the server shares: the database, the clock, the keys, the live stream and the
//! way to connected gateways. Cloning shares it.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::Notify;

use crate::broker::Registry;
use crate::clock::Clock;
use crate::config::Config;
use crate::db::Db;
use crate::ingest::Memory;
use crate::keys::Keys;
use crate::live::Live;
use crate::metrics::Metrics;
use crate::paper::Press;

/// The running server.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// The parts of a running server.
pub struct Inner {
    /// The database.
    pub db: Db,
    /// The only clock.
    pub clock: Clock,
    /// What the operator configured.
    pub config: Config,
    /// Keys and the authority for gateways.
    pub keys: Keys,
    /// The stream to open pages.
    pub live: Live,
    /// What signing in remembers between requests.
    pub logins: crate::user::login::Logins,
    /// Counters for operators.
    pub metrics: Metrics,
    /// The gateways that are connected to this process.
    pub gateways: Registry,
    /// Rings when the engine has something to do before its next tick.
    pub wake: Notify,
    /// Makes papers.
    pub press: Press,
    /// What ingest remembers between packets.
    pub ingest: Memory,
}

impl App {
    /// Puts the parts together.
    pub fn new(parts: Inner) -> Self {
        Self(Arc::new(parts))
    }

    /// Tells open pages what changed and lets the engine look at once. Called after the commit.
    pub fn touched(&self, what: &Touched) {
        if !what.is_empty() {
            self.live.publish(what);
            self.wake.notify_one();
        }
    }
}

impl App {
    /// Tells open pages what changed. For the engine's own steps: they need not ring for themselves.
    pub fn touched_quietly(&self, what: &Touched) {
        if !what.is_empty() {
            self.live.publish(what);
        }
    }
}

impl Deref for App {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// The rows that a committed transaction changed, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Devices whose state, faults or fields changed.
    pub devices: BTreeSet<String>,
    /// Gateways.
    pub gateways: BTreeSet<String>,
    /// Incidents.
    pub incidents: BTreeSet<String>,
    /// Tickets.
    pub tickets: BTreeSet<String>,
}

impl Touched {
    /// One ticket.
    pub fn ticket(id: &str) -> Self {
        Self { tickets: BTreeSet::from([id.to_owned()]), ..Self::default() }
    }

    /// Several tickets.
    pub fn tickets(ids: Vec<String>) -> Self {
        Self { tickets: ids.into_iter().collect(), ..Self::default() }
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: Self) {
        self.devices.extend(other.devices);
        self.gateways.extend(other.gateways);
        self.incidents.extend(other.incidents);
        self.tickets.extend(other.tickets);
    }

    /// Nothing changed.
    pub fn is_empty(&self) -> bool {
        self.devices.is_empty()
            && self.gateways.is_empty()
            && self.incidents.is_empty()
            && self.tickets.is_empty()
    }
}
