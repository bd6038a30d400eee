//! ONVIF `SystemReboot` (device service, ver10), with the login of [`crate::probe::wsse`] by the device's own clock. A device
//! that asks for HTTP Digest instead gets that, once.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use reqwest::Method;

use super::web::{Answer, Failure, Request, ask, base, element, read, send};
use super::{End, Report};
use crate::config::Login;
use crate::probe::Context;
use crate::probe::wsse::{envelope, token};

const PATH: &str = "/onvif/device_service";
const WAIT: Duration = Duration::from_secs(10);
const NAMESPACE: &str = "http://www.onvif.org/ver10/device/wsdl";

pub(super) async fn reboot(address: &str, login: &Login, context: &Context) -> Report {
    let now = context.clock().now();
    // Without a login by the standard; a device that asks for one there is asked with our own clock's time.
    let clock = post(
        address,
        login,
        "GetSystemDateAndTime",
        &envelope("", &operation("GetSystemDateAndTime")),
        context,
    )
    .await;
    let device_now = clock.ok().and_then(|answer| device_time(&answer.body));
    let offset_s = device_now.map(|at| at.as_second() - now.as_second());
    let nonce: [u8; 20] = rand::random();
    let header = token(&login.user, login.password.reveal(), &nonce, device_now.unwrap_or(now));
    let body = envelope(&header, &operation("SystemReboot"));
    let answer = match post(address, login, "SystemReboot", &body, context).await {
        Ok(answer) if answer.status == 401 => {
            // It wants HTTP Digest; the token above was not looked at.
            let content_type = content_type("SystemReboot");
            let asked =
                Request { method: Method::POST, path: PATH, content_type: &content_type, body: &body };
            ask(address, login, &asked, context).await
        }
        answered => answered,
    };
    let report = match answer {
        Ok(answer) => verdict(&answer, offset_s),
        Err(Failure::BrokenOff) => Report::new(End::Done).with("answered", false),
        Err(failure) => return failure.into(),
    };
    match offset_s {
        Some(offset_s) => report.with("protocol", "onvif").with("clock_offset_s", offset_s),
        None => report.with("protocol", "onvif"),
    }
}

fn operation(name: &str) -> String {
    format!("<{name} xmlns=\"{NAMESPACE}\"/>")
}

fn content_type(operation: &str) -> String {
    format!("application/soap+xml; charset=utf-8; action=\"{NAMESPACE}/{operation}\"")
}

async fn post(
    address: &str,
    login: &Login,
    operation: &str,
    body: &str,
    context: &Context,
) -> Result<Answer, Failure> {
    let request = context
        .http()
        .client()
        .post(format!("{}{PATH}", base(address, login)))
        .timeout(WAIT)
        .header(reqwest::header::CONTENT_TYPE, content_type(operation))
        .body(body.to_owned());
    read(send(request, operation == "SystemReboot").await?).await
}

/// `UTCDateTime` of the answer.
fn device_time(xml: &str) -> Option<Timestamp> {
    let utc = &xml[xml.find("UTCDateTime")?..];
    let number = |name: &str| element(utc, name).and_then(|text| text.parse::<i16>().ok());
    let small = |name: &str| number(name).and_then(|number| i8::try_from(number).ok());
    let day = jiff::civil::Date::new(number("Year")?, small("Month")?, small("Day")?).ok()?;
    let time = jiff::civil::Time::new(small("Hour")?, small("Minute")?, small("Second")?, 0).ok()?;
    day.to_datetime(time).to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// Faults come with any status.
fn verdict(answer: &Answer, offset_s: Option<i64>) -> Report {
    let refused = ["NotAuthorized", "SenderNotAuthorized", "FailedAuthentication"];
    if answer.status == 401 || refused.iter().any(|word| answer.body.contains(word)) {
        let text = match offset_s {
            Some(s) if s.abs() > 5 => {
                format!("the device does not accept the login; its clock is {s} s off, which was allowed for")
            }
            Some(_) => "the device does not accept the user or the password".to_owned(),
            None => "the device does not accept the login, and does not tell its clock".to_owned(),
        };
        return Report::unauthorized(text);
    }
    if answer.status == 200 && answer.body.contains("SystemRebootResponse") {
        let message = element(&answer.body, "Message").unwrap_or_default().to_owned();
        return Report::new(End::Done).with("message", crate::probe::clip(&message));
    }
    let words = element(&answer.body, "Text").map_or_else(|| answer.words(), str::to_owned);
    Report::failed(format!("the device answered {} {words}", answer.status))
        .with("reason", "wrong_answer")
        .with("status", answer.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_devices_clock_is_read() {
        let xml = "<tds:GetSystemDateAndTimeResponse><tt:UTCDateTime><tt:Time><tt:Hour>10</tt:Hour><tt:Minute>2</tt:Minute>\
             <tt:Second>3</tt:Second></tt:Time><tt:Date><tt:Year>2026</tt:Year><tt:Month>5</tt:Month><tt:Day>31</tt:Day>\
             </tt:Date></tt:UTCDateTime></tds:GetSystemDateAndTimeResponse>";
        assert_eq!(device_time(xml), "2026-05-31T10:02:03Z".parse().ok());
        assert_eq!(device_time("<a/>"), None);
    }

    #[test]
    fn faults_are_told_apart() {
        let answer = |status, body: &str| Answer { status, body: body.into(), whole: true };
        let not =
            "<s:Fault><s:Code><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode></s:Code></s:Fault>";
        assert_eq!(verdict(&answer(400, not), Some(600)).end, End::Unauthorized);
        let fault = "<s:Fault><s:Reason><s:Text>Action not supported</s:Text></s:Reason></s:Fault>";
        let report = verdict(&answer(500, fault), None);
        assert!(report.end == End::Failed && report.error.contains("Action not supported"), "{report:?}");
        let done =
            "<tds:SystemRebootResponse><tds:Message>Rebooting</tds:Message></tds:SystemRebootResponse>";
        assert_eq!(verdict(&answer(200, done), None).end, End::Done);
    }
}
