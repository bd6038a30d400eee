//! The part of a check that asks a vendor's own interface how a device is: where, how to log in, what it owes.

use std::time::Duration;

use super::device::port;
use super::http::{HttpAuth, Usual, auth};
use super::reader::{Error, Table};

/// Parameters of a check of a recorder, or of a camera of the same vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorder {
    /// The port.
    pub port: u16,
    /// HTTPS instead of HTTP; the certificate is not verified, see the tls check.
    pub tls: bool,
    /// How to log in.
    pub auth: HttpAuth,
    /// Offset beyond which its clock is off, milliseconds.
    pub max_offset_ms: u32,
    /// Days that its recordings have to reach back; 0 is not judged.
    pub keep_days: u16,
    /// Of a day's recordings without a break, what has to be there, percent; 0 is not counted.
    pub min_integrity_percent: u8,
    /// Disks that it should have; 0 is as many as it has shown.
    pub disks: u8,
    /// Its serial number, or a part of it; None is the one that it has shown first.
    pub serial: Option<String>,
    /// Another number makes the gateway forget what it has seen of this device: it was exchanged on purpose.
    pub baseline: u16,
    /// Channels that are not judged.
    pub spare: Vec<String>,
    /// Doors of a controller; 0 is as many as it says.
    pub doors: u8,
    /// How long a door may stand open, seconds.
    pub held_open_s: u32,
}

const SPARE_MAX: usize = 256;

/// Reads them; `counts` says that the vendor's recordings can be counted.
pub(super) fn read(table: &mut Table<'_>, counts: bool) -> Result<Recorder, Error> {
    let tls = table.flag("tls", false)?;
    let port = port(table, Some(if tls { 443 } else { 80 }))?;
    let auth = auth(table, Usual::Digest)?;
    let max_offset_ms = table.number("max_offset_ms", 1_000..=600_000, 60_000)?;
    let keep_days = table.number("keep_days", 0..=366, 0)?;
    let min_integrity_percent = if counts { table.number("min_integrity_percent", 0..=100, 0)? } else { 0 };
    if min_integrity_percent > 0 && keep_days == 0 {
        return Err(table.error_here(
            "`min_integrity_percent` stands without `keep_days`, by which a channel's first day is known"
                .to_owned(),
            "Say in `keep_days` how many days its recordings have to reach back".to_owned(),
        ));
    }
    let disks = table.number("disks", 0..=64, 0)?;
    let serial =
        table.text("serial", "\"DS-7616NI\"")?.map(|found| found.value).filter(|text| !text.is_empty());
    let baseline = table.number("baseline", 0..=u16::MAX, 1)?;
    let spare = table.texts("spare", "[\"5\", \"6\"]")?.unwrap_or_default();
    if spare.len() > SPARE_MAX {
        return Err(table.error_here(
            format!("`spare` lists {} channels", spare.len()),
            format!("List at most {SPARE_MAX}"),
        ));
    }
    let spare = spare.into_iter().map(|found| found.value.trim().to_owned()).collect();
    let doors = table.number("doors", 0..=64, 0)?;
    let (least, most, usual) =
        (Duration::from_secs(30), Duration::from_secs(86_400), Duration::from_secs(600));
    let held_open = table.duration("held_open", least..=most, usual)?;
    let held_open_s = u32::try_from(held_open.as_secs()).unwrap_or(u32::MAX);
    Ok(Recorder {
        port,
        tls,
        auth,
        max_offset_ms,
        keep_days,
        min_integrity_percent,
        disks,
        serial,
        baseline,
        spare,
        doors,
        held_open_s,
    })
}
