//! Who answers in a network, asked by the program itself in a network of its own: a gateway on one end of
//! a cable, on the other a router that knows two networks it will not deliver to.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use serde_json::Value;
use sitewarden_tests::binary;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

/// Lays the cable. The router is a network namespace that lives as long as the `sleep` in it.
const CABLE: &str = "set -e
ip link set lo up
unshare -n sleep 60 & router=$!
trap 'kill $router' EXIT
own=$(readlink /proc/self/ns/net)
while [ \"$(readlink /proc/$router/ns/net)\" = \"$own\" ]; do :; done
ip link add cable type veth peer name port
ip link set port netns $router
ip addr add 10.9.0.2/24 dev cable; ip link set cable up; ip route add default via 10.9.0.1
nsenter -t $router -n sh -c 'ip addr add 10.9.0.1/24 dev port; ip link set port up
  echo 1 >/proc/sys/net/ipv4/ip_forward
  ip route add unreachable 10.66.0.0/16; ip route add prohibit 10.67.0.0/16'
";
/// Lets everybody ping through a datagram socket, and takes from the program what a raw one needs.
const DATAGRAM: &str = "echo '0 2147483647' >/proc/sys/net/ipv4/ping_group_range
set -- setpriv --bounding-set=-all --inh-caps=-all \"$@\"
";
const SWEEP: &str = "\"$@\"";

/// A network of its own with nothing in it.
async fn apart() -> (Command, PathBuf) {
    let agent = tokio::task::spawn_blocking(|| binary("sitewarden-agent")).await.unwrap();
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let mut command = Command::new("unshare");
    command.args([if root { "-n" } else { "-Urn" }, "--"]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    (command, agent)
}

async fn run(script: &str, arguments: &[&str]) -> Output {
    let (mut command, agent) = apart().await;
    command.args(["sh", "-c", script, "sh"]).arg(agent).arg("sweep").args(arguments);
    command.output().await.unwrap()
}

fn told(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn addresses(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|entry| entry["address"].as_str()).collect()
}

#[tokio::test]
async fn answers_silence_and_a_routers_word_are_told_apart_by_either_socket() {
    let far = ["10.9.0.1", "10.9.0.77", "10.66.0.1", "10.67.0.1", "127.0.0.0/30", "::1"];
    for (socket, script) in
        [("raw", format!("{CABLE}{SWEEP}")), ("datagram", format!("{CABLE}{DATAGRAM}{SWEEP}"))]
    {
        let arguments = [["--json", "--tries=1", "--wait-ms=900"].as_slice(), &far].concat();
        let output = run(&script, &arguments).await;
        let found = told(&output);
        assert_eq!(output.status.code(), Some(0), "{socket}: {found:#}");
        assert_eq!((&found["complete"], &found["silent"]), (&true.into(), &1.into()), "{socket}: {found:#}");
        assert_eq!(addresses(&found["answered"]), ["10.9.0.1", "127.0.0.1", "127.0.0.2", "::1"], "{socket}");
        let refused = &found["unreachable"];
        assert_eq!(addresses(refused), ["10.66.0.1", "10.67.0.1"], "{socket}: {found:#}");
        assert_eq!(refused[0]["router"], "10.9.0.1");
        assert_eq!(refused[0]["router_says"], "nobody at that address");
        assert_eq!(refused[1]["router_says"], "a filter forbids it");
    }
}

#[tokio::test]
async fn a_machine_without_a_way_says_so_itself() {
    let output = run("ip link set lo up; \"$@\"", &["--json", "192.0.2.1"]).await;
    let found = told(&output);
    assert_eq!((output.status.code(), addresses(&found["not_sent"])), (Some(1), vec!["192.0.2.1"]));
    assert!(found["not_sent"][0]["error"].as_str().unwrap().contains("unreachable"), "{found:#}");
}

#[tokio::test]
async fn a_pace_is_kept_and_a_larger_network_refused() {
    let output = run("ip link set lo up; \"$@\"", &["--json", "--rate=200", "127.0.0.0/24"]).await;
    let found = told(&output);
    assert_eq!(found["answered"].as_array().map(Vec::len), Some(254), "{found:#}");
    // After a burst of ten, 244 pings at 200 a second.
    assert!(found["elapsed_ms"].as_u64().unwrap() >= 1_200, "{}", found["elapsed_ms"]);

    let output = run(SWEEP, &["10.0.0.0/15"]).await;
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("/16"), "{output:?}");
}

#[tokio::test]
async fn an_interrupted_sweep_tells_what_it_found() {
    let (mut command, agent) = apart().await;
    // `exec` throughout: the signal has to reach the program itself.
    let script = "ip link set lo up; exec \"$@\" sweep --rate 20 127.0.0.0/16";
    command.args(["sh", "-c", script, "sh"]).arg(agent).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    assert!(first.starts_with("127.0.0.1 "), "{first}");
    let process = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &process]).status().await.unwrap().success());
    let mut last = first;
    while let Some(line) = lines.next_line().await.unwrap() {
        last = line;
    }
    assert_eq!(child.wait().await.unwrap().code(), Some(130));
    assert!(last.contains("of 65534 addresses answer; interrupted"), "{last}");
}
