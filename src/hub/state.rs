//! What a room's log folds to: the room and its call, which know nothing of each other. What one means for the other
//! is said here.

use super::Hub;
use crate::storage::StoredRoom;
use serde::Serialize;
use std::{collections::BTreeSet, sync::Arc};
use stoa_protocol::{
    Capability, DeviceId, Fault, LinkId, Millis, RoomEventBody, RoomId, RoomKind, Seq, SessionId, UserEventBody, UserId,
};
use stoa_rooms::{Actor, Room, Target};
use stoa_signaling::{Call, Caller, Place, Retained};

/// A durable wish, about the room or its call. Its serialised form is what the digest of a key covers.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Wish {
    /// About the room.
    Room(stoa_rooms::Intent),
    /// About its call.
    Call(stoa_signaling::Intent),
}

impl From<stoa_rooms::Intent> for Wish {
    fn from(intent: stoa_rooms::Intent) -> Self {
        Self::Room(intent)
    }
}

impl From<stoa_signaling::Intent> for Wish {
    fn from(intent: stoa_signaling::Intent) -> Self {
        Self::Call(intent)
    }
}

impl Wish {
    /// The older message that it is about.
    pub fn target(&self) -> Option<Seq> {
        match self {
            Self::Room(intent) => intent.target(),
            Self::Call(_) => None,
        }
    }

    /// The invite by which somebody joins.
    pub fn invite(&self) -> Option<&LinkId> {
        match self {
            Self::Room(intent) => intent.invite(),
            Self::Call(_) => None,
        }
    }

    /// Whether it brings the room into being.
    pub fn creates(&self) -> bool {
        match self {
            Self::Room(intent) => intent.creates(),
            Self::Call(_) => false,
        }
    }

    /// Whether it takes somebody in or begins a call.
    pub fn takes_in(&self) -> bool {
        match self {
            Self::Room(intent) => intent.takes_in(),
            Self::Call(intent) => intent.takes_in(),
        }
    }

    /// Whether the server itself wants it: then nobody caused what follows.
    pub fn is_servers(&self) -> bool {
        match self {
            Self::Room(_) => false,
            Self::Call(intent) => intent.is_servers(),
        }
    }
}

/// Which session of its user wants something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The session.
    pub session: SessionId,
    /// Its device, by the name that tells others nothing.
    pub device: Option<DeviceId>,
}

/// Who asks where and when.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The room.
    pub id: &'a RoomId,
    /// Who.
    pub actor: &'a Actor,
    /// From which session.
    pub origin: Option<&'a Origin>,
    /// When.
    pub now: Millis,
}

/// What follows from a wish.
#[derive(Debug, Default)]
pub struct Facts {
    /// Events of the room, in order; the first one's number is the command's.
    pub bodies: Vec<RoomEventBody>,
    /// Events of users' own logs.
    pub notices: Vec<(UserId, UserEventBody)>,
    /// Retained rows.
    pub retained: Vec<Retained>,
}

impl From<stoa_rooms::Facts> for Facts {
    fn from(facts: stoa_rooms::Facts) -> Self {
        Self { bodies: facts.bodies, notices: facts.notices, retained: vec![] }
    }
}

impl From<stoa_signaling::Facts> for Facts {
    fn from(facts: stoa_signaling::Facts) -> Self {
        let bodies = facts.bodies.into_iter().map(RoomEventBody::Call).collect();
        Self { bodies, notices: facts.notices, retained: facts.retained }
    }
}

/// A room and its call, as the log folds. Cloning it costs some reference counts.
#[derive(Debug, Clone)]
pub struct RoomState {
    /// The room.
    pub room: Room,
    /// Its running call.
    pub call: Option<Arc<Call>>,
}

impl RoomState {
    /// As the state tables have it.
    pub fn restore(stored: StoredRoom) -> Self {
        let StoredRoom { epoch, head, info, creator: _, members, bans, pins, documents, call } = stored;
        let call = call.map(|call| Arc::new(Call::restore(call)));
        let room = Room::restore(epoch, head, info, members, bans, pins).with_documents(documents);
        Self { room, call }
    }

    /// Takes a committed fact.
    pub fn apply(&mut self, seq: Seq, at: Millis, from: Option<&UserId>, body: &RoomEventBody) {
        self.room.apply(seq, at, from, body);
        if let RoomEventBody::Call(event) = body {
            Call::apply(&mut self.call, seq, at, from, event);
        }
    }

    /// Takes a retained row of its call.
    pub fn retain(&mut self, call: Seq, row: &Retained) {
        if let Some(running) = self.call.as_mut().filter(|running| running.id() == call) {
            Arc::make_mut(running).retain(row);
        }
    }

    /// The facts that would follow now.
    ///
    /// # Errors
    /// Why not, ready to be told.
    pub fn decide(&self, hub: &Hub, asked: &Asked<'_>, wish: &Wish, target: Option<&Target>) -> Result<Facts, Fault> {
        let Asked { id, actor, origin, now } = *asked;
        match wish {
            Wish::Room(intent) if self.room.head() == Seq::ZERO => Ok(Room::found(id, actor, intent)?.into()),
            Wish::Room(intent) => Ok(self.room.decide(actor, intent, target, now)?.into()),
            Wish::Call(_) if self.room.head() == Seq::ZERO => Err(Fault::not_found("room")),
            Wish::Call(intent) => {
                let caller = match intent.is_servers() {
                    true => {
                        Caller { user: actor.user.clone(), session: None, device: None, calls: false, moderates: false }
                    }
                    false => self.caller(actor, origin, now)?,
                };
                let place = self.place(hub, intent, now);
                Ok(stoa_signaling::decide(self.call.as_ref(), &place, &caller, intent, now)?.into())
            }
        }
    }

    /// Somebody as the call sees them.
    ///
    /// # Errors
    /// `not_found` for whoever may not know of the room, `conflict` when it is archived.
    pub fn caller(&self, actor: &Actor, origin: Option<&Origin>, now: Millis) -> Result<Caller, Fault> {
        let access = self.room.access(actor, now).map_err(|_| Fault::not_found("room"))?;
        if self.room.info().archived {
            return Err(Fault::conflict("the room is archived"));
        }
        Ok(Caller {
            user: actor.user.clone(),
            session: origin.map(|origin| origin.session.clone()),
            device: origin.and_then(|origin| origin.device.clone()),
            calls: access.has(Capability::Call),
            moderates: access.has(Capability::Moderate),
        })
    }

    fn place(&self, hub: &Hub, intent: &stoa_signaling::Intent, now: Millis) -> Place {
        let mut place = self.bare_place();
        let has = |user: &UserId, capability| {
            self.room.access(&Actor::plain(user.clone()), now).is_ok_and(|access| access.has(capability))
        };
        if intent.rings() {
            let members = self.room.members().keys().filter(|user| has(user, Capability::Call));
            place.people = members.cloned().collect();
            // Nobody rings more than this many: whether others are busy is nobody's question.
            let asked = place.people.iter().take(8 * stoa_protocol::limits::RINGS);
            place.busy = asked.filter(|user| hub.is_busy(user, self.room.id())).cloned().collect();
        }
        if intent.mutes() {
            // A token may give the right too; tokens are known of those who are connected here.
            let moderates = |user: &UserId, session: &SessionId| match hub.actor_of(user, session, self.room.id()) {
                Some(actor) => self.room.access(&actor, now).is_ok_and(|access| access.has(Capability::Moderate)),
                None => has(user, Capability::Moderate),
            };
            let inside = self.call.iter().flat_map(|call| call.participants());
            place.moderators = inside.filter(|p| moderates(&p.user, &p.session)).map(|p| p.user.clone()).collect();
        }
        place
    }

    fn bare_place(&self) -> Place {
        let nobody = BTreeSet::new;
        Place {
            room: self.room.id().clone(),
            head: self.room.head(),
            direct: self.room.info().kind == RoomKind::Direct,
            people: nobody(),
            busy: nobody(),
            moderators: nobody(),
        }
    }

    /// What an event of the room means for its call, in the state after it.
    pub fn consequences(&self, body: &RoomEventBody, now: Millis) -> Facts {
        let user = match body {
            _ if self.call.is_none() => return Facts::default(),
            RoomEventBody::RoomArchived { archived: true } => {
                return stoa_signaling::archive(self.call.as_ref(), &self.bare_place(), now).into();
            }
            RoomEventBody::MemberLeft { user, .. } | RoomEventBody::MemberBanned { user, .. } => user,
            RoomEventBody::MemberUpdated(change) => &change.user,
            RoomEventBody::RoomArchived { archived: false }
            | RoomEventBody::RoomCreated(_)
            | RoomEventBody::RoomUpdated(_)
            | RoomEventBody::MemberJoined(_)
            | RoomEventBody::MemberUnbanned { .. }
            | RoomEventBody::ChatSent(_)
            | RoomEventBody::ChatEdited { .. }
            | RoomEventBody::ChatDeleted { .. }
            | RoomEventBody::ChatReacted { .. }
            | RoomEventBody::ChatPinned { .. }
            | RoomEventBody::DocumentCreated(_)
            | RoomEventBody::DocumentUpdated(_)
            | RoomEventBody::DocumentDeleted { .. }
            | RoomEventBody::App { .. }
            | RoomEventBody::Call(_) => return Facts::default(),
        };
        let access = self.room.access(&Actor::plain(user.clone()), now);
        match access.is_ok_and(|access| access.has(Capability::Call)) {
            true => Facts::default(),
            false => stoa_signaling::expel(self.call.as_ref(), &self.bare_place(), user, now).into(),
        }
    }
}
