//! Who is at the other end of the connection.
//!
//! The address of a caller is the socket's, unless the socket is a proxy that the configuration
//! names: then it is the last address that this proxy wrote into `X-Forwarded-For`. Being *local*
//! is stricter: a loopback socket that carries no word of having been forwarded.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use crate::app::App;
use crate::error::ApiError;

/// The caller's address, for limits and for the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The address of the person's own machine, as well as it is known.
    pub address: IpAddr,
    /// True when the request was made on this very machine.
    pub local: bool,
}

impl Peer {
    /// Reads it from the request.
    pub fn of(parts: &Parts, trusted: &[IpAddr]) -> Self {
        // Without a socket address (which only a miswired listener lacks) nobody is local.
        let socket = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |info| info.0.ip().to_canonical());
        Self::from_socket(socket, &parts.headers, trusted)
    }

    fn from_socket(socket: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> Self {
        let forwarded = headers.get_all("x-forwarded-for").iter().next_back();
        let word = forwarded.and_then(|list| list.to_str().ok()).and_then(|list| list.rsplit(',').next());
        let behind = word.and_then(|word| word.trim().parse::<IpAddr>().ok());
        let believed = behind.filter(|_| trusted.contains(&socket));
        let address = believed.map_or(socket, |address| address.to_canonical());
        let passed_on = forwarded.is_some() || headers.contains_key(header::FORWARDED);
        Self { address, local: socket.is_loopback() && !passed_on }
    }
}

impl FromRequestParts<App> for Peer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        Ok(Self::of(parts, &app.config.http.trusted_proxies))
    }
}

/// Lets a scraper in from this machine, or with the bearer token of the configuration.
pub async fn admit_scraper(app: &App, parts: &Parts) -> Result<(), ApiError> {
    if Peer::of(parts, &app.config.http.trusted_proxies).local {
        return Ok(());
    }
    let given = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.strip_prefix("Bearer "));
    let hash = |text: &str| ring::digest::digest(&ring::digest::SHA256, text.as_bytes()).as_ref().to_vec();
    // Read at every scrape: the token can be changed without a restart.
    let token = match &app.config.metrics.token_file {
        Some(path) => tokio::fs::read_to_string(path).await.ok(),
        None => None,
    };
    let token = token.as_deref().map(str::trim).filter(|token| !token.is_empty());
    if let (Some(given), Some(token)) = (given, token)
        && hash(given) == hash(token)
    {
        return Ok(());
    }
    Err(ApiError::unauthorized().hint(
        "scrape from this machine, or set `metrics.token_file` in the configuration and send its content as a \
         bearer token",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn check(socket: &str, forwarded: Option<&str>, address: &str, local: bool) {
        let mut headers = HeaderMap::new();
        if let Some(list) = forwarded {
            headers.insert("x-forwarded-for", HeaderValue::from_str(list).unwrap());
        }
        let trusted = ["10.0.0.1".parse().unwrap(), "127.0.0.1".parse().unwrap()];
        let peer = Peer::from_socket(socket.parse().unwrap(), &headers, &trusted);
        assert_eq!(peer, Peer { address: address.parse().unwrap(), local }, "{socket} {forwarded:?}");
    }

    #[test]
    fn only_a_named_proxy_is_believed() {
        check("127.0.0.1", None, "127.0.0.1", true);
        check("127.0.0.1", Some("203.0.113.9"), "203.0.113.9", false);
        check("10.0.0.1", Some("1.1.1.1, 203.0.113.9"), "203.0.113.9", false);
        check("198.51.100.7", Some("127.0.0.1"), "198.51.100.7", false);
        check("::1", None, "::1", true);
    }
}
