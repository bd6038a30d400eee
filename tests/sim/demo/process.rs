//! A program that the demonstration started: its log in a file, its end seen to.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::process::{Child, Command};

const GRACE: Duration = Duration::from_secs(10);
const LAST_LINES: usize = 30;

/// A running program. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` in a process group of its own, so that Ctrl-C reaches us first; what it says
    /// goes to `log`.
    pub fn start(name: &'static str, program: &Path, arguments: &[&str], log: PathBuf) -> Result<Self> {
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}; was it built?", program.display()))?;
        Ok(Self { name, child, log })
    }

    /// Its name, for people.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Everything it has said so far.
    pub fn said(&self) -> String {
        std::fs::read(&self.log)
            .map_or_else(|_| String::new(), |text| String::from_utf8_lossy(&text).into_owned())
    }

    /// Its last lines, for when something went wrong.
    pub fn last_lines(&self) -> String {
        let said = self.said();
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }

    /// `Some` once it has ended.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Asks it to end (SIGTERM), and kills it when it has not after ten seconds.
    pub async fn stop(mut self) {
        if let Some(id) = self.child.id() {
            let asked = Command::new("kill").arg("-TERM").arg(id.to_string()).status().await;
            if asked.is_ok() && tokio::time::timeout(GRACE, self.child.wait()).await.is_ok() {
                return;
            }
            let _ = self.child.kill().await;
        }
    }
}
