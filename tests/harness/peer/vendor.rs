//! Vendors' ways to act on a device, behind lighttpd's own Digest: ISAPI and Dahua CGI as small scripts that obey
//! exactly one method and path each, and write down what they obeyed.

use std::fs;

use super::Lighttpd;
use super::process::{folder, write};

/// ISAPI `PUT /ISAPI/System/reboot`.
const ISAPI_REBOOT: &str = r#"cat > /dev/null
if [ "$REQUEST_METHOD" = PUT ]; then
  echo "$REQUEST_METHOD $REQUEST_URI" >> "$DOCUMENT_ROOT/../obeyed"
  printf 'Content-Type: application/xml\r\n\r\n<?xml version="1.0"?><ResponseStatus><statusCode>1</statusCode><statusString>OK</statusString></ResponseStatus>'
else
  printf 'Status: 405\r\nContent-Type: application/xml\r\n\r\n<ResponseStatus><statusCode>4</statusCode><statusString>Invalid Operation</statusString></ResponseStatus>'
fi
"#;

/// ISAPI channel 3 of a recorder: shows its definition and takes one.
const ISAPI_CHANNEL: &str = r#"kept="$DOCUMENT_ROOT/../channel"
if [ "$REQUEST_METHOD" = PUT ]; then
  cat > "$kept"
  echo "$REQUEST_METHOD $REQUEST_URI" >> "$DOCUMENT_ROOT/../obeyed"
  printf 'Content-Type: application/xml\r\n\r\n<ResponseStatus><statusCode>1</statusCode><statusString>OK</statusString></ResponseStatus>'
else
  printf 'Content-Type: application/xml\r\n\r\n'
  cat "$kept"
fi
"#;

/// Dahua `GET /cgi-bin/magicBox.cgi?action=reboot`.
const DAHUA: &str = r#"if [ "$REQUEST_METHOD $QUERY_STRING" = "GET action=reboot" ]; then
  echo "$REQUEST_METHOD $REQUEST_URI" >> "$DOCUMENT_ROOT/../obeyed"
  printf 'Content-Type: text/plain\r\n\r\nOK\r\n'
else
  printf 'Status: 400\r\nContent-Type: text/plain\r\n\r\nError\r\nBad Request!\r\n'
fi
"#;

/// A device of one of the two vendors; it knows [`Lighttpd::USER`].
#[derive(Debug)]
pub struct Vendor(Lighttpd);

impl Vendor {
    /// What the recorder shows of its channel 3.
    pub const CHANNEL: &str = "<?xml version=\"1.0\"?><InputProxyChannel><id>3</id><name>Gate</name>\
         <sourceInputPortDescriptor><proxyProtocol>HIKVISION</proxyProtocol><ipAddress>10.0.0.3</ipAddress>\
         </sourceInputPortDescriptor></InputProxyChannel>";

    /// Starts one and waits until it listens. `algorithm` is MD5 or SHA-256.
    pub async fn start(algorithm: &str) -> Self {
        let dir = folder();
        for (path, script) in [
            ("ISAPI/System/reboot", ISAPI_REBOOT),
            ("ISAPI/ContentMgmt/InputProxy/channels/3", ISAPI_CHANNEL),
            ("cgi-bin/magicBox.cgi", DAHUA),
        ] {
            let path = format!("www/{path}");
            let parent = dir.path().join(&path);
            fs::create_dir_all(parent.parent().expect("a folder")).expect("the peer's folder takes a folder");
            write(dir.path(), &path, script);
        }
        write(dir.path(), "channel", Self::CHANNEL);
        let scripts = "cgi.assign = (\"/reboot\" => \"/bin/sh\", \"/channels/3\" => \"/bin/sh\", \".cgi\" => \"/bin/sh\")\n";
        Self(Lighttpd::serve(dir, algorithm, "/", scripts).await)
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// What it obeyed: method and path, one after the other.
    pub fn obeyed(&self) -> Vec<String> {
        let text = fs::read_to_string(self.0.file("obeyed")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Channel 3 as it stands.
    pub fn channel(&self) -> String {
        fs::read_to_string(self.0.file("channel")).unwrap_or_default()
    }

    /// Somebody changes channel 3.
    pub fn set_channel(&self, text: &str) {
        fs::write(self.0.file("channel"), text).expect("the peer's folder takes a file");
    }

    /// The statuses of all requests for `path` so far.
    pub async fn statuses(&self, path: &str) -> Vec<u16> {
        self.0.statuses(path).await
    }
}
