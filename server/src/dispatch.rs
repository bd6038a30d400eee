//! Who is sent to a site, and why: everybody who may go, the best first, each with what speaks for and against. Pure.
//!
//! People are compared by one thing after the other, never by a sum of points: whoever reads the list can see why one
//! stands above another. Somebody who lacks the skill that is asked for, whose certificate has run out, who is at work
//! elsewhere at that time or who would come after an arrival is due is never proposed, and stays in the list. A distance
//! that nobody knows speaks neither for nor against being in time.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};

use crate::site::place::{Place, distance_km};
use crate::sla::travel::Way;

pub mod api;
pub mod store;

/// Whoever has another visit planned within this of a time is taken by it.
pub const TAKES: SignedDuration = SignedDuration::from_hours(2);
/// Whoever is at a site now sets out from there for a visit within this.
const STAYS: SignedDuration = SignedDuration::from_hours(4);

/// The words by which people call a class of device when they write down who can repair it, besides the class itself.
const WORDS: [(&str, &[&str]); 9] = [
    ("camera", &["cctv", "video", "摄像机", "监控", "视频监控"]),
    ("nvr", &["recorder", "cctv", "video", "录像机", "监控", "视频监控"]),
    ("switch", &["network", "交换机", "网络"]),
    ("gateway", &["network", "网关", "网络"]),
    ("access", &["access control", "door", "门禁", "一卡通"]),
    ("ups", &["power", "电源"]),
    ("phone", &["telephone", "电话"]),
    ("intrusion", &["alarm", "入侵报警", "报警"]),
    ("server", &["服务器", "软件"]),
];

/// The skills, of those that people here have, that a class of device asks for.
pub fn asked<'s>(class: &str, known: &'s [String]) -> Vec<&'s str> {
    let words = WORDS.iter().find(|(of, _)| *of == class).map_or(&[][..], |(_, words)| words);
    let is_asked = |skill: &&String| {
        let skill = skill.trim().to_lowercase();
        skill == class || words.contains(&skill.as_str())
    };
    known.iter().filter(is_asked).map(String::as_str).collect()
}

/// What somebody has of the skill that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ability {
    /// None is asked for.
    NotAsked,
    /// Has it, until the certificate runs out where it does.
    Has {
        /// The skill.
        skill: String,
        /// The certificate that says so; may be empty.
        certificate: String,
        /// When it runs out.
        expires_at: Option<Timestamp>,
    },
    /// Had it; the certificate has run out by then.
    Expired {
        /// The skill.
        skill: String,
        /// The certificate that said so.
        certificate: String,
        /// When it ran out.
        at: Timestamp,
    },
    /// Lacks it.
    Missing,
}

/// One of somebody's other visits that stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The number of its ticket.
    pub ticket_number: i64,
    /// Its state, as in [`crate::visit::State::as_str`].
    pub state: String,
    /// For when it is planned.
    pub planned_at: Option<Timestamp>,
    /// Where.
    pub place: Option<Place>,
}

impl Job {
    /// Whether somebody is on the way or at work.
    fn is_under_way(&self) -> bool {
        matches!(self.state.as_str(), "departed" | "arrived" | "working")
    }

    fn is_there(&self) -> bool {
        matches!(self.state.as_str(), "arrived" | "working" | "paused")
    }
}

/// Somebody who may go.
#[derive(Clone, Debug, PartialEq)]
pub struct Person {
    /// Who.
    pub account_id: String,
    /// What others read.
    pub account: String,
    /// What of the skill.
    pub ability: Ability,
    /// Whether the site or its customer has named this person as its own.
    pub is_engineer: bool,
    /// The team of this person that serves the site.
    pub team: Option<String>,
    /// Whether on duty for the site at that time.
    pub is_on_duty: bool,
    /// Whether a van goes with this person.
    pub has_van: bool,
    /// The home.
    pub home: Option<Place>,
    /// Other visits that stand.
    pub jobs: Vec<Job>,
}

/// A visit that somebody is wanted for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Where; `None` where the site's position is not known.
    pub site: Option<Place>,
    /// When; not before `now`.
    pub at: Timestamp,
    /// Whether `at` was asked for, or means as soon as possible.
    pub is_planned: bool,
    /// When an arrival is due by contract.
    pub due: Option<Timestamp>,
}

/// From where somebody sets out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// From home.
    Home,
    /// From the site of another visit.
    Visit,
}

/// Somebody, with what speaks for and against.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Who.
    pub person: Person,
    /// From where and how far, km over ground.
    pub way: Option<(Start, f64)>,
    /// When there at the earliest, where the distance is known.
    pub there_at: Option<Timestamp>,
    /// Whether that is after an arrival is due; `None` where one of the two is not known.
    pub is_late: Option<bool>,
    /// The ticket for which the person is taken at that time.
    pub taken_by: Option<i64>,
}

impl Candidate {
    fn of(person: Person, wanted: &Wanted, now: Timestamp) -> Self {
        let here = person.jobs.iter().find(|job| job.is_there() && wanted.at.duration_since(now) <= STAYS);
        let from = match here.and_then(|job| job.place) {
            Some(place) => Some((Start::Visit, place)),
            None => person.home.map(|home| (Start::Home, home)),
        };
        let way = from.zip(wanted.site).map(|((from, place), site)| (from, distance_km(place, site)));
        let there_at = way.map(|(_, km)| {
            let planned_at = wanted.is_planned.then_some(wanted.at);
            Way { km: Some(km), accepted_at: now, departed_at: None, planned_at }.arrives_at(now)
        });
        let is_late = there_at.zip(wanted.due).map(|(there, due)| there > due);
        let takes = |job: &&Job| match job.planned_at {
            _ if job.is_under_way() => wanted.at.duration_since(now) < TAKES,
            Some(planned) => planned.duration_since(wanted.at).abs() < TAKES,
            None => false,
        };
        let taken_by = person.jobs.iter().find(takes).map(|job| job.ticket_number);
        Self { person, way, there_at, is_late, taken_by }
    }

    /// Whether nothing speaks against this person.
    pub fn is_fit(&self) -> bool {
        let is_able = matches!(self.person.ability, Ability::NotAsked | Ability::Has { .. });
        is_able && self.taken_by.is_none() && self.is_late != Some(true)
    }

    /// By what candidates stand in order, the lowest first.
    fn rank(&self) -> impl Ord + use<> {
        let ability = match self.person.ability {
            Ability::NotAsked | Ability::Has { .. } => 0,
            Ability::Expired { .. } => 1,
            Ability::Missing => 2,
        };
        (
            ability,
            self.taken_by.is_some(),
            self.is_late == Some(true),
            Reverse(self.person.is_engineer),
            Reverse(self.person.is_on_duty),
            Reverse(self.person.team.is_some()),
            self.way.map_or(i64::MAX, |(_, km)| (km * 10.0).round() as i64),
            self.person.jobs.len(),
            self.person.account.clone(),
            self.person.account_id.clone(),
        )
    }
}

/// Everybody who may go, the best first.
pub fn order(people: Vec<Person>, wanted: &Wanted, now: Timestamp) -> Vec<Candidate> {
    let mut found: Vec<Candidate> =
        people.into_iter().map(|person| Candidate::of(person, wanted, now)).collect();
    found.sort_by_cached_key(Candidate::rank);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: Place = Place { lat: 22.27, lon: 113.57 };
    const NEAR: Place = Place { lat: 22.28, lon: 113.57 };
    const FAR: Place = Place { lat: 22.90, lon: 113.57 };

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + 60 * minute).unwrap()
    }

    fn person(name: &str) -> Person {
        Person {
            account_id: name.into(),
            account: name.into(),
            ability: Ability::NotAsked,
            is_engineer: false,
            team: None,
            is_on_duty: false,
            has_van: false,
            home: None,
            jobs: Vec::new(),
        }
    }

    fn soon() -> Wanted {
        Wanted { site: Some(SITE), at: at(0), is_planned: false, due: None }
    }

    fn names(people: Vec<Person>, wanted: &Wanted) -> Vec<String> {
        order(people, wanted, at(0)).into_iter().map(|one| one.person.account).collect()
    }

    fn job(state: &str, planned: Option<i64>) -> Job {
        Job { ticket_number: 1007, state: state.into(), planned_at: planned.map(at), place: Some(NEAR) }
    }

    #[test]
    fn a_class_asks_for_the_skills_that_people_call_by_its_name() {
        let known = ["camera".to_owned(), "CCTV".into(), "门禁".into(), "Fire".into()];
        assert_eq!(asked("camera", &known), ["camera", "CCTV"]);
        assert_eq!(asked("access", &known), ["门禁"]);
        assert!(asked("ups", &known).is_empty(), "nobody here calls anything so, hence nothing is asked for");
        assert!(asked("other", &known).is_empty());
    }

    #[test]
    fn the_nearer_goes_and_an_unknown_way_comes_last() {
        let far = Person { home: Some(FAR), ..person("a.far") };
        let near = Person { home: Some(NEAR), ..person("b.near") };
        assert_eq!(names(vec![person("c.nowhere"), far, near], &soon()), ["b.near", "a.far", "c.nowhere"]);
    }

    #[test]
    fn skill_comes_before_all_and_a_certificate_that_has_run_out_is_none() {
        let has = Ability::Has { skill: "camera".into(), certificate: String::new(), expires_at: None };
        let had = Ability::Expired { skill: "camera".into(), certificate: "A-1".into(), at: at(-10) };
        let able = Person { ability: has, home: Some(FAR), ..person("able") };
        let expired = Person { ability: had, is_engineer: true, ..person("expired") };
        let unable = Person { ability: Ability::Missing, home: Some(NEAR), ..person("unable") };
        let found = order(vec![unable, expired, able], &soon(), at(0));
        let seen: Vec<(&str, bool)> =
            found.iter().map(|one| (one.person.account.as_str(), one.is_fit())).collect();
        assert_eq!(seen, [("able", true), ("expired", false), ("unable", false)]);
    }

    #[test]
    fn who_would_be_late_is_not_proposed_and_an_unknown_way_is_no_reproach() {
        let engineer = Person { is_engineer: true, home: Some(FAR), ..person("engineer") };
        let near = Person { home: Some(NEAR), ..person("near") };
        let wanted = Wanted { due: Some(at(40)), ..soon() };
        let found = order(vec![engineer, near, person("unknown")], &wanted, at(0));
        let seen: Vec<(&str, Option<bool>, bool)> =
            found.iter().map(|one| (one.person.account.as_str(), one.is_late, one.is_fit())).collect();
        assert_eq!(
            seen,
            [("near", Some(false), true), ("unknown", None, true), ("engineer", Some(true), false)]
        );
        // In time, the customer's own comes first whoever is nearer.
        let wanted = Wanted { due: Some(at(400)), ..soon() };
        let engineer = Person { is_engineer: true, home: Some(FAR), ..person("engineer") };
        let near = Person { home: Some(NEAR), ..person("near") };
        assert_eq!(names(vec![near, engineer], &wanted), ["engineer", "near"]);
    }

    #[test]
    fn who_is_at_work_is_taken_now_and_sets_out_from_there_later() {
        let works = Person { home: Some(FAR), jobs: vec![job("working", None)], ..person("works") };
        let now = order(vec![works.clone()], &soon(), at(0)).remove(0);
        assert_eq!((now.taken_by, now.way.map(|way| way.0)), (Some(1007), Some(Start::Visit)));
        let later = Wanted { at: at(180), is_planned: true, ..soon() };
        let later = order(vec![works.clone()], &later, at(0)).remove(0);
        assert_eq!((later.taken_by, later.way.map(|way| way.0)), (None, Some(Start::Visit)));
        let tomorrow = Wanted { at: at(1440), is_planned: true, ..soon() };
        let tomorrow = order(vec![works], &tomorrow, at(0)).remove(0);
        assert_eq!((tomorrow.taken_by, tomorrow.way.map(|way| way.0)), (None, Some(Start::Home)));
    }

    #[test]
    fn a_visit_planned_near_that_time_takes_a_person_and_one_without_a_time_is_load() {
        let at_three = Person { jobs: vec![job("accepted", Some(180))], ..person("at.three") };
        let wanted = |minute| Wanted { at: at(minute), is_planned: true, ..soon() };
        let taken = |minute| order(vec![at_three.clone()], &wanted(minute), at(0)).remove(0).taken_by;
        assert_eq!(
            [taken(59), taken(60), taken(61), taken(299), taken(300)],
            [None, None, Some(1007), Some(1007), None]
        );
        let loaded = Person { jobs: vec![job("assigned", None)], ..person("a.loaded") };
        assert_eq!(names(vec![loaded, person("b.free")], &soon()), ["b.free", "a.loaded"]);
    }

    #[test]
    fn whoever_is_on_duty_goes_before_the_team_and_the_team_before_others() {
        let duty = Person { is_on_duty: true, ..person("c.duty") };
        let team = Person { team: Some("Zhuhai".into()), ..person("b.team") };
        assert_eq!(names(vec![person("a.other"), team, duty], &soon()), ["c.duty", "b.team", "a.other"]);
    }
}
