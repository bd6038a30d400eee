//! The product as an operator installs it: its two programs, a folder with their files, an address. Either
//! program can be ended at any moment, kindly or not, and started again on the same files.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::json;
use tempfile::TempDir;

use super::client::{Client, anonymous};
use super::process::Process;
use super::story::until;

/// The administrator's login, as the first start makes it.
pub const ADMIN: &str = "admin";

/// The programs to install.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `sitewarden`.
    pub server: PathBuf,
    /// `sitewarden-agent`.
    pub agent: PathBuf,
}

/// What differs from the server's embedded defaults.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the page and the API listen.
    pub http: SocketAddr,
    /// Where gateways connect.
    pub mqtt: SocketAddr,
    /// A mail relay without TLS or login.
    pub smtp: SocketAddr,
    /// The database's url; without it, the embedded one.
    pub database: Option<String>,
    /// Seconds between heartbeats of a gateway.
    pub heartbeat_s: u32,
}

/// An installation. Its folder goes away with it.
#[derive(Debug)]
pub struct Installation {
    base: String,
    programs: Programs,
    folder: TempDir,
}

impl Installation {
    /// Writes the files; nothing runs yet.
    pub fn prepare(programs: Programs, settings: &Settings) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("sitewarden-demo-").tempdir()?;
        let place = Self { base: format!("http://{}", settings.http), programs, folder };
        std::fs::write(place.file("server.toml"), server_config(&place.file("server"), settings))?;
        place.configure_agent("agent", "")?;
        Ok(place)
    }

    /// Where the page and the API are, `http://host:port`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Where its files and logs are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts the server, which answers soon.
    pub fn launch_server(&self) -> Result<Process> {
        let config = self.file("server.toml").display().to_string();
        let arguments = ["serve", "--config", &config];
        Process::start("server", &self.programs.server, &arguments, self.file("server.log"))
    }

    /// Starts the server and waits until it answers.
    pub async fn start_server(&self) -> Result<Process> {
        let server = self.launch_server()?;
        self.answers(server).await
    }

    /// The same with file systems of its own ([`Process::start_apart`]).
    pub async fn start_server_apart(&self, setup: &str) -> Result<Process> {
        let config = self.file("server.toml").display().to_string();
        let (program, log) = (&self.programs.server, self.file("server.log"));
        let arguments = ["serve", "--config", &config];
        self.answers(Process::start_apart("server", program, &arguments, log, setup)?).await
    }

    async fn answers(&self, mut server: Process) -> Result<Process> {
        let http = anonymous()?;
        let health = format!("{}/healthz", self.base);
        until("the server's first answer", async || {
            if let Some(status) = server.has_ended() {
                bail!("the server ended at once ({status})");
            }
            Ok(http.get(&health).send().await.is_ok_and(|a| a.status().is_success()).then_some(()))
        })
        .await
        .with_context(|| format!("the server said:\n{}", server.last_lines()))?;
        Ok(server)
    }

    /// Logs in with the password that the first start printed, chooses `password`, and logs in with it.
    pub async fn first_login(&self, server: &Process, password: &str) -> Result<Client> {
        let first = printed_password(&server.said())
            .with_context(|| format!("no first password was printed:\n{}", server.last_lines()))?;
        let client = Client::log_in(&self.base, ADMIN, &first).await?;
        client.post("/me/password", &json!({ "old": first, "new": password })).await?;
        Client::log_in(&self.base, ADMIN, password).await
    }

    /// Makes this machine the gateway that `token` admits.
    pub async fn enrol(&self, token: &str) -> Result<()> {
        self.enrol_as("agent", token).await
    }

    /// Makes this machine one more gateway, with files of its own called `name`.
    pub async fn enrol_as(&self, name: &str, token: &str) -> Result<()> {
        let data = self.file(name).display().to_string();
        let arguments = ["enrol", "--server", &self.base, "--token", token, "--data", &data];
        let mut enrolment =
            Process::start("enrolment", &self.programs.agent, &arguments, self.file("enrol.log"))?;
        let status = enrolment.wait().await?;
        if !status.success() {
            bail!("the agent could not enrol ({status}):\n{}", enrolment.last_lines());
        }
        Ok(())
    }

    /// Starts the agent.
    pub fn start_agent(&self) -> Result<Process> {
        self.start_agent_as("agent")
    }

    /// Starts the agent of the gateway whose files are called `name`.
    pub fn start_agent_as(&self, name: &str) -> Result<Process> {
        let config = self.file(&format!("{name}.toml")).display().to_string();
        let log = self.file(&format!("{name}.log"));
        Process::start("agent", &self.programs.agent, &["run", "--config", &config], log)
    }

    /// Writes the settings of the gateway whose files are called `name`; `more` is TOML beside its data folder.
    pub fn configure_agent(&self, name: &str, more: &str) -> Result<()> {
        let data = self.file(name).display().to_string();
        Ok(std::fs::write(self.file(&format!("{name}.toml")), format!("data_dir = {data:?}\n{more}"))?)
    }

    /// A file of this installation.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The wanted port on loopback, or a free one when it is taken.
pub fn free_address(port: u16) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .context("no free port on loopback")?;
    Ok(listener.local_addr()?)
}

fn server_config(data: &Path, settings: &Settings) -> String {
    let Settings { http, mqtt, smtp, database, heartbeat_s } = settings;
    let database = database.as_ref().map(|url| format!("database = {url:?}\n")).unwrap_or_default();
    format!(
        "data_dir = {:?}\n{database}\n[http]\nlisten = \"{http}\"\npublic_url = \"http://{http}\"\n\n\
         [mqtt]\nlisten = \"{mqtt}\"\nheartbeat_s = {heartbeat_s}\n\n\
         [smtp]\nhost = \"{}\"\nport = {}\ntls = \"none\"\nfrom = \"Sitewarden <sitewarden@demo.invalid>\"\n",
        data.display().to_string(),
        smtp.ip(),
        smtp.port()
    )
}

/// The last word of the line that names login and password.
fn printed_password(said: &str) -> Option<String> {
    said.lines()
        .find(|line| line.starts_with("Login: ") && line.contains("password"))
        .and_then(|line| line.split_whitespace().next_back())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_password_is_found() {
        let said = "First start. Change the password.\nLogin: admin  password (shown once): Xy-7\nmore\n";
        assert_eq!(printed_password(said).as_deref(), Some("Xy-7"));
        assert_eq!(printed_password("listening\n"), None);
    }
}
