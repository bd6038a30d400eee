//! What brings rumqttd's own listener down, row by row, against our door. After each the door must still let
//! another gateway in and take what it says.

use sitewarden_proto::topic::{Down, Up};
use sitewarden_server::broker::Refusal;
use sitewarden_server::config::Limits;
use sitewarden_tests::database::Engine;
use sitewarden_tests::fleet::Fleet;
use sitewarden_tests::raw::{SOON, connect, publish, subscribe};
use sitewarden_tests::until;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::broker::door::{Badge, Site};

const ME: &str = "gw-0123456789";
const OTHER: &str = "gw-9876543210";

/// Another gateway comes in and is heard.
async fn still_open(site: &mut Site) {
    let badge = site.gateway(OTHER);
    let mut raw = site.connected(&badge, None).await;
    raw.publish("u/e", b"still here").await;
    assert_eq!(raw.answer().await[0], 0x40);
    let came = site.next().await;
    assert_eq!((came.gateway.as_str(), &came.bytes[..]), (OTHER, &b"still here"[..]));
    site.nothing();
    raw.send(&[0xe0, 0]).await;
}

async fn open(limits: Limits) -> (Site, Badge) {
    let site = Site::with(256, limits).await;
    let badge = site.gateway(ME);
    (site, badge)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_begins_with_a_multi_byte_character() {
    let (mut site, badge) = open(Limits::default()).await;
    for topic in ["é/x", "中/x", "\u{1f4a5}", "ü"] {
        let mut raw = site.connected(&badge, None).await;
        raw.send(&publish(topic.as_bytes(), b"x", 1, 3, false)).await;
        assert_eq!(raw.answer().await[2..5], [0, 3, 0x87], "PUBACK, not authorized");
        raw.send(&subscribe(topic, 1)).await;
        assert_eq!(raw.answer().await.last(), Some(&0x87), "SUBACK, not authorized");
        raw.send(&publish(topic.as_bytes(), b"x", 0, 0, false)).await;
        raw.end().await;
        let mut raw = site.raw(&badge).await;
        raw.send(&connect(ME, 60, Some((topic.to_owned(), b"x")))).await;
        assert_eq!(raw.answer().await[3], 0x90, "CONNACK, topic name invalid");
        still_open(&mut site).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_tcp_connection_on_the_tls_port() {
    let (mut site, _) = open(Limits { packet_s: 1, ..Limits::default() }).await;
    let mut idle = TcpStream::connect(site.address()).await.unwrap();
    still_open(&mut site).await;
    let end = tokio::time::timeout(SOON, idle.read(&mut [0; 8])).await.expect("it is thrown out");
    assert_eq!(end.unwrap_or(0), 0);
    site.counted(Refusal::HandshakeLate, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_client_id_twice() {
    let (mut site, badge) = open(Limits::default()).await;
    for client in ["", "é", "gw-9876543210", "gw-9876543210", "#", "x\u{0}y"] {
        let mut raw = site.raw(&badge).await;
        raw.send(&connect(client, 60, None)).await;
        let answer = raw.answer().await;
        assert!(answer[0] == 0x20 && [0x85, 0x81].contains(&answer[3]), "CONNACK {answer:x?} for {client:?}");
        raw.end().await;
    }
    still_open(&mut site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_when_every_seat_is_taken() {
    let (site, badge) = open(Limits { gateways: 2, ..Limits::default() }).await;
    let sitting = [site.connected(&badge, None).await, site.connected(&site.gateway(OTHER), None).await];
    let late = site.gateway("gw-too-late-0000");
    for _ in 0..10 {
        let mut raw = site.raw(&late).await;
        raw.send(&connect(late.id.as_str(), 60, None)).await;
        assert_eq!(raw.answer().await[3], 0x89, "CONNACK, server busy");
        raw.end().await;
    }
    site.counted(Refusal::TooManyGateways, 10).await;
    drop(sitting);
    until("a seat is free", SOON, async || site.raw(&late).await.greet(60, None).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shared_subscription_with_an_unanswered_message_and_a_disconnect() {
    let (mut site, badge) = open(Limits::default()).await;
    let mut raw = site.connected(&badge, None).await;
    raw.send(&subscribe(&format!("$share/g/v1/{ME}/d/k"), 1)).await;
    assert_eq!(raw.answer().await.last(), Some(&0x9e), "SUBACK, shared subscriptions not supported");
    raw.send(&subscribe(&format!("v1/{ME}/d/k"), 1)).await;
    assert_eq!(raw.answer().await.last(), Some(&1));
    assert!(site.registry.send(&badge.id, Down::Ack, b"never answered".to_vec()).await);
    assert_eq!(raw.answer().await[0], 0x32);
    raw.send(&[0xe0, 0]).await;
    raw.end().await;
    still_open(&mut site).await;
    // Nothing is kept of the connection that ended; what matters comes again from its row.
    let mut again = site.connected(&badge, None).await;
    again.send(&subscribe(&format!("v1/{ME}/d/k"), 1)).await;
    assert_eq!(again.answer().await[0], 0x90);
    assert!(site.registry.send(&badge.id, Down::Ack, b"fresh".to_vec()).await);
    assert!(again.answer().await.ends_with(b"fresh"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_subscriber_loses_the_oldest_and_that_is_counted() {
    const SENT: u32 = 5000;
    let (mut site, badge) = open(Limits::default()).await;
    let mut raw = site.connected(&badge, None).await;
    raw.send(&subscribe(&format!("v1/{ME}/d/+"), 1)).await;
    assert_eq!(raw.answer().await[0], 0x90);
    // It answers nothing, so sixteen are on their way and sixty-four wait. A command is the last to come.
    for n in 0..SENT {
        assert!(site.registry.send(&badge.id, Down::Ack, n.to_be_bytes().to_vec()).await);
    }
    assert!(site.registry.send(&badge.id, Down::Command, b"do it".to_vec()).await);
    let (mut got, mut last) = (0, None);
    loop {
        let packet = raw.answer().await;
        let topic = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
        raw.send(&[&[0x40, 2][..], &packet[4 + topic..6 + topic]].concat()).await;
        got += 1;
        if packet.ends_with(b"do it") {
            break;
        }
        let number = u32::from_be_bytes(*packet.last_chunk().unwrap());
        assert!(last < Some(number), "in their order");
        last = Some(number);
    }
    assert_eq!(last, Some(SENT - 1), "the newest ack, which says everything that those before it said");
    assert_eq!(site.registry.count(Refusal::DownstreamDropped), u64::from(SENT + 1 - got));
    still_open(&mut site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_subscriptions() {
    let (mut site, badge) = open(Limits::default()).await;
    let mut raw = site.connected(&badge, None).await;
    for n in 0..1000 {
        raw.send(&subscribe(&Down::ALL[n % 3].topic(&badge.id), 1)).await;
        assert_eq!(raw.answer().await[0], 0x90);
    }
    for down in Down::ALL {
        site.registry.send(&badge.id, down, b"once".to_vec()).await;
        assert!(raw.answer().await.ends_with(b"once"));
    }
    raw.send(&[0xc0, 0]).await;
    assert_eq!(raw.answer().await[0], 0xd0, "and nothing came twice");
    still_open(&mut site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_on_a_clean_session() {
    let (mut site, badge) = open(Limits::default()).await;
    let mut first = site.connected(&badge, Some(b"first")).await;
    let second = site.connected(&badge, Some(b"second")).await;
    first.end().await;
    site.nothing();
    drop(second);
    let will = site.next().await;
    assert_eq!((will.up, &will.bytes[..]), (Up::Session, &b"second"[..]), "its real death is told");
    drop(will);
    still_open(&mut site).await;
}

/// In a process of its own, so that its memory is its own. A tenth of what it takes to see it grow by hand.
#[tokio::test(flavor = "multi_thread")]
async fn tens_of_thousands_of_distinct_topics() {
    const TOPICS: u32 = 20_000;
    let limits = Limits {
        gateway_bytes_per_s: u32::MAX,
        gateway_packets_per_s: u32::MAX,
        gateway_refusals_per_min: u32::MAX,
        ..Limits::default()
    };
    let fleet = Fleet::enrolled(Engine::Sqlite, 1, limits).await;
    let server = fleet.start().await;
    let mut raw = fleet.passes[0].dial(server.door).await;
    assert!(raw.greet(600, None).await);
    let mut memory_kb = Vec::new();
    for batch in 0..TOPICS / 1000 {
        let topics = (0..1000).map(|n| format!("v1/{}/u/{}", raw.id, batch * 1000 + n));
        let bytes: Vec<u8> = topics.flat_map(|topic| publish(topic.as_bytes(), b"x", 1, 5, false)).collect();
        raw.send(&bytes).await;
        for _ in 0..1000 {
            assert_eq!(raw.packet().await.unwrap()[..4], [0x40, 0, 5, 0x87]);
        }
        if batch % 4 == 3 {
            memory_kb.push(server.process.resident_kb());
        }
    }
    let (first, last) = (memory_kb[0], memory_kb[memory_kb.len() - 1]);
    assert!(last < first + 4 * 1024, "{memory_kb:?} kB; the stock listener takes 500 bytes for each topic");
}
