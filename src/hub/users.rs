//! Users who are connected: their devices, their own streams, their presence.

use super::{conn::Conn, encode};
use crate::{
    gateway::Frame,
    storage::{Head, SharedStore, StoreError, UserState},
};
use parking_lot::Mutex;
use std::{collections::BTreeSet, sync::Arc};
use stoa_protocol::{Millis, Presence, PresenceState, RoomId, Seq, SessionId, UserEvent, UserId};
use stoa_rooms::{Bucket, Devices};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Sessions of a user whose signals are counted; the one that came first is forgotten first.
const PACED_SESSIONS: usize = 64;

/// A user with a connection, or within the grace after the last.
pub struct UserCell {
    /// Who.
    pub id: UserId,
    live: Mutex<UserLive>,
}

/// The state under the lock; short work on memory only.
pub struct UserLive {
    streams: Vec<Stream>,
    /// Presence over all devices.
    pub devices: Devices,
    /// The end of the user's own log, as far as this node knows.
    pub head: Head,
    /// Their own words, and when they were set.
    pub status: String,
    /// When the words were set.
    pub status_at: Millis,
    /// When they were last there.
    pub last_seen: Option<Millis>,
    /// What the user may still send, over all connections.
    pub pace: Bucket,
    /// Of each session's descriptions, candidates and changes of retained state. They outlive its connections, or
    /// coming again would be a way around them.
    signal_paces: Vec<(SessionId, [Bucket; 3])>,
    /// Rooms whose row in the list is to be told to connections that want it.
    pub list_dirty: BTreeSet<RoomId>,
    /// The cell was taken out of the registry.
    pub retired: bool,
}

/// One connection's place in the user's own log.
struct Stream {
    conn: Arc<Conn>,
    /// `None` when everything up to the head was pushed.
    behind: Option<Seq>,
}

impl UserCell {
    /// A user of whom the store says this.
    pub fn new(id: UserId, state: UserState) -> Self {
        let live = UserLive {
            streams: Vec::new(),
            devices: Devices::default(),
            head: state.head,
            status: state.status,
            status_at: 0,
            last_seen: state.last_seen,
            pace: Bucket::new(),
            signal_paces: vec![],
            list_dirty: BTreeSet::new(),
            retired: false,
        };
        Self { id, live: Mutex::new(live) }
    }

    /// The state.
    pub fn lock(&self) -> parking_lot::MutexGuard<'_, UserLive> {
        self.live.lock()
    }
}

impl UserLive {
    /// A connection comes; its stream begins behind `cursor` and is caught up by its task.
    pub fn come(&mut self, conn: Arc<Conn>, cursor: Seq) {
        self.devices.come(conn.id, PresenceState::Online);
        self.streams.push(Stream { conn, behind: Some(cursor) });
    }

    /// The bucket of a session's signals of one kind.
    pub fn signal_pace(&mut self, session: &SessionId, kind: usize) -> &mut Bucket {
        let at = self.signal_paces.iter().position(|(known, _)| known == session).unwrap_or_else(|| {
            if self.signal_paces.len() >= PACED_SESSIONS {
                self.signal_paces.remove(0);
            }
            self.signal_paces.push((session.clone(), [Bucket::new(); 3]));
            self.signal_paces.len() - 1
        });
        &mut self.signal_paces[at].1[kind]
    }

    /// A connection goes.
    pub fn go(&mut self, conn: u64, now: Millis) {
        self.streams.retain(|stream| stream.conn.id != conn);
        self.devices.go(conn, now);
        if self.streams.is_empty() {
            self.streams = Vec::new();
            self.last_seen = Some(now);
        }
    }

    /// The connections.
    pub fn conns(&self) -> impl Iterator<Item = &Arc<Conn>> {
        self.streams.iter().map(|stream| &stream.conn)
    }

    /// How many connections there are.
    pub fn count(&self) -> usize {
        self.streams.len()
    }

    /// Pushes a committed event of the user's own log. A gap leaves every stream behind: its task reads the store.
    pub fn deliver(&mut self, event: &UserEvent) {
        if event.user_seq <= self.head.seq {
            return;
        }
        let is_next = event.user_seq == self.head.seq.next();
        let before = self.head.seq;
        self.head.seq = event.user_seq;
        let frame = encode::user_event(event);
        for stream in &mut self.streams {
            let pushed = is_next && stream.behind.is_none() && stream.conn.mailbox.push(frame.clone()).is_ok();
            if !pushed {
                stream.behind.get_or_insert(before);
                stream.conn.mark_behind();
                stream.conn.mailbox.wake();
            }
        }
    }

    /// The store has the log up to here: what is lacking is read by each connection's task.
    pub fn look(&mut self, head: Seq) {
        if head <= self.head.seq {
            return;
        }
        let before = std::mem::replace(&mut self.head.seq, head);
        for stream in &mut self.streams {
            stream.behind.get_or_insert(before);
            stream.conn.mark_behind();
            stream.conn.mailbox.wake();
        }
    }

    /// Where a stream goes on; `None` when it is live or gone.
    pub fn behind(&self, conn: u64) -> Option<Seq> {
        self.streams.iter().find(|s| s.conn.id == conn).and_then(|s| s.behind)
    }

    /// Pushes what the store had above `from`; tells where the stream is now, `None` when it is live or must wait.
    pub fn push_stored(&mut self, conn: u64, from: Seq, events: &[UserEvent]) -> Option<Seq> {
        let head = self.head.seq;
        let stream = self.streams.iter_mut().find(|s| s.conn.id == conn)?;
        if stream.behind != Some(from) {
            return stream.behind;
        }
        let mut cursor = from;
        for event in events {
            if event.user_seq > head && !super::planted("stream-beyond-head") {
                // The store has more than was delivered here: it is told when it is. Up to the head nothing else is left.
                cursor = head;
                break;
            }
            if stream.conn.mailbox.push(encode::user_event(event)).is_err() {
                stream.behind = Some(cursor);
                stream.conn.mark_behind();
                return None;
            }
            cursor = event.user_seq;
        }
        stream.behind = (cursor < head).then_some(cursor);
        stream.behind
    }

    /// A stream goes on at the head, whatever was missed.
    pub fn skip_to_head(&mut self, conn: u64) {
        if let Some(stream) = self.streams.iter_mut().find(|s| s.conn.id == conn) {
            stream.behind = None;
        }
    }

    /// Pushes a passing frame to every connection but one, and flushes it.
    pub fn push_passing(&self, frame: &Frame, except: Option<u64>) {
        for stream in self.streams.iter().filter(|s| Some(s.conn.id) != except) {
            // A passing frame that does not fit is dropped.
            if stream.conn.mailbox.push(frame.clone()).is_ok() {
                stream.conn.mailbox.flush();
            }
        }
    }

    /// What others are told.
    pub fn presence(&self, user: &UserId) -> Presence {
        let state = self.devices.state();
        let last_seen = self.last_seen.filter(|_| state == PresenceState::Offline);
        Presence { user: user.clone(), state, text: self.status.clone(), last_seen }
    }
}

/// Most users in one read.
const BATCH: usize = 100;
/// Most reads that wait: a storm of reconnecting clients beyond it is told to come later.
const WAITING: usize = 20_000;

type Ask = (UserId, oneshot::Sender<Option<UserState>>);

/// Reads what the store knows of users, many users by one query.
#[derive(Clone)]
pub struct UserReads {
    asks: mpsc::Sender<Ask>,
}

impl UserReads {
    /// The reader, and its task.
    pub fn new(store: SharedStore) -> (Self, UserReadTask) {
        let (asks, queue) = mpsc::channel(WAITING);
        (Self { asks }, UserReadTask { store, queue })
    }

    /// What is known of a user.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the store did not answer or too many wait.
    pub async fn user(&self, user: &UserId) -> Result<UserState, StoreError> {
        let (reply, answer) = oneshot::channel();
        let full = || StoreError::Unavailable("too many reads of users wait".into());
        self.asks.try_send((user.clone(), reply)).map_err(|_| full())?;
        answer.await.ok().flatten().ok_or_else(|| StoreError::Unavailable("the read of users failed".into()))
    }
}

/// The task of [`UserReads`].
pub struct UserReadTask {
    store: SharedStore,
    queue: mpsc::Receiver<Ask>,
}

impl UserReadTask {
    /// Runs until shutdown.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut asks: Vec<Ask> = Vec::new();
        loop {
            let got = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                got = self.queue.recv_many(&mut asks, BATCH) => got,
            };
            if got == 0 {
                return;
            }
            let users: Vec<_> = asks.iter().map(|(user, _)| user.clone()).collect();
            let mut states = match self.store.users(&users).await {
                Ok(states) => states.into_iter().map(Some).collect(),
                Err(error) => {
                    tracing::warn!(%error, "users could not be read");
                    vec![None; users.len()]
                }
            };
            for ((_, reply), state) in asks.drain(..).zip(states.drain(..)) {
                // Whoever asked may have gone.
                let _ = reply.send(state);
            }
        }
    }
}
