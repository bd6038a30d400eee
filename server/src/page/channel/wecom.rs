//! WeCom (企业微信): a message of an application of the company to one member, or a group's robot that calls
//! the person by name. <https://developer.work.weixin.qq.com/document/path/90236> and `/91770`.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal, Sent, fetch};
use super::sign::{clip, query, sha256_hex};
use super::{Outgoing, chat_text};

/// What a text may have, bytes.
const TEXT_MAX: usize = 2048;
/// A robot takes 20 messages a minute.
const MINUTE: Duration = Duration::from_mins(1);
/// A token is left alone so long before its end.
const TOKEN_MARGIN_MS: i64 = 300_000;

/// Access tokens and when they end, Unix ms. They are asked for rarely: WeCom limits how often.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<HashMap<String, (String, i64)>>);

impl Tokens {
    fn find(&self, key: &str, now: Timestamp) -> Option<String> {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.get(key).filter(|(_, end)| *end > now.as_millisecond()).map(|(token, _)| token.clone())
    }

    fn keep(&self, key: &str, token: &str, end: i64) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(key.to_owned(), (token.to_owned(), end));
    }

    fn forget(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// To one member, by the company's application.
pub(super) async fn app(http: &reqwest::Client, tokens: &Tokens, page: &Outgoing, now: Timestamp) -> Sent {
    let settings = &page.settings;
    let agent = settings.need("agent_id")?;
    let agent: i64 =
        agent.parse().map_err(|_| Refusal::Never(format!("agent_id `{agent}` is not a number")))?;
    let key = sha256_hex(format!("{} {}", settings.need("corp_id")?, settings.need("secret")?).as_bytes());
    let body = json!({
        "touser": page.address, "msgtype": "text", "agentid": agent, "safe": 0,
        "text": { "content": clip(&chat_text(page), TEXT_MAX) },
        // The same message to the same member again within half an hour is one message.
        "enable_duplicate_check": 1, "duplicate_check_interval": 1800,
    });
    for _ in 0..2 {
        let token = match tokens.find(&key, now) {
            Some(token) => token,
            None => new_token(http, tokens, page, &key, now).await?,
        };
        let url = format!(
            "{}/cgi-bin/message/send?{}",
            settings.base()?,
            query([("access_token", token.as_str())])
        );
        let answer = fetch(http.post(url).json(&body)).await?;
        // A token that ended before its time: one more try with a new one.
        if matches!(answer.json()["errcode"].as_i64(), Some(40014 | 42001)) {
            tokens.forget(&key);
            continue;
        }
        let words = judge(&answer)?;
        let unknown = answer.json()["invaliduser"].as_str().unwrap_or_default().to_owned();
        return if unknown.is_empty() {
            Ok(words)
        } else {
            Err(Refusal::Never(format!("WeCom knows no member `{unknown}`: {}", answer.words())))
        };
    }
    Err(Refusal::later("WeCom refused two access tokens of its own"))
}

async fn new_token(
    http: &reqwest::Client,
    tokens: &Tokens,
    page: &Outgoing,
    key: &str,
    now: Timestamp,
) -> Result<String, Refusal> {
    let settings = &page.settings;
    let pairs = [("corpid", settings.need("corp_id")?), ("corpsecret", settings.need("secret")?)];
    let answer = fetch(http.get(format!("{}/cgi-bin/gettoken?{}", settings.base()?, query(pairs)))).await?;
    judge(&answer)?;
    let json = answer.json();
    let token = json["access_token"].as_str().filter(|token| !token.is_empty());
    // The answer holds the token: it is not repeated.
    let token = token.ok_or_else(|| Refusal::later("WeCom gave no access token"))?;
    let life_ms = json["expires_in"].as_i64().unwrap_or(7200).clamp(600, 7200) * 1000;
    tokens.keep(key, token, now.as_millisecond() + life_ms - TOKEN_MARGIN_MS);
    Ok(token.to_owned())
}

/// Into a group, by its robot.
pub(super) async fn robot(http: &reqwest::Client, page: &Outgoing) -> Sent {
    let settings = &page.settings;
    let url =
        format!("{}/cgi-bin/webhook/send?{}", settings.base()?, query([("key", settings.need("key")?)]));
    let (people, phones): (Vec<&str>, Vec<&str>) = match page.address.as_str() {
        "all" => (vec!["@all"], vec![]),
        phone if is_phone(phone) => (vec![], vec![phone]),
        id => (vec![id], vec![]),
    };
    let body = json!({ "msgtype": "text", "text": { "content": clip(&chat_text(page), TEXT_MAX),
        "mentioned_list": people, "mentioned_mobile_list": phones } });
    judge(&fetch(http.post(url).json(&body)).await?)
}

/// A number without country code, or with one.
pub(super) fn is_phone(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    digits.len() >= 7 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn judge(answer: &Answer) -> Sent {
    let json = answer.json();
    let Some(code) = json.get("errcode").and_then(Value::as_i64) else {
        return Err(match answer.by_status() {
            Ok(words) => Refusal::later(format!("not an answer of WeCom: {words}")),
            Err(refusal) => refusal,
        });
    };
    match code {
        0 => Ok(answer.words()),
        // Too often, or too many at once.
        45009 | 45033 | 45047 => Err(answer.later(Some(MINUTE))),
        // Busy.
        -1 => Err(answer.later(None)),
        _ => Err(answer.never()),
    }
}
