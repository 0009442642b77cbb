//! What a document's task does beside its edits: rights, what is asked of it.

use super::{Actor, DOCUMENT_STRUCTS, HEAVY};
use crate::{
    hub::documents::{Ask, Line, store_fault},
    storage::StoreError,
};
use std::{collections::HashMap, time::Duration};
use stoa_protocol::{DocumentFrame, Fault, Refusal};
use stoa_rooms::document::count_structs;
use tokio::time::Instant;

/// From here on it is told how full a document is, percent.
const FILL_TOLD: u8 = 80;
/// How soon after something was deleted from a document that is nearly full it is measured: it is work for all of it.
const MEASURE_AFTER: Duration = Duration::from_secs(2);

impl Actor {
    /// Bytes of the state that it may have.
    pub(super) fn largest(&self) -> usize {
        self.hub.limits.document_mib as usize * 1024 * 1024
    }

    /// Whether so many bytes more have room.
    pub(super) fn need_room(&mut self, more: usize) -> Result<(), Refusal> {
        let has_room =
            |actor: &Self| actor.size + more <= actor.largest() && actor.replica.structs() < DOCUMENT_STRUCTS;
        if has_room(self) {
            return Ok(());
        }
        // What was counted is the most that it may be; now it is looked at.
        self.measure();
        let full = !has_room(self);
        self.tell_fill(full);
        if full { Err(Refusal::Full) } else { Ok(()) }
    }

    /// Looks how large the document is.
    pub(super) fn measure(&mut self) {
        self.measure_at = None;
        let Ok(state) = self.content() else { return };
        self.size = state.len();
        self.replica.set_structs(count_structs(&state).unwrap_or(u32::MAX));
    }

    /// Something was saved.
    pub(super) fn follow_fill(&mut self, deleted: bool) {
        if deleted && self.told_fill.is_some() {
            self.measure_at.get_or_insert(Instant::now() + MEASURE_AFTER);
        }
        // What was told to be full is so until it was measured.
        if self.told_fill != Some(100) {
            self.tell_fill(false);
        }
    }

    /// How full the document is, percent, where that is told.
    pub(super) fn fill(&self) -> Option<u8> {
        let percent = |of: usize, most: usize| u8::try_from(of.saturating_mul(100) / most).unwrap_or(u8::MAX).min(99);
        let bytes = percent(self.size, self.largest());
        let structs = percent(self.replica.structs() as usize, DOCUMENT_STRUCTS as usize);
        Some(bytes.max(structs)).filter(|percent| *percent >= FILL_TOLD)
    }

    /// Tells how full it is, when that is news. `full` is that there was no room just now.
    pub(super) fn tell_fill(&mut self, full: bool) {
        // What was counted is the most that it may be.
        if !full && self.fill() != self.told_fill {
            self.measure();
        }
        let percent = if full { Some(100) } else { self.fill() };
        if percent == self.told_fill {
            return;
        }
        self.told_fill = percent;
        for attachment in &self.attachments {
            if let Line::Channel(channel) = attachment.line {
                attachment.tell(&DocumentFrame::Fill { channel, percent });
            }
        }
    }

    /// A plain provider that edits before it has told what it did offline sends what builds on that. It is asked for what
    /// is lacking; its answer has the edit too. The answer is whether that is hoped for.
    pub(super) fn ask_for_more(&mut self, conn: u64) -> bool {
        let vector = self.replica.vector();
        let attachment = self.attachment(conn).filter(|attachment| attachment.line == Line::Plain);
        attachment.is_some_and(|attachment| attachment.gap(&vector))
    }

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
            | Self::Reload
            | Self::Heard(_)
            | Self::HeardAware { .. }
            | Self::TellAware
            | Self::NodesGone(_)
            | Self::Reread => {}
        }
    }
}
