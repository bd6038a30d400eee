//! A device in a few lines: its class and maker say which checks it has, and named credentials what they log in with.
//!
//! ```toml
//! [credentials.cameras]        # beside the devices, or in a file of its own; a device only names it
//! user = "viewer"
//! password = "…"
//!
//! [[device]]
//! id = "cam-3"
//! class = "camera"
//! maker = "hikvision"
//! address = "10.20.7.11"
//! parent = "sw-1"
//! credentials = "cameras"      # or a list: one set to log in with, one for SNMP
//! [[device.check]]             # without a kind: more of a usual check, or none of it
//! name = "picture"
//! off = true
//! ```
//!
//! A device that writes its checks and names neither maker nor credentials has those checks and no others.

use std::collections::BTreeMap;

use sitewarden_proto::usual::{self, MAKERS, Takes, takes};

use super::device::Secret;
use super::http::login;
use super::reader::{Error, Table};
use super::snmp::security;

/// The named sets of credentials of a file.
#[derive(Clone, Debug, Default)]
pub struct Credentials(BTreeMap<String, Set>);

#[derive(Clone, Debug)]
struct Set {
    is_snmp: bool,
    words: Vec<(&'static str, Secret)>,
}

const SETS_MAX: usize = 64;
const SNMP_KEYS: [&str; 7] =
    ["version", "community", "user", "auth", "auth_password", "privacy", "privacy_password"];
const LOGIN_KEYS: [&str; 2] = ["user", "password"];

/// Takes the `[credentials.NAME]` tables out of a file's top level.
pub(super) fn credentials(top: &mut Table<'_>) -> Result<Credentials, Error> {
    let Some(table) = top.table("credentials")? else { return Ok(Credentials::default()) };
    let mut sets = BTreeMap::new();
    for (name, mut table) in table.named_tables()? {
        let keys: &[&'static str] = if table.has("password") { &LOGIN_KEYS } else { &SNMP_KEYS };
        let words = keys.iter().filter_map(|key| Some((*key, Secret::new(table.peek(key)?)))).collect();
        let is_snmp = keys.len() > LOGIN_KEYS.len();
        if is_snmp {
            if !table.has("community") && !table.has("auth_password") && !table.has("version") {
                return Err(table.error_here(
                    format!("the credentials \"{name}\" hold neither `password` nor `community`"),
                    "Add user and password to log in with, or a community for SNMP",
                ));
            }
            security(&mut table, true)?;
        } else {
            login(&mut table)?;
        }
        if sets.len() >= SETS_MAX {
            return Err(table.error_here(
                format!("there are more than {SETS_MAX} sets of credentials"),
                "Let devices share them",
            ));
        }
        table.finish("a set of credentials")?;
        sets.insert(name, Set { is_snmp, words });
    }
    Ok(Credentials(sets))
}

/// The checks of a device and the names of usual ones that lack their credentials.
pub(super) struct Expanded<'s> {
    pub(super) checks: Vec<Table<'s>>,
    pub(super) left_out: Vec<String>,
}

/// What a device names of its own sets.
#[derive(Default)]
struct Named<'c> {
    login: Option<&'c Set>,
    snmp: Option<&'c Set>,
}

/// Takes maker, credentials and checks out of a device, and makes of them the checks that it has.
pub(super) fn expand<'s>(
    device: &mut Table<'s>,
    class: Option<&str>,
    known: &Credentials,
) -> Result<Expanded<'s>, Error> {
    let words: Vec<(&str, &'static str)> = MAKERS.iter().map(|maker| (*maker, *maker)).collect();
    let maker = device.word("maker", &words)?.map(|found| found.value);
    let named = named(device, known)?;
    let written = device.tables("check")?;
    let is_usual = maker.is_some() || named.is_some() || written.is_empty();
    let is_usual = is_usual || written.iter().any(|table| !table.has("kind"));
    let class = match class {
        Some(class) if is_usual => class,
        Some(_) => return Ok(Expanded { checks: written, left_out: Vec::new() }),
        None if maker.is_some() || named.is_some() => {
            let text = "`class` is missing".to_owned();
            return Err(device.error_here(text, "Add for example: class = \"camera\""));
        }
        None => return Ok(Expanded { checks: written, left_out: Vec::new() }),
    };
    let named = named.unwrap_or_default();
    let mut checks: Vec<(String, Table<'s>)> = usual::checks(class, maker.unwrap_or_default())
        .iter()
        .map(|check| {
            let mut table = device.beside();
            table.fill(&check.text);
            (check.name.clone(), table)
        })
        .collect();
    let usual_names: Vec<String> = checks.iter().map(|(name, _)| name.clone()).collect();
    for mut table in written {
        let name = table.peek("name").or_else(|| table.peek("kind")).unwrap_or_default().to_owned();
        let at = checks.iter().position(|(usual, _)| *usual == name);
        if table.has("kind") {
            // Written whole, it stands in the place of the usual one.
            match at.filter(|_| usual_names.contains(&name)) {
                Some(at) => checks[at].1 = table,
                None => checks.push((name, table)),
            }
            continue;
        }
        let Some(at) = at else {
            let text = if name.is_empty() {
                "`kind` is missing".to_owned()
            } else {
                format!("`{name}` is no usual check of this device")
            };
            let remedy = format!("Add a `kind`, or name one of: {}", usual_names.join(", "));
            return Err(table.error_here(text, remedy));
        };
        if table.flag("off", false)? {
            table.text("name", "\"picture\"")?;
            table.finish("a check that is off")?;
            checks.remove(at);
        } else if let Some(check) =
            usual::checks(class, maker.unwrap_or_default()).iter().find(|c| c.name == name)
        {
            table.fill(&check.text);
            checks[at].1 = table;
        }
    }
    let mut left_out = Vec::new();
    let mut kept = Vec::with_capacity(checks.len());
    for (name, mut table) in checks {
        let takes = takes(table.peek("kind").unwrap_or_default(), table.has("auth"));
        let (set, own): (Option<&Set>, &[&str]) = match takes {
            Takes::Login | Takes::PerhapsLogin => (named.login, &LOGIN_KEYS),
            Takes::Snmp => (named.snmp, &SNMP_KEYS),
            Takes::Nothing => (None, &[]),
        };
        let has_own = own.iter().any(|key| table.has(key));
        match set {
            Some(set) if !has_own => {
                for (key, word) in &set.words {
                    table.fill_text(key, word.reveal());
                }
            }
            None if !has_own
                && matches!(takes, Takes::Login | Takes::Snmp)
                && usual_names.contains(&name) =>
            {
                left_out.push(name);
                continue;
            }
            _ => {}
        }
        kept.push(table);
    }
    Ok(Expanded { checks: kept, left_out })
}

/// The sets that a device names; None when it names none.
fn named<'c>(device: &mut Table<'_>, known: &'c Credentials) -> Result<Option<Named<'c>>, Error> {
    const EXAMPLE: &str = "\"cameras\"";
    let list = if device.peek("credentials").is_some() {
        device.text("credentials", EXAMPLE)?.into_iter().collect()
    } else {
        match device.texts("credentials", "[\"cameras\", \"switches\"]")? {
            Some(list) => list,
            None => return Ok(None),
        }
    };
    let mut named = Named::default();
    for found in list {
        let Some(set) = known.0.get(&found.value) else {
            let all: Vec<&str> = known.0.keys().map(String::as_str).collect();
            let remedy = if all.is_empty() {
                format!("Add [credentials.{}] with user and password, or with a community", found.value)
            } else {
                format!("Use one of: {}", all.join(", "))
            };
            let text = format!("there are no `credentials` of the name {:?}", found.value);
            return Err(device.error(found.at, text, remedy));
        };
        let place = if set.is_snmp { &mut named.snmp } else { &mut named.login };
        if place.replace(set).is_some() {
            let text = format!("`credentials` names a second set of the sort of {:?}", found.value);
            return Err(device.error(found.at, text, "Name one set to log in with and one for SNMP"));
        }
    }
    Ok(Some(named))
}
