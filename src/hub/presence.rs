//! Presence, typing and the room list, as rooms tell them: coalesced per tick.

use super::{Hub, RoomCell, conn::Conn, encode, room::Live};
use crate::{
    gateway::SlotKey,
    storage::{ListQuery, ListScope},
};
use std::sync::{Arc, atomic::Ordering};
use stoa_protocol::{Control, Millis, Presence, PresenceState, ReadMarker, RoomId, Seq, UserId};

/// After a change of a large room's count that was too small to tell at once, it is told when this long has passed,
/// milliseconds.
const SETTLE_MS: Millis = 10_000;

/// Everybody whose presence a small room tells: its members, and who is there without being one.
pub(super) fn people(live: &Live) -> Vec<UserId> {
    let members = live.room.members();
    let guests = live.users().keys().filter(|user| !members.contains_key(*user));
    members.keys().chain(guests).cloned().collect()
}

impl Hub {
    /// How many are there, and who of `people` is.
    pub(super) fn presence_now(&self, cell: &RoomCell, people: &[UserId]) -> (u32, Vec<Presence>) {
        if people.is_empty() {
            return (cell.lock().users().len() as u32, vec![]);
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
        let cell = self.users.get(user).map(|cell| cell.clone())?;
        let presence = cell.lock().presence(user);
        Some(presence)
    }

    /// Somebody came to a room or went.
    pub(super) fn presence_moved(&self, cell: &Arc<RoomCell>) {
        self.tick_later(cell);
    }

    /// A user's state changed: the small rooms that they are in tell it.
    pub(super) fn user_moved(&self, user: &UserId) {
        let rooms = self.told_in.get(user).map(|rooms| rooms.clone()).unwrap_or_default();
        for cell in rooms.iter().filter_map(|room| self.loaded(room)) {
            cell.lock().presence_dirty.insert(user.clone());
            self.tick_later(&cell);
        }
    }

    /// A connection whose passing frames were dropped gets everything at once, now that it is live again.
    pub(super) fn tell_presence_again(&self, cell: &Arc<RoomCell>, conn: &Arc<Conn>) {
        let people = {
            let mut live = cell.lock();
            if !live.take_stale(conn.id) {
                return;
            }
            live.tell_states(conn);
            live.tell_links(conn);
            live.tell_away(conn);
            if live.tells_each() { people(&live) } else { vec![] }
        };
        let (online, changed) = self.presence_now(cell, &people);
        let frame = encode::control(&Control::Presence { room: cell.id.clone(), online, changed });
        conn.mailbox.push_slot(SlotKey::of(&("presence", &cell.id)), frame);
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
            cell.lock().attached().iter().for_each(|a| a.conn.mailbox.push_slot(key, frame.clone()));
            told = true;
        }
        told |= self.tick_presence(cell, &moved, now);
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

    fn tick_presence(&self, cell: &Arc<RoomCell>, moved: &std::collections::BTreeSet<UserId>, now: Millis) -> bool {
        let tells_each = cell.lock().tells_each();
        if !tells_each {
            return self.tick_count(cell, now);
        }
        if moved.is_empty() {
            return false;
        }
        let everybody = people(&cell.lock());
        let (online, _) = self.presence_now(cell, &everybody);
        let gone = |user: &UserId| Presence {
            user: user.clone(),
            state: PresenceState::Offline,
            text: String::new(),
            last_seen: None,
        };
        // Who has left this room may well be present in another.
        let here = |user: &&UserId| everybody.contains(*user);
        let now_of = |user: &UserId| Some(user).filter(here).and_then(|user| self.presence_of(user));
        let changed = moved.iter().map(|user| now_of(user).unwrap_or_else(|| gone(user))).collect();
        let frame = encode::control(&Control::Presence { room: cell.id.clone(), online, changed });
        cell.lock().push_passing(&frame, None);
        true
    }

    /// A large room tells its count when it has moved by a tenth, and exactly when it has settled: the bytes that an
    /// arrival costs do not grow with the room.
    fn tick_count(&self, cell: &Arc<RoomCell>, now: Millis) -> bool {
        let mut live = cell.lock();
        let online = live.users().len() as u32;
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
        live.attached().iter().for_each(|a| a.conn.mailbox.push_slot(key, frame.clone()));
        true
    }

    /// The rows of a small room's members change with its events.
    fn tick_list(&self, cell: &Arc<RoomCell>) {
        if self.list_watchers.load(Ordering::Relaxed) == 0 {
            return;
        }
        let members: Vec<UserId> = {
            let live = cell.lock();
            if !live.tells_each() {
                return;
            }
            live.room.members().keys().cloned().collect()
        };
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
        let mut people = std::collections::BTreeSet::new();
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

    /// A read marker was written: the user's own devices are told, others in small rooms.
    pub(super) fn marked(&self, room: &RoomId, user: &UserId, seq: Seq) {
        let markers = vec![ReadMarker { user: user.clone(), seq }];
        let frame = encode::control(&Control::Read { room: room.clone(), markers });
        let key = SlotKey::of(&("read", room, user));
        if let Some(cell) = self.users.get(user).map(|cell| cell.clone()) {
            let conns: Vec<_> = cell.lock().conns().cloned().collect();
            for conn in conns {
                conn.mailbox.push_slot(key, frame.clone());
                conn.mailbox.flush();
            }
        }
        if let Some(cell) = self.loaded(room) {
            let live = cell.lock();
            if live.tells_each() {
                let others = live.attached().iter().filter(|a| a.conn.user != *user);
                others.for_each(|a| a.conn.mailbox.push_slot(key, frame.clone()));
            }
            drop(live);
            self.flusher.flush(&cell);
        }
        self.list_changed(user, room);
    }
}
