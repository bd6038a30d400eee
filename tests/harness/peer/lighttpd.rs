//! `lighttpd`: a web server with an independent implementation of Digest (RFC 7616).

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::process::{Process, folder, free_tcp_port, write};
use crate::until;

/// A running lighttpd: `/` is open, `/private/` wants [`Lighttpd::USER`] by Digest.
#[derive(Debug)]
pub struct Lighttpd {
    /// The TCP port on 127.0.0.1.
    pub port: u16,
    _process: Process,
    dir: TempDir,
}

impl Lighttpd {
    /// Who may enter.
    pub const USER: &str = "monitor";
    /// With which password.
    pub const PASSWORD: &str = "right-password";
    /// What stands on the private page.
    pub const TEXT: &str = "<DeviceInfo><model>DS-2CD</model></DeviceInfo>";

    /// Starts one and waits until it listens. `algorithm` is MD5 or SHA-256.
    pub async fn start(algorithm: &str) -> Self {
        let dir = folder();
        fs::create_dir_all(dir.path().join("www/private")).expect("the peer's folder takes a folder");
        write(dir.path(), "www/index.html", "open to everybody");
        write(dir.path(), "www/private/index.html", Self::TEXT);
        Self::serve(dir, algorithm, "/private/", "").await
    }

    /// Serves what lies in `www` of a folder; what begins with `closed` wants a login.
    pub(super) async fn serve(dir: TempDir, algorithm: &str, closed: &str, more: &str) -> Self {
        let port = free_tcp_port();
        // Made by: printf 'monitor:camera:right-password' | md5sum (or sha256sum).
        let hash = match algorithm {
            "MD5" => "29100cfd3382a5b5f5b07fb981adb84e",
            "SHA-256" => "ac8d9ad340eb4664080ea414bddb20e00e02efe1fc5cdc8488b609cfb59fd936",
            other => panic!("no password hash for {other}"),
        };
        write(dir.path(), "users", &format!("{}:camera:{hash}\n", Self::USER));
        let root = dir.path().display();
        let config = write(
            dir.path(),
            "lighttpd.conf",
            &format!(
                "server.document-root = \"{root}/www\"\n\
                 server.bind = \"127.0.0.1\"\n\
                 server.port = {port}\n\
                 server.modules = (\"mod_auth\", \"mod_authn_file\", \"mod_accesslog\", \"mod_rewrite\", \"mod_cgi\")\n\
                 index-file.names = (\"index.html\")\n\
                 server.stat-cache-engine = \"disable\"\n\
                 mimetype.assign = (\".html\" => \"text/html\")\n\
                 accesslog.filename = \"{root}/access.log\"\n\
                 accesslog.format = \"%s %r\"\n\
                 auth.backend = \"htdigest\"\n\
                 auth.backend.htdigest.userfile = \"{root}/users\"\n\
                 auth.require = (\"{closed}\" => (\"method\" => \"digest\", \"algorithm\" => \"{algorithm}\", \
                 \"realm\" => \"camera\", \"require\" => \"valid-user\"))\n{more}"
            ),
        );
        let args = ["-D".to_owned(), "-f".to_owned(), config.display().to_string()];
        let mut process = Process::start("lighttpd", Path::new("/usr/sbin/lighttpd"), args, &[], dir.path());
        process.ready(|_| TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        Self { port, _process: process, dir }
    }

    /// Serves these bytes from now on.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let (whole, part) = (self.file(&format!("www/{path}")), self.file("part"));
        fs::write(&part, bytes)
            .and_then(|()| fs::rename(&part, whole))
            .expect("the peer's folder takes a file");
    }

    /// A file of its folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The statuses of all requests for `path` so far. The server writes its log every few seconds; a last
    /// request of our own shows when it has.
    pub async fn statuses(&self, path: &str) -> Vec<u16> {
        use std::io::{Read as _, Write as _};
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("lighttpd listens");
        let mark = format!("/end-of-log-{}", rand::random::<u32>());
        let request = format!("GET {mark} HTTP/1.0\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("lighttpd reads");
        let _ = stream.read_to_end(&mut Vec::new());
        let log = self.dir.path().join("access.log");
        let read = || fs::read_to_string(&log).unwrap_or_default();
        until("lighttpd writes its log", Duration::from_secs(30), async || read().contains(&mark)).await;
        read()
            .lines()
            .filter(|line| line.split_whitespace().nth(2) == Some(path))
            .filter_map(|line| line.split_whitespace().next()?.parse().ok())
            .collect()
    }
}
