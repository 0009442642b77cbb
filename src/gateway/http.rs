//! One accepted socket as long as it speaks HTTP: hyper's http1 connection serving the router, and the way out of it
//! into a WebSocket.

use super::{
    Peer, Wanted, WsEndpoint,
    connection::{Connection, Wire},
    endpoint::Counters,
    listen::Lifetime,
    strangers::Stranger,
    upgrade::{self, Refusal},
};
use crate::clock::Clock;
use axum::{Router, body::Body, http::Request, http::Response};
use hyper::{body::Incoming, rt, server::conn::http1};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    mem::MaybeUninit,
    net::IpAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};
use stoa_protocol::Millis;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tower::ServiceExt;

/// Largest header of a request with its first line, bytes: a token of 8 KiB and cookies fit.
const HEADER_BYTES: usize = 16 * 1024;

/// Most header fields of a request.
const HEADERS: usize = 100;

/// After a refusal the rest of a request is read for so long, milliseconds, and so far, bytes, because a socket that
/// is closed with unread bytes is reset and the answer is lost with it.
const LINGER_MS: Millis = 1_000;
const LINGER_BYTES: usize = 1024 * 1024;

/// Put into a response's extensions by whoever has verified the request's token: from then on the connection no
/// longer counts as its address's stranger.
#[derive(Debug, Clone, Copy)]
pub struct Authenticated;

/// What one socket's tasks share with the server.
#[derive(Clone)]
pub(super) struct Server {
    pub router: Router,
    pub endpoint: Arc<WsEndpoint>,
    pub life: Lifetime,
}

/// A socket that speaks HTTP, and who is at its other end.
struct Edge {
    server: Server,
    socket: IpAddr,
    tls: bool,
    /// The share of the address, until somebody authenticates.
    stranger: Mutex<Option<Stranger>>,
    /// Set when a request was answered by 101.
    agreed: Mutex<Option<Agreed>>,
}

struct Agreed {
    peer: Peer,
    stranger: Option<Stranger>,
    /// The document that a plain Yjs provider asks for.
    wanted: Option<Wanted>,
}

/// Serves HTTP on `io` until it ends or becomes a WebSocket, which then runs in a task of its own, so that nothing
/// of HTTP stays in memory.
pub(super) async fn serve<S>(server: Server, io: S, socket: IpAddr, tls: bool, stranger: Option<Stranger>)
where
    S: AsyncRead + AsyncWrite + Wire + Unpin + Send + 'static,
{
    let edge = Edge { socket, tls, stranger: Mutex::new(stranger), agreed: Mutex::default(), server };
    let edge = Arc::new(edge);
    let Some((io, read_past)) = exchange(&edge, io).await else { return };
    let agreed = edge.agreed.lock().take();
    let server = &edge.server;
    let Some(Agreed { peer, stranger, wanted }) = agreed else {
        return linger(io, &*server.endpoint.clock).await;
    };
    let connection = Connection::open(io, &read_past, server.endpoint.clone(), peer, stranger, wanted);
    server.life.tasks.spawn(connection.run(server.life.open.clone()));
}

/// Exchanges requests and responses; then the socket, and what was read past the last request. `None` when the
/// server stops at once.
async fn exchange<S>(edge: &Arc<Edge>, io: S) -> Option<(S, bytes::Bytes)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let server = &edge.server;
    let limits = &server.endpoint.limits;
    let header_ms =
        if server.endpoint.proxies.contains(edge.socket) { limits.proxy_header_ms } else { limits.header_ms };
    let mut connection = http1::Builder::new()
        .timer(ClockTimer(server.endpoint.clock.clone()))
        .header_read_timeout(Duration::from_millis(header_ms))
        .max_header_size(HEADER_BYTES)
        .max_headers(HEADERS)
        .max_buf_size(2 * HEADER_BYTES)
        .serve_connection(TokioIo::new(io), Service(edge.clone()));
    let mut stopping = false;
    let mut accepting = pin!(server.life.accepting.cancelled());
    let mut open = pin!(server.life.open.cancelled());
    let ended = poll_fn(|cx| {
        if open.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        if !stopping && accepting.as_mut().poll(cx).is_ready() {
            stopping = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(cx).map(Some)
    });
    if let Err(error) = ended.await? {
        // The answer that agreed to an upgrade did not get through.
        drop(edge.agreed.lock().take());
        tracing::debug!(address = %edge.socket, %error, "http connection ended");
    }
    let parts = connection.into_parts();
    Some((parts.io.into_inner(), parts.read_buf))
}

/// Closes so that the peer gets the last answer: says that nothing more comes, and reads on for a while.
pub(super) async fn linger(mut io: impl AsyncRead + AsyncWrite + Unpin, clock: &dyn Clock) {
    let mut deadline = clock.sleep_until(clock.now() + LINGER_MS);
    let mut left = LINGER_BYTES;
    let drained = async {
        if io.shutdown().await.is_err() {
            return;
        }
        poll_fn(|cx| {
            loop {
                let mut space = [MaybeUninit::uninit(); 4096];
                let mut buffer = ReadBuf::uninit(&mut space);
                let outcome = ready!(Pin::new(&mut io).poll_read(cx, &mut buffer));
                left = left.saturating_sub(buffer.filled().len());
                if outcome.is_err() || buffer.filled().is_empty() || left == 0 {
                    return Poll::Ready(());
                }
            }
        })
        .await;
    };
    tokio::select! {
        () = drained => {}
        () = &mut deadline => {}
    }
}

/// The service of one socket.
struct Service(Arc<Edge>);

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let edge = self.0.clone();
        Box::pin(async move { Ok(edge.answer(request).await) })
    }
}

impl Edge {
    async fn answer(&self, mut request: Request<Incoming>) -> Response<Body> {
        let endpoint = &self.server.endpoint;
        let peer = endpoint.proxies.peer(self.socket, self.tls, request.headers());
        let plain = request.uri().path().starts_with(&endpoint.documents);
        if plain || request.uri().path() == endpoint.path {
            let address = peer.address;
            return self.upgrade(&request, peer, plain).unwrap_or_else(|refusal| {
                Counters::count(&endpoint.counters().refused_handshakes);
                tracing::info!(%address, status = refusal.status.as_u16(), reason = refusal.detail, "handshake refused");
                refusal.into_response()
            });
        }
        request.extensions_mut().insert(peer);
        let router = self.server.router.clone().oneshot(request.map(Body::new));
        let mut deadline = endpoint.clock.sleep_until(endpoint.clock.now() + endpoint.limits.request_ms);
        let response = tokio::select! {
            response = router => response.unwrap_or_else(|never| match never {}),
            () = &mut deadline => Refusal::too_slow().into_response(),
        };
        if response.extensions().get::<Authenticated>().is_some() {
            drop(self.stranger.lock().take());
        }
        response
    }

    fn upgrade(&self, request: &Request<Incoming>, peer: Peer, plain: bool) -> Result<Response<Body>, Refusal> {
        let endpoint = &self.server.endpoint;
        if self.server.life.accepting.is_cancelled() {
            return Err(Refusal::stopping());
        }
        let wanted = match plain {
            true => Some(upgrade::wanted(request.uri(), endpoint).ok_or(Refusal::not_found())?),
            false => None,
        };
        let response = upgrade::agree(request, endpoint, plain)?;
        // What comes through a trusted proxy is counted by the address that it forwards, and only from here on.
        let stranger = match self.stranger.lock().take() {
            Some(stranger) => stranger,
            None => endpoint.strangers.admit(peer.address).ok_or(Refusal::too_many())?,
        };
        *self.agreed.lock() = Some(Agreed { peer, stranger: Some(stranger), wanted });
        Ok(response)
    }
}

/// hyper's timers by the Clock. hyper's own instants serve as names of moments only: the distance from now counts.
struct ClockTimer(Arc<dyn Clock>);

impl rt::Timer for ClockTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        let clock = self.0.clone();
        let deadline = clock.now() + duration.as_millis() as Millis;
        Box::pin(ClockSleep(Mutex::new(Box::pin(async move { clock.sleep_until(deadline).await }))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        self.sleep(deadline.saturating_duration_since(Instant::now()))
    }
}

/// hyper wants its sleeps `Sync`; the lock is never contended.
struct ClockSleep(Mutex<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Future for ClockSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.get_mut().0.get_mut().as_mut().poll(cx)
    }
}

impl rt::Sleep for ClockSleep {}
