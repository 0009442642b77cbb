//! What other nodes say takes effect here. Nothing waits: whatever needs the store is done by a task of its own.

use super::{super::encode, *};
use serde::de::DeserializeOwned;

impl Hub {
    /// Takes one thing that another node said.
    pub(super) fn hear(self: &Arc<Self>, heard: Heard) {
        let Heard { from, topic, body } = heard;
        match topic {
            Topic::Room(room) => {
                if let (Some(cell), Some(news)) = (self.loaded(&room), self.read_news(&body)) {
                    self.hear_of_room(from, &cell, news);
                }
            }
            Topic::User(user) => {
                if let Some(news) = self.read_news(&body) {
                    self.hear_of_user(&user, news);
                }
            }
            Topic::Nodes => {
                if let Some(news) = self.read_news(&body) {
                    self.hear_of_nodes(from, news);
                }
            }
        }
    }

    /// The bus let through only what a node of this deployment said: what is not known here is of a newer version.
    fn read_news<T: DeserializeOwned>(&self, body: &[u8]) -> Option<T> {
        match serde_json::from_slice(body) {
            Ok(news) => Some(news),
            Err(error) => {
                self.metrics.news_unknown.inc();
                tracing::debug!(%error, "what a node said is not known here");
                None
            }
        }
    }

    fn hear_of_room(self: &Arc<Self>, from: BootId, cell: &Arc<RoomCell>, news: OfRoom) {
        let room = &cell.id;
        match news {
            OfRoom::Events { epoch, events } => self.hear_events(cell, &epoch, &events),
            OfRoom::Rang { epoch, head } => self.compare_room(cell, &epoch, head),
            OfRoom::Anew => self.reload_soon(room),
            OfRoom::Retained { call, rows } => self.retained(room, call, &rows),
            OfRoom::Typing { users } => {
                let now = self.clock.now();
                let mut live = cell.lock();
                users.iter().for_each(|(user, on)| live.typing.set(user, *on, now));
                drop(live);
                self.tick_later(cell);
            }
            OfRoom::Passing { told } => {
                cell.lock().push_passing(&encode::control(&told), None);
                self.flusher.flush(cell);
            }
            OfRoom::Read { user, seq } => self.tell_marker(cell, &user, seq),
            OfRoom::Directed { to, told } => self.hear_directed(cell, &to, &told),
            OfRoom::Here(here) => {
                cell.lock().hear_here(from, here, self.clock.now());
                self.tick_later(cell);
            }
            OfRoom::WhoIsHere => {
                cell.lock().forget_told_here();
                self.tick_later(cell);
            }
            OfRoom::Saved(saved) => self.heard_saved(room, saved),
            OfRoom::Aware { document, states } => self.heard_aware(room, document, from, states),
            OfRoom::WhoIsAware { document } => self.asked_aware(room, document),
        }
    }

    /// Committed events of another node go through the gate. What is missing in between is read by a task.
    fn hear_events(self: &Arc<Self>, cell: &Arc<RoomCell>, epoch: &Epoch, events: &[StoredEvent]) {
        if cell.lock().room.epoch() != epoch {
            return self.reload_soon(&cell.id);
        }
        if self.deliver_now(cell, events) {
            self.heal_soon(cell);
        }
    }

    /// The store has this head.
    pub(super) fn compare_room(self: &Arc<Self>, cell: &Arc<RoomCell>, epoch: &Epoch, head: Seq) {
        let (same, behind) = {
            let live = cell.lock();
            (live.room.epoch() == epoch, live.room.head() < head)
        };
        match same {
            false => self.reload_soon(&cell.id),
            true if behind => self.heal_soon(cell),
            true => {}
        }
    }

    /// Reads what the room lacks, in a task; one at a time for each room.
    pub(super) fn heal_soon(self: &Arc<Self>, cell: &Arc<RoomCell>) {
        if cell.healing.swap(true, Ordering::AcqRel) {
            // Whoever reads looks again after this mark: it is taken away before the last read.
            cell.heal_again.store(true, Ordering::Release);
            return;
        }
        let (hub, cell) = (self.clone(), cell.clone());
        self.tasks.spawn(async move {
            loop {
                cell.heal_again.store(false, Ordering::Release);
                if hub.heal(&cell).await.is_err() {
                    hub.suspect(&cell.id);
                }
                cell.healing.store(false, Ordering::Release);
                if !cell.heal_again.load(Ordering::Acquire) || cell.healing.swap(true, Ordering::AcqRel) {
                    return;
                }
            }
        });
    }

    pub(super) fn reload_soon(self: &Arc<Self>, room: &RoomId) {
        let (hub, room) = (self.clone(), room.clone());
        self.tasks.spawn(async move { hub.reload(&room).await });
    }

    /// Something for a session, when it is here.
    fn hear_directed(&self, cell: &RoomCell, to: &SessionId, told: &Control) {
        let conn = cell.lock().hear_directed(to, told, self.clock.now());
        if let Some(conn) = conn {
            conn.mailbox.flush();
        }
    }

    fn hear_of_user(self: &Arc<Self>, user: &UserId, news: OfUser) {
        match news {
            OfUser::Stream { event } => {
                // The name of who it is from may have to be read. One that overtakes another leaves a gap, which is read.
                let (hub, user) = (self.clone(), user.clone());
                self.tasks.spawn(async move { hub.deliver_user(&user, &event).await });
            }
            OfUser::Passing { told } => {
                if let Some(cell) = self.users.get(user).map(|cell| cell.clone()) {
                    cell.lock().push_passing(&encode::control(&told), None);
                }
            }
            OfUser::Marked { room, seq } => self.tell_own_marker(&room, user, seq),
            OfUser::List { rooms } => rooms.iter().for_each(|room| self.list_changed(user, room)),
            OfUser::Taken { session } => {
                let Some(cell) = self.users.get(user).map(|cell| cell.clone()) else { return };
                let conns: Vec<_> = cell.lock().conns().filter(|conn| conn.session == session).cloned().collect();
                conns.iter().for_each(|conn| conn.mailbox.close(CloseCode::Replaced));
            }
        }
    }

    /// The user's log began anew: their clients come again, and find that their cursors are void.
    pub(super) fn stream_anew(&self, cell: &super::super::users::UserCell) {
        let conns: Vec<_> = cell.lock().conns().cloned().collect();
        conns.iter().for_each(|conn| conn.mailbox.close(CloseCode::Unavailable));
    }

    fn hear_of_nodes(self: &Arc<Self>, from: BootId, news: OfNodes) {
        let now = self.clock.now();
        match news {
            OfNodes::Slice { n, users } => {
                let heard = self.nodes.others.lock().diff(from, n, users);
                match heard {
                    Ok(changed) => self.moved_elsewhere(changed),
                    Err(elsewhere::Gap) => self.ask_slice(from),
                }
            }
            OfNodes::Whole { n, first, last, users } => {
                let changed = self.nodes.others.lock().part(from, n, first, last, users);
                self.moved_elsewhere(changed);
                self.nodes.heard_slice.send_modify(|count| *count += 1);
            }
            OfNodes::Beat { n, timeline } => {
                if let Some(seen) = timeline {
                    self.store.learn_timeline(seen);
                }
                let heard = self.nodes.others.lock().beat(from, n, now);
                if heard.is_err() {
                    self.ask_slice(from);
                }
            }
            OfNodes::Ask { of } if of == self.nodes.lease.boot().to_string() => self.say_whole(),
            OfNodes::Ask { of: _ } => {}
            OfNodes::Leaving => {
                let _news = self.nodes.others.lock().dead(from, now);
            }
            OfNodes::Profile { user, profile } => {
                self.remember_profile(user.clone(), Some(profile.clone()));
                self.tell_profile(&user, &profile);
            }
            OfNodes::Revoked { user, before } => self.revoked_here(&user, before),
            OfNodes::LinkRevoked { link } => self.close_guests(&link),
        }
    }

    /// Asks a node for its slice, once a second at most.
    pub(super) fn ask_slice(&self, of: BootId) {
        if self.nodes.asked.lock().insert(of) {
            self.nodes.say_to_nodes(|| OfNodes::Ask { of: of.to_string() });
        }
    }

    /// Presence on other nodes has changed: the rooms here tell it.
    pub(super) fn moved_elsewhere(self: &Arc<Self>, users: Vec<UserId>) {
        for user in users {
            let words = self.nodes.others.lock().words(&user);
            if let (Some((text, at)), Some(cell)) = (words, self.users.get(&user).map(|cell| cell.clone())) {
                let mut live = cell.lock();
                if at > live.status_at {
                    (live.status, live.status_at) = (text, at);
                }
            }
            self.tell_moved(&user);
        }
    }
}
