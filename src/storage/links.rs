//! Invites, join links and the guests who came by them: values, and the statements that both databases say in the same
//! words.

use super::{
    Result, StoreError,
    rows::{self, Cells},
};
use stoa_protocol::{LinkId, Millis, Role, RoomId, UserId, http::LinkState};

/// Most links of one room, dead ones included.
pub const LINKS_PER_ROOM: i64 = 10_000;
/// How long a dead link is remembered, milliseconds: its holder is told what became of it for thirty days.
pub const REMEMBERED_MS: Millis = 30 * 24 * 3_600 * 1_000;
/// Tokens issued before this are refused: those of guests whose link is gone, for ever. The year 9999.
pub const FOR_EVER: Millis = 253_402_300_799_000;

/// HMAC-SHA-256 of a code or a guest's secret, under the deployment's secret.
pub type CodeHash = [u8; 32];

/// What a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkKind {
    /// Makes people with a token members.
    Invite,
    /// Lets guests in.
    Join,
}

impl LinkKind {
    /// As it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Join => "join",
        }
    }
}

/// An invite or a join link. Only `used` and `revoked_at` ever change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLink {
    /// Names it.
    pub id: LinkId,
    /// The room that it opens.
    pub room: RoomId,
    /// What it is for.
    pub kind: LinkKind,
    /// The role of those who come by it.
    pub role: Role,
    /// What its guest is called.
    pub name: Option<String>,
    /// Who made it; `None` for the host application.
    pub by: Option<UserId>,
    /// When it was made.
    pub created_at: Millis,
    /// When its window begins.
    pub not_before: Option<Millis>,
    /// When its window ends.
    pub expires_at: Option<Millis>,
    /// How many may come by it.
    pub uses: Option<u32>,
    /// How many have.
    pub used: u32,
    /// When it was revoked.
    pub revoked_at: Option<Millis>,
}

impl StoredLink {
    /// Whether it opens its room to one more. The rights of whoever made it are looked at elsewhere.
    pub fn state(&self, now: Millis) -> LinkState {
        match self.state_for_who_came(now) {
            LinkState::Open if self.uses.is_some_and(|uses| self.used >= uses) => LinkState::UsedUp,
            state => state,
        }
    }

    /// Whether it holds for those who have come by it already.
    pub fn state_for_who_came(&self, now: Millis) -> LinkState {
        match () {
            () if self.revoked_at.is_some() => LinkState::Revoked,
            () if self.expires_at.is_some_and(|end| end <= now) => LinkState::Expired,
            () if self.not_before.is_some_and(|start| now < start) => LinkState::NotYet,
            () => LinkState::Open,
        }
    }
}

/// Somebody who is let in by a join link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGuest {
    /// Who they are here.
    pub user: UserId,
    /// What they are called.
    pub name: String,
    /// The hash of their secret.
    pub secret: CodeHash,
    /// When they came.
    pub at: Millis,
}

/// The columns of [`link`].
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT l.id, l.room, l.kind, l.role, l.name, l.creator, l.created_at, l.not_before, l.expires_at, l.uses,
                l.used, l.revoked_at FROM links l ",
            $rest
        )
    };
}

/// One by its id.
pub const BY_ID: &str = select!("WHERE l.id = $1");
/// One by the hash of its code.
pub const BY_CODE: &str = select!("WHERE l.code = $1");
/// One by the hash of its guest's secret; then the guest.
pub const BY_GUEST: &str =
    "SELECT l.id, l.room, l.kind, l.role, l.name, l.creator, l.created_at, l.not_before, l.expires_at, l.uses, l.used,
        l.revoked_at, g.user_id FROM guests g JOIN links l ON l.id = g.link WHERE g.secret = $1";
/// A page of a room's, in the order of their creation.
pub const OF_ROOM: &str = select!("WHERE l.room = $1 AND l.kind = $2 AND l.id > $3 ORDER BY l.id LIMIT $4");
/// The guests of those of a room that have been dead for long, then those themselves.
pub const FORGET: [&str; 2] = [
    "DELETE FROM guests WHERE link IN (SELECT id FROM links WHERE room = $1 AND (revoked_at < $2 OR expires_at < $2))",
    "DELETE FROM links WHERE room = $1 AND (revoked_at < $2 OR expires_at < $2)",
];
/// Keeps one, in a room that is there and has not too many.
pub const PUT: &str = "
    INSERT INTO links (id, room, kind, code, role, name, creator, created_at, not_before, expires_at, uses)
    SELECT $1, r.id, $3, $4, $5, $6, $7, $8, $9, $10, $11 FROM rooms r
     WHERE r.id = $2 AND r.kind IS NOT NULL AND (SELECT count(*) FROM links l WHERE l.room = $2) < $12";
/// Revokes one.
pub const REVOKE: &str = "UPDATE links SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL";
/// Refuses the tokens of its guests.
pub const REFUSE_GUESTS: &str =
    "UPDATE users SET revoked_before = $2 WHERE id IN (SELECT user_id FROM guests WHERE link = $1)";
/// Counts one use, when there is one left and the link opens.
pub const USE: &str = "
    UPDATE links SET used = used + 1
     WHERE id = $1 AND revoked_at IS NULL AND (uses IS NULL OR used < uses)
       AND (expires_at IS NULL OR expires_at > $2) AND (not_before IS NULL OR not_before <= $2)";
/// Keeps a guest.
pub const PUT_GUEST: &str = "INSERT INTO guests (user_id, link, secret, created_at) VALUES ($1, $2, $3, $4)";
/// Keeps a guest's name.
pub const PUT_GUEST_NAME: &str = "
    INSERT INTO users (id, epoch, name) SELECT $1, value, $2 FROM settings WHERE name = 'user_epoch'";
/// A page of a link's guests.
pub const GUESTS_OF: &str = "SELECT user_id FROM guests WHERE link = $1 AND user_id > $2 ORDER BY user_id LIMIT $3";

/// A row of any of the selections above.
pub fn link(row: &impl Cells) -> Result<StoredLink> {
    let small = |column: usize| -> Result<Option<u32>> {
        let number = row.int(column)?.map(u32::try_from).transpose();
        number.map_err(|error| StoreError::Damaged(format!("a count: {error}")))
    };
    let kind = match rows::text(row, 2)?.as_str() {
        "invite" => LinkKind::Invite,
        "join" => LinkKind::Join,
        other => return Err(StoreError::Damaged(format!("a link of the kind {other}"))),
    };
    Ok(StoredLink {
        id: rows::id(row, 0)?,
        room: rows::id(row, 1)?,
        kind,
        role: rows::word(row, 3)?,
        name: row.text(4)?.map(str::to_owned),
        by: rows::optional_id(row, 5)?,
        created_at: rows::millis(row, 6)?,
        not_before: rows::optional_millis(row, 7)?,
        expires_at: rows::optional_millis(row, 8)?,
        uses: small(9)?,
        used: small(10)?.unwrap_or_default(),
        revoked_at: rows::optional_millis(row, 11)?,
    })
}
