//! What tests stand on: real peers for our probes, the workspace's own programs, and waiting with a limit.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod binary;
pub mod client;
pub mod crowd;
pub mod database;
pub mod desk;
pub mod disk;
pub mod door;
pub mod field;
pub mod fleet;
pub mod gateway;
pub mod line;
pub mod meter;
pub mod month;
pub mod pager;
pub mod paper;
pub mod peer;
pub mod promise;
pub mod raw;
pub mod rows;
#[path = "../sim/site.rs"]
pub mod sim;
#[path = "../soak/soak.rs"]
pub mod soak;
mod until;
pub mod world;

pub use binary::{binary, target_dir};
pub use until::until;
