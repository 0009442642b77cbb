//! What the server says.

use crate::{
    CallLink, CallLinkId, CallNow, CallRecord, CallSignal, Cursor, Data, DocumentFrame, DocumentInfo, DocumentOpened,
    DocumentVersion, Epoch, Fault, IceServers, LinkEnd, Member, Message, Millis, Name, ParticipantState, Presence,
    Profile, Profiles, ReadMarker, Role, RoomEntry, RoomEvent, RoomId, Seq, SessionId, Snapshot, UserEvent, UserId,
};
use serde::{Deserialize, Serialize};

/// A frame of the server. Durable events are flat: see [`RoomEvent`] and [`UserEvent`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum ServerFrame {
    /// Replies and passing events.
    Control(Box<Control>),
    /// What is told of an open document.
    Document(Box<DocumentFrame>),
    /// A durable event of a room.
    Room(Box<RoomEvent>),
    /// A durable event of the user's own log.
    User(Box<UserEvent>),
}

/// Replies and events that no log keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(tag = "type")]
pub enum Control {
    /// The reply to `hello`.
    #[serde(rename = "welcome")]
    Welcome(Box<Welcome>),
    /// A command was accepted; a durable one is committed and fsynced.
    #[serde(rename = "ack")]
    Ack(Box<Ack>),
    /// A command was refused.
    #[serde(rename = "error")]
    Error(ErrorFrame),
    /// The reply to `ping`.
    #[serde(rename = "pong")]
    Pong {
        /// The command's id.
        id: u64,
        /// The server's time.
        at: Millis,
    },
    /// Everything up to `seq` that was not told is not for this reader, or erased: the cursor moves over it.
    #[serde(rename = "skip")]
    Skip {
        /// The room.
        room: RoomId,
        /// The cursor now.
        seq: Seq,
    },
    /// The client's cursor in a room is void: the server's log began anew, or what was missed is beyond retention.
    /// What the client has is replaced by this.
    #[serde(rename = "room.reset")]
    RoomReset(Box<Opened>),
    /// The connection is no longer attached to a room.
    #[serde(rename = "room.closed")]
    RoomClosed {
        /// The room.
        room: RoomId,
        /// Why: `forbidden`, `not_found`.
        reason: Fault,
    },
    /// The reader's own rights in a room changed.
    #[serde(rename = "room.access")]
    RoomAccess {
        /// The room.
        room: RoomId,
        /// The rights now.
        access: AccessView,
    },
    /// Who types in a room now; latest wins.
    #[serde(rename = "typing")]
    Typing {
        /// The room.
        room: RoomId,
        /// The first of them, at most 5.
        users: Vec<UserId>,
        /// How many in all.
        count: u32,
    },
    /// Changes of presence in a room. Latest wins per user.
    #[serde(rename = "presence")]
    Presence {
        /// The room.
        room: RoomId,
        /// How many people are in the room now.
        online: u32,
        /// Who changed, in rooms up to 200.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        changed: Vec<Presence>,
    },
    /// Somebody has read up to here; latest wins per user.
    #[serde(rename = "read")]
    Read {
        /// The room.
        room: RoomId,
        /// Markers.
        markers: Vec<ReadMarker>,
    },
    /// Names or pictures changed or are told for the first time.
    #[serde(rename = "profile")]
    Profile {
        /// Whose.
        user: UserId,
        /// What they are now.
        profile: Profile,
    },
    /// A row of the user's room list changed (only with `list` in `hello`); latest wins per room.
    #[serde(rename = "list")]
    List {
        /// The row now.
        entry: Box<RoomEntry>,
    },
    /// A row of the user's room list is gone.
    #[serde(rename = "list.removed")]
    ListRemoved {
        /// Which room.
        room: RoomId,
    },
    /// The client's cursor in the user's own log is void; `room.list` restores what the stream missed.
    #[serde(rename = "user.reset")]
    UserReset {
        /// Where the stream goes on.
        cursor: Cursor,
    },
    /// What a participant says of itself; retained, the newest `version` wins.
    #[serde(rename = "call.state")]
    CallState {
        /// The room.
        room: RoomId,
        /// The call.
        call: Seq,
        /// Which participant.
        session: SessionId,
        /// All of it, as it is now.
        #[serde(flatten)]
        state: ParticipantState,
    },
    /// A participant has no connection, or has one again. A whole room is followed by one of these for each participant.
    #[serde(rename = "call.away")]
    CallAway {
        /// The room.
        room: RoomId,
        /// The call.
        call: Seq,
        /// Which participant.
        session: SessionId,
        /// Whether it is away.
        away: bool,
    },
    /// A link of the reader's session is there, or has a new epoch.
    #[serde(rename = "call.link")]
    CallLink {
        /// The room.
        room: RoomId,
        /// The call.
        call: Seq,
        /// The link.
        #[serde(flatten)]
        link: CallLink,
    },
    /// A link of the reader's session is no more.
    #[serde(rename = "call.unlinked")]
    CallUnlinked {
        /// The room.
        room: RoomId,
        /// The call.
        call: Seq,
        /// The link.
        link: CallLinkId,
    },
    /// The other end of a link said something.
    #[serde(rename = "call.signal")]
    CallSignal(Box<CallSignal>),
    /// The other end of a link has handled everything up to `n`.
    #[serde(rename = "call.confirmed")]
    CallConfirmed {
        /// The room.
        room: RoomId,
        /// The call.
        call: Seq,
        /// The link.
        link: CallLinkId,
        /// In which life of it.
        epoch: u32,
        /// Up to here.
        n: u32,
    },
    /// A signal was not confirmed in time; both ends are told.
    #[serde(rename = "call.unconfirmed")]
    CallUnconfirmed {
        /// The room.
        room: RoomId,
        /// The call.
        call: Seq,
        /// The link.
        link: CallLinkId,
        /// In which life of it.
        epoch: u32,
        /// The end whose signal it is.
        sender: LinkEnd,
        /// Its number.
        n: u32,
    },
    /// A passing event of the host application.
    #[serde(rename = "app.passing")]
    App {
        /// The room, when it went to one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<RoomId>,
        /// Who sent it.
        from: UserId,
        /// Its name.
        name: Name,
        /// Its body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    },
    /// The token expires soon; `token.refresh` with a new one keeps the connection.
    #[serde(rename = "token.expiring")]
    TokenExpiring {
        /// When.
        expires_at: Millis,
    },
    /// The server goes. The client reconnects after the delay.
    #[serde(rename = "bye")]
    Bye {
        /// The delay, milliseconds.
        reconnect_after_ms: Millis,
    },
}

/// The reply to `hello`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Welcome {
    /// The command's id.
    pub id: u64,
    /// The protocol's version.
    pub version: u32,
    /// What this server can do beyond the version.
    pub features: Vec<String>,
    /// The server's time.
    pub at: Millis,
    /// Who the token says the user is.
    pub user: UserId,
    /// How they are shown.
    pub profile: Profile,
    /// The session's id, for `hello` after a lost connection.
    pub session: SessionId,
    /// The session's secret.
    pub secret: String,
    /// Where the user's own stream begins on this connection; what was missed follows.
    pub cursor: Cursor,
    /// When the token expires.
    pub expires_at: Millis,
    /// The connection is closed when nothing was heard for this long; say something at half of it, milliseconds.
    pub idle_ms: Millis,
    /// Largest frame, bytes.
    pub frame_bytes: u32,
    /// Whether the user may create rooms.
    pub may_create: bool,
}

impl std::fmt::Debug for Welcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Welcome").field("user", &self.user).field("session", &self.session).finish_non_exhaustive()
    }
}

/// A command was accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Ack {
    /// The command's id.
    pub id: u64,
    /// The place of its event, where it is durable. The acknowledgement does not move the cursor, the event does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    /// What was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Reply>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reply {
    /// To `room.create` and `room.direct`.
    Room {
        /// Its id.
        room: RoomId,
    },
    /// To `room.open`.
    Opened(Box<Opened>),
    /// To `room.list`.
    Rooms {
        /// The rows.
        rooms: Vec<RoomEntry>,
        /// Where the next page begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
        /// Names of the people in the rows.
        #[serde(default, skip_serializing_if = "Profiles::is_empty")]
        profiles: Profiles,
    },
    /// To `member.list`.
    Members {
        /// The rows.
        members: Vec<Member>,
        /// How many there are.
        count: u32,
        /// Whether there are more.
        more: bool,
        /// Their names.
        #[serde(default, skip_serializing_if = "Profiles::is_empty")]
        profiles: Profiles,
    },
    /// To `presence.list`.
    Presences {
        /// The rows.
        presence: Vec<Presence>,
        /// How many are in the room.
        online: u32,
        /// Whether there are more.
        more: bool,
        /// Their names.
        #[serde(default, skip_serializing_if = "Profiles::is_empty")]
        profiles: Profiles,
    },
    /// To `chat.history` and `chat.search`.
    Messages {
        /// The messages, oldest first; of a search newest first.
        messages: Vec<Message>,
        /// Whether there are older ones (of a search: more).
        more_before: bool,
        /// Whether there are newer ones.
        more_after: bool,
        /// Where a search goes on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
        /// Names of the people in them.
        #[serde(default, skip_serializing_if = "Profiles::is_empty")]
        profiles: Profiles,
    },
    /// To `profile.list`.
    Profiles {
        /// Those that are known and visible.
        profiles: Profiles,
    },
    /// To `call.start`, `call.join` and `call.get`.
    Call(Box<CallReply>),
    /// To `call.relink`.
    Link(CallLink),
    /// To `call.ice`.
    Ice(IceServers),
    /// To `call.history`.
    Calls {
        /// The calls, the newest first.
        calls: Vec<CallRecord>,
        /// Whether there are older ones.
        more: bool,
        /// Names of the people in them.
        #[serde(default, skip_serializing_if = "Profiles::is_empty")]
        profiles: Profiles,
    },
    /// To `doc.open`.
    Document(Box<DocumentOpened>),
    /// To `doc.list`.
    Documents {
        /// Their records, the room's first board at first.
        documents: Vec<DocumentInfo>,
    },
    /// To `doc.versions`.
    Versions {
        /// The rows, newest first.
        versions: Vec<DocumentVersion>,
        /// Whether there are older ones.
        more: bool,
    },
    /// To `doc.version.save`; to `doc.version.delete`, where it is gone; and to `doc.restore`, where it is what the
    /// document was before.
    Version {
        /// It.
        version: DocumentVersion,
    },
    /// To `token.refresh`.
    Token {
        /// When the new one expires.
        expires_at: Millis,
    },
}

/// The reply to `call.start`, `call.join` and `call.get`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct CallReply {
    /// Where the reader's own session is.
    pub place: CallPlace,
    /// The call now; absent when none runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Box<CallNow>>,
    /// For a session that is in the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ice: Option<IceServers>,
}

/// Where a session is in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CallPlace {
    /// It is a participant.
    In,
    /// It waits in the lobby.
    Waiting,
    /// It is not in the call.
    Out,
}

/// The reply to `room.open`, and what replaces a void cursor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Opened {
    /// The room.
    pub room: RoomId,
    /// The life of its log.
    pub epoch: Epoch,
    /// Where the client's cursor is now: the snapshot's place, or the resumed one; what follows comes as events.
    pub seq: Seq,
    /// The end of the log when this was written.
    pub head: Seq,
    /// The reader's rights.
    pub access: AccessView,
    /// Whether a cursor was named and is void; then there is a snapshot.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
    /// The room's state; absent when the cursor was taken up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Box<Snapshot>>,
    /// Retained and passing state when the cursor was taken up: presence, as in a snapshot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub presence: Vec<Presence>,
    /// How many people are in the room now.
    #[serde(default)]
    pub online: u32,
    /// Read markers when the cursor was taken up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<ReadMarker>,
    /// The places of the pinned messages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pins: Vec<Seq>,
    /// The running call when the cursor was taken up, as of `head`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Box<CallNow>>,
}

/// The reader's rights in a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct AccessView {
    /// The role.
    pub role: Role,
    /// What it allows, now.
    pub capabilities: Vec<crate::Capability>,
    /// Whether the membership is logged; an audience's is not.
    pub member: bool,
    /// Until when the reader may not send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_until: Option<Millis>,
    /// When the grant's window ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Millis>,
}

/// A command was refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct ErrorFrame {
    /// The command's id; absent when it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Why.
    #[serde(flatten)]
    pub fault: Fault,
}
