//! Names that travel on the wire. Each is a newtype that cannot hold a text which breaks its rule, so a
//! function that takes a [`DeviceId`] has nothing left to check.

use std::fmt;
use std::str::FromStr;

use crate::limits::{FAULT_CODE_MAX, NAME_MAX};

/// A text that does not obey the rule of the name it should become.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} is not valid: it takes {rule}")]
pub struct Error {
    /// What the text should have been.
    pub what: &'static str,
    /// The text, cut to 80 characters.
    pub text: String,
    /// The rule, as a phrase.
    pub rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $range:expr, $extra:literal, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                let is_char = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == $extra;
                if $range.contains(&text.len()) && text.bytes().all(is_char) {
                    Ok(Self(text))
                } else {
                    Err(Error { what: $what, text: text.chars().take(80).collect(), rule: $rule })
                }
            }
        }

        impl TryFrom<&str> for $name {
            type Error = Error;

            fn try_from(text: &str) -> Result<Self, Error> {
                Self::try_from(text.to_owned())
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A gateway: one topic segment, the common name of its certificate and its MQTT client id.
    GatewayId,
    "gateway id",
    (12..=40),
    b'-',
    "12 to 40 characters of a-z, 0-9 and -"
);

name!(
    /// A device, unique within its gateway.
    DeviceId,
    "device id",
    (1..=NAME_MAX),
    b'-',
    "1 to 64 characters of a-z, 0-9 and -"
);

name!(
    /// What can be wrong with a device. The catalogue is [`crate::fault`]; a code that a newer agent sends
    /// and this build does not know is still a valid code.
    FaultCode,
    "fault code",
    (1..=FAULT_CODE_MAX),
    b'_',
    "1 to 48 characters of a-z, 0-9 and _"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_their_rules() {
        assert!("gw-0123456789".parse::<GatewayId>().is_ok());
        assert!("gw-012345678é".parse::<GatewayId>().is_err());
        assert!("short".parse::<GatewayId>().is_err());
        assert!("x".repeat(41).parse::<GatewayId>().is_err());
        assert!("a/b".parse::<DeviceId>().is_err());
        assert!("".parse::<DeviceId>().is_err());
        assert!("x".repeat(64).parse::<DeviceId>().is_ok());
        assert!("x".repeat(65).parse::<DeviceId>().is_err());
        assert!("port_closed".parse::<FaultCode>().is_ok());
        assert!("port-closed".parse::<FaultCode>().is_err());
    }

    #[test]
    fn the_error_names_the_rule() {
        let error = "Gate 3".parse::<DeviceId>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "device id \"Gate 3\" is not valid: it takes 1 to 64 characters of a-z, 0-9 and -"
        );
    }
}
