//! How a box becomes a gateway, keeps being one, and stops: tokens, certificates, revocation, commands.

use futures_util::future::join_all;
use jiff::SignedDuration;
use rcgen::{CertificateParams, KeyPair, SigningKey as _};
use serde_json::{Value, json};
use sitewarden_server::gateway::{command, store};
use sitewarden_tests::database::{ENGINES, Engine};
use sitewarden_tests::rows::all_rows;
use sitewarden_tests::world::{PASSWORD, World};

fn request(key: &KeyPair) -> String {
    CertificateParams::default().serialize_request(key).unwrap().pem().unwrap()
}

async fn new_token(world: &World, id: &str) -> String {
    let made = world.admin.post(&format!("/api/v1/gateways/{id}/token"), &json!({})).await.ok();
    made["token"].as_str().unwrap().to_owned()
}

async fn enrol(world: &World, token: &str, key: &KeyPair) -> (u16, Value) {
    let body = json!({ "token": token, "csr_pem": request(key) });
    let answer = world.nobody.post("/api/v1/enrol", &body).await;
    (answer.status.as_u16(), answer.json())
}

async fn renew(world: &World, cert_pem: &str, old: &KeyPair, new: &KeyPair) -> (u16, Value) {
    use base64::Engine as _;
    let csr_pem = request(new);
    let signature = base64::engine::general_purpose::STANDARD.encode(old.sign(csr_pem.as_bytes()).unwrap());
    let body = json!({ "csr_pem": csr_pem, "cert_pem": cert_pem, "signature": signature });
    let answer = world.nobody.post("/api/v1/enrol/renew", &body).await;
    (answer.status.as_u16(), answer.json())
}

/// A world with one gateway on paper; its id and its first token.
async fn on_paper(engine: Engine) -> (World, String, String) {
    let mut world = World::new(engine).await;
    let customer = world.customer("Harbour Office").await;
    let site = world.site(&customer, "North Gate", "北门站").await;
    let made =
        world.admin.post("/api/v1/gateways", &json!({ "site_id": site, "name": "gate box" })).await.ok();
    let text = |path: &str| made.pointer(path).and_then(Value::as_str).unwrap().to_owned();
    assert!(text("/command").contains(&text("/token")));
    let (id, token) = (text("/gateway/id"), text("/token"));
    (world, id, token)
}

async fn a_token_admits_one_box_once(engine: Engine) {
    let (world, id, token) = on_paper(engine).await;
    let key = KeyPair::generate().unwrap();
    // A request that cannot be signed does not use the token up.
    let body = json!({ "token": token, "csr_pem": "nonsense" });
    assert_eq!(world.nobody.post("/api/v1/enrol", &body).await.status.as_u16(), 400);
    let (status, got) = enrol(&world, &token, &key).await;
    assert_eq!((status, got["gateway_id"].as_str()), (200, Some(id.as_str())), "{got}");
    for field in ["cert_pem", "ca_pem", "mqtt", "server_name", "command_key", "heartbeat_s"] {
        assert!(!got[field].is_null(), "{field}");
    }
    let seen = world.admin.get(&format!("/api/v1/gateways/{id}")).await.ok();
    assert!(seen["enrolled_at"].is_i64() && seen["cert_not_after"].is_i64(), "{seen}");
    assert!(!seen.to_string().contains(&token), "the token is shown once");
    assert_eq!(enrol(&world, &token, &key).await.1["error"]["code"], "wrong_token");
    // A newer token ends an older one that was not used.
    let (older, newer) = (new_token(&world, &id).await, new_token(&world, &id).await);
    assert_eq!(enrol(&world, &older, &key).await.0, 403);
    // One that names another server's authority is refused before anything is looked up.
    let strange = format!("{}{}", &newer[..newer.len() - 64], "ab".repeat(32));
    assert_eq!(enrol(&world, &strange, &key).await.0, 403);
    assert_eq!(enrol(&world, &newer, &key).await.0, 200);
    let last = new_token(&world, &id).await;
    world.app.clock.set(world.now() + SignedDuration::from_hours(24));
    assert_eq!(enrol(&world, &last, &key).await.0, 403, "a day is over");
}

async fn two_boxes_with_one_token_are_one_gateway(engine: Engine) {
    let (world, id, token) = on_paper(engine).await;
    // What is at rest is no token.
    let secret = &token[4..47];
    let rows = all_rows(&world.app.db, engine).await;
    assert!(rows.iter().any(|row| row.starts_with("enrol_token ")));
    assert!(!rows.iter().any(|row| row.contains(secret)), "the token lies in the database");
    let keys: Vec<KeyPair> = (0..4).map(|_| KeyPair::generate().unwrap()).collect();
    let answers = join_all(keys.iter().map(|key| enrol(&world, &token, key))).await;
    let (won, lost): (Vec<_>, Vec<_>) = answers.iter().partition(|(status, _)| *status == 200);
    assert_eq!((won.len(), won[0].1["gateway_id"].as_str()), (1, Some(id.as_str())));
    assert!(
        lost.iter()
            .all(|(status, answer)| (*status, &answer["error"]["code"]) == (403, &json!("wrong_token")))
    );
    let rows = all_rows(&world.app.db, engine).await;
    let enrolled = rows.iter().filter(|row| row.starts_with("audit ") && row.contains("gateway.enrol"));
    assert_eq!(enrolled.count(), 1);
}

async fn guessing_is_slowed_down(engine: Engine) {
    let (world, _, token) = on_paper(engine).await;
    let key = KeyPair::generate().unwrap();
    let mut wrong = token.clone();
    wrong.replace_range(4..8, "AAAA");
    for _ in 0..10 {
        assert_eq!(enrol(&world, &wrong, &key).await.0, 403);
    }
    assert_eq!(enrol(&world, &token, &key).await.0, 429);
    world.app.clock.set(world.now() + SignedDuration::from_mins(11));
    assert_eq!(enrol(&world, &token, &key).await.0, 200);
}

async fn an_expired_certificate_renews_unless_it_was_revoked(engine: Engine) {
    let (mut world, id, token) = on_paper(engine).await;
    let (first, second, third) =
        (KeyPair::generate().unwrap(), KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let cert = |got: &Value| got["cert_pem"].as_str().unwrap().to_owned();
    let first_cert = cert(&enrol(&world, &token, &first).await.1);
    world.app.clock.set(world.now() + SignedDuration::from_hours(24 * 200));
    world.admin = world.nobody.sign_in("admin", PASSWORD).await;
    assert_eq!(renew(&world, &first_cert, &second, &second).await.0, 403, "signed with another key");
    let (status, got) = renew(&world, &first_cert, &first, &second).await;
    assert_eq!(status, 200, "{got}");
    let second_cert = cert(&got);
    // The answer may have been lost: the old one still renews.
    assert_eq!(renew(&world, &first_cert, &first, &second).await.0, 200);
    // Another box takes its place: the old one's certificates end.
    let token = new_token(&world, &id).await;
    world.app.clock.set(world.now() + SignedDuration::from_hours(1));
    let third_cert = cert(&enrol(&world, &token, &third).await.1);
    assert_eq!(renew(&world, &second_cert, &second, &second).await.0, 403);
    assert_eq!(renew(&world, &third_cert, &third, &third).await.0, 200);
    let revoked = world.admin.post(&format!("/api/v1/gateways/{id}/revoke"), &json!({})).await.ok();
    assert_eq!(revoked["state"], "revoked");
    assert_eq!(renew(&world, &third_cert, &third, &third).await.0, 403);
    // A new token admits a box again.
    let token = new_token(&world, &id).await;
    assert_eq!(enrol(&world, &token, &first).await.0, 200);
    let seen = world.admin.get(&format!("/api/v1/gateways/{id}")).await.ok();
    assert_eq!((seen["state"].as_str(), seen["revoked_at"].is_null()), (Some("never"), true));
}

async fn a_command_is_signed_asked_once_and_ends(engine: Engine) {
    use prost::Message as _;
    use ring::signature::{ED25519, UnparsedPublicKey};
    use sitewarden_proto::envelope::decode_message;
    use sitewarden_proto::wire::{Command, CommandResult, SignedCommand, command_result::Status};
    let (world, id, _) = on_paper(engine).await;
    let gateway = id.parse().unwrap();
    let action = command::Action::Probe { device: "cam-3".parse().unwrap() };
    let (app, now) = (&world.app, world.now());
    let mut tx = app.db.write().await.unwrap();
    let first = command::issue(&mut tx, &app.keys, &gateway, &action, None, now).await.unwrap();
    let again = command::issue(&mut tx, &app.keys, &gateway, &action, None, now).await.unwrap();
    assert_eq!(first, again);
    tx.commit().await.unwrap();
    let mut conn = app.db.read().await.unwrap();
    let waiting = store::command::list_waiting(&mut conn, now).await.unwrap();
    drop(conn);
    assert_eq!(waiting.len(), 1);
    let sent: SignedCommand = decode_message(&waiting[0].body).unwrap();
    UnparsedPublicKey::new(&ED25519, app.keys.command_public_key())
        .verify(&sent.signed, &sent.signature)
        .unwrap();
    let inside = Command::decode(&sent.signed[..]).unwrap();
    assert_eq!((inside.id.as_str(), inside.gateway_id.as_str()), (first.as_str(), id.as_str()));
    assert_eq!(inside.expires_at_ms - inside.issued_at_ms, 300_000);
    let path = format!("/api/v1/commands/{first}");
    assert_eq!(world.admin.get(&path).await.ok()["state"], "queued");
    let result = CommandResult {
        command_id: first.to_string(),
        status: Status::Done.into(),
        at_ms: now.as_millisecond(),
        result_json: "{\"state\":\"ok\"}".into(),
        error: String::new(),
    };
    let stranger = "gw-of-somebody-else".parse().unwrap();
    let mut tx = app.db.write().await.unwrap();
    assert!(!command::record_result(&mut tx, &stranger, &result, now).await.unwrap());
    assert!(command::record_result(&mut tx, &gateway, &result, now).await.unwrap());
    assert!(!command::record_result(&mut tx, &gateway, &result, now).await.unwrap(), "once");
    let second = command::issue(&mut tx, &app.keys, &gateway, &action, None, now).await.unwrap();
    tx.commit().await.unwrap();
    let seen = world.admin.get(&path).await.ok();
    assert_eq!((seen["state"].as_str(), seen["result"]["state"].as_str()), (Some("done"), Some("ok")));
    app.clock.set(now + SignedDuration::from_mins(6));
    sitewarden_server::gateway::step::publish(app, app.clock.now()).await.unwrap();
    assert_eq!(world.admin.get(&format!("/api/v1/commands/{second}")).await.ok()["state"], "expired");
}

/// Runs a test on both engines.
macro_rules! on_both {
    ($($name:ident)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                super::$name(ENGINES[0]).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                super::$name(ENGINES[1]).await;
            }
        }
    )*};
}

on_both! {
    a_token_admits_one_box_once
    two_boxes_with_one_token_are_one_gateway
    guessing_is_slowed_down
    an_expired_certificate_renews_unless_it_was_revoked
    a_command_is_signed_asked_once_and_ends
}
