//! The slip (技术服务联络单): what is known of a visit, put in order for a customer to read, sign and file.
//!
//! Nothing is made up for it: what nobody wrote is left out, an arrival says what proves it and what is only claimed, and
//! a clock that was broken says so. Times are the site's.

use jiff::Timestamp;
use serde_json::Value;

use super::FIELDS;
use super::accepted::{accepted, pictures};
use super::api::shape::{Visit, VisitEvent, VisitStory};
use crate::deal::{Deal, Line};
use crate::paper::scribe::Scribe;
use crate::paper::{Fact, Paper, Part};
use crate::sla::api::shape::TicketClocks;

/// What a slip is made of.
#[derive(Debug)]
pub struct Slip<'a> {
    /// Writes it, in its language and the site's zone.
    pub scribe: Scribe,
    /// The visit with its log.
    pub story: &'a VisitStory,
    /// Whose site it is.
    pub customer: &'a str,
    /// The clocks of its ticket, as the customer may see them.
    pub clocks: &'a TicketClocks,
    /// The number of the contract, where one governs.
    pub contract: Option<&'a str>,
    /// What was settled with the customer over its ticket.
    pub deal: &'a Deal,
    /// The photos by the ids of their events.
    pub photos: Vec<(String, Vec<u8>)>,
    /// When it is printed.
    pub now: Timestamp,
}

/// The number of a slip: its ticket's, and which visit of it.
pub fn number(visit: &Visit) -> String {
    format!("{}-{}", visit.ticket_number, visit.number)
}

impl Slip<'_> {
    /// The paper.
    pub fn paper(self) -> Paper {
        let visit = &self.story.visit;
        let over = ["signed", "called_back", "filed"].contains(&visit.state.as_str());
        let remark =
            if over { String::new() } else { self.scribe.say("paper.draft", &[("state", &self.stands())]) };
        let mut parts = vec![Part::Heading(self.scribe.word("paper.part.order")), Part::Facts(self.order())];
        let (work, replaced) = (self.work(), self.replaced());
        if !work.is_empty() || replaced.is_some() {
            parts.push(Part::Heading(self.scribe.word("paper.part.work")));
            parts.push(Part::Facts(work));
            parts.extend(replaced);
        }
        parts.extend([Part::Heading(self.scribe.word("paper.part.course")), self.course()]);
        parts.extend(self.kept());
        parts.push(Part::Heading(self.scribe.word("paper.part.sign")));
        parts.extend(accepted(&self.scribe, self.story));
        parts.extend(pictures(&self.scribe, self.story, &self.photos, |_| String::new()));
        let number = self.scribe.say("paper.number", &[("number", &number(visit))]);
        self.scribe.paper("paper.slip", number, remark, self.now, parts)
    }

    /// Where the visit stands, and why.
    fn stands(&self) -> String {
        let visit = &self.story.visit;
        let reason = if visit.state == "paused" {
            self.scribe.of("pause", &visit.reason)
        } else {
            visit.reason.clone()
        };
        self.scribe.list([self.scribe.of("visit.state", &visit.state), reason])
    }

    /// What was ordered, by whom, where, and under what.
    fn order(&self) -> Vec<Fact> {
        let visit = &self.story.visit;
        let written = |field: &str| visit.form.get(field).map(|field| field.text.clone());
        let site = self.scribe.name(&visit.site_name, &visit.site_name_zh);
        let contract = match &self.clocks.contract {
            None => self.scribe.word("paper.no_contract"),
            Some(contract) => {
                self.scribe.list([self.contract.unwrap_or_default().to_owned(), contract.name.clone()])
            }
        };
        let mut facts = vec![
            self.scribe.fact("paper.customer", self.customer, false),
            self.scribe.fact("paper.site", site, false),
            self.scribe.fact("paper.address", &visit.address, true),
            self.scribe.fact(
                "slip.contact",
                written("contact").unwrap_or_else(|| visit.contact_name.clone()),
                false,
            ),
            self.scribe.fact(
                "slip.phone",
                written("phone").unwrap_or_else(|| visit.contact_phone.clone()),
                false,
            ),
            self.scribe.fact("paper.ticket", format!("#{}", visit.ticket_number), false),
            self.scribe.fact("paper.contract", contract, false),
            self.scribe.fact("paper.problem", self.problem(), true),
            self.scribe.fact("paper.opened", self.scribe.at(visit.opened_at), false),
            self.scribe.fact("paper.severity", self.scribe.of("severity", &visit.severity), false),
            self.scribe.fact("paper.device", visit.device_name.clone().unwrap_or_default(), false),
            self.scribe.fact(
                "paper.planned",
                visit.planned_at.map(|at| self.scribe.at(at)).unwrap_or_default(),
                false,
            ),
            self.scribe.fact("paper.purpose", &visit.purpose, true),
        ];
        for field in ["request", "present_state", "appointment", "agreement"] {
            facts.push(self.scribe.fact(&format!("slip.{field}"), written(field).unwrap_or_default(), true));
        }
        let people = self.scribe.list(visit.members.iter().map(|member| member.name.clone()));
        facts.push(self.scribe.fact("paper.members", people, false));
        facts.push(self.scribe.fact("paper.state", self.stands(), false));
        if let Some(at) = visit.arrived_at {
            facts.push(self.scribe.fact("paper.arrived", self.scribe.at(at), false));
            facts.push(self.scribe.fact("paper.proof", self.scribe.of("evidence", &visit.level), false));
        }
        if let Some(coverage) = &self.deal.coverage {
            facts.push(self.scribe.fact(
                "deal.outcome",
                self.scribe.of("deal.outcome", &coverage.outcome),
                false,
            ));
        }
        if let Some(owed) = self.deal.owed() {
            facts.push(self.scribe.fact("paper.owed", format!("¥ {owed}"), false));
        }
        facts.retain(|fact| !fact.text.is_empty());
        facts
    }

    /// What the ticket is about, in one line.
    fn problem(&self) -> String {
        let visit = &self.story.visit;
        let fault = sitewarden_proto::fault::find(&visit.code);
        let title = fault.map(|fault| fault.title.get(self.scribe.language.as_str()).to_owned());
        match title {
            Some(title) if visit.title.is_empty() => title,
            Some(title) => format!("{}: {title}", visit.title),
            None => visit.title.clone(),
        }
    }

    /// What was found and done.
    fn work(&self) -> Vec<Fact> {
        let form = &self.story.visit.form;
        let above = ["contact", "phone", "request", "present_state", "appointment", "agreement", "opinion"];
        FIELDS
            .iter()
            .filter(|field| !above.contains(field))
            .filter_map(|field| Some((field, form.get(*field)?)))
            .filter(|(_, written)| !written.text.is_empty())
            .map(|(field, written)| self.scribe.fact(&format!("slip.{field}"), &written.text, true))
            .collect()
    }

    /// The parts that were replaced under this ticket, and who agreed to each.
    fn replaced(&self) -> Option<Part> {
        let heads = ["paper.when", "paper.component", "paper.with", "paper.consent", "deal.outcome"]
            .map(|key| self.scribe.word(key));
        let row = |line: &Line| {
            let words = |key: &str| line.body[key].as_str().unwrap_or_default().to_owned();
            let outcome = if line.body["paid"] == true { "chargeable" } else { "free" };
            let at = self.scribe.at(line.at.as_millisecond());
            let (en, zh) = (words("name"), words("name_zh"));
            let name = self.scribe.name(&en, &zh).to_owned();
            let count = line.body["quantity"].as_i64().filter(|count| *count > 1);
            let count = count.map(|count| format!("× {count}")).unwrap_or_default();
            let with = [name, words("with"), count].into_iter().filter(|one| !one.is_empty());
            let with = with.collect::<Vec<_>>().join(" ");
            vec![at, words("component"), with, words("consent"), self.scribe.of("deal.outcome", outcome)]
        };
        let rows: Vec<Vec<String>> = self.deal.parts.iter().map(row).collect();
        let widths = vec![22.0, 24.0, 24.0, 16.0, 14.0];
        (!rows.is_empty()).then(|| Part::Table { widths, heads: heads.to_vec(), rows })
    }

    /// Every step, in its order.
    fn course(&self) -> Part {
        let heads =
            ["paper.when", "paper.step", "paper.by", "paper.about"].map(|key| self.scribe.word(key)).to_vec();
        let is_step = |event: &&VisitEvent| !["written", "photo"].contains(&event.kind.as_str());
        let mut events: Vec<&VisitEvent> = self.story.events.iter().filter(is_step).collect();
        events.sort_by_key(|event| (event.occurred_at, event.seq));
        let row = |event: &&VisitEvent| {
            vec![
                self.scribe.at(event.occurred_at),
                self.scribe.of("visit.step", &event.kind),
                event.actor.clone(),
                self.about(event),
            ]
        };
        Part::Table { widths: vec![22.0, 16.0, 16.0, 46.0], heads, rows: events.iter().map(row).collect() }
    }

    /// The particulars of a step, with what proves it and when it was told if that was later.
    fn about(&self, event: &VisitEvent) -> String {
        let body = &event.body;
        let words = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let reason =
            if event.kind == "paused" { self.scribe.of("pause", &words("reason")) } else { words("reason") };
        let people = body["people"].as_array().into_iter().flatten();
        let people = self.scribe.list(people.filter_map(Value::as_str).map(str::to_owned));
        let mut said = vec![reason, people, words("who")];
        if let Some(n) = body["satisfied"].as_i64() {
            said.push(self.scribe.say("visit.satisfied", &[("n", &n.to_string())]));
        }
        said.push(words("text"));
        for piece in body["evidence"].as_array().into_iter().flatten() {
            said.push(self.piece(piece));
        }
        if body["clock_unusable"] == true {
            said.push(self.scribe.word("paper.clock_unusable"));
        }
        if event.recorded_at - event.occurred_at > TOLD_LATE_MS {
            said.push(self.scribe.say("paper.told", &[("at", &self.scribe.at(event.recorded_at))]));
        }
        if event.source == "paper" {
            said.push(self.scribe.word("visit.source.paper"));
        }
        said.retain(|words| !words.is_empty());
        said.join(&self.scribe.word("sep"))
    }

    fn piece(&self, piece: &Value) -> String {
        let mut told = self.scribe.of("evidence", piece["kind"].as_str().unwrap_or_default());
        if let Some(metres) = piece["distance_m"].as_i64() {
            told = self.scribe.list([told, self.scribe.say("visit.metres", &[("n", &metres.to_string())])]);
        }
        match piece["doubt"].as_str() {
            None => told,
            Some(doubt) => {
                let why = self.scribe.of("doubt", doubt);
                self.scribe.say("paper.claimed", &[("what", &told), ("why", &why)])
            }
        }
    }

    /// The clocks of the contract, and whether each was kept.
    fn kept(&self) -> Vec<Part> {
        let at = |at: Option<i64>| at.map(|at| self.scribe.at(at)).unwrap_or_default();
        let rows: Vec<Vec<String>> = self
            .clocks
            .clocks
            .iter()
            .filter(|clock| clock.started_at.is_some())
            .map(|clock| {
                let state = self.scribe.of("paper.kept", &clock.state);
                vec![clock.title.clone(), at(clock.due_at), at(clock.stopped_at), state]
            })
            .collect();
        if rows.is_empty() {
            return Vec::new();
        }
        let heads = ["paper.clock", "paper.due", "paper.stopped", "paper.kept"]
            .map(|key| self.scribe.word(key))
            .to_vec();
        let table = Part::Table { widths: vec![34.0, 22.0, 22.0, 22.0], heads, rows };
        vec![Part::Heading(self.scribe.word("paper.part.clocks")), table]
    }
}

/// What is told so much later says so.
const TOLD_LATE_MS: i64 = 60_000;
