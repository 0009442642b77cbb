//! Saves of many documents share transactions.

use super::super::Hub;
use crate::storage::{DocumentBatch, Saved, StoreError};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Most documents that one transaction saves.
const BATCH: usize = 64;
/// Documents whose save may wait: each has one under way at most.
const WAITING: usize = 4_096;

type Save = (DocumentBatch, oneshot::Sender<Result<Saved, StoreError>>);

/// Hands saves to the task.
#[derive(Clone)]
pub struct Saves(mpsc::Sender<Save>);

/// The task that saves.
pub struct SaveTask(mpsc::Receiver<Save>);

impl Saves {
    /// The task is to be spawned.
    pub fn new() -> (Self, SaveTask) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), SaveTask(receiver))
    }

    /// Saves; the outcome comes after the commit.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: the outcome is unknown, and saving again is no harm.
    pub async fn save(&self, batch: DocumentBatch) -> Result<Saved, StoreError> {
        let (reply, outcome) = oneshot::channel();
        let gone = || StoreError::Unavailable("the server is stopping".into());
        self.0.send((batch, reply)).await.map_err(|_| gone())?;
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl SaveTask {
    /// Runs until `stop`; what was handed in before is still saved.
    pub async fn run(mut self, hub: Arc<Hub>, stop: CancellationToken) {
        let mut saves = Vec::new();
        loop {
            let got = tokio::select! {
                biased;
                got = self.0.recv_many(&mut saves, BATCH) => got,
                () = stop.cancelled(), if !self.0.is_closed() => {
                    self.0.close();
                    continue;
                }
            };
            if got == 0 {
                return;
            }
            save(&hub, std::mem::take(&mut saves)).await;
        }
    }
}

/// Saves a batch. One that the database refuses is found by trying each alone.
async fn save(hub: &Arc<Hub>, saves: Vec<Save>) {
    let (batches, replies): (Vec<_>, Vec<_>) = saves.into_iter().unzip();
    match hub.store.save_documents(&batches).await {
        Ok(saved) => {
            for (reply, saved) in replies.into_iter().zip(saved) {
                // A document that did not wait has ended.
                let _ = reply.send(Ok(saved));
            }
        }
        Err(StoreError::Refused(reason)) if batches.len() > 1 => {
            tracing::warn!(reason, documents = batches.len(), "a save was refused; each is tried alone");
            for (batch, reply) in batches.into_iter().zip(replies) {
                let saved = hub.store.save_documents(&[batch]).await;
                let _ = reply.send(saved.map(|saved| saved.first().copied().unwrap_or(Saved::Void)));
            }
        }
        Err(error) => {
            tracing::warn!(%error, documents = batches.len(), "documents could not be saved");
            for reply in replies {
                let _ = reply.send(Err(match &error {
                    StoreError::Unavailable(text) => StoreError::Unavailable(text.clone()),
                    StoreError::Refused(text) => StoreError::Refused(text.clone()),
                    StoreError::Fenced => StoreError::Fenced,
                    StoreError::Damaged(text) => StoreError::Damaged(text.clone()),
                }));
            }
        }
    }
}
