//! The only place of the simulator that reads a clock.

use jiff::Timestamp;

/// The machine's time.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The machine's time, Unix milliseconds.
pub fn now_ms() -> i64 {
    now().as_millisecond()
}
