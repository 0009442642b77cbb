//! How a document's task comes by a fresh replica while people work.

use super::{Accepted, Actor, OWN};
use crate::{
    hub::documents::{Line, attachment::Has},
    storage::{Saved, StoreError},
};
use stoa_protocol::{CloseCode, DocumentFrame, Refusal};

impl Actor {
    /// Builds the replica anew from the store. What was accepted and is not saved is taken into it again, so that an
    /// update on which yrs fails costs nobody anything but whoever sent it.
    pub(super) async fn reload(&mut self) {
        let mut saved = None;
        // What is on its way to the store arrives there, or does not, before it is read.
        if let Some(saving) = self.saving.take() {
            match saving.await {
                Ok(Saved::Yes(head)) => saved = Some(head),
                Ok(Saved::Void) | Err(StoreError::Unavailable(_) | StoreError::Fenced) => {}
                Err(StoreError::Refused(_) | StoreError::Damaged(_)) => self.refuse_flying(),
            }
        }
        match Self::load(&self.hub, &self.key).await {
            Ok(fresh) if fresh.epoch == self.epoch => self.go_on(fresh, saved).await,
            Ok(fresh) => self.begin_anew(fresh).await,
            Err(fault) => {
                for attachment in std::mem::take(&mut self.attachments) {
                    attachment.close(&fault);
                }
                self.over = true;
            }
        }
    }

    /// The same life of the content: of the replica's renewal nobody notices anything.
    async fn go_on(&mut self, fresh: Self, saved: Option<u64>) {
        let mut edits = if saved.is_none() { std::mem::take(&mut self.flying) } else { vec![] };
        edits.append(&mut self.pending);
        let owed = std::mem::take(&mut self.owed);
        (self.broken, self.full, self.folding) = (false, None, None);
        self.replica = fresh.replica;
        self.accepted = self.committed + self.flying.len() as u64;
        if let Some(head) = saved {
            self.saved(head).await;
        }
        self.saved = fresh.saved;
        (self.head, self.rows, self.unfolded, self.size) = (fresh.head, fresh.rows, fresh.unfolded, fresh.size);
        for mut edit in edits {
            // Nothing can be asked of a replica that has failed; the rest waits for the next one.
            let taken = if self.broken { Ok(()) } else { self.take_again(&mut edit) };
            match taken {
                Ok(()) => {
                    self.accepted += 1;
                    self.pending.push(edit);
                }
                Err(reason) => self.refuse(edit.conn, edit.batch, reason),
            }
        }
        match self.broken {
            true => self.owed = owed,
            // What they were to be sent may have had what was refused now.
            false => owed.into_iter().for_each(|owed| self.answer(owed.conn, owed.had, owed.asks)),
        }
    }

    fn take_again(&mut self, edit: &mut Accepted) -> Result<(), Refusal> {
        edit.walked = match edit.conn {
            OWN => self.replica.examine_own(&edit.update)?,
            _ => self.replica.examine(&edit.update, &edit.user)?,
        };
        self.replica.take(&edit.update, &edit.walked, &edit.user).map_err(|error| {
            tracing::error!(%error, room = %self.key.room, document = %self.key.document, "an edit broke the replica");
            self.broken = true;
            Refusal::Internal
        })
    }

    /// Another life of the content. What was not saved is kept by its authors, who were not told that it is saved.
    async fn begin_anew(&mut self, fresh: Self) {
        self.refuse_flying();
        for edit in std::mem::take(&mut self.pending) {
            self.refuse(edit.conn, edit.batch, Refusal::Internal);
        }
        let attachments = std::mem::take(&mut self.attachments);
        let awareness = std::mem::take(&mut self.awareness);
        let failing = self.failing.take();
        *self = Self { attachments, awareness, failing, ..fresh };
        for attachment in &mut self.attachments {
            match attachment.line {
                Line::Channel(channel) => {
                    attachment.has = Has::Nothing;
                    attachment.tell(&DocumentFrame::Reset { channel, epoch: self.epoch.clone() });
                }
                Line::Plain => attachment.conn.mailbox.close(CloseCode::Unavailable),
            }
        }
        self.reconsider().await;
    }
}
