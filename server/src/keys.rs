//! The server's secrets, each in its own file of the data folder, readable by its user alone.
//!
//! `master.json` is a ring of keys that seal device credentials: the newest seals, all of them open, so
//! that rotation never needs a pause. `command.key` signs commands to gateways, `link.key` signs links in
//! pages, and the certificate authority of the wire lives beside them. They are made on first start and
//! never again: a missing file next to existing ones is an error, because a new key would orphan rows.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair};
use ring::{hkdf, hmac};
use serde::{Deserialize, Serialize};

use crate::tls::Ca;

/// The folder inside the data folder.
const FOLDER: &str = "keys";
const MASTER: &str = "master.json";
const COMMAND: &str = "command.key";
const LINK: &str = "link.key";
const CA_CERT: &str = "ca.pem";
const CA_KEY: &str = "ca.key";
/// Every file of the folder, in the order a backup holds them.
pub const FILES: [&str; 5] = [MASTER, COMMAND, LINK, CA_CERT, CA_KEY];
/// First byte of a sealed value; the key's number (u32, big endian) and the nonce follow.
const SEAL_VERSION: u8 = 1;
const SEAL_HEADER: usize = 1 + 4;

/// The server's secrets. Cloning shares them.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    ring: RwLock<Ring>,
    command: Ed25519KeyPair,
    link: hmac::Key,
    ca: Ca,
}

/// Master keys by number. Numbers only grow.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ring {
    current: u32,
    keys: BTreeMap<u32, String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("folder", &self.0.folder).finish_non_exhaustive()
    }
}

/// Why a sealed value did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not a sealed value, or cut short.
    #[error("the sealed value is not whole; restore the row from a backup")]
    Malformed,
    /// Sealed with a master key that this data folder does not hold.
    #[error("the value was sealed with master key {0}, which is not in keys/master.json; restore that file")]
    UnknownKey(u32),
    /// The value or the key was altered.
    #[error("the sealed value was altered or belongs to another server; restore the row from a backup")]
    Forged,
}

impl Keys {
    /// Reads the keys in `data_dir`, making all of them when none is there.
    pub fn open_or_create(data_dir: &Path, now: Timestamp) -> Result<Self> {
        let folder = data_dir.join(FOLDER);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).with_context(|| {
            format!("cannot make {}; check that the data folder is writable", folder.display())
        })?;
        if FILES.iter().all(|file| !folder.join(file).exists()) {
            create_all(&folder, now)?;
        }
        Self::open_existing(&folder)
    }

    fn open_existing(folder: &Path) -> Result<Self> {
        for file in FILES {
            let path = folder.join(file);
            let mode = fs::metadata(&path)
                .with_context(|| {
                    format!(
                        "{} is missing while other keys are there; restore it from a backup",
                        path.display()
                    )
                })?
                .permissions()
                .mode();
            if mode & 0o077 != 0 {
                bail!("{} is readable by others; run `chmod 600 {}`", path.display(), path.display());
            }
        }
        let read = |file| fs::read(folder.join(file)).with_context(|| format!("cannot read keys/{file}"));
        let command = Ed25519KeyPair::from_pkcs8(&read(COMMAND)?)
            .map_err(|_| anyhow::anyhow!("keys/{COMMAND} is not an Ed25519 key; restore it from a backup"))?;
        let text = |file| -> Result<String> {
            String::from_utf8(read(file)?).with_context(|| format!("keys/{file} is not text"))
        };
        Ok(Self(Arc::new(Inner {
            ring: RwLock::new(read_ring(folder)?),
            command,
            link: hmac::Key::new(hmac::HMAC_SHA256, &read(LINK)?),
            ca: Ca::from_pem(&text(CA_CERT)?, &text(CA_KEY)?)?,
            folder: folder.to_owned(),
        })))
    }

    /// The folder that holds the files.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// The wire's certificate authority.
    pub fn ca(&self) -> &Ca {
        &self.0.ca
    }

    /// Encrypts and authenticates `plain` with the newest master key.
    pub fn seal(&self, plain: &[u8]) -> Vec<u8> {
        // Read again each time: `keys rotate` runs in another process, and sealing is rare.
        if let Ok(fresh) = read_ring(&self.0.folder) {
            *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
        let ring = self.0.ring.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut sealed = vec![SEAL_VERSION];
        sealed.extend_from_slice(&ring.current.to_be_bytes());
        let nonce = random::<NONCE_LEN>();
        let mut body = plain.to_vec();
        // A ring that was read holds its current key (`read_ring`), and sealing fails only beyond 64 GiB.
        let key = ring.key(ring.current).expect("the ring holds its current key");
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(&sealed), &mut body)
            .expect("a device's checks are far below the cipher's limit");
        sealed.extend_from_slice(&nonce);
        sealed.append(&mut body);
        sealed
    }

    /// Opens what [`Keys::seal`] made, with whichever master key made it.
    pub fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        let (header, rest) = sealed.split_at_checked(SEAL_HEADER).ok_or(OpenError::Malformed)?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or(OpenError::Malformed)?;
        let [SEAL_VERSION, number @ ..] = header else { return Err(OpenError::Malformed) };
        let number = u32::from_be_bytes(number.try_into().map_err(|_| OpenError::Malformed)?);
        let key = self.master(number).ok_or(OpenError::UnknownKey(number))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Malformed)?;
        let mut body = body.to_vec();
        let length =
            key.open_in_place(nonce, Aad::from(header), &mut body).map_err(|_| OpenError::Forged)?.len();
        body.truncate(length);
        Ok(body)
    }

    /// The number of the master key that seals now.
    pub fn current_master(&self) -> u32 {
        self.0.ring.read().unwrap_or_else(PoisonError::into_inner).current
    }

    /// The number of the master key that sealed `sealed`.
    pub fn sealed_with(sealed: &[u8]) -> Option<u32> {
        match sealed {
            [SEAL_VERSION, a, b, c, d, ..] => Some(u32::from_be_bytes([*a, *b, *c, *d])),
            _ => None,
        }
    }

    /// HMAC-SHA256 over `message`, for links that act without a login.
    pub fn sign_link(&self, message: &[u8]) -> [u8; 32] {
        let mut tag = [0; 32];
        tag.copy_from_slice(hmac::sign(&self.0.link, message).as_ref());
        tag
    }

    /// True when `tag` is [`Keys::sign_link`] of `message`; takes the same time either way.
    pub fn verify_link(&self, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.0.link, message, tag).is_ok()
    }

    /// The key of the codes that a gateway shows. A gateway that is enrolled anew gets another one, so whoever has its
    /// old box cannot show its codes any more.
    pub fn arrival_key(&self, gateway: &str, enrolled_at: Option<i64>) -> [u8; 32] {
        let enrolled_at = enrolled_at.unwrap_or_default();
        self.sign_link(format!("arrival key 1/{gateway}/{enrolled_at}").as_bytes())
    }

    /// Ed25519 signature (RFC 8032) over `message`, 64 bytes.
    pub fn sign_command(&self, message: &[u8]) -> Vec<u8> {
        self.0.command.sign(message).as_ref().to_vec()
    }

    /// The public half of the command key, 32 bytes; gateways get it at enrolment.
    pub fn command_public_key(&self) -> &[u8] {
        self.0.command.public_key().as_ref()
    }

    /// Adds a new master key and makes it current. The one before stays, because a running server may still
    /// seal with it; older ones are returned, to be dropped with [`Keys::retire`] once no row needs them.
    pub fn rotate(&self) -> Result<Vec<u32>> {
        let mut ring = read_ring(&self.0.folder)?;
        let before = ring.current;
        ring.current += 1;
        ring.keys.insert(ring.current, STANDARD.encode(random::<32>()));
        write_ring(&self.0.folder, &ring)?;
        let old = ring.keys.keys().copied().filter(|number| *number < before).collect();
        *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        Ok(old)
    }

    /// Removes master keys that seal nothing any more.
    pub fn retire(&self, numbers: &[u32]) -> Result<()> {
        let mut ring = read_ring(&self.0.folder)?;
        ring.keys.retain(|number, _| *number == ring.current || !numbers.contains(number));
        write_ring(&self.0.folder, &ring)?;
        *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        Ok(())
    }

    /// The key of that number; `keys rotate` runs in another process, so an unknown one is looked up again.
    fn master(&self, number: u32) -> Option<LessSafeKey> {
        let known = self.0.ring.read().unwrap_or_else(PoisonError::into_inner).key(number);
        known.or_else(|| {
            let fresh = read_ring(&self.0.folder).ok()?;
            let key = fresh.key(number)?;
            *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = fresh;
            Some(key)
        })
    }
}

impl Ring {
    fn key(&self, number: u32) -> Option<LessSafeKey> {
        let secret = STANDARD.decode(self.keys.get(&number)?).ok()?;
        // The file's secret is stretched into the cipher's key, so that a later use gets its own.
        let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, b"sitewarden master").extract(&secret);
        let purpose = [b"seal".as_slice()];
        let okm = derived.expand(&purpose, &CHACHA20_POLY1305).ok()?;
        Some(LessSafeKey::new(UnboundKey::from(okm)))
    }
}

/// `N` bytes from the system's generator.
///
/// Panics when the system has none to give: nothing safe could be done without.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system's random generator answers");
    bytes
}

/// Writes `bytes` to `path` for this user alone, whole or not at all.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let fresh = path.with_extension("new");
    let attempt = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    attempt().with_context(|| format!("cannot write {}; check space and permissions", path.display()))
}

/// Makes an empty file for this user alone, where none is: a database takes on the rights of the file it finds.
pub fn reserve_private(path: &Path) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot make {}", path.display())),
    }
}

/// Puts key files from a backup into `data_dir`; refuses when keys are there.
pub fn restore(data_dir: &Path, files: &[(String, Vec<u8>)]) -> Result<()> {
    let folder = data_dir.join(FOLDER);
    if FILES.iter().any(|file| folder.join(file).exists()) {
        bail!("{} already holds keys; restore into an empty data folder", folder.display());
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    for (name, bytes) in files {
        if !FILES.contains(&name.as_str()) {
            bail!("the backup names the key file `{name}`, which this release does not know");
        }
        write_private(&folder.join(name), bytes)?;
    }
    Keys::open_existing(&folder).map(|_| ())
}

fn create_all(folder: &Path, now: Timestamp) -> Result<()> {
    let ca = Ca::create(now)?;
    let command = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
        .map_err(|_| anyhow::anyhow!("cannot make the command key: the system gives no random numbers"))?;
    write_private(&folder.join(COMMAND), command.as_ref())?;
    write_private(&folder.join(LINK), &random::<32>())?;
    write_private(&folder.join(CA_CERT), ca.pem().as_bytes())?;
    write_private(&folder.join(CA_KEY), ca.key_pem().as_bytes())?;
    let keys = BTreeMap::from([(1, STANDARD.encode(random::<32>()))]);
    write_ring(folder, &Ring { current: 1, keys })
}

fn read_ring(folder: &Path) -> Result<Ring> {
    let text =
        fs::read_to_string(folder.join(MASTER)).with_context(|| format!("cannot read keys/{MASTER}"))?;
    let ring: Ring = serde_json::from_str(&text).map_err(|error| {
        anyhow::anyhow!("keys/{MASTER}, line {}: not a key ring; restore it", error.line())
    })?;
    if ring.key(ring.current).is_none() {
        bail!("keys/{MASTER} lacks its current key {}; restore it from a backup", ring.current);
    }
    Ok(ring)
}

fn write_ring(folder: &Path, ring: &Ring) -> Result<()> {
    write_private(&folder.join(MASTER), &serde_json::to_vec_pretty(ring)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(folder: &Path) -> Keys {
        Keys::open_or_create(folder, Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_after_a_restart_and_only_whole() {
        let folder = tempfile::tempdir().unwrap();
        let sealed = keys(folder.path()).seal(b"community public");
        assert!(!sealed.windows(6).any(|w| w == b"public"));
        let again = keys(folder.path());
        assert_eq!(again.open(&sealed).unwrap(), b"community public");
        let mut altered = sealed.clone();
        *altered.last_mut().unwrap() ^= 1;
        assert_eq!(again.open(&altered), Err(OpenError::Forged));
        assert_eq!(again.open(&sealed[..9]), Err(OpenError::Malformed));
        assert_eq!(again.open(b""), Err(OpenError::Malformed));
    }

    #[test]
    fn another_process_may_rotate() {
        let folder = tempfile::tempdir().unwrap();
        let (running, tool) = (keys(folder.path()), keys(folder.path()));
        let first = running.seal(b"a");
        assert!(tool.rotate().unwrap().is_empty());
        let second = running.seal(b"b");
        assert_eq!(Keys::sealed_with(&second), Some(2));
        assert_eq!(tool.open(&second).unwrap(), b"b");
        let old = tool.rotate().unwrap();
        assert_eq!(old, [1]);
        tool.retire(&old).unwrap();
        assert_eq!(tool.open(&first), Err(OpenError::UnknownKey(1)));
        assert_eq!(tool.open(&second).unwrap(), b"b");
    }

    #[test]
    fn files_are_private_and_none_may_be_missing() {
        let folder = tempfile::tempdir().unwrap();
        keys(folder.path());
        for file in FILES {
            let mode = fs::metadata(folder.path().join(FOLDER).join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        fs::remove_file(folder.path().join(FOLDER).join(LINK)).unwrap();
        let error = Keys::open_or_create(folder.path(), Timestamp::UNIX_EPOCH).unwrap_err().to_string();
        assert!(error.contains("restore it from a backup"), "{error}");
    }

    #[test]
    fn a_link_tag_fits_its_message_only() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keys(folder.path());
        let tag = keys.sign_link(b"ticket 7");
        assert!(keys.verify_link(b"ticket 7", &tag));
        assert!(!keys.verify_link(b"ticket 8", &tag));
    }
}
