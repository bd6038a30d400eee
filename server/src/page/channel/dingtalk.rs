//! DingTalk (钉钉): a group's robot that calls the person by name. With a secret every request is signed:
//! base64(HMAC-SHA256(secret, timestamp + "\n" + secret)).
//! <https://open.dingtalk.com/document/robots/customize-robot-security-settings>

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, Sent, fetch};
use super::sign::{clip, hmac_sha256_base64, query};
use super::wecom::is_phone;
use super::{Outgoing, chat_text};

/// What a text may have, bytes.
const TEXT_MAX: usize = 20_000;
/// A robot takes 20 messages a minute; one that sent more is shut out for ten.
const TEN_MINUTES: Duration = Duration::from_mins(10);

pub(super) async fn send(http: &reqwest::Client, page: &Outgoing, now: Timestamp) -> Sent {
    let settings = &page.settings;
    let timestamp = now.as_millisecond().to_string();
    let secret = settings.get("secret");
    let signature = sign(secret, &timestamp);
    let mut pairs = vec![("access_token", settings.need("access_token")?)];
    if !secret.is_empty() {
        pairs.extend([("timestamp", timestamp.as_str()), ("sign", signature.as_str())]);
    }
    let url = format!("{}/robot/send?{}", settings.base()?, query(pairs));
    let address = page.address.as_str();
    let at = match address {
        "all" => json!({ "isAtAll": true }),
        phone if is_phone(phone) => json!({ "atMobiles": [phone], "isAtAll": false }),
        id => json!({ "atUserIds": [id], "isAtAll": false }),
    };
    // A name is called only where it also stands in the text.
    let call = if address == "all" { String::new() } else { format!("\n@{address}") };
    let content = format!("{}{call}", clip(&chat_text(page), TEXT_MAX - call.len()));
    let body = json!({ "msgtype": "text", "text": { "content": content }, "at": at });
    judge(&fetch(http.post(url).json(&body)).await?)
}

fn sign(secret: &str, timestamp: &str) -> String {
    hmac_sha256_base64(secret.as_bytes(), format!("{timestamp}\n{secret}").as_bytes())
}

fn judge(answer: &Answer) -> Sent {
    let json = answer.json();
    let Some(code) = json.get("errcode").and_then(Value::as_i64) else {
        return Err(match answer.by_status() {
            Ok(words) => Refusal::later(format!("not an answer of DingTalk: {words}")),
            Err(refusal) => refusal,
        });
    };
    match code {
        0 => Ok(answer.words()),
        130_101 | 130_102 | 410_100 => Err(answer.later(Some(TEN_MINUTES))),
        -1 | 90_018 => Err(answer.later(None)),
        _ => Err(answer.never()),
    }
}
