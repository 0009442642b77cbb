//! Who is in a room on other nodes.

use super::{
    super::{Hub, RoomCell, conn::Conn, encode, room::Live, state::RoomState},
    OfRoom, Topic,
};
use crate::cluster::BootId;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use stoa_protocol::{Control, Millis, SessionId, UserId, limits};

/// Who is in a room on one node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Here {
    /// How many users.
    pub count: u32,
    /// Who of them, in rooms that tell each: those who are no members.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub guests: BTreeSet<UserId>,
    /// Sessions that take part in the room's call or wait for it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sessions: BTreeSet<SessionId>,
}

/// How often a node says again who is in a room, milliseconds: what was lost is told by then.
const AGAIN_MS: Millis = 10_000;
/// What was not said again for so long is void, milliseconds.
const VOID_MS: Millis = 3 * AGAIN_MS + 5_000;

/// The rest of a room, as other nodes tell it.
#[derive(Debug, Default)]
pub struct Rest {
    nodes: BTreeMap<BootId, (Here, Millis)>,
    told: Option<(Here, Millis)>,
}

impl Rest {
    /// Users in the room on other nodes; one that is on two counts twice.
    pub fn count(&self) -> u32 {
        self.nodes.values().map(|(here, _)| here.count).sum()
    }

    /// People on other nodes who are no members.
    pub fn guests(&self) -> impl Iterator<Item = &UserId> {
        self.nodes.values().flat_map(|(here, _)| &here.guests)
    }

    /// Whether a session of the call is in the room on another node.
    pub fn has_session(&self, session: &SessionId) -> bool {
        self.nodes.values().any(|(here, _)| here.sessions.contains(session))
    }

    /// Drops what nodes that come through did not say again.
    fn void(&mut self, now: Millis, beating: &BTreeSet<BootId>) {
        self.nodes.retain(|node, (_, at)| *at + VOID_MS > now || !beating.contains(node));
    }
}

impl Live {
    /// Users in the room, on all nodes.
    pub fn count(&self) -> u32 {
        self.users().len() as u32 + self.rest.count()
    }

    /// A node is gone; tells whether it had people here.
    pub fn forget_node(&mut self, node: BootId) -> bool {
        let Some((here, _)) = self.rest.nodes.remove(&node) else { return false };
        self.presence_dirty.extend(here.guests);
        true
    }

    /// Another node says who is in the room there.
    pub fn hear_here(&mut self, node: BootId, here: Here, now: Millis) {
        let known = self.rest.nodes.insert(node, (here.clone(), now)).map(|(known, _)| known).unwrap_or_default();
        if known == here {
            return;
        }
        self.presence_dirty.extend(known.guests.symmetric_difference(&here.guests).cloned());
        here.sessions.iter().for_each(|session| self.calls.heard(session));
    }

    /// It is to be told again who is here: somebody has asked.
    pub fn forget_told_here(&mut self) {
        self.rest.told = None;
    }

    /// Who is in the room on this node, when that is to be told.
    pub fn here_to_tell(&mut self, now: Millis) -> Option<Here> {
        let here = self.here();
        let nobody = Here::default();
        let news = match &self.rest.told {
            Some((told, at)) => *told != here || (here != nobody && *at + AGAIN_MS <= now),
            None => here != nobody,
        };
        if news {
            self.rest.told = Some((here.clone(), now));
        }
        news.then_some(here)
    }

    /// The call as the store has it: what was retained elsewhere and not heard.
    pub fn refresh_call(&mut self, state: RoomState) {
        let same = self.call().map(|call| call.id()) == state.call.as_ref().map(|call| call.id());
        if !same || state.room.head() != self.room.head() {
            return;
        }
        self.call = state.call;
        self.follow_call();
        self.tell_states_to_all();
    }

    fn here(&self) -> Here {
        let members = self.room.members();
        let guests = match self.tells_each() {
            true => self
                .users()
                .keys()
                .filter(|user| !members.contains_key(*user))
                .take(limits::PRESENCE_EACH)
                .cloned()
                .collect(),
            false => BTreeSet::new(),
        };
        let sessions = match self.call() {
            Some(call) => {
                let of_call = |session: &SessionId| {
                    call.participant(session).is_some() || call.waiting().iter().any(|knock| knock.session == *session)
                };
                self.attached().iter().map(|a| &a.conn.session).filter(|session| of_call(session)).cloned().collect()
            }
            None => BTreeSet::new(),
        };
        Here { count: self.users().len() as u32, guests, sessions }
    }

    /// Something for a session, when it is here; the relay's numbers follow what its ends say elsewhere.
    pub fn hear_directed(&mut self, to: &SessionId, told: &Control, now: Millis) -> Option<Arc<Conn>> {
        if !self.follow_relay(to, told, now) {
            return None;
        }
        let conn = self.conn_of(to)?.clone();
        conn.mailbox.push(encode::control(told)).is_ok().then_some(conn)
    }
}

impl Hub {
    /// A room has come into memory: what other nodes say of it is heard from now on, and they are asked who is there.
    pub(in super::super) fn listen_to_room(&self, cell: &RoomCell) {
        self.nodes.listen(Topic::Room(cell.id.clone()));
        self.nodes.say_of_room(&cell.id, || OfRoom::WhoIsHere);
    }

    /// A room has left memory.
    pub(in super::super) fn unlisten_to_room(&self, room: &stoa_protocol::RoomId) {
        self.nodes.unlisten(Topic::Room(room.clone()));
    }

    /// Other nodes are told who is in the room here, when that is news.
    pub(in super::super) fn tell_here(&self, cell: &RoomCell, now: Millis) {
        if self.nodes.alone {
            return;
        }
        let here = cell.lock().here_to_tell(now);
        if let Some(here) = here {
            self.nodes.say_of_room(&cell.id, || OfRoom::Here(here));
        }
    }

    /// Every second: rooms with people say it again now and then, and what others did not say again is void.
    pub(in super::super) fn look_at_rest(&self, now: Millis) {
        if self.nodes.alone {
            return;
        }
        let beating = self.nodes.others.lock().beating(now);
        let cells: Vec<_> = self.rooms.iter().map(|cell| cell.clone()).collect();
        for cell in cells {
            cell.lock().rest.void(now, &beating);
            self.tell_here(&cell, now);
        }
    }
}
