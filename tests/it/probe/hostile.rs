//! Devices that hang, drip, pour or talk nonsense: every probe ends at its time limit, and with an outcome.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use sitewarden_agent::clock::Clock;
use sitewarden_agent::probe::OutcomeState::{self, Bad, Good, Silent};
use sitewarden_agent::probe::{self, Context, Outcome};
use sitewarden_tests::peer::{Bent, Chronyd, Lighttpd, RtspServer, Snmpd, TlsPort};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{codes, device, run};

/// A bound for the test alone: what ends has ended long before.
const HANGS: Duration = Duration::from_secs(60);
const ROUNDS: u64 = 120;

/// A TCP port that treats everybody who connects in one way.
async fn port<F>(treat: impl Fn(TcpStream) -> F + Send + 'static) -> (u16, JoinSet<()>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut serving = JoinSet::new();
    serving.spawn(async move {
        let mut visitors = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            visitors.spawn(treat(stream));
        }
    });
    (port, serving)
}

/// Hears the question and says `first`, then one byte after the other, far too slowly for anybody to wait for the end.
async fn drip(mut stream: TcpStream, first: &'static [u8]) {
    let _ = stream.read(&mut [0; 4_096]).await;
    let mut every = tokio::time::interval(Duration::from_millis(20));
    let mut said = stream.write_all(first).await;
    while said.is_ok() {
        every.tick().await;
        said = stream.write_all(b"a").await;
    }
}

async fn ends(check: &str, state: OutcomeState, code: &str) -> Outcome {
    let outcome = timeout(HANGS, run(&format!("{check}\ntimeout = \"400ms\""))).await;
    let outcome = outcome.unwrap_or_else(|_| panic!("it hangs: {check}"));
    assert_eq!((outcome.state, codes(&outcome)), (state, vec![code]), "{check}: {outcome:#?}");
    outcome
}

#[tokio::test]
async fn what_accepts_and_never_answers_is_silent_at_the_time_limit() {
    let (mute, _serving) = port(async |stream| {
        let _stream = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let deaf = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let deaf = deaf.local_addr().unwrap().port();
    for (check, code) in [
        (format!("kind = \"http\"\nport = {mute}"), "http_silent"),
        (format!("kind = \"http\"\ntls = true\nport = {mute}"), "http_silent"),
        (format!("kind = \"tls\"\nport = {mute}"), "tls_silent"),
        (format!("kind = \"rtsp\"\nlook = \"200ms\"\nport = {mute}"), "rtsp_silent"),
        (format!("kind = \"ntp\"\nport = {deaf}"), "ntp_silent"),
        (format!("kind = \"snmp\"\nport = {deaf}\nversion = \"2c\"\ncommunity = \"x\""), "snmp_silent"),
        (
            format!(
                "kind = \"snmp\"\nport = {deaf}\nversion = \"3\"\nuser = \"x\"\nauth = \"sha256\"\n\
                 auth_password = \"12345678\"\nprivacy = \"aes128\"\nprivacy_password = \"12345678\""
            ),
            "snmp_silent",
        ),
    ] {
        ends(&check, Silent, code).await;
    }
}

#[tokio::test]
async fn what_drips_is_silent_at_the_time_limit() {
    let heads: [(&'static [u8], &str); 5] = [
        (b"RTSP/1.0 200 OK\r\nX-Slow: ", "kind = \"rtsp\"\nlook = \"200ms\""),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 60000\r\n\r\n", "kind = \"rtsp\"\nlook = \"200ms\""),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", "kind = \"http\""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", "kind = \"http\"\nexpect_text = \"end\""),
        // A handshake record of 16,000 bytes.
        (b"\x16\x03\x03\x3e\x80", "kind = \"tls\""),
    ];
    for (head, check) in heads {
        let (slow, _serving) = port(move |stream| drip(stream, head)).await;
        let (_, kind) = check.split_once('"').unwrap();
        let code = format!("{}_silent", kind.split_once('"').unwrap().0);
        ends(&format!("{check}\nport = {slow}"), Silent, &code).await;
    }
}

#[tokio::test]
async fn a_page_without_end_is_read_to_a_bound() {
    let (flood, _serving) = port(async |mut stream: TcpStream| {
        let _ = stream.read(&mut [0; 1_024]).await;
        let mut said = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        let piece = vec![b'a'; 1 << 16];
        while said.is_ok() {
            said = stream.write_all(&piece).await;
        }
    })
    .await;
    let check = format!("kind = \"http\"\nport = {flood}\nexpect_text = \"needle\"\ntimeout = \"30s\"");
    let outcome = timeout(HANGS, run(&check)).await.expect("it ends");
    assert_eq!((outcome.state, codes(&outcome)), (Bad, vec!["http_text_missing"]), "{outcome:#?}");
    assert!(outcome.faults[0].evidence["bytes_read"].as_u64().unwrap() <= 1 << 20, "{outcome:#?}");
}

/// Asks a peer whose replies are bent, again and again and many at a time.
async fn survives(name: &str, check: &str) {
    let device = Arc::new(device(check));
    let context = Arc::new(Context::new(Clock::system(), 16).unwrap());
    let mut asked = JoinSet::new();
    for _ in 0..ROUNDS {
        let (device, context) = (Arc::clone(&device), Arc::clone(&context));
        asked.spawn(async move { probe::run(&device, &device.checks[0], &context).await });
    }
    let outcomes = timeout(HANGS, asked.join_all()).await.unwrap_or_else(|_| panic!("{name} hangs"));
    let good = outcomes.iter().filter(|outcome| outcome.state == Good).count();
    assert!(good < outcomes.len(), "{name}: nothing was bent");
    for outcome in &outcomes {
        let proven = outcome.state == Good || !outcome.faults.is_empty();
        assert!(proven, "{name}: no fault says what was wrong: {outcome:#?}");
        assert!(outcome.values.iter().all(|(_, value)| value.is_finite()), "{name}: {outcome:#?}");
    }
}

#[tokio::test]
async fn bent_replies_end_in_an_outcome() {
    let seed = std::env::var("SITEWARDEN_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand::random);
    println!("SITEWARDEN_SEED={seed} bends the same way again");

    let snmpd = Snmpd::start().await;
    let bent = Bent::udp(snmpd.port, seed).await;
    let rows = "walk = [\"1.3.6.1.2.1.2.2.1.2\"]\ntimeout = \"600ms\"";
    let v2c = format!("version = \"2c\"\ncommunity = \"{}\"", Snmpd::COMMUNITY);
    let v3 = format!(
        "version = \"3\"\nuser = \"{}\"\nauth = \"sha256\"\nauth_password = \"{}\"\nprivacy = \"aes128\"\n\
         privacy_password = \"{}\"",
        Snmpd::USER,
        Snmpd::AUTH_PASSWORD,
        Snmpd::PRIVACY_PASSWORD
    );
    for security in [v2c, v3] {
        survives("snmp", &format!("kind = \"snmp\"\nport = {}\n{security}\n{rows}", bent.port)).await;
    }

    let chronyd = Chronyd::start().await;
    let bent = Bent::udp(chronyd.port, seed).await;
    survives("ntp", &format!("kind = \"ntp\"\nport = {}\ntimeout = \"600ms\"", bent.port)).await;

    let web = Lighttpd::start("SHA-256").await;
    let bent = Bent::tcp(web.port, seed).await;
    let signed_in = format!(
        "kind = \"http\"\nport = {}\npath = \"/private/index.html\"\nauth = \"digest\"\nuser = \"{}\"\n\
         password = \"{}\"\nexpect_text = \"<model>DS-2CD</model>\"\ntimeout = \"600ms\"",
        bent.port,
        Lighttpd::USER,
        Lighttpd::PASSWORD
    );
    survives("http", &signed_in).await;

    let streams = RtspServer::start("digest").await;
    let bent = Bent::tcp(streams.port, seed).await;
    let stream = format!(
        "kind = \"rtsp\"\nport = {}\npath = \"/live\"\nuser = \"{}\"\npassword = \"{}\"\n\
         look = \"200ms\"\ntimeout = \"1500ms\"",
        bent.port,
        RtspServer::USER,
        RtspServer::PASSWORD
    );
    survives("rtsp", &stream).await;

    let secure = TlsPort::until("2099-01-01T00:00:00Z".parse().unwrap()).await;
    let bent = Bent::tcp(secure.port, seed).await;
    survives("tls", &format!("kind = \"tls\"\nport = {}\ntimeout = \"600ms\"", bent.port)).await;
    survives("https", &format!("kind = \"http\"\ntls = true\nport = {}\ntimeout = \"600ms\"", bent.port))
        .await;
}
