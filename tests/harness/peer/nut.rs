//! `upsd` of the Network UPS Tools with its dummy driver: a power supply that is as a file says.

use std::net::TcpStream;
use std::path::Path;

use tempfile::TempDir;

use super::process::{Process, folder, free_tcp_port, write};

/// A running upsd with one power supply, `rack`.
#[derive(Debug)]
pub struct Nut {
    /// The TCP port on 127.0.0.1.
    pub port: u16,
    driver: Process,
    _server: Process,
    dir: TempDir,
}

impl Nut {
    /// What it says when it is well.
    pub const WELL: &str = "ups.mfr: Dummy\nups.model: Rack 1\nups.status: OL CHRG\nbattery.charge: 90\nbattery.runtime: 1800\n\
                            ups.load: 20\ninput.voltage: 229.5\n";

    /// Starts both and waits until the server listens.
    pub async fn start() -> Self {
        let dir = folder();
        let port = free_tcp_port();
        let file = write(dir.path(), "rack.dev", Self::WELL);
        let rack = format!(
            "pollinterval = 1\n[rack]\ndriver = dummy-ups\nport = {}\nmode = dummy-once\ndesc = \"Rack \\\"1\\\"\"\n",
            file.display()
        );
        write(dir.path(), "ups.conf", &rack);
        write(dir.path(), "upsd.conf", &format!("LISTEN 127.0.0.1 {port}\nMAXAGE 15\n"));
        write(dir.path(), "upsd.users", "");
        let places =
            ["NUT_CONFPATH", "NUT_STATEPATH", "NUT_ALTPIDPATH"].map(|name| (name, dir.path().as_os_str()));
        let start = |name: &'static str, args: &[&str]| {
            let user = std::env::var("USER").unwrap_or_else(|_| "root".to_owned());
            let args = args.iter().map(|arg| (*arg).to_owned()).chain(["-u".to_owned(), user]);
            Process::start(name, &Path::new("/lib/nut").join(name), args, &places, dir.path())
        };
        let mut driver = start("dummy-ups", &["-D", "-a", "rack"]);
        let socket = dir.path().join("dummy-ups-rack");
        driver.ready(|_| socket.exists()).await;
        let mut server = start("upsd", &["-D"]);
        server.ready(|_| TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        Self { port, driver, _server: server, dir }
    }

    /// It is like this from now on; the driver looks once a second.
    pub fn says(&self, text: &str) {
        let (whole, part) = (self.dir.path().join("rack.dev"), self.dir.path().join("part"));
        std::fs::write(&part, text)
            .and_then(|()| std::fs::rename(&part, whole))
            .expect("the peer's folder takes a file");
    }

    /// The cable to the power supply is pulled.
    pub fn loses_its_driver(&mut self) {
        self.driver.kill();
    }
}
