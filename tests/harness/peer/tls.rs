//! A TLS port with a certificate that ends when a test says, and one whose TLS is from another age.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// A TLS port on 127.0.0.1.
#[derive(Debug)]
pub struct TlsPort {
    /// The TCP port.
    pub port: u16,
    task: JoinHandle<()>,
}

impl TlsPort {
    /// Shows a self-signed certificate that ends at `not_after`, and answers every HTTP request with "ok".
    pub async fn until(not_after: Timestamp) -> Self {
        let key = rcgen::KeyPair::generate().expect("a key can be made");
        let mut params = rcgen::CertificateParams::new(vec!["camera.test".to_owned()]).expect("a valid name");
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        let end = not_after.to_zoned(jiff::tz::TimeZone::UTC);
        params.not_after = rcgen::date_time_ymd(end.year().into(), end.month() as u8, end.day() as u8);
        let certificate = params.self_signed(&key).expect("a certificate can be made");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring knows the default versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a PKCS#8 key"),
            )
            .expect("key and certificate belong together");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::serve(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut request = [0; 4096];
                if matches!(stream.read(&mut request).await, Ok(length) if length > 0) {
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
                        .await;
                }
                let _ = stream.shutdown().await;
            }
        })
        .await
    }

    /// Answers every greeting with the alert "protocol version" (70), as a device does that stopped at TLS 1.0.
    pub async fn obsolete() -> Self {
        Self::serve(|mut stream| async move {
            let mut hello = [0; 4096];
            let _ = stream.read(&mut hello).await;
            // A TLS 1.0 record (RFC 2246) that holds a fatal alert.
            let _ = stream.write_all(&[21, 3, 1, 0, 2, 2, 70]).await;
            let _ = stream.shutdown().await;
        })
        .await
    }

    /// Answers in plain text, as a port that does not speak TLS at all.
    pub async fn plain() -> Self {
        Self::serve(|mut stream| async move {
            let _ = stream.write_all(b"220 welcome\r\n").await;
            let mut rest = [0; 4096];
            let _ = stream.read(&mut rest).await;
        })
        .await
    }

    async fn serve<F>(answer: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
        Self { port, task }
    }
}

impl Drop for TlsPort {
    fn drop(&mut self) {
        self.task.abort();
    }
}
