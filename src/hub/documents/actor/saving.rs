//! How edits come to be on disk, and what follows from it.

use super::{Accepted, Actor, Then, heavy};
use crate::{
    hub::documents::{Line, Replica, attachment::Has, wire},
    metrics::Metrics,
    storage::{DocumentBatch, Saved, StoreError},
};
use bytes::Bytes;
use std::{collections::HashMap, sync::Arc, time::Duration};
use stoa_protocol::{Refusal, UserId, wire as codes};
use stoa_rooms::document::{Span, count_structs};
use tokio::time::Instant;

/// The least time between the beginnings of two saves: edits of many people leave in one message.
const SPACING: Duration = Duration::from_millis(20);
/// Saves after which the state is written as one, and bytes: opening reads no more than that besides the state.
const FOLD_ROWS: u32 = 500;
const FOLD_BYTES: usize = 256 * 1024;

/// A document's saves fail. It is counted as long as this value lives.
pub(super) struct Failing {
    since: Instant,
    metrics: Arc<Metrics>,
}

impl Failing {
    fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.documents_unsaved.inc();
        Self { since: Instant::now(), metrics: metrics.clone() }
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        self.metrics.documents_unsaved.dec();
    }
}

/// The Yjs client ids that edits are the first to use, and whose they are.
fn claims_of(edits: &[Accepted]) -> Vec<(u64, UserId)> {
    let of = |edit: &Accepted| edit.walked.claims.iter().map(|client| (*client, edit.user.clone())).collect::<Vec<_>>();
    edits.iter().flat_map(of).collect()
}

impl Actor {
    pub(super) fn begin_save(&mut self) {
        self.flying = std::mem::take(&mut self.pending);
        let updates: Vec<_> = self.flying.iter().filter(|e| !e.walked.is_idle()).map(|e| e.update.clone()).collect();
        let claims = claims_of(&self.flying);
        self.save_at = Instant::now() + SPACING;
        let head = self.head;
        self.flying_update = match updates.len() {
            0 => vec![],
            1 => updates.into_iter().next().unwrap_or_default(),
            _ => match heavy(updates.iter().map(Vec::len).sum(), || Replica::merge(updates)) {
                Ok(merged) => merged,
                Err(error) => {
                    // The replica has them all: its difference to what is saved has them too, and says no less.
                    tracing::error!(%error, "updates could not be merged");
                    self.replica.lacking(&self.saved).unwrap_or_default()
                }
            },
        };
        if self.flying_update.is_empty() {
            self.saving = Some(Box::pin(async move { Ok(Saved::Yes(head)) }));
            return;
        }
        let update = self.flying_update.clone();
        let batch = DocumentBatch { key: self.key.clone(), epoch: self.epoch.clone(), update, claims };
        let saves = self.hub.saves.clone();
        self.saving = Some(Box::pin(async move { saves.save(batch).await }));
    }

    pub(super) async fn after_save(&mut self, outcome: Result<Saved, StoreError>) {
        self.saving = None;
        match outcome {
            Ok(Saved::Yes(head)) => self.saved(head).await,
            // Another node's user has one of the ids: examined again, the edit is refused.
            Ok(Saved::Void | Saved::Claimed) => self.broken = true,
            Err(StoreError::Unavailable(_) | StoreError::Fenced) => {
                let since = self.failing.get_or_insert_with(|| Failing::new(&self.hub.metrics)).since;
                let mut again = std::mem::take(&mut self.flying);
                again.append(&mut self.pending);
                self.pending = again;
                // Soon at first, then every few seconds.
                let wait = since.elapsed().clamp(Duration::from_millis(100), Duration::from_secs(5));
                self.save_at = Instant::now() + wait;
            }
            Err(StoreError::Refused(_) | StoreError::Damaged(_)) => {
                self.refuse_flying();
                self.broken = true;
            }
        }
    }

    /// Edits are on disk: others get them, their authors are told, and what waited for them is sent.
    pub(super) async fn saved(&mut self, head: u64) {
        self.failing = None;
        let edits = std::mem::take(&mut self.flying);
        let update = std::mem::take(&mut self.flying_update);
        self.committed += edits.len() as u64;
        // Before the update is passed on: what it builds on comes first, and what an answer lacks of it comes now.
        self.settle();
        if !update.is_empty() {
            self.saved_as(head, &update, claims_of(&edits)).await;
            self.changed_at = Some(self.hub.clock.now());
            self.rows += 1;
            self.unfolded += update.len();
            self.size += update.len();
            self.hub.metrics.documents_saved.inc_by(edits.len() as u64);
            let author = edits.first().map(|edit| edit.conn);
            let author = author.filter(|author| edits.iter().all(|edit| edit.conn == *author));
            let new = edits.iter().flat_map(|edit| &edit.walked.new).map(|span| (span.client, span.to));
            self.pass_on(author, new.collect(), &update).await;
        }
        for edit in &edits {
            for Span { client, to, .. } in &edit.walked.new {
                self.saved.insert(*client, *to);
            }
        }
        let deleted = edits.iter().any(|edit| edit.walked.deletes > 0);
        let mut told: HashMap<u64, u64> = HashMap::new();
        for edit in edits {
            if let Some(Then { kept, reply }) = edit.then {
                // Whoever asked may have gone.
                let _ = reply.send(Ok(kept));
            }
            if let Some(batch) = edit.batch {
                let highest = told.entry(edit.conn).or_default();
                *highest = batch.max(*highest);
            }
        }
        for (conn, batch) in told {
            if let Some(attachment) = self.attachment(conn) {
                attachment.saved(batch);
            }
        }
        if self.rows >= FOLD_ROWS || self.unfolded >= FOLD_BYTES.max(self.size / 2) {
            self.fold();
        }
        self.write_fold();
        self.follow_fill(deleted);
    }

    /// Others get an update that is on disk and whose new clocks end here; its author, where it is one connection's, has
    /// it.
    pub(in super::super) async fn pass_on(&mut self, author: Option<u64>, new: HashMap<u64, u32>, update: &[u8]) {
        let message: Bytes = wire::sync(codes::UPDATE, update).into();
        let mut then = self.saved.clone();
        then.extend(new);
        let mut frames: HashMap<Line, crate::gateway::Frame> = HashMap::new();
        let mut written = 0;
        for attachment in &mut self.attachments {
            if !matches!(attachment.has, Has::All) || Some(attachment.conn.id) == author {
                continue;
            }
            let line = attachment.line;
            if message.len() > wire::PART_BYTES {
                // One frame of it would take the room of the replies.
                attachment.send(message.clone(), self.saved.clone(), then.clone(), None);
            } else {
                let frame = frames.entry(line).or_insert_with(|| wire::frame(line, &message)).clone();
                if attachment.conn.mailbox.push(frame).is_err() {
                    attachment.conn.mark_behind();
                    attachment.has = Has::Upto { had: self.saved.clone(), asks: false };
                }
            }
            attachment.conn.mailbox.flush();
            written += 1;
            if written % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Something that was saved elsewhere is in the replica.
    pub(in super::super) fn note_others(&mut self, bytes: usize) {
        self.changed_at = Some(self.hub.clock.now());
        self.full = None;
        self.rows += 1;
        self.unfolded += bytes;
        self.size += bytes;
    }

    /// The database does not take what is on its way to it.
    pub(super) fn refuse_flying(&mut self) {
        for edit in std::mem::take(&mut self.flying) {
            self.refuse(edit.conn, edit.batch, Refusal::Internal);
        }
    }

    /// Takes the state as one update in place of many.
    fn fold(&mut self) {
        let Ok(state) = self.content() else { return };
        (self.rows, self.unfolded, self.size) = (0, 0, state.len());
        self.replica.set_structs(count_structs(&state).unwrap_or_default());
        self.folding = Some((self.accepted, self.head, state));
    }

    /// Writes the state that was taken, beside the work, once all of it is saved: before that nothing on disk says whose
    /// the client ids in it are, and after a crash nobody could go on under them.
    fn write_fold(&mut self) {
        let Some((_, head, state)) = self.folding.take_if(|(accepted, ..)| *accepted <= self.committed) else { return };
        let (hub, key, epoch) = (self.hub.clone(), self.key.clone(), self.epoch.clone());
        self.hub.tasks.spawn(async move {
            if let Err(error) = hub.store.fold_document(&key, &epoch, head, &state).await {
                tracing::warn!(%error, room = %key.room, document = %key.document, "a document could not be folded");
            }
        });
    }
}
