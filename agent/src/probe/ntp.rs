//! What time does a device's NTP service say it is? (RFC 5905: client mode 3, server mode 4.)
//!
//! The offset is taken at the middle of the exchange, so a slow line does not look like a wrong clock.
//! A transmit timestamp made of random bits goes out in place of our time and must come back as the origin:
//! nobody off the path can answer for the device. Offsets are reported as they are; unlike the local time
//! that cameras print into their pages, NTP is UTC, so a whole hour of difference is a fault.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::{Failure, OutcomeState, Reading, resolve};
use crate::clock::Clock;

/// Length of a packet without extensions, in bytes.
const PACKET: usize = 48;
/// Seconds from the NTP era 0 epoch (1900) to the Unix epoch.
const UNIX_EPOCH: i64 = 2_208_988_800;
/// Requests sent before the device is called silent: UDP may lose one.
const TRIES: u32 = 2;
/// A stratum from 16 on means "not synchronised" (RFC 5905, figure 11).
const UNSYNCHRONISED: u8 = 16;

/// Asks once, twice if the first packet is lost.
///
/// Values: `offset_ms` (the device's clock minus ours), `delay_ms`, `stratum`.
/// Faults: `clock_offset`, `clock_unsynchronised`, `ntp_silent`.
pub(crate) async fn read(
    address: &str,
    port: u16,
    max_offset_ms: u32,
    limit: Duration,
    clock: &Clock,
) -> Reading {
    let target = match resolve(address, port).await {
        Ok(target) => target,
        Err(failure) => return failure.into_reading("ntp_silent"),
    };
    let local = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = match UdpSocket::bind(local).await {
        Ok(socket) => socket,
        Err(error) => return Failure::from_io(&error, target).into_reading("ntp_silent"),
    };
    if let Err(error) = socket.connect(target).await {
        return Failure::from_io(&error, target).into_reading("ntp_silent");
    }
    let wait = limit.mul_f64(0.9) / TRIES;
    let mut trouble = None;
    for _ in 0..TRIES {
        match timeout(wait, exchange(&socket, clock)).await {
            Ok(Ok(answer)) => return judge(&answer, max_offset_ms),
            Ok(Err(error)) => trouble = Some(error),
            Err(_) => {}
        }
    }
    match trouble {
        Some(error) => Failure::from_io(&error, target).into_reading("ntp_silent"),
        None => Reading::good().fault(
            OutcomeState::Silent,
            "ntp_silent",
            &format!("{target} answered none of {TRIES} NTP requests"),
            [("reason", Value::from("timeout"))],
        ),
    }
}

/// One request and the first answer that belongs to it.
async fn exchange(socket: &UdpSocket, clock: &Clock) -> std::io::Result<Answer> {
    let cookie: u64 = rand::random();
    let mut request = [0_u8; PACKET];
    request[0] = (4 << 3) | 3;
    request[40..].copy_from_slice(&cookie.to_be_bytes());
    let sent_at = clock.now();
    socket.send(&request).await?;
    let mut buffer = [0_u8; 512];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let received_at = clock.now();
        if let Some(answer) = Answer::parse(&buffer[..length], cookie, sent_at, received_at) {
            return Ok(answer);
        }
    }
}

/// What a device's answer says.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    /// 0 no warning, 3 the clock is not synchronised.
    leap: u8,
    stratum: u8,
    /// A four-letter source, or the reason of a refusal when the stratum is 0.
    reference: [u8; 4],
    offset_ms: f64,
    delay_ms: f64,
}

impl Answer {
    /// Reads an answer to the request that carried `cookie`; anything else is `None`.
    fn parse(packet: &[u8], cookie: u64, sent_at: Timestamp, received_at: Timestamp) -> Option<Self> {
        let packet: &[u8; PACKET] = packet.get(..PACKET)?.try_into().ok()?;
        let [first, stratum, ..] = *packet;
        if first & 0b111 != 4 || word(packet, 24) != cookie {
            return None;
        }
        let (sent, received) = (ntp_time(sent_at), ntp_time(received_at));
        let (arrived, answered) = (word(packet, 32), word(packet, 40));
        // Differences wrap, which makes them right across the era change of 2036 too.
        let there = fixed_ms(arrived.wrapping_sub(sent));
        let back = fixed_ms(answered.wrapping_sub(received));
        Some(Self {
            leap: first >> 6,
            stratum,
            reference: [packet[12], packet[13], packet[14], packet[15]],
            offset_ms: f64::midpoint(there, back),
            delay_ms: (there - back).max(0.0),
        })
    }
}

fn judge(answer: &Answer, max_offset_ms: u32) -> Reading {
    let reading = Reading::good().value("stratum", f64::from(answer.stratum));
    if answer.stratum == 0 {
        // RFC 5905, section 7.4: the "kiss of death". The service lives and does not tell the time.
        let reason = String::from_utf8_lossy(&answer.reference).into_owned();
        let text = format!("the device refuses to tell the time ({reason})");
        return reading.fault(
            OutcomeState::Bad,
            "clock_unsynchronised",
            &text,
            [("kiss", Value::from(reason))],
        );
    }
    if answer.leap == 3 || answer.stratum >= UNSYNCHRONISED {
        let text = "the device's clock follows no time source";
        let evidence = [("leap", Value::from(answer.leap)), ("stratum", Value::from(answer.stratum))];
        return reading.value("offset_ms", answer.offset_ms).fault(
            OutcomeState::Bad,
            "clock_unsynchronised",
            text,
            evidence,
        );
    }
    let reading = reading.value("offset_ms", answer.offset_ms).value("delay_ms", answer.delay_ms);
    if answer.offset_ms.abs() <= f64::from(max_offset_ms) {
        return reading;
    }
    let side = if answer.offset_ms > 0.0 { "ahead of" } else { "behind" };
    let text =
        format!("the device's clock is {:.1} s {side} the gateway's", answer.offset_ms.abs() / 1_000.0);
    let evidence = [
        ("offset_ms", Value::from(answer.offset_ms.round() as i64)),
        ("limit_ms", Value::from(max_offset_ms)),
    ];
    reading.fault(OutcomeState::Bad, "clock_offset", &text, evidence)
}

/// Reads eight bytes in network order.
fn word(packet: &[u8; PACKET], at: usize) -> u64 {
    packet[at..at + 8].iter().fold(0, |word, byte| (word << 8) | u64::from(*byte))
}

/// A time as NTP's 32.32 fixed-point seconds, modulo the era.
fn ntp_time(at: Timestamp) -> u64 {
    let nanos = at.as_nanosecond() + i128::from(UNIX_EPOCH) * 1_000_000_000;
    ((nanos << 32) / 1_000_000_000) as u64
}

/// A 32.32 difference, taken as signed, in milliseconds.
fn fixed_ms(difference: u64) -> f64 {
    difference as i64 as f64 / 4_294_967_296.0 * 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(first: u8, stratum: u8, clock_ahead_ms: i64) -> Option<Answer> {
        let sent_at: Timestamp = "2026-03-01T08:00:00Z".parse().unwrap();
        let received_at = sent_at + Duration::from_millis(20);
        let device = ntp_time(sent_at + jiff::SignedDuration::from_millis(10 + clock_ahead_ms));
        let mut packet = [0_u8; PACKET];
        packet[0] = first;
        packet[1] = stratum;
        packet[24..32].copy_from_slice(&7_u64.to_be_bytes());
        packet[32..40].copy_from_slice(&device.to_be_bytes());
        packet[40..48].copy_from_slice(&device.to_be_bytes());
        Answer::parse(&packet, 7, sent_at, received_at)
    }

    #[test]
    fn the_offset_is_taken_at_the_middle_of_the_exchange() {
        let answer = answer(0x24, 2, -3_600_000).unwrap();
        assert!((answer.offset_ms + 3_600_000.0).abs() < 0.01, "{answer:?}");
        assert!((answer.delay_ms - 20.0).abs() < 0.01, "{answer:?}");
        let reading = judge(&answer, 60_000);
        assert_eq!(reading.faults[0].code, "clock_offset");
        assert_eq!(reading.faults[0].evidence["offset_ms"], -3_600_000);
    }

    #[test]
    fn a_small_offset_is_fine() {
        assert_eq!(judge(&answer(0x24, 3, 900).unwrap(), 60_000).state, OutcomeState::Good);
    }

    #[test]
    fn a_clock_without_source_is_unsynchronised_whatever_it_shows() {
        for (first, stratum) in [(0xE4, 2), (0x24, 16), (0x24, 0)] {
            let reading = judge(&answer(first, stratum, 0).unwrap(), 60_000);
            assert_eq!(reading.faults[0].code, "clock_unsynchronised");
        }
    }

    #[test]
    fn answers_to_somebody_else_and_requests_are_ignored() {
        let now = Timestamp::UNIX_EPOCH;
        assert_eq!(Answer::parse(&[0x24; PACKET], 7, now, now), None);
        assert_eq!(Answer::parse(&[0x24; 12], 7, now, now), None);
        assert_eq!(answer(0x23, 2, 0), None);
    }

    #[test]
    fn times_survive_the_change_of_era_in_2036() {
        let before: Timestamp = "2036-02-07T06:28:15Z".parse().unwrap();
        let after: Timestamp = "2036-02-07T06:28:17Z".parse().unwrap();
        assert!((fixed_ms(ntp_time(after).wrapping_sub(ntp_time(before))) - 2_000.0).abs() < 1e-6);
    }
}
