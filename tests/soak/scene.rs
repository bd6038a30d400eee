//! The installation of a soak: one server, some gateways with their agents, their targets, one person on duty.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;
use sitewarden_server::db::Db;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

use super::desk::Desk;
use super::target::{Mood, Target};
use super::{Moment, Plan};
use crate::binary;
use crate::database::Database;
use crate::sim::demo::install::{Installation, Programs, Settings, free_address};
use crate::sim::demo::process::Process;
use crate::sim::demo::setup::{on_duty, premises};

/// Longer than a soak is silent: a killed agent is back before its server misses it.
const HEARTBEAT_S: u32 = 60;
const AGENT: &str = "block = \"3s\"\nkeep_alive = \"20s\"\n";
/// TimeoutStopSec of the server's unit.
const STOP_LIMIT: Duration = Duration::from_secs(30);
const SIGTERM: i32 = 15;
/// Between the two steps of the escalation.
const STEP_S: u32 = 2;
const RECORD_LIMIT: Duration = Duration::from_secs(90);
const PAGED: &str = "SELECT DISTINCT t.device_id FROM ticket t JOIN page p ON p.ticket_id = t.id WHERE t.state <> 'closed' \
     AND p.purpose = 'opened' AND p.state = 'sent'";
const FLAPPING: &str = "SELECT DISTINCT t.device_id FROM ticket t JOIN ticket_hold h ON h.ticket_id = t.id \
     JOIN ticket_event e ON e.ticket_id = t.id AND e.kind = 'withheld' \
     WHERE t.state <> 'closed' AND h.reason = 'flapping'";

/// A gateway and its agent.
pub(super) struct Gateway {
    pub(super) id: String,
    name: String,
    pub(super) agent: Process,
}

/// A device on record and the target behind it.
pub(super) struct Watched {
    pub(super) device: String,
    pub(super) target: Arc<Target>,
}

/// Everything, in the order in which it must end.
pub(super) struct Scene {
    pub(super) gateways: Vec<Gateway>,
    pub(super) server: Process,
    pub(super) watched: Vec<Watched>,
    pub(super) desk: Desk,
    pub(super) moments: broadcast::Sender<Moment>,
    pub(super) db: Db,
    lives: JoinSet<()>,
    rest: watch::Sender<bool>,
    /// Agents and server have ended in order.
    pub(super) ended: bool,
    place: Installation,
    _answering: JoinSet<()>,
    pub(super) database: Database,
    /// Troubles of the database so far.
    pub(super) troubles_seen: u32,
}

impl Scene {
    /// Everything runs, and every target lives by the plan's seed.
    pub(super) async fn set(plan: &Plan, database: Database, random: &mut StdRng) -> Result<Self> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let programs = Programs { server: binary("sitewarden"), agent: binary("sitewarden-agent") };
        let lasting = free_address;
        let settings = Settings {
            // Outside of the range from which the system takes ports: still free when a killed server returns.
            http: lasting(rand::random_range(20_000..30_000))?,
            mqtt: lasting(rand::random_range(20_000..30_000))?,
            smtp: ([127, 0, 0, 1], 9).into(),
            database: Some(database.url.clone()),
            heartbeat_s: HEARTBEAT_S,
        };
        let place = Installation::prepare(programs, &settings)?;
        let server = place.start_server().await?;
        let api = place.first_login(&server, "copper otter lantern").await?;
        let (moments, _) = broadcast::channel(256);
        let mut answering = JoinSet::new();
        let desk = Desk::open(random.random(), moments.clone(), &mut answering).await?;
        on_duty(&api, "lantern otter copper", &[("webhook", desk.address.as_str())]).await?;
        // Two steps: what nobody has taken after a moment is asked about again.
        let duty = json!({ "kind": "duty" });
        let steps = json!([{ "targets": [duty] }, { "after_s": STEP_S, "targets": [duty] }]);
        api.post("/escalation/plans", &json!({ "name": "Soak", "plan": { "steps": steps } })).await?;

        let (mut gateways, mut watched) = (Vec::new(), Vec::new());
        let (rest, resting) = watch::channel(false);
        let mut lives = JoinSet::new();
        for number in 0..plan.gateways {
            let (id, token) = premises(&api).await?;
            let name = format!("gateway-{number}");
            place.configure_agent(&name, AGENT)?;
            place.enrol_as(&name, &token).await?;
            for device in 0..plan.devices {
                let name = format!("{name}-target-{device}");
                let target = Target::open(number, name, moments.clone(), &mut answering).await?;
                // Who flaps soon has nothing to page: only one of each gateway may.
                let flap = if device == 0 { 4 } else { 0 };
                let new = json!({ "gateway_id": id, "name": target.name, "class": "server",
                    "address": "127.0.0.1", "place": "", "parent_id": null, "checks": target.checks(flap) });
                let device = api.post("/devices", &new).await?["id"].as_str().context("an id")?.to_owned();
                lives
                    .spawn(Arc::clone(&target).live(StdRng::seed_from_u64(random.random()), resting.clone()));
                watched.push(Watched { device, target });
            }
            let agent = place.start_agent_as(&name)?;
            gateways.push(Gateway { id, name, agent });
        }
        let db = Db::connect(&database.url).await?;
        Ok(Self {
            gateways,
            server,
            watched,
            desk,
            moments,
            db,
            lives,
            rest,
            ended: false,
            place,
            _answering: answering,
            database,
            troubles_seen: 0,
        })
    }

    /// A power cut on the server.
    pub(super) async fn kill_server(&mut self) -> Result<()> {
        self.nobody_has_died()?;
        self.server.kill().await
    }

    /// The server is asked to end, does so in order and in time.
    pub(super) async fn stop_server(&mut self) -> Result<()> {
        self.nobody_has_died()?;
        orderly(&mut self.server).await
    }

    /// An agent is asked to end, does so in order and in time.
    pub(super) async fn stop_agent(&mut self, number: usize) -> Result<()> {
        self.nobody_has_died()?;
        orderly(&mut self.gateways[number].agent).await?;
        self.forget_looks(number);
        Ok(())
    }

    /// The server returns on the same files and database.
    pub(super) fn start_server(&mut self) -> Result<()> {
        self.server = self.place.launch_server()?;
        Ok(())
    }

    /// A power cut on a gateway.
    pub(super) async fn kill_agent(&mut self, number: usize) -> Result<()> {
        self.nobody_has_died()?;
        self.gateways[number].agent.kill().await?;
        self.forget_looks(number);
        Ok(())
    }

    fn forget_looks(&self, number: usize) {
        for watched in self.watched.iter().filter(|watched| watched.target.gateway == number) {
            watched.target.forget_looks();
        }
    }

    /// The gateway returns on the same files.
    pub(super) fn start_agent(&mut self, number: usize) -> Result<()> {
        self.gateways[number].agent = self.place.start_agent_as(&self.gateways[number].name)?;
        Ok(())
    }

    /// Nobody but us ends a program.
    pub(super) fn nobody_has_died(&mut self) -> Result<()> {
        for process in self.gateways.iter_mut().map(|g| &mut g.agent).chain([&mut self.server]) {
            if let Some(status) = process.has_ended() {
                anyhow::bail!("the {} ended by itself ({status}):\n{}", process.name(), process.last_lines());
            }
        }
        Ok(())
    }

    /// The plan ends: half of the targets fail once more and stay so until it is on record and paged, then
    /// everything is well.
    pub(super) async fn everybody_rests(&mut self) -> Result<()> {
        self.rest.send_replace(true);
        while self.lives.join_next().await.is_some() {}
        self.desk.calm_down();
        self.all_on_record().await?;
        for (index, watched) in self.watched.iter().enumerate() {
            if watched.target.mood() == Mood::Well && index % 2 == 0 {
                watched.target.change(if index % 4 == 0 { Mood::Silent } else { Mood::Refuses });
            }
        }
        self.all_on_record().await?;
        self.all_paged().await?;
        for watched in self.watched.iter().filter(|watched| watched.target.mood() != Mood::Well) {
            watched.target.change(Mood::Well);
        }
        self.all_on_record().await
    }

    async fn all_on_record(&mut self) -> Result<()> {
        let deadline = tokio::time::Instant::now() + RECORD_LIMIT;
        while !self.watched.iter().all(|watched| watched.target.is_on_record()) {
            self.nobody_has_died()?;
            ensure!(
                tokio::time::Instant::now() < deadline,
                "the gateways do not look at their devices:\n{}",
                self.last_words()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// What stands long enough is paged. A target that failed too often in a short time is not: its ticket says so.
    async fn all_paged(&mut self) -> Result<()> {
        let deadline = tokio::time::Instant::now() + RECORD_LIMIT;
        let failing: Vec<String> = self
            .watched
            .iter()
            .filter(|watched| watched.target.mood() != Mood::Well)
            .map(|watched| watched.device.clone())
            .collect();
        loop {
            let paged = self.devices_with(PAGED).await?;
            let flapping = self.devices_with(FLAPPING).await?;
            if failing.iter().all(|device| paged.contains(device) || flapping.contains(device)) {
                return Ok(());
            }
            self.nobody_has_died()?;
            ensure!(
                tokio::time::Instant::now() < deadline,
                "{} targets fail, {} of them are paged, {} are withheld as flapping:\n{}",
                failing.len(),
                paged.len(),
                flapping.len(),
                self.last_words()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn devices_with(&self, question: &'static str) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar(question).fetch_all(&mut *self.db.read().await?).await?)
    }

    /// A minute passes for the pages: claims of senders that died run out, refused ones are due again.
    pub(super) async fn let_claims_run_out(&self) -> Result<()> {
        let mut tx = self.db.write().await?;
        sqlx::query("UPDATE page SET claimed_until = 0 WHERE state = 'claimed'").execute(&mut *tx).await?;
        sqlx::query("UPDATE page SET due_at = 0 WHERE state = 'queued'").execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The disk queue of a gateway.
    pub(super) fn queue(&self, number: usize) -> PathBuf {
        self.place.file(&self.gateways[number].name).join("queue.db")
    }

    /// What the programs said last.
    pub(super) fn last_words(&self) -> String {
        let agents = self.gateways.iter().map(|gateway| &gateway.agent);
        let words = agents
            .chain([&self.server])
            .map(|process| format!("--- the {} said last:\n{}\n", process.name(), process.last_lines()));
        words.collect()
    }

    /// Everybody is asked to go, and goes in order.
    pub(super) async fn end(&mut self) -> Result<()> {
        for process in self.gateways.iter_mut().map(|g| &mut g.agent).chain([&mut self.server]) {
            orderly(process).await?;
        }
        self.ended = true;
        Ok(())
    }
}

/// Asks a program to end; it does, within the time that systemd gives it, and says that all is well.
async fn orderly(process: &mut Process) -> Result<()> {
    process.ask_to_end().await?;
    let ended = tokio::time::timeout(STOP_LIMIT, process.wait()).await;
    let status = ended.with_context(|| format!("the {} does not end", process.name()))??;
    // Whoever is asked before it listens to signals, on a machine this busy, ends by the signal.
    let was_young = status.signal() == Some(SIGTERM);
    ensure!(
        status.success() || was_young,
        "the {} ended with {status}:\n{}",
        process.name(),
        process.last_lines()
    );
    Ok(())
}
