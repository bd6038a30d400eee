//! A full pass over a residential estate: 117 cameras by ONVIF, stream and picture, 94 door controllers, 4 recorders and 19
//! switches by what they tell of themselves, every check of every device once. What it takes of time and processor, and what
//! the probes hold afterwards.
//!
//! The estate is a program of its own, so its work is not counted. Streams are looked at for 0.9 s each, so no pass can be
//! shorter than the number of streams over the number of probes at a time, times that: the limit in the same run.
//! Run with `cargo bench -p sitewarden-tests --bench pass`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use sitewarden_agent::clock::Clock;
use sitewarden_agent::config::{Device, parse_device};
use sitewarden_agent::probe::{self, Context, OutcomeState};
use sitewarden_tests::meter::{cpu_s, resident_mb};
use sitewarden_tests::sim::demo::process::Process;
use sitewarden_tests::{binary, until};
use tokio::task::JoinSet;

/// Probes at a time, the agent's default.
const AT_ONCE: usize = 64;
const PASSES: usize = 5;
/// How long a stream is looked at.
const LOOK_S: f64 = 0.9;
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("estate.log");
    let words = ["site", "--estate", "--every", "60s", "--network", "91"];
    let estate = Process::start("estate", &binary("sitewarden-sim"), &words, log).expect("an estate");
    until("the estate answers", PATIENCE, async || estate.said().ends_with('\n')).await;
    let said: Value = serde_json::from_str(estate.said().trim()).expect("one line of JSON");
    let devices: Vec<Arc<Device>> = said["devices"].as_array().expect("devices").iter().map(device).collect();
    let checks: usize = devices.iter().map(|device| device.checks.len()).sum();
    let streams = devices.iter().flat_map(|d| &d.checks).filter(|check| check.kind.word() == "rtsp").count();
    let context = Context::new(Clock::system(), AT_ONCE).expect("a context");
    let context =
        context.with_memory(folder.path().join("known")).with_pictures(folder.path().join("pictures"));
    let context = Arc::new(context);
    let before = resident_mb(std::process::id());
    println!("{} devices with {checks} checks, {streams} of them streams", devices.len());
    for number in 1..=PASSES {
        let (began, cpu) = (Instant::now(), cpu_s(std::process::id()));
        let bad = pass(&devices, &context).await;
        let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_s(std::process::id()) - cpu);
        println!(
            "pass {number}: {wall:.1} s (no pass can be shorter than {:.1} s), {cpu:.2} s of a processor, {:.1} ms a check, \
             {:.1} % of a core once a minute; {bad} checks were not good",
            streams.div_ceil(AT_ONCE) as f64 * LOOK_S,
            cpu / checks as f64 * 1_000.0,
            cpu / 60.0 * 100.0,
        );
    }
    println!("resident: {before:.1} MB before, {:.1} MB after", resident_mb(std::process::id()));
}

fn device(listing: &Value) -> Arc<Device> {
    let word = |key: &str| listing[key].as_str().unwrap_or_default();
    let text = format!(
        "name = {:?}\nclass = {:?}\naddress = \"{}\"\n\n{}",
        word("name"),
        word("class"),
        word("address"),
        word("checks")
    );
    Arc::new(parse_device(&text, "estate", word("id")).expect("a device"))
}

/// Asks everything once, each device by one probe at a time; how many checks were not good.
async fn pass(devices: &[Arc<Device>], context: &Arc<Context>) -> usize {
    let mut asked = JoinSet::new();
    for device in devices {
        let (device, context) = (Arc::clone(device), Arc::clone(context));
        asked.spawn(async move {
            let mut bad = 0;
            for check in &device.checks {
                bad += usize::from(probe::run(&device, check, &context).await.state != OutcomeState::Good);
            }
            bad
        });
    }
    asked.join_all().await.into_iter().sum()
}
