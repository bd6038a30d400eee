//! What a technician runs on a new site: who is there? Every address of a network is pinged, through the
//! same engine as all ping checks and no faster than a small network bears.
//!
//! Who answers is printed as it is heard. Ctrl-C ends the sweep, and what was found until then is told.
//! Exit codes: 0 somebody answered, 1 nobody, 64 the range cannot be used (sysexits.h EX_USAGE), 70 pings
//! cannot be sent (EX_SOFTWARE), 130 interrupted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use crate::probe::icmp::{ADDRESSES_MAX, Answer, Engine, addresses, sweep};

/// Between two looks at how far it is.
const PROGRESS: Duration = Duration::from_millis(250);
const BAD_RANGE: u8 = 64;
const BROKEN: u8 = 70;
const INTERRUPTED: u8 = 130;

/// What the technician wants to know.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Networks or single addresses, as in `192.168.1.0/24`.
    pub ranges: Vec<String>,
    /// Pings in a second; 0 is as many as the machine can.
    pub rate: u32,
    /// How often a silent address is asked.
    pub tries: u32,
    /// How long each answer may take, in milliseconds.
    pub wait_ms: u32,
    /// JSON at the end instead of lines.
    pub json: bool,
}

/// Sweeps and prints: lines `ADDRESS  RTT ms` and a summary, or as JSON
/// `{"addresses", "complete", "elapsed_ms", "answered": [{"address", "rtt_ms"}],
/// "unreachable": [{"address", "router", "router_says"}], "not_sent": [{"address", "error"}], "silent"}`.
pub async fn run(wish: &Wish) -> ExitCode {
    let targets = match targets(&wish.ranges) {
        Ok(targets) => targets,
        Err(error) => {
            eprintln!("sitewarden-agent: {error}");
            return ExitCode::from(BAD_RANGE);
        }
    };
    let found = RefCell::new(Found { addresses: targets.len(), ..Found::default() });
    let engine = Engine::new(wish.rate);
    let wait = Duration::from_millis(wish.wait_ms.into());
    let swept = sweep(&engine, &targets, wish.tries, wait, |address, answer| {
        if !wish.json
            && let Answer::Echoed { rtt } = &answer
        {
            print(&format!("{:<39}  {:.3} ms\n", address.to_string(), rtt.as_secs_f64() * 1_000.0));
        }
        found.borrow_mut().add(address, answer);
    });
    let ended = tokio::select! {
        swept = swept => Some(swept),
        _ = tokio::signal::ctrl_c() => None,
        () = progress(&found) => None,
    };
    let elapsed = match &ended {
        Some(Ok(elapsed)) => Some(*elapsed),
        Some(Err(error)) => {
            eprintln!(
                "sitewarden-agent: pings cannot be sent: {error}; allow your group with \
                 `sysctl net.ipv4.ping_group_range=\"0 2147483647\"` or run it as root"
            );
            return ExitCode::from(BROKEN);
        }
        None => None,
    };
    let found = found.into_inner();
    print(&if wish.json { format!("{:#}\n", found.json(elapsed)) } else { found.summary(elapsed) });
    match (elapsed, found.answered.is_empty()) {
        (None, _) => ExitCode::from(INTERRUPTED),
        (Some(_), false) => ExitCode::SUCCESS,
        (Some(_), true) => ExitCode::from(1),
    }
}

fn targets(ranges: &[String]) -> Result<Vec<IpAddr>, String> {
    let mut all = Vec::new();
    for range in ranges {
        all.extend(addresses(range)?);
        if all.len() > ADDRESSES_MAX {
            return Err(format!("more than {ADDRESSES_MAX} addresses; sweep in several runs"));
        }
    }
    Ok(all)
}

/// Shows how far it is, on a terminal; never ends.
async fn progress(found: &RefCell<Found>) {
    let mut every = tokio::time::interval(PROGRESS);
    let shown = std::io::stderr().is_terminal() && !std::io::stdout().is_terminal();
    loop {
        every.tick().await;
        if shown {
            let found = found.borrow();
            eprint!("\r{} of {} done, {} answer ", found.told(), found.addresses, found.answered.len());
        }
    }
}

/// A reader that has gone away, as with `| head`, is no reason to fail.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

#[derive(Debug, Default)]
struct Found {
    addresses: usize,
    answered: BTreeMap<IpAddr, Duration>,
    unreachable: BTreeMap<IpAddr, (IpAddr, String)>,
    not_sent: BTreeMap<IpAddr, String>,
    silent: usize,
}

impl Found {
    fn add(&mut self, address: IpAddr, answer: Answer) {
        match answer {
            Answer::Echoed { rtt } => {
                self.answered.insert(address, rtt);
            }
            Answer::Refused { by, why } => {
                self.unreachable.insert(address, (by, why.to_string()));
            }
            Answer::NotSent(error) => {
                self.not_sent.insert(address, error.to_string());
            }
            Answer::Lost => self.silent += 1,
        }
    }

    fn told(&self) -> usize {
        self.answered.len() + self.unreachable.len() + self.not_sent.len() + self.silent
    }

    fn json(&self, elapsed: Option<Duration>) -> Value {
        let answered = self.answered.iter().map(
            |(address, rtt)| json!({ "address": address, "rtt_ms": (rtt.as_secs_f64() * 1e6).round() / 1e3 }),
        );
        let unreachable = self
            .unreachable
            .iter()
            .map(|(address, (by, says))| json!({ "address": address, "router": by, "router_says": says }));
        let not_sent =
            self.not_sent.iter().map(|(address, error)| json!({ "address": address, "error": error }));
        json!({
            "addresses": self.addresses,
            "complete": elapsed.is_some(),
            "elapsed_ms": elapsed.map(|elapsed| elapsed.as_millis() as u64),
            "answered": answered.collect::<Vec<_>>(),
            "unreachable": unreachable.collect::<Vec<_>>(),
            "not_sent": not_sent.collect::<Vec<_>>(),
            "silent": self.silent,
        })
    }

    fn summary(&self, elapsed: Option<Duration>) -> String {
        let mut text = format!("{} of {} addresses answer", self.answered.len(), self.addresses);
        for (count, words) in [
            (self.unreachable.len(), "unreachable, says a router"),
            (self.not_sent.len(), "no way there from this machine"),
            (self.silent, "silent"),
        ] {
            if count > 0 {
                let _ = write!(text, ", {count} {words}");
            }
        }
        // Writing to a String cannot fail.
        let _ = match elapsed {
            Some(elapsed) => writeln!(text, ", in {:.1} s", elapsed.as_secs_f64()),
            None => writeln!(text, "; interrupted, {} not asked", self.addresses - self.told()),
        };
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::icmp::Why;

    #[test]
    fn what_was_found_is_told_in_order_and_in_full() {
        let mut found = Found { addresses: 5, ..Found::default() };
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        found.add(ip("192.0.2.10"), Answer::Echoed { rtt: Duration::from_micros(1_234) });
        found.add(ip("192.0.2.9"), Answer::Echoed { rtt: Duration::from_micros(400) });
        found.add(ip("192.0.2.3"), Answer::Refused { by: ip("198.51.100.1"), why: Why::NoRoute });
        found.add(ip("192.0.2.4"), Answer::Lost);

        let told = found.json(None);
        assert_eq!((&told["complete"], &told["silent"]), (&false.into(), &1.into()));
        assert_eq!(told["answered"][0], json!({ "address": "192.0.2.9", "rtt_ms": 0.4 }));
        assert_eq!(told["unreachable"][0]["router"], "198.51.100.1");
        assert_eq!(
            found.summary(None),
            "2 of 5 addresses answer, 1 unreachable, says a router, 1 silent; interrupted, 1 not asked\n"
        );
    }

    #[test]
    fn many_ranges_are_bounded_together() {
        let wide = vec!["10.0.0.0/16".to_owned(), "10.1.0.0/30".to_owned()];
        assert_eq!(targets(&wide).unwrap().len(), 65_536);
        let wider = vec!["10.0.0.0/16".to_owned(), "10.1.0.0/29".to_owned()];
        assert!(targets(&wider).unwrap_err().contains("several runs"));
    }
}
