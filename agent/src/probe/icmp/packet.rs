//! Echo packets as they lie on the wire (RFC 792, RFC 4443). Pure: bytes in, meaning out.
//!
//! What comes in was written by anybody. Nothing is believed that is not in the bytes, and every length is
//! checked before it is used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bytes of a request: eight of header, then as much as the usual ping carries.
pub(super) const LENGTH: usize = 64;
const HEADER: usize = 8;
const TOKEN_END: usize = HEADER + 8;
const FILLING: u8 = 0x53;
const IPV4_HEADER_MIN: usize = 20;
const IPV6_HEADER: usize = 40;
const PROTOCOL_ICMP: u8 = 1;
const NEXT_ICMPV6: u8 = 58;

/// Which ICMP is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    fn request_type(self) -> u8 {
        match self {
            Self::V4 => 8,
            Self::V6 => 128,
        }
    }

    pub(super) fn reply_type(self) -> u8 {
        match self {
            Self::V4 => 0,
            Self::V6 => 129,
        }
    }

    /// The errors that end an echo: unreachable, time exceeded, parameter problem.
    pub(super) fn error_types(self) -> [u8; 3] {
        match self {
            Self::V4 => [3, 11, 12],
            Self::V6 => [1, 3, 4],
        }
    }
}

/// What tells one echo from another. `token` is drawn anew for each, so that nobody who has not seen the
/// request can answer it, and a late answer never counts for the next echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Echo {
    pub id: u16,
    pub seq: u16,
    pub token: u64,
}

/// Why a router on the way gave a packet up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It knows no way to that network.
    NoRoute,
    /// The last router finds nobody at that address.
    NoHost,
    /// A filter forbids it.
    Prohibited,
    /// The packet went round in circles, or the way is too long.
    Loop,
    /// Anything else; the numbers are type and code.
    Other(u8, u8),
}

impl Why {
    pub(super) fn of(family: Family, kind: u8, code: u8) -> Self {
        match (family, kind, code) {
            (Family::V4, 3, 0 | 6 | 11) | (Family::V6, 1, 0) => Self::NoRoute,
            (Family::V4, 3, 1 | 7 | 12) | (Family::V6, 1, 3) => Self::NoHost,
            (Family::V4, 3, 9 | 10 | 13) | (Family::V6, 1, 1 | 5 | 6) => Self::Prohibited,
            (Family::V4, 11, _) | (Family::V6, 3, _) => Self::Loop,
            (Family::V4 | Family::V6, kind, code) => Self::Other(kind, code),
        }
    }
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoRoute => f.write_str("no route to that network"),
            Self::NoHost => f.write_str("nobody at that address"),
            Self::Prohibited => f.write_str("a filter forbids it"),
            Self::Loop => f.write_str("the packet went round in circles"),
            Self::Other(kind, code) => write!(f, "ICMP type {kind} code {code}"),
        }
    }
}

/// What a packet says to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// Somebody answers an echo.
    Reply(Echo),
    /// A router gave our packet up.
    Refused { quoted: Quoted, why: Why },
}

/// The request that an error message quotes. Routers need quote only eight bytes of it, so the token may be
/// missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quoted {
    pub target: IpAddr,
    pub id: u16,
    pub seq: u16,
    pub token: Option<u64>,
}

/// A whole request, checksum included for IPv4; the kernel computes that of IPv6.
pub(super) fn request(family: Family, echo: Echo) -> [u8; LENGTH] {
    let mut packet = [FILLING; LENGTH];
    packet[0] = family.request_type();
    packet[1..4].fill(0);
    packet[4..6].copy_from_slice(&echo.id.to_be_bytes());
    packet[6..8].copy_from_slice(&echo.seq.to_be_bytes());
    packet[HEADER..TOKEN_END].copy_from_slice(&echo.token.to_be_bytes());
    if family == Family::V4 {
        let sum = checksum(&packet);
        packet[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    packet
}

/// Takes the IPv4 header off that a raw socket delivers.
pub(super) fn without_ipv4_header(bytes: &[u8]) -> Option<&[u8]> {
    let first = *bytes.first()?;
    let length = usize::from(first & 0x0f) * 4;
    (first >> 4 == 4 && length >= IPV4_HEADER_MIN).then(|| bytes.get(length..)).flatten()
}

/// Reads one ICMP message. `None` is anything that says nothing about an echo of ours.
pub(super) fn read(family: Family, icmp: &[u8]) -> Option<Heard> {
    if family == Family::V4 && checksum(icmp) != 0 {
        return None;
    }
    let [kind, code] = *icmp.first_chunk::<2>()?;
    if kind == family.reply_type() && code == 0 {
        let (id, seq, token) = echo_fields(icmp)?;
        return Some(Heard::Reply(Echo { id, seq, token: token? }));
    }
    if !family.error_types().contains(&kind) {
        return None;
    }
    let inner = icmp.get(HEADER..)?;
    let (target, rest) = match family {
        Family::V4 => {
            let rest = without_ipv4_header(inner)?;
            if *inner.get(9)? != PROTOCOL_ICMP {
                return None;
            }
            let target = inner.get(16..20)?.first_chunk::<4>()?;
            (IpAddr::V4(Ipv4Addr::from(*target)), rest)
        }
        Family::V6 => {
            if inner.first()? >> 4 != 6 || *inner.get(6)? != NEXT_ICMPV6 {
                return None;
            }
            let target = inner.get(24..40)?.first_chunk::<16>()?;
            (IpAddr::V6(Ipv6Addr::from(*target)), inner.get(IPV6_HEADER..)?)
        }
    };
    let quoted = quoted(family, target, rest)?;
    Some(Heard::Refused { quoted, why: Why::of(family, kind, code) })
}

/// Reads the beginning of a request of ours that somebody sends back.
pub(super) fn quoted(family: Family, target: IpAddr, request: &[u8]) -> Option<Quoted> {
    if *request.first()? != family.request_type() {
        return None;
    }
    let (id, seq, token) = echo_fields(request)?;
    Some(Quoted { target, id, seq, token })
}

fn echo_fields(icmp: &[u8]) -> Option<(u16, u16, Option<u64>)> {
    let id = u16::from_be_bytes(*icmp.get(4..)?.first_chunk()?);
    let seq = u16::from_be_bytes(*icmp.get(6..)?.first_chunk()?);
    let token = icmp.get(HEADER..).and_then(|payload| payload.first_chunk()).copied().map(u64::from_be_bytes);
    Some((id, seq, token))
}

/// RFC 1071; over a message that carries its checksum the result is 0.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])))
        .fold(0_u32, u32::wrapping_add);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ECHO: Echo = Echo { id: 0x1234, seq: 7, token: 0x0102_0304_0506_0708 };

    fn sealed(mut icmp: Vec<u8>) -> Vec<u8> {
        icmp[2..4].fill(0);
        let sum = checksum(&icmp);
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        icmp
    }

    fn reply(family: Family) -> Vec<u8> {
        let mut packet = request(family, ECHO).to_vec();
        packet[0] = family.reply_type();
        sealed(packet)
    }

    /// An error message that quotes `kept` bytes of our request to 192.0.2.9 or 2001:db8::9.
    fn error(family: Family, kind: u8, code: u8, kept: usize) -> Vec<u8> {
        let mut icmp = vec![kind, code, 0, 0, 0, 0, 0, 0];
        match family {
            Family::V4 => {
                let mut header = [0_u8; 20];
                (header[0], header[9]) = (0x45, 1);
                header[16..].copy_from_slice(&[192, 0, 2, 9]);
                icmp.extend(header);
            }
            Family::V6 => {
                let mut header = [0_u8; 40];
                (header[0], header[6]) = (0x60, 58);
                header[24..].copy_from_slice(&"2001:db8::9".parse::<Ipv6Addr>().unwrap().octets());
                icmp.extend(header);
            }
        }
        icmp.extend(&request(family, ECHO)[..kept]);
        sealed(icmp)
    }

    #[test]
    fn a_reply_carries_what_was_asked() {
        for family in [Family::V4, Family::V6] {
            assert_eq!(read(family, &reply(family)), Some(Heard::Reply(ECHO)));
            assert_eq!(read(family, &request(family, ECHO)), None, "a request is no answer");
            assert_eq!(
                read(family, &sealed(reply(family)[..12].to_vec())),
                None,
                "a reply without its token"
            );
        }
        let mut broken = reply(Family::V4);
        broken[40] ^= 1;
        assert_eq!(read(Family::V4, &broken), None, "the checksum is wrong");
    }

    #[test]
    fn an_error_names_the_request_even_when_it_quotes_eight_bytes() {
        for (family, target) in [(Family::V4, "192.0.2.9"), (Family::V6, "2001:db8::9")] {
            let target = target.parse::<IpAddr>().unwrap();
            let unreachable = family.error_types()[0];
            for (kept, token) in [(8, None), (LENGTH, Some(ECHO.token))] {
                let Some(Heard::Refused { quoted, .. }) = read(family, &error(family, unreachable, 1, kept))
                else {
                    panic!("{family:?} with {kept} bytes");
                };
                assert_eq!(quoted, Quoted { target, id: ECHO.id, seq: ECHO.seq, token });
            }
            assert_eq!(read(family, &error(family, unreachable, 1, 7)), None, "too little is quoted");
        }
    }

    #[test]
    fn reasons_are_told_apart() {
        let why = |family, kind, code| match read(family, &error(family, kind, code, 8)) {
            Some(Heard::Refused { why, .. }) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(why(Family::V4, 3, 0), Why::NoRoute);
        assert_eq!(why(Family::V4, 3, 1), Why::NoHost);
        assert_eq!(why(Family::V4, 3, 13), Why::Prohibited);
        assert_eq!(why(Family::V4, 11, 0), Why::Loop);
        assert_eq!(why(Family::V4, 3, 3), Why::Other(3, 3));
        assert_eq!(why(Family::V6, 1, 0), Why::NoRoute);
        assert_eq!(why(Family::V6, 1, 3), Why::NoHost);
        assert_eq!(why(Family::V6, 3, 0), Why::Loop);
    }

    #[test]
    fn a_raw_header_with_options_is_taken_off_whole() {
        let mut packet = vec![0x46; 24];
        packet.extend(reply(Family::V4));
        assert_eq!(read(Family::V4, without_ipv4_header(&packet).unwrap()), Some(Heard::Reply(ECHO)));
        assert_eq!(without_ipv4_header(&[0x4f; 20]), None, "shorter than it says");
        assert_eq!(without_ipv4_header(&[0x41; 64]), None, "a header of four bytes");
        assert_eq!(without_ipv4_header(&[]), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = without_ipv4_header(&bytes).map(|icmp| read(Family::V4, icmp));
            let _ = (read(Family::V4, &sealed_or_short(bytes.clone())), read(Family::V6, &bytes));
        }

        #[test]
        fn a_bent_message_never_names_another_echo(at in 0_usize..120, bit in 0_u8..8, kept in 8_usize..=LENGTH) {
            for family in [Family::V4, Family::V6] {
                let mut bent = error(family, family.error_types()[0], 1, kept);
                let at = at % bent.len();
                bent[at] ^= 1 << bit;
                let _ = read(family, &bent);
                let mut bent = reply(Family::V4);
                let at = at % bent.len();
                bent[at] ^= 1 << bit;
                prop_assert_eq!(read(Family::V4, &bent), None);
            }
        }
    }

    fn sealed_or_short(bytes: Vec<u8>) -> Vec<u8> {
        if bytes.len() >= 4 { sealed(bytes) } else { bytes }
    }
}
