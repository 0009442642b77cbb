//! One connection in a document: what it has been sent, and how it catches up.

use super::{super::conn::Conn, super::encode, Line, wire};
use crate::gateway::{Frame, Full, SlotKey};
use bytes::Bytes;
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};
use stoa_protocol::{CloseCode, DocumentFrame, Fault, Refusal};

/// Refusals that are no honest mistake; then the connection is closed.
const STRIKES: u32 = 10;
/// Updates in a row that may build on what the server lacks, from a provider that was asked for it: the keys that are
/// pressed until the answer is here.
const GAPS: u32 = 256;

/// A connection in a document.
pub struct Attachment {
    /// The connection.
    pub conn: Arc<Conn>,
    /// How it gets messages.
    pub line: Line,
    /// How its user is shown.
    pub name: String,
    /// Whether it may edit, as it was told last.
    pub may_edit: bool,
    /// The record that it was told last.
    pub told: Option<stoa_protocol::DocumentInfo>,
    /// What it has of the content.
    pub has: Has,
    /// Yjs client ids whose awareness it speaks for.
    pub speaks_for: BTreeSet<u64>,
    /// The reply to its opening was sent; before that it does not know the channel.
    pub welcomed: bool,
    /// The awareness tick that it has for certain, and the one that was sent last.
    pub aware: (u64, u64),
    strikes: u32,
    /// Updates in a row that built on what the server lacks.
    gaps: u32,
}

/// What a connection has of the content.
pub enum Has {
    /// It has not asked yet, or its answer waits for a save.
    Nothing,
    /// Every update up to now was pushed.
    All,
    /// Not more; the mailbox had no room.
    Upto {
        /// Up to these clocks.
        had: HashMap<u64, u32>,
        /// It waits for the answer to what it asked.
        asks: bool,
    },
    /// A large message is on its way in pieces; then it has these clocks.
    Pieces {
        /// The message.
        message: Bytes,
        /// What of it was sent.
        at: usize,
        /// What it has when it has all of it.
        then: HashMap<u64, u32>,
        /// The state vector that follows, to ask for what the server lacks.
        ask: Option<Vec<u8>>,
    },
}

impl Attachment {
    /// A connection that has asked for nothing yet.
    pub fn new(conn: Arc<Conn>, line: Line, name: String, may_edit: bool) -> Self {
        Self {
            conn,
            line,
            name,
            may_edit,
            told: None,
            has: Has::Nothing,
            speaks_for: BTreeSet::new(),
            welcomed: false,
            aware: (0, 0),
            strikes: 0,
            gaps: 0,
        }
    }

    /// Pushes a message; the caller flushes.
    ///
    /// # Errors
    /// [`Full`].
    pub fn push(&self, message: &[u8]) -> Result<(), Full> {
        self.conn.mailbox.push(wire::frame(self.line, message))
    }

    /// Sends a message of the content, in pieces when it is large, and remembers what the connection has then. When
    /// there is no room it is left out, and the connection has `had`. Behind the message goes the question for what the
    /// server lacks, with this state vector.
    pub fn send(&mut self, message: Bytes, had: HashMap<u64, u32>, then: HashMap<u64, u32>, ask: Option<&Vec<u8>>) {
        match self.line {
            Line::Channel(_) if message.len() > wire::PART_BYTES => {
                self.has = Has::Pieces { message, at: 0, then, ask: ask.cloned() };
                self.send_pieces();
                // All of it at once: nothing came meanwhile.
                if matches!(self.has, Has::Upto { .. }) {
                    self.has = Has::All;
                }
            }
            Line::Channel(_) | Line::Plain => match self.push(&message) {
                Ok(()) => {
                    self.has = Has::All;
                    self.ask(ask);
                }
                Err(Full) => {
                    self.conn.mark_behind();
                    self.has = Has::Upto { had, asks: ask.is_some() };
                }
            },
        }
    }

    /// Whether a large message is on its way.
    pub fn is_in_pieces(&self) -> bool {
        matches!(self.has, Has::Pieces { .. })
    }

    /// Sends pieces while there is room. When the last is sent, what came meanwhile is still lacking.
    pub fn send_pieces(&mut self) {
        let Line::Channel(channel) = self.line else { return };
        let Has::Pieces { message, at, then, ask } = &mut self.has else { return };
        while *at < message.len() {
            let end = message.len().min(*at + wire::PART_BYTES);
            let piece = wire::part(channel, &message[*at..end], end < message.len());
            if self.conn.mailbox.push(piece).is_err() {
                self.conn.mark_behind();
                return;
            }
            *at = end;
        }
        let (had, ask) = (std::mem::take(then), ask.take());
        self.has = Has::Upto { had, asks: false };
        self.ask(ask.as_ref());
    }

    /// Asks the client for what the server lacks. A plain provider was asked when it came.
    fn ask(&self, vector: Option<&Vec<u8>>) {
        if let (Some(vector), Line::Channel(_)) = (vector, self.line) {
            self.tell_step1(vector);
        }
    }

    fn tell_step1(&self, vector: &[u8]) {
        self.tell_frame(wire::frame(self.line, &wire::sync(stoa_protocol::wire::STEP1, vector)));
    }

    /// Tells something in words, among the replies: it must not be dropped.
    pub fn tell(&self, frame: &DocumentFrame) {
        self.tell_frame(encode::document(frame));
    }

    fn tell_frame(&self, frame: Frame) {
        if self.conn.mailbox.push_reply(frame).is_err() {
            self.conn.close_slow();
        }
        self.conn.mailbox.flush();
    }

    /// Everything up to a batch is on disk.
    pub fn saved(&self, batch: u64) {
        if let Line::Channel(channel) = self.line {
            self.tell(&DocumentFrame::Saved { channel, batch });
        }
    }

    /// An edit was not taken.
    pub fn refuse(&mut self, batch: Option<u64>, reason: Refusal) {
        match self.line {
            Line::Channel(channel) => {
                self.tell(&DocumentFrame::Refused { channel, batch, reason, message: reason.words().into() });
            }
            Line::Plain => self.tell_frame(wire::frame(self.line, &wire::denied(reason.words()))),
        }
        let strikes = match reason {
            // A plain provider never learns to stop.
            Refusal::Malformed | Refusal::Foreign => 1,
            Refusal::Forbidden | Refusal::Gap | Refusal::TooLarge | Refusal::Full => {
                u32::from(self.line == Line::Plain)
            }
            Refusal::Unavailable | Refusal::Internal => 0,
        };
        self.strikes += strikes;
        if self.strikes > STRIKES {
            tracing::info!(user = %self.conn.user, ?reason, "closed after too many refused updates");
            self.conn.mailbox.close(CloseCode::BadRequest);
        }
    }

    /// An edit builds on what the server lacks: the provider is asked for that, once and now and then again. The answer
    /// is whether it may still come.
    pub fn gap(&mut self, vector: &[u8]) -> bool {
        self.gaps += 1;
        if self.gaps > GAPS {
            return false;
        }
        if self.gaps.is_power_of_two() {
            self.tell_step1(vector);
        }
        true
    }

    /// An edit was taken: nothing is lacking.
    pub fn whole(&mut self) {
        self.gaps = 0;
    }

    /// It is no longer in the document.
    pub fn close(&self, reason: &Fault) {
        match self.line {
            Line::Channel(channel) => self.tell(&DocumentFrame::Closed { channel, reason: reason.clone() }),
            Line::Plain => self.conn.mailbox.close(CloseCode::NoAccess),
        }
    }

    /// The latest-wins key of awareness here.
    pub fn slot(&self) -> SlotKey {
        SlotKey::of(&("awareness", self.line))
    }
}
