//! Attacks on one connection: bytes that mean nothing, bytes that come too slowly, certificates that do not
//! count, and packets at the wrong time.

use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use sitewarden_server::broker::Refusal;
use sitewarden_server::config::Limits;
use sitewarden_tests::raw::{SOON, frame, publish};
use sitewarden_tests::until;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::broker::door::{Site, now};

const ME: &str = "gw-0123456789";
const ROUNDS: usize = 40;

fn garbage(random: &mut StdRng) -> Vec<u8> {
    let mut bytes = vec![0; random.random_range(1..3000)];
    random.fill_bytes(&mut bytes);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_before_and_after_tls_reaches_nobody() {
    let limits = Limits { gateway_refusals_per_min: 10_000, packet_s: 1, ..Limits::default() };
    let mut site = Site::with(256, limits).await;
    let badge = site.gateway(ME);
    let mut random = StdRng::seed_from_u64(77);
    for round in 0..ROUNDS {
        let mut plain = TcpStream::connect(site.address()).await.unwrap();
        let _ = plain.write_all(&garbage(&mut random)).await;
        let _ = tokio::time::timeout(SOON, plain.read_to_end(&mut Vec::new())).await.expect("it ends");
        let mut raw = site.raw(&badge).await;
        if round % 2 == 0 {
            assert!(raw.greet(60, None).await);
        }
        let mut bytes = garbage(&mut random);
        // The types that stand for something, and lengths that may fit.
        bytes[0] = (round as u8) << 4 | random.random_range(0..16);
        let _ = raw.try_send(&bytes).await;
        raw.end().await;
    }
    site.nothing();
    let mut raw = site.connected(&badge, None).await;
    raw.publish("u/e", b"still open").await;
    assert_eq!(&site.next().await.bytes[..], b"still open");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_is_not_waited_for() {
    let site = Site::with(256, Limits { packet_s: 1, ..Limits::default() }).await;
    let badge = site.gateway(ME);
    // A handshake byte by byte: the beginning of a ClientHello (RFC 8446, section 4.1.2) of 512 bytes.
    let mut plain = TcpStream::connect(site.address()).await.unwrap();
    plain.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
    until("the handshake is given up", SOON, async || {
        let _ = plain.write_all(&[0]).await;
        site.registry.count(Refusal::HandshakeLate) == 1
    })
    .await;
    // A CONNECT byte by byte.
    let mut raw = site.raw(&badge).await;
    let _ = raw.try_send(&[0x10, 0xff, 0x3f]).await;
    until("the greeting is given up", SOON, async || {
        let _ = raw.try_send(&[0]).await;
        site.registry.count(Refusal::ConnectLate) == 1
    })
    .await;
    // A packet byte by byte, faster than any keep-alive.
    let mut raw = site.connected(&badge, None).await;
    let _ = raw.try_send(&[0x32, 0xff, 0x7f]).await;
    until("the packet is given up", SOON, async || {
        let _ = raw.try_send(&[0]).await;
        site.registry.count(Refusal::PacketLate) == 1
    })
    .await;
    assert_eq!(site.registry.count(Refusal::KeepAlive), 0);
    assert_eq!(site.registry.refusals(&badge.id), 1, "it counts against the gateway");
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_one_after_the_other_are_not_one_slow_packet() {
    let mut site = Site::with(256, Limits { packet_s: 1, ..Limits::default() }).await;
    let badge = site.gateway(ME);
    let mut raw = site.connected(&badge, None).await;
    let packet = publish(format!("v1/{ME}/u/e").as_bytes(), b"x", 1, 5, false);
    // Half of the next packet lies there all the time, for three times the limit.
    raw.send(&packet[..9]).await;
    let began = std::time::Instant::now();
    until("three seconds are over", SOON, async || {
        raw.send(&[&packet[9..], &packet[..9]].concat()).await;
        site.next().await;
        began.elapsed().as_secs() >= 3
    })
    .await;
    assert_eq!(site.registry.count(Refusal::PacketLate), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_before_and_after_their_time_are_refused() {
    let site = Site::open().await;
    site.gateway(ME);
    let day = SignedDuration::from_hours(24);
    for (at, fits) in [(now() - day * 91, false), (now() + day, false), (now() - day * 89, true)] {
        let badge = site.issued(&site.ca, ME, at);
        site.registry.set_standing(
            badge.id.clone(),
            sitewarden_server::broker::Standing { revoked: false, since: now() - day * 100 },
        );
        // With TLS 1.3 the client learns of it with its first read.
        let let_in = match badge.pass().dial_from([127, 0, 0, 1], site.address()).await {
            Ok(mut raw) => raw.greet(60, None).await,
            Err(_) => false,
        };
        assert_eq!(let_in, fits, "a life from {at}");
    }
    site.counted(Refusal::HandshakeFailed, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_counts_after_a_goodbye_and_a_packet_id_may_come_again() {
    let mut site = Site::open().await;
    let badge = site.gateway(ME);
    let mut raw = site.connected(&badge, Some(b"void")).await;
    let own = format!("v1/{ME}/u/e");
    let same = |payload: &[u8]| publish(own.as_bytes(), payload, 1, 9, false);
    raw.send(&[same(b"one"), same(b"two"), vec![0xe0, 0], same(b"three")].concat()).await;
    for expected in [b"one", b"two"] {
        assert_eq!(&site.next().await.bytes[..], expected);
    }
    raw.end().await;
    site.nothing();
    // A packet id of zero (section 2.2.1), twice the receive maximum, and an answer to what was never sent.
    let mut raw = site.connected(&badge, None).await;
    raw.send(&frame(0x40, &[0, 77])).await;
    let many: Vec<u8> = (1..=64).flat_map(|id| publish(own.as_bytes(), b"x", 1, id, false)).collect();
    raw.send(&many).await;
    for _ in 0..64 {
        assert_eq!(raw.answer().await[0], 0x40);
        drop(site.next().await);
    }
    raw.send(&publish(own.as_bytes(), b"x", 1, 0, false)).await;
    assert_eq!(raw.answer().await[..2], [0xe0, 0x81], "DISCONNECT, malformed packet");
    site.nothing();
}
