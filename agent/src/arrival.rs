//! The page on the site's own network that shows whoever stands before it a code for this minute, as digits and as a QR
//! code. It works while the uplink is down: the key came with the configuration and stays on disk, the minute is the
//! gateway's own. There is one page and nothing to send, so it is answered by hand, within bounds.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use qrcodegen::{QrCode, QrCodeEcc};
use ring::hmac;
use sitewarden_proto::arrival::{QR_PREFIX, STEP_S, digits, message, step_at};
use sitewarden_proto::id::GatewayId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use crate::clock::Clock;
use crate::config::Secret;

/// Connections at once; more wait in the system's queue.
const CONNECTIONS: usize = 16;
/// How long one may take, from its first byte to its last.
const LIMIT: Duration = Duration::from_secs(5);
/// Largest head of a request.
const HEAD_MAX: usize = 4096;
/// An address that cannot be listened on is tried again after so long.
const AGAIN: Duration = Duration::from_secs(30);

/// Shows codes on `address` for ever; `keys` says which key holds now.
pub async fn serve(
    address: SocketAddr,
    gateway: GatewayId,
    clock: Clock,
    keys: watch::Receiver<Option<Secret>>,
) {
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(error) => {
                tracing::error!(%address, %error, "the arrival page cannot be shown; trying again");
                tokio::time::sleep(AGAIN).await;
            }
        }
    };
    tracing::info!(%address, "shows arrival codes");
    answer_all(listener, gateway, clock, keys).await;
}

async fn answer_all(
    listener: TcpListener,
    gateway: GatewayId,
    clock: Clock,
    keys: watch::Receiver<Option<Secret>>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let (gateway, now, key) = (gateway.clone(), clock.now(), keys.borrow().clone());
        tokio::spawn(async move {
            let _ = tokio::time::timeout(LIMIT, answer(stream, &gateway, now, key.as_ref())).await;
            drop(place);
        });
    }
}

async fn answer(
    mut stream: TcpStream,
    gateway: &GatewayId,
    now: Timestamp,
    key: Option<&Secret>,
) -> std::io::Result<()> {
    let mut head = Vec::with_capacity(512);
    let mut part = [0; 512];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        let read = stream.read(&mut part).await?;
        if read == 0 || head.len() + read > HEAD_MAX {
            return Ok(());
        }
        head.extend_from_slice(&part[..read]);
    }
    let (status, body) = if head.starts_with(b"GET / ") || head.starts_with(b"HEAD / ") {
        ("200 OK", page(gateway, now, key))
    } else {
        ("404 Not Found", String::new())
    };
    let seconds = STEP_S - now.as_second().rem_euclid(STEP_S);
    let shown = if head.starts_with(b"HEAD") { "" } else { body.as_str() };
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         refresh: {seconds}\r\ncontent-security-policy: default-src 'none'; style-src 'unsafe-inline'\r\n\
         x-content-type-options: nosniff\r\nconnection: close\r\n\r\n{shown}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

/// The code of this minute.
pub fn code(key: &Secret, gateway: &GatewayId, now: Timestamp) -> Option<String> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(key.reveal()).ok()?);
    let tag = hmac::sign(&key, &message(gateway.as_str(), step_at(now.as_second())));
    digits(tag.as_ref())
}

fn page(gateway: &GatewayId, now: Timestamp, key: Option<&Secret>) -> String {
    let code = key.and_then(|key| code(key, gateway, now));
    let shown = match &code {
        Some(code) => format!(
            "<p class=\"code\">{} {}</p>{}<p>Type these digits on the technician's page; the QR code says the same. They change every \
             minute.</p><p lang=\"zh\">请在工程师页面输入以上数字（二维码内容相同）。每分钟更换一次。</p>",
            &code[..3],
            &code[3..],
            svg(&format!("{QR_PREFIX}{code}"))
        ),
        None => {
            "<p>This gateway has no arrival key yet. It comes with the configuration from the server.</p>\
                 <p lang=\"zh\">本网关尚无到场密钥，将随服务器配置下发。</p>"
                .to_owned()
        }
    };
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, \
         initial-scale=1\"><title>Sitewarden</title><style>body{{margin:0;min-height:100vh;display:grid;place-content:center;\
         justify-items:center;gap:16px;padding:16px;background:#0d1013;color:#e8ecef;font:18px/1.4 system-ui,sans-serif;\
         text-align:center}}p{{margin:0;max-width:32em}}.code{{font-size:min(17vw,120px);line-height:1;letter-spacing:.04em;white-space:nowrap;\
         font-variant-numeric:tabular-nums}}svg{{width:min(70vw,320px);background:#fff;border-radius:8px}}</style><main \
         style=\"display:contents\"><h1 style=\"font-size:18px;margin:0\">Arrival 到场</h1>{shown}</main></html>"
    )
}

/// A QR code as a picture of one path.
fn svg(text: &str) -> String {
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Medium) else { return String::new() };
    let (size, border) = (code.size(), 4);
    let mut path = String::new();
    for y in 0..size {
        for x in 0..size {
            if code.get_module(x, y) {
                let _ = write!(path, "M{},{}h1v1h-1z", x + border, y + border);
            }
        }
    }
    let side = size + 2 * border;
    format!(
        "<svg viewBox=\"0 0 {side} {side}\" role=\"img\" aria-label=\"QR code\"><path d=\"{path}\" fill=\"#000\"/></svg>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_the_minutes_code_and_its_picture() {
        let gateway: GatewayId = "gw-0123456789".parse().unwrap();
        let at = Timestamp::from_second(1_763_500_030).unwrap();
        let key = Secret::new(STANDARD.encode([7; 32]));
        let code = code(&key, &gateway, at).unwrap();
        assert_eq!(code.len(), 6);
        let shown = page(&gateway, at, Some(&key));
        assert!(
            shown.contains(&format!("{} {}", &code[..3], &code[3..])) && shown.contains("<svg"),
            "{shown}"
        );
        assert!(!shown.contains(key.reveal()), "the key itself is not shown");
        assert!(page(&gateway, at, None).contains("no arrival key"));
        assert_eq!(super::code(&Secret::new("no key"), &gateway, at), None);
    }

    #[tokio::test]
    async fn it_answers_one_question_and_no_other() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let at = Timestamp::from_second(1_763_500_030).unwrap();
        let (_sender, keys) = watch::channel(Some(Secret::new(STANDARD.encode([7; 32]))));
        let gateway: GatewayId = "gw-0123456789".parse().unwrap();
        let task = tokio::spawn(answer_all(listener, gateway, Clock::manual(at), keys));
        let ask = async |request: &str| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let page = ask("GET / HTTP/1.1\r\nhost: gw\r\n\r\n").await;
        assert!(
            page.starts_with("HTTP/1.1 200") && page.contains("refresh: 50") && page.contains("<svg"),
            "{page}"
        );
        assert!(ask("GET /key HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 404"));
        assert!(ask("POST / HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 404"));
        task.abort();
    }
}
