//! What a document's task does beside its edits: rights, folding, beginning anew.

use super::{Actor, HEAVY};
use crate::{
    hub::documents::{Ask, Line, attachment::Has, store_fault},
    storage::StoreError,
};
use std::collections::HashMap;
use stoa_protocol::{DocumentFrame, Fault, Refusal};
use stoa_rooms::document::count_structs;

impl Actor {
    /// Looks at everybody's rights again.
    pub(super) async fn reconsider(&mut self) {
        let mut gone = Vec::new();
        for attachment in &mut self.attachments {
            match self.hub.document_rights(&attachment.conn, &self.key).await {
                Ok((info, may_edit)) => {
                    let is_news = attachment.may_edit != may_edit || attachment.told.as_ref() != Some(&info);
                    attachment.may_edit = may_edit;
                    attachment.told = Some(info.clone());
                    if is_news && let Line::Channel(channel) = attachment.line {
                        attachment.tell(&DocumentFrame::Rights { channel, may_edit, info });
                    }
                }
                Err(fault) if fault.code == stoa_protocol::ErrorCode::NotFound => {
                    attachment.close(&fault);
                    gone.push(attachment.conn.id);
                }
                // It cannot be told now; edits are looked at one by one.
                Err(_) => {}
            }
        }
        for conn in gone {
            self.detach(conn);
        }
    }

    /// The content of now as one update.
    pub(in super::super) fn content(&mut self) -> Result<Vec<u8>, Fault> {
        self.lacking(&HashMap::new()).ok_or_else(|| {
            self.broken = true;
            Fault::internal()
        })
    }

    /// Writes the state as one update in place of many, beside the work.
    pub(super) fn fold(&mut self) {
        let Ok(state) = self.content() else { return };
        (self.rows, self.unfolded, self.size) = (0, 0, state.len());
        self.replica.set_structs(count_structs(&state).unwrap_or_default());
        let (hub, key, epoch, head) = (self.hub.clone(), self.key.clone(), self.epoch.clone(), self.head);
        self.hub.tasks.spawn(async move {
            if let Err(error) = hub.store.fold_document(&key, &epoch, head, &state).await {
                tracing::warn!(%error, room = %key.room, document = %key.document, "a document could not be folded");
            }
        });
    }

    /// Begins anew from the store. What was not saved is lost here, and kept by its authors, who were not told that it
    /// is saved: they send it again.
    pub(super) async fn reload(&mut self) {
        let before = self.epoch.clone();
        for edit in std::mem::take(&mut self.flying).into_iter().chain(std::mem::take(&mut self.pending)) {
            self.refuse(edit.conn, edit.batch, Refusal::Internal);
        }
        match Self::load(&self.hub, &self.key).await {
            Ok(fresh) => {
                let attachments = std::mem::take(&mut self.attachments);
                let awareness = std::mem::take(&mut self.awareness);
                let failing = self.failing.take();
                *self = Self { attachments, awareness, failing, ..fresh };
                let (epoch, changed) = (self.epoch.clone(), self.epoch != before);
                for attachment in &mut self.attachments {
                    match attachment.line {
                        Line::Channel(channel) if changed => {
                            attachment.has = Has::Nothing;
                            attachment.tell(&DocumentFrame::Reset { channel, epoch: epoch.clone() });
                        }
                        Line::Plain if changed => attachment.conn.mailbox.close(stoa_protocol::CloseCode::Unavailable),
                        Line::Channel(_) | Line::Plain => {}
                    }
                }
                self.reconsider().await;
            }
            Err(fault) => {
                for attachment in std::mem::take(&mut self.attachments) {
                    attachment.close(&fault);
                }
                self.over = true;
            }
        }
    }

    /// A failure of the store, as it is told.
    pub(in super::super) fn fault(error: &StoreError) -> Fault {
        tracing::warn!(%error, "the store failed");
        store_fault(error)
    }
}

/// Long work gives its worker's other tasks away.
pub(in super::super) fn heavy<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let runtime = tokio::runtime::Handle::current().runtime_flavor();
    match bytes > HEAVY && runtime == tokio::runtime::RuntimeFlavor::MultiThread {
        true => tokio::task::block_in_place(work),
        false => work(),
    }
}

impl Ask {
    /// Nobody will do it.
    pub(super) fn fail(self, fault: &Fault) {
        // Whoever asked may have gone.
        match self {
            Self::Attach { reply, .. } => drop(reply.send(Err(fault.clone()))),
            Self::Content { reply } => drop(reply.send(Err(fault.clone()))),
            Self::Keep { reply, .. } | Self::Restore { reply, .. } => drop(reply.send(Err(fault.clone()))),
            Self::Welcome { .. }
            | Self::Detach { .. }
            | Self::Said { .. }
            | Self::Drained { .. }
            | Self::Reconsider
            | Self::Reload => {}
        }
    }
}
