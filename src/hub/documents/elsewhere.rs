//! The same document on other nodes: their saves come here in the order of the store, and who is there.
//!
//! The one invariant: another node's update is applied when every save before it is in the replica, so yrs has what it
//! builds on. What was not heard is read from the store.

use super::{
    super::Hub,
    Ask,
    actor::{Actor, heavy},
    attachment::Has,
    replica,
};
use crate::{cluster::BootId, storage::DocumentKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use stoa_protocol::{DocumentId, Epoch, RoomId, UserId};
use tokio::time::Instant;

/// Updates above this, bytes, are not sent: whoever hears of the save reads it from the store.
const SENT_BYTES: usize = 128 * 1024;
/// Saves that wait for one before them; beyond it everything is read from the store.
const BEYOND: usize = 256;
/// The least time between two readings of a document that lacks something.
const READ_EVERY: Duration = Duration::from_secs(1);

/// Edits of another node that are on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct News {
    /// Which document of the room.
    pub document: DocumentId,
    /// The life of its content.
    pub epoch: Epoch,
    /// The number of the save: saves of one life are numbered without gaps.
    pub head: u64,
    /// Base64 of the update; `None` when it is too large to be sent, or when only the number is known.
    pub update: Option<String>,
    /// Yjs client ids that appear in it for the first time, and whose they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub claims: Vec<(u64, UserId)>,
}

/// A save that is known here.
enum Save {
    /// One's own: it is in the replica.
    Own,
    /// Another node's.
    Other { update: Vec<u8>, claims: Vec<(u64, UserId)> },
}

/// Saves that came before those before them.
#[derive(Default)]
pub(super) struct Beyond {
    saves: BTreeMap<u64, Save>,
    /// Something was lacking at the last look too.
    lacked: bool,
    read_at: Option<Instant>,
}

impl Beyond {
    /// Saves up to here are in the replica.
    pub fn forget(&mut self, head: u64) {
        self.saves.retain(|save, _| *save > head);
    }

    /// Whether the store may be asked again.
    fn may_read(&mut self, now: Instant) -> bool {
        let may = self.read_at.is_none_or(|at| at + READ_EVERY <= now);
        if may {
            self.read_at = Some(now);
        }
        may
    }
}

impl Actor {
    /// A save of this node's is on disk as the `head`-th: the others are told, and what waited for it is applied.
    pub(super) async fn saved_as(&mut self, head: u64, update: &[u8], claims: Vec<(u64, UserId)>) {
        let sent = (update.len() <= SENT_BYTES).then(|| STANDARD.encode(update));
        let news = News { document: self.key.document.clone(), epoch: self.epoch.clone(), head, update: sent, claims };
        self.hub.ring_saved(&self.key.room, news);
        if head > self.head {
            self.beyond.saves.insert(head, Save::Own);
            self.follow().await;
        }
    }

    /// Another node has saved.
    pub(super) async fn heard(&mut self, news: News) {
        if news.epoch != self.epoch {
            self.broken = true;
            return;
        }
        if news.head <= self.head {
            return;
        }
        let update = news.update.and_then(|update| STANDARD.decode(update).ok());
        match update {
            Some(update) if self.beyond.saves.len() < BEYOND => {
                self.beyond.saves.entry(news.head).or_insert(Save::Other { update, claims: news.claims });
                self.follow().await;
            }
            Some(_) | None => self.reread().await,
        }
    }

    /// Applies what follows on the head.
    async fn follow(&mut self) {
        while let Some(save) = self.beyond.saves.remove(&(self.head + 1)) {
            self.head += 1;
            if let Save::Other { update, claims } = save {
                self.take_others(&update, &claims).await;
            }
        }
    }

    async fn take_others(&mut self, update: &[u8], claims: &[(u64, UserId)]) {
        let taken = heavy(update.len(), || self.replica.take_others(update, claims));
        match taken.and_then(|()| replica::upper_clocks(update)) {
            Ok(clocks) => {
                self.note_others(update.len());
                self.pass_on(None, clocks.clone(), update).await;
                for (client, clock) in clocks {
                    let known = self.saved.entry(client).or_default();
                    *known = clock.max(*known);
                }
            }
            Err(error) => {
                tracing::error!(%error, room = %self.key.room, document = %self.key.document, "another node's update could not be applied");
                self.broken = true;
            }
        }
    }

    /// Every second: what is lacking for longer than that is read.
    pub(super) async fn look_beyond(&mut self) {
        let lacks = !self.beyond.saves.is_empty();
        if lacks && self.beyond.lacked {
            self.reread().await;
        }
        self.beyond.lacked = lacks && !self.beyond.saves.is_empty();
    }

    /// Reads what the store has and the replica may lack, at most once a second.
    pub(super) async fn reread(&mut self) {
        if !self.beyond.may_read(Instant::now()) {
            self.beyond.lacked = true;
            return;
        }
        let stored = match self.hub.store.load_document(&self.key, &self.hub.fresh_epoch()).await {
            Ok(Some(stored)) => stored,
            Ok(None) => {
                self.broken = true;
                return;
            }
            Err(error) => {
                self.beyond.lacked = true;
                return tracing::warn!(%error, room = %self.key.room, document = %self.key.document, "a document could not be read again");
            }
        };
        if stored.epoch != self.epoch {
            self.broken = true;
            return;
        }
        if stored.head <= self.head {
            return;
        }
        let size: usize = stored.folded.iter().chain(&stored.updates).map(Vec::len).sum();
        let owners = stored.clients.into_iter().collect();
        let parts = stored.folded.iter().chain(&stored.updates).map(Vec::as_slice);
        let taken = heavy(size, || self.replica.take_stored(parts, owners));
        match taken {
            Ok(clocks) => {
                let had = std::mem::replace(&mut self.saved, clocks);
                (self.head, self.beyond.lacked) = (stored.head, false);
                self.beyond.saves.retain(|head, _| *head > stored.head);
                self.note_others(0);
                let all: Vec<u64> =
                    self.attachments.iter().filter(|a| matches!(a.has, Has::All)).map(|a| a.conn.id).collect();
                for attachment in self.attachments.iter_mut().filter(|a| matches!(a.has, Has::All)) {
                    attachment.has = Has::Upto { had: had.clone(), asks: false };
                }
                for conn in all {
                    self.catch_up(conn);
                }
                Box::pin(self.follow()).await;
            }
            Err(error) => {
                tracing::error!(%error, room = %self.key.room, document = %self.key.document, "what is stored could not be applied");
                self.broken = true;
            }
        }
    }

    /// What connections of this node say of themselves, to the other nodes.
    pub(super) fn tell_awareness(&mut self, all: bool) {
        if self.hub.has_no_others() {
            return;
        }
        let states = self.awareness.own(all);
        if !states.is_empty() {
            self.hub.ring_aware(&self.key, states);
        }
    }
}

impl Hub {
    fn opened_document(&self, room: &RoomId, document: DocumentId) -> Option<Arc<super::DocumentCell>> {
        let key = DocumentKey { room: room.clone(), document };
        self.documents.get(&key).map(|cell| cell.clone())
    }

    /// Another node has saved a document.
    pub(in super::super) fn heard_saved(&self, room: &RoomId, news: News) {
        if let Some(cell) = self.opened_document(room, news.document.clone()) {
            self.hand_document(&cell, Ask::Heard(Box::new(news)));
        }
    }

    /// The store has this many saves of a document.
    pub(in super::super) fn heard_of_document(&self, key: &DocumentKey, epoch: Epoch, head: u64) {
        let news = News { document: key.document.clone(), epoch, head, update: None, claims: vec![] };
        self.heard_saved(&key.room, news);
    }

    /// What connections of another node say of themselves.
    pub(in super::super) fn heard_aware(
        &self,
        room: &RoomId,
        document: DocumentId,
        from: BootId,
        states: Vec<(u64, u32, String)>,
    ) {
        if let Some(cell) = self.opened_document(room, document) {
            self.hand_document(&cell, Ask::HeardAware { from, states });
        }
    }

    /// Another node has opened a document.
    pub(in super::super) fn asked_aware(&self, room: &RoomId, document: DocumentId) {
        if let Some(cell) = self.opened_document(room, document) {
            self.hand_document(&cell, Ask::TellAware);
        }
    }

    /// Nodes are gone, and who was there on them.
    pub(in super::super) fn forget_awareness(&self, gone: &[BootId]) {
        self.tell_documents(|_| true, || Ask::NodesGone(gone.to_vec()));
    }

    /// Documents may lack what was saved elsewhere.
    pub(in super::super) fn reread_documents(&self) {
        self.tell_documents(|_| true, || Ask::Reread);
    }

    /// A document that does not keep up finds what it missed in the store.
    fn hand_document(&self, cell: &super::DocumentCell, ask: Ask) {
        if cell.inbox.try_send(ask).is_err() {
            tracing::debug!(room = %cell.key.room, document = %cell.key.document, "a document does not keep up with other nodes");
        }
    }
}
