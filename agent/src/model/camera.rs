//! What is wrong with a camera by what it says of itself over ONVIF. Pure.

use jiff::Timestamp;
use serde_json::Value;

use super::health::{self, Past};
use crate::config;
use crate::probe::OutcomeState::{Bad, Rejected};
use crate::probe::Reading;
use crate::probe::onvif::said::Notice;

/// What one run has seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) maker: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) firmware: Option<String>,
    pub(crate) serial: Option<String>,
    /// How far its clock is ahead, ms.
    pub(crate) offset_ms: Option<i64>,
    /// Its clock follows a time server.
    pub(crate) follows: Option<bool>,
    /// How many profiles it offers.
    pub(crate) profiles: Option<usize>,
    pub(crate) stream: Option<String>,
    pub(crate) snapshot: Option<String>,
    pub(crate) notices: Option<Vec<Notice>>,
    /// Questions that came to nothing, and why.
    pub(crate) unknown: std::collections::BTreeMap<&'static str, String>,
}

/// What a topic means when its property is true: the code, and the beginning or a part of the topic.
const TOPICS: [(&str, &[&str]); 4] = [
    ("channel_no_signal", &["VideoSource/SignalLoss", "VideoSource/VideoLoss"]),
    ("camera_tampered", &["GlobalSceneChange", "ImageTooBlurry", "TamperDetector/Tamper"]),
    ("disk_failed", &["HardwareFailure/StorageFailure"]),
    (
        "device_defective",
        &[
            "HardwareFailure/FanFailure",
            "HardwareFailure/PowerSupplyFailure",
            "HardwareFailure/TemperatureCritical",
        ],
    ),
];

/// Turns what was seen into faults, and remembers what has to be.
pub(crate) fn judge(seen: &Seen, asked: &config::Onvif, past: &mut Past) -> Reading {
    let mut reading = Reading::good();
    for (name, fact) in [
        ("maker", &seen.maker),
        ("model", &seen.model),
        ("firmware", &seen.firmware),
        ("stream", &seen.stream),
        ("snapshot", &seen.snapshot),
    ] {
        if let Some(fact) = fact {
            reading = reading.fact(name, fact);
        }
    }
    for (part, why) in &seen.unknown {
        reading = reading.note(format!("unknown.{part}"), why);
    }
    reading = reading.value("parts_unknown", seen.unknown.len() as f64);
    if let Some(follows) = seen.follows {
        reading = reading.fact("time_source", if follows { "ntp" } else { "manual" });
    }
    if asked.login.is_some() {
        reading = health::identity(reading, past, asked.serial.as_deref(), seen.serial.as_deref());
    }
    reading = health::clock(reading, seen.offset_ms, asked.max_offset_ms);
    reading = match seen.profiles {
        Some(0) => reading.fault(Bad, "camera_no_profile", "the camera offers no media profile", []),
        Some(count) => reading.value("profiles", count as f64),
        None => reading.blind("camera_no_profile"),
    };
    TOPICS
        .into_iter()
        .fold(reading, |reading, (code, topics)| told(reading, code, topics, seen.notices.as_deref()))
}

/// A property of one of these topics that is true; one that no message told of is not known.
fn told(reading: Reading, code: &'static str, topics: &[&str], notices: Option<&[Notice]>) -> Reading {
    let notices = notices.unwrap_or_default();
    let is_one = |notice: &&Notice| topics.iter().any(|topic| notice.topic.contains(topic));
    let told: Vec<&Notice> = notices.iter().filter(is_one).filter(|notice| notice.state.is_some()).collect();
    let bad: Vec<String> =
        told.iter().filter(|notice| notice.state == Some(true)).map(|notice| label(notice)).collect();
    if told.is_empty() {
        return reading.blind(code);
    }
    if bad.is_empty() {
        return reading;
    }
    let list = bad.join(", ");
    let text = format!("the camera tells: {list}");
    let evidence = [
        ("channels", Value::from(list.clone())),
        ("disks", Value::from(list.clone())),
        ("topics", Value::from(list)),
        ("count", bad.len().into()),
        ("of", told.len().into()),
    ];
    reading.fault(Bad, code, &text, evidence)
}

fn label(notice: &Notice) -> String {
    let Notice { topic, source, .. } = notice;
    if source.is_empty() { topic.clone() } else { format!("{topic} {source}") }
}

/// A login that was not accepted: by a clock that is far off, where there is one, and else by the password. Cameras compare
/// the time of a login with their own clock, and some of them with a clock that they do not show.
pub(crate) fn refused(seen: &Seen, asked: &config::Onvif, refusal: Reading, now: Timestamp) -> Reading {
    match seen.offset_ms.filter(|offset| offset.abs() > i64::from(asked.max_offset_ms)) {
        None => refusal,
        Some(offset_ms) => {
            let text = format!(
                "the camera refuses the login, and its clock is {:.0} s off ({now} by the gateway): set its clock before its password",
                offset_ms as f64 / 1_000.0
            );
            let evidence = [
                ("offset_ms", Value::from(offset_ms)),
                ("limit_ms", Value::from(asked.max_offset_ms)),
                ("login", Value::from("refused")),
            ];
            Reading::good().value("clock_offset_ms", offset_ms as f64).fault(
                Rejected,
                "clock_offset",
                &text,
                evidence,
            )
        }
    }
}
