//! The code that a gateway shows to whoever stands before it: six digits that change every minute and that nobody can
//! work out who does not hold the gateway's arrival key. Both ends make the same digits from the same minute, so the
//! proof needs no network. The tag is HMAC-SHA-256 over [`message`]; the digits are cut out of it as RFC 4226 does.

/// How long one code is shown, s.
pub const STEP_S: i64 = 60;
/// Bytes of an arrival key.
pub const KEY_BYTES: usize = 32;
/// What a QR code of the digits begins with.
pub const QR_PREFIX: &str = "SW-ARRIVAL:";

/// The minute that a Unix time lies in.
pub fn step_at(second: i64) -> i64 {
    second.div_euclid(STEP_S)
}

/// What is signed for one minute of one gateway.
pub fn message(gateway: &str, step: i64) -> Vec<u8> {
    format!("sitewarden arrival 1/{gateway}/{step}").into_bytes()
}

/// The six digits of a tag of at least 20 bytes; `None` for a shorter one.
pub fn digits(tag: &[u8]) -> Option<String> {
    let offset = usize::from(tag.last()? & 0x0f);
    let four: [u8; 4] = tag.get(offset..offset + 4)?.try_into().ok()?;
    let number = u32::from_be_bytes(four) & 0x7fff_ffff;
    Some(format!("{:06}", number % 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_cut_out_as_rfc_4226_does() {
        // RFC 4226, section 5.4: the tag of its example and the six digits of it.
        let tag = [
            0x1f, 0x86, 0x98, 0x69, 0x0e, 0x02, 0xca, 0x16, 0x61, 0x85, 0x50, 0xef, 0x7f, 0x19, 0xda, 0x8e,
            0x94, 0x5b, 0x55, 0x5a,
        ];
        assert_eq!(digits(&tag).as_deref(), Some("872921"));
        assert_eq!(digits(&[0x0f; 18]), None);
        assert_eq!(digits(&[]), None);
    }

    #[test]
    fn a_minute_is_a_minute_before_the_epoch_too() {
        assert_eq!([step_at(0), step_at(59), step_at(60), step_at(-1)], [0, 0, 1, -1]);
        assert_ne!(message("gw-1", 5), message("gw-1", 6));
    }
}
