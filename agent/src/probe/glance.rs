//! What one address is asked: only what everybody may ask. No login is tried; a community is, once, where a person gave one.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_snmp::Value;
use rustls::pki_types::ServerName;
use sitewarden_proto::network::ADDRESSES_MAX;
use sitewarden_proto::wire::SwitchView;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;

use super::snmp::{self, Sessions};
use super::{tls, topology};
use crate::config::{Security, Snmp};
use crate::discover::hints::{self, Discovery, Hints, Web, tame};

/// For a connection.
const CONNECT: Duration = Duration::from_millis(800);
/// For a question and its answer.
const ANSWER: Duration = Duration::from_millis(2_500);
/// For everything that one address is asked.
const HOST: Duration = Duration::from_secs(20);
/// For the tables of one switch.
const TABLES: Duration = Duration::from_secs(20);
/// Bytes read of one answer; a datagram has no more.
const BYTES_MAX: usize = 64 * 1024;
/// How long answers to WS-Discovery are awaited.
const HEARD: Duration = Duration::from_secs(2);
/// Between two probes of WS-Discovery.
const PACE: Duration = Duration::from_millis(5);
const MULTICAST: Ipv4Addr = Ipv4Addr::new(239, 255, 255, 250);
/// sysDescr, sysObjectID, sysName and sysServices of RFC 3418.
const SYSTEM: [&str; 4] =
    ["1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.1.7.0"];

/// Where things are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the ports by their protocols")]
pub struct Ports {
    pub http: u16,
    pub https: u16,
    pub rtsp: u16,
    pub snmp: u16,
    pub upsd: u16,
    pub discovery: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { http: 80, https: 443, rtsp: 554, snmp: 161, upsd: 3493, discovery: 3702 }
    }
}

/// Vendors' own ports, which are only knocked at.
const KNOCKED: [u16; 4] = [37777, 8000, 4370, 9100];

/// What all questions of a run share.
pub(crate) struct Shared {
    pub(crate) ports: Ports,
    pub(crate) security: Option<Security>,
    tls: tls::Tls,
    sessions: Sessions,
}

impl Shared {
    pub(crate) fn new(ports: Ports, security: Option<Security>) -> anyhow::Result<Self> {
        Ok(Self { ports, security, tls: tls::Tls::new()?, sessions: Sessions::default() })
    }
}

/// Asks one address everything, one question after the other. What came until its time was up counts.
pub(crate) async fn look(address: IpAddr, shared: &Shared) -> Hints {
    let mut hints = Hints::default();
    // Cut off, the rest stays empty.
    let _ = timeout(HOST, ask_all(address, shared, &mut hints)).await;
    hints
}

async fn ask_all(address: IpAddr, shared: &Shared, hints: &mut Hints) {
    let ports = &shared.ports;
    let at = |port| SocketAddr::new(address, port);
    if let Some(security) = &shared.security {
        let rows = snmp::once(at(ports.snmp), security, ANSWER, &shared.sessions, &SYSTEM);
        for row in rows.await.unwrap_or_default() {
            take_row(hints, &row.oid.to_string(), &row.value);
        }
    }
    if let Some(stream) = connect(at(ports.http)).await {
        hints.open.push(80);
        hints.web = page(stream, at(ports.http)).await;
        // The page of many devices says nothing; a document that wants a login names the realm.
        if hints.web.realm.is_empty()
            && let Some(stream) = connect(at(ports.http)).await
        {
            let bytes = exchange(stream, &request("/ISAPI/System/deviceInfo", address), |_| false).await;
            hints.web.realm = hints::web(&bytes).realm;
        }
    }
    if let Some(stream) = connect(at(ports.https)).await {
        hints.open.push(443);
        let name = ServerName::from(address);
        let shaken =
            timeout(ANSWER, TlsConnector::from(Arc::clone(&shared.tls.config)).connect(name, stream));
        if let Ok(Ok(stream)) = shaken.await {
            let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            hints.certificate = shown
                .and_then(|der| tls::Certificate::parse(der))
                .map_or_else(String::new, |c| tame(c.subject()));
            if hints.web == Web::default() {
                hints.web = page(stream, at(ports.https)).await;
            }
        }
    }
    if let Some(stream) = connect(at(ports.rtsp)).await {
        hints.open.push(554);
        let ask = format!("OPTIONS rtsp://{}/ RTSP/1.0\r\nCSeq: 1\r\n\r\n", at(ports.rtsp));
        let ended = |bytes: &[u8]| bytes.windows(4).any(|four| four == b"\r\n\r\n");
        hints.rtsp = hints::web(&exchange(stream, &ask, ended).await);
    }
    if let Some(stream) = connect(at(ports.upsd)).await {
        hints.open.push(3493);
        let said = exchange(stream, "VER\n", |bytes| bytes.contains(&b'\n')).await;
        hints.is_upsd = String::from_utf8_lossy(&said).contains("Network UPS Tools");
    }
    for port in KNOCKED {
        if connect(at(port)).await.is_some() {
            hints.open.push(port);
        }
    }
}

fn take_row(hints: &mut Hints, oid: &str, value: &Value) {
    match (oid, value) {
        ("1.3.6.1.2.1.1.1.0", Value::OctetString(bytes)) => {
            hints.sys_descr = tame(&String::from_utf8_lossy(bytes));
        }
        ("1.3.6.1.2.1.1.5.0", Value::OctetString(bytes)) => {
            hints.sys_name = tame(&String::from_utf8_lossy(bytes));
        }
        ("1.3.6.1.2.1.1.2.0", Value::ObjectIdentifier(object)) => hints.sys_object = object.to_string(),
        ("1.3.6.1.2.1.1.7.0", Value::Integer(services)) => {
            hints.sys_services = u32::try_from(*services).unwrap_or_default();
        }
        _ => {}
    }
}

/// The tables of a switch: who hangs on which of its ports.
pub(crate) async fn tables(address: IpAddr, shared: &Shared) -> Option<SwitchView> {
    let security = shared.security.clone()?;
    let asked = Snmp { port: shared.ports.snmp, security, get: Vec::new(), walk: Vec::new() };
    let address = address.to_string();
    let reading = topology::read(&address, &asked, TABLES, &shared.sessions);
    timeout(TABLES, reading).await.ok()?.into_view()
}

async fn connect(target: SocketAddr) -> Option<TcpStream> {
    timeout(CONNECT, TcpStream::connect(target)).await.ok()?.ok()
}

fn request(path: &str, address: IpAddr) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept: */*\r\nConnection: close\r\n\r\n")
}

async fn page<S: AsyncRead + AsyncWrite + Unpin>(stream: S, target: SocketAddr) -> Web {
    hints::web(&exchange(stream, &request("/", target.ip()), |_| false).await)
}

/// Asks, and reads until the end, the bound, the time, or what `ended` says.
async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    ask: &str,
    ended: impl Fn(&[u8]) -> bool,
) -> Vec<u8> {
    let deadline = Instant::now() + ANSWER;
    let mut heard = Vec::new();
    let mut part = vec![0; 4096];
    if !matches!(timeout_at(deadline, stream.write_all(ask.as_bytes())).await, Ok(Ok(()))) {
        return heard;
    }
    while heard.len() < BYTES_MAX && !ended(&heard) {
        match timeout_at(deadline, stream.read(&mut part)).await {
            Ok(Ok(length)) if length > 0 => heard.extend(part.iter().take(length)),
            _ => break,
        }
    }
    heard
}

/// Asks by WS-Discovery: everybody at once, and each of `targets` for itself. Tells of whoever answers, each once.
pub(crate) async fn discover(targets: &[IpAddr], port: u16, mut tell: impl FnMut(IpAddr, Discovery)) {
    let Ok(socket) = UdpSocket::bind("0.0.0.0:0").await else { return };
    let probe = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" \
         xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\"><s:Header>\
         <a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/Probe</a:Action>\
         <a:MessageID>uuid:{}</a:MessageID><a:To>urn:schemas-xmlsoap-org:ws:2005:04:discovery</a:To></s:Header><s:Body>\
         <d:Probe xmlns:d=\"http://schemas.xmlsoap.org/ws/2005/04/discovery\"/></s:Body></s:Envelope>",
        uuid::Uuid::new_v4()
    );
    // A network that takes no multicast is asked address by address.
    let everybody = targets.iter().any(|target| !target.is_loopback()).then_some(IpAddr::V4(MULTICAST));
    let mut part = vec![0; BYTES_MAX];
    let mut left = everybody.into_iter().chain(targets.iter().copied());
    let mut told = std::collections::BTreeSet::new();
    let mut deadline = Instant::now() + PACE;
    loop {
        match timeout_at(deadline, socket.recv_from(&mut part)).await {
            Ok(Ok((length, from))) => {
                if let Some(said) = hints::discovery(part.get(..length).unwrap_or_default())
                    && told.len() < ADDRESSES_MAX
                    && told.insert(from.ip())
                {
                    tell(from.ip(), said);
                }
            }
            // A refusal of one address says nothing about the others.
            Ok(Err(_)) => {}
            Err(_) => match left.next() {
                Some(target) => {
                    let _ = socket.send_to(probe.as_bytes(), SocketAddr::new(target, port)).await;
                    deadline = Instant::now() + PACE;
                    if left.size_hint().1 == Some(0) {
                        deadline = Instant::now() + HEARD;
                    }
                }
                None => return,
            },
        }
    }
}
