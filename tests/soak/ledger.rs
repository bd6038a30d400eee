//! The record against the truth: both are read here, [`judge`] compares them. What the databases, the queues and
//! the desk hold is copied into plain values, so that a test can doctor them and see that each lie is noticed.

mod judge;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use super::desk::Receipt;
use super::scene::Scene;
use super::target::Change;

pub use judge::Ledger;

/// What really happened.
#[derive(Clone, Debug, Default)]
struct Truth {
    devices: Vec<Watched>,
    receipts: Vec<Receipt>,
    /// Tickets that were taken by their link, and the server said yes.
    acked: Vec<String>,
    queues: Vec<Queue>,
    /// Once everybody has ended in order: the heads when nothing waited. What an agent says last, as it ends, the server
    /// may have without the agent's hearing of that.
    rested: Option<BTreeMap<String, i64>>,
}

/// A device and all that happened to it.
#[derive(Clone, Debug)]
struct Watched {
    id: String,
    name: String,
    changes: Vec<Change>,
}

/// A device that failed too often: its ticket stays open, and whatever troubles it further, of any kind, is told there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Flapping {
    tickets: usize,
    further: usize,
}

/// The disk queue of a gateway at the end.
#[derive(Clone, Debug)]
struct Queue {
    gateway: String,
    waiting: i64,
    head: i64,
}

/// What the server's database says.
#[derive(Clone, Debug, Default)]
struct Record {
    /// Transition and time of each device's events, in order.
    facts: BTreeMap<String, Vec<(String, i64)>>,
    standing_faults: i64,
    /// What flaps on each device.
    flapping: BTreeMap<String, Flapping>,
    tickets: Vec<Ticket>,
    incidents: Vec<Incident>,
    events: Vec<Event>,
    pages: Vec<Page>,
    /// Gateway, epoch, mark.
    marks: Vec<(String, String, i64)>,
    /// Numbers that left a row: gateway, epoch, number.
    numbers: Vec<(String, String, i64)>,
    blocks: usize,
    /// Gateways with gaps.
    gaps: BTreeSet<String>,
}

#[derive(Clone, Debug, sqlx::FromRow)]
struct Ticket {
    id: String,
    device_id: Option<String>,
    state: String,
    acked_at: Option<i64>,
}

#[derive(Clone, Debug, sqlx::FromRow)]
struct Incident {
    device_id: Option<String>,
    closed_at: Option<i64>,
}

#[derive(Clone, Debug, sqlx::FromRow)]
struct Event {
    ticket_id: String,
    kind: String,
    recorded_at: i64,
    body: String,
}

#[derive(Clone, Debug, sqlx::FromRow)]
struct Page {
    idem_key: String,
    ticket_id: String,
    purpose: String,
    state: String,
}

impl Ledger {
    /// Compares anew.
    pub(super) async fn compare(&mut self, scene: &Scene) -> Result<()> {
        let mut truth = truth(scene).await?;
        truth.rested = scene.ended.then(|| std::mem::take(&mut self.heads));
        *self = Self::judge(&truth, &record(scene).await?);
        self.heads = truth.queues.into_iter().map(|queue| (queue.gateway, queue.head)).collect();
        Ok(())
    }
}

async fn truth(scene: &Scene) -> Result<Truth> {
    let devices = scene.watched.iter().map(|watched| Watched {
        id: watched.device.clone(),
        name: watched.target.name.clone(),
        changes: watched.target.changes(),
    });
    let mut truth = Truth {
        devices: devices.collect(),
        receipts: scene.desk.receipts(),
        acked: scene.desk.acked(),
        queues: Vec::new(),
        rested: None,
    };
    for (number, gateway) in scene.gateways.iter().enumerate() {
        let options = SqliteConnectOptions::new().filename(scene.queue(number)).read_only(false);
        let mut queue = SqliteConnection::connect_with(&options).await?;
        let waiting = sqlx::query_scalar("SELECT COUNT(*) FROM record").fetch_one(&mut queue).await?;
        let head: Option<i64> = sqlx::query_scalar("SELECT number FROM kept WHERE name = 'head'")
            .fetch_optional(&mut queue)
            .await?;
        queue.close().await?;
        let gateway = gateway.id.clone();
        truth.queues.push(Queue { gateway, waiting, head: head.unwrap_or_default() });
    }
    Ok(truth)
}

async fn record(scene: &Scene) -> Result<Record> {
    let mut conn = scene.db.read().await?;
    let conn = &mut *conn;
    let told: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT device_id, transition, at FROM device_event WHERE transition IN ('raised', 'cleared', 'flap_began') \
         ORDER BY device_id, seq",
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut facts: BTreeMap<String, Vec<(String, i64)>> = BTreeMap::new();
    let mut flapping: BTreeMap<String, Flapping> = BTreeMap::new();
    for (device, transition, at) in told {
        if transition == "flap_began" {
            // An agent that was killed forgets that a fault flapped, and may say so once more.
            flapping.entry(device).or_default().tickets = 1;
            continue;
        }
        if transition == "raised"
            && let Some(unsteady) = flapping.get_mut(&device)
        {
            unsteady.further += 1;
        }
        facts.entry(device).or_default().push((transition, at));
    }
    let events = "SELECT gateway_id, epoch, seq FROM device_event";
    let mut numbers: Vec<(String, String, i64)> = sqlx::query_as(events).fetch_all(&mut *conn).await?;
    let blocks = "SELECT gateway_id, epoch, seq FROM metric_block";
    let blocks: Vec<(String, String, i64)> = sqlx::query_as(blocks).fetch_all(&mut *conn).await?;
    let block_count = blocks.len();
    numbers.extend(blocks);
    let faults = "SELECT CAST(COUNT(*) AS BIGINT) FROM device_fault";
    let gaps: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT gateway_id FROM record_gap").fetch_all(&mut *conn).await?;
    Ok(Record {
        facts,
        flapping,
        standing_faults: sqlx::query_scalar(faults).fetch_one(&mut *conn).await?,
        tickets: sqlx::query_as("SELECT id, device_id, state, acked_at FROM ticket ORDER BY number")
            .fetch_all(&mut *conn)
            .await?,
        incidents: sqlx::query_as("SELECT device_id, closed_at FROM incident").fetch_all(&mut *conn).await?,
        events: sqlx::query_as(
            "SELECT ticket_id, kind, recorded_at, body FROM ticket_event ORDER BY ticket_id, seq",
        )
        .fetch_all(&mut *conn)
        .await?,
        pages: sqlx::query_as("SELECT idem_key, ticket_id, purpose, state FROM page")
            .fetch_all(&mut *conn)
            .await?,
        marks: sqlx::query_as("SELECT gateway_id, epoch, upto FROM gateway_epoch")
            .fetch_all(&mut *conn)
            .await?,
        numbers,
        blocks: block_count,
        gaps: gaps.into_iter().collect(),
    })
}
