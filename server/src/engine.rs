//! Where time acts: a short list of steps, each with a deadline and a guard, run on every tick and
//! whenever something happened. A step that fails is logged and tried again on the next tick; it never
//! takes the others down.
//!
//! On a stop, pages that are on their way are waited for and recorded; what was not begun stays queued.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use sitewarden_proto::id::GatewayId;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::app::{App, Touched};
use crate::contract::store::Shelf;
use crate::escalation::step::beat;
use crate::escalation::step::watch::Watch;
use crate::ingest::effect;
use crate::notify::Pulse;
use crate::page::channel::Senders;
use crate::page::channel::heartbeat::Beats;
use crate::page::store::OnDuty;
use crate::sla::store::Library;
use crate::{
    complaint, contract, escalation, gateway, history, incident, inspection, maintenance, page, part, remedy,
    retention, sla,
};

/// How often the engine looks when nothing happens.
const TICK: Duration = Duration::from_secs(1);
/// How long one step may take.
const STEP_LIMIT: Duration = Duration::from_secs(60);
/// How long a decision that was begun may take after a stop; undone, it is made again after the start.
const LAST_DECISION: Duration = Duration::from_secs(5);
/// How often old rows are looked for.
const RETENTION_EVERY: SignedDuration = SignedDuration::from_secs(600);

/// How often rotas are looked at for somebody who has come on duty.
const SHIFT_LOOK_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// How often it is looked whether inspections are to be planned anew.
const INSPECTIONS_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// What the engine remembers between two ticks. Everything else is in the database.
pub struct Engine {
    senders: Arc<Senders>,
    /// While the server was not running nobody could be heard, so nobody is silent before this.
    listening_since: Timestamp,
    keeping: Keeping,
    /// Who was on duty at the last look; `None` before the first.
    on_duty: Option<Vec<OnDuty>>,
    /// When rotas are looked at for somebody new.
    shift_look: Option<Timestamp>,
    /// When the pager is audited next.
    watch: Watch,
    /// Contracts that were read.
    library: Library,
    /// The same for inspections.
    shelf: Shelf,
    /// When inspections are looked at next.
    inspections_due: Option<Timestamp>,
    beats: Beats,
    /// Since when no decision has reached the database.
    pulse: Arc<Pulse>,
}

/// What is done for the record, for which nobody waits: rolling hours up, forgetting by rule.
#[derive(Default)]
struct Keeping {
    retention_due: Option<Timestamp>,
}

impl Engine {
    /// An engine that has listened since `now`.
    pub fn new(app: &App, now: Timestamp) -> Result<Self> {
        let senders = Arc::new(Senders::new(&app.config)?);
        let pulse = Arc::new(Pulse::default());
        pulse.begin(now);
        Ok(Self {
            senders,
            listening_since: now,
            keeping: Keeping::default(),
            on_duty: None,
            shift_look: None,
            watch: Watch::default(),
            library: Library::default(),
            shelf: Shelf::default(),
            inspections_due: None,
            beats: Beats::new()?,
            pulse,
        })
    }

    /// Whether decisions reach the database.
    pub fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }

    /// Decides what is due, then sends what is due.
    pub async fn cycle(&mut self, app: &App, now: Timestamp) {
        self.decide(app, now).await;
        guarded("send pages", send(app, &self.senders, now, &CancellationToken::new())).await;
        guarded("heartbeat", beat::send(app, &self.beats, now)).await;
        guarded(
            "tell receivers",
            page::step::outlet::send_due(app, &self.senders, now, &CancellationToken::new()),
        )
        .await;
        self.keeping.step(app, now).await;
    }

    async fn decide(&mut self, app: &App, now: Timestamp) {
        // Who waits in ingest's queue has spoken; nobody is silent while nobody can be heard.
        if app.ingest.is_behind(now) {
            self.listening_since = now;
        }
        guarded("silence", silence(app, self.listening_since, now)).await;
        guarded("replay", replay(app, now)).await;
        guarded("clocks", gateway::step::clocks(app, now)).await;
        guarded("disks", gateway::step::disks(app, now)).await;
        guarded("renewals", contract::step::remind(app, now)).await;
        guarded("parts", part::step::remind(app, now)).await;
        guarded("complaints", complaint::step::remind(app, now)).await;
        guarded("count clocks", count(app, &mut self.library, now)).await;
        if self.inspections_due.is_none_or(|due| now >= due) {
            self.inspections_due = now.checked_add(INSPECTIONS_EVERY).ok();
            guarded("inspections", inspection::step::look(app, &mut self.shelf, now)).await;
        }
        guarded("watch remedies", remedy::step::watch(app, now)).await;
        if guarded("plan pages", Box::pin(plan(app, now))).await {
            self.pulse.begin(now);
        }
        guarded("begin remedies", remedy::step::begin_due(app, now)).await;
        guarded("late duty", late_duty(app, &mut self.on_duty, now)).await;
        if self.shift_look.is_none_or(|due| now >= due) {
            self.shift_look = now.checked_add(SHIFT_LOOK_EVERY).ok();
            guarded("new shift", new_shift(app, now)).await;
        }
        guarded("listen to peers", beat::listen(app, self.listening_since, now)).await;
        if self.watch.is_due(now) {
            guarded("audit the pager", audit(app, &mut self.watch, now)).await;
        }
        guarded("ends", untold_ends(app, now)).await;
        guarded("receivers", page::step::outlet::plan(app, now)).await;
        guarded("downlink", downlink(app, now)).await;
    }
}

impl Keeping {
    async fn step(&mut self, app: &App, now: Timestamp) {
        guarded("rollups", roll_up(app, now)).await;
        if self.retention_due.is_none_or(|due| now >= due) {
            self.retention_due = now.checked_add(RETENTION_EVERY).ok();
            guarded("retention", sweep(app, now)).await;
        }
    }
}

/// Runs until told to stop. Sending has a loop of its own, so that a mail relay that does not answer
/// keeps no decision waiting; so has what is done for the record, which is broken off by a stop.
pub async fn run(app: App, mut engine: Engine, stop: CancellationToken) {
    let decided = Notify::new();
    let senders = Arc::clone(&engine.senders);
    let beats = engine.beats.clone();
    let mut keeping = std::mem::take(&mut engine.keeping);
    let deciding = async {
        while next(&app.wake, &stop).await {
            engine.decide(&app, app.clock.now()).await;
            decided.notify_one();
        }
    };
    // A decision is a transaction: one that the database does not take in time is as if never begun.
    let deciding = async {
        tokio::select! {
            () = deciding => {}
            () = after(&stop, LAST_DECISION) => {}
        }
    };
    let sending = async {
        while next(&decided, &stop).await {
            guarded("send pages", send(&app, &senders, app.clock.now(), &stop)).await;
        }
    };
    let unbeaten = Notify::new();
    let beating = async {
        while next(&unbeaten, &stop).await {
            guarded("heartbeat", beat::send(&app, &beats, app.clock.now())).await;
        }
    };
    let for_telling = Notify::new();
    let telling = async {
        while next(&for_telling, &stop).await {
            let told = page::step::outlet::send_due(&app, &senders, app.clock.now(), &stop);
            guarded("tell receivers", told).await;
        }
    };
    let unrung = Notify::new();
    let keeping = async {
        while next(&unrung, &stop).await {
            tokio::select! {
                () = stop.cancelled() => {}
                () = keeping.step(&app, app.clock.now()) => {}
            }
        }
    };
    tokio::join!(deciding, sending, telling, beating, keeping);
}

/// Some time after a stop.
async fn after(stop: &CancellationToken, time: Duration) {
    stop.cancelled().await;
    tokio::time::sleep(time).await;
}

/// Waits for the next tick or a ring; false when it is time to stop.
async fn next(ring: &Notify, stop: &CancellationToken) -> bool {
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        () = ring.notified() => true,
        () = tokio::time::sleep(TICK) => true,
    }
}

/// Runs a step; whether it was done.
async fn guarded(name: &'static str, step: impl Future<Output = Result<()>>) -> bool {
    match tokio::time::timeout(STEP_LIMIT, AssertUnwindSafe(step).catch_unwind()).await {
        Ok(Ok(Ok(()))) => return true,
        Ok(Ok(Err(error))) => {
            let remedy = error.downcast_ref().map(crate::db::remedy).unwrap_or_default();
            tracing::error!(step = name, error = format!("{error:#}"), remedy, "a step failed");
        }
        Ok(Err(_panic)) => tracing::error!(step = name, "a step panicked"),
        Err(_) => tracing::error!(step = name, limit_s = STEP_LIMIT.as_secs(), "a step took too long"),
    }
    false
}

async fn silence(app: &App, listening_since: Timestamp, now: Timestamp) -> Result<()> {
    let mut conn = app.db.read().await?;
    let overdue = gateway::store::list_overdue(&mut conn, now).await?;
    drop(conn);
    for record in overdue {
        let limit = SignedDuration::from_millis(record.heartbeat_s * 3_000);
        if now.duration_since(listening_since) < limit {
            continue;
        }
        let Ok(id) = GatewayId::try_from(record.id.clone()) else { continue };
        let mut tx = app.db.write().await?;
        // It may have spoken between the look and the lock.
        let still = gateway::store::list_overdue(&mut tx, now).await?.iter().any(|late| late.id == record.id);
        let touched = if still {
            let heard = record.last_heard_at.map(crate::clock::from_ms);
            effect::gateway_silent(&mut tx, &id, heard, now).await?
        } else {
            Touched::default()
        };
        tx.commit().await?;
        app.touched(&touched);
    }
    Ok(())
}

async fn replay(app: &App, now: Timestamp) -> Result<()> {
    let mut conn = app.db.read().await?;
    let stuck = gateway::store::replay::list_stuck(&mut conn, now).await?;
    drop(conn);
    for id in stuck {
        let Ok(id) = GatewayId::try_from(id) else { continue };
        let mut tx = app.db.write().await?;
        let touched = effect::caught_up(&mut tx, &id, now).await?;
        tx.commit().await?;
        app.touched(&touched);
    }
    Ok(())
}

/// Clocks follow what happened to their tickets; what is left over is looked at again at once.
async fn count(app: &App, library: &mut Library, now: Timestamp) -> Result<()> {
    if sla::step::step(app, library, now).await? {
        app.wake.notify_one();
    }
    Ok(())
}

/// Finds causes, then plans pages. Causes that were found are committed by themselves, so that in a storm everybody sees
/// them before the pages are planned.
async fn plan(app: &App, now: Timestamp) -> Result<()> {
    let mut tx = app.db.write_in_turn().await?;
    let settled = incident::step::settle(&mut tx, now).await?;
    if !settled.is_empty() {
        tx.commit().await?;
        app.touched(&settled);
        tx = app.db.write_in_turn().await?;
    }
    let mut touched = maintenance::step::step(&mut tx, now).await?;
    touched.add(Touched::tickets(escalation::step::step(&mut tx, now).await?));
    tx.commit().await?;
    app.touched(&touched);
    Ok(())
}

/// People whom a gateway has told of trouble that is over hear so.
async fn untold_ends(app: &App, now: Timestamp) -> Result<()> {
    if page::store::told::list_untold_ends(&mut *app.db.read().await?).await?.is_empty() {
        return Ok(());
    }
    let mut tx = app.db.write_in_turn().await?;
    let touched = page::step::plan_untold_ends(&mut tx, now).await?;
    tx.commit().await?;
    app.touched(&Touched::tickets(touched));
    Ok(())
}

/// Who came on duty, or got another address, is told of what stands.
async fn late_duty(app: &App, known: &mut Option<Vec<OnDuty>>, now: Timestamp) -> Result<()> {
    let mut conn = app.db.read().await?;
    let on_duty = page::store::list_on_duty(&mut conn).await?;
    drop(conn);
    if known.as_ref() == Some(&on_duty) {
        return Ok(());
    }
    let mut tx = app.db.write_in_turn().await?;
    let touched = escalation::step::latecomers(&mut tx, false, now).await?;
    tx.commit().await?;
    *known = Some(on_duty);
    app.touched(&Touched::tickets(touched));
    Ok(())
}

/// Whoever a rota has brought on duty is told of what nobody has taken and no further step is planned for.
async fn new_shift(app: &App, now: Timestamp) -> Result<()> {
    let mut tx = app.db.write_in_turn().await?;
    let touched = escalation::step::latecomers(&mut tx, true, now).await?;
    tx.commit().await?;
    app.touched(&Touched::tickets(touched));
    Ok(())
}

/// Looks whether the pager can do its work.
async fn audit(app: &App, watch: &mut Watch, now: Timestamp) -> Result<()> {
    let looked = watch.look(&mut *app.db.read().await?, now).await?;
    let mut tx = app.db.write_in_turn().await?;
    watch.record(&mut tx, &looked, now).await?;
    tx.commit().await?;
    Ok(())
}

async fn send(app: &App, senders: &Senders, now: Timestamp, stop: &CancellationToken) -> Result<()> {
    let touched = page::step::send::send_due(app, senders, now, stop).await?;
    app.touched(&Touched::tickets(touched));
    Ok(())
}

async fn downlink(app: &App, now: Timestamp) -> Result<()> {
    gateway::step::publish(app, now).await
}

async fn roll_up(app: &App, now: Timestamp) -> Result<()> {
    while history::step::step(app, now).await? {
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn sweep(app: &App, now: Timestamp) -> Result<()> {
    while retention::step::step(app, now).await? {
        tokio::task::yield_now().await;
    }
    Ok(())
}
