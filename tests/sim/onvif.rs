//! What a simulated camera tells over ONVIF: SOAP 1.2, its clock to anybody (the standard's PRE_AUTH), the rest behind the same
//! Digest login as its pages. Its events are properties, read by a subscription that is given back.

use jiff::tz::TimeZone;

use super::device::Device;
use super::plan::{RTSP_PORT, WEB_PORT};
use super::trouble::Trouble;

/// Where the device service is.
pub const PATH: &str = "/onvif/device_service";
/// Where the others are.
const OTHERS: &str = "/onvif/";
/// Where the snapshot is.
pub const SNAPSHOT: &str = "/onvif/snapshot.jpg";
/// The path of its stream.
pub const STREAM: &str = "/stream/main";

const NAMES: &str = "xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\" xmlns:tt=\"http://www.onvif.org/ver10/schema\" \
                     xmlns:tds=\"http://www.onvif.org/ver10/device/wsdl\" xmlns:trt=\"http://www.onvif.org/ver10/media/wsdl\" \
                     xmlns:tev=\"http://www.onvif.org/ver10/events/wsdl\" xmlns:wsnt=\"http://docs.oasis-open.org/wsn/b-2\" \
                     xmlns:wsa5=\"http://www.w3.org/2005/08/addressing\" xmlns:tns1=\"http://www.onvif.org/ver10/topics\"";

/// What answers a question.
type Said = fn(&Device) -> String;

/// Whether questions go to this path.
pub fn is_at(path: &str) -> bool {
    path.starts_with(OTHERS) && path != SNAPSHOT
}

/// Whether a question may be asked without a login.
pub fn is_free(body: &str) -> bool {
    body.contains("GetSystemDateAndTime")
}

/// The status and the envelope that answer one.
pub fn answer(device: &Device, body: &str) -> (&'static str, String) {
    let questions: [(&str, Said); 9] = [
        ("GetSystemDateAndTime", clock),
        ("GetDeviceInformation", identity),
        ("GetServices", services),
        ("GetProfiles", profiles),
        ("GetStreamUri", stream),
        ("GetSnapshotUri", snapshot),
        ("CreatePullPointSubscription", subscription),
        ("PullMessages", messages),
        ("Unsubscribe", |_| "<wsnt:UnsubscribeResponse/>".to_owned()),
    ];
    let (status, inner) = match questions.iter().find(|(name, _)| body.contains(&format!("<{name} "))) {
        Some((_, said)) => ("200 OK", said(device)),
        None => (
            "500 Internal Server Error",
            "<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>ter:ActionNotSupported</s:Value></s:Subcode>\
             </s:Code><s:Reason><s:Text xml:lang=\"en\">Optional Action Not Implemented</s:Text></s:Reason></s:Fault>"
                .to_owned(),
        ),
    };
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    (status, format!("{head}<s:Envelope {NAMES}><s:Body>{inner}</s:Body></s:Envelope>\n"))
}

fn clock(device: &Device) -> String {
    let now = device.clock().to_zoned(TimeZone::UTC);
    format!(
        "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>\
         <tt:DaylightSavings>false</tt:DaylightSavings><tt:TimeZone><tt:TZ>CST-8</tt:TZ></tt:TimeZone><tt:UTCDateTime>\
         <tt:Time><tt:Hour>{}</tt:Hour><tt:Minute>{}</tt:Minute><tt:Second>{}</tt:Second></tt:Time>\
         <tt:Date><tt:Year>{}</tt:Year><tt:Month>{}</tt:Month><tt:Day>{}</tt:Day></tt:Date></tt:UTCDateTime>\
         </tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>",
        now.hour(),
        now.minute(),
        now.second(),
        now.year(),
        now.month(),
        now.day()
    )
}

fn identity(device: &Device) -> String {
    let b = device.blueprint();
    format!(
        "<tds:GetDeviceInformationResponse><tds:Manufacturer>Simulated</tds:Manufacturer><tds:Model>{}</tds:Model>\
         <tds:FirmwareVersion>V1.0.0</tds:FirmwareVersion><tds:SerialNumber>{}</tds:SerialNumber>\
         <tds:HardwareId>88</tds:HardwareId></tds:GetDeviceInformationResponse>",
        b.model,
        device.serial()
    )
}

/// The second version of media stands first, as many list it.
fn services(device: &Device) -> String {
    let service = |namespace: &str, path: &str| {
        format!(
            "<tds:Service><tds:Namespace>http://www.onvif.org/{namespace}/wsdl</tds:Namespace>\
             <tds:XAddr>http://{}:{WEB_PORT}{path}</tds:XAddr><tds:Version><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor>\
             </tds:Version></tds:Service>",
            device.address()
        )
    };
    format!(
        "<tds:GetServicesResponse>{}{}{}{}</tds:GetServicesResponse>",
        service("ver20/media", "/onvif/media2"),
        service("ver10/device", PATH),
        service("ver10/media", "/onvif/media"),
        service("ver10/events", "/onvif/events")
    )
}

fn profiles(_: &Device) -> String {
    let profile = |token: &str| {
        format!("<trt:Profiles token=\"{token}\" fixed=\"true\"><tt:Name>{token}</tt:Name></trt:Profiles>")
    };
    format!("<trt:GetProfilesResponse>{}{}</trt:GetProfilesResponse>", profile("main"), profile("sub"))
}

/// Many put an address of another network here.
fn stream(_: &Device) -> String {
    media("GetStreamUri", &format!("rtsp://0.0.0.0:{RTSP_PORT}{STREAM}"))
}

fn snapshot(device: &Device) -> String {
    media("GetSnapshotUri", &format!("http://{}:{WEB_PORT}{SNAPSHOT}", device.address()))
}

fn media(operation: &str, uri: &str) -> String {
    format!(
        "<trt:{operation}Response><trt:MediaUri><tt:Uri>{uri}</tt:Uri><tt:InvalidAfterConnect>false</tt:InvalidAfterConnect>\
         <tt:InvalidAfterReboot>false</tt:InvalidAfterReboot><tt:Timeout>PT60S</tt:Timeout></trt:MediaUri></trt:{operation}Response>"
    )
}

fn subscription(device: &Device) -> String {
    format!(
        "<tev:CreatePullPointSubscriptionResponse><tev:SubscriptionReference><wsa5:Address>http://{}:{WEB_PORT}/onvif/event-1</wsa5:Address>\
         </tev:SubscriptionReference><wsnt:CurrentTime>{now}</wsnt:CurrentTime><wsnt:TerminationTime>{now}</wsnt:TerminationTime>\
         </tev:CreatePullPointSubscriptionResponse>",
        device.address(),
        now = device.clock()
    )
}

fn messages(device: &Device) -> String {
    let properties = [
        ("tns1:VideoSource/tns1:GlobalSceneChange/tns1:ImagingService", "VideoSource_1", Trouble::Tamper),
        ("tns1:VideoSource/tns1:SignalLoss", "VideoSource_1", Trouble::Signal),
        ("tns1:Device/tns1:HardwareFailure/tns1:StorageFailure", "SD_DISK", Trouble::Disk),
    ];
    let said: Vec<String> = properties
        .iter()
        .map(|(topic, source, trouble)| {
            format!(
                "<wsnt:NotificationMessage><wsnt:Topic Dialect=\"http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet\">{topic}\
                 </wsnt:Topic><wsnt:Message><tt:Message UtcTime=\"{}\" PropertyOperation=\"Initialized\"><tt:Source>\
                 <tt:SimpleItem Name=\"Source\" Value=\"{source}\"/></tt:Source><tt:Data><tt:SimpleItem Name=\"State\" Value=\"{}\"/>\
                 </tt:Data></tt:Message></wsnt:Message></wsnt:NotificationMessage>",
                device.clock(),
                device.has(*trouble)
            )
        })
        .collect();
    let said = said.concat();
    format!(
        "<tev:PullMessagesResponse><tev:CurrentTime>{now}</tev:CurrentTime><tev:TerminationTime>{now}</tev:TerminationTime>{said}\
         </tev:PullMessagesResponse>",
        now = device.clock()
    )
}
