//! A page is one message to one person on one channel. It is decided in the transaction that makes it
//! necessary, stored, and sent by a sender afterwards: at least once, with a key that lets the receiver
//! recognise a repeat, and with a record of every attempt. A crash between the decision and the
//! provider's answer repeats a page; it never loses one.

pub mod ack;
pub mod api;
pub mod bundle;
pub mod channel;
pub mod hold;
pub mod step;
pub mod store;

use std::time::Duration;

use sitewarden_proto::fault;

use crate::text::{Language, text};

/// What a page is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A ticket stands and wants somebody.
    Opened,
    /// The machine has seen that the trouble is over.
    Closed,
    /// Customers hear that their trouble is known.
    Informed,
    /// Customers hear that it is over.
    InformedOver,
    /// A promised time is running out.
    AtRisk,
    /// A promised time is up.
    Breached,
    /// It was kept after all, as evidence shows that came late.
    Kept,
    /// A customer complains.
    Complaint,
    /// A complaint is not answered in time.
    ComplaintLate,
}

impl Purpose {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Closed => "closed",
            Self::Informed => "informed",
            Self::InformedOver => "informed_over",
            Self::AtRisk => "at_risk",
            Self::Breached => "breached",
            Self::Kept => "kept",
            Self::Complaint => "complaint",
            Self::ComplaintLate => "complaint_late",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Self {
        let others = [
            Self::Closed,
            Self::Informed,
            Self::InformedOver,
            Self::AtRisk,
            Self::Breached,
            Self::Kept,
            Self::Complaint,
            Self::ComplaintLate,
        ];
        others.into_iter().find(|purpose| purpose.as_str() == word).unwrap_or(Self::Opened)
    }
}

/// How often a page is tried in quick succession, over some twenty minutes. Then the ticket's record says that
/// it does not get through, and others are told.
pub const ATTEMPTS_MAX: i64 = 10;
/// How often a page is tried at all while nobody has taken its ticket: half-hourly for a day more.
pub const ATTEMPTS_END: i64 = ATTEMPTS_MAX + 48;
/// How long a sender may hold a page before another one takes it.
pub const CLAIM: Duration = Duration::from_secs(60);
/// How long one attempt may take.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(15);

/// The wait after the `attempt`-th failure (from 1): doubling from 5 s to at most 5 min, in the end half an hour.
pub fn backoff(attempt: i64) -> Duration {
    if attempt >= ATTEMPTS_MAX {
        return Duration::from_mins(30);
    }
    Duration::from_secs((5_u64 << attempt.clamp(1, 7).unsigned_abs().saturating_sub(1)).min(300))
}

/// What the message is made of.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "named as on screen")]
pub struct Facts<'a> {
    pub purpose: Purpose,
    pub number: i64,
    pub severity: &'a str,
    pub code: &'a str,
    pub title: &'a str,
    pub site: &'a str,
    pub site_zh: &'a str,
    /// The device, or the gateway where there is none.
    pub subject: &'a str,
    /// When the trouble began, in the site's zone.
    pub since: String,
    pub evidence: &'a str,
    /// What was tried from afar; may be empty.
    pub tried: &'a str,
    pub link: &'a str,
    /// The page may have been sent before: an earlier claim ran out without an answer.
    pub repeat: bool,
    /// The clock that it is about, for pages about one.
    pub clock: ClockFacts<'a>,
    /// The complaint that it is about, for pages about one.
    pub complaint: ComplaintFacts<'a>,
}

/// The complaint that a page is about; until when it is to be answered is the clock's `due`.
#[derive(Clone, Debug, Default)]
pub struct ComplaintFacts<'a> {
    /// Its number.
    pub number: i64,
    /// What is complained of, a key of the texts.
    pub subject: &'a str,
    /// Who complains.
    pub who: &'a str,
}

/// The clock that a page is about.
#[derive(Clone, Debug, Default)]
pub struct ClockFacts<'a> {
    /// What the contract calls it.
    pub title: &'a str,
    /// How much of its time is used, per cent.
    pub share: i64,
    /// When it is, or was, due, in the site's zone.
    pub due: String,
    /// Who is expected too late, for a page about that.
    pub late: Option<LateFacts<'a>>,
}

/// Who is expected too late at a site.
#[derive(Clone, Debug, Default)]
pub struct LateFacts<'a> {
    /// Who.
    pub who: &'a str,
    /// How far the person has to go, km, in digits; may be empty.
    pub km: String,
    /// When the person can be there, in the site's zone.
    pub there: String,
}

/// A message in one language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// One line, without line breaks.
    pub subject: String,
    /// Plain text.
    pub text: String,
}

/// Puts a page into words.
pub fn compose(language: Language, facts: &Facts<'_>) -> Message {
    let lang = language.as_str();
    let known = fault::find(facts.code);
    let what = match known {
        Some(fault) if facts.title.is_empty() => format!("{}: {}", facts.subject, fault.title.get(lang)),
        // The machine's own trouble that has a name instead of a device.
        Some(fault) => format!("{}: {}", facts.title, fault.title.get(lang)),
        None if !facts.title.is_empty() => facts.title.to_owned(),
        None => format!("{}: {}", facts.subject, facts.code),
    };
    let site = match language {
        Language::En => facts.site,
        Language::Zh if facts.site_zh.is_empty() => facts.site,
        Language::Zh => facts.site_zh,
    };
    let number = facts.number.to_string();
    let share = facts.clock.share.to_string();
    let severity = text(language, &format!("mail.severity.{}", facts.severity), &[]);
    let late = facts.clock.late.clone().unwrap_or_default();
    let complaint = facts.complaint.number.to_string();
    let subject = match facts.complaint.subject {
        "" => String::new(),
        subject => text(language, &format!("complaint.subject.{subject}"), &[]),
    };
    let args = [
        ("number", number.as_str()),
        ("site", site),
        ("what", what.as_str()),
        ("severity", severity.as_str()),
        ("since", facts.since.as_str()),
        ("link", facts.link),
        ("evidence", facts.evidence),
        ("tried", facts.tried),
        ("clock", facts.clock.title),
        ("share", share.as_str()),
        ("due", facts.clock.due.as_str()),
        ("who", if late.who.is_empty() { facts.complaint.who } else { late.who }),
        ("complaint", complaint.as_str()),
        ("subject", subject.as_str()),
        ("km", late.km.as_str()),
        ("there", late.there.as_str()),
    ];
    let line = |key: &str| text(language, key, &args);
    let mut lines = Vec::new();
    let subject = match facts.purpose {
        Purpose::Opened => {
            lines.push(line("mail.opened.first"));
            if let Some(fault) = known {
                lines.push(fault.meaning.get(lang).to_owned());
            }
            if !facts.evidence.is_empty() {
                lines.push(line("mail.evidence"));
            }
            lines.push(line("mail.since"));
            if !facts.tried.is_empty() {
                lines.push(line("mail.tried"));
            }
            if let Some(fault) = known {
                lines.push(fault.remedy.get(lang).to_owned());
            }
            if !facts.link.is_empty() {
                lines.push(line("mail.opened.link"));
            }
            line("mail.opened.subject")
        }
        Purpose::Closed => {
            lines.push(line("mail.closed.first"));
            lines.push(line("mail.since"));
            line("mail.closed.subject")
        }
        Purpose::Informed => {
            lines.push(line("mail.informed.first"));
            lines.push(line("mail.since"));
            line("mail.informed.subject")
        }
        Purpose::InformedOver => {
            lines.push(line("mail.informed_over.first"));
            lines.push(line("mail.since"));
            line("mail.informed_over.subject")
        }
        Purpose::AtRisk | Purpose::Breached | Purpose::Kept => {
            let name = if facts.clock.late.is_some() { "foreseen" } else { facts.purpose.as_str() };
            lines.push(line(&format!("mail.{name}.first")));
            if !late.km.is_empty() {
                lines.push(line("mail.foreseen.far"));
            }
            lines.push(line("mail.clock.due"));
            if !facts.link.is_empty() {
                lines.push(line("mail.clock.link"));
            }
            line(&format!("mail.{name}.subject"))
        }
        Purpose::Complaint | Purpose::ComplaintLate => {
            let name = facts.purpose.as_str();
            lines.push(line(&format!("mail.{name}.first")));
            lines.push(line("mail.clock.due"));
            if !facts.link.is_empty() {
                lines.push(line("mail.complaint.link"));
            }
            line(&format!("mail.{name}.subject"))
        }
    };
    if facts.repeat {
        lines.push(line("mail.repeat"));
    }
    Message { subject: subject.replace(['\r', '\n'], " "), text: lines.join("\n\n") }
}

/// Evidence as people read it, from the flat object a gateway sends: in the words of the catalogue, else
/// the gateway's own `text`, else `key value · key value`.
pub fn evidence_words(language: Language, code: &str, json: &str) -> String {
    let Ok(serde_json::Value::Object(map)) = serde_json::from_str(json) else { return String::new() };
    let plain = |value: &serde_json::Value| match value {
        serde_json::Value::String(word) => word.clone(),
        other => other.to_string(),
    };
    let by_catalogue = fault::find(code)
        .and_then(|fault| fault.evidence_words(language.as_str(), |key| map.get(key).map(plain)));
    if let Some(words) = by_catalogue.or_else(|| map.get("text").map(plain)) {
        return words;
    }
    map.iter().map(|(key, value)| format!("{key} {}", plain(value))).collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(purpose: Purpose) -> Facts<'static> {
        Facts {
            purpose,
            number: 1042,
            severity: "critical",
            code: "unreachable",
            title: "",
            site: "North Gate",
            site_zh: "北门站",
            subject: "cam-11",
            since: "03:12:08".into(),
            evidence: "icmp 3 of 3 lost",
            tried: "",
            link: "https://noc.example/a/x",
            repeat: false,
            clock: ClockFacts { title: "Arrival", share: 90, due: "13:00:00".into(), late: None },
            complaint: ComplaintFacts::default(),
        }
    }

    #[test]
    fn a_page_says_what_where_since_when_and_how_to_take_it() {
        let en = compose(Language::En, &facts(Purpose::Opened));
        for word in ["#1042", "North Gate", "cam-11"] {
            assert!(en.subject.contains(word), "{}", en.subject);
        }
        for word in ["03:12:08", "3 of 3 lost", "https://noc.example/a/x"] {
            assert!(en.text.contains(word), "{}", en.text);
        }
        let zh = compose(Language::Zh, &facts(Purpose::Opened));
        assert!(zh.subject.contains("北门站") && zh.text.contains("03:12:08"), "{zh:?}");
        let over = compose(Language::En, &facts(Purpose::Closed));
        assert_ne!(over.subject, en.subject);
    }

    #[test]
    fn a_page_about_a_clock_says_which_one_how_far_and_by_when() {
        for language in [Language::En, Language::Zh] {
            for purpose in [Purpose::AtRisk, Purpose::Breached, Purpose::Kept] {
                let message = compose(language, &facts(purpose));
                assert!(
                    message.subject.contains("#1042") && message.subject.contains("Arrival"),
                    "{message:?}"
                );
                assert!(message.text.contains("13:00:00"), "{message:?}");
                assert_eq!(message.text.contains("90"), purpose == Purpose::AtRisk, "{message:?}");
                assert_eq!(Purpose::parse(purpose.as_str()), purpose);
            }
        }
    }

    #[test]
    fn a_page_about_somebody_who_comes_too_late_says_who_from_where_and_when() {
        for language in [Language::En, Language::Zh] {
            let late = LateFacts { who: "li.wei", km: "23.5".into(), there: "13:20:00".into() };
            let clock = ClockFacts { title: "Arrival", share: 0, due: "13:00:00".into(), late: Some(late) };
            let message = compose(language, &Facts { clock, ..facts(Purpose::AtRisk) });
            assert!(message.subject.contains("#1042") && message.subject.contains("Arrival"), "{message:?}");
            for word in ["li.wei", "23.5", "13:20:00", "13:00:00"] {
                assert!(message.text.contains(word), "{message:?}");
            }
            assert!(!message.text.contains('%') && !message.text.contains('{'), "{message:?}");
        }
    }

    #[test]
    fn a_page_about_a_complaint_says_of_what_who_complains_and_until_when() {
        for language in [Language::En, Language::Zh] {
            for purpose in [Purpose::Complaint, Purpose::ComplaintLate] {
                let complaint = ComplaintFacts { number: 7, subject: "attitude", who: "Ms Zhou" };
                let message = compose(language, &Facts { complaint, ..facts(purpose) });
                let subject = text(language, "complaint.subject.attitude", &[]);
                assert!(message.subject.contains('7') && message.subject.contains(&subject), "{message:?}");
                for word in ["Ms Zhou", "13:00:00", "#1042", "https://noc.example/a/x"] {
                    assert!(message.text.contains(word), "{message:?}");
                }
                assert!(!message.text.contains('{'), "{message:?}");
                assert_eq!(Purpose::parse(purpose.as_str()), purpose);
            }
        }
    }

    #[test]
    fn a_title_by_hand_wins_and_cannot_break_a_header() {
        let by_hand = Facts { title: "door\r\nBcc: x", code: "", ..facts(Purpose::Opened) };
        let message = compose(Language::En, &by_hand);
        assert!(!message.subject.contains('\n') && message.subject.contains("door"), "{message:?}");
    }

    #[test]
    fn waiting_doubles_up_to_a_cap() {
        let waits: Vec<u64> = (1..=11).map(|n| backoff(n).as_secs()).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300, 300, 1800, 1800]);
    }

    #[test]
    fn evidence_reads_as_words() {
        let words = |json| evidence_words(Language::Zh, "http_status", json);
        assert_eq!(words(r#"{"status":503,"expected":200,"text":"x"}"#), "返回状态码 503，应为 200");
        assert_eq!(words(r#"{"status":503,"text":"no answer"}"#), "no answer");
        assert_eq!(words(r#"{"lost":3,"of":"five"}"#), "lost 3 · of five");
        assert_eq!(words("nonsense"), "");
    }
}
