//! Many connections on few threads: starts the workers, gives them orders, reads their counts and collects what they
//! found. What a worker does is in `worker/`.

use crate::{
    histogram::Histogram,
    journal::Journal,
    plan::{Names, Schedule, Shape},
    process,
    target::Target,
    worker::Worker,
};
use anyhow::{Context as _, bail};
use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// How often waiting looks at the counts.
const LOOK: Duration = Duration::from_millis(20);
/// Reasons of failure that are kept for the report; the first ones tell the most.
const NOTES: usize = 12;

/// How the connections behave.
#[derive(Debug, Clone)]
pub struct Options {
    /// Threads; each takes its share of the connections.
    pub threads: usize,
    /// Source addresses on 127.0.0.0/8 that the connections are spread over, to have more ports than one gives.
    pub sources: u32,
    /// Connections that may be on their way to being joined at a time.
    pub handshakes: usize,
    /// New connections per second, at most.
    pub connect_rate: f64,
    /// How many connections read slowly, the last of the first rooms' members.
    pub slow: usize,
    /// Bytes per second that a slow reader reads.
    pub slow_bytes: u64,
    /// Longest random wait before a reconnect in a storm, milliseconds.
    pub jitter_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: 1,
            sources: 200,
            handshakes: 256,
            connect_rate: f64::INFINITY,
            slow: 0,
            slow_bytes: 2_000,
            jitter_ms: 0,
        }
    }
}

/// What all workers see.
pub(crate) struct Shared {
    pub origin: Instant,
    pub target: Target,
    pub shape: Shape,
    pub names: Names,
    pub rooms: Vec<String>,
    pub options: Options,
    /// The measured window, microseconds since `origin`; beyond all time while there is none.
    pub from_us: AtomicU64,
    pub to_us: AtomicU64,
    /// Reasons of failure. Held for a push.
    notes: Mutex<Vec<String>>,
}

impl Shared {
    pub fn now_us(&self) -> u64 {
        self.origin.elapsed().as_micros() as u64
    }

    pub fn is_measured(&self, at_us: u64) -> bool {
        (self.from_us.load(Ordering::Relaxed)..self.to_us.load(Ordering::Relaxed)).contains(&at_us)
    }

    pub fn note(&self, reason: String) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < NOTES && !notes.contains(&reason) {
            notes.push(reason);
        }
    }
}

/// What the workers are told.
#[derive(Debug, Clone)]
pub(crate) enum Order {
    /// Connect and join these.
    Connect(Range<usize>),
    /// Send by this plan.
    Begin(Plan),
    /// Send nothing new.
    Hush,
    /// Cut connections and bring them back.
    Cut(Cut),
    /// End and tell.
    Finish,
}

/// A storm: connections that are gone at once, and come back.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// The share of the joined connections, 0 to 1.
    pub share: f64,
    /// Whether those who send stay.
    pub spare_senders: bool,
    /// How long they are away.
    pub away: Duration,
}

/// How messages are sent.
#[derive(Debug, Clone, Copy)]
pub enum Plan {
    /// By the clock, whatever the server does: what cannot be sent in time counts as late.
    Open(Schedule),
    /// Each sender keeps so many messages unacknowledged.
    Closed(usize),
}

macro_rules! counts {
    ($( $(#[$doc:meta])* $field:ident ),* $(,)?) => {
        /// What happened so far.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Counts { $( $(#[$doc])* pub $field: u64, )* }

        impl Counts {
            /// Adds another worker's.
            pub fn add(&mut self, other: &Self) {
                $( self.$field += other.$field; )*
            }
        }
    };
}

counts! {
    /// Connections that are joined now.
    joined,
    /// Attempts to join that failed.
    failed,
    /// Connections that must not come back.
    dead,
    /// Joined connections that were lost, by whoever.
    lost,
    /// Those of them that the generator cut.
    cut,
    /// Joined connections that came back.
    rejoined,
    /// Connections of a storm that have everything again.
    caught_up,
    /// Messages that were due.
    due,
    /// Messages due that found their sender's queue full, and were never sent.
    unsent,
    /// Messages that wait for their acknowledgement.
    pending,
    /// Messages acknowledged.
    acked,
    /// The same, inside the measured window.
    acked_in_window,
    /// Messages refused.
    refused,
    /// Messages that reached a reader.
    delivered,
    /// The same, inside the measured window.
    delivered_in_window,
    /// Cursors that the server declared void.
    resets,
    /// Events of rooms that the reader is not in.
    strays,
    /// Frames received.
    frames,
    /// Bytes received.
    bytes,
    /// Bytes received by connections until they were joined.
    joining_bytes,
}

/// What a run found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Totals.
    pub counts: Counts,
    /// From due to delivered, microseconds: readers that were there and read as fast as they could.
    pub delivery: Histogram,
    /// The same for slow readers.
    pub slow_delivery: Histogram,
    /// The same for what was due while its reader was away.
    pub missed_delivery: Histogram,
    /// From due to acknowledged.
    pub ack: Histogram,
    /// From due to sent: the generator's own delay, and the sender's queue.
    pub lateness: Histogram,
    /// From when a connection wanted to be back to when it was caught up.
    pub catch_up: Histogram,
    /// Refusals by code.
    pub refusals: BTreeMap<String, u64>,
    /// Ends of connections by close code.
    pub closes: BTreeMap<String, u64>,
    /// What arrived and what was promised.
    pub journal: Journal,
    /// The largest share of a processor that a worker used inside the window.
    pub busiest: f64,
    /// Reasons of failure.
    pub notes: Vec<String>,
}

impl Outcome {
    fn merge(&mut self, other: Self) {
        self.counts.add(&other.counts);
        self.delivery.merge(&other.delivery);
        self.slow_delivery.merge(&other.slow_delivery);
        self.missed_delivery.merge(&other.missed_delivery);
        self.ack.merge(&other.ack);
        self.lateness.merge(&other.lateness);
        self.catch_up.merge(&other.catch_up);
        for (mine, theirs) in [(&mut self.refusals, other.refusals), (&mut self.closes, other.closes)] {
            for (code, count) in theirs {
                *mine.entry(code).or_default() += count;
            }
        }
        self.journal.merge(other.journal);
        self.busiest = self.busiest.max(other.busiest);
    }
}

struct Crew {
    thread: JoinHandle<anyhow::Result<Outcome>>,
    orders: mpsc::Sender<Order>,
    waker: mio::Waker,
    /// The worker's counts, as of its last turn. Held for a copy.
    counts: Arc<Mutex<Counts>>,
}

/// A running set of connections.
pub struct Engine {
    shared: Arc<Shared>,
    crew: Vec<Crew>,
}

impl Engine {
    /// Starts the workers; nothing is connected yet.
    ///
    /// # Errors
    /// The open-files limit, the generator's or the server's, does not allow so many connections.
    pub fn start(target: &Target, shape: Shape, names: &Names, options: &Options) -> anyhow::Result<Self> {
        process::allow_connections(shape.connections())?;
        target.check_open_files(shape.connections())?;
        let shared = Arc::new(Shared {
            origin: Instant::now(),
            target: target.clone(),
            shape,
            rooms: (0..shape.rooms).map(|room| names.room(room)).collect(),
            names: names.clone(),
            options: options.clone(),
            from_us: AtomicU64::new(u64::MAX),
            to_us: AtomicU64::new(u64::MAX),
            notes: Mutex::default(),
        });
        let crew = (0..options.threads.max(1)).map(|index| Self::hire(&shared, index)).collect::<Result<_, _>>()?;
        Ok(Self { shared, crew })
    }

    fn hire(shared: &Arc<Shared>, index: usize) -> anyhow::Result<Crew> {
        let (orders, inbox) = mpsc::channel();
        let counts = Arc::<Mutex<Counts>>::default();
        let (worker, waker) = Worker::new(shared.clone(), index, inbox, counts.clone())?;
        let thread = std::thread::Builder::new().name(format!("worker-{index}")).spawn(move || worker.run())?;
        Ok(Crew { thread, orders, waker, counts })
    }

    fn order(&self, order: &Order) {
        for crew in &self.crew {
            // A worker that is gone tells why when it is collected.
            let _ = crew.orders.send(order.clone());
            let _ = crew.waker.wake();
        }
    }

    /// Microseconds since the engine started.
    pub fn now_us(&self) -> u64 {
        self.shared.now_us()
    }

    /// Connects these and joins them to their rooms.
    pub fn connect(&self, connections: Range<usize>) {
        self.order(&Order::Connect(connections));
    }

    /// Begins to send.
    pub fn begin(&self, plan: Plan) {
        self.order(&Order::Begin(plan));
    }

    /// Sends nothing new; what was sent and lost is still sent again.
    pub fn hush(&self) {
        self.order(&Order::Hush);
    }

    /// Cuts connections, who come back.
    pub fn cut(&self, cut: Cut) {
        self.order(&Order::Cut(cut));
    }

    /// Measures what falls between two times, microseconds since the engine started.
    pub fn measure(&self, window: Range<u64>) {
        self.shared.to_us.store(window.end, Ordering::Relaxed);
        self.shared.from_us.store(window.start, Ordering::Relaxed);
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        let mut all = Counts::default();
        for crew in &self.crew {
            all.add(&crew.counts.lock().unwrap_or_else(PoisonError::into_inner));
        }
        all
    }

    /// Waits until the counts are as wanted, and tells progress; whether they were before the time was up.
    ///
    /// # Errors
    /// A worker has failed.
    pub fn wait(
        &self,
        most: Duration,
        mut progress: impl FnMut(&Counts),
        mut done: impl FnMut(&Counts) -> bool,
    ) -> anyhow::Result<bool> {
        let begun = Instant::now();
        loop {
            let counts = self.counts();
            progress(&counts);
            if done(&counts) {
                return Ok(true);
            }
            if begun.elapsed() >= most {
                return Ok(false);
            }
            if self.crew.iter().any(|crew| crew.thread.is_finished()) {
                bail!("a worker has failed; {}", self.notes().join("; "));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Reasons of failure so far.
    pub fn notes(&self) -> Vec<String> {
        self.shared.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends everything and tells what was found.
    ///
    /// # Errors
    /// A worker has failed.
    pub fn finish(self) -> anyhow::Result<Outcome> {
        self.order(&Order::Finish);
        let mut outcome = Outcome { notes: self.notes(), ..Outcome::default() };
        for crew in self.crew {
            let found = crew.thread.join().map_err(|_| anyhow::anyhow!("a worker panicked"))?;
            outcome.merge(found.context("a worker has failed")?);
        }
        Ok(outcome)
    }
}
