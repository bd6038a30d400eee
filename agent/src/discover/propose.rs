//! What was found as devices that a person may take over: the lines of a file, never more than a proposal. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use serde_json::{Value, json};
use sitewarden_proto::usual;
use sitewarden_proto::wire::SwitchView;

use super::hints::{Hints, tame};
use super::identify::{Certainty, Identity, identify};

/// A device that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Where.
    pub address: IpAddr,
    /// From an ARP table.
    pub mac: Option<[u8; 6]>,
    /// What it is.
    pub identity: Identity,
    /// The switch that it hangs off, by its address.
    pub parent: Option<IpAddr>,
}

/// Puts together what was seen: what each address is, and which switch it hangs off.
pub fn proposals(seen: &BTreeMap<IpAddr, Hints>, views: &BTreeMap<IpAddr, SwitchView>) -> Vec<Proposal> {
    let arp: BTreeMap<&str, &[u8]> = views
        .values()
        .flat_map(|view| &view.arp)
        .map(|neighbour| (neighbour.address.as_str(), neighbour.mac.as_slice()))
        .collect();
    let of = |(address, hints): (&IpAddr, &Hints)| {
        let mut hints = hints.clone();
        let told = arp.get(address.to_string().as_str()).and_then(|mac| <[u8; 6]>::try_from(*mac).ok());
        hints.mac = hints.mac.or(told);
        let parent = hints.mac.and_then(|mac| parent(*address, mac, views));
        Proposal { address: *address, mac: hints.mac, identity: identify(&hints), parent }
    };
    seen.iter().map(of).collect()
}

/// The switch with the port that has learned this address and fewest others, and no other switch on it.
fn parent(own: IpAddr, mac: [u8; 6], views: &BTreeMap<IpAddr, SwitchView>) -> Option<IpAddr> {
    views
        .iter()
        .filter(|(address, _)| **address != own)
        .flat_map(|(address, view)| view.ports.iter().map(move |port| (address, port)))
        .filter(|(_, port)| !port.is_trunk && port.macs.iter().any(|one| one.as_slice() == mac))
        .min_by_key(|(_, port)| port.macs.len())
        .map(|(address, _)| *address)
}

impl Proposal {
    /// Whether it is something that may be worth watching.
    pub fn is_worth(&self) -> bool {
        !self.identity.is_noise && self.identity.class != "other" && self.identity.certainty > Certainty::None
    }

    fn id(class: &str, address: IpAddr) -> String {
        format!("{class}-{}", address.to_string().replace(['.', ':'], "-"))
    }

    fn name(&self) -> String {
        let Identity { model, maker, class, .. } = &self.identity;
        let what =
            [model.as_str(), maker, class].into_iter().find(|word| !word.is_empty()).unwrap_or_default();
        tame(&format!("{what} {}", self.address))
    }

    /// One line for people.
    fn line(&self) -> String {
        let Identity { maker, class, model, certainty, is_noise, .. } = &self.identity;
        let class = if *is_noise { "printer" } else { class };
        let words = [class, maker, model, certainty.as_str()].into_iter().filter(|word| !word.is_empty());
        format!("{:<15}  {}", self.address.to_string(), words.collect::<Vec<_>>().join("  "))
    }

    /// Its lines in a file; a comment alone when it is not worth watching.
    pub fn toml(&self, parents: &BTreeMap<IpAddr, String>) -> String {
        let mut text = format!("# {}\n", tame(&self.line()));
        if !self.is_worth() {
            return text;
        }
        let quoted = |word: &str| toml::Value::String(word.to_owned()).to_string();
        let Identity { maker, class, .. } = &self.identity;
        for why in self.identity.why.iter().take(8) {
            let _ = writeln!(text, "#   {}", tame(why));
        }
        let _ = writeln!(text, "[[device]]\nid = {}", quoted(&Self::id(class, self.address)));
        let _ = writeln!(text, "name = {}\nclass = {}", quoted(&self.name()), quoted(class));
        if !maker.is_empty() {
            let _ = writeln!(text, "maker = {}", quoted(maker));
        }
        let _ = writeln!(text, "address = {}", quoted(&self.address.to_string()));
        if let Some(parent) = self.parent.and_then(|parent| parents.get(&parent)) {
            let _ = writeln!(text, "parent = {}", quoted(parent));
        }
        let takes = |wanted| usual::checks(class, maker).iter().any(|check| check.takes == wanted);
        if takes(usual::Takes::Login) || takes(usual::Takes::PerhapsLogin) {
            text.push_str("# credentials = \"login\"    # [credentials.login] with user and password\n");
        } else if takes(usual::Takes::Snmp) {
            text.push_str("# credentials = \"snmp\"     # [credentials.snmp] with a community\n");
        }
        text
    }

    fn json(&self, parents: &BTreeMap<IpAddr, String>) -> Value {
        let Identity { maker, class, model, certainty, is_noise, why } = &self.identity;
        let checks: Vec<&str> = usual::checks(class, maker).iter().map(|check| check.name.as_str()).collect();
        json!({
            "address": self.address,
            "name": self.name(),
            "mac": self.mac.map(|mac| mac.map(|byte| format!("{byte:02x}")).join(":")),
            "maker": maker,
            "model": model,
            "class": class,
            "certainty": certainty.as_str(),
            "is_noise": is_noise,
            "is_proposed": self.is_worth(),
            "parent": self.parent,
            "why": why,
            "checks": if self.is_worth() { checks } else { Vec::new() },
            "toml": self.toml(parents),
        })
    }
}

fn parents(all: &[Proposal]) -> BTreeMap<IpAddr, String> {
    let of = |one: &Proposal| (one.address, Proposal::id(one.identity.class, one.address));
    all.iter().filter(|one| one.is_worth()).map(of).collect()
}

/// A file: `[[device]]` tables for what is worth watching, comments for the rest.
pub fn file(all: &[Proposal]) -> String {
    let parents = parents(all);
    all.iter().map(|one| one.toml(&parents) + "\n").collect()
}

/// The same as a list.
pub fn list(all: &[Proposal]) -> Vec<Value> {
    let parents = parents(all);
    all.iter().map(|one| one.json(&parents)).collect()
}
