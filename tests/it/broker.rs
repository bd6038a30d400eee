//! The gateways' door before real clients (mosquitto's, rumqttc) and before everything that brought the stock
//! listener down.

use std::process::Stdio;
use std::time::Duration;

use sitewarden_proto::topic::{Down, Up};
use sitewarden_server::broker::{Refusal, Standing};
use sitewarden_server::config::Limits;
use sitewarden_server::tls::Ca;
use sitewarden_tests::raw::{SOON, connect, frame, publish, subscribe};
use sitewarden_tests::until;
use tokio::net::TcpStream;
use tokio::process::Command;

pub(crate) mod door;

use door::{Badge, Site, now};

const ME: &str = "gw-0123456789";
const OTHER: &str = "gw-9876543210";

/// One of mosquitto's clients, as that gateway unless `client` says otherwise.
fn mosquitto(program: &str, site: &Site, badge: &Badge, client: &str) -> Command {
    let mut command = Command::new(program);
    command
        .args(["-V", "5", "-h", "localhost", "-p", &site.port.to_string(), "-i", client])
        .arg("--cafile")
        .arg(&badge.ca)
        .arg("--cert")
        .arg(&badge.cert)
        .arg("--key")
        .arg(&badge.key)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn mosquitto_pub(
    site: &Site,
    badge: &Badge,
    client: &str,
    topic: &str,
    more: &[&str],
) -> (bool, String) {
    let done = mosquitto("mosquitto_pub", site, badge, client)
        .args(["-t", topic, "-m", "hello"])
        .args(more)
        .output();
    let done = tokio::time::timeout(SOON, done).await.expect("mosquitto_pub ends");
    let done = done.expect("mosquitto-clients, of tests/packages.txt");
    (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn mosquitto_speaks_both_ways() {
    let mut site = Site::open().await;
    let badge = site.gateway(ME);
    for quality in ["0", "1"] {
        let (ok, said) = mosquitto_pub(&site, &badge, ME, &format!("v1/{ME}/u/e"), &["-q", quality]).await;
        assert!(ok, "{said}");
        let came = site.next().await;
        assert_eq!((came.gateway.as_str(), came.up, &came.bytes[..]), (ME, Up::Events, &b"hello"[..]));
    }
    for (filter, quality) in [(format!("v1/{ME}/d/k"), "0"), (format!("v1/{ME}/d/+"), "1")] {
        let listener = mosquitto("mosquitto_sub", &site, &badge, ME)
            .args(["-t", &filter, "-q", quality, "-C", "3", "-F", "%t %p"])
            .spawn()
            .unwrap();
        until("mosquitto_sub is there", SOON, async || site.registry.is_connected(&badge.id)).await;
        for n in 0..3 {
            // Before the subscription the payloads wait in the queue.
            assert!(site.registry.send(&badge.id, Down::Ack, format!("ack {n}").into_bytes()).await);
        }
        let heard = tokio::time::timeout(SOON, listener.wait_with_output()).await.unwrap().unwrap();
        let topic = format!("v1/{ME}/d/k");
        let expected = format!("{topic} ack 0\n{topic} ack 1\n{topic} ack 2\n");
        assert_eq!(String::from_utf8_lossy(&heard.stdout), expected, "{filter}");
        until("the seat is empty", SOON, async || !site.registry.is_connected(&badge.id)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_and_hostile_topics_reach_nobody_and_break_nothing() {
    let mut site = Site::open().await;
    let badge = site.gateway(ME);
    site.gateway(OTHER);
    for topic in ["é/x", "v1/gw-9876543210/u/e", "v1/gw-0123456789/d/k", "v1/gw-0123456789/u/e/x", "$SYS/x"]
    {
        // mosquitto_pub takes a refusal of its message for an end like any other.
        mosquitto_pub(&site, &badge, ME, topic, &["-q", "1"]).await;
        site.nothing();
    }
    site.counted(Refusal::Topic, 5).await;
    // With quality 1 the connection stays and the reason is told; with quality 0 it ends.
    let mut raw = site.connected(&badge, None).await;
    raw.send(&publish("é/x".as_bytes(), b"x", 1, 3, false)).await;
    assert_eq!(raw.answer().await[2..5], [0, 3, 0x87], "PUBACK, not authorized");
    raw.send(&publish(b"\xff\xfe/x", b"x", 1, 4, false)).await;
    assert_eq!(raw.answer().await[2..5], [0, 4, 0x87]);
    raw.publish("u/m", b"mine").await;
    assert_eq!(raw.answer().await[0], 0x40);
    assert_eq!(&site.next().await.bytes[..], b"mine");
    raw.send(&publish("é/x".as_bytes(), b"x", 0, 0, false)).await;
    assert_eq!(raw.answer().await[..2], [0xe0, 0x87], "DISCONNECT, not authorized");
    site.nothing();
    let (ok, said) = mosquitto_pub(&site, &badge, ME, &format!("v1/{ME}/s"), &["-q", "1"]).await;
    assert!(ok, "{said}");
    assert_eq!(site.next().await.up, Up::Session);
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_are_a_gateways_own() {
    let site = Site::open().await;
    let badge = site.gateway(ME);
    let mut raw = site.connected(&badge, None).await;
    let shared = format!("$share/g/v1/{ME}/d/k");
    let mine = format!("v1/{ME}/d/c");
    for (filter, code) in
        [("#", 0x87), ("v1/+/d/k", 0x87), ("v1/gw-9876543210/d/k", 0x87), (&shared, 0x9e), (&mine, 0x01)]
    {
        raw.send(&subscribe(filter, 1)).await;
        let answer = raw.answer().await;
        assert_eq!((answer[0], *answer.last().unwrap()), (0x90, code), "{filter}");
    }
    // What was never subscribed to is not sent, and does not hold up what was.
    site.registry.send(&badge.id, Down::Ack, b"nobody listens".to_vec()).await;
    site.registry.send(&badge.id, Down::Command, b"do it".to_vec()).await;
    let came = raw.answer().await;
    assert_eq!(came[0], 0x32, "PUBLISH with quality 1");
    assert!(came.ends_with(b"do it"));
    site.counted(Refusal::NotSubscribed, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_client_id_twice_leaves_the_door_open() {
    let mut site = Site::open().await;
    let badge = site.gateway(ME);
    for client in [OTHER, "é", "nobody-at-all", OTHER] {
        let (ok, _) = mosquitto_pub(&site, &badge, client, &format!("v1/{ME}/s"), &["-q", "1"]).await;
        assert!(!ok, "{client} was let in");
    }
    site.counted(Refusal::ClientId, 4).await;
    let (ok, said) = mosquitto_pub(&site, &badge, ME, &format!("v1/{ME}/s"), &["-q", "1"]).await;
    assert!(ok, "{said}");
    site.next().await;
    site.nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_keep_nobody_out_and_one_address_has_its_share() {
    let limits = Limits { gateways: 8, handshakes: 8, handshakes_per_address: 4, ..Limits::default() };
    let site = Site::with(16, limits).await;
    let badge = site.gateway(ME);
    let mut idle = Vec::new();
    for _ in 0..3 {
        idle.push(TcpStream::connect(("127.0.0.1", site.port)).await.unwrap());
    }
    let (ok, said) = mosquitto_pub(&site, &badge, ME, &format!("v1/{ME}/s"), &["-q", "1"]).await;
    assert!(ok, "{said}");
    // With all four handshakes of the address under way, the others stand in line; it has an end.
    for _ in 0..6 {
        idle.push(TcpStream::connect(("127.0.0.1", site.port)).await.unwrap());
    }
    site.counted(Refusal::TooManyFromAddress, 1).await;
    assert_eq!(site.registry.count(Refusal::TooManyFromAddress), 1);
    drop(idle);
    until("the places are given back", SOON, async || {
        mosquitto_pub(&site, &badge, ME, &format!("v1/{ME}/s"), &["-q", "1"]).await.0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_certificates_that_stand_open_the_door() {
    let mut site = Site::open().await;
    let badge = site.gateway(ME);
    let topic = format!("v1/{ME}/s");
    // Of another authority.
    let other_ca = Ca::create(now()).unwrap();
    let forged = site.stranger(&other_ca, ME);
    assert!(!mosquitto_pub(&site, &forged, ME, &topic, &["-q", "1"]).await.0);
    site.counted(Refusal::HandshakeFailed, 1).await;
    // Of ours, but for a gateway that the database does not know.
    let unknown = site.stranger(&site.ca, OTHER);
    assert!(!mosquitto_pub(&site, &unknown, OTHER, &format!("v1/{OTHER}/s"), &["-q", "1"]).await.0);
    site.counted(Refusal::UnknownGateway, 1).await;
    // Of ours, but from before the newest enrolment.
    let later = now() + jiff::SignedDuration::from_secs(5);
    site.registry.set_standing(badge.id.clone(), Standing { revoked: false, since: later });
    assert!(!mosquitto_pub(&site, &badge, ME, &topic, &["-q", "1"]).await.0);
    // Revoked: a connection ends at once, and none begins.
    site.registry.set_standing(badge.id.clone(), Standing { revoked: false, since: now() });
    let badge = site.gateway(ME);
    let mut raw = site.connected(&badge, Some(b"will")).await;
    site.registry.set_standing(badge.id.clone(), Standing { revoked: true, since: now() });
    assert_eq!(raw.answer().await[..2], [0xe0, 0x98], "DISCONNECT, administrative action");
    raw.end().await;
    let (ok, said) = mosquitto_pub(&site, &badge, ME, &topic, &["-q", "1"]).await;
    assert!(!ok && said.to_lowercase().contains("banned"), "{said}");
    site.nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_takeover_voids_the_first_will_and_keeps_the_second() {
    let mut site = Site::open().await;
    let badge = site.gateway(ME);
    let mut first = site.connected(&badge, Some(b"will of the first")).await;
    let mut second = site.connected(&badge, Some(b"will of the second")).await;
    assert_eq!(first.answer().await[..2], [0xe0, 0x8e], "DISCONNECT, session taken over");
    first.end().await;
    // The second one lives: its publish is the first thing that comes, no will before it.
    second.publish("u/e", b"alive").await;
    assert_eq!(&site.next().await.bytes[..], b"alive");
    assert_eq!(second.answer().await[0], 0x40);
    drop(second);
    let will = site.next().await;
    assert_eq!((will.up, &will.bytes[..]), (Up::Session, &b"will of the second"[..]));
    // A goodbye voids a will; a goodbye that asks for it does not.
    let mut third = site.connected(&badge, Some(b"void")).await;
    third.send(&[0xe0, 0]).await;
    third.end().await;
    let mut fourth = site.connected(&badge, Some(b"asked for")).await;
    fourth.send(&[0xe0, 1, 4]).await;
    assert_eq!(&site.next().await.bytes[..], b"asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_will_speaks_for_its_own_gateway_only() {
    let site = Site::open().await;
    let badge = site.gateway(ME);
    for topic in [format!("v1/{OTHER}/s"), format!("v1/{ME}/u/e"), "é/x".to_owned()] {
        let mut raw = site.raw(&badge).await;
        raw.send(&connect(ME, 60, Some((topic.clone(), b"x")))).await;
        assert_eq!(raw.answer().await[3], 0x90, "CONNACK, topic name invalid: {topic}");
        raw.end().await;
    }
    site.counted(Refusal::Will, 3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_gateway_never_sends_ends_the_connection_with_its_reason() {
    let mut site = Site::open().await;
    let badge = site.gateway(ME);
    let topic = format!("v1/{ME}/u/e");
    let alias = {
        let mut body = [&(topic.len() as u16).to_be_bytes(), topic.as_bytes()].concat();
        body.extend([3, 0x23, 0, 1]);
        frame(0x30, &body)
    };
    let cases: [(&str, Vec<u8>, u8, Refusal); 8] = [
        ("quality 2", publish(topic.as_bytes(), b"x", 2, 5, false), 0x9b, Refusal::Quality),
        ("retained", publish(topic.as_bytes(), b"x", 1, 5, true), 0x9a, Refusal::Retain),
        ("a topic alias", alias, 0x94, Refusal::Alias),
        ("too large", vec![0x30, 0xff, 0xff, 0xff, 0x7f], 0x95, Refusal::TooLarge),
        ("no length", vec![0x30, 0xff, 0xff, 0xff, 0xff], 0x81, Refusal::Malformed),
        ("a CONNACK, on which the codec panics", vec![0x20, 3, 0, 0, 0], 0x81, Refusal::Panic),
        ("a second CONNECT", connect(ME, 60, None), 0x82, Refusal::ConnectOrder),
        ("AUTH", vec![0xf0, 2, 0, 0], 0x81, Refusal::Malformed),
    ];
    for (what, bytes, code, refusal) in cases {
        let before = site.registry.count(refusal);
        let mut raw = site.connected(&badge, None).await;
        raw.send(&bytes).await;
        assert_eq!(raw.answer().await[..2], [0xe0, code], "{what}");
        raw.end().await;
        site.counted(refusal, before + 1).await;
    }
    let mut raw = site.raw(&badge).await;
    raw.send(&publish(topic.as_bytes(), b"x", 0, 0, false)).await;
    raw.end().await;
    site.counted(Refusal::ConnectOrder, 2).await;
    site.nothing();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_payload_of_the_wire_passes() {
    let mut site = Site::open().await;
    let badge = site.gateway(ME);
    let payload = vec![7; sitewarden_proto::limits::PACKET_MAX];
    let mut raw = site.connected(&badge, None).await;
    raw.publish("u/m", &payload).await;
    assert_eq!(site.next().await.bytes.len(), payload.len());
    assert_eq!(raw.answer().await[0], 0x40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_ends_with_its_will() {
    let mut site = Site::open().await;
    let badge = site.gateway(ME);
    let mut raw = site.raw(&badge).await;
    raw.send(&connect(ME, 1, Some((format!("v1/{ME}/s"), b"gone")))).await;
    let answer = raw.answer().await;
    // Property 0x13, server keep alive: five seconds, the shortest that is enforced.
    assert!(answer.windows(3).any(|bytes| bytes == [0x13, 0, 5]), "{answer:x?}");
    assert_eq!(raw.answer().await[..2], [0xe0, 0x8d], "DISCONNECT, keep alive timeout");
    assert_eq!(&site.next().await.bytes[..], b"gone");
    // And a connection that never says CONNECT ends too.
    let mut mute = site.raw(&badge).await;
    mute.end().await;
    site.counted(Refusal::ConnectLate, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_channel_slows_one_gateway_and_loses_nothing() {
    const COUNT: u8 = 40;
    let mut site = Site::with(2, Limits::default()).await;
    let badge = site.gateway(ME);
    let mut raw = site.connected(&badge, None).await;
    for n in 0..COUNT {
        raw.publish("u/m", &[n]).await;
    }
    // Two are in the channel, the third waits for room, and only the two are acknowledged.
    assert_eq!(raw.answer().await[0], 0x40);
    for n in 0..COUNT {
        assert_eq!(site.next().await.bytes[..], [n]);
    }
    for _ in 1..COUNT {
        assert_eq!(raw.answer().await[0], 0x40);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rumqttc_finds_what_the_agent_needs() {
    use rumqttc::v5::mqttbytes::QoS;
    use rumqttc::v5::mqttbytes::v5::Packet;
    use rumqttc::v5::{AsyncClient, Event, MqttOptions};
    use rumqttc::{TlsConfiguration, Transport};
    let mut site = Site::open().await;
    let badge = site.gateway(ME);
    let mut options = MqttOptions::new(ME, "localhost", site.port);
    options.set_keep_alive(Duration::from_secs(30));
    let read = |path: &std::path::Path| std::fs::read(path).unwrap();
    let tls = TlsConfiguration::Simple {
        ca: read(&badge.ca),
        alpn: None,
        client_auth: Some((read(&badge.cert), read(&badge.key))),
    };
    options.set_transport(Transport::Tls(tls));
    let (client, mut events) = AsyncClient::new(options, 8);
    client.subscribe(format!("v1/{ME}/d/+"), QoS::AtLeastOnce).await.unwrap();
    client.publish(format!("v1/{ME}/s"), QoS::AtLeastOnce, false, "birth").await.unwrap();
    let registry = site.registry.clone();
    let talk = tokio::spawn(async move {
        let (mut limits, mut acked) = (None, false);
        loop {
            match events.poll().await.expect("the connection stands") {
                Event::Incoming(Packet::ConnAck(ack)) => limits = ack.properties,
                Event::Incoming(Packet::PubAck(_)) => acked = true,
                Event::Incoming(Packet::Publish(publish)) => return (limits, acked, publish),
                Event::Incoming(_) | Event::Outgoing(_) => {}
            }
        }
    });
    let birth = site.next().await;
    assert_eq!((birth.up, &birth.bytes[..]), (Up::Session, &b"birth"[..]));
    registry.send(&badge.id, Down::DesiredConfig, b"config".to_vec()).await;
    let (limits, acked, publish) = tokio::time::timeout(SOON, talk).await.unwrap().unwrap();
    let limits = limits.expect("properties");
    assert_eq!(limits.receive_max, Some(16));
    assert_eq!(limits.max_packet_size, Some(256 * 1024 + 1024));
    assert_eq!((limits.topic_alias_max, limits.retain_available), (Some(0), Some(0)));
    assert_eq!(limits.server_keep_alive, Some(30));
    assert!(acked);
    assert_eq!(&publish.payload[..], b"config");
}
