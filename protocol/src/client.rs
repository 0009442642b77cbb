//! What a client says.

use crate::{
    CallAdmit, CallAway, CallConfirm, CallDecline, CallEnd, CallGet, CallHand, CallHistory, CallIce, CallJoin,
    CallLeave, CallMute, CallRefuse, CallRelink, CallRemove, CallReport, CallRing, CallSignal, CallStart, CallTracks,
    CallUpdate, Capability, Cursor, Data, DeviceId, DocClose, DocCreate, DocDelete, DocList, DocOpen, DocRestore,
    DocUpdate, DocVersionDelete, DocVersionSave, DocVersions, ErrorCode, Fault, HistoryVisibility, Key, Millis, Name,
    PresenceState, Role, RoomId, RoomKind, Seq, SessionId, UserId, records::records,
};
use serde::{Deserialize, Serialize};

macro_rules! commands {
    ($( $(#[$doc:meta])* $tag:literal => $name:ident ),* $(,)?) => {
        /// A frame of a client: a number that the reply names, and a command.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
        pub struct ClientFrame {
            /// Names the reply; at most 2^53 - 1.
            pub id: u64,
            /// What is wanted.
            #[serde(flatten)]
            pub command: Command,
        }

        /// What a client wants.
        #[derive(Debug, Clone, PartialEq, Serialize)]
        #[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
        #[serde(tag = "type")]
        pub enum Command {
            $( $(#[$doc])* #[serde(rename = $tag)] $name($name), )*
        }

        impl Command {
            /// The `type` on the wire.
            pub fn name(&self) -> &'static str {
                match self { $( Self::$name(_) => $tag, )* }
            }

            /// Reads the command that `name` names from the whole frame.
            pub(crate) fn parse(name: &str, text: &str) -> Result<Self, Fault> {
                match name {
                    $( $tag => crate::read::<$name>(text).map(Self::$name), )*
                    _ => Err(Fault::new(ErrorCode::Unsupported, "the server does not know this command")),
                }
            }
        }
    };
}

commands! {
    /// The first frame: who this is.
    "hello" => Hello,
    /// A new token for this connection.
    "token.refresh" => TokenRefresh,
    /// Asks for a `pong`; for clients that cannot send the protocol's ping.
    "ping" => Ping,
    /// Creates a room; its creator is the host.
    "room.create" => RoomCreate,
    /// Finds or creates the direct room with somebody.
    "room.direct" => RoomDirect,
    /// Attaches this connection to a room: snapshot or what was missed, then everything live.
    "room.open" => RoomOpen,
    /// Detaches this connection from a room.
    "room.close" => RoomClose,
    /// The user's rooms.
    "room.list" => RoomList,
    /// Changes a room's record.
    "room.update" => RoomUpdate,
    /// Archives a room, or takes it out of the archive.
    "room.archive" => RoomArchive,
    /// Gives up one's own membership.
    "room.leave" => RoomLeave,
    /// Grants a membership.
    "member.add" => MemberAdd,
    /// Changes a membership: role, capabilities, mute, data.
    "member.update" => MemberUpdate,
    /// Takes a membership away.
    "member.remove" => MemberRemove,
    /// Bans somebody: takes the membership away and refuses them until it is lifted.
    "member.ban" => MemberBan,
    /// Lifts a ban.
    "member.unban" => MemberUnban,
    /// A page of members.
    "member.list" => MemberList,
    /// Sends a message.
    "chat.send" => ChatSend,
    /// Edits one's own message.
    "chat.edit" => ChatEdit,
    /// Deletes a message; a tombstone stays.
    "chat.delete" => ChatDelete,
    /// Adds a reaction or takes it back.
    "chat.react" => ChatReact,
    /// Pins or unpins a message.
    "chat.pin" => ChatPin,
    /// Tells that everything up to here is read.
    "chat.read" => ChatRead,
    /// A page of messages.
    "chat.history" => ChatHistory,
    /// Full-text search.
    "chat.search" => ChatSearch,
    /// Tells that the user types, or has stopped.
    "typing" => Typing,
    /// The user's own state and words on this device.
    "presence.set" => PresenceSet,
    /// A page of who is in a room.
    "presence.list" => PresenceList,
    /// Names and pictures of people that the user shares a room with.
    "profile.list" => ProfileList,
    /// Sends an event of the host application.
    "app.send" => AppSend,
    /// Starts a call, or joins the one that runs.
    "call.start" => CallStart,
    /// Lets more devices ring.
    "call.ring" => CallRing,
    /// Says no to a ring.
    "call.decline" => CallDecline,
    /// Comes into a call, or into its lobby.
    "call.join" => CallJoin,
    /// Goes.
    "call.leave" => CallLeave,
    /// Ends a call for all.
    "call.end" => CallEnd,
    /// Changes a call: lock, lobby.
    "call.update" => CallUpdate,
    /// Lets somebody in.
    "call.admit" => CallAdmit,
    /// Sends somebody away who waits.
    "call.refuse" => CallRefuse,
    /// Mutes others.
    "call.mute" => CallMute,
    /// Removes somebody.
    "call.remove" => CallRemove,
    /// What this session sends.
    "call.tracks" => CallTracks,
    /// Raises or lowers a hand.
    "call.hand" => CallHand,
    /// Gives up an epoch of a link.
    "call.relink" => CallRelink,
    /// An offer, an answer or a candidate for the other end of a link.
    "call.signal" => CallSignal,
    /// Signals were handled.
    "call.confirm" => CallConfirm,
    /// The page is being left, to be loaded anew or for good.
    "call.away" => CallAway,
    /// The running call.
    "call.get" => CallGet,
    /// Fresh ICE servers.
    "call.ice" => CallIce,
    /// What was measured.
    "call.report" => CallReport,
    /// A page of calls.
    "call.history" => CallHistory,
    /// Opens a shared document of an open room.
    "doc.open" => DocOpen,
    /// Closes it.
    "doc.close" => DocClose,
    /// The documents of a room.
    "doc.list" => DocList,
    /// Creates a document.
    "doc.create" => DocCreate,
    /// Changes a document's record: title, rights, lock, data.
    "doc.update" => DocUpdate,
    /// Deletes a document.
    "doc.delete" => DocDelete,
    /// A page of a document's versions.
    "doc.versions" => DocVersions,
    /// Keeps the document's state of now as a version.
    "doc.version.save" => DocVersionSave,
    /// Deletes a version.
    "doc.version.delete" => DocVersionDelete,
    /// Sets the document back to a version, by a new edit.
    "doc.restore" => DocRestore,
}

/// The token and, after a lost connection, the session that goes on.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct Hello {
    /// The token, a JWT.
    pub token: String,
    /// The session that goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionResume>,
    /// Where the client is in the user's own log; without it the stream begins at its head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Cursor>,
    /// Whether changes of the room list are told.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub list: bool,
    /// What this device is called; for the user's own eyes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    /// The client's name and version, for the operator's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// The token must not be printed.
impl std::fmt::Debug for Hello {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hello").field("list", &self.list).field("client", &self.client).finish_non_exhaustive()
    }
}

/// A session that goes on.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct SessionResume {
    /// Its id, from `welcome`.
    pub id: SessionId,
    /// Its secret, from `welcome`.
    pub secret: String,
}

/// A new token.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
pub struct TokenRefresh {
    /// The token, of the same user.
    pub token: String,
}

impl std::fmt::Debug for TokenRefresh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenRefresh").finish_non_exhaustive()
    }
}

records! {
    /// Asks for a `pong`.
    Ping {}
    /// Creates a room. Creating it again under the same id and by the same user is no error when nothing differs.
    RoomCreate {
        /// Makes it idempotent.
        key: Key,
        /// The host application's id; one is generated without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<RoomId>,
        /// What it is for; not `direct`.
        kind: RoomKind,
        /// Title.
        #[serde(default)]
        title: String,
        /// Topic.
        #[serde(default)]
        topic: String,
        /// Who sees what was before them.
        #[serde(default)]
        history: HistoryVisibility,
        /// Seconds between two messages of a person.
        #[serde(default)]
        slow_mode_s: u32,
        /// Days after which messages are erased.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retention_days: Option<u32>,
        /// First members beside the creator.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        members: Vec<NewMember>,
        /// The host application's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    }
    /// Somebody who becomes a member.
    NewMember {
        /// Who.
        user: UserId,
        /// With which role.
        #[serde(default = "crate::document::member")]
        role: Role,
        /// Capabilities of their own in place of the role's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capabilities: Option<Vec<Capability>>,
        /// The host application's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    }
    /// The direct room with somebody.
    RoomDirect {
        /// The other one.
        user: UserId,
    }
    /// Attaches to a room.
    RoomOpen {
        /// Which.
        room: RoomId,
        /// What the client has; without it a snapshot is sent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<Cursor>,
    }
    /// Detaches from a room.
    RoomClose {
        /// Which.
        room: RoomId,
    }
    /// The user's rooms, the one with the newest event first.
    RoomList {
        /// Continues a list: the `next` of the page before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
        /// Rows, at most 200.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
        /// Whether archived rooms are wanted too.
        #[serde(default)]
        archived: bool,
    }
    /// Changes a room's record; absent fields stay.
    RoomUpdate {
        /// Which.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Title.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// Topic.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        topic: Option<String>,
        /// Who sees what was before them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        history: Option<HistoryVisibility>,
        /// Seconds between two messages of a person; 0 is off.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slow_mode_s: Option<u32>,
        /// Days after which messages are erased; 0 keeps them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retention_days: Option<u32>,
        /// The host application's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    }
    /// Archives a room, or takes it out of the archive.
    RoomArchive {
        /// Which.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Into the archive, or out of it.
        archived: bool,
    }
    /// Gives up one's own membership.
    RoomLeave {
        /// Which.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
    }
    /// Grants a membership.
    MemberAdd {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Who.
        user: UserId,
        /// With which role.
        #[serde(default = "crate::document::member")]
        role: Role,
        /// Capabilities of their own in place of the role's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capabilities: Option<Vec<Capability>>,
        /// The host application's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    }
    /// Changes a membership; absent fields stay.
    MemberUpdate {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Whose.
        user: UserId,
        /// The new role; it takes capabilities of their own away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Role>,
        /// Capabilities of their own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capabilities: Option<Vec<Capability>>,
        /// Until when they may not send; 0 lets them speak again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        muted_until: Option<Millis>,
        /// The host application's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    }
    /// Takes a membership away.
    MemberRemove {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Whose.
        user: UserId,
    }
    /// Bans somebody.
    MemberBan {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Whom.
        user: UserId,
        /// Until when; for ever when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Millis>,
        /// Why, for those who moderate.
        #[serde(default)]
        reason: String,
    }
    /// Lifts a ban.
    MemberUnban {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Whose.
        user: UserId,
    }
    /// A page of members, by user id.
    MemberList {
        /// Where.
        room: RoomId,
        /// Continues after this user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<UserId>,
        /// Rows, at most 200.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    }
    /// Sends a message.
    ChatSend {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// The words, at most 16 KiB.
        text: String,
        /// Users to tell, at most 50; they must be in the room.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mentions: Vec<UserId>,
        /// Whether everybody in the room is meant; needs the capability to announce.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        mention_all: bool,
        /// The message that it answers.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reply_to: Option<Seq>,
        /// The first message of its thread.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<Seq>,
        /// Shown as an announcement; needs the capability.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        announcement: bool,
        /// The host application's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    }
    /// Edits one's own message.
    ChatEdit {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Which message.
        target: Seq,
        /// The new words.
        text: String,
        /// The new mentions; only the added ones are told.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mentions: Vec<UserId>,
        /// The new data; absent takes it away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    }
    /// Deletes a message.
    ChatDelete {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Which message.
        target: Seq,
    }
    /// Adds a reaction or takes it back.
    ChatReact {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// On which message.
        target: Seq,
        /// Which emoji.
        emoji: String,
        /// Added, or taken back.
        on: bool,
    }
    /// Pins or unpins a message.
    ChatPin {
        /// Where.
        room: RoomId,
        /// Makes it idempotent.
        key: Key,
        /// Which message.
        target: Seq,
        /// Pinned, or unpinned.
        on: bool,
    }
    /// Everything up to `seq` is read. A lower number than before changes nothing.
    ChatRead {
        /// Where.
        room: RoomId,
        /// Up to here.
        seq: Seq,
    }
    /// A page of messages. Without a place the newest; at most one of `before`, `after` and `around`.
    ChatHistory {
        /// Where.
        room: RoomId,
        /// Older than this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Seq>,
        /// Newer than this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Seq>,
        /// This one in the middle.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        around: Option<Seq>,
        /// Only the thread below this message; without it only messages outside threads.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thread: Option<Seq>,
        /// Rows, at most 200.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    }
    /// Full-text search, newest first: all words must occur.
    ChatSearch {
        /// The words, at most 256 bytes.
        query: String,
        /// Only in this room; without it in all rooms of the user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<RoomId>,
        /// Only from this user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<UserId>,
        /// Continues a search: the `next` of the page before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
        /// Rows, at most 200.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    }
    /// Typing. It ends by itself after some seconds and is told anew while it lasts.
    Typing {
        /// Where.
        room: RoomId,
        /// Types, or has stopped.
        on: bool,
    }
    /// The user's own state on this device.
    PresenceSet {
        /// How present the user is; `offline` hides this device at once, without a grace.
        state: PresenceState,
        /// Their own words; absent leaves them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    }
    /// A page of who is in a room, by user id.
    PresenceList {
        /// Where.
        room: RoomId,
        /// Continues after this user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<UserId>,
        /// Rows, at most 200.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    }
    /// Names and pictures.
    ProfileList {
        /// Whose, at most 100.
        users: Vec<UserId>,
    }
    /// An event of the host application, to a room or to a user.
    AppSend {
        /// To this room. Exactly one of `room` and `user`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<RoomId>,
        /// To this user; needs a service grant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<UserId>,
        /// Makes it idempotent and durable; without it the event is passing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Key>,
        /// Its name, `app.` first.
        name: Name,
        /// Its body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    }
}
