//! `sitewarden-soak`: kills the server and the agents of a small installation at random moments, as often as
//! asked, and compares the record with what happened. The last line is the verdict; the exit code says it too.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use sitewarden_tests::database::Engine;
use sitewarden_tests::soak::{self, Plan};

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    /// How often agents are killed, and how often the server is.
    #[arg(long, default_value_t = 10)]
    cycles: u32,
    /// Replays the plan of an earlier run.
    #[arg(long)]
    seed: Option<u64>,
    /// The database.
    #[arg(long, value_enum, default_value = "sqlite")]
    engine: Kind,
    /// Only these are killed.
    #[arg(long, value_enum, default_value = "both")]
    kill: Whom,
    /// How often the database gets into trouble meanwhile.
    #[arg(long, default_value_t = 0)]
    troubles: u32,
    /// Gateways, each an agent of its own.
    #[arg(long, default_value_t = 4)]
    gateways: usize,
    /// Devices of each gateway.
    #[arg(long, default_value_t = 10)]
    devices: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Sqlite,
    Postgres,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Whom {
    Agent,
    Server,
    Both,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let times = |spared: Whom| if cli.kill == spared { 0 } else { cli.cycles };
    let plan = Plan {
        seed: cli.seed.unwrap_or_else(|| u64::from(rand::random::<u32>())),
        engine: match cli.engine {
            Kind::Sqlite => Engine::Sqlite,
            Kind::Postgres => Engine::Postgres,
        },
        agent_kills: times(Whom::Server),
        server_kills: times(Whom::Agent),
        troubles: cli.troubles,
        gateways: cli.gateways.max(1),
        devices: cli.devices.max(1),
        in_a_hurry: false,
    };
    match soak::play(plan).await {
        Ok(verdict) => {
            if !verdict.is_clean() {
                eprintln!("{}", verdict.last_words);
            }
            println!("{verdict}");
            if verdict.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("sitewarden-soak: {error:#}");
            println!("FAILED");
            ExitCode::FAILURE
        }
    }
}
