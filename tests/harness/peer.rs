//! Real programs that judge our probes: an SNMP agent, recordings of real devices, a web server that speaks
//! Digest, a time server, a TLS port. Each listens on a free port of 127.0.0.1, keeps its files in a folder
//! of its own and is killed when its value is dropped.
//!
//! The programs come from the Debian packages in `tests/packages.txt` and the PyPI packages in
//! `tests/requirements.txt`, which `tests/run` installs.

mod bent;
mod chronyd;
mod lighttpd;
mod process;
mod snmpd;
mod snmpsim;
mod tls;

pub use bent::Bent;
pub use chronyd::Chronyd;
pub use lighttpd::Lighttpd;
pub use process::{free_tcp_port, free_udp_port};
pub use snmpd::Snmpd;
pub use snmpsim::Snmpsim;
pub use tls::TlsPort;
