//! The page's listener before those who would keep it busy: silent, slow, too many, too large.

use std::net::SocketAddr;

use sitewarden_server::config::Limits;
use sitewarden_tests::database::Engine;
use sitewarden_tests::fleet::Fleet;
use sitewarden_tests::raw::SOON;
use sitewarden_tests::until;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const HELLO: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

async fn dial(http: SocketAddr) -> TcpStream {
    TcpStream::connect(http).await.unwrap()
}

/// Whether a request is answered on this connection.
async fn answers(stream: &mut TcpStream) -> bool {
    if stream.write_all(HELLO).await.is_err() {
        return false;
    }
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\nok\n") {
        if !stream.read_buf(&mut answer).await.is_ok_and(|count| count > 0) {
            return false;
        }
    }
    answer.starts_with(b"HTTP/1.1 200")
}

/// Sends `begin`, then a byte now and then, until the server has enough of it.
async fn drips(http: SocketAddr, begin: &[u8]) {
    let mut stream = dial(http).await;
    stream.write_all(begin).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let end = tokio::spawn(async move { read.read_to_end(&mut Vec::new()).await });
    until("the connection ends", SOON, async || {
        let _ = write.write_all(b"x").await;
        end.is_finished()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_silent_connections_end() {
    let limits = Limits { http_idle_s: 1, ..Limits::default() };
    let fleet = Fleet::enrolled(Engine::Sqlite, 1, limits).await;
    let http = fleet.serve().await;
    let http_at = http.http;
    let silent = async |begin: &[u8]| {
        let mut stream = dial(http_at).await;
        stream.write_all(begin).await.unwrap();
        let end = tokio::time::timeout(SOON, stream.read_to_end(&mut Vec::new())).await;
        let _ = end.expect("the connection ends");
    };
    tokio::join!(
        silent(b""),
        // Idle after an answer, and in the middle of what may become HTTP/2 (RFC 9113, section 3.4).
        silent(HELLO),
        silent(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        silent(b"PRI * HT"),
        drips(http_at, b"GET /healthz HTTP/1.1\r\nhost: "),
        drips(
            http_at,
            b"POST /api/v1/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
            content-length: 100000\r\n\r\n{"
        ),
    );
    assert!(answers(&mut dial(http_at).await).await, "and everybody else is served");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_connections_and_too_large_bodies_are_refused() {
    let limits = Limits { http_connections: 4, ..Limits::default() };
    let fleet = Fleet::enrolled(Engine::Sqlite, 1, limits).await;
    let server = fleet.serve().await;
    let mut held = Vec::new();
    for _ in 0..4 {
        let mut stream = dial(server.http).await;
        assert!(answers(&mut stream).await);
        held.push(stream);
    }
    for _ in 0..3 {
        assert!(!answers(&mut dial(server.http).await).await, "there is no fifth place");
    }
    assert!(answers(&mut held[0]).await, "who sits is served");
    held.clear();
    until("the places are free again", SOON, async || answers(&mut dial(server.http).await).await).await;
    let metrics =
        reqwest::get(format!("http://{}/metrics", server.http)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("sitewarden_refused_total{reason=\"http_connections\"} "), "{metrics}");
    let body = vec![b' '; (1 << 20) + 1];
    let client = reqwest::Client::new();
    let url = format!("http://{}/api/v1/session", server.http);
    let answer = client.post(url).header("content-type", "application/json").body(body).send().await.unwrap();
    assert_eq!(answer.status(), 413);
}
