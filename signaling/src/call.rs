//! The state that a call's events and retained rows fold to.

use crate::{Retained, quality::Tally};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use stoa_protocol::{
    CallEvent, CallLink, CallLinkId, CallMedia, CallNow, CallPlace, CallStarted, Carried, DeviceId, Knock, LinkEnd,
    Millis, MuteLock, MuteState, Participant, ParticipantState, Seq, SessionId, UserId,
};

/// How long a device rings, milliseconds: what people are used to from phones.
pub const RING_MS: Millis = 45_000;

/// A participant with what only the server needs of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Seat {
    /// As everybody sees it.
    pub participant: Participant,
    /// Its user's device.
    pub device: Option<DeviceId>,
}

/// A running call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub(crate) id: Seq,
    pub(crate) started_at: Millis,
    pub(crate) started_by: Option<UserId>,
    pub(crate) media: CallMedia,
    pub(crate) carried: Carried,
    pub(crate) locked: bool,
    pub(crate) lobby: bool,
    /// In the order in which they joined.
    pub(crate) seats: Vec<Seat>,
    pub(crate) waiting: Vec<Knock>,
    /// Until when each device rings.
    pub(crate) ringing: BTreeMap<UserId, Millis>,
    /// Who was in or was let in: neither lock nor lobby holds for them.
    pub(crate) admitted: BTreeSet<UserId>,
    pub(crate) removed: BTreeSet<UserId>,
    pub(crate) locks: BTreeSet<MuteLock>,
    /// Epochs of links above the first.
    pub(crate) epochs: BTreeMap<CallLinkId, u32>,
    pub(crate) tallies: BTreeMap<SessionId, Tally>,
}

/// A mark that a call has on somebody: how the store keeps what is neither a participant nor a setting.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Their devices ring until then.
    Ringing(UserId, Millis),
    /// They wait in the lobby: since when, with which session.
    Waiting(Millis, SessionId, UserId),
    /// They were let in.
    Admitted(UserId),
    /// They were removed.
    Removed(UserId),
    /// They may not unmute.
    Locked(MuteLock),
}

/// A running call as the state tables have it.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredCall {
    /// Its name.
    pub call: Seq,
    /// When it started.
    pub started_at: Millis,
    /// Who started it.
    pub started_by: Option<UserId>,
    /// What it is about.
    pub media: CallMedia,
    /// How media travels.
    pub carried: Carried,
    /// Nobody new comes in.
    pub locked: bool,
    /// Who comes waits.
    pub lobby: bool,
    /// Who is in it, in the order in which they joined, without retained state.
    pub seats: Vec<Seat>,
    /// Marks.
    pub marks: Vec<Mark>,
    /// Retained rows.
    pub retained: Vec<Retained>,
}

impl Call {
    /// A call that begins.
    pub fn begin(id: Seq, at: Millis, by: Option<&UserId>, started: &CallStarted) -> Self {
        let ringing = started.ringing.iter().map(|user| (user.clone(), at + RING_MS)).collect();
        Self {
            id,
            started_at: at,
            started_by: by.cloned(),
            media: started.media,
            carried: started.carried,
            locked: false,
            lobby: started.lobby,
            seats: vec![],
            waiting: vec![],
            ringing,
            admitted: BTreeSet::new(),
            removed: BTreeSet::new(),
            locks: BTreeSet::new(),
            epochs: BTreeMap::new(),
            tallies: BTreeMap::new(),
        }
    }

    /// A call as the state tables have it.
    pub fn restore(stored: StoredCall) -> Self {
        let StoredCall { call, started_at, started_by, media, carried, locked, lobby, seats, marks, retained } = stored;
        let started = CallStarted { media, carried, lobby, ringing: vec![] };
        let mut restored = Self { locked, seats, ..Self::begin(call, started_at, started_by.as_ref(), &started) };
        for mark in marks {
            restored.mark(mark);
        }
        restored.waiting.sort_by(|a, b| (a.at, &a.session).cmp(&(b.at, &b.session)));
        for row in &retained {
            restored.retain(row);
        }
        restored
    }

    fn mark(&mut self, mark: Mark) {
        match mark {
            Mark::Ringing(user, until) => {
                self.ringing.insert(user, until);
            }
            Mark::Waiting(at, session, user) => self.waiting.push(Knock { session, user, at }),
            Mark::Admitted(user) => {
                self.admitted.insert(user);
            }
            Mark::Removed(user) => {
                self.removed.insert(user);
            }
            Mark::Locked(lock) => {
                self.locks.insert(lock);
            }
        }
    }

    /// Its name.
    pub fn id(&self) -> Seq {
        self.id
    }

    /// Who is in it.
    pub fn participants(&self) -> impl Iterator<Item = &Participant> {
        self.seats.iter().map(|seat| &seat.participant)
    }

    /// A session that is in it.
    pub fn participant(&self, session: &SessionId) -> Option<&Participant> {
        self.participants().find(|participant| participant.session == *session)
    }

    /// Who waits in the lobby.
    pub fn waiting(&self) -> &[Knock] {
        &self.waiting
    }

    /// Whose devices ring, and until when.
    pub fn ringing(&self) -> &BTreeMap<UserId, Millis> {
        &self.ringing
    }

    /// Where a session is.
    pub fn place(&self, session: &SessionId) -> CallPlace {
        match () {
            () if self.participant(session).is_some() => CallPlace::In,
            () if self.waiting.iter().any(|knock| knock.session == *session) => CallPlace::Waiting,
            () => CallPlace::Out,
        }
    }

    /// Whether the user has a session in it, or in its lobby.
    pub fn has_user(&self, user: &UserId) -> bool {
        self.participants().any(|p| p.user == *user) || self.waiting.iter().any(|knock| knock.user == *user)
    }

    /// How a session was connected so far.
    pub fn tally(&self, session: &SessionId) -> Tally {
        self.tallies.get(session).cloned().unwrap_or_default()
    }

    /// The call as one session sees it.
    pub fn now(&self, session: Option<&SessionId>) -> CallNow {
        CallNow {
            call: self.id,
            started_at: self.started_at,
            started_by: self.started_by.clone(),
            media: self.media,
            carried: self.carried,
            locked: self.locked,
            lobby: self.lobby,
            participants: self.participants().cloned().collect(),
            waiting: self.waiting.clone(),
            ringing: self.ringing.keys().cloned().collect(),
            mute_locks: self.locks.iter().cloned().collect(),
            links: session.map(|session| self.links_of(session)).unwrap_or_default(),
        }
    }

    /// Every link. In a mesh each two participants have one; the later of them is the polite end.
    pub fn links(&self) -> Vec<CallLink> {
        match self.carried {
            Carried::Mesh => {
                let ends: Vec<_> = self.participants().collect();
                let pairs =
                    ends.iter().enumerate().flat_map(|(at, late)| ends[..at].iter().map(move |early| (early, late)));
                pairs.map(|(early, late)| self.mesh_link(early, late)).collect()
            }
        }
    }

    fn mesh_link(&self, early: &Participant, late: &Participant) -> CallLink {
        let link = CallLinkId::new(format!("{}-{}", early.joined, late.joined)).expect("digits are unreserved");
        let epoch = self.epochs.get(&link).copied().unwrap_or(1);
        let end = |p: &Participant| LinkEnd::Session { session: p.session.clone() };
        CallLink { link, epoch, polite: end(late), impolite: end(early) }
    }

    /// The links of a session.
    pub fn links_of(&self, session: &SessionId) -> Vec<CallLink> {
        self.links().into_iter().filter(|link| is_end(link, session)).collect()
    }

    /// A link by its name.
    pub fn link(&self, id: &CallLinkId) -> Option<CallLink> {
        self.links().into_iter().find(|link| link.link == *id)
    }

    /// Takes a committed event of the room's call, running or not.
    pub fn apply(running: &mut Option<Arc<Self>>, seq: Seq, at: Millis, from: Option<&UserId>, event: &CallEvent) {
        match event {
            CallEvent::Started(started) => *running = Some(Arc::new(Self::begin(seq, at, from, started))),
            CallEvent::Ended { call, .. } => {
                if running.as_ref().is_some_and(|now| now.id == *call) {
                    *running = None;
                }
            }
            CallEvent::Rang { .. }
            | CallEvent::Declined { .. }
            | CallEvent::Joined { .. }
            | CallEvent::Left { .. }
            | CallEvent::Knocked { .. }
            | CallEvent::Admitted { .. }
            | CallEvent::Refused { .. }
            | CallEvent::Updated(_)
            | CallEvent::Muted { .. } => {
                if let Some(now) = running.as_mut().filter(|now| now.id == event.call(seq)) {
                    Arc::make_mut(now).fold(seq, at, event);
                }
            }
        }
    }

    fn fold(&mut self, seq: Seq, at: Millis, event: &CallEvent) {
        match event {
            CallEvent::Started(_) | CallEvent::Ended { .. } => {}
            CallEvent::Rang { users, .. } => {
                self.ringing.extend(users.iter().map(|user| (user.clone(), at + RING_MS)));
            }
            CallEvent::Declined { user, .. } => {
                self.ringing.remove(user);
            }
            CallEvent::Joined { session, user, device, .. } => self.join(seq, at, session, user, device.as_ref()),
            CallEvent::Left { session, user, reason, .. } => {
                self.seats.retain(|seat| seat.participant.session != *session);
                self.waiting.retain(|knock| knock.session != *session);
                self.tallies.remove(session);
                self.prune_epochs();
                if *reason == stoa_protocol::CallLeaveReason::Removed {
                    self.removed.insert(user.clone());
                    self.admitted.remove(user);
                }
            }
            CallEvent::Knocked { session, user, .. } => {
                self.waiting.retain(|knock| knock.session != *session);
                self.waiting.push(Knock { session: session.clone(), user: user.clone(), at });
            }
            CallEvent::Admitted { user, .. } => {
                self.waiting.retain(|knock| knock.user != *user);
                self.removed.remove(user);
                self.admitted.insert(user.clone());
            }
            CallEvent::Refused { user, .. } => self.waiting.retain(|knock| knock.user != *user),
            CallEvent::Updated(change) => {
                self.locked = change.locked.unwrap_or(self.locked);
                self.lobby = change.lobby.unwrap_or(self.lobby);
                self.carried = change.carried.unwrap_or(self.carried);
            }
            CallEvent::Muted { users, source, state, .. } => {
                let locks = users.iter().map(|user| MuteLock { user: user.clone(), source: *source });
                match state {
                    MuteState::Muted => {}
                    MuteState::Locked => self.locks.extend(locks),
                    MuteState::Free => locks.for_each(|lock| {
                        self.locks.remove(&lock);
                    }),
                }
            }
        }
    }

    fn join(&mut self, seq: Seq, at: Millis, session: &SessionId, user: &UserId, device: Option<&DeviceId>) {
        self.ringing.remove(user);
        self.waiting.retain(|knock| knock.session != *session);
        self.admitted.insert(user.clone());
        let state = ParticipantState::default();
        let participant =
            Participant { session: session.clone(), user: user.clone(), joined: seq, joined_at: at, state };
        self.seats.push(Seat { participant, device: device.cloned() });
    }

    /// Epochs of links that are no more: their names never come again.
    fn prune_epochs(&mut self) {
        if !self.epochs.is_empty() {
            let alive: BTreeSet<_> = self.links().into_iter().map(|link| link.link).collect();
            self.epochs.retain(|link, _| alive.contains(link));
        }
    }

    /// Takes a retained row; one that is not newer changes nothing. Tells whether it changed something.
    pub fn retain(&mut self, row: &Retained) -> bool {
        match row {
            Retained::State { session, state } => {
                let Some(seat) = self.seats.iter_mut().find(|seat| seat.participant.session == *session) else {
                    return false;
                };
                let newer = state.version > seat.participant.state.version;
                if newer {
                    seat.participant.state = state.clone();
                }
                newer
            }
            Retained::Epoch { link, epoch } => {
                let known = self.epochs.get(link).copied().unwrap_or(1);
                let newer = *epoch > known && self.link(link).is_some();
                if newer {
                    self.epochs.insert(link.clone(), *epoch);
                }
                newer
            }
            Retained::Quality { session, tally } => {
                let known = self.participant(session).is_some();
                if known {
                    self.tallies.insert(session.clone(), tally.clone());
                }
                known
            }
        }
    }

    /// Asserts what must hold between any two events; the random tests call it.
    pub fn check_invariants(&self) {
        let sessions: BTreeSet<_> = self.participants().map(|p| &p.session).collect();
        assert_eq!(sessions.len(), self.seats.len(), "a session has one seat");
        let mut devices = BTreeSet::new();
        for seat in &self.seats {
            let one = seat.device.as_ref().map(|device| (&seat.participant.user, device));
            assert!(one.is_none_or(|one| devices.insert(one)), "a device has one seat: no ghost stays");
            assert!(!self.removed.contains(&seat.participant.user), "who was removed is not in");
            assert!(!self.ringing.contains_key(&seat.participant.user), "who is in does not ring");
            assert!(
                !self.waiting.iter().any(|knock| knock.session == seat.participant.session),
                "who is in does not wait"
            );
        }
        match self.carried {
            Carried::Mesh => {
                assert!(self.seats.len() <= stoa_protocol::limits::MESH_PARTICIPANTS, "a mesh is bounded");
                assert_eq!(self.links().len(), self.seats.len() * self.seats.len().saturating_sub(1) / 2);
            }
        }
        assert!(self.seats.is_sorted_by_key(|seat| seat.participant.joined), "in the order of joining");
        assert!(self.waiting.len() <= stoa_protocol::limits::LOBBY, "the lobby is bounded");
    }
}

/// Whether the session is an end of the link.
pub fn is_end(link: &CallLink, session: &SessionId) -> bool {
    [&link.polite, &link.impolite].into_iter().any(|end| session_of(end) == Some(session))
}

/// The other end of a link.
pub fn other_end<'a>(link: &'a CallLink, session: &SessionId) -> &'a LinkEnd {
    if session_of(&link.polite) == Some(session) { &link.impolite } else { &link.polite }
}

/// The session at an end; `None` for the server.
pub fn session_of(end: &LinkEnd) -> Option<&SessionId> {
    match end {
        LinkEnd::Session { session } => Some(session),
        LinkEnd::Server => None,
    }
}
