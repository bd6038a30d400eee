//! Twilio: a text message, or a call that reads the page aloud.
//! <https://www.twilio.com/docs/messaging/api/message-resource>, `/voice/api/call-resource`, `/voice/twiml/say`

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer::{Answer, Refusal, Sent, fetch};
use super::sign::{clip, percent, query};
use super::{Outgoing, short_text, spoken_text};
use crate::text::Language;

/// What a message may have, in bytes; Twilio takes 1,600 characters.
const TEXT_MAX: usize = 1500;

pub(super) async fn sms(http: &reqwest::Client, page: &Outgoing) -> Sent {
    create(http, page, "Messages", "Body", &clip(&short_text(page), TEXT_MAX)).await
}

pub(super) async fn voice(http: &reqwest::Client, page: &Outgoing) -> Sent {
    let language = match page.language {
        Language::En => "en-US",
        Language::Zh => "zh-CN",
    };
    let words = xml(&spoken_text(page));
    let twiml = format!("<Response><Say language=\"{language}\" loop=\"3\">{words}</Say></Response>");
    create(http, page, "Calls", "Twiml", &twiml).await
}

async fn create(http: &reqwest::Client, page: &Outgoing, resource: &str, name: &str, value: &str) -> Sent {
    let settings = &page.settings;
    let sid = settings.need("account_sid")?;
    let url = format!("{}/2010-04-01/Accounts/{}/{resource}.json", settings.base()?, percent(sid));
    let form = query([("To", page.address.as_str()), ("From", settings.need("from")?), (name, value)]);
    let credentials = STANDARD.encode(format!("{sid}:{}", settings.need("auth_token")?));
    let request = http
        .post(url)
        .header("authorization", format!("Basic {credentials}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    judge(&fetch(request).await?)
}

fn judge(answer: &Answer) -> Sent {
    let json = answer.json();
    match (answer.status, json["sid"].as_str(), json["code"].as_i64()) {
        (200..=299, Some(sid), _) => {
            Ok(format!("HTTP {} {sid} {}", answer.status, json["status"].as_str().unwrap_or_default()))
        }
        (200..=299, None, _) => Err(Refusal::later(format!("not an answer of Twilio: {}", answer.words()))),
        // The person has said STOP.
        (_, _, Some(21_610)) => Err(Refusal::Gone(answer.words())),
        (_, _, Some(20_429 | 14_107 | 21_611)) => Err(answer.later(None)),
        _ => answer.by_status(),
    }
}

fn xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
