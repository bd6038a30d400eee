//! The one integration binary: stories of the whole system, and real peers that judge its parts.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod deploy;
mod probe;
mod sim;
mod story;
mod tidy;
mod people;
mod permission;
mod scope;
mod live;
mod backup;
mod broker;
mod gateway;
