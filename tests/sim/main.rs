//! `sitewarden-sim`: a simulated site, alone or as the whole demonstration.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use sitewarden_tests::sim::demo;
use sitewarden_tests::sim::plan::{Layout, Plan};

/// A simulated site whose devices answer the real protocols on loopback and break on command.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the site alone and prints one JSON line: ports, devices, their checks.
    Site {
        #[command(flatten)]
        site: SiteArgs,
    },
    /// Runs the site, a server and a gateway agent, and keeps them running until Ctrl-C.
    Demo {
        #[command(flatten)]
        site: SiteArgs,
        /// Play the story (a device dies … the ticket is closed) and end; 0 only if every step was seen.
        #[arg(long)]
        once: bool,
        /// Run this program against the demo, with its addresses in the environment, and end with it.
        #[arg(long, conflicts_with = "once")]
        run: Option<String>,
        /// The server's binary.
        #[arg(long)]
        server_bin: PathBuf,
        /// The agent's binary.
        #[arg(long)]
        agent_bin: PathBuf,
    },
}

#[derive(Args)]
struct SiteArgs {
    /// How many devices; the standard site has eleven.
    #[arg(long, default_value_t = 11)]
    devices: usize,
    /// A residential estate: 117 cameras, 94 door controllers, 4 recorders, 19 switches, a power supply, a clock.
    #[arg(long, conflicts_with = "devices")]
    estate: bool,
    /// The devices live in 127.N.0.0/16. Without it, the demo takes the first that is free from 77 on.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=254))]
    network: Option<u8>,
    /// How often each check runs.
    #[arg(long, default_value = "5s")]
    every: String,
    /// Where the panel listens; port 0 is any free one.
    #[arg(long, default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))]
    panel: SocketAddr,
}

impl SiteArgs {
    fn split(self) -> (Plan, Option<u8>, SocketAddr) {
        let layout = if self.estate { Layout::Estate } else { Layout::Standard };
        let plan = Plan { layout, devices: self.devices, every: self.every, ..Plan::default() };
        (plan, self.network, self.panel)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()),
        )
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let done = match Cli::parse().command {
        Command::Site { site } => {
            let (plan, network, panel) = site.split();
            demo::site_only(plan, network, panel).await
        }
        Command::Demo { site, once, run, server_bin, agent_bin } => {
            let (plan, network, panel) = site.split();
            let play = match (once, run) {
                (true, _) => demo::Play::Once,
                (false, Some(program)) => demo::Play::Run(program),
                (false, None) => demo::Play::Stay,
            };
            demo::run(demo::Stage { plan, network, panel, server_bin, agent_bin, play }).await
        }
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("sitewarden-sim: {error:#}");
            ExitCode::FAILURE
        }
    }
}
