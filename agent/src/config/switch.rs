//! The check of a switch: over SNMP.

use super::reader::{Error, Table};
use super::snmp::{self, Snmp};

/// Parameters of a check of a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Port and credentials; what is read is known.
    pub snmp: Snmp,
    /// From here on its processor is busy, percent.
    pub max_cpu_percent: u8,
    /// From here on its memory is full, percent.
    pub max_memory_percent: u8,
    /// From here on it is hot where it names no limit of its own, degrees Celsius.
    pub max_temperature_c: u8,
    /// Ports that have to be up, by name or description.
    pub up: Vec<String>,
    /// Another number makes the gateway forget what it has seen of this device: it was exchanged on purpose.
    pub baseline: u16,
}

const UP_MAX: usize = 64;

pub(super) fn read(table: &mut Table<'_>) -> Result<Switch, Error> {
    let snmp = snmp::read_login(table)?;
    let max_cpu_percent = table.number("max_cpu_percent", 20..=100, 90)?;
    let max_memory_percent = table.number("max_memory_percent", 20..=100, 95)?;
    let max_temperature_c = table.number("max_temperature_c", 30..=120, 80)?;
    let up = table.texts("up", "[\"GigabitEthernet0/0/24\"]")?.unwrap_or_default();
    if up.len() > UP_MAX {
        return Err(table
            .error_here(format!("`up` lists {} ports", up.len()), format!("List at most {UP_MAX} ports")));
    }
    let up = up.into_iter().map(|found| found.value.trim().to_owned()).collect();
    let baseline = table.number("baseline", 0..=u16::MAX, 1)?;
    Ok(Switch { snmp, max_cpu_percent, max_memory_percent, max_temperature_c, up, baseline })
}
