//! What a device hangs off: a link to another device, for reach or for power, alone or as one of a redundant group.

/// The most parents one device may have.
pub const PARENTS_MAX: usize = 8;

/// What a parent is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The way to it.
    Reach,
    /// Its electricity.
    Power,
}

impl Need {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reach => "reach",
            Self::Power => "power",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Reach, Self::Power].into_iter().find(|need| need.as_str() == word)
    }
}

/// Who knows of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A person wrote it down.
    Recorded,
    /// A switch said so.
    Learned,
}

impl Source {
    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Learned => "learned",
        }
    }
}

/// One link upwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The device it hangs off.
    pub parent: String,
    /// What for.
    pub need: Need,
    /// Of the links that share a name, one that works is enough; alone when it is empty.
    pub group: String,
}
