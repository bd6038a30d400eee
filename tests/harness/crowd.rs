//! Bad company at the gateways' door: hundreds that only sit there, one that floods, one that sends garbage,
//! and connections that never say anything. And one honest gateway among them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use sitewarden_proto::topic::Up;
use sitewarden_proto::wire::envelope::Body;
use sitewarden_proto::wire::{Event, EventBatch, ReportedConfig, Transition};
use sitewarden_server::clock::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::raw::{Pass, Raw, birth, envelope, publish, subscribe};

/// Connections under way at once while the idle ones are made.
const AT_ONCE: usize = 32;
/// Sockets that are held open without a word.
const MUTE: usize = 24;

/// Tasks that go on until this is dropped.
pub struct Crowd {
    /// Gateways that are connected and say nothing.
    pub idle: Vec<Raw>,
    /// Packets that the flood has got rid of.
    pub flooded: Arc<AtomicU64>,
    /// Connections that carried garbage.
    pub garbage: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

impl Crowd {
    /// Gathers it: `passes` are the flood, the garbage, and the idle ones.
    pub async fn gather(door: SocketAddr, passes: &[Pass]) -> Self {
        let [flood, garbage, idle @ ..] = passes else { panic!("a crowd is more than that") };
        let idle = connect_all(door, idle).await;
        let (flooded, spoilt) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let mut tasks = JoinSet::new();
        tasks.spawn(flood_with_reports(door, flood.clone(), Arc::clone(&flooded)));
        tasks.spawn(send_garbage(door, garbage.clone(), Arc::clone(&spoilt)));
        for _ in 0..MUTE {
            tasks.spawn(say_nothing(door));
        }
        Self { idle, flooded, garbage: spoilt, _tasks: tasks }
    }
}

/// Connects every gateway; they stay as they are then.
pub async fn connect_all(door: SocketAddr, passes: &[Pass]) -> Vec<Raw> {
    let mut connecting = JoinSet::new();
    let mut connected = Vec::with_capacity(passes.len());
    for pass in passes {
        if connecting.len() >= AT_ONCE {
            connected.extend(connecting.join_next().await.map(Result::unwrap));
        }
        let pass = pass.clone();
        connecting.spawn(async move {
            let mut raw = pass.dial(door).await;
            assert!(raw.greet(600, None).await, "{} is let in", raw.id);
            raw
        });
    }
    connected.extend(connecting.join_all().await);
    connected
}

/// Every gateway at once: TLS, CONNECT, birth, and the answer to it. Nobody is turned away.
pub async fn rush(door: SocketAddr, passes: &[Pass]) -> Vec<Raw> {
    let mut coming = JoinSet::new();
    for pass in passes {
        let pass = pass.clone();
        coming.spawn(async move {
            let mut raw = pass.dial(door).await;
            assert!(raw.greet(600, None).await, "{} is let in", raw.id);
            raw.send(&subscribe(&format!("v1/{}/d/+", raw.id), 0)).await;
            raw.publish("s", &birth(0, Clock::System.now().as_millisecond())).await;
            raw.committed(0).await;
            raw
        });
    }
    coming.join_all().await
}

/// As fast as the server takes them: reports that are all in order.
async fn flood_with_reports(door: SocketAddr, pass: Pass, count: Arc<AtomicU64>) {
    let mut raw = pass.dial(door).await;
    assert!(raw.greet(600, None).await);
    let topic = Up::ReportedConfig.topic(&raw.id);
    let now_ms = Clock::System.now().as_millisecond();
    raw.publish("s", &birth(0, now_ms)).await;
    let mut write = raw.deaf();
    for seq in 1.. {
        let body = Body::ReportedConfig(ReportedConfig { version: seq, ..ReportedConfig::default() });
        let packet = publish(topic.as_bytes(), &envelope(seq, now_ms, body), 1, 9, false);
        if write.write_all(&packet).await.is_err() || write.flush().await.is_err() {
            break;
        }
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Bytes that mean nothing: instead of TLS, after TLS, and as a connected gateway.
async fn send_garbage(door: SocketAddr, pass: Pass, count: Arc<AtomicU64>) {
    let mut random = StdRng::seed_from_u64(11);
    loop {
        let mut bytes = vec![0; random.random_range(1..4000)];
        random.fill_bytes(&mut bytes);
        if let Ok(mut plain) = TcpStream::connect(door).await {
            let _ = plain.write_all(&bytes).await;
        }
        for greeted in [false, true] {
            let Ok(mut raw) = pass.dial_from([127, 0, 0, 1], door).await else { continue };
            if !greeted || raw.greet(60, None).await {
                let _ = raw.try_send(&bytes).await;
            }
            while raw.packet().await.is_some() {}
        }
        count.fetch_add(3, Ordering::Relaxed);
    }
}

/// Connects from an address of its own, waits to be thrown out, and comes again.
async fn say_nothing(door: SocketAddr) {
    loop {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
        if let Ok(mut stream) = socket.connect(door).await {
            let _ = stream.read(&mut [0; 64]).await;
        }
    }
}

/// An honest gateway with one device, whose state changes again and again.
pub struct Honest {
    raw: Raw,
    device: String,
    seq: u64,
}

impl Honest {
    /// Connects and is born.
    pub async fn connect(door: SocketAddr, pass: &Pass, device: &str) -> Self {
        let mut raw = pass.dial(door).await;
        assert!(raw.greet(600, None).await);
        raw.send(&subscribe(&format!("v1/{}/d/+", raw.id), 0)).await;
        raw.publish("s", &birth(0, Clock::System.now().as_millisecond())).await;
        raw.committed(0).await;
        Self { raw, device: device.to_owned(), seq: 0 }
    }

    /// Reports one change and waits until it is committed.
    pub async fn report(&mut self) {
        self.seq += 1;
        let now_ms = Clock::System.now().as_millisecond();
        let transition = if self.seq % 2 == 1 { Transition::Raised } else { Transition::Cleared };
        let event = Event {
            device_id: self.device.clone(),
            fault_code: "http_silent".into(),
            transition: transition.into(),
            at_ms: now_ms,
            check: "http".into(),
            evidence_json: "{}".into(),
            ..Event::default()
        };
        let body = Body::Events(EventBatch { events: vec![event] });
        self.raw.publish("u/e", &envelope(self.seq, now_ms, body)).await;
        self.raw.committed(self.seq).await;
    }
}
