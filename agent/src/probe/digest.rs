//! Digest login (RFC 7616, RFC 2617, RFC 2069) for HTTP and RTSP alike: which challenge is answered, and how.
//! A challenge that is not ASCII is none: the parser beneath would panic on half a letter.

use digest_auth::{Algorithm, AlgorithmType, AuthContext, HttpMethod, WwwAuthenticateHeader};

/// A challenge that can be answered.
#[derive(Debug)]
pub struct Challenge {
    header: WwwAuthenticateHeader,
    names_algorithm: bool,
}

impl Challenge {
    /// The strongest Digest challenge among those offered, in one `WWW-Authenticate` line or in several.
    pub fn strongest<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Self> {
        lines
            .filter(|line| line.is_ascii())
            .filter_map(|line| {
                let lower = line.to_ascii_lowercase();
                // Some devices put `Basic realm="…", Digest realm="…"` on one line.
                let at = lower.match_indices("digest ").map(|(at, _)| at).find(|at| {
                    let before = lower[..*at].trim_end();
                    before.is_empty() || before.ends_with(',')
                })?;
                let parameters = line.get(at + "digest ".len()..)?;
                let header = WwwAuthenticateHeader::parse(parameters).ok()?;
                Some(Self { header, names_algorithm: lower[at..].contains("algorithm") })
            })
            .max_by_key(|challenge| strength(challenge.header.algorithm))
    }

    /// The device says that only the nonce was too old.
    pub fn is_stale(&self) -> bool {
        self.header.stale
    }

    /// The number that makes it one of a kind.
    pub fn nonce(&self) -> &str {
        &self.header.nonce
    }

    /// The value of `Authorization` for one request; None when the challenge cannot be answered.
    pub fn answer(&mut self, user: &str, password: &str, method: &str, uri: &str) -> Option<String> {
        let method = HttpMethod::from(method);
        let secrets = AuthContext::new_with_method(user, password, uri, Option::<&[u8]>::None, method);
        let text = self.header.respond(&secrets).ok()?.to_header_string();
        // Devices exist that refuse a parameter which their challenge did not name.
        Some(if self.names_algorithm { text } else { text.replace(", algorithm=MD5", "") })
    }
}

fn strength(algorithm: Algorithm) -> u8 {
    match algorithm.algo {
        AlgorithmType::MD5 => 0,
        AlgorithmType::SHA2_256 => 1,
        AlgorithmType::SHA2_512_256 => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_challenge_is_answered() {
        let offered = [
            r#"Basic realm="camera""#,
            r#"Digest realm="camera", nonce="a", qop="auth", algorithm=MD5"#,
            r#"digest realm="camera", nonce="b", qop="auth", algorithm=SHA-256"#,
        ];
        assert_eq!(Challenge::strongest(offered.into_iter()).unwrap().nonce(), "b");
        let on_one_line = [r#"Basic realm="c", Digest realm="c", nonce="n""#];
        assert_eq!(Challenge::strongest(on_one_line.into_iter()).unwrap().nonce(), "n");
    }

    #[test]
    fn no_digest_offered_is_no_challenge() {
        assert!(Challenge::strongest([r#"Basic realm="digest camera""#].into_iter()).is_none());
        assert!(Challenge::strongest(std::iter::empty()).is_none());
    }

    #[test]
    fn half_a_letter_is_no_challenge() {
        let broken = "Digest realm=\"camera\u{fffd} nonce=\"n\"";
        assert!(Challenge::strongest([broken].into_iter()).is_none());
    }

    #[test]
    fn an_algorithm_is_named_only_to_who_named_it() {
        let answer = |line: &str| {
            let mut challenge = Challenge::strongest([line].into_iter()).unwrap();
            challenge.answer("viewer", "secret", "DESCRIBE", "rtsp://c/1").unwrap()
        };
        assert!(!answer(r#"Digest realm="c", nonce="n", qop="auth""#).contains("algorithm"));
        assert!(
            answer(r#"Digest realm="c", nonce="n", qop="auth", algorithm=MD5"#).contains("algorithm=MD5")
        );
    }
}
