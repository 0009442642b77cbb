//! A plain Yjs provider: the y-websocket protocol for one document, opened with a ticket.

use super::{
    super::{Hub, conn::Conn},
    Ask, DocumentCell, Line, read_message,
};
use crate::{
    gateway::{Mailbox, Peer, Session},
    identity::{Direct, Grants, Identity},
    storage::DocumentKey,
};
use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, atomic::Ordering};
use stoa_protocol::{CloseCode, DocumentId, ErrorCode, Fault, Millis, RoomId, SessionId, UserId, limits};
use stoa_rooms::{Bucket, Grant};

/// How long a ticket opens its document, milliseconds: from the reply to the handshake, on a bad network.
const TICKET_MS: Millis = 60_000;

/// What a ticket says; it is signed, not secret.
#[derive(Serialize, Deserialize)]
struct Ticket {
    user: UserId,
    room: RoomId,
    document: DocumentId,
    /// Until when it opens.
    until: Millis,
    issued_at: Millis,
    /// The token's own end.
    expires_at: Millis,
    grant: Option<Grant>,
    confined: bool,
    join: bool,
    service: bool,
}

/// What may be done per second on a connection; who does more waits.
#[derive(Debug)]
pub struct Pace {
    frames: Bucket,
    bytes: Bucket,
}

impl Default for Pace {
    fn default() -> Self {
        Self { frames: Bucket::new(), bytes: Bucket::new() }
    }
}

/// Frames of documents that a connection may send in a second, and three seconds' worth at once.
const FRAMES_PER_S: u32 = 100;
/// KiB of documents that a connection may send in a second, and eight seconds' worth at once.
const KIB_PER_S: u32 = 1_024;

impl Pace {
    /// Waits until one more frame may be read: the back-pressure of one connection.
    pub async fn take(&mut self, hub: &Hub, bytes: usize) {
        let kib = (bytes / 1_024) as u32 + 1;
        loop {
            let now = hub.clock.now();
            let wait = match self.frames.take(now, FRAMES_PER_S, 3 * FRAMES_PER_S) {
                Ok(()) => break,
                Err(wait) => wait,
            };
            hub.clock.sleep_until(now + wait.max(1)).await;
        }
        loop {
            let now = hub.clock.now();
            let wait = match self.bytes.take_many(now, kib, KIB_PER_S, 8 * KIB_PER_S) {
                Ok(()) => break,
                Err(wait) => wait,
            };
            hub.clock.sleep_until(now + wait.max(1)).await;
        }
    }
}

impl Hub {
    /// A ticket for a document; tells until when it opens. Open connections of the same user to the same document go on
    /// with this token.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn ticket(self: &Arc<Self>, who: &Identity, key: &DocumentKey) -> Result<(String, Millis), Fault> {
        self.document_access(who, key).await?;
        let actor = who.actor(&key.room);
        let until = self.clock.now() + TICKET_MS;
        let ticket = Ticket {
            user: who.user.clone(),
            room: key.room.clone(),
            document: key.document.clone(),
            until,
            issued_at: who.issued_at,
            expires_at: who.expires_at,
            grant: actor.grant,
            confined: actor.confined,
            join: actor.join,
            service: actor.service,
        };
        let identity = ticket.identity();
        for conn in self.plain.iter().filter(|conn| conn.0.user == who.user && conn.1 == *key) {
            if conn.0.identity().expires_at < identity.expires_at {
                conn.0.set_identity(Arc::new(identity.clone()));
            }
        }
        let said = URL_SAFE_NO_PAD.encode(serde_json::to_vec(&ticket).expect("a ticket has string keys only"));
        let mac = URL_SAFE_NO_PAD.encode(self.mac(&["ticket", &said]));
        Ok((format!("{said}.{mac}"), until))
    }

    fn read_ticket(&self, text: &str, key: &DocumentKey) -> Result<Identity, Fault> {
        let none = || Fault::new(ErrorCode::Unauthorized, "there is no valid ticket");
        let (said, mac) = text.split_once('.').ok_or_else(none)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| none())?;
        if !self.is_mac(&["ticket", said], &mac) {
            return Err(none());
        }
        let ticket = URL_SAFE_NO_PAD.decode(said).map_err(|_| none())?;
        let ticket: Ticket = serde_json::from_slice(&ticket).map_err(|_| none())?;
        let now = self.clock.now();
        let fits = ticket.room == key.room && ticket.document == key.document;
        if !fits || now >= ticket.until || now >= ticket.expires_at {
            return Err(none());
        }
        Ok(ticket.identity())
    }
}

impl Ticket {
    /// The token's identity, as far as this room goes.
    fn identity(&self) -> Identity {
        let rooms = self.confined.then(|| self.grant.iter().map(|grant| (self.room.clone(), grant.clone())).collect());
        Identity {
            user: self.user.clone(),
            profile: None,
            grants: Grants { rooms, create: false, direct: Direct::Nobody, join: self.join, service: self.service },
            issued_at: self.issued_at,
            expires_at: self.expires_at,
        }
    }
}

/// The conversation with a plain provider.
pub struct PlainSession {
    hub: Arc<Hub>,
    mailbox: Arc<Mailbox>,
    peer: Peer,
    key: DocumentKey,
    /// Taken when it is looked at.
    ticket: Option<String>,
    open: Option<(Arc<Conn>, Arc<DocumentCell>)>,
    deadline: Millis,
    pace: Pace,
}

impl PlainSession {
    /// A connection whose ticket was not looked at yet.
    pub fn new(hub: Arc<Hub>, peer: &Peer, mailbox: Arc<Mailbox>, key: DocumentKey, ticket: String) -> Self {
        hub.metrics.connections.inc();
        // The ticket is looked at by the connection's own task.
        mailbox.wake();
        let deadline = hub.clock.now() + hub.limits.hello_ms;
        Self {
            hub,
            mailbox,
            peer: peer.clone(),
            key,
            ticket: Some(ticket),
            open: None,
            deadline,
            pace: Pace::default(),
        }
    }

    async fn begin(&mut self, ticket: &str) -> Result<(), CloseCode> {
        let identity = self.hub.read_ticket(ticket, &self.key).map_err(|_| CloseCode::Unauthorized)?;
        let state = self.hub.user_reads.user(&identity.user).await.map_err(|_| CloseCode::Unavailable)?;
        if identity.issued_at < state.revoked_before {
            return Err(CloseCode::Revoked);
        }
        let count = self.hub.plain.iter().filter(|conn| conn.0.user == identity.user).count();
        if count >= self.hub.limits.connections_per_user as usize {
            return Err(CloseCode::TooMany);
        }
        let number = self.hub.next_conn.fetch_add(1, Ordering::Relaxed);
        let session = SessionId::new(format!("plain-{number}")).expect("letters and digits");
        let origin = crate::hub::state::Origin { session, device: None };
        let conn = Arc::new(Conn::new(number, origin, self.mailbox.clone(), Arc::new(identity), false));
        match self.hub.open_document(&conn, &self.key, Line::Plain).await {
            Ok((cell, _)) => {
                self.hub.plain.insert(number, (conn.clone(), self.key.clone()));
                self.hub.metrics.authenticated.inc();
                self.open = Some((conn, cell));
                Ok(())
            }
            Err(fault) => {
                tracing::info!(address = %self.peer.address, code = fault.code.as_str(), "a document was not opened");
                Err(match fault.code {
                    ErrorCode::NotFound => CloseCode::NoAccess,
                    _ => CloseCode::Unavailable,
                })
            }
        }
    }
}

#[async_trait]
impl Session for PlainSession {
    async fn text(&mut self, _: &str) -> Result<(), CloseCode> {
        Err(CloseCode::BadRequest)
    }

    async fn binary(&mut self, bytes: &[u8]) -> Result<(), CloseCode> {
        let Some((conn, cell)) = &self.open else { return Err(CloseCode::Unauthorized) };
        self.pace.take(&self.hub, bytes.len()).await;
        let said = read_message(bytes).map_err(|_| CloseCode::BadRequest)?;
        // The provider comes back, and sends again what was not taken.
        cell.tell(Ask::Said { conn: conn.id, said }).await.map_err(|_| CloseCode::Unavailable)
    }

    async fn woken(&mut self) -> Result<(), CloseCode> {
        if let Some(ticket) = self.ticket.take() {
            return self.begin(&ticket).await;
        }
        if let Some((conn, cell)) = &self.open {
            let _ended = cell.tell(Ask::Drained { conn: conn.id }).await;
        }
        Ok(())
    }

    fn frame_limit(&self) -> usize {
        match self.open {
            Some(_) => limits::BINARY_FRAME_BYTES,
            None => limits::HELLO_FRAME_BYTES,
        }
    }

    fn deadline(&self) -> Option<Millis> {
        Some(self.open.as_ref().map_or(self.deadline, |(conn, _)| conn.identity().expires_at))
    }

    async fn tick(&mut self) -> Result<(), CloseCode> {
        let now = self.hub.clock.now();
        match &self.open {
            None if now >= self.deadline => Err(CloseCode::HelloTimeout),
            Some((conn, _)) if now >= conn.identity().expires_at => Err(CloseCode::Expired),
            None | Some(_) => Ok(()),
        }
    }

    fn closed(&mut self, _clean: bool) {
        self.hub.metrics.connections.dec();
        let Some((conn, cell)) = self.open.take() else { return };
        self.hub.metrics.authenticated.dec();
        self.hub.plain.remove(&conn.id);
        self.hub.leave_documents(vec![(0, cell)], conn.id);
    }
}
