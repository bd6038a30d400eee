//! The server's program: reads what was asked for, prepares the process, and hands over.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser as _;
use sitewarden_server::cli::{Cli, Exit};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // One provider for every TLS connection of the process; it can only be set once, and this is where.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,hyper=warn,lettre=warn"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A log on a full disk must not end the server: complaining about it on the same disk would.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    if cli.json_log {
        log.json().init();
    } else {
        log.with_target(false).init();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("sitewarden: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(cli.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<Exit>() {
            Some(exit) => ExitCode::from(exit.0),
            None => {
                eprintln!("sitewarden: {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}
