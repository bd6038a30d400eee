//! What the story's customer was promised: a contract on the site before anything breaks, and its clocks as
//! they are started by the machine, stopped by what proves it, and kept.

use anyhow::{Context, Result, bail};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::client::Client;

const ZONE: &str = "Asia/Shanghai";
const CLOCKS: [&str; 3] = ["respond", "arrive", "restore"];

/// Registers a contract for the only customer's only site, has it accepted and puts it in service; its number.
pub async fn promise(api: &Client, now: Timestamp) -> Result<String> {
    let customer = first(api, "/customers").await?;
    let site = first(api, "/sites").await?;
    let today = now.in_tz(ZONE)?.date();
    let new = json!({
        "customer_id": customer["id"], "text": text(today)?, "sites": [{ "site_id": site["id"], "zone": "" }],
    });
    let contract = api.post("/contracts", &new).await?;
    let path = format!("/contracts/{}", word(&contract, "id"));
    api.post(&format!("{path}/accept"), &json!({ "accepted_on": today, "documents": [] })).await?;
    let contract = api.post(&format!("{path}/serve"), &json!({})).await?;
    if contract["state"] != "in_service" || contract["in_force"] != 1 {
        bail!("the contract is not in service: {contract}");
    }
    Ok(word(&contract, "number").to_owned())
}

/// The ticket's clocks stand in these states, in the order of the contract, each with the rest of its time.
pub async fn clocks(api: &Client, ticket: &str, states: [&str; 3], now: Timestamp) -> Result<Option<String>> {
    let answer = api.get(&format!("/tickets/{ticket}/clocks")).await?;
    let mut told = Vec::new();
    for (name, state) in CLOCKS.iter().zip(states) {
        let clock = answer["clocks"].as_array().into_iter().flatten().find(|clock| clock["name"] == *name);
        let clock = clock.with_context(|| format!("the ticket has no clock `{name}`: {answer}"))?;
        if clock["state"] != state {
            return Ok(None);
        }
        let due = clock["due_at"].as_i64().with_context(|| format!("`{name}` is never due: {clock}"))?;
        told.push(match state {
            "running" => {
                let left = (due - now.as_millisecond()).max(0) / 1000;
                format!("{name} {}:{:02}:{:02} left", left / 3600, left / 60 % 60, left % 60)
            }
            _ => {
                let stopped = clock["stopped_at"].as_i64().context("a clock stopped at no time")?;
                format!("{name} {state}, {} min to spare", (due - stopped) / 60_000)
            }
        });
    }
    Ok(Some(told.join(" · ")))
}

/// A promise whose arrival counts only when the site's own gateway proves it.
fn text(today: jiff::civil::Date) -> Result<String> {
    let end = today.checked_add(1.year())?.yesterday()?;
    let clock = |name: &str, title: &str, stop: &str, target: &str, more: &str| {
        format!(
            "[[clock]]\nname = \"{name}\"\ntitle = \"{title}\"\nstart = \"reported\"\nstop = \"{stop}\"\n\
             target = \"{target}\"\n{more}"
        )
    };
    let head = format!(
        "[contract]\nid = \"DEMO-1\"\nname = \"Harbour, whole service 海港全保\"\nkind = \"annual\"\n\
         zone = \"{ZONE}\"\nbegins = \"{today}\"\nends = \"{end}\"\n"
    );
    let evidence = "evidence = [\"gateway_code\"]\n";
    Ok([
        head,
        clock("respond", "Response 响应", "first_human_reply", "15m", ""),
        clock("arrive", "Arrival 到场", "arrived", "1h", evidence),
        clock("restore", "Restored 恢复", "restored", "4h", ""),
        "[[inspect]]\nname = \"monthly\"\nfrom = \"commissioned\"\nevery = \"1mo\"\n".to_owned(),
        "[life]\naccepted_needs = [\"customer_file\"]\nrenewal_reminder = \"2mo\"\n".to_owned(),
    ]
    .concat())
}

async fn first(api: &Client, path: &str) -> Result<Value> {
    api.list(path).await?.into_iter().next().with_context(|| format!("GET {path} lists nothing"))
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_runs_for_a_year_from_its_first_day() {
        let text = text(jiff::civil::date(2028, 2, 29)).unwrap();
        assert!(text.contains("begins = \"2028-02-29\"\nends = \"2029-02-27\""), "{text}");
    }
}
