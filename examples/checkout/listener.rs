//! Connections that cannot harm: so many at once, and none on which nothing moves.
//!
//! A browser that has vanished without a word, or that has stopped to read its events, holds a connection and what
//! waits to be written to it. Whoever moves no byte for long, either way, is hung up on; so is one who takes as long over a
//! request, a byte now and then.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, sleep_until, Instant, Sleep};

/// More wait in the system's queue until one has gone.
const CONNECTIONS: usize = 1_024;

/// A listener for `axum::serve`.
pub(crate) struct Listener {
    tcp: TcpListener,
    places: Arc<Semaphore>,
    stall: Duration,
}

impl Listener {
    /// Hangs up on connections on which nothing moves for `stall`, or a request is not answered so long after its first byte.
    pub(crate) fn new(tcp: TcpListener, stall: Duration) -> Listener {
        Listener { tcp, places: Arc::new(Semaphore::new(CONNECTIONS)), stall }
    }
}

impl axum::serve::Listener for Listener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let place = Arc::clone(&self.places).acquire_owned().await;
        let place = place.expect("nobody closes the semaphore");
        loop {
            match self.tcp.accept().await {
                Ok((tcp, from)) => {
                    // A refusal is one small write, and nobody should wait for its acknowledgement.
                    let _ = tcp.set_nodelay(true);
                    return (Connection::new(tcp, self.stall, place), from);
                }
                // Out of descriptors, or the peer has gone again: neither gets better by spinning.
                Err(_) => sleep(Duration::from_millis(5)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// A connection that fails once nothing has moved for long, or a request has had no answer for as long.
pub(crate) struct Connection {
    tcp: TcpStream,
    stall: Duration,
    moved: Instant,
    /// When the first byte came that has not been followed by one of an answer.
    asked: Option<Instant>,
    /// Looks at `moved` again when it ends, so that moving a byte costs no change of a timer.
    timer: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(tcp: TcpStream, stall: Duration, place: OwnedSemaphorePermit) -> Connection {
        let timer = Box::pin(sleep(stall));
        Connection { tcp, stall, moved: Instant::now(), asked: None, timer, _place: place }
    }

    fn answered(&mut self, wrote: &Poll<io::Result<usize>>) {
        if matches!(wrote, Poll::Ready(Ok(1..))) {
            self.asked = None;
        }
    }

    /// Passes on what came of reading or writing, unless it stalls.
    fn watched<T>(
        &mut self,
        cx: &mut Context<'_>,
        came: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if came.is_ready() {
            self.moved = Instant::now();
            return came;
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let end = self.asked.unwrap_or(self.moved) + self.stall;
            if end <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.timer.set(sleep_until(end));
        }
        Poll::Pending
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let came = Pin::new(&mut self.tcp).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.asked.get_or_insert_with(Instant::now);
        }
        self.watched(cx, came)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let came = Pin::new(&mut self.tcp).poll_write(cx, bytes);
        self.answered(&came);
        self.watched(cx, came)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let came = Pin::new(&mut self.tcp).poll_write_vectored(cx, slices);
        self.answered(&came);
        self.watched(cx, came)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
