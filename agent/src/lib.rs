#![doc = include_str!("../README.md")]

pub mod clock;
pub mod config;
pub mod core;
pub mod files;
pub mod gather;
pub mod model;
pub mod probe;
pub mod probe_once;
pub mod pump;
pub mod schedule;
pub mod seal;
pub mod session;
pub mod spool;
pub mod trust;
pub mod verdict;
