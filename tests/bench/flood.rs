//! How long an honest gateway waits for the commit of its report, alone and in bad company: 500 idle TLS
//! connections, one gateway that floods, one that sends garbage, sockets that say nothing.
//! Run with `cargo bench -p sitewarden-tests --bench flood`. The server has a process of its own.

use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sitewarden_server::config::Limits;
use sitewarden_tests::crowd::{Crowd, Honest};
use sitewarden_tests::database::ENGINES;
use sitewarden_tests::fleet::Fleet;

const IDLE: usize = 500;
const REPORTS: usize = 300;
const GOAL: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() {
    let own = std::process::id().to_string();
    let raised = Command::new("prlimit").args(["--pid", &own, "--nofile=4096:"]).status();
    assert!(raised.is_ok_and(|done| done.success()), "4096 open files are needed");
    for engine in ENGINES {
        let fleet = Fleet::enrolled(engine, IDLE + 3, Limits::default()).await;
        let server = fleet.start().await;
        let mut honest = Honest::connect(server.door, &fleet.passes[0], &fleet.device).await;
        let alone = measure(&mut honest).await;
        let crowd = Crowd::gather(server.door, &fleet.passes[1..]).await;
        let among = measure(&mut honest).await;
        let (flood, garbage) = (crowd.flooded.load(Ordering::Relaxed), crowd.garbage.load(Ordering::Relaxed));
        println!("{engine:?}: {REPORTS} reports until committed, alone: {}", line(&alone));
        println!(
            "{engine:?}: {REPORTS} reports until committed, in bad company ({IDLE} idle, a flood of {flood} packets, \
             {garbage} connections of garbage): {}, goal {GOAL:?}",
            line(&among)
        );
    }
}

async fn measure(honest: &mut Honest) -> Vec<Duration> {
    let mut took = Vec::with_capacity(REPORTS);
    for _ in 0..REPORTS {
        let began = Instant::now();
        honest.report().await;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    took
}

fn line(sorted: &[Duration]) -> String {
    let at = |part: f64| sorted[((sorted.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
    format!("median {:.1} ms, p99 {:.1} ms, worst {:.1} ms", at(0.5), at(0.99), at(1.0))
}
