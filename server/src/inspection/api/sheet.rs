//! The sheet of an inspection: what is asked, what measurement already says, and what somebody found. What was wrong
//! becomes a ticket, if the finder says so.

use std::collections::{HashMap, HashSet};

use axum::Json;
use axum::extract::{Path, State};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{OpenApi, ToSchema};

use super::act::{Desk, open as open_desk};
use crate::app::{App, Touched};
use crate::audit::{self, Entry};
use crate::clock::from_ms;
use crate::db::Conn;
use crate::device::store as devices;
use crate::error::ApiError;
use crate::inspection::answer::{self, Answer, Said};
use crate::inspection::checklist::{self, Item, Subject, Wanted};
use crate::inspection::late::{Claim, Line, Verdict, judge};
use crate::inspection::step::date_in;
use crate::inspection::store::{self, Row, coverage, sheet};
use crate::ticket::{self, Actor};
use crate::user::Viewer;
use crate::visit;

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(get, answer))]
pub struct Doc;

/// Devices of one sheet.
const DEVICES_MAX: i64 = 2_000;
/// What was found wrong wakes nobody: whoever found it is there.
const SEVERITY: &str = "minor";
/// Answers of one request.
const ANSWERS_MAX: usize = 500;

/// What measurement says of an item.
#[derive(Debug, Serialize, ToSchema)]
pub struct SheetProposal {
    /// `ok` or `bad`.
    pub answer: &'static str,
    /// Since when that is known. Unix ms.
    pub at: i64,
    /// What was measured.
    pub evidence: Value,
}

/// What somebody found.
#[derive(Debug, Serialize, ToSchema)]
pub struct SheetAnswer {
    /// `ok`, `bad` or `none` (not to be looked at here); where nothing is judged, `ok` says that it is answered.
    pub answer: String,
    /// What was read, the words, the number, or the names with `、` between them.
    pub value: String,
    /// Of a test, what was tested.
    pub what: String,
    /// Of a test, what was wanted.
    pub wanted: String,
    /// What is worth saying.
    pub note: String,
    /// Who.
    pub by: String,
    /// When it was written down here. Unix ms.
    pub at: i64,
    /// Its place in the record, which a later answer names as what it saw.
    pub seq: i64,
    /// What measurement said then; `null` where it said nothing.
    pub proposed: Value,
    /// The ticket that it became.
    pub ticket_number: Option<i64>,
}

/// An item of a sheet.
#[derive(Debug, Serialize, ToSchema)]
pub struct SheetItem {
    /// Its key; with the device it names the item.
    pub key: String,
    /// The device; empty for the site.
    pub device_id: String,
    /// The device's name.
    pub device: String,
    /// What is asked, English.
    pub en: String,
    /// The same in Chinese.
    pub zh: String,
    /// How it is answered: `check` (fine or wrong), `text`, `number`, `people` (names) or `test` (what, wanted, measured).
    pub kind: &'static str,
    /// Whether a reading is to be written down.
    pub reading: bool,
    /// Whether it may stay without an answer: one more test beside those that were made.
    pub spare: bool,
    /// What measurement says now.
    pub proposed: Option<SheetProposal>,
    /// What somebody found.
    pub answer: Option<SheetAnswer>,
    /// The photos of its visit that show it, by their ids.
    pub photos: Vec<String>,
}

/// The sheet of an inspection.
#[derive(Debug, Serialize, ToSchema)]
pub struct InspectionChecklist {
    /// `XJ-2026-0001`; `null` before the first answer.
    pub number: Option<String>,
    /// The visit whose photos are shown.
    pub visit_id: Option<String>,
    /// What is asked.
    pub items: Vec<SheetItem>,
    /// How many items nobody has answered.
    pub open: usize,
    /// How many were found wrong.
    pub bad: usize,
}

/// What somebody found at one item.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSheetAnswer {
    /// The item's key.
    pub key: String,
    /// Its device; empty for the site.
    #[serde(default)]
    pub device_id: String,
    /// `ok`, `bad` or `none`; what nothing is judged by is `ok` or `none`.
    pub answer: String,
    /// What was read, the words, the number, or the names with commas between them.
    #[serde(default)]
    pub value: String,
    /// Of a test, what was tested.
    #[serde(default)]
    pub what: String,
    /// Of a test, what was wanted.
    #[serde(default)]
    pub wanted: String,
    /// What is worth saying; needed for what is wrong.
    #[serde(default)]
    pub note: String,
    /// Whether a ticket is opened for what is wrong.
    #[serde(default)]
    pub ticket: bool,
    /// The answer's own id, made by whoever writes it: sent again, it counts once.
    #[serde(default)]
    pub id: Option<String>,
    /// The place of the answer that its writer saw, 0 for none: where another stands by now, this one is refused.
    #[serde(default)]
    pub seen: Option<i64>,
    /// The id of the writer's own answer that it corrects, where the writer could not know its place yet.
    #[serde(default)]
    pub over: Option<String>,
}

/// What somebody found.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSheetAnswers {
    /// The answers.
    pub answers: Vec<NewSheetAnswer>,
}

/// What is asked in an inspection and what its visit carries.
async fn asked(conn: &mut Conn, viewer: &Viewer, row: &Row) -> Result<Vec<Item>, ApiError> {
    let list = |text: &str| -> Vec<String> { serde_json::from_str(text).unwrap_or_default() };
    let wanted = |of: &Row| Wanted { kinds: list(&of.kinds), own: list(&of.checklist) };
    let mut inspections = vec![wanted(row)];
    for (id, _, _) in store::list_carried(conn, &row.id).await? {
        if let Some(other) = store::find(conn, &viewer.scope, &id).await? {
            inspections.push(wanted(&other));
        }
    }
    let filter = devices::Filter { site_id: Some(row.site_id.clone()), ..devices::Filter::default() };
    let mut subjects = Vec::new();
    for device in devices::list(conn, &viewer.scope, &filter, DEVICES_MAX).await? {
        // What came after it was done is no gap in it.
        let since = date_in(&row.zone, from_ms(device.created_at)).to_string();
        if row.done_on.as_ref().is_some_and(|done| since > *done) {
            continue;
        }
        let faults =
            if device.state == "ok" { Vec::new() } else { devices::list_faults(conn, &device.id).await? };
        let checks: Vec<Value> = serde_json::from_str(&device.check_list).unwrap_or_default();
        subjects.push(Subject {
            id: device.id,
            name: device.name,
            class: device.class,
            state: device.state,
            state_since: device.state_since,
            known_at: device.known_at,
            checks: checks.iter().filter_map(|check| check["kind"].as_str().map(str::to_owned)).collect(),
            faults: faults
                .into_iter()
                .map(|fault| {
                    let evidence = serde_json::from_str(&fault.evidence).unwrap_or_default();
                    (fault.code, fault.raised_at, fault.check_name, evidence)
                })
                .collect(),
        });
    }
    Ok(checklist::items(&inspections, &subjects))
}

/// What somebody found at items that are not asked any more, since their device is gone or of another class now: the
/// record keeps what was asked.
fn former(answers: HashMap<(String, String), (Value, SheetAnswer)>) -> Vec<SheetItem> {
    let mut items: Vec<SheetItem> = answers
        .into_iter()
        .map(|((key, device_id), (body, answer))| {
            let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
            let or_key = |words: String| if words.is_empty() { key.clone() } else { words };
            let (en, zh, device) = (or_key(text("en")), or_key(text("zh")), text("device"));
            SheetItem {
                device,
                en,
                zh,
                kind: Answer::parse(&text("as")).as_str(),
                reading: false,
                spare: false,
                proposed: None,
                answer: Some(answer),
                photos: Vec::new(),
                key,
                device_id,
            }
        })
        .collect();
    items.sort_by(|a, b| (&a.device, &a.device_id, &a.key).cmp(&(&b.device, &b.device_id, &b.key)));
    items
}

/// Puts each photo of the visit to the item that it shows.
async fn show(conn: &mut Conn, visit: &str, items: &mut [SheetItem]) -> sqlx::Result<()> {
    for event in visit::store::list_events(conn, visit).await?.into_iter().filter(|one| one.kind == "photo") {
        let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
        let of = (body["item"].as_str().unwrap_or_default(), body["device_id"].as_str().unwrap_or_default());
        if let Some(item) = items.iter_mut().find(|item| (item.key.as_str(), item.device_id.as_str()) == of) {
            item.photos.push(event.id);
        }
    }
    Ok(())
}

/// The sheet as it stands: what is asked with what was found, then what was found at what is not asked any more.
pub(super) async fn whole(
    conn: &mut Conn,
    viewer: &Viewer,
    row: &Row,
) -> Result<InspectionChecklist, ApiError> {
    let mut answers: HashMap<(String, String), (Value, SheetAnswer)> = HashMap::new();
    for event in sheet::list_answers(conn, &row.id).await? {
        let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
        let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
        let answer = SheetAnswer {
            answer: text("answer"),
            value: text("value"),
            what: text("what"),
            wanted: text("wanted"),
            note: text("note"),
            by: event.actor,
            at: event.at,
            seq: event.seq,
            proposed: body["proposed"].clone(),
            ticket_number: body["ticket"].as_i64(),
        };
        answers.insert((text("key"), text("device_id")), (body, answer));
    }
    let asked = asked(conn, viewer, row).await?;
    let asked = checklist::repeat(asked, |key| answers.contains_key(&(key.to_owned(), String::new())));
    let mut items: Vec<SheetItem> = asked
        .into_iter()
        .map(|item| SheetItem {
            answer: answers.remove(&(item.key.clone(), item.device_id.clone())).map(|(_, answer)| answer),
            photos: Vec::new(),
            key: item.key,
            device_id: item.device_id,
            device: item.device,
            en: item.en,
            zh: item.zh,
            kind: item.answer.as_str(),
            reading: item.reading,
            spare: item.spare,
            proposed: item.proposed.map(|said| SheetProposal {
                answer: if said.ok { "ok" } else { "bad" },
                at: said.at,
                evidence: said.evidence,
            }),
        })
        .collect();
    items.extend(former(answers));
    if let Some(visit) = &row.visit_id {
        show(conn, visit, &mut items).await?;
    }
    Ok(InspectionChecklist {
        number: sheet::find_number(conn, &row.id).await?,
        visit_id: row.visit_id.clone(),
        open: items.iter().filter(|item| item.answer.is_none() && !item.spare).count(),
        bad: items
            .iter()
            .filter(|item| item.answer.as_ref().is_some_and(|said| said.answer == "bad"))
            .count(),
        items,
    })
}

/// The sheet of an inspection, prefilled with what measurement says.
#[utoipa::path(get, path = "/api/v1/inspections/{id}/sheet", tag = "inspections", params(("id" = String, Path)),
    responses((status = 200, body = InspectionChecklist), (status = 404)))]
pub(super) async fn get(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Json<InspectionChecklist>, ApiError> {
    let mut conn = app.db.read().await?;
    let row = store::find(&mut conn, &viewer.scope, &id)
        .await?
        .ok_or_else(|| ApiError::not_found("inspection", &id))?;
    Ok(Json(Box::pin(whole(&mut conn, &viewer, &row)).await?))
}

/// The answers on the record, as far as a later one is judged by them.
async fn record(conn: &mut Conn, id: &str) -> sqlx::Result<Vec<Line>> {
    let events = sheet::list_answers(conn, id).await?.into_iter();
    Ok(events
        .map(|event| {
            let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
            let text = |name: &str| body[name].as_str().map(str::to_owned);
            let (key, device_id) = (text("key").unwrap_or_default(), text("device_id").unwrap_or_default());
            Line { seq: event.seq, id: text("id"), key, device_id }
        })
        .collect())
}

/// The answers that are not on the record yet, each once; refused where one would cover what its writer never saw.
fn unsaid(record: &[Line], answers: Vec<NewSheetAnswer>) -> Result<Vec<NewSheetAnswer>, ApiError> {
    let mut ids = HashSet::new();
    let mut new = Vec::new();
    for mut said in answers {
        said.id = said.id.map(|id| visit::api::own_id("id", &id)).transpose()?;
        said.over = said.over.map(|id| visit::api::own_id("over", &id)).transpose()?;
        let (id, over) = (said.id.as_deref(), said.over.as_deref());
        let (key, device_id) = (said.key.as_str(), said.device_id.as_str());
        match judge(record, &Claim { id, key, device_id, seen: said.seen, over }) {
            Verdict::New => {
                if said.id.clone().is_none_or(|id| ids.insert(id)) {
                    new.push(said);
                }
            }
            Verdict::Again => {}
            Verdict::Other => {
                return Err(ApiError::conflict("other_answer", "that id is another item's answer")
                    .hint("give each answer an id of its own"));
            }
            Verdict::Meanwhile(_) => {
                return Err(ApiError::conflict(
                    "answered_meanwhile",
                    format!("{key} {device_id}: somebody else has answered it").trim().to_owned(),
                )
                .hint("look at that answer; answer again where it is not right"));
            }
        }
    }
    Ok(new)
}

/// Writes down what somebody found; an answer with an id counts once, however often it is sent. What is wrong becomes a ticket where that is asked for.
#[utoipa::path(put, path = "/api/v1/inspections/{id}/sheet", tag = "inspections", params(("id" = String, Path)),
    request_body = NewSheetAnswers, responses((status = 200, body = InspectionChecklist), (status = 404), (status = 409)))]
pub(super) async fn answer(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(mut new): Json<NewSheetAnswers>,
) -> Result<Json<InspectionChecklist>, ApiError> {
    if new.answers.is_empty() || new.answers.len() > ANSWERS_MAX {
        return Err(ApiError::bad_request(
            "answers",
            "none, or too many",
            format!("send 1 to {ANSWERS_MAX}"),
        ));
    }
    let mut desk = open_desk(&app, &viewer, &id).await?;
    let record = record(&mut desk.tx, &id).await?;
    new.answers = unsaid(&record, new.answers)?;
    if new.answers.is_empty() {
        return Ok(Json(Box::pin(whole(&mut desk.tx, &viewer, &desk.row)).await?));
    }
    if matches!(desk.row.state.as_str(), "merged" | "waived" | "dropped") {
        let text = format!("{} {}: it is {}", desk.row.rule, desk.row.n, desk.row.state);
        return Err(
            ApiError::conflict("not_possible", text).hint("fill in the sheet of the visit that takes place")
        );
    }
    let asked = Box::pin(asked(&mut desk.tx, &viewer, &desk.row)).await?;
    let mut known: HashSet<String> = record.into_iter().map(|line| line.key).collect();
    known.extend(new.answers.iter().map(|said| said.key.clone()));
    let asked = checklist::repeat(asked, |key| known.contains(key));
    let by = (Some(viewer.account.as_str()), viewer.name.as_str());
    if sheet::find_number(&mut desk.tx, &id).await?.is_none() {
        let zone = TimeZone::get(&desk.row.zone).unwrap_or(TimeZone::UTC);
        let number = sheet::next_number(&mut desk.tx, desk.now, &zone).await?;
        store::append(&mut desk.tx, &id, "sheet", by, &json!({ "number": number }), desk.now).await?;
    }
    let mut tickets = Vec::new();
    for said in &new.answers {
        let item = asked.iter().find(|item| item.key == said.key && item.device_id == said.device_id);
        let item = item.ok_or_else(|| {
            ApiError::not_found("item of this sheet", format!("{} {}", said.key, said.device_id))
        })?;
        let body = Box::pin(found(&mut desk, &viewer, item, said, &mut tickets)).await?;
        store::append(&mut desk.tx, &id, "checked", by, &body, desk.now).await?;
    }
    let seen: Vec<String> = new
        .answers
        .iter()
        .filter(|said| !said.device_id.is_empty() && said.answer != "none")
        .map(|said| said.device_id.clone())
        .collect();
    let on = desk.row.done_on.as_deref().and_then(|on| on.parse::<Date>().ok()).unwrap_or(desk.today);
    coverage::check(&mut desk.tx, &id, (&desk.row.site_id, on), Some(&seen)).await?;
    let detail = json!({ "answers": new.answers.len(), "tickets": tickets.len() });
    audit::store::insert(&mut desk.tx, &Entry::by(&viewer, desk.now, "inspection.sheet", &id, detail))
        .await?;
    crate::escalation::step::step(&mut desk.tx, desk.now).await?;
    let told = Box::pin(whole(&mut desk.tx, &viewer, &desk.row)).await?;
    desk.tx.commit().await?;
    app.touched(&Touched::tickets(tickets));
    Ok(Json(told))
}

/// One answer as the record keeps it, with what measurement said then.
async fn found(
    desk: &mut Desk,
    viewer: &Viewer,
    item: &Item,
    said: &NewSheetAnswer,
    tickets: &mut Vec<String>,
) -> Result<Value, ApiError> {
    let kept = answer::read(
        item.answer,
        &Said {
            answer: said.answer.clone(),
            value: said.value.clone(),
            what: said.what.clone(),
            wanted: said.wanted.clone(),
            note: said.note.clone(),
        },
    )
    .map_err(|why| ApiError::bad_request(why.field, why.problem, why.hint))?;
    let Said { value, note, .. } = &kept;
    let proposed = item.proposed.as_ref().map(
        |one| json!({ "answer": if one.ok { "ok" } else { "bad" }, "at": one.at, "evidence": one.evidence }),
    );
    let mut body = json!({ "key": item.key, "device_id": item.device_id, "answer": said.answer, "value": value, "note": note,
        "proposed": proposed, "en": item.en, "zh": item.zh, "device": item.device });
    if let Some(id) = &said.id {
        body["id"] = id.as_str().into();
    }
    if item.answer != Answer::Check {
        body["as"] = item.answer.as_str().into();
    }
    if item.answer == Answer::Test {
        (body["what"], body["wanted"]) = (kept.what.as_str().into(), kept.wanted.as_str().into());
    }
    if said.answer == "bad" && said.ticket {
        let place = if item.device.is_empty() { String::new() } else { format!("{} · ", item.device) };
        let test = if kept.what.is_empty() { String::new() } else { format!(" {}", kept.what) };
        let title: String =
            format!("{place}{} {}{test}: {note}", item.zh, item.en).chars().take(200).collect();
        let severity = SEVERITY;
        let opening = ticket::store::New {
            site_id: &desk.row.site_id,
            gateway_id: None,
            device_id: (!item.device_id.is_empty()).then_some(item.device_id.as_str()),
            origin: "person",
            code: "",
            title: &title,
            severity,
            opened_at: desk.now,
        };
        let (ticket, number) = ticket::store::insert(&mut desk.tx, &opening, desk.now).await?;
        let by = Actor::Person { id: viewer.account.to_string(), name: viewer.name.clone() };
        let fact = json!({ "title": title, "severity": severity, "text": note, "inspection": desk.row.id });
        ticket::store::append(&mut desk.tx, ticket.as_str(), "opened", &by, &fact, desk.now, desk.now)
            .await?;
        body["ticket"] = number.into();
        tickets.push(ticket.to_string());
    }
    Ok(body)
}
