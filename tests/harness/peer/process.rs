//! A program in a folder of its own, with its words kept and its end guaranteed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::until;

/// How long a peer may take until it listens; the machine may be busy compiling.
const START_LIMIT: Duration = Duration::from_mins(1);

/// A UDP port of 127.0.0.1 that nobody uses at this moment.
pub fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("the loopback has a free UDP port");
    socket.local_addr().expect("a bound socket has an address").port()
}

/// A TCP port of 127.0.0.1 that nobody uses at this moment.
pub fn free_tcp_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback has a free TCP port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// A running program.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a program that stays in the foreground; what it prints goes to `NAME.log` in `dir`. `setpriv`
    /// has the system kill it when the thread that calls this ends, even if nothing is dropped any more.
    pub(super) fn start<I, S>(
        name: &'static str,
        program: &Path,
        args: I,
        envs: &[(&str, &OsStr)],
        dir: &Path,
    ) -> Self
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let missing = |error: &dyn std::fmt::Display| -> ! {
            panic!("cannot start {}: {error}; run tests/run once, it installs the peers", program.display())
        };
        if !program.exists() {
            missing(&"it is not there");
        }
        let log = dir.join(format!("{name}.log"));
        let out = File::create(&log).expect("the peer's folder takes a log");
        let err = out.try_clone().expect("a file handle can be copied");
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(program)
            .args(args)
            .envs(envs.iter().copied())
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .unwrap_or_else(|error| missing(&error));
        Self { name, child, log }
    }

    /// Waits until the program is `ready`, which gets what it has printed so far. Panics with its words if it
    /// ends before or takes too long.
    pub(super) async fn ready(&mut self, mut ready: impl FnMut(&str) -> bool) {
        let what = format!("{} listens", self.name);
        until(&what, START_LIMIT, async || {
            let words = fs::read_to_string(&self.log).unwrap_or_default();
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("{} ended with {status}:\n{words}", self.name);
            }
            ready(&words)
        })
        .await;
    }

    /// Ends the program at once, as a power cut would.
    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A folder for a peer's files, readable by whatever user the peer runs as.
pub(super) fn folder() -> TempDir {
    tempfile::Builder::new().prefix("sitewarden-peer-").tempdir().expect("the machine has a temporary folder")
}

/// Writes a file of a peer.
pub(super) fn write(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).expect("the peer's folder takes a file");
    path
}
