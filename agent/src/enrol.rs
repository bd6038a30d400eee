//! From a one-time token to a certificate, and from one certificate to the next.
//!
//! The key is made here and never leaves this machine. The token names the server's authority by its
//! fingerprint; what the server hands out is accepted only if it comes from that authority, so whoever sits
//! in between learns nothing and gives nothing. Key and certificate lie in one file, which changes in one
//! step. A renewed identity is written beside the old one and takes its place once a connection stood with it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SigningKey};
use reqwest::{Client, ClientBuilder, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sitewarden_proto::id::GatewayId;

use crate::files::{make_data_dir, write_private};
use crate::tls;

/// Certificate and key, PEM, in one file.
const IDENTITY: &str = "identity.pem";
const IDENTITY_NEXT: &str = "identity.next.pem";
const CA: &str = "ca.pem";
const SERVER: &str = "server.json";

const TIMEOUT: Duration = Duration::from_secs(30);
/// An answer holds two certificates and a few words.
const ANSWER_MAX: usize = 64 * 1024;

/// A token as a person types it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Token {
    text: String,
    fingerprint: String,
}

impl Token {
    /// `sw1-<43 characters base64url>-<64 hex digits>`; both parts have fixed lengths, because the alphabet
    /// of the first contains the separator.
    fn parse(text: &str) -> anyhow::Result<Self> {
        let text = text.trim();
        let parts = || {
            let rest = text.strip_prefix("sw1-")?;
            let (secret, fingerprint) = (rest.get(..43)?, rest.get(43..)?.strip_prefix('-')?);
            let is_secret = secret.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_');
            let is_hex = fingerprint.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
            (is_secret && is_hex && fingerprint.len() == 64).then(|| fingerprint.to_owned())
        };
        let fingerprint = parts()
            .ok_or_else(|| anyhow!("the token is not whole: copy all of it, from sw1- on, as one line"))?;
        Ok(Self { text: text.to_owned(), fingerprint })
    }
}

/// Where the server is and how it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// This gateway's id.
    pub gateway_id: GatewayId,
    /// Of the web address that enrolled us; renewals go there.
    pub url: String,
    /// host:port of the gateways' door.
    pub mqtt: String,
    /// The name in the server's certificate.
    pub server_name: String,
    /// Base64 of the Ed25519 key that signs commands.
    pub command_key: String,
    /// How often the server wants to hear from us, seconds.
    pub heartbeat_s: u32,
}

#[derive(Deserialize)]
struct Answer {
    gateway_id: GatewayId,
    cert_pem: String,
    ca_pem: String,
    mqtt: String,
    server_name: String,
    command_key: String,
    heartbeat_s: u32,
}

/// What enrolment left in the data folder.
#[derive(Clone)]
pub struct Enrolment {
    data_dir: PathBuf,
    /// Where the server is.
    pub server: Server,
    /// The private authority, PEM.
    pub ca_pem: String,
}

/// The files to connect with.
pub struct Identity {
    /// Certificate and key, PEM.
    pub pem: String,
    /// It was renewed and no connection has stood with it yet.
    pub is_next: bool,
}

/// Enrols this machine and fills the data folder; returns the gateway's id.
pub async fn enrol(server: &str, token: &str, data_dir: &Path) -> anyhow::Result<GatewayId> {
    let token = Token::parse(token)?;
    let url = base_url(server)?;
    make_data_dir(data_dir)?;
    let key = KeyPair::generate().context("cannot make a key")?;
    let csr_pem = request_for(&key)?;
    let body = json!({ "token": token.text, "csr_pem": csr_pem });
    // The token is secret: a server that a public authority vouches for is judged by its dates, too.
    let strict = Client::builder();
    let answer = post(&url, "api/v1/enrol", &body, &token.fingerprint, strict).await?;
    accept(&answer, &token.fingerprint, &key)?;
    let enrolled = Server {
        gateway_id: answer.gateway_id.clone(),
        url: url.to_string(),
        mqtt: answer.mqtt,
        server_name: answer.server_name,
        command_key: answer.command_key,
        heartbeat_s: answer.heartbeat_s,
    };
    // The identity comes last: without it the machine counts as not enrolled.
    write_private(&data_dir.join(CA), answer.ca_pem.as_bytes())?;
    write_private(&data_dir.join(SERVER), serde_json::to_string_pretty(&enrolled)?.as_bytes())?;
    let _ = std::fs::remove_file(data_dir.join(IDENTITY_NEXT));
    write_private(&data_dir.join(IDENTITY), identity_pem(&answer.cert_pem, &key).as_bytes())?;
    Ok(answer.gateway_id)
}

impl Enrolment {
    /// Reads the data folder.
    pub fn load(data_dir: &Path) -> anyhow::Result<Self> {
        ensure!(
            data_dir.join(IDENTITY).exists(),
            "this machine is not enrolled: run `sitewarden-agent enrol --server URL --token TOKEN --data {}` first",
            data_dir.display()
        );
        let server = serde_json::from_str(&read(&data_dir.join(SERVER))?)
            .with_context(|| format!("{SERVER} is damaged; enrol again with a new token"))?;
        Ok(Self { data_dir: data_dir.to_owned(), server, ca_pem: read(&data_dir.join(CA))? })
    }

    /// The key that commands are verified with.
    pub fn command_key(&self) -> anyhow::Result<Vec<u8>> {
        STANDARD
            .decode(&self.server.command_key)
            .context("the command key is damaged; enrol again with a new token")
    }

    /// Whether a renewed identity waits for its first connection.
    pub fn has_next(&self) -> bool {
        self.data_dir.join(IDENTITY_NEXT).exists()
    }

    /// The renewed identity, if there is one and it is wanted; else the one that worked.
    pub fn identity(&self, wants_next: bool) -> anyhow::Result<Identity> {
        if wants_next && self.has_next() {
            return Ok(Identity { pem: read(&self.data_dir.join(IDENTITY_NEXT))?, is_next: true });
        }
        Ok(Identity { pem: read(&self.data_dir.join(IDENTITY))?, is_next: false })
    }

    /// A connection stood with the renewed identity: it is the one now.
    pub fn promote(&self) -> anyhow::Result<()> {
        std::fs::rename(self.data_dir.join(IDENTITY_NEXT), self.data_dir.join(IDENTITY))
            .context("cannot put the renewed certificate in its place")
    }

    /// Whether two thirds of the certificate's life are over, and no newer one waits.
    pub fn is_renewal_due(&self, now: Timestamp) -> anyhow::Result<bool> {
        if self.has_next() {
            return Ok(false);
        }
        let (begin, end) = life(&read(&self.data_dir.join(IDENTITY))?)?;
        Ok(now.as_second() >= begin + (end - begin) / 3 * 2)
    }

    /// Gets the next certificate by signing the request with the key of this one; works also after this one
    /// has expired.
    pub async fn renew(&self) -> anyhow::Result<()> {
        let old = read(&self.data_dir.join(IDENTITY))?;
        let old_key = KeyPair::from_pem(key_part(&old)?).context("the gateway's key cannot be read")?;
        let key = KeyPair::generate().context("cannot make a key")?;
        let csr_pem = request_for(&key)?;
        let signature = old_key.sign(csr_pem.as_bytes()).context("cannot sign the renewal")?;
        let body = json!({
            "csr_pem": csr_pem,
            "cert_pem": certificate_part(&old)?,
            "signature": STANDARD.encode(signature),
        });
        let fingerprint = tls::fingerprint(&self.ca_pem)?;
        let any_time = Client::builder().tls_backend_preconfigured(tls::renewal()?);
        let url = base_url(&self.server.url)?;
        let answer = post(&url, "api/v1/enrol/renew", &body, &fingerprint, any_time).await?;
        accept(&answer, &fingerprint, &key)?;
        ensure!(answer.gateway_id == self.server.gateway_id, "the server answered for another gateway");
        write_private(&self.data_dir.join(IDENTITY_NEXT), identity_pem(&answer.cert_pem, &key).as_bytes())
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn identity_pem(cert_pem: &str, key: &KeyPair) -> String {
    format!("{}\n{}", cert_pem.trim_end(), key.serialize_pem())
}

fn certificate_part(pem: &str) -> anyhow::Result<&str> {
    let end = pem.find(END).ok_or_else(|| anyhow!("{IDENTITY} holds no certificate"))? + END.len();
    Ok(&pem[..end])
}

fn key_part(pem: &str) -> anyhow::Result<&str> {
    let end = pem.find(END).ok_or_else(|| anyhow!("{IDENTITY} holds no certificate"))? + END.len();
    Ok(pem[end..].trim_start())
}

const END: &str = "-----END CERTIFICATE-----";

/// Begin and end of a certificate's life, Unix seconds.
fn life(pem: &str) -> anyhow::Result<(i64, i64)> {
    let (_, block) =
        x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|_| anyhow!("{IDENTITY} is damaged"))?;
    let certificate = block.parse_x509().map_err(|_| anyhow!("{IDENTITY} is damaged"))?;
    let validity = certificate.validity();
    Ok((validity.not_before.timestamp(), validity.not_after.timestamp()))
}

/// The server takes only the key from it and names the gateway itself.
fn request_for(key: &KeyPair) -> anyhow::Result<String> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "gateway");
    Ok(params.serialize_request(key)?.pem()?)
}

/// HTTPS, or HTTP to this very machine.
fn base_url(server: &str) -> anyhow::Result<Url> {
    let example = "write it like https://monitor.example.com";
    let mut url = Url::parse(server)
        .map_err(|e| anyhow!("the server's address {server:?} is not a URL ({e}): {example}"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let is_loopback =
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if is_loopback => {}
        "http" => bail!("plain HTTP would show the token to everybody on the way: use https://{host}"),
        other => bail!("the server's address begins with {other}: {example}"),
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// Sends the request to a server that the private authority vouches for, or else one that the system trusts;
/// a server that neither knows never sees the body.
async fn post(
    url: &Url,
    path: &str,
    body: &Value,
    fingerprint: &str,
    public: ClientBuilder,
) -> anyhow::Result<Answer> {
    let target = url.join(path)?;
    let bounded =
        |builder: ClientBuilder| builder.timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build();
    let pinned = bounded(Client::builder().tls_backend_preconfigured(tls::first_contact(fingerprint)?))?;
    let sent = match pinned.post(target.clone()).json(body).send().await {
        Err(error) if error.is_connect() && url.scheme() == "https" => {
            bounded(public)?.post(target.clone()).json(body).send().await
        }
        other => other,
    };
    let mut response = sent.map_err(|error| {
        let error = anyhow::Error::from(error.without_url());
        anyhow!("cannot reach {target}: {error:#}. Check the address, the way there, and the clock of this machine")
    })?;
    let status = response.status();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.context("the answer broke off")? {
        bytes.extend_from_slice(&chunk);
        ensure!(bytes.len() <= ANSWER_MAX, "the answer of {target} is too long to be Sitewarden's");
    }
    if !status.is_success() {
        bail!("the server refused ({status}): {}", refusal(&bytes));
    }
    serde_json::from_slice(&bytes).with_context(|| format!("{target} does not answer like Sitewarden"))
}

/// The words of the server's error, whichever of its fields hold them.
fn refusal(bytes: &[u8]) -> String {
    let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let error = if value["error"].is_object() { &value["error"] } else { &value };
    let words: Vec<&str> =
        ["message", "detail", "title", "hint"].iter().filter_map(|key| error[*key].as_str()).collect();
    if words.is_empty() { "it gave no reason".to_owned() } else { words.join("; ") }
}

/// The authority must be the one of the token, and our certificate must come from it and hold our key.
fn accept(answer: &Answer, fingerprint: &str, key: &KeyPair) -> anyhow::Result<()> {
    ensure!(
        tls::fingerprint(&answer.ca_pem)? == fingerprint,
        "the server's authority is not the one that the token names: somebody may sit in between"
    );
    let parse = |pem: &str| {
        let (_, block) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok()?;
        Some(block)
    };
    let (Some(ca), Some(own)) = (parse(&answer.ca_pem), parse(&answer.cert_pem)) else {
        bail!("the server sent something else than certificates");
    };
    let (ca, own) = (ca.parse_x509()?, own.parse_x509()?);
    own.verify_signature(Some(ca.public_key()))
        .map_err(|_| anyhow!("the certificate does not come from the server's authority"))?;
    let is_ours = own.public_key().raw == rcgen::PublicKeyData::subject_public_key_info(key).as_slice();
    ensure!(is_ours, "the certificate is not for the key of this machine");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_apart_by_length() {
        let fingerprint = "0123456789abcdef".repeat(4);
        let secret = format!("-{}-", "a".repeat(41));
        let token = format!("sw1-{secret}-{fingerprint}");
        assert_eq!(Token::parse(&format!(" {token}\n")).unwrap().fingerprint, fingerprint);
        for broken in ["", "sw1-", &token[..token.len() - 1], &token[1..], &token.to_uppercase(), "sw1-é"] {
            assert!(Token::parse(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        assert_eq!(base_url("http://127.0.0.1:8080").unwrap().as_str(), "http://127.0.0.1:8080/");
        assert!(base_url("http://[::1]:8080").is_ok() && base_url("http://localhost").is_ok());
        assert_eq!(base_url("https://m.example.com/sw").unwrap().as_str(), "https://m.example.com/sw/");
        assert!(base_url("http://m.example.com").unwrap_err().to_string().contains("https://"));
        assert!(base_url("m.example.com").is_err() && base_url("ftp://x").is_err());
    }

    #[test]
    fn an_identity_is_one_file_that_comes_apart() {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap().pem();
        let pem = identity_pem(&certificate, &key);
        assert_eq!(certificate_part(&pem).unwrap().trim(), certificate.trim());
        assert_eq!(KeyPair::from_pem(key_part(&pem).unwrap()).unwrap().serialize_pem(), key.serialize_pem());
        assert!(life(&pem).unwrap().1 > 0);
    }
}
