//! An incident is machine-observed trouble with one cause: a fault code on one device, or a silent
//! gateway. It opens when the gateway has confirmed the fault and closes when it has confirmed that
//! it is gone. Its start is kept as two facts: the last good sample and the first bad one.

pub mod api;
pub mod cause;
pub mod step;
pub mod store;

use jiff::SignedDuration;
use sitewarden_proto::fault::Severity;

/// The fault code of a gateway that is not heard any more. The server raises it itself.
pub const GATEWAY_SILENT: &str = "gateway_silent";

/// How long a trouble must keep still before it is no longer said to come and go: what a gateway waits after it
/// was last raised, and some time for the word to arrive. A word that never comes holds nothing for ever.
pub const FLAP_LASTS: SignedDuration = SignedDuration::from_mins(35);

/// How bad a fault is by the catalogue. A code that only a newer agent knows counts as major: a
/// person shall look at it.
pub fn severity_of(code: &str) -> Severity {
    sitewarden_proto::fault::find(code).map_or(Severity::Major, |fault| fault.severity)
}

/// The order of severities, from none (0) to critical (3), of the word in the database.
pub fn rank(severity: &str) -> u8 {
    match severity {
        "critical" => 3,
        "major" => 2,
        "minor" => 1,
        _ => 0,
    }
}

/// Whether trouble of this severity may wake a person. Minor trouble opens a ticket that waits for
/// office hours.
pub fn wakes(severity: &str) -> bool {
    rank(severity) >= 2
}
