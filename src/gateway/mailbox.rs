//! What waits to be written to one connection, and who writes it.
//!
//! Frames are pushed under a room's lock, so a push is a short mutex and never a system call. Whoever pushed then
//! calls [`Mailbox::flush`], which writes all that waits straight to the socket without waking a task. The one
//! invariant: between `Queue::take` and `Queue::put_back` exactly one writer holds the frames, marked by
//! `writing` under the queue's lock, so frames leave whole and in the order in which they were pushed.

mod queue;
mod sink;

pub use sink::{Due, TestSink};

use super::Frame;
use parking_lot::Mutex;
use queue::{Batch, Queue};
pub(super) use queue::{Duties, End};
use sink::{Collected, Sink};
use std::{
    hash::{BuildHasher, Hash, RandomState},
    io,
    sync::{Arc, OnceLock},
    task::{Poll, Waker},
};
use stoa_protocol::CloseCode;
use tokio::net::tcp::OwnedWriteHalf;

/// Most rounds of one flush: a mailbox that is filled as fast as it is emptied is left to its own task, so that a
/// room's flush pass is not held by one member. Each round writes up to [`queue::BATCH`] frames.
const FLUSH_ROUNDS: usize = 8;

/// The mailbox holds as much as it may. The frame was not taken; [`super::Session::woken`] follows when there is
/// room again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the mailbox is full")]
pub struct Full;

/// Names a latest-wins frame: of those under one key only the newest is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotKey(u64);

impl SlotKey {
    /// The key of whatever tells two values apart, say a kind and a room. Two things fall together with a
    /// probability of 2^-64: the hash is keyed at random, so nobody can look for such a pair.
    pub fn of(what: &impl Hash) -> Self {
        static KEYED: OnceLock<RandomState> = OnceLock::new();
        Self(KEYED.get_or_init(RandomState::new).hash_one(what))
    }
}

/// How much a mailbox holds, bytes on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// For everything that [`Mailbox::push`] takes.
    pub queue_bytes: u32,
    /// On top of that for replies: a connection whose events do not fit any more still learns that they do not.
    pub reserve_bytes: u32,
}

impl Default for Bounds {
    /// 256 KiB is some 500 chat messages, more than a healthy reader ever has waiting; replies get half as much
    /// again.
    fn default() -> Self {
        Self { queue_bytes: 256 * 1024, reserve_bytes: 128 * 1024 }
    }
}

/// One connection's outgoing frames.
pub struct Mailbox {
    /// Owned by whoever pushes or writes, for some memory moves; never across a system call.
    queue: Mutex<Queue>,
    bounds: Bounds,
}

impl Mailbox {
    /// Writes straight to a TCP socket. The task that asks [`Mailbox::duties`] writes what the socket refused.
    pub(super) fn of_socket(socket: Arc<OwnedWriteHalf>, bounds: Bounds) -> Arc<Self> {
        Arc::new(Self { queue: Mutex::new(Queue::new(Sink::Socket(socket))), bounds })
    }

    /// Leaves all writing to the connection's task.
    pub(super) fn of_task(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self { queue: Mutex::new(Queue::new(Sink::Task)), bounds })
    }

    /// A mailbox without a socket, and what collects its frames: for tests of the hub.
    pub fn for_test() -> (Arc<Self>, TestSink) {
        let collected = Arc::new(Collected::default());
        let queue = Mutex::new(Queue::new(Sink::Test(collected.clone())));
        let mailbox = Arc::new(Self { queue, bounds: Bounds::default() });
        let other_end = TestSink::new(collected, Arc::downgrade(&mailbox));
        (mailbox, other_end)
    }

    /// Queues a durable event, behind all that was pushed before. Never waits; costs no system call. Call
    /// [`Mailbox::flush`] afterwards, outside the room's lock.
    ///
    /// An empty mailbox takes a frame of any size, so that one that is larger than the bound can be sent at all. A
    /// closed one takes everything and drops it.
    ///
    /// # Errors
    /// [`Full`] when it would hold more than its bound; latest-wins frames are dropped first.
    pub fn push(&self, frame: Frame) -> Result<(), Full> {
        self.push_bounded(frame, self.bounds.queue_bytes as usize)
    }

    /// Queues a reply, a signal or an event of the user's own stream in the same order as [`Mailbox::push`], with
    /// some room of its own above the bound. Whoever pushes flushes at once.
    ///
    /// # Errors
    /// [`Full`] when that room is used up too: the peer asks faster than it reads.
    pub fn push_reply(&self, frame: Frame) -> Result<(), Full> {
        self.push_bounded(frame, self.bounds.queue_bytes as usize + self.bounds.reserve_bytes as usize)
    }

    fn push_bounded(&self, frame: Frame, bound: usize) -> Result<(), Full> {
        let (outcome, wake) = self.queue.lock().push(frame.into_bytes(), bound);
        wake_up(wake);
        outcome
    }

    /// Sets the latest-wins frame of `key`; one that still waits under it is replaced and keeps its place. They are
    /// sent after everything that was pushed, and dropped first when there is no room, the oldest first when there
    /// are more than 256 keys.
    pub fn push_slot(&self, key: SlotKey, frame: Frame) {
        self.queue.lock().push_slot(key, frame.into_bytes(), self.bounds.queue_bytes as usize);
    }

    /// Whether frames of [`Mailbox::push_slot`] were dropped since the last call. [`super::Session::woken`] follows when
    /// there is room again: what they said is to be told anew.
    pub fn take_dropped(&self) -> bool {
        self.queue.lock().take_dropped()
    }

    /// Whether a frame waits under a key.
    pub fn has_slot(&self, key: SlotKey) -> bool {
        self.queue.lock().has_slot(key)
    }

    /// Writes everything that waits straight to the socket, all in one vectored write, unless somebody else is
    /// writing, who then writes this too. Never blocks: what the socket does not take stays, and wakes the
    /// connection's task.
    pub fn flush(&self) {
        self.write_rounds(false);
    }

    /// Writes as the connection's task, which alone may write after the socket refused.
    pub(super) fn write_ready(&self) {
        self.write_rounds(true);
    }

    /// Writes until nothing waits, the socket refuses, somebody else writes, or it has gone on for long enough.
    fn write_rounds(&self, by_task: bool) {
        let mut rounds = 0;
        while rounds < FLUSH_ROUNDS {
            // Bound here, so that the lock is not held while the batch is written.
            let batch = self.queue.lock().take(by_task);
            let Some(batch) = batch else { break };
            rounds += usize::from(batch.sink().has_task());
            let outcome = batch.with_slices(|slices| batch.sink().write(slices));
            if !self.put_back(batch, outcome) {
                return;
            }
        }
        wake_up(self.queue.lock().leave_to_task());
    }

    /// Writes as the connection's task through a transport of its own: at most one call of `write`. Pending when
    /// nothing waits or the transport refuses.
    pub(super) fn poll_write_with(
        &self,
        write: impl FnOnce(&[io::IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> Poll<()> {
        let batch = self.queue.lock().take(true);
        let Some(batch) = batch else { return Poll::Pending };
        let mut written = Poll::Ready(());
        let outcome = batch.with_slices(|slices| match write(slices) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => {
                written = Poll::Pending;
                Err(io::ErrorKind::WouldBlock.into())
            }
        });
        self.put_back(batch, outcome);
        written
    }

    /// Puts the rest of a batch back. True when more may be written at once.
    fn put_back(&self, batch: Batch, outcome: io::Result<usize>) -> bool {
        let low_water = self.bounds.queue_bytes as usize / 4;
        let (more, wake) = self.queue.lock().put_back(batch, outcome, low_water);
        wake_up(wake);
        more
    }

    /// Ends the connection: what waits is still written, then a close frame with `code`, then the socket is shut.
    /// Only the first call counts; what is pushed later is dropped. Writes at once what the socket takes.
    pub fn close(&self, code: CloseCode) {
        self.close_with(code.code(), code.reason());
    }

    /// The same with any code of RFC 6455, section 7.4.
    pub(super) fn close_with(&self, code: u16, reason: &str) {
        let wake = self.queue.lock().close(Frame::close(code, reason).into_bytes(), false);
        self.flush();
        wake_up(wake);
    }

    /// Ends the connection of a peer that does not read: everything that waits is dropped, but for the rest of a
    /// frame that is partly written.
    pub(super) fn close_stalled(&self, code: CloseCode) {
        let wake = self.queue.lock().close(Frame::close(code.code(), code.reason()).into_bytes(), true);
        wake_up(wake);
    }

    /// The connection is over: whatever waits is dropped and nothing is taken any more.
    pub(super) fn break_off(&self) {
        wake_up(self.queue.lock().break_off());
    }

    /// Makes the connection's task call [`super::Session::woken`].
    pub fn wake(&self) {
        wake_up(self.queue.lock().wake());
    }

    /// Bytes that wait to be written, those in a writer's hand included.
    pub fn queued_bytes(&self) -> usize {
        self.queue.lock().bytes()
    }

    /// Whether it was closed or its socket broke.
    pub fn is_closed(&self) -> bool {
        self.queue.lock().end() != End::Open
    }

    /// What the connection's task has to do; `waker` is woken when that changes.
    pub(super) fn duties(&self, waker: &Waker) -> Duties {
        self.queue.lock().duties(waker)
    }

    /// Whether `Session::woken` is due; told once.
    pub(super) fn take_woken(&self) -> bool {
        self.queue.lock().take_woken()
    }
}

/// Wakes outside the lock, so that the woken task does not run into it.
fn wake_up(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests;
