//! The state that a room's log folds to.

use crate::{
    Capabilities,
    rights::{Access, Actor, Denied},
};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use stoa_protocol::{
    Ban, Capability, DocumentId, DocumentInfo, Epoch, HistoryVisibility, LeaveReason, Member, MemberJoined,
    MemberUpdated, Millis, Role, RoomCreated, RoomEventBody, RoomId, RoomInfo, RoomKind, RoomUpdated, Seq, UserId,
};

/// A room. Cloning it costs some reference counts: the writer clones it to decide a batch on the state that earlier
/// drafts of the batch left, and parts are copied only where a draft changes them.
#[derive(Debug, Clone)]
pub struct Room {
    epoch: Epoch,
    head: Seq,
    info: Arc<RoomInfo>,
    members: Arc<BTreeMap<UserId, Member>>,
    bans: Arc<BTreeMap<UserId, Ban>>,
    /// Oldest pin first.
    pins: Arc<Vec<Seq>>,
    /// Records of shared documents, where something was written about them.
    pub(crate) documents: Arc<BTreeMap<DocumentId, DocumentInfo>>,
    /// When each person last sent; kept only while slow mode is on.
    last_sent: Arc<HashMap<UserId, Millis>>,
}

impl Room {
    /// A room before its first event.
    pub fn unborn(room: RoomId, epoch: Epoch) -> Self {
        let info = RoomCreated::new(RoomKind::Group).into_info(room, 0);
        Self::restore(epoch, Seq::ZERO, info, vec![], vec![], vec![])
    }

    /// A room as the state tables have it.
    pub fn restore(
        epoch: Epoch,
        head: Seq,
        info: RoomInfo,
        members: Vec<Member>,
        bans: Vec<Ban>,
        pins: Vec<Seq>,
    ) -> Self {
        Self {
            epoch,
            head,
            info: Arc::new(info),
            members: Arc::new(members.into_iter().map(|m| (m.user.clone(), m)).collect()),
            bans: Arc::new(bans.into_iter().map(|b| (b.user.clone(), b)).collect()),
            pins: Arc::new(pins),
            documents: Arc::default(),
            last_sent: Arc::default(),
        }
    }

    /// The room with the records of its shared documents.
    #[must_use]
    pub fn with_documents(mut self, documents: Vec<DocumentInfo>) -> Self {
        self.documents = Arc::new(documents.into_iter().map(|info| (info.document.clone(), info)).collect());
        self
    }

    /// The life of its log.
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// The last event that was applied.
    pub fn head(&self) -> Seq {
        self.head
    }

    /// Its record.
    pub fn info(&self) -> &RoomInfo {
        &self.info
    }

    /// Its name.
    pub fn id(&self) -> &RoomId {
        &self.info.room
    }

    /// Its members by id.
    pub fn members(&self) -> &BTreeMap<UserId, Member> {
        &self.members
    }

    /// Its bans by user.
    pub fn bans(&self) -> &BTreeMap<UserId, Ban> {
        &self.bans
    }

    /// The places of pinned messages, oldest pin first.
    pub fn pins(&self) -> &[Seq] {
        &self.pins
    }

    /// When somebody last sent, as far as slow mode needs it.
    pub fn last_sent(&self, user: &UserId) -> Option<Millis> {
        self.last_sent.get(user).copied()
    }

    /// Remembers a message that was sent before the room was loaded, for slow mode.
    pub fn remember_sent(&mut self, user: &UserId, at: Millis) {
        let sent = Arc::make_mut(&mut self.last_sent).entry(user.clone()).or_default();
        *sent = at.max(*sent);
    }

    /// What somebody may do now.
    ///
    /// # Errors
    /// Why they may do nothing; a ban always wins, then a token that does not name the room.
    pub fn access(&self, actor: &Actor, now: Millis) -> Result<Access, Denied> {
        if actor.service {
            return Ok(self.grant_access(Role::Host, Capabilities::of(Role::Host), None));
        }
        if self.is_banned(&actor.user, now) {
            return Err(Denied::Banned);
        }
        let open = match &actor.grant {
            Some(grant) if !grant.is_open(now) => return Err(Denied::Window),
            Some(grant) => Some(grant),
            None if actor.confined => return Err(Denied::Confined),
            None => None,
        };
        let until = open.and_then(|grant| grant.until);
        match (self.members.get(&actor.user), open) {
            (Some(member), _) => Ok(self.member_access(member, until, now)),
            (None, Some(grant)) => Ok(self.grant_access(grant.role, grant.capabilities(), until)),
            (None, None) if actor.join && self.info.kind != RoomKind::Direct => {
                Ok(self.grant_access(Role::Member, Capabilities::of(Role::Member), None))
            }
            (None, None) => Err(Denied::Stranger),
        }
    }

    fn member_access(&self, member: &Member, until: Option<Millis>, now: Millis) -> Access {
        let all = match &member.capabilities {
            Some(own) => own.iter().copied().collect(),
            None => Capabilities::of(member.role),
        };
        let muted_until = member.muted_until.filter(|until| now < *until);
        let visible_after = match self.info.history {
            HistoryVisibility::All => Seq::ZERO,
            HistoryVisibility::SinceJoin => member.joined_seq,
        };
        let capabilities = if muted_until.is_some() { all.without(Capability::Send) } else { all };
        Access { role: member.role, capabilities, member: true, visible_after, until, muted_until }
    }

    /// Without a membership there is no joining to see since: a class shows its whole history.
    fn grant_access(&self, role: Role, capabilities: Capabilities, until: Option<Millis>) -> Access {
        Access { role, capabilities, member: false, visible_after: Seq::ZERO, until, muted_until: None }
    }

    /// Whether a member may still let others in with a role: they have the capability, and the role is not above
    /// their own.
    pub fn may_let_in(&self, by: &UserId, needed: Capability, role: Role, now: Millis) -> bool {
        let access = self.access(&Actor::plain(by.clone()), now);
        access.is_ok_and(|access| access.has(needed) && access.capabilities.contains(Capabilities::of(role)))
    }

    /// Whether a ban is in force.
    pub fn is_banned(&self, user: &UserId, now: Millis) -> bool {
        self.bans.get(user).is_some_and(|ban| ban.until.is_none_or(|until| now < until))
    }

    /// How many hosts there are.
    pub fn hosts(&self) -> usize {
        self.members.values().filter(|m| m.role == Role::Host).count()
    }

    /// Takes a committed fact. `body` is `None` when it was erased or its kind is unknown: then only the head moves.
    ///
    /// # Panics
    /// When `seq` is not the head's successor: the gate in front of it is broken, and going on would hide it.
    pub fn apply(&mut self, seq: Seq, at: Millis, from: Option<&UserId>, body: &RoomEventBody) {
        self.pass(seq);
        match body {
            RoomEventBody::RoomCreated(created) => {
                self.info = Arc::new(created.clone().into_info(self.info.room.clone(), at));
            }
            RoomEventBody::RoomUpdated(change) => self.update(change),
            RoomEventBody::RoomArchived { archived } => Arc::make_mut(&mut self.info).archived = *archived,
            RoomEventBody::MemberJoined(joined) => self.join(joined, seq, at),
            RoomEventBody::MemberLeft { user, reason } => {
                Arc::make_mut(&mut self.members).remove(user);
                debug_assert!(*reason != LeaveReason::Banned || self.bans.contains_key(user), "a ban comes first");
            }
            RoomEventBody::MemberUpdated(change) => self.update_member(change),
            RoomEventBody::MemberBanned { user, until, reason } => {
                let ban = Ban { user: user.clone(), until: *until, reason: reason.clone() };
                Arc::make_mut(&mut self.bans).insert(user.clone(), ban);
            }
            RoomEventBody::MemberUnbanned { user } => {
                Arc::make_mut(&mut self.bans).remove(user);
            }
            RoomEventBody::ChatSent(_) => self.sent(from, at),
            RoomEventBody::ChatDeleted { target, .. } => self.unpin(*target),
            RoomEventBody::ChatPinned { target, on } => {
                self.unpin(*target);
                if *on {
                    Arc::make_mut(&mut self.pins).push(*target);
                }
            }
            RoomEventBody::DocumentCreated(info) | RoomEventBody::DocumentUpdated(info) => self.put_document(info),
            RoomEventBody::DocumentDeleted { document } => self.drop_document(document),
            RoomEventBody::ChatEdited { .. }
            | RoomEventBody::ChatReacted { .. }
            | RoomEventBody::App { .. }
            | RoomEventBody::Call(_) => {}
        }
    }

    /// Moves the head over an event that has no body here.
    ///
    /// # Panics
    /// As [`Room::apply`].
    pub fn pass(&mut self, seq: Seq) {
        assert_eq!(seq, self.head.next(), "events of {} are applied in order", self.info.room);
        self.head = seq;
    }

    fn update(&mut self, change: &RoomUpdated) {
        let RoomUpdated { title, topic, history, slow_mode_s, retention_days, data } = change.clone();
        let info = Arc::make_mut(&mut self.info);
        info.title = title.unwrap_or_else(|| std::mem::take(&mut info.title));
        info.topic = topic.unwrap_or_else(|| std::mem::take(&mut info.topic));
        info.history = history.unwrap_or(info.history);
        info.slow_mode_s = slow_mode_s.unwrap_or(info.slow_mode_s);
        info.retention_days = retention_days.or(info.retention_days).filter(|days| *days > 0);
        info.data = data.or_else(|| info.data.take());
        if info.slow_mode_s == 0 {
            self.last_sent = Arc::default();
        }
    }

    fn join(&mut self, joined: &MemberJoined, seq: Seq, at: Millis) {
        let member = Member {
            user: joined.user.clone(),
            role: joined.role,
            capabilities: joined.capabilities.clone(),
            muted_until: None,
            joined_seq: seq,
            joined_at: at,
            data: joined.data.clone(),
        };
        Arc::make_mut(&mut self.members).insert(joined.user.clone(), member);
    }

    fn update_member(&mut self, change: &MemberUpdated) {
        let Some(member) = Arc::make_mut(&mut self.members).get_mut(&change.user) else { return };
        if let Some(role) = change.role {
            member.role = role;
            member.capabilities = None;
        }
        if let Some(own) = &change.capabilities {
            member.capabilities = Some(own.clone());
        }
        if let Some(until) = change.muted_until {
            member.muted_until = Some(until).filter(|until| *until > 0);
        }
        if let Some(data) = &change.data {
            member.data = Some(data.clone());
        }
    }

    fn sent(&mut self, from: Option<&UserId>, at: Millis) {
        if let (Some(user), true) = (from, self.info.slow_mode_s > 0) {
            let window = Millis::from(self.info.slow_mode_s) * 1_000;
            let sent = Arc::make_mut(&mut self.last_sent);
            // What is older than the window decides nothing: the map stays as small as the talk of one window.
            if sent.len() >= 256 {
                sent.retain(|_, last| *last + window > at);
            }
            sent.insert(user.clone(), at);
        }
    }

    fn unpin(&mut self, target: Seq) {
        if self.pins.contains(&target) {
            Arc::make_mut(&mut self.pins).retain(|pin| *pin != target);
        }
    }

    /// Asserts what must hold between any two events; the random tests call it.
    pub fn check_invariants(&self) {
        assert!(self.members.iter().all(|(user, member)| *user == member.user), "members are under their own id");
        assert!(self.bans.iter().all(|(user, ban)| *user == ban.user), "bans are under their own id");
        assert!(self.pins.len() <= stoa_protocol::limits::PINS, "pins are bounded");
        assert!(self.pins.iter().all(|pin| *pin <= self.head), "a pin points back");
        assert!(self.members.values().all(|m| m.joined_seq <= self.head), "a membership began in the log");
        let forever = self.bans.values().filter(|ban| ban.until.is_none());
        assert!(forever.into_iter().all(|ban| !self.members.contains_key(&ban.user)), "who is banned is no member");
        assert!(self.documents.len() <= stoa_protocol::limits::DOCUMENTS, "documents are bounded");
        assert!(self.documents.iter().all(|(id, info)| *id == info.document), "documents are under their own name");
        if self.info.kind == RoomKind::Direct {
            assert!(self.members.len() <= 2, "a direct room has two");
        }
    }
}
