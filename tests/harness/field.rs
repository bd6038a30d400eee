//! Devices of the field as they describe themselves: bodies in the form and with the quirks of real ones, written by us, each
//! fault a switch. The peers serve them, and so does the simulated site.

pub mod dahua;
pub mod doors;
pub mod isapi;
