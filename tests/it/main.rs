//! The one integration binary: stories of the whole system, and real peers that judge its parts.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod agent;
mod backup;
mod broker;
mod channel;
mod contract;
mod database;
mod deploy;
mod first_light;
mod fuzz;
mod gate;
mod gateway;
mod ingest;
mod inspection;
mod live;
mod people;
mod permission;
mod probe;
mod remedy;
mod scope;
mod sim;
mod soak;
mod story;
mod survival;
mod tidy;
mod watch;
