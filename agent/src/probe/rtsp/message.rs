//! RTSP/1.0 (RFC 2326) as bytes: responses, and the packets that are interleaved between them (section 10.12).
//! Bytes from a device are not trusted: every length is bounded before anything is kept. Pure.

use bytes::{Buf as _, BytesMut};

/// Most bytes of a response's head.
pub const HEAD_MAX: usize = 16 * 1024;
/// Most bytes of a response's body.
pub const BODY_MAX: usize = 64 * 1024;

/// A whole piece of what a device says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An answer to a request.
    Response(Response),
    /// A packet of an interleaved channel.
    Packet {
        /// The channel.
        channel: u8,
        /// RTP or RTCP.
        bytes: BytesMut,
    },
    /// A request of the device's own, which nobody answers.
    Request,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Its status.
    pub status: u16,
    /// The words beside the status.
    pub reason: String,
    /// Its body.
    pub body: BytesMut,
    headers: Vec<(String, String)>,
}

impl Response {
    /// The first header of that name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All headers of that name.
    pub fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.headers
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Why the bytes are no RTSP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Something else speaks here.
    #[error("what it sends is not RTSP")]
    NotRtsp,
    /// A head without an end.
    #[error("its answer's head is longer than {HEAD_MAX} bytes")]
    HeadTooLong,
    /// A body that nobody needs.
    #[error("its answer's body is longer than {BODY_MAX} bytes")]
    BodyTooLong,
}

/// Takes the next whole piece off the front; None while it is not whole yet.
///
/// # Errors
/// When no piece can come of these bytes, whatever follows.
pub fn take(buffer: &mut BytesMut) -> Result<Option<Heard>, Malformed> {
    // A device may end its body with one line break too many.
    while buffer.first().is_some_and(|byte| *byte == b'\r' || *byte == b'\n') {
        buffer.advance(1);
    }
    match buffer.first() {
        None => Ok(None),
        Some(b'$') => Ok(take_packet(buffer)),
        Some(_) => take_message(buffer),
    }
}

fn take_packet(buffer: &mut BytesMut) -> Option<Heard> {
    let head = buffer.get(..4)?;
    let (channel, length) = (head[1], usize::from(u16::from_be_bytes([head[2], head[3]])));
    if buffer.len() < 4 + length {
        return None;
    }
    buffer.advance(4);
    Some(Heard::Packet { channel, bytes: buffer.split_to(length) })
}

fn take_message(buffer: &mut BytesMut) -> Result<Option<Heard>, Malformed> {
    let start = &buffer[..buffer.len().min(HEAD_MAX)];
    // A method or `RTSP`: letters, the first of them within the first word's length.
    if !start
        .iter()
        .take(12)
        .take_while(|b| **b != b' ' && **b != b'/')
        .all(|b| b.is_ascii_uppercase() || *b == b'_')
    {
        return Err(Malformed::NotRtsp);
    }
    let Some(end) = start.windows(4).position(|window| window == b"\r\n\r\n") else {
        return if buffer.len() >= HEAD_MAX { Err(Malformed::HeadTooLong) } else { Ok(None) };
    };
    let head = String::from_utf8_lossy(&start[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length =
        length.map_or(Some(0), |(_, value)| value.parse::<usize>().ok()).ok_or(Malformed::NotRtsp)?;
    if length > BODY_MAX {
        return Err(Malformed::BodyTooLong);
    }
    let status = match status_line(first) {
        Some(status) => Some(status),
        None if first.ends_with("RTSP/1.0") => None,
        None => return Err(Malformed::NotRtsp),
    };
    if buffer.len() < end + 4 + length {
        return Ok(None);
    }
    buffer.advance(end + 4);
    let body = buffer.split_to(length);
    Ok(Some(match status {
        Some((status, reason)) => Heard::Response(Response { status, reason, body, headers }),
        None => Heard::Request,
    }))
}

fn status_line(line: &str) -> Option<(u16, String)> {
    let (version, rest) = line.split_once(' ')?;
    let (code, reason) = rest.trim_start().split_once(' ').unwrap_or((rest.trim(), ""));
    let status = code.parse().ok().filter(|status| (100..=599).contains(status))?;
    version.starts_with("RTSP/").then(|| (status, reason.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> (Vec<Heard>, Result<(), Malformed>) {
        let mut buffer = BytesMut::new();
        let mut heard = Vec::new();
        for byte in bytes {
            buffer.extend_from_slice(&[*byte]);
            match take(&mut buffer) {
                Ok(piece) => heard.extend(piece),
                Err(error) => return (heard, Err(error)),
            }
        }
        (heard, Ok(()))
    }

    #[test]
    fn answers_and_packets_are_told_apart() {
        let (heard, end) =
            all(b"RTSP/1.0 200 OK\r\nCSeq: 2\r\ncontent-length: 3\r\n\r\nv=0\r\n$\x01\x00\x02ab\
            ANNOUNCE rtsp://c/ RTSP/1.0\r\n\r\nRTSP/1.0 453 Not Enough Bandwidth\r\nCSeq: 3\r\n\r\n");
        assert_eq!(end, Ok(()));
        let [
            Heard::Response(first),
            Heard::Packet { channel: 1, bytes },
            Heard::Request,
            Heard::Response(last),
        ] = &heard[..]
        else {
            panic!("{heard:?}")
        };
        assert_eq!((first.status, first.header("CSEQ"), &first.body[..]), (200, Some("2"), &b"v=0"[..]));
        assert_eq!(
            (&bytes[..], last.status, last.reason.as_str()),
            (&b"ab"[..], 453, "Not Enough Bandwidth")
        );
    }

    #[test]
    fn what_is_not_rtsp_or_has_no_end_is_refused() {
        assert_eq!(all(b"\x16\x03\x01").1, Err(Malformed::NotRtsp));
        assert_eq!(all(b"HTTP/1.1 200 OK\r\n\r\n").1, Err(Malformed::NotRtsp));
        assert_eq!(all(b"RTSP/1.0 200 OK\r\nContent-Length: lots\r\n\r\n").1, Err(Malformed::NotRtsp));
        assert_eq!(all(b"RTSP/1.0 200 OK\r\nContent-Length: 9000000\r\n\r\n").1, Err(Malformed::BodyTooLong));
        let endless = [&b"RTSP/1.0 200 OK\r\n"[..], &b"X: y\r\n".repeat(4_000)].concat();
        assert_eq!(all(&endless).1, Err(Malformed::HeadTooLong));
    }
}
