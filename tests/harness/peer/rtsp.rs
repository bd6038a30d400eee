//! A camera's streams, served by gst-rtsp-server (`rtsp.py`): an independent RTSP, RTP and Digest.

use std::path::Path;

use tempfile::TempDir;

use super::process::{Process, folder, write};

/// A running stream server.
#[derive(Debug)]
pub struct RtspServer {
    /// The TCP port on 127.0.0.1.
    pub port: u16,
    _process: Process,
    dir: TempDir,
}

impl RtspServer {
    /// Who may look.
    pub const USER: &str = "monitor";
    /// With which password.
    pub const PASSWORD: &str = "right-password";

    /// Starts one that asks for a login in this way: `open`, `basic` or `digest`.
    pub async fn start(login: &str) -> Self {
        let dir = folder();
        let program = write(dir.path(), "rtsp.py", include_str!("rtsp.py")).display().to_string();
        let args = [program, login.to_owned(), Self::USER.to_owned(), Self::PASSWORD.to_owned()];
        // Debian's own Python: its bindings of GStreamer are no PyPI package.
        let mut process = Process::start("rtsp", Path::new("/usr/bin/python3"), args, &[], dir.path());
        let mut port = None;
        process
            .ready(|words| {
                port = words.lines().find_map(|line| line.strip_prefix("listening ")?.parse().ok());
                port.is_some()
            })
            .await;
        Self { port: port.expect("it said so"), _process: process, dir }
    }

    /// How often it has granted such a request so far.
    pub fn granted(&self, request: &str) -> usize {
        let words = std::fs::read_to_string(self.dir.path().join("rtsp.log")).unwrap_or_default();
        words.lines().filter(|line| line.split_whitespace().next() == Some(request)).count()
    }
}
