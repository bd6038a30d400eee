//! Frames and packets: the only file that names rumqttd.
//!
//! The codec trusts its input in places (it panics on a CONNACK from a client, and on some cut properties),
//! so this file finds the frame by itself, bounds it, and hands the codec one whole frame under
//! `catch_unwind`. The packet id and the quality of a PUBLISH are private in the codec's type; they are read
//! from the frame.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::{Buf, Bytes, BytesMut};
#[cfg(test)]
pub(super) use rumqttd::protocol::RetainForwardRule;
use rumqttd::protocol::v5::V5;
pub(super) use rumqttd::protocol::{
    ConnAck, ConnAckProperties, Connect, ConnectProperties, ConnectReturnCode, Disconnect,
    DisconnectProperties, DisconnectReasonCode, Filter, LastWill, Packet, PingResp, Protocol, PubAck,
    PubAckReason, Publish, PublishProperties, QoS, SubAck, SubscribeReasonCode, UnsubAck, UnsubAckReason,
};
use sitewarden_proto::limits::PACKET_MAX;

use super::Refusal;

/// Largest MQTT packet: the largest payload of the wire, its topic and its header.
pub(super) const FRAME_MAX: usize = PACKET_MAX + 1024;
/// What is read at once of a packet that has begun.
const READ_SIZE: usize = 4096;
const CONNECT: u8 = 1;
const PUBLISH: u8 = 3;
const DISCONNECT: u8 = 14;
const AUTH: u8 = 15;

/// What came, with the fields that the codec keeps to itself.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A PUBLISH: its quality (0, 1 or 2) and packet id (0 with quality 0).
    Publish { publish: Publish, properties: Option<PublishProperties>, quality: u8, id: u16 },
    /// A DISCONNECT; true when the will is to be sent all the same (reason 0x04).
    Disconnect { with_will: bool },
    /// Anything else.
    Other(Packet),
}

/// Takes the next whole packet out of `buffer`; `None` when more bytes are needed. Until CONNECT has come,
/// `limit` may be smaller than [`FRAME_MAX`].
pub(super) fn next(buffer: &mut BytesMut, limit: usize) -> Result<Option<Incoming>, Refusal> {
    let Some((header, length)) = frame_length(buffer)? else { return Ok(None) };
    if header + length > limit {
        return Err(Refusal::TooLarge);
    }
    if buffer.len() < header + length {
        // With what has come, not with what is claimed: thousands of connections may claim a lot.
        let missing = header + length - buffer.len();
        buffer.reserve(missing.min(buffer.len().max(READ_SIZE)));
        return Ok(None);
    }
    let mut frame = buffer.split_to(header + length);
    let (first, body) = (frame[0], Bytes::copy_from_slice(&frame[header..frame.len().min(header + 2)]));
    let kind = first >> 4;
    if kind == DISCONNECT {
        // The codec wants properties where the specification (3.14.2.2.1) lets them be left out.
        return Ok(Some(Incoming::Disconnect { with_will: body.first() == Some(&0x04) }));
    }
    if kind == AUTH || (kind == CONNECT && first & 0x0f != 0) {
        return Err(Refusal::Malformed);
    }
    let publish = (kind == PUBLISH).then(|| quality_and_id(&frame, header));
    let packet = catch_unwind(AssertUnwindSafe(|| V5.read_mut(&mut frame, limit)))
        .map_err(|_panic| Refusal::Panic)?
        .map_err(|_error| Refusal::Malformed)?;
    Ok(Some(match (packet, publish) {
        (Packet::Publish(publish, properties), Some(Some((quality, id)))) => {
            Incoming::Publish { publish, properties, quality, id }
        }
        (Packet::Publish(..), _) => return Err(Refusal::Malformed),
        (other, _) => Incoming::Other(other),
    }))
}

/// Writes `packet`. The packets that this front end sends always fit.
pub(super) fn put(packet: Packet, buffer: &mut BytesMut) -> Result<(), Refusal> {
    catch_unwind(AssertUnwindSafe(|| V5.write(packet, buffer)))
        .map_err(|_panic| Refusal::Panic)?
        .map_err(|_error| Refusal::Malformed)?;
    Ok(())
}

/// Writes a PUBLISH; `id` is 0 for quality 0.
pub(super) fn put_publish(
    topic: &str,
    payload: &Bytes,
    id: u16,
    buffer: &mut BytesMut,
) -> Result<(), Refusal> {
    let mut publish = if id == 0 {
        Publish::new(topic.to_owned(), topic.to_owned(), false)
    } else {
        // Flags, packet id, topic length, topic: the codec's own storage form, the only way to set the id.
        let mut stored = BytesMut::with_capacity(5 + topic.len());
        stored.extend_from_slice(&[0b0011_0010]);
        stored.extend_from_slice(&id.to_be_bytes());
        stored.extend_from_slice(&(topic.len() as u16).to_be_bytes());
        stored.extend_from_slice(topic.as_bytes());
        Publish::deserialize(stored.freeze())
    };
    publish.payload = payload.clone();
    put(Packet::Publish(publish, None), buffer)
}

/// Length of the fixed header and of the rest; `None` when the header is not whole yet.
fn frame_length(buffer: &BytesMut) -> Result<Option<(usize, usize)>, Refusal> {
    let mut length = 0;
    for index in 0..4 {
        let Some(byte) = buffer.get(1 + index) else { return Ok(None) };
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((2 + index, length)));
        }
    }
    Err(Refusal::Malformed)
}

fn quality_and_id(frame: &[u8], header: usize) -> Option<(u8, u16)> {
    let quality = (frame[0] & 0b0110) >> 1;
    let mut rest = frame.get(header..)?;
    let topic = usize::from(rest.try_get_u16().ok()?);
    let mut rest = rest.get(topic..)?;
    let id = if quality == 0 { 0 } else { rest.try_get_u16().ok()? };
    Some((quality, id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_publish_with_quality_keeps_its_id() {
        let mut buffer = BytesMut::new();
        put_publish("v1/x/d/k", &Bytes::from_static(b"hello"), 513, &mut buffer).unwrap();
        let Some(Incoming::Publish { publish, quality, id, .. }) = next(&mut buffer, FRAME_MAX).unwrap()
        else {
            panic!("not a publish")
        };
        assert_eq!((quality, id), (1, 513));
        assert_eq!(&publish.topic[..], b"v1/x/d/k");
        assert_eq!(&publish.payload[..], b"hello");
        assert!(buffer.is_empty());
    }

    #[test]
    fn a_connack_from_a_client_is_contained() {
        let mut buffer = BytesMut::from(&[0x20, 3, 0, 0, 0][..]);
        assert_eq!(next(&mut buffer, FRAME_MAX).unwrap_err(), Refusal::Panic);
    }

    #[test]
    fn a_frame_is_bounded_before_it_is_read() {
        let mut buffer = BytesMut::from(&[0x30, 0xff, 0xff, 0xff, 0x7f][..]);
        assert_eq!(next(&mut buffer, FRAME_MAX).unwrap_err(), Refusal::TooLarge);
        let mut buffer = BytesMut::from(&[0x30, 0xff, 0xff, 0xff, 0xff, 1][..]);
        assert_eq!(next(&mut buffer, FRAME_MAX).unwrap_err(), Refusal::Malformed);
    }

    #[test]
    fn a_goodbye_needs_no_properties() {
        let mut buffer = BytesMut::from(&[0xe0, 1, 4][..]);
        assert!(matches!(next(&mut buffer, 64), Ok(Some(Incoming::Disconnect { with_will: true }))));
        let mut buffer = BytesMut::from(&[0xe0, 0][..]);
        assert!(matches!(next(&mut buffer, 64), Ok(Some(Incoming::Disconnect { with_will: false }))));
    }

    proptest! {
        #[test]
        fn no_bytes_get_past_the_bounds(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            for _ in 0..bytes.len() {
                match next(&mut buffer, FRAME_MAX) {
                    Ok(Some(_)) => {}
                    Ok(None) | Err(_) => break,
                }
            }
        }
    }
}
