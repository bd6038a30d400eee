//! Whom the gateway trusts. On the wire: only the private authority that the enrolment token named, and only
//! under the name that the server gave itself, whatever address it is reached at. At first contact: that same
//! authority, recognised in the server's chain by its fingerprint.

use std::sync::Arc;

use anyhow::{Context, anyhow};
use ring::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
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
        self.inner.verify_server_cert(end, chain, &self.name, ocsp, now)
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
        trusting(pinned.clone()).map_err(|_| unknown())?.verify_server_cert(end, chain, address, ocsp, now)
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
