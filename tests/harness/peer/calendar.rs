//! A calendar program that knows nothing of us: the Python package `icalendar` reads a feed (`calendar.py`).

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::snmpsim::venv;

/// What a calendar program makes of a feed: its `name`, and `events` with `uid`, `start_at`, `end_at`, `summary` and
/// `description`. Panics with the program's complaint.
pub fn read_calendar(feed: &str) -> Value {
    let mut program = Command::new(venv().join("bin/python"));
    program.args(["-c", include_str!("calendar.py")]).stdin(Stdio::piped());
    let mut reader =
        program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("Python can be started");
    let mut stdin = reader.stdin.take().expect("its input");
    stdin.write_all(feed.as_bytes()).expect("it reads");
    drop(stdin);
    let done = reader.wait_with_output().expect("it ends");
    assert!(done.status.success(), "{}\n{feed}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("what it says is JSON")
}
