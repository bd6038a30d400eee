//! What all papers say alike: the words of a language, times of a zone, lists, facts, title and footer.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Fact, Paper, Part};
use crate::clock::from_ms;
use crate::text::text;
use crate::user::Language;

/// Writes in one language and one zone.
#[derive(Clone, Debug)]
pub struct Scribe {
    /// The language.
    pub language: Language,
    /// The zone's name, as it stands in the footer.
    zone: String,
}

impl Scribe {
    /// A scribe of that language for a place in that IANA zone.
    pub fn new(language: Language, zone: &str) -> Self {
        Self { language, zone: zone.to_owned() }
    }

    /// A text by its key.
    pub fn word(&self, key: &str) -> String {
        text(self.language, key, &[])
    }

    /// A text by its key, with its arguments.
    pub fn say(&self, key: &str, args: &[(&str, &str)]) -> String {
        text(self.language, key, args)
    }

    /// A word of the wire; one that has no text is its own.
    pub fn of(&self, prefix: &str, word: &str) -> String {
        let key = format!("{prefix}.{word}");
        let told = self.word(&key);
        if told == key { word.to_owned() } else { told }
    }

    fn zone(&self) -> TimeZone {
        TimeZone::get(&self.zone).unwrap_or(TimeZone::UTC)
    }

    /// A time, Unix ms.
    pub fn at(&self, ms: i64) -> String {
        from_ms(ms).to_zoned(self.zone()).strftime("%Y-%m-%d %H:%M").to_string()
    }

    /// What is not empty, in a row.
    pub fn list(&self, words: impl IntoIterator<Item = String>) -> String {
        let separator = match self.language {
            Language::En => ", ",
            Language::Zh => "、",
        };
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(separator)
    }

    /// A fact under its name.
    pub fn fact(&self, key: &str, text: impl Into<String>, wide: bool) -> Fact {
        Fact { name: self.word(key), text: text.into(), wide }
    }

    /// The name of a place in the paper's language.
    pub fn name<'n>(&self, name: &'n str, name_zh: &'n str) -> &'n str {
        match self.language {
            Language::Zh if !name_zh.is_empty() => name_zh,
            Language::Zh | Language::En => name,
        }
    }

    /// The paper that is printed now, with these parts.
    pub fn paper(
        &self,
        title: &str,
        number: String,
        remark: String,
        now: Timestamp,
        parts: Vec<Part>,
    ) -> Paper {
        let printed = self.at(now.as_millisecond());
        Paper {
            language: self.language,
            title: self.word(title),
            number,
            remark,
            made_at: now.to_zoned(self.zone()),
            footer: self.say("paper.printed", &[("at", &printed), ("zone", &self.zone)]),
            paging: self.word("paper.page"),
            parts,
        }
    }
}
