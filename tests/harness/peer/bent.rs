//! A go-between that bends what a real program answers: bits are turned, bytes lost, doubled or made up.
//! Every reply is bent by a sequence that a seed decides, so that what went wrong can be done again.

use std::net::Ipv4Addr;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;

const REPLY_LIMIT: Duration = Duration::from_secs(2);
const PACKET: usize = 2_048;

/// A port on 127.0.0.1 behind which another one answers, bent.
#[derive(Debug)]
pub struct Bent {
    /// Where to ask.
    pub port: u16,
    _serving: JoinSet<()>,
}

impl Bent {
    /// Bends the packets of a UDP port.
    pub async fn udp(target: u16, seed: u64) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a UDP port");
        let port = socket.local_addr().expect("an address").port();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut chance = StdRng::seed_from_u64(seed);
            let mut packet = [0; PACKET];
            while let Ok((length, from)) = socket.recv_from(&mut packet).await {
                if let Some(mut reply) = relay(target, &packet[..length]).await {
                    bend(&mut reply, &mut chance);
                    let _ = socket.send_to(&reply, from).await;
                }
            }
        });
        Self { port, _serving: serving }
    }

    /// Bends what a TCP port says; what is said to it arrives as it is.
    pub async fn tcp(target: u16, seed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a TCP port");
        let port = listener.local_addr().expect("an address").port();
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut chance = StdRng::seed_from_u64(seed);
            let mut talks = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                talks.spawn(talk(stream, target, StdRng::seed_from_u64(chance.random())));
                while talks.try_join_next().is_some() {}
            }
        });
        Self { port, _serving: serving }
    }
}

async fn relay(target: u16, request: &[u8]) -> Option<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.ok()?;
    socket.connect((Ipv4Addr::LOCALHOST, target)).await.ok()?;
    socket.send(request).await.ok()?;
    let mut reply = vec![0; PACKET];
    let length = timeout(REPLY_LIMIT, socket.recv(&mut reply)).await.ok()?.ok()?;
    reply.truncate(length);
    Some(reply)
}

async fn talk(client: TcpStream, target: u16, mut chance: StdRng) {
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asking = async move {
        let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        std::future::pending::<()>().await;
    };
    let answering = async move {
        let mut chunk = [0; PACKET];
        while let Ok(length @ 1..) = from_server.read(&mut chunk).await {
            let mut said = chunk[..length].to_vec();
            bend(&mut said, &mut chance);
            if to_client.write_all(&said).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = asking => {}
        () = answering => {}
    }
}

/// One to four injuries; a reply in eight stays whole.
fn bend(bytes: &mut Vec<u8>, chance: &mut StdRng) {
    if chance.random_ratio(1, 8) {
        return;
    }
    for _ in 0..chance.random_range(1..=4) {
        if bytes.is_empty() {
            return;
        }
        let at = chance.random_range(0..bytes.len());
        match chance.random_range(0..6) {
            0 | 1 => bytes[at] ^= 1 << chance.random_range(0..8),
            // Lengths and counts like to be small or huge.
            2 => bytes[at] = [0x00, 0x01, 0x7f, 0x80, 0x84, 0xff][chance.random_range(0..6)],
            3 => bytes.truncate(at),
            4 => bytes.insert(at, chance.random()),
            _ => {
                let end = (at + chance.random_range(1..32)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
}
