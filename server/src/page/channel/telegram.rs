//! Telegram: a bot writes to a chat. <https://core.telegram.org/bots/api#sendmessage>

use std::time::Duration;

use serde_json::{Value, json};

use super::answer::{Answer, Refusal, Sent, fetch};
use super::{Outgoing, chat_text};

/// What a text may have, characters.
const TEXT_MAX: usize = 4096;

pub(super) async fn send(http: &reqwest::Client, page: &Outgoing) -> Sent {
    let settings = &page.settings;
    let url = format!("{}/bot{}/sendMessage", settings.base()?, settings.need("token")?);
    let text: String = chat_text(page).chars().take(TEXT_MAX).collect();
    let body =
        json!({ "chat_id": page.address, "text": text, "link_preview_options": { "is_disabled": true } });
    judge(&fetch(http.post(url).json(&body)).await?)
}

fn judge(answer: &Answer) -> Sent {
    let json = answer.json();
    if json["ok"] == true {
        // The answer repeats the message: its number is enough.
        return Ok(format!("HTTP {} message {}", answer.status, json["result"]["message_id"]));
    }
    let Some(code) = json.get("error_code").and_then(Value::as_u64) else {
        return Err(match answer.by_status() {
            Ok(words) => Refusal::later(format!("not an answer of Telegram: {words}")),
            Err(refusal) => refusal,
        });
    };
    let description = json["description"].as_str().unwrap_or_default();
    match code {
        429 => {
            let seconds = json["parameters"]["retry_after"].as_u64().map(|s| s.min(3600));
            Err(answer.later(seconds.map(Duration::from_secs)))
        }
        // The person blocked the bot, or the group has thrown it out.
        403 => Err(Refusal::Gone(answer.words())),
        400 if description.contains("chat not found") => Err(answer.never()),
        500..=599 => Err(answer.later(None)),
        _ => Err(answer.never()),
    }
}
