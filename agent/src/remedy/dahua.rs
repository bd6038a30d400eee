//! Dahua CGI: `magicBox.cgi?action=reboot`, which answers `OK`.

use reqwest::Method;

use super::web::{Failure, Request, ask};
use super::{End, Report};
use crate::config::Login;
use crate::probe::Context;

pub(super) async fn reboot(address: &str, login: &Login, context: &Context) -> Report {
    let path = "/cgi-bin/magicBox.cgi?action=reboot";
    let asked = Request { method: Method::GET, path, content_type: "", body: "" };
    match ask(address, login, &asked, context).await {
        Ok(answer) if answer.status == 200 && answer.body.trim() == "OK" => {
            Report::new(End::Done).with("protocol", "dahua")
        }
        Ok(answer) => Report::failed(format!("the device answered {} {}", answer.status, answer.words()))
            .with("reason", "wrong_answer")
            .with("status", answer.status),
        Err(Failure::BrokenOff) => Report::new(End::Done).with("protocol", "dahua").with("answered", false),
        Err(failure) => failure.into(),
    }
}
