//! What a technician runs on site: every check of one device once, and the verdict in words.
//!
//! One bad outcome counts at once here, without the confirmation that the scheduler asks for: the technician
//! stands in front of the device and will look again. Checks run one after the other with a pause between,
//! so that a small device is not asked two things at a time.
//!
//! Exit codes: 0 the device is ok, 1 degraded or down, 2 unknown, 64 the file cannot be used (sysexits.h
//! EX_USAGE), 70 the probe itself could not start (EX_SOFTWARE).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use sitewarden_proto::fault;

use crate::clock::Clock;
use crate::config::Device;
use crate::listing;
use crate::model::{self, State};
use crate::probe::{self, Context, Finding, Outcome, OutcomeState};

/// Between two checks of the device.
const PAUSE: Duration = Duration::from_millis(200);
/// Values and facts shown per check in the table; all of them are in the JSON.
const SHOWN: usize = 12;
const BAD_FILE: u8 = 64;
const BROKEN: u8 = 70;

/// The language of the table and of the fault texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Simplified Chinese.
    Zh,
}

/// Probes the device that `file` describes and prints what was found, as a table or as JSON:
/// `{"device", "name", "address", "state", "faults": [{"code", "severity", "text", "evidence"}],
/// "outcomes": [{"check", "state", "values", "facts", "elapsed_ms"}]}`.
pub async fn run(file: &Path, credentials: Option<&Path>, json: bool, lang: Lang) -> ExitCode {
    let device = match listing::device(file, credentials) {
        Ok(device) => device,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(BAD_FILE);
        }
    };
    let context = match Context::new(Clock::system(), 1) {
        Ok(context) => context,
        Err(error) => {
            eprintln!("the probe cannot start: {error:#}");
            return ExitCode::from(BROKEN);
        }
    };
    let mut latest = BTreeMap::new();
    for (index, check) in device.checks.iter().enumerate() {
        if index > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        latest.insert(check.name.clone(), probe::run(&device, check, &context).await);
    }
    let result = Verdict::of(&device, latest);
    let text = if json { result.json(lang) } else { result.table(lang) };
    // A reader that has gone away, as with `| head`, is no reason to fail.
    let _ = std::io::stdout().write_all(text.as_bytes());
    match result.state {
        State::Ok => ExitCode::SUCCESS,
        State::Degraded | State::Down => ExitCode::from(1),
        State::Unknown => ExitCode::from(2),
    }
}

struct Verdict<'a> {
    device: &'a Device,
    latest: BTreeMap<String, Outcome>,
    standing: Vec<Finding>,
    state: State,
}

impl<'a> Verdict<'a> {
    fn of(device: &'a Device, latest: BTreeMap<String, Outcome>) -> Self {
        let standing = model::findings(device, &latest);
        let state = model::state(&latest, &standing);
        Self { device, latest, standing, state }
    }

    /// The outcomes in the order in which the file lists the checks.
    fn outcomes(&self) -> impl Iterator<Item = &Outcome> {
        self.device.checks.iter().filter_map(|check| self.latest.get(&check.name))
    }

    fn json(&self, lang: Lang) -> String {
        let faults: Vec<Value> = self
            .standing
            .iter()
            .map(|finding| {
                let words = Words::of(finding, lang);
                json!({
                    "code": finding.code,
                    "severity": words.severity,
                    "text": words.title,
                    "remedy": words.remedy,
                    "evidence": finding.evidence,
                })
            })
            .collect();
        let outcomes: Vec<Value> = self
            .outcomes()
            .map(|outcome| {
                let values: serde_json::Map<String, Value> = outcome
                    .values
                    .iter()
                    .map(|(metric, value)| (metric.clone(), Value::from(*value)))
                    .collect();
                json!({
                    "check": outcome.check,
                    "state": outcome.state.as_str(),
                    "values": values,
                    "facts": outcome.facts,
                    "elapsed_ms": outcome.elapsed_ms,
                })
            })
            .collect();
        let whole = json!({
            "device": self.device.id.as_ref(),
            "name": self.device.name,
            "address": self.device.address,
            "state": self.state.as_str(),
            "faults": faults,
            "outcomes": outcomes,
        });
        format!("{whole:#}\n")
    }

    fn table(&self, lang: Lang) -> String {
        let mut text = String::new();
        let (name, address) = (&self.device.name, &self.device.address);
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name} ({address}): {}", state_word(self.state, lang));
        for finding in &self.standing {
            let words = Words::of(finding, lang);
            let _ = writeln!(text, "\n  ! {} [{}, {}]", words.title, finding.code, words.severity);
            if let Some(seen) = finding.evidence.get("text").and_then(Value::as_str) {
                let _ = writeln!(text, "    {seen}");
            }
            let _ = writeln!(text, "    → {}", words.remedy);
        }
        let _ = writeln!(text);
        let width = self.outcomes().map(|outcome| outcome.check.len()).max().unwrap_or(0);
        for outcome in self.outcomes() {
            let word = outcome_word(outcome.state, lang);
            let _ = writeln!(text, "  {:width$}  {word}  {} ms", outcome.check, outcome.elapsed_ms);
            let readings = outcome
                .values
                .iter()
                .map(|(metric, value)| format!("{metric} = {}", number(*value)))
                .chain(outcome.facts.iter().map(|(name, fact)| format!("{name} = {fact}")));
            let total = outcome.values.len() + outcome.facts.len();
            for reading in readings.take(SHOWN) {
                let _ = writeln!(text, "  {:width$}    {reading}", "");
            }
            if total > SHOWN {
                let more = match lang {
                    Lang::En => format!("… and {} more, see --json", total - SHOWN),
                    Lang::Zh => format!("……另有 {} 项，见 --json", total - SHOWN),
                };
                let _ = writeln!(text, "  {:width$}    {more}", "");
            }
        }
        text
    }
}

/// What the catalogue says about a finding, in one language.
struct Words<'a> {
    title: &'a str,
    remedy: &'a str,
    severity: &'a str,
}

impl<'a> Words<'a> {
    fn of(finding: &'a Finding, lang: Lang) -> Self {
        let tag = match lang {
            Lang::En => "en",
            Lang::Zh => "zh",
        };
        match fault::find(&finding.code) {
            Some(fault) => Self {
                title: fault.title.get(tag),
                remedy: fault.remedy.get(tag),
                severity: fault.severity.as_str(),
            },
            None => Self { title: &finding.code, remedy: "", severity: "minor" },
        }
    }
}

fn state_word(state: State, lang: Lang) -> &'static str {
    match (state, lang) {
        (State::Ok | State::Degraded | State::Down | State::Unknown, Lang::En) => state.as_str(),
        (State::Ok, Lang::Zh) => "正常",
        (State::Degraded, Lang::Zh) => "降级",
        (State::Down, Lang::Zh) => "故障",
        (State::Unknown, Lang::Zh) => "未知",
    }
}

fn outcome_word(state: OutcomeState, lang: Lang) -> &'static str {
    match (state, lang) {
        (OutcomeState::Good, Lang::En) => "good         ",
        (OutcomeState::Bad, Lang::En) => "bad          ",
        (OutcomeState::Silent, Lang::En) => "silent       ",
        (OutcomeState::Rejected, Lang::En) => "rejected     ",
        (OutcomeState::NotPermitted, Lang::En) => "not permitted",
        (OutcomeState::Good, Lang::Zh) => "良好    ",
        (OutcomeState::Bad, Lang::Zh) => "异常    ",
        (OutcomeState::Silent, Lang::Zh) => "无应答  ",
        (OutcomeState::Rejected, Lang::Zh) => "凭据被拒",
        (OutcomeState::NotPermitted, Lang::Zh) => "无权探测",
    }
}

/// Three digits after the point at most, and none that say nothing.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse_device;

    #[test]
    fn a_fault_is_told_in_words_with_its_evidence_and_remedy() {
        let file = "name = \"Gate camera\"\naddress = \"192.0.2.7\"\n[[check]]\nkind = \"tcp\"\nport = 554\n";
        let device = parse_device(file, "cam-3.toml", "cam-3").unwrap();
        let outcome = Outcome {
            check: "tcp".to_owned(),
            state: OutcomeState::Silent,
            faults: vec![Finding {
                code: "port_closed".to_owned(),
                evidence: BTreeMap::from([(
                    "text".to_owned(),
                    Value::from("192.0.2.7:554 refused the connection"),
                )]),
            }],
            values: Vec::new(),
            facts: BTreeMap::new(),
            elapsed_ms: 3,
            view: None,
            blind: Vec::new(),
        };
        let verdict = Verdict::of(&device, BTreeMap::from([("tcp".to_owned(), outcome)]));
        assert_eq!(verdict.state, State::Down);

        let json: Value = serde_json::from_str(&verdict.json(Lang::En)).unwrap();
        assert_eq!(json["device"], "cam-3");
        assert_eq!(json["state"], "down");
        assert_eq!(json["faults"][0]["code"], "unreachable");
        assert_eq!(json["faults"][0]["severity"], "critical");
        assert_eq!(json["outcomes"][0]["state"], "silent");
        assert!(json["faults"][0]["evidence"]["checks"]["tcp"].as_str().unwrap().contains("refused"));

        let table = verdict.table(Lang::Zh);
        assert!(table.starts_with("Gate camera (192.0.2.7): 故障\n"), "{table}");
        assert!(table.contains("[unreachable, critical]"), "{table}");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([1.0, 0.25, 1_234.567_89, 0.0].map(number), ["1", "0.25", "1234.568", "0"]);
    }
}
