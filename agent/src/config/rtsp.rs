//! The stream part of a check: where, how to log in, how long it is looked at, and what it must bring.

use std::time::Duration;

use super::device::{Secret, port};
use super::http::{login, path};
use super::reader::{Error, Table};

/// Parameters of a stream check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtsp {
    /// The port.
    pub port: u16,
    /// Path and query, beginning with `/`.
    pub path: String,
    /// User and password; how they are told is the device's to say.
    pub login: Option<(String, Secret)>,
    /// How long packets are counted.
    pub look: Duration,
    /// Lost packets among a hundred that are too many.
    pub max_loss_percent: u8,
    /// Frames a second that are too few when there are less; None is two fifths of what the stream declares.
    pub min_fps: Option<u16>,
    /// Kilobits a second that are too few when there are less; None is not judged, since a quiet scene needs next to none.
    pub min_kbps: Option<u32>,
}

pub(super) fn read(table: &mut Table<'_>) -> Result<Rtsp, Error> {
    let port = port(table, Some(554))?;
    let path = path(table)?;
    let login = if table.peek("user").is_some() || table.peek("password").is_some() {
        Some(login(table)?)
    } else {
        // So that they are named among what a check takes.
        table.text("user", "\"monitor\"")?;
        table.text("password", "\"…\"")?;
        None
    };
    let look = table.duration(
        "look",
        Duration::from_millis(100)..=Duration::from_secs(30),
        Duration::from_secs(4),
    )?;
    let max_loss_percent = table.number("max_loss_percent", 0..=100, 5)?;
    let min_fps = Some(table.number("min_fps", 0..=1_000, 0)?).filter(|fps| *fps > 0);
    let min_kbps = Some(table.number("min_kbps", 0..=1_000_000, 0)?).filter(|kbps| *kbps > 0);
    Ok(Rtsp { port, path, login, look, max_loss_percent, min_fps, min_kbps })
}
