//! What proves that somebody is there, strongest first, and what each piece is worth. Pure.
//!
//! A piece that does not hold is kept as a claim with its reason; nothing weak is ever made stronger. Which kind stops
//! the clock of an arrival is the contract's word, not ours. A tag can be photographed and its picture sent around, so
//! it counts only together with a position at the site; the gateway's code changes every minute and needs nothing else.

use jiff::Timestamp;
use ring::hmac;
use sitewarden_proto::arrival::{digits, message, step_at};

use crate::site::DATUMS;
use crate::site::place::{Place, distance_km, wgs84};

/// A kind of evidence; the words are those that contracts use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The six digits that the site's gateway shows.
    GatewayCode,
    /// The QR tag that hangs there.
    Qr,
    /// The NFC tag that hangs there.
    Nfc,
    /// The customer says so, to somebody who is not on the visit.
    Customer,
    /// A position within the site's fence.
    Geofence,
    /// A photo that was taken there at that time, as the phone says.
    Photo,
    /// The technician has said so on the telephone to the desk.
    Call,
}

impl Kind {
    /// All of them, the strongest first.
    pub const ALL: [Self; 7] =
        [Self::GatewayCode, Self::Qr, Self::Nfc, Self::Customer, Self::Geofence, Self::Photo, Self::Call];

    /// The word in contracts, in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GatewayCode => "gateway_code",
            Self::Qr => "qr",
            Self::Nfc => "nfc",
            Self::Customer => "customer",
            Self::Geofence => "geofence",
            Self::Photo => "photo",
            Self::Call => "call",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// Why a piece is only a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// No gateway of this site showed that code then.
    WrongCode,
    /// It was shown then, and has been used already.
    CodeUsed,
    /// Too many wrong codes; more are not looked at.
    TooManyTries,
    /// No such tag hangs at this site.
    OtherTag,
    /// The tag was taken out of use.
    RevokedTag,
    /// A tag without a position: its picture can be anywhere.
    TagAlone,
    /// The position lies outside of the fence.
    Far,
    /// It lies outside, and would lie inside if its numbers meant another map datum.
    OtherDatum,
    /// It is too inexact to say.
    Inexact,
    /// Nobody has said where the site lies.
    NoPlace,
    /// This person has sent no such photo of the visit.
    NoPhoto,
    /// It was taken at another time.
    OtherTime,
    /// Whoever arrives says so alone.
    OwnWord,
}

impl Doubt {
    /// The word in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WrongCode => "wrong_code",
            Self::CodeUsed => "code_used",
            Self::TooManyTries => "too_many_tries",
            Self::OtherTag => "other_tag",
            Self::RevokedTag => "revoked_tag",
            Self::TagAlone => "tag_alone",
            Self::Far => "far",
            Self::OtherDatum => "other_datum",
            Self::Inexact => "inexact",
            Self::NoPlace => "no_place",
            Self::NoPhoto => "no_photo",
            Self::OtherTime => "other_time",
            Self::OwnWord => "own_word",
        }
    }

    /// Whether the piece speaks against the arrival, and is not merely weak.
    pub fn contradicts(self) -> bool {
        match self {
            Self::WrongCode
            | Self::CodeUsed
            | Self::TooManyTries
            | Self::OtherTag
            | Self::RevokedTag
            | Self::Far
            | Self::OtherDatum
            | Self::OtherTime => true,
            Self::TagAlone | Self::Inexact | Self::NoPlace | Self::NoPhoto | Self::OwnWord => false,
        }
    }
}

/// How far from where the site lies one may stand, m.
pub const FENCE_M: f64 = 300.0;
/// Minutes that a code may be old when it is typed, and ahead by the gateway's clock.
const OLD: i64 = 3;
const AHEAD: i64 = 1;
/// Wrong codes of one person, on whichever visits, before no more are looked at: a code is one of a million.
pub const TRIES_MAX: i64 = 10;

/// A position as it was given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position<'a> {
    /// Which map its numbers are of.
    pub datum: &'a str,
    /// Degrees north.
    pub lat: f64,
    /// Degrees east.
    pub lon: f64,
    /// The radius in which the device believes itself, m.
    pub accuracy_m: f64,
}

/// How a position lies to the site.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fenced {
    /// How far off, m; `None` where that cannot be told.
    pub distance_m: Option<f64>,
    /// Why it does not prove anything.
    pub doubt: Option<Doubt>,
}

/// Whether a position lies within the fence around `site`, with all of its inexactness.
pub fn fence(site: Option<Place>, position: Position<'_>) -> Fenced {
    let Some(site) = site else { return Fenced { distance_m: None, doubt: Some(Doubt::NoPlace) } };
    let from =
        |datum: &str| wgs84(datum, position.lat, position.lon).map(|place| distance_km(site, place) * 1000.0);
    let Some(distance) = from(position.datum) else {
        return Fenced { distance_m: None, doubt: Some(Doubt::NoPlace) };
    };
    let accuracy = position.accuracy_m.max(0.0);
    let doubt = if distance + accuracy <= FENCE_M {
        None
    } else if distance - accuracy > FENCE_M {
        let fits = |datum: &str| from(datum).is_some_and(|other| other + accuracy <= FENCE_M);
        let other = DATUMS.iter().filter(|datum| **datum != position.datum).any(|datum| fits(datum));
        Some(if other { Doubt::OtherDatum } else { Doubt::Far })
    } else {
        Some(Doubt::Inexact)
    };
    Fenced { distance_m: Some(distance), doubt }
}

/// What a tag is worth, given whether it is one of this site's, whether it still counts, and how the position beside
/// it lies.
pub fn tag(known: Option<bool>, beside: Option<Fenced>) -> Option<Doubt> {
    match (known, beside) {
        (None, _) => Some(Doubt::OtherTag),
        (Some(false), _) => Some(Doubt::RevokedTag),
        (Some(true), None) => Some(Doubt::TagAlone),
        (Some(true), Some(fenced)) => match fenced.doubt {
            Some(Doubt::NoPlace | Doubt::Inexact) => Some(Doubt::TagAlone),
            doubt => doubt,
        },
    }
}

/// How far from the arrival a photo of it may have been taken.
const PHOTO_NEAR_MS: i64 = 30 * 60_000;

/// What a photo is worth that was taken at `taken_at`, Unix ms, where there is one, for an arrival at `at`. The same phone
/// says both times, so a clock that is wrong moves them together.
pub fn photo(taken_at: Option<i64>, at: Timestamp) -> Option<Doubt> {
    match taken_at {
        None => Some(Doubt::NoPhoto),
        Some(taken_at) if (taken_at - at.as_millisecond()).abs() > PHOTO_NEAR_MS => Some(Doubt::OtherTime),
        Some(_) => None,
    }
}

/// The minute in which a gateway with `key` showed `code`, near `at`; the nearest before it first.
pub fn shown(key: &[u8], gateway: &str, code: &str, at: Timestamp) -> Option<i64> {
    let now = step_at(at.as_second());
    let steps = (0..=OLD).map(|back| now - back).chain((1..=AHEAD).map(|ahead| now + ahead));
    steps.into_iter().find(|step| code_in(key, gateway, *step) == code)
}

/// What a gateway with `key` shows in one minute.
pub fn code_in(key: &[u8], gateway: &str, step: i64) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), &message(gateway, step));
    digits(tag.as_ref()).unwrap_or_default()
}

/// The digits of what was typed or scanned.
pub fn code_of(text: &str) -> String {
    let text = text.trim();
    let text = text.strip_prefix(sitewarden_proto::arrival::QR_PREFIX).unwrap_or(text);
    text.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: Place = Place { lat: 31.2304, lon: 121.4737 };

    fn gps(lat: f64, lon: f64, accuracy_m: f64) -> Option<Doubt> {
        fence(Some(SITE), Position { datum: "wgs84", lat, lon, accuracy_m }).doubt
    }

    #[test]
    fn a_position_counts_with_all_of_its_inexactness() {
        // A thousandth of a degree north is 111 m.
        assert_eq!(gps(31.2314, 121.4737, 30.0), None);
        assert_eq!(gps(31.2314, 121.4737, 250.0), Some(Doubt::Inexact));
        assert_eq!(gps(31.2364, 121.4737, 30.0), Some(Doubt::Far), "30 m exact and 670 m off");
        assert_eq!(gps(31.2364, 121.4737, 5000.0), Some(Doubt::Inexact));
        let nowhere = fence(None, Position { datum: "wgs84", lat: 0.0, lon: 0.0, accuracy_m: 1.0 });
        assert_eq!((nowhere.distance_m, nowhere.doubt), (None, Some(Doubt::NoPlace)));
    }

    #[test]
    fn a_map_position_is_turned_back_once_and_a_mixed_one_is_told() {
        // Where the site lies, in numbers of a Chinese map: some 500 m off if they are taken for GPS.
        let (mut lat, mut lon) = (SITE.lat, SITE.lon);
        for _ in 0..8 {
            let back = wgs84("gcj02", lat, lon).unwrap();
            (lat, lon) = (lat + SITE.lat - back.lat, lon + SITE.lon - back.lon);
        }
        let map = Position { datum: "gcj02", lat, lon, accuracy_m: 20.0 };
        assert_eq!(fence(Some(SITE), map).doubt, None);
        let mixed = fence(Some(SITE), Position { datum: "wgs84", ..map });
        assert_eq!(mixed.doubt, Some(Doubt::OtherDatum));
        assert!(mixed.distance_m.unwrap() > 400.0, "{mixed:?}");
    }

    #[test]
    fn a_tag_counts_only_beside_a_position() {
        let near = Fenced { distance_m: Some(10.0), doubt: None };
        let far = Fenced { distance_m: Some(9000.0), doubt: Some(Doubt::Far) };
        let vague = Fenced { distance_m: Some(10.0), doubt: Some(Doubt::Inexact) };
        assert_eq!(tag(Some(true), Some(near)), None);
        assert_eq!(tag(Some(true), Some(far)), Some(Doubt::Far));
        assert_eq!(tag(Some(true), Some(vague)), Some(Doubt::TagAlone));
        assert_eq!(tag(Some(true), None), Some(Doubt::TagAlone));
        assert_eq!(tag(Some(false), Some(near)), Some(Doubt::RevokedTag));
        assert_eq!(tag(None, Some(near)), Some(Doubt::OtherTag));
    }

    #[test]
    fn a_photo_counts_near_the_arrival() {
        let at = Timestamp::from_second(1_763_500_000).unwrap();
        let minutes = |n: i64| Some(at.as_millisecond() + n * 60_000);
        assert_eq!([photo(minutes(-30), at), photo(minutes(30), at)], [None; 2]);
        assert_eq!([photo(minutes(-31), at), photo(minutes(31), at)], [Some(Doubt::OtherTime); 2]);
        assert_eq!(photo(None, at), Some(Doubt::NoPhoto));
    }

    #[test]
    fn a_code_is_known_for_some_minutes_and_only_at_its_gateway() {
        let key = [7; 32];
        let at = Timestamp::from_second(1_763_500_030).unwrap();
        let step = step_at(at.as_second());
        let code = code_in(&key, "gw-1", step);
        let later = |minutes: i64| at + jiff::SignedDuration::from_mins(minutes);
        let found = |minutes| shown(&key, "gw-1", &code, later(minutes));
        assert_eq!([found(-1), found(0), found(3)], [Some(step); 3]);
        assert_eq!([found(-2), found(4)], [None; 2]);
        assert_eq!(shown(&key, "gw-2", &code, at), None);
        assert_eq!(shown(&[8; 32], "gw-1", &code, at), None);
        assert_eq!(code_of(" SW-ARRIVAL:123456 "), "123456");
        assert_eq!(code_of("123 456"), "123456");
    }
}
