//! The page's listener: who may connect, how many at once, and how long somebody may keep a connection
//! without letting the server say anything.
//!
//! One rule serves against every kind of slowness: a connection to which nothing could be written for a
//! minute ends. Whoever sends a request slowly, or none, gets no answer in that time, and whoever does not
//! read cannot be written to. The live stream says something every five seconds.

use std::future::{Ready, ready};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready as poll_ready};
use std::time::Duration;

use axum_server::accept::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use crate::config::Limits;
use crate::metrics::Metrics;

/// Who may connect, and how many.
#[derive(Clone, Debug)]
pub(super) struct Peers {
    /// `None` where TLS protects the connection and everybody may come; else this machine and these.
    proxies: Option<Arc<[IpAddr]>>,
    places: Arc<Semaphore>,
    idle: Duration,
    metrics: Metrics,
}

/// A connection that has a place and must be written to now and then.
pub(super) struct Patient {
    stream: TcpStream,
    idle: Duration,
    end: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Peers {
    pub(super) fn new(proxies: Option<Arc<[IpAddr]>>, limits: &Limits, metrics: Metrics) -> Self {
        let places = Arc::new(Semaphore::new(limits.http_connections));
        Self { proxies, places, idle: Duration::from_secs(limits.http_idle_s.into()), metrics }
    }

    fn judge(&self, stream: TcpStream) -> io::Result<Patient> {
        stream.set_nodelay(true)?;
        let ip = stream.peer_addr()?.ip().to_canonical();
        if let Some(proxies) = &self.proxies
            && !ip.is_loopback()
            && !proxies.contains(&ip)
        {
            tracing::warn!(%ip, "plain HTTP is for this machine and `http.trusted_proxies` only");
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            self.metrics.refused("http_connections");
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        Ok(Patient { stream, idle: self.idle, end: Box::pin(sleep(self.idle)), _place: place })
    }
}

impl<S> Accept<TcpStream, S> for Peers {
    type Stream = Patient;
    type Service = S;
    type Future = Ready<io::Result<(Patient, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(self.judge(stream).map(|stream| (stream, service)))
    }
}

impl Patient {
    /// An error once patience has ended; the task is woken then.
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.end.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }

    fn wrote(&mut self, count: usize) {
        if count > 0 {
            self.end.as_mut().reset(Instant::now() + self.idle);
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        let count = poll_ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        self.wrote(count);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        let count = poll_ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, bufs))?;
        self.wrote(count);
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
