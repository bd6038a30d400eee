//! A program that the demonstration started: its log in a file, its end seen to.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
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
    /// goes to the end of `log`. `setpriv` has the system kill it should we be killed ourselves, or
    /// rather should the thread that calls this end: call it from the main task.
    pub fn start(name: &'static str, program: &Path, arguments: &[&str], log: PathBuf) -> Result<Self> {
        ensure!(program.exists(), "{} is not there; was it built?", program.display());
        let file = File::options().create(true).append(true).open(&log);
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        // With SIGXFSZ ignored a limit on the size of its files looks to the program like a full disk.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {} by setpriv of util-linux", program.display()))?;
        Ok(Self { name, child, log })
    }

    /// The same with file systems of its own, which `setup`, a line of sh, mounts first. No root is needed.
    pub fn start_apart(
        name: &'static str,
        program: &Path,
        arguments: &[&str],
        log: PathBuf,
        setup: &str,
    ) -> Result<Self> {
        let script = format!("{setup} && exec \"$0\" \"$@\"");
        let program = program.display().to_string();
        let mut all = vec!["--map-root-user", "--mount", "sh", "-c", &script, &program];
        all.extend(arguments);
        Self::start(name, Path::new("/usr/bin/unshare"), &all, log)
    }

    /// A file as the running program sees it, whatever was mounted for it.
    pub fn sees(&self, path: &Path) -> Option<PathBuf> {
        let root = Path::new("/proc").join(self.id()?.to_string()).join("root");
        Some(root.join(path.strip_prefix("/").unwrap_or(path)))
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

    /// Its number in the system, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// `Some` once it has ended.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The memory that it has in use, kB (`VmRSS` of proc(5)); 0 when it has ended.
    pub fn resident_kb(&self) -> u64 {
        let status =
            self.child.id().and_then(|id| std::fs::read_to_string(format!("/proc/{id}/status")).ok());
        let line = status.as_deref().and_then(|text| text.lines().find(|line| line.starts_with("VmRSS:")));
        line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or_default()
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.child.wait().await?)
    }

    /// Ends it at once, as a power cut would.
    pub async fn kill(&mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks it to end (SIGTERM).
    pub async fn ask_to_end(&self) -> Result<()> {
        if let Some(id) = self.child.id() {
            let asked = Command::new("kill").arg("-TERM").arg(id.to_string()).status().await?;
            ensure!(asked.success(), "the {} could not be asked to end", self.name);
        }
        Ok(())
    }

    /// Asks it to end, and kills it when it has not after ten seconds.
    pub async fn stop(mut self) {
        let asked = self.ask_to_end().await;
        if asked.is_err() || tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}
