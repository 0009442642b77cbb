//! Shared documents on a connection of the one WebSocket.

use super::{HubSession, State};
use crate::{
    hub::Hub,
    hub::documents::{Ask, DocumentCell, Line, Pace, Said, read_frame},
    identity::Identity,
    storage::DocumentKey,
};
use std::sync::Arc;
use stoa_protocol::{Channel, CloseCode, Command, DocOpen, DocumentId, Fault, Reply, RoomId, limits};

/// The documents that a connection has open.
#[derive(Default)]
pub(super) struct Open {
    cells: Vec<(Channel, Arc<DocumentCell>)>,
    last: Channel,
    pace: Pace,
}

impl HubSession {
    /// Largest binary message now.
    pub(super) fn largest_binary(&self) -> usize {
        match &self.state {
            State::Known(known) if !known.documents.cells.is_empty() => limits::BINARY_FRAME_BYTES,
            State::Known(_) => limits::FRAME_BYTES,
            State::Stranger { .. } => limits::HELLO_FRAME_BYTES,
        }
    }

    pub(super) async fn open_document(&mut self, id: u64, open: DocOpen) -> Result<(), CloseCode> {
        let State::Known(known) = &mut self.state else { return Ok(()) };
        let DocOpen { room, document } = open;
        if !known.rooms.iter().any(|cell| cell.id == room) {
            return self.refuse(Some(id), Fault::not_found("room"));
        }
        let key = DocumentKey { room, document };
        let there = known.documents.cells.iter().find(|(_, cell)| cell.key == key).map(|(channel, _)| *channel);
        if there.is_none() && known.documents.cells.len() >= limits::OPEN_DOCUMENTS {
            let most = limits::OPEN_DOCUMENTS;
            return self
                .refuse(Some(id), Fault::rate_limited(format!("a connection opens {most} documents at most"), 1_000));
        }
        let channel = there.unwrap_or(known.documents.last + 1);
        known.documents.last = known.documents.last.max(channel);
        let conn = known.conn.clone();
        match self.hub.open_document(&conn, &key, Line::Channel(channel)).await {
            Ok((cell, opened)) => {
                if let State::Known(known) = &mut self.state {
                    known.documents.cells.retain(|(old, _)| *old != channel);
                    known.documents.cells.push((channel, cell.clone()));
                }
                let reply = Reply::Document(Box::new(opened));
                self.reply(crate::hub::encode::ack(id, None, Some(reply)))?;
                // Behind the reply, so that the channel is known.
                if let Err(fault) = cell.tell(Ask::Welcome { conn: conn.id }).await {
                    tracing::debug!(%fault, "a document ended while it was opened");
                }
                Ok(())
            }
            Err(fault) => self.refuse(Some(id), fault),
        }
    }

    pub(super) async fn close_document(&mut self, id: u64, channel: Channel) -> Result<(), CloseCode> {
        let State::Known(known) = &mut self.state else { return Ok(()) };
        if let Some(at) = known.documents.cells.iter().position(|(there, _)| *there == channel) {
            let (_, cell) = known.documents.cells.swap_remove(at);
            // A document that has ended has nobody in it.
            let _ended = cell.tell(Ask::Detach { conn: known.conn.id }).await;
        }
        self.reply(crate::hub::encode::ack(id, None, None))
    }

    /// A room is closed here, and its documents with it.
    pub(super) fn close_documents_of(&mut self, room: &RoomId) {
        let State::Known(known) = &mut self.state else { return };
        let (gone, kept) =
            std::mem::take(&mut known.documents.cells).into_iter().partition(|(_, cell)| cell.key.room == *room);
        known.documents.cells = kept;
        self.hub.leave_documents(gone, known.conn.id);
    }

    /// The connection ends.
    pub(super) fn close_documents(&mut self) {
        let State::Known(known) = &mut self.state else { return };
        self.hub.leave_documents(std::mem::take(&mut known.documents.cells), known.conn.id);
    }

    /// The mailbox has room again.
    pub(super) async fn catch_up_documents(&mut self) {
        let State::Known(known) = &self.state else { return };
        for (_, cell) in &known.documents.cells {
            let _ended = cell.tell(Ask::Drained { conn: known.conn.id }).await;
        }
    }

    pub(super) async fn hear_document(&mut self, bytes: &[u8]) -> Result<(), CloseCode> {
        let State::Known(known) = &mut self.state else {
            self.refuse(None, Fault::bad_request(".", "the first command is hello"))?;
            return Err(CloseCode::Unauthorized);
        };
        known.documents.pace.take(&self.hub, bytes.len()).await;
        let Ok((channel, said)) = read_frame(bytes) else {
            return self.refuse(None, Fault::bad_request(".", "is no message of a document"));
        };
        let Some((_, cell)) = known.documents.cells.iter().find(|(there, _)| *there == channel) else {
            // It may have been on its way when the document was closed.
            return Ok(());
        };
        let batch = match &said {
            Said::Edit { batch, .. } => Some(*batch),
            Said::Step1(_) | Said::Awareness(_) | Said::QueryAwareness => None,
        };
        let told = cell.tell(Ask::Said { conn: known.conn.id, said }).await;
        if let (Err(_), Some(batch)) = (told, batch) {
            let reason = stoa_protocol::Refusal::Unavailable;
            let message = reason.words().to_owned();
            let refused = stoa_protocol::DocumentFrame::Refused { channel, batch, reason, message };
            return self.reply(crate::hub::encode::document(&refused));
        }
        Ok(())
    }
}

impl Hub {
    /// Commands about documents that ask for something.
    pub(super) async fn document_query(self: &Arc<Self>, who: &Identity, command: &Command) -> Result<Reply, Fault> {
        let key = |room: &RoomId, document: &DocumentId| DocumentKey { room: room.clone(), document: document.clone() };
        match command {
            Command::DocList(ask) => {
                self.document_list(who, &ask.room).await.map(|documents| Reply::Documents { documents })
            }
            Command::DocVersions(ask) => {
                let page = self.versions(who, &key(&ask.room, &ask.document), ask.before, ask.limit).await;
                page.map(|(versions, more)| Reply::Versions { versions, more })
            }
            Command::DocVersionSave(ask) => {
                let kept = self.keep_version(who, &key(&ask.room, &ask.document), ask.title.clone()).await;
                kept.map(|version| Reply::Version { version })
            }
            Command::DocVersionDelete(ask) => {
                let gone = self.delete_version(who, &key(&ask.room, &ask.document), ask.version).await;
                gone.map(|version| Reply::Version { version })
            }
            Command::DocRestore(ask) => {
                let kept = self.restore_document(who, &key(&ask.room, &ask.document), ask.version).await;
                kept.map(|version| Reply::Version { version })
            }
            other => {
                let words = format!("{} is not a command here", other.name());
                Err(Fault::new(stoa_protocol::ErrorCode::Unsupported, words))
            }
        }
    }
}
