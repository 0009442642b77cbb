//! From what somebody wants to the facts that follow, or a refusal.

mod chat;

use crate::{
    Capabilities, DocumentIntent, Room,
    rights::{Access, Actor},
};
use serde::Serialize;
use stoa_protocol::{
    Capability, ChatBody, Data, Fault, LeaveReason, LinkId, MemberJoined, MemberUpdated, Millis, Name, NewMember, Role,
    RoomCreated, RoomEventBody, RoomId, RoomKind, RoomUpdated, Seq, UserEventBody, UserId, limits,
};

/// A durable wish. Its serialised form is what the digest of an idempotency key covers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Intent {
    /// Create the room, with its first members beside the creator.
    Create {
        /// The room.
        room: RoomCreated,
        /// Its first members.
        members: Vec<NewMember>,
    },
    /// Create a direct room of two.
    CreateDirect {
        /// Who is asked.
        peer: UserId,
    },
    /// Become a member by one's own grant.
    Join,
    /// Become a member by an invite, whose role is the actor's grant. That it is open is the store's to say.
    Accept {
        /// Which.
        invite: LinkId,
        /// Who made it; `None` for the host application.
        by: Option<UserId>,
        /// The role.
        role: Role,
    },
    /// Give up one's membership.
    Leave,
    /// Change the record.
    Update(RoomUpdated),
    /// Archive, or take out of the archive.
    Archive(bool),
    /// Grant a membership.
    AddMember(MemberJoined),
    /// Change a membership.
    UpdateMember(MemberUpdated),
    /// Take a membership away.
    RemoveMember(UserId),
    /// Ban.
    Ban {
        /// Whom.
        user: UserId,
        /// Until when.
        until: Option<Millis>,
        /// Why.
        reason: String,
    },
    /// Lift a ban.
    Unban(UserId),
    /// Send a message.
    Send(ChatBody),
    /// Edit a message.
    Edit {
        /// Which.
        target: Seq,
        /// The new words.
        text: String,
        /// The new mentions.
        mentions: Vec<UserId>,
        /// The new data.
        data: Option<Data>,
    },
    /// Delete a message.
    Delete {
        /// Which.
        target: Seq,
    },
    /// Add a reaction or take it back.
    React {
        /// On which message.
        target: Seq,
        /// Which emoji.
        emoji: String,
        /// Added, or taken back.
        on: bool,
    },
    /// Pin or unpin.
    Pin {
        /// Which.
        target: Seq,
        /// Pinned, or unpinned.
        on: bool,
    },
    /// Something about a shared document's record.
    Document(DocumentIntent),
    /// An event of the host application.
    App {
        /// Its name.
        name: Name,
        /// Its body.
        data: Option<Data>,
    },
}

impl Intent {
    /// The older message that the wish is about; what is known of it comes from the store.
    pub fn target(&self) -> Option<Seq> {
        match self {
            Self::Edit { target, .. }
            | Self::Delete { target }
            | Self::React { target, .. }
            | Self::Pin { target, .. } => Some(*target),
            Self::Send(body) => body.thread.or(body.reply_to),
            Self::Create { .. }
            | Self::CreateDirect { .. }
            | Self::Join
            | Self::Accept { .. }
            | Self::Leave
            | Self::Update(_)
            | Self::Archive(_)
            | Self::AddMember(_)
            | Self::UpdateMember(_)
            | Self::RemoveMember(_)
            | Self::Ban { .. }
            | Self::Unban(_)
            | Self::Document(_)
            | Self::App { .. } => None,
        }
    }

    /// The invite that is used.
    pub fn invite(&self) -> Option<&LinkId> {
        match self {
            Self::Accept { invite, .. } => Some(invite),
            Self::Create { .. }
            | Self::CreateDirect { .. }
            | Self::Join
            | Self::Leave
            | Self::Update(_)
            | Self::Archive(_)
            | Self::AddMember(_)
            | Self::UpdateMember(_)
            | Self::RemoveMember(_)
            | Self::Ban { .. }
            | Self::Unban(_)
            | Self::Send(_)
            | Self::Edit { .. }
            | Self::Delete { .. }
            | Self::React { .. }
            | Self::Pin { .. }
            | Self::Document(_)
            | Self::App { .. } => None,
        }
    }

    /// Whether it brings the room into being.
    pub fn creates(&self) -> bool {
        matches!(self, Self::Create { .. } | Self::CreateDirect { .. })
    }

    /// Whether it takes somebody into a room.
    pub fn takes_in(&self) -> bool {
        matches!(self, Self::Join | Self::Accept { .. } | Self::AddMember(_))
    }
}

/// What is known of an older message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// Who sent it.
    pub from: Option<UserId>,
    /// A tombstone.
    pub deleted: bool,
    /// The first message of its thread.
    pub thread: Option<Seq>,
    /// Whom it mentions.
    pub mentions: Vec<UserId>,
    /// Its reactions: emoji and who.
    pub reactions: Vec<(String, UserId)>,
}

/// What follows from a wish. Without bodies it was fulfilled already.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// Events of the room, in order; the first one's number is the command's.
    pub bodies: Vec<RoomEventBody>,
    /// Events of users' own logs, written in the same transaction.
    pub notices: Vec<(UserId, UserEventBody)>,
}

impl Facts {
    fn one(body: RoomEventBody) -> Self {
        Self { bodies: vec![body], notices: vec![] }
    }

    fn telling(mut self, user: &UserId, actor: &Actor, body: UserEventBody) -> Self {
        if *user != actor.user {
            self.notices.push((user.clone(), body));
        }
        self
    }
}

impl Room {
    /// The facts that bring a room into being. Whether the actor may create rooms is the token's business.
    ///
    /// # Errors
    /// `bad_request` for a room that cannot be; any other intent is a fault of the caller and `internal`.
    pub fn found(id: &RoomId, actor: &Actor, intent: &Intent) -> Result<Facts, Fault> {
        match intent {
            Intent::Create { room, members } => Ok(found_group(id, actor, room, members)),
            Intent::CreateDirect { peer } if *peer == actor.user => {
                Err(Fault::bad_request("user", "a direct room needs somebody else"))
            }
            Intent::CreateDirect { peer } => Ok(found_direct(id, actor, peer)),
            Intent::Join
            | Intent::Accept { .. }
            | Intent::Leave
            | Intent::Update(_)
            | Intent::Archive(_)
            | Intent::AddMember(_)
            | Intent::UpdateMember(_)
            | Intent::RemoveMember(_)
            | Intent::Ban { .. }
            | Intent::Unban(_)
            | Intent::Send(_)
            | Intent::Edit { .. }
            | Intent::Delete { .. }
            | Intent::React { .. }
            | Intent::Pin { .. }
            | Intent::Document(_)
            | Intent::App { .. } => Err(Fault::not_found("room")),
        }
    }

    /// The facts that would follow now. Changes nothing.
    ///
    /// `target` is what the store knows of [`Intent::target`]; `None` when there is no such message.
    ///
    /// # Errors
    /// Why not, ready to be told to the actor.
    pub fn decide(&self, actor: &Actor, intent: &Intent, target: Option<&Target>, now: Millis) -> Result<Facts, Fault> {
        let access = self.access(actor, now).map_err(|_| Fault::not_found("room"))?;
        let case = Case { room: self, actor, access, target, now };
        match intent {
            Intent::Create { .. } | Intent::CreateDirect { .. } => Err(Fault::conflict("the room exists")),
            Intent::Archive(archived) => case.archive(*archived),
            Intent::Leave => case.leave(),
            _ if self.info().archived => Err(Fault::conflict("the room is archived")),
            Intent::Join => case.join(),
            Intent::Accept { invite: _, by, role } => case.accept(by.as_ref(), *role),
            Intent::Update(change) => case.update(change),
            Intent::AddMember(joined) => case.add(joined),
            Intent::UpdateMember(change) => case.update_member(change),
            Intent::RemoveMember(user) => case.remove(user),
            Intent::Ban { user, until, reason } => case.ban(user, *until, reason),
            Intent::Unban(user) => case.unban(user),
            Intent::Send(body) => case.send(body),
            Intent::Edit { target, text, mentions, data } => case.edit(*target, text, mentions, data.as_ref()),
            Intent::Delete { target } => case.delete(*target),
            Intent::React { target, emoji, on } => case.react(*target, emoji, *on),
            Intent::Pin { target, on } => case.pin(*target, *on),
            Intent::Document(wish) => self.decide_document(&access, wish, now),
            Intent::App { name, data } => case.app(name, data.as_ref()),
        }
    }
}

fn found_group(id: &RoomId, actor: &Actor, room: &RoomCreated, members: &[NewMember]) -> Facts {
    let mut facts = Facts::one(RoomEventBody::RoomCreated(room.clone()));
    if !actor.service {
        facts.bodies.push(joined(&actor.user, Role::Host));
    }
    let mut seen = vec![&actor.user];
    for member in members {
        // The creator is the host already; a service may name itself.
        if seen.contains(&&member.user) && !(actor.service && member.user == actor.user && seen.len() == 1) {
            continue;
        }
        seen.push(&member.user);
        let NewMember { user, role, capabilities, data } = member.clone();
        facts = facts.telling(&user, actor, UserEventBody::Invited { room: id.clone(), role });
        facts.bodies.push(RoomEventBody::MemberJoined(MemberJoined { user, role, capabilities, data }));
    }
    facts
}

fn found_direct(id: &RoomId, actor: &Actor, peer: &UserId) -> Facts {
    let created = RoomEventBody::RoomCreated(RoomCreated::new(RoomKind::Direct));
    let bodies = vec![created, joined(&actor.user, Role::Member), joined(peer, Role::Member)];
    let invited = UserEventBody::Invited { room: id.clone(), role: Role::Member };
    Facts { bodies, notices: vec![] }.telling(peer, actor, invited)
}

fn joined(user: &UserId, role: Role) -> RoomEventBody {
    RoomEventBody::MemberJoined(MemberJoined { user: user.clone(), role, capabilities: None, data: None })
}

/// One wish of one actor at one time.
struct Case<'a> {
    room: &'a Room,
    actor: &'a Actor,
    access: Access,
    target: Option<&'a Target>,
    now: Millis,
}

impl Case<'_> {
    fn need(&self, capability: Capability) -> Result<(), Fault> {
        match (self.access.has(capability), self.access.muted_until) {
            (true, _) => Ok(()),
            (false, Some(until)) if capability == Capability::Send => Err(Fault {
                retry_after_ms: Some(until.saturating_sub(self.now)),
                ..Fault::forbidden("you are muted in this room")
            }),
            (false, _) => Err(Fault::forbidden(format!("needs the capability {capability:?}").to_lowercase())),
        }
    }

    /// Direct rooms are what they are: their two people do not change.
    fn need_people_change(&self) -> Result<(), Fault> {
        match self.room.info().kind {
            RoomKind::Direct => Err(Fault::conflict("the people of a direct room do not change")),
            RoomKind::Group | RoomKind::Session | RoomKind::Class => Ok(()),
        }
    }

    /// Who does not manage has no power over hosts.
    fn need_power_over(&self, user: &UserId) -> Result<(), Fault> {
        let is_host = self.room.members().get(user).is_some_and(|m| m.role == Role::Host);
        if is_host && !self.access.has(Capability::Manage) {
            return Err(Fault::forbidden("only those who manage the room have power over its hosts"));
        }
        Ok(())
    }

    /// Nobody gives what they do not have.
    fn need_to_have(&self, role: Role, own: Option<&[Capability]>) -> Result<(), Fault> {
        let given = own.map_or_else(|| Capabilities::of(role), |own| own.iter().copied().collect());
        if self.access.capabilities.contains(given) {
            return Ok(());
        }
        Err(Fault::forbidden("these are more rights than your own"))
    }

    fn need_another_host(&self, user: &UserId) -> Result<(), Fault> {
        let last = self.room.members().get(user).is_some_and(|m| m.role == Role::Host) && self.room.hosts() == 1;
        if last && self.room.members().len() > 1 && !self.actor.service {
            return Err(Fault::conflict("the last host cannot go while others stay"));
        }
        Ok(())
    }

    fn archive(&self, archived: bool) -> Result<Facts, Fault> {
        self.need(Capability::Manage)?;
        if self.room.info().archived == archived {
            return Ok(Facts::default());
        }
        Ok(Facts::one(RoomEventBody::RoomArchived { archived }))
    }

    fn update(&self, change: &RoomUpdated) -> Result<Facts, Fault> {
        self.need(Capability::Manage)?;
        if *change == RoomUpdated::default() {
            return Ok(Facts::default());
        }
        Ok(Facts::one(RoomEventBody::RoomUpdated(change.clone())))
    }

    fn join(&self) -> Result<Facts, Fault> {
        if self.access.member || self.room.info().kind == RoomKind::Class {
            return Ok(Facts::default());
        }
        self.need_people_change()?;
        self.need_place()?;
        let capabilities = self.actor.grant.as_ref().and_then(|grant| grant.capabilities.clone());
        let user = self.actor.user.clone();
        let joined = MemberJoined { user, role: self.access.role, capabilities, data: None };
        Ok(Facts::one(RoomEventBody::MemberJoined(joined)))
    }

    fn accept(&self, by: Option<&UserId>, role: Role) -> Result<Facts, Fault> {
        if self.access.member {
            return Ok(Facts::default());
        }
        self.need_people_change()?;
        if by.is_some_and(|by| !self.room.may_let_in(by, Capability::Invite, role, self.now)) {
            return Err(Fault::conflict("whoever made this invite may not invite with this role any more"));
        }
        self.need_place()?;
        Ok(Facts::one(joined(&self.actor.user, role)))
    }

    fn need_place(&self) -> Result<(), Fault> {
        if self.room.members().len() >= limits::MEMBERS {
            return Err(Fault::conflict(format!("the room has {} members, which is the most", limits::MEMBERS)));
        }
        Ok(())
    }

    fn leave(&self) -> Result<Facts, Fault> {
        if !self.access.member {
            return Ok(Facts::default());
        }
        self.need_people_change()?;
        self.need_another_host(&self.actor.user)?;
        Ok(Facts::one(RoomEventBody::MemberLeft { user: self.actor.user.clone(), reason: LeaveReason::Left }))
    }

    fn add(&self, joined: &MemberJoined) -> Result<Facts, Fault> {
        self.need_people_change()?;
        self.need(Capability::Invite)?;
        self.need_to_have(joined.role, joined.capabilities.as_deref())?;
        if self.room.is_banned(&joined.user, self.now) {
            return Err(Fault::conflict("this user is banned; lift the ban first"));
        }
        if let Some(member) = self.room.members().get(&joined.user) {
            let same = member.role == joined.role && member.capabilities == joined.capabilities;
            return if same { Ok(Facts::default()) } else { Err(Fault::conflict("is a member with other rights")) };
        }
        self.need_place()?;
        let invited = UserEventBody::Invited { room: self.room.id().clone(), role: joined.role };
        let facts = Facts::one(RoomEventBody::MemberJoined(joined.clone()));
        Ok(facts.telling(&joined.user, self.actor, invited))
    }

    fn update_member(&self, change: &MemberUpdated) -> Result<Facts, Fault> {
        let Some(member) = self.room.members().get(&change.user) else {
            self.need_any(&[Capability::Manage, Capability::Moderate])?;
            return Err(Fault::not_found("member"));
        };
        if change.role.is_some() || change.capabilities.is_some() || change.data.is_some() {
            self.need_people_change()?;
            self.need(Capability::Manage)?;
            self.need_to_have(change.role.unwrap_or(member.role), change.capabilities.as_deref())?;
            if change.role.is_some_and(|role| role != Role::Host) {
                self.need_another_host(&change.user)?;
            }
        }
        if change.muted_until.is_some() {
            self.need(Capability::Moderate)?;
            self.need_power_over(&change.user)?;
        }
        let facts = Facts::one(RoomEventBody::MemberUpdated(change.clone()));
        let rights = UserEventBody::Rights { room: self.room.id().clone(), role: change.role.unwrap_or(member.role) };
        Ok(facts.telling(&change.user, self.actor, rights))
    }

    fn need_any(&self, any: &[Capability]) -> Result<(), Fault> {
        match any.iter().any(|c| self.access.has(*c)) {
            true => Ok(()),
            false => Err(Fault::forbidden("needs the capability to manage or to moderate")),
        }
    }

    fn remove(&self, user: &UserId) -> Result<Facts, Fault> {
        if *user == self.actor.user {
            return self.leave();
        }
        self.need_people_change()?;
        self.need(Capability::Moderate)?;
        if !self.room.members().contains_key(user) {
            return Err(Fault::not_found("member"));
        }
        self.need_power_over(user)?;
        let facts = Facts::one(RoomEventBody::MemberLeft { user: user.clone(), reason: LeaveReason::Removed });
        Ok(facts.telling(user, self.actor, self.removed(LeaveReason::Removed)))
    }

    fn removed(&self, reason: LeaveReason) -> UserEventBody {
        UserEventBody::Removed { room: self.room.id().clone(), reason }
    }

    fn ban(&self, user: &UserId, until: Option<Millis>, reason: &str) -> Result<Facts, Fault> {
        self.need_people_change()?;
        self.need(Capability::Moderate)?;
        if *user == self.actor.user {
            return Err(Fault::bad_request("user", "you cannot ban yourself"));
        }
        self.need_power_over(user)?;
        self.need_another_host(user)?;
        let banned = RoomEventBody::MemberBanned { user: user.clone(), until, reason: reason.to_owned() };
        let mut facts = Facts::one(banned);
        if self.room.members().contains_key(user) {
            facts.bodies.push(RoomEventBody::MemberLeft { user: user.clone(), reason: LeaveReason::Banned });
        }
        Ok(facts.telling(user, self.actor, self.removed(LeaveReason::Banned)))
    }

    fn unban(&self, user: &UserId) -> Result<Facts, Fault> {
        self.need(Capability::Moderate)?;
        if !self.room.bans().contains_key(user) {
            return Ok(Facts::default());
        }
        Ok(Facts::one(RoomEventBody::MemberUnbanned { user: user.clone() }))
    }

    fn app(&self, name: &Name, data: Option<&Data>) -> Result<Facts, Fault> {
        self.need(Capability::App)?;
        Ok(Facts::one(RoomEventBody::App { name: name.clone(), data: data.cloned() }))
    }
}
