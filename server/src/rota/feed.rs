//! Shifts as a calendar feed (RFC 5545): UTC times, lines of at most 75 bytes, CRLF, and a name of each event that
//! stays the same as long as its shift does.

use std::fmt::Write as _;

use jiff::Timestamp;

use super::Shift;

/// The longest line, bytes (RFC 5545, 3.1).
const LINE_MAX: usize = 75;

/// A shift with its words.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// When and who.
    pub shift: &'a Shift,
    /// Names the rota.
    pub rota_id: &'a str,
    /// What a calendar shows.
    pub summary: String,
    /// What it shows besides.
    pub description: String,
}

/// The whole feed. `made_at` is when it is read (DTSTAMP).
pub fn write(name: &str, events: &[Event<'_>], made_at: Timestamp) -> String {
    let mut text = String::new();
    for line in [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Sitewarden//Rota//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
    ] {
        fold(&mut text, line);
    }
    fold(&mut text, &format!("X-WR-CALNAME:{}", escape(name)));
    fold(&mut text, "REFRESH-INTERVAL;VALUE=DURATION:PT15M");
    fold(&mut text, "X-PUBLISHED-TTL:PT15M");
    for event in events {
        let shift = event.shift;
        fold(&mut text, "BEGIN:VEVENT");
        let uid = format!(
            "{}-{}-{}-{}@sitewarden",
            event.rota_id,
            shift.layer,
            shift.account,
            shift.start.as_second()
        );
        fold(&mut text, &format!("UID:{uid}"));
        fold(&mut text, &format!("DTSTAMP:{}", utc(made_at)));
        fold(&mut text, &format!("DTSTART:{}", utc(shift.start)));
        fold(&mut text, &format!("DTEND:{}", utc(shift.end)));
        fold(&mut text, &format!("SUMMARY:{}", escape(&event.summary)));
        if !event.description.is_empty() {
            fold(&mut text, &format!("DESCRIPTION:{}", escape(&event.description)));
        }
        fold(&mut text, "TRANSP:OPAQUE");
        fold(&mut text, "END:VEVENT");
    }
    fold(&mut text, "END:VCALENDAR");
    text
}

/// `20261123T000000Z`.
fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Text as a value (RFC 5545, 3.3.11).
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Appends a line, folded between characters so that none of its lines is longer than 75 bytes.
fn fold(text: &mut String, line: &str) {
    let mut room = LINE_MAX;
    for c in line.chars() {
        if c.len_utf8() > room {
            text.push_str("\r\n ");
            room = LINE_MAX - 1;
        }
        room -= c.len_utf8();
        let _ = write!(text, "{c}");
    }
    text.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rota::Turn;

    #[test]
    fn lines_are_folded_between_characters_and_text_is_escaped() {
        let begin: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        let end: Timestamp = "2026-11-30T00:00:00Z".parse().unwrap();
        let shift = Shift {
            layer: 0,
            account: "a".into(),
            instead_of: None,
            override_id: None,
            start: begin,
            end,
            turn: Turn { number: 0, begin, end },
        };
        let summary = "值班,主班;".repeat(20);
        let event = Event { shift: &shift, rota_id: "r", summary, description: "one\ntwo\\".into() };
        let text = write("城区", &[event], begin);
        assert!(text.split("\r\n").all(|line| line.len() <= LINE_MAX && !line.contains('\n')), "{text}");
        assert!(text.ends_with("END:VCALENDAR\r\n"));
        let unfolded = text.replace("\r\n ", "");
        assert!(unfolded.contains(&format!("SUMMARY:{}\r\n", "值班\\,主班\\;".repeat(20))), "{unfolded}");
        assert!(unfolded.contains("DESCRIPTION:one\\ntwo\\\\\r\n"));
        assert!(unfolded.contains("UID:r-0-a-1795392000@sitewarden\r\nDTSTAMP:20261123T000000Z\r\n"));
    }
}
