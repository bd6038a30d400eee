//! The heartbeat: one request a minute to a service that raises the alarm when none comes.

use std::time::Duration;

/// A service that listens answers at once, or not at all.
const LIMIT: Duration = Duration::from_secs(10);

/// The client behind heartbeats, made once.
#[derive(Clone, Debug)]
pub struct Beats {
    client: reqwest::Client,
}

impl Beats {
    /// A client that follows no redirects.
    pub fn new() -> anyhow::Result<Self> {
        let client = reqwest::Client::builder()
            .timeout(LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("sitewarden/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client })
    }

    /// Sends one; the answer, or why it was not taken.
    pub async fn send(&self, method: &str, address: &str) -> Result<String, String> {
        let request = if method == "POST" { self.client.post(address) } else { self.client.get(address) };
        let response = request.send().await.map_err(|error| super::chain(&error.without_url()))?;
        let words = format!("HTTP {}", response.status().as_u16());
        if response.status().is_success() { Ok(words) } else { Err(words) }
    }
}

/// Why an address cannot be used.
pub fn check(address: &str) -> Result<(), String> {
    let url = reqwest::Url::parse(address).map_err(|error| error.to_string())?;
    match url.scheme() {
        "http" | "https" => Ok(()),
        other => Err(format!("`{other}` is not http or https")),
    }
}
