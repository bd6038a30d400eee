//! Hashes passwords with Argon2id, a few at a time.
//!
//! One hash takes 19 MiB and some tens of milliseconds (the first recommendation of the OWASP
//! Password Storage Cheat Sheet: m = 19456 KiB, t = 2, p = 1). The number of hashes under way is
//! bounded, so that a flood of logins queues here instead of taking the machine's memory, and an
//! unknown login costs the same work as a known one.

use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result};
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

/// Hashes under way at once.
const AT_ONCE: usize = 2;

fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

/// The door to the hasher; clones share it.
#[derive(Clone, Debug)]
pub struct Hashing {
    at_once: Arc<Semaphore>,
}

impl Default for Hashing {
    fn default() -> Self {
        Self { at_once: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Hashing {
    /// The hash of `password`, as a PHC string.
    pub async fn hash(&self, password: String) -> Result<String> {
        let _one = self.at_once.acquire().await?;
        tokio::task::spawn_blocking(move || hash_now(&password)).await?
    }

    /// Whether `password` is the one behind `hash`; without a hash the same work answers no.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<bool> {
        let _one = self.at_once.acquire().await?;
        Ok(tokio::task::spawn_blocking(move || verify_now(&password, hash.as_deref())).await?)
    }
}

/// The hash of `password` on this thread; for the command line and tests.
pub fn hash_now(password: &str) -> Result<String> {
    let mut salt = [0_u8; 16];
    rand::fill(&mut salt);
    let salt = SaltString::encode_b64(&salt).map_err(|error| anyhow::anyhow!("{error}"))?;
    let hash = hasher().hash_password(password.as_bytes(), &salt).map_err(|error| anyhow::anyhow!("{error}"));
    Ok(hash.context("cannot hash a password")?.to_string())
}

fn verify_now(password: &str, hash: Option<&str>) -> bool {
    static NOBODY: LazyLock<String> =
        LazyLock::new(|| hash_now("nobody has this password").unwrap_or_default());
    let known = hash.is_some();
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(NOBODY.as_str())) else { return false };
    hasher().verify_password(password.as_bytes(), &parsed).is_ok() && known
}

/// A password that nobody knows yet, to be shown once: five groups of letters and digits without
/// look-alikes, 114 bits.
pub fn invent() -> String {
    const LETTERS: &[u8; 31] = b"abcdefghjkmnpqrstuvwxyz23456789";
    let mut groups = Vec::new();
    for _ in 0..5 {
        let group: String =
            (0..5).map(|_| char::from(LETTERS[rand::random_range(0..LETTERS.len())])).collect();
        groups.push(group);
    }
    groups.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_opens() {
        let hashing = Hashing::default();
        let hash = hashing.hash("copper otter lantern".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(hashing.verify("copper otter lantern".into(), Some(hash.clone())).await.unwrap());
        assert!(!hashing.verify("copper otter lanterns".into(), Some(hash)).await.unwrap());
        assert!(!hashing.verify("nobody has this password".into(), None).await.unwrap());
        assert!(!hashing.verify("x".into(), Some("not a hash".into())).await.unwrap());
    }

    #[test]
    fn an_invented_password_is_accepted() {
        let password = invent();
        assert_eq!(crate::user::password_fault(&password, "admin"), None, "{password}");
        assert_ne!(password, invent());
    }
}
