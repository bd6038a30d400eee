//! A person's browser without the browser: the REST API with its session cookie and CSRF header.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A logged-in person.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    cookie: String,
    csrf: String,
}

const PATIENCE: Duration = Duration::from_secs(30);

/// An HTTP client without a session, for addresses that need none.
pub fn anonymous() -> Result<reqwest::Client> {
    Ok(reqwest::Client::builder().timeout(PATIENCE).redirect(reqwest::redirect::Policy::none()).build()?)
}

impl Client {
    /// Logs in at `base` (`http://host:port`).
    pub async fn log_in(base: &str, login: &str, password: &str) -> Result<Self> {
        let http = anonymous()?;
        let answer = http
            .post(format!("{base}/api/v1/session"))
            .json(&json!({ "login": login, "password": password }))
            .send()
            .await?;
        let status = answer.status();
        let cookie = answer
            .headers()
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok()?.split(';').next())
            .find(|pair| pair.starts_with("sw_session="))
            .map(str::to_owned);
        let me = answer.text().await?;
        if !status.is_success() {
            bail!("logging in as {login} was answered {status}: {me}");
        }
        let me: Value = serde_json::from_str(&me)?;
        let cookie = cookie.context("logging in set no session cookie")?;
        let csrf = me["csrf"].as_str().context("the answer to the login holds no `csrf`")?.to_owned();
        Ok(Self { http, base: base.to_owned(), cookie, csrf })
    }

    /// Reads `path` below `/api/v1`.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.send(Method::GET, path, None).await
    }

    /// Posts to `path` below `/api/v1`.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Puts to `path` below `/api/v1`.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(Method::PUT, path, Some(body)).await
    }

    /// What a list answers.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>> {
        match self.get(path).await?["items"].take() {
            Value::Array(items) => Ok(items),
            other => bail!("GET {path}: `items` is {other}, not a list"),
        }
    }

    /// Reads the file at `path`; `None` where the server says with `code` that it cannot make it.
    pub async fn file(&self, path: &str, code: &str) -> Result<Option<Vec<u8>>> {
        let answer =
            self.http.get(format!("{}/api/v1{path}", self.base)).header(COOKIE, &self.cookie).send().await?;
        let status = answer.status();
        let bytes = answer.bytes().await?;
        if status.is_success() {
            return Ok(Some(bytes.to_vec()));
        }
        let told: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if told["error"]["code"] == code {
            return Ok(None);
        }
        bail!("GET {path} was answered {status}: {told}")
    }

    /// Puts a JPEG to `path`.
    pub async fn put_photo(&self, path: &str, jpeg: Vec<u8>) -> Result<Value> {
        let request = self.http.put(format!("{}/api/v1{path}", self.base)).header(COOKIE, &self.cookie);
        let request = request.header("x-csrf-token", &self.csrf).header("content-type", "image/jpeg");
        let answer = request.body(jpeg).send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("PUT {path} was answered {status}: {text}");
        }
        Ok(serde_json::from_str(&text)?)
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let url = format!("{}/api/v1{path}", self.base);
        let mut request = self.http.request(method.clone(), &url).header(COOKIE, &self.cookie);
        if let Some(body) = body {
            request = request.header("x-csrf-token", &self.csrf).json(body);
        }
        let answer = request.send().await.with_context(|| format!("{method} {path} got no answer"))?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{method} {path} was answered {status}: {text}");
        }
        if status == StatusCode::NO_CONTENT || text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{method} {path} answered no JSON: {text}"))
    }
}
