//! What an operator sees of the wire: who holds records back and since when, what was lost for good, whose
//! clock is wrong, whose certificate is not renewed. Pure: limits, and the words for why records are lost.

use jiff::SignedDuration;
use sitewarden_proto::wire::DiskTrouble;

/// The fault code of a gateway whose clock is wrong. The server raises it itself.
pub const GATEWAY_CLOCK_WRONG: &str = "gateway_clock_wrong";

/// The fault code of a gateway whose own disk takes nothing. The server raises it on the gateway's word.
pub const GATEWAY_DISK: &str = "gateway_disk";

/// What a gateway may say of its disk, in the database and on the API; `None` = it is well.
pub fn disk_word(trouble: DiskTrouble) -> Option<&'static str> {
    match trouble {
        DiskTrouble::Unspecified => None,
        DiskTrouble::Full => Some("full"),
        DiskTrouble::ReadOnly => Some("read_only"),
        DiskTrouble::Failing => Some("failing"),
    }
}

/// A record that waits longer than this on the disk of a gateway that is heard is held back: the link or the
/// server does not keep up, or history is being told.
pub const HELD_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// A clock that is wrong for so long is an incident. Shorter, it is being corrected.
pub const CLOCK_LASTS: SignedDuration = SignedDuration::from_mins(5);

/// Gaps and lost records are summed up over this time.
pub const RECENT: SignedDuration = SignedDuration::from_hours(24);

/// A certificate that ends within this time should have been renewed long ago.
pub const CERTIFICATE_ENDS: SignedDuration = SignedDuration::from_hours(14 * 24);

/// When the oldest record of a queue was written, by the server's clock. Both times of the gateway are on its
/// own clock, so their difference is true however wrong the clock is. `None` when nothing waits.
pub fn oldest_at(sent_at_ms: i64, oldest_at_ms: i64, received_at_ms: i64) -> Option<i64> {
    (oldest_at_ms != 0).then(|| received_at_ms.saturating_sub(sent_at_ms.saturating_sub(oldest_at_ms).max(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_a_queue_is_true_on_a_wrong_clock() {
        assert_eq!(oldest_at(5_000, 0, 9_000_000), None);
        assert_eq!(oldest_at(5_000, 2_000, 9_000_000), Some(8_997_000));
        assert_eq!(oldest_at(2_000, 5_000, 9_000_000), Some(9_000_000), "a clock that was set back");
        assert_eq!(oldest_at(i64::MAX, i64::MIN, 0), Some(-i64::MAX));
    }
}
