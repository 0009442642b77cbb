//! The state behind a mailbox's lock. Every method is a few memory moves; those that return a waker want it woken
//! after the lock is released.

use super::{Full, SlotKey, sink::Sink};
use bytes::{Buf, Bytes};
use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    task::Waker,
};

/// Frames in one vectored write. The kernel takes 1,024 at most; 64 fit on the stack in one KiB, and a reader that
/// has more waiting gains nothing by a longer call.
pub(super) const BATCH: usize = 64;

/// Most latest-wins frames that wait: searched one by one, and a reader that is this far behind profits more from
/// fewer.
pub(super) const SLOTS: usize = 256;

/// How far the end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::gateway) enum End {
    /// Frames are taken.
    #[default]
    Open,
    /// A close frame is the last of the queue; nothing is taken behind it.
    Closing,
    /// The socket is broken or given up; the queue is empty and stays so.
    Broken,
}

/// What the connection's task has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) struct Duties {
    /// Frames wait that only the task may write.
    pub write: bool,
    /// `Session::woken` is due.
    pub woken: bool,
    /// A push was refused and there was no room since.
    pub refused: bool,
    /// Nothing waits and nobody writes.
    pub idle: bool,
    /// How far the end is.
    pub end: End,
    /// Bytes written since the beginning.
    pub written: u64,
}

/// What waits, and who writes.
pub(super) struct Queue {
    /// Given up with everything else when the connection is over, whoever still holds the mailbox.
    sink: Sink,
    /// In the order in which they are sent.
    frames: VecDeque<Bytes>,
    /// Sent after `frames`; the oldest first.
    slots: Vec<(SlotKey, Bytes)>,
    /// Bytes of `frames`, `slots` and the batch in a writer's hand that are not sent yet.
    bytes: usize,
    written: u64,
    /// The connection's task, while it waits.
    task: Option<Waker>,
    end: End,
    /// Somebody holds a batch.
    writing: bool,
    /// The socket refused, or the transport is not a plain socket: only the task writes.
    task_writes: bool,
    /// The first frame is partly sent.
    partial: bool,
    /// Whole frames are dropped when the batch comes back: the peer does not read.
    purge: bool,
    refused: bool,
    /// A slot was given up, and its newest frame is to be told again.
    dropped: bool,
    woken: bool,
}

/// What a writer holds between `take` and `put_back`.
pub(super) struct Batch {
    sink: Sink,
    frames: VecDeque<Bytes>,
    slots: Vec<(SlotKey, Bytes)>,
    partial: bool,
    by_task: bool,
}

impl Queue {
    pub(super) fn new(sink: Sink) -> Self {
        Self {
            sink,
            frames: VecDeque::new(),
            slots: Vec::new(),
            bytes: 0,
            written: 0,
            task: None,
            end: End::Open,
            writing: false,
            task_writes: false,
            partial: false,
            purge: false,
            refused: false,
            dropped: false,
            woken: false,
        }
    }

    pub(super) fn push(&mut self, frame: Bytes, bound: usize) -> (Result<(), Full>, Option<Waker>) {
        if self.end != End::Open {
            return (Ok(()), None);
        }
        if self.bytes > 0 && self.bytes + frame.len() > bound {
            self.drop_slots();
        }
        if self.bytes > 0 && self.bytes + frame.len() > bound {
            // The first refusal is told to the task, which watches how long the peer takes nothing.
            let wake = if self.refused { None } else { self.task.take() };
            self.refused = true;
            return (Err(Full), wake);
        }
        self.bytes += frame.len();
        self.frames.push_back(frame);
        (Ok(()), None)
    }

    pub(super) fn push_slot(&mut self, key: SlotKey, frame: Bytes, bound: usize) {
        if self.end != End::Open {
            return;
        }
        let place = self.slots.iter().position(|(there, _)| *there == key);
        let replaced = place.map_or(0, |at| self.slots[at].1.len());
        let fits = self.bytes - replaced + frame.len() <= bound;
        match place {
            Some(at) if fits => {
                self.bytes = self.bytes - replaced + frame.len();
                self.slots[at].1 = frame;
            }
            Some(at) => {
                self.bytes -= replaced;
                self.slots.remove(at);
                self.dropped = true;
            }
            None if fits => {
                if self.slots.len() >= SLOTS {
                    self.bytes -= self.slots.remove(0).1.len();
                    self.dropped = true;
                }
                self.bytes += frame.len();
                self.slots.push((key, frame));
            }
            None => self.dropped = true,
        }
    }

    /// Whether slots were given up since the last call.
    pub(super) fn take_dropped(&mut self) -> bool {
        std::mem::take(&mut self.dropped)
    }

    pub(super) fn has_slot(&self, key: SlotKey) -> bool {
        self.slots.iter().any(|(there, _)| *there == key)
    }

    fn drop_slots(&mut self) {
        self.dropped |= !self.slots.is_empty();
        self.bytes -= self.slots.iter().map(|(_, frame)| frame.len()).sum::<usize>();
        self.slots = Vec::new();
    }

    /// Hands out all that waits, unless there is a writer already or the task alone may write.
    pub(super) fn take(&mut self, by_task: bool) -> Option<Batch> {
        let left_to_task = self.task_writes || matches!(self.sink, Sink::Task);
        if self.writing || self.is_empty() || (left_to_task && !by_task) {
            return None;
        }
        self.writing = true;
        self.task_writes = false;
        Some(Batch {
            sink: self.sink.clone(),
            frames: std::mem::take(&mut self.frames),
            slots: std::mem::take(&mut self.slots),
            partial: std::mem::take(&mut self.partial),
            by_task,
        })
    }

    /// Takes the rest of a batch back. True when there is more to write that the socket may take.
    pub(super) fn put_back(
        &mut self,
        mut batch: Batch,
        outcome: io::Result<usize>,
        low_water: usize,
    ) -> (bool, Option<Waker>) {
        self.writing = false;
        let (sent, blocked) = match outcome {
            Ok(0) => return (false, self.break_off()),
            Ok(sent) => (sent, false),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => (0, true),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (0, false),
            Err(_broken) => return (false, self.break_off()),
        };
        if self.end == End::Broken {
            return (false, None);
        }
        batch.advance(sent);
        self.bytes -= sent;
        self.written += sent as u64;
        let by_task = batch.by_task;
        self.restore(batch);
        let empty = self.is_empty();
        self.task_writes = !empty && (blocked || matches!(self.sink, Sink::Task));
        if (self.refused || self.dropped) && self.bytes <= low_water {
            self.refused = false;
            self.woken = true;
        }
        // The task itself looks again after it has written.
        let tell = self.woken || (!by_task && (self.task_writes || (empty && self.end == End::Closing)));
        (!empty && !blocked, if tell { self.task.take() } else { None })
    }

    /// Puts what is left of a batch before what was pushed meanwhile.
    fn restore(&mut self, mut batch: Batch) {
        self.partial = batch.partial;
        if self.purge {
            let keep = usize::from(batch.partial);
            self.bytes -= batch.frames.drain(keep..).map(|frame| frame.len()).sum::<usize>();
        }
        if !batch.frames.is_empty() {
            batch.frames.append(&mut self.frames);
            self.frames = batch.frames;
        }
        let behind_close = self.end != End::Open;
        let newer = std::mem::take(&mut self.slots);
        let (kept, stale): (Vec<_>, Vec<_>) =
            batch.slots.into_iter().partition(|(key, _)| !behind_close && newer.iter().all(|(other, _)| other != key));
        self.bytes -= stale.iter().map(|(_, frame)| frame.len()).sum::<usize>();
        self.slots = kept;
        self.slots.extend(newer);
        while self.slots.len() > SLOTS {
            self.bytes -= self.slots.remove(0).1.len();
            self.dropped = true;
        }
    }

    fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.slots.is_empty()
    }

    /// Leaves what waits to the task, unless somebody writes it.
    pub(super) fn leave_to_task(&mut self) -> Option<Waker> {
        if self.writing || self.is_empty() || self.task_writes {
            return None;
        }
        self.task_writes = true;
        self.task.take()
    }

    /// Puts a close frame behind everything; `purge` drops what was not begun.
    pub(super) fn close(&mut self, frame: Bytes, purge: bool) -> Option<Waker> {
        if self.end != End::Open {
            return None;
        }
        self.end = End::Closing;
        self.drop_slots();
        if purge {
            let keep = if self.writing { 0 } else { usize::from(self.partial) };
            self.bytes -= self.frames.drain(keep..).map(|frame| frame.len()).sum::<usize>();
            self.frames.shrink_to_fit();
            self.purge = true;
        }
        self.bytes += frame.len();
        self.frames.push_back(frame);
        self.task.take()
    }

    pub(super) fn break_off(&mut self) -> Option<Waker> {
        self.end = End::Broken;
        self.sink = Sink::Gone;
        self.frames = VecDeque::new();
        self.slots = Vec::new();
        self.bytes = 0;
        self.task_writes = false;
        self.task.take()
    }

    pub(super) fn wake(&mut self) -> Option<Waker> {
        self.woken = true;
        self.task.take()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn end(&self) -> End {
        self.end
    }

    /// What the task has to do now; `waker` is woken when that changes.
    pub(super) fn duties(&mut self, waker: &Waker) -> Duties {
        if !self.task.as_ref().is_some_and(|there| there.will_wake(waker)) {
            self.task = Some(waker.clone());
        }
        Duties {
            write: self.task_writes && !self.writing,
            woken: self.woken,
            refused: self.refused,
            idle: !self.writing && self.is_empty(),
            end: self.end,
            written: self.written,
        }
    }

    /// What holds whenever nobody has a batch in hand.
    #[cfg(test)]
    pub(super) fn check_invariants(&self) {
        assert!(!self.writing);
        let frames: usize = self.frames.iter().map(Bytes::len).sum();
        let slots: usize = self.slots.iter().map(|(_, frame)| frame.len()).sum();
        assert_eq!(self.bytes, frames + slots);
        assert!(self.slots.len() <= SLOTS);
        assert!(!self.partial || !self.frames.is_empty());
        for (at, (key, _)) in self.slots.iter().enumerate() {
            assert!(self.slots[..at].iter().all(|(other, _)| other != key), "one frame for each key");
        }
    }

    /// Whether `Session::woken` is due; told once.
    pub(super) fn take_woken(&mut self) -> bool {
        std::mem::take(&mut self.woken)
    }
}

impl Batch {
    pub(super) fn sink(&self) -> &Sink {
        &self.sink
    }

    /// Calls `write` with the first frames, in order.
    pub(super) fn with_slices(&self, write: impl FnOnce(&[IoSlice<'_>]) -> io::Result<usize>) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); BATCH];
        let mut count = 0;
        let frames = self.frames.iter().chain(self.slots.iter().map(|(_, frame)| frame));
        for (slice, frame) in slices.iter_mut().zip(frames) {
            *slice = IoSlice::new(frame);
            count += 1;
        }
        write(&slices[..count])
    }

    /// Drops the first `sent` bytes. A slot's frame that is partly sent can no longer be replaced, so its rest
    /// becomes the first frame.
    fn advance(&mut self, mut sent: usize) {
        while sent > 0 {
            let Some(first) = self.frames.front_mut() else { break };
            if sent < first.len() {
                first.advance(sent);
                self.partial = true;
                return;
            }
            sent -= first.len();
            self.frames.pop_front();
            self.partial = false;
        }
        let mut whole = 0;
        while sent > 0 {
            let (_, first) = &mut self.slots[whole];
            whole += 1;
            if sent < first.len() {
                let mut rest = std::mem::take(first);
                rest.advance(sent);
                self.frames.push_back(rest);
                self.partial = true;
                break;
            }
            sent -= first.len();
        }
        self.slots.drain(..whole);
    }
}
