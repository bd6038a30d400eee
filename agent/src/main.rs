//! The agent that runs on a site's gateway, and the technician's probe.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use sitewarden_agent::config::{Config, Secret, Security};
use sitewarden_agent::probe_once::{self, Lang};
use sitewarden_agent::{discover, enrol, listing, picture_once, run, sweep};
use tracing_subscriber::EnvFilter;

/// Watches the devices of a site and reports to a Sitewarden server.
#[derive(Parser)]
#[command(name = "sitewarden-agent", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Watch and report until stopped.
    Run {
        /// The agent's file (TOML).
        #[arg(long, default_value = "/etc/sitewarden/agent.toml")]
        config: PathBuf,
    },
    /// Make this machine a gateway: get a certificate with a one-time token.
    Enrol {
        /// The server's web address, for example https://monitor.example.com.
        #[arg(long)]
        server: String,
        /// The token that the gateways page or `sitewarden gateway add` printed.
        #[arg(long, env = "SITEWARDEN_TOKEN", hide_env_values = true)]
        token: String,
        /// Where key, certificate and queue will lie: `data_dir` of the agent's file.
        #[arg(long, default_value = "/var/lib/sitewarden-agent")]
        data: PathBuf,
    },
    /// Run every check of one device once and say what is wrong. Exit code: 0 ok, 1 degraded or down,
    /// 2 unknown, 64 the file cannot be used.
    Probe {
        /// The device's file (TOML).
        #[arg(long)]
        device: PathBuf,
        /// The file with the `[credentials.NAME]` that the device names (TOML).
        #[arg(long, value_name = "FILE")]
        credentials: Option<PathBuf>,
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
        /// Language of the table.
        #[arg(long, value_enum, default_value = "en")]
        lang: Lang,
    },
    /// Ping every address of a network and show who answers. Exit code: 0 somebody did, 1 nobody, 64 the
    /// range cannot be used, 70 no pings may be sent, 130 interrupted.
    Sweep {
        /// Networks or addresses, such as 192.168.1.0/24; 65,536 addresses at most.
        #[arg(required = true, value_name = "CIDR")]
        ranges: Vec<String>,
        /// Pings in a second; 0 is as many as the machine can, which small networks do not bear.
        #[arg(long, default_value_t = 1_000)]
        rate: u32,
        /// How often a silent address is asked.
        #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=10))]
        tries: u32,
        /// Milliseconds to wait for each answer.
        #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=60_000))]
        wait_ms: u32,
        /// Print JSON at the end instead of lines.
        #[arg(long)]
        json: bool,
    },
    /// Look what hangs in a network and what it is, and propose devices. No login is tried. Exit code: 0 somebody answered,
    /// 1 nobody, 64 the network cannot be used, 70 no pings may be sent, 130 interrupted or out of time.
    Discover {
        /// The network, such as 192.168.1.0/24; 4,096 addresses at most.
        #[arg(long, value_name = "CIDR")]
        net: String,
        /// An SNMP community that each device is asked with, once; without it SNMP is not asked.
        #[arg(long, env = "SITEWARDEN_COMMUNITY", hide_env_values = true)]
        community: Option<String>,
        /// Pings in a second.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        rate: u32,
        /// Seconds for all of it.
        #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u32).range(5..=3_600))]
        seconds: u32,
        /// Print JSON instead of a file of devices.
        #[arg(long)]
        json: bool,
    },
    /// Say what is wrong with pictures of a camera. Exit code: 0 nothing, 1 something, 64 a file cannot be read.
    Picture {
        /// JPEG files of one camera, in the order in which they were taken.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Folder with good pictures (.jpg) of the same camera, by day and by night.
        #[arg(long, value_name = "FOLDER")]
        baseline: Option<PathBuf>,
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
        /// Language of the table.
        #[arg(long, value_enum, default_value = "en")]
        lang: Lang,
    },
    /// Read the agent's file, or a device's, and say what is wrong with it, or which checks come of it.
    CheckConfig {
        /// The agent's file (TOML).
        #[arg(long, default_value = "/etc/sitewarden/agent.toml")]
        config: PathBuf,
        /// A device's file (TOML) in its place.
        #[arg(long, value_name = "FILE")]
        device: Option<PathBuf>,
        /// The file with the `[credentials.NAME]` that the device names (TOML).
        #[arg(long, value_name = "FILE")]
        credentials: Option<PathBuf>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("SITEWARDEN_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,rumqttc=warn,sqlx=warn,rustls_platform_verifier=off"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("sitewarden-agent: another TLS provider is already installed");
        return ExitCode::FAILURE;
    }
    let done = match arguments.command {
        Command::Probe { device, credentials, json, lang } => {
            return probe_once::run(&device, credentials.as_deref(), json, lang).await;
        }
        Command::Sweep { ranges, rate, tries, wait_ms, json } => {
            return sweep::run(&sweep::Wish { ranges, rate, tries, wait_ms, json }).await;
        }
        Command::Discover { net, community, rate, seconds, json } => {
            let snmp = community.map(|community| Security::V2c { community: Secret::new(community) });
            let (limit, ports) = (Duration::from_secs(seconds.into()), discover::Ports::default());
            return discover::run(&discover::Wish { net, snmp, rate, limit, ports }, json).await;
        }
        Command::Picture { files, baseline, json, lang } => {
            return picture_once::run(&files, baseline.as_deref(), json, lang);
        }
        Command::Run { config } => match Config::load(&config) {
            Ok(config) => run::run(config).await,
            Err(error) => Err(error.into()),
        },
        Command::Enrol { server, token, data } => {
            enrol::enrol(&server, &token, &data).await.map(|gateway| println!("enrolled as {gateway}"))
        }
        Command::CheckConfig { config, device, credentials } => match &device {
            Some(device) => listing::of_device(device, credentials.as_deref()),
            None => listing::of_config(&config),
        }
        .map(|text| print!("{text}"))
        .map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sitewarden-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}
