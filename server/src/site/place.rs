//! Where two places lie to each other. Positions are compared in WGS-84 only; what a Chinese map gave
//! (GCJ-02, or BD-09 on top of it) is turned back first, because the same number there means a point some
//! hundreds of metres away.
//!
//! The offset of GCJ-02 is the published polynomial on the Krasovsky ellipsoid (a = 6,378,245 m); it is undone by
//! iteration, which is exact to centimetres. Outside of China the datum has no offset.

/// A position in WGS-84, degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// North.
    pub lat: f64,
    /// East.
    pub lon: f64,
}

/// The mean radius of the Earth, km (IUGG).
const RADIUS_KM: f64 = 6_371.008_8;
const AXIS_M: f64 = 6_378_245.0;
const ECCENTRICITY2: f64 = 0.006_693_421_622_965_943;

/// The place that a position in `datum` means; `None` for a datum that is not known.
pub fn wgs84(datum: &str, lat: f64, lon: f64) -> Option<Place> {
    match datum {
        "wgs84" => Some(Place { lat, lon }),
        "gcj02" => Some(undo(lat, lon)),
        "bd09" => {
            let (x, y) = (lon - 0.0065, lat - 0.006);
            let wave = std::f64::consts::PI * 3000.0 / 180.0;
            let radius = x.hypot(y) - 0.000_02 * (y * wave).sin();
            let angle = y.atan2(x) - 0.000_003 * (x * wave).cos();
            Some(undo(radius * angle.sin(), radius * angle.cos()))
        }
        _ => None,
    }
}

/// The great-circle distance, km.
pub fn distance_km(a: Place, b: Place) -> f64 {
    let (lat_a, lat_b) = (a.lat.to_radians(), b.lat.to_radians());
    let north = ((lat_b - lat_a) / 2.0).sin().powi(2);
    let east = ((b.lon - a.lon).to_radians() / 2.0).sin().powi(2);
    2.0 * RADIUS_KM * (lat_a.cos() * lat_b.cos()).mul_add(east, north).sqrt().min(1.0).asin()
}

fn undo(lat: f64, lon: f64) -> Place {
    let mut place = Place { lat, lon };
    for _ in 0..8 {
        let (north, east) = offset(place);
        place = Place { lat: lat - north, lon: lon - east };
    }
    place
}

/// What GCJ-02 adds to a position, degrees.
fn offset(place: Place) -> (f64, f64) {
    use std::f64::consts::PI;
    let Place { lat, lon } = place;
    if !(72.004..=137.8347).contains(&lon) || !(0.8293..=55.8271).contains(&lat) {
        return (0.0, 0.0);
    }
    let (x, y) = (lon - 105.0, lat - 35.0);
    let root = x.abs().sqrt();
    let short = (20.0 * (6.0 * x * PI).sin() + 20.0 * (2.0 * x * PI).sin()) * 2.0 / 3.0;
    let north = -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * root
        + short
        + (20.0 * (y * PI).sin() + 40.0 * (y / 3.0 * PI).sin()) * 2.0 / 3.0
        + (160.0 * (y / 12.0 * PI).sin() + 320.0 * (y * PI / 30.0).sin()) * 2.0 / 3.0;
    let east = 300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * root
        + short
        + (20.0 * (x * PI).sin() + 40.0 * (x / 3.0 * PI).sin()) * 2.0 / 3.0
        + (150.0 * (x / 12.0 * PI).sin() + 300.0 * (x / 30.0 * PI).sin()) * 2.0 / 3.0;
    let latitude = lat.to_radians();
    let bulge = 1.0 - ECCENTRICITY2 * latitude.sin().powi(2);
    let metres_north = AXIS_M * (1.0 - ECCENTRICITY2) / (bulge * bulge.sqrt());
    let metres_east = AXIS_M / bulge.sqrt() * latitude.cos();
    ((north / metres_north).to_degrees(), (east / metres_east).to_degrees())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_great_circle_is_measured() {
        let beijing = Place { lat: 39.9042, lon: 116.4074 };
        let shanghai = Place { lat: 31.2304, lon: 121.4737 };
        assert!((distance_km(beijing, shanghai) - 1067.0).abs() < 2.0);
        assert!(distance_km(beijing, beijing) < 1e-9);
        let (east, west) = (Place { lat: 0.0, lon: 179.5 }, Place { lat: 0.0, lon: -179.5 });
        assert!((distance_km(east, west) - 111.195).abs() < 0.01, "over the date line");
    }

    #[test]
    fn a_chinese_map_is_turned_back() {
        // Tiananmen as GCJ-02 gives it lies some 550 m from where GPS says.
        let gps = wgs84("gcj02", 39.908_72, 116.397_49).unwrap();
        let same_numbers = wgs84("wgs84", 39.908_72, 116.397_49).unwrap();
        let apart = distance_km(gps, same_numbers);
        assert!((0.4..0.7).contains(&apart), "{apart}");
        let (north, east) = offset(gps);
        let again = Place { lat: gps.lat + north, lon: gps.lon + east };
        assert!(distance_km(again, same_numbers) < 1e-5, "forth and back is the same place");
        let baidu = wgs84("bd09", 39.915_06, 116.403_96).unwrap();
        assert!(distance_km(baidu, gps) < 0.05, "{baidu:?} {gps:?}");
        let paris = wgs84("gcj02", 48.8584, 2.2945).unwrap();
        assert_eq!(paris, Place { lat: 48.8584, lon: 2.2945 });
        assert_eq!(wgs84("mars", 1.0, 1.0), None);
    }
}
