//! The one database of a simulated deployment: tables in memory, with Postgres' manners.
//!
//! Many nodes exist on Postgres alone, where transactions of several nodes run at once and wait for each other's rows;
//! SQLite's one write lock would hide all of that. What is read and written is the same as in the true stores: a test
//! does both and compares.

use super::{super::state::RoomState, process::Process, trace::Trace};
use crate::{
    node::BootId,
    storage::{
        Digest, Head, HeadsMark, KeyHit, LEASE_MS, Lease, MARK_MS, MessageMeta, MessagePage, MessageQuery, Moved,
        MovedUser, NewEvent, NewUserEvent, Place, Result, StoreError, StoredEvent, StoredRoom, UserState,
    },
};
use parking_lot::Mutex;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};
use stoa_protocol::{
    Epoch, Key, Message, Millis, Profile, Reaction, ReadMarker, RoomEventBody, RoomId, Seq, UserEvent, UserId,
};
use stoa_rooms::Room;

/// Everything that is committed.
#[derive(Default)]
pub struct Tables {
    rooms: BTreeMap<RoomId, RoomRow>,
    users: BTreeMap<UserId, UserRow>,
    nodes: BTreeMap<BootId, NodeLease>,
    /// What each commit moved, by its number.
    moves: Vec<(u64, Change)>,
    commits: u64,
}

struct RoomRow {
    creator: Option<UserId>,
    state: RoomState,
    events: Vec<StoredEvent>,
    /// When each event was committed.
    committed: Vec<Millis>,
    keys: BTreeMap<(UserId, Key), KeyHit>,
    messages: BTreeMap<Seq, Message>,
    reactions: BTreeMap<Seq, Vec<(String, UserId)>>,
    markers: BTreeMap<UserId, Seq>,
}

#[derive(Default)]
struct UserRow {
    events: Vec<UserEvent>,
    keys: BTreeMap<(Option<UserId>, Key), KeyHit>,
    revoked_before: Millis,
    profile: Option<Profile>,
    status: String,
    last_seen: Option<Millis>,
}

struct NodeLease {
    name: String,
    expires_at: Millis,
    dead: bool,
}

/// What a transaction writes.
#[derive(Debug, Clone)]
pub enum Change {
    /// A row for a room that is to be created.
    Reserve(RoomId, Epoch),
    /// A room's log begins anew.
    Renew(RoomId, Epoch),
    /// Numbered events.
    Events(Vec<NewEvent>),
    /// Numbered events of users' own logs.
    UserEvents(Vec<(Seq, NewUserEvent)>),
    /// A read marker.
    Mark(RoomId, UserId, Seq),
    /// Tokens of before are refused.
    Revoke(UserId, Millis),
}

/// An event's number, or what its key has found.
pub type Numbered = Result<Seq, KeyHit>;

/// A node as its lease tells: name, whether it lives, for how long it has not.
pub type LeaseRow = (BootId, String, bool, Millis);

impl Tables {
    /// Commits.
    pub fn commit(&mut self, changes: Vec<Change>, now: Millis) {
        self.commits += 1;
        for change in changes {
            self.write(&change, now);
            self.moves.push((self.commits, change));
        }
    }

    fn write(&mut self, change: &Change, now: Millis) {
        match change {
            Change::Reserve(room, epoch) => {
                self.rooms.entry(room.clone()).or_insert_with(|| RoomRow::reserved(room, epoch));
            }
            Change::Renew(room, epoch) => {
                if let Some(row) = self.rooms.get_mut(room) {
                    row.renew(epoch);
                }
            }
            Change::Events(events) => {
                for event in events {
                    self.rooms.get_mut(&event.room).expect("a row that was locked").append(event, now);
                }
            }
            Change::UserEvents(events) => {
                for (seq, event) in events {
                    self.users.entry(event.user.clone()).or_default().append(*seq, event);
                }
            }
            Change::Mark(room, user, seq) => {
                if let Some(row) = self.rooms.get_mut(room) {
                    let marker = row.markers.entry(user.clone()).or_default();
                    *marker = (*seq).max(*marker);
                }
            }
            Change::Revoke(user, before) => {
                let row = self.users.entry(user.clone()).or_default();
                row.revoked_before = row.revoked_before.max(*before);
            }
        }
    }

    /// The end of a room's log.
    pub fn head(&self, room: &RoomId) -> Option<Head> {
        let row = self.rooms.get(room)?;
        Some(Head { epoch: row.state.room.epoch().clone(), seq: row.state.room.head() })
    }

    /// See [`crate::storage::Store::room`].
    pub fn room(&self, room: &RoomId) -> Option<StoredRoom> {
        let row = self.rooms.get(room)?;
        let folded = &row.state.room;
        (folded.head() > Seq::ZERO).then(|| StoredRoom {
            epoch: folded.epoch().clone(),
            head: folded.head(),
            info: folded.info().clone(),
            creator: row.creator.clone(),
            members: folded.members().values().cloned().collect(),
            bans: folded.bans().values().cloned().collect(),
            pins: folded.pins().to_vec(),
            documents: vec![],
            call: None,
        })
    }

    /// See [`crate::storage::Store::events`].
    pub fn events(&self, room: &RoomId, after: Seq, limit: u32) -> Vec<StoredEvent> {
        let Some(row) = self.rooms.get(room) else { return vec![] };
        let skipped = usize::try_from(after.value()).unwrap_or(usize::MAX);
        row.events.iter().skip(skipped).take(limit as usize).cloned().collect()
    }

    /// One event, and when it was committed.
    pub fn event(&self, room: &RoomId, seq: u64) -> Option<(&StoredEvent, Millis)> {
        let at = usize::try_from(seq.checked_sub(1)?).ok()?;
        let row = self.rooms.get(room)?;
        Some((row.events.get(at)?, *row.committed.get(at)?))
    }

    /// The rooms.
    pub fn rooms(&self) -> impl Iterator<Item = &RoomId> {
        self.rooms.keys()
    }

    /// What is known of keys, in the same order.
    pub fn hits(&self, keys: &[(RoomId, UserId, Key)]) -> Vec<Option<KeyHit>> {
        let hit = |(room, user, key): &(RoomId, UserId, Key)| {
            self.rooms.get(room)?.keys.get(&(user.clone(), key.clone())).copied()
        };
        keys.iter().map(hit).collect()
    }

    /// What is known of messages.
    pub fn metas(&self, targets: &[(RoomId, Seq)]) -> HashMap<(RoomId, Seq), MessageMeta> {
        let meta = |(room, seq): &(RoomId, Seq)| {
            let row = self.rooms.get(room)?;
            let message = row.messages.get(seq)?;
            let meta = MessageMeta {
                from: message.from.clone(),
                deleted: message.deleted,
                thread: message.thread,
                pinned: row.state.room.pins().contains(seq),
                mentions: message.mentions.clone(),
                reactions: row.reactions.get(seq).cloned().unwrap_or_default(),
            };
            Some(((room.clone(), *seq), meta))
        };
        targets.iter().filter_map(meta).collect()
    }

    /// The newest messages outside threads below a place, as a snapshot has them.
    pub fn messages(&self, query: &MessageQuery) -> Result<MessagePage> {
        let before = match query.place {
            Place::Newest => Seq::MAX,
            Place::Before(before) => before,
            Place::After(_) | Place::Around(_) => return Err(not_simulated()),
        };
        let Some(row) = self.rooms.get(&query.room) else { return Ok(MessagePage::default()) };
        let fits = |seq: Seq, message: &Message| message.thread.is_none() && seq > query.visible_after && seq < before;
        let all: Vec<Seq> = row.messages.iter().filter(|(seq, m)| fits(**seq, m)).map(|(seq, _)| *seq).collect();
        let skipped = all.len().saturating_sub(query.limit as usize);
        let newer = row.messages.iter().any(|(seq, m)| m.thread.is_none() && *seq >= before);
        let messages = all[skipped..].iter().map(|seq| row.message(*seq, &query.reader)).collect();
        Ok(MessagePage { messages, more_before: skipped > 0, more_after: newer })
    }

    /// See [`crate::storage::Store::markers`].
    pub fn markers(&self, room: &RoomId, own: &UserId, limit: u32) -> Vec<ReadMarker> {
        let Some(row) = self.rooms.get(room) else { return vec![] };
        let mut all: Vec<_> = row.markers.iter().map(|(u, seq)| ReadMarker { user: u.clone(), seq: *seq }).collect();
        all.sort_by_key(|marker| (marker.user != *own, marker.user.clone()));
        all.truncate(limit as usize);
        all
    }

    /// See [`crate::storage::Store::users`].
    pub fn user(&self, user: &UserId) -> UserState {
        let nobody = UserRow::default();
        let row = self.users.get(user).unwrap_or(&nobody);
        UserState {
            head: row.head(),
            revoked_before: row.revoked_before,
            profile: row.profile.clone(),
            status: row.status.clone(),
            last_seen: row.last_seen,
        }
    }

    /// See [`crate::storage::Store::user_events`].
    pub fn user_events(&self, user: &UserId, after: Seq, limit: u32) -> Vec<UserEvent> {
        let Some(row) = self.users.get(user) else { return vec![] };
        row.events.iter().filter(|event| event.user_seq > after).take(limit as usize).cloned().collect()
    }

    /// Those who have a profile.
    pub fn profiles(&self, users: &[UserId]) -> HashMap<UserId, Profile> {
        users.iter().filter_map(|user| Some((user.clone(), self.users.get(user)?.profile.clone()?))).collect()
    }

    /// How users are shown.
    pub fn put_profiles(&mut self, profiles: &[(UserId, Profile)]) {
        for (user, profile) in profiles {
            self.users.entry(user.clone()).or_default().profile = Some(profile.clone());
        }
    }

    /// When users were last there.
    pub fn put_seen(&mut self, seen: &[(UserId, Millis, String)]) {
        for (user, at, status) in seen {
            let row = self.users.entry(user.clone()).or_default();
            (row.last_seen, row.status) = (Some(*at), status.clone());
        }
    }

    /// Numbers events of users' own logs; a known key is not written again.
    pub fn number(&self, events: &[NewUserEvent]) -> (Vec<Numbered>, Vec<(Seq, NewUserEvent)>) {
        let mut heads: BTreeMap<&UserId, Seq> = BTreeMap::new();
        let mut known: BTreeMap<(&UserId, Option<UserId>, Key), (Seq, Digest)> = BTreeMap::new();
        let (mut numbered, mut fresh) = (vec![], vec![]);
        for event in events {
            let row = self.users.get(&event.user);
            if let Some((key, digest)) = &event.key {
                let name = (&event.user, event.from.clone(), key.clone());
                let stored = row.and_then(|row| row.keys.get(&(event.from.clone(), key.clone())).copied());
                let hit = stored.or(known.get(&name).map(|(seq, digest)| KeyHit { seq: *seq, digest: *digest }));
                if let Some(hit) = hit {
                    numbered.push(Err(hit));
                    continue;
                }
                let head = heads.get(&event.user).copied().unwrap_or_else(|| row.map_or(Seq::ZERO, |r| r.head().seq));
                known.insert(name, (head.next(), *digest));
            }
            let head = heads.entry(&event.user).or_insert_with(|| row.map_or(Seq::ZERO, |row| row.head().seq));
            *head = head.next();
            numbered.push(Ok(*head));
            fresh.push((*head, event.clone()));
        }
        (numbered, fresh)
    }

    /// See [`crate::storage::Nodes::renew`].
    pub fn renew(&mut self, boot: BootId, name: &str, first: bool, now: Millis) -> Lease {
        if first && !self.nodes.contains_key(&boot) {
            self.nodes.insert(boot, NodeLease { name: name.into(), expires_at: now + LEASE_MS, dead: false });
            return Lease::Held;
        }
        match self.nodes.get_mut(&boot).filter(|lease| lease.holds(now)) {
            Some(lease) => {
                lease.expires_at = now + LEASE_MS;
                Lease::Held
            }
            None => Lease::Lost,
        }
    }

    /// Whether a lease holds.
    pub fn holds(&self, boot: BootId, now: Millis) -> bool {
        self.nodes.get(&boot).is_some_and(|lease| lease.holds(now))
    }

    /// Whether a node is dead; then it stays so.
    pub fn expired(&mut self, boot: BootId, now: Millis) -> bool {
        let Some(lease) = self.nodes.get_mut(&boot) else { return true };
        lease.dead |= lease.expires_at <= now;
        lease.dead
    }

    /// See [`crate::storage::Nodes::nodes`].
    pub fn leases(&self, now: Millis) -> Vec<LeaseRow> {
        let row = |(boot, lease): (&BootId, &NodeLease)| {
            (*boot, lease.name.clone(), lease.holds(now), now.saturating_sub(lease.expires_at))
        };
        self.nodes.iter().map(row).collect()
    }

    /// See [`crate::storage::Nodes::heads`].
    pub fn moved(&self, since: Option<&HeadsMark>, now: Millis) -> Moved {
        let mark = HeadsMark(format!("{} {now}", self.commits));
        let since = since.and_then(|mark| {
            let (commits, at) = mark.0.split_once(' ')?;
            Some((commits.parse::<u64>().ok()?, at.parse::<Millis>().ok()?))
        });
        let since = since.filter(|(_, at)| now.saturating_sub(*at) <= MARK_MS).map(|(commits, _)| commits);
        let mut moved = Moved::nothing(mark, since.is_none());
        let Some(since) = since else { return moved };
        let (mut rooms, mut users, mut markers) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (_, change) in self.moves.iter().rev().take_while(|(commit, _)| *commit > since) {
            match change {
                Change::Reserve(..) => {}
                Change::Renew(room, _) => {
                    rooms.insert(room);
                }
                Change::Events(events) => rooms.extend(events.iter().map(|event| &event.room)),
                Change::UserEvents(events) => users.extend(events.iter().map(|(_, event)| &event.user)),
                Change::Mark(room, user, _) => {
                    markers.insert((room, user));
                }
                Change::Revoke(user, _) => {
                    users.insert(user);
                }
            }
        }
        moved.rooms = rooms.into_iter().map(|room| (room.clone(), self.head(room))).collect();
        moved.users = users.into_iter().map(|user| self.moved_user(user)).collect();
        let marker = |(room, user): (&RoomId, &UserId)| {
            Some((room.clone(), user.clone(), *self.rooms.get(room)?.markers.get(user)?))
        };
        moved.markers = markers.into_iter().filter_map(marker).collect();
        moved
    }

    fn moved_user(&self, user: &UserId) -> MovedUser {
        let state = self.user(user);
        MovedUser { user: user.clone(), head: state.head, revoked_before: state.revoked_before }
    }
}

/// The epoch of the log of a user to whom nothing was ever written, and of everybody here.
fn user_epoch() -> Epoch {
    Epoch::new("users").expect("legal")
}

/// What the simulation never asks for.
pub fn not_simulated() -> StoreError {
    StoreError::Refused("this is not simulated".into())
}

impl NodeLease {
    fn holds(&self, now: Millis) -> bool {
        !self.dead && self.expires_at > now
    }
}

impl UserRow {
    fn head(&self) -> Head {
        Head { epoch: user_epoch(), seq: self.events.last().map_or(Seq::ZERO, |event| event.user_seq) }
    }

    fn append(&mut self, seq: Seq, event: &NewUserEvent) {
        if let Some((key, digest)) = &event.key {
            self.keys.insert((event.from.clone(), key.clone()), KeyHit { seq, digest: *digest });
        }
        let NewUserEvent { user: _, at, from, key: _, body } = event.clone();
        self.events.push(UserEvent { user_seq: seq, at, from, body });
    }
}

impl RoomRow {
    fn reserved(room: &RoomId, epoch: &Epoch) -> Self {
        Self {
            creator: None,
            state: RoomState { room: Room::unborn(room.clone(), epoch.clone()), call: None },
            events: vec![],
            committed: vec![],
            keys: BTreeMap::new(),
            messages: BTreeMap::new(),
            reactions: BTreeMap::new(),
            markers: BTreeMap::new(),
        }
    }

    fn renew(&mut self, epoch: &Epoch) {
        let room = &self.state.room;
        let (members, bans) = (room.members().values().cloned(), room.bans().values().cloned());
        let (info, pins) = (room.info().clone(), room.pins().to_vec());
        let renewed = Room::restore(epoch.clone(), room.head(), info, members.collect(), bans.collect(), pins);
        self.state.room = renewed;
    }

    fn append(&mut self, event: &NewEvent, now: Millis) {
        let NewEvent { room: _, seq, at, from, key, body } = event;
        self.state.apply(*seq, *at, from.as_ref(), body);
        if let (Some((key, digest)), Some(user)) = (key, from) {
            self.keys.insert((user.clone(), key.clone()), KeyHit { seq: *seq, digest: *digest });
        }
        self.events.push(StoredEvent { seq: *seq, at: *at, from: from.clone(), body: Some(body.clone()) });
        self.committed.push(now);
        self.project(event);
    }

    /// What an event changes in the tables of messages.
    fn project(&mut self, event: &NewEvent) {
        match &event.body {
            RoomEventBody::RoomCreated(_) => self.creator = event.from.clone(),
            RoomEventBody::ChatSent(sent) => {
                let message = Message {
                    room: event.room.clone(),
                    seq: event.seq,
                    at: event.at,
                    from: event.from.clone(),
                    text: sent.text.clone(),
                    mentions: sent.mentions.clone(),
                    mention_all: sent.mention_all,
                    reply_to: sent.reply_to,
                    thread: sent.thread,
                    announcement: sent.announcement,
                    data: sent.data.clone(),
                    attachments: vec![],
                    edited_at: None,
                    deleted: false,
                    pinned: false,
                    replies: 0,
                    reactions: vec![],
                };
                self.messages.insert(event.seq, message);
            }
            RoomEventBody::ChatEdited { target, text, mentions, data } => {
                if let Some(message) = self.messages.get_mut(target).filter(|message| !message.deleted) {
                    (message.text, message.mentions) = (text.clone(), mentions.clone());
                    (message.data, message.edited_at) = (data.clone(), Some(event.at));
                }
            }
            RoomEventBody::ChatDeleted { target, .. } => self.erase(*target),
            RoomEventBody::ChatReacted { target, emoji, on } => {
                let (Some(user), Some(message)) = (&event.from, self.messages.get(target)) else { return };
                let reactions = self.reactions.entry(*target).or_default();
                let known = reactions.iter().position(|(e, u)| e == emoji && u == user);
                match (known, on) {
                    (Some(at), false) => {
                        reactions.remove(at);
                    }
                    (None, true) if !message.deleted => reactions.push((emoji.clone(), user.clone())),
                    (Some(_), true) | (None, _) => {}
                }
            }
            _ => {}
        }
    }

    /// A message's words go, and those of its edits.
    fn erase(&mut self, target: Seq) {
        for event in &mut self.events {
            let carries = match &event.body {
                Some(RoomEventBody::ChatSent(_)) => event.seq == target,
                Some(RoomEventBody::ChatEdited { target: edited, .. }) => *edited == target,
                _ => false,
            };
            if carries {
                event.body = None;
            }
        }
        self.reactions.remove(&target);
        if let Some(message) = self.messages.get_mut(&target) {
            (message.deleted, message.mention_all, message.edited_at) = (true, false, None);
            (message.text, message.mentions, message.data) = (String::new(), vec![], None);
        }
    }

    fn message(&self, seq: Seq, reader: &UserId) -> Message {
        let mut message = self.messages[&seq].clone();
        message.pinned = self.state.room.pins().contains(&seq);
        let replies = self.messages.values().filter(|reply| reply.thread == Some(seq) && !reply.deleted);
        message.replies = replies.count() as u32;
        for (emoji, user) in self.reactions.get(&seq).into_iter().flatten() {
            let mine = user == reader;
            match message.reactions.iter_mut().find(|reaction| reaction.emoji == *emoji) {
                Some(reaction) => {
                    reaction.count += 1;
                    reaction.users.push(user.clone());
                    reaction.mine |= mine;
                }
                None => {
                    let users = vec![user.clone()];
                    message.reactions.push(Reaction { emoji: emoji.clone(), count: 1, users, mine });
                }
            }
        }
        message
    }
}

/// The database, and who works in it.
pub struct Database {
    /// What is committed.
    pub tables: Mutex<Tables>,
    /// Rows that transactions have locked, by name.
    rows: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// What happens.
    pub trace: Arc<Trace>,
    epoch: tokio::time::Instant,
}

impl Database {
    /// An empty one.
    pub fn new(trace: Arc<Trace>, epoch: tokio::time::Instant) -> Arc<Self> {
        Arc::new(Self { tables: Mutex::default(), rows: Mutex::default(), trace, epoch })
    }

    /// Its own clock, which times the leases.
    pub fn now(&self) -> Millis {
        super::process::START + self.epoch.elapsed().as_millis() as Millis
    }

    /// A row that can be locked.
    pub fn row(&self, name: String) -> Arc<tokio::sync::Mutex<()>> {
        self.rows.lock().entry(name).or_default().clone()
    }

    /// The database as a process reaches it.
    pub fn reached_by(self: &Arc<Self>, process: &Arc<Process>) -> super::store::Reached {
        super::store::Reached { database: self.clone(), process: process.clone() }
    }
}
