//! The slip (技术服务联络单): what is known of a visit, put in order for a customer to read, sign and file.
//!
//! Nothing is made up for it: what nobody wrote is left out, an arrival says what proves it and what is only claimed, and
//! a clock that was broken says so. Times are the site's.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::api::shape::{Visit, VisitEvent, VisitSignature, VisitStory};
use super::signature::Signature;
use super::{FIELDS, State};
use crate::clock::from_ms;
use crate::deal::{Deal, Line};
use crate::paper::{Fact, Paper, Part, Picture};
use crate::sla::api::shape::TicketClocks;
use crate::text::text;
use crate::user::Language;

/// What a slip is made of.
#[derive(Debug)]
pub struct Slip<'a> {
    /// The language it is in.
    pub language: Language,
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
    fn word(&self, key: &str) -> String {
        text(self.language, key, &[])
    }

    fn say(&self, key: &str, args: &[(&str, &str)]) -> String {
        text(self.language, key, args)
    }

    /// A word of the wire; one that has no text is its own.
    fn of(&self, prefix: &str, word: &str) -> String {
        let key = format!("{prefix}.{word}");
        let told = self.word(&key);
        if told == key { word.to_owned() } else { told }
    }

    fn zone(&self) -> TimeZone {
        TimeZone::get(&self.story.visit.zone).unwrap_or(TimeZone::UTC)
    }

    fn at(&self, ms: i64) -> String {
        from_ms(ms).to_zoned(self.zone()).strftime("%Y-%m-%d %H:%M").to_string()
    }

    fn list(&self, words: impl IntoIterator<Item = String>) -> String {
        let separator = match self.language {
            Language::En => ", ",
            Language::Zh => "、",
        };
        words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(separator)
    }

    /// The paper.
    pub fn paper(self) -> Paper {
        let visit = &self.story.visit;
        let over = ["signed", "called_back", "filed"].contains(&visit.state.as_str());
        let remark = if over { String::new() } else { self.say("paper.draft", &[("state", &self.stands())]) };
        let mut parts = vec![Part::Heading(self.word("paper.part.order")), Part::Facts(self.order())];
        let (work, replaced) = (self.work(), self.replaced());
        if !work.is_empty() || replaced.is_some() {
            parts.push(Part::Heading(self.word("paper.part.work")));
            parts.push(Part::Facts(work));
            parts.extend(replaced);
        }
        parts.extend([Part::Heading(self.word("paper.part.course")), self.course()]);
        parts.extend(self.kept());
        parts.push(Part::Heading(self.word("paper.part.sign")));
        parts.extend(self.accepted());
        let made_at = self.now.to_zoned(self.zone());
        let printed = made_at.strftime("%Y-%m-%d %H:%M").to_string();
        let zone = self.story.visit.zone.clone();
        let mut paper = Paper {
            language: self.language,
            title: self.word("paper.slip"),
            number: self.say("paper.number", &[("number", &number(visit))]),
            remark,
            made_at,
            footer: self.say("paper.printed", &[("at", &printed), ("zone", &zone)]),
            paging: self.word("paper.page"),
            parts,
        };
        let photos: Vec<Picture> = self.photos.iter().filter_map(|photo| self.picture(photo)).collect();
        if !photos.is_empty() {
            paper.parts.push(Part::Heading(self.word("paper.part.photos")));
            paper.parts.push(Part::Pictures(photos));
        }
        paper
    }

    /// Where the visit stands, and why.
    fn stands(&self) -> String {
        let visit = &self.story.visit;
        let reason =
            if visit.state == "paused" { self.of("pause", &visit.reason) } else { visit.reason.clone() };
        self.list([self.of("visit.state", &visit.state), reason])
    }

    fn fact(&self, key: &str, text: impl Into<String>, wide: bool) -> Fact {
        Fact { name: self.word(key), text: text.into(), wide }
    }

    /// What was ordered, by whom, where, and under what.
    fn order(&self) -> Vec<Fact> {
        let visit = &self.story.visit;
        let written = |field: &str| visit.form.get(field).map(|field| field.text.clone());
        let site = match self.language {
            Language::Zh if !visit.site_name_zh.is_empty() => &visit.site_name_zh,
            Language::Zh | Language::En => &visit.site_name,
        };
        let contract = match &self.clocks.contract {
            None => self.word("paper.no_contract"),
            Some(contract) => {
                self.list([self.contract.unwrap_or_default().to_owned(), contract.name.clone()])
            }
        };
        let mut facts = vec![
            self.fact("paper.customer", self.customer, false),
            self.fact("paper.site", site, false),
            self.fact("paper.address", &visit.address, true),
            self.fact(
                "slip.contact",
                written("contact").unwrap_or_else(|| visit.contact_name.clone()),
                false,
            ),
            self.fact("slip.phone", written("phone").unwrap_or_else(|| visit.contact_phone.clone()), false),
            self.fact("paper.ticket", format!("#{}", visit.ticket_number), false),
            self.fact("paper.contract", contract, false),
            self.fact("paper.problem", self.problem(), true),
            self.fact("paper.opened", self.at(visit.opened_at), false),
            self.fact("paper.severity", self.of("severity", &visit.severity), false),
            self.fact("paper.device", visit.device_name.clone().unwrap_or_default(), false),
            self.fact("paper.planned", visit.planned_at.map(|at| self.at(at)).unwrap_or_default(), false),
            self.fact("paper.purpose", &visit.purpose, true),
        ];
        for field in ["request", "present_state", "appointment", "agreement"] {
            facts.push(self.fact(&format!("slip.{field}"), written(field).unwrap_or_default(), true));
        }
        let people = self.list(visit.members.iter().map(|member| member.name.clone()));
        facts.push(self.fact("paper.members", people, false));
        facts.push(self.fact("paper.state", self.stands(), false));
        if let Some(at) = visit.arrived_at {
            facts.push(self.fact("paper.arrived", self.at(at), false));
            facts.push(self.fact("paper.proof", self.of("evidence", &visit.level), false));
        }
        if let Some(coverage) = &self.deal.coverage {
            facts.push(self.fact("deal.outcome", self.of("deal.outcome", &coverage.outcome), false));
        }
        if let Some(owed) = self.deal.owed() {
            facts.push(self.fact("paper.owed", format!("¥ {owed}"), false));
        }
        facts.retain(|fact| !fact.text.is_empty());
        facts
    }

    /// What the ticket is about, in one line.
    fn problem(&self) -> String {
        let visit = &self.story.visit;
        let fault = sitewarden_proto::fault::find(&visit.code);
        let title = fault.map(|fault| fault.title.get(self.language.as_str()).to_owned());
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
            .map(|(field, written)| self.fact(&format!("slip.{field}"), &written.text, true))
            .collect()
    }

    /// The parts that were replaced under this ticket, and who agreed to each.
    fn replaced(&self) -> Option<Part> {
        let heads = ["paper.when", "paper.component", "paper.with", "paper.consent", "deal.outcome"]
            .map(|key| self.word(key));
        let row = |line: &Line| {
            let words = |key: &str| line.body[key].as_str().unwrap_or_default().to_owned();
            let outcome = if line.body["paid"] == true { "chargeable" } else { "free" };
            let at = self.at(line.at.as_millisecond());
            let name = if self.language == Language::Zh { words("name_zh") } else { words("name") };
            let count = line.body["quantity"].as_i64().filter(|count| *count > 1);
            let count = count.map(|count| format!("× {count}")).unwrap_or_default();
            let with = [name, words("with"), count].into_iter().filter(|one| !one.is_empty());
            let with = with.collect::<Vec<_>>().join(" ");
            vec![at, words("component"), with, words("consent"), self.of("deal.outcome", outcome)]
        };
        let rows: Vec<Vec<String>> = self.deal.parts.iter().map(row).collect();
        let widths = vec![22.0, 24.0, 24.0, 16.0, 14.0];
        (!rows.is_empty()).then(|| Part::Table { widths, heads: heads.to_vec(), rows })
    }

    /// Every step, in its order.
    fn course(&self) -> Part {
        let heads =
            ["paper.when", "paper.step", "paper.by", "paper.about"].map(|key| self.word(key)).to_vec();
        let is_step = |event: &&VisitEvent| !["written", "photo"].contains(&event.kind.as_str());
        let mut events: Vec<&VisitEvent> = self.story.events.iter().filter(is_step).collect();
        events.sort_by_key(|event| (event.occurred_at, event.seq));
        let row = |event: &&VisitEvent| {
            vec![
                self.at(event.occurred_at),
                self.of("visit.step", &event.kind),
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
            if event.kind == "paused" { self.of("pause", &words("reason")) } else { words("reason") };
        let people = body["people"].as_array().into_iter().flatten();
        let people = self.list(people.filter_map(Value::as_str).map(str::to_owned));
        let mut said = vec![reason, people, words("who")];
        if let Some(n) = body["satisfied"].as_i64() {
            said.push(self.say("visit.satisfied", &[("n", &n.to_string())]));
        }
        said.push(words("text"));
        for piece in body["evidence"].as_array().into_iter().flatten() {
            said.push(self.piece(piece));
        }
        if body["clock_unusable"] == true {
            said.push(self.word("paper.clock_unusable"));
        }
        if event.recorded_at - event.occurred_at > TOLD_LATE_MS {
            said.push(self.say("paper.told", &[("at", &self.at(event.recorded_at))]));
        }
        if event.source == "paper" {
            said.push(self.word("visit.source.paper"));
        }
        said.retain(|words| !words.is_empty());
        said.join(&self.word("sep"))
    }

    fn piece(&self, piece: &Value) -> String {
        let mut told = self.of("evidence", piece["kind"].as_str().unwrap_or_default());
        if let Some(metres) = piece["distance_m"].as_i64() {
            told = self.list([told, self.say("visit.metres", &[("n", &metres.to_string())])]);
        }
        match piece["doubt"].as_str() {
            None => told,
            Some(doubt) => {
                let why = self.of("doubt", doubt);
                self.say("paper.claimed", &[("what", &told), ("why", &why)])
            }
        }
    }

    /// A photo with when it was taken, by whom, and what it shows.
    fn picture(&self, (id, jpeg): &(String, Vec<u8>)) -> Option<Picture> {
        let event = self.story.events.iter().find(|event| event.id == *id)?;
        let shows = event.body["text"].as_str().unwrap_or_default().to_owned();
        let caption = self.list([self.at(event.occurred_at), event.actor.clone(), shows]);
        Some(Picture { jpeg: jpeg.clone(), caption })
    }

    /// The clocks of the contract, and whether each was kept.
    fn kept(&self) -> Vec<Part> {
        let at = |at: Option<i64>| at.map(|at| self.at(at)).unwrap_or_default();
        let rows: Vec<Vec<String>> = self
            .clocks
            .clocks
            .iter()
            .filter(|clock| clock.started_at.is_some())
            .map(|clock| {
                let state = self.of("paper.kept", &clock.state);
                vec![clock.title.clone(), at(clock.due_at), at(clock.stopped_at), state]
            })
            .collect();
        if rows.is_empty() {
            return Vec::new();
        }
        let heads =
            ["paper.clock", "paper.due", "paper.stopped", "paper.kept"].map(|key| self.word(key)).to_vec();
        let table = Part::Table { widths: vec![34.0, 22.0, 22.0, 22.0], heads, rows };
        vec![Part::Heading(self.word("paper.part.clocks")), table]
    }

    /// What the customer says of it, and the signatures: those that were given, or the place for one by pen.
    fn accepted(&self) -> Vec<Part> {
        let visit = &self.story.visit;
        let mut parts = Vec::new();
        let opinion = visit.form.get("opinion").map(|field| field.text.clone()).unwrap_or_default();
        if !opinion.is_empty() {
            parts.push(Part::Facts(vec![self.fact("slip.opinion", opinion, true)]));
        }
        if let Some(State::Unsigned(reason)) = State::parse(&visit.state, &visit.reason) {
            parts.push(Part::Words(self.say("paper.unsigned", &[("reason", &reason)])));
        }
        let signed: Vec<&VisitEvent> =
            self.story.events.iter().filter(|event| event.kind == "signed").collect();
        for event in &signed {
            parts.push(self.signature(event));
        }
        if signed.is_empty() && visit.state != "cancelled" {
            let lines =
                ["paper.sign.by", "paper.sign.at", "paper.sign.satisfied"].map(|key| self.word(key)).to_vec();
            parts.push(Part::Drawing { strokes: Vec::new(), aspect: 3.0, lines });
        }
        parts
    }

    /// Who signed, and what was drawn; where that is on paper, only who and when.
    fn signature(&self, event: &VisitEvent) -> Part {
        let line = |key: &str, words: &str| format!("{}{}", self.word(key), words);
        let who = event.body["who"].as_str().unwrap_or_default();
        let mut lines = vec![line("paper.sign.by", who), line("paper.sign.at", &self.at(event.occurred_at))];
        if let Some(n) = event.body["satisfied"].as_i64() {
            lines.push(line("paper.sign.satisfied", &format!("{n}/5")));
        }
        lines.push(self.say("paper.sign.taken", &[("by", &event.actor)]));
        if event.source == "paper" {
            lines.push(self.word("visit.source.paper"));
        }
        match drawn(event) {
            Some(drawn) => {
                let (strokes, aspect) = drawn.drawn();
                Part::Drawing { strokes, aspect, lines }
            }
            None => Part::Words(lines.join("\n")),
        }
    }
}

fn drawn(event: &VisitEvent) -> Option<Signature> {
    let VisitSignature { width, height, strokes } =
        serde_json::from_value(event.body.get("signature")?.clone()).ok()?;
    Some(Signature { width, height, strokes })
}

/// What is told so much later says so.
const TOLD_LATE_MS: i64 = 60_000;
