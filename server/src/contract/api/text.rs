//! Looking at the text of a contract without keeping it: what is wrong with it, how it differs from another, and texts
//! to begin with.

use axum::Json;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use crate::contract::document::{self, Read};
use crate::contract::remark::{Remark, Verdict, Weight, Words};
use crate::contract::{Contract, Level, compare, template};
use crate::error::{ApiError, ErrorBody, ErrorText};
use crate::router::Items;

/// One sentence in both languages.
#[derive(Debug, Serialize, ToSchema)]
pub struct Said {
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
}

impl From<Words> for Said {
    fn from(words: Words) -> Self {
        Self { en: words.en, zh: words.zh }
    }
}

/// A remark on a contract's text.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContractRemark {
    /// `error`, `question` or `decided`.
    pub weight: &'static str,
    /// What kind of remark it is.
    pub code: &'static str,
    /// The key it is about, from the top.
    pub key: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: Said,
    /// What to write instead.
    pub remedy: Said,
}

impl From<Remark> for ContractRemark {
    fn from(remark: Remark) -> Self {
        Self {
            weight: remark.weight.as_str(),
            code: remark.code,
            key: remark.key,
            line: remark.line,
            column: remark.column,
            problem: remark.problem.into(),
            remedy: remark.remedy.into(),
        }
    }
}

/// A name of the contract, and what people call it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContractName {
    /// The name in the text.
    pub name: String,
    /// What people call it.
    pub title: String,
}

/// What a contract that can be used has: for choosing from.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContractOutline {
    /// Its number.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// The time zone of its calendars.
    pub zone: String,
    /// Its first day.
    pub begins: Option<String>,
    /// Its last day.
    pub ends: Option<String>,
    /// Its priorities, the most urgent first.
    pub priorities: Vec<ContractName>,
    /// Its zones.
    pub zones: Vec<ContractName>,
    /// Its calendars.
    pub calendars: Vec<String>,
    /// Items of its price list.
    pub prices: Vec<ContractName>,
    /// Documents that accepting it needs.
    pub needs: Vec<String>,
}

impl ContractOutline {
    pub(super) fn of(contract: &Contract) -> Self {
        let names = |levels: &[Level]| {
            let names = levels
                .iter()
                .map(|level| ContractName { name: level.name.clone(), title: level.title.clone() });
            names.collect()
        };
        let mut prices: Vec<ContractName> = Vec::new();
        for price in &contract.prices {
            if !prices.iter().any(|known| known.name == price.item) {
                prices.push(ContractName { name: price.item.clone(), title: price.title.clone() });
            }
        }
        Self {
            id: contract.id.clone(),
            name: contract.name.clone(),
            kind: contract.kind.clone(),
            zone: contract.zone.iana_name().unwrap_or("UTC").to_owned(),
            begins: contract.begins.map(|date| date.to_string()),
            ends: contract.ends.map(|date| date.to_string()),
            priorities: names(&contract.priorities),
            zones: names(&contract.zones),
            calendars: contract.calendars.keys().cloned().collect(),
            prices,
            needs: contract.terms.needs.clone(),
        }
    }
}

/// What a text is worth as a contract.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContractCheck {
    /// `usable`, `open` (questions stand) or `refused` (errors stand).
    pub verdict: &'static str,
    /// Every remark, in the order of the text.
    pub remarks: Vec<ContractRemark>,
    /// What it has, where it can be used.
    pub outline: Option<ContractOutline>,
}

impl From<Read> for ContractCheck {
    fn from(read: Read) -> Self {
        Self {
            verdict: read.verdict().as_str(),
            outline: read.contract.as_ref().map(ContractOutline::of),
            remarks: read.remarks.into_iter().map(ContractRemark::from).collect(),
        }
    }
}

/// A text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContractText {
    /// TOML, at most 512 KiB.
    pub text: String,
}

/// Two texts.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContractTexts {
    /// The earlier one.
    pub before: String,
    /// The later one.
    pub after: String,
}

/// A line of a difference.
#[derive(Debug, Serialize, ToSchema)]
pub struct DifferenceRow {
    /// `same`, `out`, `in`, or `skipped` for lines that are the same and not shown.
    pub kind: &'static str,
    /// Its number in the earlier text.
    pub before: Option<usize>,
    /// Its number in the later text.
    pub after: Option<usize>,
    /// The line.
    pub text: String,
    /// How many lines this row stands for.
    pub lines: usize,
}

/// A contract to begin with.
#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateHead {
    /// Its name.
    pub name: String,
    /// What it is for, in a line.
    pub about: String,
    /// What it is called, in both languages.
    pub title: String,
    /// Its kind.
    pub kind: String,
}

/// A contract to begin with, with its text.
#[derive(Debug, Serialize, ToSchema)]
pub struct TemplateText {
    /// Its name.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The routes' description.
#[derive(OpenApi)]
#[openapi(paths(check, compare_texts, templates, template_text))]
pub struct Doc;

/// Why a text was not taken: an ordinary refusal, or everything that is wrong with the text.
#[derive(Debug)]
pub enum Refused {
    /// An ordinary one.
    Plain(ApiError),
    /// The text's remarks.
    Text(Box<ContractCheck>),
    /// What the customer's file lacks.
    Lacks(Vec<super::Lacking>),
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self::Plain(error)
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Self::Plain(error.into())
    }
}

/// A refusal with the remarks on a text, or with what is lacking.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContractRefusal {
    /// The refusal: `contract_refused` or `file_incomplete`.
    #[serde(flatten)]
    pub refusal: ErrorBody,
    /// The remarks on the text.
    pub check: Option<ContractCheck>,
    /// What the customer's file lacks.
    pub lacks: Vec<super::Lacking>,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, code, message, hint, check, lacks) = match self {
            Self::Plain(error) => return error.into_response(),
            Self::Text(check) => {
                let count = |weight: Weight| {
                    check.remarks.iter().filter(|remark| remark.weight == weight.as_str()).count()
                };
                let (errors, questions) = (count(Weight::Error), count(Weight::Question));
                let many = |count: usize, one: &str| {
                    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
                };
                let (errors, questions) = (many(errors, "error"), many(questions, "open question"));
                let message = format!("the contract has {errors} and {questions}");
                let hint =
                    "correct the errors and decide the questions; each remark names its line and its remedy";
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                (status, "contract_refused", message, hint, Some(*check), Vec::new())
            }
            Self::Lacks(lacks) => {
                let message = match lacks.len() {
                    1 => "the customer's file lacks one thing".to_owned(),
                    many => format!("the customer's file lacks {many} things"),
                };
                let hint = "complete what is lacking; each entry says where it is written";
                (StatusCode::CONFLICT, "file_incomplete", message, hint, None, lacks)
            }
        };
        let refusal =
            ErrorBody { error: ErrorText { code: code.to_owned(), message, hint: Some(hint.to_owned()) } };
        (status, Json(ContractRefusal { refusal, check, lacks })).into_response()
    }
}

/// Reads a text beside the work of others: a large one takes a while.
pub(super) async fn read(text: String) -> Result<Read, ApiError> {
    let read = tokio::task::spawn_blocking(move || document::read(&text)).await;
    read.map_err(|_panic| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the text could not be read")
    })
}

/// A contract that can be used, or everything that is wrong with it.
pub(super) async fn usable(text: String) -> Result<Contract, Refused> {
    let mut read = read(text).await?;
    match read.contract.take().filter(|_| read.verdict() == Verdict::Usable) {
        Some(contract) => Ok(contract),
        None => Err(Refused::Text(Box::new(read.into()))),
    }
}

/// Says everything that is wrong with a text, looks wrong or is left open. Nothing is kept.
#[utoipa::path(post, path = "/api/v1/contracts/check", tag = "contracts", request_body = ContractText,
    responses((status = 200, body = ContractCheck)))]
pub(super) async fn check(Json(asked): Json<ContractText>) -> Result<Json<ContractCheck>, ApiError> {
    Ok(Json(read(asked.text).await?.into()))
}

/// The lines in which two texts differ. Nothing is kept.
#[utoipa::path(post, path = "/api/v1/contracts/compare", tag = "contracts", request_body = ContractTexts,
    responses((status = 200, body = Items<DifferenceRow>)))]
pub(super) async fn compare_texts(
    Json(asked): Json<ContractTexts>,
) -> Result<Json<Items<DifferenceRow>>, ApiError> {
    Ok(Json(Items::all(difference(asked.before, asked.after).await?)))
}

pub(super) async fn difference(before: String, after: String) -> Result<Vec<DifferenceRow>, ApiError> {
    let most = document::TEXT_MAX;
    if before.len().max(after.len()) > most {
        let hint = format!("a contract has at most {} KiB", most / 1024);
        return Err(ApiError::bad_request("text", "it is too large to be compared", hint));
    }
    let rows = tokio::task::spawn_blocking(move || compare::compare(&before, &after)).await;
    let rows = rows.map_err(|_panic| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the texts could not be compared")
    })?;
    let rows = rows.into_iter().map(|row| DifferenceRow {
        kind: row.kind.as_str(),
        before: row.before,
        after: row.after,
        text: row.text,
        lines: row.lines,
    });
    Ok(rows.collect())
}

/// Contracts to begin with.
#[utoipa::path(get, path = "/api/v1/contracts/templates", tag = "contracts",
    responses((status = 200, body = Items<TemplateHead>)))]
pub(super) async fn templates() -> Json<Items<TemplateHead>> {
    let heads = template::ALL.iter().map(|template| {
        let about = template.text.lines().next().unwrap_or("").trim_start_matches("# ").to_owned();
        let value = |key: &str| {
            let line = template.text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
            line.unwrap_or("").trim_matches('"').to_owned()
        };
        TemplateHead { name: template.name.to_owned(), about, title: value("name"), kind: value("kind") }
    });
    Json(Items::all(heads.collect()))
}

/// The text of a contract to begin with.
#[utoipa::path(get, path = "/api/v1/contracts/templates/{name}", tag = "contracts", params(("name" = String, Path)),
    responses((status = 200, body = TemplateText), (status = 404)))]
pub(super) async fn template_text(Path(name): Path<String>) -> Result<Json<TemplateText>, ApiError> {
    let found = template::find(&name).ok_or_else(|| {
        ApiError::not_found("template", &name).hint("GET /api/v1/contracts/templates lists them")
    })?;
    Ok(Json(TemplateText { name: found.name.to_owned(), text: found.text.to_owned() }))
}
