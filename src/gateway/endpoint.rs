//! What all connections of a server share: whom they speak to, what they may cost, and what is counted of them.

use super::{Handler, Origins, TrustedProxies, mailbox::Bounds, strangers::Strangers};
use crate::clock::Clock;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use stoa_protocol::Millis;

/// What one connection, and one address, may cost. Times are measured by the Clock.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections of one address (IPv6: of one /64) that have not said who they are. Enough for a class of
    /// thousand that comes back at once; a stranger holds a few KiB, for five seconds.
    pub strangers_per_address: u32,
    /// Until a request's header must have ended, and an idle HTTP connection is closed.
    pub header_ms: Millis,
    /// The same for trusted proxies, which keep connections for their next request: longer than their own time-out
    /// (60 s in most), or they send requests into a connection that is just being closed.
    pub proxy_header_ms: Millis,
    /// Until an HTTP request, its body included, must be answered.
    pub request_ms: Millis,
    /// Without a sign of life for so long a WebSocket is closed; at half of it the server sends a ping.
    pub idle_ms: Millis,
    /// A full mailbox of which the peer takes not one byte for so long is closed as `slow_consumer`.
    pub stall_ms: Millis,
    /// How long a close may take: what waits, the close frame, and its answer.
    pub close_ms: Millis,
    /// Pings and pongs that a peer may send at once.
    pub control_burst: u32,
    /// Pings and pongs that a peer may send in the long run, one in so many milliseconds.
    pub control_every_ms: Millis,
    /// What waits for one connection.
    pub mailbox: Bounds,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            strangers_per_address: 2_048,
            header_ms: 5_000,
            proxy_header_ms: 75_000,
            request_ms: 60_000,
            idle_ms: 30_000,
            stall_ms: 10_000,
            close_ms: 3_000,
            control_burst: 32,
            control_every_ms: 500,
            mailbox: Bounds::default(),
        }
    }
}

/// Counted since the start; read by the metrics.
#[derive(Debug, Default)]
pub struct Counters {
    /// Sockets that were accepted.
    pub accepted: AtomicU64,
    /// Sockets that were turned away because their address has too many strangers.
    pub refused_address: AtomicU64,
    /// Times that the system could not accept a socket (too many open files, no memory).
    pub accept_errors: AtomicU64,
    /// WebSocket handshakes that were refused.
    pub refused_handshakes: AtomicU64,
    /// WebSockets that were opened.
    pub opened: AtomicU64,
    /// WebSockets that are over; the difference is open now.
    pub ended: AtomicU64,
    /// WebSockets closed for an illegal frame or too many control frames.
    pub violations: AtomicU64,
    /// WebSockets closed because their peer did not read.
    pub slow_consumers: AtomicU64,
    /// WebSockets closed because nothing was heard from their peer.
    pub timeouts: AtomicU64,
}

impl Counters {
    pub(super) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Where WebSockets come in.
pub struct WsEndpoint {
    pub(super) handler: Arc<dyn Handler>,
    pub(super) origins: Origins,
    pub(super) proxies: TrustedProxies,
    pub(super) limits: Limits,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) path: String,
    /// Where documents are for plain Yjs providers; room and document follow.
    pub(super) documents: String,
    pub(super) strangers: Arc<Strangers>,
    counters: Arc<Counters>,
}

impl WsEndpoint {
    /// An endpoint at `{path_prefix}/v1/ws`; the prefix is empty, or begins with a slash and does not end with one.
    pub fn new(
        handler: Arc<dyn Handler>,
        clock: Arc<dyn Clock>,
        path_prefix: &str,
        origins: Origins,
        proxies: TrustedProxies,
        limits: Limits,
    ) -> Arc<Self> {
        Arc::new(Self {
            handler,
            origins,
            proxies,
            clock,
            path: format!("{}/v1/ws", path_prefix.trim_end_matches('/')),
            documents: format!("{}/v1/yjs/", path_prefix.trim_end_matches('/')),
            strangers: Strangers::new(limits.strangers_per_address),
            limits,
            counters: Arc::default(),
        })
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }
}
