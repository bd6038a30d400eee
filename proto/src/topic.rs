//! The nine topics of a gateway. A topic is compared whole with the few that exist; nothing is matched by
//! pattern, so a hostile topic has nothing to hide in.

use crate::id::GatewayId;

/// A topic that is not one of ours, or belongs to another gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the topic is not one that this gateway may use")]
pub struct NotAllowed;

/// What a gateway publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Up {
    /// Birth, heartbeat and will: [`crate::wire::Session`].
    Session,
    /// State changes, and gaps in the numbered stream.
    Events,
    /// Metric blocks.
    Metrics,
    /// What became of a command.
    CommandResult,
    /// Which configuration is applied.
    ReportedConfig,
    /// Devices found on the LAN.
    Discovered,
}

impl Up {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Session,
        Self::Events,
        Self::Metrics,
        Self::CommandResult,
        Self::ReportedConfig,
        Self::Discovered,
    ];

    fn suffix(self) -> &'static str {
        match self {
            Self::Session => "s",
            Self::Events => "u/e",
            Self::Metrics => "u/m",
            Self::CommandResult => "u/r",
            Self::ReportedConfig => "u/g",
            Self::Discovered => "u/d",
        }
    }

    /// The topic on which `gateway` publishes this.
    pub fn topic(self, gateway: &GatewayId) -> String {
        format!("v1/{gateway}/{}", self.suffix())
    }

    /// Which of its own topics `gateway` published on.
    pub fn parse(topic: &str, gateway: &GatewayId) -> Result<Self, NotAllowed> {
        let suffix = own(topic, gateway)?;
        Self::ALL.into_iter().find(|up| up.suffix() == suffix).ok_or(NotAllowed)
    }
}

/// What the server publishes to a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Down {
    /// What is committed: [`crate::wire::Ack`].
    Ack,
    /// A signed command.
    Command,
    /// The desired configuration.
    DesiredConfig,
}

impl Down {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ack, Self::Command, Self::DesiredConfig];

    fn suffix(self) -> &'static str {
        match self {
            Self::Ack => "d/k",
            Self::Command => "d/c",
            Self::DesiredConfig => "d/g",
        }
    }

    /// The topic to which `gateway` subscribes for this.
    pub fn topic(self, gateway: &GatewayId) -> String {
        format!("v1/{gateway}/{}", self.suffix())
    }

    /// Which of its topics `gateway` received something on.
    pub fn parse(topic: &str, gateway: &GatewayId) -> Result<Self, NotAllowed> {
        let suffix = own(topic, gateway)?;
        Self::ALL.into_iter().find(|down| down.suffix() == suffix).ok_or(NotAllowed)
    }
}

/// What follows `v1/<gateway>/`.
fn own<'t>(topic: &'t str, gateway: &GatewayId) -> Result<&'t str, NotAllowed> {
    topic
        .strip_prefix("v1/")
        .and_then(|rest| rest.strip_prefix(gateway.as_str()))
        .and_then(|rest| rest.strip_prefix('/'))
        .ok_or(NotAllowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_is_read_back_and_nothing_else() {
        let me: GatewayId = "gw-0123456789".parse().unwrap();
        let other: GatewayId = "gw-0123456789a".parse().unwrap();
        for up in Up::ALL {
            assert_eq!(Up::parse(&up.topic(&me), &me), Ok(up));
            assert_eq!(Up::parse(&up.topic(&other), &me), Err(NotAllowed));
            assert_eq!(Down::parse(&up.topic(&me), &me), Err(NotAllowed));
        }
        for down in Down::ALL {
            assert_eq!(Down::parse(&down.topic(&me), &me), Ok(down));
            assert_eq!(Up::parse(&down.topic(&me), &me), Err(NotAllowed));
        }
        for hostile in [
            "",
            "é/x",
            "v1/",
            "v1/gw-0123456789",
            "v1/gw-0123456789/",
            "v1/gw-0123456789/u/e/",
            "v1/+/s",
            "#",
            "$SYS/x",
        ] {
            assert_eq!(Up::parse(hostile, &me), Err(NotAllowed), "{hostile}");
        }
    }
}
