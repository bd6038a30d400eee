//! A gateway made of bytes: TLS with its certificate, and whatever packets a test likes, well formed or not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use sitewarden_proto::envelope::{Codec, decode_message, encode, encode_message};
use sitewarden_proto::id::GatewayId;
use sitewarden_proto::topic::{Down, Up};
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::{Ack, Envelope, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long a test waits for what must come.
pub const SOON: Duration = Duration::from_secs(20);

/// What a gateway needs to pass the door.
#[derive(Clone, Debug)]
pub struct Pass {
    /// Its id.
    pub id: GatewayId,
    config: Arc<ClientConfig>,
}

impl Pass {
    /// From the texts that an enrolment gives, and the key.
    pub fn new(id: GatewayId, cert_pem: &str, key_pem: &str, ca_pem: &str) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
        let chain = vec![CertificateDer::from_pem_slice(cert_pem.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).unwrap();
        let mut config =
            ClientConfig::builder().with_root_certificates(roots).with_client_auth_cert(chain, key).unwrap();
        config.resumption = Resumption::disabled();
        Self { id, config: Arc::new(config) }
    }

    /// TLS, nothing sent yet. `from` is the address on loopback to come from.
    pub async fn dial_from(&self, from: [u8; 4], door: SocketAddr) -> std::io::Result<Raw> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        let stream = socket.connect(door).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await?;
        let (read, write) = split(stream);
        Ok(Raw { read, write, id: self.id.clone() })
    }

    /// TLS, nothing sent yet.
    pub async fn dial(&self, door: SocketAddr) -> Raw {
        self.dial_from([127, 0, 0, 1], door).await.unwrap()
    }
}

/// A connection.
pub struct Raw {
    read: ReadHalf<TlsStream<TcpStream>>,
    write: WriteHalf<TlsStream<TcpStream>>,
    /// Whose it is.
    pub id: GatewayId,
}

impl Raw {
    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).await.unwrap();
    }

    /// The same, when the other side may have gone.
    pub async fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.write.write_all(bytes).await?;
        self.write.flush().await
    }

    /// Connects as the gateway it is; false when it was refused.
    pub async fn greet(&mut self, keep_alive: u16, will: Option<&[u8]>) -> bool {
        let id = self.id.to_string();
        let will = will.map(|bytes| (Up::Session.topic(&self.id), bytes));
        self.try_send(&connect(&id, keep_alive, will)).await.is_ok()
            && self.packet().await.is_some_and(|packet| packet[0] == 0x20 && packet[2] == 0)
    }

    /// Keeps writing while nobody looks at what comes back.
    pub fn deaf(self) -> WriteHalf<TlsStream<TcpStream>> {
        let mut read = self.read;
        tokio::spawn(async move { tokio::io::copy(&mut read, &mut tokio::io::sink()).await });
        self.write
    }

    /// What is heard, and apart from it what can be written.
    pub fn halves(self) -> (Ear, WriteHalf<TlsStream<TcpStream>>) {
        (Ear { read: self.read, id: self.id }, self.write)
    }

    /// First byte, reason, and body of the next packet: `[type, reason, body…]`.
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

    /// Publishes with quality 1 and packet id 7 on one of its topics, by the end of its name.
    pub async fn publish(&mut self, suffix: &str, payload: &[u8]) {
        let topic = format!("v1/{}/{suffix}", self.id);
        self.send(&publish(topic.as_bytes(), payload, 1, 7, false)).await;
    }

    /// Waits until the server says that everything up to `upto` is committed.
    pub async fn committed(&mut self, upto: u64) {
        committed(&mut self.read, &self.id, upto).await;
    }

    /// First byte and body of the next packet; `None` at the end.
    pub async fn packet(&mut self) -> Option<Vec<u8>> {
        packet(&mut self.read).await
    }
}

/// The half of a connection that hears.
pub struct Ear {
    read: ReadHalf<TlsStream<TcpStream>>,
    /// Whose it is.
    pub id: GatewayId,
}

impl Ear {
    /// Waits until the server says that everything up to `upto` is committed.
    pub async fn committed(&mut self, upto: u64) {
        committed(&mut self.read, &self.id, upto).await;
    }

    /// First byte and body of the next packet; `None` at the end.
    pub async fn packet(&mut self) -> Option<Vec<u8>> {
        packet(&mut self.read).await
    }
}

async fn committed(read: &mut ReadHalf<TlsStream<TcpStream>>, id: &GatewayId, upto: u64) {
    let topic = Down::Ack.topic(id);
    loop {
        let packet = tokio::time::timeout(SOON, packet(read)).await.expect("an ack in time");
        let packet = packet.expect("an ack before the end");
        if let Some(ack) = ack_in(&packet, &topic)
            && ack.upto >= upto
        {
            return;
        }
    }
}

async fn packet(read: &mut ReadHalf<TlsStream<TcpStream>>) -> Option<Vec<u8>> {
    let first = read.read_u8().await.ok()?;
    let (mut length, mut shift) = (0_usize, 0);
    loop {
        let byte = read.read_u8().await.ok()?;
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0; length];
    read.read_exact(&mut body).await.ok()?;
    Some([&[first], body.as_slice()].concat())
}

/// The ack in a PUBLISH with quality 0 or 1 on `topic`.
fn ack_in(packet: &[u8], topic: &str) -> Option<Ack> {
    let quality = packet[0] >> 1 & 3;
    let rest =
        (packet[0] >> 4 == 3).then(|| packet[1..].strip_prefix(text(topic.as_bytes()).as_slice()))??;
    // The packet id, and no properties.
    decode_message(rest.get(if quality == 0 { 1 } else { 3 }..)?).ok()
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

/// SUBSCRIBE (section 3.8) to one filter with a quality.
pub fn subscribe(filter: &str, quality: u8) -> Vec<u8> {
    let mut body = vec![0, 9, 0];
    body.extend(text(filter.as_bytes()));
    body.push(quality);
    frame(0x82, &body)
}

/// Any packet: first byte, length, body.
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

/// Text or bytes with their length before them (section 1.5.4).
pub fn text(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes(), bytes].concat()
}

/// An envelope of epoch 7 and session 1 with one record.
pub fn envelope(seq: u64, sent_at_ms: i64, body: Body) -> Vec<u8> {
    let count = match &body {
        Body::Events(batch) => batch.events.len() as u32,
        Body::Gap(gap) => (gap.to_seq - gap.from_seq + 1) as u32,
        Body::Metrics(_) | Body::CommandResult(_) | Body::ReportedConfig(_) | Body::Discovered(_) => 1,
    };
    let envelope = Envelope {
        epoch: 7,
        first_seq: seq,
        count,
        sent_at_ms,
        session_id: 1,
        body: Some(body),
        ..Envelope::default()
    };
    encode(&envelope, Codec::None).unwrap()
}

/// The birth of session 1 of epoch 7, with `head` as the newest record.
pub fn birth(head: u64, now_ms: i64) -> Vec<u8> {
    let session = Session {
        online: true,
        session_id: 1,
        epoch: 7,
        head_seq: head,
        tail_seq: 1,
        sent_at_ms: now_ms,
        started_at_ms: now_ms,
        heartbeat_s: 60,
        wire_version: 1,
        ..Session::default()
    };
    encode_message(&session, Codec::None).unwrap()
}
