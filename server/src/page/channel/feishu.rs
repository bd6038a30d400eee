//! Feishu (飞书): a group's robot that calls the person by name. With a secret every request is signed:
//! base64(HMAC-SHA256(key: timestamp + "\n" + secret, message: nothing)), the timestamp in seconds.
//! <https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot>

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, Sent, fetch};
use super::sign::{clip, hmac_sha256_base64, percent};
use super::{Outgoing, chat_text};

/// What a request may have is 20 KB.
const TEXT_MAX: usize = 15_000;
/// A robot takes 100 messages a minute.
const MINUTE: Duration = Duration::from_mins(1);

pub(super) async fn send(http: &reqwest::Client, page: &Outgoing, now: Timestamp) -> Sent {
    let settings = &page.settings;
    let url = format!("{}/open-apis/bot/v2/hook/{}", settings.base()?, percent(settings.need("token")?));
    let who: String = page.address.chars().filter(|c| !matches!(c, '"' | '<' | '>' | '&')).collect();
    let text = format!("<at user_id=\"{who}\"></at> {}", clip(&chat_text(page), TEXT_MAX));
    let mut body = json!({ "msg_type": "text", "content": { "text": text } });
    let secret = settings.get("secret");
    if !secret.is_empty() {
        let timestamp = now.as_second().to_string();
        body["sign"] = sign(secret, &timestamp).into();
        body["timestamp"] = timestamp.into();
    }
    judge(&fetch(http.post(url).json(&body)).await?)
}

fn sign(secret: &str, timestamp: &str) -> String {
    hmac_sha256_base64(format!("{timestamp}\n{secret}").as_bytes(), b"")
}

fn judge(answer: &Answer) -> Sent {
    let json = answer.json();
    let code = json.get("code").or_else(|| json.get("StatusCode")).and_then(Value::as_i64);
    let Some(code) = code else {
        return Err(match answer.by_status() {
            Ok(words) => Refusal::later(format!("not an answer of Feishu: {words}")),
            Err(refusal) => refusal,
        });
    };
    match code {
        0 => Ok(answer.words()),
        11_232 | 11_233 => Err(answer.later(Some(MINUTE))),
        // One number for a request that is wrong and for too many of them; the words tell them apart.
        9_499 if answer.status == 429 || answer.body.contains("too many") => Err(answer.later(Some(MINUTE))),
        _ if answer.status == 429 => Err(answer.later(Some(MINUTE))),
        _ => Err(answer.never()),
    }
}
