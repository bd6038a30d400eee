//! A camera that speaks ONVIF, played by a Python program (`onvif.py`) that computes every login again with
//! libraries of its own, by the clock that it believes in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::process::{Process, folder, write};
use super::snmpsim::venv;

/// A running camera.
#[derive(Debug)]
pub struct OnvifCamera {
    /// The TCP port on 127.0.0.1.
    pub port: u16,
    _process: Process,
    dir: TempDir,
}

/// What a camera was asked.
#[derive(Debug, Deserialize)]
pub struct Seen {
    /// Operations that it carried out.
    pub obeyed: Vec<String>,
    /// Why it refused others.
    pub refused: Vec<String>,
    /// Operations that were asked with a login that counts, or need none, in their order.
    pub asked: Vec<String>,
    /// Subscriptions that nobody gave back.
    pub subscriptions: usize,
    /// The most requests that were in its hands at a time.
    pub most: usize,
}

/// What is special about a camera.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    /// `wsse` or `digest`.
    pub auth: &'static str,
    /// Its clock, too, is told to those only who log in.
    pub clock_login: bool,
    /// Its serial number.
    pub serial: &'static str,
    /// Tokens of its profiles.
    pub profiles: Vec<&'static str>,
    /// Topic, source and value of each property that it tells.
    pub notices: Vec<(&'static str, &'static str, &'static str)>,
    /// Subscriptions that it bears.
    pub slots: usize,
    /// Operations that it does not have.
    pub lacks: Vec<&'static str>,
    /// What it says instead of an answer: status, type, text.
    pub breaks: BTreeMap<&'static str, (u16, &'static str, String)>,
}

impl Default for Told {
    fn default() -> Self {
        let (auth, clock_login, serial, slots) = ("wsse", false, "DS-2CD2143G0-I20190512AAWRD12345678", 1);
        let (profiles, notices) = (vec!["Profile_1", "Profile_2"], Vec::new());
        Self {
            auth,
            clock_login,
            serial,
            profiles,
            notices,
            slots,
            lacks: Vec::new(),
            breaks: BTreeMap::new(),
        }
    }
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
        let told = serde_json::to_string(&Told::default()).expect("it is plain");
        let told = write(dir.path(), "told.json", &told).display().to_string();
        let args = [program, Self::USER.to_owned(), Self::PASSWORD.to_owned(), ahead_s.to_string(), told];
        let mut process = Process::start("onvif", &venv().join("bin/python"), args, &[], dir.path());
        let mut port = None;
        process
            .ready(|words| {
                port = words.lines().find_map(|line| line.strip_prefix("listening ")?.parse().ok());
                port.is_some()
            })
            .await;
        Self { port: port.expect("it said so"), _process: process, dir }
    }

    /// It is like this from now on.
    pub fn tell(&self, told: &Told) {
        write(self.dir.path(), "told.json", &serde_json::to_string(told).expect("it is plain"));
    }

    /// What it was asked so far.
    pub async fn seen(&self) -> Seen {
        let answer = reqwest::get(format!("http://127.0.0.1:{}/seen", self.port)).await.expect("it answers");
        let text = answer.text().await.expect("a body");
        serde_json::from_str(&text).expect("what it has seen")
    }
}
