//! What is asked of the contract for a ticket: who pays, from the lineage of its device, and what a plan costs.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::shape::DealQuestion;
use super::{Desk, no};
use crate::contract::api::ask::{QuoteLine, priced};
use crate::contract::measure::Fen;
use crate::contract::quote::quote;
use crate::contract::warranty::{Claim, Moment, decide};
use crate::db::Conn;
use crate::deal::{moments, store};
use crate::error::ApiError;
use crate::router::input::{line, prose};

/// Asks the contract who pays.
pub(super) async fn coverage(
    conn: &mut Conn,
    desk: &Desk,
    new: DealQuestion,
    now: Timestamp,
) -> Result<Value, ApiError> {
    let (case, contract) = (&desk.case, desk.case.contract());
    let word =
        |field: &'static str, text: &Option<String>| line(field, text.as_deref().unwrap_or_default(), 0..=80);
    let (cause, component, class) =
        (word("cause", &new.cause)?, word("component", &new.component)?, word("class", &new.class)?);
    let fault = Some(word("fault", &new.fault)?).filter(|fault| !fault.is_empty());
    let fault = fault.unwrap_or_else(|| desk.row.code.clone());
    let part_price = match new.part_price.as_deref().filter(|text| !text.trim().is_empty()) {
        None => None,
        Some(text) => Some(Fen::parse(text).ok_or_else(|| {
            ApiError::bad_request("part_price", format!("`{text}` is no amount"), "write it as 199.00")
        })?),
    };
    let zone = contract.zone.clone();
    let day = |at: Timestamp| at.to_zoned(zone.clone()).date();
    let mut told = match &desk.row.device_id {
        Some(device) => moments(&store::list_of_device(conn, device).await?, day),
        None => moments(&desk.lines.iter().map(|line| (line.clone(), None)).collect::<Vec<_>>(), day),
    };
    // The warranty begins with what the contract names; here that is the acceptance, or the day that is given.
    let record = crate::contract::store::record::list(conn, &case.governing.contract_id).await?;
    let accepted = record.iter().rfind(|step| step.kind == "accepted");
    let accepted: Value =
        accepted.and_then(|step| serde_json::from_str(&step.detail).ok()).unwrap_or_default();
    let on = match new.anchored_on.as_deref().filter(|text| !text.is_empty()) {
        Some(text) => Some(text.parse().map_err(|_| {
            ApiError::bad_request("anchored_on", format!("`{text}` is no date"), "write it as 2026-03-10")
        })?),
        None => accepted["accepted_on"].as_str().and_then(|text| text.parse().ok()),
    };
    let mut evidence: Vec<String> = new.evidence.clone();
    let documents = accepted["documents"].as_array().into_iter().flatten();
    evidence.extend(documents.filter_map(|one| one["kind"].as_str().map(str::to_owned)));
    if let Some(on) = on {
        for (event, _) in contract.warranty.iter().flat_map(|warranty| &warranty.anchors) {
            told.push(Moment { on, what: event.clone(), evidence: evidence.clone(), ..Moment::default() });
        }
    }
    let versions: Vec<_> = case
        .governing
        .versions
        .iter()
        .filter_map(|(row, version)| {
            let from = day(crate::clock::from_ms(row.valid_from));
            version.warranty.as_ref().map(|warranty| (from, warranty))
        })
        .collect();
    let claim = Claim {
        on: day(now),
        component: component.clone(),
        class: Some(class).filter(|class| !class.is_empty()).or_else(|| Some(case.heads.class.clone())),
        service: "repair".to_owned(),
        cause: if cause.is_empty() { "unknown".to_owned() } else { cause.clone() },
        fault: Some(fault.clone()).filter(|fault| !fault.is_empty()),
        evidence,
        part_price,
    };
    let decided = decide(contract, &versions, &told, &claim);
    let rights: Vec<Value> = decided
        .rights
        .iter()
        .map(|right| {
            json!({ "component": right.component, "from": right.from.to_string(), "why": right.why.en,
                "until": right.until.map(|until| until.to_string()), "why_zh": right.why.zh })
        })
        .collect();
    let [parts, labour, travel] = decided.bases.map(crate::contract::Basis::as_str);
    Ok(json!({ "outcome": decided.outcome.as_str(), "code": decided.code, "reason": decided.reason.en,
        "reason_zh": decided.reason.zh, "cause": claim.cause, "component": component, "fault": fault,
        "missing": decided.missing, "rights": rights, "parts": parts, "labour": labour, "travel": travel }))
}

/// A plan with its fee by the price list.
pub(super) fn offer(desk: &Desk, plan: &str, lines: Vec<QuoteLine>) -> Result<Value, ApiError> {
    let plan = prose("plan", plan, 1..=4000)?;
    let mut lines = priced(lines)?;
    for one in &mut lines {
        // What the customer is asked here is the consent itself.
        one.consent = one.consent.take().or_else(|| Some("offer".to_owned()));
        one.zone = one.zone.take().or_else(|| Some(desk.case.governing.zone.clone()));
    }
    let quote = quote(desk.case.contract(), &lines);
    let open: Vec<String> = quote
        .charges
        .iter()
        .filter(|charge| charge.fen.is_none() || !charge.needs.is_empty())
        .map(|charge| {
            let needs: Vec<&str> = charge.needs.iter().map(|need| need.en.as_str()).collect();
            format!("{}: {}", charge.title, needs.join(", "))
        })
        .collect();
    let (Some(fee), true) = (quote.total, open.is_empty()) else {
        return Err(ApiError::bad_request(
            "lines",
            open.join("; "),
            "say what is lacking, so that there is a fee",
        ));
    };
    desk.deal.may_offer(desk.case.contract(), fee).map_err(|why| no(&why))?;
    let charges: Vec<Value> = quote
        .charges
        .iter()
        .map(|charge| {
            json!({ "item": charge.item, "title": charge.title, "amount_fen": charge.fen.map(|fen| fen.0),
                "how": charge.how.en, "how_zh": charge.how.zh })
        })
        .collect();
    Ok(json!({ "plan": plan, "fee_fen": fee.0, "charges": charges }))
}
