//! What the server says.

use super::{
    Worker,
    conn::{OPEN, Stage},
};
use crate::{
    engine::Plan,
    journal::{Acked, Arrival, MemberLog},
    scan::{MessageId, Seen, Tag, scan},
    ws::{self, Frame, Opcode},
};
use serde::Deserialize;
use std::io::{self, Read as _};
use stoa_protocol::{Cursor, SessionResume};

/// `welcome`, as far as it is used.
#[derive(Deserialize)]
struct Welcome {
    session: stoa_protocol::SessionId,
    secret: String,
    cursor: Option<Cursor>,
    idle_ms: u64,
}

/// The acknowledgement of `room.open`.
#[derive(Deserialize)]
struct OpenAck {
    id: u64,
    result: Opened,
}

/// The reply to `room.open`, as far as it is used.
#[derive(Deserialize)]
struct Opened {
    epoch: String,
    seq: u64,
    head: u64,
    #[serde(default)]
    reset: bool,
}

/// A refusal, as far as it is used.
#[derive(Deserialize)]
struct Refusal {
    id: Option<u64>,
    code: String,
    #[serde(default)]
    message: String,
    retry_after_ms: Option<u64>,
}

impl Worker {
    /// Reads what is there, at most `most` bytes at a time; once, or to the end when the other side has closed.
    pub(super) fn read(&mut self, at: usize, most: usize, to_end: bool) {
        loop {
            let Some(stream) = &mut self.conns[at].stream else { return };
            match stream.read(&mut self.buffer[..most]) {
                Ok(0) => return self.gone(at, None, None),
                Ok(count) => {
                    self.counts.bytes += count as u64;
                    self.conns[at].bytes += count as u64;
                    self.take_in(at, count);
                    let slow = self.conns[at].slow && self.conns[at].stage == Stage::Joined;
                    // A short read empties the socket: epoll tells of what comes after it.
                    if slow || (count < most && !to_end) {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if self.conns[at].stage == Stage::Connecting => {
                    return self.gone(at, Some(format!("connect: {error}")), None);
                }
                Err(error) => return self.gone(at, Some(format!("read: {error}")), None),
            }
        }
    }

    fn take_in(&mut self, at: usize, count: usize) {
        let buffer = std::mem::take(&mut self.buffer);
        let mut partial = std::mem::take(&mut self.conns[at].partial);
        let outcome = if partial.is_empty() {
            let outcome = self.digest(at, &buffer[..count]);
            if let Ok(used) = outcome {
                partial.extend_from_slice(&buffer[used..count]);
            }
            outcome
        } else {
            partial.extend_from_slice(&buffer[..count]);
            let outcome = self.digest(at, &partial);
            if let Ok(used) = outcome {
                partial.drain(..used);
            }
            outcome
        };
        self.buffer = buffer;
        match outcome {
            Err(error) => self.gone(at, Some(error.to_string()), None),
            // What the connection has ended with stays unread.
            Ok(_) if self.conns[at].stage == Stage::Away => {}
            Ok(_) => {
                if !partial.is_empty() {
                    self.conns[at].partial = partial;
                }
                if !self.conns[at].out.is_empty() {
                    self.flush(at);
                }
            }
        }
    }

    /// Reads whole frames; how many bytes they took.
    fn digest(&mut self, at: usize, bytes: &[u8]) -> Result<usize, ws::WsError> {
        let mut used = 0;
        if self.conns[at].stage == Stage::Upgrading {
            let Some(end) = ws::response(bytes)? else { return Ok(0) };
            used = end;
            self.greet(at);
        }
        let now = self.shared.now_us();
        while let Some(frame) = ws::frame(&bytes[used..])? {
            let payload = &bytes[used + frame.from..used + frame.to];
            used += frame.to;
            self.counts.frames += 1;
            self.frame(at, frame, payload, now);
            if self.conns[at].stage == Stage::Away {
                break;
            }
        }
        Ok(used)
    }

    fn frame(&mut self, at: usize, frame: Frame, payload: &[u8], now: u64) {
        match frame.opcode {
            Opcode::Text if frame.fin => self.text(at, payload, now),
            Opcode::Text | Opcode::Continuation => {
                self.conns[at].fragments.extend_from_slice(payload);
                if frame.fin {
                    let whole = std::mem::take(&mut self.conns[at].fragments);
                    self.text(at, &whole, now);
                }
            }
            Opcode::Ping => self.say(at, Opcode::Pong, payload),
            Opcode::Close => {
                let words = payload.get(2..).map(|words| String::from_utf8_lossy(words).into_owned());
                let code = ws::close_code(payload);
                let reason = code.filter(|code| *code >= 4500).and(words);
                self.gone(at, reason, code);
            }
            Opcode::Binary | Opcode::Pong => {}
        }
    }

    fn text(&mut self, at: usize, payload: &[u8], now: u64) {
        match scan(payload) {
            Seen::Message { room, seq, tag } => self.event(at, room, seq, tag, now),
            Seen::Event { room, seq } => self.event(at, room, seq, None, now),
            Seen::Skip { room, seq } => {
                if self.is_own(at, room)
                    && let Some(log) = &mut self.conns[at].log
                {
                    log.excuse_to(seq);
                    self.caught_up(at, now);
                }
            }
            Seen::Ack { id, seq } => self.acked(at, id, seq, now),
            Seen::Other(kind) => {
                if let Err(error) = self.control(at, kind, payload, now) {
                    let kind = String::from_utf8_lossy(kind).into_owned();
                    self.gone(at, Some(format!("a frame {kind:?} that is not as agreed: {error}")), None);
                }
            }
        }
    }

    fn is_own(&mut self, at: usize, room: &[u8]) -> bool {
        let own = self.shared.rooms[self.conns[at].room as usize].as_bytes() == room;
        self.counts.strays += u64::from(!own);
        own
    }

    fn event(&mut self, at: usize, room: &[u8], seq: u64, tag: Option<Tag>, now: u64) {
        if !self.is_own(at, room) {
            return;
        }
        let conn = &mut self.conns[at];
        let Some(log) = &mut conn.log else {
            self.counts.strays += 1;
            return;
        };
        if log.arrive(seq) == Arrival::Repeated {
            return;
        }
        self.rooms[conn.room as usize].witness(seq, tag.map(Tag::id));
        if let Some(tag) = tag {
            self.counts.delivered += 1;
            self.counts.delivered_in_window += u64::from(self.shared.is_measured(now));
            if self.shared.is_measured(tag.due_us) {
                let missed = conn.lost_us != 0 && tag.due_us < conn.joined_us;
                let histogram = match (conn.slow, missed) {
                    (true, _) => &mut self.outcome.slow_delivery,
                    (false, true) => &mut self.outcome.missed_delivery,
                    (false, false) => &mut self.outcome.delivery,
                };
                histogram.record(now.saturating_sub(tag.due_us));
            }
        }
        if conn.goal != 0 {
            self.caught_up(at, now);
        }
    }

    fn caught_up(&mut self, at: usize, now: u64) {
        let conn = &mut self.conns[at];
        if conn.goal != 0 && conn.log.as_ref().is_some_and(|log| log.next() > conn.goal) {
            conn.goal = 0;
            self.counts.caught_up += 1;
            self.outcome.catch_up.record(now.saturating_sub(conn.back_us));
        }
    }

    fn acked(&mut self, at: usize, id: u64, seq: Option<u64>, now: u64) {
        let Some(pending) = self.settle(at, id) else { return };
        let conn = &self.conns[at];
        let Some(seq) = seq else {
            self.shared.note("a message was acknowledged without its place".into());
            return;
        };
        self.acked.push(Acked { room: conn.room, seq, id: MessageId::new(conn.user as u32, pending.n) });
        self.counts.acked += 1;
        self.counts.acked_in_window += u64::from(self.shared.is_measured(now));
        if self.shared.is_measured(pending.due_us) {
            self.outcome.ack.record(now.saturating_sub(pending.due_us));
        }
        if let Some(Plan::Closed(most)) = self.plan {
            self.refill(at, most);
        }
    }

    fn control(&mut self, at: usize, kind: &[u8], payload: &[u8], now: u64) -> serde_json::Result<()> {
        match kind {
            b"welcome" => {
                let welcome: Welcome = serde_json::from_slice(payload)?;
                let conn = &mut self.conns[at];
                conn.session = Some(SessionResume { id: welcome.session, secret: welcome.secret });
                conn.user_cursor = welcome.cursor.or(conn.user_cursor.take());
                conn.ping_us = (welcome.idle_ms * 1_000 / 2).max(1_000_000);
                self.open(at);
            }
            b"ack" => {
                let ack: OpenAck = serde_json::from_slice(payload)?;
                if ack.id == OPEN {
                    self.opened(at, ack.result, now);
                }
            }
            b"room.reset" => {
                let opened: Opened = serde_json::from_slice(payload)?;
                self.reset(at, &opened);
            }
            b"user.reset" => {
                #[derive(Deserialize)]
                struct UserReset {
                    cursor: Cursor,
                }
                self.conns[at].user_cursor = Some(serde_json::from_slice::<UserReset>(payload)?.cursor);
            }
            b"error" => {
                let refusal: Refusal = serde_json::from_slice(payload)?;
                self.refused(at, &refusal, now);
            }
            b"room.closed" => {
                let words = String::from_utf8_lossy(payload).into_owned();
                self.gone(at, Some(words), None);
            }
            _ if kind.starts_with(b"user.") => {
                #[derive(Deserialize)]
                struct UserEvent {
                    user_seq: stoa_protocol::Seq,
                }
                let event: UserEvent = serde_json::from_slice(payload)?;
                if let Some(cursor) = &mut self.conns[at].user_cursor {
                    cursor.seq = cursor.seq.max(event.user_seq);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn opened(&mut self, at: usize, opened: Opened, now: u64) {
        let conn = &mut self.conns[at];
        if conn.stage != Stage::Opening {
            return;
        }
        match &conn.log {
            None => conn.log = Some(MemberLog::starting_after(opened.seq)),
            Some(_) if opened.reset => self.reset(at, &opened),
            Some(_) => {}
        }
        let conn = &mut self.conns[at];
        conn.epoch = Some(opened.epoch);
        conn.stage = Stage::Joined;
        conn.joined_us = now;
        self.handshakes -= 1;
        self.counts.joined += 1;
        self.counts.joining_bytes += conn.bytes;
        if conn.lost_us != 0 {
            self.counts.rejoined += 1;
            conn.goal = opened.head.max(1);
            self.caught_up(at, now);
        }
        self.send_again(at);
    }

    /// The cursor is void: the journal goes on from the new place and says so.
    fn reset(&mut self, at: usize, opened: &Opened) {
        self.counts.resets += 1;
        let conn = &mut self.conns[at];
        conn.epoch = Some(opened.epoch.clone());
        if let Some(log) = &mut conn.log {
            log.excuse_to(opened.seq);
        }
    }

    fn refused(&mut self, at: usize, refusal: &Refusal, now: u64) {
        let Refusal { id, code, message, retry_after_ms } = refusal;
        if self.conns[at].stage != Stage::Joined {
            return self.gone(at, Some(format!("{code}: {message}")), None);
        }
        if id.and_then(|id| self.settle(at, id)).is_none() {
            return self.shared.note(format!("{code}: {message}"));
        }
        self.counts.refused += 1;
        *self.outcome.refusals.entry(code.clone()).or_default() += 1;
        self.shared.note(format!("{code}: {message}"));
        let conn = &mut self.conns[at];
        // Never 0, which means not paused.
        conn.paused_us = now + retry_after_ms.unwrap_or(1) * 1_000 + 1;
    }
}
