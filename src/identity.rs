//! Who somebody is and what their token lets them do: the outcome of [`crate::auth`], the only identity that the hub
//! believes.

use std::collections::BTreeMap;
use stoa_protocol::{Millis, Profile, RoomId, UserId};
use stoa_rooms::{Actor, Grant};

/// A verified token.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The subject, with its realm in front outside the default realm.
    pub user: UserId,
    /// How they are shown, as the token says; `None` leaves what is known.
    pub profile: Option<Profile>,
    /// What the token lets them do.
    pub grants: Grants,
    /// When the token was issued; revocations compare it. Tokens without `iat` count as issued at 0.
    pub issued_at: Millis,
    /// When it expires.
    pub expires_at: Millis,
}

impl Identity {
    /// This user in a room.
    pub fn actor(&self, room: &RoomId) -> Actor {
        Actor {
            user: self.user.clone(),
            grant: self.grants.rooms.as_ref().and_then(|rooms| rooms.get(room)).cloned(),
            confined: self.grants.rooms.is_some(),
            join: self.grants.join,
            service: self.grants.service,
        }
    }
}

/// What a token lets its user do.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Grants {
    /// Rooms that it opens. When there are any, it opens these alone, whatever else the user is a member of.
    pub rooms: Option<BTreeMap<RoomId, Grant>>,
    /// Whether its user may create rooms.
    pub create: bool,
    /// With whom its user may open direct rooms.
    pub direct: Direct,
    /// Whether its user may join any room but direct ones by its id, as a member (the claim `join`).
    pub join: bool,
    /// The host application itself: everything, in every room, for everybody.
    pub service: bool,
}

/// With whom somebody may open direct rooms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Direct {
    /// With nobody.
    #[default]
    Nobody,
    /// With these.
    Some(Vec<UserId>),
    /// With anybody.
    Anybody,
}
