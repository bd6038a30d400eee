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
