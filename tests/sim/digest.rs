//! The server's half of HTTP Digest login (RFC 7616): the challenge, and the judgement of an answer.

use std::net::Ipv4Addr;

use md5::{Digest as _, Md5};

use super::device::Setup;
use super::plan::{USER, WEB_PASSWORD};

/// The hash that a device asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// What most devices still ask for.
    Md5,
    /// What newer ones ask for.
    Sha256,
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text.as_bytes())),
            Self::Sha256 => hex(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref()),
        }
    }
}

/// What became of a request's `Authorization`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Let in.
    Welcome,
    /// No answer yet, or not a Digest one.
    Unasked,
    /// The right kind of answer to an old nonce.
    Stale,
    /// The wrong user or password.
    Rejected,
}

/// One realm with one login.
#[derive(Clone, Debug)]
pub struct Realm {
    /// The realm's name, shown to people.
    pub name: String,
    /// The only user.
    pub user: String,
    /// The password.
    pub password: String,
    /// The hash to ask for.
    pub algorithm: Algorithm,
    /// Makes nonces that only this server can have made.
    pub secret: [u8; 16],
}

const NONCE_LIFE_MS: i64 = 300_000;

impl Realm {
    /// That of the device with this address. Those with an even last octet ask for MD5, the others for SHA-256.
    pub fn of(address: Ipv4Addr, setup: &Setup) -> Self {
        let odd = address.octets()[3] % 2 == 1;
        Self {
            name: format!("SIM {address}"),
            user: USER.into(),
            password: if setup.other_password { "changed-by-someone".into() } else { WEB_PASSWORD.into() },
            algorithm: if odd { Algorithm::Sha256 } else { Algorithm::Md5 },
            secret: rand::random(),
        }
    }

    /// The value of `WWW-Authenticate`, at `now_ms`.
    pub fn challenge(&self, now_ms: i64, stale: bool) -> String {
        format!(
            "Digest realm=\"{}\", qop=\"auth\", algorithm={}, nonce=\"{}\"{}",
            self.name,
            self.algorithm.name(),
            self.nonce(now_ms),
            if stale { ", stale=true" } else { "" }
        )
    }

    /// Judges the value of `Authorization` for one request.
    pub fn judge(&self, method: &str, target: &str, authorization: Option<&str>, now_ms: i64) -> Verdict {
        let Some(answer) = authorization.and_then(|value| value.strip_prefix("Digest ")) else {
            return Verdict::Unasked;
        };
        let fields = fields(answer);
        let field = |name: &str| {
            fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.as_str())
        };
        let nonce = field("nonce");
        let made_at = nonce.split('-').next().and_then(|text| text.parse::<i64>().ok()).unwrap_or(i64::MIN);
        if self.nonce(made_at) != nonce || !(0..=NONCE_LIFE_MS).contains(&now_ms.saturating_sub(made_at)) {
            return Verdict::Stale;
        }
        let hash = |text: String| self.algorithm.hash(&text);
        let who = hash(format!("{}:{}:{}", self.user, self.name, self.password));
        let what = hash(format!("{method}:{target}"));
        let expected =
            hash(format!("{who}:{nonce}:{}:{}:{}:{what}", field("nc"), field("cnonce"), field("qop")));
        let right = field("username") == self.user
            && field("uri") == target
            && field("qop") == "auth"
            && field("response") == expected;
        if right { Verdict::Welcome } else { Verdict::Rejected }
    }

    fn nonce(&self, at_ms: i64) -> String {
        let proof = Algorithm::Sha256.hash(&format!("{at_ms}:{}", hex(&self.secret)));
        format!("{at_ms}-{}", &proof[..24])
    }
}

/// `name=value, name="value"`; a comma inside quotes belongs to the value.
fn fields(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once('=') {
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_at(after.find(',').unwrap_or(after.len())),
        };
        found.push((name.trim_matches([' ', ',']).to_owned(), value.trim().to_owned()));
        rest = next;
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn realm(algorithm: Algorithm) -> Realm {
        Realm { name: "door".into(), user: "u".into(), password: "p,\"1".into(), algorithm, secret: [7; 16] }
    }

    fn answer(realm: &Realm, password: &str, nonce: &str) -> String {
        let h = |text: String| realm.algorithm.hash(&text);
        let who = h(format!("u:door:{password}"));
        let what = h("GET:/a?b=c,d".into());
        let response = h(format!("{who}:{nonce}:00000001:abc:auth:{what}"));
        format!(
            "Digest username=\"u\", realm=\"door\", nonce=\"{nonce}\", uri=\"/a?b=c,d\", qop=auth, nc=00000001, \
             cnonce=\"abc\", response=\"{response}\""
        )
    }

    #[test]
    fn the_right_password_is_let_in_and_nothing_else() {
        for algorithm in [Algorithm::Md5, Algorithm::Sha256] {
            let realm = realm(algorithm);
            let nonce = realm.nonce(1_000);
            let judge = |text: &str, now| realm.judge("GET", "/a?b=c,d", Some(text), now);
            assert_eq!(judge(&answer(&realm, &realm.password, &nonce), 2_000), Verdict::Welcome);
            assert_eq!(judge(&answer(&realm, "other", &nonce), 2_000), Verdict::Rejected);
            assert_eq!(judge(&answer(&realm, &realm.password, &nonce), 400_000), Verdict::Stale);
            assert_eq!(judge(&answer(&realm, &realm.password, "1000-made-up"), 2_000), Verdict::Stale);
            assert_eq!(judge("Basic dTpw", 2_000), Verdict::Unasked);
            assert_eq!(realm.judge("GET", "/", None, 0), Verdict::Unasked);
        }
    }

    #[test]
    fn the_example_of_the_standard_hashes_alike() {
        // RFC 7616, 3.9.1
        let who = Algorithm::Md5.hash("Mufasa:http-auth@example.org:Circle of Life");
        let what = Algorithm::Md5.hash("GET:/dir/index.html");
        let text = format!(
            "{who}:7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v:00000001:f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ:auth:{what}"
        );
        assert_eq!(Algorithm::Md5.hash(&text), "8ca523f5e9506fed4657c9700eebdbec");
    }
}
