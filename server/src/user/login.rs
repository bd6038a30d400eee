//! Signing in: the limits, the session secret, and the way back from a cookie to a person.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::password::Hashing;
use super::store::{self, Account};
use super::throttle::Throttle;
use super::{
    AccountId, LOGIN_MAX, Role, SESSION_ABSOLUTE_MS, SESSION_TOUCH_MS, Scope, Viewer, session_stands,
};
use crate::db::Db;

const WINDOW_MS: i64 = 15 * 60_000;
const FAILURES_PER_LOGIN: usize = 8;
const FAILURES_PER_ADDRESS: usize = 30;
const KEYS_MAX: usize = 20_000;

/// What signing in remembers between requests: recent failures, and hashes under way.
#[derive(Debug)]
pub struct Logins {
    /// The bounded door to the password hasher.
    pub hashing: Hashing,
    by_login: Mutex<Throttle>,
    by_address: Mutex<Throttle>,
}

impl Default for Logins {
    fn default() -> Self {
        Self {
            hashing: Hashing::default(),
            by_login: Mutex::new(Throttle::new(FAILURES_PER_LOGIN, WINDOW_MS, KEYS_MAX)),
            by_address: Mutex::new(Throttle::new(FAILURES_PER_ADDRESS, WINDOW_MS, KEYS_MAX)),
        }
    }
}

impl Logins {
    /// Whether `password` is the one of `account`, asked again of somebody who is signed in; or the
    /// seconds until it may be asked.
    pub async fn confirm(
        &self,
        account: &Account,
        password: String,
        now: Timestamp,
    ) -> Result<Result<bool, u64>> {
        if let Err(seconds) = lock(&self.by_login).check(&account.login, now) {
            return Ok(Err(seconds));
        }
        lock(&self.by_login).failed(&account.login, now);
        let right = self.hashing.verify(password, Some(account.password_hash.clone())).await?;
        if right {
            lock(&self.by_login).succeeded(&account.login);
        }
        Ok(Ok(right))
    }
}

/// The session behind a request.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Hash of the secret in the cookie; names the session's row.
    pub token_hash: String,
    /// What the caller must repeat in a header when it writes.
    pub csrf: String,
    /// True when the password must be changed before anything else.
    pub must_change: bool,
}

/// A fresh session.
#[derive(Debug)]
pub struct Opened {
    /// The secret for the cookie.
    pub secret: String,
    /// What the caller must repeat in a header when it writes.
    pub csrf: String,
    /// Whose.
    pub account: Account,
}

/// What became of an attempt to sign in.
#[derive(Debug)]
pub enum Attempt {
    /// A session was opened.
    Opened(Box<Opened>),
    /// No account has that login and password, or it is disabled: one answer for all of these.
    Wrong,
    /// Too many failures; seconds until the next attempt is looked at.
    TooMany(u64),
    /// Nobody has yet chosen an administrator's password, and this is not the server's own machine.
    NotLocal,
}

/// Who is signing in, and from where.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The login name as typed.
    pub login: String,
    /// The password as typed.
    pub password: String,
    /// The address of the person's machine.
    pub address: IpAddr,
    /// True when that is this machine.
    pub local: bool,
    /// The name of the program, for the list of sessions.
    pub client: String,
}

/// Tries to sign in.
pub async fn sign_in(db: &Db, logins: &Logins, asking: Asking, now: Timestamp) -> Result<Attempt> {
    // One character more than a login may have: what is longer is nobody's, and is not remembered whole.
    let login: String = asking.login.trim().to_lowercase().chars().take(LOGIN_MAX + 1).collect();
    let address = block_of(asking.address);
    let wait = lock(&logins.by_login).check(&login, now).and(lock(&logins.by_address).check(&address, now));
    if let Err(seconds) = wait {
        return Ok(Attempt::TooMany(seconds));
    }
    // Counted before the hash is computed, so that attempts made at once cannot all slip through.
    lock(&logins.by_login).failed(&login, now);
    lock(&logins.by_address).failed(&address, now);

    let account = store::find_by_login(&mut *db.read().await?, &login).await?;
    let hash = account.as_ref().map(|account| account.password_hash.clone());
    let too_long = asking.password.chars().count() > super::PASSWORD_MAX;
    let right = logins.hashing.verify(asking.password, hash).await?;
    let account = match account {
        Some(account) if right && !too_long && account.disabled == 0 => account,
        Some(_) | None => return Ok(Attempt::Wrong),
    };
    lock(&logins.by_login).succeeded(&login);
    lock(&logins.by_address).succeeded(&address);

    let mut tx = db.write().await?;
    if !asking.local && !store::administrator_is_settled(&mut tx).await? {
        return Ok(Attempt::NotLocal);
    }
    let opened = Opened { secret: random_text(), csrf: random_text(), account };
    store::delete_ended_sessions(&mut tx, now).await?;
    store::insert_session(
        &mut tx,
        &store::NewSession {
            token_hash: hash_of(&opened.secret),
            account: opened.account.id.clone(),
            csrf: opened.csrf.clone(),
            now,
            expires_at: now.as_millisecond() + SESSION_ABSOLUTE_MS,
            client: asking.client.chars().take(200).collect(),
        },
    )
    .await?;
    tx.commit().await?;
    Ok(Attempt::Opened(Box::new(opened)))
}

/// The person behind a session's secret, if the session stands.
pub async fn resume(db: &Db, secret: &str, now: Timestamp) -> Result<Option<(Viewer, Signed)>> {
    if secret.is_empty() {
        return Ok(None);
    }
    resume_by_hash(db, &hash_of(secret), now).await
}

async fn resume_by_hash(db: &Db, token_hash: &str, now: Timestamp) -> Result<Option<(Viewer, Signed)>> {
    let found = store::find_session(&mut *db.read().await?, token_hash).await?;
    let Some(session) = found else { return Ok(None) };
    let Some(role) = Role::parse(&session.role) else { return Ok(None) };
    if session.disabled != 0 || !session_stands(session.seen_at, session.expires_at, now) {
        return Ok(None);
    }
    let Some(scope) = Scope::of(role, session.customer_id.as_deref()) else { return Ok(None) };
    if now.as_millisecond() - session.seen_at >= SESSION_TOUCH_MS {
        let mut tx = db.write().await?;
        store::touch_session(&mut tx, token_hash, now).await?;
        tx.commit().await?;
    }
    let viewer = Viewer {
        account: AccountId::from(session.account_id),
        name: session.name,
        role,
        scope,
        language: super::Language::parse(&session.language),
    };
    let signed = Signed {
        token_hash: token_hash.to_owned(),
        csrf: session.csrf,
        must_change: session.must_change != 0,
    };
    Ok(Some((viewer, signed)))
}

/// Whether the session behind an open stream still stands for the same person; an open page is use.
pub async fn keep(db: &Db, token_hash: &str, viewer: &Viewer, now: Timestamp) -> Result<bool> {
    let found = resume_by_hash(db, token_hash, now).await?;
    Ok(found.is_some_and(|(known, _)| known.role == viewer.role && known.scope == viewer.scope))
}

/// SHA-256 of a secret, in hex: what the database keeps.
pub fn hash_of(secret: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, secret.as_bytes());
    digest.as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// 32 random bytes as text.
pub fn random_text() -> String {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// One household of addresses: a machine may own a whole IPv6 /64.
fn block_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

fn lock(throttle: &Mutex<Throttle>) -> std::sync::MutexGuard<'_, Throttle> {
    // A panic while counting leaves numbers behind, not a broken structure.
    throttle.lock().unwrap_or_else(PoisonError::into_inner)
}
