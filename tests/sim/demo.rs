//! The demonstration: a server on its defaults in a folder that goes away, one gateway agent, the
//! simulated site, and people to page. Everything is set up through the public API, as a person would.

pub mod client;
pub mod contract;
pub mod inspect;
pub mod install;
pub mod process;
pub mod setup;
pub mod story;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use super::plan::Plan;
use super::{Announcement, Site, panel, smtp};

/// How a demonstration goes on once everything runs.
#[derive(Clone, Debug)]
pub enum Play {
    /// Until Ctrl-C.
    Stay,
    /// Plays the story and ends.
    Once,
    /// Runs a program against it and ends with it.
    Run(String),
}

/// Everything a demonstration needs.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Which devices.
    pub plan: Plan,
    /// The devices' network; without it the first free one is taken.
    pub network: Option<u8>,
    /// Where the panel listens.
    pub panel: SocketAddr,
    /// The server's binary.
    pub server_bin: PathBuf,
    /// The agent's binary.
    pub agent_bin: PathBuf,
    /// How it goes on.
    pub play: Play,
}

/// The simulated site with its panel and mail server.
#[derive(Debug)]
pub struct Simulation {
    /// The site.
    pub site: Arc<Site>,
    /// How to reach it.
    pub announcement: Announcement,
    tasks: JoinSet<()>,
}

const NETWORKS: std::ops::RangeInclusive<u8> = 77..=99;

impl Simulation {
    /// Starts the devices in `network` (or the first free one), the panel and the mail server.
    pub async fn start(plan: Plan, network: Option<u8>, panel: SocketAddr) -> Result<Self> {
        let wanted = network.map_or(NETWORKS, |network| network..=network);
        let mut site = None;
        let mut refused = None;
        for network in wanted {
            match Site::start(&Plan { network, ..plan.clone() }).await {
                Ok(running) => {
                    site = Some(Arc::new(running));
                    break;
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        let site = match (site, refused) {
            (Some(site), _) => site,
            (None, Some(error)) => return Err(error),
            (None, None) => anyhow::bail!("no network to put the devices in"),
        };
        let panel_listener = TcpListener::bind(panel)
            .await
            .with_context(|| format!("the panel cannot listen on {panel}; choose another --panel"))?;
        let mail_listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let panel_address = panel_listener.local_addr()?;
        let announcement = Announcement {
            panel: format!("http://{panel_address}/"),
            webhook: format!("http://{panel_address}/webhook"),
            smtp: mail_listener.local_addr()?.to_string(),
            devices: site.listings(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(panel::serve(panel_listener, Arc::clone(&site)));
        tasks.spawn(smtp::serve(mail_listener, Arc::clone(site.sink())));
        Ok(Self { site, announcement, tasks })
    }

    /// Ends when the panel or the mail server has ended, which they do not.
    pub async fn ended(&mut self) {
        self.tasks.join_next().await;
    }
}

/// Runs the site alone until it is told to stop.
pub async fn site_only(plan: Plan, network: Option<u8>, panel: SocketAddr) -> Result<ExitCode> {
    let mut simulation = Simulation::start(plan, network, panel).await?;
    println!("{}", serde_json::to_string(&simulation.announcement)?);
    tokio::select! {
        () = told_to_stop() => Ok(ExitCode::SUCCESS),
        () = simulation.ended() => anyhow::bail!("the panel ended by itself"),
    }
}

/// Runs the demonstration; the exit code is the story's or the program's.
pub async fn run(stage: Stage) -> Result<ExitCode> {
    tokio::select! {
        code = play(stage) => code,
        () = told_to_stop() => {
            println!("\nstopped");
            Ok(ExitCode::from(130))
        }
    }
}

async fn play(stage: Stage) -> Result<ExitCode> {
    let simulation = Simulation::start(stage.plan.clone(), stage.network, stage.panel).await?;
    let mut running = setup::set_up(&stage, &simulation.announcement).await?;
    let outcome = match &stage.play {
        Play::Stay => {
            running.print(&simulation.announcement);
            running.first_to_die().await
        }
        Play::Once => story::tell(&running, &simulation).await.map(|()| ExitCode::SUCCESS),
        Play::Run(program) => running.accompany(program, &simulation.announcement).await,
    };
    if outcome.is_err() {
        running.print_ends_of_logs();
    }
    running.stop().await;
    outcome
}

async fn told_to_stop() {
    let signals =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()));
    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = signals else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
