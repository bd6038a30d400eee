//! What a look around in a site's network has found, as a gateway tells it: it may lie, so only what can be used is taken. Pure.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use sitewarden_proto::network::{ADDRESSES_MAX, is_private};
use utoipa::ToSchema;

use crate::device::CLASSES;

/// Steps of one look around: each address is one to be pinged and one to be asked.
const STEPS_MAX: u32 = 2 * ADDRESSES_MAX as u32;
/// Devices that are told of one.
const FOUND_MAX: usize = 1_000;
/// Characters of a text that a gateway tells.
const TEXT_MAX: usize = 200;
const REASONS_MAX: usize = 5;

/// Something that answered in a network of the site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Discovered {
    /// IP address.
    pub address: String,
    /// A name that it may get.
    pub name: String,
    /// From an ARP table, such as `44:19:b6:01:02:03`.
    pub mac: Option<String>,
    /// The maker's word of the usual checks; may be empty.
    pub maker: String,
    /// The model; may be empty.
    pub model: String,
    /// One of the device classes.
    pub class: String,
    /// `certain`, `likely`, `guess` or `none`.
    pub certainty: String,
    /// Worth watching, as the gateway sees it.
    pub is_proposed: bool,
    /// The address of the switch that it hangs off.
    pub parent: Option<String>,
    /// What speaks for it.
    pub why: Vec<String>,
}

/// The end of a look around.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// Addresses that were asked.
    pub addresses: u32,
    /// Every one of them was.
    pub complete: bool,
    /// What answered, what is worth watching first.
    pub found: Vec<Discovered>,
    /// How many more answered than a record holds.
    pub left_out: u32,
}

/// How far a look around is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// Steps that are done.
    pub done: u32,
    /// Of how many.
    pub all: u32,
}

/// Reads how far it is; nothing when the gateway tells nonsense.
pub fn progress(result: &str) -> Progress {
    let far: Progress = serde_json::from_str(result).unwrap_or_default();
    let all = far.all.min(STEPS_MAX);
    Progress { done: far.done.min(all), all }
}

/// Reads what was found. Rows without an address or of an unknown class are left out; nothing when it is no outcome at all.
pub fn outcome(result: &str) -> Option<Outcome> {
    let mut outcome: Outcome = serde_json::from_str(result).ok()?;
    outcome.found.truncate(FOUND_MAX);
    outcome
        .found
        .retain(|one| one.address.parse::<IpAddr>().is_ok() && CLASSES.contains(&one.class.as_str()));
    for one in &mut outcome.found {
        for text in [&mut one.name, &mut one.maker, &mut one.model, &mut one.certainty] {
            cut(text);
        }
        one.mac.as_mut().into_iter().chain(one.parent.as_mut()).for_each(cut);
        one.why.truncate(REASONS_MAX);
        one.why.iter_mut().for_each(cut);
    }
    Some(outcome)
}

fn cut(text: &mut String) {
    text.retain(|letter| !letter.is_control());
    if let Some((at, _)) = text.char_indices().nth(TEXT_MAX) {
        text.truncate(at);
    }
}

/// Checks a network that a person wants looked at: private, and 4,096 addresses at most. Why not, and what to write.
pub fn network(text: &str) -> Result<String, (&'static str, &'static str)> {
    let text = text.trim();
    let (base, prefix) = text.split_once('/').map_or((text, None), |(base, prefix)| (base, Some(prefix)));
    let form = ("it is no network", "write it as in 192.168.1.0/24");
    let base: IpAddr = base.parse().map_err(|_| form)?;
    let bits: u32 = if base.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.map_or(Ok(bits), str::parse).ok().filter(|prefix| *prefix <= bits).ok_or(form)?;
    if bits - prefix > ADDRESSES_MAX.ilog2() {
        return Err(("it has more than 4,096 addresses", "look at a part of it; a /20 is the widest"));
    }
    if is_private(base) {
        Ok(format!("{base}/{prefix}"))
    } else {
        Err(("it is no private network", "a gateway looks around in the site's own networks only"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_private_and_bounded() {
        assert_eq!(network(" 192.168.1.0/24 ").unwrap(), "192.168.1.0/24");
        assert_eq!(network("10.3.4.5").unwrap(), "10.3.4.5/32");
        assert_eq!(network("fd00::/120").unwrap(), "fd00::/120");
        for (net, why) in [
            ("", "no network"),
            ("10.0.0.0/x", "no network"),
            ("10.0.0.0/33", "no network"),
            ("10.0.0.0/19", "more than"),
            ("8.8.8.0/24", "no private"),
            ("2001:db8::/120", "no private"),
        ] {
            assert!(network(net).unwrap_err().0.contains(why), "{net}");
        }
    }

    #[test]
    fn what_a_gateway_tells_is_taken_as_far_as_it_can_be_used() {
        let long = "m".repeat(5_000);
        let told = serde_json::json!({ "addresses": 254, "complete": true, "left_out": 0, "found": [
            { "address": "10.0.0.9", "class": "camera", "model": long, "name": "a\u{7}b", "why": vec!["x"; 20], "extra": [1] },
            { "address": "10.0.0.10", "class": "spaceship" },
            { "address": "<script>", "class": "camera" },
        ]});
        let outcome = outcome(&told.to_string()).unwrap();
        let [one] = &outcome.found[..] else { panic!("{outcome:?}") };
        assert_eq!((one.model.len(), one.name.as_str(), one.why.len()), (TEXT_MAX, "ab", REASONS_MAX));
        assert_eq!(super::outcome("{\"found\": 7}"), None);
        assert_eq!(super::outcome("the gateway restarted meanwhile"), None);
        assert_eq!(progress("{\"done\": 9, \"all\": 4}"), Progress { done: 4, all: 4 });
        assert_eq!(progress("nonsense"), Progress::default());
    }
}
