//! One thread over all connections: says what is due, hears what comes.

use super::{
    Calls, Tally,
    end::{End, Said},
    micros,
    setup::Seat,
    words::{Tag, Words, tag},
};
use crate::ws::{self, Opcode};
use anyhow::Context as _;
use mio::{Events, Interest, Poll, Token, net::TcpStream};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{
    collections::{HashMap, VecDeque},
    io::{self, Read as _, Write as _},
    time::{Duration, Instant},
};

/// What is unconfirmed is said again after so long, microseconds: as docs/protocol.md says.
const RESEND_US: u64 = 2_000_000;
/// Between two looks for what is to be said again.
const SWEEP_US: u64 = 100_000;
/// Bytes that one read takes at most.
const READ: usize = 64 * 1024;
/// Signals that are said between two looks at the sockets.
const STRIDE: usize = 32;
/// A mask that everybody may know: it protects proxies, of which there are none on the way.
const MASK: [u8; 4] = [0x21, 0x7b, 0x94, 0x5e];

/// A connection.
struct Line {
    stream: TcpStream,
    received: Vec<u8>,
    out: Vec<u8>,
    room: String,
    call: u64,
    /// Its ends, by link.
    links: HashMap<String, usize>,
    next_id: u64,
}

/// Everything that is driven.
pub struct Drive {
    poll: Poll,
    lines: Vec<Line>,
    ends: Vec<End>,
    words: Words,
    offer_every: u32,
    start: Instant,
    measuring: bool,
    /// Which end is next.
    next: usize,
    sweep_at_us: u64,
    tally: Tally,
}

/// The parts of a frame that matter here.
#[derive(Deserialize)]
struct Seen<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    link: Option<&'a str>,
    epoch: Option<u32>,
    n: Option<u32>,
    #[serde(borrow)]
    signal: Option<&'a RawValue>,
    code: Option<&'a str>,
}

impl Drive {
    pub fn new(calls: &Calls, seats: Vec<Seat>) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let (mut lines, mut ends) = (Vec::with_capacity(seats.len()), Vec::new());
        for Seat { stream, received, room, call, ends: own } in seats {
            stream.set_nonblocking(true)?;
            let mut stream = TcpStream::from_std(stream);
            poll.registry().register(&mut stream, Token(lines.len()), Interest::READABLE | Interest::WRITABLE)?;
            let links = own.iter().enumerate().map(|(at, end)| (end.link.clone(), ends.len() + at)).collect();
            ends.extend(own);
            lines.push(Line { stream, received, out: Vec::new(), room, call, links, next_id: 1_000 });
        }
        let mut drive = Self {
            poll,
            lines,
            ends,
            words: Words::new(),
            offer_every: calls.offer_every,
            start: Instant::now(),
            measuring: false,
            next: 0,
            sweep_at_us: 0,
            tally: Tally::default(),
        };
        // What came while the others joined was read before there was anybody to ask for it.
        for at in 0..drive.lines.len() {
            drive.read(at)?;
        }
        Ok(drive)
    }

    /// Whether what comes from now on counts for the figures.
    pub fn measuring(&mut self, on: bool) {
        self.measuring = on;
    }

    /// Says what is due at this rate for a time.
    ///
    /// # Errors
    /// A connection was lost.
    pub fn pass(&mut self, time: Duration, rate: f64) -> anyhow::Result<()> {
        let from_us = micros(self.start);
        let until_us = from_us + u64::try_from(time.as_micros())?;
        let due_us = |k: u64| from_us + (k as f64 * 1e6 / rate) as u64;
        let mut k = 0;
        while micros(self.start) < until_us {
            let now_us = micros(self.start);
            let mut said = 0;
            while due_us(k) <= now_us && said < STRIDE {
                self.say_next(due_us(k));
                k += 1;
                said += 1;
            }
            let wait_us = if said == STRIDE { 0 } else { due_us(k).saturating_sub(micros(self.start)) };
            self.turn(Duration::from_micros(wait_us.min(SWEEP_US)))?;
        }
        Ok(())
    }

    /// Waits until everything has been confirmed, at most for a time.
    ///
    /// # Errors
    /// A connection was lost.
    pub fn drain(&mut self, most: Duration) -> anyhow::Result<()> {
        let begun = Instant::now();
        while begun.elapsed() < most && self.ends.iter().any(|end| !end.unconfirmed.is_empty()) {
            self.turn(Duration::from_millis(20))?;
        }
        Ok(())
    }

    /// How many signals never came, and what was counted.
    pub fn finish(self) -> (u64, Tally) {
        let lost = self.ends.iter().map(|end| {
            let heard = self.ends[end.other as usize].heard;
            u64::from(end.last.saturating_sub(heard))
        });
        (lost.sum(), self.tally)
    }

    fn turn(&mut self, wait: Duration) -> anyhow::Result<()> {
        for at in 0..self.lines.len() {
            self.flush(at)?;
        }
        let mut events = Events::with_capacity(256);
        match self.poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        for event in &events {
            let Token(at) = event.token();
            if event.is_readable() {
                self.read(at)?;
            }
            self.flush(at)?;
        }
        self.sweep();
        Ok(())
    }

    /// The next end says something: in turn an offer, and candidates behind it.
    fn say_next(&mut self, due_us: u64) {
        let at = self.next;
        self.next = (self.next + 1) % self.ends.len();
        if !self.ends[at].has_room() {
            self.tally.held += 1;
            return;
        }
        let n = self.ends[at].last + 1;
        let tag = Tag { end: at as u32, n, due_us };
        let signal = if (n - 1).is_multiple_of(self.offer_every) {
            self.tally.descriptions += 1;
            format!(r#"{{"kind":"offer","sdp":"{}","tracks":{{"0":"mic","1":"cam"}}}}"#, self.words.description(tag))
        } else {
            let candidate = Words::candidate(tag);
            format!(r#"{{"kind":"candidate","candidate":"{candidate}","mid":"0","mline":0,"ufrag":"Zx1y"}}"#)
        };
        self.say(at, n, &signal);
    }

    fn answer(&mut self, at: usize, offer: u32) {
        if !self.ends[at].has_room() {
            self.tally.held += 1;
            return;
        }
        let n = self.ends[at].last + 1;
        let tag = Tag { end: at as u32, n, due_us: micros(self.start) };
        self.tally.descriptions += 1;
        let sdp = self.words.description(tag);
        self.say(at, n, &format!(r#"{{"kind":"answer","offer":{offer},"sdp":"{sdp}","tracks":{{}}}}"#));
    }

    fn say(&mut self, at: usize, n: u32, signal: &str) {
        let end = &mut self.ends[at];
        let line = &mut self.lines[end.seat];
        end.last = n;
        let (room, call, link, epoch) = (&line.room, line.call, &end.link, end.epoch);
        let frame =
            format!(r#""room":"{room}","call":{call},"link":"{link}","epoch":{epoch},"n":{n},"signal":{signal}}}"#);
        line.write("call.signal", &frame);
        end.unconfirmed.push_back(Said { n, frame, at_us: micros(self.start) });
        self.tally.said += 1;
    }

    /// Says again what has waited too long.
    fn sweep(&mut self) {
        let now_us = micros(self.start);
        if now_us < self.sweep_at_us {
            return;
        }
        self.sweep_at_us = now_us + SWEEP_US;
        for end in &mut self.ends {
            let due = end.unconfirmed.front().is_some_and(|said| now_us.saturating_sub(said.at_us) > RESEND_US);
            if !due {
                continue;
            }
            for said in &mut end.unconfirmed {
                said.at_us = now_us;
                end.again = end.again.max(said.n);
                self.lines[end.seat].write("call.signal", &said.frame);
                self.tally.again += 1;
            }
        }
    }

    fn flush(&mut self, at: usize) -> anyhow::Result<()> {
        let line = &mut self.lines[at];
        while !line.out.is_empty() {
            match line.stream.write(&line.out) {
                Ok(written) => drop(line.out.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("a connection was lost"),
            }
        }
        Ok(())
    }

    fn read(&mut self, at: usize) -> anyhow::Result<()> {
        let mut buffer = [0; READ];
        loop {
            match self.lines[at].stream.read(&mut buffer) {
                Ok(0) => anyhow::bail!("the server closed a connection"),
                Ok(count) => {
                    self.tally.bytes += count as u64;
                    self.lines[at].received.extend_from_slice(&buffer[..count]);
                    self.frames(at)?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.frames(at),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("a connection was lost"),
            }
        }
    }

    /// Handles the whole frames that were received, and confirms what was heard in them, once for each link.
    fn frames(&mut self, at: usize) -> anyhow::Result<()> {
        let received = std::mem::take(&mut self.lines[at].received);
        let mut from = 0;
        let (mut heard, mut offers) = (Vec::new(), VecDeque::new());
        while let Some(frame) = ws::frame(&received[from..])? {
            let payload = &received[from + frame.from..from + frame.to];
            from += frame.to;
            match frame.opcode {
                Opcode::Text if frame.fin => self.frame(at, payload, &mut heard, &mut offers)?,
                Opcode::Ping => {
                    ws::write_frame(&mut self.lines[at].out, Opcode::Pong, payload, Some(MASK));
                }
                Opcode::Close => anyhow::bail!("the server closed with {:?}", ws::close_code(payload)),
                Opcode::Pong => {}
                Opcode::Text | Opcode::Continuation | Opcode::Binary => anyhow::bail!("a frame of another kind"),
            }
        }
        self.lines[at].received = received[from..].to_vec();
        heard.sort_unstable();
        heard.dedup();
        for end in heard {
            let (link, epoch, n) = (&self.ends[end].link, self.ends[end].epoch, self.ends[end].heard);
            let line = &mut self.lines[at];
            let (room, call) = (&line.room, line.call);
            let frame = format!(r#""room":"{room}","call":{call},"link":"{link}","epoch":{epoch},"n":{n}}}"#);
            line.write("call.confirm", &frame);
        }
        for (end, offer) in offers {
            self.answer(end, offer);
        }
        Ok(())
    }

    fn frame(
        &mut self,
        at: usize,
        payload: &[u8],
        heard: &mut Vec<usize>,
        offers: &mut VecDeque<(usize, u32)>,
    ) -> anyhow::Result<()> {
        // Most frames are acknowledgements, which say nothing new: a signal is settled by its confirmation.
        if payload.starts_with(br#"{"type":"ack""#) {
            return Ok(());
        }
        // Names with escapes in them do not borrow; nothing that is looked at here has any.
        let Ok(seen) = serde_json::from_slice::<Seen>(payload) else { return Ok(()) };
        let end = seen.link.and_then(|link| self.lines[at].links.get(link).copied());
        let end = end.filter(|end| seen.epoch.is_none_or(|epoch| epoch == self.ends[*end].epoch));
        let now_us = micros(self.start);
        match (seen.kind, end, seen.n) {
            ("call.signal", Some(end), Some(n)) => {
                let signal = seen.signal.map_or("", RawValue::get);
                let tag = tag(signal);
                let other = self.ends[end].other as usize;
                let said_us = self.ends[other].unconfirmed.iter().find(|said| said.n == n).map(|said| said.at_us);
                let may_repeat = self.ends[other].again;
                heard.push(end);
                if !self.ends[end].hear(n, tag, may_repeat, &mut self.tally) {
                    return Ok(());
                }
                if signal.contains(r#""kind":"offer""#) {
                    offers.push_back((end, n));
                }
                if self.measuring && n > may_repeat {
                    self.tally.relayed_measured += 1;
                    if let Some(tag) = tag {
                        self.tally.due.record(now_us.saturating_sub(tag.due_us));
                    }
                    if let Some(said_us) = said_us {
                        self.tally.sent.record(now_us.saturating_sub(said_us));
                    }
                }
            }
            ("call.confirmed", Some(end), Some(n)) => {
                self.ends[end].confirmed(n, now_us, &mut self.tally, self.measuring);
            }
            ("call.unconfirmed", _, _) => self.tally.unconfirmed += 1,
            ("call.signal" | "call.confirmed", _, _) => self.tally.strayed += 1,
            ("error", _, _) => {
                *self.tally.refused.entry(seen.code.unwrap_or("none").to_owned()).or_default() += 1;
            }
            ("call.unlinked" | "bye", _, _) => anyhow::bail!("the server ended a call: {}", seen.kind),
            (_, _, _) => {}
        }
        Ok(())
    }
}

impl Line {
    /// Queues a command; `rest` is what stands behind its id.
    fn write(&mut self, kind: &str, rest: &str) {
        let text = format!(r#"{{"type":"{kind}","id":{},{rest}"#, self.next_id);
        self.next_id += 1;
        ws::write_frame(&mut self.out, Opcode::Text, text.as_bytes(), Some(MASK));
    }
}
