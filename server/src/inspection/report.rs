//! The report of an inspection (巡检报告): what was looked at, what was found and read, what came of it, for the customer
//! to read and file. What nobody answered says so; what measurement said stands beside what a person found.

use jiff::Timestamp;
use serde_json::Value;

use super::api::shape::InspectionStory;
use super::api::sheet::{InspectionChecklist, SheetAnswer, SheetItem};
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
    /// When it is printed.
    pub now: Timestamp,
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
        let (site, devices): (Vec<&SheetItem>, Vec<&SheetItem>) =
            self.sheet.items.iter().partition(|item| item.device_id.is_empty());
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
        scribe.paper("paper.inspection", which, self.remark(), self.now, parts)
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
        let mut facts = vec![
            scribe.fact("paper.customer", self.customer, false),
            scribe.fact("paper.site", scribe.name(&one.site_name, &one.site_name_zh), false),
            scribe.fact("paper.address", self.address, true),
            scribe.fact("paper.contract", scribe.list([self.contract.to_owned(), contract]), true),
            scribe.fact("paper.inspection.rule", format!("{} {}", one.rule, one.n), false),
            scribe.fact("paper.inspection.kinds", kinds, false),
            scribe.fact("paper.inspection.carries", scribe.list(carried), true),
            scribe.fact("paper.inspection.within", format!("{} – {}", one.window_from, one.window_to), false),
            scribe.fact("paper.inspection.day", &one.day, false),
            scribe.fact("paper.inspection.done", scribe.list([done, late]), false),
        ];
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
        let all = self.sheet.items.len();
        let answered = scribe.say(
            "paper.inspection.answered_of",
            &[("n", &count(all - self.sheet.open)), ("all", &count(all)), ("bad", &count(self.sheet.bad))],
        );
        facts.push(scribe.fact("paper.inspection.answered", answered, true));
        facts.push(scribe.fact("paper.inspection.looked_at", self.story.devices.to_string(), false));
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
                vec![self.asked(item), found, ticket, stands.unwrap_or_default()]
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
