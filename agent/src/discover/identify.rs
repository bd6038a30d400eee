//! From what everybody can see of a device to what it is. Pure: hints in, one answer out, with why.

use std::collections::BTreeMap;

use super::clue::{At, CLUES, ENTERPRISES, MODELS, PORTS, PREFIXES, PRINTER};
use super::hints::Hints;

/// A maker or class with so many votes is certain.
const CERTAIN: u32 = 6;
const LIKELY: u32 = 3;
/// `sysServices` of a bridge, RFC 3418.
const BRIDGE: u32 = 0b10;

/// How much there is to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// Something answers; nobody knows what.
    None,
    /// One weak hint.
    Guess,
    /// Several, or one that is seldom wrong.
    Likely,
    /// It says so itself.
    Certain,
}

impl Certainty {
    /// The word in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Guess => "guess",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }

    fn of(votes: u32) -> Self {
        match votes {
            0 => Self::None,
            CERTAIN.. => Self::Certain,
            LIKELY.. => Self::Likely,
            _ => Self::Guess,
        }
    }
}

/// What a device is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The maker; empty when unknown.
    pub maker: &'static str,
    /// The class; `other` when unknown.
    pub class: &'static str,
    /// The model, as it calls itself.
    pub model: String,
    /// How sure the weaker of maker and class is; a class alone is a guess at most.
    pub certainty: Certainty,
    /// Nothing that a site's contract watches, such as a printer.
    pub is_noise: bool,
    /// What spoke for it.
    pub why: Vec<String>,
}

#[derive(Default)]
struct Votes {
    makers: BTreeMap<&'static str, u32>,
    classes: BTreeMap<&'static str, u32>,
    why: Vec<String>,
}

impl Votes {
    fn add(&mut self, maker: &'static str, class: &'static str, weight: u32, why: String) {
        for (votes, name) in [(&mut self.makers, maker), (&mut self.classes, class)] {
            if !name.is_empty() {
                *votes.entry(name).or_default() += weight;
            }
        }
        self.why.push(why);
    }
}

fn best(votes: &BTreeMap<&'static str, u32>) -> (&'static str, u32) {
    // Among equals the first by name, so that the same hints are the same answer.
    votes.iter().rev().max_by_key(|(_, votes)| **votes).map_or(("", 0), |(name, votes)| (*name, *votes))
}

/// Says what a device is.
pub fn identify(hints: &Hints) -> Identity {
    let mut votes = Votes::default();
    words(hints, &mut votes);
    if let Some((_, maker)) =
        hints.mac.and_then(|mac| PREFIXES.iter().find(|(prefix, _)| mac.starts_with(prefix)))
    {
        votes.add(maker, "", 4, format!("its network address is one of {maker}"));
    }
    let enterprise = hints.sys_object.strip_prefix("1.3.6.1.4.1.").and_then(|rest| rest.split('.').next());
    if let Some((_, maker, class)) = enterprise
        .and_then(|arc| arc.parse().ok())
        .and_then(|arc: u32| ENTERPRISES.iter().find(|(number, ..)| *number == arc))
    {
        votes.add(maker, class, 6, format!("sysObjectID {}", hints.sys_object));
        if hints.sys_services & BRIDGE != 0 && ["cisco", "h3c", "huawei", "ruijie", "tplink"].contains(maker)
        {
            votes.add("", "switch", 6, format!("sysServices {} bridges", hints.sys_services));
        }
    }
    for (port, maker, class, weight) in PORTS {
        if hints.open.contains(port) {
            votes.add(maker, class, *weight, format!("port {port} is open"));
        }
    }
    if hints.is_upsd {
        votes.add("nut", "ups", 6, "it calls itself upsd".to_owned());
    }
    let (maker, _) = best(&votes.makers);
    let model = match model(hints, maker) {
        Some((model, by, class)) => {
            votes.add(by, class, 6, format!("its model {model} is a {class} by name"));
            model
        }
        None => super::hints::tame(&hints.discovery.hardware),
    };
    let ((maker, for_maker), (class, for_class)) = (best(&votes.makers), best(&votes.classes));
    let certainty = match (for_maker, for_class) {
        (0, 0) => Certainty::None,
        (0, _) | (_, 0) => Certainty::Guess,
        (maker, class) => Certainty::of(maker.min(class)),
    };
    let is_noise = class == PRINTER;
    let class = if is_noise || class.is_empty() { "other" } else { class };
    Identity { maker, class, model, certainty, is_noise, why: votes.why }
}

fn words(hints: &Hints, votes: &mut Votes) {
    let discovery = &hints.discovery;
    let discovery = format!("{} {} {}", discovery.types, discovery.name, discovery.hardware);
    let realms = format!("{} {}", hints.web.realm, hints.rtsp.realm);
    for (at, word, maker, class, weight) in CLUES {
        let (text, name) = match at {
            At::Server => (&hints.web.server, "HTTP Server"),
            At::Realm => (&realms, "realm"),
            At::Title => (&hints.web.title, "title"),
            At::LeadsTo => (&hints.web.leads_to, "the page leads to"),
            At::Rtsp => (&hints.rtsp.server, "RTSP Server"),
            At::Certificate => (&hints.certificate, "certificate"),
            At::Discovery => (&discovery, "WS-Discovery"),
            At::SysDescr => (&hints.sys_descr, "sysDescr"),
        };
        if text.to_lowercase().contains(word) {
            votes.add(maker, class, *weight, format!("{name}: {}", text.trim()));
        }
    }
}

/// The first word anywhere that begins like a model of that maker, whose it is, and its class.
fn model(hints: &Hints, maker: &str) -> Option<(String, &'static str, &'static str)> {
    let sources = [
        &hints.discovery.hardware,
        &hints.discovery.name,
        &hints.web.realm,
        &hints.sys_descr,
        &hints.sys_name,
    ];
    for text in sources {
        for word in text.split([' ', '(', ')', ',', '/', '_']) {
            let begins = |(of, prefix, _): &&(&str, &str, &str)| {
                let rest = word.get(..prefix.len()).filter(|head| head.eq_ignore_ascii_case(prefix));
                let after = word.get(prefix.len()..).unwrap_or_default();
                let numbered = prefix.len() > 2 || after.starts_with(|letter: char| letter.is_ascii_digit());
                rest.is_some()
                    && numbered
                    && after.bytes().any(|byte| byte.is_ascii_digit())
                    && (of.is_empty() || *of == maker || (maker.is_empty() && prefix.len() > 3))
            };
            if let Some((of, _, class)) =
                MODELS.iter().filter(begins).max_by_key(|(_, prefix, _)| prefix.len())
            {
                return Some((word.to_owned(), of, class));
            }
        }
    }
    None
}
