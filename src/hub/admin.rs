//! What the HTTP API asks beside the commands of the socket: one request has no connection and no session, and some
//! things only the host application may do.

use super::{
    Hub, commands,
    writer::{Draft, Job, ReplyTo},
};
use crate::{
    identity::Identity,
    storage::{ListQuery, ListScope, MessageQuery, Place, StoredEvent},
};
use std::{ops::Bound, sync::Arc};
use stoa_protocol::{
    Audience, Ban, Capability, Command, Data, Epoch, ErrorCode, Fault, Key, Member, MemberJoined, MemberUpdated,
    Message, Millis, NewMember, Presence, PresenceState, RoomEvent, RoomEventBody, RoomId, RoomInfo, Seq, UserEvent,
    UserId, http::UserView,
};
use stoa_rooms::{Access, Intent};
use tokio::sync::oneshot;

/// Events of one page of an export: with 16 KiB of words in each some hundred KiB.
const EXPORT_EVENTS: u32 = 50;
/// Rows of one page of an export of rooms or messages.
const EXPORT_ROWS: u32 = 50;

/// A room as somebody sees it now.
#[derive(Debug, Clone)]
pub struct RoomNow {
    /// Its record.
    pub info: RoomInfo,
    /// The life of its log.
    pub epoch: Epoch,
    /// The end of its log.
    pub head: Seq,
    /// How many members there are.
    pub member_count: u32,
    /// The places of pinned messages.
    pub pins: Vec<Seq>,
    /// What the reader may do.
    pub access: Access,
}

/// A page of an export.
#[derive(Debug)]
pub struct ExportPage<T, C> {
    /// What it has for the reader; may be empty although more follows.
    pub rows: Vec<T>,
    /// Where it goes on; `None` at the end.
    pub next: Option<C>,
}

impl Hub {
    /// Who sends a request: the token is verified and not revoked. A new name in it becomes known.
    ///
    /// # Errors
    /// `unauthorized`; `unavailable` when the store cannot tell whether it was revoked.
    pub async fn identify(&self, token: &str) -> Result<Identity, Fault> {
        let identity = self.verifier().verify(token, self.clock.now())?;
        let state = self.user_reads.user(&identity.user).await.map_err(|error| self.store_fault(error))?;
        if identity.issued_at < state.revoked_before {
            return Err(Fault::new(ErrorCode::Unauthorized, "the token was revoked"));
        }
        self.settle_profile(&identity, state.profile.as_ref()).await;
        Ok(identity)
    }

    /// Whether a user has a connection or had one within the grace; then [`Hub::pace`] holds for them.
    pub fn is_connected(&self, user: &UserId) -> bool {
        self.users.contains_key(user)
    }

    /// Does what a durable command wants and waits for the commit.
    ///
    /// # Errors
    /// Why it was refused.
    pub async fn command(&self, who: &Identity, command: Command) -> Result<Seq, Fault> {
        command.check()?;
        let durable = commands::durable(command).map_err(|_| Fault::internal())?;
        self.pace(&who.user, &durable.room, who.grants.service)?;
        self.commit(&durable.room, who.actor(&durable.room), durable.intent, Some(durable.key)).await
    }

    /// Creates a room; tells its name.
    ///
    /// # Errors
    /// Why it was refused.
    pub async fn create(&self, who: &Identity, create: stoa_protocol::RoomCreate) -> Result<RoomId, Fault> {
        create.check()?;
        self.may_create(who, create.room.as_ref())?;
        let (room, key, intent) = commands::creation(create);
        let room = room.unwrap_or_else(|| self.name_room(&who.user, &key));
        self.pace(&who.user, &room, who.grants.service)?;
        self.commit(&room, who.actor(&room), intent, Some(key)).await?;
        Ok(room)
    }

    /// A room as somebody sees it now.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn look(self: &Arc<Self>, who: &Identity, room: &RoomId) -> Result<RoomNow, Fault> {
        let cell = self.room(room).await?;
        let live = cell.lock();
        let access = live.room.access(&who.actor(room), self.clock.now()).map_err(|_| Fault::not_found("room"))?;
        Ok(RoomNow {
            info: self.told(live.room.info().clone()),
            epoch: live.room.epoch().clone(),
            head: live.room.head(),
            member_count: live.room.members().len() as u32,
            pins: live.room.pins().to_vec(),
            access,
        })
    }

    /// A membership; `None` when there is none.
    ///
    /// # Errors
    /// `not_found` for the room, `unavailable`.
    pub async fn member(
        self: &Arc<Self>,
        who: &Identity,
        room: &RoomId,
        user: &UserId,
    ) -> Result<Option<Member>, Fault> {
        let cell = self.room(room).await?;
        let live = cell.lock();
        live.room.access(&who.actor(room), self.clock.now()).map_err(|_| Fault::not_found("room"))?;
        Ok(live.room.members().get(user).cloned())
    }

    /// Bans in force, by user id; the second value tells whether there are more.
    ///
    /// # Errors
    /// `not_found`, `forbidden`, `unavailable`.
    pub async fn bans(
        self: &Arc<Self>,
        who: &Identity,
        room: &RoomId,
        after: Option<&UserId>,
        limit: u32,
    ) -> Result<(Vec<Ban>, bool), Fault> {
        let cell = self.room(room).await?;
        let live = cell.lock();
        let now = self.clock.now();
        let access = live.room.access(&who.actor(room), now).map_err(|_| Fault::not_found("room"))?;
        if !access.has(Capability::Moderate) {
            return Err(Fault::forbidden("needs the capability moderate"));
        }
        let from = after.map_or(Bound::Unbounded, |user| Bound::Excluded(user.clone()));
        let in_force = live.room.bans().range((from, Bound::Unbounded)).map(|(_, ban)| ban);
        let mut bans: Vec<_> = in_force
            .filter(|ban| ban.until.is_none_or(|until| now < until))
            .take(limit as usize + 1)
            .cloned()
            .collect();
        let more = bans.len() > limit as usize;
        bans.truncate(limit as usize);
        Ok((bans, more))
    }

    /// Sets memberships, all at once, so that they share transactions; each row has its own outcome. The room's pace
    /// is charged for every row, the user's for the request alone: a class is added by one request.
    ///
    /// # Errors
    /// `not_found`, `rate_limited`, `unavailable`; what is wrong with a row is that row's outcome.
    pub async fn put_members(
        self: &Arc<Self>,
        who: &Identity,
        room: &RoomId,
        members: Vec<NewMember>,
        key: Option<Key>,
    ) -> Result<Vec<Result<Seq, Fault>>, Fault> {
        let cell = self.room(room).await?;
        let intents: Vec<Intent> = {
            let mut live = cell.lock();
            let now = self.clock.now();
            live.room.access(&who.actor(room), now).map_err(|_| Fault::not_found("room"))?;
            let (rate, burst) = (self.limits.commands_per_room_s, self.limits.burst_s);
            let most = rate.saturating_mul(burst);
            // More rows than the burst would never pass: they take all of it.
            let charged = (members.len() as u32).clamp(1, most);
            let taken = live.pace.take_many(now, charged, rate, most);
            taken.map_err(|wait| Fault::rate_limited("too many commands", wait))?;
            members.into_iter().map(|member| put_member(live.room.members().get(&member.user), member)).collect()
        };
        let waiting: Vec<_> = intents
            .into_iter()
            .map(|intent| {
                let (reply, outcome) = oneshot::channel();
                let digest = self.digest(&intent);
                let (room, actor) = (room.clone(), who.actor(room));
                let draft = Draft {
                    room,
                    actor,
                    origin: None,
                    intent: intent.into(),
                    key: key.clone(),
                    digest,
                    reply: ReplyTo::Task(reply),
                };
                self.writer.submit(Job::Draft(draft)).map(|()| outcome)
            })
            .collect();
        let mut outcomes = Vec::with_capacity(waiting.len());
        for outcome in waiting {
            outcomes.push(match outcome {
                Ok(outcome) => outcome.await.unwrap_or_else(|_| Err(Fault::unavailable())),
                Err(fault) => Err(fault),
            });
        }
        Ok(outcomes)
    }

    /// Moves somebody's read marker forward, to the end of the log at most; tells where it was wanted.
    ///
    /// # Errors
    /// `not_found`, `overloaded`, `unavailable`.
    pub async fn read_to(self: &Arc<Self>, who: &Identity, room: &RoomId, seq: Seq) -> Result<Seq, Fault> {
        let seq = seq.min(self.look(who, room).await?.head);
        self.mark(room, &who.user, seq).await?;
        Ok(seq)
    }

    /// A message as it is now.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn message(self: &Arc<Self>, who: &Identity, room: &RoomId, seq: Seq) -> Result<Message, Fault> {
        let access = self.access(who, room).await?;
        let missing = || Fault::not_found("message");
        if let Some(message) = self.message_in(who, room, &access, seq, None).await? {
            return Ok(message);
        }
        // It may be in a thread; its first event says in which.
        let before = seq.value().checked_sub(1).and_then(Seq::new).ok_or_else(missing)?;
        let events = self.store.events(room, before, 1).await.map_err(|error| self.store_fault(error))?;
        let root = events.into_iter().find(|event| event.seq == seq).and_then(|event| match event.body? {
            RoomEventBody::ChatSent(body) => body.thread,
            _ => None,
        });
        let found = self.message_in(who, room, &access, seq, Some(root.ok_or_else(missing)?)).await?;
        found.ok_or_else(missing)
    }

    async fn message_in(
        &self,
        who: &Identity,
        room: &RoomId,
        access: &Access,
        seq: Seq,
        thread: Option<Seq>,
    ) -> Result<Option<Message>, Fault> {
        let query = MessageQuery {
            room: room.clone(),
            reader: who.user.clone(),
            visible_after: access.visible_after,
            place: Place::Around(seq),
            thread,
            limit: 1,
        };
        let page = self.store.messages(&query).await.map_err(|error| self.store_fault(error))?;
        Ok(page.messages.into_iter().find(|message| message.seq == seq))
    }

    /// A page of what somebody may see of a room's log, above `after`. Rights are looked at for every page.
    ///
    /// # Errors
    /// `not_found`, `unavailable`.
    pub async fn room_log(
        self: &Arc<Self>,
        who: &Identity,
        room: &RoomId,
        after: Seq,
    ) -> Result<ExportPage<RoomEvent, Seq>, Fault> {
        let access = self.access(who, room).await?;
        let from = after.max(access.visible_after);
        let events = self.store.events(room, from, EXPORT_EVENTS).await.map_err(|error| self.store_fault(error))?;
        let full = events.len() == EXPORT_EVENTS as usize;
        let next = events.last().map(|event| event.seq).filter(|_| full);
        let rows = events.into_iter().filter_map(|event| seen(room, event, &access)).collect();
        Ok(ExportPage { rows, next })
    }

    /// What is known of a user.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn user_view(&self, user: &UserId) -> Result<(UserView, String), Fault> {
        let state = self.user_reads.user(user).await.map_err(|error| self.store_fault(error))?;
        let stored = Presence {
            user: user.clone(),
            state: PresenceState::Offline,
            text: state.status.clone(),
            last_seen: state.last_seen,
        };
        let presence = self.presence_of(user).unwrap_or(stored);
        let (profile, revoked_before) = (state.profile, state.revoked_before);
        Ok((UserView { user: user.clone(), profile, presence, revoked_before }, state.status))
    }

    /// A page of somebody's memberships, with where they have read to.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn memberships(
        &self,
        user: &UserId,
        after: Option<(Millis, RoomId)>,
    ) -> Result<ExportPage<(RoomInfo, Member, Seq), (Millis, RoomId)>, Fault> {
        let query =
            ListQuery { reader: user.clone(), scope: ListScope::MemberOf, after, archived: true, limit: EXPORT_ROWS };
        let (rows, more) = self.store.list(&query).await.map_err(|error| self.store_fault(error))?;
        let next = rows.last().filter(|_| more).map(|last| (last.last_at, last.info.room.clone()));
        let rows = rows.into_iter().filter_map(|row| Some((self.told(row.info), row.member?, row.read))).collect();
        Ok(ExportPage { rows, next })
    }

    /// A page of somebody's messages in every room.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn messages_of(
        &self,
        user: &UserId,
        after: Option<(RoomId, Seq)>,
    ) -> Result<ExportPage<Message, (RoomId, Seq)>, Fault> {
        let rows = self.store.messages_of(user, after, EXPORT_ROWS).await.map_err(|error| self.store_fault(error))?;
        let full = rows.len() == EXPORT_ROWS as usize;
        let next = rows.last().filter(|_| full).map(|last| (last.room.clone(), last.seq));
        Ok(ExportPage { rows, next })
    }

    /// A page of the events of somebody's own log.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn stream_of(&self, user: &UserId, after: Seq) -> Result<ExportPage<UserEvent, Seq>, Fault> {
        let read = self.store.user_events(user, after, EXPORT_EVENTS).await;
        let rows = read.map_err(|error| self.store_fault(error))?;
        let full = rows.len() == EXPORT_EVENTS as usize;
        let next = rows.last().filter(|_| full).map(|last| last.user_seq);
        Ok(ExportPage { rows, next })
    }

    /// What the store is and how it keeps what it has acknowledged.
    ///
    /// # Errors
    /// `unavailable` when it does not answer.
    pub async fn store_health(&self) -> Result<String, Fault> {
        self.store.health().await.map_err(|error| self.store_fault(error))
    }
}

/// An event as its reader sees it; `None` when it is not for them or erased.
fn seen(room: &RoomId, event: StoredEvent, access: &Access) -> Option<RoomEvent> {
    let StoredEvent { seq, at, from, body } = event;
    let body = body?;
    match body.audience() {
        Audience::Moderators if !access.has(Capability::Moderate) => None,
        Audience::Moderators | Audience::Everybody => Some(RoomEvent { room: room.clone(), seq, at, from, body }),
    }
}

/// What makes the membership so: nothing where it is so already, which the room itself decides for `AddMember`.
fn put_member(now: Option<&Member>, wanted: NewMember) -> Intent {
    let NewMember { user, role, capabilities, data } = wanted;
    let is_new = |member: &Member, data: &Option<Data>| data.is_some() && member.data != *data;
    match now {
        Some(member) if member.role != role || member.capabilities != capabilities || is_new(member, &data) => {
            Intent::UpdateMember(MemberUpdated { user, role: Some(role), capabilities, muted_until: None, data })
        }
        Some(_) | None => Intent::AddMember(MemberJoined { user, role, capabilities, data }),
    }
}
