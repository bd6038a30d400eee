//! A mail server (RFC 5321) that delivers to the [`Sink`]: no TLS, no login, loopback only.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::sink::Sink;

const MOST_CONNECTIONS: usize = 16;
const MAIL_LIMIT: u64 = 1024 * 1024;
const PATIENCE: Duration = Duration::from_mins(1);

/// Accepts mail until it is dropped.
pub async fn serve(listener: TcpListener, sink: Arc<Sink>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => {
                if let Ok((stream, _)) = accepted {
                    let sink = Arc::clone(&sink);
                    connections.spawn(async move {
                        let (read, write) = stream.into_split();
                        let _ = tokio::time::timeout(PATIENCE, talk(read, write, &sink)).await;
                    });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn talk<R, W>(read: R, mut write: W, sink: &Sink) -> std::io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut lines = BufReader::new(read.take(MAIL_LIMIT));
    let mut to: Vec<String> = Vec::new();
    write.write_all(b"220 sitewarden-sim ESMTP\r\n").await?;
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let upper = line.trim_end().to_ascii_uppercase();
        let answer: &[u8] = if upper.starts_with("EHLO") {
            b"250-sitewarden-sim\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
        } else if upper.starts_with("RCPT TO:") {
            to.push(line.trim_end()[8..].trim().trim_matches(['<', '>']).to_owned());
            b"250 OK\r\n"
        } else if upper == "DATA" {
            write.write_all(b"354 end with a dot\r\n").await?;
            let mail = read_mail(&mut lines).await?;
            let (subject, text) = read_parts(&mail);
            sink.push("email", std::mem::take(&mut to).join(", "), subject, text);
            b"250 OK delivered\r\n"
        } else if upper == "QUIT" {
            write.write_all(b"221 bye\r\n").await?;
            return Ok(());
        } else if upper.starts_with("STARTTLS") || upper.starts_with("AUTH") {
            b"502 not here\r\n"
        } else {
            b"250 OK\r\n"
        };
        write.write_all(answer).await?;
    }
}

/// The lines up to the lone dot, dots unstuffed (RFC 5321, 4.5.2).
async fn read_mail<R: AsyncRead + Unpin>(lines: &mut BufReader<R>) -> std::io::Result<String> {
    let mut mail = Vec::new();
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line).await? == 0 || line == b".\r\n" {
            return Ok(String::from_utf8_lossy(&mail).into_owned());
        }
        mail.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}

/// Subject and text of a mail. Of several parts, the first that is plain text.
fn read_parts(mail: &str) -> (String, String) {
    let (head, body) = split_head(mail);
    let subject = decode_words(&field(&head, "subject"));
    let kind = field(&head, "content-type");
    let boundary = kind.split("boundary=").nth(1).map(|b| b.trim_matches(['"', ' ', ';']).to_owned());
    let (head, body) = match boundary {
        Some(boundary) => body
            .split(&format!("--{boundary}"))
            .map(|part| split_head(part.trim_start()))
            .find(|(head, _)| field(head, "content-type").starts_with("text/plain"))
            .unwrap_or_default(),
        None => (head, body),
    };
    let text = match field(&head, "content-transfer-encoding").to_ascii_lowercase().as_str() {
        "base64" => {
            let packed: String = body.split_whitespace().collect();
            STANDARD.decode(packed).map_or(body, |bytes| String::from_utf8_lossy(&bytes).into_owned())
        }
        "quoted-printable" => String::from_utf8_lossy(&decode_quoted(&body, false)).into_owned(),
        _ => body,
    };
    (subject, text.replace("\r\n", "\n").trim_end().to_owned())
}

/// Head lines, unfolded, and the body.
fn split_head(mail: &str) -> (Vec<String>, String) {
    let (head, body) = mail.split_once("\r\n\r\n").unwrap_or((mail, ""));
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    (unfolded.lines().map(str::to_owned).collect(), body.to_owned())
}

fn field(head: &[String], name: &str) -> String {
    head.iter()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

/// Encoded words of a header (RFC 2047); the space between two of them is not part of the text.
fn decode_words(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("=?") {
        if !before.trim().is_empty() || out.is_empty() {
            out.extend_from_slice(before.as_bytes());
        }
        let mut parts = after.splitn(3, '?');
        let (_charset, kind, tail) = (parts.next(), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        let (word, next) = tail.split_once("?=").unwrap_or((tail, ""));
        match kind {
            "B" | "b" => out.extend(STANDARD.decode(word).unwrap_or_default()),
            _ => out.extend(decode_quoted(word, true)),
        }
        rest = next;
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}

/// Quoted-printable (RFC 2045), or its kin in headers where `_` is a space.
fn decode_quoted(text: &str, header: bool) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = text.as_bytes();
    while let Some((first, rest)) = bytes.split_first() {
        bytes = rest;
        match first {
            b'=' if rest.starts_with(b"\r\n") => bytes = &rest[2..],
            b'=' if rest.len() >= 2 => {
                let digits = std::str::from_utf8(&rest[..2]).unwrap_or("");
                match u8::from_str_radix(digits, 16) {
                    Ok(byte) => {
                        out.push(byte);
                        bytes = &rest[2..];
                    }
                    Err(_) => out.push(b'='),
                }
            }
            b'_' if header => out.push(b' '),
            byte => out.push(*byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chinese_mail_is_read() {
        let mail = "From: a@b\r\nSubject: =?utf-8?b?5bel5Y2V?=\r\n =?utf-8?Q?_12=E5=8F=B7?= x\r\n\
                    Content-Transfer-Encoding: base64\r\n\r\n6K6+5aSHCuemu+e6vw==\r\n";
        assert_eq!(read_parts(mail), ("工单 12号 x".into(), "设备\n离线".into()));
    }

    #[test]
    fn the_plain_part_is_taken() {
        let mail = "Subject: hello\r\nContent-Type: multipart/alternative; boundary=\"zz\"\r\n\r\n\
                    --zz\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
                    a =3D b=\r\n c\r\n--zz\r\nContent-Type: text/html\r\n\r\n<p>x\r\n--zz--\r\n";
        assert_eq!(read_parts(mail), ("hello".into(), "a = b c".into()));
    }

    #[tokio::test]
    async fn a_mail_is_taken_and_a_stuffed_dot_unstuffed() {
        let (mut client, server) = tokio::io::duplex(4096);
        let sink = Sink::default();
        let talk = async {
            let (read, write) = tokio::io::split(server);
            talk(read, write, &sink).await.unwrap();
        };
        let send = async {
            client
                .write_all(
                    b"EHLO x\r\nMAIL FROM:<a@b>\r\nRCPT TO:<li@c>\r\nDATA\r\nSubject: s\r\n\r\n..one\r\n.\r\nQUIT\r\n",
                )
                .await
                .unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert!(answer.ends_with("221 bye\r\n"), "{answer}");
        };
        tokio::join!(talk, send);
        let pages = sink.pages();
        assert_eq!(
            (pages[0].to.as_str(), pages[0].subject.as_str(), pages[0].text.as_str()),
            ("li@c", "s", ".one")
        );
    }
}
