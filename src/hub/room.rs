//! One room in memory: the pure state, the ring of its newest frames, and who is attached.
//!
//! The one invariant: an attachment that is `Live` has been pushed every event up to the head, in order, because
//! events are applied and pushed under this room's lock and nowhere else.

use super::{
    calls::CallLive,
    conn::Conn,
    encode::{self, Encoded},
    flush::FlushState,
    nodes::Rest,
    planted,
    stale::Stale,
    state::RoomState,
};
use crate::metrics::{Class, Metrics};
use crate::{
    gateway::{Frame, Full, Mailbox, SlotKey},
    storage::StoredEvent,
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use stoa_protocol::{Control, Fault, Millis, RoomEventBody, RoomId, RoomKind, Seq, UserId, limits};
use stoa_rooms::{Access, Bucket, Room, Typing};
use stoa_signaling::Call;

/// Most events in a room's ring, and most bytes: what a reconnecting client missed is nearly always among them.
#[derive(Debug, Clone, Copy)]
pub struct RingMost {
    /// Events.
    pub events: usize,
    /// Bytes.
    pub bytes: usize,
}

/// A room that is loaded.
pub struct RoomCell {
    /// Its name.
    pub id: RoomId,
    /// What the lock protects is short work on memory; nothing waits under it.
    live: Mutex<Live>,
    /// Held while the ring or the state is read from the store, so that many waiting clients cost one read.
    pub loader: tokio::sync::Mutex<()>,
    /// Whether and when its mailboxes are written.
    pub flush: FlushState,
    /// Whether the room waits for the next tick.
    ticking: AtomicBool,
    /// Whether a task reads what the room lacks.
    pub healing: AtomicBool,
    /// Whether that task is to look once more.
    pub heal_again: AtomicBool,
}

/// The state under the lock.
pub struct Live {
    /// The fold of the log.
    pub room: Room,
    /// The fold of its call, while one runs.
    pub call: Option<Arc<Call>>,
    /// What of the call is in memory alone.
    pub calls: CallLive,
    ring: VecDeque<RingEvent>,
    ring_bytes: usize,
    ring_most: RingMost,
    metrics: Arc<Metrics>,
    attached: Vec<Attachment>,
    /// The mailboxes of `attached`, copied for flush passes; `None` when it must be copied anew.
    mailboxes: Option<Arc<[Arc<Mailbox>]>>,
    /// How many attachments each user has.
    users: HashMap<UserId, u32>,
    /// Who is in the room on other nodes.
    pub rest: Rest,
    /// Who types.
    pub typing: Typing,
    /// Counts the ticks that told presence.
    pub presence_turn: u64,
    /// Users whose presence has changed since the last tick.
    pub presence_dirty: BTreeSet<UserId>,
    /// The count of people that was told last, and whether it is still to be told exactly.
    pub told_online: u32,
    /// When a count that has moved too little to tell is told all the same.
    pub settle_at: Option<Millis>,
    /// Whether the room list of its members is to be told.
    pub list_dirty: bool,
    /// What may still be sent here by all users together.
    pub pace: Bucket,
    /// Since when nobody is attached.
    pub idle_since: Option<Millis>,
    /// The room was taken out of the registry: whoever still holds the cell asks the registry again.
    pub retired: bool,
}

struct RingEvent {
    seq: Seq,
    frames: Encoded,
}

/// A connection in a room.
pub struct Attachment {
    /// The connection.
    pub conn: Arc<Conn>,
    /// What its user may do, as of the last change.
    pub access: Access,
    state: Attached,
    stale: Stale,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attached {
    /// The snapshot is being put together; nothing is pushed before it.
    Opening(Seq),
    /// Events above this place wait to be fetched.
    Behind(Seq),
    /// Everything up to the head was pushed.
    Live,
}

/// Where an attachment that is not live goes on.
pub enum CatchUp {
    /// It is live now.
    Done,
    /// The connection is not attached.
    Gone,
    /// The mailbox is full: again when it has drained.
    Full,
    /// The ring does not reach back to this place: events above it come from the store.
    Store(Seq),
}

impl RoomCell {
    /// A loaded room.
    pub fn new(state: RoomState, ring_most: RingMost, metrics: Arc<Metrics>, now: Millis) -> Self {
        let RoomState { room, call } = state;
        let id = room.id().clone();
        let mut live = Live {
            room,
            call,
            calls: CallLive::default(),
            ring: VecDeque::new(),
            ring_bytes: 0,
            attached: Vec::new(),
            mailboxes: None,
            users: HashMap::new(),
            rest: Rest::default(),
            typing: Typing::default(),
            presence_turn: 0,
            presence_dirty: BTreeSet::new(),
            told_online: 0,
            settle_at: None,
            list_dirty: false,
            pace: Bucket::new(),
            ring_most,
            metrics,
            idle_since: Some(now),
            retired: false,
        };
        live.follow_call();
        Self {
            id,
            live: Mutex::new(live),
            loader: tokio::sync::Mutex::new(()),
            flush: FlushState::default(),
            ticking: AtomicBool::new(false),
            healing: AtomicBool::new(false),
            heal_again: AtomicBool::new(false),
        }
    }

    /// The state. Hold it for memory work only.
    pub fn lock(&self) -> parking_lot::MutexGuard<'_, Live> {
        self.live.lock()
    }

    /// Marks the room for the next tick; tells whether it was not marked yet.
    pub fn mark_ticking(&self) -> bool {
        !self.ticking.swap(true, Ordering::AcqRel)
    }

    /// Takes the mark away.
    pub fn clear_ticking(&self) {
        self.ticking.store(false, Ordering::Release);
    }
}

impl Live {
    /// Takes a committed event: applies it, keeps it and pushes it to everybody who is live.
    ///
    /// # Panics
    /// When the event is not the head's successor; see [`Room::apply`].
    pub fn deliver(&mut self, event: &StoredEvent, now: Millis) {
        match &event.body {
            Some(body) => self.room.apply(event.seq, event.at, event.from.as_ref(), body),
            None => self.room.pass(event.seq),
        }
        if let Some(RoomEventBody::Call(body)) = &event.body {
            Call::apply(&mut self.call, event.seq, event.at, event.from.as_ref(), body);
        }
        let frames = encode::room_event(self.room.id(), event);
        for attachment in &mut self.attached {
            if attachment.push_event(event.seq, &frames).is_err() {
                self.metrics.dropped(Class::Durable);
            }
        }
        self.keep(event.seq, frames);
        if let Some(body) = &event.body {
            self.follow(body, now);
        }
    }

    /// What an event changes beside the fold.
    fn follow(&mut self, body: &RoomEventBody, now: Millis) {
        match body {
            RoomEventBody::ChatDeleted { target, .. } => self.forget(*target),
            RoomEventBody::MemberJoined(joined) => self.reconsider(&joined.user, now),
            RoomEventBody::MemberLeft { user, .. } => self.reconsider(user, now),
            RoomEventBody::MemberUpdated(change) => self.reconsider(&change.user, now),
            RoomEventBody::MemberBanned { user, .. } | RoomEventBody::MemberUnbanned { user } => {
                self.reconsider(user, now);
            }
            RoomEventBody::RoomUpdated(change) if change.history.is_some() => self.reconsider_all(now),
            RoomEventBody::RoomCreated(_)
            | RoomEventBody::RoomUpdated(_)
            | RoomEventBody::RoomArchived { .. }
            | RoomEventBody::ChatSent(_)
            | RoomEventBody::ChatEdited { .. }
            | RoomEventBody::ChatReacted { .. }
            | RoomEventBody::ChatPinned { .. }
            | RoomEventBody::DocumentCreated(_)
            | RoomEventBody::DocumentUpdated(_)
            | RoomEventBody::DocumentDeleted { .. }
            | RoomEventBody::App { .. } => {}
            RoomEventBody::Call(_) => self.follow_call(),
        }
        self.list_dirty = true;
    }

    fn keep(&mut self, seq: Seq, frames: Encoded) {
        self.ring_bytes += frames.len();
        self.ring.push_back(RingEvent { seq, frames });
        if let (true, [.., before, last]) = (planted("swapped-delivery"), self.ring.make_contiguous()) {
            std::mem::swap(before, last);
        }
        self.trim();
    }

    fn trim(&mut self) {
        while self.ring.len() > self.ring_most.events || self.ring_bytes > self.ring_most.bytes {
            let Some(oldest) = self.ring.pop_front() else { return };
            self.ring_bytes -= oldest.frames.len();
        }
    }

    /// The words of a deleted message leave the ring too, its edits' as well: what follows them is in the store.
    pub fn forget(&mut self, target: Seq) {
        let room = self.room.id().clone();
        for kept in self.ring.iter_mut().filter(|kept| kept.seq == target || kept.frames.edits == Some(target)) {
            self.ring_bytes -= kept.frames.len();
            kept.frames = encode::erased(&room, kept.seq);
            self.ring_bytes += kept.frames.len();
        }
    }

    /// Puts events in front of the ring, when they end where it begins.
    pub fn backfill(&mut self, events: &[StoredEvent]) {
        for event in events.iter().rev() {
            let first = self.ring.front().map_or(self.room.head().next(), |kept| kept.seq);
            let frames = encode::room_event(self.room.id(), event);
            let full =
                self.ring.len() >= self.ring_most.events || self.ring_bytes + frames.len() > self.ring_most.bytes;
            if full || event.seq.next() != first {
                return;
            }
            self.ring_bytes += frames.len();
            self.ring.push_front(RingEvent { seq: event.seq, frames });
        }
    }

    /// The first place in the ring; the head's successor when it is empty.
    pub fn ring_start(&self) -> Seq {
        self.ring.front().map_or(self.room.head().next(), |kept| kept.seq)
    }

    /// The state as the store has it, for what has no number; when an event came meanwhile, it is for the next look.
    pub fn refresh(&mut self, state: RoomState) {
        if state.room.epoch() == self.room.epoch() && state.room.head() == self.room.head() {
            self.room = state.room;
        }
        self.ring.clear();
        self.ring_bytes = 0;
    }

    /// Drops what is kept, when the log began anew.
    pub fn replace(&mut self, state: RoomState) {
        self.room = state.room;
        self.call = state.call;
        self.follow_call();
        self.ring.clear();
        self.ring_bytes = 0;
    }

    /// Attaches a connection at a place in the log. Nothing is pushed before [`Live::opened`].
    pub fn attach(&mut self, conn: &Arc<Conn>, access: Access, cursor: Seq) {
        self.detach(conn.id);
        self.calls.heard(&conn.session);
        *self.users.entry(conn.user.clone()).or_default() += 1;
        let state = Attached::Opening(cursor);
        self.attached.push(Attachment { conn: conn.clone(), access, state, stale: Stale::default() });
        self.presence_dirty.insert(conn.user.clone());
        self.mailboxes = None;
        self.idle_since = None;
    }

    /// The reply to `room.open` was pushed: events may follow.
    pub fn opened(&mut self, conn: u64) {
        if let Some(attachment) = self.attachment_mut(conn)
            && let Attached::Opening(cursor) = attachment.state
        {
            attachment.state = if planted("live-before-caught-up") { Attached::Live } else { Attached::Behind(cursor) };
            let conn = attachment.conn.clone();
            self.tell_links(&conn);
            self.tell_away(&conn);
        }
    }

    /// Takes a connection out; tells whether it was in.
    pub fn detach(&mut self, conn: u64) -> bool {
        let Some(at) = self.attached.iter().position(|a| a.conn.id == conn) else { return false };
        let gone = self.attached.swap_remove(at);
        if let Some(count) = self.users.get_mut(&gone.conn.user) {
            *count -= 1;
            if *count == 0 {
                self.users.remove(&gone.conn.user);
                self.typing.set(&gone.conn.user, false, 0);
            }
        }
        self.presence_dirty.insert(gone.conn.user.clone());
        self.mailboxes = None;
        if self.attached.is_empty() {
            self.attached = Vec::new();
        }
        true
    }

    /// A connection's place in the room.
    pub fn attachment(&self, conn: u64) -> Option<&Attachment> {
        self.attached.iter().find(|a| a.conn.id == conn)
    }

    fn attachment_mut(&mut self, conn: u64) -> Option<&mut Attachment> {
        self.attached.iter_mut().find(|a| a.conn.id == conn)
    }

    /// Everybody who is attached.
    pub fn attached(&self) -> &[Attachment] {
        &self.attached
    }

    /// Users that are attached.
    pub fn users(&self) -> &HashMap<UserId, u32> {
        &self.users
    }

    /// The mailboxes for a flush pass.
    pub fn mailboxes(&mut self) -> Arc<[Arc<Mailbox>]> {
        let attached = &self.attached;
        self.mailboxes.get_or_insert_with(|| attached.iter().map(|a| a.conn.mailbox.clone()).collect()).clone()
    }

    /// Whether presence is told user by user here.
    pub fn tells_each(&self) -> bool {
        self.room.info().kind != RoomKind::Class && self.room.members().len() <= limits::PRESENCE_EACH
    }

    /// Whether no tick is needed until something happens.
    pub fn is_settled(&self) -> bool {
        self.typing.is_idle() && self.settle_at.is_none() && self.presence_dirty.is_empty() && !self.list_dirty
    }

    /// Moves an attachment on through the ring. Called until it is not [`CatchUp::Store`].
    pub fn catch_up(&mut self, conn: u64) -> CatchUp {
        let (start, head) = (self.ring_start(), self.room.head());
        let Some(attachment) = self.attached.iter_mut().find(|a| a.conn.id == conn) else { return CatchUp::Gone };
        let mut cursor = match attachment.state {
            Attached::Live => return CatchUp::Done,
            Attached::Behind(cursor) | Attached::Opening(cursor) => cursor,
        };
        // What the reader may not see is passed over at once.
        if cursor < attachment.access.visible_after.min(head) {
            cursor = attachment.access.visible_after.min(head);
            if attachment.conn.mailbox.push(encode::skip(self.room.id(), cursor)).is_err() {
                return CatchUp::Full;
            }
        }
        attachment.state = Attached::Behind(cursor);
        if cursor.next() < start && !planted("skipped-gap") {
            return CatchUp::Store(cursor);
        }
        let has = |kept: &&RingEvent| kept.seq < cursor || (kept.seq == cursor && !planted("double-apply-on-resume"));
        for kept in self.ring.iter().skip_while(has) {
            if attachment.conn.mailbox.push(kept.frames.for_reader(&attachment.access)).is_err() {
                attachment.conn.mark_behind();
                return CatchUp::Full;
            }
            attachment.state = Attached::Behind(kept.seq);
        }
        attachment.state = Attached::Live;
        CatchUp::Done
    }

    /// Pushes events from the store to an attachment that is at `from`.
    pub fn push_stored(&mut self, conn: u64, from: Seq, events: &[StoredEvent]) -> CatchUp {
        let room = self.room.id().clone();
        let Some(attachment) = self.attachment_mut(conn) else { return CatchUp::Gone };
        if attachment.state != Attached::Behind(from) {
            return CatchUp::Done;
        }
        for event in events {
            let frames = encode::room_event(&room, event);
            if attachment.conn.mailbox.push(frames.for_reader(&attachment.access)).is_err() {
                attachment.conn.mark_behind();
                return CatchUp::Full;
            }
            attachment.state = Attached::Behind(event.seq);
        }
        CatchUp::Store(events.last().map_or(from, |event| event.seq))
    }

    /// Pushes a passing frame to everybody who has the room open, except one connection. A full mailbox drops it.
    pub fn push_passing(&mut self, frame: &Frame, except: Option<u64>) {
        for attachment in &mut self.attached {
            if Some(attachment.conn.id) == except || matches!(attachment.state, Attached::Opening(_)) {
                continue;
            }
            attachment.push_passing(frame, &self.metrics, &Stale::PEOPLE);
        }
    }

    /// Pushes whose presence has changed. Who has the room not open yet is told behind the reply, which may be older.
    pub fn push_presence(&mut self, frame: &Frame, moved: BTreeSet<UserId>) {
        self.presence_turn += 1;
        let says = Stale { moved, ..Stale::PEOPLE };
        for attachment in &mut self.attached {
            match attachment.state {
                Attached::Opening(_) => attachment.stale.add(&says),
                Attached::Behind(_) | Attached::Live => attachment.push_passing(frame, &self.metrics, &says),
            }
        }
    }

    /// Sets a latest-wins frame for those who fit, under the same rule.
    pub fn push_slot(&mut self, key: SlotKey, frame: &Frame, says: &Stale, to: impl Fn(&Attachment) -> bool) {
        for attachment in &mut self.attached {
            match attachment.state {
                Attached::Opening(_) => attachment.stale.add(says),
                Attached::Behind(_) | Attached::Live if to(attachment) => {
                    attachment.conn.mailbox.push_slot(key, frame.clone());
                }
                Attached::Behind(_) | Attached::Live => {}
            }
        }
    }

    /// What was told of the room beside its log may be lacking.
    pub fn mark_stale(&mut self, conn: u64, lacks: &Stale) {
        if let Some(attachment) = self.attachment_mut(conn) {
            attachment.stale.add(lacks);
        }
    }

    /// Takes the mark of what was not told away.
    pub fn take_stale(&mut self, conn: u64) -> Stale {
        self.attachment_mut(conn).map(|a| std::mem::take(&mut a.stale)).unwrap_or_default()
    }

    /// Looks at a user's rights again, on all their connections.
    pub fn reconsider(&mut self, user: &UserId, now: Millis) {
        if self.users.contains_key(user) {
            self.reconsider_those(now, |a| a.conn.user == *user);
        }
        self.presence_dirty.insert(user.clone());
    }

    /// Connections whose grant's window or mute ends by now.
    pub fn due_windows(&self, now: Millis) -> Vec<Arc<Conn>> {
        self.attached.iter().filter(|a| a.is_due(now)).map(|a| a.conn.clone()).collect()
    }

    /// Looks at everybody's rights again whose grant's window may have moved.
    pub fn reconsider_windows(&mut self, now: Millis) {
        self.reconsider_those(now, |a| a.is_due(now));
    }

    fn reconsider_all(&mut self, now: Millis) {
        self.reconsider_those(now, |_| true);
    }

    fn reconsider_those(&mut self, now: Millis, which: impl Fn(&Attachment) -> bool) {
        let mut gone = Vec::new();
        for attachment in self.attached.iter_mut().filter(|a| which(a)) {
            let actor = attachment.conn.actor(self.room.id());
            match self.room.access(&actor, now) {
                Ok(access) if access == attachment.access => {}
                Ok(access) => {
                    attachment.access = access;
                    let told = Control::RoomAccess { room: self.room.id().clone(), access: access.view() };
                    attachment.push_control(&told);
                }
                Err(_) => {
                    let reason = Fault::forbidden("your right to this room was taken away");
                    attachment.push_control(&Control::RoomClosed { room: self.room.id().clone(), reason });
                    gone.push(attachment.conn.id);
                }
            }
        }
        for conn in gone {
            self.detach(conn);
        }
    }

    /// Throws everybody out, when the room is deleted.
    pub fn close_all(&mut self, reason: &Fault) {
        let frame = Control::RoomClosed { room: self.room.id().clone(), reason: reason.clone() };
        let all: Vec<_> = self.attached.iter().map(|a| a.conn.id).collect();
        for attachment in &mut self.attached {
            attachment.push_control(&frame);
        }
        for conn in all {
            self.detach(conn);
        }
    }

    /// The attachments whose cursor must be void: the log began anew.
    pub fn connections(&self) -> Vec<Arc<Conn>> {
        self.attached.iter().map(|a| a.conn.clone()).collect()
    }
}

impl Attachment {
    fn is_due(&self, now: Millis) -> bool {
        [self.access.until, self.access.muted_until].iter().flatten().any(|end| *end <= now)
    }

    /// Pushes an event to who is live. A full mailbox wakes its connection when it has drained, and that catches up
    /// from here.
    fn push_event(&mut self, seq: Seq, frames: &Encoded) -> Result<(), Full> {
        if self.state != Attached::Live {
            return Ok(());
        }
        let pushed = self.conn.mailbox.push(frames.for_reader(&self.access));
        if pushed.is_err() && !planted("full-mailbox-skipped") {
            self.state = Attached::Behind(Seq::new(seq.value() - 1).unwrap_or_default());
            self.conn.mark_behind();
        }
        pushed
    }

    fn push_passing(&mut self, frame: &Frame, metrics: &Metrics, says: &Stale) {
        if self.conn.mailbox.push(frame.clone()).is_err() {
            metrics.dropped(Class::Passing);
            self.stale.add(says);
            self.conn.mark_behind();
        }
        if self.stale.is_too_much() {
            self.conn.close_slow();
        }
    }

    /// A change of one's own rights is pushed among the replies: it must not be dropped.
    fn push_control(&mut self, control: &Control) {
        if self.conn.mailbox.push_reply(encode::control(control)).is_err() {
            self.conn.close_slow();
        }
    }
}
