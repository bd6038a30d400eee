//! ntfy: a push to whoever has subscribed to a topic, on ntfy.sh or a server of one's own.
//! <https://docs.ntfy.sh/publish/#publish-as-json>

use serde_json::json;

use super::Outgoing;
use super::answer::{Answer, Refusal, Sent, fetch};
use super::sign::clip;

/// What a message may have, bytes; more would become an attachment.
const TEXT_MAX: usize = 3500;

pub(super) async fn send(http: &reqwest::Client, page: &Outgoing) -> Sent {
    let settings = &page.settings;
    let priority = if page.urgent { 5 } else { 4 };
    let mut body = json!({ "topic": page.address, "title": clip(&page.message.subject, 250),
        "message": clip(&page.message.text, TEXT_MAX), "priority": priority });
    if !page.link.is_empty() {
        body["click"] = page.link.as_str().into();
    }
    let mut request = http.post(settings.base()?).json(&body);
    if let token @ [_, ..] = settings.get("token").as_bytes() {
        request = request.header("authorization", [b"Bearer ".as_slice(), token].concat());
    }
    judge(&fetch(request).await?)
}

fn judge(answer: &Answer) -> Sent {
    let id = answer.json()["id"].as_str().map(str::to_owned);
    match (answer.status, id) {
        (200, Some(id)) => Ok(format!("HTTP 200 {id}")),
        (200, None) => Err(Refusal::later(format!("not an answer of ntfy: {}", answer.words()))),
        _ => answer.by_status(),
    }
}
