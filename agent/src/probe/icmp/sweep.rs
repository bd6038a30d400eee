//! Who answers in a range of addresses? What a technician asks first on a new site.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::engine::{Answer, Ask, Engine};

/// Addresses of one sweep; a larger range is refused.
pub const ADDRESSES_MAX: usize = 1 << 16;
/// Echoes of one sweep that may be open or wait to be sent.
const IN_FLIGHT: usize = 4_096;

/// The addresses of a range such as `192.168.1.0/24`, `2001:db8::/120` or a single one, without the network's
/// own and the broadcast address.
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn addresses(range: &str) -> Result<Vec<IpAddr>, String> {
    let (base, prefix) = range.split_once('/').map_or((range, None), |(base, prefix)| (base, Some(prefix)));
    let base = base.parse::<IpAddr>().map_err(|_| {
        format!("{range:?} is no range of addresses; write it as in 192.168.1.0/24 or 2001:db8::/120")
    })?;
    let bits: u32 = if base.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => bits,
        Some(text) => text.parse::<u32>().ok().filter(|prefix| *prefix <= bits).ok_or_else(|| {
            format!("{range:?}: after the `/` stands a number from 0 to {bits}, the length of the prefix")
        })?,
    };
    let host_bits = bits - prefix;
    if host_bits > ADDRESSES_MAX.ilog2() {
        let least = bits - ADDRESSES_MAX.ilog2();
        return Err(format!(
            "{range:?} has more than {ADDRESSES_MAX} addresses; /{least} is the widest range"
        ));
    }
    let count = 1_u32 << host_bits;
    let of = |number: u32| match base {
        IpAddr::V4(base) => {
            let network = u32::from(base) & !(count - 1);
            IpAddr::V4(Ipv4Addr::from(network | number))
        }
        IpAddr::V6(base) => {
            let network = u128::from(base) & !u128::from(count - 1);
            IpAddr::V6(Ipv6Addr::from(network | u128::from(number)))
        }
    };
    let edges = u32::from(base.is_ipv4() && count > 2);
    Ok((edges..count - edges).map(of).collect())
}

/// Asks every address up to `tries` times and tells of each exactly once, the silent ones at the end. Returns
/// how long that took.
///
/// # Errors
/// When no echo socket can be opened.
pub async fn sweep(
    engine: &Engine,
    targets: &[IpAddr],
    tries: u32,
    wait: Duration,
    mut tell: impl FnMut(IpAddr, Answer),
) -> io::Result<Duration> {
    let began = Instant::now();
    let mut left: Vec<usize> = (0..targets.len()).collect();
    for last in (0..tries.max(1)).rev().map(|further| further == 0) {
        let mut silent = BTreeSet::new();
        round(engine, targets, &left, wait, |index, answer| {
            if matches!(answer, Answer::Lost) && !last {
                silent.insert(index);
            } else if let Some(target) = targets.get(index) {
                tell(*target, answer);
            }
        })
        .await?;
        left = silent.into_iter().collect();
    }
    Ok(began.elapsed())
}

async fn round(
    engine: &Engine,
    targets: &[IpAddr],
    indexes: &[usize],
    wait: Duration,
    mut tell: impl FnMut(usize, Answer),
) -> io::Result<()> {
    let (to, mut answers) = mpsc::channel(IN_FLIGHT);
    let mut heard = Vec::with_capacity(IN_FLIGHT);
    let (mut begun, mut done) = (0, 0);
    while done < indexes.len() {
        if let Some((tag, target)) = indexes.get(begun).and_then(|tag| Some((*tag, *targets.get(*tag)?)))
            && begun - done < IN_FLIGHT
        {
            let asks = engine.asks(target).await?;
            tokio::select! {
                biased;
                permit = asks.reserve() => {
                    let permit = permit.map_err(|_| io::Error::other("the echo socket was closed"))?;
                    permit.send(Ask { target, wait, tag, to: to.clone() });
                    begun += 1;
                }
                count = answers.recv_many(&mut heard, IN_FLIGHT) => done += count,
            }
        } else {
            done += answers.recv_many(&mut heard, IN_FLIGHT).await;
        }
        for (tag, answer) in heard.drain(..) {
            tell(tag, answer);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(range: &str) -> (usize, String, String) {
        let all = addresses(range).unwrap();
        (all.len(), all[0].to_string(), all[all.len() - 1].to_string())
    }

    #[test]
    fn a_range_is_its_hosts() {
        let of = |count, first: &str, last: &str| (count, first.to_owned(), last.to_owned());
        assert_eq!(ends("192.168.1.77/24"), of(254, "192.168.1.1", "192.168.1.254"));
        assert_eq!(ends("10.0.0.0/16"), of(65_534, "10.0.0.1", "10.0.255.254"));
        assert_eq!(ends("10.0.0.4/31"), of(2, "10.0.0.4", "10.0.0.5"));
        assert_eq!(ends("10.0.0.4"), of(1, "10.0.0.4", "10.0.0.4"));
        assert_eq!(ends("2001:db8::ff/120"), of(256, "2001:db8::", "2001:db8::ff"));
    }

    #[test]
    fn what_is_no_range_or_too_wide_is_refused_with_a_remedy() {
        for (range, remedy) in [
            ("10.0.0.0/15", "/16"),
            ("::/0", "/112"),
            ("10.0.0.0/33", "0 to 32"),
            ("10.0.0.0/-1", "0 to 32"),
            ("switch.example", "192.168.1.0/24"),
        ] {
            let error = addresses(range).unwrap_err();
            assert!(error.contains(remedy), "{error}");
        }
    }
}
