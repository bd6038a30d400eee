//! The public API through its front door: the real router, a cookie, the header against cross-site writes.

use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};
use tower::ServiceExt;

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The body, if the request succeeded; anything else ends the test with what was said.
    #[track_caller]
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The answer's JSON; it must be a good one.
    pub fn ok(self) -> Value {
        assert!(self.status.is_success(), "{}: {}", self.status, self.text);
        self.json()
    }
}

/// A caller of the API, signed in or not.
#[derive(Clone)]
pub struct Client {
    router: axum::Router,
    cookie: String,
    csrf: String,
    from: SocketAddr,
}

impl Client {
    /// Nobody yet.
    pub fn nobody(router: axum::Router) -> Self {
        Self { router, cookie: String::new(), csrf: String::new(), from: ([127, 0, 0, 1], 40_000).into() }
    }

    /// The same caller at the door of a server that has started again.
    #[must_use]
    pub fn at(&self, router: axum::Router) -> Self {
        Self { router, ..self.clone() }
    }

    /// What a program that speaks HTTP by itself sends to be this caller: the cookie, and the header beside it.
    pub fn signs(&self) -> [(&'static str, String); 2] {
        [("cookie", self.cookie.clone()), ("x-csrf-token", self.csrf.clone())]
    }

    /// Signs in.
    pub async fn sign_in(&self, login: &str, password: &str) -> Self {
        let answer = self.post("/api/v1/session", &json!({ "login": login, "password": password })).await;
        let cookie = answer.headers.get(header::SET_COOKIE).and_then(|value| value.to_str().ok());
        let cookie = cookie.and_then(|text| text.split(';').next()).unwrap_or_default().to_owned();
        let csrf = answer.ok()["csrf"].as_str().unwrap_or_default().to_owned();
        Self { cookie, csrf, ..self.clone() }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// POST.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::PUT, path, Some(body)).await
    }

    /// GET of an answer that has no end: its beginning, and its body for who wants to read on.
    pub async fn open(&self, path: &str) -> (Answer, Body) {
        let response = self.request(Method::GET, path, None).await;
        let (parts, body) = response.into_parts();
        if parts.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream") {
            return (Answer { status: parts.status, headers: parts.headers, text: String::new() }, body);
        }
        let bytes = to_bytes(body, 64 << 20).await.expect("the body ends");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        (Answer { status: parts.status, headers: parts.headers, text }, Body::empty())
    }

    /// GET of a file: its kind, and its bytes.
    pub async fn file(&self, path: &str) -> (String, Vec<u8>) {
        let (parts, body) = self.request(Method::GET, path, None).await.into_parts();
        let bytes = to_bytes(body, 64 << 20).await.expect("the body ends").to_vec();
        assert!(parts.status.is_success(), "{}: {}", parts.status, String::from_utf8_lossy(&bytes));
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        (kind.unwrap_or_default().to_owned(), bytes)
    }

    /// PUT of a file.
    pub async fn put_file(&self, path: &str, kind: &str, bytes: &[u8]) -> Answer {
        let mut request = Request::put(path)
            .header(header::COOKIE, &self.cookie)
            .header("x-csrf-token", &self.csrf)
            .header(header::CONTENT_TYPE, kind)
            .body(Body::from(bytes.to_vec()))
            .expect("a request");
        request.extensions_mut().insert(ConnectInfo(self.from));
        let (parts, body) = self.router.clone().oneshot(request).await.expect("an answer").into_parts();
        let bytes = to_bytes(body, 64 << 20).await.expect("the body ends");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// Any method.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let (parts, body) = self.request(method, path, body).await.into_parts();
        let bytes = to_bytes(body, 64 << 20).await.expect("the body ends");
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    async fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        if !self.cookie.is_empty() {
            request = request.header(header::COOKIE, &self.cookie).header("x-csrf-token", &self.csrf);
        }
        let body = match body {
            Some(json) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(json.to_string())
            }
            None => Body::empty(),
        };
        let mut request = request.body(body).expect("a request");
        request.extensions_mut().insert(ConnectInfo(self.from));
        self.router.clone().oneshot(request).await.expect("the router answers")
    }
}
