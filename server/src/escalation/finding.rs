//! What may be wrong with the pager itself. The audit looks for it; a heartbeat leaves only while it finds nothing.

/// A kind of thing that keeps people from being paged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A ticket that nobody has and for which nothing more will happen.
    NoNextStep,
    /// A step whose time is over and that was not done.
    Overdue,
    /// Pages that wait although they are due.
    Unsent,
    /// A site whose trouble would page nobody.
    SiteToNobody,
    /// Devices of a site and class whose trouble would page nobody.
    DeviceToNobody,
    /// A rota without anybody at some time of the next 14 days.
    RotaGap,
    /// A contract in service with sites for which neither a rota nor a duty list names anybody.
    ContractWithoutRota,
    /// A way to a person that failed its last test.
    ChannelFailed,
    /// An address of a person that its provider calls gone.
    AddressGone,
    /// A person who is reached by nothing but pushes, which may be lost without anybody's notice.
    PushAlone,
}

impl Kind {
    /// What is looked at every minute; costs what is open.
    pub const OPEN: [Self; 3] = [Self::NoNextStep, Self::Overdue, Self::Unsent];
    /// What is looked at every ten minutes; costs what is set up.
    pub const SET_UP: [Self; 6] = [
        Self::SiteToNobody,
        Self::RotaGap,
        Self::ContractWithoutRota,
        Self::ChannelFailed,
        Self::AddressGone,
        Self::PushAlone,
    ];

    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoNextStep => "no_next_step",
            Self::Overdue => "overdue",
            Self::Unsent => "unsent",
            Self::SiteToNobody => "site_to_nobody",
            Self::DeviceToNobody => "device_to_nobody",
            Self::RotaGap => "rota_gap",
            Self::ContractWithoutRota => "contract_without_rota",
            Self::ChannelFailed => "channel_failed",
            Self::AddressGone => "address_gone",
            Self::PushAlone => "push_alone",
        }
    }
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub kind: Kind,
    /// Names it within its kind, and leads to it: a ticket's number, a site, a rota, a person.
    pub subject: String,
    /// What people call it.
    pub label: String,
    /// More words, as they are.
    pub detail: String,
}
