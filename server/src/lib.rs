//! The Sitewarden server: gateways report to it, people look at it, and it pages them.

pub mod assets;
pub mod audit;
pub mod clock;
pub mod customer;
pub mod db;
pub mod error;
pub mod id;
pub mod live;
pub mod metrics;
pub mod openapi;
pub mod router;
pub mod site;
pub mod text;
pub mod user;
