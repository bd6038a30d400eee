//! The server's own words, in both languages: mails and the page behind a link.
//!
//! One pair of files holds every text of the product; the web page and the server read the same
//! pair, and the server uses the keys that begin with `mail.`, `ack.` and `paper.`. A test compares the two
//! key sets and the placeholders of each text.

use std::collections::HashMap;
use std::sync::LazyLock;

pub use crate::user::Language;

type Texts = HashMap<String, String>;

static EN: LazyLock<Texts> = LazyLock::new(|| read(include_str!("../web/i18n/en.json")));
static ZH: LazyLock<Texts> = LazyLock::new(|| read(include_str!("../web/i18n/zh.json")));

fn read(json: &str) -> Texts {
    // A test proves that both files parse; a text that is missing shows its key instead.
    serde_json::from_str(json).unwrap_or_default()
}

fn texts(language: Language) -> &'static Texts {
    match language {
        Language::En => &EN,
        Language::Zh => &ZH,
    }
}

/// The text named `key` with each `{name}` replaced by the argument of that name. A key that does
/// not exist is its own text, so that a forgotten one is seen and nothing fails.
pub fn text(language: Language, key: &str, args: &[(&str, &str)]) -> String {
    let Some(template) = texts(language).get(key).or_else(|| EN.get(key)) else { return key.to_owned() };
    let mut out = String::with_capacity(template.len() + 32);
    let mut rest = template.as_str();
    // One pass: an argument that itself holds braces is not looked at again.
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            continue;
        };
        if let Some((_, value)) = args.iter().find(|(known, _)| *known == name) {
            out.push_str(value);
        } else {
            out.push('{');
            out.push_str(name);
            out.push('}');
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|part| part.split_once('}')).map(|(name, _)| name).collect()
    }

    #[test]
    fn both_languages_hold_the_same_texts() {
        let keys = |texts: &'static Texts| texts.keys().map(String::as_str).collect::<BTreeSet<_>>();
        assert!(EN.len() > 10 && ZH.len() > 10, "a file does not parse");
        assert_eq!(keys(&EN).symmetric_difference(&keys(&ZH)).collect::<Vec<_>>(), Vec::<&&str>::new());
        for (key, en) in EN.iter() {
            assert_eq!(placeholders(en), placeholders(&ZH[key]), "{key}");
            assert!(!en.trim().is_empty() && !ZH[key].trim().is_empty(), "{key} is empty");
        }
    }

    #[test]
    fn the_servers_own_words_are_there() {
        for key in [
            "mail.opened.subject",
            "mail.opened.first",
            "mail.opened.link",
            "mail.closed.subject",
            "mail.closed.first",
            "mail.informed.subject",
            "mail.informed.first",
            "mail.informed_over.subject",
            "mail.informed_over.first",
            "mail.evidence",
            "mail.since",
            "mail.repeat",
            "mail.severity.critical",
            "mail.severity.major",
            "mail.severity.minor",
            "mail.test.subject",
            "mail.test.first",
            "ack.take",
            "ack.too",
            "ack.taken",
            "ack.yours",
            "ack.closed",
            "ack.for",
            "ack.invalid",
            "ack.expired",
        ] {
            for language in [Language::En, Language::Zh] {
                assert_ne!(text(language, key, &[]), key);
            }
        }
    }

    #[test]
    fn an_argument_is_never_read_as_a_template() {
        let said = text(Language::En, "mail.test.first", &[("name", "{name} {x}")]);
        assert!(said.contains("{name} {x}"), "{said}");
        assert_eq!(text(Language::Zh, "no.such.key", &[]), "no.such.key");
    }
}
