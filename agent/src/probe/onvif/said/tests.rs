//! Answers of cameras, with their quirks.

use super::super::super::tree::parse;
use super::*;

fn tree(text: &str) -> Node {
    parse(text.as_bytes()).unwrap()
}

#[test]
fn faults_come_in_both_versions_of_soap() {
    let new = "<s:Envelope><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value><s:Subcode><s:Value>ter:NotAuthorized</s:Value></s:Subcode>\
        </s:Code><s:Reason><s:Text xml:lang=\"en\">Sender not Authorized</s:Text></s:Reason></s:Fault></s:Body></s:Envelope>";
    assert_eq!(
        fault(&tree(new)).unwrap(),
        Fault { is_login: true, text: "Sender not Authorized".to_owned() }
    );
    let old = "<E><B><Fault><faultcode>wsse:FailedAuthentication</faultcode><faultstring>no</faultstring></Fault></B></E>";
    assert!(fault(&tree(old)).unwrap().is_login);
    let other = "<E><B><Fault><Code><Value>s:Receiver</Value></Code></Fault></B></E>";
    assert_eq!(fault(&tree(other)).unwrap(), Fault { is_login: false, text: "a fault".to_owned() });
    assert_eq!(fault(&tree("<E><B/></E>")), None);
}

#[test]
fn clocks_are_read_and_nonsense_is_none() {
    let text = |month: i32| {
        format!(
            "<B><GetSystemDateAndTimeResponse><SystemDateAndTime><DateTimeType>Manual</DateTimeType><UTCDateTime><Time><Hour>10</Hour>\
             <Minute>2</Minute><Second>3</Second></Time><Date><Year>2026</Year><Month>{month}</Month><Day>31</Day></Date></UTCDateTime>\
             </SystemDateAndTime></GetSystemDateAndTimeResponse></B>"
        )
    };
    assert_eq!(clock(&tree(&text(5))), Some(("2026-05-31T10:02:03Z".parse().unwrap(), Some(false))));
    assert_eq!(clock(&tree(&text(6))), None, "June has thirty days");
    assert_eq!(clock(&tree("<a/>")), None);
}

#[test]
fn the_right_version_of_a_service_is_taken_and_its_host_is_not() {
    let row = |name: &str, address: &str| {
        format!("<Service><Namespace>{name}</Namespace><XAddr>{address}</XAddr></Service>")
    };
    let text = format!(
        "<B><GetServicesResponse>{}{}{}</GetServicesResponse></B>",
        row("http://www.onvif.org/ver20/media/wsdl", "http://10.0.0.9/onvif/Media2"),
        row("http://www.onvif.org/ver10/media/wsdl", "http://10.0.0.9:8080/onvif/Media?x=1"),
        row("http://www.onvif.org/ver10/events/wsdl", "nonsense")
    );
    let found = services(&tree(&text)).unwrap();
    assert_eq!(found, Services { media: Some("/onvif/Media?x=1".to_owned()), events: None });
    assert_eq!(path("http://10.0.0.9"), Some("/".to_owned()));
    assert_eq!(path("http://10.0.0.9/a b"), None, "nothing that would make a second header");
    assert_eq!(
        (port("http://u:p@10.0.0.9:1025/e"), port("http://10.0.0.9/e"), port("http://h:0/")),
        (Some(1025), None, None)
    );
}

#[test]
fn addresses_lose_their_login() {
    let nested = "<R><MediaUri><Uri>rtsp://admin:1@23@10.0.0.9:554/live?x=a@b</Uri></MediaUri></R>";
    assert_eq!(uri(&tree(nested)), Some("rtsp://10.0.0.9:554/live?x=a@b".to_owned()));
    assert_eq!(uri(&tree("<R><Uri>nowhere</Uri></R>")), None);
}

#[test]
fn the_last_word_on_a_property_counts() {
    let message = |topic: &str, value: &str| {
        format!(
            "<wsnt:NotificationMessage><wsnt:Topic Dialect=\"x\">{topic}</wsnt:Topic><wsnt:Message><tt:Message UtcTime=\"0000-00-00T00:00:00Z\">\
             <tt:Source><tt:SimpleItem Name=\"Source\" Value=\"1\"/></tt:Source><tt:Data><tt:SimpleItem Name=\"State\" Value={value}/></tt:Data>\
             </tt:Message></wsnt:Message></wsnt:NotificationMessage>"
        )
    };
    let text = format!(
        "<B><PullMessagesResponse>{}{}{}</PullMessagesResponse></B>",
        message("tns1:VideoSource/tns1:SignalLoss", "\"true\""),
        message("tns1:VideoSource/SignalLoss", "false"),
        message("tns1:Monitoring/ProcessorUsage", "\"12.5\"")
    );
    let seen = notices(&tree(&text)).unwrap();
    let words: Vec<_> = seen.iter().map(|notice| (notice.topic.as_str(), notice.state)).collect();
    assert_eq!(words, [("VideoSource/SignalLoss", Some(false)), ("Monitoring/ProcessorUsage", None)]);
    assert_eq!(notices(&tree("<B/>")), None);
    assert_eq!(notices(&tree("<PullMessagesResponse/>")), Some(vec![]), "a heartbeat");
}
