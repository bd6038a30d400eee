//! Ping, TCP, TLS, NTP and the gateway itself.

use sitewarden_agent::probe::OutcomeState::{Bad, Good, NotPermitted, Silent};
use sitewarden_tests::peer::{Chronyd, TlsPort, free_tcp_port, free_udp_port};
use tokio::net::TcpListener;

use super::{codes, run, text, value};

#[tokio::test]
async fn the_loopback_answers_pings() {
    let outcome = run("kind = \"icmp\"\ncount = 3").await;
    match outcome.state {
        Good => assert!(value(&outcome, "loss_percent").abs() < f64::EPSILON, "{outcome:#?}"),
        // Not every machine lets its tests ping; then the outcome has to say what to do.
        NotPermitted => assert!(text(&outcome).contains("net.ipv4.ping_group_range"), "{outcome:#?}"),
        Bad | Silent | sitewarden_agent::probe::OutcomeState::Rejected => panic!("{outcome:#?}"),
    }
}

#[tokio::test]
async fn a_tcp_port_is_open_or_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(run(&format!("kind = \"tcp\"\nport = {port}")).await.state, Good);

    let closed = run(&format!("kind = \"tcp\"\nport = {}", free_tcp_port())).await;
    assert_eq!((closed.state, codes(&closed)), (Silent, vec!["port_closed"]));
    assert_eq!(closed.faults[0].evidence["reason"], "refused");
}

#[tokio::test]
async fn a_server_that_swallows_the_request_is_silent_after_the_timeout() {
    // It accepts connections through its backlog and never says a word.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let outcome = run(&format!("kind = \"http\"\nport = {port}\ntimeout = \"300ms\"")).await;
    assert_eq!((outcome.state, codes(&outcome)), (Silent, vec!["http_silent"]));
    assert_eq!(outcome.faults[0].evidence["reason"], "timeout");
}

#[tokio::test]
async fn certificates_are_fine_expiring_or_expired() {
    let fine = TlsPort::until("2099-01-01T00:00:00Z".parse().unwrap()).await;
    let outcome = run(&format!("kind = \"tls\"\nport = {}", fine.port)).await;
    assert_eq!(outcome.state, Good, "{outcome:#?}");
    assert_eq!(outcome.facts["tls_version"], "TLSv1_3");

    let expired = TlsPort::until("2021-01-01T00:00:00Z".parse().unwrap()).await;
    let outcome = run(&format!("kind = \"tls\"\nport = {}", expired.port)).await;
    assert_eq!((outcome.state, codes(&outcome)), (Bad, vec!["tls_expired"]));
    assert_eq!(outcome.faults[0].evidence["not_after"], "2021-01-01T00:00:00Z");

    let soon = sitewarden_agent::clock::Clock::system().now() + std::time::Duration::from_hours(240);
    let expiring = TlsPort::until(soon).await;
    let outcome = run(&format!("kind = \"tls\"\nport = {}\nwarn_days = 30", expiring.port)).await;
    assert_eq!((outcome.state, codes(&outcome)), (Bad, vec!["tls_expiring"]));
    assert_eq!(run(&format!("kind = \"tls\"\nport = {}\nwarn_days = 3", expiring.port)).await.state, Good);
}

#[tokio::test]
async fn tls_of_another_age_and_no_tls_at_all_are_told_apart() {
    let old = TlsPort::obsolete().await;
    let outcome = run(&format!("kind = \"tls\"\nport = {}", old.port)).await;
    assert_eq!((outcome.state, codes(&outcome)), (Bad, vec!["tls_obsolete"]), "{outcome:#?}");
    let plain = TlsPort::plain().await;
    let outcome = run(&format!("kind = \"tls\"\nport = {}", plain.port)).await;
    assert_eq!((outcome.state, codes(&outcome)), (Bad, vec!["tls_silent"]), "{outcome:#?}");
}

#[tokio::test]
async fn a_time_server_on_the_same_machine_has_the_same_time() {
    let server = Chronyd::start().await;
    let outcome = run(&format!("kind = \"ntp\"\nport = {}", server.port)).await;
    assert_eq!(outcome.state, Good, "{outcome:#?}");
    assert!(value(&outcome, "offset_ms").abs() < 100.0, "{outcome:#?}");
    assert!((value(&outcome, "stratum") - 8.0).abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_time_server_without_a_source_is_unsynchronised_and_a_missing_one_silent() {
    let server = Chronyd::unsynchronised().await;
    let outcome = run(&format!("kind = \"ntp\"\nport = {}", server.port)).await;
    assert_eq!((outcome.state, codes(&outcome)), (Bad, vec!["clock_unsynchronised"]), "{outcome:#?}");

    let outcome = run(&format!("kind = \"ntp\"\nport = {}\ntimeout = \"1s\"", free_udp_port())).await;
    assert_eq!((outcome.state, codes(&outcome)), (Silent, vec!["ntp_silent"]));
}

#[tokio::test]
async fn the_gateway_measures_itself() {
    let outcome = run("kind = \"host\"").await;
    for metric in ["cpu_percent", "memory_percent", "disk_percent"] {
        assert!((0.0..=100.0).contains(&value(&outcome, metric)), "{outcome:#?}");
    }
    assert!(value(&outcome, "uptime_s") > 0.0);
    assert!(outcome.facts.contains_key("clock_synchronised") && outcome.facts.contains_key("uplink"));
}
