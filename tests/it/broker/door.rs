//! A front end on a free port, and gateways with certificates.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rcgen::{CertificateParams, KeyPair};
use sitewarden_proto::id::GatewayId;
use sitewarden_server::broker::{self, Door, Refusal, Registry, Standing, Upstream};
use sitewarden_server::clock::Clock;
use sitewarden_server::config::Limits;
use sitewarden_server::tls::Ca;
use sitewarden_tests::raw::{Pass, Raw, SOON};
use sitewarden_tests::until;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

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
        self.issued(ca, id, now())
    }

    /// A certificate whose life begins then.
    pub fn issued(&self, ca: &Ca, id: &str, at: Timestamp) -> Badge {
        let id: GatewayId = id.parse().unwrap();
        let key = KeyPair::generate().unwrap();
        let csr = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
        let issued = ca.sign_gateway(&csr, &id, at).unwrap();
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
        badge.pass().dial(self.address()).await
    }

    /// A raw client whose CONNECT was accepted.
    pub async fn connected(&self, badge: &Badge, will: Option<&[u8]>) -> Raw {
        let mut raw = self.raw(badge).await;
        assert!(raw.greet(60, will).await, "CONNACK, success");
        raw
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }
}

impl Badge {
    pub fn pass(&self) -> Pass {
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        Pass::new(self.id.clone(), &read(&self.cert), &read(&self.key), &read(&self.ca))
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Peer tests live in real time: certificates are judged by the machine's clock.
pub fn now() -> Timestamp {
    sitewarden_server::clock::Clock::System.now()
}
