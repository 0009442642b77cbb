//! The rows that a batch changes, as both databases write them.

use crate::storage::Digest;
use serde::{Serialize, Serializer};
use stoa_protocol::{DocumentId, DocumentInfo, DocumentKind, RoomId, UserId};

/// What a batch changes, table by table, in the order in which it is to be written.
#[derive(Debug, Default)]
pub struct Changes {
    /// Rows of the log.
    pub events: Vec<EventRow>,
    /// New ends of logs.
    pub heads: Vec<HeadRow>,
    /// Rooms that were created.
    pub created: Vec<CreatedRow>,
    /// Changes of rooms' records.
    pub rooms: Vec<RoomPatch>,
    /// New messages, as they are at the end of the batch.
    pub messages: Vec<MessageRow>,
    /// The last edit of each older message.
    pub edits: Vec<EditRow>,
    /// Whom messages and edits mention. An edit's older mentions stop being shown first.
    pub mentions: Vec<MentionRow>,
    /// Reactions to take away, those that come back included.
    pub unreactions: Vec<ReactionRow>,
    /// Reactions to add where they are not.
    pub reactions: Vec<ReactionRow>,
    /// Pins to take away, those that come back included.
    pub unpins: Vec<PinRow>,
    /// Pins to add.
    pub pins: Vec<PinRow>,
    /// Messages to erase: words, earlier versions, mentions, reactions, pin.
    pub deletes: Vec<Place>,
    /// Memberships that end.
    pub unmembers: Vec<Person>,
    /// Memberships to write whole.
    pub members: Vec<MemberRow>,
    /// Memberships to change.
    pub member_patches: Vec<MemberPatch>,
    /// Bans that are lifted.
    pub unbans: Vec<Person>,
    /// Bans to write whole.
    pub bans: Vec<BanRow>,
    /// Shared documents that go, with their content.
    pub undocuments: Vec<DocumentName>,
    /// Records of shared documents to write whole.
    pub documents: Vec<DocumentRow>,
    /// What happens to calls, in the order of the log.
    pub calls: Vec<super::Statement>,
}

impl Changes {
    /// Whether the batch consists of new messages alone, which one statement can write.
    pub fn is_messages_only(&self) -> bool {
        let Self {
            events,
            heads: _,
            created,
            rooms,
            messages,
            edits,
            mentions: _,
            unreactions,
            reactions,
            unpins,
            pins,
            deletes,
            unmembers,
            members,
            member_patches,
            unbans,
            bans,
            undocuments,
            documents,
            calls,
        } = self;
        events.len() == messages.len()
            && created.is_empty()
            && rooms.is_empty()
            && edits.is_empty()
            && unreactions.is_empty()
            && reactions.is_empty()
            && unpins.is_empty()
            && pins.is_empty()
            && deletes.is_empty()
            && unmembers.is_empty()
            && members.is_empty()
            && member_patches.is_empty()
            && unbans.is_empty()
            && bans.is_empty()
            && undocuments.is_empty()
            && documents.is_empty()
            && calls.is_empty()
    }
}

/// A row of the log.
#[derive(Debug, Serialize)]
pub struct EventRow {
    /// The room.
    pub room: RoomId,
    /// Its place.
    pub seq: i64,
    /// When.
    pub at: i64,
    /// The `type` on the wire.
    pub kind: &'static str,
    /// Format version.
    pub v: i16,
    /// Who caused it.
    pub sender: Option<UserId>,
    /// The command's key.
    pub key: Option<String>,
    /// The keyed digest; in hexadecimal where it is written as JSON.
    #[serde(serialize_with = "hexadecimal")]
    pub digest: Option<Digest>,
    /// The message that it is about.
    pub target: Option<i64>,
    /// The user that it is about.
    pub subject: Option<UserId>,
    /// JSON, its `type` included.
    pub body: String,
}

/// The end of a room's log.
#[derive(Debug, Serialize)]
pub struct HeadRow {
    /// The room.
    pub room: RoomId,
    /// The head that the batch continues from.
    pub from: i64,
    /// The new head.
    pub head: i64,
    /// When the newest event was committed.
    pub at: i64,
}

/// A room's first record.
#[derive(Debug, Serialize)]
pub struct CreatedRow {
    /// The room.
    pub room: RoomId,
    /// What it is for.
    pub kind: String,
    /// Title.
    pub title: String,
    /// Topic.
    pub topic: String,
    /// Who sees what was before them.
    pub history: String,
    /// Seconds between two messages of a person.
    pub slow_mode_s: u32,
    /// Days after which messages are erased.
    pub retention_days: Option<u32>,
    /// JSON of the host application.
    pub data: Option<String>,
    /// When.
    pub created_at: i64,
    /// Who.
    pub creator: Option<UserId>,
}

/// A change of a room's record; absent fields stay.
#[derive(Debug, Default, Serialize)]
pub struct RoomPatch {
    /// The room.
    pub room: String,
    /// Title.
    pub title: Option<String>,
    /// Topic.
    pub topic: Option<String>,
    /// Who sees what was before them.
    pub history: Option<String>,
    /// Seconds between two messages of a person.
    pub slow_mode_s: Option<u32>,
    /// Days after which messages are erased; 0 takes the limit away.
    pub retention_days: Option<u32>,
    /// JSON of the host application.
    pub data: Option<String>,
    /// Whether it is in the archive.
    pub archived: Option<bool>,
}

/// A message.
#[derive(Debug, Serialize)]
pub struct MessageRow {
    /// The room.
    pub room: RoomId,
    /// Its place.
    pub seq: i64,
    /// When.
    pub at: i64,
    /// Who sent it.
    pub sender: Option<UserId>,
    /// The words.
    pub text: String,
    /// JSON list of whom it mentions; absent when nobody.
    pub mentions: Option<String>,
    /// Whether everybody is meant.
    pub mention_all: bool,
    /// The message that it answers.
    pub reply_to: Option<i64>,
    /// The first message of its thread.
    pub thread: Option<i64>,
    /// An announcement.
    pub announcement: bool,
    /// JSON of the host application.
    pub data: Option<String>,
    /// When it was last edited.
    pub edited_at: Option<i64>,
}

/// The last edit of an older message.
#[derive(Debug, Serialize)]
pub struct EditRow {
    /// The room.
    pub room: RoomId,
    /// The message.
    pub seq: i64,
    /// The words.
    pub text: String,
    /// JSON list of whom it mentions; absent when nobody.
    pub mentions: Option<String>,
    /// JSON of the host application.
    pub data: Option<String>,
    /// When.
    pub edited_at: i64,
}

/// A user whom a message mentions, or mentioned in an earlier version.
#[derive(Debug, Serialize)]
pub struct MentionRow {
    /// The room.
    pub room: RoomId,
    /// The message.
    pub seq: i64,
    /// Whom.
    pub user: UserId,
    /// Whether the version of now does.
    pub shown: bool,
}

/// A reaction.
#[derive(Debug, Serialize)]
pub struct ReactionRow {
    /// The room.
    pub room: RoomId,
    /// The message.
    pub seq: i64,
    /// Which.
    pub emoji: String,
    /// Whose.
    pub user: UserId,
    /// The event that added it.
    pub place: i64,
}

/// A pin.
#[derive(Debug, Serialize)]
pub struct PinRow {
    /// The room.
    pub room: RoomId,
    /// The message.
    pub seq: i64,
    /// The event that pinned it.
    pub place: i64,
}

/// A message's name.
#[derive(Debug, Serialize)]
pub struct Place {
    /// The room.
    pub room: RoomId,
    /// Its place.
    pub seq: i64,
}

/// Somebody in a room.
#[derive(Debug, Serialize)]
pub struct Person {
    /// The room.
    pub room: RoomId,
    /// Who.
    pub user: UserId,
}

/// A membership.
#[derive(Debug, Serialize)]
pub struct MemberRow {
    /// The room.
    pub room: RoomId,
    /// Whose.
    pub user: UserId,
    /// The role.
    pub role: String,
    /// JSON list of capabilities of their own.
    pub capabilities: Option<String>,
    /// Until when they may not send.
    pub muted_until: Option<i64>,
    /// The event that granted it.
    pub joined_seq: i64,
    /// When it was granted.
    pub joined_at: i64,
    /// JSON of the host application.
    pub data: Option<String>,
}

/// A change of a membership; absent fields stay unless the flag beside them is set.
#[derive(Debug, Serialize)]
pub struct MemberPatch {
    /// The room.
    pub room: RoomId,
    /// Whose.
    pub user: UserId,
    /// The role.
    pub role: Option<String>,
    /// Whether `capabilities` is to be written.
    pub set_capabilities: bool,
    /// JSON list of capabilities of their own.
    pub capabilities: Option<String>,
    /// Whether `muted_until` is to be written.
    pub set_muted: bool,
    /// Until when they may not send.
    pub muted_until: Option<i64>,
    /// JSON of the host application.
    pub data: Option<String>,
}

/// A ban.
#[derive(Debug, Serialize)]
pub struct BanRow {
    /// The room.
    pub room: RoomId,
    /// Whom.
    pub user: UserId,
    /// Until when; for ever when absent.
    pub until: Option<i64>,
    /// Why.
    pub reason: String,
}

/// A shared document's name.
#[derive(Debug, Serialize)]
pub struct DocumentName {
    /// The room.
    pub room: RoomId,
    /// Which.
    pub document: DocumentId,
}

/// A shared document's record.
#[derive(Debug, Serialize)]
pub struct DocumentRow {
    /// The room.
    pub room: RoomId,
    /// Which.
    pub document: DocumentId,
    /// What it is.
    pub kind: String,
    /// Shown above it.
    pub title: String,
    /// JSON of who may edit.
    pub edit: String,
    /// Whether only those who manage the room may edit.
    pub locked: bool,
    /// JSON of the host application.
    pub data: Option<String>,
    /// When it was created.
    pub created_at: i64,
}

impl DocumentRow {
    /// The row of a record.
    pub fn new(room: &RoomId, info: &DocumentInfo) -> Self {
        let DocumentInfo { document, kind, title, edit, locked, data, created_at } = info;
        Self {
            room: room.clone(),
            document: document.clone(),
            kind: super::word::<DocumentKind>(*kind),
            title: title.clone(),
            edit: super::json(edit),
            locked: *locked,
            data: data.as_ref().map(super::json),
            created_at: super::millis(*created_at),
        }
    }
}

fn hexadecimal<S: Serializer>(digest: &Option<Digest>, serializer: S) -> Result<S::Ok, S::Error> {
    digest.as_ref().map(|digest| super::hex(digest)).serialize(serializer)
}
