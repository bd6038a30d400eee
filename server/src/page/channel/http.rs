//! Pages over HTTP: a webhook with a JSON payload of ours, or a request that the operator's template
//! describes, for providers of text messages, calls and chat.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Outgoing;
use super::answer::{Refusal, Sent, fetch};
use super::sign::percent;

const TEMPLATE_MAX: usize = 16 * 1024;

/// The request that a template describes. In `body` and in header values `{{subject}}`, `{{text}}`,
/// `{{link}}`, `{{number}}`, `{{site}}`, `{{severity}}` and `{{key}}` stand for the page's words,
/// escaped for the content type: JSON strings, form values, or as they are.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    #[serde(default = "post")]
    method: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
}

fn post() -> String {
    "POST".to_owned()
}

const PLACES: &[&str] = &["subject", "text", "link", "number", "site", "severity", "key"];

pub(super) fn client(limit: std::time::Duration) -> anyhow::Result<reqwest::Client> {
    Ok(reqwest::Client::builder()
        .timeout(limit)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("sitewarden/", env!("CARGO_PKG_VERSION")))
        .build()?)
}

pub(super) async fn webhook(client: &reqwest::Client, page: &Outgoing) -> Sent {
    let request = client.post(&page.address).header("idempotency-key", &page.key).json(&page.payload);
    answer(request).await
}

pub(super) async fn template(client: &reqwest::Client, page: &Outgoing) -> Sent {
    let template = parse(&page.template).map_err(Refusal::Never)?;
    let method: reqwest::Method = template
        .method
        .parse()
        .map_err(|_| Refusal::Never(format!("method `{}` is not an HTTP method", template.method)))?;
    let kind = template
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        .map_or("application/json", |(_, value)| value.as_str());
    let escape = Escape::of(kind);
    let mut request = client.request(method, &page.address).header("idempotency-key", &page.key);
    if !template.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
        request = request.header("content-type", kind);
    }
    for (name, value) in &template.headers {
        let value = fill(value, page, &Escape::None).replace(['\r', '\n'], " ");
        request = request.header(name, value);
    }
    answer(request.body(fill(&template.body, page, &escape))).await
}

/// What a receiver of one's own answers. A proxy before it may refuse with any status for a moment, so only one
/// that says that it is gone is not asked again and again.
async fn answer(request: reqwest::RequestBuilder) -> Sent {
    let answer = fetch(request).await?;
    match answer.status {
        200..=299 => Ok(answer.words()),
        410 => Err(answer.never()),
        _ => Err(answer.later(None)),
    }
}

fn parse(text: &str) -> Result<Template, String> {
    if text.len() > TEMPLATE_MAX {
        return Err(format!("the template is longer than {TEMPLATE_MAX} bytes"));
    }
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        format!(
            "template line {}: {}; it holds method, body and [headers]",
            text[..at].matches('\n').count() + 1,
            error.message()
        )
    })
}

pub(super) fn check_template(text: &str) -> Result<(), String> {
    let template = parse(text)?;
    template
        .method
        .parse::<reqwest::Method>()
        .map_err(|_| format!("method `{}` is not an HTTP method; write POST, PUT or GET", template.method))?;
    for (name, value) in &template.headers {
        reqwest::header::HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("`{name}` is not a header name"))?;
        reqwest::header::HeaderValue::from_str(value)
            .map_err(|_| format!("header {name}: its value has a line break or another control character"))?;
    }
    let mut rest = template.body.as_str();
    while let Some((_, after)) = rest.split_once("{{") {
        let (place, end) = after.split_once("}}").ok_or("a `{{` in the body is not closed by `}}`")?;
        if !PLACES.contains(&place.trim()) {
            return Err(format!("`{{{{{place}}}}}` is unknown; use one of {}", PLACES.join(", ")));
        }
        rest = end;
    }
    Ok(())
}

pub(super) fn check_url(address: &str) -> Result<(), String> {
    let url: reqwest::Url =
        address.parse().map_err(|_| format!("`{address}` is not a URL; write `https://host/path`"))?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(())
    } else {
        Err(format!("`{address}` is not a web address; write `https://host/path`"))
    }
}

/// How a word is written where it stands.
pub(super) enum Escape {
    /// Inside of a JSON string, of so many characters at most.
    Json(usize),
    /// As a form's value.
    Form,
    /// As it is.
    None,
}

impl Escape {
    fn of(content_type: &str) -> Self {
        let kind = content_type.to_ascii_lowercase();
        if kind.contains("json") {
            Self::Json(usize::MAX)
        } else if kind.contains("urlencoded") {
            Self::Form
        } else {
            Self::None
        }
    }

    fn apply(&self, text: &str) -> String {
        match self {
            Self::Json(most) => {
                let short: String = text.chars().take(*most).collect();
                let quoted = serde_json::Value::from(short).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
            Self::Form => percent(text),
            Self::None => text.to_owned(),
        }
    }
}

/// Fills the places of a template in one pass: words that contain `{{` are not filled again.
pub(super) fn fill(template: &str, page: &Outgoing, escape: &Escape) -> String {
    let word = |pointer: &str| {
        let value = page.payload.pointer(pointer).cloned().unwrap_or_default();
        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
    };
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((place, end)) = after.split_once("}}") else {
            out.push_str("{{");
            rest = after;
            break;
        };
        let text = match place.trim() {
            "subject" => page.message.subject.clone(),
            "text" => page.message.text.clone(),
            "link" => page.link.clone(),
            "key" => page.key.clone(),
            "number" => word("/ticket/number"),
            "severity" => word("/ticket/severity"),
            "site" => word("/site/name"),
            _ => String::new(),
        };
        out.push_str(&escape.apply(&text));
        rest = end;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Outgoing {
        Outgoing {
            channel: "http".into(),
            address: "https://sms.example/send".into(),
            template: String::new(),
            settings: crate::page::channel::Settings::default(),
            language: crate::text::Language::En,
            urgent: false,
            ticket: String::new(),
            key: "k/1".into(),
            message: crate::page::Message { subject: "say \"down\"".into(), text: "a\nb {{key}}".into() },
            link: "https://x/a/1".into(),
            payload: serde_json::json!({ "ticket": { "number": 7, "severity": "major" }, "site": { "name": "北门" } }),
        }
    }

    #[test]
    fn words_are_escaped_for_where_they_stand_and_filled_once() {
        let json =
            fill(r#"{"t":"{{subject}} {{ text }}","n":{{number}}}"#, &page(), &Escape::Json(usize::MAX));
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["t"], "say \"down\" a\nb {{key}}");
        assert_eq!(value["n"], 7);
        assert_eq!(fill("m={{text}}", &page(), &Escape::Form), "m=a%0Ab%20%7B%7Bkey%7D%7D");
        assert_eq!(fill("{{site}} {{open", &page(), &Escape::None), "北门 {{open");
    }

    #[test]
    fn a_bad_template_names_the_place_and_the_remedy() {
        assert_eq!(check_template("body = \"{{text}}\""), Ok(()));
        let unknown = check_template("body = \"{{tekst}}\"").unwrap_err();
        assert!(unknown.contains("tekst") && unknown.contains("subject"), "{unknown}");
        assert!(check_template("body = \"{{text\"").unwrap_err().contains("not closed"));
        assert!(check_template("a = 1").unwrap_err().contains("line 1"));
        assert!(check_template("method = \"GO TO\"").unwrap_err().contains("GO TO"));
        assert!(check_url("ftp://x").is_err() && check_url("https://x/y").is_ok());
    }
}
