//! Rooms and users in memory, and everything that happens to them.
//!
//! Invariants: no map guard leaves the registries; no lock is held across an `.await`; what reaches a mailbox is
//! pushed under the lock of the room or user that it belongs to, or event 11 may arrive before 10.

mod actions;
mod admin;
mod blobs;
mod calls;
mod commands;
mod conn;
mod documents;
mod encode;
mod flush;
mod ice;
mod links;
mod nodes;
mod open;
mod presence;
mod query;
mod reach;
mod registry;
mod room;
mod session;
#[cfg(test)]
#[path = "../tests/simulation/mod.rs"]
mod simulation;
mod stale;
mod state;
#[cfg(test)]
mod tests;
mod timers;
mod users;
mod writer;

pub use crate::storage::DocumentKey;
pub use crate::storage::links::{LinkKind, StoredLink};
pub use admin::{ExportPage, RoomNow};
pub use conn::Conn;
pub use documents::{DocumentCell, Replica, content_json};
pub use ice::{IceSource, NoIce};
pub use links::{Lead, Terms, guest_name};
pub use nodes::Cluster;
pub use room::RoomCell;
pub use session::HubSession;

use crate::{
    auth::{Minter, Verifier},
    clock::Clock,
    config::Limits,
    gateway::{Handler, Mailbox, Peer, Session, Wanted},
    metrics::Metrics,
    random::{SharedMap, shared_map},
    storage::{SharedStore, UserState},
};
use dashmap::DashMap;
use flush::{FlushTask, Flusher};
use parking_lot::Mutex;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize},
    },
};
use stoa_protocol::{Cursor, Fault, IceServers, Millis, Profile, RoomId, RoomInfo, Seq, UserId};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use users::{UserCell, UserReadTask, UserReads};
use writer::{LaneTask, Writer};

/// Most profiles that are kept in memory: some 10 MiB.
const PROFILES: usize = 50_000;

/// The hub.
pub struct Hub {
    store: SharedStore,
    clock: Arc<dyn Clock>,
    verifier: Arc<Verifier>,
    limits: Limits,
    /// What the process counts.
    pub metrics: Arc<Metrics>,
    /// Keys digests, session secrets and names of rooms; the same on every node.
    secret: [u8; 32],
    rooms: SharedMap<RoomId, Arc<RoomCell>>,
    users: SharedMap<UserId, Arc<UserCell>>,
    /// The small rooms in memory in which a user's presence is told.
    told_in: DashMap<UserId, Vec<RoomId>>,
    profiles: DashMap<UserId, Arc<Option<Profile>>>,
    writer: Writer,
    /// The other nodes.
    pub nodes: nodes::Nodes,
    flusher: Flusher,
    user_reads: UserReads,
    /// The rooms in whose calls each user is.
    in_calls: DashMap<UserId, BTreeSet<RoomId>>,
    /// Rooms in which a call runs.
    call_rooms: Mutex<BTreeSet<RoomId>>,
    ice: Arc<dyn IceSource>,
    /// Whether loopback candidates pass.
    loopback: bool,
    reach: reach::Reach,
    /// Rooms with news for the next tick.
    ticking: Mutex<Vec<Arc<RoomCell>>>,
    /// Users whose list has news.
    list_queue: Mutex<Vec<Arc<UserCell>>>,
    /// Rooms about which the store knows more than memory may.
    suspects: Mutex<BTreeSet<RoomId>>,
    /// Shared documents in memory.
    documents: DashMap<DocumentKey, Arc<documents::DocumentCell>>,
    saves: documents::Saves,
    /// Connections of plain Yjs providers, which belong to no user's stream.
    plain: DashMap<u64, (Arc<Conn>, DocumentKey)>,
    /// Tasks of documents, and what ends them.
    tasks: TaskTracker,
    stop_documents: CancellationToken,
    /// Connections that want their list told.
    list_watchers: AtomicUsize,
    next_conn: AtomicU64,
    /// Makes the tokens of guests.
    guests: Minter,
    /// Where browsers find the server; empty when nobody said.
    public_url: String,
    /// Counts revocations, for those who say hello at the same moment.
    revocations: AtomicU64,
}

/// What the hub is made of.
pub struct Parts {
    /// The database.
    pub store: SharedStore,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Verifies tokens.
    pub verifier: Arc<Verifier>,
    /// The bounds.
    pub limits: Limits,
    /// What the process counts.
    pub metrics: Arc<Metrics>,
    /// Writer lanes: one for SQLite, some for Postgres.
    pub lanes: usize,
    /// The deployment's secret, from the store.
    pub secret: [u8; 32],
    /// Makes the tokens of guests, which the verifier knows.
    pub guests: Minter,
    /// Where browsers find the server, without a slash at the end; empty when nobody said.
    pub public_url: String,
    /// Where the ICE servers of calls come from.
    pub ice: Arc<dyn IceSource>,
    /// Whether loopback candidates of calls pass: on a development server.
    pub loopback: bool,
    /// What makes it one of many.
    pub cluster: Cluster,
}

/// The hub's tasks, to be spawned.
pub struct Tasks {
    lanes: Vec<LaneTask>,
    flush: FlushTask,
    users: UserReadTask,
    save: documents::SaveTask,
    hear: nodes::HearTask,
}

impl Hub {
    /// A hub without rooms, and its tasks.
    pub fn new(parts: Parts) -> (Arc<Self>, Tasks) {
        let (writer, lanes) = Writer::new(parts.lanes, parts.limits.writer_queue as usize);
        let (flusher, flush) = Flusher::new();
        let (saves, save) = documents::Saves::new();
        let (user_reads, users) = UserReads::new(parts.store.clone());
        let (nodes, hear) = nodes::Nodes::new(parts.cluster);
        let hub = Self {
            reach: reach::Reach::new(parts.clock.now()),
            store: parts.store,
            clock: parts.clock,
            verifier: parts.verifier,
            limits: parts.limits,
            metrics: parts.metrics,
            secret: parts.secret,
            rooms: shared_map(),
            users: shared_map(),
            told_in: DashMap::new(),
            profiles: DashMap::new(),
            writer,
            nodes,
            flusher,
            user_reads,
            in_calls: DashMap::new(),
            call_rooms: Mutex::default(),
            ice: parts.ice,
            loopback: parts.loopback,
            ticking: Mutex::default(),
            list_queue: Mutex::default(),
            suspects: Mutex::default(),
            documents: DashMap::new(),
            saves,
            plain: DashMap::new(),
            tasks: TaskTracker::new(),
            stop_documents: CancellationToken::new(),
            list_watchers: AtomicUsize::new(0),
            next_conn: AtomicU64::new(1),
            guests: parts.guests,
            public_url: parts.public_url,
            revocations: AtomicU64::new(0),
        };
        (Arc::new(hub), Tasks { lanes, flush, users, save, hear })
    }

    /// The database, for what has no room: health and the host application's bulk reads.
    pub fn store(&self) -> &SharedStore {
        &self.store
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The ICE servers for one who may take part in a call, from now on.
    pub fn ice_servers(&self, user: &UserId) -> IceServers {
        self.ice.servers(user, self.clock.now())
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Verifies tokens.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The room on the server's page.
    pub fn url_of(&self, room: &RoomId) -> String {
        format!("{}/r/{room}", self.public_url)
    }

    /// A room's record as it is told.
    fn told(&self, info: RoomInfo) -> RoomInfo {
        RoomInfo { url: self.url_of(&info.room), ..info }
    }

    /// How somebody is shown.
    ///
    /// # Errors
    /// `unavailable`.
    pub async fn profile_of(&self, user: &UserId) -> Result<Option<Profile>, Fault> {
        Ok(self.profiles_of(vec![user.clone()]).await?.remove(user))
    }

    fn ring_most(&self) -> room::RingMost {
        room::RingMost { events: self.limits.ring_events as usize, bytes: self.limits.ring_bytes as usize }
    }

    /// The room's log in memory may lack what the store has: it is compared at the next tick.
    fn suspect(&self, room: &RoomId) {
        self.suspects.lock().insert(room.clone());
    }

    fn remember_profile(&self, user: UserId, profile: Option<Profile>) {
        if self.profiles.len() >= PROFILES {
            self.profiles.clear();
        }
        self.profiles.insert(user, Arc::new(profile));
    }

    /// Takes a connection in; `None` when its user has too many. Tells where its stream begins and whether its
    /// cursor was void.
    fn connect(
        &self,
        conn: &Arc<Conn>,
        state: UserState,
        since: Option<&Cursor>,
    ) -> Option<(Arc<UserCell>, Cursor, bool)> {
        loop {
            let cell = self
                .users
                .entry(conn.user.clone())
                .or_insert_with(|| {
                    self.nodes.listen(crate::cluster::Topic::User(conn.user.clone()));
                    Arc::new(UserCell::new(conn.user.clone(), state.clone()))
                })
                .clone();
            let mut live = cell.lock();
            if live.retired {
                drop(live);
                continue;
            }
            let replaced: Vec<_> = live.conns().filter(|old| old.session == conn.session).cloned().collect();
            for old in &replaced {
                old.mailbox.close(stoa_protocol::CloseCode::Replaced);
            }
            if live.count() - replaced.len() >= self.limits.connections_per_user as usize {
                return None;
            }
            match state.head.epoch == live.head.epoch {
                // What this node has not heard of yet is behind for those who are connected too.
                true => live.look(state.head.seq),
                false => live.head = state.head.clone(),
            }
            let head = live.head.clone();
            let valid = since.filter(|cursor| cursor.epoch == head.epoch && cursor.seq <= head.seq);
            let seq: Seq = valid.map_or(head.seq, |cursor| cursor.seq);
            live.come(conn.clone(), seq);
            drop(live);
            self.ring_taken(&conn.user, &conn.session);
            return Some((cell, Cursor { epoch: head.epoch, seq }, since.is_some() && valid.is_none()));
        }
    }
}

impl Tasks {
    /// Spawns everything. The lanes end when what waits is written after `stop_writing`, the rest at `shutdown`.
    pub fn spawn(
        self,
        hub: &Arc<Hub>,
        tracker: &TaskTracker,
        shutdown: &CancellationToken,
        stop_writing: &CancellationToken,
    ) {
        tracker.spawn(self.flush.run(shutdown.clone()));
        tracker.spawn(self.users.run(shutdown.clone()));
        tracker.spawn(self.save.run(hub.clone(), stop_writing.clone()));
        let (stop, documents) = (shutdown.clone(), hub.stop_documents.clone());
        tracker.spawn(async move {
            stop.cancelled().await;
            documents.cancel();
        });
        tracker.spawn(reach::run(hub.clone(), shutdown.clone()));
        tracker.spawn(timers::run(hub.clone(), shutdown.clone()));
        tracker.spawn(blobs::sweep(hub.clone(), shutdown.clone()));
        tracker.spawn(self.hear.run(hub.clone(), shutdown.clone()));
        tracker.spawn(nodes::keep_lease(hub.clone(), shutdown.clone()));
        tracker.spawn(nodes::look(hub.clone(), shutdown.clone()));
        for lane in self.lanes {
            tracker.spawn(lane.run(hub.clone(), stop_writing.clone()));
        }
    }
}

/// The gateway's handler over the hub.
pub struct HubHandler(pub Arc<Hub>);

impl Handler for HubHandler {
    fn accept(&self, peer: &Peer, mailbox: Arc<Mailbox>) -> Box<dyn Session> {
        Box::new(HubSession::new(self.0.clone(), peer, mailbox))
    }

    fn accept_document(&self, peer: &Peer, mailbox: Arc<Mailbox>, wanted: Wanted) -> Box<dyn Session> {
        let Wanted { room, document, ticket } = wanted;
        let key = DocumentKey { room, document };
        Box::new(documents::PlainSession::new(self.0.clone(), peer, mailbox, key, ticket))
    }
}

impl Hub {
    /// Connections that the process holds, for the drain.
    pub fn connections(&self) -> Vec<Arc<Conn>> {
        self.users.iter().flat_map(|cell| cell.lock().conns().cloned().collect::<Vec<_>>()).collect()
    }

    /// Tells every client to come again, each at its own time within the window: what they reconnect to is not
    /// stormed.
    pub fn say_goodbye(&self, window_ms: Millis) {
        let conns = self.connections();
        let count = conns.len() as u64;
        for (place, conn) in conns.iter().enumerate() {
            let reconnect_after_ms = window_ms * place as u64 / count.max(1);
            let frame = encode::control(&stoa_protocol::Control::Bye { reconnect_after_ms });
            if conn.mailbox.push_reply(frame).is_ok() {
                conn.mailbox.flush();
            }
        }
    }

    /// Completes when the writers have ended: everything that was accepted is answered. Gives up at the deadline.
    pub async fn written(&self, deadline: Millis) {
        tokio::select! {
            () = self.writer.ended() => {}
            () = self.clock.sleep_until(deadline) => tracing::warn!("the writers did not end in time"),
        }
    }

    /// Completes when what goes on beside has ended, after shutdown: documents keep their versions.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Brings gauges up to date before they are read.
    pub fn measure(&self) {
        self.metrics.rooms.set(self.rooms.len() as i64);
        self.metrics.users.set(self.users.len() as i64);
        self.metrics.calls.set(self.call_rooms.lock().len() as i64);
        self.metrics.users_elsewhere.set(self.users_elsewhere() as i64);
        self.metrics.writer_waiting.set(self.writer.waiting() as i64);
        let queued: usize = self.connections().iter().map(|conn| conn.mailbox.queued_bytes()).sum();
        self.metrics.queued_bytes.set(queued as i64);
    }
}

/// Whether a bug is planted that the tests must find. There is none without the feature.
#[cfg(not(feature = "planted-bugs"))]
const fn planted(_: &str) -> bool {
    false
}

#[cfg(feature = "planted-bugs")]
fn planted(bug: &str) -> bool {
    #[cfg(test)]
    if let Some(planted) = simulation::planted_bug() {
        return planted == bug;
    }
    std::env::var("STOA_PLANT").is_ok_and(|planted| planted == bug)
}
