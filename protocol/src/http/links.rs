//! Invites and join links: both open a room by a code in the fragment of an address, which no server and no log sees.
//! An invite presupposes a token; a join link is itself the key.

use crate::{LinkId, Millis, Profile, Role, RoomId, RoomKind, Seq, UserId};
use serde::{Deserialize, Serialize};

/// Whether an invite or a join link opens its room now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "generate", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// It does.
    Open,
    /// Its window has not begun.
    NotYet,
    /// Its window is over.
    Expired,
    /// It was revoked, or whoever made it may not invite any more.
    Revoked,
    /// It was used as often as it may be.
    UsedUp,
}

bodies! {
    /// An invite that is to be.
    InviteBody {
        /// The role of those who accept; not above one's own.
        #[serde(default = "super::member_role")]
        role: Role,
        /// How many people may accept it, at most 10,000; as many as the room takes when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uses: Option<u32>,
        /// Seconds until it expires, at most ten years; never when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_in_s: Option<u64>,
    }
    /// A join link that is to be.
    LinkBody {
        /// What the guest is called; without it each guest says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The guests' role; not above one's own.
        #[serde(default = "super::member_role")]
        role: Role,
        /// When its window begins; at once when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Millis>,
        /// When its window ends; never when absent. At most one of this and `expires_in_s`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Millis>,
        /// Seconds until its window ends, at most ten years.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_in_s: Option<u64>,
        /// How many guests it lets in, at most 10,000; that many when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uses: Option<u32>,
    }
    /// A code, from the fragment of an invite's or a join link's address.
    CodeBody {
        /// The code.
        code: String,
    }
    /// A join link's code, and who comes with it.
    ExchangeBody {
        /// The code.
        code: String,
        /// What the guest wants to be called, up to 64 characters of one line; needed where the link names nobody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The secret of a guest who was here before: they get a new token and count as one use still.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        guest: Option<String>,
    }
    /// A page of invites or join links.
    LinksQuery {
        /// Continues after this one: the `next` of the page before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<LinkId>,
        /// Rows, at most 200.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
    }

    /// An invite, without its code.
    Invite {
        /// Names it; it opens nothing.
        id: LinkId,
        /// The role of those who accept.
        role: Role,
        /// Whether it opens the room now.
        state: LinkState,
        /// How many may accept it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uses: Option<u32>,
        /// How many have.
        used: u32,
        /// When it was made.
        created_at: Millis,
        /// When it expires.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Millis>,
        /// Who made it; absent for the host application.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserId>,
    }
    /// A new invite. Its code is told this once.
    InviteMade {
        /// It.
        invite: Invite,
        /// Its code.
        code: String,
        /// The address to pass on: the server's page with the code in the fragment; relative to the server when it
        /// does not know its public address.
        url: String,
    }
    /// A page of invites, the oldest first.
    InvitePage {
        /// The rows.
        invites: Vec<Invite>,
        /// Where the next page begins; absent on the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<LinkId>,
    }
    /// What an invite leads to. Only its state is told once it opens nothing any more.
    InvitePreview {
        /// Whether it opens the room now.
        state: LinkState,
        /// The room.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<RoomId>,
        /// What the room is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<RoomKind>,
        /// The room's title.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// How many members there are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        member_count: Option<u32>,
        /// The role of those who accept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Role>,
        /// When it expires.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Millis>,
        /// Who made it; absent for the host application.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Profile>,
        /// The asking user is a member already.
        #[serde(default)]
        member: bool,
    }
    /// An invite was accepted.
    InviteAccepted {
        /// The room.
        room: RoomId,
        /// The place of the event that granted the membership; of the log's end for who was a member already.
        seq: Seq,
        /// The room on the server's page.
        url: String,
    }

    /// A join link, without its code.
    Link {
        /// Names it; it opens nothing.
        id: LinkId,
        /// What its guest is called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The guests' role.
        role: Role,
        /// Whether it opens the room now.
        state: LinkState,
        /// How many guests it lets in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uses: Option<u32>,
        /// How many came.
        used: u32,
        /// When it was made.
        created_at: Millis,
        /// When its window begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Millis>,
        /// When its window ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Millis>,
        /// Who made it; absent for the host application.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserId>,
    }
    /// A new join link. Its code is told this once.
    LinkMade {
        /// It.
        link: Link,
        /// Its code.
        code: String,
        /// The address to pass on: the server's page with the code in the fragment; relative to the server when it
        /// does not know its public address.
        url: String,
    }
    /// A page of join links, the oldest first.
    LinkPage {
        /// The rows.
        links: Vec<Link>,
        /// Where the next page begins; absent on the last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<LinkId>,
    }
    /// What a join link leads to. Only its state, and when its window begins, is told while it opens nothing.
    LinkPreview {
        /// Whether it opens the room now.
        state: LinkState,
        /// When its window begins, where that is still to come.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_before: Option<Millis>,
        /// When its window ends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Millis>,
        /// What the room is for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<RoomKind>,
        /// The room's title.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        /// What the guest is called; without it they are to be asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    }
    /// A guest was let in, or goes on.
    LinkExchanged {
        /// Their token: for this room and this role alone.
        token: String,
        /// When the token expires; before it, it is asked for again with the guest's secret.
        expires_at: Millis,
        /// The room.
        room: RoomId,
        /// Who they are here.
        user: UserId,
        /// What they are called.
        name: String,
        /// The secret by which they stay who they are: for this browser to keep, and nobody else.
        guest: String,
        /// The room on the server's page.
        url: String,
    }
}
