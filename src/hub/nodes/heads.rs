//! The look at what moved in the store: whatever was not heard is found here, each second, and more often while the bus
//! is away.

use super::{super::encode, *};
use crate::storage::{Head, Moved, MovedUser};
use stoa_protocol::limits;

/// Between two looks, milliseconds.
const LOOK_MS: Millis = 1_000;
/// The same while the bus is away.
const BLIND_MS: Millis = 250;
/// Names of one question.
const ASK: usize = 500;

/// Looks, until shutdown.
pub async fn run(hub: Arc<Hub>, shutdown: CancellationToken) {
    if hub.nodes.alone {
        return;
    }
    let mut generation = hub.nodes.bus.generation();
    loop {
        let wait = if hub.nodes.hears() { LOOK_MS } else { BLIND_MS };
        let deadline = hub.clock.now() + wait;
        let missed = tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            changed = generation.changed() => changed.is_ok(),
            () = hub.clock.sleep_until(deadline) => false,
        };
        if let Err(error) = hub.look_at_heads(missed).await {
            tracing::warn!(%error, "what moved could not be read");
        }
    }
}

impl Hub {
    /// What moved since the last look; everything when the bus was away.
    async fn look_at_heads(self: &Arc<Self>, missed: bool) -> crate::storage::Result<()> {
        if missed {
            self.nodes.compare.store(true, Ordering::Release);
        }
        let mark = self.nodes.mark.lock().clone();
        let moved = self.store.heads(mark.as_ref()).await?;
        let everything = moved.everything || self.nodes.compare.load(Ordering::Acquire);
        let next = moved.mark.clone();
        if everything {
            self.compare_everything().await?;
            if moved.everything {
                self.tell_markers_again().await?;
            }
            self.nodes.compare.store(false, Ordering::Release);
        }
        self.follow_moves(moved).await;
        *self.nodes.mark.lock() = Some(next);
        Ok(())
    }

    async fn follow_moves(self: &Arc<Self>, moved: Moved) {
        let Moved { mark: _, everything: _, rooms, changed, retained, users, markers, documents } = moved;
        for (room, head) in rooms {
            self.compare_head(&room, head.as_ref()).await;
        }
        for room in changed {
            self.refresh(&room).await;
        }
        for room in retained {
            self.refresh_call(&room).await;
        }
        for user in users {
            self.compare_user(user);
        }
        let unseen = super::super::planted("unhealed-marker");
        for (room, user, seq) in markers.into_iter().filter(|_| !unseen) {
            self.tell_own_marker(&room, &user, seq);
            if let Some(cell) = self.loaded(&room) {
                self.tell_marker(&cell, &user, seq);
            }
        }
        for (key, epoch, head) in documents {
            self.heard_of_document(&key, epoch, head);
        }
    }

    /// A room's head in the store.
    async fn compare_head(self: &Arc<Self>, room: &RoomId, head: Option<&Head>) {
        if super::super::planted("lost-last-ring") {
            return;
        }
        let Some(head) = head else {
            return self.forget_room(room, &stoa_protocol::Fault::not_found("room"));
        };
        let Some(cell) = self.loaded(room) else {
            if !self.nodes.hears() {
                self.deliver_to_lists(room, &[]).await;
            }
            return;
        };
        let ahead = cell.lock().room.head() > head.seq && *cell.lock().room.epoch() == head.epoch;
        if ahead {
            // Of before what was delivered since, or the log was set back: asked again, with what is known before.
            return self.look_back(&cell).await;
        }
        self.compare_room(&cell, &head.epoch, head.seq);
    }

    /// A head that is below what was delivered before the question voids every cursor above it.
    async fn look_back(self: &Arc<Self>, cell: &Arc<RoomCell>) {
        let delivered = cell.lock().room.head();
        let asked = self.store.heads_of(std::slice::from_ref(&cell.id)).await;
        let head = match asked {
            Ok(heads) => heads.get(&cell.id).cloned(),
            Err(error) => return tracing::warn!(%error, room = %cell.id, "a head could not be read"),
        };
        let Some(head) = head else { return };
        if head.seq >= delivered {
            return self.compare_room(cell, &head.epoch, head.seq);
        }
        if let Err(error) = self.begin_anew(&cell.id).await {
            return tracing::warn!(%error, room = %cell.id, "a log that was set back could not be begun anew");
        }
        self.ring_anew(&cell.id);
        self.reload(&cell.id).await;
    }

    async fn begin_anew(&self, room: &RoomId) -> crate::storage::Result<()> {
        let mut tx = self.store.begin().await?;
        if tx.lock(std::slice::from_ref(room)).await?.contains_key(room) {
            tx.renew(room, &self.fresh_epoch()).await?;
        }
        tx.commit().await
    }

    /// Something in a room changed that has no number: the state is read again, and what the ring kept is void.
    async fn refresh(self: &Arc<Self>, room: &RoomId) {
        let Some(cell) = self.loaded(room) else { return };
        match self.store.room(room).await {
            Ok(Some(stored)) => cell.lock().refresh(super::super::state::RoomState::restore(stored)),
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, %room, "a room could not be read again");
                self.suspect(room);
            }
        }
    }

    /// Retained rows of a call were written elsewhere and perhaps not heard.
    async fn refresh_call(self: &Arc<Self>, room: &RoomId) {
        let Some(cell) = self.loaded(room).filter(|cell| cell.lock().call().is_some()) else { return };
        match self.store.room(room).await {
            Ok(Some(stored)) => {
                cell.lock().refresh_call(super::super::state::RoomState::restore(stored));
                self.flusher.flush(&cell);
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, %room, "a call could not be read again"),
        }
    }

    fn compare_user(self: &Arc<Self>, moved: MovedUser) {
        let MovedUser { user, head, revoked_before } = moved;
        self.revoked_here(&user, revoked_before);
        let Some(cell) = self.users.get(&user).map(|cell| cell.clone()) else { return };
        if cell.lock().head.epoch != head.epoch {
            return self.stream_anew(&cell);
        }
        cell.lock().look(head.seq);
    }

    /// What moved is not known any more: everybody in small rooms is told where all have read.
    async fn tell_markers_again(&self) -> crate::storage::Result<()> {
        let cells: Vec<_> = self.rooms.iter().map(|cell| cell.clone()).collect();
        for cell in cells {
            let anybody = {
                let live = cell.lock();
                live.attached().first().filter(|_| live.tells_each()).map(|a| a.conn.user.clone())
            };
            let Some(anybody) = anybody else { continue };
            let markers = self.store.markers(&cell.id, &anybody, limits::PRESENCE_EACH as u32).await?;
            let told = Control::Read { room: cell.id.clone(), markers };
            cell.lock().push_passing(&encode::control(&told), None);
            self.flusher.flush(&cell);
        }
        Ok(())
    }

    /// The bus was away: everything in memory is compared with the store.
    async fn compare_everything(self: &Arc<Self>) -> crate::storage::Result<()> {
        let rooms: Vec<RoomId> = self.rooms.iter().map(|cell| cell.key().clone()).collect();
        for names in rooms.chunks(ASK) {
            let heads = self.store.heads_of(names).await?;
            for room in names {
                self.compare_head(room, heads.get(room)).await;
            }
        }
        let calls: Vec<RoomId> = self.call_rooms.lock().iter().cloned().collect();
        for room in &calls {
            self.refresh_call(room).await;
        }
        let users: Vec<UserId> = self.users.iter().map(|cell| cell.key().clone()).collect();
        for names in users.chunks(ASK) {
            let states = self.store.users(names).await?;
            for (user, state) in names.iter().zip(states) {
                let (head, revoked_before) = (state.head, state.revoked_before);
                self.compare_user(MovedUser { user: user.clone(), head, revoked_before });
            }
        }
        self.reread_documents();
        Ok(())
    }
}
