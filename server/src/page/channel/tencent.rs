//! Tencent Cloud (腾讯云): text messages (SMS 2021-01-11) and calls that read a template aloud
//! (VMS 2020-09-02), signed by TC3-HMAC-SHA256. <https://cloud.tencent.com/document/api/382/52072>

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Outgoing;
use super::aliyun::host;
use super::answer::{Answer, Refusal, Sent, fetch};
use super::http::{Escape, fill};
use super::sign::{hex, hmac_sha256, sha256_hex};

const ALGORITHM: &str = "TC3-HMAC-SHA256";
const CONTENT_TYPE: &str = "application/json; charset=utf-8";
const MINUTE: Duration = Duration::from_mins(1);
/// What a variable of a template may have, characters.
const VARIABLE_MAX: usize = 30;

pub(super) async fn sms(http: &reqwest::Client, page: &Outgoing, now: Timestamp) -> Sent {
    let settings = &page.settings;
    let body = json!({
        "PhoneNumberSet": [page.address], "SmsSdkAppId": settings.need("sdk_app_id")?,
        "SignName": settings.need("sign_name")?, "TemplateId": settings.need("template_id")?,
        "TemplateParamSet": params(page)?, "SessionContext": page.key,
    });
    let call = Call { service: "sms", action: "SendSms", version: "2021-01-11", body: body.to_string() };
    judge(&call.send(http, page, now).await?)
}

pub(super) async fn voice(http: &reqwest::Client, page: &Outgoing, now: Timestamp) -> Sent {
    let settings = &page.settings;
    let body = json!({
        "CalledNumber": page.address, "VoiceSdkAppid": settings.need("sdk_app_id")?,
        "TemplateId": settings.need("template_id")?, "TemplateParamSet": params(page)?, "PlayTimes": 3,
        "SessionContext": page.key,
    });
    let call = Call { service: "vms", action: "SendTts", version: "2020-09-02", body: body.to_string() };
    judge(&call.send(http, page, now).await?)
}

fn params(page: &Outgoing) -> Result<Value, Refusal> {
    let text = fill(page.settings.get("params"), page, &Escape::Json(VARIABLE_MAX));
    serde_json::from_str::<Vec<String>>(&text)
        .map(Value::from)
        .map_err(|_| Refusal::Never("`params` does not become a JSON list of texts".into()))
}

struct Call {
    service: &'static str,
    action: &'static str,
    version: &'static str,
    body: String,
}

impl Call {
    async fn send(self, http: &reqwest::Client, page: &Outgoing, now: Timestamp) -> Result<Answer, Refusal> {
        let settings = &page.settings;
        let base = settings.base()?;
        let host = host(base)?;
        let authorization =
            self.authorization(&host, settings.need("secret_id")?, settings.need("secret_key")?, now);
        let request = http
            .post(format!("{base}/"))
            .header("authorization", authorization)
            .header("content-type", CONTENT_TYPE)
            .header("x-tc-action", self.action)
            .header("x-tc-version", self.version)
            .header("x-tc-timestamp", now.as_second().to_string())
            .header("x-tc-region", settings.get("region"));
        fetch(request.body(self.body)).await
    }

    fn authorization(&self, host: &str, id: &str, key: &str, now: Timestamp) -> String {
        let names = "content-type;host;x-tc-action";
        let action = self.action.to_ascii_lowercase();
        let headers = format!("content-type:{CONTENT_TYPE}\nhost:{host}\nx-tc-action:{action}\n");
        let request = format!("POST\n/\n\n{headers}\n{names}\n{}", sha256_hex(self.body.as_bytes()));
        let date = now.strftime("%Y-%m-%d").to_string();
        let scope = format!("{date}/{}/tc3_request", self.service);
        let to_sign =
            format!("{ALGORITHM}\n{}\n{scope}\n{}", now.as_second(), sha256_hex(request.as_bytes()));
        let day = hmac_sha256(format!("TC3{key}").as_bytes(), date.as_bytes());
        let service = hmac_sha256(&day, self.service.as_bytes());
        let signing = hmac_sha256(&service, b"tc3_request");
        let signature = hex(&hmac_sha256(&signing, to_sign.as_bytes()));
        format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}")
    }
}

fn judge(answer: &Answer) -> Sent {
    let json = answer.json();
    let response = &json["Response"];
    // An error of the request, of the one number, or of the call.
    let code = ["/Error/Code", "/SendStatusSet/0/Code"]
        .iter()
        .find_map(|place| response.pointer(place).and_then(Value::as_str))
        .or_else(|| response["SendStatus"]["CallId"].as_str().map(|_| "Ok"));
    let Some(code) = code else {
        return Err(match answer.by_status() {
            Ok(words) => Refusal::later(format!("not an answer of Tencent Cloud: {words}")),
            Err(refusal) => refusal,
        });
    };
    match code {
        "Ok" => Ok(answer.words()),
        _ if code.contains("LimitExceeded") => Err(answer.later(Some(MINUTE))),
        _ if code.starts_with("InternalError") || answer.status >= 500 => Err(answer.later(None)),
        _ => Err(answer.never()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_published_example() {
        let body =
            r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;
        let call = Call {
            service: "cvm",
            action: "DescribeInstances",
            version: "2017-03-12",
            body: body.to_owned(),
        };
        let signed = call.authorization(
            "cvm.tencentcloudapi.com",
            "AKIDz8krbsJ5yKBZQpn74WFkmLPx3*******",
            "Gu5t9xGARNpq86cd98joQYCN3*******",
            Timestamp::from_second(1_551_113_065).unwrap(),
        );
        assert_eq!(
            signed,
            "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3*******/2019-02-25/cvm/tc3_request, \
             SignedHeaders=content-type;host;x-tc-action, \
             Signature=be4f67d323c78ab9acb7395e43c0dbcf822a9cfac32fea2449a7bc7726b770a3"
        );
    }
}
