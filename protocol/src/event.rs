//! The facts that logs consist of.

use crate::{
    CallEvent, CallMedia, Capability, Data, DocumentId, DocumentInfo, HistoryVisibility, Millis, Name, RingEnd, Role,
    RoomId, RoomInfo, RoomKind, Seq, UserId,
};
use serde::{Deserialize, Serialize};

/// A durable event of a room, as every member sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct RoomEvent {
    /// The room.
    pub room: RoomId,
    /// Its place in the room's log.
    pub seq: Seq,
    /// When it was committed.
    pub at: Millis,
    /// Who caused it; absent when the server or an erased user did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<UserId>,
    /// What happened.
    #[serde(flatten)]
    pub body: RoomEventBody,
}

/// What happened in a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(tag = "type")]
pub enum RoomEventBody {
    /// The room was created; always the first event.
    #[serde(rename = "room.created")]
    RoomCreated(RoomCreated),
    /// Its record changed; absent fields stay.
    #[serde(rename = "room.updated")]
    RoomUpdated(RoomUpdated),
    /// It was archived or taken out of the archive.
    #[serde(rename = "room.archived")]
    RoomArchived {
        /// Whether it is archived now.
        archived: bool,
    },
    /// A membership was granted.
    #[serde(rename = "member.joined")]
    MemberJoined(MemberJoined),
    /// A membership ended.
    #[serde(rename = "member.left")]
    MemberLeft {
        /// Whose.
        user: UserId,
        /// How.
        reason: LeaveReason,
    },
    /// A membership changed; absent fields stay.
    #[serde(rename = "member.updated")]
    MemberUpdated(MemberUpdated),
    /// A ban, for those who moderate.
    #[serde(rename = "member.banned")]
    MemberBanned {
        /// Who.
        user: UserId,
        /// Until when; for ever when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Millis>,
        /// Why.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// A ban was lifted, for those who moderate.
    #[serde(rename = "member.unbanned")]
    MemberUnbanned {
        /// Who.
        user: UserId,
    },
    /// A message.
    #[serde(rename = "chat.sent")]
    ChatSent(ChatBody),
    /// A message was edited.
    #[serde(rename = "chat.edited")]
    ChatEdited {
        /// Which.
        target: Seq,
        /// The new words.
        text: String,
        /// The new mentions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mentions: Vec<UserId>,
        /// The new data.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    },
    /// A message was deleted.
    #[serde(rename = "chat.deleted")]
    ChatDeleted {
        /// Which.
        target: Seq,
        /// The first message of the thread that it was in, whose `replies` shrink.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<Seq>,
    },
    /// A reaction was added or taken back.
    #[serde(rename = "chat.reacted")]
    ChatReacted {
        /// On which message.
        target: Seq,
        /// Which emoji.
        emoji: String,
        /// Added, or taken back.
        on: bool,
    },
    /// A message was pinned or unpinned.
    #[serde(rename = "chat.pinned")]
    ChatPinned {
        /// Which.
        target: Seq,
        /// Pinned, or unpinned.
        on: bool,
    },
    /// A shared document was created: its record.
    #[serde(rename = "document.created")]
    DocumentCreated(DocumentInfo),
    /// A document's record changed: all of it as it is now.
    #[serde(rename = "document.updated")]
    DocumentUpdated(DocumentInfo),
    /// A document was deleted with everything in it.
    #[serde(rename = "document.deleted")]
    DocumentDeleted {
        /// Which.
        document: DocumentId,
    },
    /// An event of the host application.
    #[serde(rename = "app")]
    App {
        /// Its name, `app.` first.
        name: Name,
        /// Its body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    },
    /// An event of a call; its `type` is its own.
    #[serde(untagged)]
    Call(CallEvent),
}

impl RoomEventBody {
    /// The stored kind, the same as the `type` on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::RoomCreated(_) => "room.created",
            Self::RoomUpdated(_) => "room.updated",
            Self::RoomArchived { .. } => "room.archived",
            Self::MemberJoined(_) => "member.joined",
            Self::MemberLeft { .. } => "member.left",
            Self::MemberUpdated(_) => "member.updated",
            Self::MemberBanned { .. } => "member.banned",
            Self::MemberUnbanned { .. } => "member.unbanned",
            Self::ChatSent(_) => "chat.sent",
            Self::ChatEdited { .. } => "chat.edited",
            Self::ChatDeleted { .. } => "chat.deleted",
            Self::ChatReacted { .. } => "chat.reacted",
            Self::ChatPinned { .. } => "chat.pinned",
            Self::DocumentCreated(_) => "document.created",
            Self::DocumentUpdated(_) => "document.updated",
            Self::DocumentDeleted { .. } => "document.deleted",
            Self::App { .. } => "app",
            Self::Call(event) => event.kind(),
        }
    }

    /// Who may see it.
    pub fn audience(&self) -> Audience {
        match self {
            Self::MemberBanned { .. } | Self::MemberUnbanned { .. } => Audience::Moderators,
            Self::RoomCreated(_)
            | Self::RoomUpdated(_)
            | Self::RoomArchived { .. }
            | Self::MemberJoined(_)
            | Self::MemberLeft { .. }
            | Self::MemberUpdated(_)
            | Self::ChatSent(_)
            | Self::ChatEdited { .. }
            | Self::ChatDeleted { .. }
            | Self::ChatReacted { .. }
            | Self::ChatPinned { .. }
            | Self::DocumentCreated(_)
            | Self::DocumentUpdated(_)
            | Self::DocumentDeleted { .. }
            | Self::App { .. }
            | Self::Call(_) => Audience::Everybody,
        }
    }
}

/// Who may see an event; the others get its number alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Everybody in the room.
    Everybody,
    /// Those with the capability to moderate.
    Moderators,
}

/// The first event of a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct RoomCreated {
    /// What it is for.
    pub kind: RoomKind,
    /// Title.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// Topic.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub topic: String,
    /// Who sees what was before them.
    #[serde(default)]
    pub history: HistoryVisibility,
    /// Seconds between two messages of a person.
    #[serde(default)]
    pub slow_mode_s: u32,
    /// Days after which messages are erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    /// The host application's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
}

impl RoomCreated {
    /// A room without a title and with nothing switched on.
    pub fn new(kind: RoomKind) -> Self {
        Self {
            kind,
            title: String::new(),
            topic: String::new(),
            history: HistoryVisibility::All,
            slow_mode_s: 0,
            retention_days: None,
            data: None,
        }
    }

    /// The record of a room that begins so.
    pub fn into_info(self, room: RoomId, created_at: Millis) -> RoomInfo {
        RoomInfo {
            room,
            kind: self.kind,
            title: self.title,
            topic: self.topic,
            history: self.history,
            slow_mode_s: self.slow_mode_s,
            archived: false,
            retention_days: self.retention_days,
            data: self.data,
            created_at,
            url: String::new(),
        }
    }
}

/// Changes of a room's record.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct RoomUpdated {
    /// Title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Topic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Who sees what was before them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryVisibility>,
    /// Seconds between two messages of a person; 0 is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_mode_s: Option<u32>,
    /// Days after which messages are erased; 0 keeps them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    /// The host application's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
}

/// A granted membership.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct MemberJoined {
    /// Whose.
    pub user: UserId,
    /// The first role.
    pub role: Role,
    /// Capabilities of their own in place of the role's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<Capability>>,
    /// The host application's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
}

/// How a membership ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LeaveReason {
    /// By themselves.
    Left,
    /// Removed by somebody.
    Removed,
    /// Banned.
    Banned,
}

/// Changes of a membership.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct MemberUpdated {
    /// Whose.
    pub user: UserId,
    /// The new role; it takes capabilities of their own away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Capabilities of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capabilities: Option<Vec<Capability>>,
    /// Until when they may not send; 0 lets them speak again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Millis>,
    /// The host application's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
}

/// A message as it was sent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct ChatBody {
    /// The words.
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
}

/// A durable event of a user's own log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct UserEvent {
    /// Its place in the user's log.
    pub user_seq: Seq,
    /// When it was committed.
    pub at: Millis,
    /// Who caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<UserId>,
    /// What happened.
    #[serde(flatten)]
    pub body: UserEventBody,
}

/// What happened to a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(tag = "type")]
pub enum UserEventBody {
    /// A message mentions them.
    #[serde(rename = "user.mentioned")]
    Mentioned {
        /// In which room.
        room: RoomId,
        /// Which message.
        message: Seq,
    },
    /// They were made a member of a room.
    #[serde(rename = "user.invited")]
    Invited {
        /// Which room.
        room: RoomId,
        /// With which role.
        role: Role,
    },
    /// Their membership of a room was taken away.
    #[serde(rename = "user.removed")]
    Removed {
        /// Which room.
        room: RoomId,
        /// How.
        reason: LeaveReason,
    },
    /// Their rights in a room were changed by somebody else.
    #[serde(rename = "user.rights")]
    Rights {
        /// Which room.
        room: RoomId,
        /// The role now.
        role: Role,
    },
    /// A call rings: on every device until `user.ring_ended` for the same call.
    #[serde(rename = "user.ring")]
    Ring {
        /// In which room.
        room: RoomId,
        /// Which call.
        call: Seq,
        /// What it is about.
        media: CallMedia,
        /// When it stops by itself.
        until: Millis,
    },
    /// A ring is over everywhere. Without a ring before it: a call that was missed while busy.
    #[serde(rename = "user.ring_ended")]
    RingEnded {
        /// In which room.
        room: RoomId,
        /// Which call.
        call: Seq,
        /// How.
        reason: RingEnd,
    },
    /// An event of the host application.
    #[serde(rename = "user.app")]
    App {
        /// Its name, `app.` first.
        name: Name,
        /// Its body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    },
}

impl UserEventBody {
    /// The stored kind, the same as the `type` on the wire.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Mentioned { .. } => "user.mentioned",
            Self::Invited { .. } => "user.invited",
            Self::Removed { .. } => "user.removed",
            Self::Rights { .. } => "user.rights",
            Self::Ring { .. } => "user.ring",
            Self::RingEnded { .. } => "user.ring_ended",
            Self::App { .. } => "user.app",
        }
    }
}
