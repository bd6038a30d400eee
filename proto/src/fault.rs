//! The catalogue of fault codes: what can be wrong with a device, how bad that is, what it does to the
//! device, and what to tell a person in either language. Its source is `faults.toml`, which is compiled in
//! and parsed once; a test proves that it parses and that nothing is empty.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::id::FaultCode;

/// How bad a fault is by the catalogue; a contract may make a priority of it. Worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody should look at it in working hours.
    Minor,
    /// A function of the device is lost.
    Major,
    /// The device is lost.
    Critical,
}

impl Severity {
    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }
}

/// What a standing fault does to the state of its device. Worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Nobody can say how the device is.
    Unknown,
    /// It works in part.
    Degraded,
    /// It does not work.
    Down,
}

impl Effect {
    /// The word on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Degraded => "degraded",
            Self::Down => "down",
        }
    }
}

/// A text in the two languages of the product.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// English.
    pub en: String,
    /// Simplified Chinese.
    pub zh: String,
}

impl Text {
    /// The text for a language tag; anything that does not begin with `zh` is English.
    pub fn get(&self, lang: &str) -> &str {
        if lang.starts_with("zh") { &self.zh } else { &self.en }
    }
}

/// One entry of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its name in every record; never changes its meaning.
    pub code: FaultCode,
    /// How bad it is.
    pub severity: Severity,
    /// What it does to the device.
    pub effect: Effect,
    /// A few words for a tile or a subject line.
    pub title: Text,
    /// What was observed, in a sentence.
    pub meaning: Text,
    /// What to do next.
    pub remedy: Text,
    /// What was measured, with `{key}` for values of the evidence; without it the gateway's own text stands.
    pub evidence: Option<Text>,
}

impl Fault {
    /// The evidence in words of a language, or None when a value that the words need is not there.
    pub fn evidence_words(&self, lang: &str, value: impl Fn(&str) -> Option<String>) -> Option<String> {
        let mut rest = self.evidence.as_ref()?.get(lang);
        let mut words = String::with_capacity(rest.len() + 32);
        while let Some((before, after)) = rest.split_once('{') {
            let (key, tail) = after.split_once('}')?;
            words.push_str(before);
            words.push_str(&value(key)?);
            rest = tail;
        }
        words.push_str(rest);
        Some(words)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    fault: Vec<Fault>,
}

/// Every fault this build knows, in the order of the file.
pub fn catalogue() -> &'static [Fault] {
    static CATALOGUE: OnceLock<Vec<Fault>> = OnceLock::new();
    CATALOGUE.get_or_init(|| {
        let file: File =
            toml::from_str(include_str!("../faults.toml")).expect("faults.toml is checked by a test");
        file.fault
    })
}

/// The entry of a code; None for a code that a newer agent made up.
pub fn find(code: &str) -> Option<&'static Fault> {
    static BY_CODE: OnceLock<BTreeMap<&'static str, &'static Fault>> = OnceLock::new();
    BY_CODE.get_or_init(|| catalogue().iter().map(|f| (f.code.as_str(), f)).collect()).get(code).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_worded_only_when_all_of_it_is_there() {
        let fault = find("http_status").unwrap();
        let full = |key: &str| Some(if key == "status" { "503" } else { "200" }.to_owned());
        assert_eq!(fault.evidence_words("en", full).unwrap(), "it answered 503, expected was 200");
        assert!(fault.evidence_words("zh-CN", full).unwrap().contains("503"));
        assert_eq!(fault.evidence_words("en", |key| (key == "status").then(String::new)), None);
    }

    #[test]
    fn the_catalogue_is_whole() {
        for fault in catalogue() {
            assert_eq!(find(fault.code.as_str()), Some(fault), "{} is there twice", fault.code);
            for text in [&fault.title, &fault.meaning, &fault.remedy] {
                assert!(!text.en.trim().is_empty() && text.en.is_ascii(), "{}: {}", fault.code, text.en);
                assert!(text.zh.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{}", fault.code);
            }
            assert!(fault.title.en.chars().count() <= 48, "{} has a long title", fault.code);
        }
    }

    #[test]
    fn worse_sorts_later() {
        assert!(Effect::Down > Effect::Degraded && Effect::Degraded > Effect::Unknown);
        assert!(Severity::Critical > Severity::Major && Severity::Major > Severity::Minor);
    }
}
