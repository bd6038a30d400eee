//! The running agent: one loop that lets the core decide and does what it says. What is waited for, in order
//! of priority: the end, the server, probes that came back, time that ran out, housekeeping.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::FutureExt;
use jiff::Timestamp;
use sitewarden_proto::id::DeviceId;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clock::{Boot, Clock};
use crate::config::{Check, Config};
use crate::core::{Core, Setup};
use crate::enrol::Enrolment;
use crate::files::{lock_data_dir, make_data_dir};
use crate::notify::Notify;
use crate::probe::{self, Context, Outcome, OutcomeState};
use crate::pump::{Effect, Pump};
use crate::seal::Seal;
use crate::spool::{Spool, random_epoch};
use crate::uplink::{self, Event, Link};

/// Events of the connection that may wait.
const EVENTS: usize = 64;
/// Watchdog, stored time and renewal are looked after this often, unless systemd wants to hear more.
const HOUSEKEEPING: Duration = Duration::from_secs(10);
const STORE_TIME_S: i64 = 600;
const RENEW_EVERY_S: i64 = 6 * 3600;
/// How long the last words may take to get out.
const FAREWELL: Duration = Duration::from_secs(2);
const QUEUE: &str = "queue.db";

/// Runs until SIGTERM or SIGINT. Anything else that ends it is an error, and the supervisor starts it anew.
pub async fn run(config: Config) -> anyhow::Result<()> {
    make_data_dir(&config.data_dir)?;
    let _lock = lock_data_dir(&config.data_dir)?;
    let enrolment = Enrolment::load(&config.data_dir)?;
    let clock = Clock::system();
    let seal = Seal::load_or_create(&config.data_dir)?;
    let mut spool = Spool::open(&config.data_dir.join(QUEUE), seal, config.queue, clock.steady()).await?;
    let line = spool.begin_line(&Boot::current(), clock.steady()).await?;
    clock.begin(line.at, line.floor);
    if let Some(offset_ms) = line.clocks.offset_ms {
        clock.heard(offset_ms);
    }
    let kept = spool.kept(line.clocks).await?;
    let heartbeat_s = u64::from(enrolment.server.heartbeat_s.max(5));
    let setup = Setup {
        gateway: enrolment.server.gateway_id.clone(),
        local: config.devices.clone(),
        heartbeat: config.heartbeat.unwrap_or(Duration::from_secs(heartbeat_s)),
        block: config.block,
        command_key: enrolment.command_key()?,
        spare_epoch: random_epoch(),
        kept,
    };
    tracing::info!(gateway = %setup.gateway, queued = spool.size().records, "the agent begins");
    let core = Core::new(clock.steady(), setup);
    let context = Arc::new(Context::new(clock.clone(), config.concurrent_probes)?);
    let notify = Notify::from_env();
    let (sender, events) = mpsc::channel(EVENTS);
    let mut background = JoinSet::new();
    let settings = uplink::Settings {
        enrolment: enrolment.clone(),
        address: config.server.clone(),
        keep_alive: config.keep_alive,
        clock: clock.clone(),
    };
    background.spawn(uplink::run(settings, sender).map(|()| Ended::Uplink));
    notify.ready();
    let mut running = Running {
        pump: Pump { core, spool },
        link: None,
        probes: JoinSet::new(),
        context,
        clock,
        enrolment,
        background,
        stored_at: Timestamp::MIN,
        renewed_at: Timestamp::MIN,
    };
    let result = running.turn(events, &notify).await;
    notify.stopping();
    result?;
    running.farewell().await
}

/// What a background task was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Uplink,
    Renewed,
    NotRenewed,
}

struct Running {
    pump: Pump,
    link: Option<Link>,
    probes: JoinSet<(DeviceId, String, Outcome)>,
    context: Arc<Context>,
    clock: Clock,
    enrolment: Enrolment,
    /// The uplink, and a renewal now and then.
    background: JoinSet<Ended>,
    stored_at: Timestamp,
    renewed_at: Timestamp,
}

impl Running {
    async fn turn(&mut self, mut events: mpsc::Receiver<Event>, notify: &Notify) -> anyhow::Result<()> {
        let mut term = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
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
                }
                Some(done) = self.probes.join_next() => {
                    let (device, check, outcome) = done.context("a probe was lost")?;
                    self.pump.core.handle_outcome(self.clock.steady(), &device, &check, outcome);
                }
                () = tokio::time::sleep(due) => self.pump.core.handle_timeout(self.clock.steady()),
                _ = housekeeping.tick() => {
                    notify.alive();
                    self.look_at_the_clock();
                    self.pump.core.handle_timeout(self.clock.steady());
                    self.keep_house().await?;
                }
            }
        }
    }

    /// Lets the core's wishes come true.
    async fn settle(&mut self) -> anyhow::Result<()> {
        for effect in self.pump.settle(self.clock.steady()).await? {
            match effect {
                Effect::RunCheck { device, check } => self.probe(device, check),
                Effect::Send { up, bytes } => {
                    // What does not get out is sent again when its ack stays away.
                    if let Some(link) = &self.link
                        && !link.send(up, bytes)
                    {
                        tracing::debug!(?up, "the way out is full");
                    }
                }
                Effect::Heard { offset_ms } => self.clock.heard(offset_ms),
            }
        }
        Ok(())
    }

    fn look_at_the_clock(&mut self) {
        self.clock.look(probe::host::is_clock_steered(), &Boot::current());
        let (steady, wall) = (self.clock.steady(), self.clock.wall());
        self.pump.core.handle_wall(steady, wall, self.clock.is_guess());
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
            Event::Disconnected { reason } => {
                tracing::warn!(reason, "not connected; records wait on disk");
                self.link = None;
                core.handle_disconnected(now);
            }
        }
    }

    async fn keep_house(&mut self) -> anyhow::Result<()> {
        while let Some(ended) = self.background.try_join_next() {
            match ended? {
                // The renewed certificate proves itself on a connection of its own.
                Ended::Renewed => self.link.iter().for_each(Link::close),
                Ended::Uplink | Ended::NotRenewed => {}
            }
        }
        let now = self.clock.now();
        if (now.as_second() - self.stored_at.as_second()).abs() >= STORE_TIME_S {
            self.stored_at = now;
            self.store_time().await?;
        }
        if now.as_second() - self.renewed_at.as_second() < RENEW_EVERY_S || self.clock.is_guess() {
            return Ok(());
        }
        self.renewed_at = now;
        if self.enrolment.is_renewal_due(now).unwrap_or(false) {
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
        Ok(())
    }

    /// For a boot that comes up in 1970, and to know later how right this boot's time line was.
    async fn store_time(&mut self) -> anyhow::Result<()> {
        let (steady, wall) = (self.clock.steady(), self.clock.wall());
        let shift_ms = wall.as_millisecond() - steady.as_millisecond();
        let plausible = (!self.clock.is_guess()).then_some(shift_ms);
        self.pump.spool.put_line(steady, None, plausible).await?;
        self.pump.spool.put_time(self.clock.now()).await
    }

    /// Leaves in order: what is open goes to disk, the server hears that we go.
    async fn farewell(mut self) -> anyhow::Result<()> {
        self.pump.core.handle_shutdown(self.clock.steady());
        self.settle().await?;
        self.store_time().await?;
        if let Some(link) = self.link.take() {
            link.close();
            // The uplink ends when the connection is closed and nobody listens.
            let _ = tokio::time::timeout(FAREWELL, self.background.join_next()).await;
        }
        tracing::info!("the agent ends");
        self.pump.spool.close().await
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
    }
}

fn wait(now: Timestamp, due: Timestamp) -> Duration {
    let ms = due.as_millisecond().saturating_sub(now.as_millisecond());
    Duration::from_millis(ms.max(0).unsigned_abs()).min(HOUSEKEEPING)
}
