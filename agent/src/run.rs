//! The running agent: one loop that lets the core decide and does what it says. What is waited for, in order
//! of priority: the end, the server, probes that came back, time that ran out, housekeeping.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt;
use jiff::Timestamp;
use sitewarden_proto::id::DeviceId;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::arrival;
use crate::clock::{Boot, Clock, after, shifted};
use crate::config::{Check, Config, Secret};
use crate::core::{Core, Kept, Setup};
use crate::discover::{Found, Wish, order};
use crate::enrol::Enrolment;
use crate::files::{lock_data_dir, make_data_dir, open_files_limit};
use crate::notify::Notify;
use crate::probe::{self, Context, Outcome, OutcomeState};
use crate::pump::{Effect, Pump};
use crate::remedy::{self, Job, Report};
use crate::seal::Seal;
use crate::spool::random_epoch;
use crate::store::Store;
use crate::uplink::{self, Event, Link, Refused};

/// Events of the connection that may wait.
const EVENTS: usize = 64;
/// Watchdog, stored time and renewal are looked after this often, unless systemd wants to hear more.
const HOUSEKEEPING: Duration = Duration::from_secs(10);
const STORE_TIME_S: i64 = 600;
/// A renewal that failed is tried again after a pause that doubles up to this.
const RENEW_PAUSE_MAX: Duration = Duration::from_hours(6);
const RENEW_PAUSE_MIN: Duration = Duration::from_mins(1);
/// How long the last words may take to get out.
const FAREWELL: Duration = Duration::from_secs(2);
/// A connection is never given up sooner for want of an answer.
const SILENCE_MIN: Duration = Duration::from_secs(30);
/// Files that are not probes', and those of a probe.
const FILES_KEPT: usize = 64;
const FILES_OF_A_PROBE: usize = 2;
/// How long a remedy that is under way may take to leave things in order; what it cannot is done after the start.
const LAST_DEED: Duration = Duration::from_secs(8);
const QUEUE: &str = "queue.db";

/// Runs until SIGTERM or SIGINT. Anything else that ends it is an error, and the supervisor starts it anew.
pub async fn run(config: Config) -> anyhow::Result<()> {
    // Whoever is asked to end while it begins ends in order all the same.
    let asked_to_end = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    make_data_dir(&config.data_dir)?;
    let _lock = lock_data_dir(&config.data_dir)?;
    let enrolment = Enrolment::load(&config.data_dir)?;
    let clock = Clock::system();
    let seal = Seal::load_or_create(&config.data_dir)?;
    let mut store = Store::open(&config.data_dir.join(QUEUE), seal, config.queue, clock.steady()).await?;
    let (boot, looked_at) = clock.boot();
    let line = store.begin_line(&boot, looked_at).await?;
    // The line belongs to the moment in which the boot was looked at; storing it took a while.
    let since_ms = clock.steady().as_millisecond() - looked_at.as_millisecond();
    clock.begin(shifted(line.at, since_ms), line.floor);
    if let Some(offset_ms) = line.clocks.offset_ms {
        clock.heard(offset_ms);
    }
    let failed = store.count_trial().await?;
    let kept = Kept { failed, ..store.kept(line.clocks).await? };
    let heartbeat_s = u64::from(enrolment.server.heartbeat_s.max(5));
    let heartbeat = config.heartbeat.unwrap_or(Duration::from_secs(heartbeat_s));
    let gateway = enrolment.server.gateway_id.clone();
    let setup = Setup {
        gateway: enrolment.server.gateway_id.clone(),
        local: config.devices.clone(),
        heartbeat,
        block: config.block,
        command_key: enrolment.command_key()?,
        spare_epoch: random_epoch(),
        remedies_a_day: config.remedies_a_day,
        kept,
    };
    tracing::info!(gateway = %setup.gateway, queued = store.size().records, "the agent begins");
    let core = Core::new(clock.steady(), setup);
    let context = Context::new(clock.clone(), probes_at_once(config.concurrent_probes, open_files_limit()))?;
    let context = Arc::new(
        context.with_pictures(config.data_dir.join("pictures")).with_memory(config.data_dir.join("known")),
    );
    let notify = Notify::from_env();
    let nudge = Arc::new(tokio::sync::Notify::new());
    let (sender, events) = mpsc::channel(EVENTS);
    let mut background = JoinSet::new();
    let settings = uplink::Settings {
        enrolment: enrolment.clone(),
        address: config.server.clone(),
        keep_alive: config.keep_alive,
        silence: (heartbeat * 5 / 2).max(SILENCE_MIN),
        clock: clock.clone(),
        nudge: Arc::clone(&nudge),
    };
    background.spawn(uplink::run(settings, sender).map(|()| Ended::Uplink));
    let shown = watch::Sender::new(None);
    if let Some(address) = config.arrival_page {
        let serving = arrival::serve(address, gateway, clock.clone(), shown.subscribe());
        background.spawn(serving.map(|()| Ended::Arrival));
    }
    notify.ready();
    let mut running = Running {
        pump: Pump { core, store },
        link: None,
        probes: JoinSet::new(),
        telling: JoinSet::new(),
        remedies: JoinSet::new(),
        looking: JoinSet::new(),
        found: Arc::default(),
        hurry: watch::Sender::new(false),
        context,
        clock,
        enrolment,
        background,
        shown,
        stored_at: Timestamp::MIN,
        renewal: Renewal::default(),
        nudge,
    };
    let result = running.turn(events, asked_to_end, &notify).await;
    notify.stopping();
    result?;
    running.farewell().await
}

/// As many probes as the file asks for, as far as there are files for them: the system's limit less what the
/// queue, the uplink and the logs need, two for each probe.
fn probes_at_once(asked: usize, files: Option<usize>) -> usize {
    let Some(files) = files else { return asked };
    let most = (files.saturating_sub(FILES_KEPT) / FILES_OF_A_PROBE).max(1);
    if asked > most {
        tracing::warn!(
            asked,
            most,
            files,
            "fewer probes at once than configured: raise LimitNOFILE of the unit"
        );
    }
    asked.min(most)
}

/// What a background task was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Uplink,
    Arrival,
    Renewed,
    NotRenewed,
}

struct Running {
    pump: Pump,
    link: Option<Link>,
    probes: JoinSet<(DeviceId, String, Outcome)>,
    /// A page over the local channel, one at a time.
    telling: JoinSet<Result<String, String>>,
    /// What acts on devices, by its command; one at a time.
    remedies: JoinSet<(String, Report)>,
    /// A look around, by its command; one at a time.
    looking: JoinSet<(String, Result<serde_json::Value, String>)>,
    /// What it has found so far.
    found: Arc<Found>,
    /// Ends the pauses of remedies.
    hurry: watch::Sender<bool>,
    context: Arc<Context>,
    clock: Clock,
    enrolment: Enrolment,
    /// The uplink, and a renewal now and then.
    background: JoinSet<Ended>,
    /// The key of the codes that are shown.
    shown: watch::Sender<Option<Secret>>,
    stored_at: Timestamp,
    renewal: Renewal,
    /// Has the uplink connect at once.
    nudge: Arc<tokio::sync::Notify>,
}

/// When the certificate is renewed next.
#[derive(Debug, Default)]
struct Renewal {
    is_running: bool,
    failures: u32,
    /// Not before.
    rests_until: Option<Timestamp>,
    /// The server says that the certificate has expired, and it knows the time better than we do.
    is_expired: bool,
}

impl Renewal {
    fn failed(&mut self, now: Timestamp) {
        let pause = (RENEW_PAUSE_MIN * 2_u32.pow(self.failures.min(9))).min(RENEW_PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
        self.is_running = false;
        self.rests_until = Some(after(now, pause.mul_f64(0.5 + rand::random::<f64>() / 2.0)));
    }

    fn may_run(&self, now: Timestamp) -> bool {
        !self.is_running && self.rests_until.is_none_or(|at| at <= now)
    }
}

impl Running {
    async fn turn(
        &mut self,
        mut events: mpsc::Receiver<Event>,
        [mut term, mut interrupt]: [Signal; 2],
        notify: &Notify,
    ) -> anyhow::Result<()> {
        let every = notify.watchdog_every().unwrap_or(HOUSEKEEPING).min(HOUSEKEEPING);
        let mut housekeeping = tokio::time::interval(every.max(Duration::from_millis(100)));
        loop {
            self.settle().await?;
            let now = self.clock.steady();
            let due = self.pump.core.poll_timeout().map_or(HOUSEKEEPING, |due| wait(now, due));
            tokio::select! {
                biased;
                _ = term.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                event = events.recv() => {
                    self.happened(event.context("the uplink ended by itself")?);
                    self.renew_if_due();
                }
                Some(done) = self.probes.join_next() => {
                    let (device, check, outcome) = done.context("a probe was lost")?;
                    self.pump.core.handle_outcome(self.clock.steady(), &device, &check, outcome);
                }
                Some(told) = self.telling.join_next() => {
                    let told = told.context("a local page was lost")?;
                    self.pump.core.handle_told(self.clock.steady(), told);
                }
                Some(done) = self.remedies.join_next() => {
                    let (id, report) = done.context("a remedy was lost")?;
                    self.pump.core.handle_remedy(self.clock.steady(), &id, &report);
                }
                Some(done) = self.looking.join_next() => {
                    let (id, said) = done.context("a look around was lost")?;
                    self.pump.core.handle_discovery(self.clock.steady(), &id, &said);
                }
                Some(ended) = self.background.join_next() => self.ended(ended?)?,
                () = tokio::time::sleep(due) => self.pump.core.handle_timeout(self.clock.steady()),
                _ = housekeeping.tick() => {
                    self.look_at_the_clock();
                    self.pump.core.handle_timeout(self.clock.steady());
                    self.pump.core.handle_discovering(self.clock.steady(), self.found.steps());
                    self.keep_house().await?;
                    // What this should do is on disk before we say that we live.
                    self.settle().await?;
                    notify.alive();
                }
            }
        }
    }

    fn ended(&mut self, ended: Ended) -> anyhow::Result<()> {
        match ended {
            // The renewed certificate proves itself on a connection of its own.
            Ended::Renewed => {
                self.renewal = Renewal::default();
                self.link.iter().for_each(Link::close);
                self.nudge.notify_one();
            }
            Ended::NotRenewed => self.renewal.failed(self.clock.steady()),
            Ended::Uplink => anyhow::bail!("the uplink ended by itself"),
            Ended::Arrival => anyhow::bail!("the arrival page ended by itself"),
        }
        Ok(())
    }

    /// Lets the core's wishes come true.
    async fn settle(&mut self) -> anyhow::Result<()> {
        for effect in self.pump.settle(self.clock.steady()).await? {
            match effect {
                Effect::Remedy { id, job } => self.act(id, job),
                Effect::Discover { id, wish } => self.look_around(id, wish),
                Effect::RunCheck { device, check } => self.probe(device, check),
                Effect::Send { up, bytes } => {
                    // What does not get out is sent again when its ack stays away.
                    if let Some(link) = &self.link
                        && !link.send(up, bytes)
                    {
                        tracing::debug!(?up, "the way out is full");
                    }
                }
                Effect::Tell(tell) => {
                    // A local channel that fails in some unforeseen way must not end the agent.
                    let told = AssertUnwindSafe(crate::local::tell(*tell)).catch_unwind();
                    self.telling.spawn(async move {
                        told.await
                            .unwrap_or_else(|_| Err("the local channel failed; this is our fault".into()))
                    });
                }
                Effect::Heard { offset_ms } => self.clock.heard(offset_ms),
            }
        }
        let key = self.pump.core.arrival_key();
        self.shown.send_if_modified(|shown| {
            let changed = shown.as_ref() != key;
            if changed {
                *shown = key.cloned();
            }
            changed
        });
        Ok(())
    }

    fn look_at_the_clock(&mut self) {
        self.clock.look(probe::host::is_clock_steered(), &Boot::current());
        let (steady, wall) = (self.clock.steady(), self.clock.wall());
        self.pump.core.handle_wall(steady, wall, self.clock.is_guess());
    }

    /// Acts on a device. Without a disk that could remember it only what was begun is brought to an end.
    fn act(&mut self, id: String, job: Job) {
        let refused = self.pump.store.is_failing() && !matches!(job, Job::SwitchOn(_));
        let (context, hurry) = (Arc::clone(&self.context), self.hurry.subscribe());
        self.remedies.spawn(async move {
            if refused {
                return (id, Report::failed("the gateway's disk takes nothing, so nothing is begun"));
            }
            let report = AssertUnwindSafe(remedy::act(job, &context, hurry)).catch_unwind().await;
            (id, report.unwrap_or_else(|_| Report::failed("the remedy broke off; this is our fault")))
        });
    }

    fn look_around(&mut self, id: String, wish: Wish) {
        let found = Arc::<Found>::default();
        self.found = Arc::clone(&found);
        self.looking.spawn(async move {
            let said = AssertUnwindSafe(order::carry_out(&wish, &found)).catch_unwind().await;
            (id, said.unwrap_or_else(|_| Err("the look around broke off; this is our fault".to_owned())))
        });
    }

    fn probe(&mut self, device_id: DeviceId, name: String) {
        let found = self
            .pump
            .core
            .find_device(&device_id)
            .and_then(|d| Some((d.clone(), d.find_check(&name)?.clone())));
        let Some((device, check)) = found else { return };
        let context = Arc::clone(&self.context);
        self.probes.spawn(async move {
            let outcome = AssertUnwindSafe(probe::run(&device, &check, &context)).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|_| {
                tracing::error!(device = %device.id, check = check.name, "a probe failed; this is our fault");
                no_verdict(&check)
            });
            (device_id, name, outcome)
        });
    }

    fn happened(&mut self, event: Event) {
        self.look_at_the_clock();
        let now = self.clock.steady();
        let core = &mut self.pump.core;
        match event {
            Event::Attempt { session_id, will } => {
                let _ = will.send(core.will(now, session_id));
            }
            Event::Connected { session_id, link } => {
                tracing::info!("connected");
                self.link = Some(link);
                core.handle_connected(now, session_id);
            }
            Event::Packet(down, bytes) => core.handle_packet(now, down, &bytes),
            Event::Disconnected { reason, refused } => {
                tracing::warn!(reason, "not connected; records wait on disk");
                self.renewal.is_expired |= refused == Some(Refused::Expired);
                self.link = None;
                core.handle_disconnected(now);
            }
        }
    }

    async fn keep_house(&mut self) -> anyhow::Result<()> {
        self.pump.look_after_disk(self.clock.steady()).await?;
        let now = self.clock.now();
        if (now.as_second() - self.stored_at.as_second()).abs() >= STORE_TIME_S {
            self.stored_at = now;
            self.store_time().await?;
        }
        self.renew_if_due();
        Ok(())
    }

    fn renew_if_due(&mut self) {
        let steady = self.clock.steady();
        let is_due = |now| self.enrolment.is_renewal_due(now).unwrap_or(false);
        // What a guessed time says of a certificate's life is only a guess.
        let wanted = self.renewal.is_expired || (!self.clock.is_guess() && is_due(self.clock.now()));
        if wanted && self.renewal.may_run(steady) {
            self.renewal.is_running = true;
            let enrolment = self.enrolment.clone();
            self.background.spawn(async move {
                match enrolment.renew().await {
                    Ok(()) => {
                        tracing::info!("the certificate was renewed, connecting with it");
                        Ended::Renewed
                    }
                    Err(error) => {
                        tracing::warn!(error = format!("{error:#}"), "the certificate was not renewed");
                        Ended::NotRenewed
                    }
                }
            });
        }
    }

    /// For a boot that comes up in 1970, and to know later how right this boot's time line was.
    async fn store_time(&mut self) -> anyhow::Result<()> {
        let (steady, wall) = (self.clock.steady(), self.clock.wall());
        let shift_ms = wall.as_millisecond() - steady.as_millisecond();
        let plausible = (!self.clock.is_guess()).then_some(shift_ms);
        self.pump.store.put_line(steady, None, plausible).await?;
        self.pump.store.put_time(self.clock.now()).await
    }

    /// Leaves in order: what is open goes to disk, the server hears that we go.
    async fn farewell(mut self) -> anyhow::Result<()> {
        self.hurry.send_replace(true);
        let ending = tokio::time::timeout(LAST_DEED, self.remedies.join_next()).await;
        if let Ok(Some(Ok((id, report)))) = ending {
            self.pump.core.handle_remedy(self.clock.steady(), &id, &report);
        }
        self.pump.core.handle_shutdown(self.clock.steady());
        self.settle().await?;
        self.store_time().await?;
        if let Some(link) = self.link.take() {
            link.close();
            // The uplink ends when the connection is closed and nobody listens.
            let _ = tokio::time::timeout(FAREWELL, self.background.join_next()).await;
        }
        tracing::info!("the agent ends");
        self.pump.store.close().await
    }
}

fn no_verdict(check: &Check) -> Outcome {
    Outcome {
        check: check.name.clone(),
        state: OutcomeState::NotPermitted,
        faults: Vec::new(),
        values: Vec::new(),
        facts: std::collections::BTreeMap::new(),
        elapsed_ms: 0,
        view: None,
        blind: Vec::new(),
    }
}

fn wait(now: Timestamp, due: Timestamp) -> Duration {
    let ms = due.as_millisecond().saturating_sub(now.as_millisecond());
    Duration::from_millis(ms.max(0).unsigned_abs()).min(HOUSEKEEPING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_at_once_are_bounded_by_the_files_of_the_system() {
        assert_eq!(probes_at_once(64, None), 64);
        assert_eq!(probes_at_once(64, Some(1024)), 64);
        assert_eq!(probes_at_once(1024, Some(1024)), 480);
        assert_eq!(probes_at_once(64, Some(10)), 1, "it goes on in any case");
        assert!(open_files_limit().is_some_and(|files| files > 16));
    }
}
