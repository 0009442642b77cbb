//! Bodies and queries of the HTTP API, and the one table of its operations.
//!
//! Bodies are the commands of the socket without what the address says already; the server makes those commands of
//! them and asks them the same questions.

use crate::{
    AccessView, Ban, CallRecord, Capability, Data, Epoch, ErrorCode, Fault, HistoryVisibility, Key, Member, Message,
    Millis, Name, NewMember, Presence, Profile, Profiles, Role, RoomEntry, RoomEvent, RoomId, RoomInfo, RoomKind, Seq,
    UserEvent, UserId,
};
use serde::{Deserialize, Serialize};

macro_rules! bodies {
    ($( $(#[$doc:meta])* $name:ident { $( $(#[$field_doc:meta])* $field:ident : $type:ty ),* $(,)? } )*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
        pub struct $name { $( $(#[$field_doc])* pub $field: $type, )* }
    )* };
}

mod documents;
mod links;
#[cfg(feature = "generate")]
mod openapi;
mod table;

pub use documents::*;
pub use links::*;
#[cfg(feature = "generate")]
pub use openapi::openapi;
pub use table::{Access, Media, Method, Operation};

// Queries.
bodies! {
    /// Which rooms.
    RoomsQuery {
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
    /// A page of people.
    PeopleQuery {
        /// Continues after this user: the `next` of the page before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<UserId>,
        /// Rows, at most 200.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    }
    /// A page of messages. Without a place the newest; at most one of `before`, `after` and `around`.
    HistoryQuery {
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
    /// A page of calls.
    CallsQuery {
        /// Older than this one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Seq>,
        /// Rows, at most 50.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    }
    /// A search.
    WordsQuery {
        /// The words, at most 256 bytes; all must occur.
        q: String,
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
}

// Bodies of requests.
bodies! {
    /// A room that is to be.
    RoomBody {
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
    /// Changes of a room's record; absent fields stay. `archived` changes alone.
    RoomChange {
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
        /// Into the archive, or out of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        archived: Option<bool>,
    }
    /// The direct room with somebody.
    DirectBody {
        /// The other one.
        user: UserId,
        /// The first one, in place of the token's user; for the host application.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<UserId>,
    }
    /// A membership.
    MemberBody {
        /// With which role.
        #[serde(default = "member_role")]
        role: Role,
        /// Capabilities of their own in place of the role's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capabilities: Option<Vec<Capability>>,
        /// The host application's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    }
    /// Changes of a membership; absent fields stay.
    MemberChange {
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
    /// Many memberships at once.
    MembersBody {
        /// Who, at most 1,000.
        members: Vec<NewMember>,
    }
    /// A ban.
    BanBody {
        /// Until when; for ever when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Millis>,
        /// Why, for those who moderate.
        #[serde(default)]
        reason: String,
    }
    /// A message that is to be sent.
    MessageBody {
        /// The words, at most 16 KiB; may be empty beside `data`.
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
        /// Makes it idempotent, like the header `Idempotency-Key`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Key>,
        /// Who says it, in place of the token's user; for the host application.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<UserId>,
    }
    /// A message's new words.
    MessageChange {
        /// The new words.
        text: String,
        /// The new mentions; only the added ones are told.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        mentions: Vec<UserId>,
        /// The new data; absent takes it away.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
    }
    /// A read marker.
    ReadBody {
        /// Everything up to here is read. A lower number than before changes nothing.
        seq: Seq,
    }
    /// An event of the host application. With a key it is durable, else passing.
    AppBody {
        /// Its name, `app.` first.
        name: Name,
        /// Its body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Data>,
        /// Makes it idempotent and durable, like the header `Idempotency-Key`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Key>,
    }
    /// How people are shown.
    ProfilesBody {
        /// By user, at most 1,000.
        profiles: Profiles,
    }
    /// Refuses tokens.
    RevocationBody {
        /// Those issued before this; now when absent. Not in the future.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Millis>,
    }
    /// Logs in by name, on a development server.
    LoginBody {
        /// The name. The same name is the same user.
        name: String,
    }
}

fn member_role() -> Role {
    Role::Member
}

// Replies.
bodies! {
    /// What the server says about itself.
    Info {
        /// Whether anybody may log in by name.
        dev: bool,
        /// The server's version.
        version: String,
        /// The protocol's version.
        protocol: u32,
        /// Where browsers find the server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        public_url: Option<String>,
        /// Where to log in by name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        login_url: Option<String>,
    }
    /// The process lives.
    Alive {
        /// Always true.
        alive: bool,
    }
    /// Whether the server takes work.
    Readiness {
        /// Whether it does; the status says the same.
        ready: bool,
        /// The server is stopping.
        draining: bool,
        /// What the store is and how it keeps what it has acknowledged; absent when it does not answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        store: Option<String>,
        /// The operator vouches for the store, whose settings alone would have been refused.
        vouched: bool,
        /// Whether other nodes are heard; absent where there is one node only. Without it the server goes on, and what
        /// others commit comes up to a second later.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bus: Option<BusReadiness>,
        /// Key sets that never gave a key: their issuers' users cannot log in.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing_key_sets: Vec<String>,
    }
    /// How nodes hear each other.
    BusReadiness {
        /// Whether they do.
        up: bool,
        /// What carries it, and what is wrong.
        says: String,
    }
    /// Somebody was let in by name.
    LoggedIn {
        /// Who.
        user: UserId,
        /// Their token.
        token: String,
    }
    /// A room as its reader sees it.
    RoomView {
        /// Its record.
        info: RoomInfo,
        /// The life of its log.
        epoch: Epoch,
        /// The end of its log.
        head: Seq,
        /// How many members there are.
        member_count: u32,
        /// The places of the pinned messages, oldest pin first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pins: Vec<Seq>,
        /// The reader's rights.
        access: AccessView,
        /// The room on the server's page; relative to the server when it does not know its public address.
        url: String,
    }
    /// A page of rooms, the one with the newest event first.
    RoomPage {
        /// The rows.
        rooms: Vec<RoomEntry>,
        /// Where the next page begins; absent on the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
        /// Names of the people in the rows.
        #[serde(default, skip_serializing_if = "Profiles::is_empty")]
        profiles: Profiles,
    }
    /// A page of members, by user id.
    MemberPage {
        /// The rows.
        members: Vec<Member>,
        /// How many there are in all.
        count: u32,
        /// Where the next page begins; absent on the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<UserId>,
        /// Their names.
        #[serde(default, skip_serializing_if = "Profiles::is_empty")]
        profiles: Profiles,
    }
    /// What became of each row of a bulk change, in order.
    MemberOutcomes {
        /// The rows.
        results: Vec<MemberOutcome>,
    }
    /// What became of one row: `seq` or `error`.
    MemberOutcome {
        /// Who.
        user: UserId,
        /// The place of the event; of the log's end where the membership was there already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<Seq>,
        /// Why not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Fault>,
    }
    /// A page of bans in force, by user id.
    BanPage {
        /// The rows.
        bans: Vec<Ban>,
        /// Where the next page begins; absent on the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<UserId>,
    }
    /// A page of who is there, by user id.
    PresencePage {
        /// The rows.
        presence: Vec<Presence>,
        /// How many are there in all.
        online: u32,
        /// Where the next page begins; absent on the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<UserId>,
        /// Their names.
        #[serde(default, skip_serializing_if = "Profiles::is_empty")]
        profiles: Profiles,
    }
    /// A page of messages, oldest first.
    HistoryPage {
        /// The rows.
        messages: Vec<Message>,
        /// Whether there are older ones.
        more_before: bool,
        /// Whether there are newer ones.
        more_after: bool,
        /// Names of the people in them.
        #[serde(default, skip_serializing_if = "Profiles::is_empty")]
        profiles: Profiles,
    }
    /// A page of calls, the newest first.
    CallPage {
        /// The rows.
        calls: Vec<CallRecord>,
        /// Whether there are older ones.
        more: bool,
        /// Names of the people in them.
        #[serde(default, skip_serializing_if = "Profiles::is_empty")]
        profiles: Profiles,
    }
    /// A page of found messages, newest first.
    FoundPage {
        /// The rows.
        messages: Vec<Message>,
        /// Where the next page begins; absent on the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<String>,
        /// Names of the people in them.
        #[serde(default, skip_serializing_if = "Profiles::is_empty")]
        profiles: Profiles,
    }
    /// A change is committed.
    Committed {
        /// The room.
        room: RoomId,
        /// The place of its event; of the log's end where nothing had to change.
        seq: Seq,
    }
    /// An event of the host application was taken.
    AppSent {
        /// Its place, where it is durable: in the room's log, or in the user's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<Seq>,
    }
    /// What is known of a user.
    UserView {
        /// Who.
        user: UserId,
        /// How they are shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<Profile>,
        /// Whether they are there.
        presence: Presence,
        /// Tokens issued before this are refused.
        revoked_before: Millis,
    }
    /// Tokens are refused.
    Revoked {
        /// Those issued before this.
        before: Millis,
    }
    /// A refusal (RFC 9457).
    Problem {
        /// `urn:stoa:problem:` and the code.
        r#type: String,
        /// What kind of refusal it is, for people.
        title: String,
        /// The HTTP status.
        status: u16,
        /// A sentence for the developer; not stable.
        detail: String,
        /// What kind of refusal it is, for programs.
        code: ErrorCode,
        /// The field that is to blame, as a path.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        field: Option<String>,
        /// Milliseconds after which the same request may be accepted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<Millis>,
    }
}

/// A line of an export that is no event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ExportLine {
    /// The first line of a room's export.
    Room {
        /// Its record.
        info: RoomInfo,
        /// The life of its log.
        epoch: Epoch,
        /// The end of its log when the export began.
        head: Seq,
    },
    /// The first line of a user's export.
    User {
        /// Who.
        user: UserId,
        /// How they are shown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        profile: Option<Profile>,
        /// Their status text.
        status: String,
        /// When they were last there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_seen: Option<Millis>,
    },
    /// A room that the user is a member of.
    Membership {
        /// Its record.
        info: RoomInfo,
        /// The membership.
        member: Member,
        /// Everything up to here is read.
        read: Seq,
    },
    /// A message of the user.
    Message {
        /// It, as it is now.
        message: Message,
    },
    /// The last line: without it the export was cut short.
    End {
        /// The lines before this one.
        lines: u64,
    },
}

/// A line of a room's export: its record, then every event that the reader may see, in order, as on the socket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum RoomLine {
    /// The record, or the end.
    Frame(Box<ExportLine>),
    /// An event.
    Event(Box<RoomEvent>),
}

/// A line of a user's export: who they are, their memberships, their messages and the events of their own log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum UserLine {
    /// What is no event.
    Frame(Box<ExportLine>),
    /// An event of the user's own log.
    Event(Box<UserEvent>),
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        let Fault { code, message, field, retry_after_ms } = fault;
        Self {
            r#type: format!("urn:stoa:problem:{}", code.as_str()),
            title: title(code).to_owned(),
            status: code.http_status(),
            detail: message,
            code,
            field,
            retry_after_ms,
        }
    }
}

fn title(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::BadRequest => "The request is not legal",
        ErrorCode::Unauthorized => "There is no valid token",
        ErrorCode::Forbidden => "This is not allowed",
        ErrorCode::NotFound => "There is no such thing",
        ErrorCode::Conflict => "The state contradicts the request",
        ErrorCode::RateLimited => "Too many requests",
        ErrorCode::Overloaded => "The server has too much to do",
        ErrorCode::Unavailable => "The store does not answer",
        ErrorCode::Unsupported => "The server does not do this",
        ErrorCode::TooLarge => "The request is too large",
        ErrorCode::Internal => "The server failed",
        ErrorCode::CallFull => "The call is full",
    }
}
