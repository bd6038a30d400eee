//! Restarts: ONVIF with a login that the camera computes again, ISAPI and Dahua behind an independent Digest.

use reqwest::header::CONTENT_TYPE;
use sitewarden_agent::config::Protocol;
use sitewarden_agent::remedy::{End, Job, Report};
use sitewarden_tests::peer::{Lighttpd, OnvifCamera, Vendor};

use super::{done, login};

async fn reboot(protocol: Protocol, port: u16, user: &str, password: &str) -> Report {
    let login = login(protocol, port, user, password);
    done(Job::Reboot { address: "127.0.0.1".to_owned(), login }, false).await
}

async fn onvif(camera: &OnvifCamera, password: &str) -> Report {
    reboot(Protocol::Onvif, camera.port, OnvifCamera::USER, password).await
}

#[tokio::test]
async fn a_camera_restarts_by_onvif_even_if_its_clock_is_off() {
    for ahead_s in [0, 3_600, -86_400 * 400] {
        let camera = OnvifCamera::start(ahead_s).await;
        let report = onvif(&camera, OnvifCamera::PASSWORD).await;
        let seen = camera.seen().await;
        assert_eq!(report.end, End::Done, "{report:?} {seen:?}");
        assert_eq!((seen.obeyed.len(), seen.refused.len()), (1, 0), "{seen:?}");
        let offset_s = report.said["clock_offset_s"].as_i64().unwrap();
        assert!((offset_s - i64::from(ahead_s)).abs() <= 5, "{offset_s}");
        // Once more is another token.
        assert_eq!(onvif(&camera, OnvifCamera::PASSWORD).await.end, End::Done);
        assert_eq!(camera.seen().await.obeyed.len(), 2);
    }
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_said_to_be() {
    let camera = OnvifCamera::start(0).await;
    let report = onvif(&camera, "something else").await;
    assert_eq!(report.end, End::Unauthorized, "{report:?}");
    let seen = camera.seen().await;
    assert!(seen.obeyed.is_empty(), "{seen:?}");
    assert_eq!(seen.refused, ["digest"]);
}

/// The judge is worth its word: it refuses what is nearly right.
#[tokio::test]
async fn the_camera_refuses_what_is_nearly_right() {
    const OASIS: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-";
    let camera = OnvifCamera::start(0).await;
    let token = format!(
        "<w:Security s:mustUnderstand=\"1\" xmlns:w=\"{OASIS}wssecurity-secext-1.0.xsd\"><w:UsernameToken><w:Username>{}</w:Username>\
         <w:Password Type=\"{OASIS}username-token-profile-1.0#PasswordDigest\">AAAA</w:Password>\
         <w:Nonce>AAAAAAAAAAAAAAAAAAAAAAAAAAA=</w:Nonce>\
         <u:Created xmlns:u=\"{OASIS}wssecurity-utility-1.0.xsd\">2010-09-16T07:50:45.000Z</u:Created></w:UsernameToken></w:Security>",
        OnvifCamera::USER
    );
    let soap = |header: &str| {
        format!(
            "<s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\"><s:Header>{header}</s:Header><s:Body>\
             <SystemReboot xmlns=\"http://www.onvif.org/ver10/device/wsdl\"/></s:Body></s:Envelope>"
        )
    };
    let action =
        "application/soap+xml; charset=utf-8; action=\"http://www.onvif.org/ver10/device/wsdl/SystemReboot\"";
    let plain = token.replace("PasswordDigest", "PasswordText");
    for (kind, body, why) in [
        (action, soap(""), "no security header"),
        (action, soap(&plain), "password type"),
        (action, soap(&token), "created"),
        ("text/xml", soap(&token), "content type"),
        ("application/soap+xml; action=\"x\"", soap(&token), "action"),
    ] {
        let url = format!("http://127.0.0.1:{}/onvif/device_service", camera.port);
        let sent = reqwest::Client::new().post(url).header(CONTENT_TYPE, kind).body(body).send().await;
        assert_eq!(sent.unwrap().status(), 400);
        assert_eq!(camera.seen().await.refused.pop().unwrap(), why);
    }
    assert!(camera.seen().await.obeyed.is_empty());
}

#[tokio::test]
async fn isapi_and_dahua_restart_behind_digest() {
    for algorithm in ["MD5", "SHA-256"] {
        let device = Vendor::start(algorithm).await;
        for (protocol, line) in [
            (Protocol::Isapi, "PUT /ISAPI/System/reboot"),
            (Protocol::Dahua, "GET /cgi-bin/magicBox.cgi?action=reboot"),
        ] {
            let before = device.obeyed().len();
            let report = reboot(protocol, device.port(), Lighttpd::USER, Lighttpd::PASSWORD).await;
            assert_eq!(report.end, End::Done, "{report:?}");
            assert_eq!(device.obeyed()[before..], [line], "{algorithm}");
        }
    }
}

#[tokio::test]
async fn a_refused_login_is_tried_once() {
    let device = Vendor::start("MD5").await;
    for (protocol, path) in
        [(Protocol::Isapi, "/ISAPI/System/reboot"), (Protocol::Dahua, "/cgi-bin/magicBox.cgi?action=reboot")]
    {
        let report = reboot(protocol, device.port(), Lighttpd::USER, "wrong").await;
        assert_eq!(report.end, End::Unauthorized, "{report:?}");
        // The challenge, and one answer to it: devices lock an account after a few.
        assert_eq!(device.statuses(path).await, [401, 401]);
    }
    assert!(device.obeyed().is_empty());
}

#[tokio::test]
async fn a_recorder_is_given_back_the_channel_that_it_showed() {
    let device = Vendor::start("MD5").await;
    let readd = |channel| {
        let login = login(Protocol::Isapi, device.port(), Lighttpd::USER, Lighttpd::PASSWORD);
        done(Job::ReaddChannel { address: "127.0.0.1".to_owned(), login, channel }, false)
    };
    let report = readd(3).await;
    assert_eq!(report.end, End::Done, "{report:?}");
    assert_eq!(device.obeyed(), ["PUT /ISAPI/ContentMgmt/InputProxy/channels/3"]);
    assert_eq!(device.channel(), Vendor::CHANNEL, "nothing is lost");
    // Another channel's definition under its number, or half of one, is left alone.
    device.set_channel(&Vendor::CHANNEL.replace("<id>3</id>", "<id>4</id>"));
    assert_eq!(readd(3).await.end, End::Failed);
    device.set_channel(&Vendor::CHANNEL[..Vendor::CHANNEL.len() - 9]);
    let report = readd(3).await;
    assert_eq!((report.end, &report.said["reason"]), (End::Failed, &"not_whole".into()));
    assert_eq!(readd(5).await.end, End::Failed, "there is no channel 5");
    assert_eq!(device.obeyed().len(), 1);
}
