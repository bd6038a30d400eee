//! The kinds of checks: what each measures, and how often and how long when nothing else is said.

use super::device::port;
use super::http::{self, Http, Picture};
use super::onvif::{self, Onvif};
use super::reader::{Error, Table};
use super::recorder::{self, Recorder};
use super::rtsp::{self, Rtsp};
use super::snmp::{self, Security, Snmp};
use super::switch::{self, Switch};
use super::ups::{self, Nut, Ups};

/// The protocol of a check with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ICMP echo.
    Icmp {
        /// Requests of one run.
        count: u8,
    },
    /// A TCP port that accepts.
    Tcp {
        /// The port.
        port: u16,
    },
    /// An HTTP or HTTPS answer.
    Http(Http),
    /// A TLS certificate's life.
    Tls {
        /// The port.
        port: u16,
        /// Days before the end at which it counts as expiring.
        warn_days: u16,
    },
    /// A clock that answers NTP.
    Ntp {
        /// The port.
        port: u16,
        /// Offset beyond which the clock is off, milliseconds.
        max_offset_ms: u32,
    },
    /// SNMP values.
    Snmp(Snmp),
    /// Who hangs on the ports of a switch, over SNMP.
    Topology(Snmp),
    /// A stream's flow.
    Rtsp(Rtsp),
    /// What a camera shows.
    Picture(Picture),
    /// What a Hikvision device says of itself, over ISAPI.
    Isapi(Recorder),
    /// A recorder, a camera or a door controller of Dahua.
    Dahua(Recorder),
    /// What a camera says of itself, over ONVIF.
    Onvif(Onvif),
    /// How a switch is, over SNMP.
    Switch(Switch),
    /// How a power supply is, over SNMP.
    Ups(Ups),
    /// How a power supply behind `upsd` is.
    Nut(Nut),
    /// The gateway itself.
    Host,
}

impl Kind {
    /// How it asks over SNMP, if it does.
    pub fn security(&self) -> Option<&Security> {
        match self {
            Self::Snmp(snmp) | Self::Topology(snmp) => Some(&snmp.security),
            Self::Switch(switch) => Some(&switch.snmp.security),
            Self::Ups(ups) => Some(&ups.snmp.security),
            _ => None,
        }
    }

    /// Its word in the file; also the default name of a check.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Icmp { .. } => "icmp",
            Self::Tcp { .. } => "tcp",
            Self::Http(_) => "http",
            Self::Tls { .. } => "tls",
            Self::Ntp { .. } => "ntp",
            Self::Snmp(_) => "snmp",
            Self::Topology(_) => "topology",
            Self::Rtsp(_) => "rtsp",
            Self::Picture(_) => "picture",
            Self::Isapi(_) => "isapi",
            Self::Dahua(_) => "dahua",
            Self::Onvif(_) => "onvif",
            Self::Switch(_) => "switch",
            Self::Ups(_) => "ups",
            Self::Nut(_) => "nut",
            Self::Host => "host",
        }
    }
}

#[derive(Clone, Copy)]
pub(super) enum Word {
    Icmp,
    Tcp,
    Http,
    Tls,
    Ntp,
    Snmp,
    Topology,
    Rtsp,
    Picture,
    Isapi,
    Dahua,
    Onvif,
    Switch,
    Ups,
    Nut,
    Host,
}

pub(super) const KINDS: &[(&str, Word)] = &[
    ("icmp", Word::Icmp),
    ("tcp", Word::Tcp),
    ("http", Word::Http),
    ("tls", Word::Tls),
    ("ntp", Word::Ntp),
    ("snmp", Word::Snmp),
    ("topology", Word::Topology),
    ("rtsp", Word::Rtsp),
    ("picture", Word::Picture),
    ("isapi", Word::Isapi),
    ("dahua", Word::Dahua),
    ("onvif", Word::Onvif),
    ("switch", Word::Switch),
    ("ups", Word::Ups),
    ("nut", Word::Nut),
    ("host", Word::Host),
];

impl Word {
    /// The rest of the check's own keys; with its usual interval and limit, seconds.
    pub(super) fn read(self, table: &mut Table<'_>) -> Result<(Kind, u64, u64), Error> {
        Ok(match self {
            Self::Icmp => (Kind::Icmp { count: table.number("count", 1..=20, 3)? }, 30, 3),
            Self::Tcp => (Kind::Tcp { port: port(table, None)? }, 30, 3),
            Self::Http => (Kind::Http(http::read(table)?), 60, 10),
            Self::Tls => {
                let port = port(table, Some(443))?;
                (Kind::Tls { port, warn_days: table.number("warn_days", 0..=3650, 30)? }, 3600, 10)
            }
            Self::Ntp => {
                let port = port(table, Some(123))?;
                (
                    Kind::Ntp { port, max_offset_ms: table.number("max_offset_ms", 1..=86_400_000, 60_000)? },
                    300,
                    3,
                )
            }
            Self::Snmp => (Kind::Snmp(snmp::read(table)?), 60, 5),
            Self::Topology => (Kind::Topology(snmp::read_login(table)?), 300, 20),
            Self::Rtsp => (Kind::Rtsp(rtsp::read(table)?), 120, 15),
            Self::Picture => (Kind::Picture(http::read_picture(table)?), 120, 15),
            Self::Isapi => (Kind::Isapi(recorder::read(table, true)?), 300, 30),
            Self::Dahua => (Kind::Dahua(recorder::read(table, false)?), 300, 30),
            Self::Onvif => (Kind::Onvif(onvif::read(table)?), 300, 30),
            Self::Switch => (Kind::Switch(switch::read(table)?), 120, 30),
            Self::Ups => (Kind::Ups(ups::read(table)?), 60, 10),
            Self::Nut => (Kind::Nut(ups::read_nut(table)?), 60, 10),
            Self::Host => (Kind::Host, 60, 10),
        })
    }
}
