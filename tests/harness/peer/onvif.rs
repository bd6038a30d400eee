//! A camera that restarts by ONVIF, played by a Python program (`onvif.py`) that computes every login again with
//! libraries of its own, by the clock that it believes in.

use serde::Deserialize;
use tempfile::TempDir;

use super::process::{Process, folder, write};
use super::snmpsim::venv;

/// A running camera.
#[derive(Debug)]
pub struct OnvifCamera {
    /// The TCP port on 127.0.0.1.
    pub port: u16,
    _process: Process,
    _dir: TempDir,
}

/// What a camera was asked.
#[derive(Debug, Deserialize)]
pub struct Seen {
    /// Operations that it carried out.
    pub obeyed: Vec<String>,
    /// Why it refused others.
    pub refused: Vec<String>,
}

impl OnvifCamera {
    /// Who may restart it.
    pub const USER: &str = "maintenance";
    /// With which password.
    pub const PASSWORD: &str = "p&ss<word>";

    /// Starts one whose clock is so many seconds ahead.
    pub async fn start(ahead_s: i32) -> Self {
        // The programs do this in their main; a second time is no harm.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = folder();
        let program = write(dir.path(), "onvif.py", include_str!("onvif.py")).display().to_string();
        let args = [program, Self::USER.to_owned(), Self::PASSWORD.to_owned(), ahead_s.to_string()];
        let mut process = Process::start("onvif", &venv().join("bin/python"), args, &[], dir.path());
        let mut port = None;
        process
            .ready(|words| {
                port = words.lines().find_map(|line| line.strip_prefix("listening ")?.parse().ok());
                port.is_some()
            })
            .await;
        Self { port: port.expect("it said so"), _process: process, _dir: dir }
    }

    /// What it was asked so far.
    pub async fn seen(&self) -> Seen {
        let answer = reqwest::get(format!("http://127.0.0.1:{}/seen", self.port)).await.expect("it answers");
        let text = answer.text().await.expect("a body");
        serde_json::from_str(&text).expect("what it has seen")
    }
}
