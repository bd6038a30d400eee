//! The agent's file. Every complaint names the file, the line, the key and what to write instead; a key
//! that means nothing is refused, because a misspelt key is a check that silently does not run.
//!
//! ```toml
//! data_dir = "/var/lib/sitewarden-agent"   # keys, certificate and queue; made by `enrol`
//! heartbeat = "30s"                        # how often the server hears that we live; its own wish if absent
//! keep_alive = "5m"                        # MQTT's own; heartbeats find a dead link sooner
//! arrival_page = "10.20.7.2:8480"          # shows arrival codes on the site's own network; without it nowhere
//! remedies_a_day = 2                       # of one kind on one device, whatever the server asks; 0 forbids them
//!
//! [queue]
//! max_days = 7
//! max_mib = 512
//!
//! [credentials.cameras]                    # what checks log in with; a device only names it
//! user = "viewer"
//! password = "…"
//!
//! [[device]]                               # optional: devices that only this file knows
//! id = "cam-3"
//! class = "camera"                         # its checks follow from class and maker, see `usual`
//! maker = "hikvision"
//! address = "10.20.7.11"
//! credentials = "cameras"
//! ```

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod device;
mod http;
mod kind;
mod local;
mod more;
mod onvif;
mod reader;
mod recorder;
mod remedy;
mod rtsp;
mod snmp;
mod switch;
#[cfg(test)]
mod tests;
mod ups;
mod usual;

pub use device::{
    CLASSES, Check, Class, Confirm, Device, FLAP_MAX, Secret, Wanted, parse_desired, parse_device,
    parse_devices, read_credentials, read_device_file, read_device_file_with,
};
pub use http::{Http, HttpAuth, Picture};
pub use kind::Kind;
pub use local::{LocalPage, Person, Template};
pub use onvif::Onvif;
pub use reader::Error;
pub use recorder::Recorder;
pub use remedy::{Access, Login, Protocol, SnmpWrite};
pub use rtsp::Rtsp;
pub use snmp::{Auth, Privacy, Security, Snmp};
pub use switch::Switch;
pub use ups::{Nut, Ups};
pub use usual::Credentials;

use reader::Source;
use sitewarden_proto::limits::REMEDIES_A_DAY;

/// Largest file that is read.
const FILE_MAX: u64 = 1024 * 1024;

/// The agent's own settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where keys, certificate and queue live.
    pub data_dir: PathBuf,
    /// Overrides the address that enrolment stored, host:port.
    pub server: Option<String>,
    /// How often a Session is published while connected; None is what the server wished at enrolment.
    pub heartbeat: Option<Duration>,
    /// MQTT keep-alive.
    pub keep_alive: Duration,
    /// Bounds of the disk queue.
    pub queue: Queue,
    /// Probes that may run at once.
    pub concurrent_probes: usize,
    /// How long samples are gathered into one block while nobody watches.
    pub block: Duration,
    /// Remedies of one kind that this gateway takes on one device within 24 hours, whatever the server asks; 0 is none.
    pub remedies_a_day: u32,
    /// Where on the site's own network arrival codes are shown; None is nowhere.
    pub arrival_page: Option<SocketAddr>,
    /// Devices that only this file knows; the server's configuration replaces those of the same id.
    pub devices: Vec<Device>,
}

/// Bounds of the disk queue; whichever is met first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Age of the oldest record.
    pub max_age: Duration,
    /// Bytes of all records.
    pub max_bytes: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self { max_age: Duration::from_hours(7 * 24), max_bytes: 512 << 20 }
    }
}

impl Config {
    /// The defaults over a data folder.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            server: None,
            heartbeat: None,
            keep_alive: Duration::from_mins(5),
            queue: Queue::default(),
            concurrent_probes: 64,
            block: Duration::from_mins(5),
            remedies_a_day: REMEDIES_A_DAY,
            arrival_page: None,
            devices: Vec::new(),
        }
    }

    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        Ok(Self::parse(&read_text(path)?, &path.display().to_string())?)
    }

    /// Parses a text; `file` is for messages.
    pub fn parse(text: &str, file: &str) -> Result<Self, Error> {
        let secs = Duration::from_secs;
        let mut top = Source { file, text }.parse()?;
        let mut config = Self::new(top.required_text("data_dir", "\"/var/lib/sitewarden-agent\"")?.value);
        if let Some(found) = top.text("server", "\"monitor.example.com:8883\"")? {
            if !is_host_port(&found.value) {
                return Err(top.error(
                    found.at,
                    "`server` is not host:port".into(),
                    "Write for example: server = \"monitor.example.com:8883\"",
                ));
            }
            config.server = Some(found.value);
        }
        config.heartbeat = top.optional_duration("heartbeat", secs(5)..=secs(900))?;
        config.keep_alive = top.duration("keep_alive", secs(5)..=secs(3600), config.keep_alive)?;
        config.concurrent_probes = top.number("concurrent_probes", 1_u16..=1024, 64)?.into();
        config.block = top.duration("block", secs(1)..=secs(3600), config.block)?;
        config.remedies_a_day = top.number("remedies_a_day", 0..=10, REMEDIES_A_DAY)?;
        if let Some(found) = top.text("arrival_page", "\"10.20.7.2:8480\"")? {
            let address = found.value.parse().map_err(|_| {
                let text = "`arrival_page` is not an address and a port".to_owned();
                top.error(found.at, text, "Write for example: arrival_page = \"10.20.7.2:8480\"")
            })?;
            config.arrival_page = Some(address);
        }
        if let Some(mut queue) = top.table("queue")? {
            let days: u32 = queue.number("max_days", 1..=365, 7)?;
            let mib: u32 = queue.number("max_mib", 1..=65_536, 512)?;
            config.queue = Queue { max_age: secs(u64::from(days) * 86_400), max_bytes: u64::from(mib) << 20 };
            queue.finish("[queue]")?;
        }
        let sets = usual::credentials(&mut top)?;
        config.devices = device::device_tables(&mut top, &sets)?;
        top.finish("the agent's file")?;
        Ok(config)
    }
}

fn is_host_port(text: &str) -> bool {
    text.rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|p| p > 0))
}

/// Why a file does not serve.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It cannot be read.
    #[error("cannot read {path}: {cause}. Check the path and who may read it")]
    Read {
        /// The file.
        path: String,
        /// The system's words.
        cause: std::io::Error,
    },
    /// What it says does not serve.
    #[error(transparent)]
    Content(#[from] Error),
}

fn read_text(path: &Path) -> Result<String, LoadError> {
    use std::io::Read;
    let read = || {
        let mut text = String::new();
        std::fs::File::open(path)?.take(FILE_MAX).read_to_string(&mut text)?;
        Ok(text)
    };
    read().map_err(|cause| LoadError::Read { path: path.display().to_string(), cause })
}
