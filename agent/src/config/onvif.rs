//! The ONVIF part of a check: where a camera's device service is, and how to log in.

use super::device::{Secret, port};
use super::http::{login, path};
use super::reader::{Error, Table};

/// Parameters of an ONVIF check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onvif {
    /// The port.
    pub port: u16,
    /// HTTPS instead of HTTP; the certificate is not verified, see the tls check.
    pub tls: bool,
    /// Of the device service.
    pub path: String,
    /// User and password; without them only the clock is asked for.
    pub login: Option<(String, Secret)>,
    /// Offset beyond which its clock is off, milliseconds.
    pub max_offset_ms: u32,
    /// Its serial number, or a part of it; None is the one that it has shown first.
    pub serial: Option<String>,
    /// Another number makes the gateway forget what it has seen of this device: it was exchanged on purpose.
    pub baseline: u16,
    /// Ask for its events; each look takes one of its few subscriptions and gives it back.
    pub events: bool,
}

pub(super) fn read(table: &mut Table<'_>) -> Result<Onvif, Error> {
    let tls = table.flag("tls", false)?;
    let port = port(table, Some(if tls { 443 } else { 80 }))?;
    let path = if table.peek("path").is_some() { path(table)? } else { "/onvif/device_service".to_owned() };
    let login = if table.peek("user").is_some() || table.peek("password").is_some() {
        Some(login(table)?)
    } else {
        // So that they are named among what a check takes.
        table.text("user", "\"monitor\"")?;
        table.text("password", "\"…\"")?;
        None
    };
    let max_offset_ms = table.number("max_offset_ms", 1_000..=600_000, 60_000)?;
    let serial =
        table.text("serial", "\"DS-2CD2143\"")?.map(|found| found.value).filter(|text| !text.is_empty());
    let baseline = table.number("baseline", 0..=u16::MAX, 1)?;
    let events = table.flag("events", true)?;
    Ok(Onvif { port, tls, path, login, max_offset_ms, serial, baseline, events })
}
