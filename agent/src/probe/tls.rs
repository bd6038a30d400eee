//! Which certificate does a TLS port show, and until when is it valid?
//!
//! Devices on a site carry certificates nobody signed, so nothing is verified here: self-signed and issued
//! for another name are both normal. What counts is the date (RFC 5280, section 4.1.2.5) and whether the
//! device can speak a protocol version that is still acceptable (RFC 8996 retires TLS 1.0 and 1.1).

use std::sync::Arc;

use jiff::Timestamp;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{AlertDescription, ClientConfig, DigitallySignedStruct, SignatureScheme};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{Failure, OutcomeState, Reading, resolve};

const SECONDS_PER_DAY: f64 = 86_400.0;

/// The TLS client configuration for devices: ring, TLS 1.2 and 1.3, any certificate.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    pub(crate) config: Arc<ClientConfig>,
}

impl Tls {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth();
        // A resumed session shows no certificate, and the certificate is the question.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(Self { config: Arc::new(config) })
    }
}

/// Shakes hands once and reads the certificate.
///
/// Values: `days_left`, `handshake_ms`. Facts: `not_after`, `subject`, `issuer`, `signature`, `self_signed`,
/// `tls_version`. Faults: `tls_expired`, `tls_expiring`, `tls_obsolete`, `tls_silent`.
pub(crate) async fn read(address: &str, port: u16, warn_days: u16, tls: &Tls, now: Timestamp) -> Reading {
    let target = match resolve(address, port).await {
        Ok(target) => target,
        Err(failure) => return failure.into_reading("tls_silent"),
    };
    let started = Instant::now();
    let stream = match TcpStream::connect(target).await {
        Ok(stream) => stream,
        Err(error) => return Failure::from_io(&error, target).into_reading("tls_silent"),
    };
    let name = match ServerName::try_from(address.to_owned()) {
        Ok(name) => name,
        Err(_) => ServerName::from(target.ip()),
    };
    let stream = match TlsConnector::from(Arc::clone(&tls.config)).connect(name, stream).await {
        Ok(stream) => stream,
        Err(error) => return failed_handshake(&error, target),
    };
    let handshake_ms = started.elapsed().as_secs_f64() * 1_000.0;
    let (_, session) = stream.get_ref();
    let reading = match session.peer_certificates().and_then(<[_]>::first) {
        Some(certificate) => judge(certificate, warn_days, now),
        None => Reading::of(OutcomeState::Bad, "tls_silent", "the device showed no certificate"),
    };
    let version = session.protocol_version().and_then(|version| version.as_str()).unwrap_or("unknown");
    reading.value("handshake_ms", handshake_ms).fact("tls_version", version)
}

/// Compares a certificate's end with `now`. `warn_days` is how early to warn.
fn judge(certificate: &CertificateDer<'_>, warn_days: u16, now: Timestamp) -> Reading {
    let Some(certificate) = Certificate::parse(certificate) else {
        return Reading::of(OutcomeState::Bad, "tls_silent", "the device's certificate cannot be read");
    };
    let days_left = (certificate.not_after.as_second() - now.as_second()) as f64 / SECONDS_PER_DAY;
    let reading = certificate.facts(Reading::good().value("days_left", days_left));
    let evidence = [
        ("not_after", Value::from(certificate.not_after.to_string())),
        ("days_left", Value::from(days_left.floor() as i64)),
        ("subject", Value::from(certificate.subject.clone())),
    ];
    if days_left < 0.0 {
        let text = format!("the certificate ended on {}", certificate.not_after);
        return reading.fault(OutcomeState::Bad, "tls_expired", &text, evidence);
    }
    if days_left <= f64::from(warn_days) {
        let text =
            format!("the certificate ends on {}, in {} days", certificate.not_after, days_left.floor());
        return reading.fault(OutcomeState::Bad, "tls_expiring", &text, evidence);
    }
    reading
}

/// The few fields of a certificate that matter on site.
pub(crate) struct Certificate {
    not_after: Timestamp,
    subject: String,
    issuer: String,
    signature: String,
}

impl Certificate {
    pub(crate) fn parse(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(Self {
            not_after: Timestamp::from_second(certificate.validity().not_after.timestamp()).ok()?,
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            signature: certificate.signature_algorithm.algorithm.to_id_string(),
        })
    }

    pub(crate) fn subject(&self) -> &str {
        &self.subject
    }

    pub(crate) fn facts(&self, reading: Reading) -> Reading {
        reading
            .fact("not_after", &self.not_after.to_string())
            .fact("subject", &self.subject)
            .fact("issuer", &self.issuer)
            .fact("signature", &self.signature)
            .fact("self_signed", if self.subject == self.issuer { "yes" } else { "no" })
    }
}

/// Tells a device whose TLS is too old from one that does not speak TLS and from one that hung up.
fn failed_handshake(error: &std::io::Error, target: std::net::SocketAddr) -> Reading {
    let Some(cause) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) else {
        return Failure::from_io(error, target).into_reading("tls_silent");
    };
    let words = [("error", Value::from(cause.to_string()))];
    if is_obsolete(cause) {
        let text = format!(
            "{target} speaks no TLS version or cipher that is still accepted; update its firmware, or check it \
             over HTTP on a trusted network"
        );
        return Reading::good().fault(OutcomeState::Bad, "tls_obsolete", &text, words);
    }
    let text = format!("{target} answered, but the TLS handshake failed; is this a TLS port?");
    Reading::good().fault(OutcomeState::Bad, "tls_silent", &text, words)
}

/// Whether a failed handshake means that the device knows only retired protocol versions or ciphers.
pub(crate) fn is_obsolete(error: &rustls::Error) -> bool {
    match error {
        rustls::Error::PeerIncompatible(_) => true,
        rustls::Error::AlertReceived(alert) => matches!(
            alert,
            AlertDescription::ProtocolVersion
                | AlertDescription::HandshakeFailure
                | AlertDescription::InsufficientSecurity
        ),
        // The list is rustls's own and open; everything else is not about age.
        _ => false,
    }
}

/// Accepts whatever certificate a device shows.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate_until(year: i32) -> CertificateDer<'static> {
        let mut params = rcgen::CertificateParams::new(vec!["camera.test".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 7, 1);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn a_certificate_is_fine_then_expiring_then_expired() {
        let certificate = certificate_until(2027);
        let at = |text: &str| judge(&certificate, 30, text.parse().unwrap());

        let fine = at("2027-05-31T00:00:00Z");
        assert_eq!(fine.state, OutcomeState::Good);
        assert_eq!(fine.facts["self_signed"], "yes");

        let soon = at("2027-06-02T00:00:00Z");
        assert_eq!(soon.faults[0].code, "tls_expiring");
        assert_eq!(soon.faults[0].evidence["days_left"], 29);

        assert_eq!(at("2027-07-02T00:00:00Z").faults[0].code, "tls_expired");
    }

    #[test]
    fn only_age_is_called_obsolete() {
        assert!(is_obsolete(&rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)));
        assert!(!is_obsolete(&rustls::Error::AlertReceived(AlertDescription::CertificateRequired)));
        assert!(!is_obsolete(&rustls::Error::HandshakeNotComplete));
    }
}
