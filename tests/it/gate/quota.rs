//! What one gateway may take of what is there for all: bytes and packets a second, places in the channel,
//! refused packets a minute.

use sitewarden_server::broker::Refusal;
use sitewarden_server::config::Limits;
use sitewarden_tests::raw::{SOON, connect, publish};
use sitewarden_tests::until;

use crate::broker::door::{Badge, Site};

const ME: &str = "gw-0123456789";
const OTHER: &str = "gw-9876543210";

fn packets(badge: &Badge, count: usize, payload: &[u8]) -> Vec<u8> {
    let topic = format!("v1/{}/u/m", badge.id);
    publish(topic.as_bytes(), payload, 1, 3, false).repeat(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_too_fast_is_slowed_down_and_loses_nothing() {
    let limits = Limits { gateway_packets_per_s: 100, ..Limits::default() };
    let mut site = Site::with(256, limits).await;
    let badge = site.gateway(ME);
    let mut raw = site.connected(&badge, None).await;
    let began = std::time::Instant::now();
    raw.send(&packets(&badge, 1150, b"x")).await;
    for _ in 0..1000 {
        drop(site.next().await);
    }
    for _ in 0..150 {
        drop(site.next().await);
    }
    assert!(began.elapsed().as_millis() >= 1400, "a burst of 1000, then 100 a second");
    for _ in 0..1150 {
        assert_eq!(raw.answer().await[0], 0x40);
    }
    assert!(site.registry.count(Refusal::Slowed) >= 1);
    assert_eq!(site.registry.refusals(&badge.id), 0, "being fast is no offence");
    // Bytes have a bound of their own, which a new connection does not forget.
    let limits = Limits { gateway_bytes_per_s: 100_000, ..Limits::default() };
    let mut site = Site::with(256, limits).await;
    let badge = site.gateway(ME);
    let mut raw = site.connected(&badge, None).await;
    raw.send(&packets(&badge, 11, &vec![7; 100_000])).await;
    for _ in 0..11 {
        assert_eq!(site.next().await.bytes.len(), 100_000);
    }
    assert!(site.registry.count(Refusal::Slowed) >= 1);
    let mut again = site.connected(&badge, None).await;
    let began = std::time::Instant::now();
    again.send(&packets(&badge, 2, &vec![7; 100_000])).await;
    site.next().await;
    site.next().await;
    assert!(began.elapsed().as_millis() >= 500, "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_gateway_cannot_fill_the_channel() {
    let mut site = Site::open().await;
    let (mine, other) = (site.gateway(ME), site.gateway(OTHER));
    let mut flood = site.connected(&mine, None).await;
    flood.send(&packets(&mine, 100, b"flood")).await;
    for _ in 0..16 {
        assert_eq!(flood.answer().await[0], 0x40);
    }
    // Nothing takes anything out of the channel, and there is room for another gateway.
    let mut honest = site.connected(&other, None).await;
    honest.publish("u/e", b"heard").await;
    assert_eq!(honest.answer().await[0], 0x40);
    let mut held = Vec::new();
    for _ in 0..16 {
        held.push(site.next().await);
        assert_eq!(&held[held.len() - 1].bytes[..], b"flood");
    }
    assert_eq!(&site.next().await.bytes[..], b"heard", "only sixteen came before it");
    site.nothing();
    // A place is free again when its packet is done with, not when it leaves the channel.
    held.pop();
    held.push(site.next().await);
    site.nothing();
    held.clear();
    for _ in 17..100 {
        drop(site.next().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_refused_packets_end_the_connection_and_lock_the_gateway_out() {
    let limits = Limits { gateway_refusals_per_min: 5, ..Limits::default() };
    let mut site = Site::with(256, limits).await;
    let (mine, other) = (site.gateway(ME), site.gateway(OTHER));
    let mut raw = site.connected(&mine, Some(b"will")).await;
    for n in 0..6 {
        raw.send(&publish(b"v1/gw-9876543210/u/e", b"x", 1, 3, false)).await;
        assert_eq!(raw.answer().await[2..5], [0, 3, 0x87], "PUBACK, not authorized: {n}");
    }
    assert_eq!(raw.answer().await[..2], [0xe0, 0x97], "DISCONNECT, quota exceeded");
    raw.end().await;
    assert_eq!(&site.next().await.bytes[..], b"will");
    let mut raw = site.raw(&mine).await;
    raw.send(&connect(ME, 60, None)).await;
    assert_eq!(raw.answer().await[3], 0x97, "CONNACK, quota exceeded");
    raw.end().await;
    site.counted(Refusal::LockedOut, 1).await;
    assert_eq!((site.registry.count(Refusal::Quota), site.registry.refusals(&mine.id)), (1, 6));
    // It is this gateway's own trouble.
    let mut honest = site.connected(&other, None).await;
    honest.publish("u/e", b"heard").await;
    assert_eq!(&site.next().await.bytes[..], b"heard");
    assert_eq!(site.registry.refusals(&other.id), 0);
    // Ten seconds later it may try again.
    until("the lock-out is over", SOON, async || site.raw(&mine).await.greet(60, None).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_boxes_with_one_identity_cannot_take_turns_for_ever() {
    let limits = Limits { gateway_refusals_per_min: 20, ..Limits::default() };
    let mut site = Site::with(256, limits).await;
    let (mine, other) = (site.gateway(ME), site.gateway(OTHER));
    let mut sitting = Vec::new();
    let mut turns = 0;
    loop {
        let mut raw = site.raw(&mine).await;
        if !raw.greet(60, Some(b"void")).await {
            break;
        }
        sitting.push(raw);
        turns += 1;
        assert!(turns < 100, "they go on and on");
    }
    assert!(turns > 20, "{turns}");
    assert_eq!(site.registry.refusals(&mine.id), 0, "no packet was refused");
    site.nothing();
    let mut honest = site.connected(&other, None).await;
    honest.publish("u/e", b"heard").await;
    assert_eq!(&site.next().await.bytes[..], b"heard");
}
