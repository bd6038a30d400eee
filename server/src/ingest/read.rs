//! From a packet's bytes to what it says, before any database is asked.
//!
//! A metric block is taken apart here once: what ingest has to know of it is which devices it speaks of
//! and the stretch of time it covers. The bytes themselves are what is stored.

use std::collections::HashMap;

use bytes::Bytes;
use jiff::Timestamp;
use sitewarden_proto::envelope::{DecodeError, decode, decode_message};
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::metrics::visit;
use sitewarden_proto::topic::Up;
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::{Envelope, MetricBlock, Session};

use tokio::sync::OwnedSemaphorePermit;

use super::Error;
use super::clocks::Name;
use crate::broker::Upstream;

/// A packet that was taken apart.
#[derive(Debug)]
pub(super) struct Packet {
    pub gateway: GatewayId,
    pub up: Up,
    pub bytes: Bytes,
    pub received_at: Timestamp,
    pub content: Content,
    /// Given back after the commit.
    pub _place: Option<OwnedSemaphorePermit>,
}

/// What a packet holds.
#[derive(Debug)]
pub(super) enum Content {
    /// A birth, a heartbeat or a will.
    Session(Session),
    /// A metric block, by what it covers.
    Block(Head, Cover),
    /// Any other records.
    Records(Head, Envelope),
    /// Nothing that can be read here, now or later.
    Unreadable(Error),
}

/// What every envelope says about itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub epoch: u64,
    pub first: i64,
    pub last: i64,
    pub sent_at_ms: i64,
    pub name: Name,
}

/// Which devices a block speaks of; `None` when its columns cannot be read.
pub(super) type Cover = Option<Vec<Stretch>>;

/// The samples of one device in a block, on the sender's clock.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub device: String,
    pub start: i64,
    pub end: i64,
    pub samples: i64,
}

/// Takes a packet apart.
pub(super) fn read(packet: Upstream) -> Packet {
    let Upstream { gateway, up, bytes, received_at, place } = packet;
    let content = content(up, &bytes).unwrap_or_else(Content::Unreadable);
    Packet { gateway, up, bytes, received_at, content, _place: place }
}

fn content(up: Up, bytes: &[u8]) -> Result<Content, Error> {
    if up == Up::Session {
        return Ok(Content::Session(decode_message(bytes)?));
    }
    let envelope = decode(bytes)?;
    let head = head(&envelope)?;
    match (&envelope.body, fits(up, &envelope)) {
        (Some(Body::Metrics(block)), None) => Ok(Content::Block(head, cover(block))),
        (_, None) => Ok(Content::Records(head, envelope)),
        (_, Some(body)) => Err(Error::WrongTopic { topic: up, body }),
    }
}

fn head(envelope: &Envelope) -> Result<Head, DecodeError> {
    let overflow = |_| DecodeError::Inconsistent("its sequence numbers overflow");
    let first = i64::try_from(envelope.first_seq).map_err(overflow)?;
    Ok(Head {
        epoch: envelope.epoch,
        first,
        last: first.saturating_add(i64::from(envelope.count)) - 1,
        sent_at_ms: envelope.sent_at_ms,
        name: Name { session: envelope.session_id, clock: envelope.clock },
    })
}

/// What a body is when it came in on a topic that does not carry it.
fn fits(up: Up, envelope: &Envelope) -> Option<&'static str> {
    let (own, word) = match &envelope.body {
        // A gap stands in the place of what was lost, so it may come where that would have come.
        Some(Body::Gap(_)) => return None,
        Some(Body::Events(_)) => (Up::Events, "events"),
        Some(Body::Metrics(_)) => (Up::Metrics, "metrics"),
        Some(Body::CommandResult(_)) => (Up::CommandResult, "a command result"),
        Some(Body::ReportedConfig(_)) => (Up::ReportedConfig, "a reported config"),
        Some(Body::Discovered(_)) => (Up::Discovered, "discovered devices"),
        None => return Some("nothing"),
    };
    (own != up).then_some(word)
}

fn cover(block: &MetricBlock) -> Cover {
    let mut all: Vec<Stretch> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    visit(block, |name, points| {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
        let place = places.get(name.device).copied().unwrap_or_else(|| {
            let device = name.device.to_owned();
            places.insert(device.clone(), all.len());
            all.push(Stretch { device, start: first.0, end: last.0, samples: 0 });
            all.len() - 1
        });
        let stretch = &mut all[place];
        stretch.start = stretch.start.min(first.0);
        stretch.end = stretch.end.max(last.0);
        stretch.samples += points.len() as i64;
    })
    .ok()?;
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sitewarden_proto::metrics::{Series, build};

    #[test]
    fn a_block_covers_what_its_devices_were_measured() {
        let series = |device: &str, metric: &str, points: &[(i64, f64)]| Series {
            device: device.into(),
            check: "icmp".into(),
            metric: metric.into(),
            points: points.to_vec(),
        };
        let block = build(&[
            series("a", "x", &[(1000, 1.0), (2000, 2.0)]),
            series("b", "x", &[(2000, 1.0)]),
            series("a", "y", &[(3000, 1.0)]),
        ])
        .unwrap();
        let stretch =
            |device: &str, start, end, samples| Stretch { device: device.into(), start, end, samples };
        assert_eq!(cover(&block).unwrap(), [stretch("a", 1000, 3000, 3), stretch("b", 2000, 2000, 1)]);
        let broken = MetricBlock { axis_deltas_ms: vec![7], ..block };
        assert_eq!(cover(&broken), None);
    }
}
