#![doc = include_str!("../README.md")]

pub mod arrival;
pub mod envelope;
pub mod fault;
pub mod id;
pub mod limits;
pub mod metrics;
pub mod network;
pub mod topic;
pub mod usual;
pub mod wire;
