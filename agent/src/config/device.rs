//! What is watched: devices, and the checks of each. One format serves the technician's `probe` file, local
//! `[[device]]` tables in the agent's own file, and the configuration that the server sends.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use sitewarden_proto::id::DeviceId;
use sitewarden_proto::limits::{CHECKS_MAX, DEVICES_MAX};

use super::kind::{KINDS, Kind};
use super::local::{LocalPage, arrival_key, local_page};
use super::more;
use super::reader::{Error, Found, Source, Table};
use super::remedy::{self, Access};
use super::usual::{self, Credentials};

/// A password, key or community. It never shows itself: not in a log, not in an error, not in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; only a probe that sends it should ask.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What kind of thing a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// A camera.
    Camera,
    /// A recorder.
    Nvr,
    /// A network switch.
    Switch,
    /// An access controller.
    Access,
    /// An uninterruptible power supply.
    Ups,
    /// A telephone or its exchange.
    Phone,
    /// An intrusion panel.
    Intrusion,
    /// A computer.
    Server,
    /// A box that runs this agent.
    Gateway,
    /// Anything else.
    Other,
}

/// The words of `class`, first the one that examples show.
pub const CLASSES: &[(&str, Class)] = &[
    ("camera", Class::Camera),
    ("nvr", Class::Nvr),
    ("switch", Class::Switch),
    ("access", Class::Access),
    ("ups", Class::Ups),
    ("phone", Class::Phone),
    ("intrusion", Class::Intrusion),
    ("server", Class::Server),
    ("gateway", Class::Gateway),
    ("other", Class::Other),
];

/// A device and its checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Its id, unique within the gateway.
    pub id: DeviceId,
    /// Its name for people.
    pub name: String,
    /// What it is.
    pub class: Class,
    /// Host name or IP address; without port, without scheme.
    pub address: String,
    /// The device it depends on to be reached, if any.
    pub parent: Option<DeviceId>,
    /// Its checks, at least one, each name once.
    pub checks: Vec<Check>,
    /// Usual checks of its class that it does without, because it names no credentials for them.
    pub left_out: Vec<String>,
    /// How it may be acted on.
    pub remedy: Access,
}

impl Device {
    /// The check of that name.
    pub fn find_check(&self, name: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }
}

/// Nothing that is raised more often within half an hour is worth a page.
pub const FLAP_MAX: u8 = 60;

/// What is measured, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Its id within the device; the kind's word unless named.
    pub name: String,
    /// How often it runs, at least 1 s.
    pub every: Duration,
    /// How long one run may take, less than `every`.
    pub timeout: Duration,
    /// How many of how many outcomes must be bad to raise a fault.
    pub confirm: Confirm,
    /// How many good outcomes in a row clear it.
    pub clear: u8,
    /// Raised so often within half an hour its fault flaps; 0 = it never does.
    pub flap: u8,
    /// What is measured.
    pub kind: Kind,
}

/// N bad outcomes among the last M.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Confirm {
    /// N, from 1.
    pub bad: u8,
    /// M, at least N, at most 16.
    pub of: u8,
}

/// Reads a technician's file: one device at top level. Its id defaults to the file's stem.
pub fn read_device_file(path: &Path) -> Result<Device, super::LoadError> {
    read_device_file_with(path, &Credentials::default())
}

/// Reads the `[credentials.NAME]` tables of a file that holds nothing else.
pub fn read_credentials(path: &Path) -> Result<Credentials, super::LoadError> {
    let text = super::read_text(path)?;
    let file = path.display().to_string();
    let mut top = Source { file: &file, text: &text }.parse()?;
    let sets = usual::credentials(&mut top)?;
    top.finish("a file of credentials")?;
    Ok(sets)
}

/// The same, for a device that names credentials of another file.
pub fn read_device_file_with(path: &Path, sets: &Credentials) -> Result<Device, super::LoadError> {
    let text = super::read_text(path)?;
    let stem: String = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().to_lowercase())
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .take(64)
        .collect();
    Ok(device(Source { file: &path.display().to_string(), text: &text }.parse()?, Some(&stem), sets)?)
}

/// Parses one device at top level; `file` is for messages, `default_id` is its id if it names none.
pub fn parse_device(text: &str, file: &str, default_id: &str) -> Result<Device, Error> {
    device(Source { file, text }.parse()?, Some(default_id), &Credentials::default())
}

/// Parses `[[device]]` tables and nothing else: the configuration that the server desires.
pub fn parse_devices(text: &str, file: &str) -> Result<Vec<Device>, Error> {
    parse_desired(text, file).map(|wanted| wanted.devices)
}

/// What the server wants of this gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The devices.
    pub devices: Vec<Device>,
    /// How the gateway pages by itself.
    pub local_page: Option<LocalPage>,
    /// The key of the codes that the gateway shows, in base64.
    pub arrival_key: Option<Secret>,
    /// What this agent does not understand of `[[more]]` and leaves out, each in a sentence.
    pub left_out: Vec<String>,
}

/// The same, with all that the server says besides.
pub fn parse_desired(text: &str, file: &str) -> Result<Wanted, Error> {
    let mut table = Source { file, text }.parse()?;
    let mut devices = device_tables(&mut table, &Credentials::default())?;
    let left_out = more::add(&mut table, &mut devices)?;
    let local_page = local_page(&mut table)?;
    let arrival_key = arrival_key(&mut table)?;
    table.finish("the desired configuration")?;
    Ok(Wanted { devices, local_page, arrival_key, left_out })
}

/// Takes the `[[device]]` tables out of a file's top level and checks them against each other.
pub(super) fn device_tables(top: &mut Table<'_>, sets: &Credentials) -> Result<Vec<Device>, Error> {
    let tables = top.tables("device")?;
    if tables.len() > DEVICES_MAX {
        return Err(top.error_here(
            format!("there are {} devices", tables.len()),
            format!("Give one gateway at most {DEVICES_MAX} devices"),
        ));
    }
    let mut devices: Vec<Device> = Vec::with_capacity(tables.len());
    let mut spans = Vec::with_capacity(tables.len());
    let mut ids = BTreeSet::new();
    for table in tables {
        let span = table.span();
        let device = device(table, None, sets)?;
        if !ids.insert(device.id.clone()) {
            return Err(top.error(
                span,
                format!("the device id \"{}\" is there twice", device.id),
                "Give each device an `id` of its own",
            ));
        }
        spans.push(span);
        devices.push(device);
    }
    for (index, device) in devices.iter().enumerate() {
        let Some(parent) = &device.parent else { continue };
        let problem = if !ids.contains(parent) {
            format!("`parent` of \"{}\" names \"{parent}\", which is no device here", device.id)
        } else if is_in_loop(&devices, index) {
            format!("`parent` of \"{}\" leads back to itself", device.id)
        } else {
            continue;
        };
        return Err(top.error(
            spans[index].clone(),
            problem,
            "Name the id of the device it hangs on, or remove `parent`",
        ));
    }
    Ok(devices)
}

pub(super) fn is_in_loop(devices: &[Device], start: usize) -> bool {
    let mut at = &devices[start];
    for _ in 0..devices.len() {
        let Some(next) = at.parent.as_ref().and_then(|id| devices.iter().find(|d| d.id == *id)) else {
            return false;
        };
        if next.id == devices[start].id {
            return true;
        }
        at = next;
    }
    false
}

fn device(mut table: Table<'_>, default_id: Option<&str>, sets: &Credentials) -> Result<Device, Error> {
    let id = match (table.text("id", "\"cam-3\"")?, default_id) {
        (Some(found), _) => device_id(&table, "id", found)?,
        (None, Some(default)) => DeviceId::try_from(default).map_err(|e| {
            table.error_here(
                format!("`id` is missing and the file's name does not serve: {e}"),
                "Add for example: id = \"cam-3\"",
            )
        })?,
        (None, None) => {
            return Err(table.error_here("`id` is missing".into(), "Add for example: id = \"cam-3\""));
        }
    };
    let word = table.peek("class").map(str::to_owned);
    let Device { name, class, address, .. } = bare(&mut table, id.clone())?;
    let parent = match table.text("parent", "\"sw-1\"")? {
        Some(found) => Some(device_id(&table, "parent", found)?),
        None => None,
    };
    let usual::Expanded { checks: tables, left_out } = usual::expand(&mut table, word.as_deref(), sets)?;
    if tables.is_empty() || tables.len() > CHECKS_MAX {
        return Err(table.error_here(
            format!("the device \"{id}\" has {} checks", tables.len()),
            format!("Give it 1 to {CHECKS_MAX} [[check]] tables, the simplest is: kind = \"icmp\"; or a `class`, which has its own"),
        ));
    }
    let mut checks: Vec<Check> = Vec::with_capacity(tables.len());
    for table in tables {
        let span = table.span();
        let source_error =
            table.error(span, String::new(), "Give each check of a device a `name` of its own");
        let check = check(table)?;
        if checks.iter().any(|other| other.name == check.name) {
            let problem = format!("the check name \"{}\" is there twice", check.name);
            return Err(Error { problem, ..source_error });
        }
        checks.push(check);
    }
    let remedy = remedy::read(&mut table)?;
    table.finish("a device")?;
    Ok(Device { id, name, class, address, parent, checks, left_out, remedy })
}

/// What every device is: its name, its class, its address.
pub(super) fn bare(table: &mut Table<'_>, id: DeviceId) -> Result<Device, Error> {
    let name = table.text("name", "\"Gate camera 3\"")?.map_or_else(|| id.to_string(), |found| found.value);
    let class = table.word("class", CLASSES)?.map_or(Class::Other, |found| found.value);
    let address = table.required_text("address", "\"10.20.7.11\"")?;
    if !is_host(&address.value) {
        return Err(table.error(
            address.at,
            "`address` is not a host name or IP address".into(),
            "Write it without scheme, port and path, for example: address = \"10.20.7.11\"",
        ));
    }
    let (address, checks, remedy) = (address.value, Vec::new(), Access::default());
    Ok(Device { id, name, class, address, parent: None, checks, left_out: Vec::new(), remedy })
}

pub(super) fn device_id(table: &Table<'_>, key: &str, found: Found<String>) -> Result<DeviceId, Error> {
    let at = found.at;
    DeviceId::try_from(found.value).map_err(|e| {
        table.error(at, format!("`{key}`: {e}"), format!("Write for example: {key} = \"cam-3\""))
    })
}

fn is_host(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
        || (text.len() <= 253
            && text.split('.').all(|label| {
                !label.is_empty()
                    && label.len() <= 63
                    && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
                    && !label.starts_with('-')
            }))
}

pub(super) fn check(mut table: Table<'_>) -> Result<Check, Error> {
    let Some(word) = table.word("kind", KINDS)? else {
        return Err(table.error_here("`kind` is missing".into(), "Add for example: kind = \"icmp\""));
    };
    let (kind, every_s, timeout_s) = word.value.read(&mut table)?;
    let secs = Duration::from_secs;
    let every = table.duration("every", secs(1)..=secs(86_400), secs(every_s))?;
    let timeout =
        table.duration("timeout", Duration::from_millis(50)..=secs(60), secs(timeout_s).min(every))?;
    if timeout > every {
        return Err(table.error_here(
            "`timeout` is longer than `every`".into(),
            "Make `timeout` shorter, or `every` longer",
        ));
    }
    if let Kind::Rtsp(rtsp) = &kind
        && rtsp.look >= timeout
    {
        return Err(table.error_here(
            "`look` is not shorter than `timeout`".into(),
            "Make `look` shorter, or `timeout` longer",
        ));
    }
    // One picture is no verdict: a bird, a headlight.
    let is_picture = matches!(kind, Kind::Picture(_));
    let usual = if is_picture { Confirm { bad: 3, of: 4 } } else { Confirm { bad: 2, of: 3 } };
    let confirm = confirm(&mut table, usual)?;
    let clear = table.number("clear", 1..=16, 2)?;
    let flap = flap(&mut table)?;
    let name = match table.text("name", "\"web\"")? {
        None => kind.word().to_owned(),
        Some(found) => {
            let fits = (1..=64).contains(&found.value.len())
                && found
                    .value
                    .bytes()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_');
            if !fits {
                return Err(table.error(
                    found.at,
                    format!("`name` cannot be {:?}", found.value),
                    "Use 1 to 64 characters of a-z, 0-9, - and _, for example: name = \"web\"",
                ));
            }
            found.value
        }
    };
    table.finish(&format!("a check of kind {}", kind.word()))?;
    Ok(Check { name, every, timeout, confirm, clear, flap, kind })
}

/// How often within half an hour is coming and going.
pub(super) fn flap(table: &mut Table<'_>) -> Result<u8, Error> {
    match table.number("flap", 0..=FLAP_MAX, 4)? {
        1 => Err(table.error_here(
            "`flap = 1` would call every fault a flapping one".into(),
            "Say how often it may be raised within half an hour, for example flap = 4, or flap = 0 to never hold its pages",
        )),
        flap => Ok(flap),
    }
}

fn confirm(table: &mut Table<'_>, usual: Confirm) -> Result<Confirm, Error> {
    let Some(found) = table.text("confirm", "\"2/3\"")? else { return Ok(usual) };
    found
        .value
        .split_once('/')
        .and_then(|(n, m)| Some(Confirm { bad: n.trim().parse().ok()?, of: m.trim().parse().ok()? }))
        .filter(|c| c.bad >= 1 && c.bad <= c.of && c.of <= 16)
        .ok_or_else(|| {
            table.error(
                found.at,
                format!("`confirm` cannot be {:?}", found.value),
                "Write N/M, N bad outcomes among the last M, M at most 16, for example: confirm = \"2/3\"",
            )
        })
}

/// `port`, from 1; required without a default.
pub(super) fn port(table: &mut Table<'_>, default: Option<u16>) -> Result<u16, Error> {
    match table.number("port", 0..=u16::MAX, default.unwrap_or(0))? {
        0 => Err(table.error_here("`port` is missing or 0".into(), "Add for example: port = 554")),
        port => Ok(port),
    }
}
