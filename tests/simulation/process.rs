//! One life of a node's process: whether it runs, its clock, its distance to the store, the faults that wait for it.
//!
//! Everything that a node does passes by here: it reads its clock, asks the store, rings the bus, hears a client. So a
//! process that is frozen or dead stops at the next of these, wherever between two of them it was.

use super::{Dice, store::Held, trace::Trace};
use crate::clock::{Clock, Sleep};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};
use stoa_protocol::Millis;
use tokio::{
    sync::Notify,
    time::{Instant, sleep},
};

/// When virtual time begins.
pub const START: Millis = 1_700_000_000_000;

/// How long the database keeps the transaction of a client that is silent (`idle_in_transaction_session_timeout`).
const SILENT: Duration = Duration::from_secs(1);

/// Whether a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It does.
    Running,
    /// Not now: it was stopped, or its machine swaps.
    Frozen,
    /// It was killed.
    Dead,
}

/// What a process does next, where a fault may meet it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Point {
    /// Begins a transaction.
    Begin,
    /// Looks whether its lease holds.
    Fence,
    /// Waits for the rows of rooms.
    Lock,
    /// Writes drafted events.
    Append,
    /// Commits.
    Commit,
    /// Reads a log.
    Events,
    /// Reads a room or what belongs to it.
    Read,
    /// Renews its lease.
    Renew,
    /// Asks what moved.
    Look,
    /// Rings the bus.
    Publish,
}

/// What happens there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Harm {
    /// The store does not do it, and says that it is not available.
    Refused,
    /// The store does it, and the answer is lost.
    AnswerLost,
    /// It takes so long, milliseconds.
    Slow(u64),
    /// The process dies before.
    DiesBefore,
    /// The process dies behind it, before it hears the answer.
    DiesAfter,
}

/// A process.
pub struct Process {
    /// Which node it is a life of.
    pub node: usize,
    life: Mutex<Life>,
    /// Wakes whoever waits at the gate, in the order in which they came: a `watch` does not keep one.
    moved: Notify,
    /// The clock's distance from the true time, milliseconds.
    skew: AtomicI64,
    /// The clock never goes back.
    told: AtomicU64,
    epoch: Instant,
    dice: Mutex<Dice>,
    armed: Mutex<Vec<(Point, Harm)>>,
    /// Until when the store is away from this node.
    away_until: Mutex<Option<Instant>>,
    /// Its open transactions.
    open: Mutex<Vec<Weak<Held>>>,
    /// What is done at once when it dies.
    at_death: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
    trace: Arc<Trace>,
}

impl Process {
    /// Starts.
    pub fn new(node: usize, skew: i64, epoch: Instant, dice: Dice, trace: Arc<Trace>) -> Arc<Self> {
        Arc::new(Self {
            node,
            life: Mutex::new(Life::Running),
            moved: Notify::new(),
            skew: AtomicI64::new(skew),
            told: AtomicU64::new(0),
            epoch,
            dice: Mutex::new(dice),
            armed: Mutex::default(),
            away_until: Mutex::default(),
            open: Mutex::default(),
            at_death: Mutex::default(),
            trace,
        })
    }

    /// Whether it runs.
    pub fn life(&self) -> Life {
        *self.life.lock()
    }

    /// Whether it was killed.
    pub fn is_dead(&self) -> bool {
        self.life() == Life::Dead
    }

    /// Goes on when the process runs; never when it is dead.
    pub async fn gate(&self) {
        while self.life() != Life::Running {
            self.moved.notified().await;
        }
    }

    /// Stops it, until [`Process::thaw`]. The database waits for what it began, and not for long.
    pub fn freeze(self: &Arc<Self>) {
        self.turn(Life::Running, Life::Frozen);
        self.end_transactions_later();
    }

    /// It has begun a transaction.
    pub fn begun(&self, held: &Arc<Held>) {
        let mut open = self.open.lock();
        open.retain(|held| held.strong_count() > 0);
        open.push(Arc::downgrade(held));
    }

    fn end_transactions(open: &[Weak<Held>]) {
        open.iter().filter_map(Weak::upgrade).for_each(|held| held.end());
    }

    fn end_transactions_later(&self) {
        let open = self.open.lock().clone();
        tokio::spawn(async move {
            sleep(SILENT).await;
            Self::end_transactions(&open);
        });
    }

    /// Goes on. `stood` is for how long its clock stood still, milliseconds.
    pub fn thaw(&self, stood: u64) {
        self.step_clock(-i64::try_from(stood).expect("a freeze is short"));
        self.turn(Life::Frozen, Life::Running);
    }

    fn turn(&self, from: Life, to: Life) {
        let mut life = self.life.lock();
        if *life == from {
            *life = to;
            self.moved.notify_waiters();
        }
    }

    /// Moves its clock against the true time. A clock that was set back stands until it is reached.
    pub fn step_clock(&self, by: i64) {
        self.skew.fetch_add(by, Ordering::Relaxed);
    }

    /// Kills it.
    pub fn die(&self) {
        if std::mem::replace(&mut *self.life.lock(), Life::Dead) == Life::Dead {
            return;
        }
        self.trace.say(|| format!("node {} dies", self.node));
        // A killed process' connections are closed by its machine, a lost machine's by nobody.
        match self.chance(2) {
            0 => Self::end_transactions(&self.open.lock()),
            _ => self.end_transactions_later(),
        }
        let last = std::mem::take(&mut *self.at_death.lock());
        last.into_iter().for_each(|act| act());
    }

    /// Does something at the moment of its death.
    pub fn at_death(&self, act: impl FnOnce() + Send + 'static) {
        self.at_death.lock().push(Box::new(act));
    }

    /// The next time that it comes to this point, this happens.
    pub fn arm(&self, point: Point, harm: Harm) {
        self.armed.lock().push((point, harm));
    }

    /// No fault waits any more.
    pub fn disarm(&self) {
        self.armed.lock().clear();
        *self.away_until.lock() = None;
    }

    /// The store cannot be reached from here for so long, milliseconds.
    pub fn lose_store(&self, for_ms: u64) {
        *self.away_until.lock() = Some(Instant::now() + Duration::from_millis(for_ms));
    }

    /// Takes the harm that waits at a point.
    pub fn harm(&self, point: Point) -> Option<Harm> {
        if point != Point::Publish && self.away_until.lock().is_some_and(|until| until > Instant::now()) {
            return Some(Harm::Refused);
        }
        let mut armed = self.armed.lock();
        let at = armed.iter().position(|(waits, _)| *waits == point)?;
        let (_, harm) = armed.remove(at);
        self.trace.say(|| format!("node {}: {harm:?} at {point:?}", self.node));
        Some(harm)
    }

    /// A number below `end`.
    pub fn chance(&self, end: u64) -> u64 {
        self.dice.lock().below(end)
    }

    /// One way to the store.
    pub async fn travel(&self) {
        let wait = match self.chance(8) {
            0..=4 => return,
            5 | 6 => 1,
            _ => self.chance(4),
        };
        if wait > 0 {
            sleep(Duration::from_millis(wait)).await;
        }
    }
}

/// The clock of a process.
pub struct ProcessClock(pub Arc<Process>);

impl Clock for ProcessClock {
    fn now(&self) -> Millis {
        let true_now = START + self.0.epoch.elapsed().as_millis() as Millis;
        let now = true_now.saturating_add_signed(self.0.skew.load(Ordering::Relaxed));
        self.0.told.fetch_max(now, Ordering::Relaxed).max(now)
    }

    fn sleep_until(&self, deadline: Millis) -> Sleep<'_> {
        Box::pin(async move {
            loop {
                let now = self.now();
                if now >= deadline {
                    break;
                }
                sleep(Duration::from_millis(deadline - now)).await;
            }
            self.0.gate().await;
        })
    }
}
