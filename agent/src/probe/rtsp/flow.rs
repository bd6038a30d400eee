//! What a stream's packets say: how many came and were lost (RFC 3550), how many frames they make, and whether a
//! key frame is among them, without which nobody sees a picture (H.264: RFC 6184, H.265: RFC 7798). Nothing is decoded
//! but the first bits of a slice. Pure.

/// How far a sequence number may run ahead before it counts as a new beginning (RFC 3550, appendix A.1).
const DROPOUT_MAX: u16 = 3_000;
/// How far one may be late.
const MISORDER_MAX: u16 = 100;
/// A step between two frames that is no step, seconds.
const STEP_MAX_S: i64 = 10;

/// Formats in which key frames can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// ITU-T H.264.
    H264,
    /// ITU-T H.265.
    H265,
    /// Anything else.
    Other,
}

/// What came so far. Times are milliseconds since any beginning.
#[derive(Clone, Debug)]
pub struct Flow {
    codec: Codec,
    clock_rate: u32,
    /// Packets.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Pieces that are no RTP packet.
    pub malformed: u64,
    /// Frames that have begun.
    pub frames: u64,
    /// Key frames among them.
    pub key_frames: u64,
    first_ms: f64,
    last_ms: f64,
    last_frame_ms: f64,
    timestamp: u32,
    frame_is_key: bool,
    /// Ticks between frames, and how many steps they are.
    ticks: i64,
    steps: u64,
    source: u32,
    first_sequence: u16,
    highest: u64,
    received: u64,
    expected_before: u64,
    received_before: u64,
}

impl Flow {
    /// A stream of which nothing has come yet.
    pub fn new(codec: Codec, clock_rate: u32) -> Self {
        Self {
            codec,
            clock_rate: clock_rate.max(1),
            packets: 0,
            bytes: 0,
            malformed: 0,
            frames: 0,
            key_frames: 0,
            first_ms: 0.0,
            last_ms: 0.0,
            last_frame_ms: 0.0,
            timestamp: 0,
            frame_is_key: false,
            ticks: 0,
            steps: 0,
            source: 0,
            first_sequence: 0,
            highest: 0,
            received: 0,
            expected_before: 0,
            received_before: 0,
        }
    }

    /// Whether key frames can be told in this stream.
    pub fn tells_key_frames(&self) -> bool {
        self.codec != Codec::Other
    }

    /// Takes in one packet.
    pub fn add(&mut self, at_ms: f64, packet: &[u8]) {
        let Some((head, payload)) = read(packet) else {
            self.malformed += 1;
            return;
        };
        if self.packets == 0 {
            self.first_ms = at_ms;
        }
        self.last_ms = at_ms;
        self.packets += 1;
        self.bytes += packet.len() as u64;
        self.count(&head);
        if self.frames == 0 || head.timestamp != self.timestamp {
            let step = i64::from(head.timestamp.wrapping_sub(self.timestamp).cast_signed());
            if self.frames > 0 && step.abs() <= STEP_MAX_S * i64::from(self.clock_rate) {
                // With B frames a step may go back; the sum is right all the same.
                self.ticks += step;
                self.steps += 1;
            }
            self.frames += 1;
            self.timestamp = head.timestamp;
            self.frame_is_key = false;
            self.last_frame_ms = at_ms;
        }
        let is_key = match self.codec {
            Codec::H264 => h264_begins_key(payload),
            Codec::H265 => h265_begins_key(payload),
            Codec::Other => false,
        };
        if is_key && !self.frame_is_key {
            self.frame_is_key = true;
            self.key_frames += 1;
        }
    }

    fn count(&mut self, head: &Head) {
        let ahead = head.sequence.wrapping_sub((self.highest & 0xffff) as u16);
        let is_late = ahead > u16::MAX - MISORDER_MAX;
        let is_new = self.packets == 1 || head.source != self.source || (ahead >= DROPOUT_MAX && !is_late);
        if is_new {
            self.expected_before += self.expected_here();
            self.received_before += self.received;
            self.source = head.source;
            self.first_sequence = head.sequence;
            self.highest = u64::from(head.sequence);
            self.received = 0;
        } else if !is_late {
            self.highest += u64::from(ahead);
        }
        self.received += 1;
    }

    fn expected_here(&self) -> u64 {
        if self.received == 0 { 0 } else { self.highest - u64::from(self.first_sequence) + 1 }
    }

    /// Packets that should have come.
    pub fn expected(&self) -> u64 {
        self.expected_before + self.expected_here()
    }

    /// Packets that should have come and did not.
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.received_before + self.received)
    }

    /// Lost packets among a hundred.
    pub fn loss_percent(&self) -> f64 {
        100.0 * self.lost() as f64 / self.expected().max(1) as f64
    }

    /// How long packets came, milliseconds.
    pub fn span_ms(&self) -> f64 {
        self.last_ms - self.first_ms
    }

    /// When the first and the last packet came; None without packets.
    pub fn times_ms(&self) -> Option<(f64, f64)> {
        (self.packets > 0).then_some((self.first_ms, self.last_ms))
    }

    /// Frames a second: by the stream's own timestamps, or by the clock where that says more, since a stream begins
    /// with a burst and cameras exist whose timestamps run wrong. None for less than half a second.
    pub fn fps(&self) -> Option<f64> {
        let wall_s = (self.last_frame_ms - self.first_ms) / 1_000.0;
        if wall_s < 0.5 || self.frames < 2 {
            return None;
        }
        let by_wall = (self.frames - 1) as f64 / wall_s;
        let own_s = self.ticks as f64 / f64::from(self.clock_rate);
        // A clock that runs three times too fast or too slow is wrong.
        let is_plausible = own_s > wall_s / 3.0 && own_s < wall_s * 3.0;
        Some(if is_plausible { by_wall.max(self.steps as f64 / own_s) } else { by_wall })
    }

    /// Kilobits a second, RTP heads included; None for less than half a second.
    pub fn kbps(&self) -> Option<f64> {
        (self.span_ms() >= 500.0).then(|| self.bytes as f64 * 8.0 / self.span_ms())
    }
}

struct Head {
    sequence: u16,
    timestamp: u32,
    source: u32,
}

/// The fixed head (RFC 3550, section 5.1), and what follows contributors, extension and padding.
fn read(packet: &[u8]) -> Option<(Head, &[u8])> {
    let fixed: &[u8; 12] = packet.first_chunk()?;
    if fixed[0] >> 6 != 2 {
        return None;
    }
    let mut start = 12 + 4 * usize::from(fixed[0] & 0x0f);
    if fixed[0] & 0x10 != 0 {
        let extension = packet.get(start..start + 4)?;
        start += 4 + 4 * usize::from(u16::from_be_bytes([extension[2], extension[3]]));
    }
    let padding = if fixed[0] & 0x20 != 0 { usize::from(*packet.last()?) } else { 0 };
    let payload = packet.get(start..packet.len().checked_sub(padding)?)?;
    let head = Head {
        sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
        timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
        source: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
    };
    Some((head, payload))
}

/// Whether a key frame begins in this payload: an IDR slice, an I slice, or a recovery point of a stream that renews
/// its picture bit by bit.
fn h264_begins_key(payload: &[u8]) -> bool {
    let Some((first, rest)) = payload.split_first() else { return false };
    match first & 0x1f {
        // STAP-A, and STAP-B with its decoding order number.
        24 => units(rest).any(h264_unit_is_key),
        25 => rest.get(2..).is_some_and(|rest| units(rest).any(h264_unit_is_key)),
        // FU-A and FU-B: only the first fragment holds the unit's beginning.
        kind @ (28 | 29) => rest.split_first().is_some_and(|(fragment, rest)| {
            let rest = if kind == 29 { rest.get(2..).unwrap_or_default() } else { rest };
            fragment & 0x80 != 0 && h264_kind_is_key(fragment & 0x1f, rest)
        }),
        kind => h264_kind_is_key(kind, rest),
    }
}

fn h264_unit_is_key(unit: &[u8]) -> bool {
    unit.split_first().is_some_and(|(first, rest)| h264_kind_is_key(first & 0x1f, rest))
}

fn h264_kind_is_key(kind: u8, rest: &[u8]) -> bool {
    match kind {
        5 => true,
        // ITU-T H.264, section 7.3.3: first_mb_in_slice, then slice_type; 2 and 7 are I.
        1 | 2 => {
            let mut bits = Bits { bytes: rest, at: 0 };
            matches!((bits.number(), bits.number()), (Some(0), Some(2 | 7)))
        }
        // Annex D: payload type 6 is a recovery point.
        6 => rest.first() == Some(&6),
        _ => false,
    }
}

/// Whether a picture from which decoding can begin starts here: BLA, IDR or CRA, types 16 to 21.
fn h265_begins_key(payload: &[u8]) -> bool {
    let is_key = |kind: u8| (16..=21).contains(&kind);
    let kind = |unit: &[u8]| unit.first().map(|first| first >> 1 & 0x3f);
    match kind(payload) {
        Some(48) => {
            payload.get(2..).is_some_and(|rest| units(rest).any(|unit| kind(unit).is_some_and(is_key)))
        }
        Some(49) => payload.get(2).is_some_and(|fragment| fragment & 0x80 != 0 && is_key(fragment & 0x3f)),
        Some(kind) => is_key(kind),
        None => false,
    }
}

/// The units of an aggregation packet: each with its length before it.
fn units(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk()?;
        let (unit, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        rest = after;
        Some(unit)
    })
}

/// Exp-Golomb numbers, ITU-T H.264 section 9.1.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Option<u32> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(u32::from(bit))
    }

    fn number(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.bit()? == 0 {
            zeros += 1;
            if zeros > 16 {
                return None;
            }
        }
        (0..zeros).try_fold(1_u32, |number, _| Some(number << 1 | self.bit()?)).map(|number| number - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(sequence: u16, timestamp: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x80, 96];
        bytes.extend(sequence.to_be_bytes());
        bytes.extend(timestamp.to_be_bytes());
        bytes.extend([0, 0, 0, 9]);
        bytes.extend(payload);
        bytes
    }

    /// A second and a half of ten frames a second, `payload` chosen by the frame's number.
    fn second(codec: Codec, payload: impl Fn(u32) -> Vec<u8>) -> Flow {
        let mut flow = Flow::new(codec, 90_000);
        for frame in 0..16_u32 {
            let sequence = 65_530_u16.wrapping_add(frame as u16);
            flow.add(f64::from(frame) * 100.0, &packet(sequence, frame * 9_000, &payload(frame)));
        }
        flow
    }

    #[test]
    fn frames_and_bits_are_counted() {
        let flow = second(Codec::H264, |_| vec![0x41; 113]);
        assert_eq!((flow.packets, flow.frames, flow.lost(), flow.expected()), (16, 16, 0, 16));
        assert!((flow.fps().unwrap() - 10.0).abs() < 0.01, "{:?}", flow.fps());
        assert!((flow.kbps().unwrap() - 16.0 * 125.0 * 8.0 / 1_500.0).abs() < 0.01, "{:?}", flow.kbps());
    }

    #[test]
    fn lost_packets_are_counted_and_a_new_beginning_is_none() {
        let mut flow = Flow::new(Codec::Other, 90_000);
        for sequence in [10, 11, 15, 14, 40_000, 40_001] {
            flow.add(0.0, &packet(sequence, 0, &[0]));
        }
        // 12 and 13 are missing; 14 was late; 40,000 is another beginning.
        assert_eq!((flow.lost(), flow.expected()), (2, 8));
    }

    #[test]
    fn key_frames_are_found_however_they_are_packed() {
        for (name, key) in [
            ("IDR", vec![0x65, 0x88]),
            ("STAP-A", vec![24, 0, 2, 0x67, 1, 0, 2, 0x65, 0x88]),
            ("FU-A", vec![0x7c, 0x85, 0x88]),
            // first_mb_in_slice 0 is 1, slice_type 7 is 0001000.
            ("I slice", vec![0x41, 0b1000_1000]),
            ("recovery point", vec![6, 6, 1]),
        ] {
            let flow =
                second(Codec::H264, |frame| if frame == 3 { key.clone() } else { vec![0x41, 0b1010_0000] });
            assert_eq!(flow.key_frames, 1, "{name}");
        }
        for (name, key) in [
            ("IDR", vec![19 << 1, 1, 0]),
            ("AP", vec![48 << 1, 1, 0, 3, 33 << 1, 1, 0, 0, 3, 21 << 1, 1, 0]),
            ("FU", vec![49 << 1, 1, 0x94]),
        ] {
            let flow = second(Codec::H265, |frame| if frame == 3 { key.clone() } else { vec![1 << 1, 1, 0] });
            assert_eq!(flow.key_frames, 1, "{name}");
        }
        // The middle of a fragmented one is not its beginning.
        assert_eq!(second(Codec::H264, |_| vec![0x7c, 0x05]).key_frames, 0);
        assert_eq!(second(Codec::H265, |_| vec![49 << 1, 1, 20]).key_frames, 0);
    }

    #[test]
    fn what_is_no_packet_is_counted_apart() {
        let mut flow = Flow::new(Codec::H264, 0);
        for bytes in [&b""[..], &[0x80; 11], &[0x00; 40], &[0xbf; 13], &[0xa0; 20]] {
            flow.add(0.0, bytes);
        }
        assert_eq!((flow.packets, flow.malformed), (0, 5));
    }
}
