//! The accept loop.

use super::{
    WsEndpoint,
    endpoint::Counters,
    http::{self, Server},
    strangers::Stranger,
    upgrade::Refusal,
};
use crate::clock::Clock;
use axum::Router;
use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use stoa_protocol::Millis;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Sockets that wait to be accepted: a class that comes back at once.
const BACKLOG: u32 = 4096;

/// What the kernel keeps for a peer that does not read, bytes. Left to itself it grows to megabytes for each, filled
/// with what the peer no longer wants.
const SEND_BYTES: u32 = 128 * 1024;

/// First and longest pause after the system could not accept a socket, milliseconds.
const PAUSE_MS: Millis = 50;
const PAUSE_MAX_MS: Millis = 1_000;

/// Sockets that are being told that their address has too many; more are closed without a word.
const REFUSALS: usize = 64;

/// How a server ends: it stops accepting, then the hub closes its connections, then what is left is closed.
#[derive(Debug, Clone, Default)]
pub struct Lifetime {
    /// When cancelled, no socket and no upgrade is accepted any more, and HTTP connections end after the request
    /// that they are at. WebSockets go on.
    pub accepting: CancellationToken,
    /// When cancelled, everything still open is closed: WebSockets as `going_away`, within the limit for closing.
    pub open: CancellationToken,
    /// Every task of the gateway. Close it and wait for it after cancelling.
    pub tasks: TaskTracker,
}

/// A listening socket with this project's settings. Call within a runtime.
///
/// # Errors
/// What the system says, most often that the port is taken.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    // Accepted sockets inherit it.
    socket.set_send_buffer_size(SEND_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `router`, and WebSockets at the endpoint's path, until `life.accepting` is cancelled. Sockets go on in
/// tasks of `life.tasks`.
pub async fn serve(
    listener: TcpListener,
    tls: Option<ServerConfig>,
    router: Router,
    endpoint: Arc<WsEndpoint>,
    life: Lifetime,
) {
    let gate = Gate {
        tls: tls.map(|config| TlsAcceptor::from(Arc::new(config))),
        refusals: Arc::new(Semaphore::new(REFUSALS)),
        server: Server { router, endpoint, life },
    };
    accept_all(&listener, &gate.server.endpoint, &gate.server.life.accepting, |socket, address| {
        gate.let_in(socket, address);
    })
    .await;
}

/// Where sockets come from; a test's can fail.
trait Accept {
    fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send;
}

impl Accept for TcpListener {
    fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send {
        TcpListener::accept(self)
    }
}

async fn accept_all(
    sockets: &impl Accept,
    endpoint: &WsEndpoint,
    accepting: &CancellationToken,
    mut let_in: impl FnMut(TcpStream, IpAddr),
) {
    let mut pause_ms = 0;
    loop {
        let accepted = tokio::select! {
            () = accepting.cancelled() => return,
            accepted = sockets.accept() => accepted,
        };
        match accepted {
            Ok((socket, address)) => {
                pause_ms = 0;
                Counters::count(&endpoint.counters().accepted);
                let_in(socket, address.ip().to_canonical());
            }
            Err(error) if is_of_one_socket(&error) => {}
            // Most likely there is no file descriptor left. The socket still waits, so asking again at once would
            // only spin; it is told once, not a thousand times.
            Err(error) => {
                Counters::count(&endpoint.counters().accept_errors);
                if pause_ms == 0 {
                    tracing::error!(%error, "cannot accept connections");
                }
                pause_ms = (pause_ms * 2).clamp(PAUSE_MS, PAUSE_MAX_MS);
                let clock: &dyn Clock = &*endpoint.clock;
                tokio::select! {
                    () = accepting.cancelled() => return,
                    () = clock.sleep_until(clock.now() + pause_ms) => {}
                }
            }
        }
    }
}

/// Whether an error concerns one socket that has gone again, and not the next.
fn is_of_one_socket(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

struct Gate {
    tls: Option<TlsAcceptor>,
    /// Bounds the tasks that only tell somebody to go.
    refusals: Arc<Semaphore>,
    server: Server,
}

impl Gate {
    fn let_in(&self, socket: TcpStream, address: IpAddr) {
        let endpoint = &self.server.endpoint;
        // Without it a small frame would wait for the acknowledgement of the one before.
        if socket.set_nodelay(true).is_err() {
            return;
        }
        // Behind a trusted proxy are many addresses; each is counted when its request names it.
        let stranger = if endpoint.proxies.contains(address) {
            None
        } else if let Some(stranger) = endpoint.strangers.admit(address) {
            Some(stranger)
        } else {
            Counters::count(&endpoint.counters().refused_address);
            return self.refuse(socket, address);
        };
        let server = self.server.clone();
        match self.tls.clone() {
            None => drop(self.server.life.tasks.spawn(http::serve(server, socket, address, false, stranger))),
            Some(tls) => drop(self.server.life.tasks.spawn(serve_tls(tls, server, socket, address, stranger))),
        }
    }

    /// Tells why, if there are hands free for it. There is nobody to tell before a TLS handshake.
    fn refuse(&self, mut socket: TcpStream, address: IpAddr) {
        let Ok(hand) = self.refusals.clone().try_acquire_owned() else { return };
        if self.tls.is_some() {
            return;
        }
        tracing::info!(%address, "too many connections of one address have not authenticated");
        let clock = self.server.endpoint.clock.clone();
        self.server.life.tasks.spawn(async move {
            if socket.write_all(&too_many()).await.is_ok() {
                http::linger(socket, &*clock).await;
            }
            drop(hand);
        });
    }
}

/// The answer to whoever was not even asked what they want.
fn too_many() -> Vec<u8> {
    let refusal = Refusal::too_many();
    let body =
        format!(r#"{{"type":"about:blank","title":"Too Many Requests","status":429,"detail":"{}"}}"#, refusal.detail);
    let head = "HTTP/1.1 429 Too Many Requests\r\ncontent-type: application/problem+json\r\nretry-after: 5";
    format!("{head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

async fn serve_tls(tls: TlsAcceptor, server: Server, socket: TcpStream, address: IpAddr, stranger: Option<Stranger>) {
    let clock = server.endpoint.clock.clone();
    let deadline = clock.now() + server.endpoint.limits.header_ms;
    let accepted = tokio::select! {
        accepted = tls.accept(socket) => accepted,
        () = clock.sleep_until(deadline) => return,
        () = server.life.open.cancelled() => return,
    };
    match accepted {
        Ok(stream) => Box::pin(http::serve(server, stream, address, true, stranger)).await,
        Err(error) => tracing::debug!(%address, %error, "TLS handshake failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::VirtualClock,
        gateway::{Handler, Limits, Mailbox, Origins, Peer, Session, TrustedProxies},
    };
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    struct Nobody;

    impl Handler for Nobody {
        fn accept(&self, _peer: &Peer, _mailbox: Arc<Mailbox>) -> Box<dyn Session> {
            unreachable!("no socket is accepted")
        }
    }

    /// A process without a file descriptor left.
    #[derive(Default)]
    struct Exhausted {
        asked: AtomicUsize,
    }

    impl Accept for Exhausted {
        async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
            let asked = self.asked.fetch_add(1, Ordering::Relaxed);
            // One that went again while it waited says nothing about the next: no pause after it.
            if asked == 0 {
                Err(io::ErrorKind::ConnectionAborted.into())
            } else {
                Err(io::Error::from_raw_os_error(24))
            }
        }
    }

    #[tokio::test]
    async fn a_process_that_cannot_accept_asks_again_later_and_does_not_spin() {
        let clock = VirtualClock::new(0);
        let (origins, proxies) = (Origins::default(), TrustedProxies::default());
        let endpoint =
            WsEndpoint::new(Arc::new(Nobody), Arc::new(clock.clone()), "", origins, proxies, Limits::default());
        let sockets = Arc::new(Exhausted::default());
        let accepting = CancellationToken::new();
        let task = tokio::spawn({
            let (sockets, endpoint, accepting) = (sockets.clone(), endpoint.clone(), accepting.clone());
            async move { accept_all(&*sockets, &endpoint, &accepting, |_, _| unreachable!()).await }
        });
        let settle = async || {
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        };
        settle().await;
        assert_eq!(sockets.asked.load(Ordering::Relaxed), 2, "once more after the socket that went, then a pause");
        for (pause_ms, asked) in [(49, 2), (1, 3), (99, 3), (1, 4), (200, 5), (400, 6), (800, 7), (1_000, 8), (999, 8)]
        {
            clock.advance(Duration::from_millis(pause_ms));
            settle().await;
            assert_eq!(sockets.asked.load(Ordering::Relaxed), asked);
        }
        assert_eq!(endpoint.counters().accept_errors.load(Ordering::Relaxed), 7);
        accepting.cancel();
        task.await.expect("stops at once");
    }
}
