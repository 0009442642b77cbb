//! Bytes of a peer into whole messages: read, walked by the [`Guard`], parsed by tungstenite.
//!
//! An idle connection owns no buffer: bytes are kept only while a frame is incomplete or messages wait their turn,
//! and the parser lives from the first frame of a message to its last.

use super::{
    guard::{Guard, Most, Violation},
    transport::Transport,
};
use bytes::Bytes;
use std::{
    io::{self, Read, Write},
    mem::MaybeUninit,
    task::{Context, Poll, ready},
};
use tokio::io::ReadBuf;
use tokio_tungstenite::tungstenite::{
    Error, Message, Utf8Bytes,
    protocol::{Role, WebSocketConfig, WebSocketContext},
};

/// Bytes of one read, on the stack: most frames of a client come whole, some dozens in one call.
const READ_BYTES: usize = 8 * 1024;

/// Least buffer of the parser, bytes, so that a message that begins with a tiny fragment is not parsed in tiny steps.
const PARSER_BYTES: usize = 512;

/// What came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Incoming {
    Text(Utf8Bytes),
    Binary(Bytes),
    Ping(Bytes),
    Pong,
    /// The peer's close frame, with the code to answer.
    Close(u16),
    /// The stream ended, or broke, without one.
    End,
}

/// The reading side of one connection.
#[derive(Default)]
pub(super) struct Reader {
    guard: Guard,
    /// Arrived and not parsed; at most one incomplete frame of the limit, and one read.
    pending: Vec<u8>,
    /// How much of `pending` is parsed.
    at: usize,
    parser: Option<Box<WebSocketContext>>,
}

impl Reader {
    /// Starts with what was read past the handshake.
    pub(super) fn new(read_past: &[u8]) -> Self {
        Self { pending: read_past.to_vec(), ..Self::default() }
    }

    /// The next message or control frame. `most` bounds a message's payload, bytes.
    ///
    /// # Errors
    /// The stream is illegal; nothing sensible follows.
    pub(super) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        transport: &mut Transport,
        most: impl Into<Most>,
    ) -> Poll<Result<Incoming, Violation>> {
        let most = most.into();
        loop {
            if let Some(incoming) = self.next(most)? {
                return Poll::Ready(Ok(incoming));
            }
            if !ready!(self.poll_read(cx, transport)) {
                return Poll::Ready(Ok(Incoming::End));
            }
        }
    }

    /// The next message or control frame of what has arrived.
    fn next(&mut self, most: impl Into<Most>) -> Result<Option<Incoming>, Violation> {
        let most = most.into();
        while let Some(length) = self.guard.next(&self.pending[self.at..], most)? {
            let incoming = self.parse(length, most.text.max(most.binary))?;
            if self.at == self.pending.len() {
                (self.pending, self.at) = (Vec::new(), 0);
            }
            if incoming.is_some() {
                return Ok(incoming);
            }
        }
        Ok(None)
    }

    /// Appends what has arrived; false at the end of the stream.
    fn poll_read(&mut self, cx: &mut Context<'_>, transport: &mut Transport) -> Poll<bool> {
        let mut space = [MaybeUninit::uninit(); READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut space);
        let outcome = ready!(transport.poll_read(cx, &mut buffer));
        if outcome.is_err() || buffer.filled().is_empty() {
            return Poll::Ready(false);
        }
        self.append(buffer.filled());
        Poll::Ready(true)
    }

    fn append(&mut self, bytes: &[u8]) {
        self.pending.drain(..self.at);
        self.at = 0;
        self.pending.extend_from_slice(bytes);
    }

    /// Reads and forgets; false at the end of the stream.
    pub(super) fn poll_discard(&mut self, cx: &mut Context<'_>, transport: &mut Transport) -> Poll<bool> {
        let more = self.poll_read(cx, transport);
        (self.pending, self.at) = (Vec::new(), 0);
        more
    }

    /// Parses the whole frame of `length` bytes that comes next; `None` when its message goes on.
    fn parse(&mut self, length: usize, limit: usize) -> Result<Option<Incoming>, Violation> {
        let frame = &self.pending[self.at..self.at + length];
        self.at += length;
        let parser = self.parser.get_or_insert_with(|| {
            let config = WebSocketConfig::default()
                .read_buffer_size(length.max(PARSER_BYTES))
                .write_buffer_size(0)
                .max_frame_size(Some(limit))
                .max_message_size(Some(limit));
            Box::new(WebSocketContext::new(Role::Server, Some(config)))
        });
        let outcome = parser.read(&mut OneFrame { rest: frame });
        if !self.guard.is_within_message() {
            self.parser = None;
        }
        match outcome {
            Ok(Message::Text(text)) => Ok(Some(Incoming::Text(text))),
            Ok(Message::Binary(bytes)) => Ok(Some(Incoming::Binary(bytes))),
            Ok(Message::Ping(payload)) => Ok(Some(Incoming::Ping(payload))),
            Ok(Message::Pong(_payload)) => Ok(Some(Incoming::Pong)),
            // An empty close frame is answered as a normal one. Codes that must not travel, 1005 say, arrive
            // here as 1002.
            Ok(Message::Close(frame)) => Ok(Some(Incoming::Close(frame.map_or(1000, |frame| frame.code.into())))),
            Ok(Message::Frame(_)) => Err(Violation::protocol("a frame that is no message")),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(Error::Utf8(_)) => Err(Violation::not_utf8()),
            Err(Error::Capacity(_)) => Err(Violation::too_big()),
            Err(_illegal) => Err(Violation::protocol("the frame is not legal")),
        }
    }
}

/// What the parser reads: one frame and no byte more, so that nothing is left in it at a message's border. Its own
/// answers to pings and closes are swallowed: the connection gives them through the mailbox.
struct OneFrame<'a> {
    rest: &'a [u8],
}

impl Read for OneFrame<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.rest.read(buffer)
    }
}

impl Write for OneFrame<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
