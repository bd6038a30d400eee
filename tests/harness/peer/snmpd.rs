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
    /// Lines of its configuration beyond the usual.
    more: String,
}

/// Plays PoE port 1.7 of RFC 3621 behind `pass`: its state is a file, and so is the list of all that was ever SET.
const POE: &str = r#"#!/bin/sh
cd "${0%/*}" || exit 1
port=.1.3.6.1.2.1.105.1.1.1
case "$1 $2" in
"-g $port.3.1.7") echo "$2"; echo integer; cat port ;;
"-g $port.6.1.7") echo "$2"; echo integer; [ "$(cat port)" = 1 ] && echo 3 || echo 1 ;;
"-s $port.3.1.7") echo "$4" >> sets; echo "$4" > port.new; mv port.new port ;;
"-s "*) echo not-writable ;;
esac
"#;

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

    /// The community that may write, of [`Snmpd::with_poe`].
    pub const WRITER: &str = "site-writer";

    /// Starts one and waits until it listens.
    pub async fn start() -> Self {
        Self::begin(folder(), String::new()).await
    }

    /// Starts one that has a PoE port 1.7, which is on.
    pub async fn with_poe() -> Self {
        let dir = folder();
        let script = write(dir.path(), "poe.sh", POE);
        write(dir.path(), "port", "1\n");
        write(dir.path(), "sets", "");
        let more = format!(
            "rwcommunity {} 127.0.0.1\npass .1.3.6.1.2.1.105.1.1.1 /bin/sh {}\n",
            Self::WRITER,
            script.display()
        );
        Self::begin(dir, more).await
    }

    async fn begin(dir: TempDir, more: String) -> Self {
        let port = free_udp_port();
        let mut process = run(dir.path(), port, &more);
        listening(&mut process).await;
        Self { port, dir, process, more }
    }

    /// `pethPsePortAdminEnable` of the PoE port: 1 is on, 2 is off.
    pub fn poe(&self) -> i32 {
        let text = std::fs::read_to_string(self.dir.path().join("port")).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }

    /// Somebody sets the PoE port by hand.
    pub fn set_poe(&self, to: i32) {
        write(self.dir.path(), "port", &format!("{to}\n"));
    }

    /// What the PoE port was SET to, one after the other.
    pub fn poe_sets(&self) -> Vec<i32> {
        let text = std::fs::read_to_string(self.dir.path().join("sets")).unwrap_or_default();
        text.lines().filter_map(|line| line.trim().parse().ok()).collect()
    }

    /// Kills the agent.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the agent again on the same port.
    pub async fn start_again(&mut self) {
        self.process.kill();
        self.process = run(self.dir.path(), self.port, &self.more);
        listening(&mut self.process).await;
    }
}

fn run(dir: &Path, port: u16, more: &str) -> Process {
    let config = write(
        dir,
        "agent.conf",
        &format!(
            "createUser {user} SHA-256 \"{auth}\" AES \"{privacy}\"\n\
             rouser {user} priv\n\
             createUser {signer} SHA \"{auth}\"\n\
             rouser {signer} auth\n\
             rocommunity {community} 127.0.0.1\n\
             sysName {name}\n{more}",
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
