//! What is asked of documents over socket and HTTP alike.

use super::{super::Hub, DocumentCell};
use crate::{identity::Identity, storage::DocumentKey};
use std::sync::Arc;
use stoa_protocol::{Capability, DocumentInfo, DocumentVersion, Fault, RoomId, limits};

impl Hub {
    /// Whoever is in the room may read a document; tells its record, and whether they may edit.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn document_access(
        self: &Arc<Self>,
        who: &Identity,
        key: &DocumentKey,
    ) -> Result<(DocumentInfo, bool), Fault> {
        let cell = self.room(&key.room).await?;
        let live = cell.lock();
        let access = live.room.access(&who.actor(&key.room), self.clock.now()).map_err(|_| Fault::not_found("room"))?;
        let info = live.room.document(&key.document).ok_or_else(|| Fault::not_found("document"))?;
        let may_edit = live.room.may_edit(&who.user, &access, &info);
        Ok((info, may_edit))
    }

    async fn need_edit(self: &Arc<Self>, who: &Identity, key: &DocumentKey) -> Result<Arc<DocumentCell>, Fault> {
        match self.document_access(who, key).await? {
            (_, true) => Ok(self.document(key)),
            (_, false) => Err(Fault::forbidden("you may not edit this document")),
        }
    }

    /// The records of a room's documents.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn document_list(self: &Arc<Self>, who: &Identity, room: &RoomId) -> Result<Vec<DocumentInfo>, Fault> {
        let cell = self.room(room).await?;
        let live = cell.lock();
        live.room.access(&who.actor(room), self.clock.now()).map_err(|_| Fault::not_found("room"))?;
        Ok(live.room.documents())
    }

    /// A page of versions, newest first; tells whether there are older ones.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn versions(
        self: &Arc<Self>,
        who: &Identity,
        key: &DocumentKey,
        before: Option<u64>,
        limit: Option<u32>,
    ) -> Result<(Vec<DocumentVersion>, bool), Fault> {
        self.document_access(who, key).await?;
        let limit = limit.unwrap_or(limits::PAGE_DEFAULT).min(limits::PAGE);
        let found = self.store.versions(key, before, limit + 1).await;
        let mut versions = found.map_err(|error| self.store_fault(error))?;
        let more = versions.len() > limit as usize;
        versions.truncate(limit as usize);
        Ok((versions, more))
    }

    /// A version's content, as one update.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn version_content(
        self: &Arc<Self>,
        who: &Identity,
        key: &DocumentKey,
        version: u64,
    ) -> Result<Vec<u8>, Fault> {
        self.document_access(who, key).await?;
        let found = self.store.version(key, version).await.map_err(|error| self.store_fault(error))?;
        found.map(|(_, content)| content).ok_or_else(|| Fault::not_found("version"))
    }

    /// A document's content of now, as one update.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn document_content(self: &Arc<Self>, who: &Identity, key: &DocumentKey) -> Result<Vec<u8>, Fault> {
        self.document_access(who, key).await?;
        self.document(key).content().await
    }

    /// Keeps a document's state of now as a version.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `unavailable`.
    pub async fn keep_version(
        self: &Arc<Self>,
        who: &Identity,
        key: &DocumentKey,
        title: String,
    ) -> Result<DocumentVersion, Fault> {
        self.need_edit(who, key).await?.keep(title, who.user.clone()).await
    }

    /// Deletes a version: who kept it may while they may edit, and who manages the room.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `unavailable`.
    pub async fn delete_version(
        self: &Arc<Self>,
        who: &Identity,
        key: &DocumentKey,
        version: u64,
    ) -> Result<DocumentVersion, Fault> {
        let (_, may_edit) = self.document_access(who, key).await?;
        let manages = {
            let cell = self.room(&key.room).await?;
            let live = cell.lock();
            let access = live.room.access(&who.actor(&key.room), self.clock.now());
            access.is_ok_and(|access| access.has(Capability::Manage))
        };
        let none = || Fault::not_found("version");
        let found = self.store.versions(key, Some(version.saturating_add(1)), 1).await;
        let found = found.map_err(|error| self.store_fault(error))?;
        let found = found.into_iter().find(|found| found.version == version).ok_or_else(none)?;
        let keeps = may_edit && found.by.as_ref() == Some(&who.user);
        if !manages && !keeps {
            return Err(Fault::forbidden("who kept a version deletes it, or who manages the room"));
        }
        match self.store.drop_version(key, version).await.map_err(|error| self.store_fault(error))? {
            true => Ok(found),
            false => Err(none()),
        }
    }

    /// Sets a document back; tells the version that keeps what was there.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `unavailable`.
    pub async fn restore_document(
        self: &Arc<Self>,
        who: &Identity,
        key: &DocumentKey,
        version: u64,
    ) -> Result<DocumentVersion, Fault> {
        self.need_edit(who, key).await?.restore(version, who.user.clone()).await
    }
}
