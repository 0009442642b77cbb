//! Shared documents: their records, the commands about them, and what is told of them. Their content travels in binary
//! frames, which `docs/protocol.md` describes.

use crate::{Capability, Data, Epoch, Fault, Key, Millis, Role, RoomId, UserId};
use serde::{Deserialize, Serialize};

/// The number that names an open document on one connection; the first part of its binary frames.
pub type Channel = u32;

/// Messages of a document's binary frames: those of the Yjs protocol, and our own from 100 on.
pub mod wire {
    /// A message of the sync protocol: [`STEP1`], [`STEP2`] or [`UPDATE`] follows.
    pub const SYNC: u64 = 0;
    /// States of who is there, by Yjs client id.
    pub const AWARENESS: u64 = 1;
    /// A refusal in words, to a plain Yjs provider.
    pub const AUTH: u64 = 2;
    /// Asks for the states of everybody.
    pub const QUERY_AWARENESS: u64 = 3;
    /// A numbered update from the client: the number of its batch, then the update.
    pub const EDIT: u64 = 100;
    /// A piece of a message that is too large for one frame: whether more follow (0 or 1), then its bytes.
    pub const PART: u64 = 101;
    /// Within [`SYNC`]: a state vector, to be answered by what it lacks.
    pub const STEP1: u64 = 0;
    /// Within [`SYNC`]: what a state vector lacked.
    pub const STEP2: u64 = 1;
    /// Within [`SYNC`]: an update.
    pub const UPDATE: u64 = 2;
}

/// What a document is, for the page that shows it. The server treats all alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DocumentKind {
    /// A whiteboard.
    Board,
    /// Shared notes.
    Notes,
    /// Source code.
    Code,
    /// Anything else, of the host application's own.
    Other,
}

/// Who may edit a document. Whoever manages the room always may; nobody else while it is locked. Then `deny` wins over
/// `allow`, and `allow` over role and capability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct EditRight {
    /// The least role.
    #[serde(default = "member")]
    pub role: Role,
    /// A capability that is needed too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability: Option<Capability>,
    /// People who may, whatever their role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<UserId>,
    /// People who may not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<UserId>,
}

/// The role that is meant where none is named.
pub(crate) fn member() -> Role {
    Role::Member
}

impl Default for EditRight {
    fn default() -> Self {
        Self { role: Role::Member, capability: None, allow: vec![], deny: vec![] }
    }
}

macro_rules! records {
    ($( $(#[$doc:meta])* $name:ident { $( $(#[$field_doc:meta])* $field:ident : $type:ty ),* $(,)? } )*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
        pub struct $name { $( $(#[$field_doc])* pub $field: $type, )* }
    )* };
}

records! {
    /// A document's record.
    DocumentInfo {
        /// Its name in the room.
        document: crate::DocumentId,
        /// What it is.
        kind: DocumentKind,
        /// Shown above it.
        #[serde(default)]
        title: String,
        /// Who may edit.
        #[serde(default)]
        edit: EditRight,
        /// Only those who manage the room may edit.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        locked: bool,
        /// The host application's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
        /// When it was created; of the room's first board, when the room was.
        created_at: Millis,
    }
    /// A state that a document can be set back to.
    DocumentVersion {
        /// Its number in the document.
        version: u64,
        /// When it was kept.
        at: Millis,
        /// Why.
        reason: VersionReason,
        /// Its name, when somebody gave it one.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        title: String,
        /// Who kept it; absent when the server did, or after their erasure.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserId>,
        /// Bytes of the state.
        size: u64,
    }
    /// Opens a document of a room that this connection has open.
    DocOpen {
        /// Where.
        room: RoomId,
        /// Which.
        document: crate::DocumentId,
    }
    /// Closes an open document.
    DocClose {
        /// Which.
        channel: Channel,
    }
    /// The documents of a room.
    DocList {
        /// Where.
        room: RoomId,
    }
    /// Creates a document.
    DocCreate {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Its name.
        document: crate::DocumentId,
        /// What it is.
        kind: DocumentKind,
        /// Shown above it.
        #[serde(default)]
        title: String,
        /// Who may edit.
        #[serde(default)]
        edit: EditRight,
        /// Only those who manage the room may edit.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        locked: bool,
        /// The host application's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    }
    /// Changes a document's record; absent fields stay.
    DocUpdate {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Which.
        document: crate::DocumentId,
        /// Shown above it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// Who may edit, as a whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        edit: Option<EditRight>,
        /// Only those who manage the room may edit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        locked: Option<bool>,
        /// The host application's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    }
    /// Deletes a document with everything in it and its versions. The room's first board stays.
    DocDelete {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Which.
        document: crate::DocumentId,
    }
    /// A page of a document's versions, newest first.
    DocVersions {
        /// Where.
        room: RoomId,
        /// Which.
        document: crate::DocumentId,
        /// Older than this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<u64>,
        /// Rows, at most 200.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    }
    /// Keeps the document's state of now as a version.
    DocVersionSave {
        /// Where.
        room: RoomId,
        /// Which.
        document: crate::DocumentId,
        /// Its name.
        title: String,
    }
    /// Deletes a version: who kept it may while they may edit, and who manages the room.
    DocVersionDelete {
        /// Where.
        room: RoomId,
        /// Which.
        document: crate::DocumentId,
        /// Which of its versions.
        version: u64,
    }
    /// Sets the document back to a version, by a new edit. What it was before is kept as a version first.
    DocRestore {
        /// Where.
        room: RoomId,
        /// Which.
        document: crate::DocumentId,
        /// To which version.
        version: u64,
    }
    /// The reply to `doc.open`.
    DocumentOpened {
        /// Names the document in binary frames and in what is told of it, on this connection.
        channel: Channel,
        /// The room.
        room: RoomId,
        /// Its record.
        info: DocumentInfo,
        /// The life of the content: a replica of another life must not be merged with it.
        epoch: Epoch,
        /// Whether the reader may edit now.
        may_edit: bool,
        /// How much of what a document may hold is used, percent; absent below 80.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fill: Option<u8>,
        /// Largest update, bytes.
        update_bytes: u32,
        /// Largest awareness state, bytes of JSON.
        awareness_bytes: u32,
    }
}

/// Why a version was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum VersionReason {
    /// Somebody asked for it.
    Named,
    /// Time passed and the document had changed.
    Time,
    /// The document was set back; this is what it was before.
    Restore,
}

/// Why an update was not taken. Nothing of it was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The user may not edit, or may not any more.
    Forbidden,
    /// The bytes are no update, or declare what they do not hold.
    Malformed,
    /// It builds on what the server does not have: earlier edits were refused, or never sent.
    Gap,
    /// It continues the edits of a Yjs client id that belongs to somebody else.
    Foreign,
    /// It is larger than an update may be, or has too many parts.
    TooLarge,
    /// The document has no room for more; deleting is still possible.
    Full,
    /// The store has not answered for so long that no more is taken.
    Unavailable,
    /// A fault of the server.
    Internal,
}

impl Refusal {
    /// A sentence for the developer.
    pub fn words(self) -> &'static str {
        match self {
            Self::Forbidden => "you may not edit this document",
            Self::Malformed => "the bytes are not a legal update",
            Self::Gap => "the update builds on something that the server does not have",
            Self::Foreign => "the Yjs client id belongs to another user",
            Self::TooLarge => "the update is too large; split it",
            Self::Full => "the document is full; delete something first",
            Self::Unavailable => "the store does not answer; try again later",
            Self::Internal => "the server failed; its log has the details",
        }
    }
}

/// What is told of an open document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(tag = "type")]
pub enum DocumentFrame {
    /// Everything up to this batch is on disk.
    #[serde(rename = "doc.saved")]
    Saved {
        /// Where.
        channel: Channel,
        /// The highest number of a batch that is saved; all before it are saved or were refused.
        batch: u64,
    },
    /// A batch was not taken. The client's replica holds what the server will never have: it is to be built anew.
    #[serde(rename = "doc.refused")]
    Refused {
        /// Where.
        channel: Channel,
        /// Which; absent when the update had no number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        batch: Option<u64>,
        /// Why.
        reason: Refusal,
        /// A sentence for the developer.
        message: String,
    },
    /// The record or the reader's right to edit changed.
    #[serde(rename = "doc.rights")]
    Rights {
        /// Where.
        channel: Channel,
        /// Whether the reader may edit now.
        may_edit: bool,
        /// The record now.
        info: DocumentInfo,
    },
    /// The document fills up, or has room again. Told from 80 percent on, at each percent, and once when it is below.
    #[serde(rename = "doc.fill")]
    Fill {
        /// Where.
        channel: Channel,
        /// How much of what a document may hold is used; at 100 nothing can be added until something is deleted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        percent: Option<u8>,
    },
    /// The document is no longer open here: the right to it was taken away, or it is gone.
    #[serde(rename = "doc.closed")]
    Closed {
        /// Which.
        channel: Channel,
        /// Why: `forbidden`, `not_found`, `internal`.
        reason: Fault,
    },
    /// The content began a new life: the client's replica is void. It asks for everything by an empty state vector.
    #[serde(rename = "doc.reset")]
    Reset {
        /// Where.
        channel: Channel,
        /// The life of the content now.
        epoch: Epoch,
    },
}
