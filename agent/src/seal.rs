//! Device credentials do not lie readable on the gateway's disk: the stored configuration is sealed with a
//! key of this gateway (ChaCha20-Poly1305, RFC 8439), which is in a file that only the agent's user reads.
//! A copied queue alone, or a disk image without the key, tells nothing.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow, ensure};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

/// Name of the key's file in the data folder.
const FILE: &str = "seal.key";

/// Seals and opens. Clones share the key.
#[derive(Clone)]
pub struct Seal(Arc<LessSafeKey>);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// Reads the key from the data folder, or makes it there.
    pub fn load_or_create(data_dir: &Path) -> anyhow::Result<Self> {
        let path = data_dir.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let mut bytes = vec![0; CHACHA20_POLY1305.key_len()];
                SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow!("the system has no randomness"))?;
                crate::files::write_private(&path, &bytes)?;
                bytes
            }
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        Self::new(&bytes).with_context(|| {
            format!("{} is damaged; delete it, and the server sends the configuration again", path.display())
        })
    }

    /// From 32 bytes.
    pub fn new(key: &[u8]) -> anyhow::Result<Self> {
        let key =
            UnboundKey::new(&CHACHA20_POLY1305, key).map_err(|_| anyhow!("the key has a wrong length"))?;
        Ok(Self(Arc::new(LessSafeKey::new(key))))
    }

    /// Nonce and sealed text.
    pub fn seal(&self, text: &str) -> anyhow::Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| anyhow!("the system has no randomness"))?;
        let mut sealed = text.as_bytes().to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
            .map_err(|_| anyhow!("the text cannot be sealed"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// The text, if it was sealed with this key and not changed.
    pub fn open(&self, sealed: &[u8]) -> anyhow::Result<String> {
        ensure!(sealed.len() > NONCE_LEN, "the sealed text is cut off");
        let (nonce, rest) = sealed.split_at(NONCE_LEN);
        let nonce =
            Nonce::try_assume_unique_for_key(nonce).map_err(|_| anyhow!("the sealed text is cut off"))?;
        let mut rest = rest.to_vec();
        let text = self
            .0
            .open_in_place(nonce, Aad::empty(), &mut rest)
            .map_err(|_| anyhow!("the text was sealed with another key, or changed"))?;
        Ok(std::str::from_utf8(text)?.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_with_the_same_key_and_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let seal = Seal::load_or_create(dir.path()).unwrap();
        let mut sealed = seal.seal("password = \"x\"").unwrap();
        assert!(!sealed.windows(8).any(|w| w == b"password"));
        assert_eq!(Seal::load_or_create(dir.path()).unwrap().open(&sealed).unwrap(), "password = \"x\"");
        assert!(Seal::new(&[1; 32]).unwrap().open(&sealed).is_err());
        *sealed.last_mut().unwrap() ^= 1;
        assert!(seal.open(&sealed).is_err());
        assert!(seal.open(&[]).is_err());
    }
}
