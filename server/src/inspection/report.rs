//! The report of an inspection (巡检报告): what was looked at, what was found and read, what came of it, for the customer
//! to read and file. What nobody answered says so; what measurement said stands beside what a person found.

pub mod year;

use jiff::Timestamp;
use serde_json::Value;

use super::answer::people;
use super::api::shape::InspectionStory;
use super::api::sheet::{InspectionChecklist, SheetAnswer, SheetItem};
use super::kind;
use super::year::Year;
use crate::paper::scribe::Scribe;
use crate::paper::{Fact, Paper, Part};
use crate::visit::accepted::{accepted, by_pen, pictures};
use crate::visit::api::shape::{VisitEvent, VisitStory};

/// A ticket that a finding became.
#[derive(Clone, Debug)]
pub struct Followed {
    /// Its number.
    pub number: i64,
    /// `open`, `acked` or `closed`.
    pub state: String,
    /// When it was closed, Unix ms.
    pub closed_at: Option<i64>,
}

/// What a report is made of.
#[derive(Debug)]
pub struct Report<'a> {
    /// Writes it, in its language and the site's zone.
    pub scribe: Scribe,
    /// The inspection with its record; of several in one visit the one whose visit it is.
    pub story: &'a InspectionStory,
    /// The contract's own number.
    pub contract: &'a str,
    /// Its sheet.
    pub sheet: &'a InspectionChecklist,
    /// Whose site it is.
    pub customer: &'a str,
    /// Where the site is.
    pub address: &'a str,
    /// The visit that carried it.
    pub visit: Option<&'a VisitStory>,
    /// That visit's photos by the ids of their events.
    pub photos: Vec<(String, Vec<u8>)>,
    /// The tickets that its findings became.
    pub tickets: Vec<Followed>,
    /// The kinds of all that was done in it.
    pub kinds: Vec<String>,
    /// The site's year, for an annual one.
    pub year: Option<Year>,
    /// When it is printed.
    pub now: Timestamp,
}

/// The kind whose report holds a year.
pub const ANNUAL: &str = "annual";

/// Whether a kind of inspection asks it, not a list.
fn is_of_form(item: &SheetItem) -> bool {
    item.device_id.is_empty() && item.key.split_once('.').is_some_and(|(of, _)| kind::find(of).is_some())
}

/// What names a report: its sheet's number, else its rule and which of that it is.
pub fn number(story: &InspectionStory, sheet: &InspectionChecklist) -> String {
    let one = &story.inspection;
    sheet.number.clone().unwrap_or_else(|| format!("{} {}", one.rule, one.n))
}

impl Report<'_> {
    /// The paper.
    pub fn paper(self) -> Paper {
        let scribe = &self.scribe;
        let heading = |key: &str| Part::Heading(scribe.word(key));
        let mut parts = vec![heading("paper.inspection.what"), Part::Facts(self.what())];
        parts.push(heading("paper.inspection.findings"));
        parts.push(self.findings());
        let (form, asked): (Vec<&SheetItem>, Vec<&SheetItem>) =
            self.sheet.items.iter().filter(|item| !item.spare).partition(|item| is_of_form(item));
        let (tests, form): (Vec<&SheetItem>, Vec<&SheetItem>) =
            form.into_iter().partition(|item| item.kind == "test");
        if !form.is_empty() {
            parts.extend([heading("paper.inspection.form"), self.form(&form)]);
        }
        if !tests.is_empty() {
            parts.extend([heading("paper.inspection.tests"), self.tests(&tests)]);
        }
        if let Some(year) = &self.year {
            parts.extend(year::parts(scribe, year));
        }
        let (site, devices): (Vec<&SheetItem>, Vec<&SheetItem>) =
            asked.into_iter().partition(|item| item.device_id.is_empty());
        for (key, items) in [("paper.inspection.site", site), ("paper.inspection.devices", devices)] {
            if !items.is_empty() {
                parts.extend([heading(key), self.items(&items)]);
            }
        }
        parts.push(heading("paper.part.sign"));
        match self.visit {
            Some(visit) => {
                parts.extend(accepted(scribe, visit));
                parts.extend(pictures(scribe, visit, &self.photos, |event| self.shown(event)));
            }
            None => parts.push(by_pen(scribe)),
        }
        let which = number(self.story, self.sheet);
        let which = scribe.say("paper.number", &[("number", &which)]);
        scribe.paper(&self.title(), which, self.remark(), self.now, parts)
    }

    /// What it is called: by its kind, where it is of one that has a name of its own; an annual one is that whatever else
    /// is done in it.
    fn title(&self) -> String {
        let named = |kind: &str| {
            let key = format!("paper.inspection.title.{kind}");
            (self.scribe.word(&key) != key).then_some(key)
        };
        let annual = self.kinds.iter().any(|kind| kind == ANNUAL);
        let only = self.kinds.first().filter(|first| self.kinds.iter().all(|kind| kind == *first));
        let kind = if annual { Some(ANNUAL) } else { only.map(String::as_str) };
        kind.and_then(named).unwrap_or_else(|| "paper.inspection".to_owned())
    }

    /// What must be known of the whole: that it is not done, or that something of it is not answered.
    fn remark(&self) -> String {
        let (one, scribe) = (&self.story.inspection, &self.scribe);
        let mut said = Vec::new();
        if one.state != "done" {
            let state = scribe.of("inspection.state", &one.state);
            said.push(scribe.say("paper.inspection.draft", &[("state", &state)]));
        }
        if self.sheet.open > 0 {
            said.push(scribe.say("paper.inspection.unanswered", &[("n", &self.sheet.open.to_string())]));
        }
        said.join(" ")
    }

    /// Which inspection, where, under what, by whom, and what came of it in figures.
    fn what(&self) -> Vec<Fact> {
        let (one, scribe) = (&self.story.inspection, &self.scribe);
        let kinds = scribe.list(one.kinds.iter().map(|kind| scribe.of("inspection.kind", kind)));
        let contract = format!("{} (v{})", one.contract, one.version);
        let carried = self.story.carries.iter().map(|other| format!("{} {}", other.rule, other.n));
        let done = one.done_on.clone().unwrap_or_default();
        let late = if one.late { scribe.word("paper.inspection.late") } else { String::new() };
        let (rule, within) = match &one.by_hand {
            Some(_) => (scribe.of("inspection.kind", &one.rule), "paper.inspection.days"),
            None => (one.rule.clone(), "paper.inspection.within"),
        };
        let days = format!("{} – {}", one.window_from, one.window_to);
        let mut facts = vec![
            scribe.fact("paper.customer", self.customer, false),
            scribe.fact("paper.site", scribe.name(&one.site_name, &one.site_name_zh), false),
            scribe.fact("paper.address", self.address, true),
            scribe.fact("paper.contract", scribe.list([self.contract.to_owned(), contract]), true),
            scribe.fact("paper.inspection.rule", format!("{rule} {}", one.n), false),
            scribe.fact("paper.inspection.kinds", kinds, false),
            scribe.fact("paper.inspection.carries", scribe.list(carried), true),
            scribe.fact(within, days, false),
            scribe.fact("paper.inspection.day", &one.day, false),
            scribe.fact("paper.inspection.done", scribe.list([done, late]), false),
        ];
        if let Some(hand) = &one.by_hand {
            let how = scribe.of("inspection.proof", &hand.asked_how);
            let asked = scribe.list([hand.asked_by.clone(), how]);
            facts.push(scribe.fact("paper.inspection.asked", asked, false));
            facts.push(scribe.fact("paper.inspection.planned_by", &hand.made_by, false));
            facts.push(scribe.fact("paper.inspection.why", &hand.why, true));
        }
        if let Some(VisitStory { visit, .. }) = self.visit {
            let people = visit.members.iter().map(|member| member.name.clone());
            facts.push(scribe.fact("paper.ticket", format!("#{}", visit.ticket_number), false));
            facts.push(scribe.fact("paper.members", scribe.list(people), false));
            if let Some(at) = visit.arrived_at {
                facts.push(scribe.fact("paper.arrived", scribe.at(at), false));
                facts.push(scribe.fact("paper.proof", scribe.of("evidence", &visit.level), false));
            }
        }
        let count = |n: usize| n.to_string();
        let all = self.sheet.items.iter().filter(|item| !item.spare).count();
        let answered = scribe.say(
            "paper.inspection.answered_of",
            &[("n", &count(all - self.sheet.open)), ("all", &count(all)), ("bad", &count(self.sheet.bad))],
        );
        facts.push(scribe.fact("paper.inspection.answered", answered, true));
        if self.story.devices > 0 || self.sheet.items.iter().any(|item| !item.device_id.is_empty()) {
            facts.push(scribe.fact("paper.inspection.looked_at", self.story.devices.to_string(), false));
        }
        facts.retain(|fact| !fact.text.is_empty());
        facts
    }

    /// The item that a photo shows.
    fn shown(&self, event: &VisitEvent) -> String {
        let item = self.sheet.items.iter().find(|item| item.photos.contains(&event.id));
        item.map(|item| self.asked(item)).unwrap_or_default()
    }

    /// What is asked, with its device.
    fn asked(&self, item: &SheetItem) -> String {
        let what = self.scribe.name(&item.en, &item.zh);
        if item.device.is_empty() { what.to_owned() } else { format!("{} · {what}", item.device) }
    }

    /// What was wrong, and how its ticket stands now.
    fn findings(&self) -> Part {
        let scribe = &self.scribe;
        let wrong = self.sheet.items.iter().filter_map(|item| Some((item, item.answer.as_ref()?)));
        let rows: Vec<Vec<String>> = wrong
            .filter(|(_, said)| said.answer == "bad")
            .map(|(item, said)| {
                let number = said.ticket_number;
                let ticket =
                    number.map_or_else(|| scribe.word("paper.inspection.no_ticket"), |n| format!("#{n}"));
                let followed = self.tickets.iter().find(|one| Some(one.number) == number);
                let stands = followed.map(|one| {
                    let closed = one.closed_at.map(|at| scribe.at(at)).unwrap_or_default();
                    scribe.list([scribe.of("ticket", &one.state), closed])
                });
                let found = scribe.list([said.value.clone(), said.note.clone()]);
                let asked = if said.what.is_empty() { self.asked(item) } else { said.what.clone() };
                vec![asked, found, ticket, stands.unwrap_or_default()]
            })
            .collect();
        if rows.is_empty() {
            let key = if self.sheet.open == 0 {
                "paper.inspection.nothing"
            } else {
                "paper.inspection.nothing_yet"
            };
            return Part::Words(scribe.word(key));
        }
        let heads = ["paper.inspection.item", "paper.inspection.wrong", "paper.ticket", "paper.state"];
        Part::Table {
            widths: vec![30.0, 36.0, 12.0, 22.0],
            heads: heads.map(|key| scribe.word(key)).to_vec(),
            rows,
        }
    }

    /// What somebody said, with how many people these are.
    fn said(&self, item: &SheetItem, said: &SheetAnswer) -> String {
        let scribe = &self.scribe;
        let judged = matches!(item.kind, "check" | "test") || said.answer != "ok";
        let result = if judged { scribe.of("inspection.answer", &said.answer) } else { String::new() };
        let value = match item.kind {
            "people" if said.answer == "ok" => {
                let names = people(&said.value);
                let all = scribe.list(names.iter().cloned());
                let n = names.len().to_string();
                scribe.say("paper.inspection.people", &[("names", &all), ("n", &n)])
            }
            _ => said.value.clone(),
        };
        scribe.list([result, value, said.note.clone()])
    }

    /// What the kind of inspection asks, in its own words.
    fn form(&self, items: &[&SheetItem]) -> Part {
        let scribe = &self.scribe;
        let heads = ["paper.inspection.item", "paper.inspection.said", "paper.by", "paper.when"];
        let row = |item: &&SheetItem| match &item.answer {
            None => {
                vec![self.asked(item), scribe.word("paper.inspection.open"), String::new(), String::new()]
            }
            Some(said) => {
                vec![self.asked(item), self.said(item, said), said.by.clone(), scribe.at(said.at)]
            }
        };
        let rows = items.iter().map(row).collect();
        let heads = heads.map(|key| scribe.word(key)).to_vec();
        Part::Table { widths: vec![30.0, 44.0, 12.0, 14.0], heads, rows }
    }

    /// What was tested: indicator, wanted, measured, and whether that is enough.
    fn tests(&self, items: &[&SheetItem]) -> Part {
        let scribe = &self.scribe;
        let heads = [
            "paper.inspection.indicator",
            "paper.inspection.wanted",
            "paper.inspection.value",
            "paper.inspection.result",
            "paper.by",
            "paper.when",
        ];
        let row = |item: &&SheetItem| match &item.answer {
            None => vec![
                self.asked(item),
                String::new(),
                String::new(),
                scribe.word("paper.inspection.open"),
                String::new(),
                String::new(),
            ],
            Some(said) => vec![
                said.what.clone(),
                said.wanted.clone(),
                said.value.clone(),
                scribe.list([scribe.of("paper.inspection.test", &said.answer), said.note.clone()]),
                said.by.clone(),
                scribe.at(said.at),
            ],
        };
        let rows = items.iter().map(row).collect();
        let heads = heads.map(|key| scribe.word(key)).to_vec();
        Part::Table { widths: vec![26.0, 16.0, 16.0, 18.0, 11.0, 13.0], heads, rows }
    }

    /// Items with result, reading, what was measured, who and when.
    fn items(&self, items: &[&SheetItem]) -> Part {
        let scribe = &self.scribe;
        let heads = [
            "paper.inspection.item",
            "paper.inspection.result",
            "paper.inspection.reading",
            "paper.inspection.measured",
            "paper.by",
            "paper.when",
        ];
        let row = |item: &&SheetItem| match &item.answer {
            None => {
                let open = scribe.word("paper.inspection.open");
                vec![self.asked(item), open, String::new(), String::new(), String::new(), String::new()]
            }
            Some(said) => vec![
                self.asked(item),
                scribe.of("inspection.answer", &said.answer),
                scribe.list([said.value.clone(), said.note.clone()]),
                self.measured(said),
                said.by.clone(),
                scribe.at(said.at),
            ],
        };
        let rows = items.iter().map(row).collect();
        let widths = vec![29.0, 9.0, 20.0, 18.0, 11.0, 13.0];
        Part::Table { widths, heads: heads.map(|key| scribe.word(key)).to_vec(), rows }
    }

    /// What measurement said when somebody answered: a state, a fault or a check, and since when.
    fn measured(&self, said: &SheetAnswer) -> String {
        let scribe = &self.scribe;
        let evidence = &said.proposed["evidence"];
        let word = |key: &str| evidence[key].as_str();
        let fault = word("code").map(|code| {
            let fault = sitewarden_proto::fault::find(code);
            fault.map_or_else(|| code.to_owned(), |one| one.title.get(scribe.language.as_str()).to_owned())
        });
        let state = || word("state").map(|state| scribe.of("state", state));
        let check = || word("check").map(|check| scribe.of("check", check));
        let what = fault.or_else(state).or_else(check);
        let at = said.proposed.get("at").and_then(Value::as_i64).map(|at| scribe.at(at));
        scribe.list([what.unwrap_or_default(), at.unwrap_or_default()])
    }
}
