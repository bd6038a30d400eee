//! A remedy is a bounded action from afar before anyone travels: a PoE port goes off and on again, a device
//! restarts, a recorder takes a channel up anew. A site allows it or not, per class of device; where the customer
//! wants to be asked first, nothing happens without a consent on record.
//!
//! An automatic remedy holds the pages of its ticket back for a few minutes. If it heals, nobody is woken; if not,
//! the page says what was tried. Whatever keeps one from being tried is said on the ticket, never silently.

pub mod api;
pub mod step;
pub mod store;

use std::collections::BTreeSet;

use jiff::civil::Date;

/// What may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A PoE port goes off and on again.
    PoeCycle,
    /// The device restarts.
    Reboot,
    /// A recorder takes a channel up anew.
    ReaddChannel,
}

impl Kind {
    /// All of them, the gentlest first.
    pub const ALL: [Self; 3] = [Self::PoeCycle, Self::Reboot, Self::ReaddChannel];

    /// The word in the database, on the wire and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PoeCycle => "poe_cycle",
            Self::Reboot => "reboot",
            Self::ReaddChannel => "readd_channel",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The classes of device that it may be allowed for. A switch is never cut from its power, an access controller
    /// never restarted: both would do more than they heal.
    pub fn classes(self) -> &'static [&'static str] {
        match self {
            Self::PoeCycle => &["camera", "access", "phone", "intrusion", "other"],
            Self::Reboot => &["camera", "nvr", "other"],
            Self::ReaddChannel => &["nvr"],
        }
    }

    /// Whether it may be done without a person for a device of this class. A recorder restarts only by hand: while it
    /// does, nothing is recorded.
    pub fn may_be_automatic(self, class: &str) -> bool {
        match self {
            Self::PoeCycle => true,
            Self::Reboot => class != "nvr",
            Self::ReaddChannel => false,
        }
    }
}

/// Whether the customer is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsentMode {
    /// It is not needed.
    None,
    /// One consent that stands until it ends or is taken back.
    Standing,
    /// One for each remedy; so none is automatic.
    Each,
}

impl ConsentMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Standing, Self::Each];

    /// The word in the database and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Standing => "standing",
            Self::Each => "each",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }
}

/// The most of one kind that a rule may allow on one device in a day.
pub const DAILY_LIMIT_MAX: i64 = 5;
/// How long an automatic remedy may hold pages back, seconds.
pub const WAIT_S: std::ops::RangeInclusive<i64> = 60..=600;
/// Remedies that may wait for their turn on one site; with more, something bigger is wrong.
pub const QUEUE_MAX: i64 = 3;

/// What a site allows for one class of device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// For which class.
    pub class: String,
    /// What.
    pub kind: Kind,
    /// By itself, when a fault of [`Rule::codes`] opens.
    pub automatic: bool,
    /// Fault codes that it may be tried for by itself.
    pub codes: Vec<String>,
    /// So many on one device and day of the site.
    pub daily_limit: i64,
    /// How long pages wait for it, seconds.
    pub wait_s: i64,
    /// A device that needed one on so many days in a row is not cured by it: then people are paged. 0 = no such bound.
    pub days_limit: i64,
}

/// Why a rule cannot be.
pub fn rule_fault(rule: &Rule) -> Option<String> {
    let (kind, class) = (rule.kind, rule.class.as_str());
    if !kind.classes().contains(&class) {
        let classes = kind.classes().join(", ");
        return Some(format!(
            "{} is not done to a device of class `{class}`, only to {classes}",
            kind.as_str()
        ));
    }
    if rule.automatic && !kind.may_be_automatic(class) {
        return Some(format!("{} of a device of class `{class}` is pressed by a person only", kind.as_str()));
    }
    if rule.automatic && rule.codes.is_empty() {
        return Some("an automatic remedy needs the fault codes that it is tried for".to_owned());
    }
    if !(1..=DAILY_LIMIT_MAX).contains(&rule.daily_limit) {
        return Some(format!("the limit of a day goes from 1 to {DAILY_LIMIT_MAX}"));
    }
    if !WAIT_S.contains(&rule.wait_s) {
        return Some(format!("pages wait from {} to {} seconds", WAIT_S.start(), WAIT_S.end()));
    }
    (!(0..=30).contains(&rule.days_limit)).then(|| "the days in a row go from 0 to 30".to_owned())
}

/// Everything that decides whether a remedy may begin.
#[derive(Clone, Debug)]
pub struct Case<'a> {
    /// The site allows remedies at all.
    pub enabled: bool,
    /// What it allows for this class and kind.
    pub rule: Option<&'a Rule>,
    /// The fault that it is for; `None` when a person presses.
    pub code: Option<&'a str>,
    /// Whether the customer is asked.
    pub mode: ConsentMode,
    /// A consent is on record that covers this one.
    pub consented: bool,
    /// Minute of the site's day.
    pub minute: i64,
    /// From which minute to which it is allowed; equal = always.
    pub hours: (i64, i64),
    /// How many of this kind this device had today.
    pub today: i64,
    /// How many days in a row before today it needed one.
    pub days_before: i64,
    /// How many others the site has under way or waiting.
    pub waiting: i64,
    /// Somebody works there by arrangement.
    pub maintenance: bool,
}

/// Why a remedy does not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    /// The site allows none.
    Off,
    /// Not of this kind for this class.
    NotAllowed,
    /// Only by hand.
    ByHand,
    /// No consent is on record.
    Consent,
    /// Outside the hours.
    Hours,
    /// The limit of the day is reached.
    Limit,
    /// It needed one on too many days in a row.
    NoCure,
    /// Too many wait: something bigger is wrong.
    Storm,
    /// Somebody works there.
    Maintenance,
    /// Another one is under way on this site.
    Busy,
    /// The gateway is not connected.
    Offline,
    /// Nobody knows on which port it hangs.
    NoPort,
    /// More than one thing hangs on that port, or another switch.
    SharedPort,
    /// No credentials to do it with.
    NoRights,
    /// What it hangs off is down.
    Parent,
    /// Its time was over before it could begin.
    Late,
}

impl No {
    /// The word on records and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::NotAllowed => "not_allowed",
            Self::ByHand => "by_hand",
            Self::Consent => "consent",
            Self::Hours => "hours",
            Self::Limit => "limit",
            Self::NoCure => "no_cure",
            Self::Storm => "storm",
            Self::Maintenance => "maintenance",
            Self::Busy => "busy",
            Self::Offline => "offline",
            Self::NoPort => "no_port",
            Self::SharedPort => "shared_port",
            Self::NoRights => "no_rights",
            Self::Parent => "parent",
            Self::Late => "late",
        }
    }

    /// A sentence with what to do.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Off => "allow remedies in the site's settings",
            Self::NotAllowed => "allow it for this class of device in the site's settings",
            Self::ByHand => "press it by hand",
            Self::Consent => "record who agreed, in which words",
            Self::Hours => "wait for the hours that the site allows",
            Self::Limit => "send somebody: the limit of the day is reached",
            Self::NoCure => "send somebody: it needed one day after day",
            Self::Storm => "look for a common cause first",
            Self::Maintenance => "somebody works there; press it by hand if it helps them",
            Self::Busy => "wait until the other remedy is over",
            Self::Offline => "wait until the gateway is connected",
            Self::NoPort => "record the port on the device's page, or let a switch be read",
            Self::SharedPort => "more than this device hangs on that port",
            Self::NoRights => "add a [remedy] table with credentials to the device or its switch",
            Self::Parent => "mend what it hangs off first",
            Self::Late => "press it again",
        }
    }
}

/// Whether a remedy may begin, as far as the site's rules go. A person's hand overrides what only keeps the machine
/// from acting alone, and nothing else.
pub fn decide(case: &Case<'_>) -> Result<(), No> {
    if !case.enabled {
        return Err(No::Off);
    }
    let Some(rule) = case.rule else { return Err(No::NotAllowed) };
    if let Some(code) = case.code {
        if !rule.automatic || !rule.codes.iter().any(|allowed| allowed == code) {
            return Err(No::ByHand);
        }
        if case.mode == ConsentMode::Each {
            return Err(No::Consent);
        }
        if case.maintenance {
            return Err(No::Maintenance);
        }
        if rule.days_limit > 0 && case.days_before + 1 >= rule.days_limit {
            return Err(No::NoCure);
        }
        if case.waiting >= QUEUE_MAX {
            return Err(No::Storm);
        }
    } else if case.waiting > 0 {
        return Err(No::Busy);
    }
    if case.mode != ConsentMode::None && !case.consented {
        return Err(No::Consent);
    }
    if !is_within(case.minute, case.hours) {
        return Err(No::Hours);
    }
    if case.today >= rule.daily_limit {
        return Err(No::Limit);
    }
    Ok(())
}

fn is_within(minute: i64, (from, to): (i64, i64)) -> bool {
    match from.cmp(&to) {
        std::cmp::Ordering::Equal => true,
        std::cmp::Ordering::Less => (from..to).contains(&minute),
        std::cmp::Ordering::Greater => minute >= from || minute < to,
    }
}

/// On how many days in a row before `today` something was done.
pub fn days_in_row(days: &BTreeSet<Date>, today: Date) -> i64 {
    let mut count = 0;
    let mut day = today;
    while let Ok(before) = day.yesterday() {
        if !days.contains(&before) {
            break;
        }
        (day, count) = (before, count + 1);
    }
    count
}

/// What the text of a device allows its gateway to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Write over SNMP: PoE ports.
    pub snmp: bool,
    /// Restart over a vendor's protocol.
    pub reboot: bool,
    /// Restart, and channels: ISAPI.
    pub isapi: bool,
}

/// Reads the `[remedy]` tables of a device's text as far as the server needs to.
pub fn rights(text: &str) -> Rights {
    let Ok(table) = text.parse::<toml::Table>() else { return Rights::default() };
    let Some(remedy) = table.get("remedy") else { return Rights::default() };
    let protocol = remedy.get("http").and_then(|http| http.get("protocol")).and_then(toml::Value::as_str);
    Rights {
        snmp: remedy.get("snmp").is_some(),
        reboot: protocol.is_some(),
        isapi: protocol == Some("isapi"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> Rule {
        Rule {
            class: "camera".into(),
            kind: Kind::PoeCycle,
            automatic: true,
            codes: vec!["unreachable".into()],
            daily_limit: 2,
            wait_s: 240,
            days_limit: 3,
        }
    }

    fn case(rule: &Rule) -> Case<'_> {
        Case {
            enabled: true,
            rule: Some(rule),
            code: Some("unreachable"),
            mode: ConsentMode::None,
            consented: false,
            minute: 180,
            hours: (0, 0),
            today: 0,
            days_before: 0,
            waiting: 0,
            maintenance: false,
        }
    }

    #[test]
    fn everything_that_forbids_a_remedy_forbids_it() {
        let rule = rule();
        let base = case(&rule);
        let check = |case: Case<'_>, expected| assert_eq!(decide(&case), expected, "{case:?}");
        check(base.clone(), Ok(()));
        check(Case { enabled: false, ..base.clone() }, Err(No::Off));
        check(Case { rule: None, ..base.clone() }, Err(No::NotAllowed));
        check(Case { code: Some("http_silent"), ..base.clone() }, Err(No::ByHand));
        check(Case { mode: ConsentMode::Standing, ..base.clone() }, Err(No::Consent));
        check(Case { mode: ConsentMode::Standing, consented: true, ..base.clone() }, Ok(()));
        check(Case { mode: ConsentMode::Each, consented: true, ..base.clone() }, Err(No::Consent));
        check(Case { hours: (360, 1320), ..base.clone() }, Err(No::Hours));
        check(Case { hours: (1320, 360), ..base.clone() }, Ok(()));
        check(Case { today: 2, ..base.clone() }, Err(No::Limit));
        check(Case { days_before: 2, ..base.clone() }, Err(No::NoCure));
        check(Case { waiting: 3, ..base.clone() }, Err(No::Storm));
        check(Case { maintenance: true, ..base.clone() }, Err(No::Maintenance));
    }

    #[test]
    fn a_hand_overrides_what_only_binds_the_machine() {
        let rule = Rule { automatic: false, codes: Vec::new(), ..rule() };
        let base = Case { code: None, days_before: 9, maintenance: true, ..case(&rule) };
        assert_eq!(decide(&base), Ok(()));
        assert_eq!(decide(&Case { today: 2, ..base.clone() }), Err(No::Limit));
        assert_eq!(decide(&Case { waiting: 1, ..base.clone() }), Err(No::Busy));
        assert_eq!(decide(&Case { mode: ConsentMode::Each, ..base.clone() }), Err(No::Consent));
        assert_eq!(decide(&Case { mode: ConsentMode::Each, consented: true, ..base }), Ok(()));
    }

    #[test]
    fn rules_that_would_harm_are_refused() {
        assert_eq!(rule_fault(&rule()), None);
        assert!(rule_fault(&Rule { class: "switch".into(), ..rule() }).is_some());
        assert!(rule_fault(&Rule { class: "access".into(), kind: Kind::Reboot, ..rule() }).is_some());
        assert!(rule_fault(&Rule { class: "nvr".into(), kind: Kind::Reboot, ..rule() }).is_some());
        let by_hand = Rule { automatic: false, ..rule() };
        assert_eq!(rule_fault(&Rule { class: "nvr".into(), kind: Kind::Reboot, ..by_hand }), None);
        assert!(rule_fault(&Rule { codes: Vec::new(), ..rule() }).is_some());
        assert!(rule_fault(&Rule { daily_limit: 9, ..rule() }).is_some());
        assert!(rule_fault(&Rule { wait_s: 3600, ..rule() }).is_some());
    }

    #[test]
    fn days_in_a_row_are_counted_back_from_yesterday() {
        let day = |d: i8| jiff::civil::date(2026, 11, d);
        let days = BTreeSet::from([day(14), day(16), day(17), day(18)]);
        assert_eq!(days_in_row(&days, day(18)), 2);
        assert_eq!(days_in_row(&days, day(19)), 3);
        assert_eq!(days_in_row(&days, day(20)), 0);
    }

    #[test]
    fn rights_are_read_from_the_devices_text() {
        let text = "[[check]]\nkind = \"icmp\"\n[remedy.http]\nprotocol = \"isapi\"\nuser = \"u\"\npassword = \"p\"\n";
        assert_eq!(rights(text), Rights { snmp: false, reboot: true, isapi: true });
        assert_eq!(rights("[remedy.snmp]\ncommunity = \"w\"\n"), Rights { snmp: true, ..Rights::default() });
        assert_eq!(rights("nonsense ="), Rights::default());
    }
}
