//! Web Push (RFC 8030) to a browser that its owner has subscribed: encrypted so that only that browser reads it
//! (RFC 8291, aes128gcm of RFC 8188), sent under this server's own name (VAPID, RFC 8292).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Outgoing;
use super::answer::{Answer, Refusal, Sent, fetch};
use super::sign::{clip, sha256_hex};

/// A push service takes 4,096 bytes; what is left after header, padding and tag.
const PLAIN_MAX: usize = 3900;
/// How long a push service keeps what it cannot deliver.
const TTL_S: u32 = 4 * 3600;
/// How long one proof of who we are counts; RFC 8292 allows a day.
const PROOF_LASTS: SignedDuration = SignedDuration::from_hours(12);
const TAG: usize = 16;

/// What a browser gives when its owner subscribes (W3C Push API).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    endpoint: String,
    keys: SubscriptionKeys,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct SubscriptionKeys {
    p256dh: String,
    auth: String,
}

/// A new VAPID key: PKCS #8 in base64.
pub fn new_key() -> Option<String> {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).ok()?;
    Some(STANDARD.encode(key))
}

/// The public half, as browsers take it: an uncompressed point in URL-safe base64.
pub fn public_key(private: &str) -> Option<String> {
    Some(URL_SAFE_NO_PAD.encode(key_pair(private)?.public_key().as_ref()))
}

fn key_pair(private: &str) -> Option<EcdsaKeyPair> {
    let pkcs8 = STANDARD.decode(private).ok()?;
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, &SystemRandom::new()).ok()
}

pub(super) async fn send(http: &reqwest::Client, page: &Outgoing, now: Timestamp) -> Sent {
    let settings = &page.settings;
    let subscription = read(&page.address).map_err(Refusal::Never)?;
    let plain = json!({
        "title": clip(&page.message.subject, 300), "body": clip(&page.message.text, 1500), "link": page.link,
        "tag": page.ticket, "urgent": page.urgent,
    });
    let body = seal(&subscription, clip(&plain.to_string(), PLAIN_MAX).as_bytes())
        .ok_or_else(|| Refusal::Never("the subscription's keys cannot be used; subscribe again".into()))?;
    let proof = vapid(&subscription.endpoint, settings.need("private_key")?, settings.need("subject")?, now)
        .ok_or_else(|| Refusal::Never("the VAPID key cannot be used; an administrator removes it".into()))?;
    // While it is not delivered, a repeat takes the place of the page before (RFC 8030 section 5.4).
    let topic = &sha256_hex(page.key.as_bytes())[..32];
    let request = http
        .post(&subscription.endpoint)
        .header("authorization", proof)
        .header("content-encoding", "aes128gcm")
        .header("content-type", "application/octet-stream")
        .header("ttl", TTL_S.to_string())
        .header("urgency", "high")
        .header("topic", topic);
    judge(&fetch(request.body(body)).await?)
}

fn judge(answer: &Answer) -> Sent {
    match answer.status {
        // The browser has ended its subscription, or its owner has.
        404 | 410 => Err(Refusal::Gone(answer.words())),
        200..=202 => Ok(answer.words()),
        _ => answer.by_status(),
    }
}

/// Reads a subscription, and says what is wrong with it.
fn read(address: &str) -> Result<Subscription, String> {
    let subscription: Subscription = serde_json::from_str(address)
        .map_err(|_| "this is not what a browser gives; use the button on the page of your own contacts")?;
    super::http::check_url(&subscription.endpoint)?;
    let key = URL_SAFE_NO_PAD.decode(subscription.keys.p256dh.trim_end_matches('=')).unwrap_or_default();
    let auth = URL_SAFE_NO_PAD.decode(subscription.keys.auth.trim_end_matches('=')).unwrap_or_default();
    if key.len() != 65 || key[0] != 4 || auth.len() != 16 {
        return Err("the subscription's keys are not those of a browser; subscribe again".into());
    }
    Ok(subscription)
}

pub(super) fn check(address: &str) -> Result<(), String> {
    read(address).map(drop)
}

/// Where a subscription leads, for people: its keys are nobody's business.
pub(super) fn shown(address: &str) -> String {
    let endpoint = read(address).map(|subscription| subscription.endpoint).unwrap_or_default();
    let host = endpoint.split('/').nth(2).unwrap_or("?");
    let end: String = sha256_hex(endpoint.as_bytes()).chars().take(6).collect();
    format!("{host} · {end}")
}

/// Encrypts for one subscription, with a key pair that is used once.
fn seal(subscription: &Subscription, plain: &[u8]) -> Option<Vec<u8>> {
    let random = SystemRandom::new();
    let ours = EphemeralPrivateKey::generate(&ECDH_P256, &random).ok()?;
    let our_public = ours.compute_public_key().ok()?.as_ref().to_vec();
    let their_public = URL_SAFE_NO_PAD.decode(subscription.keys.p256dh.trim_end_matches('=')).ok()?;
    let auth = URL_SAFE_NO_PAD.decode(subscription.keys.auth.trim_end_matches('=')).ok()?;
    let peer = UnparsedPublicKey::new(&ECDH_P256, their_public.clone());
    let secret = agree_ephemeral(ours, &peer, <[u8]>::to_vec).ok()?;
    let parts = Parts { secret: &secret, auth: &auth, their_public: &their_public, our_public: &our_public };
    parts.seal(&crate::keys::random::<16>(), plain)
}

/// What the content key is made of (RFC 8291 section 3.3).
struct Parts<'a> {
    /// The ECDH secret of both key pairs.
    secret: &'a [u8],
    auth: &'a [u8],
    their_public: &'a [u8],
    our_public: &'a [u8],
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-SHA256 (RFC 5869) of `N` bytes.
fn hkdf<const N: usize>(salt: &[u8], secret: &[u8], purpose: &[&[u8]]) -> Option<[u8; N]> {
    let mut out = [0; N];
    let key = Salt::new(HKDF_SHA256, salt).extract(secret);
    key.expand(purpose, Length(N)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

impl Parts<'_> {
    /// One record: header, then the text and its end mark, encrypted.
    fn seal(&self, salt: &[u8; 16], plain: &[u8]) -> Option<Vec<u8>> {
        let purpose: [&[u8]; 3] = [b"WebPush: info\0", self.their_public, self.our_public];
        let input: [u8; 32] = hkdf(self.auth, self.secret, &purpose)?;
        let key: [u8; 16] = hkdf(salt, &input, &[b"Content-Encoding: aes128gcm\0"])?;
        let nonce: [u8; 12] = hkdf(salt, &input, &[b"Content-Encoding: nonce\0"])?;
        let mut record = plain.to_vec();
        record.push(2);
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).ok()?);
        let nonce = Nonce::assume_unique_for_key(nonce);
        cipher.seal_in_place_append_tag(nonce, Aad::empty(), &mut record).ok()?;
        debug_assert_eq!(record.len(), plain.len() + 1 + TAG, "one record, no padding");
        let mut body = salt.to_vec();
        body.extend_from_slice(&4096_u32.to_be_bytes());
        body.push(u8::try_from(self.our_public.len()).ok()?);
        body.extend_from_slice(self.our_public);
        body.append(&mut record);
        Some(body)
    }
}

/// The `Authorization` of RFC 8292: a signed statement of who sends to whose push service until when.
fn vapid(endpoint: &str, private: &str, subject: &str, now: Timestamp) -> Option<String> {
    let key = key_pair(private)?;
    let audience = endpoint.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let end = now.checked_add(PROOF_LASTS).ok()?.as_second();
    let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","alg":"ES256"}"#);
    let claims = URL_SAFE_NO_PAD.encode(json!({ "aud": audience, "exp": end, "sub": subject }).to_string());
    let signature = key.sign(&SystemRandom::new(), format!("{header}.{claims}").as_bytes()).ok()?;
    let public = URL_SAFE_NO_PAD.encode(key.public_key().as_ref());
    Some(format!("vapid t={header}.{claims}.{}, k={public}", URL_SAFE_NO_PAD.encode(signature.as_ref())))
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey as Verifier};

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    #[test]
    fn the_body_is_that_of_rfc_8291_appendix_a() {
        let parts = Parts {
            secret: &bytes("kyrL1jIIOHEzg3sM2ZWRHDRB62YACZhhSlknJ672kSs"),
            auth: &bytes("BTBZMqHH6r4Tts7J_aSIgg"),
            their_public: &bytes(
                "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
            ),
            our_public: &bytes(
                "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8",
            ),
        };
        let salt: [u8; 16] = bytes("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap();
        let body = parts.seal(&salt, b"When I grow up, I want to be a watermelon").unwrap();
        assert_eq!(
            URL_SAFE_NO_PAD.encode(body),
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl\
             7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
        );
    }

    #[test]
    fn the_proof_says_who_to_whom_until_when_and_verifies() {
        let private = new_key().unwrap();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let proof =
            vapid("https://push.example:8443/p/abc", &private, "mailto:ops@example.com", now).unwrap();
        let (token, public) = proof.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
        assert_eq!(Some(public.to_owned()), public_key(&private));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let verifier = Verifier::new(&ECDSA_P256_SHA256_FIXED, bytes(public));
        verifier.verify(signed.as_bytes(), &bytes(signature)).unwrap();
        let claims: serde_json::Value =
            serde_json::from_slice(&bytes(signed.split('.').nth(1).unwrap())).unwrap();
        let expected = json!({ "aud": "https://push.example:8443", "exp": 1_800_043_200, "sub": "mailto:ops@example.com" });
        assert_eq!(claims, expected);
    }

    #[test]
    fn a_subscription_is_read_strictly_and_shown_without_its_keys() {
        let key = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
        let good = json!({ "endpoint": "https://push.example/p/1", "expirationTime": null,
            "keys": { "p256dh": key, "auth": "BTBZMqHH6r4Tts7J_aSIgg" } });
        assert_eq!(check(&good.to_string()), Ok(()));
        assert!(shown(&good.to_string()).starts_with("push.example · "));
        assert!(!shown(&good.to_string()).contains(key));
        for bad in
            ["", "{}", &good.to_string().replace(key, "BCVx"), &good.to_string().replace("https", "ftp")]
        {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
