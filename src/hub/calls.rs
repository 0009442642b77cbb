//! Calls in memory: links told, signals relayed, sessions that are not heard of, rings that end.
//!
//! The one invariant: a session's links are told under the room's lock, with the event that made them, so no client
//! hears a signal of a link that it was not told of.

use super::{
    Hub, RoomCell,
    conn::Conn,
    encode,
    room::Live,
    stale::Stale,
    state::RoomState,
    writer::{Draft, Job, ReplyTo, Retain},
};
use crate::{gateway::SlotKey, identity::Identity, metrics::VerdictLabel, storage::CallQuery};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use stoa_protocol::{
    CallConfirm, CallHistory, CallLeaveReason, CallLink, CallPlace, CallReply, CallSignal, Capability, Control, Fault,
    Millis, PresenceState, Reply, RoomId, Seq, SessionId, UserId,
};
use stoa_rooms::Actor;
use stoa_signaling::{
    Call, GRACE_MS, Intent, LEAVING_GRACE_MS, Relay, Retained, Taken, end_of, is_end, other_end, sdp, session_of,
};

/// A room's call in memory, beside the fold of its log.
#[derive(Default)]
pub struct CallLive {
    /// Signals on their way.
    relay: Relay,
    /// Sessions of the call without a connection in the room, and since when.
    gone: BTreeMap<SessionId, Millis>,
    /// Those of them of whom everybody was told.
    away: BTreeSet<SessionId>,
    /// Sessions whose page is being left, by their own word.
    leaving: BTreeSet<SessionId>,
    /// Links as they were told last.
    links: Vec<CallLink>,
}

impl CallLive {
    /// A session has a connection in the room again.
    pub fn heard(&mut self, session: &SessionId) {
        self.gone.remove(session);
        self.leaving.remove(session);
    }

    fn clear_absences(&mut self) {
        self.gone.clear();
        self.away.clear();
        self.leaving.clear();
    }
}

impl Live {
    /// What the log folds to.
    pub fn state(&self) -> RoomState {
        RoomState { room: self.room.clone(), call: self.call.clone() }
    }

    /// The running call.
    pub fn call(&self) -> Option<&Arc<Call>> {
        self.call.as_ref()
    }

    /// The call's fold has changed: tells ends of links what is new of them.
    pub fn follow_call(&mut self) {
        let now = self.call.as_ref().map(|call| call.links()).unwrap_or_default();
        if now == self.calls.links {
            return;
        }
        let before = std::mem::replace(&mut self.calls.links, now.clone());
        self.calls.relay.keep(&now);
        let call = self.call.as_ref().map(|call| call.id());
        for link in now.iter().filter(|link| !before.contains(link)) {
            self.tell_link(call.unwrap_or_default(), link);
        }
        for link in before.iter().filter(|old| now.iter().all(|link| link.link != old.link)) {
            let told = Control::CallUnlinked {
                room: self.room.id().clone(),
                call: call.unwrap_or_default(),
                link: link.link.clone(),
            };
            self.push_ends(link, &told);
        }
    }

    fn tell_link(&self, call: Seq, link: &CallLink) {
        let told = Control::CallLink { room: self.room.id().clone(), call, link: link.clone() };
        self.push_ends(link, &told);
    }

    fn push_ends(&self, link: &CallLink, told: &Control) {
        let frame = encode::control(told);
        for session in [&link.polite, &link.impolite].into_iter().filter_map(session_of) {
            if let Some(conn) = self.conn_of(session)
                && conn.mailbox.push_reply(frame.clone()).is_err()
            {
                conn.close_slow();
            }
        }
    }

    /// Tells a connection all links of its session, after its snapshot was pushed: what changed in between is in them.
    pub fn tell_links(&self, conn: &Arc<Conn>) {
        let Some(call) = self.call() else { return };
        for link in call.links_of(&conn.session) {
            let told = Control::CallLink { room: self.room.id().clone(), call: call.id(), link };
            if conn.mailbox.push_reply(encode::control(&told)).is_err() {
                conn.close_slow();
            }
        }
    }

    /// Tells a connection the state of every participant; the newest wins.
    pub fn tell_states(&self, conn: &Arc<Conn>) {
        for (session, frame) in self.state_frames() {
            conn.mailbox.push_slot(SlotKey::of(&("call.state", self.room.id(), &session)), frame);
        }
    }

    fn state_frames(&self) -> Vec<(SessionId, crate::gateway::Frame)> {
        let Some(call) = self.call() else { return vec![] };
        let frame = |p: &stoa_protocol::Participant| {
            let told = Control::CallState {
                room: self.room.id().clone(),
                call: call.id(),
                session: p.session.clone(),
                state: p.state.clone(),
            };
            (p.session.clone(), encode::control(&told))
        };
        call.participants().filter(|p| p.state.version > 0).map(frame).collect()
    }

    /// Tells everybody the state of every participant.
    pub fn tell_states_to_all(&mut self) {
        for (session, frame) in self.state_frames() {
            let key = SlotKey::of(&("call.state", self.room.id(), &session));
            self.push_slot(key, &frame, &Stale::PEOPLE, |_| true);
        }
    }

    /// What another node relays has a number that is followed here too, since its ends may come to this node. Tells
    /// whether it is of a link of now.
    pub fn follow_relay(&mut self, to: &SessionId, told: &Control, now: Millis) -> bool {
        let of = |calls: &CallLive, link: &stoa_protocol::CallLinkId, epoch: u32| {
            calls.links.iter().find(|known| known.link == *link && known.epoch == epoch && is_end(known, to)).cloned()
        };
        match told {
            Control::CallSignal(say) => {
                let Some(link) = of(&self.calls, &say.link, say.epoch) else { return false };
                let Some(sender) = session_of(other_end(&link, to)).cloned() else { return false };
                // A full window is its sender's node's to refuse.
                !matches!(self.calls.relay.signal(&link, &sender, say.n, now), Err(_) | Ok(Taken::Confirmed(_)))
            }
            Control::CallConfirmed { link, epoch, n, .. } => {
                let Some(link) = of(&self.calls, link, *epoch) else { return false };
                let Some(by) = session_of(other_end(&link, to)).cloned() else { return false };
                let _sender = self.calls.relay.confirm(&link, &by, *n);
                true
            }
            _ => true,
        }
    }

    /// The connection of a session in this room.
    pub fn conn_of(&self, session: &SessionId) -> Option<&Arc<Conn>> {
        self.attached().iter().map(|a| &a.conn).find(|conn| conn.session == *session)
    }

    /// A retained row was committed.
    fn take_retained(&mut self, call: Seq, row: &Retained) {
        if let Some(running) = self.call.as_mut().filter(|running| running.id() == call) {
            Arc::make_mut(running).retain(row);
        }
        if let Retained::State { session, .. } = row {
            let frames = self.state_frames();
            let Some((session, frame)) = frames.into_iter().find(|(of, _)| of == session) else { return };
            let key = SlotKey::of(&("call.state", self.room.id(), &session));
            self.push_slot(key, &frame, &Stale::PEOPLE, |_| true);
        }
        self.follow_call();
    }

    /// The link of a session, while both are of this call.
    fn link_of(&self, call: Seq, session: &SessionId, link: &stoa_protocol::CallLinkId) -> Result<CallLink, Fault> {
        let running = self.call().filter(|running| running.id() == call && running.participant(session).is_some());
        running.ok_or_else(|| Fault::not_found("call"))?;
        let known = self.calls.links.iter().find(|known| known.link == *link && is_end(known, session));
        known.cloned().ok_or_else(|| Fault::not_found("link"))
    }

    /// What the second finds: sessions that are lost, rings that are over, rights that are gone.
    fn look(
        &mut self,
        now: Millis,
        hears: bool,
        rights: impl Fn(&UserId, &SessionId, Option<&Conn>) -> bool,
    ) -> Vec<Intent> {
        let Some(call) = self.call.clone() else {
            self.calls.clear_absences();
            return vec![];
        };
        let seated = call.participants().map(|p| (p.session.clone(), p.user.clone()));
        let waiting = call.waiting().iter().map(|knock| (knock.session.clone(), knock.user.clone()));
        let sessions: BTreeMap<_, _> = seated.chain(waiting).collect();
        self.calls.gone.retain(|session, _| sessions.contains_key(session));
        self.calls.leaving.retain(|session| sessions.contains_key(session));
        let mut wanted = Vec::new();
        for (session, user) in &sessions {
            let conn = self.conn_of(session).cloned();
            // Whoever cannot hear the other nodes does not say of anybody that they are gone.
            match conn.is_some() || self.rest.has_session(session) || !hears {
                true => {
                    self.calls.gone.remove(session);
                }
                false => {
                    self.calls.gone.entry(session.clone()).or_insert(now);
                }
            }
            let grace = if self.calls.leaving.contains(session) { LEAVING_GRACE_MS } else { GRACE_MS };
            let lost = self.calls.gone.get(session).is_some_and(|since| since + grace <= now);
            if !rights(user, session, conn.as_deref()) {
                wanted.push(Intent::Lost(call.id(), session.clone(), CallLeaveReason::Rights));
            } else if lost {
                wanted.push(Intent::Lost(call.id(), session.clone(), CallLeaveReason::Lost));
            }
        }
        self.follow_away(&call);
        let over = call.ringing().iter().filter(|(_, until)| **until <= now);
        wanted.extend(over.map(|(user, _)| Intent::RingOver(call.id(), user.clone())));
        wanted
    }

    /// Tells everybody which participants have gone away or are back.
    fn follow_away(&mut self, call: &Call) {
        let seated = call.participants().map(|p| p.session.clone());
        let now: BTreeSet<_> = seated.filter(|session| self.calls.gone.contains_key(session)).collect();
        let before = std::mem::replace(&mut self.calls.away, now);
        let moved: Vec<_> = before.symmetric_difference(&self.calls.away).cloned().collect();
        for session in moved {
            let (key, frame) = self.away_frame(call, &session);
            self.push_slot(key, &frame, &Stale::PEOPLE, |_| true);
        }
    }

    /// Tells a connection of each participant whether it is away; the newest wins.
    pub fn tell_away(&self, conn: &Arc<Conn>) {
        let Some(call) = self.call() else { return };
        for participant in call.participants() {
            let (key, frame) = self.away_frame(call, &participant.session);
            conn.mailbox.push_slot(key, frame);
        }
    }

    fn away_frame(&self, call: &Call, session: &SessionId) -> (SlotKey, crate::gateway::Frame) {
        let (room, away) = (self.room.id().clone(), self.calls.away.contains(session));
        let key = SlotKey::of(&("call.away", &room, session));
        (key, encode::control(&Control::CallAway { room, call: call.id(), session: session.clone(), away }))
    }

    /// The page of a session is being left: when its connection ends, it stays in the call for a shorter while.
    ///
    /// # Errors
    /// `not_found`.
    pub fn leaves_soon(&mut self, session: &SessionId, call: Seq) -> Result<(), Fault> {
        let place = self.call().filter(|running| running.id() == call).map(|running| running.place(session));
        if place.is_none_or(|place| place == CallPlace::Out) {
            return Err(Fault::not_found("call"));
        }
        self.calls.leaving.insert(session.clone());
        Ok(())
    }

    /// Tells both ends of signals that were not confirmed in time.
    fn tell_overdue(&mut self, now: Millis) {
        let Some(call) = self.call().map(|call| call.id()) else { return };
        for late in self.calls.relay.overdue(now) {
            let Some(link) = self.calls.links.iter().find(|link| link.link == late.link).cloned() else { continue };
            let told = Control::CallUnconfirmed {
                room: self.room.id().clone(),
                call,
                link: late.link,
                epoch: late.epoch,
                sender: end_of(&late.sender),
                n: late.n,
            };
            self.push_ends(&link, &told);
        }
    }
}

impl Hub {
    /// Loads every room in which a call runs, so that its rings and graces go on after a restart.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn resume_calls(self: &Arc<Self>) -> Result<(), Fault> {
        for room in self.store.running_calls().await.map_err(|error| self.store_fault(error))? {
            self.room(&room).await?;
        }
        Ok(())
    }

    /// Whether somebody is in another call, or not to be disturbed.
    pub(super) fn is_busy(&self, user: &UserId, room: &RoomId) -> bool {
        let elsewhere = self.in_calls.get(user).is_some_and(|rooms| rooms.iter().any(|other| other != room));
        let elsewhere = elsewhere || self.is_busy_elsewhere(user, room);
        elsewhere || self.presence_of(user).is_some_and(|presence| presence.state == PresenceState::Busy)
    }

    /// Who is in a room's call has changed.
    pub(super) fn index_call(&self, room: &RoomId, before: &BTreeSet<UserId>, after: Option<&Arc<Call>>) {
        let now: BTreeSet<UserId> = after.iter().flat_map(|call| call.participants().map(|p| p.user.clone())).collect();
        before.symmetric_difference(&now).for_each(|user| self.slice_moved(user));
        for user in now.difference(before) {
            self.in_calls.entry(user.clone()).or_default().insert(room.clone());
        }
        for user in before.difference(&now) {
            if let dashmap::Entry::Occupied(mut entry) = self.in_calls.entry(user.clone()) {
                entry.get_mut().remove(room);
                if entry.get().is_empty() {
                    entry.remove();
                }
            }
        }
        match after {
            Some(_) => self.call_rooms.lock().insert(room.clone()),
            None => self.call_rooms.lock().remove(room),
        };
    }

    /// What a command of a call is answered with.
    pub(super) fn call_reply(&self, room: &RoomId, conn: &Conn) -> CallReply {
        let call = self.loaded(room).and_then(|cell| cell.lock().call().cloned());
        let place = call.as_ref().map_or(CallPlace::Out, |call| call.place(&conn.session));
        CallReply {
            place,
            ice: (place == CallPlace::In).then(|| self.ice.servers(&conn.user, self.clock.now())),
            call: call.map(|call| Box::new(call.now(Some(&conn.session)))),
        }
    }

    /// The running call, for whoever may see the room.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub(super) async fn call_get(self: &Arc<Self>, conn: &Conn, room: &RoomId) -> Result<Reply, Fault> {
        self.access(&conn.identity(), room).await?;
        Ok(Reply::Call(Box::new(self.call_reply(room, conn))))
    }

    /// Fresh ICE servers, for participants only.
    ///
    /// # Errors
    /// `not_found` for everybody else.
    pub(super) fn call_ice(&self, conn: &Conn, room: &RoomId, call: Seq) -> Result<Reply, Fault> {
        let cell = self.loaded(room).ok_or_else(|| Fault::not_found("call"))?;
        let inside = {
            let live = cell.lock();
            live.call().is_some_and(|now| now.id() == call && now.participant(&conn.session).is_some())
        };
        match inside {
            true => Ok(Reply::Ice(self.ice.servers(&conn.user, self.clock.now()))),
            false => Err(Fault::not_found("call")),
        }
    }

    /// A page of calls.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn call_history(self: &Arc<Self>, who: &Identity, ask: &CallHistory) -> Result<Reply, Fault> {
        let access = self.access(who, &ask.room).await?;
        let query = CallQuery {
            room: ask.room.clone(),
            after: access.visible_after,
            before: ask.before,
            limit: ask.limit.unwrap_or(20),
        };
        let (calls, more) = self.store.calls(&query).await.map_err(|error| self.store_fault(error))?;
        let people: BTreeSet<UserId> = calls
            .iter()
            .flat_map(|call| call.participants.iter().filter_map(|p| p.user.as_ref()).chain(&call.started_by))
            .cloned()
            .collect();
        let profiles = self.profiles_of(people.into_iter().take(1_000).collect()).await?;
        Ok(Reply::Calls { calls, more, profiles })
    }

    /// Relays a signal to the other end of its link.
    ///
    /// # Errors
    /// Why not, ready to be told.
    pub(super) fn signal(&self, conn: &Conn, cell: &Arc<RoomCell>, mut say: CallSignal) -> Result<(), Fault> {
        say.signal = sdp::clean(say.signal, self.loopback)?;
        let now = self.clock.now();
        let told = {
            let mut live = cell.lock();
            let link = live.link_of(say.call, &conn.session, &say.link)?;
            if say.epoch != link.epoch {
                return Err(Fault::conflict("the link has another epoch"));
            }
            match live.calls.relay.signal(&link, &conn.session, say.n, now)? {
                Taken::Confirmed(n) => {
                    let CallSignal { room, call, link, epoch, .. } = say;
                    let told = Control::CallConfirmed { room, call, link, epoch, n };
                    live.push_to(&conn.session, &told)
                }
                Taken::Forward => match session_of(other_end(&link, &conn.session)).cloned() {
                    Some(other) => self.hand(&live, &other, &Control::CallSignal(Box::new(say))),
                    None => None,
                },
            }
        };
        flush(told);
        self.metrics.signals.inc();
        Ok(())
    }

    /// Relays a confirmation to the end whose signals it is about.
    ///
    /// # Errors
    /// `not_found`.
    pub(super) fn confirm(&self, conn: &Conn, cell: &Arc<RoomCell>, say: CallConfirm) -> Result<(), Fault> {
        let told = {
            let mut live = cell.lock();
            let link = live.link_of(say.call, &conn.session, &say.link)?;
            if say.epoch != link.epoch {
                return Err(Fault::conflict("the link has another epoch"));
            }
            let sender = live.calls.relay.confirm(&link, &conn.session, say.n);
            let CallConfirm { room, call, link, epoch, n } = say;
            let told = Control::CallConfirmed { room, call, link, epoch, n };
            sender.and_then(|sender| self.hand(&live, &sender, &told))
        };
        flush(told);
        Ok(())
    }

    /// Hands something to a session, here or on the node that has it.
    fn hand(&self, live: &Live, to: &SessionId, told: &Control) -> Option<Arc<Conn>> {
        if live.conn_of(to).is_none() {
            self.ring_session(live.room.id(), to, told);
        }
        live.push_to(to, told)
    }

    /// Retained rows were committed: everybody in the room is told.
    pub(super) fn retained(&self, room: &RoomId, call: Seq, rows: &[Retained]) {
        let Some(cell) = self.loaded(room) else { return };
        {
            let mut live = cell.lock();
            for row in rows {
                if let Retained::State { session, state } = row
                    && let Some(verdict) = state.verdict
                    && live
                        .call()
                        .and_then(|call| call.participant(session))
                        .is_some_and(|p| p.state.verdict != Some(verdict))
                {
                    self.metrics.verdicts.get_or_create(&VerdictLabel::of(verdict)).inc();
                }
                live.take_retained(call, row);
            }
        }
        self.flusher.flush(&cell);
    }

    /// Rights and graces, rings and confirmations that are due.
    pub(super) fn look_at_calls(self: &Arc<Self>, now: Millis) {
        let hears = self.nodes.hears();
        let rooms: Vec<RoomId> = self.call_rooms.lock().iter().cloned().collect();
        for cell in rooms.iter().filter_map(|room| self.loaded(room)) {
            let wanted = {
                let mut live = cell.lock();
                let room = live.room.clone();
                let rights = |user: &UserId, session: &SessionId, conn: Option<&Conn>| {
                    let actor = match conn {
                        Some(conn) => conn.actor(&cell.id),
                        None => match self.actor_of(user, session, &cell.id) {
                            Some(actor) => actor,
                            // Nothing is known of its token until it comes back.
                            None => return true,
                        },
                    };
                    room.access(&actor, now).is_ok_and(|access| access.has(Capability::Call))
                };
                let wanted = live.look(now, hears, rights);
                live.tell_overdue(now);
                wanted
            };
            self.flusher.flush(&cell);
            for intent in wanted {
                self.want(&cell.id, intent);
            }
        }
    }

    /// A connected session's rights where it has not opened the room.
    pub(super) fn actor_of(&self, user: &UserId, session: &SessionId, room: &RoomId) -> Option<Actor> {
        let cell = self.users.get(user).map(|cell| cell.clone())?;
        let live = cell.lock();
        live.conns().find(|conn| conn.session == *session).map(|conn| conn.actor(room))
    }

    /// The server wants something of a call. When the lane is full it is wanted again in a second.
    fn want(&self, room: &RoomId, intent: Intent) {
        let (reply, _) = tokio::sync::oneshot::channel();
        let draft = Draft {
            room: room.clone(),
            actor: Actor::service(UserId::new("server").expect("letters")),
            origin: None,
            digest: [0; 16],
            intent: intent.into(),
            key: None,
            reply: ReplyTo::Task(reply),
        };
        if let Err(fault) = self.writer.submit(Job::Draft(draft)) {
            tracing::debug!(%fault, %room, "a call has to wait");
        }
    }

    /// Nobody of this user stays in a call: the tokens behind their sessions hold no more.
    ///
    /// # Errors
    /// `unavailable`.
    pub(super) async fn expel(&self, user: &UserId) -> Result<(), Fault> {
        let rooms = self.in_calls.get(user).map(|rooms| rooms.clone()).unwrap_or_default();
        for cell in rooms.iter().filter_map(|room| self.loaded(room)) {
            let sessions: Vec<_> = {
                let live = cell.lock();
                let seated = live.call().into_iter().flat_map(|call| call.participants().map(move |p| (call.id(), p)));
                let own = seated.filter(|(_, p)| p.user == *user);
                own.map(|(call, p)| Intent::Lost(call, p.session.clone(), CallLeaveReason::Rights)).collect()
            };
            for intent in sessions {
                self.commit(&cell.id, Actor::service(user.clone()), intent, None).await?;
            }
        }
        Ok(())
    }

    /// Queues a change of something retained.
    ///
    /// # Errors
    /// `overloaded`.
    pub(super) fn retain(&self, retain: Retain) -> Result<(), Fault> {
        self.writer.submit(Job::Retain(retain))
    }
}

impl Live {
    /// Pushes a frame to a session; tells the connection that is to be flushed. One whose mailbox is full gets it when
    /// it is sent again.
    fn push_to(&self, session: &SessionId, told: &Control) -> Option<Arc<Conn>> {
        let conn = self.conn_of(session)?.clone();
        conn.mailbox.push(encode::control(told)).is_ok().then_some(conn)
    }
}

fn flush(conn: Option<Arc<Conn>>) {
    if let Some(conn) = conn {
        conn.mailbox.flush();
    }
}
