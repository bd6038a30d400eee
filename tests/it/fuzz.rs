//! Bytes that somebody else wrote: every file of `tests/fuzz/corpus`, and as many changed copies of them as a
//! moment allows. `SITEWARDEN_FUZZ_SECONDS` makes the moment longer for each target; a failure prints the
//! input, and `SITEWARDEN_FUZZ_SEED` plays the same changes again. An input that broke something goes into
//! the corpus under a name that says what it is.

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use rand::SeedableRng as _;
use rand::rngs::StdRng;

#[path = "../fuzz/mutate.rs"]
mod mutate;
#[path = "../fuzz/targets.rs"]
mod targets;

use targets::TARGETS;

/// For each target, in the suite.
const MOMENT: Duration = Duration::from_millis(300);

/// The files of a target's folder. A file `.hex` holds `name hex` lines or only hex.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(root.join("fuzz/corpus").join(target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    if target == "envelope" || target == "block" {
        files.push(root.join("../proto/src/envelope/golden.txt"));
    }
    if target.ends_with("config") || target == "device_list" {
        let examples = std::fs::read_dir(root.join("../deploy/examples")).unwrap();
        files.extend(examples.map(|entry| entry.unwrap().path()));
    }
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&file).unwrap();
        if file.extension().is_some_and(|end| end == "hex") || name == "golden.txt" {
            for line in String::from_utf8(bytes).unwrap().lines() {
                let (name, hex) = line.rsplit_once(' ').unwrap_or((&name, line));
                let mut bytes = from_hex(hex);
                if target == "block" && file.ends_with("golden.txt") {
                    // The block inside of the envelope: behind version, header and its own length.
                    let Some(at) = bytes.iter().position(|byte| *byte == 0x5a) else { continue };
                    bytes.drain(..at + 2);
                }
                found.push((name.to_owned(), bytes));
            }
        } else {
            found.push((name, bytes));
        }
    }
    assert!(!found.is_empty(), "no corpus for {target}");
    found
}

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.trim().bytes().collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn run(target: &str) {
    let (_, function) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target");
    let seed = setting("SITEWARDEN_FUZZ_SEED").unwrap_or_else(rand::random);
    let moment = setting("SITEWARDEN_FUZZ_SECONDS").map_or(MOMENT, Duration::from_secs);
    println!("{target}: seed {seed}");
    let corpus = corpus(target);
    let check = |name: &str, bytes: &[u8]| {
        let began = Instant::now();
        let survived = catch_unwind(AssertUnwindSafe(|| function(bytes))).is_ok();
        assert!(survived, "{target} broke on a copy of {name}; SITEWARDEN_FUZZ_SEED={seed}; {}", hex(bytes));
        began.elapsed()
    };
    for (name, bytes) in &corpus {
        check(name, bytes);
    }
    let (mut random, mut count, mut slowest) = (StdRng::seed_from_u64(seed), 0_u64, Duration::ZERO);
    let began = Instant::now();
    while began.elapsed() < moment {
        for (index, (name, bytes)) in corpus.iter().enumerate() {
            let other = &corpus[(index + count as usize) % corpus.len()].1;
            slowest = slowest.max(check(name, &mutate::mutate(bytes, other, &mut random)));
            count += 1;
        }
    }
    println!("{target}: {count} changed copies of {} files, the slowest took {slowest:?}", corpus.len());
}

/// One test for each target, so that they run side by side.
macro_rules! fuzz {
    ($($target:ident),*) => {
        $(#[test]
        fn $target() {
            run(stringify!($target));
        })*

        #[test]
        fn every_target_has_its_test() {
            assert_eq!(TARGETS.map(|(name, _)| name), [$(stringify!($target)),*]);
        }
    };
}

fuzz![
    packet,
    envelope,
    block,
    agent_config,
    device_list,
    server_config,
    challenge,
    rtsp,
    sdp,
    rtp,
    picture,
    photo,
    isapi,
    dahua,
    onvif,
    nut,
    discover
];
