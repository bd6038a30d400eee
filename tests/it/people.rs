//! People: signing in and out, being turned away, changing passwords, and what is left on the record.

use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use serde_json::{Value, json};
use sitewarden_server::user::{Role, SESSION_ABSOLUTE_MS, SESSION_IDLE_MS};
use sitewarden_tests::database::{ENGINES, Engine};
use sitewarden_tests::desk::{Desk, PASSWORD};
use tower::ServiceExt as _;

/// One request with exactly these headers, from that address.
async fn raw(
    desk: &Desk,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    from: &str,
    body: &Value,
) -> (StatusCode, HeaderMap, Value) {
    let mut request =
        Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::from(body.to_string())).unwrap();
    let from = SocketAddr::new(from.parse().unwrap(), 40_000);
    request.extensions_mut().insert(ConnectInfo(from));
    let (parts, body) = desk.router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    (parts.status, parts.headers, serde_json::from_slice(&bytes).unwrap_or_default())
}

fn login(name: &str, password: &str) -> Value {
    json!({ "login": name, "password": password })
}

/// Signs in over a raw request: the cookie pair and the token against cross-site writes.
async fn enter(desk: &Desk, name: &str) -> (String, String) {
    let (status, headers, me) =
        raw(desk, Method::POST, "/api/v1/session", &[], "127.0.0.1", &login(name, PASSWORD)).await;
    assert_eq!(status, 200, "{me}");
    let cookie = headers[header::SET_COOKIE].to_str().unwrap();
    (cookie.split(';').next().unwrap().to_owned(), me["csrf"].as_str().unwrap().to_owned())
}

async fn a_session_opens_lives_and_ends(engine: Engine) {
    let desk = Desk::open(engine).await;
    desk.add("li.wei", Role::Noc, None, false).await;
    desk.add("root", Role::Administrator, None, false).await;

    let from = "127.0.0.1";
    let (status, headers, me) =
        raw(&desk, Method::POST, "/api/v1/session", &[], from, &login(" Li.Wei ", PASSWORD)).await;
    assert_eq!((status, me["login"].as_str()), (StatusCode::OK, Some("li.wei")));
    let cookie = headers[header::SET_COOKIE].to_str().unwrap().to_owned();
    for word in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    assert!(me["acts"].as_array().unwrap().contains(&json!("ack_tickets")), "{me}");
    assert!(!me["acts"].as_array().unwrap().contains(&json!("edit_people")), "{me}");

    // What is stored opens nothing: the database holds the hash of the secret.
    let pair = cookie.split(';').next().unwrap();
    let secret = pair.strip_prefix("sw_session=").unwrap();
    let mut conn = desk.app.db.read().await.unwrap();
    let stored: String =
        sqlx::query_scalar("SELECT token_hash FROM login_session").fetch_one(&mut *conn).await.unwrap();
    drop(conn);
    assert!(stored != secret && stored.len() == 64);
    let forged = format!("sw_session={stored}");
    assert_eq!(raw(&desk, Method::GET, "/api/v1/me", &[("cookie", &forged)], from, &json!({})).await.0, 401);

    let me = async || raw(&desk, Method::GET, "/api/v1/me", &[("cookie", pair)], from, &json!({})).await.0;
    assert_eq!(me().await, 200);
    // Used every ten hours it lives for a week; then it ends whatever happens.
    let mut lived = 0;
    while lived + 10 * 3_600_000 < SESSION_ABSOLUTE_MS {
        desk.pass(10 * 3_600_000);
        lived += 10 * 3_600_000;
        assert_eq!(me().await, 200, "after {lived} ms");
    }
    desk.pass(10 * 3_600_000);
    assert_eq!(me().await, 401);

    // Left alone for half a day it ends.
    let (cookie, csrf) = enter(&desk, "li.wei").await;
    desk.pass(SESSION_IDLE_MS);
    let headers = [("cookie", cookie.as_str()), ("x-csrf-token", csrf.as_str())];
    assert_eq!(raw(&desk, Method::GET, "/api/v1/me", &headers, from, &json!({})).await.0, 401);

    // Signing out ends it at once.
    let (cookie, csrf) = enter(&desk, "li.wei").await;
    let headers = [("cookie", cookie.as_str()), ("x-csrf-token", csrf.as_str())];
    assert_eq!(raw(&desk, Method::DELETE, "/api/v1/session", &headers, from, &json!({})).await.0, 204);
    assert_eq!(raw(&desk, Method::GET, "/api/v1/me", &headers, from, &json!({})).await.0, 401);
}

#[tokio::test]
async fn sessions() {
    for engine in ENGINES {
        a_session_opens_lives_and_ends(engine).await;
    }
}

#[tokio::test]
async fn a_write_needs_the_header_and_no_other_site_may_send_one() {
    let desk = Desk::open(Engine::Sqlite).await;
    desk.add("root", Role::Administrator, None, false).await;
    let (cookie, csrf) = enter(&desk, "root").await;
    let body = json!({ "name": "Alpha" });
    let post = async |headers: &[(&str, &str)]| {
        let (status, _, answer) =
            raw(&desk, Method::POST, "/api/v1/customers", headers, "127.0.0.1", &body).await;
        (status.as_u16(), answer["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let own = ("cookie", cookie.as_str());
    assert_eq!(post(&[own]).await, (403, "wrong_csrf".into()));
    assert_eq!(post(&[own, ("x-csrf-token", "guess")]).await, (403, "wrong_csrf".into()));
    let token = ("x-csrf-token", csrf.as_str());
    assert_eq!(post(&[own, token, ("sec-fetch-site", "cross-site")]).await, (403, "cross_site".into()));
    assert_eq!(post(&[token]).await, (401, "not_signed_in".into()));
    assert_eq!(post(&[own, token, ("sec-fetch-site", "same-origin")]).await, (201, String::new()));
}

#[tokio::test]
async fn guessing_is_slowed_down_per_login_and_per_address() {
    let desk = Desk::open(Engine::Sqlite).await;
    desk.add("root", Role::Administrator, None, false).await;
    let attempt = async |name: &str, password: &str, from: &str| {
        raw(&desk, Method::POST, "/api/v1/session", &[], from, &login(name, password)).await
    };
    for _ in 0..8 {
        let (status, _, answer) = attempt("root", "wrong", "198.51.100.1").await;
        assert_eq!((status.as_u16(), answer["error"]["code"].as_str()), (401, Some("wrong_login")));
    }
    // The right password from another address is not looked at either, and the answer says for how long.
    let (status, headers, _) = attempt("root", PASSWORD, "203.0.113.5").await;
    assert_eq!(status, 429);
    assert_eq!(headers[header::RETRY_AFTER], "900");
    desk.pass(15 * 60_000);
    assert_eq!(attempt("root", PASSWORD, "203.0.113.5").await.0, 200);

    // An unknown login gets the same answer as a known one, and many of them close the address.
    for n in 0..30 {
        assert_eq!(attempt(&format!("nobody{n}"), "wrong", "2001:db8::1").await.0, 401);
    }
    assert_eq!(attempt("root", PASSWORD, "2001:db8::2").await.0, 429, "the same /64");
    assert_eq!(attempt("root", PASSWORD, "2001:db8:1::2").await.0, 200);
}

async fn the_first_password_is_changed_before_anything_else(engine: Engine) {
    let desk = Desk::open(engine).await;
    desk.add("admin", Role::Administrator, None, true).await;
    let afar =
        raw(&desk, Method::POST, "/api/v1/session", &[], "198.51.100.1", &login("admin", PASSWORD)).await;
    assert_eq!((afar.0.as_u16(), afar.2["error"]["code"].as_str()), (403, Some("first_login_local")));
    let proxied = [("x-forwarded-for", "198.51.100.1")];
    let afar =
        raw(&desk, Method::POST, "/api/v1/session", &proxied, "127.0.0.1", &login("admin", PASSWORD)).await;
    assert_eq!(afar.0, 403);

    let admin = desk.nobody().sign_in("admin", PASSWORD).await;
    assert_eq!(admin.get("/api/v1/me").await.ok()["must_change"], json!(true));
    let early = admin.get("/api/v1/board").await;
    assert_eq!(
        (early.status.as_u16(), early.json()["error"]["code"].as_str()),
        (403, Some("must_change_password"))
    );

    let change = async |old: &str, new: &str| {
        let answer = admin.post("/api/v1/me/password", &json!({ "old": old, "new": new })).await;
        (answer.status.as_u16(), answer.text)
    };
    assert!(change("wrong", "violet harbour trumpet").await.1.contains("wrong_password"));
    assert!(change(PASSWORD, "short").await.1.contains("shorter than 12"));
    assert_eq!(change(PASSWORD, PASSWORD).await.0, 400);
    let elsewhere = desk.nobody().sign_in("admin", PASSWORD).await;
    assert_eq!(change(PASSWORD, "violet harbour trumpet").await.0, 204);
    admin.get("/api/v1/board").await.ok();
    assert_eq!(elsewhere.get("/api/v1/me").await.status, 401, "other sessions have ended");
    let afar = login("admin", "violet harbour trumpet");
    assert_eq!(raw(&desk, Method::POST, "/api/v1/session", &[], "198.51.100.1", &afar).await.0, 200);
}

#[tokio::test]
async fn first_passwords() {
    for engine in ENGINES {
        the_first_password_is_changed_before_anything_else(engine).await;
    }
}

async fn people_are_added_changed_and_recorded(engine: Engine) {
    let desk = Desk::open(engine).await;
    let root = desk.person("root", Role::Administrator, None).await;
    let root_id = root.get("/api/v1/me").await.ok()["id"].as_str().unwrap().to_owned();
    let alpha = root.post("/api/v1/customers", &json!({ "name": "Alpha" })).await.ok();

    let made = root
        .post("/api/v1/users", &json!({ "login": "Wang.Min", "name": "王敏", "role": "technician" }))
        .await;
    let made = made.ok();
    let (id, password) = (made["user"]["id"].as_str().unwrap(), made["password"].as_str().unwrap());
    let again = root.post("/api/v1/users", &json!({ "login": "wang.min", "name": "x", "role": "noc" })).await;
    assert_eq!((again.status.as_u16(), again.json()["error"]["code"].as_str()), (409, Some("login_taken")));
    let homeless =
        root.post("/api/v1/users", &json!({ "login": "c", "name": "c", "role": "customer" })).await;
    assert_eq!(homeless.status, 400);
    let body = json!({ "login": "c", "name": "c", "role": "customer", "customer_id": alpha["id"] });
    assert_eq!(root.post("/api/v1/users", &body).await.ok()["user"]["customer_id"], alpha["id"]);

    let wang = desk.nobody().sign_in("wang.min", password).await;
    let new = json!({ "old": password, "new": "violet harbour trumpet" });
    assert_eq!(wang.post("/api/v1/me/password", &new).await.status, 204);
    let path = format!("/api/v1/users/{id}/contacts");
    let bad = wang.post(&path, &json!({ "channel": "email", "address": "nowhere" })).await;
    assert_eq!(bad.status, 400, "{}", bad.text);
    let mail = json!({ "channel": "email", "address": "wang.min@example.com" });
    let contact = wang.post(&path, &mail).await.ok();
    let other = wang.get(&format!("/api/v1/users/{root_id}/contacts")).await;
    assert_eq!((other.status.as_u16(), other.json()["error"]["code"].as_str()), (403, Some("not_yours")));
    // Nothing is configured that could carry mail, and the contact says so.
    let contact_path = format!("{path}/{}", contact["id"].as_str().unwrap());
    let tested = wang.post(&format!("{contact_path}/test"), &json!({})).await.ok();
    assert!(tested["test_error"].as_str().is_some_and(|why| why.contains("relay")), "{tested}");
    let off = wang.send(Method::PATCH, &contact_path, Some(&json!({ "enabled": false }))).await.ok();
    assert_eq!(off["enabled"], json!(false));

    let duty = json!({ "site_id": null, "account_id": id });
    let put = root.post("/api/v1/duty", &duty).await.ok();
    assert_eq!(put["account"], json!("王敏"));
    assert_eq!(root.post("/api/v1/duty", &duty).await.status, 409);
    let off_duty = format!("/api/v1/duty/{}", put["id"].as_str().unwrap());
    assert_eq!(root.send(Method::DELETE, &off_duty, None).await.status, 204);
    assert_eq!(root.send(Method::DELETE, &off_duty, None).await.status, 404);

    // Disabling ends the sessions at once; the last administrator cannot be lost.
    let person = format!("/api/v1/users/{id}");
    let gone = root.send(Method::PATCH, &person, Some(&json!({ "disabled": true }))).await.ok();
    assert_eq!(gone["disabled"], json!(true));
    assert_eq!(wang.get("/api/v1/me").await.status, 401);
    for change in [json!({ "disabled": true }), json!({ "role": "noc" })] {
        let last = root.send(Method::PATCH, &format!("/api/v1/users/{root_id}"), Some(&change)).await;
        assert_eq!(
            (last.status.as_u16(), last.json()["error"]["code"].as_str()),
            (409, Some("last_administrator"))
        );
    }

    let record = root.get("/api/v1/audit").await.ok();
    let actions: Vec<&str> =
        record["items"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    for action in [
        "customer.create",
        "user.create",
        "user.password",
        "user.contact_add",
        "user.contact_test",
        "user.contact_change",
        "duty.create",
        "duty.remove",
        "user.change",
    ] {
        assert!(actions.contains(&action), "{action} is missing in {actions:?}");
    }
    assert!(!record.to_string().contains("violet"), "a secret is on the record");
}

#[tokio::test]
async fn people_and_their_record() {
    for engine in ENGINES {
        people_are_added_changed_and_recorded(engine).await;
    }
}

#[tokio::test]
async fn every_answer_is_guarded_and_every_refusal_is_one_shape() {
    let desk = Desk::open_with(Engine::Sqlite, |config| {
        config.http.public_url = Some("https://watch.example.com".into());
    })
    .await;
    let root = desk.person("root", Role::Administrator, None).await;
    let answer = root.get("/api/v1/board").await;
    for (name, word) in [
        ("content-security-policy", "frame-ancestors 'none'"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("strict-transport-security", "max-age"),
        ("cache-control", "no-store"),
        ("x-request-id", ""),
    ] {
        let value = answer.headers.get(name).map(|value| value.to_str().unwrap());
        assert!(value.is_some_and(|value| value.contains(word)), "{name}: {value:?}");
    }
    for (method, path, body, status, code) in [
        (Method::GET, "/api/v1/none", None, 404, "no_such_route"),
        (Method::PUT, "/api/v1/customers", Some(json!({})), 405, "no_such_method"),
        (Method::POST, "/api/v1/customers", None, 415, "not_json"),
        (Method::POST, "/api/v1/customers", Some(json!({ "nam": "x" })), 422, "bad_request"),
        (Method::POST, "/api/v1/customers", Some(json!({ "name": " " })), 400, "bad_request"),
        (Method::POST, "/api/v1/customers", Some(json!({ "name": "x".repeat(2 << 20) })), 413, "too_large"),
        (Method::GET, "/api/v1/customers/none", None, 404, "not_found"),
    ] {
        let answer = root.send(method.clone(), path, body.as_ref()).await;
        let error = answer.json()["error"].clone();
        assert_eq!((answer.status.as_u16(), error["code"].as_str()), (status, Some(code)), "{method} {path}");
        assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
    }
    // Behind TLS the cookie is for TLS only.
    let (_, headers, _) =
        raw(&desk, Method::POST, "/api/v1/session", &[], "127.0.0.1", &login("root", PASSWORD)).await;
    assert!(headers[header::SET_COOKIE].to_str().unwrap().ends_with("; Secure"));
}

#[tokio::test]
async fn the_metrics_are_for_this_machine_and_for_those_with_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "scrape-me\n").unwrap();
    let desk = Desk::open_with(Engine::Sqlite, |config| config.metrics.token_file = Some(file)).await;
    let scrape = async |headers: &[(&str, &str)], from: &str| {
        raw(&desk, Method::GET, "/metrics", headers, from, &json!({})).await.0.as_u16()
    };
    assert_eq!(scrape(&[], "127.0.0.1").await, 200);
    assert_eq!(scrape(&[("x-forwarded-for", "198.51.100.1")], "127.0.0.1").await, 401);
    assert_eq!(scrape(&[], "198.51.100.1").await, 401);
    assert_eq!(scrape(&[("authorization", "Bearer guess")], "198.51.100.1").await, 401);
    assert_eq!(scrape(&[("authorization", "Bearer scrape-me")], "198.51.100.1").await, 200);
    let text = desk.nobody().get("/metrics").await.text;
    assert!(text.contains("sitewarden_build{version=") && text.ends_with("# EOF\n"), "{text}");
    assert_eq!(desk.nobody().get("/healthz").await.text, "ok\n");
}
