//! Ping: a few echo requests, the share that came back and how long they took (RFC 792, RFC 4443).
//!
//! Linux lets a process without privileges ping through datagram sockets when its group lies within
//! `net.ipv4.ping_group_range`; otherwise a raw socket needs CAP_NET_RAW. Where neither is allowed the
//! outcome says so and names the setting: that is our shortcoming, never the device's fault. All checks share
//! one socket per address family.

mod engine;
mod pace;
mod packet;
mod socket;
mod sweep;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use self::engine::Ask;
pub use self::engine::{Answer, Engine};
pub use self::packet::Why;
pub use self::sweep::{ADDRESSES_MAX, addresses, sweep};
use super::{Failure, OutcomeState, Reading, resolve};

/// Echoes in a second that a gateway sends for all its checks: what the smallest switch bears. Who comes
/// later waits; an echo that could not be sent in its check's time says nothing about the device.
pub const CHECKS_PER_SECOND: u32 = 1_000;

/// From this share of lost echoes on, the line counts as bad.
const LOSS_HIGH_PERCENT: f64 = 50.0;
/// The share of the check's timeout spent waiting for echoes; the rest is for resolving the name and for
/// waiting to be sent.
const WAIT_SHARE: f64 = 0.9;
/// The share after which what has not been sent will not be.
const SEND_SHARE: f64 = 0.97;

/// What was heard of the echoes of one run.
#[derive(Debug, Default)]
struct Heard {
    sent: u32,
    rtts_ms: Vec<f64>,
    refused: Option<(IpAddr, Why)>,
    trouble: Option<std::io::Error>,
}

/// Sends `count` echoes one after the other.
///
/// Values: `loss_percent`, and of the answers `rtt_ms` (mean) and `rtt_max_ms`.
/// Faults: `icmp_silent`, `loss_high`, `icmp_not_permitted`.
pub(crate) async fn read(address: &str, count: u8, limit: Duration, engine: &Engine) -> Reading {
    let until = Instant::now() + limit.mul_f64(SEND_SHARE);
    let target = match resolve(address, 0).await {
        Ok(target) => target.ip(),
        Err(failure) => return failure.into_reading("icmp_silent"),
    };
    let asks = match engine.asks(target).await {
        Ok(asks) => asks,
        Err(error) => return not_permitted(&error),
    };
    let count = u32::from(count).max(1);
    let wait = limit.mul_f64(WAIT_SHARE) / count;
    let (to, mut answers) = mpsc::channel(1);
    let mut heard = Heard::default();
    for tag in 0..count as usize {
        let asked = async {
            asks.send(Ask { target, wait, tag, to: to.clone() }).await.ok()?;
            answers.recv().await
        };
        let Ok(answer) = timeout_at(until, asked).await else { break };
        heard.sent += 1;
        match answer.map(|(_, answer)| answer) {
            Some(Answer::Echoed { rtt }) => heard.rtts_ms.push(rtt.as_secs_f64() * 1_000.0),
            Some(Answer::Refused { by, why }) => heard.refused = Some((by, why)),
            Some(Answer::NotSent(error)) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return not_permitted(&error);
            }
            Some(Answer::NotSent(error)) => heard.trouble = Some(error),
            Some(Answer::Lost) | None => {}
        }
    }
    if heard.sent == 0 { crowded() } else { judge(target, &heard) }
}

fn judge(target: IpAddr, heard: &Heard) -> Reading {
    let (sent, answered) = (heard.sent, heard.rtts_ms.len() as f64);
    let loss_percent = 100.0 * (1.0 - answered / f64::from(sent));
    let reading = Reading::good().value("loss_percent", loss_percent);
    let counts = [("sent", Value::from(sent)), ("answered", Value::from(heard.rtts_ms.len()))];
    if heard.rtts_ms.is_empty() {
        if let Some(error) = &heard.trouble {
            return Failure::from_io(error, SocketAddr::new(target, 0)).into_reading("icmp_silent");
        }
        if let Some((by, why)) = heard.refused {
            return reading.fault(
                OutcomeState::Silent,
                "icmp_silent",
                &format!("{target} cannot be reached, says the router {by}: {why}"),
                [
                    ("reason", Value::from("unreachable")),
                    ("router", Value::from(by.to_string())),
                    ("router_says", Value::from(why.to_string())),
                ],
            );
        }
        let text = format!("{target} answered none of {sent} pings");
        return reading.fault(OutcomeState::Silent, "icmp_silent", &text, counts);
    }
    let reading = reading
        .value("rtt_ms", heard.rtts_ms.iter().sum::<f64>() / answered)
        .value("rtt_max_ms", heard.rtts_ms.iter().copied().fold(0.0, f64::max));
    if loss_percent < LOSS_HIGH_PERCENT {
        return reading;
    }
    let text = format!("{target} answered {answered} of {sent} pings");
    reading.fault(OutcomeState::Bad, "loss_high", &text, counts)
}

/// The gateway had more to send than it may; that says nothing about the device.
fn crowded() -> Reading {
    let text = format!(
        "this gateway sends at most {CHECKS_PER_SECOND} pings in a second and did not get to this one in time; \
         lengthen `every` or lower `count` of its ping checks"
    );
    Reading { state: OutcomeState::NotPermitted, ..Reading::good() }.note("pings_crowded", &text)
}

fn not_permitted(error: &std::io::Error) -> Reading {
    Reading::good().fault(
        OutcomeState::NotPermitted,
        "icmp_not_permitted",
        "this gateway may not send pings; allow its group with `sysctl net.ipv4.ping_group_range=\"0 2147483647\"` \
         or give the agent CAP_NET_RAW",
        [("error", Value::from(error.to_string()))],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn heard(rtts_ms: &[f64]) -> Heard {
        Heard { sent: 3, rtts_ms: rtts_ms.to_vec(), ..Heard::default() }
    }

    #[test]
    fn lost_echoes_become_loss_then_silence() {
        let one_of_three_lost = judge(HOST, &heard(&[1.0, 3.0]));
        assert_eq!(one_of_three_lost.state, OutcomeState::Good);
        assert!(one_of_three_lost.values.contains(&("rtt_ms".to_owned(), 2.0)));

        let two_of_three_lost = judge(HOST, &heard(&[1.0]));
        assert_eq!(two_of_three_lost.state, OutcomeState::Bad);
        assert_eq!(two_of_three_lost.faults[0].code, "loss_high");

        let all_lost = judge(HOST, &heard(&[]));
        assert_eq!(all_lost.state, OutcomeState::Silent);
        assert_eq!(all_lost.faults[0].code, "icmp_silent");
    }

    #[test]
    fn what_a_router_says_is_told_unless_the_device_answers_after_all() {
        let refused = Some(("192.0.2.1".parse().unwrap(), Why::NoHost));
        let reading = judge(HOST, &Heard { refused, ..heard(&[]) });
        assert_eq!((reading.state, &*reading.faults[0].code), (OutcomeState::Silent, "icmp_silent"));
        let evidence = &reading.faults[0].evidence;
        assert_eq!((&evidence["reason"], &evidence["router"]), (&"unreachable".into(), &"192.0.2.1".into()));
        assert!(evidence["text"].as_str().unwrap().contains("nobody at that address"));
        assert_eq!(judge(HOST, &Heard { refused, ..heard(&[1.0, 1.0]) }).state, OutcomeState::Good);
    }

    #[test]
    fn a_missing_permission_names_the_setting() {
        let reading = not_permitted(&std::io::Error::from(std::io::ErrorKind::PermissionDenied));
        let text = reading.faults[0].evidence["text"].as_str().unwrap();
        assert!(text.contains("net.ipv4.ping_group_range"), "{text}");
    }
}
