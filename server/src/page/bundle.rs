//! One message for several pages: what a limit held back, line by line. Pure.

use super::Message;
use crate::text::{Language, text};

/// So many pages are named; of the others only the number is told.
const NAMED_MAX: usize = 20;

/// Puts several messages, with their links, into one.
pub fn compose(language: Language, pages: &[(Message, String)], repeat: bool) -> Message {
    let count = pages.len().to_string();
    let first = pages.first().map(|(message, _)| message.subject.as_str()).unwrap_or_default();
    let args = [("count", count.as_str()), ("first", first)];
    let mut lines = vec![text(language, "mail.bundle.first", &args)];
    for (message, link) in pages.iter().take(NAMED_MAX) {
        lines.push(format!("• {}{}{link}", message.subject, if link.is_empty() { "" } else { "\n  " }));
    }
    if pages.len() > NAMED_MAX {
        let more = (pages.len() - NAMED_MAX).to_string();
        lines.push(text(language, "mail.bundle.more", &[("count", more.as_str())]));
    }
    if repeat {
        lines.push(text(language, "mail.repeat", &[]));
    }
    Message {
        subject: text(language, "mail.bundle.subject", &args).replace(['\r', '\n'], " "),
        text: lines.join("\n\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_named_or_counted() {
        let page = |n: usize| {
            let message = Message { subject: format!("#{n} cam-{n}"), text: "long".into() };
            (message, format!("https://x/a/{n}"))
        };
        let pages: Vec<_> = (1..=23).map(page).collect();
        let message = compose(Language::En, &pages, true);
        assert!(message.subject.contains("23") && message.subject.contains("#1 cam-1"), "{message:?}");
        assert!(message.text.contains("#20 cam-20") && !message.text.contains("#21"), "{message:?}");
        assert!(message.text.contains("https://x/a/20") && message.text.contains('3'), "{message:?}");
        let zh = compose(Language::Zh, &pages[..2], false);
        assert!(zh.subject.contains('2') && zh.text.contains("#2 cam-2"), "{zh:?}");
    }
}
