//! Presence, typing and the room list, as rooms tell them: coalesced per tick.

use super::{Hub, RoomCell, conn::Conn, encode, room::Live, stale::Stale};
use crate::{
    gateway::SlotKey,
    storage::{ListQuery, ListScope},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};
use stoa_protocol::{CloseCode, Control, Millis, Presence, PresenceState, ReadMarker, RoomId, Seq, UserId};

/// After a change of a large room's count that was too small to tell at once, it is told when this long has passed,
/// milliseconds.
const SETTLE_MS: Millis = 10_000;

/// Everybody whose presence a small room tells: its members, and who is there without being one.
pub(super) fn people(live: &Live) -> Vec<UserId> {
    let members = live.room.members();
    let here = live.users().keys().filter(|user| !members.contains_key(*user));
    let guests: BTreeSet<&UserId> = here.chain(live.rest.guests()).collect();
    members.keys().chain(guests.into_iter().filter(|user| !members.contains_key(*user))).cloned().collect()
}

/// Somebody of whom nothing is known.
fn gone(user: &UserId) -> Presence {
    Presence { user: user.clone(), state: PresenceState::Offline, text: String::new(), last_seen: None }
}

impl Hub {
    /// How many are there, and who of `people` is.
    pub(super) fn presence_now(&self, cell: &RoomCell, people: &[UserId]) -> (u32, Vec<Presence>) {
        if people.is_empty() {
            return (cell.lock().count(), vec![]);
        }
        let here: Vec<_> = people
            .iter()
            .filter_map(|user| self.presence_of(user))
            .filter(|p| p.state != PresenceState::Offline)
            .collect();
        (here.len() as u32, here)
    }

    /// What is known of a user's presence.
    pub(super) fn presence_of(&self, user: &UserId) -> Option<Presence> {
        let here = self.users.get(user).map(|cell| cell.clone()).map(|cell| {
            let live = cell.lock();
            (live.presence(user), live.status_at)
        });
        self.presence_over_nodes(user, here)
    }

    /// Somebody came to a room or went.
    pub(super) fn presence_moved(&self, cell: &Arc<RoomCell>) {
        self.tick_later(cell);
    }

    /// A user's state changed here: the small rooms that they are in tell it, and so do other nodes.
    pub(super) fn user_moved(&self, user: &UserId) {
        self.slice_moved(user);
        self.tell_moved(user);
    }

    /// The small rooms that a user is in tell their state.
    pub(super) fn tell_moved(&self, user: &UserId) {
        let rooms = self.told_in.get(user).map(|rooms| rooms.clone()).unwrap_or_default();
        for cell in rooms.iter().filter_map(|room| self.loaded(room)) {
            cell.lock().presence_dirty.insert(user.clone());
            self.tick_later(&cell);
        }
    }

    /// A connection whose passing frames were dropped is told everything again, now that it is live: also who has gone
    /// and who has stopped typing meanwhile.
    ///
    /// # Errors
    /// The close code when the store does not answer: the client comes again, and is told then.
    pub(super) async fn tell_again(&self, cell: &Arc<RoomCell>, conn: &Arc<Conn>) -> Result<(), CloseCode> {
        let (stale, members) = {
            let mut live = cell.lock();
            (live.take_stale(conn.id), live.room.members().len() as u32)
        };
        let mut fits = true;
        if stale.markers {
            let read = self.read_markers(&cell.id, &conn.user, members).await;
            let markers = read.map_err(|_| CloseCode::Unavailable)?;
            let told = Control::Read { room: cell.id.clone(), markers };
            fits &= conn.mailbox.push(encode::control(&told)).is_ok();
        }
        if stale.people {
            fits &= self.tell_people(cell, conn, &stale.moved);
        }
        if !fits {
            cell.lock().mark_stale(conn.id, &stale);
            conn.mark_behind();
        }
        Ok(())
    }

    /// Tells a connection who is there, who types and how everybody in the call is; false when it does not fit.
    fn tell_people(&self, cell: &Arc<RoomCell>, conn: &Arc<Conn>, moved: &BTreeSet<UserId>) -> bool {
        loop {
            let (people, turn) = {
                let live = cell.lock();
                (if live.tells_each() { people(&live) } else { vec![] }, live.presence_turn)
            };
            let (online, _) = self.presence_now(cell, &people);
            let told = |presence: &Presence| presence.state != PresenceState::Offline || moved.contains(&presence.user);
            let strangers = moved.iter().filter(|user| !people.contains(user)).map(gone);
            let known = people.iter().map(|user| self.presence_of(user).unwrap_or_else(|| gone(user))).filter(told);
            let changed = known.chain(strangers).collect();
            let live = cell.lock();
            // What a tick told meanwhile is newer than what was looked up here.
            if live.presence_turn != turn {
                continue;
            }
            live.tell_states(conn);
            live.tell_links(conn);
            live.tell_away(conn);
            let (room, (users, count)) = (cell.id.clone(), live.typing.now());
            let presence = Control::Presence { room: room.clone(), online, changed };
            // In the order of the log, or a change that follows would be overtaken.
            let told = [presence, Control::Typing { room, users, count }];
            return told.iter().all(|told| conn.mailbox.push(encode::control(told)).is_ok());
        }
    }

    /// The room tells its news at the next tick.
    pub(super) fn tick_later(&self, cell: &Arc<RoomCell>) {
        if cell.mark_ticking() {
            self.ticking.lock().push(cell.clone());
        }
    }

    /// Tells what has changed in a room since its last tick.
    pub(super) fn tick_room(&self, cell: &Arc<RoomCell>, now: Millis) {
        cell.clear_ticking();
        let (typing, moved, list) = {
            let mut live = cell.lock();
            let typing = live.typing.tick(now);
            let moved = std::mem::take(&mut live.presence_dirty);
            (typing, moved, std::mem::take(&mut live.list_dirty))
        };
        let mut told = false;
        if let Some((users, count)) = typing {
            let frame = encode::control(&Control::Typing { room: cell.id.clone(), users, count });
            let key = SlotKey::of(&("typing", &cell.id));
            cell.lock().push_slot(key, &frame, &Stale::PEOPLE, |_| true);
            told = true;
        }
        told |= self.tick_presence(cell, &moved, now);
        self.tell_here(cell, now);
        if told {
            self.flusher.flush(cell);
        }
        if list {
            self.tick_list(cell);
        }
        if !cell.lock().is_settled() {
            self.tick_later(cell);
        }
    }

    fn tick_presence(&self, cell: &Arc<RoomCell>, moved: &BTreeSet<UserId>, now: Millis) -> bool {
        let tells_each = cell.lock().tells_each();
        if !tells_each {
            return self.tick_count(cell, now);
        }
        if moved.is_empty() {
            return false;
        }
        let everybody = people(&cell.lock());
        let (online, _) = self.presence_now(cell, &everybody);
        // Who has left this room may well be present in another.
        let here = |user: &&UserId| everybody.contains(*user);
        let now_of = |user: &UserId| Some(user).filter(here).and_then(|user| self.presence_of(user));
        let changed = moved.iter().map(|user| now_of(user).unwrap_or_else(|| gone(user))).collect();
        let frame = encode::control(&Control::Presence { room: cell.id.clone(), online, changed });
        let mut live = cell.lock();
        live.push_presence(&frame, moved.clone());
        true
    }

    /// A large room tells its count when it has moved by a tenth, and exactly when it has settled: the bytes that an
    /// arrival costs do not grow with the room.
    fn tick_count(&self, cell: &Arc<RoomCell>, now: Millis) -> bool {
        let mut live = cell.lock();
        let online = live.count();
        let told = live.told_online;
        if online == told {
            live.settle_at = None;
            return false;
        }
        let settle_at = *live.settle_at.get_or_insert(now + SETTLE_MS);
        if online.abs_diff(told) < (told / 10).max(1) && now < settle_at {
            return false;
        }
        live.told_online = online;
        live.settle_at = None;
        let frame = encode::control(&Control::Presence { room: cell.id.clone(), online, changed: vec![] });
        let key = SlotKey::of(&("presence", &cell.id));
        live.push_slot(key, &frame, &Stale::PEOPLE, |_| true);
        true
    }

    /// The rows of a small room's members change with its events.
    fn tick_list(&self, cell: &Arc<RoomCell>) {
        if self.list_watchers.load(Ordering::Relaxed) == 0 && self.has_no_others() {
            return;
        }
        let members: Vec<UserId> = {
            let live = cell.lock();
            if !live.tells_each() {
                return;
            }
            live.room.members().keys().cloned().collect()
        };
        self.ring_lists(&cell.id, &members);
        for user in members {
            self.list_changed(&user, &cell.id);
        }
    }

    /// A row of a user's room list is to be told.
    pub(super) fn list_changed(&self, user: &UserId, room: &RoomId) {
        let Some(cell) = self.users.get(user).map(|cell| cell.clone()) else { return };
        let mut live = cell.lock();
        if live.conns().any(|conn| conn.wants_list) {
            let first = live.list_dirty.is_empty();
            live.list_dirty.insert(room.clone());
            drop(live);
            if first {
                self.list_queue.lock().push(cell);
            }
        }
    }

    /// Tells the changed rows of one user's list: one query per user and tick, however many rooms moved.
    pub(super) async fn tell_list(&self, user: &Arc<super::users::UserCell>) {
        let rooms = std::mem::take(&mut user.lock().list_dirty);
        let wanted = rooms.iter().cloned().collect();
        let query = ListQuery {
            reader: user.id.clone(),
            scope: ListScope::Rooms(wanted),
            after: None,
            archived: true,
            limit: stoa_protocol::limits::PAGE,
        };
        let rows = match self.store.list(&query).await {
            Ok((rows, _)) => rows,
            Err(error) => {
                tracing::warn!(%error, "the room list could not be told");
                return;
            }
        };
        let mut removed = rooms;
        let conns: Vec<_> = user.lock().conns().filter(|conn| conn.wants_list).cloned().collect();
        let mut people = BTreeSet::new();
        for row in rows.into_iter().filter(|row| row.member.is_some()) {
            removed.remove(&row.info.room);
            people.extend(row.peer.iter().chain(row.last.iter().filter_map(|last| last.from.as_ref())).cloned());
            let key = SlotKey::of(&("list", &row.info.room));
            let row = crate::storage::ListRow { info: self.told(row.info), ..row };
            if let Some(entry) = super::query::entry(row, None) {
                let frame = encode::control(&Control::List { entry: Box::new(entry) });
                conns.iter().for_each(|conn| conn.mailbox.push_slot(key, frame.clone()));
            }
        }
        // Whose names the rows need: the reader may have none of these rooms open to ask in.
        for (user, profile) in self.profiles_of(people.into_iter().collect()).await.unwrap_or_default() {
            let key = SlotKey::of(&("profile", &user));
            let frame = encode::control(&Control::Profile { user, profile });
            conns.iter().for_each(|conn| conn.mailbox.push_slot(key, frame.clone()));
        }
        for room in removed {
            let key = SlotKey::of(&("list", &room));
            let frame = encode::control(&Control::ListRemoved { room });
            conns.iter().for_each(|conn| conn.mailbox.push_slot(key, frame.clone()));
        }
        conns.iter().for_each(|conn| conn.mailbox.flush());
    }

    /// A read marker was written here: the user's own devices are told, others in small rooms.
    pub(super) fn marked(&self, room: &RoomId, user: &UserId, seq: Seq) {
        self.ring_marked(room, user, seq);
        self.tell_own_marker(room, user, seq);
        if let Some(cell) = self.loaded(room) {
            self.tell_marker(&cell, user, seq);
        }
    }

    /// The user's own devices are told of their marker.
    pub(super) fn tell_own_marker(&self, room: &RoomId, user: &UserId, seq: Seq) {
        let (key, frame) = marker(room, user, seq);
        let Some(cell) = self.users.get(user).map(|cell| cell.clone()) else { return };
        let conns: Vec<_> = cell.lock().conns().cloned().collect();
        for conn in conns {
            conn.mailbox.push_slot(key, frame.clone());
            conn.mailbox.flush();
        }
        self.list_changed(user, room);
    }

    /// Others in a small room are told of a marker.
    pub(super) fn tell_marker(&self, cell: &Arc<RoomCell>, user: &UserId, seq: Seq) {
        let (key, frame) = marker(&cell.id, user, seq);
        {
            let mut live = cell.lock();
            if !live.tells_each() {
                return;
            }
            // Their own devices were told; one that opens the room is told all markers once more.
            live.push_slot(key, &frame, &Stale::MARKERS, |a| a.conn.user != *user);
        }
        self.flusher.flush(cell);
    }
}

fn marker(room: &RoomId, user: &UserId, seq: Seq) -> (SlotKey, crate::gateway::Frame) {
    let markers = vec![ReadMarker { user: user.clone(), seq }];
    (SlotKey::of(&("read", room, user)), encode::control(&Control::Read { room: room.clone(), markers }))
}
