//! The bytes beneath a WebSocket: a plain socket, or TLS over one.

use super::Mailbox;
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, tcp::OwnedReadHalf},
};
use tokio_rustls::server::TlsStream;

/// What a connection reads from. Only the mailbox writes; this lends it the way.
pub(super) enum Transport {
    /// The mailbox owns the writing half and whoever flushes it writes.
    Plain(OwnedReadHalf),
    /// The connection's task encrypts and writes.
    Tls(Box<Tls>),
}

pub(super) struct Tls {
    stream: TlsStream<TcpStream>,
    /// Something encrypted may still wait in the TLS session.
    unflushed: bool,
}

impl Transport {
    pub(super) fn of_tls(stream: TlsStream<TcpStream>) -> Self {
        Self::Tls(Box::new(Tls { stream, unflushed: false }))
    }

    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Self::Tls(tls) => Pin::new(&mut tls.stream).poll_read(cx, buffer),
        }
    }

    /// Writes what the mailbox has left to the task. Pending when the peer takes no more for now.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, mailbox: &Mailbox) -> Poll<()> {
        match self {
            Self::Plain(socket) => match ready!(socket.as_ref().poll_write_ready(cx)) {
                Ok(()) => mailbox.write_ready(),
                Err(_broken) => mailbox.break_off(),
            },
            Self::Tls(tls) => {
                let stream = Pin::new(&mut tls.stream);
                ready!(mailbox.poll_write_with(|slices| stream.poll_write_vectored(cx, slices)));
                tls.unflushed = true;
            }
        }
        Poll::Ready(())
    }

    /// Completes when everything written has left the process. An error is the next read's to find.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Plain(_) => {}
            Self::Tls(tls) if !tls.unflushed => {}
            Self::Tls(tls) => {
                let _ = ready!(Pin::new(&mut tls.stream).poll_flush(cx));
                tls.unflushed = false;
            }
        }
        Poll::Ready(())
    }

    /// Says that nothing more will be written. The mailbox gives up its half.
    pub(super) fn poll_shutdown(&mut self, cx: &mut Context<'_>, mailbox: &Mailbox) -> Poll<()> {
        mailbox.break_off();
        match self {
            Self::Plain(_) => {}
            Self::Tls(tls) => {
                let _ = ready!(Pin::new(&mut tls.stream).poll_shutdown(cx));
            }
        }
        Poll::Ready(())
    }

    /// Gives up what the peer does not read: the kernel frees it at once and resets the connection.
    pub(super) fn abort(&self) {
        let socket = match self {
            Self::Plain(socket) => socket.as_ref(),
            Self::Tls(tls) => tls.stream.get_ref().0,
        };
        // It may be gone already.
        let _ = socket.set_zero_linger();
    }
}
