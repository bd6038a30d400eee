//! Tells systemd that the agent is ready and alive (sd_notify(3)), if it asked to be told. The word comes from
//! the main loop itself, which waits for its disk: when either hangs, systemd hears nothing and starts it anew.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

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

    /// The agent works.
    pub fn ready(&self) {
        self.send("READY=1");
    }

    /// The main loop still turns.
    pub fn alive(&self) {
        self.send("WATCHDOG=1");
    }

    /// The agent ends in order.
    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    fn send(&self, text: &str) {
        if let Some((socket, address)) = &self.socket {
            // Nobody listening is no reason to stop measuring.
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
