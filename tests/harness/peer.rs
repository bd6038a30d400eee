//! Real programs that judge our probes and our deeds: an SNMP agent, recordings of real devices, a web server that
//! speaks Digest, a time server, a TLS port, a stream server, a camera that computes every login again, the providers of messages,
//! a calendar program. Each listens on a free port of 127.0.0.1, keeps its files in a folder of its own and is killed
//! when its value is dropped.
//!
//! The programs come from the Debian packages in `tests/packages.txt` and the PyPI packages in
//! `tests/requirements.txt`, which `tests/run` installs.

mod bent;
mod calendar;
mod chronyd;
mod dahua;
mod isapi;
mod lighttpd;
mod nut;
mod onvif;
mod process;
mod provider;
mod rtsp;
mod snmpd;
mod snmpsim;
mod tls;
mod vendor;

pub use bent::Bent;
pub use calendar::read_calendar;
pub use chronyd::Chronyd;
pub use dahua::DahuaPeer;
pub use isapi::IsapiPeer;
pub use lighttpd::Lighttpd;
pub use nut::Nut;
pub use onvif::{OnvifCamera, Seen, Told as OnvifTold};
pub use process::{free_tcp_port, free_udp_port};
pub use provider::Providers;
pub use rtsp::RtspServer;
pub use snmpd::Snmpd;
pub use snmpsim::Snmpsim;
pub use tls::TlsPort;
pub use vendor::Vendor;
