//! A port that answers RTSP (RFC 2326) `OPTIONS`, as a camera's stream port does; there is no stream.

use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::device::Device;
use super::web::read_head;

const MOST_CONNECTIONS: usize = 64;

/// Accepts until it is dropped, which cuts every connection.
pub async fn serve(device: &Arc<Device>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(talk(Arc::clone(device), stream));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn talk(device: Arc<Device>, mut stream: TcpStream) {
    while let Some(head) = read_head(&mut stream).await {
        device.think().await;
        let sequence = head
            .lines()
            .find_map(|line| line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("cseq")))
            .map_or("0", |(_, value)| value.trim());
        let status = if head.starts_with("OPTIONS ") { "200 OK" } else { "501 Not Implemented" };
        let answer = format!(
            "RTSP/1.0 {status}\r\nCSeq: {sequence}\r\nPublic: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n"
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
