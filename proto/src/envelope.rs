//! Bytes to messages and back. The first byte of every payload is version << 4 | codec; what follows is
//! protobuf, plain or in one zstd frame. Reading is the hostile side: nothing is allocated from a length
//! that the sender claims, and an [`Envelope`] that comes out of [`decode`] is consistent in its numbering.

use std::borrow::Cow;
use std::io::Read;

use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};

use crate::limits::{
    COLUMNS_MAX, DECODED_MAX, DISCOVERED_MAX, OLDEST_WIRE_VERSION, PACKET_MAX, RECORDS_MAX, WIRE_VERSION,
};
use crate::wire::Envelope;
use crate::wire::envelope::Body;

/// How the protobuf bytes are packed; the low half of the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// As they are.
    None,
    /// One zstd frame (RFC 8878), made quickly.
    Zstd,
    /// The same, made as small as some milliseconds allow: for what crosses a site's uplink.
    ZstdSmall,
}

impl Codec {
    fn level(self) -> Option<i32> {
        match self {
            Self::None => None,
            Self::Zstd => Some(3),
            Self::ZstdSmall => Some(15),
        }
    }

    fn nibble(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Zstd | Self::ZstdSmall => 1,
        }
    }
}

/// Why a message cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Over a bound of [`crate::limits`]; split it.
    #[error("the message takes {bytes} bytes, the limit is {limit}: send less at once")]
    TooLarge {
        /// What it takes.
        bytes: usize,
        /// What is allowed.
        limit: usize,
    },
    /// The numbering and the body disagree.
    #[error("the envelope is inconsistent: {0}")]
    Inconsistent(&'static str),
    /// The compressor gave up, which it does only without memory.
    #[error("the message could not be compressed")]
    Compress,
}

/// Why a payload is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No first byte.
    #[error("the payload is empty")]
    Empty,
    /// Larger than a packet may be.
    #[error("the payload has {0} bytes, more than a packet may have")]
    PacketTooLarge(usize),
    /// A version that this build does not read.
    #[error("wire version {0} is not spoken here: update the older side")]
    Version(u8),
    /// A codec that this build does not know.
    #[error("codec {0} is not known here")]
    Codec(u8),
    /// Larger than a message may be once decompressed.
    #[error("the message is larger than {DECODED_MAX} bytes when decompressed")]
    DecodedTooLarge,
    /// Not a whole zstd frame.
    #[error("the payload is not valid zstd")]
    Decompress,
    /// Not the protobuf message it should be.
    #[error("the payload is not a valid message: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// The numbering and the body disagree.
    #[error("the envelope is inconsistent: {0}")]
    Inconsistent(&'static str),
}

/// Packs an envelope after checking that its numbering is consistent.
pub fn encode(envelope: &Envelope, codec: Codec) -> Result<Vec<u8>, EncodeError> {
    check(envelope).map_err(EncodeError::Inconsistent)?;
    encode_message(envelope, codec)
}

/// Unpacks an envelope. What comes back has a non-zero epoch, a body, and sequence numbers that fit into a
/// positive `i64` and agree with the body; names inside the body are still only text.
pub fn decode(packet: &[u8]) -> Result<Envelope, DecodeError> {
    let plain = unpack(packet)?;
    if is_crowded(&plain) {
        return Err(DecodeError::Inconsistent("it has more parts than a message may have"));
    }
    let envelope = Envelope::decode(&*plain)?;
    check(&envelope).map_err(DecodeError::Inconsistent)?;
    Ok(envelope)
}

/// Packs any other message of the wire: `Session`, `Ack`, `SignedCommand`, `DesiredConfig`.
pub fn encode_message<M: Message>(message: &M, codec: Codec) -> Result<Vec<u8>, EncodeError> {
    let plain = message.encoded_len();
    if plain > DECODED_MAX {
        return Err(EncodeError::TooLarge { bytes: plain, limit: DECODED_MAX });
    }
    let first = WIRE_VERSION << 4 | codec.nibble();
    let mut packet = Vec::with_capacity(plain + 1);
    packet.push(first);
    match codec.level() {
        None => packet.extend_from_slice(&message.encode_to_vec()),
        Some(level) => {
            let packed =
                zstd::bulk::compress(&message.encode_to_vec(), level).map_err(|_| EncodeError::Compress)?;
            packet.extend_from_slice(&packed);
        }
    }
    if packet.len() > PACKET_MAX {
        return Err(EncodeError::TooLarge { bytes: packet.len(), limit: PACKET_MAX });
    }
    Ok(packet)
}

/// Unpacks any other message of the wire.
pub fn decode_message<M: Message + Default>(packet: &[u8]) -> Result<M, DecodeError> {
    Ok(M::decode(&*unpack(packet)?)?)
}

/// The protobuf bytes of a payload.
fn unpack(packet: &[u8]) -> Result<Cow<'_, [u8]>, DecodeError> {
    let (&first, rest) = packet.split_first().ok_or(DecodeError::Empty)?;
    if packet.len() > PACKET_MAX {
        return Err(DecodeError::PacketTooLarge(packet.len()));
    }
    let version = first >> 4;
    if !(OLDEST_WIRE_VERSION..=WIRE_VERSION).contains(&version) {
        return Err(DecodeError::Version(version));
    }
    match first & 0x0f {
        0 => Ok(Cow::Borrowed(rest)),
        1 => Ok(Cow::Owned(decompress(rest)?)),
        codec => Err(DecodeError::Codec(codec)),
    }
}

/// Grows with what really comes out, so a frame that claims a huge size costs nothing.
fn decompress(packed: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let mut decoder =
        zstd::stream::read::Decoder::with_buffer(packed).map_err(|_| DecodeError::Decompress)?;
    // The window is the decoder's own memory: 2^20 is DECODED_MAX.
    decoder.window_log_max(20).map_err(|_| DecodeError::Decompress)?;
    let mut plain = Vec::new();
    decoder.take(DECODED_MAX as u64 + 1).read_to_end(&mut plain).map_err(|_| DecodeError::Decompress)?;
    if plain.len() > DECODED_MAX { Err(DecodeError::DecodedTooLarge) } else { Ok(plain) }
}

/// Whether an envelope holds more events, columns or devices than it may. An empty one takes two bytes here
/// and a hundred and more once it is decoded, so they are counted before. What is no protobuf is left to the
/// decoder.
fn is_crowded(plain: &[u8]) -> bool {
    let mut counts = [0_usize; 3];
    for (field, body) in parts(plain) {
        // Field numbers of wire.proto: the body's kind, and its repeated message.
        let (kind, inner, limit) = match field {
            10 => (0, 1, RECORDS_MAX as usize),
            11 => (1, 3, COLUMNS_MAX),
            15 => (2, 1, DISCOVERED_MAX),
            _ => continue,
        };
        counts[kind] += parts(body).filter(|(field, _)| *field == inner).count();
        if counts[kind] > limit {
            return true;
        }
    }
    false
}

/// The length-delimited fields of a message, up to what is no protobuf.
fn parts(mut bytes: &[u8]) -> impl Iterator<Item = (u32, &[u8])> {
    std::iter::from_fn(move || {
        loop {
            let (field, kind) = decode_key(&mut bytes).ok()?;
            let length = match kind {
                WireType::Varint => decode_varint(&mut bytes).ok().map(|_| 0),
                WireType::SixtyFourBit => Some(8),
                WireType::ThirtyTwoBit => Some(4),
                WireType::LengthDelimited => usize::try_from(decode_varint(&mut bytes).ok()?).ok(),
                WireType::StartGroup | WireType::EndGroup => None,
            }?;
            let (body, rest) = bytes.split_at_checked(length)?;
            bytes = rest;
            if kind == WireType::LengthDelimited {
                return Some((field, body));
            }
        }
    })
}

fn check(envelope: &Envelope) -> Result<(), &'static str> {
    let count = u64::from(envelope.count);
    if envelope.epoch == 0 {
        return Err("the epoch is zero");
    }
    if envelope.first_seq == 0 || count == 0 {
        return Err("it carries no record");
    }
    let Some(last) = envelope.first_seq.checked_add(count - 1).filter(|last| i64::try_from(*last).is_ok())
    else {
        return Err("its sequence numbers overflow");
    };
    match &envelope.body {
        None => Err("it has no body"),
        Some(Body::Events(batch)) if envelope.count > RECORDS_MAX || batch.events.len() as u64 != count => {
            Err("the count is not the number of events")
        }
        Some(Body::Gap(gap)) if gap.from_seq != envelope.first_seq || gap.to_seq != last => {
            Err("the gap is not the range of the envelope")
        }
        Some(Body::Metrics(_) | Body::CommandResult(_) | Body::ReportedConfig(_) | Body::Discovered(_))
            if count != 1 =>
        {
            Err("a record of this kind travels alone")
        }
        Some(
            Body::Events(_)
            | Body::Gap(_)
            | Body::Metrics(_)
            | Body::CommandResult(_)
            | Body::ReportedConfig(_)
            | Body::Discovered(_),
        ) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
