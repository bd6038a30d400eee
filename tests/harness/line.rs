//! A bad line in front of a server: what a lossy network does to TCP, seen from its ends. A lost segment is a
//! pause of a retransmission time-out, which doubles each time it is lost again; now and then the connection
//! is cut.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// RFC 6298 allows less than its second; Linux begins here.
const RETRANSMISSION: Duration = Duration::from_millis(200);
const SEGMENT: usize = 1460;

/// The line. It is down when it is dropped.
#[derive(Debug)]
pub struct Line {
    /// Where its near end is.
    pub address: SocketAddr,
    cuts: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Line {
    /// A line to `server` that loses segments with a chance of `loss`.
    pub async fn to(server: SocketAddr, loss: f64, seed: u64) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let cuts = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&cuts);
        let task = tokio::spawn(async move {
            let mut random = StdRng::seed_from_u64(seed);
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(server).await else { continue };
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                let (up, down) = (StdRng::from_rng(&mut random), StdRng::from_rng(&mut random));
                let cuts = Arc::clone(&counted);
                tokio::spawn(async move {
                    // The first end that ends takes the other with it.
                    let cut = tokio::select! {
                        cut = carry(near_in, far_out, loss, up) => cut,
                        cut = carry(far_in, near_out, loss, down) => cut,
                    };
                    cuts.fetch_add(u64::from(cut), Ordering::SeqCst);
                });
            }
        });
        Self { address, cuts, task }
    }

    /// How often it was cut.
    pub fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// True when the line was cut, false when an end closed.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, loss: f64, mut random: StdRng) -> bool {
    let mut bytes = [0; SEGMENT];
    while let Ok(length @ 1..) = from.read(&mut bytes).await {
        let mut pause = RETRANSMISSION;
        while random.random_bool(loss) && pause < RETRANSMISSION * 16 {
            let _ = tokio::time::timeout(pause, std::future::pending::<()>()).await;
            pause *= 2;
        }
        if random.random_bool(loss / 20.0) {
            return true;
        }
        if to.write_all(&bytes[..length]).await.is_err() {
            return false;
        }
    }
    false
}
