//! The providers of messages, played by a Python program (`provider.py`) that checks every signature by the
//! provider's published algorithm with libraries of its own, and answers as the real ones do.

use std::collections::BTreeMap;

use serde_json::Value;
use tempfile::TempDir;

use super::process::{Process, folder, write};
use super::snmpsim::venv;

/// All providers, on one port.
#[derive(Debug)]
pub struct Providers {
    /// `http://127.0.0.1:PORT`
    pub base: String,
    http: reqwest::Client,
    _process: Process,
    _dir: TempDir,
}

impl Providers {
    /// Starts them; everybody is in a good mood.
    pub async fn start() -> Self {
        // The programs do this in their main; a second time is no harm.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let dir = folder();
        let program = write(dir.path(), "provider.py", include_str!("provider.py"));
        let python = venv().join("bin/python");
        let mut process = Process::start("providers", &python, [program], &[], dir.path());
        let mut port = String::new();
        process
            .ready(|words| {
                let found = words.lines().find_map(|line| line.strip_prefix("listening "));
                found.unwrap_or_default().clone_into(&mut port);
                !port.is_empty()
            })
            .await;
        let base = format!("http://127.0.0.1:{port}");
        Self { base, http: reqwest::Client::new(), _process: process, _dir: dir }
    }

    /// Sets moods by provider (`limit`, `garbage`, `slow`, `gone`, `expired`) and forgets what was seen.
    pub async fn moods(&self, moods: &[(&str, &str)]) {
        let moods: BTreeMap<&str, &str> = moods.iter().copied().collect();
        let sent = self.http.put(format!("{}/mode", self.base)).json(&moods).send().await;
        assert!(sent.expect("the providers answer").status().is_success());
    }

    /// What was accepted since.
    pub async fn seen(&self) -> Vec<Value> {
        self.get("seen").await.as_array().cloned().unwrap_or_default()
    }

    /// The address of the one browser that is subscribed.
    pub async fn subscription(&self) -> String {
        let keys = self.get("key").await;
        serde_json::json!({ "endpoint": format!("{}/push/p1", self.base), "keys": keys }).to_string()
    }

    async fn get(&self, path: &str) -> Value {
        let answer =
            self.http.get(format!("{}/{path}", self.base)).send().await.expect("the providers answer");
        answer.json().await.expect("an answer in JSON")
    }
}
