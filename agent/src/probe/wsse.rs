//! The login of ONVIF within a SOAP envelope: OASIS Web Services Security UsernameToken Profile 1.0, whose password digest is
//! Base64(SHA-1(nonce + created + password)). `created` is told by the device's own clock, because a camera whose clock is
//! minutes off refuses everything else. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// An envelope of SOAP 1.2 around a body, with or without a login before it.
pub(crate) fn envelope(header: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><s:Envelope xmlns:s=\"http://www.w3.org/2003/05/soap-envelope\">\
         <s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
}

/// The header of one login; a nonce is never used twice.
pub(crate) fn token(user: &str, password: &str, nonce: &[u8], created: Timestamp) -> String {
    const WSS: &str = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-";
    let created = created.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string();
    let secret = [nonce, created.as_bytes(), password.as_bytes()].concat();
    let password = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &secret));
    let nonce = STANDARD.encode(nonce);
    let user = escaped(user);
    format!(
        "<Security s:mustUnderstand=\"1\" xmlns=\"{WSS}wssecurity-secext-1.0.xsd\"><UsernameToken>\
         <Username>{user}</Username>\
         <Password Type=\"{WSS}username-token-profile-1.0#PasswordDigest\">{password}</Password>\
         <Nonce EncodingType=\"{WSS}soap-message-security-1.0#Base64Binary\">{nonce}</Nonce>\
         <Created xmlns=\"{WSS}wssecurity-utility-1.0.xsd\">{created}</Created></UsernameToken></Security>"
    )
}

/// A text within XML.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_onvif_programmers_guide() {
        // ONVIF Application Programmer's Guide 1.0, section 6.1.1.3.
        let nonce = STANDARD.decode("LKqI6G/AikKCQrN0zqZFlg==").unwrap();
        let secret = [&nonce[..], b"2010-09-16T07:50:45Z", b"userpassword"].concat();
        let expected = "tuOSpGlFlIXsozq4HFNeeGeFLEI=";
        assert_eq!(STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, &secret)), expected);
        let text = token("us<er", "userpassword", &nonce, "2010-09-16T07:50:45Z".parse().unwrap());
        assert!(text.contains("2010-09-16T07:50:45.000Z") && !text.contains("userpassword"), "{text}");
        assert!(text.contains("<Username>us&lt;er</Username>"), "{text}");
    }
}
