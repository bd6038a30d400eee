//! What one SNMP get costs the gateway: the product's own path, from the check to its outcome, against
//! Net-SNMP's agent, whose own work is not counted.
//!
//! The limit in the same run is a bare UDP client that sends one request made beforehand and looks at nothing.
//! Run with `cargo bench -p sitewarden-tests --bench snmp`.

use std::fs::read_to_string;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sitewarden_agent::clock::Clock;
use sitewarden_agent::config::{Device, parse_device};
use sitewarden_agent::probe::{self, Context, OutcomeState};
use sitewarden_tests::peer::Snmpd;
use tokio::task::JoinSet;

const GETS: usize = 40_000;
/// Probes at a time, the agent's default.
const AT_ONCE: usize = 64;
const GOAL_PER_CPU_S: f64 = 20_000.0;

#[tokio::main]
async fn main() {
    let snmpd = Snmpd::start().await;
    let port = snmpd.port;
    let v2c = format!("version = \"2c\"\ncommunity = \"{}\"", Snmpd::COMMUNITY);
    let v3 = format!(
        "version = \"3\"\nuser = \"{}\"\nauth = \"sha256\"\nauth_password = \"{}\"\nprivacy = \"aes128\"\n\
         privacy_password = \"{}\"",
        Snmpd::USER,
        Snmpd::AUTH_PASSWORD,
        Snmpd::PRIVACY_PASSWORD
    );
    let limit = tokio::task::spawn_blocking(move || Cost::of_bare(port)).await.expect("the bare client");
    println!(
        "limit, a bare UDP client: {:.0} gets per CPU-second, {:.0} a second",
        limit.per_cpu_s(),
        limit.per_s()
    );
    for (name, security) in [("2c", v2c), ("3 authPriv", v3)] {
        let cost = Cost::of_probes(port, &security).await;
        println!(
            "version {name}: {:.0} gets per CPU-second (goal {GOAL_PER_CPU_S:.0}: {}), {:.0} a second; the limit costs {:.2} of that",
            cost.per_cpu_s(),
            if cost.per_cpu_s() >= GOAL_PER_CPU_S { "reached" } else { "missed" },
            cost.per_s(),
            cost.per_cpu_s() / limit.per_cpu_s(),
        );
    }
}

struct Cost {
    wall: Duration,
    cpu_s: f64,
}

impl Cost {
    fn since(began: Instant, cpu_s_then: f64) -> Self {
        Self { wall: began.elapsed(), cpu_s: cpu_s() - cpu_s_then }
    }

    fn per_cpu_s(&self) -> f64 {
        GETS as f64 / self.cpu_s
    }

    fn per_s(&self) -> f64 {
        GETS as f64 / self.wall.as_secs_f64()
    }

    async fn of_probes(port: u16, security: &str) -> Self {
        let device = Arc::new(device(port, security));
        let context = Arc::new(Context::new(Clock::system(), AT_ONCE).expect("a context"));
        // Keys are derived and the device is met once, as on a gateway that runs for months.
        ask(&device, &context, 1).await;
        let (began, cpu) = (Instant::now(), cpu_s());
        let mut workers = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (device, context) = (Arc::clone(&device), Arc::clone(&context));
            workers.spawn(async move { ask(&device, &context, GETS / AT_ONCE).await });
        }
        while let Some(done) = workers.join_next().await {
            done.expect("a worker");
        }
        Self::since(began, cpu)
    }

    fn of_bare(port: u16) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.connect(("127.0.0.1", port)).expect("an address");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a limit");
        let request = uptime_request();
        let mut buffer = [0_u8; 1_500];
        let (began, cpu) = (Instant::now(), cpu_s());
        for _ in 0..GETS / AT_ONCE {
            for _ in 0..AT_ONCE {
                socket.send(&request).expect("it is sent");
            }
            for _ in 0..AT_ONCE {
                socket.recv(&mut buffer).expect("snmpd answers");
            }
        }
        Self::since(began, cpu)
    }
}

async fn ask(device: &Device, context: &Context, times: usize) {
    for _ in 0..times {
        let outcome = probe::run(device, &device.checks[0], context).await;
        assert_eq!(outcome.state, OutcomeState::Good, "{outcome:#?}");
    }
}

fn device(port: u16, security: &str) -> Device {
    let text = format!(
        "address = \"127.0.0.1\"\n[[check]]\nkind = \"snmp\"\nport = {port}\ntimeout = \"10s\"\n\
         get = [\"1.3.6.1.2.1.1.3.0\"]\nwalk = []\n{security}\n"
    );
    parse_device(&text, "device.toml", "device").expect("a device")
}

/// GetRequest of sysUpTime.0 by version 2c (RFC 1901, RFC 3416).
fn uptime_request() -> Vec<u8> {
    let tagged = |tag: u8, inside: &[u8]| [&[tag, inside.len() as u8], inside].concat();
    let object = tagged(0x06, &[0x2b, 6, 1, 2, 1, 1, 3, 0]);
    let row = tagged(0x30, &[object, vec![0x05, 0]].concat());
    let rows = tagged(0x30, &row);
    let numbers = [0x02, 2, 0x12, 0x34, 0x02, 1, 0, 0x02, 1, 0];
    let pdu = tagged(0xa0, &[numbers.as_slice(), &rows].concat());
    let community = tagged(0x04, Snmpd::COMMUNITY.as_bytes());
    tagged(0x30, &[&[0x02, 1, 1][..], &community, &pdu].concat())
}

/// User and system time of this process (proc(5), fields 14 and 15, in hundredths of a second).
fn cpu_s() -> f64 {
    let stat = read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 =
        after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}
