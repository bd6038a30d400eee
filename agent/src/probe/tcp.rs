//! Does a TCP port accept a connection? Nothing is sent; the connection is closed at once.

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{Failure, Reading, resolve};

/// Connects once. Value: `connect_ms`. Fault: `port_closed` (evidence says refused or silent).
pub(crate) async fn read(address: &str, port: u16) -> Reading {
    let target = match resolve(address, port).await {
        Ok(target) => target,
        Err(failure) => return failure.into_reading("port_closed"),
    };
    let started = Instant::now();
    match TcpStream::connect(target).await {
        Ok(_) => Reading::good().value("connect_ms", started.elapsed().as_secs_f64() * 1_000.0),
        Err(error) => Failure::from_io(&error, target).into_reading("port_closed"),
    }
}
