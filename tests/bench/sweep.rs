//! Who answers among ten thousand addresses of the loopback? The technician's `sweep`, unpaced, which is the
//! engine of all ping checks, start of the program and printing included.
//!
//! Beside it in the same run: `fping -i 0` where it is installed, and as the limit a bare loop over a raw
//! socket. Run with `cargo bench -p sitewarden-tests --bench sweep`; it needs the right to ping.

use std::fs::read_to_string;
use std::io::Write as _;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sitewarden_agent::probe::icmp::addresses;
use sitewarden_tests::binary;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

const RANGES: [&str; 2] = ["127.10.0.0/19", "127.11.0.0/21"];
const ROUNDS: u32 = 10;
const GOAL_PER_S: f64 = 30_000.0;
const GOAL_CPU_S: f64 = 0.3;
/// Packets between two looks at what came back.
const BURST: usize = 64;

fn main() {
    let targets: Vec<IpAddr> = RANGES.iter().flat_map(|range| addresses(range).expect("a range")).collect();
    let agent = binary("sitewarden-agent");
    let list = targets.iter().map(IpAddr::to_string).collect::<Vec<_>>().join("\n");
    let (mut ours, mut fping, mut limit) = (Cost::default(), Some(Cost::default()), Some(Cost::default()));
    for _ in 0..ROUNDS {
        ours.add(|| {
            let mut sweep = Command::new(&agent);
            sweep.args(["sweep", "--rate=0", "--tries=1", "--json"]).args(RANGES);
            let told = sweep.output().expect("the agent runs");
            assert!(told.status.success(), "{told:?}");
            let told: serde_json::Value = serde_json::from_slice(&told.stdout).expect("JSON");
            assert_eq!(told["answered"].as_array().map(Vec::len), Some(targets.len()));
        });
        fping = fping.take().and_then(|mut cost| cost.add(|| run_fping(&list)).then_some(cost));
        limit = limit.take().and_then(|mut cost| cost.add(|| bare(&targets).is_ok()).then_some(cost));
    }
    let of = |cost: &Cost| (targets.len() as f64 / cost.wall_s(), cost.cpu_s());
    let (per_s, cpu_s) = of(&ours);
    println!(
        "sweep of {} addresses: {per_s:.0} hosts/s, {cpu_s:.3} CPU-s (goal {GOAL_PER_S:.0}/s, {GOAL_CPU_S} CPU-s: {})",
        targets.len(),
        if per_s >= GOAL_PER_S && cpu_s < GOAL_CPU_S { "reached" } else { "missed" },
    );
    for (what, cost) in [("fping -i 0", fping), ("limit, a bare raw socket", limit)] {
        let Some(cost) = cost else {
            println!("  {what}: not measured, it is not installed or not permitted");
            continue;
        };
        let (its_per_s, its_cpu_s) = of(&cost);
        println!(
            "  {what}: {its_per_s:.0} hosts/s, {its_cpu_s:.3} CPU-s; we reach {:.2} of its rate for {:.2} of its CPU",
            per_s / its_per_s,
            cpu_s / its_cpu_s,
        );
    }
}

/// Time taken over all rounds.
#[derive(Default)]
struct Cost {
    wall: Duration,
    cpu_ticks: u64,
    rounds: u32,
}

impl Cost {
    fn add<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (began, ticks) = (Instant::now(), cpu_ticks());
        let result = work();
        self.wall += began.elapsed();
        self.cpu_ticks += cpu_ticks() - ticks;
        self.rounds += 1;
        result
    }

    fn wall_s(&self) -> f64 {
        self.wall.as_secs_f64() / f64::from(self.rounds)
    }

    /// The kernel counts in hundredths of a second, which over all rounds is fine enough.
    fn cpu_s(&self) -> f64 {
        self.cpu_ticks as f64 / 100.0 / f64::from(self.rounds)
    }
}

/// User and system time of this process and of the programs it has waited for (proc(5), fields 14 to 17).
fn cpu_ticks() -> u64 {
    let stat = read_to_string("/proc/self/stat").expect("Linux");
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after_name.split_whitespace().skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum()
}

/// False when it is not installed.
fn run_fping(list: &str) -> bool {
    let mut fping = Command::new("fping");
    fping.args(["-i", "0", "-q", "-r", "0", "-t", "500"]);
    let Ok(mut child) = fping.stdin(Stdio::piped()).stderr(Stdio::null()).spawn() else { return false };
    let written = child.stdin.take().expect("a pipe").write_all(list.as_bytes());
    child.wait().is_ok_and(|status| status.success()) && written.is_ok()
}

/// One request made beforehand, sent to everybody; answers are counted and not looked at.
fn bare(targets: &[IpAddr]) -> std::io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
    socket.set_nonblocking(true)?;
    // Only echo replies: x = length of the IP header, a = type, return all or nothing.
    let op = SockFilter::new;
    socket.attach_filter(&[
        op(0xb1, 0, 0, 0),
        op(0x50, 0, 0, 0),
        op(0x15, 0, 1, 0),
        op(0x06, 0, 0, 0xffff),
        op(0x06, 0, 0, 0),
    ])?;
    let mut request = [0_u8; 64];
    request[0] = 8;
    request[2..4].copy_from_slice(&(!0x0800_u16).to_be_bytes());
    let mut buffer = [MaybeUninit::new(0_u8); 128];
    let mut answered = 0;
    for burst in targets.chunks(BURST) {
        for target in burst {
            socket.send_to(&request, &SocketAddr::new(*target, 0).into())?;
        }
        answered += drain(&socket, &mut buffer);
    }
    let began = Instant::now();
    while answered < targets.len() && began.elapsed() < Duration::from_millis(500) {
        answered += drain(&socket, &mut buffer);
    }
    if answered == targets.len() { Ok(()) } else { Err(std::io::Error::other("answers were lost")) }
}

fn drain(socket: &Socket, buffer: &mut [MaybeUninit<u8>]) -> usize {
    std::iter::from_fn(|| socket.recv(buffer).ok()).count()
}
