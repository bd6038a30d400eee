//! The web server of a device: HTTP/1.1 (RFC 9112) behind Digest login, plain or over TLS.
//!
//! One request per connection and a handful of pages, among them those by which a Hikvision device
//! tells what it is and how it is (ISAPI); a recorder and a door controller tell all that real ones do.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::clock::{now, now_ms};
use super::device::{Device, Setup};
use super::digest::{Algorithm, Realm, Verdict};
use super::face;
use super::plan::{USER, WEB_PASSWORD};

const HEAD_LIMIT: usize = 16 * 1024;
const HEAD_WAIT: Duration = Duration::from_secs(10);
const MOST_CONNECTIONS: usize = 64;

/// A listening web server.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    tls: Option<Acceptor>,
    realm: Realm,
}

struct Acceptor(TlsAcceptor);

impl std::fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Acceptor")
    }
}

impl Server {
    /// Listens on `address`. Devices with an even last octet ask for MD5, the others for SHA-256.
    pub async fn open(address: (Ipv4Addr, u16), setup: &Setup, secure: bool) -> Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let tls = if secure { Some(Acceptor(acceptor(address.0, setup.expired)?)) } else { None };
        let odd = address.0.octets()[3] % 2 == 1;
        let realm = Realm {
            name: format!("SIM {}", address.0),
            user: USER.into(),
            password: if setup.other_password { "changed-by-someone".into() } else { WEB_PASSWORD.into() },
            algorithm: if odd { Algorithm::Sha256 } else { Algorithm::Md5 },
            secret: rand::random(),
        };
        Ok(Self { listener, tls, realm })
    }

    /// Accepts until it is dropped, which cuts every connection.
    pub async fn serve(self, device: &Arc<Device>) {
        let Self { listener, tls, realm } = self;
        let realm = Arc::new(realm);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => {
                    let Ok((stream, _)) = accepted else { continue };
                    let (device, realm) = (Arc::clone(device), Arc::clone(&realm));
                    match &tls {
                        None => { connections.spawn(talk(device, realm, stream)); }
                        Some(Acceptor(acceptor)) => {
                            let handshake = acceptor.accept(stream);
                            connections.spawn(async move {
                                if let Ok(Ok(stream)) = tokio::time::timeout(HEAD_WAIT, handshake).await {
                                    talk(device, realm, stream).await;
                                }
                            });
                        }
                    }
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(device: Arc<Device>, realm: Arc<Realm>, mut stream: S) {
    let Some(head) = read_head(&mut stream).await else { return };
    device.think().await;
    let answer = respond(&device, &realm, &head);
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Reads up to the empty line that ends a request's head; `None` when it does not come, is not text,
/// or is too long.
pub async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut head = Vec::new();
    let reading = async {
        let mut chunk = [0; 1024];
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            match stream.read(&mut chunk).await {
                Ok(size @ 1..) if head.len() + size <= HEAD_LIMIT => head.extend_from_slice(&chunk[..size]),
                Ok(_) | Err(_) => return None,
            }
        }
        Some(())
    };
    tokio::time::timeout(HEAD_WAIT, reading).await.ok()??;
    String::from_utf8(head).ok()
}

fn respond(device: &Device, realm: &Realm, head: &str) -> String {
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    if method != "GET" && method != "HEAD" {
        return page("405 Method Not Allowed", "text/plain", "Allow: GET, HEAD\r\n", "only GET\n");
    }
    let authorization = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        .map(|(_, value)| value.trim());
    let challenge = |stale| {
        let header = format!("WWW-Authenticate: {}\r\n", realm.challenge(now_ms(), stale));
        page("401 Unauthorized", "text/plain", &header, "log in\n")
    };
    match realm.judge(method, target, authorization, now_ms()) {
        Verdict::Unasked | Verdict::Rejected => return challenge(false),
        Verdict::Stale => return challenge(true),
        Verdict::Welcome => {}
    }
    let (b, path) = (device.blueprint(), target.split('?').next().unwrap_or(""));
    let xml = |body: &str| page("200 OK", "application/xml", "", body);
    if let Some(bodies) = face::bodies(device)
        && let Some(asked) = path.strip_prefix("/ISAPI/")
    {
        return match bodies.iter().find(|(path, _)| path == asked) {
            Some((_, body)) => xml(body),
            None => page(
                "404 Not Found",
                "application/xml",
                "",
                "<ResponseStatus><statusCode>4</statusCode></ResponseStatus>",
            ),
        };
    }
    match path {
        "/" => page("200 OK", "text/html", "", &format!("<title>{}</title><h1>{}</h1>\n", b.model, b.name)),
        "/ISAPI/System/deviceInfo" => xml(&format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DeviceInfo version=\"2.0\" \
             xmlns=\"http://www.hikvision.com/ver20/XMLSchema\">\n<deviceName>{}</deviceName>\n<model>{}</model>\n\
             <serialNumber>SIM{:08X}</serialNumber>\n<firmwareVersion>V1.0.0</firmwareVersion>\n</DeviceInfo>\n",
            b.name,
            b.model,
            u32::from(b.address)
        )),
        "/ISAPI/System/status" => xml(&format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DeviceStatus version=\"2.0\" \
             xmlns=\"http://www.hikvision.com/ver20/XMLSchema\">\n<currentDeviceTime>{}</currentDeviceTime>\n\
             <deviceUpTime>{}</deviceUpTime>\n<CPUList><CPU><cpuUtilization>12</cpuUtilization></CPU></CPUList>\n\
             </DeviceStatus>\n",
            device.clock(),
            device.uptime_ms() / 1000
        )),
        _ => page("404 Not Found", "text/plain", "", "no such page\n"),
    }
}

fn page(status: &str, kind: &str, header: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nServer: sitewarden-sim\r\nContent-Type: {kind}; charset=utf-8\r\n\
         Content-Length: {}\r\nConnection: close\r\n{header}\r\n{body}",
        body.len()
    )
}

/// A self-signed certificate like a camera's: good for a year, or run out in 2020.
fn acceptor(address: Ipv4Addr, expired: bool) -> Result<TlsAcceptor> {
    let mut params = rcgen::CertificateParams::new(vec![address.to_string()])?;
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    params.not_after = if expired {
        rcgen::date_time_ymd(2020, 1, 1)
    } else {
        let year = now().to_zoned(jiff::tz::TimeZone::UTC).year();
        rcgen::date_time_ymd(i32::from(year) + 2, 1, 1)
    };
    let key = rcgen::KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
