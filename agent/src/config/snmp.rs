//! The SNMP part of a check: version and security, and what to read.

use super::device::{Secret, port};
use super::reader::{Error, Table};

/// Parameters of an SNMP check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snmp {
    /// The port, UDP.
    pub port: u16,
    /// Version and credentials.
    pub security: Security,
    /// Objects to read one by one, dotted numbers.
    pub get: Vec<String>,
    /// Subtrees to walk, dotted numbers.
    pub walk: Vec<String>,
}

/// How SNMP is spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// RFC 1157.
    V1 {
        /// Community.
        community: Secret,
    },
    /// RFC 3416 with communities.
    V2c {
        /// Community.
        community: Secret,
    },
    /// RFC 3414, the user-based security model.
    V3 {
        /// User name.
        user: String,
        /// Authentication; None is noAuthNoPriv.
        auth: Option<(Auth, Secret)>,
        /// Privacy; only together with authentication.
        privacy: Option<(Privacy, Secret)>,
    },
}

/// Authentication protocols: RFC 3414 and RFC 7860.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// HMAC-MD5-96.
    Md5,
    /// HMAC-SHA-96.
    Sha1,
    /// HMAC-SHA-224.
    Sha224,
    /// HMAC-SHA-256.
    Sha256,
    /// HMAC-SHA-384.
    Sha384,
    /// HMAC-SHA-512.
    Sha512,
}

/// Privacy protocols: RFC 3414, RFC 3826 and its vendors' extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privacy {
    /// CBC-DES.
    Des,
    /// CFB128-AES-128.
    Aes128,
    /// CFB128-AES-192.
    Aes192,
    /// CFB128-AES-256.
    Aes256,
}

const AUTHS: &[(&str, Option<Auth>)] = &[
    ("none", None),
    ("md5", Some(Auth::Md5)),
    ("sha1", Some(Auth::Sha1)),
    ("sha224", Some(Auth::Sha224)),
    ("sha256", Some(Auth::Sha256)),
    ("sha384", Some(Auth::Sha384)),
    ("sha512", Some(Auth::Sha512)),
];

const PRIVACIES: &[(&str, Option<Privacy>)] = &[
    ("none", None),
    ("des", Some(Privacy::Des)),
    ("aes128", Some(Privacy::Aes128)),
    ("aes192", Some(Privacy::Aes192)),
    ("aes256", Some(Privacy::Aes256)),
];

/// sysDescr, sysObjectID, sysUpTime and sysName of RFC 3418.
const GET_DEFAULT: &[&str] =
    &["1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.1.5.0"];
/// ifDescr, ifAdminStatus and ifOperStatus of RFC 2863.
const WALK_DEFAULT: &[&str] = &["1.3.6.1.2.1.2.2.1.2", "1.3.6.1.2.1.2.2.1.7", "1.3.6.1.2.1.2.2.1.8"];

/// RFC 3414 section 11.2: a password has at least eight characters.
const PASSWORD_MIN: usize = 8;

pub(super) fn read(table: &mut Table<'_>) -> Result<Snmp, Error> {
    let port = port(table, Some(161))?;
    let security = security(table, true)?;
    let get = oids(table, "get", GET_DEFAULT)?;
    let walk = oids(table, "walk", WALK_DEFAULT)?;
    if get.is_empty() && walk.is_empty() {
        return Err(table.error_here(
            "`get` and `walk` are both empty".into(),
            "Remove one of them to read the usual objects",
        ));
    }
    Ok(Snmp { port, security, get, walk })
}

/// Port and credentials alone: what is read is known.
pub(super) fn read_login(table: &mut Table<'_>) -> Result<Snmp, Error> {
    let port = port(table, Some(161))?;
    Ok(Snmp { port, security: security(table, true)?, get: Vec::new(), walk: Vec::new() })
}

/// Version and credentials. Only for reading is there a usual community.
pub(super) fn security(table: &mut Table<'_>, reads_only: bool) -> Result<Security, Error> {
    #[derive(Clone, Copy)]
    enum Version {
        V1,
        V2c,
        V3,
    }
    let version = table.word("version", &[("2c", Version::V2c), ("1", Version::V1), ("3", Version::V3)])?;
    Ok(match version.map_or(Version::V2c, |found| found.value) {
        Version::V1 => Security::V1 { community: community(table, reads_only)? },
        Version::V2c => Security::V2c { community: community(table, reads_only)? },
        Version::V3 => v3(table)?,
    })
}

fn community(table: &mut Table<'_>, reads_only: bool) -> Result<Secret, Error> {
    let found = if reads_only {
        table.text("community", "\"public\"")?
    } else {
        Some(table.required_text("community", "\"the community that may write\"")?)
    };
    Ok(found.map_or_else(|| Secret::new("public"), |found| Secret::new(found.value)))
}

fn v3(table: &mut Table<'_>) -> Result<Security, Error> {
    let user = table.required_text("user", "\"monitor\"")?.value;
    let auth = match table.word("auth", AUTHS)?.and_then(|found| found.value) {
        Some(auth) => Some((auth, password(table, "auth_password")?)),
        None => None,
    };
    let privacy = match table.word("privacy", PRIVACIES)? {
        Some(found) => match (found.value, &auth) {
            (None, _) => None,
            (Some(privacy), Some(_)) => Some((privacy, password(table, "privacy_password")?)),
            (Some(_), None) => {
                return Err(table.error(
                    found.at,
                    "`privacy` without `auth` does not exist in SNMPv3".into(),
                    "Add `auth` and `auth_password`, or remove `privacy`",
                ));
            }
        },
        None => None,
    };
    Ok(Security::V3 { user, auth, privacy })
}

fn password(table: &mut Table<'_>, key: &'static str) -> Result<Secret, Error> {
    let found = table.required_text(key, "\"at least eight characters\"")?;
    if found.value.len() < PASSWORD_MIN {
        return Err(table.error(
            found.at,
            format!("`{key}` has fewer than {PASSWORD_MIN} characters"),
            "SNMPv3 passwords are longer (RFC 3414); use the one set on the device",
        ));
    }
    Ok(Secret::new(found.value))
}

fn oids(table: &mut Table<'_>, key: &'static str, default: &[&str]) -> Result<Vec<String>, Error> {
    const EXAMPLE: &str = "[\"1.3.6.1.2.1.1.3.0\"]";
    const MAX: usize = 64;
    let Some(list) = table.texts(key, EXAMPLE)? else {
        return Ok(default.iter().map(|oid| (*oid).to_owned()).collect());
    };
    if list.len() > MAX {
        return Err(
            table.error_here(format!("`{key}` lists {} objects", list.len()), format!("List at most {MAX}"))
        );
    }
    list.into_iter()
        .map(|found| {
            let oid = found.value.trim_start_matches('.').to_owned();
            let arcs: Vec<Option<u32>> = oid.split('.').map(|arc| arc.parse().ok()).collect();
            if (2..=128).contains(&arcs.len())
                && arcs.iter().all(Option::is_some)
                && matches!(arcs[0], Some(0..=2))
            {
                Ok(oid)
            } else {
                Err(table.error(
                    found.at,
                    format!("`{key}` holds {:?}, which is no object identifier", found.value),
                    format!("Write dotted numbers, for example: {key} = {EXAMPLE}"),
                ))
            }
        })
        .collect()
}
