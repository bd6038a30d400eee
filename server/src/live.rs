//! The live page: one snapshot, then deltas.
//!
//! Whoever commits a change says which rows it touched. Four times a second one task gathers what
//! was touched, reads those rows once, numbers the result and hands it to every open page, which
//! passes on what its viewer may see. For a viewer who sees everything the numbers have no gaps; a
//! customer is sent only the deltas that concern it. A page that falls behind, and every page when the
//! set of sites or devices itself changes, gets a new snapshot. A beat every five seconds
//! tells a page that silence means calm.
//!
//! Reading what a storm touched takes processor time that the storm's incidents need more, so after a long reading
//! the next one waits three times as long, but no longer than [`REST_MAX`].
//!
//! Overflow rules: touched rows are a set, so a flood folds; more than [`TOUCHED_MAX`] of them become
//! one order to fetch everything again; a page may lag [`FRAMES`] deltas before it is given a snapshot.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Touched};
use crate::db::Conn;
use crate::user::Scope;

pub mod api;
pub mod board;
pub mod store;

use board::Delta;

/// How often deltas leave at most.
const TICK: Duration = Duration::from_millis(250);
/// How many times as long as a delta took to read the next one waits.
const REST: u32 = 3;
/// How long it waits at most.
const REST_MAX: Duration = Duration::from_secs(2);
/// Deltas a slow page may lag behind.
const FRAMES: usize = 64;
/// Touched rows beyond which everything is fetched again. A storm of ten thousand devices is told as it is: the whole
/// board of a large installation, once for each open page, would cost far more.
const TOUCHED_MAX: usize = 30_000;
/// Open streams of one server process.
const STREAMS_MAX: usize = 1000;
/// Events remembered so that none is sent twice.
const EVENTS_REMEMBERED: usize = 200;

/// The stream to open pages. Shared by everybody who commits.
#[derive(Debug)]
pub struct Live {
    pending: Mutex<Pending>,
    rung: Notify,
    seq: AtomicU64,
    frames: broadcast::Sender<Frame>,
    streams: Arc<Semaphore>,
    /// What open pages know about each device and gateway beside its state, as a fingerprint; read
    /// before the first page's snapshot. A change in it means that pages must be built anew.
    shapes: tokio::sync::Mutex<Option<HashMap<String, u64>>>,
}

#[derive(Debug, Default)]
struct Pending {
    touched: Touched,
    refetch: bool,
}

/// What is handed to open pages.
#[derive(Clone, Debug)]
pub enum Frame {
    /// Some rows changed.
    Delta(Arc<Numbered>),
    /// Too much or something else changed: fetch everything.
    Refetch,
    /// The server stops.
    End,
}

/// A delta with its number; the event for those who see everything is written once.
#[derive(Debug)]
pub struct Numbered {
    /// Its number.
    pub seq: u64,
    delta: Delta,
    whole: OnceLock<Bytes>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            pending: Mutex::default(),
            rung: Notify::new(),
            seq: AtomicU64::new(0),
            frames: broadcast::Sender::new(FRAMES),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            shapes: tokio::sync::Mutex::new(None),
        }
    }
}

impl Live {
    /// A stream that nobody listens to yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that a commit touched these rows. Never waits.
    pub fn publish(&self, touched: &Touched) {
        {
            let mut pending = self.lock();
            pending.touched.add(touched.clone());
            if count(&pending.touched) > TOUCHED_MAX {
                *pending = Pending { touched: Touched::default(), refetch: true };
            }
        }
        self.rung.notify_one();
    }

    /// Says that a commit changed what every page is built from: sites, names, who is on duty.
    pub fn refetch(&self) {
        self.lock().refetch = true;
        self.rung.notify_one();
    }

    /// The number of the last delta.
    pub fn seq(&self) -> u64 {
        self.seq.load(Ordering::SeqCst)
    }

    /// How many pages are open.
    pub fn streams(&self) -> usize {
        STREAMS_MAX - self.streams.available_permits()
    }

    /// Everything handed out from now on, for a page that reads its snapshot next.
    pub async fn open(&self, conn: &mut Conn) -> anyhow::Result<broadcast::Receiver<Frame>> {
        // In this order: once there is a receiver, nobody forgets the shapes again.
        let frames = self.frames.subscribe();
        let mut shapes = self.shapes.lock().await;
        if shapes.is_none() {
            *shapes = Some(store::list_shapes(conn).await?);
        }
        Ok(frames)
    }

    /// A seat for one more page; `None` when all are taken.
    pub fn take_seat(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.streams).try_acquire_owned().ok()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pending> {
        // A set that a panic left behind is still a set.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Numbered {
    /// What a viewer may see of it, as an event of the stream; `None` when that is nothing.
    pub fn event(&self, scope: &Scope) -> Option<Bytes> {
        let event = || api::event("delta", &self.delta.json(scope, self.seq));
        match scope {
            Scope::All => Some(self.whole.get_or_init(event).clone()),
            Scope::Customer(id) => self.delta.concerns(id.as_str()).then(event),
        }
    }
}

fn count(touched: &Touched) -> usize {
    touched.devices.len() + touched.gateways.len() + touched.incidents.len() + touched.tickets.len()
}

/// Hands out deltas until `shutdown`.
pub async fn run(app: App, shutdown: CancellationToken) {
    let mut pump = Pump::default();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = app.live.rung.notified() => {}
        }
        let began = Instant::now();
        if let Err(error) = pump.step(&app).await {
            tracing::error!(%error, "the live stream could not read what changed; open pages fetch everything");
            let _ = app.live.frames.send(Frame::Refetch);
        }
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = tokio::time::sleep((began.elapsed() * REST).clamp(TICK, REST_MAX)) => {}
        }
    }
    let _ = app.live.frames.send(Frame::End);
}

/// The one that gathers and numbers deltas.
#[derive(Debug, Default)]
pub struct Pump {
    events: VecDeque<String>,
}

impl Pump {
    /// Hands out one delta of everything touched since the last, if anything was.
    pub async fn step(&mut self, app: &App) -> anyhow::Result<()> {
        let Pending { touched, refetch } = std::mem::take(&mut *app.live.lock());
        // Connection first, as in `open`: in the other order a rush of new pages, each with a connection and
        // waiting for the shapes, and this one with the shapes and waiting for a connection would all stand.
        let mut conn = app.db.read().await?;
        let mut shapes = app.live.shapes.lock().await;
        if app.live.frames.receiver_count() == 0 {
            // Nobody looks; the next page begins with a snapshot.
            *shapes = None;
            return Ok(());
        }
        if touched.is_empty() && !refetch {
            return Ok(());
        }
        let mut delta = store::read_delta(&mut conn, &touched, app.clock.now()).await?;
        let found: HashSet<&String> = delta.shapes.iter().map(|(id, _)| id).collect();
        let gone = touched.devices.iter().chain(&touched.gateways).any(|id| !found.contains(id));
        let known = |id: &String| shapes.as_ref().and_then(|shapes| shapes.get(id));
        let changed = delta.shapes.iter().any(|(id, shape)| known(id) != Some(shape));
        if refetch || gone || changed {
            // Read before pages are told, so that what changes from here on is noticed again.
            *shapes = Some(store::list_shapes(&mut conn).await?);
            let _ = app.live.frames.send(Frame::Refetch);
            return Ok(());
        }
        delta.latest.retain(|(_, event)| !self.events.contains(&event.id));
        self.events.extend(delta.latest.iter().map(|(_, event)| event.id.clone()));
        let surplus = self.events.len().saturating_sub(EVENTS_REMEMBERED);
        self.events.drain(..surplus);
        let seq = app.live.seq.fetch_add(1, Ordering::SeqCst) + 1;
        let _ = app.live.frames.send(Frame::Delta(Arc::new(Numbered { seq, delta, whole: OnceLock::new() })));
        Ok(())
    }
}
