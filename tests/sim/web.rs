//! The web server of a device: HTTP/1.1 (RFC 9112) behind Digest login, plain or over TLS.
//!
//! One request per connection and a handful of pages, among them those by which a Hikvision device
//! tells what it is and how it is (ISAPI); a recorder and a door controller tell all that real ones do,
//! a camera tells it over ONVIF and hands out a picture.

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
use super::digest::{Realm, Verdict};
use super::{face, onvif, picture};

const HEAD_LIMIT: usize = 16 * 1024;
const BODY_LIMIT: usize = 64 * 1024;
const HEAD_WAIT: Duration = Duration::from_secs(10);
const MOST_CONNECTIONS: usize = 64;
/// The one question to a recorder that is sent by POST and changes nothing.
const DISTRIBUTION: &str = "/dailyDistribution";

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
    /// Listens on `address`.
    pub async fn open(address: (Ipv4Addr, u16), setup: &Setup, secure: bool) -> Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let tls = if secure { Some(Acceptor(acceptor(address.0, setup.expired)?)) } else { None };
        let realm = Realm::of(address.0, setup);
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
    let Some((head, body)) = read_body(&mut stream, head).await else { return };
    device.think().await;
    let answer = respond(&device, &realm, &head, &body);
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}

/// The body that a head announces, a part of which may have come with it; `None` when it is too long or does not come.
async fn read_body<S: AsyncRead + Unpin>(stream: &mut S, said: String) -> Option<(String, String)> {
    let (head, begun) = said.split_once("\r\n\r\n")?;
    let length = header(head, "content-length").and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
    if length > BODY_LIMIT {
        return None;
    }
    let mut body = begun.as_bytes().to_vec();
    let mut rest = vec![0; length.saturating_sub(body.len())];
    tokio::time::timeout(HEAD_WAIT, stream.read_exact(&mut rest)).await.ok()?.ok()?;
    body.extend(rest);
    Some((head.to_owned(), String::from_utf8(body).ok()?))
}

fn header<'h>(head: &'h str, wanted: &str) -> Option<&'h str> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim()).next()
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

fn respond(device: &Device, realm: &Realm, head: &str, body: &str) -> Vec<u8> {
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (b, path) = (device.blueprint(), target.split('?').next().unwrap_or(""));
    let asks = method == "POST" && (onvif::is_at(path) || path.ends_with(DISTRIBUTION));
    if method != "GET" && method != "HEAD" && !asks {
        return page("405 Method Not Allowed", "text/plain", "Allow: GET, HEAD\r\n", "only GET\n");
    }
    let challenge = |stale| {
        let header = format!("WWW-Authenticate: {}\r\n", realm.challenge(now_ms(), stale));
        page("401 Unauthorized", "text/plain", &header, "log in\n")
    };
    let is_free = b.class == "camera" && onvif::is_at(path) && onvif::is_free(body);
    match realm.judge(method, target, header(head, "authorization"), now_ms()) {
        Verdict::Unasked if is_free => {}
        Verdict::Unasked | Verdict::Rejected => return challenge(false),
        Verdict::Stale => return challenge(true),
        Verdict::Welcome => {}
    }
    if let Some(bodies) = face::bodies(device)
        && let Some(asked) = path.strip_prefix("/ISAPI/")
    {
        let asked = if asks { format!("{asked}{}", month(body)) } else { asked.to_owned() };
        return match bodies.iter().find(|(path, _)| *path == asked) {
            Some((_, body)) => page("200 OK", "application/xml", "", body),
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
        onvif::SNAPSHOT if b.class == "camera" => file("image/jpeg", &picture::snapshot(device)),
        _ if b.class == "camera" && asks => {
            let (status, said) = onvif::answer(device, body);
            page(status, "application/soap+xml", "", &said)
        }
        _ => page("404 Not Found", "text/plain", "", "no such page\n"),
    }
}

/// Which month a question about recordings is about, as the bodies of the field are named.
fn month(body: &str) -> String {
    let number = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        rest.split('<').next()?.trim().parse::<u16>().ok()
    };
    format!(".{}-{}", number("year").unwrap_or_default(), number("monthOfYear").unwrap_or_default())
}

fn page(status: &str, kind: &str, header: &str, body: &str) -> Vec<u8> {
    answer(status, &format!("{kind}; charset=utf-8"), header, body.as_bytes())
}

fn file(kind: &str, bytes: &[u8]) -> Vec<u8> {
    answer("200 OK", kind, "", bytes)
}

fn answer(status: &str, kind: &str, header: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nServer: sitewarden-sim\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Connection: close\r\n{header}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
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
