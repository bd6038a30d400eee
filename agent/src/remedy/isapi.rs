//! Hikvision ISAPI: `PUT /ISAPI/System/reboot`, and a recorder's channel taken up anew.
//!
//! A channel is not deleted and added again: what the recorder shows of its definition lacks the camera's password,
//! so a deleted channel could not be made again as it was. Instead the recorder is given the very definition that it
//! shows, which makes it connect to the camera anew; a definition that cannot be read whole is left alone.

use reqwest::Method;

use super::web::{Answer, Failure, Request, ask, element};
use super::{End, Report};
use crate::config::Login;
use crate::probe::Context;

/// `ResponseStatus/statusCode`: OK, and "needs a restart", which is what we asked for.
const FINE: [&str; 2] = ["1", "7"];
const XML: &str = "application/xml; charset=UTF-8";
const CHANNEL_MAX: u32 = 512;

pub(super) async fn reboot(address: &str, login: &Login, context: &Context) -> Report {
    let asked = Request { method: Method::PUT, path: "/ISAPI/System/reboot", content_type: XML, body: "" };
    match ask(address, login, &asked, context).await {
        Ok(answer) => verdict(&answer).with("protocol", "isapi"),
        Err(Failure::BrokenOff) => Report::new(End::Done).with("protocol", "isapi").with("answered", false),
        Err(failure) => failure.into(),
    }
}

pub(super) async fn readd(address: &str, login: &Login, channel: u32, context: &Context) -> Report {
    if !(1..=CHANNEL_MAX).contains(&channel) {
        return Report::failed(format!("there is no channel {channel}")).with("reason", "no_such_channel");
    }
    let path = format!("/ISAPI/ContentMgmt/InputProxy/channels/{channel}");
    let get = Request { method: Method::GET, path: &path, content_type: XML, body: "" };
    let before = match ask(address, login, &get, context).await {
        Ok(answer) => answer,
        Err(failure) => return failure.into(),
    };
    if let Err(text) = is_whole(&before, channel) {
        return Report::failed(text).with("reason", "not_whole");
    }
    let put = Request { method: Method::PUT, path: &path, content_type: XML, body: &before.body };
    let report = match ask(address, login, &put, context).await {
        Ok(answer) => verdict(&answer),
        Err(failure) => return failure.into(),
    };
    if report.end != End::Done {
        return report;
    }
    match ask(address, login, &get, context).await {
        Ok(after) if source(&after.body) == source(&before.body) => report.with("channel", channel),
        Ok(after) => Report::failed(format!(
            "the recorder took the definition of channel {channel} and shows another one: {}",
            after.words()
        ))
        .with("reason", "wrong_answer"),
        Err(failure) => failure.into(),
    }
}

/// The device's own word on whether it obeys.
fn verdict(answer: &Answer) -> Report {
    let code = element(&answer.body, "statusCode");
    if answer.status == 200 && code.is_none_or(|code| FINE.contains(&code)) {
        return Report::new(End::Done);
    }
    let text = element(&answer.body, "subStatusCode").or(element(&answer.body, "statusString"));
    let words = text.map_or_else(|| answer.words(), str::to_owned);
    Report::failed(format!("the device answered {} {words}", answer.status))
        .with("reason", "wrong_answer")
        .with("status", answer.status)
}

/// Whether a definition can be given back without losing anything.
fn is_whole(answer: &Answer, channel: u32) -> Result<(), String> {
    let body = answer.body.trim_end();
    if answer.status != 200 {
        return Err(format!("the definition of channel {channel} cannot be read: status {}", answer.status));
    }
    let closes = body.ends_with("</InputProxyChannel>");
    let is_ours = element(body, "id").is_some_and(|id| id == channel.to_string());
    let (address, protocol) = source(body);
    if answer.whole && closes && is_ours && address.is_some() && protocol.is_some() {
        Ok(())
    } else {
        Err(format!("the definition of channel {channel} cannot be read whole, so it is left alone"))
    }
}

/// What makes a channel this camera's: its address and protocol.
fn source(body: &str) -> (Option<&str>, Option<&str>) {
    (element(body, "ipAddress").or(element(body, "hostName")), element(body, "proxyProtocol"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, body: body.to_owned(), whole: true }
    }

    #[test]
    fn a_device_that_does_not_obey_is_quoted() {
        let ok = "<ResponseStatus><statusCode>1</statusCode><statusString>OK</statusString></ResponseStatus>";
        assert_eq!(verdict(&answer(200, ok)).end, End::Done);
        assert_eq!(verdict(&answer(200, "")).end, End::Done);
        let busy = "<ResponseStatus><statusCode>2</statusCode><statusString>Device Busy</statusString></ResponseStatus>";
        let report = verdict(&answer(200, busy));
        assert_eq!(report.end, End::Failed);
        assert!(report.error.contains("Device Busy"), "{}", report.error);
        assert_eq!(verdict(&answer(403, "")).end, End::Failed);
    }

    #[test]
    fn only_a_whole_definition_is_given_back() {
        let whole = "<InputProxyChannel><id>3</id><sourceInputPortDescriptor><proxyProtocol>HIKVISION</proxyProtocol>\
             <ipAddress>10.0.0.3</ipAddress></sourceInputPortDescriptor></InputProxyChannel>";
        assert!(is_whole(&answer(200, whole), 3).is_ok());
        assert!(is_whole(&answer(200, whole), 4).is_err(), "another channel's");
        assert!(is_whole(&answer(200, &whole[..whole.len() - 4]), 3).is_err(), "cut off");
        assert!(is_whole(&answer(403, whole), 3).is_err());
        assert!(is_whole(&Answer { whole: false, ..answer(200, whole) }, 3).is_err());
    }
}
