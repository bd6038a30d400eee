//! A recorder that speaks Dahua's CGI, behind lighttpd's own Digest: each question answers with a file, by a script that also
//! writes down what was asked. A search is an object that it makes and that has to be given back. It obeys nothing.

use std::fs;

use super::Lighttpd;
use super::process::{folder, write};
use crate::field::dahua::Answers;

const SCRIPT: &str = r#"root="$DOCUMENT_ROOT/.."
question="${REQUEST_URI#/cgi-bin/}"
echo "$REQUEST_METHOD $question" >> "$root/asked"
say() { printf 'Status: %s\r\nContent-Type: text/plain\r\n\r\n' "$1"; }
object=$(printf '%s' "$question" | sed -n 's/.*&object=\([0-9]*\).*/\1/p')
case "$question" in
  mediaFileFind.cgi?action=factory.create)
    made=$(($(cat "$root/made" 2>/dev/null || echo 0) + 1))
    echo "$made" > "$root/made"; : > "$root/object.$made"
    say 200; printf 'result=%s\r\n' "$made"; exit ;;
  mediaFileFind.cgi?action=findFile*)
    if [ ! -f "$root/object.$object" ]; then say 400; printf 'Error\r\nBad Request!\r\n'; exit; fi
    channel=$(printf '%s' "$question" | sed -n 's/.*condition.Channel=\([0-9]*\).*/\1/p')
    echo "$channel 0" > "$root/object.$object"
    say 200; printf 'OK\r\n'; exit ;;
  mediaFileFind.cgi?action=findNextFile*)
    read channel page < "$root/object.$object"
    page=$((page + 1)); echo "$channel $page" > "$root/object.$object"
    say 200
    if [ -f "$root/said/files.$channel.$page" ]; then cat "$root/said/files.$channel.$page"; else printf 'found=0\r\n'; fi
    exit ;;
  mediaFileFind.cgi?action=close*) say 200; printf 'OK\r\n'; exit ;;
  mediaFileFind.cgi?action=destroy*) rm -f "$root/object.$object"; say 200; printf 'OK\r\n'; exit ;;
esac
key=$(printf '%s' "$question" | tr '/' '_')
if [ -f "$root/said/$key" ]; then say 200; cat "$root/said/$key"; else say 400; printf 'Error\r\nBad Request!\r\n'; fi
"#;

/// The device; it knows [`Lighttpd::USER`].
#[derive(Debug)]
pub struct DahuaPeer(Lighttpd);

impl DahuaPeer {
    /// Starts one and waits until it listens. `algorithm` is MD5 or SHA-256.
    pub async fn start(algorithm: &str) -> Self {
        let dir = folder();
        for made in ["www", "said"] {
            fs::create_dir_all(dir.path().join(made)).expect("the peer's folder takes a folder");
        }
        write(dir.path(), "www/dahua.cgi", SCRIPT);
        let more =
            "url.rewrite-once = (\"^/cgi-bin/\" => \"/dahua.cgi\")\ncgi.assign = (\".cgi\" => \"/bin/sh\")\n";
        Self(Lighttpd::serve(dir, algorithm, "/", more).await)
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// It answers with these from now on, and with nothing else.
    pub fn show(&self, answers: &Answers) {
        let said = self.0.file("said");
        fs::remove_dir_all(&said).and_then(|()| fs::create_dir(&said)).expect("the peer's folder is ours");
        for (question, text) in answers {
            self.says(question, text.as_bytes());
        }
    }

    /// One question is answered with these bytes.
    pub fn says(&self, question: &str, text: &[u8]) {
        let file = self.0.file(&format!("said/{}", question.replace('/', "_")));
        fs::write(file, text).expect("the peer's folder takes a file");
    }

    /// What was asked with a login that counts, method and question, in its order.
    pub fn asked(&self) -> Vec<String> {
        let log = fs::read_to_string(self.0.file("asked")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// Searches that were not given back.
    pub fn searches(&self) -> usize {
        let all = fs::read_dir(self.0.file("said/..")).expect("the peer's folder").flatten();
        all.filter(|entry| entry.file_name().to_string_lossy().starts_with("object.")).count()
    }

    /// The statuses of all requests for `path` so far, those without a login included.
    pub async fn statuses(&self, path: &str) -> Vec<u16> {
        self.0.statuses(path).await
    }
}
