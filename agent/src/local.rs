//! What the gateway does by itself: a page over the local channel while the server cannot be reached. What to tell
//! whom is decided in the core; here it is one HTTP request.

use std::time::Duration;

use crate::config::Template;
use crate::core::Tell;

/// How long the local channel may take.
const LIMIT: Duration = Duration::from_secs(20);
/// How much of its answer is read.
const ANSWER_MAX: usize = 2048;

/// Sends one page; what the channel answered, or why it did not take it.
pub async fn tell(tell: Tell) -> Result<String, String> {
    match tokio::time::timeout(LIMIT, send(&tell)).await {
        Ok(result) => result,
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}

async fn send(tell: &Tell) -> Result<String, String> {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(LIMIT)
        .build()
        .map_err(|error| error.to_string())?;
    let request = if tell.page.template.reveal().is_empty() {
        let body = serde_json::json!({ "key": tell.key, "to": tell.person.address, "name": tell.person.name,
            "subject": tell.subject, "text": tell.text });
        client.post(&tell.page.url).json(&body)
    } else {
        let template: Template = toml::from_str(tell.page.template.reveal())
            .map_err(|_| "the template cannot be read".to_owned())?;
        let method = if template.method.is_empty() { "POST" } else { &template.method };
        let method = method.parse::<reqwest::Method>().map_err(|_| format!("`{method}` is not a method"))?;
        let kind = template.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let kind = kind.map_or("application/json", |(_, value)| value.as_str()).to_owned();
        let mut request = client.request(method, fill(&tell.page.url, tell, "urlencoded"));
        if !template.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
            request = request.header("content-type", &kind);
        }
        for (name, value) in &template.headers {
            request = request.header(name, fill(value, tell, "plain").replace(['\r', '\n'], " "));
        }
        request.body(fill(&template.body, tell, &kind))
    };
    let request = request.header("idempotency-key", &tell.key);
    let mut response = request.send().await.map_err(|error| error.without_url().to_string())?;
    let status = response.status();
    let mut body = Vec::new();
    while body.len() < ANSWER_MAX {
        match response.chunk().await {
            Ok(Some(part)) => body.extend_from_slice(&part[..part.len().min(ANSWER_MAX - body.len())]),
            Ok(None) | Err(_) => break,
        }
    }
    let words = format!("HTTP {} {}", status.as_u16(), String::from_utf8_lossy(&body).trim());
    let words: String = words.trim_end().chars().take(200).collect();
    if status.is_success() { Ok(words) } else { Err(words) }
}

/// Fills the places of a template in one pass, escaped for the content type.
fn fill(template: &str, tell: &Tell, content_type: &str) -> String {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((place, end)) = after.split_once("}}") else {
            out.push_str("{{");
            rest = after;
            break;
        };
        let word = match place.trim() {
            "to" => &tell.person.address,
            "name" => &tell.person.name,
            "subject" => &tell.subject,
            "text" => &tell.text,
            "key" => &tell.key,
            _ => "",
        };
        out.push_str(&escaped(word, content_type));
        rest = end;
    }
    out.push_str(rest);
    out
}

fn escaped(word: &str, content_type: &str) -> String {
    if content_type.contains("json") {
        let quoted = serde_json::Value::from(word).to_string();
        return quoted[1..quoted.len() - 1].to_owned();
    }
    if !content_type.contains("urlencoded") {
        return word.to_owned();
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    word.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use sitewarden_proto::fault::Severity;

    use super::*;
    use crate::config::{LocalPage, Person, Secret};

    #[test]
    fn a_template_is_filled_for_where_its_words_stand() {
        let page = LocalPage {
            url: "http://modem/".into(),
            template: Secret::new(""),
            severity: Severity::Major,
            after: Duration::from_mins(10),
            site: Default::default(),
            zone: "UTC".into(),
            people: Vec::new(),
        };
        let person =
            Person { id: "a".into(), name: "Li".into(), address: "+86138".into(), language: "zh".into() };
        let tell =
            Tell { key: "k".into(), page, person, subject: "北门".into(), text: "a \"b\"\nc".into() };
        assert_eq!(fill(r#"{"t":"{{text}}"}"#, &tell, "application/json"), r#"{"t":"a \"b\"\nc"}"#);
        assert_eq!(
            fill("n={{to}}&s={{ subject }}", &tell, "application/x-www-form-urlencoded"),
            "n=%2B86138&s=%E5%8C%97%E9%97%A8"
        );
        assert_eq!(fill("{{name}} {{open", &tell, "text/plain"), "Li {{open");
    }
}
