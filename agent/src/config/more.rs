//! `[[more]]`: what the server says of devices beyond what the first agents knew. It travels in a field of its own,
//! which those do not read: they refuse a whole configuration for one word that is new to them, and a whole site would
//! be unwatched.
//!
//! ```toml
//! [[more]]
//! device = "sw-1"             # a device of the same configuration, or a new one with name, class and address
//! parent = "sw-0"
//! [more.remedy.snmp]
//! community = "the community that may write"
//! [[more.check]]
//! kind = "topology"
//! [[more.check]]              # without a kind: more of a check that stands there
//! name = "icmp"
//! flap = 20
//! ```
//!
//! Here an agent leaves out what it does not understand, as small a piece as can be, and says so in its report.

use sitewarden_proto::id::DeviceId;
use sitewarden_proto::limits::{CHECKS_MAX, DEVICES_MAX};

use super::device::{self, Check, Device};
use super::kind::KINDS;
use super::reader::{Error, Table};
use super::remedy;

/// Adds what `[[more]]` says to the devices; what was left out, each in a sentence.
pub(super) fn add(top: &mut Table<'_>, devices: &mut Vec<Device>) -> Result<Vec<String>, Error> {
    let mut left_out = Vec::new();
    let mut parents = Vec::new();
    for table in top.tables("more")? {
        let one = match one(table, devices, &mut left_out) {
            Ok(one) => one,
            Err(error) => {
                left_out.push(error.to_string());
                continue;
            }
        };
        parents.extend(one.parent.map(|parent| (one.at, parent)));
    }
    // What a device hangs off may itself be known from `[[more]]` only, so parents come last.
    for (at, parent) in parents {
        let id = devices[at].id.clone();
        let known = devices.iter().any(|device| device.id == parent);
        let before = std::mem::replace(&mut devices[at].parent, known.then_some(parent));
        if !known || device::is_in_loop(devices, at) {
            devices[at].parent = before;
            left_out.push(format!("what \"{id}\" hangs off: it is no device here, or hangs off itself"));
        }
    }
    Ok(left_out)
}

/// A device of which more is said, and what it hangs off.
struct One {
    at: usize,
    parent: Option<DeviceId>,
}

fn one(mut table: Table<'_>, devices: &mut Vec<Device>, left_out: &mut Vec<String>) -> Result<One, Error> {
    let named = table.required_text("device", "\"cam-3\"")?;
    let id = device::device_id(&table, "device", named)?;
    let parent = match table.text("parent", "\"sw-1\"")? {
        Some(found) => Some(device::device_id(&table, "parent", found)?),
        None => None,
    };
    let mut checks: Vec<Check> = Vec::new();
    let mut flaps: Vec<(String, u8)> = Vec::new();
    for mut table in table.tables("check")? {
        if table.peek("kind").is_none() {
            match (table.required_text("name", "\"icmp\""), device::flap(&mut table)) {
                (Ok(name), Ok(flap)) => flaps.push((name.value, flap)),
                (Err(error), _) | (_, Err(error)) => left_out.push(error.to_string()),
            }
            let unknown = table
                .left()
                .into_iter()
                .map(|key| format!("`{key}` of a check of \"{id}\": update this agent"));
            left_out.extend(unknown);
            continue;
        }
        let kind = table.peek("kind").unwrap_or_default().to_owned();
        if !kind.is_empty() && KINDS.iter().all(|(word, _)| *word != kind) {
            left_out.push(format!("the check of kind `{kind}` of \"{id}\": update this agent"));
            continue;
        }
        match device::check(table) {
            Ok(check) => checks.push(check),
            Err(error) => left_out.push(error.to_string()),
        }
    }
    let access = match table.table("remedy")?.map(remedy::read_table) {
        Some(Ok((access, rest))) => {
            let unknown =
                rest.left().into_iter().map(|key| format!("[remedy.{key}] of \"{id}\": update this agent"));
            left_out.extend(unknown);
            Some(access)
        }
        Some(Err(error)) => {
            left_out.push(error.to_string());
            None
        }
        None => None,
    };
    let at = match devices.iter().position(|device| device.id == id) {
        Some(at) => at,
        None if checks.is_empty() => {
            let text = format!("\"{id}\": this agent knows none of its checks");
            return Err(table.error_here(text, "Update this agent"));
        }
        None if devices.len() >= DEVICES_MAX => {
            let text = format!("\"{id}\": there are {DEVICES_MAX} devices already");
            return Err(table.error_here(text, "Give one gateway fewer devices"));
        }
        None => {
            devices.push(device::bare(&mut table, id.clone())?);
            devices.len() - 1
        }
    };
    let device = &mut devices[at];
    for check in checks {
        if device.checks.len() >= CHECKS_MAX || device.find_check(&check.name).is_some() {
            left_out.push(format!(
                "the check `{}` of \"{id}\": its name is taken, or there are too many",
                check.name
            ));
        } else {
            device.checks.push(check);
        }
    }
    for (name, flap) in flaps {
        match device.checks.iter_mut().find(|check| check.name == name) {
            Some(check) => check.flap = flap,
            None => left_out.push(format!("more of the check `{name}` of \"{id}\": there is none")),
        }
    }
    if let Some(access) = access {
        device.remedy = access;
    }
    left_out.extend(table.left().into_iter().map(|key| format!("`{key}` of \"{id}\": update this agent")));
    Ok(One { at, parent })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Kind, parse_desired};

    const BODY: &str =
        "[[device]]\nid = \"sw-1\"\naddress = \"10.0.0.1\"\n[[device.check]]\nkind = \"icmp\"\n";

    #[test]
    fn what_is_known_is_added() {
        let text = format!(
            "{BODY}[[more]]\ndevice = \"sw-1\"\nparent = \"sw-2\"\n[more.remedy.snmp]\ncommunity = \"writes\"\n\
             [[more.check]]\nname = \"icmp\"\nflap = 20\n\
             [[more]]\ndevice = \"sw-2\"\nname = \"Core\"\nclass = \"switch\"\naddress = \"10.0.0.2\"\n\
             [[more.check]]\nkind = \"topology\"\ncommunity = \"reads\"\nevery = \"10m\"\n"
        );
        let wanted = parse_desired(&text, "t").unwrap();
        assert!(wanted.left_out.is_empty(), "{:?}", wanted.left_out);
        let [first, second] = &wanted.devices[..] else { panic!("{:?}", wanted.devices) };
        assert!(first.remedy.snmp.is_some() && first.parent.as_ref() == Some(&second.id));
        assert_eq!(first.checks[0].flap, 20);
        assert_eq!((second.name.as_str(), second.checks.len()), ("Core", 1));
        assert!(matches!(second.checks[0].kind, Kind::Topology(_)));
        assert_eq!(second.checks[0].every, Duration::from_mins(10));
    }

    #[test]
    fn what_is_not_understood_is_left_out_and_nothing_else() {
        let text = format!(
            "{BODY}[[more]]\ndevice = \"sw-1\"\nmood = \"sunny\"\n[more.remedy.modbus]\nunit = 1\n\
             [[more.check]]\nkind = \"telepathy\"\n[[more.check]]\nkind = \"tcp\"\nport = 22\n\
             [[more]]\ndevice = \"cam-1\"\nname = \"c\"\naddress = \"10.0.0.3\"\n[[more.check]]\nkind = \"telepathy\"\n\
             [[more]]\ndevice = \"sw-1\"\nparent = \"cam-1\"\n[more.remedy.http]\nprotocol = \"smoke\"\n"
        );
        let wanted = parse_desired(&text, "t").unwrap();
        assert_eq!(wanted.devices.len(), 1);
        let device = &wanted.devices[0];
        assert_eq!(device.checks.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["icmp", "tcp"]);
        assert!(device.parent.is_none() && device.remedy.http.is_none());
        let said = wanted.left_out.join("\n");
        for word in [
            "`telepathy` of \"sw-1\"",
            "mood",
            "[remedy.modbus]",
            "none of its checks",
            "`protocol`",
            "hangs off",
        ] {
            assert!(said.contains(word), "{word} in {said}");
        }
        assert_eq!(wanted.left_out.len(), 7, "{said}");
    }

    #[test]
    fn the_rest_of_a_configuration_is_as_strict_as_ever() {
        let strange =
            "[[device]]\nid = \"a\"\naddress = \"b\"\nmood = \"sunny\"\n[[device.check]]\nkind = \"icmp\"\n";
        assert!(parse_desired(strange, "t").is_err());
    }
}
