//! What this gateway may do to a device, and with whose rights. Without these tables a device is only ever read.
//! The credentials are apart from those of the checks, because reading and writing are different trusts.
//!
//! ```toml
//! [remedy.snmp]                # on a switch: its PoE ports may be switched off and on again
//! version = "2c"
//! community = "the community that may write"
//!
//! [remedy.http]                # on a camera or recorder: it may be restarted
//! protocol = "isapi"           # or "dahua", "onvif"
//! user = "maintenance"
//! password = "…"
//! ```

use super::device::{Secret, port};
use super::http::login;
use super::reader::{Error, Table};
use super::snmp::{Security, security};

/// The ways in which a device may be acted on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// SNMP with the right to write.
    pub snmp: Option<SnmpWrite>,
    /// A login that may restart it.
    pub http: Option<Login>,
}

/// SNMP with the right to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnmpWrite {
    /// The port, UDP.
    pub port: u16,
    /// Version and credentials.
    pub security: Security,
}

/// A login that may restart a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// What the device understands.
    pub protocol: Protocol,
    /// The port, TCP.
    pub port: u16,
    /// HTTPS instead of HTTP; the certificate is not verified.
    pub tls: bool,
    /// User name.
    pub user: String,
    /// Password.
    pub password: Secret,
}

/// A vendor's or a standard's way to restart a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// ONVIF `SystemReboot`.
    Onvif,
    /// Hikvision ISAPI.
    Isapi,
    /// Dahua CGI.
    Dahua,
}

const PROTOCOLS: &[(&str, Protocol)] =
    &[("isapi", Protocol::Isapi), ("dahua", Protocol::Dahua), ("onvif", Protocol::Onvif)];

/// Takes `[remedy]` out of a device.
pub(super) fn read(device: &mut Table<'_>) -> Result<Access, Error> {
    let Some(table) = device.table("remedy")? else { return Ok(Access::default()) };
    let (access, rest) = read_table(table)?;
    rest.finish("[remedy]")?;
    Ok(access)
}

/// What a `[remedy]` table says, and what is left of it.
pub(super) fn read_table(mut table: Table<'_>) -> Result<(Access, Table<'_>), Error> {
    let snmp = match table.table("snmp")? {
        Some(mut snmp) => {
            let port = port(&mut snmp, Some(161))?;
            let security = security(&mut snmp, false)?;
            snmp.finish("[remedy.snmp]")?;
            Some(SnmpWrite { port, security })
        }
        None => None,
    };
    let http = match table.table("http")? {
        Some(mut http) => {
            let Some(protocol) = http.word("protocol", PROTOCOLS)? else {
                return Err(
                    http.error_here("`protocol` is missing".into(), "Add for example: protocol = \"isapi\"")
                );
            };
            let tls = http.flag("tls", false)?;
            let port = port(&mut http, Some(if tls { 443 } else { 80 }))?;
            let (user, password) = login(&mut http)?;
            http.finish("[remedy.http]")?;
            Some(Login { protocol: protocol.value, port, tls, user, password })
        }
        None => None,
    };
    Ok((Access { snmp, http }, table))
}
