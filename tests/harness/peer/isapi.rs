//! A device that speaks ISAPI, behind lighttpd's own Digest: each path answers with a file, by a script that also writes down
//! what was asked and when it was done. It obeys nothing: there is no path by which anything could be changed.

use std::fs;

use super::Lighttpd;
use super::process::{folder, write};
use crate::field::isapi::Bodies;

const SCRIPT: &str = r#"body=$(cat)
root="$DOCUMENT_ROOT/.."
echo "+ $REQUEST_METHOD $REQUEST_URI" >> "$root/asked"
key=$(printf '%s' "${REQUEST_URI%%\?*}" | sed 's|^/ISAPI/||' | tr / _)
month=$(printf '%s' "$body" | sed -n 's/.*<year>\([0-9]*\)<.*<monthOfYear>\([0-9]*\)<.*/.\1-\2/p')
search=$(printf '%s' "$body" | sed -n 's/.*<trackID>\([0-9]*\)<.*<startTime>\([0-9-]*\)T.*<searchResultPostion>\([0-9]*\)<.*/.\1-\2-\3/p')
month="$month$search"
if [ -n "$month" ] && [ -f "$root/said/$key$month" ]; then key="$key$month"; fi
status=200
if [ -f "$root/said/$key.status" ]; then
  status=$(cat "$root/said/$key.status")
elif [ ! -f "$root/said/$key" ]; then
  status=404
fi
printf 'Status: %s\r\nContent-Type: application/xml\r\n\r\n' "$status"
if [ -f "$root/said/$key" ]; then cat "$root/said/$key"; fi
if [ -f "$root/said/$key.drips" ]; then
  for drip in $(seq 400); do printf ' ' || break; sleep 0.05; done
fi
echo "-" >> "$root/asked"
"#;

/// The device; it knows [`Lighttpd::USER`].
#[derive(Debug)]
pub struct IsapiPeer(Lighttpd);

impl IsapiPeer {
    /// Starts one and waits until it listens. `algorithm` is MD5 or SHA-256.
    pub async fn start(algorithm: &str) -> Self {
        let dir = folder();
        for made in ["www", "said"] {
            fs::create_dir_all(dir.path().join(made)).expect("the peer's folder takes a folder");
        }
        write(dir.path(), "www/isapi.cgi", SCRIPT);
        let more =
            "url.rewrite-once = (\"^/ISAPI/\" => \"/isapi.cgi\")\ncgi.assign = (\".cgi\" => \"/bin/sh\")\n";
        Self(Lighttpd::serve(dir, algorithm, "/", more).await)
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// It answers with these from now on, and with nothing else.
    pub fn show(&self, bodies: &Bodies) {
        let said = self.0.file("said");
        fs::remove_dir_all(&said).and_then(|()| fs::create_dir(&said)).expect("the peer's folder is ours");
        for (path, body) in bodies {
            self.says(path, body.as_bytes());
        }
    }

    /// One path answers with these bytes; without `/ISAPI/`.
    pub fn says(&self, path: &str, body: &[u8]) {
        fs::write(self.file(path), body).expect("the peer's folder takes a file");
    }

    /// One path answers with this status.
    pub fn refuses(&self, path: &str, status: u16, body: &str) {
        self.says(path, body.as_bytes());
        self.says(&format!("{path}.status"), status.to_string().as_bytes());
    }

    /// One path never comes to the end of its answer.
    pub fn drips(&self, path: &str) {
        self.says(&format!("{path}.drips"), b"");
    }

    /// The model does not have this path.
    pub fn lacks(&self, path: &str) {
        fs::remove_file(self.file(path)).expect("it was there");
    }

    fn file(&self, path: &str) -> std::path::PathBuf {
        self.0.file(&format!("said/{}", path.replace('/', "_")))
    }

    /// What was asked with a login that counts, method and path, in its order.
    pub fn asked(&self) -> Vec<String> {
        let log = fs::read_to_string(self.0.file("asked")).unwrap_or_default();
        log.lines().filter_map(|line| line.strip_prefix("+ ")).map(str::to_owned).collect()
    }

    /// The most questions that were in its hands at a time.
    pub fn most_at_once(&self) -> usize {
        let log = fs::read_to_string(self.0.file("asked")).unwrap_or_default();
        let (mut now, mut most) = (0_usize, 0);
        for line in log.lines() {
            now = if line.starts_with('+') { now + 1 } else { now.saturating_sub(1) };
            most = most.max(now);
        }
        most
    }

    /// The statuses of all requests for `path` so far, those without a login included.
    pub async fn statuses(&self, path: &str) -> Vec<u16> {
        self.0.statuses(path).await
    }
}
