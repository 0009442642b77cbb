//! Shared documents in memory: one task for each that somebody has open.
//!
//! Invariants: an update is examined before anything decodes it, with the rights of that moment; it is passed on and
//! reported saved only after its commit; what waits for its commit is bounded; a document that nobody uses is taken out
//! of memory, also when the store does not answer, for nobody was told that what it lacks is saved.

mod actor;
mod attachment;
mod awareness;
mod plain;
mod reading;
mod replica;
mod requests;
mod saves;
mod wire;

pub use plain::{Pace, PlainSession};
pub use replica::Replica;
pub use saves::{SaveTask, Saves};
pub use wire::{Said, read_frame, read_message};

use super::{Hub, conn::Conn};
use crate::storage::{DocumentKey, StoreError};
use std::{sync::Arc, time::Duration};
use stoa_protocol::{Channel, DocumentInfo, DocumentOpened, DocumentVersion, Fault, RoomId, UserId, limits};
use tokio::sync::{mpsc, oneshot};

/// Messages that wait for one document; who sends more waits, and with them everything behind on their connection.
const INBOX: usize = 256;
/// How long a connection waits for a document that does not keep up.
const PATIENCE: Duration = Duration::from_secs(5);

/// How a connection gets a document's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Line {
    /// Behind a channel, beside everything else.
    Channel(Channel),
    /// Alone, in the y-websocket protocol.
    Plain,
}

/// A document's task, as the rest of the server sees it.
pub struct DocumentCell {
    /// Its name.
    pub key: DocumentKey,
    inbox: mpsc::Sender<Ask>,
}

/// What a document's task is asked.
pub(super) enum Ask {
    Attach {
        conn: Arc<Conn>,
        line: Line,
        name: String,
        reply: oneshot::Sender<Result<DocumentOpened, Fault>>,
    },
    /// The reply to the opening was pushed: now comes what is behind it.
    Welcome {
        conn: u64,
    },
    Detach {
        conn: u64,
    },
    Said {
        conn: u64,
        said: Said,
    },
    Drained {
        conn: u64,
    },
    /// Rights, the record, or the room itself changed.
    Reconsider,
    Content {
        reply: oneshot::Sender<Result<Vec<u8>, Fault>>,
    },
    Keep {
        title: String,
        by: UserId,
        reply: oneshot::Sender<Result<DocumentVersion, Fault>>,
    },
    Restore {
        version: u64,
        by: UserId,
        reply: oneshot::Sender<Result<DocumentVersion, Fault>>,
    },
    /// The content in the store is another life's.
    Reload,
}

impl DocumentCell {
    /// Gives a connection's message to the document; waits while it does not keep up.
    ///
    /// # Errors
    /// `unavailable` when it does not for seconds, or has ended.
    pub(super) async fn tell(&self, ask: Ask) -> Result<(), Fault> {
        match self.inbox.send_timeout(ask, PATIENCE).await {
            Ok(()) => Ok(()),
            Err(_) => Err(Fault::unavailable()),
        }
    }

    async fn ask<T>(&self, ask: Ask, outcome: oneshot::Receiver<Result<T, Fault>>) -> Result<T, Fault> {
        self.tell(ask).await?;
        outcome.await.unwrap_or_else(|_| Err(Fault::unavailable()))
    }

    /// The content as one update.
    ///
    /// # Errors
    /// `unavailable`, `internal`.
    pub async fn content(&self) -> Result<Vec<u8>, Fault> {
        let (reply, outcome) = oneshot::channel();
        self.ask(Ask::Content { reply }, outcome).await
    }

    /// Keeps a version under a name.
    ///
    /// # Errors
    /// `unavailable`, `internal`.
    pub async fn keep(&self, title: String, by: UserId) -> Result<DocumentVersion, Fault> {
        let (reply, outcome) = oneshot::channel();
        self.ask(Ask::Keep { title, by, reply }, outcome).await
    }

    /// Sets the document back; tells the version that keeps what was there.
    ///
    /// # Errors
    /// `not_found`, `unavailable`, `internal`.
    pub async fn restore(&self, version: u64, by: UserId) -> Result<DocumentVersion, Fault> {
        let (reply, outcome) = oneshot::channel();
        self.ask(Ask::Restore { version, by, reply }, outcome).await
    }
}

impl Hub {
    /// A document's task; begun when there is none. Whether the document exists is asked before.
    pub(super) fn document(self: &Arc<Self>, key: &DocumentKey) -> Arc<DocumentCell> {
        let mut entry = self.documents.entry(key.clone()).or_insert_with(|| self.begin_document(key));
        if entry.inbox.is_closed() {
            *entry = self.begin_document(key);
        }
        entry.clone()
    }

    fn begin_document(self: &Arc<Self>, key: &DocumentKey) -> Arc<DocumentCell> {
        let (inbox, asks) = mpsc::channel(INBOX);
        let hub = self.clone();
        let name = key.clone();
        self.tasks.spawn(async move {
            actor::run(&hub, name.clone(), asks).await;
            hub.documents.remove_if(&name, |_, cell| cell.inbox.is_closed());
        });
        Arc::new(DocumentCell { key: key.clone(), inbox })
    }

    /// Opens a document for a connection.
    ///
    /// # Errors
    /// `not_found` for whoever may not, `unavailable`.
    pub async fn open_document(
        self: &Arc<Self>,
        conn: &Arc<Conn>,
        key: &DocumentKey,
        line: Line,
    ) -> Result<(Arc<DocumentCell>, DocumentOpened), Fault> {
        self.need_reach()?;
        self.document_rights(conn, key).await?;
        let profiles = self.profiles_of(vec![conn.user.clone()]).await?;
        let name = profiles.get(&conn.user).map(|profile| profile.name.clone()).unwrap_or_default();
        // A document that is just being taken out of memory does not answer; the next one does.
        for _ in 0..3 {
            let cell = self.document(key);
            let (reply, outcome) = oneshot::channel();
            let ask = Ask::Attach { conn: conn.clone(), line, name: name.clone(), reply };
            if cell.inbox.send_timeout(ask, PATIENCE).await.is_err() {
                continue;
            }
            if let Ok(opened) = outcome.await {
                return opened.map(|opened| (cell, opened));
            }
        }
        Err(Fault::unavailable())
    }

    /// A document's record, and whether this connection may edit it now.
    ///
    /// # Errors
    /// `not_found` for whoever may not read it, `unavailable`.
    pub(super) async fn document_rights(
        self: &Arc<Self>,
        conn: &Conn,
        key: &DocumentKey,
    ) -> Result<(DocumentInfo, bool), Fault> {
        let cell = self.room(&key.room).await?;
        let live = cell.lock();
        let access =
            live.room.access(&conn.actor(&key.room), self.clock.now()).map_err(|_| Fault::not_found("room"))?;
        let info = live.room.document(&key.document).ok_or_else(|| Fault::not_found("document"))?;
        let may_edit = live.room.may_edit(&conn.user, &access, &info);
        Ok((info, may_edit))
    }

    /// Something changed in a room that documents go by.
    pub(super) fn reconsider_documents(&self, room: &RoomId) {
        self.tell_documents(|key| key.room == *room, || Ask::Reconsider);
    }

    /// A room's documents are not what memory has.
    pub(super) fn reload_documents(&self, room: &RoomId) {
        self.tell_documents(|key| key.room == *room, || Ask::Reload);
    }

    fn tell_documents(&self, which: impl Fn(&DocumentKey) -> bool, ask: impl Fn() -> Ask) {
        let cells: Vec<_> = self.documents.iter().filter(|cell| which(&cell.key)).map(|cell| cell.clone()).collect();
        for cell in cells {
            if let Err(mpsc::error::TrySendError::Full(ask)) = cell.inbox.try_send(ask()) {
                // Rights are also looked at for every edit; what readers may see must not wait for a full inbox.
                self.tasks.spawn(async move {
                    let _ended = cell.inbox.send(ask).await;
                });
            }
        }
    }

    /// A connection leaves documents; nobody waits for it.
    pub(super) fn leave_documents(&self, cells: Vec<(Channel, Arc<DocumentCell>)>, conn: u64) {
        for (_, cell) in cells {
            if let Err(mpsc::error::TrySendError::Full(ask)) = cell.inbox.try_send(Ask::Detach { conn }) {
                self.tasks.spawn(async move {
                    let _ended = cell.inbox.send(ask).await;
                });
            }
        }
    }

    /// Every second: rights that end by time.
    pub(super) fn look_at_documents(&self) {
        self.tell_documents(|_| true, || Ask::Reconsider);
    }

    /// Rooms whose documents are in memory.
    pub(super) fn rooms_with_documents(&self) -> std::collections::HashSet<RoomId> {
        self.documents.iter().map(|cell| cell.key.room.clone()).collect()
    }
}

/// What a failure of the store is to whoever asked.
fn store_fault(error: &StoreError) -> Fault {
    match error {
        StoreError::Unavailable(_) | StoreError::Fenced => Fault::unavailable(),
        StoreError::Refused(_) | StoreError::Damaged(_) => Fault::internal(),
    }
}

/// The reply to an opening.
fn opened(
    key: &DocumentKey,
    line: Line,
    epoch: stoa_protocol::Epoch,
    info: DocumentInfo,
    may_edit: bool,
    fill: Option<u8>,
) -> DocumentOpened {
    DocumentOpened {
        channel: match line {
            Line::Channel(channel) => channel,
            Line::Plain => 0,
        },
        room: key.room.clone(),
        info,
        epoch,
        may_edit,
        fill,
        update_bytes: limits::UPDATE_BYTES as u32,
        awareness_bytes: limits::AWARENESS_BYTES as u32,
    }
}

/// Content as JSON, by the names of its roots.
///
/// # Errors
/// `internal`.
pub fn content_json(update: &[u8]) -> Result<String, Fault> {
    actor::heavy(update.len(), || Replica::json(update)).map_err(|error| {
        tracing::error!(%error, "content could not be shown as JSON");
        Fault::internal()
    })
}
