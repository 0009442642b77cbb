//! One connection after `hello`, as rooms and users see it.

use super::state::Origin;
use crate::{gateway::Mailbox, identity::Identity};
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU32, Ordering},
};
use stoa_protocol::{CloseCode, DeviceId, RoomId, SessionId, UserId};
use stoa_rooms::Actor;

/// A connection.
pub struct Conn {
    /// Unique in this process.
    pub id: u64,
    /// Who it is; never changes, a refreshed token must be the same user's.
    pub user: UserId,
    /// The session, across reconnects.
    pub session: SessionId,
    /// Its device, by the name that tells others nothing.
    pub device: Option<DeviceId>,
    /// What goes out.
    pub mailbox: Arc<Mailbox>,
    /// Whether changes of the room list are told.
    pub wants_list: bool,
    identity: Mutex<Arc<Identity>>,
    /// A push was refused: something has to be caught up when the mailbox has drained.
    behind: AtomicBool,
    /// Durable commands that are not answered yet.
    in_flight: AtomicU32,
}

impl Conn {
    /// A connection whose token was verified.
    pub fn new(id: u64, origin: Origin, mailbox: Arc<Mailbox>, identity: Arc<Identity>, wants_list: bool) -> Self {
        Self {
            id,
            user: identity.user.clone(),
            session: origin.session,
            device: origin.device,
            mailbox,
            wants_list,
            identity: Mutex::new(identity),
            behind: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
        }
    }

    /// What the token says now.
    pub fn identity(&self) -> Arc<Identity> {
        self.identity.lock().clone()
    }

    /// A new token of the same user.
    pub fn set_identity(&self, identity: Arc<Identity>) {
        *self.identity.lock() = identity;
    }

    /// This user in a room.
    pub fn actor(&self, room: &RoomId) -> Actor {
        self.identity.lock().actor(room)
    }

    /// Where its commands come from.
    pub fn origin(&self) -> Origin {
        Origin { session: self.session.clone(), device: self.device.clone() }
    }

    /// Something has to be caught up.
    pub fn mark_behind(&self) {
        self.behind.store(true, Ordering::Release);
    }

    /// Takes the mark.
    pub fn take_behind(&self) -> bool {
        self.behind.swap(false, Ordering::AcqRel)
    }

    /// Its replies do not fit any more: it catches up on a new connection.
    pub fn close_slow(&self) {
        self.mailbox.close(CloseCode::SlowConsumer);
    }

    /// One more durable command, unless `most` are unanswered.
    pub fn begin(&self, most: u32) -> bool {
        let begun = self.in_flight.fetch_add(1, Ordering::AcqRel) < most;
        if !begun {
            self.in_flight.fetch_sub(1, Ordering::AcqRel);
        }
        begun
    }

    /// A durable command was answered.
    pub fn end(&self) {
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}
