//! Which checks come of a file: what a person sees before the agent runs by it.

use std::fmt::Write as _;
use std::path::Path;

use crate::config::{Config, Device, LoadError, read_credentials, read_device_file_with};

/// Reads the agent's file; its devices with their checks.
///
/// # Errors
/// What is wrong with the file, with line, key and remedy.
pub fn of_config(path: &Path) -> Result<String, LoadError> {
    let devices = Config::load(path)?.devices;
    let mut text = format!("{} is fine: {} local devices\n", path.display(), devices.len());
    for device in devices {
        add(&mut text, &device);
    }
    Ok(text)
}

/// Reads a device's file, which may name credentials of another file.
///
/// # Errors
/// What is wrong with a file, with line, key and remedy.
pub fn of_device(path: &Path, credentials: Option<&Path>) -> Result<String, LoadError> {
    let device = device(path, credentials)?;
    let mut text = format!("{} is fine\n", path.display());
    add(&mut text, &device);
    Ok(text)
}

/// The same, as it is.
///
/// # Errors
/// What is wrong with a file, with line, key and remedy.
pub fn device(path: &Path, credentials: Option<&Path>) -> Result<Device, LoadError> {
    let sets = credentials.map(read_credentials).transpose()?.unwrap_or_default();
    read_device_file_with(path, &sets)
}

fn add(text: &mut String, device: &Device) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}  {}  {}", device.id, device.name, device.address);
    for check in &device.checks {
        let every = check.every.as_secs();
        let _ = writeln!(
            text,
            "  {:<16} {:<9} every {every} s, raised after {} of {}, cleared after {}",
            check.name,
            check.kind.word(),
            check.confirm.bad,
            check.confirm.of,
            check.clear
        );
    }
    for name in &device.left_out {
        let _ = writeln!(text, "  {name:<16} left out: name `credentials` for it");
    }
}
