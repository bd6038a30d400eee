//! A gateway is the box on a site that runs our agent. It is known by its certificate and heard by its
//! heartbeats; what the server thinks of it is one of five states.
//!
//! A lost connection makes a gateway *suspect*, not silent: links blink. It is *silent* when three
//! heartbeats in a row did not come. Whoever speaks for a revoked gateway is not listened to at all.

pub mod api;
pub mod command;
pub mod desired;
pub mod discovery;
pub mod enrol;
pub mod local;
pub mod reseal;
pub mod step;
pub mod store;
pub mod wire;

use jiff::{SignedDuration, Timestamp};
use sitewarden_proto::limits::{HEARTBEAT_S, HEARTBEATS_MISSED};

/// What the server thinks of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not been heard since it was added or admitted again.
    Never,
    /// It is connected and its heartbeats come.
    Online,
    /// Its connection ended without a goodbye; the next heartbeats decide.
    Suspect,
    /// Three heartbeats in a row did not come.
    Silent,
    /// Its certificates are void.
    Revoked,
}

/// How long a gateway's history may stand still on its way before its tickets are paged all the same.
pub const REPLAY_LIMIT: SignedDuration = SignedDuration::from_secs(300);
/// How long it may be on its way at all: then tickets are paged, however well it moves.
pub const REPLAY_MAX: SignedDuration = SignedDuration::from_hours(1);

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Never, Self::Online, Self::Suspect, Self::Silent, Self::Revoked];

    /// The word in the database and on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Online => "online",
            Self::Suspect => "suspect",
            Self::Silent => "silent",
            Self::Revoked => "revoked",
        }
    }

    /// The state of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// True while what its devices report can be believed to be current.
    pub fn is_heard(self) -> bool {
        match self {
            Self::Online | Self::Suspect => true,
            Self::Never | Self::Silent | Self::Revoked => false,
        }
    }
}

/// How long a gateway may say nothing before it is silent.
pub fn silence_limit(heartbeat_s: i64) -> SignedDuration {
    SignedDuration::from_secs(bound_heartbeat(heartbeat_s) * i64::from(HEARTBEATS_MISSED))
}

/// True when a gateway last heard at `heard_at` is silent at `now`.
pub fn is_silent(heard_at: Timestamp, heartbeat_s: i64, now: Timestamp) -> bool {
    now.duration_since(heard_at) > silence_limit(heartbeat_s)
}

/// A heartbeat that a gateway announced, brought into the wire's bounds: a gateway must not be able to talk
/// the server out of noticing its silence.
pub fn bound_heartbeat(announced_s: i64) -> i64 {
    announced_s.clamp(i64::from(*HEARTBEAT_S.start()), i64::from(*HEARTBEAT_S.end()))
}

/// A new gateway's id: sorts by time, fits the wire's rule.
pub fn new_id(now: Timestamp) -> sitewarden_proto::id::GatewayId {
    let uuid = crate::id::uuid_v7(now);
    format!("gw-{uuid}").try_into().expect("`gw-` and a UUID are 39 characters of a-z, 0-9 and -")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn the_third_missed_heartbeat_makes_silence() {
        assert!(!is_silent(at(0), 60, at(180)));
        assert!(is_silent(at(0), 60, at(181)));
        assert!(is_silent(at(0), i64::MAX, at(2701)));
        assert!(!is_silent(at(0), -5, at(15)));
    }

    #[test]
    fn words_are_read_back() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
        }
        assert_eq!(State::parse("fine"), None);
    }

    #[test]
    fn a_new_id_fits_the_wire() {
        assert_eq!(new_id(at(0)).as_ref().len(), 39);
    }
}
