//! A device is a thing that is watched. Its gateway tells us which faults stand; the device's state is
//! the worst effect of what stands, and *unknown* as long as nobody can know.
//!
//! A gateway that fell silent makes its devices unknown without touching their faults: when it speaks
//! again, the faults still stand or are cleared by the history that it brings.

pub mod api;
pub mod parent;
pub mod store;
pub mod timeline;
pub mod topology;

use sitewarden_proto::fault::Effect;

/// What a device is, from the catalogue of classes.
pub const CLASSES: &[&str] =
    &["camera", "nvr", "switch", "access", "ups", "phone", "intrusion", "server", "gateway", "other"];

/// The kinds of check that a gateway can run in this release.
pub const CHECK_KINDS: &[&str] = &[
    "icmp", "tcp", "http", "tls", "ntp", "snmp", "topology", "rtsp", "picture", "isapi", "dahua", "onvif",
    "switch", "ups", "nut", "host",
];

/// The most `[[check]]` tables one device may have.
pub const CHECKS_MAX: usize = 32;

/// The most bytes of check text that one device may have.
pub const CHECK_TEXT_MAX: usize = 32 * 1024;

/// The state of a device, as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Every check that has a definite answer is good.
    Ok,
    /// Nobody can know: no report yet, a silent gateway, or checks that could not look.
    Unknown,
    /// It works, but not as it should.
    Degraded,
    /// It does not do its job.
    Down,
    /// Somebody works on it by arrangement: whatever it says wakes nobody.
    Maintenance,
}

impl State {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Maintenance => "maintenance",
        }
    }

    /// Reads the word back; a word this release does not know is *unknown*.
    pub fn parse(word: &str) -> Self {
        [Self::Ok, Self::Degraded, Self::Down, Self::Maintenance]
            .into_iter()
            .find(|state| state.as_str() == word)
            .unwrap_or(Self::Unknown)
    }
}

impl From<Effect> for State {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Down => Self::Down,
            Effect::Degraded => Self::Degraded,
            Effect::Unknown => Self::Unknown,
        }
    }
}

/// What is known of a device when its state is asked for.
#[derive(Clone, Debug)]
pub struct Known<'a> {
    /// The gateway that watches it is heard.
    pub gateway_heard: bool,
    /// A maintenance window runs over it.
    pub in_maintenance: bool,
    /// At least one report has come since the device was added.
    pub reported: bool,
    /// The codes of the faults that stand.
    pub standing: &'a [String],
}

/// The state of a device and the fault code that decides it (empty when none does).
pub fn state(known: &Known<'_>) -> (State, String) {
    if known.in_maintenance {
        return (State::Maintenance, "maintenance".to_owned());
    }
    if !known.gateway_heard {
        return (State::Unknown, "gateway_silent".to_owned());
    }
    let mut worst = (if known.reported { State::Ok } else { State::Unknown }, String::new());
    for code in known.standing {
        let effect = effect_of(code);
        if effect > worst.0 || (effect == worst.0 && worst.1.is_empty() && effect != State::Ok) {
            worst = (effect, code.clone());
        }
    }
    worst
}

/// The state that one standing fault leads to. A code that a newer agent knows and we do not still
/// counts: as degraded, never as fine.
pub fn effect_of(code: &str) -> State {
    sitewarden_proto::fault::find(code).map_or(State::Degraded, |fault| fault.effect.into())
}

/// One check of a device as the API shows it: never its text, which may hold a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckName {
    /// Unique within the device.
    pub name: String,
    /// One of [`CHECK_KINDS`].
    pub kind: String,
}

/// What is wrong with a text of `[[check]]` tables.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CheckError {
    /// Not TOML.
    #[error("line {line}: {what}")]
    Syntax {
        /// Counted from 1.
        line: usize,
        /// The parser's words.
        what: String,
    },
    /// A key that has no place here.
    #[error("`{0}` does not belong here: the text holds `[[check]]` and `[remedy]` tables only")]
    Foreign(String),
    /// No table at all.
    #[error("there is no check; begin with `[[check]]` and `kind = \"icmp\"`")]
    Empty,
    /// Over a bound.
    #[error("too long: at most {CHECKS_MAX} checks and {CHECK_TEXT_MAX} bytes")]
    TooLong,
    /// An unknown kind.
    #[error("check {index}: kind `{kind}` is unknown; use one of {}", CHECK_KINDS.join(", "))]
    Kind {
        /// Counted from 1.
        index: usize,
        /// As written.
        kind: String,
    },
    /// Two checks of one name.
    #[error("check {index}: the name `{name}` is taken by an earlier check; give it a `name` of its own")]
    Twice {
        /// Counted from 1.
        index: usize,
        /// The name.
        name: String,
    },
}

/// How long the slowest check of a text of `[[check]]` tables takes to confirm a fault, ms: so many bad outcomes at its
/// interval. What cannot be read counts as the agent's default of two each minute.
pub fn confirm_ms(text: &str) -> i64 {
    let table: toml::Table = text.parse().unwrap_or_default();
    let checks = table.get("check").and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let one = |check: &toml::Value| {
        let word = |key: &str| check.get(key).and_then(toml::Value::as_str).unwrap_or_default();
        let every =
            word("every").parse::<jiff::SignedDuration>().map_or(60_000, |every| every.as_millis() as i64);
        let bad = word("confirm").split('/').next().and_then(|bad| bad.parse().ok()).unwrap_or(2_i64);
        every.clamp(1000, 86_400_000) * bad.clamp(1, 16)
    };
    checks.iter().map(one).max().unwrap_or(120_000)
}

/// Reads a text of `[[check]]` tables as far as the server needs to: kinds and names. The gateway
/// validates the rest and reports what it refuses.
pub fn parse_checks(text: &str) -> Result<Vec<CheckName>, CheckError> {
    if text.len() > CHECK_TEXT_MAX {
        return Err(CheckError::TooLong);
    }
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        CheckError::Syntax {
            line: text[..at.min(text.len())].matches('\n').count() + 1,
            what: error.message().to_owned(),
        }
    })?;
    if let Some(key) = table.keys().find(|key| !["check", "remedy"].contains(&key.as_str())) {
        return Err(CheckError::Foreign(key.clone()));
    }
    let checks = table.get("check").and_then(toml::Value::as_array).ok_or(CheckError::Empty)?;
    if checks.is_empty() {
        return Err(CheckError::Empty);
    }
    if checks.len() > CHECKS_MAX {
        return Err(CheckError::TooLong);
    }
    let mut names: Vec<CheckName> = Vec::with_capacity(checks.len());
    for (at, check) in checks.iter().enumerate() {
        let index = at + 1;
        let word = |key: &str| check.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        let kind = word("kind").unwrap_or_default();
        if !CHECK_KINDS.contains(&kind.as_str()) {
            return Err(CheckError::Kind { index, kind });
        }
        let name = word("name").unwrap_or_else(|| kind.clone());
        if names.iter().any(|earlier| earlier.name == name) {
            return Err(CheckError::Twice { index, name });
        }
        names.push(CheckName { name, kind });
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(heard: bool, reported: bool, standing: &[&str], state_is: State, because: &str) {
        let standing: Vec<String> = standing.iter().map(|code| (*code).to_owned()).collect();
        let known = Known { gateway_heard: heard, in_maintenance: false, reported, standing: &standing };
        assert_eq!(state(&known), (state_is, because.to_owned()));
    }

    #[test]
    fn the_worst_standing_fault_decides() {
        check(true, true, &[], State::Ok, "");
        check(true, true, &["tls_expiring"], State::Degraded, "tls_expiring");
        check(true, true, &["tls_expiring", "unreachable"], State::Down, "unreachable");
        check(true, true, &["http_auth_rejected"], State::Unknown, "http_auth_rejected");
        check(true, true, &["http_auth_rejected", "port_closed"], State::Degraded, "port_closed");
        check(true, true, &["a_code_from_the_future"], State::Degraded, "a_code_from_the_future");
    }

    #[test]
    fn nobody_knows_before_the_first_report_and_behind_a_silent_gateway() {
        check(true, false, &[], State::Unknown, "");
        check(false, true, &[], State::Unknown, "gateway_silent");
        check(false, true, &["unreachable"], State::Unknown, "gateway_silent");
        let standing = ["unreachable".to_owned()];
        let known = Known { gateway_heard: false, in_maintenance: true, reported: true, standing: &standing };
        assert_eq!(state(&known), (State::Maintenance, "maintenance".to_owned()));
    }

    #[test]
    fn the_slowest_check_says_how_long_it_takes() {
        let two = "[[check]]\nkind = \"icmp\"\nevery = \"30s\"\nconfirm = \"2/3\"\n\
                   [[check]]\nkind = \"snmp\"\nevery = \"5m\"\nconfirm = \"3/3\"\n";
        assert_eq!(confirm_ms(two), 900_000);
        assert_eq!(confirm_ms("[[check]]\nkind = \"icmp\""), 120_000);
        assert_eq!(confirm_ms("nonsense ["), 120_000);
    }

    #[test]
    fn checks_are_named_and_bad_ones_explained() {
        let two = "[[check]]\nkind = \"icmp\"\n[[check]]\nkind = \"tcp\"\nname = \"rtsp\"\nport = 554\n";
        let names: Vec<String> = parse_checks(two).unwrap().into_iter().map(|c| c.name).collect();
        assert_eq!(names, ["icmp", "rtsp"]);
        assert_eq!(parse_checks(""), Err(CheckError::Empty));
        assert_eq!(parse_checks("a = 1"), Err(CheckError::Foreign("a".into())));
        let twice = "[[check]]\nkind = \"icmp\"\n[[check]]\nkind = \"icmp\"\n";
        assert_eq!(parse_checks(twice), Err(CheckError::Twice { index: 2, name: "icmp".into() }));
        let unknown = parse_checks("[[check]]\nkind = \"telepathy\"").unwrap_err().to_string();
        assert!(unknown.contains("telepathy") && unknown.contains("icmp"), "{unknown}");
        let Err(CheckError::Syntax { line, .. }) = parse_checks("[[check]]\nkind = ") else { panic!() };
        assert_eq!(line, 2);
    }
}
