//! The other nodes: what this one tells them, what it hears, and who of them lives.
//!
//! Invariants: what is told is committed or passing, so nothing that is heard has to be taken back; a durable event that
//! is heard goes through the same gate as one's own; what is lost on the way is found by the look at heads each second.
//! Who lives is decided by the leases in the store alone.

mod arrive;
mod elsewhere;
mod heads;
mod hear;
mod lease;
mod rooms;

pub use heads::run as look;
pub use lease::run as keep_lease;
pub use rooms::{Here, Rest};

use super::{Hub, RoomCell, documents::SavedElsewhere};
use crate::{
    cluster::{BootId, Heard, SharedBus, Topic},
    storage::{DocumentKey, HeadsMark, StoredEvent, Timeline},
};
use bytes::Bytes;
use elsewhere::{Elsewhere, Entry, There};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use stoa_protocol::{
    CloseCode, Control, DocumentId, Epoch, LinkId, Millis, Presence, Profile, RoomId, Seq, SessionId, UserEvent, UserId,
};
use stoa_signaling::Retained;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Users of one message of a slice: some 64 KiB.
const PART: usize = 500;
/// A batch of events above this, bytes, is not sent: whoever hears of it reads it from the store.
const EVENTS_BYTES: usize = 128 * 1024;

/// What nodes tell each other of a room. A kind that a node does not know is passed over: nodes of two versions run
/// together, and the look at heads finds what is durable.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
enum OfRoom {
    /// Committed events, in order.
    Events { epoch: Epoch, events: Vec<StoredEvent> },
    /// The log has grown to here.
    Rang { epoch: Epoch, head: Seq },
    /// The log began anew, or the room is gone.
    Anew,
    /// Retained rows of a call were committed.
    Retained { call: Seq, rows: Vec<Retained> },
    /// Who began to type, and who stopped.
    Typing { users: Vec<(UserId, bool)> },
    /// A passing event for everybody in the room.
    Passing { told: Box<Control> },
    /// A read marker was written.
    Read { user: UserId, seq: Seq },
    /// Something for one session that is not here.
    Directed { to: SessionId, told: Box<Control> },
    /// Who is in the room on this node.
    Here(Here),
    /// Whoever has people in the room says so.
    WhoIsHere,
    /// A document's edits were committed.
    Saved(SavedElsewhere),
    /// What connections of this node say of themselves in a document.
    Aware { document: DocumentId, states: Vec<(u64, u32, String)> },
    /// Whoever has people in a document says what they say of themselves.
    WhoIsAware { document: DocumentId },
}

/// What nodes tell each other of a user.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
enum OfUser {
    /// A committed event of the user's own log. When the log began anew its number tells nothing: the look finds that.
    Stream { event: Box<UserEvent> },
    /// A passing event for all the user's connections.
    Passing { told: Box<Control> },
    /// The user's read marker moved.
    Marked { room: RoomId, seq: Seq },
    /// Rows of the user's list have news.
    List { rooms: Vec<RoomId> },
    /// The session goes on there.
    Taken { session: SessionId },
}

/// What nodes tell all others.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
enum OfNodes {
    /// Changes of a slice, its `n`-th saying.
    Slice { n: u64, users: Vec<Entry> },
    /// A part of a whole slice as of the `n`-th saying.
    Whole { n: u64, first: bool, last: bool, users: Vec<Entry> },
    /// The node has said `n` things, and has seen this life of the database.
    Beat {
        n: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeline: Option<Timeline>,
    },
    /// A node is asked for its whole slice.
    Ask { of: String },
    /// The node goes; its people come back elsewhere.
    Leaving,
    /// How somebody is shown has changed.
    Profile { user: UserId, profile: Profile },
    /// Tokens of this user from before are refused.
    Revoked { user: UserId, before: Millis },
    /// A join link was revoked.
    LinkRevoked { link: LinkId },
}

/// This node among the others.
pub struct Nodes {
    bus: SharedBus,
    /// There are no others and never will be: nothing is said.
    alone: bool,
    others: Mutex<Elsewhere>,
    /// Users whose entry in the slice may have changed.
    moved: Mutex<BTreeSet<UserId>>,
    /// What was said of typing since the last tick.
    typing: Mutex<BTreeMap<RoomId, BTreeMap<UserId, bool>>>,
    /// How many things were said of the slice.
    said: AtomicU64,
    /// Nodes that were asked for their slice in this second.
    asked: Mutex<BTreeSet<BootId>>,
    /// Grows when a node's whole slice was heard.
    heard_slice: watch::Sender<u64>,
    lease: lease::Lease,
    /// Where the look at heads goes on.
    mark: Mutex<Option<HeadsMark>>,
    /// Everything is to be compared at the next look: the bus was away.
    compare: AtomicBool,
}

/// What a hub needs to be one of many.
pub struct Cluster {
    /// The bus.
    pub bus: SharedBus,
    /// What others say.
    pub heard: mpsc::Receiver<Heard>,
    /// The boot id that the bus speaks under.
    pub boot: BootId,
    /// A name for people: host and address.
    pub name: String,
    /// There are no others and never will be.
    pub alone: bool,
}

impl Cluster {
    /// The only node.
    pub fn alone() -> Self {
        let (_, heard) = mpsc::channel(1);
        let bus = Arc::new(crate::cluster::Local::new());
        Self { bus, heard, boot: BootId::fresh(), name: String::new(), alone: true }
    }
}

impl Nodes {
    pub(super) fn new(cluster: Cluster) -> (Self, HearTask) {
        let Cluster { bus, heard, boot, name, alone } = cluster;
        let nodes = Self {
            bus,
            alone,
            others: Mutex::default(),
            moved: Mutex::default(),
            typing: Mutex::default(),
            said: AtomicU64::new(0),
            asked: Mutex::default(),
            heard_slice: watch::Sender::new(0),
            lease: lease::Lease::new(boot, name),
            mark: Mutex::new(None),
            compare: AtomicBool::new(false),
        };
        if !alone {
            nodes.bus.subscribe(Topic::Nodes);
        }
        (nodes, HearTask(heard))
    }

    /// Tells the others; costs nothing where there are none.
    fn say<T: Serialize>(&self, topic: Topic, news: impl FnOnce() -> T) {
        if !self.alone {
            self.bus.publish(topic, written(&news()));
        }
    }

    fn say_of_room(&self, room: &RoomId, news: impl FnOnce() -> OfRoom) {
        self.say(Topic::Room(room.clone()), news);
    }

    fn say_of_user(&self, user: &UserId, news: impl FnOnce() -> OfUser) {
        self.say(Topic::User(user.clone()), news);
    }

    fn say_to_nodes(&self, news: impl FnOnce() -> OfNodes) {
        self.say(Topic::Nodes, news);
    }

    /// The lease under which this node writes; `None` where there are no others.
    pub(super) fn boot(&self) -> Option<BootId> {
        (!self.alone).then(|| self.lease.boot())
    }

    /// Listens to a room or a user that has come into memory.
    pub(super) fn listen(&self, topic: Topic) {
        if !self.alone {
            self.bus.subscribe(topic);
        }
    }

    /// Listens no more.
    pub(super) fn unlisten(&self, topic: Topic) {
        if !self.alone {
            self.bus.unsubscribe(topic);
        }
    }

    /// Whether what other nodes say comes through: then what they do not say is so.
    pub(super) fn hears(&self) -> bool {
        self.alone || self.bus.health().up
    }
}

fn written(news: &impl Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(news).expect("news has string keys only"))
}

impl Hub {
    /// There are no other nodes.
    pub(super) fn has_no_others(&self) -> bool {
        self.nodes.alone
    }

    /// A user's presence over all nodes.
    pub(super) fn presence_over_nodes(&self, user: &UserId, here: Option<(Presence, Millis)>) -> Option<Presence> {
        match self.nodes.alone {
            true => here.map(|(presence, _)| presence),
            false => self.nodes.others.lock().merged(user, here),
        }
    }

    /// How many users are connected to other nodes.
    pub(super) fn users_elsewhere(&self) -> usize {
        self.nodes.others.lock().count()
    }

    /// Whether a user is in another call than this room's, from another node.
    pub(super) fn is_busy_elsewhere(&self, user: &UserId, room: &RoomId) -> bool {
        !self.nodes.alone && self.nodes.others.lock().in_other_call(user, room)
    }
}

/// The task that hears.
pub struct HearTask(mpsc::Receiver<Heard>);

impl HearTask {
    /// Runs until shutdown.
    pub async fn run(mut self, hub: Arc<Hub>, shutdown: CancellationToken) {
        loop {
            let heard = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                heard = self.0.recv() => heard,
            };
            let Some(heard) = heard else { return };
            hub.hear(heard);
        }
    }
}

impl Hub {
    /// A user has left memory.
    pub(super) fn unlisten_to_user(&self, user: &UserId) {
        self.nodes.unlisten(Topic::User(user.clone()));
    }
}

/// What this node says when something happened here.
impl Hub {
    /// Events of a room were committed here.
    pub(super) fn ring_room(&self, room: &RoomId, epoch: &Epoch, events: &[StoredEvent]) {
        let Some(last) = events.last().filter(|_| !self.nodes.alone) else { return };
        let news = OfRoom::Events { epoch: epoch.clone(), events: events.to_vec() };
        let body = written(&news);
        if body.len() <= EVENTS_BYTES {
            return self.nodes.bus.publish(Topic::Room(room.clone()), body);
        }
        self.nodes.say_of_room(room, || OfRoom::Rang { epoch: epoch.clone(), head: last.seq });
    }

    /// The room's log is not what other nodes have of it.
    pub(super) fn ring_anew(&self, room: &RoomId) {
        self.nodes.say_of_room(room, || OfRoom::Anew);
    }

    /// Retained rows of a call were committed here.
    pub(super) fn ring_retained(&self, room: &RoomId, call: Seq, rows: &[Retained]) {
        self.nodes.say_of_room(room, || OfRoom::Retained { call, rows: rows.to_vec() });
    }

    /// An event of a user's own log was committed here.
    pub(super) fn ring_user(&self, user: &UserId, event: &UserEvent) {
        self.nodes.say_of_user(user, || OfUser::Stream { event: Box::new(event.clone()) });
    }

    /// A read marker was written here.
    pub(super) fn ring_marked(&self, room: &RoomId, user: &UserId, seq: Seq) {
        self.nodes.say_of_room(room, || OfRoom::Read { user: user.clone(), seq });
        if self.nodes.others.lock().has(user) {
            self.nodes.say_of_user(user, || OfUser::Marked { room: room.clone(), seq });
        }
    }

    /// Rows of lists of people on other nodes have news.
    pub(super) fn ring_lists(&self, room: &RoomId, members: &[UserId]) {
        if self.nodes.alone {
            return;
        }
        let wanted: Vec<&UserId> = {
            let others = self.nodes.others.lock();
            members.iter().filter(|user| others.wants_list(user)).collect()
        };
        for user in wanted {
            self.nodes.say_of_user(user, || OfUser::List { rooms: vec![room.clone()] });
        }
    }

    /// A passing event for everybody in a room.
    pub(super) fn ring_passing(&self, room: &RoomId, told: &Control) {
        self.nodes.say_of_room(room, || OfRoom::Passing { told: Box::new(told.clone()) });
    }

    /// A passing event for all connections of a user.
    pub(super) fn ring_to_user(&self, user: &UserId, told: &Control) {
        self.nodes.say_of_user(user, || OfUser::Passing { told: Box::new(told.clone()) });
    }

    /// Something for a session that has no connection in the room on this node.
    pub(super) fn ring_session(&self, room: &RoomId, to: &SessionId, told: &Control) {
        let news = || OfRoom::Directed { to: to.clone(), told: Box::new(told.clone()) };
        self.nodes.say_of_room(room, news);
    }

    /// A document was saved here.
    pub(super) fn ring_saved(&self, room: &RoomId, news: SavedElsewhere) {
        self.nodes.say_of_room(room, || OfRoom::Saved(news));
    }

    /// What connections of this node say of themselves in a document.
    pub(super) fn ring_aware(&self, key: &DocumentKey, states: Vec<(u64, u32, String)>) {
        let document = key.document.clone();
        self.nodes.say_of_room(&key.room, || OfRoom::Aware { document, states });
    }

    /// A document was opened here: who is there on other nodes?
    pub(super) fn ask_aware(&self, key: &DocumentKey) {
        let document = key.document.clone();
        self.nodes.say_of_room(&key.room, || OfRoom::WhoIsAware { document });
    }

    /// Somebody began to type here, or stopped: told at the next tick.
    pub(super) fn ring_typing(&self, room: &RoomId, user: &UserId, on: bool) {
        if !self.nodes.alone {
            self.nodes.typing.lock().entry(room.clone()).or_default().insert(user.clone(), on);
        }
    }

    /// A session came here: its older connections elsewhere end.
    pub(super) fn ring_taken(&self, user: &UserId, session: &SessionId) {
        self.nodes.say_of_user(user, || OfUser::Taken { session: session.clone() });
    }

    /// How somebody is shown has changed.
    pub(super) fn ring_profile(&self, user: &UserId, profile: &Profile) {
        self.nodes.say_to_nodes(|| OfNodes::Profile { user: user.clone(), profile: profile.clone() });
    }

    /// Tokens of a user are refused from now on.
    pub(super) fn ring_revoked(&self, user: &UserId, before: Millis) {
        self.nodes.say_to_nodes(|| OfNodes::Revoked { user: user.clone(), before });
    }

    /// A join link was revoked.
    pub(super) fn ring_link_revoked(&self, link: &LinkId) {
        self.nodes.say_to_nodes(|| OfNodes::LinkRevoked { link: link.clone() });
    }

    /// This node goes.
    pub(super) fn ring_leaving(&self) {
        self.nodes.say_to_nodes(|| OfNodes::Leaving);
    }

    /// What is told of a user may have changed here.
    pub(super) fn slice_moved(&self, user: &UserId) {
        if !self.nodes.alone {
            self.nodes.moved.lock().insert(user.clone());
        }
    }

    /// What the tick tells: typing, and changes of the slice.
    pub(super) fn tick_nodes(&self) {
        if self.nodes.alone {
            return;
        }
        for (room, users) in std::mem::take(&mut *self.nodes.typing.lock()) {
            self.nodes.say_of_room(&room, || OfRoom::Typing { users: users.into_iter().collect() });
        }
        let moved: Vec<UserId> = std::mem::take(&mut *self.nodes.moved.lock()).into_iter().collect();
        for part in moved.chunks(PART) {
            let users: Vec<Entry> = part.iter().map(|user| (user.clone(), self.there(user))).collect();
            let n = self.nodes.said.fetch_add(1, Ordering::AcqRel) + 1;
            self.nodes.say_to_nodes(|| OfNodes::Slice { n, users });
        }
    }

    /// A user as this node sees them.
    fn there(&self, user: &UserId) -> Option<There> {
        let cell = self.users.get(user).map(|cell| cell.clone())?;
        let (there, sessions) = {
            let live = cell.lock();
            if live.devices.is_empty() {
                return None;
            }
            let there = There {
                state: live.devices.state(),
                text: live.status.clone(),
                text_at: live.status_at,
                calls: BTreeSet::new(),
                list: live.conns().any(|conn| conn.wants_list),
            };
            (there, live.conns().map(|conn| conn.session.clone()).collect::<BTreeSet<_>>())
        };
        let rooms = self.in_calls.get(user).map(|rooms| rooms.clone()).unwrap_or_default();
        let from_here = |room: &RoomId| {
            let call = self.loaded(room).and_then(|cell| cell.lock().call().cloned());
            call.is_some_and(|call| sessions.iter().any(|session| call.participant(session).is_some()))
        };
        let calls = rooms.into_iter().filter(from_here).collect();
        Some(There { calls, ..there })
    }

    /// The whole slice, in parts that nothing comes between.
    fn say_whole(&self) {
        let users: Vec<UserId> = self.users.iter().map(|cell| cell.key().clone()).collect();
        let entries: Vec<Entry> = users
            .into_iter()
            .map(|user| {
                let there = self.there(&user);
                (user, there)
            })
            .filter(|(_, there)| there.is_some())
            .collect();
        let n = self.nodes.said.load(Ordering::Acquire);
        let parts: Vec<&[Entry]> = match entries.is_empty() {
            true => vec![&[]],
            false => entries.chunks(PART).collect(),
        };
        let last = parts.len() - 1;
        for (at, users) in parts.into_iter().enumerate() {
            let news = || OfNodes::Whole { n, first: at == 0, last: at == last, users: users.to_vec() };
            self.nodes.say_to_nodes(news);
        }
    }
}
