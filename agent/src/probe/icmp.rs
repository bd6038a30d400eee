//! Ping: a few echo requests, the share that came back and how long they took (RFC 792, RFC 4443).
//!
//! Linux lets a process without privileges ping through datagram sockets when its group lies within
//! `net.ipv4.ping_group_range`; otherwise a raw socket needs CAP_NET_RAW. Where neither is allowed the
//! outcome says so and names the setting: that is our shortcoming, never the device's fault.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use surge_ping::{Client, Config, ICMP, PingIdentifier, PingSequence, SurgeError};
use tokio::sync::OnceCell;

use super::{Failure, OutcomeState, Reading, resolve};

/// From this share of lost echoes on, the line counts as bad.
const LOSS_HIGH_PERCENT: f64 = 50.0;
/// The share of the check's timeout spent waiting for echoes; the rest is for resolving the name.
const WAIT_SHARE: f64 = 0.9;
/// Bytes carried by an echo request, as the usual ping sends.
const PAYLOAD: [u8; 56] = [0x53; 56];

/// One echo socket per address family for the whole gateway, opened when first needed.
#[derive(Default)]
pub(crate) struct Sockets {
    v4: OnceCell<Client>,
    v6: OnceCell<Client>,
}

impl std::fmt::Debug for Sockets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sockets")
            .field("v4", &self.v4.initialized())
            .field("v6", &self.v6.initialized())
            .finish()
    }
}

impl Sockets {
    async fn client(&self, target: IpAddr) -> std::io::Result<&Client> {
        let (cell, kind) = match target {
            IpAddr::V4(_) => (&self.v4, ICMP::V4),
            IpAddr::V6(_) => (&self.v6, ICMP::V6),
        };
        // A datagram socket is tried first, a raw one second. A failure is not remembered, so that an
        // operator who corrects the setting need not restart the agent.
        cell.get_or_try_init(|| async move { Client::new(&Config::builder().kind(kind).build()) }).await
    }
}

/// Sends `count` echoes one after the other.
///
/// Values: `loss_percent`, and of the answers `rtt_ms` (mean) and `rtt_max_ms`.
/// Faults: `icmp_silent`, `loss_high`, `icmp_not_permitted`.
pub(crate) async fn read(address: &str, count: u8, limit: Duration, sockets: &Sockets) -> Reading {
    let target = match resolve(address, 0).await {
        Ok(target) => target.ip(),
        Err(failure) => return failure.into_reading("icmp_silent"),
    };
    let client = match sockets.client(target).await {
        Ok(client) => client,
        Err(error) => return not_permitted(&error),
    };
    let count = u32::from(count).max(1);
    let mut pinger = client.pinger(target, PingIdentifier(rand::random())).await;
    pinger.timeout(limit.mul_f64(WAIT_SHARE) / count);

    let mut rtts_ms = Vec::new();
    let mut trouble = None;
    for sequence in 0..count {
        match pinger.ping(PingSequence(sequence as u16), &PAYLOAD).await {
            Ok((_, rtt)) => rtts_ms.push(rtt.as_secs_f64() * 1_000.0),
            Err(SurgeError::IOError(error)) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return not_permitted(&error);
            }
            Err(SurgeError::IOError(error)) => trouble = Some(error),
            // A lost echo is what is being counted; a malformed answer is as good as none.
            Err(_) => {}
        }
    }
    judge(target, count, &rtts_ms, trouble.as_ref())
}

fn judge(target: IpAddr, count: u32, rtts_ms: &[f64], trouble: Option<&std::io::Error>) -> Reading {
    let answered = rtts_ms.len() as f64;
    let loss_percent = 100.0 * (1.0 - answered / f64::from(count));
    let reading = Reading::good().value("loss_percent", loss_percent);
    let counts = [("sent", Value::from(count)), ("answered", Value::from(rtts_ms.len()))];
    if rtts_ms.is_empty() {
        if let Some(error) = trouble {
            return Failure::from_io(error, SocketAddr::new(target, 0)).into_reading("icmp_silent");
        }
        let text = format!("{target} answered none of {count} pings");
        return reading.fault(OutcomeState::Silent, "icmp_silent", &text, counts);
    }
    let reading = reading
        .value("rtt_ms", rtts_ms.iter().sum::<f64>() / answered)
        .value("rtt_max_ms", rtts_ms.iter().copied().fold(0.0, f64::max));
    if loss_percent < LOSS_HIGH_PERCENT {
        return reading;
    }
    let text = format!("{target} answered {} of {count} pings", rtts_ms.len());
    reading.fault(OutcomeState::Bad, "loss_high", &text, counts)
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

    #[test]
    fn lost_echoes_become_loss_then_silence() {
        let one_of_three_lost = judge(HOST, 3, &[1.0, 3.0], None);
        assert_eq!(one_of_three_lost.state, OutcomeState::Good);
        assert!(one_of_three_lost.values.contains(&("rtt_ms".to_owned(), 2.0)));

        let two_of_three_lost = judge(HOST, 3, &[1.0], None);
        assert_eq!(two_of_three_lost.state, OutcomeState::Bad);
        assert_eq!(two_of_three_lost.faults[0].code, "loss_high");

        let all_lost = judge(HOST, 3, &[], None);
        assert_eq!(all_lost.state, OutcomeState::Silent);
        assert_eq!(all_lost.faults[0].code, "icmp_silent");
    }

    #[test]
    fn a_missing_permission_names_the_setting() {
        let reading = not_permitted(&std::io::Error::from(std::io::ErrorKind::PermissionDenied));
        let text = reading.faults[0].evidence["text"].as_str().unwrap();
        assert!(text.contains("net.ipv4.ping_group_range"), "{text}");
    }
}
