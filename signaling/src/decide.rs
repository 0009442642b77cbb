//! From what somebody wants of a call to the facts that follow, or a refusal.

use crate::{Call, RING_MS, Retained};
use serde::Serialize;
use std::{collections::BTreeSet, sync::Arc};
use stoa_protocol::{
    CallEndReason, CallEvent, CallLeaveReason, CallMedia, CallStarted, CallUpdated, Carried, DeclineReason, DeviceId,
    ErrorCode, Fault, Millis, MuteState, RingEnd, RoomId, Seq, SessionId, TrackSource, UserEventBody, UserId, limits,
};

/// A durable wish about a call. Its serialised form is what the digest of an idempotency key covers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Intent {
    /// Start a call and join it, or join the one that runs.
    Start {
        /// What it is about.
        media: CallMedia,
        /// Whose devices ring.
        ring: Vec<UserId>,
        /// Everybody's do.
        ring_all: bool,
        /// Who comes waits.
        lobby: bool,
    },
    /// Let more devices ring.
    Ring(Seq, Vec<UserId>),
    /// Say no to a ring.
    Decline(Seq),
    /// Come in.
    Join(Seq),
    /// Go.
    Leave(Seq),
    /// End it for all.
    End(Seq),
    /// Change it.
    Update(CallUpdated),
    /// Let somebody in.
    Admit(Seq, UserId),
    /// Send somebody away who waits.
    Refuse(Seq, UserId),
    /// Mute others; nobody named means all who do not moderate.
    Mute(Seq, Vec<UserId>, TrackSource, MuteState),
    /// Remove somebody.
    Remove(Seq, UserId),
    /// The server's: a session was not heard of for too long, or its user may not be in the call any more.
    Lost(Seq, SessionId, CallLeaveReason),
    /// The server's: a ring has lasted long enough.
    RingOver(Seq, UserId),
}

impl Intent {
    /// Whether the server itself wants it: then nobody caused what follows.
    pub fn is_servers(&self) -> bool {
        matches!(self, Self::Lost(..) | Self::RingOver(..))
    }

    /// Whether it begins a call or takes somebody in.
    pub fn takes_in(&self) -> bool {
        matches!(self, Self::Start { .. } | Self::Join(_) | Self::Admit(..))
    }

    /// Whether deciding needs to know the people who can be rung.
    pub fn rings(&self) -> bool {
        matches!(self, Self::Start { .. } | Self::Ring(..))
    }

    /// Whether deciding needs to know who moderates.
    pub fn mutes(&self) -> bool {
        matches!(self, Self::Mute(..))
    }
}

/// Who wants something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub user: UserId,
    /// From which session; `None` over the HTTP API.
    pub session: Option<SessionId>,
    /// On which device, by the name that tells others nothing.
    pub device: Option<DeviceId>,
    /// Whether they may start and join calls.
    pub calls: bool,
    /// Whether they moderate.
    pub moderates: bool,
}

/// The room around a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The room.
    pub room: RoomId,
    /// The end of its log.
    pub head: Seq,
    /// Whether it is a room of two.
    pub direct: bool,
    /// Members who may call, for [`Intent::rings`].
    pub people: BTreeSet<UserId>,
    /// Of them those who are in another call, or not to be disturbed.
    pub busy: BTreeSet<UserId>,
    /// Participants who moderate, for [`Intent::mutes`].
    pub moderators: BTreeSet<UserId>,
}

impl Caller {
    /// Somebody who may call and does not moderate.
    pub fn new(user: UserId, session: SessionId) -> Self {
        Self { user, session: Some(session), device: None, calls: true, moderates: false }
    }
}

impl Place {
    /// A room that is not direct, in which nobody is to be rung.
    pub fn of(room: RoomId) -> Self {
        let nobody = BTreeSet::new;
        Self { room, head: Seq::ZERO, direct: false, people: nobody(), busy: nobody(), moderators: nobody() }
    }
}

/// What follows from a wish. Without anything it was fulfilled already.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// Events of the room, in order; the first one's number is the command's.
    pub bodies: Vec<CallEvent>,
    /// Events of users' own logs.
    pub notices: Vec<(UserId, UserEventBody)>,
    /// Retained rows.
    pub retained: Vec<Retained>,
}

/// The facts that would follow now. Changes nothing.
///
/// # Errors
/// Why not, ready to be told to the caller.
pub fn decide(
    running: Option<&Arc<Call>>,
    place: &Place,
    caller: &Caller,
    intent: &Intent,
    now: Millis,
) -> Result<Facts, Fault> {
    let case = Case { place, caller, now, call: running.cloned(), next: place.head.next(), facts: Facts::default() };
    match intent {
        Intent::Start { media, ring, ring_all, lobby } => match running {
            Some(_) => case.join(),
            None => case.start(*media, ring, *ring_all, *lobby),
        },
        Intent::Ring(call, users) => case.of(*call)?.ring(users),
        Intent::Decline(call) => case.of(*call)?.decline(),
        Intent::Join(call) => case.of(*call)?.join(),
        Intent::Leave(call) => case.leave(*call),
        Intent::End(call) => case.of(*call)?.end(),
        Intent::Update(change) => case.of(change.call)?.update(change),
        Intent::Admit(call, user) => case.of(*call)?.admit(user),
        Intent::Refuse(call, user) => case.of(*call)?.refuse(user),
        Intent::Mute(call, users, source, state) => case.of(*call)?.mute(users, *source, *state),
        Intent::Remove(call, user) => case.of(*call)?.remove(user),
        Intent::Lost(call, session, reason) => case.lost(*call, session, *reason),
        Intent::RingOver(call, user) => case.ring_over(*call, user),
    }
}

/// What follows for a call when a user loses the right to it: all their sessions leave.
pub fn expel(running: Option<&Arc<Call>>, place: &Place, user: &UserId, now: Millis) -> Facts {
    let Some(case) = Case::of_server(running, place, now) else { return Facts::default() };
    case.go_all(user, CallLeaveReason::Rights).0
}

/// What follows for a call when its room is archived.
pub fn archive(running: Option<&Arc<Call>>, place: &Place, now: Millis) -> Facts {
    let Some(mut case) = Case::of_server(running, place, now) else { return Facts::default() };
    case.finish(CallEndReason::Archived);
    case.facts
}

/// One wish, and the call as the facts so far leave it.
struct Case<'a> {
    place: &'a Place,
    caller: &'a Caller,
    now: Millis,
    call: Option<Arc<Call>>,
    next: Seq,
    facts: Facts,
}

impl Case<'static> {
    fn of_server<'a>(running: Option<&Arc<Call>>, place: &'a Place, now: Millis) -> Option<Case<'a>> {
        static SERVER: std::sync::LazyLock<Caller> = std::sync::LazyLock::new(|| Caller {
            user: UserId::new("server").expect("letters"),
            session: None,
            device: None,
            calls: false,
            moderates: false,
        });
        let call = running?.clone();
        let facts = Facts::default();
        Some(Case { place, caller: &SERVER, now, call: Some(call), next: place.head.next(), facts })
    }
}

impl Case<'_> {
    /// The wish is about this call, and it runs.
    fn of(self, call: Seq) -> Result<Self, Fault> {
        match &self.call {
            Some(running) if running.id == call => Ok(self),
            Some(_) | None => Err(Fault::not_found("call")),
        }
    }

    fn running(&self) -> &Call {
        self.call.as_ref().expect("`of`, `start` or the caller has made sure that it runs")
    }

    /// Adds an event and what follows from it for users' own logs.
    fn push(&mut self, event: CallEvent) {
        let before: Vec<UserId> = self.call.iter().flat_map(|call| call.ringing.keys().cloned()).collect();
        let seq = self.next;
        self.next = seq.next();
        Call::apply(&mut self.call, seq, self.now, Some(&self.caller.user), &event);
        let silent = match &event {
            CallEvent::Joined { user, .. } => Some((user, RingEnd::Answered)),
            CallEvent::Declined { user, reason: DeclineReason::Declined, .. } => Some((user, RingEnd::Declined)),
            CallEvent::Declined { user, reason: DeclineReason::Missed, .. } => Some((user, RingEnd::Missed)),
            _ => None,
        };
        let id = event.call(seq);
        match (&event, silent) {
            (CallEvent::Ended { .. }, _) => {
                before.iter().for_each(|user| self.silence(user, id, RingEnd::Cancelled));
            }
            (CallEvent::Declined { user, reason: DeclineReason::Busy, .. }, _) => {
                self.silence(&user.clone(), id, RingEnd::Busy);
            }
            (_, Some((user, end))) if before.contains(user) => self.silence(&user.clone(), id, end),
            _ => {}
        }
        self.facts.bodies.push(event);
        let rung: Vec<UserId> = self.call.iter().flat_map(|call| call.ringing.keys().cloned()).collect();
        for user in rung.into_iter().filter(|user| !before.contains(user)) {
            let (room, media) = (self.place.room.clone(), self.running().media);
            let ring = UserEventBody::Ring { room, call: id, media, until: self.now + RING_MS };
            self.facts.notices.push((user, ring));
        }
    }

    fn silence(&mut self, user: &UserId, call: Seq, reason: RingEnd) {
        let ended = UserEventBody::RingEnded { room: self.place.room.clone(), call, reason };
        self.facts.notices.push((user.clone(), ended));
    }

    fn done(self) -> Result<Facts, Fault> {
        Ok(self.facts)
    }

    fn need_call(&self) -> Result<(), Fault> {
        match self.caller.calls {
            true => Ok(()),
            false => Err(Fault::forbidden("needs the capability call")),
        }
    }

    fn need_moderate(&self) -> Result<(), Fault> {
        match self.caller.moderates {
            true => Ok(()),
            false => Err(Fault::forbidden("needs the capability moderate")),
        }
    }

    fn session(&self) -> Result<SessionId, Fault> {
        self.caller.session.clone().ok_or_else(|| Fault::forbidden("a call is joined over a socket"))
    }

    fn start(mut self, media: CallMedia, ring: &[UserId], ring_all: bool, lobby: bool) -> Result<Facts, Fault> {
        self.need_call()?;
        self.session()?;
        if lobby {
            self.need_moderate()?;
        }
        let people = &self.place.people;
        let asked: BTreeSet<UserId> = match ring_all || self.place.direct {
            true if people.len() > limits::RINGS + 1 => {
                return Err(Fault::bad_request("ring_all", format!("rings more than {} people", limits::RINGS)));
            }
            true => people.iter().filter(|user| **user != self.caller.user).cloned().collect(),
            false => self.ringable(ring),
        };
        let (busy, ringing): (Vec<_>, Vec<_>) = asked.into_iter().partition(|user| self.place.busy.contains(user));
        self.push(CallEvent::Started(CallStarted { media, carried: Carried::Mesh, lobby, ringing: ringing.clone() }));
        self.enter()?;
        let call = self.running().id;
        for user in busy {
            self.push(CallEvent::Declined { call, user, reason: DeclineReason::Busy });
        }
        if self.place.direct && ringing.is_empty() {
            self.finish(CallEndReason::Declined);
        }
        self.done()
    }

    /// Only people of the room ring, and nobody who is in the call.
    fn ringable(&self, users: &[UserId]) -> BTreeSet<UserId> {
        let inside =
            |user: &UserId| self.call.as_ref().is_some_and(|call| call.participants().any(|p| p.user == *user));
        let rings = |user: &&UserId| self.place.people.contains(*user) && **user != self.caller.user && !inside(user);
        users.iter().filter(rings).cloned().collect()
    }

    fn ring(mut self, users: &[UserId]) -> Result<Facts, Fault> {
        self.need_call()?;
        self.need_inside()?;
        let call = self.running().id;
        let known = self.running().ringing.clone();
        let asked = self.ringable(users).into_iter().filter(|user| !known.contains_key(user));
        let (busy, users): (Vec<_>, Vec<_>) = asked.partition(|user| self.place.busy.contains(user));
        if known.len() + users.len() > limits::RINGS {
            return Err(Fault::conflict(format!("the call rings {} people, which is the most", limits::RINGS)));
        }
        if !users.is_empty() {
            self.push(CallEvent::Rang { call, users });
        }
        for user in busy {
            self.push(CallEvent::Declined { call, user, reason: DeclineReason::Busy });
        }
        self.done()
    }

    fn need_inside(&self) -> Result<(), Fault> {
        let inside = self.running().participants().any(|p| p.user == self.caller.user);
        match inside || self.caller.moderates {
            true => Ok(()),
            false => Err(Fault::forbidden("you are not in the call")),
        }
    }

    fn decline(mut self) -> Result<Facts, Fault> {
        let (call, user) = (self.running().id, self.caller.user.clone());
        if !self.running().ringing.contains_key(&user) {
            return self.done();
        }
        self.push(CallEvent::Declined { call, user, reason: DeclineReason::Declined });
        self.end_when_nobody_comes(CallEndReason::Declined);
        self.done()
    }

    /// In a room of two a call that the other one does not take is over.
    fn end_when_nobody_comes(&mut self, reason: CallEndReason) {
        let users: BTreeSet<_> = self.running().participants().map(|p| p.user.clone()).collect();
        if self.place.direct && self.running().ringing.is_empty() && users.len() < 2 {
            self.finish(reason);
        }
    }

    fn ring_over(mut self, call: Seq, user: &UserId) -> Result<Facts, Fault> {
        let over =
            self.call.as_ref().filter(|running| running.id == call).and_then(|running| running.ringing.get(user));
        if over.is_none_or(|until| self.now < *until) {
            return self.done();
        }
        self.push(CallEvent::Declined { call, user: user.clone(), reason: DeclineReason::Missed });
        self.end_when_nobody_comes(CallEndReason::Missed);
        self.done()
    }

    fn join(mut self) -> Result<Facts, Fault> {
        self.need_call()?;
        let session = self.session()?;
        let (call, user) = (self.running().id, self.caller.user.clone());
        if self.running().participant(&session).is_some() {
            return self.done();
        }
        if self.running().removed.contains(&user) {
            return Err(Fault::forbidden("you were removed from the call"));
        }
        let welcome = self.caller.moderates || self.running().admitted.contains(&user);
        match (welcome, self.running().lobby, self.running().locked) {
            (true, _, _) | (false, false, false) => self.enter()?,
            (false, true, _) => {
                if self.running().waiting.iter().any(|knock| knock.session == session) {
                    return self.done();
                }
                if self.running().waiting.len() >= limits::LOBBY {
                    return Err(Fault::new(ErrorCode::CallFull, "the lobby is full"));
                }
                self.push(CallEvent::Knocked { call, session, user });
            }
            (false, false, true) => return Err(Fault::forbidden("the call is locked")),
        }
        self.done()
    }

    /// Joins, in the place of an older session of the same device.
    fn enter(&mut self) -> Result<(), Fault> {
        let session = self.session()?;
        let (call, user, device) = (self.running().id, self.caller.user.clone(), self.caller.device.clone());
        let ghosts: Vec<SessionId> = self
            .running()
            .seats
            .iter()
            .filter(|seat| seat.participant.user == user && seat.device.is_some() && seat.device == device)
            .map(|seat| seat.participant.session.clone())
            .collect();
        let most = match self.running().carried {
            Carried::Mesh => limits::MESH_PARTICIPANTS,
        };
        if self.running().seats.len() - ghosts.len() >= most {
            return Err(Fault::new(
                ErrorCode::CallFull,
                format!("the call has {most} participants, which is the most"),
            ));
        }
        for session in ghosts {
            self.push(CallEvent::Left { call, session, user: user.clone(), reason: CallLeaveReason::Replaced });
        }
        self.push(CallEvent::Joined { call, session, user, device });
        Ok(())
    }

    fn leave(mut self, call: Seq) -> Result<Facts, Fault> {
        let session = self.session()?;
        let known = self.call.as_ref().filter(|running| running.id == call).map(|running| running.place(&session));
        if known.is_none_or(|place| place == stoa_protocol::CallPlace::Out) {
            // Gone already, as the call may be.
            return self.done();
        }
        let user = self.caller.user.clone();
        self.go(&session, &user, CallLeaveReason::Left);
        self.done()
    }

    fn lost(mut self, call: Seq, session: &SessionId, reason: CallLeaveReason) -> Result<Facts, Fault> {
        let Some(running) = self.call.as_ref().filter(|running| running.id == call) else { return self.done() };
        let seated = running.participant(session).map(|p| p.user.clone());
        let waits = || running.waiting.iter().find(|knock| knock.session == *session).map(|knock| knock.user.clone());
        if let Some(user) = seated.or_else(waits) {
            self.go(session, &user, reason);
        }
        self.done()
    }

    /// A session goes; the last one ends the call.
    fn go(&mut self, session: &SessionId, user: &UserId, reason: CallLeaveReason) {
        let call = self.running().id;
        let was_in = self.running().participant(session).is_some();
        self.push(CallEvent::Left { call, session: session.clone(), user: user.clone(), reason });
        let hung_up = self.place.direct && was_in && reason == CallLeaveReason::Left;
        let stays = self.running().participants().any(|p| p.user == *user);
        match self.running().seats.is_empty() {
            true if hung_up => self.finish(CallEndReason::Ended),
            true => self.finish(CallEndReason::Empty),
            false if hung_up && !stays => self.finish(CallEndReason::Ended),
            false => {}
        }
    }

    fn go_all(mut self, user: &UserId, reason: CallLeaveReason) -> (Facts, bool) {
        let seated = self.running().participants().filter(|p| p.user == *user).map(|p| p.session.clone());
        let waits =
            self.running().waiting.iter().filter(|knock| knock.user == *user).map(|knock| knock.session.clone());
        let sessions: Vec<_> = seated.chain(waits).collect();
        let call = self.running().id;
        if self.running().ringing.contains_key(user) {
            self.push(CallEvent::Declined { call, user: user.clone(), reason: DeclineReason::Missed });
        }
        let any = !sessions.is_empty();
        for session in sessions {
            if self.call.is_some() {
                self.go(&session, user, reason);
            }
        }
        (self.facts, any)
    }

    fn finish(&mut self, reason: CallEndReason) {
        let Some(running) = &self.call else { return };
        let (call, duration_ms) = (running.id, self.now.saturating_sub(running.started_at));
        self.push(CallEvent::Ended { call, reason, duration_ms });
    }

    fn end(mut self) -> Result<Facts, Fault> {
        let inside = self.running().participants().any(|p| p.user == self.caller.user);
        let own = self.running().started_by.as_ref() == Some(&self.caller.user) || (self.place.direct && inside);
        if !own {
            self.need_moderate()?;
        }
        self.finish(CallEndReason::Ended);
        self.done()
    }

    fn update(mut self, change: &CallUpdated) -> Result<Facts, Fault> {
        self.need_moderate()?;
        let running = self.running();
        let news = |new: Option<bool>, old: bool| new.filter(|new| *new != old);
        let locked = news(change.locked, running.locked);
        let lobby = news(change.lobby, running.lobby);
        if locked.is_some() || lobby.is_some() {
            self.push(CallEvent::Updated(CallUpdated { call: change.call, locked, lobby, carried: None }));
        }
        self.done()
    }

    fn admit(mut self, user: &UserId) -> Result<Facts, Fault> {
        self.need_moderate()?;
        let call = self.running().id;
        let waits = self.running().waiting.iter().any(|knock| knock.user == *user);
        if waits || !self.running().admitted.contains(user) {
            self.push(CallEvent::Admitted { call, user: user.clone() });
        }
        self.done()
    }

    fn refuse(mut self, user: &UserId) -> Result<Facts, Fault> {
        self.need_moderate()?;
        let call = self.running().id;
        if self.running().waiting.iter().any(|knock| knock.user == *user) {
            self.push(CallEvent::Refused { call, user: user.clone() });
        }
        self.done()
    }

    fn mute(mut self, users: &[UserId], source: TrackSource, state: MuteState) -> Result<Facts, Fault> {
        self.need_moderate()?;
        let inside: BTreeSet<UserId> = self.running().participants().map(|p| p.user.clone()).collect();
        let users: Vec<UserId> = match users.is_empty() {
            true => {
                let meant = |user: &UserId| !self.place.moderators.contains(user) && *user != self.caller.user;
                inside.into_iter().filter(meant).collect()
            }
            false => users
                .iter()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .filter(|user| inside.contains(*user))
                .cloned()
                .collect(),
        };
        if users.is_empty() {
            return self.done();
        }
        let call = self.running().id;
        if state != MuteState::Free {
            let named = |user: &UserId| users.contains(user);
            self.facts.retained = self.running().silenced(named, source);
        }
        self.push(CallEvent::Muted { call, users, source, state });
        self.done()
    }

    fn remove(self, user: &UserId) -> Result<Facts, Fault> {
        self.need_moderate()?;
        if self.running().removed.contains(user) {
            return self.done();
        }
        match self.go_all(user, CallLeaveReason::Removed) {
            (facts, true) => Ok(facts),
            (_, false) => Err(Fault::not_found("participant")),
        }
    }
}
