//! Puts SNMP answers into words: rows become values and facts, refusals become fault codes.

use std::net::SocketAddr;

use async_snmp::v3::ReportStatus;
use async_snmp::{Error, ErrorStatus, Oid, Value, VarBind};

use crate::config::Security;
use crate::probe::{Failure, OutcomeState, Reading};

/// Objects with a name of their own (RFC 3418, RFC 2863). A trailing index is kept.
const NAMES: [(&[u32], &str); 9] = [
    (&[1, 3, 6, 1, 2, 1, 1, 1], "sysDescr"),
    (&[1, 3, 6, 1, 2, 1, 1, 2], "sysObjectID"),
    (&[1, 3, 6, 1, 2, 1, 1, 3], "uptime_s"),
    (&[1, 3, 6, 1, 2, 1, 1, 5], "sysName"),
    (&[1, 3, 6, 1, 2, 1, 2, 2, 1, 2], "ifDescr"),
    (&[1, 3, 6, 1, 2, 1, 2, 2, 1, 7], "ifAdminStatus"),
    (&[1, 3, 6, 1, 2, 1, 2, 2, 1, 8], "ifOperStatus"),
    (&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1], "ifName"),
    (&[1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 18], "ifAlias"),
];

/// Adds one row to a reading: a number as a value, a text as a fact, "no such object" as nothing.
pub(super) fn add(reading: Reading, row: &VarBind) -> Reading {
    let name = name(&row.oid);
    match &row.value {
        Value::Integer(number) => reading.value(name, f64::from(*number)),
        Value::Counter32(number) | Value::Gauge32(number) | Value::UInteger32(number) => {
            reading.value(name, f64::from(*number))
        }
        Value::Counter64(number) => reading.value(name, *number as f64),
        // TimeTicks are hundredths of a second (RFC 2578, section 7.1.8).
        Value::TimeTicks(ticks) => reading.value(name, f64::from(*ticks) / 100.0),
        Value::OctetString(bytes) | Value::Opaque(bytes) | Value::Nsap(bytes) => {
            reading.fact(name, &text(bytes))
        }
        Value::ObjectIdentifier(object) => reading.fact(name, &object.to_string()),
        Value::IpAddress([a, b, c, d]) => reading.fact(name, &format!("{a}.{b}.{c}.{d}")),
        // The library's list is open; what has no value says nothing about the device's health.
        _ => reading,
    }
}

fn name(object: &Oid) -> String {
    for (prefix, name) in NAMES {
        let Some(index) = object.arcs().strip_prefix(prefix) else { continue };
        return match index {
            [0] => name.to_owned(),
            _ => index.iter().fold(name.to_owned(), |name, arc| format!("{name}.{arc}")),
        };
    }
    object.to_string()
}

/// Texts as they are, everything else (such as a MAC address) in hexadecimal.
fn text(bytes: &[u8]) -> String {
    let printable =
        |text: &str| text.chars().all(|letter| !letter.is_control() || "\r\n\t\0".contains(letter));
    match std::str::from_utf8(bytes) {
        Ok(text) if printable(text) => text.to_owned(),
        Ok(_) | Err(_) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"),
    }
}

/// Turns an error of the exchange into the fault it stands for.
pub(super) fn refusal(error: &Error, security: &Security, target: SocketAddr) -> Reading {
    let rejected = |code, text: &str| Reading::of(OutcomeState::Rejected, code, text);
    match error.exchange_source() {
        Error::Timeout { .. } | Error::ConstructionTimeout { .. } => silent(security, target),
        Error::Report { status, .. } => match status.as_ref() {
            ReportStatus::UnknownUserName { .. } => {
                rejected("snmp_unknown_user", "the device does not know this SNMP user")
            }
            ReportStatus::WrongDigest { .. } => wrong_key(target),
            ReportStatus::DecryptionError { .. } => {
                wrong_privacy_key(target, "the device cannot decrypt what we send")
            }
            ReportStatus::UnsupportedSecurityLevel { .. } => unsupported_level(target),
            // What is left means that the two sides disagree about engine or time, which the next run settles.
            other => {
                Reading::of(OutcomeState::Bad, "snmp_silent", &format!("{target} answered only: {other}"))
            }
        },
        // An answer that fails our own verification: the two sides hold different keys.
        Error::Auth { .. } => wrong_key(target),
        Error::Snmp { status: ErrorStatus::AuthorizationError | ErrorStatus::NoAccess, .. } => match security
        {
            Security::V3 { .. } => unsupported_level(target),
            Security::V1 { .. } | Security::V2c { .. } => rejected(
                "snmp_unsupported_level",
                "the device answered, and does not let this community read the object; check its access list",
            ),
        },
        // Any other error status is an answer of a living device about the object, not about its health.
        Error::Snmp { status, .. } => Reading::good().fact("snmp_error", &status.to_string()),
        Error::Network { source, .. } => Failure::from_io(source, target).into_reading("snmp_silent"),
        other => Reading::of(
            OutcomeState::Bad,
            "snmp_silent",
            &format!("{target} gave no SNMP answer we can read: {other}"),
        ),
    }
}

fn silent(security: &Security, target: SocketAddr) -> Reading {
    let text = match security {
        Security::V3 { .. } => {
            format!("{target} gave no SNMP answer: it is down, or SNMP is off or filtered")
        }
        Security::V1 { .. } | Security::V2c { .. } => format!(
            "{target} gave no SNMP answer: it is down, SNMP is off or filtered, or the community is wrong \
             (versions 1 and 2c do not answer a wrong community)"
        ),
    };
    Failure { reason: "timeout", text }.into_reading("snmp_silent")
}

fn wrong_key(target: SocketAddr) -> Reading {
    let text = format!("{target} knows the SNMP user, but the authentication password or protocol is wrong");
    Reading::of(OutcomeState::Rejected, "snmp_wrong_key", &text)
}

/// The reading for a device that knows the user and the authentication key, and cannot read our encryption.
pub(super) fn wrong_privacy_key(target: SocketAddr, seen: &str) -> Reading {
    Reading::good().fault(
        OutcomeState::Rejected,
        "snmp_wrong_privacy_key",
        &format!("{target} accepts the SNMP user, but the privacy password or protocol is wrong"),
        [("seen", serde_json::Value::from(seen))],
    )
}

fn unsupported_level(target: SocketAddr) -> Reading {
    let text = format!("{target} wants another SNMP security level for this user than the check asks for");
    Reading::of(OutcomeState::Rejected, "snmp_unsupported_level", &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    fn row(object: &str, value: Value) -> VarBind {
        VarBind::new(object.parse().unwrap(), value)
    }

    #[test]
    fn rows_become_named_values_and_facts() {
        let reading = [
            row("1.3.6.1.2.1.1.3.0", Value::TimeTicks(12_345)),
            row("1.3.6.1.2.1.2.2.1.8.24", Value::Integer(2)),
            row(
                "1.3.6.1.2.1.2.2.1.6.24",
                Value::OctetString(vec![0x00, 0xe0, 0xfc, 0x01, 0x9c, 0xff].into()),
            ),
            row("1.3.6.1.4.1.39165.1.1.0", Value::OctetString(b"DS-2CD\0".to_vec().into())),
            row("1.3.6.1.4.1.1004849.2.1.2.8.0", Value::Integer(1)),
            row("1.3.6.1.2.1.1.1.0", Value::NoSuchObject),
        ]
        .iter()
        .fold(Reading::good(), add);
        assert_eq!(
            reading.values,
            [
                ("uptime_s".to_owned(), 123.45),
                ("ifOperStatus.24".to_owned(), 2.0),
                ("1.3.6.1.4.1.1004849.2.1.2.8.0".to_owned(), 1.0),
            ]
        );
        assert_eq!(reading.facts["1.3.6.1.2.1.2.2.1.6.24"], "00:e0:fc:01:9c:ff");
        assert_eq!(reading.facts["1.3.6.1.4.1.39165.1.1.0"], "DS-2CD");
        assert_eq!(reading.facts.len(), 2);
    }

    #[test]
    fn silence_of_an_old_version_names_the_community_as_a_cause() {
        let target = "192.0.2.1:161".parse().unwrap();
        let error = Error::Timeout { target, elapsed: std::time::Duration::from_secs(1), retries: 1 };
        let text = |security: Security| {
            let reading = refusal(&error, &security, target);
            assert_eq!(reading.state, OutcomeState::Silent);
            reading.faults[0].evidence["text"].as_str().unwrap().to_owned()
        };
        assert!(text(Security::V2c { community: Secret::new("x") }).contains("community"));
        assert!(
            !text(Security::V3 { user: "x".to_owned(), auth: None, privacy: None }).contains("community")
        );
    }
}
