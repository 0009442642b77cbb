//! The one timer task: what rooms and users tell per tick, what ends by itself, what has to be looked at again.

use super::Hub;
use std::sync::Arc;
use stoa_protocol::{Millis, UserId};
use tokio_util::sync::CancellationToken;

/// Between two ticks of rooms with news, milliseconds: typing and presence within the blink that people notice.
const TICK_MS: Millis = 250;
/// Ticks of a second: graces, windows, lists and suspects.
const SECOND: u64 = 4;
/// Ticks between two looks for idle rooms and expired messages.
const MINUTE: u64 = 240;
/// Messages that one look at retention erases.
const EXPIRE: u32 = 1_000;

/// Runs until shutdown.
pub async fn run(hub: Arc<Hub>, shutdown: CancellationToken) {
    for tick in 1u64.. {
        let deadline = hub.clock.now() + TICK_MS;
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return,
            () = hub.clock.sleep_until(deadline) => {}
        }
        let now = hub.clock.now();
        let rooms = std::mem::take(&mut *hub.ticking.lock());
        for cell in rooms {
            hub.tick_room(&cell, now);
        }
        hub.tick_nodes();
        if tick.is_multiple_of(SECOND) {
            hub.every_second(now).await;
        }
        if tick.is_multiple_of(MINUTE) {
            hub.every_minute(now).await;
        }
    }
}

impl Hub {
    async fn every_second(self: &Arc<Self>, now: Millis) {
        self.end_graces(now).await;
        self.look_at_windows(now);
        self.look_at_calls(now);
        self.look_at_rest(now);
        self.look_at_documents();
        let users = std::mem::take(&mut *self.list_queue.lock());
        for user in users {
            self.tell_list(&user).await;
        }
        let suspects = std::mem::take(&mut *self.suspects.lock());
        for room in suspects {
            if let Some(cell) = self.loaded(&room)
                && self.heal(&cell).await.is_err()
            {
                self.suspect(&room);
            }
        }
    }

    async fn every_minute(self: &Arc<Self>, now: Millis) {
        self.unload_idle(now);
        match self.store.expire_messages(now, EXPIRE).await {
            Ok(erased) => {
                for (room, seq) in erased {
                    if let Some(cell) = self.loaded(&room) {
                        cell.lock().forget(seq);
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "retention could not be kept"),
        }
    }

    /// Users whose grace is over are gone: rooms tell it, the store keeps when they were last there.
    async fn end_graces(self: &Arc<Self>, now: Millis) {
        let mut gone: Vec<(UserId, Millis, String)> = Vec::new();
        let mut retired: Vec<UserId> = Vec::new();
        self.users.retain(|user, cell| {
            let mut live = cell.lock();
            if live.devices.tick(now) {
                gone.push((user.clone(), live.last_seen.unwrap_or(now), live.status.clone()));
                return true;
            }
            // Kept for one more second after the grace, so that rooms find the last presence to tell.
            live.retired = live.devices.is_empty() && live.count() == 0;
            if live.retired {
                retired.push(user.clone());
            }
            !live.retired
        });
        retired.iter().for_each(|user| self.unlisten_to_user(user));
        if gone.is_empty() {
            return;
        }
        for (user, _, _) in &gone {
            self.user_moved(user);
        }
        if let Err(error) = self.store.put_seen(&gone).await {
            tracing::warn!(%error, "when users were last seen could not be kept");
        }
    }

    /// Grants and mutes that end by time.
    fn look_at_windows(&self, now: Millis) {
        let cells: Vec<_> = self.rooms.iter().map(|cell| cell.clone()).collect();
        for cell in cells {
            let closed: Vec<_> = {
                let mut live = cell.lock();
                let before: Vec<_> = live.due_windows(now);
                if !before.is_empty() {
                    live.reconsider_windows(now);
                }
                before
            };
            for conn in closed {
                conn.mailbox.flush();
            }
        }
    }
}
