//! Survival on the gateway: clocks, disks, certificates and lines as they are on site.

mod away;
pub mod certificate;
mod clock;
mod line;
mod month;
mod place;
mod watchdog;
