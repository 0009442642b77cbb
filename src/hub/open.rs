//! Opening a room: snapshot or resume, and catching up.
//!
//! A connection is attached under the room's lock at a place in the log before anything is read for it, so nothing
//! falls between the snapshot and the events that follow it.

use super::{Hub, RoomCell, conn::Conn, encode, registry::PAGE, room::CatchUp};
use crate::storage::{MessageQuery, Place};
use std::sync::Arc;
use stoa_protocol::{
    Ack, CloseCode, Control, Cursor, Fault, Member, Message, Opened, Presence, Profiles, Reply, RoomKind, RoomOpen,
    Seq, Snapshot, UserId, limits,
};
use stoa_rooms::{Access, Intent};

/// Further behind than this a client gets a snapshot: replaying more costs both sides more than starting anew.
const RESUME_EVENTS: u64 = 10_000;
/// Most bytes of messages, members and names in a snapshot; what is beyond is paged.
const SNAPSHOT_BYTES: usize = 96 * 1024;

/// What a snapshot takes from memory, under the room's lock.
struct Attached {
    access: Access,
    opened: Opened,
    members: Vec<Member>,
    member_count: u32,
    info: stoa_protocol::RoomInfo,
    people: Vec<UserId>,
    resumed: bool,
}

impl Hub {
    /// Opens a room for a connection and pushes the reply.
    ///
    /// # Errors
    /// `not_found` for whoever may not, in the same words as for a room that does not exist.
    pub(super) async fn open(
        self: &Arc<Self>,
        conn: &Arc<Conn>,
        id: u64,
        open: &RoomOpen,
    ) -> Result<Arc<RoomCell>, Fault> {
        self.need_reach()?;
        let cell = self.room(&open.room).await?;
        self.join_by_grant(&cell, conn).await?;
        if let Some(since) = &open.since {
            self.reach(&cell, since).await?;
        }
        let attached = self.attach(&cell, conn, open.since.as_ref())?;
        match self.opened(&cell, conn, attached).await {
            Ok(opened) => {
                let ack = Ack { id, seq: None, result: Some(Reply::Opened(Box::new(opened))) };
                push(conn, Control::Ack(Box::new(ack)));
                cell.lock().opened(conn.id);
                self.presence_moved(&cell);
                Ok(cell)
            }
            Err(fault) => {
                cell.lock().detach(conn.id);
                Err(fault)
            }
        }
    }

    /// A grant gives the first role: in all rooms but classes it becomes a logged membership.
    async fn join_by_grant(self: &Arc<Self>, cell: &Arc<RoomCell>, conn: &Arc<Conn>) -> Result<(), Fault> {
        let actor = conn.actor(&cell.id);
        let joins = {
            let live = cell.lock();
            let access = live.room.access(&actor, self.clock.now()).map_err(|_| Fault::not_found("room"))?;
            !access.member && !actor.service && live.room.info().kind != RoomKind::Class && !live.room.info().archived
        };
        if joins {
            self.commit(&cell.id, actor, Intent::Join, None).await?;
        }
        Ok(())
    }

    /// A client that comes from another node may have been told of more than was heard here: that is read first, or its
    /// cursor would be taken for one of a log that was set back.
    async fn reach(self: &Arc<Self>, cell: &Arc<RoomCell>, since: &Cursor) -> Result<(), Fault> {
        let is_ahead = {
            let live = cell.lock();
            live.room.epoch() == &since.epoch && live.room.head() < since.seq
        };
        if is_ahead && !self.has_no_others() { self.heal(cell).await } else { Ok(()) }
    }

    fn attach(&self, cell: &Arc<RoomCell>, conn: &Arc<Conn>, since: Option<&Cursor>) -> Result<Attached, Fault> {
        let now = self.clock.now();
        let mut live = cell.lock();
        if live.retired {
            return Err(Fault::overloaded(100));
        }
        let access = live.room.access(&conn.actor(&cell.id), now).map_err(|_| Fault::not_found("room"))?;
        let head = live.room.head();
        let resumed = since.filter(|cursor| {
            let behind = head.value().checked_sub(cursor.seq.value());
            &cursor.epoch == live.room.epoch() && behind.is_some_and(|behind| behind <= RESUME_EVENTS)
        });
        let cursor = resumed.map_or(head, |cursor| cursor.seq);
        live.attach(conn, access, cursor);
        let tells_each = live.tells_each();
        let lists = tells_each && live.room.members().len() <= limits::SNAPSHOT_MEMBERS;
        let opened = Opened {
            room: cell.id.clone(),
            epoch: live.room.epoch().clone(),
            seq: cursor,
            head,
            access: access.view(),
            reset: since.is_some() && resumed.is_none(),
            snapshot: None,
            presence: vec![],
            online: 0,
            read: vec![],
            pins: live.room.pins().to_vec(),
            call: live.call().map(|call| Box::new(call.now(Some(&conn.session)))),
        };
        let people = if tells_each { super::presence::people(&live) } else { vec![] };
        Ok(Attached {
            access,
            opened,
            members: if lists { live.room.members().values().cloned().collect() } else { vec![] },
            member_count: live.room.members().len() as u32,
            info: self.told(live.room.info().clone()),
            people,
            resumed: resumed.is_some(),
        })
    }

    /// Completes the reply with what the store has.
    async fn opened(&self, cell: &Arc<RoomCell>, conn: &Arc<Conn>, attached: Attached) -> Result<Opened, Fault> {
        let Attached { access, mut opened, members, member_count, info, people, resumed } = attached;
        let (online, presence) = self.presence_now(cell, &people);
        let read = self.read_markers(&opened.room, &conn.user, member_count).await?;
        if resumed {
            return Ok(Opened { presence, online, read, ..opened });
        }
        let query = MessageQuery {
            room: opened.room.clone(),
            reader: conn.user.clone(),
            visible_after: access.visible_after,
            place: opened.head.value().checked_add(1).and_then(Seq::new).map_or(Place::Newest, Place::Before),
            thread: None,
            limit: limits::SNAPSHOT_MESSAGES,
        };
        let page = self.store.messages(&query).await.map_err(|error| self.store_fault(error))?;
        let (messages, cut) = newest_within(page.messages, SNAPSHOT_BYTES);
        let members = within(members, SNAPSHOT_BYTES);
        let profiles = self.profiles_of(people_of(&messages, &members, &presence)).await?;
        let pins = std::mem::take(&mut opened.pins);
        let call = opened.call.take();
        let more = page.more_before || cut;
        let snapshot =
            Snapshot { info, member_count, members, messages, more, pins, online, presence, read, call, profiles };
        Ok(Opened { snapshot: Some(Box::new(snapshot)), ..opened })
    }

    pub(super) async fn read_markers(
        &self,
        room: &stoa_protocol::RoomId,
        own: &UserId,
        member_count: u32,
    ) -> Result<Vec<stoa_protocol::ReadMarker>, Fault> {
        let most = if member_count as usize <= limits::PRESENCE_EACH { limits::PRESENCE_EACH as u32 } else { 1 };
        self.store.markers(room, own, most).await.map_err(|error| self.store_fault(error))
    }

    /// What the client has of a room is void: it gets a snapshot in its place.
    ///
    /// # Errors
    /// Why it may not have one.
    pub(super) async fn reset(&self, cell: &Arc<RoomCell>, conn: &Arc<Conn>) -> Result<(), Fault> {
        let attached = self.attach(cell, conn, None)?;
        let opened = self.opened(cell, conn, attached).await?;
        push(conn, Control::RoomReset(Box::new(Opened { reset: true, ..opened })));
        cell.lock().opened(conn.id);
        conn.mark_behind();
        conn.mailbox.wake();
        Ok(())
    }

    /// Moves a connection on in a room until it is live, gone, or its mailbox is full.
    ///
    /// # Errors
    /// The close code when the store does not answer: the client comes again with its cursor.
    pub(super) async fn catch_up(self: &Arc<Self>, cell: &Arc<RoomCell>, conn: &Arc<Conn>) -> Result<bool, CloseCode> {
        loop {
            let (step, head) = {
                let mut live = cell.lock();
                (live.catch_up(conn.id), live.room.head())
            };
            match step {
                CatchUp::Done => {
                    self.tell_again(cell, conn).await?;
                    conn.mailbox.flush();
                    return Ok(true);
                }
                CatchUp::Gone => return Ok(false),
                CatchUp::Full => {
                    conn.mailbox.flush();
                    return Ok(true);
                }
                CatchUp::Store(from) if head.value() - from.value() > RESUME_EVENTS => {
                    self.reset(cell, conn).await.map_err(|_| CloseCode::SlowConsumer)?;
                }
                CatchUp::Store(from) => {
                    if !self.catch_up_from_store(cell, conn, from).await? {
                        conn.mailbox.flush();
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// One page from the store, or the ring filled back so that the next clients need none. False when the mailbox
    /// is full.
    async fn catch_up_from_store(
        self: &Arc<Self>,
        cell: &Arc<RoomCell>,
        conn: &Arc<Conn>,
        from: Seq,
    ) -> Result<bool, CloseCode> {
        let unavailable = |error| {
            tracing::warn!(%error, room = %cell.id, "catching up failed");
            CloseCode::Unavailable
        };
        let missing = cell.lock().ring_start().value() - from.next().value();
        if missing <= u64::from(PAGE) {
            let _one = cell.loader.lock().await;
            let start = cell.lock().ring_start();
            if from.next() < start {
                let wanted = u32::try_from(start.value() - from.next().value()).unwrap_or(PAGE).min(PAGE);
                let events = self.store.events(&cell.id, from, wanted).await.map_err(unavailable)?;
                let mut live = cell.lock();
                live.backfill(&events);
                if live.ring_start() <= from.next() {
                    return Ok(true);
                }
                return Ok(!matches!(live.push_stored(conn.id, from, &events), CatchUp::Full));
            }
            return Ok(true);
        }
        let events = self.store.events(&cell.id, from, PAGE).await.map_err(unavailable)?;
        let pushed = cell.lock().push_stored(conn.id, from, &events);
        Ok(!matches!(pushed, CatchUp::Full))
    }

    /// Names of people, from memory or by one query.
    pub(super) async fn profiles_of(&self, users: Vec<UserId>) -> Result<Profiles, Fault> {
        let mut profiles = Profiles::new();
        let mut unknown = Vec::new();
        for user in users {
            match self.profiles.get(&user) {
                Some(known) => {
                    if let Some(profile) = known.as_ref() {
                        profiles.insert(user, profile.clone());
                    }
                }
                None => unknown.push(user),
            }
        }
        if unknown.is_empty() {
            return Ok(profiles);
        }
        let found = self.store.profiles(&unknown).await.map_err(|error| self.store_fault(error))?;
        for user in unknown {
            let profile = found.get(&user).cloned();
            self.remember_profile(user.clone(), profile.clone());
            profiles.extend(profile.map(|profile| (user, profile)));
        }
        Ok(profiles)
    }
}

fn push(conn: &Arc<Conn>, control: Control) {
    if conn.mailbox.push_reply(encode::control(&control)).is_err() {
        conn.close_slow();
    }
    conn.mailbox.flush();
}

/// The newest of them that fit; tells whether some did not.
pub(super) fn newest_within(mut messages: Vec<Message>, bytes: usize) -> (Vec<Message>, bool) {
    let mut room = bytes;
    let fitting = messages.iter().rev().take_while(|message| take(&mut room, *message)).count();
    // One message always fits: it is bounded itself.
    let cut = messages.len() - fitting.max(1).min(messages.len());
    messages.drain(..cut);
    (messages, cut > 0)
}

/// All of them, or none when they do not fit: a client pages what it does not get.
fn within(members: Vec<Member>, bytes: usize) -> Vec<Member> {
    let mut room = bytes;
    if members.iter().all(|member| take(&mut room, member)) { members } else { vec![] }
}

fn take(room: &mut usize, value: &impl serde::Serialize) -> bool {
    let size = serde_json::to_vec(value).map_or(usize::MAX, |bytes| bytes.len());
    let fits = size <= *room;
    *room = room.saturating_sub(size);
    fits
}

/// Whose names a page needs, each once and at most as many as a reply may name.
pub(super) fn people_of(messages: &[Message], members: &[Member], presence: &[Presence]) -> Vec<UserId> {
    let mut people: std::collections::BTreeSet<&UserId> = messages.iter().filter_map(|m| m.from.as_ref()).collect();
    people.extend(messages.iter().flat_map(|m| &m.mentions));
    people.extend(members.iter().map(|m| &m.user));
    people.extend(presence.iter().map(|p| &p.user));
    people.into_iter().take(2 * limits::SNAPSHOT_MEMBERS).cloned().collect()
}
