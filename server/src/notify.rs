//! Tells systemd that the server is ready, that it lives and that it ends (sd_notify(3)), if it asked to be
//! told.
//!
//! The server lives while its work gets done: the engine's decisions reach the database, and ingest does not
//! sit on one batch. A server that only answers HTTP is not alive, and is started anew.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// How long work may stand still before systemd hears nothing any more.
pub const STILL_LIMIT: Duration = Duration::from_secs(60);
const IDLE: i64 = i64::MIN;

/// The way to systemd, if there is one.
#[derive(Debug)]
pub struct Notify {
    socket: Option<(UnixDatagram, SocketAddr)>,
    every: Option<Duration>,
}

impl Notify {
    /// From NOTIFY_SOCKET and WATCHDOG_USEC.
    pub fn from_env() -> Self {
        let watchdog = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
        Self { socket: open(), every: watchdog.map(|micros: u64| Duration::from_micros(micros / 3)) }
    }

    /// How often [`Notify::alive`] must be called; None when nobody watches.
    pub fn watchdog_every(&self) -> Option<Duration> {
        self.every
    }

    /// The server works.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// Work gets done.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// The server ends in order.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    fn send(&self, text: &str) {
        if let Some((socket, address)) = &self.socket {
            // Nobody listening is no reason to stop.
            let _ = socket.send_to_addr(text.as_bytes(), address);
        }
    }
}

fn open() -> Option<(UnixDatagram, SocketAddr)> {
    let path = std::env::var("NOTIFY_SOCKET").ok()?;
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name).ok()?,
        None => SocketAddr::from_pathname(&path).ok()?,
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    Some((socket, address))
}

/// Since when a part works at one thing.
#[derive(Debug)]
pub struct Pulse(AtomicI64);

impl Default for Pulse {
    fn default() -> Self {
        Self(AtomicI64::new(IDLE))
    }
}

impl Pulse {
    /// It begins something.
    pub fn begin(&self, now: Timestamp) {
        self.0.store(now.as_millisecond(), Ordering::Relaxed);
    }

    /// It is done, and waits for the next.
    pub fn rest(&self) {
        self.0.store(IDLE, Ordering::Relaxed);
    }

    /// Whether it has worked at one thing for too long.
    pub fn stands_still(&self, now: Timestamp) -> bool {
        let since = self.0.load(Ordering::Relaxed);
        since != IDLE && now.as_millisecond().saturating_sub(since) > STILL_LIMIT.as_millis() as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    #[test]
    fn only_work_that_takes_too_long_stands_still() {
        let begin: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        let after = |seconds| begin + SignedDuration::from_secs(seconds);
        let pulse = Pulse::default();
        assert!(!pulse.stands_still(after(3600)), "nothing to do is no standstill");
        pulse.begin(begin);
        assert!(!pulse.stands_still(after(60)));
        assert!(pulse.stands_still(after(61)));
        pulse.rest();
        assert!(!pulse.stands_still(after(61)));
    }
}
