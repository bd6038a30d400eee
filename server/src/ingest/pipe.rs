//! The way of packets from the door's channel to the acks, as fast as the database takes them.
//!
//! Everything on the way is bounded, and full means that it waits: at the end of the row stands the door, which
//! stops reading, and TCP slows the gateways down. A database that is away is waited for; only work that it
//! can never do is given up, and then alone, so that one packet cannot hold the others.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Error;
use super::batch::{self, Done};
use super::read::{Content, Packet, read};
use crate::app::App;
use crate::broker::{UPSTREAM_LENGTH, Upstream};
use crate::db::{Failure, failure, remedy};

/// Packets that are taken apart at once.
const READING: usize = 32;
/// Packets that wait for the next batch, taken apart.
const READ: usize = 128;
/// Packets of one transaction.
const BATCH: usize = 128;
/// Bytes after which a batch is full, so that packets of the largest size are not gathered without need.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
/// Most packets that the server holds before they are committed.
pub const WAITING_MAX: usize = UPSTREAM_LENGTH + READING + READ + BATCH;
/// How often a batch is tried before its packets are tried one by one, and one packet before it is given up.
const TRIES: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How often a database that is away is asked again after the server was told to stop.
const TRIES_AT_END: u32 = 5;

/// Applies packets as they come, until told to stop; then what has been accepted is finished.
pub async fn run(app: App, queue: mpsc::Receiver<Upstream>, stop: CancellationToken) {
    let (sender, receiver) = mpsc::channel(READ);
    tokio::join!(take_apart(queue, sender, stop.clone()), commit_all(&app, receiver, &stop));
}

/// Takes packets apart beside each other and hands them on in their order.
async fn take_apart(
    mut queue: mpsc::Receiver<Upstream>,
    next: mpsc::Sender<Packet>,
    stop: CancellationToken,
) {
    let mut reading = FuturesOrdered::new();
    let mut open = true;
    loop {
        tokio::select! {
            biased;
            Some(packet) = reading.next(), if !reading.is_empty() => match packet {
                Ok(packet) => if next.send(packet).await.is_err() { return },
                Err(error) => tracing::error!(%error, "a packet could not be taken apart"),
            },
            packet = queue.recv(), if open && reading.len() < READING => match packet {
                Some(packet) => reading.push_back(tokio::spawn(async move { read(packet) })),
                None => open = false,
            },
            () = stop.cancelled(), if !queue.is_closed() => queue.close(),
            else => return,
        }
    }
}

async fn commit_all(app: &App, mut packets: mpsc::Receiver<Packet>, stop: &CancellationToken) {
    while let Some(first) = packets.recv().await {
        let mut bytes = first.bytes.len();
        let mut batch = vec![first];
        while batch.len() < BATCH && bytes < BATCH_BYTES {
            let Ok(packet) = packets.try_recv() else { break };
            bytes += packet.bytes.len();
            batch.push(packet);
        }
        let oldest = batch.iter().map(|packet| packet.received_at).min().unwrap_or_default();
        app.ingest.oldest.store(oldest.as_millisecond(), Ordering::Relaxed);
        app.ingest.pulse.begin(app.clock.now());
        if !commit(app, &batch, stop).await {
            for packet in batch {
                commit(app, &[packet], stop).await;
            }
        }
        app.ingest.oldest.store(0, Ordering::Relaxed);
        app.ingest.pulse.rest();
    }
}

/// Commits a batch and answers it; false when it has to be tried one by one.
async fn commit(app: &App, batch: &[Packet], stop: &CancellationToken) -> bool {
    let mut wait = FIRST_WAIT;
    let (mut tries, mut outages) = (0, 0);
    loop {
        let error = match batch::apply(app, batch, app.clock.now()).await {
            Ok(done) => {
                let now = app.clock.now();
                for packet in batch {
                    app.metrics.committed(packet.received_at, now);
                }
                answer(app, batch, done).await;
                return true;
            }
            Err(error) => error,
        };
        let failure = failure(&error);
        if failure == Failure::Outage {
            outages += 1;
            if stop.is_cancelled() && outages >= TRIES_AT_END {
                tracing::error!(%error, packets = batch.len(), "the database is away; the gateways keep what was not committed");
                return true;
            }
            let remedy = remedy(&error);
            tracing::warn!(%error, remedy, packets = batch.len(), "reports wait for the database");
        } else {
            tries += 1;
            if tries >= TRIES {
                let [packet] = batch else { return false };
                give_up(app, packet, failure, error).await;
                return true;
            }
            tracing::warn!(%error, packets = batch.len(), "reports are tried again");
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Says where each packet stands. After the commit.
async fn answer(app: &App, batch: &[Packet], done: Done) {
    app.touched(&done.touched);
    for (gateway, down, bytes) in done.replies {
        app.gateways.send(&gateway, down, bytes).await;
    }
    for (place, error) in done.refused {
        let reason = match &error {
            Error::Unreadable(_) | Error::WrongTopic { .. } => "unreadable",
            Error::Unknown(_) => "unknown_gateway",
            Error::Database(_) => "ingest",
        };
        app.metrics.refused(reason);
        let Some(packet) = batch.get(place) else { continue };
        tracing::warn!(gateway = %packet.gateway, up = ?packet.up, %error, "a report was not applied");
    }
}

/// One packet that the database does not take. If no database ever would, its gateway is told so.
async fn give_up(app: &App, packet: &Packet, failure: Failure, error: sqlx::Error) {
    app.metrics.refused("ingest");
    tracing::error!(gateway = %packet.gateway, up = ?packet.up, %error, "a report was given up");
    if failure != Failure::Unfit || matches!(packet.content, Content::Session(_)) {
        return;
    }
    match batch::refuse(app, packet, app.clock.now()).await {
        Ok(done) => answer(app, &[], done).await,
        Err(error) => tracing::warn!(gateway = %packet.gateway, %error, "nor could it be refused"),
    }
}
