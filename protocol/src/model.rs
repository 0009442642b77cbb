//! What rooms, members, messages and people look like to a client.

use crate::{CallNow, Data, Epoch, Millis, RoomId, Seq, UserId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a room is for; it decides how people enter and how presence is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RoomKind {
    /// Two people; created by `room.direct`.
    Direct,
    /// A standing group.
    Group,
    /// A booked meeting.
    Session,
    /// A large audience, admitted by token without being logged as members.
    Class,
}

/// What a person is in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads and reacts.
    Viewer,
    /// Takes part.
    Member,
    /// Runs the room.
    Host,
}

/// One thing that a person may do in a room. A role stands for a set of them; a grant or a member's record may name
/// its own set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Send messages and edit and delete one's own; typing.
    Send,
    /// React to messages.
    React,
    /// Pin and unpin.
    Pin,
    /// Send announcements.
    Announce,
    /// Add members.
    Invite,
    /// Mute, remove and ban; delete the messages of others; slow mode does not hold for oneself.
    Moderate,
    /// Change the room and its members' roles, archive it.
    Manage,
    /// Send events of the host application.
    App,
    /// Start and join calls.
    Call,
}

/// Who sees what was before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HistoryVisibility {
    /// Every member sees everything.
    #[default]
    All,
    /// A member sees what came after their membership was granted.
    SinceJoin,
}

/// A room's record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct RoomInfo {
    /// Its id.
    pub room: RoomId,
    /// What it is for.
    pub kind: RoomKind,
    /// Shown in lists; empty for direct rooms.
    #[serde(default)]
    pub title: String,
    /// Shown at the top of the room.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
    /// Who sees what was before them.
    #[serde(default)]
    pub history: HistoryVisibility,
    /// Seconds between two messages of a person; 0 is off.
    #[serde(default)]
    pub slow_mode_s: u32,
    /// An archived room is read only.
    #[serde(default)]
    pub archived: bool,
    /// Days after which messages are erased; `None` keeps them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    /// The host application's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// When it was created.
    pub created_at: Millis,
    /// The room on the server's page. Made of the server's public address and the id whenever the record is told, and
    /// kept nowhere; relative to the server when it does not know its public address.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub url: String,
}

/// A membership.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Member {
    /// Who.
    pub user: UserId,
    /// The role in this room.
    pub role: Role,
    /// Capabilities of their own in place of the role's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<Capability>>,
    /// Until when they may not send; `SEQ_MAX`-like far values mean until unmuted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Millis>,
    /// The sequence that granted the membership.
    pub joined_seq: Seq,
    /// When it was granted.
    pub joined_at: Millis,
    /// The host application's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
}

/// A ban.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Ban {
    /// Who.
    pub user: UserId,
    /// Until when; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
    /// Why, for the hosts.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// Reactions of one emoji on one message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Reaction {
    /// The emoji.
    pub emoji: String,
    /// How many people.
    pub count: u32,
    /// The first of them, at most 20.
    pub users: Vec<UserId>,
    /// Whether the reader is one of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mine: bool,
}

/// A file beside a message. There are none until files come; the field is there so that readers are ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Attachment {
    /// Where it is.
    pub url: String,
}

/// A message as it is now. The room and `seq` are its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Message {
    /// Its room.
    pub room: RoomId,
    /// Its place in the room's log.
    pub seq: Seq,
    /// When it was sent.
    pub at: Millis,
    /// Who sent it; absent after the erasure of that user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<UserId>,
    /// The words; empty when deleted.
    pub text: String,
    /// Users that are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<UserId>,
    /// Whether everybody in the room is meant.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mention_all: bool,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<Seq>,
    /// The first message of its thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<Seq>,
    /// Shown as an announcement.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announcement: bool,
    /// The host application's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// Files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// When it was last edited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<Millis>,
    /// A tombstone: the words are gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// Whether it is pinned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// Messages in the thread below it, tombstones apart.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub replies: u32,
    /// Reactions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// How somebody is to be shown. Not in any log: a name may change and be erased.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Profile {
    /// The display name.
    pub name: String,
    /// The URL of a picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    /// Somebody without an account, who came by a join link and says themselves who they are. The server decides it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub guest: bool,
}

/// Profiles by user.
pub type Profiles = BTreeMap<UserId, Profile>;

/// Whether somebody is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PresenceState {
    /// No device is there.
    #[default]
    Offline,
    /// There, but not at the keyboard.
    Away,
    /// There and not to be disturbed.
    Busy,
    /// There.
    Online,
}

/// One user's presence, over all devices: the most present device counts, `busy` beats `online`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Presence {
    /// Who.
    pub user: UserId,
    /// Whether they are there.
    pub state: PresenceState,
    /// Their own words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// When they were last there; only when offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Millis>,
}

/// Where a reader is in a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct ReadMarker {
    /// Who.
    pub user: UserId,
    /// Everything up to here is read.
    pub seq: Seq,
}

/// A place in a log, of one life of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Cursor {
    /// The life.
    pub epoch: Epoch,
    /// The last event that the client has.
    pub seq: Seq,
}

/// Everything that a client needs to show a room, as of `seq`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Snapshot {
    /// The room.
    pub info: RoomInfo,
    /// How many members there are.
    pub member_count: u32,
    /// The members, when there are at most 200; else page them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<Member>,
    /// The newest messages outside threads, oldest first.
    pub messages: Vec<Message>,
    /// Whether there are older ones.
    pub more: bool,
    /// The pinned messages' places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<Seq>,
    /// How many people are in the room now.
    pub online: u32,
    /// Who is there, in rooms up to 200.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub presence: Vec<Presence>,
    /// Read markers: the reader's own, and the others' in rooms up to 200.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<ReadMarker>,
    /// The running call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Box<CallNow>>,
    /// Names of the people above.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub profiles: Profiles,
}

/// One row of a user's room list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct RoomEntry {
    /// The room.
    pub info: RoomInfo,
    /// The reader's role.
    pub role: Role,
    /// The end of the room's log.
    pub head: Seq,
    /// The newest message that the reader may see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Message>,
    /// Where the reader is.
    pub read: Seq,
    /// Messages of others after that place, counted up to 100.
    pub unread: u32,
    /// Messages after that place that mention the reader, counted up to 100.
    pub mentions: u32,
    /// The other one in a direct room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<UserId>,
    /// Whether a call runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub call: bool,
}
