//! What hangs in a network, and what is it? A person on a new site asks once instead of writing two hundred devices.
//!
//! Every address is pinged; who answers, stands in the ARP table or answers WS-Discovery is asked what everybody may ask: a
//! web page, a certificate, `OPTIONS` of RTSP, and over SNMP only with a community that was given. No login is tried. What was
//! found are proposals, as device files; nothing is watched before a person takes them over.
//!
//! Exit codes are those of `sweep`. Ctrl-C, or the end of its time, ends it, and what was found until then is told.

mod clue;
pub(crate) mod hints;
mod identify;
pub(crate) mod order;
mod propose;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal as _, Write as _};
use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::json;
use sitewarden_proto::network::ADDRESSES_MAX;
use sitewarden_proto::wire::SwitchView;

use crate::clock::Clock;
use crate::config::Security;
pub use crate::probe::glance::Ports;
use crate::probe::glance::{self, Shared};
use crate::probe::icmp::{Answer, Engine, addresses, sweep};
use crate::probe::topology::own_neighbours;
pub use hints::{Discovery, Hints, Web, discovery, web};
pub use identify::{Certainty, Identity, identify};
pub use propose::{Proposal, file, list, proposals};

/// Addresses that are asked at once, each one question after the other.
const AT_ONCE: usize = 12;
/// Switches whose tables are read.
const SWITCHES_MAX: usize = 64;
const WAIT: Duration = Duration::from_secs(1);
const TRIES: u32 = 2;
const PROGRESS: Duration = Duration::from_millis(250);
const BAR: usize = 30;
const BAD_RANGE: u8 = 64;
const BROKEN: u8 = 70;
const INTERRUPTED: u8 = 130;

/// What a person wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The network, as in `192.168.1.0/24`.
    pub net: String,
    /// How SNMP is asked; without it SNMP is not asked.
    pub snmp: Option<Security>,
    /// Pings in a second.
    pub rate: u32,
    /// For all of it.
    pub limit: Duration,
    /// Where things are asked.
    pub ports: Ports,
}

/// What has been found so far.
#[derive(Debug, Default)]
pub struct Found {
    seen: Mutex<BTreeMap<IpAddr, Hints>>,
    views: Mutex<BTreeMap<IpAddr, SwitchView>>,
    /// Steps that are done, and of how many: an address is one to be pinged and one to be asked.
    steps: Mutex<(usize, usize)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Found {
    /// What it comes to.
    pub fn proposals(&self) -> Vec<Proposal> {
        proposals(&lock(&self.seen), &lock(&self.views))
    }

    /// What was seen of each address.
    pub fn hints(&self) -> BTreeMap<IpAddr, Hints> {
        lock(&self.seen).clone()
    }

    /// How many steps are done, and of how many.
    pub fn steps(&self) -> (usize, usize) {
        *lock(&self.steps)
    }

    /// What an address said of itself; what was known of it besides stays.
    fn heard(&self, address: IpAddr, hints: Hints) {
        let mut seen = lock(&self.seen);
        let one = seen.entry(address).or_default();
        *one = Hints { mac: one.mac, discovery: std::mem::take(&mut one.discovery), ..hints };
    }

    fn step(&self) {
        lock(&self.steps).0 += 1;
    }
}

/// Why there is nothing to be told.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// No network, or one that is too wide.
    #[error("{0}")]
    Range(String),
    /// The machine does not allow pings.
    #[error(
        "pings cannot be sent: {0}; allow your group with `sysctl net.ipv4.ping_group_range=\"0 2147483647\"` or \
         run it as root"
    )]
    Pings(std::io::Error),
    /// Anything else.
    #[error("the discovery cannot start: {0:#}")]
    Broken(anyhow::Error),
}

/// Prints what was found: a file of `[[device]]` tables with comments, or as JSON `{"network", "addresses", "complete",
/// "elapsed_ms", "found": [{"address", "mac", "maker", "model", "class", "certainty", "is_noise", "is_proposed", "parent",
/// "why", "checks", "toml"}]}`.
pub async fn run(wish: &Wish, json: bool) -> ExitCode {
    let (found, clock) = (Found::default(), Clock::system());
    let began = clock.steady();
    let ended = tokio::select! {
        looked = tokio::time::timeout(wish.limit, look(wish, &found)) => looked.ok(),
        _ = tokio::signal::ctrl_c() => None,
        () = progress(&found) => None,
    };
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    let complete = match ended {
        Some(Err(error)) => {
            eprintln!("sitewarden-agent: {error}");
            return ExitCode::from(if matches!(error, Failed::Range(_)) { BAD_RANGE } else { BROKEN });
        }
        Some(Ok(())) => true,
        None => false,
    };
    let all = found.proposals();
    let text = if json {
        let whole = json!({
            "network": wish.net,
            "addresses": found.steps().1 / 2,
            "complete": complete,
            "elapsed_ms": (clock.steady() - began).get_milliseconds(),
            "found": list(&all),
        });
        format!("{whole:#}\n")
    } else {
        let worth = all.iter().filter(|one| one.is_worth()).count();
        let cut = if complete { "" } else { "; cut short, not every address was asked" };
        format!("# {}: {} answer, {worth} are proposed{cut}\n\n{}", wish.net, all.len(), file(&all))
    };
    // A reader that has gone away, as with `| head`, is no reason to fail.
    let _ = std::io::stdout().write_all(text.as_bytes());
    match (complete, all.is_empty()) {
        (false, _) => ExitCode::from(INTERRUPTED),
        (true, false) => ExitCode::SUCCESS,
        (true, true) => ExitCode::from(1),
    }
}

/// Looks at a network; what it finds stands in `found` as it is found.
///
/// # Errors
/// When the network cannot be used or no pings can be sent.
pub async fn look(wish: &Wish, found: &Found) -> Result<(), Failed> {
    let targets = addresses(&wish.net).map_err(Failed::Range)?;
    if targets.len() > ADDRESSES_MAX {
        let text =
            format!("{} has {} addresses; look at {ADDRESSES_MAX} at most, a /20", wish.net, targets.len());
        return Err(Failed::Range(text));
    }
    let shared = Shared::new(wish.ports, wish.snmp.clone()).map_err(Failed::Broken)?;
    *lock(&found.steps) = (0, targets.len() * 2);
    let within: BTreeSet<IpAddr> = targets.iter().copied().collect();
    let engine = Engine::new(wish.rate);
    let swept = sweep(&engine, &targets, TRIES, WAIT, |address, answer| {
        found.step();
        if matches!(answer, Answer::Echoed { .. }) {
            lock(&found.seen).insert(address, Hints::default());
        }
    });
    swept.await.map_err(Failed::Pings)?;
    // Who answered on the wire is there, whatever it does with pings.
    for neighbour in own_neighbours() {
        let address = neighbour.address.parse().ok().filter(|address| within.contains(address));
        if let (Some(address), Ok(mac)) = (address, <[u8; 6]>::try_from(neighbour.mac)) {
            lock(&found.seen).entry(address).or_default().mac = Some(mac);
        }
    }
    let there: Vec<IpAddr> = lock(&found.seen).keys().copied().collect();
    if !there.is_empty() {
        glance::discover(&there, wish.ports.discovery, |address, said| {
            if within.contains(&address) {
                lock(&found.seen).entry(address).or_default().discovery = said;
            }
        })
        .await;
    }
    let there: Vec<IpAddr> = lock(&found.seen).keys().copied().collect();
    *lock(&found.steps) = (targets.len() * 2 - there.len(), targets.len() * 2);
    let shared = &shared;
    let mut asked = futures_util::stream::iter(there)
        .map(|address| async move { (address, glance::look(address, shared).await) })
        .buffer_unordered(AT_ONCE);
    while let Some((address, hints)) = asked.next().await {
        found.step();
        found.heard(address, hints);
    }
    drop(asked);
    let bridges = |one: &Proposal| one.identity.class == "switch";
    let switches: Vec<IpAddr> = found
        .proposals()
        .iter()
        .filter(|one| bridges(one))
        .map(|one| one.address)
        .take(SWITCHES_MAX)
        .collect();
    for address in switches {
        if let Some(view) = glance::tables(address, shared).await {
            lock(&found.views).insert(address, view);
        }
    }
    Ok(())
}

/// Shows how far it is, on a terminal; never ends.
async fn progress(found: &Found) {
    let mut every = tokio::time::interval(PROGRESS);
    let shown = std::io::stderr().is_terminal();
    loop {
        every.tick().await;
        let (done, all) = found.steps();
        if shown && all > 0 {
            let full = BAR * done.min(all) / all;
            let seen = lock(&found.seen).len();
            eprint!("\r[{}{}] {seen} answer ", "#".repeat(full), ".".repeat(BAR - full));
        }
    }
}
