//! The edge: sockets, the HTTP server beneath them, the WebSocket upgrade, and one task for each connection.
//!
//! The invariant: nothing but a connection's [`Mailbox`] writes to its socket after the upgrade, and what a
//! connection may cost in memory is bounded whatever its peer sends and however slowly it reads.

pub mod api;
mod connection;
mod endpoint;
mod frame;
mod guard;
mod http;
mod listen;
mod mailbox;
mod page;
mod proxies;
mod reader;
mod strangers;
pub mod tls;
mod transport;
mod upgrade;

pub use crate::config::Origins;
pub use endpoint::{Counters, Limits, WsEndpoint};
pub use frame::Frame;
pub use http::Authenticated;
pub use listen::{Lifetime, bind, serve};
pub use mailbox::{Bounds, Due, Full, Mailbox, SlotKey, TestSink};
pub use proxies::TrustedProxies;

use async_trait::async_trait;
use std::{net::IpAddr, sync::Arc};
use stoa_protocol::{CloseCode, DocumentId, Millis, RoomId, limits};

/// What connections speak to: the hub.
pub trait Handler: Send + Sync + 'static {
    /// A new connection, upgraded but still a stranger. Called once for each; must not block.
    fn accept(&self, peer: &Peer, mailbox: Arc<Mailbox>) -> Box<dyn Session>;

    /// The same for a plain Yjs provider. A handler without documents takes it for any connection.
    fn accept_document(&self, peer: &Peer, mailbox: Arc<Mailbox>, _wanted: Wanted) -> Box<dyn Session> {
        self.accept(peer, mailbox)
    }
}

/// A document that a plain Yjs provider asks for in its address.
#[derive(Clone)]
pub struct Wanted {
    /// The room.
    pub room: RoomId,
    /// The document.
    pub document: DocumentId,
    /// What is to open it; not looked at yet, and never to be logged.
    pub ticket: String,
}

/// Who is at the other end, as far as the transport knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// The client's address, behind trusted proxies the one that they forward.
    pub address: IpAddr,
    /// Whether TLS protects the way, up to the first trusted proxy at least.
    pub secure: bool,
}

/// One connection's conversation. Called by one task only, one call at a time; a call is never cancelled.
///
/// An `Err` closes the connection with that code, after everything that the mailbox holds.
#[async_trait]
pub trait Session: Send {
    /// One whole text message. While it runs nothing is read: that is the back-pressure. What the mailbox holds is
    /// written meanwhile.
    async fn text(&mut self, text: &str) -> Result<(), CloseCode>;

    /// One whole binary message: of a shared document.
    async fn binary(&mut self, bytes: &[u8]) -> Result<(), CloseCode>;

    /// The mailbox fell below its low-water mark after a refused push, or [`Mailbox::wake`] was called.
    async fn woken(&mut self) -> Result<(), CloseCode>;

    /// Largest message that may be read now, bytes of payload: 4 KiB before `hello`, 64 KiB after.
    fn frame_limit(&self) -> usize;

    /// The same for binary messages: larger while a shared document is open.
    fn binary_limit(&self) -> usize {
        self.frame_limit()
    }

    /// When [`Session::tick`] wants to be called, by the Clock: the deadline of `hello`, the token's expiry. Asked
    /// again after every call.
    fn deadline(&self) -> Option<Millis>;

    /// The deadline has passed.
    async fn tick(&mut self) -> Result<(), CloseCode>;

    /// Whether the peer has proved who it is; from then on its address's share of strangers is free again.
    fn is_authenticated(&self) -> bool {
        self.frame_limit() > limits::HELLO_FRAME_BYTES
    }

    /// No further call will come; called exactly once. `clean` when the peer sent a close frame.
    fn closed(&mut self, clean: bool);
}
