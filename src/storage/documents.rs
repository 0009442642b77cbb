//! The contract for shared documents and the images beside them. Both databases pass one suite.
//!
//! What [`Documents::save_documents`] has reported is on disk. Content is Yjs updates, which say the same in any order
//! and however often: saving one twice after an unknown outcome is no harm.

use super::Result;
use async_trait::async_trait;
use stoa_protocol::{DocumentId, DocumentVersion, Epoch, Millis, RoomId, UserId, VersionReason};

/// A document's name in the deployment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentKey {
    /// The room.
    pub room: RoomId,
    /// Its name there.
    pub document: DocumentId,
}

/// A document's content as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDocument {
    /// The life of the content.
    pub epoch: Epoch,
    /// The last save that is in it.
    pub head: u64,
    /// Its state up to some save, as one update.
    pub folded: Option<Vec<u8>>,
    /// What was saved after that, in order; each row holds one update.
    pub updates: Vec<Vec<u8>>,
    /// Whose the Yjs client ids are; `None` is an erased user.
    pub clients: Vec<(u64, Option<UserId>)>,
}

/// What one save adds to a document.
#[derive(Debug, Clone, PartialEq)]
pub struct DocumentBatch {
    /// The document.
    pub key: DocumentKey,
    /// The life of the content that it belongs to.
    pub epoch: Epoch,
    /// One update.
    pub update: Vec<u8>,
    /// Yjs client ids that got an owner.
    pub claims: Vec<(u64, UserId)>,
}

/// A version that is to be kept.
#[derive(Debug, Clone, PartialEq)]
pub struct NewVersion {
    /// When.
    pub at: Millis,
    /// Why.
    pub reason: VersionReason,
    /// Its name; empty when it has none.
    pub title: String,
    /// Who asked for it.
    pub by: Option<UserId>,
    /// The state, as one update.
    pub content: Vec<u8>,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It is on disk, as the save of this number.
    Yes(u64),
    /// The content is another life's, or the room is gone: nothing was written.
    Void,
    /// A Yjs client id that it claims became another user's, by way of another node: nothing was written.
    Claimed,
}

/// Shared documents, as the rest of the server sees them.
#[async_trait]
pub trait Documents: Send + Sync {
    /// A document's content, begun under `fresh` when there is none yet; `None` when there is no such room.
    async fn load_document(&self, key: &DocumentKey, fresh: &Epoch) -> Result<Option<StoredDocument>>;
    /// Adds to documents, all in one transaction; tells for each, in order, whether it was.
    async fn save_documents(&self, batches: &[DocumentBatch]) -> Result<Vec<Saved>>;
    /// Replaces everything up to and including the save `upto` by one update.
    async fn fold_document(&self, key: &DocumentKey, epoch: &Epoch, upto: u64, content: &[u8]) -> Result<()>;
    /// Keeps a version, and drops the oldest of the same reason beyond `most`.
    async fn put_version(&self, key: &DocumentKey, version: &NewVersion, most: u32) -> Result<DocumentVersion>;
    /// A page of versions below `before`, newest first.
    async fn versions(&self, key: &DocumentKey, before: Option<u64>, limit: u32) -> Result<Vec<DocumentVersion>>;
    /// A version with its content.
    async fn version(&self, key: &DocumentKey, version: u64) -> Result<Option<(DocumentVersion, Vec<u8>)>>;
    /// Drops a version; tells whether there was one.
    async fn drop_version(&self, key: &DocumentKey, version: u64) -> Result<bool>;
}

/// An image, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobInfo {
    /// SHA-256 of the content, in hexadecimal.
    pub hash: String,
    /// Its media type, found by looking at the content.
    pub media: String,
    /// Bytes.
    pub size: u64,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
}

/// What became of an image that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// It is kept, now or before.
    Kept,
    /// The room's images would be larger than they may together.
    Full,
    /// There is no such room.
    NoRoom,
}

/// What a look at images found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Images that were looked at.
    pub looked: u32,
    /// Those that are gone.
    pub dropped: u32,
}

/// Images of rooms, named by their content.
#[async_trait]
pub trait Blobs: Send + Sync {
    /// Keeps an image, unless the room's would have more than `quota` bytes together.
    async fn put_blob(
        &self,
        room: &RoomId,
        info: &BlobInfo,
        content: &[u8],
        by: &UserId,
        at: Millis,
        quota: u64,
    ) -> Result<Put>;
    /// An image with its content.
    async fn blob(&self, room: &RoomId, hash: &str) -> Result<Option<(BlobInfo, Vec<u8>)>>;
    /// Drops an image; tells whether there was one.
    async fn drop_blob(&self, room: &RoomId, hash: &str) -> Result<bool>;
    /// Looks whether a document or a version of their room names images: at most `limit` that were not looked at since
    /// `checked`. Drops those that nothing was found to name since before `unused`.
    async fn sweep_blobs(&self, now: Millis, checked: Millis, unused: Millis, limit: u32) -> Result<Swept>;
}
