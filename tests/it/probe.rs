//! Every probe against a real program that speaks its protocol, as the scheduler would run it.

mod dahua;
mod discover;
mod doors;
mod hostile;
mod http;
mod isapi;
mod network;
mod once;
mod onvif;
mod picture;
mod rtsp;
mod snmp;
mod sweep;
mod switch;
mod ups;

use sitewarden_agent::clock::Clock;
use sitewarden_agent::config::{Device, parse_device};
use sitewarden_agent::probe::{self, Context, Outcome};

/// Runs the only check of a device at `127.0.0.1`; `check` is the inside of its `[[check]]` table.
async fn run(check: &str) -> Outcome {
    let device = device(check);
    let context = Context::new(Clock::system(), 8).unwrap();
    probe::run(&device, &device.checks[0], &context).await
}

fn device(check: &str) -> Device {
    let file = format!("address = \"127.0.0.1\"\n[[check]]\n{check}\n");
    parse_device(&file, "device.toml", "device").unwrap_or_else(|error| panic!("{error}\n{file}"))
}

fn codes(outcome: &Outcome) -> Vec<&str> {
    outcome.faults.iter().map(|finding| finding.code.as_str()).collect()
}

/// The value of that name; panics with the whole outcome if there is none.
fn value(outcome: &Outcome, metric: &str) -> f64 {
    outcome
        .values
        .iter()
        .find(|(name, _)| name == metric)
        .unwrap_or_else(|| panic!("no {metric} in {outcome:#?}"))
        .1
}

/// What the first fault says for people.
fn text(outcome: &Outcome) -> &str {
    outcome.faults[0].evidence["text"].as_str().unwrap()
}
