//! The table: every operation once. The server builds its router from it, and the OpenAPI document is made of it.

use super::{
    Alive, AppBody, AppSent, BanBody, BanPage, Blob, CallPage, CallsQuery, CodeBody, Committed, DirectBody,
    DocumentBody, DocumentChange, DocumentPage, DocumentTicket, ExchangeBody, FoundPage, HistoryPage, HistoryQuery,
    Info, InviteAccepted, InviteBody, InviteMade, InvitePage, InvitePreview, LinkBody, LinkExchanged, LinkMade,
    LinkPage, LinkPreview, LinksQuery, LoggedIn, LoginBody, MemberBody, MemberChange, MemberOutcomes, MemberPage,
    MembersBody, MessageBody, MessageChange, PeopleQuery, PresencePage, ProfilesBody, ReadBody, Readiness,
    RevocationBody, Revoked, RoomBody, RoomChange, RoomLine, RoomPage, RoomView, RoomsQuery, UserLine, UserView,
    VersionBody, VersionPage, VersionsQuery, WordsQuery,
};
use crate::{ConnectionCheck, DocumentInfo, DocumentVersion, IceServers, Member, Message, Profile};

/// How an operation is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Adds something.
    Post,
    /// Sets something, however often.
    Put,
    /// Changes a part.
    Patch,
    /// Takes something away.
    Delete,
}

impl Method {
    /// As it stands in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// Who may ask, before any room is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Open,
    /// Whoever has a token.
    Token,
    /// The user that the path names, with a token that names no rooms; and the host application.
    Own,
    /// The host application: a token with a service grant.
    Service,
}

/// What the answer consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// Nothing.
    Nothing,
    /// One JSON value.
    Json,
    /// JSON values, one a line.
    Lines,
    /// OpenMetrics text.
    Metrics,
    /// A Yjs update.
    Update,
    /// A raster image.
    Image,
}

macro_rules! operations {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident: $method:ident $path:literal, $access:ident $($keyed:ident)?,
            query $query:ty, body $body:ty => $media:ident $reply:ty, $($status:literal)+;
    )*) => {
        /// What can be asked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operation {
            $( $(#[doc = $doc])+ $name, )*
        }

        impl Operation {
            /// Every operation, in the order of the document.
            pub const ALL: &'static [Self] = &[ $( Self::$name, )* ];

            /// Its name in the document.
            pub fn name(self) -> &'static str {
                match self { $( Self::$name => stringify!($name), )* }
            }

            /// How it is asked for.
            pub fn method(self) -> Method {
                match self { $( Self::$name => Method::$method, )* }
            }

            /// Where it is asked for, with `{names}` of parameters.
            pub fn path(self) -> &'static str {
                match self { $( Self::$name => $path, )* }
            }

            /// Who may ask.
            pub fn access(self) -> Access {
                match self { $( Self::$name => Access::$access, )* }
            }

            /// Whether an `Idempotency-Key` is looked at.
            pub fn is_keyed(self) -> bool {
                match self { $( Self::$name => operations!(@keyed $($keyed)?), )* }
            }

            /// What the answer consists of.
            pub fn media(self) -> Media {
                match self { $( Self::$name => Media::$media, )* }
            }

            /// The statuses of success.
            pub fn statuses(self) -> &'static [u16] {
                match self { $( Self::$name => &[ $( $status ),+ ], )* }
            }

            /// What it is for, in lines.
            pub fn summary(self) -> &'static [&'static str] {
                match self { $( Self::$name => &[ $( $doc ),+ ], )* }
            }

            /// The schemas of its query, body and reply; `()` is none.
            #[cfg(feature = "generate")]
            pub(super) fn schemas(self, maker: &mut schemars::SchemaGenerator) -> [schemars::Schema; 3] {
                match self { $( Self::$name => [
                    <$query as schemars::JsonSchema>::json_schema(maker),
                    maker.subschema_for::<$body>(),
                    maker.subschema_for::<$reply>(),
                ], )* }
            }

            /// Whether the body is an image and not JSON.
            pub fn takes_image(self) -> bool {
                self == Self::BlobPost
            }

            /// Whether a body is read.
            pub fn has_body(self) -> bool {
                match self { $( Self::$name => size_of::<$body>() > 0, )* }
            }
        }

        // The types of queries are read by the server's handlers; naming them here keeps the table honest without
        // the generator.
        const _: fn() = || { $( let _ = size_of::<($query, $reply)>(); )* };
    };
    (@keyed) => { false };
    (@keyed keyed) => { true };
}

operations! {
    /// Whether the process lives.
    Health: Get "/v1/health", Open, query (), body () => Json Alive, 200;
    /// Whether the server takes work: the store answers and it is not stopping. 503 when not.
    Ready: Get "/v1/ready", Open, query (), body () => Json Readiness, 200;
    /// What the server says about itself.
    ServerInfo: Get "/v1/info", Open, query (), body () => Json Info, 200;
    /// What the server can say to somebody who asks what works, and ICE servers to try.
    ConnectionCheck: Get "/v1/check", Token, query (), body () => Json ConnectionCheck, 200;
    /// This document.
    OpenApi: Get "/v1/openapi.json", Open, query (), body () => Json serde_json::Value, 200;
    /// Counters and gauges.
    Metrics: Get "/metrics", Open, query (), body () => Metrics (), 200;
    /// Logs in by name; on a development server (`--dev`) only.
    DevLogin: Post "/v1/dev/login", Open, query (), body LoginBody => Json LoggedIn, 200;

    /// The user's rooms with last message and unread counts, the one with the newest event first. The host
    /// application gets all rooms.
    RoomList: Get "/v1/rooms", Token, query RoomsQuery, body () => Json RoomPage, 200;
    /// Creates a room under a generated id. With a key it is created once.
    RoomPost: Post "/v1/rooms", Token keyed, query (), body RoomBody => Json RoomView, 201;
    /// Creates a room under the host application's own id. The same body again changes nothing, another one is a
    /// conflict.
    RoomPut: Put "/v1/rooms/{room}", Token keyed, query (), body RoomBody => Json RoomView, 201 200;
    /// A room's record.
    RoomGet: Get "/v1/rooms/{room}", Token, query (), body () => Json RoomView, 200;
    /// Changes a room's record, or archives it, or takes it out of the archive.
    RoomPatch: Patch "/v1/rooms/{room}", Token keyed, query (), body RoomChange => Json RoomView, 200;
    /// Deletes a room with everything in it.
    RoomDelete: Delete "/v1/rooms/{room}", Service, query (), body () => Nothing (), 204;
    /// Everything of a room that the reader may see: its record, then its events in order, one a line.
    RoomExport: Get "/v1/rooms/{room}/export", Token, query (), body () => Lines RoomLine, 200;
    /// Finds or creates the direct room with somebody.
    DirectPost: Post "/v1/direct", Token, query (), body DirectBody => Json RoomView, 200;

    /// ICE servers for a call in this room, with credentials of limited time. Ask again when `refresh_at` has come.
    RoomIce: Post "/v1/rooms/{room}/ice", Token, query (), body () => Json IceServers, 200;

    /// A page of members.
    MemberList: Get "/v1/rooms/{room}/members", Token, query PeopleQuery, body () => Json MemberPage, 200;
    /// Makes many users members; each row has its own outcome.
    MemberPost: Post "/v1/rooms/{room}/members", Token, query (), body MembersBody => Json MemberOutcomes, 200;
    /// A membership.
    MemberGet: Get "/v1/rooms/{room}/members/{user}", Token, query (), body () => Json Member, 200;
    /// Makes somebody a member, or sets the rights of a member.
    MemberPut: Put "/v1/rooms/{room}/members/{user}", Token keyed, query (), body MemberBody => Json Committed, 200;
    /// Changes a membership: role, capabilities, mute, data.
    MemberPatch: Patch "/v1/rooms/{room}/members/{user}", Token keyed,
        query (), body MemberChange => Json Committed, 200;
    /// Takes a membership away; one's own is given up.
    MemberDelete: Delete "/v1/rooms/{room}/members/{user}", Token keyed, query (), body () => Json Committed, 200;
    /// A page of bans in force, for those who moderate.
    BanList: Get "/v1/rooms/{room}/bans", Token, query PeopleQuery, body () => Json BanPage, 200;
    /// Bans somebody: takes the membership away and refuses them until it is lifted.
    BanPut: Put "/v1/rooms/{room}/bans/{user}", Token keyed, query (), body BanBody => Json Committed, 200;
    /// Lifts a ban.
    BanDelete: Delete "/v1/rooms/{room}/bans/{user}", Token keyed, query (), body () => Json Committed, 200;
    /// A page of who is there.
    PresenceList: Get "/v1/rooms/{room}/presence", Token, query PeopleQuery, body () => Json PresencePage, 200;

    /// Makes an invite: a link by which people with a token become members. For members who may invite, and the host
    /// application. The code is told this once.
    InvitePost: Post "/v1/rooms/{room}/invites", Token, query (), body InviteBody => Json InviteMade, 201;
    /// A page of the room's invites, without their codes, for those who may invite.
    InviteList: Get "/v1/rooms/{room}/invites", Token, query LinksQuery, body () => Json InvitePage, 200;
    /// Revokes an invite. Who has accepted it stays a member.
    InviteDelete: Delete "/v1/rooms/{room}/invites/{link}", Token, query (), body () => Nothing (), 204;
    /// What an invite leads to.
    InviteLook: Post "/v1/invites/preview", Token, query (), body CodeBody => Json InvitePreview, 200;
    /// Becomes a member by an invite. Who is one already stays as they are. 409 when it opens nothing; its preview
    /// tells why.
    InviteAccept: Post "/v1/invites/accept", Token, query (), body CodeBody => Json InviteAccepted, 200;
    /// Makes a join link: the key to the room for people without an account. For members who manage the room, and the
    /// host application. The code is told this once.
    LinkPost: Post "/v1/rooms/{room}/links", Token, query (), body LinkBody => Json LinkMade, 201;
    /// A page of the room's join links, without their codes, for those who manage the room.
    LinkList: Get "/v1/rooms/{room}/links", Token, query LinksQuery, body () => Json LinkPage, 200;
    /// Revokes a join link: its guests are closed out at once and leave the room.
    LinkDelete: Delete "/v1/rooms/{room}/links/{link}", Token, query (), body () => Nothing (), 204;
    /// What a join link leads to.
    LinkLook: Post "/v1/links/preview", Open, query (), body CodeBody => Json LinkPreview, 200;
    /// Exchanges a join link for a short token of a guest, or renews a guest's token. 409 when it opens nothing; its
    /// preview tells why.
    LinkExchange: Post "/v1/links/exchange", Open, query (), body ExchangeBody => Json LinkExchanged, 200;

    /// A page of calls: who, when, how long, how they ended, how well people were connected.
    CallList: Get "/v1/rooms/{room}/calls", Token, query CallsQuery, body () => Json CallPage, 200;
    /// A page of messages.
    MessageList: Get "/v1/rooms/{room}/messages", Token, query HistoryQuery, body () => Json HistoryPage, 200;
    /// Sends a message. With a key it is sent once.
    MessagePost: Post "/v1/rooms/{room}/messages", Token keyed, query (), body MessageBody => Json Committed, 201;
    /// A message as it is now.
    MessageGet: Get "/v1/rooms/{room}/messages/{seq}", Token, query (), body () => Json Message, 200;
    /// Edits one's own message.
    MessagePatch: Patch "/v1/rooms/{room}/messages/{seq}", Token keyed,
        query (), body MessageChange => Json Committed, 200;
    /// Deletes a message; a tombstone stays.
    MessageDelete: Delete "/v1/rooms/{room}/messages/{seq}", Token keyed, query (), body () => Json Committed, 200;
    /// Adds a reaction.
    ReactionPut: Put "/v1/rooms/{room}/messages/{seq}/reactions/{emoji}", Token keyed,
        query (), body () => Json Committed, 200;
    /// Takes a reaction back.
    ReactionDelete: Delete "/v1/rooms/{room}/messages/{seq}/reactions/{emoji}", Token keyed,
        query (), body () => Json Committed, 200;
    /// Pins a message.
    PinPut: Put "/v1/rooms/{room}/messages/{seq}/pin", Token keyed, query (), body () => Json Committed, 200;
    /// Unpins a message.
    PinDelete: Delete "/v1/rooms/{room}/messages/{seq}/pin", Token keyed, query (), body () => Json Committed, 200;
    /// Moves the user's read marker forward.
    ReadPut: Put "/v1/rooms/{room}/read", Token, query (), body ReadBody => Json Committed, 200;
    /// Full-text search, newest first. The host application searches all rooms.
    Search: Get "/v1/search", Token, query WordsQuery, body () => Json FoundPage, 200;

    /// The shared documents of a room.
    DocumentList: Get "/v1/rooms/{room}/documents", Token, query (), body () => Json DocumentPage, 200;
    /// Creates a document. The same body again changes nothing, another one is a conflict. Needs the right to manage the
    /// room, as changing and deleting do.
    DocumentPut: Put "/v1/rooms/{room}/documents/{document}", Token keyed,
        query (), body DocumentBody => Json DocumentInfo, 201 200;
    /// A document's record.
    DocumentGet: Get "/v1/rooms/{room}/documents/{document}", Token, query (), body () => Json DocumentInfo, 200;
    /// Changes a document's record: title, who may edit, lock, data.
    DocumentPatch: Patch "/v1/rooms/{room}/documents/{document}", Token keyed,
        query (), body DocumentChange => Json DocumentInfo, 200;
    /// Deletes a document with everything in it and its versions. Every room keeps its board.
    DocumentDelete: Delete "/v1/rooms/{room}/documents/{document}", Token keyed,
        query (), body () => Json Committed, 200;
    /// A ticket that opens a document for a plain Yjs provider, for a minute. Open connections of the same user to the
    /// document go on with the token of this request.
    DocumentTicket: Post "/v1/rooms/{room}/documents/{document}/ticket", Token,
        query (), body () => Json DocumentTicket, 201;
    /// The content of now as one Yjs update (v1).
    DocumentContent: Get "/v1/rooms/{room}/documents/{document}/content", Token, query (), body () => Update (), 200;
    /// The content of now as JSON, by the names of its roots.
    DocumentJson: Get "/v1/rooms/{room}/documents/{document}/json", Token,
        query (), body () => Json serde_json::Value, 200;
    /// A page of versions, newest first.
    VersionList: Get "/v1/rooms/{room}/documents/{document}/versions", Token,
        query VersionsQuery, body () => Json VersionPage, 200;
    /// Keeps the state of now as a version.
    VersionPost: Post "/v1/rooms/{room}/documents/{document}/versions", Token,
        query (), body VersionBody => Json DocumentVersion, 201;
    /// A version's content as one Yjs update (v1).
    VersionContent: Get "/v1/rooms/{room}/documents/{document}/versions/{version}/content", Token,
        query (), body () => Update (), 200;
    /// A version's content as JSON, by the names of its roots.
    VersionJson: Get "/v1/rooms/{room}/documents/{document}/versions/{version}/json", Token,
        query (), body () => Json serde_json::Value, 200;
    /// Deletes a version: who kept it may while they may edit, and who manages the room.
    VersionDelete: Delete "/v1/rooms/{room}/documents/{document}/versions/{version}", Token,
        query (), body () => Nothing (), 204;
    /// Sets a document back to a version, by a new edit; the answer is the version that keeps what was there.
    VersionRestore: Post "/v1/rooms/{room}/documents/{document}/versions/{version}/restore", Token,
        query (), body () => Json DocumentVersion, 200;
    /// Keeps an image beside the documents of a room, once however often it is sent. PNG, JPEG, GIF and WebP are taken.
    BlobPost: Post "/v1/rooms/{room}/blobs", Token, query (), body Vec<u8> => Json Blob, 201;
    /// An image.
    BlobGet: Get "/v1/rooms/{room}/blobs/{hash}", Token, query (), body () => Image (), 200;

    /// Sends an event of the host application to a room: durable with a key (201), else passing (202).
    RoomEventPost: Post "/v1/rooms/{room}/events", Token keyed, query (), body AppBody => Json AppSent, 201 202;
    /// Sends an event of the host application to a user: durable with a key (201), else passing (202).
    UserEventPost: Post "/v1/users/{user}/events", Service keyed, query (), body AppBody => Json AppSent, 201 202;

    /// What is known of a user.
    UserGet: Get "/v1/users/{user}", Own, query (), body () => Json UserView, 200;
    /// Sets how a user is shown, before they ever came too.
    UserPut: Put "/v1/users/{user}", Service, query (), body Profile => Json Profile, 200;
    /// Erases a user: words, reactions, memberships, name and own log. Numbers stay. Their tokens are refused.
    UserDelete: Delete "/v1/users/{user}", Service, query (), body () => Nothing (), 204;
    /// Everything that is kept about a user, one thing a line.
    UserExport: Get "/v1/users/{user}/export", Own, query (), body () => Lines UserLine, 200;
    /// Refuses the user's tokens that were issued before now, or before a moment that is named, and closes their
    /// connections.
    UserRevoke: Post "/v1/users/{user}/revoke", Service, query (), body RevocationBody => Json Revoked, 200;
    /// Sets how many users are shown.
    ProfilesPut: Put "/v1/profiles", Service, query (), body ProfilesBody => Nothing (), 204;
}
