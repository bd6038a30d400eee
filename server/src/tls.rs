//! Certificates: the wire's own authority, and the web page's files.
//!
//! Gateways trust one private authority that the server makes on first start; the enrolment token carries
//! its fingerprint, so no public authority can vouch for somebody else. The authority signs three kinds of
//! certificate: its own, the server's (made anew at every start, key in memory only), and a gateway's, whose
//! common name is the gateway's id whatever the request says. The page's TLS uses the operator's files.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use axum_server::tls_rustls::RustlsConfig;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sitewarden_proto::id::GatewayId;
use tokio_util::sync::CancellationToken;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::keys::random;

/// Life of a gateway's certificate; the agent renews at two thirds of it.
pub const GATEWAY_LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);
const AUTHORITY_LIFE: SignedDuration = SignedDuration::from_hours(30 * 365 * 24);
const SERVER_LIFE: SignedDuration = SignedDuration::from_hours(10 * 365 * 24);
/// How far the authority's and the server's certificates are dated back: a gateway's clock may lag until
/// the server corrects it.
const BACKDATE: SignedDuration = SignedDuration::from_hours(2 * 365 * 24);
const RELOAD_EVERY: Duration = Duration::from_secs(30);

/// The wire's certificate authority.
pub struct Ca {
    der: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A gateway's certificate as issued.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate, PEM.
    pub pem: String,
    /// What is in it.
    pub identity: Identity,
    /// The gateway's public key as the certificate holds it (SubjectPublicKeyInfo's bit string).
    pub public_key: Vec<u8>,
}

/// What the server reads in a gateway's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The common name: the gateway's id.
    pub gateway: GatewayId,
    /// Serial number, lower-case hex.
    pub serial: String,
    /// Start of its life.
    pub not_before: Timestamp,
    /// End of its life.
    pub not_after: Timestamp,
}

/// Why a certificate or a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not a PKCS #10 request, its own signature is wrong, or it asks for something unusual.
    #[error("the certificate request is not a plain PKCS #10 request with a valid signature")]
    Request,
    /// The key is of a kind that the wire does not use.
    #[error("the key must be ECDSA P-256 or Ed25519")]
    KeyKind,
    /// Not an X.509 certificate with a gateway id as its only common name.
    #[error("the certificate does not name a gateway")]
    Certificate,
    /// Not signed by this authority.
    #[error("the certificate was not issued by this server's authority")]
    Stranger,
    /// The proof does not fit the certificate's key.
    #[error("the signature was not made with the key of that certificate")]
    Proof,
}

impl Ca {
    /// A new authority.
    pub fn create(now: Timestamp) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&format!("Sitewarden wire {}", hex(&random::<4>())));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = system(now - BACKDATE).into();
        params.not_after = system(now + AUTHORITY_LIFE).into();
        params.serial_number = Some(serial());
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Self::from_pem(&certificate.pem(), &key.serialize_pem())
    }

    /// Reads an authority from its two files.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self> {
        let key =
            KeyPair::from_pem(key).context("keys/ca.key is not a private key; restore it from a backup")?;
        let der = CertificateDer::from_pem_slice(certificate.as_bytes())
            .ok()
            .context("keys/ca.pem is not a certificate; restore it from a backup")?;
        let issuer = Issuer::from_ca_cert_der(&der, key)?;
        Ok(Self { der, pem: certificate.to_owned(), issuer })
    }

    /// The authority's certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The authority's private key, PEM.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// SHA-256 of the certificate, 64 lower-case hex digits: what an enrolment token carries.
    pub fn fingerprint(&self) -> String {
        hex(digest(&SHA256, &self.der).as_ref())
    }

    /// Signs a gateway's request (PKCS #10, PEM). Only its key is taken from it.
    pub fn sign_gateway(&self, csr_pem: &str, gateway: &GatewayId, now: Timestamp) -> Result<Issued, Error> {
        let request = CertificateSigningRequestParams::from_pem(csr_pem).map_err(|_| Error::Request)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(gateway.as_ref());
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = system(now).into();
        params.not_after = system(now + GATEWAY_LIFE).into();
        params.serial_number = Some(serial());
        params.use_authority_key_identifier_extension = true;
        let certificate = CertificateSigningRequestParams { params, public_key: request.public_key }
            .signed_by(&self.issuer)
            .map_err(|_| Error::Request)?;
        let identity = read_identity(certificate.der())?;
        let (_, parsed) = X509Certificate::from_der(certificate.der()).map_err(|_| Error::Certificate)?;
        key_kind(&parsed)?;
        let public_key = parsed.public_key().subject_public_key.data.to_vec();
        Ok(Issued { pem: certificate.pem(), identity, public_key })
    }

    /// Checks that `certificate_pem` was issued here, at whatever time, and that `signature` over `message`
    /// was made with its key (ECDSA P-256 with SHA-256, ASN.1; or Ed25519).
    pub fn verify_holder(
        &self,
        certificate_pem: &str,
        message: &[u8],
        signature: &[u8],
    ) -> Result<Identity, Error> {
        let der =
            CertificateDer::from_pem_slice(certificate_pem.as_bytes()).map_err(|_| Error::Certificate)?;
        let (rest, parsed) = X509Certificate::from_der(&der).map_err(|_| Error::Certificate)?;
        if !rest.is_empty() {
            return Err(Error::Certificate);
        }
        let (_, own) = X509Certificate::from_der(&self.der).map_err(|_| Error::Stranger)?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &own.public_key().subject_public_key.data)
            .verify(parsed.tbs_certificate.as_ref(), &parsed.signature_value.data)
            .map_err(|_| Error::Stranger)?;
        UnparsedPublicKey::new(key_kind(&parsed)?, &parsed.public_key().subject_public_key.data)
            .verify(message, signature)
            .map_err(|_| Error::Proof)?;
        read_identity(&der)
    }

    /// TLS for the gateways' door: this authority's server certificate for `hosts`, and a client certificate
    /// of this authority required.
    pub fn wire_config(&self, hosts: &[String], now: Timestamp) -> Result<Arc<ServerConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone())?;
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build()?;
        let (chain, key) = self.server_certificate(hosts, now)?;
        let mut config =
            ServerConfig::builder().with_client_cert_verifier(verifier).with_single_cert(chain, key)?;
        // A resumed session would not show its certificate's dates again, and each would be kept here.
        config.send_tls13_tickets = 0;
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Arc::new(config))
    }

    /// TLS for the page with this authority's certificate, HTTP/2 first.
    pub fn web_config(&self, hosts: &[String], now: Timestamp) -> Result<RustlsConfig> {
        let (chain, key) = self.server_certificate(hosts, now)?;
        let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(RustlsConfig::from_config(Arc::new(config)))
    }

    fn server_certificate(
        &self,
        hosts: &[String],
        now: Timestamp,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named("Sitewarden server");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = system(now - BACKDATE).into();
        params.not_after = system(now + SERVER_LIFE).into();
        params.serial_number = Some(serial());
        params.use_authority_key_identifier_extension = true;
        for host in hosts.iter().map(String::as_str).chain(["localhost", "127.0.0.1", "::1"]) {
            let name = match host.parse::<IpAddr>() {
                Ok(ip) => SanType::IpAddress(ip),
                Err(_) => SanType::DnsName(
                    host.try_into()
                        .with_context(|| format!("`{host}` is not a host name for a certificate"))?,
                ),
            };
            if !params.subject_alt_names.contains(&name) {
                params.subject_alt_names.push(name);
            }
        }
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let private = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok((vec![certificate.der().clone(), self.der.clone()], private.into()))
    }
}

/// Reads a gateway's certificate. It says nothing about who signed it.
pub fn read_identity(der: &[u8]) -> Result<Identity, Error> {
    let (_, certificate) = X509Certificate::from_der(der).map_err(|_| Error::Certificate)?;
    let mut names = certificate.subject().iter_common_name();
    let (Some(name), None) = (names.next(), names.next()) else { return Err(Error::Certificate) };
    let gateway = name.as_str().ok().and_then(|n| n.parse().ok()).ok_or(Error::Certificate)?;
    let at = |time: x509_parser::time::ASN1Time| {
        Timestamp::from_second(time.timestamp()).map_err(|_| Error::Certificate)
    };
    Ok(Identity {
        gateway,
        serial: hex(certificate.raw_serial()),
        not_before: at(certificate.validity().not_before)?,
        not_after: at(certificate.validity().not_after)?,
    })
}

/// The page's certificate files.
#[derive(Clone, Debug)]
pub struct WebFiles {
    /// Certificate chain, PEM.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

impl WebFiles {
    /// Reads the files, HTTP/2 first.
    pub async fn load(&self) -> Result<RustlsConfig> {
        RustlsConfig::from_pem_chain_file(&self.certificate, &self.key).await.with_context(|| {
            format!(
                "cannot use {} with {}; both must be PEM and belong together",
                self.certificate.display(),
                self.key.display()
            )
        })
    }

    /// Reads the files again whenever one has changed; files that do not fit leave the old ones in use.
    pub async fn reload(self, config: RustlsConfig, shutdown: CancellationToken) {
        let mut seen = (changed(&self.certificate), changed(&self.key));
        let mut ticks = tokio::time::interval(RELOAD_EVERY);
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let now = (changed(&self.certificate), changed(&self.key));
            if now == seen {
                continue;
            }
            match self.load().await {
                Ok(fresh) => {
                    config.reload_from_config(fresh.get_inner());
                    seen = now;
                    tracing::info!("the page's certificate was read again");
                }
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "the old certificate stays in use");
                }
            }
        }
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|file| file.modified()).ok()
}

fn key_kind(certificate: &X509Certificate<'_>) -> Result<&'static dyn VerificationAlgorithm, Error> {
    // SubjectPublicKeyInfo algorithms: RFC 5480 (with the P-256 curve) and RFC 8410.
    let key = certificate.public_key();
    let curve = key.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
    match (key.algorithm.algorithm.to_id_string().as_str(), curve.map(|oid| oid.to_id_string()).as_deref()) {
        ("1.2.840.10045.2.1", Some("1.2.840.10045.3.1.7")) => Ok(&ECDSA_P256_SHA256_ASN1),
        ("1.3.101.112", _) => Ok(&ED25519),
        (_, _) => Err(Error::KeyKind),
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// 16 random bytes, positive as RFC 5280 section 4.1.2.2 asks.
fn serial() -> SerialNumber {
    let mut bytes = random::<16>();
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn system(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(at.as_second().max(0).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T08:00:00Z".parse().unwrap()
    }

    fn request(name: &str) -> (KeyPair, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name);
        let csr = params.serialize_request(&key).unwrap().pem().unwrap();
        (key, csr)
    }

    #[test]
    fn a_request_cannot_choose_its_name_or_life() {
        let ca = Ca::create(now()).unwrap();
        let gateway: GatewayId = "gw-0123456789ab".parse().unwrap();
        let (_, csr) = request("somebody-else-entirely");
        let issued = ca.sign_gateway(&csr, &gateway, now()).unwrap();
        assert_eq!(issued.identity.gateway, gateway);
        assert_eq!(issued.identity.not_before, now());
        assert_eq!(issued.identity.not_after, now() + GATEWAY_LIFE);
        assert_eq!(ca.sign_gateway("nonsense", &gateway, now()).unwrap_err(), Error::Request);
    }

    #[test]
    fn the_holder_of_an_old_key_is_known_again() {
        use rcgen::SigningKey as _;
        let ca = Ca::create(now()).unwrap();
        let gateway: GatewayId = "gw-0123456789ab".parse().unwrap();
        let (key, csr) = request("x");
        let issued = ca.sign_gateway(&csr, &gateway, now()).unwrap();
        let (other_key, other_csr) = request("y");
        let proof = key.sign(other_csr.as_bytes()).unwrap();
        let check = |ca: &Ca, proof: &[u8]| ca.verify_holder(&issued.pem, other_csr.as_bytes(), proof);
        assert_eq!(check(&ca, &proof).unwrap(), issued.identity);
        assert_eq!(check(&ca, &other_key.sign(other_csr.as_bytes()).unwrap()), Err(Error::Proof));
        let stranger = Ca::create(now()).unwrap();
        assert_eq!(check(&stranger, &proof), Err(Error::Stranger));
    }

    #[test]
    fn the_authority_survives_its_files() {
        let ca = Ca::create(now()).unwrap();
        let again = Ca::from_pem(ca.pem(), &ca.key_pem()).unwrap();
        assert_eq!(ca.fingerprint(), again.fingerprint());
        assert_eq!(ca.fingerprint().len(), 64);
    }
}
