//! Whom the gateway trusts. On the wire: only the private authority that the enrolment token named, and only
//! under the name that the server gave itself, whatever address it is reached at. At first contact: that same
//! authority, recognised in the server's chain by its fingerprint.
//!
//! The dates of the server's certificates are not judged. A gateway whose clock is wrong would lock itself out
//! from the only one who can tell it the time, and a date protects nothing here: who holds the server's old
//! key has the folder with the authority's key.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use ring::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

/// SHA-256 of a PEM certificate's DER, 64 lower-case hex digits.
pub fn fingerprint(pem: &str) -> anyhow::Result<String> {
    let der =
        CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| anyhow!("this is not a certificate"))?;
    Ok(fingerprint_of(&der))
}

fn fingerprint_of(der: &CertificateDer<'_>) -> String {
    let mut text = String::with_capacity(64);
    for byte in digest(&SHA256, der).as_ref() {
        use std::fmt::Write;
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// TLS for the wire: our certificate, the private authority, the server's own name.
pub fn wire(ca_pem: &str, identity_pem: &str, server_name: &str) -> anyhow::Result<Arc<ClientConfig>> {
    let verifier = Named { inner: authority(ca_pem)?, name: name(server_name)? };
    let chain = CertificateDer::pem_slice_iter(identity_pem.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| anyhow!("the gateway's certificate cannot be read"))?;
    let key = PrivateKeyDer::from_pem_slice(identity_pem.as_bytes())
        .map_err(|_| anyhow!("the gateway's key cannot be read"))?;
    ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(chain, key)
        .map(Arc::new)
        .context("the gateway's key does not fit its certificate")
}

/// TLS for the first contact: a server whose chain holds the authority of that fingerprint.
pub fn first_contact(fingerprint: &str) -> anyhow::Result<ClientConfig> {
    let schemes = provider().signature_verification_algorithms.supported_schemes();
    let verifier = Pinned { fingerprint: fingerprint.to_owned(), schemes };
    Ok(ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth())
}

/// TLS for a renewal to a web address that a public authority vouches for, at whatever time: nothing secret is
/// said there, and what comes back is believed only if it is signed by the private authority.
pub fn renewal() -> anyhow::Result<ClientConfig> {
    let inner = rustls_platform_verifier::Verifier::new(provider())?;
    Ok(ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Undated(Arc::new(inner))))
        .with_no_client_auth())
}

/// Whether the other side ended the handshake because our certificate has expired.
pub fn says_expired(error: &anyhow::Error) -> bool {
    let is_alert = |error: &rustls::Error| {
        matches!(error, rustls::Error::AlertReceived(AlertDescription::CertificateExpired))
    };
    error.chain().any(|cause| {
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let inner = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        inner.or_else(|| cause.downcast_ref::<rustls::Error>()).is_some_and(is_alert)
    })
}

/// Verifies at a time at which every certificate of the chain was valid, if there is one.
fn undated<T>(
    now: UnixTime,
    verify: impl Fn(UnixTime) -> Result<T, rustls::Error>,
) -> Result<T, rustls::Error> {
    let mut at = now;
    // The server's certificate and those above it each correct the time once.
    for _ in 0..4 {
        match verify(at) {
            Err(rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext {
                not_before,
                ..
            })) => at = not_before,
            Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext {
                not_after, ..
            })) => {
                at = not_after;
            }
            other => return other,
        }
    }
    verify(at)
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn name(text: &str) -> anyhow::Result<ServerName<'static>> {
    ServerName::try_from(text.to_owned()).map_err(|_| anyhow!("{text:?} is not a server name"))
}

fn authority(ca_pem: &str) -> anyhow::Result<Arc<WebPkiServerVerifier>> {
    let der = CertificateDer::from_pem_slice(ca_pem.as_bytes())
        .map_err(|_| anyhow!("the authority's certificate cannot be read"))?;
    trusting(der).context("the authority's certificate does not serve")
}

fn trusting(der: CertificateDer<'_>) -> anyhow::Result<Arc<WebPkiServerVerifier>> {
    let mut roots = RootCertStore::empty();
    roots.add(der.into_owned())?;
    Ok(WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider()).build()?)
}

/// Verifies the server under the name it enrolled us with.
#[derive(Debug)]
struct Named {
    inner: Arc<WebPkiServerVerifier>,
    name: ServerName<'static>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _address: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        undated(now, |at| self.inner.verify_server_cert(end, chain, &self.name, ocsp, at))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, end, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, end, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Trusts the authority in the server's chain that has the fingerprint of the token.
#[derive(Debug)]
struct Pinned {
    fingerprint: String,
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        address: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let unknown = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let pinned = chain.iter().find(|der| fingerprint_of(der) == self.fingerprint).ok_or_else(unknown)?;
        let inner = trusting(pinned.clone()).map_err(|_| unknown())?;
        undated(now, |at| inner.verify_server_cert(end, chain, address, ocsp, at))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, end, signed, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, end, signed, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

/// Another verifier, at whatever time.
#[derive(Debug)]
struct Undated(Arc<dyn ServerCertVerifier>);

impl ServerCertVerifier for Undated {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        address: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        undated(now, |at| self.0.verify_server_cert(end, chain, address, ocsp, at))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, end, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        end: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, end, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

    use super::*;

    /// A certificate of `name` from `ca`, valid in 2026 and 2027.
    fn certificate(
        name: &str,
        ca: Option<&Issuer<'_, KeyPair>>,
    ) -> (CertificateDer<'static>, String, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2027, 12, 31));
        params.is_ca = ca.map_or(IsCa::Ca(BasicConstraints::Unconstrained), |_| IsCa::ExplicitNoCa);
        let made = match ca {
            Some(ca) => params.signed_by(&key, ca).unwrap(),
            None => params.self_signed(&key).unwrap(),
        };
        (made.der().clone(), made.pem(), key)
    }

    #[test]
    fn a_wrong_clock_locks_nobody_out_and_a_wrong_authority_does() {
        let (ca, pem, key) = certificate("authority", None);
        let issuer = Issuer::from_ca_cert_der(&ca, key).unwrap();
        let (server, ..) = certificate("monitor.test", Some(&issuer));
        let (_, stranger, _) = certificate("stranger", None);
        let address = name("10.1.2.3").unwrap();
        let verify = |ca_pem: &str, expected: &str, at_s: u64| {
            let verifier = Named { inner: authority(ca_pem).unwrap(), name: name(expected).unwrap() };
            let at = UnixTime::since_unix_epoch(Duration::from_secs(at_s));
            verifier.verify_server_cert(&server, &[], &address, &[], at).is_ok()
        };
        let pinned = Pinned { fingerprint: fingerprint(&pem).unwrap(), schemes: Vec::new() };
        for at_s in [0, 1_790_000_000, 4_070_908_800] {
            assert!(verify(&pem, "monitor.test", at_s), "at {at_s}");
            assert!(!verify(&stranger, "monitor.test", at_s) && !verify(&pem, "other.test", at_s));
            let at = UnixTime::since_unix_epoch(Duration::from_secs(at_s));
            let monitor = name("monitor.test").unwrap();
            assert!(pinned.verify_server_cert(&server, std::slice::from_ref(&ca), &monitor, &[], at).is_ok());
        }
    }

    #[test]
    fn an_alert_is_found_however_deep_it_lies() {
        let alert = rustls::Error::AlertReceived(AlertDescription::CertificateExpired);
        let deep = anyhow::Error::from(std::io::Error::other(alert)).context("not connected");
        assert!(says_expired(&deep));
        let other = rustls::Error::AlertReceived(AlertDescription::BadCertificate);
        assert!(!says_expired(&std::io::Error::other(other).into()));
    }
}
