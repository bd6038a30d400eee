//! What reads bytes that somebody else wrote, one function each. It may refuse them in any words; it must
//! come back, without a panic and without taking more memory than its bounds say.

use bytes::BytesMut;
use prost::Message as _;
use sitewarden_proto::envelope::{decode, decode_message};
use sitewarden_proto::metrics;
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::{Ack, Command, DesiredConfig, MetricBlock, Session, SignedCommand};
use sitewarden_server::broker::read_packets;

/// A target: its name, which is its folder in the corpus, and itself.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 6] = [
    ("packet", packet),
    ("envelope", envelope),
    ("block", block),
    ("agent_config", agent_config),
    ("device_list", device_list),
    ("server_config", server_config),
];

/// MQTT packets, as the door reads them from the wire, whole and in two pieces.
fn packet(bytes: &[u8]) {
    let mut whole = BytesMut::from(bytes);
    let read = read_packets(&mut whole);
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    let mut parts = BytesMut::from(first);
    let mut in_parts = read_packets(&mut parts);
    if in_parts.1.is_ok() {
        parts.extend_from_slice(rest);
        let more = read_packets(&mut parts);
        in_parts = (in_parts.0 + more.0, more.1);
    }
    assert_eq!(read, in_parts, "how bytes are cut must make no difference");
}

/// Every message of the wire.
fn envelope(bytes: &[u8]) {
    if let Ok(envelope) = decode(bytes) {
        assert!(envelope.epoch != 0 && envelope.first_seq != 0 && envelope.count != 0);
        if let Some(Body::Metrics(block)) = &envelope.body {
            let _ = metrics::read(block);
        }
    }
    let _ = decode_message::<Session>(bytes);
    let _ = decode_message::<Ack>(bytes);
    let _ = decode_message::<DesiredConfig>(bytes);
    if let Ok(signed) = decode_message::<SignedCommand>(bytes) {
        let _ = Command::decode(&*signed.signed);
    }
}

/// A metric block: what is read can be built again and is then the same.
fn block(bytes: &[u8]) {
    let Ok(block) = MetricBlock::decode(bytes) else { return };
    let Ok(series) = metrics::read(&block) else { return };
    assert!(series.iter().flat_map(|series| &series.points).all(|(_, value)| value.is_finite()));
    let names: std::collections::BTreeSet<_> =
        series.iter().map(|series| (&series.device, &series.check, &series.metric)).collect();
    if let Ok(again) = metrics::build(&series)
        && names.len() == series.len()
    {
        assert!(metrics::read(&again).is_ok(), "what was built cannot be read");
    }
}

/// The agent's own file.
fn agent_config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(error) = sitewarden_agent::config::Config::parse(&text, "agent.toml") {
        assert!(!error.to_string().is_empty());
    }
}

/// What a server sends as configuration, and the files of one device.
fn device_list(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(error) = sitewarden_agent::config::parse_devices(&text, "desired") {
        assert!(!error.to_string().is_empty());
    }
    let _ = sitewarden_agent::config::parse_device(&text, "cam.toml", "cam");
}

/// The server's file.
fn server_config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err(error) = sitewarden_server::config::Config::parse(&text, "server.toml") {
        assert!(!error.to_string().is_empty());
    }
}
