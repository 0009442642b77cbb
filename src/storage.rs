//! The Store contract: the sequencer's database.
//!
//! The one invariant: what [`WriteTx::commit`] has reported is on disk, and within a room commit order equals
//! sequence order on every node, because the writer locks the room's row before it numbers and no database sequence
//! is used. Reading the state tables never replays the log. Both implementations pass one contract suite
//! (`tests/it/store.rs`).
//!
//! State tables are a projection of the log: [`projection`] turns events into rows, once, for both databases.

mod documents;
mod erasure;
pub mod links;
mod migrations;
mod nodes;
pub mod ops;
mod paging;
pub mod postgres;
pub mod projection;
mod rows;
pub mod sqlite;

pub use documents::{
    BlobInfo, Blobs, DocumentBatch, DocumentKey, Documents, NewVersion, Put, Saved, StoredDocument, Swept,
};
pub use nodes::{
    DEAD_KEPT_MS, HeadsMark, LEASE_MS, Lease, MARK_MS, Moved, MovedUser, NodeRow, Nodes, RENEW_MS, Timeline,
};

use crate::node::BootId;
use async_trait::async_trait;
use links::{CodeHash, LinkKind, NewGuest, StoredLink};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc};
use stoa_protocol::{
    Ban, CallRecord, DocumentInfo, Epoch, Key, LinkId, Member, Message, Millis, Profile, ReadMarker, RoomEventBody,
    RoomId, RoomInfo, Seq, UserEvent, UserEventBody, UserId,
};
use stoa_signaling::{Retained, StoredCall};

/// Format version of stored event bodies. A node passes over kinds and versions that it does not know.
pub const EVENT_VERSION: i16 = 1;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It could not be reached in time, or the connection broke. After [`WriteTx::commit`] the outcome is unknown.
    #[error("the store did not answer: {0}")]
    Unavailable(String),
    /// It refused this statement (a constraint, a value out of range). Sending it again cannot help.
    #[error("the store refused: {0}")]
    Refused(String),
    /// This node's lease does not hold: nothing was written, and nothing can be under its boot id.
    #[error("this node's lease ran out")]
    Fenced,
    /// What is stored contradicts itself.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

/// What the store returns.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A store, shared by the whole process.
pub type SharedStore = Arc<dyn Store>;

/// A room as its state tables have it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRoom {
    /// The life of its log.
    pub epoch: Epoch,
    /// The last number given.
    pub head: Seq,
    /// Its record.
    pub info: RoomInfo,
    /// Who created it; absent after their erasure.
    pub creator: Option<UserId>,
    /// Its members, at most [`stoa_protocol::limits::MEMBERS`].
    pub members: Vec<Member>,
    /// Its bans, lapsed ones included.
    pub bans: Vec<Ban>,
    /// Places of pinned messages, oldest pin first.
    pub pins: Vec<Seq>,
    /// Records of shared documents, where something was written about them.
    pub documents: Vec<DocumentInfo>,
    /// The running call.
    pub call: Option<StoredCall>,
}

/// The end of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The life of the log.
    pub epoch: Epoch,
    /// The last number given; zero is a room that has been reserved but not created.
    pub seq: Seq,
}

/// An event as the log has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// Its place.
    pub seq: Seq,
    /// When it was committed.
    pub at: Millis,
    /// Who caused it.
    pub from: Option<UserId>,
    /// What happened; `None` when it was erased or this version does not know the kind.
    pub body: Option<RoomEventBody>,
}

/// An event that the writer has numbered.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// The room.
    pub room: RoomId,
    /// Its place: the head's successor, without gaps within a batch.
    pub seq: Seq,
    /// When, by the writer's clock.
    pub at: Millis,
    /// Who caused it.
    pub from: Option<UserId>,
    /// The command's key and the keyed digest of its body; both outlive the words.
    pub key: Option<(Key, Digest)>,
    /// What happened.
    pub body: RoomEventBody,
}

/// HMAC-SHA-256 (RFC 2104) of a command's body under the store's secret, shortened to 16 bytes. Keyed, so that erased
/// words cannot be guessed from it.
pub type Digest = [u8; 16];

/// What a stored key answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHit {
    /// The event's place.
    pub seq: Seq,
    /// The digest of the body that it was sent with.
    pub digest: Digest,
}

/// An event for a user's own log; the store numbers it.
#[derive(Debug, Clone, PartialEq)]
pub struct NewUserEvent {
    /// Whose log.
    pub user: UserId,
    /// When.
    pub at: Millis,
    /// Who caused it.
    pub from: Option<UserId>,
    /// Makes it idempotent (unique per user log and sender), with the digest of its body.
    pub key: Option<(Key, Digest)>,
    /// What happened.
    pub body: UserEventBody,
}

/// What commands about a message need to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageMeta {
    /// Who sent it.
    pub from: Option<UserId>,
    /// A tombstone.
    pub deleted: bool,
    /// The first message of its thread.
    pub thread: Option<Seq>,
    /// Whether it is pinned.
    pub pinned: bool,
    /// Whom it mentions.
    pub mentions: Vec<UserId>,
    /// Its reactions: emoji and who.
    pub reactions: Vec<(String, UserId)>,
}

/// What is known of a user beside their rooms.
#[derive(Debug, Clone, PartialEq)]
pub struct UserState {
    /// The end of the user's own log. A user who was never written to has a stable epoch all the same.
    pub head: Head,
    /// Tokens issued before this are refused.
    pub revoked_before: Millis,
    /// How they are shown.
    pub profile: Option<Profile>,
    /// Their status text.
    pub status: String,
    /// When they were last there.
    pub last_seen: Option<Millis>,
}

/// Where a page of messages is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The newest.
    Newest,
    /// Older than this one.
    Before(Seq),
    /// Newer than this one.
    After(Seq),
    /// This one in the middle.
    Around(Seq),
}

/// A page of messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageQuery {
    /// The room.
    pub room: RoomId,
    /// Who reads; decides `mine` of reactions.
    pub reader: UserId,
    /// Messages up to here are not for the reader.
    pub visible_after: Seq,
    /// Where.
    pub place: Place,
    /// Only the thread below this message (the root itself included when it fits); `None` is outside threads.
    pub thread: Option<Seq>,
    /// Rows.
    pub limit: u32,
}

/// Messages, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MessagePage {
    /// The rows.
    pub messages: Vec<Message>,
    /// Whether there are older ones that the reader may see.
    pub more_before: bool,
    /// Whether there are newer ones.
    pub more_after: bool,
}

/// A page of calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallQuery {
    /// The room.
    pub room: RoomId,
    /// Calls up to here are not for the reader.
    pub after: Seq,
    /// Older than this one.
    pub before: Option<Seq>,
    /// Rows.
    pub limit: u32,
}

/// Which messages a search may find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchScope {
    /// These rooms, each above its place.
    Rooms(Vec<(RoomId, Seq)>),
    /// The rooms that this user is a member of, as each room's history allows.
    MemberOf(UserId),
    /// Everything, for the host application.
    All,
}

/// A search, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    /// The words; all must occur. Never an operator of the database's query language.
    pub query: String,
    /// Where.
    pub scope: SearchScope,
    /// Who reads.
    pub reader: UserId,
    /// Only from this user.
    pub from: Option<UserId>,
    /// Continues after this message of the page before, by `(at, room, seq)` descending.
    pub after: Option<(Millis, RoomId, Seq)>,
    /// Rows.
    pub limit: u32,
}

/// One row of a user's room list, before rights are looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct ListRow {
    /// The room.
    pub info: RoomInfo,
    /// The membership, where there is one.
    pub member: Option<Member>,
    /// The end of the room's log.
    pub head: Seq,
    /// When the newest event was committed; the list's order, newest first, ties by room id.
    pub last_at: Millis,
    /// The newest message outside threads that the reader may see, tombstones apart.
    pub last: Option<Message>,
    /// The reader's marker; zero when there is none.
    pub read: Seq,
    /// Messages of others above the marker that the reader may see, tombstones apart, counted up to 100.
    pub unread: u32,
    /// Messages of others above the marker that mention the reader or everybody, tombstones apart, counted up to 100.
    pub mentions: u32,
    /// The other one in a direct room.
    pub peer: Option<UserId>,
    /// Whether a call runs.
    pub call: bool,
}

/// Which rooms a list names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListScope {
    /// Those that the reader is a member of, without bans in force.
    MemberOf,
    /// These, when they exist.
    Rooms(Vec<RoomId>),
    /// Every room, for the host application.
    All,
}

/// A page of the room list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Who reads.
    pub reader: UserId,
    /// Which rooms.
    pub scope: ListScope,
    /// Continues after `(last_at, room)` of the page before.
    pub after: Option<(Millis, RoomId)>,
    /// Whether archived rooms are wanted too.
    pub archived: bool,
    /// Rows.
    pub limit: u32,
}

/// The database, as the rest of the server sees it.
#[async_trait]
pub trait Store: Documents + Blobs + Nodes + Send + Sync + 'static {
    /// Begins a write. SQLite takes its one write lock here (`BEGIN IMMEDIATE`).
    async fn begin(&self) -> Result<Box<dyn WriteTx>>;

    /// A room's state, in one consistent read; `None` when it was never created.
    async fn room(&self, room: &RoomId) -> Result<Option<StoredRoom>>;
    /// Events above `after`, at most `limit`, in order. No row is skipped: erased ones come without a body.
    async fn events(&self, room: &RoomId, after: Seq, limit: u32) -> Result<Vec<StoredEvent>>;
    /// A page of messages.
    async fn messages(&self, query: &MessageQuery) -> Result<MessagePage>;
    /// A search, newest first; the second value tells whether there are more.
    async fn search(&self, query: &SearchQuery) -> Result<(Vec<Message>, bool)>;
    /// A page of the room list; the second value tells whether there are more.
    async fn list(&self, query: &ListQuery) -> Result<(Vec<ListRow>, bool)>;
    /// Read markers of a room, at most `limit`, the given user's own first.
    async fn markers(&self, room: &RoomId, own: &UserId, limit: u32) -> Result<Vec<ReadMarker>>;

    /// A page of a room's calls that began after `after`, the newest first, older than `before`; the second value tells
    /// whether there are more.
    async fn calls(&self, query: &CallQuery) -> Result<(Vec<CallRecord>, bool)>;
    /// Rooms in which a call runs.
    async fn running_calls(&self) -> Result<Vec<RoomId>>;

    /// What is known of these users, in the same order, by one query. Unknown ones get their defaults.
    async fn users(&self, users: &[UserId]) -> Result<Vec<UserState>>;
    /// Events of a user's own log above `after`, at most `limit`.
    async fn user_events(&self, user: &UserId, after: Seq, limit: u32) -> Result<Vec<UserEvent>>;
    /// Profiles of these users, by one query; those without one are absent.
    async fn profiles(&self, users: &[UserId]) -> Result<HashMap<UserId, Profile>>;
    /// Sets profiles, newest call wins.
    async fn put_profiles(&self, profiles: &[(UserId, Profile)]) -> Result<()>;
    /// Sets when users were last there and their status text.
    async fn put_seen(&self, seen: &[(UserId, Millis, String)]) -> Result<()>;
    /// Refuses tokens of the user that were issued before `before`.
    async fn revoke(&self, user: &UserId, before: Millis) -> Result<()>;

    /// A named setting of the whole deployment; the first writer wins and everybody gets the winner's value.
    async fn setting(&self, name: &str, default: &str) -> Result<String>;

    /// Keeps a link under the hash of its code, and forgets those of its room that have been dead for long. False when
    /// the room is not there or has [`links::LINKS_PER_ROOM`].
    async fn put_link(&self, link: &StoredLink, code: &CodeHash) -> Result<bool>;
    /// A link by its id.
    async fn link(&self, id: &LinkId) -> Result<Option<StoredLink>>;
    /// A link by the hash of its code.
    async fn link_by_code(&self, code: &CodeHash) -> Result<Option<StoredLink>>;
    /// Links of a room, at most `limit`, in the order of their creation.
    async fn links(&self, room: &RoomId, kind: LinkKind, after: Option<&LinkId>, limit: u32)
    -> Result<Vec<StoredLink>>;
    /// Revokes a link, and refuses every token of its guests from now on.
    async fn revoke_link(&self, id: &LinkId, now: Millis) -> Result<()>;
    /// Lets a guest in and counts the use, or does neither: false when the link does not open any more.
    async fn admit_guest(&self, link: &LinkId, guest: &NewGuest) -> Result<bool>;
    /// A guest by the hash of their secret, and their link.
    async fn guest(&self, secret: &CodeHash) -> Result<Option<(UserId, StoredLink)>>;
    /// Guests of a link, at most `limit`, by id.
    async fn guests_of(&self, link: &LinkId, after: Option<&UserId>, limit: u32) -> Result<Vec<UserId>>;

    /// Removes a room with everything in it. Its id may be used again, under a new epoch.
    async fn delete_room(&self, room: &RoomId) -> Result<bool>;
    /// Removes messages older than their room's retention, at most `limit`, without tombstones; their numbers stay in
    /// the log. Tells the rooms and places that were erased, so that copies in memory go too, pins among them. To be
    /// called again until it tells none.
    async fn expire_messages(&self, now: Millis, limit: u32) -> Result<Vec<(RoomId, Seq)>>;
    /// Erases a user: words, reactions, memberships, bans, mentions, markers, profile and own log. Numbers stay, and
    /// tombstones without a sender; of the user stays the id, with the revocation. Tells the rooms that changed; each
    /// has a new epoch, and so has the user's log, so that no client keeps the words.
    async fn erase_user(&self, user: &UserId) -> Result<Vec<RoomId>>;
    /// One page of everything that is kept about a user: their messages in every room, oldest first.
    async fn messages_of(&self, user: &UserId, after: Option<(RoomId, Seq)>, limit: u32) -> Result<Vec<Message>>;

    /// Answers when the store can read and write; the text says what it is and how it keeps promise 1.
    async fn health(&self) -> Result<String>;
    /// Closes every connection.
    async fn close(&self);
}

/// One write transaction. Dropping it takes everything back. Calls come in this order, each at most once, but for
/// [`WriteTx::expired`].
#[async_trait]
pub trait WriteTx: Send {
    /// Goes on only while this node's lease holds, and keeps others from acting for it until the end of this
    /// transaction. Time passes after it: the lease may run out before the commit, but nobody acts on that before.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the lease ran out or was never taken.
    async fn fence(&mut self, boot: BootId, now: Millis) -> Result<()>;
    /// Whether a node is dead, for what is done in its place in this transaction. Then it stays dead: its lease cannot
    /// be renewed any more. A node that nobody knows (any more) is dead.
    async fn expired(&mut self, boot: BootId, now: Millis) -> Result<bool>;
    /// Makes rows for rooms that are to be created, with head zero; existing ones stay as they are.
    async fn reserve(&mut self, rooms: &[(RoomId, Epoch)]) -> Result<()>;
    /// Locks these rooms' rows in id order and reads their ends. Missing rooms are absent.
    async fn lock(&mut self, rooms: &[RoomId]) -> Result<HashMap<RoomId, Head>>;
    /// Gives a locked room a new epoch: its log was set back below what this node has delivered.
    async fn renew(&mut self, room: &RoomId, epoch: &Epoch) -> Result<()>;
    /// The state of one locked room, when memory has fallen behind its head.
    async fn room(&mut self, room: &RoomId) -> Result<Option<StoredRoom>>;
    /// Looks keys up, in the same order.
    async fn keys(&mut self, keys: &[(RoomId, UserId, Key)]) -> Result<Vec<Option<KeyHit>>>;
    /// What is known of these messages; missing ones are absent.
    async fn targets(&mut self, targets: &[(RoomId, Seq)]) -> Result<HashMap<(RoomId, Seq), MessageMeta>>;
    /// Writes events, their rows in the state tables and the rooms' new heads. A deletion erases the words of its
    /// message everywhere.
    async fn append(&mut self, events: &[NewEvent]) -> Result<()>;
    /// Locks these users' rows in id order after the rooms', numbers and writes the events. A known key is not
    /// written again and gets `Err` with what is stored.
    async fn append_user(&mut self, events: &[NewUserEvent]) -> Result<Vec<std::result::Result<Seq, KeyHit>>>;
    /// These links; missing ones are absent. Under the lock of their rooms nobody else counts their uses.
    async fn links(&mut self, ids: &[LinkId]) -> Result<Vec<StoredLink>>;
    /// Counts uses of links of locked rooms.
    async fn use_links(&mut self, uses: &[(LinkId, u32)]) -> Result<()>;
    /// Moves read markers forward, never back. Those of rooms that are not there are passed over.
    async fn mark(&mut self, markers: &[(RoomId, UserId, Seq)]) -> Result<()>;
    /// Keeps rows of running calls, the newest per key; those of calls that are over are passed over.
    async fn retain(&mut self, rows: &[(RoomId, Seq, Retained)]) -> Result<()>;
    /// Commits and syncs. [`StoreError::Unavailable`] means that the outcome is unknown.
    async fn commit(self: Box<Self>) -> Result<()>;
}
