//! `chronyd` as a time server that leaves the machine's clock alone.

use std::path::Path;

use tempfile::TempDir;

use super::process::{Process, folder, free_udp_port, write};

/// A running chronyd.
#[derive(Debug)]
pub struct Chronyd {
    /// The UDP port on 127.0.0.1.
    pub port: u16,
    _process: Process,
    _dir: TempDir,
}

impl Chronyd {
    /// A server that claims to know the time, at stratum 8.
    pub async fn start() -> Self {
        Self::run("local stratum 8\n").await
    }

    /// A server that follows no source and says so.
    pub async fn unsynchronised() -> Self {
        Self::run("").await
    }

    async fn run(extra: &str) -> Self {
        let dir = folder();
        let port = free_udp_port();
        let pid = dir.path().join("chronyd.pid");
        let config = write(
            dir.path(),
            "chrony.conf",
            &format!(
                "port {port}\nbindaddress 127.0.0.1\nallow 127.0.0.1\ncmdport 0\npidfile {}\n{extra}",
                pid.display()
            ),
        );
        // -U any user may start it, -x the clock is not touched, -d stay and talk to standard error.
        let args =
            ["-U", "-x", "-d", "-f"].map(str::to_owned).into_iter().chain([config.display().to_string()]);
        let mut process = Process::start("chronyd", Path::new("/usr/sbin/chronyd"), args, &[], dir.path());
        process.ready(|words| words.contains("Disabled control of system clock")).await;
        Self { port, _process: process, _dir: dir }
    }
}
