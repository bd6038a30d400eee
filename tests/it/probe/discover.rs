//! What hangs in a network: real servers are known by what they let everybody see, no login is tried, and who pours, hangs or talks
//! nonsense holds up nobody.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use sitewarden_agent::config::{Secret, Security, parse_devices};
use sitewarden_agent::discover::{Certainty, Found, Ports, Proposal, Wish, file, look};
use sitewarden_tests::binary;
use sitewarden_tests::peer::{Lighttpd, RtspServer, Snmpsim, free_tcp_port};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use tokio::process::Command;
use tokio::task::JoinSet;

/// A bound for the test alone: what ends has ended long before.
const HANGS: Duration = Duration::from_secs(90);
/// A switch of H3C as it is seen over SNMP, with a camera behind its first port.
const SWITCH: &str = "1.3.6.1.2.1.1.1.0|4|H3C Comware Platform Software, H3C S5120-28P-SI\n\
    1.3.6.1.2.1.1.2.0|6|1.3.6.1.4.1.25506.1.578\n1.3.6.1.2.1.1.3.0|67|123456\n1.3.6.1.2.1.1.5.0|4|sw-hall\n\
    1.3.6.1.2.1.1.7.0|2|78\n1.3.6.1.2.1.2.2.1.2.1|4|GigabitEthernet1/0/1\n\
    1.3.6.1.2.1.4.22.1.2.1.127.9.0.4|4x|4419b6010203\n1.3.6.1.2.1.17.1.4.1.2.1|2|1\n\
    1.3.6.1.2.1.17.4.3.1.2.68.25.182.1.2.3|2|1\n";

/// Looks at a network; everything that is not a port of the test is asked where nobody listens.
async fn found(net: &str, community: Option<&str>, ports: Ports) -> Vec<Proposal> {
    run(net, community, ports).await.proposals()
}

async fn run(net: &str, community: Option<&str>, ports: Ports) -> Found {
    let snmp = community.map(|community| Security::V2c { community: Secret::new(community) });
    let wish = Wish { net: net.to_owned(), snmp, rate: 1_000, limit: HANGS, ports };
    let found = Found::default();
    let looked = tokio::time::timeout(HANGS, look(&wish, &found)).await;
    looked.unwrap_or_else(|_| panic!("it hangs")).unwrap_or_else(|error| panic!("{error}"));
    found
}

fn nowhere() -> Ports {
    let port = free_tcp_port();
    Ports { http: port, https: port, rtsp: port, snmp: port, upsd: port, discovery: port }
}

#[tokio::test]
async fn real_servers_are_asked_what_everybody_may_ask_and_nothing_else() {
    let (snmp, web, rtsp) =
        tokio::join!(Snmpsim::of(&[("reads", SWITCH)]), Lighttpd::start("MD5"), RtspServer::start("digest"));
    let ports = Ports { http: web.port, rtsp: rtsp.port, snmp: snmp.port, ..nowhere() };
    let looked = run("127.0.0.1", Some("reads"), ports).await;
    let all = looked.proposals();
    let [one] = &all[..] else { panic!("{all:#?}") };
    let identity = &one.identity;
    assert_eq!((identity.maker, identity.class, identity.model.as_str()), ("h3c", "switch", "S5120-28P-SI"));
    assert_eq!(identity.certainty, Certainty::Certain, "{identity:#?}");
    let devices = parse_devices(&file(&all), "found.toml").unwrap();
    assert_eq!(devices[0].left_out, ["switch", "topology"], "{}", file(&all));
    assert_eq!(web.statuses("/").await, [200]);
    assert_eq!(web.statuses("/ISAPI/System/deviceInfo").await, [404]);
    assert_eq!(rtsp.granted("DESCRIBE"), 0);
    let hints = looked.hints().into_values().next().unwrap();
    let servers = (hints.web.server.as_str(), hints.rtsp.server.as_str());
    assert!(servers.0.contains("lighttpd") && servers.1.contains("GStreamer"), "{hints:#?}");
    // Without a community, and with a wrong one, the switch is not known.
    for community in [None, Some("writes")] {
        let all = found("127.0.0.1", community, ports).await;
        assert_eq!((all.len(), all[0].identity.maker), (1, ""), "{all:#?}");
    }
}

#[tokio::test]
async fn a_camera_is_found_among_those_that_pour_hang_and_talk_nonsense() {
    let mut serving = JoinSet::new();
    let at = |last: u8| IpAddr::V4(Ipv4Addr::new(127, 9, 0, last));
    let (web, probe) = (free_tcp_port(), free_tcp_port());
    for last in 1..=4 {
        let listener = TcpListener::bind(SocketAddr::new(at(last), web)).await.unwrap();
        serving.spawn(async move {
            let mut visitors = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                visitors.spawn(async move {
                    let _ = stream.read(&mut [0; 4_096]).await;
                    match last {
                        1 => while stream.write_all(&vec![b'<'; 65_536]).await.is_ok() {},
                        2 => std::future::pending().await,
                        3 => drop(stream.write_all(b"\xff\xfe<title></TITLE><Title").await),
                        _ => drop(
                            stream
                                .write_all(
                                    b"HTTP/1.1 401 Unauthorized\r\nServer: App-webs/\r\n\
                            WWW-Authenticate: Digest realm=\"IP Camera(C1234)\"\r\n\r\n",
                                )
                                .await,
                        ),
                    }
                });
            }
        });
        let socket = UdpSocket::bind(SocketAddr::new(at(last), probe)).await.unwrap();
        serving.spawn(async move {
            let mut heard = vec![0; 4_096];
            while let Ok((length, from)) = socket.recv_from(&mut heard).await {
                assert!(String::from_utf8_lossy(&heard[..length]).contains("discovery/Probe"));
                let answer = match last {
                    1 => "<a>".repeat(20_000),
                    2 => "<d:ProbeMatch><d:Types>".to_owned(),
                    3 => String::new(),
                    _ => "<s:Envelope><s:Body><d:ProbeMatches><d:ProbeMatch><d:Types>dn:NetworkVideoTransmitter</d:Types>\
                        <d:Scopes>onvif://www.onvif.org/name/HIKVISION%20DS-2CD2143G0-I \
                        onvif://www.onvif.org/hardware/DS-2CD2143G0-I</d:Scopes></d:ProbeMatch></d:ProbeMatches>\
                        </s:Body></s:Envelope>".to_owned(),
                };
                let _ = socket.send_to(answer.as_bytes(), from).await;
            }
        });
    }
    let all = found("127.9.0.0/29", None, Ports { http: web, discovery: probe, ..nowhere() }).await;
    assert_eq!(all.len(), 6, "{all:#?}");
    let worth: Vec<&Proposal> = all.iter().filter(|one| one.is_worth()).collect();
    let [camera] = worth[..] else { panic!("{all:#?}") };
    assert_eq!(
        (camera.address, camera.identity.maker, camera.identity.class),
        (at(4), "hikvision", "camera")
    );
    let devices = parse_devices(&file(&all), "found.toml").unwrap();
    assert_eq!((devices.len(), devices[0].address.as_str()), (1, "127.9.0.4"));
    serving.shutdown().await;
}

#[tokio::test]
async fn the_program_prints_a_file_or_json_and_refuses_what_is_too_wide() {
    let agent = tokio::task::spawn_blocking(|| binary("sitewarden-agent")).await.unwrap();
    let ask = async |arguments: &[&str]| {
        Command::new(&agent).arg("discover").args(arguments).output().await.unwrap()
    };
    let refused = ask(&["--net", "10.0.0.0/16"]).await;
    assert_eq!(refused.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("a /20"), "{refused:?}");

    let told = ask(&["--net", "127.9.1.0/30", "--json"]).await;
    let whole: Value =
        serde_json::from_slice(&told.stdout).unwrap_or_else(|error| panic!("{error}: {told:?}"));
    assert_eq!((&whole["addresses"], &whole["complete"]), (&2.into(), &true.into()), "{whole:#}");
    assert_eq!(whole["found"].as_array().unwrap().len(), 2, "{whole:#}");

    let told = ask(&["--net", "127.9.1.0/30"]).await;
    let text = String::from_utf8(told.stdout).unwrap();
    assert!(text.starts_with("# 127.9.1.0/30: 2 answer"), "{text}");
    parse_devices(&text, "found.toml").unwrap();
}
