//! What of a visit stands on every paper about it: what the customer says, the signatures, and the photos.

use super::State;
use super::api::shape::{VisitEvent, VisitSignature, VisitStory};
use super::signature::Signature;
use crate::paper::scribe::Scribe;
use crate::paper::{Part, Picture};

/// What the customer says of it, and the signatures: those that were given, or the place for one by pen.
pub fn accepted(scribe: &Scribe, story: &VisitStory) -> Vec<Part> {
    let visit = &story.visit;
    let mut parts = Vec::new();
    let opinion = visit.form.get("opinion").map(|field| field.text.clone()).unwrap_or_default();
    if !opinion.is_empty() {
        parts.push(Part::Facts(vec![scribe.fact("slip.opinion", opinion, true)]));
    }
    if let Some(State::Unsigned(reason)) = State::parse(&visit.state, &visit.reason) {
        parts.push(Part::Words(scribe.say("paper.unsigned", &[("reason", &reason)])));
    }
    let signed: Vec<&VisitEvent> = story.events.iter().filter(|event| event.kind == "signed").collect();
    for event in &signed {
        parts.push(signature(scribe, event));
    }
    if signed.is_empty() && visit.state != "cancelled" {
        parts.push(by_pen(scribe));
    }
    parts
}

/// An empty box to be signed with a pen.
pub fn by_pen(scribe: &Scribe) -> Part {
    let lines =
        ["paper.sign.by", "paper.sign.at", "paper.sign.satisfied"].map(|key| scribe.word(key)).to_vec();
    Part::Drawing { strokes: Vec::new(), aspect: 3.0, lines }
}

/// Who signed, and what was drawn; where that is on paper, only who and when.
fn signature(scribe: &Scribe, event: &VisitEvent) -> Part {
    let line = |key: &str, words: &str| format!("{}{}", scribe.word(key), words);
    let who = event.body["who"].as_str().unwrap_or_default();
    let mut lines = vec![line("paper.sign.by", who), line("paper.sign.at", &scribe.at(event.occurred_at))];
    if let Some(n) = event.body["satisfied"].as_i64() {
        lines.push(line("paper.sign.satisfied", &format!("{n}/5")));
    }
    lines.push(scribe.say("paper.sign.taken", &[("by", &event.actor)]));
    if event.source == "paper" {
        lines.push(scribe.word("visit.source.paper"));
    }
    match drawn(event) {
        Some(drawn) => {
            let (strokes, aspect) = drawn.drawn();
            Part::Drawing { strokes, aspect, lines }
        }
        None => Part::Words(lines.join("\n")),
    }
}

fn drawn(event: &VisitEvent) -> Option<Signature> {
    let VisitSignature { width, height, strokes } =
        serde_json::from_value(event.body.get("signature")?.clone()).ok()?;
    Some(Signature { width, height, strokes })
}

/// The photos under their heading, by the ids of their events, with what each `shows` beside its own words; nothing
/// without any.
pub fn pictures(
    scribe: &Scribe,
    story: &VisitStory,
    photos: &[(String, Vec<u8>)],
    shows: impl Fn(&VisitEvent) -> String,
) -> Vec<Part> {
    let picture = |(id, jpeg): &(String, Vec<u8>)| {
        let event = story.events.iter().find(|event| event.id == *id)?;
        let words = event.body["text"].as_str().unwrap_or_default().to_owned();
        let caption = scribe.list([scribe.at(event.occurred_at), event.actor.clone(), shows(event), words]);
        Some(Picture { jpeg: jpeg.clone(), caption })
    };
    let pictures: Vec<Picture> = photos.iter().filter_map(picture).collect();
    if pictures.is_empty() {
        return Vec::new();
    }
    vec![Part::Heading(scribe.word("paper.part.photos")), Part::Pictures(pictures)]
}
