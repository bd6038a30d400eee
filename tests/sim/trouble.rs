//! The ways to break a device, each with the class of device that can have it and what it has to speak.

use std::str::FromStr;

use anyhow::{Result, bail};
use serde::{Serialize, Serializer};

use super::device::Service;

/// A way to break a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// No power: nothing answers, nor does what hangs off it.
    Unplug,
    /// Accepts, but takes longer than anyone waits.
    Slow,
    /// Somebody changed the password.
    Password,
    /// Its clock is ten minutes ahead.
    Clock,
    /// The stream port is closed; on a switch, the port of the first device behind it is down.
    Port,
    /// Its certificate ran out.
    Certificate,
    /// A disk of a recorder, or the card of a camera, has failed.
    Disk,
    /// A recorder has lost one of its cameras.
    Channel,
    /// A recorder does not record one of its channels.
    Recording,
    /// Somebody switched the recording schedule of a channel off.
    Schedule,
    /// The mains are gone, and it runs from its battery.
    Battery,
    /// Somebody has opened its case, or covered or turned a camera.
    Tamper,
    /// One of its card readers does not answer.
    Reader,
    /// A door is locked, and stands open.
    Ajar,
    /// The wire of the fire input is broken.
    Fire,
    /// The encoder has no picture from its sensor.
    Signal,
    /// The stream plays, and no packet comes.
    Stall,
    /// The stream has another name since an update.
    Renamed,
    /// All sessions of the stream are taken.
    Busy,
    /// The stream has no source.
    Source,
    /// The stream has no key frame.
    KeyFrame,
    /// Each fifth packet is lost.
    Loss,
    /// The picture is black.
    Black,
    /// The picture is another one than before.
    Turned,
    /// The picture stands still.
    Frozen,
    /// The lens is out of focus.
    Blurred,
    /// A port cannot feed its device, which is dead.
    Feed,
    /// Its feeds take nearly all that it can give.
    Budget,
    /// A fan stands still.
    Fan,
    /// A power supply has failed.
    Supply,
    /// It is too hot.
    Heat,
    /// Its processor is busy.
    Load,
    /// Its memory is full.
    Memory,
    /// A port damages packets.
    Errors,
    /// A port has agreed to half duplex.
    Duplex,
}

/// Each with the word of the panel and its API, in the order of the panel.
const WORDS: [(Trouble, &str); 35] = [
    (Trouble::Unplug, "unplug"),
    (Trouble::Slow, "slow"),
    (Trouble::Password, "password"),
    (Trouble::Clock, "clock"),
    (Trouble::Port, "port"),
    (Trouble::Certificate, "certificate"),
    (Trouble::Disk, "disk"),
    (Trouble::Channel, "channel"),
    (Trouble::Recording, "recording"),
    (Trouble::Schedule, "schedule"),
    (Trouble::Battery, "battery"),
    (Trouble::Tamper, "tamper"),
    (Trouble::Reader, "reader"),
    (Trouble::Ajar, "ajar"),
    (Trouble::Fire, "fire"),
    (Trouble::Signal, "signal"),
    (Trouble::Stall, "stall"),
    (Trouble::Renamed, "renamed"),
    (Trouble::Busy, "busy"),
    (Trouble::Source, "source"),
    (Trouble::KeyFrame, "key_frame"),
    (Trouble::Loss, "loss"),
    (Trouble::Black, "black"),
    (Trouble::Turned, "turned"),
    (Trouble::Frozen, "frozen"),
    (Trouble::Blurred, "blurred"),
    (Trouble::Feed, "feed"),
    (Trouble::Budget, "budget"),
    (Trouble::Fan, "fan"),
    (Trouble::Supply, "supply"),
    (Trouble::Heat, "heat"),
    (Trouble::Load, "load"),
    (Trouble::Memory, "memory"),
    (Trouble::Errors, "errors"),
    (Trouble::Duplex, "duplex"),
];

impl Trouble {
    /// All of them, in the order of the panel.
    pub fn all() -> impl Iterator<Item = Self> {
        WORDS.into_iter().map(|(trouble, _)| trouble)
    }

    /// The word of the panel and its API.
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|(trouble, _)| *trouble == self).map_or("", |(_, word)| word)
    }

    /// Whether a device of this class that speaks these can have it.
    pub fn befalls(self, class: &str, services: &[Service]) -> bool {
        let speaks = |wanted: fn(&Service) -> bool| services.iter().any(wanted);
        match self {
            Self::Unplug | Self::Slow => true,
            Self::Password => speaks(|s| matches!(s, Service::Web { .. } | Service::Snmp { .. })),
            Self::Clock => matches!(class, "nvr" | "camera") || speaks(|s| matches!(s, Service::Time { .. })),
            Self::Port => {
                class == "switch" || speaks(|s| matches!(s, Service::Tcp { .. } | Service::Rtsp { .. }))
            }
            Self::Certificate => speaks(|s| matches!(s, Service::SecureWeb { .. })),
            Self::Disk => matches!(class, "nvr" | "camera"),
            Self::Channel | Self::Recording | Self::Schedule => class == "nvr",
            Self::Battery => matches!(class, "ups" | "access"),
            Self::Tamper => matches!(class, "access" | "camera"),
            Self::Reader | Self::Ajar | Self::Fire => class == "access",
            Self::Signal | Self::Black | Self::Turned | Self::Frozen | Self::Blurred => class == "camera",
            Self::Stall | Self::Renamed | Self::Busy | Self::Source | Self::KeyFrame | Self::Loss => {
                class == "camera"
            }
            Self::Feed
            | Self::Budget
            | Self::Fan
            | Self::Supply
            | Self::Heat
            | Self::Load
            | Self::Memory
            | Self::Errors
            | Self::Duplex => class == "switch",
        }
    }

    /// A switch that has it gives nothing to the first device behind it.
    pub fn cuts_first_port(self) -> bool {
        matches!(self, Self::Port | Self::Feed)
    }
}

impl Serialize for Trouble {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl FromStr for Trouble {
    type Err = anyhow::Error;

    fn from_str(word: &str) -> Result<Self> {
        match WORDS.iter().find(|(_, known)| *known == word) {
            Some((trouble, _)) => Ok(*trouble),
            None => {
                let words: Vec<&str> = WORDS.iter().map(|(_, word)| *word).collect();
                bail!("`{word}` is not a way to break a device; use one of {}", words.join(", "))
            }
        }
    }
}
