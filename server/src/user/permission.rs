//! Who may do what: one table, and every route names the act it is.
//!
//! Pure. A customer is held to its own rows by its [`crate::user::Scope`], not here.

use serde::{Deserialize, Serialize};

/// What a person is to this installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs the installation: people, customers, sites, gateways.
    Administrator,
    /// Watches the live page and leads the tickets.
    Noc,
    /// Works on tickets and devices.
    Technician,
    /// Pays; sees its own sites only.
    Customer,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Administrator, Self::Noc, Self::Technician, Self::Customer];

    /// The word stored in the database and spoken on the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Noc => "noc",
            Self::Technician => "technician",
            Self::Customer => "customer",
        }
    }

    /// The role of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

macro_rules! acts {
    ($($(#[$doc:meta])* $act:ident = $name:literal,)*) => {
        /// Something a route lets a person do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Act { $($(#[$doc])* $act,)* }

        impl Act {
            /// All acts.
            pub const ALL: &'static [Self] = &[$(Self::$act,)*];

            /// The word for it in `Me.acts`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$act => $name,)* }
            }
        }
    };
}

acts! {
    /// Open to everyone; the route itself checks a token, a signature or nothing.
    Public = "public",
    /// Read by a scraper: from loopback, or with the bearer token of the configuration.
    Scrape = "scrape",
    /// One's own account: who am I, sign out, change my password.
    OwnAccount = "own_account",
    /// One's own ways of being reached.
    OwnContacts = "own_contacts",
    /// The live page, its stream, search and the fault catalogue.
    SeeBoard = "see_board",
    /// Customers.
    SeeCustomers = "see_customers",
    /// Add and change customers.
    EditCustomers = "edit_customers",
    /// Sites.
    SeeSites = "see_sites",
    /// Add and change sites.
    EditSites = "edit_sites",
    /// Gateways.
    SeeGateways = "see_gateways",
    /// Add gateways, issue their tokens, revoke them.
    EditGateways = "edit_gateways",
    /// Devices, their events, states and history.
    SeeDevices = "see_devices",
    /// Add, change and remove devices.
    EditDevices = "edit_devices",
    /// Ask a gateway to probe a device now.
    ProbeDevices = "probe_devices",
    /// What a site allows from afar, and what was done.
    SeeRemedies = "see_remedies",
    /// Change what a site allows, and record consents.
    EditRemedies = "edit_remedies",
    /// Act on a device from afar.
    PressRemedies = "press_remedies",
    /// Plan, extend and end maintenance windows, and say that somebody has arrived.
    EditMaintenance = "edit_maintenance",
    /// Incidents.
    SeeIncidents = "see_incidents",
    /// Tickets with their events and pages.
    SeeTickets = "see_tickets",
    /// Open a ticket by hand.
    OpenTickets = "open_tickets",
    /// Write a note on a ticket.
    NoteTickets = "note_tickets",
    /// Take a ticket.
    AckTickets = "ack_tickets",
    /// Close and reopen a ticket.
    CloseTickets = "close_tickets",
    /// Say of a ticket's work what its clocks count: answered, arrived, restored, paused.
    RecordFacts = "record_facts",
    /// Decide that a clock does not count, or which version of the contract governs a ticket.
    JudgeClocks = "judge_clocks",
    /// Visits with their logs, and the tags of sites.
    SeeVisits = "see_visits",
    /// Plan a visit for oneself, and take the steps of those that one goes on.
    WorkVisits = "work_visits",
    /// Send others, take any step of any visit, call back, file and cancel.
    PlanVisits = "plan_visits",
    /// Complaints, what becomes of them, and what a month's come to.
    SeeComplaints = "see_complaints",
    /// Take complaints down, look into them, answer, close and reopen them.
    WorkComplaints = "work_complaints",
    /// Write the manual of frequent faults: take proposals over, pass them over, change and take out pages.
    EditKnowledge = "edit_knowledge",
    /// Major requests, who has consented to them, what became of them, and what a month's come to.
    SeeMajors = "see_majors",
    /// Raise a major request, begin its work once everybody has consented, and say how it ended.
    WorkMajors = "work_majors",
    /// Consent to a major request, refuse it, or take a consent back; a customer for its own side.
    AnswerMajors = "answer_majors",
    /// Parts, places, what lies where, movements, substitute devices, repairs.
    SeeParts = "see_parts",
    /// Move parts by one's own van, use them on a visit, lend and take back, say how a repair goes.
    WorkParts = "work_parts",
    /// Kinds of parts and places, buying and counting, any movement, when a loaner is to be back.
    EditParts = "edit_parts",
    /// Inspections, what they are counted from, when sites are closed, which devices were looked at.
    SeeInspections = "see_inspections",
    /// Agree to the day of an inspection, and move it with the customer's consent.
    AgreeInspections = "agree_inspections",
    /// Say what inspections are counted from and when a site is closed; approve that one is not needed.
    PlanInspections = "plan_inspections",
    /// Give a ticket to somebody.
    AssignTickets = "assign_tickets",
    /// The people of this installation.
    SeePeople = "see_people",
    /// Add and change people and their contacts.
    EditPeople = "edit_people",
    /// Who is paged for which site.
    SeeDuty = "see_duty",
    /// Change who is paged.
    EditDuty = "edit_duty",
    /// Teams, rotas, shifts, gaps, the duty log and hand-over sheets.
    SeeRota = "see_rota",
    /// Teams, rotas and overrides.
    EditRota = "edit_rota",
    /// Ask a colleague to swap shifts, and answer.
    SwapShifts = "swap_shifts",
    /// Escalation plans, whom they lead to, what would happen, and how the pager itself is.
    SeeEscalation = "see_escalation",
    /// Escalation plans, and who is manager, expert or contact person of what.
    EditEscalation = "edit_escalation",
    /// Where the pager's heartbeat goes, and whose it hears.
    EditPager = "edit_pager",
    /// Which channels are set up, without what was set.
    SeeChannels = "see_channels",
    /// How each attempt to deliver a page went.
    SeeDeliveries = "see_deliveries",
    /// Set up the channels, and the receivers of events.
    EditChannels = "edit_channels",
    /// Write in the duty log, hand over and accept a turn, see one's own statement.
    LogDuty = "log_duty",
    /// Set what duty is worth, close statements.
    EditPay = "edit_pay",
    /// Contracts, their versions and calendars.
    SeeContracts = "see_contracts",
    /// Ask what a contract's text is worth, what it promises and what it charges, without keeping anything.
    CheckContracts = "check_contracts",
    /// Register contracts, save versions, say what they cover, accept, put in service and end them.
    EditContracts = "edit_contracts",
    /// The record of what people changed.
    SeeAudit = "see_audit",
}

/// The permission table.
pub fn allows(role: Role, act: Act) -> bool {
    use Role::{Administrator, Noc, Technician};
    let who: &[Role] = match act {
        // No role of a signed-in person: a scraper has no account.
        Act::Scrape => &[],
        Act::Public
        | Act::OwnAccount
        | Act::SeeBoard
        | Act::SeeSites
        | Act::SeeDevices
        | Act::SeeRemedies
        | Act::SeeIncidents
        | Act::SeeTickets
        | Act::SeeContracts
        | Act::SeeInspections
        | Act::AgreeInspections
        | Act::OpenTickets
        | Act::SeeMajors
        | Act::NoteTickets => &Role::ALL,
        Act::OwnContacts
        | Act::SeeCustomers
        | Act::SeeGateways
        | Act::SeePeople
        | Act::SeeDuty
        | Act::SeeRota
        | Act::SeeEscalation
        | Act::SwapShifts
        | Act::SeeChannels
        | Act::LogDuty
        | Act::ProbeDevices
        | Act::PressRemedies
        | Act::EditMaintenance
        | Act::CheckContracts
        | Act::AckTickets
        | Act::RecordFacts
        | Act::SeeVisits
        | Act::WorkVisits
        | Act::SeeParts
        | Act::WorkParts
        | Act::WorkMajors
        | Act::CloseTickets => &[Administrator, Noc, Technician],
        // Of a technician's attitude no other technician reads, and whoever does the work does not approve of it.
        Act::SeeComplaints | Act::AnswerMajors => &[Administrator, Noc, Role::Customer],
        Act::EditDevices
        | Act::AssignTickets
        | Act::JudgeClocks
        | Act::PlanVisits
        | Act::WorkComplaints
        | Act::EditKnowledge
        | Act::EditParts
        | Act::PlanInspections
        | Act::EditDuty
        | Act::EditRota
        | Act::EditEscalation
        | Act::SeeDeliveries => &[Administrator, Noc],
        Act::EditRemedies
        | Act::EditCustomers
        | Act::EditSites
        | Act::EditGateways
        | Act::EditPeople
        | Act::EditPager
        | Act::EditChannels
        | Act::EditPay
        | Act::EditContracts
        | Act::SeeAudit => &[Administrator],
    };
    who.contains(&role)
}

/// The acts a role may do, as named in `Me.acts`.
pub fn acts_of(role: Role) -> Vec<&'static str> {
    Act::ALL
        .iter()
        .filter(|act| **act != Act::Public && allows(role, **act))
        .map(|act| act.as_str())
        .collect()
}
