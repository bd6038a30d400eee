//! The manual of frequent faults, on the API.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::{bounded, trouble};
use crate::app::App;
use crate::audit::{self, Entry};
use crate::db::Conn;
use crate::error::ApiError;
use crate::id::uuid_v7;
use crate::knowledge::item::{Item, Proposal, fit, holds, repeated};
use crate::knowledge::store::{self, ITEMS_MAX, ItemRow};
use crate::router::Items;
use crate::router::input::{line, prose};
use crate::user::Viewer;

/// The longest key: a fault and the beginning of a cause.
const KEY_MAX: usize = 300;

/// Which part of the manual.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ItemQuery {
    /// Words that an item holds, in whatever order.
    #[serde(default)]
    q: String,
    /// A ticket that the items fit, by its id or number; the closest first.
    ticket: Option<String>,
}

/// What a person takes over into the manual.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKnowledgeItem {
    /// Of the proposal that it comes from; empty where somebody writes it without one.
    #[serde(default)]
    pub cause_key: String,
    /// What it says; absent where nobody is to be asked about this proposal again.
    pub words: Option<KnowledgeWords>,
}

/// What a page of the manual says.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KnowledgeWords {
    /// Fault code that it fits; empty fits all.
    pub code: String,
    /// Class of device that it fits; empty fits all.
    pub class: String,
    /// Model that it fits; empty fits all.
    pub model: String,
    /// What is seen; may be empty.
    pub symptom: String,
    /// What is wrong.
    pub cause: String,
    /// What helps.
    pub solution: String,
}

/// What a page says from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KnowledgeChange {
    /// The `changed_at` that whoever changes it has read.
    pub seen: i64,
    /// What it says.
    pub words: KnowledgeWords,
}

/// A page of the manual.
#[derive(Debug, Serialize, ToSchema)]
pub struct KnowledgeItem {
    /// Its id.
    pub id: String,
    /// Of the proposal that it comes from; empty where somebody wrote it without one.
    pub cause_key: String,
    /// `accepted`, or `passed` where nobody is to be asked again.
    pub state: String,
    /// What it says.
    pub words: KnowledgeWords,
    /// Tickets that said so when it was accepted; 0 where somebody wrote it without a proposal.
    pub times: i64,
    /// Who accepted it.
    pub made_by: String,
    /// When, Unix ms.
    pub made_at: i64,
    /// Who wrote it last.
    pub changed_by: String,
    /// When, Unix ms.
    pub changed_at: i64,
}

/// A cause that came again and again, and that nobody has decided about.
#[derive(Debug, Serialize, ToSchema)]
pub struct KnowledgeProposal {
    /// What names it.
    pub cause_key: String,
    /// In the words of the newest; of class and model what all of them share.
    pub words: KnowledgeWords,
    /// What was done: the different ones, the newest first.
    pub solutions: Vec<String>,
    /// The numbers of the tickets, the newest first.
    pub tickets: Vec<i64>,
}

/// Causes of at least three tickets of the same fault that nobody has decided about, the most frequent first; at most fifty.
#[utoipa::path(get, path = "/api/v1/knowledge/proposals", tag = "knowledge",
    responses((status = 200, body = Items<KnowledgeProposal>)))]
pub(super) async fn proposals(
    State(app): State<App>,
    viewer: Viewer,
) -> Result<Json<Items<KnowledgeProposal>>, ApiError> {
    let mut conn = app.db.read().await?;
    let all = undecided(&mut conn, &viewer).await?;
    Ok(Json(Items::all(all.into_iter().map(Into::into).collect())))
}

async fn undecided(conn: &mut Conn, viewer: &Viewer) -> Result<Vec<Proposal>, ApiError> {
    let decided = store::list_items(conn).await?.into_iter().map(|row| row.cause_key).collect();
    Ok(repeated(store::list(conn, &viewer.scope).await?, &decided))
}

/// The manual: what fits a ticket, the closest first, or what holds the words, the newest first.
#[utoipa::path(get, path = "/api/v1/knowledge/items", tag = "knowledge", params(ItemQuery),
    responses((status = 200, body = Items<KnowledgeItem>), (status = 404)))]
pub(super) async fn list(
    State(app): State<App>,
    viewer: Viewer,
    Query(query): Query<ItemQuery>,
) -> Result<Json<Items<KnowledgeItem>>, ApiError> {
    bounded(&query.q)?;
    let mut conn = app.db.read().await?;
    let about = match &query.ticket {
        Some(ticket) => Some(trouble(&mut conn, &viewer, ticket).await?.1),
        None => None,
    };
    let mut found = Vec::new();
    for row in store::list_items(&mut conn).await? {
        let item = row.item();
        let closeness = about.as_ref().map_or(Some(0), |trouble| fit(&item, trouble));
        if let (true, Some(closeness)) = (row.state == "accepted" && holds(&item, &query.q), closeness) {
            found.push((closeness, row));
        }
    }
    found.sort_by_key(|(closeness, _)| std::cmp::Reverse(*closeness));
    Ok(Json(Items::all(found.into_iter().map(|(_, row)| row.into()).collect())))
}

/// Takes a proposal over, passes it over, or writes a page without one.
#[utoipa::path(post, path = "/api/v1/knowledge/items", tag = "knowledge", request_body = NewKnowledgeItem,
    responses((status = 201, body = KnowledgeItem), (status = 400),
        (status = 409, description = "somebody has decided about this proposal, or the manual is full")))]
pub(super) async fn create(
    State(app): State<App>,
    viewer: Viewer,
    Json(new): Json<NewKnowledgeItem>,
) -> Result<(StatusCode, Json<KnowledgeItem>), ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let key = line("cause_key", &new.cause_key, 0..=KEY_MAX)?;
    let taken =
        store::list_items(&mut tx).await?.into_iter().any(|row| !key.is_empty() && row.cause_key == key);
    if taken {
        return Err(ApiError::conflict("decided", "this proposal is open no more")
            .hint("read the manual again: somebody has taken it over or passed it over"));
    }
    let from = undecided(&mut tx, &viewer).await?.into_iter().find(|one| one.key == key);
    let state = if new.words.is_some() { "accepted" } else { "passed" };
    let item = match (&from, new.words) {
        (_, Some(words)) => words.checked()?,
        (Some(from), None) => from.item.clone(),
        (None, None) => {
            let hint = "say what the page says, or name the cause_key of an open proposal to pass over";
            return Err(ApiError::bad_request("words", "they are missing", hint));
        }
    };
    if store::count_items(&mut tx).await? >= ITEMS_MAX {
        return Err(ApiError::conflict("full", format!("the manual has {ITEMS_MAX} pages"))
            .hint("take out what helps nobody any more"));
    }
    let Item { code, class, model, symptom, cause, solution } = item;
    let row = ItemRow {
        id: uuid_v7(now),
        times: from.as_ref().map_or(0, |from| from.tickets.len() as i64),
        cause_key: key,
        state: state.to_owned(),
        code,
        class,
        model,
        symptom,
        cause,
        solution,
        made_by: viewer.name.clone(),
        made_at: now.as_millisecond(),
        changed_by: viewer.name.clone(),
        changed_at: now.as_millisecond(),
    };
    store::insert_item(&mut tx, &row).await?;
    write_down(&mut tx, &viewer, now, "knowledge.add", &row).await?;
    tx.commit().await?;
    Ok((StatusCode::CREATED, Json(row.into())))
}

/// Writes a page anew.
#[utoipa::path(put, path = "/api/v1/knowledge/items/{id}", tag = "knowledge", params(("id" = String, Path)),
    request_body = KnowledgeChange, responses((status = 200, body = KnowledgeItem), (status = 400), (status = 404),
        (status = 409, description = "somebody has changed it since it was read")))]
pub(super) async fn change(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
    Json(change): Json<KnowledgeChange>,
) -> Result<Json<KnowledgeItem>, ApiError> {
    let now = app.clock.now();
    let mut tx = app.db.write().await?;
    let row = store::find_item(&mut tx, &id).await?.filter(|row| row.state == "accepted");
    let row = row.ok_or_else(|| ApiError::not_found("page", &id))?;
    let Item { code, class, model, symptom, cause, solution } = change.words.checked()?;
    if row.changed_at != change.seen {
        let who = format!("{} has changed it since", row.changed_by);
        return Err(ApiError::conflict("changed_meanwhile", who).hint("read it again, then change it"));
    }
    let (changed_by, changed_at) = (viewer.name.clone(), now.as_millisecond().max(row.changed_at + 1));
    let row = ItemRow { code, class, model, symptom, cause, solution, changed_by, changed_at, ..row };
    store::update_item(&mut tx, &row).await?;
    write_down(&mut tx, &viewer, now, "knowledge.change", &row).await?;
    tx.commit().await?;
    Ok(Json(row.into()))
}

/// Takes a page out, or takes it back that a proposal was passed over. Its cause is proposed again if it is still frequent.
#[utoipa::path(delete, path = "/api/v1/knowledge/items/{id}", tag = "knowledge", params(("id" = String, Path)),
    responses((status = 204), (status = 404)))]
pub(super) async fn remove(
    State(app): State<App>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let mut tx = app.db.write().await?;
    let row = store::find_item(&mut tx, &id).await?;
    let row = row.ok_or_else(|| ApiError::not_found("page", &id))?;
    store::delete_item(&mut tx, &id).await?;
    write_down(&mut tx, &viewer, app.clock.now(), "knowledge.remove", &row).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The audit keeps what a page said also after it was changed or taken out.
async fn write_down(
    conn: &mut Conn,
    viewer: &Viewer,
    now: Timestamp,
    action: &'static str,
    row: &ItemRow,
) -> Result<(), ApiError> {
    let detail = json!({ "state": row.state, "words": KnowledgeWords::from(row.item()) });
    audit::store::insert(conn, &Entry::by(viewer, now, action, &row.id, detail)).await?;
    Ok(())
}

impl KnowledgeWords {
    fn checked(&self) -> Result<Item, ApiError> {
        let item = Item {
            code: line("code", &self.code, 0..=60)?,
            class: line("class", &self.class, 0..=60)?,
            model: line("model", &self.model, 0..=120)?,
            symptom: prose("symptom", &self.symptom, 0..=2000)?,
            cause: prose("cause", &self.cause, 1..=2000)?,
            solution: prose("solution", &self.solution, 1..=2000)?,
        };
        if [&item.code, &item.class, &item.model].iter().all(|one| one.is_empty()) {
            let hint = "name at least one of them, so that it is offered where it helps";
            return Err(ApiError::bad_request("code, class, model", "it fits nothing", hint));
        }
        Ok(item)
    }
}

impl ItemRow {
    fn item(&self) -> Item {
        let Self { code, class, model, symptom, cause, solution, .. } = self;
        let [code, class, model, symptom, cause, solution] =
            [code, class, model, symptom, cause, solution].map(Clone::clone);
        Item { code, class, model, symptom, cause, solution }
    }
}

impl From<Item> for KnowledgeWords {
    fn from(Item { code, class, model, symptom, cause, solution }: Item) -> Self {
        Self { code, class, model, symptom, cause, solution }
    }
}

impl From<ItemRow> for KnowledgeItem {
    fn from(row: ItemRow) -> Self {
        let words = row.item().into();
        let ItemRow { id, cause_key, state, times, made_by, made_at, changed_by, changed_at, .. } = row;
        Self { id, cause_key, state, words, times, made_by, made_at, changed_by, changed_at }
    }
}

impl From<Proposal> for KnowledgeProposal {
    fn from(Proposal { key, item, solutions, tickets }: Proposal) -> Self {
        Self { cause_key: key, words: item.into(), solutions, tickets }
    }
}
