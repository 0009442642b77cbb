//! Who somebody is and what their token lets them do: the outcome of [`crate::auth`], the only identity that the hub
//! believes.

use std::ops::Index;
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
    pub rooms: Option<RoomGrants>,
    /// Whether its user may create rooms.
    pub create: bool,
    /// With whom its user may open direct rooms.
    pub direct: Direct,
    /// Whether its user may join any room but direct ones by its id, as a member (the claim `join`).
    pub join: bool,
    /// The host application itself: everything, in every room, for everybody.
    pub service: bool,
}

/// Grants by room, in order. A slice, because every connection keeps one: a tree's first node alone takes 900 bytes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RoomGrants(Box<[(RoomId, Grant)]>);

impl RoomGrants {
    /// The grant for a room.
    pub fn get(&self, room: &RoomId) -> Option<&Grant> {
        self.0.binary_search_by(|(name, _)| name.cmp(room)).ok().map(|at| &self.0[at].1)
    }

    /// Whether the room is named.
    pub fn contains_key(&self, room: &RoomId) -> bool {
        self.get(room).is_some()
    }

    /// The rooms and their grants, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&RoomId, &Grant)> {
        self.0.iter().map(|(room, grant)| (room, grant))
    }

    /// The rooms, in order.
    pub fn keys(&self) -> impl Iterator<Item = &RoomId> {
        self.0.iter().map(|(room, _)| room)
    }

    /// The grants, in the order of their rooms.
    pub fn values(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter().map(|(_, grant)| grant)
    }

    /// How many rooms are named.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no room is named: then nothing opens.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Of a room that is named twice the last grant counts.
impl FromIterator<(RoomId, Grant)> for RoomGrants {
    fn from_iter<I: IntoIterator<Item = (RoomId, Grant)>>(grants: I) -> Self {
        let sorted: std::collections::BTreeMap<RoomId, Grant> = grants.into_iter().collect();
        Self(sorted.into_iter().collect())
    }
}

impl Index<&RoomId> for RoomGrants {
    type Output = Grant;

    fn index(&self, room: &RoomId) -> &Grant {
        self.get(room).expect("the room is named")
    }
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
