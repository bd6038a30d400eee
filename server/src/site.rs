//! Sites: one place with an address, a time zone, a map datum and somebody to call there.

use crate::id::id;

pub mod api;
pub mod place;
pub mod store;

id! {
    /// Names a site.
    SiteId
}

/// The map datums a position may be given in: WGS-84 (GPS), GCJ-02 (Chinese public maps) and
/// BD-09 (Baidu), whose coordinates for one place differ by hundreds of metres.
pub const DATUMS: [&str; 3] = ["wgs84", "gcj02", "bd09"];

/// Why `zone` cannot be used as a site's time zone.
pub fn zone_fault(zone: &str) -> Option<&'static str> {
    if zone.len() <= 64 && jiff::tz::TimeZone::get(zone).is_ok() {
        None
    } else {
        Some("it is not the name of a time zone")
    }
}

/// Why a position cannot be used: half of it is missing, or it is not on Earth.
pub fn position_fault(lat: Option<f64>, lon: Option<f64>) -> Option<&'static str> {
    match (lat, lon) {
        (None, None) => None,
        (Some(lat), Some(lon)) if (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon) => None,
        (Some(_), Some(_)) => Some("latitude goes from -90 to 90, longitude from -180 to 180"),
        (Some(_), None) | (None, Some(_)) => Some("latitude and longitude come together"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_and_positions_are_checked() {
        assert_eq!(zone_fault("Asia/Shanghai"), None);
        assert!(zone_fault("Shanghai").is_some());
        assert_eq!(position_fault(Some(31.2), Some(121.4)), None);
        assert_eq!(position_fault(None, None), None);
        assert!(position_fault(Some(31.2), None).is_some());
        assert!(position_fault(Some(131.2), Some(21.4)).is_some());
    }
}
