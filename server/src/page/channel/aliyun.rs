//! Aliyun (阿里云): text messages (Dysmsapi) and calls that read a template aloud (Dyvmsapi), signed by
//! ACS3-HMAC-SHA256. <https://help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature>

use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;

use super::Outgoing;
use super::answer::{Answer, Refusal, Sent, fetch};
use super::http::{Escape, fill};
use super::sign::{hex, hmac_sha256, percent, query, sha256_hex};

const ALGORITHM: &str = "ACS3-HMAC-SHA256";
const VERSION: &str = "2017-05-25";
/// One number gets one message a minute, five an hour, ten a day.
const MINUTE: Duration = Duration::from_mins(1);
/// What a variable of a template may have, characters.
const VARIABLE_MAX: usize = 35;

pub(super) async fn sms(http: &reqwest::Client, page: &Outgoing, now: Timestamp) -> Sent {
    let settings = &page.settings;
    let params = params(page)?;
    let pairs = vec![
        ("OutId", page.key.as_str()),
        // Within the country a number has no country code.
        ("PhoneNumbers", page.address.strip_prefix("+86").unwrap_or(&page.address)),
        ("SignName", settings.need("sign_name")?),
        ("TemplateCode", settings.need("template_code")?),
        ("TemplateParam", params.as_str()),
    ];
    call(http, page, "SendSms", pairs, now).await
}

pub(super) async fn voice(http: &reqwest::Client, page: &Outgoing, now: Timestamp) -> Sent {
    let settings = &page.settings;
    let params = params(page)?;
    let mut pairs = vec![
        ("CalledNumber", page.address.strip_prefix("+86").unwrap_or(&page.address)),
        ("OutId", page.key.as_str()),
        ("PlayTimes", "3"),
        ("TtsCode", settings.need("tts_code")?),
        ("TtsParam", params.as_str()),
    ];
    if !settings.get("called_show_number").is_empty() {
        pairs.push(("CalledShowNumber", settings.get("called_show_number")));
    }
    call(http, page, "SingleCallByTts", pairs, now).await
}

fn params(page: &Outgoing) -> Result<String, Refusal> {
    let text = fill(page.settings.get("params"), page, &Escape::Json(VARIABLE_MAX));
    match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(value) if value.is_object() => Ok(text),
        Ok(_) | Err(_) => Err(Refusal::Never("`params` does not become a JSON object".into())),
    }
}

async fn call(
    http: &reqwest::Client,
    page: &Outgoing,
    action: &str,
    mut pairs: Vec<(&str, &str)>,
    now: Timestamp,
) -> Sent {
    let settings = &page.settings;
    let base = settings.base()?;
    pairs.sort_unstable();
    let query = query(pairs);
    let date = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    let host = host(base)?;
    let signed = Signed {
        host: &host,
        query: &query,
        headers: [
            ("x-acs-action", action),
            ("x-acs-content-sha256", &sha256_hex(b"")),
            ("x-acs-date", &date),
            ("x-acs-signature-nonce", &nonce),
            ("x-acs-version", VERSION),
        ],
    };
    let authorization =
        signed.authorization(settings.need("access_key_id")?, settings.need("access_key_secret")?);
    let mut request = http.post(format!("{base}/?{query}")).header("authorization", authorization);
    for (name, value) in signed.headers {
        request = request.header(name, value);
    }
    judge(&fetch(request).await?)
}

/// The `host` header that a request to `base` carries.
pub(super) fn host(base: &str) -> Result<String, Refusal> {
    let url: Url = base.parse().map_err(|_| Refusal::Never(format!("base_url `{base}` is not a URL")))?;
    let name = url.host_str().unwrap_or_default();
    Ok(url.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}")))
}

/// A request without a body, as its signature sees it.
struct Signed<'a> {
    host: &'a str,
    /// Sorted.
    query: &'a str,
    /// Sorted; `host` comes before them.
    headers: [(&'a str, &'a str); 5],
}

impl Signed<'_> {
    fn authorization(&self, id: &str, secret: &str) -> String {
        let mut headers = format!("host:{}\n", self.host);
        let mut names = "host".to_owned();
        for (name, value) in self.headers {
            headers = format!("{headers}{name}:{}\n", value.trim());
            names = format!("{names};{name}");
        }
        let request = format!("POST\n/\n{}\n{headers}\n{names}\n{}", self.query, sha256_hex(b""));
        let to_sign = format!("{ALGORITHM}\n{}", sha256_hex(request.as_bytes()));
        let signature = hex(&hmac_sha256(secret.as_bytes(), to_sign.as_bytes()));
        format!("{ALGORITHM} Credential={},SignedHeaders={names},Signature={signature}", percent(id))
    }
}

fn judge(answer: &Answer) -> Sent {
    let json = answer.json();
    let Some(code) = json["Code"].as_str() else {
        return Err(match answer.by_status() {
            Ok(words) => Refusal::later(format!("not an answer of Aliyun: {words}")),
            Err(refusal) => refusal,
        });
    };
    let is_limit = ["LIMIT_CONTROL", "DAY_LIMIT", "Throttling"].iter().any(|word| code.contains(word));
    match code {
        "OK" => Ok(answer.words()),
        _ if is_limit => Err(answer.later(Some(MINUTE))),
        _ if code.starts_with("isp.") || answer.status >= 500 => Err(answer.later(None)),
        _ => Err(answer.never()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_published_example() {
        let signed = Signed {
            host: "ecs.cn-shanghai.aliyuncs.com",
            query: "ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd&RegionId=cn-shanghai",
            headers: [
                ("x-acs-action", "RunInstances"),
                ("x-acs-content-sha256", &sha256_hex(b"")),
                ("x-acs-date", "2023-10-26T10:22:32Z"),
                ("x-acs-signature-nonce", "3156853299f313e23d1673dc12e1703d"),
                ("x-acs-version", "2014-05-26"),
            ],
        };
        assert_eq!(
            signed.authorization("YourAccessKeyId", "YourAccessKeySecret"),
            "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;\
             x-acs-date;x-acs-signature-nonce;x-acs-version,\
             Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        );
    }
}
