//! Net-SNMP's `snmpd`: an agent that speaks versions 1, 2c and 3 and reports every refusal by the book.

use std::path::Path;

use tempfile::TempDir;

use super::process::{Process, folder, free_udp_port, write};

/// A running snmpd.
///
/// It knows the community [`Snmpd::COMMUNITY`], the user [`Snmpd::USER`] (SHA-256 and AES-128, encryption
/// required) and the user [`Snmpd::SIGNER`] (SHA-1, no encryption).
#[derive(Debug)]
pub struct Snmpd {
    /// The UDP port on 127.0.0.1; it stays the same when the agent is killed and started again.
    pub port: u16,
    dir: TempDir,
    process: Process,
}

impl Snmpd {
    /// The community of versions 1 and 2c.
    pub const COMMUNITY: &str = "site-reader";
    /// The version 3 user with authentication and encryption.
    pub const USER: &str = "reader";
    /// The version 3 user with authentication only.
    pub const SIGNER: &str = "signer";
    /// The authentication password of both users.
    pub const AUTH_PASSWORD: &str = "auth-password";
    /// The privacy password of [`Self::USER`].
    pub const PRIVACY_PASSWORD: &str = "privacy-password";
    /// What sysName says.
    pub const NAME: &str = "gate-switch";

    /// Starts one and waits until it listens.
    pub async fn start() -> Self {
        let dir = folder();
        let port = free_udp_port();
        let mut process = run(dir.path(), port);
        listening(&mut process).await;
        Self { port, dir, process }
    }

    /// Kills the agent.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the agent again on the same port.
    pub async fn start_again(&mut self) {
        self.process.kill();
        self.process = run(self.dir.path(), self.port);
        listening(&mut self.process).await;
    }
}

fn run(dir: &Path, port: u16) -> Process {
    let config = write(
        dir,
        "agent.conf",
        &format!(
            "createUser {user} SHA-256 \"{auth}\" AES \"{privacy}\"\n\
             rouser {user} priv\n\
             createUser {signer} SHA \"{auth}\"\n\
             rouser {signer} auth\n\
             rocommunity {community} 127.0.0.1\n\
             sysName {name}\n",
            user = Snmpd::USER,
            signer = Snmpd::SIGNER,
            auth = Snmpd::AUTH_PASSWORD,
            privacy = Snmpd::PRIVACY_PASSWORD,
            community = Snmpd::COMMUNITY,
            name = Snmpd::NAME,
        ),
    );
    let listen = format!("udp:127.0.0.1:{port}");
    // -f stay, -C no other configuration, -Lo talk to standard output, -I without the modules that need more.
    let args = ["-f", "-C", "-c", &config.display().to_string(), "-Lo", "-I", "-smux,-mteTrigger", &listen]
        .map(str::to_owned);
    let state = dir.join("state");
    let envs = [("SNMP_PERSISTENT_DIR", state.as_os_str()), ("MIBS", "".as_ref())];
    Process::start("snmpd", Path::new("/usr/sbin/snmpd"), args, &envs, dir)
}

async fn listening(process: &mut Process) {
    process.ready(|words| words.contains("NET-SNMP version")).await;
}
