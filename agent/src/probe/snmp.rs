//! What does a device say over SNMP? Versions 1, 2c and 3 (RFC 1157, RFC 3416, RFC 3414).
//!
//! A version 3 device says precisely why it turns us away: unknown user, wrong authentication key, wrong
//! privacy key, unsupported level (the usmStats counters of RFC 3414, section 5). Those are told apart,
//! because each has another remedy. Some agents drop a message they cannot decrypt without a word; then one
//! further question without encryption shows whether the device is there at all. A version 1 or 2c device
//! never answers a wrong community, so that silence is reported together with this doubt.
//!
//! All devices share one socket per address family, and what version 3 has to find out about a device before
//! it may ask (RFC 3414, section 4) is remembered until a run goes wrong; rows of a walk are bounded.

mod report;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_snmp::v3::ReportStatus;
use async_snmp::{
    Auth, AuthProtocol, Client, EngineCache, Error, ErrorStatus, MasterKeys, Oid, PrivProtocol, Retry,
    UdpHandle, UdpTransport, UsmConfig, VarBind, Version, WalkOptions,
};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};

use super::{Failure, OutcomeState, Reading, resolve};
use crate::config::{self, Privacy, Security, Snmp};

/// Rows taken from one walk; what lies beyond is left out and said so in the fact `walk_truncated`.
const MAX_ROWS: usize = 256;
/// Rows asked for in one bulk request.
const ROWS_PER_REQUEST: u32 = 20;
/// Derived keys kept; deriving one means hashing a megabyte (RFC 3414, appendix A.2).
const MAX_KEYS: usize = 256;
/// Version 3 devices whose identity and clock are remembered; the oldest is met anew beyond.
const MAX_ENGINES: usize = 4_096;
/// sysUpTime (RFC 3418), which every agent has.
const UPTIME: &str = "1.3.6.1.2.1.1.3.0";
/// Where the shares of the check's timeout go: each of two tries, then the question without encryption,
/// then the walks, which end before the timeout does so that what came in is kept.
const TRY_SHARE: f64 = 0.3;
const PLAIN_SHARE: f64 = 0.25;
const WALK_SHARE: f64 = 0.95;

/// The sockets and derived keys that all SNMP checks of a gateway share.
pub(crate) struct Sessions {
    v4: OnceCell<UdpTransport>,
    v6: OnceCell<UdpTransport>,
    keys: Mutex<HashMap<KeyId, MasterKeys>>,
    engines: Arc<EngineCache>,
}

impl Default for Sessions {
    fn default() -> Self {
        let engines = Arc::new(EngineCache::new().with_max_capacity(MAX_ENGINES));
        Self { v4: OnceCell::new(), v6: OnceCell::new(), keys: Mutex::default(), engines }
    }
}

/// What keys are derived from: protocols and passwords.
type KeyId = (AuthProtocol, String, Option<(PrivProtocol, String)>);

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions").finish_non_exhaustive()
    }
}

impl Sessions {
    async fn transport(&self, target: SocketAddr) -> Result<&UdpTransport, Box<Error>> {
        let (cell, local) = if target.is_ipv4() { (&self.v4, "0.0.0.0:0") } else { (&self.v6, "[::]:0") };
        cell.get_or_try_init(|| UdpTransport::bind(local)).await
    }

    async fn client(
        &self,
        target: SocketAddr,
        auth: Auth,
        wait: Duration,
        tries: u32,
    ) -> Result<Session, Box<Error>> {
        let retry = Retry::fixed(tries.saturating_sub(1), Duration::ZERO).unwrap_or_else(|_| Retry::none());
        // The reports that say why a user is turned away cannot be authenticated (RFC 3414, section 3.2), and
        // this setting is what lets them through. A forged one, from the device's own address and with the
        // right message id, can spoil one run and obtain one question with a clock of its choosing; whatever
        // counts as a reading is authenticated as ever.
        let is_v3 = auth.version() == Version::V3;
        let mut session = Client::builder(target, auth);
        if is_v3 {
            session = session.engine_cache(Arc::clone(&self.engines));
        }
        session
            .strict_source(is_v3)
            .allow_unauthenticated_v3_time_correction(is_v3)
            .request_timeout(wait)
            .retry(retry)
            .build_with(self.transport(target).await?)
            .await
    }

    /// Derives the keys of a user, or takes them from the last time.
    fn keys(&self, id: KeyId) -> Result<MasterKeys, async_snmp::CryptoError> {
        if let Some(keys) = self.keys.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            return Ok(keys.clone());
        }
        let mut derived = MasterKeys::new(id.0, id.1.as_bytes())?;
        if let Some((protocol, password)) = &id.2 {
            derived = derived.with_privacy(*protocol, password.as_bytes())?;
        }
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MAX_KEYS {
            // Passwords have been changed over and over; those in use are soon derived again.
            keys.clear();
        }
        keys.insert(id, derived.clone());
        Ok(derived)
    }
}

pub(crate) type Session = Client<UdpHandle>;

/// Why somebody who does more than read came to nothing.
pub(crate) struct Denied {
    /// The device knows us and says no, or does not know us: asking again would change nothing.
    pub unauthorized: bool,
    /// What happened, as a sentence.
    pub text: String,
}

/// A session for a remedy: two tries of `wait` each.
pub(crate) async fn open(
    address: &str,
    port: u16,
    security: &Security,
    wait: Duration,
    sessions: &Sessions,
) -> Result<(Session, SocketAddr), Denied> {
    let denied = |text: String| Denied { unauthorized: false, text };
    let target = resolve(address, port).await.map_err(|failure| denied(failure.text))?;
    let auth = credentials(security, sessions)
        .map_err(|error| denied(format!("the SNMP password cannot be used: {error}")))?;
    match sessions.client(target, auth, wait, 2).await {
        Ok(session) => Ok((session, target)),
        Err(error) => {
            sessions.engines.remove(&target);
            Err(deny(&error, security, target))
        }
    }
}

/// Puts a refusal into words.
pub(crate) fn deny(error: &Error, security: &Security, target: SocketAddr) -> Denied {
    if let Error::Snmp { status, .. } = error.exchange_source() {
        let unauthorized = matches!(
            status,
            ErrorStatus::NoAccess
                | ErrorStatus::AuthorizationError
                | ErrorStatus::NotWritable
                | ErrorStatus::ReadOnly
        );
        let text = if unauthorized {
            format!("{target} does not let this login write: {status}")
        } else {
            format!("{target} refuses: {status}")
        };
        return Denied { unauthorized, text };
    }
    let reading = report::refusal(error, security, target);
    let text = reading.faults.first().and_then(|fault| fault.evidence.get("text")?.as_str());
    Denied {
        unauthorized: reading.state == OutcomeState::Rejected,
        text: text.unwrap_or("the device gave no answer that can be read").to_owned(),
    }
}

/// Gets what the check names and walks what it names; with nothing named, the system group and the ports.
///
/// Values: `answer_ms`, `uptime_s`, and every number under the name of its object (`ifOperStatus.3`) or its
/// identifier. Facts: every text likewise. Faults: `snmp_silent`, `snmp_unknown_user`, `snmp_wrong_key`,
/// `snmp_wrong_privacy_key`, `snmp_unsupported_level`.
pub(crate) async fn read(address: &str, asked: &Snmp, limit: Duration, sessions: &Sessions) -> Reading {
    let started = Instant::now();
    let Met { session, rows, walk } = match ask(address, asked, limit, sessions).await {
        Ok(met) => met,
        Err(reading) => return *reading,
    };
    let mut reading = Reading::good().value("answer_ms", started.elapsed().as_secs_f64() * 1_000.0);
    for row in rows {
        reading = report::add(reading, &row);
    }
    let deadline = started + limit.mul_f64(WALK_SHARE);
    for root in walk {
        reading = walk_into(reading, &session, root, deadline).await;
    }
    reading
}

/// The same objects as they are, for a probe that knows what they mean; with the time that the first answer took, ms. A walk
/// that fails leaves out its rows.
///
/// # Errors
/// What the run came to, when the device did not answer or does not let us in.
pub(crate) async fn rows(
    address: &str,
    asked: &Snmp,
    limit: Duration,
    sessions: &Sessions,
) -> Result<(f64, Vec<VarBind>), Box<Reading>> {
    let started = Instant::now();
    let Met { session, mut rows, walk } = ask(address, asked, limit, sessions).await?;
    let answer_ms = started.elapsed().as_secs_f64() * 1_000.0;
    let deadline = started + limit.mul_f64(WALK_SHARE);
    for root in walk {
        let options = WalkOptions {
            max_repetitions: ROWS_PER_REQUEST,
            result_limit: Some(MAX_ROWS),
            ..WalkOptions::default()
        };
        let Ok(mut found) = session.walk_with(root, options) else { continue };
        while let Ok(Some(Ok(row))) = timeout_at(deadline, found.next()).await {
            rows.push(row);
        }
    }
    Ok((answer_ms, rows))
}

/// A device that answered.
pub(crate) struct Met {
    /// For more questions.
    pub session: Session,
    /// What was got.
    pub rows: Vec<VarBind>,
    walk: Vec<Oid>,
}

/// Gets what the check names, and says how it went if it came to nothing.
pub(crate) async fn ask(
    address: &str,
    asked: &Snmp,
    limit: Duration,
    sessions: &Sessions,
) -> Result<Met, Box<Reading>> {
    let target = match resolve(address, asked.port).await {
        Ok(target) => target,
        Err(failure) => return Err(Box::new(failure.into_reading("snmp_silent"))),
    };
    let (get, walk) = match objects(asked) {
        Ok(objects) => objects,
        Err(bad) => {
            let text = format!(
                "{bad:?} is not an object identifier; write numbers with dots, as in 1.3.6.1.2.1.1.1.0"
            );
            return Err(Box::new(Failure { reason: "object", text }.into_reading("snmp_silent")));
        }
    };
    let auth = match credentials(&asked.security, sessions) {
        Ok(auth) => auth,
        Err(error) => {
            let text = format!("the check's SNMP password cannot be used: {error}");
            return Err(Box::new(Reading::of(OutcomeState::Rejected, "snmp_wrong_key", &text)));
        }
    };
    let met = meet(sessions, target, &auth, limit.mul_f64(TRY_SHARE), &get).await;
    let met = match met {
        Err(error) if is_another_device(&error) => {
            meet(sessions, target, &auth, limit.mul_f64(TRY_SHARE), &get).await
        }
        met => met,
    };
    let (session, rows) = match met {
        Ok(met) => met,
        Err(error) => {
            let doubt = in_plain(&asked.security).filter(|_| is_timeout(&error));
            if let Some(plain) = doubt
                && answers(&plain, target, limit.mul_f64(PLAIN_SHARE), sessions).await
            {
                let seen = "the device answers only without encryption";
                return Err(Box::new(report::wrong_privacy_key(target, seen)));
            }
            return Err(Box::new(report::refusal(&error, &asked.security, target)));
        }
    };
    Ok(Met { session, rows, walk })
}

/// Gets a few objects with a single try, of a device that nobody has said to be one; None when it does not answer.
pub(crate) async fn once(
    target: SocketAddr,
    security: &Security,
    wait: Duration,
    sessions: &Sessions,
    objects: &[&str],
) -> Option<Vec<VarBind>> {
    let auth = credentials(security, sessions).ok()?;
    let objects: Vec<Oid> = objects.iter().filter_map(|text| text.parse().ok()).collect();
    let session = sessions.client(target, auth, wait, 1).await.ok()?;
    get_all(&session, &objects).await.ok()
}

/// Opens a session and gets all objects. After a failure nothing that was remembered about the device counts.
async fn meet(
    sessions: &Sessions,
    target: SocketAddr,
    auth: &Auth,
    wait: Duration,
    objects: &[Oid],
) -> Result<(Session, Vec<VarBind>), Box<Error>> {
    let met = async {
        let session = sessions.client(target, auth.clone(), wait, 2).await?;
        let rows = get_all(&session, objects).await?;
        Ok((session, rows))
    };
    let met = met.await;
    if met.is_err() {
        sessions.engines.remove(&target);
    }
    met
}

/// Another device has taken the address of the one that was remembered, and says that it is not meant.
fn is_another_device(error: &Error) -> bool {
    matches!(error.exchange_source(), Error::Report { status, .. }
        if matches!(status.as_ref(), ReportStatus::UnknownEngineId { .. }))
}

/// What to get and what to walk; `Err` holds a text that is no object identifier.
fn objects(asked: &Snmp) -> Result<(Vec<Oid>, Vec<Oid>), String> {
    let parse = |text: &str| text.parse::<Oid>().map_err(|_| text.to_owned());
    let mut get = asked.get.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?;
    if get.is_empty() {
        // Something must be answered before a walk that finds nothing can mean "no such rows".
        get.push(parse(UPTIME)?);
    }
    Ok((get, asked.walk.iter().map(|text| parse(text)).collect::<Result<Vec<_>, _>>()?))
}

fn credentials(security: &Security, sessions: &Sessions) -> Result<Auth, async_snmp::CryptoError> {
    let (user, auth, privacy) = match security {
        Security::V1 { community } => return Ok(Auth::v1(community.reveal())),
        Security::V2c { community } => return Ok(Auth::v2c(community.reveal())),
        Security::V3 { user, auth: None, .. } => return Ok(Auth::usm(user)),
        Security::V3 { user, auth: Some(auth), privacy } => (user, auth, privacy),
    };
    let (protocol, password) = (authentication(auth.0), auth.1.reveal().to_owned());
    let privacy =
        privacy.as_ref().map(|(protocol, password)| (encryption(*protocol), password.reveal().to_owned()));
    let keys = sessions.keys((protocol, password, privacy))?;
    Ok(UsmConfig::new(user.clone()).with_master_keys(keys)?.into())
}

fn authentication(protocol: config::Auth) -> AuthProtocol {
    match protocol {
        config::Auth::Md5 => AuthProtocol::Md5,
        config::Auth::Sha1 => AuthProtocol::Sha1,
        config::Auth::Sha224 => AuthProtocol::Sha224,
        config::Auth::Sha256 => AuthProtocol::Sha256,
        config::Auth::Sha384 => AuthProtocol::Sha384,
        config::Auth::Sha512 => AuthProtocol::Sha512,
    }
}

/// Where AES needs more key than the digest yields, keys are extended as draft-blumenthal-aes-usm-04 says,
/// which is what net-snmp does.
fn encryption(protocol: Privacy) -> PrivProtocol {
    match protocol {
        Privacy::Des => PrivProtocol::Des,
        Privacy::Aes128 => PrivProtocol::Aes128,
        Privacy::Aes192 => PrivProtocol::Aes192Blumenthal,
        Privacy::Aes256 => PrivProtocol::Aes256Blumenthal,
    }
}

/// The same security without encryption, where there is any.
fn in_plain(security: &Security) -> Option<Security> {
    match security {
        Security::V3 { user, auth, privacy: Some(_) } => {
            Some(Security::V3 { user: user.clone(), auth: auth.clone(), privacy: None })
        }
        Security::V3 { privacy: None, .. } | Security::V1 { .. } | Security::V2c { .. } => None,
    }
}

/// Gets all objects at once. A version 1 device that lacks one of them refuses them all (RFC 1157,
/// section 4.1.2), so then they are asked for one by one.
async fn get_all(session: &Session, objects: &[Oid]) -> Result<Vec<VarBind>, Box<Error>> {
    match session.get_many(objects).await {
        Ok(response) => return Ok(response.varbinds),
        Err(error)
            if matches!(error.exchange_source(), Error::Snmp { status: ErrorStatus::NoSuchName, .. }) => {}
        Err(error) => return Err(error),
    }
    let mut rows = Vec::new();
    for object in objects {
        match session.get(object).await {
            Ok(response) => rows.extend(response.varbinds),
            Err(error) if matches!(error.exchange_source(), Error::Snmp { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(rows)
}

async fn walk_into(mut reading: Reading, session: &Session, root: Oid, deadline: Instant) -> Reading {
    let options = WalkOptions {
        max_repetitions: ROWS_PER_REQUEST,
        result_limit: Some(MAX_ROWS),
        ..WalkOptions::default()
    };
    let name = root.to_string();
    let mut rows = match session.walk_with(root, options) {
        Ok(rows) => rows,
        Err(error) => return reading.note(format!("walk_failed.{name}"), &error.to_string()),
    };
    let mut count = 0_u32;
    loop {
        match timeout_at(deadline, rows.next()).await {
            Ok(Some(Ok(row))) => {
                count += 1;
                reading = report::add(reading, &row);
            }
            Ok(None) if count as usize == MAX_ROWS => {
                let text = format!("only the first {MAX_ROWS} rows were read");
                reading = reading.note(format!("walk_truncated.{name}"), &text);
                break;
            }
            Ok(None) => break,
            // The device has answered; a walk that breaks off costs its remaining rows and nothing else.
            Ok(Some(Err(error))) => {
                reading = reading.note(format!("walk_truncated.{name}"), &error.to_string());
                break;
            }
            Err(_) => {
                reading = reading.note(format!("walk_truncated.{name}"), "the check's time was up");
                break;
            }
        }
    }
    reading.value(format!("rows.{name}"), f64::from(count))
}

/// Whether a device that left an encrypted request unanswered answers one without encryption. It reports an
/// authentication key that is wrong before it decrypts; so any answer at all leaves only the privacy key.
async fn answers(plain: &Security, target: SocketAddr, wait: Duration, sessions: &Sessions) -> bool {
    let Ok(auth) = credentials(plain, sessions) else { return false };
    let Ok(session) = sessions.client(target, auth, wait, 1).await else { return false };
    let Ok(uptime) = UPTIME.parse::<Oid>() else { return false };
    match session.get(&uptime).await {
        Ok(_) => true,
        Err(error) => {
            matches!(error.exchange_source(), Error::Snmp { .. } | Error::Report { .. } | Error::Auth { .. })
        }
    }
}

fn is_timeout(error: &Error) -> bool {
    matches!(error.exchange_source(), Error::Timeout { .. } | Error::ConstructionTimeout { .. })
}
