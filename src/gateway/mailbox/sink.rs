//! Where a mailbox writes to.

use super::{End, Frame, Mailbox};
use parking_lot::Mutex;
use std::{
    future::poll_fn,
    io::{self, IoSlice},
    sync::{Arc, Weak},
    task::Poll,
};
use tokio::{net::tcp::OwnedWriteHalf, sync::Notify};

/// What [`Mailbox::flush`] writes to.
#[derive(Clone)]
pub(super) enum Sink {
    /// A plain socket: whoever flushes writes.
    Socket(Arc<OwnedWriteHalf>),
    /// Any other transport: its task writes.
    Task,
    /// Collected for a test.
    Test(Arc<Collected>),
    /// The connection is over.
    Gone,
}

impl Sink {
    /// Whether there is a task that writes what a flush leaves.
    pub(super) fn has_task(&self) -> bool {
        !matches!(self, Self::Test(_))
    }

    /// Writes without waiting.
    pub(super) fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            // One frame is the most frequent case, and `send` spares the copy of the vector and the lock of the file
            // position that `writev` takes.
            Self::Socket(socket) => match slices {
                [one] => socket.try_write(one),
                more => socket.try_write_vectored(more),
            },
            Self::Task => Err(io::ErrorKind::WouldBlock.into()),
            Self::Test(collected) => collected.write(slices),
            Self::Gone => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// The other end of [`Mailbox::for_test`]: a peer that reads whole frames, and can be told to read nothing.
#[derive(Clone)]
pub struct TestSink {
    collected: Arc<Collected>,
    mailbox: Weak<Mailbox>,
}

/// What a connection's task has to do for its mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Call `Session::woken`.
    Woken,
    /// The mailbox is closed: end the session.
    Over,
}

#[derive(Default)]
pub(super) struct Collected {
    read: Mutex<Reading>,
    changed: Notify,
}

#[derive(Default)]
struct Reading {
    /// Bytes of frames, as a socket would carry them.
    bytes: Vec<u8>,
    blocked: bool,
    close_code: Option<u16>,
}

impl Collected {
    pub(super) fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut reading = self.read.lock();
        if reading.blocked {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        for slice in slices {
            reading.bytes.extend_from_slice(slice);
        }
        self.changed.notify_one();
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }
}

impl TestSink {
    pub(super) fn new(collected: Arc<Collected>, mailbox: Weak<Mailbox>) -> Self {
        Self { collected, mailbox }
    }

    /// Takes the text frames that were flushed since the last call, oldest first.
    pub fn take(&self) -> Vec<String> {
        let mut reading = self.collected.read.lock();
        let mut bytes = bytes::Bytes::from(std::mem::take(&mut reading.bytes));
        let mut texts = Vec::new();
        while let Some(frame) = Frame::split_from(&mut bytes) {
            if let Some(code) = frame.close_code() {
                reading.close_code = Some(code);
            }
            if frame.is_text() {
                texts.push(String::from_utf8(frame.payload().to_vec()).expect("text frames are UTF-8"));
            }
        }
        texts
    }

    /// The code of the close frame among what [`TestSink::take`] has gone through.
    pub fn close_code(&self) -> Option<u16> {
        self.collected.read.lock().close_code
    }

    /// From now on the peer reads nothing: frames stay in the mailbox.
    pub fn block(&self) {
        self.collected.read.lock().blocked = true;
    }

    /// The peer reads again, at once all that waits.
    pub fn unblock(&self) {
        self.collected.read.lock().blocked = false;
        if let Some(mailbox) = self.mailbox.upgrade() {
            mailbox.write_ready();
        }
    }

    /// What the connection's task would do next; completes when there is something.
    pub async fn due(&self) -> Due {
        poll_fn(|cx| {
            let Some(mailbox) = self.mailbox.upgrade() else { return Poll::Ready(Due::Over) };
            let duties = mailbox.duties(cx.waker());
            match (duties.end, duties.woken) {
                (End::Open, true) if mailbox.take_woken() => Poll::Ready(Due::Woken),
                (End::Open, _) => Poll::Pending,
                (End::Closing | End::Broken, _) => Poll::Ready(Due::Over),
            }
        })
        .await
    }

    /// Whether the connection's task would call `Session::woken` now; true once for each time.
    pub fn take_woken(&self) -> bool {
        self.mailbox.upgrade().is_some_and(|mailbox| mailbox.take_woken())
    }

    /// Completes when something was flushed since the last call.
    pub async fn changed(&self) {
        self.collected.changed.notified().await;
    }
}
