//! The web page, built into the binary.
//!
//! Files under `assets/` carry a hash in their name and never change; everything else is asked for
//! again each time. A path without a file is a page of the web application, which finds its own way.
//! The server also works without a built page: it then says how to build one.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rust_embed::{Embed, EmbeddedFile};

#[derive(Embed)]
#[folder = "web/dist"]
#[allow_missing = true]
struct Dist;

const ENTRY: &str = "noc.html";
/// The technician's page is a program of its own, small and able to work without a network.
const TECH: &str = "tech.html";
const MISSING: &str = "Sitewarden is running, but its web page was not built into this binary.\n\
    Build it: `npm ci && npm run build` in server/web, then build the server again.\n\
    The API is at /api/v1, its description at /api/v1/openapi.json.\n";

/// Answers everything that no route does.
pub async fn fallback(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path.starts_with("api/") || path == "api" {
        return StatusCode::NOT_FOUND.into_response();
    }
    if !matches!(method, Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    if let Some(file) = Dist::get(path).filter(|_| !path.is_empty()) {
        return serve(path, file, &headers);
    }
    let named_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    if named_file {
        return StatusCode::NOT_FOUND.into_response();
    }
    let entry = if path == "tech" || path.starts_with("tech/") { TECH } else { ENTRY };
    match Dist::get(entry) {
        Some(file) => serve(entry, file, &headers),
        None => (StatusCode::SERVICE_UNAVAILABLE, MISSING).into_response(),
    }
}

fn serve(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let hash = file.metadata.sha256_hash();
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash[..12]));
    let caching =
        if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let kind = match kind.type_() {
        mime_guess::mime::TEXT => format!("{kind}; charset=utf-8"),
        _ => kind.to_string(),
    };
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|given| given.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(file.data.into_owned()))
    };
    for (name, value) in [
        (header::ETAG, tag.as_str()),
        (header::CACHE_CONTROL, caching),
        (header::CONTENT_TYPE, kind.as_str()),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(method: Method, path: &str) -> (StatusCode, HeaderMap) {
        let response = fallback(method, path.parse().unwrap(), HeaderMap::new()).await;
        (response.status(), response.headers().clone())
    }

    #[tokio::test]
    async fn a_page_is_a_page_and_a_missing_file_is_missing() {
        assert_eq!(ask(Method::GET, "/assets/none.js").await.0, StatusCode::NOT_FOUND);
        assert_eq!(ask(Method::GET, "/api/v2/x").await.0, StatusCode::NOT_FOUND);
        assert_eq!(ask(Method::POST, "/devices/1").await.0, StatusCode::METHOD_NOT_ALLOWED);
        let (status, headers) = ask(Method::GET, "/devices/1").await;
        match status {
            StatusCode::OK => assert_eq!(headers[header::CACHE_CONTROL], "no-cache"),
            status => assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}
