//! The end of the story: the contract owes an inspection, its sheet knows already what the gateway measures, what
//! somebody finds wrong becomes a ticket, the customer signs, and the report is printed.

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::client::Client;
use super::setup::Running;
use super::story::{digits, picture, say, scrawl, step, text, until, write};
use crate::sim::clock::now;

const ZONE: &str = "Asia/Shanghai";

/// Plays it and prints each step.
pub async fn tell(running: &Running, began: Timestamp) -> Result<()> {
    let api = running.client();
    let today = now().in_tz(ZONE)?.date().to_string();
    let one = owed(api, &today).await?;
    let path = format!("/inspections/{}", text(&one, "id"));
    say(began, "the contract owes the site an inspection every month; the first one is planned");
    let agreed = json!({ "day": today, "by": "Ms Zhou", "evidence": "call" });
    // Where the plan gives another day, today may be a Sunday: the customer has it moved to today.
    let act = if one["day"] == today.as_str() { "agree" } else { "move" };
    let agreed = api.post(&format!("{path}/{act}"), &agreed).await?;
    let visit = format!("/visits/{}", text(&agreed, "visit_id"));
    say(began, &format!("the customer agrees to {today}: ticket {} has its visit", agreed["ticket_number"]));

    for kind in ["accepted", "departed"] {
        step(api, &visit, &json!({ "kind": kind })).await?;
    }
    let proof = json!([{ "kind": "gateway_code", "code": digits(running).await? }]);
    step(api, &visit, &json!({ "kind": "arrived", "evidence": proof })).await?;
    step(api, &visit, &json!({ "kind": "working" })).await?;

    let sheet = api.get(&format!("{path}/sheet")).await?;
    let items = sheet["items"].as_array().context("a sheet without items")?;
    let known = items.iter().filter(|item| item["proposed"]["answer"] == "ok").count();
    if known == 0 {
        bail!("the sheet knows nothing of what the gateway measures: {sheet}");
    }
    say(began, &format!("its sheet asks {} items, {known} are answered by measurement", items.len()));
    let unmeasured = |item: &&Value| item["proposed"].is_null() && item["reading"] == false;
    let wrong =
        items.iter().find(unmeasured).context("everything is measured; there is nothing to find by hand")?;
    let photo = format!(
        "{visit}/photos/{}?item={}&device_id={}",
        uuid::Uuid::new_v4(),
        text(wrong, "key"),
        text(wrong, "device_id")
    );
    api.put_photo(&photo, picture()?).await?;
    let answers: Vec<Value> = items.iter().map(|item| answer(item, item == wrong)).collect();
    let told = api.put(&format!("{path}/sheet"), &json!({ "answers": answers })).await?;
    let found = told["items"].as_array().into_iter().flatten().find(|item| item["answer"]["answer"] == "bad");
    let ticket = found.and_then(|item| item["answer"]["ticket_number"].as_i64());
    let ticket = ticket.with_context(|| format!("what was wrong became no ticket: {told}"))?;
    say(began, &format!("sheet {} is filled in; what was wrong is ticket {ticket}", text(&told, "number")));

    step(api, &visit, &json!({ "kind": "done" })).await?;
    let signature = json!({ "width": 1000, "height": 400, "strokes": scrawl() });
    step(api, &visit, &json!({ "kind": "signed", "who": "Ms Zhou", "satisfied": 5, "signature": signature }))
        .await?;
    until("the inspection done", async || Ok((api.get(&path).await?["state"] == "done").then_some(())))
        .await?;
    say(began, "the visit is signed and the inspection is done");
    for lang in ["en", "zh"] {
        let name = format!("inspection-{}-{lang}", text(&told, "number"));
        say(began, &write(api, &format!("{path}/report.pdf?lang={lang}"), &name).await?);
    }
    Ok(())
}

/// What somebody says of an item: what was measured is confirmed, one thing is wrong, the rest is fine.
fn answer(item: &Value, is_wrong: bool) -> Value {
    let said = |answer: &str, value: &str, note: &str| {
        json!({ "key": item["key"], "device_id": item["device_id"], "answer": answer, "value": value, "note": note,
            "ticket": is_wrong })
    };
    match item["reading"] == true {
        _ if is_wrong => said("bad", "", "机柜门锁损坏 lock of the cabinet broken"),
        true => said("ok", "228 V, 3.1 A", ""),
        false => said("ok", "", ""),
    }
}

/// The site is commissioned today, so its contract owes inspections; the first of them.
async fn owed(api: &Client, today: &str) -> Result<Value> {
    let first = async |path: &str| {
        api.list(path).await?.into_iter().next().with_context(|| format!("GET {path} lists nothing"))
    };
    let (contract, site) = (first("/contracts").await?, first("/sites").await?);
    let anchor = json!({ "contract_id": contract["id"], "site_id": site["id"], "event": "commissioned", "day": today });
    api.put("/inspections/anchors", &anchor).await?;
    until("the first inspection", async || {
        let all = api.list(&format!("/inspections?contract_id={}", text(&contract, "id"))).await?;
        Ok(all.into_iter().find(|one| one["n"] == 1 && one["state"] == "proposed"))
    })
    .await
}
