//! The checks of power supplies: over SNMP, or over the network UPS tools (NUT).

use super::device::port;
use super::reader::{Error, Table};
use super::snmp::{self, Snmp};
use std::time::Duration;

/// Parameters of a check of a power supply over SNMP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ups {
    /// Port and credentials; what is read is known.
    pub snmp: Snmp,
    /// How long its battery has to last, seconds; 0 is not judged.
    pub min_runtime_s: u32,
}

/// Parameters of a check of a power supply behind `upsd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nut {
    /// The port.
    pub port: u16,
    /// The power supply's name there; None is the first.
    pub ups: Option<String>,
    /// How long its battery has to last, seconds; 0 is not judged.
    pub min_runtime_s: u32,
}

pub(super) fn read(table: &mut Table<'_>) -> Result<Ups, Error> {
    Ok(Ups { snmp: snmp::read_login(table)?, min_runtime_s: min_runtime_s(table)? })
}

pub(super) fn read_nut(table: &mut Table<'_>) -> Result<Nut, Error> {
    let port = port(table, Some(3493))?;
    let ups = match table.text("ups", "\"rack\"")? {
        None => None,
        // A name is a word of the protocol's lines.
        Some(found) if (1..=64).contains(&found.value.len()) && found.value.bytes().all(is_word) => {
            Some(found.value)
        }
        Some(found) => {
            return Err(table.error(
                found.at,
                format!("`ups` cannot be {:?}", found.value),
                "Write its name as `upsc -l` lists it, for example: ups = \"rack\"",
            ));
        }
    };
    Ok(Nut { port, ups, min_runtime_s: min_runtime_s(table)? })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

fn min_runtime_s(table: &mut Table<'_>) -> Result<u32, Error> {
    let range = Duration::ZERO..=Duration::from_secs(86_400);
    let found = table.duration("min_runtime", range, Duration::ZERO)?;
    Ok(u32::try_from(found.as_secs()).unwrap_or(0))
}
