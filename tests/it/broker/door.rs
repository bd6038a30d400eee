//! A front end on a free port, gateways with certificates, and a client that sends whatever bytes it likes.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sitewarden_proto::id::GatewayId;
use sitewarden_server::broker::{self, Door, Refusal, Registry, Standing, Upstream};
use sitewarden_server::clock::Clock;
use sitewarden_server::config::Limits;
use sitewarden_server::tls::Ca;
use sitewarden_tests::until;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

/// How long a test waits for what must come.
pub const SOON: Duration = Duration::from_secs(20);

/// A running front end.
pub struct Site {
    pub port: u16,
    pub registry: Registry,
    pub ca: Ca,
    pub folder: TempDir,
    upstream: mpsc::Receiver<Upstream>,
    stop: CancellationToken,
}

/// A gateway's files.
#[derive(Clone)]
pub struct Badge {
    pub id: GatewayId,
    pub cert: PathBuf,
    pub key: PathBuf,
    pub ca: PathBuf,
}

impl Site {
    pub async fn open() -> Self {
        Self::with(256, Limits::default()).await
    }

    /// With a channel of that length towards ingest.
    pub async fn with(length: usize, limits: Limits) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let ca = Ca::create(now()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, upstream) = mpsc::channel(length);
        let (registry, stop) = (Registry::new(), CancellationToken::new());
        let tls = ca.wire_config(&[], now()).unwrap();
        let door = Door { tls, registry: registry.clone(), clock: Clock::System, upstream: sender, limits };
        tokio::spawn(broker::run(listener, door, stop.clone()));
        Self { port, registry, ca, folder: tempfile::tempdir().unwrap(), upstream, stop }
    }

    /// A gateway that may connect.
    pub fn gateway(&self, id: &str) -> Badge {
        let badge = self.stranger(&self.ca, id);
        self.registry.set_standing(badge.id.clone(), Standing { revoked: false, since: now() });
        badge
    }

    /// A certificate of some authority.
    pub fn stranger(&self, ca: &Ca, id: &str) -> Badge {
        let id: GatewayId = id.parse().unwrap();
        let key = KeyPair::generate().unwrap();
        let csr = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
        let issued = ca.sign_gateway(&csr, &id, now()).unwrap();
        let put = |name: String, text: &str| {
            let path = self.folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let mark = issued.identity.serial.clone();
        Badge {
            cert: put(format!("{mark}.cert"), &issued.pem),
            key: put(format!("{mark}.key"), &key.serialize_pem()),
            ca: put("ca.pem".into(), self.ca.pem()),
            id,
        }
    }

    /// The next payload.
    pub async fn next(&mut self) -> Upstream {
        tokio::time::timeout(SOON, self.upstream.recv())
            .await
            .expect("a payload comes")
            .expect("the door is open")
    }

    /// Nothing has come that was not asked for.
    pub fn nothing(&mut self) {
        assert!(self.upstream.try_recv().is_err(), "something came that should not have");
    }

    pub async fn counted(&self, refusal: Refusal, at_least: u64) {
        until(refusal.as_str(), SOON, async || self.registry.count(refusal) >= at_least).await;
    }

    /// TLS with that badge, nothing sent yet.
    pub async fn raw(&self, badge: &Badge) -> Raw {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&badge.ca).unwrap()).unwrap();
        let chain = vec![CertificateDer::from_pem_file(&badge.cert).unwrap()];
        let key = PrivateKeyDer::from_pem_file(&badge.key).unwrap();
        let config = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)
            .unwrap();
        let socket = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
        Raw { stream, id: badge.id.clone() }
    }

    /// A raw client whose CONNECT was accepted.
    pub async fn connected(&self, badge: &Badge, will: Option<&[u8]>) -> Raw {
        let mut raw = self.raw(badge).await;
        let id = badge.id.to_string();
        raw.send(&connect(&id, 60, will.map(|bytes| (format!("v1/{id}/s"), bytes)))).await;
        assert_eq!(raw.answer().await[..2], [0x20, 0x00], "CONNACK, success");
        raw
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A client made of bytes.
pub struct Raw {
    stream: TlsStream<TcpStream>,
    id: GatewayId,
}

impl Raw {
    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The first byte and the second of the variable part of the next packet: for CONNACK, SUBACK and PUBACK its
    /// whole body is returned too: `[type, body[1], body…]`.
    pub async fn answer(&mut self) -> Vec<u8> {
        let packet = tokio::time::timeout(SOON, self.packet()).await.expect("an answer in time");
        let packet = packet.expect("a packet before the end");
        let code = if packet[0] >> 4 == 14 { packet[1] } else { packet.get(2).copied().unwrap_or(0) };
        [&[packet[0], code], &packet[1..]].concat()
    }

    /// Waits for the end of the connection.
    pub async fn end(&mut self) {
        let rest = tokio::time::timeout(SOON, async { while self.packet().await.is_some() {} }).await;
        rest.expect("the connection ends");
    }

    pub async fn publish(&mut self, suffix: &str, payload: &[u8]) {
        let topic = format!("v1/{}/{suffix}", self.id);
        self.send(&publish(topic.as_bytes(), payload, 1, 7, false)).await;
    }

    /// First byte and body of the next packet.
    async fn packet(&mut self) -> Option<Vec<u8>> {
        let first = self.stream.read_u8().await.ok()?;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.stream.read_u8().await.ok()?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.ok()?;
        Some([&[first], body.as_slice()].concat())
    }
}

/// CONNECT (OASIS MQTT 5.0, section 3.1), clean start.
pub fn connect(client: &str, keep_alive: u16, will: Option<(String, &[u8])>) -> Vec<u8> {
    let mut body = text(b"MQTT");
    body.extend([5, if will.is_some() { 0x0e } else { 0x02 }]);
    body.extend(keep_alive.to_be_bytes());
    body.push(0);
    body.extend(text(client.as_bytes()));
    if let Some((topic, payload)) = will {
        body.push(0);
        body.extend(text(topic.as_bytes()));
        body.extend(text(payload));
    }
    frame(0x10, &body)
}

/// PUBLISH (section 3.3) with any topic bytes and any quality.
pub fn publish(topic: &[u8], payload: &[u8], quality: u8, id: u16, retain: bool) -> Vec<u8> {
    let mut body = text(topic);
    if quality > 0 {
        body.extend(id.to_be_bytes());
    }
    body.push(0);
    body.extend(payload);
    frame(0x30 | quality << 1 | u8::from(retain), &body)
}

/// SUBSCRIBE (section 3.8) to one filter with quality 1.
pub fn subscribe(filter: &str) -> Vec<u8> {
    let mut body = vec![0, 9, 0];
    body.extend(text(filter.as_bytes()));
    body.push(1);
    frame(0x82, &body)
}

pub fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let byte = (length % 128) as u8;
        length /= 128;
        bytes.push(if length > 0 { byte | 0x80 } else { byte });
        if length == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

fn text(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

/// Peer tests live in real time: certificates are judged by the machine's clock.
pub fn now() -> Timestamp {
    sitewarden_server::clock::Clock::System.now()
}
