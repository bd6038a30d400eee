//! The networks that a gateway may be sent to look around in: those of its site, never others.

use std::net::IpAddr;

/// Addresses of one look around: a /20.
pub const ADDRESSES_MAX: usize = 4_096;

/// True for addresses of a site's own: RFC 1918, RFC 6598, RFC 4193, link-local and loopback ones.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let shared = address.octets()[0] == 100 && address.octets()[1] & 0xc0 == 64;
            address.is_private() || address.is_link_local() || address.is_loopback() || shared
        }
        IpAddr::V6(address) => {
            address.is_unique_local() || address.is_unicast_link_local() || address.is_loopback()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sites_own_addresses_are_private() {
        for own in [
            "10.1.2.3",
            "172.31.0.1",
            "192.168.4.1",
            "100.127.0.1",
            "169.254.1.1",
            "127.0.0.1",
            "fd00::1",
            "fe80::1",
        ] {
            assert!(is_private(own.parse().unwrap()), "{own}");
        }
        for other in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "192.169.0.1", "2001:db8::1"] {
            assert!(!is_private(other.parse().unwrap()), "{other}");
        }
    }
}
