//! Redis as the bus: channels, of which nothing is kept.
//!
//! The one invariant: nobody waits for Redis. What is said goes into bounded queues of a few publishing connections
//! (*lines*), by topic, so that order holds; one connection listens. Each has a task of its own that dials again when
//! it breaks. Once a second each line says something to this node's own channel, the canary: only while all of them
//! come back messages come through, and what stays silent for [`CANARY_MS`] is torn down and made anew. Whenever that
//! has happened the generation grows, for messages were missed in either direction.

mod dial;
mod dialer;
mod line;
mod listener;
mod topics;

pub use dial::{Trouble, trust};

use super::{
    BODY_BYTES, BootId, Bus, BusHealth, Heard, Topic,
    wire::{ClusterKey, Refused},
};
use crate::{
    clock::Clock,
    config::{Prefix, RedisUrl},
};
use bytes::Bytes;
use dialer::DIAL;
use parking_lot::{Mutex, RwLock};
use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};
use stoa_protocol::Millis;
use tokio::sync::{Notify, mpsc, watch};
use tokio_rustls::rustls::ClientConfig;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use topics::Topics;

/// Publishing connections: one is enough for Redis, the second is there when the first waits for a packet.
const LINES: usize = 2;
/// Messages that may wait for a line.
const QUEUE: usize = 4_096;
/// Bytes of them.
const QUEUE_BYTES: usize = 16 * 1024 * 1024;
/// Between two canaries, milliseconds.
const TICK_MS: Millis = 1_000;
/// How long canaries may stay away, milliseconds: three.
const CANARY_MS: Millis = 3_000;
/// Boot ids that this process had and whose messages may still come back to it.
const FORMER: usize = 16;

/// How to use a Redis.
pub struct Options {
    /// Where.
    pub address: RedisUrl,
    /// Trust, where the address asks for TLS.
    pub tls: Option<Arc<ClientConfig>>,
    /// What channels begin with.
    pub prefix: Prefix,
    /// Signs and checks messages.
    pub key: ClusterKey,
    /// Who speaks.
    pub boot: BootId,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

/// What the bus counted.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages that were given to Redis.
    pub published: AtomicU64,
    /// Messages that were not, because the queue was full, Redis was away, or they were too large.
    pub dropped: AtomicU64,
    /// Messages of other nodes.
    pub heard: AtomicU64,
    /// Messages that nobody with the key wrote.
    pub forged: AtomicU64,
    /// Messages in another version's format.
    pub unknown: AtomicU64,
    /// Connections that were made after the first ones.
    pub reconnects: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The bus over Redis.
pub struct Redis {
    shared: Arc<Shared>,
}

/// Something to say.
struct Saying {
    from: BootId,
    topic: Topic,
    body: Bytes,
}

/// What the handle and the tasks share.
struct Shared {
    options: Options,
    /// This process's own channel, for canaries.
    own: String,
    counters: Arc<Counters>,
    boots: RwLock<Boots>,
    lines: Vec<Line>,
    /// Locked for moments, never while anything is awaited.
    topics: Mutex<Topics>,
    /// Rung when there is something to say about topics.
    orders: Notify,
    state: Mutex<State>,
    generation: watch::Sender<u64>,
}

/// Under which names this process spoke.
struct Boots {
    now: BootId,
    former: VecDeque<BootId>,
}

/// What is known of a publishing connection without its task.
struct Line {
    queue: mpsc::Sender<Saying>,
    /// Bytes that wait.
    waiting: AtomicUsize,
    /// Whether what is said may get through.
    open: AtomicBool,
    /// Rung when a canary is to be sent before its time.
    nudge: Notify,
}

/// How the connections are.
#[derive(Debug)]
struct State {
    lines: Vec<Pulse>,
    /// When everything was subscribed on the connection that listens.
    listens_since: Option<Millis>,
    /// When the last canary came.
    heard_at: Option<Millis>,
    /// Whether messages came through at the last look.
    up: bool,
    /// Connections stood and were silent, and none was refused since.
    wedged: bool,
    /// What went wrong last.
    trouble: String,
}

/// How a publishing connection is.
#[derive(Debug, Clone, Default)]
struct Pulse {
    /// Counts connections, so that a canary of one before says nothing of this one.
    number: u64,
    /// Since when it stands.
    since: Option<Millis>,
    /// When its last canary came back.
    heard_at: Option<Millis>,
}

impl Redis {
    /// Starts the connections; they are dialed in the background, and what other nodes say goes into `heard`.
    pub fn start(
        options: Options,
        heard: mpsc::Sender<Heard>,
        tracker: &TaskTracker,
        shutdown: &CancellationToken,
    ) -> Arc<Self> {
        let (queues, receivers): (Vec<_>, Vec<_>) = (0..LINES).map(|_| mpsc::channel(QUEUE)).unzip();
        let line = |queue| Line { queue, waiting: 0.into(), open: false.into(), nudge: Notify::new() };
        let state = State {
            lines: vec![Pulse::default(); LINES],
            listens_since: None,
            heard_at: None,
            up: false,
            wedged: false,
            trouble: "not reached yet".into(),
        };
        let shared = Arc::new(Shared {
            own: format!("{}:c:{}", options.prefix, BootId::fresh()),
            counters: Arc::default(),
            boots: RwLock::new(Boots { now: options.boot, former: VecDeque::new() }),
            lines: queues.into_iter().map(line).collect(),
            topics: Mutex::default(),
            orders: Notify::new(),
            state: Mutex::new(state),
            generation: watch::Sender::new(0),
            options,
        });
        for (number, queue) in receivers.into_iter().enumerate() {
            tracker.spawn(line::run(shared.clone(), number, queue, shutdown.clone()));
        }
        tracker.spawn(listener::run(shared.clone(), heard, shutdown.clone()));
        Arc::new(Self { shared })
    }

    /// What it counts.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.shared.counters
    }

    /// Milliseconds since the last canary came back; `None` when none ever did.
    pub fn canary_age_ms(&self) -> Option<Millis> {
        let now = self.shared.options.clock.now();
        self.shared.state.lock().heard_at.map(|at| now.saturating_sub(at))
    }
}

impl Bus for Redis {
    fn publish(&self, topic: Topic, body: Bytes) {
        let shared = &self.shared;
        let line = &shared.lines[line_of(&topic)];
        let size = body.len();
        let fits = size <= BODY_BYTES && line.open.load(Ordering::Acquire);
        if !fits || line.waiting.fetch_add(size, Ordering::AcqRel) + size > QUEUE_BYTES {
            if fits {
                line.waiting.fetch_sub(size, Ordering::AcqRel);
            }
            return count(&shared.counters.dropped);
        }
        let saying = Saying { from: shared.boots.read().now, topic, body };
        if line.queue.try_send(saying).is_err() {
            line.waiting.fetch_sub(size, Ordering::AcqRel);
            count(&shared.counters.dropped);
        }
    }

    fn subscribe(&self, topic: Topic) {
        if self.shared.topics.lock().subscribe(topic) {
            self.shared.orders.notify_one();
        }
    }

    fn unsubscribe(&self, topic: Topic) {
        self.shared.topics.lock().unsubscribe(topic, self.shared.options.clock.now());
    }

    fn speak_as(&self, boot: BootId) {
        let mut boots = self.shared.boots.write();
        let former = std::mem::replace(&mut boots.now, boot);
        boots.former.push_back(former);
        if boots.former.len() > FORMER {
            boots.former.pop_front();
        }
    }

    fn health(&self) -> BusHealth {
        self.shared.judge();
        let state = self.shared.state.lock();
        // Without the address: everybody may ask for it.
        let says = if state.up { "Redis".into() } else { format!("Redis: {}", state.trouble) };
        BusHealth { up: state.up, wedged: !state.up && state.wedged, says }
    }

    fn generation(&self) -> watch::Receiver<u64> {
        self.shared.generation.subscribe()
    }
}

fn line_of(topic: &Topic) -> usize {
    let mut hasher = DefaultHasher::new();
    topic.hash(&mut hasher);
    (hasher.finish() % LINES as u64) as usize
}

impl Shared {
    fn now(&self) -> Millis {
        self.options.clock.now()
    }

    fn channel(&self, topic: &Topic) -> String {
        let prefix = &self.options.prefix;
        match topic {
            Topic::Room(room) => format!("{prefix}:r:{room}"),
            Topic::User(user) => format!("{prefix}:u:{user}"),
            Topic::Nodes => format!("{prefix}:n"),
        }
    }

    /// The topic of a channel; `None` is none of ours.
    fn topic(&self, channel: &str) -> Option<Topic> {
        let rest = channel.strip_prefix(self.options.prefix.as_str())?.strip_prefix(':')?;
        match rest.split_once(':') {
            Some(("r", room)) => room.parse().ok().map(Topic::Room),
            Some(("u", user)) => user.parse().ok().map(Topic::User),
            Some(_) => None,
            None => (rest == "n").then_some(Topic::Nodes),
        }
    }

    /// Opens a message. Those of no use are counted here.
    fn open(&self, channel: &str, message: &Bytes) -> Option<(BootId, Bytes)> {
        match self.options.key.open(channel, message) {
            Ok(opened) => Some(opened),
            Err(Refused::Version) => {
                count(&self.counters.unknown);
                None
            }
            Err(Refused::Forged) => {
                count(&self.counters.forged);
                None
            }
        }
    }

    fn is_own(&self, boot: &BootId) -> bool {
        let boots = self.boots.read();
        boots.now == *boot || boots.former.contains(boot)
    }

    /// A line stands on a new connection; tells its number.
    fn line_stands(&self, line: usize) -> u64 {
        let now = self.now();
        let mut state = self.state.lock();
        let pulse = &mut state.lines[line];
        *pulse = Pulse { number: pulse.number + 1, since: Some(now), heard_at: None };
        pulse.number
    }

    /// What is said may get through a line, if it still stands.
    fn line_opens(&self, line: usize) {
        let state = self.state.lock();
        self.lines[line].open.store(state.lines[line].since.is_some(), Ordering::Release);
    }

    fn line_fell(&self, line: usize) {
        let mut state = self.state.lock();
        self.lines[line].open.store(false, Ordering::Release);
        state.lines[line].since = None;
        state.lines[line].heard_at = None;
    }

    /// Everything is subscribed on a new connection: canaries of before say nothing of it.
    fn listens(&self) {
        let now = self.now();
        let mut state = self.state.lock();
        state.listens_since = Some(now);
        state.lines.iter_mut().for_each(|pulse| pulse.heard_at = None);
        drop(state);
        self.lines.iter().for_each(|line| line.nudge.notify_one());
    }

    fn listens_no_more(&self) {
        self.state.lock().listens_since = None;
    }

    /// A canary came back.
    fn canary(&self, line: usize, number: u64) {
        let now = self.now();
        let mut state = self.state.lock();
        let Some(pulse) = state.lines.get_mut(line).filter(|pulse| pulse.number == number) else { return };
        pulse.heard_at = Some(now);
        state.heard_at = Some(now);
        drop(state);
        // It may come before the answer to it is read: whoever sees the bus up may use it.
        self.line_opens(line);
        self.judge();
    }

    /// Whether messages come through. Whoever asks first when that has changed says so.
    fn judge(&self) {
        let now = self.now();
        let mut state = self.state.lock();
        let comes = |pulse: &Pulse| pulse.heard_at.is_some_and(|at| now.saturating_sub(at) <= CANARY_MS);
        let up = state.listens_since.is_some() && state.lines.iter().all(comes);
        let was = std::mem::replace(&mut state.up, up);
        state.wedged &= !up;
        if was && !up && state.listens_since.is_some() && state.lines.iter().all(|pulse| pulse.since.is_some()) {
            state.trouble = "messages do not come back".into();
        }
        let trouble = if up { String::new() } else { state.trouble.clone() };
        drop(state);
        match (was, up) {
            (false, true) => {
                tracing::info!(redis = %self.options.address, "the bus is up");
                self.missed();
            }
            (true, false) => tracing::warn!(redis = %self.options.address, trouble, "the bus is down"),
            (true, true) | (false, false) => {}
        }
    }

    /// Messages may have been missed.
    fn missed(&self) {
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// Whether no canary of a line has come back for too long, on connections that stand.
    fn line_is_silent(&self, line: usize) -> bool {
        let now = self.now();
        let state = self.state.lock();
        let pulse = &state.lines[line];
        let Some(began) = state.listens_since.zip(pulse.since).map(|(listens, since)| listens.max(since)) else {
            return false;
        };
        now.saturating_sub(pulse.heard_at.unwrap_or(began).max(began)) > CANARY_MS
    }

    /// Whether nothing has come through any line for too long, although one stands.
    fn listener_is_deaf(&self) -> bool {
        let now = self.now();
        let state = self.state.lock();
        let stands = state.lines.iter().filter_map(|pulse| pulse.since).min();
        let Some(began) = state.listens_since.zip(stands).map(|(listens, since)| listens.max(since)) else {
            return false;
        };
        let last = state.lines.iter().filter_map(|pulse| pulse.heard_at).max().unwrap_or(began);
        now.saturating_sub(last.max(began)) > CANARY_MS
    }

    /// A connection ended, or none could be made.
    fn trouble(&self, what: &'static str, trouble: &Trouble) {
        let silent = matches!(trouble, Trouble::Silent) && what != DIAL;
        let mut state = self.state.lock();
        // Whoever cannot connect is cut off, which is not this node's fault.
        state.wedged = silent || (state.wedged && what != DIAL);
        state.trouble = trouble.to_string();
        drop(state);
        tracing::debug!(redis = %self.options.address, what, %trouble, "a connection to Redis ended");
        self.judge();
    }
}

#[cfg(test)]
mod tests;
