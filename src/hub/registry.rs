//! Rooms in memory: loading, the gate of delivery, healing, unloading.
//!
//! The gate: a committed event that is the head's successor is delivered, one that is not above the head is dropped,
//! one beyond it waits for what the store has in between.

use super::state::RoomState;
use super::{Hub, RoomCell};
use crate::storage::{StoreError, StoredEvent};
use std::sync::{Arc, atomic::Ordering};
use stoa_protocol::{CallEvent, Control, Fault, Millis, RoomEventBody, RoomId, UserId};
use stoa_rooms::Room;

/// Events of one read while a room heals or a client catches up.
pub const PAGE: u32 = 200;

impl Hub {
    /// A room that is in memory.
    pub fn loaded(&self, room: &RoomId) -> Option<Arc<RoomCell>> {
        self.rooms.get(room).map(|cell| cell.clone())
    }

    /// A room, from memory or from the store.
    ///
    /// # Errors
    /// `not_found` when there is none, `unavailable` when the store does not answer.
    pub async fn room(self: &Arc<Self>, room: &RoomId) -> Result<Arc<RoomCell>, Fault> {
        match self.loaded(room) {
            Some(cell) => Ok(cell),
            None => self.load(room).await,
        }
    }

    async fn load(self: &Arc<Self>, room: &RoomId) -> Result<Arc<RoomCell>, Fault> {
        let stored = self.store.room(room).await.map_err(|error| self.store_fault(error))?;
        let stored = stored.ok_or_else(|| Fault::not_found("room"))?;
        let mut restored = RoomState::restore(stored);
        self.remember_pace(&mut restored.room).await?;
        let fresh = Arc::new(RoomCell::new(restored, self.ring_most(), self.metrics.clone(), self.clock.now()));
        let cell = self.rooms.entry(room.clone()).or_insert_with(|| fresh.clone()).clone();
        if Arc::ptr_eq(&cell, &fresh) {
            self.index_members(&cell);
            let call = cell.lock().call().cloned();
            if call.is_some() {
                self.index_call(&cell.id, &std::collections::BTreeSet::new(), call.as_ref());
            }
            // Whatever was committed after the read and before the room stood in the registry was delivered to
            // nobody: it is read now. What is committed later finds the room.
            self.heal(&cell).await?;
        }
        Ok(cell)
    }

    /// Slow mode goes on where it was.
    async fn remember_pace(&self, room: &mut Room) -> Result<(), Fault> {
        if room.info().slow_mode_s == 0 {
            return Ok(());
        }
        let events = {
            let after = room.head().value().saturating_sub(u64::from(PAGE));
            let after = stoa_protocol::Seq::new(after).unwrap_or_default();
            self.store.events(room.id(), after, PAGE).await.map_err(|error| self.store_fault(error))?
        };
        for event in events {
            if let (Some(RoomEventBody::ChatSent(_)), Some(user)) = (&event.body, &event.from) {
                room.remember_sent(user, event.at);
            }
        }
        Ok(())
    }

    /// Users find the small rooms in which others see their presence.
    fn index_members(&self, cell: &Arc<RoomCell>) {
        let members: Vec<UserId> = {
            let live = cell.lock();
            if !live.tells_each() {
                return;
            }
            live.room.members().keys().cloned().collect()
        };
        for user in members {
            self.index(&user, &cell.id);
        }
    }

    /// A user is told of in a room.
    pub(super) fn index(&self, user: &UserId, room: &RoomId) {
        let mut rooms = self.told_in.entry(user.clone()).or_default();
        if !rooms.contains(room) {
            rooms.push(room.clone());
        }
    }

    /// A user is told of in a room no more.
    pub(super) fn unindex(&self, user: &UserId, room: &RoomId) {
        if let dashmap::Entry::Occupied(mut entry) = self.told_in.entry(user.clone()) {
            entry.get_mut().retain(|r| r != room);
            if entry.get().is_empty() {
                entry.remove();
            }
        }
    }

    /// Committed events of one room go through the gate.
    pub(super) async fn deliver(self: &Arc<Self>, room: &RoomId, events: &[StoredEvent]) {
        let Some(cell) = self.loaded(room) else {
            // A call needs its room in memory: somebody has to end its rings.
            if events.iter().any(|event| matches!(event.body, Some(RoomEventBody::Call(_))))
                && let Err(fault) = self.room(room).await
            {
                tracing::warn!(%fault, %room, "the room of a call could not be loaded");
            }
            return self.deliver_to_lists(room, events).await;
        };
        let gap = self.deliver_now(&cell, events);
        if gap && self.heal(&cell).await.is_err() {
            self.suspect(room);
        }
    }

    /// Nobody here has the room open, but it is a row in the lists of people who are connected.
    async fn deliver_to_lists(self: &Arc<Self>, room: &RoomId, events: &[StoredEvent]) {
        if self.list_watchers.load(Ordering::Relaxed) == 0 {
            return;
        }
        for (user, _) in events.iter().filter_map(|event| event.body.as_ref()).filter_map(people_change) {
            self.list_changed(&user, room);
        }
        // Its members are known to the room alone.
        if let Ok(cell) = self.room(room).await {
            cell.lock().list_dirty = true;
            self.tick_later(&cell);
        }
    }

    /// Delivers what follows on the head; tells whether something in between is missing.
    fn deliver_now(self: &Arc<Self>, cell: &Arc<RoomCell>, events: &[StoredEvent]) -> bool {
        let now = self.clock.now();
        let mut changes = Vec::new();
        let calls = events.iter().any(|event| matches!(event.body, Some(RoomEventBody::Call(_))));
        let gap = {
            let mut live = cell.lock();
            let before = calls.then(|| in_call(&live));
            let mut gap = false;
            for event in events {
                match event.seq {
                    // It was in the store when the room was loaded, and nobody's list has been told of it.
                    seq if seq <= live.room.head() => live.list_dirty = true,
                    seq if seq == live.room.head().next() => {
                        live.deliver(event, now);
                        changes.extend(event.body.as_ref().and_then(people_change));
                    }
                    _ => {
                        gap = true;
                        break;
                    }
                }
            }
            if let Some(before) = before {
                self.metrics.call_joins.inc_by(count_joins(events));
                self.index_call(&cell.id, &before, live.call());
            }
            self.metrics.deliveries.inc_by((events.len() * live.attached().len()) as u64);
            gap
        };
        self.follow_people(cell, changes);
        if events.iter().filter_map(|event| event.body.as_ref()).any(moves_rights) {
            self.reconsider_documents(&cell.id);
        }
        if events.iter().any(|event| matches!(event.body, Some(RoomEventBody::DocumentDeleted { .. }))) {
            self.reload_documents(&cell.id);
        }
        self.flusher.flush(cell);
        self.tick_later(cell);
        gap
    }

    fn follow_people(&self, cell: &Arc<RoomCell>, changes: Vec<(UserId, bool)>) {
        if changes.is_empty() {
            return;
        }
        let tells_each = cell.lock().tells_each();
        for (user, joined) in changes {
            match joined {
                true if tells_each => self.index(&user, &cell.id),
                true => {}
                false => self.unindex(&user, &cell.id),
            }
            self.list_changed(&user, &cell.id);
        }
    }

    /// Reads what the store has above the head and delivers it. One reader per room, however many ask.
    ///
    /// # Errors
    /// `unavailable` when the store does not answer.
    pub(super) async fn heal(self: &Arc<Self>, cell: &Arc<RoomCell>) -> Result<(), Fault> {
        let _one = cell.loader.lock().await;
        loop {
            let head = cell.lock().room.head();
            let events = self.store.events(&cell.id, head, PAGE).await.map_err(|error| self.store_fault(error))?;
            if events.is_empty() {
                return Ok(());
            }
            self.deliver_now(cell, &events);
        }
    }

    /// The log in the store is not the one in memory: everybody in the room gets a new snapshot.
    pub(super) async fn reload(self: &Arc<Self>, room: &RoomId) {
        let Some(cell) = self.loaded(room) else { return };
        let stored = match self.store.room(room).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return self.forget_room(room, &Fault::not_found("room")),
            Err(error) => {
                tracing::warn!(%error, %room, "a room could not be reloaded");
                return self.suspect(room);
            }
        };
        tracing::warn!(%room, "the room's log began anew");
        self.reload_documents(room);
        let conns = {
            let mut live = cell.lock();
            let before = in_call(&live);
            live.replace(RoomState::restore(stored));
            self.index_call(room, &before, live.call());
            live.connections()
        };
        for conn in conns {
            if let Err(fault) = self.reset(&cell, &conn).await {
                let mut live = cell.lock();
                live.detach(conn.id);
                let told = Control::RoomClosed { room: room.clone(), reason: fault };
                if conn.mailbox.push_reply(super::encode::control(&told)).is_err() {
                    conn.close_slow();
                }
            }
            conn.mailbox.flush();
        }
    }

    /// The room is gone: nobody stays in it.
    pub(super) fn forget_room(&self, room: &RoomId, reason: &Fault) {
        self.reload_documents(room);
        let Some((_, cell)) = self.rooms.remove(room) else { return };
        let (conns, members) = {
            let mut live = cell.lock();
            live.retired = true;
            self.index_call(room, &in_call(&live), None);
            let conns = live.connections();
            live.close_all(reason);
            (conns, live.room.members().keys().cloned().collect::<Vec<_>>())
        };
        for user in members {
            self.unindex(&user, room);
        }
        for conn in conns {
            conn.mailbox.flush();
        }
    }

    /// Takes rooms out of memory in which nobody has been for a while.
    pub(super) fn unload_idle(&self, now: Millis) {
        let used = self.rooms_with_documents();
        let idle = |cell: &RoomCell| {
            let mut live = cell.lock();
            if !live.attached().is_empty() || used.contains(&cell.id) {
                live.idle_since = None;
                return false;
            }
            let since = *live.idle_since.get_or_insert(now);
            let retire = now >= since + self.limits.room_idle_ms
                && live.typing.is_idle()
                && !live.list_dirty
                && live.call().is_none();
            live.retired |= retire;
            retire
        };
        let mut gone = Vec::new();
        self.rooms.retain(|_, cell| {
            let retire = idle(cell);
            if retire {
                gone.push(cell.clone());
            }
            !retire
        });
        for cell in gone {
            let members: Vec<_> = cell.lock().room.members().keys().cloned().collect();
            for user in members {
                self.unindex(&user, &cell.id);
            }
        }
    }

    /// What a failed read is to whoever asked.
    pub(super) fn store_fault(&self, error: StoreError) -> Fault {
        tracing::warn!(%error, "the store failed");
        match error {
            StoreError::Unavailable(_) | StoreError::Fenced => Fault::unavailable(),
            StoreError::Refused(_) | StoreError::Damaged(_) => Fault::internal(),
        }
    }
}

/// Who is in the room's call.
fn in_call(live: &super::room::Live) -> std::collections::BTreeSet<UserId> {
    live.call().into_iter().flat_map(|call| call.participants().map(|p| p.user.clone())).collect()
}

fn count_joins(events: &[StoredEvent]) -> u64 {
    let joined = |event: &&StoredEvent| matches!(event.body, Some(RoomEventBody::Call(CallEvent::Joined { .. })));
    events.iter().filter(joined).count() as u64
}

/// Whether somebody may edit or read a document now who might not before, or the other way round.
fn moves_rights(body: &RoomEventBody) -> bool {
    matches!(
        body,
        RoomEventBody::RoomArchived { .. }
            | RoomEventBody::MemberJoined(_)
            | RoomEventBody::MemberLeft { .. }
            | RoomEventBody::MemberUpdated(_)
            | RoomEventBody::MemberBanned { .. }
            | RoomEventBody::DocumentUpdated(_)
            | RoomEventBody::DocumentDeleted { .. }
    )
}

/// Whose place in a room changed, and whether they are in it now.
fn people_change(body: &RoomEventBody) -> Option<(UserId, bool)> {
    match body {
        RoomEventBody::MemberJoined(joined) => Some((joined.user.clone(), true)),
        RoomEventBody::MemberLeft { user, .. } => Some((user.clone(), false)),
        RoomEventBody::RoomCreated(_)
        | RoomEventBody::RoomUpdated(_)
        | RoomEventBody::RoomArchived { .. }
        | RoomEventBody::MemberUpdated(_)
        | RoomEventBody::MemberBanned { .. }
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
        | RoomEventBody::Call(_) => None,
    }
}
