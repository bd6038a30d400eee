//! One simulated device: what it is, what is wrong with it, and its sockets.
//!
//! The sockets follow the state: a service is open exactly while its device has power and its port
//! is up, and is opened anew when its password or certificate changes. Whatever was connected is cut.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use jiff::Timestamp;
use tokio::sync::watch;

use super::clock::{now, now_ms};
use super::trouble::Trouble;
use super::{Listing, ntp, rtsp, snmp, web};

/// How long a slow device thinks before it answers; longer than any check waits.
pub const SLOWNESS: Duration = Duration::from_secs(15);
/// How far a wrong clock is ahead.
pub const CLOCK_ERROR: Duration = Duration::from_mins(10);
const REOPEN_EVERY: Duration = Duration::from_millis(250);

/// One protocol that a device speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Service {
    /// A TCP port that accepts and says nothing.
    Tcp {
        /// TCP port.
        port: u16,
    },
    /// A stream behind Digest login.
    Rtsp {
        /// TCP port.
        port: u16,
    },
    /// A web page behind Digest login.
    Web {
        /// TCP port.
        port: u16,
    },
    /// The same over TLS.
    SecureWeb {
        /// TCP port.
        port: u16,
    },
    /// NTP.
    Time {
        /// UDP port.
        port: u16,
    },
    /// An SNMP agent, version 3 or 2c.
    Snmp {
        /// UDP port.
        port: u16,
        /// Version 3 with SHA-256 and AES-128, else 2c.
        v3: bool,
    },
}

impl Service {
    /// The port it listens on.
    pub fn port(&self) -> u16 {
        match self {
            Self::Tcp { port }
            | Self::Rtsp { port }
            | Self::Web { port }
            | Self::SecureWeb { port }
            | Self::Time { port }
            | Self::Snmp { port, .. } => *port,
        }
    }
}

/// What a device is, before it runs.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// The simulator's own name of it.
    pub id: String,
    /// For people.
    pub name: String,
    /// The device class of the device file.
    pub class: &'static str,
    /// A loopback address.
    pub address: Ipv4Addr,
    /// The id of the device it hangs off.
    pub parent: Option<String>,
    /// Where it hangs.
    pub place: String,
    /// What is printed on its label.
    pub model: &'static str,
    /// What it speaks.
    pub services: Vec<Service>,
    /// `[[check]]` tables in TOML.
    pub checks: String,
}

/// What must be so while a socket is open; when it changes, the socket is opened anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The right password is not the one in the checks.
    pub other_password: bool,
    /// The certificate has run out.
    pub expired: bool,
}

#[derive(Clone, Debug, Default)]
struct Condition {
    troubles: BTreeSet<Trouble>,
    cut_off: bool,
    links: Vec<bool>,
}

impl Condition {
    fn is_off(&self) -> bool {
        self.cut_off || self.troubles.contains(&Trouble::Unplug)
    }

    /// How `service` is to be open now; `None` is closed.
    fn setup(&self, service: &Service) -> Option<Setup> {
        let closed = matches!(service, Service::Tcp { .. } | Service::Rtsp { .. })
            && self.troubles.contains(&Trouble::Port);
        (!self.is_off() && !closed).then(|| self.any_setup())
    }

    fn any_setup(&self) -> Setup {
        Setup {
            other_password: self.troubles.contains(&Trouble::Password),
            expired: self.troubles.contains(&Trouble::Certificate),
        }
    }
}

/// A running device.
#[derive(Debug)]
pub struct Device {
    blueprint: Blueprint,
    condition: watch::Sender<Condition>,
    started_at: AtomicI64,
    boots: AtomicU32,
    damage: Mutex<Damage>,
}

/// Packets that a port has damaged.
#[derive(Debug, Default)]
struct Damage {
    before: u64,
    since_ms: Option<u64>,
}

/// An open socket that is not served yet.
pub enum Open {
    /// A port that accepts.
    Tcp(tokio::net::TcpListener),
    /// A stream with its login.
    Rtsp(rtsp::Server),
    /// HTTP with its login, over TLS if there is an acceptor.
    Web(web::Server),
    /// NTP.
    Time(tokio::net::UdpSocket),
    /// SNMP.
    Snmp(Box<async_snmp::agent::Agent>),
}

impl Device {
    /// A device that has power and nothing wrong with it.
    pub fn new(blueprint: Blueprint) -> Self {
        let started_at = AtomicI64::new(now_ms());
        let (condition, boots) = (watch::Sender::default(), AtomicU32::new(1));
        Self { blueprint, condition, started_at, boots, damage: Mutex::default() }
    }

    /// The simulator's id.
    pub fn id(&self) -> &str {
        &self.blueprint.id
    }

    /// Its loopback address.
    pub fn address(&self) -> Ipv4Addr {
        self.blueprint.address
    }

    /// The id of the device it hangs off.
    pub fn parent(&self) -> Option<&str> {
        self.blueprint.parent.as_deref()
    }

    /// What it is.
    pub fn blueprint(&self) -> &Blueprint {
        &self.blueprint
    }

    /// What it speaks.
    pub fn services(&self) -> &[Service] {
        &self.blueprint.services
    }

    /// The ways in which it can break.
    pub fn ways(&self) -> Vec<Trouble> {
        Trouble::all().filter(|trouble| trouble.befalls(self.blueprint.class, self.services())).collect()
    }

    /// What was done to it.
    pub fn troubles(&self) -> Vec<Trouble> {
        self.condition.borrow().troubles.iter().copied().collect()
    }

    /// True while `trouble` stands.
    pub fn has(&self, trouble: Trouble) -> bool {
        self.condition.borrow().troubles.contains(&trouble)
    }

    /// True while nothing of it answers: unplugged, or cut off by what it hangs off.
    pub fn is_off(&self) -> bool {
        self.condition.borrow().is_off()
    }

    /// Breaks it; fails when it cannot break that way.
    pub fn add(&self, trouble: Trouble) -> Result<()> {
        if !self.ways().contains(&trouble) {
            bail!("the device `{}` cannot have the trouble `{}`", self.id(), trouble.word());
        }
        self.condition.send_modify(|condition| {
            condition.troubles.insert(trouble);
        });
        Ok(())
    }

    /// Takes every trouble off it.
    pub fn mend(&self) {
        self.condition.send_modify(|condition| condition.troubles.clear());
    }

    /// Says whether what it hangs off has cut it off.
    pub fn cut_off(&self, cut: bool) {
        self.condition.send_if_modified(|condition| std::mem::replace(&mut condition.cut_off, cut) != cut);
    }

    /// Says which devices behind it have a link, in the order of its ports.
    pub fn set_links(&self, links: Vec<bool>) {
        self.condition.send_if_modified(|condition| {
            let changed = condition.links != links;
            condition.links = links;
            changed
        });
    }

    /// The links of the devices behind it, in the order of its ports.
    pub fn links(&self) -> Vec<bool> {
        self.condition.borrow().links.clone()
    }

    /// Its own idea of the time.
    pub fn clock(&self) -> Timestamp {
        now() + if self.has(Trouble::Clock) { CLOCK_ERROR } else { Duration::ZERO }
    }

    /// Milliseconds since it last got power.
    pub fn uptime_ms(&self) -> i64 {
        now_ms() - self.started_at.load(Ordering::Relaxed)
    }

    /// How many packets its first port has damaged, at so many a second while it does; asked as the uptime runs.
    pub fn damaged(&self, per_s: u64) -> u64 {
        let now_ms = self.uptime_ms().max(0).unsigned_abs();
        let mut damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        let lasts = |since_ms: u64| now_ms.saturating_sub(since_ms) * per_s / 1_000;
        match (self.has(Trouble::Errors), damage.since_ms) {
            (true, None) => damage.since_ms = Some(now_ms),
            (false, Some(since_ms)) => {
                *damage = Damage { before: damage.before + lasts(since_ms), since_ms: None };
            }
            (true, Some(_)) | (false, None) => {}
        }
        damage.before + damage.since_ms.map_or(0, lasts)
    }

    /// What is printed on its label and told by it.
    pub fn serial(&self) -> String {
        format!("SIM{:08X}", u32::from(self.address()))
    }

    /// How often it was started; SNMPv3 (RFC 3414) wants a number that never goes back.
    pub fn next_boot(&self) -> u32 {
        self.boots.fetch_add(1, Ordering::Relaxed)
    }

    /// Waits as long as a slow device does, else not at all.
    pub async fn think(&self) {
        if self.has(Trouble::Slow) {
            tokio::time::sleep(SLOWNESS).await;
        }
    }

    /// How its sockets are to be open now.
    pub fn setup(&self) -> Setup {
        self.condition.borrow().any_setup()
    }

    /// Opens the socket of `service`.
    pub async fn open(self: &Arc<Self>, service: &Service, setup: &Setup) -> Result<Open> {
        let address = (self.address(), service.port());
        Ok(match service {
            Service::Tcp { .. } => Open::Tcp(tokio::net::TcpListener::bind(address).await?),
            Service::Rtsp { .. } => Open::Rtsp(rtsp::Server::open(address, setup).await?),
            Service::Web { .. } => Open::Web(web::Server::open(address, setup, false).await?),
            Service::SecureWeb { .. } => Open::Web(web::Server::open(address, setup, true).await?),
            Service::Time { .. } => Open::Time(tokio::net::UdpSocket::bind(address).await?),
            Service::Snmp { port, v3 } => Open::Snmp(Box::new(snmp::open(self, *port, *v3, setup).await?)),
        })
    }

    /// Serves `service` for ever, closing and opening its socket as the device's state says.
    pub async fn keep(self: Arc<Self>, service: Service, first: Open) {
        let mut watch = self.condition.subscribe();
        let mut setup = self.setup();
        let mut open = Some(first);
        loop {
            match open.take() {
                Some(socket) => {
                    tokio::select! {
                        () = self.serve(socket) => tracing::debug!(device = self.id(), "a service ended"),
                        _ = watch.wait_for(|c| c.setup(&service).as_ref() != Some(&setup)) => {}
                    }
                }
                None => tokio::time::sleep(REOPEN_EVERY).await,
            }
            if watch.borrow().setup(&service).is_none() {
                if watch.wait_for(|c| c.setup(&service).is_some()).await.is_err() {
                    return;
                }
                self.started_at.store(now_ms(), Ordering::Relaxed);
            }
            setup = self.setup();
            open = match self.open(&service, &setup).await {
                Ok(socket) => Some(socket),
                Err(error) => {
                    tracing::warn!(device = self.id(), port = service.port(), %error, "cannot open; trying again");
                    None
                }
            };
        }
    }

    async fn serve(self: &Arc<Self>, socket: Open) {
        match socket {
            Open::Tcp(listener) => while listener.accept().await.is_ok() {},
            Open::Rtsp(server) => server.serve(self).await,
            Open::Web(server) => server.serve(self).await,
            Open::Time(socket) => ntp::serve(self, socket).await,
            Open::Snmp(agent) => {
                if let Err(error) = agent.run().await {
                    tracing::warn!(device = self.id(), %error, "the SNMP agent ended");
                }
            }
        }
    }

    /// This device as it would be registered.
    pub fn listing(&self) -> Listing {
        let b = &self.blueprint;
        Listing {
            id: b.id.clone(),
            name: b.name.clone(),
            class: b.class,
            address: b.address,
            parent: b.parent.clone(),
            place: b.place.clone(),
            model: b.model,
            checks: b.checks.clone(),
        }
    }
}
