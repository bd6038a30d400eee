//! Golden bytes, round trips and hostile input for the envelope.

use proptest::prelude::*;

use super::*;
use crate::wire::{
    Ack, Command, CommandResult, DesiredConfig, DiscoveredDevice, DiscoveredDevices, Event, EventBatch, Gap,
    MetricBlock, ProbeNow, ReportedConfig, Session, SignedCommand, Transition, command, command_result, gap,
    reported_config,
};

fn envelope(count: u32, body: Body) -> Envelope {
    Envelope {
        epoch: 0x0102_0304_0506_0708,
        first_seq: 41,
        count,
        sent_at_ms: 1_790_000_000_123,
        session_id: 7,
        body: Some(body),
        ..Envelope::default()
    }
}

fn event() -> Event {
    Event {
        device_id: "cam-3".into(),
        fault_code: "port_closed".into(),
        transition: Transition::Raised.into(),
        at_ms: 1_790_000_000_000,
        last_good_at_ms: 1_789_999_970_000,
        first_bad_at_ms: 1_789_999_999_000,
        check: "rtsp".into(),
        evidence_json: r#"{"port":554}"#.into(),
    }
}

fn one_of_each() -> Vec<(&'static str, Envelope)> {
    let block = crate::metrics::build(&[crate::metrics::Series {
        device: "cam-3".into(),
        check: "icmp".into(),
        metric: "rtt_ms".into(),
        points: vec![(1_790_000_000_000, 1.25), (1_790_000_060_000, 1.5)],
    }])
    .unwrap();
    vec![
        ("events", envelope(1, Body::Events(EventBatch { events: vec![event()] }))),
        ("metrics", envelope(1, Body::Metrics(block))),
        (
            "command_result",
            envelope(
                1,
                Body::CommandResult(CommandResult {
                    command_id: "01995d5c-3000-7000-8000-000000000001".into(),
                    status: command_result::Status::Done.into(),
                    at_ms: 1_790_000_000_000,
                    result_json: "{}".into(),
                    error: String::new(),
                }),
            ),
        ),
        (
            "reported_config",
            envelope(
                1,
                Body::ReportedConfig(ReportedConfig {
                    version: 3,
                    status: reported_config::Status::Applied.into(),
                    error: String::new(),
                    at_ms: 1_790_000_000_000,
                }),
            ),
        ),
        (
            "gap",
            envelope(10, Body::Gap(Gap { from_seq: 41, to_seq: 50, reason: gap::Reason::QueueFull.into() })),
        ),
        (
            "discovered",
            envelope(
                1,
                Body::Discovered(DiscoveredDevices {
                    devices: vec![DiscoveredDevice {
                        address: "10.20.7.11".into(),
                        mac: "00:00:5e:00:53:01".into(),
                        name: "cam".into(),
                        class: "camera".into(),
                    }],
                    switches: Vec::new(),
                }),
            ),
        ),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        use std::fmt::Write;
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Agents of this version live for years: if this test fails, the change breaks the wire. The file holds
/// `name hex` lines; a new kind adds a line, an old line never changes.
#[test]
fn golden_bytes_never_change() {
    let golden = include_str!("golden.txt");
    let mut made: Vec<(String, Vec<u8>)> = one_of_each()
        .iter()
        .map(|(name, envelope)| ((*name).to_owned(), encode(envelope, Codec::None).unwrap()))
        .collect();
    let mut add =
        |name: &str, packet: Result<Vec<u8>, EncodeError>| made.push((name.into(), packet.unwrap()));
    add("session", encode_message(&session(), Codec::None));
    add("ack", encode_message(&Ack { epoch: 9, upto: 41, server_at_ms: 5, ..Ack::default() }, Codec::None));
    let command = Command {
        id: "01995d5c-3000-7000-8000-000000000001".into(),
        gateway_id: "gw-0123456789".into(),
        issued_at_ms: 1,
        expires_at_ms: 2,
        action: Some(command::Action::ProbeNow(ProbeNow { device_id: "cam-3".into() })),
    };
    let signed = SignedCommand { signed: command.encode_to_vec(), signature: vec![1; 4] };
    add("command", encode_message(&signed, Codec::None));
    let config = DesiredConfig {
        version: 3,
        sha256: vec![2; 4],
        body: b"[[device]]".to_vec(),
        ..DesiredConfig::default()
    };
    add("desired_config", encode_message(&config, Codec::None));
    let groups = crate::metrics::pack(&[
        series("019c0a01-2b3c-7d4e-8f50-0123456789ab", &[(0, 1.25), (60_000, 1.5)]),
        series("cam-3", &[(0, 1.0)]),
    ]);
    add("metrics_in_groups", encode(&envelope(1, Body::Metrics(groups.unwrap())), Codec::None));

    let lines: Vec<String> = made.iter().map(|(name, bytes)| format!("{name} {}", hex(bytes))).collect();
    assert_eq!(lines.join("\n"), golden.trim_end());
}

fn series(device: &str, points: &[(i64, f64)]) -> crate::metrics::Series {
    let points = points.iter().map(|(after_ms, value)| (1_790_000_000_000 + after_ms, *value));
    crate::metrics::Series {
        device: device.into(),
        check: "icmp".into(),
        metric: "rtt_ms".into(),
        points: points.collect(),
    }
}

fn session() -> Session {
    Session {
        online: true,
        session_id: 7,
        epoch: 9,
        head_seq: 50,
        tail_seq: 41,
        sent_at_ms: 1_790_000_000_000,
        started_at_ms: 1_790_000_000_000,
        agent_version: "0.1.0".into(),
        wire_version: 1,
        config_version: 3,
        heartbeat_s: 30,
        queue_records: 10,
        queue_bytes: 1000,
        dropped_records: 0,
        clock_synchronised: true,
        ..Session::default()
    }
}

#[test]
fn every_kind_survives_both_codecs() {
    for (name, envelope) in one_of_each() {
        for codec in [Codec::None, Codec::Zstd, Codec::ZstdSmall] {
            let packet = encode(&envelope, codec).unwrap();
            assert_eq!(decode(&packet).unwrap(), envelope, "{name}");
        }
    }
    let packet = encode_message(&session(), Codec::Zstd).unwrap();
    assert_eq!(decode_message::<Session>(&packet).unwrap(), session());
}

#[test]
fn what_is_refused_says_why() {
    let good = encode(&one_of_each()[0].1, Codec::None).unwrap();
    let with_first = |first: u8| {
        let mut packet = good.clone();
        packet[0] = first;
        decode(&packet).unwrap_err()
    };
    assert_eq!(decode(&[]), Err(DecodeError::Empty));
    assert_eq!(with_first(0x20), DecodeError::Version(2));
    assert_eq!(with_first(0x00), DecodeError::Version(0));
    assert_eq!(with_first(0x12), DecodeError::Codec(2));
    assert_eq!(with_first(0x11), DecodeError::Decompress);
    assert_eq!(decode(&vec![0x10; PACKET_MAX + 1]), Err(DecodeError::PacketTooLarge(PACKET_MAX + 1)));
    assert!(matches!(decode(&[0x10, 0xff]), Err(DecodeError::Protobuf(_))));
    assert_eq!(decode(&[0x10]), Err(DecodeError::Inconsistent("the epoch is zero")));
}

#[test]
fn a_bomb_is_cut_off() {
    let mut packet = vec![0x11];
    packet.extend(zstd::bulk::compress(&vec![0; 64 << 20], 3).unwrap());
    assert!(packet.len() < PACKET_MAX);
    assert!(matches!(decode(&packet), Err(DecodeError::DecodedTooLarge | DecodeError::Decompress)));
}

#[test]
fn every_kind_of_bomb_is_cut_off() {
    let refused = |packed: &[u8]| {
        let packet = [&[0x11], packed].concat();
        assert!(packet.len() < PACKET_MAX);
        decode(&packet).unwrap_err()
    };
    let zeros = |length: usize| zstd::bulk::compress(&vec![0; length], 3).unwrap();
    // RFC 8878, section 3.1.1: magic, a header that claims a content of 4 GiB in one segment, and an empty last
    // block; and one that asks for a window of 2 GiB.
    let claims = [0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0];
    assert_eq!(refused(&claims), DecodeError::Decompress);
    let window = [0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 1, 0, 0];
    assert_eq!(refused(&window), DecodeError::Decompress);
    // One byte too many: in one frame, whose window says so already, and in many.
    assert_eq!(refused(&zeros(DECODED_MAX + 1)), DecodeError::Decompress);
    assert_eq!(refused(&zeros(DECODED_MAX / 8).repeat(9)), DecodeError::DecodedTooLarge);
    // What is packed twice is not unpacked twice.
    let nested = zstd::bulk::compress(&zeros(64 << 20), 3).unwrap();
    assert!(matches!(refused(&nested), DecodeError::Protobuf(_)));
}

#[test]
fn a_message_of_a_hundred_thousand_empty_parts_is_not_decoded() {
    // Field 10, 11 or 15 of the envelope, full of field 1 or 3 without content.
    for (outer, inner, limit) in
        [(10, 1, RECORDS_MAX as usize), (11, 3, COLUMNS_MAX), (15, 1, DISCOVERED_MAX)]
    {
        let holds = |count: usize| {
            let mut body = Vec::new();
            for _ in 0..count {
                body.extend([inner << 3 | 2, 0]);
            }
            let mut packet = vec![0x10, outer << 3 | 2];
            prost::encoding::encode_varint(body.len() as u64, &mut packet);
            [packet, body].concat()
        };
        let crowded = DecodeError::Inconsistent("it has more parts than a message may have");
        assert_eq!(decode(&holds(100_000)), Err(crowded.clone()));
        assert_ne!(decode(&holds(limit)), Err(crowded.clone()));
        // Spread over two bodies, which protobuf merges into one.
        let twice = [holds(limit).as_slice(), &holds(limit)[1..]].concat();
        assert_eq!(decode(&twice), Err(crowded));
    }
}

#[test]
fn numbering_must_agree_with_the_body() {
    let refuse = |change: fn(&mut Envelope), index: usize| {
        let mut envelope = one_of_each().remove(index).1;
        change(&mut envelope);
        assert!(matches!(encode(&envelope, Codec::None), Err(EncodeError::Inconsistent(_))));
        let packet = encode_message(&envelope, Codec::None).unwrap();
        assert!(matches!(decode(&packet), Err(DecodeError::Inconsistent(_))));
    };
    refuse(|e| e.epoch = 0, 0);
    refuse(|e| e.first_seq = 0, 0);
    refuse(|e| e.count = 0, 0);
    refuse(|e| e.count = 2, 0);
    refuse(|e| e.count = 2, 1);
    refuse(|e| e.count = 2, 4);
    refuse(|e| e.first_seq = u64::MAX, 1);
    refuse(|e| e.first_seq = i64::MAX as u64 + 1, 1);
    refuse(|e| e.body = None, 0);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(packet in proptest::collection::vec(any::<u8>(), 0..2048), first in prop_oneof![Just(0x10_u8), Just(0x11), any::<u8>()]) {
        let mut packet = packet;
        if let Some(byte) = packet.first_mut() { *byte = first; }
        if let Ok(Envelope { body: Some(Body::Metrics(block)), .. }) = decode(&packet) {
            let _ = crate::metrics::read(&block);
        }
        let _ = decode_message::<MetricBlock>(&packet).map(|block| crate::metrics::read(&block));
        let _ = decode_message::<Session>(&packet);
        let _ = decode_message::<DesiredConfig>(&packet);
    }

    #[test]
    fn a_flipped_byte_never_panics(at in 0_usize..4096, byte in any::<u8>(), kind in 0_usize..6, zstd in any::<bool>()) {
        let codec = if zstd { Codec::Zstd } else { Codec::None };
        let mut packet = encode(&one_of_each()[kind].1, codec).unwrap();
        let at = at % packet.len();
        packet[at] = byte;
        if let Ok(Envelope { body: Some(Body::Metrics(block)), .. }) = decode(&packet) {
            let _ = crate::metrics::read(&block);
        }
    }

    #[test]
    fn events_come_back(n in 1_u32..200, first in 1_u64..1_000_000, evidence in "[ -~]{0,80}") {
        let events = (0..n).map(|i| Event { at_ms: i64::from(i), evidence_json: evidence.clone(), ..event() }).collect();
        let envelope = Envelope { first_seq: first, ..envelope(n, Body::Events(EventBatch { events })) };
        prop_assert_eq!(decode(&encode(&envelope, Codec::Zstd).unwrap()).unwrap(), envelope);
    }
}
